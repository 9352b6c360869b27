"""`entangle run`: simulate a study."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import click

from entangle.cli.output import deliver, json_option, out_option, plot_option, study_argument
from entangle.cli.running import (
    bar,
    cluster,
    scheduler_option,
    seed_option,
    threads_or_scheduler,
    workers_option,
)

if TYPE_CHECKING:
    from entangle.result import Result


def _errors(_: click.Context, __: click.Parameter, given: tuple[str, ...]) -> dict[str, float] | None:
    """Read OUTCOME=ERROR pairs; the study checks what they say."""
    found = {}
    for text in given:
        name, equals, error = text.partition("=")
        try:
            found[name.strip()] = float(error)
        except ValueError:
            equals = ""
        if not equals:
            raise click.BadParameter(f"'{text}' must be OUTCOME=ERROR, such as defender_fights=0.05.")
    return found or None


@click.command("run")
@study_argument
@click.option(
    "--trajectories",
    type=click.IntRange(1, 2**48),
    metavar="N",
    help="Disputes to simulate for each pact; else as the study says.",
)
@seed_option
@workers_option
@scheduler_option
@click.option(
    "--until",
    multiple=True,
    metavar="OUTCOME=ERROR",
    callback=_errors,
    help="Stop once OUTCOME is known to this relative error, such as defender_fights=0.05; --trajectories is "
    "then the most it takes. Can be given more than once.",
)
@click.option(
    "--attribution/--no-attribution",
    default=None,
    help="Whether to compare trajectories between pacts and with what would have been without; else as the "
    "study says.",
)
@out_option("Write the result as netCDF.")
@plot_option("the escalation ladder")
@json_option
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
def command(
    study: Path,
    trajectories: int | None,
    seed: int | None,
    workers: int | None,
    scheduler: str | None,
    until: dict[str, float] | None,
    attribution: bool | None,
    out: Path | None,
    plot: Path | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Simulate the crises of STUDY under each of its pacts.

    Prints the share of disputes in which each outcome happened, with intervals, beside the exact
    probability.
    """
    threads_or_scheduler(workers, scheduler)
    from entangle.errors import DisagreementWarning
    from entangle.study import Study

    loaded = Study.load(study)
    with (
        cluster(scheduler) as client,
        bar("simulating", quiet=quiet) as (progress,),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore", DisagreementWarning)  # told below, more loudly
        result = loaded.run(
            trajectories=trajectories,
            seed=seed,
            until=until,
            attribution=attribution,
            executor=client,
            workers=workers,
            progress=progress,
        )
    deliver(result, out=out, plot=plot, as_json=as_json, quiet=quiet)
    _compare(result)


def _compare(result: Result) -> None:
    """Fail loudly if what was counted cannot have come from the exact law."""
    wrong = result.disagreements()
    if not wrong:
        return
    click.echo(
        "WARNING: counted and exact probabilities contradict each other (chance of that below "
        f"1e-9 each): {'; '.join(wrong)}. Do not use these numbers, and report the study.",
        err=True,
    )
    raise click.exceptions.Exit(1)
