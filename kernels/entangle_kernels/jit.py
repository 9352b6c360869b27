"""The one compile decorator, and the folder that compiled code is kept in.

Numba keys its on-disk cache by the function's own file only: an edit of a callee in another file, or a
changed option, leaves stale machine code behind. The folder's name therefore carries a hash of every
kernel source, the options, the versions and the processor, so that a stale or foreign entry is never seen.
"""

from __future__ import annotations

import hashlib
import os
import platform
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, ParamSpec, TypeVar

import llvmlite.binding as llvm
import numba
import numba.core.config
import numpy as np

P = ParamSpec("P")
R = TypeVar("R")

#: nogil: blocks run in plain threads. error_model: floats divide as in NumPy, without a branch.
#: No fastmath: it breaks bit-equality and NaN tests, and measured no faster here.
OPTIONS: Final[dict[str, Any]] = {"nogil": True, "error_model": "numpy"}


def cache_folder() -> Path:
    """Return the folder for compiled code of exactly these sources, versions, options and processor."""
    digest = hashlib.sha256()
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.read_bytes())
    flags = [os.environ.get(name, "") for name in ("NUMBA_BOUNDSCHECK", "NUMBA_CPU_NAME", "NUMBA_OPT")]
    versions = [numba.__version__, llvm.llvm_version_info, np.__version__, platform.python_version()]
    processor = [llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()]
    digest.update(repr((OPTIONS, flags, versions, processor)).encode())
    base = os.environ.get("NUMBA_CACHE_DIR")
    root = Path(base) if base else _user_cache()
    return root / f"entangle-{digest.hexdigest()[:20]}"


def _user_cache() -> Path:
    home = os.environ.get("XDG_CACHE_HOME")
    candidate = Path(home) if home else Path("~").expanduser() / ".cache"
    try:
        candidate.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=candidate):
            return candidate / "entangle"
    except OSError:
        # a read-only or missing home: keep the run going, compile once per machine and user
        return Path(tempfile.gettempdir()) / f"entangle-cache-{os.getuid() if hasattr(os, 'getuid') else 0}"


_FOLDER: Final = cache_folder()
_CONFIG: Any = numba.core.config


def jit(function: Callable[P, R]) -> Callable[P, R]:
    """Compile `function` on first call, and keep the machine code in :func:`cache_folder`."""
    if _CONFIG.DISABLE_JIT:
        return function
    before = _CONFIG.CACHE_DIR
    _CONFIG.CACHE_DIR = str(_FOLDER)  # read once, while decorating; other packages keep theirs
    try:
        compiled: Any = numba.njit(cache=True, **OPTIONS)(function)
    finally:
        _CONFIG.CACHE_DIR = before
    result: Callable[P, R] = compiled
    return result
