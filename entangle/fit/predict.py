"""The engine's side of the figures of the record: averages over the population, with the same denominators.

A member's crises are solved with a pact and without one; everything that the figures ask for follows from one
table for each: how probable it is, given for whom a dispute arises, that it ends in a way, at a rung, with a
support. A dispute that was let be leaves no record, so that what the record calls a dispute is here a crisis
that was opened; of those that stayed short of force the record knows a share alone, `recorded`, which is
fitted with the rest. What the record calls joining is having forces of one's own in it: fighting, or a part
of military support, `shown`, which is fitted too; the rest is arms, supplies and advice.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Literal, NamedTuple, TypeAlias

import numpy as np

from entangle.executors import worker_count
from entangle.fit.population import PACT, Member, covered, population, rates, rivalry, setting
from entangle.fit.priors import values
from entangle.lowering import game, lower, no_pact
from entangle_kernels import equilibrium, exact, ladder, quantise
from entangle_kernels.game import Floats

#: What a member's table is over: origin, end, rung, support.
SHAPE: Final = (2, ladder.ENDS, ladder.RUNGS, 4)

_FORCE, _WAR = 3, 4
#: Largest change of a choice probability at which a crisis counts as solved. Ten thousand times the solver's
#: own tolerance saves a third of the sweeps, and the figures' own errors are above a twentieth.
_TOLERANCE: Final = 1e-6
#: What is asked of the defender: nothing, to have forces of its own in it, to fight.
Support: TypeAlias = Literal["any", "joins", "fights"]


def tables(normals: Floats, *, members: int = 64, workers: int | None = None) -> Floats:
    """Return how every member's disputes end, without and with a pact, given for whom they arise.

    Parameters
    ----------
    normals
        A point in the space of the priors, shape (d,).
    members
        Size of the population, a power of two.
    workers
        Threads; the processors available if not given. Never moves a bit.

    Returns
    -------
    array of shape (members, 2, 2, ends, rungs, supports)
        Not a number for a member whose crisis could not be solved.
    """
    own = values(normals)
    with ThreadPoolExecutor(worker_count(None, workers)) as pool:
        return np.array(list(pool.map(lambda member: _member(member, own), population(members))))


def _member(member: Member, own: dict[str, float]) -> Floats:
    made = setting(member, own)
    found = np.empty((2, *SHAPE))
    for status, levers in enumerate((no_pact(made), lower(PACT, made))):
        one = game(levers, made, scopes=(1.0,))
        try:
            solution = equilibrium.solve(one, tolerance=_TOLERANCE, homotopy=False)
        except equilibrium.ConvergenceError:
            found[status] = np.nan
            continue
        cells = exact.probabilities(quantise.tables([one], [solution], in_scope=1.0))[:, 1].sum(axis=-1)
        # states are (rung, support, provoked)
        by_state = cells.reshape(2, ladder.ENDS, ladder.RUNGS, 4, 2).sum(axis=-1)
        found[status] = by_state / by_state.sum(axis=(1, 2, 3), keepdims=True)
    return found


class Population(NamedTuple):
    """A solved population.

    Parameters
    ----------
    ends
        What :func:`tables` returns.
    rate, protege_rate
        Disputes a year that arise for the challenger, and the protégé, by rivalry, shape (nodes,).
    share
        Each member's probability of having a pact, by rivalry, shape (members, nodes).
    recorded
        Share of crises short of force that are on record.
    shown
        Share of military support that shows forces of the defender's own.
    """

    ends: Floats
    rate: Floats
    protege_rate: Floats
    share: Floats
    recorded: float
    shown: float

    def having(self, status: int) -> Floats:
        """Return how much of the population has a pact (1) or none (0), shape (members, nodes)."""
        return (self.share if status else 1.0 - self.share) * rivalry().weight

    def weight(self, status: int, origin: int) -> Floats:
        """Return disputes a year of each member, in so far as it has a pact (1) or none (0), (members,)."""
        rate = (self.rate, self.protege_rate)[origin]
        weight: Floats = (self.having(status) * rate).sum(axis=1)
        return weight

    def events(self, status: int, origin: int, rung: int, *, support: Support = "any") -> Floats:
        """Return the chance that a crisis of at least a rung, and a support, comes on record, (members,)."""
        counts = {
            "any": (1.0, 1.0, 1.0, 1.0),
            "joins": (0.0, 0.0, self.shown, 1.0),
            "fights": (0.0, 0.0, 0.0, 1.0),
        }[support]
        cells = (self.ends[:, status, origin, 1:, rung:] * counts).sum(axis=(1, 3))
        known = np.where(np.arange(rung, ladder.RUNGS) < _FORCE, self.recorded, 1.0)
        found: Floats = (cells * known).sum(axis=1)
        return found


def solved(normals: Floats, *, members: int = 64, workers: int | None = None) -> Population:
    """Return the population at a point in the space of the priors."""
    own, all_members = values(normals), population(members)
    rate = rates(own)
    return Population(
        tables(normals, members=members, workers=workers),
        rate,
        own["protege_rate"] * rate,
        covered(all_members, own),
        own["recorded"],
        own["shown"],
    )


def _log_odds(rate: Floats) -> Floats:
    """Return the log odds of a year with any event, log(exp(rate) - 1) without its overflow."""
    with np.errstate(divide="ignore"):
        odds: Floats = rate + np.log(-np.expm1(-rate))
    return odds


def _share(happened: float, held: float) -> float:
    """Return a share, not a number where its condition never holds."""
    return happened / held if held > 0.0 else math.nan


def _rate(status: int) -> Callable[[Population], float]:
    """Crises that a challenger opens in a year, over members by whether they have a pact."""

    def found(p: Population) -> float:
        weight = p.having(status)
        opened = p.events(status, 0, 1)[:, np.newaxis]
        return float((weight * -np.expm1(-p.rate * opened)).sum() / weight.sum())

    return found


def _odds_ratio(rung: int) -> Callable[[Population], float]:
    """What a pact does to the odds of a year with a crisis of at least a rung, member by member."""

    def found(p: Population) -> float:
        weight = p.having(1)
        logit = [_log_odds(p.rate * p.events(status, 0, rung)[:, np.newaxis]) for status in range(2)]
        with np.errstate(invalid="ignore"):  # not a number where there is none with a pact nor without
            change = logit[1] - logit[0]
        return float(np.exp((weight * change).sum() / weight.sum()))

    return found


def _given(
    status: int, rung: int, *, above: int = 1, origins: tuple[int, ...] = (0,), support: Support = "any"
) -> Callable[[Population], float]:
    """Share of crises of at least the rung `above` that reach `rung`, and the defender a support."""

    def found(p: Population) -> float:
        happened = held = 0.0
        for origin in origins:
            weight = p.weight(status, origin)
            happened += float((weight * p.events(status, origin, max(rung, above), support=support)).sum())
            held += float((weight * p.events(status, origin, above)).sum())
        return _share(happened, held)

    return found


def _ratio(
    one: Callable[[Population], float], other: Callable[[Population], float]
) -> Callable[[Population], float]:
    """One figure over another: what is left where the record counts fewer crises than the engine."""
    return lambda p: _share(one(p), other(p))


def _undecided(p: Population) -> float:
    """Share of all crises on record that end without a winner."""
    known = np.where(np.arange(ladder.RUNGS) < _FORCE, p.recorded, 1.0)
    happened = held = 0.0
    for status in range(2):
        for origin in range(2):
            weight = p.weight(status, origin)
            ends = (p.ends[:, status, origin].sum(axis=-1) * known).sum(axis=-1)
            happened += float((weight * ends[:, [ladder.COMPROMISE, ladder.STALEMATE]].sum(axis=1)).sum())
            held += float((weight * ends[:, 1:].sum(axis=1)).sum())
    return _share(happened, held)


_BOTH: Final = (0, 1)
#: The engine's side of each figure, by the code under which it is known; :mod:`entangle.evidence` says which
#: denominator each has, and why others are left out.
PREDICTED: Final[dict[str, Callable[[Population], float]]] = {
    "B.init.odef0.post45": _rate(0),
    "B.init.odef1.post45": _rate(1),
    "B.init.OR.post45": _odds_ratio(1),
    "B.init4.OR.post45": _odds_ratio(_FORCE),
    "B.init5.OR.all": _odds_ratio(_WAR),
    "C.esc4.cov0.post45": _given(0, _FORCE),
    "C.esc4.cov1.post45": _given(1, _FORCE),
    "C.esc5.cov0.all": _given(0, _WAR),
    "C.esc5.cov1.all": _given(1, _WAR),
    "D.supp.ally.h4.post45": _given(1, _FORCE, above=_FORCE, support="joins"),
    "D.supp.ally.h5.all": _given(1, _WAR, above=_WAR, support="fights"),
    "D.entang.ally.h4.post45": _given(1, _FORCE, above=_FORCE, origins=(1,), support="joins"),
    "D.entang.ally.h5.all": _given(1, _WAR, above=_WAR, origins=(1,), support="fights"),
    "D.jB.p1/p0.h4.post45": _ratio(
        _given(1, _FORCE, above=_FORCE, support="joins"), _given(0, _FORCE, above=_FORCE, support="joins")
    ),
    "F.act.w4.p1/p0": _ratio(_given(1, _WAR, origins=_BOTH), _given(0, _WAR, origins=_BOTH)),
    "F.pat.gp.mild.p1/p0": _ratio(
        _given(1, 1, origins=_BOTH, support="joins"), _given(0, 1, origins=_BOTH, support="joins")
    ),
    "F.undecided.post45": _undecided,
}


def predicted(normals: Floats, *, members: int = 64, workers: int | None = None) -> Floats:
    """Return the engine's side of every figure of :data:`PREDICTED` at a point, shape (figures,).

    Not a number where a member's crisis could not be solved.
    """
    found = solved(normals, members=members, workers=workers)
    if np.isnan(found.ends).any():
        return np.full(len(PREDICTED), np.nan)
    return np.array([value(found) for value in PREDICTED.values()])
