"""A generator of small multimodal problems with drawn lesions."""

from numbers import Integral, Real
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, validate_params

from sklearn_skin.datasets._bunch import make_bunch, make_subgroups, read_description
from sklearn_skin.datasets._drawing import (
    CRITERIA,
    LOOKS,
    blend_looks,
    draw_lesion,
    photograph_again,
    vary_look,
)
from sklearn_skin.datasets._patients import PROFILES, make_patients
from sklearn_skin.image import ImageArray, as_images

# Of two classes, the share of lesions whose picture (or, independently, whose patient) is
# half-way between both: what caps each modality alone at about 75 %.
EQUIVOCAL = 0.5


@validate_params(
    {
        "n_samples": [Interval(Integral, 1, None, closed="left")],
        "n_classes": [Interval(Integral, 2, 2 * len(PROFILES), closed="both")],
        "image_columns": [str, "array-like"],
        "n_tasks": [Interval(Integral, 1, 1 + len(CRITERIA), closed="both")],
        "image_size": [Interval(Integral, 8, None, closed="left")],
        "missing_rate": [Interval(Real, 0, 1, closed="left")],
        "images_per_lesion": [Interval(Integral, 1, None, closed="left"), tuple],
        "folder": [str, Path, None],
        "interaction": ["boolean"],
        "return_X_y": ["boolean"],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def make_lesions(
    n_samples=200,
    *,
    n_classes=3,
    weights=None,
    image_columns=("image",),
    n_tasks=1,
    image_size=64,
    missing_rate=0.1,
    images_per_lesion=1,
    folder=None,
    interaction=False,
    return_X_y=False,
    random_state=None,
):
    """Draw lesions with metadata that tells what the picture does not.

    Class `c` looks like kind ``(c + 1) // 2`` and has the patients of kind ``c // 2``. So
    the picture confuses classes 1 and 2, 3 and 4, …; the metadata confuse 0 and 1, 2 and 3,
    …; and both together separate all. With two classes, half of the pictures and,
    independently, half of the patients are half-way between both kinds instead.

    Parameters
    ----------
    n_samples : int, default=200
        Number of rows.
    n_classes : int, default=3
        Number of classes of the first task, 2 to 14 (2 to 7 with `interaction`). They are
        named ``"A"``, ``"B"``, … and equally frequent.
    weights : array-like of shape (n_classes,), default=None
        Share of the lesions that each class of the first task has, where they are not equal;
        they sum to 1. Every class keeps at least one.
    image_columns : str or sequence of str, default=("image",)
        Names of the image columns. All show the same lesion. Of several, the first is a
        close-up (farther away, more hair) and the others are dermoscopic.
    n_tasks : int, default=1
        Number of targets, 1 to 8. Those after the first, `"diagnosis"`, are structures drawn
        into the lesion: ``veil``, ``streaks``, ``pigmentation``, ``regression``, ``dots``,
        ``network``, ``vessels``, with labels ``"absent"`` and ``"present"``, or ``"absent"``,
        ``"regular"`` and ``"irregular"``.
    image_size : int, default=64
        Side of the square images in pixels, at least 8.
    missing_rate : float, default=0.1
        Share of missing values in each metadata column, in [0, 1), missing at random.
    images_per_lesion : int or tuple of (int, int), default=1
        Photographs, hence rows, of each lesion; or the range, both ends included, from
        which each lesion's number is drawn.
    folder : str or pathlib.Path, default=None
        Where to write the images as JPEG files, with a table ``metadata.csv`` of their
        names, metadata, targets and groups. The image columns then hold paths. The folder
        is made if it is not there; files of the same names are replaced. By default the
        images stay in memory.
    interaction : bool, default=False
        Whether the class is the sum modulo `n_classes` of the kind of picture and the kind of
        patient. Then neither alone tells anything, and a model that only adds
        what they say is at chance: fusion operators that multiply have the advantage.
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` alone.
    random_state : int, RandomState instance or None, default=None
        Decides everything that is drawn.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        With the attributes

        data : DataFrame of `n_samples` rows
            The image columns, `age` in years, `sex`, `site`, and `diameter` in mm.

        target : Series, or DataFrame with one column per task

        groups : Series
            The lesion of each row.

        feature_names, image_columns, metadata_columns, leaky_columns : list of str

        target_names : list of str, or dict of task to list of str

        subgroups : DataFrame
            `sex`, `age_band`, `site` and `skin_tone` ("1", the lightest, to "6"), without
            missing values: to evaluate by, not to train on.

        DESCR : str

    (data, target) : tuple
        Instead of the Bunch, if `return_X_y`.

    Examples
    --------
    >>> from sklearn_skin.datasets import make_lesions
    >>> lesions = make_lesions(20, images_per_lesion=2, missing_rate=0, random_state=0)
    >>> list(lesions.data)
    ['image', 'age', 'sex', 'site', 'diameter']
    >>> lesions.groups.nunique(), lesions.target_names
    (10, ['A', 'B', 'C'])
    >>> X, y = make_lesions(10, n_tasks=3, return_X_y=True, random_state=0)
    >>> list(y)
    ['diagnosis', 'veil', 'streaks']
    """
    image_columns = _check_image_columns(image_columns)
    random_state = check_random_state(random_state)
    # Streams of their own: the metadata stay the same however much the pictures draw.
    seeds = np.random.SeedSequence(random_state.randint(2**31 - 1)).spawn(2)
    rng = np.random.default_rng(seeds[0])
    sizes = _photographs(rng, n_samples, images_per_lesion)
    label = _classes(rng, len(sizes), n_classes, weights)
    looks, profiles = _kinds(rng, label, n_classes, interaction)
    patients = make_patients(rng, profiles)
    levels = _criteria(rng, label, n_tasks)
    lesion, shot, index, groups = _rows(sizes)
    shown = patients.iloc[lesion].set_axis(index)
    data = _hide(rng, patients.drop(columns="skin_tone"), missing_rate)
    data = data.iloc[lesion].set_axis(index)
    target = _labels(label, levels, n_tasks).iloc[lesion].set_axis(index)
    drawn = _draw(
        seeds[1], looks, patients["skin_tone"], levels, lesion, shot, image_columns, image_size
    )
    images = _as_columns(drawn, folder, index, pd.concat([data, target, groups], axis=1))
    return make_bunch(
        pd.concat([images, data], axis=1),
        target.iloc[:, 0] if n_tasks == 1 else target,
        groups,
        image_columns=image_columns,
        return_X_y=return_X_y,
        leaky_columns=[],
        subgroups=_subgroups(shown),
        DESCR=read_description("lesions"),
    )


def _check_image_columns(columns):
    columns = [columns] if isinstance(columns, str) else list(columns)
    if (
        not columns
        or len(set(columns)) < len(columns)
        or any(not isinstance(column, str) for column in columns)
    ):
        raise ValueError(f"`image_columns` must be one or more different strings; got {columns!r}.")
    taken = {"age", "sex", "site", "diameter"} & set(columns)
    if taken:
        raise ValueError(f"`image_columns` must not name metadata columns; got {sorted(taken)}.")
    return columns


def _photographs(rng, n_samples, images_per_lesion):
    """Return each lesion's number of photographs; they add up to `n_samples`."""
    if isinstance(images_per_lesion, tuple):
        if len(images_per_lesion) != 2 or not 1 <= images_per_lesion[0] <= images_per_lesion[1]:
            raise ValueError(
                "`images_per_lesion` must be an int or a pair (low, high) with 1 <= low <= high; "
                f"got {images_per_lesion!r}."
            )
        low, high = images_per_lesion
    else:
        low = high = images_per_lesion
    # As many lesions as could be needed; the one that fills the rows gives up what is too many.
    sizes = rng.integers(low, high + 1, size=n_samples)
    n_lesions = int(np.searchsorted(sizes.cumsum(), n_samples)) + 1
    sizes = sizes[:n_lesions]
    sizes[-1] -= sizes.sum() - n_samples
    return sizes


def _rows(sizes):
    """Return each row's lesion and photograph, the row labels and the groups."""
    lesion = np.repeat(np.arange(len(sizes)), sizes)
    shot = np.concatenate([np.arange(size) for size in sizes])
    names = [f"L{i:0{len(str(len(sizes) - 1))}}" for i in lesion]
    index = pd.Index([f"{name}_{j}" for name, j in zip(names, shot)], name="image_id")
    return lesion, shot, index, pd.Series(names, index, dtype="str", name="lesion_id")


def _classes(rng, n_lesions, n_classes, weights):
    """Return each lesion's class."""
    if weights is None:
        return rng.permutation(np.arange(n_lesions) % n_classes)
    shares = np.asarray(weights)
    fits = shares.shape == (n_classes,) and shares.dtype.kind in "fiu"
    if not fits or (shares <= 0).any() or not np.isclose(shares.sum(), 1):
        raise ValueError(
            f"`weights` must hold {n_classes} numbers above 0 that sum to 1; got {weights!r}."
        )
    if n_lesions < n_classes:
        raise ValueError(f"`weights` needs a lesion per class; got {n_lesions} of {n_classes}.")
    counts = np.diff(np.round(np.cumsum(shares) * n_lesions).astype(int), prepend=0)
    # However rare, a class has one lesion at the cost of the most frequent.
    absent = counts == 0
    counts[absent] = 1
    counts[counts.argmax()] -= absent.sum()
    return rng.permutation(np.repeat(np.arange(n_classes), counts))


def _kinds(rng, label, n_classes, interaction):
    """Return each lesion's look and patient profile."""
    n_lesions = len(label)
    if interaction and n_classes > len(PROFILES):
        raise ValueError(
            f"`n_classes` must be at most {len(PROFILES)} with `interaction=True`; got {n_classes}."
        )
    if interaction:
        look = rng.integers(n_classes, size=n_lesions)
        profile = (label - look) % n_classes
        return [LOOKS[i] for i in look], [(PROFILES[i],) for i in profile]
    if n_classes == 2:
        unclear = rng.uniform(size=(2, n_lesions)) < EQUIVOCAL
        share = np.where(unclear[0], 0.5, label)
        looks = [blend_looks(LOOKS[0], LOOKS[1], s) for s in share]
        profiles = [PROFILES[:2] if dull else (PROFILES[i],) for i, dull in zip(label, unclear[1])]
        return looks, profiles
    looks = [LOOKS[(c + 1) // 2] for c in label]
    return looks, [(PROFILES[c // 2],) for c in label]


def _criteria(rng, label, n_tasks):
    """Return {criterion: level of each lesion}; tasks are frequent, decoration is rare."""
    levels = {}
    for place, (name, (words, _)) in enumerate(CRITERIA.items()):
        asked = place < n_tasks - 1
        # More frequent in every other class: a task tells about the diagnosis without giving it.
        often = np.where((label + place) % 2, 0.7, 0.4) if asked else 0.08
        there = rng.uniform(size=len(label)) < often
        levels[name] = there * rng.integers(1, len(words), size=len(label))
    return levels


def _labels(label, levels, n_tasks):
    columns = {"diagnosis": [chr(ord("A") + c) for c in label]}
    for name in list(CRITERIA)[: n_tasks - 1]:
        columns[name] = [CRITERIA[name][0][level] for level in levels[name]]
    return pd.DataFrame(columns, dtype="str")


def _hide(rng, patients, missing_rate):
    """Return the table with a share of each column missing."""
    return patients.mask(rng.uniform(size=patients.shape) < missing_rate)


def _draw(seed, looks, skin_tone, levels, lesion, shot, image_columns, size):
    """Return {column: object array of images (size, size, 3)}, one per row."""
    drawn = {column: np.empty(len(lesion), object) for column in image_columns}
    seeds = seed.spawn(len(looks))
    for row, (i, j) in enumerate(zip(lesion, shot)):
        look = vary_look(looks[i], np.random.default_rng(seeds[i]), spread=1.0)
        for place, column in enumerate(image_columns):
            # The same seed draws the same lesion again, so that photographs of one lesion agree.
            rng = np.random.default_rng(seeds[i])
            again = np.random.default_rng([int(seeds[i].generate_state(1)[0]), j, place])
            closeup = place == 0 and len(image_columns) > 1
            pixels = draw_lesion(
                rng,
                look,
                size,
                skin_tone=skin_tone[i],
                criteria=[(name, level[i]) for name, level in levels.items()],
                zoom=0.7 if closeup else 1.0,
                hairs=int(again.poisson(2.5 if closeup else 1.2)),
                vignette=not closeup and again.uniform() < 0.15,
            )
            drawn[column][row] = pixels if j == 0 else photograph_again(again, pixels)
    return drawn


def _subgroups(patients):
    tone = (patients["skin_tone"] * 6).astype(int).clip(0, 5).add(1).astype("str")
    told = {name: patients[name] for name in ("sex", "age", "site")}
    return make_subgroups(patients.index, **told, skin_tone=tone)


def _as_columns(drawn, folder, index, table):
    """Return the image columns: in memory, or written to `folder` with the table."""
    if folder is None:
        return pd.DataFrame({name: ImageArray(images) for name, images in drawn.items()}, index)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    names = pd.DataFrame({c: [f"{row}_{c}.jpg" for row in index] for c in drawn}, index)
    for column, images in drawn.items():
        for name, pixels in zip(names[column], images):
            Image.fromarray(pixels).save(folder / name, quality=95)
    names.join(table).to_csv(folder / "metadata.csv")
    return names.apply(lambda column: pd.Series(as_images(column, root=folder), index))
