"""A small PNG of an image with its labels: what a notebook shows of a labeller where no kernel runs."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from ..files.mapped import drop_pages
from ..spec.tables import limits

Pixels = npt.NDArray[Any]

SAMPLES = 4
"""Rows and columns of the arrays that are read for each one of the picture, at most."""

#: A smaller picture that would exceed the bound so many times, by its number of pixels, is not tried.
_HOPELESS = 1.5
#: Rows that are sampled at a time.
_BAND = 256


def picture(
    image: Pixels,
    display: tuple[float, float],
    classes: Sequence[Mapping[str, Any]],
    labels: Pixels | None,
    segmentation: Pixels | None,
) -> str:
    """Draw a slice with its segmentation and labels, as the widget does for a saved notebook (``canvas/picture.ts``).

    Parameters
    ----------
    image
        (rows, columns, channels), 1 or 3 channels.
    display
        The values shown as black and white.
    classes
        Ids and colours, as the session's state has them.
    labels, segmentation
        Class ids, uint8 of (rows, columns). None if there are none.

    Returns
    -------
    str
        A PNG in base64. Sides and bytes are bounded by the limits ``picture``.
    """
    bounds = limits("picture")
    palette = np.zeros((256, 3))
    for item in classes:
        palette[int(item["id"])] = [int(str(item["color"])[at : at + 2], 16) for at in (1, 3, 5)]
    encoded, drawn_side = b"", 0
    grey = _samples(image, display, max(bounds["sides"]))
    for side in bounds["sides"]:
        if encoded and len(encoded) * (side / drawn_side) ** 2 > _HOPELESS * bounds["bytes"]:
            continue
        drawn, drawn_side = _grey(grey, image.shape[:2], side), side
        for ids, opacity in ((segmentation, bounds["segmentation"]), (labels, bounds["labels"])):
            if ids is not None:
                small = _reduce_classes(ids, drawn.shape[0], drawn.shape[1])
                on = small > 0
                drawn[on] += (palette[small[on]] - drawn[on]) * opacity
        encoded = _png(np.rint(drawn).astype(np.uint8))
        if len(encoded) <= bounds["bytes"]:
            break
    return base64.b64encode(encoded).decode("ascii")


def _png(pixels: npt.NDArray[np.uint8]) -> bytes:
    """Write (rows, columns, 3) as PNG, with one channel if all are equal: a third of the bytes to compress.

    zlib's highest level takes eight times as long on the noise of micrographs as the sixth, for 5 % fewer bytes.
    """
    grey = (pixels == pixels[..., :1]).all()
    file = io.BytesIO()
    Image.fromarray(pixels[..., 0] if grey else pixels).save(file, "PNG", compress_level=6)
    return file.getvalue()


def _samples(image: Pixels, display: tuple[float, float], side: int) -> Image.Image:
    """Take every n-th pixel of the image, enough for a longest side of `side`, as grey values or colours of 8 bits."""
    step = max(1, max(image.shape[:2]) // (SAMPLES * side))
    low, high = display
    span = high - low if high > low else 1
    bands = []
    for top in range(0, len(image), _BAND * step):
        some = np.asarray(image[top : top + _BAND * step : step, ::step], np.float32)
        values = (some - np.float32(low)) * np.float32(255 / span)
        bands.append(np.clip(np.nan_to_num(values), 0, 255).astype(np.uint8))
        drop_pages(image)
    levels = np.concatenate(bands)
    return Image.fromarray(levels[..., 0] if levels.shape[-1] == 1 else levels)


def _grey(samples: Image.Image, shape: tuple[int, ...], side: int) -> npt.NDArray[np.float64]:
    """Reduce an image of `shape` to a longest side of `side`: (rows, columns, 3), 0 to 255 in steps of 4, which compress well."""
    scale = min(1.0, side / max(shape))
    size = (max(1, round(shape[1] * scale)), max(1, round(shape[0] * scale)))
    return (np.asarray(samples.resize(size, Image.Resampling.BOX).convert("RGB")) & 0xFC).astype(np.float64)


def _reduce_classes(ids: Pixels, rows: int, columns: int) -> npt.NDArray[np.uint8]:
    """Reduce class ids; a labelled pixel wins over unlabelled ones, so that thin strokes stay visible."""
    step = max(1, max(ids.shape) // (SAMPLES * max(rows, columns)))
    some = np.asarray(ids[::step, ::step])
    edges = [np.arange(count) * length // count for count, length in zip((rows, columns), some.shape, strict=True)]
    out: npt.NDArray[np.uint8] = np.maximum.reduceat(np.maximum.reduceat(some, edges[0], axis=0), edges[1], axis=1)
    return out
