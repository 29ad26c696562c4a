"""Find the sidecar, or start it.

One sidecar serves all kernels of a user on a computer. It writes its address and a secret into a connection file that only the
owner can read. A process that finds no sidecar that listens starts one, under a lock.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..spec.errors import SidecarError
from .machine import machine
from .model_folders import model_environment
from .node import find_node
from .private_folder import open_private, private_folder
from .wire import PROTOCOL_VERSION

START_SECONDS = 60.0
LOG_TAIL_LINES = 12

RUNTIME_VARIABLE = "SAMBALAB_RUNTIME_DIR"
SHUTDOWN_FILE = f"sidecar-{PROTOCOL_VERSION}.shutdown"
"""Names the sidecar that the user shut down last."""

OPTIONS = {
    "--arrays-dir": "SAMBALAB_ARRAYS_DIR",
    "--idle-timeout": "SAMBALAB_IDLE_TIMEOUT",
    "--peer-silence": "SAMBALAB_PEER_SILENCE",
}
"""The sidecar's options that an environment variable sets."""

SERVER = Path(__file__).parent.parent / "server" / "main.cjs"


@dataclass(frozen=True)
class CurveKeys:
    """The keys of a CURVE connection, in Z85."""

    server: bytes
    public: bytes
    secret: bytes


@dataclass(frozen=True)
class ConnectionInfo:
    """The address and the secret of a sidecar."""

    endpoint: str
    secret: str
    pid: int
    instance: str
    curve: CurveKeys | None
    log: Path


def runtime_dir() -> Path:
    """Give the folder of the connection file: ``SAMBALAB_RUNTIME_DIR``, or ``sambalab`` in Jupyter's runtime directory."""
    named = os.environ.get(RUNTIME_VARIABLE)
    if named:
        return Path(named).absolute()
    from jupyter_core.paths import jupyter_runtime_dir

    return Path(jupyter_runtime_dir()).absolute() / "sambalab"


def data_dir() -> Path:
    """Give the folder of labels and classifiers: ``SAMBALAB_DATA_DIR``, or ``sambalab`` in Jupyter's data directory."""
    named = os.environ.get("SAMBALAB_DATA_DIR")
    if named:
        return Path(named).absolute()
    from jupyter_core.paths import jupyter_data_dir

    return Path(jupyter_data_dir()).absolute() / "sambalab"


def connection_file() -> Path:
    """Give the path of the connection file of this version of the protocol."""
    return runtime_dir() / f"sidecar-{PROTOCOL_VERSION}.json"


def note_shutdown(instance: str) -> None:
    """Write down that the user shuts this sidecar down, for `was_shut_down` in all processes."""
    path = private_folder(runtime_dir(), RUNTIME_VARIABLE) / SHUTDOWN_FILE
    with os.fdopen(open_private(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), "w") as file:
        file.write(instance)


def was_shut_down(instance: str) -> bool:
    """Say whether the user shut this sidecar down. Then no relay starts another before a browser asks for one."""
    try:
        with os.fdopen(open_private(runtime_dir() / SHUTDOWN_FILE, os.O_RDONLY)) as file:
            return file.read(256) == instance
    except (OSError, SidecarError, UnicodeDecodeError):
        return False


def ensure() -> ConnectionInfo:
    """Find a sidecar that listens, or start one.

    Returns
    -------
    ConnectionInfo
        The sidecar may still refuse the handshake.

    Raises
    ------
    NodeNotFoundError
        If it must be started and there is no Node.js.
    SidecarError
        If it does not start. The message ends with the last lines of its log.
    """
    found = _find()
    if found:
        return found
    folder = private_folder(runtime_dir(), RUNTIME_VARIABLE)
    with _locked(folder / f"sidecar-{PROTOCOL_VERSION}.lock"):
        return _find() or _start(folder)


def _find() -> ConnectionInfo | None:
    """Read the connection file. None if there is none, or no sidecar listens at its address."""
    path = connection_file()
    if not path.parent.is_dir():
        return None
    private_folder(path.parent, RUNTIME_VARIABLE)
    try:
        descriptor = open_private(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SidecarError(f"The connection file {path} cannot be read: {error}. Remove it.") from error
    with os.fdopen(descriptor, "rb") as file:
        mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
        if sys.platform != "win32" and mode & 0o077:
            raise SidecarError(
                f"The connection file {path} has mode {mode:04o}, so others may know its secret; 0600 would do. Remove it."
            )
        content = file.read(1 << 16)
    info = _parse(content)
    # The next sidecar replaces an invalid file, and the file of a dead sidecar. Another computer's replaces it only once that
    # one has freed the data directory.
    return info if info and runs(info.pid) and _listens(info.endpoint) else None


def _parse(content: bytes) -> ConnectionInfo | None:
    try:
        data: Any = json.loads(content)
        if data["protocol"] != PROTOCOL_VERSION or data.get("machine", machine()) != machine():
            return None
        curve = data.get("curve")
        return ConnectionInfo(
            endpoint=str(data["endpoint"]),
            secret=str(data["secret"]),
            pid=int(data["pid"]),
            instance=str(data["instance"]),
            curve=CurveKeys(*(str(curve[key]).encode() for key in ("serverKey", "publicKey", "secretKey")))
            if curve
            else None,
            log=_log_file(),
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _log_file() -> Path:
    return runtime_dir() / f"sidecar-{PROTOCOL_VERSION}.log"


def runs(pid: int) -> bool:
    """Say whether this user has a process with that id."""
    if pid <= 0:
        return False
    if sys.platform == "win32":  # there, signal 0 would end the process; probing the socket must do
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return False  # another user's process: the id was reused
    return True


def _listens(endpoint: str) -> bool:
    """Say whether the endpoint accepts connections. ZeroMQ itself would wait silently."""
    scheme, _, rest = endpoint.partition("://")
    try:
        if scheme == "ipc":
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
                probe.settimeout(5)
                probe.connect(rest)
            return True
        if scheme == "tcp":
            host, _, port = rest.rpartition(":")
            with socket.create_connection((host, int(port)), timeout=5):
                return True
    except (OSError, ValueError):
        return False
    return False


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a lock between processes. It is released when its process ends."""
    deadline = time.monotonic() + 2 * START_SECONDS
    try:
        descriptor = open_private(path, os.O_RDWR | os.O_CREAT)
    except OSError as error:
        raise SidecarError(f"The lock {path} cannot be opened: {error}. Remove it.") from error
    with os.fdopen(descriptor, "r+b") as file:
        while not _try_lock(file.fileno()):
            if time.monotonic() > deadline:
                raise SidecarError(
                    f"Another process has held {path} for {2 * START_SECONDS:g} s. End it, or try again."
                )
            time.sleep(0.05)
        yield  # closing the file releases the lock


if sys.platform == "win32":
    import msvcrt

    def _try_lock(descriptor: int) -> bool:
        try:
            os.lseek(descriptor, 0, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
else:
    import fcntl

    def _try_lock(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True


def _start(folder: Path) -> ConnectionInfo:
    node = find_node()
    if not SERVER.is_file():
        raise SidecarError(f"{SERVER} is missing. In a source checkout, build it with: npm run build")
    # An existing file is stale, invalid or another computer's: none of them is mistaken for the new sidecar's.
    # --expose-gc: worker threads must start garbage collection themselves, or the memory that they share is not freed.
    command = [node, "--expose-gc", str(SERVER), "--runtime-dir", str(folder), "--data-dir", str(data_dir())]
    for option, variable in OPTIONS.items():
        if os.environ.get(variable):
            command += [option, os.environ[variable]]
    log = _log_file()
    flags = 0
    if sys.platform == "win32":
        flags = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.DETACHED_PROCESS
    try:
        if log.exists():
            log.replace(log.with_suffix(".old.log"))
        with os.fdopen(open_private(log, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND), "ab") as output:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env=model_environment(),
                close_fds=True,
                # A separate process session: Ctrl-C and the kernel's end must not reach the sidecar.
                start_new_session=True,
                creationflags=flags,
            )
    except OSError as error:
        raise SidecarError(f"SambaLab's sidecar could not be started with {node}: {error}") from error
    # A thread waits for the child; otherwise its process id would stay in use while this kernel lives.
    threading.Thread(target=process.wait, name="sambalab-reaper", daemon=True).start()
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        found = _find()
        if found:
            return found
        if process.poll() is not None:
            raise SidecarError(
                f"SambaLab's sidecar ended at its start with status {process.returncode}.{_log_tail(log)}"
            )
        time.sleep(0.02)
    process.kill()
    raise SidecarError(f"SambaLab's sidecar was not ready after {START_SECONDS:g} s.{_log_tail(log)}")


def _log_tail(log: Path) -> str:
    try:
        lines = log.read_text(errors="replace").rstrip().splitlines()[-LOG_TAIL_LINES:]
    except OSError:
        lines = []
    if lines:
        return f" The end of its log, {log}:\n" + "\n".join(lines)
    return _full(log) or f" Its log, {log}, is empty."


def _full(log: Path) -> str:
    """Say that a full disk is why the log is empty; an empty text if it is not."""
    try:
        with log.open("a") as file:
            file.write("SambaLab\n")
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return (
                f" The disk is full: there is no room in {log.parent}, not even for its log. Free some; or set"
                f" {RUNTIME_VARIABLE} and SAMBALAB_DATA_DIR to folders on a disk with room."
            )
    return ""
