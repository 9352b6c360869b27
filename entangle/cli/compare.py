"""`entangle compare`: two pacts of a result, dispute by dispute."""

from __future__ import annotations

from pathlib import Path

import click

from entangle.cli.output import json_option


@click.command("compare")
@click.argument("result", type=click.Path(path_type=Path), metavar="RESULT.nc")
@click.argument("first")
@click.argument("second")
@json_option
def command(result: Path, first: str, second: str, as_json: bool) -> None:
    """Compare the pacts FIRST and SECOND of RESULT.nc on common random numbers.

    Prints the difference and the ratio of every outcome's probability with paired intervals, and how much of
    the variance the pairing saves.
    """
    from entangle.result import Result

    compared = Result.load(result).compare(first, second)
    if not as_json:
        click.echo(compared.summary(), nl=False)
        return
    import json

    click.echo(json.dumps(compared.to_dict(), ensure_ascii=False, indent=2))
