"""`Image`: checked pixels, in memory or read in blocks, with their digest and display range."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np

from ...spec.errors import ImageError
from ...spec.grey_range import SAMPLE, grey_range, range_of
from ..mapped import drop_pages
from .blocks import BLOCK_BYTES, Blocks, places
from .source import Array, PixelSize
from .surveys import FileSurvey, Survey

#: Bytes up to which an image is read at once and kept.
KEPT_BYTES = 1 << 26

_LARGEST = float(np.finfo(np.float32).max)


class Image:
    """Checked pixels.

    Images of up to 64 MB, and arrays in memory, are checked at once. Others are read in blocks, and checked as they are read.

    Parameters
    ----------
    blocks
        The image, or all its pixels: (slices, rows, columns, channels) with 1 or 3 channels, native byte order.
    stack
        Whether the given image was a stack; if not, there is one slice.
    title
        The file's name, or an empty string.
    pixel_size
        Width of a pixel and its unit, if the file says so.
    notes
        Lines that the user is told.
    file
        What is remembered of the file that holds the pixels.

    Raises
    ------
    ImageError
        If the image has NaN or infinity; not raised for an array given as `blocks`.
    """

    def __init__(
        self,
        blocks: Blocks | Array,
        stack: bool,
        title: str = "",
        pixel_size: PixelSize | None = None,
        notes: tuple[str, ...] = (),
        file: FileSurvey | None = None,
    ) -> None:
        self.stack = stack
        self.title = title
        self.pixel_size = pixel_size
        self.notes = notes
        self._blocks: Blocks | None = None
        self._pixels: Array | None = None
        self._file = file
        self._survey = None if file is None else file.recall()
        self._recalled = self._survey is not None
        if isinstance(blocks, np.ndarray):
            self._pixels = blocks
            self.full_shape, self.dtype = blocks.shape, blocks.dtype
            return
        self.full_shape, self.dtype = blocks.shape, blocks.dtype
        self._blocks = blocks
        self._pixels = blocks.direct()
        if self._pixels is not None:
            for _ in _checked(self._parts()):
                pass
        elif self.nbytes <= KEPT_BYTES:
            self._pixels = self._gather()

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the labels: (rows, columns), of a stack (slices, rows, columns)."""
        return self.full_shape[:3] if self.stack else self.full_shape[1:3]

    @property
    def nbytes(self) -> int:
        """Bytes of all pixels."""
        return int(np.prod(self.full_shape, dtype=np.int64)) * self.dtype.itemsize

    @property
    def pixels(self) -> Array:
        """All pixels: (slices, rows, columns, channels), C order, in memory from now on."""
        if self._pixels is None:
            self._pixels = self._gather()
        self._pixels = np.ascontiguousarray(self._pixels)
        return self._pixels

    def blocks(self) -> Iterator[Array]:
        """Read all pixels in C order, in blocks (slices, rows, columns, channels), without keeping them.

        Raises
        ------
        ImageError
            If the image cannot be read, has NaN or infinity, or is not what it was when its digest was computed.
        """
        if self._pixels is not None and not self._recalled:
            yield from self._parts()
            return
        sha = None if self._survey is None else self._sha()
        for block in _checked(self._parts()):
            if sha is not None:
                sha.update(as_bytes(block))
            yield block
        if sha is not None and self._survey is not None and sha.hexdigest() != self._survey.digest:
            if self._file is not None:
                self._file.forget()
            raise ImageError(f"The pixels of {self.title or 'the image'} changed while they were read. Open it again.")

    def digest(self) -> str:
        """SHA-256 of dtype, shape and pixels, 64 hexadecimal digits."""
        return self._surveyed().digest

    def display(self) -> tuple[float, float]:
        """Give the values that are shown as black and white; see `display_range`."""
        return self._surveyed().display

    def grey_range(self) -> tuple[float, float]:
        """Give the range of the grey values, without hot and dead pixels; reads an image that is not in memory."""
        if self.dtype != np.uint8 and self._survey is not None:
            return self._survey.display
        if self._pixels is not None:
            return grey_range(self._pixels)
        sample = _Sample(self.dtype, self.full_shape)
        for block in self.blocks():
            sample.add(block)
        return sample.grey_range()

    def info(self) -> dict[str, Any]:
        """Describe the image as the protocol's ``zImage`` does."""
        digest, (low, high) = self._surveyed()
        return {
            "shape": list(self.full_shape),
            "dtype": self.dtype.name,
            "digest": digest,
            "display": {"low": low, "high": high},
        }

    @property
    def is_surveyed(self) -> bool:
        """Whether digest and display range are known, so that they cost no look at the pixels."""
        return self._survey is not None

    def survey(self, keep: Callable[[Array], object] | None = None) -> Survey:
        """Read all pixels once for digest and display range. A block is hashed, and kept, while the next one is read.

        Parameters
        ----------
        keep
            Called with each block (slices, rows, columns, channels), in C order, in another thread.

        Raises
        ------
        ImageError
            If the image cannot be read, or has NaN or infinity. What `keep` raises is raised as well.
        """
        sha, sample = self._sha(), _Sample(self.dtype, self.full_shape)
        with ThreadPoolExecutor(1) as hashing, ThreadPoolExecutor(1) as keeping:
            under_way: list[Future[Any]] = []
            for block in self.blocks():
                _wait(under_way)
                under_way = [hashing.submit(sha.update, as_bytes(block))]
                if keep is not None:
                    under_way.append(keeping.submit(keep, block))
                sample.add(block)
                if block.nbytes > 2 * BLOCK_BYTES:
                    _wait(under_way)  # two such blocks would take too much memory
            _wait(under_way)
        self._survey = Survey(sha.hexdigest(), sample.range())
        if self._file is not None:
            self._file.remember(self._survey)
        return self._survey

    def _surveyed(self) -> Survey:
        return self.survey() if self._survey is None else self._survey

    def _sha(self) -> Any:
        return hashlib.sha256(f"{self.dtype.name} {self.full_shape}".encode())

    def _parts(self) -> Iterator[Array]:
        if self._pixels is not None:
            for slices, rows in places(self.full_shape, self.dtype.itemsize):
                yield np.ascontiguousarray(self._pixels[slices, rows])
                drop_pages(self._pixels)
        elif self._blocks is not None:
            for slices, rows in places(self.full_shape, self.dtype.itemsize, self._blocks.chunk):
                yield self._blocks.read(slices, rows)

    def _gather(self) -> Array:
        pixels = np.empty(self.full_shape, self.dtype)
        flat, at = pixels.reshape(-1), 0
        for block in _checked(self._parts()):
            flat[at : at + block.size] = block.reshape(-1)
            at += block.size
        return pixels


def as_bytes(array: Array) -> memoryview:
    """View the memory of a contiguous array as bytes."""
    return array.reshape(-1).view(np.uint8).data


def display_range(pixels: Array) -> tuple[float, float]:
    """Give the values that are shown as black and white, low < high.

    0 and 255 for uint8; else the range of the grey values, without hot and dead pixels: see `grey_range.range_of`.
    """
    sample = _Sample(pixels.dtype, pixels.shape)
    sample.add(pixels)
    return sample.range()


class _Sample:
    """Every n-th value of an image that comes in parts."""

    def __init__(self, dtype: np.dtype[Any], shape: tuple[int, ...]) -> None:
        self._dtype = dtype
        self._step = max(1, int(np.prod(shape, dtype=np.int64)) // SAMPLE)
        self._seen = 0
        self._parts: list[Array] = []

    def add(self, part: Array) -> None:
        self._parts.append(part.reshape(-1)[-self._seen % self._step :: self._step].copy())
        self._seen += part.size

    def range(self) -> tuple[float, float]:
        return (0.0, 255.0) if self._dtype == np.uint8 else self.grey_range()

    def grey_range(self) -> tuple[float, float]:
        return range_of(np.concatenate(self._parts))


def _wait(under_way: list[Future[Any]]) -> None:
    for work in under_way:
        work.result()


def _checked(parts: Iterator[Array]) -> Iterator[Array]:
    """Pass on parts of an image that are finite in single precision.

    Raises
    ------
    ImageError
        If one is not, after all were read to count what is wrong.
    """
    seen = 0
    for part in parts:
        if part.dtype.kind == "f" and not _is_fine(part):
            raise ImageError(_what_is_wrong(part, parts, seen))
        seen += part.size
        yield part


def _is_fine(part: Array) -> bool:
    least, most = float(part.min()), float(part.max())  # NaN if there is one
    return max(abs(least), abs(most)) <= _LARGEST


def _what_is_wrong(first: Array, rest: Iterator[Array], size: int) -> str:
    nans = infinite = 0
    most = 0.0
    for part in itertools.chain([first], rest):
        nans += int(np.isnan(part).sum())
        infinite += int(np.isinf(part).sum())
        size += part.size
        most = max(most, float(np.max(np.abs(part), where=np.isfinite(part), initial=0)))
    if nans or infinite:
        return (
            f"{nans:,} of {size:,} values are NaN and {infinite:,} are infinite. "
            "Replace them first, for instance with numpy.nan_to_num(image, nan=0, posinf=0, neginf=0)."
        )
    return f"The largest value is {most:.3g}; features are computed in single precision, up to 3.4e38. Scale it."
