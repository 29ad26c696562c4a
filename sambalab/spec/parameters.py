"""Checks of single parameters, with errors that name the parameter. Parameters of trees are in `learners`."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from .errors import ParameterError
from .tables import parameter_limits


def pixel_size_of(size: Any) -> dict[str, Any] | None:
    """Give the protocol's ``zPixelSize`` of a pair (number, unit), or None.

    Raises
    ------
    ParameterError
        If this is not such a pair.
    """
    if size is None:
        return None
    value: Any = None
    unit: Any = None
    if isinstance(size, (tuple, list)) and len(size) == 2:
        value, unit = size
    longest = parameter_limits("pixelSize")["unit"]["maxLength"]
    number = isinstance(value, (int, float, np.number)) and not is_bool(value) and 0 < float(value) < math.inf
    if not number or not isinstance(unit, str) or not 1 <= len(unit) <= longest:
        raise ParameterError(f"pixel_size is {show(size)}; a number above 0 and its unit will do: (0.5, 'nm').")
    return {"value": float(value), "unit": unit}


def refuse_unknown(unknown: Iterable[str], known: Iterable[str]) -> None:
    """Raise ParameterError if there are unknown parameters."""
    names = list(unknown)
    if names:
        what = "parameters" if len(names) > 1 else "parameter"
        raise ParameterError(f"There is no {what} {', '.join(names)}; these will do: {', '.join(known)}.")


def is_bool(value: Any) -> bool:
    """Whether the value is a bool of Python or NumPy."""
    return isinstance(value, (bool, np.bool_))


def index(value: Any) -> int | None:
    """Give an integer of Python or NumPy as int; None of other values."""
    if is_bool(value):
        return None
    try:
        return operator.index(value)
    except TypeError:
        return None


def whole(name: str, value: Any, low: int, high: int, also: str = "") -> int:
    """Check a whole number from `low` to `high`; `also` names other valid values in the error."""
    number = index(value)
    if number is None or not low <= number <= high:
        valid = f"a whole number from {low:,} to {high:,}" if low < high else f"{low:,}"
        raise ParameterError(f"{name} is {show(value)}; {valid}{also} will do.")
    return number


def switch(name: str, value: Any) -> bool:
    """Check a bool."""
    if not is_bool(value):
        raise ParameterError(f"{name} is {show(value)}; True or False will do.")
    return bool(value)


def one_of(name: str, value: Any, known: Sequence[str]) -> str:
    """Check a word."""
    if not isinstance(value, str) or value not in known:
        words = [repr(word) for word in known]
        raise ParameterError(f"{name} is {show(value)}; {', '.join(words[:-1])} or {words[-1]} will do.")
    return value


def show(value: Any) -> str:
    """Write a value for an error message, at most 80 characters."""
    text = " ".join(repr(value).split())  # an array takes several lines
    return text if len(text) <= 80 else f"{text[:77]}…"
