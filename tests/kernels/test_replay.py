"""Single disputes, move by move: the same as in a block of millions, and told again from their outcomes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from entangle_kernels.crisis import simulate
from entangle_kernels.exact import CELLS, _chances
from entangle_kernels.ladder import BLOCKED_VOTE, GENERAL_WAR, NO_CRISIS, STALEMATE
from entangle_kernels.quantise import Tables
from entangle_kernels.replay import TYPES, Dispute, replay, retell, words
from reference.games import crisis_tables

SEED = 2**63 + 12345  # both halves of the key are in use
SETTINGS: dict[str, dict[str, Any]] = {
    "plain": {"rounds": 12, "types": 3, "precision": 0.7},
    "mostly out of scope": {"rounds": 3, "in_scope": 0.25},
    "an estimate": {"rounds": 4, "types": 2, "estimates": 2},
    "private scope and a vote": {"rounds": 4, "scopes": 2, "support": 2, "passes": 0.5},
    "everyone is nuclear": {"rounds": 6, "nuclear": (True, True, True), "precision": 0.3},
}
named = pytest.mark.parametrize("name", SETTINGS)
FIRST, SIZE = 2**32 - 300, 600  # the index of a trajectory needs more than 32 bits on the way


@pytest.fixture(scope="module")
def every() -> dict[str, tuple[Tables, list[Dispute]]]:
    tables = {name: crisis_tables(**settings) for name, settings in SETTINGS.items()}
    return {
        name: (table, [replay(table, FIRST + i, seed=SEED) for i in range(SIZE)])
        for name, table in tables.items()
    }


@named
def test_replayed_disputes_are_those_of_the_simulator(name: str, every: Any) -> None:
    table, disputes = every[name]
    cells = np.zeros(CELLS, np.int64)
    for found in disputes:
        cells[found.origin, found.scope, found.end, found.state, found.marks] += 1
    assert (cells == simulate(table, seed=SEED, first=FIRST, size=SIZE)).all()
    assert len({found.end for found in disputes}) >= 6
    if name == "everyone is nuclear":
        assert any(found.end == GENERAL_WAR for found in disputes)
    if name == "private scope and a vote":
        assert any(s.outcome == BLOCKED_VOTE for d in disputes for s in d.steps if s.stage == 2)


def test_a_year_has_its_own_disputes() -> None:
    table = crisis_tables(**SETTINGS["plain"])
    disputes = [replay(table, i, seed=SEED, year=7) for i in range(200)]
    cells = np.zeros(CELLS, np.int64)
    for found in disputes:
        assert found.year == 7
        cells[found.origin, found.scope, found.end, found.state, found.marks] += 1
    assert (cells == simulate(table, seed=SEED, first=0, size=200, year=7)).all()
    assert disputes != [replay(table, i, seed=SEED) for i in range(200)]


def test_the_defender_can_be_drawn_from_other_classes() -> None:
    """By the thresholds of its disposition; everything else is drawn by the same words as ever."""
    table = crisis_tables(**SETTINGS["plain"])
    firsts = np.array([0, 2**32 // 3, 2**31], np.uint64)
    moved = 0
    for i in range(300):
        plain = replay(table, i, seed=SEED, year=3)
        word = words(i, TYPES, SEED, 3)[2]
        found = replay(table, i, seed=SEED, year=3, faith=firsts)
        assert found.types == (*plain.types[:2], int(np.searchsorted(firsts, word, side="right")) - 1)
        if found.types == plain.types:
            assert found == plain
        else:
            moved += 1
            assert (found.origin, found.scope, found.entry_word) == (
                plain.origin, plain.scope, plain.entry_word,
            )  # fmt: skip
    assert moved > 20
    equal = [-(-k * 2**32 // 3) for k in range(3)]
    assert all(replay(table, i, seed=SEED, faith=equal) == replay(table, i, seed=SEED) for i in range(300))


@named
def test_chances_are_those_of_the_exact_pass(name: str, every: Any) -> None:
    table, disputes = every[name]
    expected = np.zeros(5)
    for found in disputes[:150]:
        shift = found.estimate * table.types
        a, b, c = found.types
        sets = np.array([a, shift + b, shift + c])
        for step in found.steps:
            _chances(table, found.scope, step.round, step.stage, step.state, sets, expected)
            assert step.chances == tuple(expected)
            assert sum(step.chances) == 1.0
            assert step.chances[step.outcome] > 0.0
            # outcomes lie side by side from the mildest to the sharpest, and the word is in its own
            below = sum(step.chances[: step.outcome])
            assert below <= step.word / 2**32 < below + step.chances[step.outcome]


@named
def test_steps_are_a_chain(name: str, every: Any) -> None:
    table, disputes = every[name]
    for found in disputes:
        assert found.opened == (found.end != NO_CRISIS) == bool(found.steps)
        assert found.opened == (found.entry_word / 2**32 >= 1.0 - found.opening)
        if not found.opened:
            assert (found.state, found.marks) == (0, 0)
            continue
        assert found.steps[0].state == table.start[found.origin]
        for number, (step, later) in enumerate(zip(found.steps, found.steps[1:], strict=False)):
            assert divmod(number, 4) == (step.round, step.stage)
            assert (step.after, step.end) == (later.state, 0)
            assert step.marks & later.marks == step.marks
        last = found.steps[-1]
        assert (last.after, last.marks) == (found.state, found.marks)
        assert found.end == (last.end or STALEMATE)
        assert bool(last.end) or len(found.steps) == 4 * table.rounds


def course(found: Dispute, rounds: int) -> np.ndarray:
    outcomes = np.full((rounds, 4), -1, np.int8)
    for step in found.steps:
        outcomes[step.round, step.stage] = step.outcome
    return outcomes


def again(table: Tables, found: Dispute, outcomes: Any) -> Dispute:
    return retell(
        table,
        origin=found.origin,
        scope=found.scope,
        estimate=found.estimate,
        types=np.array(found.types, np.int8),
        opened=found.opened,
        outcomes=outcomes,
    )


@named
def test_a_dispute_is_told_again_from_its_outcomes(name: str, every: Any) -> None:
    table, disputes = every[name]
    for found in disputes[:200]:
        told = again(table, found, course(found, table.rounds))
        assert told == found._replace(
            trajectory=-1,
            seed=-1,
            year=-1,
            entry_word=-1,
            steps=tuple(step._replace(word=-1) for step in found.steps),
        )


def test_a_course_that_breaks_the_rules_is_refused(every: Any) -> None:
    table, disputes = every["plain"]
    found = next(d for d in disputes if 8 < len(d.steps) < 4 * table.rounds and d.end != STALEMATE)
    right = course(found, table.rounds)
    with pytest.raises(ValueError, match=r"must have shape \(12, 4\), not \(4, 12\)"):
        again(table, found, right.T)
    for value, place in ((-1, (1, 0)), (4, (0, 0)), (5, (0, 3))):
        wrong = right.copy()
        wrong[place] = value
        with pytest.raises(ValueError, match=rf"outcomes\[{place[0]}, {place[1]}\]: must be an outcome"):
            again(table, found, wrong)
    wrong = right.copy()
    wrong[-1, 3] = 2
    with pytest.raises(ValueError, match="must be -1 after the end"):
        again(table, found, wrong)
    with pytest.raises(ValueError, match="must be -1 after the end"):
        again(table, found._replace(opened=False), right)
