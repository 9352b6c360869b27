"""Costs that do not depend on the clock, held against stored ones: `python -m benchmarks.costs`.

    python -m benchmarks.costs            # what moved; exit 1 if anything grew by more than it may
    python -m benchmarks.costs --write    # store what is measured now

Sweeps of the solver for every shipped study, contexts, rounds and random words of a crisis, bytes of tables,
of what a task holds and hands back, of journals and of results; how many functions are compiled, bytes of
their machine code, and instructions where the processor counts them. What a task holds and the last three
depend on the processor, which may have vector instructions or not, and on versions: they are stored for one
such machine, and on others they are left out, and it is said. Wall time is never looked at. A cost that falls
is told and is no failure.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any, Final, NamedTuple

from benchmarks.common import PACTS, ROOT, python, study, tables

STORED: Final = Path(__file__).with_name("costs.toml")

#: By how much a cost may grow, as a share of the stored one.
#: Sweeps: the last bit of `exp` may differ between C libraries, and a search end a sweep sooner or later.
#: Rounds and words: they are exact, but for the last digits of an equilibrium. Held: Python's own objects.
#: Files: another version of HDF5 or zlib lays them out otherwise. Code: other versions of what they call.
#: Instructions: interrupts.
TOLERANCES: Final = {
    "sweeps": 0.02,
    "contexts": 0.0,
    "rounds": 1e-6,
    "words": 1e-6,
    "table_bytes": 0.0,
    "part_bytes": 0.0,
    "held_bytes": 0.02,
    "journal_bytes": 0.05,
    "file_bytes": 0.05,
    "kernels": 0.0,
    "code_bytes": 0.05,
    "instructions": 0.02,
}

#: What is measured once for each kind of machine.
OF_A_MACHINE: Final = ("held_bytes", "kernels", "code_bytes", "instructions")

#: Trajectories of the two runs whose difference in instructions is taken.
FEW, MANY = 2**16, 2**20

Costs = dict[str, dict[str, float]]


class Moved(NamedTuple):
    """A cost that differs from the stored one by more than it may.

    Parameters
    ----------
    group, name
        Which one.
    was, now
        Stored and measured; None if there is none.
    """

    group: str
    name: str
    was: float | None
    now: float | None

    @property
    def worse(self) -> bool:
        """Whether that is a failure: it grew, or there is nothing to compare."""
        return self.was is None or self.now is None or self.now > self.was

    def __str__(self) -> str:
        was, now = ("nothing" if x is None else f"{x:,.12g}" for x in (self.was, self.now))
        share = f" ({self.now / self.was - 1.0:+.1%})" if self.was and self.now is not None else ""
        return f"{self.group}.{self.name}: from {was} to {now}{share}; allowed {TOLERANCES[self.group]:+.2g}"


def main(arguments: list[str] | None = None) -> int:
    """Measure, and compare or write; return 1 if a cost grew."""
    import argparse

    parser = argparse.ArgumentParser(prog="python -m benchmarks.costs", description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"store what is measured in {STORED.name}")
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--play", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--pact", default=PACTS[0], help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.play is not None:
        from entangle_kernels.crisis import simulate

        simulate(tables(given.pact), seed=7, first=0, size=given.play)
        return 0
    if given.measure:
        print(json.dumps(measured_here()))
        return 0
    found, reasons = measured()
    for reason in reasons:
        print(reason, file=sys.stderr)
    if given.write:
        write(found)
        print(f"{STORED.relative_to(ROOT)}: written")
        return 0
    moved, reasons = compare(found, read(), machine())
    for reason in reasons:
        print(reason, file=sys.stderr)
    print(message(moved))
    return int(any(one.worse for one in moved))


def message(moved: list[Moved]) -> str:
    """Return what moved, and what to do."""
    renew = f"`python -m benchmarks.costs --write`, and commit benchmarks/{STORED.name}."
    worse, better = ([one for one in moved if one.worse is which] for which in (True, False))
    lines = []
    if worse:
        lines += [
            f"Grew by more than allowed, or new or gone ({len(worse)}):",
            *(f"  {one}" for one in worse),
        ]
        lines.append(f"If that is meant: {renew}")
    if better:
        lines += [f"Fell ({len(better)}):", *(f"  {one}" for one in better)]
        lines.append(f"To hold it there: {renew}")
    return "\n".join(lines) if lines else "No cost moved."


def compare(found: Costs, stored: dict[str, Any], machine: str) -> tuple[list[Moved], list[str]]:
    """Return the costs that moved by more than they may, and what could not be compared and why."""
    moved, reasons = [], []
    for group, costs in found.items():
        if group in OF_A_MACHINE:
            known = stored.get("machines", {}).get(machine, {}).get(group)
            if known is None:
                reasons.append(f"{group} were not compared: none are stored for {machine}.")
                continue
        else:
            known = stored.get(group, {})
        for name in sorted({*costs, *known}):
            was, now = known.get(name), costs.get(name)
            if was is None or now is None or abs(now - was) > TOLERANCES[group] * abs(was):
                moved.append(Moved(group, name, was, now))
    return moved, reasons


def read(path: Path = STORED) -> dict[str, Any]:
    """Return the stored costs."""
    return tomllib.loads(path.read_text(encoding="utf-8"))


def write(found: Costs, path: Path = STORED) -> None:
    """Store costs. Those that other machines measured go: they are of other sources."""
    import tomli_w

    from entangle.files import write_whole

    machines = {machine(): {group: found[group] for group in OF_A_MACHINE if group in found}}
    whole: dict[str, Any] = {group: costs for group, costs in found.items() if group not in OF_A_MACHINE}
    head = "# Written by `python -m benchmarks.costs --write`; see that module for what is meant.\n\n"
    text = head + tomli_w.dumps(whole | {"machines": machines})
    write_whole(path, lambda partial: partial.write_text(text, encoding="utf-8"))


def machine() -> str:
    """Return a name for what machine code depends on beside the sources: the processor and the versions."""
    import llvmlite.binding as llvm
    import numba
    import numpy as np

    features = llvm.get_host_cpu_features().flatten()
    parts = (platform_text(), numba.__version__, str(llvm.llvm_version_info), np.__version__, features)
    digest = hashlib.sha256(repr(parts).encode()).hexdigest()
    return f"{llvm.get_host_cpu_name()}-numba{numba.__version__.replace('.', '_')}-{digest[:8]}"


def platform_text() -> str:
    """Return the system, the kind of processor, and the version of Python."""
    import platform

    return f"{platform.system()} {platform.machine()} {sys.version_info[:2]}"


# -- measuring -------------------------------------------------------------------------------------


def measured() -> tuple[Costs, list[str]]:
    """Return all costs, and why some could not be measured; in processes of their own."""
    arguments = ("-W", "ignore", "-m", "benchmarks.costs", "--measure")
    found, compiled = json.loads(python(*arguments, ENTANGLE_CACHE="off").splitlines()[-1])
    if compiled:  # what is compiled is not loaded: once more, with everything on disk
        found, compiled = json.loads(python(*arguments, ENTANGLE_CACHE="off").splitlines()[-1])
    try:
        return found | {"instructions": instructions()}, []
    except RuntimeError as reason:
        return found, [f"instructions were not counted: {reason}."]


def measured_here() -> tuple[Costs, int]:
    """Return the costs but for instructions, and how many functions had to be compiled."""
    loaded = _noting_what_is_loaded()
    found: Costs = {"sweeps": sweeps()} | {
        name: {} for name in TOLERANCES if name not in ("sweeps", "instructions")
    }
    _crises(found)
    _histories(found)
    dispatchers = _dispatchers()
    compiled = sum(sum(one.stats.cache_misses.values()) for one in dispatchers.values())
    found["kernels"] = {"loaded": len(loaded)}
    found["code_bytes"] = {"loaded": sum(size for _, size in loaded)}
    return found, compiled


def sweeps() -> dict[str, float]:
    """Return the sweeps that the games of each shipped study take together."""
    import entangle
    from entangle.dry_run.crises import distinct_games
    from entangle_kernels import equilibrium

    return {
        path.stem: sum(int(equilibrium.solve(game).sweeps) for game in distinct_games(entangle.load(path)))
        for path in sorted((ROOT / "configs").glob("*.toml"))
    }


def _crises(found: Costs) -> None:
    """Add what simulating crises takes."""
    from entangle import engine
    from entangle.dry_run.crises import WORDS, expected_rounds
    from entangle.dry_run.measuring import array_bytes, written

    for pact in PACTS:
        made = tables(pact)
        found["table_bytes"][pact] = array_bytes(made)
        found["rounds"][pact] = expected_rounds(made)
        found["words"][pact] = WORDS * (2.0 + expected_rounds(made))
    asked = study(*PACTS)
    plan = engine.prepared(asked, workers=1)[1]
    _task(found, "crises", engine.work_of(asked, plan), 2**16)
    result = asked.run(trajectories=1000, seed=7, workers=1)
    found["file_bytes"]["crises"] = written(result.save)[1]


def _task(found: Costs, name: str, work: Any, size: int) -> None:
    """Add what a task of a run holds, hands back, and takes in a journal."""
    from entangle.dry_run.ahead import keeping
    from entangle.dry_run.measuring import array_bytes, traced

    parts: list[Any] = [work.function(work.shared, 7, 0, size)]
    found["held_bytes"][name] = traced(lambda: parts.append(work.function(work.shared, 7, 0, size)))
    found["part_bytes"][name] = sum(map(array_bytes, work.told.pack(parts[0]).values()))
    found["journal_bytes"][name] = keeping(work, 0, size, parts[0]).size


def _histories(found: Costs) -> None:
    """Add what contexts take when nothing is on disk, and decades."""
    from benchmarks.decades import small_study
    from entangle import decades
    from entangle.decades import count_histories
    from entangle.decades_data import tabulated
    from entangle.decades_result import Decades
    from entangle.dry_run.measuring import written

    asked = small_study(*PACTS)
    plan = decades.prepared(asked, 1, None)[2]
    told = decades.outline(asked, number=2000, seed=7)
    _task(found, "decades", decades.work_of(told, plan), 2000)
    counted = count_histories(asked, number=1000, seed=7, workers=1)
    solved = counted.solved["treaty"]
    points = solved.grid.points
    found["contexts"] = {"grid": 2 * len(points), "borrowed": solved.borrowed}
    found["sweeps"]["contexts"] = sum(
        field[point].solution.sweeps for field in (solved.bound, solved.free) for point in points
    )
    found["file_bytes"]["decades"] = written(Decades(tabulated(asked, counted, seed=7)).save)[1]


def _noting_what_is_loaded() -> list[tuple[str, int]]:
    """Return a list that will hold every function that is loaded from disk, with the bytes of its code."""
    from llvmlite.binding.object_file import ObjectFileRef
    from numba.core.codegen import JITCPUCodegen

    loaded: list[tuple[str, int]] = []
    codegen: Any = JITCPUCodegen
    load = codegen.unserialize_library

    def noting(self: Any, serialized: Any) -> Any:
        name, kind, held = serialized
        if kind == "object":
            sections = ObjectFileRef.from_data(held[0]).sections()
            loaded.append((name, sum(s.size() for s in sections if s.is_text())))
        return load(self, serialized)

    codegen.unserialize_library = noting
    return loaded


def _dispatchers() -> dict[str, Any]:
    """Return all compiled functions of the core."""
    import pkgutil
    from importlib import import_module

    from numba.core.registry import CPUDispatcher

    import entangle_kernels

    found = {}
    for module in pkgutil.iter_modules(entangle_kernels.__path__, "entangle_kernels."):
        for value in vars(import_module(module.name)).values():
            if isinstance(value, CPUDispatcher):
                found[f"{value.__module__}.{value.__name__}"] = value
    return found


def instructions() -> dict[str, float]:
    """Return instructions for each trajectory.

    Raises
    ------
    RuntimeError
        If the processor does not count them here.
    """
    return {pact: (_counted(MANY, pact) - _counted(FEW, pact)) / (MANY - FEW) for pact in PACTS}


def _counted(number: int, pact: str) -> int:
    perf = shutil.which("perf")
    if perf is None:
        raise RuntimeError("there is no perf")
    command = [sys.executable, "-m", "benchmarks.costs", "--play", str(number), "--pact", pact]
    done = subprocess.run(
        [perf, "stat", "-x", ",", "-e", "instructions:u", *command],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [line.split(",") for line in done.stderr.splitlines() if "instructions" in line]
    if done.returncode or not lines or not lines[-1][0].isdigit():
        raise RuntimeError("this machine does not let perf count them")
    return int(lines[-1][0])


if __name__ == "__main__":
    sys.exit(main())
