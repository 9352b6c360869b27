"""What the processor can do at best, in the pieces that a crisis is made of."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from benchmarks.peers.compare import SEED
from benchmarks.peers.native import Unavailable, vectors

#: Blocks, or look-ups, in each turn.
NUMBER = 2**22


class Limit(NamedTuple):
    """A piece of work and how long it takes.

    Parameters
    ----------
    name
        What is done.
    nanoseconds
        Processor time of each turn, divided among all that it did.
    """

    name: str
    nanoseconds: list[float]

    @property
    def median(self) -> float:
        """Return the median time in nanoseconds."""
        return statistics.median(self.nanoseconds)

    @property
    def a_second(self) -> float:
        """Return how often it can be done in a second, by the median."""
        return 1e9 / self.median


class Piece(NamedTuple):
    """Work that does something so many times."""

    work: Callable[[], int]
    number: int


def measure(table: Any, repeats: int) -> list[Limit]:
    """Measure each piece by itself, in turns.

    Parameters
    ----------
    table
        Thresholds, of which the sizes are taken: all of them, and those of a round.

    Returns
    -------
    list
        A block of four Philox words; a look-up of one of 64 entries of 16 bits, by permutation; a gather of
        32 bits from random places of the thresholds of a round, and of all. All done in vectors.

    Raises
    ------
    Unavailable
        If there is no gcc or no AVX-512.
    """
    import numpy as np

    code = vectors("limits")
    everything = np.ascontiguousarray(table.cut).ravel()
    a_round = everything[: everything.size // table.rounds].copy()
    small = np.arange(64, dtype=np.uint16)
    many = 16 * NUMBER  # so short that it takes many for the clock to see them

    def gathers(values: Any) -> Piece:
        return Piece(lambda: code.gathers(values.ctypes.data, values.size, NUMBER), NUMBER)

    pieces = {
        "four random words": Piece(lambda: code.words(NUMBER, SEED), NUMBER),
        "16-bit look-up in registers": Piece(lambda: code.permutations(small.ctypes.data, many), many),
        f"32-bit gather from {a_round.nbytes / 1000:.0f} kB (a round)": gathers(a_round),
        f"32-bit gather from {everything.nbytes / 1000:.0f} kB (all)": gathers(everything),
    }
    spent: dict[str, list[float]] = {name: [] for name in pieces}
    for turn in range(repeats + 1):
        for name, piece in pieces.items():
            start = time.process_time()
            piece.work()
            if turn:  # the first one warms up
                spent[name].append((time.process_time() - start) / piece.number * 1e9)
    return [Limit(name, nanoseconds) for name, nanoseconds in spent.items()]


def show(table: Any, repeats: int) -> None:
    """Print the limits, or why they cannot be measured."""
    try:
        found = measure(table, repeats)
    except Unavailable as reason:
        print(f"The limits were not measured: {reason}.", file=sys.stderr)
        return
    print(f"\n{'limit':<36} {'ns each':>10} {'min - max':>17} {'a second':>14}")
    print("-" * 80)
    for limit in found:
        spread = f"{min(limit.nanoseconds):.3g} - {max(limit.nanoseconds):.3g}"
        print(f"{limit.name:<36} {limit.median:>10.3g} {spread:>17} {limit.a_second:>14.2e}")


if __name__ == "__main__":
    from benchmarks.common import PACTS, tables

    show(tables(PACTS[0]), 9)
