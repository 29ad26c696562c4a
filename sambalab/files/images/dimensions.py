"""Names of dimensions as letters of axes, and chunks of storage."""

from __future__ import annotations

from typing import Any

#: Names of dimensions, in lower case, and the letters of their axes.
NAMES = {
    "y": "Y",
    "row": "Y",
    "rows": "Y",
    "height": "Y",
    "x": "X",
    "col": "X",
    "cols": "X",
    "column": "X",
    "columns": "X",
    "width": "X",
    "z": "Z",
    "slice": "Z",
    "slices": "Z",
    "plane": "Z",
    "depth": "Z",
    "t": "T",
    "time": "T",
    "frame": "T",
    "c": "C",
    "channel": "C",
    "channels": "C",
    "band": "C",
    "s": "S",
    "rgb": "S",
    "sample": "S",
    "samples": "S",
}


def letters_of(names: tuple[Any, ...]) -> str | None:
    """Give the letters of named axes; None if rows and columns are not among them.

    Unknown names get a free letter that is not one of a known axis or of pages, so that the user is asked what they are.
    """
    letters: list[str] = []
    for name in names:
        letter = NAMES.get(str(name).lower(), "")
        free = next(other for other in "UVWABDEFGHJKLMNOPR" if other not in letters)
        letters.append(letter if letter and letter not in letters else free)
    return "".join(letters) if "Y" in letters and "X" in letters else None


def chunk_of(array: Any) -> tuple[int, ...] | None:
    """Give the lengths of a storage chunk along each axis, if the array has chunks."""
    chunks = getattr(array, "chunks", None)
    if not isinstance(chunks, tuple) or len(chunks) != len(array.shape):
        return None
    return tuple(max(1, int(part[0] if isinstance(part, tuple) else part)) for part in chunks)
