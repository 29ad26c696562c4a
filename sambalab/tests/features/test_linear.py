"""Linear features and features computed from them, against NumPy and SciPy in double precision.

Where a definition is Weka's or SciPy's own, it is theirs that is written out; the kernels' files (`engine/assembly/families`)
say where they differ.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from math import ceil, floor, pi
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import scipy.ndimage as ndi
import scipy.signal as signal
import skimage.color

import sambalab.files.data
from sambalab import FeatureSpec
from sambalab.engine import feature_stack
from sambalab.tests.shared_data import marked, shared_image

Array = npt.NDArray[np.float64]
#: Channels by name.
Channels = dict[str, Array]

#: Families that stand in an oracle of their own below.
ALONE = ("derivatives", "laplacian", "structure_tensor", "neighbours", "gabor")
NOTHING = dict.fromkeys(("gaussian", "sobel", "hessian", "difference_of_gaussians", "membrane"), False)
SIGMAS = (1, 2, 4, 8, 16)
#: Where SciPy's kernels of derivatives end, in standard deviations: there is nothing beyond.
WHOLE = 9.0
#: Worst error in units of the channel's standard deviation.
BOUND = 1e-4
#: Gabor filters are computed in float32: of a bright image with hardly any structure they lose a digit more.
BOUND_GABOR = {"a smooth image of 16 bits": 1e-3}


def _images() -> dict[str, Callable[[], npt.NDArray[Any]]]:
    random = np.random.default_rng(7)
    impulse = np.zeros((61, 70), np.uint8)
    impulse[31, 40] = 255
    rows, columns = np.mgrid[:90, :101]
    smooth = 30000 + 20000 * np.sin(rows / 23) * np.cos(columns / 31 + 0.5)
    return {
        "superalloy_0": lambda: shared_image("superalloy_0.png")[100:350, 60:300],
        "tomography_0": lambda: shared_image("tomography_0.tif")[250:490, 200:450],
        "particles": lambda: sambalab.data.micrograph("particles", (250, 240), seed=1).image,
        "grains": lambda: sambalab.data.micrograph("grains", (240, 250), seed=2).image,
        "the shipped image": lambda: np.asarray(sambalab.data.nanoporous_gold().image)[:230, :210],
        "a constant": lambda: np.full((40, 31), 117, np.uint8),
        "an impulse": lambda: impulse,
        "a step": lambda: np.where(columns + rows // 4 > 55, 200, 40).astype(np.uint8),
        "random values of 16 bits": lambda: random.integers(0, 65536, (83, 90)).astype(np.uint16),
        "a smooth image of 16 bits": lambda: smooth.astype(np.uint16),
        "random floats": lambda: random.normal(0.2, 3.0, (64, 77)).astype(np.float32),
        "one row": lambda: random.integers(0, 256, (1, 130)).astype(np.uint8),
        "three columns": lambda: random.integers(0, 256, (75, 3)).astype(np.uint8),
        "one pixel": lambda: np.full((1, 1), 80, np.uint8),
    }


IMAGES = _images()
NAMES = marked(IMAGES, shared=("superalloy_0", "tomography_0"))


def _correlate(values: Array, kernel: npt.ArrayLike) -> Array:
    return np.asarray(ndi.correlate(values, np.asarray(kernel, float), mode="nearest"))


def _gaussian(values: Array, sigma: float, order: tuple[int, int] = (0, 0), truncate: float = 4.0) -> Array:
    if sigma == 0:
        return values
    return np.asarray(
        ndi.gaussian_filter(
            values, sigma, order=order, mode="nearest", radius=ceil(truncate * sigma), output=np.float64
        )
    )


def _eigenvalues(a: Array, b: Array, d: Array) -> tuple[Array, Array]:
    pairs = np.linalg.eigvalsh(np.stack([np.stack([a, b], -1), np.stack([b, d], -1)], -1))
    return pairs[..., 1], pairs[..., 0]


KX = [[1, 2, 1], [0, 0, 0], [-1, -2, -1]]
KY = [[1, 0, -1], [2, 0, -2], [1, 0, -1]]


def _edges(values: Array, sigma: float, scale: float) -> Iterator[tuple[str, Array]]:
    """Weka's Sobel and Hessian."""
    smooth = _gaussian(values, sigma * scale)
    sx, sy = _correlate(smooth, KX), _correlate(smooth, KY)
    yield f"sobel σ={sigma}", np.hypot(sx, sy)
    a, b, d = _correlate(sx, KX), _correlate(sx, KY), _correlate(sy, KY)
    yield f"hessian module σ={sigma}", np.sqrt(a**2 + b**2 + d**2)
    yield f"hessian trace σ={sigma}", a + d
    yield f"hessian determinant σ={sigma}", a * d - b**2
    first, second = _eigenvalues(a, b, d)
    yield f"hessian first eigenvalue σ={sigma}", first
    yield f"hessian second eigenvalue σ={sigma}", second
    difference = (a - d) ** 2 + 4 * b**2
    with np.errstate(all="ignore"):
        angle = np.arccos(np.clip((a - d) / np.sqrt(difference), -1, 1)) / 2
    yield f"hessian orientation σ={sigma}", np.nan_to_num(np.where(b < 0, -angle, angle))
    yield f"hessian squared trace times squared eigenvalue difference σ={sigma}", (a + d) ** 2 * difference
    yield f"hessian squared eigenvalue difference σ={sigma}", difference


def _membrane(values: Array, patch: int, thickness: int) -> Iterator[tuple[str, Array]]:
    """Ten turns of a line by nearest neighbours, as ImageJ's rotation has them, and projections of the ten averages."""
    middle, centre = patch // 2, (patch - 1) / 2
    columns = range(middle - thickness // 2, middle + (thickness + 1) // 2 + 1)
    y, x = np.mgrid[:patch, :patch] - centre
    averages = []
    for angle in np.arange(10) * pi / 10:
        # The position of a pixel before the rotation.
        u = np.cos(angle) * x + np.sin(angle) * y + centre
        v = np.cos(angle) * y - np.sin(angle) * x + centre
        inside = (u >= -0.01) & (u < patch) & (v >= -0.01) & (v < patch)
        line = inside & np.isin(np.minimum(np.floor(u + 0.5), patch - 1), columns)
        averages.append(_correlate(values, line / line.sum()))
    ten = np.stack(averages)
    yield "membrane mean", ten.mean(0)
    yield "membrane maximum", ten.max(0)
    yield "membrane minimum", ten.min(0)
    yield "membrane sum", ten.sum(0)
    yield "membrane standard deviation", ten.std(0, ddof=1)
    yield "membrane median", np.median(ten, 0)


def _sets(values: Array, scale: float, sigmas: Sequence[float] = SIGMAS) -> Channels:
    """All channels of the sets `samba` (σ is the standard deviation) and `weka` (σ times 0.4 is)."""
    channels = {"original": values, **dict(_edges(values, 0, scale)), **dict(_membrane(values, 19, 1))}
    smooth = {sigma: _gaussian(values, sigma * scale) for sigma in sigmas}
    for sigma in sigmas:
        channels[f"gaussian σ={sigma}"] = smooth[sigma]
        channels.update(_edges(values, sigma, scale))
        for large in sigmas:
            if large > sigma:
                channels[f"difference of gaussians σ={sigma}−{large}"] = smooth[sigma] - smooth[large]
    return channels


def _alone(values: Array, sigmas: Sequence[float] = SIGMAS, integrations: Sequence[float] = (1, 3)) -> Channels:
    channels = {"original": values}
    for sigma in sigmas:
        for order in range(1, 6):
            channels[f"derivative x{order}y{order} σ={sigma}"] = _gaussian(values, sigma, (order, order), WHOLE)
        channels[f"laplacian σ={sigma}"] = np.asarray(
            ndi.gaussian_laplace(values, sigma, mode="nearest", truncate=WHOLE, output=np.float64)
        )
        x, y = _gaussian(values, sigma, (0, 1), WHOLE), _gaussian(values, sigma, (1, 0), WHOLE)
        for integration in integrations:
            largest, smallest = _eigenvalues(*(_gaussian(p, integration) for p in (x * x, x * y, y * y)))
            channels[f"structure tensor largest eigenvalue σ={sigma} ρ={integration}"] = largest
            channels[f"structure tensor smallest eigenvalue σ={sigma} ρ={integration}"] = smallest
        channels.update(_neighbours(values, sigma))
    for kernel in GABOR:
        channels.update(_gabor(values, *kernel))
    return channels


def _neighbours(values: Array, sigma: float) -> Iterator[tuple[str, Array]]:
    distance = max(1, floor(sigma + 0.5))
    padded = np.pad(values, distance, mode="edge")
    rows, columns = values.shape
    for down, vertical in ((0, "up"), (1, ""), (2, "down")):
        for right, horizontal in ((0, "left"), (1, ""), (2, "right")):
            if (name := f"{vertical} {horizontal}".strip()) != "":
                part = padded[down * distance :, right * distance :][:rows, :columns]
                yield f"neighbour {name} d={sigma}", part


GABOR = (
    *((1, gamma, 2) for gamma in (1, 0.5, 0.25)),
    *((sigma, gamma, frequency) for sigma in (2, 4) for gamma in (1, 2) for frequency in (2, 3)),
)


def _gabor(values: Array, sigma: float, gamma: float, frequency: float) -> Iterator[tuple[str, Array]]:
    across = sigma / gamma
    reach = 3 * int(max(sigma, across))
    padded = np.pad(values, reach, mode="edge")
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    for phase, name in ((0, "0"), (pi / 2, "π/2")):
        responses = []
        for angle in np.arange(10) * pi / 10:
            along = x * np.cos(angle) + y * np.sin(angle)
            weight = np.exp(-(along**2 / sigma**2 + (y * np.cos(angle) - x * np.sin(angle)) ** 2 / across**2) / 2)
            wave = np.cos(2 * pi * frequency * along / (2 * reach + 1) + phase)
            kernel = weight * (wave - np.average(wave, weights=weight))
            kernel /= np.abs(kernel).sum()
            # A correlation: the kernel is turned by 180°.
            responses.append(signal.fftconvolve(padded, kernel[::-1, ::-1], mode="valid"))
        yield f"gabor maximum σ={sigma} γ={gamma} f={frequency} ψ={name}", np.max(responses, 0)
        yield f"gabor minimum σ={sigma} γ={gamma} f={frequency} ψ={name}", np.min(responses, 0)


def _gain(name: str) -> float:
    """How large a channel is where pixels are 1: of a derivative of order 2k about σ⁻²ᵏ."""
    derivative = re.fullmatch(r"derivative x(\d)y\d σ=(.+)", name)
    return float(derivative[2]) ** (-2 * int(derivative[1])) if derivative else 1.0


def _check(
    computed: npt.NDArray[np.float32], names: Sequence[str], expected: Channels, bound_gabor: float = BOUND
) -> None:
    """Compare all channels of a stack by name."""
    assert computed.shape[-1] == len(names)
    wrong = {}
    for number, name in enumerate(names):
        have, want = computed[..., number].astype(np.float64), expected[name]
        size = float(np.abs(expected["original"]).max())
        if "orientation" in name:
            # An angle turns by 180° where it begins again, and means nothing where the eigenvalues are the same.
            difference = expected[name.replace("orientation", "squared eigenvalue difference")]
            have, want = (np.sqrt(difference) * np.exp(2j * angle) for angle in (have, want))
        assert np.isfinite(have).all(), name
        unit = size * _gain(name)
        spread = float(want.std())
        # In a constant channel only rounding errors of sums remain.
        error = float(np.abs(have - want).max()) / (spread if spread > 1e-6 * unit else unit)
        if error > (bound_gabor if name.startswith("gabor") else BOUND):
            wrong[name] = error
    assert wrong == {}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("chosen", "scale"), [("samba", 1.0), ("weka", 0.4)])
def test_channels_of_a_set_are_what_scipy_computes(name: str, chosen: str, scale: float) -> None:
    image = IMAGES[name]()
    spec = FeatureSpec(chosen)
    _check(feature_stack(image, spec), spec.names(), _sets(image.astype(np.float64), scale))


@pytest.mark.parametrize("name", NAMES)
def test_channels_of_the_other_linear_families_are_what_scipy_computes(name: str) -> None:
    image = IMAGES[name]()
    spec = FeatureSpec("samba", **NOTHING, **dict.fromkeys(ALONE, True))
    expected = _alone(image.astype(np.float64))
    _check(feature_stack(image, spec), spec.names(), expected, BOUND_GABOR.get(name, BOUND))


def test_each_channel_of_the_sets_is_compared_with_one_of_its_name() -> None:
    values = np.zeros((3, 3))
    assert set(_sets(values, 1.0)) == set(FeatureSpec("weka").names())
    orders = {"orders": [1, 2, 3, 4, 5]}
    every = FeatureSpec("samba", **NOTHING, **{**dict.fromkeys(ALONE, True), "derivatives": orders})
    assert set(_alone(values)) == set(every.names())


def test_fractional_scales_are_not_rounded() -> None:
    image = IMAGES["random values of 16 bits"]()
    # Scales from 6 and from 12 on use other algorithms than smaller ones.
    sigmas, integrations = (0.7, 1.3, 2.5, 5.9, 6, 7.2, 11.9, 12, 20), (0.6, 2.5, 4)
    families: dict[str, Any] = {
        "derivatives": {"orders": [1, 2, 3, 4, 5]},
        "laplacian": True,
        "structure_tensor": {"integrations": integrations},
        "neighbours": True,
    }
    spec = FeatureSpec("samba", sigmas=sigmas, **{**NOTHING, **families})
    _check(feature_stack(image, spec), spec.names(), _alone(image.astype(np.float64), sigmas, integrations))
    spec = FeatureSpec("weka", sigmas=sigmas, sigma_scale=0.55)
    _check(feature_stack(image, spec), spec.names(), _sets(image.astype(np.float64), 0.55, sigmas))


@pytest.mark.parametrize(("patch", "thickness"), [(3, 1), (11, 4), (31, 2)])
def test_membranes_of_other_sizes_are_what_their_definition_says(patch: int, thickness: int) -> None:
    image = IMAGES["random floats"]()
    spec = FeatureSpec("samba", **{**NOTHING, "membrane": {"patch": patch, "thickness": thickness}})
    values = image.astype(np.float64)
    _check(feature_stack(image, spec), spec.names(), {"original": values, **dict(_membrane(values, patch, thickness))})


def test_colour_images_give_the_features_of_each_channel_or_of_their_luminance() -> None:
    image = np.random.default_rng(3).integers(0, 256, (40, 53, 3)).astype(np.uint8)
    chosen: dict[str, Any] = {"set": "samba", "sigmas": (1, 3), "laplacian": True, "neighbours": True}

    def features(values: Array) -> Channels:
        return {**_sets(values, 1.0, (1, 3)), **_alone(values, (1, 3))}

    expected = {
        f"{colour}: {name}": channel
        for number, colour in enumerate(("red", "green", "blue"))
        for name, channel in features(image[..., number].astype(np.float64)).items()
    }
    spec = FeatureSpec(**chosen)
    computed, names = feature_stack(image, spec), spec.names(3)
    assert len(names) == 3 * len(spec.names(1))
    for colour in ("red", "green", "blue"):
        own = [number for number, name in enumerate(names) if name.startswith(colour)]
        original = {"original": expected[f"{colour}: original"]}
        _check(computed[..., own], [names[number] for number in own], {**expected, **original})
    spec = FeatureSpec(**chosen, color="luminance")
    # scikit-image gives grey values from 0 to 1.
    _check(feature_stack(image, spec), spec.names(3), features(skimage.color.rgb2gray(image) * 255))


def test_the_range_of_grey_levels_changes_none_of_these_families() -> None:
    image = IMAGES["random values of 16 bits"]()
    families: dict[str, Any] = dict.fromkeys((*ALONE, "hessian_orientation"), True)
    plain = feature_stack(image, FeatureSpec("samba", sigmas=(1, 2), **families))
    ranged = feature_stack(image, FeatureSpec("samba", sigmas=(1, 2), range=(500, 1000), **families))
    np.testing.assert_array_equal(plain, ranged)


@pytest.mark.parametrize("tile", [37, 64])
def test_tiles_join_without_seams(tile: int) -> None:
    image = IMAGES["a step"]()
    families: dict[str, Any] = dict.fromkeys((*ALONE, "hessian_orientation"), True)
    spec = FeatureSpec("samba", **families)
    whole = feature_stack(image, spec, tile=256)
    assert whole.tobytes() == feature_stack(image, spec, tile=tile, threads=2).tobytes()
