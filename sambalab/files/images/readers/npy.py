"""NumPy's ``.npy``, as a memory map."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..source import Source, choose_largest


def knows(path: Path, head: bytes) -> bool:
    """Whether a file begins as NumPy's do."""
    return head.startswith(b"\x93NUMPY")


def read(path: Path, series: int | None) -> Source:
    """Map the array. What its axes are, the file does not say."""
    array = np.load(path, mmap_mode="r", allow_pickle=False)
    rows, columns = array.shape[:2] if array.ndim > 1 else (1, 1)
    choose_largest([(rows, columns)], series)
    return Source(array, title=path.name)
