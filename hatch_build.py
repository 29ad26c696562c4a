"""What goes into a wheel besides the Python files: the labextension and the sidecar's own Node modules, where they are built."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SHARE = "share/jupyter/labextensions/sambalab"


class SharedFiles(BuildHookInterface):  # type: ignore[type-arg]
    """Adds built files; a source tree that is not built yet can be installed all the same, to be built later."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Tell hatchling about them."""
        root = Path(self.root)
        shared = {"jupyter-config/server-config/sambalab.json": "etc/jupyter/jupyter_server_config.d/sambalab.json"}
        # An editable install is linked to the labextension by `jupyter-builder develop`, so that a new build shows at once.
        if version == "standard":
            for part in ("labextension/package.json", "server/main.cjs"):
                if not (root / "sambalab" / part).is_file():
                    raise RuntimeError(f"sambalab/{part} is missing. Build it first: npm run build")
            shared["sambalab/labextension"] = SHARE
        build_data.setdefault("shared_data", {}).update(shared)
