"""Where blocks are computed: threads of this process, any executor, or a Dask cluster.

All of them do the same: keep a few tasks in flight, hand back whichever is done. What a task returns
depends on its arguments alone and the caller adds up whole numbers, so neither the place nor the
order moves a bit.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import sys
import time
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
    wait,
)
from contextlib import ExitStack, suppress
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np

from entangle.errors import RunError

if TYPE_CHECKING:
    from distributed import Client

S = TypeVar("S")
R = TypeVar("R")

#: Tasks in flight for each worker: enough that none waits, few enough that memory stays flat.
WINDOW = 4
#: After so long without a result [s] it is looked whether processes are still alive.
_LOOK = 2.0
#: So long what has arrived from a cluster that is gone may take to be handed on [s].
_GRACE = 0.5
#: So long a cluster may take to hand over a result that is done, while no other comes [s].
_FETCH = 60.0


class Task(NamedTuple):
    """A share of the work: trajectories `first` ... `first + size - 1`."""

    seed: int
    first: int
    size: int


def processors() -> int:
    """Return how many processors this process may use."""
    newer = getattr(os, "process_cpu_count", None)  # from Python 3.13
    if newer is not None:
        return newer() or 1
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def worker_count(executor: Executor | Client | None, workers: int | None) -> int:
    """Return how many tasks can run at once, as far as can be told.

    Raises
    ------
    TypeError
        If `executor` is neither an executor nor a client of Dask.
    ValueError
        If `workers` is below 1.
    RunError
        If the cluster gives no answer.
    """
    if workers is not None and workers < 1:
        raise ValueError(f"workers must be at least 1, got {workers}")
    if _is_client(executor):
        client: Any = executor
        try:
            return workers or sum(client.nthreads().values()) or 1
        except Exception as error:  # its errors are of many kinds
            raise RunError(f"The cluster does not say which workers it has: {_reason(error)}.") from error
    if executor is not None and not isinstance(executor, Executor):
        raise TypeError(
            "executor must be a concurrent.futures.Executor or a distributed.Client, "
            f"got {type(executor).__name__}"
        )
    # an executor does not say how many it has, but both of the standard library know
    return workers or getattr(executor, "_max_workers", None) or processors()


def completed(
    function: Callable[[S, int, int, int], R],
    shared: S,
    tasks: Iterator[Task],
    *,
    executor: Executor | Client | None,
    workers: int | None,
) -> Generator[tuple[Task, R], None, None]:
    """Yield every task with ``function(shared, seed, first, size)``, as they are done.

    Parameters
    ----------
    function
        A pure function of a module, so that other processes can find it.
    shared
        What all tasks share; sent to a cluster once, and to each process of a pool once.

    Raises
    ------
    RunError
        If workers died and the work could not be done elsewhere.
    """
    window = WINDOW * worker_count(executor, workers)
    if _is_client(executor):
        yield from _on_cluster(function, shared, tasks, executor, window)
        return
    with ExitStack() as stack:
        if executor is None:
            executor = stack.enter_context(ThreadPoolExecutor(workers or processors()))
        assert isinstance(executor, Executor)
        yield from _on_executor(function, shared, tasks, executor, window)


def writable(shared: S) -> S:
    """Return what tasks share with writable arrays, for which code is compiled already.

    Arrays that came from another process may be read-only, which is another type to the compiler. The last
    copy is kept: what is shared is the same for every task.
    """
    last = _LAST.get("copy")
    if last is not None and last[0] is shared:
        own: S = last[1]
        return own
    own = _writable(shared)
    if own is not shared:
        _LAST["copy"] = shared, own
    return own


_LAST: dict[str, tuple[Any, Any]] = {}


def _writable(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value if value.flags.writeable else value.copy()
    if not isinstance(value, tuple):
        return value
    parts = [_writable(part) for part in value]
    if all(ours is theirs for ours, theirs in zip(parts, value, strict=True)):
        return value
    made: Any = getattr(value, "_make", tuple)  # a named tuple stays one
    return made(parts)


class _Absent(NamedTuple):
    """What a worker answers that does not have what the tasks share."""

    key: str


def _on_executor(
    function: Callable[[S, int, int, int], R],
    shared: S,
    tasks: Iterator[Task],
    executor: Executor,
    window: int,
) -> Generator[tuple[Task, R], None, None]:
    pending: dict[Future[R | _Absent], Task] = {}
    submit = _sender(function, shared, executor, window)
    try:
        while True:
            for task in islice(tasks, window - len(pending)):
                pending[submit(task)] = task
            if not pending:
                return
            done = wait(pending, timeout=_LOOK, return_when=FIRST_COMPLETED).done
            if not done:
                _break_if_stuck(executor)
            for future in done:
                task, result = pending.pop(future), future.result()
                if isinstance(result, _Absent):
                    pending[submit(task, whole=True)] = task
                else:
                    yield task, result
    except (BrokenExecutor, CancelledError) as error:
        raise RunError(f"The executor failed before all blocks were done: {_reason(error)}.") from error
    finally:
        # an interrupt or an error: what has not begun never will
        for future in pending:
            future.cancel()


def _break_if_stuck(executor: Executor) -> None:
    """Let a pool of processes fail that waits for one that is dead.

    A process that is killed in the midst of handing back a result leaves half of it in the pipe: the pool
    waits for the rest for ever, and its other processes for their turn (seen with CPython 3.11). Without
    them, and with the pipe's last writing end closed, it notices.
    """
    if not isinstance(executor, ProcessPoolExecutor):
        return
    # none of these names is promised: where they are others, the pool is left alone
    processes = list((getattr(executor, "_processes", None) or {}).values())
    writer = getattr(getattr(executor, "_result_queue", None), "_writer", None)
    if writer is None or all(process.exitcode in (None, 0) for process in processes):
        return
    for process in processes:
        process.kill()
    if not writer.closed:
        writer.close()


def _sender(
    function: Callable[[S, int, int, int], R], shared: S, executor: Executor, window: int
) -> Callable[..., Future[R | _Absent]]:
    """Return what submits a task, with as little as possible of what all of them share.

    Threads share memory. Others may be processes, here or elsewhere, that are addressed by chance: the first
    tasks, one for each worker, bring what is shared, and a worker that has not met it asks for it.
    """
    if isinstance(executor, ThreadPoolExecutor):
        return lambda task, whole=False: executor.submit(function, shared, *task)
    packed = pickle.dumps(shared, protocol=pickle.HIGHEST_PROTOCOL)
    key = hashlib.sha256(packed).hexdigest()
    left = window // WINDOW  # one for each worker

    def submit(task: Task, *, whole: bool = False) -> Future[R | _Absent]:
        nonlocal left
        whole, left = whole or left > 0, left - 1
        return executor.submit(_with_shared, function, key, packed if whole else None, task)

    return submit


def _with_shared(
    function: Callable[[S, int, int, int], R], key: str, packed: bytes | None, task: Task
) -> R | _Absent:
    """Do a task in a worker that keeps what tasks share."""
    shared = _SHARED.get(key)
    if shared is None:
        if packed is None:
            return _Absent(key)
        # in a tuple, since anything can be shared, also None
        shared = (pickle.loads(packed),)
        while len(_SHARED) >= _MOST_SHARED:
            _SHARED.pop(next(iter(_SHARED)), None)
        _SHARED[key] = shared
    return function(shared[0], *task)


#: What the tasks of the last runs share, in a worker: two runs may take turns on one pool.
_SHARED: dict[str, tuple[Any]] = {}
_MOST_SHARED = 2


def _on_cluster(
    function: Callable[[S, int, int, int], R],
    shared: S,
    tasks: Iterator[Task],
    client: Any,
    window: int,
) -> Generator[tuple[Task, R], None, None]:
    import distributed

    as_completed: Any = distributed.as_completed  # untyped

    pending: dict[Any, Task] = {}
    try:
        # in a list: a named tuple by itself would be scattered field by field; under a name of its own: under
        # that of its content, a run that ends would take it from the next one, to which it is the same
        (held,) = client.scatter([shared], broadcast=True, hash=False)

        def submit(task: Task) -> Any:
            future = client.submit(function, held, *task, pure=False)
            pending[future] = task
            return future

        stream = as_completed([submit(task) for task in islice(tasks, window)], with_results=True)
        while pending:
            _wait_for_one(stream, client, pending)
            future, result = next(stream)
            if isinstance(result, BaseException):  # so is told that the scheduler went away
                raise result
            yield pending.pop(future), result
            for task in islice(tasks, 1):
                stream.add(submit(task))
    except Exception as error:
        raise RunError(f"The cluster failed before all blocks were done: {_reason(error)}.") from error
    finally:
        if pending:
            with suppress(Exception):  # of a cluster that is gone; what ended the run is told already
                client.cancel(list(pending), force=True)


def _wait_for_one(stream: Any, client: Any, pending: dict[Any, Task]) -> None:
    """Wait until a future is done; fail if none will be.

    When the scheduler goes away Dask cancels what it knows, but what is being fetched or sent at that moment
    it waits for without end (seen with distributed 2026.8). When a connection alone breaks while a result is
    fetched, the future is done and its result never comes.
    """
    since = None
    while not _ready(stream):
        if client.status != "running" or any(future.cancelled() for future in pending):
            time.sleep(_GRACE)  # what is done already may still come
            if not stream.has_ready():
                raise ConnectionError("the connection to the scheduler was lost")
            return
        if not any(future.done() for future in pending):
            since = None
        elif since is None:
            since = time.monotonic()
        elif time.monotonic() - since > _FETCH:
            raise ConnectionError("a result was not to be had from the cluster")


def _ready(stream: Any) -> bool:
    """Whether a future is done, now or a moment later."""
    with stream.thread_condition:  # asked within, or what becomes ready in between would wake nobody
        if not stream.has_ready():
            stream.thread_condition.wait(0.1)
    return bool(stream.has_ready())


def _is_client(executor: object) -> bool:
    """Whether `executor` is a client of Dask, without importing Dask to find out."""
    distributed = sys.modules.get("distributed")
    return distributed is not None and isinstance(executor, distributed.Client)


def _reason(error: BaseException) -> str:
    text = str(error).strip().partition("\n")[0].rstrip(".")
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
