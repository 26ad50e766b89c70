"""PAD-UFES-20: smartphone photographs with a rich patient history."""

import pandas as pd

from sklearn_skin.datasets._bunch import Source, finish_loading
from sklearn_skin.datasets._tables import (
    check_root,
    labels,
    number,
    read_table,
    set_row_names,
    text,
    truth,
    warn_of_counts,
)

SOURCE = Source(
    name="pad_ufes_20",
    where="PAD-UFES-20 is published at https://doi.org/10.17632/zr7vgbcyr2.1.",
    folders=("images", "imgs_part_1", "imgs_part_2", "imgs_part_3"),
    counts={"ACK": 730, "BCC": 845, "MEL": 52, "NEV": 244, "SCC": 192, "SEK": 235},
    leaky=("biopsed",),
)
# Column of the table -> kind. The first block is only asked of some patients.
HISTORY = {
    "smoke": "truth",
    "drink": "truth",
    "background_father": "place",
    "background_mother": "place",
    "pesticide": "truth",
    "gender": "text",
    "skin_cancer_history": "truth",
    "cancer_history": "truth",
    "has_piped_water": "truth",
    "has_sewage_system": "truth",
    "fitspatrick": "number",
    "diameter_1": "size",
    "diameter_2": "size",
}
ALWAYS = {
    "age": "number",
    "region": "place",
    "itch": "truth",
    "grew": "truth",
    "hurt": "truth",
    "changed": "truth",
    "bleed": "truth",
    "elevation": "truth",
}
KINDS = HISTORY | ALWAYS
READ = {
    "truth": truth,
    "text": text,
    # The table has both spellings of the country.
    "place": lambda values: text(values, case="upper", rename={"BRASIL": "BRAZIL"}),
    "number": number,
    "size": lambda values: number(values, zero_is_missing=True),
}
RENAME = {"fitspatrick": "fitzpatrick"}


def load_pad_ufes_20(root, *, include_leaky=False, on_missing="raise", return_X_y=False):
    """Load PAD-UFES-20: 2 298 smartphone images of 1 373 patients in 6 classes.

    Parameters
    ----------
    root : str or path-like
        Folder with ``metadata.csv`` and the images, which may lie in
        ``images/imgs_part_1/`` to ``images/imgs_part_3/`` as published, or in
        ``images/``. Where the table says ``.png`` any image format is taken.
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

        data : DataFrame, row labels are image ids without the file's ending
            `image`, and the 21 columns of the table: `age` (years), `fitzpatrick` (1 to 6,
            spelled `fitspatrick` in the table), `diameter_1`, `diameter_2` (mm, 0 becomes NaN)
            as numbers; truth values as "True" and "False"; `UNK` becomes NaN.
        target : Series
            `diagnostic`: ACK, BCC, MEL, NEV, SCC or SEK.
        groups : Series
            `patient_id`; `lesion_id` is no group, for patients share some.
        image_columns, metadata_columns, leaky_columns : list of str
            `biopsed` leaks the diagnosis.
        missingness_columns : list of str
            Columns in which being missing itself tells about the diagnosis, see Notes.
        subgroups : DataFrame
            `sex`, `age_band`, `site`, `skin_tone` (Fitzpatrick type "1" to "6").

        target_names : list of str

        DESCR : str

    (data, target) : tuple
        Instead of the Bunch, if `return_X_y`.

    Raises
    ------
    FileNotFoundError
        If the folder, the table or image files are not there.
    ValueError
        If the table lacks a column or holds an unknown class or truth value.

    Warns
    -----
    UserWarning
        If the table's class counts are not the published ones.

    Notes
    -----
    The 13 columns in `missingness_columns` are missing together in 804 rows, which are only
    ACK, NEV and SEK: whoever is biopsied is asked more. A model with these columns learns
    that. Published results include them; to see what is left without, drop them::

        X = pad.data.drop(columns=pad.missingness_columns)

    References
    ----------
    .. [1] :ref:`Pacheco et al. (2020) <pacheco2020>`, "PAD-UFES-20".

    Examples
    --------
    >>> from sklearn_skin.datasets import load_pad_ufes_20
    >>> pad = load_pad_ufes_20("data/pad_ufes_20")  # doctest: +SKIP
    >>> pad.data.shape, pad.groups.nunique()  # doctest: +SKIP
    ((2298, 22), 1373)
    """
    root = check_root(root, SOURCE)
    wanted = ["img_id", "patient_id", "diagnostic", *KINDS, *SOURCE.leaky]
    table = read_table(SOURCE, root, ("metadata.csv",), wanted)
    # Copies of the data set come with other image formats than the table's ".png".
    stems = table["img_id"].astype("str").str.replace(r"\.\w+$", "", regex=True)
    table = set_row_names(table, stems, "img_id")
    target = labels(table["diagnostic"], {name: (name.lower(),) for name in SOURCE.counts})
    warn_of_counts(target, SOURCE)
    data = pd.DataFrame(
        {
            RENAME.get(column, column): READ[KINDS[column]](table[column])
            for column in table
            if column in KINDS
        }
    )
    if include_leaky:
        data["biopsed"] = truth(table["biopsed"])
    skin_tone = data["fitzpatrick"].astype("Int64").astype("str")
    return finish_loading(
        SOURCE,
        root,
        data,
        target,
        text(table["patient_id"], case=None),
        table[["img_id"]].set_axis(["image"], axis=1),
        on_missing=on_missing,
        return_X_y=return_X_y,
        subgroups={"sex": "gender", "age": "age", "site": "region", "skin_tone": skin_tone},
        missingness_columns=[RENAME.get(column, column) for column in HISTORY],
    )
