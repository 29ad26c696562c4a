"""How trees are grown: the parameters of forests and of boosted trees, checked where the user gave them.

Ranges are those of ``limits.json``, presets those of ``learners.json`` (see `tables`).
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .errors import ParameterError
from .feature_table import snake
from .parameters import is_bool, show, switch, whole
from .tables import built_table, parameter_limits


@dataclass(frozen=True)
class _Parameter:
    """A number: its name in the protocol, its range, and words that may take its place, with their values in the protocol."""

    wire: str
    low: float
    high: float
    words: Mapping[str, str | None] = field(default_factory=dict)
    real: bool = False
    # Whether `low` itself is invalid.
    above: bool = False

    def fits(self, value: Any) -> bool:
        """Whether this is a valid value of the protocol."""
        if value is None or isinstance(value, str):
            return value in self.words.values()
        if self.real:
            return isinstance(value, (int, float)) and not isinstance(value, bool) and self._inside(float(value))
        return type(value) is int and self._inside(value)

    def read(self, name: str, value: Any) -> float | str | None:
        """Check a value of Python, and give the protocol's."""
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


# Words of Python for the protocol's null.
_NULL = {"maxSamples": "all", "patience": "never"}


@functools.cache
def _parameters(kind: str) -> Mapping[str, _Parameter]:
    """Give the numbers among the parameters of ``"forest"`` or ``"boosting"``, by their names in Python."""
    return {
        snake(wire): _parameter(wire, schema) for wire, schema in parameter_limits(kind).items() if _numbers(schema)
    }


def _parameter(wire: str, schema: Mapping[str, Any]) -> _Parameter:
    (number,) = _numbers(schema)
    words: dict[str, str | None] = {}
    for option in _options(schema):
        if option["type"] == "string":
            words.update({word: word for word in option.get("enum") or [option["const"]]})
        elif option["type"] == "null":
            words[_NULL[wire]] = None
    above = "exclusiveMinimum" in number
    low = number["exclusiveMinimum" if above else "minimum"]
    return _Parameter(wire, low, number["maximum"], words, real=number["type"] == "number", above=above)


def _numbers(schema: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [option for option in _options(schema) if option["type"] in ("integer", "number")]


def _options(schema: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    options: list[Mapping[str, Any]] = schema.get("anyOf", [schema])
    return options


def parameter_names() -> tuple[str, ...]:
    """Give the names of all parameters of trees, with ``preset``."""
    return ("preset", "balanced", *dict.fromkeys((*_parameters("forest"), *_parameters("boosting"))))


def presets() -> Mapping[str, Mapping[str, Any]]:
    """Give the presets by name: the protocol's ``LearnerParams``."""
    loaded: Mapping[str, Mapping[str, Any]] = built_table("learners.json")["presets"]
    return loaded


def default_preset() -> str:
    """Give the name of the default preset."""
    return str(built_table("learners.json")["default"])


def is_boosting(params: Mapping[str, Any]) -> bool:
    """Whether these are the parameters of boosted trees."""
    return params.get("kind") == "boosting"


def learner_request(given: Mapping[str, Any]) -> dict[str, Any] | None:
    """Give the protocol's ``zForestRequest`` of the parameters that are not None.

    Without a preset, a parameter that the default preset does not have belongs to the first preset that has it.

    Returns
    -------
    dict or None
        None if all parameters are None, which keeps the last choice.

    Raises
    ------
    ParameterError
        If a parameter is out of range, or parameters of forests and of boosted trees are mixed.
    """
    named = {name: given[name] for name in parameter_names() if given.get(name) is not None}
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
    """Give the protocol's complete ``LearnerParams``: the preset, with the parameters that are not None."""
    request = learner_request(given) or {}
    return {**presets()[request.pop("preset", default_preset())], **request}


def is_learner(params: Any) -> bool:
    """Whether these are the protocol's complete and valid ``LearnerParams``."""
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
    return _parameters("boosting" if is_boosting(params) else "forest")


def _preset(named: Mapping[str, Any]) -> str | None:
    """Check that the parameters belong to one kind of trees, and give their preset; None for the default preset."""
    known, preset = presets(), named.get("preset")
    if preset is not None and (not isinstance(preset, str) or preset not in known):
        raise ParameterError(f"preset is {show(preset)}; {' or '.join(map(repr, known))} will do.")
    of_forests, of_boosting = _parameters("forest"), _parameters("boosting")
    forests = [name for name in named if name in of_forests and name not in of_boosting]
    boosted = [name for name in named if name in of_boosting and name not in of_forests]
    if forests and boosted:
        raise ParameterError(
            f"{_list(forests)} is for forests, {_list(boosted)} for boosted trees; those of one kind will do. Forests have "
            f"{_list(of_forests)}, balanced; boosted trees have {_list(of_boosting)}, balanced."
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
