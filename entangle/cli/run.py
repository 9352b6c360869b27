"""`entangle run`: simulate a study."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import click

from entangle.cli.journals import alone, journal_option, kept, shard_option, tell
from entangle.cli.output import (
    deliver,
    draw,
    json_option,
    out_option,
    plot_option,
    study_argument,
    written,
)
from entangle.cli.running import (
    bar,
    cluster,
    dry_run_option,
    forecast,
    scheduler_option,
    seed_option,
    threads_or_scheduler,
    workers_option,
)

if TYPE_CHECKING:
    from entangle.clusters import Door
    from entangle.ensemble import Ensemble
    from entangle.result import Result
    from entangle.shards import Shard


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
    help="Disputes to simulate for each pact, with --draws for each draw; else as the study says, with "
    "--draws at most 100,000.",
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
@click.option(
    "--draws",
    type=click.IntRange(1),
    metavar="N",
    help="Run the study at N draws of its parameters from a posterior, to tell what they leave open.",
)
@click.option(
    "--posterior",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Posterior of a fit to draw from; else the one that comes with the package.",
)
@journal_option
@shard_option
@out_option("Write the result as netCDF.")
@plot_option("the escalation ladder, or with --draws what the parameters leave open")
@dry_run_option
@json_option
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
def command(
    study: Path,
    trajectories: int | None,
    seed: int | None,
    workers: int | None,
    scheduler: Door | None,
    until: dict[str, float] | None,
    attribution: bool | None,
    draws: int | None,
    posterior: Path | None,
    journal: Path | None,
    shard: Shard | None,
    out: Path | None,
    plot: Path | None,
    dry_run: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Simulate the crises of STUDY under each of its pacts.

    Prints the share of disputes in which each outcome happened, with intervals, beside the exact
    probability. With --draws, prints the mean over draws of the parameters, what the parameters leave open
    and, apart from it, what simulation does.
    """
    threads_or_scheduler(workers, scheduler)
    if draws is None and posterior is not None:
        raise click.UsageError("--posterior is where --draws come from; say how many.")
    if draws is not None and until is not None:
        raise click.UsageError("--until does not go with --draws: every draw has as many trajectories.")
    alone(shard, journal, out=out, plot=plot, json=as_json)
    from entangle.errors import DisagreementWarning
    from entangle.result import Result
    from entangle.resuming import run_shard
    from entangle.study import Study

    loaded = Study.load(study)
    if dry_run:
        forecast(
            scheduler,
            lambda: loaded.dry_run(
                trajectories=trajectories,
                until=until,
                attribution=attribution,
                draws=draws,
                posterior=posterior,
                seed=seed,
                workers=workers,
                journal=journal,
                shard=shard,
            ),
            as_json=as_json,
        )
        return
    step = "simulating" if draws is None else "solving draws"
    with (
        kept(journal),
        cluster(scheduler) as client,
        bar(step, quiet=quiet) as (progress,),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore", DisagreementWarning)  # told below, more loudly
        if shard is not None:
            assert journal is not None
            asked = loaded.asked(
                trajectories=trajectories, seed=seed, until=until, attribution=attribution, draws=draws
            )
            status = run_shard(
                asked,
                shard,
                journal=journal,
                draws=draws,
                posterior=posterior,
                executor=client,
                workers=workers,
                progress=progress,
            )
            tell(status, quiet=quiet)
            return
        if draws is None:
            made: Result | Ensemble = loaded.run(
                trajectories=trajectories,
                seed=seed,
                until=until,
                attribution=attribution,
                executor=client,
                workers=workers,
                progress=progress,
                journal=journal,
            )
        else:
            made = loaded.run(
                trajectories=trajectories,
                seed=seed,
                attribution=attribution,
                draws=draws,
                posterior=posterior,
                executor=client,
                workers=workers,
                progress=progress,
                journal=journal,
            )
    if isinstance(made, Result):
        deliver(made, out=out, plot=plot, as_json=as_json, quiet=quiet)
    else:
        _deliver_draws(made, out=out, plot=plot, as_json=as_json, quiet=quiet)
    _compare(made)


def _deliver_draws(
    ensemble: Ensemble, *, out: Path | None, plot: Path | None, as_json: bool, quiet: bool
) -> None:
    """Write the files that were asked for, then print what draws of the parameters gave."""
    if out is not None:
        with written(out):
            ensemble.save(out)
    if plot is not None:
        draw(ensemble.plot(), plot)
    if as_json:
        import json

        click.echo(json.dumps(ensemble.to_dict(), ensure_ascii=False, indent=2))
    elif not quiet:
        _print(ensemble)
    if ensemble.left_out and (as_json or quiet):
        # the table says so itself
        click.echo(
            f"{len(ensemble.left_out)} of {ensemble.draws + len(ensemble.left_out)} draws could not be "
            "solved and were left out.",
            err=True,
        )


def _print(ensemble: Ensemble) -> None:
    from rich.console import Console

    from entangle.tables.drawn import as_text, render
    from entangle.tables.text import WIDTH

    console = Console(highlight=False)
    if not console.is_terminal:
        click.echo(as_text(ensemble), nl=False)
        return
    # a wider terminal is room for more pacts side by side
    console.width = max(WIDTH, console.width)
    for part in render(ensemble, width=console.width):
        console.print(part)


def _compare(result: Result | Ensemble) -> None:
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
