"""Pacts compared on common random words: differences, ratios, and what the pairing saves."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import xarray as xr

from entangle.estimators import Joint, paired
from entangle.questions import joint

if TYPE_CHECKING:
    from entangle.engine import Tally

#: The joint counts that a result keeps, so that any two of its pacts can be compared later.
_KEPT: Final = {
    "joint": "in which the outcome happened under both pacts",
    "joint_event_trials": "in which it happened under the first, and its condition held under the second",
    "joint_trials": "in which its condition held under both pacts",
}


class Comparison:
    """Two pacts compared on common random words.

    Parameters
    ----------
    data
        What :func:`compare` returned.
    """

    def __init__(self, data: xr.Dataset) -> None:
        self.data = data

    def summary(self) -> str:
        """Return a table of every outcome and rung, in plain text of at most 80 columns."""
        from entangle.tables.pairs import comparison_as_text

        return comparison_as_text(self)

    def to_dict(self) -> dict[str, Any]:
        """Return the comparison as plain data for JSON; what is not a finite number becomes null."""
        found: dict[str, Any] = {name: self.data.attrs[name] for name in ("title", "first", "second")}
        for dimension, prefix in (("outcome", ""), ("rung", "rung_")):
            names = [str(name) for name in self.data if str(name).startswith("rung_") == bool(prefix)]
            found[f"{dimension}s"] = {
                str(label): {
                    name.removeprefix(prefix): value if math.isfinite(value) else None
                    for name in names
                    for value in (self.data[name].sel({dimension: label}).item(),)
                }
                for label in self.data[dimension].values
            }
        return found

    def __repr__(self) -> str:
        """Return the table."""
        return self.summary()


def variables(tally: Tally, pacts: int) -> dict[str, xr.Variable]:
    """Return the joint counts of every pair of pacts, each of shape (pacts, pacts, outcomes or rungs)."""
    counted = joint(tally.shared[:pacts, :pacts], tally.counts[:pacts])
    found = {
        name: xr.Variable(
            ("pact", "versus", "outcome"), values, {"long_name": f"simulated disputes {text}", "units": "1"}
        )
        for (name, text), values in zip(_KEPT.items(), counted[:3], strict=True)
    }
    found["rung_joint"] = xr.Variable(
        ("pact", "versus", "rung"),
        counted.rungs,
        {"long_name": "simulated disputes in which both pacts reach at least that rung", "units": "1"},
    )
    return found


def compare(data: xr.Dataset, first: str, second: str) -> xr.Dataset:
    """Return what one pact makes of every outcome against another, with paired intervals.

    Parameters
    ----------
    data
        The data of a simulated result with joint counts.
    first, second
        Names of two pacts.

    Returns
    -------
    xarray.Dataset
        For every outcome, and with the prefix ``rung_`` for every rung: `first`, `second` (simulated
        probabilities), `difference`, `lower`, `upper`, `ratio`, `ratio_lower`, `ratio_upper`,
        `variance_saved`, `exact_difference`, `exact_ratio`.
    """
    confidence = float(data.attrs["confidence"])
    one, other = data.sel(pact=first), data.sel(pact=second)
    found: dict[str, xr.Variable] = {}
    for dimension, prefix in (("outcome", ""), ("rung", "rung_")):
        counts = _outcomes(data, first, second) if not prefix else _rungs(data, first, second)
        made = paired(counts, confidence=confidence)
        exact = one[f"{prefix}exact"].values, other[f"{prefix}exact"].values
        with np.errstate(invalid="ignore", divide="ignore"):
            ratio = exact[0] / exact[1]
        percent = f"{100 * confidence:.6g} %"
        columns = {
            "first": (one[f"{prefix}probability"].values, f"simulated probability under {first}"),
            "second": (other[f"{prefix}probability"].values, f"simulated probability under {second}"),
            "difference": (made.difference, f"{first} less {second}"),
            "lower": (made.difference_interval.lower, f"lower end of its paired {percent} interval"),
            "upper": (made.difference_interval.upper, f"upper end of its paired {percent} interval"),
            "ratio": (made.ratio, f"{first} over {second}"),
            "ratio_lower": (made.ratio_interval.lower, f"lower end of its paired {percent} interval"),
            "ratio_upper": (made.ratio_interval.upper, f"upper end of its paired {percent} interval"),
            "variance_saved": (made.saved, "share of the difference's variance saved by common random words"),
            "exact_difference": (exact[0] - exact[1], f"exact probability, {first} less {second}"),
            "exact_ratio": (ratio, f"exact probability, {first} over {second}"),
        }
        for name, (values, text) in columns.items():
            found[prefix + name] = xr.Variable(dimension, values, {"long_name": text, "units": "1"})
    coords = {name: data[name] for name in ("outcome", "rung", "meaning", "given")}
    return xr.Dataset(
        found,
        coords,
        {
            "title": data.attrs["title"],
            "comparison": f"{first} against {second}",
            "first": first,
            "second": second,
            "trajectories": data.attrs["trajectories"],
            "seed": data.attrs["seed"],
            "confidence": confidence,
            "fingerprint": data.attrs["fingerprint"],
        },
    )


def _outcomes(data: xr.Dataset, first: str, second: str) -> Joint:
    there, back = data.sel(pact=first, versus=second), data.sel(pact=second, versus=first)
    return Joint(
        first=there["count"].values,
        second=back["count"].values,
        first_trials=there.trials.values,
        second_trials=back.trials.values,
        both=there.joint.values,
        first_in_second=there.joint_event_trials.values,
        second_in_first=back.joint_event_trials.values,
        both_trials=there.joint_trials.values,
    )


def _rungs(data: xr.Dataset, first: str, second: str) -> Joint:
    there, back = data.sel(pact=first, versus=second), data.sel(pact=second, versus=first)
    trials = there.rung_trials.values
    return Joint(
        first=there.rung_count.values,
        second=back.rung_count.values,
        first_trials=trials,
        second_trials=trials,
        both=there.rung_joint.values,
        first_in_second=there.rung_count.values,
        second_in_first=back.rung_count.values,
        both_trials=trials,
    )
