"""One dispute alone, move by move: the simulator's twin in plain Python.

It reads the same tables and the same random words and shares no code with the compiled simulator: no lanes,
no packed words, philox on Python's own integers. A step takes some 30 microseconds, where the simulator takes
nanoseconds; in return it keeps what the simulator forgets: every decision, with its chances.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from entangle_kernels.ladder import HOLD, NO_CRISIS, OUTCOMES, STAGES, STALEMATE
from entangle_kernels.quantise import WORDS, Tables

#: The fourth word of the counter: a round's number, or one of these purposes.
TYPES, ENTRY = 0x80000000, 0x80000001

_DEFENDER, _NATURE = 2, 3


class Step(NamedTuple):
    """One decision.

    Parameters
    ----------
    round, stage
        When, counted from 0; stage 0 is the challenger's, 1 the protégé's, 2 the defender's, 3 nature's.
    state
        Public state before it.
    word
        The random word that decided it; -1 in a dispute that was retold from its outcomes.
    chances
        Probability of each of the five outcomes, exact: whole numbers of words over 2^32.
    outcome
        What happened, numbered as in :class:`entangle_kernels.quantise.Tables`.
    after
        Public state after it.
    end
        How the crisis ended here, or 0.
    marks
        Marks left so far.
    """

    round: int
    stage: int
    state: int
    word: int
    chances: tuple[float, ...]
    outcome: int
    after: int
    end: int
    marks: int


class Dispute(NamedTuple):
    """Everything that happened in one dispute.

    Parameters
    ----------
    trajectory, seed, year
        Address of its random words; -1 each in a dispute that was retold from its outcomes.
    origin
        For whom it arose: 0 the challenger, 1 the protégé.
    scope
        1 if it lies inside the treaty area.
    estimate
        What the partners take the challenger for: 1 resolute, 0 irresolute or nothing.
    types
        Resolve of challenger, protégé and defender, as an index below K.
    entry_word
        The word that decided whether a crisis opens; -1 in a retold dispute.
    opening
        Exact probability that whoever it arose for opens one.
    opened
        Whether it was opened.
    steps
        Every decision, in order.
    end, state, marks
        How it ended, in which public state, with which marks: with `origin` and `scope`, its cell.
    """

    trajectory: int
    seed: int
    year: int
    origin: int
    scope: int
    estimate: int
    types: tuple[int, int, int]
    entry_word: int
    opening: float
    opened: bool
    steps: tuple[Step, ...]
    end: int
    state: int
    marks: int


#: Given the round, the stage and how many words each outcome has: the word, or -1, and the outcome.
_Choice = Callable[[int, int, Sequence[int]], tuple[int, int]]


def replay(
    tables: Tables,
    trajectory: int,
    *,
    seed: int,
    year: int = 0,
    faith: Sequence[int] | NDArray[np.uint64] | None = None,
) -> Dispute:
    """Play one dispute as :func:`entangle_kernels.crisis.simulate` does, and keep everything.

    Parameters
    ----------
    trajectory
        Index of the trajectory, 0 to 2^64 - 1.
    seed, year
        As for the simulator.
    faith
        First word of each class of the defender's resolve, shape (K,), ascending from 0, as
        :func:`entangle_kernels.decades.record` draws it; equal classes if not given.
    """
    for_a, for_b, for_c, for_estimate = words(trajectory, TYPES, seed, year)
    a, b, c = (word * tables.types // WORDS for word in (for_a, for_b, for_c))
    if faith is not None:
        c = sum(for_c >= int(first) for first in faith) - 1
    estimate = 1 if tables.estimates == 2 and for_estimate < int(tables.hit[a]) else 0
    for_origin, for_scope, for_entry, _ = words(trajectory, ENTRY, seed, year)
    origin = 0 if for_origin < int(tables.origin) else 1
    scope = 1 if for_scope < int(tables.scope) else 0

    def by_word(t: int, stage: int, numbers: Sequence[int]) -> tuple[int, int]:
        word = words(trajectory, t, seed, year)[stage]
        return word, _at(word, numbers)

    opens = _opening(tables, origin, scope, estimate, (a, b, c))
    return _played(
        tables,
        Dispute(
            trajectory, seed, year, origin, scope, estimate, (a, b, c), for_entry,
            opens / WORDS, for_entry >= WORDS - opens, (), NO_CRISIS, 0, 0,
        ),
        by_word,
    )  # fmt: skip


def retell(
    tables: Tables,
    *,
    origin: int,
    scope: int,
    estimate: int,
    types: Sequence[int] | NDArray[np.integer],
    opened: bool,
    outcomes: Sequence[Sequence[int]] | NDArray[np.integer],
) -> Dispute:
    """Return the dispute that took a given course, whatever drew it.

    Parameters
    ----------
    origin, scope, estimate, types, opened
        As in :class:`Dispute`.
    outcomes
        Outcome of each stage of each round, shape (rounds, 4), -1 where not reached.

    Raises
    ------
    ValueError
        If the course breaks the rules: an outcome without a chance, a missing one, or one after the end.
    """
    given = np.asarray(outcomes)
    if given.shape != (tables.rounds, STAGES):
        raise ValueError(
            f"outcomes: must have shape {(tables.rounds, STAGES)}, not {given.shape}; "
            "give -1 where a stage was not reached"
        )

    def as_given(t: int, stage: int, numbers: Sequence[int]) -> tuple[int, int]:
        outcome = int(given[t, stage])
        if not 0 <= outcome < OUTCOMES or numbers[outcome] == 0:
            raise ValueError(
                f"outcomes[{t}, {stage}]: must be an outcome that has a chance there, not {outcome}; "
                "take all outcomes from one dispute of these tables"
            )
        return -1, outcome

    a, b, c = (int(own) for own in types)
    opens = _opening(tables, origin, scope, estimate, (a, b, c))
    found = _played(
        tables,
        Dispute(
            -1, -1, -1, int(origin), int(scope), int(estimate), (a, b, c), -1,
            opens / WORDS, bool(opened), (), NO_CRISIS, 0, 0,
        ),
        as_given,
    )  # fmt: skip
    if np.count_nonzero(given >= 0) != len(found.steps):
        raise ValueError(
            f"outcomes: must be -1 after the end, which came after {len(found.steps)} decisions; "
            "take all outcomes from one dispute of these tables"
        )
    return found


def _played(tables: Tables, dispute: Dispute, choose: _Choice) -> Dispute:
    """Return the dispute with its steps and its ending."""
    if not dispute.opened:
        return dispute
    a, b, c = dispute.types
    own = a, dispute.estimate * tables.types + b, dispute.estimate * tables.types + c
    state = int(tables.start[dispute.origin])
    # marks of the opening state: those that holding there leaves
    marks = int(tables.step[dispute.scope, 0, state, HOLD]) // 1024
    steps: list[Step] = []
    for t in range(tables.rounds):
        for stage in range(STAGES):
            numbers = _numbers(tables, dispute.scope, t, stage, state, own)
            word, outcome = choose(t, stage, numbers)
            packed = int(tables.step[dispute.scope, stage, state, outcome])
            after, end, marks = packed % 128, packed // 128 % 8, marks | packed // 1024
            chances = tuple(number / WORDS for number in numbers)
            steps.append(Step(t, stage, state, word, chances, outcome, after, end, marks))
            state = after
            if end:
                return dispute._replace(steps=tuple(steps), end=end, state=state, marks=marks)
    return dispute._replace(steps=tuple(steps), end=STALEMATE, state=state, marks=marks)


def _opening(tables: Tables, origin: int, scope: int, estimate: int, types: tuple[int, int, int]) -> int:
    """Return how many words open a crisis."""
    own = types[0] if origin == 0 else estimate * tables.types + types[1]
    return WORDS - 1 - int(tables.enter[origin, scope, own])


def _numbers(
    tables: Tables, scope: int, t: int, stage: int, state: int, own: tuple[int, int, int]
) -> tuple[int, ...]:
    """Return how many words each of the five outcomes has; they lie side by side, in that order."""
    if stage == _NATURE:
        cool, won, accident, lost = (int(cut) for cut in tables.nature[state])
        return cool, won - cool, accident + 1 - won, lost - accident, WORDS - 1 - lost
    back, sharp, passed = (int(cut) for cut in tables.cut[scope, t, stage, state, own[stage]])
    if stage == _DEFENDER:
        return back, sharp + 1 - back, passed - sharp, WORDS - 1 - passed, 0
    return back, sharp + 1 - back, WORDS - 1 - sharp, 0, 0


def _at(word: int, numbers: Sequence[int]) -> int:
    """Return the outcome to which a word belongs."""
    below = 0
    for outcome, number in enumerate(numbers):
        below += number
        if word < below:
            return outcome
    raise AssertionError("the outcomes share all words")


def words(trajectory: int, purpose: int, seed: int, year: int = 0) -> tuple[int, int, int, int]:
    """Return the four random words at an address."""
    counter = trajectory % WORDS, trajectory // WORDS, year, purpose
    return philox(counter, (seed % WORDS, seed // WORDS))


def philox(
    counter: tuple[int, int, int, int], key: tuple[int, int], rounds: int = 10
) -> tuple[int, int, int, int]:
    """Return four words; fewer `rounds` than ten are a weaker generator, for negative controls.

    As printed in Salmon et al. (2011), on Python's own integers; see :mod:`entangle_kernels.philox`.
    """
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(rounds):
        high0, low0 = divmod(0xD2511F53 * c0, WORDS)
        high1, low1 = divmod(0xCD9E8D57 * c2, WORDS)
        c0, c1, c2, c3 = high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0
        k0 = (k0 + 0x9E3779B9) % WORDS
        k1 = (k1 + 0xBB67AE85) % WORDS
    return c0, c1, c2, c3
