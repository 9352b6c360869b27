"""How every run is played: what is kept comes from the journal, what is missing is computed and kept.

Parts come in no order, and whoever adds them up does so exactly, so that neither the order, nor what was
kept, nor how tasks are cut moves a bit. A rule that stops a run looks at whole stretches of the first blocks
alone, never at whatever happens to be done (see :mod:`entangle.until`).
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from entangle.errors import RunError
from entangle.executors import Task, completed, worker_count
from entangle.work import Outline, Work

if TYPE_CHECKING:
    from distributed import Client

    from entangle.journal.folder import Keeper

S = TypeVar("S")
R = TypeVar("R")


def played(
    work: Work[S, R],
    first: int,
    stop: int,
    *,
    keeper: Keeper | None = None,
    executor: Executor | Client | None = None,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Generator[tuple[Task, R], None, None]:
    """Yield what every task gives for the units from `first` to before `stop`, each unit once.

    Parameters
    ----------
    keeper
        Where parts are kept, and those that were are found.
    executor, workers
        Where tasks are computed; threads of this process if not given.
    progress
        Called with (blocks done, blocks in all).

    Raises
    ------
    JournalError
        If what is kept is damaged or belongs elsewhere.
    RunError
        If the executor failed, or a part cannot be kept.
    """
    seed, block = work.seed, work.block
    blocks, done = -(-(stop - first) // block), 0

    def tell(size: int) -> None:
        nonlocal done
        done += -(-size // block)
        if progress is not None:
            progress(done, blocks)

    missing = [(first, stop)]
    if keeper is not None:
        from entangle.journal.kept import gaps

        spans = keeper.spans(first, stop)
        missing = list(gaps(spans, first, stop))
        for span in spans:
            yield Task(seed, span.first, span.size), keeper.read(span, work)
        if spans:
            tell(sum(span.size for span in spans))
    cut = spans_of_tasks(missing, block, work.most, worker_count(executor, workers))
    tasks = (Task(seed, start, end - start) for start, end in cut)
    stream = completed(work.function, work.shared, tasks, executor=executor, workers=workers)
    with closing(_advised(stream, keeper)) as advised:  # an interrupt withdraws what has not begun
        for task, part in advised:
            if keeper is not None:
                keeper.keep(task.first, task.size, part, work)
            yield task, part
            tell(task.size)


def spans_of_tasks(
    missing: Sequence[tuple[int, int]], block: int, most: int, workers: int
) -> Iterator[tuple[int, int]]:
    """Yield from where to before where each task goes.

    A task has a share of what is left, so that nobody idles at the end, but not less than is worth sending,
    nor more than `most` blocks (guided self-scheduling; Polychronopoulos & Kuck 1987, IEEE Transactions on
    Computers 36: 1425-1439).
    """
    left = sum(-(-(end - begin) // block) for begin, end in missing)
    least = max(left // (16 * workers), 1)
    for begin, end in missing:
        start = begin
        while start < end:
            blocks = min(max(left // (4 * workers), least), most)
            stop = min(start + blocks * block, end)
            yield start, stop
            left -= -(-(stop - start) // block)
            start = stop


def _advised(
    stream: Generator[tuple[Task, R], None, None], keeper: Keeper | None
) -> Generator[tuple[Task, R], None, None]:
    """Yield from a stream; if workers fail, say that what was done is kept."""
    try:
        yield from stream
    except RunError as error:
        if keeper is None:
            raise
        raise RunError(f"{error} {keeper.told}") from error


def fill(
    work: Work[Any, Any],
    keeper: Keeper,
    *,
    executor: Executor | Client | None = None,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Compute what is missing of the keeper's share, and nothing else."""
    first, stop = keeper.shard.share(work.number, work.block)
    stream = played(work, first, stop, keeper=keeper, executor=executor, workers=workers, progress=progress)
    with closing(stream):
        for _ in stream:
            pass


@contextmanager
def opened(keeper: Keeper | None, outline: Outline) -> Iterator[None]:
    """Hold the keeper, if there is one, for as long as the run takes."""
    if keeper is None:
        yield
        return
    keeper.open(outline)
    try:
        yield
    finally:
        keeper.close()
