"""The sessions of this process, to restore them on a restarted sidecar.

A restarted sidecar finds labels and classifiers on disk. Shared arrays may be gone, so that pixels must be written again. The
thread that reconnects first (Python's client or the relay of a browser) does so, before it says that the sidecar is back.
"""

from __future__ import annotations

import logging
import threading
import weakref
from typing import Protocol

from ..spec.errors import SambaLabError
from .connection import Connection
from .sidecar import ConnectionInfo

log = logging.getLogger("sambalab")


class Restorable(Protocol):
    """An owner of a session that can open it again."""

    def _restore(self, connection: Connection) -> None: ...

    def _repair(self, digest: str) -> None: ...


_live: dict[str, weakref.ref[Restorable]] = {}
_in_repair: set[str] = set()
_lock = threading.Lock()
_restored_on: str | None = None


def register(session: str, owner: Restorable) -> None:
    """Set the owner of a session; it replaces an earlier one."""
    _live[session] = weakref.ref(owner)


def forget(session: str, owner: Restorable) -> None:
    """Forget a session, if `owner` is still its owner."""
    reference = _live.get(session)
    if reference is not None and reference() in (None, owner):
        _live.pop(session, None)


def owner(session: str) -> Restorable | None:
    """Give the owner of a session; None if it is gone."""
    reference = _live.get(session)
    return reference() if reference is not None else None


def owners() -> list[Restorable]:
    """List the owners that still exist."""
    return [found for found in (reference() for reference in list(_live.values())) if found is not None]


def alive() -> list[str]:
    """List the sessions whose owners still exist."""
    return [session for session, reference in list(_live.items()) if reference() is not None]


def repair(session: str, digest: str) -> None:
    """Write an image's pixels again, in a thread of its own, after their shared file was removed while the sidecar ran.

    Parameters
    ----------
    session, digest
        The session, and the SHA-256 of the image that it waits for.
    """
    found = owner(session)
    if found is None or session in _in_repair:
        return
    _in_repair.add(session)

    def work() -> None:
        try:
            found._repair(digest)
        except Exception as error:  # the next request raises it
            log.warning("The pixels of session %s could not be written again: %s", session, error)
        finally:
            _in_repair.discard(session)

    threading.Thread(target=work, name="sambalab-repair", daemon=True).start()


def restore(info: ConnectionInfo) -> None:
    """Restore all sessions on a sidecar, once for each sidecar."""
    global _restored_on
    with _lock:
        owners = [(session, reference()) for session, reference in list(_live.items())]
        if info.instance != _restored_on and any(owner is not None for _, owner in owners):
            # Over a separate connection: the role "relay" may not write images.
            connection = Connection(info, "python")
            try:
                for session, owner in owners:
                    if owner is not None:
                        _restore(session, owner, connection)
            finally:
                connection.close()
        _restored_on = info.instance


def _restore(session: str, owner: Restorable, connection: Connection) -> None:
    try:
        owner._restore(connection)
    except SambaLabError as error:
        if connection.lost():
            raise
        # A session that cannot be opened must not stop the others. Its next request raises the error.
        log.warning("The session %s could not be opened again: %s", session, error)
