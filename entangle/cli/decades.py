"""`entangle decades`: play years of peace and crises under each pact of a study."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from entangle.cli.journals import alone, journal_option, kept, shard_option, tell
from entangle.cli.output import draw, json_option, out_option, plot_option, study_argument, writable, written
from entangle.cli.running import (
    bar,
    cluster,
    dry_run_option,
    forecast,
    scheduler_option,
    seed_option,
    threads_or_scheduler,
    workers_option,
)

if TYPE_CHECKING:
    import xarray as xr

    from entangle.clusters import Door
    from entangle.decades_result import Decades
    from entangle.shards import Shard
    from entangle.study import Study


def _new(context: click.Context, option: click.Parameter, path: Path | None) -> Path | None:
    """Refuse a folder of histories that is there already: none is written over."""
    if path is not None and path.suffix == ".zarr" and path.exists():
        raise click.BadParameter(f"there is already something at '{path}'; name another folder.")
    return writable(context, option, path)


@click.command("decades")
@study_argument
@click.option(
    "--histories",
    type=click.IntRange(1, 2**48),
    metavar="N",
    help="Histories to play under each pact; else as the study says.",
)
@seed_option
@workers_option
@scheduler_option
@journal_option
@shard_option
@out_option("Write the result as netCDF.")
@plot_option("risks over the years, or how long the pacts live")
@click.option(
    "--kind",
    type=click.Choice(["risk", "survival"]),
    help="What --plot draws: how likely --outcome is by the end of each year, or the lives of the pacts; "
    "else the risk.",
)
@click.option(
    "--outcome",
    metavar="NAME",
    help="Whose risk --plot draws, such as nuclear_use, major_war or entanglement; else war.",
)
@click.option(
    "--keep", type=click.IntRange(1), metavar="K", help="Keep the first K histories whole, in --keep-out."
)
@click.option(
    "--keep-out",
    type=click.Path(path_type=Path),
    callback=_new,
    metavar="FILE",
    help="Write the histories that are kept as netCDF; if FILE ends in .zarr, as a folder, a part at a time.",
)
@dry_run_option
@json_option
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
def command(
    study: Path,
    histories: int | None,
    seed: int | None,
    workers: int | None,
    scheduler: Door | None,
    journal: Path | None,
    shard: Shard | None,
    out: Path | None,
    plot: Path | None,
    kind: str | None,
    outcome: str | None,
    keep: int | None,
    keep_out: Path | None,
    dry_run: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Play histories of years and crises under each pact of STUDY, as its table [peacetime] says.

    Solves the crises of each pact in many contexts first, which takes a while and is kept on disk; then
    prints how likely each outcome is to happen over the years, what the pact changes about that, how long it
    lives, and what it costs.
    """
    threads_or_scheduler(workers, scheduler)
    if plot is None and (kind is not None or outcome is not None):
        raise click.UsageError("--kind and --outcome are for the picture; name its file with --plot.")
    if kind == "survival" and outcome is not None:
        raise click.UsageError("--outcome goes with --kind risk; the lives of pacts have none.")
    if (keep is None) != (keep_out is None):
        raise click.UsageError("--keep and --keep-out go together: how many histories, and where to.")
    alone(shard, journal, out=out, plot=plot, keep=keep, json=as_json)
    _check(outcome)
    folder = keep_out is not None and keep_out.suffix == ".zarr"
    if keep_out is not None and folder:
        from entangle.archive import require_zarr

        require_zarr()
    from entangle.files import write_dataset
    from entangle.study import Study

    loaded = Study.load(study)
    if kind == "survival":
        _check_lives(loaded)
    if dry_run:
        forecast(
            scheduler,
            lambda: loaded.dry_run_decades(
                histories=histories, seed=seed, workers=workers, journal=journal, shard=shard
            ),
            as_json=as_json,
        )
        return
    steps = "solving contexts", "playing histories"
    with kept(journal), cluster(scheduler) as client, bar(*steps, quiet=quiet) as (solving, progress):
        if shard is not None:
            assert journal is not None
            from entangle.resuming import decades_shard

            settings = loaded.simulation
            status = decades_shard(
                loaded,
                shard,
                journal=journal,
                histories=settings.histories if histories is None else histories,
                seed=settings.seed if seed is None else seed,
                executor=client,
                workers=workers,
                solving=solving,
                progress=progress,
            )
            tell(status, quiet=quiet)
            return
        result = loaded.decades(
            histories=histories,
            seed=seed,
            keep=() if folder else keep or (),
            executor=client,
            workers=workers,
            solving=solving,
            progress=progress,
            journal=journal,
        )
    if out is not None:
        with written(out):
            result.save(out)
    if keep_out is not None and folder:
        from entangle import archive

        assert keep is not None
        with written(keep_out):
            archive.keep(loaded, keep_out, min(keep, result.number), seed=result.seed)
    elif keep_out is not None:
        assert result.kept is not None
        with written(keep_out):
            write_dataset(result.kept, keep_out)
    if plot is not None:
        from entangle.plot import risk, survival

        draw(survival(result) if kind == "survival" else risk(result, outcome or "war"), plot)
    if as_json:
        import json

        click.echo(json.dumps(as_data(result), ensure_ascii=False, indent=2))
    elif not quiet:
        _print(result)


def _check(outcome: str | None) -> None:
    """Refuse an outcome that there is not, before any work."""
    if outcome is None:
        return
    from entangle.errors import nearest
    from entangle.tables.risks import NAMES

    if outcome not in NAMES:
        raise click.BadParameter(
            f"there is no outcome '{outcome}'. {nearest(outcome, NAMES)}", param_hint="'--outcome'"
        )


def _check_lives(study: Study) -> None:
    """Refuse to draw the lives of pacts where there is none, before any work."""
    if all(pact.is_empty for pact in study.pacts.values()):
        raise click.UsageError("--kind survival: every pact of this study is empty, and has no life to draw.")


def _print(result: Decades) -> None:
    from rich.console import Console

    from entangle.tables.decades import as_text, render
    from entangle.tables.text import WIDTH

    console = Console(highlight=False)
    if not console.is_terminal:
        click.echo(as_text(result), nl=False)
        return
    # a wider terminal is room for more pacts side by side
    console.width = max(WIDTH, console.width)
    for part in render(result, width=console.width):
        console.print(part)


# -- JSON ------------------------------------------------------------------------------------------


def as_data(result: Decades) -> dict[str, Any]:
    """Return a result as plain data for JSON; what is not a number becomes null.

    Risks are those by the end of the last year; the netCDF file holds every year.
    """
    data = result.data
    return {
        "title": data.attrs["title"],
        "method": data.attrs["method"],
        "histories": result.number,
        "years": data.sizes["year"],
        # as text, like in the file: JSON readers keep 53 bits of a number
        "seed": data.attrs["seed"],
        "confidence": float(data.attrs["confidence"]),
        "pacts": {str(pact): _pact(result, str(pact)) for pact in data.pact.values},
    }


def _pact(result: Decades, pact: str) -> dict[str, Any]:
    from entangle.tables.risks import NAMES

    own = result.data.sel(pact=pact)
    last = own.isel(year=-1)
    outcomes = [str(name) for name in own.outcome.values]
    return {
        "risks": {name: _plain(vars(result.risk(pact, name))) for name in NAMES},
        "given": {
            name: _numbers(
                own.sel(outcome=name), "pooled_", ("probability", "lower", "upper", "count", "trials")
            )
            for name in outcomes
            if not math.isnan(own.pooled_trials.sel(outcome=name).item())
        },
        "changes": {
            name: {
                "net": own.horizon_net.sel(outcome=name).item(),
                **_numbers(own.sel(outcome=name), "horizon_", ("net_lower", "net_upper")),
                **_numbers(own.sel(outcome=name), "horizon_", ("caused_count", "averted_count")),
            }
            for name in outcomes
        },
        "life": {
            **{
                str(name): own.status_probability.sel(status=name).values.tolist()
                for name in own.status.values
            },
            "ended_by": {
                str(name): last.ended_by_probability.sel(cause=name).item() for name in own.cause.values[1:]
            },
        },
        "prices": {
            str(actor): {
                "cost": float(own.cost.sel(actor=actor).sum()),
                "burden": float(own.burden.sel(actor=actor).sum()),
                "median_effort": own.effort_quantile.sel(actor=actor, quantile=0.5).values.tolist(),
            }
            for actor in own.actor.values
        },
        "strengths": {
            str(level): _numbers(
                last.sel(level=level), "", ("level_gain", "level_gain_lower", "level_gain_upper")
            )
            for level in own.level.values
        },
        "context_error": own.context_error.item(),
    }


def _numbers(cell: xr.Dataset, prefix: str, names: tuple[str, ...]) -> dict[str, Any]:
    return _plain({name: cell[prefix + name].item() for name in names})


def _plain(numbers: dict[str, Any]) -> dict[str, Any]:
    return {
        name: None if isinstance(value, float) and math.isnan(value) else value
        for name, value in numbers.items()
    }
