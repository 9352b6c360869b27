"""`entangle treaties`: the defence pacts of a year, by what they deter and into what they entangle."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from entangle.cli.output import draw, json_option, out_option, plot_option, written
from entangle.cli.running import bar, workers_option

if TYPE_CHECKING:
    import xarray as xr


@click.command("treaties")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--year", type=click.IntRange(1816, 2100), required=True, help="Whose pacts and figures.")
@click.option(
    "--challenger",
    default="typical",
    show_default=True,
    metavar="STATE",
    help="A state by name or code; 'typical'; or 'rival', whom each protégé met most often in disputes.",
)
@click.option(
    "--draws", type=click.IntRange(1), default=50, show_default=True, help="Draws of the posterior."
)
@click.option(
    "--posterior",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A fit of yours; else the shipped one.",
)
@click.option(
    "--nodes",
    type=click.IntRange(1),
    default=9,
    show_default=True,
    help="Strengths of a typical challenger to average over.",
)
@click.option("--full", is_flag=True, help="Games of five types and twelve rounds; else of three and six.")
@workers_option
@plot_option("deterrence against entanglement")
@out_option("Write every number, draw by draw, as netCDF.")
@json_option
@click.option("--quiet", is_flag=True, help="Show no progress.")
def command(
    folder: Path,
    year: int,
    challenger: str,
    draws: int,
    posterior: Path | None,
    nodes: int,
    full: bool,
    workers: int | None,
    plot: Path | None,
    out: Path | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Run every bilateral defence pact of a year between its members.

    FOLDER has your copies of ATOP 4.01 and NMC 7, in it or in atop and nmc below it; regimes and, for rivals,
    MID 5.0 in regime and mid.
    """
    from entangle.treaties import rank

    with bar("solving", quiet=quiet) as (progress,):
        data = rank(
            folder,
            year,
            challenger=challenger,
            draws=draws,
            posterior=posterior,
            nodes=nodes,
            full=full,
            workers=workers,
            progress=progress,
        )
    if out is not None:
        from entangle.files import write_dataset

        with written(out):
            write_dataset(data, out)
    if plot is not None:
        from entangle.plot import treaties

        draw(treaties(data), plot)
    if as_json:
        click.echo(json.dumps(as_data(data), ensure_ascii=False, indent=2))
        return
    from entangle.tables.treaties import treaties_as_text

    click.echo(treaties_as_text(data), nl=False)


def as_data(data: xr.Dataset) -> dict[str, Any]:
    """Return ranked treaties as plain data for JSON; what is no finite number becomes null."""
    from entangle.tables.treaties import ordered
    from entangle.treaties.summary import LEVELS, MEASURES, summary

    whole = summary(data)
    ends = dict(zip(("lower", "median", "upper"), LEVELS, strict=True))
    found = []
    for row in ordered(whole):
        cell = whole.sel(treaty=row.treaty, direction=row.direction)
        names = (*MEASURES, *(f"rank_{name}" for name in MEASURES))
        found.append(
            row._asdict()
            | {name: str(cell[name].item()) for name in ("protege", "defender", "challenger")}
            | {"atopid": int(cell.atopid), "unsolved": int(cell.unsolved)}
            | {
                name: {end: _plain(cell[name].sel(level=level).item()) for end, level in ends.items()}
                for name in names
            }
            | {
                "outweighs": {
                    str(name): _plain(cell.outweighs.sel(measure=name).item())
                    for name in whole.measure.values
                }
            }
        )
    attrs = data.attrs
    return {
        "title": attrs["title"],
        "challenger": attrs["challenger"],
        "draws": data.sizes["draw"],
        "promises": found,
        "left_out": json.loads(attrs["left_out"]),
        "assumptions": json.loads(attrs["assumptions"]),
    }


def _plain(value: float) -> float | None:
    return value if math.isfinite(value) else None
