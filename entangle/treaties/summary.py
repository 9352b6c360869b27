"""Medians, intervals and ranks over the draws of a ranking."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from entangle_kernels.game import Floats

if TYPE_CHECKING:
    import xarray as xr

#: Quantiles over the draws: a median and its 90 % interval.
LEVELS: Final = (0.05, 0.5, 0.95)
#: What is ranked, the largest first.
MEASURES: Final = ("deterrence", "wars_averted", "entanglement")
#: What is held against entanglement.
AGAINST: Final = ("deterrence", "wars_averted")


class Row(NamedTuple):
    """A pact from one partner's side.

    Parameters
    ----------
    treaty, direction
        Its labels.
    label
        Defender and protégé, as in "USA→ROK 1953".
    """

    treaty: str
    direction: str
    label: str


def summary(data: xr.Dataset) -> xr.Dataset:
    """Return what the draws say together.

    Parameters
    ----------
    data
        What :func:`entangle.treaties.rank` returned.

    Returns
    -------
    xarray.Dataset over treaty, direction and level (5 %, 50 %, 95 %)
        deterrence, wars_averted, entanglement
            Per occasion.
        rank_deterrence, rank_wars_averted, rank_entanglement
            Among the pacts and directions that could be solved at the same draw; 1 is the largest, equals
            share the mean of their ranks.
        outweighs (treaty, direction, measure)
            Share of the draws in which challenges, or wars, averted per occasion exceed entanglement.
        unsolved (treaty, direction)
            Draws at which an equilibrium could not be found.

        No numbers where no help is owed.
    """
    import xarray as xr

    owed = data.owed.values
    place = ("treaty", "direction")
    found: dict[str, tuple[tuple[str, ...], Floats, dict[str, str]]] = {}
    for name in MEASURES:
        values = data[name].transpose(*place, "draw").values
        text = str(data[name].attrs["long_name"])
        found[name] = (*place, "level"), _quantiles(values), {"long_name": text, "units": "1"}
        found[f"rank_{name}"] = (
            (*place, "level"),
            _quantiles(ranks(values)),
            {"long_name": f"rank by {name} among those solved at the same draw, 1 the largest", "units": "1"},
        )
    entangled = data.entanglement.transpose(*place, "draw").values
    shares = np.stack(
        [_share(data[name].transpose(*place, "draw").values, entangled) for name in AGAINST], axis=2
    )
    found["outweighs"] = (
        (*place, "measure"),
        shares,
        {"long_name": "share of draws in which it exceeds entanglement, both per occasion", "units": "1"},
    )
    unsolved = np.where(owed, (~data.solved.values).sum(axis=data.solved.get_axis_num("draw")), 0)
    kept = ("protege", "defender", "challenger", "atopid")
    return xr.Dataset(
        found,
        {
            "treaty": data.treaty,
            "direction": data.direction,
            **{name: data[name] for name in kept},
            "level": ("level", np.array(LEVELS), {"long_name": "quantile over the draws"}),
            "measure": ("measure", np.array(AGAINST, dtype=object)),
        },
        dict(data.attrs),
    ).assign(owed=data.owed, unsolved=(place, unsolved, {"long_name": "draws without a solution"}))


def ranks(values: Floats) -> Floats:
    """Return the rank of each place at each draw, 1 the largest; what is no number has none.

    Parameters
    ----------
    values
        Shape (..., draws).
    """
    from scipy.stats import rankdata

    flat = values.reshape(-1, values.shape[-1])
    found: Floats = rankdata(-flat, axis=0, nan_policy="omit")
    return np.where(np.isfinite(flat), found, np.nan).reshape(values.shape)


def rows(data: xr.Dataset) -> list[Row]:
    """Return the pacts and directions in which help is owed, in the order of the table."""
    from entangle.treaties.abbreviations import abbreviation

    found = []
    for i, treaty in enumerate(map(str, data.treaty.values)):
        for k, direction in enumerate(map(str, data.direction.values)):
            if not data.owed.values[i, k]:
                continue
            pair, _, year = treaty.partition(" ")
            names = [
                abbreviation(int(data[f"{seat}_ccode"].values[i, k])) for seat in ("defender", "protege")
            ]
            assert set(names) == set(pair.split("-"))
            found.append(Row(treaty, direction, f"{'→'.join(names)} {year}"))
    return found


def _quantiles(values: Floats) -> Floats:
    """Return quantiles over the last axis, not a number where there is none, shape (..., levels)."""
    found = np.full((*values.shape[:-1], len(LEVELS)), np.nan)
    for place in np.ndindex(values.shape[:-1]):
        known = values[place][np.isfinite(values[place])]
        if len(known):
            found[place] = np.quantile(known, LEVELS)
    return found


def _share(values: Floats, other: Floats) -> Floats:
    known = np.isfinite(values) & np.isfinite(other)
    more = (known & (values > other)).sum(axis=-1)
    number = known.sum(axis=-1)
    share: Floats = np.divide(more, number, out=np.full(number.shape, np.nan), where=number > 0)
    return share
