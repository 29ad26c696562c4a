"""The range of an image's grey values, without hot and dead pixels: what is shown as black and white."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

#: About the most values that are looked at, evenly spaced.
SAMPLE = 1 << 20
# Beyond the percentiles 1 and 99 the range reaches at most this many times their distance.
_BEYOND = 2
# Less of the image than this decides nothing.
_ENOUGH = 0.01


def grey_range(pixels: npt.NDArray[Any]) -> tuple[float, float]:
    """Give the range of the grey values of an image of any shape; see `range_of`."""
    flat = pixels.reshape(-1)
    return range_of(flat[:: max(1, flat.size // SAMPLE)])


def range_of(sample: npt.NDArray[Any]) -> tuple[float, float]:
    """Give the range of grey values, low < high, as ``kernel-server/src/arrays/display-range.ts`` does.

    It is the 0.1 and 99.9 percentile, but reaches no further than twice the distance of the percentiles 1 and 99 beyond them, so
    that up to 1 % of hot or dead pixels leave most of the range to the others. These two percentiles are of the values between
    the smallest and the largest: padding and saturated areas, which have just one of these values, may be of any size.
    """
    values = np.sort(sample.astype(np.float64).reshape(-1))
    least, most = float(values[0]), float(values[-1])
    low, high = _percentile(values, 0.001), _percentile(values, 0.999)
    inner = values[(values > least) & (values < most)]
    if inner.size >= _ENOUGH * values.size:
        begin, end = _percentile(inner, 0.01), _percentile(inner, 0.99)
        reach = _BEYOND * (end - begin)
        if reach > 0:
            low, high = max(low, begin - reach), min(high, end + reach)
    if not low < high:
        low, high = least, most
    if not low < high:
        # A constant image is shown as black. The next float above would be lost where the range is scaled in single precision.
        high = low + max(1.0, abs(low) * 1e-3)
    return low, high


def _percentile(values: npt.NDArray[np.float64], part: float) -> float:
    """Interpolate ascending values linearly, with the sidecar's rounding, which is not NumPy's."""
    at = part * (len(values) - 1)
    lower = int(at)
    low, high = float(values[lower]), float(values[min(lower + 1, len(values) - 1)])
    return low + (high - low) * (at - lower)
