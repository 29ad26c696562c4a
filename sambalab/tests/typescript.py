"""Run the TypeScript half of code that both languages have, to compare results."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

from sambalab.sidecar_client.node import find_node

ROOT = Path(__file__).parents[2]


def typescript(script: str, lines: list[Any], folder: Path) -> Any:
    """Run a script of TypeScript in ``src/shared``: it reads `lines` as JSON from stdin and writes JSON."""
    esbuild = ROOT / "node_modules/.bin/esbuild"
    bundle = folder / "features.cjs"
    subprocess.run(
        [esbuild, "--bundle", "--platform=node", "--format=cjs", f"--outfile={bundle}", "--log-level=error"],
        input=script, text=True, check=True, cwd=ROOT / "src/shared",
    )  # fmt: skip
    node = shutil.which("node") or find_node()
    done = subprocess.run(
        [node, bundle], input="\n".join(map(json.dumps, lines)), text=True, check=True, capture_output=True
    )
    return json.loads(done.stdout)
