"""Tables of what was counted in pairs: pact against pact, and what was caused and averted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import numpy as np
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from entangle.tables.text import LABEL, WIDTH, as_plain, multiple, new_table, number, points

if TYPE_CHECKING:
    import xarray as xr

    from entangle.attribution import Attribution, Side
    from entangle.comparison import Comparison
    from entangle.result import Result

#: Outcomes whose differences a summary shows; a comparison shows all.
_HEADLINES: Final = ("challenge", "provocation", "force", "war", "defender_fights", "nuclear_use")
_EACH: Final = 17


def comparison_as_text(comparison: Comparison) -> str:
    """Return a comparison of two pacts as plain text of at most 80 columns."""
    return as_plain(render_comparison(comparison))


def render_comparison(comparison: Comparison) -> Iterator[RenderableType]:
    """Yield the parts of a comparison."""
    data = comparison.data
    first, second = data.attrs["first"], data.attrs["second"]
    yield Text(str(data.attrs["title"]), style="bold")
    yield Text(
        f"{first} against {second}: {int(data.attrs['trajectories']):,} simulated disputes, each under "
        f"both pacts with the same luck. "
        "Differences in percentage points, ratios as multiples; simulated (exact), "
        f"and below the paired {100 * data.attrs['confidence']:.6g} % interval. Saved: share of the "
        "difference's variance that the common luck saves."
    )
    table = new_table("outcome", ["difference", "ratio"], 22)
    table.add_column("saved", width=7, justify="right")
    for outcome in data.outcome.values:
        table.add_row(Text(str(outcome)), *_compared(data.sel(outcome=outcome), ""))
    table.add_section()
    table.add_row(Text("at least", style="italic"))
    for rung in data.rung.values[1:]:
        cell = data.sel(rung=rung)
        if cell.rung_first.item() or cell.rung_second.item() or cell.rung_exact_difference.item():
            table.add_row(Text(f" {rung}"), *_compared(cell, "rung_"))
    yield table
    yield Text(
        "–: nothing is known: its condition never held under one of them, or it happened under neither."
    )


def render_pairs(result: Result, *, width: int = WIDTH) -> Iterator[RenderableType]:
    """Yield what a summary says of pairs: differences to a base, and what was caused and averted."""
    pacts = [str(name) for name in result.data.pact.values]
    base = next((name for name in pacts if result.study.pacts[name].is_empty), pacts[0])
    others = [name for name in pacts if name != base]
    fit = max(1, (width - LABEL) // (_EACH + 2))
    if others:
        yield Text(f"Against {base}, dispute by dispute with the same luck", style="bold")
        yield Text(
            "Difference in percentage points: simulated (exact), and below it the paired interval; "
            "saved is the share of its variance that the common luck saves."
        )
    for start in range(0, len(others), fit):
        shown = others[start : start + fit]
        table = new_table("outcome", shown, _EACH)
        made = [result.compare(name, base).data for name in shown]
        for outcome in _HEADLINES:
            table.add_row(Text(outcome), *(_difference(data.sel(outcome=outcome), "") for data in made))
        shares = [data.variance_saved.sel(outcome="war").item() for data in made]
        table.add_row(Text("saved (war)"), *map(_saved, shares))
        yield table
    bound = [name for name in pacts if not result.study.pacts[name].is_empty]
    if bound:
        yield Text("What the pact caused and averted, with the same luck", style="bold")
        yield Text(
            "In per cent of disputes: simulated, its interval, and the least and the most that any way of "
            "sharing luck between the two worlds would allow (exact)."
        )
    for start in range(0, len(bound), fit):
        shown = bound[start : start + fit]
        table = new_table("defender fights", shown, _EACH)
        _rows(table, [result.entanglement(name) for name in shown], "entanglement [a]", "averted [a]")
        _rows(table, [result.entrapment(name) for name in shown], "entrapment [b]", "averted [b]")
        table.add_section()
        table.add_row(Text("war", style="italic"))
        against = [result.attribution(name, "war", without="pact") for name in shown]
        _rows(table, against, "caused [c]", "averted [c]")
        yield table
    if bound:
        yield Text("[a] with the defender's own no-pact policy it would not have fought")
        yield Text("[b] with the protégé's own no-pact policy it would not have fought")
        yield Text("[c] with no pact at all it would not have come; averted: the reverse")


def _compared(cell: xr.Dataset, prefix: str) -> list[Text]:
    ratio = ("ratio", "exact_ratio", "ratio_lower", "ratio_upper")
    return [
        _difference(cell, prefix),
        _cell(*(multiple(cell[prefix + name].item()) for name in ratio)),
        _saved(cell[f"{prefix}variance_saved"].item()),
    ]


def _difference(cell: xr.Dataset, prefix: str) -> Text:
    names = ("difference", "exact_difference", "lower", "upper")
    return _cell(*(points(cell[prefix + name].item(), digits=3) for name in names))


def _saved(share: float) -> Text:
    return Text("–" if np.isnan(share) else f"{100 * share:.0f} %")


def _rows(table: Table, found: list[Attribution], caused: str, averted: str) -> None:
    table.add_row(Text(caused), *(_side(one.caused) for one in found))
    table.add_row(Text(averted), *(_side(one.averted) for one in found))


def _side(side: Side) -> Text:
    text = Text(number(side.probability))
    text.append(f"\n{number(side.lower)} – {number(side.upper)}", style="dim")
    text.append(f"\n[{number(side.least)}, {number(side.most)}]", style="dim")
    return text


def _cell(value: str, exact: str, lower: str, upper: str) -> Text:
    text = Text(value)
    text.append(f" ({exact})", style="dim")
    text.append(f"\n{lower} – {upper}", style="dim")
    return text
