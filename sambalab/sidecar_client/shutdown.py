"""`shutdown`, which ends the sidecar."""

from __future__ import annotations

import time

from ..spec.errors import SidecarError
from . import sidecar
from .connection import Connection

STOP_SECONDS = 30.0


def shutdown() -> bool:
    """End SambaLab's background process, the sidecar, on this computer, and free its memory, its arrays and its data folder.

    All labels and classifiers are on the disk. The next call of a labeller, or the next action in a widget of any notebook,
    starts the sidecar again. ``lab.segmentation`` or the next training computes the segmentation again. Arrays that you hold,
    such as ``lab.labels``, keep what they show but follow no changes any more: ask the labeller for them again. They and the
    images of labellers are in memory until nothing refers to them.

    Returns
    -------
    bool
        Whether there was a sidecar.

    Raises
    ------
    SidecarError
        If it does not end.
    """
    info = sidecar._find()
    if info is None:
        return False
    sidecar.note_shutdown(info.instance)
    connection = Connection(info, "python")
    try:
        connection.call("shutdown", {})
    finally:
        connection.close()
    deadline = time.monotonic() + STOP_SECONDS
    while sidecar.runs(info.pid):
        if time.monotonic() > deadline:
            raise SidecarError(
                f"SambaLab's sidecar (process {info.pid}) did not end within {STOP_SECONDS:g} s. End that process; its log is "
                f"{info.log}."
            )
        time.sleep(0.05)
    return True
