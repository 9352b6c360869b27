"""What is foretold of a figure that was left out: against a model whose answer is known exactly."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import xarray as xr
from scipy.special import expit, logit
from scipy.stats import genpareto, norm

from entangle.errors import ResultError
from entangle.evidence.moments import shipped
from entangle.fit.likelihood import FITTED, Likelihood, mixture
from entangle.fit.predict import PREDICTED
from entangle.learning.learned import learned
from entangle.learning.left_out import law, left_out
from entangle.learning.psis import most_shape, pareto, quantiles, smoothed

ONE = np.ones(1)


# -- smoothed weights --------------------------------------------------------------------------------


def test_equal_ratios_stay_equal() -> None:
    found = smoothed(np.full(100, -3.0))
    assert found.weights == pytest.approx(np.full(100, 0.01))
    assert found.effective == pytest.approx(100.0)
    assert found.shape == -math.inf


@pytest.mark.parametrize("shape", [-0.2, 0.3, 0.9])
def test_the_shape_of_a_tail_is_found(shape: float) -> None:
    """Would catch a wrong sign, scale or estimate: the quantiles of a known law are fitted."""
    levels = (np.arange(2000) + 0.5) / 2000
    above = genpareto(shape, scale=2.0).ppf(levels)
    assert quantiles(levels, shape, 2.0) == pytest.approx(above)
    found, scale = pareto(above)
    assert found == pytest.approx(shape, abs=0.03)
    assert scale == pytest.approx(2.0, rel=0.03)


def test_only_the_tail_is_moved_and_order_is_kept() -> None:
    logs = np.random.default_rng(3).normal(size=1000) * 1.5
    found = smoothed(logs)
    raw = np.exp(logs - logs.max())
    tail = math.ceil(3.0 * math.sqrt(1000))
    order = np.argsort(logs)
    ratio = found.weights[order[:-tail]] / raw[order[:-tail]]
    assert ratio == pytest.approx(np.full(1000 - tail, ratio[0]))
    assert (np.diff(found.weights[order]) >= -1e-15).all()
    assert found.weights.sum() == pytest.approx(1.0)
    assert not np.allclose(found.weights[order[-tail:]] / raw[order[-tail:]], ratio[0], rtol=1e-3)


def test_smoothed_weights_are_nearer_to_the_truth_than_raw_ones() -> None:
    """Importance sampling of a normal law by a narrower one: the raw mean square is known to be too low."""
    errors: dict[str, list[float]] = {"raw": [], "smoothed": []}
    for seed in range(200):
        x = np.random.default_rng(seed).normal(size=400) * 0.75
        logs = norm.logpdf(x) - norm.logpdf(x, scale=0.75)
        raw = np.exp(logs - logs.max())
        errors["raw"].append(float((raw * x**2).sum() / raw.sum()) - 1.0)
        errors["smoothed"].append(float((smoothed(logs).weights * x**2).sum()) - 1.0)
    square = {name: float(np.mean(np.square(values))) for name, values in errors.items()}
    assert square["smoothed"] < square["raw"]


# -- a linear-Gaussian model -------------------------------------------------------------------------


class Line:
    """Figures that are known combinations of normal parameters, with normal errors: all laws are known."""

    def __init__(self, *, errors: float = 2.0) -> None:
        generator = np.random.default_rng(8)
        self.rows = generator.normal(size=(9, 3))
        self.errors = np.full(9, errors)
        self.observed = self.rows @ generator.normal(size=3) + errors * generator.normal(size=9)

    def posterior(self, keep: np.ndarray[Any, Any]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        precision = self.errors[keep] ** -2.0
        rows = self.rows[keep]
        covariance = np.linalg.inv(np.eye(3) + rows.T @ (precision[:, None] * rows))
        return covariance @ rows.T @ (precision * self.observed[keep]), covariance

    def foretold(self, j: int, *, without: bool) -> tuple[float, float]:
        keep = np.array([i for i in range(9) if i != j or not without])
        mean, covariance = self.posterior(keep)
        row = self.rows[j]
        return float(row @ mean), math.sqrt(float(row @ covariance @ row) + self.errors[j] ** 2)


@pytest.mark.parametrize("without", [True, False])
def test_what_is_foretold_is_the_exact_law_of_a_linear_model(without: bool) -> None:
    """Would catch a wrong weight, a missing error, or the figure itself taking part."""
    line = Line()
    mean, covariance = line.posterior(np.arange(9))
    draws = np.random.default_rng(1).multivariate_normal(mean, covariance, size=8000)
    centres = draws @ line.rows.T
    moved = 0.0
    for j in range(9):
        log_likelihood = norm.logpdf(line.observed[j], centres[:, j], line.errors[j])
        spreads = np.full((8000, 1), line.errors[j])
        found = law(log_likelihood, centres[:, j], spreads, ONE, line.observed[j], is_left_out=without)
        centre, spread = line.foretold(j, without=without)
        exactly = norm(centre, spread)
        assert found.median == pytest.approx(centre, abs=0.05 * spread)
        assert (found.lower, found.upper) == pytest.approx(exactly.interval(0.9), abs=0.08 * spread)
        assert found.below == pytest.approx(exactly.cdf(line.observed[j]), abs=0.02)
        assert found.log_density == pytest.approx(exactly.logpdf(line.observed[j]), abs=0.05)
        if without:
            assert found.shape < most_shape(8000)
        moved = max(moved, abs(centre - line.foretold(j, without=not without)[0]) / spread)
    assert moved > 0.2, "leaving a figure out must move something, or the test says nothing"


def test_a_figure_that_decides_all_cannot_be_left_out() -> None:
    """Reweighting cannot undo what one exact figure did, and must say so."""
    line = Line()
    line.errors[4] = 0.01
    line.observed[4] += 6.0
    mean, covariance = line.posterior(np.arange(9))
    draws = np.random.default_rng(1).multivariate_normal(mean, covariance, size=2000)
    centres = draws @ line.rows[4]
    log_likelihood = norm.logpdf(line.observed[4], centres, 0.01)
    found = law(log_likelihood, centres, np.full((2000, 1), 0.01), ONE, line.observed[4])
    assert found.shape > most_shape(2000)


def test_several_spreads_make_a_mixture() -> None:
    centres, shares = np.array([0.0]), np.array([0.25, 0.75])
    spreads = np.array([[1.0, 3.0]])
    found = law(np.zeros(1), centres, spreads, shares, 2.0, is_left_out=False)
    assert found.below == pytest.approx(0.25 * norm.cdf(2.0) + 0.75 * norm.cdf(2.0 / 3.0))
    low = found.lower
    assert 0.25 * norm.cdf(low) + 0.75 * norm.cdf(low / 3.0) == pytest.approx(0.05)


# -- a fit -------------------------------------------------------------------------------------------


def fit(draws: int = 300, *, predictions: bool = True, drop: str = "") -> xr.DataTree:
    """Return a tree as a fit has it, of made-up draws near the record's figures."""
    generator = np.random.default_rng(5)
    normal = 0.6 * generator.normal(size=(draws, len(FITTED)))
    names = [prior.name for prior in FITTED]
    dims = ("chain", "draw")
    posterior = {prior.name: (dims, prior.value(normal[:, i])[np.newaxis]) for i, prior in enumerate(FITTED)}
    stats = {"normal": ((*dims, "parameter"), normal[np.newaxis])}
    groups = {
        "/": xr.Dataset(attrs={"fingerprint": "made up"}),
        "posterior": xr.Dataset(posterior),
        "sample_stats": xr.Dataset(stats, {"parameter": np.array(names, object)}),
    }
    if predictions:
        targets = {target.code: target for target in shipped().targets()}
        made = {}
        for code in Likelihood.of(shipped()).codes:
            if code == drop:
                continue
            noise = 0.3 * generator.normal(size=draws)
            if targets[code].is_share:
                values = expit(logit(targets[code].value) + noise)
            else:
                values = targets[code].value * np.exp(noise)
            made[code] = values
        groups["posterior_predictive"] = xr.Dataset(
            {"prediction": ((*dims, "figure"), np.stack(list(made.values()), axis=1)[np.newaxis])},
            {"figure": np.array(list(made), object)},
        )
    return xr.DataTree.from_dict(groups)


def test_every_figure_of_a_fit_is_foretold_on_its_own_scale() -> None:
    found = left_out(fit())
    likelihood = Likelihood.of(shipped())
    assert list(found.figure.values) == likelihood.codes
    targets = {target.code: target for target in shipped().targets()}
    for code in likelihood.codes:
        cell = found.sel(figure=code)
        assert cell.observed.item() == targets[code].value
        assert 0.0 < cell.lower < cell["median"] < cell.upper
        assert not targets[code].is_share or cell.upper < 1.0
        assert cell.inside.item() == (cell.lower.item() <= cell.observed.item() <= cell.upper.item())
        assert cell.inside.item() == (0.05 <= cell.below.item() <= 0.95)
    assert found.inside.all(), "draws around the record must foretell it"
    assert 1.0 < float(found.effective.min()) <= float(found.effective.max()) <= 300.0


def test_the_law_of_a_fit_is_that_of_its_likelihood() -> None:
    """Without reweighting: the chance of a lower figure, by plain loops over draws and spreads."""
    tree = fit(40)
    found = left_out(tree)
    likelihood = Likelihood.of(shipped())
    code = likelihood.codes[3]
    sizes = tree["posterior"]["discrepancy"].values.ravel()
    kept = tree["posterior_predictive"].to_dataset()
    place = likelihood.codes.index(code)
    variances, shares = mixture()
    level = found.sel(figure=code).with_upper.item()
    total = 0.0
    for predicted, size in zip(kept.prediction.sel(figure=code).values.ravel(), sizes, strict=True):
        for variance, share in zip(variances, shares, strict=True):
            spread = math.sqrt(likelihood.errors[place] ** 2 + size**2 * variance)
            scaled = [likelihood.scaled(x, code, targets()) for x in (level, predicted)]
            total += share * norm.cdf((scaled[0] - scaled[1]) / spread) / len(sizes)
    assert total == pytest.approx(0.95, abs=1e-6)


def targets() -> dict[str, Any]:
    return {target.code: target for target in shipped().targets()}


def test_draws_without_a_prediction_are_counted_and_left_out() -> None:
    tree = fit(60)
    kept = tree["posterior_predictive"].to_dataset()
    kept.prediction[0, 7, 0] = np.nan
    tree["posterior_predictive"] = xr.DataTree(kept)
    found = left_out(tree)
    assert (found.attrs["draws"], found.attrs["unsolved"]) == (59, 1)
    assert np.isfinite(found["median"]).all()


def test_a_fit_that_lacks_a_figure_is_refused() -> None:
    code = Likelihood.of(shipped()).codes[0]
    with pytest.raises(ResultError, match="keeps no predictions of"):
        left_out(fit(30, drop=code))


def test_predictions_that_were_not_kept_are_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    from entangle.fit import predict

    seen = []

    def made(normals: Any, *, members: int) -> Any:
        seen.append(normals)
        return np.full(len(PREDICTED), 0.3) * (1.0 + 0.01 * normals[0])

    monkeypatch.setattr(predict, "predicted", made)
    tree = fit(25, predictions=False)
    found = left_out(tree)
    assert np.array(seen) == pytest.approx(tree["sample_stats"]["normal"].values[0][:, :-1])
    assert np.isfinite(found.below).all()


# -- prior against posterior -------------------------------------------------------------------------


def test_what_was_learned_is_in_standard_deviations_of_the_prior() -> None:
    tree = fit(2000)
    found = learned(tree)
    normal = tree["sample_stats"].to_dataset()["normal"]
    assert sorted(map(str, found.parameter.values)) == sorted(prior.name for prior in FITTED)
    assert (np.diff(found["learned"]) <= 0.0).all()
    for prior in FITTED:
        cell = found.sel(parameter=prior.name)
        draws = normal.sel(parameter=prior.name).values.ravel()
        assert cell["learned"].item() == pytest.approx(1.0 - draws.std(ddof=1))
        assert cell["learned"].item() == pytest.approx(0.4, abs=0.06)
        assert cell.moved.item() == pytest.approx(draws.mean())
        assert float(prior.value(cell["median"].values)) == pytest.approx(cell.value_median.item(), rel=1e-2)
    assert found.attrs["prior_upper"] == pytest.approx(norm.ppf(0.95))
    assert found.attrs["prior_lower"] == pytest.approx(-found.attrs["prior_upper"])
