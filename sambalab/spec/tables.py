"""The tables that the build puts beside the sidecar. TypeScript (``src/shared``) and Python read the same numbers.

- ``features.json``: feature families and sets. ``learners.json``: presets of trees. ``models.json``: manifests of SAM models.
- ``limits.json``: limits of parameters and files; ``src/shared/limits-json.ts`` describes it.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .errors import SambaLabError

FOLDER = Path(__file__).parent.parent / "server"


_ADVICE = "In a source tree, build it: npm run build. Otherwise install sambalab again."


@functools.cache
def built_table(name: str) -> Any:
    """Read a table. The result is shared, so do not change it.

    Raises
    ------
    SambaLabError
        If the package is not built. Indexing the table, or a part of it, raises it for what a build of other sources left out.
    """
    file = FOLDER / name

    class Table(dict[str, Any]):
        def __missing__(self, key: str) -> Any:
            raise SambaLabError(f"{file} was built from other sources: it has no {key!r}. {_ADVICE}")

    try:
        return json.loads(file.read_text("utf-8"), object_hook=Table)
    except FileNotFoundError:
        raise SambaLabError(f"{file} is missing. {_ADVICE}") from None
    except ValueError as error:
        raise SambaLabError(f"{file} is damaged: {error}. {_ADVICE}") from None


def limits(*path: str) -> Mapping[str, Any]:
    """Give the part of ``limits.json`` at a path: ``limits("features", "sigmas")``."""
    part: Mapping[str, Any] = built_table("limits.json")
    for name in path:
        part = part[name]
    return part


def parameter_limits(group: str) -> Mapping[str, Mapping[str, Any]]:
    """Give the JSON Schema of each parameter of a group: ``"forest"``, ``"boosting"``, or a method of the protocol."""
    return limits("parameters", group, "properties")
