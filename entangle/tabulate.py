"""From cells to a labelled table: shares of counted and of exact endings, with intervals and provenance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from entangle import attribution, comparison, metadata, provenance, until
from entangle.blocks import STRETCH
from entangle.estimators import wilson
from entangle.outcomes import OUTCOMES, REACHED, Outcome
from entangle.result import Result
from entangle.vocabulary import ENDS
from entangle_kernels.exact import CELLS
from entangle_kernels.quantise import digest

if TYPE_CHECKING:
    from entangle.attribution import Marginals
    from entangle.engine import Tally
    from entangle.solving import Prepared
    from entangle.study import Study
    from entangle.until import Stop

#: The coordinates of a cell: what its number means.
_CELL_AXES: Final[dict[str, dict[str, Any]]] = {
    "origin": {
        "long_name": "for whom the dispute arose",
        "flag_values": np.arange(2, dtype=np.int16),
        "flag_meanings": "challenger protege",
    },
    "scope": {
        "long_name": "whether the dispute was in the treaty's scope",
        "flag_values": np.arange(2, dtype=np.int16),
        "flag_meanings": "outside inside",
    },
    "end": {
        "long_name": "how the dispute ended",
        "flag_values": np.arange(8, dtype=np.int16),
        "flag_meanings": " ".join(ENDS),
    },
    "state": {
        "long_name": "public state in which it ended",
        "comment": "(rung * 4 + support) * 2 + provoked; rung 0 to 8, support 0 to 3, provoked 1 if "
        "the protégé opened the crisis or was the first to use force",
    },
    "marks": {
        "long_name": "what happened on the way",
        "flag_masks": np.array([1, 2, 4, 8], np.int16),
        "flag_meanings": "force_by_challenger vote_blocked obligation_active support_reached",
    },
}


def tabulate(
    study: Study,
    prepared: Mapping[str, Prepared],
    known: Marginals | None,
    *,
    tally: Tally | None,
    stops: Sequence[Stop] = (),
) -> Result:
    """Return the result of a study from its solved pacts and, if it was simulated, its counts.

    Parameters
    ----------
    known
        Exact probabilities that bound the attribution; None if there is none.
    tally
        Counts of the plan's worlds, the first of which are the pacts; None if nothing was simulated.
    stops
        What the run stopped on.
    """
    pacts = list(study.pacts)
    exact = np.stack([prepared[name].exact for name in pacts])
    counted = np.zeros((len(pacts), *CELLS), np.int64)
    if tally is not None:
        counted = tally.counts[: len(pacts)]
    confidence = study.simulation.confidence
    simulated = tally is not None
    wanted = study.simulation.until if simulated else None
    data = xr.Dataset(
        {
            **_shares(OUTCOMES, "outcome", "", exact, counted, confidence, simulated=simulated),
            **_shares(REACHED, "rung", "rung_", exact, counted, confidence, simulated=simulated),
            **_cells(exact, counted),
            **_solutions([prepared[name] for name in pacts]),
            **({} if known is None else attribution.variables(known, confidence, tally)),
            **({} if known is None or tally is None else comparison.variables(tally, len(pacts))),
            **({} if not wanted else until.variables(stops, wanted, len(pacts))),
            **({} if tally is None else _digests(tally, len(pacts), compared=known is not None)),
        },
        coords={
            "pact": ("pact", _words(pacts), {"long_name": "pact"}),
            "versus": ("versus", _words(pacts), {"long_name": "pact that it is compared with"}),
            **_labels(OUTCOMES, "outcome", "outcome of a dispute"),
            "rung": (
                "rung",
                _words([reached.name for reached in REACHED]),
                {"long_name": "highest rung of the ladder that the dispute reached, or more"},
            ),
        },
    )
    if wanted:
        target = xr.Variable("target", _words(list(wanted)), {"long_name": "outcome that the run stopped on"})
        data = data.assign_coords(target=target)
    if known is not None:
        data = data.assign_coords(attribution.coordinates())
    if tally is not None:
        data = data.assign_coords(
            first=metadata.first_of(data, "disputes", STRETCH * tally.digests.told()[1])
        )
    data = metadata.described(data.set_coords(list(_CELL_AXES)))
    trajectories = 0 if tally is None else tally.trajectories
    data.attrs = provenance.attributes(study, data, trajectories=trajectories)
    return Result(data)


def _shares(
    outcomes: tuple[Outcome, ...],
    dimension: str,
    prefix: str,
    exact: NDArray[np.float64],
    counted: NDArray[np.int64],
    confidence: float,
    *,
    simulated: bool,
) -> dict[str, xr.Variable]:
    """Return the variables of a set of outcomes, each of shape (pacts, outcomes)."""
    count = _sums(counted, [outcome.event for outcome in outcomes])
    trials = _sums(counted, [outcome.condition for outcome in outcomes])
    happened = _sums(exact, [outcome.event for outcome in outcomes])
    otherwise = _sums(exact, [outcome.condition & ~outcome.event for outcome in outcomes])
    with np.errstate(invalid="ignore"):  # 0 / 0, where the condition never holds
        truth = happened / (happened + otherwise)
        estimate = count / trials if simulated else truth
    lower, upper = wilson(count, trials, confidence=confidence) if simulated else (truth, truth)
    given = "; ".join(f"{o.name} given {o.given}" for o in outcomes)
    what = "at least that rung is reached" if prefix else "the outcome happens"
    source = "simulated" if simulated else "exact"
    numbers: dict[str, tuple[NDArray[Any], dict[str, str]]] = {
        "probability": (
            estimate,
            {
                "long_name": f"{source} probability that {what}",
                "conditional_on": given,
                "comment": "count / trials; not a number where the condition never held",
                "ancillary_variables": " ".join(
                    prefix + name for name in ("lower", "upper", "count", "trials", "exact")
                ),
            },
        ),
        "lower": (lower, {"long_name": f"lower end of the {confidence:.6g} interval"}),
        "upper": (upper, {"long_name": f"upper end of the {confidence:.6g} interval"}),
        "count": (count, {"long_name": f"simulated disputes in which {what}"}),
        "trials": (trials, {"long_name": "simulated disputes in which the condition held"}),
        "exact": (truth, {"long_name": f"exact probability that {what}"}),
    }
    return {
        prefix + name: xr.Variable(("pact", dimension), values, {"units": "1", **attributes})
        for name, (values, attributes) in numbers.items()
    }


def _sums(cells: NDArray[Any], masks: list[NDArray[np.bool_]]) -> NDArray[Any]:
    """Return the sum of each pact's cells in each mask, shape (pacts, masks)."""
    return np.array([[table[mask].sum() for mask in masks] for table in cells])


def _cells(exact: NDArray[np.float64], counted: NDArray[np.int64]) -> dict[str, xr.Variable]:
    """Return the cells that can occur, so that later questions can be answered from the file."""
    occurs = (exact > 0).any(axis=0) | (counted > 0).any(axis=0)
    tables = {
        "cells": (counted, "simulated disputes that ended in this way"),
        "cells_exact": (exact, "exact probability that a dispute ends in this way"),
    }
    found = {
        name: xr.Variable(("pact", "cell"), table[:, occurs], {"long_name": text, "units": "1"})
        for name, (table, text) in tables.items()
    }
    for (name, attributes), index in zip(_CELL_AXES.items(), np.nonzero(occurs), strict=True):
        found[name] = xr.Variable("cell", index.astype(np.int16), attributes)
    return found


def _solutions(pacts: list[Prepared]) -> dict[str, xr.Variable]:
    return {
        "table_hash": xr.Variable(
            "pact",
            _words([digest(pact.tables) for pact in pacts]),
            {"long_name": "SHA-256 of the solved pact's thresholds"},
        ),
        "solver_sweeps": xr.Variable(
            "pact",
            np.array([pact.sweeps for pact in pacts], np.int64),
            {"long_name": "sweeps that the pact's games took to solve", "units": "1"},
        ),
        "solver_residual": xr.Variable(
            "pact",
            np.array([pact.residual for pact in pacts]),
            {"long_name": "largest change of a choice probability in the last sweep", "units": "1"},
        ),
    }


def _digests(tally: Tally, pacts: int, *, compared: bool) -> dict[str, xr.Variable]:
    """Return the digests of stretches of the run, by which a part of it can be verified."""
    told, _ = tally.digests.told()
    found = {
        "cells_digest": xr.Variable(
            ("stretch", "pact"),
            told[:, :pacts],
            {"long_name": "digest of what the stretch added to cells", "comment": metadata.DIGEST},
        )
    }
    if compared:
        found["pairs_digest"] = xr.Variable(
            "stretch",
            told[:, pacts:].sum(axis=1),
            {"long_name": "digest of what the stretch added to all else that was counted"},
        )
    return found


def _labels(
    outcomes: tuple[Outcome, ...], dimension: str, long_name: str
) -> dict[str, tuple[str, NDArray[np.object_], dict[str, str]]]:
    columns = {
        dimension: ([outcome.name for outcome in outcomes], long_name),
        "meaning": ([outcome.meaning for outcome in outcomes], "what happened"),
        "given": ([outcome.given for outcome in outcomes], "what the outcome is conditional on"),
    }
    return {name: (dimension, _words(words), {"long_name": text}) for name, (words, text) in columns.items()}


def _words(words: list[str]) -> NDArray[np.object_]:
    """Return text as objects, which is how a file gives it back."""
    return np.array(words, dtype=object)
