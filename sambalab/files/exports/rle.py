"""Run lengths of masks, as COCO counts them: down the columns, zeros first."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]


def encode(mask: Mask, row: int, column: int, rows: int, columns: int) -> list[int]:
    """Give the counts of a picture that is empty except for a box at a place."""
    flat = np.zeros((mask.shape[1], rows), bool)
    flat[:, row : row + mask.shape[0]] = mask.T
    padded = np.concatenate(([False], flat.reshape(-1), [False]))
    changes = np.flatnonzero(padded[1:] != padded[:-1]) + column * rows
    ends = changes if len(changes) and changes[-1] == rows * columns else np.append(changes, rows * columns)
    return [int(count) for count in np.diff(ends, prepend=0)]


def decode(counts: Sequence[int], rows: int, columns: int) -> Mask:
    """Give the mask (rows, columns).

    Raises
    ------
    ValueError
        If the counts are not those of a mask of this size.
    """
    lengths = np.asarray(counts)
    if lengths.dtype.kind not in "iu" or (lengths < 0).any() or int(lengths.sum()) != rows * columns:
        raise ValueError(f"its counts do not add up to {rows} × {columns}")
    values = np.arange(len(lengths)) % 2 == 1
    mask: Mask = np.repeat(values, lengths).reshape(columns, rows).T
    return mask


def unpack(text: str) -> list[int]:
    """Give the counts in COCO's compressed text: 5 bits a character, the lowest first.

    Each count from the fourth on is a difference to the last but one.
    """
    counts: list[int] = []
    number = shift = 0
    for char in text:
        bits = ord(char) - 48
        number |= (bits & 0x1F) << shift
        shift += 5
        if not bits & 0x20:
            if bits & 0x10:
                number -= 1 << shift
            counts.append(number + (counts[-2] if len(counts) > 2 else 0))
            number = shift = 0
    return counts
