"""The steps of a session that can be undone, as users see them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal


@dataclass(frozen=True)
class Step:
    """A change of labels or classes.

    Attributes
    ----------
    tool
        The tool or command that made it: ``"brush"``, ``"set_labels"``; ``"open_labels"``: a file opened in the widget.
    provenance
        What decided where labels are: ``"hand"``, ``"sam"``, ``"interpolation"`` or ``"python"``.
    at
        When it was made.
    pixels
        Number of pixels whose label it changed.
    slice, class_id
        Slice and class id (0 is unlabelled) of a change of one class in one slice, else None.
    done
        False if it was undone.
    file
        The name of the file whose labels it took, else None.
    """

    tool: str
    provenance: Literal["hand", "sam", "interpolation", "python"]
    at: datetime
    pixels: int
    slice: int | None
    class_id: int | None
    done: bool
    file: str | None = None

    def __str__(self) -> str:
        mark = " " if self.done else "undone"
        text = f"{self.at:%H:%M:%S}  {self.provenance:<13}  {self.tool:<12}  {self.pixels:>12,} px  {mark}"
        return f"{text.rstrip()}  {self.file}" if self.file else text.rstrip()


class StepList(tuple[Step, ...]):
    """Steps, the oldest first. The last line of a cell shows one step a line."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "\n".join(str(step) for step in self) or "no steps"


def steps_of(found: Sequence[dict[str, Any]], position: int) -> StepList:
    """Make the steps of the protocol's; the first `position` of them are done."""
    return StepList(
        Step(
            tool=item["tool"],
            provenance=item["provenance"],
            at=datetime.fromisoformat(item["at"].replace("Z", "+00:00")).astimezone(),
            pixels=item["pixels"],
            slice=item.get("slice"),
            class_id=item.get("class"),
            done=index < position,
            file=item.get("file"),
        )
        for index, item in enumerate(found)
    )
