"""Prior against posterior: what the record taught about each parameter, and what it could not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter

from entangle.plot.style import COLOURS, GREY, new_axes

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

_PRIOR: Final = "#D5D5D5"
_POSTERIOR: Final = COLOURS[2]


def learned(data: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """Draw the central 90 % of prior and posterior of each parameter, those of which most was learned on top.

    On the scale on which every prior is standard normal, so that all priors are the same band. At the right
    stand the posterior's median and interval as the parameter itself.

    Parameters
    ----------
    data
        What :func:`entangle.learning.learned.learned` returned.
    ax
        Where to draw; a figure of its own if not given. Nothing is shown on a screen: a notebook displays
        what is returned.

    Returns
    -------
    matplotlib.axes.Axes
        The axes drawn on.
    """
    number = data.sizes["parameter"]
    if ax is None:
        ax = new_axes(8.5, 1.7 + 0.25 * number)
    rows = np.arange(number)
    low, high = float(data.attrs["prior_lower"]), float(data.attrs["prior_upper"])
    confidence = f"{100 * float(data.attrs['confidence']):g} %"
    ax.barh(rows, high - low, 0.72, left=low, color=_PRIOR, zorder=1)
    ax.axvline(0.0, color="white", linewidth=1.5, zorder=1.5)
    ax.hlines(rows, data["lower"].values, data["upper"].values, color=_POSTERIOR, linewidth=3.0, zorder=3)
    ax.plot(data["median"].values, rows, "o", color=_POSTERIOR, markersize=6.0, zorder=4)
    names = [str(name).replace("_", " ") for name in data.parameter.values]
    shares = [f"{round(100 * share)} %".replace("-", "−") for share in data["learned"].values.tolist()]
    ax.set_yticks(rows, [f"{name}  {share}" for name, share in zip(names, shares, strict=True)], fontsize=9)
    ax.set_ylim(number - 0.4, -0.6)
    reach = max(-low, high, float(np.abs(data["lower"]).max()), float(np.abs(data["upper"]).max())) + 0.15
    ax.set_xlim(-reach, reach)
    for row in rows:
        cell = data.isel(parameter=row)
        ends = f"{cell.value_lower.item():.2g} to {cell.value_upper.item():.2g}"
        ax.annotate(
            f"{cell.value_median.item():.3g}  ({ends})".replace("-", "−"),
            (1.0, row),
            (6, 0),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            va="center",
            fontsize=8,
            color=GREY,
        )
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}".replace("-", "−")))
    ax.set_xlabel("standard deviations of the prior from its median", fontsize=9.5)
    ax.tick_params(labelsize=9)
    ax.tick_params(axis="y", length=0)
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.set_title("What the record taught about each parameter", loc="left", fontsize=11, pad=24.0)
    band = Line2D([], [], color=_PRIOR, linewidth=9.0, label=f"prior, central {confidence}")
    line = Line2D(
        [], [], color=_POSTERIOR, linewidth=3.0, marker="o", label=f"posterior, median and {confidence}"
    )
    ax.legend(
        handles=[band, line],
        loc="lower left",
        bbox_to_anchor=(-0.01, 1.0),
        ncols=2,
        frameon=False,
        fontsize=8.5,
    )
    ax.annotate(
        "Beside each name: by how much the posterior's standard deviation is below the prior's.",
        (0.0, 0.0),
        (0, -34),
        xycoords="axes fraction",
        textcoords="offset points",
        va="top",
        fontsize=8,
        color=GREY,
    )
    return ax
