"""Stored colours to shown ones: palettes, CMYK, alpha and MinIsWhite to grey or RGB, a block at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ...spec.errors import ImageError
from .source import Array, Conversion


def inverted(dtype: np.dtype[Any], top: int) -> Conversion:
    """White is stored as 0: turn greys round, so that they look as in other viewers.

    Unsigned values become `top` − value, signed integers −1 − value, floats −value.
    """

    def apply(block: Array) -> Array:
        if dtype.kind in "bi":
            return np.invert(block)
        return np.negative(block) if dtype.kind == "f" else np.subtract(dtype.type(top), block)

    return Conversion(apply, None, None, dtype)


def palette(colours: npt.NDArray[np.uint8]) -> Conversion:
    """Look up colours, uint8 (numbers, 3): grey if all of them are."""
    grey = bool((colours == colours[:, :1]).all())
    table = colours[:, :1] if grey else colours

    def apply(block: Array) -> Array:
        found: Array = table[np.minimum(block[..., 0], len(table) - 1)]
        return found

    return Conversion(apply, 1, 1 if grey else 3, np.dtype(np.uint8))


def alpha(colours: int, dtype: np.dtype[Any], top: int, then: Conversion | None = None) -> Conversion:
    """Drop the channel of alpha behind 1, 3 or 4 channels. It must be opaque.

    Parameters
    ----------
    colours
        Channels before alpha.
    dtype
        Of the stored pixels.
    top
        The value of opaque; for floats 1.
    then
        What becomes of the others.
    """

    def apply(block: Array) -> Array:
        opacity = block[..., colours]
        if not (opacity == top).all():
            raise ImageError(_transparent(colours, opacity, top))
        rest = block[..., :colours]
        return rest if then is None else then.apply(rest)

    after = colours if then is None or then.after is None else then.after
    return Conversion(apply, colours + 1, after, dtype if then is None else then.dtype)


def cmyk(dtype: np.dtype[Any], top: int) -> Conversion:
    """Convert cyan, magenta, yellow and black to RGB: (1 − colour) × (1 − black), as Pillow does."""

    def apply(block: Array) -> Array:
        whole = block.astype(np.uint64)
        product = (top - whole[..., :3]) * (top - whole[..., 3:4])
        rgb: Array = ((2 * product + top) // (2 * top)).astype(dtype)
        return rgb

    return Conversion(apply, 4, 3, dtype)


def top_of(dtype: np.dtype[Any], bits: int | None = None) -> int:
    """Give the greatest value of a dtype, or of as many bits; 1 for floats and booleans."""
    if dtype.kind not in "iu":
        return 1
    return (1 << bits) - 1 if bits and dtype.kind == "u" else int(np.iinfo(dtype).max)


def grey_if_grey(rgb: Array) -> Array:
    """Give one channel, (rows, columns), if all three of (rows, columns, 3) are equal; else the colours."""
    grey = (rgb[..., 0] == rgb[..., 1]).all() and (rgb[..., 0] == rgb[..., 2]).all()
    return rgb[..., 0] if grey else rgb


def _transparent(colours: int, opacity: Array, top: int) -> str:
    kept, part = ("0", "0") if colours == 1 else ("[0, 1, 2]", ":3")
    other = f'axes="YXC" with index={{"C": 0}} takes another view of the {colours + 1} channels'
    return (
        f"The image has {colours + 1} channels, and the last is not an opaque alpha: it has values from {opacity.min()} to "
        f'{opacity.max()}, not {top} everywhere. To leave it out: index={{"S": {kept}}}, or of an array image[..., {part}]. '
        f"Where they are other channels, {other}."
    )
