"""The errors that SambaLab raises: one class a cause, each with a message that says what would do."""

from __future__ import annotations


class SambaLabError(Exception):
    """The base of every error of this package."""


class ImageError(SambaLabError, ValueError):
    """The image cannot be labelled: its dtype, shape, values or file are not what is needed."""


class LabelError(SambaLabError, ValueError):
    """Labels or classes are not what is needed."""


class ParameterError(SambaLabError, ValueError):
    """A value is outside what is allowed."""


class NodeNotFoundError(SambaLabError):
    """No Node.js was found that could run the sidecar."""


class SidecarError(SambaLabError):
    """The sidecar could not be started or does not answer."""


class ProtocolError(SambaLabError):
    """The two ends do not understand each other, for instance because one of them was updated."""


class SessionNotFoundError(SambaLabError):
    """The sidecar does not know the session."""


class NotReadyError(SambaLabError):
    """The session is not ready for what was asked."""


class NotTrainedError(NotReadyError):
    """There is no classifier yet."""


class CancelledError(SambaLabError):
    """The work was cancelled."""


class DiskFullError(SambaLabError):
    """There is no room for the arrays or the journal of the labels."""


class ModelError(SambaLabError):
    """A model file is missing or is not what its manifest says."""


class ComputeError(SambaLabError):
    """The compute process died, and died again when it was tried once more."""


class EngineError(SambaLabError):
    """The engine cannot run in Python: wasmtime is missing, or a thread gets no memory."""


class InternalError(SambaLabError):
    """Something in the sidecar went wrong that it did not foresee; its log says more."""


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
    "model": ModelError,
    "compute": ComputeError,
    "disconnected": SidecarError,
    "internal": InternalError,
}


def from_code(code: str, message: str) -> SambaLabError:
    """Make the error that a code of the protocol stands for; unknown codes give `InternalError`."""
    return _CLASSES.get(code, InternalError)(message)
