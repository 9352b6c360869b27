"""Simulating crises from the thresholds of a solved pact.

Seconds per trajectory, not trajectories per second: asv takes smaller for better.
"""

from __future__ import annotations

import statistics
import time

from benchmarks.common import PACTS, tables


class Simulate:
    """One block after another, in one thread."""

    params = PACTS
    param_names = ("pact",)
    timer = time.process_time
    number = 1
    repeat = (5, 15, 5.0)
    warmup_time = 0.1
    timeout = 120
    size = 2**20

    def setup(self, pact: str) -> None:
        from entangle_kernels.crisis import simulate

        self.simulate = simulate
        self.tables = tables(pact)
        self.simulate(self.tables, seed=7, first=0, size=1)  # compile

    def time_million(self, pact: str) -> None:
        """2^20 trajectories."""
        self.simulate(self.tables, seed=7, first=0, size=self.size)

    def track_nanoseconds_per_trajectory(self, pact: str) -> float:
        spent = []
        for _ in range(5):
            start = time.process_time()
            self.simulate(self.tables, seed=7, first=0, size=self.size)
            spent.append(time.process_time() - start)
        return statistics.median(spent) / self.size * 1e9

    track_nanoseconds_per_trajectory.unit = "ns/trajectory"  # type: ignore[attr-defined]
