"""Images for examples and tests: a real micrograph, and synthetic micrographs and volumes with their exact truth."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..spec.errors import ImageError, ParameterError, SambaLabError

KINDS = ("particles", "grains", "layers", "lamellar")
SIDE_MAX = 20_000
VOXELS_MAX = 1_000_000_000

_GOLD_WIDTH_NM = 556.0
_GOLD_ROWS = 690  # below lies the microscope's data bar

UInt8 = npt.NDArray[np.uint8]
Float = npt.NDArray[np.float32]


class Micrograph(NamedTuple):
    """An image, uint8 (rows, columns), and the width of its pixels in nanometres."""

    image: UInt8
    pixel_size: float


class SyntheticMicrograph(NamedTuple):
    """An image and the class of each pixel (1, 2, …), both uint8 (rows, columns)."""

    image: UInt8
    truth: UInt8


class SyntheticVolume(NamedTuple):
    """An image and the class of each voxel (1, 2, …), both uint8 (slices, rows, columns)."""

    image: UInt8
    truth: UInt8


def nanoporous_gold() -> Micrograph:
    """Load a scanning electron micrograph of nanoporous gold, 556 nm wide.

    The sample of the package aquami 1.1.0 (MIT licence), without the microscope's data bar. Pores are dark, ligaments bright.

    Returns
    -------
    Micrograph
        ``image``, uint8 (690, 1024), and ``pixel_size`` in nanometres.

    Raises
    ------
    SambaLabError
        If the package is not installed.
    ImageError
        If its file is damaged or of another version.
    """
    # Not imported: the package needs old versions of its dependencies.
    spec = importlib.util.find_spec("aquami")
    path = Path(spec.origin).parent / "micrographs" / "Sample.tif" if spec and spec.origin else None
    if path is None or not path.is_file():
        raise SambaLabError(
            "The micrograph of nanoporous gold is in the package aquami, which is not installed. "
            "Install it with: pip install aquami==1.1.0"
        )
    import tifffile

    try:
        loaded = np.asarray(tifffile.imread(path))
    except Exception as error:
        raise ImageError(f"{path} cannot be read: {error}. Install aquami==1.1.0 again.") from error
    if loaded.ndim != 2 or loaded.dtype != np.uint8 or loaded.shape[0] <= _GOLD_ROWS:
        raise ImageError(f"{path} is {loaded.dtype} {loaded.shape}; aquami 1.1.0 has uint8 (768, 1024).")
    return Micrograph(np.ascontiguousarray(loaded[:_GOLD_ROWS]), _GOLD_WIDTH_NM / loaded.shape[1])


def micrograph(kind: str = "particles", shape: tuple[int, int] = (512, 512), seed: int = 0) -> SyntheticMicrograph:
    """Make a micrograph with noise and uneven illumination, and its exact truth.

    Parameters
    ----------
    kind
        ``"particles"``: bright ellipses (class 2) in a matrix (1); some touch.
        ``"grains"``: a Voronoi mosaic of three phases (1, 2, 3) that differ in grey and in roughness.
        ``"layers"``: wavy bands of three phases (1, 2, 3), repeating from top to bottom.
        ``"lamellar"``: as a steel: colonies of fine lamellae (1), islands without lamellae (2), thin films between some of them
        (3) and small inclusions (4), which cover less than 1 % each.
    shape
        Rows and columns, 1 to 20,000 each.
    seed
        A whole number from 0 on. The same kind, shape and seed give the same pixels.

    Returns
    -------
    SyntheticMicrograph
        ``image`` uint8 and ``truth`` uint8, both of `shape`.

    Raises
    ------
    ParameterError
        If kind, shape or seed are invalid.
    """
    random = _random(kind, seed)
    rows, columns = _check_shape(shape, "rows, columns")
    if kind == "lamellar":
        look = _lamellar(1, rows, columns, random)[0]
        return SyntheticMicrograph(_render(look, *_LOOKS[kind], random), _LAMELLAR_CLASSES[look])
    truth = {"particles": _particles, "grains": _grains, "layers": _layers}[kind](rows, columns, random)
    return SyntheticMicrograph(_render(truth, *_LOOKS[kind], random), truth)


def volume(kind: str = "particles", shape: tuple[int, int, int] = (64, 128, 128), seed: int = 0) -> SyntheticVolume:
    """Make a volume as of X-ray tomography, with noise and uneven illumination, and its exact truth.

    Parameters
    ----------
    kind
        ``"particles"``: bright ellipsoids (class 2) in a matrix (1); some touch.
        ``"grains"``: a Voronoi mosaic of three phases (1, 2, 3) that differ in grey and in roughness.
        ``"layers"``: wavy sheets of three phases (1, 2, 3), repeating from top to bottom of each slice.
        ``"lamellar"``: as a steel: colonies of fine lamellae (1), islands without lamellae (2), thin films between some of them
        (3) and small inclusions (4).
    shape
        Slices, rows and columns, 1 to 20,000 each, together at most 10⁹ voxels.
    seed
        A whole number from 0 on. The same kind, shape and seed give the same voxels.

    Returns
    -------
    SyntheticVolume
        ``image`` uint8 and ``truth`` uint8, both of `shape`.

    Raises
    ------
    ParameterError
        If kind, shape or seed are invalid.
    """
    random = _random(kind, seed)
    slices, rows, columns = _check_shape(shape, "slices, rows, columns")
    if slices * rows * columns > VOXELS_MAX:
        raise ParameterError(f"shape is {shape!r}; at most {VOXELS_MAX:,} voxels will do.")
    make = {"particles": _ellipsoids, "grains": _grain_volume, "layers": _sheets, "lamellar": _lamellar}[kind]
    look = make(slices, rows, columns, random)
    image = np.stack([_render(each, *_LOOKS[kind], random) for each in look])
    return SyntheticVolume(image, _LAMELLAR_CLASSES[look] if kind == "lamellar" else look)


_LOOKS = {
    "particles": ((0.32, 0.62), (0.03, 0.02)),
    "grains": ((0.36, 0.5, 0.64), (0.015, 0.06, 0.03)),
    "layers": ((0.3, 0.5, 0.7), (0.02, 0.05, 0.02)),
    "lamellar": ((0.6, 0.52, 0.7, 0.2, 0.42), (0.02, 0.02, 0.02, 0.03, 0.02)),
}
"""The grey and the roughness of each class, as fractions of the full range; of the kind lamellar, of what `_lamellar` draws."""

_LAMELLAR_CLASSES = np.array([0, 1, 2, 3, 4, 1], np.uint8)
"""The class of what `_lamellar` draws: a colony's dark lamellae (5) belong to it as its bright ones do (1)."""


def _random(kind: str, seed: int) -> np.random.Generator:
    if not isinstance(kind, str) or kind not in KINDS:
        raise ParameterError(f"There is no kind {kind!r}; kinds are {', '.join(KINDS)}.")
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
        raise ParameterError(f"seed is {seed!r}; a whole number from 0 on will do.")
    return np.random.Generator(np.random.PCG64(int(seed)))


def _check_shape(shape: Any, sides: str) -> tuple[int, ...]:
    try:
        lengths = tuple(int(length) for length in shape)
    except (TypeError, ValueError):
        lengths = ()
    if len(lengths) != sides.count(",") + 1:
        raise ParameterError(f"shape is {shape!r}; ({sides}) will do.")
    if not all(1 <= length <= SIDE_MAX for length in lengths):
        raise ParameterError(f"shape is {shape!r}; 1 to {SIDE_MAX} {sides.replace(', ', ' and ')} will do.")
    return lengths


def _particles(rows: int, columns: int, random: np.random.Generator) -> UInt8:
    """Draw ellipses that cover about a third of the image, each in its bounding box only."""
    truth = np.ones((rows, columns), np.uint8)
    scale = max(4.0, min(rows, columns) / 24)
    count = max(1, round(0.4 * rows * columns / (np.pi * scale**2)))
    centres = random.uniform((0, 0), (rows, columns), (count, 2))
    radii = scale * random.lognormal(0, 0.25, (count, 1)) * random.uniform(0.7, 1.0, (count, 2))
    angles = random.uniform(0, np.pi, count)
    for (y, x), (a, b), angle in zip(centres, radii, angles, strict=True):
        reach = int(np.ceil(max(a, b))) + 1
        top, left = max(0, int(y) - reach), max(0, int(x) - reach)
        box = truth[top : int(y) + reach + 1, left : int(x) + reach + 1]
        dy = np.arange(top, top + box.shape[0])[:, np.newaxis] - y
        dx = np.arange(left, left + box.shape[1])[np.newaxis] - x
        along = (dx * np.cos(angle) + dy * np.sin(angle)) / a
        across = (dy * np.cos(angle) - dx * np.sin(angle)) / b
        box[along**2 + across**2 <= 1] = 2
    return truth


def _grains(rows: int, columns: int, random: np.random.Generator) -> UInt8:
    """Give each pixel the phase of the nearest random seed. Works in bands of rows to save memory."""
    count = 90
    seeds = random.uniform((0, 0), (rows, columns), (count, 2)).astype(np.float32)
    phases = random.permutation(np.arange(count) % 3 + 1).astype(np.uint8)
    truth = np.empty((rows, columns), np.uint8)
    across = (np.arange(columns, dtype=np.float32)[:, np.newaxis] - seeds[:, 1]) ** 2
    band = max(1, 4_000_000 // (columns * count))
    for top in range(0, rows, band):
        down = (np.arange(top, min(rows, top + band), dtype=np.float32)[:, np.newaxis] - seeds[:, 0]) ** 2
        truth[top : top + band] = phases[np.argmin(down[:, np.newaxis] + across[np.newaxis], axis=2)]
    return truth


def _layers(rows: int, columns: int, random: np.random.Generator) -> UInt8:
    """Draw bands between wavy lines."""
    period = max(3.0, rows / 9)
    x = np.arange(columns) / columns
    waves = np.zeros(columns)
    for frequency in (1, 2, 5, 11):
        waves += period * 0.25 / np.sqrt(frequency) * np.sin(2 * np.pi * (frequency * x + random.uniform()))
    depth = (np.arange(rows)[:, np.newaxis] + waves[np.newaxis]) / period
    truth: UInt8 = (np.floor(depth).astype(np.int64) % 3 + 1).astype(np.uint8)
    return truth


def _lamellar(slices: int, rows: int, columns: int, random: np.random.Generator) -> UInt8:
    """Draw bright (1) and dark (5) lamellae of colonies, islands (2), films (3) and inclusions (4), slice by slice."""
    count, fine = 40, max(5.0, min(rows, columns) / 64)
    sides = np.array((slices, rows, columns))
    seeds = random.uniform((0, 0, 0), sides, (count, 3)).astype(np.float32)
    normals = random.standard_normal((count, 3)).astype(np.float32)
    if slices == 1:
        normals[:, 0] = 0
    normals /= np.linalg.norm(normals, axis=1, keepdims=True) * (fine * random.uniform(0.8, 1.4, (count, 1)))
    is_island = random.permutation(count) < count // 4
    shift = random.uniform(size=count).astype(np.float32)
    number = max(1, round(0.004 * float(np.prod(sides)) / (np.pi * fine**2 / 4 * (fine if slices > 1 else 1))))
    inclusions = random.uniform((0, 0, 0), sides, (number, 3)).astype(np.float32)
    radii = fine / 2 * random.uniform(0.7, 1.3, number).astype(np.float32)
    look = np.empty((slices, rows, columns), np.uint8)
    x = np.arange(columns, dtype=np.float32)
    band = max(1, 2_000_000 // (columns * count))
    for z in range(slices):
        for top in range(0, rows, band):
            y = np.arange(top, min(rows, top + band), dtype=np.float32)[:, np.newaxis]
            away = (
                (seeds[:, 0] - z) ** 2 + (y - seeds[:, 1])[:, np.newaxis] ** 2 + (x[:, np.newaxis] - seeds[:, 2]) ** 2
            )
            two = np.argpartition(away, 1, axis=2)[:, :, :2]
            both = np.take_along_axis(away, two, axis=2)
            nearest = np.where(both[..., 0] <= both[..., 1], two[..., 0], two[..., 1])
            apart = np.linalg.norm(seeds[two[..., 0]] - seeds[two[..., 1]], axis=2)
            to_border = np.abs(both[..., 0] - both[..., 1]) / (2 * np.maximum(apart, 1e-3))
            wave = normals[nearest, 0] * z + normals[nearest, 1] * y + normals[nearest, 2] * x + shift[nearest]
            drawn = np.where(is_island[nearest], 2, np.where(wave % 1 < 0.45, 5, 1))
            is_film = (to_border < fine / 6) & (two.sum(axis=2) % 5 == 0)
            look[z, top : top + band] = np.where(is_film, 3, drawn)
        for (depth, row, column), radius in zip(inclusions, radii, strict=True):
            if abs(depth - z) <= radius or slices == 1:
                reach = int(np.ceil(radius))
                up, left = max(0, int(row) - reach), max(0, int(column) - reach)
                box = look[z, up : int(row) + reach + 1, left : int(column) + reach + 1]
                dy = np.arange(up, up + box.shape[0])[:, np.newaxis] - row
                dx = np.arange(left, left + box.shape[1]) - column
                deep = 0 if slices == 1 else depth - z
                box[dy**2 + dx**2 + deep**2 <= radius**2] = 4
    return look


def _ellipsoids(slices: int, rows: int, columns: int, random: np.random.Generator) -> UInt8:
    """Draw ellipsoids that cover about a third of the volume, each in its bounding box only."""
    sides = np.array((slices, rows, columns))
    truth = np.ones(sides, np.uint8)
    scale = max(4.0, float(np.sort(sides)[1]) / 12)
    count = max(1, round(0.4 * float(np.prod(sides)) / (4 / 3 * np.pi * scale**3)))
    for _ in range(count):
        centre = random.uniform((0, 0, 0), sides)
        radii = scale * random.lognormal(0, 0.25) * random.uniform(0.7, 1.0, 3)
        turn = np.linalg.qr(random.standard_normal((3, 3)))[0]
        reach = int(np.ceil(radii.max())) + 1
        low = np.maximum(0, centre.astype(int) - reach)
        box = truth[tuple(slice(start, int(at) + reach + 1) for start, at in zip(low, centre, strict=True))]
        away = np.indices(box.shape) + (low - centre)[:, np.newaxis, np.newaxis, np.newaxis]
        along = np.tensordot(turn / radii[:, np.newaxis], away, axes=1)
        box[(along**2).sum(axis=0) <= 1] = 2
    return truth


def _grain_volume(slices: int, rows: int, columns: int, random: np.random.Generator) -> UInt8:
    """Give each voxel the phase of the nearest random seed. Works slice by slice to save memory."""
    count = 150
    seeds = random.uniform((0, 0, 0), (slices, rows, columns), (count, 3)).astype(np.float32)
    phases = random.permutation(np.arange(count) % 3 + 1).astype(np.uint8)
    truth = np.empty((slices, rows, columns), np.uint8)
    y, x = np.arange(rows, dtype=np.float32)[:, np.newaxis], np.arange(columns, dtype=np.float32)[np.newaxis]
    for z in range(slices):
        nearest = np.full((rows, columns), np.inf, np.float32)
        for seed, phase in zip(seeds, phases, strict=True):
            distance = (seed[0] - z) ** 2 + (y - seed[1]) ** 2 + (x - seed[2]) ** 2
            closer = distance < nearest
            nearest[closer] = distance[closer]
            truth[z][closer] = phase
    return truth


def _sheets(slices: int, rows: int, columns: int, random: np.random.Generator) -> UInt8:
    """Draw sheets between surfaces that wave along the slices and along the columns."""
    period = max(3.0, rows / 9)
    z, x = np.arange(slices)[:, np.newaxis] / slices, np.arange(columns)[np.newaxis] / columns
    waves = np.zeros((slices, columns))
    for frequency in (1, 2, 5):
        phase = random.uniform(size=2)
        height = period * 0.25 / np.sqrt(frequency)
        waves += (
            height * np.sin(2 * np.pi * (frequency * x + phase[0])) * np.cos(2 * np.pi * (frequency * z + phase[1]))
        )
    depth = (np.arange(rows)[:, np.newaxis] + waves[:, np.newaxis]) / period
    truth: UInt8 = (np.floor(depth).astype(np.int64) % 3 + 1).astype(np.uint8)
    return truth


def _render(truth: UInt8, grey: tuple[float, ...], texture: tuple[float, ...], random: np.random.Generator) -> UInt8:
    """Give each class its grey and roughness, then blur, shade and add noise, as a microscope does."""
    rows, columns = truth.shape
    values = np.array(grey, np.float32)[truth - 1]
    values += np.array(texture, np.float32)[truth - 1] * random.standard_normal(truth.shape, np.float32)
    values = _blur(values)
    y = np.linspace(-1, 1, rows, dtype=np.float32)[:, np.newaxis]
    x = np.linspace(-1, 1, columns, dtype=np.float32)[np.newaxis]
    angle = random.uniform(0, 2 * np.pi)
    values *= 1 + np.float32(0.12 * np.cos(angle)) * x + np.float32(0.12 * np.sin(angle)) * y - 0.08 * (x**2 + y**2)
    values += 0.05 * random.standard_normal(truth.shape, np.float32)
    image: UInt8 = np.clip(np.rint(values * 255), 0, 255).astype(np.uint8)
    return image


def _blur(values: Float) -> Float:
    """Convolve with (1, 2, 1)/4 along both axes: about a Gaussian of σ 0.7 pixels."""
    down = np.pad(values, ((1, 1), (0, 0)), mode="edge")
    values = (down[:-2] + 2 * values + down[2:]) * np.float32(0.25)
    across = np.pad(values, ((0, 0), (1, 1)), mode="edge")
    blurred: Float = (across[:, :-2] + 2 * values + across[:, 2:]) * np.float32(0.25)
    return blurred
