"""Every shipped study: what was simulated agrees with what is exact.

At four million disputes for each pact each comparison is false with a chance of 1e-4 at most; with this seed
the answer is always the same, so that a failure is a change and not chance. And the fast search for an
equilibrium stays on the principal branch.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from entangle.lowering import Setting, games, lower
from entangle.study import Study
from entangle_kernels.equilibrium import TOLERANCE, solve, trace

CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("*.toml"))


@pytest.mark.parametrize("trajectories", [4_000_000, pytest.param(10**8, marks=pytest.mark.nightly)])
@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_exact_lies_in_the_simulated_interval(path: Path, trajectories: int) -> None:
    result = Study.load(path).run(trajectories=trajectories, seed=20_260_101)
    agreement = result.agreement(0.9999)
    for name in ("probability", "rung_probability"):
        wrong = agreement[name].where(~agreement[name], drop=True)
        assert wrong.size == 0, wrong


@pytest.mark.parametrize("path", CONFIGS[:1], ids=lambda path: path.stem)
def test_a_shifted_probability_does_not(path: Path) -> None:
    result = Study.load(path).run(trajectories=4_000_000, seed=20_260_101)
    result.data["exact"].loc[{"outcome": "war"}] *= 1.04
    agreement = result.agreement(0.9999).probability.sel(outcome="war")
    assert not agreement.any()


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_the_fast_search_stays_on_the_principal_branch(path: Path) -> None:
    study = Study.load(path)
    setting = Setting.of(study)
    for name, pact in study.pacts.items():
        for game in games(lower(pact, setting), setting)[0]:
            fast, traced = solve(game), trace(game)
            assert max(fast.residual, traced.residual) <= TOLERANCE
            np.testing.assert_allclose(fast.policy, traced.policy, atol=1e-7, err_msg=name)
            np.testing.assert_allclose(fast.enter, traced.enter, atol=1e-8, err_msg=name)
