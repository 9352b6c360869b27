"""Words at the right ends of lines, none over another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray

from entangle.tables.text import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]

#: Height of a line of words, and how far they stand from the axes [points].
_LINE: Final = 13.0
_BESIDE: Final = 9.0
#: What the axes lose to title, ticks and caption once the figure is laid out.
_LAID_OUT: Final = 0.85


class End(NamedTuple):
    """The words at the end of a line.

    Parameters
    ----------
    value
        Where the line ends, in the units of the vertical axis.
    text, colour
        The words, and their colour.
    """

    value: float
    text: str
    colour: str


def name_ends(ax: Axes, ends: Sequence[End], *, room: bool = False) -> None:
    """Write words at the right ends of lines: as near as they can stand without covering each other.

    The limits of the axes have to be set before.

    Parameters
    ----------
    room
        Whether there is room to the right of the axes already; else the figure's layout makes some.
    """
    figure = ax.get_figure(root=True)
    assert figure is not None
    bottom, top = ax.get_ylim()
    height = 72.0 * figure.get_figheight() * ax.get_position().height * _LAID_OUT
    gap = _LINE / height
    wanted = np.array([(end.value - bottom) / (top - bottom) for end in ends])
    for end, at, place in zip(ends, wanted, apart(wanted, gap), strict=True):
        moved = abs(place - at) > 0.25 * gap
        ax.annotate(
            end.text,
            (1.0, at),
            (1.0 + _BESIDE / 72.0 / (figure.get_figwidth() * ax.get_position().width), place),
            xycoords="axes fraction",
            textcoords="axes fraction",
            va="center",
            fontsize=9,
            color=end.colour,
            annotation_clip=False,
            in_layout=not room,
            arrowprops={
                "arrowstyle": "-", "color": end.colour, "linewidth": 0.5, "shrinkA": 0, "shrinkB": 1,
                "relpos": (0.0, 0.5),
            } if moved else None,
        )  # fmt: skip


def apart(wanted: Floats, gap: float) -> Floats:
    """Return the places nearest to those wanted, in least squares, that are `gap` apart.

    Words that would overlap are put evenly around the middle of where they belong (pool adjacent violators);
    of equal ones the first stands highest.
    """
    order = np.lexsort((-np.arange(len(wanted)), wanted))
    offsets = gap * np.arange(len(wanted))
    pools: list[list[float]] = []  # mean and size of what has to stand together
    for value in wanted[order] - offsets:
        pools.append([float(value), 1.0])
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            mean, size = pools.pop()
            before, others = pools[-1]
            pools[-1] = [(before * others + mean * size) / (others + size), others + size]
    places = np.empty(len(wanted))
    places[order] = np.repeat([mean for mean, _ in pools], [int(size) for _, size in pools]) + offsets
    return places


def percent(share: float) -> str:
    """Return a share in per cent, with three digits.

    Examples
    --------
    >>> percent(0.38905), percent(1.0), percent(0.99996)
    ('38.9 %', '100 %', '99.996 %')
    """
    return f"{number(share, digits=3)} %"


def frame_years(ax: Axes, years: int, *, ticks: int = 10) -> None:
    """Label axes with years from the start across, and shares in per cent upwards."""
    ax.xaxis.set_major_locator(MaxNLocator(ticks, integer=True, steps=[1, 2, 5, 10]))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100.0 * share:.6g} %"))
    ax.set_xlim(0, years)
    ax.set_xlabel("years from the start", fontsize=9.5)
    ax.tick_params(labelsize=8.5)
    ax.grid(axis="y", color="#DDDDDD", linewidth=0.6)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)
