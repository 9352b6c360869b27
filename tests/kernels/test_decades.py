"""The yearly step against its slow twin, history by history and to the last bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from entangle_kernels import crisis, decades, peace
from entangle_kernels.exact import CELLS
from reference import decades as twin
from reference.decades_games import BLOCKS_VOTES, contexts_of, equal_classes, peace_of, tables_of, word

SEED = 7

VARIANTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "all clauses": ({}, {}),
    "uneven grid, votes": ({"points": (3, 1, 2), "estimates": 1, **BLOCKS_VOTES}, {"suspension": 0}),
    "one point": ({"points": (1, 1, 1), "types": 3}, {"term": 0, "review": 3, "notice": 2}),
    "leaving is not provided for": ({"points": (2, 1, 1)}, {"notice": -1, "term": 0, "review": 0}),
    "at once": ({"points": (1, 2, 2)}, {"notice": 0, "term": 0, "review": 0, "suspension": 0}),
    "no pact": ({"points": (1, 1, 2)}, {"pact": False}),
}


@pytest.fixture(scope="module", params=VARIANTS)
def variant(request: pytest.FixtureRequest) -> tuple[peace.Contexts, peace.Peace]:
    grid, changes = VARIANTS[request.param]
    return contexts_of(**grid), peace_of(**changes)


def as_recorded(contexts: peace.Contexts, history: twin.History) -> tuple[list[Any], list[Any]]:
    """Return a twin's history as a record has it: levels and the first seven events of each year."""
    levels, events = [], []
    _, n1, n2 = contexts.points
    for year in history.years:
        i0, i1, i2 = year.place
        cell = -1 if year.cell is None else int(np.ravel_multi_index(year.cell, CELLS))
        levels.append([*year.k, *year.u, year.odds])
        place = (i0 * n1 + i1) * n2 + i2
        events.append([place, int(year.bound), cell, *year.grievance, year.status, year.cause])
    return levels, events


@pytest.mark.parametrize("first", [0, 2**33 + 5])
def test_every_history_is_its_twins(variant: tuple[peace.Contexts, peace.Peace], first: int) -> None:
    contexts, between = variant
    years, size = 12, 150
    found = decades.record(contexts, between, seed=SEED, first=first, size=size, years=years)
    for i in range(size):
        expected = twin.history(contexts, between, first + i, seed=SEED, years=years)
        levels, events = as_recorded(contexts, expected)
        assert found.steadfast[i] == expected.steadfast
        assert found.levels[i].tolist() == levels
        assert found.events[i, :, :7].tolist() == events


def test_much_happens_in_the_variants() -> None:
    """The comparison would be empty if nothing ever happened."""
    seen: set[int] = set()
    for grid, changes in VARIANTS.values():
        found = decades.record(
            contexts_of(**grid), peace_of(**changes), seed=SEED, first=0, size=2000, years=12
        )
        seen |= set(found.events[:, :, 6].ravel().tolist())
        assert (found.events[:, :, 2] >= 0).mean() > 0.1
        assert {0, 1} <= set(found.steadfast.tolist())
    assert seen == set(range(peace.CAUSES))


def test_batches_do_not_matter(variant: tuple[peace.Contexts, peace.Peace]) -> None:
    contexts, between = variant
    size = 4096 + 204  # more than the lanes of a batch
    whole = decades.record(contexts, between, seed=SEED, first=11, size=size, years=5)
    for start, stop in ((0, 1), (4000, 4200)):
        part = decades.record(contexts, between, seed=SEED, first=11 + start, size=stop - start, years=5)
        for ours, theirs in zip(part, whole, strict=True):
            assert np.array_equal(ours, theirs[start:stop])
    longer = decades.record(contexts, between, seed=SEED, first=11, size=100, years=8)
    assert np.array_equal(longer.levels[:, :5], whole.levels[:100])
    assert np.array_equal(longer.events[:, :5], whole.events[:100])


@pytest.mark.parametrize("pact", [True, False])
def test_where_nothing_moves_the_first_year_is_the_single_crisis(pact: bool) -> None:
    """One certain dispute, one point of the grid: the endings of the crisis, trajectory by trajectory."""
    types = 3
    contexts = contexts_of((1, 1, 1), types=types, faith=[equal_classes(types)] * 2, in_scope=1.0)
    quiet = {"react": np.zeros(3), "growth": np.zeros(3), "shock": 0.0, "free_riding": 0.0}
    still = peace_of(**quiet, arises=np.full((5, 5), word(1.0), np.uint64), pact=pact)
    tables = tables_of(contexts, still, row=int(pact))
    size = 20_000
    found = decades.record(contexts, still, seed=SEED, first=0, size=size, years=1)
    alone = crisis.endings(tables, seed=SEED, first=0, size=size)
    expected = np.array(np.unravel_index(alone.cells.astype(np.int64), CELLS))
    ours = np.array(np.unravel_index(found.events[:, 0, 2].astype(np.int64), CELLS))
    kept = [0, 2, 3, 4]  # the scope is counted otherwise: bound or not
    assert np.array_equal(ours[kept], expected[kept])
