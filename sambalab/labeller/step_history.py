"""`StepHistory`: undo and redo."""

from __future__ import annotations

from typing import Literal

from ..sidecar_client.steps import StepList, steps_of
from ..spec.errors import LabelError, ParameterError
from ..spec.parameters import index, show
from .class_edits import ClassEdits


class StepHistory(ClassEdits):
    """A base of `Labeller`: the steps that can be undone, whoever made them."""

    @property
    def history(self) -> StepList:
        """The steps that can be undone or made again, the oldest first: strokes, suggestions, and changes from Python."""
        found = self._request("history.list")
        return steps_of(found["steps"], found["position"])

    def undo(self, steps: int = 1) -> None:
        """Undo the last steps of the session, in the widget or from Python.

        Parameters
        ----------
        steps
            How many.

        Raises
        ------
        LabelError
            If there are fewer steps, which the message counts. Then nothing is undone.
        ParameterError
            If `steps` is not a whole number from 1.
        """
        self._move("undo", steps)

    def redo(self, steps: int = 1) -> None:
        """Make steps again that were undone.

        Parameters
        ----------
        steps
            How many.

        Raises
        ------
        LabelError
            If fewer steps were undone since the last change, which the message counts. Then nothing is made again.
        ParameterError
            If `steps` is not a whole number from 1.
        """
        self._move("redo", steps)

    def _move(self, way: Literal["undo", "redo"], steps: int) -> None:
        method, verb = f"history.{way}", {"undo": "undo", "redo": "make again"}[way]
        count = index(steps)
        if count is None or count < 1:
            raise ParameterError(f"steps is {show(steps)}; a whole number from 1 will do.")
        there = sum(step.done == (way == "undo") for step in self.history) if count > 1 else 0
        if count > there > 0:
            have = f"there are {there:,} steps" if there > 1 else "there is 1 step"
            call = f"lab.{way}({there})" if there > 1 else f"lab.{way}()"
            raise LabelError(f"steps is {show(steps)}; {have} to {verb}. Nothing was changed; {call} will do.")
        for done in range(count):
            try:
                self._request(method)
            except ParameterError as error:  # there is no step, or another user was faster
                self._refresh()
                some = f" {done:,} of {count:,} steps were taken before that." if done else ""
                raise LabelError(str(error).removeprefix(f"{method}: ") + some) from None
        self._refresh()
