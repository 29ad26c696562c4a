"""The real sidecar, in folders of its own, for each test module."""

from __future__ import annotations

import contextlib
import os
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sambalab.sidecar_client import client, sidecar

#: Training as in SAMBA, without encoder and refined probabilities: for tests where the classifier's quality does not matter.
SAMBA = {"features": "samba", "preset": "samba"}

VARIABLES = ("SAMBALAB_RUNTIME_DIR", "SAMBALAB_DATA_DIR", "SAMBALAB_ARRAYS_DIR")


def stop_sidecar() -> None:
    """End the sidecar of the present folders, and wait until it is gone."""
    with contextlib.suppress(Exception):
        info = sidecar._find()
        if info:
            kill(info.pid, signal.SIGTERM)


def kill(pid: int, how: signal.Signals = signal.SIGKILL) -> None:
    """End a process and wait until it is gone."""
    os.kill(pid, how)
    for _ in range(1000):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.02)
    raise AssertionError(f"process {pid} does not end")


@contextlib.contextmanager
def folders() -> Iterator[Path]:
    """Point Python and sidecar at fresh folders."""
    before = {name: os.environ.get(name) for name in VARIABLES}
    # A test's own folders may lie within its module's, whose sidecar is connected.
    outer, client._client = client._client, None
    # Not pytest's own folder: a socket's path may have 107 characters at most.
    with tempfile.TemporaryDirectory(prefix="sl-", ignore_cleanup_errors=True) as path:
        for name, part in zip(VARIABLES, ("run", "data", "arrays"), strict=True):
            os.environ[name] = str(Path(path) / part)
        try:
            yield Path(path)
        finally:
            if client._client is not None:
                client._client.close()
            client._client = outer
            stop_sidecar()
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value


@pytest.fixture(scope="module")
def sidecar_dirs() -> Iterator[Path]:
    """Folders for the sidecar of a module's tests."""
    with folders() as path:
        yield path


@pytest.fixture
def own_dirs() -> Iterator[Path]:
    """Folders for one test alone."""
    with folders() as path:
        yield path
