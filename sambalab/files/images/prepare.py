"""`prepare`: from anything that is an image, or a list of images, to checked pixels."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Union

import numpy as np
import numpy.typing as npt

from ...spec.errors import ImageError
from .arrays import source_of
from .axes import check_axes, check_file_axes, guess, layout
from .blocks import SourceBlocks
from .colours import alpha, top_of
from .image import Image
from .questions import Given, Index
from .readers import open_file
from .source import Source
from .stacks import Stack
from .surveys import FileSurvey

ImageLike = Union[npt.ArrayLike, "os.PathLike[str]", str, Sequence["os.PathLike[str] | str"]]


def prepare(
    image: ImageLike,
    *,
    axes: str | None = None,
    series: int | None = None,
    index: Index | None = None,
) -> Image:
    """Open and check an image.

    Parameters
    ----------
    image : array_like or path
        An array, or the path of an image; see `sambalab.Labeller`. A list of images of one shape, or of their paths, is a stack.
    axes, series, index
        Which axis is which, which of several images, and what to take along an axis; see `sambalab.Labeller`.

    Raises
    ------
    ImageError
        If this is not such an image, or has NaN or infinity. The message says what would do.
    """
    if _is_list(image):
        images: Sequence[Any] = image  # type: ignore[assignment]
        source, first, _ = _open(images[0], axes, series, index)
        stacked = Stack(images, first, lambda one: _open(one, axes, series, index)[1])
        return Image(stacked, True, "", source.pixel_size, source.notes)
    source, blocks, stack = _open(image, axes, series, index)
    path: Any = image
    file = FileSurvey(Path(path).expanduser(), (axes, series, index)) if _is_path(path) and source.is_one_file else None
    return Image(blocks, stack, source.title, source.pixel_size, source.notes, file)


def tell(notes: tuple[str, ...]) -> None:
    """Warn of an image's notes, where there is no labeller that shows them."""
    for note in notes:
        warnings.warn(note, UserWarning, stacklevel=4)


def _open(image: Any, axes: str | None, series: int | None, index: Index | None) -> tuple[Source, SourceBlocks, bool]:
    if _is_path(image):
        if not os.fspath(image):
            raise ImageError("The path is empty.")
        source = open_file(Path(image).expanduser(), series)
    elif series is not None:
        raise ImageError(f"series is {series!r}, which chooses among the images of a file; the image is no path.")
    else:
        source = source_of(image)
    shape = source.shape
    if 0 in shape:
        raise ImageError(f"The image is empty: its shape is {shape}.")
    guessed = axes is None and source.axes is None
    if axes is not None:
        source = replace(source, axes=check_axes(axes, shape))
    elif source.axes is None:
        letters, notes = guess(shape)
        source = replace(source, axes=letters, notes=(*source.notes, *notes))
    source = _with_alpha(source)
    said = _given(image, axes, index, source)
    if axes is None and source.axes is not None and not guessed:
        source = replace(source, notes=(*source.notes, *check_file_axes(shape, source.axes, said)))
    where = layout(shape, source.axes or "", said, source.conversion, squeeze=_is_path(image) and not guessed)
    return source, SourceBlocks(source, where), where.stack


def _given(image: Any, axes: str | None, index: Index | None, source: Source) -> Given:
    """Describe what the user gave, for errors."""
    if _is_path(image):
        return Given(source.title, json.dumps(os.fspath(image), ensure_ascii=False), axes, index, source.dimensions)
    return Given("The image", "image", axes, index, source.dimensions)


def _with_alpha(source: Source) -> Source:
    """Add the conversion that drops alpha to a source of 2 or 4 samples that has none."""
    axes = source.axes or ""
    if source.conversion is not None or "S" not in axes:
        return source
    samples = source.shape[axes.index("S")]
    if samples not in (2, 4):
        return source
    dtype = np.dtype(source.array.dtype)
    return replace(source, conversion=alpha(samples - 1, dtype, top_of(dtype)))


def _is_path(image: Any) -> bool:
    return isinstance(image, (str, os.PathLike))


def _is_list(image: Any) -> bool:
    """Whether these are several images, not the rows of one."""
    return isinstance(image, (list, tuple)) and any(
        _is_path(part) or len(getattr(part, "shape", ())) > 1 or _is_picture(part) for part in image
    )


def _is_picture(image: Any) -> bool:
    return hasattr(image, "getbands") and hasattr(image, "size")
