"""The labelled pixels that a forest is trained on, and the quantile cuts that turn their features into bins.

The numbers equal those of ``labelled-pixels.ts`` and ``feature-tiles.ts`` in ``kernel-server/src/engine``, and of
``engine/core/quantile.ts``, bit for bit.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ..spec.errors import LabelError
from ..spec.forest import CUTS_MAX
from .stack import Tile, tiles_of

Indices = npt.NDArray[np.int64]

# Number of pixels on whose features the cuts are found, and the smallest number of tiles that they come from.
SAMPLE = 16384
_TILES_MIN = 8
# More tiles are used as long as their float32 features need fewer bytes than this.
_PLANES_BYTES = 192 << 20
_SEED = 0x5A3BA1AB


def sample_positions(pixels: int, count: int) -> Indices:
    """Choose `count` of `pixels` positions (or all), evenly spread with a golden-ratio jitter. Ascending."""
    if count >= pixels:
        return np.arange(pixels)
    golden = (np.sqrt(5) - 1) / 2
    k = np.arange(count, dtype=np.float64)
    chosen: Indices = np.floor(((k + np.mod(k * golden, 1)) * pixels) / count).astype(np.int64)
    return chosen


def sample_tiles(shape: tuple[int, ...], side: int, features: int) -> list[tuple[Tile, Indices]]:
    """Choose tiles of an image (slices, rows, columns, …), and pixels in each, by their position in the tile."""
    tiles = list(tiles_of(shape, side))
    held = _PLANES_BYTES // (tiles[0].block_rows * tiles[0].block_columns * 16 * features * 4)
    chosen = [tiles[i] for i in sample_positions(len(tiles), max(_TILES_MIN, held))]
    pixels = sum(tile.rows * tile.columns for tile in chosen)

    def share(tile: Tile) -> int:
        # Rounds half up, as JavaScript does.
        return max(1, int(np.floor(SAMPLE * tile.rows * tile.columns / pixels + 0.5)))

    return [(tile, sample_positions(tile.rows * tile.columns, share(tile))) for tile in chosen]


def quantile_cuts(sample: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Give the cuts of a feature, at the quantiles of a sample; half way between all values if there are at most 256.

    NaN and infinity are ignored.
    """
    # Adding 0 turns a negative zero into 0.
    values = np.sort(sample[np.isfinite(sample)] + np.float32(0)).astype(np.float64)
    distinct = np.unique(values)
    if len(distinct) <= CUTS_MAX + 1:
        low, high = distinct[:-1], distinct[1:]
    else:
        at = np.arange(1, CUTS_MAX + 1) * len(values) // (CUTS_MAX + 1)
        low, high = values[at - 1], values[at]
    cuts = (low / 2 + high / 2).astype(np.float32) + np.float32(0)
    rises = np.ones(len(cuts), bool)
    rises[1:] = cuts[1:] > cuts[:-1]
    kept: npt.NDArray[np.float32] = cuts[rises & np.isfinite(cuts)]
    return kept


def draw_labels(
    labels: npt.NDArray[np.uint8], ids: Sequence[int], names: Sequence[str], most: int | None
) -> tuple[Indices, npt.NDArray[np.uint8]]:
    """Draw labelled pixels evenly from the classes, always the same ones for the same labels.

    Parameters
    ----------
    labels
        uint8 (slices, rows, columns).
    ids, names
        Ids and names of the classes.
    most
        Greatest number of pixels; None takes all.

    Returns
    -------
    tuple
        Flat indices of the pixels, int64, ascending, and the index of each pixel's class, uint8.

    Raises
    ------
    LabelError
        If fewer than two classes are labelled, or a label belongs to no class.
    """
    flat = labels.reshape(-1)
    labelled = np.flatnonzero(flat)
    own = flat[labelled]
    counts = np.bincount(own, minlength=256)
    present = np.flatnonzero(counts)
    strange = sorted(set(present.tolist()) - set(ids))
    if strange:
        raise LabelError(
            f"{counts[strange[0]]} pixels are labelled {strange[0]}, but the classes are {', '.join(map(str, ids))}. "
            "Add the class or erase these labels."
        )
    if len(present) == 0:
        raise LabelError("No pixel is labelled yet. Label a few regions of at least two classes.")
    if len(present) == 1:
        name = names[list(ids).index(int(present[0]))]
        raise LabelError(f"Only “{name}” is labelled. Label a few regions of another class as well.")
    quotas = even_quotas(counts, most)
    taken = np.ones(len(own), bool)
    if quotas.sum() < len(own):
        random = _mulberry(_SEED, len(own))
        for label in present[quotas[present] < counts[present]]:
            # Selection sampling (Knuth, TAOCP 2, 3.4.2, algorithm S), for each class on its own.
            where = np.flatnonzero(own == label)
            needed, left = int(quotas[label]), len(where)
            for index, number in zip(where.tolist(), random[where].tolist(), strict=True):
                if number * left < needed:
                    needed -= 1
                else:
                    taken[index] = False
                left -= 1
    index_of = np.zeros(256, np.uint8)
    index_of[list(ids)] = np.arange(len(ids))
    return labelled[taken], index_of[own[taken]]


def even_quotas(counts: npt.NDArray[np.int64], most: int | None) -> npt.NDArray[np.int64]:
    """Give the number of pixels to take of each class: as equal as the counts allow, in total at most `most`."""
    quotas = np.zeros_like(counts)
    order = sorted(np.flatnonzero(counts).tolist(), key=lambda label: (counts[label], label))
    room = int(counts.sum()) if most is None else max(most, len(order))
    for i, label in enumerate(order):
        quotas[label] = min(int(counts[label]), room // (len(order) - i))
        room -= int(quotas[label])
    return quotas


def _mulberry(seed: int, count: int) -> npt.NDArray[np.float64]:
    """Give numbers in [0, 1): mulberry32 (Tommy Ettinger, public domain), whose states are an arithmetic sequence."""
    step = np.uint32(0x6D2B79F5)
    state = np.arange(1, count + 1, dtype=np.uint32) * step + np.uint32(seed)
    t = (state ^ (state >> np.uint32(15))) * (state | np.uint32(1))
    t ^= t + (t ^ (t >> np.uint32(7))) * (t | np.uint32(61))
    numbers: npt.NDArray[np.float64] = (t ^ (t >> np.uint32(14))) / 4294967296.0
    return numbers
