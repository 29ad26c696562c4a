"""What a reader of image files gives: an array that is read where it is indexed, and what the file says of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ...spec.errors import ImageError
from ...spec.parameters import show

Array = npt.NDArray[Any]

#: Width of a pixel and its unit.
PixelSize = tuple[float, str]


class Conversion(NamedTuple):
    """Pixels as they are stored to pixels as they are shown.

    Attributes
    ----------
    apply
        Converts a block (slices, rows, columns, `before` channels) to one of `after` channels. It may raise ImageError.
    before
        Channels of the stored image; None: any number, which it keeps.
    after
        Channels of the shown image; None if `before` is None.
    dtype
        The dtype that `apply` gives.
    """

    apply: Callable[[Array], Array]
    before: int | None
    after: int | None
    dtype: np.dtype[Any]


@dataclass(frozen=True)
class Source:
    """An image that is not read yet.

    Examples
    --------
    >>> Source(np.zeros((4, 512, 512), np.uint16), "CYX", pixel_size=(0.5, "µm"), title="composite.tif")

    Attributes
    ----------
    array
        Anything with shape, dtype, and an index of slices, that `numpy.asarray` reads: an array, a memory map, a Zarr or Dask
        array.
    axes
        A letter for each axis, as in tifffile: Y rows, X columns, Z or T slices, C channels, S samples (of colours), I or Q
        pages. The user is asked for the meaning of other letters. None: unknown.
    conversion
        How stored pixels become grey or RGB.
    flip
        Whether rows, and columns, are stored in the opposite order.
    chunk
        Lengths along each axis that are read well together.
    pixel_size
        What the file says.
    title
        The file's name, or an empty string.
    notes
        Lines that the user is told.
    dimensions
        Names of the axes, if the file has them; for errors.
    is_one_file
        Whether all pixels lie in the file that was opened, and are read from it when they are needed.
    file
        The file, or the folder of Zarr, that was opened; None for arrays.
    """

    array: Any
    axes: str | None = None
    conversion: Conversion | None = None
    flip: tuple[bool, bool] = (False, False)
    chunk: tuple[int, ...] | None = None
    pixel_size: PixelSize | None = None
    title: str = ""
    notes: tuple[str, ...] = ()
    dimensions: tuple[str, ...] = ()
    is_one_file: bool = False
    file: Path | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array."""
        return tuple(int(length) for length in self.array.shape)

    @property
    def in_memory(self) -> bool:
        """Whether reading costs no more than a view."""
        return isinstance(self.array, np.ndarray)


def choose_largest(sizes: list[tuple[int, int]], series: int | None) -> tuple[int, tuple[str, ...]]:
    """Choose one of several images in a file: `series`, or else the first of the largest.

    Parameters
    ----------
    sizes
        Rows and columns of each image.
    series
        The user's choice.

    Returns
    -------
    number : int
        The image's number.
    notes : tuple of str
        A line that says so, if the file has several images and the user did not choose.

    Raises
    ------
    ImageError
        If there is no such image.
    """
    if series is not None:
        if isinstance(series, bool) or not isinstance(series, (int, np.integer)) or not 0 <= series < len(sizes):
            raise ImageError(f"series is {show(series)}; the file has {listed(sizes)}.")
        return int(series), ()
    number = max(range(len(sizes)), key=lambda index: (sizes[index][0] * sizes[index][1], -index))
    if len(sizes) == 1:
        return number, ()
    rows, columns = sizes[number]
    largest = "the first" if len(set(sizes)) == 1 else "the largest"
    return number, (
        f"{len(sizes)} images are in the file; {largest}, series {number} of {rows} × {columns}, is shown. "
        f"series= chooses another: {listed(sizes)}.",
    )


def listed(sizes: list[tuple[int, int]]) -> str:
    """Name the images of a file by number and size."""
    some = ", ".join(f"{number} ({rows} × {columns})" for number, (rows, columns) in enumerate(sizes[:6]))
    return some + (f", … to {len(sizes) - 1}" if len(sizes) > 6 else "")
