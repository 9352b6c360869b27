"""`entangle verify`: a part of a result made again, bit for bit."""

from __future__ import annotations

from pathlib import Path

import click

from entangle.cli.output import json_option
from entangle.cli.running import bar, workers_option

#: Exit code if the bits are others.
WRONG = 1


@click.command("verify")
@click.argument("result", type=click.Path(path_type=Path), metavar="RESULT.nc")
@click.option(
    "--blocks",
    type=click.IntRange(1),
    metavar="N",
    help="Stretches of trajectories, blocks of histories or draws to play again; else 16. A result that has "
    "no more is made again whole.",
)
@click.option("--all", "everything", is_flag=True, help="Make all of it again.")
@click.option(
    "--sample",
    type=click.IntRange(0, 2**64 - 1),
    metavar="N",
    help="Play other ones again: each number chooses its own, always the same.",
)
@click.option("--cached", is_flag=True, help="Take solved contexts from the cache instead of solving anew.")
@workers_option
@json_option
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
def command(
    result: Path,
    blocks: int | None,
    everything: bool,
    sample: int | None,
    cached: bool,
    workers: int | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Solve the games of RESULT.nc again, play a part of it again, and compare bits.

    Exit code 0: the same bits; 1: others; 2: it cannot be read, or not be verified by this version.
    """
    if everything and blocks is not None:
        raise click.UsageError("--all is for all of it, --blocks for a part.")
    import os

    from entangle.verification import BLOCKS, SAMPLE, verify

    if not cached:
        os.environ["ENTANGLE_CACHE"] = "off"
    with bar("verifying", quiet=quiet) as (progress,):
        found = verify(
            result,
            blocks=None if everything else blocks or BLOCKS,
            sample=SAMPLE if sample is None else sample,
            workers=workers,
            progress=progress,
        )
    if as_json:
        import json

        click.echo(json.dumps(found.to_dict(), ensure_ascii=False, indent=2))
    elif not quiet:
        click.echo(found.summary(), nl=False)
    if not found.right:
        raise click.exceptions.Exit(WRONG)
