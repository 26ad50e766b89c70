"""What every loader returns, and the columns by which an evaluation may be broken down."""

from dataclasses import dataclass
from importlib import resources

import pandas as pd
from sklearn.utils import Bunch

from sklearn_skin.datasets._files import find_image_columns, list_images


def age_bands(age):
    """Return the band of twenty years in which each age lies, as subgroups have it.

    Parameters
    ----------
    age : array-like of shape (n,)
        Ages in years, NaN where not known.

    Returns
    -------
    bands : Series of shape (n,), ordered categories
        "0-19", "20-39", "40-59", "60-79" or "80+"; NaN where the age is not known, negative or
        200 and more. It keeps the index of a Series.

    Examples
    --------
    >>> from sklearn_skin.datasets import age_bands
    >>> age_bands([19, 20, 85]).tolist()
    ['0-19', '20-39', '80+']
    """
    edges, labels = [0, 20, 40, 60, 80, 200], ["0-19", "20-39", "40-59", "60-79", "80+"]
    return pd.cut(pd.Series(age), edges, right=False, labels=labels)


def read_description(name):
    """Return the text of `descr/<name>.rst`."""
    return (resources.files(__package__) / "descr" / f"{name}.rst").read_text(encoding="utf-8")


def make_subgroups(index, *, sex=None, age=None, site=None, skin_tone=None):
    """Return a DataFrame of the demographic columns that a data set has.

    Ages become bands of twenty years. Everything is text with NaN for missing.
    """
    columns = {}
    if sex is not None:
        columns["sex"] = pd.Series(sex, index=index, dtype="str")
    if age is not None:
        columns["age_band"] = age_bands(pd.Series(age, index=index)).astype("str")
    if site is not None:
        columns["site"] = pd.Series(site, index=index, dtype="str")
    if skin_tone is not None:
        columns["skin_tone"] = pd.Series(skin_tone, index=index, dtype="str")
    return pd.DataFrame(columns, index=index)


def class_names(target):
    """Return the sorted labels of a Series, or {task: sorted labels} of a DataFrame."""
    if isinstance(target, pd.DataFrame):
        return {task: class_names(target[task]) for task in target}
    return sorted(target.dropna().unique())


def make_bunch(data, target, groups, *, image_columns, return_X_y=False, **more):
    """Return the Bunch that all loaders share, or `(data, target)`."""
    if return_X_y:
        return data, target
    image_columns = list(image_columns)
    return Bunch(
        data=data,
        target=target,
        groups=groups,
        feature_names=list(data),
        image_columns=image_columns,
        metadata_columns=[column for column in data if column not in image_columns],
        target_names=class_names(target),
        **more,
    )


@dataclass(frozen=True)
class Source:
    """What is known of a published data set before its files are read.

    Parameters
    ----------
    name : str
        Its description is ``descr/<name>.rst``.
    where : str
        Sentence that says where to get the data.
    folders : tuple of str
        Folders that may hold the images.
    counts : dict
        Published number of rows of each class.
    leaky : tuple of str
        Columns that give the target away.
    """

    name: str
    where: str
    folders: tuple
    counts: dict
    leaky: tuple = ()


def finish_loading(
    source, root, data, target, groups, names, *, subgroups, on_missing, return_X_y, **more
):
    """Join table and image files to the Bunch that a loader returns.

    Parameters
    ----------
    source : Source
    root : pathlib.Path
    data : DataFrame
        Metadata, with the leaky columns if these are asked for.
    target, groups : Series or DataFrame, Series
    names : DataFrame
        File name or id of each image column; NaN where the row has no image.
    subgroups : dict
        Arguments of `make_subgroups`, a str for a column of `data`.
    more : dict
        Further attributes; a callable is called with the kept rows' mask.
    """
    images, keep = find_image_columns(
        names, list_images(root, source.folders), on_missing=on_missing, where=source.where
    )
    columns = {k: data[v] if isinstance(v, str) else v for k, v in subgroups.items()}
    subgroups = make_subgroups(data.index, **columns)
    data, target, groups, subgroups = (part[keep] for part in (data, target, groups, subgroups))
    # One concat, since column by column pandas would cut the table into many blocks.
    data = pd.concat([pd.DataFrame(images, index=data.index), data], axis=1)
    return make_bunch(
        data,
        target,
        groups,
        image_columns=names.columns,
        return_X_y=return_X_y,
        leaky_columns=list(source.leaky),
        subgroups=subgroups,
        DESCR=read_description(source.name),
        **{key: value(keep) if callable(value) else value for key, value in more.items()},
    )
