"""Dry runs: what is counted is exact, times add up, nothing is simulated, and what they say comes true."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import entangle.decades
from entangle import blocks, drawn, engine, playing
from entangle.cli import cli
from entangle.context_grid import ORIGIN
from entangle.contexts import MOST_CONTEXTS, first_look, solve_contexts
from entangle.dry_run import DryRun, Step, crises, measuring
from entangle.dry_run.report import Memory
from entangle.errors import JournalError, StudyError
from entangle.resuming import decades_shard, run_shard
from entangle.shards import Shard
from entangle.solve_cache import SolveCache
from entangle.solving import prepare
from entangle.study import Study
from entangle_kernels import crisis
from entangle_kernels.philox import ENTRY, TYPES
from reference.games import crisis_tables
from small_studies import small

ROOT = Path(__file__).resolve().parents[2]
#: Of what is known only from a measurement, by how much it may be off on a machine that does other work too.
FACTOR = 3.0


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENTANGLE_CACHE", str(tmp_path / "solutions"))


def short() -> Study:
    """Return a study of two years under one pact, whose contexts are solved soon."""
    return small(
        pacts={"treaty": {"commitment": "defence"}},
        parameters={"precision": 3.0, "types": 2, "rounds": 3},
        peacetime={"years": 2},
    )


def named(found: DryRun) -> dict[str, Step]:
    return {step.name: step for step in found.steps}


# -- counts ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("trajectories", "workers"), [(1, 1), (65_537, 1), (3 * 10**9, 4)])
def test_blocks_tasks_and_games_are_those_of_the_run(
    trajectories: int, workers: int, monkeypatch: Any
) -> None:
    study = small()
    found = study.dry_run(trajectories=trajectories, workers=workers)
    tasks = []
    monkeypatch.setattr(playing, "completed", lambda play, plan, stream, **_: iter_tasks(stream, tasks))
    plan = engine.prepared(study)[1]
    engine.simulate(plan, seed=1, trajectories=trajectories, workers=workers)
    assert found.counts["tasks"] == len(tasks)
    assert found.counts["blocks"] == sum(-(-task.size // blocks.BLOCK) for task in tasks)
    assert found.counts["trajectories"] == sum(task.size for task in tasks) == trajectories
    assert found.counts["worlds"] == len(plan.worlds)
    assert found.memory.threads == workers


def iter_tasks(stream: Any, tasks: list[Any]) -> Any:
    """Take note of all tasks and play none."""
    tasks.extend(stream)
    yield from ()


def test_every_game_is_counted_once() -> None:
    solved = prepare(small(), empty=True)
    games = {id(solution) for pact in solved.values() for solution in pact.solutions}
    assert small().dry_run(trajectories=1).counts["games"] == len(games)
    twins = small(pacts={"one": {"commitment": "defence"}, "same": {"commitment": "defence"}})
    assert twins.dry_run(trajectories=1, attribution=False).counts["games"] == 1


def test_random_words_are_those_that_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine's own addresses, noted in plain Python, against the exact expectation."""
    table = crisis_tables(rounds=6, types=2)
    drawn_words: list[int] = []

    def noting(index: Any, year: Any, where: Any, seed: Any, words: Any) -> None:
        drawn_words.append(words.shape[0] * len(index))
        crisis_philox(index, year, where, seed, words)

    crisis_philox = getattr(crisis.philox, "py_func", crisis.philox)
    monkeypatch.setattr(crisis, "philox", noting)
    size = 2_000
    with np.errstate(over="ignore"):
        interpreted(monkeypatch, table, size)
    expected = crises.WORDS * size * (2 + crises.expected_rounds(table))
    # 2,000 disputes of at most 6 rounds: their number of rounds has a standard deviation below 3
    assert sum(drawn_words) == pytest.approx(expected, abs=crises.WORDS * 7 * 3 * np.sqrt(size))
    assert crises.expected_rounds(table) > 0.2
    assert len({int(TYPES), int(ENTRY)}) == 2


def interpreted(monkeypatch: pytest.MonkeyPatch, table: Any, size: int) -> None:
    """Play a block with the kernel as plain Python."""
    for name, value in list(vars(crisis).items()):
        if hasattr(value, "py_func"):
            monkeypatch.setattr(crisis, name, value.py_func)
    crisis.simulate(table, seed=7, first=0, size=size)


def test_without_attribution_there_is_no_world_of_no_pact() -> None:
    only = small(pacts={"treaty": {"commitment": "defence"}})
    assert only.dry_run(trajectories=9).counts["worlds"] == 2
    assert only.dry_run(trajectories=9, attribution=False).counts["worlds"] == 1


def test_a_run_until_enough_is_known_is_expected_to_end_early() -> None:
    found = small().dry_run(trajectories=10**9, until={"war": 0.1})
    actual = small().run(trajectories=10**9, until={"war": 0.1})
    assert actual.trajectories / 2 <= found.counts["trajectories"] <= 2 * actual.trajectories


def test_draws_are_counted() -> None:
    found = small().dry_run(draws=3, trajectories=50)
    assert found.what == "draws"
    assert (found.counts["draws"], found.counts["trajectories"], found.counts["tasks"]) == (3, 50, 3)
    assert [step.name for step in found.steps] == [
        "loading",
        "solving",
        "simulating",
        "tabulating",
        "writing",
    ]
    exact = small().dry_run(draws=3, attribution=False)
    assert "simulating" not in named(exact)
    assert (
        small(simulation={"trajectories": 10**9}).dry_run(draws=2).counts["trajectories"]
        == drawn.TRAJECTORIES
    )


def test_a_file_takes_what_was_said(tmp_path: Path) -> None:
    path = tmp_path / "result.nc"
    small().run(trajectories=100_000).save(path)
    said = small().dry_run(trajectories=100_000).counts["file_bytes"]
    assert said == pytest.approx(path.stat().st_size, rel=0.1)
    few = short()
    few.decades(histories=500).save(path)
    said = few.dry_run_decades(histories=500).counts["file_bytes"]
    assert said == pytest.approx(path.stat().st_size, rel=0.1)


# -- contexts --------------------------------------------------------------------------------------


def test_contexts_lie_between_the_least_and_the_most() -> None:
    study = small(peacetime={"years": 5})
    found = study.dry_run_decades(histories=100).counts
    asked: list[int] = []
    free: set[Any] = set()
    for name in study.pacts:
        solved = solve_contexts(study, name)
        if solved.bound is not solved.free:
            asked.append(len(solved.bound._answers))
        free |= set(solved.free._answers)
    assert found["contexts_least"] / 2 <= sum(asked) + len(free) <= found["contexts_most"]
    assert found["contexts"] / FACTOR <= sum(asked) + len(free) <= FACTOR * found["contexts"]


def test_what_is_on_disk_is_not_counted_again() -> None:
    study = small(peacetime={"years": 5})
    before = study.dry_run_decades(histories=100).counts
    study.decades(histories=1)
    after = study.dry_run_decades(histories=100).counts
    assert after["contexts"] == before["contexts"]
    assert after["contexts_missing"] < before["contexts_missing"]


def test_the_first_look_is_that_of_the_search() -> None:
    study, cache = small(peacetime={"years": 5}), SolveCache(None)
    look = first_look(study, "treaty", cache=cache, seconds=60.0)
    solved = solve_contexts(study, "treaty", cache=cache)
    assert look.grids[0] == look.coarsest == look.solved.grid
    assert set(look.coarsest.points) <= set(solved.grid.points)
    assert all(
        len(fine.points) > len(coarse.points)
        for coarse, fine in zip(look.grids, look.grids[1:], strict=False)
    )
    assert len(look.grids[-1].points) <= MOST_CONTEXTS
    assert 0 <= look.likely < len(look.grids)


def test_without_time_only_the_start_is_solved() -> None:
    look = first_look(small(), "treaty", cache=SolveCache(None), seconds=0.0)
    assert look.solved.grid.points == [ORIGIN]
    assert len(look.coarsest.points) > 1


def test_years_blocks_and_words_of_histories() -> None:
    found = small(peacetime={"years": 3}).dry_run_decades(histories=40_000, workers=1).counts
    assert (found["histories"], found["years"], found["blocks"], found["worlds"]) == (40_000, 3, 3, 3)
    assert found["least_random_words"] == 40_000 * 3 * 3 * 20


# -- journals and shards ---------------------------------------------------------------------------


def listed(folder: Path) -> list[tuple[str, int, int]]:
    """Everything in a folder, with sizes and the times of the last change."""
    found = sorted(folder.rglob("*"))
    return [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in found]


@pytest.mark.parametrize("kind", ["crises", "histories", "draws"])
def test_what_a_journal_holds_is_not_counted_again(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(entangle.decades, "BLOCK", 500)
    study, journal = short(), tmp_path / "journal"
    asked = {
        "crises": {"trajectories": 3 * blocks.BLOCK, "seed": 5},
        "histories": {"histories": 2 * entangle.decades.BLOCK + 5, "seed": 5},
        "draws": {"draws": 3, "trajectories": 20, "seed": 5},
    }[kind]
    dry, run = (study.dry_run_decades, study.decades) if kind == "histories" else (study.dry_run, study.run)
    name = {"crises": "trajectories"}.get(kind, kind)
    new = dry(**asked, workers=1, journal=journal)
    assert not journal.exists()
    assert (new.counts[name], new.counts["kept"]) == (asked[name], 0)
    run(**asked, workers=1, journal=journal)
    files = sorted((journal / "blocks").iterdir())
    assert new.counts["tasks" if kind != "histories" else "blocks"] == len(files)
    size = sum(path.stat().st_size for path in files)
    # files differ by how much happened in them, and by what their digits take when packed
    assert new.counts["journal_bytes"] == pytest.approx(size, rel=0.3)
    assert dry(**asked, workers=1, journal=journal).counts["kept"] == asked[name]
    first, stop = (int(text) for text in files[1].stem.split("-"))
    files[1].unlink()
    before = listed(journal)
    found = dry(**asked, workers=1, journal=journal)
    assert listed(journal) == before
    assert found.counts["kept"] == asked[name] - (stop - first)
    assert found.counts["tasks" if kind != "histories" else "blocks"] == 1
    assert "keeping" in named(found)
    assert f"holds {found.counts['kept']:,} of them" in found.summary()
    with pytest.raises(JournalError, match="seed"):
        dry(**(asked | {"seed": 6}), journal=journal)


@pytest.mark.parametrize("kind", ["crises", "histories", "draws"])
def test_a_shard_is_its_share_and_gives_no_file(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(entangle.decades, "BLOCK", 500)
    study, shard, journal = short(), Shard(1, 2), tmp_path / "journal"
    if kind == "histories":
        number = 3 * entangle.decades.BLOCK
        found = study.dry_run_decades(histories=number, workers=1, journal=journal, shard=shard)
        done = decades_shard(study, shard, journal=journal, histories=number, seed=0, workers=1)
        share = found.counts["histories"]
    else:
        asked = {"trajectories": 9 * blocks.BLOCK} if kind == "crises" else {"trajectories": 9, "draws": 5}
        found = study.dry_run(**asked, workers=1, journal=journal, shard=shard)
        done = run_shard(study.asked(**asked), shard, journal=journal, draws=asked.get("draws"), workers=1)
        share = found.counts["trajectories" if kind == "crises" else "draws"]
    assert share == done.number == done.done
    assert found.counts["tasks" if kind != "histories" else "blocks"] == len(done.kept)
    assert not {"merging", "tabulating", "writing"} & set(named(found))
    assert "file_bytes" not in found.counts
    assert "the file" not in found.summary()


def test_what_cannot_be_divided_is_told_before_any_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "run", None)
    with pytest.raises(StudyError, match="shards"):
        small().dry_run(trajectories=10**6, until={"war": 0.1}, shard=Shard(0, 2))
    with pytest.raises(StudyError, match="draws"):
        small(simulation={"until": {"war": 0.1}}).dry_run(draws=2)
    with pytest.raises(StudyError, match="blocks"):
        small().dry_run(trajectories=10, shard=Shard(0, 2))


# -- nothing is simulated, nothing is repaired -----------------------------------------------------


def test_a_bad_argument_is_told_before_any_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "run", None)
    monkeypatch.setattr(entangle.decades, "play", None)
    for call in (
        lambda: small().dry_run(trajectories=0),
        lambda: small().dry_run(until={"warr": 0.1}),
        lambda: small().dry_run_decades(histories=0),
    ):
        with pytest.raises(StudyError):
            call()
    with pytest.raises(ValueError, match="workers"):
        small().dry_run(workers=0)


def test_no_more_than_a_block_is_played(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    play, lived = blocks.play, entangle.decades.play
    for module in (crises, engine):
        monkeypatch.setattr(
            module,
            "play",
            lambda plan, seed, first, size: sizes.append(size) or play(plan, seed, first, size),
        )
    small().dry_run(trajectories=10**12)
    monkeypatch.setattr(
        entangle.decades,
        "play",
        lambda plan, seed, first, size: sizes.append(size) or lived(plan, seed, first, size),
    )
    short().dry_run_decades(histories=10**12)
    assert 0 < max(sizes) <= blocks.BLOCK


def test_where_solving_takes_long_smaller_games_stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    study = small(parameters={"precision": 3.0, "types": 4, "rounds": 8})
    solved = study.dry_run(trajectories=1000)
    monkeypatch.setattr(crises, "BUDGET", 0.0)
    guessed = study.dry_run(trajectories=1000)
    fixed = ("games", "worlds", "blocks", "tasks", "trajectories")
    assert [guessed.counts[name] for name in fixed] == [solved.counts[name] for name in fixed]
    assert guessed.counts["table_bytes"] == pytest.approx(solved.counts["table_bytes"], rel=0.3)
    step = named(guessed)["solving"]
    assert step.least < step.seconds < step.most


# -- the report ------------------------------------------------------------------------------------


def report(**changes: Any) -> DryRun:
    counts = dict.fromkeys(("trajectories", "worlds", "pacts"), 3) | {
        "table_bytes": 2_500_000,
        "file_bytes": 9_000,
    }
    given: dict[str, Any] = {
        "what": "crises",
        "counts": counts,
        "steps": (Step("solving", "4 games", 2.0, 1.0, 4.0), Step.about("writing", "9 kB", 1.0, within=2.0)),
        "memory": Memory(100, 10, 3),
        "measuring": 0.5,
        "compiled": 0,
    }
    return DryRun(**(given | changes))


def test_steps_and_threads_add_up() -> None:
    found = report()
    assert (found.seconds, found.least, found.most) == (3.0, 1.5, 6.0)
    assert found.memory.total == 120
    assert found.to_dict()["memory_bytes"]["total"] == 120
    assert json.loads(json.dumps(found.to_dict()))["steps"]["solving"]["most"] == 4.0


def test_the_report_fits_80_columns_and_says_what_was_compiled() -> None:
    text = report(compiled=4).summary()
    assert max(map(len, text.splitlines())) <= 80
    assert "in all" in text
    assert "compiled first" in text
    assert "compiled" not in report().summary()
    wide = short().dry_run_decades(histories=2**48).summary()
    assert max(map(len, wide.splitlines())) <= 80


def test_what_a_first_time_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    spent = iter([0.3, 0.1])
    monkeypatch.setattr(measuring, "timed", lambda action: (action(), next(spent)))
    monkeypatch.setattr(measuring, "compiled", lambda: 7)
    assert measuring.loading(lambda: None) == (pytest.approx(0.2), 0)
    files = iter([7, 9])
    spent = iter([30.0, 0.1])
    monkeypatch.setattr(measuring, "compiled", lambda: next(files))
    assert measuring.loading(lambda: None) == (0.0, 2)


def test_threads_are_waited_for_together() -> None:
    import threading

    met = threading.Barrier(3)
    # none of them could go on alone
    assert 0.0 < measuring.together(lambda: met.wait(timeout=30.0), 3, repeats=1) < 30.0
    assert measuring.together(lambda: None, 1) < 1.0


def test_memory_is_traced() -> None:
    assert measuring.traced(lambda: np.zeros(10**6)) == pytest.approx(8e6, rel=0.01)
    assert measuring.array_bytes((np.zeros(3), [np.zeros(2, np.uint8)], "text")) == 26
    assert measuring.resident() > 10**7


@pytest.mark.parametrize("command", ["run", "decades"])
def test_the_command_prints_the_report_and_writes_nothing(command: str, tmp_path: Path) -> None:
    path, out = tmp_path / "study.toml", tmp_path / "out.nc"
    short().replace(simulation={"trajectories": 70_000, "histories": 300}).save(path)
    found = CliRunner().invoke(cli, [command, str(path), "--dry-run", "--out", str(out)])
    assert found.exit_code == 0, found.output
    assert found.output.startswith("Nothing was simulated.")
    assert "starting" in found.output
    assert not out.exists()
    journal = tmp_path / "journal"
    shard = [command, str(path), "--dry-run", "--journal", str(journal), "--shard", "0/1"]
    kept = CliRunner().invoke(cli, shard)
    assert kept.exit_code == 0, kept.output
    assert "files of a journal" in kept.output
    assert not journal.exists()
    data = json.loads(CliRunner().invoke(cli, [command, str(path), "--dry-run", "--json"]).stdout)
    assert set(data["steps"]) >= {"starting", "loading", "solving", "simulating", "merging", "writing"}
    assert data["seconds_least"] <= data["seconds"] <= data["seconds_most"]
    refused = CliRunner().invoke(cli, [command, str(path), "--dry-run", "--scheduler", "tcp://127.0.0.1:1"])
    assert refused.exit_code == 2
    assert "measures this machine" in refused.output


# -- it comes true ---------------------------------------------------------------------------------

PROGRAM = """
import json, sys, time
import entangle
path, out = sys.argv[1:3]
asked = json.loads(sys.argv[3])
study = entangle.load(path)
start = time.perf_counter()
study.{run}(**asked).save(out)
seconds = time.perf_counter() - start
# what getrusage tells can be the peak of whoever started this process
lines = open("/proc/self/status").read().splitlines()
print(json.dumps([seconds, 1024 * int(next(l for l in lines if l.startswith("VmHWM:")).split()[1])]))
"""
SAID = """
import json, sys
import entangle
asked = json.loads(sys.argv[3])
print(json.dumps(entangle.load(sys.argv[1]).{dry}(**asked).to_dict()))
"""


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("config", "run", "asked"),
    [
        ("us_japan", "run", {"trajectories": 30_000_000, "workers": 1}),
        ("baseline", "run", {"trajectories": 1_000_000, "workers": 2}),
        ("us_philippines", "run", {"draws": 20, "trajectories": 50_000, "workers": 1}),
        ("baseline", "decades", {"histories": 100_000, "workers": 1}),
        ("us_rok", "decades", {"histories": 20_000, "workers": 2}),
    ],
)
def test_time_and_memory_come_true(config: str, run: str, asked: dict[str, int], tmp_path: Path) -> None:
    if not Path("/proc/self/status").exists():
        pytest.skip("the system does not tell a process its peak of memory as Linux does")
    path = str(ROOT / "configs" / f"{config}.toml")
    dry = "dry_run" if run == "run" else "dry_run_decades"

    def child(program: str) -> Any:
        # nothing is on disk for either: what a dry run solves is not there for the run
        done = subprocess.run(
            [
                sys.executable,
                "-W",
                "ignore",
                "-c",
                program,
                path,
                str(tmp_path / "out.nc"),
                json.dumps(asked),
            ],
            env=os.environ | {"ENTANGLE_CACHE": "off"},
            capture_output=True,
            text=True,
            check=True,
        )
        return json.loads(done.stdout.splitlines()[-1])

    child(PROGRAM.format(run=run))  # compiles
    said = child(SAID.format(dry=dry))
    seconds, memory = child(PROGRAM.format(run=run))
    assert seconds / FACTOR <= said["seconds"] <= FACTOR * seconds
    assert said["seconds_least"] / 1.5 <= seconds <= 1.5 * said["seconds_most"]
    assert memory / 1.5 <= said["memory_bytes"]["total"] <= 2.0 * memory
