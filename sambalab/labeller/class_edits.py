"""`ClassEdits`: classes merged and removed together with their labels."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..spec.classes import Class, find_class
from ..spec.errors import LabelError, ParameterError
from .kept_labels import KeptLabels


class ClassEdits(KeptLabels):
    """A base of `Labeller`: changes of classes that change labels as well."""

    def merge_classes(self, classes: str | int | Iterable[str | int], *, into: str | int) -> None:
        """Give the labels of some classes to another class, and remove those classes. One step of `undo` takes it back.

        Locked classes are merged as well: a lock holds the tools of the widget. The segmentation follows with the next training.

        Parameters
        ----------
        classes
            Name or id of a class, or several.
        into
            Name or id of the class that stays.

        Raises
        ------
        LabelError
            If there is no such class, or `into` is among `classes`.
        """
        several = [classes] if isinstance(classes, (str, int)) else list(classes)
        known: list[Class] = self._refresh()["classes"]
        target = find_class(known, into, "into")
        gone = [find_class(known, item, "classes") for item in several]
        if target in gone:
            raise LabelError(f"into is {into!r}, which is among the classes to merge; another class will do.")
        if gone:
            self._relabel(known, {int(item["id"]): int(target["id"]) for item in gone})

    def remove_class(self, class_: str | int) -> None:
        """Remove a class and erase its labels. One step of `undo` takes it back.

        Parameters
        ----------
        class_
            Its name or id.

        Raises
        ------
        LabelError
            If there is no such class, or it is the only one.
        """
        known: list[Class] = self._refresh()["classes"]
        item = find_class(known, class_, "class_")
        if len(known) == 1:
            raise LabelError(f"{item['name']!r} is the only class; a labeller needs one.")
        self._relabel(known, {int(item["id"]): 0})

    def _relabel(self, classes: list[Class], ids: dict[int, int]) -> None:
        params: dict[str, Any] = {
            "classes": [item for item in classes if item["id"] not in ids],
            "relabel": [list(pair) for pair in ids.items()],
        }
        try:
            self._accept(self._request("session.classes", params))
        except ParameterError as error:  # another program changed the classes meanwhile
            raise LabelError(str(error).removeprefix("session.classes: ")) from None
