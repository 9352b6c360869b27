"""The three states of a study, and the surroundings they meet in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from entangle.base import Name, NonNegative, Positive, Share, Table, Text, broken_rule
from entangle.vocabulary import Support


class Resolve(Table):
    """What an actor's stake is worth to it: a lognormal that the others know and only it has drawn from."""

    median: Positive = Field(default=1.0, description="median value of the stake, in stake units")
    log_sd: Annotated[float, Field(ge=0.0, le=3.0, allow_inf_nan=False)] = Field(
        default=0.5, description="standard deviation of the logarithm of the value, 0 to 3"
    )


class Actor(Table):
    """A state.

    Examples
    --------
    >>> Actor(capability=0.14, nuclear=True, regime=0.9).nuclear
    True
    """

    title: Text | None = Field(default=None, description="the state's name in print")
    source: Text | None = Field(default=None, description="where its figures were taken from")
    capability: Positive = Field(
        description="material capability in any unit common to the study, e.g. a CINC share"
    )
    growth: Annotated[float, Field(gt=-1.0, lt=1.0, allow_inf_nan=False)] = Field(
        default=0.0, description="trend growth of capability per year, e.g. 0.02 for two per cent"
    )
    effort: Share = Field(default=0.02, description="defence effort as a share of GDP")
    nuclear: bool = Field(default=False, description="whether it has nuclear weapons")
    regime: Share = Field(default=0.5, description="0 (autocracy) to 1 (democracy); scales audience costs")
    resolve: Resolve = Field(default=Resolve(), description="distribution of its resolve")
    war_cost: Positive = Field(
        default=1.0, description="how dearly it pays for fighting, as a multiple of the standard"
    )

    @classmethod
    def from_cow(
        cls,
        ccode: int,
        year: int,
        *,
        capabilities: str | Path,
        regimes: str | Path | None = None,
        nuclear: bool | None = None,
        **fields: object,
    ) -> Actor:
        """Return the actor with a Correlates of War code `ccode` as it was in `year`.

        Parameters
        ----------
        ccode
            Correlates of War country code, e.g. 732 for South Korea.
        year
            Calendar year. The capability is CINC of that year and no other.
        capabilities
            The National Material Capabilities file (``ccode, year, ..., cinc``).
        regimes
            A file with ``ccode, year, v2x_polyarchy, polity2``; without one the regime stays at its default.
        nuclear
            Overrides the table of nuclear-armed states and years in :mod:`entangle.cow`.
        **fields
            Any other field of an actor.

        Raises
        ------
        DataError
            If the file has no figure for that state and year; the message names the years it has.
        """
        from entangle.cow import actor_from_cow

        return actor_from_cow(
            ccode, year, capabilities=capabilities, regimes=regimes, nuclear=nuclear, **fields
        )


class Scenario(Table):
    """Who sits where, and what surrounds them."""

    challenger: Name = Field(description="the actor that may challenge the protégé")
    protege: Name = Field(description="the pact partner under threat")
    defender: Name = Field(description="the pact partner asked to help")
    alignment: Share = Field(
        default=0.3,
        description="share of its own stake value that the defender has in the protégé's stake, 0 to 1",
    )
    challenger_rate: NonNegative = Field(
        default=0.15, description="disputes per year that arise for the challenger"
    )
    protege_rate: NonNegative = Field(
        default=0.05, description="disputes per year that arise for the protégé"
    )
    projection: Share = Field(
        default=0.4,
        description="how much harder distance makes it for the defender to fight there, 0 to 1",
    )
    initial_support: Support = Field(
        default="aloof", description="the defender's support when a crisis opens"
    )

    @model_validator(mode="after")
    def _seats(self) -> Self:
        seats = {"challenger": self.challenger, "protege": self.protege, "defender": self.defender}
        for name, actor in seats.items():
            others = [other for other, taken in seats.items() if taken == actor and other != name]
            if others:
                raise broken_rule(
                    name,
                    rule=f"must be another actor than the {others[0]}",
                    got=actor,
                    do="Put three different actors in the three seats",
                )
        if self.challenger_rate + self.protege_rate == 0:
            raise broken_rule(
                "challenger_rate",
                rule="must not be zero when protege_rate is zero too",
                got=0.0,
                do="Give at least one of them a rate of disputes per year",
            )
        if self.initial_support == "fighting":
            raise broken_rule(
                "initial_support",
                rule="must leave the defender's decision to fight open",
                got="fighting",
                do="Use aloof, diplomatic or military",
            )
        return self
