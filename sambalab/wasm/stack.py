"""Tiles of feature stacks, as ``engine/core/stack.ts`` computes them in JavaScript."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..files.images import Image, Index, display_range, prepare, tell
from ..spec.errors import EngineError, ParameterError
from ..spec.features import FeatureSpec
from .embedding import EmbeddingMap
from .engine import DTYPES, Engine
from .intensity import Intensity

# Side of a tile in pixels. It is halved, down to the minimum, until a tile's planes need at most `_TILE_BYTES`.
_TILE = 256
_TILE_MIN = 64
_TILE_BYTES = 64 << 20
_TILE_MAX = 1 << 14


@dataclass(frozen=True)
class Tile:
    """A rectangle of the slice `number`; the ends are exclusive."""

    number: int
    row0: int
    row1: int
    column0: int
    column1: int

    @property
    def rows(self) -> int:
        """Height in pixels."""
        return self.row1 - self.row0

    @property
    def columns(self) -> int:
        """Width in pixels."""
        return self.column1 - self.column0

    @property
    def block_rows(self) -> int:
        """Rows of blocks of 4 × 4 pixels that cover the tile."""
        return (self.rows + 3) // 4

    @property
    def block_columns(self) -> int:
        """Columns of blocks that cover the tile."""
        return (self.columns + 3) // 4

    @property
    def stride(self) -> int:
        """Bytes from row to row of the tile's float32 planes."""
        return self.block_columns * 16

    @property
    def plane(self) -> int:
        """Bytes from plane to plane."""
        return self.block_rows * 4 * self.stride

    @property
    def where(self) -> tuple[slice, slice]:
        """Index of the tile in a slice's array."""
        return slice(self.row0, self.row1), slice(self.column0, self.column1)


@dataclass(frozen=True)
class Planes:
    """Planes of a tile in an engine's memory: float32 [feature][rows][columns], rows and columns rounded up to multiples of 4."""

    address: int
    count: int
    tile: Tile


def tiles_of(shape: tuple[int, ...], side: int) -> Iterator[Tile]:
    """Give the tiles of an array (slices, rows, columns, …), row by row."""
    slices, rows, columns = shape[:3]
    for index in range(slices):
        for row in range(0, rows, side):
            for column in range(0, columns, side):
                yield Tile(index, row, min(rows, row + side), column, min(columns, column + side))


class FeatureStack:
    """Computes tiles of the feature stack of an image. Without an embedding and intensity it serves several images.

    Parameters
    ----------
    engine
        The engine that computes.
    spec
        The features; with a window, if there is an embedding.
    channels
        Channels of the images.
    maps
        The embedding of the image, from `maps_of`.
    intensity
        Mean and deviation of the image, if the features are standardised.
    """

    def __init__(
        self,
        engine: Engine,
        spec: FeatureSpec,
        channels: int,
        maps: tuple[EmbeddingMap, ...] = (),
        intensity: Intensity | None = None,
    ) -> None:
        self.engine = engine
        self.channels = channels
        self.count = spec.count(channels)
        self._maps = maps
        self._families = self.count - sum(own.components for own in maps)
        program = spec.program
        self._ops = len(program)
        self._program = engine.put(program)
        self.halo = halo_of(engine, self._program, self._ops)
        self._luminance = int(spec.color == "luminance")
        low, high = spec.range or (0, 255)
        self._range = (float(low), float(high))
        if spec.standardise and intensity is None:
            raise ValueError("These features need the mean and the deviation of the image.")
        self._standardised = int(spec.standardise)
        self._taken = intensity.taken if spec.standardise and intensity is not None else (0.0, 1.0)

    def compute(self, pixels: npt.NDArray[Any], tile: Tile) -> Planes:
        """Compute the planes of a tile of an image (slices, rows, columns, channels), in new memory of the engine."""
        engine = self.engine
        rows, columns = pixels.shape[1:3]
        halo = self.halo
        part = pixels[
            tile.number,
            max(0, tile.row0 - halo) : min(rows, tile.row1 + halo),
            max(0, tile.column0 - halo) : min(columns, tile.column1 + halo),
        ]
        planes = Planes(engine.allocate(self.count * tile.plane), self.count, tile)
        bottom = engine.mark
        source = engine.put(part)
        engine.call(
            "computeTile",
            self._program,
            self._ops,
            rows,
            columns,
            tile.row0,
            tile.row1,
            tile.column0,
            tile.column1,
            halo,
            source,
            DTYPES.index(pixels.dtype.name),
            self.channels,
            self._luminance,
            self._range[0],
            self._range[1],
            *self._taken,
            self._standardised,
            planes.address,
            engine.mark,
        )
        engine.release(bottom)
        out = planes.address + self._families * tile.plane
        for own in self._maps:
            own.tile(engine, tile.number, (tile.row0, tile.row1), (tile.column0, tile.column1), out)
            out += own.components * tile.plane
        return planes

    def view(self, planes: Planes) -> npt.NDArray[np.float32]:
        """View planes without padding, float32 (features, rows, columns). Valid until the next call of the engine."""
        tile = planes.tile
        floats = self.engine.view(planes.address, planes.count * tile.plane).view(np.float32)
        full = floats.reshape(planes.count, tile.block_rows * 4, tile.block_columns * 4)
        return full[:, : tile.rows, : tile.columns]


def halo_of(engine: Engine, program: int, ops: int) -> int:
    """Give the width in pixels of the border around a tile on which its features depend.

    Raises
    ------
    EngineError
        If the kernels do not know an operation of the program.
    """
    halo = engine.call("programHalo", program, ops)
    if halo < 0:
        raise EngineError("These features are of a newer version of SambaLab; update it.")
    return halo


def image_of(image: Any, axes: str | None = None, series: int | None = None, index: Index | None = None) -> Image:
    """Load and check an image; an array of four axes is (slices, rows, columns, channels)."""
    if isinstance(image, Image):
        return image
    if axes is None and isinstance(image, np.ndarray) and image.ndim == 4 and image.shape[-1] in (1, 3):
        axes = "ZYXS"
    prepared = prepare(image, axes=axes, series=series, index=index)
    tell(prepared.notes)
    return prepared


def with_image(spec: FeatureSpec, image: Image) -> FeatureSpec:
    """Add the image's display range and window to a spec that needs them and has none."""
    spec = spec.with_window(*image.pixels.shape[1:3])
    if spec.range or spec.standardise or not spec.needs_range() or image.pixels.dtype == np.uint8:
        return spec
    low, high = display_range(image.pixels)
    return spec.with_range(low, high)


def tile_side(tile: int | None, features: int) -> int:
    """Check the side of tiles. None: the side that the sidecar uses for this number of features."""
    if tile is None:
        side = _TILE
        while side > _TILE_MIN and side * side * features * 4 > _TILE_BYTES:
            side //= 2
        return side
    if isinstance(tile, bool) or not isinstance(tile, (int, np.integer)) or not 1 <= tile <= _TILE_MAX:
        raise ParameterError(f"tile is {tile!r}; a whole number of pixels from 1 to {_TILE_MAX}, or None, will do.")
    return int(tile)
