"""Pictures that are the same: identical pixels, and nearly identical ones."""

import warnings
from itertools import combinations, product

import cv2
import numpy as np
import pandas as pd

from sklearn_skin.image import load_pixels, read_image, redact_urls
from sklearn_skin.utils import array_digest

SIZE = 64  # side in pixels of the thumbnails that are compared
# Chosen on HAM10000: 80 of 81 pairs found there show one lesion, and the last one is a
# recoloured copy under another lesion id. Less detail lets round vignettes pass for copies.
SIMILARITY = 0.6
_SHARPNESS = 1.0  # pixels of a thumbnail
_NOISE = 2.0  # gray levels
_HASH_SIDE = 8
_ROWS_PER_BLOCK = 256
# Of more copies than this, only neighbours are paired: a chain of neighbours that is on
# both sides of a split has a link across it.
_MAX_LINKS = 20
# (transposed, mirrored left-right, mirrored upside down)
ORIENTATIONS = {
    "as it is": (False, False, False),
    "mirrored": (False, True, False),
    "upside down": (False, False, True),
    "turned by 180°": (False, True, True),
    "transposed": (True, False, False),
    "turned by 90°": (True, True, False),
    "turned by -90°": (True, False, True),
    "transposed and turned by 180°": (True, True, True),
}


def read_thumbnails(X, image_columns, *, cache=None, n_jobs=1):
    """Read all pictures of a table at a small size.

    Parameters
    ----------
    X : DataFrame
        The table.
    image_columns : dict of str to ImageArray
        Its image columns.
    cache, n_jobs : PixelCache, int
        As in `load_pixels`.

    Returns
    -------
    thumbnails : ndarray of shape (m, 64, 64, 3), dtype uint8
        The m pictures that can be read.
    rows : ndarray of shape (m,)
        Their positions in X.
    columns : ndarray of shape (m,), dtype object
        Their columns.
    unreadable : DataFrame
        `row`, `column`, `path` and `error` of those that cannot.
    """
    thumbnails, rows, columns, broken = [], [], [], []
    for name, images in image_columns.items():
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*cannot be read", category=UserWarning)
            pixels, present = load_pixels(
                images, SIZE, cache=cache, on_error="missing", column=name, n_jobs=n_jobs
            )
        thumbnails.append(pixels[present])
        rows.append(np.flatnonzero(present))
        columns.append(np.full(present.sum(), name, dtype=object))
        for row in np.flatnonzero(~present & ~images.isna()):
            cell = images.cells[row]
            path = redact_urls(cell) if isinstance(cell, str) else None
            broken.append((X.index[row], name, path, _reading_error(cell)))
    unreadable = pd.DataFrame(broken, columns=["row", "column", "path", "error"])
    if not image_columns:
        return np.empty((0, SIZE, SIZE, 3), np.uint8), np.empty(0, int), np.empty(0), unreadable
    return np.concatenate(thumbnails), np.concatenate(rows), np.concatenate(columns), unreadable


def _reading_error(cell):
    """Return the reason why a picture cannot be read."""
    try:
        read_image(cell)
    except (ValueError, OSError) as error:
        return str(error)
    return "a correction of its column fails"


def content_numbers(thumbnails, full_picture):
    """Number pictures such that identical ones share a number.

    Parameters
    ----------
    thumbnails : ndarray of shape (m, h, w, 3)
        Small versions; only pictures with equal ones are compared in full.
    full_picture : callable
        Position -> uint8 array (h, w, 3), at full resolution.

    Returns
    -------
    content : ndarray of shape (m,), dtype int
        Numbers 0, 1, … in order of appearance.
    """
    digests = np.array([array_digest(picture) for picture in thumbnails], dtype=object)
    candidates = pd.Series(digests).duplicated(keep=False).to_numpy()
    for i in np.flatnonzero(candidates):
        digests[i] = array_digest(full_picture(i))
    return pd.factorize(digests)[0]


def full_picture(images, row):
    """Return one picture at full resolution, with its column's corrections."""
    return images[row].pixels


def identical_copies(content):
    """Return the pairs (i, j), i < j, of positions with one number; chains if there are many."""
    pairs = []
    for members in _repeated(content):
        if len(members) <= _MAX_LINKS:
            pairs.extend(combinations(members, 2))
        else:
            pairs.extend((i, members[k + 1]) for k, i in enumerate(members[:-1]))
    return np.array(pairs, dtype=np.intp).reshape(-1, 2)


def _repeated(content):
    """Return the lists of at least two positions that share a number."""
    order = np.argsort(content, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(content[order])) + 1)
    return [part.tolist() for part in parts if len(part) > 1]


def near_copies(thumbnails, content, max_distance):
    """Find pictures that are nearly the same: recompressed, resized, recoloured, turned.

    A perceptual hash of 64 bits (signs of the lowest cosine frequencies against their median)
    proposes pairs; the correlation of fine detail, which two different lesions of one shape
    do not share, decides.

    Parameters
    ----------
    thumbnails : ndarray of shape (m, 64, 64, 3), dtype uint8
        The pictures.
    content : ndarray of shape (m,)
        From `content_numbers`; pairs with one number are left out.
    max_distance : int
        Bits in which the hashes may differ, 0 to 64.

    Returns
    -------
    pairs : DataFrame
        `i`, `j` (i < j), `distance` in bits, `similarity` (correlation of detail, up to 1)
        and `orientation` of the second picture relative to the first.
    """
    # Of identical pictures one is compared; pairs of the others follow from its pairs below.
    _, firsts = np.unique(content, return_index=True)
    gray = [cv2.cvtColor(thumbnails[i], cv2.COLOR_RGB2GRAY).astype(np.float32) for i in firsts]
    # Half precision keeps all pictures in memory, 8 kB each; products are made in single.
    detail = np.array([*map(_fine_detail, gray)], np.float16).reshape(-1, SIZE, SIZE)
    frequencies = np.array([*map(_low_frequencies, gray)]).reshape(-1, _HASH_SIDE, _HASH_SIDE)
    found = {}
    for name, orientation in ORIENTATIONS.items():
        pairs = _similar_pairs(detail, frequencies, orientation, max_distance)
        for i, j, distance, similarity in pairs:
            if (i, j) not in found or found[i, j][1] < similarity:
                found[i, j] = distance, similarity, name
    members = pd.Series(np.arange(len(content))).groupby(content).apply(list)
    pairs = [
        (min(a, b), max(a, b), *facts)
        for (i, j), facts in sorted(found.items())
        for a, b in product(members[i][:_MAX_LINKS], members[j][:_MAX_LINKS])
    ]
    return pd.DataFrame(pairs, columns=["i", "j", "distance", "similarity", "orientation"])


def _low_frequencies(gray):
    small = cv2.resize(gray, (SIZE // 2, SIZE // 2), interpolation=cv2.INTER_AREA)
    return cv2.dct(small)[:_HASH_SIDE, :_HASH_SIDE]


def _fine_detail(gray):
    """Return fine detail at equal local contrast, of norm 1 (0 for a flat picture)."""
    fine = gray - cv2.GaussianBlur(gray, (0, 0), _SHARPNESS)
    contrast = cv2.GaussianBlur(fine**2, (0, 0), 2 * _SHARPNESS)
    fine = fine / np.sqrt(contrast + _NOISE**2)
    fine -= fine.mean()
    norm = np.linalg.norm(fine)
    # Without detail there is nothing to tell copies by.
    return fine / norm if norm > 1 else np.zeros_like(fine)


def _turn(pictures, orientation):
    transposed, left_right, upside_down = orientation
    if transposed:
        pictures = pictures.transpose(0, 2, 1)
    return pictures[:, :: -1 if upside_down else 1, :: -1 if left_right else 1]


def _turn_frequencies(frequencies, orientation):
    """Do to cosine frequencies what `_turn` does to pictures: odd ones change their sign."""
    transposed, left_right, upside_down = orientation
    if transposed:
        frequencies = frequencies.transpose(0, 2, 1)
    signs = (-1.0) ** np.arange(_HASH_SIDE)
    if left_right:
        frequencies = frequencies * signs
    return frequencies * signs[:, None] if upside_down else frequencies


def _hashes(frequencies):
    flat = frequencies.reshape(len(frequencies), -1)
    median = np.median(flat[:, 1:], axis=1, keepdims=True)  # the first one is the brightness
    return np.packbits(flat > median, axis=1).view(np.uint64).ravel()


def _similar_pairs(detail, frequencies, orientation, max_distance):
    """Yield (i, j, distance, similarity) of pictures i < j, the second one turned."""
    if len(detail) < 2:
        return
    hashes, turned = _hashes(frequencies), _hashes(_turn_frequencies(frequencies, orientation))
    for start in range(0, len(hashes), _ROWS_PER_BLOCK):
        block = hashes[start : start + _ROWS_PER_BLOCK, None]
        # Both sides count from the block's first picture: pairs with earlier ones were seen.
        distance = np.bitwise_count(block ^ turned[start:])
        i, j = np.divmod(np.flatnonzero(distance <= max_distance), distance.shape[1])
        i, j = i[i < j], j[i < j]
        # Pictures that are in any pair, each once: one matrix product correlates them all.
        bits = distance[i, j]
        left, i = np.unique(start + i, return_inverse=True)
        right, j = np.unique(start + j, return_inverse=True)
        a = detail[left].reshape(-1, SIZE**2).astype(np.float32)
        b = _turn(detail[right], orientation).reshape(-1, SIZE**2).astype(np.float32)
        similarity = (a @ b.T)[i, j]
        for k in np.flatnonzero(similarity >= SIMILARITY):
            score = round(float(similarity[k]), 3)
            yield int(left[i[k]]), int(right[j[k]]), int(bits[k]), score
