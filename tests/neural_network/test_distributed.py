"""Fits in two processes, started as users start them, beside the same fits in one."""

import importlib.util
import os
import pickle
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from joblib import Parallel, delayed
from numpy.testing import assert_allclose

import sklearn_skin

SCRIPT = Path(__file__).with_name("parallel_fits.py")
SPEC = importlib.util.spec_from_file_location("parallel_fits", SCRIPT)
fits = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(fits)

TORCHRUN = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
pytestmark = pytest.mark.filterwarnings("ignore")


def run(folder, *cases, launcher=TORCHRUN):
    """Return case -> result of each of two processes."""
    command = [sys.executable, *launcher, str(SCRIPT), str(folder), *map(str, cases)]
    # A script's own folder comes first on the path, not the working directory.
    env = os.environ | {"PYTHONPATH": str(Path(sklearn_skin.__file__).parents[1])}
    pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, text=True, env=env, **pipes) as process:
        try:
            _, said = process.communicate(timeout=300)
        except subprocess.TimeoutExpired:
            # Told so, and not killed, the launcher ends its processes.
            process.terminate()
            raise
    assert process.returncode == 0, said
    return [pickle.loads((folder / f"{rank}.pkl").read_bytes()) for rank in (0, 1)]


def assert_equal(found, expected, atol):
    for name in ("history", "branches", "predictions", "weights"):
        assert_allclose(found[name], expected[name], rtol=1e-4, atol=atol, err_msg=name)


WEIGHTED = ["weighted", "tasks", "stopped", "averaged,ema", "averaged,swa"]


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    return run(tmp_path_factory.mktemp("tables"), *WEIGHTED, "unseeded")


@pytest.mark.parametrize("case", WEIGHTED)
def test_two_processes_fit_what_one_does(tables, case):
    assert_equal(tables[0][case], fits.summary(case), atol=1e-5)


@pytest.mark.parametrize("case", [*WEIGHTED, "unseeded"])
def test_processes_end_alike(tables, case):
    assert_equal(tables[1][case], tables[0][case], atol=0)


def test_only_the_first_process_shows_and_logs(tables):
    first, second = (set(of_rank["weighted"]["callbacks"]) for of_rank in tables)
    assert first - second == {"ProgressBar", "PrintLog"} and second <= first


def test_images_in_a_pipeline_pictures_in_the_loss_and_frozen_features(tmp_path):
    cases = ["pipeline", "drawn", f"frozen,{tmp_path / 'cache'}"]
    first, second = run(tmp_path, *cases)
    for case in cases:
        assert_equal(first[case], fits.summary(case), atol=1e-4)
        assert_equal(second[case], first[case], atol=0)


def test_a_checkpoint_goes_on_in_any_number_of_processes(tmp_path):
    alone, together, drawn, whole = (str(tmp_path / name) for name in "atdw")
    # Dropout is drawn anew by every process: resumed, all must go on where they were.
    assert fits.summary(f"kept,{alone},0,2") is None
    cases = [f"kept,{alone},0", f"kept,{together},0,2", f"kept,{together}/x,0"]
    interrupted, resumed, straight = f"kept,{drawn},.5,2", f"kept,{drawn},.5", f"kept,{whole},.5"
    found, second = run(tmp_path, *cases, interrupted, resumed, straight)
    assert found[interrupted] is None and found[cases[1]] is None
    expected = found[cases[2]]
    assert_equal(found[cases[0]], expected, atol=1e-5)
    assert_equal(fits.summary(f"kept,{together},0"), expected, atol=1e-5)
    assert_equal(found[resumed], found[straight], atol=1e-6)
    assert_equal(second[resumed], found[straight], atol=1e-6)
    assert found[straight]["seeds"] != second[straight]["seeds"]
    assert np.abs(found[straight]["predictions"] - expected["predictions"]).max() > 1e-3


def test_a_failure_in_one_process_is_one_in_all_and_the_next_fit_works(tmp_path):
    first, second = (errors["failures"] for errors in run(tmp_path, "failures"))
    assert second["one"] == second["within"] == ("OSError", "stopped")
    assert second["interrupted"][0] == "KeyboardInterrupt"
    for name in ("one", "within", "interrupted"):
        assert first[name][0] == "RuntimeError" and "lost the others" in first[name][1]
    for errors in (first, second):
        assert errors["infinite"][0] == "NonFiniteLossError"
        for name, said in [
            ("rows", "labels or weights in process 1"),
            ("settings", "parameters in process 1"),
            ("metadata", "metadata in process 1"),
            ("batch_size", "each needs one; got 1"),
        ]:
            assert errors[name][0] == "ValueError" and said in errors[name][1]
        assert errors["processes"] == 2 and errors["forked"] == 0
    assert first["infinite"] == second["infinite"]


def test_workers_and_threads_of_a_process_fit_by_themselves(monkeypatch):
    variables = {"RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "9"}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    X, y = fits.rows()
    fit = delayed(fits.metadata_net(max_epochs=1).fit)
    assert len(Parallel(2, timeout=300)(fit(X, y) for _ in range(2))[0].history_) == 1
    done = []
    thread = threading.Thread(
        target=lambda: done.append(fits.metadata_net(max_epochs=1).fit(X, y)), daemon=True
    )
    thread.start()
    thread.join(300)
    assert len(done) == 1


def test_accelerate_launch_starts_the_same_script(tmp_path):
    pytest.importorskip("accelerate")
    # Without a GPU, too, this is how it starts several processes by itself.
    settings = "--multi_gpu --num_processes 2 --num_machines 1 --mixed_precision no"
    launcher = ["-m", "accelerate.commands.launch", *settings.split(), "--dynamo_backend", "no"]
    first, _ = run(tmp_path, "weighted", launcher=launcher)
    assert_equal(first["weighted"], fits.summary("weighted"), atol=1e-5)
