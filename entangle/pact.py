"""Pacts as values: each clause is a field that says its unit and range and may be absent.

The empty pact, ``Pact()``, is exactly "no pact". Which clause acts on what is written in
:mod:`entangle.lowering`, one function per clause.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from entangle.base import Frozen, Name, NonNegative, Positive, Share, Table, Text, broken_rule
from entangle.vocabulary import Access, Commitment, Rung, Support

Clause = Literal[
    "obligation",
    "consultation",
    "integration",
    "intelligence",
    "basing",
    "assistance",
    "authorisation",
    "exit",
    "coalition",
]

#: The clause families, and the fields of a pact that belong to each.
CLAUSES: Final[dict[Clause, tuple[str, ...]]] = {
    "obligation": (
        "commitment",
        "strength",
        "trigger",
        "required",
        "coverage",
        "provoked_discount",
        "reciprocal",
        "guarantor",
        "ambiguous",
    ),
    "consultation": ("consultation", "hotline"),
    "integration": ("integration",),
    "intelligence": ("intelligence",),
    "basing": ("access", "forces"),
    "assistance": ("assistance", "protege_floor", "host_support"),
    "authorisation": ("legislature", "approval", "delay"),
    "exit": (
        "term_years",
        "review_years",
        "notice_months",
        "suspension",
        "renegotiation",
    ),
    "coalition": ("coalition",),
}

#: The support that each commitment asks for, where the treaty does not say: consultation is met by
#: diplomatic backing, a promise of some action by military support, a promise of defence by fighting.
REQUIRED_BY_COMMITMENT: Final[dict[Commitment, Support]] = {
    "none": "aloof",
    "consult": "diplomatic",
    "conditional": "military",
    "defence": "fighting",
    "automatic": "fighting",
}

#: The rung at which each commitment is called, where the treaty does not say: a threat for the duty
#: to consult, an armed attack for the others.
TRIGGER_BY_COMMITMENT: Final[dict[Commitment, Rung]] = {
    "none": "general_nuclear_war",
    "consult": "threat",
    "conditional": "limited_force",
    "defence": "limited_force",
    "automatic": "limited_force",
}


class Coalition(Table):
    """Several defenders in the place of one: support passes only by quorum, later, and blame is shared."""

    members: Annotated[tuple[Name, ...], Field(min_length=2, max_length=60, strict=False)] = Field(
        description="names of the member actors; the seated protégé and challenger are not counted "
        "as defenders"
    )
    quorum: Annotated[float, Field(gt=0.0, le=1.0, allow_inf_nan=False)] = Field(
        default=0.5, description="share of the defenders that must agree, above 0 to 1 (consensus)"
    )
    consensus_rounds: Annotated[int, Field(ge=0, le=24)] = Field(
        default=1, description="rounds that collective decision adds before any support can pass"
    )
    agreement: Share = Field(
        default=0.8,
        description="probability that another member goes along with the leading defender, 0 to 1 "
        "(an assumption: no data set codes it)",
    )

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        twice = sorted({name for name in self.members if self.members.count(name) > 1})
        if twice:
            raise broken_rule(
                "members", rule="must name each member once", got=", ".join(twice), do="Remove it"
            )
        return self


class Pact(Table):
    """The terms of a security pact. A clause that is not given is absent.

    Examples
    --------
    >>> Pact(commitment="defence", strength=0.8, legislature=True, approval=0.7).clauses
    ('obligation', 'authorisation')
    >>> Pact().is_empty
    True
    """

    # -- what it is ------------------------------------------------------------------------------
    title: Text | None = Field(default=None, description="the pact's name in print")
    source: Text | None = Field(default=None, description="where the terms were taken from")
    articles: Frozen[Text] = Field(
        default_factory=dict, description="for each field, the article that it was coded from"
    )
    assumptions: Annotated[tuple[Text, ...], Field(strict=False)] = Field(
        default=(), description="what the coding of the terms had to assume, one sentence each"
    )

    # -- mutual defence obligation ---------------------------------------------------------------
    commitment: Commitment = Field(
        default="none",
        description="what is promised: none, consult, conditional (some action), defence, or "
        "automatic (defence without a further decision)",
    )
    strength: Share = Field(
        default=1.0,
        description="how much of the full cost of a breach the promise puts at stake, 0 to 1",
    )
    trigger: Rung | None = Field(
        default=None, description="rung from which help is owed; set by the commitment if absent"
    )
    required: Support | None = Field(
        default=None, description="support that honours the promise; set by the commitment if absent"
    )
    coverage: Share = Field(
        default=1.0, description="share of disputes that lie inside the treaty area, 0 to 1"
    )
    provoked_discount: Share = Field(
        default=1.0,
        description="share of the obligation still owed to a partner who used force first, 0 to 1; "
        "1 if the treaty draws no such line",
    )
    reciprocal: bool = Field(
        default=True, description="whether both partners owe help; if false, only the guarantor"
    )
    guarantor: Name | None = Field(
        default=None, description="the partner who alone owes help, when the pact is not reciprocal"
    )
    ambiguous: bool = Field(
        default=False,
        description="whether only the partners know if a dispute is in scope, the challenger "
        "knowing no more than the coverage",
    )

    # -- consultation and crisis management ------------------------------------------------------
    consultation: Share = Field(
        default=0.0, description="depth of standing consultation procedures, 0 (none) to 1"
    )
    hotline: bool = Field(
        default=False, description="whether a direct line to the challenger exists for crises"
    )

    # -- interoperability and joint capacity -----------------------------------------------------
    integration: Share = Field(
        default=0.0,
        description="joint training, logistics and command, 0 (none) to 1 (one command)",
    )

    # -- intelligence sharing --------------------------------------------------------------------
    intelligence: Share = Field(
        default=0.0,
        description="quality of the partners' common estimate of the challenger's resolve, "
        "0 (a coin toss, so none) to 1 (never wrong)",
    )

    # -- basing ----------------------------------------------------------------------------------
    access: Access = Field(
        default="none", description="the defender's access to bases: none, contingency or permanent"
    )
    forces: Share = Field(
        default=0.0,
        description="size of the forces stationed, 0 (none) to 1 (enough to hold the line)",
    )

    # -- assistance and burden sharing -----------------------------------------------------------
    assistance: NonNegative = Field(
        default=0.0,
        description="military aid to the protégé, as a share of the protégé's own capability",
    )
    protege_floor: Share = Field(
        default=0.0, description="least defence spending promised by the protégé, share of GDP"
    )
    host_support: Share = Field(
        default=0.0, description="share of the defender's stationing costs that the protégé pays"
    )

    # -- authorisation ---------------------------------------------------------------------------
    legislature: bool = Field(
        default=False, description="whether a vote must pass before the defender may fight"
    )
    approval: Share = Field(
        default=1.0, description="probability that the vote passes when it is held, 0 to 1"
    )
    delay: Annotated[int, Field(ge=0, le=24)] = Field(
        default=0, description="rounds that the vote takes before fighting is possible"
    )

    # -- exit and review -------------------------------------------------------------------------
    term_years: Positive | None = Field(
        default=None, description="stated length in years; absent for an unlimited term"
    )
    review_years: Positive | None = Field(
        default=None, description="years between agreed reviews; absent if none are agreed"
    )
    notice_months: NonNegative | None = Field(
        default=None, description="months of notice to leave; absent if leaving is not provided for"
    )
    suspension: bool = Field(
        default=False, description="whether the duties can be suspended without ending the pact"
    )
    renegotiation: bool = Field(default=False, description="whether terms may be renegotiated at a review")

    # -- form ------------------------------------------------------------------------------------
    coalition: Coalition | None = Field(
        default=None, description="several defenders who decide together; absent for a bilateral pact"
    )

    @property
    def clauses(self) -> tuple[Clause, ...]:
        """The clause families of which at least one field differs from "absent"."""
        return tuple(clause for clause, fields in CLAUSES.items() if self._differs(fields))

    @property
    def is_empty(self) -> bool:
        """Whether the pact has no clause at all, so that it is exactly "no pact"."""
        return not self.clauses

    @property
    def required_support(self) -> Support:
        """The support level that honours the promise."""
        return self.required or REQUIRED_BY_COMMITMENT[self.commitment]

    @property
    def trigger_rung(self) -> Rung:
        """The rung from which help is owed."""
        return self.trigger or TRIGGER_BY_COMMITMENT[self.commitment]

    def without(self, *clauses: Clause) -> Pact:
        """Return the pact with whole clause families removed.

        Raises
        ------
        KeyError
            If a name is not a clause family of :data:`CLAUSES`.
        """
        dropped = {field for clause in clauses for field in CLAUSES[clause]}
        if "basing" in clauses:
            dropped.add("host_support")  # without bases there is nothing to support
        return self.replace(**dict.fromkeys(dropped & self.model_fields_set))

    def _differs(self, fields: tuple[str, ...]) -> bool:
        defaults = type(self).model_fields
        return any(getattr(self, name) != defaults[name].default for name in fields)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        given = self.model_fields_set
        if self.commitment == "none":
            for name in CLAUSES["obligation"][1:]:
                if name in given:
                    raise broken_rule(
                        name,
                        rule="has no meaning without a commitment",
                        got=getattr(self, name),
                        do="Set commitment (consult, conditional, defence or automatic) or remove it",
                    )
        if self.required == "aloof":
            raise broken_rule(
                "required",
                rule="must be support that can be given or withheld",
                got=self.required,
                do="Use diplomatic, military or fighting, or commitment = 'none'",
            )
        if not self.reciprocal and self.guarantor is None:
            raise broken_rule(
                "guarantor",
                rule="is required when reciprocal is false",
                do="Name the actor who owes help",
            )
        if self.reciprocal and self.guarantor is not None:
            raise broken_rule(
                "guarantor",
                rule="has no meaning while both partners owe help",
                got=self.guarantor,
                do="Set reciprocal = false or remove it",
            )
        if self.forces > 0 and self.access == "none":
            raise broken_rule(
                "forces",
                rule="needs bases to be stationed at",
                got=self.forces,
                do="Set access to contingency or permanent, or remove it",
            )
        if self.host_support > 0 and self.access == "none":
            raise broken_rule(
                "host_support",
                rule="needs stationed forces to pay for",
                got=self.host_support,
                do="Set access to contingency or permanent, or remove it",
            )
        if not self.legislature:
            for name in ("approval", "delay"):
                if name in given:
                    raise broken_rule(
                        name,
                        rule="has no meaning without a vote",
                        got=getattr(self, name),
                        do="Set legislature = true or remove it",
                    )
        if self.renegotiation and self.review_years is None:
            raise broken_rule(
                "renegotiation",
                rule="needs reviews to happen at",
                got=True,
                do="Set review_years or remove it",
            )
        for name in self.articles:
            if name not in _CLAUSE_FIELDS:
                raise broken_rule(
                    ("articles", name),
                    rule="does not name a clause field of a pact",
                    got=self.articles[name],
                    do="Known here: " + ", ".join(_CLAUSE_FIELDS),
                )
        return self


_CLAUSE_FIELDS: Final = tuple(field for fields in CLAUSES.values() for field in fields)

__all__ = [
    "CLAUSES",
    "REQUIRED_BY_COMMITMENT",
    "TRIGGER_BY_COMMITMENT",
    "Clause",
    "Coalition",
    "Pact",
]
