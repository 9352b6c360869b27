"""A dry run of histories of years and crises."""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from entangle import decades
from entangle.context_grid import Grid, Point, way_out
from entangle.contexts import PROBED, Field, Look, first_look, solve_contexts
from entangle.decades_data import tabulated
from entangle.decades_result import Decades
from entangle.digests import MOST, Digests
from entangle.dry_run.ahead import ahead, keeping
from entangle.dry_run.crises import BUDGET, WORDS
from entangle.dry_run.measuring import (
    TimedCache,
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
from entangle.executors import worker_count
from entangle.solve_cache import SolveCache
from entangle.solving import EMPTY
from entangle.tables.dry_run import bytes_text
from entangle_kernels.decades import BATCH

if TYPE_CHECKING:
    from pathlib import Path

    from entangle.shards import Shard
    from entangle.study import Study

#: Addresses of random words that a year takes under a pact, whatever happens in it: arms, the context,
#: private information, the dispute, the life of the pact.
_BY_YEAR: Final = 5
#: Points that are solved for each cell whose centre is measured: the centre, a face, an edge.
_PROBES: Final = 3 * PROBED


class _Contexts(NamedTuple):
    """How many contexts have to be solved in all fields, and how many of these are not on disk."""

    wanted: int
    missing: int


def dry_run_decades(
    study: Study,
    *,
    number: int,
    seed: int,
    workers: int | None = None,
    journal: str | Path | None = None,
    shard: Shard | None = None,
) -> DryRun:
    """Return what decades of the study are expected to take; see :meth:`entangle.Study.dry_run_decades`."""
    began = time.perf_counter()
    running, at_once = worker_count(None, workers), threads(workers)
    told = decades.outline(study, number=number, seed=seed)
    left = ahead(told, journal, shard)
    starting, new = loading(lambda: _least(study))
    steps = [Step.about("loading", "compiled code", starting, within=3.0)]

    cache = TimedCache(SolveCache.default().folder)
    names, empty = decades.worlds_of(study)
    budget = BUDGET / len(names)
    looks, looking = timed(
        lambda: {
            name: first_look(study, name, cache=cache, seconds=budget, workers=workers) for name in names
        }
    )
    looked = contexts([(look, 1) for look in looks.values()]).wanted
    first, likely, last = (
        contexts([(look, chosen(look)) for look in looks.values()])
        for chosen in (lambda _: 1, lambda look: look.likely + 1, lambda look: len(look.grids))
    )
    # what is neither searched nor waited for: reading, quantising, expectations
    each = statistics.fmean(cache.seconds) if cache.seconds else 0.0
    beside = max(looking * at_once - sum(cache.seconds), 0.0) / max(looked, 1)

    def solving(asked: _Contexts) -> float:
        return (asked.missing * each + asked.wanted * beside) / at_once

    steps.append(
        Step(
            "solving",
            f"{likely.wanted:,} contexts, {likely.missing:,} not on disk",
            solving(likely),
            min(solving(first), solving(likely)) / 1.5,
            solving(last) * 1.5,
        )
    )

    played, laying = timed(
        lambda: tuple(decades.ready(study, name, look.solved, workers) for name, look in looks.items())
    )
    laid = sum(len(look.solved.grid.points) for look in looks.values())
    expected = [
        sum(len(look.grids[i].points) for look, i in zip(looks.values(), chosen, strict=True))
        for chosen in (
            [0] * len(looks),
            [look.likely for look in looks.values()],
            [-1] * len(looks),
        )
    ]
    laying /= max(laid, 1)
    steps.append(
        Step(
            "laying out",
            f"{expected[1]:,} contexts with their rivals",
            laying * expected[1],
            laying * expected[0] / 2.0,
            laying * expected[2] * 2.0,
        )
    )

    plan = decades.Plan(played, empty, study.peacetime.years)
    size = min(left.number, BATCH)
    part = decades.play(plan, seed, 0, size)
    playing = together(lambda: decades.play(plan, seed, 0, size), at_once) / size * left.missing
    whole = min(left.number, decades.BLOCK)
    held = traced(lambda: decades.play(plan, seed, 0, size)) * whole // size
    tasks = left.blocks
    wall = playing * max(1.0 / at_once, whole * -(-tasks // at_once) / max(left.missing, 1))
    steps.append(
        Step(
            "simulating",
            f"{tasks:,} blocks under {len(names)} pacts",
            wall,
            0.6 * playing / at_once,
            1.6 * wall,
        )
    )
    journal_bytes = 0
    if left.journal:
        one = keeping(decades.work_of(told, plan), left.first, size, part)
        journal_bytes = one.size * (tasks + left.files)
        seconds = one.writing * tasks + one.reading * left.files
        steps.append(Step.about("keeping", f"{tasks:,} files of a journal", seconds, within=3.0))
    total = decades.Total()
    total.add(part)
    parts, merging = tasks + left.files, median(lambda: total.add(part))
    # as many digests as the file will have, of anything: they do not get smaller when packed
    digests = Digests(1)
    digests.add(0, np.random.default_rng(0).integers(1, 2**63, (min(parts, MOST), 1), np.uint64))
    counted = decades.Histories(
        part,
        {name: look.solved for name, look in looks.items()},
        empty,
        size,
        digests,
        decades.Timing(0.0, 0.0, 0.0),
    )
    file_bytes = 0
    if not left.shard:
        made, tabulating = timed(lambda: Decades(tabulated(study, counted, seed=seed)))
        writing, file_bytes = written(made.save)
        steps.append(Step.about("merging", f"{parts:,} parts", merging * parts, within=3.0))
        steps.append(Step.about("tabulating", f"{len(study.pacts)} pacts", tabulating, within=2.0))
        steps.append(Step.about("writing", bytes_text(file_bytes), writing, within=3.0))

    table_bytes = array_bytes(played) * expected[1] // max(laid, 1)
    answers = sum(_answer_bytes(look) for look in looks.values()) // max(laid, 1)
    growing = (expected[1] - laid) * (answers + array_bytes(played) // max(laid, 1))
    counts = {
        "pacts": len(study.pacts),
        "histories": left.number,
        **left.counts,
        "years": study.peacetime.years,
        "worlds": len(names),
        "contexts_least": first.wanted,
        "contexts": likely.wanted,
        "contexts_most": last.wanted,
        "contexts_missing": likely.missing,
        "blocks": tasks,
        "least_random_words": WORDS * _BY_YEAR * study.peacetime.years * left.missing * len(names),
        "table_bytes": table_bytes,
        **({} if left.shard else {"file_bytes": file_bytes}),
        **({"journal_bytes": journal_bytes} if left.journal else {}),
    }
    memory = Memory(resident() + max(growing, 0) + held, held, running)
    return DryRun("histories", counts, tuple(steps), memory, time.perf_counter() - began, new)


def _least(study: Study) -> None:
    """Run all the code with as little to do as there can be, and with nothing taken from the disk."""
    tiny = small(study)
    tiny = tiny.replace(peacetime=tiny.peacetime.replace(years=1))
    bound = tiny.first_pact
    names = [bound] if tiny.pacts[bound].is_empty else [bound, EMPTY]
    solved = {name: solve_contexts(tiny, name, workers=1, cache=SolveCache(None)) for name in names}
    played = tuple(decades.ready(tiny, name, own, 1) for name, own in solved.items())
    decades.play(decades.Plan(played, len(names) - 1, 1), 0, 0, 1)


def contexts(asked: list[tuple[Look, int]]) -> _Contexts:
    """Return how many contexts there are to solve: on the first grids of each look, and beside the last."""
    wanted: dict[int, tuple[Field, set[Point]]] = {}
    probes: dict[int, int] = {}
    unknown: dict[int, int] = {}
    for look, grids in asked:
        points = _points(look.grids[:grids])
        for field in (look.solved.bound, look.solved.free):
            wanted.setdefault(id(field), (field, set()))[1].update(points)
            # a grid of one point has no cell, and what is on the finest grid cannot be finer
            beside = _PROBES if len(points) > 1 else 0
            probes[id(field)] = max(probes.get(id(field), 0), beside)
            unknown[id(field)] = max(unknown.get(id(field), 0), 0 if look.whole else beside)
    number = sum(len(points) for _, points in wanted.values())
    kept = sum(field.kept(point) for field, points in wanted.values() for point in points)
    return _Contexts(number + sum(probes.values()), number - kept + sum(unknown.values()))


def _points(grids: tuple[Grid, ...]) -> set[Point]:
    """Return all points of some grids, and those on the way to them."""
    return {place for grid in grids for point in grid.points for place in way_out(point)}


def _answer_bytes(look: Look) -> int:
    """Return how many bytes the answers to all points take, with the pact and without."""
    fields = {id(field): field for field in (look.solved.bound, look.solved.free)}
    return sum(
        array_bytes(tuple(field[point])) for field in fields.values() for point in look.solved.grid.points
    )
