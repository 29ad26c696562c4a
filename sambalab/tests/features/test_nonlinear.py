"""Bilateral, Kuwahara, Lipschitz and diffusion features against plain NumPy and SciPy, on whole images."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy import ndimage

from sambalab import FeatureSpec, data
from sambalab.tests.shared_data import marked, shared_image

pytest.importorskip("wasmtime")

from sambalab.engine import feature_stack

Array = npt.NDArray[Any]


def crop(image: Array, size: int = 150) -> Array:
    """Take a part that is neither at the image's edge nor a square."""
    return np.ascontiguousarray(image[40 : 40 + size, 60 : 60 + size + 13])


def random(seed: int, high: int, dtype: str, shape: tuple[int, int]) -> Array:
    return np.random.default_rng(seed).integers(0, high, shape).astype(dtype)


IMAGES: dict[str, Callable[[], Array]] = {
    "superalloy": lambda: crop(shared_image("superalloy_0.png")),
    "tomography": lambda: crop(shared_image("tomography_0.tif")),
    "particles": lambda: crop(data.micrograph("particles", (256, 256), seed=1).image),
    "grains": lambda: crop(data.micrograph("grains", (256, 256), seed=2).image),
    "gold": lambda: crop(data.nanoporous_gold().image),
    "constant": lambda: np.full((30, 41), 117, np.uint8),
    "impulse": lambda: np.pad(np.full((1, 1), 255, np.uint8), ((31, 40), (37, 25))),
    "step": lambda: np.where(np.add.outer(np.arange(50) / 4, np.arange(61)) > 33, 200, 40).astype(np.uint8),
    "random 8 bits": lambda: random(1, 256, "uint8", (70, 83)),
    "random 16 bits": lambda: random(2, 65536, "uint16", (66, 45)),
    "random floats": lambda: np.random.default_rng(3).normal(-2, 5, (50, 52)).astype(np.float32),
    "one row": lambda: random(4, 256, "uint8", (1, 60)),
    "one column": lambda: random(5, 256, "uint8", (60, 1)),
    "one pixel": lambda: np.full((1, 1), 77, np.uint8),
}


@pytest.fixture(params=marked(IMAGES, shared=("superalloy", "tomography")))
def image(request: pytest.FixtureRequest) -> Array:
    return IMAGES[request.param]()


def only(family: str, image: Array, **parameters: Any) -> tuple[Array, list[str], tuple[float, float]]:
    """Compute one family alone: its channels, their names, and the values that stand for grey levels 0 and 255."""
    bounds = (0.0, 255.0)
    if image.dtype != np.uint8:
        low, high = float(image.min()), float(image.max())
        # Some values lie outside, as they do with percentiles.
        bounds = (low + 0.01 * (high - low), high - 0.02 * (high - low))
    spec = FeatureSpec(range=bounds, families={family: parameters})
    stack = feature_stack(image, spec)
    names = list(spec.names(1))
    assert names[0] == "original"
    return np.moveaxis(stack[..., 1:], -1, 0), names[1:], bounds


def levels(image: Array, bounds: tuple[float, float]) -> Array:
    scaled = (image.astype(np.float32).astype(float) - bounds[0]) * (255 / (bounds[1] - bounds[0]))
    return np.clip(np.floor(scaled + 0.5), 0, 255)


def assert_close(values: Array, expected: Array, name: str, bound: float = 1e-4) -> None:
    """The worst error is small beside the channel's standard deviation, or is what float32 leaves of 256 grey levels."""
    worst = float(np.abs(values - expected).max())
    unit = float(expected.std())
    assert worst <= max(bound * unit, 1e-4), f"{name}: {worst:g}, standard deviation {unit:g}"


# bilateral


def bilateral(grey: Array, radius: int, limit: float) -> Array:
    """Weigh all pixels of the window, as the definition says."""
    near, like = 0.4 * (radius + 1), 0.4 * (limit + 1)
    padded = np.pad(grey, radius, "edge")
    weights, sums = np.zeros_like(grey), np.zeros_like(grey)
    for down in range(-radius, radius + 1):
        for right in range(-radius, radius + 1):
            rows, columns = radius + down, radius + right
            other = padded[rows : rows + grey.shape[0], columns : columns + grey.shape[1]]
            difference = other - grey
            exponent = (down**2 + right**2) / (2 * near**2) + difference**2 / (2 * like**2)
            weight = np.where(np.abs(difference) <= limit, np.exp(-exponent), 0)
            weights += weight
            sums += weight * other
    return sums / weights


def test_bilateral_is_the_mean_weighted_by_distance_and_likeness(image):
    channels, names, bounds = only("bilateral", image, radii=[1, 5, 10], ranges=[3.5, 50, 100, 900])
    grey = levels(image, bounds)
    pairs = [(radius, limit) for radius in (1, 5, 10) for limit in (3.5, 50, 100, 900)]
    assert names[:2] == ["bilateral r=1 range=3.5", "bilateral r=1 range=50"]
    for values, name, (radius, limit) in zip(channels, names, pairs, strict=True):
        assert_close(values, bilateral(grey, radius, limit), name)


# Kuwahara


def rotated_line(length: int, direction: int) -> Array:
    """Rotate a column of one pixel's width by nearest neighbours and cut it to a square of `length`."""
    half = length // 2
    angle = direction * math.pi / 10
    rows, columns = np.mgrid[-half : half + 1, -half : half + 1]
    across = columns * math.cos(angle) + rows * math.sin(angle)
    along = rows * math.cos(angle) - columns * math.sin(angle)
    inside = (along >= -half - 3.01) & (along < half + 4)
    return (np.floor(across + 0.5) == 0) & inside


def kuwahara(image: Array, length: int) -> list[Array]:
    """Let each pixel take the mean of the most even line that runs through it."""
    reach = length // 2
    values = np.pad(image.astype(np.float32).astype(float), 3 * reach, "edge")
    best: list[tuple[Array, Array] | None] = [None, None, None]
    for direction in range(10):
        line = rotated_line(length, direction)
        weights = line.astype(float)
        n = weights.sum()
        total = ndimage.correlate(values, weights, mode="nearest")
        squares = ndimage.correlate(values**2, weights, mode="nearest")
        mean = total / n
        variance = np.maximum(n * squares - total**2, 0) / n**2
        with np.errstate(divide="ignore", invalid="ignore"):
            criteria = [
                variance,
                np.where(variance == 0, 0, variance / np.abs(mean)),
                np.where(variance == 0, 0, variance / mean**2),
            ]
        for number, criterion in enumerate(criteria):
            for down, right in zip(*np.nonzero(line), strict=True):
                shift = (reach - down, reach - right)
                other = np.roll(criterion.astype(np.float32), shift, (0, 1))
                own = np.roll(mean.astype(np.float32), shift, (0, 1))
                known = best[number]
                if known is None:
                    best[number] = (other, own)
                    continue
                better = (other < known[0]) | ((other == known[0]) & (own < known[1]))
                best[number] = (np.where(better, other, known[0]), np.where(better, own, known[1]))
    rows, columns = image.shape
    inner = slice(3 * reach, 3 * reach + rows), slice(3 * reach, 3 * reach + columns)
    return [each[1][inner] for each in best if each is not None]


@pytest.mark.parametrize("length", [3, 9, 19])
def test_kuwahara_takes_the_mean_of_the_most_even_line_through_a_pixel(image, length):
    channels, names, _ = only("kuwahara", image, length=length)
    assert names == ["kuwahara variance", "kuwahara variance/mean", "kuwahara variance/mean²"]
    for values, expected, name in zip(channels, kuwahara(image, length), names, strict=True):
        if image.dtype.kind == "u":
            assert np.array_equal(values, expected), name
        else:
            # Sums of floats in another order may choose another of two lines that are equally even but for rounding.
            far = np.abs(values - expected) > 1e-5 * expected.std()
            assert far.mean() < 1e-3, name


def test_kuwahara_keeps_an_edge_sharp():
    image = IMAGES["step"]()
    for values in only("kuwahara", image)[0]:
        assert np.array_equal(values, image)


# Lipschitz


def cover(grey: Array, slope: int) -> Array:
    """Raise each pixel to the cones of its eight neighbours until nothing changes."""
    diagonal = math.floor(slope * math.sqrt(2))
    fall = np.array([[diagonal, slope, diagonal], [slope, 0, slope], [diagonal, slope, diagonal]])
    while True:
        raised = ndimage.grey_dilation(grey, structure=-fall, mode="nearest")
        if np.array_equal(raised, grey):
            return grey
        grey = raised


def test_lipschitz_is_the_gap_to_the_least_cover_of_limited_slope(image):
    slopes = [2, 5, 17, 25, 128, 255]
    channels, names, bounds = only("lipschitz", image, slopes=slopes)
    grey = levels(image, bounds).astype(int)
    for values, name, slope in zip(channels, names, slopes, strict=True):
        assert np.array_equal(values, 255 + grey - cover(grey, slope)), name


# anisotropic diffusion


def diffused(grey: Array, conductance: float, iterations: int) -> Array:
    """Iterate Perona and Malik's scheme in double precision."""
    for _ in range(iterations):
        padded = np.pad(grey, 1, "edge")
        change = np.zeros_like(grey)
        for other in (padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:]):
            difference = other - grey
            change += np.exp(-((difference / conductance) ** 2)) * difference
        grey = grey + change / 4
    return grey


# The scheme sharpens slopes above K / √2, also those of rounding errors, which grow in many iterations.
@pytest.mark.parametrize(("iterations", "bound"), [(1, 2e-6), (20, 1e-4), (60, 1e-3)])
def test_diffusion_is_that_of_perona_and_malik(image, iterations, bound):
    conductances = [0.5, 10, 30, 255]
    channels, names, bounds = only("anisotropicDiffusion", image, conductances=conductances, iterations=iterations)
    grey = (image.astype(np.float32).astype(float) - bounds[0]) * (255 / (bounds[1] - bounds[0]))
    for values, name, conductance in zip(channels, names, conductances, strict=True):
        assert_close(values, diffused(grey, conductance, iterations), name, bound)


def test_diffusion_keeps_the_sum_of_pixels():
    image = IMAGES["random 8 bits"]()
    for values in only("anisotropicDiffusion", image)[0]:
        assert values.mean(dtype=float) == pytest.approx(image.mean(), rel=1e-6)
        assert values.std() < image.std()


# tiles


@pytest.mark.parametrize("tile", [1, 17, 64])
def test_tiles_of_any_size_give_the_same_bits(tile):
    image = random(6, 65536, "uint16", (60 if tile > 1 else 6, 71 if tile > 1 else 9))
    spec = FeatureSpec(
        range=(1000, 60000),
        families={
            "bilateral": {"radii": [3], "ranges": [40]},
            "kuwahara": {},
            "lipschitz": {"slopes": [5, 20]},
            "anisotropicDiffusion": {"iterations": 12},
        },
    )
    whole = feature_stack(image, spec, tile=1024, threads=1)
    assert np.array_equal(feature_stack(image, spec, tile=tile, threads=2), whole)
