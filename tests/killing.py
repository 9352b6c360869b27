"""Runs that are killed at random moments and resumed: the same bits, nothing lost and nothing played twice.

    python tests/killing.py --trials 220

makes random plans (kind of run, study, seed, number), plays each once as it should be, then with a journal
under a sword: kill -9 of the process that runs it, of a process of a pool, of a worker of Dask, or of its
scheduler. It is resumed with another number of workers, in another order of blocks, and compared.
"""

from __future__ import annotations

import argparse
import faulthandler
import multiprocessing
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from entangle import decades, resuming
from entangle.blocks import BLOCK
from entangle.errors import RunError
from entangle.journal.status import status
from entangle.shards import Shard
from entangle.study import Study
from small_studies import small

ROOT = Path(__file__).resolve().parents[1]
VICTIMS = ("main", "pool", "worker", "scheduler")
#: How often each is killed, of a hundred.
SHARES = dict(zip(VICTIMS, (65, 15, 12, 8), strict=True))
PACTS: dict[str, dict[str, Any]] = {
    "no_pact": {},
    "treaty": {"commitment": "defence"},
    "with_vote": {"commitment": "defence", "legislature": True, "approval": 0.6, "coverage": 0.5},
    "hotline": {"hotline": True},
}


@dataclass(frozen=True)
class Trial:
    """A plan, and what befalls it."""

    number: int
    victim: str
    kind: str
    study: dict[str, Any]
    units: int
    seed: int
    shards: int

    @classmethod
    def drawn(cls, number: int, victim: str, seed: int) -> Trial:
        """Return the trial of a number."""
        draw = random.Random(f"{seed} {number}")
        kind = draw.choices(["disputes", "counts", "until", "draws", "histories"], [40, 20, 15, 15, 10])[0]
        names = draw.sample(sorted(PACTS), draw.randint(1, 3))
        study: dict[str, Any] = {
            "pacts": {name: PACTS[name] for name in names},
            "parameters": {
                "precision": round(draw.uniform(1.0, 4.0), 3),
                "types": draw.randint(2, 3),
                "rounds": draw.randint(3, 5),
            },
        }
        units = draw.randint(5 * BLOCK, 60 * BLOCK)
        if kind == "histories":
            study["peacetime"] = {"years": draw.randint(1, 3)}
            # little is asked of the grid, or most of the time would go into it
            study["peacetime"]["context_error"] = 0.1
            units = draw.randint(3 * decades.BLOCK, 8 * decades.BLOCK)
        elif kind == "draws":
            units = draw.randint(10, 40)
        shards = draw.choice([0, 0, 2, 3]) if victim == "main" and kind != "until" else 0
        return cls(number, victim, kind, study, units, draw.randrange(2**64), shards)

    def asked(self) -> Study:
        """Return the study as it is run."""
        study = small(**self.study)
        if self.kind == "histories":
            return study
        if self.kind == "draws":
            return study.asked(trajectories=10_000, seed=self.seed, draws=self.units)
        until = {"crisis": 0.002} if self.kind == "until" else None
        attribution = False if self.kind == "counts" else None
        return study.asked(trajectories=self.units, seed=self.seed, until=until, attribution=attribution)

    def run(self, **where: Any) -> Any:
        """Return what the run gives."""
        if self.kind == "histories":
            return self.asked().decades(histories=self.units, seed=self.seed, **where)
        if self.kind == "draws":
            return self.asked().run(draws=self.units, trajectories=10_000, **where)
        return self.asked().run(**where)

    def run_shard(self, which: int, **where: Any) -> None:
        """Play a share."""
        shard = Shard(which, self.shards)
        if self.kind == "histories":
            resuming.decades_shard(self.asked(), shard, histories=self.units, seed=self.seed, **where)
        else:
            draws = {"draws": self.units} if self.kind == "draws" else {}
            resuming.run_shard(self.asked(), shard, **draws, **where)


class Shuffling(Executor):
    """Does what is waiting in random order, one after the other."""

    def __init__(self, seed: int) -> None:
        self.order = random.Random(seed)
        self.waiting: list[Any] = []
        self.threads = ThreadPoolExecutor(1)

    def submit(self, function: Any, /, *arguments: Any, **named: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self.waiting.append((future, function, arguments, named))
        self.threads.submit(self.work)
        return future

    def work(self) -> None:
        future, function, arguments, named = self.waiting.pop(self.order.randrange(len(self.waiting)))
        if future.set_running_or_notify_cancel():
            try:
                future.set_result(function(*arguments, **named))
            except BaseException as error:
                future.set_exception(error)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self.threads.shutdown(wait, cancel_futures=cancel_futures)


@contextmanager
def anywhere(draw: random.Random) -> Iterator[dict[str, Any]]:
    """Yield where to compute: some threads, or blocks in random order."""
    workers = draw.choice([1, 2, 3, 5, None])
    if workers is not None:
        yield {"workers": workers}
        return
    with Shuffling(draw.randrange(2**32)) as executor:
        yield {"executor": executor, "workers": draw.choice([1, 2, 4])}


# -- swords ------------------------------------------------------------------------------------------


def _main(trial: Trial, journal: str, seed: int) -> None:
    """Run in a process of its own, to be killed."""
    with anywhere(random.Random(seed)) as where:
        if trial.shards:
            for which in range(trial.shards):
                trial.run_shard(which, journal=journal, **where)
        else:
            trial.run(journal=journal, **where)


def kill_main(trial: Trial, journal: Path, draw: random.Random, _: Cluster) -> int:
    """Kill the process that runs it, again and again; return how often it was hit before it was done."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["killing_warm"])
    hits = 0
    for _ in range(draw.randint(1, 3)):
        process = context.Process(target=_main, args=(trial, str(journal), draw.randrange(2**32)))
        process.start()
        before, more = len(files(journal)), draw.randint(0, 6)
        end = time.monotonic() + 60
        if more == 0:
            time.sleep(draw.uniform(0.0, 0.5))  # while it reads, solves or writes its plan
        while process.is_alive() and len(files(journal)) < before + more and time.monotonic() < end:
            time.sleep(0.0005)
        time.sleep(draw.uniform(0.0, 0.01))
        process.kill()
        process.join()
        hits += process.exitcode == -signal.SIGKILL
    return hits


def kill_pool(trial: Trial, journal: Path, draw: random.Random, _: Cluster) -> int:
    """Kill a process of a pool."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["killing_warm"])
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        return _struck(trial, journal, draw, pool, lambda: random_process(pool, draw))


def random_process(pool: ProcessPoolExecutor, draw: random.Random) -> int:
    processes: dict[int, Any] = pool._processes
    return draw.choice(sorted(processes))


def kill_worker(trial: Trial, journal: Path, draw: random.Random, cluster: Cluster) -> int:
    """Kill a worker of Dask; its nanny brings another one."""
    client = cluster.client()
    return _struck(trial, journal, draw, client, lambda: draw.choice(cluster.pids()))


def kill_scheduler(trial: Trial, journal: Path, draw: random.Random, _: Cluster) -> int:
    """Kill the scheduler, and with it all that Dask holds."""
    import distributed

    with own_scheduler() as (address, scheduler):
        client: Any = distributed.Client(address, timeout="120s")  # type: ignore[no-untyped-call]
        try:
            client.wait_for_workers(2, timeout=120)
            hits = _struck(trial, journal, draw, client, lambda: scheduler.pid)
        finally:
            client.close(timeout=1)
        return hits


def _struck(trial: Trial, journal: Path, draw: random.Random, executor: Any, pid: Callable[[], int]) -> int:
    """Run with a journal, and kill a process after some blocks; return whether it was hit."""
    hit, when = [], draw.randint(1, 4)

    def progress(done: int, total: int) -> None:
        if done >= when and not hit and done < total:
            time.sleep(draw.uniform(0.0, 0.01))
            os.kill(pid(), signal.SIGKILL)
            hit.append(done)

    try:
        trial.run(journal=journal, executor=executor, progress=progress)
    except RunError as error:
        if "entangle resume" not in str(error):
            raise
    return len(hit)


@contextmanager
def own_scheduler() -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Yield the address and the process of a scheduler with two workers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    folders = os.pathsep.join(map(str, (ROOT, ROOT / "kernels", ROOT / "tests")))
    environment = os.environ | {"PYTHONPATH": folders, "DASK_DISTRIBUTED__WORKER__PRELOAD": "killing_warm"}
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": environment}
    python = [sys.executable, "-m"]
    started = [
        subprocess.Popen(
            [
                *python,
                "distributed.cli.dask_scheduler",
                "--host",
                "127.0.0.1",
                "--port",
                str(port),
                "--no-dashboard",
            ],
            **quiet,
        )
    ]
    try:
        worker = [
            *python,
            "distributed.cli.dask_worker",
            address,
            "--nthreads",
            "1",
            "--no-nanny",
            "--no-dashboard",
        ]
        with tempfile.TemporaryDirectory() as scratch:
            started += [subprocess.Popen([*worker, "--local-directory", scratch], **quiet) for _ in range(2)]
            yield address, started[0]
            for process in started:
                process.kill()
                process.wait()
    finally:
        for process in started:
            process.kill()
            process.wait()


class Cluster:
    """A cluster of two workers with nannies, begun when it is first needed, and anew if they do not come."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._client: Any = None

    def client(self) -> Any:
        if self._client is not None:
            try:
                self._client.wait_for_workers(2, timeout=20)
            except TimeoutError:  # the nanny of one that was killed has not brought another
                self.close()
        if self._client is None:
            self._begin()
        return self._client

    def _begin(self) -> None:
        import distributed

        make: Any = distributed.LocalCluster
        made = make(n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50)
        cluster = self._stack.enter_context(made)
        connect: Any = distributed.Client
        self._client = self._stack.enter_context(connect(cluster))
        self._client.wait_for_workers(2, timeout=60)

    def pids(self) -> list[int]:
        cluster = self._client.cluster
        return [nanny.pid for nanny in cluster.workers.values() if nanny.pid]

    def close(self) -> None:
        self._client = None
        self._stack.close()


SWORDS = {"main": kill_main, "pool": kill_pool, "worker": kill_worker, "scheduler": kill_scheduler}


# -- the comparison ----------------------------------------------------------------------------------


def files(journal: Path) -> list[Path]:
    """Return what is kept, in a journal or in those of shards."""
    return sorted(journal.rglob("*.block"))


@dataclass(frozen=True)
class Outcome:
    """What came of a trial."""

    trial: Trial
    hits: int
    kept: int
    total: int


def tried(trial: Trial, cluster: Cluster) -> Outcome:
    """Do a trial; raise AssertionError if a bit differs, or a block is lost or played twice."""
    draw = random.Random(trial.seed)
    expected = trial.run(workers=2)
    with tempfile.TemporaryDirectory() as scratch:
        journal = Path(scratch) / "journal"
        hits = SWORDS[trial.victim](trial, journal, draw, cluster)
        before = {path: path.read_bytes() for path in files(journal)}
        found = resumed(trial, journal, draw)
        after = files(journal)
        for path, whole in before.items():
            assert path.read_bytes() == whole, f"{path.name} was written again"
        once(trial, journal)
        assert found.data.drop_attrs().identical(expected.data.drop_attrs())
        assert found.data.attrs["sha256"] == expected.data.attrs["sha256"]
        return Outcome(trial, hits, len(before), len(after))


def resumed(trial: Trial, journal: Path, draw: random.Random) -> Any:
    """Finish a run by another number of workers, or in another order."""
    with anywhere(draw) as where:
        if trial.shards:
            for which in draw.sample(range(trial.shards), trial.shards):
                trial.run_shard(which, journal=journal, **where)
            return resuming.merge([journal])
        if (journal / "plan.json").exists() and draw.random() < 0.5:
            return resuming.resume(journal, **where)
        return trial.run(journal=journal, **where)


def once(trial: Trial, journal: Path) -> None:
    """Check that every unit is kept, and kept once."""
    kept = sorted(span[:2] for own in status(journal) for span in own.kept)
    assert kept[0][0] == 0
    assert all(one[1] == other[0] for one, other in pairwise(kept))
    assert kept[-1][1] == trial.units or trial.kind == "until"


def victims(trials: int) -> list[str]:
    """Return who is killed in each trial."""
    numbers = {victim: max(1, trials * share // 100) for victim, share in SHARES.items()}
    numbers["main"] += trials - sum(numbers.values())
    return [victim for victim in VICTIMS for _ in range(numbers[victim])]


def campaign(trials: int, seed: int, tell: Callable[[str], None] = print, *, first: int = 0) -> list[Outcome]:
    """Do many trials; stop at the first that fails, and say which."""
    done = []
    cluster = Cluster()
    try:
        for number, victim in list(enumerate(victims(trials)))[first:]:
            trial = Trial.drawn(number, victim, seed)
            try:
                outcome = tried(trial, cluster)
            except BaseException:
                tell(f"FAILED: trial {number} of seed {seed}: {trial}")
                raise
            done.append(outcome)
            tell(
                f"{number:4d} {victim:9s} {trial.kind:9s} shards {trial.shards} hit {outcome.hits} times, "
                f"{outcome.kept} of {outcome.total} files kept"
            )
    finally:
        cluster.close()
    return done


def summary(done: list[Outcome]) -> str:
    """Return what came of a campaign in some lines."""
    lines = [f"{len(done)} trials: 0 bits differ, 0 blocks lost, 0 played twice"]
    for name in ("victim", "kind"):
        counts = Counter(getattr(outcome.trial, name) for outcome in done)
        lines.append(f"  {name}: " + ", ".join(f"{key} {count}" for key, count in counts.items()))
    midway = sum(0 < outcome.kept < outcome.total for outcome in done)
    lines.append(
        f"  {sum(outcome.hits for outcome in done)} kills; {midway} trials went on from part of their files, "
        f"{sum(outcome.kept == 0 for outcome in done)} from none, "
        f"{sum(outcome.kept == outcome.total for outcome in done)} from all"
    )
    kept, total = (sum(getattr(outcome, name) for outcome in done) for name in ("kept", "total"))
    lines.append(f"  {kept} of {total} files were kept from before the kill")
    return "\n".join(lines)


def main() -> None:
    """Run a campaign."""
    parser = argparse.ArgumentParser(description="Kill runs at random moments and resume them.")
    parser.add_argument("--trials", type=int, default=220)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="begin with the trial of this number")
    parser.add_argument(
        "--limit", type=float, default=900.0, help="seconds that a trial may take; then all stacks are shown"
    )
    given = parser.parse_args()
    began = time.monotonic()

    def tell(line: str) -> None:
        print(line, flush=True)
        faulthandler.dump_traceback_later(given.limit, exit=True)  # begins anew with each trial

    faulthandler.dump_traceback_later(given.limit, exit=True)
    done = campaign(given.trials, given.seed, tell, first=given.first)
    faulthandler.cancel_dump_traceback_later()
    print(summary(done))
    print(f"  {time.monotonic() - began:.0f} s on {os.cpu_count()} processors")


if __name__ == "__main__":
    # by name, so that processes that are started find what they are to do
    sys.path[:0] = [str(ROOT), str(ROOT / "kernels"), str(ROOT / "tests")]
    from killing import main as by_name

    by_name()
