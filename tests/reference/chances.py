"""Exact probabilities of the simulated crisis, by counting the words that lead to each outcome."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from functools import cache
from typing import Any

WORDS = 2**32
NO_CRISIS, STALEMATE = 0, 6
NATURE, DEFENDER = 3, 2

Cell = tuple[int, int, int, int, int]  # origin, scope, end, state, marks


def type_weights(types: int) -> list[float]:
    """Return the probability that ``(word * types) >> 32`` is each of ``0 ... types - 1``.

    The class is k for the words from the first one at or above k/types of the way.
    """
    firsts = [(k * WORDS + types - 1) // types for k in range(types + 1)]
    return [(firsts[k + 1] - firsts[k]) / WORDS for k in range(types)]


def _outcomes(tables: Any, scope: int, t: int, stage: int, state: int, own: int) -> list[float]:
    """Return the probability of every outcome of a stage, as (number of words) / 2^32."""
    if stage == NATURE:
        cool, won, accident, lost = (int(cut) for cut in tables.nature[state])
        counts = [
            cool,
            won - cool,
            accident + 1 - won,
            lost - accident,
            WORDS - 1 - lost,
        ]
    else:
        back, sharp, passed = (int(cut) for cut in tables.cut[scope, t, stage, state, own])
        hold = sharp + 1 - back
        if stage == DEFENDER:
            counts = [back, hold, passed - sharp, WORDS - 1 - passed]
        else:
            counts = [back, hold, WORDS - 1 - sharp]
    assert sum(counts) == WORDS
    return [count / WORDS for count in counts]


def _unpack(step: int) -> tuple[int, int, int]:
    return step % 128, step // 128 % 8, step // 1024


def exact(tables: Any) -> dict[Cell, float]:
    """Return the probability of every ending of a dispute that can occur."""
    cells: dict[Cell, float] = defaultdict(float)
    weights = type_weights(tables.types)
    types = range(tables.types)
    arises = [int(tables.origin) / WORDS, 1 - int(tables.origin) / WORDS]
    share = [1 - int(tables.scope) / WORDS, int(tables.scope) / WORDS]
    for scope in (0, 1):
        for e in range(tables.estimates):
            for a in types:
                resolute = int(tables.hit[a]) / WORDS
                for b in types:
                    for c in types:
                        weight = share[scope] * weights[a] * weights[b] * weights[c]
                        weight *= resolute if e == 1 else 1 - resolute
                        own = a, e * tables.types + b, e * tables.types + c
                        for origin in (0, 1):
                            opens = WORDS - 1 - int(tables.enter[origin, scope, own[origin]])
                            here = weight * arises[origin]
                            cells[origin, scope, NO_CRISIS, 0, 0] += here * (1 - opens / WORDS)
                            start = int(tables.start[origin])
                            for ending, chance in _endings(tables, scope, own, start).items():
                                cells[(origin, scope, *ending)] += here * opens / WORDS * chance
    return {cell: chance for cell, chance in cells.items() if chance > 0}


def _endings(
    tables: Any, scope: int, own: tuple[int, int, int], start: int
) -> dict[tuple[int, int, int], float]:
    """Return the probability of each (end, state, marks) of a crisis that opens in `start`."""
    found: dict[tuple[int, int, int], float] = defaultdict(float)
    opening = _unpack(int(tables.step[scope, 0, start, 1]))[2]
    here = {(start, opening): 1.0}
    for t in range(tables.rounds):
        for stage in range(4):
            ahead: dict[tuple[int, int], float] = defaultdict(float)
            for (state, marks), mass in here.items():
                mine = own[stage] if stage < NATURE else 0
                chances = _outcomes(tables, scope, t, stage, state, mine)
                for outcome, chance in enumerate(chances):
                    if chance == 0:
                        continue
                    target, end, left = _unpack(int(tables.step[scope, stage, state, outcome]))
                    if end:
                        found[end, target, marks | left] += mass * chance
                    else:
                        ahead[target, marks | left] += mass * chance
            here = ahead
    for (state, marks), mass in here.items():
        found[STALEMATE, state, marks] += mass
    return found


def committor(
    tables: Any,
    event: Callable[[int, int, int], bool],
    *,
    scope: int,
    estimate: int,
    types: tuple[int, int, int],
) -> Callable[[int, int, int, int], float]:
    """Return the probability of an ending in `event`, as a function of (round, stage, marks, state).

    `event` tells of an (end, state, marks) whether it counts.
    """
    a, b, c = types
    own = a, estimate * tables.types + b, estimate * tables.types + c

    @cache
    def chance_of_event(t: int, stage: int, marks: int, state: int) -> float:
        if t == tables.rounds:
            return float(event(STALEMATE, state, marks))
        total = 0.0
        mine = own[stage] if stage < NATURE else 0
        for outcome, chance in enumerate(_outcomes(tables, scope, t, stage, state, mine)):
            if chance == 0:
                continue
            target, end, left = _unpack(int(tables.step[scope, stage, state, outcome]))
            if end:
                total += chance * event(end, target, marks | left)
            elif stage < NATURE:
                total += chance * chance_of_event(t, stage + 1, marks | left, target)
            else:
                total += chance * chance_of_event(t + 1, 0, marks | left, target)
        return total

    return chance_of_event
