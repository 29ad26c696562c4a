"""What goes into a wheel besides the Python files: the labextension, and the Node modules that the sidecar loads.

Wheels are for one platform, since those modules hold native code. A source tree that is not built yet can be installed in
editable mode all the same, to be built later.
"""

from __future__ import annotations

import json
import platform
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SHARE = "share/jupyter/labextensions/sambalab"


class SharedFiles(BuildHookInterface):  # type: ignore[type-arg]
    """Adds built files to wheels."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Tell hatchling about them."""
        root = Path(self.root)
        built = {
            "sambalab/labextension": root / "sambalab/labextension/package.json",
            "sambalab/server": root / "sambalab/server/main.cjs",
        }
        missing = [name for name, file in built.items() if not file.is_file()]
        shared = {"jupyter-config/server-config/sambalab.json": "etc/jupyter/jupyter_server_config.d/sambalab.json"}
        build_data.setdefault("shared_data", {}).update(shared)
        # An editable install is linked to the labextension by `jupyter-builder develop`, so that a new build shows at once.
        if version != "standard":
            return
        if missing:
            raise RuntimeError(f"{' and '.join(missing)} must be built before a wheel is: npm ci && npm run build")
        shared["sambalab/labextension"] = SHARE
        shared["install.json"] = f"{SHARE}/install.json"
        build_data["shared_data"].update(shared)
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{sysconfig.get_platform().replace('-', '_').replace('.', '_')}"
        modules = root / "node_modules"
        models = json.loads((root / "sambalab/server/models.json").read_text("utf-8"))
        for path in [*node_modules(), *model_files(models)]:
            source = modules / path
            if not source.exists():
                raise RuntimeError(f"{source} is missing. Install the Node modules first: npm ci")
            build_data["force_include"][str(source)] = f"sambalab/server/node_modules/{path}"


def node_modules() -> list[str]:
    """List what of the Node modules the sidecar needs on this platform; the rest is for others, or is for building."""
    machine = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64"}.get(platform.machine().lower(), platform.machine())
    native = f"{sys.platform}/{machine.lower()}"
    return [
        "zeromq/package.json",
        "zeromq/LICENSE.txt",
        "zeromq/LICENSE_MPL-2.0.txt",
        "zeromq/lib",
        "zeromq/build/manifest.json",
        f"zeromq/build/{native}",
        "cmake-ts/package.json",
        "cmake-ts/build",
        "onnxruntime-node/package.json",
        "onnxruntime-node/dist",
        f"onnxruntime-node/bin/napi-v6/{native}",
        "onnxruntime-common/package.json",
        "onnxruntime-common/dist/cjs",
        "webgpu/package.json",
        "webgpu/LICENSE.md",
        "webgpu/index.js",
        f"webgpu/dist/{'darwin-universal' if sys.platform == 'darwin' else native.replace('/', '-')}",
    ]


def model_files(models: Sequence[Mapping[str, Any]]) -> list[str]:
    """List the files of SAM models' npm packages that the sidecar loads; the decoders are built."""
    paths = []
    for model in models:
        name, folder = model["package"]["name"], model["package"]["folder"]
        paths += [f"{name}/package.json", f"{name}/{folder}/{model['encoder']['file']['name']}"]
    return paths
