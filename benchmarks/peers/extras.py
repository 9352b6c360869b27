"""What more than a plain run costs: `python -m benchmarks.peers.extras`.

Attribution and pairs of pacts on top of simulated crises; conditional estimates, attribution and the sixteen
worlds on top of histories of 20 years. Each is held against the run without it, in turns, processor time of
one thread; contexts are solved beforehand.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

from benchmarks.common import PACTS
from benchmarks.decades import small_study
from benchmarks.peers import compare
from benchmarks.peers.compare import SEED, Line
from benchmarks.plans import played, questions

YEARS = 20


def main(arguments: list[str] | None = None) -> int:
    """Measure and print."""
    import argparse

    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers.extras", description=__doc__)
    parser.add_argument("--repeats", type=int, default=9, help="turns, at least 1 (default: 9)")
    parser.add_argument(
        "--trajectories", type=int, default=2**23, help="crises to simulate in each turn (default: 2^23)"
    )
    parser.add_argument("--histories", type=int, default=2**14, help="histories in each turn (default: 2^14)")
    given = parser.parse_args(arguments)
    if min(given.repeats, given.trajectories, given.histories) < 1:
        parser.error("repeats, trajectories and histories must be at least 1")
    lines = compare.attribution(given.trajectories, given.repeats)
    lines += histories(given.histories, given.repeats)
    compare.show(lines, given.repeats)
    return int(any(line.same == "NO" for line in lines))


def histories(size: int, repeats: int) -> list[Line]:
    """Compare histories that are played and counted with what may be asked of them besides."""
    import numpy as np

    from entangle import decade_channels
    from entangle_kernels import census, decades

    asked = small_study("treaty")
    own = played(asked, PACTS[0])
    every = questions(own)
    # no quantity is expected, and there is none whose first passage is
    none = every._replace(expected=np.ascontiguousarray(own.expected[..., :0]))

    def play(wanted: Any, *, events: int, rivals: tuple[Any, ...] = ()) -> Any:
        found = census.nothing(wanted, events=events, size=size, years=YEARS, others=len(rivals))
        for start in range(0, size, decades.BATCH):
            which = {"seed": SEED, "first": start}
            kept = decades.record(
                own.contexts, own.peace, **which, size=min(decades.BATCH, size - start), years=YEARS
            )
            others = [decades.again(rival, kept, **which) for rival in rivals]
            census.count(found, wanted, own.peace, kept, others, start=start)
        return found.happened

    def plain() -> Any:
        return play(none, events=0)

    from entangle.expectations import EVENTS

    channels = decade_channels._plan(asked, PACTS[0], None, None)
    ways: dict[str, Callable[[], Any]] = {
        "conditional estimates": lambda: play(every, events=len(EVENTS)),
        "attribution": lambda: play(none, events=0, rivals=own.rivals),
        "16 worlds": lambda: decade_channels.play(channels, SEED, 0, size),
    }
    expected = plain()
    lines = []
    for name, way in ways.items():
        found = way()
        same = found.shape != expected.shape or bool((found == expected).all())
        ratios = compare.turns(plain, way, repeats, time.process_time)
        lines.append(Line("histories", name, ratios, "counts" if same else "NO"))
    return lines


if __name__ == "__main__":
    sys.exit(main())
