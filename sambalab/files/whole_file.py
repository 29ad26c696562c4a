"""Files that are written completely or not at all."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from ..spec.errors import DiskFullError, ParameterError

_FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))


def write_whole(file: Path, fill: Callable[[str], None]) -> None:
    """Let `fill` write a new file beside `file`, and rename it. An older file stays as it is until then.

    Raises
    ------
    DiskFullError
        If there is no room.
    ParameterError
        If it cannot be written.
    """
    if file.is_dir():
        raise ParameterError(f"{file} is a folder; the name of a file will do.")
    temporary = None
    try:
        handle, temporary = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name[:40]}.")
        os.close(handle)
        fill(temporary)
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)
        os.replace(temporary, file)
    except FileNotFoundError:
        raise ParameterError(f"{file} cannot be written: there is no folder {file.parent}; make it first.") from None
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        reason = getattr(error, "strerror", None) or error
        if isinstance(error, OSError) and error.errno in _FULL:
            raise DiskFullError(
                f"{file} cannot be written: {reason}. Free some room, or write to another disk; nothing was changed."
            ) from None
        if isinstance(error, ValueError) and not isinstance(error, UnicodeError) and temporary is not None:
            raise
        raise ParameterError(f"{file} cannot be written: {reason}.") from None
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
