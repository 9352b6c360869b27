"""`entangle fit`: the engine's parameters from the record, and how sure anyone can be of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from entangle.cli.output import out_option
from entangle.cli.running import cluster, scheduler_option, threads_or_scheduler

if TYPE_CHECKING:
    from entangle.clusters import Door
    from entangle.fit.fitting import Progress


@click.command("fit")
@click.option("--quick", is_flag=True, help="A few minutes' work: a smaller population, fewer particles.")
@click.option(
    "--moments",
    "path",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Other figures: .toml like the project's own, or .csv.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**64 - 1),
    default=1,
    show_default=True,
    metavar="N",
    help="Key of the random numbers.",
)
@out_option("Where the posterior goes, as netCDF; else posterior.nc here, if there is none.")
@click.option(
    "--checkpoint",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Keep the state here after every round, and go on from what is there.",
)
@click.option(
    "--workers",
    type=click.IntRange(1),
    metavar="N",
    help="Processes; else one for each processor. Never changes a number.",
)
@scheduler_option
@click.option("--quiet", is_flag=True, help="Show no progress.")
def command(
    quick: bool,
    path: Path | None,
    seed: int,
    out: Path | None,
    checkpoint: Path | None,
    workers: int | None,
    scheduler: Door | None,
    quiet: bool,
) -> None:
    """Fit the engine to the record of disputes and crises.

    A full fit takes an hour or two on two processors. Stopped, it goes on from its checkpoint, to the same
    bits.
    """
    threads_or_scheduler(workers, scheduler)
    if out is None:
        out = Path("posterior.nc")
        if out.exists():
            raise click.UsageError("posterior.nc is here already; say with --out where the posterior goes.")
    from entangle.evidence import Moments
    from entangle.fit.fitting import fit
    from entangle.fit.posterior import save
    from entangle.fit.table import figures_as_text
    from entangle.learning.learned import learned
    from entangle.learning.table import learned_as_text

    is_csv = path is not None and path.suffix.lower() == ".csv"
    moments = Moments.from_csv(path) if is_csv and path is not None else Moments.load(path)
    with cluster(scheduler) as client, _shown(quiet=quiet) as progress:
        try:
            found = fit(
                moments,
                quick=quick,
                seed=seed,
                checkpoint=checkpoint,
                executor=client,
                workers=workers,
                progress=progress,
            )
        except KeyboardInterrupt:
            if checkpoint is not None:
                click.echo(f"Stopped. The same command goes on from {checkpoint}.", err=True)
            raise
    save(found, out)
    click.echo(learned_as_text(learned(found)), nl=False)
    click.echo(figures_as_text(found), nl=False)
    click.echo(f"Written to {out}.")


@contextmanager
def _shown(*, quiet: bool) -> Iterator[Progress | None]:
    """Show how far the fit is; nothing where there is no terminal."""
    from rich.console import Console

    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield None
        return
    from rich import progress

    columns = (
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.TextColumn("temperature {task.completed:.3f}"),
        progress.TextColumn("{task.fields[done]:,} evaluations"),
        progress.TimeElapsedColumn(),
    )
    with progress.Progress(*columns, console=console, transient=True) as bars:
        task = bars.add_task("fit", total=1.0, done=0)
        yield lambda what, temperature, done: bars.update(
            task, description=what, completed=temperature, done=done
        )
