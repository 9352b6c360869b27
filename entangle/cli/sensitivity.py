"""`entangle sensitivity`: what was learned of the parameters, and what of that matters."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from entangle.cli.output import draw, json_option, out_option, plot_option, study_argument, written
from entangle.cli.running import bar, workers_option

if TYPE_CHECKING:
    import numpy as np
    import xarray as xr
    from numpy.typing import NDArray

    from entangle.study import Study

posterior_option = click.option(
    "--posterior", type=click.Path(path_type=Path), metavar="FILE", help="A fit; else the one shipped."
)
draws_option = click.option(
    "--draws", type=click.IntRange(1), default=200, show_default=True, metavar="N", help="Draws to use."
)
pact_option = click.option("--pact", metavar="NAME", help="Which pact; else the first that is not empty.")
outcome_option = click.option(
    "--outcome", "outcomes", multiple=True, metavar="NAME", help="Only this; else headlines. Repeatable."
)
entanglement_option = click.option(
    "--entanglement", is_flag=True, help="Have entanglement too, exactly; takes several times as long."
)


def grid_option(default: str) -> Callable[[Any], Any]:
    """Return the option `--grid`."""
    return click.option(
        "--grid",
        type=click.Choice(["study", "coarse"]),
        default=default,
        show_default=True,
        help="Types and rounds: the study's own, or those of the fit, about ten times as fast.",
    )


@click.group("sensitivity")
def group() -> None:
    """What the record taught about the parameters, what it could not, and what of that matters."""


@group.command("learned")
@posterior_option
@plot_option("prior against posterior of every parameter")
@out_option("Write it as netCDF.")
@json_option
def print_learned(posterior: Path | None, plot: Path | None, out: Path | None, as_json: bool) -> None:
    """Print prior against posterior of every parameter, those of which most was learned first."""
    from entangle.learning.learned import learned

    data = learned(_fit(posterior))
    if plot is not None:
        from entangle.plot import learned as picture

        draw(picture(data), plot)
    if as_json:
        columns = {str(name): data[name].values.tolist() for name in data.data_vars}
        rows = {
            str(name): {column: values[i] for column, values in columns.items()}
            for i, name in enumerate(data.parameter.values)
        }
        _deliver(data, out, rows)
        return
    from entangle.learning.table import learned_as_text

    _deliver(data, out, learned_as_text(data))


@group.command("left-out")
@posterior_option
@out_option("Write it as netCDF.")
@json_option
def print_left_out(posterior: Path | None, out: Path | None, as_json: bool) -> None:
    """Print what the fit foretells of each figure of the record without having seen it."""
    from entangle.learning.left_out import left_out

    with bar("predicting", quiet=as_json) as (predicting,):
        data = left_out(_fit(posterior), progress=predicting)
    if as_json:
        rows = {
            str(code): {str(name): _plain(data[name].sel(figure=code).item()) for name in data.data_vars}
            for code in data.figure.values
        }
        _deliver(data, out, rows)
        return
    from entangle.learning.table import left_out_as_text

    _deliver(data, out, left_out_as_text(data))


@group.command("tornado")
@study_argument
@pact_option
@outcome_option
@entanglement_option
@posterior_option
@draws_option
@grid_option("study")
@workers_option
@plot_option("the first outcome (else war) as a tornado")
@out_option("Write it as netCDF.")
@json_option
def print_tornado(
    study: Path,
    pact: str | None,
    outcomes: tuple[str, ...],
    entanglement: bool,
    posterior: Path | None,
    draws: int,
    grid: str,
    workers: int | None,
    plot: Path | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Put each parameter of STUDY at its 5 % and 95 % quantile, all others at their medians."""
    from entangle.learning.tornado import tornado

    given = _given(study, posterior, draws, (pact,), outcomes, entanglement)
    with bar("solving", quiet=as_json) as (solving,):
        data = tornado(
            given.study,
            given.draws,
            pact=pact,
            outcomes=outcomes or None,
            entanglement=entanglement,
            coarse=grid == "coarse",
            workers=workers,
            progress=solving,
        )
    if plot is not None:
        from entangle.plot import tornado as picture

        draw(picture(data, outcome=outcomes[0] if outcomes else "war"), plot)
    if as_json:
        names = [str(name) for name in data.parameter.values]
        quantities = [str(name) for name in data.quantity.values]
        table: dict[str, Any] = {"pact": data.attrs["pact"], "base": {}, "parameters": {}}
        for outcome in map(str, data.outcome.values):
            cell = data.sel(outcome=outcome)
            table["base"][outcome] = {q: _plain(cell.base.sel(quantity=q).item()) for q in quantities}
            table["parameters"][outcome] = {
                name: {
                    q: [_plain(value) for value in cell["at"].sel(parameter=name, quantity=q).values.tolist()]
                    for q in quantities
                }
                for name in names
            }
        _deliver(data, out, table)
        return
    from entangle.learning.table import tornado_as_text

    _deliver(data, out, tornado_as_text(data))


@group.command("sobol")
@study_argument
@pact_option
@outcome_option
@entanglement_option
@posterior_option
@draws_option
@click.option(
    "--samples", type=click.IntRange(16), default=128, show_default=True, metavar="N", help="Power of two."
)
@click.option("--prior", "from_prior", is_flag=True, help="Over the priors instead of the posterior.")
@grid_option("coarse")
@workers_option
@out_option("Write the Sobol indices as netCDF.")
@json_option
def print_sobol(
    study: Path,
    pact: str | None,
    outcomes: tuple[str, ...],
    entanglement: bool,
    posterior: Path | None,
    draws: int,
    samples: int,
    from_prior: bool,
    grid: str,
    workers: int | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Print Sobol indices of outcomes of STUDY, and what its parameters foretell over joint draws."""
    from entangle.learning.sobol import explained_by_draws, sobol_indices
    from entangle.learning.spread import posterior as marginals
    from entangle.learning.spread import prior
    from entangle.learning.sweep import acting, sweep

    given = _given(study, posterior, draws, (pact,), outcomes, entanglement)
    names = acting(given.study, given.draws)
    spread = prior(names) if from_prior else marginals(given.draws, names)
    name = given.study.first_pact if pact is None else pact
    joint = None
    with bar("solving samples", "solving draws", quiet=as_json) as (first, second):
        data = sobol_indices(
            given.study,
            spread,
            pact=name,
            outcomes=outcomes or None,
            samples=samples,
            entanglement=entanglement,
            coarse=grid == "coarse",
            workers=workers,
            progress=first,
        )
        if not from_prior:
            solved = sweep(
                given.study,
                given.draws,
                pacts=[name],
                entanglement=entanglement,
                coarse=grid == "coarse",
                workers=workers,
                progress=second,
            )
            joint = explained_by_draws(
                solved, given.draws, given.study, pact=name, outcomes=outcomes or None, groups=given.groups
            )
    if as_json:
        _deliver(data, out, _indices(data, joint))
        return
    from entangle.learning.table import sobol_as_text

    _deliver(data, out, sobol_as_text(data, joint))


@group.command("knowing")
@study_argument
@click.option("--first", required=True, metavar="NAME", help="One of the two pacts to choose from.")
@click.option("--second", metavar="NAME", help="The other; else no pact at all.")
@click.option(
    "--loss", metavar="OUTCOME", help="What is to be rare; else the defender's expected payoff decides."
)
@posterior_option
@draws_option
@grid_option("study")
@workers_option
@out_option("Write it as netCDF.")
@json_option
def print_knowing(
    study: Path,
    first: str,
    second: str | None,
    loss: str | None,
    posterior: Path | None,
    draws: int,
    grid: str,
    workers: int | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Print what it would be worth to know each parameter for the choice between two pacts of STUDY."""
    from entangle.learning.knowing import knowing
    from entangle.learning.sweep import ENTANGLEMENT, sweep
    from entangle.solving import EMPTY

    asked = () if loss is None else (loss,)
    given = _given(study, posterior, draws, (first, second), asked, loss == ENTANGLEMENT)
    with bar("solving", quiet=as_json) as (solving,):
        data = sweep(
            given.study,
            given.draws,
            pacts=[first, *([] if second is None else [second])],
            entanglement=loss == ENTANGLEMENT,
            coarse=grid == "coarse",
            workers=workers,
            progress=solving,
        )
    worth = knowing(
        data,
        given.draws,
        given.study,
        first=first,
        second=EMPTY if second is None else second,
        loss=loss,
        groups=given.groups,
    )
    if as_json:
        single = ("all", "all_error", "gain", "gain_error", "better")
        columns = ("value", "value_error", "value_cross_validated")
        _deliver(
            worth,
            out,
            {
                "first": first,
                "second": worth.attrs["second"],
                "measure": worth.attrs["measure"],
                "units": worth.value.attrs["units"],
                **{name: worth[name].item() for name in single},
                "parameters": {
                    str(name): {column: worth[column].sel(parameter=name).item() for column in columns}
                    for name in worth.parameter.values
                },
            },
        )
        return
    from entangle.learning.table import knowing_as_text

    _deliver(worth, out, knowing_as_text(worth))


@group.command("ranks")
@study_argument
@click.option("--pact", "pacts", multiple=True, metavar="NAME", help="Rank only these; else all. Repeatable.")
@outcome_option
@entanglement_option
@posterior_option
@draws_option
@grid_option("study")
@workers_option
@out_option("Write it as netCDF.")
@json_option
def print_ranks(
    study: Path,
    pacts: tuple[str, ...],
    outcomes: tuple[str, ...],
    entanglement: bool,
    posterior: Path | None,
    draws: int,
    grid: str,
    workers: int | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Print how often each pact of STUDY ranks first, second and so on over draws of the parameters."""
    from entangle.learning.ranks import ranks
    from entangle.learning.sweep import sweep

    given = _given(study, posterior, draws, pacts, outcomes, entanglement)
    names = list(pacts or given.study.pacts)
    with bar("solving", quiet=as_json) as (solving,):
        solved = sweep(
            given.study,
            given.draws,
            pacts=names,
            entanglement=entanglement,
            coarse=grid == "coarse",
            workers=workers,
            progress=solving,
        )
    data = ranks(solved, pacts=names, outcomes=outcomes or None)
    if as_json:
        table = {}
        for outcome in map(str, data.outcome.values):
            cell = data.sel(outcome=outcome)
            table[outcome] = {
                "changed": _plain(cell.changed.item()),
                "turned": _plain(cell.turned.item()),
                "draws": cell.draws.item(),
                "mean": {name: _plain(cell["mean"].sel(pact=name).item()) for name in names},
                "share": {
                    name: [_plain(x) for x in cell.share.sel(pact=name).values.tolist()] for name in names
                },
                "above": {
                    name: {other: _plain(cell.above.sel(pact=name, other=other).item()) for other in names}
                    for name in names
                },
            }
        _deliver(data, out, table)
        return
    from entangle.learning.table import ranks_as_text

    _deliver(data, out, ranks_as_text(data))


# -- what they share ---------------------------------------------------------------------------------


class _Given(NamedTuple):
    """A study and the draws to look at it with; draws of the same group may be alike."""

    study: Study
    draws: list[dict[str, float]]
    groups: NDArray[np.int64]


def _fit(path: Path | None) -> xr.DataTree:
    if path is None:
        from entangle.fit.draws import shipped

        return shipped()
    from entangle.fit.posterior import load

    return load(path)


def _given(
    study: Path,
    posterior: Path | None,
    number: int,
    pacts: tuple[str | None, ...],
    outcomes: tuple[str, ...],
    entanglement: bool,
) -> _Given:
    """Read study and draws; refuse pacts and outcomes that there are not before any work."""
    from entangle.errors import StudyError, nearest
    from entangle.fit.draws import draws
    from entangle.learning.sweep import ENTANGLEMENT
    from entangle.outcomes import OUTCOMES
    from entangle.study import Study

    loaded = Study.load(study)
    loaded.named([name for name in pacts if name is not None] or None)
    valid = [outcome.name for outcome in OUTCOMES] + [ENTANGLEMENT] * entanglement
    for name in outcomes:
        if name not in valid:
            raise StudyError.single(
                "outcome", rule="must be an outcome", got=repr(name), do=nearest(name, valid)
            )
    fit = _fit(posterior)
    family = fit["sample_stats"].to_dataset()["family"].values.ravel()
    return _Given(loaded, draws(number, posterior=fit), family[:number])


def _indices(data: xr.Dataset, joint: xr.Dataset | None) -> dict[str, Any]:
    """Return indices as plain data for JSON."""
    found: dict[str, Any] = {
        name: data.attrs[name] for name in ("pact", "samples", "points", "unsolved", "spread", "assumption")
    }
    table: dict[str, Any] = {}
    for outcome in map(str, data.outcome.values):
        table[outcome] = {}
        for quantity in map(str, data.quantity.values):
            cell = data.sel(outcome=outcome, quantity=quantity)
            rows = {}
            for name in map(str, data.parameter.values):
                own = cell.sel(parameter=name)
                columns = (
                    "first",
                    "first_lower",
                    "first_upper",
                    "total",
                    "total_lower",
                    "total_upper",
                    "lost",
                )
                rows[name] = {column: _plain(own[column].item()) for column in columns}
                if joint is not None:
                    share = joint.sel(outcome=outcome, quantity=quantity, parameter=name)
                    rows[name] |= {
                        "first_of_draws": _plain(share["first"].item()),
                        "first_of_draws_error": _plain(share.first_error.item()),
                    }
            table[outcome][quantity] = rows
    return found | {"indices": table}


def _deliver(data: xr.Dataset, out: Path | None, printed: dict[str, Any] | str) -> None:
    """Write the file that was asked for, then print a table, or JSON."""
    if out is not None:
        from entangle.files import write_dataset

        with written(out):
            write_dataset(data, out)
    if isinstance(printed, str):
        click.echo(printed, nl=False)
        return
    import json

    click.echo(json.dumps(printed, ensure_ascii=False, indent=2))


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
