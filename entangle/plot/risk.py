"""Risks that add up over the years: how likely something is to have happened by the end of each."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Final

import numpy as np

from entangle.plot.ends import End, Floats, frame_years, name_ends, percent
from entangle.plot.style import COLOURS, DASHES, GREY, MARKS, new_axes
from entangle.tables.risks import Shown, meaning, shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from entangle.decades_result import Decades

#: Characters in a line of the caption.
_LINE: Final = 105


def risk(decades: Decades, outcome: str = "war", *, ax: Axes | None = None) -> Axes:
    """Draw how likely an outcome is to have happened by the end of each year, for every pact.

    Of each pact the estimate that has the narrower interval at the horizon is drawn, with its interval as a
    band: the conditional estimate, or the share of histories (always that if there are fewer than 100
    histories; see :func:`entangle.tables.risks.shown`). Where nothing was seen, a dotted line is the upper
    bound; what cannot happen under a pact has no line.

    Parameters
    ----------
    outcome
        An outcome, a rung that is reached at least, "entanglement" or "entrapment".
    ax
        Where to draw; a figure of its own if not given. Nothing is shown on a screen: a notebook displays
        what is returned, and ``ax.figure.savefig("risk.png")`` writes it.

    Returns
    -------
    matplotlib.axes.Axes
        The axes drawn on.

    Raises
    ------
    ResultError
        If there is no such outcome; names the nearest one.
    """
    words = meaning(outcome)
    pacts = [str(name) for name in decades.data.pact.values]
    curves = {name: shown(decades, name, outcome) for name in pacts}
    if ax is None:
        ax = new_axes(8.0, 4.9)
    years = np.arange(decades.data.sizes["year"] + 1)
    top = max((float(curve.upper[-1]) for curve in curves.values() if curve.possible), default=0.0)
    ax.set_ylim(0.0, min(1.1 * top, 1.02) if top > 0.0 else 1.0)
    frame_years(ax, int(years[-1]))
    ends = []
    for i, (name, curve) in enumerate(curves.items()):
        colour = COLOURS[i % len(COLOURS)]
        ends.append(_end(name, curve, colour))
        if not curve.possible:
            continue
        if not curve.seen:
            # from the first year on: before it there is nothing that could have happened
            ax.plot(years[1:], curve.upper, color=colour, linestyle=":", linewidth=1.0, label=name)
            ax.plot(
                years[-1],
                curve.upper[-1],
                marker=MARKS[i % len(MARKS)],
                markersize=5,
                markerfacecolor="white",
                color=colour,
                clip_on=False,
                zorder=4,
            )
            continue
        probability, lower, upper = (_from_start(values) for values in curve[:3])
        # a count of none is a bound, and no estimate: there is a band, and no line
        probability[1:][curve.probability == 0.0] = np.nan
        ax.fill_between(years, lower, upper, color=colour, alpha=0.18, linewidth=0, zorder=1.5)
        step = max(1, len(years) // 6)
        ax.plot(
            years,
            probability,
            color=colour,
            linestyle=DASHES[i % len(DASHES)],
            linewidth=1.7,
            marker=MARKS[i % len(MARKS)],
            # the last year has a mark, and marks of neighbours are a little apart
            markevery=[*range(step - i % step, len(years) - 1, step), len(years) - 1],
            markersize=4.5,
            clip_on=False,
            label=name,
            zorder=3,
        )
    name_ends(ax, ends)
    ax.set_ylabel("probability that it has happened", fontsize=9.5)
    ax.set_title(
        f"{decades.data.attrs['title']}\n{outcome.replace('_', ' ')}: {words}",
        loc="left",
        fontsize=11,
        wrap=True,
    )
    ax.annotate(
        _caption(decades, curves),
        (0.0, 0.0),
        (0, -36),
        xycoords="axes fraction",
        textcoords="offset points",
        va="top",
        fontsize=8,
        color=GREY,
    )
    return ax


def _from_start(values: Floats) -> Floats:
    """Return values by year with year 0 before them, in which nothing has happened yet."""
    return np.concatenate([[0.0], values])


def _end(name: str, curve: Shown, colour: str) -> End:
    if not curve.possible:
        return End(0.0, f"{name}: cannot happen", colour)
    if not curve.seen:
        return End(float(curve.upper[-1]), f"{name}  < {percent(curve.upper[-1])}", colour)
    return End(float(curve.probability[-1]), f"{name}  {percent(curve.probability[-1])}", colour)


def _caption(decades: Decades, curves: dict[str, Shown]) -> str:
    confidence = 100 * float(decades.data.attrs["confidence"])
    drawn = {name: curve for name, curve in curves.items() if curve.possible and curve.seen}
    conditional = [name for name, curve in drawn.items() if curve.conditional]
    text = f"{decades.number:,} histories under each pact. "
    kinds = {
        "conditional estimates (exact chances, given where the years before have led to)": conditional,
        "shares of histories": [name for name in drawn if name not in conditional],
    }
    for kind, names in kinds.items():
        if names:
            whose = "" if len(names) == len(drawn) else f" of {', '.join(names)}"
            text += f"Lines{whose}: {kind}. "
    if drawn:
        text += f"Bands: {confidence:.6g} % intervals of the simulation, often narrower than the line. "
    if any(curve.possible and not curve.seen for curve in curves.values()):
        text += "Dotted, with a hollow mark: upper bound where nothing was seen. "
    text += "What the assumptions leave open is not in it."
    return "\n".join(textwrap.wrap(text, _LINE))
