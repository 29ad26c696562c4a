"""Phase fractions with intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .scores import Shares, interval_text, table_html, table_text

#: With fewer independent areas than this, an interval is rough, and the text says so.
_FEW_AREAS = 10


@dataclass(frozen=True, eq=False)
class PhaseFractions:
    """Phase fractions of one or more images, with intervals of the material's fractions. A cell's last line shows a table.

    Attributes
    ----------
    classes
        Names of the classes.
    class_ids
        Ids, the values in segmentations.
    fractions
        float64 (classes,): shares of all segmented pixels, or of the area if the images' pixels differ in size.
    intervals
        float64 (classes, 2): ends of the 95 % intervals. NaN if nothing can be said: the images have none of the phase, or
        nothing else. 0 and 1 if the phase's regions are larger than the images.
    field_errors
        float64 (classes,): standard errors because the images show only a part of the material. NaN as above, and with an
        interval of 0 to 1.
    classification_errors
        float64 (classes,): standard errors of the classification, from the probabilities; NaN without probabilities.
    independent_areas
        float64 (classes,): the number of independent areas that the images are worth: below about 10, intervals are rough.
    by_image
        float64 (images, classes): the fractions in each image; NaN in an image without segmented pixels.
    pixels
        int64 (images,): segmented pixels of each image.
    """

    classes: tuple[str, ...]
    class_ids: tuple[int, ...]
    fractions: Shares
    intervals: Shares
    field_errors: Shares
    classification_errors: Shares
    independent_areas: Shares
    by_image: Shares
    pixels: npt.NDArray[np.int64]

    def __repr__(self) -> str:
        return "\n".join([table_text(_HEADER, self._rows()), *self._remarks()])

    def _repr_html_(self) -> str:
        return table_html(_HEADER, self._rows(), self._remarks())

    def _rows(self) -> list[list[str]]:
        return [
            [
                name,
                _percent(self.fractions[i]),
                interval_text(self.intervals[i]),
                _percent(self.field_errors[i]),
                _percent(self.classification_errors[i]),
                "–" if np.isnan(self.independent_areas[i]) else f"{self.independent_areas[i]:,.0f}",
            ]
            for i, name in enumerate(self.classes)
        ]

    def _remarks(self) -> list[str]:
        images = f"{len(self.pixels)} image{'' if len(self.pixels) == 1 else 's'}"
        remarks = [f"{self.pixels.sum():,} pixels of {images}. Intervals are of 95 %, errors standard errors."]
        known = ~np.isnan(self.intervals[:, 0]) if len(self.intervals) else np.zeros(0, bool)
        few = known & ~(self.independent_areas >= _FEW_AREAS)
        if few.any():
            names = ", ".join(name for name, is_few in zip(self.classes, few, strict=True) if is_few)
            remarks.append(
                f"The images hold few regions of {names}: these intervals are wide and rough. More images help."
            )
        return remarks


_HEADER = ["phase", "fraction", "95 % interval", "field error", "classification error", "independent areas"]


def fractions_of(
    classes: Sequence[tuple[int, str]], phases: Sequence[Mapping[str, Any]], images: Sequence[Mapping[str, Any]]
) -> PhaseFractions:
    """Make `PhaseFractions` of the protocol's ``zPhaseFraction`` and ``zImagePhases``, for classes as pairs of id and name."""
    by_id = {int(phase["id"]): phase for phase in phases}
    ids = tuple(number for number, _ in classes)

    def values(name: str) -> Shares:
        return np.array([_number(by_id.get(number, {}).get(name)) for number in ids], np.float64)

    pixels = np.array([int(image["pixels"]) for image in images], np.int64)
    by_image = np.zeros((len(images), len(ids)))
    for row, image in zip(by_image, images, strict=True):
        found = {int(phase["id"]): float(phase["fraction"]) for phase in image["phases"]}
        row[:] = [found.get(number, 0.0) for number in ids]
    by_image[pixels == 0] = np.nan
    fractions = np.nan_to_num(values("fraction")) if pixels.any() else values("fraction")
    return PhaseFractions(
        tuple(name for _, name in classes),
        ids,
        fractions,
        np.stack([values("low"), values("high")], axis=1),
        values("field"),
        values("classification"),
        values("regions"),
        by_image,
        pixels,
    )


def _number(value: Any) -> float:
    return float("nan") if value is None else float(value)


def _percent(share: float) -> str:
    return "–" if np.isnan(share) else f"{100 * share:.1f} %"
