"""`WorkRegion`: the part of the image that is worked on."""

from __future__ import annotations

from typing import Any

from ..spec.errors import ParameterError
from ..spec.parameters import index, show
from .results import Results

Slices = tuple[slice, ...]


class WorkRegion(Results):
    """A base of `Labeller`: its region."""

    @property
    def region(self) -> Slices | None:
        """The part of the image that is worked on, or None: all of it. ``lab.region = np.s_[100:400, 50:300]`` sets it.

        Two slices, rows and columns; of a stack three: slices, rows and columns. Two keep all slices of a stack. So
        ``lab.image[lab.region]`` and ``lab.labels[lab.region]`` are its pixels.

        Training learns the labels in the region only, and only its pixels are segmented: `segmentation`,
        `probabilities`, `uncertainty` and `features` keep their shape and are 0 outside. Features near the border are
        those of the whole image, but SAM sees the region alone, as an image of its own: `embedding`, `suggest` and
        SAM's features are those of ``image[lab.region]``. Labels outside stay as they are, can be changed, and are
        not used. The results of a larger region stay in a smaller one. The region is kept with the session, and is no
        step of `undo`.

        Raises
        ------
        ParameterError
            If the image does not have it, or it is empty.
        """
        return self._slices_of(self._refresh()["region"])

    @region.setter
    def region(self, region: Slices | None) -> None:
        self._refresh()  # joins the session
        self._accept(self._request("session.region", {"region": self._region_of(region)}))

    def _slices_of(self, region: dict[str, int] | None) -> Slices | None:
        if region is None:
            return None
        axes = ("slice", "row", "column") if self._stack else ("row", "column")
        return tuple(slice(region[f"{axis}0"], region[f"{axis}1"]) for axis in axes)

    def _region_of(self, region: Any) -> dict[str, int] | None:
        if region is None:
            return None
        example = "np.s_[100:400, 50:300]"
        number = len(region) if isinstance(region, tuple) else 0
        if number not in ((2, 3) if self._stack else (2,)):
            more = ", or with a range of slices before them" if self._stack else ""
            raise ParameterError(
                f"region is {show(region)}; a range of rows and one of columns will do, {example}{more}; None is all."
            )
        slices, rows, columns, _ = self._open_params["image"]["shape"]
        axes = [("slice", slices), ("row", rows), ("column", columns)]
        given = region if number == 3 else (slice(None), *region)
        out: dict[str, int] = {}
        for (axis, size), part in zip(axes, given, strict=True):
            out[f"{axis}0"], out[f"{axis}1"] = _ends(axis, part, size)
        return out


def _ends(axis: str, part: Any, size: int) -> tuple[int, int]:
    """First and end of a range along an axis; negative numbers count from its end, as in NumPy."""
    only = index(part)
    if only is not None:
        part = slice(only, only + 1 or None)
    if isinstance(part, slice) and part.step in (None, 1):
        first, end = (
            default if given is None else index(given) for given, default in ((part.start, 0), (part.stop, size))
        )
        if first is not None and end is not None:
            first, end = first + size * (first < 0), end + size * (end < 0)
            if 0 <= first < end <= size:
                return first, end
    raise ParameterError(
        f"The region's {axis}s are {show(part)}; a range first:end of some of the {size:,} {axis}s from 0 to {size:,} will do."
    )
