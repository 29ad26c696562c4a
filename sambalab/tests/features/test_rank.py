"""Mean, variance, extrema, median and entropy over discs against SciPy, scikit-image and plain NumPy, on whole images."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import skimage.filters.rank
from scipy import ndimage

from sambalab import FeatureSpec, data
from sambalab.tests.shared_data import marked, shared_image

pytest.importorskip("wasmtime")

from sambalab.engine import feature_stack

Array = npt.NDArray[Any]
#: Radii of every way a median goes: thinned out as bytes and as floats, by histogram, by ranks.
RADII = (0.5, 1, 1.5, 2, 2.9, 3, 4, 8, 16)
FAMILIES = ("mean", "variance", "minimum", "maximum", "median", "entropy")
#: Worst error in units of the channel's standard deviation.
BOUND = 1e-4


def random(seed: int, low: int, high: int, dtype: str, shape: tuple[int, int]) -> Array:
    return np.random.default_rng(seed).integers(low, high, shape).astype(dtype)


IMAGES: dict[str, Callable[[], Array]] = {
    "superalloy_0": lambda: shared_image("superalloy_0.png")[40:190, 60:223],
    "tomography_0": lambda: shared_image("tomography_0.tif")[40:190, 60:223],
    "particles": lambda: data.micrograph("particles", (150, 163), seed=1).image,
    "grains": lambda: data.micrograph("grains", (150, 163), seed=2).image,
    "the shipped image": lambda: data.nanoporous_gold().image[300:440, 500:671],
    "a constant": lambda: np.full((30, 41), 117, np.uint8),
    "a constant of floats": lambda: np.full((30, 41), 0.1, np.float32),
    "an impulse": lambda: np.pad(np.full((1, 1), 255, np.uint8), ((31, 40), (37, 25))),
    "a step": lambda: np.where(np.add.outer(np.arange(50) / 4, np.arange(61)) > 33, 200, 40).astype(np.uint8),
    "random bytes": lambda: random(1, 0, 256, "uint8", (70, 83)),
    "random values of 16 bits": lambda: random(2, 0, 65536, "uint16", (66, 45)),
    "random values with a sign": lambda: random(3, -3000, 3000, "int16", (51, 62)),
    "few values of 16 bits, many of them equal": lambda: random(4, 1000, 1007, "uint16", (60, 60)),
    "small differences of large floats": lambda: (1e4 + random(5, 0, 512, "float32", (55, 50)) / 256).astype("float32"),
    "random floats": lambda: np.random.default_rng(6).normal(-2, 5, (50, 52)).astype(np.float32),
    "one row": lambda: random(7, 0, 256, "uint8", (1, 60)),
    "one column of floats": lambda: np.random.default_rng(8).normal(0, 1, (60, 1)).astype(np.float32),
    "one pixel": lambda: np.full((1, 1), 77, np.uint8),
}


@pytest.fixture(params=marked(IMAGES, shared=("superalloy_0", "tomography_0")))
def image(request: pytest.FixtureRequest) -> Array:
    return np.ascontiguousarray(IMAGES[request.param]())


def disc(radius: float) -> Array:
    """ImageJ's: all pixels with x² + y² ≤ r² + 1."""
    reach = int(np.sqrt(radius**2 + 1))
    squares = np.arange(-reach, reach + 1) ** 2
    return np.add.outer(squares, squares) <= radius**2 + 1


def shifts(image: Array, radius: float) -> list[Array]:
    """Give the image seen from each pixel of the disc."""
    inside = disc(radius)
    reach = len(inside) // 2
    padded = np.pad(image, reach, mode="edge")
    rows, columns = image.shape
    return [padded[row : row + rows, column : column + columns] for row, column in np.argwhere(inside)]


def mean(image: Array, radius: float) -> Array:
    parts = shifts(image, radius)
    return np.asarray(sum(parts) / len(parts))


def variance(image: Array, radius: float) -> Array:
    centre = mean(image, radius)
    parts = shifts(image, radius)
    return np.asarray(sum((part - centre) ** 2 for part in parts) / len(parts))


def ranked(function: Callable[..., Array]) -> Callable[[Array, float], Array]:
    return lambda image, radius: np.asarray(function(image, footprint=disc(radius), mode="nearest"))


def entropy(levels: Array, radius: float, bins: int) -> Array:
    counts = np.zeros((*levels.shape, bins))
    rows, columns = np.indices(levels.shape)
    for part in shifts(levels * bins // 256, radius):
        counts[rows, columns, part] += 1
    portions = counts / counts.sum(axis=-1, keepdims=True)
    return -np.sum(portions * np.log2(portions, out=np.zeros_like(portions), where=portions > 0), axis=-1)


ORACLES = {
    "mean": mean,
    "variance": variance,
    "minimum": ranked(ndimage.minimum_filter),
    "maximum": ranked(ndimage.maximum_filter),
    "median": ranked(ndimage.median_filter),
}


def only(family: str, image: Array, radii: tuple[float, ...] = RADII, **rest: Any) -> Array:
    """Compute one family alone: its channels, without the original."""
    parameters = {"sigmas": radii, **{name: rest.pop(name) for name in ("bins",) if name in rest}}
    spec = FeatureSpec(families={family: parameters}, range=rest.pop("range", None))
    return np.moveaxis(feature_stack(image, spec, **rest)[..., 1:], -1, 0)


@pytest.mark.parametrize("family", ["mean", "variance"])
def test_moments_are_those_of_the_disc(family, image):
    values = image.astype(float)
    for radius, channel in zip(RADII, only(family, image), strict=True):
        expected = ORACLES[family](values, radius)
        worst, unit = np.abs(channel - expected).max(), expected.std()
        # Where all pixels of a channel are nearly equal, float32 limits the accuracy.
        assert worst <= max(BOUND * unit, 1e-7 * np.abs(expected).max(), 1e-15 * np.abs(values).max() ** 2), radius


@pytest.mark.parametrize("family", ["minimum", "maximum", "median"])
def test_ranks_are_exact_for_every_type(family, image):
    values = image.astype(float)
    for radius, channel in zip(RADII, only(family, image), strict=True):
        assert np.array_equal(channel, ORACLES[family](values, radius)), radius


def test_the_entropy_is_that_of_the_binned_levels(image):
    image = np.ascontiguousarray(image[:90, :100])
    bounds, levels = (0.0, 255.0), image
    if image.dtype != np.uint8:
        # Some values lie outside, as they do with percentiles.
        low, high = float(image.min()), float(image.max()) + 1e-3
        bounds = (low + 0.01 * (high - low), high - 0.02 * (high - low))
        scaled = (image.astype(float) - bounds[0]) * (255 / (bounds[1] - bounds[0]))
        levels = np.clip(np.floor(scaled + 0.5), 0, 255)
    radii, bins = (0.5, 1, 3, 16), (2, 32, 100, 256)
    channels = iter(only("entropy", image, radii, bins=bins, range=bounds))
    for radius in radii:
        for count in bins:
            channel, expected = next(channels), entropy(levels.astype(int), radius, count)
            worst, unit = np.abs(channel - expected).max(), expected.std()
            assert worst <= max(BOUND * unit, 1e-6), (radius, count)
            assert (channel[expected == 0] == 0).all()


@pytest.mark.parametrize(
    ("radius", "pixels"), [(0.5, 5), (1, 9), (1.5, 9), (2, 21), (2.5, 21), (3, 37), (4, 57), (8, 213), (16, 805)]
)
def test_the_disc_is_imagejs(radius, pixels):
    image = np.zeros((61, 73), np.uint8)
    image[30, 36] = 1
    shown = only("maximum", image, (radius,))[0] == 1
    assert shown.sum() == pixels == disc(radius).sum()
    reach = len(disc(radius)) // 2
    assert np.array_equal(shown[30 - reach : 31 + reach, 36 - reach : 37 + reach], disc(radius))


@pytest.mark.parametrize("radius", [1, 3, 9])
def test_scikit_image_has_the_same_inside_the_image(radius):
    image = np.ascontiguousarray(data.nanoporous_gold().image[:150, :160])
    inside = np.s_[len(disc(radius)) // 2 : -(len(disc(radius)) // 2)]
    footprint = disc(radius).astype(np.uint8)
    for family, function in (
        ("median", "median"),
        ("minimum", "minimum"),
        ("maximum", "maximum"),
        ("entropy", "entropy"),
    ):
        more = {"bins": (256,)} if family == "entropy" else {}
        channel = only(family, image, (radius,), **more)[0]
        expected = getattr(skimage.filters.rank, function)(image, footprint)
        assert np.allclose(channel[inside, inside], expected[inside, inside], rtol=0, atol=1e-5), family


@pytest.mark.parametrize("kind", ["uint8", "uint16", "int16", "float32"])
def test_the_median_does_not_depend_on_the_way_it_is_computed(kind):
    image = random(9, 0, 200, "uint8", (70, 60))
    expected = only("median", image)
    factor, offset = {"uint8": (1, 30), "uint16": (300, 0), "int16": (1, -100), "float32": (0.25, -7.5)}[kind]
    other = (image.astype(float) * factor + offset).astype(kind)
    assert np.array_equal(only("median", other), expected * factor + offset)


def test_the_largest_disc_reaches_across_small_tiles():
    image = random(10, 0, 65536, "uint16", (80, 90))
    for family in ("mean", "maximum", "median"):
        channel = only(family, image, (64,), tile=37)[0]
        expected = ORACLES[family](image.astype(float), 64)
        assert np.allclose(channel, expected, rtol=1e-7, atol=0), family


@pytest.mark.parametrize("tile", [17, 64, 100])
def test_tiles_leave_no_trace_where_parts_of_the_image_are_bytes_and_others_are_not(tile):
    # The median treats tiles of whole numbers differently from tiles of floats; both must keep a signed zero.
    image = random(11, 0, 256, "float32", (130, 150))
    image[:, 75:] += 0.5
    image[:40, :40] = -0.0
    image[60:, :50] -= 128
    spec = FeatureSpec(families={family: {"sigmas": (1, 2.5, 4, 9)} for family in FAMILIES}, range=(0, 255))
    whole = feature_stack(image, spec, tile=1000, threads=1)
    tiled = feature_stack(image, spec, tile=tile, threads=2)
    assert np.array_equal(whole.view(np.uint32), tiled.view(np.uint32))


def test_each_channel_of_a_colour_image_is_taken_on_its_own():
    image = np.stack([random(seed, 0, 256, "uint8", (40, 50)) for seed in range(3)], axis=-1)
    spec = FeatureSpec(families={family: {"sigmas": (1, 5)} for family in ("median", "entropy")})
    together = feature_stack(image, spec)
    alone = [feature_stack(image[..., channel], spec) for channel in range(3)]
    assert np.array_equal(together, np.concatenate(alone, axis=-1))
