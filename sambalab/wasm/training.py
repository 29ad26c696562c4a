"""Forests grown by the kernel ``growTree`` on threads, as in ``kernel-server/src/engine`` (``service.ts``, ``grow.ts``)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from ..files.images import Image, ImageLike, Index
from ..spec.classes import ClassesLike, make_classes
from ..spec.classifier_document import ClassifierDocument
from ..spec.errors import LabelError, ParameterError
from ..spec.features import FeaturesLike, FeatureSpec
from ..spec.forest import Forest
from ..spec.tables import limits
from .engine import Engine
from .forest import Quantiser
from .intensity import Intensity, intensity_of
from .sample import draw_labels, quantile_cuts, sample_tiles
from .stack import FeatureStack, Tile, image_of, tile_side, tiles_of, with_image
from .threads import on_threads, thread_count

Bins = npt.NDArray[np.uint8]


def train_document(
    image: ImageLike,
    labels: npt.ArrayLike,
    classes: ClassesLike | None,
    features: FeaturesLike,
    forest: dict[str, Any],
    threads: int | None,
    axes: str | None = None,
    series: int | None = None,
    index: Index | None = None,
) -> ClassifierDocument:
    """Grow a forest with complete ``ForestParams``; `sambalab.engine.train` describes the other parameters."""
    workers = thread_count(threads)
    prepared = image_of(image, axes, series, index)
    spec = with_image(FeatureSpec.of(features), prepared)
    if spec.embedding is not None:
        raise ParameterError(
            "These features have an embedding, and no encoder runs here; Labeller.train has one. Features without will do: "
            "FeatureSpec(…, embedding=None)."
        )
    drawn = _labels(labels, prepared)
    made = make_classes(classes if classes is not None else [str(i + 1) for i in range(max(2, int(drawn.max())))])
    ids = [int(item["id"]) for item in made]
    pixels, class_of = draw_labels(drawn, ids, [str(item["name"]) for item in made], forest["maxSamples"])
    intensity = intensity_of(prepared.pixels, workers) if spec.standardise else None
    cuts = _find_cuts(prepared, spec, intensity, workers)
    columns = _bins(prepared, spec, intensity, cuts, pixels, workers)
    grown, votes, importance = _grow(columns, class_of, len(made), forest, cuts, workers)
    confusion = _out_of_bag_confusion(votes, class_of)
    return ClassifierDocument.make(
        spec=spec,
        channels=prepared.pixels.shape[-1],
        classes=made,
        learner=forest,
        forest=grown,
        samples=len(pixels),
        trainedOn=_trained_on(prepared),
        oobScore=_out_of_bag_score(confusion),
        scores={"source": "out-of-bag", "confusion": confusion.tolist()},
        importance=importance,
    )


def _trained_on(image: Image) -> dict[str, Any]:
    low, high = image.grey_range()
    return {"dtypes": [image.dtype.name], "low": low, "high": high}


def _labels(labels: npt.ArrayLike, image: Image) -> npt.NDArray[np.uint8]:
    array = labels.filled(0) if isinstance(labels, np.ma.MaskedArray) else np.asarray(labels)
    if array.shape != image.shape:
        raise LabelError(f"Labels of shape {array.shape} do not fit; the image needs {image.shape}.")
    if array.dtype.kind not in "iub":
        raise LabelError(f"Labels of dtype {array.dtype} will not do; whole numbers will: labels.astype('uint8').")
    most = limits("classes")["count"]
    if array.min() < 0 or array.max() > most:
        raise LabelError(f"Labels reach from {array.min()} to {array.max()}; 0 to {most} will do.")
    return array.astype(np.uint8).reshape(image.pixels.shape[:3])


def _find_cuts(
    image: Image, spec: FeatureSpec, intensity: Intensity | None, threads: int
) -> tuple[npt.NDArray[np.float32], ...]:
    """Find the cuts of all features on a sample of tiles."""
    channels = image.pixels.shape[-1]
    count = spec.count(channels)
    tiles = sample_tiles(image.pixels.shape, tile_side(None, count), count)
    ends = np.cumsum([len(positions) for _, positions in tiles])
    values = np.empty((count, int(ends[-1])), np.float32)

    def make() -> Callable[[int], None]:
        engine = Engine()
        stack = FeatureStack(engine, spec, channels, intensity=intensity)
        bottom = engine.mark

        def work(number: int) -> None:
            engine.release(bottom)
            tile, positions = tiles[number]
            planes = stack.view(stack.compute(image.pixels, tile))
            end = int(ends[number])
            values[:, end - len(positions) : end] = planes[:, positions // tile.columns, positions % tile.columns]

        return work

    on_threads(range(len(tiles)), threads, make)
    return tuple(quantile_cuts(row) for row in values)


def _bins(
    image: Image,
    spec: FeatureSpec,
    intensity: Intensity | None,
    cuts: tuple[npt.NDArray[np.float32], ...],
    pixels: npt.NDArray[np.int64],
    threads: int,
) -> Bins:
    """Compute the bins of the pixels at these flat indices, uint8 (features, pixels)."""
    slices, rows, columns, channels = image.pixels.shape
    columns_of = np.empty((len(cuts), len(pixels)), np.uint8)
    place = np.stack(np.unravel_index(pixels, (slices, rows, columns)))
    side = tile_side(None, len(cuts))
    down, across = -(-rows // side), -(-columns // side)
    tiles = list(tiles_of(image.pixels.shape, side))
    number = (place[0] * down + place[1] // side) * across + place[2] // side
    order = np.argsort(number, kind="stable")
    numbers, starts = np.unique(number[order], return_index=True)
    members = dict(zip(numbers.tolist(), np.split(order, starts[1:]), strict=True))

    def make() -> Callable[[int], None]:
        engine = Engine()
        stack = FeatureStack(engine, spec, channels, intensity=intensity)
        quantiser = Quantiser(engine, cuts)
        bottom = engine.mark

        def work(number: int) -> None:
            engine.release(bottom)
            tile: Tile = tiles[number]
            own = members[number]
            bins = quantiser.view(quantiser.quantise(stack.compute(image.pixels, tile)), tile)
            columns_of[:, own] = bins[place[1, own] - tile.row0, place[2, own] - tile.column0].T

        return work

    on_threads(list(members), threads, make)
    return columns_of


def _grow(
    columns: Bins,
    class_of: Bins,
    classes: int,
    forest: dict[str, Any],
    cuts: tuple[npt.NDArray[np.float32], ...],
    threads: int,
) -> tuple[Forest, npt.NDArray[np.int64], list[float]]:
    """Grow all trees. Gives the forest, the out-of-bag votes (rows, classes) and the features' importance."""
    features = len(columns)
    count = forest["trees"]
    trees: list[tuple[npt.NDArray[np.int32], npt.NDArray[np.uint16]]] = [None] * count  # type: ignore[list-item]
    importance = np.zeros((count, features))
    growers: list[_Grower] = []

    def make() -> Callable[[int], None]:
        grower = _Grower(columns, class_of, classes, forest)
        growers.append(grower)

        def work(number: int) -> None:
            trees[number], importance[number] = grower.grow(number)

        return work

    on_threads(range(count), threads, make)
    votes = np.zeros((columns.shape[1], classes), np.int64)
    for grower in growers:
        votes += grower.out_of_bag
    nodes = np.concatenate([own for own, _ in trees])
    counts = np.array([len(own) for own, _ in trees], np.int64)
    leaves = np.array([len(own) for _, own in trees], np.int64)
    left = nodes[:, 2].astype(np.int64)
    leaf = nodes[:, 0] < 0
    # A tree numbers its leaves from 0, the forest numbers them over all trees.
    left[leaf] += np.repeat(np.cumsum(leaves) - leaves, counts)[leaf]
    joined = Forest(
        counts,
        nodes[:, 0].astype(np.int16),
        nodes[:, 1].astype(np.uint8),
        left,
        nodes[:, 3].astype(np.int64),
        np.concatenate([own for _, own in trees]),
        cuts,
    )
    return joined, votes, _shares(np.add.accumulate(importance)[-1]).tolist()


class _Grower:
    """Grows trees on a training set, on its own engine."""

    def __init__(self, columns: Bins, class_of: Bins, classes: int, forest: dict[str, Any]) -> None:
        self._forest = forest
        self._features, self._rows = columns.shape
        self._classes = classes
        depth = forest["maxDepth"]
        # The number of rows and the depth limit the number of leaves.
        leaves = min(self._rows, 1 << min(depth, 31))
        engine = self._engine = Engine()
        self._columns = engine.put(columns)
        self._class_of = engine.put(class_of)
        weights = np.zeros(-(-classes // 4) * 4)
        weights[:classes] = _class_weights(class_of, classes, forest["balanced"])
        self._weights = engine.put(weights)
        scratch = engine.call("growScratch", self._rows, self._features, classes, depth) & 0xFFFFFFFF
        sizes = (scratch, (2 * leaves - 1) * 16, leaves * classes * 2, self._rows * classes * 4, self._features * 8, 8)
        self._places = [engine.allocate(size) for size in sizes]
        self._votes()[:] = 0

    def grow(self, tree: int) -> tuple[tuple[npt.NDArray[np.int32], npt.NDArray[np.uint16]], npt.NDArray[np.float64]]:
        """Grow a tree by its number: nodes, int32 (nodes, 4), votes, uint16 (leaves, classes), and the features' importance."""
        forest, engine = self._forest, self._engine
        tried = forest["maxFeatures"]
        tried = math.isqrt(self._features) if tried == "sqrt" else min(tried, self._features)
        engine.call(
            "growTree",
            self._columns,
            self._rows,
            self._features,
            self._class_of,
            self._classes,
            self._weights,
            forest["maxDepth"],
            max(1, tried),
            forest["minLeaf"],
            1,
            _signed(forest["seed"]),
            tree,
            *self._places,
        )
        _, nodes, votes, _, importance, result = self._places
        count, leaves = (int(number) for number in engine.view(result, 8).view(np.uint32))
        grown = engine.view(nodes, count * 16).view(np.int32).reshape(count, 4).copy()
        leaf_votes = engine.view(votes, leaves * self._classes * 2).view(np.uint16).reshape(leaves, -1).copy()
        shares = _shares(engine.view(importance, self._features * 8).view(np.float64).copy())
        return (grown, leaf_votes), shares

    @property
    def out_of_bag(self) -> npt.NDArray[np.uint32]:
        """Votes (rows, classes) for each row by the trees of this grower that did not see it."""
        votes: npt.NDArray[np.uint32] = self._votes().copy()
        return votes

    def _votes(self) -> npt.NDArray[np.uint32]:
        flat = self._engine.view(self._places[3], self._rows * self._classes * 4).view(np.uint32)
        votes: npt.NDArray[np.uint32] = flat.reshape(self._rows, self._classes)
        return votes


def _class_weights(class_of: Bins, classes: int, balanced: bool) -> npt.NDArray[np.float64]:
    """Give the weights of the classes: equal, or balanced, so that all classes that occur have the same total weight."""
    counts = np.bincount(class_of, minlength=classes)
    if not balanced:
        return np.ones(classes)
    present = int(np.count_nonzero(counts))
    return np.array([len(class_of) / (present * int(n)) if n else 1.0 for n in counts])


def _shares(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Divide by the sum, unless it is 0. Adds one after the other, as JavaScript does, not pairwise as NumPy does."""
    total = np.add.accumulate(values)[-1]
    return values / total if total > 0 else values


def _out_of_bag_confusion(votes: npt.NDArray[np.int64], class_of: Bins) -> npt.NDArray[np.int64]:
    """Count rows by labelled class and class with the most votes (the first of equals). Rows without votes do not count."""
    seen = votes.max(axis=1) > 0
    classes = votes.shape[1]
    cells = np.bincount(class_of[seen].astype(np.int64) * classes + votes[seen].argmax(axis=1), minlength=classes**2)
    return cells.astype(np.int64).reshape(classes, classes)


def _out_of_bag_score(confusion: npt.NDArray[np.int64]) -> float | None:
    """Give the share of correct rows; None without rows."""
    seen = int(confusion.sum())
    return int(np.trace(confusion)) / seen if seen else None


def _signed(number: int) -> int:
    """Convert a u32 to an i32."""
    return number - (1 << 32) if number >> 31 else number
