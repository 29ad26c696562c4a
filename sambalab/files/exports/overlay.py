"""The image in 8 bits with class colours over it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .content import rgb


def overlay(
    image: npt.NDArray[Any],
    display: tuple[float, float],
    ids: npt.NDArray[np.uint8],
    classes: Sequence[Mapping[str, Any]],
    alpha: float,
) -> npt.NDArray[np.uint8]:
    """Lay class colours over the image.

    Parameters
    ----------
    image
        (slices, rows, columns, channels), 1 or 3 channels.
    display
        The values shown as black and white.
    ids
        Class ids, uint8 (slices, rows, columns); 0 shows the image alone.
    classes
        Ids and colours.
    alpha
        Opacity of the colours, 0 to 1.

    Returns
    -------
    ndarray
        uint8 (slices, rows, columns, 3).
    """
    palette = np.zeros((256, 3), np.float32)
    for item in classes:
        palette[int(item["id"])] = rgb(str(item["color"]))
    low, high = display
    out = np.empty((*ids.shape, 3), np.uint8)
    for number, row in np.ndindex(ids.shape[:2]):
        grey = (np.asarray(image[number, row], np.float64) - low) * (255 / (high - low if high > low else 1))
        line = np.repeat(np.clip(grey, 0, 255), 3 // grey.shape[-1], axis=-1)
        on = ids[number, row] > 0
        line[on] += (palette[ids[number, row][on]] - line[on]) * alpha
        out[number, row] = np.rint(line)
    return out
