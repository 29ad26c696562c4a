"""The reference of the benchmarks: the same work done with scikit-image, SciPy and scikit-learn, as SAMBA does it.

Reads one JSON command a line from standard input and answers each with one line of JSON. Arrays pass through raw files,
so that both sides see the same pixels, strokes and samples.
"""

from __future__ import annotations

import json
import os
import sys
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations_with_replacement
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import rotate
from scipy.signal import convolve
from skimage import filters, io
from sklearn.ensemble import RandomForestClassifier

SIGMAS = (1, 2, 4, 8, 16)
MEMBRANE_PATCH = 19
MEMBRANE_ANGLES = range(0, 180, 6)
WORKERS = os.cpu_count() or 1

Floats = NDArray[np.float32]


def hessian(image: Floats) -> list[Floats]:
    """Module, trace, determinant and eigenvalues of the Hessian by repeated central differences."""
    first = np.gradient(image)
    rr, rc, cc = (np.gradient(first[i], axis=j) for i, j in combinations_with_replacement(range(2), 2))
    root = np.sqrt((rr - cc) ** 2 + 4 * rc**2)
    trace = rr + cc
    return [np.sqrt(rr**2 + rc**2 + cc**2), trace, rr * cc - rc**2, (trace + root) / 2, (trace - root) / 2]


def at_sigma(image: Floats, sigma: float) -> list[Floats]:
    """Gaussian, gradient magnitude and Hessian at one scale."""
    smooth = filters.gaussian(image, sigma, preserve_range=True) if sigma else image
    return [smooth, filters.sobel(smooth), *hessian(smooth)]


def membrane(image: Floats) -> list[Floats]:
    """Six projections of line averages over the directions."""
    line = np.zeros((MEMBRANE_PATCH, MEMBRANE_PATCH), np.float32)
    line[:, MEMBRANE_PATCH // 2] = 1
    kernels = [rotate(line, angle, reshape=False, order=1) for angle in MEMBRANE_ANGLES]
    half = MEMBRANE_PATCH // 2
    padded = np.pad(image, half, mode="edge")
    with ThreadPoolExecutor(WORKERS) as pool:
        parts = pool.map(lambda kernel: convolve(padded, (kernel / kernel.sum()).astype(np.float32), "valid"), kernels)
    stack = np.stack(list(parts))
    return [stack.mean(0), stack.max(0), stack.min(0), stack.sum(0), stack.std(0, ddof=1), np.median(stack, 0)]


def feature_stack(image: NDArray[np.uint8]) -> Floats:
    """The default features: 58 channels, channels last."""
    values = image.astype(np.float32)
    with ThreadPoolExecutor(WORKERS) as pool:
        scales = list(pool.map(lambda sigma: at_sigma(values, sigma), (0, *SIGMAS)))
    gaussians = [scale[0] for scale in scales[1:]]
    differences = [a - b for i, a in enumerate(gaussians) for b in gaussians[i + 1 :]]
    channels = [*(channel for scale in scales for channel in scale), *differences, *membrane(values)]
    return np.stack(channels, axis=-1).astype(np.float32)


def draw_strokes(truth: NDArray[np.uint8], seed: int, strokes: int, length: int, radius: int) -> NDArray[np.uint8]:
    """Short random walks of a round brush that stay within their class."""
    random = np.random.default_rng(seed)
    labels = np.zeros_like(truth)
    offsets = np.argwhere(np.hypot(*np.mgrid[-radius : radius + 1, -radius : radius + 1]) <= radius + 0.5) - radius
    limit = np.array(truth.shape) - 1
    for own in np.unique(truth):
        inside = np.argwhere(truth == own)
        for _ in range(strokes):
            at = inside[random.integers(len(inside))].astype(float)
            angle = random.uniform(0, 2 * np.pi)
            for _ in range(length):
                dots = np.clip(np.round(at).astype(int) + offsets, 0, limit)
                dots = dots[truth[tuple(dots.T)] == own]
                labels[tuple(dots.T)] = own
                angle += random.normal(0, 0.3)
                step = np.clip(at + np.array([np.sin(angle), np.cos(angle)]), 0, limit)
                if truth[tuple(np.round(step).astype(int))] != own:
                    break
                at = step
    return labels


class Reference:
    """What the commands work on."""

    def load(self, image: str, truth: str, out: str, percent: int = 100) -> dict[str, Any]:
        """Read an image and its truth, mirrored to be `percent` of its size on each side."""
        self.image = np.asarray(io.imread(image), dtype=np.uint8)
        self.truth = np.asarray(io.imread(truth), dtype=np.uint8)
        if percent != 100:
            extra = [(0, round(side * percent / 100) - side) for side in self.image.shape]
            self.image = np.pad(self.image, extra, mode="reflect")
            self.truth = np.pad(self.truth, extra, mode="reflect")
        self.image.tofile(Path(out) / "image.raw")
        self.truth.tofile(Path(out) / "truth.raw")
        return {"shape": self.image.shape, "classes": np.unique(self.truth).tolist()}

    def strokes(self, seed: int, strokes: int, length: int, radius: int, out: str) -> dict[str, Any]:
        """Draw labels."""
        self.labels = draw_strokes(self.truth, seed, strokes, length, radius)
        self.labels.tofile(Path(out) / "labels.raw")
        return {"pixels": int((self.labels > 0).sum())}

    def features(self) -> dict[str, Any]:
        """Compute the feature stack."""
        start = time.perf_counter()
        self.stack = feature_stack(self.image)
        return {"seconds": time.perf_counter() - start, "features": self.stack.shape[-1]}

    def grow(self, seed: int, samples: int, trees: int) -> dict[str, Any]:
        """Grow SAMBA's forest on the labels."""
        start = time.perf_counter()
        rows = np.flatnonzero(self.labels)
        if len(rows) > samples:
            rows = np.random.default_rng(seed).choice(rows, samples, replace=False)
        x = self.stack.reshape(-1, self.stack.shape[-1])[rows]
        y = self.labels.ravel()[rows]
        self.forest = RandomForestClassifier(
            n_estimators=trees,
            max_features=2,
            max_depth=10,
            class_weight="balanced",
            oob_score=True,
            n_jobs=-1,
            random_state=seed,
        ).fit(x, y)
        return {"seconds": time.perf_counter() - start, "oob": self.forest.oob_score_, "samples": len(rows)}

    def apply(self, out: str) -> dict[str, Any]:
        """Segment the image."""
        start = time.perf_counter()
        probabilities = self.forest.predict_proba(self.stack.reshape(-1, self.stack.shape[-1]))
        ids = self.forest.classes_[probabilities.argmax(1)].astype(np.uint8)
        seconds = time.perf_counter() - start
        ids.tofile(Path(out) / "reference.raw")
        return {"seconds": seconds}


def main() -> None:
    """Serve commands until standard input ends."""
    # Class weights steer the bootstrap, so every tree may see all pixels of a rare class.
    warnings.filterwarnings("ignore", message="Some inputs do not have OOB scores")
    reference = Reference()
    for line in sys.stdin:
        command = json.loads(line)
        answer = getattr(reference, command.pop("do"))(**command)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
