"""Derm7pt, the seven-point checklist data set: two images and eight tasks."""

import numpy as np
import pandas as pd

from sklearn_skin.datasets._bunch import Source, finish_loading
from sklearn_skin.datasets._tables import (
    check_root,
    labels,
    read_table,
    set_row_names,
    text,
    warn_of_counts,
)

SOURCE = Source(
    name="derm7pt",
    where="Derm7pt (release_v0.zip) is published at https://derm.cs.sfu.ca.",
    folders=("images",),
    counts={"BCC": 42, "MEL": 252, "MISC": 97, "NEV": 575, "SK": 45},
    leaky=("management", "level_of_diagnostic_difficulty", "seven_point_score"),
)
MELANOMA = (
    "melanoma",
    "melanoma (in situ)",
    "melanoma (less than 0.76 mm)",
    "melanoma (0.76 to 1.5 mm)",
    "melanoma (more than 1.5 mm)",
    "melanoma metastasis",
)
NEVI = ("blue", "clark", "combined", "congenital", "dermal", "recurrent")
SPLITS = ("train", "valid", "test")

# Task -> (column of the table, {class: published words}), as grouped by the owners.
TASKS = {
    "DIAG": (
        "diagnosis",
        {
            "BCC": ("basal cell carcinoma",),
            "NEV": (*(f"{kind} nevus" for kind in NEVI), "reed or spitz nevus"),
            "MEL": MELANOMA,
            "MISC": ("dermatofibroma", "lentigo", "melanosis", "miscellaneous", "vascular lesion"),
            "SK": ("seborrheic keratosis",),
        },
    ),
    "BWV": ("blue_whitish_veil", {"absent": ("absent",), "present": ("present",)}),
    "STR": (
        "streaks",
        {"absent": ("absent",), "regular": ("regular",), "irregular": ("irregular",)},
    ),
    "PIG": (
        "pigmentation",
        {
            "absent": ("absent",),
            "regular": ("regular", "diffuse regular", "localized regular"),
            "irregular": ("irregular", "diffuse irregular", "localized irregular"),
        },
    ),
    "RS": (
        "regression_structures",
        {
            "absent": ("absent",),
            "present": ("present", "blue areas", "white areas", "combinations"),
        },
    ),
    "DAG": (
        "dots_and_globules",
        {"absent": ("absent",), "regular": ("regular",), "irregular": ("irregular",)},
    ),
    "PN": (
        "pigment_network",
        {"absent": ("absent",), "typical": ("typical",), "atypical": ("atypical",)},
    ),
    "VS": (
        "vascular_structures",
        {
            "absent": ("absent",),
            "regular": ("regular", "arborizing", "comma", "hairpin", "within regression", "wreath"),
            "irregular": ("irregular", "dotted", "linear irregular"),
        },
    ),
}
FEATURES = ("elevation", "location", "sex")


def load_derm7pt(root, *, tasks="all", include_leaky=False, on_missing="raise", return_X_y=False):
    """Load Derm7pt: 1 011 lesions, a clinical and a dermoscopic image, eight tasks.

    Parameters
    ----------
    root : str or path-like
        Folder ``release_v0`` as published, with ``meta/meta.csv``,
        ``meta/{train,valid,test}_indexes.csv`` and ``images/``. Names of image files are
        found whatever their case.
    tasks : "all", str or sequence of str, default="all"
        The targets: ``DIAG`` (diagnosis: BCC, MEL, MISC, NEV, SK) and the criteria of the
        seven-point checklist ``BWV`` (blue-whitish veil), ``STR`` (streaks), ``PIG``
        (pigmentation), ``RS`` (regression structures), ``DAG`` (dots and globules), ``PN``
        (pigment network), ``VS`` (vascular structures). One task makes `target` a Series,
        more a DataFrame.
    include_leaky : bool, default=False
        Whether `data` also holds the columns named in `leaky_columns`.
    on_missing : {"raise", "drop", "missing"}, default="raise"
        What to do where the table names an image that is not in the folder: raise an error,
        leave the row out, or keep it without the image. An error is raised in any case if
        there is no image at all.
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` alone; groups and splits are then lost.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        With the attributes

        data : DataFrame, row labels are "case_0001" to "case_1011"
            The images `clinical` and `dermoscopy`; `elevation`, `location`, `sex`. In 9 rows
            the table names the dermoscopic image twice: the clinical image is missing.

        target : DataFrame with one column per task, or Series

        groups : Series
            The name of the first image file, so that rows that share a photograph stay
            together; the owners publish no patients.
        splits : dict of str to ndarray of int
            Row positions of the published parts ``train`` (413), ``valid`` (203) and
            ``test`` (395).
        image_columns, metadata_columns, leaky_columns : list of str
            `management`, `level_of_diagnostic_difficulty` and `seven_point_score` leak.
        subgroups : DataFrame
            `sex`, `site`: to evaluate by.

        target_names : dict of task to list of str, or list of str

        DESCR : str

    (data, target) : tuple
        Instead of the Bunch, if `return_X_y`.

    Raises
    ------
    FileNotFoundError
        If the folder, a table or image files are not there.
    ValueError
        If `tasks` is wrong, a table lacks a column, or a label is not a published one.

    Warns
    -----
    UserWarning
        If the numbers of diagnoses are not the published ones.

    References
    ----------
    .. [1] :ref:`Kawahara et al. (2019) <kawahara2019>`, "Seven-point checklist and skin lesion
       classification".

    Examples
    --------
    >>> from sklearn_skin.datasets import load_derm7pt
    >>> derm = load_derm7pt("data/release_v0")  # doctest: +SKIP
    >>> derm.target.shape, len(derm.splits["train"])  # doctest: +SKIP
    ((1011, 8), 413)
    """
    tasks = _check_tasks(tasks)
    root = check_root(root, SOURCE)
    table = _read_cases(root)
    target = pd.DataFrame(
        {task: labels(table[column], groups) for task, (column, groups) in TASKS.items()}
    )
    warn_of_counts(target["DIAG"], SOURCE)
    data = pd.DataFrame({column: text(table[column]) for column in FEATURES})
    if include_leaky:
        data = data.join(pd.DataFrame({column: text(table[column]) for column in SOURCE.leaky}))
        data["seven_point_score"] = data["seven_point_score"].astype("float64")
    names = table[["clinic", "derm"]].apply(text, case=None)
    names = names.set_axis(["clinical", "dermoscopy"], axis=1)
    groups = names["clinical"].fillna(names["dermoscopy"]).str.lower().rename("image_file")
    # A photograph named twice is the dermoscopic one; the groups keep the name that it shares.
    same = names["clinical"].str.lower() == names["dermoscopy"].str.lower()
    names["clinical"] = names["clinical"].mask(same)
    splits = _read_splits(root, len(table))
    return finish_loading(
        SOURCE,
        root,
        data,
        target[tasks] if len(tasks) > 1 else target[tasks[0]],
        groups,
        names,
        on_missing=on_missing,
        return_X_y=return_X_y,
        subgroups={"sex": "sex", "site": "location"},
        splits=lambda keep: _keep_splits(splits, keep),
    )


def _read_cases(root):
    published = [column for column, _ in TASKS.values()]
    wanted = ["case_num", "clinic", "derm", *published, *FEATURES, *SOURCE.leaky]
    table = read_table(SOURCE, root, ("meta/meta.csv",), wanted)
    cases = pd.Series([f"case_{int(case):04d}" for case in table["case_num"]], name="case_num")
    return set_row_names(table, cases, "case")


def _check_tasks(tasks):
    if isinstance(tasks, str):
        tasks = list(TASKS) if tasks == "all" else [tasks]
    tasks = list(tasks)
    if not tasks or len(set(tasks)) < len(tasks) or not set(tasks) <= set(TASKS):
        raise ValueError(f"`tasks` must be 'all' or some of {list(TASKS)}; got {tasks!r}.")
    return tasks


def _read_splits(root, n_rows):
    splits = {}
    for name in SPLITS:
        table = read_table(SOURCE, root, (f"meta/{name}_indexes.csv",), ["indexes"])
        splits[name] = table["indexes"].to_numpy(dtype=np.intp)
    places = np.concatenate(list(splits.values()))
    if len(np.unique(places)) < len(places) or not ((places >= 0) & (places < n_rows)).all():
        raise ValueError(
            f"meta/*_indexes.csv must hold different row positions from 0 to {n_rows - 1}; they "
            f"hold {len(places)}, of which {len(np.unique(places))} differ, up to {places.max()}."
        )
    return splits


def _keep_splits(splits, keep):
    """Return the positions among the kept rows."""
    # Of a kept row: how many are kept before it.
    position = np.cumsum(keep) - 1
    return {name: position[places[keep[places]]] for name, places in splits.items()}
