"""How trees are grown: the parameters of forests and of boosted trees, checked where the user gave them.

Ranges are those of ``src/shared/learners.ts``; presets are in ``src/shared/learners.json``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .errors import ParameterError
from .feature_table import built_table
from .parameters import is_bool, show, switch, whole


@dataclass(frozen=True)
class _Parameter:
    """A number: its name in the protocol, its range, and the words that may stand for it with what they are there."""

    wire: str
    low: float
    high: float
    words: Mapping[str, str | None] = field(default_factory=dict)
    real: bool = False
    # Whether it must be above the lowest number.
    above: bool = False

    def fits(self, value: Any) -> bool:
        """Whether the protocol takes this."""
        if value is None or isinstance(value, str):
            return value in self.words.values()
        if self.real:
            return isinstance(value, (int, float)) and not isinstance(value, bool) and self._inside(float(value))
        return type(value) is int and self._inside(value)

    def read(self, name: str, value: Any) -> float | str | None:
        """Give what the protocol has for it."""
        if isinstance(value, str) and value in self.words:
            return self.words[value]
        words = " or ".join(map(repr, self.words))
        if not self.real:
            return whole(name, value, int(self.low), int(self.high), f", or {words}," if words else "")
        if not isinstance(value, (int, float, np.number)) or is_bool(value) or not self._inside(float(value)):
            bound = (
                f"above {self.low:g}, {self.high:,.0f} at most,"
                if self.above
                else f"from {self.low:g} to {self.high:,.0f}"
            )
            raise ParameterError(f"{name} is {show(value)}; a number {bound} will do.")
        return float(value)

    def _inside(self, value: float) -> bool:
        return (self.low < value if self.above else self.low <= value) and value <= self.high


_SHARED = {
    "max_depth": _Parameter("maxDepth", 1, 64),
    "max_features": _Parameter("maxFeatures", 1, 4096, {"sqrt": "sqrt"}),
    "min_leaf": _Parameter("minLeaf", 1, 1_000_000),
    "max_samples": _Parameter("maxSamples", 1, (1 << 53) - 1, {"all": None}),
    "seed": _Parameter("seed", 0, (1 << 32) - 1),
    "refine": _Parameter("refine", 0, 32),
}
_FOREST = {"trees": _Parameter("trees", 1, 2000), **_SHARED}
_BOOSTING = {
    "rounds": _Parameter("rounds", 1, 2000),
    "learning_rate": _Parameter("learningRate", 0, 1, real=True, above=True),
    "max_leaves": _Parameter("maxLeaves", 2, 1024),
    "l2": _Parameter("l2", 0, 1e6, real=True),
    "patience": _Parameter("patience", 1, 2000, {"never": None}),
    **_SHARED,
    "max_features": _Parameter("maxFeatures", 1, 4096, {"sqrt": "sqrt", "all": "all"}),
}

#: Names of all parameters, and `preset`.
NAMES = ("preset", "balanced", *dict.fromkeys((*_FOREST, *_BOOSTING)))


def presets() -> Mapping[str, Mapping[str, Any]]:
    """Give the named forests and boosted trees, complete, as the protocol's ``LearnerParams``."""
    loaded: Mapping[str, Mapping[str, Any]] = built_table("learners.json")["presets"]
    return loaded


def default_preset() -> str:
    """Give the name of the preset that is meant where none is named."""
    return str(built_table("learners.json")["default"])


def is_boosting(params: Mapping[str, Any]) -> bool:
    """Whether these are the parameters of boosted trees."""
    return params.get("kind") == "boosting"


def learner_request(given: Mapping[str, Any]) -> dict[str, Any] | None:
    """Give the protocol's ``zForestRequest`` of those that are not None; None if all are, for what was chosen before.

    Where no preset is named, a parameter that the default preset's kind does not have is on top of the first preset that has it.

    Raises
    ------
    ParameterError
        Naming the parameter, its value and what would do; also if forests have one of them and boosted trees another.
    """
    named = {name: given[name] for name in NAMES if given.get(name) is not None}
    if not named:
        return None
    preset = _preset(named)
    params: dict[str, Any] = {} if preset is None else {"preset": preset}
    table = _table(presets()[preset or default_preset()])
    for name, value in named.items():
        if name in table:
            params[table[name].wire] = table[name].read(name, value)
        elif name == "balanced":
            params[name] = switch(name, value)
    return params


def complete_learner(given: Mapping[str, Any]) -> dict[str, Any]:
    """Give complete parameters as the protocol has them; what is None is as the preset has it."""
    request = learner_request(given) or {}
    return {**presets()[request.pop("preset", default_preset())], **request}


def is_learner(params: Any) -> bool:
    """Whether these are complete and valid parameters, as the protocol's ``zLearnerParams`` has them."""
    if not isinstance(params, dict):
        return False
    table = {parameter.wire: parameter for parameter in _table(params).values()}
    wanted = {*table, "balanced", *(["kind"] if is_boosting(params) else [])}
    if wanted - set(params) - {"refine"} or set(params) - wanted:
        return False
    return type(params["balanced"]) is bool and all(
        own.fits(params[wire]) for wire, own in table.items() if wire in params
    )


def _table(params: Mapping[str, Any]) -> Mapping[str, _Parameter]:
    return _BOOSTING if is_boosting(params) else _FOREST


def _preset(named: Mapping[str, Any]) -> str | None:
    """Check that these go together. @returns the preset that they are on top of, None for the default one."""
    known, preset = presets(), named.get("preset")
    if preset is not None and (not isinstance(preset, str) or preset not in known):
        raise ParameterError(f"preset is {show(preset)}; {' or '.join(map(repr, known))} will do.")
    forests = [name for name in named if name in _FOREST and name not in _BOOSTING]
    boosted = [name for name in named if name in _BOOSTING and name not in _FOREST]
    if forests and boosted:
        raise ParameterError(
            f"{_list(forests)} is for forests, {_list(boosted)} for boosted trees; those of one kind will do. Forests have "
            f"{_list(_FOREST)}, balanced; boosted trees have {_list(_BOOSTING)}, balanced."
        )
    boosting = is_boosting(known[preset or default_preset()])
    strange = forests if boosting else boosted
    if not strange:
        return preset
    fitting = [name for name, params in known.items() if is_boosting(params) != boosting]
    if preset is None:
        return fitting[0]
    raise ParameterError(
        f"The preset {preset!r} has no {_list(strange)}; preset={' or '.join(map(repr, fitting))} will do, or these "
        f"parameters: {_list(_table(known[preset]))}, balanced."
    )


def _list(names: Iterable[str]) -> str:
    return ", ".join(names)
