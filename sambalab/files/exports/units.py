"""Units of lengths."""

from __future__ import annotations

_METRES = {"pm": 1e-12, "Å": 1e-10, "nm": 1e-9, "µm": 1e-6, "mm": 1e-3, "cm": 1e-2, "m": 1.0, "km": 1e3}
_ALSO = {"um": "µm", "\u03bcm": "µm", "micron": "µm", "microns": "µm", "A": "Å", "\u212b": "Å", "angstrom": "Å"}


def ome_unit(unit: str) -> str | None:
    """Give OME's spelling of a unit of length; None if it is none of a metre's parts."""
    spelt = _ALSO.get(unit, unit)
    return spelt if spelt in _METRES else None


def in_metres(size: tuple[float, str] | None) -> float | None:
    """Give a pixel size in metres, if its unit is known."""
    unit = None if size is None else ome_unit(size[1])
    return None if size is None or unit is None else size[0] * _METRES[unit]
