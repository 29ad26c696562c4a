"""Bins and forests applied to tiles, as ``engine/core/stack.ts`` and ``engine/core/forest.ts`` do in JavaScript."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..spec.errors import EngineError
from ..spec.forest import CUTS_MAX, Forest
from .engine import Engine
from .stack import Planes, Tile

# Bytes of a feature's table; `engine/assembly/quantise.ts` has the same.
_TABLE_BYTES = 16 + 16384 + 16
_ADDRESSES = 1 << 32

Output = Literal["labels", "probabilities", "uncertainty"]


class Quantiser:
    """Turns planes into bins. Its tables stay in the engine's memory."""

    def __init__(self, engine: Engine, cuts: Sequence[npt.NDArray[np.float32]]) -> None:
        self._engine = engine
        self.features = len(cuts)
        padded = np.full((self.features, CUTS_MAX + 1), np.inf, np.float32)
        for row, own in zip(padded, cuts, strict=True):
            row[: len(own)] = own
        self._cuts = engine.put(padded)
        self._tables = engine.allocate(self.features * _TABLE_BYTES)
        engine.call("buildTables", self._cuts, self.features, self._tables)

    def quantise(self, planes: Planes) -> int:
        """Give the address of the bins, u8 [block][feature][16] with blocks of 4 × 4 pixels."""
        tile, engine = planes.tile, self._engine
        out = engine.allocate(tile.block_rows * tile.block_columns * self.features * 16)
        engine.call(
            "quantise",
            planes.address,
            tile.plane,
            tile.stride,
            tile.block_rows,
            tile.block_columns,
            self.features,
            self._cuts,
            self._tables,
            out,
        )
        return out

    def view(self, blocks: int, tile: Tile) -> npt.NDArray[np.uint8]:
        """View bins as pixels, uint8 (rows, columns, features). Valid until the next call of the engine."""
        shape = (tile.block_rows, tile.block_columns, self.features, 4, 4)
        bins = self._engine.view(blocks, int(np.prod(shape))).reshape(shape).transpose(0, 3, 1, 4, 2)
        pixels: npt.NDArray[np.uint8] = bins.reshape(tile.block_rows * 4, tile.block_columns * 4, -1)
        return pixels[: tile.rows, : tile.columns]


@dataclass(frozen=True)
class PackedForest:
    """A forest in the kernels' arrays, which ``engine/assembly/pack.ts`` describes."""

    quads: npt.NDArray[np.uint8]
    roots: npt.NDArray[np.uint8]
    tables: npt.NDArray[np.uint8]
    trees: int
    features: int
    classes: int
    # The sum of a leaf's votes; of boosted trees also the number of votes that stand for a logit of 1.
    leaf_sum: int
    scale: float | None


def pack(forest: Forest) -> PackedForest:
    """Pack a forest for the kernels. `Forest.check` must have passed: the kernels do not check.

    Raises
    ------
    EngineError
        If the forest does not fit into the memory of an engine.
    """
    engine = Engine()
    trees, nodes = len(forest.counts), len(forest.feature)
    classes = forest.votes.shape[1]
    features = len(forest.cuts)
    flat = [
        engine.put(forest.feature.astype(np.int16)),
        engine.put(forest.threshold.astype(np.uint8)),
        engine.put(forest.left.astype(np.uint32)),
        engine.put(forest.right.astype(np.uint32)),
        engine.put(forest.votes.astype(np.uint16)),
    ]
    counts = engine.put(forest.counts.astype(np.uint32))
    result = engine.allocate(12)
    scratch = engine.allocate(16 * (int(forest.counts.max()) + 8))
    engine.call("packForest", counts, trees, *flat, classes, 0, 0, 0, scratch, result)
    quads, bottoms = (int(number) for number in engine.view(result, 8).view(np.uint32))
    quad_bytes, table_bytes = quads * 16, bottoms * (classes - 1) * 8
    if quad_bytes >= _ADDRESSES or table_bytes >= _ADDRESSES:
        raise EngineError(f"The forest has {nodes} nodes, too many for {classes} classes; fewer trees will do.")
    places = [engine.allocate(size) for size in (quad_bytes, trees * 8, table_bytes)]
    engine.call("packForest", counts, trees, *flat, classes, *places, scratch, result)
    sizes_of = zip(places, (quad_bytes, trees * 8, table_bytes), strict=True)
    packed = [engine.view(place, size).copy() for place, size in sizes_of]
    return PackedForest(packed[0], packed[1], packed[2], trees, features, classes, forest.leaf_sum, forest.scale)


class ForestApplier:
    """Applies a forest to bins. The forest stays in the engine's memory."""

    def __init__(self, engine: Engine, forest: PackedForest) -> None:
        self._engine = engine
        self._forest = forest
        self._places = [engine.put(part) for part in (forest.quads, forest.roots, forest.tables)]
        self._scratch = engine.allocate(engine.call("applyScratch", forest.classes))

    def apply(self, tile: Tile, blocks: int, output: Output) -> npt.NDArray[Any]:
        """Segment a tile: class indices, uint8 (rows, columns); float32 (rows, columns, classes); or float32 (rows, columns).

        A view, valid until the next call of the engine.
        """
        shape: tuple[int, ...] = (tile.rows, tile.columns)
        if output == "probabilities":
            shape = (*shape, self._forest.classes)
        dtype = np.dtype(np.uint8 if output == "labels" else np.float32)
        size = int(np.prod(shape)) * dtype.itemsize
        place = self.place(tile, blocks, output)
        return self._engine.view(place, size).view(dtype).reshape(shape)

    def place(self, tile: Tile, blocks: int, output: Output) -> int:
        """Segment a tile, and give the address of the result."""
        engine, forest = self._engine, self._forest
        quads, roots, tables = self._places
        count = tile.block_rows * tile.block_columns
        sums = engine.allocate(count * forest.classes * 64)
        # Labels alone need no exact sums. Boosted trees have no bound by which to stop early.
        labels_alone = output == "labels" and forest.scale is None
        engine.call(
            "applyForestForLabels" if labels_alone else "applyForest",
            blocks,
            count,
            forest.features,
            quads,
            roots,
            forest.trees,
            tables,
            forest.classes,
            forest.leaf_sum,
            sums,
            self._scratch,
        )
        pixels = tile.rows * tile.columns
        found = engine.allocate(pixels * {"labels": 1, "probabilities": 4 * forest.classes, "uncertainty": 4}[output])
        places = [found if output == name else 0 for name in ("labels", "probabilities", "uncertainty")]
        size = (tile.block_columns, tile.rows, tile.columns, forest.classes)
        if forest.scale is None:
            engine.call("decide", sums, *size, float(forest.leaf_sum * forest.trees), *places)
        else:
            engine.call("decideBoosted", sums, *size, 1 / forest.scale, *places)
        return found
