"""Decades as tables for people: risks, what the pact changes about them, its life, and what it costs."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from entangle.tables.risks import shown
from entangle.tables.text import WIDTH, as_plain, new_table, number, points
from entangle.vocabulary import CAUSES, SEATS

if TYPE_CHECKING:
    import xarray as xr

    from entangle.decades_result import Decades

#: What is told of the whole horizon, of single years, of disputes, and of what the pact changes.
_EVER: Final = (
    "challenge",
    "provocation",
    "war",
    "defender_fights",
    "abandonment",
    "nuclear_use",
    "entanglement",
    "entrapment",
)
_YEARLY: Final = ("challenge", "war", "defender_fights", "nuclear_use")
_GIVEN: Final = ("challenge", "reliability", "abandonment", "blocked")
_CHANGED: Final = ("challenge", "war", "defender_fights", "nuclear_use")
#: Columns of the labels, and of a pact.
_LABEL: Final = 22
_EACH: Final = 17
_TO: Final = " → "
_SEATS: Final = dict(zip(SEATS, ("challenger", "protégé", "defender"), strict=True))


class _View(NamedTuple):
    """A result, its pacts, and the pacts among them that are not empty."""

    decades: Decades
    data: xr.Dataset
    pacts: list[str]
    real: list[str]
    years: int
    width: int

    def own(self, pact: str) -> xr.Dataset:
        return self.data.sel(pact=pact)


#: What a row is called, and its text for a pact.
_Row = tuple[str, Callable[[str], Text]]


def as_text(decades: Decades, *, width: int = WIDTH) -> str:
    """Return the tables as plain text."""
    return as_plain(render(decades, width=width), width=width)


def render(decades: Decades, *, width: int = WIDTH) -> Iterator[RenderableType]:
    """Yield the parts of the tables, for a console of `width` columns."""
    data, study = decades.data, decades.study
    pacts = [str(name) for name in data.pact.values]
    real = [name for name in pacts if not study.pacts[name].is_empty]
    view = _View(decades, data, pacts, real, data.sizes["year"], width)
    scenario = study.scenario
    yield Text(str(data.attrs["title"]), style="bold")
    yield _prose(
        f"{decades.number:,} histories of {_years(view.years)} under each pact, seed {decades.seed}. "
        f"Challenger: {scenario.challenger}; protégé: {scenario.protege}; defender: {scenario.defender}. "
        f"Intervals are {_confidence(view)} and hold what the simulation does not know, not what the "
        "assumptions do not.",
        width,
    )
    yield from _ever(view)
    yield from _yearly(view)
    yield from _given(view)
    if real:
        yield from _changed(view)
        yield from _life(view)
        yield from _strengths(view)
    yield from _prices(view)
    yield Text("")
    yield from _notes(view)


# -- how likely what is ----------------------------------------------------------------------------


def _ever(view: _View) -> Iterator[RenderableType]:
    def cell(pact: str, outcome: str) -> Text:
        found, told = view.decades.risk(pact, outcome), shown(view.decades, pact, outcome)
        if not told.possible:
            return Text("–")
        expected = "" if math.isnan(found.expected) else f" ({number(found.expected)})"
        if found.count == 0:
            # nothing was seen, which is not to say that it cannot happen
            return Text(f"< {number(found.upper)}") + Text(
                f"\n{expected.strip()}" * bool(expected), style="dim"
            )
        text = Text(number(found.probability))
        text.append(expected, style="dim")
        text.append(f"\n{number(found.lower)} – {number(found.upper)}", style="dim")
        return text

    yield from _section(
        f"At least once within {_years(view.years)}",
        "Per cent of histories in which it happens (in brackets the conditional estimate: exact chances, "
        "given where the years before have led to); below, the interval of the count. <: never seen, upper "
        "bound. –: cannot happen there.",
        view,
    )
    rows = [(name, partial(cell, outcome=name)) for name in _EVER]
    yield from _tables("outcome", rows, view, view.pacts)


def _yearly(view: _View) -> Iterator[RenderableType]:
    def cell(pact: str, outcome: str) -> Text:
        told = shown(view.decades, pact, outcome, yearly=True)
        if not told.possible:
            return Text("–")
        ends = [
            number(told.probability[at], digits=3)
            if told.probability[at] > 0.0
            else f"<{number(told.upper[at], digits=3)}"
            for at in (0, -1)
        ]
        return Text(_TO.join(ends))

    def disputes(pact: str) -> Text:
        return Text(_TO.join(_plain(100.0 * value) for value in view.own(pact).disputes.values[[0, -1]]))

    yield from _section(
        "In a year",
        f"Per cent of years in which it happens, in the first{_TO}in the last; counted or the conditional "
        "estimate, whichever has the narrower interval.",
        view,
    )
    rows: list[_Row] = [("disputes", disputes)]
    rows += [(name, partial(cell, outcome=name)) for name in _YEARLY]
    yield from _tables("outcome", rows, view, view.pacts)


def _given(view: _View) -> Iterator[RenderableType]:
    pooled = view.data

    def cell(pact: str, outcome: str) -> Text:
        own = pooled.sel(pact=pact, outcome=outcome)
        trials, count = int(own.pooled_trials), int(own.pooled_count)
        if trials == 0:
            return Text("–")
        lower, upper = float(own.pooled_lower), float(own.pooled_upper)
        share = number(float(own.pooled_probability), digits=3) if count else f"< {number(upper, digits=3)}"
        text = Text(share)
        text.append(f" of {_compact(trials)}", style="dim")
        if count:
            text.append(f"\n{number(lower)} – {number(upper)}", style="dim")
        return text

    def strength(pact: str) -> Text:
        ends = view.own(pact).promise_strength.values[[0, -1]]
        return Text("–" if np.isnan(ends).any() else _TO.join(number(share, digits=3) for share in ends))

    # a vote that never was is no row
    names = [
        name for name in _GIVEN if name == "challenge" or pooled.pooled_count.sel(outcome=name).sum() > 0
    ]
    yield from _section(
        "Dispute by dispute",
        "Per cent of the disputes in which the condition held, over all years, and how many these were.",
        view,
    )
    rows: list[_Row] = [(name, partial(cell, outcome=name)) for name in names]
    if view.real:
        rows.append(("promise strength", strength))
    yield from _tables("outcome", rows, view, view.pacts)
    text = "challenge: given a dispute for the challenger (deterrence fails)"
    if view.real:
        text += (
            f"; {', '.join(names[1:])}: given that help was owed; promise strength: the chance of help if it "
            f"came to be owed, first year{_TO}last, by which challengers choose"
        )
    yield _prose(f"{text}.", view.width)


# -- what the pact changes -------------------------------------------------------------------------


def _changed(view: _View) -> Iterator[RenderableType]:
    def cell(pact: str, outcome: str) -> Text:
        own = view.own(pact).sel(outcome=outcome)
        moved = own.horizon_caused_count + own.horizon_averted_count > 0
        if not moved and not shown(view.decades, pact, outcome).possible:
            return Text("–")
        text = Text(points(own.horizon_net.item()))
        ends = (points(own[f"horizon_net_{end}"].item(), digits=3) for end in ("lower", "upper"))
        text.append(f"\n{' – '.join(ends)}", style="dim")
        sides = [
            number(own[f"horizon_{side}_probability"].item(), digits=3)
            if own[f"horizon_{side}_count"] > 0
            else f"<{number(own[f'horizon_{side}_upper'].item(), digits=3)}"
            for side in ("caused", "averted")
        ]
        text.append(f"\n{' | '.join(sides)}", style="dim")
        return text

    yield from _section(
        "What the pact changes",
        f"Percentage points that it adds to the chance of at least one within {_years(view.years)}, with the "
        "paired interval: whole histories with the pact and without any, on the same luck. Below, per cent "
        "of histories in which it caused | averted it.",
        view,
    )
    rows = [(name, partial(cell, outcome=name)) for name in _CHANGED]
    yield from _tables("outcome", rows, view, view.real)


def _life(view: _View) -> Iterator[RenderableType]:
    def standing(pact: str, year: int) -> Text:
        own = view.own(pact).sel(year=year, status="in_force")
        if int(own.status_count) == view.decades.number:
            return Text(f"> {number(own.status_lower.item())}")
        return _share(own, "status")

    def suspended(pact: str) -> Text:
        return _share(view.own(pact).sel(status="suspended").isel(year=-1), "status")

    def cause(pact: str, name: str) -> Text:
        return _share(view.own(pact).sel(cause=name).isel(year=-1), "ended_by")

    def median(pact: str) -> Text:
        ended = view.own(pact).sel(status="ended").status_probability.values
        return Text(f"year {int(np.argmax(ended >= 0.5)) + 1}" if ended[-1] >= 0.5 else f"> {view.years}")

    last = view.data.isel(year=-1).sel(pact=view.real)
    marks = sorted({max(1, round(view.years * quarter / 4)) for quarter in range(1, 5)})
    rows: list[_Row] = [(f"in force, year {year}", partial(standing, year=year)) for year in marks]
    if last.sel(status="suspended").status_count.sum() > 0:
        rows.append(("suspended", suspended))
    causes = [name for name in CAUSES[1:] if last.sel(cause=name).ended_by_count.sum() > 0]
    causes.sort(key=lambda name: -float(last.sel(cause=name).ended_by_probability.max()))
    rows += [(_cause(name), partial(cause, name=name)) for name in causes]
    rows.append(("half have ended", median))
    yield from _section(
        "The pact's life",
        "Per cent of histories in which it is in force at the end of a year, and in which it has ended for a "
        "cause by the end of the last.",
        view,
    )
    yield from _tables("", rows, view, view.real)
    unseen = [_cause(name) for name in CAUSES[1:] if name not in causes]
    if unseen:
        yield _prose(f"Never seen: {', '.join(unseen)}.", view.width)


def _cause(name: str) -> str:
    return name.replace("protege", "protégé").replace("_", " ")


def _share(own: xr.Dataset, name: str) -> Text:
    if int(own[f"{name}_count"]) == 0:
        return Text(f"< {number(own[f'{name}_upper'].item())}")
    text = Text(number(own[f"{name}_probability"].item(), digits=3))
    lower, upper = (own[f"{name}_{end}"].item() for end in ("lower", "upper"))
    text.append(f" ± {_plain(50.0 * (upper - lower), digits=2)}", style="dim")
    return text


def _strengths(view: _View) -> Iterator[RenderableType]:
    def cell(pact: str, level: str) -> Text:
        own = view.own(pact).sel(level=level).isel(year=-1)
        gain, lower, upper = (own[f"level_gain{end}"].item() for end in ("", "_lower", "_upper"))
        text = Text(points(math.expm1(gain), digits=3))
        if upper > lower:
            text.append(f" ± {_plain(50.0 * (math.expm1(upper) - math.expm1(lower)), digits=2)}", style="dim")
        return text

    yield from _section(
        "Strengths",
        f"Per cent by which the pact changes capability and effort by the end of year {view.years}, against "
        "no pact on the same luck (geometric means). Less effort by the protégé is free riding, more by the "
        "challenger the arms race that the pact feeds.",
        view,
    )
    rows = [
        (f"{what}, {_SEATS[seat]}", partial(cell, level=f"{what}_{seat}"))
        for what in ("capability", "effort")
        for seat in SEATS
    ]
    yield from _tables("", rows, view, view.real)


def _prices(view: _View) -> Iterator[RenderableType]:
    def effort(pact: str, seat: str) -> Text:
        medians = view.own(pact).sel(actor=seat, quantile=0.5).effort_quantile.values
        return Text(_TO.join(number(share, digits=3) for share in medians[[0, -1]]))

    def total(pact: str, name: str, seat: str) -> Text:
        if name == "burden" and pact not in view.real:
            return Text("–")
        return Text(_plain(float(view.own(pact).sel(actor=seat)[name].sum())))

    def autonomy(pact: str) -> Text:
        own = view.own(pact)
        decided = own.decisions.values
        if pact not in view.real or decided.sum() == 0.0:
            return Text("–")
        return Text(number(float(np.nansum(own.autonomy_lost.values * decided) / decided.sum()), digits=3))

    yield from _section(
        "Prices",
        f"Defence effort: median share of GDP in per cent, first year{_TO}last. Cost of crises, and burden "
        f"of keeping the pact: expected totals over {_years(view.years)} [stake units]. Autonomy lost: by "
        "how many per cent the defender's decisions in crises differ from those by its own no-pact policy.",
        view,
    )
    rows: list[_Row] = [(f"effort, {_SEATS[seat]}", partial(effort, seat=seat)) for seat in SEATS]
    for name, seats in (("cost", SEATS), ("burden", SEATS[1:])):
        if name == "cost" or view.real:
            rows += [(f"{name}, {_SEATS[seat]}", partial(total, name=name, seat=seat)) for seat in seats]
    if view.real:
        rows.append(("autonomy lost", autonomy))
    yield from _tables("", rows, view, view.pacts)


# -- what is shared --------------------------------------------------------------------------------


def _notes(view: _View) -> Iterator[Text]:
    errors = ", ".join(
        f"{number(float(view.own(pact).context_error), digits=2)} ({pact})" for pact in view.pacts
    )
    yield _prose(
        f"Crises were solved on a grid of contexts. Between its points the probability of an outcome of a "
        f"dispute is wrong by up to, in percentage points: {errors}. No interval holds that.",
        view.width,
    )
    borrowed = [
        f"{own.contexts_borrowed.item()} of {own.contexts.item()} ({pact})"
        for pact in view.pacts
        if (own := view.own(pact)).contexts_borrowed > 0
    ]
    if borrowed:
        yield _prose(
            f"In some contexts no equilibrium was found, and play is that of the nearest one inwards: "
            f"{', '.join(borrowed)}. No interval holds that either.",
            view.width,
        )


def _section(title: str, text: str, view: _View) -> Iterator[RenderableType]:
    yield Text("")
    yield Text(title, style="bold")
    yield _prose(text, view.width)


def _tables(first: str, rows: Sequence[_Row], view: _View, pacts: list[str]) -> Iterator[Table]:
    """Yield a table, or several where the pacts do not fit side by side."""
    fit = max(1, (view.width - _LABEL) // (_EACH + 2))
    for start in range(0, len(pacts), fit):
        names = pacts[start : start + fit]
        table = new_table(first, names, _EACH)
        table.show_edge = False
        table.columns[0].width = _LABEL
        for label, cell in rows:
            table.add_row(Text(label), *(cell(name) for name in names))
        yield table


def _prose(text: str, width: int) -> Text:
    return Text("\n".join(textwrap.wrap(text, width, break_on_hyphens=False)))


def _years(number: int) -> str:
    return f"{number} year{'s' if number != 1 else ''}"


def _confidence(view: _View) -> str:
    return f"{100 * float(view.data.attrs['confidence']):.6g} %"


def _compact(count: int) -> str:
    return f"{count:,}" if count < 1_000_000 else f"{count / 1e6:.3g}M" if count < 10**9 else f"{count:.2e}"


def _plain(value: float, digits: int = 3) -> str:
    """Return a size, without a power of ten where it is an ordinary one."""
    if value == 0.0:
        return "0"
    return f"{value:#.{digits}g}".rstrip(".") if 1e-5 <= value < 10.0**digits else f"{value:.{digits}g}"
