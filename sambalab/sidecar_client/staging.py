"""Whole arrays in requests and replies, passed through files."""

from __future__ import annotations

import contextlib
import sys
from typing import Any

import numpy as np
import numpy.typing as npt

from ..files.images import Image
from ..spec.errors import SambaLabError
from .arrays import map_array, write_array, write_image
from .client import Client

Array = npt.NDArray[Any]


def stage(client: Client, values: Array | Image) -> str:
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
    reply = client.request("array.stage", {"dtype": values.dtype.name, "shape": list(shape)}).result
    staged = str(reply["staged"])
    try:
        if isinstance(values, Image):
            write_image(reply["array"], values)
        else:
            write_array(reply["array"], values)
    except BaseException:
        release(client, staged)
        raise
    return staged


def release(client: Client, staged: str) -> None:
    """Release a staged array. Does nothing if it is gone already."""
    with contextlib.suppress(SambaLabError):
        client.request("array.release", {"staged": staged}, timeout=30)


def take(client: Client, result: dict[str, Any]) -> Array:
    """Map a staged result and release it. The array stays valid without the file."""
    array = map_array(result["array"])
    if sys.platform == "win32":  # a mapped file cannot be removed there
        array = np.array(array)
        array.flags.writeable = False
    release(client, str(result["staged"]))
    return array
