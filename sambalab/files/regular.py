"""Paths from outside: only regular files are read."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

from ..spec.errors import SambaLabError

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISSOCK, "a socket"),
)


def open_regular(path: Path, error: type[SambaLabError]) -> BinaryIO:
    """Open a regular file for reading; links are followed. A pipe does not block, and a device is not read.

    Raises
    ------
    SambaLabError
        The class `error`, if there is no such file, it cannot be opened, or it is not a regular file.
    """
    try:
        _refuse(path, os.stat(path), error)
        # Looked at again once it is open, because the path may have been replaced in between.
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
        file = os.fdopen(os.open(path, flags), "rb")
    except FileNotFoundError:
        raise error(f"There is no file {path} (looked for in {Path.cwd()}).") from None
    except SambaLabError:
        raise
    except (OSError, ValueError) as reason:  # ValueError: a null byte in the path
        raise error(f"{path} cannot be read: {getattr(reason, 'strerror', None) or reason}.") from None
    try:
        _refuse(path, os.fstat(file.fileno()), error)
    except BaseException:
        file.close()
        raise
    return file


def _refuse(path: Path, status: os.stat_result, error: type[SambaLabError]) -> None:
    if not stat.S_ISREG(status.st_mode):
        kind = next((name for test, name in _KINDS if test(status.st_mode)), "something else")
        raise error(f"{path} is not a file but {kind}.")
