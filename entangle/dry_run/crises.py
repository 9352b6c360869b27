"""A dry run of single crises, with the study's parameters or at draws of them."""

from __future__ import annotations

import math
import statistics
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from entangle import drawn, engine, until
from entangle.blocks import BLOCK, STRETCH, Plan, play
from entangle.digests import MOST
from entangle.dry_run.ahead import Ahead, ahead, keeping
from entangle.dry_run.measuring import (
    array_bytes,
    loading,
    median,
    resident,
    small,
    threads,
    timed,
    together,
    traced,
    written,
)
from entangle.dry_run.report import DryRun, Memory, Step
from entangle.ensemble import Ensemble
from entangle.ensemble import tabulate as tabulate_draws
from entangle.errors import RunError, StudyError
from entangle.executors import worker_count
from entangle.lowering import Setting, games, lower
from entangle.pact import Pact
from entangle.solve_cache import key_of
from entangle.solving import EMPTY
from entangle.tables.dry_run import bytes_text
from entangle.tabulate import tabulate
from entangle_kernels import equilibrium, exact
from entangle_kernels.game import Game
from entangle_kernels.quantise import Tables

if TYPE_CHECKING:
    from pathlib import Path

    import xarray as xr

    from entangle.shards import Shard
    from entangle.study import Study
    from entangle.work import Work

#: How long solving may take in a dry run [s].
BUDGET: Final = 10.0
#: Types and rounds of a game that stands for one which takes longer than that to solve.
_TYPES, _ROUNDS = 3, 6
#: Words at one address; a trajectory takes two addresses before its first round, and one in every round.
WORDS: Final = 4
_BEFORE: Final = 2
#: Draws that are solved in a dry run, at most.
_SAMPLE: Final = 5


def dry_run(
    study: Study,
    *,
    draws: int | None = None,
    posterior: xr.DataTree | str | Path | None = None,
    workers: int | None = None,
    journal: str | Path | None = None,
    shard: Shard | None = None,
) -> DryRun:
    """Return what a run of the study is expected to take; see :meth:`entangle.Study.dry_run`."""
    began = time.perf_counter()
    running = worker_count(None, workers)
    if shard is not None and study.simulation.until:
        raise StudyError.single(
            "simulation",
            "until",
            rule="cannot be used with shards, since where a run stops depends on all of them",
            got=", ".join(study.simulation.until),
            do="Say how many trajectories instead",
        )
    # what cannot be run so is told before any work
    work = None if draws is None else drawn.work_of(study, *drawn.points_of(draws, posterior))
    told = engine.outline(study) if work is None else work.outline
    assert told is not None
    left = ahead(told, journal, shard)
    starting, new = loading(lambda: engine.run(_least(study), workers=1))
    first = Step.about("loading", "compiled code", starting, within=3.0)
    if work is None:
        counts, steps, memory = _plain(study, left, running)
    else:
        counts, steps, memory = _drawn(study, work, left, running)
    return DryRun(
        "crises" if draws is None else "draws",
        counts,
        (first, *steps),
        memory,
        time.perf_counter() - began,
        new,
    )


def distinct_games(study: Study) -> list[Game]:
    """Return the games of a run, each once: of every pact and, for attribution, of no pact."""
    setting = Setting.of(study)
    pacts = [*study.pacts.values(), *([Pact()] if study.simulation.attribution else [])]
    found = {key_of(game): game for pact in pacts for game in games(lower(pact, setting), setting)[0]}
    return list(found.values())


def expected_rounds(tables: Tables) -> float:
    """Return how many rounds a dispute is expected to take, 0 if it never opens; exact."""
    _, reach = exact.by_class(tables)
    return float(reach[:, :, 0].sum()) / tables.types


def _least(study: Study) -> Study:
    """Return a study that runs all the code and takes no time."""
    tiny = small(study)
    return tiny.replace(simulation=tiny.simulation.replace(trajectories=1, until=None))


def _plain(study: Study, left: Ahead, workers: int) -> tuple[dict[str, int], list[Step], Memory]:
    settings, at_once = study.simulation, threads(workers)
    wanted = distinct_games(study)
    longer = solving_time(wanted, small(study)) / at_once > BUDGET
    measured = _smaller(study) if longer else study
    (pacts, plan, known), solving = timed(lambda: engine.prepared(measured, workers=workers))
    step = Step.about("solving", f"{len(wanted)} games", solving)
    if longer:
        stand_ins = distinct_games(measured)
        solving *= sum(map(_sweep, wanted)) / sum(map(_sweep, stand_ins))
        step = Step("solving", f"{len(wanted)} games", solving, solving / 2.0, solving * 4.0)
    worlds = len(plan.worlds)
    if settings.until:
        asked = until.targets(settings.until, list(pacts.values()), confidence=settings.confidence)
        left = left.until(until.expected(asked))
        plan = until.watching(study, plan, list(pacts.values()))
    number = left.missing
    size = min(left.number, BLOCK)
    part = play(plan, settings.seed, 0, size)
    block = together(lambda: play(plan, settings.seed, 0, size), at_once)
    held = traced(lambda: play(plan, settings.seed, 0, size))
    tasks = left.tasks(engine.most_blocks(worlds), workers)
    tally = engine.Tally.empty(worlds)
    merging = median(lambda: tally.add(0, part))
    playing = block * number / size
    alone = -(-tasks // at_once) * playing / max(tasks, 1)  # the last task may keep all others waiting
    # by another stopping rule than its own, a run may take twice as long
    most = 2.0 if settings.until else 1.0
    rough = 2.0 if longer else 1.0
    rounds = math.fsum(expected_rounds(table) for table in plan.worlds)
    words = round(WORDS * number * (_BEFORE * worlds + rounds))
    counts = {
        "pacts": len(study.pacts),
        "trajectories": left.number,
        **left.counts,
        "worlds": worlds,
        "games": len(wanted),
        "blocks": left.blocks,
        "tasks": tasks,
        "expected_random_words": words,
        "table_bytes": _full_size(plan, study, measured),
    }
    steps = [
        step,
        Step(
            "simulating",
            f"{left.blocks:,} blocks in {worlds} worlds",
            max(playing / at_once, alone),
            0.7 * playing / at_once / rough,
            1.5 * max(playing / at_once, alone) * most * rough,
        ),
    ]
    _kept(counts, steps, left, engine.work_of(measured, plan), size, part)
    if left.shard:
        return counts, steps, Memory(resident() + held, held, workers)
    one = engine.Tally.empty(worlds)
    one.add(0, part)
    # as many digests as the file will have, of anything: they do not get smaller when packed
    stretches = min(-(-left.number // STRETCH), MOST)
    one.digests.add(0, np.random.default_rng(0).integers(1, 2**63, (stretches, worlds + 1), np.uint64))
    result, tabulating = timed(lambda: tabulate(measured, pacts, known, tally=one))
    writing, counts["file_bytes"] = written(result.save)
    parts = tasks + left.files
    steps += [
        Step.about("merging", f"{parts:,} parts", parts * merging, within=3.0),
        Step.about("tabulating", f"{len(study.pacts)} pacts", tabulating, within=2.0),
        Step.about("writing", bytes_text(counts["file_bytes"]), writing, within=3.0),
    ]
    return counts, steps, Memory(resident() + held, held, workers)


def _kept(
    counts: dict[str, int], steps: list[Step], left: Ahead, work: Work[Any, Any], size: int, part: Any
) -> None:
    """Add what keeping a journal takes, if there is one, by a part of `size` units."""
    if not left.journal:
        return
    one, tasks = keeping(work, left.first, size, part), counts["tasks"]
    counts["journal_bytes"] = one.size * (tasks + left.files)
    seconds = one.writing * tasks + one.reading * left.files
    steps.append(Step.about("keeping", f"{tasks:,} files of a journal", seconds, within=3.0))


def solving_time(wanted: list[Game], tiny: Study) -> float:
    """Return about how long solving games takes [s]: a sweep of each, times the sweeps of smaller ones."""
    sweeps = [equilibrium.solve(game).sweeps for game in distinct_games(tiny)]
    return statistics.fmean(sweeps) * sum(map(_sweep, wanted))


def _sweep(game: Game) -> float:
    sweep = equilibrium.Sweeps(game)
    point = sweep.uniform()
    return median(lambda: sweep(point))


def _smaller(study: Study) -> Study:
    parameters = study.parameters
    return study.replace(
        parameters=parameters.replace(
            types=min(parameters.types, _TYPES), rounds=min(parameters.rounds, _ROUNDS)
        )
    )


def _full_size(plan: Plan, study: Study, measured: Study) -> int:
    """Return the bytes of the plan's tables, were they of the study's own size."""
    if measured is study:
        return array_bytes(plan)
    full, less = study.parameters, measured.parameters
    return round(array_bytes(plan) * full.types * full.rounds / (less.types * less.rounds))


def _drawn(
    study: Study, work: Work[drawn.Shared, drawn.Found | None], left: Ahead, workers: int
) -> tuple[dict[str, int], list[Step], Memory]:
    settings, at_once = study.simulation, threads(workers)
    points, trajectories = work.shared.points, work.shared.trajectories
    draws = left.missing
    size = min(trajectories, BLOCK // 8)
    solving: list[float] = []
    playing: list[float] = []
    held = tables = 0
    began = time.perf_counter()
    sample = np.linspace(left.first, left.stop - 1, min(_SAMPLE, left.number))
    tried = np.unique(sample.astype(int)).tolist()
    solvable = -1
    for i in tried:
        if solving and time.perf_counter() - began > BUDGET:
            break
        there = drawn.study_at(study, points.at(i))
        try:
            solved, seconds = timed(partial(drawn.solved_at, there, empty=trajectories > 0))
        except equilibrium.ConvergenceError:
            continue
        solving.append(seconds)
        solvable = i
        if not trajectories:
            continue
        plan, _ = drawn.plan_of({name: solved[name] for name in study.pacts}, solved[EMPTY])
        once = partial(play, plan, settings.seed, 0, size)
        once()
        playing.append(together(once, at_once) / size)
        tables = array_bytes(plan)
        # a draw is played in batches, and held with what it was solved from
        batch = traced(once) / size
        batch *= min(-(-trajectories // drawn.BATCHES), BLOCK)
        held = round(batch) + tables + sum(array_bytes((p.games, p.solutions)) for p in solved.values())
    if solvable < 0:
        raise RunError(
            "None of the draws that were tried could be solved. Lower `precision` in the table [parameters], "
            "or use another posterior."
        )
    few = min(trajectories, 2)
    found = drawn.play_draw(work.shared._replace(trajectories=few), settings.seed, solvable, 1)
    assert found is not None
    share = -(-draws // at_once)
    spread = max(solving) / statistics.fmean(solving)
    counts = {
        "pacts": len(study.pacts),
        "draws": left.number,
        **left.counts,
        "trajectories": trajectories,
        "games": draws * len(distinct_games(study)),
        "tasks": draws,
        "table_bytes": tables,
    }
    one_solving = statistics.fmean(solving) * share
    steps = [
        Step(
            "solving",
            f"{draws} draws, of which {len(solving)} were tried",
            one_solving,
            one_solving / 2.0,
            one_solving * max(spread, 2.0),
        )
    ]
    if trajectories:
        one_playing = statistics.fmean(playing) * trajectories * share
        steps.append(
            Step.about("simulating", f"{draws * trajectories:,} trajectories", one_playing, within=2.0)
        )
    _kept(counts, steps, left, work, 1, found)
    if not left.shard:
        everywhere = dict.fromkeys(range(left.number), found)
        made, tabulating = timed(
            lambda: Ensemble(tabulate_draws(study, points, everywhere, _UNKNOWN, trajectories=trajectories))
        )
        writing, counts["file_bytes"] = written(made.save)
        steps.append(Step.about("tabulating", f"{left.number} draws", tabulating, within=2.0))
        steps.append(Step.about("writing", bytes_text(counts["file_bytes"]), writing, within=3.0))
    return counts, steps, Memory(resident() + held, held, workers)


_UNKNOWN: Final = {"fingerprint": "unknown", "sha256": "unknown"}
