"""How often the ranking of pacts changes over draws of the parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.stats import rankdata

from entangle.errors import RunError
from entangle.learning.sweep import Floats, labels, named_outcomes

if TYPE_CHECKING:
    import xarray as xr

#: Differences of probabilities that count as none: both are known to about so much.
SAME: Final = 1e-9


def ranks(
    data: xr.Dataset, *, pacts: Sequence[str] | None = None, outcomes: Sequence[str] | None = None
) -> xr.Dataset:
    """Return how often each pact ranks first, second, and so on, by the probability of each outcome.

    Rank 1 is the least probable. Pacts within :data:`SAME` of each other share their ranks in equal parts.

    Parameters
    ----------
    data
        What :func:`~entangle.learning.sweep.sweep` returned. Draws without a solution are left out.
    pacts
        Which to rank, among them perhaps no pact at all; all if not given.
    outcomes
        Names; the headlines if not given.

    Returns
    -------
    xarray.Dataset
        share (outcome, pact, rank)
            Of the draws in which the pact has the rank.
        above, equal (outcome, pact, other)
            Share of draws in which the outcome is more probable under the pact than under the other, or as
            probable.
        changed (outcome)
            Share of draws whose ranking is another than that of the means over all draws.
        turned (outcome)
            Share of pairs of pacts that stand the other way round than by the means, on average over draws.
        mean (outcome, pact)
            Mean probability over the draws.
        draws (outcome)
            How many have all numbers.

    Raises
    ------
    RunError
        If no draw has all numbers for any outcome.
    """
    import xarray as xr

    chosen = named_outcomes(data, outcomes)
    names = [str(name) for name in data.pact.values] if pacts is None else list(pacts)
    table = data.probability.sel(outcome=chosen, pact=names).transpose("outcome", "point", "pact").values
    number = len(names)
    share = np.full((len(chosen), number, number), np.nan)
    above, equal = np.full((2, len(chosen), number, number), np.nan)
    (changed, turned), mean = np.full((2, len(chosen)), np.nan), np.full((len(chosen), number), np.nan)
    counts = np.zeros(len(chosen), int)
    for i, values in enumerate(table):
        own = values[np.isfinite(values).all(axis=1)]
        counts[i] = len(own)
        if not len(own):
            continue
        difference = own[:, :, np.newaxis] - own[:, np.newaxis, :]
        above[i] = (difference > SAME).mean(axis=0)
        equal[i] = (np.abs(difference) <= SAME).mean(axis=0)
        mean[i] = own.mean(axis=0)
        share[i] = np.mean([_held(row) for row in own], axis=0)
        usual = _ranking(mean[i])
        pairs = usual[:, np.newaxis] < usual[np.newaxis, :]
        if pairs.any():
            turned[i] = above[i][pairs].mean()
        changed[i] = np.mean([(_ranking(row) != usual).any() for row in own])
    if not counts.any():
        raise RunError("No draw has a probability for every pact: there is nothing to rank.")
    texts = {
        "share": "share of draws in which the pact has the rank; 1 is the least probable",
        "above": "share of draws in which the outcome is more probable under the pact than under the other",
        "equal": "share of draws in which the outcome is as probable under both",
        "changed": "share of draws with another ranking than that of the means",
        "turned": "mean share of pairs that stand the other way round than by the means",
        "mean": "mean probability over draws",
        "draws": "draws that have all numbers",
    }
    numbers = {
        "share": (("outcome", "pact", "rank"), share),
        "above": (("outcome", "pact", "other"), above),
        "equal": (("outcome", "pact", "other"), equal),
        "changed": (("outcome",), changed),
        "turned": (("outcome",), turned),
        "mean": (("outcome", "pact"), mean),
        "draws": (("outcome",), counts),
    }
    return xr.Dataset(
        {
            name: (dims, values, {"long_name": texts[name], "units": "1"})
            for name, (dims, values) in numbers.items()
        },
        {
            "outcome": labels(chosen, "outcome"),
            "pact": labels(names, "pact"),
            "other": labels(names, "other"),
            "rank": ("rank", np.arange(1, number + 1), {"long_name": "rank, 1 the least probable"}),
        },
        dict(data.attrs),
    )


def _tied(row: Floats) -> Floats:
    """Return values with those that count as the same made the same."""
    order = np.argsort(row, kind="stable")
    sorted_row = row[order]
    starts = np.concatenate([[True], np.diff(sorted_row) > SAME])
    made = np.empty_like(row)
    made[order] = sorted_row[starts][np.cumsum(starts) - 1]
    return made


def _ranking(row: Floats) -> Floats:
    found: Floats = rankdata(_tied(row), method="average")
    return found


def _held(row: Floats) -> Floats:
    """Return how much of each rank each pact holds in one draw, shape (pacts, ranks)."""
    made = _tied(row)
    low, high = rankdata(made, method="min"), rankdata(made, method="max")
    place = np.arange(1, len(row) + 1)
    held = (place >= low[:, np.newaxis]) & (place <= high[:, np.newaxis])
    found: Floats = held / held.sum(axis=1, keepdims=True)
    return found
