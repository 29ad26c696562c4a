"""The optional feature families with scikit-image, SciPy and vectorised NumPy, on as many threads as cores."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.signal import fftconvolve
from skimage.feature import structure_tensor, structure_tensor_eigenvalues
from skimage.filters import gabor_kernel, gaussian, rank
from skimage.morphology import disk

SIGMAS = (1, 2, 4, 8, 16)
WORKERS = os.cpu_count() or 1
Image = NDArray[np.uint8]
Planes = list[NDArray[Any]]


def spread(work: Callable[..., Any], *arguments: Any) -> list[Any]:
    """Call for each of the arguments, on all cores."""
    with ThreadPoolExecutor(WORKERS) as pool:
        return list(pool.map(work, *arguments))


def over_discs(work: Callable[..., Any], image: Image) -> Planes:
    """Call with the image and each disc."""
    return spread(lambda radius: work(image, disk(radius)), SIGMAS)


def padded(image: Image, reach: int) -> NDArray[np.float32]:
    return np.pad(image.astype(np.float32), reach, mode="edge")


def variance(image: Image) -> Planes:
    def one(radius: int) -> NDArray[Any]:
        footprint = disk(radius).astype(np.float32)
        footprint /= footprint.sum()
        around = padded(image, radius)
        mean = fftconvolve(around, footprint, "valid")
        return fftconvolve(around**2, footprint, "valid") - mean**2

    return spread(one, SIGMAS)


def hessian_orientation(image: Image) -> Planes:
    def one(sigma: int) -> Planes:
        smooth = gaussian(image.astype(np.float32), sigma) if sigma else image.astype(np.float32)
        rows, columns = np.gradient(smooth)
        (rr, rc), (_, cc) = np.gradient(rows), np.gradient(columns)
        squared = (cc - rr) ** 2 + 4 * rc**2
        return [0.5 * np.arctan2(2 * rc, cc - rr), (rr + cc) ** 2 * squared, squared]

    return [plane for planes in spread(one, (0, *SIGMAS)) for plane in planes]


def entropy(image: Image) -> Planes:
    pairs = [(radius, bins) for radius in SIGMAS for bins in (32, 64, 128, 256)]
    return spread(lambda pair: rank.entropy(image // (256 // pair[1]), disk(pair[0])), pairs)


def bilateral(image: Image) -> Planes:
    pairs = [(radius, values) for radius in (5, 10) for values in (50, 100)]
    return spread(lambda pair: rank.mean_bilateral(image, disk(pair[0]), s0=pair[1], s1=pair[1]), pairs)


def derivatives(image: Image) -> Planes:
    pairs = [(sigma, order) for sigma in SIGMAS for order in (2, 3, 4, 5)]
    values = image.astype(np.float32)
    return spread(
        lambda pair: ndimage.gaussian_filter(values, pair[0], order=(pair[1], pair[1]), mode="nearest"), pairs
    )


def laplacian(image: Image) -> Planes:
    values = image.astype(np.float32)
    return spread(lambda sigma: ndimage.gaussian_laplace(values, sigma, mode="nearest"), SIGMAS)


def structure(image: Image) -> Planes:
    def one(pair: tuple[int, int]) -> NDArray[Any]:
        smooth = gaussian(image.astype(np.float32), pair[0], preserve_range=True)
        return structure_tensor_eigenvalues(structure_tensor(smooth, sigma=pair[1], order="rc"))

    pairs = [(sigma, rho) for sigma in SIGMAS for rho in (1, 3)]
    return [plane for planes in spread(one, pairs) for plane in planes]


def neighbours(image: Image) -> Planes:
    def one(distance: int) -> Planes:
        around = padded(image, distance)
        rows, columns = image.shape
        places = [(r, c) for r in (0, 1, 2) for c in (0, 1, 2) if (r, c) != (1, 1)]
        return [
            around[r * distance : r * distance + rows, c * distance : c * distance + columns].copy() for r, c in places
        ]

    return [plane for planes in spread(one, SIGMAS) for plane in planes]


def kuwahara(image: Image) -> Planes:
    line = np.zeros((19, 19), np.float32)
    line[:, 9] = 1
    kernels = [ndimage.rotate(line, angle, reshape=False, order=0) for angle in range(0, 180, 18)]
    around = padded(image, 9)

    def one(kernel: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        mean = fftconvolve(around, kernel / kernel.sum(), "valid")
        return mean, fftconvolve(around**2, kernel / kernel.sum(), "valid") - mean**2

    parts = spread(one, kernels)
    means, variances = (np.stack([part[i] for part in parts]) for i in (0, 1))
    with np.errstate(all="ignore"):
        criteria = [variances, variances / means, variances / means**2]
    return [np.take_along_axis(means, criterion.argmin(0)[np.newaxis], 0)[0] for criterion in criteria]


def gabor(image: Image) -> Planes:
    around = padded(image, 12)
    settings = [(1, 1, 2), (1, 0.5, 2), (1, 0.25, 2), *((s, g, f) for s in (2, 4) for g in (1, 2) for f in (2, 3))]

    def one(setting: tuple[float, float, float]) -> Planes:
        sigma, gamma, frequency = setting
        size = 6 * math.floor(max(sigma, sigma / gamma)) + 1
        responses = [
            fftconvolve(around, gabor_kernel(frequency / size, angle, sigma_x=sigma, sigma_y=sigma / gamma), "same")[
                12:-12, 12:-12
            ]
            for angle in np.arange(10) * np.pi / 10
        ]
        planes = [np.stack([part(response) for response in responses]) for part in (np.real, np.imag)]
        return [project(plane, 0) for plane in planes for project in (np.max, np.min)]

    return [plane for planes in spread(one, settings) for plane in planes]


def lipschitz(image: Image) -> Planes:
    def one(slope: int) -> NDArray[Any]:
        cover = image.astype(np.float32)
        straight, diagonal = slope, math.floor(slope * math.sqrt(2))
        for _ in range(math.ceil(255 / slope)):
            around = np.pad(cover, 1, mode="edge")
            before = cover.copy()
            for r in (0, 1, 2):
                for c in (0, 1, 2):
                    fall = diagonal if r != 1 and c != 1 else straight
                    if (r, c) != (1, 1):
                        part = around[r : r + image.shape[0], c : c + image.shape[1]]
                        np.maximum(cover, part - fall, out=cover)
            if (before == cover).all():
                break
        return 255 + image - cover

    return spread(one, (5, 10, 15, 20, 25))


def anisotropic(image: Image) -> Planes:
    def one(conductance: float) -> NDArray[Any]:
        values = image.astype(np.float32)
        for _ in range(20):
            around = np.pad(values, 1, mode="edge")
            change = np.zeros_like(values)
            for part in (around[:-2, 1:-1], around[2:, 1:-1], around[1:-1, :-2], around[1:-1, 2:]):
                difference = part - values
                change += np.exp(-((difference / conductance) ** 2)) * difference
            values = values + 0.25 * change
        return values

    return spread(one, (10, 30))


FAMILIES: dict[str, Callable[[Image], Planes]] = {
    "hessianOrientation": hessian_orientation,
    "mean": lambda image: over_discs(rank.mean, image),
    "variance": variance,
    "minimum": lambda image: over_discs(lambda i, d: ndimage.minimum_filter(i, footprint=d), image),
    "maximum": lambda image: over_discs(lambda i, d: ndimage.maximum_filter(i, footprint=d), image),
    "median": lambda image: over_discs(rank.median, image),
    "bilateral": bilateral,
    "derivatives": derivatives,
    "laplacian": laplacian,
    "structureTensor": structure,
    "entropy": entropy,
    "neighbours": neighbours,
    "kuwahara": kuwahara,
    "gabor": gabor,
    "lipschitz": lipschitz,
    "anisotropicDiffusion": anisotropic,
}
