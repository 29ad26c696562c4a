"""Mean and standard deviation of an image, to standardise its pixels.

``engine/core/intensity.ts`` says how outliers are kept from changing them. This file does the same, to the last bit.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .engine import DTYPES, Engine
from .threads import on_threads

# Values that a thread sums in one call, in whole rows.
_VALUES = 1 << 20
# Larger images are sampled: every nth row, so that about this many values are used.
_VALUES_MAX = 1 << 26
# Numbers of a row's moments.
_NUMBERS = 5
# Values count as outliers this many deviations from the mean.
_REACH = 10
# The most passes after the first. They end when mean and deviation change by less than this part of the deviation.
_PASSES = 32
_SETTLED = 1e-3
# A deviation below this part of the mean is lost in single precision.
_EVEN = 2.0**-24


@dataclass(frozen=True)
class Intensity:
    """The intensity of an image: statistics of all values of its slices and channels, without its outliers.

    Attributes
    ----------
    mean
        The mean.
    deviation
        The standard deviation; 0 for a constant image.
    """

    mean: float
    deviation: float

    @property
    def taken(self) -> tuple[float, float]:
        """Origin and gain: (value − origin) · gain is the standardised value 127.5 + 42.5 (value − mean) / deviation."""
        gain = 42.5 / (self.deviation if self.deviation > 0 else 1)
        return self.mean - 127.5 / gain, gain


def intensity_of(pixels: npt.NDArray[Any], threads: int) -> Intensity:
    """Compute the intensity of an image (slices, rows, columns, channels); of a large one from a sample of its rows."""
    every = max(1, math.ceil(pixels.size / _VALUES_MAX))
    within = np.arange(0, pixels.shape[1], every)
    numbers, places = np.repeat(np.arange(len(pixels)), len(within)), np.tile(within, len(pixels))
    step = max(1, _VALUES // (pixels.shape[2] * pixels.shape[3]))

    def measured(shift: float, low: float, high: float, exclude: bool) -> _Moments:
        moments = np.empty((len(places), _NUMBERS))

        def make() -> Callable[[int], None]:
            engine = Engine()
            bottom = engine.mark

            def work(start: int) -> None:
                engine.release(bottom)
                own = slice(start, start + step)
                moments[own] = _row_moments(engine, pixels[numbers[own], places[own]], shift, low, high, exclude)

            return work

        on_threads(range(0, len(places), step), threads, make)
        return _joined(moments, shift)

    # Sums are of differences to the first row's mean, since squares of large values would lose a small spread.
    first = _single(_joined(_row_moments(Engine(), pixels[0, :1], 0.0, -math.inf, math.inf, False), 0.0).mean)
    plain = measured(first if math.isfinite(first) else 0.0, -math.inf, math.inf, False)
    # The squares of values beyond 1e150 overflow. Such an image is not standardised.
    if not (math.isfinite(plain.deviation) and math.isfinite(plain.mean)):
        return Intensity(0.0, 0.0)
    mean, deviation, number = plain.mean, plain.deviation, plain.number
    exclude = True
    for _ in range(_PASSES):
        low, high = mean - _REACH * deviation, mean + _REACH * deviation
        if plain.least >= low and plain.most <= high:
            break
        shift = _single(mean)
        found = measured(shift, low, high, exclude)
        if shift < found.least or shift > found.most:
            # The outliers' mean is so far from the rest that differences to it lost the rest's spread.
            found = measured(_single(found.least + (found.most - found.least) / 2), low, high, exclude)
        if not found.deviation > abs(found.mean) * _EVEN:
            # The rest of the image is even, so the few values are its content.
            return Intensity(plain.mean, plain.deviation)
        change = max(abs(found.mean - mean), abs(found.deviation - deviation))
        settled = not exclude and change <= _SETTLED * deviation
        exclude = exclude and found.number < number
        mean, deviation, number = found.mean, found.deviation, found.number
        if settled:
            break
    return Intensity(mean, deviation)


class _Moments(NamedTuple):
    """Moments and extremes of some values."""

    number: float
    mean: float
    deviation: float
    least: float
    most: float


def _row_moments(
    engine: Engine, rows: npt.NDArray[Any], shift: float, low: float, high: float, exclude: bool
) -> npt.NDArray[np.float64]:
    """Give count, sum and sum of squares of value − shift, and the extremes, of each row of (rows, columns, channels).

    Values beyond `low` and `high` are clamped, or left out. The result is float64 (rows, 5).
    """
    size = len(rows) * _NUMBERS * 8
    source, out = engine.put(rows), engine.allocate(size)
    values = rows.shape[1] * rows.shape[2]
    engine.call(
        "rowMoments", source, DTYPES.index(rows.dtype.name), len(rows), values, shift, low, high, int(exclude), out
    )
    return engine.view(out, size).view(np.float64).reshape(-1, _NUMBERS)


def _joined(moments: npt.NDArray[np.float64], shift: float) -> _Moments:
    """Join the moments of rows. Adds one after the other, as JavaScript does, not pairwise as NumPy does."""
    with np.errstate(over="ignore", invalid="ignore"):
        count, total, squares = (float(last) for last in np.add.accumulate(moments[:, :3])[-1])
    least, most = float(moments[:, 3].min()), float(moments[:, 4].max())
    if not count:
        return _Moments(count, 0.0, 0.0, least, most)
    mean = total / count
    variance = squares / count - mean * mean
    deviation = math.sqrt(max(0.0, variance)) if math.isfinite(variance) else math.nan
    return _Moments(count, mean + shift, deviation, least, most)


def _single(value: float) -> float:
    """Round to single precision."""
    with np.errstate(over="ignore"):
        return float(np.float32(value))
