"""`Learning`: training, live segmentation and the report."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any, Literal

import numpy as np

from ..classifier import Classifier
from ..sidecar_client.progress import ProgressLine
from ..spec.errors import LabelError, NotReadyError, ParameterError
from ..spec.features import FeaturesLike, FeatureSpec
from ..spec.learners import learner_request
from ..spec.parameters import refuse_unknown, switch
from ..spec.scores import Report, report_of
from .label_files import LabelFiles


class Learning(LabelFiles):
    """A base of `Labeller`: what learns from the labels."""

    def train(
        self,
        *,
        trees: int | None = None,
        max_depth: int | None = None,
        max_features: int | Literal["sqrt", "all"] | None = None,
        min_leaf: int | None = None,
        balanced: bool | None = None,
        max_samples: int | Literal["all"] | None = None,
        seed: int | None = None,
        refine: int | None = None,
        rounds: int | None = None,
        learning_rate: float | None = None,
        max_leaves: int | None = None,
        l2: float | None = None,
        patience: int | Literal["never"] | None = None,
        preset: Literal["samba", "deep", "boosting"] | None = None,
        features: FeaturesLike | None = None,
        also: Learning | Iterable[Learning] = (),
        progress: bool = True,
        **unknown: Any,
    ) -> Classifier:
        """Grow trees on the labels and segment the image. Waits for the result; interrupting the cell cancels the work.

        Parameters
        ----------
        trees
            Number of trees of a forest.
        max_depth
            Greatest depth of a tree.
        max_features
            Number of features tried at each split of a forest, or for each boosted tree. ``"sqrt"``: the square root of the
            number of features; ``"all"``: all features, for boosted trees only.
        min_leaf
            Smallest number of labelled pixels in a leaf.
        balanced
            Whether all classes have the same weight, regardless of their number of labelled pixels.
        max_samples
            Greatest number of labelled pixels to learn from, drawn evenly from the classes; ``"all"``: no limit.
        seed
            The same seed, labels, image and parameters give the same trees.
        refine
            Radius in pixels, 0 to 32, of a guided filter that smooths probabilities along the image's edges; 0: no filter.
        rounds
            Greatest number of boosted trees.
        learning_rate
            Factor, above 0 and at most 1, on the values of each boosted tree.
        max_leaves
            Greatest number of leaves of a boosted tree.
        l2
            L2 regularisation of a boosted tree's leaves: added to the sum of second derivatives.
        patience
            Boosting stops after this many trees without a better loss on held-out strokes; ``"never"``: it does not stop early.
        preset
            Values of the parameters that are None. ``"deep"``: a forest of 100 fully grown trees, refined; ``"samba"``: a
            forest of 200 trees of depth 10; ``"boosting"``: boosted trees, refined. None with other parameters: the first
            preset that has these parameters, ``"deep"`` before others. None without other parameters: the last choice, here or
            in the widget; at first ``"deep"``.
        features
            A `FeatureSpec`, ``"sam"``, ``"samba"``, ``"weka"``, or a mapping of a spec's fields. None: the last choice, here or
            in the widget; at first ``"sam"``: the features of ``"samba"`` of the standardised image, and SAM's embedding. If
            SAM does not run, training warns and leaves out the embedding.
        also
            Other labellers to learn from. Their images are segmented too, and they get this classifier. Their images may have
            other sizes or be stacks, but must have the same number of channels and the same classes.
        progress
            Whether to show a line of text with the progress.

        Returns
        -------
        Classifier
            The same as `classifier` from now on.

        Raises
        ------
        LabelError
            If fewer than two classes are labelled.
        ParameterError
            If a parameter is out of range, unknown or for other trees, or images or classes of `also` do not fit.

        Warns
        -----
        UserWarning
            If the features have an embedding and SAM does not run.
        """
        given = {
            "trees": trees,
            "max_depth": max_depth,
            "max_features": max_features,
            "min_leaf": min_leaf,
            "balanced": balanced,
            "max_samples": max_samples,
            "seed": seed,
            "refine": refine,
            "rounds": rounds,
            "learning_rate": learning_rate,
            "max_leaves": max_leaves,
            "l2": l2,
            "patience": patience,
            "preset": preset,
            "features": features,
        }
        refuse_unknown(unknown, [*given, "also", "progress"])
        others, shown = _labellers(also), switch("progress", progress)
        params: dict[str, Any] = {}
        if features is not None:
            params["features"] = FeatureSpec.of(features).to_dict()
        learner = learner_request(given)
        if learner is not None:
            params["forest"] = learner
        for labeller in (*others, self):  # joins the sessions, so that the job's events come here
            labeller._refresh()
        if others:
            params["others"] = [labeller._session for labeller in others]
        line = ProgressLine("Training", shown)
        try:
            state = self._request("train", params, on_job=line)
        except KeyboardInterrupt:
            line.finish("Training was interrupted.")
            raise
        except NotReadyError as error:
            line.end()
            raise LabelError("\n".join([str(error), *self._related_text()])) from None
        except BaseException:
            line.end()
            raise
        self._accept(state)
        info = state["segmentation"]["classifier"]
        classifier = self.classifier
        score = f", {classifier._score_text}" if classifier._score_text else ""
        line.finish(f"Trained in {info['seconds']:.1f} s{score}.")
        if info.get("note"):
            warnings.warn(info["note"], UserWarning, stacklevel=2)
        return classifier

    @property
    def live(self) -> bool:
        """Whether each change of the labels trains and segments at once, here and in the widget. Set it: ``lab.live = True``.

        It trains with the last choice of features and trees, as soon as two classes are labelled. `segmentation` and the other
        results follow a moment after the labels.
        """
        return bool(self._refresh()["live"])

    @live.setter
    def live(self, on: bool) -> None:
        switched = switch("live", on)
        self._refresh()  # joins the session
        self._accept(self._request("session.live", {"on": switched}))

    def report(self) -> Report:
        """Summarise the classes (labelled pixels, scores, phase fractions with intervals) and the importance of the features.

        Returns
        -------
        Report
            A snapshot. A cell's last line shows it as a table; ``to_pandas()`` makes it a DataFrame.
        """
        state = self._refresh()

        def intervals() -> dict[int, tuple[float, float]]:
            phases = self._request("phases.measure")["phases"]
            return {int(phase["id"]): (phase["low"], phase["high"]) for phase in phases if phase["low"] is not None}

        return report_of(state, lambda: np.bincount(self.segmentation.ravel(), minlength=256), intervals)


def _labellers(also: Learning | Iterable[Learning]) -> list[Learning]:
    others = [also] if isinstance(also, Learning) or not isinstance(also, Iterable) else list(also)
    for other in others:
        if not isinstance(other, Learning):
            raise ParameterError(f"also holds a {type(other).__name__}; a labeller or a list of labellers will do.")
    return others
