"""What the parameters leave open about each outcome, what counting does, and what each pact changes."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray

from entangle.errors import ResultError
from entangle.labels import pick
from entangle.plot.style import COLOURS, GREY, new_axes
from entangle.two_levels import RANGE

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

    from entangle.ensemble import Ensemble

#: What is drawn unless more is asked for, as far as there is it.
_HEADLINES: Final = ("challenge", "war", "defender_fights", "entanglement", "nuclear_use")
_PARAMETERS: Final = COLOURS[2]
_COUNTING: Final = COLOURS[1]
#: Width of the bars [points]: more than a dot, so that a narrow one is still seen behind it.
_BAR: Final = 9.0
#: Characters in a line of the caption.
_LINE: Final = 118
_COVERING: Final = f"{100 * (RANGE[1] - RANGE[0]):.3g} %"


def drawn(ensemble: Ensemble, *, outcomes: Sequence[str] | None = None) -> Axes:
    """Draw what the parameters leave open, and within it what counting does.

    A row of the picture for each outcome. On the left its probability under each pact: the line is the
    central 90 % of draws, by the parameters alone; the thick bar in it the Monte Carlo interval of the mean,
    where the outcome is counted (an outcome that is exact at each draw has none); the dot the mean. On the
    right the same of the difference from no pact, draw by draw, with the share of draws in which it is above
    0.

    Parameters
    ----------
    ensemble
        What :meth:`entangle.Study.run` returned with `draws`.
    outcomes
        Which ones; the headlines if not given.

    Returns
    -------
    matplotlib.axes.Axes
        The first axes; ``.figure.savefig("draws.png")`` writes the whole picture, and a notebook displays it.

    Raises
    ------
    ResultError
        If there is no such outcome, or none at all.
    """
    data = ensemble.data
    known = [str(name) for name in data.outcome.values]
    asked = dict.fromkeys(_HEADLINES if outcomes is None else outcomes)
    names = [pick(data, "outcome", name) for name in asked if outcomes is not None or name in known]
    if not names:
        raise ResultError("There is no outcome to draw: name at least one.")
    none = ensemble.empty_pact
    real = [str(name) for name in data.pact.values if name != none]
    both = none is not None and bool(real)
    pacts = data.sizes["pact"]
    first = new_axes(10.0 if both else 6.0, 1.6 + len(names) * (0.75 + 0.24 * pacts))
    figure = first.get_figure(root=True)
    assert figure is not None
    grid = figure.add_gridspec(len(names), 1 + both)
    first.set_subplotspec(grid[0, 0])
    for row, name in enumerate(names):
        level = first if row == 0 else figure.add_subplot(grid[row, 0])
        _levels(level, data.sel(outcome=name))
        if both:
            change = figure.add_subplot(grid[row, 1])
            _changes(change, data.sel(outcome=name, versus=none, pact=real), str(none))
    figure.suptitle(str(data.attrs["title"]), x=0.01, ha="left", fontsize=11)
    figure.supxlabel("\n".join(textwrap.wrap(_caption(ensemble), _LINE if both else 70)), x=0.01, ha="left",
                     fontsize=8, color=GREY)  # fmt: skip
    _legend(first)
    return first


def _levels(ax: Axes, cells: xr.Dataset) -> None:
    lower, upper = (100.0 * cells[f"monte_carlo_{end}"].values for end in ("lower", "upper"))
    _rows(ax, cells, "", lower, upper, counted=bool(cells.counted))
    ax.set_xlim(left=0.0)
    ax.set_title(f"P({_words(cells.outcome.item())}) [%]", loc="left", fontsize=9.5)


def _changes(ax: Axes, cells: xr.Dataset, none: str) -> None:
    mean = 100.0 * cells.versus_mean.values
    # the interval of a mean of many draws is that of the normal law
    half = 100.0 * _quantile(float(cells.attrs["confidence"])) * cells.versus_monte_carlo_error.values
    ax.axvline(0.0, color=GREY, linewidth=0.8, zorder=1)
    _rows(ax, cells, "versus_", mean - half, mean + half, counted=bool(cells.counted))
    beside = ax.get_yaxis_transform()
    for row, share in enumerate(cells.versus_above.values.tolist()):
        text = "–" if np.isnan(share) else f"{100.0 * share:.0f} %"
        ax.annotate(text, (1.0, row), (4, 0), xycoords=beside, textcoords="offset points", va="center",
                    fontsize=8, color=GREY)  # fmt: skip
    ax.set_title(f"less that under {_words(none)} [points]; draws above 0", loc="left", fontsize=9.5)


def _rows(
    ax: Axes,
    cells: xr.Dataset,
    prefix: str,
    least: NDArray[np.float64],
    most: NDArray[np.float64],
    *,
    counted: bool,
) -> None:
    """Draw a row for each pact: the parameters' interval, the Monte Carlo interval in it, the mean."""
    mean, lower, upper = (100.0 * cells[prefix + name].values for name in ("mean", "lower", "upper"))
    rows = np.arange(len(mean), dtype=float)
    seen = np.isfinite(mean)
    ax.hlines(rows[seen], lower[seen], upper[seen], color=_PARAMETERS, linewidth=1.8, zorder=2)
    if counted:
        ax.hlines(rows[seen], least[seen], most[seen], color=_COUNTING, linewidth=_BAR, zorder=3)
    ax.plot(mean, rows, linestyle="none", marker="o", markersize=3.5, color="black", zorder=4)
    names = [_words(str(name)) for name in cells.pact.values]
    ax.set_yticks(rows, names, fontsize=8.5)
    ax.set_ylim(len(names) - 0.4, -0.6)  # the first on top
    ax.tick_params(axis="y", length=0)
    ax.tick_params(axis="x", labelsize=8)
    ax.xaxis.set_major_locator(MaxNLocator(5))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}".replace("-", "−")))
    ax.grid(axis="x", color="#DDDDDD", linewidth=0.6)
    ax.set_axisbelow(True)
    ax.spines[["top", "right", "left"]].set_visible(False)


def _legend(ax: Axes) -> None:
    line: dict[str, Any] = {"color": _PARAMETERS, "linewidth": 1.8}
    handles = [
        Line2D([], [], label=f"parameters: central {_COVERING} of draws", **line),
        Line2D([], [], color=_COUNTING, linewidth=_BAR, label="Monte Carlo: interval of the mean"),
        Line2D([], [], linestyle="none", marker="o", markersize=3.5, color="black", label="mean over draws"),
    ]
    figure = ax.get_figure(root=True)
    assert figure is not None
    figure.legend(handles=handles, loc="outside upper right", ncols=3, frameon=False, fontsize=8.0)


def _caption(ensemble: Ensemble) -> str:
    confidence = 100.0 * float(ensemble.data.attrs["confidence"])
    text = f"{ensemble.draws} draws of the parameters"
    if ensemble.left_out:
        text += f", {len(ensemble.left_out)} more left out that could not be solved"
    text += ". Without a thick bar an outcome is exact at each draw, and Monte Carlo has no part in it. "
    if ensemble.trajectories:
        text += (
            f"Counted: {ensemble.trajectories:,} disputes at each draw and pact; {confidence:.6g} % interval "
            "of the mean. The scatter of counting is taken out of the parameters' intervals."
        )
    return text


def _quantile(confidence: float) -> float:
    from scipy.special import ndtri

    return float(ndtri(0.5 + confidence / 2.0))


def _words(name: str) -> str:
    return name.replace("_", " ")
