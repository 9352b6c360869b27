"""The tables of moves and steps against the rules in words, for every state and stage."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest

import reference
from entangle_kernels import ladder

STAGES = ("challenger", "protege", "defender", "nature")
OUTCOMES = {
    "challenger": ("withdraw", "hold", "escalate"),
    "protege": ("concede", "hold", "escalate"),
    "defender": ("restrain", "hold", "blocked", "passed"),
    "nature": ("cool", "won", "nothing", "accident", "lost"),
}
ENDS = {
    None: 0,
    "withdrawal": ladder.WITHDRAWAL,
    "concession": ladder.CONCESSION,
    "compromise": ladder.COMPROMISE,
    "defeat": ladder.DEFEAT,
    "victory": ladder.VICTORY,
    "general war": ladder.GENERAL_WAR,
}
MARKS = {
    "force by challenger": ladder.FORCE_BY_CHALLENGER,
    "vote blocked": ladder.VOTE_BLOCKED,
    "obligation active": ladder.OBLIGATION_ACTIVE,
    "support reached": ladder.SUPPORT_REACHED,
}
EVERY_STATE = list(itertools.product(range(9), range(4), range(2)))
Owed = Callable[[int, int], float]


def never(rung: int, provoked: int) -> float:
    return 0.0


def from_limited_force(rung: int, provoked: int) -> float:
    return (0.5 if provoked else 1.0) if rung >= 3 else 0.0


def unless_provoked(rung: int, provoked: int) -> float:
    return 0.0 if provoked else 0.3


def rules_of(nuclear: tuple[bool, bool, bool], owed: Owed, required: int) -> ladder.Rules:
    by_state = np.array([owed(rung, provoked) for rung, _, provoked in EVERY_STATE])
    return ladder.Rules(nuclear, by_state, required)


every_balance = pytest.mark.parametrize("nuclear", list(itertools.product([False, True], repeat=3)), ids=str)
every_promise = pytest.mark.parametrize(
    ("owed", "required"),
    [(never, 3), (from_limited_force, 3), (from_limited_force, 2), (unless_provoked, 1)],
)


def test_codes_of_states_are_dense_and_reversible() -> None:
    codes = [ladder.pack(*state) for state in EVERY_STATE]
    assert sorted(codes) == list(range(ladder.STATES))
    assert [ladder.unpack(code) for code in codes] == EVERY_STATE


@every_balance
@every_promise
def test_every_step_leads_where_the_rules_say(
    nuclear: tuple[bool, bool, bool], owed: Owed, required: int
) -> None:
    table = ladder.steps(rules_of(nuclear, owed, required))
    compared = 0
    for (row, stage), state in itertools.product(enumerate(STAGES), EVERY_STATE):
        found = reference.outcomes(stage, *state, nuclear=nuclear, owed=owed, required=required)
        for column, name in enumerate(OUTCOMES[stage]):
            if name not in found:
                continue
            told = found[name]
            step = int(table[row, ladder.pack(*state), column])
            assert ladder.unpack(step & ladder.STATE_MASK) == told[:3], (stage, state, name)
            assert (step >> ladder.END_SHIFT) & 7 == ENDS[told.end], (stage, state, name)
            marks = sum(MARKS[mark] for mark in told.marks)
            assert step >> ladder.MARK_SHIFT == marks, (stage, state, name)
            compared += 1
    assert compared > 600


@every_balance
def test_exactly_the_moves_of_the_rules_exist(nuclear: tuple[bool, bool, bool]) -> None:
    table = ladder.legal(rules_of(nuclear, never, 3))
    for (row, stage), state in itertools.product(enumerate(STAGES), EVERY_STATE):
        found = reference.outcomes(stage, *state, nuclear=nuclear, owed=never, required=3)
        legal = table[row, ladder.pack(*state)]
        if stage == "nature":
            assert legal[2] == ("accident" in found), state
            continue
        back_down, hold, escalate = OUTCOMES[stage][:3]
        sharp = "passed" if stage == "defender" else escalate
        expected = [back_down in found, hold in found, sharp in found]
        assert legal.tolist() == expected, (stage, state)


def test_a_step_fits_its_sixteen_bits() -> None:
    largest = ladder.STATE_MASK | 7 << ladder.END_SHIFT | (ladder.MARKS - 1) << ladder.MARK_SHIFT
    assert largest < 2**16
    assert ladder.STATES <= ladder.STATE_MASK + 1
    assert ladder.ENDS == 8


def test_without_a_nuclear_power_nothing_climbs_past_strategic_strikes() -> None:
    rules = rules_of((False, False, False), never, 3)
    table, legal = ladder.steps(rules), ladder.legal(rules)
    for rung, support, provoked in EVERY_STATE:
        if rung != 6:
            continue
        state = ladder.pack(rung, support, provoked)
        assert not legal[[0, 1, 3], state, 2].any()
        for outcome in (ladder.BLOCKED_VOTE, ladder.PASSED):
            assert ladder.unpack(int(table[2, state, outcome]) & ladder.STATE_MASK)[0] <= 6
