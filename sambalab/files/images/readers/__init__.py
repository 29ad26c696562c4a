"""Readers of image files. A new format is a new file here and a line in `_READERS`."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from ....spec.errors import ImageError, SambaLabError
from ...regular import open_regular
from ..blocks import damaged
from ..source import Source
from . import npy, pillow, tiff, zarr

#: Bytes at the beginning of a file by which readers know it.
HEAD = 64


class Reader(NamedTuple):
    """A kind of image file.

    Attributes
    ----------
    knows
        Whether a path is of this kind, from its first `HEAD` bytes; a folder has none.
    open
        Open it, with the user's choice among several images. Exceptions other than `SambaLabError` tell of a
        damaged file.
    """

    knows: Callable[[Path, bytes], bool]
    open: Callable[[Path, int | None], Source]


#: The first one that knows a file reads it.
_READERS = (
    Reader(zarr.knows, zarr.read),
    Reader(npy.knows, npy.read),
    Reader(tiff.knows, tiff.read),
    Reader(pillow.knows, pillow.read),
)


def open_file(path: Path, series: int | None = None) -> Source:
    """Open an image file, or a Zarr folder. Pixels are read later, where the format lets them.

    Raises
    ------
    ImageError
        If there is no such file, or it is not an image; or not of a kind that is read, such as pipes and devices.
    """
    head = b""
    if not _is_folder(path):
        with open_regular(path, ImageError) as file:
            head = file.read(HEAD)
    for reader in _READERS:
        if reader.knows(path, head):
            try:
                return replace(reader.open(path, series), file=path)
            except SambaLabError:
                raise
            except Exception as error:  # each format's reader raises other types
                raise damaged(path, error) from error
    if not head:
        raise ImageError(
            f"{path} is {'a folder, not a file; of folders, Zarr will do' if _is_folder(path) else 'empty'}."
        )
    raise ImageError(
        f"{path} cannot be read as an image: its content is none of TIFF, PNG, JPEG, BMP, GIF, WebP, PPM, JPEG 2000, NumPy "
        "(.npy) and Zarr."
    )


def _is_folder(path: Path) -> bool:
    try:
        return stat.S_ISDIR(os.stat(path).st_mode)
    except (OSError, ValueError):
        return False
