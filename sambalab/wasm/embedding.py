"""The embedding in the feature stack: a few components on a coarse grid, interpolated to pixels.

``engine/core/embedding.ts`` has the formula; the kernel is ``engine/assembly/embedding.ts``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..spec.errors import ParameterError
from ..spec.feature_table import encoder_layers
from ..spec.features import FeatureSpec
from .engine import Engine

#: One layer of an image: float32 (slices, components, rows, columns), as `Classifier.embedding` gives them.
EmbeddingLike = Sequence[npt.ArrayLike]


@dataclass(frozen=True)
class EmbeddingMap:
    """One layer of an image.

    Attributes
    ----------
    data
        float32 (slices, components, rows, columns). The first cell begins at the image's upper left corner.
    cell
        Side of a cell in pixels of the image.
    """

    data: npt.NDArray[np.float32]
    cell: float

    @property
    def components(self) -> int:
        """Number of components."""
        return int(self.data.shape[1])

    def tile(self, engine: Engine, number: int, rows: tuple[int, int], columns: tuple[int, int], out: int) -> None:
        """Write the planes of a tile of slice `number` to address `out`; the ends of `rows` and `columns` are exclusive."""
        cells = self.data[number]
        (row0, row1), (column0, column1) = self._crop(rows, cells.shape[1]), self._crop(columns, cells.shape[2])
        mark = engine.mark
        place = engine.put(cells[:, row0:row1, column0:column1])
        engine.call(
            "embedTile",
            place,
            self.components,
            row0,
            column0,
            row1 - row0,
            column1 - column0,
            cells.shape[1],
            cells.shape[2],
            self.cell,
            *rows,
            *columns,
            out,
            engine.mark,
        )
        engine.release(mark)

    def _crop(self, pixels: tuple[int, int], count: int) -> tuple[int, int]:
        """Give the range of the cells between which these pixels lie."""
        first, last = (
            math.floor(max(0, min(count - 1, (pixel + 0.5) / self.cell - 0.5))) for pixel in (pixels[0], pixels[1] - 1)
        )
        return first, min(count, last + 2)


def maps_of(spec: FeatureSpec, embedding: Any, shape: tuple[int, ...]) -> tuple[EmbeddingMap, ...]:
    """Check the arrays of an embedding against a spec with a window and an image's shape (slices, rows, columns, channels).

    Raises
    ------
    ParameterError
        If the spec has an embedding and there are no arrays, or the reverse; or if they do not fit the layers and the image.
    """
    wanted = spec.embedding
    if wanted is None:
        if embedding is not None and not (isinstance(embedding, Sequence) and len(embedding) == 0):
            raise ParameterError("These features have no embedding; None will do.")
        return ()
    layers = wanted["layers"]
    if embedding is None:
        raise ParameterError(
            f"These features see what {wanted['model']} sees of an image, which is not computed here. Give it as embedding: "
            "classifier.embedding(image) has it of the sidecar. Or use features without an embedding."
        )
    if isinstance(embedding, np.ndarray) or not isinstance(embedding, Sequence) or len(embedding) != len(layers):
        what = (
            f"has {len(embedding)} layers" if isinstance(embedding, (list, tuple)) else f"is {type(embedding).__name__}"
        )
        raise ParameterError(f"embedding {what}; a list of {len(layers)} will do: {_names(layers)}.")
    maps = []
    for number, (layer, given) in enumerate(zip(layers, embedding, strict=True)):
        cell = wanted["window"] / encoder_layers(wanted["model"])[layer["layer"]]
        expected = (shape[0], layer["components"], math.ceil(shape[1] / cell), math.ceil(shape[2] / cell))
        data = np.asarray(given)
        if data.shape != expected or data.dtype != np.float32:
            raise ParameterError(
                f"embedding.{number}, {layer['layer']}, is {data.dtype} {data.shape}; float32 {expected} will do for this image."
            )
        if not np.isfinite(data).all():
            raise ParameterError(f"embedding.{number}, {layer['layer']}, has NaN or infinity; finite numbers will do.")
        maps.append(EmbeddingMap(np.ascontiguousarray(data), cell))
    return tuple(maps)


def _names(layers: Sequence[dict[str, object]]) -> str:
    return ", ".join(str(layer["layer"]) for layer in layers)
