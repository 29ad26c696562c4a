"""TIFFs that were cut short, as by a download or a disk that ended early, and the log lines in which tifffile speaks of them."""

from __future__ import annotations

import logging
import os
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from ..blocks import cut_short

#: Tags that say where pixels are stored and in how many bytes, and the description with which axes and pixel size would be lost.
_NEEDED = (270, 273, 279, 324, 325)
_BYTES_OF_TYPES = {2: 1, 3: 2, 4: 4, 13: 4, 16: 8, 18: 8}
# A chain of directories that is longer leads in a circle.
_DIRECTORIES_MAX = 1 << 20


@contextmanager
def quiet() -> Iterator[None]:
    """Keep what tifffile logs in this thread from the user's terminal; errors and notes say what matters of it."""
    own = threading.get_ident()

    def passes(record: logging.LogRecord) -> bool:
        return record.thread != own

    logger = logging.getLogger("tifffile")
    logger.addFilter(passes)
    try:
        yield
    finally:
        logger.removeFilter(passes)


def check_whole(path: Path, file: Any, series: Any) -> None:
    """Check that a file has all pixels of a series, and all images that it had when it was written.

    Parameters
    ----------
    path
        The file.
    file : tifffile.TiffFile
        The same file.
    series : tifffile.TiffPageSeries
        One of its series.

    Raises
    ------
    ImageError
        If it is cut short.
    """
    if series.dataoffset is not None:
        _check(path, file.filehandle, int(series.dataoffset) + int(series.nbytes))
    else:
        for page in series.pages:
            if page is not None:
                ends = (
                    int(at) + int(count) for at, count in zip(page.dataoffsets, page.databytecounts, strict=False) if at
                )
                _check(path, page.parent.filehandle, max(ends, default=0))
    # Where the pixels of a file's only series follow each other, at most repetitions of its directory are missing. NDPI writes
    # offsets in a way of its own.
    alone = len(file.series) == 1 and series.dataoffset is not None and series.kind not in ("generic", "uniform")
    if not alone and not file.is_ndpi:
        check_directories(path)


def check_directories(path: Path) -> None:
    """Check that a file's chain of directories ends within the file.

    Raises
    ------
    ImageError
        If it does not, which means that the file is cut short.
    """
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        try:
            needed = max(_ends(file, size), default=0)
        except struct.error:  # the header itself is cut
            needed = size + 1
    if needed > size:
        raise cut_short(path, size, needed, at_least=True)


def _check(path: Path, handle: Any, needed: int) -> None:
    if needed > int(handle.size):
        name = path if handle.path == os.fspath(path.resolve()) else Path(handle.path)
        raise cut_short(name, int(handle.size), needed, at_least=True)


class _Form(NamedTuple):
    """Layout of directories: of the number of tags, of a tag, of an offset; and bytes of a tag's value that lie in it."""

    number: struct.Struct
    tag: struct.Struct
    offset: struct.Struct
    inside: int


def _form(head: bytes) -> tuple[_Form, int]:
    """Give the layout that the header says, and where the first directory is."""
    big = head[2:4] in (b"+\0", b"\0+")
    order = "<" if head[:1] == b"I" else ">"
    number, tag, offset = (struct.Struct(order + code) for code in (("Q", "HHQQ", "Q") if big else ("H", "HHII", "I")))
    return _Form(number, tag, offset, offset.size), int(offset.unpack_from(head, offset.size)[0])


def _ends(file: BinaryIO, size: int) -> Iterator[int]:
    """Give the ends of a file's directories, and of the values of `_NEEDED`, until one lies beyond the file's end."""
    form, at = _form(file.read(16))
    for _ in range(_DIRECTORIES_MAX):
        if at == 0:
            return
        end = at + form.number.size
        yield end
        if end > size:
            return
        file.seek(at)
        (count,) = form.number.unpack(file.read(form.number.size))
        end += count * form.tag.size + form.offset.size
        yield end
        if end > size:
            return
        for tag, kind, values, place in form.tag.iter_unpack(file.read(count * form.tag.size)):
            length = values * _BYTES_OF_TYPES.get(kind, 0)
            if tag in _NEEDED and length > form.inside:
                yield place + length
        (at,) = form.offset.unpack(file.read(form.offset.size))
