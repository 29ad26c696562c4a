"""The user's code that called this package."""

from __future__ import annotations

import os
import sys
from types import FrameType

_PACKAGE = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "")
_TESTS = os.path.join(_PACKAGE, "tests", "")


def calling_frame() -> tuple[FrameType | None, int]:
    """Find the innermost frame outside of this package.

    Returns
    -------
    frame : FrameType or None
        None if there is no such frame.
    level : int
        Its ``stacklevel`` for `warnings.warn` in the function that calls this.
    """
    frame: FrameType | None = sys._getframe(1)
    level = 1
    while frame is not None:
        file = os.path.abspath(frame.f_code.co_filename)
        if not file.startswith(_PACKAGE) or file.startswith(_TESTS):
            break
        frame, level = frame.f_back, level + 1
    return frame, level
