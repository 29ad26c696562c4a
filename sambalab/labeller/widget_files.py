"""Files, as the widget asks the kernel for them: labels and results saved, labels and images opened.

Names without a folder are beside the notebook. ``src/shared/protocol/kernel.ts`` describes the requests.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np

from ..files import exports, images
from ..sidecar_client.kernel_requests import answers
from ..sidecar_client.keys import notebook_folder, user_variables
from ..sidecar_client.wire import Buffer
from ..spec.errors import LabelError, ParameterError, SambaLabError
from ..spec.tables import limits
from .label_files import What, kind_of
from .labeller import Labeller

_LISTED_MAX = 200
_CLASSES_LIKELY = 32
"""A file without class names that has more values than this looks like an image, not like labels."""


@answers("kernel.files")
def _files(lab: Labeller, params: dict[str, Any], buffers: Sequence[Buffer]) -> dict[str, Any]:
    """Say what can be saved, in which formats, and which files beside the notebook may hold labels."""
    folder = Path(notebook_folder())
    arrays = get_args(What)
    formats = [
        {
            "ending": known.ending,
            "title": known.title,
            "description": known.description,
            "stacks": known.stacks,
            "arrays": [what for what in arrays if kind_of(what) in known.holds],
            "spreads": [what for what in arrays if kind_of(what, True) == "spread" and "spread" in known.holds],
        }
        for known in exports.FORMATS
        if known.title
    ]
    endings = tuple(known.ending for known in exports.FORMATS)
    found: list[tuple[float, str]] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.lower().endswith(endings) and not entry.name.startswith(".") and entry.is_file():
                found.append((entry.stat().st_mtime, entry.name))
    title = Path(str(lab._open_params["title"])).name
    ending = max((end for end in (*endings, Path(title).suffix.lower()) if title.lower().endswith(end)), key=len)
    return {
        "folder": str(folder),
        "stem": title[: len(title) - len(ending)] or "labels",
        "arrays": list(arrays),
        "formats": formats,
        "files": [name for _, name in sorted(found, reverse=True)[:_LISTED_MAX]],
    }


@answers("kernel.save")
def _save(lab: Labeller, params: dict[str, Any], buffers: Sequence[Buffer]) -> dict[str, Any]:
    """Save an array, unless the file exists and `replace` is false."""
    path = _path(params["path"])
    if path.exists() and not params["replace"]:
        return {"path": str(path), "saved": False}
    options = {key: params[key] for key in ("slice", "spread", "of", "alpha") if key in params}
    lab.save(path, params["what"], **options)
    return {"path": str(path), "saved": True}


@answers("kernel.upload")
def _upload(lab: Labeller, params: dict[str, Any], buffers: Sequence[Buffer]) -> dict[str, Any]:
    """Take a part of a file from the user's computer."""
    _uploads.add(str(params["upload"]), str(params["name"]), int(params["offset"]), bytes(buffers[0]))
    return {}


@answers("kernel.open")
def _open(lab: Labeller, params: dict[str, Any], buffers: Sequence[Buffer]) -> dict[str, Any]:
    """Open a file as labels; if it looks like an image instead and `sure` is false, only say so."""
    path = _given(params)
    sure = bool(params["sure"])
    try:
        loaded, spread = _labels_in(lab, path)
    except LabelError as error:
        problem = error
    else:
        if sure or loaded.classes is not None or len(np.unique(loaded.ids)) <= _CLASSES_LIKELY:
            _put(lab, loaded, path.name)
            note = lab._size_note(loaded.pixel_size, path.name)
            return {"kind": "labels", "path": path.name, "fits": True, "spread": spread, "problem": note}
        return {"kind": "image", "path": path.name, "fits": True, "spread": False, "problem": ""}
    if not sure and _is_image(path):
        return {"kind": "image", "path": path.name, "fits": False, "spread": False, "problem": _told(problem, path)}
    raise LabelError(_told(problem, path)) from problem


@answers("kernel.cell")
def _cell(lab: Labeller, params: dict[str, Any], buffers: Sequence[Buffer]) -> dict[str, Any]:
    """Write the code of a cell that labels another image. A file from the user's computer is put beside the notebook first."""
    path = _given(params)
    if "upload" in params:
        path = _kept(path)
    folder = Path(notebook_folder())
    near = path.parent == folder and Path.cwd() == folder
    variables = user_variables()
    name = next(name for name in (f"lab{number}" for number in range(2, 1 << 30)) if name not in variables)
    known = getattr(variables.get("sl"), "__name__", "") == "sambalab"
    code = f"{name} = sl.Labeller({json.dumps(path.name if near else str(path), ensure_ascii=False)})\n{name}"
    return {"source": code if known else f"import sambalab as sl\n\n{code}", "path": str(path)}


class _Uploads:
    """Files from the user's computer, in a folder that goes with the kernel; the last two."""

    def __init__(self) -> None:
        self._folders: OrderedDict[str, tuple[tempfile.TemporaryDirectory[str], Path]] = OrderedDict()
        self._lock = threading.Lock()

    def add(self, upload: str, name: str, offset: int, part: bytes) -> None:
        with self._lock:
            if upload not in self._folders:
                folder = tempfile.TemporaryDirectory(prefix="sambalab-", ignore_cleanup_errors=True)
                self._folders[upload] = (folder, Path(folder.name) / _plain(name))
                self._folders[upload][1].touch()
            while len(self._folders) > 2:
                self._folders.popitem(last=False)[1][0].cleanup()
            most = int(limits("files")["upload"])
            if not 0 <= offset <= most - len(part):
                raise ParameterError(
                    f"{name} has more than {most >> 20} MB; put it beside the notebook, and open it there."
                )
            with open(self._folders[upload][1], "r+b") as file:
                file.seek(offset)
                file.write(part)

    def path(self, upload: str) -> Path:
        with self._lock:
            if upload not in self._folders:
                raise ParameterError("The file is no longer here; choose it again.")
            return self._folders[upload][1]


_uploads = _Uploads()


def _plain(name: str) -> str:
    """Give the name of a file without folders."""
    plain = name.replace("\\", "/").rsplit("/", 1)[-1].replace("\0", "")
    return plain if plain not in ("", ".", "..") else "file"


def _path(name: Any) -> Path:
    if not isinstance(name, str) or not name.strip() or "\0" in name:
        raise ParameterError(f"The name of the file is {name!r}; a name beside the notebook, or a path, will do.")
    return Path(notebook_folder(), Path(name.strip()).expanduser())


def _given(params: dict[str, Any]) -> Path:
    return _uploads.path(str(params["upload"])) if "upload" in params else _path(params.get("path"))


def _labels_in(lab: Labeller, path: Path) -> tuple[exports.Loaded, bool]:
    """Read labels, and tell whether their ids were spread over 0 to 255: the file says so, or its values are such."""
    try:
        loaded = lab._read_labels(path, False)
    except LabelError:
        loaded = exports.load(path)
        if not any("value" in item for item in loaded.classes or ()):
            raise
        return lab._read_labels(path, True), True
    if loaded.classes is None and int(loaded.ids.max(initial=0)) >= 128:
        try:
            return lab._read_labels(path, True), True
        except LabelError:
            pass
    return loaded, False


def _put(lab: Labeller, loaded: exports.Loaded, file: str) -> None:
    """Replace the labels, with the labeller's own classes where the file has those, else with the file's."""
    try:
        lab._put_labels(loaded.ids, loaded.classes, tool="open_labels", file=file)
    except LabelError:
        lab._put_labels(loaded.ids, loaded.classes, add=True, tool="open_labels", file=file)


def _is_image(path: Path) -> bool:
    try:
        images.prepare(path)
    except (SambaLabError, OSError):
        return False
    return True


def _told(error: Exception, path: Path) -> str:
    """Give an error's text with the file's name in place of its path: the folder of an upload means nothing to the user."""
    return str(error).replace(str(path), path.name)


def _kept(path: Path) -> Path:
    """Copy a file beside the notebook, under a name that is free there or has the same content."""
    folder = Path(notebook_folder())
    for number in range(1, 1000):
        name = path.name if number == 1 else f"{path.stem}-{number}{path.suffix}"
        target = folder / name
        try:
            with open(target, "xb") as file, open(path, "rb") as source:
                shutil.copyfileobj(source, file)
            return target
        except FileExistsError:
            same = target.is_file() and target.stat().st_size == path.stat().st_size
            if same and target.read_bytes() == path.read_bytes():
                return target
        except OSError as error:
            raise ParameterError(f"{path.name} cannot be put beside the notebook in {folder}: {error}.") from None
    raise ParameterError(f"{folder} has too many files named like {path.name}; another name will do.")
