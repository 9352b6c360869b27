"""The stored figures, computed again from a user's own copies of the data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np
import xarray as xr

from entangle.atop import Treaties
from entangle.evidence import atop_records, icb, mid
from entangle.evidence.computed import Computed
from entangle.evidence.files import Files
from entangle.evidence.moments import DIGITS, Moment, Moments, shipped

#: Figures that no file read here is enough for, by the beginning of their codes.
NOT_COMPUTED: Final = {
    "B.": "needs direct contiguity and, for the odds ratios, regimes and peace years of every pair",
    "D.jB.": "needs direct contiguity: who is a neighbour of an original party",
    "G.": "needs SIPRI's military expenditure and, for the coefficients, incomes",
}


def recompute(folder: str | Path | Files, *, moments: Moments | None = None) -> xr.Dataset:
    """Compare stored figures with what a user's own copies of the data give.

    Parameters
    ----------
    folder
        Where the files are: in it, or in `mid`, `icb`, `atop` and `nmc` below it. Figures whose files are
        not there are not computed.
    moments
        The stored figures; the project's own if not given.

    Returns
    -------
    xarray.Dataset
        By `moment`: ``stored`` and ``computed`` with ``_lower``, ``_upper``, ``_n``, ``_events`` (not a
        number where there is none), ``equal`` (same cases, same value to the stored digits), ``inside``
        (the computed value lies in the stored interval), and ``reason`` why a figure was not computed.

    Raises
    ------
    DataError
        If there is no such folder, or a file in it is damaged.
    """
    moments = shipped() if moments is None else moments
    files = folder if isinstance(folder, Files) else Files.find(folder)
    found, missing = compute(files)
    names = list(moments.moments)
    stored = list(moments.moments.values())
    made = [found.get(moment.code) for moment in stored]
    columns: dict[str, list[float]] = {}
    for part in ("value", "lower", "upper", "n", "events"):
        end = "" if part == "value" else f"_{part}"
        columns[f"stored{end}"] = [_number(getattr(moment, part)) for moment in stored]
        columns[f"computed{end}"] = [_number(getattr(own, part, None)) for own in made]
    data = xr.Dataset(
        {name: ("moment", np.array(values, np.float64)) for name, values in columns.items()},
        {
            "moment": ("moment", np.array(names, dtype=object)),
            "code": ("moment", np.array([m.code for m in stored], dtype=object)),
            "family": ("moment", np.array([m.family for m in stored], dtype=object)),
        },
    )
    pairs = list(zip(stored, made, strict=True))
    data["equal"] = "moment", np.array([own is not None and _equal(m, own) for m, own in pairs])
    data["inside"] = (
        "moment",
        np.array([own is not None and m.lower <= own.value <= m.upper for m, own in pairs]),
    )
    reasons = ["" if own is not None else _why(m.code, missing) for m, own in pairs]
    data["reason"] = "moment", np.array(reasons, dtype=object)
    return data


def compute(files: Files) -> tuple[dict[str, Computed], dict[str, str]]:
    """Return every figure that the files give, by code, and what was missing, by beginning of code."""
    records = _Records(files)
    found: dict[str, Computed] = {}
    missing: dict[str, str] = {}
    for prefixes, kinds, make in _GROUPS:
        lacking = files.missing(*kinds)
        if lacking is None:
            found |= make(records)
        else:
            missing |= dict.fromkeys(prefixes, lacking)
    return found, missing


class _Records:
    """The data, each file read when it is first asked for."""

    def __init__(self, files: Files) -> None:
        self.files = files

    @cached_property
    def treaties(self) -> Treaties:
        return Treaties.read(self.files.require("alliances"), self.files.members)

    @cached_property
    def promises(self) -> atop_records.Promises:
        return atop_records.promises(self.treaties)

    @cached_property
    def disputes(self) -> tuple[mid.Dispute, ...]:
        return mid.read_disputes(self.files.require("disputes"), self.files.require("participants"))

    @cached_property
    def actors(self) -> tuple[icb.Actor, ...]:
        return icb.read_actors(self.files.require("crisis_actors"))


def _targets(records: _Records) -> dict[str, Computed]:
    states = mid.read_states(records.files.require("capabilities"))
    return mid.targets(records.disputes, records.promises, states)


def _patrons(records: _Records) -> dict[str, Computed]:
    adversaries = icb.read_adversaries(records.files.require("crisis_dyads"))
    return icb.patron_figures(records.actors, adversaries, records.promises)


_TREATIES: Final = ("alliances", "members")
_MID: Final = ("disputes", "participants", *_TREATIES)
#: Figures by the beginning of their codes, the files that they need, and what makes them.
_GROUPS: Final[
    tuple[tuple[tuple[str, ...], tuple[str, ...], Callable[[_Records], dict[str, Computed]]], ...]
] = (
    (("A.",), (*_MID, "capabilities"), _targets),
    (("C.",), _MID, lambda records: mid.escalation(records.disputes, records.promises)),
    (("D.",), _MID, lambda records: mid.joining(records.disputes, records.promises)),
    (
        ("F.gpmil", "F.viol"),
        ("crises",),
        lambda records: icb.crisis_figures(icb.read_crises(records.files.require("crises"))),
    ),
    (("F.outcom",), ("crisis_actors",), lambda records: icb.outcome_figures(records.actors)),
    (("F.act", "F.pat"), ("crisis_actors", "crisis_dyads", *_TREATIES), _patrons),
    (("H.",), ("alliances",), lambda records: atop_records.lifetimes(records.treaties)),
)


def _why(code: str, missing: Mapping[str, str]) -> str:
    """Return why a figure was not computed."""
    for reasons in (NOT_COMPUTED, missing):
        for prefix, reason in reasons.items():
            if code.startswith(prefix):
                return reason
    return "no figure of that code is computed here"


def _equal(stored: Moment, own: Computed) -> bool:
    cases = own.n == stored.n and stored.events in (None, own.events)
    return cases and abs(own.value - stored.value) <= 0.5000001 * 10.0**-DIGITS


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)
