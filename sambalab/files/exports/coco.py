"""COCO's JSON: an annotation for each connected region, as a polygon, or as run lengths where it has holes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...spec.errors import LabelError
from ...spec.tables import limits
from ..regular import open_regular
from . import rle
from .content import KEY, Content, Loaded, classes_of
from .regions import fill_polygon, outline, regions


def write(path: str, content: Content) -> None:
    """Write an image for each slice, with its regions."""
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    rows, columns = content.pixels.shape[1:3]
    name = content.title or "image"
    for number, ids in enumerate(content.pixels):
        called = f"{name} {number}" if content.stack else name
        images.append({"id": number + 1, "width": columns, "height": rows, "file_name": called})
        for region in regions(ids):
            corners = outline(region.mask)
            height, width = region.mask.shape
            shape: Any
            if corners is None:
                counts = rle.encode(region.mask, region.row, region.column, rows, columns)
                shape = {"size": [rows, columns], "counts": counts}
            else:
                shape = [[at + (region.row if odd % 2 else region.column) for odd, at in enumerate(corners)]]
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number + 1,
                    "category_id": region.id,
                    "segmentation": shape,
                    "area": int(np.count_nonzero(region.mask)),
                    "bbox": [region.column, region.row, width, height],
                    "iscrowd": 0,
                }
            )
    categories = [{"id": item["id"], "name": item["name"], "color": item["color"]} for item in content.classes]
    document = {
        "info": {"description": name, KEY: {**content.description(), "stack": content.stack}},
        "images": images,
        "annotations": annotations,
        "categories": categories,
    }
    with open(path, "w", encoding="utf-8") as file:
        json.dump(document, file, ensure_ascii=False)


def read(path: Path) -> Loaded:
    """Read polygons and run lengths, compressed or not. Later annotations lie over earlier ones; images are slices.

    Ids that are no class ids, such as 0, get free ones.
    """
    with open_regular(path, LabelError) as file:
        document = json.load(file)
    if not isinstance(document, dict) or not all(
        isinstance(document.get(key), list) for key in ("images", "annotations", "categories")
    ):
        raise LabelError(f"{path} is JSON, but not of COCO; it needs the lists images, annotations and categories.")
    images, sizes = document["images"], {(one["height"], one["width"]) for one in document["images"]}
    if len(sizes) != 1:
        raise LabelError(
            f"{path} has {len(images)} images of {len(sizes)} sizes; one image, or images of one size, will do."
        )
    rows, columns = (int(side) for side in next(iter(sizes)))
    slices = {one["id"]: number for number, one in enumerate(images)}
    numbers = _class_ids(document["categories"], path)
    ids = np.zeros((len(images), rows, columns), np.uint8)
    for one in document["annotations"]:
        known = one["category_id"] in numbers and one["image_id"] in slices
        if not known:
            raise LabelError(
                f"{path}: the annotation {one.get('id')} is of category {one['category_id']} and image {one['image_id']}; "
                f"categories are {', '.join(map(str, numbers))}, and images {', '.join(map(str, slices))}."
            )
        try:
            _draw(ids[slices[one["image_id"]]], one["segmentation"], numbers[one["category_id"]])
        except ValueError as error:
            raise LabelError(f"{path}: the annotation {one.get('id')} cannot be read: {error}.") from None
    info = document.get("info")
    described = info.get(KEY) if isinstance(info, dict) else None
    stack = len(images) > 1 or (isinstance(described, dict) and described.get("stack") is True)
    made = [
        {"id": numbers[item["id"]], "name": item["name"], **({"color": item["color"]} if "color" in item else {})}
        for item in document["categories"]
    ]
    return Loaded(ids if stack else ids[0], classes_of({"classes": made}, path))


def _class_ids(categories: list[Mapping[str, Any]], path: Path) -> dict[Any, int]:
    """Give each category a class id: its own if that is one."""
    most = limits("classes")["count"]
    if len(categories) > most:
        raise LabelError(f"{path} has {len(categories)} categories; up to {most} will do.")
    given = [item["id"] for item in categories]
    if all(isinstance(number, int) and 1 <= number <= most for number in given):
        return {number: number for number in given}
    return {number: index + 1 for index, number in enumerate(given)}


def _draw(ids: npt.NDArray[np.uint8], shape: Any, value: int) -> None:
    """Draw an annotation's shape."""
    rows, columns = ids.shape
    if isinstance(shape, dict):
        if list(shape["size"]) != [rows, columns]:
            raise ValueError(f"its size is {shape['size']}, that of the image {[rows, columns]}")
        counts = shape["counts"]
        ids[rle.decode(rle.unpack(counts) if isinstance(counts, str) else counts, rows, columns)] = value
        return
    for corners in shape:
        points = np.asarray(corners, np.float64).reshape(-1, 2)
        if not len(points) or not np.isfinite(points).all():
            raise ValueError("its polygon has no corners, or one at no place")
        low = np.clip(np.floor(points.min(axis=0)), 0, (columns, rows)).astype(int)
        high = np.clip(np.ceil(points.max(axis=0)), 0, (columns, rows)).astype(int)
        box = ids[low[1] : high[1], low[0] : high[0]]
        box[fill_polygon(points - low, *box.shape)] = value
