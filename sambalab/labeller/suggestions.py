"""Where to label next, and what SAM suggests there."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from ..sidecar_client import staging
from ..sidecar_client.arrays import map_array
from ..sidecar_client.progress import ProgressLine
from ..sidecar_client.regions import Region, find_regions, find_slices
from ..spec.errors import NotReadyError, ParameterError
from ..spec.parameters import contrast_of, is_bool, show, switch, whole
from .work_region import WorkRegion

#: Least side of a square that SAM sees, in pixels.
SIDE_MIN = 32
#: Greatest number of an object.
OBJECTS_MAX = 65_535

#: Where similar objects are looked for.
SEARCHED = ("overview", "slice", "stack")

#: Most slices that an object is followed; no stack has more.
REACH_MAX = 1_000_000


#: The model that is built in.
DEFAULT_MODEL = "mobile-sam"


class Suggestion(NamedTuple):
    """The masks that SAM suggests at a point.

    Attributes
    ----------
    masks
        bool (3, rows, columns): SAM's small, medium and large scale.
    scores
        float64 (3,): SAM's prediction of each mask's quality (IoU), about 0 to 1.
    """

    masks: npt.NDArray[np.bool_]
    scores: npt.NDArray[np.float64]


class SimilarObjects(NamedTuple):
    """Objects like one at a point.

    Attributes
    ----------
    objects
        uint16 (rows, columns), of all slices (slices, rows, columns): 1 in the object at the point, 2 and up in the others, 0
        elsewhere.
    scores
        float64 (objects,): SAM's prediction of each object's quality (IoU), about 0 to 1; ``scores[k - 1]`` is that of object k.
    similarities
        float64 (objects,): how like the first each object is, at most 1, which the first has. The mean of two cosines, of the
        embeddings inside and of their contrasts with the places around, less half the difference in grey in standard deviations.
    """

    objects: npt.NDArray[np.uint16]
    scores: npt.NDArray[np.float64]
    similarities: npt.NDArray[np.float64]


class DrawnObjects(NamedTuple):
    """Objects of an array as SAM draws them.

    Attributes
    ----------
    objects
        uint16 (rows, columns): the number of each pixel's object, 0 elsewhere.
    numbers
        int64 (objects,): the numbers of the objects, rising.
    scores
        float64 (objects,): SAM's prediction of each mask's quality (IoU), about 0 to 1, in the order of `numbers`.
    overlaps
        float64 (objects,): the overlap (IoU) of SAM's mask with the given object. With less than a half the object stays as it
        was.
    """

    objects: npt.NDArray[np.uint16]
    numbers: npt.NDArray[np.int64]
    scores: npt.NDArray[np.float64]
    overlaps: npt.NDArray[np.float64]


class CarriedObject(NamedTuple):
    """An object on the slices of a stack.

    Attributes
    ----------
    slices
        The slices on which it is.
    masks
        bool (len(slices), rows, columns): the object on each of them.
    scores
        float64 (len(slices),): SAM's prediction of each mask's quality (IoU), about 0 to 1.
    ends
        Why it is not on the slice before the first and not on the one after the last: ``"stack"``, there is no such slice;
        ``"reach"``, no further one was asked for; ``"changed"``, its outline changes by more than half; ``"unsure"``, SAM's
        predicted quality is below 0.6; ``"unseen"``, SAM sees something else from a point inside it.
    """

    slices: range
    masks: npt.NDArray[np.bool_]
    scores: npt.NDArray[np.float64]
    ends: tuple[str, str]


class Suggestions(WorkRegion):
    """The part of `Labeller` that suggests regions and masks."""

    def most_uncertain(
        self,
        n: int = 1,
        *,
        measure: Literal["margin", "maximum"] = "margin",
        side: int | None = None,
        slices: int | Iterable[int] | None = None,
        progress: bool = True,
    ) -> list[Region]:
        """Find the regions of highest uncertainty over all slices, the most uncertain first.

        Regions do not overlap, and a region with a label in it is skipped.

        Parameters
        ----------
        n
            Greatest number of regions, 1 to 1,000.
        measure
            ``"margin"``: 1 − (highest − second highest probability), as in `uncertainty`; ``"maximum"``: 1 − highest probability.
        side
            Side of a region in pixels, 8 to 1,024; None is 32.
        slices
            One slice or several; None is all.
        progress
            Whether to show a line of text with the progress, for a stack.

        Returns
        -------
        list of Region
            ``lab.image[region.index]`` gives the pixels of a region.

        Raises
        ------
        NotTrainedError
            If there is no classifier yet; `suggest_regions` needs none.
        ParameterError
            If a parameter is out of range.
        """
        state = self._refresh()
        try:
            return find_regions(
                self._request,
                self.shape,
                "uncertainty",
                n,
                measure=measure,
                side=side,
                slices=slices,
                progress=progress,
            )
        except NotReadyError:
            self._check_trained(state)
            raise

    def suggest_regions(
        self,
        n: int = 6,
        *,
        side: int | None = None,
        slices: int | Iterable[int] | None = None,
        progress: bool = True,
    ) -> list[Region]:
        """Find regions to label first, representative and unusual ones in turn. Needs no labels.

        Compares windows of the image by SAM's embedding. If SAM does not run, it warns and compares brightness and roughness.
        Of a long stack it reads a few slices only.

        Parameters
        ----------
        n
            Greatest number of regions, 1 to 1,000.
        side, slices, progress
            See `most_uncertain`.

        Returns
        -------
        list of Region
            ``reason`` is ``"representative"`` (many windows are like it) or ``"unusual"`` (no other window is like it).

        Raises
        ------
        ParameterError
            If a parameter is out of range.

        Warns
        -----
        UserWarning
            If SAM does not run.
        """
        self._refresh()
        return find_regions(self._request, self.shape, "embedding", n, side=side, slices=slices, progress=progress)

    @property
    def embedding(self) -> npt.NDArray[np.float32]:
        """SAM's embedding of the image, float32 (channels, rows, columns); computed at first use."""
        self._single("embedding", "slice_embedding")
        return self.slice_embedding(0)

    def slice_embedding(self, slice: int) -> npt.NDArray[np.float32]:
        """Compute SAM's embedding of a slice, float32 (channels, rows, columns)."""
        index = self._slice(slice)
        self._refresh()
        reply = self._request("sam.embed", {"slice": index})
        embedding: npt.NDArray[np.float32] = map_array(reply["array"])[index]
        return embedding

    def embed(
        self,
        slices: int | Iterable[int] | None = None,
        *,
        wait: bool = True,
        progress: bool = True,
    ) -> None:
        """Compute SAM's embedding of slices ahead, so that nobody waits for it when they are shown.

        Embeddings are kept on disk: slices that were embedded before, also by another labeller of the same image, take no time.

        Parameters
        ----------
        slices
            One slice or several; None is all.
        wait
            Whether to return when all are there. False: at once; the sidecar goes on while the labeller is open.
        progress
            Whether to show a line of text with the progress, if it waits. The widget shows the progress in any case.

        Raises
        ------
        ParameterError
            If there is no such slice.
        ModelError, ComputeError
            If SAM does not run.
        """
        self._refresh()
        stack = len(self.shape) == 3
        numbers = list(range(self.shape[0] if stack else 1)) if slices is None else find_slices(slices, self.shape)
        waits = switch("wait", wait)
        line = ProgressLine("Embedding", switch("progress", progress) and waits)
        try:
            self._request("sam.embed-slices", {"slices": numbers, **({} if waits else {"ahead": True})}, on_job=line)
        finally:
            line.end()

    @property
    def sam_model(self) -> str:
        """The SAM model that suggests, ``"mobile-sam"`` at first. Set it: ``lab.sam_model = "sam-vit-b"``.

        The id of a model, or the path of a folder with its ``encoder.onnx`` and ``decoder.onnx``; `sambalab.sam_models` lists the
        ids and says whose files are here. It is kept with the session, and the widget uses it as well. `embedding` becomes the
        model's; features and classifiers see MobileSAM as before.

        Raises
        ------
        ModelError
            If its files are missing, or are not the model's. The message names the file; the choice stays as it was.
        ParameterError
            If it is no text.
        """
        return str(self._refresh().get("samModel", DEFAULT_MODEL))

    @sam_model.setter
    def sam_model(self, model: str | os.PathLike[str]) -> None:
        self._refresh()  # joins the session
        self._accept(self._request("sam.choose", {"model": model_choice(model)}))

    @property
    def contrast(self) -> dict[str, Any] | None:
        """How the widget shows the image, which is what SAM sees; None: the usual range of grey values, as at first.

        A value v is shown as 255 · t^gamma with t = (v − low) / (high − low) limited to 0…1, or as 255 less that with
        ``inverse``. ``channels`` says whether red, green and blue are shown; one alone is shown in grey. Set it with a
        dict of some of these, ``lab.contrast = {"low": 900, "high": 3300, "gamma": 0.5}``; what is left out is as usual.
        Numbers and bools of NumPy will do, as in ``{"low": image.min(), "high": image.max()}``. The widget shows it at
        once. It is kept with the session until the image is replaced. `embedding` becomes that of this contrast; features
        and training use the image's own values.

        Raises
        ------
        ParameterError
            If it is no dict, a key is unknown, or a value is out of range: ``low`` and ``high`` must be finite, and so must
            ``high − low``; ``low`` must be below ``high``, ``gamma`` 0.1 to 10, ``inverse`` a bool, ``channels`` a tuple, list
            or array of three bools with at least one True.
        """
        found: dict[str, Any] | None = self._refresh().get("contrast")
        return None if found is None else {**found, "channels": tuple(found["channels"])}

    @contrast.setter
    def contrast(self, contrast: Mapping[str, Any] | None) -> None:
        usual = {**self._refresh()["image"]["display"], "gamma": 1.0, "inverse": False, "channels": (True, True, True)}
        self._accept(self._request("sam.contrast", {"contrast": contrast_of(contrast, usual)}))

    def suggest(self, row: float, col: float, slice: int = 0, *, side: int | None = None) -> Suggestion:
        """Ask SAM for masks at a pixel, as the widget does under the cursor.

        Parameters
        ----------
        row, col
            The pixel. Whole numbers are centres of pixels.
        slice
            The slice of a stack, from 0.
        side
            Side in pixels of the square around the pixel that SAM sees, 32 or more. For an object that is small in a large
            image two to eight times its size. None: SAM sees the whole slice, or the region that is worked on.

        Returns
        -------
        Suggestion
            ``masks``, bool (3, rows, columns), and ``scores``, float64 (3,), for SAM's small, medium and large scale.

        Raises
        ------
        ParameterError
            If the point is outside the image, or `side` is below 32.
        """
        state = self._refresh()
        rows, columns = self.shape[-2:]
        points = [{"row": _within("row", row, rows), "column": _within("col", col, columns), "label": 1}]
        params: dict[str, object] = {"slice": self._slice(slice), "points": points}
        if side is not None:
            region = state["region"] or {"row0": 0, "row1": rows, "column0": 0, "column1": columns}
            params["window"] = _window(row, col, whole("side", side, SIDE_MIN, max(SIDE_MIN, rows, columns)), region)
        reply = self._request("sam.suggest", params)
        masks = staging.take(self._client, reply).view(np.bool_)
        return Suggestion(masks, np.array(reply["scores"], dtype=np.float64))

    def suggest_similar(
        self,
        row: float,
        col: float,
        slice: int = 0,
        *,
        scale: int | None = None,
        where: Literal["overview", "slice", "stack"] = "slice",
        progress: bool = True,
    ) -> SimilarObjects:
        """Find all objects that are like the one at a pixel.

        SAM's embedding says where they may be, and SAM draws each. Objects have a sixth to six times the area of the one at the
        pixel, and do not overlap. SAM looks at windows that are about 14 times as long as the object, so that it sees small
        objects large: some seconds a window on two cores; `KeyboardInterrupt` ends it. An object at the border of a window is
        found once, in the window that holds it best.

        Parameters
        ----------
        row, col
            A pixel inside the object. Whole numbers are centres of pixels.
        slice
            The slice of a stack, from 0.
        scale
            Which of SAM's masks at the pixel is the object: 0 (small), 1 (medium) or 2 (large), as in `suggest`. None: the one
            that fits best.
        where
            ``"slice"``: all of the slice. ``"stack"``: all slices, those nearest to `slice` first. ``"overview"``: the slice,
            in one look of SAM at all of it, which takes a few seconds; it misses objects shorter than a fiftieth of the slice,
            and draws small ones less exactly.
        progress
            Whether to show a line of text with the progress.

        Returns
        -------
        SimilarObjects
            ``objects``, uint16 (rows, columns), or (slices, rows, columns) of the stack, with ``scores`` and ``similarities`` of
            each. An object of a stack is one on one slice: the same particle has another number on the next.

        Raises
        ------
        ParameterError
            If the point is outside the image, there is no object at it, or there are more than 65,535.

        Examples
        --------
        >>> found = lab.suggest_similar(160, 296)
        >>> labels = lab.labels.copy()
        >>> labels[(found.objects > 0) & (labels == 0)] = 1
        >>> lab.set_labels(labels)
        """
        self._refresh()
        rows, columns = self.shape[-2:]
        if where not in SEARCHED:
            raise ParameterError(f"where is {show(where)}; {', '.join(SEARCHED)} will do.")
        point = {"row": _within("row", row, rows), "column": _within("col", col, columns)}
        params: dict[str, object] = {"slice": self._slice(slice), "point": point, "where": where}
        if scale is not None:
            params["scale"] = whole("scale", scale, 0, 2)
        line = ProgressLine("Searching", switch("progress", progress))
        try:
            reply = self._request("sam.similar", params, on_job=line)
        finally:
            line.end()
        objects: npt.NDArray[np.uint16] = staging.take(self._client, reply)
        scores, similarities = (np.array(reply[name], dtype=np.float64) for name in ("scores", "similarities"))
        return SimilarObjects(objects if where == "stack" else objects[0], scores, similarities)

    def suggest_objects(self, objects: npt.ArrayLike, slice: int = 0, *, progress: bool = True) -> DrawnObjects:
        """Let SAM draw the objects of an array anew: of a threshold, of a class of the segmentation, of numbered objects.

        The box of each object, a pixel deep inside and its mask are SAM's prompts. Where two masks overlap, the one of higher
        quality has the pixel. About a tenth of a second an object; `KeyboardInterrupt` ends it.

        Parameters
        ----------
        objects
            (rows, columns). bool: each connected part is an object (along rows and columns). Whole numbers from 0 to 65,535: each
            number but 0 is one object.
        slice
            The slice of a stack, from 0.
        progress
            Whether to show a line of text with the progress.

        Returns
        -------
        DrawnObjects
            ``objects`` with the same numbers, or with those of the parts in reading order; ``numbers``, ``scores`` and
            ``overlaps`` of each.

        Raises
        ------
        ParameterError
            If the array has another shape or dtype, numbers out of range, more than 65,535 objects, or no object in the part that
            is worked on.

        Examples
        --------
        >>> drawn = lab.suggest_objects(lab.segmentation == 2)
        >>> labels = lab.labels.copy()
        >>> labels[(drawn.objects > 0) & (labels == 0)] = 2
        >>> lab.set_labels(labels)
        """
        self._refresh()
        shape = self.shape[-2:]
        values = np.asarray(objects)
        if values.shape != shape:
            raise ParameterError(f"objects has the shape {values.shape}; a slice has {shape}.")
        connected = values.dtype == np.bool_
        if not connected and not np.issubdtype(values.dtype, np.integer):
            raise ParameterError(f"objects is {values.dtype}; bool or whole numbers will do.")
        if not connected and values.size > 0 and not 0 <= int(values.min()) <= int(values.max()) <= OBJECTS_MAX:
            raise ParameterError(
                f"objects has numbers from {values.min()} to {values.max()}; 0 to {OBJECTS_MAX} will do."
            )
        line = ProgressLine("Drawing", switch("progress", progress))
        staged = staging.stage(self._client, values.astype(np.uint16))
        try:
            params = {"slice": self._slice(slice), "staged": staged, "connected": bool(connected)}
            reply = self._request("sam.objects", params, on_job=line)
        finally:
            line.end()
            staging.release(self._client, staged)
        drawn: npt.NDArray[np.uint16] = staging.take(self._client, reply)
        scores, overlaps = (np.array(reply[name], dtype=np.float64) for name in ("scores", "overlaps"))
        return DrawnObjects(drawn, np.array(reply["numbers"], dtype=np.int64), scores, overlaps)

    def carry(
        self,
        row: float,
        col: float,
        slice: int = 0,
        *,
        scale: int | None = None,
        reach: int | None = None,
        progress: bool = True,
    ) -> CarriedObject:
        """Follow the object at a pixel through the slices of a stack, until it fades.

        Its mask on one slice tells SAM where it is on the next. It ends where the masks of two slices overlap by less than half,
        or SAM sees no such object from a point in it alone. Each slice that SAM has not seen takes about as long as `embed` does.

        Parameters
        ----------
        row, col
            A pixel inside the object. Whole numbers are centres of pixels.
        slice
            The slice of the pixel, from 0.
        scale
            Which of SAM's masks at the pixel is the object, as in `suggest_similar`.
        reach
            Greatest number of slices before and after; None: all that are worked on.
        progress
            Whether to show a line of text with the progress.

        Returns
        -------
        CarriedObject
            ``slices``, with ``masks`` and ``scores`` on each, and the reasons why it ends.

        Raises
        ------
        ParameterError
            If the point is outside the image, `reach` is below 0, or there is no object at the point.

        Examples
        --------
        >>> found = lab.carry(120, 80, slice=12)
        >>> labels = lab.labels.copy()
        >>> labels[found.slices.start : found.slices.stop][found.masks] = 1
        >>> lab.set_labels(labels)
        """
        self._refresh()
        rows, columns = self.shape[-2:]
        point = {"row": _within("row", row, rows), "column": _within("col", col, columns)}
        params: dict[str, object] = {"slice": self._slice(slice), "point": point}
        if scale is not None:
            params["scale"] = whole("scale", scale, 0, 2)
        if reach is not None:
            params["reach"] = whole("reach", reach, 0, REACH_MAX)
        line = ProgressLine("Carrying", switch("progress", progress))
        try:
            reply = self._request("sam.carry", params, on_job=line)
        finally:
            line.end()
        masks = staging.take(self._client, reply).view(np.bool_)
        first = int(reply["first"])
        ends = (reply["ends"]["before"], reply["ends"]["after"])
        return CarriedObject(range(first, first + len(masks)), masks, np.array(reply["scores"], dtype=np.float64), ends)


def _within(name: str, value: float, size: int) -> float:
    """Check a coordinate of a pixel."""
    if is_bool(value) or not isinstance(value, (int, float, np.number)) or not -0.5 <= value <= size - 0.5:
        raise ParameterError(f"{name} is {show(value)}; the image has 0 to {size - 1}.")
    return float(value)


def _window(row: float, column: float, side: int, region: dict[str, int]) -> dict[str, int]:
    """Find the square of `side` pixels around a pixel, moved and cut to lie in a region."""

    def span(name: str, at: float) -> dict[str, int]:
        begin, end = region[f"{name}0"], region[f"{name}1"]
        start = max(begin, min(round(at) - side // 2, end - side))
        return {f"{name}0": start, f"{name}1": min(start + side, end)}

    return {**span("row", row), **span("column", column)}


def model_choice(model: str | os.PathLike[str]) -> str:
    """Give a choice of a model as the sidecar, which runs in another folder, takes it."""
    text = os.fspath(model) if isinstance(model, (str, os.PathLike)) else None
    if not isinstance(text, str) or not text:
        raise ParameterError(f"sam_model is {show(model)}; the id of a model or the path of a folder will do.")
    if isinstance(model, os.PathLike) or any(mark in text for mark in {"/", os.sep}) or text.startswith("~"):
        return str(Path(text).expanduser().resolve())
    return text
