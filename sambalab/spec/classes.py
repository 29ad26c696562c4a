"""Names and colours of classes (phases)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from .errors import LabelError
from .parameters import index, show
from .tables import limits

ClassesLike = Iterable[str] | Mapping[str, str]
Class = dict[str, Any]


def default_color(index: int) -> str:
    """Give the colour of the class at an index, counted from 0."""
    return str(limits("classes")["colors"][index])


def make_classes(classes: ClassesLike, colors: Iterable[str] | None = None) -> list[Class]:
    """Check names and colours, and number the classes from 1.

    Parameters
    ----------
    classes
        Names, or a mapping from names to colours.
    colors
        A colour for each name, ``#rrggbb`` or ``#rgb``.

    Returns
    -------
    list
        The protocol's ``zClass`` of each class: id, name and color.

    Raises
    ------
    LabelError
        If there are no classes or more than 255, a name is empty or not unique, or a colour is invalid.
    """
    if isinstance(classes, str):
        raise LabelError(f"classes is the text {classes!r}; a list of names will do: [{classes!r}].")
    given: list[str | None]
    if isinstance(classes, Mapping):
        if colors is not None:
            raise LabelError("Give colours either in the mapping of classes or as colors, not both.")
        names, given = list(classes), list(classes.values())
    else:
        try:
            names = list(classes)
        except TypeError:
            raise LabelError(f"classes is {classes!r}; a list of names will do.") from None
        given = [None] * len(names)
        if colors is not None:
            try:
                given = list(colors)
            except TypeError:
                raise LabelError(
                    f"colors is {show(colors)}; a colour for each class will do: ['#ff8000', …]."
                ) from None
            if len(given) != len(names):
                raise LabelError(f"There are {len(given)} colours for {len(names)} classes.")
    known = limits("classes")
    if not 1 <= len(names) <= known["count"]:
        raise LabelError(f"There are {len(names)} classes; 1 to {known['count']} will do.")
    for name in names:
        if not isinstance(name, str) or not name.strip() or len(name) > known["nameLength"]:
            raise LabelError(f"The class name {name!r} will not do; it needs 1 to {known['nameLength']} characters.")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise LabelError(f"Class names must differ; these appear more than once: {', '.join(twice)}.")
    return [
        {"id": index + 1, "name": name, "color": default_color(index) if color is None else _check_color(color)}
        for index, (name, color) in enumerate(zip(names, given, strict=True))
    ]


def resumed_classes(
    wanted: list[Class], have: list[Class], counts: Mapping[str, int], recolor: bool
) -> list[Class] | None:
    """Join the classes that a cell asks for with those of a resumed session.

    The cell's names win. The session's further classes stay if all names before them agree, or if they have labelled pixels.
    The order is the session's, and so are colours, unless `recolor` is True.

    Returns
    -------
    list or None
        The classes to set; None if the session's classes need no change.

    Raises
    ------
    LabelError
        If labelled pixels would get the name of another class of the session.
    """
    older = {item["id"]: item for item in have}
    _check_meaning(wanted, have, counts)
    agree = all(older.get(item["id"], {}).get("name") == item["name"] for item in wanted)
    merged = [
        item if recolor or item["id"] not in older else {**item, "color": older[item["id"]]["color"]} for item in wanted
    ]
    ids = {item["id"] for item in wanted}
    merged += [item for item in have if item["id"] not in ids and (agree or counts.get(str(item["id"]), 0))]
    places = {item["id"]: place for place, item in enumerate(have)}
    known = [places[item["id"]] for item in merged if item["id"] in places]
    if known != sorted(known):  # the user has put them in another order
        merged.sort(key=lambda item: places.get(item["id"], len(places)))
    return None if merged == have else merged


def find_class(classes: list[Class], which: str | int, parameter: str) -> Class:
    """Give the class of a name or an id.

    Raises
    ------
    LabelError
        If there is none.
    """
    number = index(which)
    for item in classes:
        if (isinstance(which, str) and which == item["name"]) or number == item["id"]:
            return item
    known = ", ".join(f"{item['name']!r} ({item['id']})" for item in classes)
    raise LabelError(f"{parameter} is {show(which)}; name or id of a class will do: {known}.")


def with_ids(classes: list[Class], ids: set[int], add: bool) -> list[Class]:
    """Give the classes, and for labels with further ids classes named ``"class 3"``.

    Parameters
    ----------
    classes
        The protocol's ``zClass`` of each class.
    ids
        The values of a label array; 0 is unlabelled.
    add
        Whether classes may be added.

    Raises
    ------
    LabelError
        If an id has no class and gets none.
    """
    unknown = sorted(ids - {0, *(item["id"] for item in classes)})
    most = limits("classes")["count"]
    wrong = [value for value in unknown if not (add and 1 <= value <= most)]
    if wrong:
        some = ", ".join(map(str, wrong[:5])) + (", …" if len(wrong) > 5 else "")
        known = ", ".join(f"{item['id']} ({item['name']})" for item in classes)
        more = f"; of new classes 1 to {most}" if add else ""
        raise LabelError(f"There is no class {some}; ids are {known}{more}, and 0 is unlabelled.")
    names = {item["name"] for item in classes}
    made = [{"id": value, "name": _free_name(value, names), "color": default_color(value - 1)} for value in unknown]
    return [*classes, *made]


def with_named(
    classes: list[Class], named: list[Class], ids: set[int], add: bool
) -> tuple[list[Class], dict[int, int]]:
    """Join the classes of a labeller with those that a file of labels names.

    Parameters
    ----------
    classes
        The labeller's classes.
    named
        The file's: ``id``, ``name``, and ``color`` if it has one.
    ids
        The values of the file's labels; 0 is unlabelled.
    add
        True: ids, names and colours become the file's; further classes stay if neither id nor name is in the file. False: the
        labeller's stay, and the file's classes are those of the same name.

    Returns
    -------
    classes : list
        The labeller's classes from now on.
    ids : dict
        The class id of each of the file's.

    Raises
    ------
    LabelError
        If an id has no name in the file, or its name is none of the labeller's.
    """
    names = {item["id"]: str(item["name"]) for item in named}
    strange = sorted(ids - {0, *names})
    if strange:
        known = ", ".join(f"{number} ({name})" for number, name in names.items())
        raise LabelError(f"The file has the id {strange[0]}, of which it names no class; its classes are {known}.")
    if add:
        made = [{"id": item["id"], "name": item["name"], "color": _color_of(item)} for item in named]
        kept = [item for item in classes if item["id"] not in names and item["name"] not in names.values()]
        numbers = {number: number for number in names}
        # Classes that only count, as a labeller without classes= begins with, make room for the file's.
        kept = [item for item in kept if item["name"] != str(item["id"])]
        return [*made, *kept], numbers
    own = {item["name"]: int(item["id"]) for item in classes}
    unknown = [names[number] for number in sorted(ids - {0}) if names[number] not in own]
    if unknown:
        raise LabelError(
            f"The file has labels of the class {unknown[0]!r}, and the labeller's classes are {', '.join(map(repr, own))}; "
            "a labeller made with this class, or without classes=, will do."
        )
    return classes, {number: own[name] for number, name in names.items() if name in own}


def _color_of(item: Class) -> str:
    color = item.get("color")
    if isinstance(color, str) and re.fullmatch("#[0-9a-fA-F]{6}", color):
        return color.lower()
    return default_color(int(item["id"]) - 1)


def _free_name(number: int, names: set[str]) -> str:
    name = f"class {number}"
    while name in names:
        name += "′"
    return name


def _check_meaning(wanted: list[Class], have: list[Class], counts: Mapping[str, int]) -> None:
    """Refuse names in another order, which would give labelled pixels another phase. A new name renames a class."""
    ids = {item["name"]: item["id"] for item in have}
    names = {item["id"]: item["name"] for item in have}

    def drawn(class_id: int) -> bool:
        return class_id in names and bool(counts.get(str(class_id), 0))

    for item in wanted:
        before = ids.get(item["name"])
        if before not in (None, item["id"]) and (drawn(item["id"]) or drawn(before)):
            known = ", ".join(f"{class_id} ({name})" for class_id, name in names.items())
            raise LabelError(
                f"The labels of this session were drawn with the classes {known}; with these {item['name']!r} would have id "
                f"{item['id']}, not {before}. Keep the order, or begin without the older labels: fresh=True."
            )


def _check_color(color: object) -> str:
    if isinstance(color, str):
        if re.fullmatch(r"#[0-9a-fA-F]{6}", color):
            return color.lower()
        if re.fullmatch(r"#[0-9a-fA-F]{3}", color):
            return "#" + "".join(digit * 2 for digit in color[1:].lower())
    raise LabelError(f"The colour {color!r} will not do; write it as '#rrggbb'.")
