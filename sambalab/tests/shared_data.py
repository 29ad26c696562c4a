"""The micrographs beside the repository, in ``../shared/data``. Tests that read them carry the marker `data`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from sambalab.files.images import prepare

FOLDER = Path(__file__).parents[3] / "shared/data"


def shared_image(name: str) -> npt.NDArray[Any]:
    """Load a grey image, (rows, columns)."""
    return np.ascontiguousarray(prepare(FOLDER / name).pixels[0, :, :, 0])


def marked(names: Any, shared: tuple[str, ...]) -> list[Any]:
    """Give parameters for pytest; those in `shared` carry the marker `data`."""
    return [pytest.param(name, marks=pytest.mark.data) if name in shared else name for name in names]
