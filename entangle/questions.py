"""What is asked of every trajectory in several worlds at once: one bit for each question.

Two worlds are compared trajectory by trajectory. For each outcome that takes the joint counts of "it
happened" and, where an outcome is conditional, of "its condition held" in either world. The core counts
bits that two words share (:mod:`entangle_kernels.tally`); here is what the bits mean.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from entangle.outcomes import OUTCOMES, REACHED
from entangle_kernels.exact import CELLS

Counts = NDArray[np.int64]
_Words = NDArray[np.uint64]

_EVENTS: Final = [outcome.event for outcome in (*OUTCOMES, *REACHED)]
#: Outcomes whose condition does not always hold.
_CONDITIONAL: Final = [i for i, outcome in enumerate(OUTCOMES) if not outcome.condition.all()]
_HAPPENED: Final = len(_EVENTS)
_MORE: Final = len(_CONDITIONAL)


def _words(masks: list[NDArray[np.bool_]]) -> _Words:
    """Return the word of each cell in which bit i is set if mask i has the cell, shape (cells,)."""
    words = np.zeros(int(np.prod(CELLS)), np.uint64)
    for bit, mask in enumerate(masks):
        words |= mask.ravel().astype(np.uint64) << np.uint64(bit)
    return words


_EVENT: Final = [OUTCOMES[i].event for i in _CONDITIONAL]
_CONDITION: Final = [OUTCOMES[i].condition for i in _CONDITIONAL]

#: For :func:`entangle_kernels.tally.coincidences`: the events; then, for conditional outcomes, event and
#: condition, condition and event, condition and condition.
LEFT: Final = _words([*_EVENTS, *_EVENT, *_CONDITION, *_CONDITION])
RIGHT: Final = _words([*_EVENTS, *_CONDITION, *_EVENT, *_CONDITION])
#: For :func:`entangle_kernels.tally.changes` and :mod:`entangle_kernels.census`: the events.
HAPPENED: Final = _words(_EVENTS)
#: The same bits where the event's condition held; and the outcomes whose condition does not always hold.
HELD: Final = _words([outcome.condition for outcome in (*OUTCOMES, *REACHED)])
GIVEN: Final = np.array(_CONDITIONAL)


class Joint(NamedTuple):
    """Joint counts of pairs of worlds a, b that were played on the same words.

    Parameters
    ----------
    both
        Trajectories in which an outcome happened in a and in b, shape (worlds, worlds, outcomes).
    event_trials
        In which it happened in a, and its condition held in b, of the same shape.
    trials
        In which its condition held in a and in b, of the same shape.
    rungs
        In which a rung was reached in a and in b, shape (worlds, worlds, rungs).
    """

    both: Counts
    event_trials: Counts
    trials: Counts
    rungs: Counts


def joint(shared: Counts, cells: Counts) -> Joint:
    """Return the joint counts of all pairs of worlds, either way round.

    Parameters
    ----------
    shared
        What :func:`entangle_kernels.tally.coincidences` counted with :data:`LEFT` and :data:`RIGHT`, shape
        (worlds, worlds, 64).
    cells
        How often each cell occurred, shape (worlds, *CELLS).
    """
    worlds = len(cells)
    events = _both_ways(shared[:, :, :_HAPPENED], np.array([_sums(table, _EVENTS) for table in cells]))
    every = np.array([[int(table.sum())] * len(OUTCOMES) for table in cells])
    happened = events[np.arange(worlds), np.arange(worlds), : len(OUTCOMES)]
    # an outcome whose condition always holds: the condition takes nothing away
    event_trials = np.repeat(happened[:, np.newaxis], worlds, axis=1)
    trials = np.repeat(every[:, np.newaxis], worlds, axis=1)
    first, second, third = np.split(shared[:, :, _HAPPENED : _HAPPENED + 3 * _MORE], 3, axis=2)
    held = np.array([_sums(table, _CONDITION) for table in cells])
    own = happened[:, _CONDITIONAL]
    event_trials[:, :, _CONDITIONAL] = first + second.swapaxes(0, 1) + _diagonal(own)
    trials[:, :, _CONDITIONAL] = _both_ways(third, held)
    return Joint(events[:, :, : len(OUTCOMES)], event_trials, trials, events[:, :, len(OUTCOMES) :])


def outcomes_alone(changed: Counts) -> Counts:
    """Return the outcomes of what :func:`entangle_kernels.tally.changes` counted, shape (..., outcomes)."""
    return changed[..., : len(OUTCOMES)]


def _sums(table: Counts, masks: list[NDArray[np.bool_]]) -> list[int]:
    return [int(table[mask].sum()) for mask in masks]


def _both_ways(upper: Counts, own: Counts) -> Counts:
    """Return counts of pairs a < b filled in for b < a, and with a world's `own` for a = b."""
    return upper + upper.swapaxes(0, 1) + _diagonal(own)


def _diagonal(own: Counts) -> Counts:
    found = np.zeros((len(own), *own.shape), own.dtype)
    found[np.arange(len(own)), np.arange(len(own))] = own
    return found
