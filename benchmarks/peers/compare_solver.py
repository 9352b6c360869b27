"""What it takes to solve a context: `python -m benchmarks.peers.compare_solver`.

Every pact of every shipped study, in and outside its area, with the parameters as they are and at draws of
the shipped posterior; then one pact with other numbers of types and rounds.
"""

from __future__ import annotations

import statistics
import sys
import time
from typing import Any, NamedTuple

from benchmarks.common import ROOT, lowered

#: Sizes that are tried, the others being as shipped.
TYPES, ROUNDS = range(2, 9), (4, 8, 12, 16, 20, 24)


class Line(NamedTuple):
    """What one game took: median processor time [ms], sweeps, whether an equilibrium was found."""

    ms: float
    sweeps: int
    found: bool


def main(arguments: list[str] | None = None) -> int:
    """Measure and print."""
    import argparse

    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers.compare_solver", description=__doc__)
    parser.add_argument("--repeats", type=int, default=5, help="solves of each game, at least 1 (default: 5)")
    parser.add_argument("--draws", type=int, default=1, help="draws of the posterior, or 0 (default: 1)")
    parser.add_argument("--each", action="store_true", help="print a line for each game as well")
    given = parser.parse_args(arguments)
    if given.repeats < 1 or given.draws < 0:
        parser.error("repeats must be at least 1, and draws at least 0")
    measured(lowered("no_pact", rounds=1)[0][0], 1)  # compile
    shipped(given.draws, given.repeats, each=given.each)
    growth("types", TYPES, given.repeats)
    growth("rounds", ROUNDS, given.repeats)
    return 0


def measured(game: Any, repeats: int) -> Line:
    """Return what a game takes; one that takes long is solved once."""
    from entangle_kernels import equilibrium

    times, sweeps, found = [], 0, True
    while len(times) < repeats and sum(times) < 500.0:
        start = time.process_time()
        try:
            sweeps = int(equilibrium.solve(game).sweeps)
        except equilibrium.ConvergenceError as error:
            sweeps, found = error.sweeps, False
        times.append((time.process_time() - start) * 1e3)
    return Line(statistics.median(times), sweeps, found)


def shipped(draws: int, repeats: int, *, each: bool) -> None:
    """Print what the shipped studies take, by set of parameters."""
    import entangle
    from entangle.fit.draws import drawn
    from entangle.fit.draws import draws as posterior
    from entangle.lowering import Setting, games, lower
    from entangle_kernels.equilibrium import MOST

    sets: list[Any] = [None, *(posterior(draws) if draws else [])]
    print(f"{'parameters':<14} {'games':>5} {'settle at once':>14} {'sweeps':>7} {'ms':>6} {'ms/sweep':>9}")
    for number, values in enumerate(sets):
        lines = []
        for path in sorted((ROOT / "configs").glob("*.toml")):
            study = entangle.load(path)
            if values is not None:
                study = study.replace(parameters=drawn(study.parameters, values))
            setting = Setting.of(study)
            for name, pact in study.pacts.items():
                for at, game in enumerate(games(lower(pact, setting), setting)[0]):
                    line = measured(game, repeats)
                    lines.append(line)
                    if each:
                        what = f"{path.stem}, {name}, game {at}" + ("" if line.found else ": not found")
                        print(f"  {what:<50} {line.sweeps:>6} sweeps {line.ms:>8.1f} ms")
        quick = [line for line in lines if line.found and line.sweeps <= MOST + 1]
        name = "as shipped" if values is None else f"draw {number}"
        sweeps = statistics.median(line.sweeps for line in quick)
        ms = statistics.median(line.ms for line in quick)
        per = statistics.median(line.ms / line.sweeps for line in quick)
        print(f"{name:<14} {len(lines):>5} {len(quick):>14} {sweeps:>7.0f} {ms:>6.1f} {per:>9.2f}")
    print("Medians over the games that settle at once, without the homotopy.\n")


def growth(what: str, sizes: Any, repeats: int) -> None:
    """Print how the cost grows with a parameter, on the treaty of configs/us_rok.toml."""
    print(f"{what:<8} {'combinations':>12} {'sweeps':>7} {'ms':>7} {'ms/sweep':>9}")
    for size in sizes:
        game = lowered("treaty", **{what: size})[0][-1]
        line = measured(game, repeats)
        number = game.theta.shape[1] ** 3 * game.estimate.shape[0] * game.scope.size
        note = "" if line.found else "  not found"
        print(f"{size:<8} {number:>12} {line.sweeps:>7} {line.ms:>7.1f} {line.ms / line.sweeps:>9.2f}{note}")
    print()


if __name__ == "__main__":
    sys.exit(main())
