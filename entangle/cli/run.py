"""`entangle run`: simulate a study."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from entangle.cli.output import deliver, json_option, out_option, plot_option, study_argument

if TYPE_CHECKING:
    from entangle.result import Result

#: An exact probability outside the interval at this confidence is a fault, not bad luck.
_ALARM: Final = 1 - 1e-9


@click.command("run")
@study_argument
@click.option(
    "--trajectories",
    type=click.IntRange(1, 2**48),
    metavar="N",
    help="Disputes to simulate for each pact; else as the study says.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**64 - 1),
    metavar="N",
    help="Key of the random numbers; else as the study says.",
)
@click.option(
    "--workers",
    type=click.IntRange(1),
    metavar="N",
    help="Threads; else one for each processor. Never changes a number.",
)
@click.option("--scheduler", metavar="ADDRESS", help="Dask scheduler to run on, such as tcp://host:8786.")
@out_option("Write the result as netCDF.")
@plot_option
@json_option
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
def command(
    study: Path,
    trajectories: int | None,
    seed: int | None,
    workers: int | None,
    scheduler: str | None,
    out: Path | None,
    plot: Path | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Simulate the crises of STUDY under each of its pacts.

    Prints the share of disputes in which each outcome happened, with intervals, beside the exact
    probability.
    """
    if scheduler is not None and workers is not None:
        raise click.UsageError("--workers is for threads; a scheduler has its own workers.")
    from entangle.study import Study

    loaded = Study.load(study)
    with _cluster(scheduler) as client, _bar(quiet) as progress:
        result = loaded.run(
            trajectories=trajectories,
            seed=seed,
            executor=client,
            workers=workers,
            progress=progress,
        )
    deliver(result, out=out, plot=plot, as_json=as_json, quiet=quiet)
    _compare(result)


def _compare(result: Result) -> None:
    """Fail loudly if what was counted cannot have come from the exact law."""
    inside = result.agreement(_ALARM)
    wrong = [
        f"{pact}: {label}"
        for variable in (inside.probability, inside.rung_probability)
        for pact, label in _false(variable)
    ]
    if not wrong:
        return
    click.echo(
        "WARNING: counted and exact probabilities contradict each other (chance of that below "
        f"1e-9 each): {'; '.join(wrong)}. Do not use these numbers, and report the study.",
        err=True,
    )
    raise click.exceptions.Exit(1)


def _false(variable: Any) -> Iterator[tuple[str, str]]:
    dimension = variable.dims[1]
    for pact in variable.pact.values:
        for label in variable[dimension].values:
            if not bool(variable.sel({"pact": pact, dimension: label})):
                yield str(pact), str(label)


@contextmanager
def _cluster(address: str | None) -> Iterator[Any]:
    """Connect to a scheduler, if one was named."""
    if address is None:
        yield None
        return
    import distributed

    from entangle.errors import RunError

    connect: Any = distributed.Client  # untyped
    try:
        client = connect(address, timeout="10s")
    except (OSError, ValueError) as error:
        reason = str(error).strip().partition("\n")[0].rstrip(".")
        raise RunError(f"--scheduler {address}: no answer ({reason}).") from None
    with client:
        yield client


@contextmanager
def _bar(quiet: bool) -> Iterator[Callable[[int, int], None] | None]:
    """Show how far the run is on the terminal's error stream; nothing where there is no terminal."""
    from rich.console import Console

    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield None
        return
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as shown:
        task = shown.add_task("solving", total=None)
        yield lambda done, total: shown.update(task, description="simulating", completed=done, total=total)
