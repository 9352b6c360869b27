"""What drives it: what each clause of a pact does to the probability of one outcome."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray

from entangle.clause_effects import clauses_of
from entangle.errors import ResultError
from entangle.plot.style import COLOURS, GREY, new_axes
from entangle.tables.text import number, points

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

_LAST: Final = COLOURS[2]
_ALONE: Final = COLOURS[1]
#: Characters in a line of the caption.
_LINE: Final = 122
_HOW: Final = (
    "All exact. Right of the line: more likely with the clause. Between two dots: what the other clauses "
    "change. The effects do not add up to that of the pact."
)


def dots(
    effects: xr.Dataset, *, pact: str | None = None, outcome: str = "war", ax: Axes | None = None
) -> Axes:
    """Draw what each clause of a pact does to the probability of an outcome, the largest effect on top.

    A filled dot is what the clause does to the rest of the pact (the whole pact minus the pact without it), a
    hollow one what it does alone (the clause alone minus no pact); the line between them is what the other
    clauses change about that. All are exact.

    Parameters
    ----------
    effects
        What :meth:`entangle.Study.clauses` returned.
    pact
        Which pact; the first that has clauses if not given.
    outcome
        Which outcome.
    ax
        Where to draw; a figure of its own if not given. Nothing is shown on a screen: a notebook displays
        what is returned, and ``ax.figure.savefig("clauses.png")`` writes it.

    Returns
    -------
    matplotlib.axes.Axes
        The axes drawn on.

    Raises
    ------
    ResultError
        If there is no such pact or outcome, or no clause in it.
    """
    pact = _first(effects) if pact is None else pact
    clauses = clauses_of(effects, pact, by=outcome)
    if not clauses:
        raise ResultError(f"The pact '{pact}' has no clause, so there is nothing to draw. {_choice(effects)}")
    if ax is None:
        ax = new_axes(8.5, 2.9 + 0.32 * len(clauses))
    table = effects.sel(pact=pact, outcome=outcome)
    cells = table.sel(clause=clauses)
    last: NDArray[np.float64] = 100.0 * cells.adds_to_rest.values
    alone: NDArray[np.float64] = 100.0 * cells.adds_alone.values
    rows = np.arange(len(clauses), dtype=float)
    ax.axvline(0.0, color=GREY, linewidth=1.0, zorder=1)
    both = np.isfinite(last) & np.isfinite(alone)
    ax.hlines(rows[both], alone[both], last[both], color="#BBBBBB", linewidth=1.6, zorder=2)
    full: dict[str, Any] = {"linestyle": "none", "marker": "o", "markersize": 8.0, "markeredgewidth": 0.0}
    # the ring is larger, so that it is seen around a full dot at the same place
    hollow = full | {"markersize": 11.0, "markerfacecolor": "white", "markeredgewidth": 1.6}
    ax.plot(alone, rows, color=_ALONE, zorder=3, **hollow)
    ax.plot(last, rows, color=_LAST, zorder=4, **full)
    _numbers(ax, cells, rows)
    _frame(ax, clauses, np.concatenate([last, alone]))
    ax.set_xlabel(f"what the clause does to P({_words(outcome)}) [percentage points]", fontsize=9.5)
    ax.set_title(
        f"{effects.attrs['title']}\n{_words(pact)}: what each clause does to {_words(outcome)}",
        loc="left",
        fontsize=11,
        wrap=True,
        pad=24.0,  # room for the legend
    )
    filled = Line2D([], [], color=_LAST, label="in the pact: whole pact minus the pact without it", **full)
    ring = Line2D([], [], color=_ALONE, label="alone: the clause alone minus no pact", **hollow)
    ax.legend(
        handles=[filled, ring],
        loc="lower left",
        bbox_to_anchor=(-0.01, 1.01),
        ncols=2,
        frameon=False,
        fontsize=8.5,
        borderaxespad=0.0,
        handletextpad=0.1,
    )
    ax.annotate(
        _caption(table, cells, outcome),
        (0.0, 0.0),
        (0, -42),
        xycoords="axes fraction",
        textcoords="offset points",
        va="top",
        fontsize=8,
        color=GREY,
    )
    return ax


def _first(effects: xr.Dataset) -> str:
    """Return the first pact that has clauses."""
    having = _having(effects)
    if not having:
        raise ResultError(f"There is nothing to draw. {_choice(effects)}")
    return having[0]


def _having(effects: xr.Dataset) -> list[str]:
    return [str(name) for name in effects.pact.values[effects.present.any("clause").values]]


def _choice(effects: xr.Dataset) -> str:
    having = _having(effects)
    return f"Those with clauses: {', '.join(having)}." if having else "No pact of this study has any."


def _numbers(ax: Axes, cells: xr.Dataset, rows: NDArray[np.float64]) -> None:
    """Write the effects beside the dots, a column for each kind."""
    columns = ((cells.adds_to_rest, _LAST, "in the pact", 66), (cells.adds_alone, _ALONE, "alone", 124))
    beside = ax.get_yaxis_transform()
    for effects, colour, head, across in columns:
        words: dict[str, Any] = {
            "textcoords": "offset points",
            "ha": "right",
            "fontsize": 8.5,
            "color": colour,
        }
        ax.annotate(head, (1.0, 1.0), (across, 5), xycoords="axes fraction", va="bottom", **words)
        for row, effect in zip(rows.tolist(), effects.values.tolist(), strict=True):
            ax.annotate(points(effect), (1.0, row), (across, 0), xycoords=beside, va="center", **words)


def _frame(ax: Axes, clauses: list[str], ends: NDArray[np.float64]) -> None:
    known = ends[np.isfinite(ends)]
    least, most = float(known.min(initial=0.0)), float(known.max(initial=0.0))
    margin = 0.06 * ((most - least) or 1.0)
    ax.set_xlim(least - margin, most + margin)
    ax.set_ylim(len(clauses) - 0.4, -0.6)  # the first on top
    ax.set_yticks(range(len(clauses)), clauses)
    ax.xaxis.set_major_formatter(FuncFormatter(_tick))
    ax.tick_params(labelsize=9)
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="x", color="#DDDDDD", linewidth=0.6)
    ax.set_axisbelow(True)
    ax.spines[["top", "right", "left"]].set_visible(False)


def _tick(value: float, _: int | None = None) -> str:
    return f"{value:+g}".replace("-", "−") if abs(value) > 1e-12 else "0"


def _words(name: str) -> str:
    return name.replace("_", " ")


def _per_cent(probability: float) -> str:
    return "not defined" if np.isnan(probability) else f"{number(probability)} %"


def _caption(table: xr.Dataset, cells: xr.Dataset, outcome: str) -> str:
    whole, none = (_per_cent(table[name].item()) for name in ("whole", "none"))
    sentences = [
        f"{_words(outcome)}: {table.meaning.item()}, given {table.given.item()}.",
        f"Its probability: {whole} under the pact, {none} without any.",
        _HOW,
    ]
    idle = [str(name) for name in cells.clause.values[~cells.acts.values]]
    if idle:
        sentences.append(f"Nothing within a crisis depends on: {', '.join(idle)}.")
    if bool((cells.adds_to_rest.isnull() | cells.adds_alone.isnull()).any()):
        sentences.append("–: the condition cannot hold there, so that there is no probability and no dot.")
    return "\n".join(line for sentence in sentences for line in textwrap.wrap(sentence, _LINE))
