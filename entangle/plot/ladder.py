"""A first picture of a result: how high disputes climb under each pact."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, NullFormatter
from numpy.typing import NDArray

from entangle.plot.style import COLOURS, DASHES, GREY, MARKS, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from entangle.result import Result

Floats = NDArray[np.float64]
Truths = NDArray[np.bool_]


def ladder(result: Result, *, ax: Axes | None = None) -> Axes:
    """Draw the probability that a dispute reaches at least each rung, for every pact.

    Marks are simulated shares with their intervals, dashes across them the exact probabilities; a hollow mark
    with an arrow is the upper bound where nothing was seen. The scale is logarithmic.

    Parameters
    ----------
    ax
        Where to draw; a figure of its own if not given. Nothing is shown on a screen: a notebook displays
        what is returned, and ``ax.figure.savefig("ladder.png")`` writes it.

    Returns
    -------
    matplotlib.axes.Axes
        The axes drawn on.
    """
    if ax is None:
        ax = new_axes(9.0, 5.4)
    data = result.data.isel(rung=slice(1, None))  # every dispute is one
    exact = data.rung_exact.values
    share = data.rung_probability.values if result.simulated else exact
    lower, upper = data.rung_lower.values, data.rung_upper.values
    at = np.arange(exact.shape[1], dtype=float)
    # a rung where nothing was seen under any pact has no mark to hang on to, unless it is known exactly
    drawn = (share > 0).any(axis=0) | (not result.simulated)
    lowest = _floor(share, lower, upper, exact, drawn)
    pacts = [str(name) for name in data.pact.values]
    width = 0.07 * min(1.0, 6 / max(len(pacts), 1))
    keys = []
    for i, name in enumerate(pacts):
        x = at + (i - (len(pacts) - 1) / 2) * width
        colour = COLOURS[i % len(COLOURS)]
        mark = MARKS[i % len(MARKS)]
        dashes = DASHES[i % len(DASHES)]
        ax.plot(
            x,
            np.where(exact[i] > 0, exact[i], np.nan),
            color=colour,
            linestyle=dashes,
            linewidth=1.1,
            marker="_" if result.simulated else mark,
            markersize=13 if result.simulated else 5,
            markeredgewidth=1.1,
            zorder=2,
        )
        keys.append(Line2D([], [], color=colour, linestyle=dashes, marker=mark, label=name))
        if result.simulated:
            seen = share[i] > 0
            bars = np.abs(np.stack([share[i] - lower[i], upper[i] - share[i]]))
            ax.errorbar(
                x[seen],
                share[i][seen],
                yerr=bars[:, seen],
                fmt=mark,
                color=colour,
                markersize=4.5,
                elinewidth=1.4,
                zorder=3,
            )
            unseen = ~seen & drawn
            ax.plot(
                x[unseen],
                upper[i][unseen],
                linestyle="none",
                marker=mark,
                markersize=5,
                markerfacecolor="none",
                markeredgecolor=colour,
                zorder=3,
            )
            for xi, yi in zip(x[unseen], upper[i][unseen], strict=True):
                ax.annotate(
                    "",
                    (xi, yi / 1.9),
                    (xi, yi / 1.12),
                    arrowprops={"arrowstyle": "->", "color": colour, "shrinkA": 0, "shrinkB": 0},
                    annotation_clip=True,
                )
    _frame(ax, result, [str(name) for name in data.rung.values], lowest)
    ax.legend(
        handles=keys,
        title="pact",
        loc="upper left",
        bbox_to_anchor=(1.01, 1.0),
        borderaxespad=0.0,
        alignment="left",
        handlelength=3.2,
        frameon=False,
        fontsize=8.5,
        title_fontsize=8.5,
    )
    return ax


def _floor(share: Floats, lower: Floats, upper: Floats, exact: Floats, drawn: Truths) -> float:
    """Return the lower end of the scale: a power of ten below all that was seen.

    Exact values are followed a little further down, but not below 1e-9, where the 32-bit words with
    which choices are made coarsen them.
    """
    ends = np.where(share > 0, lower, upper / 1.9)[:, drawn]
    least = max(float(ends[ends > 0].min(initial=1.0)), 1e-9)
    known = exact[:, drawn]
    known = known[(known > least / 30.0) & (known > 1e-9)]
    return float(10.0 ** math.floor(math.log10(known.min(initial=least) * 0.9)))


def _frame(ax: Axes, result: Result, rungs: list[str], lowest: float) -> None:
    ax.set_yscale("log")
    ax.set_ylim(lowest, 1.4)
    ax.set_xlim(-0.45, len(rungs) - 0.55)
    ax.set_xticks(range(len(rungs)), [name.replace("_", "\n") for name in rungs], fontsize=8.5)
    ax.yaxis.set_major_formatter(FuncFormatter(_per_cent))
    ax.yaxis.set_minor_formatter(NullFormatter())
    ax.set_xlabel("rung of the escalation ladder", fontsize=9.5)
    ax.set_ylabel("disputes that reach at least that rung [%]", fontsize=9.5)
    ax.tick_params(labelsize=8.5)
    ax.grid(axis="y", color="#DDDDDD", linewidth=0.6)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)
    ax.set_title(str(result.data.attrs["title"]), loc="left", fontsize=11, wrap=True)
    ax.annotate(
        _caption(result),
        (0.0, 0.0),
        (0, -62),
        xycoords="axes fraction",
        textcoords="offset points",
        va="top",
        fontsize=8,
        color=GREY,
    )


def _per_cent(share: float, _: int | None = None) -> str:
    value = 100.0 * share
    return f"{value:g} %" if value >= 0.99e-3 else f"$10^{{{round(math.log10(value))}}}$ %"


def _caption(result: Result) -> str:
    if not result.simulated:
        return "Exact probabilities; nothing was simulated."
    confidence = 100 * float(result.data.attrs["confidence"])
    text = (
        f"Marks: {result.trajectories:,} simulated disputes for each pact, with {confidence:.6g} % "
        "intervals, often smaller than the mark.\n"
        "Dashes and lines: exact; a line that leaves the scale leads to less."
    )
    hollow = "\nHollow marks: upper bound where nothing was seen."
    unseen = result.data.rung_count == 0
    # a rung that no pact reached has no marks at all
    return text + hollow * bool((unseen.any("pact") & ~unseen.all("pact")).any())
