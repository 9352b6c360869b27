"""Short measurements on this machine: how long something takes, and how much memory it holds."""

from __future__ import annotations

import statistics
import sys
import tempfile
import threading
import time
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from entangle.executors import processors
from entangle.solve_cache import SolveCache
from entangle_kernels.equilibrium import Solution
from entangle_kernels.jit import cache_folder

if TYPE_CHECKING:
    from entangle.study import Study

R = TypeVar("R")


def timed(action: Callable[[], R]) -> tuple[R, float]:
    """Return what an action returns, and how long it took [s]."""
    start = time.perf_counter()
    found = action()
    return found, time.perf_counter() - start


def loading(action: Callable[[], object]) -> tuple[float, int]:
    """Return how much longer an action takes the first time [s], and how many files it compiled.

    What was compiled now will only be loaded from now on: the time is then unknown, and 0.
    """
    had = compiled()
    first, again = timed(action)[1], timed(action)[1]
    new = compiled() - had
    return max(first - again, 0.0) if new == 0 else 0.0, new


def median(action: Callable[[], object], repeats: int = 3) -> float:
    """Return the median time of an action [s]."""
    return statistics.median(timed(action)[1] for _ in range(repeats))


def together(action: Callable[[], object], number: int, repeats: int = 3) -> float:
    """Return the median time until threads that all do the same at once are done [s].

    Beside each other they take longer than alone: they share memory, and the machine may do other work.
    """
    if number == 1:
        return median(action, repeats)

    def all_at_once() -> None:
        for future in [pool.submit(action) for _ in range(number)]:
            future.result()

    with ThreadPoolExecutor(number) as pool:
        return median(all_at_once, repeats)


def threads(workers: int | None) -> int:
    """Return how many threads of a run can work at the same time."""
    return min(workers or processors(), processors())


def small(study: Study) -> Study:
    """Return the study with games that are solved in a moment, by the same code."""
    parameters = study.parameters
    return study.replace(parameters=parameters.replace(types=min(parameters.types, 2), rounds=3))


def compiled() -> int:
    """Return how many files of machine code are on disk."""
    folder = cache_folder()
    return sum(1 for _ in folder.rglob("*.nbc")) if folder.is_dir() else 0


def written(save: Callable[[Path], None]) -> tuple[float, int]:
    """Return how long it takes to write a file [s], and its size [bytes]; the file is removed."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "result.nc"
        _, seconds = timed(lambda: save(path))
        return seconds, path.stat().st_size


def traced(action: Callable[[], object]) -> int:
    """Return how much memory an action holds at most beyond what there was [bytes]."""
    tracing = tracemalloc.is_tracing()
    if not tracing:
        tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        action()
        return max(tracemalloc.get_traced_memory()[1] - before, 0)
    finally:
        if not tracing:
            tracemalloc.stop()


def resident() -> int:
    """Return how much memory this process holds now, or where that is not told, held at most [bytes]."""
    try:
        text = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        try:
            import resource
        except ImportError:  # Windows: nothing in the standard library tells
            return 0
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else most * 1024
    line = next(line for line in text.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) * 1024


def array_bytes(value: Any) -> int:
    """Return how many bytes of arrays there are in nested tuples and lists."""
    if isinstance(value, np.ndarray):
        return int(value.nbytes)
    if isinstance(value, tuple | list):
        return sum(array_bytes(part) for part in value)
    return 0


class TimedCache(SolveCache):
    """A cache that notes how long every search took.

    Parameters
    ----------
    seconds
        Of every game that was not on disk [s].
    """

    def __init__(self, folder: Path | None) -> None:
        super().__init__(folder)
        self.seconds: list[float] = []
        self._lock = threading.Lock()

    def solution(self, key: str, find: Callable[[], Solution]) -> Solution:
        """Return the solution of a key, as :meth:`SolveCache.solution` does."""

        def noted() -> Solution:
            found, seconds = timed(find)
            with self._lock:
                self.seconds.append(seconds)
            return found

        return super().solution(key, noted)
