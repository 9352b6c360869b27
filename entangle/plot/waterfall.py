"""From no pact to a pact, channel by channel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray

from entangle.labels import pick
from entangle.plot.style import COLOURS, GREY, new_axes
from entangle.tables.channels import steps
from entangle.tables.text import number, points

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

#: In plain words, what each channel does; a sign against the words says that it does the opposite.
LABELS: Final = {
    "deterrence": "challenger\ndeterred",
    "emboldenment": "protégé\nemboldened",
    "obligation": "defender\nbound",
    "capability": "joint\ncapability",
}
_UP, _DOWN, _TOTAL = COLOURS[1], COLOURS[2], "#9A9A9A"
_WIDTH: Final = 0.62
#: Behind a value, so that the line at 0 does not strike it through.
_CLEAR: Final = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}


def waterfall(
    channels: xr.Dataset, *, pact: str | None = None, outcome: str = "war", ax: Axes | None = None
) -> Axes:
    """Draw how the four channels lead from the probability without a pact to that under it.

    Parameters
    ----------
    channels
        What :meth:`entangle.Study.channels` returned.
    pact
        Which pact; the first that changes anything if not given.
    outcome
        Which outcome.
    ax
        Where to draw; a figure of its own if not given. Nothing is shown on a screen: a notebook displays
        what is returned, and ``ax.figure.savefig("waterfall.png")`` writes it.

    Returns
    -------
    matplotlib.axes.Axes
        The axes drawn on.

    Raises
    ------
    ResultError
        If there is no such pact or outcome; names the nearest one.
    """
    name = _first(channels) if pact is None else pick(channels, "pact", pact)
    cell = channels.sel(pact=name, outcome=pick(channels, "outcome", outcome))
    if ax is None:
        ax = new_axes(8.0, 4.8)
    added = steps(cell)
    levels = 100.0 * (cell.without_pact.item() + np.concatenate([[0.0], np.cumsum(added)]))
    last = len(levels)
    base, bottom, top = _scale(levels)
    gap = 0.015 * (top - bottom)
    for at, share in ((0, cell.without_pact.item()), (last, cell.with_pact.item())):
        ax.bar(at, 100.0 * share - base, _WIDTH, bottom=base, color=_TOTAL)
        text = f"{number(share)} %"
        ax.text(
            at,
            100.0 * share + gap,
            text,
            ha="center",
            va="bottom",
            fontsize=9,
            fontweight="bold",
            bbox=_CLEAR,
        )
    for at, change in enumerate(added, start=1):
        before, after = levels[at - 1], levels[at]
        rises = after >= before
        ax.bar(at, after - before, _WIDTH, bottom=before, color=_UP if rises else _DOWN)
        edge, side = (after + gap, "bottom") if rises else (after - gap, "top")
        ax.text(at, edge, points(change), ha="center", va=side, fontsize=9, bbox=_CLEAR)
        # a step too small to see is still a line
        ends = [at - 1 + _WIDTH / 2, at + _WIDTH / 2]
        ax.plot(ends, [before, before], color=GREY, linewidth=0.8, solid_capstyle="butt")
    ax.plot([last - 1 + _WIDTH / 2, last - _WIDTH / 2], [levels[-1]] * 2, color=GREY, linewidth=0.8)
    below = bool((levels < 0).any())
    if below:
        ax.axhline(0.0, color="black", linewidth=0.8, zorder=0.9)
    labels = ["no pact", *(LABELS[str(channel)] for channel in cell.channel.values), _folded(name)]
    ax.set_xticks(range(last + 1), labels, fontsize=9)
    ax.set_xlim(-0.55, last + 0.55)
    ax.set_ylim(bottom, top)
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}".replace("-", "−")))
    ax.set_ylabel(f"probability [%]\ngiven {cell.given.item()}", fontsize=9.5)
    ax.tick_params(labelsize=9)
    ax.tick_params(axis="x", length=0)
    ax.spines[["top", "right"]].set_visible(False)
    ax.set_title(f"{name}, {outcome}: {cell.meaning.item()}", loc="left", fontsize=11, wrap=True)
    ax.annotate(
        _caption(channels, cut=base > 0.0, below=below),
        (0.0, 0.0),
        (0, -40 - 12 * max(labels[-1].count("\n") - 1, 0)),
        xycoords="axes fraction",
        textcoords="offset points",
        va="top",
        fontsize=8,
        color=GREY,
    )
    return ax


def _first(channels: xr.Dataset) -> str:
    changes = (channels.contribution != 0).any(("outcome", "channel")).values
    return str(channels.pact.values[int(np.argmax(changes))])


def _scale(levels: NDArray[np.float64]) -> tuple[float, float, float]:
    """Return where the bars of the totals begin, and the ends of the scale.

    The bars begin at 0, unless the steps are so small beside the totals that they would not be seen.
    """
    low, high = float(levels.min()), float(levels.max())
    reach = high - low
    if reach > 0.0 and low > 2.0 * reach:
        return low - 0.6 * reach, low - 0.6 * reach, high + 0.2 * reach
    low, high = min(low, 0.0), max(high, 0.0)
    if low == high:
        return 0.0, 0.0, 1.0
    # room for the values, also for one below a bar that falls almost to 0
    under = levels.min() < 0.08 * (high - low) and reach > 0.0
    return 0.0, low - 0.1 * (high - low) * under, high + 0.15 * (high - low)


def _folded(name: str) -> str:
    lines = [""]
    for part in name.replace("_", "_ ").split():
        if lines[-1] and len(lines[-1] + part) > 14:
            lines.append("")
        lines[-1] += part
    return "\n".join(lines)


def _caption(channels: xr.Dataset, *, cut: bool, below: bool) -> str:
    made = "Exact; nothing was simulated."
    if "histories" in channels.attrs:
        made = f"Simulated: {int(channels.attrs['histories']):,} histories in each of 16 worlds."
    text = (
        f"{made} Steps are percentage points: what a channel adds, averaged over\n"
        "the 24 orders in which the four can be switched on (Shapley)."
    )
    if below:
        text += " Sums of such averages can pass below 0."
    return text + " The scale does not start at 0." * cut
