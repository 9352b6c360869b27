"""Two threads against one: `python -m benchmarks.threads`.

The same histories, or the same crises, played by one thread and by two in turns, by the clock on the wall;
everything is solved before. It needs two cores that do nothing else: beside the ratio stands how many were
free, as the processor time that two threads got for each second of the clock.
"""

from __future__ import annotations

import statistics
import sys
import time
from typing import Any

from benchmarks.common import PACTS, study


def main(arguments: list[str] | None = None) -> int:
    """Measure and print."""
    import argparse

    parser = argparse.ArgumentParser(prog="python -m benchmarks.threads", description=__doc__)
    parser.add_argument("--histories", type=int, default=10**7, help="under each pact (default: 10^7)")
    parser.add_argument("--crises", type=int, help="crises instead of histories")
    parser.add_argument("--repeats", type=int, default=5, help="turns, at least 1 (default: 5)")
    parser.add_argument("--store", action="store_true", help="keep it for docs/performance.md")
    given = parser.parse_args(arguments)
    if min(given.histories, given.repeats, given.crises or 1) < 1:
        parser.error("histories, crises and repeats must be at least 1")
    what = "histories" if given.crises is None else "crises"
    found = measured(what, given.crises or given.histories, given.repeats)
    show(found)
    if given.store:
        from benchmarks.performance import store

        store.keep(f"threads, {what}", found)
    return 0


def measured(what: str, number: int, repeats: int) -> dict[str, Any]:
    """Return the times that one and two threads took [s], turn by turn, and how many cores two had."""
    play = _histories(number) if what == "histories" else _crises(number)
    one: list[float] = []
    two: list[float] = []
    free: list[float] = []
    for _ in range(repeats):
        for threads, times in ((1, one), (2, two)):
            start, used = time.perf_counter(), time.process_time()
            play(threads)
            times.append(time.perf_counter() - start)
            if threads == 2:
                free.append((time.process_time() - used) / times[-1])
    return {"what": what, "number": number, "one": one, "two": two, "free": free}


def _histories(number: int) -> Any:
    from entangle import decades
    from entangle.playing import played

    asked = study(*PACTS)
    work = decades.work_of(
        decades.outline(asked, number=number, seed=7), decades.prepared(asked, None, None)[2]
    )

    def play(threads: int) -> None:
        total = decades.Total()
        for _, part in played(work, 0, number, workers=threads):
            total.add(part)

    return play


def _crises(number: int) -> Any:
    from entangle import engine

    plan = engine.prepared(study(*PACTS))[1]
    return lambda threads: engine.simulate(plan, seed=7, trajectories=number, workers=threads)


def ratios(found: dict[str, Any]) -> list[float]:
    """Return how many times as fast two threads were, turn by turn."""
    return [one / two for one, two in zip(found["one"], found["two"], strict=True)]


def show(found: dict[str, Any]) -> None:
    """Print what was found."""
    each = ratios(found)
    print(f"{found['number']:,} {found['what']} under {len(PACTS)} pacts, {len(each)} turns:")
    for name, times in (("one thread", found["one"]), ("two threads", found["two"])):
        print(f"  {name:<12} {statistics.median(times):8.2f} s ({min(times):.2f} - {max(times):.2f})")
    print(f"  two are {statistics.median(each):.2f} times as fast ({min(each):.2f} - {max(each):.2f});")
    print(f"  they had {statistics.median(found['free']):.2f} processors.")


if __name__ == "__main__":
    sys.exit(main())
