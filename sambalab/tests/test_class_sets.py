"""Class sets: saved by one labeller, used by another, with and without labels."""

import json

import numpy as np
import pytest

import sambalab as sl
from sambalab.tests.conftest import stop_sidecar

pytestmark = pytest.mark.usefixtures("own_dirs")

STEEL = {"ferrite": "#112233", "austenite · γ": "#aabbcc", "pore": "#ff0000"}
SHAPE = (40, 50)


def labeller(name, **options):
    return sl.Labeller(np.zeros(SHAPE, np.uint8), name=name, **options)


def colours(lab):
    return {item["name"]: item["color"] for item in lab._refresh()["classes"]}


def test_a_set_keeps_names_colours_and_order_and_begins_a_labeller_after_a_restart():
    labeller("a", classes=STEEL).save_classes("my steel")
    labeller("b", classes=["x", "y"]).save_classes("another")
    stop_sidecar()
    assert sl.class_sets() == {"another": colours(labeller("b")), "my steel": STEEL}
    assert list(sl.class_sets()["my steel"]) == list(STEEL)
    lab = labeller("c", classes="my steel")
    assert colours(lab) == STEEL and lab.class_ids == {"ferrite": 1, "austenite · γ": 2, "pore": 3}
    sl.remove_class_set("another")
    assert list(sl.class_sets()) == ["my steel"]
    # A set of the same name is replaced.
    labeller("b").save_classes("my steel")
    assert list(sl.class_sets()["my steel"]) == ["x", "y"]


def test_a_set_names_labelled_classes_by_position_and_one_undo_takes_it_back():
    labeller("a", classes=STEEL).save_classes("my steel")
    lab = labeller("b", classes=["one", "two"])
    labels = np.tile(np.array([0, 1, 2], np.uint8), 1000)[: 40 * 50].reshape(SHAPE)
    lab.set_labels(labels)
    lab.use_classes("my steel")
    assert colours(lab) == STEEL and list(lab.class_ids.values()) == [1, 2, 3]
    np.testing.assert_array_equal(lab.labels, labels)
    lab.undo()
    assert lab.classes == ("one", "two")
    lab.redo()
    assert lab.classes == tuple(STEEL)


def test_classes_with_labels_stay_beyond_a_shorter_set_and_those_without_go():
    labeller("a", classes={"pore": "#ff0000"}).save_classes("short")
    lab = labeller("b", classes=["first", "pore", "empty", "last"])
    labels = np.zeros(SHAPE, np.uint8)
    labels[:3] = np.array([1, 2, 4], np.uint8)[:, None]
    lab.set_labels(labels)
    lab.use_classes("short")
    assert lab.class_ids == {"pore": 1, "pore (2)": 2, "last": 4}
    np.testing.assert_array_equal(lab.labels, labels)


def test_a_wrong_name_is_told_with_those_that_would_do(own_dirs):
    with pytest.raises(sl.LabelError, match=r"none was saved yet.*\['steel'\]"):
        labeller("a", classes="steel")
    lab = labeller("a", classes=STEEL)
    lab.save_classes("my steel")
    with pytest.raises(sl.LabelError, match="'my steel'"):
        labeller("b", classes="steel")
    with pytest.raises(sl.LabelError, match='the sets are "my steel"'):
        lab.use_classes("steel")
    with pytest.raises(sl.LabelError, match='the sets are "my steel"'):
        sl.remove_class_set("steel")
    with pytest.raises(sl.LabelError, match="1 to 200 characters"):
        lab.save_classes("")


def test_a_damaged_file_of_sets_is_left_as_it_is_and_named(own_dirs):
    lab = labeller("a", classes=STEEL)
    lab.save_classes("my steel")
    file = next(own_dirs.rglob("class-sets.json"))
    assert json.loads(file.read_text())["sets"][0]["name"] == "my steel"
    file.write_text("{")
    for action in (sl.class_sets, lambda: lab.save_classes("other")):
        with pytest.raises(sl.StorageError, match=r"class-sets\.json"):
            action()
    assert file.read_text() == "{"
