"""TIFF and its kin (BigTIFF, ImageJ, OME, microscopes' own), through tifffile: axes, colours and the full resolution."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from ....spec.errors import ImageError, SambaLabError
from ...regular import open_regular
from .. import colours
from ..source import Array, Conversion, Source, choose_largest
from . import pillow
from .tiff_cut import check_directories, check_whole, quiet
from .tiff_pages import Pages
from .tiff_sizes import pixel_size_of

_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
# Values of the tag PhotometricInterpretation.
_MIN_IS_WHITE, _RGB, _PALETTE, _SEPARATED, _YCBCR = 0, 2, 3, 5, 6
_NAMED = {8: "CIELAB", 9: "ICC L*a*b*", 10: "ITU L*a*b*", 32844: "LogL", 32845: "LogLuv"}
# Compressions whose decoders give RGB for YCbCr: those of JPEG.
_JPEG = (6, 7, 33007, 34892)


def knows(path: Path, head: bytes) -> bool:
    """Whether a file begins as TIFF or BigTIFF do."""
    return head.startswith(_MAGIC)


def read(path: Path, series: int | None) -> Source:
    """Open the largest image of the file at full resolution. Uncompressed pixels are mapped, others decoded as they are read.

    Raises
    ------
    ImageError
        If the file is cut short, or has colours that are not read. tifffile raises others.
    """
    with quiet():
        try:
            return _read(path, series)
        except SambaLabError:
            raise
        except Exception:
            check_directories(path)
            raise


def _read(path: Path, series: int | None) -> Source:
    with tifffile.TiffFile(path) as file:  # pages open it again while they are read
        if series is None and _is_written_page_by_page(file):
            with tifffile.TiffFile(path, is_shaped=False) as pages:
                if len(pages.series) == 1:
                    return _source(path, pages, series)
        return _source(path, file, series)


def _is_written_page_by_page(file: Any) -> bool:
    """Whether tifffile wrote single images of one shape one by one: a stack to other viewers, and many images to tifffile."""
    kinds = {(one.kind, tuple(one.shape), str(one.axes), str(one.dtype)) for one in file.series}
    return len(file.series) > 1 and len(kinds) == 1 and next(iter(kinds))[0::2] in (("shaped", "YX"), ("shaped", "YXS"))


def _source(path: Path, file: Any, series: int | None) -> Source:
    every = list(file.series)
    if not every:
        check_directories(path)
        raise ImageError(f"{path} cannot be read as an image: it has no images.")
    number, notes = choose_largest([_size(one) for one in every], series)
    chosen = every[number]
    keyframe = chosen.keyframe
    check_whole(path, file, chosen)
    if int(keyframe.photometric) in _NAMED:
        raise ImageError(
            f"{path} has colours of the kind {_NAMED[int(keyframe.photometric)]}; grey, RGB, CMYK, YCbCr and palettes will do. "
            "Save it as RGB."
        )
    if keyframe.photometric == _YCBCR and int(keyframe.compression) not in _JPEG:
        return _by_pillow(path, int(keyframe.index), notes)
    axes = _axes(chosen)
    oriented = keyframe.tags.get("Orientation")
    orientation = oriented.value if oriented is not None and oriented.value in range(1, 9) else 1
    turned, flip = pillow.upright(orientation)
    array, chunk = _pixels(chosen)
    return Source(
        array,
        axes.translate(str.maketrans("YX", turned)),
        _conversion(keyframe, axes),
        flip,
        chunk,
        pixel_size_of(file, chosen),
        path.name,
        (*notes, *pillow.turned_note(orientation)),
        tuple(map(str, chosen.dims)),
        not chosen.is_multifile,
    )


def _pixels(series: Any) -> tuple[Any, tuple[int, ...] | None]:
    """Give the pixels of a series, and the lengths that are read well together."""
    keyframe = series.keyframe
    plain = series.transform is None and not series.is_multifile
    if plain and series.dataoffset is not None and keyframe.is_memmappable:
        stored = np.dtype(f"{keyframe.parent.byteorder}{series.dtype.char}")
        mapped: Array = keyframe.parent.filehandle.memmap_array(
            stored, tuple(series.shape), offset=series.dataoffset, mode="r"
        )
        return mapped, None
    if plain and Pages.fits(series):
        pages = Pages(series)
        return pages, pages.chunk
    return series.asarray(), None


def _axes(series: Any) -> str:
    """Give the axes. Samples that are no colours are channels."""
    axes = str(series.axes)
    keyframe = series.keyframe
    samples, extra = int(keyframe.samplesperpixel), len(keyframe.extrasamples)
    if "S" not in axes or "C" in axes or samples == 1:
        return axes
    photometric = int(keyframe.photometric)
    if photometric in (_RGB, _YCBCR):
        return axes if samples in (3, 4) else axes.replace("S", "C")
    if photometric == _SEPARATED:
        return axes if samples in (4, 5) else axes.replace("S", "C")
    # Grey or a palette: a second sample that is said to be alpha, else channels.
    is_alpha = samples == 2 and extra == 1 and int(keyframe.extrasamples[0]) in (1, 2)
    return axes if is_alpha else axes.replace("S", "C")


def _conversion(keyframe: Any, axes: str) -> Conversion | None:
    """Choose how stored pixels become grey or RGB."""
    dtype, photometric, samples = np.dtype(keyframe.dtype), int(keyframe.photometric), int(keyframe.samplesperpixel)
    top = colours.top_of(dtype, int(keyframe.bitspersample))
    if photometric == _PALETTE and keyframe.colormap is not None:
        # Of 16 bits, of which viewers show the upper 8; some old programs wrote 8 bits.
        table = np.asarray(keyframe.colormap, np.uint16).T
        return colours.palette((table >> 8 if table.max() > 255 else table).astype(np.uint8))
    if photometric == _SEPARATED and "S" in axes:
        inks = colours.cmyk(dtype, top)
        return inks if samples == 4 else colours.alpha(4, dtype, top, inks)
    inverted = colours.inverted(dtype, top) if photometric == _MIN_IS_WHITE else None
    if "S" in axes and samples in (2, 4):
        return colours.alpha(samples - 1, dtype, top, inverted)
    return inverted


def _by_pillow(path: Path, page: int, notes: tuple[str, ...]) -> Source:
    """Decode YCbCr that is not JPEG with Pillow, whose libtiff converts it."""
    with open_regular(path, ImageError) as opened:
        image = pillow.open_as(opened, path, ("TIFF",))
        image.seek(page)
        source = pillow.picture(image)
    return Source(source.array, source.axes, source.conversion, title=path.name, notes=(*notes, *source.notes))


def _size(series: Any) -> tuple[int, int]:
    keyframe = series.keyframe
    return int(keyframe.imagelength), int(keyframe.imagewidth)
