"""Names, ids and colours of classes, and how a cell's classes join those of an older session."""

import re

import pytest

from sambalab import LabelError
from sambalab.spec.classes import make_classes, resumed_classes


def test_classes_get_ids_from_1_and_colours_that_differ():
    classes = make_classes([f"phase {i}" for i in range(255)])
    assert [item["id"] for item in classes] == list(range(1, 256))
    colors = [item["color"] for item in classes]
    assert all(re.fullmatch("#[0-9a-f]{6}", color) for color in colors)
    assert len(set(colors[:64])) == 64


def test_a_mapping_gives_colours():
    classes = make_classes({"pore": "#ABC", "ligament": "#102030"})
    assert [item["color"] for item in classes] == ["#aabbcc", "#102030"]


@pytest.mark.parametrize(
    ("classes", "says"),
    [
        ([], "0 classes"),
        ([str(i) for i in range(256)], "256 classes"),
        (["a", "b", "a"], "a"),
        (["a", ""], "''"),
        (["a", 3], "3"),
        (["x" * 201], "200"),
        ("ab", r"\['ab'\]"),
        (7, "7"),
        ({"a": "red"}, "'red'"),
    ],
)
def test_invalid_classes_are_named(classes, says):
    with pytest.raises(LabelError, match=says):
        make_classes(classes)


def test_colours_must_be_as_many_as_classes():
    with pytest.raises(LabelError, match="1 colours for 2 classes"):
        make_classes(["a", "b"], ["#000000"])


def test_a_class_added_in_the_widget_stays_when_the_cell_runs_again():
    wanted = make_classes(["a", "b"])
    have = [*make_classes({"a": "#111111", "b": "#222222"}), {"id": 3, "name": "c", "color": "#333333"}]
    assert resumed_classes(wanted, have, {}, recolor=False) is None


def test_the_order_of_the_widget_stays_when_the_cell_runs_again():
    a, b, c = make_classes(["a", "b", "c"])
    assert resumed_classes(make_classes(["a", "b"]), [c, b, a], {}, recolor=False) is None
    renamed = resumed_classes(make_classes(["x", "b"]), [b, a, c], {"3": 7}, recolor=False)
    assert [(item["id"], item["name"]) for item in renamed] == [(2, "b"), (1, "x"), (3, "c")]
    again = resumed_classes(make_classes(["a", "b", "c"]), [b, c], {}, recolor=False)
    assert [item["name"] for item in again] == ["a", "b", "c"]


def test_a_renamed_class_takes_the_name_of_the_cell_and_classes_with_pixels_stay():
    have = [*make_classes(["a", "b", "c", "d"])]
    merged = resumed_classes(make_classes(["x", "b"]), have, {"4": 10}, recolor=False)
    assert [(item["id"], item["name"]) for item in merged] == [(1, "x"), (2, "b"), (4, "d")]
    assert merged[0]["color"] == have[0]["color"]


@pytest.mark.parametrize("names", [["b", "a"], ["b"], ["c", "b", "a"], ["a", "c", "b"], ["a", "c"]])
@pytest.mark.parametrize("drawn", ["1", "2", "3"])
def test_classes_in_another_order_do_not_swap_labels(names, drawn):
    have = make_classes(["a", "b", "c"])
    # Labelled pixels must keep the name of their class.
    try:
        merged = resumed_classes(make_classes(names), have, {drawn: 10}, recolor=False) or have
    except LabelError as error:
        assert "1 (a), 2 (b), 3 (c)" in str(error) and "Keep the order" in str(error) and "fresh=True" in str(error)
    else:
        assert [item["name"] for item in merged if str(item["id"]) == drawn] == [have[int(drawn) - 1]["name"]]
        assert len({item["name"] for item in merged}) == len(merged)


def test_a_labelled_class_cannot_change_places_with_another():
    for counts in ({"1": 5}, {"2": 5}, {"1": 5, "2": 5}):
        with pytest.raises(LabelError, match=r"'b' would have id 1, not 2"):
            resumed_classes(make_classes(["b", "a"]), make_classes(["a", "b"]), counts, recolor=False)
    merged = resumed_classes(make_classes(["b", "a"]), make_classes(["a", "b"]), {"1": 0}, recolor=False)
    assert [item["name"] for item in merged] == ["b", "a"]
