"""Draws of the parameters: each draw is a study, and what parameters and counting leave open stays apart."""

from __future__ import annotations

import json
import random
import time
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import matplotlib
import numpy as np
import pytest
import xarray as xr
from click.testing import CliRunner

from entangle import attribution, drawn, engine
from entangle.cli import cli
from entangle.ensemble import SAME, Ensemble
from entangle.errors import DisagreementWarning, ReproducibilityWarning, ResultError, RunError, StudyError
from entangle.fit import posterior as fits
from entangle.fit.draws import MOST_PRECISION, POINT, shipped, structural
from entangle.fit.draws import draws as drawn_points
from entangle.fit.priors import PRIORS
from entangle.parameters import Parameters
from entangle.result import Result
from entangle.two_levels import difference_variance, split, variance
from entangle_kernels import equilibrium
from small_studies import small_fitted as small

DRAWS = 6
SEED = 7
#: Not a multiple of the batches.
TRAJECTORIES = 3_007
#: A normal number this far from 0 has a chance of 1e-6: the error probability of each statistical test here.
FAR = 4.9


def a_posterior(number: int = 12) -> xr.DataTree:
    """Return draws around the priors' medians, so that no test depends on the fit."""
    rng = np.random.default_rng(3)
    values = {
        prior.name: (("chain", "draw"), np.asarray(prior.value(0.4 * rng.standard_normal((1, number)))))
        for prior in PRIORS
    }
    root = xr.Dataset(attrs={"kind": "posterior", "format_version": 1, "fingerprint": "made up"})
    return xr.DataTree.from_dict({"/": root, "posterior": xr.Dataset(values)})


POSTERIOR = a_posterior()


def run(study=None, **changes) -> Ensemble:
    options = {"draws": DRAWS, "posterior": POSTERIOR, "trajectories": TRAJECTORIES, "seed": SEED}
    return (study or small()).run(**options | changes)


@pytest.fixture(scope="module")
def ensemble() -> Ensemble:
    return run()


def assert_same(one: Ensemble, other: Ensemble) -> None:
    xr.testing.assert_identical(one.data.drop_attrs(), other.data.drop_attrs())
    assert one.data.attrs["sha256"] == other.data.attrs["sha256"]


# -- the two kinds of not knowing ------------------------------------------------------------------


def off(estimates, truth) -> float:
    """Return how many standard errors the mean of independent estimates lies from the truth."""
    return abs(estimates.mean() - truth) / (estimates.std(ddof=1) / np.sqrt(len(estimates)))


def counted_twice_over(rng, *, draws: int, trials: int, times: int):
    """Return shares that were counted at uniform probabilities, shape (draws, times), and both variances."""
    low, high = 0.1, 0.4
    truth = rng.uniform(low, high, (draws, times))
    parameters = (high - low) ** 2 / 12.0
    middle = (low + high) / 2.0
    counting = (middle - middle**2 - parameters) / trials
    return rng.binomial(trials, truth) / trials, truth, parameters, counting


def test_the_variance_splits_as_it_was_made():
    """Catches counting that is left in, taken out twice, or estimated with a bias: p(1 - p)/n for n - 1."""
    rng = np.random.default_rng(11)
    trials = 10
    shares, _, parameters, counting = counted_twice_over(rng, draws=400, trials=trials, times=4_000)
    noise = variance(shares, trials).mean(axis=0)
    made, _ = split(shares, noise)
    assert not made.clipped.any()
    assert off(made.parameter_sd**2, parameters) < FAR
    assert off(made.between_sd**2, parameters + counting) < FAR
    assert off(made.between_sd**2, parameters) > FAR  # the same test sees counting that was left in
    biased = made.between_sd**2 - noise * (trials - 1) / trials
    assert off(biased, parameters) > FAR  # and the missing one of n - 1
    assert np.allclose(made.monte_carlo_share, noise / made.between_sd**2)


def test_the_error_by_counting_is_that_of_counting_again():
    """Catches an error of the mean that holds the parameters' part, or forgets that draws average it out."""
    rng = np.random.default_rng(12)
    draws, trials, times = 50, 40, 4_000
    truth = rng.uniform(0.1, 0.4, (draws, 1))
    shares = rng.binomial(trials, np.broadcast_to(truth, (draws, times))) / trials
    made, _ = split(shares, variance(shares, trials).mean(axis=0))
    squares = (made.mean - truth.mean()) ** 2
    assert off(squares - made.monte_carlo_error**2, 0.0) < FAR
    assert off(squares - made.draws_error**2, 0.0) > FAR


def test_the_interval_of_the_parameters_holds_no_counting():
    """Catches quantiles of the raw draws: with as much counting as parameters they are wider by 1.41."""
    rng = np.random.default_rng(13)
    theta = rng.standard_normal((4_000, 100))
    values = theta + rng.standard_normal(theta.shape)
    made, pulled = split(values, np.ones(100))
    normal = 1.6448536269514722
    assert off(made.upper, normal) < FAR
    assert off(made.lower, -normal) < FAR
    assert off(np.quantile(values, 0.95, axis=0), normal) > FAR
    assert np.allclose(pulled.mean(axis=0), values.mean(axis=0))
    assert np.allclose(pulled.std(axis=0, ddof=1), made.parameter_sd)


def test_draws_that_differ_by_counting_alone_are_called_so():
    values = np.array([[0.1, 0.2], [0.3, 0.2]])
    made, pulled = split(values, np.array([1.0, 0.5]))
    assert made.clipped.tolist() == [True, True]
    assert made.parameter_sd.tolist() == [0.0, 0.0]
    assert made.monte_carlo_share.tolist() == [1.0, 1.0]
    assert np.allclose(pulled, 0.2)
    assert np.allclose(made.lower, made.upper)


def test_what_is_exact_is_left_as_it_is():
    rng = np.random.default_rng(14)
    values = rng.random((7, 3))
    values[:, 1] = np.nan
    values[0, 2] = np.nan
    made, pulled = split(values, np.zeros(3))
    assert np.array_equal(pulled, values, equal_nan=True)
    assert made.defined.tolist() == [7, 0, 6]
    assert np.isnan(made.mean[1])
    assert np.isnan(made.lower[1])
    assert made.mean[2] == pytest.approx(values[1:, 2].mean(), rel=1e-15)
    assert made.parameter_sd[0] == pytest.approx(values[:, 0].std(ddof=1), rel=1e-14)
    assert made.monte_carlo_error[0] == 0.0
    assert made.monte_carlo_share[0] == 0.0


def test_one_draw_says_nothing_of_the_parameters():
    made, _ = split(np.array([[0.25]]), np.array([0.01]))
    assert made.mean[0] == made.lower[0] == 0.25
    assert np.isnan(made.parameter_sd[0])
    assert made.monte_carlo_error[0] == pytest.approx(0.1)


def test_differences_on_the_same_trajectories():
    """Catches the variance of independent counts, three times too large here, and batches taken as equal."""
    rng = np.random.default_rng(15)
    sizes = np.array([50, 51, 20])
    both, first, second = 0.3, 0.05, 0.1  # in both worlds, in the first only, in the second only
    made = np.array(
        [
            [rng.multinomial(size, [both, first, second, 1 - both - first - second]) for size in sizes]
            for _ in range(4_000)
        ]
    )
    counts = np.stack([made[..., 0] + made[..., 1], made[..., 0] + made[..., 2]], axis=-1)
    found = np.array([difference_variance(one, sizes)[0, 1] for one in counts])
    number = sizes.sum()
    truth = (first + second - (first - second) ** 2) / number
    assert off(found, truth) < FAR
    shares = counts.sum(axis=1) / number
    apart = variance(shares, number).sum(axis=1)
    assert off(apart, truth) > FAR


def test_a_difference_from_nothing_is_a_share():
    counts = np.array([[[3], [0]], [[5], [0]]])
    found = difference_variance(counts, np.array([10, 10]))
    assert found[0, 1, 0] == found[1, 0, 0] == pytest.approx(0.4 * 0.6 / 19)
    assert found[0, 0, 0] == found[1, 1, 0] == 0.0


# -- what a draw is --------------------------------------------------------------------------------


def test_each_draw_is_the_study_at_its_parameters(ensemble):
    exact = ensemble.data.isel(outcome=~ensemble.data.counted)
    for i, point in enumerate(drawn_points(DRAWS, posterior=POSTERIOR)):
        own = ensemble.at(i)
        assert own.parameters == drawn.study_at(small(), point).parameters
        alone = own.exact().data.exact
        found = exact.probability.sel(draw=i)
        assert np.allclose(found.values, alone.values, rtol=1e-6, atol=1e-12, equal_nan=True)
        assert {name: ensemble.data[f"drawn_{name}"].sel(draw=i).item() for name in point} == point
    assert (exact.probability.std("draw").sel(outcome="war") > 0).all()


def test_what_the_study_sets_by_hand_stays(ensemble):
    own = small().parameters
    assert {ensemble.at(i).parameters.precision for i in range(DRAWS)} == {own.precision}
    free = small(parameters={"types": 2, "rounds": 4})
    drawn_precision = run(free, draws=2, attribution=False)
    assert len({drawn_precision.at(i).parameters.precision for i in range(2)}) == 2


def test_draws_share_no_luck_and_pacts_share_all(ensemble):
    """Catches draws on the same words, and counts of one world taken for another's."""
    for draw in (0, 2):
        study = ensemble.at(draw)
        pacts, plan, known = engine.prepared(study)
        tally = engine.simulate(plan, seed=SEED, first=draw * TRAJECTORIES, trajectories=TRAJECTORIES)
        counts = attribution.variables(known, 0.95, tally)
        outcomes = [str(name) for name in study.exact().data.outcome.values]
        for asked in drawn.COUNTED:
            side = counts["averted_count" if asked.averted else "caused_count"]
            expected = side.values[
                :, attribution.COUNTERFACTUALS.index(asked.without), outcomes.index(asked.event)
            ]
            found = ensemble.data["count"].sel(draw=draw, outcome=asked.name)
            assert found.values.tolist() == expected.tolist(), asked.name
            assert pacts.keys() == set(found.pact.values)
    seen = ensemble.data["count"].isel(outcome=ensemble.data.counted).sum("draw").sel(pact="treaty")
    assert (seen > 0).all()


def test_equal_draws_differ_by_their_words_alone():
    """With one point again and again, counting is all there is between draws, and its error is right."""
    one = POSTERIOR["posterior"].to_dataset().isel(draw=[0] * 40)
    tree = xr.DataTree.from_dict({"/": POSTERIOR.to_dataset(), "posterior": one})
    found = run(posterior=tree, draws=40, trajectories=1_000)
    cell = found.data.sel(pact="treaty")
    exact = cell.isel(outcome=~cell.counted)
    assert (exact.between_sd.fillna(0.0) < 1e-12).all()
    crisis = cell.sel(outcome="crisis_averted")
    # the variance of 40 shares over the mean of theirs: a chi-square of 39, beyond these with chance 1e-6
    ratio = (crisis.between_sd / crisis.monte_carlo_error).item() ** 2 / 40
    assert 0.22 < ratio < 2.6
    assert crisis.standard_error.min() > 0


def test_counts_and_exact_probabilities_agree(ensemble):
    assert ensemble.disagreements() == []
    wrong = ensemble.data.copy(deep=True)
    wrong["count"].loc[{"draw": 1, "pact": "treaty", "outcome": "war"}] = TRAJECTORIES
    assert Ensemble(wrong).disagreements() == ["draw 1: treaty: war"]


def test_a_disagreement_is_told(monkeypatch):
    right = drawn._shares
    monkeypatch.setattr(drawn, "_shares", lambda cells: [1.0 - share for share in right(cells)])
    with pytest.warns(DisagreementWarning, match="contradict"):
        run(draws=1)


def test_without_attribution_nothing_is_simulated(ensemble):
    bare = run(attribution=False)
    exact = ensemble.data.isel(outcome=~ensemble.data.counted)
    assert bare.trajectories == 0
    assert bare.counted == []
    assert np.array_equal(bare.data.probability, exact.probability, equal_nan=True)
    assert (bare.data.standard_error == 0).all()
    assert (bare.data.versus_monte_carlo_error.fillna(0.0) == 0).all()
    assert "±" not in bare.summary()


# -- over draws --------------------------------------------------------------------------------------


def test_the_summaries_are_those_of_the_draws(ensemble):
    data = ensemble.data
    counted = data.counted.values
    assert (data.standard_error.isel(outcome=~counted) == 0).all()  # never missing
    assert data.standard_error.notnull().all()
    exact = data.isel(outcome=~counted)
    for level, name in ((0.05, "lower"), (0.5, "median"), (0.95, "upper")):
        quantile = exact.probability.fillna(0.0).quantile(level, "draw")  # what is missing is so in all draws
        assert np.allclose(exact[name].fillna(0.0), quantile)
    assert np.allclose(data["mean"], data.probability.mean("draw"), equal_nan=True)
    assert np.allclose(data.monte_carlo_error.fillna(0.0) ** 2, (data.standard_error**2).mean("draw") / DRAWS)
    assert (exact.monte_carlo_lower.fillna(0) == exact["mean"].fillna(0)).all()
    cell = data.isel(outcome=counted)
    assert ((cell.monte_carlo_lower <= cell["mean"]) & (cell["mean"] <= cell.monte_carlo_upper)).all()
    assert np.isnan(data["mean"].sel(pact="no_pact", outcome="reliability"))
    assert data.defined.sel(pact="no_pact", outcome="reliability") == 0


def test_differences_are_taken_draw_by_draw(ensemble):
    data = ensemble.data
    assert ensemble.empty_pact == "no_pact"
    apart = data.probability - data.probability.sel(pact="no_pact", drop=True)
    assert np.array_equal(data.difference, apart, equal_nan=True)
    assert np.allclose(data.versus_mean.sel(versus="no_pact"), apart.mean("draw"), equal_nan=True, atol=1e-15)
    exact = ~data.counted.values
    up = (apart > SAME).mean("draw").isel(outcome=exact)
    known = apart.notnull().all("draw").isel(outcome=exact)
    positive = data.difference_positive.isel(outcome=exact)
    assert np.allclose(positive.where(known, 0.0), up.where(known, 0.0))
    whole = data.versus_above + data.versus_above.rename(pact="versus", versus="pact") + data.versus_equal
    assert np.allclose(whole.where(whole.notnull(), 1.0), 1.0)
    own = data.sel(pact="treaty", outcome="entanglement")
    # nobody is entangled without a pact: the difference is known as well as the level
    assert own.versus_monte_carlo_error.sel(versus="no_pact") == pytest.approx(own.monte_carlo_error.item())
    # pacts share their words: less than two independent counts leave open
    other = data.monte_carlo_error.sel(pact="with_vote", outcome="entanglement")
    assert own.versus_monte_carlo_error.sel(versus="with_vote") < np.hypot(own.monte_carlo_error, other)


def test_questions_of_the_result(ensemble):
    spread = ensemble.probability("treaty", "entanglement")
    assert spread.lower < spread.mean < spread.upper
    assert spread.monte_carlo_lower < spread.mean < spread.monte_carlo_upper
    assert spread.given == "a dispute"
    assert "parameters" in repr(spread)
    compared = ensemble.compare("treaty", "with_vote")
    cells = ensemble.data.sel(pact="treaty", versus="with_vote")
    assert np.array_equal(compared.above, cells.versus_above, equal_nan=True)
    assert np.allclose(compared.difference.mean("draw"), compared["mean"], equal_nan=True)
    with pytest.raises(ResultError, match="Did you mean 'treaty'"):
        ensemble.probability("treatty", "war")
    with pytest.raises(ResultError, match="no outcome"):
        ensemble.probability("treaty", "wars")
    with pytest.raises(ResultError, match="no draw 99"):
        ensemble.at(99)


# -- the same bits -----------------------------------------------------------------------------------


class Shuffling(Executor):
    """Does what is waiting in random order."""

    def __init__(self, seed):
        self.order = random.Random(seed)
        self.waiting = []
        self.threads = ThreadPoolExecutor(1)

    def submit(self, function, /, *arguments, **named):
        future: Future = Future()
        self.waiting.insert(self.order.randrange(len(self.waiting) + 1), (future, function, arguments))
        self.threads.submit(self.work)
        return future

    def work(self):
        time.sleep(0.002)  # let others queue up
        future, function, arguments = self.waiting.pop()
        future.set_result(function(*arguments))

    def shutdown(self, wait=True, *, cancel_futures=False):
        self.threads.shutdown(wait, cancel_futures=cancel_futures)


@pytest.mark.parametrize("workers", [1, 3])
def test_threads_move_no_bit(ensemble, workers):
    assert_same(run(workers=workers), ensemble)


def test_the_order_moves_no_bit(ensemble):
    with Shuffling(5) as executor:
        assert_same(run(executor=executor), ensemble)


def test_processes_move_no_bit(ensemble):
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as executor:
        assert_same(run(executor=executor), ensemble)


def test_a_dask_cluster_moves_no_bit(ensemble):
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        assert_same(run(executor=client), ensemble)


def test_fewer_draws_are_the_first_of_more(ensemble):
    fewer = run(draws=2)
    assert np.array_equal(
        fewer.data.probability, ensemble.data.probability.isel(draw=slice(2)), equal_nan=True
    )


def test_progress_counts_draws():
    told = []
    run(draws=3, workers=1, progress=lambda done, total: told.append((done, total)))
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_as_many_trajectories_as_the_study_has_but_not_too_many():
    own = small(simulation={"trajectories": 200, "seed": 1})
    assert own.run(draws=1, posterior=POSTERIOR).trajectories == 200
    assert small().run(draws=1, posterior=POSTERIOR).trajectories == drawn.TRAJECTORIES


# -- draws that cannot be solved ------------------------------------------------------------------------


@pytest.fixture
def unsolvable(monkeypatch):
    """Let games of chosen draws, known by their compromise, find no equilibrium."""
    column = POSTERIOR["posterior"].compromise.values[0]
    bad: set[float] = set()

    def lowered(lowering):
        def games(levers, setting):
            made, in_scope = lowering(levers, setting)
            if setting.parameters.compromise in bad:
                raise equilibrium.ConvergenceError(0.1, 10, 3.0)
            return made, in_scope

        return games

    monkeypatch.setattr(drawn, "games", lowered(drawn.games))

    def leave_out(*numbers):
        bad.update(float(column[number]) for number in numbers)

    return leave_out


def test_draws_without_a_solution_are_left_out_and_told(ensemble, unsolvable, tmp_path):
    unsolvable(1, 4)
    found = run()
    assert found.left_out == [1, 4]
    assert found.data.draw.values.tolist() == [0, 2, 3, 5]
    assert found.data.attrs["draws_left_out"] == 2
    assert "2 of 6 draws" in found.summary()
    assert "2 left out" in repr(found)
    # the others keep their words: a draw's number says which, not its place among those that were solved
    assert np.array_equal(
        found.data.probability, ensemble.data.probability.sel(draw=[0, 2, 3, 5]), equal_nan=True
    )
    with pytest.raises(ResultError, match="could not be solved"):
        found.at(4)
    found.save(tmp_path / "draws.nc")
    loaded = Ensemble.load(tmp_path / "draws.nc")
    assert loaded.left_out == [1, 4]
    assert_same(loaded.rerun(), found)


def test_more_than_half_without_a_solution_is_an_error(unsolvable):
    unsolvable(0, 1, 2)
    assert run().left_out == [0, 1, 2]
    unsolvable(5)
    with pytest.raises(RunError, match="More than half of 6 draws"):
        run()


# -- keeping -----------------------------------------------------------------------------------------


def test_a_file_gives_back_everything(ensemble, tmp_path):
    path = tmp_path / "draws.nc"
    ensemble.save(path)
    loaded = Ensemble.load(path)
    xr.testing.assert_identical(loaded.data, ensemble.data)
    assert loaded.study == ensemble.study
    assert_same(loaded.rerun(workers=1), ensemble)
    assert [item.name for item in tmp_path.iterdir()] == ["draws.nc"]


def test_a_file_of_something_else_is_refused(tmp_path):
    path = tmp_path / "result.nc"
    small().exact().save(path)
    with pytest.raises(ResultError, match="not a study at many draws of its parameters"):
        Ensemble.load(path)


def test_a_changed_file_is_refused(ensemble, tmp_path):
    path = tmp_path / "draws.nc"
    changed = ensemble.data.copy(deep=True)
    changed["mean"][0, 0] += 1e-9
    Ensemble(changed).save(path)
    with pytest.raises(ResultError, match="damaged or was changed"):
        Ensemble.load(path)


def test_another_solution_is_told_when_it_is_made_again(ensemble, monkeypatch):
    right = drawn.digest
    monkeypatch.setattr(drawn, "digest", lambda tables: right(tables)[::-1])
    with pytest.warns(ReproducibilityWarning, match="not the same computation"):
        ensemble.rerun()


# -- wrong questions -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"draws": 0}, "must be from 1 to 12"),
        ({"draws": 13}, "must be from 1 to 12"),
        ({"draws": None}, "nothing without draws"),
        ({"until": {"war": 0.1}}, "cannot be used with draws"),
        ({"trajectories": 1}, "at least 2"),
        ({"trajectories": 2**48 + 1}, "must be at most"),
    ],
)
def test_wrong_arguments_are_told_before_any_work(changes, words, monkeypatch):
    monkeypatch.setattr(drawn, "played", None)
    with pytest.raises(StudyError, match=words):
        run(**changes)


def test_a_study_that_stops_by_itself_is_told(monkeypatch):
    with pytest.raises(StudyError, match="cannot be used with draws"):
        run(small(simulation={"until": {"war": 0.1}}))


# -- showing -----------------------------------------------------------------------------------------


def test_the_table_says_which_part_is_which(ensemble):
    text = ensemble.summary()
    assert max(map(len, text.splitlines())) <= 80
    lines = text.splitlines()
    first = text[: text.index("What the pact changes")].splitlines()
    marked = [line for line in first if line.strip().startswith("±")]
    # a line of errors for each counted outcome, none for any other
    assert len(marked) == len(ensemble.counted)
    assert any(line.strip().startswith("war:") and "treaty" in line for line in lines)
    assert "left out" not in text.lower()


def test_the_picture_shows_both_parts(ensemble):
    first = ensemble.plot(outcomes=["war", "entanglement"])
    figure = first.figure
    level, change, counted, apart = figure.axes
    assert "war" in level.get_title("left")
    assert "no pact" in change.get_title("left")

    def lines(axes):
        found = [item for item in axes.collections if isinstance(item, matplotlib.collections.LineCollection)]
        return [[segment[:, 0] for segment in item.get_segments()] for item in found]

    (parameters,) = lines(level)  # exact: no bar for what counting leaves open
    cells = ensemble.data.sel(outcome="war")
    assert np.allclose([ends[0] for ends in parameters], 100 * cells.lower)
    assert np.allclose([ends[1] for ends in parameters], 100 * cells.upper)
    parameters, monte_carlo = lines(counted)
    cells = ensemble.data.sel(outcome="entanglement")
    assert np.allclose([ends[1] for ends in parameters], 100 * cells.upper)
    assert np.allclose([ends[0] for ends in monte_carlo], 100 * cells.monte_carlo_lower)
    assert len(lines(apart)) == 2
    assert [text.get_text() for text in change.get_yticklabels()] == ["treaty", "with vote"]
    with pytest.raises(ResultError, match="Did you mean 'war'"):
        ensemble.plot(outcomes=["warr"])


def test_without_an_empty_pact_there_are_levels_alone():
    study = small()
    study = study.replace(pacts={name: study.pacts[name] for name in ("treaty", "with_vote")})
    found = run(study, draws=2)
    assert found.empty_pact is None
    assert "difference" not in found.data
    assert len(found.plot(outcomes=["war"]).figure.axes) == 1
    assert "What the pact changes" not in found.summary()
    # what a pact is compared with is no pact at all, also where the study has none
    assert (found.data["count"].sel(outcome="entanglement").sum("draw") > 0).all()


@pytest.fixture
def files(tmp_path):
    study, posterior = tmp_path / "study.toml", tmp_path / "posterior.nc"
    small(simulation={"trajectories": TRAJECTORIES, "seed": SEED}).save(study)
    fits.save(POSTERIOR, posterior)
    return study, posterior


def call(*arguments: object):
    return CliRunner().invoke(cli, [str(item) for item in arguments])


def test_the_command_runs_draws(files, ensemble, tmp_path):
    study, posterior = files
    out, plot = tmp_path / "draws.nc", tmp_path / "draws.png"
    done = call("run", study, "--draws", DRAWS, "--posterior", posterior, "--out", out, "--plot", plot)
    assert done.exit_code == 0, done.output
    loaded = Ensemble.load(out)
    assert done.stdout == loaded.summary()
    assert np.array_equal(loaded.data.probability, ensemble.data.probability, equal_nan=True)
    assert loaded.data.attrs["posterior_fingerprint"] == "made up"
    assert plot.read_bytes().startswith(b"\x89PNG")


def test_the_command_prints_json(files, unsolvable):
    study, posterior = files
    unsolvable(1)
    done = call("run", study, "--draws", 3, "--posterior", posterior, "--json")
    assert done.exit_code == 0, done.output
    data = json.loads(done.stdout)
    assert (data["draws"], data["left_out"]) == (2, [1])
    assert data["pacts"]["no_pact"]["outcomes"]["reliability"]["mean"] is None
    assert data["pacts"]["treaty"]["versus"]["no_pact"]["war"]["above"] in (0.0, 0.5, 1.0)
    assert "1 of 3 draws" in done.stderr


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--posterior", "some.nc"], "say how many"),
        (["--draws", 2, "--until", "war=0.1"], "does not go with --draws"),
    ],
)
def test_options_that_do_not_go_together(files, options, words):
    done = call("run", files[0], *options)
    assert done.exit_code == 2
    assert words in " ".join(done.stderr.split())


def test_a_missing_posterior_is_told(files, tmp_path):
    done = call("run", files[0], "--draws", 2, "--posterior", tmp_path / "none.nc")
    assert done.exit_code != 0
    assert "there is no such file" in " ".join(done.output.split())


def test_the_study_without_draws_is_a_result():
    assert isinstance(small().run(trajectories=10), Result)


def test_defaults_are_the_likeliest_draw_of_a_moderate_precision() -> None:
    """A default that was changed by hand, or a posterior without new defaults, would be noticed."""
    tree = shipped()
    likelihood, precision = (
        tree[group][name].values[0]
        for group, name in (("sample_stats", "log_likelihood"), ("posterior", "precision"))
    )
    assert int(np.argmax(np.where(precision <= MOST_PRECISION, likelihood, -np.inf))) == POINT
    for name, value in structural(drawn_points(POINT + 1)[POINT]).items():
        assert getattr(Parameters(), name) == pytest.approx(value, rel=6e-3), name
