"""The formats, by the ending of a file's name. A new one is a new file here and a line in `FORMATS`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from ...spec.errors import LabelError, ParameterError, SambaLabError
from ..whole_file import write_whole
from . import coco, npy, png, tiff
from .content import Content, Kind, Loaded


class Format(NamedTuple):
    """A format.

    Attributes
    ----------
    ending
        The end of a file's name, in lower case.
    holds
        The kinds of content that it can hold.
    write
        Write a file of this name.
    read
        Read labels. Exceptions other than `SambaLabError` are reported as a damaged file.
    title, description
        What the widget's list of formats says; empty for another ending of a format above.
    stacks
        Whether it holds more than one slice.
    """

    ending: str
    holds: tuple[Kind, ...]
    write: Callable[[str, Content], None]
    read: Callable[[Path], Loaded]
    title: str = ""
    description: str = ""
    stacks: bool = True


_ALL: tuple[Kind, ...] = ("ids", "spread", "probabilities", "colours")

#: The first whose ending a name has is taken, so that longer endings come first.
FORMATS = (
    Format(
        ".ome.tif",
        _ALL,
        tiff.write_ome,
        tiff.read,
        "OME-TIFF",
        "With pixel size, class names and colours; compressed",
    ),
    Format(".ome.tiff", _ALL, tiff.write_ome, tiff.read),
    Format(".tif", _ALL, tiff.write, tiff.read, "TIFF", "With a palette of the class colours; compressed"),
    Format(".tiff", _ALL, tiff.write, tiff.read),
    Format(
        ".png",
        ("ids", "spread", "colours"),
        png.write,
        png.read,
        "PNG",
        "One slice, with a palette of the class colours",
        stacks=False,
    ),
    Format(".npy", _ALL, npy.write, npy.read, "NumPy", "The array alone"),
    Format(
        ".json",
        ("ids",),
        coco.write,
        coco.read,
        "COCO",
        "A polygon for each connected region, or run lengths if it has holes",
    ),
)


def save(path: str | os.PathLike[str], what: str, kind: Kind, make: Callable[[], Content]) -> None:
    """Write a file completely or not at all.

    Parameters
    ----------
    path
        Its ending chooses the format.
    what
        What is saved, for errors.
    kind
        Of which kind that is.
    make
        Gives the content; called if the format can hold it.

    Raises
    ------
    DiskFullError
        If there is no room.
    ParameterError
        If no format has the ending or can hold this, or the file cannot be written.
    """
    chosen = _format(path, [known for known in FORMATS if kind in known.holds], ParameterError, f"{what} in ")
    content = make()
    write_whole(Path(path).expanduser(), lambda temporary: chosen.write(temporary, content))


def load(path: str | os.PathLike[str]) -> Loaded:
    """Read labels.

    Raises
    ------
    LabelError
        If there is no such file, no format has its ending, or it holds no class ids.
    """
    chosen = _format(path, FORMATS, LabelError, "labels from ")
    file = Path(path).expanduser()
    try:
        return chosen.read(file)
    except SambaLabError:
        raise
    except Exception as error:  # each format's reader raises other types
        raise LabelError(
            f"{file} cannot be read as labels: it is damaged, or no {chosen.ending} file ({type(error).__name__}: {error}). "
            f"A whole file of class ids will do: {', '.join(known.ending for known in FORMATS)}."
        ) from error


def _format(path: str | os.PathLike[str], formats: Iterable[Format], error: type[SambaLabError], what: str) -> Format:
    if not isinstance(path, (str, os.PathLike)) or isinstance(os.fspath(path), bytes):
        raise error(f"path is {path!r}; the name of a file will do.")
    name = os.fspath(path).lower()
    able = list(formats)
    found = next((known for known in able if name.endswith(known.ending)), None)
    if found is None:
        endings = ", ".join(known.ending for known in able)
        raise error(f"The file is {os.fspath(path)!r}; {what}files that end in {endings} will do.")
    return found
