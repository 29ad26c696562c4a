"""`StepHistory`: undo and redo."""

from __future__ import annotations

from ..sidecar_client.steps import StepList, steps_of
from ..spec.errors import LabelError, ParameterError
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
            If there are not so many; those that there are have been undone.
        """
        self._move("history.undo", steps)

    def redo(self, steps: int = 1) -> None:
        """Make steps again that were undone.

        Parameters
        ----------
        steps
            How many.

        Raises
        ------
        LabelError
            If not so many were undone since the last change; those that were are made again.
        """
        self._move("history.redo", steps)

    def _move(self, method: str, steps: int) -> None:
        if isinstance(steps, bool) or not isinstance(steps, int) or steps < 1:
            raise ParameterError(f"steps is {steps!r}; a whole number from 1 will do.")
        for _ in range(steps):
            try:
                self._request(method)
            except ParameterError as error:
                raise LabelError(str(error).removeprefix(f"{method}: ")) from None
        self._refresh()
