"""Which parameter moves an outcome most: each at both ends of what is believed, the others in the middle."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray

from entangle.errors import ResultError
from entangle.labels import pick
from entangle.plot.style import COLOURS, GREY, new_axes
from entangle.tables.text import number, points

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

_LOW, _HIGH = COLOURS[6], COLOURS[1]
#: Parameters that are drawn.
MOST: Final = 12


def tornado(
    data: xr.Dataset,
    *,
    outcome: str = "war",
    quantity: str = "with_pact",
    most: int = MOST,
    ax: Axes | None = None,
) -> Axes:
    """Draw an outcome with each parameter at its 5 % and 95 % quantile, the widest bar on top.

    Parameters
    ----------
    data
        What :func:`entangle.learning.tornado.tornado` returned.
    outcome
        Which outcome.
    quantity
        "with_pact", its probability, or "difference", that to no pact.
    most
        How many parameters to draw.
    ax
        Where to draw; a figure of its own if not given. Nothing is shown on a screen: a notebook displays
        what is returned.

    Returns
    -------
    matplotlib.axes.Axes
        The axes drawn on.

    Raises
    ------
    ResultError
        If there is no such outcome or quantity, or it is too rare to have numbers.
    """
    cell = data.sel(outcome=pick(data, "outcome", outcome), quantity=pick(data, "quantity", quantity))
    base = 100.0 * cell.base.item()
    if not np.isfinite(base):
        raise ResultError(f"{outcome} is too rare under '{data.attrs['pact']}' to have a sensitivity.")
    ends: NDArray[np.float64] = 100.0 * cell["at"].transpose("parameter", "end").values
    reach = np.nanmax(np.abs(ends - base), axis=1, initial=0.0)
    # widest first; where one end has no solution, by the other
    width = np.where(np.isfinite(ends).all(axis=1), np.ptp(ends, axis=1), reach)
    order = np.argsort(-width, kind="stable")[:most]
    if ax is None:
        ax = new_axes(8.5, 1.9 + 0.34 * len(order))
    rows = np.arange(len(order))
    whole = float(np.nanmax(width, initial=0.0)) or 1.0
    low, high = float(np.nanmin(ends, initial=base)), float(np.nanmax(ends, initial=base))
    for k, colour in enumerate((_LOW, _HIGH)):
        away = np.nan_to_num(ends[order, k] - base)
        # two ends on one side overlap: the shorter bar is then the narrower and in front
        inner = np.abs(away) < np.abs(np.nan_to_num(ends[order, 1 - k] - base))
        for row, length, is_inner in zip(rows, away, inner, strict=True):
            ax.barh(row, length, 0.42 if is_inner and _same_side(ends[order[row]] - base) else 0.72,
                    left=base, color=colour, zorder=3 if is_inner else 2)  # fmt: skip
    write = points if quantity == "difference" else number
    for row, place in zip(rows, order, strict=True):
        settings = cell.setting.isel(parameter=place).values
        for k in range(2):
            value = float(ends[place, k])
            if np.isfinite(value):
                continue
            ax.text(
                base, float(row), " no solution at one end", va="center", fontsize=7.5, color=GREY, zorder=5
            )
        left, right = np.argsort(np.nan_to_num(ends[place], nan=base), kind="stable")
        for k, side, sign in ((left, "right", -1.0), (right, "left", 1.0)):
            value = float(ends[place, k])
            if not np.isfinite(value):
                continue
            edge = min(value, base) if sign < 0 else max(value, base)
            ax.text(
                edge + sign * 0.012 * (high - low or 1.0),
                float(row),
                f"{settings[k]:.3g}",
                ha=side,
                va="center",
                fontsize=8,
                color=GREY,
                zorder=5,
            )
    ax.axvline(base, color="black", linewidth=1.0, zorder=4)
    names = [str(name).replace("_", " ") for name in data.parameter.values[order]]
    ax.set_yticks(rows, names, fontsize=9)
    ax.set_ylim(len(order) - 0.4, -0.6)
    room = 0.13 * (high - low or whole)
    ax.set_xlim(low - room, high + room)
    unit = "percentage points" if quantity == "difference" else "%"
    words = outcome.replace("_", " ")
    what = f"what the pact changes about P({words})" if quantity == "difference" else f"P({words})"
    ax.set_xlabel(f"{what} [{unit}], given {cell.given.item()}", fontsize=9.5)
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}".replace("-", "−")))
    ax.tick_params(labelsize=9)
    ax.tick_params(axis="y", length=0)
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.set_title(
        f"{data.attrs['title']}\n{str(data.attrs['pact']).replace('_', ' ')}: what moves {what}",
        loc="left",
        fontsize=11,
        pad=24.0,
    )
    handles = [
        Patch(color=colour, label=f"parameter at its {100 * level:g} % quantile")
        for colour, level in zip((_LOW, _HIGH), data.end.values, strict=True)
    ]
    ax.legend(
        handles=handles, loc="lower left", bbox_to_anchor=(-0.01, 1.0), ncols=2, frameon=False, fontsize=8.5
    )
    rest = data.sizes["parameter"] - len(order)
    ax.annotate(
        f"Exact. Line: all parameters at their medians, {write(base / 100)}"
        f"{'' if quantity == 'difference' else ' %'}. Numbers: the parameter at that end."
        + (f" {rest} more move it less." if rest else "")
        + (" Some ends have no solution." if np.isnan(ends).any() else ""),
        (0.0, 0.0),
        (0, -36),
        xycoords="axes fraction",
        textcoords="offset points",
        va="top",
        fontsize=8,
        color=GREY,
    )
    return ax


def _same_side(away: NDArray[np.float64]) -> bool:
    """Return whether both ends lie on the same side of the middle."""
    return bool(away[0] * away[1] > 0.0)
