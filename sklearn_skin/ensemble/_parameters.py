"""Parameters that all meta-estimators have."""

from numbers import Integral

from joblib import Memory
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions

SPACES = ("proba", "logits")

COMMON_CONSTRAINTS = {
    "cv": [
        Interval(Integral, 2, None, closed="left"),
        StrOptions({"half", "prefit"}),
        HasMethods(["split"]),
        "array-like",
    ],
    "space": [StrOptions(set(SPACES))],
    "search": [StrOptions({"auto", "exact", "grid"})],
    "group_column": [str, None],
    "classes": ["array-like", list, None],
    "memory": [str, Memory, None],
    "n_jobs": [Integral, None],
    "random_state": ["random_state"],
    "verbose": ["verbose"],
}

COMMON_PARAMETERS = """
cv : int, "half", "prefit", splitter or iterable, default=5
    Where predictions of rows come from that the classifiers have not seen. An int is a number
    of folds, stratified by the first task and by group where groups are known. With "half",
    classifiers fitted on one half of the rows predict the other. A splitter with one split,
    such as GroupShuffleSplit(1), holds out rows once. In all these cases the classifiers are
    fitted again on all rows. With "prefit" they are fitted already, and the rows given to
    `fit` must be new to them. Where a splitter puts rows of one group on both sides, a warning
    says so.
space : {"proba", "logits"}, default="proba"
    Whether probabilities or their logits are averaged.
search : {"auto", "exact", "grid"}, default="auto"
    Search of the weights; see :func:`search_simplex_weights`. With four or more, "exact" may
    fail for want of a proof once everything is fitted; "auto" never does.
group_column : str, default=None
    Column of X that tells which rows belong together, where `fit` is not given `groups`. None
    takes the one that the classifiers name, if any; it is an error where they name different
    ones. It is never a feature.
classes : array-like or list of array-like, default=None
    All labels (per task), where some may be absent from the training rows.
memory : str or joblib.Memory, default=None
    Where fits are kept, so that the same classifier, parameters and rows are not fitted
    again: a search over second stages then trains each network once per fold. With
    ``random_state=None`` in a classifier, repeated fits repeat the kept one.
n_jobs : int, default=None
    Processes that fit, with one thread each.
random_state : int, RandomState instance or None, default=None
    Decides the folds and the default classifiers.
verbose : int, default=0
    1 prints what was found.
"""

FITTED_ATTRIBUTES = """
classes_ : ndarray, or list of ndarray
    Labels (per task).
n_features_in_ : int
    Columns seen in fit.
feature_names_in_ : ndarray of str
    Their names, where X had names.
"""


def complete_docstring(cls):
    """Write the common parameters and fitted attributes where `cls` names their place."""
    if cls.__doc__:
        cls.__doc__ = _fill(cls.__doc__, "%(common)s", COMMON_PARAMETERS)
        cls.__doc__ = _fill(cls.__doc__, "%(fitted)s", FITTED_ATTRIBUTES)


def _fill(docstring, place, text):
    # Python 3.13 takes the indentation out of docstrings, so it is read from the line itself.
    indent = docstring.partition(place)[0].rpartition("\n")[2]
    return docstring.replace(place, text.strip().replace("\n", "\n" + indent))
