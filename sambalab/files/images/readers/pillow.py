"""PNG, JPEG, BMP, GIF, WebP, PPM and JPEG 2000, decoded as a whole by Pillow; PNG of 16 bits by imagecodecs."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ....spec.errors import ImageError
from ....spec.tables import limits
from ...regular import open_regular
from ..colours import grey_if_grey
from ..source import Array, Source, choose_largest

_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "PPM", "JPEG2000", "AVIF")
_ORIENTATION = 0x0112


def knows(path: Path, head: bytes) -> bool:
    """Whether Pillow's formats that are meant begin so. Others, such as EPS, would start other programs."""
    return any(_accepts(form, head) for form in _FORMATS)


def read(path: Path, series: int | None) -> Source:
    """Decode an image. Of several frames, the first is the default."""
    with open_regular(path, ImageError) as file:
        opened = open_as(file, path, _FORMATS)
        frames = int(getattr(opened, "n_frames", 1))
        number, notes = choose_largest([(opened.height, opened.width)] * frames, series)
        if number:
            opened.seek(number)
        deep = _deep_png(path, opened)
        source = picture(opened) if deep is None else _with_upright(deep, opened)
    return Source(
        source.array, source.axes, source.conversion, source.flip, title=path.name, notes=(*notes, *source.notes)
    )


def open_as(file: BinaryIO, path: Path, formats: tuple[str, ...]) -> Any:
    """Open with Pillow's plugins for `formats`. Unlike ``Image.open``, with this package's limit of pixels.

    Raises
    ------
    ImageError
        If it has too many pixels, or is of no such format.
    """
    head = file.read(64)
    for form in formats:
        if _accepts(form, head):
            file.seek(0)
            try:
                opened = _plugins()[form][0](file, str(path))
            except (SyntaxError, IndexError, TypeError, struct.error):  # what plugins raise for other formats
                continue
            most = int(limits("image")["slicePixels"])
            if opened.width * opened.height > most:
                raise ImageError(
                    f"{path} has {opened.width:,} × {opened.height:,} pixels; up to {most:,} are decoded. "
                    "As TIFF in strips or tiles, or as Zarr, it may have more."
                )
            return opened
    raise ImageError(f"{path} cannot be read as an image: it is damaged, or none of {', '.join(formats)}.")


def picture(image: Any) -> Source:
    """Convert an image of Pillow: palettes and other colours to grey or RGB, turned upright as its EXIF says.

    Parameters
    ----------
    image : PIL.Image.Image

    Returns
    -------
    Source
        Without a title.
    """
    from PIL import ImageOps

    turned = ImageOps.exif_transpose(image) if _orientation(image) != 1 else image
    mode, array = turned.mode, None
    if mode in ("P", "PA"):
        transparent = mode == "PA" or "transparency" in turned.info
        array = np.asarray(turned.convert("RGBA" if transparent else "RGB"))
        if transparent:
            _refuse_transparent(array[..., 3])
        array = grey_if_grey(array[..., :3])
    elif mode in ("CMYK", "YCbCr", "LAB", "HSV", "RGBX"):
        array = np.asarray(turned.convert("RGB"))
    elif mode in ("RGBa", "La"):
        array = np.asarray(turned.convert(mode.upper()))
    else:
        array = np.asarray(turned)
        if mode == "I" and image.format == "PPM":
            array = array.astype(np.uint16)  # the format's depth
    return _of_pixels(array, _notes(image))


def _of_pixels(array: Array, notes: tuple[str, ...]) -> Source:
    return Source(array, "YX" if array.ndim == 2 else "YXS", notes=notes)


def _with_upright(array: Array, opened: Any) -> Source:
    """Turn an array upright as the EXIF of its file says."""
    source = _of_pixels(array, _notes(opened))
    axes, flip = upright(_orientation(opened))
    return Source(array, axes + (source.axes or "")[2:], source.conversion, flip, notes=source.notes)


def upright(orientation: int) -> tuple[str, tuple[bool, bool]]:
    """Give the axes of stored rows and columns, and which of rows and columns of the upright image are flipped.

    Parameters
    ----------
    orientation
        1 to 8, as in TIFF's tag 274.
    """
    if orientation in (5, 6, 7, 8):
        return "XY", (orientation in (7, 8), orientation in (6, 7))
    return "YX", (orientation in (3, 4), orientation in (2, 3))


def turned_note(orientation: int) -> tuple[str, ...]:
    """Say that an image is shown as its file wants it."""
    if orientation == 1:
        return ()
    return (f"The file says how the image is to be turned (orientation {orientation}); it is shown upright.",)


def _notes(image: Any) -> tuple[str, ...]:
    return turned_note(_orientation(image))


def _orientation(image: Any) -> int:
    try:
        value = image.getexif().get(_ORIENTATION, 1)
    except (AttributeError, SyntaxError, ValueError, struct.error):  # damaged EXIF
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _deep_png(path: Path, opened: Any) -> Array | None:
    """Decode a PNG of 16 bits. Pillow would keep 8 of them if it has colours."""
    if opened.format != "PNG":
        return None
    with open_regular(path, ImageError) as file:
        if file.read(25)[24:] != b"\x10":
            return None
        file.seek(0)
        import imagecodecs

        decoded: Array = imagecodecs.png_decode(file.read())
    return decoded


def _refuse_transparent(opacity: Array) -> None:
    if (opacity != 255).any():
        raise ImageError(
            f"{int((opacity != 255).sum()):,} of {opacity.size:,} pixels are transparent. Save the image without transparency, "
            "or pass its colours: numpy.asarray(PIL.Image.open(path).convert('RGB'))."
        )


def _accepts(form: str, head: bytes) -> bool:
    plugin = _plugins().get(form)
    return bool(head) and plugin is not None and plugin[1](head) is True


def _plugins() -> dict[str, Any]:
    from PIL import Image as Pillow

    Pillow.init()
    return Pillow.OPEN
