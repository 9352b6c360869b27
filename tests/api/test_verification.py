"""A part of a result made again: what is found, what is told, and how much was looked at."""

from __future__ import annotations

import json

import numpy as np
import pytest
from click.testing import CliRunner

from entangle import blocks, engine, load_result, provenance, tabulate, verify
from entangle.cli import cli
from entangle.errors import ResultError
from entangle.verification import _chosen
from small_studies import small

STRETCH = 1000
NUMBER = 20 * STRETCH + 5


@pytest.fixture(scope="module", autouse=True)
def short_stretches():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ENTANGLE_CACHE", "off")
        patch.setattr(blocks, "BLOCK", STRETCH)
        patch.setattr(engine, "BLOCK", STRETCH)
        for module in (blocks, engine, tabulate):
            patch.setattr(module, "STRETCH", STRETCH)
        yield


@pytest.fixture(scope="module")
def study():
    return small(pacts={"no_pact": {}, "treaty": {"commitment": "defence"}})


@pytest.fixture(scope="module")
def disputes(study):
    return study.run(trajectories=NUMBER, seed=7)


@pytest.fixture(scope="module")
def histories(study):
    parameters = study.parameters.replace(rounds=3)
    years = study.replace(parameters=parameters, peacetime={"years": 3, "context_error": 0.3})
    return years.decades(histories=40_000, seed=5)


@pytest.fixture(scope="module")
def draws(study):
    return study.run(draws=4, trajectories=300)


def changed(result, name, place, add):
    """Return the result with one number changed."""
    data = result.data.copy(deep=True)
    values = data[name].values.copy()
    values[place] += add
    data[name] = data[name].dims, values, data[name].attrs
    return type(result)(data)


@pytest.mark.parametrize("kind", ["disputes", "histories", "draws"])
@pytest.mark.parametrize("number", [1, 2, None])
def test_what_was_made_is_made_again(kind, number, request):
    found = verify(request.getfixturevalue(kind), blocks=number)
    assert found.right
    assert found.whole is (number is None)
    assert found.made_by == found.verified_by == provenance.versions()


def test_exact_results_are_solved_again(study):
    exact = study.exact()
    assert verify(exact).whole
    wrong = verify(changed(exact, "exact", (1, 0), 1e-15))
    assert [check.right for check in wrong.checks] == [False]
    assert "exact" in wrong.checks[0].detail


def test_a_whole_result_with_one_bit_off_is_told(disputes):
    wrong = verify(changed(disputes, "caused_count", (1, 1, 3), 1), blocks=None)
    assert not wrong.right
    assert "caused_count" in wrong.checks[0].detail


def test_a_stretch_that_was_not_played_so_is_told_where_it_is_looked_at(disputes):
    wrong = changed(disputes, "cells_digest", (13, 1), np.uint64(1))
    seen = {13 in _chosen(21, 8, sample) for sample in range(20)}
    assert seen == {True, False}
    for sample in range(20):
        found = verify(wrong, blocks=8, sample=sample)
        assert found.right is (13 not in _chosen(21, 8, sample))
    found = verify(wrong, blocks=20)
    assert "1 of 20, from 13,000" in found.summary()


@pytest.mark.parametrize("name", ["exact", "cells_digest", "pairs_digest", "lower"])
def test_each_part_of_a_sample_finds_its_fault(disputes, name):
    add = np.uint64(1) if name.endswith("digest") else 1e-12
    assert not verify(changed(disputes, name, 0, add), blocks=3).right


def test_other_games_are_told_by_their_hash(disputes):
    data = disputes.data.copy(deep=True)
    data["table_hash"] = ("pact", np.array(["0" * 64] * 2, object))
    found = verify(type(disputes)(data), blocks=2)
    assert [check.right for check in found.checks] == [False, True, True]


def test_histories_and_draws_with_a_fault(histories, draws):
    assert not verify(changed(histories, "histories_digest", 1, np.uint64(1)), blocks=2, sample=3).right or (
        1 not in _chosen(3, 2, 3)
    )
    assert not verify(changed(histories, "histories_digest", 2, np.uint64(1)), blocks=2).right
    assert not verify(changed(draws, "count", (0, 1, 3), 1), blocks=2).right
    assert not verify(changed(draws, "probability", (3, 1, 3), 1e-15), blocks=2).right


def test_which_stretches_are_played_again():
    for total, number in ((100, 10), (5, 1), (3, 2)):
        chosen = _chosen(total, number, 1)
        assert len(set(chosen)) == number
        assert chosen == sorted(chosen) == _chosen(total, number, 1)
        assert chosen[0] == 0
        assert number == 1 or chosen[-1] == total - 1
    often = np.bincount([i for sample in range(300) for i in _chosen(12, 4, sample)], minlength=12)
    assert often[[0, 11]].tolist() == [300, 300]
    assert often[1:11].min() > 20, "every stretch has its turn"


def test_another_use_of_random_words_cannot_be_verified(disputes):
    data = disputes.data.copy()
    data.attrs = {**data.attrs, "random_scheme": 99}
    with pytest.raises(ResultError, match="random scheme 99, and this version uses 1"):
        verify(type(disputes)(data))
    with pytest.raises(ValueError, match="at least 1"):
        verify(disputes, blocks=0)


def test_the_command_and_its_exit_codes(disputes, tmp_path):
    disputes.save(tmp_path / "right.nc")
    wrong = changed(disputes, "net_exact", 0, 1e-9)
    wrong.data.attrs["sha256"] = provenance.checksum(wrong.data, wrong.data.attrs)
    wrong.save(tmp_path / "wrong.nc")
    assert load_result(tmp_path / "wrong.nc").data.net_exact.size
    run = CliRunner().invoke
    right = run(cli, ["verify", str(tmp_path / "right.nc"), "--blocks", "3", "--json"])
    told = json.loads(right.stdout)
    assert (right.exit_code, told["right"], told["whole"]) == (0, True, False)
    assert told["made_by"] == provenance.versions()
    found = run(cli, ["verify", str(tmp_path / "wrong.nc"), "--blocks", "2"])
    assert found.exit_code == 1
    assert "OTHER BITS  solved games: not the same: net_exact" in found.stdout
    assert run(cli, ["verify", str(tmp_path / "none.nc")]).exit_code == 2
    assert run(cli, ["verify", str(tmp_path / "right.nc"), "--all", "--blocks", "2"]).exit_code == 2
