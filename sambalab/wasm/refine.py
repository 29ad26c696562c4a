"""Probabilities smoothed along an image's edges by a guided filter, as ``engine/core/refine.ts`` does in JavaScript."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..spec.features import FeatureSpec
from .engine import Engine
from .intensity import Intensity
from .stack import FeatureStack, Tile

# The guide: the luminance under a Gaussian of one pixel, standardised.
_GUIDE_SPEC = {"families": {"gaussian": {"sigmas": [1]}}, "color": "luminance", "standardise": True}
_GUIDE_CHANNEL = 1
# The filter's ε: the guide is flat where its variance is below a twentieth of the image's.
_EPSILON = 0.05 * 42.5**2


class Refiner:
    """Refines the probabilities of tiles of an image.

    Parameters
    ----------
    engine
        The engine that computes.
    channels
        Channels of the image.
    intensity
        Mean and deviation of the image.
    radius
        Radius of the filter in pixels.
    """

    def __init__(self, engine: Engine, channels: int, intensity: Intensity, radius: int) -> None:
        self._engine = engine
        self._radius = radius
        self._guide = FeatureStack(engine, FeatureSpec.from_dict(_GUIDE_SPEC), channels, intensity=intensity)

    def refine(
        self, pixels: npt.NDArray[Any], outer: Tile, tile: Tile, probabilities: int, classes: int, output: str
    ) -> npt.NDArray[Any]:
        """Refine a tile.

        Parameters
        ----------
        pixels
            The image (slices, rows, columns, channels).
        outer
            The tile with the pixels around that its result depends on; see `grown`.
        tile
            The tile.
        probabilities
            Address of float32 (pixels of `outer`, classes).
        classes
            Number of classes.
        output
            ``"labels"``, ``"probabilities"`` or ``"uncertainty"``.

        Returns
        -------
        ndarray
            Class indices, uint8 (rows, columns); float32 (rows, columns, classes); or float32 (rows, columns). A view, valid
            until the next call of the engine.
        """
        engine = self._engine
        guide = self._guide.compute(pixels, outer)
        count = tile.rows * tile.columns
        refined = engine.allocate(count * classes * 4)
        prediction = engine.allocate(count) if output == "labels" else 0
        uncertainty = engine.allocate(count * 4) if output == "uncertainty" else 0
        scratch = engine.allocate(engine.call("refineScratch", outer.rows, outer.columns, self._radius) & 0xFFFFFFFF)
        engine.call(
            "refine",
            probabilities,
            outer.rows,
            outer.columns,
            classes,
            guide.address + _GUIDE_CHANNEL * outer.plane,
            outer.stride,
            tile.row0 - outer.row0,
            tile.column0 - outer.column0,
            tile.rows,
            tile.columns,
            self._radius,
            _EPSILON,
            refined,
            prediction,
            uncertainty,
            scratch,
        )
        if output == "labels":
            return engine.view(prediction, count).reshape(tile.rows, tile.columns)
        place, shape = (
            (uncertainty, (tile.rows, tile.columns)) if uncertainty else (refined, (tile.rows, tile.columns, classes))
        )
        return engine.view(place, int(np.prod(shape)) * 4).view(np.float32).reshape(shape)


def grown(tile: Tile, shape: tuple[int, ...], radius: int) -> Tile:
    """Add the pixels around a tile that its refined probabilities depend on, within an image (slices, rows, columns, …)."""
    halo = -(-2 * radius // 4) * 4
    return Tile(
        tile.number,
        max(0, tile.row0 - halo),
        min(shape[1], tile.row1 + halo),
        max(0, tile.column0 - halo),
        min(shape[2], tile.column1 + halo),
    )
