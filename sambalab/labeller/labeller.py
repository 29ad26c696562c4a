"""`Labeller`: the session of an image, its classes and labels."""

from __future__ import annotations

import os
import threading
import warnings
import weakref
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..files.images import Image, ImageLike, Index, prepare
from ..files.mapped import drop_pages
from ..sidecar_client import sessions, staging
from ..sidecar_client.arrays import identity, write_image
from ..sidecar_client.class_sets import class_set
from ..sidecar_client.client import Client, client
from ..sidecar_client.keys import name_length_max, session_key
from ..sidecar_client.session_access import CLOSED, Array, State
from ..sidecar_client.session_list import SessionInfo
from ..spec.classes import ClassesLike, make_classes, resumed_classes, with_ids, with_named
from ..spec.errors import (
    LabelError,
    ParameterError,
    SambaLabError,
    SambaLabWarning,
    SidecarError,
)
from ..spec.parameters import one_of, pixel_size_of, switch
from ..spec.tables import limits
from .learning import Learning
from .picture import picture
from .suggestions import model_choice

if TYPE_CHECKING:
    from ..widget import LabellerWidget

DEFAULT_CLASSES = ("1", "2")


class Labeller(Learning):
    """Label an image and segment it; the last line of a cell shows the widget.

    Parameters
    ----------
    image : array_like or path
        An array: a grey image (rows, columns), a colour image (rows, columns, 3), or a stack (slices, rows, columns) or
        (slices, rows, columns, 3). A last axis of exactly 3 is colour; one of 4, or of 2, is colour or grey with alpha, which
        must be opaque. Any real dtype without NaN and infinity: booleans become 0 and 255, int8 int16, float16 float32, and
        64-bit integers 32-bit ones where they fit, else float64. Memory maps, and arrays of Dask, Zarr, HDF5 and xarray, are
        read in parts.

        Or the path of an image: TIFF, PNG, JPEG, BMP, GIF, WebP, PPM, JPEG 2000, NumPy (``.npy``), or a folder of Zarr or
        OME-Zarr. Palettes and CMYK become grey or RGB, MinIsWhite is inverted, and images are turned upright.

        A list of images of one shape, or of their paths, is a stack; for images of several shapes see `train`'s ``also``.
    classes
        Names of the phases, a mapping from names to colours (``#rrggbb``), or the name of a class set (`save_classes`). Ids count
        from 1. None: the classes of the resumed session, or two classes. The classes of a resumed session take the names given
        here. Its further classes stay if all names before them agree, or if they have labelled pixels.
    name
        Identifies the session in every notebook. Without a name, image, notebook and variable (or cell) identify it.
        A name stands for one image at a time: if another image of the same shape is opened under it, older labellers of
        that name show the newer image.
    colors
        Colours of the classes, if `classes` is a list of names.
    pixel_size
        Side of a pixel and its unit, ``(0.5, "nm")``; classifiers remember it. None: what the file says, if it does.
    fresh
        True starts without labels and with the given classes alone. The older labels stay in the session's folder. A training
        on them that still runs is cancelled, and leaves no result; the result of one that has ended stays until the next.
    axes
        A letter for each axis of the array, ``"YXC"``, as in tifffile: Y rows, X columns, Z or T slices, C channels, S samples
        of a colour; any other letter is an axis of slices. None: what the file, or xarray, says,
        where a letter that is none of these is asked for, and pages of unknown kind are slices; else as above.
    series
        Which of several images in a file, counted from 0. None: the one with most rows × columns, the first of them.
    index
        What to take along axes that have too much: ``{"T": 0}``, or several channels or slices, ``{"C": [0, 1, 2]}``.
    sam_model
        The SAM model that suggests: see `Labeller.sam_model`. None: that of the resumed session, or MobileSAM.

    Raises
    ------
    ImageError
        If the image cannot be labelled.
    LabelError
        If the classes are invalid or change the meaning of older labels, or if older labels of this name have another shape.
    ParameterError
        If `name`, `pixel_size` or `fresh` is invalid.
    NodeNotFoundError, SidecarError
        If the sidecar cannot be started.
    DiskFullError
        If there is no room for the arrays.
    ModelError
        If the files of `sam_model` are missing, or are not the model's.
    StorageError
        If a file of the session cannot be read or written. Nothing is changed then.

    Warns
    -----
    DamageWarning
        If a file of the session was damaged: what was kept, what is lost, and where the damaged file is.
    SambaLabWarning
        If `name` had another image of the same shape until now. Its labels are kept.

    Notes
    -----
    All arrays are read-only maps of files that the sidecar writes. Nothing is copied, and strokes in the widget show in
    `labels` without a call. Copy an array (``lab.labels.copy()``) to keep its present values.
    """

    def __init__(
        self,
        image: ImageLike,
        classes: ClassesLike | str | None = None,
        *,
        name: str | None = None,
        colors: Iterable[str] | None = None,
        pixel_size: tuple[float, str] | None = None,
        fresh: bool = False,
        axes: str | None = None,
        series: int | None = None,
        index: Index | None = None,
        sam_model: str | os.PathLike[str] | None = None,
    ) -> None:
        if name is not None and (not isinstance(name, str) or not 1 <= len(name) <= name_length_max()):
            raise ParameterError(f"The name {name!r} will not do; a text of 1 to {name_length_max()} characters will.")
        if classes is None and colors is not None:
            raise LabelError("colors needs classes beside it.")
        fresh = switch("fresh", fresh)
        if isinstance(classes, str):
            classes = class_set(classes)
        wanted = make_classes(DEFAULT_CLASSES if classes is None else classes, colors)
        prepared = prepare(image, axes=axes, series=series, index=index)
        size = pixel_size_of(prepared.pixel_size if pixel_size is None else pixel_size)
        self._client: Client = client()
        self._where = session_key(name, "").key
        staged = None if self._is_shown(prepared) else staging.stage_ahead(self._client, prepared)
        info = {**prepared.info(), "pixelSize": size, "notes": list(prepared.notes)}
        self._notes = prepared.notes
        self._classes_given = classes is not None
        self._stack = prepared.stack
        self._lock = threading.Lock()
        self._maps: dict[str, tuple[tuple[Any, ...], Array]] = {}
        self._closed = False
        self._is_fresh = fresh
        key = session_key(name, info["digest"])
        self._open_params: dict[str, Any] = {
            "key": key.key,
            "origin": key.origin,
            "title": name or prepared.title or "",
            "image": info,
            "classes": wanted,
            "keepClasses": True,
            "fresh": False,
        }
        try:
            own = {"fresh": fresh, **({} if staged is None else {"staged": staged})}
            state = self._client.request("session.open", {**self._open_params, **own}).result
        except BaseException as error:
            if staged is not None:
                staging.release(self._client, staged)
            if isinstance(error, ParameterError):  # labels of another shape exist under this name
                raise LabelError(str(error)) from None
            raise
        self._session = str(state["session"])
        self._resumed = state["resumed"]
        self._state: State = state
        self._notes = tuple(state["image"].get("notes") or ())
        try:
            if not state["imageReady"]:
                write_image(state["arrays"]["image"], prepared)
                state = self._client.request("image.ready", {"session": self._session}).result
            if classes is not None:
                recolor = colors is not None or hasattr(classes, "keys")
                merged = (
                    wanted if fresh else resumed_classes(wanted, state["classes"], state["labels"]["counts"], recolor)
                )
                if merged is not None and merged != state["classes"]:
                    state = self._request("session.classes", {"classes": merged})
            if sam_model is not None:
                state = self._request("sam.choose", {"model": model_choice(sam_model)})
            self._accept(state)
            # The map keeps the pixels if the file is deleted, so that they can be written again for a new sidecar.
            self._map_pixels(state)
        except BaseException:
            _detach(self._client, self._session)
            raise
        for note in self._notes[len(prepared.notes) :]:  # the sidecar's: the labels were made on another image
            warnings.warn(note, SambaLabWarning, stacklevel=2)
        sessions.register(self._session, self)
        self._refresh()  # joins the session, so that the sidecar keeps the arrays
        self._finalizer = weakref.finalize(self, _detach, self._client, self._session)
        self._finalizer.atexit = False  # a kernel that restarts comes back; the sidecar keeps the results for a while

    def _is_shown(self, image: Image) -> bool:
        """Whether a labeller of the same name or place shows such an image: its cell runs again, and the sidecar has it."""
        kind = [list(image.full_shape), image.dtype.name]
        shown = [
            [owner._open_params["image"]["shape"], owner._open_params["image"]["dtype"]]
            for owner in sessions.owners()
            if isinstance(owner, Labeller) and owner._where == self._where and not owner._closed
        ]
        return kind in shown

    # The session

    @property
    def session(self) -> str:
        """The session's id."""
        return self._session

    @property
    def image(self) -> Array:
        """The image: (rows, columns), of a stack (slices, rows, columns); with a last axis of 3 for colours."""
        if identity(self._state["arrays"]["image"]) != self._pixels_file and not self._closed:
            self._refresh()  # another labeller replaced the image, or the file is gone
        pixels = self._pixels if self._stack else self._pixels[0]
        return pixels[..., 0] if pixels.shape[-1] == 1 else pixels

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the widget's list and of its number keys. `class_ids` has their ids."""
        return tuple(str(item["name"]) for item in self._refresh()["classes"])

    @property
    def class_ids(self) -> dict[str, int]:
        """The id of each class, its value in label arrays."""
        return {str(item["name"]): int(item["id"]) for item in self._refresh()["classes"]}

    @property
    def widget(self) -> LabellerWidget:
        """The ipywidget that shows this session; labellers of one session share it."""
        from ..widget import widget_of

        if self._closed:
            raise SidecarError(CLOSED)
        return widget_of(self._session, str(self._open_params["title"]))

    @property
    def direction(self) -> str:
        """Direction of the slices that the widget shows, ``"xy"``, ``"xz"`` or ``"yz"``. Set it: ``lab.direction = "xz"``.

        A slice in xz is ``volume[:, y, :]``, one in yz ``volume[:, :, x]``; its rows are z. Labels that are painted there are
        those of the volume, ``lab.labels[z, y, x]``. Only a stack of grey slices has other directions than xy.

        Raises
        ------
        ParameterError
            For another direction, or one that the image does not have.
        """
        return str(self.widget.direction)

    @direction.setter
    def direction(self, direction: str) -> None:
        one_of("direction", direction, ("xy", "xz", "yz"))
        slices, _, _, channels = self._open_params["image"]["shape"]
        if direction != "xy" and (slices == 1 or channels != 1):
            raise ParameterError(f"direction is {direction!r}; only a stack of grey slices has others than 'xy'.")
        self.widget.direction = direction

    # Labels

    @property
    def labels(self) -> npt.NDArray[np.uint8]:
        """The labels: class ids, 0 is unlabelled. uint8 of `shape`, live and read-only; `set_labels` replaces them."""
        state = self._state
        known = self._maps.get("labels")
        if (known is None or known[0][:3] != identity(state["arrays"]["labels"])) and not self._closed:
            state = self._refresh()  # the sidecar deleted or replaced the file after this process had left the session
        self._warn_of_damage(self._state, stacklevel=3)  # another thread may have opened the session again
        return self._array("labels", state)

    @property
    def provenance(self) -> npt.NDArray[np.uint8]:
        """What made each label: values of `sambalab.Provenance`, uint8 of `shape`, live and read-only.

        A label keeps its provenance until another class, or nothing, takes its place. 0 where nothing is labelled, and at labels
        from before SambaLab noted it.
        """
        return self._array("provenance", self._refresh())

    def set_labels(
        self, labels: npt.ArrayLike | str | os.PathLike[str] | SessionInfo | Labeller, *, spread: bool = False
    ) -> None:
        """Replace all labels.

        Parameters
        ----------
        labels : array_like, path, labeller or session
            Class ids, integers or booleans of `shape`; 0 is unlabelled, and so are masked pixels of a masked array. Ids that are
            no classes yet become the last classes, named ``"class 3"``, unless `classes` was given to this labeller.

            Or a file: ``.tif``, ``.ome.tif``, ``.png``, ``.npy``, or COCO's ``.json``. If it names its classes, their names and
            colours become those of this labeller; if `classes` was given to it, the file's ids are matched by name.

            Or another labeller, or an entry of ``sambalab.sessions()``: as `take_labels`.
        spread
            Whether the ids of a file are spread over 0 to 255: see `save`.

        Raises
        ------
        LabelError
            If shape or dtype do not fit, there is no class of an id, or a file cannot be read.

        Warns
        -----
        SambaLabWarning
            If a file, labeller or session says that its pixels are of another size than the image's.
        """
        if isinstance(labels, (Labeller, SessionInfo)):
            note = self._take_from(labels)
            if note:
                warnings.warn(note, SambaLabWarning, stacklevel=2)
            return
        named: list[dict[str, Any]] | None = None
        file: str | None = None
        note = ""
        if switch("spread", spread) and not isinstance(labels, (str, os.PathLike)):
            raise LabelError("spread goes with the name of a file.")
        if isinstance(labels, (str, os.PathLike)):
            loaded, file = self._read_labels(labels, spread), Path(labels).name
            note = self._size_note(loaded.pixel_size, Path(labels).name)
            labels, named = loaded.ids, loaded.classes
        self._put_labels(labels, named, file=file)
        if note:
            warnings.warn(note, SambaLabWarning, stacklevel=2)

    def _put_labels(
        self,
        labels: npt.ArrayLike,
        named: list[dict[str, Any]] | None,
        *,
        add: bool = False,
        tool: str = "set_labels",
        file: str | None = None,
    ) -> None:
        """Replace all labels. `named`: the classes that a file names; `add`: classes may be added though `classes` was given.

        `tool` and `file` name the step in the list of steps.
        """
        add = add or not self._classes_given
        array = labels.filled(0) if isinstance(labels, np.ma.MaskedArray) else np.asarray(labels)
        if array.shape != self.shape:
            raise LabelError(f"Labels of shape {array.shape} do not fit; the image needs {self.shape}.")
        if array.dtype.kind not in "iub":
            raise LabelError(f"Labels of dtype {array.dtype} will not do; whole numbers will: labels.astype('uint8').")
        known = self._refresh()["classes"]
        used = {int(value) for value in np.unique(array)}
        if named is None:
            classes, values = with_ids(known, used, add=add), array.astype(np.uint8)
        else:
            classes, ids = with_named(known, named, used, add=add)
            values = np.array([ids.get(value, 0) for value in range(256)], np.uint8)[array.astype(np.uint8)]

        made = {"provenance": "python", "tool": tool}
        if file:
            made["file"] = file[-int(limits("files")["nameLength"]) :]

        def work(sidecar: Client) -> None:
            staged = staging.stage(sidecar, values if self._stack else values[np.newaxis])
            try:
                changed = {"classes": classes} if classes != known else {}
                self._request("labels.set", {"staged": staged, "made": made, **changed})
            finally:
                staging.release(sidecar, staged)

        return staging.once_more(work)

    @property
    def pixel_size(self) -> tuple[float, str] | None:
        """Side of a pixel and its unit; None if it was not given."""
        size = self._open_params["image"].get("pixelSize")
        return None if size is None else (float(size["value"]), str(size["unit"]))

    # The end

    def close(self) -> None:
        """Close the widget and leave the session. The sidecar keeps the labels; arrays in variables stay valid."""
        if self._closed:
            return
        self._closed = True
        sessions.forget(self._session, self)
        if self._session not in sessions.alive():  # the widget may still show another labeller of the session
            from ..widget import close_widget_of

            close_widget_of(self._session)
        self._finalizer()

    def __repr__(self) -> str:
        shape = " × ".join(str(length) for length in self.shape)
        classes = ", ".join(str(item["name"]) for item in self._state["classes"])
        title = self._open_params["title"]
        text = f"Labeller({f'{title}: ' if title else ''}{shape}, {self._pixels.dtype}; classes {classes})"
        return "\n".join([text, *self._notes, *([self._resumed_text()] if self._resumed else self._related_text())])

    def _repr_mimebundle_(self, **options: Any) -> Any:
        if self._closed:
            return {"text/plain": repr(self)}
        bundle = self.widget._repr_mimebundle_(**options)
        data = bundle[0] if isinstance(bundle, tuple) else bundle
        if isinstance(data, dict):
            from ..widget import OUTPUT_TYPE

            data["text/plain"] = repr(self)
            data[OUTPUT_TYPE] = {"title": str(self._open_params["title"])}
            png = self._picture()
            if png:
                data["image/png"] = png
        return bundle

    def _picture(self) -> str | None:
        """Draw what front ends without a kernel show, in base64; None if an array cannot be read now."""
        try:
            state = self._refresh()
            first = 0 if self._stack else ...
            labels = self._array("labels", state)[first] if any(state["labels"]["counts"].values()) else None
            trained = self._array("segmentation", state)[first] if state["segmentation"] else None
            low, high = state["image"]["display"]["low"], state["image"]["display"]["high"]
            drawn = picture(self._pixels[0], (low, high), state["classes"], labels, trained)
            for array in (labels, trained):
                if array is not None:
                    drop_pages(array)
            return drawn
        except (SambaLabError, OSError):  # the labeller is shown without it
            return None


def _detach(sidecar: Client, session: str) -> None:
    if session in sessions.alive():  # the cell ran again and made a new labeller of the session
        return
    sidecar.tell("session.detach", {"session": session})
