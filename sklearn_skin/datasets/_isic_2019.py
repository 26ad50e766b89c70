"""ISIC 2019: dermoscopic images of three collections, with age, sex and site."""

import pandas as pd

from sklearn_skin.datasets._bunch import Source, finish_loading
from sklearn_skin.datasets._tables import (
    check_root,
    check_rows,
    number,
    read_one_hot,
    read_table,
    set_row_names,
    text,
    warn_of_counts,
)

SOURCE = Source(
    name="isic_2019",
    where="ISIC 2019 is published at https://challenge.isic-archive.com/data/#2019.",
    folders=("ISIC_2019_Training_Input", "images"),
    counts={
        "AK": 867,
        "BCC": 3323,
        "BKL": 2624,
        "DF": 239,
        "MEL": 4522,
        "NV": 12875,
        "SCC": 628,
        "VASC": 253,
    },
    leaky=(),
)
METADATA = "ISIC_2019_Training_Metadata.csv"


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
    .. [1] :ref:`Combalia et al. (2019) <combalia2019>`, "BCN20000".
    .. [2] :ref:`Codella et al. (2018) <codella2018>`, "Skin lesion analysis toward melanoma
       detection".
    .. [3] :ref:`Tschandl et al. (2018) <tschandl2018>`, "The HAM10000 dataset".

    Examples
    --------
    >>> from sklearn_skin.datasets import load_isic_2019
    >>> isic = load_isic_2019("data/isic_2019")  # doctest: +SKIP
    >>> isic.data.shape  # doctest: +SKIP
    (25331, 4)
    """
    root = check_root(root, SOURCE)
    target = read_one_hot(SOURCE, root, "ISIC_2019_Training_GroundTruth.csv", "image", "image_id")
    warn_of_counts(target, SOURCE)
    columns = ["image", "age_approx", "anatom_site_general", "lesion_id", "sex"]
    table = read_table(SOURCE, root, (METADATA,), columns)
    table = set_row_names(table, table["image"], "image_id")
    check_rows(SOURCE, METADATA, target.index, table.index)
    table = table.loc[target.index]
    data = pd.DataFrame(
        {
            "age_approx": number(table["age_approx"], zero_is_missing=True),
            "sex": text(table["sex"]),
            "anatom_site_general": text(table["anatom_site_general"]),
        }
    )
    # An image without a lesion's id is a group of its own.
    lesion = text(table["lesion_id"], case=None)
    return finish_loading(
        SOURCE,
        root,
        data,
        target,
        lesion.fillna(table["image"]),
        table[["image"]],
        on_missing=on_missing,
        return_X_y=return_X_y,
        subgroups={"sex": "sex", "age": "age_approx", "site": "anatom_site_general"},
    )
