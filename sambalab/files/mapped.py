"""Memory of mapped files."""

from __future__ import annotations

import mmap
import sys
from typing import Any

import numpy as np
import numpy.typing as npt


def drop_pages(array: npt.NDArray[Any]) -> None:
    """Take the pages of an array that is mapped for reading off this process's memory.

    They stay in the file and its cache, from which they are read again when needed. Does nothing to other arrays.
    """
    at: Any = array
    while isinstance(at, np.ndarray):
        if isinstance(at, np.memmap) and at.mode == "r":  # of "c", changes would be lost
            mapped: Any = getattr(at, "_mmap", None)
            if sys.platform != "win32" and mapped is not None:
                mapped.madvise(mmap.MADV_DONTNEED)
            return
        at = at.base
