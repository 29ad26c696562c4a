"""Python's own requests to the sidecar.

A thread owns the socket. After a reconnection it sends the pending requests again under their ids; the sidecar runs a request
once per id.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import queue
import socket
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import zmq

from ..spec.errors import CancelledError, ProtocolError, SambaLabError, SidecarError
from ..spec.tables import limits
from . import sessions, sidecar
from .connection import Connection, error_of
from .wire import Buffer, encode

PING_SECONDS = 15.0
SILENCE_SECONDS = 60.0
TROUBLE_SECONDS = 30.0
"""If every sidecar dies before it is ready, pending requests fail after this many seconds."""

JobListener = Callable[[dict[str, Any]], None]


class Reply(NamedTuple):
    """The result of a request and the buffers that came with it."""

    result: dict[str, Any]
    buffers: list[Buffer]


class Waker:
    """Wakes a thread that polls ZeroMQ sockets; may be called from any thread."""

    def __init__(self) -> None:
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)

    def fileno(self) -> int:
        """Give the file descriptor for a poller."""
        return self._reader.fileno()

    def wake(self) -> None:
        """Make the present or the next poll return."""
        # A full buffer wakes the poller anyway; a closed one has no poller.
        with contextlib.suppress(OSError):
            self._writer.send(b"!")

    def clear(self) -> None:
        """Forget all wakes so far."""
        with contextlib.suppress(OSError):
            while self._reader.recv(4096):
                pass

    def close(self) -> None:
        """Close both ends."""
        self._reader.close()
        self._writer.close()


def sidecars_max() -> int:
    """Give after how many sidecars that died while it was pending a request fails: it may be the cause."""
    return int(limits("messages")["sidecars"])


class _Pending:
    def __init__(self, request: str, parts: list[list[Buffer]], on_job: JobListener | None) -> None:
        self.request = request
        self.parts = parts
        self.on_job = on_job
        self.lives = 0
        self.done = threading.Event()
        self.reply: Reply | None = None
        self.error: BaseException | None = None

    def finish(self, reply: Reply | None = None, error: BaseException | None = None) -> None:
        if not self.done.is_set():
            self.reply, self.error = reply, error
            self.done.set()


class Client:
    """Sends requests and waits for their replies; may be used from several threads."""

    def __init__(self) -> None:
        self._outbox: queue.SimpleQueue[_Pending | list[list[Buffer]]] = queue.SimpleQueue()
        self._pending: dict[str, _Pending] = {}
        self._waker = Waker()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closing = False
        self.instance = ""

    def request(
        self,
        method: str,
        params: dict[str, Any],
        buffers: Sequence[Buffer] = (),
        *,
        on_job: JobListener | None = None,
        timeout: float | None = None,
    ) -> Reply:
        """Send a request and wait for its reply.

        Parameters
        ----------
        method, params, buffers
            The protocol is in ``src/shared/protocol``.
        on_job
            Called in this thread with the params of each ``job`` event of this request.
        timeout
            Seconds; None: no limit.

        Returns
        -------
        Reply

        Raises
        ------
        SambaLabError
            The sidecar's error, or `SidecarError` if there is no sidecar.
        KeyboardInterrupt
            If interrupted; the request is cancelled.
        """
        heard: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        request = f"py-{uuid.uuid4().hex}"
        parts = encode({"id": request, "method": method, "params": params}, buffers)
        pending = _Pending(request, parts, heard.put if on_job else None)
        self._start()
        self._outbox.put(pending)
        self._waker.wake()
        deadline = None if timeout is None else time.monotonic() + timeout
        try:
            # In short waits: on some systems a long wait cannot be interrupted.
            while not pending.done.wait(0.1):
                if on_job:
                    _drain(heard, on_job)
                if deadline is not None and time.monotonic() > deadline:
                    raise SidecarError(f"{method} was not answered within {timeout:g} s.")
            if on_job:
                _drain(heard, on_job)
        except BaseException:
            self._cancel(pending)
            raise
        if pending.error is not None:
            raise pending.error
        if pending.reply is None:
            raise ProtocolError(f"{method} ended without a reply.")
        return pending.reply

    def tell(self, method: str, params: dict[str, Any]) -> None:
        """Send a request without waiting for the reply, if there is a connection. Safe in finalizers."""
        if self._thread is not None and not self._closing:
            self._outbox.put(encode({"id": f"py-{uuid.uuid4().hex}", "method": method, "params": params}))
            self._waker.wake()

    def close(self) -> None:
        """End the thread and fail all pending requests."""
        self._closing = True
        self._waker.wake()
        if self._thread is not None and self._thread.is_alive():
            self._thread.join(2)

    def _cancel(self, pending: _Pending) -> None:
        pending.finish(error=CancelledError("The work was cancelled."))
        cancel = {"id": f"{pending.request}-cancel", "method": "cancel", "params": {"id": pending.request}}
        self._outbox.put(encode(cancel))
        self._waker.wake()

    def _start(self) -> None:
        with self._lock:
            if self._closing:
                raise SidecarError("SambaLab's client is closed, because this process is ending.")
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="sambalab-client", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        trouble: float | None = None
        while not self._closing:
            self._take()
            if not self._pending:
                # A sidecar that left is started again only for a request.
                self._sleep()
                continue
            try:
                info = sidecar.ensure()
            except Exception as error:
                self._fail(error)
                continue
            connection: Connection | None = None
            try:
                sessions.restore(info)
                connection = Connection(info, "python")
                for session in sessions.alive():
                    with contextlib.suppress(SambaLabError):
                        connection.call("session.attach", {"session": session})
                self.instance = connection.instance
                trouble = None
                self._serve(connection)
            except SidecarError as error:
                # The sidecar died while the sessions were restored; its socket may still accept connections for a moment. Try
                # again, for a limited time.
                trouble = trouble or time.monotonic()
                if time.monotonic() - trouble > TROUBLE_SECONDS:
                    self._fail(error)
                    trouble = None
                time.sleep(0.1)
            except Exception as error:
                self._fail(error)
            finally:
                if connection is not None:
                    connection.close()
            self._give_up_deadly()
        self._fail(SidecarError("SambaLab's client was closed."))

    def _serve(self, connection: Connection) -> None:
        """Send and receive until the sidecar goes away or is silent for too long."""
        for pending in list(self._pending.values()):
            self._transmit(connection, pending)
        poller = zmq.Poller()
        poller.register(connection.socket, zmq.POLLIN)
        poller.register(connection.monitor, zmq.POLLIN)
        poller.register(self._waker.fileno(), zmq.POLLIN)
        heard = pinged = time.monotonic()
        while not self._closing and not connection.lost():
            ready = dict(poller.poll(int(PING_SECONDS * 1000)))
            if self._waker.fileno() in ready:
                for pending in self._take(connection):
                    self._transmit(connection, pending)
            if connection.socket in ready:
                heard = time.monotonic()
                self._receive(connection)
            now = time.monotonic()
            if now - pinged > PING_SECONDS and (self._pending or sessions.alive()):
                pinged = now
                connection.send(encode({"id": "ping", "method": "ping", "params": {}})[0])
            elif not self._pending:
                heard = now
            if self._pending and now - heard > SILENCE_SECONDS:
                return
        while connection.socket.poll(0):  # replies sent before it went away
            self._receive(connection)

    def _transmit(self, connection: Connection, pending: _Pending) -> None:
        pending.lives += 1
        for frames in pending.parts:
            connection.send(frames)

    def _receive(self, connection: Connection) -> None:
        try:
            message = connection.accept(connection.receive())
        except ProtocolError:
            return  # the request is sent again after the next reconnection
        if message is None:
            return
        header, buffers = message
        if header.get("event") == "job":
            params = header.get("params")
            pending = self._pending.get(str(params.get("job"))) if isinstance(params, dict) else None
            if pending and pending.on_job and isinstance(params, dict):
                pending.on_job(params)
            return
        if header.get("event") == "session":
            state = header.get("params")
            if isinstance(state, dict) and state.get("imageReady") is False:
                sessions.repair(str(state["session"]), str(state["image"]["digest"]))
            return
        pending = self._pending.pop(str(header.get("re")), None)
        if pending is None:
            return
        if "error" in header:
            pending.finish(error=error_of(header["error"]))
        else:
            pending.finish(reply=Reply(dict(header.get("result") or {}), buffers))

    def _take(self, connection: Connection | None = None) -> list[_Pending]:
        """Take messages from other threads: requests become pending, others (cancel) are sent now or dropped."""
        self._waker.clear()
        taken = []
        with contextlib.suppress(queue.Empty):
            while True:
                item = self._outbox.get_nowait()
                if isinstance(item, _Pending):
                    self._pending[item.request] = item
                    taken.append(item)
                elif connection is not None:
                    for frames in item:
                        connection.send(frames)
        for request in [request for request, pending in self._pending.items() if pending.done.is_set()]:
            del self._pending[request]
        return taken

    def _sleep(self) -> None:
        poller = zmq.Poller()
        poller.register(self._waker.fileno(), zmq.POLLIN)
        poller.poll()

    def _fail(self, error: BaseException) -> None:
        self._take()
        for pending in self._pending.values():
            pending.finish(error=error)
        self._pending.clear()

    def _give_up_deadly(self) -> None:
        most = sidecars_max()
        for request, pending in list(self._pending.items()):
            if pending.lives >= most:
                del self._pending[request]
                reason = f"SambaLab's sidecar went away {most} times during this request."
                pending.finish(error=SidecarError(f"{reason} Its log may say why: {sidecar.runtime_dir()}"))


def _drain(heard: queue.SimpleQueue[dict[str, Any]], on_job: JobListener) -> None:
    with contextlib.suppress(queue.Empty):
        while True:
            on_job(heard.get_nowait())


_client: Client | None = None
_client_lock = threading.Lock()


def client() -> Client:
    """Give the client of this process."""
    global _client
    with _client_lock:
        if _client is None:
            _client = Client()
            atexit.register(_client.close)
        return _client


def _after_fork() -> None:
    # The child has no thread, and must not use the parent's socket.
    global _client, _client_lock
    _client = None
    _client_lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
