"""The reference population at one draw, under pacts of different terms: what the patterns are read from."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from types import MappingProxyType
from typing import Final, NamedTuple

import numpy as np

from entangle.fit.population import PACT, Member, covered, parameters, population, rates, setting
from entangle.fit.predict import SHAPE, Population
from entangle.fit.priors import values
from entangle.lowering import Setting, game, lower, no_pact
from entangle.pact import Pact
from entangle_kernels import coupled, equilibrium, exact, ladder, quantise, worlds
from entangle_kernels.game import Floats, Game
from entangle_kernels.quantise import WORDS, Tables

#: As in :mod:`entangle.fit.predict`, so that both see the same population.
_TOLERANCE: Final = 1e-6
_WAR: Final = 4

_SUPPORT: Final = (np.arange(ladder.STATES) >> 1) & 3
_RUNG: Final = np.arange(ladder.STATES) >> 3
FIGHTS: Final = _SUPPORT == 3

#: Terms that are compared with those of the population's pacts; assumptions all.
TERMS: Final[Mapping[str, Pact]] = MappingProxyType(
    {
        "pact": PACT,
        # half of what a breach would cost
        "weak": PACT.replace(strength=0.5),
        # nothing is owed to a partner that used force first
        "conditional": PACT.replace(provoked_discount=0.0),
        # all of it is, and no decision stands between
        "unconditional": PACT.replace(commitment="automatic", provoked_discount=1.0),
        "tripwire": PACT.replace(access="permanent", forces=0.1),
    }
)


class Solved(NamedTuple):
    """One member's crisis under one set of terms."""

    game: Game
    solution: equilibrium.Solution
    tables: Tables


class Passing(NamedTuple):
    """What crises pass through, by status (without a pact, with) and origin.

    Parameters
    ----------
    crisis
        Chance that a crisis is opened and lasts to each round, shape (members, 2, 2, rounds + 1): the last
        is 0, since what is left then is a stalemate.
    joins
        Chance that the defender begins to fight in each round, shape (members, 2, 2, rounds).
    wars
        Chance of a war that others begin, by the class of the defender's resolve, (members, 2, 2, K).
    joined
        Chance that the defender then fights in it, (members, 2, 2, K).
    """

    crisis: Floats
    joins: Floats
    wars: Floats
    joined: Floats


class Worlds:
    """The population at a point in the space of the priors, under each of :data:`TERMS` and without a pact.

    Parameters
    ----------
    normals
        The point, shape (d,).
    members
        Size of the population, a power of two.

    Notes
    -----
    Everything is computed when it is asked for. Where a member's crisis cannot be solved,
    :class:`entangle_kernels.equilibrium.ConvergenceError` is raised.
    """

    def __init__(self, normals: Floats, *, members: int) -> None:
        self.values = values(normals)
        self.members = population(members)
        self._settings = [setting(member, self.values) for member in self.members]
        self._solved: dict[str, list[Solved]] = {}

    @property
    def round_days(self) -> float:
        """Length of a round [days]."""
        return parameters(self.values).round_days

    def solved(self, terms: str) -> list[Solved]:
        """Return every member's crisis under terms, or, by "none", without a pact."""
        if terms not in self._solved:
            self._solved[terms] = [self._solve(made, terms) for made in self._settings]
        return self._solved[terms]

    @staticmethod
    def _solve(made: Setting, terms: str) -> Solved:
        levers = no_pact(made) if terms == "none" else lower(TERMS[terms], made)
        one = game(levers, made, scopes=(1.0,))
        solution = equilibrium.solve(one, tolerance=_TOLERANCE, homotopy=False)
        return Solved(one, solution, quantise.tables([one], [solution], in_scope=1.0))

    def ends(self, terms: str) -> Floats:
        """Return how disputes end, given for whom they arise, shape (members, 2, ends, rungs, supports)."""
        return np.array([self._ends(own.tables) for own in self.solved(terms)])

    @staticmethod
    def _ends(tables: Tables) -> Floats:
        cells = exact.probabilities(tables)[:, 1].sum(axis=-1)
        by_state = cells.reshape(2, ladder.ENDS, ladder.RUNGS, 4, 2).sum(axis=-1)
        found: Floats = by_state / by_state.sum(axis=(1, 2, 3), keepdims=True)
        assert found.shape == SHAPE
        return found

    def population(self, terms: str = "pact", *, without: str = "none") -> Population:
        """Return the population of which those who have a pact have one of given terms.

        Parameters
        ----------
        without
            Terms that stand in the place of no pact.
        """
        own, rate = self.values, rates(self.values)
        return Population(
            np.stack([self._ends_of(without), self._ends_of(terms)], axis=1),
            rate,
            own["protege_rate"] * rate,
            covered(self.members, own),
            own["recorded"],
            own["shown"],
        )

    def _ends_of(self, terms: str) -> Floats:
        return self._without if terms == "none" else self._with if terms == "pact" else self.ends(terms)

    @cached_property
    def _without(self) -> Floats:
        return self.ends("none")

    @cached_property
    def _with(self) -> Floats:
        return self.ends("pact")

    # -- on the way --------------------------------------------------------------------------------

    @cached_property
    def passing(self) -> Passing:
        """What crises pass through, with a pact and without."""
        pairs = zip(self.solved("none"), self.solved("pact"), strict=True)
        found = [[self._passing(own.tables) for own in pair] for pair in pairs]
        return Passing(*(np.array([[one[i] for one in pair] for pair in found]) for i in range(4)))

    @staticmethod
    def _passing(tables: Tables) -> tuple[Floats, Floats, Floats, Floats]:
        cells, reach = exact.by_class(tables)
        arises = cells.sum(axis=(2, 3, 4, 5))  # (K, origins)
        # before each stage of each round: (origins, rounds, stages, states, K)
        mass = reach / arises.sum(axis=0)[:, np.newaxis, np.newaxis, np.newaxis, np.newaxis]
        lasting = mass[:, :, 0].sum(axis=(-1, -2))
        crisis = np.concatenate([lasting, np.zeros((2, 1))], axis=1)
        # its move is the only thing that the defender's stage changes, and it ends no crisis
        joins = (mass[:, :, 3] - mass[:, :, 2])[:, :, FIGHTS].sum(axis=2)
        alone = (_RUNG >= _WAR) & ~FIGHTS
        joined = (mass[:, :, 2] - mass[:, :, 3])[:, :, alone].sum(axis=(1, 2))
        wars = (cells.sum(axis=2)[:, :, :, _RUNG >= _WAR].sum(axis=(2, 3, 4)) / arises.sum(axis=0)).T
        # a defender that fights below war makes it one: that war was not there to be joined
        return crisis, joins.sum(axis=-1), wars - (joins.sum(axis=1) - joined), joined

    @cached_property
    def entangled(self) -> Floats:
        """What the promise does to whether the defender fights, all else as with the pact.

        Returns
        -------
        array of shape (members, 2, 2)
            Probability, for each dispute that arises, by whether the defender fights with the promise, and
            in the same dispute, on the same luck, without it.
        """
        share = 1.0 / (1.0 + self.values["protege_rate"])
        origin = np.uint64(round(share * WORDS))
        found = []
        for pact, none in zip(self.solved("pact"), self.solved("none"), strict=True):
            sides = [
                worlds.Solved([one.game], [one.solution], [worlds.everywhere(one.game, one.solution)])
                for one in (pact, none)
            ]
            other = worlds.world(sides[0], sides[1], worlds.FULL & ~worlds.OBLIGATION, in_scope=1.0)
            factual, without = (tables._replace(origin=origin) for tables in (pact.tables, other))
            found.append(coupled.joint(factual, without, FIGHTS))
        return np.array(found)


def traits(members: tuple[Member, ...], name: str) -> Floats:
    """Return a trait of every member, shape (members,)."""
    return np.array([getattr(member, name) for member in members])
