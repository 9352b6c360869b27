"""Which way each clause pushes at the shipped baseline.

At values at which much happens all signs are those that the literature reports; at the fitted defaults those
of involvement are, and those of deterrence and emboldenment from no promise to a full one.
"""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from entangle.lowering import Setting, games, lower
from entangle.outcomes import OUTCOMES
from entangle.study import Study
from entangle_kernels import ladder
from entangle_kernels.equilibrium import solve
from entangle_kernels.exact import probabilities
from entangle_kernels.quantise import tables
from small_studies import eventful

ROOT = Path(__file__).resolve().parents[2]
NAMED = {outcome.name: outcome for outcome in OUTCOMES}


@cache
def baseline(*, fitted: bool) -> Study:
    study = Study.load(ROOT / "configs" / "baseline.toml")
    return study if fitted else eventful(study)


@cache
def risks(pact: str, *, fitted: bool = False, **changes: Any) -> dict[str, float]:
    """Return the exact probabilities of outcomes under a pact of the baseline, some terms changed."""
    study = baseline(fitted=fitted)
    setting = Setting.of(study)
    found, in_scope = games(lower(study.pacts[pact].replace(**changes), setting), setting)
    table = tables(found, [solve(game) for game in found], in_scope=in_scope)
    cells = probabilities(table)
    shares = {
        name: float(cells[outcome.event].sum() / cells[outcome.condition].sum())
        for name, outcome in NAMED.items()
        if cells[outcome.condition].sum() > 0
    }
    shares["fights in a crisis"] = shares["defender_fights"] / shares["crisis"]
    # a crisis that ends at its first accident, in a state of its own, tells how likely one is
    step = table.step.copy()
    step[:, 3, :, ladder.ACCIDENT] = ladder.GENERAL_WAR << ladder.END_SHIFT
    ended = probabilities(table._replace(step=step))[:, :, ladder.GENERAL_WAR, 0]
    shares["accident in a crisis"] = float(ended.sum()) / shares["crisis"]
    return shares


def rises(name: str, *along: dict[str, float]) -> bool:
    return all(low[name] < high[name] for low, high in pairwise(along))


def falls(name: str, *along: dict[str, float]) -> bool:
    return rises(name, *reversed(along))


@pytest.mark.parametrize("pact", ["treaty", "promise_only"])
def test_a_stronger_obligation_deters_emboldens_and_involves(pact: str) -> None:
    by_strength = [risks(pact, strength=strength) for strength in (0.0, 0.4, 0.8)]
    assert falls("challenge", *by_strength)
    assert rises("provocation", *by_strength)
    assert rises("fights in a crisis", *by_strength)
    assert rises("defender_fights", *by_strength)


def test_a_more_binding_commitment_deters_emboldens_and_involves() -> None:
    # without a vote, which an automatic promise does not know
    terms = {"legislature": None, "approval": None, "delay": None}
    by_commitment = [
        risks("treaty", commitment=commitment, required="fighting", trigger="limited_force", **terms)
        for commitment in ("consult", "conditional", "defence", "automatic")
    ]
    assert falls("challenge", *by_commitment)
    assert rises("provocation", *by_commitment)
    assert rises("fights in a crisis", *by_commitment)


def test_nothing_owed_to_a_provoker_means_fewer_provocations() -> None:
    by_discount = [risks("treaty", provoked_discount=owed) for owed in (0.0, 0.5, 1.0)]
    assert rises("provocation", *by_discount)


@pytest.mark.parametrize("pact", ["treaty", "promise_only"])
def test_a_vote_lowers_involvement_and_weakens_deterrence(pact: str) -> None:
    by_approval = [risks(pact, approval=approval) for approval in (0.5, 0.85, 1.0)]
    assert rises("defender_fights", *by_approval)
    assert rises("fights in a crisis", *by_approval)
    assert falls("challenge", *by_approval)


def test_integration_deters() -> None:
    by_depth = [risks("treaty", integration=depth) for depth in (0.0, 0.4, 0.8)]
    assert falls("challenge", *by_depth)


@pytest.mark.parametrize("pact", ["treaty", "promise_only"])
def test_a_hotline_lowers_accidental_escalation(pact: str) -> None:
    without, with_it = risks(pact), risks(pact, hotline=True)
    assert with_it["accident in a crisis"] < 0.7 * without["accident in a crisis"]


@pytest.mark.parametrize("pact", ["treaty", "promise_only"])
@pytest.mark.parametrize("failure", ["challenge", "force"])
def test_intelligence_does_not_raise_deterrence_failure(pact: str, failure: str) -> None:
    by_quality = [risks(pact, intelligence=quality)[failure] for quality in (0.0, 0.4, 0.8)]
    assert max(by_quality[1:]) <= by_quality[0] + 1e-12


# -- at the fitted defaults --------------------------------------------------------------------------


@pytest.mark.parametrize("pact", ["treaty", "promise_only"])
def test_the_fit_says_that_promises_involve_and_keep_crises_below_force(pact: str) -> None:
    by_strength = [risks(pact, fitted=True, strength=strength) for strength in (0.0, 0.4, 0.8)]
    assert rises("defender_fights", *by_strength)
    assert rises("fights in a crisis", *by_strength)
    assert rises("war", *by_strength)
    assert falls("force", *by_strength)


def test_the_fit_says_that_a_treaty_deters_and_emboldens() -> None:
    """From no promise to a full one; a promise without capability behind it deters nobody there."""
    without, full = (risks("treaty", fitted=True, strength=strength) for strength in (0.0, 0.8))
    assert falls("challenge", without, full)
    assert rises("provocation", without, full)
    without, full = (risks("promise_only", fitted=True, strength=strength) for strength in (0.0, 0.8))
    assert rises("challenge", without, full)


def test_the_fit_says_that_binding_commitments_involve() -> None:
    terms = {"legislature": None, "approval": None, "delay": None}
    by_commitment = [
        risks(
            "treaty",
            fitted=True,
            commitment=commitment,
            required="fighting",
            trigger="limited_force",
            **terms,
        )
        for commitment in ("consult", "conditional", "defence", "automatic")
    ]
    assert rises("defender_fights", *by_commitment)
    assert falls("force", *by_commitment)


@pytest.mark.parametrize("pact", ["treaty", "promise_only"])
def test_the_fit_says_that_a_vote_lowers_involvement(pact: str) -> None:
    by_approval = [risks(pact, fitted=True, approval=approval) for approval in (0.5, 0.85, 1.0)]
    assert rises("defender_fights", *by_approval)
