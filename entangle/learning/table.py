"""What was learned, and what it matters, as tables for people of at most 80 columns."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from entangle.tables.text import LABEL, WIDTH, as_plain, number, points

if TYPE_CHECKING:
    import xarray as xr
    from rich.console import RenderableType

_QUANTITIES: Final = {"with_pact": "probability with it", "difference": "difference to no pact"}


def learned_as_text(data: xr.Dataset) -> str:
    """Return prior against posterior as plain text."""
    return as_plain(_learned(data))


def tornado_as_text(data: xr.Dataset, *, most: int = 8) -> str:
    """Return what each parameter moves at both its ends as plain text, the widest first."""
    return as_plain(_tornado(data, most))


def sobol_as_text(data: xr.Dataset, joint: xr.Dataset | None, *, most: int = 8) -> str:
    """Return Sobol indices, and shares of joint draws, as plain text, the largest total first."""
    return as_plain(_sobol(data, joint, most))


def knowing_as_text(data: xr.Dataset) -> str:
    """Return what knowing each parameter is worth as plain text, the most first."""
    return as_plain(_knowing(data))


def ranks_as_text(data: xr.Dataset) -> str:
    """Return how often each pact has each rank as plain text."""
    return as_plain(_ranks(data))


def left_out_as_text(data: xr.Dataset) -> str:
    """Return what is foretold of each figure without it as plain text."""
    return as_plain(_left_out(data))


# -- parts -------------------------------------------------------------------------------------------


def _learned(data: xr.Dataset) -> Iterator[RenderableType]:
    yield Text("What the record taught about each parameter", style="bold")
    yield Text(
        f"{data.attrs['draws']} draws. Learned: by how much the posterior's standard deviation is below the "
        "prior's; moved: its mean in standard deviations of the prior."
    )
    table = _table("parameter", ["learned", "moved", "median", "5 %", "95 %"], 10)
    for name in map(str, data.parameter.values):
        cell = data.sel(parameter=name)
        table.add_row(
            name,
            f"{round(100.0 * cell['learned'].item())} %".replace("-", "−"),
            _signed(cell.moved.item(), 2),
            *(f"{cell[f'value_{end}'].item():.3g}" for end in ("median", "lower", "upper")),
        )
    yield table


def _tornado(data: xr.Dataset, most: int) -> Iterator[RenderableType]:
    yield Text(str(data.attrs["title"]), style="bold")
    yield Text(
        f"{data.attrs['pact']}: each parameter at its 5 % and 95 % quantile, all others at their medians. "
        "Exact; percentage points from where all are at their medians."
    )
    for outcome in map(str, data.outcome.values):
        for quantity in map(str, data.quantity.values):
            cell = data.sel(outcome=outcome, quantity=quantity)
            if math.isnan(cell.base.item()):
                continue
            yield _head(outcome, quantity, cell.base.item())
            table = _table("parameter", ["from", "to", "at 5 %", "at 95 %"], 11)
            swing = cell.swing.fillna(-1.0)
            for name in map(str, swing.sortby(swing, ascending=False).parameter.values[:most]):
                row = cell.sel(parameter=name)
                table.add_row(
                    name,
                    *(f"{value:.3g}" for value in row.setting.values),
                    *(points(value) for value in (row["at"] - row.base).values),
                )
            yield table
    yield from _notes(data)


def _sobol(data: xr.Dataset, joint: xr.Dataset | None, most: int) -> Iterator[RenderableType]:
    yield Text(str(data.attrs["title"]), style="bold")
    yield Text(
        f"{data.attrs['pact']}: shares of the variance over the {data.attrs['spread']}, in per cent. "
        f"First: goes if the parameter is known; total: stays if all others are (Sobol, "
        f"{data.attrs['samples']} samples), both as if parameters were independent, which is an assumption. "
        "Draws: what the parameter foretells over joint draws, with what goes along with it. Probabilities "
        "are exact: there is no noise of simulation."
    )
    for outcome in map(str, data.outcome.values):
        for quantity in map(str, data.quantity.values):
            cell = data.sel(outcome=outcome, quantity=quantity)
            if math.isnan(cell["median"].item()):
                continue
            yield _head(outcome, quantity, cell["median"].item(), cell.lower.item(), cell.upper.item())
            columns = ["first", "±", "total", "±", *(["draws", "±"] if joint is not None else [])]
            table = _table("parameter", columns, 7)
            total = cell.total.fillna(-1.0)
            for name in map(str, total.sortby(total, ascending=False).parameter.values[:most]):
                row = cell.sel(parameter=name)
                cells = [row["first"], row.first_upper - row["first"], row.total, row.total_upper - row.total]
                if joint is not None:
                    own = joint.sel(outcome=outcome, quantity=quantity)
                    here = name in joint.parameter.values
                    share = own.sel(parameter=name) if here else None
                    cells += [math.nan] * 2 if share is None else [share["first"], 1.645 * share.first_error]
                table.add_row(name, *(_per_cent(float(value)) for value in cells))
            yield table
    yield Text(f"±: half of the {100 * float(data.attrs['confidence']):g} % interval.")
    worst = float(data.lost.max())
    if worst > 0.0:
        yield Text(
            f"{100 * worst:.2g} % of a parameter's triplets of points had no solution and are left out."
        )
    yield from _notes(data)


def _knowing(data: xr.Dataset) -> Iterator[RenderableType]:
    is_value = data.value.attrs["units"] == "stake"
    unit = "thousandths of the stake" if is_value else "percentage points"
    write = _thousandths if is_value else points
    yield Text(str(data.attrs["title"]), style="bold")
    yield Text(
        f"{data.attrs['first']} or {data.attrs['second']}, by {data.attrs['measure']}. "
        f"{data.attrs['draws']} draws; all in {unit}."
    )
    yield Text(
        f"{data.attrs['first']} does better in {100 * data.better.item():.3g} % of draws, on average by "
        f"{write(data.gain.item())} (standard error {write(data.gain_error.item()).lstrip('+')}). "
        f"Knowing everything would be worth {_plus(write(data['all'].item()))} "
        f"(standard error {_plus(write(data.all_error.item()))})."
    )
    table = _table("parameter", ["worth", "standard error", "cross-validated"], 15)
    ordered = data.sortby(data.value, ascending=False)
    for name in map(str, ordered.parameter.values):
        row = ordered.sel(parameter=name)
        cells = row.value.item(), row.value_error.item(), row.value_cross_validated.item()
        table.add_row(name, *(_plus(write(value)) for value in cells))
    yield table
    yield from _notes(data)


def _ranks(data: xr.Dataset) -> Iterator[RenderableType]:
    names = [str(name) for name in data.pact.values]
    yield Text(str(data.attrs.get("title", "Ranks of pacts")), style="bold")
    yield Text(
        "Share of draws in per cent in which a pact has each rank, 1 being the least probable; pacts that "
        "cannot be told apart share their ranks."
    )
    for outcome in map(str, data.outcome.values):
        cell = data.sel(outcome=outcome)
        if not cell.draws.item():
            continue
        yield Text("")
        changed = f"{100 * cell.changed.item():.3g} % of {cell.draws.item()} draws"
        yield Text(f"{outcome}: the ranking changes in {changed}", style="bold")
        yield Text(f"On average {100 * cell.turned.item():.3g} % of pairs of pacts are turned round.")
        table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
        table.add_column("pact", width=LABEL, no_wrap=True)
        width = max(4, min(6, (WIDTH - LABEL - 10) // len(names) - 1))
        table.add_column("mean [%]", width=9, justify="right")
        for rank in cell["rank"].values:
            table.add_column(str(rank), width=width, justify="right")
        for name in map(str, cell["mean"].sortby(cell["mean"]).pact.values):
            shares = cell.share.sel(pact=name).values
            table.add_row(
                name, number(cell["mean"].sel(pact=name).item()), *(f"{100 * s:.3g}" for s in shares)
            )
        yield table
    yield from _notes(data)


def _left_out(data: xr.Dataset) -> Iterator[RenderableType]:
    yield Text(str(data.attrs["title"]), style="bold")
    inside = int(data.inside.sum())
    yield Text(
        f"{inside} of {data.sizes['figure']} figures lie in the {100 * data.attrs['confidence']:g} % that "
        f"{data.attrs['draws']} draws foretell without them, with discrepancy and the figure's own error. "
        f"k-hat up to {data.attrs['most_shape']:.2f} can be relied on."
    )
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("figure", width=23, no_wrap=True)
    for head, width in (("observed", 8), ("median", 8), ("5 %", 8), ("95 %", 8), ("in", 3), ("k-hat", 6)):
        table.add_column(head, width=width, justify="right")
    for code in map(str, data.figure.values):
        row = data.sel(figure=code)
        table.add_row(
            code,
            *(f"{row[name].item():.3g}" for name in ("observed", "median", "lower", "upper")),
            "yes" if row.inside.item() else "NO",
            _signed(row["shape"].item(), 2) + ("" if row.usable.item() else "!"),
        )
    yield table
    if not bool(data.usable.all()):
        yield Text("!: the figure moves the posterior by more than reweighting can undo; fit without it.")


def _table(first: str, columns: list[str], each: int) -> Table:
    """Return a table with a column of labels and others of `each` characters."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column(first, width=LABEL, no_wrap=True)
    for name in columns:
        table.add_column(name, width=each, justify="right")
    return table


# -- words -------------------------------------------------------------------------------------------


def _head(outcome: str, quantity: str, *values: float) -> Text:
    write = points if quantity == "difference" else number
    said = [write(value) for value in values]
    text = said[0] + (f" ({said[1]} to {said[2]})" if len(said) == 3 else "")
    unit = "" if quantity == "difference" else " %"
    return Text(f"\n{outcome}, {_QUANTITIES[quantity]}: {text}{unit}", style="bold")


def _notes(data: xr.Dataset) -> Iterator[RenderableType]:
    if data.attrs.get("unsolved"):
        yield Text(f"{data.attrs['unsolved']} of {data.attrs['points']} points had no solution.")
    if data.attrs.get("too_rare"):
        yield Text(f"Too rare to have numbers: {data.attrs['too_rare']}.")
    if "types" in data.attrs:
        yield Text(f"Solved with {data.attrs['types']} types and {data.attrs['rounds']} rounds.")


def _signed(value: float, digits: int) -> str:
    return "–" if math.isnan(value) else f"{value:.{digits}f}".replace("-", "−")


def _per_cent(share: float) -> str:
    return _signed(100.0 * share, 1)


def _thousandths(value: float) -> str:
    sign = "+" if value > 0 else "−" if value < 0 else ""
    return f"{sign}{abs(1000.0 * value):.4g}"


def _plus(text: str) -> str:
    return text.removeprefix("+")
