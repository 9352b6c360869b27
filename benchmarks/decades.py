"""Years between crises: playing and counting histories, solving the contexts that they read, and memory.

Seconds per history and year, not histories per second: asv takes smaller for better.
"""

from __future__ import annotations

import gc
import statistics
import time
from typing import Any

from benchmarks.common import PACTS, study
from benchmarks.plans import played


def small_study(*pacts: str) -> Any:
    """Return a study with smaller games and a coarser grid, whose contexts are solved in seconds."""
    asked = study(*pacts)
    return asked.replace(
        parameters=asked.parameters.replace(types=3, rounds=6),
        peacetime=asked.peacetime.replace(context_error=0.02),
    )


class Play:
    """Blocks of 20-year histories, played, played again by the partners' own policies, and counted."""

    params = PACTS
    param_names = ("pact",)
    timer = time.process_time
    number = 1
    repeat = (5, 15, 10.0)
    warmup_time = 0.0  # setup has compiled everything
    timeout = 120
    years = 20
    size = 2**16

    def setup(self, pact: str) -> None:
        from entangle.decades import BLOCK, Plan, play

        self.plan = Plan((played(small_study(pact), pact),), none=0, years=self.years)
        self.play, self.block = play, BLOCK
        self.play(self.plan, 7, 0, 1)  # compile

    def time_histories(self, pact: str) -> None:
        """2^16 histories in one thread."""
        for first in range(0, self.size, self.block):
            self.play(self.plan, 7, first, self.block)

    def track_nanoseconds_per_year(self, pact: str) -> float:
        spent = []
        for _ in range(5):
            start = time.process_time()
            self.time_histories(pact)
            spent.append(time.process_time() - start)
        return statistics.median(spent) / (self.size * self.years) * 1e9

    track_nanoseconds_per_year.unit = "ns/history-year"  # type: ignore[attr-defined]


class Study:
    """A whole study of decades, its contexts known: read, prepared, played, merged, tabulated.

    Processor seconds of all threads together.
    """

    timer = time.process_time
    number = 1
    repeat = (2, 5, 30.0)
    warmup_time = 0.0
    timeout = 300

    def setup(self) -> None:
        self.study = small_study(*PACTS)
        self.study.decades(histories=1)  # compile, and solve all contexts into the cache

    def time_decades(self) -> None:
        """2^18 histories of 20 years with the treaty, and without any pact."""
        self.study.decades(histories=2**18, seed=7)


class Solve:
    """Processor seconds to solve all contexts of a pact, and those without any, keeping nothing on disk."""

    timer = time.process_time
    number = 1
    repeat = (1, 3, 40.0)
    warmup_time = 0.0
    timeout = 300

    def setup(self) -> None:
        from entangle.contexts import solve_contexts
        from entangle.solve_cache import SolveCache

        self.solve, self.cache = solve_contexts, SolveCache(None)
        self.study = small_study("treaty")
        tiny = self.study.replace(parameters=self.study.parameters.replace(types=2, rounds=3))
        self.solve(tiny, "treaty", cache=self.cache)  # compile
        gc.collect()  # the crises without a pact are shared for as long as anybody holds them

    def time_contexts(self) -> None:
        self.solve(self.study, "treaty", cache=self.cache)

    def teardown(self) -> None:
        gc.collect()


class Memory:
    """Peak memory of a study of decades: counts are kept, so that it does not grow with the histories."""

    params = (10**4, 10**6)
    param_names = ("histories",)
    timeout = 300

    def setup(self, histories: int) -> None:
        self.study = small_study("no_pact")
        self.study.decades(histories=1)  # compile, and solve all contexts into the cache

    def peakmem_decades(self, histories: int) -> None:
        self.study.decades(histories=histories, seed=7, workers=2)
