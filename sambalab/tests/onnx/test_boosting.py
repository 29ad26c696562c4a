"""Boosted trees as ONNX models: onnxruntime gives the results of `Classifier.apply`."""

import numpy as np
import pytest

runtime = pytest.importorskip("onnxruntime")
pytest.importorskip("wasmtime")

import sambalab as sl  # noqa: E402
from sambalab.tests.onnx.test_forest import noisy, session_of, three_classes  # noqa: E402

pytestmark = pytest.mark.usefixtures("sidecar_dirs")


def boosted(image, labels, names, **forest):
    lab = sl.Labeller(image, list(names), name=f"boosted {len(names)} {image.shape}")
    lab.set_labels(labels)
    return lab.train(preset="boosting", refine=0, features="samba", progress=False, **forest)


def two_classes(labels):
    return np.where(labels == 3, 2, labels).astype(np.uint8)


@pytest.mark.parametrize("classes", [2, 3])
def test_onnxruntime_alone_gives_the_labels_and_probabilities_of_apply(classes, tmp_path):
    image = noisy((140, 150))
    labels = three_classes(image) if classes == 3 else two_classes(three_classes(image))
    classifier = boosted(image, labels, ["dark", "middle", "bright"][:classes], rounds=30)
    found, probabilities = session_of(classifier, tmp_path).run(
        ["labels", "probabilities"], {"image": image.astype(np.float32)}
    )
    wanted = classifier.apply(image, "probabilities")
    assert probabilities.shape == (140, 150, classes)
    # The softmax of whole votes; a feature that is a last digit away from a cut may go the other way.
    different = np.abs(probabilities - wanted).max(axis=-1) > 1e-5
    assert np.count_nonzero(different) <= 2
    assert np.count_nonzero(found != classifier.apply(image)) <= 2
    np.testing.assert_allclose(probabilities.sum(axis=-1), 1, atol=1e-5)
    # Otherwise this would test only one class.
    assert len(np.unique(found)) == classes


def test_trees_of_several_operators_add_up_alike(tmp_path):
    image = noisy((90, 80), seed=4)
    classifier = boosted(
        image, three_classes(image), ["dark", "middle", "bright"], rounds=260, max_leaves=40, min_leaf=2, patience=None
    )
    probabilities = session_of(classifier, tmp_path).run(["probabilities"], {"image": image.astype(np.float32)})[0]
    different = np.abs(probabilities - classifier.apply(image, "probabilities")).max(axis=-1) > 1e-5
    assert np.count_nonzero(different) <= 2
