"""Two results compared: the p-values against sums over all outcomes, what is told apart and what is not."""

from __future__ import annotations

import json
from math import comb

import numpy as np
import pytest
from click.testing import CliRunner
from scipy import stats

from entangle import blocks, engine, homogeneity, tabulate
from entangle.cli import cli
from entangle.difference import ERROR, diff
from entangle.errors import ResultError
from small_studies import small

TRAJECTORIES = 200_000


@pytest.fixture(scope="module")
def study():
    return small()


@pytest.fixture(scope="module")
def seven(study):
    return study.run(trajectories=TRAJECTORIES, seed=7)


# -- p-values ----------------------------------------------------------------------------------------


def twice_the_smaller_tail(x: int, n: int, y: int, m: int) -> float:
    """Return the p-value by whole numbers: x of x + y successes among n + m trials fell on the first n."""
    together, total = x + y, comb(n + m, x + y)
    law = [comb(n, i) * comb(m, together - i) if i <= together else 0 for i in range(n + 1)]
    return min(1.0, 2 * min(sum(law[: x + 1]), sum(law[x:])) / total)


def test_shares_of_separate_trials_against_all_outcomes_by_whole_numbers():
    for n, m in ((1, 1), (3, 5), (12, 7), (30, 30)):
        for x in range(n + 1):
            for y in range(m + 1):
                found = homogeneity.independent(x, n, y, m).item()
                assert found == pytest.approx(twice_the_smaller_tail(x, n, y, m), rel=1e-9), (x, n, y, m)


@pytest.mark.parametrize(
    ("x", "n", "y", "m"),
    [
        (500, 10_000, 600, 10_000),
        (3, 10**6, 30, 10**6),
        (499_000, 10**6, 501_000, 10**6),
        (0, 10**9, 25, 10**9),
    ],
)
def test_shares_of_many_trials_against_scipy(x, n, y, m):
    law = stats.hypergeom(n + m, x + y, n)
    expected = min(1.0, 2 * min(law.cdf(x), law.sf(x - 1)))
    assert homogeneity.independent(x, n, y, m).item() == pytest.approx(expected, rel=1e-5)


def test_the_normal_tail_takes_over_without_a_step():
    """At five standard deviations, on either side of where it does."""
    n = 10**7
    x = 5_000_000 + int(5 * np.sqrt(n / 2) / 2)
    exact = 2 * stats.hypergeom(2 * n, n, n).sf(x - 1)
    assert homogeneity.independent(x, n, n - x, n).item() == pytest.approx(exact, rel=0.03)


@pytest.mark.parametrize("way", [homogeneity.independent, homogeneity.dependent])
@pytest.mark.parametrize("p", [0.02, 0.3, 0.5])
def test_no_level_is_exceeded(way, p):
    """The chance of every p-value, summed over all outcomes of 25 and 40 trials of the same probability."""
    n, m = 25, 40
    x, y = (part.ravel() for part in np.meshgrid(np.arange(n + 1), np.arange(m + 1)))
    chance = stats.binom.pmf(x, n, p) * stats.binom.pmf(y, m, p)
    found = way(x, n, y, m)
    for level in (0.001, 0.01, 0.05, 0.2, 0.5):
        assert chance[found <= level].sum() <= level * (1 + 1e-9)


def test_dependence_of_any_kind_keeps_the_level():
    """Counts that go against each other: as many of one as there are not of the other."""
    n = 60
    x = np.arange(n + 1)
    chance = stats.binom.pmf(x, n, 0.5)
    found = homogeneity.dependent(x, n, n - x, n)
    wrong = homogeneity.independent(x, n, n - x, n)
    assert chance[found <= 0.05].sum() <= 0.05
    assert chance[wrong <= 0.05].sum() > 0.1, "the test that takes them as independent would not keep it"


def test_a_known_probability_against_scipy():
    x, n, p = np.array([0, 3, 10, 500]), np.array([10, 10, 10, 1000]), np.array([0.1, 0.3, 0.5, 0.45])
    expected = np.minimum(1, 2 * np.minimum(stats.binom.cdf(x, n, p), stats.binom.sf(x - 1, n, p)))
    assert homogeneity.known(x, n, p) == pytest.approx(expected, rel=1e-9)


# -- results -----------------------------------------------------------------------------------------


def test_equal_runs_are_the_same_bits(study, seven):
    found = diff(seven, study.run(trajectories=TRAJECTORIES, seed=7, workers=1))
    assert (found.verdict, found.plan, found.agree) == ("same bits", (), True)


def test_other_seeds_agree(study, seven):
    """At 1e-9 over all comparisons: a false alarm would be a fault. Everything that is compared is listed."""
    found = diff(seven, study.run(trajectories=TRAJECTORIES, seed=8), error_probability=1e-9)
    assert found.verdict == "agree"
    assert found.way == "trials of their own"
    assert found.comparisons > 200
    assert {change.path for change in found.plan} == {"seed", "simulation.seed"}


def test_the_longer_run_begins_with_the_shorter(study, seven):
    long = study.run(trajectories=2 * TRAJECTORIES, seed=7)
    found = diff(seven, long, error_probability=1e-9)
    assert (found.verdict, found.way) == ("agree", "the same trajectories")


def mutant(study, *, share: float, seed: int):
    """Return a result whose simulator opens crises under one pact with so many more chances in all."""
    settings = study.simulation.replace(trajectories=TRAJECTORIES, seed=seed)
    study = study.replace(simulation=settings)
    prepared, plan, known = engine.prepared(study)
    index = list(prepared).index("treaty")
    enter = plan.worlds[index].enter.copy()
    enter[0] -= np.uint32(int(share * 2**32))
    worlds = list(plan.worlds)
    worlds[index] = worlds[index]._replace(enter=enter)
    plan = plan._replace(worlds=tuple(worlds))
    tally = engine.simulate(plan, seed=seed, trajectories=TRAJECTORIES)
    return tabulate.tabulate(study, prepared, known, tally=tally)


def test_a_simulator_that_is_two_points_off_is_told_by_its_counts_alone(study, seven):
    """Mutation: exact probabilities are right, one threshold of the simulator is not."""
    found = diff(seven, mutant(study, share=0.02, seed=8), error_probability=1e-9)
    assert found.verdict == "differ"
    assert all(one.p_value is not None for one in found.apart)
    assert "count: treaty, challenge" in {f"{one.variable}: {one.where}" for one in found.apart}
    assert not any(one.where.startswith("no_pact") for one in found.apart)


def test_the_same_seed_with_other_counts_is_told_however_few_differ(study, seven):
    found = diff(seven, mutant(study, share=1e-4, seed=7))
    assert found.verdict == "differ"
    assert "seed and model are the same, so that counts must be the same" in found.reason.lower()


def test_a_beginning_that_is_another_is_told_by_digests(study, monkeypatch):
    for module in (blocks, engine, tabulate):
        monkeypatch.setattr(module, "STRETCH", blocks.BLOCK)
    one = study.run(trajectories=3 * 65_536, seed=7)
    other = study.run(trajectories=4 * 65_536, seed=7)
    assert diff(one, other).verdict == "agree"
    digests = other.data.cells_digest.values.copy()
    digests[[0, 1]] = digests[[1, 0]]  # they add up as before
    other.data["cells_digest"] = other.data.cells_digest.dims, digests, other.data.cells_digest.attrs
    found = diff(one, other)
    assert found.verdict == "differ"
    assert "2 of the 3 stretches" in found.reason


def test_another_model_differs_exactly_and_its_plan_says_where(study, seven):
    pact = study.pacts["treaty"].replace(legislature=True)
    parameters = study.parameters.replace(precision=3.2)
    changed = study.replace(pacts={**study.pacts, "treaty": pact}, parameters=parameters)
    found = diff(seven, changed.run(trajectories=TRAJECTORIES, seed=7))
    assert (found.verdict, found.way) == ("differ", "the same random words")
    assert any(one.p_value is None for one in found.apart)
    plan = {change.path: (change.first, change.second) for change in found.plan}
    assert plan["pacts.treaty.legislature"] == (None, True)
    assert plan["parameters.precision"] == (3.0, 3.2)


def test_counts_against_exact_probabilities(study, seven):
    found = diff(seven, study.exact(), error_probability=1e-9)
    assert (found.verdict, found.way) == ("agree", "trials of a known probability")
    wrong = diff(study.exact(), mutant(study, share=0.02, seed=8), error_probability=1e-9)
    assert wrong.verdict == "differ"


def test_draws_are_compared_draw_by_draw(study):
    one = study.run(draws=2, trajectories=2000, seed=1)
    assert diff(one, study.run(draws=3, trajectories=2000, seed=1)).verdict == "agree"
    found = diff(one, study.run(draws=2, trajectories=2000, seed=2), error_probability=1e-9)
    assert (found.verdict, found.way) == ("agree", "trials of their own")
    other = study.run(draws=2, trajectories=2000, seed=1)
    for name in [name for name in other.data.data_vars if str(name).startswith("drawn_")]:
        other.data[name] = other.data[name] + 1
    with pytest.raises(ResultError, match="no draw in common"):
        diff(one, other)


def test_what_cannot_be_compared(study, seven):
    with pytest.raises(ResultError, match="A result of disputes cannot be compared with one of draws"):
        diff(seven, study.run(draws=2, trajectories=100))
    with pytest.raises(ResultError, match="no pact in common"):
        diff(seven, small(pacts={"other": {}}).exact())
    with pytest.raises(ValueError, match="between 0 and 1"):
        diff(seven, seven, error_probability=1.0)


def test_pacts_that_one_lacks_are_named(study, seven):
    found = diff(seven, study.replace(pacts={"no_pact": {}, "new": {}}).run(trajectories=1000, seed=9))
    assert any("treaty, with_vote, new" in note for note in found.notes)


# -- the command -------------------------------------------------------------------------------------


def test_the_command_and_its_exit_codes(study, seven, tmp_path):
    files = {name: str(tmp_path / f"{name}.nc") for name in ("seven", "eight", "other", "draws")}
    seven.save(files["seven"])
    study.run(trajectories=TRAJECTORIES, seed=8).save(files["eight"])
    study.replace(parameters=study.parameters.replace(precision=3.2)).exact().save(files["other"])
    study.run(draws=2, trajectories=100).save(files["draws"])
    run = CliRunner().invoke
    same = run(cli, ["diff", files["seven"], files["seven"]])
    assert (same.exit_code, same.stdout.splitlines()[0]) == (0, "same bits")
    agree = run(cli, ["diff", files["seven"], files["eight"], "--json"])
    told = json.loads(agree.stdout)
    assert (agree.exit_code, told["verdict"], told["error_probability"]) == (0, "agree", ERROR)
    assert {"path": "seed", "first": "7", "second": "8"} in told["plan"]
    differ = run(cli, ["diff", files["seven"], files["other"]])
    assert differ.exit_code == 1
    assert "parameters.precision" in differ.stdout
    assert max(map(len, differ.stdout.splitlines())) <= 80
    cannot = run(cli, ["diff", files["seven"], files["draws"]])
    assert cannot.exit_code == 2
    assert "cannot be compared" in cannot.stderr
    assert run(cli, ["diff", files["seven"], str(tmp_path / "none.nc")]).exit_code == 2
