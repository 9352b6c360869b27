"""What it costs to hand out tasks, and to keep a journal of them.

Tasks that do nothing, so that all that is left is sending them and hearing of them. Wall seconds: most of the
work is that of other processes. The journal's are processor seconds of this one.
"""

from __future__ import annotations

import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.common import study

TASKS = 10_000
#: What they share [bytes]: as much as the solved games of seven pacts.
SHARED = 10_000_000


def nothing(shared: bytes, seed: int, first: int, size: int) -> int:
    """Do nothing."""
    return first


class Plan:
    """A plan of ten thousand blocks, on two workers."""

    params = ("threads", "processes", "dask")
    param_names = ("where",)
    number = 1
    repeat = (2, 3, 60.0)
    warmup_time = 0.0
    timeout = 300

    def setup(self, where: str) -> None:
        self.stack = ExitStack()
        self.executor: Any = None
        if where == "processes":
            from concurrent.futures import ProcessPoolExecutor
            from multiprocessing import get_context

            pool = ProcessPoolExecutor(2, mp_context=get_context("spawn"))
            self.executor = self.stack.enter_context(pool)
        elif where == "dask":
            import distributed

            make: Any = distributed.LocalCluster
            cluster = self.stack.enter_context(
                make(n_workers=2, threads_per_worker=1, dashboard_address=None)
            )
            connect: Any = distributed.Client
            self.executor = self.stack.enter_context(connect(cluster))
        self.play(100)

    def teardown(self, where: str) -> None:
        self.stack.close()

    def play(self, number: int) -> None:
        from entangle.executors import Task, completed

        tasks = (Task(0, i, 1) for i in range(number))
        workers = 2 if self.executor is None else None
        done = completed(nothing, bytes(SHARED), tasks, executor=self.executor, workers=workers)
        assert sum(1 for _ in done) == number

    def time_tasks(self, where: str) -> None:
        """Send ten thousand tasks that do nothing, and hear of each."""
        self.play(TASKS)


class Journal:
    """Two pacts, 2^24 trajectories."""

    params = (False, True)
    param_names = ("kept",)
    timer = time.process_time
    number = 1
    repeat = (2, 5, 60.0)
    warmup_time = 0.0
    timeout = 300

    def setup(self, kept: bool) -> None:
        self.study = study("no_pact", "treaty")
        self.study.run(trajectories=1)  # compile

    def time_run(self, kept: bool) -> None:
        """Run, and keep a journal or none."""
        with tempfile.TemporaryDirectory() as folder:
            journal = Path(folder) / "journal" if kept else None
            self.study.run(trajectories=2**24, seed=7, journal=journal)
