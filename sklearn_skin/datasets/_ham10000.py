"""HAM10000: dermoscopic images with age, sex and site."""

import pandas as pd

from sklearn_skin.datasets._bunch import Source, finish_loading
from sklearn_skin.datasets._tables import (
    check_root,
    labels,
    number,
    read_table,
    set_row_names,
    text,
    warn_of_counts,
)

SOURCE = Source(
    name="ham10000",
    where="HAM10000 is published at https://doi.org/10.7910/DVN/DBW86T.",
    folders=("images", "HAM10000_images_part_1", "HAM10000_images_part_2"),
    counts={"akiec": 327, "bcc": 514, "bkl": 1099, "df": 115, "mel": 1113, "nv": 6705, "vasc": 142},
    leaky=("dx_type",),
)
# The repository's own download is tab-separated, copies elsewhere have commas.
TABLES = ("HAM10000_metadata.csv", "HAM10000_metadata.tab", "HAM10000_metadata")
COLUMNS = ("lesion_id", "image_id", "dx", "dx_type", "age", "sex", "localization")


def load_ham10000(root, *, include_leaky=False, on_missing="raise", return_X_y=False):
    """Load HAM10000: 10 015 dermoscopic images of 7 470 lesions in 7 classes.

    Parameters
    ----------
    root : str or path-like
        Folder with ``HAM10000_metadata.csv`` (or ``.tab``) and the images, which may lie
        in ``HAM10000_images_part_1/`` and ``HAM10000_images_part_2/`` as published, in
        ``images/``, or beside the table.
    include_leaky : bool, default=False
        Whether `data` also holds the columns named in `leaky_columns`.
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
            `image`, `age` (years; 0 becomes NaN, for it does not tell infants from unknown),
            `sex`, `localization`.
        target : Series
            `dx`: akiec, bcc, bkl, df, mel, nv or vasc.
        groups : Series
            `lesion_id`; up to 6 images show one lesion.
        image_columns, metadata_columns, leaky_columns : list of str
            `dx_type`, how the diagnosis was made, leaks it.
        subgroups : DataFrame
            `sex`, `age_band`, `site`: to evaluate by.

        target_names : list of str

        DESCR : str

    (data, target) : tuple
        Instead of the Bunch, if `return_X_y`.

    Raises
    ------
    FileNotFoundError
        If the folder, the table or image files are not there.
    ValueError
        If the table lacks a column or holds an unknown class.

    Warns
    -----
    UserWarning
        If the table's class counts are not the published ones.

    References
    ----------
    .. [1] :ref:`Tschandl et al. (2018) <tschandl2018>`, "The HAM10000 dataset".

    Examples
    --------
    >>> from sklearn_skin.datasets import load_ham10000
    >>> ham = load_ham10000("data/ham10000")  # doctest: +SKIP
    >>> ham.data.shape, ham.groups.nunique()  # doctest: +SKIP
    ((10015, 4), 7470)
    """
    root = check_root(root, SOURCE)
    table = read_table(SOURCE, root, TABLES, COLUMNS)
    table = set_row_names(table, table["image_id"], "image_id")
    target = labels(table["dx"], {name: (name,) for name in SOURCE.counts})
    warn_of_counts(target, SOURCE)
    data = pd.DataFrame(
        {
            "age": number(table["age"], zero_is_missing=True),
            "sex": text(table["sex"]),
            "localization": text(table["localization"]),
        }
    )
    if include_leaky:
        data["dx_type"] = text(table["dx_type"])
    return finish_loading(
        SOURCE,
        root,
        data,
        target,
        text(table["lesion_id"], case=None),
        table[["image_id"]].set_axis(["image"], axis=1),
        on_missing=on_missing,
        return_X_y=return_X_y,
        subgroups={"sex": "sex", "age": "age", "site": "localization"},
    )
