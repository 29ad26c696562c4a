"""A classifier's JSON: the format, and the checks that it passes before anything in it is used.

``engine/core/classifier.ts`` defines the format and makes the same checks.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np

from .errors import ParameterError
from .features import FeatureSpec
from .forest import Forest
from .learners import is_boosting, is_learner
from .tables import limits, parameter_limits
from .trained_on import TrainedOn

FORMAT = "sambalab-classifier"
VERSION = 1

_FIELDS = {
    *("format", "version", "features", "channels", "names", "classes", "pixelSize", "trainedOn", "embedding"),
    *("forest", "samples", "oobScore", "scores", "importance", "scale", "cuts", "trees"),
}
_DTYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64")
_LAYER_FIELDS = {"layer", "channels", "components", "mean", "matrix"}


class ClassifierDocument:
    """A classifier's JSON. It is parsed and checked part by part, when a part is first used; `check` checks all of it.

    Parameters
    ----------
    data
        The JSON in UTF-8.
    info
        The sidecar's ``ClassifierInfo`` of this classifier, if the sidecar sent it along. `info` then needs no parsing.

    Raises
    ------
    ParameterError
        By the properties: if this is not a classifier, or a damaged one. The message names the wrong value.
    """

    def __init__(self, data: bytes, info: Mapping[str, Any] | None = None) -> None:
        self.data = data
        if info is not None:
            self.info = dict(info)

    @classmethod
    def make(
        cls,
        *,
        spec: FeatureSpec,
        channels: int,
        classes: list[dict[str, Any]],
        learner: Mapping[str, Any],
        forest: Forest,
        samples: int,
        embedding: Mapping[str, Any] | None = None,
        **known: Any,
    ) -> ClassifierDocument:
        """Write the document of a classifier, and check it.

        Parameters
        ----------
        spec
            The features, with a window if there is an embedding.
        channels
            Channels of the images, 1 or 3.
        classes
            The protocol's ``zClass`` of each class.
        learner
            How the trees were grown, the protocol's ``LearnerParams``.
        forest
            Trees and cuts.
        samples
            Number of labelled pixels that the trees learned from.
        embedding
            How the embedding is reduced: model, digest and layers.
        **known
            ``trainedOn``, ``oobScore``, ``scores``, ``importance``; None if left out.
        """
        fields = {
            "format": FORMAT,
            "version": VERSION,
            "features": spec.to_dict(),
            "channels": channels,
            "names": list(spec.names(channels)),
            "classes": classes,
            "pixelSize": None,
            "trainedOn": None,
            "forest": learner,
            "samples": samples,
            "oobScore": None,
            "scores": None,
            "importance": None,
            "embedding": embedding,
            "scale": forest.scale,
            **known,
            **forest.to_document(),
        }
        document = cls(json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode("utf-8"))
        document.check()
        return document

    def check(self) -> None:
        """Raise ParameterError unless everything in the document fits together."""
        _ = self.info, self.forest

    @cached_property
    def fields(self) -> dict[str, Any]:
        """The parsed JSON, not yet checked."""
        return _parse(self.data)

    @cached_property
    def info(self) -> dict[str, Any]:
        """The protocol's ``ClassifierInfo``, without what only a session knows."""
        return _info_of(self.fields)

    @cached_property
    def spec(self) -> FeatureSpec:
        """The features."""
        return spec_of(self.fields)

    @cached_property
    def forest(self) -> Forest:
        """Trees and cuts."""
        return Forest.from_document(self.fields, len(self.info["features"]), len(self.class_ids))

    @property
    def channels(self) -> int:
        """Channels of the images that the classifier is for, 1 or 3."""
        return int(self.fields["channels"])

    @property
    def class_ids(self) -> tuple[int, ...]:
        """Ids of the classes, in the order of the votes."""
        return tuple(int(item["id"]) for item in self.info["classes"])

    @property
    def learner(self) -> Mapping[str, Any]:
        """How the trees were grown: the protocol's ``LearnerParams``."""
        learner: Mapping[str, Any] = self.info["forest"]
        return learner

    @property
    def refine(self) -> int:
        """Radius in pixels of the filter that refines probabilities; 0 if they are not refined."""
        return int(self.learner.get("refine", 0))

    @property
    def basis(self) -> Mapping[str, Any] | None:
        """How the embedding is reduced: model, digest and layers; None without an embedding."""
        basis: Mapping[str, Any] | None = self.fields.get("embedding")
        return basis

    @property
    def pixel_size(self) -> tuple[float, str] | None:
        """Side of a pixel and its unit; None if unknown."""
        size = self.fields.get("pixelSize")
        return None if size is None else (float(size["value"]), str(size["unit"]))

    @property
    def trained_on(self) -> TrainedOn | None:
        """Dtypes and grey values of the images trained on; None if unknown."""
        known = self.fields.get("trainedOn")
        return None if known is None else TrainedOn(tuple(known["dtypes"]), float(known["low"]), float(known["high"]))


def _parse(data: bytes) -> dict[str, Any]:
    # Large arrays in the JSON are base64 text, so a low number of values bounds the memory that parsing takes.
    values = sum(map(data.count, (b",", b":", b"[", b"{")))
    known = limits("classifier")
    if len(data) > known["bytes"] or values > known["values"]:
        raise ParameterError(
            f"This is not a classifier of SambaLab, or it was damaged: it has {len(data):,} bytes and {values:,} values; at most "
            f"{known['bytes']:,} and {known['values']:,} will do."
        )
    try:
        document = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ParameterError(
            f"This is not a classifier of SambaLab, or it was damaged: it is not JSON ({error})."
        ) from None
    if not isinstance(document, dict):
        raise ParameterError("This is not a classifier of SambaLab: it is JSON, but no object.")
    return document


def _info_of(document: Mapping[str, Any]) -> dict[str, Any]:
    """Check the document without its trees and cuts, which `Forest.from_document` checks."""
    if document.get("format") != FORMAT:
        raise ParameterError("This is JSON, but not a classifier of SambaLab.")
    version = document.get("version")
    if type(version) is not int or version != VERSION:
        raise ParameterError(f"This classifier's version is {version!r}; {VERSION} will do. Another SambaLab made it.")
    missing = sorted(_FIELDS - set(document))
    _expect(not missing, "the list of missing fields", missing)
    classes, channels, samples = document.get("classes"), document.get("channels"), document.get("samples")
    names, forest, score = document.get("names"), document.get("forest"), document.get("oobScore")
    _expect(type(channels) is int and channels in (1, 3), "channels", channels)
    _expect(
        isinstance(classes, list) and 1 <= len(classes) <= limits("classes")["count"] and all(map(_is_class, classes)),
        "classes",
        classes,
    )
    ids = [item["id"] for item in classes or []]
    _expect(len(set(ids)) == len(ids), "classes", classes)
    _expect(type(samples) is int and 0 < samples < 1 << 53, "samples", samples)
    _expect(is_learner(forest), "forest", forest)
    _expect(score is None or (is_number(score) and 0 <= score <= 1), "oobScore", score)
    spec = document.get("features")
    _expect(isinstance(spec, dict), "features", spec)
    chosen = spec_of(document)
    expected = list(chosen.names(channels or 1))
    _expect(names == expected, "names", names)
    importance = document.get("importance")
    known = isinstance(importance, list) and len(importance) == len(expected)
    known = known and all(is_number(share) and 0 <= share <= 1 for share in importance or [])
    _expect(importance is None or known, "importance", importance)
    _check_pixel_size(document.get("pixelSize"))
    _check_trained_on(document.get("trainedOn"))
    _check_scores(document.get("scores"), len(ids))
    scale: Any = document.get("scale")
    fits = _is_scale(scale) if is_boosting(forest or {}) else scale is None
    _expect(fits, "scale", scale)
    embedding = _embedding(document.get("embedding"), chosen)
    unknown = sorted(set(document) - _FIELDS)
    _expect(not unknown, "the field", unknown)
    trees = document.get("trees")
    counts = trees.get("counts") if isinstance(trees, dict) else None
    return {
        "oobScore": score,
        "classes": classes,
        "features": expected,
        "trees": len(counts) if isinstance(counts, list) else 0,
        "samples": samples,
        "forest": forest,
        "scores": document.get("scores"),
        "embedding": embedding,
        "importance": importance,
    }


def spec_of(document: Mapping[str, Any]) -> FeatureSpec:
    """Give the features of a classifier's JSON."""
    return FeatureSpec.from_dict(document["features"])


def _is_scale(value: Any) -> bool:
    """Whether this is a valid scale of boosted trees."""
    known = limits("classifier", "scale")
    return is_number(value) and bool(known["minimum"] <= value <= known["maximum"])


def is_number(value: Any) -> bool:
    """Whether the value is a finite number."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _check_pixel_size(size: Any) -> None:
    known = isinstance(size, dict) and set(size) == {"value", "unit"} and is_number(size["value"]) and size["value"] > 0
    known = (
        known
        and isinstance(size["unit"], str)
        and 1 <= len(size["unit"]) <= parameter_limits("pixelSize")["unit"]["maxLength"]
    )
    _expect(size is None or known, "pixelSize", size)


def _check_trained_on(known: Any) -> None:
    if known is None:
        return
    _expect(isinstance(known, dict) and set(known) == {"dtypes", "low", "high"}, "trainedOn", known)
    dtypes = known["dtypes"]
    fits = isinstance(dtypes, list) and 1 <= len(dtypes) <= len(_DTYPES) and all(name in _DTYPES for name in dtypes)
    _expect(fits, "trainedOn.dtypes", dtypes)
    ordered = is_number(known["low"]) and is_number(known["high"]) and known["low"] < known["high"]
    _expect(ordered, "trainedOn", known)


def _check_scores(scores: Any, classes: int) -> None:
    if scores is None:
        return
    _expect(isinstance(scores, dict) and set(scores) == {"source", "confusion"}, "scores", scores)
    _expect(scores["source"] in ("out-of-bag", "held-out"), "scores.source", scores["source"])
    confusion = scores["confusion"]
    fits = isinstance(confusion, list) and len(confusion) == classes
    fits = fits and all(isinstance(row, list) and len(row) == classes for row in confusion)
    fits = fits and all(type(count) is int and 0 <= count < 1 << 53 for row in confusion for count in row)
    _expect(fits, "scores.confusion", confusion)


def _embedding(given: Any, spec: FeatureSpec) -> dict[str, str] | None:
    """Check how the embedding is reduced against the spec, and give its model and digest."""
    if spec.embedding is None:
        _expect(given is None, "embedding", given)
        return None
    _expect(spec.embedding["window"] is not None, "features.embedding.window", None)
    _expect(isinstance(given, dict) and set(given) == {"model", "digest", "layers"}, "embedding", given)
    model, digest, layers = given["model"], given["digest"], given["layers"]
    _expect(model == spec.embedding["model"], "embedding.model", model)
    _expect(isinstance(digest, str) and re.fullmatch(r"[0-9a-f]{64}", digest) is not None, "embedding.digest", digest)
    wanted = spec.embedding["layers"]
    _expect(isinstance(layers, list) and len(layers) == len(wanted), "embedding.layers", layers)
    for number, (layer, own) in enumerate(zip(layers, wanted, strict=True)):
        path = f"embedding.layers.{number}"
        _expect(isinstance(layer, dict) and set(layer) == _LAYER_FIELDS, path, layer)
        channels = layer["channels"]
        _expect(all(layer[name] == own[name] for name in ("layer", "components")), path, layer)
        _expect(
            type(channels) is int and 1 <= channels <= limits("classifier")["layerChannels"],
            f"{path}.channels",
            channels,
        )
        for name, count in (("mean", channels), ("matrix", own["components"] * channels)):
            _expect(_is_floats(layer[name], count), f"{path}.{name}", layer[name])
    return {"model": model, "digest": digest}


def _is_floats(text: Any, count: int) -> bool:
    """Whether the text is base64 of `count` finite float32 numbers."""
    try:
        data = base64.b64decode(text, validate=True) if isinstance(text, str) else b""
    except (binascii.Error, ValueError):
        return False
    return len(data) == count * 4 and bool(np.isfinite(np.frombuffer(data, "<f4")).all())


def _is_class(item: Any) -> bool:
    return (
        isinstance(item, dict)
        and set(item) == {"id", "name", "color"}
        and type(item["id"]) is int
        and 1 <= item["id"] <= limits("classes")["count"]
        and isinstance(item["name"], str)
        and 1 <= len(item["name"]) <= limits("classes")["nameLength"]
        and isinstance(item["color"], str)
        and re.fullmatch(r"#[0-9a-f]{6}", item["color"]) is not None
    )


def _expect(fits: bool, name: str, value: Any) -> None:
    if not fits:
        text = repr(value)
        shown = text if len(text) <= 80 else f"{text[:77]}…"
        raise ParameterError(f"This is not a classifier of SambaLab, or it was damaged: {name} is {shown}.")
