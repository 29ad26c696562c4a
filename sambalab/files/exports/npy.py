"""NumPy's ``.npy``: the array alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...spec.errors import LabelError
from ..regular import open_regular
from .content import Content, Loaded


def write(path: str, content: Content) -> None:
    """Write the array."""
    array = np.ascontiguousarray(content.array)
    with open(path, "wb") as file:  # np.save does not say why a disk takes no more
        np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(array))
        file.write(array.data)


def read(path: Path) -> Loaded:
    """Read an array of whole numbers. Pickled objects are refused."""
    with open_regular(path, LabelError) as file:
        return Loaded(np.lib.format.read_array(file, allow_pickle=False), None)
