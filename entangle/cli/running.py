"""What the commands share that run for a while: where the work goes, and how far it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

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
scheduler_option = click.option(
    "--scheduler", metavar="ADDRESS", help="Dask scheduler to run on, such as tcp://host:8786."
)


def threads_or_scheduler(workers: int | None, scheduler: str | None) -> None:
    """Refuse threads and a scheduler at once."""
    if scheduler is not None and workers is not None:
        raise click.UsageError("--workers is for threads; a scheduler has its own workers.")


@contextmanager
def cluster(address: str | None) -> Iterator[Any]:
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
