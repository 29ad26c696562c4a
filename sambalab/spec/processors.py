"""How many processors this process may use."""

from __future__ import annotations

import os

_MOST = 16


def processors() -> int:
    """Give the number of cores that this process may use, at most 16."""
    affinity = getattr(os, "sched_getaffinity", None)
    return min(_MOST, len(affinity(0)) if affinity else os.cpu_count() or 1)
