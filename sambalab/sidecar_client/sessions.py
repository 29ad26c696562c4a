"""The sessions that live in this process, so that they can be put right when the sidecar comes back.

A sidecar that was started anew finds labels and classifiers on its disk, but shared arrays may be gone and pixels have to be
written again. Whoever reconnects first (the client of Python or the relay of a browser) does that, before anybody hears that
the sidecar is back.
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
    """Something that can open its session again over a connection."""

    def _restore(self, connection: Connection) -> None: ...


_live: dict[str, weakref.ref[Restorable]] = {}
_lock = threading.Lock()
_restored_on: str | None = None


def register(session: str, owner: Restorable) -> None:
    """Remember who owns a session; the latest one counts."""
    _live[session] = weakref.ref(owner)


def forget(session: str, owner: Restorable) -> None:
    """Forget a session if `owner` is still the one that counts."""
    reference = _live.get(session)
    if reference is not None and reference() in (None, owner):
        _live.pop(session, None)


def alive() -> list[str]:
    """Name the sessions whose owners live."""
    return [session for session, reference in list(_live.items()) if reference() is not None]


def restore(info: ConnectionInfo) -> None:
    """Put all living sessions right on a sidecar that does not have them yet; once for each sidecar."""
    global _restored_on
    with _lock:
        owners = [(session, reference()) for session, reference in list(_live.items())]
        if info.instance != _restored_on and any(owner is not None for _, owner in owners):
            # A connection of its own, since a relay may not write images.
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
        # One session that cannot be opened must not keep the others away; its own next request says why.
        log.warning("The session %s could not be opened again: %s", session, error)
