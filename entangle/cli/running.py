"""What the commands share that run for a while: where the work goes, and how far it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from entangle.clusters import Door
    from entangle.dry_run import DryRun

Progress = Callable[[int, int], None]

seed_option = click.option(
    "--seed",
    type=click.IntRange(0, 2**64 - 1),
    metavar="N",
    help="Key of the random numbers; else as the study says.",
)
workers_option = click.option(
    "--workers",
    type=click.IntRange(1),
    metavar="N",
    help="Threads; else one for each processor. Never changes a number.",
)


def scheduler_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--scheduler` and what belongs to it; the command is given the way to the scheduler, or None."""

    @click.option(
        "--scheduler",
        metavar="ADDRESS",
        help="Dask scheduler to run on, such as tcp://127.0.0.1:8786; on another machine with TLS only, "
        "tls://host:8786.",
    )
    @click.option(
        "--tls",
        type=(click.Path(path_type=Path), click.Path(path_type=Path), click.Path(path_type=Path)),
        metavar="CA CERT KEY",
        help="Certificates for a tls:// scheduler: of its authority, one's own, and its key, as PEM.",
    )
    @click.option(
        "--trust-network",
        is_flag=True,
        help="Reach a scheduler elsewhere without encryption. Whoever else reaches it can run any code: only "
        "on a network that is closed to others.",
    )
    @wraps(function)
    def told(
        *arguments: Any,
        scheduler: str | None,
        tls: tuple[Path, Path, Path] | None,
        trust_network: bool,
        **named: Any,
    ) -> Any:
        door = _door(scheduler, tls, trust_network=trust_network)
        return function(*arguments, scheduler=door, **named)

    return told


def _door(address: str | None, tls: tuple[Path, Path, Path] | None, *, trust_network: bool) -> Door | None:
    """Return the way to a scheduler, if one was named and it is a safe one."""
    if address is None:
        for name, given in (("--tls", tls), ("--trust-network", trust_network)):
            if given:
                raise click.UsageError(f"{name} says how a scheduler is reached; name it with --scheduler.")
        return None
    from entangle import clusters

    files = None if tls is None else clusters.Tls(*tls)
    door = clusters.checked(address, tls=files, trust_network=trust_network)
    if door.exposed:
        click.echo(f"WARNING: {door.address} is reached without encryption: {clusters.RISK}.", err=True)
    return door


dry_run_option = click.option(
    "--dry-run",
    is_flag=True,
    help="Print how long it would take and how much memory, by a short measurement on this machine; nothing "
    "is simulated or written.",
)


def threads_or_scheduler(workers: int | None, scheduler: Door | None) -> None:
    """Refuse threads and a scheduler at once."""
    if scheduler is not None and workers is not None:
        raise click.UsageError("--workers is for threads; a scheduler has its own workers.")


def forecast(scheduler: Door | None, measure: Callable[[], DryRun], *, as_json: bool) -> None:
    """Print what a run is expected to take, the start of this process included."""
    if scheduler is not None:
        raise click.UsageError("--dry-run measures this machine; it cannot tell about a scheduler's.")
    import time
    from dataclasses import replace

    from entangle.dry_run import Step
    from entangle.tables.dry_run import as_text, render

    started = Step.about("starting", "Python and its libraries", time.process_time(), within=2.0)
    found = measure()
    found = replace(found, steps=(started, *found.steps))
    if as_json:
        import json

        click.echo(json.dumps(found.to_dict(), ensure_ascii=False, indent=2))
        return
    from rich.console import Console

    console = Console(highlight=False)
    if not console.is_terminal:
        click.echo(as_text(found), nl=False)
        return
    for part in render(found):
        console.print(part)


@contextmanager
def cluster(scheduler: Door | None) -> Iterator[Any]:
    """Connect to a scheduler, if one was named."""
    if scheduler is None:
        yield None
        return
    client: Any = scheduler.connect()
    with client:
        yield client


@contextmanager
def bar(*steps: str, quiet: bool) -> Iterator[tuple[Progress | None, ...]]:
    """Show how far the run is on the terminal's error stream; nothing where there is no terminal.

    Parameters
    ----------
    steps
        What is done, one after the other.

    Yields
    ------
    tuple of callables
        For each step what takes (done, total), or None if nothing is shown.
    """
    from rich.console import Console

    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield (None,) * len(steps)
        return
    from rich import progress

    columns = (
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TextColumn("{task.fields[rate]}"),
        progress.TimeRemainingColumn(),
    )
    with progress.Progress(*columns, console=console, transient=True) as shown:
        task = shown.add_task("solving", total=None, rate="")
        now = ""

        def tell(step: str, done: int, total: int) -> None:
            nonlocal now
            if step != now:
                # what is done at first was kept from a run before: it says nothing of rate or time left
                now = step
                shown.reset(task, description=step, completed=done, total=total, rate="")
                return
            speed = shown.tasks[0].speed
            rate = "" if speed is None else f"{speed:.3g}/s"
            shown.update(task, completed=done, total=total, rate=rate)

        def telling(step: str) -> Progress:
            return lambda done, total: tell(step, done, total)

        yield tuple(telling(step) for step in steps)
