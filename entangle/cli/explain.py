"""`entangle explain`: tell single disputes of a result, move by move."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from entangle.result import Result

_RULE: Final = "-" * 80


@click.command("explain")
@click.argument("result", type=click.Path(path_type=Path), metavar="RESULT.nc")
@click.option("--pact", metavar="NAME", help="The pact; else the first that is not empty.")
@click.option("--trajectory", type=click.IntRange(0), metavar="N", help="Tell this dispute, counted from 0.")
@click.option("--outcome", metavar="NAME", help="Tell a dispute in which this happened.")
@click.option(
    "--number", type=click.IntRange(1), metavar="K", help="How many disputes with --outcome; else one."
)
def command(
    result: Path, pact: str | None, trajectory: int | None, outcome: str | None, number: int | None
) -> None:
    """Tell simulated disputes of RESULT.nc as stories: who did what, and what if there were no pact.

    Name a dispute by its number, or what happened in it: an outcome such as defender_fights, a rung such as
    major_war, entanglement or entrapment.
    """
    if (trajectory is None) == (outcome is None):
        raise click.UsageError("Give either --trajectory or --outcome.")
    if trajectory is not None and number is not None:
        raise click.UsageError("--number goes with --outcome.")
    from entangle.recall import chosen_pact
    from entangle.result import Result

    loaded = Result.load(result)
    name = chosen_pact(loaded, pact)
    if outcome is None:
        assert trajectory is not None
        found = [trajectory]
    else:
        found = [int(index) for index in loaded.find(outcome, n=number or 1, pact=name)]
        if not found:
            click.echo(_none(loaded, name, outcome))
    for place, index in enumerate(found):
        if place:
            click.echo(f"\n{_RULE}\n")
        click.echo(loaded.replay(index, pact=name).story(), nl=False)


def _none(result: Result, pact: str, outcome: str) -> str:
    """Say that nothing was found, and how likely it was to be found."""
    from entangle.tables.text import number

    said = f"None of the {result.trajectories:,} simulated disputes under '{pact}' had {outcome}"
    if outcome in result.data.outcome.values:
        estimate = result.probability(pact, outcome)
    elif outcome in result.data.rung.values:
        estimate = result.rung(pact, outcome)
    else:  # a comparison of two worlds, whose chance depends on how they are coupled
        return f"{said}."
    if math.isnan(estimate.exact):
        return f"{said}: there is never {estimate.given} there."
    return f"{said}: its exact probability, given {estimate.given}, is {number(estimate.exact)} %."
