"""The engine's side of any figure that has one, found by its estimand, and how far off it may be.

The fit knows a fixed list of figures (:data:`entangle.fit.predict.PREDICTED`). Here a figure of any code is
computed from the same population, if its *estimand* can be: another period, another hostility level, another
condition. What has no estimand, or one that crises alone do not answer, is kept with the reason.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final, Literal, NamedTuple

import numpy as np

from entangle.evidence.estimands import PERIOD, Estimand, estimand_of
from entangle.evidence.moments import Kind, Moment, Moments, ratio_of, shipped, sum_of
from entangle.fit.likelihood import mixture
from entangle.fit.predict import Population
from entangle.vocabulary import MID_HOSTILITY, RUNGS
from entangle_kernels import ladder
from entangle_kernels.game import Floats

Side = Callable[[Population], float]

#: Of the intervals of predictions: those of the record are 95 % intervals.
LEVEL: Final = 0.95
_REACH: Final = 1.959963984540054
_LEAST: Final = 1e-12

_FORCE: Final = RUNGS.index("limited_force")
_WAR: Final = RUNGS.index("local_war")
#: Events that are a rung, and those that are the defender's support.
_RUNG: Final = {"crisis": 1, "limited_force": _FORCE, "war": _WAR}
_SUPPORT: Final[dict[str, Literal["joins", "fights"]]] = {"help": "joins", "fight": "fights"}
_ORIGINS: Final = {"challenger": (0,), "protege": (1,), "either": (0, 1)}
_STATUSES: Final = {"without": (0,), "with": (1,), "either": (0, 1)}
_OF_LIFE: Final = ("hazard", "median_life", "share_of_ends")
NO_LIFE: Final = "it is of a pact's life over decades, and was not given for these draws"


# -- the engine's side -----------------------------------------------------------------------------


def side(estimand: Estimand) -> Side | None:
    """Return what computes a figure from a solved population; None for those of a pact's life."""
    if estimand.figure in _OF_LIFE:
        return None
    if estimand.figure == "share":
        return _share(estimand, _STATUSES[estimand.pact])
    if estimand.figure == "ratio":
        with_pact, without = _share(estimand, (1,)), _share(estimand, (0,))
        return lambda p: _over(with_pact(p), without(p))
    if estimand.figure == "yearly":
        return _yearly(estimand, _STATUSES[estimand.pact])
    return _odds_ratio(estimand)


def _known(rungs: int, recorded: float) -> Floats:
    """Return the share of crises that are on record, by the rung that they reached."""
    found: Floats = np.where(np.arange(rungs) < _FORCE, recorded, 1.0)
    return found


def chance(p: Population, estimand: Estimand, status: int, origin: int, *, above: int) -> Floats:
    """Return the chance that a crisis of at least a rung is on record with the event, shape (members,)."""
    if estimand.event in _RUNG:
        return p.events(status, origin, max(_RUNG[estimand.event], above))
    if estimand.event in _SUPPORT:
        return p.events(status, origin, above, support=_SUPPORT[estimand.event])
    cells = p.ends[:, status, origin].sum(axis=-1) * _known(ladder.RUNGS, p.recorded)
    undecided: Floats = cells[:, [ladder.COMPROMISE, ladder.STALEMATE], above:].sum(axis=(1, 2))
    return undecided


def _share(estimand: Estimand, statuses: tuple[int, ...]) -> Side:
    assert estimand.reached is not None
    assert estimand.opened_by is not None
    above, origins = RUNGS.index(estimand.reached), _ORIGINS[estimand.opened_by]

    def found(p: Population) -> float:
        happened = held = 0.0
        for status in statuses:
            for origin in origins:
                weight = p.weight(status, origin)
                happened += float((weight * chance(p, estimand, status, origin, above=above)).sum())
                held += float((weight * p.events(status, origin, above)).sum())
        return _over(happened, held)

    return found


def _rate(p: Population, estimand: Estimand, status: int) -> Floats:
    """Return events a year, shape (members, nodes)."""
    assert estimand.opened_by is not None
    rate = np.zeros((len(p.ends), len(p.rate)))
    for origin in _ORIGINS[estimand.opened_by]:
        own = chance(p, estimand, status, origin, above=1)
        rate += own[:, np.newaxis] * (p.rate, p.protege_rate)[origin]
    return rate


def _yearly(estimand: Estimand, statuses: tuple[int, ...]) -> Side:
    def found(p: Population) -> float:
        happened = held = 0.0
        for status in statuses:
            weight = p.having(status)
            happened += float((weight * -np.expm1(-_rate(p, estimand, status))).sum())
            held += float(weight.sum())
        return _over(happened, held)

    return found


def _odds_ratio(estimand: Estimand) -> Side:
    """Return the factor on the odds of a year with the event, pair by pair, by the mean of logarithms."""

    def found(p: Population) -> float:
        weight = p.having(1)
        with np.errstate(divide="ignore", invalid="ignore"):
            # log(exp(rate) - 1), without its overflow
            logit = [
                rate + np.log(-np.expm1(-rate)) for rate in (_rate(p, estimand, status) for status in (0, 1))
            ]
            change = logit[1] - logit[0]
        return float(np.exp((weight * change).sum() / weight.sum()))

    return found


def _over(one: float, other: float) -> float:
    return one / other if other > 0.0 else math.nan


# -- figures ---------------------------------------------------------------------------------------


class Figure(NamedTuple):
    """A figure of the record, and what the engine has to say to it.

    Parameters
    ----------
    code, what, family, period, cases
        What it is.
    value, lower, upper
        The figure and its 95 % interval.
    kind
        As for :class:`~entangle.evidence.Moment`.
    estimand
        The engine's side; None if it has none.
    reason
        Why it has none; empty if it has one.
    table
        Where the figure stands.
    """

    code: str
    what: str
    family: str
    period: str
    cases: str
    value: float
    lower: float
    upper: float
    kind: Kind
    estimand: Estimand | None
    reason: str
    table: str

    @property
    def is_share(self) -> bool:
        """Whether the figure is a share of cases."""
        return self.kind == "share"

    def scaled(self, value: Floats | float) -> Floats:
        """Return values on the scale on which the figure's error is about normal."""
        own = np.clip(np.asarray(value, np.float64), _LEAST, None)
        if not self.is_share:
            return np.log(own)
        own = np.minimum(own, 1.0 - _LEAST)
        odds: Floats = np.log(own) - np.log1p(-own)
        return odds

    def plain(self, scaled: float) -> float:
        """Return a value from that scale."""
        return 1.0 / (1.0 + math.exp(-scaled)) if self.is_share else math.exp(scaled)

    def observed(self) -> tuple[float, float]:
        """Return the figure on that scale, and its standard error there.

        As the likelihood has it (:class:`entangle.fit.likelihood.Likelihood`), but that a share of none, or
        of all, which has no log odds, is taken for one that lies off it by a quarter of its interval.
        """
        value, low, high = self.value, self.lower, self.upper
        if value <= 0.0:
            value, low = max(0.25 * high, 1e-9), 0.0
        top = 1.0 - 1e-9 if self.is_share else math.inf
        if self.is_share and value >= 1.0:
            value = 1.0 - max(0.25 * (1.0 - low), 1e-9)
        middle = float(self.scaled(value))
        halves = (
            middle - float(self.scaled(max(low, 1e-9))),
            float(self.scaled(min(high, top))) - middle,
        )
        if low <= 1e-9:
            half = halves[1]
        elif high >= top:
            half = halves[0]
        else:
            half = max(halves)
        return middle, half / _REACH


def figures(moments: Moments, table: str) -> tuple[Figure, ...]:
    """Return all figures of a table, and those that are made of two of them."""
    found = [_figure(moment, *_engine_side(moment), table) for moment in moments.moments.values()]
    have = {figure.code for figure in found}
    made = [one for one in (*_combined(moments, table), *_made(moments, table)) if one.code not in have]
    once: dict[str, Figure] = {}
    for one in made:
        once.setdefault(one.code, one)
    return (*found, *once.values())


def _figure(moment: Moment, estimand: Estimand | None, reason: str, table: str) -> Figure:
    cases = f"{moment.n:,}" if moment.events is None else f"{moment.events:,} of {moment.n:,}"
    return Figure(
        moment.code, moment.what, moment.family, moment.period, cases, moment.value, moment.lower,
        moment.upper, moment.kind, estimand, reason, table,
    )  # fmt: skip


def _engine_side(moment: Moment) -> tuple[Estimand | None, str]:
    estimand = moment.estimand or estimand_for(moment.code)
    known = {own.code: own for own in shipped().moments.values()}.get(moment.code)
    if moment.estimand is None and known is not None and known.estimand is None:
        estimand = None  # the project's own reason stands
    return estimand, "" if estimand is not None else str(moment.left_out)


_AGES: Final = re.compile(r"H\.age\.(\d+)-(\d+)")
_JOINING: Final = re.compile(r"D\.(supp|entang)\.ally\.h([23])\.[^.]+")
_STANDING_BY: Final = re.compile(r"D\.jB\.p1/p0\.h5\.[^.]+")
_ESCALATION_RATIO: Final = re.compile(r"C\.esc([45])\.RR\.[^.]+")


def estimand_for(code: str) -> Estimand | None:
    """Return the engine's side of a figure by its code; None if no rule covers it.

    Beside the rules of :func:`entangle.evidence.estimand_of`: figures that the project makes of two, in any
    period, hazards at any ages, joining at any hostility, and ratios of escalation.

    Examples
    --------
    >>> print(estimand_for("F.undecided.all"))
    P(an end without a winner | crisis opened by either), with a pact or without, as they come
    """
    if found := estimand_of(code):
        return found
    combined = {made.code: made.estimand for made in shipped().combined.values()}
    stems = {PERIOD.sub("", name): estimand for name, estimand in combined.items()}
    known = combined.get(code) or (stems.get(PERIOD.sub("", code)) if PERIOD.search(code) else None)
    if known is not None:
        return known
    if ages := _AGES.fullmatch(code):
        first, last = int(ages[1]), int(ages[2])
        like = next(m.estimand for m in shipped().moments.values() if m.code == "H.age.0-5")
        return like.replace(ages=(first, last)) if like is not None and first < last else None
    if joining := _JOINING.fullmatch(code):
        like = estimand_of(f"D.{joining[1]}.ally.h4.all")
        return like and like.replace(reached=RUNGS[MID_HOSTILITY.index(int(joining[2]))])
    if ratio := _ESCALATION_RATIO.fullmatch(code):
        return Estimand(
            figure="ratio",
            event="war" if ratio[1] == "5" else "limited_force",
            opened_by="challenger",
            reached="threat",
            pact="with_over_without",
        )
    if _STANDING_BY.fullmatch(code):
        like = stems.get("D.jB.p1/p0.h4")
        return like and like.replace(event="fight", reached="local_war")
    return None


def _combined(moments: Moments, table: str) -> Iterator[Figure]:
    targets = {target.name: target for target in moments.targets()}
    for name, made in moments.combined.items():
        first = moments.moments[made.of[0]]
        yield Figure(
            made.code, made.what, first.family, first.period, f"{made.made_by} of two",
            *targets[name][2:5], targets[name].kind, made.estimand, "", table,
        )  # fmt: skip


#: Figures that are made of two, by the code of the first: how the code of the second and that of what is made
#: of them differ, and how.
_RULES: Final[tuple[tuple[re.Pattern[str], tuple[str, str], tuple[str, str], str], ...]] = (
    (re.compile(r"D\.jB\.p1\.h[45]\.[^.]+"), (".p1", ".p0"), (".p1", ".p1/p0"), "ratio"),
    (re.compile(r"F\.act\.w4\.p1(\.[^.]+)?"), (".p1", ".p0"), (".p1", ".p1/p0"), "ratio"),
    (re.compile(r"F\.pat\.gp\.mild\.p1(\.[^.]+)?"), (".p1", ".p0"), (".p1", ".p1/p0"), "ratio"),
    (re.compile(r"F\.outcom2\.[^.]+"), ("outcom2", "outcom3"), ("outcom2", "undecided"), "sum"),
)


def _made(moments: Moments, table: str) -> Iterator[Figure]:
    """Yield figures made of two that stand in a table in another period or at another hostility."""
    by_code: Mapping[str, Moment] = {moment.code: moment for moment in moments.moments.values()}
    for code, first in by_code.items():
        for pattern, other, own, how in _RULES:
            second = by_code.get(code.replace(*other))
            if not pattern.fullmatch(code) or second is None or min(first.value, second.value) <= 0.0:
                continue
            made = code.replace(*own)
            estimand = estimand_for(made)
            if estimand is None:
                continue
            numbers = (ratio_of if how == "ratio" else sum_of)(first, second)
            kind: Kind = "ratio" if how == "ratio" else "share"
            what = f"{first.what} ({'over' if how == 'ratio' else 'or'} {second.code})"
            yield Figure(
                made, what, first.family, first.period, f"{how} of two", *numbers, kind, estimand, "", table
            )


# -- how far off -----------------------------------------------------------------------------------


class Predicted(NamedTuple):
    """What draws of the parameters say of a figure.

    Parameters
    ----------
    median
        Of the draws.
    lower, upper
        Central 95 % of the draws: what the parameters leave open.
    full_lower, full_upper
        Central 95 % of what would be observed: with the model's discrepancy and the figure's own error.
    position
        Probability that less is observed than was.
    draws
        Draws with a number.
    """

    median: float
    lower: float
    upper: float
    full_lower: float
    full_upper: float
    position: float
    draws: int


_NONE: Final = Predicted(math.nan, math.nan, math.nan, math.nan, math.nan, math.nan, 0)


def predicted(figure: Figure, values: Floats, discrepancy: Floats) -> Predicted:
    """Return what draws say of a figure, with and without the model's discrepancy.

    Parameters
    ----------
    values, discrepancy
        The engine's side and the discrepancy of each draw, shape (draws,).
    """
    from scipy.optimize import brentq
    from scipy.special import ndtr

    known = np.isfinite(values)
    if not known.any():
        return _NONE
    tail = 0.5 * (1.0 - LEVEL)
    low, middle, high = np.quantile(values[known], (tail, 0.5, 1.0 - tail))
    at = figure.scaled(values[known])[:, np.newaxis]
    observed, error = figure.observed()
    spread, weight = mixture()
    size = np.hypot(error, discrepancy[known][:, np.newaxis] * np.sqrt(spread))

    def below(y: float) -> float:
        return float((ndtr((y - at) / size) * weight).sum(axis=1).mean())

    # the widest of the normal laws reaches far: look where some probability is
    far = 60.0 + float(np.abs(at).max())
    ends = [brentq(lambda y, p=p: below(y) - p, -far, far) for p in (tail, 1.0 - tail)]
    full = [figure.plain(float(end)) for end in ends]
    return Predicted(
        float(middle), float(low), float(high), full[0], full[1], below(observed), int(known.sum())
    )


class Verdict(NamedTuple):
    """Whether a figure is in, in three senses.

    Parameters
    ----------
    inside
        The figure lies in the predictive interval with discrepancy and its own error.
    overlap
        The interval of the parameters alone and that of the record share a point.
    within
        The median prediction lies in the record's interval.
    """

    inside: bool
    overlap: bool
    within: bool


def verdict(figure: Figure, found: Predicted) -> Verdict:
    """Return whether a figure is in."""
    tail = 0.5 * (1.0 - LEVEL)
    return Verdict(
        tail <= found.position <= 1.0 - tail,
        found.lower <= figure.upper and figure.lower <= found.upper,
        figure.lower <= found.median <= figure.upper,
    )
