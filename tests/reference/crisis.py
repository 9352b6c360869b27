"""One simulated dispute, word by word."""

from __future__ import annotations

from typing import Any

from reference.philox import WORD, philox

NO_CRISIS, STALEMATE = 0, 6
TYPES, ENTRY = 0x80000000, 0x80000001


def words(trajectory: int, purpose: int, seed: int, year: int = 0) -> tuple[int, int, int, int]:
    """Return the four words at an address."""
    counter = trajectory % WORD, trajectory // WORD, year, purpose
    return philox(counter, (seed % WORD, seed // WORD))


def play(tables: Any, trajectory: int, seed: int, year: int = 0) -> tuple[int, int, int, int, int]:
    """Play one dispute; return (origin, scope, end, state, marks)."""
    for_a, for_b, for_c, for_estimate = words(trajectory, TYPES, seed, year)
    a, b, c = (word * tables.types // WORD for word in (for_a, for_b, for_c))
    looks_resolute = tables.estimates == 2 and for_estimate < int(tables.hit[a])
    shift = tables.types if looks_resolute else 0
    own = a, shift + b, shift + c

    for_origin, for_scope, for_entry, _ = words(trajectory, ENTRY, seed, year)
    origin = 0 if for_origin < int(tables.origin) else 1
    scope = 1 if for_scope < int(tables.scope) else 0
    if for_entry <= int(tables.enter[origin, scope, own[origin]]):
        return origin, scope, NO_CRISIS, 0, 0

    state, marks = int(tables.start[origin]), 0
    marks |= int(tables.step[scope, 0, state, 1]) // 1024  # what holding in the opening state leaves
    for t in range(tables.rounds):
        block = words(trajectory, t, seed, year)
        for stage, word in enumerate(block):
            if stage == 3:
                outcome = _nature(word, [int(cut) for cut in tables.nature[state]])
            else:
                cuts = [int(cut) for cut in tables.cut[scope, t, stage, state, own[stage]]]
                outcome = _move(word, cuts, vote=stage == 2)
            step = int(tables.step[scope, stage, state, outcome])
            state, end, marks = step % 128, step // 128 % 8, marks | step // 1024
            if end:
                return origin, scope, end, state, marks
    return origin, scope, STALEMATE, state, marks


def _move(word: int, cuts: list[int], *, vote: bool) -> int:
    below_is_back_down, above_is_sharp, above_is_passed = cuts
    if word < below_is_back_down:
        return 0
    if word <= above_is_sharp:
        return 1
    if vote and word > above_is_passed:
        return 3
    return 2


def _nature(word: int, cuts: list[int]) -> int:
    below_is_cooling, below_is_victory, above_is_accident, above_is_defeat = cuts
    if word < below_is_cooling:
        return 0
    if word < below_is_victory:
        return 1
    if word > above_is_defeat:
        return 4
    if word > above_is_accident:
        return 3
    return 2
