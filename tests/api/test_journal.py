"""Journals and shards: the bits of a single run, and nothing played twice."""

from __future__ import annotations

import json
import os
import pickle
import random
import re
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from entangle import blocks, decades, drawn, engine, resuming
from entangle.blocks import BLOCK
from entangle.cli import cli
from entangle.errors import JournalError, RunError, StudyError
from entangle.executors import Task, completed
from entangle.journal.folder import Journal
from entangle.journal.kept import Span, gaps
from entangle.journal.status import status
from entangle.shards import Shard
from entangle.work import digest
from small_studies import small_fitted as small

SEED = 7
#: Not a multiple of a block: the last block is shorter.
TRAJECTORIES = 9 * BLOCK + 1234
HISTORIES = 3 * decades.BLOCK + 99
DRAWS = 6
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _stopped_clock(monkeypatch):
    """Let files that hold the same be the same, byte by byte."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")


def study(kind="disputes"):
    years = {"peacetime": {"years": 3}} if kind == "histories" else {}
    return small(**years)


def asked(kind):
    """Return the study as a run of a kind asks it, for those that play shares of it."""
    if kind == "draws":
        return study().asked(trajectories=500, seed=SEED, draws=DRAWS)
    wanted = {"until": {"war": 0.02}} if kind == "until" else {}
    return study(kind).asked(
        trajectories=TRAJECTORIES, seed=SEED, attribution=False if kind == "counts" else None, **wanted
    )


def run(kind, **more):
    if "executor" not in more:
        more.setdefault("workers", 2)  # which decides how blocks are cut into tasks
    if kind == "histories":
        return study(kind).decades(histories=HISTORIES, seed=SEED, **more)
    if kind == "draws":
        return study().run(trajectories=500, seed=SEED, draws=DRAWS, **more)
    return asked(kind).run(**more)


def shard(kind, which, of, journal, **more):
    if kind == "histories":
        return resuming.decades_shard(
            study(kind), Shard(which, of), journal=journal, histories=HISTORIES, seed=SEED, **more
        )
    draws = {"draws": DRAWS} if kind == "draws" else {}
    return resuming.run_shard(asked(kind), Shard(which, of), journal=journal, **draws, **more)


KINDS = ["disputes", "counts", "until", "histories", "draws"]
WHOLE: dict[str, bytes] = {}


def bytes_of(result, folder):
    path = folder / "written.nc"
    result.save(path)
    return path.read_bytes()


@pytest.fixture
def whole(tmp_path, request):
    """Return a function that gives the file of a single run of a kind, made without any journal.

    What it plays, the first time, is not in `played`, where the test asks for that too. It is not asked
    for here: what spies on the players does not go to other processes.
    """
    played = request.getfixturevalue("played") if "played" in request.fixturenames else []

    def made(kind):
        if kind not in WHOLE:
            so_far = len(played)
            WHOLE[kind] = bytes_of(run(kind, workers=1), tmp_path)
            del played[so_far:]
        return WHOLE[kind]

    return made


@pytest.fixture
def played(monkeypatch):
    """Return a list of the first units of all tasks that are played."""
    seen = []
    for module, name in ((engine, "play"), (decades, "play"), (drawn, "play_draw")):
        function = getattr(module, name)

        def spy(shared, seed, first, size, function=function):
            seen.append((first, first + size))
            return function(shared, seed, first, size)

        monkeypatch.setattr(module, name, spy)
    return seen


def files(journal):
    return sorted((journal / "blocks").iterdir())


# -- journals ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_journal_moves_no_bit_and_is_not_played_again(kind, whole, tmp_path, played):
    journal = tmp_path / "journal"
    assert bytes_of(run(kind, journal=journal), tmp_path) == whole(kind)
    assert played
    assert status(journal)[0].whole or kind == "until"
    played.clear()
    assert bytes_of(run(kind, journal=journal), tmp_path) == whole(kind)
    assert bytes_of(resuming.resume(journal), tmp_path) == whole(kind)
    assert played == []


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_missing_is_played_and_nothing_else(kind, whole, tmp_path, played):
    journal = tmp_path / "journal"
    run(kind, journal=journal)
    lost = files(journal)[1:4:2]
    for path in lost:
        path.unlink()
    played.clear()
    assert bytes_of(resuming.resume(journal, workers=3), tmp_path) == whole(kind)
    assert sorted(played) == [tuple(int(part) for part in path.stem.split("-")) for path in lost]


def test_blocks_may_be_cut_otherwise_by_whoever_goes_on(whole, tmp_path):
    journal = tmp_path / "journal"
    with pytest.raises(KeyboardInterrupt):
        run("disputes", journal=journal, progress=stop_after(4))
    for path in files(journal):  # tasks end in any order
        if int(path.stem.split("-")[0]) >= 4 * BLOCK:
            path.unlink()
    assert files(journal)

    _, plan, _ = engine.prepared(asked("disputes"))
    work = engine.work_of(asked("disputes"), plan)
    keeper = Journal(journal)
    keeper.open(work.outline)
    keeper.begin(work)
    keeper.keep(5 * BLOCK, 3 * BLOCK, blocks.play(plan, SEED, 5 * BLOCK, 3 * BLOCK), work)
    keeper.close()
    assert bytes_of(resuming.resume(journal), tmp_path) == whole("disputes")


def stop_after(number):
    def progress(done, total):
        if done >= number:
            raise KeyboardInterrupt

    return progress


@pytest.mark.parametrize("kind", ["disputes", "draws"])
def test_an_interrupt_keeps_what_is_done(kind, whole, tmp_path, played):
    journal = tmp_path / "journal"
    with pytest.raises(KeyboardInterrupt):
        run(kind, journal=journal, workers=2, progress=stop_after(3))
    kept = {tuple(int(part) for part in path.stem.split("-")) for path in files(journal)}
    assert len(kept) >= 3
    played.clear()
    assert bytes_of(run(kind, journal=journal), tmp_path) == whole(kind)
    assert not kept & set(played)


def test_processes_keep_a_journal(whole, tmp_path):
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as executor:
        result = run("disputes", journal=tmp_path / "journal", executor=executor)
    assert bytes_of(result, tmp_path) == whole("disputes")


def test_progress_begins_with_what_is_kept(tmp_path):
    journal = tmp_path / "journal"
    run("disputes", journal=journal)
    for path in files(journal)[-2:]:
        path.unlink()
    told = []
    resuming.resume(journal, progress=lambda *step: told.append(step))
    assert told == [(8, 10), (9, 10), (10, 10)]


def test_the_bar_shows_a_rate_that_knows_nothing_of_what_was_kept(monkeypatch, capsys):
    from entangle.cli.running import bar

    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")
    with bar("solving", "playing", quiet=False) as (solving, playing):
        solving(1, 2)
        playing(9_000, 10_000)
        for done in range(9_001, 9_006):
            time.sleep(0.1)
            playing(done, 10_000)
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", capsys.readouterr().err)
    rates = [float(rate) for rate in re.findall(r"9005/10000 ([\d.e+]+)/s", shown)]
    assert rates
    assert all(0 < rate < 100 for rate in rates), shown


def test_a_draw_that_cannot_be_solved_is_kept_as_such(tmp_path, monkeypatch):
    from entangle_kernels import equilibrium

    games = drawn.games
    first: list[float] = []

    def lowered(levers, setting):
        first[:] = first or [setting.parameters.compromise]
        if setting.parameters.compromise == first[0]:
            raise equilibrium.ConvergenceError(0.1, 10, 3.0)
        return games(levers, setting)

    monkeypatch.setattr(drawn, "games", lowered)
    before = run("draws", journal=tmp_path / "journal", workers=1)
    monkeypatch.setattr(drawn, "games", games)
    after = run("draws", journal=tmp_path / "journal")
    assert before.left_out == after.left_out == [0]
    assert before.data.attrs["sha256"] == after.data.attrs["sha256"]


# -- shards ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "of"),
    [("disputes", 1), ("disputes", 3), ("disputes", 10), ("counts", 4), ("histories", 3), ("draws", 4)],
)
def test_merged_shards_are_the_file_of_a_single_run(kind, of, whole, tmp_path, played):
    order = random.Random(of).sample(range(of), of)
    for which in order:
        assert shard(kind, which, of, tmp_path / "shards").whole
    number = {"histories": HISTORIES, "draws": DRAWS}.get(kind, TRAJECTORIES)
    assert sum(stop - first for first, stop in played) == number
    played.clear()
    assert bytes_of(resuming.merge([tmp_path / "shards"]), tmp_path) == whole(kind)
    assert played == []


def test_shards_from_several_places_in_any_order(whole, tmp_path):
    for which, place in enumerate("abc"):
        shard("disputes", which, 3, tmp_path / place)
    # other machines number and name their folders as they like
    (tmp_path / "b" / "shard-1-of-3").rename(tmp_path / "moved")
    merged = resuming.merge([tmp_path / "c", tmp_path / "moved", tmp_path / "a"])
    assert bytes_of(merged, tmp_path) == whole("disputes")


def test_a_shard_is_resumed_by_itself(whole, tmp_path, played):
    for which in range(3):
        shard("disputes", which, 3, tmp_path / "shards")
    lost = tmp_path / "shards" / "shard-1-of-3"
    gone = files(lost)[1]
    gone.unlink()
    with pytest.raises(JournalError, match=r"must be whole.*missing.*entangle resume .*shard-1-of-3"):
        resuming.merge([tmp_path / "shards"])
    played.clear()
    assert resuming.resume(lost) is None
    assert played == [tuple(int(part) for part in gone.stem.split("-"))]
    assert bytes_of(resuming.merge([tmp_path / "shards"]), tmp_path) == whole("disputes")


def test_a_whole_journal_merges_to_itself(whole, tmp_path):
    run("until", journal=tmp_path / "journal")
    assert bytes_of(resuming.merge([tmp_path / "journal"]), tmp_path) == whole("until")


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (lambda at: shard("disputes", 0, 2, at), r"missing.*Play shard 1 of 2"),
        (
            lambda at: [shard("disputes", 0, 4, at), shard("disputes", 3, 4, at)],
            r"327,680 of 591,058 disputes missing, the first of them 131,072 to .*Play shards 1, 2 of 4",
        ),
        (
            lambda at: [
                shard("disputes", 0, 2, at),
                shard("disputes", 1, 4, at),
                shard("disputes", 1, 2, at),
            ],
            r"must not count what another file counts, got units 131,072 to",
        ),
        (
            lambda at: [
                shard("disputes", 0, 2, at),
                resuming.run_shard(asked("disputes").asked(seed=8), Shard(1, 2), journal=at),
            ],
            r"must be of the same plan as .*seed is \"8\" there and \"7\" here",
        ),
        (
            lambda at: [shard("disputes", 0, 2, at), shard("counts", 1, 2, at)],
            r"must be of the same plan as .*study\.simulation\.attribution is false there and not set here",
        ),
        (
            lambda at: [shard("disputes", 0, 2, at), shard("draws", 1, 2, at)],
            r"must be of the same plan as .*kind is \"draws\" there and \"disputes\" here",
        ),
        (lambda at: at.mkdir(), r"must be the folder of a journal, with a file plan\.json"),
        (lambda at: at.write_text("x"), r"must be the folder of a journal, got a file"),
        (lambda at: None, r"must be the folder of a journal, got nothing there"),
    ],
)
def test_what_does_not_make_a_whole_is_not_merged(prepare, message, tmp_path):
    prepare(tmp_path / "shards")
    with pytest.raises(JournalError, match=message):
        resuming.merge([tmp_path / "shards"])


def test_a_journal_named_twice_is_not_counted_twice(tmp_path):
    shard("disputes", 0, 1, tmp_path / "shards")
    (tmp_path / "link").symlink_to(tmp_path / "shards")
    with pytest.raises(JournalError, match="must be named once"):
        resuming.merge([tmp_path / "shards", tmp_path / "link"])


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda at: shard("until", 0, 2, at), r"\[simulation\] until: cannot be used with shards"),
        (
            lambda at: shard("disputes", 10, 11, at),
            r"must be one of at most as many as there are blocks",
        ),
        (lambda at: shard("draws", 0, 7, at), r"shard: must be one of at most"),
    ],
)
def test_a_run_that_cannot_be_divided(ask, message, tmp_path):
    with pytest.raises(StudyError, match=message):
        ask(tmp_path / "shards")
    assert not (tmp_path / "shards").exists()


SLURM = {
    f"SLURM_ARRAY_TASK_{name}": value
    for name, value in zip(("ID", "COUNT", "MIN", "MAX"), "2605", strict=True)
}


@pytest.mark.parametrize(
    ("text", "environment", "expected"),
    [
        ("0/1", {}, (0, 1)),
        (" 3/8 ", {}, (3, 8)),
        ("auto/8", SLURM, (2, 8)),
        ("auto", SLURM, (2, 6)),
        ("auto/4", {"JOB_COMPLETION_INDEX": "3"}, (3, 4)),
        ("auto", {"JOB_COMPLETION_INDEX": "3", "ENTANGLE_SHARDS": "5"}, (3, 5)),
        # a task of Kubernetes in a task of SLURM is the inner one's
        ("auto/4", SLURM | {"JOB_COMPLETION_INDEX": "3"}, (3, 4)),
    ],
)
def test_shards_are_read(text, environment, expected):
    assert Shard.read(text, environment) == expected


@pytest.mark.parametrize(
    ("text", "environment", "message"),
    [
        ("8/8", {}, "must be counted from 0.*got 8 of 8.*Use 0 to 7"),
        ("0/0", {}, "got 0 of 0.*Use one shard or more"),
        ("-1/8", {}, "must be I/N"),
        ("1", {}, "must be I/N"),
        ("1/", {}, "must be I/N"),
        ("1/2/3", {}, "must be I/N"),
        ("²/3", {}, "must be I/N"),
        ("1/99999999999", {}, "must be I/N"),
        ("auto/x", SLURM, "must be I/N"),
        ("auto", {}, "can be `auto` only in a task of an array"),
        ("auto/8", {}, "can be `auto` only in a task of an array"),
        ("auto", {"JOB_COMPLETION_INDEX": "3"}, "only if the environment says how many"),
        ("auto/8", {"JOB_COMPLETION_INDEX": "three"}, "needs a whole number in JOB_COMPLETION_INDEX"),
        ("auto", {"JOB_COMPLETION_INDEX": "3", "ENTANGLE_SHARDS": ""}, "whole number in ENTANGLE_SHARDS"),
        # an array of which a part was begun again says nothing of the whole
        ("auto", SLURM | {"SLURM_ARRAY_TASK_MIN": "1"}, "only if the environment says how many"),
        ("auto", SLURM | {"SLURM_ARRAY_TASK_COUNT": "2"}, "only if the environment says how many"),
        (
            "auto",
            {
                "SLURM_ARRAY_TASK_ID": "0",
                "SLURM_ARRAY_TASK_COUNT": "1",
                "SLURM_ARRAY_TASK_MIN": "0",
                "SLURM_ARRAY_TASK_MAX": "0",
            },
            "only if the environment says how many",
        ),
        ("auto/2", SLURM, "got 2 of 2"),
    ],
)
def test_shards_that_are_none(text, environment, message):
    with pytest.raises(StudyError, match=message):
        Shard.read(text, environment)


@given(st.integers(1, 400), st.integers(1, 7), st.data())
def test_shares_are_all_of_it_once_and_alike(number, block, data):
    count = -(-number // block)
    of = data.draw(st.integers(1, count))
    shares = [Shard(which, of).share(number, block) for which in range(of)]
    assert [unit for first, stop in shares for unit in range(first, stop)] == list(range(number))
    sizes = [-(-(stop - first) // block) for first, stop in shares]
    assert max(sizes) - min(sizes) <= 1 <= min(sizes)
    assert all(first % block == 0 for first, _ in shares)


@settings(max_examples=200)
@given(st.sets(st.integers(0, 59)), st.integers(0, 59), st.integers(1, 60))
def test_gaps_are_what_is_not_kept(units, first, length):
    spans = [Span(unit, unit + 1, Path(str(unit))) for unit in sorted(units)]
    stop = min(first + length, 60)
    found = [unit for begin, end in gaps(spans, first, stop) for unit in range(begin, end)]
    assert found == [unit for unit in range(first, stop) if unit not in units]


# -- the plan ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (lambda at: asked("disputes").run(seed=8, journal=at), r"seed is \"7\" there and \"8\" here"),
        (
            lambda at: asked("disputes").run(trajectories=TRAJECTORIES + 1, journal=at),
            r"number is 591058 there and 591059 here",
        ),
        (
            lambda at: asked("disputes").replace(title="Other").run(journal=at),
            r"study\.title is \"Three pacts\" there and \"Other\" here",
        ),
        (
            lambda at: asked("disputes").run(until={"war": 0.1}, journal=at),
            r"study\.simulation\.until is not set there",
        ),
        (lambda at: run("draws", journal=at), r"kind is \"disputes\" there and \"draws\" here"),
        (lambda at: run("histories", journal=at), r"kind is \"disputes\" there and \"histories\" here"),
        (
            lambda at: (
                small(parameters={"precision": 3.5, "types": 2, "rounds": 4})
                .asked(trajectories=TRAJECTORIES, seed=SEED)
                .run(journal=at)
            ),
            r"study\.parameters\.precision is 3\.0 there and 3\.5 here",
        ),
    ],
)
def test_another_plan_is_refused_before_any_work(other, message, tmp_path, monkeypatch):
    from entangle_kernels import equilibrium

    journal = tmp_path / "journal"
    run("disputes", journal=journal)
    before = snapshot(journal)
    monkeypatch.setattr(equilibrium, "solve", lambda *_, **__: pytest.fail("work was done"))
    with pytest.raises(JournalError, match=r"must be a journal of the same plan, got .*" + message):
        other(journal)
    assert snapshot(journal) == before


def test_the_order_of_pacts_is_part_of_the_plan(tmp_path):
    run("disputes", journal=tmp_path / "journal")
    turned = asked("disputes")
    turned = turned.replace(pacts=dict(reversed(turned.pacts.items())))
    with pytest.raises(JournalError, match="must be a journal of the same plan"):
        turned.run(journal=tmp_path / "journal")


def test_other_versions_are_refused(tmp_path, monkeypatch):
    from entangle import work

    run("disputes", journal=tmp_path / "journal")
    versions = work.versions() | {"numba": "0.1"}
    monkeypatch.setattr(work, "versions", lambda: versions)
    with pytest.raises(JournalError, match=r"versions\.numba is .* there and \"0\.1\" here"):
        resuming.resume(tmp_path / "journal")


def test_games_that_come_out_otherwise_are_refused(tmp_path, monkeypatch):
    run("disputes", journal=tmp_path / "journal")
    prepared = engine.prepared

    def off(study, **more):
        pacts, plan, known = prepared(study, **more)
        cut = plan.worlds[0].cut.copy()
        cut.flat[0] ^= 1
        return pacts, plan._replace(worlds=(plan.worlds[0]._replace(cut=cut), *plan.worlds[1:])), known

    monkeypatch.setattr(engine, "prepared", off)
    with pytest.raises(JournalError, match="games came out otherwise on this machine"):
        resuming.resume(tmp_path / "journal")
    with pytest.raises(JournalError, match="games came out otherwise on this machine"):
        resuming.merge([tmp_path / "journal"])


def test_the_digest_knows_every_bit_type_and_shape():
    values = [
        (1, 2), (1, (2,)), ((1, 2),), (1, 2.0), (1, "2"), (1, None), (True, 2), (np.array([1, 2]),),
        (np.array([1.0, 2.0]),), (np.array([[1, 2]]),), (np.array([1, 2], np.int32),), (np.array([1, 3]),),
        (np.int64(1), 2), (0.0, 2), (-0.0, 2), ("ab", "c"), ("a", "bc"),
    ]  # fmt: skip
    assert len({digest(value) for value in values}) == len(values)
    assert digest((np.arange(4.0)[::2],)) == digest((np.array([0.0, 2.0]),))
    with pytest.raises(TypeError, match="dict cannot stand in a plan"):
        digest(({},))


def snapshot(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "lock"
    }


# -- what tasks share is sent once -------------------------------------------------------------------


class Counting:
    """Counts how often it is pickled."""

    pickled = 0

    def __reduce__(self):
        Counting.pickled += 1
        return Counting, ()


def _nothing(shared, seed, first, size):
    assert isinstance(shared, Counting)
    return os.getpid()


def test_what_tasks_share_is_pickled_once(monkeypatch):
    monkeypatch.setattr(Counting, "pickled", 0)
    sent = []
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        submit = pool.submit

        def spy(function, *arguments):
            sent.append(len(pickle.dumps(arguments[2])) if len(arguments) > 2 else 0)
            return submit(function, *arguments)

        monkeypatch.setattr(pool, "submit", spy)
        tasks = (Task(0, i, 1) for i in range(200))
        with closing(completed(_nothing, Counting(), tasks, executor=pool, workers=None)) as stream:
            done = sorted(task.first for task, _ in stream)
    assert done == list(range(200))
    assert Counting.pickled == 1
    # each worker asks for it at most as often as tasks are in flight before it has it
    assert sum(size > 10 for size in sent) <= 2 + 8


def test_a_worker_that_lacks_what_tasks_share_asks_for_it():
    """Each task in a process of its own: none has met what is shared."""
    context = get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context, max_tasks_per_child=1) as pool:
        tasks = (Task(0, i, 1) for i in range(3))
        done = sorted(
            task.first for task, _ in completed(_nothing, Counting(), tasks, executor=pool, workers=1)
        )
    assert done == [0, 1, 2]


# -- one at a time -----------------------------------------------------------------------------------


def test_two_runs_of_one_process_do_not_share_a_journal(tmp_path):
    journal = tmp_path / "journal"

    def again(done, total):
        run("disputes", journal=journal)

    with pytest.raises(RunError, match=r"only one process at a time.*another run of this process"):
        run("disputes", journal=journal, progress=again)
    run("disputes", journal=journal)  # and the failed one did not keep it


def test_two_processes_do_not_share_a_journal(tmp_path):
    journal = tmp_path / "journal"
    program = (
        "import sys, time; from entangle.journal.lock import Lock; from pathlib import Path\n"
        "lock = Lock(Path(sys.argv[1])); lock.take(); print('held', flush=True); time.sleep(600)"
    )
    journal.mkdir()
    other = subprocess.Popen(
        [sys.executable, "-c", program, str(journal)], stdout=subprocess.PIPE, text=True, env=environment()
    )
    try:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(RunError, match=rf"only one process at a time.*process {other.pid} on "):
            run("disputes", journal=journal)
    finally:
        other.kill()
        other.wait()
        other.stdout.close()
    run("disputes", journal=journal)  # whatever ends a process frees its lock


def environment():
    folders = [ROOT, ROOT / "kernels", ROOT / "tests"]
    return os.environ | {"PYTHONPATH": os.pathsep.join(map(str, folders))}


# -- the command -------------------------------------------------------------------------------------


@pytest.fixture
def command(tmp_path):
    path = tmp_path / "study.toml"
    asked("disputes").save(path)

    def call(*arguments, code=0):
        told = [str(path) if part == "STUDY" else str(part) for part in arguments]
        done = CliRunner().invoke(cli, told, env={"COLUMNS": "100"})
        assert done.exit_code == code, done.output
        return done

    return call


def test_the_commands_of_a_journal(command, tmp_path, whole):
    journal = tmp_path / "journal"
    command("run", "STUDY", "--journal", journal, "--quiet", "--workers", 2)
    files(journal)[2].unlink()
    told = command("journal", journal).output
    assert "525,522 of 591,058 disputes in 9 files" in told
    assert "missing: 131,072 to 196,607" in told
    plain = json.loads(command("journal", journal, "--json").output)
    assert (plain[0]["done"], plain[0]["missing"], plain[0]["whole"]) == (525522, [[131072, 196608]], False)
    assert "result.nc" in command("resume", journal).output
    assert (journal / "result.nc").read_bytes() == whole("disputes")
    command("resume", journal, "--out", tmp_path / "other.nc", "--quiet")
    assert (tmp_path / "other.nc").read_bytes() == whole("disputes")


def test_the_commands_of_shards(command, tmp_path, whole):
    shards = tmp_path / "shards"
    assert "shard 0 of 2" in command("run", "STUDY", "--journal", shards, "--shard", "0/2").output
    refused = command("merge", shards, "--out", tmp_path / "merged.nc", code=2)
    assert "Play shard 1 of 2" in refused.output
    refused = command("resume", shards, code=2)
    assert "a folder of 1 shards" in refused.output
    CliRunner(env={"JOB_COMPLETION_INDEX": "1"}).invoke(
        cli, ["run", str(tmp_path / "study.toml"), "--journal", str(shards), "--shard", "auto/2"]
    )
    command("merge", shards, "--out", tmp_path / "merged.nc")
    assert (tmp_path / "merged.nc").read_bytes() == whole("disputes")


def test_decades_and_draws_have_shards_too(tmp_path, command, whole):
    for which in range(2):
        command(
            "run", "STUDY", "--draws", DRAWS, "--trajectories", 500,
            "--journal", tmp_path / "draws", "--shard", f"{which}/2", "--quiet",
        )  # fmt: skip
    command("merge", tmp_path / "draws", "-o", tmp_path / "draws.nc", "--quiet")
    assert (tmp_path / "draws.nc").read_bytes() == bytes_of(
        asked("disputes").run(draws=DRAWS, trajectories=500), tmp_path
    )
    study("histories").save(tmp_path / "years.toml")
    for which in range(2):
        command(
            "decades", tmp_path / "years.toml", "--histories", HISTORIES, "--seed", SEED,
            "--journal", tmp_path / "years", "--shard", f"{which}/2", "--quiet",
        )  # fmt: skip
    command("merge", tmp_path / "years", "-o", tmp_path / "years.nc", "--quiet")
    assert (tmp_path / "years.nc").read_bytes() == whole("histories")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("run", "STUDY", "--shard", "0/2"), "name its folder with --journal"),
        (("run", "STUDY", "--shard", "2/2", "--journal", "x"), "got 2 of 2"),
        (
            ("run", "STUDY", "--shard", "0/2", "--journal", "x", "--out", "y.nc"),
            "--out is for a whole",
        ),
        (("run", "STUDY", "--shard", "0/2", "--journal", "x", "--json"), "--json is for a whole result"),
        (("decades", "STUDY", "--shard", "0/2"), "name its folder with --journal"),
        (("resume", "nowhere"), "must be the folder of a journal, got nothing there"),
        (("journal", "nowhere"), "must be the folder of a journal, got nothing there"),
        (("run", "STUDY", "--journal", "no/where"), "must stand in a folder that is there"),
    ],
)
def test_what_the_commands_refuse(command, arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert message in command(*arguments, code=2).output.replace("\n", " ")
    assert not Path("x").exists()


def test_an_interrupted_command_says_where_to_go_on(command, tmp_path, monkeypatch):
    play = engine.play

    def interrupted(plan, seed, first, size):
        if first == 2 * BLOCK:
            raise KeyboardInterrupt
        return play(plan, seed, first, size)

    monkeypatch.setattr(engine, "play", interrupted)
    done = command("run", "STUDY", "--journal", tmp_path / "journal", code=130)
    assert f"is kept in {tmp_path / 'journal'}" in done.output
