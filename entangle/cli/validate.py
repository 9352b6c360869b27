"""`entangle validate`: every problem of every study, at once."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("validate")
@click.argument("studies", type=click.Path(path_type=Path), nargs=-1, required=True, metavar="STUDY...")
@click.pass_context
def command(context: click.Context, studies: tuple[Path, ...]) -> None:
    """Check studies; name every problem with its line."""
    from entangle.errors import StudyError, printable
    from entangle.study import Study

    bad = 0
    for path in studies:
        try:
            study = Study.load(path)
        except StudyError as error:
            bad += 1
            click.echo(printable(str(error)), err=True)
        else:
            number = len(study.pacts)
            click.echo(f"{path}: valid, {number} pact{'s' if number != 1 else ''}")
    if bad:
        context.exit(2)
