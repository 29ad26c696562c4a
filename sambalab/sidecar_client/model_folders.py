"""Where the files of SAM models are looked for: Jupyter's data directories, which only Python knows."""

from __future__ import annotations

import os
from pathlib import Path

VARIABLE = "SAMBALAB_JUPYTER_PATH"
"""The environment variable that tells the sidecar."""


def models_home() -> Path:
    """Give the folder in which ``sambalab models add`` keeps models."""
    from jupyter_core.paths import jupyter_data_dir

    return Path(jupyter_data_dir()) / "sambalab" / "models"


def model_environment() -> dict[str, str]:
    """Give this process's environment, with Jupyter's data directories for the sidecar."""
    from jupyter_core.paths import jupyter_path

    return {**os.environ, VARIABLE: os.environ.get(VARIABLE) or os.pathsep.join(jupyter_path())}
