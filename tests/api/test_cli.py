"""The command line: what it prints where, what it writes, and the code with which it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner

from entangle import blocks, engine
from entangle.cli import cli
from entangle.outcomes import OUTCOMES
from entangle.result import Result
from entangle.vocabulary import RUNGS
from entangle_kernels import equilibrium
from small_studies import small

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def study(tmp_path) -> Path:
    path = tmp_path / "study.toml"
    small(simulation={"trajectories": 70_000, "seed": 7}).save(path)
    return path


@pytest.fixture
def broken(tmp_path) -> Path:
    path = tmp_path / "broken.toml"
    small().save(path)
    text = path.read_text(encoding="utf-8").replace("precision = 3.0", "precison = 3.0")
    path.write_text(text.replace("approval = 0.6", "approval = 1.6"), encoding="utf-8")
    return path


def call(*arguments: object):
    return CliRunner().invoke(cli, [str(item) for item in arguments])


def done(*arguments: object):
    result = call(*arguments)
    assert result.exit_code == 0, result.output
    return result


def environment() -> dict[str, str]:
    path = os.pathsep.join([str(ROOT), str(ROOT / "kernels")])
    return os.environ | {"PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}


# -- run and exact -------------------------------------------------------------------------------


def test_run_prints_the_summary_and_writes_what_was_asked_for(study, tmp_path):
    out, plot = tmp_path / "result.nc", tmp_path / "ladder.png"
    shown = done("run", study, "--out", out, "--plot", plot)
    loaded = Result.load(out)
    assert shown.stdout == loaded.summary()
    assert shown.stderr == ""
    assert (loaded.trajectories, loaded.study.simulation.seed) == (70_000, 7)
    assert plot.read_bytes().startswith(b"\x89PNG")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "ladder.png", "result.nc", "study.toml",
    ]  # fmt: skip


def test_options_override_the_study(study):
    data = json.loads(done("run", study, "--trajectories", 123, "--seed", 9, "--json").stdout)
    assert (data["trajectories"], data["seed"]) == (123, "9")


def test_workers_change_no_byte(study, tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    for workers in (1, 2):
        done("run", study, "--workers", workers, "--out", tmp_path / f"{workers}.nc", "--quiet")
    assert (tmp_path / "1.nc").read_bytes() == (tmp_path / "2.nc").read_bytes()


def test_a_scheduler_changes_no_byte(study, tmp_path, monkeypatch):
    distributed = pytest.importorskip("distributed")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    done("run", study, "--out", tmp_path / "threads.nc")
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None
    ) as cluster:
        address = cluster.scheduler_address
        done("run", study, "--scheduler", address, "--out", tmp_path / "dask.nc")
    assert (tmp_path / "dask.nc").read_bytes() == (tmp_path / "threads.nc").read_bytes()


@pytest.mark.parametrize("command", ["run", "exact"])
def test_json_is_the_result_and_nothing_else(study, command):
    shown = done(command, study, "--json")
    data = json.loads(shown.stdout, parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))
    assert shown.stderr == ""
    assert data["method"] == {"run": "simulated", "exact": "exact"}[command]
    assert list(data["pacts"]) == ["no_pact", "treaty", "with_vote"]
    for pact in data["pacts"].values():
        assert set(pact) == {"table_hash", "outcomes", "rungs"}
        assert list(pact["outcomes"]) == [outcome.name for outcome in OUTCOMES]
        assert list(pact["rungs"]) == list(RUNGS)
        for estimate in (*pact["outcomes"].values(), *pact["rungs"].values()):
            assert set(estimate) == {
                "probability", "lower", "upper", "count", "trials", "exact", "given",
            }  # fmt: skip
    assert data["pacts"]["no_pact"]["outcomes"]["abandonment"]["exact"] is None
    war = data["pacts"]["treaty"]["outcomes"]["war"]
    assert 0 < war["lower"] <= war["probability"] <= war["upper"] < 1


def test_quiet_prints_nothing(study):
    shown = done("run", study, "--quiet")
    assert shown.output == ""


def test_exact_prints_the_summary(study, tmp_path):
    shown = done("exact", study, "--out", tmp_path / "exact.nc")
    assert shown.stdout == Result.load(tmp_path / "exact.nc").summary()


# -- validate and schema -------------------------------------------------------------------------


def test_validate_tells_every_problem_of_every_file(study, broken, tmp_path):
    missing = tmp_path / "missing.toml"
    shown = call("validate", broken, study, missing)
    assert shown.exit_code == 2
    assert shown.stdout == f"{study}: valid, 3 pacts\n"
    problems = shown.stderr.splitlines()
    assert len(problems) == 3
    lines = broken.read_text(encoding="utf-8").splitlines()
    for problem, text in zip(problems[:2], ["approval = 1.6", "precison"], strict=True):
        number = next(i for i, line in enumerate(lines, start=1) if text in line)
        assert problem.startswith(f"{broken}:{number}: ")
    assert "Did you mean 'precision'?" in problems[1]
    assert problems[2].startswith(f"{missing}: ")


def test_the_shipped_studies_are_valid():
    configs = sorted((ROOT / "configs").glob("*.toml"))
    assert len(done("validate", *configs).stdout.splitlines()) == len(configs) >= 6


def test_schema_is_a_schema_that_takes_the_study(study, tmp_path):
    printed = json.loads(done("schema").stdout)
    jsonschema.Draft202012Validator.check_schema(printed)
    jsonschema.validate(small().to_dict(), printed)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(small().to_dict() | {"pact": {}}, printed)
    done("schema", "--out", tmp_path / "schema.json")
    assert json.loads((tmp_path / "schema.json").read_text(encoding="utf-8")) == printed


# -- what goes wrong -----------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["run", "exact"])
def test_a_bad_study_is_2_and_told_once(broken, command):
    shown = call(command, broken)
    assert (shown.exit_code, shown.stdout) == (2, "")
    assert len(shown.stderr.splitlines()) == 2
    assert "Traceback" not in shown.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--trajectories", 0], "0 is not in the range"),
        (["--trajectories", 2**48 + 1], "is not in the range"),
        (["--seed", -1], "-1 is not in the range"),
        (["--workers", 0], "0 is not in the range"),
        (["--plot", "ladder.txt"], "must end in one of .pdf, .png, .svg"),
        (["--out", "nowhere/result.nc"], "there is no folder 'nowhere'"),
        (["--plot", "nowhere/ladder.png"], "there is no folder 'nowhere'"),
        (["--out", "."], "is a folder"),
        (["--scheduler", "tcp://127.0.0.1:1", "--workers", 2], "--workers is for threads"),
        (["--trajectory", 5], "No such option"),
    ],
)
def test_bad_options_are_2_before_any_work(study, arguments, message, monkeypatch):
    monkeypatch.chdir(study.parent)
    monkeypatch.setattr(equilibrium, "solve", lambda game: pytest.fail("work was done"))
    shown = call("run", study, *arguments)
    assert (shown.exit_code, shown.stdout) == (2, "")
    assert message in " ".join(shown.stderr.split())


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_refused(study, tmp_path):
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o500)
    shown = call("run", study, "--out", folder / "result.nc")
    assert shown.exit_code == 2
    assert "cannot be written to" in shown.stderr


def test_a_misspelt_command_has_a_hint():
    shown = call("exakt")
    assert shown.exit_code == 2
    assert "Did you mean 'exact'?" in shown.stderr


def test_data_that_cannot_be_read_are_2(tmp_path):
    shown = call("atop", "list", "--data", tmp_path / "nowhere")
    assert (shown.exit_code, shown.stdout) == (2, "")
    assert "no such folder" in shown.stderr


def test_no_convergence_is_1(study, monkeypatch):
    def fail(game):
        raise equilibrium.ConvergenceError(0.25, 99, 3.0)

    monkeypatch.setattr(equilibrium, "solve", fail)
    shown = call("run", study)
    assert (shown.exit_code, shown.stdout) == (1, "")
    assert shown.stderr.startswith("[pacts.no_pact]: the equilibrium did not settle")


def test_a_simulator_that_contradicts_the_exact_law_is_1(study, monkeypatch):
    def wrong(plan, seed, first, size):
        worlds = tuple(table._replace(enter=table.enter // 2) for table in plan.worlds)
        return blocks.play(plan._replace(worlds=worlds), seed, first, size)

    monkeypatch.setattr(engine, "play", wrong)
    shown = call("run", study)
    assert shown.exit_code == 1
    assert shown.stderr.startswith("WARNING: counted and exact probabilities contradict each other")
    assert "treaty: challenge" in shown.stderr


def test_a_full_disk_is_1_and_leaves_nothing(study, tmp_path, monkeypatch):
    def fail(self, path, **_):
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr("xarray.Dataset.to_netcdf", fail)
    shown = call("run", study, "--out", tmp_path / "result.nc")
    assert (shown.exit_code, shown.stdout) == (1, "")
    assert "cannot be written (no space left on device)" in shown.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["study.toml"]


def test_a_scheduler_that_does_not_answer_is_1(study, monkeypatch):
    distributed = pytest.importorskip("distributed")

    def fail(address, **_):
        raise OSError(f"Timed out trying to connect to {address}")

    monkeypatch.setattr(distributed, "Client", fail)
    shown = call("run", study, "--scheduler", "tcp://127.0.0.1:1")
    assert shown.exit_code == 1
    assert shown.stderr.startswith("tcp://127.0.0.1:1: the scheduler gave no answer (Timed out")


def test_an_interrupt_is_130_and_writes_nothing(study, tmp_path):
    """A real signal to a real process, in the middle of a run far too long to end."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        pytest.skip("what a shell starts in the background ignores interrupts, and so do its children")
    out = tmp_path / "result.nc"
    command = [sys.executable, "-m", "entangle", "run", str(study), "--trajectories", str(2**40)]
    with subprocess.Popen(
        [*command, "--out", str(out)],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            time.sleep(6)
            assert process.poll() is None
            process.send_signal(signal.SIGINT)
            stdout, stderr = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 130
    assert (stdout, stderr) == ("", "Interrupted.\n")
    assert [path.name for path in tmp_path.iterdir()] == ["study.toml"]


def test_no_colour_where_there_is_no_terminal(study, broken):
    for arguments in (["run", str(study)], ["exact", str(broken)], ["atop", "list"], ["--help"]):
        shown = subprocess.run(
            [sys.executable, "-m", "entangle", *arguments],
            env=environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert "\x1b" not in shown.stdout + shown.stderr
        assert "Traceback" not in shown.stderr
        assert max(map(len, shown.stdout.splitlines() or [""])) <= 80
