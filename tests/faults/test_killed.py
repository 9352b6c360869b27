"""Runs that are killed and resumed give the same bits; the campaign is in `killing.py`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from killing import VICTIMS, Cluster, Trial, campaign, summary, tried, victims


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    made = Cluster()
    yield made
    made.close()


@pytest.mark.parametrize("number", range(6))
def test_the_process_that_runs_is_killed(number: int, cluster: Cluster) -> None:
    tried(Trial.drawn(number, "main", seed=2), cluster)


@pytest.mark.parametrize("victim", VICTIMS[1:])
def test_what_it_runs_on_is_killed(victim: str, cluster: Cluster) -> None:
    assert tried(Trial.drawn(100, victim, seed=2), cluster).hits == 1


def test_a_campaign_kills_everything() -> None:
    assert set(victims(20)) == set(VICTIMS)
    assert len(victims(200)) == 200


@pytest.mark.nightly
def test_campaign() -> None:
    done = campaign(220, seed=1)
    assert len(done) == 220
    print(summary(done))
    # most kills must have come in the midst of a run, or nothing was tried
    assert sum(0 < outcome.kept < outcome.total for outcome in done) > 110
