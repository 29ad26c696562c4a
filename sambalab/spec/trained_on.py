"""What a classifier knows about the images that it was trained on, and how another image differs.

``kernel-server/src/learning/other-images.ts`` says the same, with the same limits.
"""

from __future__ import annotations

import math
from typing import NamedTuple

# Metres in a unit of length.
_METRES = {
    "m": 1.0,
    "cm": 1e-2,
    "mm": 1e-3,
    "nm": 1e-9,
    "Å": 1e-10,
    "pm": 1e-12,
    **dict.fromkeys(("um", "µm", "μm", "micron"), 1e-6),
}
# Pixels whose sizes differ by less are alike.
_ALIKE = 0.05
# Of two ranges that mean the same, the wider is at most so many times the narrower, and they share at least half of the narrower.
_WIDER = 4
_SHARED = 0.5

PixelSize = tuple[float, str]


class TrainedOn(NamedTuple):
    """The pixels of the images that a classifier was trained on.

    Attributes
    ----------
    dtypes
        Names of their dtypes, each once.
    low, high
        The grey values of nearly all of their pixels: the 0.1 and 99.9 percentile, without hot and dead pixels.
    """

    dtypes: tuple[str, ...]
    low: float
    high: float


def grey_difference(known: TrainedOn, dtype: str, low: float, high: float) -> str:
    """Say in a few sentences how an image's grey values differ from those trained on; empty if they may mean the same."""
    if dtype in known.dtypes and not _unlike((known.low, known.high), (low, high)):
        return ""
    return (
        f"The classifier was trained on images of {' and '.join(known.dtypes)} with grey values from {known.low:.4g} to "
        f"{known.high:.4g}; this image is {dtype} from {low:.4g} to {high:.4g}. It does not standardise pixels, so scale the "
        "image to that range, or train with FeatureSpec(…, standardise=True)."
    )


def pixel_ratio(one: PixelSize, other: PixelSize) -> float | None:
    """Give how many times as large a pixel is as another; None if their units have nothing in common."""
    factors = [_METRES.get(unit) for _, unit in (one, other)]
    if factors[0] is not None and factors[1] is not None:
        return one[0] * factors[0] / (other[0] * factors[1])
    return one[0] / other[0] if one[1] == other[1] else None


def alike(ratio: float) -> bool:
    """Whether pixels are of nearly the same size."""
    return abs(math.log(ratio)) <= _ALIKE


def size_difference(known: PixelSize, own: PixelSize) -> str:
    """Say how an image's pixels differ in size from those trained on; empty if they do not, or this is unknown."""
    ratio = pixel_ratio(own, known)
    if ratio is None or alike(ratio):
        return ""
    return (
        f"The classifier was trained on pixels of {known[0]:.4g} {known[1]}; those of this image are {own[0]:.4g} {own[1]}. "
        "Resample it: classifier.apply(image, rescale=True)."
    )


def _unlike(one: tuple[float, float], other: tuple[float, float]) -> bool:
    narrow, wide = sorted((one[1] - one[0], other[1] - other[0]))
    shared = min(one[1], other[1]) - max(one[0], other[0])
    return shared < _SHARED * narrow or wide > _WIDER * narrow
