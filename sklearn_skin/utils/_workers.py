"""Many calls at once, in processes with one thread each."""

import os
import sys
from contextlib import nullcontext

from joblib import effective_n_jobs, parallel_config
from sklearn.utils.parallel import Parallel, delayed


def call_each(function, arguments, n_jobs=None, **options):
    """Call a function with each of some arguments, in processes with one thread each.

    Two processes of one thread beat one of two for small networks.

    Parameters
    ----------
    function : callable
    arguments : iterable of tuple
        Positional arguments, one tuple per call.
    n_jobs : int, default=None
        As in joblib; with one job the calls are made here, with the threads there are.
    **options
        Further options of `joblib.Parallel`.

    Returns
    -------
    results : list, or a generator with ``return_as="generator"``

    Examples
    --------
    >>> from sklearn_skin.utils import call_each
    >>> call_each(max, [(1, 2), (4, 3)])
    [2, 4]
    """
    alone = n_jobs is None or effective_n_jobs(n_jobs) == 1
    # Only loky limits threads.
    with nullcontext() if alone else parallel_config(backend="loky", inner_max_num_threads=1):
        parallel = Parallel(n_jobs, **options)
    return parallel(delayed(_call)(os.getpid(), function, *each) for each in arguments)


def _call(parent, function, *args):
    # A loky worker that served others may have made its pool of torch threads already.
    if os.getpid() != parent and "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
    return function(*args)
