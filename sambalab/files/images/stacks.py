"""Lists of images as stacks."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...spec.errors import ImageError
from .blocks import Blocks, Shape
from .source import Array

#: Bytes of all images of a list up to which they are opened at once.
_AT_ONCE = 1 << 26

_TOGETHER = "Make one labeller of each, and train them together: first.train(also=[second, third])."


class Stack:
    """Images of one shape as the slices of a stack. If they are large, files are opened one at a time, when they are read.

    Parameters
    ----------
    images
        Arrays and paths.
    first
        The first of them, open.
    open_one
        Opens another.

    Raises
    ------
    ImageError
        If they differ in shape or are stacks themselves; if they are opened one at a time, `read` raises it.
    """

    def __init__(self, images: Sequence[Any], first: Blocks, open_one: Callable[[Any], Blocks]) -> None:
        self._images = images
        self._open = open_one
        self._opened: dict[int, Blocks] = {0: first}
        if first.shape[0] > 1:
            raise ImageError(
                f"{len(images)} stacks of shape {first.shape[:3]} make no stack: its slices are single images. {_TOGETHER}"
            )
        self.shape: Shape = (len(images), *first.shape[1:])
        self.chunk = (1, first.chunk[1])
        self.dtype = first.dtype
        size = int(np.prod(self.shape, dtype=np.int64)) * first.dtype.itemsize
        files = all(isinstance(image, (str, os.PathLike)) for image in images)
        self._keeps = not files or size <= _AT_ONCE
        if self._keeps:
            self._opened.update({number: open_one(images[number]) for number in range(1, len(images))})
            _check_shapes(list(self._opened.values()))
            joined = np.result_type(*(blocks.dtype for blocks in self._opened.values()))
            self.dtype = np.dtype(np.float64) if joined.kind in "iu" and joined.itemsize == 8 else joined

    def read(self, slices: slice, rows: slice) -> Array:
        """Read a block: the array `[slices, rows]` in C order, of `dtype`."""
        parts = [self._one(number).read(slice(0, 1), rows) for number in range(slices.start, slices.stop)]
        return np.concatenate(parts).astype(self.dtype, copy=False)

    def direct(self) -> Array | None:
        """None: the images lie apart."""
        return None

    def _one(self, number: int) -> Blocks:
        known = self._opened.get(number)
        if known is None:
            known = self._open(self._images[number])
            if known.shape[1:] != self.shape[1:] or known.shape[0] > 1 or known.dtype != self.dtype:
                raise ImageError(
                    f"{os.fspath(self._images[number])} is {known.dtype} {known.shape}, and the first image is {self.dtype} "
                    f"{(1, *self.shape[1:])}: they make no stack. {_TOGETHER}"
                )
            self._opened = {number: known}
        return known


def _check_shapes(images: list[Blocks]) -> None:
    shapes = list(dict.fromkeys(_written(blocks.shape) for blocks in images))
    if len(shapes) > 1:
        some = " and ".join(shapes[:3]) + (", …" if len(shapes) > 3 else "")
        raise ImageError(f"Images of shapes {some} make no stack. {_TOGETHER}")


def _written(shape: Shape) -> str:
    slices, rows, columns, channels = shape
    return str(((slices,) if slices > 1 else ()) + (rows, columns) + ((channels,) if channels > 1 else ()))
