"""`entangle journal`: what journals hold."""

from __future__ import annotations

from pathlib import Path

import click

from entangle.cli.output import json_option


@click.command("journal")
@click.argument("journals", metavar="DIR...", type=click.Path(path_type=Path), nargs=-1, required=True)
@json_option
def command(journals: tuple[Path, ...], as_json: bool) -> None:
    """Show what the journals in DIR hold and what they lack, and check every file of them."""
    from entangle.journal.status import status

    found = [own for path in journals for own in status(path)]
    if as_json:
        import json

        click.echo(json.dumps([own.to_dict() for own in found], ensure_ascii=False, indent=2))
        return
    for own in found:
        click.echo(str(own))
