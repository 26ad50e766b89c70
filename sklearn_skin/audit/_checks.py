"""Checks for information that would not be there for a new patient."""

from numbers import Integral, Real

import pandas as pd
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions, validate_params

from sklearn_skin.audit._columns import (
    LEAKY_NAMES,
    leaky_names,
    predictive_columns,
    predictive_gaps,
)
from sklearn_skin.audit._image_findings import image_findings
from sklearn_skin.audit._report import LeakageReport
from sklearn_skin.audit._splits import read_splits, shared_groups, shared_rows
from sklearn_skin.audit._table import CheckedTable
from sklearn_skin.image import PixelCache

_CONSTRAINTS = {
    "image_columns": [str, "array-like"],
    "group_column": [str, None],
    "leaky_columns": ["array-like"],
    "max_auc": [Interval(Real, 0.5, 1, closed="right")],
    "max_missing_auc": [Interval(Real, 0.5, 1, closed="right")],
    "cache_dir": [str, HasMethods("__fspath__"), None],
    "n_jobs": [Integral, None],
    "on_leak": [StrOptions({"warn", "raise", "ignore"})],
}


@validate_params(_CONSTRAINTS, prefer_skip_nested_validation=True)
def check_data(
    X,
    y=None,
    *,
    image_columns="auto",
    group_column=None,
    leaky_columns=(),
    max_auc=0.95,
    max_missing_auc=0.6,
    cache_dir="auto",
    n_jobs=1,
    on_leak="warn",
):
    """Look for flaws of a data set that do not depend on how it is split.

    These are images that cannot be read, identical images, also under different labels, columns
    that give the label away, by their name or by what they alone predict, and gaps that
    predict the label.

    Parameters
    ----------
    X : DataFrame of n rows, or array-like of shape (n, p)
        Image and metadata columns.
    y : array-like of shape (n,) or (n, T), default=None
        Labels; NaN or None where a task has none. Without them images and names are checked.
    image_columns : "auto", str or list of str, default="auto"
        Columns of X that hold images. "auto" takes the columns of dtype `image`; a text
        column of paths may be named.
    group_column : str, default=None
        Column of X that names the patient or lesion. It is no feature, and cross-validation
        of single columns keeps its groups whole.
    leaky_columns : sequence of str, default=()
        Names, or regular expressions, of further columns to report; the loaders return
        such a list.
    max_auc : float, default=0.95
        A column is reported if it alone tells the classes of at least 20 rows with this mean
        AUC (each against the others) or this balanced accuracy, or one of them with an AUC of
        0.999, in 5-fold cross-validation.
    max_missing_auc : float, default=0.6
        A column is reported if being missing in it tells a class of at least 20 rows from
        the others with this AUC, and is related to the label (chi-squared test, P < 0.001
        over all columns and tasks together).
    cache_dir : "auto", path or None, default="auto"
        Where decoded pixels are kept.
    n_jobs : int or None, default=1
        Threads that decode images.
    on_leak : {"warn", "raise", "ignore"}, default="warn"
        What to do if something is found, besides returning it.

    Returns
    -------
    report : LeakageReport
        Tables `unreadable`, `images`, `labels`, `columns`, `missingness`, in which rows are
        named by the index of X; `ok` is True if all are empty, and `to_frame()` joins them.

    Raises
    ------
    ValueError
        If something is found and `on_leak` is "raise", or the lengths of X and y differ.

    Warns
    -----
    DataLeakageWarning
        If something is found and `on_leak` is "warn".

    See Also
    --------
    check_leakage : What the sides of a split share, in addition.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn_skin.audit import check_data
    >>> X = pd.DataFrame({"age": [40.0, 60.0], "dx_type": ["histo", "consensus"]})
    >>> check_data(X, ["nevus", "melanoma"], on_leak="ignore")
    <LeakageReport: found in 2 rows and 0 images
      columns that give the label away: 1 (`columns`)
        'dx_type' (name)>
    """
    table = CheckedTable(X, y, None, image_columns, group_column)
    report = LeakageReport(
        **_column_findings(table, leaky_columns, max_auc, max_missing_auc),
        **_split_findings(table, []),
        **image_findings(table, [], None, PixelCache(cache_dir), n_jobs),
        n_rows=len(table.X),
    )
    return report.warn_or_raise(on_leak)


@validate_params(
    _CONSTRAINTS | {"max_distance": [Interval(Integral, 0, 32, closed="both"), None]},
    prefer_skip_nested_validation=True,
)
def check_leakage(
    X,
    y=None,
    groups=None,
    splits=None,
    *,
    image_columns="auto",
    group_column=None,
    leaky_columns=(),
    max_auc=0.95,
    max_missing_auc=0.6,
    max_distance=10,
    cache_dir="auto",
    n_jobs=1,
    on_leak="warn",
):
    """Look for whatever lets a score be better than it will be for new patients.

    Beside what `check_data` finds, these are rows and groups on both sides of a split, and
    identical or nearly identical images on both sides: recompressed, resized, brighter or
    darker, recoloured, mirrored or turned by a right angle.

    Parameters
    ----------
    X : DataFrame of n rows, or array-like of shape (n, p)
        Image and metadata columns.
    y : array-like of shape (n,) or (n, T), default=None
        Labels; NaN or None where a task has none. Without them images, groups and names are
        checked.
    groups : array-like of shape (n,), default=None
        Patient or lesion of each row; missing values are groups of their own.
    splits : splitter, iterable of (train, test), one (train, test), or dict, default=None
        A splitter such as ``StratifiedGroupKFold()``; what its `split` yields; positions or
        masks of the rows of one split; or parts by name, as
        `sklearn_skin.datasets.load_derm7pt` returns. None asks what any split by `groups` may
        part, or, without these, any split by rows.
    image_columns : "auto", str or list of str, default="auto"
        Columns of X that hold images. "auto" takes the columns of dtype `image`; a text
        column of paths may be named.
    group_column : str, default=None
        Column of X that holds `groups`, where these are not given; it is no feature.
    leaky_columns : sequence of str, default=()
        Names, or regular expressions, of further columns to report; the loaders return
        such a list.
    max_auc : float, default=0.95
        A column is reported if it alone tells the classes of at least 20 rows with this mean
        AUC (each against the others) or this balanced accuracy, or one of them with an AUC of
        0.999, in 5-fold cross-validation by `groups`.
    max_missing_auc : float, default=0.6
        A column is reported if being missing in it tells a class of at least 20 rows from
        the others with this AUC, and is related to the label (chi-squared test, P < 0.001
        over all columns and tasks together; a row counts one over the size of its group).
    max_distance : int, default=10
        Bits, of 64, in which the perceptual hashes of nearly identical images may differ, at
        most 32. Images are reported if, beyond that, their fine detail correlates. None
        looks for identical images alone.
    cache_dir : "auto", path or None, default="auto"
        Where decoded pixels are kept.
    n_jobs : int or None, default=1
        Threads that decode images.
    on_leak : {"warn", "raise", "ignore"}, default="warn"
        What to do if something is found, besides returning it.

    Returns
    -------
    report : LeakageReport
        Tables `unreadable`, `rows`, `groups`, `images`, `labels`, `columns`, `missingness`,
        in which rows are named by the index of X; `ok` is True if all are empty, and
        `to_frame()` joins them.

    Raises
    ------
    ValueError
        If something is found and `on_leak` is "raise", if lengths differ, or if `splits` holds
        no row positions.

    Warns
    -----
    DataLeakageWarning
        If something is found and `on_leak` is "warn".

    See Also
    --------
    check_data : The checks that need no split.

    Notes
    -----
    Images are compared as gray thumbnails of 64×64 pixels. The hash [1]_ is 64 signs of
    their lowest cosine frequencies; pairs that it proposes are kept if their fine detail, at
    equal local contrast, correlates by at least 0.6. On HAM10000 that finds 81 pairs of
    10 015 images: 80 within one lesion and one under two lesion ids, which is a recoloured
    copy. Two photographs of one lesion usually look different to it: give `groups`.

    References
    ----------
    .. [1] :ref:`Zauner (2010) <zauner2010>`, "Implementation and benchmarking of perceptual image
       hash functions".

    Examples
    --------
    >>> from sklearn.model_selection import KFold
    >>> from sklearn_skin.datasets import make_lesions
    >>> from sklearn_skin.audit import check_leakage
    >>> lesions = make_lesions(6, images_per_lesion=2, random_state=0)
    >>> check_leakage(lesions.data, lesions.target, lesions.groups,
    ...               splits=KFold(2), cache_dir=None, on_leak="ignore")
    <LeakageReport: found in 6 rows and 6 images
      groups on both sides of a split: 2 (`groups`)
        split 0: 'L1', 1 + 1 rows, such as 'L1_1' and 'L1_0'
        split 1: 'L1', 1 + 1 rows, such as 'L1_0' and 'L1_1'>
    """
    table = CheckedTable(X, y, groups, image_columns, group_column)
    sides = None if splits is None else read_splits(splits, table.X, y, table.groups)
    report = LeakageReport(
        **_column_findings(table, leaky_columns, max_auc, max_missing_auc),
        **_split_findings(table, sides or []),
        **image_findings(table, sides, max_distance, PixelCache(cache_dir), n_jobs),
        n_rows=len(table.X),
    )
    return report.warn_or_raise(on_leak)


def _column_findings(table, leaky_columns, max_auc, max_missing_auc):
    names = leaky_names(list(table.metadata), (*LEAKY_NAMES, *leaky_columns))
    named = pd.DataFrame({"column": names, "reason": "name"}, dtype=object)
    found = predictive_columns(table.metadata, table.tasks, table.groups, max_auc)
    # An empty part would decide the types of the whole table.
    columns = pd.concat([part for part in (named, found) if len(part)] or [found])
    features = [name for name in table.X if name in table.images or name in table.metadata]
    missing = table.X[features].isna()
    return {
        "columns": columns.reset_index(drop=True).reindex(columns=found.columns),
        "missingness": predictive_gaps(missing, table.tasks, table.groups, max_missing_auc),
    }


def _split_findings(table, sides):
    index = table.X.index
    return {
        "rows": shared_rows(sides, index),
        "groups": shared_groups(sides, table.group_labels, index),
    }
