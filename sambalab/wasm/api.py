"""Feature stacks, bins and segmentations of whole images: arrays in, arrays out, computed tile by tile on threads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..files.images import Image, ImageLike, Index
from ..spec.classifier_document import ClassifierDocument
from ..spec.errors import ParameterError
from ..spec.features import FeaturesLike, FeatureSpec
from ..spec.forest import CUTS_MAX
from .embedding import EmbeddingLike, EmbeddingMap, maps_of
from .engine import Engine
from .forest import ForestApplier, Output, PackedForest, Quantiser, pack
from .intensity import Intensity, intensity_of
from .refine import Refiner, grown
from .stack import FeatureStack, Planes, Tile, image_of, tile_side, tiles_of, with_image
from .threads import on_threads, thread_count

# Computes the result of a tile from the planes of this tile, or of a larger one around it.
_Tool = Callable[[Tile, Planes, FeatureStack], npt.NDArray[Any]]

_OUTPUTS = ("labels", "probabilities", "uncertainty")
# Float32 values in a cache line.
_LINE = 16


def feature_stack(
    image: ImageLike,
    spec: FeaturesLike = "samba",
    *,
    tile: int | None = None,
    threads: int | None = None,
    out: npt.NDArray[np.float32] | None = None,
    embedding: EmbeddingLike | None = None,
    axes: str | None = None,
    series: int | None = None,
    index: Index | None = None,
) -> npt.NDArray[np.float32]:
    """Compute the feature stack of an image, as `Labeller.features` has it.

    The default is ``"samba"``, not the widget's default, which has an embedding: no encoder runs here.

    Parameters
    ----------
    image : array_like or path
        See `Labeller`. It is read into memory as a whole.
    spec
        A `FeatureSpec`, the name of a set, or a mapping. Without a range or a window in the spec, the image's are used.
    tile
        Side in pixels of the tiles in which the work is done. None is 256, or less for very many features. The result does not
        depend on it. Each thread holds the pixels and features of one tile.
    threads
        Number of threads; None: one per core, at most 16.
    out
        The array to write to, for example a memory map; None makes a new array.
    embedding
        For a spec with an embedding: a list with float32 (slices, components, rows, columns) for each layer, the result of
        `Classifier.embedding`.
    axes, series, index
        See `Labeller`.

    Returns
    -------
    ndarray
        float32 (rows, columns, features); of a stack (slices, rows, columns, features).

    Raises
    ------
    ImageError
        If this is not an image.
    ParameterError
        If a parameter is out of range.
    EngineError
        If wasmtime is not installed, or memory runs out.
    """
    chosen, prepared = FeatureSpec.of(spec), image_of(image, axes, series, index)
    chosen = with_image(chosen, prepared)
    channels = prepared.pixels.shape[-1]
    maps = maps_of(chosen, embedding, prepared.pixels.shape)
    result = _result(out, prepared, np.float32, (chosen.count(channels),))

    def tool(engine: Engine) -> _Tool:
        return lambda tile, planes, stack: stack.view(planes).transpose(1, 2, 0)

    _compute(prepared, chosen, maps, result, tile, threads, tool)
    return result


def quantise(
    image: ImageLike,
    cuts: Sequence[npt.ArrayLike],
    spec: FeaturesLike = "samba",
    *,
    tile: int | None = None,
    threads: int | None = None,
    embedding: EmbeddingLike | None = None,
    axes: str | None = None,
    series: int | None = None,
    index: Index | None = None,
) -> npt.NDArray[np.uint8]:
    """Compute the feature stack in bins. The bin of a value is the number of its feature's cuts below the value.

    Parameters
    ----------
    image, spec, tile, threads, embedding, axes, series, index
        See `feature_stack`.
    cuts
        For each feature at most 255 ascending finite numbers, converted to float32.

    Returns
    -------
    ndarray
        uint8 (rows, columns, features); of a stack (slices, rows, columns, features).

    Raises
    ------
    ImageError, ParameterError, EngineError
        See `feature_stack`; also if the number of lists of cuts is not that of the features.
    """
    chosen, prepared = FeatureSpec.of(spec), image_of(image, axes, series, index)
    chosen = with_image(chosen, prepared)
    count = chosen.count(prepared.pixels.shape[-1])
    checked = _cuts(cuts, count)
    maps = maps_of(chosen, embedding, prepared.pixels.shape)
    result = _result(None, prepared, np.uint8, (count,))

    def tool(engine: Engine) -> _Tool:
        quantiser = Quantiser(engine, checked)
        return lambda tile, planes, stack: quantiser.view(quantiser.quantise(planes), tile)

    _compute(prepared, chosen, maps, result, tile, threads, tool)
    return result


def intensity(
    image: ImageLike,
    *,
    threads: int | None = None,
    axes: str | None = None,
    series: int | None = None,
    index: Index | None = None,
) -> tuple[float, float]:
    """Compute the mean and the standard deviation by which an image's pixels are standardised, without outliers.

    A classifier in an ONNX file takes them as its input ``intensity``, where the image is passed in tiles or slices.

    Parameters
    ----------
    image, threads, axes, series, index
        See `feature_stack`.

    Returns
    -------
    tuple of float
        Mean and deviation of all values of all slices and channels. Values more than 10 deviations from the mean are clamped.

    Raises
    ------
    ImageError, ParameterError, EngineError
        See `feature_stack`.
    """
    found = intensity_of(image_of(image, axes, series, index).pixels, thread_count(threads))
    return found.mean, found.deviation


def apply_document(
    data: bytes,
    image: ImageLike | Image,
    output: Output = "labels",
    *,
    tile: int | None = None,
    threads: int | None = None,
    out: npt.NDArray[Any] | None = None,
    embedding: EmbeddingLike | None = None,
    axes: str | None = None,
    series: int | None = None,
    index: Index | None = None,
) -> npt.NDArray[Any]:
    """Segment an image with a classifier's JSON; `sambalab.engine.apply_classifier` describes the parameters."""
    if output not in _OUTPUTS:
        raise ParameterError(f"output is {output!r}; {', '.join(map(repr, _OUTPUTS))} will do.")
    loaded = _load(data)
    prepared = image_of(image, axes, series, index)
    channels = prepared.pixels.shape[-1]
    if channels != loaded.channels:
        raise ParameterError(
            f"The image has {channels} channels, the classifier was trained on images with {loaded.channels}."
        )
    maps = maps_of(loaded.spec, embedding, prepared.pixels.shape)
    axis = (len(loaded.ids),) if output == "probabilities" else ()
    result = _result(out, prepared, np.uint8 if output == "labels" else np.float32, axis)

    radius = loaded.refine
    intensity = _intensity(loaded.spec, prepared, threads, wanted=radius > 0)

    def tool(engine: Engine) -> _Tool:
        quantiser = Quantiser(engine, loaded.cuts)
        applier = ForestApplier(engine, loaded.forest)
        refiner = Refiner(engine, channels, intensity, radius) if radius and intensity else None

        def work(tile: Tile, planes: Planes, stack: FeatureStack) -> npt.NDArray[Any]:
            blocks = quantiser.quantise(planes)
            if refiner is None:
                found = applier.apply(tile, blocks, output)
            else:
                first = applier.place(planes.tile, blocks, "probabilities")
                found = refiner.refine(prepared.pixels, planes.tile, tile, first, len(loaded.ids), output)
            return loaded.ids[found] if output == "labels" else found

        return work

    def larger(tile: Tile) -> Tile:
        return grown(tile, prepared.pixels.shape, radius) if radius else tile

    _compute(prepared, loaded.spec, maps, result, tile, threads, tool, intensity, larger)
    return result


class _Loaded(NamedTuple):
    """A checked classifier, ready for the kernels."""

    spec: FeatureSpec
    channels: int
    ids: npt.NDArray[np.uint8]
    cuts: tuple[npt.NDArray[np.float32], ...]
    forest: PackedForest
    # Radius of the filter that smooths probabilities; 0: no filter.
    refine: int


@lru_cache(maxsize=4)
def _load(data: bytes) -> _Loaded:
    """Read and check a classifier. The last few stay in memory."""
    document = ClassifierDocument(data)
    document.check()
    ids = np.array(document.class_ids, np.uint8)
    forest = document.forest
    return _Loaded(document.spec, document.channels, ids, forest.cuts, pack(forest), document.refine)


def _cuts(cuts: Any, count: int) -> tuple[npt.NDArray[np.float32], ...]:
    lists: list[npt.NDArray[np.float32]] = []
    for number, given in enumerate(cuts):
        try:
            own = np.asarray(given, np.float32)
        except (TypeError, ValueError):
            own = np.full((1, 1), np.nan, np.float32)
        if own.ndim != 1 or len(own) > CUTS_MAX or not np.isfinite(own).all() or (np.diff(own) <= 0).any():
            raise ParameterError(
                f"The cuts of feature {number} will not do; at most {CUTS_MAX} finite numbers that ascend as float32 will."
            )
        lists.append(own + np.float32(0))
    if len(lists) != count:
        raise ParameterError(f"There are cuts of {len(lists)} features; these features of this image are {count}.")
    return tuple(lists)


def _result(out: Any, image: Image, dtype: type[np.generic], axis: tuple[int, ...]) -> npt.NDArray[Any]:
    shape = (*image.shape, *axis)
    if out is None:
        return np.empty(shape, dtype)
    if not isinstance(out, np.ndarray) or out.shape != shape or out.dtype != dtype or not out.flags.writeable:
        what = f"{out.dtype} {out.shape}" if isinstance(out, np.ndarray) else type(out).__name__
        raise ParameterError(f"out is {what}; a writable array of {np.dtype(dtype)} {shape} will do.")
    return out


def _compute(
    image: Image,
    spec: FeatureSpec,
    maps: tuple[EmbeddingMap, ...],
    result: npt.NDArray[Any],
    tile: int | None,
    threads: int | None,
    make: Callable[[Engine], _Tool],
    intensity: Intensity | None = None,
    larger: Callable[[Tile], Tile] = lambda tile: tile,
) -> None:
    """Fill an array tile by tile: each thread makes a tool, and the tool computes a tile's result from its planes."""
    pixels = image.pixels
    side, workers = tile_side(tile, spec.count(pixels.shape[-1])), thread_count(threads)
    target = result if image.stack else result[np.newaxis]
    intensity = intensity or _intensity(spec, image, threads)

    def tools() -> Callable[[Tile], None]:
        engine = Engine()
        stack = FeatureStack(engine, spec, pixels.shape[-1], maps, intensity)
        use = make(engine)
        bottom = engine.mark

        def work(part: Tile) -> None:
            engine.release(bottom)
            place = target[part.number][part.where]
            values = use(part, stack.compute(pixels, larger(part)), stack)
            if values.ndim == 2:
                place[:] = values
            else:
                # Transposes planes to pixels, one cache line of each pixel at a time.
                for first in range(0, values.shape[-1], _LINE):
                    place[..., first : first + _LINE] = values[..., first : first + _LINE]

        return work

    on_threads(list(tiles_of(pixels.shape, side)), workers, tools)


def _intensity(spec: FeatureSpec, image: Image, threads: int | None, wanted: bool = False) -> Intensity | None:
    """Compute the image's intensity, if it is wanted or the features are standardised."""
    return intensity_of(image.pixels, thread_count(threads)) if wanted or spec.standardise else None
