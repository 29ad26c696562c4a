"""A trained classifier, to be applied to other images."""

from __future__ import annotations

from typing import Any, Literal

import numpy.typing as npt

from . import staging
from .client import client
from .errors import ParameterError, SambaLabError
from .images import ImageLike, prepare


class Classifier:
    """What `Labeller.train` learned: feature spec, forest and classes. It does not change when its labeller is trained again.

    Not made by hand: take it from `Labeller.classifier`.
    """

    def __init__(self, info: dict[str, Any], data: bytes) -> None:
        self._info = info
        self._data = data

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

    @property
    def n_trees(self) -> int:
        """Number of trees."""
        return int(self._info["trees"])

    @property
    def n_samples(self) -> int:
        """Number of labelled pixels it learned from."""
        return int(self._info["samples"])

    def apply(self, image: ImageLike, output: Literal["labels", "probabilities"] = "labels") -> npt.NDArray[Any]:
        """Segment another image.

        Parameters
        ----------
        image : array_like or path
            As `Labeller` takes it; with as many channels as the image that the classifier was trained on.
        output
            ``"labels"`` or ``"probabilities"``.

        Returns
        -------
        ndarray
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
        prepared = prepare(image)
        sidecar = client()
        for attempt in range(2):
            instance = sidecar.instance
            staged = None
            try:
                staged = staging.stage(sidecar, prepared.pixels)
                reply = sidecar.request("classifier.apply", {"staged": staged, "output": output}, [self._data])
                result = staging.take(sidecar, reply.result)
                break
            except SambaLabError:
                # What is staged goes with its sidecar: if that is another one now, all is done once more.
                if attempt or not instance or sidecar.instance == instance:
                    raise
            finally:
                if staged is not None:
                    staging.release(sidecar, staged)
        return result if prepared.stack else result[0]

    def __repr__(self) -> str:
        score = "none" if self.oob_score is None else f"{self.oob_score:.3f}"
        return (
            f"Classifier({', '.join(self.classes)}: {self.n_trees} trees on {len(self.feature_names)} features, "
            f"{self.n_samples:,} labelled pixels, out-of-bag score {score})"
        )
