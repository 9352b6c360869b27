"""Sixteen worlds of decades: their ends are the pact and none, shares add up, and intervals cover."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from click.testing import CliRunner

from entangle import decade_channels as engine
from entangle.between import between
from entangle.cli import cli
from entangle.contexts import solve_contexts
from entangle.errors import StudyError
from entangle.outlook import outlook
from entangle.questions import HAPPENED
from entangle.study import Study
from entangle_kernels import decades, worlds
from reference.decades import ever
from small_studies import small

SEED = 7
HISTORIES = 20_000


@pytest.fixture(scope="module", autouse=True)
def no_cache() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ENTANGLE_CACHE", "off")
        yield


@pytest.fixture(scope="module")
def study() -> Study:
    treaty = {"commitment": "defence", "coverage": 0.75, "integration": 0.5, "intelligence": 0.4}
    return small(
        parameters={"precision": 3.0, "types": 2, "rounds": 5},
        peacetime={"years": 5, "context_error": 0.1},
        pacts={"no_pact": {}, "treaty": treaty | {"notice_months": 12.0}},
    )


@pytest.fixture(scope="module")
def data(study: Study) -> xr.Dataset:
    return study.decade_channels(histories=HISTORIES, seed=SEED)


def test_the_full_world_is_the_pact(study: Study, data: xr.Dataset) -> None:
    result = study.decades(histories=HISTORIES, seed=SEED).data.isel(year=-1)
    full = data["count"].sel(world=worlds.FULL)
    assert (full == result.ever_count.transpose(*full.dims)).all()


def test_the_empty_world_is_no_pact_history_by_history(study: Study) -> None:
    """On the pact's own grid: levels, places and endings, whatever the pact's status is."""
    solved = solve_contexts(study, "treaty")
    plan = engine._plan(study, "treaty", None, None)
    contexts, unarmed = plan.worlds[worlds.EMPTY]
    where = {"seed": SEED, "first": 0, "size": 3000, "years": 5}
    found = decades.record(contexts, unarmed, **where)
    bare = outlook(solved, rivals=False).contexts
    nothing = between(study, "no_pact")
    alone = decades.record(bare, nothing, **where)
    assert np.array_equal(found.levels, alone.levels)
    assert ever(found.events[:, :, 2], HAPPENED) == ever(alone.events[:, :, 2], HAPPENED)
    assert (found.events[:, :, 5] != alone.events[:, :, 5]).any()  # the empty promise still has its life


def test_shares_add_up(data: xr.Dataset) -> None:
    np.testing.assert_allclose(data.contribution.sum("channel"), data.difference, atol=1e-12)
    np.testing.assert_allclose(data.with_pact - data.without_pact, data.difference, atol=1e-12)
    assert (data.contribution_lower <= data.contribution).all()
    assert (data.contribution <= data.contribution_upper).all()
    none = data.sel(pact="no_pact")
    assert (none.contribution == 0).all()
    assert (none.contribution_upper < 3 / HISTORIES).all()
    assert (none.caused_count == 0).all()


def test_every_channel_is_moved_by_something(data: xr.Dataset) -> None:
    fights = data.sel(pact="treaty", outcome="defender_fights")
    assert float(fights.contribution_lower.sel(channel="obligation")) > 0
    assert (data.sel(pact="treaty").contribution != 0).any("outcome").all()


def test_caused_less_averted_is_the_difference_of_two_worlds(data: xr.Dataset) -> None:
    treaty = data.sel(pact="treaty")
    for channel in data.channel.values:
        (without,) = treaty.world.values[_all_but(treaty, str(channel))]
        net = (treaty.caused_count - treaty.averted_count).sel(channel=channel)
        change = treaty["count"].sel(world=worlds.FULL) - treaty["count"].sel(world=without)
        assert (net == change).all()


def _all_but(data: xr.Dataset, channel: str) -> Any:
    on = [data[str(name)].values != (name == channel) for name in data.channel.values]
    return np.logical_and.reduce(on)


def test_intervals_cover_what_more_histories_say(study: Study) -> None:
    """Of 40 runs at 95 % at least 30 intervals contain a long run's value: below that 1 in 10^5 by chance."""
    one = study.replace(pacts={"treaty": study.pacts["treaty"]})
    plan = engine._plan(one, "treaty", None, None)
    bits = 18
    runs = [engine.play(plan, SEED, 2000 * i, 2000)[np.newaxis, ..., :bits] for i in range(40)]
    long = engine._dataset(one, ["treaty"], np.sum(runs, axis=0), 80_000, SEED).sel(pact="treaty")
    covered = np.zeros((18, 4))
    for run in runs:
        short = engine._dataset(one, ["treaty"], run, 2000, SEED).sel(pact="treaty")
        inside = (short.contribution_lower <= long.contribution) & (
            long.contribution <= short.contribution_upper
        )
        covered += inside.values
    for outcome in ("war", "defender_fights", "crisis", "challenge"):
        at = list(long.outcome.values).index(outcome)
        assert (covered[at] >= 30).all(), (outcome, covered[at])
    assert covered.mean() < 40  # intervals without end would cover everything


def test_any_number_of_workers_gives_the_same_bits(study: Study, data: xr.Dataset) -> None:
    again = study.decade_channels(histories=HISTORIES, seed=SEED, workers=1)
    xr.testing.assert_identical(again.drop_attrs(), data.drop_attrs())


def test_the_waterfall_draws_it(data: xr.Dataset) -> None:
    from entangle.plot import waterfall

    axes = waterfall(data, pact="treaty", outcome="war")
    assert axes.get_figure() is not None


def test_an_unknown_pact_is_refused(study: Study) -> None:
    with pytest.raises(StudyError, match="must name a pact"):
        study.decade_channels(pacts=["traety"], histories=10)


def test_the_table_says_what_the_data_do(data: xr.Dataset) -> None:
    from entangle.tables.channels import as_text
    from entangle.tables.text import number

    text = as_text(data)
    assert max(map(len, text.splitlines())) <= 80
    assert "histories in each of 16 worlds" in text
    fights = data.sel(pact="treaty", outcome="defender_fights")
    tangled = float(fights.caused_probability.sel(channel="obligation"))
    assert f"Entanglement: in {number(tangled)} % of histories" in " ".join(text.split())
    assert "As without any pact" in text  # the empty pact


def test_the_command_prints_it(study: Study, tmp_path: Path) -> None:
    file = tmp_path / "study.toml"
    study.save(file)
    run = CliRunner().invoke(
        cli, ["channels", str(file), "--decades", "--histories", "500", "--seed", "3", "--json"]
    )
    assert run.exit_code == 0, run.output
    found = json.loads(run.stdout)
    data = study.decade_channels(histories=500, seed=3)
    war = found["pacts"]["treaty"]["war"]
    assert war["with_pact"] == float(data.with_pact.sel(pact="treaty", outcome="war"))
    assert war["given"] == "a history of 5 years"
    refused = CliRunner().invoke(cli, ["channels", str(file), "--histories", "500"])
    assert refused.exit_code == 2
    assert "--decades" in refused.output
