"""Classifiers with an embedding: in the sidecar, in Python, in files, and with another model."""

import json

import numpy as np
import pytest

import sambalab as sl
from sambalab import FeatureSpec, engine
from sambalab.classifier import Classifier

pytestmark = pytest.mark.usefixtures("sidecar_dirs")

SHAPE = (150, 200)
SPEC = FeatureSpec("sam", sigmas=[1, 3], membrane=None)


def same_bits(one, other):
    assert one.dtype == other.dtype and one.shape == other.shape
    return np.ascontiguousarray(one).tobytes() == np.ascontiguousarray(other).tobytes()


@pytest.fixture(scope="module")
def micrograph():
    return sl.data.micrograph("particles", SHAPE, seed=3)


def labelled(micrograph, name):
    lab = sl.Labeller(micrograph.image, ["matrix", "particle"], name=name)
    chosen = np.random.default_rng(0).random(SHAPE) < 0.05
    lab.set_labels(np.where(chosen, micrograph.truth, 0))
    return lab


@pytest.fixture(scope="module")
def trained(micrograph, sidecar_dirs):
    lab = labelled(micrograph, "embedding")
    lab.train(preset="samba", trees=30, features=SPEC, progress=False)
    return lab


def test_a_classifier_names_the_model_of_its_embedding(trained):
    classifier = trained.classifier
    assert classifier.feature_names[-8:] == tuple(f"SAM {number}" for number in range(1, 9))
    assert classifier.feature_spec == SPEC.with_window(*SHAPE) and classifier.feature_spec.embedding["window"] == 200
    model, digest = classifier.embedding_model
    assert model == "mobile-sam" and len(bytes.fromhex(digest)) == 32
    assert f"embedding of mobile-sam {digest[:12]}" in repr(classifier)


def test_the_embedding_gives_the_features_that_the_labeller_has(trained):
    classifier = trained.classifier
    maps = classifier.embedding(trained.image)
    assert [own.shape for own in maps] == [(1, 8, 48, 64)] and maps[0].dtype == np.float32
    assert not maps[0].flags.writeable
    stack = engine.feature_stack(trained.image, classifier.feature_spec, embedding=maps)
    assert same_bits(np.array(trained.features), stack)
    assert trained.feature_names == classifier.feature_names
    # Components differ between parts of the image.
    assert (stack[..., -8:].std(axis=(0, 1)) > 0.01).all()


@pytest.mark.parametrize("output", ["labels", "probabilities"])
def test_python_segments_as_the_sidecar_with_the_embedding_given_or_fetched(trained, micrograph, output):
    classifier = trained.classifier
    other = micrograph.image[10:130, ::-1].copy()
    expected = np.array(classifier.apply(other, output))
    assert same_bits(np.array(classifier.apply(other, output, engine="python")), expected)
    given = classifier.apply(other, output, engine="python", embedding=classifier.embedding(other))
    assert same_bits(np.array(given), expected)
    if output == "probabilities":
        assert same_bits(np.array(classifier.apply(trained.image, output)), np.array(trained.probabilities))


def test_boosted_trees_use_an_embedding_too(micrograph):
    lab = labelled(micrograph, "boosted embedding")
    classifier = lab.train(preset="boosting", rounds=20, features=SPEC, progress=False)
    assert classifier.kind == "boosting" and classifier.embedding_model
    expected = np.array(classifier.apply(lab.image, "probabilities"))
    assert same_bits(np.array(classifier.apply(lab.image, "probabilities", engine="python")), expected)
    assert same_bits(expected, np.array(lab.probabilities))


def test_lists_and_stacks_have_an_embedding_each(trained, micrograph):
    classifier = trained.classifier
    images = (micrograph.image, micrograph.image[:70, :90])
    embeddings = classifier.embedding(images)
    assert isinstance(embeddings, tuple) and [own[0].shape[2:] for own in embeddings] == [(48, 64), (23, 29)]
    expected = classifier.apply(images)
    for found in (
        classifier.apply(images, engine="python", embedding=embeddings),
        classifier.apply(images, engine="python"),
    ):
        assert isinstance(found, tuple)
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_array_equal(one, other)
    stack = np.stack([micrograph.image, micrograph.image[::-1]])
    (maps,) = classifier.embedding(stack)
    assert maps.shape == (2, 8, 48, 64) and not np.array_equal(maps[0], maps[1])
    np.testing.assert_array_equal(
        classifier.apply(stack, engine="python", embedding=[maps]), np.array(classifier.apply(stack))
    )


def test_a_saved_classifier_segments_alike(trained, tmp_path):
    expected = np.array(trained.classifier.apply(trained.image, "probabilities"))
    for extension in (".json", ".onnx", ".skops"):
        file = tmp_path / f"classifier{extension}"
        if extension == ".skops":
            pytest.importorskip("skops")
        trained.classifier.save(file)
        again = Classifier.load(file)
        assert again.embedding_model == trained.classifier.embedding_model
        assert same_bits(np.array(again.apply(trained.image, "probabilities")), expected), extension


def test_scikit_learn_takes_the_columns_in_the_order_of_the_names(trained):
    pytest.importorskip("sklearn")
    columns = np.array(trained.features).reshape(-1, len(trained.feature_names))[::7]
    found = trained.classifier.to_sklearn().predict_proba(columns)
    np.testing.assert_allclose(found, np.array(trained.probabilities).reshape(-1, 2)[::7], atol=1e-6)
    back = Classifier.from_sklearn(
        trained.classifier.to_sklearn(), SPEC, ["matrix", "particle"], embedding=trained.classifier
    )
    np.testing.assert_array_equal(back.apply(trained.image), trained.classifier.apply(trained.image))


def test_another_model_than_its_own_is_refused(trained):
    document = json.loads(trained.classifier.document.data)
    document["embedding"]["digest"] = "0" * 64
    stranger = Classifier(json.dumps(document).encode())
    for call in (stranger.apply, stranger.embedding):
        with pytest.raises(sl.ModelError, match="000000000000"):
            call(trained.image)


def test_without_a_sidecar_the_error_says_to_pass_the_embedding(trained, monkeypatch):
    def gone(self, image):
        raise sl.NodeNotFoundError("No node.")

    maps = trained.classifier.embedding(trained.image)
    classifier = trained.classifier
    monkeypatch.setattr(Classifier, "_embed", gone)
    with pytest.raises(sl.NodeNotFoundError, match=r"No node\. .*embedding=classifier\.embedding\(image\)"):
        classifier.apply(trained.image, engine="python")
    assert classifier.apply(trained.image, engine="python", embedding=maps).shape == SHAPE
    with pytest.raises(sl.ParameterError, match="not computed here"):
        engine.apply_classifier(classifier, trained.image)


def test_training_in_python_has_no_encoder(micrograph):
    with pytest.raises(sl.ParameterError, match=r"no encoder runs here.*embedding=None"):
        engine.train(micrograph.image, micrograph.truth, features="sam")


def test_an_image_without_an_embedding_gives_none(micrograph):
    lab = labelled(micrograph, "no embedding")
    classifier = lab.train(preset="samba", trees=5, features="samba", progress=False)
    assert classifier.embedding_model is None and classifier.embedding(micrograph.image) == []
    assert (
        lab.train(preset="samba", trees=5, features={"set": "sam", "embedding": False}, progress=False).embedding_model
        is None
    )
    assert lab.train(
        preset="samba", trees=5, features={"set": "samba", "embedding": True}, progress=False
    ).embedding_model
