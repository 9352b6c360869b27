"""A study at many values of what was fitted: exact probabilities at each, and which could not be solved."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from entangle import provenance
from entangle.errors import ConvergenceError, RunError, StudyError, nearest
from entangle.executors import worker_count
from entangle.fit.draws import drawn
from entangle.outcomes import OUTCOMES
from entangle.solving import EMPTY, Prepared, prepare

if TYPE_CHECKING:
    import xarray as xr

    from entangle.study import Study

Floats = NDArray[np.float64]
#: Values of everything that was fitted, by name.
Point = Mapping[str, float]
#: Called with (points done, points in all).
Progress = Callable[[int, int], object]

#: Types and rounds of a coarse game: those with which the fit itself is made.
COARSE: Final = {"types": 3, "rounds": 6}
#: What is looked at unless more is asked for.
HEADLINES: Final = ("challenge", "war", "defender_fights", "nuclear_use")
#: An outcome that needs both worlds at once: the defender fights, and on the same luck would not without the
#: promise.
ENTANGLEMENT: Final = "entanglement"
#: Outcomes with a smaller median are left out of sensitivities: a step's probability is a multiple of 2^-32,
#: which is then no longer nothing beside them.
FLOOR: Final = 1e-7

ACTORS: Final = ("challenger", "protege", "defender")


def acting(study: Study, points: Sequence[Point]) -> list[str]:
    """Return the fitted parameters that move the study's structural parameters, in the order of the fit.

    Others belong to the population that was fitted, are fixed by the study's own file, or do not vary.
    """
    base = dict(points[0])
    found = []
    for name, value in base.items():
        moved = next((point[name] for point in points if point[name] != value), value)
        other = base | {name: moved}
        if drawn(study.parameters, other) != drawn(study.parameters, base):
            found.append(name)
    return found


def column(points: Sequence[Point], name: str) -> Floats:
    """Return a parameter's value at every point."""
    return np.array([point[name] for point in points])


def medians(points: Sequence[Point]) -> dict[str, float]:
    """Return the point of all medians."""
    return {name: float(np.median(column(points, name))) for name in points[0]}


def sweep(
    study: Study,
    points: Sequence[Point],
    *,
    pacts: Sequence[str] | None = None,
    entanglement: bool = False,
    coarse: bool = False,
    workers: int | None = None,
    progress: Progress | None = None,
) -> xr.Dataset:
    """Solve a study at every point, exactly: nothing is simulated.

    Parameters
    ----------
    points
        Values of everything that was fitted, such as :func:`entangle.fit.draws.draws` returns. What the
        study's own file fixes stays.
    pacts
        Names of the pacts; all if not given. No pact at all is always solved too, under the name
        :data:`~entangle.solving.EMPTY`.
    entanglement
        Whether to have entanglement as an outcome too: an exact pass over both worlds at once, which takes
        longer than all else.
    coarse
        Whether to solve with the types and rounds of :data:`COARSE` in place of the study's own.
    workers
        Threads; the processors available if not given. Never moves a bit.
    progress
        Called after each point.

    Returns
    -------
    xarray.Dataset
        probability (point, pact, outcome)
            Not a number where the outcome's condition cannot hold, and at points that were not solved.
        value (point, pact, actor)
            Expected payoff of a dispute [stakes].
        solved (point)
            Whether every equilibrium was found. A point is left out as a whole if one was not.

    Raises
    ------
    StudyError
        If there is no such pact, or no point.
    RunError
        If no point could be solved.
    """
    import xarray as xr

    if not points:
        raise StudyError.single("points", rule="must have at least one point", got="none")
    names = study.named(pacts)
    whole = study.replace(pacts={name: study.pacts[name] for name in names})
    parameters = study.parameters.replace(**COARSE) if coarse else study.parameters

    def at(point: Point) -> _Solved | None:
        try:
            solved = prepare(whole.replace(parameters=drawn(parameters, point)), empty=True, workers=1)
        except ConvergenceError:
            return None
        return _solved(solved, names, entanglement)

    outcomes = [outcome.name for outcome in OUTCOMES] + [ENTANGLEMENT] * entanglement
    probability = np.full((len(points), len(names) + 1, len(outcomes)), np.nan)
    value = np.full((len(points), len(names) + 1, len(ACTORS)), np.nan)
    is_solved = np.zeros(len(points), bool)
    with ThreadPoolExecutor(worker_count(None, workers)) as pool:
        try:
            for i, found in enumerate(pool.map(at, points)):
                if found is not None:
                    probability[i], value[i], is_solved[i] = found.probability, found.value, True
                if progress is not None:
                    progress(i + 1, len(points))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    if not is_solved.any():
        raise RunError(f"None of {len(points)} points could be solved: their precision is too high.")
    texts = {outcome.name: (outcome.meaning, outcome.given) for outcome in OUTCOMES}
    texts[ENTANGLEMENT] = "the defender fights, and would not without the promise", "a dispute"
    return xr.Dataset(
        {
            "probability": (
                ("point", "pact", "outcome"),
                probability,
                {"long_name": "exact probability of the outcome", "units": "1"},
            ),
            "value": (
                ("point", "pact", "actor"),
                value,
                {"long_name": "expected payoff of a dispute", "units": "stake"},
            ),
            "solved": ("point", is_solved, {"long_name": "whether every equilibrium was found"}),
        },
        {
            "pact": labels([*names, EMPTY], "pact"),
            "outcome": labels(outcomes, "outcome"),
            "actor": labels(ACTORS, "actor"),
            "meaning": ("outcome", *labels([texts[name][0] for name in outcomes], "outcome")[1:]),
            "given": ("outcome", *labels([texts[name][1] for name in outcomes], "outcome")[1:]),
        },
        attributes(study, coarse=coarse)
        | {"points": len(points), "unsolved": int(len(points) - is_solved.sum())},
    )


class _Solved(NamedTuple):
    probability: Floats
    value: Floats


def _solved(solved: Mapping[str, Prepared], names: Sequence[str], entanglement: bool) -> _Solved:
    nothing = solved[EMPTY]
    probability = [_shares(solved[name].exact) for name in [*names, EMPTY]]
    if entanglement:
        for row, name in zip(probability, [*names, EMPTY], strict=True):
            row.append(_entanglement(solved[name], nothing))
    return _Solved(
        np.array(probability), np.array([expected_value(solved[name]) for name in [*names, EMPTY]])
    )


def _shares(cells: Floats) -> list[float]:
    """Return the probability of every outcome, not a number where its condition never holds."""
    found = []
    for outcome in OUTCOMES:
        happened = float(cells[outcome.event].sum())
        otherwise = float(cells[outcome.condition & ~outcome.event].sum())
        found.append(happened / (happened + otherwise) if happened + otherwise > 0.0 else np.nan)
    return found


def _entanglement(pact: Prepared, empty: Prepared) -> float:
    from entangle.attribution import rivals
    from entangle.coupling import EVENTS
    from entangle_kernels import coupled

    pair = rivals(pact, empty)
    if pair is None:
        return 0.0
    return float(coupled.joint(pact.tables, pair[1], EVENTS["defender_fights"])[1, 0])


def expected_value(pact: Prepared) -> Floats:
    """Return the expected payoff of a dispute to each actor, in scope and out of it, shape (3,)."""
    each = np.array([solution.value for solution in pact.solutions])
    shares = [1.0] if len(each) == 1 else [1.0 - pact.in_scope, pact.in_scope]
    value: Floats = np.average(each, axis=0, weights=shares)
    return value


# -- what all sensitivities share --------------------------------------------------------------------


def labels(words: Sequence[str], dimension: str) -> tuple[str, NDArray[np.object_]]:
    """Return words as a coordinate; text as objects, which is how a file gives it back."""
    return dimension, np.array(list(words), dtype=object)


def attributes(study: Study, *, coarse: bool) -> dict[str, Any]:
    """Return the attributes of a dataset made from a study."""
    used = study.parameters.replace(**COARSE) if coarse else study.parameters
    return {
        "Conventions": "CF-1.11",
        "title": study.title or "Crisis risks of security pacts",
        "source": f"entangle {provenance.package_version()}, a Monte Carlo risk engine for security pacts",
        "date_created": provenance.now(),
        "method": "exact",
        "types": used.types,
        "rounds": used.rounds,
        "study": json.dumps(study.to_dict(), ensure_ascii=False, indent=1),
        "fingerprint": study.fingerprint,
    }


def named_outcomes(data: xr.Dataset, outcomes: Sequence[str] | None) -> list[str]:
    """Return the outcomes that are asked for: the headlines, and entanglement if it was computed.

    Raises
    ------
    StudyError
        If there is no such outcome.
    """
    valid = [str(name) for name in data.outcome.values]
    if outcomes is None:
        return [name for name in (*HEADLINES, ENTANGLEMENT) if name in valid]
    for i, name in enumerate(outcomes):
        if name not in valid:
            raise StudyError.single(
                "outcomes", i, rule="must be an outcome", got=repr(name), do=nearest(name, valid)
            )
    return list(dict.fromkeys(outcomes))


#: What of an outcome is looked at.
QUANTITIES: Final = ("with_pact", "difference")


def quantities(data: xr.Dataset, pact: str, outcomes: Sequence[str]) -> tuple[Floats, list[str]]:
    """Return an outcome's probability under a pact and its difference to no pact, and what is too rare.

    Returns
    -------
    array of shape (points, quantities, outcomes)
        Not a number throughout for outcomes that are left out.
    list of str
        Outcomes whose median probability is below :data:`FLOOR`.
    """
    table = data.probability.sel(outcome=list(outcomes))
    own, none = table.sel(pact=pact).values, table.sel(pact=EMPTY).values
    found = np.stack([own, own - none], axis=1)
    rare = []
    for i, name in enumerate(outcomes):
        known = own[np.isfinite(own[:, i]), i]
        if not len(known) or np.median(known) < FLOOR:
            rare.append(name)
            found[:, :, i] = np.nan
    return found, rare
