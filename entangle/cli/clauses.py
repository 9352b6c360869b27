"""`entangle clauses`: what each clause of a pact does."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from entangle.cli.output import draw, json_option, out_option, plot_option, study_argument, written

if TYPE_CHECKING:
    import xarray as xr


@click.command("clauses")
@study_argument
@click.option(
    "--pact", "pacts", multiple=True, metavar="NAME", help="A pact to take apart; else all. Repeatable."
)
@click.option("--outcome", metavar="NAME", help="Only this outcome, in detail; else the headlines.")
@plot_option("the effects on the outcome (else war) in the first pact with clauses")
@out_option("Write every probability and effect as netCDF.")
@json_option
def command(
    study: Path,
    pacts: tuple[str, ...],
    outcome: str | None,
    plot: Path | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Switch each clause of the pacts of STUDY off alone, and add each alone to no pact.

    Prints what the clause does to the rest of the pact, and what it does alone, in percentage points of the
    exact probabilities.
    """
    if outcome is not None:
        _known(outcome)
    from entangle.study import Study

    loaded = Study.load(study)
    asked = [loaded.pacts[name] for name in pacts if name in loaded.pacts] or loaded.pacts.values()
    if plot is not None and all(pact.is_empty for pact in asked):
        raise click.UsageError("--plot has nothing to draw: no such pact has a clause.")
    effects = loaded.clauses(pacts=pacts or None)
    if out is not None:
        from entangle.files import write_dataset

        with written(out):
            write_dataset(effects, out)
    if plot is not None:
        from entangle.plot import dots

        draw(dots(effects, outcome=outcome or "war"), plot)
    if as_json:
        import json

        click.echo(json.dumps(as_data(effects, outcome), ensure_ascii=False, indent=2))
    else:
        _print(effects, outcome)


def as_data(effects: xr.Dataset, outcome: str | None = None) -> dict[str, Any]:
    """Return the effects on an outcome, or on all, as plain data for JSON; not a number becomes null."""
    names = [str(name) for name in effects.outcome.values] if outcome is None else [outcome]
    of_clause = ("without", "alone", "adds_to_rest", "adds_alone")
    found: dict[str, Any] = {
        "title": effects.attrs["title"],
        "method": effects.attrs["method"],
        "given": {name: str(effects.given.sel(outcome=name).item()) for name in names},
        "none": _numbers(effects.none, names),
        "pacts": {},
    }
    for pact in map(str, effects.pact.values):
        table = effects.sel(pact=pact)
        clauses = [str(name) for name in table.clause.values[table.present.values]]
        found["pacts"][pact] = {
            "whole": _numbers(table.whole, names),
            "clauses": {
                clause: {
                    "acts": bool(table.acts.sel(clause=clause)),
                    **{name: _numbers(table[name].sel(clause=clause), names) for name in of_clause},
                }
                for clause in clauses
            },
        }
    return found


def _numbers(values: xr.DataArray, names: list[str]) -> dict[str, float | None]:
    found = {name: float(values.sel(outcome=name)) for name in names}
    return {name: None if math.isnan(value) else value for name, value in found.items()}


def _known(outcome: str) -> None:
    """Refuse an outcome that there is not, before any work."""
    from entangle.errors import nearest
    from entangle.outcomes import OUTCOMES

    valid = [item.name for item in OUTCOMES]
    if outcome not in valid:
        raise click.BadParameter(
            f"there is no outcome '{outcome}'. {nearest(outcome, valid)}", param_hint="'--outcome'"
        )


def _print(effects: xr.Dataset, outcome: str | None) -> None:
    from rich.console import Console

    from entangle.tables.clauses import clauses_as_text, render_clauses

    console = Console(highlight=False)
    if not console.is_terminal:
        click.echo(clauses_as_text(effects, outcome=outcome), nl=False)
        return
    for part in render_clauses(effects, outcome=outcome):
        console.print(part)
