"""The same dispute in two worlds, by counting the words that lead to each pair of outcomes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from typing import Any

from reference.chances import DEFENDER, NATURE, WORDS, type_weights

Joint = dict[tuple[int, int], float]  # 1 where it happened
Place = int | bool  # a public state; or, once the crisis is decided, whether the event happened
Words = tuple[range, ...]  # for each outcome, from the mildest, the words that lead to it

ENTRY = -1


def joint(tables: Any, other: Any, event: Callable[[int], bool], *, apart: Collection[int] = ()) -> Joint:
    """Return the probability that `event` happens in both worlds, in the first, in the second, in neither.

    Parameters
    ----------
    event
        Tells of a public state whether it has happened there.
    apart
        Decisions (stages, or ENTRY) for which each world is wrongly given a word of its own.
    """
    found: Joint = defaultdict(float)
    weights, types = type_weights(tables.types), range(tables.types)
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
                        own = a, e * tables.types + b, e * tables.types + c, 0
                        for origin in (0, 1):
                            pairs = _dispute(tables, other, event, scope, own, origin, apart)
                            for ends, chance in pairs.items():
                                found[ends] += weight * arises[origin] * chance
    return dict(found)


def _dispute(
    tables: Any,
    other: Any,
    event: Callable[[int], bool],
    scope: int,
    own: tuple[int, ...],
    origin: int,
    apart: Collection[int],
) -> Joint:
    """Return the chances of what happens in a dispute, given everyone's private information."""
    worlds = tables, other
    entries = [_entry(world, origin, scope, own[origin]) for world in worlds]
    here: dict[tuple[Place, Place], float] = defaultdict(float)
    for opens, chance in _both(*entries, apart=ENTRY in apart):
        starts = [_settled(event, int(world.start[origin]), 0) for world in worlds]
        x, y = (start if opened else False for start, opened in zip(starts, opens, strict=True))
        here[x, y] += chance
    for t in range(tables.rounds):
        for stage in range(4):
            ahead: dict[tuple[Place, Place], float] = defaultdict(float)
            for places, mass in here.items():
                words = [
                    (range(WORDS),) if isinstance(place, bool) else _words(world, scope, t, stage, place, own)
                    for world, place in zip(worlds, places, strict=True)
                ]
                for outcomes, chance in _both(*words, apart=stage in apart):
                    x, y = (
                        _next(world, event, scope, stage, place, outcome)
                        for world, place, outcome in zip(worlds, places, outcomes, strict=True)
                    )
                    ahead[x, y] += mass * chance
            here = ahead
    found: Joint = defaultdict(float)
    for (x, y), mass in here.items():
        found[int(x is True), int(y is True)] += mass  # what is undecided now never happens
    return found


def _both(one: Words, two: Words, *, apart: bool) -> Iterator[tuple[tuple[int, int], float]]:
    """Yield the pairs of outcomes to which a word leads, with the share of the words."""
    for i, mine in enumerate(one):
        for j, yours in enumerate(two):
            shared = len(range(max(mine.start, yours.start), min(mine.stop, yours.stop)))
            chance = len(mine) * len(yours) / WORDS**2 if apart else shared / WORDS
            if chance > 0:
                yield (i, j), chance


def _entry(tables: Any, origin: int, scope: int, own: int) -> Words:
    opens = int(tables.enter[origin, scope, own]) + 1
    return range(opens), range(opens, WORDS)


def _words(tables: Any, scope: int, t: int, stage: int, state: int, own: tuple[int, ...]) -> Words:
    if stage == NATURE:
        cool, won, accident, lost = (int(cut) for cut in tables.nature[state])
        firsts = [0, cool, won, accident + 1, lost + 1]
    else:
        back, sharp, passed = (int(cut) for cut in tables.cut[scope, t, stage, state, own[stage]])
        firsts = [0, back, sharp + 1, passed + 1] if stage == DEFENDER else [0, back, sharp + 1]
    return tuple(range(first, last) for first, last in zip(firsts, [*firsts[1:], WORDS], strict=True))


def _next(
    tables: Any, event: Callable[[int], bool], scope: int, stage: int, place: Place, outcome: int
) -> Place:
    if isinstance(place, bool):
        return place
    step = int(tables.step[scope, stage, place, outcome])
    return _settled(event, step % 128, step // 128 % 8)


def _settled(event: Callable[[int], bool], state: int, end: int) -> Place:
    """Return where one is: at a state, or where nothing can change any more."""
    if event(state):
        return True
    return False if end else state
