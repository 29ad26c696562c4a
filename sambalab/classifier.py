"""A trained classifier, to be kept in a file, handed to other tools, and applied to other images."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt

from . import classifier_files, staging
from .classes import ClassesLike, make_classes
from .client import Client, client
from .errors import ParameterError, SambaLabError
from .features import FeatureSpec
from .forest import Forest
from .images import Image, prepare
from .learners import is_learner

if TYPE_CHECKING:
    from sklearn.ensemble import RandomForestClassifier

    from .features import FeaturesLike

Output = Literal["labels", "probabilities"]
T = TypeVar("T")

FORMAT = "sambalab-classifier"
VERSION = 2
_FIELDS = {
    *("format", "version", "features", "channels", "names", "classes", "pixelSize"),
    *("forest", "samples", "oobScore", "importance", "cuts", "trees"),
}


class Classifier:
    """What `Labeller.train` learned: feature spec, forest and classes. It does not change when its labeller is trained again.

    Not made by hand: take it from `Labeller.classifier`, `Classifier.load` or `Classifier.from_sklearn`.

    Examples
    --------
    >>> lab.classifier.save("alloy.onnx")
    >>> classifier = sl.Classifier.load("alloy.onnx")
    >>> labels = classifier.apply([image, other])
    """

    def __init__(self, data: bytes, info: Mapping[str, Any] | None = None) -> None:
        self._data = data
        if info is not None:
            self._info = dict(info)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Classifier:
        """Read a classifier from a file that `save` wrote: ``.json``, ``.onnx`` or ``.skops``. No code in it is run.

        Raises
        ------
        ParameterError
            If there is no such file, or it is no classifier, or one of a newer version; the message says which value is wrong.
        """
        classifier = cls(classifier_files.read(path))
        classifier._check()
        return classifier

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the classifier to a file; its extension chooses the form.

        Parameters
        ----------
        path
            ``.json``: complete and readable. ``.onnx``: features and forest in one graph, which onnxruntime runs without
            SambaLab, for features that ONNX can express. ``.skops``: a fitted RandomForestClassifier of scikit-learn. `load`
            reads all three.

        Raises
        ------
        ParameterError
            If the extension is another, the file cannot be written, or ONNX cannot express some features, which are named.
        """
        suffix = classifier_files.extension_of(path)
        if suffix == ".skops":
            classifier_files.write_skops(path, self.to_sklearn(), self._data)
        else:
            classifier_files.write(path, self._data if suffix == ".json" else self._convert("onnx"))

    def to_sklearn(self) -> RandomForestClassifier:
        """Give the forest as a fitted RandomForestClassifier of scikit-learn, with the same probabilities for the same features.

        Its input is float32 (pixels, features), as `Labeller.features` or `sambalab.engine.feature_stack` give them; it
        predicts class ids. Numbers of samples and impurities of its nodes are not kept, so its ``feature_importances_`` are no
        numbers; ours are in `feature_importances`.
        """
        from .sklearn_forest import to_forest

        return to_forest(self._forest, self.class_ids, self._document["forest"])

    @classmethod
    def from_sklearn(
        cls,
        forest: Any,
        features: FeaturesLike = "samba",
        classes: ClassesLike | None = None,
        channels: Literal[1, 3] = 1,
    ) -> Classifier:
        """Make a classifier of a forest that scikit-learn has fitted on features of SambaLab.

        Parameters
        ----------
        forest
            A fitted RandomForestClassifier, ExtraTreesClassifier or DecisionTreeClassifier.
        features
            What its columns are: a `FeatureSpec`, or what makes one.
        classes
            Names, or names and colours, in the order of the forest's ``classes_``; ids are those in ``classes_`` where they
            are 1 to 255, else 1, 2, 3…
        channels
            Channels of the images that it is for.

        Raises
        ------
        ParameterError
            If the forest is not fitted, or has another number of features or classes.

        Warns
        -----
        UserWarning
            If a feature has more than 255 different thresholds: they are merged, and a few pixels may be classified otherwise.
        """
        from .sklearn_forest import from_forest

        spec = FeatureSpec.of(features)
        if channels not in (1, 3):
            raise ParameterError(f"channels is {channels!r}; 1 or 3 will do.")
        trees, answers = from_forest(forest)
        names = list(spec.names(channels))
        if len(trees.cuts) != len(names):
            raise ParameterError(
                f"The forest was fitted on {len(trees.cuts)} features; this feature spec has {len(names)} for images of "
                f"{channels} channel{'s' if channels > 1 else ''}."
            )
        if not 1 <= len(answers) <= 255:
            raise ParameterError(f"The forest has {len(answers)} classes; 1 to 255 will do.")
        made = make_classes(classes if classes is not None else [str(answer) for answer in answers.tolist()])
        if len(made) != len(answers):
            raise ParameterError(f"classes names {len(made)} classes; the forest has {len(answers)}.")
        if answers.dtype.kind in "iu" and answers.min() >= 1 and answers.max() <= 255:
            made = [{**item, "id": int(answer)} for item, answer in zip(made, answers.tolist(), strict=True)]
        document = {
            "format": FORMAT,
            "version": VERSION,
            "features": spec.to_dict(),
            "channels": channels,
            "names": names,
            "classes": made,
            "forest": _parameters(forest, len(trees.counts)),
            "samples": max(1, int(getattr(forest, "_n_samples", 1))),
            "oobScore": None,
            "importance": None,
            "pixelSize": None,
            **trees.to_document(),
        }
        classifier = cls(json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8"))
        classifier._check()
        return classifier

    def to_ml_random_forest(self) -> dict[str, Any]:
        """Give the forest as the JSON of the npm package ml-random-forest (``RandomForestClassifier.load`` there).

        Each of its trees has one vote, where ours add up the shares of their leaves: labels differ where trees are in doubt.
        """
        forest: dict[str, Any] = json.loads(self._convert("ml-random-forest"))
        return forest

    @classmethod
    def from_ml_random_forest(
        cls,
        forest: Mapping[str, Any] | str | bytes,
        features: FeaturesLike | None = None,
        classes: ClassesLike | None = None,
        channels: Literal[1, 3] = 1,
    ) -> Classifier:
        """Make a classifier of a forest of the npm package ml-random-forest.

        Parameters
        ----------
        forest
            Its JSON (``toJSON()``), parsed or as text.
        features
            What its columns are: a `FeatureSpec`, or what makes one. None if `to_ml_random_forest` wrote it and says so.
        classes
            Names, or names and colours, of the classes 0, 1, 2… of the forest, which get ids 1, 2, 3…; needed with `features`.
        channels
            Channels of the images that it is for.

        Raises
        ------
        ParameterError
            If it is no such forest, or does not fit the features and classes.
        """
        if isinstance(forest, Mapping):
            data = json.dumps(forest).encode("utf-8")
        elif isinstance(forest, (str, bytes)):
            data = forest.encode("utf-8") if isinstance(forest, str) else forest
        else:
            raise ParameterError(f"The forest is a {type(forest).__name__}; its JSON, parsed or as text, will do.")
        if channels not in (1, 3):
            raise ParameterError(f"channels is {channels!r}; 1 or 3 will do.")
        params: dict[str, Any] = {}
        if features is not None:
            if classes is None:
                raise ParameterError("classes is None; the names of the forest's classes 0, 1, 2… will do.")
            made = make_classes(classes)
            spec = FeatureSpec.of(features).to_dict()
            labels = list(range(len(made)))
            params = {"meaning": {"features": spec, "channels": channels, "classes": made, "labels": labels}}
        reply = _once_more(lambda sidecar: sidecar.request("classifier.read", params, [data]))
        return cls(bytes(reply.buffers[0]), reply.result)

    @property
    def oob_score(self) -> float | None:
        """Fraction of labelled pixels that the trees which did not see them get right; None if every tree saw all."""
        score = self._info["oobScore"]
        return None if score is None else float(score)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the probabilities' last axis."""
        return tuple(str(item["name"]) for item in self._info["classes"])

    @property
    def class_ids(self) -> tuple[int, ...]:
        """Ids of the classes, as they stand in label arrays, in the same order."""
        return tuple(int(item["id"]) for item in self._info["classes"])

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the features, in the order of `Labeller.features`' last axis."""
        return tuple(str(name) for name in self._info["features"])

    @cached_property
    def feature_spec(self) -> FeatureSpec:
        """Which features it sees."""
        return FeatureSpec.from_dict(self._document["features"])

    @property
    def feature_importances(self) -> npt.NDArray[np.float64] | None:
        """Mean decrease of Gini impurity by each feature, float64 (features,), sum 1; None if it is not known."""
        importance = self._info.get("importance")
        return None if importance is None else np.array(importance, dtype=np.float64)

    @property
    def pixel_size(self) -> tuple[float, str] | None:
        """Side of the pixels of the images that it learned from, and its unit; None if nobody said it."""
        size = self._document.get("pixelSize")
        return None if size is None else (float(size["value"]), str(size["unit"]))

    @property
    def n_trees(self) -> int:
        """Number of trees."""
        return int(self._info["trees"])

    @property
    def n_samples(self) -> int:
        """Number of labelled pixels it learned from."""
        return int(self._info["samples"])

    def apply(self, image: Any, output: Output = "labels", *, engine: Literal["sidecar", "python"] = "sidecar") -> Any:
        """Segment other images.

        Parameters
        ----------
        image : array_like, path, or a list or tuple of them
            As `Labeller` takes it; with as many channels as the image that the classifier was trained on. The images of a
            list may differ in shape.
        output
            ``"labels"`` or ``"probabilities"``.
        engine
            ``"sidecar"``: the process that labellers use. ``"python"``: this process, for a cluster's worker say; the same
            bits, and it needs ``sambalab[engine]``.

        Returns
        -------
        ndarray, or a list or tuple of them, as `image` is
            Read-only. Labels: class ids, uint8 (rows, columns), of a stack (slices, rows, columns). Probabilities: float32,
            one more axis for the classes, sums of 1.

        Raises
        ------
        ImageError
            If it is no image.
        ParameterError
            If `output` is something else, or the number of channels is not that of the training.
        """
        if output not in ("labels", "probabilities"):
            raise ParameterError(f"output is {output!r}; 'labels' or 'probabilities' will do.")
        if engine not in ("sidecar", "python"):
            raise ParameterError(f"engine is {engine!r}; 'sidecar' or 'python' will do.")
        one = self._apply_here if engine == "python" else self._apply_in_sidecar
        if isinstance(image, (list, tuple)) and len(image) > 0 and all(_is_image(item) for item in image):
            results = [one(prepare(item), output) for item in image]
            return tuple(results) if isinstance(image, tuple) else results
        return one(prepare(image), output)

    def _apply_in_sidecar(self, image: Image, output: Output) -> npt.NDArray[Any]:
        def work(sidecar: Client) -> npt.NDArray[Any]:
            staged = staging.stage(sidecar, image.pixels)
            try:
                reply = sidecar.request("classifier.apply", {"staged": staged, "output": output}, [self._data])
                return staging.take(sidecar, reply.result)
            finally:
                staging.release(sidecar, staged)

        result = _once_more(work)
        return result if image.stack else result[0]

    def _apply_here(self, image: Image, output: Output) -> npt.NDArray[Any]:
        from .engine import apply_classifier

        result: npt.NDArray[Any] = apply_classifier(self._data, image.pixels, output)
        result.flags.writeable = False
        return result if image.stack else result[0]

    def _convert(self, form: str) -> bytes:
        """Let the sidecar write it in another form."""
        return _once_more(
            lambda sidecar: bytes(sidecar.request("classifier.convert", {"format": form}, [self._data]).buffers[0])
        )

    def _check(self) -> None:
        """Raise ParameterError unless everything in it fits together."""
        _ = self._info, self._forest

    @cached_property
    def _document(self) -> dict[str, Any]:
        return classifier_files.document_of(self._data)

    @cached_property
    def _info(self) -> dict[str, Any]:
        document = self._document
        if document.get("format") != FORMAT:
            raise ParameterError("This is JSON, but not a classifier of SambaLab.")
        version = document.get("version")
        if type(version) is not int or version not in (1, VERSION):
            raise ParameterError(
                f"The classifier is of version {version!r}, which this version of SambaLab does not know; it reads 1 and "
                f"{VERSION}."
            )
        classes, channels, samples = document.get("classes"), document.get("channels"), document.get("samples")
        names, forest, score = document.get("names"), document.get("forest"), document.get("oobScore")
        _expect(type(channels) is int and channels in (1, 3), "channels", channels)
        _expect(
            isinstance(classes, list) and 1 <= len(classes) <= 255 and all(map(_is_class, classes)), "classes", classes
        )
        _expect(len({item["id"] for item in classes or []}) == len(classes or []), "classes", classes)
        _expect(type(samples) is int and 0 < samples < 1 << 53, "samples", samples)
        _expect(is_learner(forest), "forest", forest)
        _expect(score is None or (_is_number(score) and 0 <= score <= 1), "oobScore", score)
        spec = document.get("features")
        _expect(isinstance(spec, dict), "features", spec)
        expected = list(FeatureSpec.from_dict(spec or {}).names(channels or 1))
        _expect(names == expected, "names", names)
        importance = document.get("importance")
        known = isinstance(importance, list) and len(importance) == len(expected)
        known = known and all(_is_number(share) and 0 <= share <= 1 for share in importance or [])
        _expect(importance is None or known, "importance", importance)
        size: Any = document.get("pixelSize")
        known = (
            isinstance(size, dict)
            and set(size) == {"value", "unit"}
            and _is_number(size["value"])
            and size["value"] > 0
        )
        known = known and isinstance(size["unit"], str) and 1 <= len(size["unit"]) <= 20
        _expect(size is None or known, "pixelSize", size)
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
            "importance": importance,
        }

    @cached_property
    def _forest(self) -> Forest:
        return Forest.from_document(self._document, len(self.feature_names), len(self.class_ids))

    def __repr__(self) -> str:
        score = "none" if self.oob_score is None else f"{self.oob_score:.3f}"
        return (
            f"Classifier({', '.join(self.classes)}: {self.n_trees} trees on {len(self.feature_names)} features, "
            f"{self.n_samples:,} labelled pixels, out-of-bag score {score})"
        )


def _once_more(work: Callable[[Client], T]) -> T:
    """Do it, and once more if the sidecar went away meanwhile: what is staged goes with its sidecar."""
    sidecar = client()
    for attempt in range(2):
        instance = sidecar.instance
        try:
            return work(sidecar)
        except SambaLabError:
            if attempt or not instance or sidecar.instance == instance:
                raise
    raise AssertionError("unreachable")


def _is_image(item: Any) -> bool:
    """Whether an item of a list is an image by itself, rather than a row of one."""
    if isinstance(item, (str, os.PathLike)):
        return True
    return np.ndim(item) >= 2


def _is_class(item: Any) -> bool:
    return (
        isinstance(item, dict)
        and set(item) == {"id", "name", "color"}
        and type(item["id"]) is int
        and 1 <= item["id"] <= 255
        and isinstance(item["name"], str)
        and 1 <= len(item["name"]) <= 200
        and isinstance(item["color"], str)
        and re.fullmatch(r"#[0-9a-f]{6}", item["color"]) is not None
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _expect(fits: bool, name: str, value: Any) -> None:
    if not fits:
        text = repr(value)
        shown = text if len(text) <= 80 else f"{text[:77]}…"
        raise ParameterError(f"This is not a classifier of SambaLab, or it was damaged: {name} is {shown}.")


def _parameters(forest: Any, trees: int) -> dict[str, Any]:
    """Give the protocol's ``ForestParams`` as far as scikit-learn's parameters have them."""
    depth = getattr(forest, "max_depth", None)
    max_features = getattr(forest, "max_features", None)
    leaf = getattr(forest, "min_samples_leaf", 1)
    seed = getattr(forest, "random_state", None)
    return {
        "trees": min(trees, 2000),
        "maxDepth": min(depth, 64) if isinstance(depth, int) else 64,
        "maxFeatures": max_features if type(max_features) is int and max_features >= 1 else "sqrt",
        "minLeaf": leaf if isinstance(leaf, int) else 1,
        "balanced": getattr(forest, "class_weight", None) is not None,
        "maxSamples": None,
        "seed": seed if type(seed) is int and 0 <= seed < 1 << 32 else 0,
    }
