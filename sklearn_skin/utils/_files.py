"""Files that appear whole or not at all."""

import os
import secrets
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path):
    """Open a file beside `path` for writing, and move it there once it is complete.

    Whatever happens, `path` holds all of what was written or what was there before. The bytes
    are synced before the move, so a power cut cannot leave an empty file under the name.

    Parameters
    ----------
    path : path-like
        File to make or replace; its folder must exist.

    Yields
    ------
    file : binary file
        What to write to.

    Raises
    ------
    OSError
        If the folder is missing or full, or not writable.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from sklearn_skin.utils import replacing
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "note.txt")
    ...     with replacing(path) as file:
    ...         _ = file.write(b"whole")
    ...     path.read_bytes(), len(list(Path(folder).iterdir()))
    (b'whole', 1)
    """
    path = Path(path)
    # In the same folder: a move between file systems is a copy, and can be cut short.
    # Not `tempfile`, whose files only their owner may read.
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with open(partial, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
