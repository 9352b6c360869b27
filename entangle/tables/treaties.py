"""Treaties ranked, as a table for people, at most 80 columns wide."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from entangle.tables.text import as_plain
from entangle.treaties.summary import Row, rows, summary

if TYPE_CHECKING:
    import xarray as xr

_HOW: Final = (
    "Per 1,000 occasions: challenges that do not come because of the pact (deterred), wars that do not come "
    "(averted; minus: more wars), and wars that the defender fights and would not without the promise "
    "(entangled). Each with the 5 % quantile, median and 95 % quantile over the draws. Rank: by what is "
    "deterred, 1 the most. Over: per cent of the draws in which more is deterred, and more averted, than "
    "entangled."
)


def treaties_as_text(data: xr.Dataset) -> str:
    """Return ranked treaties as plain text of at most 80 columns; see :func:`render_treaties`."""
    return as_plain(render_treaties(data))


def render_treaties(data: xr.Dataset) -> Iterator[RenderableType]:
    """Yield the parts of a table of ranked treaties, the most deterring first.

    Parameters
    ----------
    data
        What :func:`entangle.treaties.rank` returned.
    """
    whole = summary(data)
    yield Text(f"{data.attrs['title']}, against: {data.attrs['challenger']}", style="bold")
    yield Text(_HOW)
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=0)
    table.add_column("owes → is owed", no_wrap=True)
    for name in ("deterred", "rank", "averted", "entangled", "over"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in ordered(whole):
        table.add_row(*_cells(whole, row))
    yield table
    yield Text("\n".join(_notes(data, whole)))


def ordered(whole: xr.Dataset) -> list[Row]:
    """Return the rows of a summary, those that deter most by their median first, those unsolved last."""
    middle = whole.deterrence.sel(level=0.5)

    def height(row: Row) -> float:
        value = float(middle.sel(treaty=row.treaty, direction=row.direction))
        return math.inf if math.isnan(value) else -value

    return sorted(rows(whole), key=height)


def per_thousand(value: float) -> str:
    """Return a number per 1,000: whole from ten on, else with one decimal.

    Examples
    --------
    >>> per_thousand(0.0314), per_thousand(-0.00123), per_thousand(1e-7), per_thousand(0.1234)
    ('31', '−1.2', '0', '123')
    """
    if math.isnan(value):
        return "–"
    size = abs(1000.0 * value)
    text = f"{size:.{0 if size >= 9.95 else 1}f}"
    if float(text) == 0.0:
        return "0"
    return f"−{text}" if value < 0 else text


def _cells(whole: xr.Dataset, row: Row) -> list[str]:
    cell = whole.sel(treaty=row.treaty, direction=row.direction)
    label = row.label if not int(cell.unsolved) else f"{row.label} *"
    lowest, _, highest = cell.rank_deterrence.values.tolist()
    ranks = "–" if math.isnan(lowest) else f"{math.floor(lowest)}–{math.ceil(highest)}"
    over = " ".join("  –" if math.isnan(x) else f"{100 * x:3.0f}" for x in cell.outweighs.values.tolist())
    return [
        label,
        _interval(cell.deterrence),
        ranks,
        _interval(cell.wars_averted),
        _interval(cell.entanglement),
        over,
    ]


def _interval(values: xr.DataArray) -> str:
    return " ".join(f"{per_thousand(value):>4}" for value in values.values.tolist())


def _notes(data: xr.Dataset, whole: xr.Dataset) -> Iterator[str]:
    yield (
        f"{data.sizes['treaty']} pacts, {int(data.owed.sum())} promises, {data.sizes['draw']} draws; exact, "
        f"{data.attrs['types']} types, {data.attrs['rounds']} rounds."
    )
    failed = int(np.where(whole.owed.values, whole.unsolved.values, 0).sum())
    if failed:
        named = [
            row for row in rows(whole) if int(whole.unsolved.sel(treaty=row.treaty, direction=row.direction))
        ]
        tried = int(data.owed.sum()) * data.sizes["draw"]
        yield (
            f"* {failed} of {tried} could not be solved and are left out: "
            + ", ".join(
                f"{row.label} {int(whole.unsolved.sel(treaty=row.treaty, direction=row.direction))}"
                for row in named
            )
            + "."
        )
    for reason in json.loads(data.attrs["left_out"]):
        yield f"Left out: {reason}."
    yield "Assumed:"
    for sentence in json.loads(data.attrs["assumptions"]):
        yield f"- {sentence}"
