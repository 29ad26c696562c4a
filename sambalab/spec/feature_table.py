"""The table of feature families, and the completion of a choice of features to a spec.

``src/shared/features.ts`` does the same for browser and sidecar, from the same tables. Python repeats it because
`sambalab.engine` works without a sidecar. Choices may use names of Python (``difference_of_gaussians``) or of the table
(``differenceOfGaussians``); a `Spec` and files have the table's.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any, NoReturn, TypeGuard

from .errors import ParameterError
from .tables import built_table, limits

# A complete spec as JSON has it.
Spec = dict[str, Any]

OP_NUMBERS = 8
COLORS = ("red", "green", "blue")
#: Numbers of views whose mean the embedding may be; the first one is usual.
_VIEWS = (1, 2, 4)
_GENERAL = ("version", "set", "color", "sigmas", "sigmaScale", "range", "standardise", "families", "embedding")


@dataclass(frozen=True)
class FeatureOp:
    """An operation: the channels that one call of a kernel computes.

    Attributes
    ----------
    family
        Name in the table.
    op
        Number of the kernel.
    args
        The kernel's arguments.
    names
        Names of the channels.
    """

    family: str
    op: int
    args: tuple[float, ...]
    names: tuple[str, ...]


def table() -> Mapping[str, Any]:
    """Give the table of families and sets. Do not change it."""
    loaded: Mapping[str, Any] = built_table("features.json")
    return loaded


def models() -> Sequence[Mapping[str, Any]]:
    """Give the manifests of SAM models (``src/shared/models``), the default model's first."""
    listed: Sequence[Mapping[str, Any]] = built_table("models.json")
    return listed


def encoder_layers(model: str) -> dict[str, int]:
    """Give the layers that a spec of this model may name, and how many of their cells lie along the side of a window.

    If the model is not known here, these are the layers of all models.
    """
    found = [manifest for manifest in models() if manifest["id"] == model] or models()
    return {name: layer["shape"][1] for manifest in found for name, layer in manifest["encoder"]["layers"].items()}


def _encoder(model: str) -> Mapping[str, Any]:
    """Give the encoder of a model; of the default model if that one is not known here."""
    found: Mapping[str, Any] = next((manifest for manifest in models() if manifest["id"] == model), models()[0])[
        "encoder"
    ]
    return found


def families() -> Sequence[Mapping[str, Any]]:
    """Give the families in the table's order."""
    listed: Sequence[Mapping[str, Any]] = table()["families"]
    return listed


def default_set() -> str:
    """Give the name of the default set."""
    return str(table()["default"])


def snake(name: str) -> str:
    """Turn ``sigmaScale`` into ``sigma_scale``."""
    return re.sub(r"[A-Z]", lambda match: f"_{match[0].lower()}", name)


def camel(name: str) -> str:
    """Turn ``sigma_scale`` into ``sigmaScale``."""
    return re.sub(r"_([a-z])", lambda match: match[1].upper(), name)


def complete(given: Mapping[str, Any]) -> Spec:
    """Complete a choice of features by a set.

    Parameters
    ----------
    given
        Fields of a spec. ``set`` names the set, else it is the default set. A family's name with True or parameters adds the
        family, with False or None removes it. ``families`` replaces the families of the set; then there is no embedding unless
        ``embedding`` names one. ``embedding`` is True, False, None or a mapping of its fields.

    Raises
    ------
    ParameterError
        If a field is invalid. The message names it, its value and the valid values.
    """
    chosen = _renamed("", given)
    names = [str(family["name"]) for family in families()]
    known = [*_GENERAL, *names]
    for key in chosen:
        if key not in known:
            _fail(key, "is not known", ", ".join(map(snake, known)))
    known_version = int(limits("versions")["featureSpec"])
    version = chosen.get("version", known_version)
    if not _is_number(version) or version != known_version:
        _fail("version", _show(version), str(known_version))
    set_name = chosen.get("set", default_set())
    if not isinstance(set_name, str) or set_name not in table()["sets"]:
        _fail("set", _show(set_name), ", ".join(table()["sets"]))
    base = table()["sets"][set_name]
    color = chosen.get("color", "channels")
    if not isinstance(color, str) or color not in ("channels", "luminance"):
        _fail("color", _show(color), "channels or luminance")
    scale = chosen.get("sigmaScale", base["sigmaScale"])
    standardise = chosen.get("standardise", "families" not in chosen and base.get("standardise", False))
    if not _is_bool(standardise):
        _fail("standardise", _show(standardise), "True or False")
    if "families" in chosen:
        listed = _renamed("families.", _mapping("families", chosen["families"], "a mapping of its families"))
        for name in listed:
            if name not in names:
                _fail(f"families.{name}", "is not known", ", ".join(map(snake, names)))
    else:
        listed = {name: {} for name in base["families"]}
    spec: Spec = {
        "version": known_version,
        "color": color,
        "sigmas": [],
        "sigmaScale": None,
        "range": None,
        "standardise": bool(standardise),
        "families": {},
        "embedding": None,
    }
    for family in families():
        name = family["name"]
        own = chosen[name] if name in chosen else listed.get(name)
        if own is None or _is_bool(own):
            own = {} if own else None
        if own is not None:
            spec["families"][name] = _parameters(family, _mapping(name, own))
    sigmas = chosen.get("sigmas")
    spec["sigmas"] = _numbers("sigmas", base["sigmas"] if sigmas is None else sigmas, limits("features", "sigmas"))
    spec["sigmaScale"] = _number("sigmaScale", scale, limits("features", "sigmaScale"))
    spec["range"] = _range(chosen.get("range"))
    usual = "families" not in chosen and base.get("embedding", False)
    spec["embedding"] = _embedding(chosen.get("embedding", usual))
    count = sum(len(op.names) for op in ops(spec))
    most = limits("features")["channels"] // len(COLORS)
    if count > most:
        _fail("", f"make {count} channels", f"{most} at most")
    return spec


def needs_range(spec: Spec) -> bool:
    """Whether one of the families works on 256 grey levels."""
    return any(family.get("ranged") and family["name"] in spec["families"] for family in families())


def ops(spec: Spec) -> list[FeatureOp]:
    """Give the operations on one image channel, in the order of the stack."""
    found = [FeatureOp("original", 0, (), ("original",))]
    chosen = [family for family in families() if family["name"] in spec["families"]]
    together = [family for family in chosen if family.get("interleaved")]
    for sigma in sorted({sigma for family in together for sigma in _sigmas_of(spec, family)}):
        found += [_op(spec, family, {"sigmas": sigma}) for family in together if sigma in _sigmas_of(spec, family)]
    for family in chosen:
        if not family.get("interleaved"):
            found += [_op(spec, family, values) for values in _loop_values(spec, family)]
    return found


def embedding_names(spec: Spec) -> list[str]:
    """Give the names of the embedding's channels, in the order of its layers."""
    names: list[str] = []
    for layer in (spec["embedding"] or {"layers": ()})["layers"]:
        word = "" if layer["layer"] == "output" else f"{layer['layer']} "
        names += [f"SAM {word}{i + 1}" for i in range(layer["components"])]
    return names


def window_of(model: str, rows: int, columns: int) -> int:
    """Give the side of the window that shows an image of this size to an encoder: all of it, if it is not too large."""
    sides = _encoder(model)["window"]
    return int(min(sides["maximum"], max(sides["minimum"], rows, columns)))


def number_text(value: float) -> str:
    """Write a number as JavaScript does, for the names of channels."""
    return str(int(value)) if value == int(value) else repr(float(value))


def _sigmas_of(spec: Spec, family: Mapping[str, Any]) -> list[float]:
    own: list[float] = spec["families"][family["name"]].get("sigmas", spec["sigmas"])
    return [0, *own] if family.get("unsmoothed") else own


def _loop_values(spec: Spec, family: Mapping[str, Any]) -> Iterator[dict[str, float]]:
    """Give the values of the family's loops, a record for each run of its kernel."""
    if "kernels" in family:
        for kernel in family["kernels"]:
            yield {str(i): value for i, value in enumerate(kernel)}
        return
    sigmas = _sigmas_of(spec, family) if "sigmas" in family["loops"] else []
    if family["loops"] == ["sigmas", "sigmas"]:
        for i, small in enumerate(sigmas):
            for large in sigmas[i + 1 :]:
                yield {"small": small, "large": large}
        return
    records: list[dict[str, float]] = [{}]
    for loop in family["loops"]:
        values = sigmas if loop == "sigmas" else spec["families"][family["name"]][loop]
        records = [{**record, loop: value} for record in records for value in values]
    yield from records


def _op(spec: Spec, family: Mapping[str, Any], values: Mapping[str, float]) -> FeatureOp:
    """Make an operation. Its arguments: the loops' values, then the parameters that are single numbers, in the table's order."""
    scale = spec["sigmaScale"] if family.get("scaled") else 1
    parameters = spec["families"][family["name"]]
    singles = [parameters[name] for name in family.get("parameters", {}) if name not in family["loops"]]
    return FeatureOp(
        family["name"],
        family["op"],
        (*(value * scale for value in values.values()), *singles),
        tuple(
            re.sub(r"\{(\w+)\}", lambda match: number_text(values[match[1]]), channel) for channel in family["channels"]
        ),
    )


def _parameters(family: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    name, own = family["name"], family.get("parameters", {})
    chosen = _renamed(f"{name}.", given)
    known = [*own, *(["sigmas"] if "sigmas" in family["loops"] else [])]
    for key in chosen:
        if key not in known:
            _fail(f"{name}.{key}", "is not known", ", ".join(map(snake, known)) or "no parameter")
    out: dict[str, Any] = {}
    for key, parameter in own.items():
        value = chosen.get(key)
        value = parameter["default"] if value is None else value
        read = _numbers if "list" in parameter else _number
        out[key] = read(f"{name}.{key}", value, parameter)
    for key, parameter in own.items():
        below = parameter.get("below")
        if below and not out[key] < out[below]:
            _fail(f"{name}.{key}", _show(out[key]), f"a number below {snake(below)}, {out[below]},")
    if chosen.get("sigmas") is not None:
        out["sigmas"] = _numbers(f"{name}.sigmas", chosen["sigmas"], limits("features", "sigmas"))
    return out


def _number(path: str, value: Any, parameter: Mapping[str, Any]) -> float:
    low, high = parameter["minimum"], parameter["maximum"]
    whole, odd = parameter.get("whole"), parameter.get("odd")
    fits = _is_number(value) and low <= value <= high
    if not fits or (whole and value != int(value)) or (odd and value % 2 != 1):
        kind = "an odd number" if odd else "a whole number" if whole else "a number"
        _fail(path, _show(value), f"{kind} from {low} to {high}")
    return _plain(value)


def _numbers(path: str, value: Any, parameter: Mapping[str, Any]) -> list[float]:
    most = parameter["list"]
    items: list[Any] = []
    if isinstance(value, Iterable) and not isinstance(value, (str, bytes, Mapping)):
        for item in value:  # stops early, because the iterable may be endless
            items.append(item)
            if len(items) > most:
                break
    if not 1 <= len(items) <= most:
        _fail(path, _show(value), f"a list of 1 to {most} numbers")
    numbers = [_number(f"{path}.{i}", item, parameter) for i, item in enumerate(items)]
    if any(low >= high for low, high in itertools.pairwise(numbers)):
        _fail(path, _show(numbers), "numbers that ascend")
    return numbers


def _range(value: Any) -> list[float] | None:
    if value is None:
        return None
    low = high = None
    if isinstance(value, Iterable) and not isinstance(value, (str, bytes, Mapping, set)):
        ends = list(itertools.islice(value, 3))
        low, high = ends if len(ends) == 2 else (None, None)
    if not _is_number(low) or not _is_number(high) or not low < high:
        _fail("range", _show(value), "two numbers, the second above the first, or None")
    return [_plain(low), _plain(high)]


def _embedding(value: Any) -> dict[str, Any] | None:
    """Complete a choice of the embedding: None or False, True, or fields of an ``EmbeddingSpec``."""
    if value is None or (_is_bool(value) and not value):
        return None
    known = ("model", "window", "views", "layers")
    given = {} if _is_bool(value) else _renamed("embedding.", _mapping("embedding", value))
    for key in given:
        if key not in known:
            _fail(f"embedding.{key}", "is not known", ", ".join(known))
    model = given.get("model", models()[0]["id"])
    if not isinstance(model, str) or not 1 <= len(model) <= built_table("limits.json")["nameLength"]:
        _fail("embedding.model", _show(model), "the name of a model")
    window = given.get("window")
    if window is not None:
        window = _number("embedding.window", window, {**_encoder(model)["window"], "whole": True})
    views = given.get("views", _VIEWS[0])
    if not _is_number(views) or views not in _VIEWS:
        _fail("embedding.views", _show(views), ", ".join(map(str, _VIEWS)))
    layers = given.get("layers", _encoder(model)["defaultLayers"])
    known_layers = encoder_layers(model)
    most = len(known_layers)
    if not isinstance(layers, Sequence) or isinstance(layers, (str, bytes)) or not 1 <= len(layers) <= most:
        _fail("embedding.layers", _show(layers), f"a list of 1 to {most} layers")
    checked = [_layer(f"embedding.layers.{i}", item, known_layers) for i, item in enumerate(layers)]
    if len({item["layer"] for item in checked}) != len(checked):
        _fail("embedding.layers", _show(layers), "each layer once")
    return {"model": model, "window": window, "views": int(views), "layers": checked}


def _layer(path: str, given: Any, known: Mapping[str, int]) -> dict[str, Any]:
    fields = _renamed(f"{path}.", _mapping(path, given, "a mapping with layer and components"))
    layer = fields.get("layer")
    if not isinstance(layer, str) or layer not in known or set(fields) - {"layer", "components"}:
        _fail(f"{path}.layer", _show(layer), ", ".join(known))
    known_range = {"minimum": 1, "maximum": limits("features")["components"], "whole": True}
    return {"layer": layer, "components": _number(f"{path}.components", fields.get("components"), known_range)}


def _mapping(path: str, value: Any, wanted: str = "True, False, or a mapping of its parameters") -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        _fail(path, _show(value), wanted)
    return value


def _renamed(path: str, given: Mapping[Any, Any]) -> dict[str, Any]:
    """Convert names of Python to those of the table."""
    out: dict[str, Any] = {}
    for key, value in given.items():
        name = camel(key) if isinstance(key, str) else _show(key)[3:]
        if name in out:
            _fail(f"{path}{name}", "is there twice", f"{snake(name)} or {name}")
        out[name] = value
    return out


def _is_bool(value: Any) -> bool:
    return isinstance(value, bool) or type(value).__name__ == "bool" or type(value).__name__ == "bool_"


def _is_number(value: Any) -> TypeGuard[float]:
    if not isinstance(value, Real) or _is_bool(value):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def _plain(value: Any) -> float:
    """Convert to a number of JSON: int if it is whole, as JavaScript writes it."""
    number = float(value)
    return int(number) if number == int(number) and abs(number) < 1 << 53 else number


def _show(value: Any) -> str:
    text = repr(value)
    return f"is {text if len(text) <= 80 else f'{text[:77]}…'}"


def _fail(path: str, what: str, wanted: str) -> NoReturn:
    raise ParameterError(f"features{f'.{snake(path)}' if path else ''} {what}; {wanted} will do.")
