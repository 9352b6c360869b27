"""`entangle explain`: tell single disputes or histories of a result."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from entangle.decades_result import Decades
    from entangle.result import Result

_RULE: Final = "-" * 80


@click.command("explain")
@click.argument("result", type=click.Path(path_type=Path), metavar="RESULT.nc")
@click.option("--pact", metavar="NAME", help="The pact; else the first that is not empty.")
@click.option(
    "--trajectory", type=click.IntRange(0), metavar="N", help="Tell this dispute or history, counted from 0."
)
@click.option("--outcome", metavar="NAME", help="Tell one in which this happened.")
@click.option("--number", type=click.IntRange(1), metavar="K", help="How many with --outcome; else one.")
@click.option(
    "--year", type=click.IntRange(1), metavar="Y", help="Of a history, the dispute of this year move by move."
)
def command(
    result: Path,
    pact: str | None,
    trajectory: int | None,
    outcome: str | None,
    number: int | None,
    year: int | None,
) -> None:
    """Tell simulated disputes of RESULT.nc, or histories, as stories: who did what, and what if without.

    Name one by its number, or by what happened in it: an outcome such as defender_fights, a rung such as
    major_war; of a dispute also entanglement or entrapment, of a history also pact_ended or why, such as
    breach.
    """
    if (trajectory is None) == (outcome is None):
        raise click.UsageError("Give either --trajectory or --outcome.")
    if trajectory is not None and number is not None:
        raise click.UsageError("--number goes with --outcome.")
    if year is not None and trajectory is None:
        raise click.UsageError("--year goes with --trajectory, which says in which history.")
    from entangle.decades_result import Decades
    from entangle.files import read_dataset
    from entangle.result import Result

    data = read_dataset(result)
    if data.attrs["method"] == "histories":
        _tell(_histories(Decades(data), pact, trajectory, outcome, number or 1, year))
    elif year is not None:
        raise click.UsageError("--year is for histories; this file holds single disputes.")
    else:
        _tell(_disputes(Result(data), pact, trajectory, outcome, number or 1))


def _tell(stories: Iterable[str]) -> None:
    for place, story in enumerate(stories):
        if place:
            click.echo(f"\n{_RULE}\n")
        click.echo(story.rstrip("\n"))


def _histories(
    loaded: Decades,
    pact: str | None,
    trajectory: int | None,
    outcome: str | None,
    number: int,
    year: int | None,
) -> Iterable[str]:
    name = loaded.study.first_pact if pact is None else pact
    found = [trajectory] if outcome is None else loaded.find(outcome, n=number, pact=name)
    if not found:
        yield f"None of the {loaded.number:,} histories under '{name}' had {outcome}.\n"
    for index in found:
        assert index is not None
        yield loaded.replay(index, pact=name).story(year)


def _disputes(
    loaded: Result, pact: str | None, trajectory: int | None, outcome: str | None, number: int
) -> Iterable[str]:
    from entangle.recall import chosen_pact

    name = chosen_pact(loaded, pact)
    if outcome is None:
        assert trajectory is not None
        found = [trajectory]
    else:
        found = [int(index) for index in loaded.find(outcome, n=number, pact=name)]
        if not found:
            yield f"{_none(loaded, name, outcome)}\n"
    for index in found:
        yield loaded.replay(index, pact=name).story()


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
