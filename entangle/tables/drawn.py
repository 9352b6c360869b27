"""A study over draws of its parameters as tables: what parameters leave open, and what counting does."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np
from rich.console import RenderableType
from rich.text import Text

from entangle.tables.text import LABEL, WIDTH, as_plain, new_table, number, points
from entangle.two_levels import RANGE

if TYPE_CHECKING:
    from entangle.ensemble import Ensemble

_PLAIN: Final = "a dispute"
_EACH: Final = 17
#: Outcomes by which pacts are ranked, if there are several pacts.
_RANKED: Final = ("challenge", "war", "defender_fights", "nuclear_use", "entanglement")
_COVERING: Final = f"{100 * (RANGE[1] - RANGE[0]):.3g} %"


def as_text(ensemble: Ensemble, *, width: int = WIDTH) -> str:
    """Return the tables as plain text."""
    return as_plain(render(ensemble, width=width), width=width)


def render(ensemble: Ensemble, *, width: int = WIDTH) -> Iterator[RenderableType]:
    """Yield the parts of the tables, for a console of `width` columns."""
    data = ensemble.data
    yield Text(str(data.attrs["title"]), style="bold")
    yield _prose(_extent(ensemble), width)
    pacts = [str(name) for name in data.pact.values]
    outcomes = [str(name) for name in data.outcome.values]
    notes = list(dict.fromkeys(str(given) for given in data.given.values if given != _PLAIN))
    given = dict(zip(outcomes, map(str, data.given.values), strict=True))
    labels = {
        name: name + (f" [{notes.index(given[name]) + 1}]" if given[name] in notes else "")
        for name in outcomes
    }
    yield from _tables(
        {labels[name]: [_level(ensemble, pact, name) for pact in pacts] for name in outcomes}, pacts, width
    )
    yield from _prose_list([f"[{i}] given {words}" for i, words in enumerate(notes, start=1)], width)
    none = ensemble.empty_pact
    real = [name for name in pacts if name != none]
    if none is not None and real:
        yield Text("")
        yield Text("What the pact changes", style="bold")
        yield _prose(
            f"Percentage points by which it is more likely than under {none}, draw by draw: mean, the "
            f"central {_COVERING} of draws, and in per cent the draws in which it is more likely (up).",
            width,
        )
        # what is counted is nothing without a pact, and stands above
        moved = data.isel(outcome=~data.counted.values).sel(versus=none, pact=real)
        told = (moved.versus_equal < 1.0).any("pact")
        rows = [str(name) for name in moved.outcome.values[told.values]]
        yield from _tables(
            {labels[name]: [_change(ensemble, pact, none, name) for pact in real] for name in rows},
            real,
            width,
        )
    if len(pacts) > 1:
        yield from _ranking(ensemble, pacts, width)
    yield from _doubts(ensemble, width)


def _extent(ensemble: Ensemble) -> str:
    data = ensemble.data
    text = f"{ensemble.draws} draws of the parameters. "
    out = ensemble.left_out
    if out:
        asked = ensemble.draws + len(out)
        text += f"Left out: {len(out)} of {asked} draws, whose games could not be solved. "
    text += (
        "In per cent: mean over draws, and below it the central "
        f"{_COVERING} of draws, which is what the parameters leave open and nothing else; each given a "
        "dispute unless marked. "
    )
    if not ensemble.trajectories:
        return text + "Every probability is exact at each draw; nothing was simulated."
    return text + (
        f"±: standard error of the mean by counting ({ensemble.trajectories:,} simulated disputes at each "
        f"draw, seed {data.attrs['seed']}); where there is none, the outcome is exact at each draw."
    )


def _level(ensemble: Ensemble, pact: str, outcome: str) -> Text:
    found = ensemble.probability(pact, outcome)
    if math.isnan(found.mean):
        return Text("–")
    if outcome in ensemble.counted and found.mean == 0.0:
        if pact == ensemble.empty_pact:
            return Text("0")
        return Text(f"< {number(found.monte_carlo_upper)}")
    text = Text(number(found.mean))
    text.append(f"\n{number(found.lower, digits=3)} – {number(found.upper, digits=3)}", style="dim")
    if outcome in ensemble.counted:
        text.append(f"\n± {number(found.monte_carlo_error, digits=2)}", style="dim")
    return text


def _change(ensemble: Ensemble, pact: str, none: str, outcome: str) -> Text:
    cell = ensemble.data.sel(pact=pact, versus=none, outcome=outcome)
    mean, lower, upper = (cell[f"versus_{part}"].item() for part in ("mean", "lower", "upper"))
    if math.isnan(mean):
        return Text("–")
    text = Text(points(mean))
    text.append(f"\n{points(lower, digits=3)} – {points(upper, digits=3)}", style="dim")
    text.append(f"\n{number(cell.versus_above.item(), digits=3)} up", style="dim")
    return text


def _ranking(ensemble: Ensemble, pacts: list[str], width: int) -> Iterator[RenderableType]:
    """Yield for the headlines the pacts from the most to the least probable."""
    data = ensemble.data
    yield Text("")
    yield Text("Which pact is above which", style="bold")
    yield _prose(
        "From the highest mean to the lowest; in brackets, per cent of draws in which the pact before is "
        "above the one after.",
        width,
    )
    for outcome in _RANKED:
        if outcome not in data.outcome.values:
            continue
        means = {name: data["mean"].sel(pact=name, outcome=outcome).item() for name in pacts}
        order = sorted((name for name in pacts if not math.isnan(means[name])), key=lambda name: -means[name])
        parts = order[:1]
        for above, below in pairwise(order):
            share = data.versus_above.sel(pact=above, versus=below, outcome=outcome).item()
            parts.append(f"({number(share, digits=3)}) {below}")
        if parts:
            yield _prose(f"{outcome}: {' '.join(parts)}.", width)


def _doubts(ensemble: Ensemble, width: int) -> Iterator[RenderableType]:
    """Yield what the numbers cannot bear."""
    data = ensemble.data
    said = []
    if ensemble.draws < 2:
        said.append("One draw says nothing of what the parameters leave open.")
    counted = data.isel(outcome=data.counted.values)
    drowned = [str(name) for name in counted.outcome.values[counted.clipped.any("pact").values]]
    if drowned and ensemble.draws > 1:
        said.append(
            "Under some pact draws differ by no more than counting explains, so that the parameters' part "
            f"is called 0, and is not known: {', '.join(drowned)}. More trajectories would tell."
        )
    share = counted.monte_carlo_share.values
    if share.size and np.isfinite(share).any():
        said.append(
            f"Counting explains up to {number(float(np.nanmax(share)), digits=2)} % of the variance between "
            "draws; it has been taken out of the intervals of the parameters."
        )
    if bool(data["mean"].isnull().any()):
        said.append("–: the condition cannot hold in any draw.")
    if said:
        yield Text("")
    yield from _prose_list(said, width)


def _tables(rows: dict[str, list[Text]], pacts: Sequence[str], width: int) -> Iterator[RenderableType]:
    """Yield a table, or several where the pacts do not fit side by side."""
    fit = max(1, (width - LABEL) // (_EACH + 2))
    for start in range(0, len(pacts), fit):
        table = new_table("outcome", list(pacts[start : start + fit]), _EACH)
        for label, cells in rows.items():
            table.add_row(Text(label), *cells[start : start + fit])
        yield table


def _prose_list(said: Sequence[str], width: int) -> Iterator[Text]:
    for sentence in said:
        yield _prose(sentence, width)


def _prose(text: str, width: int) -> Text:
    return Text("\n".join(textwrap.wrap(text, width, break_on_hyphens=False)))
