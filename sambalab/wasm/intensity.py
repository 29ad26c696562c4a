"""Mean and standard deviation of an image, by which pixels are standardised. ``engine/core/intensity.ts`` does the same."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .engine import DTYPES, Engine
from .threads import on_threads

# Values that a thread sums at once, at least one row.
_VALUES = 1 << 20
# Values that mean and deviation are taken of, about: of larger images every so manieth row.
_VALUES_MAX = 1 << 26


@dataclass(frozen=True)
class Intensity:
    """Of all values of all slices and channels of an image.

    Attributes
    ----------
    mean
        Their mean.
    deviation
        Their standard deviation; 0 for an image of one value.
    """

    mean: float
    deviation: float

    @property
    def taken(self) -> tuple[float, float]:
        """What a pixel is taken by, origin and gain: (value − origin) · gain is 127.5 + 42.5 (value − mean) / deviation."""
        gain = 42.5 / (self.deviation if self.deviation > 0 else 1)
        return self.mean - 127.5 / gain, gain


def intensity_of(pixels: npt.NDArray[Any], threads: int) -> Intensity:
    """Take the mean and the deviation of an image (slices, rows, columns, channels), of large ones from some rows."""
    every = max(1, math.ceil(pixels.size / _VALUES_MAX))
    within = np.arange(0, pixels.shape[1], every)
    numbers, places = np.repeat(np.arange(len(pixels)), len(within)), np.tile(within, len(pixels))
    step = max(1, _VALUES // (pixels.shape[2] * pixels.shape[3]))
    # The first row's mean is taken off: squares of large values with a small spread would lose it.
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
    # Values beyond 1e150 have squares beyond all numbers: such an image is taken as it is.
    if not (math.isfinite(variance) and math.isfinite(mean + shift)):
        return Intensity(0.0, 0.0)
    return Intensity(mean + shift, math.sqrt(max(0.0, variance)))


def _moments(engine: Engine, rows: npt.NDArray[Any], shift: float) -> npt.NDArray[np.float64]:
    """Sum rows (rows, columns, channels): count, sum and sum of squares, less the shift, float64 (rows, 3)."""
    source, out = engine.put(rows), engine.allocate(len(rows) * 24)
    values = rows.shape[1] * rows.shape[2]
    engine.call("rowMoments", source, DTYPES.index(rows.dtype.name), len(rows), values, shift, out)
    return engine.view(out, len(rows) * 24).view(np.float64).reshape(-1, 3)


def _mean(moments: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Give the mean and the mean square. Summed one after the other, as JavaScript adds, not in pairs."""
    count, total, squares = (float(last) for last in np.add.accumulate(moments)[-1])
    return (total / count, squares / count) if count else (0.0, 0.0)
