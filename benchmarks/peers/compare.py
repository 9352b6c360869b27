"""The engine beside other ways to the same answers: `python -m benchmarks.peers.compare`.

Prints how many times as long the other way takes, from runs that take turns, so that whatever else the
machine is doing meets both alike. Answers are compared first: a ratio between different answers says nothing.
Then what a crisis and a round of it take in every way of simulating them, and the limits of the processor.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from benchmarks.common import PACTS, ROOT, lowered, study, tables

Action = Callable[[], object]
Clock = Callable[[], float]

SEED = 7


class Line(NamedTuple):
    """A comparison: how many times as long as the engine the other takes, once for each turn."""

    engine: str
    other: str
    ratios: list[float]
    same: str


def main(arguments: list[str] | None = None) -> int:
    """Measure and print; return 1 if any two answers differ."""
    import argparse

    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers.compare", description=__doc__)
    parser.add_argument("--repeats", type=int, default=9, help="turns, at least 1 (default: 9)")
    parser.add_argument(
        "--trajectories", type=int, default=2**20, help="crises to simulate in each turn (default: 2^20)"
    )
    given = parser.parse_args(arguments)
    if given.repeats < 1 or given.trajectories < 1:
        parser.error("repeats and trajectories must be at least 1")
    from benchmarks.peers import crises, limits

    found = [crises.measured(pact, given.trajectories, given.repeats) for pact in PACTS]
    lines = [line for each in found for line in each.lines()]
    lines += against_the_twin(given.repeats)
    lines.append(threads(64 * given.trajectories, given.repeats))
    lines += attribution(given.trajectories, given.repeats)
    show(lines, given.repeats)
    crises.show(found)
    limits.show(tables(PACTS[0]), given.repeats)
    return int(any(line.same == "NO" for line in lines))


def against_the_twin(repeats: int) -> list[Line]:
    """Compare the solver with its slow twin in plain Python, on a game small enough for that."""
    sys.path.append(str(ROOT / "tests"))
    try:
        import reference
    except ImportError:
        print("tests/reference is not here: the solver is not compared with its twin.\n", file=sys.stderr)
        return []
    finally:
        sys.path.remove(str(ROOT / "tests"))
    from entangle_kernels import equilibrium

    lines = []
    tolerance = equilibrium.TOLERANCE
    for pact in PACTS:
        game = lowered(pact, types=2, rounds=3)[0][-1]
        fast = equilibrium.solve(game)
        slow = reference.solve(game, tolerance=tolerance)
        gap = policy_gap(game, fast.policy, slow, least=tolerance)
        # a residual of 1e-10 leaves the answer itself a little further off
        same = f"{gap:.0e}" if gap < 1e-8 else "NO"
        ratios = turns(
            lambda game=game: equilibrium.solve(game),
            lambda game=game: reference.solve(game, tolerance=tolerance),
            repeats,
            time.process_time,
        )
        lines.append(Line(f"solve, {pact}", "plain Python", ratios, same))
        sweeps = [ratio / slow.iterations * fast.sweeps for ratio in ratios]
        lines.append(Line(f"one sweep, {pact}", "plain Python", sweeps, same))
    return lines


def threads(size: int, repeats: int) -> Line:
    """Compare two threads with one, by the clock on the wall."""
    from entangle import engine
    from entangle.blocks import Plan

    plan = Plan((tables("treaty"),), (None,), paired=False)

    def run(workers: int) -> Any:
        return engine.simulate(plan, seed=SEED, trajectories=size, workers=workers).counts[0]

    same = bool((run(2) == run(1)).all())
    ratios = turns(lambda: run(2), lambda: run(1), repeats, time.perf_counter)
    return Line("simulate, 2 threads", "1 thread, wall clock", ratios, "counts" if same else "NO")


def attribution(size: int, repeats: int) -> list[Line]:
    """Compare counting alone with counting in pairs: rivals, no pact, and every pair of pacts."""
    from entangle import engine

    lines = []
    for name, pacts in (("one pact", ("treaty", "no_pact")), ("four pacts", ())):
        _, paired, _ = engine.prepared(study(*pacts))
        plain = engine.Plan(paired.worlds, (None,) * len(paired.worlds), paired=False)

        def run(plan: Any) -> Any:
            return engine.simulate(plan, seed=SEED, trajectories=size, workers=1).counts

        alone, pairs = partial(run, plain), partial(run, paired)
        same = bool((alone() == pairs()).all())
        ratios = turns(alone, pairs, repeats, time.process_time)
        lines.append(Line(f"{name} and none", "with attribution", ratios, "counts" if same else "NO"))
    return lines


def turns(engine: Action, other: Action, repeats: int, clock: Clock) -> list[float]:
    """Return the ratio of the two times in each of `repeats` turns."""
    ratios = []
    for _ in range(repeats):
        start = clock()
        engine()
        middle = clock()
        other()
        ratios.append((clock() - middle) / (middle - start))
    return ratios


def policy_gap(game: Any, policy: Any, twin: Any, *, least: float) -> float:
    """Return the largest difference from the twin's policy, over all information sets that are reached.

    Those less likely than `least`, the tolerance of both, do not count: beliefs there are ratios of chances
    that are smaller than what either search leaves open.
    """
    types, estimates = game.theta.shape[1], game.estimate.shape[0]
    gap = 0.0
    for ((t, actor, state), private), chosen in twin.policy.items():
        if twin.reach[(t, actor, state), private] < least:
            continue
        own = private[0] if actor == 0 else (private[0] * estimates + private[1]) * types + private[2]
        for move, chance in chosen.items():
            gap = max(gap, abs(float(policy[actor, t, state, own, move]) - chance))
    return gap


def show(lines: list[Line], repeats: int) -> None:
    """Print one table, 80 columns wide at most."""
    head = f"{'engine':<20} {'other':<21} {'other / engine':>14} {'min - max':>13}  same?"
    print(head)
    print("-" * 80)
    for line in lines:
        middle = f"{statistics.median(line.ratios):.3g}"
        spread = f"{min(line.ratios):.3g} - {max(line.ratios):.3g}"
        print(f"{line.engine:<20} {line.other:<21} {middle:>14} {spread:>13}  {line.same}")
    print(f"\nMedian of {repeats} turns; processor time of one thread unless it says otherwise.")


if __name__ == "__main__":
    sys.exit(main())
