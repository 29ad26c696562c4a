"""Shared arrays: files that both the sidecar and Python open. C order, little endian, no header, never truncated."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from ..files.images import Image, as_bytes
from ..spec.errors import DiskFullError, SidecarError

Array = npt.NDArray[Any]
Descriptor = dict[str, Any]

_CHUNK = 1 << 24


def map_array(descriptor: Descriptor) -> Array:
    """Map a shared array for reading. It shows what the sidecar writes, without delay.

    Parameters
    ----------
    descriptor
        The protocol's ``zArray``: path, dtype and shape.

    Returns
    -------
    numpy.memmap
        Read-only, of the descriptor's dtype and shape.

    Raises
    ------
    SidecarError
        If the file cannot be opened, is another file than the sidecar made, or is too short.
    """
    path, dtype, shape = _parse(descriptor)
    with os.fdopen(_open(path, os.O_RDONLY, dtype, shape), "rb") as file:
        return np.memmap(file, dtype=dtype, mode="r", shape=shape)


def identity(descriptor: Descriptor) -> tuple[str, int, int]:
    """Identify the file of a shared array: path, device and inode. A file that replaced another has another identity."""
    path = str(descriptor["path"])
    try:
        status = os.stat(path)
    except OSError:
        return path, 0, 0
    return path, status.st_dev, status.st_ino


def write_array(descriptor: Descriptor, values: Array) -> None:
    """Fill a shared array.

    Parameters
    ----------
    descriptor
        The protocol's ``zArray``: path, dtype and shape.
    values
        Of this dtype and shape.

    Raises
    ------
    ValueError
        If `values` has another dtype or shape.
    SidecarError
        If the file cannot be opened, is another file than the sidecar made, or is too short.
    DiskFullError
        If the disk is full.
    """
    with writing(descriptor, values.dtype, values.shape) as write:
        write(values)


def write_image(descriptor: Descriptor, image: Image) -> None:
    """Fill a shared array with an image's pixels, block by block.

    Raises
    ------
    ImageError
        If the image cannot be read, or has NaN or infinity.
    ValueError, SidecarError, DiskFullError
        See `write_array`.
    """
    with writing(descriptor, image.dtype, image.full_shape) as write:
        for block in image.blocks():
            write(block)


@contextlib.contextmanager
def writing(
    descriptor: Descriptor, given: np.dtype[Any], shape_given: tuple[int, ...]
) -> Iterator[Callable[[Array], None]]:
    """Open a shared array, and give a function that writes its values, the next ones in C order with each call.

    Raises
    ------
    ValueError, SidecarError, DiskFullError
        See `write_array`. Writing raises the last one.
    """
    path, dtype, shape = _parse(descriptor)
    if shape_given != shape or given.newbyteorder("=") != dtype.newbyteorder("="):
        raise ValueError(f"{given} {shape_given} does not fill an array of {dtype} {shape}.")
    # Not written through a map: on a full disk that would kill the process.
    with os.fdopen(_open(path, os.O_RDWR, dtype, shape), "r+b", buffering=0) as file:

        def write(block: Array) -> None:
            data = as_bytes(np.ascontiguousarray(block, dtype=dtype))
            done = 0
            try:
                while done < len(data):
                    done += file.write(data[done : done + _CHUNK]) or 0
            except OSError as error:
                needed = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
                raise DiskFullError(
                    f"{path} could not be written ({error}). It needs {needed:,} bytes; "
                    "make room, or set SAMBALAB_ARRAYS_DIR to a folder with more room."
                ) from error

        yield write


def _parse(descriptor: Descriptor) -> tuple[str, np.dtype[Any], tuple[int, ...]]:
    try:
        shape = tuple(int(length) for length in descriptor["shape"])
        return str(descriptor["path"]), np.dtype(str(descriptor["dtype"])).newbyteorder("<"), shape
    except (KeyError, TypeError, ValueError) as error:
        raise SidecarError(f"The sidecar sent an invalid description of an array: {descriptor!r}") from error


def _open(path: str, flags: int, dtype: np.dtype[Any], shape: tuple[int, ...]) -> int:
    flags |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
    flags |= getattr(os, "O_NONBLOCK", 0)  # opening a FIFO must not wait for its other end
    try:
        descriptor = os.open(path, flags)
    except OSError as error:
        raise SidecarError(f"The shared array {path} cannot be opened: {error}") from error
    status = os.fstat(descriptor)
    needed = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    problem = None
    if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
        problem = "is not the file that was made for it"
    elif sys.platform != "win32" and status.st_uid != os.getuid():
        problem = f"belongs to user {status.st_uid}, not to you ({os.getuid()})"
    elif status.st_size < needed:
        # Reading a map beyond the file's end would kill the process.
        problem = f"has {status.st_size} bytes, and {needed} are needed"
    if problem:
        os.close(descriptor)
        raise SidecarError(f"The shared array {path} {problem}.")
    return descriptor
