"""`FeatureSpec`: the features of a classifier."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal, Union

import numpy as np
import numpy.typing as npt

from .errors import ParameterError
from .feature_table import (
    COLORS,
    OP_NUMBERS,
    FeatureOp,
    Spec,
    complete,
    default_set,
    embedding_names,
    families,
    needs_range,
    ops,
    snake,
    table,
    window_of,
)

#: A feature spec, the name of a set, or a mapping of a spec's fields.
FeaturesLike = Union["FeatureSpec", str, Mapping[str, Any]]


class FeatureSpec:
    """The features of a classifier: the families of a named set, with changes. Immutable.

    Parameters
    ----------
    set
        ``"samba"``, ``"weka"`` or ``"sam"``: the set to start from. ``"sam"`` has the families of ``"samba"`` on standardised
        pixels, and an embedding. None is ``"sam"``, the default of the widget, too.
    sigmas
        Scales σ in pixels, ascending, at most 16 from 0.1 to 64, for all families without their own: the standard deviation of
        a Gaussian, the radius of a disc, the distance of a neighbour. The sets have 1, 2, 4, 8 and 16.
    sigma_scale
        Standard deviation of the Gaussians per σ, 0.1 to 1, in the families that smooth: 1 in the set ``samba``, 0.4 in
        ``weka``, as in Trainable Weka Segmentation.
    color
        For images of three channels: features of each channel (``"channels"``), or of the ``"luminance"``.
    range
        The values that families of 256 grey levels take as 0 and 255. None: the values that the widget shows as black and
        white, 0 and 255 for uint8, else the 0.1 and 99.9 percentile of the image, without hot and dead pixels.
    standardise
        Whether pixels are standardised by the image's mean and standard deviation, to 127.5 + 42.5 (value − mean) / deviation,
        so that brightness and contrast of the microscope do not matter. Hot and dead pixels, more than 10 standard deviations
        away, do not count, and are drawn in. None: as in the set.
    embedding
        Further features: the embedding of SAM's encoder, reduced to a few principal components. True, False or None, or a
        mapping with ``model`` (a model's name; by default the one that the sidecar runs), ``window`` (side in pixels of the
        square that fills the encoder's frame, a whole number from 128 to 1024; None lets the first image decide: its longest
        side, within these limits) and ``layers``, a list of mappings with ``layer`` (``"stage1"``, ``"stage2"``, ``"stage3"``,
        ``"output"``) and ``components`` (1 to 64). ``"set"``: as in the set.
    **families
        A family's name with True or a mapping of its parameters, to add it, or with False or None, to leave it out.
        `FeatureSpec.families_known` lists the families.

    Raises
    ------
    ParameterError
        If a value is invalid. The message names it and the valid values.

    Examples
    --------
    >>> spec = FeatureSpec("weka", median=True, membrane=False, entropy={"bins": [32]}, gaussian={"sigmas": [1, 2]})
    >>> spec.count()
    77
    """

    __slots__ = ("_key", "_spec")

    _key: str
    _spec: Spec

    def __init__(
        self,
        set: str | None = None,
        *,
        sigmas: Sequence[float] | None = None,
        sigma_scale: float | None = None,
        color: Literal["channels", "luminance"] | None = None,
        range: tuple[float, float] | None = None,
        standardise: bool | None = None,
        embedding: bool | Mapping[str, Any] | Literal["set"] | None = "set",
        **families: bool | Mapping[str, Any] | None,
    ) -> None:
        given: dict[str, Any] = {"set": default_set() if set is None else set, **families}
        if not (isinstance(embedding, str) and embedding == "set"):
            given["embedding"] = embedding
        for name, value in (
            ("sigmas", sigmas),
            ("sigma_scale", sigma_scale),
            ("color", color),
            ("range", range),
            ("standardise", standardise),
        ):
            if value is not None:
                given[name] = value
        self._take(complete(given))

    def _take(self, spec: Spec) -> None:
        object.__setattr__(self, "_spec", spec)
        object.__setattr__(self, "_key", json.dumps(spec, sort_keys=True))

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> FeatureSpec:
        """Read a spec, whole or in part; the default set stands behind it, or that named by ``set``.

        With ``families`` there is no embedding, unless ``embedding`` names one.

        Raises
        ------
        ParameterError
            If a value is invalid. The message names it and the valid values.
        """
        if not isinstance(fields, Mapping):
            raise ParameterError(f"{fields!r} is not a feature spec; a mapping of its fields will do.")
        spec = cls.__new__(cls)
        spec._take(complete(fields))
        return spec

    @classmethod
    def of(cls, features: FeaturesLike) -> FeatureSpec:
        """Make a spec of a spec, the name of a set, or a mapping (see `from_dict`).

        Raises
        ------
        ParameterError
            If this is none of them, or a value is invalid.
        """
        if isinstance(features, cls):
            return features
        if isinstance(features, str):
            return cls(features)
        if isinstance(features, Mapping):
            return cls.from_dict(features)
        sets = ", ".join(repr(name) for name in table()["sets"])
        raise ParameterError(f"features is {features!r}; a FeatureSpec, {sets} or a mapping will do.")

    @staticmethod
    def families_known() -> tuple[str, ...]:
        """Give the names of all families, the keywords of `FeatureSpec`."""
        return tuple(snake(family["name"]) for family in families())

    def to_dict(self) -> dict[str, Any]:
        """Give the complete spec as JSON has it."""
        return copy.deepcopy(self._spec)

    @property
    def sigmas(self) -> tuple[float, ...]:
        """Scales in pixels of the families without their own."""
        return tuple(self._spec["sigmas"])

    @property
    def sigma_scale(self) -> float:
        """Standard deviation of the Gaussians per σ."""
        return float(self._spec["sigmaScale"])

    @property
    def color(self) -> str:
        """``"channels"`` or ``"luminance"``."""
        return str(self._spec["color"])

    @property
    def range(self) -> tuple[float, float] | None:
        """Values that families of 256 grey levels take as 0 and 255; None: those of the image."""
        return tuple(self._spec["range"]) if self._spec["range"] else None

    @property
    def standardise(self) -> bool:
        """Whether pixels are standardised by the image's mean and standard deviation, without outliers."""
        return bool(self._spec["standardise"])

    @property
    def families(self) -> Mapping[str, Mapping[str, Any]]:
        """The families with their parameters."""
        return MappingProxyType({snake(name): copy.copy(own) for name, own in self._spec["families"].items()})

    @property
    def embedding(self) -> Mapping[str, Any] | None:
        """``model``, ``window`` (None: that of the image) and ``layers`` of the embedding; None without one."""
        embedding = self._spec["embedding"]
        return None if embedding is None else MappingProxyType(copy.deepcopy(embedding))

    def needs_range(self) -> bool:
        """Whether one of the families works on 256 grey levels."""
        return needs_range(self._spec)

    def with_range(self, low: float, high: float) -> FeatureSpec:
        """Give the same spec with these values as the grey levels 0 and 255."""
        return FeatureSpec.from_dict({**self._spec, "range": [low, high]})

    def with_window(self, rows: int, columns: int) -> FeatureSpec:
        """Give the same spec with the window of an image of this size, if the embedding's window is None."""
        embedding = self._spec["embedding"]
        if embedding is None or embedding["window"] is not None:
            return self
        window = window_of(embedding["model"], rows, columns)
        return FeatureSpec.from_dict({**self._spec, "embedding": {**embedding, "window": window}})

    def names(self, channels: int = 1) -> tuple[str, ...]:
        """Give the names of the features of an image with `channels` channels, in the order of the stack's last axis.

        First the features of the families, channel by channel, then those of the embedding, ``SAM 1``, ``SAM 2``, ….
        """
        names = tuple(name for op in self.ops() for name in op.names)
        if self.planes(channels) != 1:
            names = tuple(f"{color}: {name}" for color in COLORS[:channels] for name in names)
        return (*names, *embedding_names(self._spec))

    def count(self, channels: int = 1) -> int:
        """Give the number of features of an image with `channels` channels."""
        return self.planes(channels) * sum(len(op.names) for op in self.ops()) + len(embedding_names(self._spec))

    def planes(self, channels: int = 1) -> int:
        """Give the number of planes from which features are computed: the image's channels, or 1 for its luminance."""
        if isinstance(channels, bool) or channels not in (1, 3):
            raise ParameterError(f"channels is {channels!r}; 1 or 3 will do.")
        return 1 if self._spec["color"] == "luminance" else int(channels)

    def ops(self) -> tuple[FeatureOp, ...]:
        """Give the operations on one plane, in the order of the stack."""
        return tuple(ops(self._spec))

    @property
    def program(self) -> npt.NDArray[np.float64]:
        """The kernels' program for a plane: float64 (operations, 8), each the number of its kernel and the arguments."""
        listed = self.ops()
        program = np.zeros((len(listed), OP_NUMBERS))
        for row, op in zip(program, listed, strict=True):
            row[: 1 + len(op.args)] = (op.op, *op.args)
        return program

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FeatureSpec) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("A FeatureSpec is immutable; make another one.")

    def __delattr__(self, name: str) -> None:
        raise AttributeError("A FeatureSpec is immutable; make another one.")

    def __reduce__(self) -> tuple[Any, ...]:
        return FeatureSpec.from_dict, (self.to_dict(),)

    def __repr__(self) -> str:
        """Give the shortest call that makes this spec."""
        calls = [", ".join([repr(name), *self._differences(name)]) for name in table()["sets"]]
        return f"FeatureSpec({min(calls, key=len)})"

    def _differences(self, set_name: str) -> Iterator[str]:
        spec, base = self._spec, complete({"set": set_name})
        for name in ("sigmas", "sigmaScale", "color", "range", "standardise"):
            if spec[name] != base[name]:
                yield f"{snake(name)}={spec[name]!r}"
        embedding = spec["embedding"]
        if embedding != base["embedding"]:
            full = complete({"set": set_name, "embedding": True})["embedding"]
            yield f"embedding={True if embedding == full else embedding!r}"
        for family in families():
            name = family["name"]
            own, normal = spec["families"].get(name), base["families"].get(name)
            if own is None:
                if normal is not None:
                    yield f"{snake(name)}=False"
                continue
            defaults = complete({"families": {name: True}})["families"][name]
            changed = {snake(key): value for key, value in own.items() if value != defaults.get(key)}
            if changed or normal is None:
                yield f"{snake(name)}={changed or True!r}"
