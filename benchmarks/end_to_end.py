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
        """2^18 trajectories under each pact, compared dispute by dispute."""
        self.study.run(trajectories=2**18, seed=7)

    def time_run_without_attribution(self) -> None:
        """2^18 trajectories under each pact, counted alone."""
        self.study.run(trajectories=2**18, seed=7, attribution=False)

    def time_channels(self) -> None:
        """Sixteen worlds of each pact, exactly."""
        self.study.channels()

    def time_sample_given(self) -> None:
        """A thousand disputes that end in general nuclear war."""
        self.study.sample_given("general_war", n=1000)


class Load:
    """From the TOML file to a validated study."""

    timer = time.process_time
    warmup_time = 0.1

    def setup(self) -> None:
        study()

    def time_load(self) -> None:
        study()
