"""The simulator against its twin, trajectory by trajectory, and what a block of them promises."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import reference
from entangle_kernels.crisis import simulate
from entangle_kernels.exact import CELLS
from entangle_kernels.quantise import Tables
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
