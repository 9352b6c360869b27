"""Pacts compared dispute by dispute: joint counts, values and intervals, and what is refused."""

from __future__ import annotations

import json
import math
from itertools import product

import numpy as np
import pytest
import xarray as xr

from entangle import engine, questions, solving
from entangle.blocks import BLOCK
from entangle.comparison import Comparison
from entangle.errors import ResultError
from entangle.estimators import wilson
from entangle.outcomes import OUTCOMES, REACHED
from entangle.result import Result
from entangle_kernels import crisis, tally
from small_studies import small

SEED = 7
TRAJECTORIES = 3 * BLOCK + 777
PACTS = ("no_pact", "treaty", "with_vote")
COLUMNS = (
    "first", "second", "difference", "lower", "upper", "ratio", "ratio_lower", "ratio_upper",
    "variance_saved", "exact_difference", "exact_ratio",
)  # fmt: skip


@pytest.fixture(scope="module")
def study():
    return small()


@pytest.fixture(scope="module")
def result(study):
    return study.run(trajectories=TRAJECTORIES, seed=SEED)


@pytest.fixture(scope="module")
def ended(study):
    """Return in which cell every trajectory ended, pact by pact."""
    return {
        name: crisis.endings(pact.tables, seed=SEED, first=0, size=TRAJECTORIES).cells
        for name, pact in solving.prepare(study).items()
    }


def both(one: np.ndarray, other: np.ndarray) -> int:
    return int(np.count_nonzero(one & other))


# -- joint counts --------------------------------------------------------------------------------


def test_every_pair_is_counted_as_trajectory_by_trajectory(study, ended):
    tally_ = engine.simulate(engine.prepared(study)[1], seed=SEED, trajectories=TRAJECTORIES)
    found = questions.joint(tally_.shared[:3, :3], tally_.counts[:3])
    conditional = 0
    for (a, one), (b, other) in product(enumerate(ended.values()), repeat=2):
        for i, outcome in enumerate(OUTCOMES):
            event, condition = (mask.ravel() for mask in (outcome.event, outcome.condition))
            conditional += not condition.all()
            assert found.both[a, b, i] == both(event[one], event[other]), outcome.name
            assert found.event_trials[a, b, i] == both(event[one], condition[other]), outcome.name
            assert found.trials[a, b, i] == both(condition[one], condition[other]), outcome.name
        for i, rung in enumerate(REACHED):
            event = rung.event.ravel()
            assert found.rungs[a, b, i] == both(event[one], event[other]), rung.name
    assert conditional == 9 * 6, "six outcomes have a condition"


def test_any_number_of_worlds_has_its_joint_counts(ended):
    """Worlds in any order, one of them twice, and one alone."""
    cells = list(ended.values())
    for order in ([0], [1, 1], [2, 0, 1, 2]):
        chosen = np.stack([cells[i][:5000] for i in order])
        counts = np.stack([np.bincount(row, minlength=36_864) for row in chosen]).reshape(-1, *crisis.CELLS)
        found = questions.joint(tally.coincidences(chosen, questions.LEFT, questions.RIGHT), counts)
        for a, b in product(range(len(order)), repeat=2):
            for i, outcome in enumerate(OUTCOMES):
                event, condition = (mask.ravel() for mask in (outcome.event, outcome.condition))
                assert found.both[a, b, i] == both(event[chosen[a]], event[chosen[b]])
                assert found.event_trials[a, b, i] == both(event[chosen[a]], condition[chosen[b]])
                assert found.trials[a, b, i] == both(condition[chosen[a]], condition[chosen[b]])


def test_the_questions_fit_in_a_word():
    conditional = sum(not outcome.condition.all() for outcome in OUTCOMES)
    bits = len(OUTCOMES) + len(REACHED) + 3 * conditional
    assert bits <= tally.BITS
    for words in (questions.LEFT, questions.RIGHT, questions.HAPPENED):
        assert words.shape == (36_864,)
        assert int(words.max()) < 2**bits
    # each cell's bits, one by one
    masks = [outcome.event.ravel() for outcome in (*OUTCOMES, *REACHED)]
    for bit, mask in enumerate(masks):
        assert np.array_equal(questions.HAPPENED >> np.uint64(bit) & np.uint64(1), mask)


def test_a_result_keeps_the_joint_counts(result, ended):
    for one, other in product(PACTS, repeat=2):
        cell = result.data.sel(pact=one, versus=other)
        for outcome in OUTCOMES:
            event, condition = (mask.ravel() for mask in (outcome.event, outcome.condition))
            here, there = ended[one], ended[other]
            kept = cell.sel(outcome=outcome.name)
            assert kept.joint == both(event[here], event[there])
            assert kept.joint_event_trials == both(event[here], condition[there])
            assert kept.joint_trials == both(condition[here], condition[there])
        for rung in REACHED:
            event = rung.event.ravel()
            assert cell.rung_joint.sel(rung=rung.name) == both(event[ended[one]], event[ended[other]])


# -- values --------------------------------------------------------------------------------------


def by_hand(event: np.ndarray, condition: np.ndarray, one: np.ndarray, other: np.ndarray) -> dict[str, float]:
    """Return what a comparison says, from a column of trajectories for each world.

    The interval as in Zou and Donner (2008), with the correlation as it is over trajectories.
    """
    shares, ends, residuals = [], [], []
    for ended in (one, other):
        trials, count = np.count_nonzero(condition[ended]), np.count_nonzero(event[ended])
        shares.append(count / trials)
        ends.append([float(end) for end in wilson(count, trials)])
        residuals.append((event[ended] - shares[-1] * condition[ended]) / trials)
    p1, p2 = shares
    (l1, u1), (l2, u2) = ends
    cross, v1, v2 = (float(a @ b) for a, b in (residuals, residuals[:1] * 2, residuals[1:] * 2))
    rho = cross / math.sqrt(v1 * v2) if v1 * v2 > 0 else 0.0
    down = math.sqrt((p1 - l1) ** 2 + (u2 - p2) ** 2 - 2 * rho * (p1 - l1) * (u2 - p2))
    up = math.sqrt((u1 - p1) ** 2 + (p2 - l2) ** 2 - 2 * rho * (u1 - p1) * (p2 - l2))
    return {
        "first": p1,
        "second": p2,
        "difference": p1 - p2,
        "lower": p1 - p2 - down,
        "upper": p1 - p2 + up,
        "ratio": p1 / p2 if p2 > 0 else math.inf if p1 > 0 else math.nan,
        "variance_saved": 2 * cross / (v1 + v2) if v1 + v2 > 0 else math.nan,
    }


@pytest.mark.parametrize(
    ("first", "second"), [("treaty", "no_pact"), ("no_pact", "with_vote"), ("treaty", "with_vote")]
)
def test_values_are_those_of_the_trajectories(result, ended, first, second):
    data = result.compare(first, second).data
    untried = {"abandonment", "blocked", "reliability"} if "no_pact" in (first, second) else set()
    for outcome in OUTCOMES:
        event, condition = (mask.ravel() for mask in (outcome.event, outcome.condition))
        cell = data.sel(outcome=outcome.name)
        if outcome.name in untried:
            for name in ("difference", "ratio", "variance_saved"):
                assert math.isnan(cell[name].item())
            ends = [cell[name].item() for name in ("lower", "upper", "ratio_lower", "ratio_upper")]
            assert ends == [-1.0, 1.0, 0.0, math.inf]
            continue
        for name, value in by_hand(event, condition, ended[first], ended[second]).items():
            assert cell[name].item() == pytest.approx(value, rel=1e-9, abs=1e-15, nan_ok=True), (
                outcome,
                name,
            )
    for rung in REACHED[1:]:
        cell = data.sel(rung=rung.name)
        every = np.ones(rung.event.size, np.bool_)
        for name, value in by_hand(rung.event.ravel(), every, ended[first], ended[second]).items():
            found = cell[f"rung_{name}"].item()
            assert found == pytest.approx(value, rel=1e-9, abs=1e-15, nan_ok=True), (rung.name, name)


def test_exact_values_stand_beside_the_counted_ones(result, study):
    exact = study.exact()
    for first, second in product(PACTS, repeat=2):
        data = result.compare(first, second).data
        for dimension, prefix, ask in (("outcome", "", exact.probability), ("rung", "rung_", exact.rung)):
            for label in data[dimension].values:
                one, other = (np.float64(ask(pact, label).exact) for pact in (first, second))
                cell = data.sel({dimension: label})
                assert cell[f"{prefix}exact_difference"].item() == pytest.approx(
                    one - other, rel=0, abs=0, nan_ok=True
                )
                with np.errstate(invalid="ignore", divide="ignore"):
                    ratio = one / other
                assert cell[f"{prefix}exact_ratio"].item() == pytest.approx(ratio, rel=0, abs=0, nan_ok=True)


def test_a_column_for_every_outcome_and_rung(result):
    data = result.compare("treaty", "no_pact").data
    assert set(data.data_vars) == {*COLUMNS, *(f"rung_{name}" for name in COLUMNS)}
    for name in COLUMNS:
        assert data[name].dims == ("outcome",)
        assert data[f"rung_{name}"].dims == ("rung",)
        assert data[name].attrs["units"] == "1"
        assert data[name].attrs["long_name"]
    assert data.outcome.equals(result.data.outcome)
    assert data.rung.equals(result.data.rung)
    assert data.attrs == {
        "title": "Three pacts",
        "comparison": "treaty against no_pact",
        "first": "treaty",
        "second": "no_pact",
        "trajectories": TRAJECTORIES,
        "seed": "7",
        "confidence": 0.95,
        "fingerprint": result.study.fingerprint,
    }


def test_common_luck_saves_most_of_the_variance(result):
    saved = result.compare("with_vote", "no_pact").data.variance_saved
    assert saved.sel(outcome="war") > 0.8
    assert saved.max() <= 1


# -- the other way round, and against itself -----------------------------------------------------


@pytest.mark.parametrize(("first", "second"), [("treaty", "no_pact"), ("with_vote", "treaty")])
def test_the_other_way_round_is_the_mirror_image(result, first, second):
    there, back = result.compare(first, second).data, result.compare(second, first).data
    for prefix in ("", "rung_"):
        one, other = ({name: data[prefix + name].values for name in COLUMNS} for data in (there, back))
        assert np.array_equal(one["first"], other["second"], equal_nan=True)
        for name in ("difference", "exact_difference"):
            assert np.array_equal(one[name], -other[name], equal_nan=True)
        np.testing.assert_allclose(one["lower"], -other["upper"], rtol=1e-9, atol=1e-15)
        np.testing.assert_allclose(one["variance_saved"], other["variance_saved"], rtol=1e-9, atol=1e-15)
        with np.errstate(divide="ignore"):
            for name, inverse in (
                ("ratio", "ratio"), ("exact_ratio", "exact_ratio"),
                ("ratio_lower", "ratio_upper"), ("ratio_upper", "ratio_lower"),
            ):  # fmt: skip
                np.testing.assert_allclose(one[name], 1 / other[inverse], rtol=1e-9)


@pytest.mark.parametrize("pact", PACTS)
def test_a_pact_against_itself_differs_by_exactly_nothing(result, pact):
    """The interval keeps a width of some 1 / trajectories.

    That no dispute told two pacts apart is not proof that none ever would, and what the counts
    say does not depend on what the pacts are called.
    """
    data = result.compare(pact, pact).data
    for prefix in ("", "rung_"):
        cell = {name: data[prefix + name].values for name in COLUMNS}
        tried = ~np.isnan(cell["first"])
        assert (cell["difference"][tried] == 0).all()
        assert (cell["exact_difference"][tried] == 0).all()
        assert ((cell["lower"] <= 0) & (cell["upper"] >= 0)).all()
        trials = result.data[f"{prefix}trials"].sel(pact=pact).values
        assert (cell["upper"] - cell["lower"] <= 8 / np.maximum(trials, 4)).all()
        happened = tried & (cell["first"] > 0)
        assert (cell["ratio"][happened] == 1).all()
        assert np.isnan(cell["ratio"][~happened]).all()
        assert (cell["ratio_lower"][~happened] == 0).all()
        assert np.isinf(cell["ratio_upper"][~happened]).all()
        assert ((cell["ratio_lower"] <= 1) & (cell["ratio_upper"] >= 1)).all()
        random = happened & (cell["first"] < 1)
        np.testing.assert_allclose(cell["variance_saved"][random], 1, rtol=1e-9)
        assert np.isnan(cell["variance_saved"][~random]).all()
        assert random.sum() >= 5


def test_two_names_of_one_pact_are_one_pact():
    made = small(pacts={"a": {"commitment": "defence"}, "b": {"commitment": "defence"}}).run(
        trajectories=20_000, seed=SEED
    )
    one, other = made.compare("a", "b").data, made.compare("a", "a").data
    assert one.drop_attrs().equals(other.drop_attrs())
    assert (one.difference == 0).all()


# -- showing and keeping -------------------------------------------------------------------------


def test_a_file_compares_as_the_result_that_it_keeps(result, tmp_path):
    result.save(tmp_path / "saved.nc")
    loaded = Result.load(tmp_path / "saved.nc")
    for first, second in product(PACTS, repeat=2):
        one, other = (made.compare(first, second) for made in (result, loaded))
        xr.testing.assert_identical(one.data, other.data)
        assert one.summary() == other.summary()


@pytest.mark.parametrize("second", PACTS)
def test_the_summary_fits_a_terminal_and_names_everything(result, second):
    comparison = result.compare("treaty", second)
    text = comparison.summary()
    assert repr(comparison) == text
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    assert text.startswith(f"Three pacts\ntreaty against {second}: 197,385 simulated disputes")
    for outcome in OUTCOMES:
        assert f"\n {outcome.name} " in text
    assert "local_war" in text
    assert "general_nuclear_war" not in text, "it is out of reach under both"
    assert "nan" not in text


def test_the_summary_fits_whatever_the_names_and_the_numbers():
    name = "a_pact_with_a_name_of_forty_characters_x"
    pacts = {name: {"commitment": "automatic"}, "p" * 40: {}}
    made = small(pacts=pacts, title="[bold]Brackets[/bold] – 条約")
    for trajectories in (1, 50, 3000):
        text = made.run(trajectories=trajectories).compare(name, "p" * 40).summary()
        assert max(map(len, text.splitlines())) <= 80
        assert "…" not in text
        assert "[bold]Brackets[/bold]" in text


def test_plain_data_are_json(result):
    comparison = result.compare("treaty", "no_pact")
    found = comparison.to_dict()
    text = json.dumps(found, allow_nan=False)
    assert json.loads(text) == found
    assert (found["first"], found["second"], found["title"]) == ("treaty", "no_pact", "Three pacts")
    for dimension, prefix in (("outcome", ""), ("rung", "rung_")):
        assert list(found[f"{dimension}s"]) == list(comparison.data[dimension].values)
        for label, row in found[f"{dimension}s"].items():
            assert set(row) == set(COLUMNS)
            cell = comparison.data.sel({dimension: label})
            for column, value in row.items():
                expected = cell[prefix + column].item()
                assert value == (expected if math.isfinite(expected) else None)
    assert found["outcomes"]["abandonment"]["difference"] is None
    assert found["rungs"]["general_nuclear_war"]["ratio"] is None


# -- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(("first", "second"), [("treety", "no_pact"), ("no_pact", "treety")])
def test_an_unknown_pact_is_named_with_the_nearest_one(result, first, second):
    with pytest.raises(ResultError, match=r"There is no pact 'treety'\. Did you mean 'treaty'\?"):
        result.compare(first, second)
    with pytest.raises(ResultError, match="Known here: no_pact, treaty, with_vote"):
        result.compare("x", "treaty")


def test_exact_results_have_no_pairs(study):
    with pytest.raises(ResultError, match=r"Nothing was simulated.*use Study\.run\(\)"):
        study.exact().compare("treaty", "no_pact")


def test_results_without_attribution_have_no_pairs(study):
    made = study.run(trajectories=1000, attribution=False)
    with pytest.raises(ResultError, match=r"not compared when this result was made.*`attribution`"):
        made.compare("treaty", "no_pact")
    with pytest.raises(ResultError, match="There is no pact 'treety'"):
        made.compare("treety", "no_pact")


def test_a_comparison_is_made_of_its_data(result):
    data = result.compare("treaty", "no_pact").data
    assert Comparison(data).summary() == result.compare("treaty", "no_pact").summary()
