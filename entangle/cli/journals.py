"""What the commands share that keep a journal, or go on from one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from entangle.decades_result import Decades
    from entangle.ensemble import Ensemble
    from entangle.journal.status import Status
    from entangle.result import Result
    from entangle.shards import Shard


def _shard(_: click.Context, __: click.Parameter, text: str | None) -> Shard | None:
    if text is None:
        return None
    from entangle.shards import Shard

    return Shard.read(text)


journal_option = click.option(
    "--journal",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Keep what is done in this folder, so that a run that ended before its time can go on: with the "
    "same command, or `entangle resume DIR`.",
)
shard_option = click.option(
    "--shard",
    callback=_shard,
    metavar="I/N",
    help="Play share I of N alone, counted from 0, and keep it in the --journal; `entangle merge` puts "
    "shares together. `auto/N` or `auto` learn I from a SLURM array or an Indexed Job of Kubernetes.",
)


def alone(shard: Shard | None, journal: Path | None, **others: object) -> None:
    """Refuse a shard without a journal, or with what only a whole run gives."""
    if shard is None:
        return
    if journal is None:
        raise click.UsageError("--shard keeps its share in a journal; name its folder with --journal.")
    for name, given in others.items():
        if given:
            raise click.UsageError(
                f"--{name.replace('_', '-')} is for a whole result, and a shard has none: `entangle merge` "
                "gives it."
            )


@contextmanager
def kept(journal: Path | None) -> Iterator[None]:
    """Say where to go on if the run is interrupted."""
    try:
        yield
    except KeyboardInterrupt:
        if journal is not None:
            click.echo(f"What was done is kept in {journal}: `entangle resume` goes on from there.", err=True)
        raise


def tell(status: Status, *, quiet: bool) -> None:
    """Say what a shard has done."""
    if not quiet:
        click.echo(str(status))


def write(result: Result | Decades | Ensemble, out: Path, *, quiet: bool) -> None:
    """Write a result and say so; fail loudly if what was counted cannot have come from the exact law."""
    from entangle.cli.output import written

    with written(out):
        result.save(out)
    if not quiet:
        click.echo(repr(result))
        click.echo(f"written to {out}")
    disagreements = getattr(result, "disagreements", None)
    wrong = disagreements() if disagreements is not None else []
    if wrong:
        click.echo(
            "WARNING: counted and exact probabilities contradict each other (chance of that below "
            f"1e-9 each): {'; '.join(wrong)}. Do not use these numbers, and report the study.",
            err=True,
        )
        raise click.exceptions.Exit(1)
