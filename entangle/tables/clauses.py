"""What each clause does as a table for people, at most 80 columns wide."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from rich.box import SIMPLE_HEAD
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from entangle.clause_effects import clauses_of
from entangle.tables.text import as_plain, number, points

if TYPE_CHECKING:
    import xarray as xr

#: Outcomes that the table of all clauses shows.
_HEADLINES: Final = ("challenge", "provocation", "war", "defender_fights", "nuclear_use")
_LABEL: Final = 15
_EACH: Final = 13
_PLAIN: Final = "a dispute"


def clauses_as_text(effects: xr.Dataset, *, pact: str | None = None, outcome: str | None = None) -> str:
    """Return what each clause does as plain text of at most 80 columns; see :func:`render_clauses`."""
    return as_plain(render_clauses(effects, pact=pact, outcome=outcome))


def render_clauses(
    effects: xr.Dataset, *, pact: str | None = None, outcome: str | None = None
) -> Iterator[RenderableType]:
    """Yield the parts of a table of what each clause does, for a console of at least 80 columns.

    Parameters
    ----------
    effects
        What :meth:`entangle.Study.clauses` returned.
    pact
        Only this pact; all if not given.
    outcome
        Only this outcome, with the probabilities behind the effects; a few headlines if not given.

    Raises
    ------
    ResultError
        If there is no such pact or outcome; names the nearest one.
    """
    pacts = [str(name) for name in effects.pact.values] if pact is None else [pact]
    having = {name: clauses_of(effects, name, by=outcome) for name in pacts}
    yield Text(str(effects.attrs["title"]), style="bold")
    yield Text(_how_to_read(effects, outcome))
    for name, clauses in having.items():
        table = effects.sel(pact=name)
        yield Text("")
        yield Text(name, style="bold")
        if not clauses:
            yield Text("No clause: nothing to switch.")
        elif outcome is None:
            yield from _overview(table, clauses)
        else:
            yield from _detail(table.sel(outcome=outcome), clauses)
    notes = list(_notes(effects, having, outcome))
    if notes:
        yield Text("\n" + "\n".join(notes))


def _how_to_read(effects: xr.Dataset, outcome: str | None) -> str:
    unit = "percentage points, + where it makes the outcome more likely"
    if outcome is None:
        return (
            f"What each clause does, exactly, in {unit}. Upper line: to the rest of the pact, that is "
            "the whole pact minus the pact without the clause. Lower line: alone, that is the clause "
            "alone minus no pact. Effects do not add up: clauses work together."
        )
    cell = effects.sel(outcome=outcome)
    return (
        f"{outcome}: {cell.meaning.item()}, given {cell.given.item()}. What each clause does to it, exactly, "
        f"in {unit}, the largest effect first: to the rest of the pact (the whole pact minus the pact "
        "without the clause), and alone (the clause alone minus no pact). Effects do not add up: clauses "
        "work together."
    )


def _overview(table: xr.Dataset, clauses: list[str]) -> Iterator[RenderableType]:
    marks = {words: f"\n[{index}]" for index, words in enumerate(_conditions(table), start=1)}
    shown = [table.sel(outcome=name) for name in _HEADLINES]
    heads = [
        name.replace("_", "_\n") + marks.get(str(cell.given.item()), "")
        for name, cell in zip(_HEADLINES, shown, strict=True)
    ]
    made = _table(heads)
    made.add_row("whole pact [%]", *(number(cell.whole.item()) for cell in shown))
    made.add_row("no pact [%]", *(number(cell.none.item()) for cell in shown), style="dim")
    made.add_section()
    for clause in clauses:
        effects = [cell.sel(clause=clause) for cell in shown]
        made.add_row(clause, *(points(cell.adds_to_rest.item()) for cell in effects))
        made.add_row("  alone", *(points(cell.adds_alone.item()) for cell in effects), style="dim")
    yield made


def _detail(table: xr.Dataset, clauses: list[str]) -> Iterator[RenderableType]:
    made = _table(["does to\nthe rest", "pact without\nthe clause", "does\nalone", "clause\nalone"])
    yield Text(f"whole pact: {_per_cent(table.whole.item())}, no pact: {_per_cent(table.none.item())}")
    for clause in clauses:
        cell = table.sel(clause=clause)
        made.add_row(
            clause,
            points(cell.adds_to_rest.item()),
            _per_cent(cell.without.item()),
            points(cell.adds_alone.item()),
            _per_cent(cell.alone.item()),
        )
    yield made


def _table(heads: list[str]) -> Table:
    made = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=0)
    made.add_column("clause", width=_LABEL, no_wrap=True)
    for head in heads:
        made.add_column(Text(head), width=_EACH, justify="right", no_wrap=True)
    return made


def _per_cent(probability: float) -> str:
    text = number(probability)
    return text if text == "–" else f"{text} %"


def _conditions(effects: xr.Dataset) -> list[str]:
    """Return what the headlines are conditional on, where it is more than a dispute."""
    given = [str(effects.given.sel(outcome=name).item()) for name in _HEADLINES]
    return [words for words in dict.fromkeys(given) if words != _PLAIN]


def _notes(effects: xr.Dataset, having: dict[str, list[str]], outcome: str | None) -> Iterator[str]:
    if outcome is None and any(having.values()):
        for index, words in enumerate(_conditions(effects), start=1):
            yield f"[{index}] given {words}"
    idle = [
        str(clause)
        for clause in effects.clause.values
        if any(clause in clauses for clauses in having.values())
        and not any(
            effects.acts.sel(pact=pact, clause=clause).item()
            for pact, clauses in having.items()
            if clause in clauses
        )
    ]
    if idle:
        yield f"Nothing within a crisis depends on: {', '.join(idle)}."
    shown = effects.sel(pact=list(having), outcome=list(_HEADLINES) if outcome is None else [outcome])
    unknown = shown.present & (shown.adds_to_rest.isnull() | shown.adds_alone.isnull())
    if bool(unknown.any()):
        yield "–: the condition cannot hold there, so that there is no probability."
