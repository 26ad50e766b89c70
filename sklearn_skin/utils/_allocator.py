"""Keep the memory of large tensors for the next batch."""

import ctypes
import platform

# glibc's names in malloc.h. Two gigabytes and 256 megabytes hold the activations of a batch.
_SETTINGS = {
    -4: 0,  # M_MMAP_MAX: no block is mapped on its own
    -1: 2**31 - 1,  # M_TRIM_THRESHOLD: what is freed stays with the process
    -2: 256 * 2**20,  # M_TOP_PAD: the heap grows in large steps
}


def tune_allocator():
    """Let glibc keep freed memory, which speeds up networks on a CPU.

    By default glibc maps every large tensor afresh and hands it back after use, so that the kernel
    clears the same pages again in every batch. After this call the process keeps what it has had;
    its peak stays the same. The setting holds for the whole process and cannot be undone, so that
    no fit makes it by itself: call it once at the start of a script.

    Returns
    -------
    tuned : bool
        False where the C library is another one, and nothing was changed.

    Notes
    -----
    Sets M_MMAP_MAX = 0, M_TRIM_THRESHOLD = 2³¹ - 1 and M_TOP_PAD = 256 MB by ``mallopt`` [1]_.

    References
    ----------
    .. [1] The GNU C Library Reference Manual, "Malloc Tunable Parameters".

    Examples
    --------
    >>> from sklearn_skin.utils import tune_allocator
    >>> isinstance(tune_allocator(), bool)
    True
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return all([mallopt(name, value) == 1 for name, value in _SETTINGS.items()])
