"""What clauses act on: the levers, as they stand without a pact, and the setting that clauses may look at."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from entangle.peacetime import Peacetime
from entangle.vocabulary import SUPPORTS

if TYPE_CHECKING:
    from entangle.actor import Actor, Scenario
    from entangle.parameters import Parameters
    from entangle.study import Study


@dataclass(frozen=True)
class Levers:
    """What the clauses of a pact act on, in the state they have without a pact.

    Parameters
    ----------
    capability
        Material capability of challenger, protégé and defender, in the study's unit.
    joint_share
        Share of the defender's capability that counts beside the protégé's when it fights.
    first_support
        First round (from 0) in which the defender may act.
    initial_support
        The defender's support when a crisis opens, 0-2.
    vote_delay, collective_delay
        Rounds that a vote adds before fighting, and that collective decision adds before any support.
    accident
        Factor on the chance of accidental steps up.
    accuracy
        Probability that the partners' estimate of a challenger's resolve at the ends of its range is right;
        one half is no estimate.
    projection
        Relative rise of the defender's war costs through distance.
    tripwire
        Cost per round to the defender of leaving struck bases unanswered [stake units].
    exposure
        Relative rise of the protégé's war costs.
    grievance
        Relative rise of the challenger's stake.
    passes
        Probability that a move to fighting passes the vote.
    joins
        Probability that any rise of support passes a coalition's quorum.
    owed
        Breach cost at full obligation [stake units], when the protégé did not provoke and when it did.
    coverage
        Probability that a dispute is in scope.
    ambiguous
        Whether only the partners know which.
    trigger, required
        Rung from which help is owed, and the support that honours the promise.
    """

    capability: tuple[float, float, float]
    joint_share: float
    first_support: int
    initial_support: int
    projection: float
    vote_delay: int = 0
    collective_delay: int = 0
    accident: float = 1.0
    accuracy: float = 0.5
    tripwire: float = 0.0
    exposure: float = 0.0
    grievance: float = 0.0
    passes: float = 1.0
    joins: float = 1.0
    owed: tuple[float, float] = (0.0, 0.0)
    coverage: float = 1.0
    ambiguous: bool = False
    trigger: int = 8
    required: int = 3


@dataclass(frozen=True)
class Context:
    """Where years have led strengths and beliefs to, when a crisis opens.

    Parameters
    ----------
    local, backing
        Log of the protégé's, and of the defender's, capability over the challenger's, relative to the start.
    odds
        Log odds of the public belief that the defender is steadfast; None if nobody asks, and every class of
        its resolve is equally likely.
    """

    local: float = 0.0
    backing: float = 0.0
    odds: float | None = None


#: The context of a crisis at the start, of which no years are told.
START: Final = Context()


@dataclass(frozen=True)
class Setting:
    """Who is bound, where, and under which structural parameters: what clause functions may look at."""

    scenario: Scenario
    actors: dict[str, Actor]
    parameters: Parameters
    peacetime: Peacetime = field(default_factory=Peacetime)

    @classmethod
    def of(cls, study: Study) -> Setting:
        """Return the setting of a study."""
        return cls(study.scenario, dict(study.actors), study.parameters, study.peacetime)

    @property
    def for_challenger(self) -> float:
        """Share of disputes that arise for the challenger."""
        scenario = self.scenario
        return scenario.challenger_rate / (scenario.challenger_rate + scenario.protege_rate)

    @property
    def seats(self) -> tuple[Actor, Actor, Actor]:
        """The challenger, the protégé and the defender."""
        seated = self.scenario.challenger, self.scenario.protege, self.scenario.defender
        return self.actors[seated[0]], self.actors[seated[1]], self.actors[seated[2]]


def no_pact(setting: Setting) -> Levers:
    """Return the levers as they stand when no pact binds anyone."""
    challenger, protege, defender = setting.seats
    return Levers(
        capability=(challenger.capability, protege.capability, defender.capability),
        joint_share=setting.parameters.joint_share,
        first_support=setting.parameters.first_support,
        initial_support=SUPPORTS.index(setting.scenario.initial_support),
        projection=setting.scenario.projection,
    )
