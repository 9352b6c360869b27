"""`entangle evidence`: figures of the record, printed, computed again, and held against the engine."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from entangle.cli.output import json_option, out_option, writable, written
from entangle.cli.running import bar, workers_option

if TYPE_CHECKING:
    import xarray as xr

    from entangle.evidence import Moments
    from entangle.evidence.report import Report


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
    moments = _moments(path)
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


@group.command("report")
@click.option(
    "--moments",
    "paths",
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="FILE",
    help="Other figures beside the project's own: .csv or .toml. Repeatable.",
)
@click.option(
    "--posterior", type=click.Path(path_type=Path), metavar="FILE", help="A fit; else the one shipped."
)
@click.option(
    "--draws", type=click.IntRange(1), default=64, show_default=True, metavar="N", help="Draws to use."
)
@click.option(
    "--members",
    type=click.Choice([str(2**k) for k in range(2, 10)]),
    metavar="N",
    help="Size of the population, a power of two; else that of the fit.",
)
@click.option("--no-patterns", is_flag=True, help="Figures alone, in a third of the time.")
@out_option("Write the report as a page of HTML.")
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    callback=writable,
    metavar="FILE",
    help="Write the comparison: .nc, with every draw, or .csv.",
)
@workers_option
def print_report(
    paths: tuple[Path, ...],
    posterior: Path | None,
    draws: int,
    members: str | None,
    no_patterns: bool,
    out: Path | None,
    data: Path | None,
    workers: int | None,
) -> None:
    """Hold the engine at draws of the fitted parameters against the record, misses included.

    Every pattern and every figure: observed against predicted with both intervals, in or out. A figure
    without a side in the engine is named with the reason.
    """
    from entangle.evidence.moments import shipped
    from entangle.evidence.patterns import PATTERNS
    from entangle.evidence.report import OWN, compare
    from entangle.fit import lives

    tables = [(OWN, shipped()), *((str(path), _moments(path)) for path in paths)]
    codes = [moment.code for _, table in tables for moment in table.moments.values()]
    by = lives.fit_lives()
    given = lives.given(by, [code for code in codes if code.startswith("H.")], draws)
    with bar("draws", quiet=False) as (progress,):
        report = compare(
            tables,
            posterior=posterior,
            draws=draws,
            given=given,
            given_by=by,
            members=None if members is None else int(members),
            patterns=() if no_patterns else PATTERNS,
            workers=workers,
            progress=progress,
        )
    _write_report(report, paths, out, data)
    click.echo(report.as_text(), nl=False)


def _write_report(report: Report, paths: tuple[Path, ...], out: Path | None, data: Path | None) -> None:
    """Write a report's page and its data, where they were asked for."""
    from entangle.evidence.report import digest
    from entangle.files import write_whole

    if out is not None:
        page = report.as_html(command=_asked(), sources={str(path): digest(path) for path in paths})
        with written(out):
            write_whole(out, lambda partial: partial.write_text(page, encoding="utf-8"))
    if data is not None:
        with written(data):
            report.save(data)


def _asked() -> str:
    """Return the command as it was given, but for what was left at its default."""
    import shlex

    context = click.get_current_context()
    words = ["entangle", "evidence", str(context.info_name)]
    for option in context.command.params:
        name = option.name or ""
        value = context.params.get(name)
        if context.get_parameter_source(name) is not click.core.ParameterSource.COMMANDLINE:
            continue
        for one in value if isinstance(value, tuple) else (value,):
            words += [option.opts[0]] if one is True else [option.opts[0], str(one)]
    return shlex.join(words)


def _moments(path: Path | None) -> Moments:
    """Read figures from a file of either form; the project's own if there is none."""
    from entangle.evidence import Moments

    is_csv = path is not None and path.suffix.lower() == ".csv"
    return Moments.from_csv(path) if is_csv and path is not None else Moments.load(path)


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
