"""`LabelFiles`: labels and results in files, and labels from files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from ..files import exports
from ..spec.errors import LabelError, NotTrainedError, ParameterError
from ..spec.parameters import one_of, show, switch
from ..spec.provenance import COLORS
from .corrections import Corrections

What = Literal["labels", "segmentation", "probabilities", "overlay", "provenance", "corrected"]

_CLASS_IDS = ("labels", "segmentation", "corrected")


def kind_of(what: What, spread: bool = False) -> exports.Kind:
    """Give the kind of content that an array is saved as."""
    kinds: dict[str, exports.Kind] = {"probabilities": "probabilities", "overlay": "colours"}
    return kinds.get(what, "spread" if spread and what in _CLASS_IDS else "ids")


class LabelFiles(Corrections):
    """A base of `Labeller`: saves labels and results, and reads labels."""

    def save(
        self,
        path: str | os.PathLike[str],
        what: What,
        *,
        slice: int | None = None,
        spread: bool = False,
        of: Literal["segmentation", "labels"] = "segmentation",
        alpha: float = 0.5,
    ) -> None:
        """Save labels or results. The name's ending chooses the format; an older file is replaced when the new one is complete.

        Parameters
        ----------
        path
            ``.ome.tif``: OME-TIFF with pixel size, class names and colours; ``.tif``: with a palette of the class colours;
            ``.png``: one slice, with the same palette; ``.npy``: the array alone; ``.json``: COCO, for labels and segmentation,
            with a polygon for each connected region, or run lengths if it has holes.
        what
            ``"labels"``, ``"segmentation"``, ``"corrected"`` (class ids, uint8), ``"probabilities"`` (float32), ``"overlay"``
            (uint8 RGB: the image with class colours over it) or ``"provenance"`` (uint8, with the names of `Provenance`).
        slice
            One slice of a stack, from 0; None: all.
        spread
            Whether class ids are spread over 0 to 255, as in SAMBA: each is multiplied by 255 over the highest id that occurs,
            rounded down.
        of
            What an overlay shows.
        alpha
            Opacity of an overlay's colours, 0 to 1.

        Raises
        ------
        ParameterError
            If a parameter is invalid, no format has the ending or can hold this, or the file cannot be written.
        NotTrainedError
            If there is no segmentation yet.
        DiskFullError
            If there is no room.
        """
        one_of("what", what, get_args(What))
        one_of("of", of, ("segmentation", "labels"))
        if isinstance(alpha, bool) or not isinstance(alpha, (int, float)) or not 0 <= alpha <= 1:
            raise ParameterError(f"alpha is {show(alpha)}; a number from 0 to 1 will do.")
        if switch("spread", spread) and what not in _CLASS_IDS:
            raise ParameterError(f"spread goes with {' and '.join(_CLASS_IDS)}, not with {what}.")
        chosen = None if slice is None else self._slice(slice)
        kind = kind_of(what, spread)
        exports.save(path, what, kind, lambda: self._content(what, kind, chosen, of, alpha))

    def _content(self, what: What, kind: Any, chosen: int | None, of: str, alpha: float) -> exports.Content:
        state = self._refresh()
        classes = [{key: item[key] for key in ("id", "name", "color")} for item in state["classes"]]
        pixels = self._chosen(self._saved(what, of), chosen)
        if what == "provenance":
            classes = [{"id": int(made), "name": made.name.lower(), "color": color} for made, color in COLORS.items()]
        elif kind == "spread":
            pixels, classes = exports.spread(pixels, classes)
        elif kind == "probabilities":
            now = {item["id"]: item for item in classes}
            classes = [now.get(item["id"], item) for item in state["segmentation"]["classifier"]["classes"]]
        elif kind == "colours":
            display = state["image"]["display"]
            image = self._pixels if chosen is None else self._pixels[chosen : chosen + 1]
            pixels = exports.overlay(image, (display["low"], display["high"]), pixels, classes, alpha)
        title = str(self._open_params["title"])
        size = self._open_params["image"].get("pixelSize")
        pixel_size = None if size is None else (float(size["value"]), str(size["unit"]))
        return exports.Content(kind, pixels, self._stack and chosen is None, classes, pixel_size, title)

    def _saved(self, what: What, of: str) -> npt.NDArray[Any]:
        """Give the array to save; of an overlay the class ids."""
        if what == "probabilities":
            return self.probabilities
        shown = of if what == "overlay" else what
        if shown in ("labels", "provenance"):
            return self._array(shown, self._refresh())
        try:
            return self.corrected if shown == "corrected" else self.segmentation
        except NotTrainedError as error:
            if what != "overlay":
                raise
            raise NotTrainedError(f"{error} Or show the labels: of='labels'.") from None

    def _chosen(self, array: npt.NDArray[Any], chosen: int | None) -> npt.NDArray[Any]:
        stack = array if self._stack else array[np.newaxis]
        return stack if chosen is None else stack[chosen : chosen + 1]

    def _read_labels(self, path: str | os.PathLike[str], spread: bool) -> exports.Loaded:
        """Read labels from a file.

        Raises
        ------
        LabelError
            If there is no such file, or it holds no labels.
        """
        loaded = exports.load(path)
        ids = loaded.ids
        while ids.ndim > len(self.shape) and ids.shape[0] == 1:
            ids = ids[0]
        if ids.shape != self.shape and self.shape[0] == 1 and ids.shape == self.shape[1:]:
            ids = ids[np.newaxis]
        if ids.dtype.kind not in "iub" or ids.shape != self.shape:
            raise LabelError(
                f"{os.fspath(path)} holds {ids.dtype} of shape {ids.shape}; whole numbers of shape {self.shape} will do."
            )
        loaded = exports.Loaded(ids, loaded.classes, loaded.pixel_size)
        if spread:
            return exports.gathered(loaded, Path(path))
        if any("value" in item for item in loaded.classes or ()):
            raise LabelError(
                f"{os.fspath(path)} was saved with spread=True; so it is read: set_labels(…, spread=True)."
            )
        return loaded
