"""How long a million histories take: `python -m benchmarks.million`.

The United States and South Korea for 20 years, a million times with the treaty and, on the same luck, a
million times without any pact: the whole of `Study.decades()`, by the clock on the wall, and the file that it
is saved to. Each run is a process of its own, all code compiled: with no crisis solved
(`ENTANGLE_CACHE=off`), and with all of them on disk. It needs an otherwise idle machine.
"""

from __future__ import annotations

import json
import statistics
import sys
from typing import NamedTuple

from benchmarks.common import PACTS, ROOT, python

#: Loads all code by games of another size, then takes the time; the answer is the last line.
PROGRAM = f"""
import json, sys, tempfile, threading, time
sys.path.append({str(ROOT)!r})
from benchmarks.common import study
histories, workers = (int(argument) for argument in sys.argv[1:])
asked = study(*{PACTS!r})
tiny = asked.replace(parameters=asked.parameters.replace(types=2, rounds=3))
tiny.decades(histories=1, workers=workers)
from entangle import decades
spent, lock = dict(playing=0.0, tallying=0.0), threading.Lock()

def noted(module, name, part):
    plain = getattr(module, name)
    def call(*given, **more):
        start = time.thread_time()
        found = plain(*given, **more)
        with lock:
            spent[part] += time.thread_time() - start
        return found
    setattr(module, name, call)

for name in ("record", "again"):
    noted(decades.histories, name, "playing")
for name in ("count", "products"):
    noted(decades.kernel, name, "tallying")
start = time.perf_counter()
result = asked.decades(histories=histories, seed=7, workers=workers)
played = time.perf_counter()
with tempfile.TemporaryDirectory() as folder:
    result.save(folder + "/result.nc")
    end = time.perf_counter()
print(json.dumps([end - start, *result.timing, *spent.values(), end - played]))
"""


class Run(NamedTuple):
    """Where the time of a run went [s].

    Parameters
    ----------
    total, solving, simulating, merging
        By the clock: in all, solving contexts, simulating, and merging as a part of simulating.
    playing, tallying
        Processor time of all threads while simulating: histories played, and counted.
    file
        Writing the file, by the clock.
    """

    total: float
    solving: float
    simulating: float
    merging: float
    playing: float
    tallying: float
    file: float

    @property
    def shares(self) -> dict[str, float]:
        """Of the time in all. Simulating is divided as the threads divided theirs."""
        alone = self.simulating - self.merging
        playing = self.playing / (self.playing + self.tallying)
        parts = {
            "solving": self.solving,
            "playing": alone * playing,
            "tallying": alone * (1.0 - playing),
            "merging": self.merging,
            "file": self.file,
            "rest": self.total - self.solving - self.simulating - self.file,
        }
        return {name: part / self.total for name, part in parts.items()}


def main(arguments: list[str] | None = None) -> int:
    """Measure and print."""
    import argparse

    parser = argparse.ArgumentParser(prog="python -m benchmarks.million", description=__doc__)
    parser.add_argument("--histories", type=int, default=10**6, help="under each pact (default: 10^6)")
    parser.add_argument("--repeats", type=int, default=5, help="runs of each kind, at least 1 (default: 5)")
    parser.add_argument("--workers", type=int, default=2, help="threads (default: 2)")
    parser.add_argument("--store", action="store_true", help="keep it for docs/performance.md")
    given = parser.parse_args(arguments)
    if min(given.histories, given.repeats, given.workers) < 1:
        parser.error("histories, repeats and workers must be at least 1")
    runs = turns(given.histories, given.repeats, given.workers)
    show(runs, given.histories, given.workers)
    if given.store:
        from benchmarks.performance import store

        store.keep("million", stored(runs, given.histories, given.workers))
    return 0


def turns(histories: int, repeats: int, workers: int) -> dict[str, list[Run]]:
    """Return runs of both kinds, in turns."""
    measured(1, workers)  # compiles, and solves what is not on disk yet
    runs: dict[str, list[Run]] = {"none": [], "all": []}
    for _ in range(repeats):
        runs["none"].append(measured(histories, workers, cache="off"))
        runs["all"].append(measured(histories, workers))
    return runs


def stored(runs: dict[str, list[Run]], histories: int, workers: int) -> dict[str, object]:
    """Return runs as plain data."""
    told = {name: [run._asdict() for run in found] for name, found in runs.items()}
    return {"histories": histories, "workers": workers, "runs": told}


def mean_shares(found: list[Run]) -> dict[str, float]:
    """Return the mean share of each part: means add up to 1, medians need not."""
    each = [run.shares for run in found]
    return {name: statistics.fmean(shares[name] for shares in each) for name in each[0]}


def measured(histories: int, workers: int, *, cache: str = "") -> Run:
    """Return the times of a run in a process of its own, whose ENTANGLE_CACHE is `cache`."""
    printed = python("-c", PROGRAM, str(histories), str(workers), ENTANGLE_CACHE=cache)
    return Run(*json.loads(printed.splitlines()[-1]))


def show(runs: dict[str, list[Run]], histories: int, workers: int) -> None:
    """Print one table, 80 columns wide at most."""
    print(f"{'solved':<6} {'in all [s]':>18} {'a second':>8}", end="")
    print("".join(f" {part:>4}" for part in mean_shares(runs["all"])))
    print("-" * 80)
    for name, found in runs.items():
        times = [run.total for run in found]
        middle = statistics.median(times)
        spread = f"{middle:.1f} ({min(times):.1f} - {max(times):.1f})"
        print(f"{name:<6} {spread:>18} {histories / middle:>8,.0f}", end="")
        print("".join(f" {share:>{max(4, len(part))}.0%}" for part, share in mean_shares(found).items()))
    repeats = len(runs["all"])
    print(f"\n{histories:,} histories with the treaty and as many without, {workers} threads, wall clock:")
    print(f"median (least - most) of {repeats} runs; mean shares.")


if __name__ == "__main__":
    sys.exit(main())
