"""`entangle diff`: whether two results agree within their errors, and why their plans differ."""

from __future__ import annotations

from pathlib import Path

import click

from entangle.cli.output import json_option

#: Exit code if the two differ.
DIFFER = 1


@click.command("diff")
@click.argument("first", type=click.Path(path_type=Path), metavar="FIRST.nc")
@click.argument("second", type=click.Path(path_type=Path), metavar="SECOND.nc")
@click.option(
    "--error-probability",
    type=click.FloatRange(0.0, 1.0, min_open=True, max_open=True),
    metavar="P",
    help="Chance to call two results of the same model different, over all comparisons; else 0.001.",
)
@json_option
def command(first: Path, second: Path, error_probability: float | None, as_json: bool) -> None:
    """Say whether two results agree within their Monte Carlo errors, and in what their plans differ.

    Exit code 0: the same bits, or they agree; 1: they differ; 2: they cannot be compared.
    """
    from entangle.difference import ERROR, diff

    found = diff(first, second, error_probability=error_probability or ERROR)
    if as_json:
        import json

        click.echo(json.dumps(found.to_dict(), ensure_ascii=False, indent=2))
    else:
        from rich.console import Console

        console = Console(highlight=False)
        if console.is_terminal:
            for part in found.render():
                console.print(part)
        else:
            click.echo(found.summary(), nl=False)
    if not found.agree:
        raise click.exceptions.Exit(DIFFER)
