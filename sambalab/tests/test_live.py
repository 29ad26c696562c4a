"""Live segmentation and reports in Python: the results of changed labels, without a call."""

import time

import numpy as np
import pytest

import sambalab as sl

pytestmark = pytest.mark.usefixtures("sidecar_dirs")

SHAPE = (96, 128)


@pytest.fixture(scope="module")
def micrograph():
    return sl.data.micrograph("particles", SHAPE, seed=3)


def some_labels(truth, part=0.05, seed=0):
    chosen = np.random.default_rng(seed).random(truth.shape) < part
    return np.where(chosen, truth, 0).astype(np.uint8)


def wait_for(condition, seconds=60):
    """Wait until it holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it does not come"
        time.sleep(0.02)


def test_live_follows_the_labels(micrograph):
    lab = sl.Labeller(micrograph.image, ["matrix", "particle"], name="live on")
    assert lab.live is False
    lab.live = True
    assert lab.live is True
    first = some_labels(micrograph.truth)
    lab.set_labels(first)
    wait_for(lambda: lab.segmentation_version > 0 and lab.classifier.n_samples == np.count_nonzero(first))
    assert (lab.segmentation == micrograph.truth).mean() > 0.95
    second = some_labels(micrograph.truth, 0.1, seed=1)
    lab.set_labels(second)
    # The first rounds have no embedding, until it is computed.
    wait_for(lambda: lab.classifier.n_samples == np.count_nonzero(second) and lab.classifier.embedding_model)
    # The last round gives the result of a training.
    live = lab.segmentation.copy()
    report = lab.report()
    np.testing.assert_array_equal(report.labelled, np.bincount(second.ravel(), minlength=3)[1:])
    np.testing.assert_allclose(report.fractions, [np.mean(live == 1), np.mean(live == 2)])
    lab.live = False
    assert lab.live is False
    trained = lab.train(progress=False)
    np.testing.assert_array_equal(lab.segmentation, live)
    assert trained.n_samples == np.count_nonzero(second)
    lab.close()


def test_live_training_waits_for_two_classes(micrograph):
    lab = sl.Labeller(micrograph.image, ["matrix", "particle"], name="live waits")
    lab.live = True
    one = np.where(some_labels(micrograph.truth) == 1, 1, 0)
    lab.set_labels(one)
    with pytest.raises(sl.NotTrainedError):
        lab.segmentation  # noqa: B018
    both = np.where(one, one, some_labels(micrograph.truth, 0.02, seed=4))
    lab.set_labels(both)
    wait_for(lambda: lab.segmentation_version > 0)
    assert lab.classifier.classes == ("matrix", "particle")
    lab.close()


@pytest.mark.parametrize("value", [1, "on", None])
def test_live_is_on_or_off(micrograph, value):
    lab = sl.Labeller(micrograph.image, name="live what")
    with pytest.raises(sl.ParameterError, match="live is .*; True or False will do"):
        lab.live = value
    assert lab.live is False


def test_each_report_has_the_present_state(micrograph):
    lab = sl.Labeller(micrograph.image, ["matrix", "particle"], name="report")
    assert lab.report().fractions is None and "no segmentation yet" in repr(lab.report())
    labels = some_labels(micrograph.truth)
    lab.set_labels(labels)
    np.testing.assert_array_equal(lab.report().labelled, np.bincount(labels.ravel(), minlength=3)[1:])
    classifier = lab.train(preset="samba", trees=60, progress=False)
    report = lab.report()
    assert report.classes == ("matrix", "particle") and report.class_ids == (1, 2)
    np.testing.assert_allclose(report.fractions, [np.mean(lab.segmentation == number) for number in (1, 2)])
    # Every labelled pixel has its place in the confusion, and its diagonal is the out-of-bag score.
    assert report.scores.source == "out-of-bag" and report.confusion.sum() == np.count_nonzero(labels)
    np.testing.assert_array_equal(report.confusion.sum(axis=1), report.labelled)
    assert report.scores.accuracy == pytest.approx(classifier.oob_score)
    assert sum(report.importances.values()) == pytest.approx(1)
    assert next(iter(report.importances)) == classifier.feature_names[int(np.argmax(classifier.feature_importances))]
    np.testing.assert_array_equal(classifier.scores.confusion, report.confusion)
    lab.close()


def test_uncertainty_has_two_measures(micrograph):
    lab = sl.Labeller(micrograph.image, ["matrix", "particle"], name="measures")
    lab.set_labels(some_labels(micrograph.truth, 0.01))
    lab.train(preset="samba", trees=20, progress=False)
    ordered = np.sort(lab.probabilities, axis=-1)
    np.testing.assert_allclose(lab.uncertainty_by("maximum"), 1 - ordered[..., -1], atol=1e-6)
    np.testing.assert_allclose(lab.uncertainty_by("margin"), 1 - ordered[..., -1] + ordered[..., -2], atol=1e-6)
    with pytest.raises(sl.ParameterError, match="measure is 'entropy'; 'margin' or 'maximum' will do"):
        lab.uncertainty_by("entropy")
    lab.close()
