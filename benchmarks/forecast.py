"""Does a dry run come true? `python -m benchmarks.forecast`.

Each command is given with `--dry-run`, and then without, in processes of their own and with a folder of their
own for solutions, as a user would on a first day with everything compiled: what was said of time by the clock
and of peak memory, beside what it took.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks.common import ROOT, python

#: What is run: crises, many and few; draws; years.
CASES: Final = {
    "crises": ("run", "us_japan", "--trajectories", "100000000"),
    "crises, short": ("run", "us_rok", "--trajectories", "1000000"),
    "draws": ("run", "us_philippines", "--draws", "20"),
    "years": ("decades", "us_philippines", "--histories", "100000"),
}
#: Those that take a moment.
SHORT: Final = ("crises, short",)


class Said(NamedTuple):
    """What a dry run said, and what the run then took.

    Parameters
    ----------
    command
        The run.
    measuring
        How long the dry run itself took [s].
    seconds, least, most, took
        Time that was said, its range, and the time that it took [s].
    memory, peak
        Memory that was said, and the most that the process held [bytes].
    """

    command: str
    measuring: float
    seconds: float
    least: float
    most: float
    took: float
    memory: int
    peak: int


def main(arguments: list[str] | None = None) -> int:
    """Measure and print."""
    import argparse

    parser = argparse.ArgumentParser(prog="python -m benchmarks.forecast", description=__doc__)
    parser.add_argument("cases", nargs="*", help=f"which ones: {', '.join(CASES)} (default: all)")
    given = parser.parse_args(arguments)
    unknown = set(given.cases) - set(CASES)
    if unknown:
        parser.error(f"there is no {', '.join(sorted(unknown))}")
    print(f"{'':<15} {'said [s] (range)':>24} {'took [s]':>9} {'said [MB]':>10} {'held [MB]':>10}")
    for name in given.cases or CASES:
        said = measured(name)
        text = f"{said.seconds:.1f} ({said.least:.1f} - {said.most:.1f})"
        print(
            f"{name:<15} {text:>24} {said.took:>9.1f} {said.memory / 1e6:>10,.0f} {said.peak / 1e6:>10,.0f}"
        )
    return 0


def measured(name: str) -> Said:
    """Return what a dry run says of a case, and what the run takes."""
    verb, config, *more = CASES[name]
    command = ["-W", "ignore", "-m", "entangle", verb, str(ROOT / "configs" / f"{config}.toml"), *more]
    with tempfile.TemporaryDirectory() as folder:
        environment = {"ENTANGLE_CACHE": str(Path(folder) / "solutions"), "PYTHONPATH": python_path()}
        told = json.loads(python(*command, "--dry-run", "--json", **environment))
        out = ("--out", str(Path(folder) / "result.nc"))
        took, peak = spent([sys.executable, *command, *out], environment)
    return Said(
        " ".join(("entangle", verb, f"configs/{config}.toml", *more)),
        told["measuring_seconds"],
        told["seconds"],
        told["seconds_least"],
        told["seconds_most"],
        took,
        told["memory_bytes"]["total"],
        peak,
    )


def python_path() -> str:
    """Return where a process finds the package, wherever it is started."""
    return os.pathsep.join([str(ROOT), str(ROOT / "kernels"), os.environ.get("PYTHONPATH", "")])


def spent(command: list[str], environment: dict[str, str]) -> tuple[float, int]:
    """Return how long a process took by the clock [s], and the most memory that it held [bytes]."""
    start = time.perf_counter()
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=os.environ | environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stderr is not None
        errors = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{errors.decode()}")
    return time.perf_counter() - start, usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    sys.exit(main())
