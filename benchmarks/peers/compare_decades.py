"""Years between crises, beside NumPy: `python -m benchmarks.peers.compare_decades`.

As :mod:`benchmarks.peers.compare`: runs take turns, and answers are compared first. Records have to agree
to the last bit and counts exactly; sums of chances, which the two add up in another order, to 1e-9 of
themselves.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from benchmarks.common import PACTS, study
from benchmarks.peers.compare import SEED, Line, show, turns
from benchmarks.plans import played, questions

#: Something done with histories under a pact, and their number.
Compared = Callable[[Any, int], object]

YEARS = 20
#: Sums of chances: rounding errors depend on the order in which they are added up.
CLOSE = 1e-9


def main(arguments: list[str] | None = None) -> int:
    """Measure and print; return 1 if any two answers differ."""
    import argparse

    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers.compare_decades", description=__doc__)
    parser.add_argument("--repeats", type=int, default=9, help="turns, at least 1 (default: 9)")
    parser.add_argument(
        "--histories", type=int, default=2**17, help="histories of 20 years in each turn (default: 2^17)"
    )
    given = parser.parse_args(arguments)
    if given.repeats < 1 or given.histories < 1:
        parser.error("repeats and histories must be at least 1")
    lines = [line for pact in PACTS for line in against_numpy(pact, given.histories, given.repeats)]
    show(lines, given.repeats)
    return int(any(line.same == "NO" for line in lines))


def against_numpy(pact: str, size: int, repeats: int) -> list[Line]:
    """Compare histories, and histories with everything that is counted, one thread each."""
    own = played(study(pact), pact)

    def compared(engine: Compared, peer: Compared) -> list[float]:
        return turns(partial(engine, own, size), partial(peer, own, size), repeats, time.process_time)

    same = "every bit" if same_records(own, size) else "NO"
    ratios = compared(recorded, recorded_by_numpy)
    lines = [Line(f"histories, {pact}", "NumPy, same words", ratios, same)]
    same = "counts" if same_counts(counted(own, size), counted_by_numpy(own, size)) else "NO"
    ratios = compared(counted, counted_by_numpy)
    return [*lines, Line(f"and counts, {pact}", "NumPy, same counts", ratios, same)]


def recorded(own: Any, size: int, years: int = YEARS) -> None:
    """Play histories as the engine does, and let them go batch by batch, as it does when it counts."""
    from entangle_kernels import decades

    for first, number in batches(size, decades.BATCH):
        decades.record(own.contexts, own.peace, seed=SEED, first=first, size=number, years=years)


def recorded_by_numpy(own: Any, size: int, years: int = YEARS) -> None:
    """Play the same histories in NumPy."""
    from benchmarks.peers import numpy_decades

    reader = numpy_decades.Reader(own.contexts, own.peace)
    for first, number in batches(size, numpy_decades.BATCH):
        reader.record(seed=SEED, first=first, size=number, years=years)


def counted(own: Any, size: int, years: int = YEARS) -> dict[str, Any]:
    """Play and count as the engine does; disputes are not played again by other rules."""
    from entangle.expectations import EVENTS
    from entangle_kernels import census, decades

    asked = questions(own)
    found = census.nothing(asked, events=len(EVENTS), size=size, years=years)
    for first, number in batches(size, decades.BATCH):
        kept = decades.record(own.contexts, own.peace, seed=SEED, first=first, size=number, years=years)
        census.count(found, asked, own.peace, kept, start=first)
    return found._asdict()


def counted_by_numpy(own: Any, size: int, years: int = YEARS) -> dict[str, Any]:
    """Play and count the same in NumPy."""
    from benchmarks.peers import numpy_census, numpy_decades
    from entangle.expectations import EVENTS

    reader = numpy_decades.Reader(own.contexts, own.peace)
    found = numpy_census.Census(questions(own), own.peace, events=len(EVENTS), years=years)
    for first, number in batches(size, numpy_decades.BATCH):
        found.add(reader.record(seed=SEED, first=first, size=number, years=years))
    return found.result()


def batches(size: int, most: int) -> list[tuple[int, int]]:
    """Return the first history and the number of histories of each batch."""
    return [(first, min(most, size - first)) for first in range(0, size, most)]


def same_records(own: Any, size: int, years: int = YEARS) -> bool:
    """Return whether the records of the two agree to the last bit."""
    from benchmarks.peers import numpy_decades
    from entangle_kernels import decades

    for first, number in batches(size, numpy_decades.BATCH):
        which = {"seed": SEED, "first": first, "size": number, "years": years}
        ours: Any = decades.record(own.contexts, own.peace, **which)
        theirs: Any = numpy_decades.record(own.contexts, own.peace, **which)
        for a, b in zip(ours, theirs, strict=True):
            if a.dtype != b.dtype or a.tobytes() != b.tobytes():
                return False
    return True


def same_counts(ours: dict[str, Any], theirs: dict[str, Any]) -> bool:
    """Return whether everything that the peer counts is what the engine counts."""
    import numpy as np

    for name, values in theirs.items():
        if values.shape != ours[name].shape:
            return False
        if values.dtype == np.float64:
            if not np.allclose(values, ours[name], rtol=CLOSE, atol=0.0):
                return False
        elif not np.array_equal(values, ours[name]):
            return False
    return bool(theirs)


if __name__ == "__main__":
    sys.exit(main())
