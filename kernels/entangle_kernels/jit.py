"""The one compile decorator, and the name of the folder that compiled code is kept in.

Numba keys its on-disk cache by the function's own file only: an edit of a callee in another file, or a
changed option, leaves stale machine code behind. The folder's name therefore carries a hash of every
kernel source, the options, the versions and the processor, so that a stale or foreign entry is never seen.
What is in the folder, and when it is believed, is :mod:`entangle_kernels.compiled`.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Final, ParamSpec, TypeVar

import llvmlite
import llvmlite.binding as llvm
import numba
import numba.core.config
import numpy as np

from entangle_kernels import compiled

P = ParamSpec("P")
R = TypeVar("R")

#: nogil: blocks run in plain threads. error_model: floats divide as in NumPy, without a branch.
#: No fastmath: it breaks bit-equality and NaN tests, and measured no faster here.
OPTIONS: Final[dict[str, Any]] = {"nogil": True, "error_model": "numpy"}

_CONFIG: Any = numba.core.config
#: Settings of numba, from its environment variables or its file, that change the code it makes.
_SETTINGS: Final = (
    "BOUNDSCHECK",
    "CAPTURED_ERRORS",
    "CPU_FEATURES",
    "CPU_NAME",
    "DEBUGINFO_DEFAULT",
    "ENABLE_AVX",
    "LLVM_REFPRUNE_FLAGS",
    "LLVM_REFPRUNE_PASS",
    "LOOP_VECTORIZE",
    "OPT",
    "SLP_VECTORIZE",
    "USING_SVML",
)


def version() -> dict[str, str]:
    """Return what the code is made from and by, the processor aside; equal words, equal code."""
    sources = hashlib.sha256()
    for source in sorted(Path(__file__).parent.glob("*.py")):
        sources.update(source.name.encode() + b"\0" + source.read_bytes())
    return {
        "sources": sources.hexdigest(),
        "options": repr(OPTIONS),
        "settings": repr([(name, str(getattr(_CONFIG, name, None))) for name in _SETTINGS]),
        "numba": numba.__version__,
        "llvm": f"{llvmlite.__version__} {llvm.llvm_version_info}",
        "numpy": np.__version__,
        "python": f"{platform.python_version()} {sys.implementation.cache_tag}",
    }


def processor() -> dict[str, str]:
    """Return the kind of processor that code is made for here."""
    return {
        "triple": llvm.get_process_triple(),
        "processor": llvm.get_host_cpu_name(),
        "features": llvm.get_host_cpu_features().flatten(),
    }


def root() -> Path:
    """Return where the folders of all versions are wanted."""
    told = os.environ.get("NUMBA_CACHE_DIR")
    if told:
        return Path(told)
    home = os.environ.get("XDG_CACHE_HOME")
    try:
        return (Path(home) if home else Path.home() / ".cache") / "entangle"
    except RuntimeError:  # a user without a home
        return compiled.temporary()


def folder_name() -> str:
    """Return the name of the folder, which says by hash all that the code depends on."""
    digest = hashlib.sha256(repr((version(), processor())).encode())
    return f"entangle-{digest.hexdigest()[:20]}"


@cache
def cache_folder() -> Path:
    """Return the folder for compiled code of exactly these sources, versions, options and processor.

    It is looked for once in a process, and stands beside those of other versions in :func:`root`, unless
    that cannot be written to or trusted.

    Warns
    -----
    CacheWarning
        If a place cannot be trusted.
    """
    return compiled.folder(root(), folder_name())


STORE: Final = compiled.Store(
    cache_folder(), json.dumps({"version": version(), "processor": processor()}, indent=2) + "\n"
)
#: Every compiled function by its name.
KERNELS: Final[dict[str, Any]] = {}


def compiles() -> bool:
    """Return whether functions are compiled at all, and not interpreted as Python."""
    return not _CONFIG.DISABLE_JIT


def jit(function: Callable[P, R]) -> Callable[P, R]:
    """Compile `function` on first call, and keep the machine code in :func:`cache_folder`."""
    return _compiled(function, OPTIONS)


def inlined(function: Callable[P, R]) -> Callable[P, R]:
    """Do as :func:`jit` does, and make the code part of every compiled function that calls it.

    For what is called thousands of times in a millisecond: arrays are handed over by a dozen numbers each.
    """
    return _compiled(function, OPTIONS | {"forceinline": True})


def _compiled(function: Callable[P, R], options: dict[str, Any]) -> Callable[P, R]:
    if not compiles():
        return function
    made: Any = numba.njit(**options)(function)
    kept = compiled.Kept(function, STORE)
    made._cache = kept
    KERNELS[kept.name] = made
    result: Callable[P, R] = made
    return result
