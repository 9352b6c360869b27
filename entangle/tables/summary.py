"""A result as a table for people: every outcome and rung, a column for each pact, at most 80 columns wide."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from rich.console import RenderableType
from rich.text import Text

from entangle.tables.text import LABEL, WIDTH, as_plain, new_table, number

if TYPE_CHECKING:
    from entangle.result import Estimate, Result

_PLAIN: Final = "a dispute"


def as_text(result: Result, *, width: int = WIDTH) -> str:
    """Return the summary as plain text."""
    return as_plain(render(result, width=width), width=width)


def render(result: Result, *, width: int = WIDTH) -> Iterator[RenderableType]:
    """Yield the parts of the summary, for a console of `width` columns."""
    data = result.data
    yield Text(str(data.attrs["title"]), style="bold")
    yield Text(_extent(result))
    pacts = [str(name) for name in data.pact.values]
    outcomes = [str(name) for name in data.outcome.values]
    rungs = [str(name) for name in data.rung.values]
    reached = [rung for rung in rungs if any(_occurs(result.rung(pact, rung)) for pact in pacts)]
    notes = list(dict.fromkeys(str(given) for given in data.given.values if given != _PLAIN))
    each = 17 if result.simulated else 12
    fit = max(1, (width - LABEL) // (each + 2))
    for start in range(0, len(pacts), fit):
        shown = pacts[start : start + fit]
        table = new_table("outcome", shown, each)
        for outcome in outcomes:
            estimates = [result.probability(pact, outcome) for pact in shown]
            given = estimates[0].given
            mark = f" [{notes.index(given) + 1}]" if given in notes else ""
            table.add_row(Text(outcome + mark), *(_cell(result, item) for item in estimates))
        table.add_section()
        table.add_row(Text("at least", style="italic"))
        for rung in reached:
            row = [_cell(result, result.rung(pact, rung)) for pact in shown]
            table.add_row(Text(f" {rung}"), *row)
        yield table
    yield from _notes(result, notes, [rung for rung in rungs if rung not in reached])
    if "target" in data.dims:
        from entangle.until import sentences

        yield Text("Where the run was to stop", style="bold")
        yield from (Text(sentence) for sentence in sentences(data))
    if result.simulated and result.attributed:
        from entangle.tables.pairs import render_pairs

        yield from render_pairs(result, width=width)


def _cell(result: Result, estimate: Estimate) -> Text:
    if not result.simulated:
        return Text(number(estimate.exact))
    text = Text(number(estimate.probability))
    text.append(f" ({number(estimate.exact)})", style="dim")
    text.append(f"\n{number(estimate.lower)} – {number(estimate.upper)}", style="dim")
    return text


def _occurs(estimate: Estimate) -> bool:
    return estimate.exact > 0 or estimate.count > 0


def _extent(result: Result) -> str:
    if not result.simulated:
        return "Exact probabilities in per cent, each given a dispute unless marked."
    confidence = 100 * float(result.data.attrs["confidence"])
    return (
        f"{result.trajectories:,} simulated disputes for each pact, seed {result.data.attrs['seed']}. "
        f"In per cent: simulated (exact), and below it the {confidence:.6g} % interval of the "
        "simulation; each given a dispute unless marked."
    )


def _notes(result: Result, given: list[str], out_of_reach: list[str]) -> Iterator[Text]:
    for index, words in enumerate(given, start=1):
        yield Text(f"[{index}] given {words}")
    if out_of_reach:
        yield Text(f"Out of reach under every pact: {', '.join(out_of_reach)}.")
    if result.simulated and bool((result.data.trials == 0).any()):
        yield Text("–: the condition never held, so that nothing is known.")
