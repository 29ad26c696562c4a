"""What the classifier of a session says, as arrays."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from ..classifier import Classifier
from ..sidecar_client.arrays import map_array
from ..sidecar_client.session_access import Array, SessionAccess, State
from ..spec.errors import NotReadyError, NotTrainedError, SidecarError
from ..spec.parameters import one_of


class Results(SessionAccess):
    """The part of `Labeller` that gives the results of the last training. Arrays are read-only maps of shared files."""

    @property
    def segmentation(self) -> npt.NDArray[np.uint8]:
        """The classifier's class of each pixel, with the labels on top: class ids, uint8 of `shape`; 0 outside of `region`."""
        return self._trained("segmentation")

    @property
    def segmentation_part(self) -> float:
        """Share of the image that is segmented, 0 to 1.

        Below 1 after a training, or the loading of a classifier, that was cancelled while the widget showed its first tiles.
        `segmentation` is then 0 in the rest, but for labels. The next training segments the whole image.
        """
        segmentation = self._refresh()["segmentation"]
        return float(segmentation.get("part", 1)) if segmentation else 0.0

    @property
    def segmentation_version(self) -> int:
        """Counts the segmentations of this image; 0 before the first."""
        segmentation = self._refresh()["segmentation"]
        return int(segmentation["version"]) if segmentation else 0

    @property
    def probabilities(self) -> npt.NDArray[np.float32]:
        """Probability of each class, float32 (…, classes), classes in `Classifier.classes`' order.

        They add up to 1; outside of `region` all are 0.
        """
        return self._trained("probabilities")

    @property
    def uncertainty(self) -> npt.NDArray[np.float32]:
        """1 − (highest − second highest probability), float32 of `shape`, 0 to 1."""
        return self._trained("uncertainty")

    def uncertainty_by(self, measure: Literal["margin", "maximum"]) -> npt.NDArray[np.float32]:
        """Give the uncertainty by a measure, float32 of `shape`.

        Parameters
        ----------
        measure
            ``"margin"``: 1 − (highest − second highest probability), as `uncertainty`. ``"maximum"``: 1 − highest probability, in
            a new array.

        Raises
        ------
        ParameterError
            If `measure` is something else.
        """
        if one_of("measure", measure, ("margin", "maximum")) == "margin":
            return self.uncertainty
        highest = self.probabilities.max(axis=-1)
        uncertainty: npt.NDArray[np.float32] = np.where(highest > 0, np.float32(1) - highest, np.float32(0))
        return uncertainty

    @property
    def classifier(self) -> Classifier:
        """The classifier of the last training, here or in the widget."""
        state = self._refresh()
        try:
            reply = self._client.request("classifier.get", {"session": self._session})
        except NotReadyError:
            self._check_trained(state)
            raise
        if not reply.buffers:
            raise SidecarError("The sidecar sent no classifier.")
        return Classifier(bytes(reply.buffers[0]), reply.result)

    @property
    def features(self) -> npt.NDArray[np.float32]:
        """The feature stack of the last training, or the one chosen for the next: float32 (rows, columns, features)."""
        self._single("features", "slice_features")
        return self.slice_features(0)

    def slice_features(self, slice: int) -> npt.NDArray[np.float32]:
        """Compute the feature stack of a slice, float32 (rows, columns, features). The next call may overwrite it."""
        return self._feature_request(slice)[1]

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the features, in the order of the last axis of `features`."""
        segmentation = self._refresh()["segmentation"]
        if segmentation:
            return tuple(str(name) for name in segmentation["classifier"]["features"])
        return self._feature_request(0)[0]

    def _trained(self, name: str) -> Array:
        state = self._refresh()
        # The sidecar computes large arrays on demand, and frees them after a long time without use.
        outgrown = name == "segmentation" and bool((state["segmentation"] or {}).get("outgrown"))
        if outgrown or name not in state["arrays"]:
            try:
                state = self._accept(self._request("segment", {"arrays": [name]}))
            except NotReadyError:
                self._check_trained(state)
                raise
        self._check_trained(state)
        return self._array(name, state)

    def _check_trained(self, state: State) -> None:
        if not state["segmentation"]:
            raise NotTrainedError(
                "There is no segmentation yet. Label a few regions of at least two classes, then call lab.train() "
                "or press Train."
            )

    def _feature_request(self, slice: int) -> tuple[tuple[str, ...], npt.NDArray[np.float32]]:
        # Refreshed first: another labeller may have put another image into the session.
        segmentation = self._refresh()["segmentation"]
        spec = segmentation["classifier"].get("spec") if segmentation else None
        params = {"slice": self._slice(slice), **({"features": spec} if spec else {})}
        reply = self._request("features", params)
        array: npt.NDArray[np.float32] = map_array(reply["array"])
        return tuple(str(name) for name in reply["names"]), array[0] if array.ndim == 4 else array
