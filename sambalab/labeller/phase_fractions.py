"""`phase_fractions`: phase fractions of several images as one, with intervals. The sidecar computes them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from ..sidecar_client import staging
from ..sidecar_client.client import Client
from ..spec.errors import LabelError, NotReadyError, ParameterError
from ..spec.parameters import show
from ..spec.phase_fractions import PhaseFractions, fractions_of
from ..spec.tables import limits
from .labeller import Labeller


def phase_fractions(images: Any, probabilities: Any = None, *, classes: Sequence[str] | None = None) -> PhaseFractions:
    """Compute the phase fractions of one or more images of a material, with 95 % intervals.

    An image shows a part of the material only, and neighbouring pixels are alike: the interval follows from the correlation of
    each phase (its integral range), from what images differ by beyond that, and from the probabilities of the classification.
    docs/python.md says more.

    Parameters
    ----------
    images : Labeller, array_like, or a list or tuple of them
        A labeller counts by its corrected segmentation, in its region, with its classifier's probabilities. An array has class
        ids, 0 for pixels that do not count: integers (rows, columns), or (slices, rows, columns) of a volume, whose slices may be
        alike. Pass unrelated images as a list, not as a volume. All of them are labellers, or all are arrays.
    probabilities : array_like or a list or tuple of them, optional
        For arrays: probabilities (…, classes) of each, of the ids 1, 2, 3 …, for example of ``classifier.apply(image,
        output="probabilities")``. None: the error of the classification is unknown.
    classes
        Names of the ids 1, 2, 3 … of arrays; None: the ids themselves.

    Returns
    -------
    PhaseFractions
        Its ``fractions`` and ``intervals`` have a row for each class. Labellers whose images all have a `pixel_size` in the same
        unit count by area, all others by pixels.

    Raises
    ------
    NotReadyError
        If a labeller has no segmentation yet.
    LabelError
        If labellers have different classes.
    ParameterError
        If an array is not a segmentation, or its probabilities do not fit.

    Examples
    --------
    >>> found = sl.phase_fractions([lab1, lab2, lab3])
    >>> found.fractions[0], found.intervals[0]
    (0.312, array([0.287, 0.339]))
    """
    given = list(images) if isinstance(images, (list, tuple)) else [images]
    most = int(limits("phases")["images"])
    if not 1 <= len(given) <= most:
        raise ParameterError(f"images has {len(given)} items; 1 to {most:,} will do.")
    labellers = [image for image in given if isinstance(image, Labeller)]
    if labellers:
        if len(labellers) < len(given):
            raise ParameterError("images has labellers and arrays; all labellers or all arrays will do.")
        for name, value in (("probabilities", probabilities), ("classes", classes)):
            if value is not None:
                raise ParameterError(f"{name} is for arrays; labellers have their own.")
        return _of_labellers(labellers)
    return _of_arrays(given, probabilities, isinstance(images, (list, tuple)), classes)


def _of_labellers(labellers: Sequence[Labeller]) -> PhaseFractions:
    found: list[dict[str, Any]] = []
    named: list[tuple[int, str]] = []
    for number, labeller in enumerate(labellers):
        state = labeller._refresh()
        own = [(int(item["id"]), str(item["name"])) for item in state["classes"]]
        if number == 0:
            named = own
        elif dict(own) != dict(named):
            wanted, other = (", ".join(f"{name} ({key})" for key, name in pairs) for pairs in (named, own))
            raise LabelError(f"images[{number}] has the classes {other}; those of images[0] will do: {wanted}.")
        try:
            labeller._trained("segmentation")  # makes what the session has freed, or what a larger region lacks
            found.append(labeller._request("phases.measure")["image"])
        except NotReadyError as error:
            raise error if len(labellers) == 1 else type(error)(f"images[{number}]: {error}") from None
    sizes = [labeller.pixel_size for labeller in labellers]
    units = {size[1] if size else None for size in sizes}
    weights = None
    if len(units) == 1 and None not in units:
        weights = [image["pixels"] * size[0] ** 2 for image, size in zip(found, sizes, strict=True) if size]
    return _pooled(named, found, weights)


def _of_arrays(given: Sequence[Any], probabilities: Any, listed: bool, classes: Sequence[str] | None) -> PhaseFractions:
    soft: list[Any] = [None] * len(given)
    if probabilities is not None:
        soft = list(probabilities) if listed and isinstance(probabilities, (list, tuple)) else [probabilities]
        if len(soft) != len(given):
            raise ParameterError(f"probabilities has {len(soft)} items for {len(given)} images; one for each will do.")
    found, highest = [], 0
    for number, (image, sure) in enumerate(zip(given, soft, strict=True)):
        name = f"images[{number}]" if listed else "images"
        ids = _segmentation(name, image)
        likely = None if sure is None else _probabilities(name.replace("images", "probabilities"), sure, ids.shape)
        found.append(staging.once_more(partial(_measure, ids=ids, likely=likely)))
        highest = max([highest, *(phase["id"] for phase in found[-1]["phases"])])
        highest = max(highest, 0 if likely is None else likely.shape[-1])
    if classes is None:
        occurring = {int(phase["id"]) for image in found for phase in image["phases"]}
        named = [(number, str(number)) for number in sorted(occurring)]
    else:
        if isinstance(classes, str) or len(classes) < highest:
            raise ParameterError(
                f"classes is {show(classes)}; a list of {highest} names, of the ids 1 to {highest}, will do."
            )
        named = list(enumerate(map(str, classes), 1))
    return _pooled(named, found, None)


def _measure(sidecar: Client, ids: npt.NDArray[np.uint8], likely: npt.NDArray[np.float32] | None) -> dict[str, Any]:
    staged: list[str] = []
    try:
        staged.append(staging.stage(sidecar, ids))
        params: dict[str, Any] = {"segmentation": staged[0]}
        if likely is not None:
            staged.append(staging.stage(sidecar, likely))
            numbers = list(range(1, likely.shape[-1] + 1))
            params["probabilities"] = {"staged": staged[1], "ids": numbers}
        image: dict[str, Any] = sidecar.request("phases.measure", params).result["image"]
        return image
    finally:
        for each in staged:
            staging.release(sidecar, each)


def _pooled(
    named: Sequence[tuple[int, str]], found: Sequence[dict[str, Any]], weights: Sequence[float] | None
) -> PhaseFractions:
    params = {} if weights is None else {"weights": weights}
    images = json.dumps(found).encode()
    reply = staging.once_more(lambda sidecar: sidecar.request("phases.pool", params, [images]))
    return fractions_of(named, reply.result["phases"], found)


def _segmentation(name: str, image: Any) -> npt.NDArray[np.uint8]:
    """Check class ids, and give them as (slices, rows, columns)."""
    ids = np.asarray(image)
    most = int(limits("classes")["count"])
    if ids.ndim not in (2, 3) or ids.dtype.kind not in "bui" or ids.size == 0:
        raise ParameterError(
            f"{name} is {ids.dtype} of shape {ids.shape}; class ids will do, integers of shape (rows, columns) or "
            "(slices, rows, columns)."
        )
    if ids.dtype.kind != "b" and (ids.min() < 0 or ids.max() > most):
        raise ParameterError(f"{name} has values from {ids.min()} to {ids.max()}; ids from 0 to {most} will do.")
    return np.ascontiguousarray(ids[np.newaxis] if ids.ndim == 2 else ids, np.uint8)


def _probabilities(name: str, sure: Any, shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    """Check probabilities of (slices, rows, columns), and give them as (slices, rows, columns, classes)."""
    likely = np.asarray(sure)
    if likely.ndim == 3:
        likely = likely[np.newaxis]
    most = int(limits("classes")["count"])
    if likely.ndim != 4 or likely.shape[:3] != shape or not 1 <= likely.shape[3] <= most or likely.dtype.kind != "f":
        wanted = shape[1:] if shape[0] == 1 else shape
        raise ParameterError(
            f"{name} is {np.asarray(sure).dtype} of shape {np.shape(sure)}; floats of shape "
            f"({', '.join(map(str, wanted))}, classes) will do."
        )
    if not (np.isfinite(likely).all() and likely.min() >= 0 and likely.max() <= 1.001):
        raise ParameterError(f"{name} has values outside of 0 to 1, or NaN; probabilities will do.")
    return np.ascontiguousarray(likely, np.float32)
