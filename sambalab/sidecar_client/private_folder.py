"""Owner-only folders that no other user can replace, and files in them.

Other users write into /tmp too: they may make a folder of our name before us, or a link in its place. The rules and their
reasons are those of ``kernel-server/src/base/private-directory.ts``.
"""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from pathlib import Path

from ..spec.errors import SidecarError

_LINKS_MAX = 40


def private_folder(folder: Path, variable: str) -> Path:
    """Make an owner-only folder, or check that an existing one is owner-only.

    Parameters
    ----------
    folder
        An absolute path. Missing folders on the way to it are made with mode 0700.
    variable
        The environment variable that chooses another folder; errors name it.

    Returns
    -------
    Path
        The real path. An existing folder of this user that others have access to becomes owner-only.

    Raises
    ------
    SidecarError
        If the folder cannot be made, belongs to another user, or could be replaced by one.
    """
    advice = f"Set {variable} to a folder of your own."
    try:
        if sys.platform == "win32":  # the profile's access lists guard it there
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            return folder
        real = _walk(folder, advice)
        _close_to_others(real, advice)
    except OSError as error:
        raise SidecarError(f"The folder {folder} cannot be made: {error}. {advice}") from error
    return real


def open_private(path: Path, flags: int) -> int:
    """Open a file of this user in a private folder, without following a link; a new file gets mode 0600.

    Raises
    ------
    OSError
        If the path is a link, or cannot be opened.
    SidecarError
        If the file belongs to another user, or is no regular file.
    """
    # O_NONBLOCK: opening a FIFO must not wait for its other end.
    for flag in ("O_NOFOLLOW", "O_CLOEXEC", "O_NONBLOCK", "O_BINARY"):
        flags |= getattr(os, flag, 0)
    descriptor = os.open(path, flags, 0o600)
    status = os.fstat(descriptor)
    problem = None
    if sys.platform != "win32" and status.st_uid != os.getuid():
        problem = f"belongs to user {status.st_uid}, not to you ({os.getuid()})"
    elif not stat.S_ISREG(status.st_mode):
        problem = "is not a regular file"
    if problem:
        os.close(descriptor)
        raise SidecarError(
            f"The file {path} {problem}. Remove it, or set SAMBALAB_RUNTIME_DIR to a folder of your own."
        )
    return descriptor


if sys.platform != "win32":

    def _walk(folder: Path, advice: str) -> Path:
        """Follow a path step by step, links too, and check each step. Missing folders are made. Returns the real path."""
        at = "/"
        steps = _steps(os.path.abspath(folder))
        links = 0
        while steps:
            above = os.lstat(at)
            path = os.path.join(at, steps.pop(0))
            shared = bool(above.st_mode & stat.S_IWOTH)
            if shared and not above.st_mode & stat.S_ISVTX:
                mode = stat.S_IMODE(above.st_mode)
                raise SidecarError(f"The folder {at} has mode {mode:04o}: others may replace what is in it. {advice}")
            status = _enter(path)
            if shared and not _trusted(status.st_uid):
                raise SidecarError(
                    f"{path} belongs to user {status.st_uid}, not to you ({os.getuid()}), and lies where everybody may "
                    f"write. {advice}"
                )
            if stat.S_ISLNK(status.st_mode):
                links += 1
                if links > _LINKS_MAX:
                    raise SidecarError(f"{folder} leads through more than {_LINKS_MAX} links. {advice}")
                steps = _steps(os.path.normpath(os.path.join(at, os.readlink(path)))) + steps
                at = "/"
            elif stat.S_ISDIR(status.st_mode):
                at = path
            else:
                raise SidecarError(f"{path} is not a folder. {advice}")
        return Path(at)

    def _steps(path: str) -> list[str]:
        return [step for step in path.split("/") if step]

    def _enter(path: str) -> os.stat_result:
        """Give the status of an entry, which is made if it is missing."""
        try:
            return os.lstat(path)
        except FileNotFoundError:
            pass
        # Another process may have made it meanwhile; the owner is checked in any case.
        with contextlib.suppress(FileExistsError):
            os.mkdir(path, 0o700)
        return os.lstat(path)

    def _trusted(owner: int) -> bool:
        """Say whether an owner is this user or the system. In a container that maps users, the system is whoever owns /."""
        return owner in (os.getuid(), 0, os.lstat("/").st_uid)

    def _close_to_others(folder: Path, advice: str) -> None:
        # Through the open folder, not its name, so that it is the folder that was checked.
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            status = os.fstat(descriptor)
            if status.st_uid != os.getuid():
                raise SidecarError(
                    f"The folder {folder} belongs to user {status.st_uid}, not to you ({os.getuid()}). {advice}"
                )
            if stat.S_IMODE(status.st_mode) & 0o077:
                os.fchmod(descriptor, 0o700)
        finally:
            os.close(descriptor)
