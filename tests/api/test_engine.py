"""The engine: the same bits wherever, in whatever order and in however many pieces blocks are computed."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from itertools import islice
from multiprocessing import get_context

import numpy as np
import pytest

from entangle import engine, executors, solving
from entangle.blocks import BLOCK, play
from entangle.errors import ConvergenceError, RunError
from entangle.executors import Task, completed
from entangle.study import Study
from entangle_kernels import equilibrium
from small_studies import small

SEED = 7
#: Not a multiple of a block: the last block is shorter.
TRAJECTORIES = 5 * BLOCK + 1234


@pytest.fixture(scope="module")
def study() -> Study:
    return small()


@pytest.fixture(scope="module")
def plan(study):
    return engine.plan_of(solving.prepare(study))


@pytest.fixture(scope="module")
def serial(study):
    return study.run(trajectories=TRAJECTORIES, seed=SEED, workers=1)


class Shuffling(Executor):
    """Does nothing until asked to, then everything that is waiting, in random order."""

    def __init__(self, seed):
        self.order = random.Random(seed)
        self.waiting = []
        self.threads = ThreadPoolExecutor(1)

    def submit(self, function, /, *arguments, **named):
        future: Future = Future()
        place = self.order.randrange(len(self.waiting) + 1)
        self.waiting.insert(place, (future, function, arguments, named))
        self.threads.submit(self.work)
        return future

    def work(self):
        time.sleep(0.002)  # let others queue up
        future, function, arguments, named = self.waiting.pop()
        future.set_result(function(*arguments, **named))

    def shutdown(self, wait=True, *, cancel_futures=False):
        self.threads.shutdown(wait, cancel_futures=cancel_futures)


def assert_same(one, other):
    assert one.data.drop_attrs().identical(other.data.drop_attrs())
    assert one.data.attrs["sha256"] == other.data.attrs["sha256"]


# -- same bits -----------------------------------------------------------------------------------


def test_two_threads(study, serial):
    assert_same(study.run(trajectories=TRAJECTORIES, seed=SEED, workers=2), serial)


@pytest.mark.parametrize("seed", range(3))
def test_any_order_of_blocks(study, serial, seed):
    with Shuffling(seed) as executor:
        assert_same(study.run(trajectories=TRAJECTORIES, seed=SEED, executor=executor), serial)


def test_two_processes(study, serial):
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as executor:
        assert_same(study.run(trajectories=TRAJECTORIES, seed=SEED, executor=executor), serial)


def test_a_dask_cluster_of_two_processes(study, serial):
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        assert_same(study.run(trajectories=TRAJECTORIES, seed=SEED, executor=client), serial)


def test_another_seed_gives_other_counts(study, serial):
    other = study.run(trajectories=TRAJECTORIES, seed=SEED + 1)
    assert (other.data["count"] != serial.data["count"]).any()
    assert other.data.exact.identical(serial.data.exact)


def test_the_first_half_of_a_run_is_a_run(study):
    _, plan, _ = engine.prepared(study)
    n = TRAJECTORIES
    whole = engine.simulate(plan, seed=SEED, trajectories=2 * n)
    half = engine.simulate(plan, seed=SEED, trajectories=n)
    rest = engine.simulate(plan, seed=SEED, first=n, trajectories=n)
    both = half.merged(rest)
    assert np.array_equal(both.counts, whole.counts)
    assert np.array_equal(both.shared, whole.shared)
    assert np.array_equal(both.changed, whole.changed)
    assert not np.array_equal(half.counts, rest.counts)


def test_read_only_tables_give_the_same_counts(plan):
    frozen = [table._replace(cut=table.cut.copy()) for table in plan.worlds]
    for table in frozen:
        table.cut.flags.writeable = False
    given, whole = (play(p, SEED, 0, 10_000) for p in (plan._replace(worlds=tuple(frozen)), plan))
    assert np.array_equal(given.cells, whole.cells)
    assert np.array_equal(given.numbers, whole.numbers)
    assert given.numbers.sum() == 10_000 * len(plan.worlds)


# -- the work ------------------------------------------------------------------------------------


@pytest.mark.parametrize("trajectories", [1, BLOCK - 1, BLOCK, BLOCK + 1])
def test_every_trajectory_is_counted_once(plan, trajectories):
    counts = engine.simulate(plan, seed=SEED, trajectories=trajectories).counts
    assert counts.sum(axis=(1, 2, 3, 4, 5)).tolist() == [trajectories] * len(plan.worlds)


def test_progress_counts_blocks_up_to_all_of_them(study):
    told = []
    study.run(trajectories=TRAJECTORIES, seed=SEED, progress=lambda *p: told.append(p))
    blocks = 6
    assert [done for done, _ in told] == sorted({done for done, _ in told})
    assert told[-1] == (blocks, blocks)
    assert {total for _, total in told} == {blocks}


def test_the_largest_run_starts_without_listing_its_blocks(plan):
    """2^48 trajectories are 4 billion blocks; the first results must come at once, then stop."""

    class Enough(Exception):
        pass

    def stop(done, total):
        assert total == 2**32
        raise Enough

    start = time.monotonic()
    with pytest.raises(Enough):
        engine.simulate(plan, seed=SEED, trajectories=2**48, workers=1, progress=stop)
    assert time.monotonic() - start < 60


def test_few_tasks_are_in_flight():
    taken = []

    def tasks():
        for i in range(10_000):
            taken.append(i)
            yield Task(0, i, 1)

    stream = completed(_echo, "shared", tasks(), executor=None, workers=2)
    first = list(islice(stream, 20))
    assert len(taken) <= 20 + 2 * 8
    assert {result for _, result in first} <= {("shared", 0, i, 1) for i in taken}
    stream.close()


def _echo(*arguments):
    return arguments


def test_equal_games_are_solved_once(monkeypatch):
    calls = []
    solve = equilibrium.solve
    monkeypatch.setattr(equilibrium, "solve", lambda game: calls.append(1) or solve(game))
    prepared = solving.prepare(small(pacts={"a": {"title": "A"}, "b": {}, "c": {"hotline": True}}))
    assert len(calls) == 2
    assert np.array_equal(prepared["a"].exact, prepared["b"].exact)
    assert not np.array_equal(prepared["a"].exact, prepared["c"].exact)


# -- failures ------------------------------------------------------------------------------------


def test_no_convergence_names_the_pact(monkeypatch, study):
    def fail(game):
        raise equilibrium.ConvergenceError(0.25, 99, 3.0)

    monkeypatch.setattr(equilibrium, "solve", fail)
    with pytest.raises(ConvergenceError, match=r"\[pacts\.no_pact\].*2\.50e-01") as caught:
        study.exact()
    assert (caught.value.pact, caught.value.residual, caught.value.sweeps) == ("no_pact", 0.25, 99)


def test_a_killed_process_is_an_error_not_a_number():
    with (
        ProcessPoolExecutor(1, mp_context=get_context("spawn")) as executor,
        pytest.raises(RunError, match="BrokenProcessPool"),
    ):
        list(completed(_die, 1, iter([Task(0, 0, 1)]), executor=executor, workers=1))


def test_a_process_killed_while_it_hands_back_a_result_does_not_hang():
    with (
        ProcessPoolExecutor(2, mp_context=get_context("spawn")) as executor,
        pytest.raises(RunError, match="BrokenProcessPool"),
    ):
        list(completed(_half, 1, (Task(0, i, 1) for i in range(9)), executor=executor, workers=2))


def test_a_cluster_that_is_lost_while_it_is_waited_for_does_not_hang():
    """As when the scheduler dies in the midst of what Dask fetches: nothing will ever be ready."""

    class Condition(threading.Condition):
        def wait(self, timeout=None):
            Lost.status = "connecting"
            return super().wait(timeout)

    class Stream:
        thread_condition = Condition()

        def has_ready(self):
            return False

    class Lost:
        status = "running"

    with pytest.raises(ConnectionError, match="connection to the scheduler was lost"):
        executors._wait_for_one(Stream(), Lost, {})


def test_runs_of_the_same_on_one_cluster_do_not_take_from_each_other():
    """What a run has sent is let go of when it ends, while the next one, which sends the same, has begun."""
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        for _ in range(20):
            tasks = (Task(0, i, 1) for i in range(5))
            done = completed(_first, bytes(1000), tasks, executor=client, workers=None)
            assert sorted(result for _, result in done) == list(range(5))


def test_a_future_that_is_done_between_two_looks_is_not_waited_for():
    class Condition(threading.Condition):
        def __enter__(self):
            Stream.ready = True  # after the first look, before this thread waits to be told
            return super().__enter__()

        def wait(self, timeout=None):
            pytest.fail("nobody will tell again")

    class Stream:
        thread_condition = Condition()
        ready = False

        def has_ready(self):
            return self.ready

    class Client:
        status = "running"

    executors._wait_for_one(Stream(), Client, {})


def test_a_cluster_that_is_gone_is_one_error(study):
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None
    ) as cluster:
        client = distributed.Client(cluster)
        tasks = iter(Task(0, i, 1) for i in range(9))
        stream = completed(_first, 1, tasks, executor=client, workers=1)
        next(stream)
        client.close()
        with pytest.raises(RunError, match="The cluster failed before all blocks were done"):
            list(stream)
        with pytest.raises(RunError, match="The cluster does not say which workers it has"):
            study.run(trajectories=TRAJECTORIES, executor=client)


def test_a_result_that_is_done_and_never_comes_does_not_hang(monkeypatch):
    """As when a connection breaks while a result is fetched, and the scheduler goes on."""
    monkeypatch.setattr(executors, "_FETCH", 0.3)

    class Stream:
        thread_condition = threading.Condition()

        def has_ready(self):
            return False

    class Client:
        status = "running"

    class Done:
        def __init__(self, number):
            self.looks, self.number = 0, number

        def cancelled(self):
            return False

        def done(self):
            self.looks += 1
            return self.looks > self.number

    late = Done(5)
    with pytest.raises(ConnectionError, match="a result was not to be had"):
        executors._wait_for_one(Stream(), Client, {late: Task(0, 0, 1)})
    assert late.looks > 5


def _first(_shared, _seed, first, _size):
    return first


def _half(_shared, _seed, first, _size):
    """Return much; the process that is to return task 3 dies in the midst of it."""
    import os
    from multiprocessing.connection import Connection

    if first == 3:
        send = Connection._send

        def cut(self, buffer, *more):
            if len(buffer) < 2**20:
                return send(self, buffer, *more)
            send(self, buffer[: 2**19], *more)
            return os.kill(os.getpid(), signal.SIGKILL)

        Connection._send = cut
    return bytes(2**21)


def _die(*_):
    import os

    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("executor", ["threads", 4, object()])
def test_what_is_no_executor_is_refused_before_any_work(study, executor, monkeypatch):
    monkeypatch.setattr(equilibrium, "solve", lambda game: pytest.fail("work was done"))
    with pytest.raises(TypeError, match=r"concurrent\.futures\.Executor or a distributed\.Client"):
        study.run(executor=executor)


def test_no_workers_are_refused(study):
    with pytest.raises(ValueError, match="workers must be at least 1"):
        study.run(workers=0)


def test_a_run_on_threads_does_not_import_the_cluster_library():
    program = (
        "import sys; from small_studies import small; small().run(trajectories=10); "
        "sys.exit('distributed' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], env=_environment(), check=False)
    assert done.returncode == 0


def _environment():
    import os
    from pathlib import Path

    root = Path(__file__).resolve().parents[2]
    folders = [root, root / "kernels", root / "tests"]
    return os.environ | {"PYTHONPATH": os.pathsep.join(map(str, folders))}
