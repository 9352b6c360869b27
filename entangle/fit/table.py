"""What a fit says of the figures that it was made from, as a table for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from entangle.fit.posterior import INTERVAL
from entangle.tables.text import as_plain

if TYPE_CHECKING:
    import xarray as xr
    from rich.console import RenderableType


def figures_as_text(fit: xr.DataTree) -> str:
    """Return every fitted figure beside the engine's side of it as plain text."""
    return as_plain(_figures(fit))


def _figures(fit: xr.DataTree) -> Iterator[RenderableType]:
    observed = fit["observed_data"].to_dataset()
    predicted = fit["posterior_predictive"].to_dataset()["prediction"]
    levels = np.nanquantile(predicted.values, (INTERVAL[0], 0.5, INTERVAL[1]), axis=(0, 1)).T
    yield Text("\nThe figures and the engine's side of them", style="bold")
    yield Text(
        "Observed with 95 % intervals; predicted: median and 90 % of draws, without discrepancy. "
        "in: the two intervals meet."
    )
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("figure", no_wrap=True)
    for name in ("observed", "interval", "predicted", "interval", ""):
        table.add_column(name, justify="right", no_wrap=True)
    meets = 0
    for i, code in enumerate(map(str, observed.figure.values)):
        own = observed.isel(figure=i)
        low, middle, high = levels[i].tolist()
        lower, upper = own.lower.item(), own.upper.item()
        met = low <= upper and high >= lower
        meets += met
        table.add_row(
            code,
            f"{own.prediction.item():.3g}",
            f"{lower:.3g}–{upper:.3g}",
            f"{middle:.3g}",
            f"{low:.3g}–{high:.3g}",
            "in" if met else "out",
        )
    yield table
    yield Text(f"{meets} of {observed.sizes['figure']} in.")
