"""What others call: arrays in, arrays out."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..errors import ParameterError
from ..features import FeaturesLike, FeatureSpec
from ..images import ImageLike, prepare
from .stack import FeatureStack, Tile, each_tile, thread_count, tile_side, tiles_of, with_range
from .wasm import Engine


def feature_stack(
    image: ImageLike,
    spec: FeaturesLike = "samba",
    *,
    tile: int | None = None,
    threads: int | None = None,
    out: npt.NDArray[np.float32] | None = None,
) -> npt.NDArray[np.float32]:
    """Compute the feature stack of an image, as `Labeller.features` has it.

    Parameters
    ----------
    image : array_like or path
        As `Labeller` takes it.
    spec
        A `FeatureSpec`, the name of a set, or a mapping. Families of 256 grey levels take the spec's range, or the image's own.
    tile
        Side of the tiles in pixels that it is computed in; 256 if None. The result is the same for all. Each thread holds the
        pixels and features of one tile.
    threads
        Number of threads; None takes the cores, 16 at most.
    out
        Where to write; a new array if None.

    Returns
    -------
    ndarray
        float32 (rows, columns, features); of a stack (slices, rows, columns, features).

    Raises
    ------
    ImageError
        If it is no image.
    ParameterError
        If a parameter is outside what is allowed.
    EngineError
        If wasmtime is not installed, or a thread gets no memory.
    """
    side, workers = tile_side(tile), thread_count(threads)
    chosen = FeatureSpec.of(spec)
    prepared = prepare(image)
    pixels = prepared.pixels
    chosen = with_range(chosen, prepared)
    channels = pixels.shape[-1]
    shape = (*prepared.shape, chosen.count(channels))
    if out is None:
        out = np.empty(shape, np.float32)
    elif not isinstance(out, np.ndarray) or out.shape != shape or out.dtype != np.float32 or not out.flags.writeable:
        what = f"{out.dtype} {out.shape}" if isinstance(out, np.ndarray) else type(out).__name__
        raise ParameterError(f"out is {what}; a writable array of float32 {shape} will do.")
    target = out if prepared.stack else out[np.newaxis]

    def compute(stack: FeatureStack, part: Tile) -> None:
        mark = stack.engine.mark
        planes = stack.view(stack.compute(pixels, part))
        target[part.number][part.where] = planes.transpose(1, 2, 0)
        stack.engine.release(mark)

    tiles = list(tiles_of(pixels.shape, side))
    each_tile(tiles, workers, lambda: FeatureStack(Engine(), chosen, channels), compute)
    return out
