"""Forests as the flat arrays of a classifier's JSON (``engine/core/classifier.ts``), checked before they are walked."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import ParameterError

VOTES = 1024
# A boosted tree's value of 0 as a vote.
ZERO = 512
# Both as in `src/shared/limits.ts`; a test compares them, since the package must import without its built tables.
CUTS_MAX = 255
DEPTH_MAX = 64


@dataclass(frozen=True)
class Forest:
    """Trees on binned features.

    The nodes of tree t follow those of tree t − 1; ``left`` and ``right`` count from the tree's first node. A pixel goes left
    if its bin of ``feature`` is at most ``threshold``, that is, if its value is at most the cut of this number.

    Attributes
    ----------
    counts
        int64 (trees,): nodes of each tree.
    feature
        int16 (nodes,): −1 in a leaf.
    threshold
        uint8 (nodes,): number of a cut of the feature.
    left, right
        int64 (nodes,): children. In a leaf ``left`` is the leaf's row in ``votes`` and ``right`` is 0.
    votes
        uint16 (leaves, classes). The votes of a leaf add up to 1024 in a forest, to 512 × classes in boosted trees, where a vote
        is 512 + `scale` × the leaf's value for the class.
    cuts
        For each feature float32 (n,), ascending, n ≤ 255.
    scale
        Votes for a logit of 1 in boosted trees; None for a forest.
    """

    counts: npt.NDArray[np.int64]
    feature: npt.NDArray[np.int16]
    threshold: npt.NDArray[np.uint8]
    left: npt.NDArray[np.int64]
    right: npt.NDArray[np.int64]
    votes: npt.NDArray[np.uint16]
    cuts: tuple[npt.NDArray[np.float32], ...]
    scale: float | None = None

    @property
    def leaf_sum(self) -> int:
        """The sum of the votes of a leaf."""
        return VOTES if self.scale is None else ZERO * self.votes.shape[1]

    @property
    def starts(self) -> npt.NDArray[np.int64]:
        """First node of each tree, int64 (trees,)."""
        return np.cumsum(self.counts) - self.counts

    @classmethod
    def from_document(cls, document: Mapping[str, Any], features: int, classes: int) -> Forest:
        """Read the forest of a classifier's JSON, and check it.

        Raises
        ------
        ParameterError
            If it is damaged. The message names the field.
        """
        trees, cuts = _mapping(document, "trees"), _mapping(document, "cuts")
        cut_counts = _integers(cuts, "counts", 0, CUTS_MAX)
        if len(cut_counts) != features:
            raise _damaged(f"cuts.counts has {len(cut_counts)} entries for {features} features")
        values = _array(cuts, "values", "<f4", int(cut_counts.sum()))
        lists = tuple(np.split(values, np.cumsum(cut_counts)[:-1]))
        for number, list_ in enumerate(lists):
            if not np.isfinite(list_).all() or (np.diff(list_) <= 0).any():
                raise _damaged(f"the cuts of feature {number} are not finite numbers that ascend")
        counts = _integers(trees, "counts", 1, 1 << 31)
        if not len(counts):
            raise _damaged("trees.counts is empty")
        nodes = int(counts.sum())
        feature = _array(trees, "feature", "<i2", nodes)
        leaves = int((feature == -1).sum())
        forest = cls(
            counts,
            feature,
            _array(trees, "threshold", "u1", nodes),
            _array(trees, "left", "<u4", nodes).astype(np.int64),
            _array(trees, "right", "<u4", nodes).astype(np.int64),
            _array(trees, "votes", "<u2", leaves * classes).reshape(leaves, classes),
            lists,
            document.get("scale"),
        )
        forest.check()
        return forest

    def check(self) -> None:
        """Raise ParameterError unless every pixel reaches one leaf of every tree, by indices inside of the arrays.

        The kernels rely on this check; it is the only one.
        """
        feature, counts = self.feature, self.counts
        leaf = feature == -1
        if (feature < -1).any() or (feature >= len(self.cuts)).any():
            raise _damaged(f"trees.feature has numbers that are not −1 to {len(self.cuts) - 1}")
        own = np.arange(len(feature)) - np.repeat(self.starts, counts)
        size = np.repeat(counts, counts)
        inner = ~leaf
        for name, child in (("left", self.left), ("right", self.right)):
            if ((child <= own) | (child >= size))[inner].any():
                raise _damaged(f"trees.{name} has a child that is before its parent, or not in its tree")
        first = np.repeat(self.starts, counts)
        parents = np.bincount(
            np.concatenate([(first + self.left)[inner], (first + self.right)[inner]]), minlength=len(feature)
        )
        expected = np.ones(len(feature), dtype=np.int64)
        expected[self.starts] = 0
        if (parents != expected).any():
            raise _damaged("trees have nodes without a parent or with more than one")
        lengths = np.array([len(cuts) for cuts in self.cuts])
        if (self.threshold[inner] >= lengths[feature[inner]]).any():
            raise _damaged("trees.threshold has a cut that its feature does not have")
        if self.right[leaf].any() or self.threshold[leaf].any():
            raise _damaged("trees have leaves whose right child or threshold is not 0")
        if (np.sort(self.left[leaf]) != np.arange(len(self.votes))).any():
            raise _damaged("trees.left does not number the leaves each once")
        if (self.votes.astype(np.int64).sum(axis=1) != self.leaf_sum).any():
            raise _damaged(f"trees.votes has leaves whose votes do not add up to {self.leaf_sum}")
        self._check_depth()
        if self.votes.max() > VOTES:
            raise _damaged(f"trees.votes has a vote of {self.votes.max()}, above {VOTES}")

    def _check_depth(self) -> None:
        """Walk down all trees at once, a level at a time."""
        level = self.starts
        base = np.repeat(self.starts, self.counts)
        for _ in range(DEPTH_MAX + 1):
            inner = level[self.feature[level] >= 0]
            if not len(inner):
                return
            level = np.concatenate([base[inner] + self.left[inner], base[inner] + self.right[inner]])
        raise _damaged(f"a tree is deeper than {DEPTH_MAX} splits")

    def to_document(self) -> dict[str, Any]:
        """Give the fields ``cuts`` and ``trees`` of a classifier's JSON."""
        return {
            "cuts": {
                "counts": [len(cuts) for cuts in self.cuts],
                "values": _encode(np.concatenate([*self.cuts, np.empty(0, np.float32)]).astype("<f4")),
            },
            "trees": {
                "counts": self.counts.tolist(),
                "feature": _encode(self.feature.astype("<i2")),
                "threshold": _encode(self.threshold),
                "left": _encode(self.left.astype("<u4")),
                "right": _encode(self.right.astype("<u4")),
                "votes": _encode(self.votes.astype("<u2")),
            },
        }


def whole_votes(fractions: npt.NDArray[np.float64]) -> npt.NDArray[np.uint16]:
    """Round shares of the classes, (leaves, classes), to votes that add up to 1024, by largest remainders."""
    total = fractions.sum(axis=1, keepdims=True)
    if not np.isfinite(fractions).all() or (fractions < 0).any() or (total <= 0).any():
        raise ParameterError("A leaf of the forest has no valid class probabilities.")
    exact = fractions / total * VOTES
    votes = np.floor(exact).astype(np.int64)
    missing = VOTES - votes.sum(axis=1)
    order = np.argsort(-(exact - votes), axis=1, kind="stable")
    rank = np.empty_like(order)
    np.put_along_axis(rank, order, np.broadcast_to(np.arange(order.shape[1]), order.shape), axis=1)
    votes += rank < missing[:, np.newaxis]
    whole: npt.NDArray[np.uint16] = votes.astype(np.uint16)
    return whole


def _damaged(reason: str) -> ParameterError:
    return ParameterError(f"This is not a classifier of SambaLab, or it was damaged: {reason}.")


def _mapping(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = document.get(name)
    if not isinstance(value, Mapping):
        raise _damaged(f"{name} is missing")
    return value


def _integers(document: Mapping[str, Any], name: str, low: int, high: int) -> npt.NDArray[np.int64]:
    value = document.get(name)
    fits = isinstance(value, Sequence) and all(type(item) is int and low <= item <= high for item in value)
    if not fits or not isinstance(value, list):
        raise _damaged(f"{name} is not a list of whole numbers from {low} to {high}")
    return np.array(value, dtype=np.int64)


def _array(document: Mapping[str, Any], name: str, dtype: str, length: int) -> npt.NDArray[Any]:
    value = document.get(name)
    if not isinstance(value, str):
        raise _damaged(f"{name} is missing")
    try:
        data = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise _damaged(f"{name} is not base64") from None
    expected = length * np.dtype(dtype).itemsize
    if len(data) != expected:
        raise _damaged(f"{name} has {len(data)} bytes, not {expected}")
    array: npt.NDArray[Any] = np.frombuffer(data, dtype)
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _encode(array: npt.NDArray[Any]) -> str:
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode("ascii")
