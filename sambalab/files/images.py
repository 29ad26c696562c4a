"""Images, loaded, checked, converted to a dtype that the sidecar knows, and identified by a digest."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Union

import numpy as np
import numpy.typing as npt

from ..spec.errors import ImageError

ImageLike = Union[npt.ArrayLike, "os.PathLike[str]", str, Sequence["os.PathLike[str] | str"]]
Array = npt.NDArray[Any]

_KEPT = frozenset(["uint8", "uint16", "int16", "uint32", "int32", "float32", "float64"])
_TOGETHER = "Make one labeller of each, and train them together: first.train(also=[second, third])."
_SAMPLE = 1 << 20
_CHUNK = 1 << 22


@dataclass(frozen=True)
class Image:
    """Checked pixels.

    Attributes
    ----------
    pixels
        Array of shape (slices, rows, columns, channels) with 1 or 3 channels, C order, native byte order.
    stack
        Whether the given image was a stack; if not, there is one slice.
    title
        The file's name, or an empty string.
    """

    pixels: Array
    stack: bool
    title: str

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the labels: (rows, columns), of a stack (slices, rows, columns)."""
        return self.pixels.shape[:3] if self.stack else self.pixels.shape[1:3]

    def digest(self) -> str:
        """SHA-256 of dtype, shape and pixels, 64 hexadecimal digits."""
        sha = hashlib.sha256(f"{self.pixels.dtype.name} {self.pixels.shape}".encode())
        sha.update(as_bytes(self.pixels))
        return sha.hexdigest()

    def info(self) -> dict[str, Any]:
        """Describe the image as the protocol's ``zImage`` does."""
        low, high = display_range(self.pixels)
        return {
            "shape": list(self.pixels.shape),
            "dtype": self.pixels.dtype.name,
            "digest": self.digest(),
            "display": {"low": low, "high": high},
        }


def as_bytes(array: Array) -> memoryview:
    """View the memory of a contiguous array as bytes."""
    return array.reshape(-1).view(np.uint8).data


def prepare(image: ImageLike) -> Image:
    """Load and check an image.

    Parameters
    ----------
    image : array_like or path
        A grey image (rows, columns), a colour image (rows, columns, 3) or a stack of grey images (slices, rows, columns):
        **a last axis of exactly 3 is colour**. Any real dtype; booleans become 0 and 255, int8 int16, float16 float32, and 64-bit
        integers 32-bit ones where they fit, else float64. Or the path of a file that tifffile or Pillow reads.

        A list of grey images of one shape, or of their paths, is a stack.

    Raises
    ------
    ImageError
        If this is not such an image, or has NaN or infinity. The message says what would do.
    """
    title = ""
    stacked = False
    if isinstance(image, (list, tuple)) and any(
        _is_path(part) or len(getattr(part, "shape", ())) > 1 for part in image
    ):
        array, stacked = _stacked(image)
    elif isinstance(image, (str, os.PathLike)):
        if not os.fspath(image):
            raise ImageError("The path is empty.")
        path = Path(image).expanduser()
        title = path.name
        array = _load(path)
    else:
        array = _as_array(image)
    plain = _plain_dtype(array if stacked else _check_shape(array))
    if plain.ndim == 2:
        pixels, stack = plain[np.newaxis, :, :, np.newaxis], False
    elif plain.shape[-1] == 3 and not stacked:
        pixels, stack = plain[np.newaxis], False
    else:
        pixels, stack = plain[..., np.newaxis], True
    pixels = np.ascontiguousarray(pixels)
    _check_finite(pixels)
    return Image(pixels, stack, title)


def display_range(pixels: Array) -> tuple[float, float]:
    """Give the values that are shown as black and white, low < high.

    0 and 255 for uint8; else the 0.1 and 99.9 percentile of an evenly spaced sample of the values.
    """
    if pixels.dtype == np.uint8:
        return 0.0, 255.0
    flat = pixels.reshape(-1)
    sample = flat[:: max(1, flat.size // _SAMPLE)].astype(np.float64)
    low, high = (float(value) for value in np.percentile(sample, [0.1, 99.9]))
    if not low < high:
        low, high = float(sample.min()), float(sample.max())
    if not low < high:
        # A constant image is shown as black. The next float above would be lost where the range is scaled in single precision.
        high = low + max(1.0, abs(low) * 1e-3)
    return low, high


def _is_path(image: Any) -> bool:
    return isinstance(image, (str, os.PathLike))


def _stacked(images: Sequence[Any]) -> tuple[Array, bool]:
    """Stack grey images of one shape, or files of them. False if the list holds the rows of one image."""
    arrays = [_load(Path(image).expanduser()) if _is_path(image) else _as_array(image) for image in images]
    shapes = list(dict.fromkeys(array.shape for array in arrays))
    if len(shapes) > 1:
        some = " and ".join(str(shape) for shape in shapes[:3]) + (", …" if len(shapes) > 3 else "")
        raise ImageError(f"Images of shapes {some} make no stack. {_TOGETHER}")
    if len(shapes[0]) < 2:
        return np.stack(arrays), False
    if len(shapes[0]) > 2:
        raise ImageError(f"{len(arrays)} images of shape {shapes[0]} make no stack: its slices are grey. {_TOGETHER}")
    for array in arrays:
        _check_shape(array)
    return np.stack(arrays), True


def _load(path: Path) -> Array:
    if not path.exists():
        raise ImageError(f"There is no file {path} (looked for in {Path.cwd()}).")
    if not path.is_file():
        raise ImageError(f"{path} is not a file.")
    try:
        if path.suffix.lower() in (".tif", ".tiff"):
            import tifffile

            loaded: Array = np.asarray(tifffile.imread(path))
        else:
            loaded = _load_with_pillow(path)
    except Exception as error:  # each format's reader raises other types
        reason = str(error).strip() or type(error).__name__
        raise ImageError(f"{path} cannot be read as an image: {reason}") from error
    if loaded.ndim == 3 and loaded.shape[-1] == 4 and loaded.dtype == np.uint8 and (loaded[..., 3] == 255).all():
        loaded = loaded[..., :3]  # fully opaque, so the alpha channel says nothing
    return loaded


def _load_with_pillow(path: Path) -> Array:
    from PIL import Image as Pillow

    with Pillow.open(path) as opened:
        if opened.mode in ("P", "CMYK", "YCbCr", "LAB", "HSV"):
            return np.asarray(opened.convert("RGB"))
        if opened.mode == "LA":
            return np.asarray(opened.convert("L"))
        return np.asarray(opened)


def _as_array(image: Any) -> Array:
    if image is None:
        raise ImageError("There is no image: None was given.")
    compute = getattr(image, "compute", None)
    if callable(compute) and hasattr(image, "dask"):
        image = compute()
    try:
        array = np.asarray(image)
    except Exception as error:
        raise ImageError(f"{type(image).__name__} cannot be read as an array: {error}") from error
    if np.ma.isMaskedArray(image) and np.ma.getmaskarray(image).any():
        raise ImageError(
            f"{int(np.ma.getmaskarray(image).sum())} pixels are masked. Give them a value first: image.filled(0)."
        )
    return array


def _check_shape(array: Array) -> Array:
    shape = array.shape
    wanted = "(rows, columns), (rows, columns, 3) or (slices, rows, columns) will do"
    if array.size == 0:
        raise ImageError(f"The image is empty: its shape is {shape}.")
    if array.ndim < 2 or array.ndim > 3:
        more = " Pass one slice or channel, or a path to a file of these." if array.ndim > 3 else ""
        raise ImageError(f"An array with {array.ndim} axes, shape {shape}, is not an image; {wanted}.{more}")
    if array.ndim == 3 and shape[-1] in (1, 2, 4) and shape[0] > 4 and shape[1] > 4:
        advice = {
            1: "drop the last axis: image[..., 0]",
            2: "pick one channel: image[..., 0]",
            4: "leave out the alpha channel: image[..., :3]",
        }[shape[-1]]
        raise ImageError(f"The image has {shape[-1]} channels, shape {shape}; {wanted}. Please {advice}.")
    return array


def _plain_dtype(array: Array) -> Array:
    """Convert to a dtype of shared arrays."""
    dtype = array.dtype
    if dtype.kind == "b":
        grey: Array = np.where(array, np.uint8(255), np.uint8(0))
        return grey
    if dtype.kind not in "iuf":
        raise ImageError(
            f"Pixels of dtype {dtype} cannot be labelled; real numbers will do (bool, integers, floats)."
            + (" Take the magnitude: abs(image)." if dtype.kind == "c" else "")
        )
    if dtype.name in _KEPT:
        return array.astype(dtype.newbyteorder("="), copy=False)
    if dtype.kind == "i" and dtype.itemsize == 1:
        return array.astype(np.int16)  # 8-bit values are displayed unscaled, which cannot show values below 0
    if dtype.kind == "f":
        return array.astype(np.float32 if dtype.itemsize == 2 else np.float64)
    narrow = np.dtype(np.int32 if dtype.kind == "i" else np.uint32)
    limits = np.iinfo(narrow)
    fits = bool(array.min() >= limits.min and array.max() <= limits.max)
    converted: Array = array.astype(narrow if fits else np.float64)
    return converted


def _check_finite(pixels: Array) -> None:
    if pixels.dtype.kind != "f":
        return
    flat = pixels.reshape(-1)
    nans = infinite = 0
    for start in range(0, flat.size, _CHUNK):
        part = flat[start : start + _CHUNK]
        if not np.isfinite(part).all():
            nans += int(np.isnan(part).sum())
            infinite += int(np.isinf(part).sum())
    if nans or infinite:
        raise ImageError(
            f"{nans:,} of {flat.size:,} values are NaN and {infinite:,} are infinite. "
            "Replace them first, for instance with numpy.nan_to_num(image, nan=0, posinf=0, neginf=0)."
        )
    most = max(abs(float(pixels.min())), abs(float(pixels.max()))) if flat.size else 0.0
    if most > float(np.finfo(np.float32).max):
        raise ImageError(
            f"The largest value is {most:.3g}; features are computed in single precision, up to 3.4e38. Scale it."
        )
