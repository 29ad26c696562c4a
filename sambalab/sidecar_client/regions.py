"""Regions that the sidecar suggests for labelling, as indices into the arrays of a labeller."""

from __future__ import annotations

import builtins
import warnings
from collections.abc import Callable, Iterable
from typing import Any, Literal, NamedTuple

from ..spec.errors import ParameterError
from ..spec.parameters import index, one_of, show, switch, whole
from ..spec.tables import parameter_limits
from .progress import ProgressLine


class Region(NamedTuple):
    """A square of pixels to label next.

    ``region.index`` indexes arrays of the image's shape: ``lab.labels[region.index]``.

    Attributes
    ----------
    slice
        The slice of a stack, counted from 0; None of a single image.
    rows, columns
        Rows and columns, as Python slices.
    score
        Of an uncertain region: the mean uncertainty of its pixels, 0 to 1. Of a representative region: the share of all windows
        that are like it, 0 to 1. Of an unusual region: the distance to the most similar windows, without a unit.
    reason
        ``"uncertain"``, ``"representative"`` or ``"unusual"``.
    """

    slice: int | None
    rows: builtins.slice
    columns: builtins.slice
    score: float
    reason: Literal["uncertain", "representative", "unusual"]

    @property
    def index(  # type: ignore[override]  # replaces tuple.index
        self,
    ) -> tuple[int | builtins.slice, ...]:
        """The index into arrays of the image's shape: (slice, rows, columns) of a stack, (rows, columns) of a single image."""
        return (self.rows, self.columns) if self.slice is None else (self.slice, self.rows, self.columns)


def find_regions(
    request: Callable[..., dict[str, Any]],
    shape: tuple[int, ...],
    by: Literal["uncertainty", "embedding"],
    n: int,
    *,
    measure: str = "margin",
    side: int | None = None,
    slices: int | Iterable[int] | None = None,
    progress: bool = True,
) -> list[Region]:
    """Ask the sidecar for regions, the best first.

    Parameters
    ----------
    request
        Sends a request of the session (method, params, ``on_job``) and returns its result.
    shape
        Shape of the labels: (rows, columns) or (slices, rows, columns).
    by
        ``"uncertainty"``: where the classifier is uncertain. ``"embedding"``: representative and unusual windows.
    n, measure, side, slices
        See `Labeller.most_uncertain`.
    progress
        Whether to show the progress, for a stack.

    Raises
    ------
    ParameterError
        If a parameter is out of range. The message names it, its value and the valid values.

    Warns
    -----
    UserWarning
        For each note of the sidecar, for example that SAM does not run.
    """
    known = parameter_limits("regions")
    params: dict[str, Any] = {"count": whole("n", n, known["count"]["minimum"], known["count"]["maximum"]), "by": by}
    if by == "uncertainty":
        params["measure"] = one_of("measure", measure, known["measure"]["enum"])
    if side is not None:
        params["side"] = whole("side", side, known["side"]["minimum"], known["side"]["maximum"])
    if slices is not None:
        params["slices"] = find_slices(slices, shape)
    notes: list[str] = []
    stack = len(shape) == 3
    line = ProgressLine("Looking for regions", switch("progress", progress) and stack)

    def on_job(job: dict[str, Any]) -> None:
        note = str(job.get("message") or "")
        if note and note not in notes and job.get("state") not in ("failed", "cancelled"):
            notes.append(note)
        line({**job, "message": ""})

    try:
        result = request("regions", params, on_job=on_job)
    finally:
        line.end()
    for note in notes:
        warnings.warn(note, UserWarning, stacklevel=3)
    return [
        Region(
            int(region["slice"]) if stack else None,
            builtins.slice(int(region["row0"]), int(region["row1"])),
            builtins.slice(int(region["column0"]), int(region["column1"])),
            float(region["score"]),
            region["reason"],
        )
        for region in result["regions"]
    ]


def find_slices(value: Any, shape: tuple[int, ...]) -> list[int]:
    """Give numbers of slices as a list; one number, or several. Raises ParameterError for others than the image has."""
    count = shape[0] if len(shape) == 3 else 1
    wanted = f"a whole number from 0 to {count - 1} or some of them will do"
    one = index(value)
    try:
        numbers = [one] if one is not None else [index(item) for item in value]
    except TypeError:
        raise ParameterError(f"slices is {show(value)}; {wanted}.") from None
    wrong = [number for number in numbers if number is None or not 0 <= number < count]
    if wrong or not numbers:
        raise ParameterError(f"slices is {show(value)}; {wanted}.")
    return sorted({number for number in numbers if number is not None})
