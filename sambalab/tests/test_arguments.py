"""Values of other types than an argument takes: each is an error that names argument and value, and says what would do."""

import math
import re

import numpy as np
import pytest

import sambalab as sl
from sambalab.spec.parameters import show

pytestmark = pytest.mark.usefixtures("sidecar_dirs")

IMAGE = (np.indices((40, 50)).sum(0) * 2).astype(np.uint8)
WRONG = [
    None,
    math.nan,
    -1,
    1.5,
    10**30,
    np.array([1, 2]),
    np.zeros((3, 3)),
    {"a": 1},
    b"x",
    object(),
    slice(1, 2),
    {1, 2},
]


@pytest.fixture(scope="module")
def lab(sidecar_dirs):
    made = sl.Labeller(IMAGE, ["a", "b"], name="arguments")
    labels = np.zeros(IMAGE.shape, np.uint8)
    labels[:5, :5], labels[-5:, -5:] = 1, 2
    made.set_labels(labels)
    made.train(features="samba", preset="samba", trees=3, progress=False)
    return made


def set_direction(lab, wrong):
    lab.direction = wrong


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda lab, wrong: sl.Labeller(IMAGE, name="arguments", fresh=wrong), "fresh is {}; True or False will do"),
        (lambda lab, wrong: lab.train(progress=wrong), "progress is {}; True or False will do"),
        (lambda lab, wrong: lab.most_uncertain(progress=wrong), "progress is {}; True or False will do"),
        (lambda lab, wrong: lab.most_uncertain(measure=wrong), "measure is {}; 'margin' or 'maximum' will do"),
        (lambda lab, wrong: lab.uncertainty_by(wrong), "measure is {}; 'margin' or 'maximum' will do"),
        (set_direction, "direction is {}; 'xy', 'xz' or 'yz' will do"),
        (lambda lab, wrong: lab.save("a.tif", wrong), "what is {}; 'labels', .* or 'corrected' will do"),
        (lambda lab, wrong: lab.save("a.tif", "overlay", of=wrong), "of is {}; 'segmentation' or 'labels' will do"),
        (lambda lab, wrong: lab.classifier.apply(IMAGE, wrong), "output is {}; 'labels' or 'probabilities' will do"),
        (lambda lab, wrong: lab.classifier.apply(IMAGE, engine=wrong), "engine is {}; 'sidecar' or 'python' will do"),
        (lambda lab, wrong: lab.classifier.save(wrong), "path is {}; the name of a file will do"),
        (lambda lab, wrong: sl.Classifier.load(wrong), "path is {}; the name of a file will do"),
        (lambda lab, wrong: lab.use_classes(wrong), "name is {}; the name of a class set will do"),
        (lambda lab, wrong: sl.remove_class_set(wrong), "name is {}; the name of a class set will do"),
    ],
)
def test_a_value_of_another_type_is_named_with_what_would_do(lab, call, says):
    labels = lab.labels.copy()
    for wrong in WRONG:
        with pytest.raises((sl.ParameterError, sl.LabelError), match=says.format(re.escape(show(wrong)))):
            call(lab, wrong)
    np.testing.assert_array_equal(lab.labels, labels)


def test_a_text_is_no_switch_that_starts_without_labels(lab):
    with pytest.raises(sl.ParameterError, match="fresh is 'False'; True or False will do"):
        sl.Labeller(IMAGE, name="arguments", fresh="False")
    assert lab.labels.any()


def test_colours_that_are_no_list_are_named():
    with pytest.raises(sl.LabelError, match="colors is 5; a colour for each class will do"):
        sl.Labeller(IMAGE, ["a", "b"], colors=5)
