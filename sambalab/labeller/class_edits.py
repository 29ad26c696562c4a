"""`ClassEdits`: classes merged and removed together with their labels, and class sets."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..spec.classes import Class, find_class
from ..spec.errors import LabelError, ParameterError
from ..spec.parameters import show
from ..spec.tables import limits
from .kept_labels import KeptLabels


class ClassEdits(KeptLabels):
    """A base of `Labeller`: changes of classes that change labels as well, and class sets."""

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
        several = list(classes) if isinstance(classes, Iterable) and not isinstance(classes, str) else [classes]
        known: list[Class] = self._refresh()["classes"]
        target = find_class(known, into, "into")
        gone = [find_class(known, item, "classes") for item in several]
        if target in gone:
            raise LabelError(f"into is {show(into)}, which is among the classes to merge; another class will do.")
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

    def save_classes(self, name: str) -> None:
        """Save the classes as a class set, in place of one of the same name, for other labellers and the widget.

        Names, colours and order are saved; ``sl.class_sets()`` lists the sets, and ``sl.Labeller(image, classes=name)`` begins
        with one.

        Parameters
        ----------
        name
            1 to 200 characters.

        Raises
        ------
        LabelError
            If the name will not do.
        """
        longest = limits("classes")["nameLength"]
        if not isinstance(name, str) or not 1 <= len(name) <= longest:
            raise LabelError(f"The name of the set is {show(name)}; 1 to {longest} characters will do.")
        classes = [{"name": item["name"], "color": item["color"]} for item in self._refresh()["classes"]]
        self._call("class-sets.save", {"name": name, "classes": classes})

    def use_classes(self, name: str) -> None:
        """Give the classes the names and colours of a class set, by position. One step of `undo` takes it back.

        Ids stay, and so do labels: the first class takes the name of the set's first. Further classes of the set are added.
        Classes beyond the set stay if they have labels.

        Raises
        ------
        LabelError
            If there is no such set.
        """
        if not isinstance(name, str):
            raise LabelError(
                f"name is {show(name)}; the name of a class set will do; sambalab.class_sets() lists them."
            )
        self._refresh()
        try:
            self._accept(self._request("class-sets.use", {"name": name}))
        except ParameterError as error:
            raise LabelError(str(error).removeprefix("class-sets.use: ")) from None

    def _relabel(self, classes: list[Class], ids: dict[int, int]) -> None:
        params: dict[str, Any] = {
            "classes": [item for item in classes if item["id"] not in ids],
            "relabel": [list(pair) for pair in ids.items()],
        }
        try:
            self._accept(self._request("session.classes", params))
        except ParameterError as error:  # another program changed the classes meanwhile
            raise LabelError(str(error).removeprefix("session.classes: ")) from None
