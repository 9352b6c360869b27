"""What is counted: every outcome as a set of endings, given another set.

The core returns how often (or how probably) a dispute ended in each *cell*: for whom it arose, whether
it was in scope, how it ended, in which state, with which marks. Every reported figure is the share of
one set of cells in another, so that counts and exact probabilities are the same sum over different
numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from entangle.vocabulary import RUNGS
from entangle_kernels import ladder
from entangle_kernels.exact import CELLS

Cells = NDArray[np.bool_]

_ORIGIN, _SCOPE, _END, _STATE, _MARKS = np.indices(CELLS)
_RUNG, _SUPPORT = _STATE >> 3, (_STATE >> 1) & 3
_OPENED: Final = _END != ladder.NO_CRISIS
_ACTIVE: Final = _OPENED & (_MARKS & ladder.OBLIGATION_ACTIVE > 0)
_UNMET: Final = _ACTIVE & (_MARKS & ladder.SUPPORT_REACHED == 0)
_BLOCKED: Final = _MARKS & ladder.VOTE_BLOCKED > 0
_ALL: Final = np.ones(CELLS, np.bool_)


@dataclass(frozen=True)
class Outcome:
    """One reported outcome.

    Parameters
    ----------
    name
        Its label.
    meaning
        What happened, in a sentence.
    given
        What it is conditional on, in words.
    event, condition
        The endings that count, among those that are looked at.
    """

    name: str
    meaning: str
    given: str
    event: Cells
    condition: Cells


def _outcome(
    name: str, meaning: str, event: Cells, *, given: str = "a dispute", condition: Cells = _ALL
) -> Outcome:
    return Outcome(name, meaning, given, event & condition, condition)


_BY_CHALLENGER = {"given": "a dispute that arose for the challenger", "condition": _ORIGIN == 0}
_BY_PROTEGE = {"given": "a dispute that arose for the protégé", "condition": _ORIGIN == 1}
_CHALLENGED = {"given": "a challenge", "condition": (_ORIGIN == 0) & _OPENED}
_OWED = {"given": "an obligation that became active", "condition": _ACTIVE}

OUTCOMES: Final[tuple[Outcome, ...]] = (
    _outcome("challenge", "the challenger opens a crisis", _OPENED, **_BY_CHALLENGER),
    _outcome("provocation", "the protégé opens a crisis", _OPENED, **_BY_PROTEGE),
    _outcome(
        "force",
        "the challenger is the first to use force, by its own move",
        _MARKS & ladder.FORCE_BY_CHALLENGER > 0,
        **_CHALLENGED,
    ),
    _outcome("war", "the crisis reaches local war or more", _RUNG >= 4),
    _outcome("defender_fights", "the defender fights", _SUPPORT == 3),
    _outcome("obligation_active", "help was owed at some time", _ACTIVE),
    _outcome(
        "abandonment",
        "help was owed, and the defender's support never reached what was required",
        _UNMET & ~_BLOCKED,
        **_OWED,
    ),
    _outcome(
        "blocked",
        "help was owed, a vote or a quorum stopped the defender, and its support never reached what was "
        "required",
        _UNMET & _BLOCKED,
        **_OWED,
    ),
    _outcome("concession", "the protégé backs down", _END == ladder.CONCESSION),
    _outcome("withdrawal", "the challenger backs down", _END == ladder.WITHDRAWAL),
    _outcome("defeat", "the challenger wins a military decision", _END == ladder.DEFEAT),
    _outcome("victory", "the protégé's side wins a military decision", _END == ladder.VICTORY),
    _outcome("stalemate", "the last round passes without an end", _END == ladder.STALEMATE),
    _outcome("nuclear_use", "the crisis reaches nuclear use", _RUNG >= 7),
    _outcome(
        "reliability",
        "help was owed, and the defender's support reached what was required",
        _ACTIVE & ~_UNMET,
        **_OWED,
    ),
    _outcome("crisis", "somebody opens a crisis", _OPENED),
    _outcome("compromise", "the crisis cools down without a winner", _END == ladder.COMPROMISE),
    _outcome("general_war", "the crisis ends in general nuclear war", _END == ladder.GENERAL_WAR),
)

#: For each rung, the endings of disputes that reached at least that rung; the lowest is the dispute itself.
REACHED: Final[tuple[Outcome, ...]] = tuple(
    _outcome(name, f"the dispute reaches at least: {name.replace('_', ' ')}", rung <= _RUNG)
    for rung, name in enumerate(RUNGS)
)
