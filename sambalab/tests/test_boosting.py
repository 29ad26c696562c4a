"""Boosted trees in Python: trained by the sidecar, applied here with the same bits, kept in files."""

import dataclasses
import json

import numpy as np
import pytest

import sambalab as sl
from sambalab import FeatureSpec, engine
from sambalab.classifier import Classifier

pytestmark = pytest.mark.usefixtures("sidecar_dirs")

SHAPE = (150, 210)
MICROGRAPH = sl.data.micrograph("particles", SHAPE, seed=5)


def strokes(truth, count, seed=0):
    """Draw short strokes of each class, far enough apart to be strokes of their own."""
    rng = np.random.default_rng(seed)
    labels = np.zeros_like(truth)
    for number in np.unique(truth):
        for row, column in rng.permutation(np.argwhere(truth == number))[:count]:
            own = np.s_[max(0, row - 1) : row + 2, max(0, column - 3) : column + 4]
            labels[own][truth[own] == number] = number
    return labels


def labeller(case):
    """Train boosted trees on two or three classes, grey or colour; in colour probabilities are refined."""
    image, truth, names = MICROGRAPH.image, MICROGRAPH.truth, ["a", "b"]
    if case == "three":
        truth, names = np.digitize(image, [90, 150]).astype(np.uint8) + 1, ["a", "b", "c"]
    if case == "colour":
        image = np.stack([image, image[::-1], np.roll(image, 7, axis=1)], -1)
    lab = sl.Labeller(image, names, name=f"boosting {case}")
    lab.set_labels(strokes(truth, 20))
    spec = FeatureSpec("samba", sigmas=[1, 3])
    lab.train(preset="boosting", rounds=40, refine=4 if case == "colour" else 0, features=spec, progress=False)
    return lab, truth


@pytest.fixture(scope="module", params=["two", "three", "colour"])
def trained(request, sidecar_dirs):
    return labeller(request.param)


def same_bits(one, other):
    assert one.dtype == other.dtype and one.shape == other.shape
    return np.ascontiguousarray(one).tobytes() == np.ascontiguousarray(other).tobytes()


def test_boosted_trees_learn_and_tell_how_well(trained):
    lab, truth = trained
    classifier = lab.classifier
    assert classifier.kind == "boosting" and 1 <= classifier.n_trees <= 40
    assert (lab.segmentation == truth).mean() > 0.7
    assert classifier.scores.source == "held-out" and classifier.oob_score is None
    labelled = np.count_nonzero(lab.labels)
    assert 0 < classifier.scores.confusion.sum() < labelled / 2 and classifier.scores.accuracy > 0.8
    assert "boosted trees" in repr(classifier) and "held-out score" in repr(classifier)
    assert sum(classifier.feature_importances) == pytest.approx(1)
    np.testing.assert_array_equal(lab.report().confusion, classifier.scores.confusion)


@pytest.mark.parametrize("output", ["labels", "probabilities"])
def test_python_applies_boosted_trees_with_the_bits_of_the_sidecar(trained, output):
    lab, _ = trained
    expected = np.array(lab.classifier.apply(lab.image, output))
    assert same_bits(np.array(lab.classifier.apply(lab.image, output, engine="python")), expected)
    for tile, threads in ((1 << 14, 1), (61, 3)):
        cut = engine.apply_classifier(lab.classifier, lab.image, output, tile=tile, threads=threads)
        assert same_bits(cut, expected)


def test_probabilities_of_boosted_trees_follow_from_their_leaves(trained):
    lab, _ = trained
    classifier = lab.classifier
    if len(lab.image.shape) == 3:
        pytest.skip("these are refined")
    forest = classifier.document.forest
    assert (forest.votes.sum(axis=1) == 512 * len(classifier.classes)).all()
    stack = np.array(lab.features).reshape(-1, len(classifier.feature_names))[::97]
    bins = np.stack([np.searchsorted(cuts, stack[:, f], side="left") for f, cuts in enumerate(forest.cuts)], axis=1)
    sums = np.zeros((len(stack), len(classifier.classes)), np.int64)
    for start in forest.starts:
        node = np.full(len(stack), start)
        while (inner := forest.feature[node] >= 0).any():
            left = bins[np.arange(len(stack)), np.maximum(forest.feature[node], 0)] <= forest.threshold[node]
            child = start + np.where(left, forest.left[node], forest.right[node])
            node = np.where(inner, child, node)
        sums += forest.votes[forest.left[node]]
    logits = (sums - 512 * len(forest.counts)) / forest.scale
    expected = np.exp(logits - logits.max(axis=1, keepdims=True))
    expected /= expected.sum(axis=1, keepdims=True)
    found = np.array(lab.probabilities).reshape(-1, len(classifier.classes))[::97]
    np.testing.assert_allclose(found, expected, atol=2e-6)
    np.testing.assert_allclose(engine.apply_classifier(classifier, lab.image, "probabilities").sum(-1), 1, atol=1e-5)
    assert same_bits(
        engine.apply_classifier(classifier, lab.image, "uncertainty").reshape(lab.shape), np.array(lab.uncertainty)
    )


def test_a_saved_boosted_classifier_comes_back_to_the_last_bit(trained, tmp_path):
    lab, _ = trained
    for extension in (".json", ".onnx"):
        lab.classifier.save(tmp_path / f"boosted{extension}")
        again = Classifier.load(tmp_path / f"boosted{extension}")
        assert again.kind == "boosting" and again.document.fields == lab.classifier.document.fields
        assert same_bits(np.array(again.apply(lab.image)), np.array(lab.classifier.apply(lab.image)))
    with pytest.raises(sl.ParameterError, match="boosted trees"):
        lab.classifier.save(tmp_path / "boosted.skops")
    with pytest.raises(sl.ParameterError, match="boost"):
        lab.classifier.to_ml_random_forest()


def test_the_same_seed_gives_the_same_boosted_trees():
    lab = sl.Labeller(MICROGRAPH.image, ["a", "b"], name="boosted seeds")
    lab.set_labels(strokes(MICROGRAPH.truth, 12))
    options = {"features": "samba", "rounds": 12, "max_features": "sqrt", "patience": "never", "progress": False}
    one, again, other = (lab.train(seed=seed, **options).document.data for seed in (3, 3, 4))
    assert one == again and one != other
    assert Classifier(one).n_trees == 12
    lab.close()


def test_without_strokes_to_hold_out_all_rounds_are_grown_and_scores_are_unknown():
    lab = sl.Labeller(MICROGRAPH.image, ["a", "b"], name="few strokes")
    lab.set_labels(strokes(MICROGRAPH.truth, 1))
    classifier = lab.train(preset="boosting", features="samba", rounds=9, min_leaf=1, progress=False)
    assert classifier.n_trees <= 9 and classifier.scores is None and "no score" in repr(classifier)
    assert lab.report().scores is None and "No scores are known" in repr(lab.report())
    lab.close()


def test_training_boosted_trees_in_python_names_the_labeller():
    with pytest.raises(sl.ParameterError, match=r"Labeller\.train.*'samba' or 'deep' will do"):
        engine.train(MICROGRAPH.image, MICROGRAPH.truth, preset="boosting")


def test_a_leaf_whose_votes_do_not_add_up_is_refused(trained):
    lab, _ = trained
    classifier = Classifier(lab.classifier.document.data)
    votes = classifier.document.forest.votes.copy()
    votes[2, 0] += 1
    changed = {
        **classifier.document.fields,
        **dataclasses.replace(classifier.document.forest, votes=votes).to_document(),
    }
    data = json.dumps(changed)
    with pytest.raises(sl.ParameterError, match=rf"votes do not add up to {512 * votes.shape[1]}"):
        engine.apply_classifier(data, lab.image)
