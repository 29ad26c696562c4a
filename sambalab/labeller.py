"""The labeller: a micrograph in a notebook cell, its labels, and what a forest learns from them."""

from __future__ import annotations

import threading
import warnings
import weakref
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from .classifier import Classifier
from .files.images import ImageLike, prepare
from .sidecar_client import sessions, staging
from .sidecar_client.arrays import identity, map_array, write_array
from .sidecar_client.client import Client, client
from .sidecar_client.keys import session_key
from .sidecar_client.progress import ProgressLine
from .sidecar_client.regions import Region, find_regions
from .sidecar_client.session_access import CLOSED, Array, SessionAccess, State
from .spec.classes import ClassesLike, make_classes, merge_classes
from .spec.errors import (
    LabelError,
    NotReadyError,
    NotTrainedError,
    ParameterError,
    SidecarError,
)
from .spec.features import FeaturesLike
from .spec.learners import learner_request
from .spec.parameters import feature_choice, pixel_size_of, refuse_unknown, switch
from .spec.scores import Report, report_of

if TYPE_CHECKING:
    from .widget import LabellerWidget

DEFAULT_CLASSES = ("1", "2")
_NAME_MAX = 500


class Suggestion(NamedTuple):
    """What SAM suggests at a point.

    Attributes
    ----------
    masks
        bool (3, rows, columns): SAM's small, medium and large scale.
    scores
        float64 (3,): the quality that SAM predicts for each, about 0 to 1.
    """

    masks: npt.NDArray[np.bool_]
    scores: npt.NDArray[np.float64]


class Labeller(SessionAccess):
    """Label an image and segment it; the last line of a cell shows the widget.

    Parameters
    ----------
    image : array_like or path
        A grey image (rows, columns), a colour image (rows, columns, 3) or a stack of grey images (slices, rows, columns):
        a last axis of exactly 3 is colour. Any real dtype without NaN and infinity, or the path of an image file. A list of
        grey images of one shape, or of their paths, is a stack; for others see `train`'s ``also``.
    classes
        Names of the phases, or a mapping from names to colours (``#rrggbb``); ids count from 1. If left out, two classes,
        or those that an older session has. An older session's classes take the names given here; its further ones stay if
        the names agree so far or if they have labelled pixels, else they go.
    name
        Finds the session again wherever it is called so. Without a name it is found by the image's content, the notebook,
        and the variable it is assigned to or the cell. A name stands for one image at a time: after another image of the
        same shape was opened under it, older labellers of that name show the newer image.
    colors
        Colours of the classes, if `classes` is a list of names.
    pixel_size
        Side of a pixel and its unit, ``(0.5, "nm")``; classifiers remember it.
    fresh
        True sets older labels aside and begins without any, and with no other classes than those given.

    Raises
    ------
    ImageError
        If the image cannot be labelled.
    LabelError
        If the classes will not do, or change the meaning of older labels; or if the name's older labels are of another shape.
    NodeNotFoundError, SidecarError, DiskFullError
        If the sidecar cannot be started, or has no room for the arrays.

    Notes
    -----
    All arrays are read-only maps of files that the sidecar shares: nothing is copied, and what is drawn in the widget shows
    in `labels` without a call. Copy an array (``lab.labels.copy()``) to keep it as it is now.
    """

    def __init__(
        self,
        image: ImageLike,
        classes: ClassesLike | None = None,
        *,
        name: str | None = None,
        colors: Iterable[str] | None = None,
        pixel_size: tuple[float, str] | None = None,
        fresh: bool = False,
    ) -> None:
        if name is not None and (not isinstance(name, str) or not 1 <= len(name) <= _NAME_MAX):
            raise ParameterError(f"The name {name!r} will not do; a text of 1 to {_NAME_MAX} characters will.")
        if classes is None and colors is not None:
            raise LabelError("colors needs classes beside it.")
        wanted = make_classes(DEFAULT_CLASSES if classes is None else classes, colors)
        prepared = prepare(image)
        info = {**prepared.info(), "pixelSize": pixel_size_of(pixel_size)}
        self._stack = prepared.stack
        self._client: Client = client()
        self._lock = threading.Lock()
        self._maps: dict[str, tuple[tuple[Any, ...], Array]] = {}
        self._closed = False
        self._open_params: dict[str, Any] = {
            "key": session_key(name, info["digest"]),
            "title": name or prepared.title or "",
            "image": info,
            "classes": wanted,
            "keepClasses": True,
            "fresh": False,
        }
        try:
            state = self._client.request("session.open", {**self._open_params, "fresh": bool(fresh)}).result
        except ParameterError as error:  # labels of another shape have this name
            raise LabelError(str(error)) from None
        self._session = str(state["session"])
        self._resumed: dict[str, Any] | None = state["resumed"]
        self._state: State = state
        try:
            if not state["imageReady"]:
                write_array(state["arrays"]["image"], prepared.pixels)
                state = self._client.request("image.ready", {"session": self._session}).result
            if classes is not None:
                recolor = colors is not None or hasattr(classes, "keys")
                merged = (
                    wanted if fresh else merge_classes(wanted, state["classes"], state["labels"]["counts"], recolor)
                )
                if merged is not None and merged != state["classes"]:
                    state = self._request("session.classes", {"classes": merged})
            self._accept(state)
            # The map keeps the pixels even if its file goes, so that they can be written again for another sidecar.
            self._map_pixels(state)
        except BaseException:
            _detach(self._client, self._session)
            raise
        sessions.register(self._session, self)
        self._refresh()  # takes part: as long as we do, the arrays stay
        self._finalizer = weakref.finalize(self, _detach, self._client, self._session)

    # What it is

    @property
    def session(self) -> str:
        """The session's id."""
        return self._session

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the labels: (rows, columns), of a stack (slices, rows, columns)."""
        _, *pixels, _ = self._open_params["image"]["shape"]
        slices = self._open_params["image"]["shape"][0]
        return (slices, *pixels) if self._stack else tuple(pixels)

    @property
    def image(self) -> Array:
        """The image: (rows, columns), (rows, columns, 3) or (slices, rows, columns). Booleans became 0 and 255."""
        if identity(self._state["arrays"]["image"]) != self._pixels_file and not self._closed:
            self._refresh()  # another labeller put another image into the session, or the file is gone
        pixels = self._pixels if self._stack else self._pixels[0]
        return pixels[..., 0] if pixels.shape[-1] == 1 else pixels

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes; the first has id 1 unless classes were taken out."""
        return tuple(str(item["name"]) for item in self._refresh()["classes"])

    @property
    def class_ids(self) -> dict[str, int]:
        """The id of each class, as it stands in label arrays."""
        return {str(item["name"]): int(item["id"]) for item in self._refresh()["classes"]}

    @property
    def widget(self) -> LabellerWidget:
        """The ipywidget that shows this session; labellers of one session share it."""
        from .widget import widget_of

        if self._closed:
            raise SidecarError(CLOSED)
        return widget_of(self._session, str(self._open_params["title"]))

    # Labels

    @property
    def labels(self) -> npt.NDArray[np.uint8]:
        """What was drawn: class ids, 0 is unlabelled. uint8 of `shape`, live and read-only; see `set_labels`."""
        state = self._state
        known = self._maps.get("labels")
        if (known is None or known[0][:3] != identity(state["arrays"]["labels"])) and not self._closed:
            state = self._refresh()  # the file is gone, since the sidecar took us for gone, or is another one
        return self._array("labels", state)

    def set_labels(self, labels: npt.ArrayLike) -> None:
        """Replace all labels.

        Parameters
        ----------
        labels : array_like
            Class ids of `shape`, integers or booleans; 0 is unlabelled.

        Raises
        ------
        LabelError
            If shape or dtype are others, or ids are no class's.
        """
        array = np.asarray(labels)
        if array.shape != self.shape:
            raise LabelError(f"Labels of shape {array.shape} do not fit; the image needs {self.shape}.")
        if array.dtype.kind not in "iub":
            raise LabelError(f"Labels of dtype {array.dtype} will not do; whole numbers will: labels.astype('uint8').")
        names = self.class_ids
        used = np.unique(array)
        unknown = sorted(set(used.tolist()) - {0, *names.values()})
        if unknown:
            some = ", ".join(str(value) for value in unknown[:5]) + (", …" if len(unknown) > 5 else "")
            known = ", ".join(f"{value} ({name})" for name, value in names.items())
            raise LabelError(f"There is no class {some}; ids are {known}, and 0 is unlabelled.")
        values = array.astype(np.uint8)
        staged = staging.stage(self._client, values if self._stack else values[np.newaxis])
        try:
            self._request("labels.set", {"staged": staged})
        finally:
            staging.release(self._client, staged)

    def fresh_start(self) -> None:
        """Set all labels aside (they stay in the session's folder) and begin again."""
        self._refresh()
        self._accept(self._request("session.fresh"))
        self._resumed = None

    # Learning

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
        sigmas: Sequence[float] | None = None,
        gaussian: bool | None = None,
        sobel: bool | None = None,
        hessian: bool | None = None,
        difference_of_gaussians: bool | None = None,
        membrane: tuple[int, int] | bool | None = True,
        embedding: bool | Mapping[str, Any] | None = None,
        also: Labeller | Iterable[Labeller] = (),
        progress: bool = True,
        **unknown: Any,
    ) -> Classifier:
        """Grow trees on the labels and segment the image. Waits; interrupting the cell stops the work.

        Parameters
        ----------
        trees
            Number of trees of a forest.
        max_depth, max_features, min_leaf
            Depth of the trees; features tried at each split of a forest, or for each boosted tree (``"sqrt"``: the root of their
            number, ``"all"``: all, for boosted trees); labelled pixels in a leaf at least.
        balanced
            Whether classes weigh the same, however many pixels they have.
        max_samples
            Labelled pixels used at most, drawn evenly from the classes; ``"all"`` takes all of them.
        seed
            The same seed, labels and image give the same trees.
        refine
            Radius in pixels, 0 to 32, of a guided filter that smooths probabilities along the image's edges; 0: they stay as the
            trees give them.
        rounds, learning_rate, max_leaves, l2, patience
            Of boosted trees, which are grown one after the other, each on what those before it get wrong: trees at most; the
            share of its step that a tree takes; leaves of a tree at most; what is added to the sum of second derivatives in a
            leaf; trees without a better loss on strokes that are held out after which no more are grown, or ``"never"``.
        preset
            What the parameters above are on top of: ``"deep"``, a forest of 100 grown-out trees, its probabilities refined;
            ``"samba"``, a forest of 200 trees of depth 10; or ``"boosting"``, boosted trees, refined. If it is None, a preset
            that has these parameters, ``"deep"`` first; if all of them are None too, everything is as it was chosen last, here
            or in the widget, and ``"deep"`` before that.
        features
            A `FeatureSpec`, ``"sam"``, ``"samba"``, ``"weka"``, or a mapping of a spec's fields. If it and all below are left
            out, the features are as they were chosen last, here or in the widget, and ``"sam"`` before that: those of
            ``"samba"``, of the standardised image, and what SAM's encoder sees. Where SAM does not run it warns and goes on
            without.
        sigmas
            Scales of the features in pixels, rising.
        gaussian, sobel, hessian, difference_of_gaussians
            Which features there are, on top of `features` (of ``"sam"`` if that is None).
        membrane
            Patch and thickness in pixels of the membrane projections; None leaves them out, True is the default.
        embedding
            Whether there are features of SAM's encoder, or its part of a `FeatureSpec`; None leaves it to `features`.
        also
            Other labellers whose labels are learned from as well, and whose images are segmented too: they have this classifier
            from now on. Their images may have other sizes and be stacks, but need as many channels, and the same classes.
        progress
            Whether a line of text says how it is doing.

        Returns
        -------
        Classifier
            The same as `classifier` from now on.

        Raises
        ------
        LabelError
            If fewer than two classes are labelled.
        ParameterError
            If `also` has images of other channels or classes, a parameter is outside what is allowed or of another kind of
            trees than the others, or there is none of that name.

        Warns
        -----
        UserWarning
            If there are features of SAM's encoder and it does not run: the classifier does without.
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
            "sigmas": sigmas,
            "gaussian": gaussian,
            "sobel": sobel,
            "hessian": hessian,
            "difference_of_gaussians": difference_of_gaussians,
            "membrane": membrane,
            "embedding": embedding,
        }
        refuse_unknown(unknown, [*given, "also", "progress"])
        others = _labellers(also)
        chosen = {"features": feature_choice(given), "forest": learner_request(given)}
        params: dict[str, Any] = {name: value for name, value in chosen.items() if value is not None}
        for labeller in (*others, self):  # takes part, so that the events of the job come here
            labeller._refresh()
        if others:
            params["others"] = [labeller._session for labeller in others]
        line = ProgressLine("Training", progress)
        try:
            state = self._request("train", params, on_job=line)
        except KeyboardInterrupt:
            line.finish("Training was interrupted.")
            raise
        except NotReadyError as error:
            line.end()
            raise LabelError(str(error)) from None
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

        It trains as it was chosen last; until two classes are labelled nothing happens. `segmentation` and the others follow a
        moment after the labels.
        """
        return bool(self._refresh()["live"])

    @live.setter
    def live(self, on: bool) -> None:
        switched = switch("live", on)
        self._refresh()  # takes part
        self._accept(self._request("session.live", {"on": switched}))

    def report(self) -> Report:
        """Tell how it goes: of each class labelled pixels, scores and phase fraction; confusion; what each feature is worth.

        Returns
        -------
        Report
            As it is now; a cell's last line shows it as a table, ``to_pandas()`` makes it a DataFrame. Live segmentation
            keeps up with the labels, so the next call tells more.
        """
        state = self._refresh()
        return report_of(state, lambda: np.bincount(self.segmentation.ravel(), minlength=256))

    @property
    def pixel_size(self) -> tuple[float, str] | None:
        """Side of a pixel and its unit, as it was given."""
        size = self._open_params["image"].get("pixelSize")
        return None if size is None else (float(size["value"]), str(size["unit"]))

    @property
    def segmentation(self) -> npt.NDArray[np.uint8]:
        """What the classifier says, with the labels on top: class ids, uint8 of `shape`."""
        return self._trained("segmentation")

    @property
    def segmentation_version(self) -> int:
        """Rises whenever the image was segmented anew; 0 before that."""
        segmentation = self._refresh()["segmentation"]
        return int(segmentation["version"]) if segmentation else 0

    @property
    def probabilities(self) -> npt.NDArray[np.float32]:
        """Probability of each class, float32 of `shape` and the classes, in `Classifier.classes`' order; sums of 1."""
        return self._trained("probabilities")

    @property
    def uncertainty(self) -> npt.NDArray[np.float32]:
        """How unsure the classifier is, float32 of `shape`: 1 − (highest − second highest probability)."""
        return self._trained("uncertainty")

    def uncertainty_by(self, measure: Literal["margin", "maximum"]) -> npt.NDArray[np.float32]:
        """Tell how unsure the classifier is, float32 of `shape`.

        Parameters
        ----------
        measure
            ``"margin"``: 1 − (highest − second highest probability), as `uncertainty`. ``"maximum"``: 1 − highest probability, in
            a new array.

        Raises
        ------
        ParameterError
            If it is another measure.
        """
        if measure not in ("margin", "maximum"):
            raise ParameterError(f"measure is {measure!r}; 'margin' or 'maximum' will do.")
        if measure == "margin":
            return self.uncertainty
        uncertainty: npt.NDArray[np.float32] = np.float32(1) - self.probabilities.max(axis=-1)
        return uncertainty

    @property
    def classifier(self) -> Classifier:
        """What was learned last, here or by the widget's button."""
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
        """Compute the feature stack of a slice, float32 (rows, columns, features). The next call's may take its place."""
        return self._feature_request(slice)[1]

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the features, in the order of the last axis of `features`."""
        segmentation = self._refresh()["segmentation"]
        if segmentation:
            return tuple(str(name) for name in segmentation["classifier"]["features"])
        return self._feature_request(0)[0]

    # Where to label next

    def most_uncertain(
        self,
        n: int = 1,
        *,
        measure: Literal["margin", "maximum"] = "margin",
        side: int | None = None,
        slices: int | Iterable[int] | None = None,
        progress: bool = True,
    ) -> list[Region]:
        """Find the regions in which the classifier is least sure, over all slices, the least sure first.

        They hold no label and do not overlap; once one has a label the next call passes over it.

        Parameters
        ----------
        n
            How many at most, 1 to 1,000.
        measure
            ``"margin"``: 1 − (highest − second highest probability), as in `uncertainty`; ``"maximum"``: 1 − highest probability.
        side
            Side of a region in pixels, 8 to 1,024; 32 if left out.
        slices
            A slice or some of them; all if left out.
        progress
            Whether a line of text says how it is doing, in stacks.

        Returns
        -------
        list of Region
            ``lab.image[region.index]`` are the pixels of one.

        Raises
        ------
        NotTrainedError
            If there is no classifier yet; see `suggest_regions`.
        ParameterError
            If a parameter is outside what is allowed.
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
        """Find regions to begin with, before anything is labelled: representative and unusual ones in turn.

        What SAM sees of the image decides; where its embedding cannot be had, a warning says so and brightness and roughness
        decide. Of a long stack a few slices are looked at.

        Parameters
        ----------
        n
            How many at most, 1 to 1,000.
        side, slices, progress
            As `most_uncertain` has them.

        Returns
        -------
        list of Region
            Whose ``reason`` is ``"representative"`` (many others are like it) or ``"unusual"`` (no other is).

        Raises
        ------
        ParameterError
            If a parameter is outside what is allowed.
        """
        self._refresh()
        return find_regions(self._request, self.shape, "embedding", n, side=side, slices=slices, progress=progress)

    # Segment anything

    @property
    def embedding(self) -> npt.NDArray[np.float32]:
        """SAM's embedding of the image, float32 (256, 64, 64); computed when it is first needed."""
        self._single("embedding", "slice_embedding")
        return self.slice_embedding(0)

    def slice_embedding(self, slice: int) -> npt.NDArray[np.float32]:
        """Compute SAM's embedding of a slice, float32 (256, 64, 64)."""
        index = self._slice(slice)
        self._refresh()
        reply = self._request("sam.embed", {"slice": index})
        embedding: npt.NDArray[np.float32] = map_array(reply["array"])[index]
        return embedding

    def suggest(self, row: float, col: float, slice: int = 0) -> Suggestion:
        """Ask SAM what lies at a pixel, as the widget does under the cursor.

        Parameters
        ----------
        row, col
            The pixel; its centre is at whole numbers.
        slice
            Of a stack.

        Returns
        -------
        Suggestion
            ``masks``, bool (3, rows, columns), and ``scores``, float64 (3,), for SAM's small, medium and large scale.

        Raises
        ------
        ParameterError
            If the point is outside the image.
        """
        self._refresh()
        rows, columns = self.shape[-2:]
        for what, value, size in (("row", row, rows), ("col", col, columns)):
            if not -0.5 <= float(value) <= size - 0.5:
                raise ParameterError(f"{what} is {value}; the image has 0 to {size - 1}.")
        points = [{"row": float(row), "column": float(col), "label": 1}]
        reply = self._request("sam.suggest", {"slice": self._slice(slice), "points": points})
        masks = staging.take(self._client, reply).view(np.bool_)
        return Suggestion(masks, np.array(reply["scores"], dtype=np.float64))

    # Life

    def close(self) -> None:
        """Close the widget and leave the session; labels stay with the sidecar. The arrays that were taken stay valid."""
        if self._closed:
            return
        self._closed = True
        sessions.forget(self._session, self)
        if self._session not in sessions.alive():  # another labeller of the session may be shown still
            from .widget import close_widget_of

            close_widget_of(self._session)
        self._finalizer()

    def __repr__(self) -> str:
        shape = " × ".join(str(length) for length in self.shape)
        classes = ", ".join(str(item["name"]) for item in self._state["classes"])
        title = self._open_params["title"]
        text = f"Labeller({f'{title}: ' if title else ''}{shape}, {self._pixels.dtype}; classes {classes})"
        return text + (f"\n{self._resumed_text()}" if self._resumed else "")

    def _repr_mimebundle_(self, **options: Any) -> Any:
        if self._closed:
            return {"text/plain": repr(self)}
        bundle = self.widget._repr_mimebundle_(**options)
        data = bundle[0] if isinstance(bundle, tuple) else bundle
        if isinstance(data, dict):
            data["text/plain"] = repr(self)
        return bundle

    def _resumed_text(self) -> str:
        resumed = self._resumed or {}
        day = str(resumed.get("changed", ""))[:10]
        return (
            f"{int(resumed.get('pixels', 0)):,} labelled pixels from {day} were taken up. "
            "lab.fresh_start() begins without them."
        )

    # Below: what the classifier says

    def _trained(self, name: str) -> Array:
        state = self._refresh()
        if (
            name not in state["arrays"]
        ):  # large, and computed when somebody asks; or given back after a long time unused
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
        segmentation = self._refresh()["segmentation"]  # the session may hold another image now, too
        spec = segmentation["classifier"].get("spec") if segmentation else None
        params = {"slice": self._slice(slice), **({"features": spec} if spec else {})}
        reply = self._request("features", params)
        array: npt.NDArray[np.float32] = map_array(reply["array"])
        return tuple(str(name) for name in reply["names"]), array[0] if array.ndim == 4 else array


def _labellers(also: Labeller | Iterable[Labeller]) -> list[Labeller]:
    others = [also] if isinstance(also, Labeller) or not isinstance(also, Iterable) else list(also)
    for other in others:
        if not isinstance(other, Labeller):
            raise ParameterError(f"also is a labeller or a list of labellers; {type(other).__name__} is none.")
    return others


def _detach(sidecar: Client, session: str) -> None:
    if session in sessions.alive():  # a cell that was run again made its successor
        return
    sidecar.tell("session.detach", {"session": session})
