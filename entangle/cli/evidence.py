"""`entangle evidence`: figures of the record, printed, and computed again."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from entangle.cli.output import json_option

if TYPE_CHECKING:
    import xarray as xr

    from entangle.evidence import Moments


@click.group("evidence")
def group() -> None:
    """The record that the engine is held against, and what it says."""


@group.command("moments")
@click.option(
    "--moments",
    "path",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Other figures: .toml like the project's own, or .csv.",
)
@json_option
def print_moments(path: Path | None, as_json: bool) -> None:
    """Print the figures: value, interval, cases, and the engine's side or why it has none."""
    from entangle.evidence import Moments

    is_csv = path is not None and path.suffix.lower() == ".csv"
    moments = Moments.from_csv(path) if is_csv and path is not None else Moments.load(path)
    if as_json:
        _print_json(as_data(moments))
        return
    from entangle.evidence.table import as_text

    click.echo(as_text(moments), nl=False)


@group.command("recompute")
@click.argument("folder", type=click.Path(path_type=Path))
@json_option
def print_recomputed(folder: Path, as_json: bool) -> None:
    """Compute the figures again from the data in FOLDER, and hold them against the stored ones.

    FOLDER has your copies of MID 5.0, ICB 15, ATOP 4.01 and NMC 7, in it or in mid, icb, atop and nmc below
    it. What needs other data, or a file that is not there, is named and left out.
    """
    from entangle.evidence import recompute

    data = recompute(folder)
    if as_json:
        _print_json(recomputed_as_data(data))
        return
    from entangle.evidence.table import recomputed_as_text

    click.echo(recomputed_as_text(data), nl=False)


def as_data(moments: Moments) -> dict[str, Any]:
    """Return figures as plain data for JSON; those made of two with their value and interval."""
    targets = {target.name: target for target in moments.targets()}
    return {
        "moments": {
            name: m.to_dict() | {"estimand_in_words": None if m.estimand is None else str(m.estimand)}
            for name, m in moments.moments.items()
        },
        "combined": {
            name: made.to_dict()
            | {
                "value": targets[name].value,
                "lower": targets[name].lower,
                "upper": targets[name].upper,
                "estimand_in_words": str(made.estimand),
            }
            for name, made in moments.combined.items()
        },
    }


def recomputed_as_data(data: xr.Dataset) -> list[dict[str, Any]]:
    """Return stored against computed figures as plain data; what is no finite number becomes null."""
    return [
        {"moment": str(data.moment[i].item())}
        | {str(name): _plain(data[name][i].item()) for name in ("code", "family", *data.data_vars)}
        for i in range(len(data.moment))
    ]


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _print_json(value: Any) -> None:
    import json

    click.echo(json.dumps(value, ensure_ascii=False, indent=2))
