"""Class sets: names and colours of classes that the user keeps to use them again."""

from __future__ import annotations

from ..spec.errors import LabelError, ParameterError
from ..spec.parameters import show
from .client import client


def class_sets() -> dict[str, dict[str, str]]:
    """List the class sets that were saved, here or in the widget.

    ``sl.Labeller(image, classes="my set")`` begins with the classes of a set; `Labeller.save_classes` saves one.

    Returns
    -------
    dict
        For each set, by its name, the names of its classes in their order and their colours, ``#rrggbb``.
    """
    found = client().request("class-sets.list", {}).result["sets"]
    return {str(each["name"]): {str(one["name"]): str(one["color"]) for one in each["classes"]} for each in found}


def class_set(name: str) -> dict[str, str]:
    """Give the classes of a set.

    Raises
    ------
    LabelError
        If there is no such set.
    """
    sets = class_sets()
    if name not in sets:
        known = f"{', '.join(map(repr, sets))}" if sets else "none was saved yet"
        raise LabelError(
            f"classes is the text {name!r}, and no class set has this name ({known}); a list of names, [{name!r}], or the name "
            "of a set will do."
        )
    return sets[name]


def remove_class_set(name: str) -> None:
    """Forget a class set. Labellers that use its classes keep them.

    Raises
    ------
    LabelError
        If there is no such set.
    """
    if not isinstance(name, str):
        raise LabelError(f"name is {show(name)}; the name of a class set will do; sambalab.class_sets() lists them.")
    try:
        client().request("class-sets.remove", {"name": name})
    except ParameterError as error:
        raise LabelError(str(error)) from None
