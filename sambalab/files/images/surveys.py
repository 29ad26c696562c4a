"""What was found out about files' images, so that a cell that runs again does not read its file again."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any, NamedTuple

#: A file that changed so shortly before it was read may change again without another time of change. In nanoseconds.
_RECENT = 2_000_000_000
#: Files that are remembered, the latest.
_MOST = 64


class Survey(NamedTuple):
    """What one look at all pixels tells.

    Attributes
    ----------
    digest
        SHA-256 of dtype, shape and pixels, 64 hexadecimal digits.
    display
        The values that are shown as black and white.
    """

    digest: str
    display: tuple[float, float]


_remembered: dict[tuple[Any, ...], Survey] = {}


class FileSurvey:
    """The survey of an image in a file, as long as this process runs and the file stays as it is.

    Parameters
    ----------
    path
        The file, which holds all pixels.
    choice
        What is taken from the file; hashable by its `repr`.
    """

    def __init__(self, path: Path, choice: object) -> None:
        self._path = path
        self._choice = repr(choice)
        self._key = self._look()
        self._opened = time.time_ns()

    def recall(self) -> Survey | None:
        """Give the survey of the file as it was when this object was made, if it is known."""
        return _remembered.get(self._key)

    def remember(self, survey: Survey) -> None:
        """Keep a survey, unless the file may have changed since this object was made."""
        changed = max(self._key[-2:], default=0)
        if self._key and self._look() == self._key and self._opened - changed > _RECENT:
            _remembered[self._key] = survey
            while len(_remembered) > _MOST:
                del _remembered[next(iter(_remembered))]

    def forget(self) -> None:
        """Forget the survey: it was wrong."""
        _remembered.pop(self._key, None)

    def _look(self) -> tuple[Any, ...]:
        """Identify the file and its content; empty if that fails."""
        try:
            status = os.stat(self._path)
        except OSError:
            return ()
        named = os.path.realpath(self._path)
        return (
            named,
            self._choice,
            status.st_dev,
            status.st_ino,
            status.st_size,
            status.st_mtime_ns,
            status.st_ctime_ns,
        )
