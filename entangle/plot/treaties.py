"""Deterrence against entanglement: a dot for each promise of help among the pacts of a year."""

from __future__ import annotations

import math
import textwrap
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patheffects import Normal, Stroke
from matplotlib.ticker import FuncFormatter, SymmetricalLogLocator
from matplotlib.transforms import Bbox
from numpy.typing import NDArray

from entangle.errors import ResultError
from entangle.labels import pick
from entangle.plot.style import COLOURS, GREY, MARKS, new_axes
from entangle.treaties.summary import Row, rows, summary

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]

#: Promises that are named at each end of each measure, and of their difference.
NAMED: Final = 3
_AXIS: Final = {
    "deterrence": "deterrence: challenges that do not come because of the pact",
    "wars_averted": "deterrence: wars that do not come because of the pact",
}
_COLOUR: Final = {"weaker": COLOURS[2], "stronger": COLOURS[1]}
_MARK: Final = {"weaker": MARKS[0], "stronger": MARKS[2]}
_SIZE: Final = 8.0
#: Up to here the scales are straight, beyond it logarithmic [per 1,000 occasions].
_STRAIGHT: Final = 1.0
_LINE: Final = 118
#: How far from its dot a name may stand [points], and in how many directions it is tried.
_REACH: Final = tuple(range(7, 130, 4))
_TURNS: Final = 16


def treaties(
    data: xr.Dataset, *, deterrence: str = "deterrence", named: int = NAMED, ax: Axes | None = None
) -> Axes:
    """Draw what each promise deters against the wars into which it draws who gave it.

    Each dot is the median over the draws, with the 90 % interval of either; the dashed line is where both are
    equal: above it more is deterred than entangled. Ends of either measure and of their difference are
    named.

    Parameters
    ----------
    data
        What :func:`entangle.treaties.rank` returned.
    deterrence
        "deterrence" for challenges, "wars_averted" for wars.
    named
        How many are named at each end.
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
        If there is no such measure, or nothing was solved.
    """
    whole = summary(data)
    deterrence = pick(whole, "measure", deterrence)
    places = [row for row in rows(whole) if _known(whole, row)]
    if not places:
        raise ResultError("There is nothing to draw: no pact was solved at any draw.")
    x = _per_thousand(whole, "entanglement", places)
    y = _per_thousand(whole, deterrence, places)
    if ax is None:
        ax = new_axes(9.0, 7.2)
    _frame(ax, x, y, deterrence)
    for row, across, up in zip(places, x, y, strict=True):
        colour = _COLOUR[row.direction]
        whisker: dict[str, Any] = {"color": colour, "linewidth": 0.8, "alpha": 0.28, "zorder": 2}
        ax.plot(across[[0, 2]], up[[1, 1]], **whisker)
        ax.plot(across[[1, 1]], up[[0, 2]], **whisker)
        dot: dict[str, Any] = {"markersize": 5.5, "markeredgecolor": "white", "markeredgewidth": 0.6}
        ax.plot(across[1], up[1], _MARK[row.direction], color=colour, zorder=4, **dot)
    ax.set_title(
        f"{data.attrs['title']}, against: {data.attrs['challenger']}", loc="left", fontsize=11, pad=24.0
    )
    _legend(ax)
    ax.annotate(
        _caption(data, whole),
        (0.0, 0.0),
        (0, -50),
        xycoords="axes fraction",
        textcoords="offset points",
        va="top",
        fontsize=8,
        color=GREY,
    )
    _names(ax, x[:, 1], y[:, 1], places, named)
    return ax


def _known(whole: xr.Dataset, row: Row) -> bool:
    return not math.isnan(
        float(whole.entanglement.sel(treaty=row.treaty, direction=row.direction, level=0.5))
    )


def _per_thousand(whole: xr.Dataset, name: str, places: list[Row]) -> Floats:
    """Return quantiles per 1,000 occasions, shape (promises, levels)."""
    return np.array(
        [1000.0 * whole[name].sel(treaty=row.treaty, direction=row.direction).values for row in places]
    )


def _frame(ax: Axes, x: Floats, y: Floats, deterrence: str) -> None:
    reach = float(x.max()) or 1.0
    low, high = min(0.0, float(y.min())), max(0.0, float(y.max()))
    # most promises change little and a few much; nothing, and both signs, occur
    ax.set_xscale("symlog", linthresh=_STRAIGHT)
    ax.set_yscale("symlog", linthresh=_STRAIGHT)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(SymmetricalLogLocator(base=10.0, linthresh=_STRAIGHT, subs=[1.0, 2.0, 5.0]))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}".replace("-", "−")))
    ax.set_xlim(-0.06, 1.25 * reach)
    ax.set_ylim(1.25 * low - 0.5, 1.25 * high + 0.5)
    ax.axhline(0.0, color=GREY, linewidth=0.8, zorder=1)
    equal = np.linspace(0.0, 1.25 * reach, 400)
    ax.plot(equal, equal, color=GREY, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
    ax.set_xlabel("entanglement: wars the defender fights and would not without the promise\n"
                  "[per 1,000 occasions]", fontsize=9.5)  # fmt: skip
    ax.set_ylabel(f"{_AXIS[deterrence]}\n[per 1,000 occasions]", fontsize=9.5)
    ax.tick_params(labelsize=9)
    ax.grid(color="#E6E6E6", linewidth=0.6)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)


def _legend(ax: Axes) -> None:
    handles = [
        Line2D(
            [],
            [],
            linestyle="none",
            marker=_MARK[key],
            color=_COLOUR[key],
            label=f"the {key} partner is owed",
        )
        for key in _COLOUR
    ]
    handles.append(Line2D([], [], color=GREY, linewidth=0.9, linestyle=(0, (4, 3)), label="as much of both"))
    ax.legend(
        handles=handles, loc="lower left", bbox_to_anchor=(-0.01, 1.0), ncols=3, frameon=False, fontsize=8.5,
        handletextpad=0.4,
    )  # fmt: skip


def _caption(data: xr.Dataset, whole: xr.Dataset) -> str:
    failed = int(np.where(whole.owed.values, whole.unsolved.values, 0).sum())
    text = (
        f"{int(data.owed.sum())} promises of {data.sizes['treaty']} pacts, defender → protégé. Dots: medians "
        f"over {data.sizes['draw']} draws of the posterior; lines: 90 % intervals. Exact at every draw"
        + (f"; {failed} could not be solved and are left out." if failed else ".")
        + f" Below zero: the pact brings more. Both scales are logarithmic beyond {_STRAIGHT:g}; letters "
        "are those of the Correlates of War."
    )
    return "\n".join(textwrap.wrap(text, _LINE))


def _names(ax: Axes, x: Floats, y: Floats, places: list[Row], named: int) -> None:
    """Name the ends, each where it hides no dot and no other name."""
    chosen: list[int] = []
    for measure in (y, x, y - x):
        order = np.argsort(measure, kind="stable").tolist()
        chosen += [*order[::-1][:named], *order[:named]]
    figure = ax.get_figure(root=True)
    assert figure is not None
    figure.draw_without_rendering()  # settles where the axes are
    points = ax.transData.transform(np.column_stack([x, y]))
    unit = figure.dpi / 72.0
    half = 4.0 * unit
    taken = [Bbox.from_extents(px - half, py - half, px + half, py + half) for px, py in points.tolist()]
    inside = ax.get_window_extent()
    for i in dict.fromkeys(chosen):
        trial = ax.text(0.0, 0.0, places[i].label, fontsize=_SIZE)
        spot = _free(trial.get_window_extent(), points[i], taken, inside, unit)
        trial.remove()
        if spot is None:
            continue  # nowhere is room: better no name than one over another
        place, moved = spot
        taken.append(moved.padded(1.5 * unit))
        ax.annotate(
            places[i].label,
            (x[i], y[i]),
            place,
            textcoords="offset points",
            fontsize=_SIZE,
            ha="center",
            va="center",
            zorder=6,
            path_effects=[Stroke(linewidth=2.0, foreground="white"), Normal()],
            arrowprops={"arrowstyle": "-", "color": GREY, "linewidth": 0.6, "shrinkA": 0.0, "shrinkB": 3.0},
        )


def _free(
    box: Bbox, point: Floats, taken: list[Bbox], inside: Bbox, unit: float
) -> tuple[tuple[float, float], Bbox] | None:
    """Return the nearest free place of a name beside its dot, as an offset [points] and on the canvas."""
    wide, high = box.width / 2.0, box.height / 2.0
    for reach in _REACH:
        for turn in range(_TURNS):
            angle = 2.0 * math.pi * turn / _TURNS
            across = math.cos(angle) * (reach * unit + wide)
            up = math.sin(angle) * (reach * unit + high)
            middle_x, middle_y = point[0] + across, point[1] + up
            moved = Bbox.from_extents(middle_x - wide, middle_y - high, middle_x + wide, middle_y + high)
            if not (inside.x0 <= moved.x0 and moved.x1 <= inside.x1):
                continue
            if not (inside.y0 <= moved.y0 and moved.y1 <= inside.y1):
                continue
            if not any(moved.overlaps(other) for other in taken):
                return (across / unit, up / unit), moved
    return None
