"""The allocator keeps what it has had, where it is glibc's."""

import platform
import subprocess
import sys

import pytest

from sklearn_skin.utils import tune_allocator

# Page faults of a block of 64 MB that is written and freed ten times.
FAULTS = """
import ctypes, resource
from sklearn_skin.utils import tune_allocator
if {tuned}:
    assert tune_allocator()
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    block = libc.malloc(2**26)
    ctypes.memset(block, 1, 2**26)
    libc.free(block)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
GLIBC = platform.libc_ver()[0] == "glibc"


def faults(tuned):
    code = FAULTS.format(tuned=tuned)
    return int(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)


@pytest.mark.skipif(not GLIBC, reason="the C library is another one")
def test_freed_memory_is_not_mapped_afresh():
    assert faults(True) < faults(False) / 3


def test_other_libraries_are_left_alone(monkeypatch):
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    assert tune_allocator() is False
