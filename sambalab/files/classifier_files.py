"""Classifiers in files. Reading a file never runs code that is in it."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable, Iterable
from io import BytesIO
from pathlib import Path
from typing import Any

from ..spec.errors import ParameterError, SambaLabError
from ..spec.parameters import show
from ..spec.tables import limits
from .regular import open_regular
from .whole_file import write_whole

# The classifier's JSON in an ONNX file's metadata and in a scikit-learn forest's attribute.
METADATA_KEY = "sambalab.classifier"
ATTRIBUTE = "sambalab_classifier_"
# Types of a forest that skops does not trust by default. Reading visits no node of the trees.
TRUSTED = ("sklearn.tree._tree.Tree",)


def extension_of(path: str | os.PathLike[str]) -> str:
    """Give the extension, with its dot, in lower case.

    Raises
    ------
    ParameterError
        If it is no path.
    """
    return _path(path).suffix.lower()


def _path(path: str | os.PathLike[str]) -> Path:
    if not isinstance(path, (str, os.PathLike)) or isinstance(os.fspath(path), bytes):
        raise ParameterError(f"path is {show(path)}; the name of a file will do.")
    return Path(path)


def unknown_extension(path: str | os.PathLike[str], extensions: Iterable[str]) -> ParameterError:
    """Make the error that no format has the file's extension."""
    return ParameterError(
        f"The file is {os.fspath(path)!r}; names that end in {', '.join(dict.fromkeys(extensions))} will do."
    )


def read(path: str | os.PathLike[str]) -> bytes:
    """Read a file.

    Raises
    ------
    ParameterError
        If it cannot be read, is not a regular file, or is larger than ``classifier.fileBytes`` of the limits.
    """
    file = _path(path).expanduser()
    most = _bytes_max()
    with open_regular(file, ParameterError) as opened:
        try:
            size = os.fstat(opened.fileno()).st_size
            data = b"" if size > most else opened.read(most + 1)
        except OSError as error:
            raise ParameterError(f"{file} cannot be read: {error.strerror or error}.") from None
    if max(size, len(data)) > most:
        raise ParameterError(f"{file} has {max(size, len(data)):,} bytes; a classifier has {most:,} at most.")
    return data


def document_of(data: bytes, path: str | os.PathLike[str]) -> bytes | None:
    """Take the classifier's JSON out of a file's bytes, in the formats that Python reads. The JSON is not checked.

    Returns
    -------
    bytes or None
        None if Python does not know the extension.

    Raises
    ------
    ParameterError
        If the file is not a classifier.
    SambaLabError
        If it ends in .skops and skops is not installed.
    """
    reader = _READERS.get(extension_of(path))
    return None if reader is None else reader(data, Path(path).expanduser())


def write(path: str | os.PathLike[str], data: bytes) -> None:
    """Write a file completely or not at all.

    Raises
    ------
    ParameterError
        If it cannot be written.
    """

    def fill(temporary: str) -> None:
        Path(temporary).write_bytes(data)

    write_whole(Path(path).expanduser(), fill)


def write_skops(path: str | os.PathLike[str], forest: Any, data: bytes) -> None:
    """Write a scikit-learn forest that carries the classifier's JSON in the attribute ``sambalab_classifier_``.

    Raises
    ------
    SambaLabError
        If skops is not installed.
    ParameterError
        If the file cannot be written.
    """
    io = _skops()
    setattr(forest, ATTRIBUTE, data.decode("utf-8"))
    file = Path(path).expanduser()

    def fill(temporary: str) -> None:
        io.dump(forest, temporary, compression=zipfile.ZIP_DEFLATED, compresslevel=6)
        with zipfile.ZipFile(temporary) as archive:
            unpacked = _unpacked(archive)
        if unpacked > _bytes_max():
            raise ParameterError(
                f"{file} would unpack to {unpacked:,} bytes, and could not be loaded; up to {_bytes_max():,} will do. "
                "A file that ends in .json or .onnx will do, or fewer or shallower trees."
            )

    write_whole(file, fill)


def _from_skops(data: bytes, file: Path) -> bytes:
    io = _skops()
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            unpacked = _unpacked(archive)
            if unpacked > _bytes_max():
                raise _no_classifier(file, f"it unpacks to {unpacked:,} bytes; up to {_bytes_max():,} will do")
        strange = sorted(set(io.get_untrusted_types(data=data)) - set(TRUSTED))
        if strange:
            raise _no_classifier(file, f"it holds objects of the types {', '.join(strange[:5])}, which are not loaded")
        model = io.loads(data, trusted=list(TRUSTED))
    except SambaLabError:
        raise
    except RecursionError:
        raise _no_classifier(file, "it is nested too deeply") from None
    except Exception as error:  # skops and zipfile raise many types for a damaged archive
        raise _no_classifier(file, f"{type(error).__name__}: {error}") from None
    text = getattr(model, ATTRIBUTE, None)
    if not isinstance(text, str):
        raise _no_classifier(
            file,
            "it holds no feature spec; load the forest with skops and use Classifier.from_sklearn(forest, features=…)",
        )
    return text.encode("utf-8")


def _unpacked(archive: zipfile.ZipFile) -> int:
    """Give the bytes that the entries say they have. Reading one never gives more."""
    return sum(entry.file_size for entry in archive.infolist())


def _bytes_max() -> int:
    """Give the greatest size of a file, and of what is in it once unpacked."""
    return int(limits("classifier")["fileBytes"])


def _metadata(data: bytes, file: Path) -> bytes:
    """Read the classifier's JSON from ``metadata_props`` of an ONNX ``ModelProto`` (field 14; keys are 1, values 2)."""
    try:
        for number, value in _fields(data):
            if number == 14 and isinstance(value, memoryview):
                entry = {key: bytes(part) for key, part in _fields(value) if isinstance(part, memoryview)}
                if entry.get(1) == METADATA_KEY.encode():
                    return entry[2]
    except (IndexError, KeyError, ValueError):
        raise _no_classifier(file, "it is not ONNX") from None
    raise _no_classifier(file, f"its metadata has no {METADATA_KEY}, which only Classifier.save writes")


def _fields(data: bytes | memoryview) -> Any:
    """Iterate over the fields of a protobuf message: field number, and value (a view, or None for numbers)."""
    view = memoryview(data)
    at = 0
    while at < len(view):
        key, at = _varint(view, at)
        kind = key & 7
        if kind == 2:
            length, at = _varint(view, at)
            if at + length > len(view):
                raise ValueError("a field ends beyond its message")
            yield key >> 3, view[at : at + length]
            at += length
        elif kind == 0:
            _, at = _varint(view, at)
            yield key >> 3, None
        elif kind in (1, 5):
            at += 8 if kind == 1 else 4
            yield key >> 3, None
        else:
            raise ValueError("a field of an unknown kind")


def _varint(view: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = view[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise ValueError("a number of too many bytes")


def _no_classifier(file: Path, reason: str) -> ParameterError:
    return ParameterError(f"{file} is not a classifier of SambaLab, or it was damaged: {reason}.")


def _skops() -> Any:
    try:
        import skops.io
    except ImportError:
        raise SambaLabError("Files that end in .skops need skops: pip install 'sambalab[files]'.") from None
    return skops.io


_READERS: dict[str, Callable[[bytes, Path], bytes]] = {
    ".json": lambda data, file: data,
    ".onnx": _metadata,
    ".skops": _from_skops,
}
