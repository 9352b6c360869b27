"""Along branches that turn back: against closed forms, and where raising the precision arrives as well."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from entangle.fit import population, priors
from entangle.lowering import game as lowered
from entangle.lowering import lower
from entangle_kernels import arclength
from entangle_kernels.arclength import along
from entangle_kernels.equilibrium import Sweeps, _raised, trace
from entangle_kernels.fixed_point import size
from reference.games import crisis_game


class Folded:
    """Chances that feed on themselves: x = 1 / (1 + exp(-(steep (x - 1/2) + 5 (share - 1/2)))).

    Above a steepness of 4 the branch turns twice. By x it is a function: `share` in closed form.
    """

    def __init__(self, steep: list[float]) -> None:
        self.steep = np.array(steep)
        self.count = 0
        self.share = 0.0
        self.seen: list[float] = []

    def at(self, share: float) -> None:
        self.share = share
        self.seen.append(share)

    def __call__(self, point: Any) -> Any:
        self.count += 1
        mean = point.mean()  # each feeds on all
        return 1.0 / (1.0 + np.exp(-(self.steep * (mean - 0.5) + 5.0 * (self.share - 0.5))))

    def feasible(self, point: Any) -> Any:
        return np.clip(point, 0.0, 1.0)

    def found(self, share: float) -> tuple[float, Any]:
        """Return the point of the lowest branch."""
        self.at(share)
        point = np.full(self.steep.size, 1e-3)
        for _ in range(500):
            point = self(point)
        return share, point


@pytest.mark.parametrize("steep", [[8.0], [6.0, 9.0, 7.5], [2.0]])
def test_a_turn_is_a_place_like_any_other(steep: list[float]) -> None:
    family = Folded(steep)
    before, now = family.found(0.01), family.found(0.02)
    family.seen.clear()
    point, error = along(family, before, now, tolerance=1e-12, most=5000)
    assert size(error) <= 1e-12
    family.seen[:] = [share for share in family.seen if share < 1.0]  # but for the landing
    # at 1 there is one solution alone, whatever lies before it: the highest
    top = np.ones(len(steep))
    family.at(1.0)
    for _ in range(500):
        top = family(top)
    assert point == pytest.approx(top, abs=1e-10)
    # where it turns, it has gone back a good part of the way
    furthest = np.maximum.accumulate(family.seen)
    back = float((furthest - family.seen).max())
    assert (back > 0.1) == (max(steep) > 4.0)


def test_what_is_found_on_the_way_is_on_the_branch(monkeypatch: pytest.MonkeyPatch) -> None:
    """On the lower arm, between the turns and on the upper one, share is a function of x in closed form."""
    family, found, across = Folded([8.0]), [], arclength._across

    def watched(*given: Any) -> Any:
        answer = across(*given)
        if answer is not None:
            found.append((answer.place[-1] / arclength._WEIGHT, answer.place[0]))
        return answer

    monkeypatch.setattr(arclength, "_across", watched)
    along(family, family.found(0.01), family.found(0.02), tolerance=1e-12, most=5000)
    shares, x = np.array(found).T
    exact = 0.5 + (np.log(x / (1.0 - x)) - 8.0 * (x - 0.5)) / 5.0
    assert shares == pytest.approx(exact, abs=1e-3)
    # d share / d x = 0 where 8 x (1 - x) = 1: the lower arm, the way back, the upper arm
    turn = (1.0 - math.sqrt(0.5)) / 2.0
    for low, high in ((0.0, turn), (turn, 1.0 - turn), (1.0 - turn, 1.0)):
        assert ((x > low) & (x < high)).sum() >= 2


@pytest.mark.parametrize(("most", "share"), [(5, 0.02), (5000, math.nan)])
def test_giving_up_is_told(most: int, share: float) -> None:
    family = Folded([8.0])
    before = family.found(0.01)
    _, point = family.found(0.02)
    with np.errstate(invalid="ignore"):
        _, error = along(family, before, (share, point), tolerance=1e-12, most=most)
    assert size(error) == np.inf
    assert family.count < 1100


@pytest.mark.parametrize("types", [2, 3])
def test_it_ends_where_raising_the_precision_does(types: int) -> None:
    game = crisis_game(types=types, rounds=3, precision=3.0)
    there = trace(game)
    sweeps = Sweeps(game)
    path, _ = _raised(sweeps, 1e-10)
    point, error = along(sweeps, *path[:2], tolerance=1e-10, most=5000)
    assert size(error) <= 1e-10
    assert np.abs(point - sweeps.pack(there.policy, there.enter)).max() < 1e-8


def test_a_game_whose_branch_turns_back_is_solved_on_it() -> None:
    """A point of the fit's prior at twice the usual precision, at which raising it falls off."""
    values = priors.values(np.random.default_rng(9).standard_normal(len(priors.NAMES)))
    setting = population.setting(population.population(8)[7], values | {"precision": 6.0})
    sweeps = Sweeps(lowered(lower(population.PACT, setting), setting, scopes=(1.0,)))
    path, _ = _raised(sweeps, 1e-10)
    assert path[-1][0] < 1.0
    point, error = along(sweeps, *path[-2:], tolerance=1e-10, most=10_000)
    assert size(error) <= 1e-10
    assert sweeps.solution(point).residual <= 1e-10
