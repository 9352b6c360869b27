"""What Dask costs beside bare threads, and what a task costs by itself.

    python -m benchmarks.overhead [--trajectories N] [--repeats N] [--tasks N]

plays the same disputes, on two workers each, by bare threads (two, each with a half of the blocks, nothing
between them and the compiled core), by the engine's own threads, by two processes and by a Dask cluster of
two workers with one thread each. They take turns, the order changes from turn to turn, and what is told is
the ratio to the bare threads of the same turn: median, least and most. A cluster takes some time of its own
even if it idles, so the bare threads are also measured before it is there. Then it hands out tasks that do
nothing.

It wants two idle cores: how many there were is told at the end.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from multiprocessing import get_context
from typing import Any

import numpy as np

from benchmarks.common import study
from benchmarks.scheduling import SHARED, nothing

WORKERS = 2
WAYS = ("bare", "threads", "processes", "dask")


@contextmanager
def executors() -> Iterator[dict[str, Any]]:
    """Yield what tasks can be handed to, by name; None for the engine's own threads."""
    import distributed

    make: Any = distributed.LocalCluster
    connect: Any = distributed.Client
    with ExitStack() as stack:
        pool = stack.enter_context(ProcessPoolExecutor(WORKERS, mp_context=get_context("spawn")))
        cluster = stack.enter_context(
            make(n_workers=WORKERS, threads_per_worker=1, dashboard_address=None, silence_logs=50)
        )
        yield {"threads": None, "processes": pool, "dask": stack.enter_context(connect(cluster))}


def bare(plan: Any, seed: int, trajectories: int) -> Any:
    """Play disputes in two threads that know nothing of tasks."""
    from entangle.blocks import BLOCK, play
    from entangle.engine import Tally

    blocks = -(-trajectories // BLOCK)
    half = min(blocks // 2 * BLOCK, trajectories)
    # as long as the engine's: what a kernel takes a block does not depend on it
    step = 64 * BLOCK

    def part(first: int, stop: int) -> Any:
        counted = Tally.empty(len(plan.worlds))
        for start in range(first, stop, step):
            counted.add(start, play(plan, seed, start, min(step, stop - start)))
        return counted

    with ThreadPoolExecutor(WORKERS) as pool:
        one, other = pool.map(part, (0, half), (half, trajectories))
    return one.merged(other)


def timed(action: Callable[[], Any]) -> tuple[float, Any]:
    """Return the seconds on the wall, and what came of it."""
    began = time.perf_counter()
    made = action()
    return time.perf_counter() - began, made


def alone(plan: Any, trajectories: int, repeats: int) -> list[float]:
    """Return the seconds that bare threads take as long as there is no cluster."""
    bare(plan, 1, 2**21)  # compile
    return [timed(lambda: bare(plan, 1, trajectories))[0] for _ in range(repeats)]


def disputes(plan: Any, own: dict[str, Any], trajectories: int, repeats: int, before: list[float]) -> None:
    """Print what playing the same disputes takes in every way."""
    from entangle import engine

    ways: dict[str, Callable[[int], Any]] = {"bare": lambda n: bare(plan, 1, n)}

    def on(executor: Any) -> Callable[[int], Any]:
        workers = WORKERS if executor is None else None
        return lambda n: engine.simulate(plan, seed=1, trajectories=n, executor=executor, workers=workers)

    ways |= {name: on(executor) for name, executor in own.items()}
    for way in ways.values():
        way(2**21)  # compile, and bring the workers what they share
    walls: dict[str, list[float]] = {name: [] for name in WAYS}
    for turn in range(repeats):
        order = list(WAYS)[turn % len(WAYS) :] + list(WAYS)[: turn % len(WAYS)]
        counts = {}
        for name in order:
            wall, made = timed(lambda way=ways[name]: way(trajectories))
            walls[name].append(wall)
            counts[name] = made.counts
        assert all(np.array_equal(counts["bare"], other) for other in counts.values()), "other counts"
    print(f"{trajectories:,} disputes in {len(plan.worlds)} worlds, {WORKERS} workers, {repeats} turns")
    print(f"  bare, before there was a cluster: {_range(before)} s")
    for name in WAYS:
        ratios = [a / b for a, b in zip(walls[name], walls["bare"], strict=True)]
        print(
            f"  {name:9s} {_range(walls[name]):>20s} s   / bare {statistics.median(ratios):.3f}"
            f"  ({min(ratios):.3f} – {max(ratios):.3f})"
        )


def _range(seconds: list[float]) -> str:
    return f"{statistics.median(seconds):.2f} ({min(seconds):.2f} – {max(seconds):.2f})"


def tasks(own: dict[str, Any], number: int, repeats: int) -> None:
    """Print what a task that does nothing takes."""
    from entangle.executors import Task, completed

    shared = bytes(SHARED)
    print(f"{number:,} tasks that do nothing, {repeats} turns: microseconds a task")
    for name, executor in own.items():
        workers = WORKERS if executor is None else None

        def play(count: int, executor: Any = executor, workers: int | None = workers) -> int:
            given = (Task(0, i, 1) for i in range(count))
            return sum(1 for _ in completed(nothing, shared, given, executor=executor, workers=workers))

        play(100)
        walls = [timed(lambda: play(number))[0] / number * 1e6 for _ in range(repeats)]
        print(f"  {name:9s} {statistics.median(walls):7.0f}  ({min(walls):.0f} – {max(walls):.0f})")


def idle(seconds: float = 1.0) -> float:
    """Return how many processors this process and those beside it leave free."""
    import psutil

    return float(sum(100 - busy for busy in psutil.cpu_percent(seconds, percpu=True)) / 100)


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--trajectories", type=int, default=10**8)
    parser.add_argument("--repeats", type=int, default=4)
    parser.add_argument("--tasks", type=int, default=10_000)
    given = parser.parse_args()
    from entangle import engine

    free = idle()
    _, plan, _ = engine.prepared(study())
    before = alone(plan, given.trajectories, given.repeats)
    with executors() as own:
        disputes(plan, own, given.trajectories, given.repeats, before)
        tasks(own, given.tasks, min(given.repeats, 2))
    print(f"{free:.1f} of {os.cpu_count()} processors were idle before")


if __name__ == "__main__":
    sys.exit(main())
