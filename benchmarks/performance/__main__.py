"""What runs take and how that grows: `python -m benchmarks.performance`.

Measures everything below in turn, which takes some minutes and needs an otherwise idle machine, keeps what
was found in `benchmarks/performance/measured.json`, and writes `docs/performance.md` with its pictures from
that file alone. Name sections to measure these and no others; with `--page` nothing is measured.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any, Final

from benchmarks.common import python
from benchmarks.performance import growth, page, store

Measure = Callable[[bool], Any]


def _growth(quick: bool) -> Any:
    return growth.measured(1 if quick else 5, quick=quick)


def _million(quick: bool) -> Any:
    from benchmarks import million

    histories = 10**5 if quick else 10**6
    return million.stored(million.turns(histories, 1 if quick else 5, 2), histories, 2)


def _crises(quick: bool) -> Any:
    from benchmarks import threads

    return threads.measured("crises", 10**6 if quick else 3 * 10**7, 3 if quick else 5)


def _histories(quick: bool) -> Any:
    from benchmarks import threads

    # 10^7 take ten minutes: `python -m benchmarks.threads --store`
    return threads.measured("histories", 10**5 if quick else 5 * 10**5, 3 if quick else 5)


def _memory(quick: bool) -> Any:
    from benchmarks import memory

    return memory.measured(7 if quick else 9, [1, 2])


def _forecasts(quick: bool) -> Any:
    from benchmarks import forecast

    return [forecast.measured(name)._asdict() for name in (forecast.SHORT if quick else forecast.CASES)]


SECTIONS: Final[dict[str, Measure]] = {
    "growth": _growth,
    "million": _million,
    "threads, crises": _crises,
    "threads, histories": _histories,
    "memory": _memory,
    "forecasts": _forecasts,
}


def main(arguments: list[str] | None = None) -> int:
    """Measure, and write the page."""
    import argparse

    parser = argparse.ArgumentParser(prog="python -m benchmarks.performance", description=__doc__)
    parser.add_argument("sections", nargs="*", help=f"{'; '.join(SECTIONS)} (default: all)")
    parser.add_argument("--quick", action="store_true", help="fewer turns, and only what is small")
    parser.add_argument("--page", action="store_true", help="measure nothing: only write the page again")
    given = parser.parse_args(arguments)
    unknown = set(given.sections) - set(SECTIONS)
    if unknown:
        parser.error(f"there is no section {', '.join(sorted(unknown))}")
    wanted = [] if given.page else given.sections or list(SECTIONS)
    for name in wanted:
        print(f"{name} ...", end="", flush=True)
        start = time.perf_counter()
        if len(wanted) == 1:
            store.keep(name, SECTIONS[name](given.quick))
        else:
            # each in a process of its own, so that none finds memory or code that another one left
            python("-m", "benchmarks.performance", name, *(["--quick"] if given.quick else []))
        print(f" {time.perf_counter() - start:.0f} s", flush=True)
    for path in page.write(store.read()):
        print(path.relative_to(store.ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main())
