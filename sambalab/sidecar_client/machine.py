"""Which computer this is: two computers may share a home, and even a host's name."""

from __future__ import annotations

import contextlib
import functools
import os
import socket
import subprocess
import sys
from pathlib import Path


@functools.cache
def machine() -> str:
    """Name this start of this computer, and the container.

    Returns
    -------
    str
        As ``kernel-server/src/base/machine.ts`` does it: processes with the same name can signal each other and share memory.
    """
    boot = namespace = ""
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        if sys.platform == "darwin":
            command = ["/usr/sbin/sysctl", "-n", "kern.bootsessionuuid"]
            boot = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
        else:
            boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    with contextlib.suppress(OSError):
        namespace = os.readlink("/proc/self/ns/pid").strip()
    return " ".join(part for part in (boot, namespace) if part) if boot else socket.gethostname()
