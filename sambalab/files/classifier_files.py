"""Classifiers in files. Reading a file never runs code that is in it."""

from __future__ import annotations

import os
import tempfile
import zipfile
from collections.abc import Callable, Iterable
from io import BytesIO
from pathlib import Path
from typing import Any

from ..spec.errors import ParameterError, SambaLabError

# Greatest size of a file, and of an unpacked archive.
BYTES_MAX = 1 << 30
# The classifier's JSON in an ONNX file's metadata and in a scikit-learn forest's attribute.
METADATA_KEY = "sambalab.classifier"
ATTRIBUTE = "sambalab_classifier_"
# Types of a forest that skops does not trust by default. Reading visits no node of the trees.
TRUSTED = ("sklearn.tree._tree.Tree",)


def extension_of(path: str | os.PathLike[str]) -> str:
    """Give the extension, with its dot, in lower case."""
    return Path(path).suffix.lower()


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
        If it cannot be read or is too large.
    """
    file = Path(path).expanduser()
    try:
        size = file.stat().st_size
        if size > BYTES_MAX:
            raise ParameterError(f"{file} has {size:,} bytes; a classifier has {BYTES_MAX:,} at most.")
        return file.read_bytes()
    except OSError as error:
        raise ParameterError(f"{file} cannot be read: {error.strerror or error}.") from None


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

    _atomically(Path(path).expanduser(), fill)


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
    compression = {"compression": zipfile.ZIP_DEFLATED, "compresslevel": 6}
    _atomically(Path(path).expanduser(), lambda temporary: io.dump(forest, temporary, **compression))


def _atomically(file: Path, write_to: Callable[[str], None]) -> None:
    try:
        handle, temporary = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
        os.close(handle)
    except OSError as error:
        raise ParameterError(f"{file} cannot be written: {error.strerror or error}.") from None
    try:
        write_to(temporary)
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)
        os.replace(temporary, file)
    except OSError as error:
        raise ParameterError(f"{file} cannot be written: {error.strerror or error}.") from None
    finally:
        Path(temporary).unlink(missing_ok=True)


def _from_skops(data: bytes, file: Path) -> bytes:
    io = _skops()
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
            if unpacked > BYTES_MAX:
                raise _no_classifier(file, f"it unpacks to {unpacked:,} bytes")
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
