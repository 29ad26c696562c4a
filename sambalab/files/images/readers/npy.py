"""NumPy's ``.npy``, as a memory map."""

from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np

from ..blocks import cut_short
from ..source import Source, choose_largest


def knows(path: Path, head: bytes) -> bool:
    """Whether a file begins as NumPy's do."""
    return head.startswith(b"\x93NUMPY")


def read(path: Path, series: int | None) -> Source:
    """Map the array. What its axes are, the file does not say."""
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except ValueError:
        _check_whole(path)
        raise
    rows, columns = array.shape[:2] if array.ndim > 1 else (1, 1)
    choose_largest([(rows, columns)], series)
    return Source(array, title=path.name, is_one_file=True)


def _check_whole(path: Path) -> None:
    """Check that a file has all the values of which its header speaks.

    Raises
    ------
    ImageError
        If it is cut short.
    """
    with path.open("rb") as file:
        version = np.lib.format.read_magic(file)
        header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = header(file)
        has, needed = os.fstat(file.fileno()).st_size, file.tell() + math.prod(shape) * dtype.itemsize
    if has < needed:
        raise cut_short(path, has, needed)
