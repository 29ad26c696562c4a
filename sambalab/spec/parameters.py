"""Parameters, checked where the user gave them; those of trees are in `learners`. Ranges are those of the protocol."""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from .errors import ParameterError
from .features import changed

SIGMA_MIN = 0.1
SIGMA_MAX = 64
SIGMAS_MAX = 16

_SWITCHES = {
    "gaussian": "gaussian",
    "sobel": "sobel",
    "hessian": "hessian",
    "difference_of_gaussians": "differenceOfGaussians",
}


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


def feature_choice(given: Mapping[str, Any]) -> dict[str, Any] | None:
    """Give the protocol's ``zFeatureChoice`` of those that are not None; None if all are, for what was chosen before.

    ``features`` is a feature spec in any form; the others are changes on top of it. None for ``membrane`` leaves it out,
    True takes no part.

    Raises
    ------
    ParameterError
        Naming the parameter, its value and what would do.
    """
    spec: dict[str, Any] = {
        wire: switch(name, given[name]) for name, wire in _SWITCHES.items() if given.get(name) is not None
    }
    if given.get("sigmas") is not None:
        spec["sigmas"] = _sigmas(given["sigmas"])
    membrane = given.get("membrane", True)
    if membrane is None or is_bool(membrane):
        if not membrane:
            spec["membrane"] = None
    else:
        spec["membrane"] = _membrane(membrane)
    if given.get("embedding") is not None:
        spec["embedding"] = given["embedding"]
    features = given.get("features")
    return changed(features, spec) if features is not None or spec else None


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


def _sigmas(value: Any) -> list[float]:
    wanted = f"1 to {SIGMAS_MAX} numbers from {SIGMA_MIN} to {SIGMA_MAX}, each above the one before, will do: [1, 2, 4]"
    try:
        numbers = (
            []
            if isinstance(value, (str, bytes, Mapping))
            else list(map(float, itertools.islice(value, SIGMAS_MAX + 1)))
        )
    except (TypeError, ValueError):
        numbers = []
    fits = all(math.isfinite(sigma) and SIGMA_MIN <= sigma <= SIGMA_MAX for sigma in numbers)
    rises = all(small < large for small, large in itertools.pairwise(numbers))
    if not 1 <= len(numbers) <= SIGMAS_MAX or not fits or not rises:
        raise ParameterError(f"sigmas is {show(value)}; {wanted}.")
    return numbers


def _membrane(value: Any) -> dict[str, int]:
    try:
        pair = [index(part) for part in value]
    except TypeError:
        pair = []
    patch, thickness = pair if len(pair) == 2 else (None, None)
    if (
        patch is None
        or thickness is None
        or not (3 <= patch <= 63 and patch % 2 and 1 <= thickness <= min(31, patch - 1))
    ):
        raise ParameterError(
            f"membrane is {show(value)}; True, None, or a pair of patch (odd, 3 to 63) and thickness (1 to 31, below the "
            "patch) will do: (19, 1)."
        )
    return {"patch": patch, "thickness": thickness}


def show(value: Any) -> str:
    """Write a value for an error."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}…"
