"""`entangle resume`: finish a run from its journal."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import click

from entangle.cli.journals import kept, tell, write
from entangle.cli.output import writable
from entangle.cli.running import bar, cluster, scheduler_option, threads_or_scheduler, workers_option

if TYPE_CHECKING:
    from entangle.clusters import Door


@click.command("resume")
@click.argument("journal", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    callback=writable,
    metavar="FILE",
    help="Where to write the result; else DIR/result.nc.",
)
@workers_option
@scheduler_option
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
def command(
    journal: Path, out: Path | None, workers: int | None, scheduler: Door | None, quiet: bool
) -> None:
    """Play what the journal in DIR lacks, nothing else, and write the result.

    The result has the bits that the run would have given if nothing had ended it. The journal of a shard
    is finished in the same way; its result comes from `entangle merge`.
    """
    threads_or_scheduler(workers, scheduler)
    from entangle.errors import DisagreementWarning
    from entangle.journal import planfile
    from entangle.journal.status import status
    from entangle.resuming import resume
    from entangle.shards import Shard

    if out is not None and planfile.read(journal).shard != Shard():
        raise click.UsageError("--out is for a whole result, and a shard has none: see `entangle merge`.")

    steps = "solving", "playing"
    with (
        kept(journal),
        cluster(scheduler) as client,
        bar(*steps, quiet=quiet) as (solving, progress),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore", DisagreementWarning)  # told below, more loudly
        result = resume(journal, executor=client, workers=workers, solving=solving, progress=progress)
    if result is not None:
        write(result, out or journal / "result.nc", quiet=quiet)
        return
    tell(status(journal)[0], quiet=quiet)
