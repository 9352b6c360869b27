"""`entangle schema`: the JSON Schema of a study, for editors."""

from __future__ import annotations

from pathlib import Path

import click

from entangle.cli.output import out_option


@click.command("schema")
@out_option("Write it to a file instead of the screen.")
def command(out: Path | None) -> None:
    """Print the JSON Schema of a study, for editors that check as you type."""
    import json

    from entangle.study import schema

    text = json.dumps(schema(), ensure_ascii=False, indent=2)
    if out is None:
        click.echo(text)
        return
    from entangle.errors import RunError
    from entangle.files import write_whole

    try:
        write_whole(out, lambda partial: partial.write_text(text + "\n", encoding="utf-8"))
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise RunError(f"{out}: cannot be written ({reason}).") from None
