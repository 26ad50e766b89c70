"""Processes that fit, with one thread each."""

import os
import sys
from contextlib import nullcontext

from joblib import effective_n_jobs, parallel_config


def one_thread_each(n_jobs):
    """Return a context in which joblib's workers are processes of one thread.

    Two processes of one thread beat one of two for small networks.

    Parameters
    ----------
    n_jobs : int or None
        As in joblib; with one job nothing changes.

    Returns
    -------
    context : context manager

    Examples
    --------
    >>> from joblib import Parallel, delayed
    >>> from sklearn_skin.utils import one_thread_each
    >>> with one_thread_each(1):
    ...     Parallel(1)(delayed(abs)(number) for number in [-1, 2])
    [1, 2]
    """
    if n_jobs is None or effective_n_jobs(n_jobs) == 1:
        return nullcontext()
    # Only loky limits threads.
    return parallel_config(backend="loky", inner_max_num_threads=1)


def call_in_worker(parent, function, *args):
    """Call a function, with one torch thread where this is another process than `parent`.

    Parameters
    ----------
    parent : int
        Process id of the caller.
    function : callable
    *args
        What it is given.

    Returns
    -------
    result : object
        What it returns.

    Examples
    --------
    >>> import os
    >>> from sklearn_skin.utils import call_in_worker
    >>> call_in_worker(os.getpid(), max, 1, 2)
    2
    """
    # A loky worker that served others may have made its pool of torch threads already.
    if os.getpid() != parent and "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
    return function(*args)
