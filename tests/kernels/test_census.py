"""Counts over histories against a plain recount of the histories themselves."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from entangle.questions import HAPPENED
from entangle_kernels import census, decades, peace
from reference.decades_games import contexts_of, peace_of

SEED = 7
YEARS = 6
SIZE = 300


@pytest.fixture(scope="module")
def world() -> tuple[peace.Contexts, peace.Peace]:
    return contexts_of((2, 1, 2)), peace_of()


@pytest.fixture(scope="module")
def counted(world: tuple[peace.Contexts, peace.Peace]) -> census.Census:
    return census.census(*world, HAPPENED, seed=SEED, first=3, size=SIZE, years=YEARS)


@pytest.fixture(scope="module")
def kept(world: tuple[peace.Contexts, peace.Peace]) -> decades.Record:
    return decades.record(*world, seed=SEED, first=3, size=SIZE, years=YEARS)


def test_disputes_are_counted_by_ending_and_by_context(
    world: tuple[peace.Contexts, peace.Peace], counted: census.Census, kept: decades.Record
) -> None:
    half = world[0].enter.shape[0] // 2
    cells: Counter[Any] = Counter()
    visits: Counter[Any] = Counter()
    for events, steadfast in zip(kept.events.tolist(), kept.steadfast.tolist(), strict=True):
        for year, (place, bound, cell, *_) in enumerate(events):
            if cell >= 0:
                cells[year, cell] += 1
                visits[year, int(cell >= 2 * 8 * 72 * 16), steadfast, place + bound * half] += 1
    assert sum(cells.values()) == counted.cells.sum() > SIZE
    assert all(counted.cells[at] == number for at, number in cells.items())
    assert all(counted.visits[at] == number for at, number in visits.items())
    assert counted.visits.sum() == counted.cells.sum()


def test_the_first_time_is_counted_once(counted: census.Census, kept: decades.Record) -> None:
    for bit in (0, 3, 4, 13, 20):
        firsts = [0] * YEARS
        for i, events in enumerate(kept.events.tolist()):
            had = [cell >= 0 and bool(int(HAPPENED[cell]) >> bit & 1) for _, _, cell, *_ in events]
            if any(had):
                firsts[had.index(True)] += 1
            assert bool(int(counted.ever[i]) >> bit & 1) == any(had)
        assert counted.firsts[:, bit].tolist() == firsts


def test_pacts_are_counted_by_where_they_stand(counted: census.Census, kept: decades.Record) -> None:
    for year in range(YEARS):
        status = Counter(kept.events[:, year, 5].tolist())
        causes = Counter(kept.events[:, year, 6].tolist())
        assert counted.status[year].tolist() == [status[i] for i in range(3)]
        assert counted.causes[year].tolist() == [causes[i] for i in range(peace.CAUSES)]
    assert (np.diff(counted.status[:, peace.ENDED]) >= 0).all()
    assert counted.causes[-1, 0] == SIZE - counted.status[-1, peace.ENDED]


def test_levels_are_summed_and_binned(counted: census.Census, kept: decades.Record) -> None:
    for level in range(decades.LEVELS):
        for year in range(YEARS):
            values = kept.levels[:, year, level].tolist()
            # each addend is off by half a unit at most
            slack = SIZE * 0.5 / census.UNIT
            assert counted.sums[level, year, 0] / census.UNIT == pytest.approx(sum(values), abs=slack)
            squares = sum(value * value for value in values)
            assert counted.sums[level, year, 1] / census.UNIT == pytest.approx(squares, abs=slack)
            width = 2 * census.REACH / census.BINS
            places = [min(max(int((v + census.REACH) // width), 0), census.BINS - 1) for v in values]
            assert counted.bins[level, year].tolist() == np.bincount(places, minlength=census.BINS).tolist()


def test_blocks_add_up(world: tuple[peace.Contexts, peace.Peace], counted: census.Census) -> None:
    parts = [
        census.census(*world, HAPPENED, seed=SEED, first=3 + start, size=size, years=YEARS)
        for start, size in ((0, 101), (101, 199))
    ]
    for name in ("cells", "visits", "firsts", "status", "causes", "bins", "sums"):
        assert np.array_equal(sum(getattr(part, name) for part in parts), getattr(counted, name)), name
    assert np.array_equal(np.concatenate([part.ever for part in parts]), counted.ever)


def test_more_histories_than_a_batch(world: tuple[peace.Contexts, peace.Peace]) -> None:
    found = census.census(*world, HAPPENED, seed=SEED, first=0, size=5000, years=2)
    assert found.status.sum(axis=1).tolist() == [5000, 5000]
    again = census.census(*world, HAPPENED, seed=SEED, first=4096, size=904, years=2)
    assert np.array_equal(found.ever[4096:], again.ever)
