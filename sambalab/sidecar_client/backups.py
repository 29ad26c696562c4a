"""Labels that were set aside, as users see them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Backup:
    """Labels that were set aside, or the copy of a damaged journal.

    Attributes
    ----------
    name
        The file in the session's folder, for `Labeller.restore`.
    at
        When they were set aside.
    labelled
        Number of labelled pixels that can be restored; None for labels of an image of another size.
    damaged
        Whether it is the copy of a damaged journal.
    """

    name: str
    at: datetime
    labelled: int | None
    damaged: bool

    def __str__(self) -> str:
        pixels = "another size" if self.labelled is None else f"{self.labelled:,} px"
        return f"{self.at:%Y-%m-%d %H:%M:%S}  {pixels:>12}  {self.name}"


class BackupList(tuple[Backup, ...]):
    """Backups, the latest first. The last line of a cell shows one backup a line."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "\n".join(str(backup) for backup in self) or "no backups"


def backups_of(found: Sequence[dict[str, Any]]) -> BackupList:
    """Make the backups of the protocol's."""
    return BackupList(
        Backup(
            name=item["name"],
            at=datetime.fromisoformat(item["at"].replace("Z", "+00:00")).astimezone(),
            labelled=item["labelled"],
            damaged=item["damaged"],
        )
        for item in found
    )
