"""SambaLab: trainable segmentation of micrographs inside a Jupyter notebook.

>>> import sambalab as sl
>>> lab = sl.Labeller(image, classes=["matrix", "precipitate"])
>>> lab  # shows the widget
>>> lab.train()
>>> lab.segmentation
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .sidecar_client import relay as _relay
from .spec.errors import (
    CancelledError,
    ComputeError,
    DamageWarning,
    DiskFullError,
    EngineError,
    ImageError,
    InternalError,
    LabelError,
    ModelError,
    NodeNotFoundError,
    NotReadyError,
    NotTrainedError,
    ParameterError,
    ProtocolError,
    SambaLabError,
    SambaLabWarning,
    SessionNotFoundError,
    SidecarError,
    StorageError,
)
from .version import __version__

if TYPE_CHECKING:
    from . import engine
    from .classifier import Classifier
    from .files import data
    from .labeller import Labeller, phase_fractions
    from .sidecar_client.class_sets import class_sets, remove_class_set
    from .sidecar_client.sam_models import SamModel, sam_models
    from .sidecar_client.session_list import SessionInfo, sessions
    from .sidecar_client.shutdown import shutdown
    from .spec.features import FeatureSpec
    from .spec.phase_fractions import PhaseFractions
    from .spec.provenance import Provenance

__all__ = [
    "CancelledError",
    "Classifier",
    "ComputeError",
    "DamageWarning",
    "DiskFullError",
    "EngineError",
    "FeatureSpec",
    "ImageError",
    "InternalError",
    "LabelError",
    "Labeller",
    "ModelError",
    "NodeNotFoundError",
    "NotReadyError",
    "NotTrainedError",
    "ParameterError",
    "PhaseFractions",
    "ProtocolError",
    "Provenance",
    "SamModel",
    "SambaLabError",
    "SambaLabWarning",
    "SessionInfo",
    "SessionNotFoundError",
    "SidecarError",
    "StorageError",
    "__version__",
    "class_sets",
    "data",
    "engine",
    "phase_fractions",
    "remove_class_set",
    "sam_models",
    "sessions",
    "shutdown",
]

# Jupyter Server imports this package only for its extension. So modules that need NumPy or ipywidgets are imported at first use.
_LAZY = {
    "Labeller": ".labeller",
    "Classifier": ".classifier",
    "FeatureSpec": ".spec.features",
    "PhaseFractions": ".spec.phase_fractions",
    "phase_fractions": ".labeller",
    "Provenance": ".spec.provenance",
    "SessionInfo": ".sidecar_client.session_list",
    "SamModel": ".sidecar_client.sam_models",
    "sam_models": ".sidecar_client.sam_models",
    "sessions": ".sidecar_client.session_list",
    "class_sets": ".sidecar_client.class_sets",
    "remove_class_set": ".sidecar_client.class_sets",
    "shutdown": ".sidecar_client.shutdown",
    "data": ".files.data",
    "engine": ".engine",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(_LAZY[name], __name__)
    return module if name in ("data", "engine") else getattr(module, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    return [{"src": "labextension", "dest": "sambalab"}]


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "sambalab.serverextension"}]


_relay.register()
