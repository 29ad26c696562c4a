"""The pixel size that a TIFF states: of OME, ImageJ, and the scanning electron microscopes of FEI and Zeiss.

The tags of resolution alone are not used: programs fill them with the dots per inch of screens and printers.
"""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as ET

from ..source import PixelSize

_MICRON = ("micron", "microns", "um", "µm", "μm", "\\u00b5m", "\\u00B5m", "micrometer", "micrometre")
_NO_UNITS = ("", "pixel", "pixels", "px", "inch", "inches", "none")


def pixel_size_of(file: Any, series: Any) -> PixelSize | None:
    """Read the pixel size of a series of a file, if it is stated and pixels are square."""
    for read in (_of_ome, _of_imagej, _of_fei, _of_zeiss):
        try:
            found = read(file, series)
        except (AttributeError, ET.ParseError, IndexError, KeyError, TypeError, ValueError, ZeroDivisionError):
            continue  # damaged or unusual metadata
        if found is not None and 0 < found[0] < float("inf"):
            return found
    return None


def _of_ome(file: Any, series: Any) -> PixelSize | None:
    if not file.is_ome or series.kind != "ome":
        return None
    root = ET.fromstring(file.ome_metadata)  # noqa: S314 (expat bounds the expansion of entities)
    described = [element for element in root.iter() if element.tag.rpartition("}")[2] == "Pixels"]
    number = next(index for index, one in enumerate(file.series) if one is series)
    pixels = described[number]
    unit, other = (pixels.get(f"PhysicalSize{axis}Unit", "µm") for axis in "XY")
    width, height = float(pixels.attrib["PhysicalSizeX"]), float(pixels.attrib["PhysicalSizeY"])
    return _square(width, height, unit) if unit == other else None


def _of_imagej(file: Any, series: Any) -> PixelSize | None:
    if not file.is_imagej:
        return None
    unit = str((file.imagej_metadata or {}).get("unit", ""))
    tags = series.keyframe.tags
    across, down = (tags[name].value for name in ("XResolution", "YResolution"))
    return _square(across[1] / across[0], down[1] / down[0], unit)


def _of_fei(file: Any, series: Any) -> PixelSize | None:
    metadata = file.fei_metadata
    if not metadata:
        return None
    scan = metadata["Scan"] if "PixelWidth" in metadata.get("Scan", {}) else metadata["EScan"]
    return _square(float(scan["PixelWidth"]) * 1e9, float(scan["PixelHeight"]) * 1e9, "nm")


def _of_zeiss(file: Any, series: Any) -> PixelSize | None:
    metadata = file.sem_metadata
    if not metadata:
        return None
    _, value, unit = metadata["ap_image_pixel_size"]
    return _square(float(value), float(value), str(unit))


def _square(width: float, height: float, unit: str) -> PixelSize | None:
    if abs(width - height) > 1e-3 * width or unit.lower() in _NO_UNITS:
        return None
    return float(f"{width:.6g}"), "µm" if unit.lower() in map(str.lower, _MICRON) else unit
