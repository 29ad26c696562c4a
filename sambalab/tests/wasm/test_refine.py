"""Standardised pixels and refined probabilities: the formulas, and independence of tiles and threads."""

import json

import numpy as np
import pytest

from sambalab import FeatureSpec, engine
from sambalab.tests.spec.test_classifier_document import document
from sambalab.wasm import intensity
from sambalab.wasm.intensity import intensity_of

RNG = np.random.default_rng(8)
IMAGE = (RNG.normal(3000, 400, (90, 130)).cumsum(axis=1) % 5000).astype(np.uint16)
SPEC = FeatureSpec.from_dict({"families": {"gaussian": {"sigmas": [1]}}, "standardise": True})


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32", "float64"])
def test_the_intensity_is_mean_and_deviation_of_all_values(dtype, threads):
    pixels = RNG.normal(50, 9, (3, 40, 50, 3)).astype(dtype)
    found = intensity_of(pixels, threads)
    values = pixels.astype(np.float64)
    assert found.mean == pytest.approx(values.mean(), rel=1e-12)
    assert found.deviation == pytest.approx(values.std(), rel=1e-9)
    assert intensity_of(pixels, 1) == found
    flat = intensity_of(np.full((1, 4, 5, 1), 7, np.uint8), 1)
    assert (flat.mean, flat.deviation) == (7, 0) and (7 - flat.taken[0]) * flat.taken[1] == 127.5


def test_the_intensity_of_a_large_image_is_that_of_some_rows(monkeypatch):
    monkeypatch.setattr(intensity, "_VALUES_MAX", 3000)
    pixels = RNG.integers(0, 1000, (2, 40, 50, 1), np.uint16)
    # 4,000 values: every second row of each slice.
    assert intensity_of(pixels, 2) == intensity_of(pixels[:, ::2].copy(), 2)
    assert intensity_of(pixels, 2).mean == pytest.approx(pixels[:, ::2].mean())


def test_large_values_with_a_small_spread_keep_it():
    pixels = (1e9 + RNG.normal(0, 1, (1, 60, 60, 1))).astype(np.float64)
    assert intensity_of(pixels, 1).deviation == pytest.approx(pixels.std(), rel=1e-6)


def test_standardised_pixels_are_three_deviations_to_each_side_of_the_mean():
    stack = engine.feature_stack(IMAGE, SPEC)
    values = IMAGE.astype(np.float64)
    expected = 127.5 + 42.5 * (values - values.mean()) / values.std()
    np.testing.assert_allclose(stack[..., 0], expected, atol=1e-3)
    # Another brightness and contrast changes nothing but rounding.
    np.testing.assert_allclose(engine.feature_stack(IMAGE * 3.5 + 1000, SPEC), stack, atol=1e-3)
    np.testing.assert_array_equal(engine.feature_stack(IMAGE, SPEC, tile=33, threads=2), stack)


def test_all_slices_of_a_stack_share_one_intensity():
    stack = np.stack([IMAGE, IMAGE // 2])
    pixels = engine.feature_stack(stack, SPEC)[..., 0]
    assert pixels.mean() == pytest.approx(127.5, abs=0.01) and pixels.std() == pytest.approx(42.5, abs=0.01)
    assert pixels[0].mean() > pixels[1].mean() + 10


def classifier(refine, boosted=False):
    made = document(boosted, False)
    made["forest"] = {**made["forest"], "refine": refine}
    return json.dumps(made)


def box(values, radius):
    """Mean over a window that is cut off at the edges."""
    ones = np.ones(values.shape[:2])

    def summed(plane):
        padded = np.zeros(np.array(plane.shape) + 2 * radius + 1)
        padded[radius + 1 : -radius, radius + 1 : -radius] = plane
        table = padded.cumsum(0).cumsum(1)
        size = 2 * radius + 1
        return table[size:, size:] - table[:-size, size:] - table[size:, :-size] + table[:-size, :-size]

    return summed(values) / summed(ones)


@pytest.mark.parametrize("boosted", [False, True])
@pytest.mark.parametrize("radius", [1, 6])
def test_probabilities_are_refined_by_a_guided_filter(radius, boosted):
    image = (IMAGE // 20).astype(np.uint8)
    plain = engine.apply_classifier(classifier(0, boosted), image, "probabilities").astype(np.float64)
    guide = engine.feature_stack(image, SPEC)[..., 1].astype(np.float64)
    epsilon = 0.05 * 42.5**2
    mean, variance = box(guide, radius), box(guide * guide, radius) - box(guide, radius) ** 2
    expected = np.empty_like(plain)
    for number in range(2):
        p = plain[..., number]
        a = (box(guide * p, radius) - mean * box(p, radius)) / (variance + epsilon)
        b = box(p, radius) - a * mean
        expected[..., number] = box(a, radius) * guide + box(b, radius)
    expected = np.clip(expected, 0, None)
    expected /= expected.sum(axis=-1, keepdims=True)
    found = engine.apply_classifier(classifier(radius, boosted), image, "probabilities")
    np.testing.assert_allclose(found, expected, atol=2e-3)
    assert np.abs(found - plain).max() > 0.1
    labels = engine.apply_classifier(classifier(radius, boosted), image)
    np.testing.assert_array_equal(labels, np.array([1, 3])[found.argmax(axis=-1)])
    ordered = np.sort(found, axis=-1)
    uncertainty = engine.apply_classifier(classifier(radius, boosted), image, "uncertainty")
    np.testing.assert_allclose(uncertainty, 1 - (ordered[..., 1] - ordered[..., 0]), atol=1e-6)


@pytest.mark.parametrize(("tile", "threads"), [(1 << 14, 1), (64, 2), (21, 3)])
@pytest.mark.parametrize("output", ["labels", "probabilities", "uncertainty"])
def test_refined_results_do_not_depend_on_tiles(tile, threads, output):
    image = np.stack([(IMAGE // 20).astype(np.uint8)] * 2)
    whole = engine.apply_classifier(classifier(5), image, output)
    assert (
        engine.apply_classifier(classifier(5), image, output, tile=tile, threads=threads).tobytes() == whole.tobytes()
    )


def test_boosted_trees_give_the_softmax_of_their_logits():
    image = (IMAGE // 20).astype(np.uint8)
    found = engine.apply_classifier(classifier(0, True), image, "probabilities")
    # One tree: votes 700 and 324 up to the cut at 100, above it 500 and 524; 250.5 votes make a logit of 1.
    for chosen, votes in ((image <= 100, [700, 324]), (image > 100, [500, 524])):
        expected = np.exp(np.array(votes) / 250.5)
        np.testing.assert_allclose(
            found[chosen], np.broadcast_to(expected / expected.sum(), (chosen.sum(), 2)), atol=1e-6
        )
    assert set(np.unique(engine.apply_classifier(classifier(0, True), image))) == {1, 3}
