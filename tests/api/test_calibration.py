"""The fit on figures whose makers are known: ranks are uniform, and are not where something is wrong.

A stand-in for the engine, linear on the figures' scales, makes that quick; the engine is asked at night.
Every test of random output passes a true fit with a probability above 1 - 1e-3; seeds are fixed.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import xarray as xr
from scipy.stats import kstest, norm

from entangle.errors import RunError, StudyError
from entangle.evidence.moments import shipped
from entangle.fit import calibration, likelihood
from entangle.fit.calibration import DRAWS, PARAMETERS, noise, ranks, uniformity
from entangle.fit.likelihood import FITTED, Likelihood, mixture
from entangle.fit.predict import PREDICTED
from entangle.fit.priors import NAMES
from entangle.fit.smc import Settings

#: Probability with which a true fit fails a test, all quantities together.
FALSE_ALARM = 1e-3
#: The record's errors alone decide, so that a mistake about them cannot hide behind the discrepancy.
HELD: dict[str, Any] = {"parameters": PARAMETERS[:-1], "held": {"discrepancy": -4.0}}

OWN = Likelihood.of(shipped(), members=2)
SLOPES = np.random.default_rng(4).standard_normal((len(PREDICTED), len(NAMES))) * 0.3
IS_SHARE = np.array([target.is_share for target in sorted(
    (target for target in shipped().targets() if target.code in PREDICTED),
    key=lambda target: list(PREDICTED).index(target.code),
)])  # fmt: skip


def linear(point: Any, **_: Any) -> Any:
    """Return figures that are linear in the parameters, on their scales."""
    moved = SLOPES @ point - 1.0
    return np.where(IS_SHARE, 1.0 / (1.0 + np.exp(-moved)), np.exp(moved))


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (calibration, likelihood):
        monkeypatch.setattr(module, "predicted", linear)


def made(replications: int, **more: Any) -> Any:
    with ThreadPoolExecutor(1) as executor:
        return ranks(replications, executor=executor, workers=1, **{"members": 2, **more})


def smallest(found: Any) -> float:
    """Return the p-value of all quantities together."""
    own = uniformity(found)
    return float(own["p"].min()) * own.sizes["quantity"]


# -- the whole ---------------------------------------------------------------------------------------


def test_ranks_are_uniform_where_all_is_right(quick: None) -> None:
    assert smallest(made(40)) > FALSE_ALARM
    assert smallest(made(40, **HELD)) > FALSE_ALARM


def test_halved_errors_are_noticed(quick: None) -> None:
    assert smallest(made(12, **HELD)) > FALSE_ALARM
    assert smallest(made(12, **HELD, believed=0.5)) < FALSE_ALARM


def test_figures_without_errors_are_noticed(quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Posteriors are then too wide, and what is true lies in their middle."""
    monkeypatch.setattr(calibration, "noise", lambda errors, *_: np.zeros_like(errors))
    own = uniformity(made(16, **HELD)).sel(quantity="log_likelihood")
    assert own.p < FALSE_ALARM / 5
    assert own["mean"] > 0


def test_a_sampler_that_hardly_moves_is_noticed(quick: None) -> None:
    """The log likelihood shows it first: particles have not come down to where it is high."""
    lazy = Settings(particles=48, keep=0.5, correlation=0.99, most_rounds=1, chunk=64)
    assert smallest(made(80, work=lazy)) < FALSE_ALARM


@pytest.mark.nightly
def test_the_engine_is_calibrated() -> None:
    assert smallest(ranks(40, members=2)) > FALSE_ALARM


@pytest.mark.nightly
def test_halved_errors_are_noticed_with_the_engine() -> None:
    assert smallest(ranks(12, members=2, **HELD)) > FALSE_ALARM
    assert smallest(ranks(12, members=2, **HELD, believed=0.5)) < FALSE_ALARM


# -- its parts ---------------------------------------------------------------------------------------


def test_neither_workers_nor_the_number_of_replications_move_a_bit() -> None:
    """With the engine itself, and hardly any of it."""
    work = Settings(particles=8, keep=0.6, most_rounds=1, chunk=8)
    given: dict[str, Any] = {"parameters": ("rate",), "members": 1, "work": work, "draws": 5, "seed": 3}
    whole = made(3, **given)
    assert made(2, **given).identical(whole.isel(replication=slice(2)))
    assert ranks(3, workers=2, **given).identical(whole)
    assert not made(3, **given | {"seed": 4}).truth.equals(whole.truth)


def test_what_is_not_fitted_is_held() -> None:
    places = tuple(NAMES.index(name) for name in ("breach", "rate"))
    held = np.arange(len(FITTED), dtype=np.float64)
    few = calibration.Few(OWN, held, places)
    points = few.points(np.array([[100.0, 200.0], [300.0, 400.0]]))
    assert points[:, places].tolist() == [[100.0, 200.0], [300.0, 400.0]]
    rest = np.delete(points, places, axis=1)
    assert (rest == np.delete(held, places)).all()


def test_noise_is_what_the_likelihood_takes_figures_to_be_off_by() -> None:
    """Against the distribution function of the mixture; a normal law of the same variance is refused."""
    random = np.random.default_rng(9)
    size, discrepancy, error = 20_000, 0.5, 0.1
    found = noise(np.full(size, error), discrepancy, random)
    spread, weight = mixture()
    sd = np.sqrt(error**2 + discrepancy**2 * spread)

    def law(x: Any) -> Any:
        return (norm.cdf(np.asarray(x)[:, np.newaxis] / sd) * weight).sum(axis=1)

    assert kstest(found, law).pvalue > FALSE_ALARM
    assert kstest(found, norm(scale=found.std()).cdf).pvalue < 1e-9


def of_ranks(values: Any) -> Any:
    """Return a data set of ranks, shape (replications, quantities)."""
    names = np.array([f"q{i}" for i in range(values.shape[1])], object)
    data = {"rank": (("replication", "quantity"), np.asarray(values, np.float64))}
    return xr.Dataset(data, {"quantity": names}, {"draws": DRAWS, "seed": "1"})


def test_p_values_of_uniform_ranks_are_hardly_ever_small() -> None:
    values = np.random.default_rng(2).integers(0, DRAWS + 1, (30, 4000))
    own = uniformity(of_ranks(values))
    for name in ("mean_p", "spread_p"):
        assert kstest(own[name].values, "uniform").pvalue > FALSE_ALARM
    # twice the smaller of two is at most as often below a level as it should be
    assert (own["p"].values < 0.05).mean() < 0.05 + 4.0 * np.sqrt(0.05 * 0.95 / 4000)


@pytest.mark.parametrize(
    ("shape", "column"),
    [((1, 3), "mean_p"), ((3, 1), "mean_p"), ((0.4, 0.4), "spread_p"), ((3, 3), "spread_p")],
)
def test_p_values_are_small_where_ranks_are_not_uniform(shape: Any, column: str) -> None:
    """Too low, too high, too often at the ends, too often in the middle."""
    values = np.floor(np.random.default_rng(2).beta(*shape, (60, 1)) * (DRAWS + 1))
    assert float(uniformity(of_ranks(values))[column][0]) < FALSE_ALARM


def test_what_has_no_solution_is_drawn_again(quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of the space is impossible; truths come from the other half, and are uniform there."""
    rate = NAMES.index("rate")

    def half(point: Any, **more: Any) -> Any:
        return linear(point) if point[rate] > 0.0 else np.full(len(PREDICTED), np.nan)

    for module in (calibration, likelihood):
        monkeypatch.setattr(module, "predicted", half)
    work = Settings(particles=96, keep=0.5, correlation=0.3, most_rounds=10, chunk=96)
    found = made(40, work=work)
    assert (found.truth.sel(parameter="rate") > 0.0).all()
    assert 0 < found.refused.mean() < 3
    assert smallest(found) > FALSE_ALARM
    monkeypatch.setattr(calibration, "predicted", lambda point, **_: np.full(len(PREDICTED), np.nan))
    with pytest.raises(RunError, match="None of 100 draws from the priors has a solution"):
        made(1)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"parameters": ("presision",)}, "precision"),
        ({"held": {"rates": 1.0}}, "rate"),
        ({"believed": 0.0}, "above 0"),
        ({"replications": 0}, "at least 1"),
        ({"draws": 65}, "number of particles, 64"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(wrong: Any, said: str) -> None:
    with pytest.raises(StudyError, match=said):
        ranks(**{"replications": 1, **wrong})
