"""Whole arrays in requests and replies, passed through files."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from ..files.images import KEPT_BYTES, Image
from ..spec.errors import DiskFullError, SambaLabError, SidecarError
from .arrays import map_array, write_array, write_image, writing
from .client import Client, client, sidecars_max

Array = npt.NDArray[Any]
T = TypeVar("T")


def stage(sidecar: Client, values: Array | Image) -> str:
    """Write an array, or an image's pixels, for the sidecar.

    Returns
    -------
    str
        The id of the staged array, for requests and for `release`.

    Raises
    ------
    DiskFullError
        If the disk is full.
    ImageError
        If the image cannot be read.
    """
    shape = values.full_shape if isinstance(values, Image) else values.shape
    reply = sidecar.request("array.stage", {"dtype": values.dtype.name, "shape": list(shape)}).result
    staged = str(reply["staged"])
    try:
        if isinstance(values, Image):
            write_image(reply["array"], values)
        else:
            write_array(reply["array"], values)
    except BaseException:
        release(sidecar, staged)
        raise
    return staged


def stage_ahead(sidecar: Client, image: Image) -> str | None:
    """Write a large image's pixels for the sidecar while its digest is computed, so that it is read and decoded once.

    Returns
    -------
    str or None
        The id of the staged array, for ``session.open``. None if it is not worth it: the image is small or its digest known; or
        if there is no room for an array that may not be needed.

    Raises
    ------
    ImageError
        If the image cannot be read.
    """
    if image.is_surveyed or image.nbytes <= KEPT_BYTES:
        return None
    wanted = {"dtype": image.dtype.name, "shape": list(image.full_shape), "ahead": True}
    try:
        reply = sidecar.request("array.stage", wanted).result
    except DiskFullError:
        return None
    staged = str(reply["staged"])
    try:
        with writing(reply["array"], image.dtype, image.full_shape) as write:
            written = 0

            def keep(block: Array) -> None:
                nonlocal written
                write(block)
                written += block.nbytes
                sidecar.tell("array.written", {"staged": staged, "bytes": written})

            image.survey(keep)
    except (DiskFullError, SidecarError):
        release(sidecar, staged)
        return None
    except BaseException:
        release(sidecar, staged)
        raise
    return staged


def once_more(work: Callable[[Client], T]) -> T:
    """Run `work`, at most `sidecars_max` times: again if the sidecar went away meanwhile, because its staged arrays are gone."""
    sidecar = client()
    most = sidecars_max()
    for attempt in range(most):
        instance = sidecar.instance
        try:
            return work(sidecar)
        except SambaLabError:
            if attempt == most - 1 or not instance or sidecar.instance == instance:
                raise
    raise AssertionError("unreachable")


def release(sidecar: Client, staged: str) -> None:
    """Release a staged array. Does nothing if it is gone already."""
    with contextlib.suppress(SambaLabError):
        sidecar.request("array.release", {"staged": staged}, timeout=30)


def take(sidecar: Client, result: dict[str, Any]) -> Array:
    """Map a staged result and release it. The array stays valid without the file."""
    array = map_array(result["array"])
    if sys.platform == "win32":  # a mapped file cannot be removed there
        array = np.array(array)
        array.flags.writeable = False
    release(sidecar, str(result["staged"]))
    return array
