import os

import pytest
import torch

from sklearn_skin.utils import call_each


def process_and_threads(_):
    return os.getpid(), torch.get_num_threads()


@pytest.mark.parametrize("n_jobs", [None, 1])
def test_one_job_runs_here_with_the_threads_there_are(n_jobs):
    here = os.getpid(), torch.get_num_threads()
    assert call_each(process_and_threads, [(0,), (1,)], n_jobs) == [here, here]


def test_several_jobs_run_in_processes_of_one_thread():
    for process, threads in call_each(process_and_threads, [(0,), (1,), (2,)], 2):
        assert process != os.getpid()
        assert threads == 1
