"""The simulator against the exact pass: every outcome, in several contexts, with mutation twins.

Random words are addressed, so each test is deterministic: it cannot flake, and its false alarm of
1e-9 is what a change of seed would risk. A mutation twin gets one probability shifted and must fail
the same check; otherwise the check would have no power.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from entangle.outcomes import OUTCOMES, REACHED, Outcome
from entangle_kernels import ladder
from entangle_kernels.crisis import simulate
from entangle_kernels.exact import CELLS, probabilities
from entangle_kernels.quantise import Tables
from reference.games import crisis_tables
from statistical.counts import is_compatible

Counts = NDArray[np.int64]
WORDS = 2**32
SIZE = 2_000_000
RUNG = np.arange(ladder.STATES) >> 3
SUPPORT = (np.arange(ladder.STATES) >> 1) & 3

CONTEXTS: dict[str, dict[str, Any]] = {
    "an estimate, all nuclear": {
        "rounds": 8,
        "estimates": 2,
        "support": 1,
        "passes": 0.6,
        "precision": 1.0,
        "nuclear": (True, True, True),
    },
    "private scope, three types": {
        "rounds": 6,
        "types": 3,
        "scopes": 2,
        "support": 2,
        "passes": 0.6,
        "precision": 1.0,
        "nuclear": (True, False, True),
        "trigger": 2,
    },
    "sharp choices, delays": {
        "rounds": 5,
        "types": 2,
        "support": 1,
        "first_support": 1,
        "first_fight": 2,
        "precision": 3.0,
        "required": 2,
    },
}
NAMED = {outcome.name: outcome for outcome in OUTCOMES}


@cache
def context(name: str) -> tuple[Tables, Counts, NDArray[np.float64]]:
    """Return tables, counts and exact probabilities of a context."""
    table = crisis_tables(**CONTEXTS[name])
    return table, simulate(table, seed=20_260_101, first=0, size=SIZE), probabilities(table)


def agrees(outcome: Outcome, counts: Counts, exact: NDArray[np.float64]) -> bool:
    """Return whether the counts of an outcome, given its condition, go with the exact probability."""
    given = float(exact[outcome.condition].sum())
    if given == 0.0:
        return int(counts[outcome.condition].sum()) == 0
    share = float(exact[outcome.event].sum()) / given
    # the share of all is 1 up to the rounding of a sum
    share = 1.0 if share > 1.0 - 1e-12 else share
    count, size = (int(counts[cells].sum()) for cells in (outcome.event, outcome.condition))
    return is_compatible(count, size, share)


in_every_context = pytest.mark.parametrize("name", CONTEXTS)


@in_every_context
@pytest.mark.parametrize("outcome", OUTCOMES + REACHED, ids=lambda o: o.name)
def test_outcome_has_its_exact_probability(name: str, outcome: Outcome) -> None:
    _, counts, exact = context(name)
    assert agrees(outcome, counts, exact)


@in_every_context
@pytest.mark.parametrize("axis", range(5), ids=["origin", "scope", "end", "state", "marks"])
def test_every_group_of_cells_has_its_exact_probability(name: str, axis: int) -> None:
    _, counts, exact = context(name)
    others = tuple(other for other in range(5) if other != axis)
    for count, chance in zip(counts.sum(axis=others), exact.sum(axis=others), strict=True):
        assert is_compatible(int(count), SIZE, float(chance))


@in_every_context
def test_every_cell_has_its_exact_probability(name: str) -> None:
    _, counts, exact = context(name)
    assert counts[exact == 0.0].sum() == 0
    found = np.flatnonzero(exact)
    assert found.size > 300
    for cell in found:
        assert is_compatible(int(counts.flat[cell]), SIZE, float(exact.flat[cell]))


# -- mutation twins ------------------------------------------------------------------------------


def opens(table: Tables, *origins: int, share: float) -> Tables:
    """Return tables in which opening a crisis is more likely by `share`."""
    enter = table.enter.copy()
    enter[list(origins)] -= np.uint32(share * WORDS)
    return table._replace(enter=enter)


def moves(table: Tables, actor: int, where: NDArray[np.bool_], *, share: float, back: bool = False) -> Tables:
    """Return tables in which `actor` escalates (or backs down) more where it could anyway."""
    cut = table.cut.copy()
    part = cut[:, :, actor, where]
    amount = np.uint32(share * WORDS)
    if back:
        part[..., 0] += np.where((part[..., 0] > 0) & (part[..., 0] < WORDS / 2), amount, 0)
    else:
        free = (part[..., 1] < WORDS - 1) & (part[..., 1] > WORDS / 8)
        part[..., 1:] -= np.where(free, amount, 0)[..., np.newaxis]  # more of both: lost and won votes
    cut[:, :, actor, where] = part
    return table._replace(cut=cut)


def passes_vote(table: Tables, *, share: float) -> Tables:
    """Return tables in which the vote passes less often."""
    cut = table.cut.copy()
    lost = (WORDS - 1 - cut[:, :, 2, SUPPORT == 2, :, 2].astype(np.float64)) * share
    cut[:, :, 2, SUPPORT == 2, :, 2] += lost.astype(np.uint32)
    return table._replace(cut=cut)


def nature(table: Tables, *, share: float, column: int) -> Tables:
    """Return tables in which one act of nature is more likely at the cost of nothing happening.

    Column 1 widens victory, 2 accident, 3 defeat at the cost of accident; 0 cooling at that of victory.
    """
    cuts = table.nature.copy()
    played = (RUNG >= 1) & (RUNG <= 7)
    amount = np.where(played, int(share * WORDS), 0)
    cuts[:, column] = np.clip(
        cuts[:, column].astype(np.int64) + (amount if column < 2 else -amount), 0, WORDS - 1
    )
    if column == 0:
        cuts[:, 1] = np.clip(table.nature[:, 1].astype(np.int64) + amount, 0, WORDS - 1)
    if column == 3:
        cuts[:, 2] = np.clip(table.nature[:, 2].astype(np.int64) - amount, 0, WORDS - 1)
    return table._replace(nature=cuts)


Mutation = Callable[[Tables], Tables]
ALL = RUNG >= 0
MUTATIONS: dict[str, Mutation] = {
    "challenge": lambda t: opens(t, 0, share=0.01),
    "provocation": lambda t: opens(t, 1, share=0.01),
    "force": lambda t: moves(t, 0, RUNG == 2, share=0.02),
    "war": lambda t: moves(t, 0, RUNG == 3, share=0.03),
    "defender_fights": lambda t: moves(t, 2, SUPPORT == 2, share=0.03),
    "obligation_active": lambda t: moves(t, 1, ALL, share=0.02),
    "abandonment": lambda t: moves(t, 2, ALL, share=0.03),
    "blocked": lambda t: passes_vote(t, share=0.3),
    "reliability": lambda t: moves(t, 2, ALL, share=0.03),
    "concession": lambda t: moves(t, 1, ALL, share=0.01, back=True),
    "withdrawal": lambda t: moves(t, 0, ALL, share=0.01, back=True),
    "defeat": lambda t: nature(t, share=0.02, column=3),
    "victory": lambda t: nature(t, share=0.02, column=1),
    "stalemate": lambda t: moves(t, 0, ALL, share=0.05, back=True),
    "nuclear_use": lambda t: moves(t, 0, RUNG >= 5, share=0.15),
    "crisis": lambda t: opens(t, 0, 1, share=0.01),
    "compromise": lambda t: nature(t, share=0.01, column=0),
    "general_war": lambda t: moves(t, 0, RUNG == 7, share=0.2),
}


def test_every_outcome_has_a_mutation_twin() -> None:
    assert set(MUTATIONS) == set(NAMED)


@pytest.mark.parametrize("outcome", MUTATIONS)
def test_mutation_twin_fails(outcome: str) -> None:
    table, counts, exact = context("an estimate, all nuclear")
    mutated = probabilities(MUTATIONS[outcome](table))
    assert mutated.sum() == pytest.approx(1.0, abs=1e-12)
    assert not agrees(NAMED[outcome], counts, mutated)
    # and the same mutation made to the simulator's tables is seen by the true exact pass
    wrong = simulate(MUTATIONS[outcome](table), seed=20_260_101, first=0, size=SIZE)
    assert not agrees(NAMED[outcome], wrong, exact)


@pytest.mark.parametrize("chance", [0.003, 0.1, 0.5])
def test_check_itself_is_at_one_in_a_thousand_million(chance: float) -> None:
    mean, spread = SIZE * chance, (SIZE * chance * (1 - chance)) ** 0.5
    for sign in (-1, 1):
        assert is_compatible(round(mean + sign * 5.9 * spread), SIZE, chance)
        assert not is_compatible(round(mean + sign * 6.4 * spread), SIZE, chance)


def test_cells_are_those_of_the_core() -> None:
    assert all(outcome.event.shape == CELLS for outcome in OUTCOMES + REACHED)
