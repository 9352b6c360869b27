"""What drives a pact: each clause switched off alone, and each added alone to no pact at all, exactly."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from entangle import provenance
from entangle.errors import ConvergenceError
from entangle.executors import worker_count
from entangle.labels import pick
from entangle.lowering import Levers, Setting, lower, no_pact
from entangle.outcomes import OUTCOMES
from entangle.pact import CLAUSES, Clause, Pact
from entangle.solving import EMPTY, solve

if TYPE_CHECKING:
    from entangle.study import Study

Floats = NDArray[np.float64]

_NAN: Final = (
    "not a number where the condition of the outcome cannot hold: without an obligation none is broken"
)
_ABSENT: Final = f"not a number where the pact lacks the clause; {_NAN}"

#: Every variable: its dimensions, what it is, and what else must be known.
_VARIABLES: Final[dict[str, tuple[tuple[str, ...], dict[str, str]]]] = {
    "whole": (
        ("pact", "outcome"),
        {"long_name": "probability under the whole pact", "comment": _NAN},
    ),
    "without": (
        ("pact", "clause", "outcome"),
        {"long_name": "probability under the pact without this one clause", "comment": _ABSENT},
    ),
    "alone": (
        ("pact", "clause", "outcome"),
        {"long_name": "probability if this clause were all of the pact", "comment": _ABSENT},
    ),
    "none": (
        ("outcome",),
        {"long_name": "probability without any pact", "comment": _NAN},
    ),
    "adds_to_rest": (
        ("pact", "clause", "outcome"),
        {
            "long_name": "what the clause adds to the rest of the pact: whole - without",
            "comment": f"above 0: more likely with the clause; {_ABSENT}",
        },
    ),
    "adds_alone": (
        ("pact", "clause", "outcome"),
        {
            "long_name": "what the clause adds to no pact at all: alone - none",
            "comment": f"above 0: more likely with the clause; {_ABSENT}",
        },
    ),
    "present": (
        ("pact", "clause"),
        {"long_name": "whether the pact has a term of the clause"},
    ),
    "acts": (
        ("pact", "clause"),
        {
            "long_name": "whether the clause moves anything that the crisis game is made of",
            "comment": "if not, whole equals without and alone equals none to the last bit: "
            "exit and review act over years, not on a crisis under way",
        },
    ),
}


def clause_effects(
    study: Study, *, pacts: Sequence[str] | None = None, workers: int | None = None
) -> xr.Dataset:
    """Return what every clause does to every outcome; see :meth:`entangle.Study.clauses`."""
    names = study.named(pacts)
    worker_count(None, workers)  # a wrong argument is told before any work
    setting = Setting.of(study)
    has = {name: study.pacts[name].clauses for name in names}
    clauses: list[Clause] = [clause for clause in CLAUSES if any(clause in have for have in has.values())]
    levers = {EMPTY: no_pact(setting)}
    for name in names:
        levers[name] = lower(study.pacts[name], setting)
        for clause in has[name]:
            levers |= _switched(name, study.pacts[name], clause, setting)
    shares = _solved(levers, setting, workers)

    shape = (len(names), len(clauses))
    numbers = {
        variable: np.full((*shape, len(OUTCOMES)), np.nan)
        for variable in ("without", "alone", "adds_to_rest", "adds_alone")
    }
    present, acts = np.zeros(shape, bool), np.zeros(shape, bool)
    for i, name in enumerate(names):
        for clause in has[name]:
            at = i, clauses.index(clause)
            off, on = _without(name, clause), _alone(name, clause)
            present[at] = True
            acts[at] = levers[off] != levers[name] or levers[on] != levers[EMPTY]
            numbers["without"][at], numbers["alone"][at] = shares[off], shares[on]
            numbers["adds_to_rest"][at] = shares[name] - shares[off]
            numbers["adds_alone"][at] = shares[on] - shares[EMPTY]
    numbers |= {"whole": np.stack([shares[name] for name in names]), "none": shares[EMPTY]}
    return _labelled(study, names, clauses, numbers | {"present": present, "acts": acts})


def clauses_of(effects: xr.Dataset, pact: str, *, by: str | None = None) -> list[str]:
    """Return the clauses that `pact` has.

    Parameters
    ----------
    by
        An outcome: sort by the size of the effect on it, the largest first, what has no number last. In the
        order of :data:`entangle.pact.CLAUSES` if not given.

    Raises
    ------
    ResultError
        If there is no such pact or outcome; names the nearest one.
    """
    table = effects.sel(pact=pick(effects, "pact", pact))
    found = [str(name) for name in table.clause.values[table.present.values]]
    if by is None:
        return found
    table = table.sel(outcome=pick(effects, "outcome", by))

    def size(clause: str) -> tuple[float, ...]:
        cell = table.sel(clause=clause)
        return tuple(_size(cell[name].item()) for name in ("adds_to_rest", "adds_alone"))

    return sorted(found, key=size, reverse=True)


def _size(effect: float) -> float:
    return -1.0 if np.isnan(effect) else abs(effect)


# -- the work ------------------------------------------------------------------------------------


def _without(pact: str, clause: str) -> str:
    """Return the name under which the pact without the clause is solved; no pact's name has a space."""
    return f"{pact} without {clause}"


def _alone(pact: str, clause: str) -> str:
    """Return the name under which the clause alone is solved."""
    return f"{pact} with {clause} alone"


def _switched(name: str, pact: Pact, clause: Clause, setting: Setting) -> dict[str, Levers]:
    """Return the levers of the pact without a clause, and of the clause without the rest of the pact."""
    rest: list[Clause] = [other for other in CLAUSES if other != clause]
    return {
        _without(name, clause): lower(pact, setting, without=(clause,)),
        _alone(name, clause): lower(pact, setting, without=rest),
    }


def _solved(levers: dict[str, Levers], setting: Setting, workers: int | None) -> dict[str, Floats]:
    """Return the probability of every outcome under each of the levers; equal levers are solved once."""
    first: dict[Levers, str] = {}
    for key, given in levers.items():
        first.setdefault(given, key)
    try:
        prepared = solve({key: given for given, key in first.items()}, setting, workers=workers)
    except ConvergenceError as error:
        pact, space, variant = error.pact.partition(" ")
        if error.pact == EMPTY or not space:
            raise
        text = str(error).replace(f"[pacts.{error.pact}]", f"[pacts.{pact}] {variant}", 1)
        raise ConvergenceError(text, pact=pact, residual=error.residual, sweeps=error.sweeps) from None
    shares = {given: _shares(prepared[key].exact) for given, key in first.items()}
    return {key: shares[given] for key, given in levers.items()}


def _shares(cells: Floats) -> Floats:
    """Return the probability of every outcome, shape (outcomes,), as a result has it."""
    happened = np.array([cells[outcome.event].sum() for outcome in OUTCOMES])
    otherwise = np.array([cells[outcome.condition & ~outcome.event].sum() for outcome in OUTCOMES])
    with np.errstate(invalid="ignore"):  # 0 / 0, where the condition never holds
        found: Floats = happened / (happened + otherwise)
    return found


# -- the table -----------------------------------------------------------------------------------


def _labelled(
    study: Study, pacts: list[str], clauses: list[Clause], numbers: dict[str, NDArray[Any]]
) -> xr.Dataset:
    columns = {
        "pact": ("pact", pacts, "pact"),
        "clause": ("clause", list(clauses), "clause of a pact"),
        "terms": ("clause", [", ".join(CLAUSES[clause]) for clause in clauses], "terms that belong to it"),
        "outcome": ("outcome", [o.name for o in OUTCOMES], "outcome of a dispute"),
        "meaning": ("outcome", [o.meaning for o in OUTCOMES], "what happened"),
        "given": ("outcome", [o.given for o in OUTCOMES], "what the outcome is conditional on"),
    }
    data = xr.Dataset(
        {name: (dims, numbers[name], _described(name)) for name, (dims, _) in _VARIABLES.items()},
        # text as objects, which is how a file gives it back
        coords={
            name: (dimension, np.array(words, dtype=object), {"long_name": text})
            for name, (dimension, words, text) in columns.items()
        },
    )
    data.attrs = _attributes(study)
    return data


def _described(name: str) -> dict[str, str]:
    dimensions, attributes = _VARIABLES[name]
    # a truth value has no unit
    return attributes | ({"units": "1"} if "outcome" in dimensions else {})


def _attributes(study: Study) -> dict[str, Any]:
    return {
        "Conventions": "CF-1.11",
        "title": study.title or "Crisis risks of security pacts",
        "summary": "Exact probability of every outcome of a dispute under each pact as a whole, without each "
        "of its clauses, with each clause alone, and without any pact. The effects of the clauses do not add "
        "up to that of the pact: clauses work together.",
        "source": f"entangle {provenance.package_version()}, a Monte Carlo risk engine for security pacts",
        "date_created": provenance.now(),
        "method": "exact",
        "study": json.dumps(study.to_dict(), ensure_ascii=False, indent=1),
        "fingerprint": study.fingerprint,
    }
