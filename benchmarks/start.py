"""How long one waits for the first answer: importing, asking for help, compiling.

`python -m benchmarks.start` prints a table of it. Every turn starts each process once, one after the other,
so that what else the machine does falls on all of them alike; beside the seconds stands how many starts of a
bare interpreter fit into them, turn by turn.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

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


class Wait(NamedTuple):
    """One start of one process [s]: by the clock on the wall, and of processors."""

    wall: float
    processor: float


Starts = dict[str, tuple[str, ...]]

#: What is started once everything is compiled, by what the table calls it.
STARTS: Starts = {
    "bare interpreter": ("-c", "pass"),
    "import entangle": ("-c", "import entangle"),
    "entangle.Study": ("-c", "import entangle; entangle.Study"),
    "entangle --help": ("-m", "entangle", "--help"),
    "entangle validate": ("-m", "entangle", "validate", str(CONFIG)),
    "entangle warm --check": ("-m", "entangle", "warm", "--check"),
    "demo, from the second run on": ("-m", "entangle", "run", str(CONFIG)),
}
#: What is started with nothing compiled.
FIRST: Starts = {
    "demo, first run": ("-m", "entangle", "run", str(CONFIG)),
    "entangle warm": ("-m", "entangle", "warm"),
}
BARE = "bare interpreter"


def main(arguments: list[str] | None = None) -> int:
    """Measure and print."""
    import argparse

    parser = argparse.ArgumentParser(prog="python -m benchmarks.start", description=__doc__)
    parser.add_argument("--repeats", type=int, default=7, help="turns, at least 1 (default: 7)")
    parser.add_argument(
        "--first", type=int, default=1, help="turns with nothing compiled, a minute or two each (default: 1)"
    )
    given = parser.parse_args(arguments)
    if given.repeats < 1 or given.first < 0:
        parser.error("--repeats must be at least 1, --first at least 0")
    with tempfile.TemporaryDirectory() as folder:
        found = turns(FIRST, given.first, lambda: {"NUMBA_CACHE_DIR": tempfile.mkdtemp(dir=folder)})
    for name in ("entangle warm", "demo, first run"):
        python(*FIRST[name])  # whatever is not there yet, in the user's own folder
    found = turns(STARTS, given.repeats, dict) | found
    show(found)
    return 0


def turns(starts: Starts, repeats: int, settings: Callable[[], dict[str, str]]) -> dict[str, list[Wait]]:
    """Start each process once in every turn, each with environment variables of its own."""
    found: dict[str, list[Wait]] = {name: [] for name in starts}
    for _ in range(repeats):
        for name, command in starts.items():
            found[name].append(wait(partial(python, *command, **settings())))
    return {name: waits for name, waits in found.items() if waits}


def wait(action: Callable[[], object]) -> Wait:
    """Return how long an action took, with the processes that it waited for."""
    before, start = os.times(), time.perf_counter()
    action()
    wall, after = time.perf_counter() - start, os.times()
    used = [after.children_user - before.children_user, after.children_system - before.children_system]
    return Wait(wall, sum(used))


def show(found: dict[str, list[Wait]]) -> None:
    """Print one table, 80 columns wide at most."""
    bare = found[BARE]
    print(f"{'':<29} {'wall [s], median (min - max)':>28} {'processor':>10} {'bare starts':>11}")
    print("-" * 80)
    for name, waits in found.items():
        walls = [each.wall for each in waits]
        spread = f"{statistics.median(walls):.3f} ({min(walls):.3f} - {max(walls):.3f})"
        processor = statistics.median(each.processor for each in waits)
        ratio = "-"  # with nothing compiled, the turns are other ones
        if name in STARTS:
            ratio = f"{statistics.median(a.wall / b.wall for a, b in zip(waits, bare, strict=True)):.1f}"
        print(f"{name:<29} {spread:>28} {processor:>10.3f} {ratio:>11}")
    times = "; ".join(f"{len(waits)} of {name}" for name, waits in found.items() if name in FIRST)
    print(f"\nMedians of {len(bare)} turns{f' ({times})' if times else ''}.")
    print("Processor time is that of all threads [s]. The demo is the study of `make demo`.")


if __name__ == "__main__":
    sys.exit(main())
