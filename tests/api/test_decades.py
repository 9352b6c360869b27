"""Decades of a study: counts against exact values, the same bits however they are made, and what adds up."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr

from entangle import decades as engine
from entangle.study import Study
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


@pytest.fixture(scope="module", autouse=True)
def no_cache() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ENTANGLE_CACHE", "off")
        yield


@pytest.fixture(scope="module")
def study() -> Study:
    return small(
        parameters={"precision": 3.0, "types": 2, "rounds": 3}, peacetime={"years": 6, "context_error": 0.1}
    )


@pytest.fixture(scope="module")
def result(study: Study) -> xr.Dataset:
    return engine.decades(study, histories=HISTORIES, seed=SEED, workers=2)


def test_its_dimensions_are_named(result: xr.Dataset) -> None:
    assert result.yearly_probability.dims == ("pact", "year", "outcome")
    assert result.year.values.tolist() == [1, 2, 3, 4, 5, 6]
    assert result.year.attrs["units"] == "year"
    assert all(variable.attrs["long_name"] for variable in result.data_vars.values())


def test_one_worker_gives_the_same_bits(study: Study, result: xr.Dataset) -> None:
    again = engine.decades(study, histories=HISTORIES, seed=SEED, workers=1)
    xr.testing.assert_identical(again.drop_attrs(), result.drop_attrs())


def test_any_blocks_give_the_same_bits(
    study: Study, result: xr.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "BLOCK", 7001)
    again = engine.decades(study, histories=HISTORIES, seed=SEED, workers=2)
    xr.testing.assert_identical(again.drop_attrs(), result.drop_attrs())


def test_another_seed_gives_others(study: Study, result: xr.Dataset) -> None:
    other = engine.decades(study, histories=HISTORIES, seed=SEED + 1)
    assert (other.yearly_count != result.yearly_count).any()


def test_conditional_estimates_agree_with_counts(result: xr.Dataset) -> None:
    """Each count lies in the central 1 - 1e-9 of a binomial with the conditional estimate.

    The estimate has an error of its own, smaller than the count's, which the test leaves out: with its
    variance at most the binomial's, a false alarm is at 4.3 instead of 6.1 standard errors, 2e-5.
    """
    for count, chance in zip(
        result.yearly_count.values.ravel(), result.yearly_conditional.values.ravel(), strict=True
    ):
        assert is_compatible(int(count), HISTORIES, float(chance))
    # mutation twin: a fifth more of a common outcome would be seen
    crisis = result.sel(outcome="crisis")
    pairs = zip(crisis.yearly_count.values.ravel(), crisis.yearly_conditional.values.ravel(), strict=True)
    assert not any(is_compatible(int(count), HISTORIES, 1.2 * float(chance)) for count, chance in pairs)


def test_what_has_happened_stays_so(result: xr.Dataset) -> None:
    assert (result.ever_count.diff("year") >= 0).all()
    first = {"year": 0}
    assert (result.ever_count.isel(first) == result.yearly_count.isel(first)).all()
    assert (result.ever_count <= result.yearly_count.cumsum("year")).all()
    last = result.ever_count.isel(year=-1)
    for pact in result.pact.values:
        assert (result.ever_joint.sel(pact=pact, versus=pact) == last.sel(pact=pact)).all()
        for other in result.pact.values:
            assert (result.ever_joint.sel(pact=pact, versus=other) <= last.sel(pact=pact)).all()


def test_shares_of_pacts_add_up(result: xr.Dataset) -> None:
    np.testing.assert_allclose(result.pact_status.sum("status"), 1.0, atol=1e-12)
    np.testing.assert_allclose(result.pact_ended_by.sum("cause"), 1.0, atol=1e-12)
    assert (result.pact_status.sel(pact="no_pact", status="ended") == 1.0).all()
    assert (result.pact_ended_by.sel(pact="no_pact", cause="none") == 1.0).all()
    assert (result.pact_status.sel(pact="treaty", status="ended").diff("year") >= 0).all()


def test_quantiles_are_in_order(result: xr.Dataset) -> None:
    assert (result.level_quantile.diff("quantile") >= 0).all()
    moved = result.sel(pact="treaty", level="capability_challenger").isel(year=-1)
    middle = moved.level_quantile.sel(quantile=0.5).item()
    assert abs(middle - moved.level_mean.item()) < 3 * moved.level_sd.item()


def test_where_nothing_moves_a_year_is_the_crisis() -> None:
    """The conditional estimate is the number of disputes times the exact probability."""
    study = small(
        parameters={"precision": 3.0, "types": 2, "rounds": 3},
        peacetime={"years": 2, **STILL},
        pacts={"no_pact": {}, "treaty": {"commitment": "defence"}},
    )
    found = engine.decades(study, histories=20_000, seed=SEED)
    assert found.contexts.values.tolist() == [2, 2]
    exact = study.exact().data
    origins = exact.origin.values
    for pact in ("no_pact", "treaty"):
        for outcome in ("war", "defender_fights", "crisis", "obligation_active"):
            given = found.yearly_conditional.sel(pact=pact, outcome=outcome).values
            count = found.yearly_count.sel(pact=pact, outcome=outcome).values
            truth = float(exact.exact.sel(pact=pact, outcome=outcome))
            disputes = found.disputes.sel(pact=pact).values
            # which disputes arose is chance; how they end, given how many arose for whom, is not
            np.testing.assert_allclose(given, truth * disputes, rtol=0.05, atol=1e-12)
            for n, chance in zip(count, given, strict=True):
                assert is_compatible(int(n), 20_000, float(chance))
    assert len(origins) > 0
