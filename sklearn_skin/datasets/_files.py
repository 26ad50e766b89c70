"""Finding the image files of a data set with one listing of its folders."""

import os

import pandas as pd

from sklearn_skin.image import as_images, has_image_suffix

N_NAMED = 5


def list_images(root, folders):
    """Return {name in lower case: path} of the images in `root` and below its `folders`.

    An image is found by its path below the folder, its file name, and its file name without the
    ending; where two files share a name, the first of the folders wins.
    """
    found = {}
    for folder in [root, *(root / name for name in folders)]:
        for path, relative in _walk(folder, deep=folder != root):
            name = relative.replace(os.sep, "/").lower()
            base = name.rsplit("/", 1)[-1]
            for key in (name, base, base.rsplit(".", 1)[0]):
                found.setdefault(key, path)
    return found


def _walk(folder, deep):
    if not folder.is_dir():
        return
    for place, folders, names in os.walk(folder):
        if not deep:
            # Emptied in place, it tells os.walk not to go down.
            folders.clear()
        # Which of two files of one name is found must not depend on the file system's order.
        folders.sort()
        for name in sorted(names):
            if has_image_suffix(name):
                path = os.path.join(place, name)
                yield path, os.path.relpath(path, folder) if place != str(folder) else name


def find_images(names, listing):
    """Return the path of each name, or None where there is no such file.

    `names` is a Series of file names or ids; of ``a.png`` any ending is taken if ``a.png``
    itself is not there.
    """

    def find(name):
        # Some tables were written on Windows.
        key = name.strip().replace("\\", "/").lower()
        base = key.rsplit("/", 1)[-1]
        stem = base.rsplit(".", 1)[0] if has_image_suffix(base) else base
        return listing.get(key) or listing.get(stem)

    return pd.Series(
        [find(name) if isinstance(name, str) else None for name in names], names.index, dtype=object
    )


def find_image_columns(names, listing, *, on_missing, where):
    """Look up image files.

    Parameters
    ----------
    names : DataFrame of str
        One column per image column; NaN where the table has no image.
    listing : dict
        What `list_images` returned.
    on_missing : {"raise", "drop", "missing"}
        What to do about names without a file.
    where : str
        Sentence that says where to get the data.

    Returns
    -------
    images : dict of str to ImageArray
    keep : ndarray of bool
        Rows to keep; the arrays hold these only.
    """
    if on_missing not in ("raise", "drop", "missing"):
        raise ValueError(
            f"`on_missing` must be one of ['raise', 'drop', 'missing']; got {on_missing!r}."
        )
    paths = pd.DataFrame({column: find_images(names[column], listing) for column in names})
    lost = (paths.isna() & names.notna()).to_numpy()
    n_lost = int(lost.sum())
    # Not a single image: the folder is wrong, whatever may be missing.
    if n_lost and (on_missing == "raise" or n_lost == int(names.notna().to_numpy().sum())):
        first = ", ".join(repr(name) for name in names.to_numpy()[lost][:N_NAMED])
        raise FileNotFoundError(
            f"{n_lost} of {int(names.notna().to_numpy().sum())} image files are missing, first "
            f"{first}. {where} If the folder holds a part of the images on purpose, pass "
            'on_missing="drop" to leave such rows out or on_missing="missing" to keep them '
            "without an image."
        )
    keep = ~lost.any(axis=1) | (on_missing == "missing")
    paths = paths[keep]
    return {
        column: as_images([path if isinstance(path, str) else None for path in paths[column]])
        for column in paths
    }, keep
