"""`Interpolation`: labels of the slices between labelled ones."""

from __future__ import annotations

from ..spec.errors import LabelError, ParameterError
from .step_history import StepHistory


class Interpolation(StepHistory):
    """A base of `Labeller`: fills slices of a stack from their labelled neighbours."""

    def interpolate(self, slices: range | None = None) -> list[int]:
        """Fill the slices without labels between labelled ones, by the shapes of the classes that both have.

        The signed distances to an outline in both slices are mixed in proportion to the slice's place (Raya and Udupa, IEEE
        Transactions on Medical Imaging 9, 32-42, 1990). Where the mixture for all labels together is positive, a pixel gets the
        class of the highest mixture. A class that only one of the two slices has is left out. Labelled slices stay as they
        are. One step of `undo` takes it back.

        Parameters
        ----------
        slices
            The slices that count, ``range(first, last + 1)``; None is the whole stack.

        Returns
        -------
        list of int
            The slices that were filled.

        Raises
        ------
        LabelError
            If no slice without labels lies between two labelled ones.
        ParameterError
            If `slices` is not a range of slices that the stack has.
        """
        params = {}
        if slices is not None:
            if not isinstance(slices, range) or slices.step != 1 or len(slices) == 0 or slices[0] < 0:
                raise ParameterError(
                    f"slices is {slices!r}; range(first, last + 1) will do, with slices counted from 0."
                )
            stack = int(self._refresh()["image"]["shape"][0])
            if slices[-1] >= stack:
                raise ParameterError(f"slices is {slices!r}; the stack has {stack:,} slices, counted from 0.")
            params = {"from": slices[0], "to": slices[-1]}
        try:
            found = self._request("labels.interpolate", params)
        except ParameterError as error:
            raise LabelError(str(error).removeprefix("labels.interpolate: ")) from None
        self._refresh()
        return [int(number) for number in found["slices"]]
