"""The simulator against its twin, trajectory by trajectory, and what a block of them promises."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import reference
from entangle_kernels.crisis import _LANES, Endings, Rivals, endings, parted_by, replayed, simulate
from entangle_kernels.exact import CELLS
from entangle_kernels.ladder import NO_CRISIS
from entangle_kernels.quantise import Tables
from reference import pairs as twin
from reference.games import crisis_tables

SEED = 2**63 + 12345  # both halves of the key are in use
SETTINGS: dict[str, dict[str, Any]] = {
    "plain": {"rounds": 12, "types": 3, "precision": 0.7},
    "an estimate": {"rounds": 4, "types": 2, "estimates": 2},
    "private scope and a vote": {"rounds": 4, "scopes": 2, "support": 2, "passes": 0.5},
}
named = pytest.mark.parametrize("name", SETTINGS)


def compiled(table: Tables, trajectory: int, seed: int, year: int = 0) -> tuple[int, ...]:
    (cell,) = np.argwhere(simulate(table, seed=seed, first=trajectory, size=1, year=year))
    return tuple(int(part) for part in cell)


@named
def test_twin_plays_the_same_crises(name: str) -> None:
    table = crisis_tables(**SETTINGS[name])
    endings = set()
    for trajectory in [*range(500), *range(2**32 - 20, 2**32 + 20), 2**48 - 1]:
        found = compiled(table, trajectory, SEED)
        assert found == reference.play(table, trajectory, SEED), trajectory
        endings.add(found[2])
    assert len(endings) >= 6, "the comparison should see most ways to end"


def test_another_year_is_another_crisis() -> None:
    table = crisis_tables(**SETTINGS["plain"])
    first = [compiled(table, n, SEED) for n in range(200)]
    second = [compiled(table, n, SEED, year=7) for n in range(200)]
    assert second == [reference.play(table, n, SEED, year=7) for n in range(200)]
    assert first != second


@named
def test_a_block_counts_its_crises(name: str) -> None:
    table = crisis_tables(**SETTINGS[name])
    counts = simulate(table, seed=SEED, first=1000, size=300)
    expected = np.zeros(CELLS, np.int64)
    for trajectory in range(1000, 1300):
        expected[reference.play(table, trajectory, SEED)] += 1
    assert counts.shape == CELLS
    assert (counts == expected).all()


def test_first_half_of_a_run_is_the_shorter_run() -> None:
    table = crisis_tables(**SETTINGS["plain"])
    size = 40_000
    whole = simulate(table, seed=SEED, first=0, size=2 * size)
    parts = [simulate(table, seed=SEED, first=first, size=size) for first in (0, size)]
    assert (whole == parts[0] + parts[1]).all()
    assert whole.sum() == 2 * size
    assert parts[0].sum() == size
    assert (parts[0] != parts[1]).any()


def test_trajectories_go_on_past_32_bits() -> None:
    table = crisis_tables(**SETTINGS["plain"])
    low, high = (simulate(table, seed=SEED, first=first, size=5000) for first in (0, 2**32))
    assert high.sum() == 5000
    assert (low != high).any()
    # a block across the boundary is the sum of its two sides
    across = simulate(table, seed=SEED, first=2**32 - 5000, size=10_000)
    before = simulate(table, seed=SEED, first=2**32 - 5000, size=5000)
    assert (across == before + high).all()
    last = simulate(table, seed=SEED, first=2**64 - 10, size=10)
    assert last.sum() == 10


def test_every_bit_of_the_seed_counts() -> None:
    table = crisis_tables(**SETTINGS["plain"])
    seeds = [0, 1, 2**31, 2**32, 2**63, 2**64 - 1]
    runs = [simulate(table, seed=seed, first=0, size=5000).tobytes() for seed in seeds]
    assert len(set(runs)) == len(seeds)


def test_nothing_is_played_in_an_empty_block() -> None:
    assert simulate(crisis_tables(**SETTINGS["plain"]), seed=1, first=0, size=0).sum() == 0


# -- how every trajectory ended ------------------------------------------------------------------

#: What two crises have in common, and what each has of its own; the second lends the first its policies.
PAIRS: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "plain": ({"rounds": 12, "types": 3}, {"precision": 0.7}, {"precision": 1.4, "owed": 0.0}),
    "an estimate": (
        {"rounds": 4, "estimates": 2, "origin": (0.25, 0.75)},
        {"precision": 1.0},
        {"precision": 1.5, "owed": 0.2},
    ),
    "private scope and a vote": (
        {"rounds": 4, "scopes": 2, "support": 2, "in_scope": 0.4},
        {"passes": 0.5},
        {"passes": 0.9, "owed": 0.3},
    ),
    "hardly any in scope": ({"rounds": 5, "in_scope": 0.05}, {"support": 1}, {"support": 1, "owed": 0.1}),
    "none in scope": ({"rounds": 3, "in_scope": 0.0}, {}, {"precision": 1.0}),
    "all in scope, delays": (
        {"rounds": 6, "in_scope": 1.0, "support": 1},
        {"first_support": 1, "first_fight": 2, "passes": 0.7},
        {"passes": 0.8},
    ),
    "all nuclear": (
        {"rounds": 8, "types": 1, "nuclear": (True, True, True)},
        {"precision": 0.3},
        {"precision": 0.5},
    ),
}
paired = pytest.mark.parametrize("name", PAIRS)
#: A block across the boundary of 32 bits, a little longer than a batch of lanes.
FIRST, SIZE = 2**32 - 3000, _LANES + 1904


@cache
def worlds(name: str) -> tuple[Tables, Rivals]:
    """Return a crisis, and the same with another policy of the protégé and of the defender."""
    common, *own = PAIRS[name]
    table, lender = (crisis_tables(**common, **settings) for settings in own)
    cut, enter = [table.cut.copy(), table.cut.copy()], table.enter.copy()
    for rival, actor in zip(cut, (1, 2), strict=True):
        rival[:, :, actor] = lender.cut[:, :, actor]
    enter[1] = lender.enter[1]
    return table, Rivals(table._replace(cut=cut[0], enter=enter), table._replace(cut=cut[1]))


@cache
def played(name: str) -> Endings:
    table, rivals = worlds(name)
    return endings(table, seed=SEED, first=FIRST, size=SIZE, rivals=rivals)


def played_one_by_one(table: Tables, trajectories: range) -> list[int]:
    """Return the cells in which the twin's crises end."""
    return [
        int(np.ravel_multi_index(reference.play(table, trajectory, SEED), CELLS))
        for trajectory in trajectories
    ]


def near_the_edges(size: int) -> list[range]:
    """Return offsets at the ends of a block, around the boundary of 32 bits, and between batches."""
    places = [0, 3000, _LANES, size]
    return [range(max(place - 40, 0), min(place + 40, size)) for place in places]


@paired
def test_twin_ends_every_trajectory_in_the_same_cell(name: str) -> None:
    table, _ = worlds(name)
    found = played(name)
    assert (found.cells.shape, found.cells.dtype) == ((SIZE,), np.uint16)
    for some in near_the_edges(SIZE):
        expected = played_one_by_one(table, range(FIRST + some.start, FIRST + some.stop))
        assert found.cells[some.start : some.stop].tolist() == expected
    ends = set(np.unravel_index(found.cells, CELLS)[2].tolist())
    assert len(ends) >= 6, "the comparison should see most ways to end"


@paired
@pytest.mark.parametrize("size", [0, 1, _LANES - 1, _LANES, _LANES + 1, 2 * _LANES, 2 * _LANES + 1, SIZE])
def test_endings_are_what_the_simulator_counts(name: str, size: int) -> None:
    table, rivals = worlds(name)
    counts = simulate(table, seed=SEED, first=FIRST, size=size)
    for found in (
        endings(table, seed=SEED, first=FIRST, size=size),
        endings(table, seed=SEED, first=FIRST, size=size, rivals=rivals),
    ):
        assert np.array_equal(found.counts, counts)
        assert np.array_equal(np.bincount(found.cells, minlength=counts.size), counts.ravel())
        n = min(size, SIZE)
        assert np.array_equal(found.cells[:n], played(name).cells[:n])
    assert found.parted[:n].tolist() == played(name).parted[:n].tolist()


def test_endings_of_another_year_and_of_the_last_trajectories() -> None:
    table, rivals = worlds("plain")
    for where in ({"first": 70, "year": 9}, {"first": 2**64 - 100, "year": 2**32 - 1}):
        found = endings(table, seed=SEED, size=100, rivals=rivals, **where)
        cells = [
            reference.play(table, trajectory, SEED, where["year"])
            for trajectory in range(where["first"], where["first"] + 100)
        ]
        assert list(zip(*np.unravel_index(found.cells, CELLS), strict=True)) == cells
        chosen = np.array([0, 3, 99], np.uint32)
        others = replayed(rivals.protege, np.zeros(100, np.uint16), chosen, seed=SEED, **where)
        for offset in chosen.tolist():
            cell = reference.play(rivals.protege, where["first"] + offset, SEED, where["year"])
            assert tuple(np.unravel_index(others[offset], CELLS)) == cell


# -- where a rival would have chosen otherwise ---------------------------------------------------


@paired
def test_without_rivals_nobody_parts(name: str) -> None:
    table, _ = worlds(name)
    assert not endings(table, seed=SEED, first=FIRST, size=SIZE).parted.any()
    assert not endings(table, seed=SEED, first=FIRST, size=SIZE, rivals=Rivals(table, table)).parted.any()


@paired
def test_twin_parts_in_the_same_trajectories(name: str) -> None:
    table, rivals = worlds(name)
    found = played(name).parted
    assert (found.shape, found.dtype) == ((SIZE,), np.uint8)
    asked = {offset for some in near_the_edges(SIZE) for offset in some}
    for kind in range(4):
        asked.update(np.flatnonzero(found == kind)[:60].tolist())
    slow = {offset: twin.parted(table, *rivals, FIRST + offset, SEED) for offset in sorted(asked)}
    assert {offset: int(found[offset]) for offset in slow} == slow
    assert set(slow.values()) >= {0, twin.BY_PROTEGE, twin.BY_DEFENDER}


@paired
def test_offsets_of_those_that_part(name: str) -> None:
    found = played(name).parted
    for rival in (0, 1):
        offsets = parted_by(found, rival)
        assert offsets.dtype == np.uint32
        assert offsets.tolist() == [i for i, where in enumerate(found.tolist()) if where >> rival & 1]
        for few in (found[:0], np.zeros(5, np.uint8)):
            assert parted_by(few, rival).size == 0
        assert parted_by(np.full(5, 3, np.uint8), rival).tolist() == [0, 1, 2, 3, 4]


@paired
def test_each_rival_is_watched_alone(name: str) -> None:
    table, rivals = worlds(name)
    where = {"seed": SEED, "first": FIRST, "size": SIZE}
    alone = [
        endings(table, **where, rivals=rivals._replace(defender=table)).parted,
        endings(table, **where, rivals=rivals._replace(protege=table)).parted,
    ]
    assert np.array_equal(alone[0], played(name).parted & twin.BY_PROTEGE)
    assert np.array_equal(alone[1], played(name).parted & twin.BY_DEFENDER)


def test_a_rival_parts_at_the_opening() -> None:
    """One who opens more often parts where nothing was opened, one who opens less where something was."""
    for name, more in (("none in scope", True), ("an estimate", False)):
        table, rivals = worlds(name)
        own = rivals.protege._replace(cut=table.cut)  # nothing but the opening is another
        where = {"seed": SEED, "first": FIRST, "size": SIZE}
        found = endings(table, **where, rivals=Rivals(own, table))
        origin, _, end, _, _ = np.unravel_index(found.cells, CELLS)
        parts, quiet = found.parted == twin.BY_PROTEGE, end == NO_CRISIS
        assert parts.any()
        assert not parts[origin == 0].any(), "the challenger has no rival"
        assert (quiet[parts] == more).all()
        assert np.array_equal(parts, endings(own, **where).cells != found.cells), "one is quiet"
        # and with its own openings a rival has nothing to choose in a dispute that stays quiet
        unmoved = rivals.protege._replace(enter=table.enter)
        again = endings(table, **where, rivals=rivals._replace(protege=unmoved))
        assert not again.parted[quiet].any()
        assert again.parted.any()


@paired
@pytest.mark.parametrize("rival", [0, 1], ids=["protege", "defender"])
def test_where_a_rival_does_not_part_it_ends_in_the_same_cell(name: str, rival: int) -> None:
    """The whole of the other world follows from the trajectories that part."""
    _, rivals = worlds(name)
    found = played(name)
    chosen = parted_by(found.parted, rival)
    others = replayed(rivals[rival], found.cells, chosen, seed=SEED, first=FIRST)
    whole = endings(rivals[rival], seed=SEED, first=FIRST, size=SIZE)
    assert np.array_equal(others, whole.cells)
    assert (others != found.cells).any()
    # twin: with one of those that part left out, and it ends elsewhere, the two differ
    missing = np.flatnonzero(others[chosen] != found.cells[chosen])[-1]
    short = replayed(rivals[rival], found.cells, np.delete(chosen, missing), seed=SEED, first=FIRST)
    assert np.flatnonzero(short != whole.cells).tolist() == [chosen[missing]]


def test_replaying_touches_nothing_but_the_chosen() -> None:
    _, rivals = worlds("plain")
    cells = np.full(SIZE, 60_000, np.uint16)
    whole = endings(rivals.defender, seed=SEED, first=FIRST, size=SIZE).cells
    for number in (0, 1, _LANES, _LANES + 1, SIZE):
        # in any order, spread over the whole block
        chosen = np.random.default_rng(number).permutation(SIZE)[:number].astype(np.uint32)
        before = cells.copy()
        found = replayed(rivals.defender, cells, chosen, seed=SEED, first=FIRST)
        assert np.array_equal(cells, before)
        expected: NDArray[np.uint16] = cells.copy()
        expected[chosen] = whole[chosen]
        assert np.array_equal(found, expected)
    assert np.array_equal(found, whole)
