"""The same dispute in two worlds: against the twin, the single pass, and played trajectories."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import reference
from entangle_kernels import ladder
from entangle_kernels.coupled import joint
from entangle_kernels.exact import probabilities
from entangle_kernels.quantise import Tables
from reference import coupled as twin
from reference.games import crisis_tables
from statistical.counts import is_compatible

WORDS = 2**32
TOP = WORDS - 1

#: Two worlds with the same private information: what they have in common, and what each has of its own.
PAIRS: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "nothing owed": ({"rounds": 3}, {}, {"owed": 0.0}),
    "support in place": ({"rounds": 2, "estimates": 2}, {"support": 2}, {"owed": 0.2}),
    "private scope, a vote, a delay": (
        {"rounds": 3, "scopes": 2},
        {"support": 2, "passes": 0.6},
        {"support": 1, "first_fight": 2, "passes": 0.9},
    ),
    "all nuclear": (
        {"rounds": 5, "types": 1, "nuclear": (True, True, True)},
        {"precision": 0.5},
        {"precision": 0.2, "required": 2},
    ),
    "none in scope": ({"rounds": 2, "in_scope": 0.0}, {"precision": 1.0}, {}),
}
EVENTS: dict[str, Callable[[int], bool]] = {
    "defender fights": lambda state: (state >> 1) % 4 == 3,
    "war": lambda state: state >> 3 >= 4,
    "nuclear use": lambda state: state >> 3 >= 7,
    "a crisis": lambda state: state >> 3 >= 1,
}
in_every_pair = pytest.mark.parametrize("name", PAIRS)
of_every_event = pytest.mark.parametrize("of", EVENTS)


@cache
def pair(name: str) -> tuple[Tables, Tables]:
    common, *own = PAIRS[name]
    first, second = (crisis_tables(**common, **settings) for settings in own)
    return first, second


def states(of: str) -> NDArray[np.bool_]:
    return np.array([EVENTS[of](state) for state in range(ladder.STATES)])


def alone(table: Tables, of: str) -> float:
    """Return the probability of the event from the single pass."""
    return float(probabilities(table)[:, :, :, states(of)].sum())


def assert_twin(found: NDArray[np.float64], slow: twin.Joint) -> None:
    for ends in np.ndindex(2, 2):
        assert found[ends] == pytest.approx(slow.get(ends, 0.0), rel=1e-11, abs=1e-18)
        assert (found[ends] > 0.0) == (slow.get(ends, 0.0) > 0.0)


@of_every_event
@in_every_pair
def test_twin_agrees(name: str, of: str) -> None:
    first, second = pair(name)
    assert_twin(joint(first, second, states(of)), twin.joint(first, second, EVENTS[of]))


@of_every_event
@in_every_pair
def test_each_world_alone_is_as_in_the_single_pass(name: str, of: str) -> None:
    first, second = pair(name)
    found = joint(first, second, states(of))
    assert found.sum() == pytest.approx(1.0, abs=1e-12)
    assert found[1].sum() == pytest.approx(alone(first, of), abs=1e-12)
    assert found[:, 1].sum() == pytest.approx(alone(second, of), abs=1e-12)
    assert (found >= 0.0).all()


@of_every_event
@in_every_pair
def test_a_world_never_parts_from_itself(name: str, of: str) -> None:
    for table in pair(name):
        found = joint(table, table, states(of))
        assert found[0, 1] == found[1, 0] == 0.0
        assert found[1, 1] == pytest.approx(alone(table, of), abs=1e-14)


@in_every_pair
def test_worlds_can_be_told_in_either_order(name: str) -> None:
    first, second = pair(name)
    there, back = joint(first, second, states("war")), joint(second, first, states("war"))
    np.testing.assert_allclose(there, back.T, rtol=1e-12)


def test_choices_that_are_certain_keep_their_words() -> None:
    """Thresholds at the ends of the words: never, always but for one word, a move of one word."""
    rng = np.random.default_rng(20_260_101)
    never, always, sharp = (0, TOP, TOP), (TOP, TOP, TOP), (0, 0, 0)
    common, one, two = PAIRS["nothing owed"]
    for settings in (one, two):
        first = crisis_tables(**common, **settings)
        second = pair("nothing owed")[1]
        cut, enter = first.cut.copy(), first.enter.copy()
        for place in np.ndindex(*cut.shape[:2], 2, *cut.shape[3:5]):
            cut[place] = (never, always, sharp)[rng.choice(3, p=[0.3, 0.1, 0.6])]
        enter[:] = rng.choice(np.array([0, TOP], np.uint32), enter.shape)
        first = first._replace(cut=cut, enter=enter)
        for of, event in EVENTS.items():
            assert_twin(joint(first, second, states(of)), twin.joint(first, second, event))


# -- played ----------------------------------------------------------------------------------------

SIZE = 20_000
PLAYED = "private scope, a vote, a delay"


@cache
def last_states() -> list[list[int]]:
    """Return for each world the states in which disputes end that are played on the same words."""
    return [
        [reference.play(table, number, 20_260_101)[3] for number in range(SIZE)] for table in pair(PLAYED)
    ]


def played(of: str) -> Counter[tuple[int, int]]:
    """Return in how many of them the event happened in which worlds."""
    happened = [[int(EVENTS[of](state)) for state in ended] for ended in last_states()]
    return Counter(zip(*happened, strict=True))


def agrees(of: str, found: Any) -> bool:
    """Whether the counts go with the probabilities.

    Each of the four counts is binomial; a true pass fails each with a chance of 1e-9 at most.
    """
    counts = played(of)
    return all(is_compatible(counts[ends], SIZE, float(found[ends])) for ends in np.ndindex(2, 2))


@of_every_event
def test_played_disputes_part_as_often_as_they_should(of: str) -> None:
    assert agrees(of, joint(*pair(PLAYED), states(of)))
    assert played(of)[0, 1] > 0 or played(of)[1, 0] > 0


@pytest.mark.parametrize(
    ("apart", "of"),
    [(twin.ENTRY, "war"), (0, "war"), (1, "war"), (2, "defender fights"), (3, "war")],
    ids=["entry", "challenger", "protege", "defender", "nature"],
)
def test_words_of_their_own_are_noticed(apart: int, of: str) -> None:
    wrong = twin.joint(*pair(PLAYED), EVENTS[of], apart=[apart])
    assert sum(wrong.values()) == pytest.approx(1.0, abs=1e-12)
    assert wrong[1, 0] + wrong[1, 1] == pytest.approx(alone(pair(PLAYED)[0], of), abs=1e-12)
    assert not agrees(of, wrong)


# -- what is refused -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["hit", "origin", "scope"])
def test_worlds_that_share_less_are_refused(name: str) -> None:
    first, _ = pair("support in place")
    value = getattr(first, name)
    with pytest.raises(ValueError, match=f"must share '{name}'"):
        joint(first, first._replace(**{name: value - value.dtype.type(1)}), states("war"))


@pytest.mark.parametrize("settings", [{"rounds": 4}, {"types": 3}, {"estimates": 2}])
def test_games_of_other_sizes_are_refused(settings: dict[str, Any]) -> None:
    first, _ = pair("nothing owed")
    with pytest.raises(ValueError, match="must share"):
        joint(first, crisis_tables(**{"rounds": 3} | settings), states("war"))


def test_an_event_that_can_be_left_is_refused() -> None:
    first, second = pair("support in place")
    backed = np.array([(state >> 1) % 4 >= 2 for state in range(ladder.STATES)])
    with pytest.raises(ValueError, match="must be for good"):
        joint(first, second, backed)
    with pytest.raises(ValueError, match="before any crisis"):
        joint(first, second, np.ones(ladder.STATES, np.bool_))
