"""The pages of a TIFF as one array. A page's strips or tiles are decoded when their rows are read."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from ....spec.processors import processors
from ..blocks import damaged
from ..source import Array
from .tiff_cut import quiet

#: Bytes up to which a page is decoded as a whole.
_PAGE_BYTES = 1 << 25


class Pages:
    """An array (…, page's axes), indexed by a slice along each axis. It keeps the page, or rows of tiles, that it decoded last.

    Parameters
    ----------
    series : tifffile.TiffPageSeries
        One for which `fits` is true.
    """

    def __init__(self, series: Any) -> None:
        self._series = series
        self._keyframe = series.keyframe
        self._page_shape = tuple(int(length) for length in self._keyframe.shape)
        self.shape = tuple(int(length) for length in series.shape)
        self.dtype = np.dtype(series.dtype)
        self._kept: tuple[Any, Array] | None = None
        self._rows = self._row_axis()

    @staticmethod
    def fits(series: Any) -> bool:
        """Whether the series' axes are those of its pages behind axes that count the pages, and all pages are there."""
        own, pages = tuple(series.shape), tuple(series.keyframe.shape)
        leading = own[: len(own) - len(pages)]
        return (
            len(own) >= len(pages)
            and own[len(leading) :] == pages
            and int(np.prod(leading, dtype=np.int64)) == len(series.pages)
            and all(page is not None for page in series.pages)
        )

    @property
    def chunk(self) -> tuple[int, ...]:
        """Lengths that are read well together: rows of tiles or strips."""
        lengths = [1] * len(self.shape)
        keyframe = self._keyframe
        lengths[self._rows] = int(
            keyframe.tilelength if keyframe.is_tiled else min(keyframe.rowsperstrip, self._height)
        )
        return tuple(lengths)

    def __getitem__(self, key: tuple[slice, ...]) -> Array:
        # Open only meanwhile, so that a list of many files needs no file descriptor for each.
        file = self._keyframe.parent.filehandle
        was_closed = file.closed
        if was_closed:
            file.open()
        try:
            with quiet():
                return self._read(key)
        finally:
            if was_closed:
                file.close()

    def _read(self, key: tuple[slice, ...]) -> Array:
        leading = len(self.shape) - len(self._page_shape)
        numbers = np.arange(int(np.prod(self.shape[:leading], dtype=np.int64))).reshape(self.shape[:leading])
        wanted = numbers[key[:leading]]
        inner = key[leading:]
        parts = [self._page(int(number), inner) for number in wanted.ravel()]
        return np.stack(parts).reshape(*wanted.shape, *parts[0].shape)

    @property
    def _height(self) -> int:
        return int(self._keyframe.imagelength)

    def _row_axis(self) -> int:
        """Give the axis of rows in the series' shape."""
        return int(self._series.axes.index("Y"))

    def _page(self, number: int, inner: tuple[slice, ...]) -> Array:
        page = self._series.pages[number]
        keyframe = self._keyframe
        rows = self._rows - (len(self.shape) - len(self._page_shape))
        if self._by_segments():
            row0, row1, _ = inner[rows].indices(self._height)
            first, band = self._band(number, page, row0, row1)
            key: tuple[slice, ...] = (*inner[:rows], slice(row0 - first, row1 - first), *inner[rows + 1 :])
            return band[key]
        if self._kept is None or self._kept[0] != number:
            try:
                decoded = page.asarray()
            except Exception:  # each decoder raises other types
                for index in range(len(page.dataoffsets)):  # tifffile does not say which strip or tile it was
                    self._segment(page, *self._stored(page, index))
                raise
            self._kept = (number, decoded.reshape(keyframe.shape))
        return self._kept[1][inner]

    def _by_segments(self) -> bool:
        keyframe = self._keyframe
        return (
            int(np.prod(self._page_shape, dtype=np.int64)) * self.dtype.itemsize > _PAGE_BYTES
            and keyframe.jpegheader is None
            and int(keyframe.imagedepth) == 1
            and self.chunk[self._rows] < self._height
        )

    def _band(self, number: int, page: Any, row0: int, row1: int) -> tuple[int, Array]:
        """Decode the strips or tiles of some rows. Gives the first row that is decoded, and the rows in the page's axes."""
        keyframe = self._keyframe
        high = self.chunk[self._rows]
        top, bottom = row0 // high * high, min(self._height, -(-row1 // high) * high)
        if self._kept is None or self._kept[0] != (number, top, bottom):
            across = -(-int(keyframe.imagewidth) // int(keyframe.tilewidth)) if keyframe.is_tiled else 1
            down = -(-self._height // high)
            planes = int(keyframe.samplesperpixel) if int(keyframe.planarconfig) == 2 else 1
            segments = [
                plane * down * across + index
                for plane in range(planes)
                for index in range(top // high * across, -(-bottom // high) * across)
            ]
            shaped = (planes, bottom - top, int(keyframe.imagewidth), int(keyframe.shaped[-1]))
            decoded = np.zeros(shaped, self.dtype)
            self._decode(page, segments, decoded, top)
            at = self._rows - (len(self.shape) - len(self._page_shape))
            lengths = (*self._page_shape[:at], bottom - top, *self._page_shape[at + 1 :])
            self._kept = ((number, top, bottom), decoded.reshape(lengths))
        return top, self._kept[1]

    def _decode(self, page: Any, segments: list[int], out: Array, top: int) -> None:
        keyframe = self._keyframe

        def place(read: tuple[bytes | None, int]) -> None:
            segment, (plane, _, row, column, _), shape = self._segment(page, *read)
            high = min(shape[1], self._height - row, out.shape[1] - (row - top))
            wide = min(shape[2], out.shape[2] - column)
            where = out[plane, row - top : row - top + high, column : column + wide]
            where[:] = keyframe.nodata if segment is None else segment[0, :high, :wide]

        with ThreadPoolExecutor(_threads(keyframe)) as pool:
            for _ in pool.map(place, (self._stored(page, index) for index in segments)):
                pass

    def _stored(self, page: Any, index: int) -> tuple[bytes | None, int]:
        """Read a strip or tile, by its number. Not tifffile's read_segments, which in older versions fails for a single one."""
        file = page.parent.filehandle
        offset, count = int(page.dataoffsets[index]), int(page.databytecounts[index])
        if offset and count:
            file.seek(offset)
        return (file.read(count) if offset and count else None), index

    def _segment(self, page: Any, data: bytes | None, index: int) -> Any:
        """Decode a strip or tile.

        Raises
        ------
        ImageError
            If it is damaged.
        """
        keyframe = self._keyframe
        options: dict[str, Any] = {}
        if int(keyframe.compression) in (6, 7, 34892, 33007):  # JPEG
            options = {"jpegtables": page.jpegtables, "jpegheader": keyframe.jpegheader}
        try:
            return keyframe.decode(data, index, **options)
        except Exception as error:  # each decoder raises other types
            file = page.parent.filehandle
            raise damaged(Path(file.path), error, f"page {page.index} ({self._place(index)})") from error

    def _place(self, index: int) -> str:
        """Say where a strip or tile is in its page."""
        keyframe = self._keyframe
        wide, high = int(keyframe.imagewidth), self.chunk[self._rows]
        across = -(-wide // int(keyframe.tilewidth)) if keyframe.is_tiled else 1
        row, column = divmod(index % (-(-self._height // high) * across), across)
        rows = f"rows {row * high} to {min(self._height, (row + 1) * high) - 1}"
        if not keyframe.is_tiled:
            return f"{rows}, counted from 0"
        left = column * int(keyframe.tilewidth)
        return f"{rows}, columns {left} to {min(wide, left + int(keyframe.tilewidth)) - 1}, counted from 0"


def _threads(keyframe: Any) -> int:
    """Choose on how many threads strips or tiles are decoded. tifffile would leave half of the processors idle."""
    usual = int(keyframe.maxworkers)
    if usual == 0 or "TIFFFILE_NUM_THREADS" in os.environ:
        return max(1, usual)
    return max(usual, processors())
