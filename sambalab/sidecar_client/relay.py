"""The relay between a browser and the sidecar: a comm that stays live while a cell runs.

The browser opens the comm, on a subshell if the kernel has subshells. ipykernel sends the browser's messages to the shell that
last published on the comm. So one thread does all publishing, in the context of the open; a second thread could not enter that
context. This thread owns the socket to the sidecar, too. It passes frames on in both directions without reading them, but for
the few requests that the kernel answers itself (`kernel_requests`).
"""

from __future__ import annotations

import collections
import contextlib
import contextvars
import logging
import sys
import threading
import time
import uuid
from typing import Any

import zmq

from ..spec.errors import NodeNotFoundError
from . import sessions, sidecar
from .client import Waker
from .connection import Connection
from .kernel_requests import KernelRequests
from .wire import encode

log = logging.getLogger("sambalab")

TARGET = "sambalab"
PING_SECONDS = 10.0
SILENCE_SECONDS = 60.0
RETRY_SECONDS = (0.0, 0.5, 2.0, 5.0)
"""Pauses before the attempts to find the sidecar again."""

ATTACH = b'"method":"session.attach"'
"""The browser sends this first when it wants a sidecar that was shut down again."""

SWITCH_SECONDS = 0.001
"""Python's switch interval while a relay is open. A message passes four threads of the kernel. Beside a cell that computes in
Python each of them waits for one interval, 5 ms by default. The cell does not get slower (measured)."""

_relays: set[Relay] = set()
_usual_switch: float | None = None
_lock = threading.Lock()


class Relay:
    """The kernel's side of a comm that a browser opened.

    Parameters
    ----------
    comm
        The comm; its ``handle_msg`` is replaced.
    """

    def __init__(self, comm: Any) -> None:
        self._context = contextvars.copy_context()
        self._comm = comm
        self._inbox: collections.deque[list[Any]] = collections.deque()
        self._outbox: collections.deque[list[Any]] = collections.deque()
        self._waker = Waker()
        self._own = KernelRequests(self._answer)
        self._closed = False
        self._down = False
        # Not on_msg: it fires pre_execute and post_execute for each message, and on these matplotlib's inline backend shows the
        # unfinished figures of the running cell.
        comm.handle_msg = self._take
        comm.on_close(self._on_close)
        _add(self)
        self._thread = threading.Thread(target=self._run, name="sambalab-relay", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the relay. The comm stays open."""
        self._closed = True
        self._waker.wake()

    def _take(self, message: dict[str, Any]) -> None:
        # This is the kernel's thread, so only queue the message.
        self._inbox.append(message.get("buffers") or [])
        self._waker.wake()

    def _answer(self, frames: list[Any]) -> None:
        self._outbox.append(frames)
        self._waker.wake()

    def _on_close(self, _: Any) -> None:
        self.close()

    def _run(self) -> None:
        try:
            while not self._closed:
                connection = self._connect()
                if connection is None:
                    self._wait_for_message()
                    continue
                try:
                    if self._down:
                        self._down = False
                        self._tell("connected", "The sidecar is back.")
                    self._forward(connection)
                finally:
                    self._leave(connection)
                if sidecar.was_shut_down(connection.info.instance):
                    self._say_down("stopped", "The sidecar was shut down.")
                    self._wait_for_attach()
                else:
                    self._say_down("lost", "The sidecar stopped; it is being restarted.")
        except Exception:
            log.exception("The relay to the browser failed.")
            self._say_down("failed", "The relay in the kernel failed; its log says why. Run the cell again.")
        finally:
            _discard(self)
            self._waker.close()

    def _leave(self, connection: Connection) -> None:
        """Close a connection. If the page is gone, say so: the sidecar would work for it until it finds out."""
        if self._closed:
            with contextlib.suppress(Exception):
                connection.call("leave", {}, timeout=1)
        connection.close()

    def _connect(self) -> Connection | None:
        """Find the sidecar and restore the sessions. None if this fails, after telling the browser."""
        problem: Exception | None = None
        for pause in RETRY_SECONDS:
            deadline = time.monotonic() + pause
            while time.monotonic() < deadline and not self._closed:
                time.sleep(0.05)
            if self._closed:
                return None
            try:
                info = sidecar.ensure()
                sessions.restore(info)
                return Connection(info, "relay")
            except Exception as error:
                problem = error
            if isinstance(problem, NodeNotFoundError):
                break
        self._say_down("failed", str(problem))
        return None

    def _wait_for_message(self) -> None:
        """Sleep until the browser sends a message, the reason for another attempt."""
        while not self._inbox and not self._closed:
            self._poll_waker()

    def _wait_for_attach(self) -> None:
        """Sleep until the browser attaches. Drop what it sent before it heard of the shutdown; it sends that again later."""
        while not self._closed:
            self._wait_for_message()
            while self._inbox:
                if any(ATTACH in bytes(frame[:256]) for frame in self._inbox[0][:1]):
                    return
                self._inbox.popleft()

    def _poll_waker(self) -> None:
        poller = zmq.Poller()
        poller.register(self._waker.fileno(), zmq.POLLIN)
        poller.poll(1000)
        self._waker.clear()

    def _say_down(self, state: str, message: str) -> None:
        # The browser sends unanswered requests again once it hears that the sidecar is back.
        self._down = True
        self._inbox.clear()
        self._tell(state, message)

    def _forward(self, connection: Connection) -> None:
        """Pass frames on in both directions until the sidecar goes away or the comm closes."""
        poller = zmq.Poller()
        poller.register(connection.socket, zmq.POLLIN)
        poller.register(connection.monitor, zmq.POLLIN)
        poller.register(self._waker.fileno(), zmq.POLLIN)
        ping = f"relay-{uuid.uuid4().hex}"
        mark = ping.encode()
        heard = pinged = time.monotonic()
        while not self._closed and not connection.lost():
            ready = dict(poller.poll(int(PING_SECONDS * 1000)))
            now = time.monotonic()
            if self._waker.fileno() in ready:
                self._waker.clear()
            while self._inbox:
                frames = self._inbox.popleft()
                if frames and not self._own.take(frames):
                    connection.send(frames)
            while self._outbox:
                self._publish(self._outbox.popleft())
            if connection.socket in ready:
                heard = now
                received = connection.receive()
                # The reply to the relay's own ping stays here: published, it would look like activity of the kernel.
                if not (len(received) == 1 and len(received[0]) < 256 and mark in bytes(received[0])):
                    self._publish(received)
            if now - pinged >= PING_SECONDS:
                pinged = now
                connection.send(encode({"id": ping, "method": "ping", "params": {}})[0])
            if now - heard > SILENCE_SECONDS:
                return

    def _tell(self, state: str, message: str) -> None:
        self._publish(encode({"event": "relay", "params": {"state": state, "message": message}})[0])

    def _publish(self, frames: list[Any]) -> None:
        if self._closed:
            return
        try:
            self._context.run(self._comm.send, {}, None, frames)
        except Exception:
            log.exception("A message to the browser could not be published.")


def _add(relay: Relay) -> None:
    global _usual_switch
    with _lock:
        _relays.add(relay)
        if _usual_switch is None and sys.getswitchinterval() > SWITCH_SECONDS:
            _usual_switch = sys.getswitchinterval()
            sys.setswitchinterval(SWITCH_SECONDS)


def _discard(relay: Relay) -> None:
    global _usual_switch
    with _lock:
        _relays.discard(relay)
        if not _relays and _usual_switch is not None:
            sys.setswitchinterval(_usual_switch)
            _usual_switch = None


def _open(comm: Any, _: dict[str, Any]) -> None:
    Relay(comm)


def register() -> bool:
    """Accept the browser's comms, if this process is a kernel with comms.

    Returns
    -------
    bool
        Whether this process is such a kernel.
    """
    # A kernel has imported IPython already.
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is None or getattr(shell, "kernel", None) is None:
        return False
    with contextlib.suppress(ImportError):
        from comm import get_comm_manager

        get_comm_manager().register_target(TARGET, _open)
        return True
    return False
