"""Parameters, checked where the user gave them; those of trees are in `learners`. Ranges are those of the protocol."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable
from typing import Any

import numpy as np

from .errors import ParameterError


def pixel_size_of(size: Any) -> dict[str, Any] | None:
    """Give the protocol's ``zPixelSize`` of a pair of a number and its unit, or None.

    Raises
    ------
    ParameterError
        If it is something else.
    """
    if size is None:
        return None
    value: Any = None
    unit: Any = None
    if isinstance(size, (tuple, list)) and len(size) == 2:
        value, unit = size
    number = isinstance(value, (int, float, np.number)) and not is_bool(value) and 0 < float(value) < math.inf
    if not number or not isinstance(unit, str) or not 1 <= len(unit) <= 20:
        raise ParameterError(f"pixel_size is {show(size)}; a number above 0 and its unit will do: (0.5, 'nm').")
    return {"value": float(value), "unit": unit}


def refuse_unknown(unknown: Iterable[str], known: Iterable[str]) -> None:
    """Raise ParameterError if there are unknown parameters."""
    names = list(unknown)
    if names:
        what = "parameters" if len(names) > 1 else "parameter"
        raise ParameterError(f"There is no {what} {', '.join(names)}; these will do: {', '.join(known)}.")


def is_bool(value: Any) -> bool:
    """Whether it is True or False, NumPy's too."""
    return isinstance(value, (bool, np.bool_))


def index(value: Any) -> int | None:
    """Give a whole number, NumPy's too; None if it is none."""
    if is_bool(value):
        return None
    try:
        return operator.index(value)
    except TypeError:
        return None


def whole(name: str, value: Any, low: int, high: int, also: str = "") -> int:
    """Check a whole number."""
    number = index(value)
    if number is None or not low <= number <= high:
        raise ParameterError(f"{name} is {show(value)}; a whole number from {low:,} to {high:,}{also} will do.")
    return number


def switch(name: str, value: Any) -> bool:
    """Check a switch."""
    if not is_bool(value):
        raise ParameterError(f"{name} is {show(value)}; True or False will do.")
    return bool(value)


def show(value: Any) -> str:
    """Write a value for an error."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}…"
