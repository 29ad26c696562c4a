"""Images that a classifier was not trained on: warnings where they differ, and resampling to the pixel size trained on."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow

from ..spec.callers import calling_frame
from ..spec.classifier_document import ClassifierDocument
from ..spec.errors import ParameterError, SambaLabWarning
from ..spec.trained_on import PixelSize, alike, grey_difference, pixel_ratio, size_difference
from .images import Image

# The longest side of a resampled image, in pixels, and the most pixels of a slice.
_SIDE_MAX = 1 << 17
_PIXELS_MAX = 1 << 30


def warn_of_differences(document: ClassifierDocument, image: Image, size: PixelSize | None = None) -> None:
    """Warn if an image's grey values or pixel size differ from those that a classifier was trained on, where that matters.

    Parameters
    ----------
    document
        The classifier.
    image
        The image.
    size
        Its pixel size, if known.
    """
    known = document.trained_on
    notes = []
    if known is not None and not document.spec.standardise:
        notes.append(grey_difference(known, image.dtype.name, *image.grey_range()))
    if document.pixel_size is not None and size is not None:
        notes.append(size_difference(document.pixel_size, size))
    _, level = calling_frame()
    for note in filter(None, notes):
        warnings.warn(note, SambaLabWarning, stacklevel=level)


def resampling_factor(trained: PixelSize | None, own: PixelSize | None) -> float:
    """Give the factor by which an image is enlarged to have pixels of the size trained on; 1 if they are nearly alike.

    Raises
    ------
    ParameterError
        If one of the sizes is unknown, or their units have nothing in common.
    """
    if trained is None:
        raise ParameterError(
            "rescale=True needs the pixel size of the images trained on, which this classifier does not know. Train with "
            "Labeller(image, pixel_size=(0.5, 'nm'))."
        )
    if own is None:
        raise ParameterError("rescale=True needs the image's pixel size: pixel_size=(0.5, 'nm').")
    ratio = pixel_ratio(own, trained)
    if ratio is None:
        raise ParameterError(
            f"rescale=True cannot compare pixels of {own[0]:.4g} {own[1]} with those trained on, {trained[0]:.4g} "
            f"{trained[1]}. Give both in one unit, or in m, mm, µm, nm, Å or pm."
        )
    return 1.0 if alike(ratio) else ratio


def resampled(image: Image, factor: float) -> Image:
    """Resample an image bilinearly, over a triangle as wide as a new pixel where it shrinks, so that nothing aliases.

    Parameters
    ----------
    image
        The image; read into memory.
    factor
        New pixels along a side for each old one.

    Raises
    ------
    ParameterError
        If the result would be too large.
    """
    rows, columns = (max(1, round(size * factor)) for size in image.full_shape[1:3])
    if max(rows, columns) > _SIDE_MAX or rows * columns > _PIXELS_MAX:
        raise ParameterError(
            f"rescale=True would make an image of {rows:,} × {columns:,} pixels. Check the pixel sizes, or crop the image."
        )
    pixels = image.pixels
    out = np.empty((len(pixels), rows, columns, pixels.shape[3]), pixels.dtype)
    for number, channel in np.ndindex(len(pixels), pixels.shape[3]):
        plane = pixels[number, :, :, channel].astype(np.float64)
        # Pillow computes in single precision, in which large values would lose a small spread.
        middle = (plane.min() + plane.max()) / 2
        scaled = _resized(plane - middle, rows, columns) + middle
        if out.dtype.kind in "iu":
            limits = np.iinfo(out.dtype)
            scaled = scaled.round().clip(limits.min, limits.max)
        out[number, :, :, channel] = scaled
    return Image(out, image.stack, image.title)


def back_on_grid(result: npt.NDArray[Any], shape: tuple[int, ...]) -> npt.NDArray[Any]:
    """Bring a resampled image's result back to the image's own rows and columns.

    Parameters
    ----------
    result
        Labels, uint8 (slices, rows, columns): the nearest pixel's. Or probabilities, float32 (slices, rows, columns, classes):
        interpolated bilinearly.
    shape
        The image's own (slices, rows, columns).
    """
    _, rows, columns = shape
    if result.ndim == 3:
        across, down = (
            (np.arange(size) * 2 + 1) * old // (2 * size)
            for size, old in ((columns, result.shape[2]), (rows, result.shape[1]))
        )
        return result[:, down[:, None], across[None]]
    out = np.empty((len(result), rows, columns, result.shape[3]), np.float32)
    for number, channel in np.ndindex(len(result), result.shape[3]):
        out[number, :, :, channel] = _resized(result[number, :, :, channel], rows, columns)
    return out


def _resized(plane: npt.NDArray[Any], rows: int, columns: int) -> npt.NDArray[np.float64]:
    picture = Pillow.fromarray(np.ascontiguousarray(plane, dtype=np.float32))
    return np.asarray(picture.resize((columns, rows), Pillow.Resampling.BILINEAR), dtype=np.float64)
