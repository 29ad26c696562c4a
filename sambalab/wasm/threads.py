"""Work on threads of this process. wasmtime releases Python's lock while a kernel runs."""

from __future__ import annotations

import queue
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from typing import TypeVar

import numpy as np

from ..spec.errors import ParameterError
from ..spec.processors import processors

_THREADS_MAX = 256
_WAIT_SECONDS = 0.1

T = TypeVar("T")


def thread_count(threads: int | None) -> int:
    """Check the number of threads. None: one for each core that this process may use, at most 16."""
    if threads is None:
        return processors()
    if isinstance(threads, bool) or not isinstance(threads, (int, np.integer)) or not 1 <= threads <= _THREADS_MAX:
        raise ParameterError(f"threads is {threads!r}; a whole number from 1 to {_THREADS_MAX}, or None, will do.")
    return int(threads)


def _failed(future: Future[None]) -> bool:
    return future.done() and future.exception() is not None


def on_threads(items: Sequence[T], threads: int, make: Callable[[], Callable[[T], None]]) -> None:
    """Process items on threads. Each thread calls `make` for its own worker function. The first error stops all threads."""
    threads = min(threads, len(items))
    if threads <= 1:
        work = make()
        for item in items:
            work(item)
        return
    todo: queue.SimpleQueue[T] = queue.SimpleQueue()
    for item in items:
        todo.put(item)
    ended = False

    def run() -> None:
        work = make()
        while not ended:
            try:
                item = todo.get_nowait()
            except queue.Empty:
                return
            work(item)

    with ThreadPoolExecutor(threads, thread_name_prefix="sambalab-engine") as pool:
        try:
            futures = [pool.submit(run) for _ in range(threads)]
            # In short waits: on some systems an endless wait cannot be interrupted.
            while wait(futures, _WAIT_SECONDS, FIRST_EXCEPTION).not_done and not any(map(_failed, futures)):
                pass
            for future in futures:
                if future.done():
                    future.result()
        finally:
            ended = True
