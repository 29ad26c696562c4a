"""Mean and standard deviation of an image, to standardise its pixels, as ``engine/core/intensity.ts`` does in JavaScript."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .engine import DTYPES, Engine
from .threads import on_threads

# Values that a thread sums in one call, in whole rows.
_VALUES = 1 << 20
# Larger images are sampled: every nth row, so that about this many values are used.
_VALUES_MAX = 1 << 26


@dataclass(frozen=True)
class Intensity:
    """The intensity of an image: statistics of all values of its slices and channels.

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
    # Sums are of differences to the first row's mean, since squares of large values would lose a small spread.
    first, _ = _mean(_moments(Engine(), pixels[0, :1], 0.0))
    with np.errstate(over="ignore"):
        shift = float(np.float32(first))
    shift = shift if math.isfinite(shift) else 0.0
    moments = np.empty((len(places), 3))

    def make() -> Callable[[int], None]:
        engine = Engine()
        bottom = engine.mark

        def work(start: int) -> None:
            engine.release(bottom)
            own = slice(start, start + step)
            moments[own] = _moments(engine, pixels[numbers[own], places[own]], shift)

        return work

    on_threads(range(0, len(places), step), threads, make)
    mean, squares = _mean(moments)
    variance = squares - mean * mean
    # The squares of values beyond 1e150 overflow. Such an image is not standardised.
    if not (math.isfinite(variance) and math.isfinite(mean + shift)):
        return Intensity(0.0, 0.0)
    return Intensity(mean + shift, math.sqrt(max(0.0, variance)))


def _moments(engine: Engine, rows: npt.NDArray[Any], shift: float) -> npt.NDArray[np.float64]:
    """Give count, sum and sum of squares of value − shift for each row of (rows, columns, channels), float64 (rows, 3)."""
    source, out = engine.put(rows), engine.allocate(len(rows) * 24)
    values = rows.shape[1] * rows.shape[2]
    engine.call("rowMoments", source, DTYPES.index(rows.dtype.name), len(rows), values, shift, out)
    return engine.view(out, len(rows) * 24).view(np.float64).reshape(-1, 3)


def _mean(moments: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Give the mean and the mean square. Adds one after the other, as JavaScript does, not pairwise as NumPy does."""
    count, total, squares = (float(last) for last in np.add.accumulate(moments)[-1])
    return (total / count, squares / count) if count else (0.0, 0.0)
