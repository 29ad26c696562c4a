"""Arrays from outside as sources: NumPy, memory maps, Dask, Zarr, HDF5, xarray, images of Pillow, and what NumPy converts."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from ...spec.errors import ImageError
from .dimensions import chunk_of, letters_of
from .source import Array, PixelSize, Source


def source_of(image: Any) -> Source:
    """Describe an array from outside. Arrays of Dask, Zarr, HDF5 and xarray are not read.

    Raises
    ------
    ImageError
        If it cannot be read as an array, or has masked pixels.
    """
    if image is None:
        raise ImageError("There is no image: None was given.")
    pillow = sys.modules.get("PIL.Image")
    if pillow is not None and isinstance(image, pillow.Image):
        from .readers.pillow import picture

        return picture(image)
    if not isinstance(image, np.ndarray) and _is_lazy(image):
        if isinstance(getattr(image, "dims", None), tuple) and hasattr(image, "coords"):
            return _labelled(image)
        return Source(image, chunk=chunk_of(image))
    array = _as_array(image)
    return Source(array)


def _is_lazy(image: Any) -> bool:
    return isinstance(getattr(image, "dtype", None), np.dtype) and all(
        hasattr(image, name) for name in ("shape", "__getitem__", "__array__")
    )


def _labelled(image: Any) -> Source:
    """Describe an xarray.DataArray: dimensions are axes, and coordinates with units the pixel size."""
    axes = letters_of(image.dims)
    if axes is None and not all(str(name).startswith("dim_") for name in image.dims):
        raise ImageError(
            f"The dimensions are {', '.join(map(str, image.dims))}, shape {tuple(image.shape)}; "
            "axes= says what they are, a letter each: Y rows, X columns, Z or T slices, C channels."
        )
    names = tuple(map(str, image.dims))
    size = None if axes is None else _spacing(image, image.dims[axes.index("X")], image.dims[axes.index("Y")])
    return Source(image, axes, chunk=chunk_of(image), pixel_size=size, title=str(image.name or ""), dimensions=names)


def _spacing(image: Any, column: Any, row: Any) -> PixelSize | None:
    """Give the pixel size, if columns and rows have evenly spaced coordinates of one unit."""
    steps = []
    for name in (column, row):
        values = np.asarray(image.coords[name]) if name in image.coords else np.zeros(0)
        attributes = image.coords[name].attrs if name in image.coords else {}
        unit = attributes.get("units") or attributes.get("unit")
        if values.ndim != 1 or len(values) < 2 or values.dtype.kind not in "iuf" or not isinstance(unit, str):
            return None
        differences = np.diff(values.astype(np.float64))
        step = float(np.abs(differences).mean())
        if step == 0 or np.abs(np.abs(differences) - step).max() > 1e-3 * step:
            return None
        steps.append((step, unit))
    (across, unit), (down, other) = steps
    return (across, unit) if unit == other and abs(across - down) <= 1e-3 * across else None


def _as_array(image: Any) -> Array:
    try:
        array = np.asarray(image)
    except Exception as error:  # objects raise what they like
        raise ImageError(f"{type(image).__name__} cannot be read as an array: {error}") from error
    if np.ma.isMaskedArray(image) and np.ma.getmaskarray(image).any():
        raise ImageError(
            f"{int(np.ma.getmaskarray(image).sum())} pixels are masked. Give them a value first: image.filled(0)."
        )
    return array
