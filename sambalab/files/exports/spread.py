"""Class ids spread over 0 to 255, as SAMBA writes them: grey pictures in which classes can be told apart."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...spec.errors import LabelError
from .content import Loaded


def spread(
    ids: npt.NDArray[np.uint8], classes: Sequence[dict[str, Any]]
) -> tuple[npt.NDArray[np.uint8], list[dict[str, Any]]]:
    """Multiply ids by 255 over the highest id that occurs, rounded down.

    Returns
    -------
    values : ndarray
        uint8, of the shape of `ids`.
    classes : list
        The classes, with their ``value``; None for those above the highest.
    """
    top = max(1, int(ids.max(initial=0)))
    step = 255 // top
    valued = [{**item, "value": item["id"] * step if item["id"] <= top else None} for item in classes]
    return ids * np.uint8(step), valued


def gathered(loaded: Loaded, path: Path) -> Loaded:
    """Give the ids of spread labels.

    The classes of a file of SambaLab say their values. Of SAMBA's files, the fewest classes are taken that give the values.

    Raises
    ------
    LabelError
        If the values are not those of spread ids.
    """
    values = [int(value) for value in np.unique(loaded.ids)]
    known = {item["value"]: item["id"] for item in loaded.classes or () if item.get("value") is not None}
    if not known:
        top = max(values, default=0)
        steps = (255 // count for count in range(1, 256) if count * (255 // count) == top)
        step = next((step for step in steps if all(value % step == 0 for value in values)), None)
        if top and step is None:
            some = ", ".join(map(str, values[:8])) + (", …" if len(values) > 8 else "")
            raise LabelError(
                f"{path} has the values {some}, which are no spread class ids; without spread= they are ids."
            )
        known = {value: value // (step or 1) for value in values}
    wrong = next((value for value in values if value and value not in known), None)
    if wrong is not None:
        raise LabelError(f"{path} has the value {wrong}; those of its classes are {', '.join(map(str, known))}.")
    table = np.zeros(256, np.uint8)
    for value, number in known.items():
        table[value] = number
    return Loaded(table[loaded.ids], loaded.classes, loaded.pixel_size)
