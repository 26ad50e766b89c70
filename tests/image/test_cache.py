import os
import pickle
import random
import signal
import stat
import subprocess
import sys
import threading
import warnings

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from sklearn_skin.image import PixelCache, _cache, _lmdb
from sklearn_skin.image._cache import make_key

WRITER = """
import sys
import numpy as np
from sklearn_skin.image import PixelCache
cache = PixelCache(sys.argv[1])
start = int(sys.argv[2])
i = start
while i < start + int(sys.argv[3]):
    cache.put_many({b"%d" % k: np.full((50, 50, 3), k % 251, np.uint8) for k in range(i, i + 10)})
    i += 10
    print(i, flush=True)
"""


def writer(folder, start, n):
    command = [sys.executable, "-c", WRITER, str(folder), str(start), str(n)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def expected(k):
    return np.full((50, 50, 3), k % 251, np.uint8)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "cache"


def data_file(folder):
    return folder / "store.lmdb" / "data.mdb"


@pytest.mark.parametrize(
    "array",
    [
        np.arange(12, dtype=np.uint8).reshape(2, 2, 3),
        np.linspace(0, 1, 7, dtype=np.float32),
        np.zeros((0, 3)),
        np.array(3.5),
        np.array([True, False]),
        np.arange(12, dtype=">i4").reshape(3, 4).T,
    ],
)
def test_arrays_come_back_equal(array, folder):
    cache = PixelCache(folder)
    cache.put(b"key", array)
    again = cache.get(b"key")
    assert_array_equal(again, array)
    assert again.dtype == array.dtype and again.shape == array.shape
    again[...] = 0  # a copy, not the store
    assert_array_equal(cache.get(b"key"), array)
    assert cache.get(b"other") is None


def test_objects_are_refused(folder):
    with pytest.raises(TypeError, match="numbers and booleans"):
        PixelCache(folder).put(b"key", np.array([{}], dtype=object))


def test_without_a_folder_nothing_is_kept():
    cache = PixelCache(None)
    cache.put(b"key", np.arange(3))
    assert cache.get(b"key") is None and len(cache) == 0


def test_the_default_place_is_the_users_cache_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert PixelCache().path.endswith(os.path.join("sklearn_skin", "pixels"))
    (tmp_path / "file").write_text("")
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda name: str(tmp_path / "file"))
    with pytest.warns(UserWarning, match="No cache"):
        assert PixelCache().path is None
    with pytest.raises(OSError, match="file"):
        PixelCache(tmp_path / "file" / "cache")


def test_nobody_else_can_read_it_and_nothing_is_pickled(folder):
    PixelCache(folder).put(b"key", np.arange(3))
    for place in (folder, folder / "store.lmdb"):
        assert stat.S_IMODE(place.stat().st_mode) == 0o700
    (folder / "store.lmdb").chmod(0o755)
    PixelCache(folder)
    assert stat.S_IMODE((folder / "store.lmdb").stat().st_mode) == 0o700
    assert stat.S_IMODE(data_file(folder).stat().st_mode) == 0o600
    assert b"numpy" not in data_file(folder).read_bytes()


def test_the_size_is_bounded_and_the_newest_stay(folder):
    cache = PixelCache(folder, max_bytes=2**20)
    for k in range(400):
        cache.put(b"%d" % k, expected(k))
    assert 0 < len(cache) * 7500 <= 2**20
    assert data_file(folder).stat().st_size < 4 * 2**20
    assert cache.get(b"0") is None
    for k in range(390, 400):
        assert_array_equal(cache.get(b"%d" % k), expected(k))
    cache.put(b"large", np.zeros(2**21, np.uint8))
    assert cache.get(b"large") is None
    with pytest.raises(ValueError, match="`max_bytes` must be at least"):
        PixelCache(folder, max_bytes=10)


def test_the_machine_says_how_large_its_caches_may_grow(folder, monkeypatch):
    usual = PixelCache(folder).max_bytes
    monkeypatch.setenv("SKLEARN_SKIN_CACHE_BYTES", str(2**21))
    assert PixelCache(folder).max_bytes == 2**21 != usual
    assert PixelCache(folder, max_bytes=2**22).max_bytes == 2**22
    for wrong in ("10", "10 GB", "-1"):
        monkeypatch.setenv("SKLEARN_SKIN_CACHE_BYTES", wrong)
        with pytest.raises(ValueError, match=f"SKLEARN_SKIN_CACHE_BYTES .*; got '{wrong}'"):
            PixelCache(folder)


def test_clear_and_pickle(folder):
    cache = PixelCache(folder)
    cache.put(b"key", np.arange(3))
    again = pickle.loads(pickle.dumps(cache))
    assert_array_equal(again.get(b"key"), np.arange(3))
    again.clear()
    assert len(cache) == 0


def test_keys_tell_their_parts_apart():
    keys = [make_key("a", 1), make_key("a1"), make_key("a", "1"), make_key(("a", 1)), make_key()]
    assert len(set(keys)) == len(keys)


def test_a_killed_writer_leaves_only_whole_entries(folder):
    for start in (0, 100_000):
        process = writer(folder, start, 100_000)
        done = [int(process.stdout.readline()) for _ in range(3)][-1]
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
        cache = PixelCache(folder)
        for k in range(start, start + 500):
            kept = cache.get(b"%d" % k)
            assert kept is not None or k >= done
            if kept is not None:
                assert_array_equal(kept, expected(k))
        cache.put(b"after", np.arange(3))
        assert_array_equal(cache.get(b"after"), np.arange(3))


def test_several_processes_write_at_once(folder):
    cache = PixelCache(folder)
    cache.put(b"here", np.arange(3))
    processes = [writer(folder, start, 200) for start in (0, 100, 150)]
    for process in processes:
        process.communicate()
        assert process.returncode == 0
    for k in range(350):
        assert_array_equal(cache.get(b"%d" % k), expected(k))
    assert len(cache) == 351


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_child_forked_while_a_thread_writes_has_its_own_handle(folder):
    cache = PixelCache(folder)
    cache.put(b"parent", np.arange(3))
    done = threading.Event()

    def write():
        while not done.is_set():
            cache.put(b"thread", np.arange(1000))

    thread = threading.Thread(target=write)
    thread.start()
    codes = []
    for k in range(5):
        child = os.fork()
        if child == 0:
            signal.alarm(20)  # a child that waits forever is killed
            ok = cache.get(b"parent") is not None
            cache.put(b"child %d" % k, np.arange(4))
            os._exit(0 if ok else 1)
        codes.append(os.waitpid(child, 0)[1])
    done.set()
    thread.join()
    assert codes == [0] * 5
    assert_array_equal(cache.get(b"child 4"), np.arange(4))


def damage_half(data, rng):
    half = len(data) // 2
    return data[:half] + rng.randbytes(len(data) - half)


def damage_page(data, rng):
    start = 4096 * rng.randrange(2, len(data) // 4096)
    return data[:start] + rng.randbytes(4096) + data[start + 4096 :]


DAMAGES = {
    "half": damage_half,
    "page": damage_page,
    "all": lambda data, rng: rng.randbytes(len(data)),
    "cut": lambda data, rng: data[: rng.randrange(len(data))],
    "tiny": lambda data, rng: data[:100],
    "empty": lambda data, rng: b"",
    "pages lost": lambda data, rng: data[:8192] + bytes(len(data) - 8192),
}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_store_gives_right_arrays_or_none(damage, seed, folder, tmp_path):
    # Written by another process, as a handle that is open here would hide the damage.
    writer(folder, 0, 100).communicate()
    data = DAMAGES[damage](data_file(folder).read_bytes(), random.Random(seed))
    data_file(folder).write_bytes(data)
    cache = PixelCache(folder)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*started anew")
        for kept, k in zip(cache.get_many([b"%d" % k for k in range(100)]), range(100)):
            if kept is not None:
                assert_array_equal(kept, expected(k))
        cache.put_many({b"%d" % k: expected(k) for k in range(100)})
        for k in range(100):
            assert_array_equal(cache.get(b"%d" % k), expected(k))


def test_a_store_that_is_removed_while_open_is_made_again(folder):
    import shutil

    cache = PixelCache(folder)
    cache.put(b"key", np.arange(3))
    shutil.rmtree(folder)
    assert cache.get(b"key") is None
    cache.put(b"key", np.arange(4))
    assert_array_equal(cache.get(b"key"), np.arange(4))


def test_every_changed_byte_and_every_exchanged_block_is_noticed():
    array = np.random.default_rng(0).integers(256, size=3 * 2**15 + 5, dtype=np.uint8)
    right = _cache._checksum(b"name", b"head", array)
    for place in (0, 7, 2**15, len(array) - 9, len(array) - 1):
        changed = array.copy()
        changed[place] ^= 64
        assert _cache._checksum(b"name", b"head", changed) != right
    exchanged = array.copy()
    exchanged[: 2**15], exchanged[2**15 : 2**16] = array[2**15 : 2**16], array[: 2**15]
    assert _cache._checksum(b"name", b"head", exchanged) != right
    assert _cache._checksum(b"other", b"head", array) != right
    assert _cache._checksum(b"name", b"tail", array) != right


def test_arrays_are_copied_to_where_they_are_wanted(folder):
    cache = PixelCache(folder)
    cache.put_many({b"a": np.arange(6, dtype=np.uint8).reshape(2, 3), b"b": np.arange(6.0)})
    batch = np.zeros((4, 2, 3), np.uint8)
    found = cache.get_into([b"a", b"absent", b"b", b"a"], list(batch))
    assert found == [True, False, False, True]
    assert_array_equal(batch[[0, 3]], [[[0, 1, 2], [3, 4, 5]]] * 2)
    assert PixelCache(None).get_into([b"a"], list(batch[:1])) == [False]


def test_reading_much_does_not_map_all_of_it_for_good(folder, monkeypatch):
    monkeypatch.setattr(_lmdb, "_MOST_MAPPED", 1000)
    monkeypatch.setattr(_lmdb, "_MAPPED_AROUND", 100)
    cache = PixelCache(folder)
    cache.put_many({bytes([i]): np.full(400, i, np.uint8) for i in range(9)})
    for i in range(9):
        assert_array_equal(cache.get(bytes([i])), np.full(400, i))
        assert _lmdb._mapped.get(cache.path, 0) <= 1000
