"""`entangle sample`: disputes drawn on the condition of an outcome, however rare."""

from __future__ import annotations

from pathlib import Path

import click

from entangle.cli.output import out_option, study_argument, written

_RULE = "-" * 80


@click.command("sample")
@study_argument
@click.option(
    "--given", "outcome", required=True, metavar="OUTCOME", help="Such as nuclear_use or major_war."
)
@click.option("--pact", metavar="NAME", help="The pact; else the first that is not empty.")
@click.option("--number", type=click.IntRange(1), default=1, metavar="K", show_default=True, help="Disputes.")
@click.option("--seed", type=click.IntRange(0, 2**64 - 1), metavar="N", help="Else as the study says.")
@out_option("Write the disputes as netCDF instead of telling them.")
def command(
    study: Path, outcome: str, pact: str | None, number: int, seed: int | None, out: Path | None
) -> None:
    """Draw disputes of STUDY that end in OUTCOME, and tell them as stories.

    However rare the outcome is, no dispute is drawn in vain, and each has the chance that it has among the
    simulated disputes with that outcome.
    """
    from entangle.study import Study
    from entangle.tables.text import number as percent

    drawn = Study.load(study).sample_given(outcome, n=number, pact=pact, seed=seed)
    click.echo(
        f"{outcome} under {drawn.pact}: exactly {percent(drawn.probability)} % of disputes. "
        f"Drawn among them: {number}.\n"
    )
    if out is not None:
        with written(out):
            drawn.save(out)
        return
    for draw in range(number):
        if draw:
            click.echo(f"\n{_RULE}\n")
        click.echo(drawn.replay(draw).story(), nl=False)
