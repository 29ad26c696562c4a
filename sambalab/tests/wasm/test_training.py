"""Training in Python: the sidecar's classifier to the last bit, and errors."""

import json

import numpy as np
import pytest

import sambalab as sl
from sambalab import FeatureSpec, engine
from sambalab.wasm.sample import draw_labels, even_quotas, quantile_cuts, sample_positions

pytestmark = pytest.mark.usefixtures("sidecar_dirs")

MICROGRAPH = sl.data.micrograph("particles", (300, 400), seed=3)
NOISE = np.random.default_rng(1).integers(0, 65536, (3, 70, 90), dtype=np.uint16)


def drawn(truth, part, seed=0):
    """Label a part of the pixels."""
    return np.where(np.random.default_rng(seed).random(truth.shape) < part, truth, 0).astype(np.uint8)


CASES = {
    "samba": (MICROGRAPH.image, drawn(MICROGRAPH.truth, 0.05), {}),
    "deep": (MICROGRAPH.image, drawn(MICROGRAPH.truth, 0.05), {"preset": "deep", "trees": 10}),
    # Fewer than the labelled pixels, so that pixels are drawn.
    "drawn": (MICROGRAPH.image, drawn(MICROGRAPH.truth, 0.3), {"max_samples": 700, "trees": 20}),
    "weka": (
        MICROGRAPH.image,
        drawn(MICROGRAPH.truth, 0.3),
        {"features": "weka", "max_samples": "all", "balanced": False, "seed": (1 << 32) - 1, "trees": 9},
    ),
    # A stack whose slices have labels of different classes; its own range gives the grey levels.
    "stack": (
        NOISE,
        np.stack([drawn(np.full((70, 90), label), 0.1) for label in (1, 2, 0)]),
        {"features": FeatureSpec("samba", sigmas=[1, 2], entropy={"bins": [32]}), "trees": 15, "min_leaf": 5},
    ),
    "colour": (
        np.moveaxis(NOISE, 0, -1),
        drawn((NOISE[0] > 30000) + np.uint8(1), 0.2),
        {"features": {"set": "samba", "sigmas": [1], "membrane": None}, "trees": 12, "max_features": "sqrt"},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_classifier_trained_here_is_the_sidecars(case):
    image, labels, options = CASES[case]
    lab = sl.Labeller(image, ["one", "two"], name=case)
    lab.set_labels(labels)
    theirs = lab.train(progress=False, **{"features": "samba", "preset": "samba", **options})
    ours = engine.train(image, labels, ["one", "two"], threads=3, **options)
    assert json.loads(ours.document.data) == json.loads(theirs.document.data)
    np.testing.assert_array_equal(ours.apply(image, engine="python"), theirs.apply(image))
    lab.close()


def test_a_forest_does_not_depend_on_the_threads():
    image, labels, _ = CASES["samba"]
    one, many = (engine.train(image, labels, trees=11, threads=threads).document.data for threads in (1, 4))
    assert one == many
    assert engine.train(image, labels, trees=11, seed=1).document.data != one


def test_classes_without_names_are_numbered():
    image, labels, _ = CASES["samba"]
    classifier = engine.train(image, np.where(labels == 2, 4, labels), trees=3)
    assert classifier.classes == ("1", "2", "3", "4")
    assert set(np.unique(classifier.apply(image, engine="python"))) == {1, 4}


LABELS = CASES["samba"][1]


@pytest.mark.parametrize(
    ("given", "error", "says"),
    [
        ({"labels": LABELS[1:]}, sl.LabelError, r"\(299, 400\) do not fit; the image needs \(300, 400\)"),
        ({"labels": LABELS * 1.0}, sl.LabelError, "dtype float64"),
        ({"labels": LABELS.astype(np.int32) * -1}, sl.LabelError, "from -2 to 0; 0 to 255"),
        ({"labels": LABELS.astype(np.int32) * 200}, sl.LabelError, "from 0 to 400; 0 to 255"),
        ({"labels": LABELS * 0}, sl.LabelError, "No pixel is labelled"),
        ({"labels": LABELS & 1, "classes": ["matrix", "pore"]}, sl.LabelError, "Only “matrix” is labelled"),
        ({"labels": LABELS * 2, "classes": ["a", "b", "c"]}, sl.LabelError, "labelled 4, but the classes are 1, 2, 3"),
        ({"classes": ["a", "a"]}, sl.LabelError, "a"),
        ({"features": "ilastik"}, sl.ParameterError, "samba, weka"),
        ({"trees": 0}, sl.ParameterError, "trees is 0; a whole number from 1 to 2,000"),
        ({"preset": "shallow"}, sl.ParameterError, "'samba' or 'deep'"),
        ({"threads": 1000}, sl.ParameterError, "threads is 1000"),
        ({"image": LABELS[0]}, sl.ImageError, "1 axes"),
    ],
)
def test_labels_that_do_not_fit_a_training_are_named(given, error, says):
    with pytest.raises(error, match=says):
        engine.train(**{"image": MICROGRAPH.image, "labels": LABELS, **given})


def test_cuts_are_quantiles():
    rng = np.random.default_rng(0)
    values = rng.normal(size=5000).astype(np.float32)
    cuts = quantile_cuts(values)
    np.testing.assert_allclose(np.searchsorted(np.sort(values), cuts), np.arange(1, 256) * 5000 / 256, atol=1)
    few = quantile_cuts(np.array([3, 1, -0.0, 0.0, np.nan, np.inf, 1], np.float32))
    np.testing.assert_array_equal(few, [0.5, 2])
    assert quantile_cuts(np.full(9, np.nan, np.float32)).size == quantile_cuts(np.ones(9, np.float32)).size == 0


def test_positions_are_spread_evenly_and_differ():
    positions = sample_positions(100_000, 777)
    assert len(np.unique(positions)) == 777 and positions[-1] < 100_000
    assert np.diff(positions).max() < 3 * 100_000 / 777
    np.testing.assert_array_equal(sample_positions(5, 9), np.arange(5))


def test_labels_are_drawn_evenly_from_the_classes():
    counts = np.zeros(256, np.int64)
    counts[[1, 2, 7]] = 10, 1000, 500
    np.testing.assert_array_equal(even_quotas(counts, 300)[[1, 2, 7]], [10, 145, 145])
    assert even_quotas(counts, None).sum() == 1510
    labels = np.zeros((1, 40, 50), np.uint8)
    labels[0, :20] = 2
    labels[0, 30] = 5
    pixels, class_of = draw_labels(labels, [2, 5], ["a", "b"], 90)
    np.testing.assert_array_equal(np.bincount(class_of), [45, 45])
    np.testing.assert_array_equal(labels.ravel()[pixels], np.where(class_of, 5, 2))
    assert (np.diff(pixels) > 0).all()
