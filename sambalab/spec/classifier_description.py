"""`ClassifierDescription`: what a classifier says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from .classifier_document import ClassifierDocument
from .features import FeatureSpec
from .learners import is_boosting
from .scores import Scores, scores_of
from .trained_on import TrainedOn


class EmbeddingModel(NamedTuple):
    """The model whose embedding a classifier uses.

    Attributes
    ----------
    model
        The model's name.
    digest
        SHA-256 of the encoder's file, in hexadecimal.
    """

    model: str
    digest: str


class ClassifierDescription:
    """A base of `Classifier`: its document, and the properties that are read from it."""

    def __init__(self, document: ClassifierDocument | bytes, info: Mapping[str, Any] | None = None) -> None:
        self._document = document if isinstance(document, ClassifierDocument) else ClassifierDocument(document, info)

    @property
    def document(self) -> ClassifierDocument:
        """The classifier's JSON."""
        return self._document

    @property
    def kind(self) -> Literal["forest", "boosting"]:
        """``"forest"``, or ``"boosting"`` for boosted trees."""
        return "boosting" if is_boosting(self._document.learner) else "forest"

    @property
    def scores(self) -> Scores | None:
        """Confusion, recall, precision and IoU on labelled pixels that the trees had not seen; None if unknown."""
        return scores_of(self._document.info["classes"], self._document.info.get("scores"))

    @property
    def embedding_model(self) -> EmbeddingModel | None:
        """The model whose embedding is among the features; None without an embedding."""
        model = self._document.info.get("embedding")
        return None if model is None else EmbeddingModel(str(model["model"]), str(model["digest"]))

    @property
    def oob_score(self) -> float | None:
        """Share of labelled pixels that are classified correctly by the trees that had not seen them, 0 to 1.

        None if every tree saw all pixels, and for boosted trees; see `scores`.
        """
        score = self._document.info["oobScore"]
        return None if score is None else float(score)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the probabilities' last axis."""
        return tuple(str(item["name"]) for item in self._document.info["classes"])

    @property
    def class_ids(self) -> tuple[int, ...]:
        """Ids of the classes, their values in label arrays, in the same order."""
        return self._document.class_ids

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the features, in the order of `Labeller.features`' last axis."""
        return tuple(str(name) for name in self._document.info["features"])

    @property
    def feature_spec(self) -> FeatureSpec:
        """The features of the classifier."""
        return self._document.spec

    @property
    def feature_importances(self) -> npt.NDArray[np.float64] | None:
        """Mean decrease of Gini impurity by each feature, float64 (features,), sum 1; None if unknown."""
        importance = self._document.info.get("importance")
        return None if importance is None else np.array(importance, dtype=np.float64)

    @property
    def pixel_size(self) -> tuple[float, str] | None:
        """Side of a pixel of the training images and its unit; None if unknown."""
        return self._document.pixel_size

    @property
    def trained_on(self) -> TrainedOn | None:
        """Dtypes of the training images, and the range of their grey values; None if unknown."""
        return self._document.trained_on

    @property
    def n_trees(self) -> int:
        """Number of trees."""
        return int(self._document.info["trees"])

    @property
    def n_samples(self) -> int:
        """Number of labelled pixels that the trees learned from."""
        return int(self._document.info["samples"])

    @property
    def _score_text(self) -> str:
        """The score in words; empty if unknown."""
        scores = self.scores
        if scores is not None and scores.confusion.any():
            return f"{scores.source} score {scores.accuracy:.3f}"
        return "" if self.oob_score is None else f"out-of-bag score {self.oob_score:.3f}"

    def __repr__(self) -> str:
        trees = f"{self.n_trees} {'boosted ' if self.kind == 'boosting' else ''}trees"
        model = self.embedding_model
        seen = "" if model is None else f", embedding of {model.model} {model.digest[:12]}"
        return (
            f"Classifier({', '.join(self.classes)}: {trees} on {len(self.feature_names)} features{seen}, "
            f"{self.n_samples:,} labelled pixels, {self._score_text or 'no score'})"
        )
