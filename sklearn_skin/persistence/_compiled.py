"""Numbers that compiled code of scikit-learn takes for positions without looking at them.

skops leaves trees untrusted, since a child or a feature that is not there crashes the process that
predicts. Here they are written as arrays, and are looked at before a tree is made of them.
"""

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.ensemble._forest import BaseForest
from sklearn.ensemble._gb import BaseGradientBoosting
from sklearn.ensemble._hist_gradient_boosting.common import PREDICTOR_RECORD_DTYPE
from sklearn.ensemble._hist_gradient_boosting.predictor import TreePredictor
from sklearn.svm._base import BaseLibSVM
from sklearn.tree import BaseDecisionTree
from sklearn.tree._tree import Tree

from sklearn_skin.exceptions import ModelFileError

_HISTOGRAMS = (HistGradientBoostingClassifier, HistGradientBoostingRegressor)
_WORDS = 8  # of a set of 256 categories


class SavedTree:
    """What a `Tree` is made of."""

    def __init__(self, n_features, n_classes, n_outputs, state):
        self.n_features = n_features
        self.n_classes = n_classes
        self.n_outputs = n_outputs
        self.state = state


class SavedPredictor:
    """What a `TreePredictor` is made of."""

    def __init__(self, arrays):
        self.arrays = arrays


def as_arrays(value):
    """Return what stands for a tree in a file; anything else as it is."""
    if isinstance(value, Tree):
        _, shape, state = value.__reduce__()
        return SavedTree(*shape, state)
    return SavedPredictor(vars(value)) if type(value) is TreePredictor else value


def check_compiled(estimator):
    """Look at the numbers of an estimator from a file, and make its trees, in place.

    Raises
    ------
    ModelFileError
        If scikit-learn would read or write where they lead.
    """
    own = vars(estimator)
    if isinstance(estimator, BaseDecisionTree) and isinstance(own.get("tree_"), SavedTree):
        estimator.tree_ = _make_tree(estimator.tree_, estimator.n_features_in_)
    elif isinstance(estimator, BaseForest | BaseGradientBoosting) and "estimators_" in own:
        for tree in np.ravel(np.array(estimator.estimators_, dtype=object)):
            _require(isinstance(tree, BaseDecisionTree), "a forest of other estimators than trees")
            _require(tree.n_features_in_ == estimator.n_features_in_, "trees of other features")
    elif isinstance(estimator, _HISTOGRAMS) and "_predictors" in own:
        width = estimator.n_features_in_
        categorical = getattr(estimator._bin_mapper, "is_categorical_", ())
        _require(np.shape(categorical) == (width,), "other categorical features")
        estimator._predictors = [
            [_make_predictor(saved, width) for saved in trees] for trees in estimator._predictors
        ]
    elif isinstance(estimator, BaseLibSVM) and "support_vectors_" in own:
        _check_svm(estimator)


def _require(fine, what):
    if not fine:
        raise ModelFileError(f"the file describes {what}, which scikit-learn cannot have made.")


def _make_tree(saved, n_features):
    """Return a Tree whose nodes lead to later nodes and to features that there are."""
    nodes, values = saved.state["nodes"], saved.state["values"]
    n, classes = len(nodes), np.asarray(saved.n_classes)
    left, right = nodes["left_child"], nodes["right_child"]
    depth = _depth(left, right)
    feature = nodes["feature"][left != -1]
    fine = (
        saved.n_features == n_features
        and classes.shape == (saved.n_outputs,)
        and (classes >= 1).all()
        and values.shape == (n, saved.n_outputs, classes.max())
        and saved.state["node_count"] == n
        and saved.state["max_depth"] >= depth
        and ((feature >= 0) & (feature < n_features)).all()
    )
    _require(fine, "a tree with features or nodes that are not there")
    tree = Tree(saved.n_features, classes.astype(np.intp), saved.n_outputs)
    tree.__setstate__(saved.state)
    return tree


def _depth(left, right):
    """Return the depth of a tree whose leaves have -1 for both children."""
    positions = np.arange(len(left))
    inner = left != -1
    later = [(child > positions) & (child < len(left)) for child in (left, right)]
    _require(len(left) and np.array_equal(inner, right != -1), "a tree without leaves")
    # Whoever goes down only comes to later nodes, and so to an end.
    _require((later[0] & later[1])[inner].all(), "a tree that leads nowhere")
    depth = np.zeros(len(left), dtype=np.int64)
    for node in positions[inner]:
        for child in (left[node], right[node]):
            depth[child] = max(depth[child], depth[node] + 1)
    return depth.max()


def _make_predictor(saved, n_features):
    _require(isinstance(saved, SavedPredictor), "a tree of another kind")
    nodes, sets = saved.arrays["nodes"], saved.arrays["raw_left_cat_bitsets"]
    _require(nodes.dtype == PREDICTOR_RECORD_DTYPE and nodes.ndim == 1, "nodes of another kind")
    inner = nodes["is_leaf"] == 0
    children = [np.where(inner, nodes[s].astype(np.int64), -1) for s in ("left", "right")]
    _depth(*children)
    split = nodes[inner]
    chosen = split["bitset_idx"][split["is_categorical"] != 0]
    fine = (
        ((split["feature_idx"] >= 0) & (split["feature_idx"] < n_features)).all()
        and sets.shape == (len(sets), _WORDS)
        and (chosen < len(sets)).all()
    )
    _require(fine, "a tree with features or categories that are not there")
    return TreePredictor(**saved.arrays)


def _check_svm(svm):
    n_vectors = len(svm.support_)
    classifies = svm._impl in ("c_svc", "nu_svc")
    n_classes = len(svm._n_support) if classifies else 2
    pairs = n_classes * (n_classes - 1) // 2
    wide = svm.kernel == "precomputed" or svm.support_vectors_.shape == (
        n_vectors,
        svm.n_features_in_,
    )
    fine = (
        wide
        and svm._dual_coef_.shape == (n_classes - 1, n_vectors)
        and np.size(svm._intercept_) == pairs
        and np.size(svm._probA) in (0, 1, pairs)
        and np.size(svm._probB) in (0, 1, pairs)
        and (not classifies or (np.asarray(svm._n_support) >= 0).all())
        and (not classifies or np.sum(svm._n_support) == n_vectors)
    )
    _require(fine, "a support vector machine of other sizes")
