"""What histories add up to, against a plain recount of the histories themselves."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from entangle.questions import GIVEN, HAPPENED, HELD
from entangle_kernels import census, decades, peace
from reference.decades import ever
from reference.decades_games import contexts_of, peace_of

SEED = 7
FIRST = 3
YEARS = 6
SIZE = 300
EVENTS = 27
QUANTITIES = 30


@pytest.fixture(scope="module")
def world() -> tuple[peace.Contexts, peace.Peace]:
    return contexts_of((2, 1, 2)), peace_of()


@pytest.fixture(scope="module")
def questions(world: tuple[peace.Contexts, peace.Peace]) -> census.Questions:
    points = world[0].enter.shape[0] // 2
    draw = np.random.default_rng(1)
    expected, strength = draw.random((2, 2, points, 2, QUANTITIES)), draw.random((2, points))
    return census.Questions(HAPPENED, HELD, GIVEN, expected, strength)


@pytest.fixture(scope="module")
def kept(world: tuple[peace.Contexts, peace.Peace]) -> decades.Record:
    return decades.record(*world, seed=SEED, first=FIRST, size=SIZE, years=YEARS)


@pytest.fixture(scope="module")
def others(world: tuple[peace.Contexts, peace.Peace], kept: decades.Record) -> list[Any]:
    """Other rules: the protégé, or the defender, escalates more often."""
    contexts = world[0]
    half = contexts.enter.shape[0] // 2
    bound = contexts._replace(
        enter=contexts.enter[half:], start=contexts.start[half:], nature=contexts.nature[half:]
    )
    rules = []
    for actor in (1, 2):
        cut = contexts.cut[half:].copy()
        cut[:, :, actor] //= 2
        rules.append(bound._replace(cut=cut))
    return [decades.again(rule, kept, seed=SEED, first=FIRST) for rule in rules]


@pytest.fixture(scope="module")
def counted(
    world: tuple[peace.Contexts, peace.Peace],
    questions: census.Questions,
    kept: decades.Record,
    others: list[Any],
) -> census.Census:
    found = census.nothing(questions, events=EVENTS, size=SIZE, years=YEARS, others=2)
    census.count(found, questions, world[1], kept, others)
    return found


def bit(words: Any, cell: int, event: int) -> bool:
    return bool(int(words[cell]) >> event & 1)


def endings(kept: decades.Record) -> list[list[int]]:
    cells: list[list[int]] = kept.events[:, :, 2].tolist()
    return cells


def test_disputes_are_counted_by_what_happened(counted: census.Census, kept: decades.Record) -> None:
    for year in range(YEARS):
        cells = [row[year] for row in endings(kept) if row[year] >= 0]
        for event in range(EVENTS):
            assert counted.happened[year, event] == sum(bit(HAPPENED, cell, event) for cell in cells)
            assert counted.held[year, event] == sum(bit(HELD, cell, event) for cell in cells)
    assert counted.happened.sum() > SIZE


def test_the_first_time_is_counted_once(counted: census.Census, kept: decades.Record) -> None:
    for event in (0, 3, 4, 13, 20):
        firsts = [0] * YEARS
        for i, row in enumerate(endings(kept)):
            had = [cell >= 0 and bit(HAPPENED, cell, event) for cell in row]
            if any(had):
                firsts[had.index(True)] += 1
            assert bool(int(counted.ever[i]) >> event & 1) == any(had)
        assert counted.firsts[:, event].tolist() == firsts


def test_what_ever_happened_is_the_same_without_a_record(world: tuple[peace.Contexts, peace.Peace]) -> None:
    size = decades._UNKEPT + 300  # two batches
    where = {"seed": SEED, "first": 2**32 - 200, "size": size, "years": YEARS}
    kept = decades.record(*world, **where)
    happened = np.where(np.arange(HAPPENED.size) % 3, HAPPENED, np.uint64(2**63))
    found = decades.ever(*world, happened, **where)
    assert found.tolist() == ever(kept.events[:, :, 2], happened)
    assert len(set(found.tolist())) > 20


def test_other_rules_are_compared_dispute_by_dispute(
    counted: census.Census, kept: decades.Record, others: list[Any]
) -> None:
    seen = 0
    for rule, ends in enumerate(others):
        for event in (3, 4, 9):
            changed, firsts = np.zeros((2, YEARS), int), np.zeros((2, YEARS), int)
            for row, instead in zip(endings(kept), ends.tolist(), strict=True):
                ever = [False, False]
                for year, (cell, other) in enumerate(zip(row, instead, strict=True)):
                    if other == decades.QUIET:
                        continue
                    here = bit(HAPPENED, cell, event), bit(HAPPENED, other, event)
                    for side in range(2):
                        if here[side] and not here[1 - side]:
                            changed[side, year] += 1
                            firsts[side, year] += not ever[side]
                            ever[side] = True
            seen += changed.sum()
            assert counted.changed[:, rule, :, event].T.tolist() == changed.tolist()
            assert counted.changed_firsts[:, rule, :, event].T.tolist() == firsts.tolist()
    assert seen > 20


def test_by_its_own_rules_a_dispute_is_the_same(
    world: tuple[peace.Contexts, peace.Peace], kept: decades.Record
) -> None:
    contexts = world[0]
    half = contexts.enter.shape[0] // 2
    own = contexts._replace(
        **{name: getattr(contexts, name)[half:] for name in ("enter", "start", "cut", "nature")}
    )
    found = decades.again(own, kept, seed=SEED, first=FIRST).astype(int)
    bound = kept.events[:, :, 1] == 1
    assert bound.sum() > 100
    assert (found[bound] == kept.events[:, :, 2][bound]).all()
    assert (found[~bound] == decades.QUIET).all()


def test_what_is_expected_is_summed_history_by_history(
    world: tuple[peace.Contexts, peace.Peace],
    questions: census.Questions,
    counted: census.Census,
    kept: decades.Record,
) -> None:
    between = world[1]
    yearly = [[Fraction(0)] * YEARS for _ in range(2)]
    passage = [[Fraction(0)] * YEARS for _ in range(2)]
    event = 3
    for i in range(SIZE):
        grievance, in_force, ever, so_far = (0, 0), bool(between.pact), False, Fraction(0)
        for year in range(YEARS):
            place, _, cell, a, b, status, *_ = kept.events[i, year].tolist()
            row = grievance[0] + 2, grievance[1] + 2
            arises = Fraction(int(between.arises[row]), 2**32)
            share = Fraction(int(between.origin[row]), 2**32)
            each = questions.expected[int(in_force), kept.steadfast[i], place, :, event]
            chance = arises * (share * Fraction(each[0]) + (1 - share) * Fraction(each[1]))
            yearly[0][year] += chance
            yearly[1][year] += chance**2
            if not ever:
                passage[0][year] += chance
                passage[1][year] += (so_far + chance) ** 2 - so_far**2
                so_far += chance
            ever |= cell >= 0 and bit(HAPPENED, cell, event)
            grievance, in_force = (a, b), status == peace.IN_FORCE
    for found, sums in ((counted.yearly, yearly), (counted.passage, passage)):
        for moment in range(2):
            expected = [float(value) for value in sums[moment]]
            np.testing.assert_allclose(found[moment, :, event], expected, rtol=1e-12)


def test_the_strength_of_a_promise_is_that_of_pacts_in_force(
    questions: census.Questions, counted: census.Census, kept: decades.Record
) -> None:
    for year in range(YEARS):
        strengths = [
            questions.strength[kept.steadfast[i], kept.events[i, year, 0]]
            for i in range(SIZE)
            if year == 0 or kept.events[i, year - 1, 5] == peace.IN_FORCE
        ]
        assert counted.strength[1, year] == len(strengths)
        assert counted.strength[0, year] == pytest.approx(sum(strengths), rel=1e-12)


def test_disputes_of_a_history_are_pooled(counted: census.Census, kept: decades.Record) -> None:
    for place, event in enumerate(GIVEN.tolist()):
        sums = np.zeros(5, int)
        for row in endings(kept):
            n = sum(cell >= 0 and bit(HAPPENED, cell, event) for cell in row)
            m = sum(cell >= 0 and bit(HELD, cell, event) for cell in row)
            sums += n, m, n * n, n * m, m * m
        assert counted.pooled[place].tolist() == sums.tolist()


def test_pacts_are_counted_by_where_they_stand(counted: census.Census, kept: decades.Record) -> None:
    for year in range(YEARS):
        status = Counter(kept.events[:, year, 5].tolist())
        causes = Counter(kept.events[:, year, 6].tolist())
        assert counted.status[year].tolist() == [status[i] for i in range(3)]
        assert counted.causes[year].tolist() == [causes[i] for i in range(peace.CAUSES)]
    assert (np.diff(counted.status[:, peace.ENDED]) >= 0).all()
    assert counted.causes[-1, 0] == SIZE - counted.status[-1, peace.ENDED]


def test_levels_are_summed_and_binned(counted: census.Census, kept: decades.Record) -> None:
    # each addend is off by half a unit at most
    slack = SIZE * 0.5 / census.UNIT
    squares = census.products(kept, kept)
    for level in range(decades.LEVELS):
        for year in range(YEARS):
            values = kept.levels[:, year, level].tolist()
            assert counted.sums[level, year, 0] / census.UNIT == pytest.approx(sum(values), abs=slack)
            square = sum(value * value for value in values)
            assert counted.sums[level, year, 1] / census.UNIT == pytest.approx(square, abs=slack)
            assert squares[level, year] == counted.sums[level, year, 1]
            width = 2 * census.REACH / census.BINS
            places = [min(max(int((v + census.REACH) // width), 0), census.BINS - 1) for v in values]
            assert counted.bins[level, year].tolist() == np.bincount(places, minlength=census.BINS).tolist()


def test_parts_add_up(
    world: tuple[peace.Contexts, peace.Peace],
    questions: census.Questions,
    counted: census.Census,
    others: list[Any],
) -> None:
    whole = census.nothing(questions, events=EVENTS, size=SIZE, years=YEARS, others=2)
    for start, size in ((0, 101), (101, 199)):
        part = decades.record(*world, seed=SEED, first=FIRST + start, size=size, years=YEARS)
        rules = [ends[start : start + size] for ends in others]
        census.count(whole, questions, world[1], part, rules, start=start)
    for ours, theirs in zip(whole, counted, strict=True):
        assert np.array_equal(ours, theirs)
