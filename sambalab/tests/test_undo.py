"""Undo and redo from Python, on the real sidecar."""

import numpy as np
import pytest

import sambalab as sl
from sambalab.sidecar_client import sidecar

from .conftest import kill

pytestmark = pytest.mark.usefixtures("sidecar_dirs")

SHAPE = (60, 80)


def drawn(seed):
    return np.random.default_rng(seed).integers(0, 3, SHAPE).astype(np.uint8)


@pytest.fixture
def lab():
    return sl.Labeller(np.zeros(SHAPE, np.uint8), ["a", "b"], name="undo", fresh=True)


def test_each_change_is_undone_and_made_again(lab):
    start = len(lab.history)
    states = [np.zeros(SHAPE, np.uint8), drawn(1), drawn(2), drawn(3)]
    for labels in states[1:]:
        lab.set_labels(labels)
    for labels in reversed(states[:-1]):
        lab.undo()
        np.testing.assert_array_equal(lab.labels, labels)
    lab.redo(2)
    np.testing.assert_array_equal(lab.labels, states[2])
    steps = lab.history[start:]
    assert [step.done for step in steps] == [True, True, False]
    assert {(step.tool, step.provenance) for step in steps} == {("set_labels", "python")}
    assert steps[0].pixels == np.count_nonzero(states[1])
    assert repr(lab.history).count("\n") == len(lab.history) - 1


def test_a_new_change_drops_what_was_undone(lab):
    lab.set_labels(drawn(1))
    lab.undo()
    lab.set_labels(drawn(2))
    with pytest.raises(sl.LabelError, match="no step to make again"):
        lab.redo()
    np.testing.assert_array_equal(lab.labels, drawn(2))


def test_too_many_steps_are_refused_with_their_number_and_change_nothing():
    lab = sl.Labeller(np.zeros(SHAPE, np.uint8), ["a", "b"], name="undo too much", fresh=True)
    with pytest.raises(sl.LabelError, match="no step to undo"):
        lab.undo(10_000)
    lab.set_labels(drawn(1))
    with pytest.raises(sl.LabelError, match=r"steps is 2; there is 1 step to undo.* lab\.undo\(\) will do"):
        lab.undo(2)
    lab.set_labels(drawn(2))
    with pytest.raises(sl.LabelError, match=r"steps is 10000; there are 2 steps to undo.* lab\.undo\(2\) will do"):
        lab.undo(10_000)
    np.testing.assert_array_equal(lab.labels, drawn(2))
    lab.undo(np.int64(2))
    with pytest.raises(sl.LabelError, match=r"steps is 3; there are 2 steps to make again.* lab\.redo\(2\) will do"):
        lab.redo(3)
    assert not lab.labels.any()
    for wrong in (0, -1, 1.5, "2", None, True, [1]):
        with pytest.raises(sl.ParameterError, match=r"steps is .*; a whole number from 1 will do"):
            lab.undo(wrong)


def test_new_classes_come_and_go_with_their_labels():
    lab = sl.Labeller(np.zeros(SHAPE, np.uint8), name="undo classes", fresh=True)
    before = lab.class_ids
    labels = drawn(1) * 3
    lab.set_labels(labels)
    assert set(lab.class_ids.values()) == {1, 2, 3, 6}
    assert lab.history[-1].tool == "set_labels"
    lab.undo()
    assert lab.class_ids == before
    assert not lab.labels.any()
    lab.redo()
    np.testing.assert_array_equal(lab.labels, labels)
    assert set(lab.class_ids.values()) == {1, 2, 3, 6}


def test_labels_that_were_set_aside_come_back():
    image = np.zeros(SHAPE, np.uint8)
    sl.Labeller(image, ["a", "b"], name="aside").set_labels(drawn(4))
    lab = sl.Labeller(image, ["a", "b"], name="aside", fresh=True)
    assert not lab.labels.any()
    lab.undo()
    np.testing.assert_array_equal(lab.labels, drawn(4))


def test_steps_survive_the_death_of_the_sidecar(lab):
    lab.set_labels(drawn(1))
    lab.set_labels(drawn(2))
    lab.undo()
    known = [(step.tool, step.pixels, step.done) for step in lab.history]
    kill(sidecar._find().pid)
    assert [(step.tool, step.pixels, step.done) for step in lab.history] == known
    lab.undo()
    assert not lab.labels.any()
    lab.redo(2)
    np.testing.assert_array_equal(lab.labels, drawn(2))
