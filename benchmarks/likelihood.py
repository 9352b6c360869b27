"""What one evaluation of the likelihood costs: a population of crises, solved and held to the record."""

from __future__ import annotations

import statistics
import time
from typing import Any


class Likelihood:
    """Processor seconds in one thread, at draws from the priors and at those of the shipped posterior.

    Where the figures hold, choices are sharper than at the priors, and games take more sweeps.
    """

    params = (("prior", "posterior"), (8, 32))
    param_names = ("points", "members")
    timer = time.process_time
    number = 1
    repeat = (3, 5, 30.0)
    warmup_time = 0.0  # setup has compiled everything
    timeout = 300
    size = 8

    def setup(self, points: str, members: int) -> None:
        import numpy as np

        from entangle.evidence.moments import shipped
        from entangle.fit import draws
        from entangle.fit.likelihood import FITTED, Likelihood

        self.likelihood: Any = Likelihood.of(shipped(), members=members)
        if points == "prior":
            self.points = np.random.default_rng(7).standard_normal((self.size, len(FITTED)))
        else:
            self.points = draws.shipped()["sample_stats"]["normal"].values[0, : self.size]
        Likelihood.of(shipped(), members=1)(self.points[:1])  # compile

    def time_evaluations(self, points: str, members: int) -> None:
        """Eight evaluations."""
        self.likelihood(self.points)

    def track_milliseconds_per_member(self, points: str, members: int) -> float:
        spent = []
        for _ in range(3):
            start = time.process_time()
            self.likelihood(self.points)
            spent.append(time.process_time() - start)
        return statistics.median(spent) / (self.size * members) * 1e3

    track_milliseconds_per_member.unit = "ms/member"  # type: ignore[attr-defined]
