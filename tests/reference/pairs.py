"""Pairs of worlds on the same random words: one trajectory, one question, one word at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from entangle_kernels.replay import Dispute, replay

BITS = 64
PROTEGE, DEFENDER = 1, 2  # as movers; 1 is also the origin of a dispute that arises for the protégé
BY_PROTEGE, BY_DEFENDER = 1, 2


def coincidences(
    cells: Sequence[Sequence[int]], left: Sequence[int], right: Sequence[int]
) -> dict[tuple[int, int, int], int]:
    """Return, by (first world, second world, bit), in how many trajectories both words have the bit."""
    found = {}
    for a in range(len(cells)):
        for b in range(a + 1, len(cells)):
            for bit in range(BITS):
                found[a, b, bit] = sum(
                    has(left[cells[a][i]], bit) and has(right[cells[b][i]], bit) for i in range(len(cells[a]))
                )
    return found


def changes(
    cells: Sequence[int], others: Sequence[int], chosen: Sequence[int], words: Sequence[int]
) -> tuple[list[int], list[int]]:
    """Return, bit by bit, how many of the chosen trajectories have it in the one world only."""
    first, second = [0] * BITS, [0] * BITS
    for i in chosen:
        for bit in range(BITS):
            one, other = has(words[cells[i]], bit), has(words[others[i]], bit)
            first[bit] += one and not other
            second[bit] += other and not one
    return first, second


def has(word: int, bit: int) -> bool:
    return word // 2**bit % 2 == 1


def parted(tables: Any, protege: Any, defender: Any, trajectory: int, seed: int) -> int:
    """Return where a rival would have chosen otherwise: 1 the protégé's, 2 the defender's, 3 both.

    The path is that of the crisis itself; whoever decides on it, the rival is asked on the same word.
    """
    path = replay(tables, trajectory, seed=seed)
    found = 0
    if path.origin == PROTEGE and opens(tables, path) != opens(protege, path):
        found |= BY_PROTEGE
    for step in path.steps:
        if step.stage == PROTEGE:
            choices = [_move(world, path, PROTEGE, step) for world in (tables, protege)]
            found |= BY_PROTEGE if choices[0] != choices[1] else 0
        if step.stage == DEFENDER:
            choices = [_move(world, path, DEFENDER, step) for world in (tables, defender)]
            found |= BY_DEFENDER if choices[0] != choices[1] else 0
    return found


def opens(tables: Any, path: Dispute) -> bool:
    """Return whether a crisis opens on the word of a dispute that arose for the protégé."""
    own = path.estimate * tables.types + path.types[1]
    return path.entry_word > int(tables.enter[1, path.scope, own])


def _move(tables: Any, path: Dispute, actor: int, step: Any) -> str:
    own = path.estimate * tables.types + path.types[actor]
    back, sharp, passed = (int(cut) for cut in tables.cut[path.scope, step.round, actor, step.state, own])
    if step.word < back:
        return "back down"
    if step.word <= sharp:
        return "hold"
    if actor == PROTEGE:
        return "escalate"
    return "blocked" if step.word <= passed else "passed"
