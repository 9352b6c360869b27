"""Disputes drawn on the condition of an outcome."""

from __future__ import annotations

import math
import time
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from click.testing import CliRunner

from entangle.cli import cli
from entangle.errors import StudyError
from entangle.outcomes import OUTCOMES, REACHED
from entangle.study import Study
from small_studies import small
from statistical.counts import is_compatible

SEED = 11
US_ROK = Path(__file__).parents[2] / "configs" / "us_rok.toml"


@pytest.fixture(scope="module")
def study() -> Study:
    return small()


@pytest.fixture(scope="module")
def given(study):
    return study.sample_given("defender_fights", n=400, pact="treaty", seed=SEED)


def test_every_draw_has_the_outcome(given):
    data = given.data
    assert len(given) == data.sizes["draw"] == 400
    assert (data.support == "fighting").all()
    assert data.opened.all()
    assert (data.end != "no_crisis").all()


@pytest.mark.parametrize("outcome", [*OUTCOMES, *REACHED], ids=lambda outcome: outcome.name)
def test_its_probability_is_that_of_the_event(study, outcome):
    exact = study.exact().data.cells_exact.sel(pact="treaty")
    cells = tuple(exact[name].values for name in ("origin", "scope", "end", "state", "marks"))
    chance = float(exact.values[outcome.event[cells]].sum())
    if chance == 0.0:
        with pytest.raises(StudyError, match="must be possible"):
            study.sample_given(outcome.name, n=1, pact="treaty")
        return
    drawn = study.sample_given(outcome.name, n=5, pact="treaty", seed=SEED)
    assert drawn.probability == pytest.approx(chance, rel=1e-12, abs=0)


def test_draws_share_the_law_of_simulated_disputes(study):
    """How wars end, drawn and exact: each count in the central 1 - 1e-9 of its binomial."""
    drawn = study.sample_given("war", n=20_000, pact="treaty", seed=SEED).data
    exact = study.exact().data
    cells = exact.cells_exact.sel(pact="treaty")
    at_war = (cells.state >> 3) >= 4
    total = float(cells.where(at_war, 0.0).sum())
    for end, name in enumerate(
        ("no_crisis", "withdrawal", "concession", "compromise", "defeat", "victory", "stalemate")
    ):
        share = float(cells.where(at_war & (cells.end == end), 0.0).sum()) / total
        count = int((drawn.end == name).sum())
        assert is_compatible(count, 20_000, share), name
        if share > 0.05:  # mutation twin: a quarter more would be seen
            assert not is_compatible(count, 20_000, share * 1.25)


def test_the_first_draws_of_more_are_the_same(study, given):
    more = study.sample_given("defender_fights", n=800, pact="treaty", seed=SEED).data
    assert more.isel(draw=slice(400)).drop_attrs().identical(given.data.drop_attrs())
    other = study.sample_given("defender_fights", n=400, pact="treaty", seed=SEED + 1).data
    assert not (other.choice == given.data.choice).all()


def test_a_draw_can_be_told(given):
    for draw in range(5):
        replay = given.replay(draw)
        steps = given.data.choice.isel(draw=draw).values
        assert len(replay.dispute.steps) == int((steps >= 0).sum())
        assert replay.dispute.steps[-1].end == replay.dispute.end or replay.dispute.end == 6
        assert "Ending" in replay.story()


def test_draws_that_are_not_there(given):
    with pytest.raises(IndexError, match="draw must be 0 to 399, got 400"):
        given.replay(400)


def test_a_file_of_draws(given, tmp_path):
    given.save(tmp_path / "draws.nc")
    assert [path.name for path in tmp_path.iterdir()] == ["draws.nc"]
    read = xr.load_dataset(tmp_path / "draws.nc", engine="h5netcdf")
    assert np.array_equal(read.choice, given.data.choice)
    assert read.attrs["probability"] == given.probability


def test_what_happens_once_in_ten_billion_comes_at_once():
    """Below 1e-9, in a second; the game itself is solved before the clock starts."""
    study = Study.load(US_ROK)
    study.sample_given("war", n=1, pact="no_pact")  # solve, compile
    start = time.process_time()
    drawn = study.sample_given("general_war", n=1000, pact="no_pact", seed=SEED)
    taken = time.process_time() - start
    assert drawn.probability < 1e-9
    assert (drawn.data.end == "general_war").all()
    assert taken < 5  # a second on an idle machine
    weights = np.exp(drawn.data.log_probability.values - math.log(drawn.probability))
    assert (weights > 0).all()
    assert weights.max() < 1


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"outcome": "nuclear_us"}, "must name an outcome or a rung, got 'nuclear_us'. Did you mean"),
        ({"outcome": "war", "pact": "treety"}, "must name a pact of this study, got 'treety'. Did you mean"),
        ({"outcome": "war", "n": 0}, "must be at least 1, got 0"),
        ({"outcome": "abandonment", "pact": "no_pact"}, "must be possible under the pact 'no_pact'"),
    ],
)
def test_bad_questions(study, arguments, text):
    with pytest.raises(StudyError) as caught:
        study.sample_given(**arguments)
    assert text in str(caught.value)


def test_on_the_command_line(study, tmp_path):
    path = tmp_path / "study.toml"
    study.save(path)
    shown = CliRunner().invoke(cli, ["sample", str(path), "--given", "war", "--number", "2", "--seed", "3"])
    assert shown.exit_code == 0
    assert shown.stdout.startswith("war under treaty: exactly ")
    assert shown.stdout.count("Ending") == 2
    out = tmp_path / "draws.nc"
    shown = CliRunner().invoke(
        cli, ["sample", str(path), "--given", "war", "--number", "7", "--out", str(out)]
    )
    assert shown.exit_code == 0
    assert xr.load_dataset(out, engine="h5netcdf").sizes["draw"] == 7
    shown = CliRunner().invoke(cli, ["sample", str(path), "--given", "moon"])
    assert shown.exit_code == 2
