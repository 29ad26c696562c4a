"""The errors that SambaLab raises: one class for each cause. Messages name the wrong value and the valid ones."""

from __future__ import annotations


class SambaLabError(Exception):
    """The base class of this package's errors."""


class SambaLabWarning(UserWarning):
    """Something may be wrong, for example an image that is unlike those that a classifier was trained on."""


class ImageError(SambaLabError, ValueError):
    """The image's dtype, shape, values or file are invalid."""


class LabelError(SambaLabError, ValueError):
    """Labels or classes are invalid."""


class ParameterError(SambaLabError, ValueError):
    """A parameter is invalid."""


class NodeNotFoundError(SambaLabError):
    """There is no Node.js that can run the sidecar."""


class SidecarError(SambaLabError):
    """The sidecar does not start or does not answer."""


class ProtocolError(SambaLabError):
    """Python and the sidecar speak different protocols, for example after an update of one of them."""


class SessionNotFoundError(SambaLabError):
    """The sidecar does not know the session."""


class NotReadyError(SambaLabError):
    """The session is not ready for the request."""


class NotTrainedError(NotReadyError):
    """There is no classifier yet."""


class CancelledError(SambaLabError):
    """The work was cancelled."""


class DiskFullError(SambaLabError):
    """There is no room for arrays or for the journal of the labels."""


class StorageError(SambaLabError):
    """A file in the data folder cannot be read or written. It is unchanged."""


class ModelError(SambaLabError):
    """A model's file is missing or does not match its manifest."""


class ComputeError(SambaLabError):
    """The sidecar's SAM process died twice during a job."""


class EngineError(SambaLabError):
    """The engine cannot run in Python: wasmtime is missing, or memory runs out."""


class InternalError(SambaLabError):
    """An unexpected error in the sidecar; its log says more."""


class DamageWarning(UserWarning):
    """A file of a session was damaged. The message says what was kept, what is lost, and where a copy of the file is."""


_CLASSES: dict[str, type[SambaLabError]] = {
    "malformed": ProtocolError,
    "too-large": ProtocolError,
    "protocol-version": ProtocolError,
    "unauthorized": ProtocolError,
    "unknown-method": ProtocolError,
    "unknown-session": SessionNotFoundError,
    "invalid": ParameterError,
    "not-ready": NotReadyError,
    "cancelled": CancelledError,
    "disk-full": DiskFullError,
    "storage": StorageError,
    "model": ModelError,
    "compute": ComputeError,
    "disconnected": SidecarError,
    "internal": InternalError,
}


def from_code(code: str, message: str) -> SambaLabError:
    """Make the error of a code of the protocol; `InternalError` for an unknown code."""
    return _CLASSES.get(code, InternalError)(message)


def code_of(error: Exception) -> str:
    """Give the code of the protocol for an error: that of its class, or of the nearest base that has one."""
    if isinstance(error, (ImageError, LabelError)):
        return "invalid"
    codes = {made: code for code, made in reversed(_CLASSES.items())}
    return next((codes[base] for base in type(error).__mro__ if base in codes), "internal")
