"""Files that show the images of a column enlarged, for a network that learns to draw them."""

from collections import defaultdict
from pathlib import Path

from sklearn_skin.image import ImageArray
from sklearn_skin.utils import list_names


def find_enlarged(images, folder, row_names, column):
    """Return the column whose images are the files of a folder with the same stems.

    Parameters
    ----------
    images : ImageArray of shape (n,)
        Images from files, or missing.
    folder : path-like
        Folder that holds one file per image; names may end differently.
    row_names : ndarray of shape (n,)
        Names of the rows, for messages.
    column : str
        Name of the column, for messages.

    Returns
    -------
    enlarged : ImageArray of shape (n,)
        With the corrections and the marks of repetitions of `images`.

    Raises
    ------
    ValueError
        If there is no folder, or not exactly one file for an image.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ValueError(
            "`upsampling` must be 'bilinear', 'bicubic', a callable or an existing folder; "
            f"got {str(folder)!r}."
        )
    files = defaultdict(list)
    for path in sorted(folder.iterdir()):
        files[path.stem].append(path)
    found = []
    for name, cell in zip(row_names, images.cells):
        here = f"row {list_names([name])}, column {column!r}:"
        if cell is not None and not isinstance(cell, str):
            raise ValueError(
                f"{here} a picture in memory has no file name to look for in the folder of "
                "`upsampling`."
            )
        if cell is not None:
            stem = Path(cell).stem
            if len(files[stem]) != 1:
                names = [path.name for path in files[stem]]
                raise ValueError(
                    f"{here} `upsampling` needs one file {str(folder / stem)}.*; found {names}."
                )
            cell = files[stem][0]
        found.append(cell)
    return ImageArray(found, images.steps, images.copies)
