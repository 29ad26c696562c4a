"""The reference of the benchmarks: the same work done with scikit-image, SciPy and scikit-learn, as SAMBA does it.

Reads one JSON command a line from standard input and answers each with one line of JSON. Arrays pass through raw files,
so that both sides see the same pixels, strokes and samples.
"""

from __future__ import annotations

import importlib.util
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
from reference_families import FAMILIES
from scipy.ndimage import gaussian_filter, rotate
from scipy.signal import convolve
from skimage import filters, io
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier

from sambalab.files.data import KINDS, micrograph

SIGMAS = (1, 2, 4, 8, 16)
MEMBRANE_PATCH = 19
MEMBRANE_ANGLES = range(0, 180, 6)
WORKERS = os.cpu_count() or 1
DATA = Path(__file__).parents[2] / "shared" / "data"

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
    """SAMBA's features: 58 channels, channels last."""
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


def tomography(seed: int, side: int = 512) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Draw a slice of a container with bright particles (1; 2 is the rest) as X-ray tomography shows it: rings, grainy noise."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[:side, :side] - side / 2
    distance = np.hypot(rows, columns) / side
    grey = np.select([distance < 0.44, distance < 0.47], [0.42, 0.62], 0.3)
    truth = np.full((side, side), 2, np.uint8)
    placed: list[tuple[float, float, float]] = []
    for _ in range(6000):
        radius = side * random.uniform(0.012, 0.045)
        y, x = random.uniform(-side / 2, side / 2, 2)
        apart = all(np.hypot(y - b, x - a) > radius + 0.98 * other for b, a, other in placed)
        if not apart or np.hypot(y, x) + radius > 0.43 * side:
            continue
        placed.append((y, x, radius))
        angle, flat = random.uniform(0, np.pi), random.uniform(0.75, 1)
        along = (rows - y) * np.cos(angle) + (columns - x) * np.sin(angle)
        across = (columns - x) * np.cos(angle) - (rows - y) * np.sin(angle)
        inside = (along / radius) ** 2 + (across / (radius * flat)) ** 2 < 1
        grey[inside] = 0.66 + random.normal(0, 0.03)
        truth[inside] = 1
        if len(placed) == 170:
            break
    noise = gaussian_filter(random.normal(size=(side, side)), 0.7)
    rings = random.normal(0, 0.012, side)[np.minimum((distance * side).astype(int), side - 1)]
    values = gaussian_filter(grey, 1.0) + rings + 0.07 * noise / noise.std()
    return (values * 255).clip(0, 255).astype(np.uint8), truth


PRESETS: dict[str, dict[str, Any]] = {
    "samba": {"n_estimators": 200, "max_features": 2, "max_depth": 10},
    "deep": {"n_estimators": 100, "max_features": "sqrt", "max_depth": None},
}


class Micrograph:
    """An image with its truth, labels and features."""

    image: NDArray[np.uint8]
    truth: NDArray[np.uint8]
    labels: NDArray[np.uint8]

    def __init__(self) -> None:
        # "own" features are of this process, "taken" ones of the engine.
        self.stacks: dict[str, Floats] = {}


class Reference:
    """The state and the commands of the reference."""

    def __init__(self) -> None:
        self.micrographs: dict[str, Micrograph] = {}

    def versions(self) -> dict[str, Any]:
        """Describe the libraries and the images."""
        import scipy
        import skimage
        import sklearn

        parts = {"Python": sys.version.split()[0], "NumPy": np.__version__, "SciPy": scipy.__version__}
        parts |= {"scikit-image": skimage.__version__, "scikit-learn": sklearn.__version__}
        where = "superalloy micrographs" if DATA.is_dir() else "synthetic micrographs; ../shared/data is not there"
        return {"versions": ", ".join(f"{name} {version}" for name, version in parts.items()), "data": where}

    def names(self) -> dict[str, Any]:
        """Name the micrographs with truth, by kind; the superalloys are synthetic where there is no data."""
        kinds = {"superalloy": [f"superalloy_{i}" for i in range(3)]}
        if (DATA / "coating_0.png").is_file():
            kinds["coating"] = ["coating_0"]
        return {"kinds": kinds | {kind: [f"{kind}_{seed}" for seed in range(2)] for kind in (*KINDS, "tomography")}}

    def load(self, name: str, out: str, percent: int = 100) -> dict[str, Any]:
        """Read an image and its truth, cut or mirrored to be `percent` of its size on each side."""
        mine = self.micrographs[name] = Micrograph()
        if (DATA / f"{name}.png").is_file():
            mine.image = np.asarray(io.imread(DATA / f"{name}.png"), dtype=np.uint8)
            mine.truth = np.asarray(io.imread(DATA / f"{name}_truth.png"), dtype=np.uint8)
        else:
            kind, _, seed = name.rpartition("_")
            if kind == "tomography":
                mine.image, mine.truth = tomography(int(seed))
            else:
                mine.image, mine.truth = micrograph(kind if kind in KINDS else "grains", seed=int(seed))
        if percent != 100:
            sides = [round(side * percent / 100) for side in mine.image.shape]
            extra = [(0, max(0, side - had)) for side, had in zip(sides, mine.image.shape, strict=True)]
            mine.image, mine.truth = (
                np.pad(pixels, extra, mode="reflect")[: sides[0], : sides[1]] for pixels in (mine.image, mine.truth)
            )
        mine.image.tofile(Path(out) / "image.raw")
        mine.truth.tofile(Path(out) / "truth.raw")
        return {"shape": mine.image.shape, "classes": np.unique(mine.truth).tolist()}

    def strokes(self, name: str, seed: int, strokes: int, length: int, radius: int, out: str) -> dict[str, Any]:
        """Draw labels."""
        mine = self.micrographs[name]
        mine.labels = draw_strokes(mine.truth, seed, strokes, length, radius)
        mine.labels.tofile(Path(out) / "labels.raw")
        return {"pixels": int((mine.labels > 0).sum())}

    def features(self, name: str) -> dict[str, Any]:
        """Compute SAMBA's feature stack."""
        mine = self.micrographs[name]
        start = time.perf_counter()
        mine.stacks["own"] = feature_stack(mine.image)
        return {"seconds": time.perf_counter() - start, "features": mine.stacks["own"].shape[-1]}

    def take(self, name: str, file: str, features: int) -> dict[str, Any]:
        """Take the engine's features."""
        mine = self.micrographs[name]
        mine.stacks["taken"] = np.fromfile(file, np.float32).reshape(*mine.image.shape, features)
        return {}

    def family(self, name: str, family: str) -> dict[str, Any]:
        """Compute an optional feature family, as columns of the feature stack."""
        image = self.micrographs[name].image
        start = time.perf_counter()
        np.stack([image, *FAMILIES[family](image)], axis=-1).astype(np.float32, copy=False)
        return {"seconds": time.perf_counter() - start}

    def grow(self, name: str, seed: int, samples: int, source: str = "own", preset: str = "samba") -> dict[str, Any]:
        """Grow a forest on the labels."""
        mine = self.micrographs[name]
        start = time.perf_counter()
        rows = np.flatnonzero(mine.labels)
        if len(rows) > samples:
            rows = np.random.default_rng(seed).choice(rows, samples, replace=False)
        stack = mine.stacks[source]
        self.forest = RandomForestClassifier(
            **PRESETS[preset], class_weight="balanced", oob_score=True, n_jobs=-1, random_state=seed
        ).fit(stack.reshape(-1, stack.shape[-1])[rows], mine.labels.ravel()[rows])
        return {"seconds": time.perf_counter() - start, "oob": self.forest.oob_score_, "samples": len(rows)}

    def boosters(self) -> dict[str, Any]:
        """Name the boosting libraries that are installed."""
        return {"learners": [*(["LightGBM"] if importlib.util.find_spec("lightgbm") else []), "scikit-learn"]}

    def boost(self, name: str, learner: str, params: dict[str, Any], source: str) -> dict[str, Any]:
        """Grow boosted trees on the labels, with the engine's parameters."""
        mine = self.micrographs[name]
        start = time.perf_counter()
        rows = np.flatnonzero(mine.labels)
        if len(rows) > params["maxSamples"]:
            rows = np.random.default_rng(params["seed"]).choice(rows, params["maxSamples"], replace=False)
        stack = mine.stacks[source]
        features = stack.shape[-1]
        share = 1.0 if params["maxFeatures"] == "all" else min(1.0, params["maxFeatures"] / features)
        common = {"learning_rate": params["learningRate"], "class_weight": "balanced", "random_state": params["seed"]}
        if learner == "LightGBM":
            from lightgbm import LGBMClassifier

            self.forest = LGBMClassifier(
                n_estimators=params["rounds"],
                num_leaves=params["maxLeaves"],
                min_child_samples=params["minLeaf"],
                reg_lambda=params["l2"],
                colsample_bytree=share,
                n_jobs=WORKERS,
                verbose=-1,
                **common,
            )
        else:
            self.forest = HistGradientBoostingClassifier(
                max_iter=params["rounds"],
                max_leaf_nodes=params["maxLeaves"],
                min_samples_leaf=params["minLeaf"],
                l2_regularization=params["l2"],
                max_features=share,
                early_stopping=False,
                **common,
            )
        self.forest.fit(stack.reshape(-1, features)[rows], mine.labels.ravel()[rows])
        return {"seconds": time.perf_counter() - start}

    def apply(self, name: str, out: str, source: str = "own") -> dict[str, Any]:
        """Segment an image with the forest that was grown last."""
        stack = self.micrographs[name].stacks[source]
        start = time.perf_counter()
        probabilities = self.forest.predict_proba(stack.reshape(-1, stack.shape[-1]))
        ids = self.forest.classes_[probabilities.argmax(1)].astype(np.uint8)
        seconds = time.perf_counter() - start
        ids.tofile(Path(out) / "reference.raw")
        return {"seconds": seconds}

    def large(self, side: int, out: str) -> dict[str, Any]:
        """Make a 16-bit image of three noisy phases in bands, and a few strokes on each."""
        random = np.random.default_rng(0)
        labels = np.zeros((side, side), np.uint8)
        with open(Path(out) / "image.raw", "wb") as file:
            for row in range(0, side, 64):
                phase = (row // 512 + np.arange(side) // 512) % 3
                values = random.normal(12000 + 9000 * phase, 3000, (64, side))
                values.clip(0, 65535).astype(np.uint16).tofile(file)
        for _ in range(120):
            row, column = random.integers(0, side - 40, 2)
            own = (row // 512 + column // 512) % 3
            same = (row // 512 + (column + 30) // 512) % 3 == own
            labels[row : row + 4, column : column + (30 if same else 4)] = own + 1
        labels.tofile(Path(out) / "labels.raw")
        return {"pixels": int((labels > 0).sum())}


def main() -> None:
    """Serve commands until standard input ends."""
    # Class weights steer the bootstrap, so every tree may see all pixels of a rare class.
    warnings.filterwarnings("ignore", message="Some inputs do not have OOB scores")
    warnings.filterwarnings("ignore", message="X does not have valid feature names")
    reference = Reference()
    for line in sys.stdin:
        command = json.loads(line)
        answer = getattr(reference, command.pop("do"))(**command)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
