"""Errors that ask which axes, or what along them, the user means. They show the shape, the axes, and calls that would do."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...spec.errors import ImageError

#: The choice along axes: a number, or several, for an axis' letter.
Index = Mapping[str, "int | slice | Sequence[int]"]

LETTERS = "Y rows, X columns, Z or T slices, C channels, S colours"

# What the letters of axes count: one, and several.
_COUNTED = {
    "Z": ("slice", "slices"),
    "T": ("time", "times"),
    "C": ("channel", "channels"),
    "S": ("colour", "colours"),
    "I": ("page", "pages"),
    "Q": ("page", "pages"),
}


@dataclass(frozen=True)
class Given:
    """What the user gave, so that an error can write the call that would do.

    Attributes
    ----------
    title
        Begins the error's sentence: a file's name, or "The image".
    argument
        The image in Python: a path in quotes, or ``image``.
    axes
        The user's `axes`.
    index
        The user's `index`.
    dimensions
        Names of the axes, if the file or array has them.
    """

    title: str
    argument: str
    axes: str | None = None
    index: Index | None = None
    dimensions: tuple[str, ...] = ()


def too_much(
    given: Given,
    shape: tuple[int, ...],
    axes: str,
    lengths: Sequence[int],
    slices: Sequence[int],
    channels: Sequence[int],
) -> ImageError:
    """Make the error that an image has more than one axis of slices, or neither 1 nor 3 channels.

    Parameters
    ----------
    given
        What the user gave.
    shape, axes
        Of the array.
    lengths
        Along each axis, what the user's index leaves.
    slices, channels
        The axes of slices, and of channels, that are longer than 1.
    """
    kept = next((axis for axis in slices if axes[axis] == "Z"), slices[-1] if slices else None)
    colour = None
    if channels:
        colour = next((axis for axis in channels if axes[axis] == "C"), channels[0])
    picks_colour = colour is not None and (len(channels) > 1 or lengths[colour] not in (1, 3))
    picked = [axis for axis in slices if axis != kept] + ([colour] if picks_colour and colour is not None else [])
    first: dict[str, Any] = {axes[axis]: 0 for axis in picked}
    examples = [(axes, first, _described(axes, lengths, picked, kept))]
    if picks_colour and colour is not None and len(channels) == 1:
        if lengths[colour] > 3:
            examples.append((axes, {**first, axes[colour]: [0, 1, 2]}, "three channels as red, green and blue"))
        if not slices:
            renamed = axes.replace(axes[colour], next(letter for letter in "ZTQ" if letter not in axes))
            examples.append((renamed, {}, f"a stack of {lengths[colour]} slices"))
    if len(slices) > 1:
        other = next(axis for axis in slices if axis != kept)
        picked = [axis for axis in (*slices, *picked) if axis != other and (axis == kept or axis in picked)]
        examples.append((axes, {axes[axis]: 0 for axis in picked}, _described(axes, lengths, picked, other)))
    counts = [
        f"{length:,} {_COUNTED.get(letter, ('', f'along {letter}'))[1]}"
        for letter, length in zip(axes, lengths, strict=True)
        if letter not in "YX" and length > 1
    ]
    rows, columns = shape[axes.index("Y")], shape[axes.index("X")]
    return ImageError(
        f"{given.title} has {_listed(counts)} of {rows} × {columns} pixels (shape {shape}, axes {axes}). One image, or one stack "
        f"of slices, in 1 or 3 channels can be labelled. Choose along the other axes by index=, for instance\n"
        f"{_calls(given, axes, examples)}\naxes= gives the axes other meanings, a letter each: {LETTERS}."
    )


def unknown_axes(given: Given, shape: tuple[int, ...], axes: str, unknown: Sequence[int]) -> ImageError:
    """Make the error that it is not known what the axes `unknown` of a file are."""
    named = [f"its axis {axes[axis]}{_name(given, axis, axes[axis])} of length {shape[axis]}" for axis in unknown]
    asked = {letter.upper() for letter in given.index or {}}
    examples: list[tuple[str, dict[str, Any], str]] = []
    if len(shape) == 3 and shape[2] <= 4 and unknown[0] == 0:
        examples.append(("YXS", {}, f"{shape[0]} × {shape[1]} pixels, with colours in the last axis"))
    free = [letter for letter in "DEFGTCZ" if letter not in axes and (letter != "C" or len(unknown) > 2)]
    letters = list(axes)
    for axis, letter in zip(unknown, free[-len(unknown) :], strict=True):
        letters[axis] = letter
    longer = [
        letter for letter, length in zip(letters, shape, strict=True) if length > 1 and letter not in (*"YXCS", *asked)
    ]
    kept = "Z" if "Z" in longer else longer[-1]
    first = {letter: 0 for letter in longer if letter != kept}
    if "C" in letters and shape[letters.index("C")] not in (1, 3) and "C" not in asked:
        first["C"] = 0
    examples.append(("".join(letters), first, f"a stack of {shape[letters.index(kept)]} slices"))
    one_channel = {"C": 0} if "C" in axes and "C" in first else {}
    if len(unknown) == 1 and "C" not in axes:
        axis = unknown[0]
        as_channels = axes[:axis] + "C" + axes[axis + 1 :]
        length = shape[axis]
        examples.append(
            (
                as_channels,
                {} if length == 3 else {"C": 0},
                "in colour" if length == 3 else f"the first of {length} channels",
            )
        )
    if len(set(axes)) == len(axes):
        picked = {**{axes[axis]: 0 for axis in unknown}, **one_channel}
        examples.append((axes, picked, f"the first along {_listed([axes[axis] for axis in unknown])}"))
    return ImageError(
        f"{given.title} does not say what {_listed(named)} {'is' if len(named) == 1 else 'are'} (shape {shape}, axes {axes}). "
        f"Say it by axes=, a letter each ({LETTERS}), or choose along it by index=, for instance\n{_calls(given, axes, examples)}"
    )


def _name(given: Given, axis: int, letter: str) -> str:
    name = "pages" if letter in "IQ" else given.dimensions[axis] if axis < len(given.dimensions) else ""
    return f" ({name})" if name and name != letter else ""


def _described(axes: str, lengths: Sequence[int], picked: Sequence[int], kept: int | None) -> str:
    """Say what a choice of the first along `picked` shows."""
    firsts = _listed([f"the first {_COUNTED.get(axes[axis], (f'along {axes[axis]}', ''))[0]}" for axis in picked])
    if kept is None:
        return firsts
    return f"{firsts}{': ' if firsts else ''}a stack of {lengths[kept]} {_COUNTED.get(axes[kept], ('', 'slices'))[1]}"


def _listed(parts: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(parts[:-1]), *parts[-1:]]))


def _calls(given: Given, axes: str, examples: Sequence[tuple[str, Mapping[str, Any], str]]) -> str:
    """Write calls with axes and index, and what each shows, a line each."""
    calls = []
    for letters, picked, shows in examples:
        chosen = {**{letter.upper(): value for letter, value in (given.index or {}).items()}, **picked}
        chosen = {letter: value for letter, value in chosen.items() if letter in letters}
        more = f', axes="{letters}"' if given.axes is not None or letters != axes else ""
        more += f", index={written(chosen)}" if chosen else ""
        calls.append((f"  sl.Labeller({given.argument}{more})", shows))
    width = max(len(call) for call, _ in calls)
    return "\n".join(f"{call:{width}}  # {shows}" for call, shows in calls)


def written(choice: Mapping[str, Any]) -> str:
    """Write an index as in Python."""
    return "{" + ", ".join(f"{json.dumps(letter)}: {numbers!r}" for letter, numbers in choice.items()) + "}"
