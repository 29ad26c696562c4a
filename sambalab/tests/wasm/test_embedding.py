"""The embedding in the feature stack: the formula, independence of tiles, and errors."""

import numpy as np
import pytest

import sambalab as sl
from sambalab import FeatureSpec, engine

RNG = np.random.default_rng(5)
IMAGE = RNG.integers(0, 256, (150, 210), dtype=np.uint8)
LAYERS = [{"layer": "output", "components": 3}, {"layer": "stage1", "components": 2}]
SPEC = FeatureSpec("samba", sigmas=[1], membrane=None, embedding={"window": 512, "layers": LAYERS})


def embedding_of(shape, spec=SPEC, slices=1):
    """Make maps of noise as they fit an image of this shape."""
    cells = {"output": 64, "stage3": 64, "stage2": 128, "stage1": 256}
    maps = []
    for layer in spec.embedding["layers"]:
        cell = spec.embedding["window"] / cells[layer["layer"]]
        grid = [int(np.ceil(length / cell)) for length in shape]
        maps.append(RNG.normal(0, 10, (slices, layer["components"], *grid)).astype(np.float32))
    return maps


def read_between(cells, cell, shape):
    """Read a map (components, rows, columns) at the pixels of an image, in float32 as the kernel does."""

    def along(pixels, count):
        place = np.clip((np.arange(pixels) + 0.5) / cell - 0.5, 0, count - 1)
        first = np.floor(place).astype(int)
        return first, np.minimum(first + 1, count - 1), (place - first).astype(np.float32)

    (top, bottom, down), (left, right, across) = (along(n, m) for n, m in zip(shape, cells.shape[1:], strict=True))
    lines = cells[:, :, left] + (cells[:, :, right] - cells[:, :, left]) * across
    return lines[:, top] + (lines[:, bottom] - lines[:, top]) * down[:, np.newaxis]


def test_components_are_interpolated_and_follow_the_families():
    maps = embedding_of(IMAGE.shape)
    stack = engine.feature_stack(IMAGE, SPEC, embedding=maps)
    plain = FeatureSpec("samba", sigmas=[1], membrane=None)
    assert stack.shape[-1] == plain.count() + 5 == len(SPEC.names())
    np.testing.assert_array_equal(stack[..., : plain.count()], engine.feature_stack(IMAGE, plain))
    expected = np.concatenate([read_between(maps[0][0], 8, IMAGE.shape), read_between(maps[1][0], 2, IMAGE.shape)])
    np.testing.assert_array_equal(stack[..., plain.count() :], expected.transpose(1, 2, 0))


@pytest.mark.parametrize(("tile", "threads"), [(1 << 14, 1), (64, 2), (37, 3)])
def test_an_embedding_does_not_depend_on_tiles(tile, threads):
    maps = embedding_of(IMAGE.shape)
    whole = engine.feature_stack(IMAGE, SPEC, embedding=maps)
    np.testing.assert_array_equal(engine.feature_stack(IMAGE, SPEC, embedding=maps, tile=tile, threads=threads), whole)


def test_each_slice_has_its_own_map_and_colours_share_one():
    stack = np.stack([IMAGE[:40, :50], IMAGE[40:80, :50]])
    maps = embedding_of(stack.shape[1:], slices=2)
    both = engine.feature_stack(stack, SPEC, embedding=maps)
    for number in range(2):
        one = engine.feature_stack(stack[number], SPEC, embedding=[own[number : number + 1] for own in maps])
        np.testing.assert_array_equal(both[number], one)
    colour = np.stack([IMAGE[:40, :50]] * 3, -1)
    first = [own[:1] for own in maps]
    shared = engine.feature_stack(colour, SPEC, embedding=first)
    assert shared.shape[-1] == SPEC.count(3) == 3 * (SPEC.count() - 5) + 5
    np.testing.assert_array_equal(shared[..., -5:], both[0][..., -5:])


def test_bins_of_an_embedding_are_numbers_of_cuts():
    maps = embedding_of(IMAGE.shape)
    stack = engine.feature_stack(IMAGE, SPEC, embedding=maps)
    cuts = [np.unique(stack[::9, ::9, f]) for f in range(stack.shape[-1])]
    cuts = [own[:: max(1, len(own) // 200)][:255] for own in cuts]
    bins = engine.quantise(IMAGE, cuts, SPEC, embedding=maps, tile=60)
    for f in (0, -5, -1):
        np.testing.assert_array_equal(bins[..., f], np.searchsorted(cuts[f], stack[..., f], side="left"))


GOOD = embedding_of(IMAGE.shape)


@pytest.mark.parametrize(
    ("spec", "embedding", "says"),
    [
        (SPEC, None, r"what mobile-sam sees .* not computed here.*classifier\.embedding\(image\)"),
        ("samba", GOOD, "have no embedding; None will do"),
        (SPEC, GOOD[:1], "embedding has 1 layers; a list of 2 will do: output, stage1"),
        (SPEC, GOOD[0], "embedding is ndarray; a list of 2"),
        (
            SPEC,
            [GOOD[0], GOOD[1][:, :1]],
            r"embedding\.1, stage1, is float32 \(1, 1, 75, 105\); float32 \(1, 2, 75, 105\)",
        ),
        (SPEC, [GOOD[0][..., 1:], GOOD[1]], r"embedding\.0, output, is .*; float32 \(1, 3, 19, 27\) will do"),
        (SPEC, [GOOD[0].astype(float), GOOD[1]], "is float64"),
        (SPEC, [GOOD[0] * np.float32(np.nan), GOOD[1]], "has NaN or infinity"),
    ],
)
def test_an_embedding_that_does_not_fit_is_named_with_the_valid_shape(spec, embedding, says):
    with pytest.raises(sl.ParameterError, match=says):
        engine.feature_stack(IMAGE, spec, embedding=embedding)


def test_without_a_window_the_image_sets_it():
    spec = FeatureSpec("samba", sigmas=[1], membrane=None, embedding={"layers": LAYERS})
    own = spec.with_window(*IMAGE.shape)
    assert own.embedding["window"] == 210
    maps = embedding_of(IMAGE.shape, own)
    np.testing.assert_array_equal(
        engine.feature_stack(IMAGE, spec, embedding=maps), engine.feature_stack(IMAGE, own, embedding=maps)
    )
