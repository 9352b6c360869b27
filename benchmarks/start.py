"""How long one waits for the first answer: importing, asking for help, compiling."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable

from benchmarks.common import CONFIG, ROOT, python


def _seconds(action: Callable[[], object], repeats: int) -> float:
    spent = []
    for _ in range(repeats):
        start = time.perf_counter()
        action()
        spent.append(time.perf_counter() - start)
    return statistics.median(spent)


class Import:
    """Importing in a fresh interpreter, without the start of the interpreter itself."""

    number = 1  # a second import in the same interpreter would cost nothing
    repeat = (5, 15, 10.0)

    def timeraw_entangle(self) -> str:
        return "import entangle"

    def timeraw_study(self) -> str:
        return "from entangle import Study"

    def timeraw_engine(self) -> str:
        return "import entangle.engine"


class CommandLine:
    """Wall seconds of a command from start to exit, the start of the interpreter included."""

    timeout = 120

    def track_help(self) -> float:
        return _seconds(lambda: python("-m", "entangle", "--help"), 7)

    track_help.unit = "s"  # type: ignore[attr-defined]

    def track_validate(self) -> float:
        return _seconds(lambda: python("-m", "entangle", "validate", str(CONFIG)), 5)

    track_validate.unit = "s"  # type: ignore[attr-defined]


class FirstRun:
    """Wall seconds of the first run of a small study on a new machine: nothing is compiled yet."""

    timeout = 600
    program = (
        "from benchmarks.common import study; "
        "small = study('no_pact'); "
        "small = small.replace(parameters=small.parameters.replace(types=2, rounds=3)); "
        "small.run(trajectories=1000)"
    )

    def track_compile(self) -> float:
        return _seconds(self._with_an_empty_cache, 2)

    track_compile.unit = "s"  # type: ignore[attr-defined]

    def track_from_cache(self) -> float:
        """The same once more: what is left when the machine code is there."""
        with tempfile.TemporaryDirectory() as folder:
            self._run(folder)
            return _seconds(lambda: self._run(folder), 3)

    track_from_cache.unit = "s"  # type: ignore[attr-defined]

    def _with_an_empty_cache(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            self._run(folder)

    def _run(self, folder: str) -> None:
        python("-c", f"import sys; sys.path.append({str(ROOT)!r}); {self.program}", NUMBA_CACHE_DIR=folder)
