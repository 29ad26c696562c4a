"""Which axes of an array are slices, rows, columns and channels. What cannot be guessed is asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...spec.errors import ImageError
from .questions import LETTERS, Given, Index, too_much, unknown_axes
from .source import Conversion

#: Pages up to this number may be channels as well as slices.
CHANNELS_PLAUSIBLE = 8

# Letters of axes whose meaning is known; of the others, a file's pages.
_KNOWN = "YXZTCS"
_PAGES = "IQ"
_PLAIN = (
    "Without axes=, (rows, columns), (rows, columns, 3), (slices, rows, columns) and (slices, rows, columns, 3) will do"
)


@dataclass(frozen=True)
class Layout:
    """Where the slices, rows, columns and channels of an array lie.

    Attributes
    ----------
    axes
        The array's axis of slices, rows, columns and channels; None where it has none.
    taken
        For each axis of the array the numbers that are read; None: all.
    shape
        (slices, rows, columns, channels) before a conversion of colours.
    stack
        Whether there is an axis of slices.
    converts
        Whether the file's conversion of colours applies to these channels.
    """

    axes: tuple[int | None, int, int, int | None]
    taken: tuple[tuple[int, ...] | None, ...]
    shape: tuple[int, int, int, int]
    stack: bool
    converts: bool


def guess(shape: tuple[int, ...]) -> tuple[str, tuple[str, ...]]:
    """Give the axes of an array that says nothing of them, and a note if they may be others.

    A last axis of 3 is colour, one of 1, 2 or 4 is grey or colour with alpha, and other images of three axes are stacks.

    Raises
    ------
    ImageError
        If they cannot be guessed. The message says what would do.
    """
    if len(shape) == 2:
        return "YX", ()
    if len(shape) == 3:
        first, second, last = shape
        if last == 3 or (last in (1, 2, 4) and first > 4 and second > 4):
            return "YXS", ()
        if 4 * last <= min(first, second):
            raise ImageError(
                f"An array of shape {shape} has {last} channels, or is a stack of {first} slices of {second} × {last}: "
                f'say which. axes="YXC" with index={{"C": 0}} shows one of the channels, index={{"C": [0, 1, 2]}} three; '
                f'axes="ZYX" is the stack.'
            )
        if first == 3 and min(second, last) > 4:
            return "ZYX", (f'The array of shape {shape} is shown as 3 slices; axes="CYX" shows it in colour.',)
        return "ZYX", ()
    if len(shape) == 4 and shape[3] == 3:
        return "ZYXS", ()
    letters = "TCZYX"[-len(shape) :] if 2 < len(shape) <= 5 else "TCZYX"
    example = f'axes="{letters}"' + (' with index={"T": 0, "C": 0}' if len(shape) == 5 else ' with index={"C": 0}')
    more = f"; axes= names them, a letter each ({LETTERS}), for instance {example}" if len(shape) > 3 else ""
    raise ImageError(f"An array with {len(shape)} axes, shape {shape}, is not an image{more}. {_PLAIN}.")


def check_file_axes(shape: tuple[int, ...], axes: str, given: Given) -> tuple[str, ...]:
    """Check that it is known what the axes of a file are, and give a note where its pages are taken as slices.

    Rows, columns, slices, times, channels and colours are known. One axis of pages before rows and columns, where there are no
    slices, is taken as slices, as a plain guess; a note says so where they are few enough to be channels. Others are asked for,
    unless the user chooses one place along them.

    Parameters
    ----------
    shape
        Shape of the array.
    axes
        The letters that the file gives to its axes, as in tifffile; letters of pages may stand twice.
    given
        What the user gave.

    Raises
    ------
    ImageError
        If one is not known. The message says what would do.
    """
    taken, fixed = _taken(shape, axes, given.index)
    lengths = [len(numbers) if numbers is not None else shape[axis] for axis, numbers in enumerate(taken)]
    left = [axis for axis, length in enumerate(lengths) if length > 1 and axis not in fixed]
    unknown = [axis for axis in left if axes[axis] not in _KNOWN]
    if not unknown:
        return ()
    pages = unknown[0]
    is_plain = (
        len(unknown) == 1
        and axes[pages] in _PAGES
        and pages < min(axes.index("Y"), axes.index("X"))
        and (len(shape) != 3 or guess(shape)[0] == "ZYX")
    )
    if not is_plain:
        raise unknown_axes(given, shape, axes, unknown)
    if lengths[pages] > CHANNELS_PLAUSIBLE:
        return ()
    stack = axes[:pages] + "Z" + axes[pages + 1 :]
    channels = f'; axes="{stack.replace("Z", "C")}" makes them channels' if "C" not in axes and "S" not in axes else ""
    said = f'The file does not say what its {lengths[pages]:,} pages are; they are shown as slices. axes="{stack}" confirms it'
    return (f"{said}{channels}.",)


def layout(
    shape: tuple[int, ...],
    axes: str,
    given: Given,
    conversion: Conversion | None,
    *,
    squeeze: bool,
) -> Layout:
    """Find slices, rows, columns and channels.

    Parameters
    ----------
    shape
        Shape of the array.
    axes
        A letter for each axis; `check_axes` gives it.
    given
        What the user gave: the choice along axes.
    conversion
        The file's conversion of colours.
    squeeze
        Whether a single axis of one slice makes no stack.

    Raises
    ------
    ImageError
        If the index does not fit the array, or they do not lead to 1 or 3 channels and one axis of slices.
    """
    taken, fixed = _taken(shape, axes, given.index)
    lengths = [len(numbers) if numbers is not None else shape[axis] for axis, numbers in enumerate(taken)]
    row, column = axes.index("Y"), axes.index("X")
    left = [axis for axis in range(len(shape)) if axis not in (row, column) and axis not in fixed]

    channel_axes = [axis for axis in left if axes[axis] in "CS"]
    slice_axes = [axis for axis in left if axes[axis] not in "CS"]
    channel = _the_longest(channel_axes, lengths)
    stack_axis = _the_longest(slice_axes, lengths)
    channels = 1 if channel is None else lengths[channel]
    several = [axis for axis in slice_axes if lengths[axis] > 1]
    both = [axis for axis in channel_axes if lengths[axis] > 1]
    converts = conversion is not None and conversion.before in (None, channels)
    shown = (conversion.after or channels) if conversion is not None and converts else channels
    if len(several) > 1 or len(both) > 1 or shown not in (1, 3):
        raise too_much(
            given, shape, axes, [1 if axis in fixed else lengths[axis] for axis in range(len(shape))], several, both
        )
    stack = stack_axis is not None and (lengths[stack_axis] > 1 or (len(slice_axes) == 1 and not squeeze))
    slices = lengths[stack_axis] if stack_axis is not None else 1
    return Layout(
        (stack_axis, row, column, channel), taken, (slices, shape[row], shape[column], channels), stack, converts
    )


def check_axes(axes: Any, shape: tuple[int, ...]) -> str:
    """Check the letters of axes, and give them in upper case.

    Raises
    ------
    ImageError
        If there is not one letter for each axis, or Y or X is missing.
    """
    if not isinstance(axes, str) or not axes.isascii() or (axes and not axes.isalpha()):
        raise ImageError(f"axes is {axes!r}; a letter for each axis will do ({LETTERS}).")
    upper = axes.upper()
    if len(upper) != len(shape) or len(set(upper)) != len(upper) or not {"Y", "X"} <= set(upper):
        raise ImageError(
            f"axes={axes!r} does not fit the shape {shape}; {len(shape)} different letters, with Y and X, will do ({LETTERS})."
        )
    return upper


def _taken(
    shape: tuple[int, ...], axes: str, index: Index | None
) -> tuple[tuple[tuple[int, ...] | None, ...], frozenset[int]]:
    """Give the numbers to read along each axis, and the axes of which one was chosen by its number."""
    taken: list[tuple[int, ...] | None] = [None] * len(shape)
    fixed = set()
    if index is None:
        return tuple(taken), frozenset()
    if not isinstance(index, Mapping):
        raise ImageError(f"index is {index!r}; a mapping from letters of axes to numbers will do, such as {{'C': 0}}.")
    for letter, chosen in index.items():
        axis = axes.find(letter.upper()) if isinstance(letter, str) and len(letter) == 1 else -1
        if axis < 0 or axes[axis] in "YX":
            others = ", ".join(name for name in axes if name not in "YX") or "none"
            raise ImageError(f"index chooses along {letter!r}; axes that can be chosen along are {others} (of {axes}).")
        length = shape[axis]
        if isinstance(chosen, slice):
            numbers = tuple(range(length))[chosen]
        elif isinstance(chosen, (int, np.integer)) and not isinstance(chosen, bool):
            numbers = (int(chosen),)
            fixed.add(axis)
        else:
            numbers = _numbers(letter, chosen)
        if not numbers or any(not -length <= number < length for number in numbers):
            raise ImageError(f"index is {chosen!r} for {letter}; 0 to {length - 1}, or a list of these, will do.")
        taken[axis] = tuple(number % length for number in numbers)
    return tuple(taken), frozenset(fixed)


def _numbers(letter: str, chosen: Any) -> tuple[int, ...]:
    try:
        if isinstance(chosen, (str, bytes)) or any(int(number) != number for number in chosen):
            raise TypeError
        return tuple(int(number) for number in chosen)
    except (TypeError, ValueError):
        raise ImageError(f"index is {chosen!r} for {letter}; a number, or a list of numbers, will do.") from None


def _the_longest(axes: list[int], lengths: list[int]) -> int | None:
    return max(axes, key=lambda axis: lengths[axis], default=None)
