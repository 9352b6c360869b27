"""What it would be worth to know a parameter, for whoever has to choose between two pacts.

Without knowing more, the pact is chosen that does better on average over the draws. Who knew everything would
choose the better one at each draw, and what that gains on average is the expected value of perfect
information. Who knew one parameter would choose by what is to be expected given it: its expected value of
partial perfect information, here from the draws alone by regression on that parameter (Strong, Oakley &
Brennan 2014, Med. Decis. Making 34: 311-326). Parameters that go together speak for each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from entangle.errors import RunError, StudyError, nearest
from entangle.learning.smooth import LEAST, Smoother
from entangle.learning.sweep import Floats, Point, acting, column, labels
from entangle.solving import EMPTY

if TYPE_CHECKING:
    import xarray as xr

    from entangle.study import Study

#: Resamples of the draws behind a standard error.
_RESAMPLES: Final = 200


class Partial(NamedTuple):
    """What knowing one thing is worth.

    Parameters
    ----------
    value
        By the regression. Noise that it takes for dependence raises it.
    error
        Standard error over resampled draws.
    cross_validated
        What is gained if each draw is decided by a regression on the others: a little too low, as such
        decisions are not the best, but with no gain from noise.
    """

    value: float
    error: float
    cross_validated: float


def value_of_all(gain: Floats) -> float:
    """Return the expected value of perfect information.

    Parameters
    ----------
    gain
        How much better the first choice does than the second, at each draw, shape (n,).
    """
    return float(np.maximum(gain, 0.0).mean() - max(gain.mean(), 0.0))


def value_of_one(
    gain: Floats, given: Floats, *, groups: NDArray[np.int64] | None = None, seed: int = 1
) -> Partial:
    """Return the expected value of knowing one thing.

    Parameters
    ----------
    gain
        How much better the first choice does than the second, at each draw, shape (n,).
    given
        What would be known, at each draw, shape (n,).
    groups
        Draws with the same label may be alike and are left out and resampled together, shape (n,).
    seed
        Of the resampling.
    """
    smoother = Smoother(given, groups)
    fit = smoother(gain[:, np.newaxis])
    sure = max(float(gain.mean()), 0.0)
    value = float(np.maximum(fit.fitted[:, 0], 0.0).mean()) - sure
    decided = float(np.where(fit.left_out[:, 0] > 0.0, gain, 0.0).mean()) - sure
    generator = np.random.default_rng(seed)
    members = np.unique(smoother.groups, return_inverse=True)[1]
    number = int(members.max()) + 1
    found = np.empty(_RESAMPLES)
    for i in range(_RESAMPLES):
        drawn = np.bincount(generator.integers(number, size=number), minlength=number)
        weights = drawn[members].astype(np.float64)
        share = weights / weights.sum()
        fitted = smoother.weighted(gain, int(fit.choice[0]), weights)
        found[i] = share @ np.maximum(fitted, 0.0) - max(float(share @ gain), 0.0)
    # means of the same numbers, added up in another order, differ in the last digits
    return Partial(max(value, 0.0), float(found.std(ddof=1)), decided)


def knowing(
    data: xr.Dataset,
    points: Sequence[Point],
    study: Study,
    *,
    first: str,
    second: str = EMPTY,
    loss: str | None = None,
    groups: NDArray[np.int64] | None = None,
    seed: int = 1,
) -> xr.Dataset:
    """Return what knowing each parameter would be worth for the choice between two pacts.

    Parameters
    ----------
    data
        What :func:`~entangle.learning.sweep.sweep` returned for the points. Those without a solution are left
        out.
    points
        Draws from the posterior.
    first, second
        The two pacts; the second is no pact at all if not given.
    loss
        An outcome whose probability is to be small. If not given, the defender's expected payoff of a
        dispute, which is to be large.
    groups
        Draws that may be alike, such as ``family`` of a fit.
    seed
        Of the resampling behind standard errors.

    Returns
    -------
    xarray.Dataset
        value (parameter)
            Of knowing it [stakes, or probability of the loss], with its standard error ``value_error``, and
            ``value_cross_validated``.
        all, all_error
            The value of knowing everything: no parameter is worth more.
        gain, gain_error
            How much better the first pact does than the second on average.
        better
            Share of draws in which it does better.

    Raises
    ------
    StudyError
        If a pact or an outcome is not in the data.
    RunError
        If too few draws were solved.
    """
    import xarray as xr

    gain, units, words = _gain(data, first, second, loss)
    known = np.isfinite(gain)
    if known.sum() < LEAST:
        raise RunError(f"{int(known.sum())} draws have numbers under both pacts, and {LEAST} are needed.")
    own, alike = gain[known], None if groups is None else groups[known]
    names = acting(study, points)
    found = [value_of_one(own, column(points, name)[known], groups=alike, seed=seed) for name in names]
    spread, average = _errors(own, alike, seed)
    one = ("parameter",)

    def text(words: str) -> dict[str, str]:
        return {"long_name": words, "units": units}

    return xr.Dataset(
        {
            "value": (one, np.array([x.value for x in found]), text("value of knowing the parameter")),
            "value_error": (one, np.array([x.error for x in found]), text("its standard error")),
            "value_cross_validated": (
                one,
                np.array([x.cross_validated for x in found]),
                text("the same, each draw decided by the others: a little too low"),
            ),
            "all": ((), value_of_all(own), text("value of knowing everything")),
            "all_error": ((), spread, text("its standard error")),
            "gain": ((), own.mean(), text("how much better the first pact does on average")),
            "gain_error": ((), average, text("its standard error")),
            "better": (
                (),
                (own > 0.0).mean(),
                {"long_name": "share of draws in which the first pact does better", "units": "1"},
            ),
        },
        {"parameter": labels(names, "parameter")},
        dict(data.attrs)
        | {"first": first, "second": second, "loss": loss or "", "measure": words, "draws": int(known.sum())},
    )


def _gain(data: xr.Dataset, first: str, second: str, loss: str | None) -> tuple[Floats, str, str]:
    """Return how much better the first pact does at each point, in what units, and by what measure."""
    pacts = [str(name) for name in data.pact.values]
    for place, name in (("first", first), ("second", second)):
        if name not in pacts:
            raise StudyError.single(
                place, rule="must be a pact of the sweep", got=repr(name), do=nearest(name, pacts)
            )
    if first == second:
        raise StudyError.single("second", rule="must be another pact than the first", got=repr(second))
    if loss is None:
        value = data.value.sel(actor="defender")
        gain: Floats = (value.sel(pact=first) - value.sel(pact=second)).values
        return gain, "stake", "the defender's expected payoff of a dispute"
    outcomes = [str(name) for name in data.outcome.values]
    if loss not in outcomes:
        raise StudyError.single("loss", rule="must be an outcome", got=repr(loss), do=nearest(loss, outcomes))
    table = data.probability.sel(outcome=loss)
    less: Floats = (table.sel(pact=second) - table.sel(pact=first)).values
    return less, "1", f"the probability that {table.meaning.item()}, which is to be small"


def _errors(gain: Floats, groups: NDArray[np.int64] | None, seed: int) -> tuple[float, float]:
    """Return standard errors of the value of knowing everything, and of the mean gain."""
    members = np.arange(len(gain)) if groups is None else np.unique(groups, return_inverse=True)[1]
    number = int(members.max()) + 1
    generator = np.random.default_rng(seed)
    found = np.empty((_RESAMPLES, 2))
    for i in range(_RESAMPLES):
        weights = np.bincount(generator.integers(number, size=number), minlength=number)[members]
        own = weights / weights.sum()
        mean = float(own @ gain)
        found[i] = own @ np.maximum(gain, 0.0) - max(mean, 0.0), mean
    spread, average = found.std(axis=0, ddof=1).tolist()
    return spread, average
