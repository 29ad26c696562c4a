"""Requests of the browser that the kernel answers itself, because they need Python: files, their formats, and images.

They come over the relay's comm like all others, under methods that begin with `PREFIX` (``src/shared/protocol/kernel.ts``). Each
runs on a thread of its own, so that neither the running cell nor the relay waits. The part of the package that answers a method
registers a handler for it.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

from ..spec.errors import ParameterError, ProtocolError, SambaLabError, SessionNotFoundError, code_of
from . import sessions
from .wire import Assembler, Buffer, encode

log = logging.getLogger("sambalab")

PREFIX = "kernel."
_MARK = f'"method":"{PREFIX}'.encode()
_HEAD_MAX = 64 << 10
_KEPT_MAX = 64

Frames = list[Buffer]
Handler = Callable[[Any, dict[str, Any], Sequence[Buffer]], dict[str, Any]]

_handlers: dict[str, Handler] = {}


def answers(method: str) -> Callable[[Handler], Handler]:
    """Register a function as the handler of a method.

    It gets the labeller of the session, the params and the buffers, and returns the result. It runs on a thread of its own,
    beside the user's code and other handlers.
    """

    def register(handler: Handler) -> Handler:
        _handlers[method] = handler
        return handler

    return register


class KernelRequests:
    """Answers the kernel's own requests of one browser.

    Parameters
    ----------
    reply
        Sends frames to the browser; may be called from any thread.
    """

    def __init__(self, reply: Callable[[Frames], None]) -> None:
        self._reply = reply
        self._lock = threading.Lock()
        self._replies: OrderedDict[str, list[Frames] | None] = OrderedDict()
        """The last requests by their ids, with None while they run: a browser sends a request again until it is answered."""

    def take(self, frames: Sequence[Buffer]) -> bool:
        """Take a message of the browser if it is for the kernel.

        Returns
        -------
        bool
            Whether it is; the sidecar gets all others. A message in chunks is never for the kernel.
        """
        head = frames[0]
        if len(head) > _HEAD_MAX or _MARK not in bytes(head):
            return False
        try:
            header, buffers = Assembler().accept(frames) or ({}, [])
        except ProtocolError:
            return False
        method, request = header.get("method"), str(header.get("id"))
        if not isinstance(method, str) or not method.startswith(PREFIX):
            return False
        with self._lock:
            known = request in self._replies
            again = self._replies.setdefault(request, None) or []
            for _ in range(len(self._replies) - _KEPT_MAX):
                self._replies.popitem(last=False)
        if known:
            for part in again:
                self._reply(part)
        else:
            # A daemon: a kernel that is shut down does not wait for it, and files are written whole or not at all.
            work = (request, method, header.get("params"), buffers)
            threading.Thread(target=self._run, args=work, name="sambalab-kernel-request", daemon=True).start()
        return True

    def _run(self, request: str, method: str, params: Any, buffers: Sequence[Buffer]) -> None:
        header: dict[str, Any]
        try:
            header = {"re": request, "result": _answer(method, params, buffers)}
        except Exception as error:
            code = code_of(error)
            if not isinstance(error, SambaLabError):
                log.warning("%s failed.", method, exc_info=True)
            text = str(error) if isinstance(error, SambaLabError) else f"{type(error).__name__}: {error}"
            header = {"re": request, "error": {"code": code, "message": text[:4000]}}
        parts = encode(header)
        with self._lock:
            if request in self._replies:
                self._replies[request] = parts
        for part in parts:
            self._reply(part)


def _answer(method: str, params: Any, buffers: Sequence[Buffer]) -> dict[str, Any]:
    handler = _handlers.get(method)
    if handler is None or not isinstance(params, dict):
        raise ParameterError(f"The kernel knows no request {method!r}; {', '.join(_handlers)} will do.")
    owner = sessions.owner(str(params.get("session")))
    if owner is None:
        raise SessionNotFoundError("No variable of the kernel holds this labeller any more. Run its cell again.")
    return handler(owner, params, buffers)
