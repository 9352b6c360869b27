"""The same crises in every way there is: the engine with and without AVX-512, NumPy, JAX, and C."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from benchmarks.common import tables
from benchmarks.peers.compare import SEED, Line
from benchmarks.peers.native import Unavailable

ENGINE = "engine"


class Crises(NamedTuple):
    """What simulating the crises of a pact took.

    Parameters
    ----------
    size
        Trajectories in each turn.
    rounds
        Rounds that their crises took, each counted once for each crisis; 0 if that cannot be counted here.
    seconds
        Processor time of every turn, by the way of simulating.
    same
        Whether its counts are those of the engine.
    skipped
        Why a way was left out.
    """

    pact: str
    size: int
    rounds: int
    seconds: dict[str, list[float]]
    same: dict[str, bool]
    skipped: dict[str, str]

    def ratios(self, peer: str) -> list[float]:
        """Return how many times as long as the engine a peer took in each turn."""
        return [own / engine for own, engine in zip(self.seconds[peer], self.seconds[ENGINE], strict=True)]

    def nanoseconds(self, peer: str, each: int) -> float:
        """Return the median time, divided among so many."""
        return statistics.median(self.seconds[peer]) / each * 1e9

    def lines(self) -> list[Line]:
        """Return the comparisons with the engine."""
        return [
            Line(f"simulate, {self.pact}", peer, self.ratios(peer), "counts" if same else "NO")
            for peer, same in self.same.items()
        ]


def measured(pact: str, size: int, repeats: int) -> Crises:
    """Compare all counts with the engine's, then let everybody take turns."""
    from entangle_kernels.crisis import simulate

    table = tables(pact)
    draw = {"seed": SEED, "first": 0, "size": size}
    expected = simulate(table, **draw)
    ways: dict[str, Callable[..., Any]] = {ENGINE: simulate}
    same, skipped = {}, {}
    for name, peer in peers().items():
        try:
            same[name] = bool((peer(table, **draw) == expected).all())
        except (Unavailable, ValueError) as reason:
            skipped[name] = str(reason)
        else:
            ways[name] = peer
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(repeats):
        for name, way in ways.items():
            start = time.process_time()
            way(table, **draw)
            seconds[name].append(time.process_time() - start)
    return Crises(pact, size, _rounds(table, draw), seconds, same, skipped)


def peers() -> dict[str, Callable[..., Any]]:
    """Return every other way to simulate, by its name; using one may raise `Unavailable`."""
    from benchmarks.peers import jax_crisis, native, numpy_crisis

    return {
        "engine, no AVX-512": _without_vectors,
        "NumPy, same words": numpy_crisis.simulate,
        "JAX on the CPU": jax_crisis.simulate,
        "C, plain": native.scalar,
        "C, AVX-512 by hand": native.avx512,
    }


def _without_vectors(table: Any, **draw: int) -> Any:
    """Simulate as the engine does on processors without AVX-512."""
    from entangle_kernels import crisis, vectors

    if not vectors.AVAILABLE:
        raise Unavailable("it is what the engine does here anyway")
    return crisis.simulate_plainly(table, **draw)


def _rounds(table: Any, draw: dict[str, int]) -> int:
    from benchmarks.peers import native

    try:
        return native.rounds(table, **draw)
    except Unavailable:
        return 0


def show(found: list[Crises]) -> None:
    """Print what a trajectory and a round take, and who was left out and why."""
    print(f"\n{'simulate':<11} {'by':<20} {'ns a trajectory':>15} {'min - max':>15} {'ns a round':>12}")
    print("-" * 80)
    for each in found:
        for name, seconds in each.seconds.items():
            nanoseconds = [second / each.size * 1e9 for second in seconds]
            spread = f"{min(nanoseconds):.3g} - {max(nanoseconds):.3g}"
            a_round = f"{each.nanoseconds(name, each.rounds):.3g}" if each.rounds else "?"
            middle = f"{each.nanoseconds(name, each.size):.3g}"
            print(f"{each.pact:<11} {name:<20} {middle:>15} {spread:>15} {a_round:>12}")
    print("\nAll that a trajectory takes, also divided by its rounds; all threads together.")
    if all(each.rounds for each in found):
        rounds = ", ".join(f"{each.rounds / each.size:.3g} ({each.pact})" for each in found)
        print(f"Rounds a trajectory: {rounds}.")
    for name, reason in {name: why for each in found for name, why in each.skipped.items()}.items():
        print(f"{name} was skipped: {reason}.", file=sys.stderr)
