"""MILK10k: a close-up and a dermoscopic image of each lesion."""

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
    name="milk10k",
    where="MILK10k is published at https://doi.org/10.34970/648456.",
    folders=("MILK10k_Training_Input", "images"),
    counts={
        "AKIEC": 303,
        "BCC": 2522,
        "BEN_OTH": 44,
        "BKL": 544,
        "DF": 52,
        "INF": 50,
        "MAL_OTH": 9,
        "MEL": 450,
        "NV": 746,
        "SCCKA": 473,
        "VASC": 47,
    },
    leaky=("diagnosis_full", "diagnosis_confirm_type", "invasion_thickness_interval"),
)
TABLE = "MILK10k_Training_{}.csv"
CONCEPTS = (
    "ulceration_crust",
    "hair",
    "vasculature_vessels",
    "erythema",
    "pigmented",
    "gel_water_drop_fluid_dermoscopy_liquid",
    "skin_markings_pen_ink_purple_pen",
)
SHARED = ("age_approx", "sex", "skin_tone_class", "site")
IMAGE_TYPES = {"clinical": "clinical: close-up", "dermoscopy": "dermoscopic"}


def load_milk10k(
    root,
    *,
    tasks=("diagnosis",),
    concept_threshold=0.5,
    include_leaky=False,
    on_missing="raise",
    return_X_y=False,
):
    """Load the training part of MILK10k: 5 240 lesions in 11 classes, two images each.

    Parameters
    ----------
    root : str or path-like
        Folder with ``MILK10k_Training_Metadata.csv``, ``MILK10k_Training_GroundTruth.csv``
        and the images, in ``MILK10k_Training_Input/<lesion_id>/`` as published or in
        ``images/``. The leaky columns are read from ``MILK10k_Training_Supplement.csv``.
    tasks : sequence of str, or "concepts", default=("diagnosis",)
        The targets, of `"diagnosis"` and the seven concepts ``ulceration_crust``, ``hair``,
        ``vasculature_vessels``, ``erythema``, ``pigmented``,
        ``gel_water_drop_fluid_dermoscopy_liquid`` and ``skin_markings_pen_ink_purple_pen``.
        ``"concepts"`` means all eight. One task makes `target` a Series, more a DataFrame.
    concept_threshold : float, default=0.5
        A concept is "present" where the MONET score of the dermoscopic image is at least
        this, in (0, 1], else "absent". At 0.5, 12 % (vessels) to 29 % (crust) of the
        lesions have a concept.
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

        data : DataFrame, row labels are lesion ids
            The images `clinical` and `dermoscopy`; `age_approx` (years), `sex`,
            `skin_tone_class` (0 very dark to 5 very light), `site`; and the scores
            ``clinical_MONET_*`` and ``dermoscopy_MONET_*`` of each image, in [0, 1].
            The dermoscopic score of a concept that is a task is left out.

        target : Series, or DataFrame with one column per task

        groups : Series
            The lesion id, so that splitters by group work; the owners publish no patients.
        image_columns, metadata_columns, leaky_columns : list of str
            `diagnosis_full`, `diagnosis_confirm_type` and `invasion_thickness_interval` leak.
        subgroups : DataFrame
            `sex`, `age_band`, `site`, `skin_tone` ("1", the lightest, to "6", the darkest:
            six minus `skin_tone_class`, in the direction of Fitzpatrick's types).

        target_names : list of str, or dict of task to list of str

        DESCR : str

    (data, target) : tuple
        Instead of the Bunch, if `return_X_y`.

    Raises
    ------
    FileNotFoundError
        If the folder, a table or image files are not there.
    ValueError
        If `tasks` or `concept_threshold` is wrong, a table lacks a column or a lesion, or
        a lesion has two images of one type.

    Warns
    -----
    UserWarning
        If the table's class counts are not the published ones.

    References
    ----------
    .. [1] :ref:`MILK study team (2025) <milk2025>`, "MILK10k".

    Examples
    --------
    >>> from sklearn_skin.datasets import load_milk10k
    >>> milk = load_milk10k("data/milk10k", tasks="concepts")  # doctest: +SKIP
    >>> milk.target.shape, milk.image_columns  # doctest: +SKIP
    ((5240, 8), ['clinical', 'dermoscopy'])
    """
    tasks = _check_tasks(tasks, concept_threshold)
    root = check_root(root, SOURCE)
    target = read_one_hot(SOURCE, root, TABLE.format("GroundTruth"), "lesion_id", "lesion_id")
    warn_of_counts(target, SOURCE)
    halves = _split_by_type(root, target.index)
    data = _metadata(halves)
    target = _targets(target, data, tasks, concept_threshold)
    names = pd.DataFrame({image: half["isic_id"] for image, half in halves.items()})
    # A task's labels are this score, cut in two.
    data = data.drop(columns=[f"dermoscopy_MONET_{task}" for task in tasks if task in CONCEPTS])
    if include_leaky:
        data = data.join(_supplement(root, names["dermoscopy"].fillna(names["clinical"])))
    skin_tone = (6 - data["skin_tone_class"]).astype("Int64").astype("str")
    return finish_loading(
        SOURCE,
        root,
        data,
        target,
        pd.Series(target.index, target.index, name="lesion_id"),
        names,
        on_missing=on_missing,
        return_X_y=return_X_y,
        subgroups={"sex": "sex", "age": "age_approx", "site": "site", "skin_tone": skin_tone},
    )


def _check_tasks(tasks, threshold):
    if not 0 < threshold <= 1:
        raise ValueError(f"`concept_threshold` must be in (0, 1]; got {threshold!r}.")
    if isinstance(tasks, str):
        tasks = ("diagnosis", *CONCEPTS) if tasks == "concepts" else (tasks,)
    tasks = list(tasks)
    known = ["diagnosis", *CONCEPTS]
    if not tasks or len(set(tasks)) < len(tasks) or not set(tasks) <= set(known):
        raise ValueError(f"`tasks` must be 'concepts' or some of {known}; got {tasks!r}.")
    return tasks


def _split_by_type(root, lesions):
    """Return {image column: rows of that type, one per lesion, in the order of `lesions`}."""
    columns = ["lesion_id", "image_type", "isic_id", *SHARED, *(f"MONET_{c}" for c in CONCEPTS)]
    table = read_table(SOURCE, root, (TABLE.format("Metadata"),), columns)
    kind = text(table["image_type"])
    wrong = ~kind.isin(IMAGE_TYPES.values())
    if wrong.any():
        raise ValueError(
            f"column 'image_type' must hold {sorted(IMAGE_TYPES.values())}; "
            f"got {table['image_type'][wrong].iloc[0]!r}."
        )
    check_rows(SOURCE, TABLE.format("Metadata"), lesions, table["lesion_id"])
    halves = {}
    for image, word in IMAGE_TYPES.items():
        half = table[kind == word]
        halves[image] = set_row_names(half, half["lesion_id"], "lesion_id").reindex(lesions)
    return halves


def _metadata(halves):
    # Both rows of a lesion describe the same patient; either may be absent.
    first = halves["clinical"].combine_first(halves["dermoscopy"]).loc[halves["clinical"].index]
    data = pd.DataFrame(
        {
            "age_approx": number(first["age_approx"]),
            "sex": text(first["sex"]),
            "skin_tone_class": number(first["skin_tone_class"]),
            "site": text(first["site"]),
        }
    )
    for image, half in halves.items():
        for concept in CONCEPTS:
            data[f"{image}_MONET_{concept}"] = number(half[f"MONET_{concept}"])
    return data


def _targets(diagnosis, data, tasks, threshold):
    columns = {}
    for task in tasks:
        if task == "diagnosis":
            columns[task] = diagnosis
        else:
            score = data[f"dermoscopy_MONET_{task}"]
            word = (score >= threshold).map({True: "present", False: "absent"}).astype("str")
            columns[task] = word.mask(score.isna())
    target = pd.DataFrame(columns)
    return target if len(tasks) > 1 else target.iloc[:, 0]


def _supplement(root, isic_ids):
    """Return the leaky columns by lesion; the table is joined by image id, never by position."""
    table = read_table(SOURCE, root, (TABLE.format("Supplement"),), ["isic_id", *SOURCE.leaky])
    table = set_row_names(table, table["isic_id"], "isic_id").reindex(isic_ids)
    return table.set_axis(isic_ids.index)[list(SOURCE.leaky)].apply(text, case=None)
