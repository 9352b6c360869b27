"""The crisis ladder as a table: public states, moves, and what each move leads to.

A public state is (rung 0-8, support 0-3, provoked 0-1), packed as ``(rung * 4 + support) * 2 + provoked``.
A step's outcome is packed into 16 bits: the next state (7), how the crisis ended or 0 (3), and marks
that stay set for the rest of the crisis (4). The same table drives the solver, the exact pass and the
simulator, so they cannot disagree about the rules.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

STATES: Final = 72
RUNGS: Final = 9
STAGES: Final = 4  # challenger, protege, defender, nature
OUTCOMES: Final = 5  # the most outcomes that one stage can have

# Moves. The order is from the mildest to the sharpest, so that with one random word a policy that leans
# towards the sharper move differs from another only where it must (monotone coupling).
BACK_DOWN, HOLD, ESCALATE = 0, 1, 2  # challenger: withdraw; protege: concede; defender: restrain
BLOCKED_VOTE, PASSED = 2, 3  # the defender's commit, after the vote
COOL, WON, NOTHING, ACCIDENT, LOST = 0, 1, 2, 3, 4  # nature

# How a crisis ends.
(
    NO_CRISIS,
    WITHDRAWAL,
    CONCESSION,
    COMPROMISE,
    DEFEAT,
    VICTORY,
    STALEMATE,
    GENERAL_WAR,
) = range(8)
ENDS: Final = 8

# Marks.
FORCE_BY_CHALLENGER, VOTE_BLOCKED, OBLIGATION_ACTIVE, SUPPORT_REACHED = 1, 2, 4, 8
MARKS: Final = 16

STATE_MASK: Final = 0x7F
END_SHIFT: Final = 7
MARK_SHIFT: Final = 10

_LIMITED, _LOCAL, _STRATEGIC, _GENERAL = 3, 4, 6, 8
_MILITARY, _FIGHTING = 2, 3


class Rules(NamedTuple):
    """What decides which moves exist and which marks they leave.

    Parameters
    ----------
    nuclear
        Whether the challenger, the protégé and the defender have nuclear weapons.
    owed
        Share of the obligation that is owed in each state, shape (states,); 0 where none is active.
    required
        Support that honours the obligation, 1-3.
    """

    nuclear: tuple[bool, bool, bool]
    owed: NDArray[np.float64]
    required: int


def pack(rung: int, support: int, provoked: int) -> int:
    """Return the code of a public state."""
    return (rung * 4 + support) * 2 + provoked


def unpack(state: int) -> tuple[int, int, int]:
    """Return (rung, support, provoked) of a code."""
    return state >> 3, (state >> 1) & 3, state & 1


def marks_of(state: int, rules: Rules) -> int:
    """Return the marks that being in `state` leaves."""
    active = OBLIGATION_ACTIVE if rules.owed[state] > 0 else 0
    reached = SUPPORT_REACHED if (state >> 1) & 3 >= rules.required else 0
    return active | reached


def steps(rules: Rules) -> NDArray[np.uint16]:
    """Return what every outcome of every stage leads to.

    Returns
    -------
    array of shape (stages, states, outcomes)
        Packed steps. An outcome that does not exist leads back to the same state; whether it exists
        is told by :func:`legal` and, for nature, by its probability.
    """
    table = np.zeros((STAGES, STATES, OUTCOMES), np.uint16)
    for state in range(STATES):
        rung, support, provoked = unpack(state)
        stay = _step(state, rules)
        table[:, state, :] = stay
        table[0, state, BACK_DOWN] = _step(state, rules, end=WITHDRAWAL)
        table[1, state, BACK_DOWN] = _step(state, rules, end=CONCESSION)
        table[2, state, BACK_DOWN] = _step(pack(rung, max(support - 1, 0), provoked), rules)
        table[2, state, BLOCKED_VOTE] = _step(state, rules, mark=VOTE_BLOCKED)
        table[3, state, COOL] = _step(state, rules, end=COMPROMISE)
        table[3, state, WON] = _step(state, rules, end=VICTORY)
        table[3, state, LOST] = _step(state, rules, end=DEFEAT)
        if support < _FIGHTING:
            raised = support + 1
            lifted = max(rung, _LOCAL) if raised == _FIGHTING else rung
            table[2, state, PASSED] = _step(pack(lifted, raised, provoked), rules)
        if rung < _GENERAL:
            first_force = rung + 1 == _LIMITED
            up = pack(rung + 1, support, provoked)
            by_protege = pack(rung + 1, support, 1 if first_force else provoked)
            end = GENERAL_WAR if rung + 1 == _GENERAL else 0
            mark = FORCE_BY_CHALLENGER if first_force else 0
            table[0, state, ESCALATE] = _step(up, rules, end=end, mark=mark)
            table[1, state, ESCALATE] = _step(by_protege, rules, end=end)
            table[3, state, ACCIDENT] = _step(up, rules, end=end)
    return table


def legal(rules: Rules) -> NDArray[np.bool_]:
    """Return which moves exist, leaving aside the rounds in which the defender must still hold.

    Returns
    -------
    array of shape (4, states, 3)
        For the challenger, the protégé and the defender: back down, hold, escalate (for the defender:
        restrain, hold, commit). In the fourth row the last column says whether an accident can step up.
    """
    challenger, protege, defender = rules.nuclear
    table = np.zeros((STAGES, STATES, 3), np.bool_)
    table[:, :, HOLD] = True
    for state in range(STATES):
        rung, support, _ = unpack(state)
        if not 1 <= rung < _GENERAL or (support == _FIGHTING and rung < _LOCAL):
            continue  # no round is played there
        allied = protege or (defender and support == _FIGHTING)
        table[0, state] = True, True, rung < _STRATEGIC or challenger
        table[1, state] = True, True, rung < _STRATEGIC or allied
        table[2, state, BACK_DOWN] = 0 < support < _FIGHTING
        table[2, state, ESCALATE] = support < _MILITARY or (support == _MILITARY and rung >= _LIMITED)
        table[3, state, ESCALATE] = rung < _STRATEGIC or challenger or allied
    return table


def _step(state: int, rules: Rules, *, end: int = 0, mark: int = 0) -> int:
    marks = marks_of(state, rules) | mark
    return state | (end << END_SHIFT) | (marks << MARK_SHIFT)
