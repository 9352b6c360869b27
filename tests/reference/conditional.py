"""Disputes on condition of how they end: one at a time, and path by path in exact fractions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from itertools import product
from typing import Any, NamedTuple

from reference.chances import (
    NATURE,
    NO_CRISIS,
    STALEMATE,
    WORDS,
    Cell,
    _outcomes,
    _unpack,
    committor,
    type_weights,
)
from reference.crisis import words

GIVEN = 0x90000000

Event = Callable[[int, int, int, int, int], bool]  # whether an (origin, scope, end, state, marks) counts
Committor = Callable[[int, int, int, int], float]  # of a (round, stage, marks, state)
Word = Callable[[int, int, int], Sequence[int]]  # the four words of a (trajectory, purpose, seed)


class Combination(NamedTuple):
    """What is settled before the first round."""

    scope: int
    estimate: int
    a: int
    b: int
    c: int
    origin: int
    opened: int


class Dispute(NamedTuple):
    combination: Combination
    outcomes: tuple[int, ...]
    states: tuple[int, ...]  # before each stage
    cell: Cell
    probability: Fraction


def prior(tables: Any, at: Combination) -> Fraction:
    """Return the probability of a combination."""
    weights = type_weights(tables.types)
    in_scope, resolute = Fraction(int(tables.scope), WORDS), Fraction(int(tables.hit[at.a]), WORDS)
    by_challenger = Fraction(int(tables.origin), WORDS)
    opener = at.a if at.origin == 0 else at.estimate * tables.types + at.b
    opens = Fraction(WORDS - 1 - int(tables.enter[at.origin, at.scope, opener]), WORDS)
    chance = Fraction(weights[at.a]) * Fraction(weights[at.b]) * Fraction(weights[at.c])
    chance *= in_scope if at.scope == 1 else 1 - in_scope
    chance *= resolute if at.estimate == 1 else 1 - resolute
    chance *= by_challenger if at.origin == 0 else 1 - by_challenger
    chance *= opens if at.opened else 1 - opens
    return chance


def combinations(tables: Any) -> list[Combination]:
    """Return everything that can be settled before the first round, in order."""
    types = range(tables.types)
    places = product(range(2), range(tables.estimates), types, types, types, range(2), range(2))
    return [at for at in map(Combination._make, places) if prior(tables, at) > 0]


def start_of(tables: Any, at: Combination) -> tuple[int, int]:
    """Return the state in which a crisis opens, and the marks that holding there leaves."""
    start = int(tables.start[at.origin])
    return start, _unpack(int(tables.step[at.scope, 0, start, 1]))[2]


def _sets(tables: Any, at: Combination) -> tuple[int, int, int, int]:
    """Return everyone's information set; nature has but one."""
    return at.a, at.estimate * tables.types + at.b, at.estimate * tables.types + at.c, 0


def replay(tables: Any, at: Combination, outcomes: Sequence[int]) -> Dispute:
    """Return the dispute that takes these outcomes, one for each stage that is reached."""
    probability = prior(tables, at)
    if not at.opened:
        assert not outcomes
        return Dispute(at, (), (), (at.origin, at.scope, NO_CRISIS, 0, 0), probability)
    state, marks = start_of(tables, at)
    states = []
    end = 0
    for number, outcome in enumerate(outcomes):
        assert not end, "goes on after its end"
        t, stage = divmod(number, 4)
        states.append(state)
        chances = _outcomes(tables, at.scope, t, stage, state, _sets(tables, at)[stage])
        probability *= Fraction(chances[outcome])  # a multiple of 2^-32: nothing is lost
        state, end, left = _unpack(int(tables.step[at.scope, stage, state, outcome]))
        marks |= left
    assert end or len(outcomes) == 4 * tables.rounds, "stops short of its end"
    cell = at.origin, at.scope, end or STALEMATE, state, marks
    return Dispute(at, tuple(outcomes), tuple(states), cell, probability)


def disputes(tables: Any) -> Iterator[tuple[Combination, tuple[int, ...], Cell, float]]:
    """Yield every dispute that can be: its combination, outcomes, ending and probability."""
    for at in combinations(tables):
        weight = prior(tables, at)
        if not at.opened:
            yield at, (), (at.origin, at.scope, NO_CRISIS, 0, 0), float(weight)
            continue
        todo: list[tuple[tuple[int, ...], int, int, float]] = [((), *start_of(tables, at), float(weight))]
        while todo:
            outcomes, state, marks, mass = todo.pop()
            t, stage = divmod(len(outcomes), 4)
            if t == tables.rounds:
                yield at, outcomes, (at.origin, at.scope, STALEMATE, state, marks), mass
                continue
            chances = _outcomes(tables, at.scope, t, stage, state, _sets(tables, at)[stage])
            for outcome, chance in enumerate(chances):
                if chance == 0:
                    continue
                target, end, left = _unpack(int(tables.step[at.scope, stage, state, outcome]))
                path = (*outcomes, outcome)
                if end:
                    yield at, path, (at.origin, at.scope, end, target, marks | left), mass * chance
                else:
                    todo.append((path, target, marks | left, mass * chance))


def given(tables: Any, event: Event) -> dict[Combination, float]:
    """Return the probability that a combination arises and the dispute ends in `event`, in order."""
    found = {}
    for at in combinations(tables):
        if at.opened:
            start, marks = start_of(tables, at)
            chance = _ahead(tables, event, at)(0, 0, marks, start)
        else:
            chance = float(event(at.origin, at.scope, NO_CRISIS, 0, 0))
        if chance > 0:
            found[at] = float(prior(tables, at)) * chance
    return found


def draw(tables: Any, event: Event, *, n: int, seed: int, word: Word = words) -> list[Dispute]:
    """Draw disputes that end in `event`."""
    weights = given(tables, event)
    ahead = {at: _ahead(tables, event, at) for at in weights}
    found = []
    for number in range(n):
        at = _pick(weights, _uniform(*word(number, GIVEN, seed)[:2]))
        outcomes = _walk(tables, event, at, ahead[at], number, seed, word) if at.opened else []
        found.append(replay(tables, at, outcomes))
    return found


def _walk(
    tables: Any, event: Event, at: Combination, ahead: Committor, number: int, seed: int, word: Word
) -> list[int]:
    """Return the outcomes of a crisis that ends in `event`."""
    outcomes: list[int] = []
    state, marks = start_of(tables, at)
    for t in range(tables.rounds):
        for stage in range(4):
            block = word(number, GIVEN + 1 + 2 * t + stage // 2, seed)
            high, low = block[:2] if stage % 2 == 0 else block[2:]
            weights_of: dict[int, float] = {}
            for outcome, chance in enumerate(
                _outcomes(tables, at.scope, t, stage, state, _sets(tables, at)[stage])
            ):
                target, end, left = _unpack(int(tables.step[at.scope, stage, state, outcome]))
                if end:
                    after = float(event(at.origin, at.scope, end, target, marks | left))
                elif stage < NATURE:
                    after = ahead(t, stage + 1, marks | left, target)
                else:
                    after = ahead(t + 1, 0, marks | left, target)
                if chance * after > 0:
                    weights_of[outcome] = chance * after
            outcome = _pick(weights_of, _uniform(high, low))
            outcomes.append(outcome)
            state, end, left = _unpack(int(tables.step[at.scope, stage, state, outcome]))
            marks |= left
            if end:
                return outcomes
    return outcomes


def _ahead(tables: Any, event: Event, at: Combination) -> Committor:
    def counts(end: int, state: int, marks: int) -> bool:
        return event(at.origin, at.scope, end, state, marks)

    return committor(tables, counts, scope=at.scope, estimate=at.estimate, types=(at.a, at.b, at.c))


def _uniform(high: int, low: int) -> float:
    return (high // 2**5 * 2**26 + low // 2**6) / 2**53


def _pick(weights: dict[Any, float], uniform: float) -> Any:
    """Return a key, in proportion to its weight."""
    bar = uniform * sum(weights.values())
    below = 0.0
    for key, weight in weights.items():
        below += weight
        if bar < below:
            return key
    raise AssertionError("a uniform is below 1")
