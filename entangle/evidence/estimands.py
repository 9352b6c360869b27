"""What the engine computes for a figure of the record: which event, among what, with or without a pact.

A figure of the record can only be held against the engine if both divide by the same thing. Militarized
Interstate Disputes hold what somebody did: a dispute that was let be leaves no record, so that a recorded
dispute is here a crisis that was opened, and its hostility level the rung that it reached
(:data:`entangle.vocabulary.MID_HOSTILITY`).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Self

from pydantic import Field, model_validator

from entangle.base import Table, broken_rule
from entangle.vocabulary import MID_HOSTILITY, RUNGS, SUPPORTS, Rung

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import ArrayLike, NDArray

#: What can happen, in words.
EVENTS: Final[dict[str, str]] = {
    "crisis": "a crisis",
    "limited_force": "limited force or more",
    "war": "local war or more",
    "help": "new military support or fighting by the defender",
    "fight": "fighting by the defender",
    "no_winner": "an end without a winner",
    "end": "an end of the pact",
    "early_end": "an end by breach, by abrogation or by notice",
}
_OF_PACTS: Final = ("end", "early_end")
#: Kinds of figures of a dispute, and of the life of a pact.
_BY_DISPUTE: Final = ("share", "yearly", "odds_ratio", "ratio")
_BY_LIFE: Final = ("hazard", "median_life", "share_of_ends")
_OPENERS: Final = {
    "challenger": "opened by the challenger",
    "protege": "opened by the protégé",
    "either": "opened by either",
}
_PACTS: Final = {
    "with": "with a pact",
    "without": "without a pact",
    "with_over_without": "with a pact over without",
    "either": "with a pact or without, as they come",
}


class Estimand(Table):
    """The engine's side of a figure: a share of disputes, a rate of years, or something of a pact's life."""

    figure: Literal["share", "yearly", "odds_ratio", "ratio", "hazard", "median_life", "share_of_ends"] = (
        Field(
            description="share (of crises), yearly (probability in a year), odds_ratio (of yearly "
            "probabilities), ratio (of shares), hazard (a year), median_life (years) or share_of_ends"
        )
    )
    event: Literal["crisis", "limited_force", "war", "help", "fight", "no_winner", "end", "early_end"] = (
        Field(description="what happens")
    )
    opened_by: Literal["challenger", "protege", "either"] | None = Field(
        default=None, description="who opened the crises that are looked at"
    )
    reached: Rung | None = Field(
        default=None,
        description="lowest rung of the crises that are divided by; none if it is years that are",
    )
    pact: Literal["with", "without", "with_over_without", "either"] = Field(
        description="the world: with a pact, without, both compared, or as they come"
    )
    ages: Annotated[tuple[int, int], Field(strict=False)] | None = Field(
        default=None, description="ages of the pact over which the hazard is taken [years]"
    )
    match: Literal["same", "near"] = Field(
        default="same",
        description="same: the record divides by the same thing; near: but for what the caveat says",
    )
    caveat: str | None = Field(
        default=None, description="in what the record and the engine still differ, in a sentence"
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        of_life = self.figure in _BY_LIFE
        if (self.event in _OF_PACTS) != of_life:
            raise broken_rule(
                "event", rule=f"does not go with the figure '{self.figure}'", got=self.event,
                do="A pact's life has the events 'end' and 'early_end', and they belong to it alone",
            )  # fmt: skip
        if of_life == (self.opened_by is not None):
            rule = "must not be given for the life of a pact" if of_life else "is required but was not given"
            raise broken_rule("opened_by", rule=rule, got=self.opened_by or "")
        by_crisis = self.figure in ("share", "ratio")
        if by_crisis != (self.reached is not None):
            rule = "is required but was not given" if by_crisis else "belongs to shares of crises only"
            raise broken_rule(
                "reached", rule=rule, got=self.reached or "",
                do="'threat' is every crisis, since a crisis opens with one",
            )  # fmt: skip
        if self.reached == RUNGS[0]:
            raise broken_rule(
                "reached", rule="must be a rung of a crisis", got=self.reached,
                do="A dispute that was let be leaves no record",
            )  # fmt: skip
        compared = self.figure in ("odds_ratio", "ratio")
        if compared != (self.pact == "with_over_without"):
            rule = "must be 'with_over_without'" if compared else "must be one world, not two compared"
            raise broken_rule("pact", rule=rule, got=self.pact)
        if (self.figure == "hazard") != (self.ages is not None):
            rule = "is required for a hazard" if self.ages is None else "belongs to a hazard only"
            raise broken_rule("ages", rule=rule, got="" if self.ages is None else list(self.ages))
        if self.ages is not None and not 0 <= self.ages[0] < self.ages[1]:
            raise broken_rule("ages", rule="must be two ages, the lower first", got=list(self.ages))
        if self.match == "near" and self.caveat is None:
            raise broken_rule("caveat", rule="is required where the match is only near")
        return self

    # -- in words --------------------------------------------------------------------------------

    def __str__(self) -> str:
        """Return the figure in words."""
        world, what = _PACTS[self.pact], EVENTS[self.event]
        if self.figure == "hazard":
            assert self.ages is not None
            return f"hazard of {what} at ages {self.ages[0]} to {self.ages[1]}, a year"
        if self.figure == "median_life":
            return "median life of a pact in years"
        if self.figure == "share_of_ends":
            return f"P({what} | an end of the pact)"
        assert self.opened_by is not None
        by = _OPENERS[self.opened_by]
        if self.reached is None:
            reaching = "" if self.event == "crisis" else f" that reaches {what}"
            chance = f"P(a crisis {by}{reaching}, in a year)"
            return f"odds ratio of {chance}, {world}" if self.figure == "odds_ratio" else f"{chance}, {world}"
        rung = self.reached.replace("_", " ")
        given = f"crisis {by}" + ("" if self.reached == RUNGS[1] else f" that reaches {rung}")
        return f"{'ratio of ' * (self.figure == 'ratio')}P({what} | {given}), {world}"

    # -- in numbers ------------------------------------------------------------------------------

    def masks(self, *, initial_support: int = 0) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return the endings that count, and those among which they do, each of the shape of the cells.

        Parameters
        ----------
        initial_support
            Support that stands there when a crisis opens, 0 to 3: it is no help that was given in the crisis.

        Raises
        ------
        ValueError
            If the figure is one of a pact's life.
        """
        import numpy as np

        from entangle_kernels import ladder
        from entangle_kernels.exact import CELLS

        if self.opened_by is None:
            raise ValueError(f"'{self}' is of a pact's life, not of a dispute")
        origin, _, end, state, _ = np.indices(CELLS)
        rung, support = state >> 3, (state >> 1) & 3
        opened = end != ladder.NO_CRISIS
        if self.opened_by != "either":
            opened &= origin == ("challenger", "protege").index(self.opened_by)
        happened = {
            "crisis": opened,
            "limited_force": rung >= RUNGS.index("limited_force"),
            "war": rung >= RUNGS.index("local_war"),
            "help": (support >= SUPPORTS.index("military")) & (support > initial_support),
            "fight": support == SUPPORTS.index("fighting"),
            "no_winner": (end == ladder.COMPROMISE) | (end == ladder.STALEMATE),
        }[self.event]
        among = np.ones(CELLS, np.bool_)
        if self.reached is not None:
            among = opened & (rung >= RUNGS.index(self.reached))
        return opened & happened & among, among

    def parts(self, cells: NDArray[Any], *, initial_support: int = 0) -> tuple[float, float]:
        """Return numerator and denominator in a table of endings.

        A figure over many pairs of states is the sum of numerators over the sum of denominators, each
        weighted by the pair's disputes in a year; it is no average of ratios.

        Parameters
        ----------
        cells
            Probability or number of disputes by ending, of the shape of
            :data:`entangle_kernels.exact.CELLS`.
        initial_support
            As for :meth:`masks`.
        """
        event, among = self.masks(initial_support=initial_support)
        return float(cells[event].sum()), float(cells[among].sum())

    def share(self, cells: NDArray[Any], *, initial_support: int = 0) -> float:
        """Return the figure of one world as a share: of crises, or, for years, of all disputes."""
        happened, among = self.parts(cells, initial_support=initial_support)
        return happened / among if among else float("nan")

    def yearly(self, cells: NDArray[Any], *, rate: float) -> float:
        """Return the probability of the event in a year in which disputes arise at `rate` for either side.

        As over decades, a year has at most one dispute: it arises with probability 1 − exp(−rate).
        """
        import math

        return -math.expm1(-rate) * self.share(cells)

    def of_life(self, data: xr.Dataset, pact: str) -> float:
        """Return a figure of a pact's life from the table of :class:`entangle.Decades`.

        Raises
        ------
        ValueError
            If the figure is not one of a pact's life, or the horizon is too short for it.
        """
        import numpy as np

        if self.figure not in _BY_LIFE:
            raise ValueError(f"'{self}' is no figure of a pact's life")
        causes = data.ended_by_probability.sel(pact=pact)
        ended = causes.sel(cause=[c for c in causes.cause.values if c != "none"]).sum("cause").values
        if self.figure == "share_of_ends":
            early = causes.sel(cause=list(EARLY)).sum("cause").values
            return float(early[-1] / ended[-1]) if ended[-1] > 0 else float("nan")
        alive = np.concatenate([[1.0], 1.0 - ended])
        if self.figure == "median_life":
            return median_life(alive)
        assert self.ages is not None
        return hazard(alive, *self.ages)


#: Causes of an end of a pact that the record calls a violation or an early abrogation.
EARLY: Final = (
    "notice_by_protege", "notice_by_defender", "breach", "abrogated_by_protege", "abrogated_by_defender",
)  # fmt: skip


def hazard(alive: ArrayLike, first: int, last: int) -> float:
    """Return ends per year lived between two ages.

    Parameters
    ----------
    alive
        Share of pacts still alive at age 0, 1, 2, … [years]; within a year it falls evenly.

    Raises
    ------
    ValueError
        If the ages reach beyond those that are known.
    """
    import numpy as np

    known = np.asarray(alive, np.float64)
    if last >= len(known):
        raise ValueError(f"pacts are followed to age {len(known) - 1}, not to {last}")
    part = known[first : last + 1]
    lived = float(((part[1:] + part[:-1]) / 2.0).sum())
    return float(part[0] - part[-1]) / lived if lived else float("nan")


def median_life(alive: ArrayLike) -> float:
    """Return the age at which half of the pacts have ended [years]; infinite if they never have."""
    import numpy as np

    known = np.asarray(alive, np.float64)
    gone = np.flatnonzero(known <= 0.5)
    if not len(gone):
        return float("inf")
    at = int(gone[0])
    return float(at - (0.5 - known[at]) / (known[at - 1] - known[at])) if at else 0.0


# -- from codes ------------------------------------------------------------------------------------

#: How the last part of a code names a period.
PERIOD: Final = re.compile(r"\.(all|(?:pre|post)\w*|cold\w*|inter\w*|\d{4}s?(?:-\d{4})?)$")
_INITIATION: Final = re.compile(r"B\.init(?P<level>[45]?)\.(?P<kind>odef0|odef1|OR)\.[^.]+")
_ESCALATION: Final = re.compile(r"C\.esc(?P<level>[45])\.cov(?P<covered>[01])\.[^.]+")
_JOINING: Final = re.compile(r"D\.(?P<kind>supp|entang)\.ally\.h(?P<level>[45])\.[^.]+")

#: The event of a level of hostility in a code; a code without a level asks for any dispute.
_REACHES: Final[dict[str, Literal["crisis", "limited_force", "war"]]] = {
    "": "crisis",
    "4": "limited_force",
    "5": "war",
}

_UNMEASURED: Final = (
    "the regression holds what it can measure equal, the engine everything: unmeasured rivalry that goes "
    "with pacts is left in the record's figure"
)
_TOGETHER: Final = "the record asks whether any of several partners joins, the engine has one defender"
_SHOWS: Final = (
    "a joiner below war mostly shows force, which is military support here, but so is the sending of arms, "
    "which the record does not count"
)


def estimand_of(code: str) -> Estimand | None:
    """Return the engine's side of a figure by its code, for families whose codes are regular; else None.

    Examples
    --------
    >>> print(estimand_of("C.esc5.cov1.post45"))
    P(local war or more | crisis opened by the challenger), with a pact
    """
    if found := _INITIATION.fullmatch(code):
        event = _REACHES[found["level"]]
        if found["kind"] == "OR":
            return Estimand(
                figure="odds_ratio",
                event=event,
                opened_by="challenger",
                pact="with_over_without",
                caveat=_UNMEASURED,
            )
        return Estimand(figure="yearly", event=event, opened_by="challenger", pact=_world(found["kind"][-1]))
    if found := _ESCALATION.fullmatch(code):
        event = _REACHES[found["level"]]
        return Estimand(
            figure="share",
            event=event,
            opened_by="challenger",
            reached="threat",
            pact=_world(found["covered"]),
        )
    if found := _JOINING.fullmatch(code):
        at_war = found["level"] == "5"
        return Estimand(
            figure="share",
            event="fight" if at_war else "help",
            opened_by="challenger" if found["kind"] == "supp" else "protege",
            reached=RUNGS[MID_HOSTILITY.index(int(found["level"]))],
            pact="with",
            match="near",
            caveat=_TOGETHER if at_war else f"{_TOGETHER}; {_SHOWS}",
        )
    return None


def _world(covered: str) -> Literal["with", "without"]:
    return "with" if covered == "1" else "without"
