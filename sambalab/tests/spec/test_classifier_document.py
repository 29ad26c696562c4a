"""A classifier's JSON: its fields, and that wrong ones are refused."""

import base64
import copy
import json

import numpy as np
import pytest

import sambalab as sl
from sambalab import FeatureSpec
from sambalab.classifier import Classifier
from sambalab.spec.forest import Forest
from sambalab.spec.learners import presets

DIGEST = "0123456789abcdef" * 4
SPEC = FeatureSpec.from_dict(
    {"families": {}, "embedding": {"window": 256, "layers": [{"layer": "output", "components": 2}]}}
)


def floats(*values):
    return base64.b64encode(np.array(values, "<f4").tobytes()).decode()


def document(boosted=False, embedding=True):
    """Give a sound classifier: a tree with two leaves, on the pixels and, if wanted, two components of an embedding."""
    spec = SPEC if embedding else FeatureSpec.from_dict({"families": {}})
    votes = [[700, 324], [500, 524]] if boosted else [[1000, 24], [0, 1024]]
    forest = Forest(
        np.array([3]),
        np.array([spec.count() - 1, -1, -1], np.int16),
        np.zeros(3, np.uint8),
        np.array([1, 0, 1]),
        np.array([2, 0, 0]),
        np.array(votes, np.uint16),
        tuple(np.array([100 if f == 0 else 0.5], np.float32) for f in range(spec.count())),
        250.5 if boosted else None,
    )
    layer = {
        "layer": "output",
        "channels": 3,
        "components": 2,
        "mean": floats(0, 1, 2),
        "matrix": floats(1, 0, 0, 0, 1, 0),
    }
    return {
        "format": "sambalab-classifier",
        "version": 1,
        "features": spec.to_dict(),
        "channels": 1,
        "names": list(spec.names()),
        "classes": [
            {"id": 1, "name": "matrix", "color": "#000000"},
            {"id": 3, "name": "pore", "color": "#ffffff"},
        ],
        "pixelSize": None,
        "trainedOn": {"dtypes": ["uint8"], "low": 3, "high": 200},
        "forest": presets()["boosting" if boosted else "samba"],
        "samples": 20,
        "oobScore": None if boosted else 0.9,
        "scores": {"source": "held-out" if boosted else "out-of-bag", "confusion": [[9, 1], [1, 9]]},
        "importance": None,
        "embedding": {"model": "mobile-sam", "digest": DIGEST, "layers": [layer]} if embedding else None,
        "scale": 250.5 if boosted else None,
        **forest.to_document(),
    }


def classifier(*args, change=None):
    made = document(*args)
    if change:
        made = copy.deepcopy(made)
        change(made)
    found = Classifier(json.dumps(made).encode())
    found.document.check()
    return found


def test_a_classifier_says_what_it_is():
    forest, boosted = classifier(False, False), classifier(True, True)
    assert forest.kind == "forest" and forest.embedding_model is None and forest.oob_score == 0.9
    assert repr(forest) == (
        "Classifier(matrix, pore: 1 trees on 1 features, 20 labelled pixels, out-of-bag score 0.900)"
    )
    assert boosted.kind == "boosting" and boosted.oob_score is None
    assert boosted.embedding_model == ("mobile-sam", DIGEST) and boosted.embedding_model.digest == DIGEST
    assert boosted.scores.source == "held-out" and boosted.scores.accuracy == 0.9
    np.testing.assert_array_equal(boosted.scores.confusion, [[9, 1], [1, 9]])
    assert repr(boosted) == (
        "Classifier(matrix, pore: 1 boosted trees on 3 features, embedding of mobile-sam 0123456789ab, 20 labelled pixels, "
        "held-out score 0.900)"
    )


def of(*path):
    """Give a function that changes what lies at a path."""

    def change(value):
        def apply(made):
            for name in path[:-1]:
                made = made[name]
            made[path[-1]] = value

        return apply

    return change


LAYER = ("embedding", "layers", 0)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (of("version")(2), "version is 2; 1 will do"),
        (of("version")(True), "version is True"),
        (lambda made: made.pop("scores"), r"missing fields is \['scores'\]"),
        (of("scores")([]), r"scores is \[\]"),
        (of("scores")({"source": "held-out"}), "scores is"),
        (of("scores", "source")("guessed"), r"scores\.source is 'guessed'"),
        (of("scores", "confusion")([[1, 2]]), r"scores\.confusion is \[\[1, 2\]\]"),
        (of("scores", "confusion")([[1, 2], [3]]), r"scores\.confusion"),
        (of("scores", "confusion")([[1, 2], [3, -1]]), r"scores\.confusion"),
        (of("scores", "confusion")([[1, 2], [3, 0.5]]), r"scores\.confusion"),
        (of("scale")(None), "scale is None"),
        (of("scale")(0), "scale is 0"),
        (of("scale")(float("nan")), "scale is nan"),
        (of("forest", "kind")("bagging"), "forest is"),
        (of("forest", "learningRate")(2), "forest is"),
        (of("forest", "trees")(3), "forest is"),
        (of("embedding")(None), "embedding is None"),
        (of("embedding", "model")("other"), r"embedding\.model is 'other'"),
        (of("embedding", "digest")("ABC"), r"embedding\.digest is 'ABC'"),
        (of("embedding", "layers")([]), r"embedding\.layers is \[\]"),
        (of("features", "embedding", "window")(None), r"features\.embedding\.window is None"),
        (of("features", "embedding")(None), "names is"),
        (of(*LAYER, "layer")("stage1"), r"embedding\.layers\.0 is"),
        (of(*LAYER, "components")(3), r"embedding\.layers\.0 is"),
        (of(*LAYER, "channels")(0), r"embedding\.layers\.0\.channels is 0"),
        (of(*LAYER, "mean")(floats(1, 2)), r"embedding\.layers\.0\.mean is"),
        (of(*LAYER, "mean")(floats(1, 2, float("inf"))), r"embedding\.layers\.0\.mean is"),
        (of(*LAYER, "mean")("no base64"), r"embedding\.layers\.0\.mean is 'no base64'"),
        (of(*LAYER, "matrix")(None), r"embedding\.layers\.0\.matrix is None"),
        (of(*LAYER, "more")(1), r"embedding\.layers\.0 is"),
        (of("more")(1), "the field is"),
    ],
)
def test_a_wrong_value_is_named(change, says):
    with pytest.raises(sl.ParameterError, match=says):
        classifier(True, True, change=change)


def test_votes_add_up_to_what_the_kind_of_trees_has():
    with pytest.raises(sl.ParameterError, match="do not add up to 1024"):
        classifier(False, change=lambda made: made["trees"].update(votes=base64.b64encode(bytes(8)).decode()))
    three = [{"id": 7, "name": "more", "color": "#ff0000"}]

    def of_three(made):
        made["classes"] = made["classes"] + three
        made["scores"] = None
        votes = np.array([[512, 512, 512], [0, 1024, 511]], "<u2")
        made["trees"]["votes"] = base64.b64encode(votes.tobytes()).decode()

    with pytest.raises(sl.ParameterError, match="do not add up to 1536"):
        classifier(True, change=of_three)


def test_a_forest_has_no_scale_and_boosted_trees_are_no_forest_of_scikit_learn(tmp_path):
    with pytest.raises(sl.ParameterError, match=r"scale is 2\.5"):
        classifier(False, change=of("scale")(2.5))
    pytest.importorskip("sklearn")
    boosted = classifier(True)
    for call in (boosted.to_sklearn, lambda: boosted.save(tmp_path / "boosted.skops")):
        with pytest.raises(sl.ParameterError, match=r"boosted trees.*\.json or \.onnx will do, or .*preset='samba'"):
            call()
    assert not (tmp_path / "boosted.skops").exists()


def test_a_forest_on_an_embedding_goes_to_scikit_learn_and_back():
    pytest.importorskip("sklearn")
    known = classifier(False, True)
    forest = known.to_sklearn()
    assert forest.n_features_in_ == 3
    # The third column is the second component.
    np.testing.assert_array_equal(forest.predict(np.float32([[0, 9, 0.5], [0, -9, 0.6]])), [1, 3])
    spec = FeatureSpec.from_dict({**SPEC.to_dict(), "embedding": {**SPEC.embedding, "window": None}})
    back = Classifier.from_sklearn(forest, spec, ["matrix", "pore"], embedding=known)
    assert back.embedding_model == known.embedding_model and back.feature_spec == SPEC
    assert back.document.fields["embedding"] == known.document.fields["embedding"]
    with pytest.raises(sl.ParameterError, match=r"embedding=lab\.classifier"):
        Classifier.from_sklearn(forest, SPEC, ["matrix", "pore"])
    with pytest.raises(sl.ParameterError, match=r"embedding=lab\.classifier"):
        Classifier.from_sklearn(forest, SPEC, ["matrix", "pore"], embedding=classifier(False, False))
    other = FeatureSpec.from_dict({**SPEC.to_dict(), "embedding": {**SPEC.embedding, "window": 512}})
    with pytest.raises(sl.ParameterError, match="'window': 512.*'window': 256"):
        Classifier.from_sklearn(forest, other, ["matrix", "pore"], embedding=known)


def test_an_embedding_goes_with_the_engine_in_python():
    found = classifier(True)
    with pytest.raises(sl.ParameterError, match="embedding goes with engine='python'"):
        found.apply(np.zeros((4, 4)), embedding=[1])
    with pytest.raises(sl.ParameterError, match="not a list of 2"):
        found.apply([np.zeros((4, 4))] * 2, engine="python", embedding=[1])
