"""What `sklearn_skin.model_selection` finds in the test rows, and in them and the training rows."""

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_consistent_length

from sklearn_skin.audit import check_data, check_leakage
from sklearn_skin.reporting._blocks import Table, Text

_MAX_FINDINGS = 100


def leakage_blocks(cases, y, X_train, groups_train):
    """Return what was found about leakage, as blocks.

    Parameters
    ----------
    cases : Cases
        The test rows.
    y : array-like of shape (n,) or (n, T)
        True labels.
    X_train : DataFrame or array-like, or None
        The rows that the models were fitted on.
    groups_train : array-like or None
        Their patients.
    """
    if not (cases.images or cases.metadata.shape[1]):
        return [Text("X is no table; nothing was checked.")]
    report = check_data(cases.table, y, image_columns=list(cases.images), on_leak="ignore")
    blocks = _findings(
        report.to_frame(),
        "the test rows: unreadable or identical images, columns or gaps that give the label away",
    )
    if X_train is None:
        text = "Training rows were not given (`X_train`): overlap with them was not checked."
        return [*blocks, Text(text, "warning")]
    return blocks + _overlap(cases, X_train, groups_train)


def _overlap(cases, X_train, groups_train):
    check_consistent_length(X_train, groups_train)
    train = cases.as_table(X_train)
    both = pd.concat([train, cases.table])
    groups = None
    if groups_train is not None and cases.has_groups:
        groups = np.concatenate([np.asarray(groups_train, dtype=object), cases.groups])
    split = np.arange(len(train)), np.arange(len(train), len(both))
    report = check_leakage(
        both, None, groups, [split], image_columns=list(cases.images), on_leak="ignore"
    )
    found = report.to_frame()
    # Names and unreadable images of the test rows were told before.
    found = found[found["check"].isin(["rows", "groups", "images"])]
    what = "patients or nearly identical images" if groups is not None else "identical images"
    blocks = _findings(found, f"{len(train):,} training rows and the test rows: shared {what}")
    if groups is None:
        text = "Patients of the training rows were not compared: that needs both groups."
        blocks.append(Text(text, "warning"))
    return blocks


def _findings(found, where):
    if not len(found):
        return [Text(f"✓ Nothing found in {where}.")]
    shown = found.head(_MAX_FINDINGS)
    more = f" (the first {_MAX_FINDINGS})" if len(found) > _MAX_FINDINGS else ""
    return [
        Text(f"⚠ {len(found):,} finding{'s' * (len(found) > 1)} in {where}.", "warning"),
        Table(f"Findings{more}", ["Check", "Finding"], shown.to_numpy().tolist(), n_names=2),
    ]
