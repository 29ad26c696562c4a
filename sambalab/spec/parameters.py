"""Checks of single parameters, with errors that name the parameter. Parameters of trees are in `learners`."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Mapping, Sequence
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


def contrast_of(contrast: Any, usual: Mapping[str, Any]) -> dict[str, Any] | None:
    """Give the protocol's ``zContrast`` of a mapping of some of its keys, or None.

    Numbers and bools may be those of NumPy. What is left out is taken from `usual`, which has all keys.

    Raises
    ------
    ParameterError
        If a key is unknown or a value is out of range.
    """
    if contrast is None:
        return None
    if not isinstance(contrast, Mapping):
        raise ParameterError(f"contrast is {show(contrast)}; None or a dict of {', '.join(usual)} will do.")
    refuse_unknown((str(key) for key in contrast if key not in usual), usual)
    wanted = {**usual, **contrast}
    low, high = (_finite(name, wanted[name]) for name in ("low", "high"))
    if not low < high:
        raise ParameterError(f"low is {show(wanted['low'])}; a number below high, {show(wanted['high'])}, will do.")
    if not math.isfinite(high - low):
        ends = f"low is {show(wanted['low'])} and high is {show(wanted['high'])}"
        raise ParameterError(f"{ends}; numbers that differ by less than 1.79e+308 will do.")
    gamma, limits = _number(wanted["gamma"]), parameter_limits("contrast")["gamma"]
    if gamma is None or not limits["minimum"] <= gamma <= limits["maximum"]:
        raise ParameterError(f"gamma is {show(wanted['gamma'])}; {limits['minimum']} to {limits['maximum']} will do.")
    channels = wanted["channels"]
    shown = list(channels) if isinstance(channels, (tuple, list, np.ndarray)) and np.ndim(channels) else []
    if len(shown) != 3 or not all(map(is_bool, shown)) or not any(shown):
        raise ParameterError(f"channels is {show(channels)}; three bools with at least one True will do.")
    return {
        "low": low,
        "high": high,
        "gamma": gamma,
        "inverse": switch("inverse", wanted["inverse"]),
        "channels": [bool(channel) for channel in shown],
    }


def _number(value: Any) -> float | None:
    """Give a real number of Python or NumPy as float; None of other values, and of those beyond the range of float."""
    if is_bool(value) or not isinstance(value, (int, float, np.integer, np.floating)):
        return None
    try:
        return float(value)
    except OverflowError:
        return None


def _finite(name: str, value: Any) -> float:
    number = _number(value)
    if number is None or not math.isfinite(number):
        raise ParameterError(f"{name} is {show(value)}; a finite number will do.")
    return number


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
