"""Memory of a run: counts are kept, never trajectories, so that it does not grow with their number."""

from __future__ import annotations

from benchmarks.common import study


class Run:
    """Peak memory of a run, the interpreter and its libraries included (about 200 MB)."""

    params = (10**5, 10**7)
    param_names = ("trajectories",)
    timeout = 300

    def setup(self, trajectories: int) -> None:
        self.study = study("no_pact")
        self.study.run(trajectories=1)  # compile

    def peakmem_run(self, trajectories: int) -> None:
        self.study.run(trajectories=trajectories, seed=7, workers=2)
