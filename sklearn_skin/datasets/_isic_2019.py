"""ISIC 2019: dermoscopic images of three collections, with age, sex and site."""

import pandas as pd

from sklearn_skin.datasets._bunch import finish_loading
from sklearn_skin.datasets._tables import (
    check_root,
    number,
    one_hot_labels,
    read_table,
    set_row_labels,
    text,
    warn_of_counts,
)

WHERE = "ISIC 2019 is published at https://challenge.isic-archive.com/data/#2019."
FOLDERS = ("ISIC_2019_Training_Input", "images")
COUNTS = {
    "AK": 867,
    "BCC": 3323,
    "BKL": 2624,
    "DF": 239,
    "MEL": 4522,
    "NV": 12875,
    "SCC": 628,
    "VASC": 253,
}


def load_isic_2019(root, *, include_leaky=False, on_missing="raise", return_X_y=False):
    """Load the training part of ISIC 2019: 25 331 dermoscopic images in 8 classes.

    It contains all of HAM10000: never train on one and test on the other.

    Parameters
    ----------
    root : str or path-like
        Folder with ``ISIC_2019_Training_GroundTruth.csv``,
        ``ISIC_2019_Training_Metadata.csv`` and the images, in
        ``ISIC_2019_Training_Input/`` as published or in ``images/``.
    include_leaky : bool, default=False
        Accepted for symmetry: no column leaks.
    on_missing : {"raise", "drop", "missing"}, default="raise"
        What to do where the table names an image that is not in the folder: raise an error,
        leave the row out, or keep it without the image. An error is raised in any case if
        there is no image at all.
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` alone; the groups are then lost.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        With the attributes

        data : DataFrame, row labels are image ids
            `image`, `age_approx` (years; 0 becomes NaN, for it does not tell infants from
            unknown), `sex`, `anatom_site_general`.
        target : Series
            `diagnosis`: AK, BCC, BKL, DF, MEL, NV, SCC or VASC. The table's ``UNK`` is
            empty; an image that has it raises.
        groups : Series
            `lesion_id`, or the image id where there is none (2 084 images).

        image_columns, metadata_columns, leaky_columns : list of str

        subgroups : DataFrame
            `sex`, `age_band`, `site`: to evaluate by.

        target_names : list of str

        DESCR : str

    (data, target) : tuple
        Instead of the Bunch, if `return_X_y`.

    Raises
    ------
    FileNotFoundError
        If the folder, a table or image files are not there.
    ValueError
        If a table lacks a column or a row, or an image has not exactly one class.

    Warns
    -----
    UserWarning
        If the table's class counts are not the published ones.

    References
    ----------
    .. [1] Combalia et al., "BCN20000: Dermoscopic lesions in the wild", arXiv:1908.02288, 2019;
       Codella et al., "Skin lesion analysis toward melanoma detection", ISBI 2018;
       Tschandl et al., "The HAM10000 dataset", Scientific Data 5, 180161, 2018.

    Examples
    --------
    >>> from sklearn_skin.datasets import load_isic_2019
    >>> isic = load_isic_2019("data/isic_2019")  # doctest: +SKIP
    >>> isic.data.shape  # doctest: +SKIP
    (25331, 4)
    """
    root = check_root(root, WHERE)
    truth = read_table(root, ("ISIC_2019_Training_GroundTruth.csv",), ["image", *COUNTS], WHERE)
    truth = set_row_labels(truth, truth["image"], "image_id")
    target = one_hot_labels(truth, sorted(COUNTS), "diagnosis")
    warn_of_counts(target, COUNTS, WHERE)
    columns = ["image", "age_approx", "anatom_site_general", "lesion_id", "sex"]
    table = read_table(root, ("ISIC_2019_Training_Metadata.csv",), columns, WHERE)
    table = set_row_labels(table, table["image"], "image_id")
    unknown = truth.index.difference(table.index)
    if len(unknown):
        raise ValueError(
            "ISIC_2019_Training_Metadata.csv must have a row for each labelled image; "
            f"{len(unknown)} have none, first {unknown[0]!r}. {WHERE}"
        )
    table = table.loc[truth.index]
    data = pd.DataFrame(
        {
            "age_approx": number(table["age_approx"], zero_is_missing=True),
            "sex": text(table["sex"]),
            "anatom_site_general": text(table["anatom_site_general"]),
        }
    )
    lesion = text(table["lesion_id"], case=None)
    return finish_loading(
        data,
        target,
        lesion.fillna(table["image"]),
        table[["image"]],
        root=root,
        folders=FOLDERS,
        where=WHERE,
        leaky=(),
        include_leaky=include_leaky,
        on_missing=on_missing,
        return_X_y=return_X_y,
        description="isic_2019",
        subgroups={
            "sex": data["sex"],
            "age": data["age_approx"],
            "site": data["anatom_site_general"],
        },
    )
