"""Scores of a classifier, and the report of a labeller."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from .errors import SambaLabError

Shares = npt.NDArray[np.float64]

_IMPORTANCES_SHOWN = 10


@dataclass(frozen=True, eq=False)
class Scores:
    """Scores of a classifier on labelled pixels that it had not seen.

    Attributes
    ----------
    classes
        Names, in the order of the confusion's axes.
    class_ids
        Ids, the values in label arrays.
    source
        ``"out-of-bag"``: each pixel was classified by the trees of a forest that had not drawn it. Pixels of one stroke are
        alike, so expect lower scores away from the strokes. ``"held-out"``: whole strokes that boosted trees had not seen; mostly
        lower, and closer to the truth.
    confusion
        int64 (classes, classes): number of pixels by labelled class (row) and predicted class (column). Read-only.
    """

    classes: tuple[str, ...]
    class_ids: tuple[int, ...]
    source: Literal["out-of-bag", "held-out"]
    confusion: npt.NDArray[np.int64]

    @property
    def recall(self) -> Shares:
        """Share of each class's labelled pixels that were predicted as it, float64 (classes,); NaN without pixels."""
        return _divided(self._right, self.confusion.sum(axis=1))

    @property
    def precision(self) -> Shares:
        """Share of the pixels predicted as each class that are labelled as it, float64 (classes,); NaN if never predicted."""
        return _divided(self._right, self.confusion.sum(axis=0))

    @property
    def iou(self) -> Shares:
        """Intersection over union of each class, float64 (classes,): correct / (labelled or predicted); NaN if neither."""
        return _divided(self._right, self.confusion.sum(axis=1) + self.confusion.sum(axis=0) - self._right)

    @property
    def accuracy(self) -> float:
        """Share of all pixels that were predicted correctly; NaN without pixels."""
        return float(_divided(self._right.sum(), self.confusion.sum()))

    @property
    def mean_iou(self) -> float:
        """Mean of `iou` over the classes that have one; NaN without any."""
        iou = self.iou[~np.isnan(self.iou)]
        return float(iou.mean()) if len(iou) else float("nan")

    @property
    def _right(self) -> npt.NDArray[np.int64]:
        diagonal: npt.NDArray[np.int64] = self.confusion.diagonal()
        return diagonal

    def __repr__(self) -> str:
        return f"Scores({self.source}: accuracy {self.accuracy:.3f}, mean IoU {self.mean_iou:.3f})"

    def _repr_html_(self) -> str:
        table = _html_table(
            ["labelled as", *self.classes, "recall", "precision", "IoU"],
            [
                [name, *(f"{count:,}" for count in row), *map(_percent, shares)]
                for name, row, shares in zip(
                    self.classes,
                    self.confusion.tolist(),
                    np.stack([self.recall, self.precision, self.iou], axis=1).tolist(),
                    strict=True,
                )
            ],
        )
        caption = f"{self.source} pixels; columns are the predicted classes. Accuracy {_percent(self.accuracy)}."
        return f"{table}<div>{html.escape(caption)}</div>"


@dataclass(frozen=True, eq=False)
class Report:
    """A snapshot of a labeller's classes and classifier. A cell's last line shows it as a table.

    Attributes
    ----------
    classes
        Names of the labeller's classes.
    class_ids
        Ids, the values in label arrays.
    labelled
        int64 (classes,): number of labelled pixels.
    fractions
        float64 (classes,): phase fractions, the shares of the segmentation's pixels; None before the first training.
    intervals
        float64 (classes, 2): ends of the 95 % interval of each fraction in the material, of which the image shows a part, as
        `sambalab.phase_fractions` computes it; NaN where nothing can be said. None before the first training.
    scores
        Scores of the classifier; None if unknown.
    importances
        Each feature's share of the decrease of impurity, the largest first; empty if unknown.
    """

    classes: tuple[str, ...]
    class_ids: tuple[int, ...]
    labelled: npt.NDArray[np.int64]
    fractions: Shares | None
    intervals: Shares | None
    scores: Scores | None
    importances: Mapping[str, float]

    @property
    def confusion(self) -> npt.NDArray[np.int64] | None:
        """The confusion of `scores`: int64 (labelled class, predicted class), classes of `scores`; None if unknown."""
        return None if self.scores is None else self.scores.confusion

    @property
    def table(self) -> npt.NDArray[np.void]:
        """A structured array with a row for each class: name, id, labelled, recall, precision, iou, fraction, low, high.

        The last six are NaN if unknown; low and high are the ends of the fraction's interval.
        """
        width = max(map(len, self.classes), default=1)
        fields = [("name", f"U{width}"), ("id", np.int64), ("labelled", np.int64)]
        table = np.zeros(len(self.classes), [*fields, *((name, np.float64) for name in _COLUMNS)])
        table["name"], table["id"], table["labelled"] = self.classes, self.class_ids, self.labelled
        for name in _COLUMNS:
            table[name] = np.nan
        if self.fractions is not None:
            table["fraction"] = self.fractions
        if self.intervals is not None:
            table["low"], table["high"] = self.intervals.T
        if self.scores is not None:
            place = {number: row for row, number in enumerate(self.scores.class_ids)}
            for name in ("recall", "precision", "iou"):
                values = getattr(self.scores, name)
                table[name] = [values[place[number]] if number in place else np.nan for number in self.class_ids]
        return table

    def to_pandas(self) -> Any:
        """Convert `table` to a DataFrame of pandas, indexed by the names.

        Raises
        ------
        SambaLabError
            If pandas is not installed.
        """
        try:
            pandas = import_module("pandas")
        except ImportError:
            raise SambaLabError(
                "This needs pandas: pip install pandas. `table` has the same as a NumPy array."
            ) from None
        return pandas.DataFrame(self.table).set_index("name")

    def __repr__(self) -> str:
        return "\n".join([table_text(_HEADER, self._rows()), *self._remarks()])

    def _repr_html_(self) -> str:
        return table_html(_HEADER, self._rows(), self._remarks())

    def _rows(self) -> list[list[str]]:
        return [
            [
                str(row["name"]),
                f"{row['labelled']:,}",
                *(_percent(float(row[name])) for name in _MEASURES),
                interval_text((float(row["low"]), float(row["high"]))),
            ]
            for row in self.table
        ]

    def _remarks(self) -> list[str]:
        remarks = []
        if self.scores is None:
            remarks.append("No scores are known." if self.fractions is not None else "There is no segmentation yet.")
        else:
            pixels = f"{self.scores.confusion.sum():,} {self.scores.source} pixels"
            remarks.append(f"Recall, precision and IoU are of {pixels}; accuracy {_percent(self.scores.accuracy)}.")
        first = [f"{name} {_percent(share)}" for name, share in list(self.importances.items())[:_IMPORTANCES_SHOWN]]
        return [*remarks, f"Most important: {', '.join(first)}."] if first else remarks


_MEASURES = ("recall", "precision", "iou", "fraction")
_COLUMNS = (*_MEASURES, "low", "high")
_HEADER = ["class", "labelled", "recall", "precision", "IoU", "phase fraction", "95 % interval"]


def scores_of(classes: Sequence[Mapping[str, Any]], scores: Mapping[str, Any] | None) -> Scores | None:
    """Make `Scores` of the protocol's ``zScores``."""
    if scores is None:
        return None
    confusion = np.array(scores["confusion"], np.int64).reshape(len(classes), len(classes))
    confusion.flags.writeable = False
    ids = tuple(int(item["id"]) for item in classes)
    return Scores(tuple(str(item["name"]) for item in classes), ids, scores["source"], confusion)


def report_of(
    state: Mapping[str, Any],
    count: Callable[[], npt.NDArray[np.int64]],
    intervals: Callable[[], Mapping[int, Sequence[float]]],
) -> Report:
    """Make a report of a session's state.

    `count` counts the segmentation's pixels by id, if the state has no counts; `intervals` gives the ends of the phase fractions'
    intervals by id.
    """
    classes = state["classes"]
    ids = tuple(int(item["id"]) for item in classes)
    labelled = np.array([int(state["labels"]["counts"].get(str(number), 0)) for number in ids], np.int64)
    names = tuple(str(item["name"]) for item in classes)
    segmentation = state["segmentation"]
    if not segmentation:
        return Report(names, ids, labelled, None, None, None, {})
    counts = segmentation.get("counts")
    if counts is None:
        pixels = count()
        fractions = pixels[list(ids)] / pixels.sum()
    else:
        fractions = np.array([int(counts.get(str(number), 0)) for number in ids]) / sum(map(int, counts.values()))
    info = segmentation["classifier"]
    scores = scores_of(info["classes"], info.get("scores"))
    known = intervals()
    ends = np.array([known.get(number, (np.nan, np.nan)) for number in ids], np.float64).reshape(len(ids), 2)
    return Report(
        names, ids, labelled, fractions, ends, scores, importances_of(info["features"], info.get("importance"))
    )


def importances_of(names: Sequence[str], shares: Sequence[float] | None) -> dict[str, float]:
    """Map names of features to their importance, the largest first."""
    pairs = zip(names, shares, strict=True) if shares is not None else ()
    return dict(sorted(((str(name), float(share)) for name, share in pairs), key=lambda pair: -pair[1]))


def _divided(part: Any, whole: Any) -> Shares:
    """Divide numbers or arrays; NaN where the divisor is 0."""
    part, whole = np.asarray(part, np.float64), np.asarray(whole, np.float64)
    shares: Shares = np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0)
    return shares


def _percent(share: float) -> str:
    return "–" if np.isnan(share) else f"{100 * share:.1f} %"


def interval_text(ends: Sequence[float]) -> str:
    """Write the ends of an interval as percent; a dash if they are unknown."""
    low, high = (float(end) for end in ends)
    return "–" if np.isnan(low) else f"{100 * low:.1f} – {100 * high:.1f} %"


def table_text(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write a table as lines, its first column on the left and all others on the right."""
    lines = [header, *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            [line[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True))]
        )
        for line in lines
    )


def table_html(header: Sequence[str], rows: Sequence[Sequence[str]], remarks: Sequence[str]) -> str:
    """Write a table and lines below it as HTML."""
    return _html_table(header, rows) + "".join(f"<div>{html.escape(remark)}</div>" for remark in remarks)


def _html_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    def line(cells: Sequence[str], tag: str) -> str:
        return f"<tr>{''.join(f'<{tag}>{html.escape(cell)}</{tag}>' for cell in cells)}</tr>"

    body = "".join(line(row, "td") for row in rows)
    return f"<table><thead>{line(header, 'th')}</thead><tbody>{body}</tbody></table>"
