"""Scores and reports: their numbers, and their text if nothing is known."""

import sys

import numpy as np
import pytest

import sambalab as sl
from sambalab.spec.scores import Report, importances_of, report_of, scores_of

CLASSES = [{"id": 1, "name": "matrix", "color": "#000000"}, {"id": 4, "name": "<pore>", "color": "#ffffff"}]
THIRD = {"id": 9, "name": "late", "color": "#ff0000"}
SCORES = {"source": "held-out", "confusion": [[30, 10], [5, 55]]}


def test_measures_follow_from_the_confusion():
    scores = scores_of(CLASSES, SCORES)
    assert scores.source == "held-out" and scores.classes == ("matrix", "<pore>") and scores.class_ids == (1, 4)
    np.testing.assert_allclose(scores.recall, [30 / 40, 55 / 60])
    np.testing.assert_allclose(scores.precision, [30 / 35, 55 / 65])
    np.testing.assert_allclose(scores.iou, [30 / 45, 55 / 70])
    assert scores.accuracy == 0.85 and scores.mean_iou == pytest.approx((30 / 45 + 55 / 70) / 2)
    assert repr(scores) == "Scores(held-out: accuracy 0.850, mean IoU 0.726)"
    with pytest.raises(ValueError, match="read-only"):
        scores.confusion[0, 0] = 1


@pytest.mark.filterwarnings("error")
def test_measures_without_pixels_are_nan():
    scores = scores_of(CLASSES, {"source": "out-of-bag", "confusion": [[7, 0], [0, 0]]})
    np.testing.assert_array_equal(scores.recall, [1, np.nan])
    np.testing.assert_array_equal(scores.precision, [1, np.nan])
    np.testing.assert_array_equal(scores.iou, [1, np.nan])
    assert scores.mean_iou == 1
    nothing = scores_of(CLASSES, {"source": "out-of-bag", "confusion": [[0, 0], [0, 0]]})
    assert np.isnan([nothing.accuracy, nothing.mean_iou]).all()
    assert scores_of(CLASSES, None) is None


def state(segmentation=None):
    return {
        "classes": [*CLASSES, THIRD],
        "labels": {"version": 3, "counts": {"1": 40, "4": 1260}},
        "segmentation": segmentation,
    }


def trained(**more):
    info = {"classes": CLASSES, "features": ["a", "b", "c"], "importance": [0.2, 0.5, 0.3], "scores": SCORES}
    return state({"version": 2, "classifier": info, **more})


def known():
    return {1: (0.2, 0.31), 4: (0.69, 0.8)}


def never():
    raise AssertionError("the state has counts")


def test_a_report_joins_labels_scores_and_fractions_by_id():
    report = report_of(trained(counts={"1": 25, "4": 75}), never, known)
    assert report.classes == ("matrix", "<pore>", "late") and report.class_ids == (1, 4, 9)
    np.testing.assert_array_equal(report.labelled, [40, 1260, 0])
    np.testing.assert_allclose(report.fractions, [0.25, 0.75, 0])
    assert report.table.dtype.names == (
        "name",
        "id",
        "labelled",
        "recall",
        "precision",
        "iou",
        "fraction",
        "low",
        "high",
    )
    np.testing.assert_array_equal(report.intervals, [[0.2, 0.31], [0.69, 0.8], [np.nan, np.nan]])
    np.testing.assert_array_equal(report.table["high"], report.intervals[:, 1])
    np.testing.assert_allclose(report.table["iou"], [30 / 45, 55 / 70, np.nan])
    np.testing.assert_array_equal(report.confusion, SCORES["confusion"])
    assert list(report.importances.items()) == [("b", 0.5), ("c", 0.3), ("a", 0.2)]


def test_phase_fractions_are_counted_if_the_session_has_none():
    report = report_of(trained(), lambda: np.bincount([1, 1, 1, 4], minlength=256), known)
    np.testing.assert_allclose(report.fractions, [0.75, 0.25, 0])


def test_a_report_before_training_has_labels_only():
    report = report_of(state(), never, never)
    assert (
        report.fractions is None
        and report.intervals is None
        and report.scores is None
        and report.confusion is None
        and report.importances == {}
    )
    np.testing.assert_array_equal(report.labelled, [40, 1260, 0])
    assert np.isnan(report.table["fraction"]).all() and "no segmentation yet" in repr(report)


def test_a_report_reads_as_a_table():
    report = report_of(trained(counts={"1": 25, "4": 75}), never, known)
    lines = repr(report).splitlines()
    assert lines[0].split() == [
        "class",
        "labelled",
        "recall",
        "precision",
        "IoU",
        "phase",
        "fraction",
        "95",
        "%",
        "interval",
    ]
    assert lines[2] == "<pore>     1,260  91.7 %     84.6 %  78.6 %          75.0 %  69.0 – 80.0 %"
    assert lines[3].split() == ["late", "0", "–", "–", "–", "0.0", "%", "–"]
    assert "100 held-out pixels; accuracy 85.0 %" in lines[4] and lines[5].startswith("Most important: b 50.0 %, c")
    page = report._repr_html_()
    assert "&lt;pore&gt;" in page and "<pore>" not in page and page.count("<tr>") == 4
    assert "<td>55</td>" in report.scores._repr_html_() and "85.0 %" in report.scores._repr_html_()


def test_a_report_is_a_data_frame_where_pandas_is_installed(monkeypatch):
    report = report_of(trained(counts={"1": 25, "4": 75}), never, known)
    pandas = pytest.importorskip("pandas")
    frame = report.to_pandas()
    assert isinstance(frame, pandas.DataFrame) and frame.loc["<pore>", "labelled"] == 1260
    assert frame["fraction"].tolist() == [0.25, 0.75, 0]
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(sl.SambaLabError, match="pip install pandas"):
        report.to_pandas()


def test_importances_may_be_unknown():
    assert importances_of(["a"], None) == {}
    assert isinstance(report_of({**trained(), "classes": CLASSES}, lambda: np.ones(256), known), Report)
