"""Labels without probabilities: the kernel stops before the last tree, and gives the labels of all trees."""

import numpy as np
import pytest

import sambalab as sl
from sambalab import engine
from sambalab.wasm.engine import Engine

SHAPE = (130, 170)
MICROGRAPH = sl.data.micrograph("particles", SHAPE, seed=5)


def truth_of(classes):
    """Give as many grey levels as there are classes, so that neighbours are hard to tell."""
    edges = np.linspace(60, 180, classes + 1)[1:-1]
    return (np.digitize(MICROGRAPH.image, edges) + 1).astype(np.uint8)


def trained(classes, **options):
    chosen = np.random.default_rng(3).random(SHAPE) < 0.03
    return engine.train(MICROGRAPH.image, np.where(chosen, truth_of(classes), 0), **options)


@pytest.fixture
def kernels(monkeypatch):
    """Names of the kernels that are called."""
    called = []
    call = Engine.call

    def listen(self, kernel, *arguments):
        called.append(kernel)
        return call(self, kernel, *arguments)

    monkeypatch.setattr(Engine, "call", listen)
    return called


@pytest.mark.parametrize(
    ("classes", "options"),
    [
        (2, {"trees": 1}),
        (2, {"trees": 200}),
        (3, {"trees": 131}),
        (9, {"trees": 60}),
        (3, {"trees": 40, "preset": "deep", "refine": 0}),
    ],
)
def test_labels_are_those_that_all_trees_give(classes, options, kernels):
    classifier = trained(classes, **options)
    found = engine.apply_classifier(classifier, MICROGRAPH.image, threads=1)
    assert "applyForestForLabels" in kernels and "applyForest" not in kernels
    probabilities = engine.apply_classifier(classifier, MICROGRAPH.image, "probabilities", threads=1)
    assert kernels.count("applyForest") == 1
    # Votes are whole numbers below 2²⁴, so that float32 has the same order; the first class of several has it.
    np.testing.assert_array_equal(found, np.array(classifier.class_ids)[probabilities.argmax(axis=-1)])


def test_refined_labels_use_all_trees(kernels):
    classifier = trained(2, trees=20, refine=3)
    engine.apply_classifier(classifier, MICROGRAPH.image, threads=1)
    engine.apply_classifier(classifier, MICROGRAPH.image, "uncertainty", threads=1)
    assert "applyForestForLabels" not in kernels and kernels.count("applyForest") == 2
