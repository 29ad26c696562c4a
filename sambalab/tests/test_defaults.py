"""``lab.train()`` without arguments: SAMBA's families, standardised, an embedding, and deep trees, refined."""

import json
import warnings

import numpy as np
import pytest

import sambalab as sl
from sambalab import FeatureSpec, engine
from sambalab.spec.learners import presets

from .conftest import SAMBA

SHAPE = (150, 200)
SAM = tuple(f"SAM {number}" for number in range(1, 9))


def labelled(image, truth, name):
    """Label a twentieth of the pixels."""
    lab = sl.Labeller(image, ["matrix", "particle"], name=name)
    chosen = np.random.default_rng(0).random(truth.shape) < 0.05
    lab.set_labels(np.where(chosen, truth, 0))
    return lab


@pytest.fixture(scope="module")
def micrograph():
    return sl.data.micrograph("particles", SHAPE, seed=3)


@pytest.fixture(scope="module")
def trained(micrograph, sidecar_dirs):
    lab = labelled(micrograph.image, micrograph.truth, "default")
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        lab.train(progress=False)
    return lab


def test_the_default_classifier_has_an_embedding_and_deep_trees_and_no_note(trained):
    classifier = trained.classifier
    assert classifier.feature_names == (*FeatureSpec("samba").names(), *SAM)
    assert classifier.feature_spec == FeatureSpec("sam").with_window(*SHAPE) and classifier.feature_spec.standardise
    model, digest = classifier.embedding_model
    assert model == "mobile-sam" and len(digest) == 64
    assert classifier.document.fields["forest"] == presets()["deep"]
    assert classifier.n_trees == 100 and classifier.scores.source == "out-of-bag"
    info = trained._refresh()["segmentation"]["classifier"]
    assert info["note"] == ""
    assert info["embedding"] == {"model": model, "digest": digest}


def test_labels_probabilities_and_features_are_of_the_same_classifier(trained, micrograph):
    assert (trained.segmentation == micrograph.truth).mean() > 0.95
    unlabelled = trained.labels == 0
    np.testing.assert_array_equal(
        trained.segmentation[unlabelled], trained.probabilities.argmax(axis=-1)[unlabelled] + 1
    )
    assert trained.features.shape == (*SHAPE, 66) and trained.feature_names[-8:] == SAM
    # Components differ between parts of the image.
    assert (trained.features[..., -8:].std(axis=(0, 1)) > 0.01).all()
    for output in ("labels", "probabilities"):
        there = np.array(trained.classifier.apply(trained.image, output))
        here = np.array(trained.classifier.apply(trained.image, output, engine="python"))
        assert here.dtype == there.dtype and here.tobytes() == there.tobytes()


@pytest.mark.parametrize("extension", ["json", "onnx", "skops"])
def test_files_keep_the_whole_classifier(trained, tmp_path, extension):
    if extension == "skops":
        pytest.importorskip("skops")
    file = tmp_path / f"default.{extension}"
    trained.classifier.save(file)
    again = sl.Classifier.load(file)
    assert (
        again.document.data == trained.classifier.document.data
        and again.embedding_model == trained.classifier.embedding_model
    )
    np.testing.assert_array_equal(again.apply(trained.image, "probabilities"), trained.probabilities)


def test_scikit_learn_gives_unrefined_probabilities(trained):
    pytest.importorskip("sklearn")
    columns = np.array(trained.features).reshape(-1, 66)
    forest = trained.classifier.to_sklearn()
    back = sl.Classifier.from_sklearn(
        forest, trained.classifier.feature_spec, ["matrix", "particle"], embedding=trained.classifier
    )
    plain = np.array(back.apply(trained.image, "probabilities"))
    np.testing.assert_allclose(forest.predict_proba(columns).reshape(*SHAPE, 2), plain, atol=1e-6)
    refined = np.array(trained.probabilities)
    assert np.abs(refined - plain).max() > 0.1
    # Smoothing reduces the differences between neighbours.
    assert np.abs(np.diff(refined, axis=0)).mean() < np.abs(np.diff(plain, axis=0)).mean()


def test_the_default_is_not_worse_than_samba_from_a_few_strokes(micrograph, sidecar_dirs):
    labels = np.zeros(SHAPE, np.uint8)
    rng = np.random.default_rng(1)
    for number in (1, 2):
        inside = np.argwhere(micrograph.truth == number)
        for row, column in inside[rng.integers(len(inside), size=4)]:
            own = np.s_[max(0, row - 1) : row + 2, max(0, column - 6) : column + 7]
            labels[own][micrograph.truth[own] == number] = number
    right = {}
    for name, options in (("default", {}), ("samba", SAMBA)):
        lab = sl.Labeller(micrograph.image, ["matrix", "particle"], name=f"strokes {name}")
        lab.set_labels(labels)
        lab.train(**options, progress=False)
        right[name] = float((lab.segmentation == micrograph.truth).mean())
    assert right["default"] > right["samba"] - 0.01, right


@pytest.mark.parametrize(
    "image",
    [
        np.array([[0, 255], [0, 255]], np.uint8),
        np.full((30, 40), 7, np.float32),
        np.random.default_rng(0).integers(0, 65536, (2, 20, 60), dtype=np.uint16),
        np.random.default_rng(0).integers(0, 256, (1, 300, 3), dtype=np.uint8),
    ],
    ids=["four pixels", "constant", "stack", "colour row"],
)
@pytest.mark.filterwarnings("error::UserWarning")
def test_images_of_every_kind_are_encoded(image, sidecar_dirs):
    lab = sl.Labeller(image, ["one", "two"], name=f"kind {image.shape} {image.dtype}")
    labels = np.zeros(lab.shape, np.uint8)
    labels[..., : lab.shape[-1] // 2] = 1
    labels[..., lab.shape[-1] // 2 :] = 2
    labels[..., 1:, :] = 0
    lab.set_labels(labels)
    classifier = lab.train(progress=False)
    assert classifier.embedding_model and classifier.feature_names[-8:] == SAM
    assert set(np.unique(lab.segmentation)) <= {1, 2} and np.isfinite(lab.probabilities).all()


def test_training_in_python_begins_without_an_encoder_as_samba_does(micrograph):
    labels = np.where(np.random.default_rng(0).random(SHAPE) < 0.02, micrograph.truth, 0)
    classifier = engine.train(micrograph.image, labels)
    assert classifier.feature_spec == FeatureSpec("samba") and classifier.embedding_model is None
    assert classifier.document.fields["forest"] == presets()["samba"]
    assert engine.feature_stack(micrograph.image).shape == (*SHAPE, 58)


@pytest.mark.usefixtures("own_dirs")
def test_training_without_sam_warns_and_leaves_out_the_embedding(micrograph, monkeypatch):
    monkeypatch.setenv("SAMBALAB_PROVIDER", "none")
    lab = labelled(micrograph.image, micrograph.truth, "without SAM")
    with pytest.warns(UserWarning, match=r"Trained without SAM's embedding.*SAMBALAB_PROVIDER is none") as caught:
        classifier = lab.train(progress=False)
    assert len(caught) == 1 and caught[0].filename == __file__
    assert classifier.embedding_model is None and classifier.feature_spec == FeatureSpec("sam", embedding=None)
    assert classifier.feature_spec.standardise and classifier.n_trees == 100
    assert (lab.segmentation == micrograph.truth).mean() > 0.95
    assert lab.features.shape == (*SHAPE, 58) and json.loads(classifier.document.data)["embedding"] is None
    # The choice is kept, so the next training tries SAM again.
    with pytest.warns(UserWarning, match="Trained without SAM's embedding"):
        lab.train(progress=False)
    # Features without an embedding need no warning.
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        assert lab.train(features=FeatureSpec("sam", embedding=None), progress=False).feature_spec.standardise
