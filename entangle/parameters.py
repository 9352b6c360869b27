"""Structural parameters: what holds for every pact and actor of a study.

Defaults of what is fitted to the record are those of one draw of the shipped posterior, to three digits
(:data:`entangle.fit.draws.POINT`, ``docs/fit.md``). The others are assumptions; ``docs/model.md`` says what
each rests on.
"""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from entangle.base import NonNegative, Positive, Share, Table, broken_rule

#: One value for each rung on which a round is played: threat ... nuclear use.
PerRung = Annotated[tuple[NonNegative, ...], Field(min_length=7, max_length=7, strict=False)]
#: The same, as a probability per round.
HazardPerRung = Annotated[tuple[Share, ...], Field(min_length=7, max_length=7, strict=False)]


class Parameters(Table):
    """Structural parameters of the crisis game, in units of the stake unless said otherwise."""

    # -- the game --------------------------------------------------------------------------------
    precision: Annotated[float, Field(ge=0.0, le=200.0, allow_inf_nan=False)] = Field(
        default=3.03, description="precision of choice, the logit's lambda; 0 is a coin toss"
    )
    types: Annotated[int, Field(ge=1, le=9)] = Field(
        default=5, description="grid points of each actor's resolve, 1 to 9"
    )
    rounds: Annotated[int, Field(ge=1, le=24)] = Field(
        default=12, description="rounds after which a crisis ends as a stalemate, 1 to 24"
    )
    round_days: Positive = Field(default=30.0, description="length of a round in days")

    # -- fighting --------------------------------------------------------------------------------
    decisiveness: Positive = Field(
        default=0.668, description="exponent of the contest function; higher favours the stronger"
    )
    joint_share: Share = Field(
        default=0.266,
        description="share of the defender's capability that counts beside the protégé's without "
        "any joint capacity",
    )
    support_share: Share = Field(
        default=0.406, description="share of the defender's capability that military support brings"
    )
    war_costs: PerRung = Field(
        default=(0.0129, 0.0258, 0.0471, 1.66, 3.32, 12.4, 66.4),
        description="running cost per round at threat, show of force, limited force, local war, "
        "major war, strategic strikes, nuclear use, against an equal",
    )
    support_costs: Annotated[tuple[NonNegative, NonNegative], Field(strict=False)] = Field(
        default=(0.00734, 0.044),
        description="the defender's cost per round of diplomatic backing and of military support",
    )
    catastrophe: NonNegative = Field(default=40.0, description="cost of general nuclear war to each actor")

    # -- nature ----------------------------------------------------------------------------------
    cooling: HazardPerRung = Field(
        default=(0.427, 0.391, 0.32, 0.178, 0.142, 0.107, 0.0889),
        description="probability per round that the crisis cools down without a winner, by rung",
    )
    decision: HazardPerRung = Field(
        default=(0.0, 0.0, 0.0, 0.187, 0.234, 0.312, 0.39),
        description="probability per round of a military decision, by rung; zero below local war",
    )
    accident: HazardPerRung = Field(
        default=(0.00156, 0.00313, 0.00782, 0.00782, 0.00626, 0.00391, 0.0156),
        description="probability per round of an accidental step up, by rung",
    )

    # -- stakes ----------------------------------------------------------------------------------
    compromise: Share = Field(
        default=0.459, description="share of the stake that the challenger keeps when a crisis cools"
    )
    revision: Share = Field(
        default=0.359,
        description="what a provoking protégé gains by prevailing, as a share of the stake",
    )
    opening: NonNegative = Field(
        default=0.339, description="cost of opening a crisis to whoever opens it, won or lost"
    )
    begun_rounds: Share = Field(
        default=0.874,
        description="share of a round's running costs that everybody pays although the protégé gives in "
        "before the round is over",
    )
    audience: NonNegative = Field(
        default=0.259, description="audience cost of backing down from local war, at a middling regime"
    )
    breach: NonNegative = Field(
        default=9.97, description="full cost to the defender of failing a promise of defence"
    )
    breach_per_round: Share = Field(
        default=0.519, description="share of the full breach cost that each round in breach costs"
    )
    breach_resolve: Share = Field(
        default=1.0,
        description="how far the cost of a breach rises with the defender's resolve: 0 is not at all, 1 in "
        "proportion, the full cost being that of a defender of median resolve",
    )
    tripwire: NonNegative = Field(
        default=0.15,
        description="cost per round to the defender of leaving its struck bases unanswered, at "
        "full stationed forces",
    )
    grievance: NonNegative = Field(
        default=0.10, description="relative rise of the challenger's stake with foreign bases"
    )
    exposure: NonNegative = Field(
        default=0.15, description="relative rise of the protégé's war costs with foreign bases"
    )

    # -- crisis management -----------------------------------------------------------------------
    first_support: Annotated[int, Field(ge=0, le=24)] = Field(
        default=1, description="first round (from 0) in which the defender can act, without a pact"
    )
    hotline_effect: Share = Field(
        default=0.5, description="share of accidental steps that a hotline prevents"
    )
    consultation_effect: Share = Field(
        default=0.25, description="share of accidental steps that full consultation prevents"
    )

    @model_validator(mode="after")
    def _hazards(self) -> Self:
        rungs = ("threat", "show of force", "limited force", "local war", "major war",
                 "strategic strikes", "nuclear use")  # fmt: skip
        for rung, *hazards in zip(rungs, self.cooling, self.decision, self.accident, strict=True):
            if sum(hazards) > 1:
                raise broken_rule(
                    "cooling",
                    rule=f"must not sum to more than 1 with decision and accident, as it does at {rung}",
                    got=round(sum(hazards), 6),
                    do="Lower one of the three hazards of that rung",
                )
        if any(self.decision[:3]):
            raise broken_rule(
                "decision",
                rule="must be zero below local war (no battle, no military decision)",
                got=list(self.decision[:3]),
                do="Set its first three entries to 0",
            )
        return self
