"""What a dispute leads to on average: chances of every event, costs, and what the defender gets to decide.

Exact, by the origin of the dispute and the class of the defender's resolve, from which they follow for any
disposition of the defender. Along a simulated history they take the place of what happened: the same mean,
with less variance (Rao and Blackwell; see :mod:`entangle.decades`).
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from entangle.outcomes import OUTCOMES, REACHED
from entangle.vocabulary import SEATS
from entangle_kernels import exact, ladder
from entangle_kernels.game import Floats, Game, allowed_moves
from entangle_kernels.quantise import WORDS, Tables

#: Everything that can happen in a dispute, in the order of the bits of :data:`entangle.questions.HAPPENED`.
EVENTS: Final = tuple(outcome.name for outcome in (*OUTCOMES, *REACHED))
#: Beside the chances of the events: disputes by origin, what a dispute costs each actor [stake units], how
#: many decisions the defender faces, and how far these are from those it would take without a pact.
QUANTITIES: Final = (
    *EVENTS,
    "dispute_challenger",
    "dispute_protege",
    *(f"cost_{seat}" for seat in SEATS),
    "decisions",
    "distance",
)
#: News is kept within this [log odds].
LOUDEST: Final = 3.0

#: What counts as each event, of disputes in scope, by cell, origin and event.
_MASKS: Final = np.ascontiguousarray(
    np.array([outcome.event[:, 1].reshape(2, -1) for outcome in (*OUTCOMES, *REACHED)], np.float64).T
)
_DEFENDER: Final = 2


def expectations(game: Game, tables: Tables, alone: Tables | None = None) -> Floats:
    """Return the expectation of every quantity in a dispute, by class and origin.

    Parameters
    ----------
    game, tables
        A game of one scope and its thresholds, every dispute in scope.
    alone
        Thresholds that the defender would use by its own no-pact policy, in the same game; those of `tables`
        if not given. The distance between two choices is half the sum of absolute differences of their
        probabilities (total variation).

    Returns
    -------
    array of shape (K, 2 origins, quantities)
        Given the class and the origin; zero for an origin that never is.
    """
    cells, reach = exact.by_class(tables)
    classes = tables.types
    inside = cells[:, :, 1]  # (class, origin, end, state, marks): every dispute is in scope
    found = np.zeros((classes, 2, len(QUANTITIES)))
    cell_by_cell = inside.reshape(classes, 2, -1)
    ended = np.flatnonzero(cell_by_cell.any(axis=(0, 1)))  # a few hundred of many thousand
    happened = cell_by_cell[:, :, ended]
    found[:, :, : len(EVENTS)] = np.einsum("koc,coe->koe", happened, _MASKS[ended])
    arises = happened.sum(axis=2)
    at = len(EVENTS)
    for origin in range(2):
        found[:, origin, at + origin] = arises[:, origin]
    found[:, :, at + 2 : at + 5] = _costs(game, tables, inside, reach)
    decided, distance = _decisions(game, tables, alone, reach)
    found[:, :, at + 5], found[:, :, at + 6] = decided, distance
    given = np.zeros_like(found)
    np.divide(found, arises[:, :, np.newaxis], out=given, where=arises[:, :, np.newaxis] > 0)
    return given


def by_disposition(expected: Floats, dispositions: Floats, *, for_challenger: float) -> Floats:
    """Return expectations in a dispute of either origin, shape (2, quantities).

    Parameters
    ----------
    expected
        What :func:`expectations` returns.
    dispositions
        Probability of each class of a wavering, and of a steadfast, defender's resolve, shape (2, K).
    for_challenger
        Share of disputes that arise for the challenger.
    """
    by_origin = np.einsum("dk,koq->odq", dispositions, expected)
    mixed: Floats = for_challenger * by_origin[0] + (1.0 - for_challenger) * by_origin[1]
    return mixed


def news(expected: Floats, dispositions: Floats, *, for_challenger: float) -> tuple[float, float]:
    """Return what help, and its absence, tell about the defender: logs of ratios of probabilities.

    Help that was owed and given, and help that was owed and not given though no vote stood in the way. What
    is given is as for :func:`by_disposition`.
    """
    chances = by_disposition(expected, dispositions, for_challenger=for_challenger)
    given, failed = (
        loudness(float(chances[1, event]), float(chances[0, event]))
        for event in (EVENTS.index("reliability"), EVENTS.index("abandonment"))
    )
    return given, failed


def loudness(steadfast: float, wavering: float) -> float:
    """Return the log of the ratio of two probabilities of an event, kept within :data:`LOUDEST`."""
    if steadfast <= 0.0 and wavering <= 0.0:
        return 0.0
    if steadfast <= 0.0 or wavering <= 0.0:
        return math.copysign(LOUDEST, steadfast - wavering)
    return min(max(math.log(steadfast / wavering), -LOUDEST), LOUDEST)


def _costs(game: Game, tables: Tables, inside: Floats, reach: Floats) -> Floats:
    """Return what a dispute costs each actor, shape (K, 2 origins, 3)."""
    by_end = inside.sum(axis=4)  # marks cost nothing
    found = np.stack([(by_end * game.cost[0, actor]).sum(axis=(2, 3)) for actor in range(3)], axis=-1)
    # rounds are paid for after the defender's move, by the state in which nature finds them
    passed = _of_classes(reach[:, :, 3].sum(axis=1), tables.types)  # (class, origin, state)
    found += (passed[..., np.newaxis] * game.running[0].T).sum(axis=2)
    # what a breach costs is a share of the defender's stake
    stake = game.theta[_DEFENDER, :, np.newaxis]
    failed = (passed * game.breach[0, 0]).sum(axis=2)
    defeated = (by_end[:, :, ladder.DEFEAT] * game.breach[0, 1]).sum(axis=2)
    found[:, :, _DEFENDER] += stake * (failed + defeated)
    backs = tables.cut[1, :, _DEFENDER, :, :, 0] / WORDS  # (round, state, set)
    lowered = (reach[:, :, _DEFENDER] * backs).sum(axis=1)
    found[:, :, _DEFENDER] += (_of_classes(lowered, tables.types) * game.restrain).sum(axis=2)
    opened = inside.sum(axis=(3, 4)) * (np.arange(ladder.ENDS) != ladder.NO_CRISIS)
    for origin in range(2):
        found[:, origin, origin] += opened[:, origin].sum(axis=1) * game.opening[origin]
    return found


def _decisions(game: Game, tables: Tables, alone: Tables | None, reach: Floats) -> tuple[Floats, Floats]:
    """Return how many decisions the defender faces, and their summed distances, each of shape (K, 2)."""
    free = allowed_moves(game)[:, _DEFENDER].sum(axis=-1) > 1  # (round, state): there is something to decide
    faced = reach[:, :, _DEFENDER] * free[:, :, np.newaxis]
    decided = _of_classes(faced.sum(axis=1), tables.types).sum(axis=2)
    if alone is None:
        return decided, np.zeros_like(decided)
    differ = np.abs(_choices(tables) - _choices(alone)).sum(axis=-1) / 2.0
    return decided, _of_classes((faced * differ).sum(axis=1), tables.types).sum(axis=2)


def _choices(tables: Tables) -> Floats:
    """Return the defender's chances of backing down, holding and escalating, shape (rounds, states, H, 3)."""
    cut = tables.cut[1, :, _DEFENDER].astype(np.float64)
    back, sharp = cut[..., 0] / WORDS, (WORDS - 1.0 - cut[..., 1]) / WORDS
    return np.stack([back, 1.0 - back - sharp, sharp], axis=-1)


def _of_classes(by_set: Floats, types: int) -> Floats:
    """Return sums over sets of each class, from (origin, state, H) to (K, origin, state)."""
    folded = by_set.reshape(*by_set.shape[:-1], -1, types)
    summed: Floats = np.moveaxis(folded.sum(axis=-2), -1, 0)
    return summed
