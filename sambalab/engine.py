"""SambaLab's engine in Python: features and classifiers without a sidecar, in scripts and on the workers of a cluster.

It runs the same ``engine.wasm`` as the sidecar, by wasmtime (``pip install sambalab[engine]``), and gives the same bits for any
tiles and any number of threads. ``sambalab.wasm`` does the work.

>>> from sambalab import FeatureSpec, engine
>>> stack = engine.feature_stack(image, FeatureSpec("weka", median=True))
>>> classifier = engine.train(image, labels, ["matrix", "pore"])
>>> labels = engine.apply_classifier(classifier, image)
"""

from __future__ import annotations

from typing import Any, Literal

import numpy.typing as npt

from .classifier import Classifier
from .files.images import ImageLike, Index
from .files.other_images import warn_of_differences
from .spec.classes import ClassesLike
from .spec.classifier_document import ClassifierDocument
from .spec.errors import ParameterError
from .spec.features import FeaturesLike
from .spec.learners import complete_learner, is_boosting
from .wasm.api import apply_document, feature_stack, intensity, quantise
from .wasm.embedding import EmbeddingLike
from .wasm.engine import Engine
from .wasm.forest import Output
from .wasm.stack import image_of
from .wasm.training import train_document

__all__ = ["Engine", "apply_classifier", "feature_stack", "intensity", "quantise", "train"]

#: A classifier, or its JSON as `Classifier.save` writes it.
ClassifierLike = Classifier | bytes | str


def apply_classifier(
    classifier: ClassifierLike,
    image: ImageLike,
    output: Output = "labels",
    *,
    tile: int | None = None,
    threads: int | None = None,
    out: npt.NDArray[Any] | None = None,
    embedding: EmbeddingLike | None = None,
    axes: str | None = None,
    series: int | None = None,
    index: Index | None = None,
) -> npt.NDArray[Any]:
    """Segment an image, with the same bits as `Classifier.apply`.

    Parameters
    ----------
    classifier
        A `Classifier`, or its JSON, which is checked.
    image : array_like or path
        See `Labeller`; with the classifier's number of channels. Also (slices, rows, columns, 1 or 3).
    output
        ``"labels"``, ``"probabilities"`` or ``"uncertainty"``.
    tile, threads, out, embedding, axes, series, index
        See `feature_stack`.

    Returns
    -------
    ndarray
        Labels: class ids, uint8 (rows, columns), of a stack (slices, rows, columns). Probabilities: float32, with a last axis
        for the classes, along which they add up to 1. Uncertainty: float32 of the labels' shape, 1 − (highest − second highest
        probability).

    Raises
    ------
    ImageError
        If this is not an image.
    ParameterError
        If the classifier is damaged, the image has another number of channels, or a parameter is out of range.
    EngineError
        If wasmtime is not installed, or memory runs out.

    Warns
    -----
    SambaLabWarning
        As `Classifier.apply`.
    """
    data, prepared = _json_of(classifier), image_of(image, axes, series, index)
    result = apply_document(
        data,
        prepared,
        output,
        tile=tile,
        threads=threads,
        out=out,
        embedding=embedding,
    )
    warn_of_differences(ClassifierDocument(data), prepared, prepared.pixel_size)
    return result


def train(
    image: ImageLike,
    labels: npt.ArrayLike,
    classes: ClassesLike | None = None,
    features: FeaturesLike = "samba",
    *,
    preset: Literal["samba", "deep"] | None = None,
    trees: int | None = None,
    max_depth: int | None = None,
    max_features: int | Literal["sqrt"] | None = None,
    min_leaf: int | None = None,
    balanced: bool | None = None,
    max_samples: int | Literal["all"] | None = None,
    seed: int | None = None,
    refine: int | None = None,
    threads: int | None = None,
    axes: str | None = None,
    series: int | None = None,
    index: Index | None = None,
) -> Classifier:
    """Grow a forest on labelled pixels: the same forest as `Labeller.train` for the same image, labels and parameters.

    Unlike `Labeller.train`, it defaults to features and preset ``"samba"``, because no encoder runs here that could compute an
    embedding.

    Parameters
    ----------
    image : array_like or path
        See `Labeller`.
    labels : array_like
        Class ids, integers (rows, columns), of a stack (slices, rows, columns); 0 is unlabelled, and so are masked pixels.
    classes
        Names of the classes with ids 1, 2, 3…, or a mapping from names to colours. None names them by numbers.
    features
        A `FeatureSpec`, the name of a set, or a mapping, without an embedding.
    preset
        ``"samba"`` or ``"deep"``; None is ``"samba"``.
    trees, max_depth, max_features, min_leaf, balanced, max_samples, seed, refine
        See `Labeller.train`. They replace values of the preset.
    threads
        Number of threads; None: one per core, at most 16. The forest does not depend on it.
    axes, series, index
        See `Labeller`.

    Returns
    -------
    Classifier

    Raises
    ------
    ImageError
        If this is not an image.
    LabelError
        If labels do not fit the image or the classes, or fewer than two classes are labelled.
    ParameterError
        If a parameter is out of range, or the features have an embedding.
    EngineError
        If wasmtime is not installed, or memory runs out.
    """
    given = {
        "preset": preset or "samba",
        "trees": trees,
        "max_depth": max_depth,
        "max_features": max_features,
        "min_leaf": min_leaf,
        "balanced": balanced,
        "max_samples": max_samples,
        "seed": seed,
        "refine": refine,
    }
    forest = complete_learner(given)
    if is_boosting(forest):
        raise ParameterError("preset is 'boosting', which Labeller.train grows; 'samba' or 'deep' will do here.")
    return Classifier(train_document(image, labels, classes, features, forest, threads, axes, series, index))


def _json_of(classifier: Any) -> bytes:
    if isinstance(classifier, Classifier):
        return classifier.document.data
    if isinstance(classifier, str):
        return classifier.encode("utf-8", "surrogatepass")
    if isinstance(classifier, (bytes, bytearray, memoryview)):
        return bytes(classifier)
    raise ParameterError(f"classifier is {type(classifier).__name__}; a Classifier or its JSON will do.")
