"""Which trajectories had an outcome: against single disputes played by the twin, one after another."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

import reference
from entangle import attribution, recall, solving
from entangle.attribution import COUNTERFACTUALS, NAMED
from entangle.blocks import BLOCK
from entangle.errors import ReproducibilityWarning, ResultError
from entangle.outcomes import OUTCOMES, REACHED
from entangle.result import Result
from entangle.solving import EMPTY
from entangle_kernels import crisis
from entangle_kernels.quantise import Tables
from small_studies import small

SEED = 7
TRAJECTORIES = 2500
EVENTS = {outcome.name: outcome.event for outcome in (*OUTCOMES, *REACHED)}


@pytest.fixture(scope="module")
def result():
    return small().run(trajectories=TRAJECTORIES, seed=SEED)


@pytest.fixture(scope="module")
def long():
    """A run of several blocks, the last of them short."""
    return small().run(trajectories=2 * BLOCK + 5000, seed=SEED)


@cache
def solved() -> dict[str, solving.Prepared]:
    return solving.prepare(small(), empty=True)


def tables_of(pact: str, without: str = "") -> Tables:
    """Return the thresholds of a pact, or of one of its other worlds."""
    if not without:
        return solved()[pact].tables
    rivals = attribution.rivals(solved()[pact], solved()[EMPTY])
    return rivals[COUNTERFACTUALS.index(without)] if rivals else solved()[EMPTY].tables


@cache
def played(pact: str, without: str = "") -> list[tuple[int, ...]]:
    """Return how the twin's disputes end, one by one."""
    table = tables_of(pact, without)
    return [reference.play(table, trajectory, SEED) for trajectory in range(TRAJECTORIES)]


def by_hand(pact: str, outcome: str) -> list[int]:
    if outcome not in NAMED:
        return [i for i, cell in enumerate(played(pact)) if EVENTS[outcome][cell]]
    without, name = NAMED[outcome]
    event = EVENTS[name]
    pairs = zip(played(pact), played(pact, without), strict=True)
    return [i for i, (cell, other) in enumerate(pairs) if event[cell] and not event[other]]


# -- what is found -------------------------------------------------------------------------------


@pytest.mark.parametrize("pact", ["no_pact", "treaty", "with_vote"])
@pytest.mark.parametrize("outcome", [*EVENTS, *NAMED])
def test_finds_the_first_trajectories_that_had_it(result, pact, outcome):
    expected = by_hand(pact, outcome)
    for n in (1, 2, 13, TRAJECTORIES, 10**6):
        found = result.find(outcome, n=n, pact=pact)
        assert found.dtype == np.uint64
        assert found.tolist() == expected[:n]


def test_there_is_something_to_find():
    """The comparison sees every kind of question answered with something, and some with nothing."""
    for pact in ("treaty", "with_vote"):
        for outcome in ("war", "defender_fights", "abandonment", "provocation", "local_war", "entanglement"):
            assert by_hand(pact, outcome), (pact, outcome)
    assert by_hand("treaty", "entrapment")
    assert by_hand("treaty", "nuclear_use") == []
    assert by_hand("no_pact", "entanglement") == by_hand("no_pact", "entrapment") == []


def test_as_many_are_found_as_were_counted(result, long):
    for made in (result, long):
        for pact in ("no_pact", "treaty", "with_vote"):
            for outcome in EVENTS:
                ask = made.rung if outcome in made.data.rung else made.probability
                assert made.find(outcome, n=10**9, pact=pact).size == ask(pact, outcome).count
            for outcome in NAMED:
                assert made.find(outcome, n=10**9, pact=pact).size == made.probability(pact, outcome).count


@pytest.mark.parametrize("outcome", ["war", "nuclear_use", "blocked", *NAMED])
def test_the_search_goes_on_from_block_to_block(long, outcome):
    """Those of the first block, of the next, and of the last, which is short; in order and each once."""
    pact = "with_vote"
    without, name = NAMED.get(outcome, ("", outcome))
    where = {"seed": SEED, "first": 0, "size": long.trajectories}
    event = EVENTS[name].ravel()
    happened = event[crisis.endings(tables_of(pact), **where).cells]
    if without:
        happened &= ~event[crisis.endings(tables_of(pact, without), **where).cells]
    expected = np.flatnonzero(happened)
    borders = [int(np.searchsorted(expected, border)) for border in (BLOCK, 2 * BLOCK)]
    asked = [k for border in borders for k in (border - 1, border, border + 1)]
    for n in [k for k in asked if k >= 1] + [expected.size, expected.size + 1]:
        assert long.find(outcome, n=max(n, 1), pact=pact).tolist() == expected[:n].tolist()
    assert outcome == "nuclear_use" or (expected >= 2 * BLOCK).any()


def test_no_block_is_played_in_vain(long, monkeypatch):
    played_ = []
    endings = crisis.endings

    def counting(tables, *, first, size, **others):
        played_.append((first, size))
        return endings(tables, first=first, size=size, **others)

    monkeypatch.setattr(crisis, "endings", counting)
    long.find("war", n=5, pact="treaty")
    assert played_ == [(0, BLOCK)]
    played_.clear()
    long.find("nuclear_use", n=10**6, pact="treaty")
    assert played_ == [(0, BLOCK), (BLOCK, BLOCK), (2 * BLOCK, 5000)]


def test_the_first_pact_that_is_one_is_meant(result):
    assert result.find("war", n=9).tolist() == by_hand("treaty", "war")[:9]
    assert result.find("war").tolist() == by_hand("treaty", "war")[:1]
    alone = small(pacts={"none": {}, "neither": {}}).run(trajectories=500, seed=SEED)
    assert alone.find("war", n=3).tolist() == by_hand("no_pact", "war")[:3]
    assert alone.find("entanglement").size == 0


def test_what_is_found_can_be_replayed(result):
    for trajectory in result.find("entanglement", n=3, pact="treaty"):
        assert result.replay(trajectory, pact="treaty").dispute.trajectory == int(trajectory)


def test_a_file_finds_what_its_result_finds(result, tmp_path):
    result.save(tmp_path / "saved.nc")
    loaded = Result.load(tmp_path / "saved.nc")
    for outcome in ("war", "entanglement"):
        assert loaded.find(outcome, n=20).tolist() == result.find(outcome, n=20).tolist()


def test_another_seed_finds_others(result):
    other = small().run(trajectories=TRAJECTORIES, seed=2**64 - 1)
    found = other.find("war", n=50)
    table = tables_of("treaty")
    event = EVENTS["war"]
    expected = [i for i in range(int(found[9]) + 1) if event[reference.play(table, i, 2**64 - 1)]]
    assert found[:10].tolist() == expected
    assert found.tolist() != result.find("war", n=50).tolist()


def test_a_result_without_attribution_finds_as_well(result):
    made = small().run(trajectories=TRAJECTORIES, seed=SEED, attribution=False)
    for outcome in ("war", *NAMED):
        assert made.find(outcome, n=20).tolist() == result.find(outcome, n=20).tolist()


def test_a_run_that_stopped_finds_up_to_where_it_stopped():
    made = small().run(until={"war": 0.3}, trajectories=2**40, seed=SEED)
    assert made.trajectories == BLOCK
    assert made.find("crisis", n=10**6).size == made.probability("treaty", "crisis").count


# -- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"outcome": "wars"}, "There is no outcome 'wars'. Did you mean 'war'?"),
        ({"outcome": "entanglment"}, "Did you mean 'entanglement'?"),
        ({"outcome": "lokal_war"}, "Did you mean 'local_war'?"),
        ({"outcome": "peace"}, "There is no outcome 'peace'. Known here: challenge, provocation"),
        ({"outcome": "war", "pact": "treety"}, "There is no pact 'treety'. Did you mean 'treaty'?"),
        ({"outcome": "war", "n": 0}, "must be at least 1, got 0"),
        ({"outcome": "war", "n": -3}, "must be at least 1, got -3"),
    ],
)
def test_a_bad_question_is_told_before_anything_is_solved(result, arguments, message, monkeypatch):
    monkeypatch.setattr(recall, "alone", lambda *_: pytest.fail("a pact was solved"))
    with pytest.raises(ResultError) as caught:
        result.find(**arguments)
    assert message in str(caught.value)


def test_an_exact_result_has_no_trajectories():
    with pytest.raises(ResultError, match=r"Nothing was simulated.*use Study\.run\(\)"):
        small().exact().find("war")


def test_other_thresholds_than_those_of_the_result_are_told(result):
    data = result.data.copy(deep=True)
    data["table_hash"][1] = "0" * 64
    with pytest.warns(ReproducibilityWarning, match="solved pact treaty differs from what made the result"):
        Result(data).find("war", pact="treaty")
    assert Result(data).find("war", pact="no_pact").size == 1
