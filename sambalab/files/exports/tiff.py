"""TIFF: plain, with a palette of the class colours, and OME-TIFF; compressed, stacks as pages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import tifffile

from ...spec.errors import LabelError
from ..regular import open_regular
from .content import KEY, Content, Loaded, classes_of, rgb, size_of
from .units import in_metres, ome_unit

_NAMESPACE = "http://www.openmicroscopy.org/Schemas/OME/2016-06"
_COMPRESSION = "zlib"


def write(path: str, content: Content) -> None:
    """Write a plain TIFF. Classes and pixel size are in the JSON of its ImageDescription."""
    options: dict[str, Any] = {"photometric": "rgb" if content.kind == "colours" else "minisblack"}
    pixels, axes = content.array, "ZYX" if content.stack else "YX"
    if content.kind == "ids":
        options = {"photometric": "palette", "colormap": content.palette().T.astype(np.uint16) * 257}
    elif content.kind == "colours":
        axes += "S"
    elif content.kind == "probabilities":
        pixels, axes = np.moveaxis(pixels, -1, -3), axes[:-2] + "CYX"
    metres = in_metres(content.pixel_size)
    if metres is not None:
        options |= {"resolution": (0.01 / metres,) * 2, "resolutionunit": "CENTIMETER"}
    tifffile.imwrite(
        path,
        np.ascontiguousarray(pixels),
        metadata={"axes": axes, KEY: content.description()},
        compression=_COMPRESSION,
        **options,
    )


def write_ome(path: str, content: Content) -> None:
    """Write an OME-TIFF. Its classes are in a MapAnnotation; those of probabilities name the channels."""
    pixels = content.pixels
    if content.kind == "probabilities":  # pages in the order of DimensionOrder: channels within slices
        pixels = np.moveaxis(pixels, -1, 1)
    tifffile.imwrite(
        path,
        np.ascontiguousarray(pixels),
        photometric="rgb" if content.kind == "colours" else "minisblack",
        compression=_COMPRESSION,
        description=_ome_xml(content),
        metadata=None,
    )


def read(path: Path) -> Loaded:
    """Read class ids of a plain TIFF or an OME-TIFF; of several images in a file the first."""
    with open_regular(path, LabelError) as opened, tifffile.TiffFile(opened, name=path.name) as file:
        series = file.series[0]
        if "S" in series.axes or "C" in series.axes:
            raise LabelError(
                f"{path} has the axes {series.axes}, shape {tuple(series.shape)}, so its pixels are no class ids; a TIFF with "
                "rows and columns, or slices, rows and columns, will do."
            )
        ids = np.asarray(series.asarray())
        described = _description(file)
        return Loaded(ids, classes_of(described, path), size_of(described))


def _description(file: Any) -> Any:
    if file.is_ome:
        root = ET.fromstring(file.ome_metadata)  # noqa: S314 (expat bounds the expansion of entities)
        for entry in root.iter(f"{{{_NAMESPACE}}}M"):
            if entry.get("K") == KEY:
                return json.loads(entry.text or "null")
        return None
    described: dict[str, Any] = (file.shaped_metadata or ({},))[0]
    return described.get(KEY)


def _ome_xml(content: Content) -> bytes:
    slices, rows, columns = content.pixels.shape[:3]
    channels = content.pixels.shape[3] if content.pixels.ndim == 4 else 1
    samples = channels if content.kind == "colours" else 1
    attributes = {
        "ID": "Pixels:0",
        "DimensionOrder": "XYCZT",
        "Type": "float" if content.pixels.dtype == np.float32 else "uint8",
        **{f"Size{axis}": str(size) for axis, size in zip("XYZCT", (columns, rows, slices, channels, 1), strict=True)},
    }
    unit = None if content.pixel_size is None else ome_unit(content.pixel_size[1])
    if content.pixel_size is not None and unit is not None:
        for axis in "XY":
            attributes |= {f"PhysicalSize{axis}": repr(content.pixel_size[0]), f"PhysicalSize{axis}Unit": unit}
    root = ET.Element(
        "OME",
        {
            "xmlns": _NAMESPACE,
            "xmlns:xsi": "http://www.w3.org/2001/XMLSchema-instance",
            "xsi:schemaLocation": f"{_NAMESPACE} {_NAMESPACE}/ome.xsd",
        },
    )
    image = ET.SubElement(root, "Image", {"ID": "Image:0", "Name": _xml_text(content.title) or content.kind})
    pixels = ET.SubElement(image, "Pixels", attributes)
    for at in range(channels // samples):
        channel = ET.SubElement(pixels, "Channel", {"ID": f"Channel:0:{at}", "SamplesPerPixel": str(samples)})
        if content.kind == "probabilities":
            red, green, blue = rgb(str(content.classes[at]["color"]))
            color = int.from_bytes(bytes((red, green, blue, 255)), "big", signed=True)
            channel.attrib |= {"Name": _xml_text(str(content.classes[at]["name"])), "Color": str(color)}
    ET.SubElement(pixels, "TiffData", {"IFD": "0", "PlaneCount": str(slices * channels // samples)})
    ET.SubElement(image, "AnnotationRef", {"ID": "Annotation:0"})
    annotations = ET.SubElement(root, "StructuredAnnotations")
    annotation = ET.SubElement(annotations, "MapAnnotation", {"ID": "Annotation:0", "Namespace": "sambalab/classes"})
    value = ET.SubElement(annotation, "Value")
    for item in content.classes:
        number = str(item["id"] if item.get("value") is None else item["value"])
        for key, text in ((number, str(item["name"])), (f"{number} colour", str(item["color"]))):
            ET.SubElement(value, "M", {"K": key}).text = _xml_text(text)
    ET.SubElement(value, "M", {"K": KEY}).text = json.dumps(content.description())
    data: bytes = ET.tostring(root, encoding="UTF-8", xml_declaration=True)
    return data


def _xml_text(text: str) -> str:
    """Replace characters that XML cannot hold."""
    return "".join(char if char >= " " and char not in "\ufffe\uffff" else "\ufffd" for char in text)
