"""From a study to a result: solve every pact's games, then count crises block by block.

The unit of work is a block of :data:`BLOCK` trajectories, a pure function of (tables, seed, first
trajectory, size). Counts are whole numbers, so that merging them is exact in any order, and trajectories are
never held: memory does not grow with their number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from entangle.executors import Task, completed, worker_count
from entangle.solving import prepare
from entangle_kernels import crisis
from entangle_kernels.exact import CELLS
from entangle_kernels.quantise import Tables

if TYPE_CHECKING:
    from distributed import Client

    from entangle.result import Result
    from entangle.study import Study

#: Trajectories in a block; the last one of a run may be shorter.
BLOCK: Final = 65_536
#: Most blocks in one task: about 8 million trajectories, a tenth of a second or more.
_MOST_BLOCKS: Final = 128

Counts = NDArray[np.int64]


def exact(study: Study) -> Result:
    """Return the exact probabilities of every outcome under every pact of `study`.

    Raises
    ------
    ConvergenceError
        If a pact's equilibrium could not be found.
    """
    from entangle.tabulate import tabulate

    return tabulate(study, prepare(study), counts=None)


def run(
    study: Study,
    *,
    executor: Executor | Client | None = None,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Result:
    """Return the counts of a simulation as the study asks for it, beside the exact probabilities.

    Parameters
    ----------
    executor
        Where blocks are computed; threads of this process if not given.
    workers
        Number of threads when no executor is given; the processors available if not given.
    progress
        Called with (blocks done, blocks in all), the blocks of all pacts together, in this thread.

    Raises
    ------
    ConvergenceError
        If a pact's equilibrium could not be found.
    RunError
        If the executor's processes or the cluster failed.
    """
    from entangle.tabulate import tabulate

    worker_count(executor, workers)  # a wrong argument is told before any work
    prepared = prepare(study, workers=workers)
    counts = simulate(
        {name: pact.tables for name, pact in prepared.items()},
        seed=study.simulation.seed,
        trajectories=study.simulation.trajectories,
        executor=executor,
        workers=workers,
        progress=progress,
    )
    return tabulate(study, prepared, counts=counts)


def simulate(
    tables: Mapping[str, Tables],
    *,
    seed: int,
    trajectories: int,
    first: int = 0,
    executor: Executor | Client | None = None,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Counts]:
    """Count how trajectories `first` ... `first + trajectories - 1` end under each pact.

    Returns
    -------
    dict of arrays
        For each pact, counts of shape :data:`~entangle_kernels.exact.CELLS`, summing to `trajectories`.
    """
    blocks = -(-trajectories // BLOCK)
    total = blocks * len(tables)
    # tasks long enough to be worth sending, short enough that no worker idles at the end
    share = total // (8 * worker_count(executor, workers))
    step = BLOCK * min(max(share, 1), _MOST_BLOCKS)
    counts = {name: np.zeros(CELLS, np.int64) for name in tables}
    done = 0
    stream = completed(
        block_counts,
        tables,
        _tasks(tables, seed, first, trajectories, step),
        executor=executor,
        workers=workers,
    )
    with closing(stream):  # an interrupt withdraws what has not begun
        for task, (cells, numbers) in stream:
            counts[task.key].ravel()[cells] += numbers
            done += -(-task.size // BLOCK)
            if progress is not None:
                progress(done, total)
    return counts


def block_counts(tables: Tables, seed: int, first: int, size: int) -> tuple[Counts, Counts]:
    """Count how trajectories `first` ... `first + size - 1` end: cells that occurred, and how often.

    Returns
    -------
    tuple of arrays
        Indices into the flattened :data:`~entangle_kernels.exact.CELLS`, ascending, and their counts. A few
        hundred numbers, where the whole table has 36 864.
    """
    counts = crisis.simulate(_own(tables), seed=seed, first=first, size=size).ravel()
    cells = np.flatnonzero(counts).astype(np.int64)
    return cells, counts[cells]


def _tasks(
    tables: Mapping[str, Tables], seed: int, first: int, trajectories: int, step: int
) -> Iterator[Task]:
    """Yield the tasks of all pacts, block by block, without ever listing them."""
    for start in range(0, trajectories, step):
        size = min(step, trajectories - start)
        for name in tables:
            yield Task(name, seed, first + start, size)


def _own(tables: Tables) -> Tables:
    """Return the tables with writable arrays, for which code is compiled already.

    Arrays that came from another process may be read-only, which is another type to the compiler.
    """
    read_only: dict[str, Any] = {
        name: value.copy()
        for name, value in tables._asdict().items()
        if isinstance(value, np.ndarray) and not value.flags.writeable
    }
    return tables._replace(**read_only)
