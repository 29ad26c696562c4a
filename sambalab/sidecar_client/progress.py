"""A line of text with the progress of a long job."""

from __future__ import annotations

import sys
import time
from typing import Any

_BAR = 24
_PERIOD = 0.1


class ProgressLine:
    """Shows ``job`` events: rewrites one line in notebooks and terminals; elsewhere prints each stage once.

    Parameters
    ----------
    what
        The name of the job, for example ``"Training"``.
    enabled
        False prints nothing.
    """

    def __init__(self, what: str, enabled: bool = True) -> None:
        self._what = what
        self._enabled = enabled
        in_kernel = "ipykernel" in type(sys.stdout).__module__
        # Notebooks show stderr as an error; a script's stdout may be a pipe.
        self._file = sys.stdout if in_kernel else sys.stderr
        self._rewrites = in_kernel or self._file.isatty()
        self._stage = ""
        self._width = 0
        self._next = 0.0

    def __call__(self, job: dict[str, Any]) -> None:
        """Show the params of an event."""
        stage, done, total = str(job.get("stage", "")), float(job.get("done", 0)), float(job.get("total", 0))
        if job.get("state") in ("failed", "cancelled"):
            return  # the exception says it
        if stage == "encoding one window":  # the bar says how far it is
            stage = "SAM looks at the image"
        elif stage == "encoding":  # each window takes seconds on a CPU: say which one it is
            stage = "SAM looks at the image" + (
                f", window {min(int(done) + 1, int(total))} of {int(total)}" if total > 1 else ""
            )
        if job.get("message"):
            self._print(str(job["message"]), keep=True)
        if not self._rewrites:
            if stage and stage != self._stage:
                self._print(f"{self._what}: {stage}", keep=True)
        elif time.monotonic() >= self._next or stage != self._stage:
            self._next = time.monotonic() + _PERIOD
            part = min(max(done / total, 0.0), 1.0) if total > 0 else 0.0
            filled = round(part * _BAR)
            self._print(f"{self._what} [{'█' * filled}{'·' * (_BAR - filled)}] {stage}")
        self._stage = stage

    def finish(self, text: str) -> None:
        """Replace the line by a final text."""
        self._print(text, keep=True)

    def end(self) -> None:
        """End the line without a final text, because an exception follows."""
        if self._width:
            self._width = 0
            print(file=self._file, flush=True)

    def _print(self, text: str, keep: bool = False) -> None:
        if not self._enabled:
            return
        start = "\r" if self._rewrites else ""
        padding = " " * max(0, self._width - len(text)) if self._rewrites else ""
        self._width = 0 if keep else len(text)
        print(f"{start}{text}{padding}", end="\n" if keep else "", file=self._file, flush=True)
