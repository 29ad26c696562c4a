"""`KeptLabels`: labels on disk beside those that are shown, and how they come back."""

from __future__ import annotations

import warnings
from typing import Any

from ..sidecar_client.backups import Backup, BackupList, backups_of
from ..sidecar_client.session_access import SessionAccess
from ..sidecar_client.session_list import SessionInfo, SessionInfos, infos_of, session_id
from ..sidecar_client.session_list import sessions as list_sessions
from ..spec.errors import LabelError, ParameterError, SambaLabError, SambaLabWarning
from ..spec.trained_on import PixelSize, alike, pixel_ratio
from .suggestions import Suggestions


class KeptLabels(Suggestions):
    """A base of `Labeller`: other sessions, backups, and the start without labels."""

    _resumed: dict[str, Any] | None
    _is_fresh: bool

    def related(self) -> SessionInfos:
        """List other sessions whose labels may be wanted here: same image, or same variable and an image of the same size.

        Labels are found again by image, notebook and variable, or by `name`. After a notebook was renamed or run elsewhere
        they are in another session; `take_labels` copies them.
        """
        return infos_of(self._request("session.related")["sessions"])

    def take_labels(self, session: SessionInfo | SessionAccess | str) -> None:
        """Copy labels and classes of another session. That session stays as it is; older labels here are set aside.

        Parameters
        ----------
        session
            An entry of `related` or of ``sambalab.sessions()``, its id, or a labeller.

        Raises
        ------
        LabelError
            If the images have different sizes.
        SessionNotFoundError
            If there is no such session.

        Warns
        -----
        SambaLabWarning
            If the pixels of its image are of another size.
        """
        note = self._take_from(session)
        if note:
            warnings.warn(note, SambaLabWarning, stacklevel=2)

    def _take_from(self, session: SessionInfo | SessionAccess | str) -> str:
        """Take labels; give the note on pixels of another size, or an empty string."""
        source = session_id(session)
        self._refresh()
        try:
            self._accept(self._request("labels.take", {"from": source}))
        except ParameterError as error:
            raise LabelError(str(error)) from None
        self._resumed = None
        if self._open_params["image"].get("pixelSize") is None:
            return ""
        known = (
            [session] if isinstance(session, SessionInfo) else [one for one in list_sessions() if one.session == source]
        )
        return "".join(self._size_note(one.pixel_size, one.name or one.title or source) for one in known)

    def _size_note(self, size: PixelSize | None, source: str) -> str:
        """Say that labels are of pixels of another size than the image's; empty if they are not, or if one is unknown."""
        known = self._open_params["image"].get("pixelSize")
        if size is None or known is None:
            return ""
        own = (float(known["value"]), str(known["unit"]))
        ratio = pixel_ratio(size, own)
        if ratio is None or alike(ratio):
            return ""
        return (
            f"The labels in {source} are of pixels of {size[0]:.4g} {size[1]}; those of this image are {own[0]:.4g} {own[1]}. "
            "They may belong to another image; undo takes them back."
        )

    def backups(self) -> BackupList:
        """List the labels that were set aside: by `fresh_start`, `take_labels`, `restore`, or as copies of damaged files.

        Returns
        -------
        BackupList
            A tuple of `Backup`, the latest first.
        """
        return backups_of(self._request("session.backups")["backups"])

    def restore(self, backup: Backup | str) -> None:
        """Restore labels, correction and classes of a backup. The present ones are set aside; the backup stays.

        Parameters
        ----------
        backup
            An entry of `backups`, or its name.

        Raises
        ------
        LabelError
            If this session has no such backup, or its labels are of an image of another size.
        """
        name = backup.name if isinstance(backup, Backup) else backup
        self._refresh()
        if not isinstance(name, str):
            raise LabelError(self._no_backup(name))
        try:
            self._accept(self._request("session.restore", {"backup": name}))
        except ParameterError as error:
            known = any(name == item.name for item in self.backups())
            raise LabelError(f"backup is {name!r}. {error}" if known else self._no_backup(name)) from None
        self._resumed = None

    def fresh_start(self) -> None:
        """Start again without labels. The old ones are set aside; `restore` brings them back.

        A training on them that still runs is cancelled, and leaves no result.
        """
        self._refresh()
        self._accept(self._request("session.fresh"))
        self._resumed = None
        self._is_fresh = True

    def _no_backup(self, name: Any) -> str:
        """Say that there is no such backup, and which there are."""
        names = [item.name for item in self.backups()]
        some = ", ".join(map(repr, names[:3])) + (", …" if len(names) > 3 else "")
        there = f"this session has {some}" if names else "this session has none"
        return f"backup is {name!r}, which is no backup of this session; an entry of lab.backups() will do: {there}."

    def _related_text(self) -> list[str]:
        """Tell of labels in other sessions, if there are none here and the user did not ask for none."""
        if self._closed or self._is_fresh or any(self._state["labels"]["counts"].values()):
            return []
        try:
            if any(self._refresh()["labels"]["counts"].values()):
                return []
            found = self.related()
        except SambaLabError:  # a text for people must not fail
            return []
        if not found:
            return []
        first, more = found[0], len(found) - 1
        return [
            f"There are no labels here, but {first.labelled:,} labelled pixels in another session: {first.where} "
            f"({first.changed:%d %B %Y}). lab.take_labels({first.session!r}) copies them"
            + (f"; lab.related() lists {more} more." if more else ".")
            + " Labeller(image, name='…') finds the same labels in every notebook."
        ]

    def _resumed_text(self) -> str:
        resumed = self._resumed or {}
        day = str(resumed.get("changed", ""))[:10]
        return (
            f"{int(resumed.get('pixels', 0)):,} labelled pixels from {day} were resumed. "
            "lab.fresh_start() starts without them."
        )
