"""Lists of sessions, as users see them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..spec.errors import ParameterError
from .client import client


@dataclass(frozen=True)
class SessionInfo:
    """A session on disk.

    Attributes
    ----------
    session
        Its id, for `Labeller.take_labels`.
    name
        The name that it was given, or None.
    title
        The name, or the image's file name; may be empty.
    notebook
        The notebook or script in which it was made; None if it has a name.
    variable
        The variable, cell or function in which it was made; None if it has a name.
    shape
        Shape of the image: (slices, rows, columns, channels).
    classes
        Names of the classes.
    labelled
        Number of labelled pixels.
    changed
        When it was last opened or changed.
    pixel_size
        Side of a pixel and its unit; None if it is not known.
    """

    session: str
    name: str | None
    title: str
    notebook: str | None
    variable: str | None
    shape: tuple[int, ...]
    classes: tuple[str, ...]
    labelled: int
    changed: datetime
    pixel_size: tuple[float, str] | None = None

    @property
    def where(self) -> str:
        """The session's name, or its notebook and variable."""
        if self.name is not None:
            return f"name {self.name!r}"
        return ", ".join(part for part in (self.notebook, self.variable) if part) or "an unknown place"

    def __str__(self) -> str:
        size = " × ".join(str(length) for length in self.shape[1 if self.shape[0] == 1 else 0 : 3])
        return f"{self.session}  {self.changed:%Y-%m-%d %H:%M}  {self.labelled:>9,} px  {size}  {self.where}"


class SessionInfos(tuple[SessionInfo, ...]):
    """Sessions, the latest change first. The last line of a cell shows one session a line."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "\n".join(str(info) for info in self) or "no sessions"


def sessions() -> SessionInfos:
    """List all sessions on this computer: images with their labels and classes.

    Returns
    -------
    SessionInfos
        A tuple of `SessionInfo`, the latest change first.
    """
    return infos_of(client().request("session.list", {}).result["sessions"])


def infos_of(summaries: Sequence[dict[str, Any]]) -> SessionInfos:
    """Make the infos of the protocol's summaries."""
    return SessionInfos(map(_info_of, summaries))


def session_id(session: object) -> str:
    """Give the id of a session that is given as its info, its labeller or its id.

    Raises
    ------
    ParameterError
        If it is something else.
    """
    given = getattr(session, "session", session)
    if not isinstance(given, str) or not 16 <= len(given) <= 64 or set(given) - set("0123456789abcdef"):
        raise ParameterError(
            f"session is {session!r}; a session's id, an entry of sambalab.sessions() or a labeller will do."
        )
    return given


def _info_of(summary: dict[str, Any]) -> SessionInfo:
    origin = summary["origin"] or {}
    size = summary["image"].get("pixelSize")
    return SessionInfo(
        session=summary["session"],
        name=summary["name"],
        title=summary["title"],
        notebook=origin.get("document"),
        variable=origin.get("place"),
        shape=tuple(summary["image"]["shape"]),
        classes=tuple(summary["classes"]),
        labelled=int(summary["labelled"]),
        changed=datetime.fromisoformat(summary["changed"].replace("Z", "+00:00")).astimezone(),
        pixel_size=None if size is None else (float(size["value"]), str(size["unit"])),
    )
