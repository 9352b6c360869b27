"""Prior against posterior, on the scale on which every prior is the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from entangle.fit.posterior import INTERVAL

if TYPE_CHECKING:
    import xarray as xr

_TEXTS: Final = {
    "lower": "lower end of the posterior's 90 %",
    "median": "the posterior's median",
    "upper": "upper end of the posterior's 90 %",
    "learned": "one less the posterior's over the prior's standard deviation",
    "moved": "posterior mean, in standard deviations of the prior",
}


def learned(fit: xr.DataTree) -> xr.Dataset:
    """Return how far the record narrowed and moved each parameter, those of which most was learned first.

    Returns
    -------
    Dataset with dimension ``parameter``, on the scale on which the prior is standard normal
        lower, median, upper
            Of the posterior; the ends are those of the central 90 %.
        learned
            1 - posterior / prior standard deviation: 0 where the data said nothing, 1 where all is known;
            below 0 where the posterior is wider.
        moved
            The posterior's mean: standard deviations of the prior from its median.
        value_lower, value_median, value_upper
            The same quantiles as the parameter itself.

    The attributes ``prior_lower`` and ``prior_upper`` are the ends of every prior's 90 %.
    """
    import xarray as xr

    normal = fit["sample_stats"].to_dataset()["normal"]
    names = [str(name) for name in normal["parameter"].values]
    points = normal.values.reshape(-1, len(names))
    after = fit["posterior"].to_dataset()
    values = np.array([after[name].values.ravel() for name in names])
    levels = (INTERVAL[0], 0.5, INTERVAL[1])
    ends = "lower", "median", "upper"
    quantiles = np.quantile(points, levels, axis=0)
    columns: dict[str, NDArray[np.float64]] = dict(zip(ends, quantiles, strict=True))
    columns["learned"] = 1.0 - points.std(axis=0, ddof=1)
    columns["moved"] = points.mean(axis=0)
    order = np.argsort(-columns["learned"], kind="stable")
    low, high = ndtri(INTERVAL).tolist()
    data = xr.Dataset(
        {
            name: ("parameter", column[order], {"long_name": _TEXTS[name], "units": "1"})
            for name, column in columns.items()
        },
        {"parameter": np.array([names[i] for i in order], dtype=object)},
        {
            "title": "What was learned of each parameter",
            "prior_lower": low,
            "prior_upper": high,
            "confidence": round(INTERVAL[1] - INTERVAL[0], 9),
            "draws": len(points),
            "fingerprint": fit.attrs.get("fingerprint", ""),
        },
    )
    for name, column in zip(ends, np.quantile(values, levels, axis=1), strict=True):
        text = _TEXTS[name] + ", as the parameter itself"
        data[f"value_{name}"] = ("parameter", column[order], {"long_name": text, "units": "1"})
    return data
