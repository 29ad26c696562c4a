"""What is saved, and what is loaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ...spec.errors import LabelError
from ...spec.tables import limits

Kind = Literal["ids", "spread", "probabilities", "colours"]
PixelSize = tuple[float, str]

KEY = "sambalab"
"""The key of the description, a JSON text, in the metadata of PNG and OME-TIFF files."""


@dataclass(frozen=True)
class Content:
    """An array to save.

    Attributes
    ----------
    kind
        ``"ids"``: class ids, uint8 (slices, rows, columns); ``"spread"``: the same, spread over 0 to 255;
        ``"probabilities"``: float32 with a last axis for the classes; ``"colours"``: uint8 with a last axis of 3.
    pixels
        The array.
    stack
        Whether it is a stack. If not, it has one slice.
    classes
        ``id``, ``name`` and ``color`` of each class, and in a spread array its ``value``.
    pixel_size
        Side of a pixel and its unit, or None.
    title
        The image's name; may be empty.
    """

    kind: Kind
    pixels: npt.NDArray[Any]
    stack: bool
    classes: Sequence[Mapping[str, Any]]
    pixel_size: PixelSize | None
    title: str

    @property
    def array(self) -> npt.NDArray[Any]:
        """The array, without an axis of slices if it is not a stack."""
        return self.pixels if self.stack else self.pixels[0]

    def description(self) -> dict[str, Any]:
        """Describe classes and pixel size for a file's metadata."""
        size = None if self.pixel_size is None else list(self.pixel_size)
        return {"classes": [dict(item) for item in self.classes], "pixel_size": size}

    def palette(self) -> npt.NDArray[np.uint8]:
        """Give the colour of each id, uint8 (256, 3); black where there is no class."""
        table = np.zeros((256, 3), np.uint8)
        for item in self.classes:
            table[int(item["id"])] = rgb(str(item["color"]))
        return table


@dataclass(frozen=True)
class Loaded:
    """Labels from a file.

    Attributes
    ----------
    ids
        Whole numbers (rows, columns) or (slices, rows, columns).
    classes
        ``id``, ``name`` and, if the file has it, ``color`` of each class; None if the file names no classes.
    pixel_size
        A pixel's width and its unit; None if the file does not say it.
    """

    ids: npt.NDArray[Any]
    classes: list[dict[str, Any]] | None
    pixel_size: PixelSize | None = None


def rgb(color: str) -> list[int]:
    """Give red, green and blue of ``#rrggbb``."""
    return [int(color[at : at + 2], 16) for at in (1, 3, 5)]


def size_of(description: Any) -> PixelSize | None:
    """Take the pixel size out of a description, if there is one."""
    size = description.get("pixel_size") if isinstance(description, dict) else None
    match size:
        case [int() | float() as value, str() as unit] if not isinstance(value, bool) and 0 < value < float("inf"):
            return float(value), unit
    return None


def classes_of(description: Any, path: Path) -> list[dict[str, Any]] | None:
    """Take the classes out of a description, if there are some.

    Raises
    ------
    LabelError
        If they are damaged.
    """
    given = description.get("classes") if isinstance(description, Mapping) else None
    if given is None:
        return None
    known = limits("classes")
    made: list[dict[str, Any]] = []
    for item in given if isinstance(given, list) else [given]:
        fields = item if isinstance(item, dict) else {}
        number, name = fields.get("id"), fields.get("name")
        right_id = isinstance(number, int) and not isinstance(number, bool) and 1 <= number <= known["count"]
        if not right_id or not isinstance(name, str) or not 1 <= len(name) <= known["nameLength"]:
            raise LabelError(
                f"{path} has the class {item!r}; an id from 1 to {known['count']} and a name of 1 to "
                f"{known['nameLength']} characters will do."
            )
        made.append({key: fields[key] for key in ("id", "name", "color", "value") if key in fields})
    for key in ("id", "name"):
        values = [item[key] for item in made]
        twice = next((value for value in values if values.count(value) > 1), None)
        if twice is not None:
            raise LabelError(f"{path} has two classes of the {key} {twice!r}; classes must differ.")
    return made
