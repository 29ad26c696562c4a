"""Images, opened lazily, checked, converted to a dtype that the sidecar knows, and identified by a digest.

The way of an image:

- ``readers``: one file for each kind of image file, and the list of them. A reader gives a `source.Source`.
- ``arrays``: arrays from outside (NumPy, Dask, xarray, Pillow) as sources. ``stacks``: lists of images.
- ``axes``: which axis of a source holds slices, rows, columns and channels. ``questions``: the errors that ask which is meant.
- ``colours``: palettes, CMYK, alpha and MinIsWhite as grey or RGB.
- ``blocks``: reads, converts and checks a source, some rows or slices at a time.
- ``surveys``: digests of files that this process has read. ``image``: `Image`, the result. ``prepare``: puts the steps together.

Nothing outside of this folder imports its files, only what stands here.
"""

from .image import KEPT_BYTES, Image, as_bytes, display_range
from .prepare import ImageLike, prepare, tell
from .questions import Index

__all__ = ["KEPT_BYTES", "Image", "ImageLike", "Index", "as_bytes", "display_range", "prepare", "tell"]
