"""The crisis simulator in C, compiled when it is asked for: plain, and by hand in AVX-512.

Nothing is kept on disk: a library is compiled for the processor that runs it, loaded, and its file removed.
"""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

SOURCES = Path(__file__).with_name("c")
FLAGS = ("-O3", "-march=native", "-std=gnu11", "-shared", "-fPIC")
#: What the vectors need of the processor, in the order of `features` in scalar.c.
NEEDED = ("AVX512F", "AVX512BW", "AVX512DQ", "AVX512_VBMI2", "BMI2")
#: Origin, scope, how it ended, the state in which it ended, the marks it left.
SHAPE = (2, 2, 8, 72, 16)

#: Of `Tables`, by reference: the types that the C code reads.
_ARRAYS = {
    "hit": np.uint64,
    "enter": np.uint32,
    "start": np.int64,
    "cut": np.uint32,
    "nature": np.uint32,
    "step": np.uint16,
}


class Unavailable(Exception):
    """This machine cannot run the peer; the message says why."""


class _Tables(ctypes.Structure):
    """`Tables` in crisis.h."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in ("types", "estimates", "rounds")),
        *((name, ctypes.c_uint64) for name in ("origin", "scope")),
        *((name, ctypes.c_void_p) for name in _ARRAYS),
    )


def scalar(tables: Any, *, seed: int, first: int, size: int, year: int = 0) -> NDArray[np.int64]:
    """Return how many disputes ended in each way, of shape `SHAPE`, from one loop over disputes."""
    return _simulate(library("scalar"), tables, seed, first, size, year)[0]


def avx512(tables: Any, *, seed: int, first: int, size: int, year: int = 0) -> NDArray[np.int64]:
    """Return how many disputes ended in each way, of shape `SHAPE`, from vectors of 32 disputes.

    Raises
    ------
    ValueError
        If there are more than eight types, or the tables break a rule that the vectors rely on.
    """
    return _simulate(vectors("avx512"), tables, seed, first, size, year)[0]


def rounds(tables: Any, *, seed: int, first: int, size: int) -> int:
    """Return how many rounds the disputes take, all together."""
    return _simulate(library("scalar"), tables, seed, first, size, 0)[1]


def vectors(name: str) -> ctypes.CDLL:
    """Return the library of a source that needs AVX-512."""
    found = library("scalar").features()
    missing = [flag for bit, flag in enumerate(NEEDED) if not found >> bit & 1]
    if missing:
        raise Unavailable(f"the processor lacks {', '.join(missing)}")
    return library(name)


@cache
def library(name: str) -> ctypes.CDLL:
    """Compile and load a source.

    Raises
    ------
    Unavailable
        If there is no gcc, or it cannot compile the source.
    """
    gcc = shutil.which("gcc")
    if gcc is None:
        raise Unavailable("there is no gcc")
    with tempfile.TemporaryDirectory() as folder:
        built = Path(folder, f"{name}.so")
        command = [gcc, *FLAGS, str(SOURCES / f"{name}.c"), "-o", str(built)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            said = next((line for line in done.stderr.splitlines() if "error" in line), "it gave no reason")
            raise Unavailable(f"gcc cannot compile {name}.c: {said}")
        loaded = ctypes.CDLL(str(built))
    word, count, place = ctypes.c_uint64, ctypes.c_int64, ctypes.c_void_p
    signatures = {
        "simulate": (count, (place, word, word, count, ctypes.c_uint32, place)),
        "features": (count, ()),
        "words": (word, (count, word)),
        "gathers": (word, (place, word, count)),
        "permutations": (word, (place, count)),
    }
    for function, (result, arguments) in signatures.items():
        if hasattr(loaded, function):
            getattr(loaded, function).restype = result
            getattr(loaded, function).argtypes = arguments
    return loaded


def _simulate(
    code: ctypes.CDLL, tables: Any, seed: int, first: int, size: int, year: int
) -> tuple[NDArray[np.int64], int]:
    arrays = {name: np.ascontiguousarray(getattr(tables, name), kind) for name, kind in _ARRAYS.items()}
    passed = _Tables(
        tables.types,
        tables.estimates,
        tables.rounds,
        int(tables.origin),
        int(tables.scope),
        *(array.ctypes.data for array in arrays.values()),
    )
    counts = np.zeros(SHAPE, np.int64)
    played = code.simulate(ctypes.byref(passed), seed, first, size, year, counts.ctypes.data)
    if played == -2:
        raise MemoryError("the peer in C found no memory")
    if played < 0:
        raise ValueError("the tables break a rule that the vectors rely on: see lay_out in avx512.c")
    return counts, int(played)
