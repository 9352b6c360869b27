"""Memory of a run: counts are kept, never trajectories, so that it does not grow with their number.

asv tracks the peak at two sizes; `python -m benchmarks.memory` prints it up to 10^9 crises, by threads.
"""

from __future__ import annotations

import json

from benchmarks.common import ROOT, python, study


class Run:
    """Peak memory of a run, the interpreter and its libraries included (about 200 MB)."""

    params = (10**5, 10**7)
    param_names = ("trajectories",)
    timeout = 300

    def setup(self, trajectories: int) -> None:
        self.study = study("no_pact")
        self.study.run(trajectories=1)  # compile

    def peakmem_run(self, trajectories: int) -> None:
        self.study.run(trajectories=trajectories, seed=7, workers=2)


# -- python -m benchmarks.memory ----------------------------------------------------------------------

#: Plays crises in a process of its own; the answer is its peak [bytes], after solving and at the end.
PROGRAM = f"""
import json, sys
from pathlib import Path
sys.path.append({str(ROOT)!r})
from benchmarks.common import study
number, workers = (int(argument) for argument in sys.argv[1:])
asked = study("no_pact")

def peak():
    status = Path("/proc/self/status")
    if status.exists():  # what getrusage tells on Linux can be the peak of whoever started this process
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    import resource
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024

asked.run(trajectories=1, workers=workers)
before = peak()
asked.run(trajectories=number, seed=7, workers=workers)
print(json.dumps([number, workers, before, peak()]))
"""


def main(arguments: list[str] | None = None) -> int:
    """Show that the peak of resident memory does not grow with the number of crises."""
    import argparse
    import sys

    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=main.__doc__)
    parser.add_argument("--most", type=int, default=9, help="up to 10^MOST crises (default: 9)")
    parser.add_argument(
        "--workers", type=int, nargs="+", default=[1, 2], help="threads to try (default: 1 and 2)"
    )
    parser.add_argument("--store", action="store_true", help="keep it for docs/performance.md")
    given = parser.parse_args(arguments)
    if given.most < 5 or min(given.workers) < 1:
        parser.error("--most must be at least 5, --workers at least 1")
    if sys.platform == "win32":
        parser.error("Windows does not tell a process its peak of memory here")
    found = measured(given.most, given.workers)
    show(found)
    if given.store:
        from benchmarks.performance import store

        store.keep("memory", found)
    return 0


def measured(most: int, workers: list[int]) -> list[dict[str, int]]:
    """Return the peaks of runs of 10^5 to 10^most crises, each in a process of its own [bytes]."""
    found = []
    for threads in workers:
        for power in range(5, most + 1):
            printed = python("-c", PROGRAM, str(10**power), str(threads))
            number, own, before, peak = json.loads(printed.splitlines()[-1])
            found.append({"crises": number, "workers": own, "before": before, "peak": peak})
    return found


def show(found: list[dict[str, int]]) -> None:
    """Print one line for each run."""
    print(f"{'crises':>15} {'workers':>8} {'before [MB]':>12} {'peak [MB]':>10} {'for each worker':>16}")
    for run in found:
        added = (run["peak"] - run["before"]) / run["workers"] / 1e6
        print(f"{run['crises']:>15,} {run['workers']:>8} {run['before'] / 1e6:>12.1f}", end="")
        print(f" {run['peak'] / 1e6:>10.1f} {added:>16.1f}")


if __name__ == "__main__":
    raise SystemExit(main())
