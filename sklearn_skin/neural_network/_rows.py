"""The images and the metadata of a table's rows, checked; no torch, so that any engine may ask."""

from typing import Any

import numpy as np

from sklearn_skin.image import PixelReader
from sklearn_skin.neural_network._table import LesionTable
from sklearn_skin.utils import list_names

# Pixels that the cache does not hold stay in memory for the whole fit, up to this size.
MAX_BYTES_IN_MEMORY = 2 * 1024**3
_ROWS_AT_ONCE = 256

_LEAVE_OUT = "Nothing else is known of such rows: leave them out."
# What can be done about images, by whether the network learns a stand-in for missing ones.
_UNREADABLE = {
    False: 'on_error="missing" with allow_missing_images=True takes such images for missing.',
    True: 'on_error="missing" takes such images for missing.',
}
_LACKING = "allow_missing_images=True lets a network learn a stand-in for them."


class LesionRows:
    """Rows of a table whose images are read when they are asked for.

    Parameters
    ----------
    table : LesionTable
        Rows.
    size : (int, int) or None
        Height and width that images are resized to, in pixels.
    cache : PixelCache, default=None
        Where decoded pixels are kept.
    missing_ok : bool, default=False
        Whether a row may lack images: for networks with a stand-in for them.
    empty_ok : bool, default=False
        Whether a row may then have nothing at all.
    on_error : {"raise", "missing"}, default="raise"
        What to do about images that cannot be read.
    if_missing : str
        Advice where images are missing and may not be.

    Attributes
    ----------
    present : bool ndarray of shape (n, k)
        Which images there are; only with image columns.
    repeated : bool ndarray of shape (n,)
        Which rows a sampler has drawn again.
    """

    def __init__(
        self,
        table: LesionTable,
        size: tuple[int, int] | None,
        *,
        cache: Any = None,
        missing_ok: bool = False,
        empty_ok: bool = False,
        on_error: str = "raise",
        if_missing: str = _LACKING,
    ) -> None:
        self.table = table
        # None only where there is no image.
        self.size: Any = size
        self.cache = cache
        self.missing_ok = missing_ok
        self.if_missing = if_missing
        self.empty_ok = empty_ok or table.metadata.shape[1] > 0
        names = {"row_names": table.row_names, "advice": self._advise(_UNREADABLE)}
        self.readers = [
            PixelReader(images, size, cache=cache, column=column, **names)
            for column, images in table.images.items()
        ]
        n_bytes = len(table) * len(self.readers) * np.prod(size or (0, 0)) * 3
        streams = all(reader.streams for reader in self.readers)
        self._keeps = n_bytes <= MAX_BYTES_IN_MEMORY and not streams
        self._kept: np.ndarray | None = None
        if on_error == "missing":
            self._find_unreadable()
        if self.readers:
            self.present = np.stack([reader.present for reader in self.readers], axis=1)
            self._check_missing()
        copies = [np.asarray(images.copies) > 0 for images in table.images.values()]
        self.repeated = np.any(copies, axis=0) if copies else np.zeros(len(table), dtype=bool)

    def __len__(self):
        return len(self.table)

    def pixels(self, rows):
        """Return the pixels of some rows, uint8 (n, k, h, w, 3)."""
        if not self._keeps:
            return self._read(rows)
        if self._kept is None:
            self._kept = self._read(np.arange(len(self)))
        return self._kept[rows]

    def _make_pixels(self, n_rows):
        return np.empty((n_rows, len(self.readers), *self.size, 3), np.uint8)

    def _read(self, rows):
        pixels = self._make_pixels(len(rows))
        for column, reader in enumerate(self.readers):
            reader.read(rows, pixels[:, column])
        return pixels

    def _find_unreadable(self):
        """Read every image once, so that all are known that cannot be read."""
        if self._keeps:
            self._kept = self._make_pixels(len(self))
        for column, reader in enumerate(self.readers):
            failures: dict[int, Exception] = {}
            for start in range(0, len(self), _ROWS_AT_ONCE):
                rows = np.arange(start, min(start + _ROWS_AT_ONCE, len(self)))
                kept = self._kept
                pixels = self._make_pixels(len(rows)) if kept is None else kept[start:][: len(rows)]
                found = reader.fill(rows, pixels[:, column])
                failures |= {int(rows[i]): error for i, error in found}
            # A folder that is wrong, and no network should predict as if there were no pictures.
            reader.check_some(failures)
            reader.leave_out(failures)

    def _check_missing(self):
        if self.missing_ok and self.empty_ok:
            return
        needed = self.present.any(axis=1) if self.missing_ok else self.present.all(axis=1)
        if not needed.all():
            rows = self.table.row_names[~needed]
            raise ValueError(
                f"{len(rows)} rows lack an image in {list(self.table.images)}: {list_names(rows)}. "
                f"{self._advise({False: self.if_missing, True: _LEAVE_OUT})}"
            )

    def _advise(self, by_stand_in):
        """Return what can be done about a row whose image is missing or cannot be read."""
        alone = len(self.table.images) == 1 and not self.empty_ok
        return _LEAVE_OUT if alone else by_stand_in[self.missing_ok]
