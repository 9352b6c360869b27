"""`entangle channels`: through what a pact acts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from entangle.cli.output import draw, json_option, out_option, plot_option, study_argument, written
from entangle.files import write_dataset

if TYPE_CHECKING:
    import xarray as xr


@click.command("channels")
@study_argument
@click.option(
    "--pact", "pacts", multiple=True, metavar="NAME", help="A pact to divide; else all. Repeatable."
)
@click.option(
    "--outcome",
    "outcomes",
    multiple=True,
    metavar="NAME",
    help="An outcome to show, or 'all'; else the headlines. Repeatable.",
)
@click.option(
    "--decades",
    is_flag=True,
    help="Divide what the pact does to risks over the years of [peacetime], by simulation in 16 worlds.",
)
@click.option(
    "--histories",
    type=click.IntRange(1, 2**48),
    metavar="N",
    help="With --decades: histories in each world; else as the study says.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**64 - 1),
    metavar="N",
    help="With --decades: key of the random numbers; else as the study says.",
)
@plot_option("a waterfall of the first pact and outcome")
@out_option("Write all worlds and contributions as netCDF.")
@json_option
def command(
    study: Path,
    pacts: tuple[str, ...],
    outcomes: tuple[str, ...],
    decades: bool,
    histories: int | None,
    seed: int | None,
    plot: Path | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Divide what each pact of STUDY changes over the channels through which it does.

    Prints the exact probabilities without and with the pact, and between them what the challenger's
    policy, the protégé's, the defender's obligation and the material terms add.
    """
    shown = _outcomes(outcomes)
    if not decades and (histories is not None or seed is not None):
        raise click.UsageError("--histories and --seed go with --decades; without it nothing is simulated.")
    from entangle.study import Study

    loaded, asked = Study.load(study), pacts or None
    if decades:
        data = loaded.decade_channels(pacts=asked, histories=histories, seed=seed)
    else:
        data = loaded.channels(pacts=asked)
    drawn = next((name for name in outcomes if name != "all"), "war")
    if out is not None:
        with written(out):
            write_dataset(data, out)
    if plot is not None:
        from entangle.plot import waterfall

        draw(waterfall(data, pact=pacts[0] if pacts else None, outcome=drawn), plot)
    if as_json:
        import json

        click.echo(json.dumps(as_data(data, shown), ensure_ascii=False, indent=2))
        return
    from entangle.tables.channels import as_text

    click.echo(as_text(data, outcomes=shown), nl=False)


def as_data(data: xr.Dataset, outcomes: list[str] | None = None) -> dict[str, Any]:
    """Return the contributions to `outcomes`, or to all, as plain data for JSON."""
    names = [str(name) for name in data.outcome.values] if outcomes is None else outcomes
    channels = [str(name) for name in data.channel.values]
    return {
        "title": data.attrs["title"],
        "method": data.attrs["method"],
        "channels": {name: str(text) for name, text in zip(channels, data.what.values, strict=True)},
        # which channels are on in each of the worlds, in the order of their probabilities
        "worlds": [
            [name for name in channels if data[name].values[world]] for world in range(data.sizes["world"])
        ],
        "pacts": {
            str(pact): {name: _numbers(data.sel(pact=pact, outcome=name), channels) for name in names}
            for pact in data.pact.values
        },
    }


def _numbers(cell: xr.Dataset, channels: list[str]) -> dict[str, Any]:
    return {
        "given": str(cell.given.item()),
        "without_pact": cell.without_pact.item(),
        "with_pact": cell.with_pact.item(),
        "difference": cell.difference.item(),
        "contributions": dict(zip(channels, cell.contribution.values.tolist(), strict=True)),
        "worlds": cell.probability.values.tolist(),
    }


def _outcomes(asked: tuple[str, ...]) -> list[str] | None:
    """Return the outcomes to show, checked before any work; None for the usual ones."""
    if not asked:
        return None
    from entangle.errors import nearest
    from entangle.outcomes import OUTCOMES

    valid = [outcome.name for outcome in OUTCOMES]
    if "all" in asked:
        return valid
    for name in asked:
        if name not in valid:
            raise click.BadParameter(
                f"there is no outcome '{name}'. {nearest(name, valid)}", param_hint="'--outcome'"
            )
    return list(asked)
