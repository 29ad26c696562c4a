"""Conversion of SambaLab's forests to fitted forests of scikit-learn, and back."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..spec.classifier_document import ClassifierDocument
from ..spec.errors import ParameterError, SambaLabError
from ..spec.features import FeatureSpec
from ..spec.forest import CUTS_MAX, DEPTH_MAX, VOTES, Forest, whole_votes
from ..spec.tables import parameter_limits

if TYPE_CHECKING:
    from sklearn.ensemble import RandomForestClassifier

NODES_MAX = 50_000_000


def to_forest(forest: Forest, class_ids: tuple[int, ...], parameters: Mapping[str, Any]) -> RandomForestClassifier:
    """Make a fitted RandomForestClassifier that gives the same probabilities for the same features.

    Parameters
    ----------
    forest
        A checked forest.
    class_ids
        The values that ``predict`` returns.
    parameters
        How the forest was grown: the protocol's ``ForestParams``.

    Returns
    -------
    RandomForestClassifier
        Without numbers of samples and impurities of the nodes, which a classifier does not keep.

    Raises
    ------
    SambaLabError
        If scikit-learn is not installed.
    """
    ensemble, tree_module, tree_base = _scikit_learn()
    features, classes = len(forest.cuts), len(class_ids)
    max_features = parameters.get("maxFeatures", "sqrt")
    common = {
        "max_depth": parameters.get("maxDepth"),
        "max_features": max_features,
        "min_samples_leaf": parameters.get("minLeaf", 1),
        "class_weight": "balanced" if parameters.get("balanced") else None,
    }
    seed = int(parameters.get("seed", 0))
    out = ensemble.RandomForestClassifier(n_estimators=len(forest.counts), random_state=seed, **common)
    values = np.zeros((len(forest.feature), 1, classes))
    leaf = forest.feature == -1
    values[leaf, 0] = forest.votes[forest.left[leaf]] / VOTES
    lengths = np.array([len(cuts) for cuts in forest.cuts])
    first_cut = np.cumsum(lengths) - lengths
    inner = ~leaf
    nodes = np.zeros(len(forest.feature), dtype=tree_base.NODE_DTYPE)
    nodes["left_child"] = np.where(leaf, -1, forest.left)
    nodes["right_child"] = np.where(leaf, -1, forest.right)
    nodes["feature"] = np.where(leaf, -2, forest.feature)
    nodes["threshold"] = -2.0
    all_cuts = np.concatenate([*forest.cuts, np.empty(0, np.float32)]).astype(np.float64)
    nodes["threshold"][inner] = all_cuts[first_cut[forest.feature[inner]] + forest.threshold[inner]]
    nodes["missing_go_to_left"] = 1
    ids = np.array(class_ids)
    estimators = []
    for start, count in zip(forest.starts.tolist(), forest.counts.tolist(), strict=True):
        own = slice(start, start + count)
        depth = _fill_upwards(nodes[own], values[own])
        tree = tree_base.Tree(features, np.array([classes], dtype=np.intp), 1)
        tree.__setstate__(
            {"max_depth": depth, "node_count": count, "nodes": nodes[own].copy(), "values": values[own].copy()}
        )
        estimator = tree_module.DecisionTreeClassifier(random_state=seed, **common)
        estimator.n_features_in_ = features
        estimator.n_outputs_ = 1
        estimator.n_classes_ = classes
        estimator.classes_ = np.arange(classes)
        estimator.max_features_ = features
        estimator.tree_ = tree
        estimators.append(estimator)
    out.estimators_ = estimators
    out.estimator_ = tree_module.DecisionTreeClassifier()
    out.n_features_in_ = features
    out.n_outputs_ = 1
    out.n_classes_ = classes
    out.classes_ = ids
    return out


def from_forest(model: Any) -> tuple[Forest, npt.NDArray[Any]]:
    """Convert a fitted forest or decision tree of scikit-learn.

    Returns
    -------
    forest
        With the model's features in their order. If a feature has more than 255 different thresholds, they are merged into 255,
        weighted by the nodes' samples.
    classes
        The model's ``classes_``.

    Raises
    ------
    ParameterError
        If the model is not fitted, or of another type.
    SambaLabError
        If scikit-learn is not installed.

    Warns
    -----
    UserWarning
        If thresholds were merged.
    """
    ensemble, tree_module, _ = _scikit_learn()
    if isinstance(model, (ensemble.RandomForestClassifier, ensemble.ExtraTreesClassifier)):
        estimators = getattr(model, "estimators_", None)
    elif isinstance(model, tree_module.DecisionTreeClassifier):
        estimators = [model] if hasattr(model, "tree_") else None
    else:
        raise ParameterError(
            f"{type(model).__name__} cannot be converted; RandomForestClassifier, ExtraTreesClassifier and "
            "DecisionTreeClassifier will do."
        )
    if not estimators or not hasattr(model, "classes_"):
        raise ParameterError("The forest is not fitted; call its fit first.")
    if getattr(model, "n_outputs_", 1) != 1:
        raise ParameterError(f"The forest has {model.n_outputs_} outputs; one will do.")
    features, classes = int(model.n_features_in_), len(model.classes_)
    states = [estimator.tree_.__getstate__() for estimator in estimators]
    counts = np.array([len(state["nodes"]) for state in states], dtype=np.int64)
    if int(counts.sum()) > NODES_MAX:
        raise ParameterError(f"The forest has {int(counts.sum()):,} nodes; at most {NODES_MAX:,} will do.")
    nodes = np.concatenate([state["nodes"] for state in states])
    values = np.concatenate([np.asarray(state["values"]) for state in states])
    if values.shape[1:] != (1, classes):
        raise ParameterError(f"The forest's leaves have values of shape {values.shape[1:]}, not (1, {classes}).")
    leaf = nodes["left_child"] < 0
    inner = ~leaf
    feature = np.where(leaf, -1, nodes["feature"])
    if (feature[inner] < 0).any() or (feature >= features).any() or features > 32767:
        raise ParameterError(f"The forest asks for features that are not 0 to {features - 1}.")
    cuts, threshold = _cuts(feature, nodes["threshold"], nodes["weighted_n_node_samples"], inner, features)
    left = np.where(leaf, 0, nodes["left_child"])
    left[leaf] = np.arange(int(leaf.sum()))
    forest = Forest(
        counts,
        feature.astype(np.int16),
        threshold,
        left.astype(np.int64),
        np.where(leaf, 0, nodes["right_child"]).astype(np.int64),
        whole_votes(values[leaf, 0].astype(np.float64)),
        cuts,
    )
    forest.check()
    return forest, np.asarray(model.classes_)


def _cuts(
    feature: npt.NDArray[Any],
    thresholds: npt.NDArray[np.float64],
    weights: npt.NDArray[np.float64],
    inner: npt.NDArray[np.bool_],
    features: int,
) -> tuple[tuple[npt.NDArray[np.float32], ...], npt.NDArray[np.uint8]]:
    """Give cuts and cut numbers. Features are float32, so the largest float32 at or below a threshold splits them alike."""
    single = thresholds.astype(np.float32)
    single = np.where(single.astype(np.float64) > thresholds, np.nextafter(single, np.float32(-np.inf)), single) + 0
    out = np.zeros(len(feature), dtype=np.uint8)
    merged = 0
    lists: list[npt.NDArray[np.float32]] = []
    for number in range(features):
        here = inner & (feature == number)
        if not np.isfinite(single[here]).all():
            raise ParameterError(f"The forest has thresholds of feature {number} that are not finite.")
        distinct, place = np.unique(single[here], return_inverse=True)
        if len(distinct) > CUTS_MAX:
            merged += 1
            weight = np.bincount(place, weights=np.maximum(weights[here], 1), minlength=len(distinct))
            shares = (np.cumsum(weight) - weight / 2) / weight.sum()
            group = np.minimum((shares * CUTS_MAX).astype(np.int64), CUTS_MAX - 1)
            # The threshold of most samples represents its group.
            order = np.lexsort((-weight, group))
            heads = order[np.unique(group[order], return_index=True)[1]]
            place = (np.cumsum(np.diff(group, prepend=group[:1]) > 0))[place]
            distinct = distinct[heads]
        lists.append(distinct.astype(np.float32))
        out[here] = place
    if merged:
        warnings.warn(
            f"{merged} of {features} features have more than {CUTS_MAX} different thresholds; they were merged into "
            f"{CUTS_MAX}, so a few pixels may be classified otherwise.",
            UserWarning,
            stacklevel=4,
        )
    return tuple(lists), out


def _fill_upwards(nodes: npt.NDArray[Any], values: npt.NDArray[np.float64]) -> int:
    """Give inner nodes the mean of their children's values, and return the depth. Children come after their parents."""
    left, right = nodes["left_child"].tolist(), nodes["right_child"].tolist()
    height = [0] * len(left)
    for node in range(len(left) - 1, -1, -1):
        if left[node] >= 0:
            height[node] = 1 + max(height[left[node]], height[right[node]])
            values[node] = (values[left[node]] + values[right[node]]) / 2
    return height[0]


def _scikit_learn() -> tuple[Any, Any, Any]:
    try:
        from sklearn import ensemble, tree
        from sklearn.tree import _tree
    except ImportError:
        raise SambaLabError("This needs scikit-learn: pip install 'sambalab[files]'.") from None
    return ensemble, tree, _tree


def basis_of(spec: FeatureSpec, known: ClassifierDocument | None) -> tuple[FeatureSpec, Mapping[str, Any] | None]:
    """Complete a spec that has an embedding by a classifier that was trained on it: add the window, and give the basis.

    Parameters
    ----------
    spec
        The features.
    known
        A classifier with the same embedding; not used for a spec without one.

    Returns
    -------
    tuple
        The spec, and how its embedding is reduced (model, digest, layers); None without an embedding.

    Raises
    ------
    ParameterError
        If `known` is missing or has another embedding.
    """
    if spec.embedding is None:
        return spec, None
    own = None if known is None else known.spec.embedding
    if known is None or own is None:
        raise ParameterError(
            "The features have an embedding; give the classifier whose features the columns are: embedding=lab.classifier."
        )
    window = spec.embedding["window"]
    same = window in (None, own["window"]) and {**spec.embedding, "window": None} == {**own, "window": None}
    if not same:
        raise ParameterError(
            f"The features' embedding is {dict(spec.embedding)!r}, that of the classifier given {dict(own)!r}."
        )
    return FeatureSpec.from_dict({**spec.to_dict(), "embedding": dict(own)}), known.basis


def parameters_of(forest: Any, trees: int) -> dict[str, Any]:
    """Give the protocol's ``ForestParams`` by scikit-learn's parameters, as far as they correspond."""
    depth = getattr(forest, "max_depth", None)
    max_features = getattr(forest, "max_features", None)
    leaf = getattr(forest, "min_samples_leaf", 1)
    seed = getattr(forest, "random_state", None)
    return {
        "trees": min(trees, parameter_limits("forest")["trees"]["maximum"]),
        "maxDepth": min(depth, DEPTH_MAX) if isinstance(depth, int) else DEPTH_MAX,
        "maxFeatures": max_features if type(max_features) is int and max_features >= 1 else "sqrt",
        "minLeaf": leaf if isinstance(leaf, int) else 1,
        "balanced": getattr(forest, "class_weight", None) is not None,
        "maxSamples": None,
        "seed": seed if type(seed) is int and 0 <= seed < 1 << 32 else 0,
    }
