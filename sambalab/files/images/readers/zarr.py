"""Zarr and OME-Zarr folders, read chunk by chunk where pixels are needed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ....spec.errors import ImageError
from ..dimensions import chunk_of, letters_of
from ..source import PixelSize, Source, choose_largest

_MARKS = (".zarray", ".zgroup", "zarr.json")
_UNITS = {"micrometer": "µm", "nanometer": "nm", "millimeter": "mm", "angstrom": "Å", "meter": "m", "centimeter": "cm"}


def knows(path: Path, head: bytes) -> bool:
    """Whether a path is a folder of Zarr."""
    return not head and path.is_dir() and any((path / mark).is_file() for mark in _MARKS)


def read(path: Path, series: int | None) -> Source:
    """Open an array, an OME-Zarr image at full resolution, or the largest array of a group."""
    try:
        import zarr
    except ImportError:
        raise ImageError(f"{path} needs the package zarr: pip install zarr.") from None
    node = zarr.open(str(path), mode="r")
    if hasattr(node, "shape"):
        choose_largest([_size(node, None)], series)
        return _source(path, node, _dimensions(node), None, ())
    images = _images(node)
    if not images:
        raise ImageError(f"{path} cannot be read as an image: its Zarr group has no arrays.")
    number, notes = choose_largest([_size(array, axes) for array, axes, _ in images], series)
    array, axes, size = images[number]
    return _source(path, array, axes, size, notes)


def _source(path: Path, array: Any, axes: str | None, size: PixelSize | None, notes: tuple[str, ...]) -> Source:
    return Source(array, axes, chunk=chunk_of(array), pixel_size=size, title=path.name, notes=notes)


def _images(group: Any) -> list[tuple[Any, str | None, PixelSize | None]]:
    """Give the images of a group: those of OME-Zarr, else of its numbered series, else its arrays."""
    multiscales = _ome(group).get("multiscales")
    if isinstance(multiscales, list) and multiscales:
        return [_full_resolution(group, scales) for scales in multiscales]
    nested = [child for _, child in sorted(group.groups(), key=_by_number) if _ome(child).get("multiscales")]
    if nested:
        return [image for child in nested for image in _images(child)]
    return [(array, _dimensions(array), None) for _, array in sorted(group.arrays(), key=_by_number)]


def _ome(group: Any) -> dict[str, Any]:
    attributes = dict(group.attrs)
    ome = attributes.get("ome")
    return ome if isinstance(ome, dict) else attributes


def _by_number(item: tuple[str, Any]) -> tuple[int, str]:
    return (int(item[0]) if item[0].isdecimal() else 1 << 30), item[0]


def _full_resolution(group: Any, scales: dict[str, Any]) -> tuple[Any, str | None, PixelSize | None]:
    """Read OME-Zarr's description: the first data set is the full resolution."""
    dataset = scales["datasets"][0]
    array = group[dataset["path"]]
    described = scales.get("axes") or list("tczyx"[-len(array.shape) :])
    named = [axis if isinstance(axis, dict) else {"name": axis} for axis in described]
    axes = letters_of(tuple(axis.get("name") for axis in named))
    return array, axes, _pixel_size(axes, named, [dataset, scales])


def _pixel_size(axes: str | None, named: list[dict[str, Any]], scaled: list[dict[str, Any]]) -> PixelSize | None:
    if axes is None:
        return None
    row, column = axes.index("Y"), axes.index("X")
    width = height = 1.0
    for part in scaled:
        for transform in part.get("coordinateTransformations") or ():
            if transform.get("type") == "scale":
                width *= float(transform["scale"][column])
                height *= float(transform["scale"][row])
    unit, other = (named[axis].get("unit") for axis in (column, row))
    if not isinstance(unit, str) or unit != other or abs(width - height) > 1e-3 * width or width <= 0:
        return None
    return width, _UNITS.get(unit, unit)


def _dimensions(array: Any) -> str | None:
    """Read the names of dimensions, as Zarr 3 or xarray writes them."""
    names = getattr(getattr(array, "metadata", None), "dimension_names", None) or array.attrs.get("_ARRAY_DIMENSIONS")
    return letters_of(tuple(names)) if names and len(names) == len(array.shape) else None


def _size(array: Any, axes: str | None) -> tuple[int, int]:
    shape = array.shape
    if axes is not None:
        return int(shape[axes.index("Y")]), int(shape[axes.index("X")])
    return (int(shape[-2]), int(shape[-1])) if len(shape) > 1 else (1, 1)
