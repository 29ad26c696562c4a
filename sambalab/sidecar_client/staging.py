"""Handing whole arrays to the sidecar and taking them from it, through files."""

from __future__ import annotations

import contextlib
import sys
from typing import Any

import numpy as np
import numpy.typing as npt

from ..spec.errors import SambaLabError
from .arrays import map_array, write_array
from .client import Client

Array = npt.NDArray[Any]


def stage(client: Client, values: Array) -> str:
    """Put an array where the sidecar finds it.

    Returns
    -------
    str
        Its staged id, to be released.
    """
    reply = client.request("array.stage", {"dtype": values.dtype.name, "shape": list(values.shape)}).result
    staged = str(reply["staged"])
    try:
        write_array(reply["array"], values)
    except BaseException:
        release(client, staged)
        raise
    return staged


def release(client: Client, staged: str) -> None:
    """Give a staged array up. That it is gone already is no error."""
    with contextlib.suppress(SambaLabError):
        client.request("array.release", {"staged": staged}, timeout=30)


def take(client: Client, result: dict[str, Any]) -> Array:
    """Take over a staged result; the array stays valid when the file is gone."""
    array = map_array(result["array"])
    if sys.platform == "win32":  # a mapped file cannot be removed there
        array = np.array(array)
        array.flags.writeable = False
    release(client, str(result["staged"]))
    return array
