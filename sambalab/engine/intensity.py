"""Mean and standard deviation of an image, by which pixels are standardised. ``engine/intensity.ts`` does the same."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .threads import on_threads
from .wasm import DTYPES, Engine

# Values that a thread sums at once, at least one row.
_VALUES = 1 << 20


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
    """Take the mean and the deviation of an image (slices, rows, columns, channels)."""
    rows = pixels.reshape(pixels.shape[0] * pixels.shape[1], -1)
    count, values = rows.shape
    shift = float(rows[0, 0])
    step = max(1, _VALUES // values)
    moments = np.empty((count, 3))

    def make() -> Callable[[int], None]:
        engine = Engine()
        bottom = engine.mark

        def work(first: int) -> None:
            engine.release(bottom)
            part = rows[first : first + step]
            source, out = engine.put(part), engine.allocate(len(part) * 24)
            engine.call("rowMoments", source, DTYPES.index(part.dtype.name), len(part), values, shift, out)
            moments[first : first + step] = engine.view(out, len(part) * 24).view(np.float64).reshape(-1, 3)

        return work

    on_threads(range(0, count, step), threads, make)
    # One after the other, as JavaScript adds, not in pairs.
    number, total, squares = (float(last) for last in np.add.accumulate(moments)[-1])
    mean = total / number
    return Intensity(mean + shift, math.sqrt(max(0.0, squares / number - mean * mean)))
