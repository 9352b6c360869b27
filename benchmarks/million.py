"""How long a million histories take: `python -m benchmarks.million`.

The United States and South Korea for 20 years, a million times with the treaty and, on the same luck, a
million times without any pact: the whole of `Study.decades()`, by the clock on the wall. Each run is a
process of its own, all code compiled: with no crisis solved (`ENTANGLE_CACHE=off`), and with all of them on
disk. It needs an otherwise idle machine.
"""

from __future__ import annotations

import json
import statistics
import sys
from typing import NamedTuple

from benchmarks.common import PACTS, ROOT, python

#: Loads all code by games of another size, then takes the time; the answer is the last line.
PROGRAM = f"""
import json, sys, time
sys.path.append({str(ROOT)!r})
from benchmarks.common import study
histories, workers = (int(argument) for argument in sys.argv[1:])
asked = study(*{PACTS!r})
tiny = asked.replace(parameters=asked.parameters.replace(types=2, rounds=3))
tiny.decades(histories=1, workers=workers)
start = time.perf_counter()
timing = asked.decades(histories=histories, seed=7, workers=workers).timing
print(json.dumps([time.perf_counter() - start, *timing]))
"""


class Run(NamedTuple):
    """Where the time of a run went [s]: in all, solving, simulating, and merging as a part of simulating."""

    total: float
    solving: float
    simulating: float
    merging: float

    @property
    def shares(self) -> tuple[float, float, float, float]:
        """Of the time in all: solving, simulating alone, merging, and the rest."""
        alone = self.simulating - self.merging
        rest = self.total - self.solving - self.simulating
        solving, simulating, merging, other = (
            part / self.total for part in (self.solving, alone, self.merging, rest)
        )
        return solving, simulating, merging, other


def main(arguments: list[str] | None = None) -> int:
    """Measure and print."""
    import argparse

    parser = argparse.ArgumentParser(prog="python -m benchmarks.million", description=__doc__)
    parser.add_argument("--histories", type=int, default=10**6, help="under each pact (default: 10^6)")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each kind, at least 1 (default: 3)")
    parser.add_argument("--workers", type=int, default=2, help="threads (default: 2)")
    given = parser.parse_args(arguments)
    if min(given.histories, given.repeats, given.workers) < 1:
        parser.error("histories, repeats and workers must be at least 1")
    measured(1, given.workers)  # compiles, and solves what is not on disk yet
    runs: dict[str, list[Run]] = {"none": [], "all": []}
    for _ in range(given.repeats):
        runs["none"].append(measured(given.histories, given.workers, cache="off"))
        runs["all"].append(measured(given.histories, given.workers))
    show(runs, given.histories, given.workers)
    return 0


def measured(histories: int, workers: int, *, cache: str = "") -> Run:
    """Return the times of a run in a process of its own, whose ENTANGLE_CACHE is `cache`."""
    printed = python("-c", PROGRAM, str(histories), str(workers), ENTANGLE_CACHE=cache)
    return Run(*json.loads(printed.splitlines()[-1]))


def show(runs: dict[str, list[Run]], histories: int, workers: int) -> None:
    """Print one table, 80 columns wide at most."""
    print(f"{'solved':<7} {'in all [s]':>20} {'histories/s':>12} {'solving':>9} {'simulating':>11}", end="")
    print(f" {'merging':>8} {'rest':>6}")
    print("-" * 79)
    for name, found in runs.items():
        times = [run.total for run in found]
        middle = statistics.median(times)
        spread = f"{middle:.1f} ({min(times):.1f} - {max(times):.1f})"
        # the means of the shares add up to 1, their medians need not
        shares = [
            f"{statistics.fmean(share):.0%}" for share in zip(*(run.shares for run in found), strict=True)
        ]
        print(f"{name:<7} {spread:>20} {histories / middle:>12,.0f}", end="")
        print(f" {shares[0]:>9} {shares[1]:>11} {shares[2]:>8} {shares[3]:>6}")
    repeats = len(runs["all"])
    print(f"\n{histories:,} histories with the treaty and as many without, {workers} threads, wall clock:")
    print(f"median (least - most) of {repeats} runs; mean shares.")


if __name__ == "__main__":
    sys.exit(main())
