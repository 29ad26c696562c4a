"""An extension of Jupyter Server that saves 40 ms per round trip, by TCP_NODELAY on kernel websockets.

Without it, a small message after another small one waits for the browser's delayed acknowledgement (Nagle's algorithm), and the
kernel's ``status: busy`` precedes each reply. SambaLab works without the extension, only slower.
"""

from __future__ import annotations

import functools
from typing import Any


def _load_jupyter_server_extension(app: Any) -> None:
    try:
        _set_nodelay()
    except Exception as error:
        # Only speed is lost; the user's server must not fail.
        app.log.info("SambaLab could not set TCP_NODELAY on kernel websockets: %s", error)


def _set_nodelay() -> None:
    from jupyter_server.services.kernels.websocket import KernelWebsocketHandler

    handler: Any = KernelWebsocketHandler
    opened = handler.open
    if getattr(opened, "_sambalab_nodelay", False):
        return

    @functools.wraps(opened)
    async def open_without_delay(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            self.set_nodelay(True)
        except Exception:
            self.log.debug("SambaLab could not set TCP_NODELAY on a kernel websocket.", exc_info=True)
        return await opened(self, *args, **kwargs)

    open_without_delay._sambalab_nodelay = True  # type: ignore[attr-defined]
    handler.open = open_without_delay
