"""The command line. Each command is a file, imported when it is called; help imports nothing numerical.

Exit codes: 0 done, 1 a run that failed, 2 an input that breaks a rule, 130 interrupted.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

import click

#: Where each command lives.
_COMMANDS: Final = {
    "run": "entangle.cli.run:command",
    "decades": "entangle.cli.decades:command",
    "resume": "entangle.cli.resume:command",
    "merge": "entangle.cli.merge:command",
    "journal": "entangle.cli.journal:command",
    "batch": "entangle.cli.batch:group",
    "exact": "entangle.cli.exact:command",
    "clauses": "entangle.cli.clauses:command",
    "sample": "entangle.cli.sample:command",
    "compare": "entangle.cli.compare:command",
    "diff": "entangle.cli.diff:command",
    "verify": "entangle.cli.verify:command",
    "explain": "entangle.cli.explain:command",
    "channels": "entangle.cli.channels:command",
    "validate": "entangle.cli.validate:command",
    "atop": "entangle.cli.atop:group",
    "evidence": "entangle.cli.evidence:group",
    "fit": "entangle.cli.fit:command",
    "sensitivity": "entangle.cli.sensitivity:group",
    "treaties": "entangle.cli.treaties:command",
    "schema": "entangle.cli.schema:command",
    "warm": "entangle.cli.warm:command",
}

FAILED: Final = 1
BAD_INPUT: Final = 2
INTERRUPTED: Final = 130


class Lazy(click.Group):
    """A group that imports a command when it is asked for, and tells an error once and plainly."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order in which they are met."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        if cmd_name not in _COMMANDS:
            return None
        module, _, name = _COMMANDS[cmd_name].partition(":")
        found: click.Command = getattr(import_module(module), name)
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find a command, with a hint if it is misspelt."""
        if args and args[0] not in _COMMANDS and not args[0].startswith("-"):
            from entangle.errors import nearest

            ctx.fail(f"No such command '{args[0]}'. {nearest(args[0], _COMMANDS)}")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; turn this package's errors into a message and an exit code."""
        from entangle.errors import (
            ClusterError,
            DataError,
            EntangleError,
            JournalError,
            ResultError,
            StudyError,
            printable,
        )

        try:
            return super().invoke(ctx)
        except EntangleError as error:
            click.echo(printable(str(error)), err=True)
            bad_input = isinstance(error, StudyError | DataError | ResultError | JournalError | ClusterError)
            ctx.exit(BAD_INPUT if bad_input else FAILED)
        except KeyboardInterrupt:
            click.echo("Interrupted.", err=True)
            ctx.exit(INTERRUPTED)


def _show_version(ctx: click.Context, _: click.Parameter, asked: bool) -> None:
    if asked and not ctx.resilient_parsing:
        from entangle import __version__

        click.echo(f"entangle {__version__}")
        ctx.exit()


@click.group("entangle", cls=Lazy)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_version,
    help="Show the version and exit.",
)
def cli() -> None:
    """Crisis risks of security pacts: deterrence, escalation, abandonment, entanglement."""


def main() -> None:
    """Run the command line."""
    cli(prog_name="entangle")
