"""The table of the years between crises, and games in the contexts that they lead to."""

from __future__ import annotations

import math

import numpy as np
import pytest

from entangle import horizon
from entangle.errors import StudyError
from entangle.lowering import Setting, game, games, lower, no_pact
from entangle.lowering.arrays import dispositions, faith
from entangle.lowering.levers import START, Context
from entangle.peacetime import Peacetime
from entangle_kernels import ladder
from entangle_kernels.game import Game
from entangle_kernels.quantise import WORDS, type_weights
from small_studies import small

SETTING = Setting.of(small())
TREATY = lower(small().pacts["treaty"], SETTING)


def assert_same(one: Game, other: Game) -> None:
    for name, ours, theirs in zip(one._fields, one, other, strict=True):
        assert np.array_equal(ours, theirs), name


def test_a_study_has_the_table_and_it_counts_for_its_fingerprint() -> None:
    changed = small(peacetime={"years": 30})
    assert changed.peacetime == Peacetime(years=30)
    assert small().peacetime == Peacetime()
    assert changed.fingerprint != small().fingerprint


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"years": 0}, "years"),
        ({"belief": 1.0}, "belief"),
        ({"tilt": 1.5}, "tilt"),
        ({"react": (0.1, 0.1)}, "react"),
        ({"protege_losses": (0.0,) * 7}, "protege_losses"),
        ({"defender_losses": (0.1, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)}, "must not fall from a rung"),
        ({"years": 5, "suspension_years": 6}, "must not be longer than a history"),
    ],
)
def test_a_broken_rule_is_told(fields: dict[str, object], said: str) -> None:
    with pytest.raises(StudyError, match=said):
        Peacetime(**fields)


def test_the_start_is_the_game_of_today_to_the_bit() -> None:
    for levers in (TREATY, lower(small().pacts["with_vote"], SETTING), no_pact(SETTING)):
        today, share = games(levers, SETTING)
        there, same = games(levers, SETTING, context=START)
        nowhere, _ = games(levers, SETTING, context=Context(0.0, 0.0))
        assert share == same
        for one, *others in zip(today, there, nowhere, strict=True):
            for other in others:
                assert_same(one, other)


def test_only_the_ratios_of_capabilities_matter() -> None:
    """Growth of one partner in the context is growth of that actor."""
    actors = dict(SETTING.actors)
    for name, grown in (("west", 0.3), ("far", -0.2)):
        actors[name] = actors[name].replace(capability=actors[name].capability * math.exp(grown))
    grown_setting = Setting(SETTING.scenario, actors, SETTING.parameters, SETTING.peacetime)
    grown = game(lower(small().pacts["treaty"], grown_setting), grown_setting, scopes=(1.0,))
    moved = game(TREATY, SETTING, scopes=(1.0,), context=Context(local=0.3, backing=-0.2))
    assert_same(grown, moved)


@pytest.mark.parametrize("types", range(1, 10))
@pytest.mark.parametrize("tilt", [0.0, 0.3, 0.6, 1.0])
def test_dispositions_are_whole_words_in_proportion_to_rank(types: int, tilt: float) -> None:
    edges, weights = faith(types, tilt), dispositions(types, tilt)
    assert edges.dtype == np.uint64
    assert (edges[:, 0] == 0).all()
    assert (np.diff(edges.astype(np.int64)) >= 0).all()
    assert np.array_equal(weights * WORDS, np.rint(weights * WORDS))
    assert (weights.sum(axis=1) == 1.0).all()
    rank = np.linspace(-1, 1, types) if types > 1 else np.zeros(1)
    np.testing.assert_allclose(weights[1], (1 + tilt * rank) / types, atol=2 / WORDS)
    np.testing.assert_allclose(weights[0], (1 - tilt * rank) / types, atol=2 / WORDS)
    if tilt == 0.0:
        assert np.array_equal(weights[0], type_weights(types))
        assert np.array_equal(weights[1], type_weights(types))


@pytest.mark.parametrize("types", range(1, 10))
def test_an_even_belief_is_none_up_to_a_word(types: int) -> None:
    setting = Setting.of(small(parameters={"types": types, "rounds": 2}))
    made = game(TREATY, setting, scopes=(1.0,), context=Context(odds=0.0))
    plain = game(TREATY, setting, scopes=(1.0,))
    off = np.abs(made.prior - plain.prior)
    assert (off[:2] == 0).all()
    assert off[2].max() <= 2 / WORDS  # an edge on either side
    assert np.abs(np.cumsum(made.prior[2]) - np.cumsum(plain.prior[2])).max() <= 1 / WORDS
    assert made.prior[2].sum() == 1.0


def test_a_belief_mixes_the_dispositions() -> None:
    odds = 0.75
    made = game(TREATY, SETTING, scopes=(1.0,), context=Context(odds=odds))
    belief = 1 / (1 + math.exp(-odds))
    wavering, steadfast = dispositions(SETTING.parameters.types, SETTING.peacetime.tilt)
    np.testing.assert_allclose(made.prior[2], belief * steadfast + (1 - belief) * wavering, atol=2 / WORDS)


def test_what_crises_leave_behind_has_its_place() -> None:
    peacetime = Peacetime()
    assert horizon.losses(peacetime).shape == (3, ladder.RUNGS)
    assert (horizon.losses(peacetime)[:, 0] == 0).all()
    prizes = horizon.prizes(peacetime)
    assert (prizes.sum(axis=0) == 0).all()
    assert prizes[0, ladder.DEFEAT] == peacetime.prize
    assert prizes[0, ladder.VICTORY] == 0


def still(**fields: object) -> dict[str, object]:
    none = (0.0,) * 8
    frozen: dict[str, object] = {
        "react": (0.0, 0.0, 0.0),
        "free_riding": 0.0,
        "shock": 0.0,
        "prize": 0.0,
        "challenger_losses": none,
        "protege_losses": none,
        "defender_losses": none,
    }
    return frozen | fields


def test_the_range_follows_growth() -> None:
    study = small(peacetime=still(years=10))
    east = study.actors["east"].replace(growth=0.02)
    setting = Setting.of(study.replace(actors=dict(study.actors) | {"east": east}))
    cells = np.zeros((2, 2, 8, 72, 16))
    ranges = horizon.strength_range(TREATY, study.pacts["treaty"], setting, bound=cells, free=cells)
    assert ranges == [(pytest.approx(-10 * math.log(1.02)), 0.0)] * 2


def test_the_range_follows_shocks() -> None:
    """Of two actors whose efforts are shocked, without inertia: each year's shock fades as capital wears."""
    study = small(peacetime=still(years=16, inertia=0.0, shock=0.05, build=0.1))
    cells = np.zeros((2, 2, 8, 72, 16))
    given = TREATY, study.pacts["treaty"], Setting.of(study)
    width = 3 * math.sqrt(2 * sum(0.81**k for k in range(16))) * 0.05 * 0.1
    for low, high in horizon.strength_range(*given, bound=cells, free=cells):
        assert (low, high) == (pytest.approx(-width), pytest.approx(width))


def test_the_range_follows_losses() -> None:
    """Certain defeat at local war, with the defender aloof: the challenger alone is the stronger for it."""
    study = small(peacetime=still(years=5, prize=0.02))
    cells = np.zeros((2, 2, 8, 72, 16))
    cells[0, 1, ladder.DEFEAT, ladder.pack(4, 0, 0), 0] = 1.0
    given = TREATY, study.pacts["treaty"], Setting.of(study)
    (low, high), _ = horizon.strength_range(*given, bound=cells, free=cells)
    disputes = 5 * 0.2
    assert low == pytest.approx(-disputes * 0.04 - 3 * math.sqrt(disputes) * 0.04)
    assert high == pytest.approx(3 * math.sqrt(0.2 * 1) * 0.04 - 0.2 * 0.04, abs=0.1)
