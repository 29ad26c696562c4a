"""The key by which a session is found again: its name, or its image, notebook, and variable or cell.

Jupyter tells a kernel the path of its notebook; nbconvert and papermill do not. An unknown notebook counts as a new one each time
its kernel starts, so that notebooks never find each other's labels by accident.
"""

from __future__ import annotations

import ast
import itertools
import linecache
import os
import sys
import time
import uuid
from dataclasses import dataclass
from types import FrameType
from typing import Any

from ..spec.callers import calling_frame
from ..spec.tables import parameter_limits

_NAMED = "name:"
_DOCUMENT_MAX = 700
_PLACE_MAX = 200

_UNKNOWN = f"unknown notebook, {time.strftime('%Y-%m-%d %H:%M')}, {uuid.uuid4().hex[:8]}"
"""The document of this process if nothing names its notebook."""


def name_length_max() -> int:
    """Give the greatest number of characters of a session's name."""
    return int(parameter_limits("session.open")["key"]["maxLength"]) - len(_NAMED)


@dataclass(frozen=True)
class SessionKey:
    """The key of a session, and the notebook and variable in it.

    Attributes
    ----------
    key
        At most 1000 characters.
    origin
        The protocol's ``zOrigin``: ``document``, the notebook or script, and ``place``, the variable, cell or function. None if
        the session has a name.
    """

    key: str
    origin: dict[str, str] | None


def session_key(name: str | None, digest: str) -> SessionKey:
    """Make the key of a session: of its name, or else of the code that called this package.

    Parameters
    ----------
    name
        The session's name, or None.
    digest
        SHA-256 of the image.
    """
    if name is not None:
        return SessionKey(_NAMED + name, None)
    document, place = _document()[-_DOCUMENT_MAX:], _origin(calling_frame()[0])[:_PLACE_MAX]
    return SessionKey(f"image:{digest}|in:{document}|from:{place}", {"document": document, "place": place})


def notebook_folder() -> str:
    """Give the folder of the notebook, or the working directory if that is not known."""
    document = _document()
    folder = os.path.dirname(document)
    return folder if os.path.isabs(document) and os.path.isdir(folder) else os.getcwd()


def user_variables() -> dict[str, Any]:
    """Give the variables of the user's cells; empty outside of IPython."""
    shell = _shell()
    return {} if shell is None else dict(shell.user_ns)


def _shell() -> Any:
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython is not None else None


def _document() -> str:
    """Name the notebook or script."""
    shell = _shell()
    in_vscode: object = shell.user_ns.get("__vsc_ipynb_file__") if shell is not None else None
    notebook = in_vscode or _session_name()
    if notebook:
        return str(notebook)
    if getattr(shell, "kernel", None) is not None:
        return _UNKNOWN
    script = getattr(sys.modules.get("__main__"), "__file__", None)
    return os.path.abspath(str(script)) if script else f"interactive:{os.getcwd()}"


def _session_name() -> str | None:
    """Give the path that Jupyter told this kernel, if it did not tell it to the kernel's parent.

    nbconvert inherits the name of the notebook whose cell started it, and passes it on to its own kernel, which runs another
    notebook.
    """
    name = os.environ.get("JPY_SESSION_NAME")
    if not name:
        return None
    try:
        import psutil  # type: ignore[import-untyped]  # ipykernel depends on it

        inherited = psutil.Process(os.getppid()).environ().get("JPY_SESSION_NAME") == name
    except Exception:  # no psutil, no parent, or no permission
        inherited = False
    return None if inherited else name


def _origin(frame: FrameType | None) -> str:
    """Name the variable to which the call's result is assigned; without one the cell; without a cell the function."""
    variable = _variable(frame) if frame is not None else None
    if variable:
        return f"variable {variable}"
    cell = _cell_id()
    if cell:
        return f"cell {cell}"
    return f"function {frame.f_code.co_name}" if frame is not None else "nowhere"


def _cell_id() -> str | None:
    shell = _shell()
    if shell is None or not hasattr(shell, "get_parent"):
        return None
    try:
        cell = shell.get_parent()["metadata"].get("cellId")
    except (KeyError, TypeError, AttributeError, LookupError):
        return None
    return str(cell) if cell else None


def _variable(frame: FrameType) -> str | None:
    """Find the target of the assignment that is being executed."""
    source = "".join(linecache.getlines(frame.f_code.co_filename, frame.f_globals))
    if not source:
        return None
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return None
    start, end = _position(frame)
    found: str | None = None
    for node in ast.walk(tree):
        if isinstance(node, (ast.Assign, ast.AnnAssign, ast.NamedExpr)) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target, value in _pairs(targets[0], node.value):
                # ast.walk goes from outer to inner nodes, so the innermost assignment wins.
                first = (value.lineno, value.col_offset)
                last = (value.end_lineno or value.lineno, value.end_col_offset or 0)
                if first <= start and end <= last and _calls(value):
                    found = ast.unparse(target)
    return found


def _position(frame: FrameType) -> tuple[tuple[int, int], tuple[int, int]]:
    """Give the start and end (line, column) of the expression that is being executed. Python 3.10 has lines only."""
    code: Any = frame.f_code
    if hasattr(code, "co_positions"):
        line, end_line, column, end_column = next(itertools.islice(code.co_positions(), frame.f_lasti // 2, None))
        if None not in (line, end_line, column, end_column):
            return (line, column), (end_line, end_column)
    # Start and end are swapped to the line's ends, so that every expression on this line contains them.
    return (frame.f_lineno, sys.maxsize), (frame.f_lineno, 0)


def _pairs(target: ast.expr, value: ast.expr) -> list[tuple[ast.expr, ast.expr]]:
    """Split `a, b = x, y` into pairs of target and value."""
    if (
        isinstance(target, (ast.Tuple, ast.List))
        and isinstance(value, (ast.Tuple, ast.List))
        and len(target.elts) == len(value.elts)
    ):
        return list(zip(target.elts, value.elts, strict=True))
    return [(target, value)]


def _calls(value: ast.expr) -> bool:
    return any(isinstance(node, ast.Call) for node in ast.walk(value))
