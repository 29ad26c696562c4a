"""The parameters of training, checked where the user gave them. Ranges are those of ``src/kernel-bridge/protocol.ts``."""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from .errors import ParameterError
from .feature_table import built_table
from .features import changed

SIGMA_MIN = 0.1
SIGMA_MAX = 64
SIGMAS_MAX = 16

# Python's name: the protocol's name, smallest, largest value.
_WHOLE: dict[str, tuple[str, int, int]] = {
    "trees": ("trees", 1, 2000),
    "max_depth": ("maxDepth", 1, 64),
    "max_features": ("maxFeatures", 1, 4096),
    "min_leaf": ("minLeaf", 1, 1_000_000),
    "max_samples": ("maxSamples", 1, (1 << 53) - 1),
    "seed": ("seed", 0, (1 << 32) - 1),
}
_SWITCHES = {
    "gaussian": "gaussian",
    "sobel": "sobel",
    "hessian": "hessian",
    "difference_of_gaussians": "differenceOfGaussians",
}


def presets() -> Mapping[str, Mapping[str, Any]]:
    """Give the named forests, complete, as the protocol's ``ForestParams``."""
    loaded: Mapping[str, Mapping[str, Any]] = built_table("forest.json")["presets"]
    return loaded


def forest_request(given: Mapping[str, Any]) -> dict[str, Any] | None:
    """Give the protocol's ``zForestRequest`` of those that are not None; None if all are, for what was chosen before.

    Raises
    ------
    ParameterError
        Naming the parameter, its value and what would do.
    """
    params: dict[str, Any] = {}
    for name, (wire, low, high) in _WHOLE.items():
        value = given.get(name)
        if value is None:
            continue
        word = {"max_features": "sqrt", "max_samples": "all"}.get(name)
        if isinstance(value, str) and value == word:
            params[wire] = None if word == "all" else word
        else:
            params[wire] = _whole(name, value, low, high, f", or {word!r}," if word else "")
    if given.get("balanced") is not None:
        params["balanced"] = _switch("balanced", given["balanced"])
    preset = given.get("preset")
    if preset is not None:
        if not isinstance(preset, str) or preset not in presets():
            raise ParameterError(f"preset is {_show(preset)}; {' or '.join(map(repr, presets()))} will do.")
        params["preset"] = preset
    return params or None


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
    number = isinstance(value, (int, float, np.number)) and not _is_bool(value) and 0 < float(value) < math.inf
    if not number or not isinstance(unit, str) or not 1 <= len(unit) <= 20:
        raise ParameterError(f"pixel_size is {_show(size)}; a number above 0 and its unit will do: (0.5, 'nm').")
    return {"value": float(value), "unit": unit}


def is_forest(params: Any) -> bool:
    """Whether these are complete and valid parameters of a forest, as the protocol's ``zForestParams`` has them."""
    if not isinstance(params, dict) or set(params) != {wire for wire, _, _ in _WHOLE.values()} | {"balanced"}:
        return False
    words = {"maxFeatures": "sqrt", "maxSamples": None}
    return type(params["balanced"]) is bool and all(
        (wire in words and params[wire] == words[wire]) or (type(params[wire]) is int and low <= params[wire] <= high)
        for wire, low, high in _WHOLE.values()
    )


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
        wire: _switch(name, given[name]) for name, wire in _SWITCHES.items() if given.get(name) is not None
    }
    if given.get("sigmas") is not None:
        spec["sigmas"] = _sigmas(given["sigmas"])
    membrane = given.get("membrane", True)
    if membrane is None or _is_bool(membrane):
        if not membrane:
            spec["membrane"] = None
    else:
        spec["membrane"] = _membrane(membrane)
    features = given.get("features")
    return changed(features, spec) if features is not None or spec else None


def refuse_unknown(unknown: Iterable[str], known: Iterable[str]) -> None:
    """Raise ParameterError if there are unknown parameters."""
    names = list(unknown)
    if names:
        what = "parameters" if len(names) > 1 else "parameter"
        raise ParameterError(f"There is no {what} {', '.join(names)}; these will do: {', '.join(known)}.")


def _is_bool(value: Any) -> bool:
    return isinstance(value, (bool, np.bool_))


def _index(value: Any) -> int | None:
    """Give a whole number, NumPy's too; None if it is none."""
    if _is_bool(value):
        return None
    try:
        return operator.index(value)
    except TypeError:
        return None


def _whole(name: str, value: Any, low: int, high: int, also: str = "") -> int:
    number = _index(value)
    if number is None or not low <= number <= high:
        raise ParameterError(f"{name} is {_show(value)}; a whole number from {low:,} to {high:,}{also} will do.")
    return number


def _switch(name: str, value: Any) -> bool:
    if not _is_bool(value):
        raise ParameterError(f"{name} is {_show(value)}; True or False will do.")
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
        raise ParameterError(f"sigmas is {_show(value)}; {wanted}.")
    return numbers


def _membrane(value: Any) -> dict[str, int]:
    try:
        pair = [_index(part) for part in value]
    except TypeError:
        pair = []
    patch, thickness = pair if len(pair) == 2 else (None, None)
    if (
        patch is None
        or thickness is None
        or not (3 <= patch <= 63 and patch % 2 and 1 <= thickness <= min(31, patch - 1))
    ):
        raise ParameterError(
            f"membrane is {_show(value)}; True, None, or a pair of patch (odd, 3 to 63) and thickness (1 to 31, below the "
            "patch) will do: (19, 1)."
        )
    return {"patch": patch, "thickness": thickness}


def _show(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}…"
