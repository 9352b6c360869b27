"""Decades of a study: counts against exact values, the same bits however they are made, and what adds up."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from entangle import decades as engine
from entangle.between import between
from entangle.contexts import solve_contexts
from entangle.decades_result import Decades
from entangle.errors import ResultError, StudyError
from entangle.estimators import clustered, wilson
from entangle.executors import writable
from entangle.expectations import EVENTS
from entangle.outlook import Outlook, outlook
from entangle.questions import GIVEN, HAPPENED, HELD
from entangle.result import Result
from entangle.study import Study
from entangle_kernels import census, decades, peace
from entangle_kernels.decades import LEVELS
from reference.decades_games import contexts_of, peace_of, word
from small_studies import small
from statistical.counts import is_compatible

SEED = 7
HISTORIES = 30_000
#: Nothing moves from year to year, and a steadfast defender is like any other.
STILL: dict[str, Any] = {
    "react": [0.0, 0.0, 0.0],
    "free_riding": 0.0,
    "shock": 0.0,
    "tilt": 0.0,
    "prize": 0.0,
    "grievance_step": 0.0,
    **{f"{actor}_losses": [0.0] * 8 for actor in ("challenger", "protege", "defender")},
}
QUICK: dict[str, Any] = {"precision": 3.0, "types": 2, "rounds": 6}


@pytest.fixture(scope="module", autouse=True)
def no_cache() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ENTANGLE_CACHE", "off")
        yield


@pytest.fixture(scope="module")
def study() -> Study:
    return small(parameters=QUICK, peacetime={"years": 6, "context_error": 0.1})


@pytest.fixture(scope="module")
def result(study: Study) -> Decades:
    return study.decades(histories=HISTORIES, seed=SEED, workers=2)


@pytest.fixture(scope="module")
def data(result: Decades) -> xr.Dataset:
    return result.data


def test_everything_is_labelled(data: xr.Dataset) -> None:
    assert data.yearly_probability.dims == ("pact", "year", "outcome")
    assert data.rung_ever_count.dims == ("pact", "year", "rung")
    assert data.year.values.tolist() == [1, 2, 3, 4, 5, 6]
    assert data.year.attrs["units"] == "year"
    assert data.cost.attrs["units"] == "1"  # CF knows no units of stakes
    assert "units of the stake" in data.cost.attrs["long_name"]
    assert all(variable.attrs["long_name"] and variable.attrs["units"] for variable in data.values())


# -- the same bits ---------------------------------------------------------------------------------


def assert_same(one: Decades, other: Decades) -> None:
    xr.testing.assert_identical(one.data.drop_attrs(), other.data.drop_attrs())
    assert one.data.attrs["sha256"] == other.data.attrs["sha256"]


@pytest.mark.parametrize("workers", [1, 3])
def test_any_number_of_workers_gives_the_same_bits(study: Study, result: Decades, workers: int) -> None:
    assert_same(study.decades(histories=HISTORIES, seed=SEED, workers=workers), result)


def test_threads_processes_and_a_cluster_give_the_same_bits(study: Study, result: Decades) -> None:
    from distributed import Client

    with ThreadPoolExecutor(2) as threads:
        assert_same(study.decades(histories=HISTORIES, seed=SEED, executor=threads), result)
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as processes:
        assert_same(study.decades(histories=HISTORIES, seed=SEED, executor=processes), result)
    with Client(processes=False, n_workers=1, threads_per_worker=2, dashboard_address=None) as client:
        assert_same(study.decades(histories=HISTORIES, seed=SEED, executor=client), result)


def test_other_blocks_give_the_same_counts(
    study: Study, result: Decades, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whole numbers to the last bit; sums of expectations run within a block, and round otherwise."""
    monkeypatch.setattr(engine, "BLOCK", 7001)
    again = study.decades(histories=HISTORIES, seed=SEED, workers=2)
    for name, variable in result.data.items():
        if variable.dtype.kind == "i":
            assert (again.data[name] == variable).all(), name
    digests = ["histories_digest", "first"]  # of what blocks add up to, down to the last bit
    xr.testing.assert_allclose(again.data.drop_vars(digests), result.data.drop_vars(digests), rtol=1e-6)


def test_the_order_in_which_blocks_arrive_moves_no_bit(study: Study) -> None:
    draw = np.random.default_rng(3)
    parts = [
        engine.Part.of((_random_census(draw),), np.zeros((1, 1, 64), np.int64), np.zeros((1, 7, 2), np.int64))
        for _ in range(30)
    ]
    sums = []
    for order in (range(30), draw.permutation(30), range(29, -1, -1)):
        total = engine.Total()
        for i in order:
            total.add(parts[i])
        sums.append(total.part().counts[0])
    for other in sums[1:]:
        for ours, theirs in zip(sums[0], other, strict=True):
            assert np.array_equal(ours, theirs)
    # plain sums of the same numbers do depend on the order, or this would show nothing
    plain = [sum(parts[i].counts[0].yearly for i in order) for order in (range(30), range(29, -1, -1))]
    assert (plain[0] != plain[1]).any()
    exact = math.fsum(part.counts[0].yearly[0, 0, 0] for part in parts)
    assert sums[0].yearly[0, 0, 0] == exact


def _random_census(draw: np.random.Generator) -> census.Census:
    questions = census.Questions(HAPPENED, HELD, GIVEN, np.zeros((2, 2, 1, 2, 30)), np.zeros((2, 1)))
    found = census.nothing(questions, events=27, size=0, years=2)
    wild = 10.0 ** draw.uniform(-300, 10, found.yearly.shape)
    return found._replace(yearly=wild)


def test_another_seed_gives_others(study: Study, data: xr.Dataset) -> None:
    other = study.decades(histories=HISTORIES, seed=SEED + 1).data
    assert (other.yearly_count != data.yearly_count).any()


def test_the_first_histories_of_a_longer_run_are_those_of_a_shorter(study: Study, result: Decades) -> None:
    some = [0, 17, 4095, 4096, 20_000]
    kept = study.decades(histories=25_000, seed=SEED, keep=some).kept
    assert kept is not None
    assert kept.trajectory.values.tolist() == some
    assert kept.pact.values.tolist() == list(study.pacts)
    again = result.histories(some, pact="treaty")
    for name in again:
        assert np.array_equal(again[name].values, kept[name].sel(pact="treaty").values), name


def test_what_came_read_only_is_copied_once() -> None:
    array = np.arange(3)
    frozen = array.copy()
    frozen.flags.writeable = False
    shared = census.Questions(array, frozen, array, (array, frozen), 1.0)  # type: ignore[arg-type]
    own = writable(shared)
    assert own.happened is array
    assert own.held.flags.writeable
    assert own.expected[1].flags.writeable
    assert writable(shared) is own
    assert writable(own) is own


# -- what is true of the numbers -------------------------------------------------------------------


def test_expectations_agree_with_counts(data: xr.Dataset) -> None:
    """Each count lies in the central 1 - 1e-9 of a binomial with the conditional estimate.

    By year the estimate has an error of its own, smaller than the count's, which the test leaves out: with
    its variance at most the binomial's, a false alarm is at 4.3 instead of 6.1 standard errors, 2e-5. Of
    first passages only those are compared whose estimate is the better one.
    """
    for prefix, least in (("yearly_", -1.0), ("rung_yearly_", -1.0), ("ever_", 0.5), ("rung_ever_", 0.5)):
        count, chance, saved = (
            data[prefix + name].values.ravel() for name in ("count", "expected", "variance_saved")
        )
        compared = 0
        for k, p, s in zip(count, chance, saved, strict=True):
            if np.isnan(s) or s >= least:
                assert is_compatible(int(k), HISTORIES, float(p)), prefix
                compared += 1
        assert compared > 50
    # mutation twin: a fifth more of a common outcome would be seen
    crisis = data.sel(outcome="crisis")
    pairs = zip(crisis.yearly_count.values.ravel(), crisis.yearly_expected.values.ravel(), strict=True)
    assert not any(is_compatible(int(k), HISTORIES, 1.2 * float(p)) for k, p in pairs)


def test_a_rare_outcome_is_known_as_well_as_a_common_one(data: xr.Dataset) -> None:
    """Every relative error is below that with which counting knows the commonest outcome."""
    none = data.sel(pact="no_pact")
    rare, common = none.sel(outcome="nuclear_use"), none.sel(outcome="crisis")
    assert (rare.yearly_expected > 0).all()
    assert (rare.yearly_expected < 1e-5).all()
    share = common.yearly_probability
    counting = np.sqrt((1 - share) / (share * HISTORIES))
    assert (rare.yearly_expected_error / rare.yearly_expected < counting).all()
    assert (rare.yearly_variance_saved > 0.999).all()


def test_what_has_happened_stays_so(data: xr.Dataset) -> None:
    assert (data.ever_count.diff("year") >= 0).all()
    first = {"year": 0}
    assert (data.ever_count.isel(first) == data.yearly_count.isel(first)).all()
    assert (data.ever_count <= data.yearly_count.cumsum("year")).all()
    last = data.ever_count.isel(year=-1)
    for pact in data.pact.values:
        assert (data.ever_joint.sel(pact=pact, versus=pact) == last.sel(pact=pact)).all()
        for other in data.pact.values:
            assert (data.ever_joint.sel(pact=pact, versus=other) <= last.sel(pact=pact)).all()


def test_shares_of_pacts_add_up(data: xr.Dataset) -> None:
    assert (data.status_count.sum("status") == HISTORIES).all()
    assert (data.ended_by_count.sum("cause") == HISTORIES).all()
    assert (data.status_probability.sel(pact="no_pact", status="ended") == 1.0).all()
    assert (data.ended_by_probability.sel(pact="no_pact", cause="none") == 1.0).all()
    assert (data.status_count.sel(pact="treaty", status="ended").diff("year") >= 0).all()


def test_quantiles_are_in_order(data: xr.Dataset) -> None:
    assert (data.level_quantile.diff("quantile") >= 0).all()
    moved = data.sel(pact="treaty", level="capability_challenger").isel(year=-1)
    middle = moved.level_quantile.sel(quantile=0.5).item()
    assert abs(middle - moved.level_mean.item()) < 3 * moved.level_sd.item()


def test_against_itself_no_pact_changes_nothing(data: xr.Dataset) -> None:
    none = data.sel(pact="no_pact")
    for name in (
        "yearly_caused_count",
        "ever_averted_count",
        "horizon_caused_count",
        "horizon_averted_count",
    ):
        assert (none[name] == 0).all(), name
    assert (none.horizon_net == 0).all()
    assert np.allclose(none.level_gain, 0.0, atol=1e-6)
    assert (none.burden == 0).all()
    assert np.isnan(none.promise_strength).all()


def test_caused_less_averted_is_the_difference(study: Study, data: xr.Dataset) -> None:
    last = data.ever_count.isel(year=-1)
    change = last.sel(pact="treaty") - last.sel(pact="no_pact")
    net = data.horizon_caused_count - data.horizon_averted_count
    assert (net.sel(pact="treaty") == change).all()
    # a study without an empty pact is compared with none all the same
    alone = study.replace(pacts={"treaty": study.pacts["treaty"]})
    found = alone.decades(histories=HISTORIES, seed=SEED).data
    xr.testing.assert_equal(
        found.horizon_net.sel(pact="treaty", drop=True), data.horizon_net.sel(pact="treaty", drop=True)
    )


def test_entanglement_is_part_of_involvement(data: xr.Dataset) -> None:
    treaty = data.sel(pact="treaty", outcome="defender_fights")
    for counterfactual in data.counterfactual.values:
        caused = treaty.yearly_caused_count.sel(counterfactual=counterfactual)
        assert (caused <= treaty.yearly_count).all()
        assert (treaty.ever_caused_count.sel(counterfactual=counterfactual) <= treaty.ever_count).all()
    assert treaty.yearly_caused_count.sel(counterfactual="obligation").sum() > 100


def test_the_first_year_is_attributed_as_the_crisis_is() -> None:
    """Crisis by crisis, what the promise caused in year 1 is what a study of single disputes finds."""
    study = small(
        parameters=QUICK,
        peacetime={"years": 1, **STILL},
        pacts={"treaty": {"commitment": "defence"}},
    )
    setting = study.scenario.replace(challenger_rate=20.0, protege_rate=10.0)  # a dispute, as good as surely
    study = study.replace(scenario=setting)
    found = study.decades(histories=20_000, seed=SEED).data.sel(pact="treaty").isel(year=0)
    crisis = study.run(trajectories=20_000, seed=SEED).data.sel(pact="treaty")
    for side in ("caused", "averted"):
        ours = found[f"yearly_{side}_count"]
        theirs = crisis[f"{side}_count"].sel(counterfactual=list(ours.counterfactual.values))
        assert (ours == theirs.transpose(*ours.dims)).all()
    assert (found.yearly_count == crisis["count"]).all()
    assert (found.given_trials == crisis.trials).all()


def test_where_nothing_moves_a_year_is_the_crisis() -> None:
    """The conditional estimate is the chance of a dispute times the exact probability, without any noise."""
    study = small(
        parameters=QUICK,
        peacetime={"years": 2, **STILL},
        pacts={"no_pact": {}, "treaty": {"commitment": "defence"}},
    )
    found = study.decades(histories=1000, seed=SEED).data
    assert found.contexts.values.tolist() == [2, 2]
    exact = study.exact().data
    rate = study.scenario.challenger_rate + study.scenario.protege_rate
    for pact in ("no_pact", "treaty"):
        for outcome in ("war", "defender_fights", "crisis", "obligation_active", "nuclear_use"):
            truth = float(exact.exact.sel(pact=pact, outcome=outcome)) * -math.expm1(-rate)
            first = found.sel(pact=pact, outcome=outcome).isel(year=0)
            assert float(first.yearly_expected) == pytest.approx(truth, rel=1e-8, abs=1e-300)
            assert float(first.yearly_expected_error) == pytest.approx(0.0, abs=1e-8)


def test_peace_and_crisis_have_their_known_answer() -> None:
    """A dispute in a tenth of all years, and each a crisis with one chance in 3 587."""
    hazard, chance, years, truth = 0.1, 2.787800416548341e-4, 50, 1.392948583477453e-3
    assert -math.expm1(years * math.log1p(-hazard * chance)) == pytest.approx(truth, rel=1e-12)
    contexts = contexts_of((1, 1, 1), types=2)
    rare = np.uint32(2**32 - 1 - round(chance * 2**32))
    contexts = contexts._replace(enter=np.full_like(contexts.enter, rare))
    quiet = {"react": np.zeros(3), "growth": np.zeros(3), "shock": 0.0, "free_riding": 0.0}
    still = peace_of(**quiet, arises=np.full((5, 5), word(hazard), np.uint64), pact=False)
    crisis = 15  # the bit of its outcome
    expected = np.zeros((2, 2, 1, 2, 27))
    expected[..., crisis] = round(chance * 2**32) / 2**32
    questions = census.Questions(HAPPENED, HELD, GIVEN, expected, np.zeros((2, 1)))
    histories = 200_000
    found = census.nothing(questions, events=27, size=histories, years=years)
    for start in range(0, histories, decades.BATCH):
        size = min(decades.BATCH, histories - start)
        kept = decades.record(contexts, still, seed=SEED, first=start, size=size, years=years)
        census.count(found, questions, still, kept, start=start)
    assert is_compatible(int(found.firsts[:, crisis].sum()), histories, truth)
    estimate = found.passage[0, :, crisis].sum() / histories
    variance = found.passage[1, :, crisis].sum() / histories - estimate**2
    error = math.sqrt(variance / histories)
    assert error < 1e-4 * truth  # counting knows it to 6 % only
    assert abs(estimate - truth) < 6.1 * error + 1e-6 * truth
    # mutation twin: one year more would be seen
    assert abs(estimate + hazard * chance - truth) > 6.1 * error + 1e-6 * truth


# -- reputation and selection ----------------------------------------------------------------------


def reputation(**changes: Any) -> Study:
    """Return a study in which a steadfast defender nearly always helps, and a wavering one seldom."""
    far = {"capability": 3.0, "regime": 0.8, "nuclear": True, "resolve": {"median": 1.0, "log_sd": 2.0}}
    actors = {"east": {"capability": 1.0}, "west": {"capability": 0.5}, "far": far}
    peacetime = {**STILL, "years": 8, "tilt": 1.0, "belief": 0.4} | changes
    terms = {"commitment": "defence", "consultation": 0.6}
    return small(actors=actors, parameters=QUICK, peacetime=peacetime, pacts={"treaty": terms})


def played(study: Study, *, size: int) -> tuple[Outlook, decades.Record]:
    found = outlook(solve_contexts(study, "treaty"), rivals=False)
    moved = between(study, "treaty")
    kept = decades.record(found.contexts, moved, seed=SEED, first=0, size=size, years=study.peacetime.years)
    return found, kept


def test_belief_in_a_steadfast_defender_rises_as_bayes_rule_says() -> None:
    """The mean path against a chain of its own: odds, the grid's point that is picked, help or failure."""
    study = reputation(context_error=0.5, years=6)
    found, kept = played(study, size=40_000)
    contexts, scenario = found.contexts, study.scenario
    points = int(contexts.points[2])
    assert contexts.points.tolist() == [1, 1, points]
    rate = scenario.challenger_rate + scenario.protege_rate
    shares = np.array([scenario.challenger_rate, scenario.protege_rate]) / rate
    chances = [
        -math.expm1(-rate) * (found.expected[1, 1, :, :, EVENTS.index(name)] @ shares)
        for name in ("reliability", "abandonment")
    ]
    law = {round(math.log(0.4 / 0.6), 12): 1.0}
    steadfast = kept.steadfast == 1
    paths = []
    for year in range(study.peacetime.years):
        belief = {odds: 1.0 / (1.0 + math.exp(-odds)) for odds in law}
        mean = sum(weight * belief[odds] for odds, weight in law.items())
        square = sum(weight * belief[odds] ** 2 for odds, weight in law.items())
        beliefs = 1.0 / (1.0 + np.exp(-kept.levels[steadfast, year, LEVELS - 1]))
        error = math.sqrt(max(square - mean**2, 0.0) / steadfast.sum())
        assert abs(beliefs.mean() - mean) <= 6.1 * error + 1e-9
        paths.append(mean)
        after: dict[float, float] = {}
        for odds, weight in law.items():
            x = min(max((odds - contexts.lowest[2]) * contexts.inverse[2], 0.0), points - 1.0)
            for point in range(points):
                here = weight * max(1.0 - abs(x - point), 0.0)
                helped, failed = (here * float(chance[point]) for chance in chances)
                for share, heard in (
                    (helped, contexts.news[points + point, 0]),
                    (failed, contexts.news[points + point, 1]),
                    (here - helped - failed, 0.0),
                ):
                    key = round(odds + float(heard), 12)
                    after[key] = after.get(key, 0.0) + share
        law = after
    assert paths == sorted(paths)
    assert paths[-1] > paths[0] + 0.02
    # by Bayes' rule the belief of all together stays where it was
    last = 1.0 / (1.0 + np.exp(-kept.levels[:, -1, LEVELS - 1]))
    assert abs(last.mean() - 0.4) < 6.1 * last.std() / math.sqrt(last.size)


def test_a_defender_that_always_helps_is_believed_ever_more() -> None:
    study = reputation()
    _, kept = played(study, size=20_000)
    ends = kept.events[:, :, 2]
    reliable, failed = (EVENTS.index(name) for name in ("reliability", "abandonment"))
    bits = np.where(ends >= 0, HAPPENED[np.maximum(ends, 0)], np.uint64(0))
    helped = (bits >> np.uint64(reliable)) & np.uint64(1) == 1
    broke = (bits >> np.uint64(failed)) & np.uint64(1) == 1
    always = helped.any(axis=1) & ~broke.any(axis=1)
    assert always.sum() > 100
    odds = kept.levels[always, :, LEVELS - 1]
    assert (np.diff(odds, axis=1) >= 0).all()
    assert (np.diff(odds, axis=1)[helped[always, :-1]] > 0).all()


def test_only_tested_pacts_count_and_they_are_the_weaker_ones() -> None:
    """Challengers test whom they doubt: reliability as it is seen is below the strength of the promise."""
    study = reputation(belief=0.5, years=12, context_error=0.05)
    scenario = study.scenario.replace(challenger_rate=1.0, protege_rate=0.01)
    found = study.replace(scenario=scenario).decades(histories=60_000, seed=SEED).data.sel(pact="treaty")
    late = found.isel(year=slice(6, None))
    reliability = late.sel(outcome="reliability")
    seen = int(reliability.given_count.sum()) / int(reliability.given_trials.sum())
    strength = float(late.promise_strength.mean())
    trials = int(reliability.given_trials.sum())
    assert trials > 1000
    assert seen + 6.1 * math.sqrt(seen * (1 - seen) / trials) < strength
    # in the first year nobody has learned anything, and there is less to select by
    first = found.isel(year=0).sel(outcome="reliability")
    assert strength - seen > float(found.promise_strength.isel(year=0) - first.given_probability)


# -- the estimators --------------------------------------------------------------------------------


def test_clusters_of_one_trial_are_plain_trials() -> None:
    share, interval = clustered(30, 100, 30, 30, 100)
    assert share == 0.3
    assert [*map(float, interval)] == pytest.approx([*map(float, wilson(30, 100))])


def test_clustered_intervals_cover_what_they_say() -> None:
    """Beta-binomial clusters: 2 000 intervals at 95 %; plain ones would cover about 83 %."""
    draw = np.random.default_rng(5)
    covered = plain = 0
    for _ in range(2000):
        trials = draw.integers(0, 8, 150)
        n = draw.binomial(trials, draw.beta(1.0, 3.0, 150))
        sums = (n.sum(), trials.sum(), (n * n).sum(), (n * trials).sum(), (trials * trials).sum())
        _, (lower, upper) = clustered(*sums)
        covered += bool(lower <= 0.25 <= upper)
        lower, upper = wilson(sums[0], sums[1])
        plain += bool(lower <= 0.25 <= upper)
    # six standard errors of a share of 2 000
    assert abs(covered / 2000 - 0.95) < 6 * math.sqrt(0.95 * 0.05 / 2000)
    assert plain / 2000 < 0.90


# -- files, labels, errors -------------------------------------------------------------------------


def test_a_saved_result_comes_back_whole(result: Decades, tmp_path: Path) -> None:
    path = tmp_path / "decades.nc"
    result.save(path)
    again = Decades.load(path)
    assert_same(again, result)
    assert again.risk("treaty", "war") == result.risk("treaty", "war")
    with pytest.raises(ResultError, match=r"Use entangle\.Decades\.load"):
        Result.load(path)


def test_a_result_of_disputes_is_not_one_of_histories(study: Study, tmp_path: Path) -> None:
    path = tmp_path / "crisis.nc"
    study.exact().save(path)
    with pytest.raises(ResultError, match=r"Use entangle\.Result\.load"):
        Decades.load(path)


def test_risks_are_those_of_the_data(result: Decades, data: xr.Dataset) -> None:
    risk = result.risk("treaty", "war", year=3)
    cell = data.sel(pact="treaty", outcome="war", year=3)
    assert (risk.count, risk.probability) == (int(cell.ever_count), float(cell.ever_probability))
    assert risk.expected_lower < risk.expected < risk.expected_upper
    assert result.risk("treaty", "major_war").year == 6
    tangled = result.risk("treaty", "entanglement")
    assert 0 < tangled.count <= result.risk("treaty", "defender_fights").count
    assert math.isnan(tangled.expected)
    for wrong in ({"pact": "traety"}, {"outcome": "warr"}, {"year": 7}, {"year": 0}):
        with pytest.raises(ResultError):
            result.risk(**{"pact": "treaty", "outcome": "war"} | wrong)  # type: ignore[arg-type]


def test_pacts_are_compared_on_the_same_luck(result: Decades, data: xr.Dataset) -> None:
    found = result.compare("treaty", "no_pact")
    assert np.allclose(found.difference, data.horizon_net.sel(pact="treaty"))
    assert np.allclose(found.lower, data.horizon_net_lower.sel(pact="treaty"))
    assert float(found.variance_saved.sel(outcome="crisis")) > 0.5


@pytest.mark.parametrize(
    ("given", "field"),
    [({"histories": 0}, "histories"), ({"seed": -1}, "seed"), ({"histories": 10, "keep": [10]}, "keep")],
)
def test_bad_arguments_are_refused_before_any_work(study: Study, given: dict[str, Any], field: str) -> None:
    with pytest.raises(StudyError, match=field):
        study.decades(**given)


def test_memory_does_not_grow_with_the_number_of_histories() -> None:
    """The highest memory of a process that plays sixteen times as many histories is the same."""
    program = (
        "import sys, json, resource; from small_studies import small;"
        "study = small(parameters=dict(precision=3.0, types=2, rounds=3), pacts={'treaty': dict("
        "commitment='defence')}, peacetime=dict(years=4, context_error=0.5));"
        "study.decades(histories=20_000, workers=2);"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss;"
        "study.decades(histories=int(sys.argv[1]), workers=2);"
        "print(json.dumps([before, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss]))"
    )
    root = Path(__file__).resolve().parents[2]
    folders = [str(root), str(root / "kernels"), str(root / "tests")]
    program = f"import sys; sys.path[:0] = {folders!r};" + program
    grown = {}
    for histories in (40_000, 640_000):
        done = subprocess.run(
            [sys.executable, "-c", program, str(histories)], capture_output=True, text=True, check=True
        )
        before, after = json.loads(done.stdout)
        grown[histories] = (after - before) / 1024  # to MiB
    assert grown[640_000] < grown[40_000] + 24


def test_status_words_are_in_the_order_of_the_kernel() -> None:
    from entangle.vocabulary import CAUSES, STATUS

    names = ("ended", "in_force", "suspended")
    assert names == STATUS
    assert tuple(STATUS.index(name) for name in names) == (peace.ENDED, peace.IN_FORCE, peace.SUSPENDED)
    assert [CAUSES.index(name) for name in ("breach", "lapse", "review")] == [
        peace.BREACH,
        peace.LAPSE,
        peace.REVIEW,
    ]
    assert len(CAUSES) == peace.CAUSES
