"""One simulated dispute, move by move, and what would have become of it without the pact.

A :class:`Replay` plays a trajectory again with the words that it had in the simulation: under the pact, and
in worlds in which one of its channels, or all of it, is missing. Since every decision reads its own word, the
same luck decides in each, and disputes part only where somebody decides by other rules. Which luck is held
fixed is a choice: here each word runs from the mildest to the sharpest move, so that worlds part no sooner
than their rules make them.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from html import escape
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal, cast

import numpy as np
import xarray as xr

from entangle.errors import ResultError, nearest
from entangle.pact import Pact
from entangle.recall import chosen_pact, recalled
from entangle.solving import EMPTY, Prepared, prepare
from entangle.vocabulary import ENDS, RUNGS, SUPPORTS
from entangle_kernels import ladder, worlds
from entangle_kernels import replay as kernel
from entangle_kernels.beliefs import beliefs
from entangle_kernels.game import Floats
from entangle_kernels.quantise import Tables
from entangle_kernels.replay import Dispute

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from entangle.result import Result
    from entangle.study import Study

#: Why no pact binds in a dispute of a history: there is none, the dispute lies outside its area, or so it
#: stands in that year.
Unbound = Literal["no pact", "outside", "suspended", "ended"]

#: The worlds in which a dispute is played again, and what is as under the pact in them.
WITHOUT_PROMISE: Final = "without the defender's promise"
WITHOUT_EMBOLDENMENT: Final = "without emboldenment"
NO_PACT: Final = "no pact at all"
WORLDS: Final[Mapping[str, int]] = MappingProxyType(
    {
        WITHOUT_PROMISE: worlds.FULL & ~worlds.OBLIGATION,
        WITHOUT_EMBOLDENMENT: worlds.FULL & ~worlds.EMBOLDENMENT,
        NO_PACT: worlds.EMPTY,
    }
)

#: Who decides at each stage, and what can come of it, in the order of the kernel's numbers.
MOVERS: Final = ("challenger", "protege", "defender", "nature")
OUTCOMES: Final = (
    ("withdraw", "hold", "escalate"),
    ("concede", "hold", "escalate"),
    ("restrain", "hold", "blocked", "commit"),
    ("cooling", "victory", "nothing", "accident", "defeat"),
)
_MOVES: Final = tuple(dict.fromkeys(name for names in OUTCOMES for name in names))
_WAR, _FIGHTING = RUNGS.index("local_war"), SUPPORTS.index("fighting")


def war(dispute: Dispute) -> bool:
    """Return whether a dispute reaches local war or more."""
    return ladder.unpack(dispute.state)[0] >= _WAR


def fights(dispute: Dispute) -> bool:
    """Return whether the defender fights in a dispute."""
    return ladder.unpack(dispute.state)[1] == _FIGHTING


@dataclass(frozen=True, eq=False)
class Replay:
    """A dispute under a pact, every decision of it, and the same dispute in other worlds.

    Parameters
    ----------
    study
        The study, with at least this pact.
    pact
        The pact's name.
    dispute
        What happened.
    counterfactuals
        What the same luck would have led to, by world: see :data:`WORLDS`. Empty for a dispute that was told
        again from its outcomes alone.
    expected
        What the mover takes the stake to be worth to each actor [stake units], shape (steps, 3); not a number
        for nature.
    usual
        What everybody takes it to be worth before anything has happened [stake units], shape (3,).
    year
        The year of the history that it is part of, from 1; None for a dispute alone.
    unbound
        Why the pact does not bind in it, in a history; None where it does. A dispute alone may lie outside
        the pact's area too, which is in `dispute`.
    """

    study: Study
    pact: str
    dispute: Dispute
    counterfactuals: Mapping[str, Dispute]
    expected: Floats
    usual: Floats
    year: int | None = None
    unbound: Unbound | None = None

    @property
    def terms(self) -> Pact:
        """The terms that hold in it: none where the pact does not bind."""
        if self.unbound is not None:
            return Pact()
        terms = self.study.pacts[self.pact]
        # in a history everybody knows whether the pact binds
        return terms.replace(ambiguous=False) if self.year is not None and terms.ambiguous else terms

    @property
    def name(self) -> str:
        """Which dispute it is, for a title."""
        index = self.dispute.trajectory
        if self.year is not None:
            return f"year {self.year} of history {index:,}"
        return f"dispute {index:,}" if index >= 0 else "a dispute"

    @property
    def entangled(self) -> bool:
        """Whether the defender fights, and deciding as it would without the pact would not have."""
        return self._would_not_fight(WITHOUT_PROMISE)

    @property
    def entrapped(self) -> bool:
        """Whether the defender fights, and would not have, had the protégé decided as without the pact."""
        return self._would_not_fight(WITHOUT_EMBOLDENMENT)

    @property
    def averted(self) -> bool:
        """Whether there is no war, and would have been one without the pact."""
        return (
            not war(self.dispute) and NO_PACT in self.counterfactuals and war(self.counterfactuals[NO_PACT])
        )

    @property
    def data(self) -> xr.Dataset:
        """The steps as a labelled table; see :meth:`steps`."""
        return self.steps()

    def steps(self, world: str | None = None) -> xr.Dataset:
        """Return every decision as a labelled table.

        Parameters
        ----------
        world
            A key of :attr:`counterfactuals`; what happened if not given.

        Returns
        -------
        xarray.Dataset
            Along `step`: ``round``, ``mover``, the state before (``rung``, ``support``, ``provoked``), what
            was ``chosen``, the ``probability`` of each ``move`` (not a number where the mover has no such
            move), the ``word`` that decided (-1 if none did), the state after, and whether so far help was
            ``owed`` and what is asked for was reached (``help_reached``). Of what happened, also what the
            mover believes: the ``expected_stake`` of each ``actor``, beside the ``usual_stake``.

        Raises
        ------
        ResultError
            If there is no such world; names the nearest one.
        """
        if world is not None and world not in self.counterfactuals:
            raise ResultError(f"There is no world '{world}'. {nearest(world, self.counterfactuals)}")
        dispute = self.dispute if world is None else self.counterfactuals[world]
        found = _labelled(dispute)
        if world is None:
            found["expected_stake"] = (
                ("step", "actor"),
                self.expected,
                {"long_name": "what the mover takes the stake to be worth", "units": "stake"},
            )
            found["usual_stake"] = (
                "actor",
                self.usual,
                {"long_name": "mean worth of the stake before anything has happened", "units": "stake"},
            )
        title = self.study.title or "Crisis risks of security pacts"
        found = found.assign_attrs(title=title, pact=self.pact, world=world or "as it happened")
        return found if self.year is None else found.assign_attrs(year=self.year)

    def story(self) -> str:
        """Return what happened, and what would have happened, in plain English of at most 80 columns."""
        from entangle.story import tell

        return tell(self)

    def __repr__(self) -> str:
        """Return what this is, in a line."""
        what = ENDS[self.dispute.end].replace("_", " ")
        rung = RUNGS[ladder.unpack(self.dispute.state)[0]].replace("_", " ")
        where = f" at {rung}" if self.dispute.opened else ""
        return f"<entangle.Replay: {self.name} under '{self.pact}', {what}{where}; .story() tells it>"

    def _repr_html_(self) -> str:
        return f"<pre>{escape(self.story())}</pre>"

    def _would_not_fight(self, world: str) -> bool:
        return (
            fights(self.dispute) and world in self.counterfactuals and not fights(self.counterfactuals[world])
        )


def replay(
    study: Study,
    pact: str,
    trajectory: int,
    *,
    seed: int,
    prepared: Mapping[str, Prepared] | None = None,
) -> Replay:
    """Play one trajectory again, under a pact and in the worlds beside it.

    Parameters
    ----------
    pact
        Name of a pact of the study.
    trajectory
        Index of the trajectory, 0 to 2^64 - 1.
    seed
        Key of the random numbers, 0 to 2^64 - 1.
    prepared
        What :func:`entangle.solving.prepare` gives for the study with ``empty=True``; made if not given.

    Raises
    ------
    ConvergenceError
        If an equilibrium could not be found.
    """
    solved = prepare(_alone(study, pact), empty=True) if prepared is None else prepared
    own, empty = solved[pact], solved[EMPTY]

    def played(tables: Tables) -> Dispute:
        return kernel.replay(tables, trajectory, seed=seed)

    return _replay(study, pact, own, played(own.tables), _elsewhere(own, empty, played))


def replay_year(
    study: Study,
    pact: str,
    trajectory: int,
    *,
    seed: int,
    year: int,
    crises: tuple[Prepared, Prepared],
    origin: int,
    faith: NDArray[np.uint64],
    unbound: Unbound | None,
) -> Replay:
    """Play the dispute of a year of a history again, in the worlds beside it with all that went before.

    Parameters
    ----------
    pact, trajectory, seed
        As for :func:`replay`.
    year
        The year, from 1.
    crises
        The crisis in the year's context, with the pact and without; in the first every dispute is in scope.
    origin
        It arises for the challenger if the word is below this.
    faith
        First word of each class of the defender's resolve, shape (K,).
    unbound
        Why the pact does not bind; None if it does.
    """
    bound, empty = crises

    def played(tables: Tables) -> Dispute:
        tables = tables._replace(origin=np.uint64(origin))
        return kernel.replay(tables, trajectory, seed=seed, year=year - 1, faith=faith)

    own = bound if unbound is None else empty
    found = played(own.tables)
    # where the pact does not bind, nothing of it is there to be taken away
    others = _elsewhere(own, empty, played) if unbound is None else dict.fromkeys(WORLDS, found)
    return replace(_replay(study, pact, own, found, others), year=year, unbound=unbound)


def _elsewhere(own: Prepared, empty: Prepared, played: Callable[[Tables], Dispute]) -> dict[str, Dispute]:
    return {label: played(own.world(empty, channels)) for label, channels in WORLDS.items()}


def retold(study: Study, pact: str, dispute: Dispute, *, prepared: Mapping[str, Prepared]) -> Replay:
    """Return a dispute that no random words made, such as :func:`entangle_kernels.replay.retell` gives.

    Without words there is no luck to hold fixed, and so no world to compare with.

    Parameters
    ----------
    dispute
        A dispute of this pact's tables.
    prepared
        The solved pacts of the study.
    """
    return _replay(study, pact, prepared[pact], dispute, {})


def from_result(result: Result, trajectory: int, pact: str | None = None) -> Replay:
    """Play one trajectory of a result again, from what the result says of itself.

    Parameters
    ----------
    trajectory
        Index of the trajectory, from 0.
    pact
        Name of the pact; the first that is not empty if not given.

    Raises
    ------
    ResultError
        If nothing was simulated, or there is no such pact or trajectory.

    Warns
    -----
    ReproducibilityWarning
        If the solved pact or the use of random numbers differs from that which made the result, so that this
        may be another dispute than the one that was counted.
    """
    pact = chosen_pact(result, pact)
    index = _index(result, trajectory)
    solved = recalled(result, pact)
    study = result.study
    return replay(study, pact, index, seed=study.simulation.seed, prepared=solved)


def _index(result: Result, trajectory: int) -> int:
    last = result.trajectories - 1
    rule = f"The trajectory must be a whole number from 0 to {last:,}"
    do = "Result.find() gives the trajectories in which an outcome happened"
    try:
        index = operator.index(cast("Any", trajectory))
    except TypeError:
        raise ResultError(f"{rule}, got {trajectory!r}. {do}.") from None
    if isinstance(trajectory, bool) or not 0 <= index <= last:
        raise ResultError(f"{rule}, got {trajectory!r}. {do}.")
    return index


def _alone(study: Study, pact: str) -> Study:
    return study.replace(pacts={pact: study.pacts[pact]})


def _replay(
    study: Study, pact: str, own: Prepared, dispute: Dispute, others: Mapping[str, Dispute]
) -> Replay:
    # one game of two scopes, two games of one scope each, or one game that serves both
    shared = own.games[0].scope.size == 2
    at, scope = (0, dispute.scope) if shared else (dispute.scope % len(own.games), 0)
    game = own.games[at]
    estimates, types = game.estimate.shape
    private = (scope * estimates + dispute.estimate) * types
    knows = (dispute.types[0], private + dispute.types[1], private + dispute.types[2])
    expected = np.full((len(dispute.steps), 3), np.nan)
    if dispute.opened:
        held = beliefs(game, own.solutions[at])
        for number, step in enumerate(dispute.steps):
            if step.stage < 3:
                believed = held[step.round, step.stage, step.state, knows[step.stage]]
                expected[number] = (believed * game.theta).sum(axis=-1)
    usual = (game.theta * game.prior).sum(axis=-1)
    return Replay(study, pact, dispute, MappingProxyType(dict(others)), expected, usual)


def _labelled(dispute: Dispute) -> xr.Dataset:
    steps = dispute.steps
    before = np.array([ladder.unpack(step.state) for step in steps], np.int64).reshape(-1, 3)
    after = np.array([ladder.unpack(step.after) for step in steps], np.int64).reshape(-1, 3)
    probability = np.full((len(steps), len(_MOVES)), np.nan)
    for row, step in zip(probability, steps, strict=True):
        for name, chance in zip(OUTCOMES[step.stage], step.chances, strict=False):
            row[_MOVES.index(name)] = chance
    marks = np.array([step.marks for step in steps], np.int64)

    def along(values: Any, text: str) -> tuple[str, Any, dict[str, str]]:
        return "step", values, {"long_name": text}

    variables = {
        "round": along(np.array([step.round for step in steps], np.int64), "round, counted from 0"),
        "mover": along(_words(MOVERS[step.stage] for step in steps), "who decides"),
        "rung": along(_words(RUNGS[rung] for rung in before[:, 0]), "rung of the ladder before"),
        "support": along(_words(SUPPORTS[own] for own in before[:, 1]), "the defender's support before"),
        "provoked": along(before[:, 2] == 1, "whether the protégé has provoked, before"),
        "chosen": along(_words(OUTCOMES[step.stage][step.outcome] for step in steps), "what happened"),
        "probability": (
            ("step", "move"),
            probability,
            {"long_name": "probability of each move; not a number where the mover has none", "units": "1"},
        ),
        "word": along(
            np.array([step.word for step in steps], np.int64), "random word that decided; -1 if none"
        ),
        "rung_after": along(_words(RUNGS[rung] for rung in after[:, 0]), "rung of the ladder after"),
        "support_after": along(_words(SUPPORTS[own] for own in after[:, 1]), "the defender's support after"),
        "provoked_after": along(after[:, 2] == 1, "whether the protégé has provoked, after"),
        "owed": along(marks & ladder.OBLIGATION_ACTIVE > 0, "whether help has been owed so far"),
        "help_reached": along(
            marks & ladder.SUPPORT_REACHED > 0, "whether support has reached what the promise asks for so far"
        ),
    }
    return xr.Dataset(
        variables,
        coords={
            "step": np.arange(len(steps)),
            "move": _words(_MOVES),
            "actor": _words(MOVERS[:3]),
        },
        attrs={
            "trajectory": str(dispute.trajectory),  # as text: it may need all 64 bits
            "seed": str(dispute.seed),
            "arises_for": MOVERS[dispute.origin],
            "in_scope": dispute.scope,
            "estimate": dispute.estimate,
            "types": list(dispute.types),
            "opening_probability": dispute.opening,
            "opened": int(dispute.opened),
            "end": ENDS[dispute.end],
        },
    )


def _words(names: Any) -> np.ndarray[Any, Any]:
    return np.array(list(names), object)
