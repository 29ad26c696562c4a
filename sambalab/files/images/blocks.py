"""Reads sources as blocks (slices, rows, columns, channels) of a dtype that the sidecar knows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ...spec.errors import ImageError, SambaLabError
from .axes import Layout
from .source import Array, Source

Shape = tuple[int, int, int, int]

#: Bytes of a block, if the storage's chunks let it be.
BLOCK_BYTES = 1 << 24
#: Bytes of a block of whole chunks.
CHUNKS_BYTES = 1 << 28

_KEPT = frozenset(["uint8", "uint16", "int16", "uint32", "int32", "float32", "float64"])


class Blocks(Protocol):
    """An image that is read in blocks."""

    shape: Shape
    dtype: np.dtype[Any]
    #: Slices and rows that are read well together.
    chunk: tuple[int, int]

    def read(self, slices: slice, rows: slice) -> Array:
        """Read a block: the array `[slices, rows]` in C order, of `dtype`."""

    def direct(self) -> Array | None:
        """Give the image as a view, if it is in memory and needs no conversion."""


class SourceBlocks:
    """Blocks of one source.

    Raises
    ------
    ImageError
        If the source's pixels are not real numbers, or cannot be read.
    """

    def __init__(self, source: Source, layout: Layout) -> None:
        self._source = source
        self._layout = layout
        self._conversion = source.conversion if layout.converts else None
        slices, rows, columns, channels = layout.shape
        if self._conversion is not None and self._conversion.after is not None:
            channels = self._conversion.after
        self.shape: Shape = (slices, rows, columns, channels)
        stored = np.dtype(source.array.dtype) if self._conversion is None else self._conversion.dtype
        self.chunk = self._chunk()
        self.dtype = _plain(stored)
        if stored.kind in "iu" and stored.itemsize == 8 and not self._fits(self.dtype):
            self.dtype = np.dtype(np.float64)

    def read(self, slices: slice, rows: slice) -> Array:
        """Read a block: the array `[slices, rows]` in C order, of `dtype`."""
        block = self._shown(slices, rows)
        if block.dtype.kind == "b":
            grey: Array = np.where(block, np.uint8(255), np.uint8(0))
            return grey
        return np.ascontiguousarray(block, self.dtype)

    def direct(self) -> Array | None:
        """Give the image as a view, if it is in memory and needs no conversion."""
        plain = self._conversion is None and not any(self._source.flip)
        if not plain or not self._source.in_memory or np.dtype(self._source.array.dtype) != self.dtype:
            return None
        if any(numbers is not None and not _run(numbers) for numbers in self._layout.taken):
            return None
        return self._stored(slice(0, self.shape[0]), slice(0, self.shape[1]))

    def _shown(self, slices: slice, rows: slice) -> Array:
        block = self._stored(slices, rows)
        if any(self._source.flip):
            block = block[:, :: -1 if self._source.flip[0] else 1, :: -1 if self._source.flip[1] else 1]
        return block if self._conversion is None else self._conversion.apply(block)

    def _stored(self, slices: slice, rows: slice) -> Array:
        stack, row, column, channel = self._layout.axes
        if self._source.flip[0]:
            rows = slice(self.shape[1] - rows.stop, self.shape[1] - rows.start)
        wanted: list[tuple[int, ...] | slice] = []
        for axis, numbers in enumerate(self._layout.taken):
            if axis == row:
                wanted.append(rows)
            elif axis == stack:
                wanted.append(slices if numbers is None else numbers[slices])
            else:
                wanted.append(slice(0, self._source.shape[axis]) if numbers is None else numbers)
        try:
            block = _take(self._source.array, wanted)
        except SambaLabError:
            raise
        except Exception as error:  # each kind of storage raises other types
            if self._source.file is not None:
                raise damaged(self._source.file, error) from error
            what = self._source.title or type(self._source.array).__name__
            raise ImageError(f"{what} cannot be read as an image: {_words(error)}") from error
        named = [axis for axis in (stack, row, column, channel) if axis is not None]
        others = [axis for axis in range(block.ndim) if axis not in named]
        block = block.transpose(*others, *named)  # the others have a length of 1
        block = block.reshape(block.shape[len(others) :])
        if stack is None:
            block = block[np.newaxis]
        placed: Array = block[..., np.newaxis] if channel is None else block
        return placed

    def _chunk(self) -> tuple[int, int]:
        if self._source.chunk is None:
            return 1, 1
        stack, row, _, _ = self._layout.axes
        return (1 if stack is None else self._source.chunk[stack]), self._source.chunk[row]

    def _fits(self, narrow: np.dtype[Any]) -> bool:
        limits = np.iinfo(narrow)
        return all(
            part.min() >= limits.min and part.max() <= limits.max
            for part in (self._shown(*where) for where in places(self.shape, 8, self.chunk))
        )


def places(shape: Shape, itemsize: int, chunk: tuple[int, int] = (1, 1)) -> Iterator[tuple[slice, slice]]:
    """Divide an image into blocks of slices, or of rows of one slice, whose pixels follow each other in C order."""
    slices, rows, columns, channels = shape
    row_bytes = max(1, columns * channels * itemsize)
    together = _length(BLOCK_BYTES // (row_bytes * rows), chunk[0], CHUNKS_BYTES // (row_bytes * rows))
    high = rows
    if row_bytes * rows > BLOCK_BYTES and together == 1:
        high = _length(BLOCK_BYTES // row_bytes, chunk[1], CHUNKS_BYTES // row_bytes)
    for first in range(0, slices, together):
        for top in range(0, rows, high):
            yield slice(first, min(slices, first + together)), slice(top, min(rows, top + high))


def damaged(file: Path, error: Exception, where: str = "it") -> ImageError:
    """Make the error that a file, or the part `where` of it, cannot be decoded. It ends with the words of the library."""
    outside = (isinstance(error, OSError) and error.errno is not None) or isinstance(error, (MemoryError, ImportError))
    if outside:  # not the file's fault
        return ImageError(f"{file} cannot be read as an image: {_words(error)}")
    return ImageError(
        f"{file} cannot be read as an image: {where} is damaged, or stored in a way that is not read. Copy, download or export "
        f"the file again. ({type(error).__name__}: {_words(error)})"
    )


def cut_short(what: Any, has: int, needed: int, *, at_least: bool = False) -> ImageError:
    """Make the error that a file of `has` bytes should have `needed`, or more."""
    more = "at least " if at_least else ""
    return ImageError(
        f"{what} is cut short: it has {has:,} bytes, and its content needs {more}{needed:,}. Copy, download or export it again."
    )


def _words(error: Exception) -> str:
    """Give what a library says of its error, in one line."""
    return " ".join(str(error).split()) or type(error).__name__


def _length(wanted: int, chunk: int, most: int) -> int:
    """Give a length near `wanted` of whole chunks; of a part of one if a chunk is longer than `most`."""
    if chunk <= max(1, wanted):
        return max(1, wanted // chunk * chunk)
    return chunk if chunk <= most else max(1, wanted)


def _run(numbers: tuple[int, ...]) -> bool:
    return numbers == tuple(range(numbers[0], numbers[0] + len(numbers)))


def _take(array: Any, wanted: list[tuple[int, ...] | slice]) -> Array:
    """Index with slices alone, which every array can; lists of numbers that are no run are read one by one."""
    for axis, numbers in enumerate(wanted):
        if isinstance(numbers, tuple):
            if not _run(numbers):
                parts = [_take(array, [*wanted[:axis], (number,), *wanted[axis + 1 :]]) for number in numbers]
                return np.concatenate(parts, axis)
            wanted = [*wanted[:axis], slice(numbers[0], numbers[0] + len(numbers)), *wanted[axis + 1 :]]
    return np.asarray(array[tuple(wanted)])


def _plain(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Give the dtype of shared arrays for a dtype. Of integers of 64 bits, that of 32."""
    if dtype.kind == "b":
        return np.dtype(np.uint8)
    if dtype.kind not in "iuf":
        raise ImageError(
            f"Pixels of dtype {dtype} cannot be labelled; real numbers will do (bool, integers, floats)."
            + (" Take the magnitude: abs(image)." if dtype.kind == "c" else "")
        )
    if dtype.name in _KEPT:
        kept: np.dtype[Any] = np.dtype(dtype.name)
        return kept
    if dtype.kind == "i" and dtype.itemsize == 1:
        return np.dtype(np.int16)  # 8-bit values are displayed unscaled, which cannot show values below 0
    if dtype.kind == "f":
        return np.dtype(np.float32 if dtype.itemsize == 2 else np.float64)
    return np.dtype(np.int32 if dtype.kind == "i" else np.uint32)
