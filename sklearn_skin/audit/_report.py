"""The result of a check: one table per kind of finding."""

import html

import pandas as pd
from sklearn.utils import Bunch

from sklearn_skin.exceptions import DataLeakageWarning
from sklearn_skin.utils import warn_user

# Table -> what a row of it means, and how a row is told in one line.
CHECKS = {
    "unreadable": ("images that cannot be read", "row {row!r}, column {column!r}: {path}"),
    "rows": ("rows on both sides of a split", "split {split}: row {row!r}"),
    "groups": (
        "groups on both sides of a split",
        "split {split}: {group!r}, {n_left} + {n_right} rows, such as {left_row!r} and "
        "{right_row!r}",
    ),
    "images": (
        "pairs of {kinds} images that {what}",
        "{row_1!r} and {row_2!r}: {kind}, {orientation}",
    ),
    "labels": (
        "pairs of identical images with different labels",
        "{row_1!r} is {label_1!r}, {row_2!r} is {label_2!r}",
    ),
    "columns": ("columns that give the label away", "{column!r} ({reason})"),
    "missingness": (
        "columns whose gaps predict the label",
        "{column!r}: {n_missing} gaps, AUC {auc:.2f} for {class!r}",
    ),
}
_N_SHOWN = 3


class LeakageReport(Bunch):
    """What `check_data` or `check_leakage` found.

    Every table is a DataFrame with one finding per row, empty where there is none. Rows are
    named by their labels in the index of X.

    Attributes
    ----------
    unreadable : DataFrame
        `row`, `column`, `path` and `error` of images that cannot be read.
    rows : DataFrame
        `split` and `row` where a row is on both sides.
    groups : DataFrame
        `split`, `group`, its number of rows and its first row on each side.
    images : DataFrame
        Pairs of images that are the same: rows, columns, `kind` ("identical" or "near"),
        `distance` of the hashes in bits, `similarity` (correlation of fine detail),
        `orientation`, `same_group`, `same_label`, and the `splits` that part them.
    labels : DataFrame
        Pairs of identical images with different labels, by `task`.
    columns : DataFrame
        `column`, `reason` ("name" or "predicts the label"), and for the latter, from
        cross-validation, by `task`: `balanced_accuracy`, `auc` (mean over classes, each
        against the others), and `class_auc` of the `class` told apart best.
    missingness : DataFrame
        `column`, `task`, `class`, `n_missing`, `auc`, `p_value`.
    n_rows, n_images : int
        How much was examined.

    Examples
    --------
    >>> from sklearn_skin.datasets import make_lesions
    >>> from sklearn_skin.audit import check_data
    >>> lesions = make_lesions(12, random_state=0)
    >>> check_data(lesions.data, lesions.target, cache_dir=None)
    <LeakageReport: nothing found in 12 rows and 12 images>
    """

    def __init__(self, **tables):
        super().__init__(**tables)

    @property
    def ok(self):
        """Whether nothing was found."""
        return all(self[name].empty for name in CHECKS)

    def to_frame(self):
        """Return all findings in one table.

        Returns
        -------
        findings : DataFrame
            `check`, the name of the table, and `finding`, a line of text.
        """
        lines = [(name, line) for name in CHECKS for line in self._lines(name, len(self[name]))]
        return pd.DataFrame(lines, columns=["check", "finding"])

    def _lines(self, name, n_lines):
        # Records, for "class" can be a key but no attribute of a row.
        return [
            CHECKS[name][1].format(**row) for row in self[name].head(n_lines).to_dict("records")
        ]

    def _title(self, name):
        title = CHECKS[name][0]
        if name == "images":
            kinds = sorted(
                set(self.images["kind"].map({"near": "nearly identical"}).fillna("identical"))
            )
            apart = self.images["splits"].ne("").any()
            title = title.format(
                kinds=" or ".join(kinds),
                what="a split parts" if apart else "a split may part",
            )
        return f"{title}: {len(self[name])}"

    def __repr__(self):
        where = f"{self.n_rows} rows and {self.n_images} images"
        if self.ok:
            return f"<LeakageReport: nothing found in {where}>"
        text = [f"<LeakageReport: found in {where}"]
        for name in CHECKS:
            if not self[name].empty:
                text.append(f"  {self._title(name)} (`{name}`)")
                text.extend(f"    {line}" for line in self._lines(name, _N_SHOWN))
                if len(self[name]) > _N_SHOWN:
                    text.append(f"    and {len(self[name]) - _N_SHOWN} more")
        return "\n".join(text) + ">"

    def _repr_html_(self):
        return f"<pre>{html.escape(repr(self))}</pre>"

    def warn_or_raise(self, on_leak):
        """Warn or raise, if something was found.

        Parameters
        ----------
        on_leak : {"warn", "raise", "ignore"}
            What to do.

        Returns
        -------
        self : LeakageReport
        """
        if not self.ok and on_leak == "raise":
            raise ValueError(repr(self)[1:-1])
        if not self.ok and on_leak == "warn":
            warn_user(repr(self)[1:-1], DataLeakageWarning)
        return self
