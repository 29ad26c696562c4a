"""Connected regions of class ids, their outlines, and polygons as masks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]
Whole = npt.NDArray[np.int64]


class Region(NamedTuple):
    """Pixels of one class that are joined by their sides.

    Attributes
    ----------
    id
        The class.
    row, column
        Where its box begins.
    mask
        The pixels in the box.
    """

    id: int
    row: int
    column: int
    mask: Mask


def regions(ids: npt.NDArray[np.uint8]) -> Iterator[Region]:
    """Iterate over the regions of a slice, by their first pixel in reading order. 0 is no class.

    Joins runs of one class in a row with runs of the same class below them.
    """
    rows, columns = ids.shape
    wide = np.zeros((rows, columns + 1), np.int16)
    wide[:, :columns] = ids
    flat = wide.reshape(-1)
    edges = np.flatnonzero(np.diff(flat, prepend=np.int16(0))).astype(np.int64)
    runs = edges[flat[edges] > 0]
    if len(runs) == 0:
        return  # nothing is labelled
    ends = edges[np.searchsorted(edges, runs, "right")]
    values = flat[runs]
    upper, lower = _touching(runs, ends, values, columns + 1)
    group = _joined(len(runs), upper, lower)
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    for first, last in zip(starts, [*starts[1:], len(order)], strict=True):
        some = order[first:last]
        at, begin = np.divmod(runs[some], columns + 1)
        end = begin + ends[some] - runs[some]
        row, column = int(at.min()), int(begin.min())
        mask = np.zeros((int(at.max()) - row + 1, int(end.max()) - column + 1), np.int8)
        np.add.at(mask, (at - row, begin - column), 1)
        np.add.at(mask, (at - row, end - column), -1)
        yield Region(int(values[some[0]]), row, column, mask.cumsum(axis=1)[:, :-1] > 0)


def _touching(runs: Whole, ends: Whole, values: npt.NDArray[np.int16], width: int) -> tuple[Whole, Whole]:
    """Give the pairs of runs of one class that lie over each other in neighbouring rows."""
    first = np.searchsorted(ends, runs + width, "right")
    last = np.searchsorted(runs, ends + width, "left")
    counts = np.maximum(last - first, 0)
    upper = np.repeat(np.arange(len(runs)), counts)
    lower = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts) + np.repeat(first, counts)
    same = values[upper] == values[lower]
    return upper[same], lower[same]


def _joined(count: int, one: Whole, other: Whole) -> Whole:
    """Give each of `count` nodes the lowest node that the pairs join it with."""
    group = np.arange(count, dtype=np.int64)
    while True:
        a, b = group[one], group[other]
        if np.array_equal(a, b):
            return group
        np.minimum.at(group, np.maximum(a, b), np.minimum(a, b))
        while not np.array_equal(group, group[group]):
            group = group[group]


def outline(mask: Mask) -> list[int] | None:
    """Give the outline of a region along the sides of its pixels: x, y of each corner; None if it has holes.

    Where the region touches itself at a corner, the outline stays with the same pixel, so that it crosses itself nowhere.
    """
    padded = np.pad(mask, 1).astype(np.int8)
    # Side of a pixel's top or bottom, from corner (y, x) to (y, x + 1): 1 rightwards above a pixel, -1 leftwards below one.
    across = np.diff(padded, axis=0)[:, 1:-1]
    down = -np.diff(padded, axis=1)[1:-1]
    left = set(zip(*(part.tolist() for part in np.nonzero(across)), strict=True))
    row, column = min(left)
    y, x, dy, dx = row, column, 0, 1
    points: list[int] = []
    seen = 0

    def leaves(dy: int, dx: int) -> bool:
        if dx:
            at = x if dx > 0 else x - 1
            return 0 <= at < across.shape[1] and int(across[y, at]) == dx
        at = y if dy > 0 else y - 1
        return 0 <= at < down.shape[0] and int(down[at, x]) == dy

    while True:
        points += [x, y]
        while True:
            y, x, seen = y + dy, x + dx, seen + 1
            # Right of the way lies the region: a right turn comes first, and stays with the pixel.
            if leaves(dx, -dy):
                dy, dx = dx, -dy
                break
            if not leaves(dy, dx):
                dy, dx = -dx, dy
                break
        if (y, x, dy, dx) == (row, column, 0, 1):
            break
    return points if seen == np.count_nonzero(across) + np.count_nonzero(down) else None


def fill_polygon(points: npt.NDArray[np.float64], rows: int, columns: int) -> Mask:
    """Give the pixels whose centres lie within a polygon, by the even-odd rule. Pixel (0, 0) is a square from (0, 0) to (1, 1).

    Parameters
    ----------
    points
        x and y of each corner, float64 (corners, 2).
    rows, columns
        Shape of the mask.
    """
    turns = np.zeros((rows, columns + 1), np.uint8)
    for (x1, y1), (x2, y2) in zip(points, np.roll(points, -1, axis=0), strict=True):
        if y1 == y2:
            continue
        low, high = min(y1, y2), max(y1, y2)
        at = np.arange(max(0, int(np.ceil(low - 0.5))), min(rows, int(np.ceil(high - 0.5))))
        crossing = x1 + (at + 0.5 - y1) * (x2 - x1) / (y2 - y1)
        turns[at, np.clip(np.ceil(crossing - 0.5), 0, columns).astype(np.int64)] ^= 1
    inside: Mask = np.bitwise_xor.accumulate(turns, axis=1)[:, :columns].astype(bool)
    return inside
