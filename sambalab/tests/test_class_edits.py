"""Classes merged, removed and put in order, on the real sidecar."""

import numpy as np
import pytest

import sambalab as sl

pytestmark = pytest.mark.usefixtures("sidecar_dirs")

SHAPE = (3, 40, 50)


@pytest.fixture
def lab():
    lab = sl.Labeller(np.zeros(SHAPE, np.uint8), ["a", "b", "c"], name="class edits", fresh=True)
    lab.set_labels(np.random.default_rng(5).integers(0, 4, SHAPE).astype(np.uint8))
    return lab


def test_merged_classes_leave_their_labels_to_another_and_come_back(lab):
    before = lab.labels.copy()
    lab.merge_classes(["a", 3], into="b")
    assert lab.classes == ("b",)
    np.testing.assert_array_equal(lab.labels, np.where(before > 0, 2, 0))
    step = lab.history[-1]
    assert (step.tool, step.provenance, step.pixels) == ("merge_classes", "python", np.isin(before, [1, 3]).sum())
    lab.undo()
    assert lab.class_ids == {"a": 1, "b": 2, "c": 3}
    np.testing.assert_array_equal(lab.labels, before)
    lab.redo()
    np.testing.assert_array_equal(lab.labels, np.where(before > 0, 2, 0))


def test_a_removed_class_takes_its_labels_along_and_brings_them_back(lab):
    before = lab.labels.copy()
    lab.remove_class("b")
    assert lab.class_ids == {"a": 1, "c": 3}
    np.testing.assert_array_equal(lab.labels, np.where(before == 2, 0, before))
    assert lab.history[-1].tool == "remove_class"
    lab.undo()
    assert lab.class_ids == {"a": 1, "b": 2, "c": 3}
    np.testing.assert_array_equal(lab.labels, before)


def test_a_class_without_labels_goes_and_comes_in_one_step_too():
    lab = sl.Labeller(np.zeros(SHAPE, np.uint8), ["a", "b"], name="class edits 2", fresh=True)
    lab.remove_class("a")
    assert lab.classes == ("b",)
    lab.undo()
    assert lab.classes == ("a", "b")


def test_wrong_classes_are_refused_and_nothing_changes(lab):
    before = lab.labels.copy()
    with pytest.raises(sl.LabelError, match=r"classes is 'x'; name or id of a class will do: 'a' \(1\), 'b' \(2\)"):
        lab.merge_classes("x", into="a")
    for wrong in (None, 1.5, np.zeros(2)):
        with pytest.raises(sl.LabelError, match="classes is .*; name or id of a class will do"):
            lab.merge_classes(wrong, into="a")
        with pytest.raises(sl.LabelError, match="name is .*; the name of a class set will do"):
            lab.use_classes(wrong)
    with pytest.raises(sl.LabelError, match="into is 4; name or id"):
        lab.merge_classes("a", into=4)
    with pytest.raises(sl.LabelError, match="among the classes to merge"):
        lab.merge_classes(["a", "b"], into="a")
    lab.merge_classes(["a", "b"], into="c")
    with pytest.raises(sl.LabelError, match="'c' is the only class"):
        lab.remove_class("c")
    lab.undo()
    np.testing.assert_array_equal(lab.labels, before)


def test_the_order_of_the_classes_changes_neither_ids_nor_labels_nor_what_is_learned():
    image = np.random.default_rng(1).integers(0, 80, (64, 64)).astype(np.uint8)
    image[:, 32:] += 120
    labels = np.zeros(image.shape, np.uint8)
    labels[:, :20], labels[:, 44:] = 1, 2
    lab = sl.Labeller(image, ["dark", "bright"], name="order", fresh=True)
    lab.set_labels(labels)
    lab._request("session.classes", {"classes": list(reversed(lab._refresh()["classes"]))})
    assert lab.classes == ("bright", "dark") and lab.class_ids == {"bright": 2, "dark": 1}
    again = sl.Labeller(image, ["dark", "bright"], name="order")
    assert again.classes == ("bright", "dark")
    classifier = again.train(features=sl.FeatureSpec("samba"), trees=10, progress=False)
    assert classifier.classes == ("bright", "dark") and classifier.class_ids == (2, 1)
    assert (again.segmentation[:, :30] == 1).all() and (again.segmentation[:, 34:] == 2).all()
    np.testing.assert_array_equal(again.probabilities[0, 60] > 0.5, [True, False])
