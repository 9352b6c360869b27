"""A whole study: lowered, solved, simulated, tabulated.

Processor seconds of all threads together, so that neither the number of processors nor other work moves them.
"""

from __future__ import annotations

import time

from benchmarks.common import study


class Study:
    """Five pacts between the United States and South Korea."""

    timer = time.process_time
    number = 1
    repeat = (2, 5, 30.0)
    warmup_time = 0.0
    timeout = 300

    def setup(self) -> None:
        study("no_pact").run(trajectories=1)  # compile
        self.study = study()

    def time_exact(self) -> None:
        self.study.exact()

    def time_run(self) -> None:
        """2^18 trajectories under each pact."""
        self.study.run(trajectories=2**18, seed=7)


class Load:
    """From the TOML file to a validated study."""

    timer = time.process_time
    warmup_time = 0.1

    def setup(self) -> None:
        study()

    def time_load(self) -> None:
        study()
