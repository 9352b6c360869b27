"""`entangle merge`: one result from the journals of shards."""

from __future__ import annotations

import warnings
from pathlib import Path

import click

from entangle.cli.journals import write
from entangle.cli.output import writable
from entangle.cli.running import bar, workers_option


@click.command("merge")
@click.argument("journals", metavar="DIR...", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    callback=writable,
    metavar="FILE",
    required=True,
    help="Where to write the result.",
)
@workers_option
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
def command(journals: tuple[Path, ...], out: Path, workers: int | None, quiet: bool) -> None:
    """Put shares of a run together, from their journals or the folders that hold these.

    Writes the file that a single run would have written. Refuses shares of different plans, shares that
    overlap, and what is not complete. Plays nothing; the games are solved again.
    """
    from entangle.errors import DisagreementWarning
    from entangle.resuming import merge

    with bar("solving", quiet=quiet) as (solving,), warnings.catch_warnings():
        warnings.simplefilter("ignore", DisagreementWarning)  # told below, more loudly
        result = merge(journals, workers=workers, solving=solving)
    write(result, out, quiet=quiet)
