"""Runs on a real SLURM, with the bits of a single run whatever happens to its tasks."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import slurm_here
from entangle.blocks import BLOCK
from entangle.cli import cli
from entangle.result import Result
from entangle.study import Study
from entangle_kernels import jit
from small_studies import small

pytestmark = [
    pytest.mark.slurm,
    pytest.mark.skipif(bool(slurm_here.lacking()), reason=slurm_here.lacking() or "SLURM is here"),
]

ROOT = Path(__file__).resolve().parents[2]
SHARDS = 6
#: Shards of some seconds, so that one can be cancelled while it is played.
TRAJECTORIES = 12_000 * BLOCK + 1234
CANCELLED = 3


@pytest.fixture(scope="module")
def slurm() -> Iterator[dict[str, str]]:
    """Start SLURM; yield the environment in which its commands, and its jobs, are called."""
    with slurm_here.running() as variables:
        yield (
            os.environ
            | variables
            | {
                "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "kernels")]),
                "SOURCE_DATE_EPOCH": "1700000000",
                "ENTANGLE_NODE_CACHE": str(jit.root()),  # compiled already
            }
        )


def call(environment: dict[str, str], *command: object) -> str:
    done = subprocess.run(
        [str(word) for word in command],
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def queue(environment: dict[str, str]) -> str:
    return call(environment, "squeue", "--noheader", "--array", "--format=%i %T %E")


def wait(holds: Callable[[], object], logs: Path, seconds: float = 400.0) -> None:
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            said = "\n".join(f"{log.name}:\n{log.read_text()}" for log in sorted(logs.glob("*.log")))
            raise TimeoutError(said)
        time.sleep(0.1)


def test_an_array_of_which_a_task_is_cancelled_and_submitted_again(
    slurm: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", slurm["SOURCE_DATE_EPOCH"])
    study = tmp_path / "study.toml"
    small().save(study)
    single = tmp_path / "single.nc"
    asked = "--trajectories", str(TRAJECTORIES), "--seed", "7"
    cli(["run", str(study), *asked, "--out", str(single), "--quiet"], standalone_mode=False)

    folder = tmp_path / "a batch of 'many' $names\nand lines"
    written = ["batch", "slurm", str(study), *asked, "--shards", str(SHARDS), "--out", str(folder)]
    cli([*written, "--time", "00:10:00", "--memory", "1G", "--quiet"], standalone_mode=False)
    study.write_text("title = 'changed since'\n")
    shard = folder / "journal" / f"shard-{CANCELLED}-of-{SHARDS}"

    said = call(slurm, folder / "submit.sh")
    array = said.partition("job ")[2].split()[0]
    assert f"shards 0-{SHARDS - 1}: job {array}\n" in said
    refused = subprocess.run([folder / "submit.sh"], env=slurm, capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert "still in the queue" in refused.stderr

    # a task in mid-run: some blocks are kept, not all
    wait(lambda: list(shard.glob("blocks/*.block")), folder / "logs")
    call(slurm, "scancel", f"{array}_{CANCELLED}")
    wait(lambda: not queue(slurm).strip(), folder / "logs")
    before = {path: path.stat().st_mtime_ns for path in folder.glob("journal/*/blocks/*.block")}
    kept = [path for path in before if path.is_relative_to(shard)]
    assert kept
    print(f"cancelled task {CANCELLED} with {len(kept)} files in its journal, {len(before)} in all")
    assert not (folder / "result.nc").exists()

    said = call(slurm, folder / "submit.sh")
    print(said)
    assert f"shards {CANCELLED}: job" in said, "cancelled in mid-run, not after it"
    wait(lambda: not queue(slurm).strip(), folder / "logs")
    after = {path: path.stat().st_mtime_ns for path in folder.glob("journal/*/blocks/*.block")}
    assert before.items() < after.items(), "nothing was played twice, and something was played"
    assert (folder / "result.nc").read_bytes() == single.read_bytes()
    assert "no shard is missing" in call(slurm, folder / "submit.sh")
    wait(lambda: not queue(slurm).strip(), folder / "logs")


def test_a_task_that_fails_keeps_the_merge_away(slurm: dict[str, str], tmp_path: Path) -> None:
    study = tmp_path / "study.toml"
    small().save(study)
    folder = tmp_path / "batch"
    activate = (
        f'entangle() {{ {shlex.quote(sys.executable)} -m entangle "$@"; }}',
        'test ! -e broken || test "${SLURM_ARRAY_TASK_ID:-0}" != 1',
    )
    written = ["batch", "slurm", str(study), "--trajectories", str(3 * BLOCK), "--shards", "3", "--seed", "7"]
    asked = ["--time", "00:10:00", "--memory", "1G", "--partition", "debug", "--sbatch=--nice=1"]
    lines = [word for line in activate for word in ("--activate", line)]
    cli([*written, *asked, *lines, "--out", str(folder), "--quiet"], standalone_mode=False)
    (folder / "broken").touch()
    assert "shards 0-2" in call(slurm, "bash", folder / "submit.sh")
    wait(lambda: not queue(slurm).strip(), folder / "logs")
    assert not (folder / "logs" / "merge.log").exists()
    assert not (folder / "result.nc").exists()
    (folder / "broken").unlink()
    assert "shards 1:" in call(slurm, "bash", folder / "submit.sh", "--comment=again")
    wait(lambda: not queue(slurm).strip(), folder / "logs")
    assert Result.load(folder / "result.nc").trajectories == 3 * BLOCK


def test_workers_that_dask_jobqueue_asks_slurm_for(
    slurm: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobqueue = pytest.importorskip(
        "dask_jobqueue", reason="dask-jobqueue is not installed; `pip install dask-jobqueue`"
    )
    from distributed import Client

    for name, value in slurm.items():
        monkeypatch.setenv(name, value)
    study: Study = small()
    single = study.run(trajectories=TRAJECTORIES, seed=7)
    made: dict[str, Any] = {
        "cores": 1,
        "processes": 1,
        "memory": "900MB",
        "walltime": "00:10:00",
        "interface": "lo",
        "log_directory": str(tmp_path),
        "local_directory": str(tmp_path),
        "scheduler_options": {"dashboard_address": None},
        "job_script_prologue": [f"export NUMBA_CACHE_DIR={jit.root()}"],
    }
    with jobqueue.SLURMCluster(**made) as cluster, Client(cluster) as client:
        cluster.scale(jobs=2)
        client.wait_for_workers(2, timeout=120)
        jobs = [worker.job_id for worker in cluster.workers.values()]
        cancelled = []

        def progress(done: int, total: int) -> None:
            if not cancelled and total > done > total // 10:
                cancelled.append(done)
                call(slurm, "scancel", jobs[0])

        result = study.run(trajectories=TRAJECTORIES, seed=7, executor=client, progress=progress)
        assert jobs[0] not in queue(slurm).split()
    assert cancelled, "one of the two was cancelled in mid-run"
    print(f"workers were the jobs {', '.join(jobs)}; {jobs[0]} was cancelled after {cancelled[0]} blocks")
    single.save(tmp_path / "single.nc")
    result.save(tmp_path / "dask.nc")
    assert (tmp_path / "dask.nc").read_bytes() == (tmp_path / "single.nc").read_bytes()
