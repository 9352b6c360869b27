"""How long pacts live, and what becomes of them."""

from __future__ import annotations

import math
import textwrap
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from matplotlib.patches import Patch

from entangle.errors import ResultError
from entangle.labels import pick
from entangle.plot.ends import End, Floats, frame_years, name_ends, percent
from entangle.plot.style import COLOURS, DASHES, GREY, MARKS, new_axes
from entangle.vocabulary import CAUSES

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

    from entangle.decades_result import Decades


class _Fate(NamedTuple):
    """What can become of a pact: a colour, a hatch that tells it without colours, and words."""

    colour: str
    hatch: str | None
    words: str


#: From what lives, at the bottom, to what ended, at the top.
_FATES: Final = {
    "in_force": _Fate("#EEF1F6", None, "in force"),
    "suspended": _Fate("#C3CCDC", "....", "suspended"),
    "breach": _Fate("#A8322D", None, "ended by a breach"),
    "notice_by_defender": _Fate("#DD8452", None, "left by the defender"),
    "notice_by_protege": _Fate("#F4C3A8", "////", "left by the protégé"),
    "abrogated_by_defender": _Fate("#8172B3", None, "abrogated by the defender"),
    "abrogated_by_protege": _Fate("#CFC7E3", "xxxx", "abrogated by the protégé"),
    "lapse": _Fate("#B99A45", "\\\\\\\\", "not renewed at its term"),
    "review": _Fate("#EFE2B4", None, "ended at a review"),
}
#: Small pictures in a row, and characters in a line of the caption.
_ROW: Final = 3
_LINE: Final = 105


def survival(decades: Decades, *, pact: str | None = None, ax: Axes | None = None) -> Axes:
    """Draw the share of histories in which pacts have not ended, year by year, and why the others have.

    Of several pacts a line each, with its interval as a band, and below them, unless `ax` is given, a small
    picture for each of how it stands or why it has ended. Of one pact the same in one picture. A pact that
    is suspended has not ended; one that ends does so at the end of a year.

    Parameters
    ----------
    pact
        The only pact to draw; all that are not empty if not given.
    ax
        Where to draw; a figure of its own if not given. Nothing is shown on a screen: a notebook displays
        what is returned, and ``ax.figure.savefig("survival.png")`` writes it.

    Returns
    -------
    matplotlib.axes.Axes
        The axes drawn on; those with the lines if there are several.

    Raises
    ------
    ResultError
        If there is no such pact, or it is empty, or all are.
    """
    data, study = decades.data, decades.study
    asked = [str(name) for name in data.pact.values] if pact is None else [pick(data, "pact", pact)]
    names = [name for name in asked if not study.pacts[name].is_empty]
    if not names:
        whose = "Every pact of this result is empty" if pact is None else f"The pact '{pact}' is empty"
        raise ResultError(f"{whose}, so that there is no life to draw: nothing begins, and nothing ends.")
    order = [str(name) for name in data.pact.values]
    lives = [_Life.of(data.sel(pact=name), name, order.index(name)) for name in names]
    alone = len(lives) == 1
    strips: list[Axes] = []
    if ax is None:
        rows = 0 if alone else math.ceil(len(lives) / _ROW)
        ax = new_axes(8.0, 4.9 + 1.7 * rows)
        if rows:
            strips = _strips(ax, lives)
    if alone:
        _fates(ax, lives[0])
    for life in lives:
        _line(ax, life, alone=alone)
    bottom, years = _bottom(lives), data.sizes["year"]
    for axes in (ax, *strips):
        axes.set_ylim(bottom, 1.0)
        frame_years(axes, years, ticks=5 if axes in strips else 10)
        axes.set_xlim(0, lives[0].at[-1])
    for axes in strips:
        axes.set_xlabel("")
    ax.set_ylabel("share of histories", fontsize=9.5)
    what = f"{names[0]}: whether it is still there, and why not" if alone else "pacts that have not ended"
    ax.set_title(f"{data.attrs['title']}\n{what}", loc="left", fontsize=11, wrap=True)
    name_ends(ax, _words(lives[0], bottom) if alone else [_end(life) for life in lives], room=bool(strips))
    caption = _caption(decades, lives, bottom)
    if strips:
        figure = ax.get_figure(root=True)
        assert figure is not None
        figure.supxlabel(caption, x=0.02, ha="left", fontsize=8, color=GREY)
    else:
        ax.annotate(
            caption,
            (0.0, 0.0),
            (0, -36),
            xycoords="axes fraction",
            textcoords="offset points",
            va="top",
            fontsize=8,
            color=GREY,
        )
    return ax


class _Life(NamedTuple):
    """What becomes of a pact.

    Parameters
    ----------
    name, place
        Its name, and its place among the pacts of the result.
    at
        Where steps begin [years from the start]; the last one is an end.
    alive, lower, upper
        Share that has not ended, and its interval.
    fates
        Shares of what can become of it, adding up to 1.
    """

    name: str
    place: int
    at: Floats
    alive: Floats
    lower: Floats
    upper: Floats
    fates: dict[str, Floats]

    @classmethod
    def of(cls, own: xr.Dataset, name: str, place: int) -> _Life:
        ended = own.sel(status="ended")
        years = own.sizes["year"]
        fates = {
            **{status: own.status_probability.sel(status=status) for status in ("in_force", "suspended")},
            **{cause: own.ended_by_probability.sel(cause=cause) for cause in CAUSES[1:]},
        }
        alive, lower, upper = (
            1.0 - _stepped(ended[f"status_{end}"].values, 0.0) for end in ("probability", "upper", "lower")
        )
        return cls(
            name,
            place,
            np.append(np.arange(years + 1.0), 1.015 * years),
            alive,
            lower,
            upper,
            {fate: _stepped(fates[fate].values, float(fate == "in_force")) for fate in _FATES},
        )

    @property
    def colour(self) -> str:
        return COLOURS[self.place % len(COLOURS)]


def _stepped(values: Floats, start: float) -> Floats:
    """Return values at the ends of years with that at the start before, and the last one twice."""
    return np.concatenate([[start], values, values[-1:]])


def _bottom(lives: list[_Life]) -> float:
    """Return where the scale begins: at 0, unless so few have ended that nothing would be seen."""
    ended = 1.0 - min(float(life.lower[-1]) for life in lives)
    return 0.0 if ended > 0.4 else 1.0 - math.ceil(max(1.6 * ended, 0.005) * 200.0) / 200.0


def _line(ax: Axes, life: _Life, *, alone: bool) -> None:
    """Draw the share that has not ended."""
    ax.fill_between(
        life.at, life.lower, life.upper, step="post", color=life.colour, alpha=0.2, linewidth=0, zorder=2.5
    )
    apart = max(1, len(life.at) // 6)
    ax.plot(
        life.at,
        life.alive,
        drawstyle="steps-post",
        color=life.colour,
        linestyle="-" if alone else DASHES[life.place % len(DASHES)],
        linewidth=1.6,
        marker="" if alone else MARKS[life.place % len(MARKS)],
        # marks of neighbours are a little apart
        markevery=[*range(apart - life.place % apart, len(life.at) - 1, apart)],
        markersize=4.5,
        label=life.name,
        zorder=3,
    )


def _fates(ax: Axes, life: _Life) -> None:
    """Fill what is below the line with what lives, and above it why the others have ended."""
    base = np.zeros_like(life.at)
    for name, fate in _FATES.items():
        if life.fates[name].any():
            ax.fill_between(
                life.at,
                base,
                base + life.fates[name],
                step="post",
                facecolor=fate.colour,
                hatch=fate.hatch,
                edgecolor="white",
                linewidth=0.0,
            )
        base = base + life.fates[name]


def _strips(ax: Axes, lives: list[_Life]) -> list[Axes]:
    """Draw what becomes of each pact in small pictures below `ax`, which makes room for them."""
    figure = ax.get_figure(root=True)
    assert figure is not None
    columns = min(len(lives), _ROW)
    rows = math.ceil(len(lives) / columns)
    # the last column is for words [inches]: the names of the lines, and the legend
    words_wide = 0.25 + 0.072 * max(28, *(len(_end(life).text) for life in lives))
    pictures_wide = max(figure.get_figwidth() - 0.9 - words_wide, 1.0)
    grid = figure.add_gridspec(
        1 + rows,
        columns + 1,
        height_ratios=[2.6, *[1.0] * rows],
        width_ratios=[*[pictures_wide / columns] * columns, words_wide],
    )
    ax.set_subplotspec(grid[0, :columns])
    found: list[Axes] = []
    for i, life in enumerate(lives):
        axes = figure.add_subplot(grid[1 + i // columns, i % columns])
        _fates(axes, life)
        _line(axes, life, alone=True)
        axes.set_title(life.name, loc="left", fontsize=9, color=life.colour)
        axes.tick_params(labelleft=i % columns == 0)
        found.append(axes)
    words = figure.add_subplot(grid[1, columns])
    words.set_axis_off()
    words.legend(
        handles=[
            Patch(facecolor=fate.colour, hatch=fate.hatch, edgecolor="white", label=fate.words)
            for name, fate in reversed(_FATES.items())
            if any(life.fates[name].any() for life in lives)
        ],
        loc="upper left",
        bbox_to_anchor=(-0.04, 1.06),
        borderaxespad=0.0,
        frameon=False,
        fontsize=8.5,
        labelspacing=0.35,
    ).set_in_layout(False)
    return found


def _end(life: _Life) -> End:
    """Return the words at the end of a pact's line."""
    last = float(life.alive[-1])
    if last == 1.0:
        # that none has ended is not to say that none could
        return End(1.0, f"{life.name}  > {percent(life.lower[-1])}", life.colour)
    half = np.flatnonzero(life.alive <= 0.5)
    text = f"{life.name}  {percent(last)}" + (f", half by year {half[0]}" if half.size else "")
    return End(last, text, life.colour)


def _words(life: _Life, bottom: float) -> list[End]:
    """Return words beside each area of a single pact, at its middle."""
    ends, base = [], 0.0
    for name, fate in _FATES.items():
        share = float(life.fates[name][-1])
        if share > 0.0:
            middle = (max(base, bottom) + base + share) / 2.0
            text = f"> {percent(life.lower[-1])}" if share == 1.0 else percent(share)
            ends.append(End(middle, f"{fate.words}  {text}", "black"))
        base += share
    return ends


def _caption(decades: Decades, lives: list[_Life], bottom: float) -> str:
    confidence = 100 * float(decades.data.attrs["confidence"])
    text = f"{decades.number:,} histories under each pact. "
    text += f"Bands: {confidence:.6g} % intervals of the simulation. "
    unseen = [
        fate.words for name, fate in _FATES.items() if not any(life.fates[name].any() for life in lives)
    ]
    if unseen:
        most = max(float(decades.data.ended_by_upper.sel(pact=life.name).min()) for life in lives)
        text += f"Never seen (below {percent(most)}): {', '.join(unseen)}. "
    if bottom > 0.0:
        text += "The scale does not start at 0. "
    return "\n".join(textwrap.wrap(text + "How readily partners leave: see peacetime.attachment.", _LINE))
