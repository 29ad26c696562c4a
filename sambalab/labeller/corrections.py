"""`Corrections`: the correction of the segmentation."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..spec.errors import LabelError, ParameterError
from ..spec.parameters import index, show, whole
from ..spec.tables import limits
from .interpolation import Interpolation


class Corrections(Interpolation):
    """A base of `Labeller`: what was drawn on the segmentation, in the widget's mode Correction or by these methods.

    A correction stays on top of the segmentation, also of later trainings, until it is cleared. It is not trained on. Each change
    is one step of `undo`.
    """

    @property
    def correction(self) -> npt.NDArray[np.uint8]:
        """What corrects the segmentation: class ids, 0 where it stays. uint8 of `shape`, read-only."""
        state = self._refresh()
        if "correction" in state["arrays"]:
            return self._array("correction", state)
        none: npt.NDArray[np.uint8] = np.zeros_like(self._array("labels", state), subok=False)
        none.flags.writeable = False
        return none

    @property
    def corrected(self) -> npt.NDArray[np.uint8]:
        """The segmentation with the correction on top: class ids, uint8 of `shape`, in a new array; 0 outside of `region`.

        Raises
        ------
        NotTrainedError
            If there is no segmentation yet.
        """
        segmentation = np.asarray(self._trained("segmentation"))
        correction = self.correction
        corrected: npt.NDArray[np.uint8] = np.where(correction != 0, correction, segmentation)
        region = self._slices_of(self._state["region"])
        if region is None:
            return corrected
        inside = np.zeros_like(corrected)
        inside[region] = corrected[region]
        return inside

    def remove_islands(self, below: int, label: str | None = None, *, slice: int | None = None) -> int:
        """Remove small islands from the corrected segmentation, as a correction.

        Islands are connected by their edges: 4 neighbours in a slice, 6 in a volume, as in scikit-image's `remove_small_objects`
        with ``connectivity=1``. Each gets the class that most of the pixels around it have, of several the lowest id.

        Parameters
        ----------
        below
            Islands with fewer pixels are removed.
        label
            The class whose islands are removed; None: of every class.
        slice
            One slice of a stack, from 0; None: the volume.

        Returns
        -------
        int
            Pixels whose correction changed.

        Raises
        ------
        NotReadyError
            If there is no segmentation yet.
        """
        cleaning = {"kind": "islands", "below": _count("below", below)}
        return self._clean(cleaning if label is None else {**cleaning, "class": self._id(label)}, slice)

    def fill_holes(self, below: int, label: str, *, slice: int | None = None) -> int:
        """Fill small holes in a class of the corrected segmentation, as a correction.

        A hole is a connected region of other classes, as in scikit-image's `remove_small_holes` with ``connectivity=1``.

        Parameters
        ----------
        below
            Holes with fewer pixels are filled.
        label
            The class that has the holes.
        slice
            One slice of a stack, from 0; None: the volume.

        Returns
        -------
        int
            Pixels whose correction changed.
        """
        return self._clean({"kind": "holes", "below": _count("below", below), "class": self._id(label)}, slice)

    def majority_filter(self, radius: int, *, slice: int | None = None) -> int:
        """Give each pixel the most frequent class around it, as a correction.

        Parameters
        ----------
        radius
            The square around a pixel, in its slice, has 2 × `radius` + 1 pixels a side, 1 to 50. If several classes are the most
            frequent, the pixel's own stays, else the lowest id is taken.
        slice
            One slice of a stack, from 0; None: all.

        Returns
        -------
        int
            Pixels whose correction changed.
        """
        largest = int(limits("correction")["majorityRadius"])
        return self._clean({"kind": "majority", "radius": whole("radius", radius, 1, largest)}, slice)

    def use_correction(
        self, rows: slice | None = None, columns: slice | None = None, *, slice: int | None = None
    ) -> int:
        """Make the correction labels, over older ones, so that the next training learns it. It stays a correction as well.

        Parameters
        ----------
        rows, columns
            The part to take, ``slice(first, end)``; None: all.
        slice
            One slice of a stack, from 0; None: all.

        Returns
        -------
        int
            Labels that changed.
        """
        return self._part("correction.use", rows, columns, slice)

    def clear_correction(
        self, rows: slice | None = None, columns: slice | None = None, *, slice: int | None = None
    ) -> int:
        """Remove the correction, so that the segmentation shows again; the parameters are those of `use_correction`."""
        return self._part("correction.clear", rows, columns, slice)

    def _clean(self, cleaning: dict[str, Any], slice: int | None) -> int:
        params = {"cleaning": cleaning, **({} if slice is None else {"slice": self._slice(slice)})}
        found = self._request("correction.clean", params)
        self._refresh()
        return int(found["changed"])

    def _part(self, method: str, rows: Any, columns: Any, slice: int | None) -> int:
        size = self._refresh()["image"]["shape"]
        params: dict[str, Any] = {} if slice is None else {"slice": self._slice(slice)}
        for name, given, length in (("rows", rows, size[1]), ("columns", columns, size[2])):
            if given is not None:
                params[name] = _span(name, given, length)
        found = self._request(method, params)
        self._refresh()
        return int(found["changed"])

    def _id(self, label: str) -> int:
        ids = {str(item["name"]): int(item["id"]) for item in self._refresh()["classes"]}
        if not isinstance(label, str) or label not in ids:
            raise LabelError(f"label is {show(label)}; the classes are {', '.join(ids)}.")
        return ids[label]


def _count(name: str, value: int) -> int:
    """Check a number of pixels; no image has more than the greatest number of the protocol."""
    count = index(value)
    if count is None or count < 1:
        raise ParameterError(f"{name} is {show(value)}; a whole number from 1 will do.")
    return min(count, 2**53 - 1)


def _span(name: str, given: Any, length: int) -> list[int]:
    """Give the first index and the one after the last of a slice of rows or columns."""
    try:
        first, end, step = given.indices(length)
    except (AttributeError, TypeError, ValueError):  # no slice, or not one of whole numbers
        step = None
    if step != 1:
        raise ParameterError(f"{name} is {show(given)}; slice(first, end) will do, with whole numbers.")
    if first >= end:
        raise ParameterError(f"{name} is {show(given)}; that holds none of the {length:,} {name}.")
    return [first, end]
