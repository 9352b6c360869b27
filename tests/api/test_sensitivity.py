"""What moves an outcome, what knowing it is worth, and how rankings change: against known answers."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from click.testing import CliRunner
from scipy.stats import norm

from entangle.cli import cli
from entangle.errors import ConvergenceError, ResultError, RunError, StudyError
from entangle.fit import posterior
from entangle.fit.draws import drawn
from entangle.fit.likelihood import FITTED
from entangle.learning import knowing as worth
from entangle.learning import sobol
from entangle.learning import sweep as sweeping
from entangle.learning.knowing import knowing, value_of_all, value_of_one
from entangle.learning.learned import learned
from entangle.learning.ranks import ranks
from entangle.learning.smooth import Smoother, explained
from entangle.learning.sobol import analysed, design, explained_by_draws, sobol_indices
from entangle.learning.spread import posterior as marginals
from entangle.learning.spread import prior
from entangle.learning.sweep import acting, column, medians, sweep
from entangle.learning.tornado import tornado
from entangle.solving import EMPTY, prepare
from entangle.study import Study
from small_studies import small_fitted as small

#: The small study fixes its precision; with the rest at the fit's medians it solves in a moment.
STUDY = small()
TWO = ["treaty", "with_vote"]


def some(number: int, *, seed: int = 2, scale: float = 0.5) -> list[dict[str, float]]:
    """Return made-up draws of everything that is fitted."""
    normal = scale * np.random.default_rng(seed).normal(size=(number, len(FITTED)))
    return [{prior.name: float(prior.value(row[i])) for i, prior in enumerate(FITTED)} for row in normal]


def at(study: Study, point: dict[str, float]) -> Study:
    return study.replace(parameters=drawn(study.parameters, point))


@pytest.fixture(scope="module")
def draws() -> list[dict[str, float]]:
    return some(60)


@pytest.fixture(scope="module")
def data(draws: list[dict[str, float]]) -> xr.Dataset:
    return sweep(STUDY, draws, workers=1)


# -- many points -------------------------------------------------------------------------------------


def test_a_sweep_is_the_exact_answer_at_every_point(draws: list[dict[str, float]], data: xr.Dataset) -> None:
    for i in (0, 41):
        exact = at(STUDY, draws[i]).exact().data.probability
        own = data.probability.isel(point=i).sel(pact=list(STUDY.pacts))
        for outcome in map(str, exact.outcome.values):
            expected = exact.sel(outcome=outcome).values
            assert own.sel(outcome=outcome).values == pytest.approx(expected, rel=1e-12, nan_ok=True)
    nothing = data.probability.sel(pact=EMPTY).values
    np.testing.assert_array_equal(nothing, data.probability.sel(pact="no_pact").values)


def test_the_value_of_a_dispute_is_that_in_and_out_of_scope(
    draws: list[dict[str, float]], data: xr.Dataset
) -> None:
    """Would catch scopes that are swapped or not weighed: half of the disputes are out of scope."""
    solved = prepare(at(STUDY, draws[3]))["with_vote"]
    outside, inside = (solution.value for solution in solved.solutions)
    assert not np.allclose(outside, inside)
    assert data.value.isel(point=3).sel(pact="with_vote").values == pytest.approx(0.5 * (outside + inside))


def test_entanglement_is_what_the_study_says_it_is(draws: list[dict[str, float]]) -> None:
    found = sweep(STUDY, draws[:2], pacts=["treaty"], entanglement=True, workers=1)
    exact = at(STUDY, draws[1]).attribution(pacts=["treaty"], workers=1)
    caused = exact.caused.sel(pact="treaty", counterfactual="obligation", outcome="defender_fights").item()
    assert caused > 0
    assert found.probability.isel(point=1).sel(pact="treaty", outcome="entanglement").item() == caused
    assert found.probability.isel(point=1).sel(pact=EMPTY, outcome="entanglement").item() == 0.0


def test_threads_move_nothing(draws: list[dict[str, float]], data: xr.Dataset) -> None:
    again = sweep(STUDY, draws[:6], workers=3)
    np.testing.assert_array_equal(again.probability.values, data.probability.values[:6])


def test_what_the_study_fixes_does_not_act(draws: list[dict[str, float]]) -> None:
    found = acting(STUDY, draws)
    assert "precision" not in found
    assert "log_sd" not in found, "a parameter of the population"
    assert {"breach", "war_costs", "decision", "audience"} <= set(found)
    free = STUDY.replace(parameters=type(STUDY.parameters)(types=2, rounds=4))
    assert "precision" in acting(free, draws)


def test_a_coarse_sweep_has_the_grid_of_the_fit(draws: list[dict[str, float]]) -> None:
    found = sweep(STUDY, draws[:1], pacts=["treaty"], coarse=True, workers=1)
    own = STUDY.parameters.replace(types=3, rounds=6)
    exact = at(STUDY.replace(parameters=own), draws[0]).exact().data.probability
    assert (found.attrs["types"], found.attrs["rounds"]) == (3, 6)
    assert found.probability.sel(outcome="war", pact="treaty").item() == pytest.approx(
        exact.sel(outcome="war", pact="treaty").item(), rel=1e-12
    )


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Let studies of some breach costs have no solution; returns the list of them."""
    lost: list[float] = []

    def maybe(study: Study, **options: Any) -> Any:
        if study.parameters.breach in lost:
            raise ConvergenceError("lost", pact="treaty", residual=1.0, sweeps=1)
        return prepare(study, **options)

    monkeypatch.setattr(sweeping, "prepare", maybe)
    return lost


def test_points_without_a_solution_are_counted_and_have_no_numbers(
    draws: list[dict[str, float]], failing: list[float]
) -> None:
    failing.append(draws[1]["breach"])
    found = sweep(STUDY, draws[:3], pacts=["treaty"], workers=1)
    assert found.solved.values.tolist() == [True, False, True]
    assert found.attrs["unsolved"] == 1
    assert np.isnan(found.probability.isel(point=1)).all()
    assert np.isfinite(found.probability.sel(outcome="war").isel(point=2)).all()
    failing.extend(point["breach"] for point in draws[:3])
    with pytest.raises(RunError, match="None of 3 points"):
        sweep(STUDY, draws[:3], pacts=["treaty"], workers=1)


def test_progress_is_told(draws: list[dict[str, float]]) -> None:
    told: list[tuple[int, int]] = []
    sweep(STUDY, draws[:3], pacts=["treaty"], workers=1, progress=lambda i, n: told.append((i, n)))
    assert told == [(1, 3), (2, 3), (3, 3)]


# -- Sobol indices -----------------------------------------------------------------------------------


def ishigami(unit: Any) -> Any:
    x = math.pi * (2.0 * unit - 1.0)
    return np.sin(x[..., 0]) + 7.0 * np.sin(x[..., 1]) ** 2 + 0.1 * x[..., 2] ** 4 * np.sin(x[..., 0])


#: Closed forms (Ishigami & Homma 1990): shares of the whole variance.
_A, _B = 7.0, 0.1
_PARTS = (
    0.5 * (1.0 + _B * math.pi**4 / 5.0) ** 2,
    _A**2 / 8.0,
    _B**2 * math.pi**8 * 8.0 / 225.0,
)
FIRST = np.array([_PARTS[0], _PARTS[1], 0.0]) / sum(_PARTS)
TOTAL = np.array([_PARTS[0] + _PARTS[2], _PARTS[1], _PARTS[2]]) / sum(_PARTS)


def test_indices_of_a_function_whose_indices_are_known() -> None:
    unit = design(3, 2048, seed=1)
    found = analysed(ishigami(unit), seed=1)
    assert found.first == pytest.approx(FIRST, abs=0.03)
    assert found.total == pytest.approx(TOTAL, abs=0.03)
    assert (found.lost == 0.0).all()
    assert (np.abs(found.first - FIRST) < 3.0 * found.first_reach).all()
    assert (found.first_reach < 0.1).all()


def test_a_point_without_a_value_costs_only_its_triplets() -> None:
    values = ishigami(design(3, 2048, seed=1))
    values[5, 2] = np.nan  # A with the second parameter of B: its triplet alone
    values[9, 0] = np.nan  # A: that of every parameter
    values[11, -1] = np.nan  # and B
    found = analysed(values, seed=1)
    assert found.lost * 2048 == pytest.approx([2, 3, 2])
    assert found.first == pytest.approx(FIRST, abs=0.03)
    assert found.total == pytest.approx(TOTAL, abs=0.03)
    assert np.isnan(analysed(np.full((64, 5), np.nan), seed=1).first).all()


def test_nothing_moves_a_constant() -> None:
    found = analysed(np.full((64, 5), 0.3), seed=1)
    assert found.first.tolist() == found.total.tolist() == [0.0] * 3


def test_the_design_is_saltellis() -> None:
    unit = design(4, 16, seed=3)
    for i in range(4):
        others = [k for k in range(4) if k != i]
        np.testing.assert_array_equal(unit[:, i + 1][:, others], unit[:, 0][:, others])
        np.testing.assert_array_equal(unit[:, i + 1, i], unit[:, -1, i])
    with pytest.raises(StudyError, match="power of two"):
        design(4, 100, seed=3)


def test_marginals_are_those_of_the_draws(draws: list[dict[str, float]]) -> None:
    names = ["breach", "audience"]
    levels = (np.arange(60) + 0.5) / 60
    made = marginals(draws, names).values(np.stack([levels, levels], axis=1))
    for i, name in enumerate(names):
        assert made[:, i] == pytest.approx(np.sort(column(draws, name)))
    point = marginals(draws, names).points(np.array([[0.5, 0.5]]))[0]
    middle = medians(draws)
    assert {name: point[name] for name in middle} == pytest.approx(middle)


def test_a_prior_is_drawn_by_its_quantiles() -> None:
    own = next(known for known in FITTED if known.name == "breach")
    made = prior(["breach"]).points(np.array([[norm.cdf(-1.0)], [0.5]]))
    assert made[0]["breach"] == pytest.approx(float(own.value(np.array(-1.0))))
    assert made[1] == pytest.approx({known.name: known.median for known in FITTED})


def test_indices_of_a_study_say_what_moves_it(draws: list[dict[str, float]]) -> None:
    """With one parameter that varies and one that the study fixes, all is known."""
    spread = marginals(draws, ["war_costs", "precision"])
    found = sobol_indices(STUDY, spread, pact="treaty", samples=32, coarse=False, workers=1)
    cell = found.sel(outcome="war")
    for quantity in ("with_pact", "difference"):
        own = cell.sel(quantity=quantity)
        assert own.total.sel(parameter="war_costs").item() == pytest.approx(1.0, abs=0.35)
        assert own["first"].sel(parameter="precision").item() == 0.0
        assert own.total.sel(parameter="precision").item() == 0.0
        assert own.lower < own["median"] < own.upper
    assert found.attrs["points"] == 32 * 4
    assert found.attrs["assumption"]
    assert not float(found.lost.max()) > 0.0, "what is too rare is not lost"
    assert (
        "nuclear_use" not in found.attrs["too_rare"]
        or np.isnan(found["first"].sel(outcome="nuclear_use")).all()
    )


def test_lost_triplets_of_a_study_are_told(draws: list[dict[str, float]], failing: list[float]) -> None:
    spread = marginals(draws, ["war_costs", "breach"])
    unit = design(2, 16, seed=1)
    failing.append(spread.points(unit[4])[-1]["breach"])  # B, and A with breach as in B
    failing.append(spread.points(unit[7])[0]["breach"])  # A, and A with the costs as in B
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sobol, "_FEWEST", 8)
        found = sobol_indices(STUDY, spread, pact="treaty", samples=16, coarse=False, workers=1)
    assert found.attrs["unsolved"] == 4
    assert found.lost.sel(outcome="war", quantity="with_pact").values * 16 == pytest.approx([2, 2])
    assert np.isfinite(found["first"].sel(outcome="war")).all()


# -- what draws foretell -----------------------------------------------------------------------------


def test_leaving_out_is_exact() -> None:
    """Against fits without the pair, by hand, and without its whole group."""
    generator = np.random.default_rng(6)
    x = generator.normal(size=40)
    groups = np.arange(40)
    groups[[3, 17, 30]] = 3
    y = np.sin(x)[:, None] + 0.2 * generator.normal(size=(40, 1))
    smoother = Smoother(x, groups)
    fit = smoother(y)
    choice = int(fit.choice[0])
    for i in (0, 3, 17):
        kept = groups != groups[i]
        expected = smoother.weighted(y[:, 0], choice, kept.astype(float))[i]
        assert fit.left_out[i, 0] == pytest.approx(expected, abs=1e-6)


def test_shares_of_dependent_parameters_are_those_of_a_normal_law() -> None:
    """For y = a + b with correlation r, either foretells (1 + r) / 2 of its variance."""
    generator = np.random.default_rng(2)
    r = 0.6
    x = generator.multivariate_normal([0, 0], [[1, r], [r, 1]], size=2000)
    idle = generator.normal(size=2000)
    y = np.stack([x.sum(axis=1), x[:, 0] ** 2 + generator.normal(size=2000)], axis=1)
    share, error = explained(y, Smoother(np.exp(x[:, 0]))(y))
    assert share[0] == pytest.approx((1.0 + r) / 2.0, abs=3.0 * error[0])
    assert share[1] == pytest.approx(2.0 / 3.0, abs=3.0 * error[1])
    assert (error < 0.04).all()
    nothing, _ = explained(y, Smoother(idle)(y))
    assert (nothing < 0.01).all()


def test_a_constant_has_no_share_to_be_foretold() -> None:
    x = np.random.default_rng(1).normal(size=50)
    y = np.full((50, 1), 0.25)
    assert not explained(y, Smoother(x)(y))[0][0] > 0.0


def test_copies_do_not_foretell_each_other() -> None:
    """Draws that come four times over say nothing about noise, and must not seem to."""
    generator = np.random.default_rng(4)
    x, y = generator.normal(size=(2, 60))
    x4, y4 = np.repeat(x, 4), np.repeat(y, 4)[:, None]
    assert explained(y4, Smoother(x4)(y4))[0][0] < 0.1


def test_shares_of_a_study_are_those_of_what_acts(draws: list[dict[str, float]], data: xr.Dataset) -> None:
    found = explained_by_draws(data, draws, STUDY, pact="treaty", outcomes=["war", "defeat"])
    assert list(found.parameter.values) == acting(STUDY, draws)
    assert ((found["first"] >= 0.0) & (found["first"] <= 1.0)).all()
    # one parameter alone varies in these: it foretells nearly all
    base = medians(draws)
    one = [base | {"war_costs": point["war_costs"]} for point in draws]
    alone = explained_by_draws(sweep(STUDY, one, pacts=["treaty"], workers=1), one, STUDY, outcomes=["war"])
    assert list(alone.parameter.values) == ["war_costs"]
    assert (alone["first"] > 0.95).all()


# -- one at a time -----------------------------------------------------------------------------------


def test_a_tornado_is_the_exact_answer_at_every_end(draws: list[dict[str, float]]) -> None:
    found = tornado(STUDY, draws, pact="treaty", workers=1)
    base = medians(draws)
    exact = at(STUDY, base).exact().data.probability.sel(outcome="war")
    cell = found.sel(outcome="war")
    difference = exact.sel(pact="treaty") - exact.sel(pact="no_pact")
    assert cell.base.sel(quantity="with_pact").item() == pytest.approx(exact.sel(pact="treaty").item())
    assert cell.base.sel(quantity="difference").item() == pytest.approx(difference.item(), abs=1e-14)
    assert list(found.parameter.values) == acting(STUDY, draws)
    for k, level in enumerate((0.05, 0.95)):
        value = float(np.quantile(column(draws, "war_costs"), level))
        assert found.setting.sel(parameter="war_costs").values[k] == value
        moved = at(STUDY, base | {"war_costs": value}).exact().data.probability
        own = cell["at"].sel(parameter="war_costs", quantity="with_pact").values[k]
        assert own == pytest.approx(moved.sel(outcome="war", pact="treaty").item())


def test_an_end_without_a_solution_has_no_number(draws: list[dict[str, float]], failing: list[float]) -> None:
    failing.append(float(np.quantile(column(draws, "breach"), 0.95)))
    found = tornado(STUDY, draws, pact="treaty", outcomes=["war"], workers=1)
    ends = found["at"].sel(parameter="breach", outcome="war", quantity="with_pact").values
    assert np.isfinite(ends).tolist() == [True, False]
    assert found.attrs["unsolved"] == 1
    axes = plotted("tornado", found, most=40)
    assert any("no solution" in text.get_text() for text in axes.texts)
    failing.append(medians(draws)["breach"])
    with pytest.raises(RunError, match="no solution where all"):
        tornado(STUDY, draws, pact="treaty", outcomes=["war"], workers=1)


# -- the value of knowing ----------------------------------------------------------------------------


def unit_loss(mean: float, sd: float) -> float:
    """Return the expected value of knowing a normal gain (Raiffa & Schlaifer 1961)."""
    positive = sd * norm.pdf(mean / sd) + mean * norm.cdf(mean / sd)
    return float(positive - max(mean, 0.0))


def gains(n: int, seed: int) -> tuple[Any, Any]:
    x = np.random.default_rng(seed).normal(size=(n, 3))
    return x, 0.3 + x[:, 0] + 0.5 * x[:, 1]


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_the_value_of_knowing_is_that_of_a_normal_gain(sign: float) -> None:
    """Would catch a wrong sign, and a choice that is not compared with the best without knowing."""
    x, gain = gains(5000, seed=7)
    gain = sign * gain
    assert value_of_all(gain) == pytest.approx(unit_loss(0.3, math.sqrt(1.25)), abs=0.02)
    for i, spread in enumerate((1.0, 0.5)):
        found = value_of_one(gain, x[:, i])
        assert found.value == pytest.approx(unit_loss(0.3, spread), abs=3.0 * found.error)
        assert found.cross_validated == pytest.approx(unit_loss(0.3, spread), abs=4.0 * found.error)
        assert 0.0 < found.error < 0.02
    idle = value_of_one(gain, x[:, 2])
    assert 0.0 <= idle.value < 0.004


def test_a_parameter_that_goes_with_another_speaks_for_it() -> None:
    generator = np.random.default_rng(3)
    x = generator.multivariate_normal([0, 0], [[1, 0.8], [0.8, 1]], size=5000)
    found = value_of_one(x[:, 0], x[:, 1])  # the gain is the other one
    assert found.value == pytest.approx(unit_loss(0.0, 0.8), abs=3.0 * found.error)


def test_the_standard_error_is_the_spread_of_repeated_fits() -> None:
    found = [value_of_one(gain, x[:, 1], seed=1) for x, gain in (gains(300, seed) for seed in range(40))]
    spread = float(np.std([one.value for one in found], ddof=1))
    assert float(np.mean([one.error for one in found])) == pytest.approx(spread, rel=0.4)
    truth = unit_loss(0.3, 0.5)
    assert abs(float(np.mean([one.value for one in found])) - truth) < spread
    # decisions by the other draws gain less than the best do
    assert np.mean([one.cross_validated for one in found]) < np.mean([one.value for one in found])


def test_knowing_compares_two_pacts_draw_by_draw(draws: list[dict[str, float]], data: xr.Dataset) -> None:
    found = knowing(data, draws, STUDY, first="treaty", second="with_vote", loss="war")
    war = data.probability.sel(outcome="war")
    gain = (war.sel(pact="with_vote") - war.sel(pact="treaty")).values
    assert found.gain.item() == pytest.approx(gain.mean())
    assert found.better.item() == pytest.approx((gain > 0).mean())
    assert found["all"].item() == pytest.approx(value_of_all(gain))
    other = knowing(data, draws, STUDY, first="with_vote", second="treaty", loss="war")
    assert other.gain.item() == pytest.approx(-found.gain.item())
    assert other["all"].item() == pytest.approx(found["all"].item())
    one = value_of_one(gain, column(draws, "breach"))
    assert found.value.sel(parameter="breach").item() == one.value

    value = knowing(data, draws, STUDY, first="treaty")
    payoff = data.value.sel(actor="defender")
    assert value.gain.item() == pytest.approx((payoff.sel(pact="treaty") - payoff.sel(pact=EMPTY)).mean())
    assert value.value.attrs["units"] == "stake"


def test_knowing_refuses_what_there_is_not(draws: list[dict[str, float]], data: xr.Dataset) -> None:
    with pytest.raises(StudyError, match="Did you mean 'treaty'"):
        knowing(data, draws, STUDY, first="treay")
    with pytest.raises(StudyError, match="another pact"):
        knowing(data, draws, STUDY, first="treaty", second="treaty")
    with pytest.raises(StudyError, match="must be an outcome"):
        knowing(data, draws, STUDY, first="treaty", loss="wars")
    with pytest.raises(RunError, match="are needed"):
        knowing(data.isel(point=slice(0, 5)), draws[:5], STUDY, first="treaty")


# -- rankings ----------------------------------------------------------------------------------------


def table(rows: list[list[float]]) -> xr.Dataset:
    """Return a sweep of one outcome with given probabilities of three pacts."""
    return xr.Dataset(
        {"probability": (("point", "pact", "outcome"), np.array(rows)[..., np.newaxis])},
        {"pact": ["a", "b", "c"], "outcome": ["war"]},
    )


def test_ranks_are_counted_over_draws() -> None:
    found = ranks(table([[0.1, 0.2, 0.3], [0.1, 0.2, 0.3], [0.3, 0.2, 0.1], [0.2, 0.2, 0.5]])).sel(
        outcome="war"
    )
    assert found.share.values.tolist() == [
        [0.625, 0.125, 0.25],
        [0.125, 0.875, 0.0],
        [0.25, 0.0, 0.75],
    ]
    assert found.above.sel(pact="a", other="b").item() == 0.25
    assert found.above.sel(pact="b", other="a").item() == 0.5
    assert found.equal.sel(pact="b", other="a").item() == 0.25
    assert found.above.sel(pact="c", other="a").item() == 0.75
    # means are 0.175, 0.2, 0.3: two draws are so, one is turned round, one has a tie
    assert found.changed.item() == 0.5
    # in the draw that is turned round all three pairs are, of twelve; a tie is not
    assert found.turned.item() == 0.25
    assert found.draws.item() == 4


def test_ranks_of_a_study_add_up(data: xr.Dataset) -> None:
    found = ranks(data, outcomes=["war", "challenge"])
    for dimension in ("rank", "pact"):
        assert found.share.sum(dimension).values == pytest.approx(np.ones((2, 4)))
    both = found.above + found.above.rename(pact="other", other="pact") + found.equal
    assert both.values == pytest.approx(np.ones((2, 4, 4)))
    # an empty pact is no pact
    assert found.equal.sel(pact="no_pact", other=EMPTY).values.tolist() == [1.0, 1.0]


def test_draws_without_a_number_are_left_out_of_ranks() -> None:
    found = ranks(table([[0.1, 0.2, 0.3], [np.nan, np.nan, np.nan]]))
    assert found.draws.values.tolist() == [1]
    assert found.changed.values.tolist() == [0.0]
    with pytest.raises(RunError, match="nothing to rank"):
        ranks(table([[np.nan] * 3]))


# -- pictures and commands ---------------------------------------------------------------------------


def plotted(name: str, given: xr.Dataset, **options: Any) -> Any:
    from entangle import plot

    axes = getattr(plot, name)(given, **options)
    axes.get_figure(root=True).canvas.draw()
    return axes


def test_the_tornado_has_the_widest_bar_on_top(draws: list[dict[str, float]]) -> None:
    found = tornado(STUDY, draws, pact="treaty", outcomes=["war", "nuclear_use"], workers=1)
    axes = plotted("tornado", found, most=5)
    cell = found.sel(outcome="war", quantity="with_pact")
    order = np.argsort(-cell.swing.values)[:5]
    names = [str(name).replace("_", " ") for name in found.parameter.values[order]]
    assert [label.get_text() for label in axes.get_yticklabels()] == names
    ends = sorted({round(bar.get_x() + bar.get_width(), 9) for bar in axes.patches})
    assert 100.0 * float(np.nanmax(cell["at"].values[order])) == pytest.approx(
        max(ends + [bar.get_x() for bar in axes.patches]), abs=1e-6
    )
    with pytest.raises(ResultError, match="Did you mean 'war'"):
        plotted("tornado", found, outcome="wars")


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the file of a made-up fit."""
    normal = 0.5 * np.random.default_rng(2).normal(size=(40, len(FITTED)))
    dims = ("chain", "draw")
    values = {known.name: (dims, known.value(normal[:, i])[np.newaxis]) for i, known in enumerate(FITTED)}
    stats = {
        "normal": ((*dims, "parameter"), normal[np.newaxis]),
        "family": (dims, np.arange(40)[np.newaxis]),
    }
    tree = xr.DataTree.from_dict(
        {
            "/": xr.Dataset(
                attrs={"kind": "posterior", "format_version": 1, "fingerprint": "made up", "seed": "1"}
            ),
            "posterior": xr.Dataset(values),
            "sample_stats": xr.Dataset(
                stats, {"parameter": np.array([known.name for known in FITTED], object)}
            ),
        }
    )
    path = tmp_path_factory.mktemp("fit") / "posterior.nc"
    posterior.save(tree, path)
    return path


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("study") / "small.toml"
    STUDY.save(path)
    return path


def called(*words: str | Path) -> str:
    done = CliRunner().invoke(cli, ["sensitivity", *map(str, words)])
    assert done.exit_code == 0, done.output
    return done.stdout


def test_prior_against_posterior_is_drawn_for_every_parameter(fitted: Path, tmp_path: Path) -> None:
    axes = plotted("learned", learned(posterior.load(fitted)))
    assert len(axes.get_yticklabels()) == len(FITTED)
    picture = tmp_path / "learned.svg"
    said = called("learned", "--posterior", fitted, "--plot", picture)
    assert all(known.name in said for known in FITTED)
    assert picture.stat().st_size > 1000


def test_the_tornado_command_prints_draws_and_writes(file: Path, fitted: Path, tmp_path: Path) -> None:
    out, picture = tmp_path / "tornado.nc", tmp_path / "tornado.png"
    words = ("tornado", file, "--posterior", fitted, "--draws", "40", "--pact", "treaty")
    said = called(*words, "--out", out, "--plot", picture)
    assert "war" in said
    assert "precision" not in said
    assert max(map(len, said.splitlines())) <= 80
    stored = xr.load_dataset(out, engine="h5netcdf")
    told = json.loads(called(*words, "--json"))
    assert told["base"]["war"]["with_pact"] == stored.base.sel(outcome="war", quantity="with_pact").item()
    assert picture.stat().st_size > 1000


def test_the_sobol_command_says_both_kinds_of_share(file: Path, fitted: Path) -> None:
    words = ("sobol", file, "--posterior", fitted, "--draws", "40", "--samples", "16", "--outcome", "war")
    said = called(*words, "--grid", "study")
    assert "independent" in said
    assert max(map(len, said.splitlines())) <= 80
    told = json.loads(called(*words, "--grid", "study", "--json"))
    assert set(told["indices"]["war"]["with_pact"]) == set(acting(STUDY, some(3)))
    assert set(told["indices"]["war"]["with_pact"]["breach"]) >= {"first", "total", "first_of_draws"}


def test_the_knowing_command_compares_two_pacts(file: Path, fitted: Path) -> None:
    words = ("knowing", file, "--posterior", fitted, "--draws", "40", "--first", "treaty")
    said = called(*words, "--second", "with_vote", "--loss", "war")
    assert "with_vote" in said
    assert max(map(len, said.splitlines())) <= 80
    told = json.loads(called(*words, "--second", "with_vote", "--loss", "war", "--json"))
    assert told["all"] >= max(row["value"] for row in told["parameters"].values()) - 1e-12
    assert told["first"] == "treaty"


def test_the_ranks_command_ranks_every_pact(file: Path, fitted: Path) -> None:
    words = ("ranks", file, "--posterior", fitted, "--draws", "20", "--outcome", "war")
    said = called(*words)
    assert all(name in said for name in STUDY.pacts)
    assert max(map(len, said.splitlines())) <= 80
    told = json.loads(called(*words, "--json"))
    assert sum(told["war"]["share"]["treaty"]) == pytest.approx(1.0)


def test_commands_refuse_what_there_is_not(file: Path, fitted: Path) -> None:
    words = ["sensitivity", "tornado", str(file), "--posterior", str(fitted), "--draws", "40"]
    for extra, match in (
        (["--pact", "treat"], "treaty"),
        (["--outcome", "wars"], "war"),
        (["--draws", "41"], "must be from 1 to 40"),
    ):
        done = CliRunner().invoke(cli, [*words, *extra])
        assert done.exit_code == 2, done.output
        assert match in done.output


def test_groups_of_a_fit_are_resampled_together() -> None:
    """Copies are no more draws than there were: the error of the mean does not shrink."""
    generator = np.random.default_rng(1)
    gain = generator.normal(size=100)
    alone = worth._errors(gain, None, 1)[1]
    again = worth._errors(np.repeat(gain, 4), np.repeat(np.arange(100), 4), 1)[1]
    assert again == pytest.approx(alone, rel=1e-9)
    assert worth._errors(np.repeat(gain, 4), None, 1)[1] < 0.7 * alone
