"""`entangle exact`: solve a study without simulating."""

from __future__ import annotations

from pathlib import Path

import click

from entangle.cli.output import deliver, json_option, out_option, plot_option, study_argument


@click.command("exact")
@study_argument
@out_option("Write the result as netCDF.")
@plot_option("the escalation ladder")
@json_option
def command(study: Path, out: Path | None, plot: Path | None, as_json: bool) -> None:
    """Print the exact probabilities of STUDY, without simulating."""
    from entangle.study import Study

    deliver(Study.load(study).exact(), out=out, plot=plot, as_json=as_json)
