"""One ZeroMQ connection to the sidecar, for the thread that made it."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import zmq
from zmq.utils.monitor import recv_monitor_message

from ..spec.errors import ProtocolError, SidecarError, from_code
from ..version import __version__
from .sidecar import runs
from .wire import Assembler, Buffer, encode

if TYPE_CHECKING:
    from .sidecar import ConnectionInfo

HELLO_SECONDS = 20.0
CALL_SECONDS = 300.0

# A dying sidecar may still be found, and be gone when ZeroMQ connects. ZeroMQ then retries without end, and reports nothing.
_LOST = (
    zmq.EVENT_DISCONNECTED
    | zmq.EVENT_CONNECT_RETRIED
    | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_HANDSHAKE_FAILED_AUTH
)

_contexts: dict[int, zmq.Context[zmq.Socket[bytes]]] = {}


def context() -> zmq.Context[zmq.Socket[bytes]]:
    """Give this process's ZeroMQ context. A forked child has its own."""
    return _contexts.setdefault(os.getpid(), zmq.Context())


class Connection:
    """A DEALER socket after the handshake.

    Parameters
    ----------
    info
        The sidecar's address and secret.
    role
        ``"python"`` or ``"relay"``.
    timeout
        Seconds to wait for the reply to the handshake.

    Raises
    ------
    SidecarError
        If there is no reply in time.
    ProtocolError
        If the sidecar speaks another version or refuses the secret.
    """

    def __init__(self, info: ConnectionInfo, role: str, timeout: float = HELLO_SECONDS) -> None:
        self.info = info
        self.socket = context().socket(zmq.DEALER)
        self.socket.linger = 0
        # Unlimited queues: a slow sidecar must not block the thread that publishes to the browser.
        self.socket.sndhwm = 0
        self.socket.rcvhwm = 0
        if info.curve:
            self.socket.curve_publickey = info.curve.public
            self.socket.curve_secretkey = info.curve.secret
            self.socket.curve_serverkey = info.curve.server
        self.monitor = self.socket.get_monitor_socket(_LOST)
        self._assembler = Assembler()
        self._closed = False
        self._gone = False
        try:
            self.socket.connect(info.endpoint)
            params = {"role": role, "secret": info.secret, "version": __version__}
            answer, _ = self.call("hello", params, timeout=timeout)
        except BaseException:
            self.close()
            raise
        self.instance = str(answer.get("instance", ""))

    def send(self, frames: Sequence[Any]) -> None:
        """Send one list of frames; large ones are not copied."""
        self.socket.send_multipart(frames, copy=False)

    def receive(self) -> list[memoryview]:
        """Receive one list of frames; waits for it."""
        return [frame.buffer for frame in self.socket.recv_multipart(copy=False)]

    def lost(self) -> bool:
        """Say whether the sidecar closed or refused the connection."""
        while not self._gone and self.monitor.poll(0):
            self._gone = bool(recv_monitor_message(self.monitor)["event"] & _LOST)
        return self._gone

    def accept(self, frames: Sequence[Buffer]) -> tuple[dict[str, Any], list[Buffer]] | None:
        """Decode frames; None while chunks are missing."""
        return self._assembler.accept(frames)

    def call(
        self, method: str, params: dict[str, Any], buffers: Sequence[Buffer] = (), timeout: float = CALL_SECONDS
    ) -> tuple[dict[str, Any], list[Buffer]]:
        """Send a request and wait for its reply. Drops other messages that arrive meanwhile."""
        request = f"{method}-{uuid.uuid4().hex}"
        for frames in encode({"id": request, "method": method, "params": params}, buffers):
            self.send(frames)
        deadline = time.monotonic() + timeout
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                raise SidecarError(
                    f"SambaLab's sidecar (process {self.info.pid}) did not answer {method} within {timeout:g} s. "
                    f"End that process and run the cell again; its log is {self.info.log}."
                )
            if self.lost() or not runs(self.info.pid):
                raise SidecarError(f"SambaLab's sidecar (process {self.info.pid}) went away during {method}.")
            if not self.socket.poll(int(min(left, 0.2) * 1000) + 1):
                continue
            message = self.accept(self.receive())
            if message is None:
                continue
            header, received = message
            if header.get("re") != request:
                if header.get("error") and header.get("re") == "":
                    raise error_of(header["error"])
                continue
            if "error" in header:
                raise error_of(header["error"])
            return dict(header.get("result") or {}), received

    def close(self) -> None:
        """Close the sockets. May be called again."""
        if not self._closed:
            self._closed = True
            self.socket.disable_monitor()
            self.monitor.close(linger=0)
            self.socket.close(linger=0)


def error_of(error: Any) -> Exception:
    """Make the exception of a reply's ``error``."""
    if not isinstance(error, dict):
        return ProtocolError(f"The sidecar sent an error of unknown form: {error!r}")
    return from_code(str(error.get("code")), str(error.get("message")))
