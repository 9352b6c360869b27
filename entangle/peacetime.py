"""What moves in the years between crises: arms, beliefs, grievances, and the life of a pact.

`attachment` and `abrogation` are medians of a fit to how long bilateral defence pacts have lived
(`docs/fit.md`). Every other default is an **assumption**, a round figure that keeps strengths and beliefs
moving at the pace of decades rather than of years. `docs/decades.md` says how each is used.
"""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from entangle.base import NonNegative, Share, Table, broken_rule

#: One value for each rung that can be reached: threat ... general nuclear war.
PerReachedRung = Annotated[tuple[NonNegative, ...], Field(min_length=8, max_length=8, strict=False)]
#: Inside (0, 1): neither is ever certain.
Doubtful = Annotated[float, Field(gt=0.0, lt=1.0, allow_inf_nan=False)]

_LOSSES = (0.0, 0.0, 0.005, 0.02, 0.06, 0.15, 0.4, 1.0)


class Peacetime(Table):
    """What moves in the years between crises."""

    years: Annotated[int, Field(ge=1, le=200)] = Field(
        default=20, description="length of a history in years, 1 to 200"
    )

    # -- belief ----------------------------------------------------------------------------------
    belief: Doubtful = Field(
        default=0.5, description="probability at the start that the defender is steadfast, between 0 and 1"
    )
    tilt: Share = Field(
        default=0.6,
        description="how much being steadfast or wavering tilts the distribution of the defender's resolve, "
        "0 (not at all) to 1 (the least resolute steadfast defender does not exist)",
    )

    # -- arms ------------------------------------------------------------------------------------
    inertia: Annotated[float, Field(ge=0.0, lt=1.0, allow_inf_nan=False)] = Field(
        default=0.7, description="share of its defence effort that an actor carries over into the next year"
    )
    react: Annotated[tuple[Share, Share, Share], Field(strict=False)] = Field(
        default=(0.1, 0.1, 0.02),
        description="log points of effort with which challenger, protégé and defender each answer a log "
        "point of the strength that faces them, 0 to 1",
    )
    free_riding: Share = Field(
        default=0.1,
        description="log points of effort that the protégé saves for each log point of help that it relies "
        "on",
    )
    shock: Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False)] = Field(
        default=0.03, description="standard deviation of a year's shock to an actor's effort, in log points"
    )
    build: Share = Field(
        default=0.1, description="log points of capability that a log point of effort adds in a year"
    )

    # -- what crises leave behind ----------------------------------------------------------------
    challenger_losses: PerReachedRung = Field(
        default=_LOSSES,
        description="log capability that the challenger loses in a crisis, by the highest rung: threat, show "
        "of force, limited force, local war, major war, strategic strikes, nuclear use, general nuclear war",
    )
    protege_losses: PerReachedRung = Field(
        default=_LOSSES, description="log capability that the protégé loses, by the highest rung"
    )
    defender_losses: PerReachedRung = Field(
        default=_LOSSES, description="log capability that a defender who fights loses, by the highest rung"
    )
    prize: Share = Field(
        default=0.02,
        description="log capability that passes from the protégé to the challenger at a concession or a "
        "defeat",
    )
    grievance_step: Annotated[float, Field(ge=0.0, le=2.0, allow_inf_nan=False)] = Field(
        default=0.3, description="log points by which a level of grievance raises a rate of disputes, 0 to 2"
    )

    # -- the life of a pact ----------------------------------------------------------------------
    review_precision: Annotated[float, Field(ge=0.0, le=200.0, allow_inf_nan=False)] = Field(
        default=3.0,
        description="precision with which a partner wishes to keep a pact that is worth more than it costs, "
        "the logit's lambda [1 / stake unit in a year]; 0 is a coin toss",
    )
    attachment: Annotated[float, Field(ge=0.0, le=20.0, allow_inf_nan=False)] = Field(
        default=3.7,
        description="log odds with which a partner wishes to keep a pact that is worth as much as it costs; "
        "3.7 makes it wish to leave once in 40 years, 0 is a coin toss every year",
    )
    abrogation: Annotated[float, Field(ge=0.0, le=20.0, allow_inf_nan=False)] = Field(
        default=0.8,
        description="log odds added where a pact does not provide for leaving: what stands in the way of "
        "breaking one's word",
    )
    upkeep: Annotated[tuple[NonNegative, NonNegative], Field(strict=False)] = Field(
        default=(0.02, 0.05),
        description="yearly cost of a pact to the defender, and that of full stationed forces, which the "
        "protégé bears as far as its host support goes [stake units]",
    )
    autonomy: NonNegative = Field(
        default=0.01, description="yearly cost of a pact to the protégé, in freedom of action [stake units]"
    )
    renegotiation: Share = Field(
        default=0.5, description="probability that terms which a partner will not keep can be renegotiated"
    )
    suspension_years: Annotated[int, Field(ge=1, le=200)] = Field(
        default=2,
        description="years for which a pact is suspended after a breach, where its terms allow that",
    )

    # -- how it is computed ----------------------------------------------------------------------
    context_error: Doubtful = Field(
        default=0.01,
        description="error of an outcome's probability at which the grid of solved contexts is fine enough",
    )

    @model_validator(mode="after")
    def _steeper(self) -> Self:
        for name in ("challenger_losses", "protege_losses", "defender_losses"):
            losses: tuple[float, ...] = getattr(self, name)
            if list(losses) != sorted(losses):
                raise broken_rule(
                    name,
                    rule="must not fall from a rung to the next (a crisis passes through the lower ones)",
                    got=list(losses),
                    do="Put them in ascending order",
                )
        return self

    @model_validator(mode="after")
    def _suspended_within_a_history(self) -> Self:
        if "suspension_years" in self.model_fields_set and self.suspension_years > self.years:
            raise broken_rule(
                "suspension_years",
                rule="must not be longer than a history",
                got=self.suspension_years,
                do=f"Use {self.years} or less, or raise years",
            )
        return self
