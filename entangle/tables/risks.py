"""Which of the two estimates of a risk to show: what was counted, or what was to be expected."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from entangle.attribution import NAMED
from entangle.errors import ResultError, nearest
from entangle.outcomes import OUTCOMES, REACHED
from entangle_kernels.game import Floats

if TYPE_CHECKING:
    import xarray as xr

    from entangle.decades_result import Decades

#: Everything whose risk can be asked for.
NAMES: Final = tuple(dict.fromkeys([*(event.name for event in (*OUTCOMES, *REACHED)), *NAMED]))
#: Histories from which on the conditional estimate is trusted: its interval is that of a mean of many.
ENOUGH: Final = 100

_COUNTED: Final = ("probability", "lower", "upper")
_EXPECTED: Final = ("expected", "expected_lower", "expected_upper")
# nuclear use is an outcome and a rung, and the same
_MEANINGS: Final = {event.name: event.meaning for event in (*REACHED, *OUTCOMES)} | {
    "entanglement": "the defender fights, and by its own no-pact policy would not",
    "entrapment": "the defender fights, and by the protégé's no-pact policy would not",
}


class Shown(NamedTuple):
    """A risk by year, in the estimate that is known better.

    Parameters
    ----------
    probability, lower, upper
        The estimate and its interval, shape (years,).
    conditional
        Whether it is the conditional estimate.
    possible
        Whether it can happen at all: False where its exact chance was 0 in every year of every history.
    seen
        Whether `probability` is more than 0 in the last year; where nothing was seen, only `upper` is to be
        shown.
    """

    probability: Floats
    lower: Floats
    upper: Floats
    conditional: bool
    possible: bool
    seen: bool


def meaning(outcome: str) -> str:
    """Return in words what has happened.

    Raises
    ------
    ResultError
        If there is no such outcome, rung, entanglement or entrapment; names the nearest one.
    """
    if outcome not in _MEANINGS:
        raise ResultError(f"There is no outcome '{outcome}'. {nearest(outcome, NAMES)}")
    return _MEANINGS[outcome]


def shown(decades: Decades, pact: str, outcome: str, *, yearly: bool = False) -> Shown:
    """Return the risk of an outcome in the estimate with the narrower interval at the horizon.

    That is the conditional estimate or the share of histories; always the share if there are fewer than
    :data:`ENOUGH` histories, or no conditional estimate of such a thing.

    Parameters
    ----------
    pact
        A pact of the result.
    outcome
        One of :data:`NAMES`.
    yearly
        Whether in each year, instead of by the end of each.
    """
    cell, prefix = _cell(decades.data.sel(pact=pact), outcome, "yearly" if yearly else "ever")
    seen = bool(cell[f"{prefix}count"].values[-1] > 0)

    def made(names: tuple[str, str, str], *, conditional: bool, possible: bool) -> Shown:
        probability, lower, upper = (cell[prefix + name].values for name in names)
        return Shown(probability, lower, upper, conditional, possible, bool(probability[-1] > 0.0))

    if f"{prefix}expected" not in cell:
        # caused by a promise: that there is none, or that the event never happens, rules it out
        event = shown(decades, pact, NAMED[outcome][1], yearly=yearly)
        possible = event.possible and not decades.study.pacts[pact].is_empty
        return made(_COUNTED, conditional=False, possible=possible)
    possible = seen or bool((cell[f"{prefix}expected"] > 0.0).any())
    counted = made(_COUNTED, conditional=False, possible=possible)
    expected = made(_EXPECTED, conditional=True, possible=possible)
    narrower = (expected.upper - expected.lower)[-1] < (counted.upper - counted.lower)[-1]
    return expected if possible and narrower and decades.number >= ENOUGH else counted


def _cell(own: xr.Dataset, outcome: str, when: str) -> tuple[xr.Dataset, str]:
    """Return the variables of an outcome, and what their names begin with."""
    meaning(outcome)  # an error if there is none
    if outcome in NAMED:
        what, event = NAMED[outcome]
        return own.sel(counterfactual=what, outcome=event), f"{when}_caused_"
    if outcome in own.outcome.values:
        return own.sel(outcome=outcome), f"{when}_"
    return own.sel(rung=outcome), f"rung_{when}_"
