"""Finding the equilibrium of one pact in one context."""

from __future__ import annotations

import time
from typing import Any

from benchmarks.common import PACTS, lowered


class Solve:
    """Processor seconds to solve the games of a pact, and the sweeps that it takes."""

    params = PACTS
    param_names = ("pact",)
    timer = time.process_time
    number = 1
    repeat = (3, 7, 20.0)
    warmup_time = 0.0  # setup has compiled everything
    timeout = 120

    def setup(self, pact: str) -> None:
        from entangle_kernels import equilibrium

        self.solve = equilibrium.solve
        self.games = lowered(pact)[0]
        self.solve(self.games[0]._replace(rounds=1))  # compile

    def time_context(self, pact: str) -> None:
        for game in self.games:
            self.solve(game)

    def track_sweeps(self, pact: str) -> int:
        return sum(int(self.solve(game).sweeps) for game in self.games)

    track_sweeps.unit = "sweeps"  # type: ignore[attr-defined]


class Sweep:
    """Processor seconds of a single sweep: forward, backward, and the packing around them."""

    timer = time.process_time
    warmup_time = 0.1

    def setup(self) -> None:
        from entangle_kernels.equilibrium import Sweeps

        self.sweep: Any = Sweeps(lowered("treaty")[0][0])
        self.point = self.sweep.uniform()
        self.sweep(self.point)

    def time_sweep(self) -> None:
        self.sweep(self.point)


class Growth:
    """Processor seconds of a single sweep by the number of types and of rounds; and the sweeps of a solve."""

    params = ([2, 3, 5, 8], [4, 12, 24])
    param_names = ("types", "rounds")
    timer = time.process_time
    warmup_time = 0.1
    timeout = 120

    def setup(self, types: int, rounds: int) -> None:
        from entangle_kernels.equilibrium import Sweeps

        self.game = lowered("treaty", types=types, rounds=rounds)[0][-1]
        self.sweep: Any = Sweeps(self.game)
        self.point = self.sweep.uniform()
        self.sweep(self.point)

    def time_sweep(self, types: int, rounds: int) -> None:
        self.sweep(self.point)

    def track_sweeps(self, types: int, rounds: int) -> int:
        from entangle_kernels import equilibrium

        return int(equilibrium.solve(self.game).sweeps)

    track_sweeps.unit = "sweeps"  # type: ignore[attr-defined]


class Exact:
    """Processor seconds of the exact pass over a solved pact."""

    params = PACTS
    param_names = ("pact",)
    timer = time.process_time
    number = 1
    warmup_time = 0.0
    timeout = 120

    def setup(self, pact: str) -> None:
        from benchmarks.common import tables
        from entangle_kernels.exact import probabilities

        self.probabilities = probabilities
        self.tables = tables(pact)
        self.probabilities(self.tables)

    def time_exact(self, pact: str) -> None:
        self.probabilities(self.tables)
