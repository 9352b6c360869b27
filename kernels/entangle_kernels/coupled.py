"""Two worlds at once: exact probabilities of the same dispute, played with the same random words in both.

Given everyone's private information the two crises are one Markov chain on pairs of states. A word decides
in both at once: its 2^32 values are cut into pieces in two ways, and what lies in a piece of one and in
a piece of the other leads to that pair of outcomes. A crisis that is over, or in which the event has
happened, stays where it is; once both do, the pair is done.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from entangle_kernels.jit import jit
from entangle_kernels.ladder import END_SHIFT, OUTCOMES, STAGES, STATE_MASK, STATES
from entangle_kernels.quantise import WORDS, Tables, type_weights

#: What both worlds must share: nobody's private information is part of a world, nor is the dispute itself.
_COMMON: Final = ("types", "estimates", "rounds", "hit", "origin", "scope")

#: Two more places beside the public states: over without the event, and the event has happened.
_OVER: Final = STATES
_HAPPENED: Final = STATES + 1
_PLACES: Final = STATES + 2

_UNIT = 1.0 / WORDS


def joint(factual: Tables, other: Tables, event: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the probability that an event happens in both worlds, in one of them, in neither.

    Parameters
    ----------
    factual, other
        Two worlds with the same private information, the same disputes and equally many rounds.
    event
        Public states in which it has happened, shape (states,). They must be for good: no move leads out
        of them, and state 0, a dispute without a crisis, is none of them.

    Returns
    -------
    array of shape (2, 2)
        By whether it happens (1) or not (0) in the factual and in the other world, summing to 1.

    Raises
    ------
    ValueError
        If the worlds differ in what they must share, or the event is not for good.
    """
    for name in _COMMON:
        if not np.array_equal(getattr(factual, name), getattr(other, name)):
            raise ValueError(f"the two worlds must share '{name}', or their words mean different things")
    if event[0]:
        raise ValueError("an event must not have happened before any crisis, in state 0")
    chains = []
    for tables in (factual, other):
        pieces, leads = _pieces(tables), _leads(tables, event)
        possible = (np.diff(pieces, prepend=0) > 0).any(axis=(1, 2))
        if (possible & (leads != _HAPPENED))[:, :, :STATES][:, :, event].any():
            raise ValueError("an event must be for good: a move leads from a state of it to another")
        chains.append((pieces, leads))
    (pieces, leads), (other_pieces, other_leads) = chains
    weights, found = type_weights(factual.types), np.zeros((2, 2))
    _disputes(factual, other, pieces, leads, other_pieces, other_leads, event, weights, found)
    return found


def _pieces(tables: Tables) -> NDArray[np.int64]:
    """Return the word below which an outcome or a milder one happens.

    Returns
    -------
    array of shape (2 scopes, H, rounds, 4 stages, places, 5)
        Not falling along the last axis, which ends at 2^32.
    """
    scopes, rounds, _, states, sets, _ = tables.cut.shape
    found = np.full((scopes, sets, rounds, STAGES, _PLACES, OUTCOMES), WORDS, np.int64)
    cut = np.moveaxis(tables.cut.astype(np.int64), 4, 1)
    found[:, :, :, :3, :states, 0] = cut[..., 0]
    found[:, :, :, :3, :states, 1] = cut[..., 1] + 1
    # only the defender's commitment goes to a vote
    found[:, :, :, 2, :states, 2] = cut[:, :, :, 2, :, 2] + 1
    found[:, :, :, 3, :states, :4] = tables.nature.astype(np.int64) + np.array([0, 0, 1, 1])
    return found


def _leads(tables: Tables, event: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the place to which every outcome leads, shape (2 scopes, 4 stages, places, 5)."""
    found = np.empty((2, STAGES, _PLACES, OUTCOMES), np.int64)
    target = (tables.step & STATE_MASK).astype(np.int64)
    ended = (tables.step >> END_SHIFT) & 7 != 0
    found[:, :, :STATES] = np.where(event[target], _HAPPENED, np.where(ended, _OVER, target))
    found[:, :, _OVER] = _OVER
    found[:, :, _HAPPENED] = _HAPPENED
    return found


@jit
def _disputes(  # type: ignore[no-untyped-def]
    factual, other, pieces, leads, other_pieces, other_leads, event, weights, found
):
    types = factual.types
    sets = np.zeros(STAGES, np.int64)  # nature has one
    pairs = np.zeros((_PLACES, _PLACES))
    sums = np.zeros((2, 2))
    for scope in range(2):
        share = np.float64(factual.scope) * _UNIT
        if scope == 0:
            share = 1.0 - share
        for estimate in range(factual.estimates):
            for a in range(types):
                resolute = np.float64(factual.hit[a]) * _UNIT
                if estimate == 0:
                    resolute = 1.0 - resolute
                for b in range(types):
                    for c in range(types):
                        weight = share * resolute * weights[a] * weights[b] * weights[c]
                        if weight == 0.0:
                            continue
                        sets[0] = a
                        sets[1] = estimate * types + b
                        sets[2] = estimate * types + c
                        pairs[:] = 0.0
                        sums[:] = 0.0
                        _open(factual, other, scope, sets, event, weight, pairs)
                        _play(
                            pieces[scope], leads[scope], other_pieces[scope], other_leads[scope], sets, pairs
                        )
                        for x in range(_PLACES):
                            for y in range(_PLACES):
                                sums[np.int64(x == _HAPPENED), np.int64(y == _HAPPENED)] += pairs[x, y]
                        found += sums


@jit
def _open(factual, other, scope, sets, event, weight, pairs):  # type: ignore[no-untyped-def]
    """Put the disputes of either origin where they begin."""
    for origin in range(2):
        arises = np.float64(factual.origin) * _UNIT
        if origin == 1:
            arises = 1.0 - arises
        here = weight * arises * _UNIT
        # opening is the sharper move: the words above a threshold
        cut = np.int64(factual.enter[origin, scope, sets[origin]]) + 1
        other_cut = np.int64(other.enter[origin, scope, sets[origin]]) + 1
        x, y = factual.start[origin], other.start[origin]
        if event[x]:
            x = _HAPPENED
        if event[y]:
            y = _HAPPENED
        pairs[_OVER, _OVER] += here * min(cut, other_cut)
        pairs[x, _OVER] += here * max(other_cut - cut, 0)
        pairs[_OVER, y] += here * max(cut - other_cut, 0)
        pairs[x, y] += here * (WORDS - max(cut, other_cut))


@jit
def _play(pieces, leads, other_pieces, other_leads, sets, pairs):  # type: ignore[no-untyped-def]
    """Move `pairs`, the probability of every pair of places, on to the end of the last round."""
    after = np.zeros((_PLACES, _PLACES))
    for t in range(pieces.shape[1]):
        for stage in range(STAGES):
            cuts, other_cuts = pieces[sets[stage], t, stage], other_pieces[sets[stage], t, stage]
            after[:] = 0.0
            for x in range(_PLACES):
                for y in range(_PLACES):
                    mass = pairs[x, y]
                    if mass == 0.0:
                        continue
                    if x >= STATES and y >= STATES:
                        after[x, y] += mass
                    else:
                        to, other_to = leads[stage, x], other_leads[stage, y]
                        _share(cuts[x], to, other_cuts[y], other_to, mass * _UNIT, after)
            pairs[:] = after


@jit
def _share(cuts, leads, other_cuts, other_leads, mass, after):  # type: ignore[no-untyped-def]
    """Divide the mass of a pair over the pairs to which its words lead."""
    i, j, below = 0, 0, 0
    while below < WORDS:
        upto = min(cuts[i], other_cuts[j])
        after[leads[i], other_leads[j]] += mass * (upto - below)
        if cuts[i] == upto:
            i += 1
        if other_cuts[j] == upto:
            j += 1
        below = upto
