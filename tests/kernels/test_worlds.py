"""The sixteen worlds of a pact: what is taken from where, and what players do where they never were."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import reference
from entangle_kernels import ladder, worlds
from entangle_kernels.equilibrium import Solution, solve
from entangle_kernels.exact import probabilities
from entangle_kernels.game import Game, allowed_moves, live_states
from entangle_kernels.quantise import Tables, digest, tables
from entangle_kernels.worlds import (
    CAPABILITY,
    DETERRENCE,
    EMBOLDENMENT,
    EMPTY,
    FULL,
    OBLIGATION,
    WORLDS,
    Everywhere,
    Solved,
    everywhere,
    world,
)
from reference.everywhere import everywhere as slow_everywhere
from reference.games import crisis_game

WORDS = 2**32
UNIT = 1.0 / WORDS

# -- everywhere --------------------------------------------------------------------------------------

GAMES: dict[str, dict[str, Any]] = {
    "two types": {"rounds": 3},
    "delays": {"support": 1, "first_support": 1, "first_fight": 2, "rounds": 4, "precision": 1.0},
    "an estimate, private scope, a delay": {
        "estimates": 2,
        "scopes": 2,
        "rounds": 2,
        "first_support": 1,
        "first_fight": 1,
        "trigger": 1,
        "required": 2,
    },
    "a vote, later": {"support": 2, "passes": 0.6, "rounds": 3, "first_fight": 1},
    "disputes of the protege only, all nuclear": {
        "types": 1,
        "origin": (0.0, 1.0),
        "nuclear": (True, True, True),
        "rounds": 3,
    },
}
named = pytest.mark.parametrize("name", GAMES)


@cache
def known(name: str) -> tuple[Game, Solution, Everywhere]:
    game = crisis_game(**GAMES[name])
    solution = solve(game, tolerance=1e-12)
    return game, solution, everywhere(game, solution)


def own(game: Game, actor: int, knows: tuple[int, ...]) -> int:
    """Return the engine's index of what an actor knows."""
    if actor == 0:
        return knows[0]
    scope, estimate, type_ = knows
    estimates, types = game.estimate.shape
    return (scope * estimates + estimate) * types + type_


@named
def test_twin_does_the_same_everywhere(name: str) -> None:
    game, _, found = known(name)
    twin = slow_everywhere(game, reference.solve(game))
    # the engine knows of no information set that the twin does not
    assert np.count_nonzero(found.policy.sum(axis=-1)) == len(twin.policy)
    for ((t, actor, state), knows), chances in twin.policy.items():
        mine = found.policy[actor, t, state, own(game, actor, knows)]
        expected = [chances.get(move, 0.0) for move in range(3)]
        np.testing.assert_allclose(mine, expected, atol=1e-9)
    for ((t, actor, state), knows), chances in twin.wish.items():
        mine = found.wish[t, state, own(game, actor, knows)]
        expected = [chances.get(move, 0.0) for move in range(3)]
        np.testing.assert_allclose(mine, expected, atol=1e-9)


@named
def test_where_the_game_can_be_everybody_keeps_to_the_equilibrium(name: str) -> None:
    game, solution, found = known(name)
    live = np.moveaxis(live_states(game, allowed_moves(game))[:, :3], 1, 0)
    assert (found.policy[live] == solution.policy[live]).all()
    assert not solution.policy[~live].any()
    assert found.policy[~live].any(), "there should be states that the game cannot reach"


@named
def test_choices_are_distributions_over_the_moves_that_exist(name: str) -> None:
    game, _, found = known(name)
    allowed = np.moveaxis(allowed_moves(game), 1, 0)
    playable = game.legal[0, :, ladder.BACK_DOWN]
    types = game.theta.shape[1]
    for actor in range(3):
        total = found.policy[actor].sum(axis=-1)
        sets = types if actor == 0 else total.shape[-1]
        np.testing.assert_allclose(total[:, playable, :sets], 1.0, atol=1e-12)
        assert not total[:, ~playable].any()
        assert not total[:, :, sets:].any()
        assert not (found.policy[actor].swapaxes(2, 3)[~allowed[actor]]).any()
    np.testing.assert_allclose(found.wish.sum(axis=-1)[:, playable], 1.0, atol=1e-12)
    assert not found.wish.swapaxes(2, 3)[:, ~game.legal[2]].any()


@named
def test_a_wish_differs_only_where_a_delay_holds(name: str) -> None:
    game, _, found = known(name)
    free = allowed_moves(game._replace(first_support=0, first_fight=0))
    held = (free != allowed_moves(game))[:, 2].any(axis=-1)
    assert (found.wish[~held] == found.policy[2][~held]).all()
    playable = game.legal[0, :, ladder.BACK_DOWN]
    for t, state in np.argwhere(held & playable):
        assert (found.wish[t, state][:, free[t, 2, state]] > 0.0).all()
    # without any delay there is nothing to wish for
    assert held.any() == (game.first_support > 0 or game.first_fight > 0)


# -- worlds ----------------------------------------------------------------------------------------

IN_SCOPE = 0.75
NONE: dict[str, Any] = {"owed": 0.0, "trigger": 8, "first_support": 1, "first_fight": 1}

#: Terms of a pact, beside the situation without: nothing owed, nobody there before round 1.
PACTS: dict[str, dict[str, Any]] = {
    "support in place": {"support": 2, "first_support": 0, "owed": 0.8},
    "a vote and a delay": {"first_fight": 2, "passes": 0.6, "first_support": 1},
    "a promise alone": {"first_support": 1, "first_fight": 1},
    "an estimate": {"estimates": 2, "support": 1},
    "an estimate, private scope": {"estimates": 2, "scopes": 2, "support": 2, "required": 2},
    "material alone": {"owed": 0.0, "trigger": 8, "support": 1, "first_fight": 2},
    "none": NONE,
}
in_every_pact = pytest.mark.parametrize("name", PACTS)


def prepared(games: list[Game]) -> Solved:
    solutions = [solve(game) for game in games]
    return Solved(games, solutions, [everywhere(*pair) for pair in zip(games, solutions, strict=True)])


@cache
def nothing() -> Solved:
    return prepared([crisis_game(rounds=3, **NONE)])


@cache
def pact(name: str) -> Solved:
    settings = {"rounds": 3} | PACTS[name]
    inside = crisis_game(**settings)
    if inside.scope.size == 2:
        return prepared([inside._replace(scope=np.array([1.0 - IN_SCOPE, IN_SCOPE]))])
    if settings.get("owed", 1.0) == 0.0:
        return prepared([inside])
    return prepared([crisis_game(**settings | {"owed": 0.0}), inside])


@cache
def mixed(name: str, channels: int) -> Tables:
    return world(pact(name), nothing(), channels, in_scope=IN_SCOPE)


def parts(table: Tables) -> dict[str, NDArray[Any]]:
    """Return the parts of a world that a channel can change."""
    return {
        "challenger": table.cut[:, :, 0],
        "protege": table.cut[:, :, 1],
        "defender": table.cut[:, :, 2],
        "challenge": table.enter[0],
        "provocation": table.enter[1],
        "rules": table.step,
        "start": table.start,
        "nature": table.nature,
    }


@in_every_pact
def test_full_world_is_the_pact_to_the_last_bit(name: str) -> None:
    full = mixed(name, FULL)
    solved = pact(name)
    alone = tables(solved.games, solved.solutions, in_scope=IN_SCOPE)
    assert (probabilities(full) == probabilities(alone)).all()


@in_every_pact
def test_empty_world_is_no_pact_whatever_the_pact(name: str) -> None:
    alone = tables(nothing().games, nothing().solutions, in_scope=1.0)
    found, expected = probabilities(mixed(name, EMPTY)), probabilities(alone)
    np.testing.assert_allclose(found.sum(axis=1), expected.sum(axis=1), rtol=0, atol=1e-14)
    # whether the dispute is in scope is still told, and moves nothing
    assert found[:, 1].sum() == pytest.approx(IN_SCOPE, abs=1e-13)


@in_every_pact
def test_every_world_is_a_law(name: str) -> None:
    for channels in range(WORLDS):
        found = probabilities(mixed(name, channels))
        assert (found >= 0.0).all()
        assert found.sum() == pytest.approx(1.0, abs=1e-12)


@in_every_pact
@pytest.mark.parametrize(
    ("channel", "own"),
    [
        (DETERRENCE, {"challenger", "challenge"}),
        (EMBOLDENMENT, {"protege", "provocation"}),
        (OBLIGATION, {"defender", "rules"}),
        (CAPABILITY, {"defender", "start", "nature"}),
    ],
)
def test_a_channel_changes_its_own_parts_alone(name: str, channel: int, own: set[str]) -> None:
    moved = set()
    for channels in range(WORLDS):
        if channels & channel:
            before, after = parts(mixed(name, channels & ~channel)), parts(mixed(name, channels))
            moved |= {part for part in before if not np.array_equal(before[part], after[part])}
    assert moved <= own
    if name == "none":
        assert not moved
    if name == "support in place":
        assert moved == own - {"nature"}  # which the small games have in common


def test_a_part_is_that_of_the_pact_where_its_channel_is_on() -> None:
    full, empty = parts(mixed("an estimate", FULL)), parts(mixed("an estimate", EMPTY))
    for channels in range(WORLDS):
        found = parts(mixed("an estimate", channels))
        for bit, part in ((DETERRENCE, "challenger"), (EMBOLDENMENT, "protege"), (OBLIGATION, "rules")):
            expected = full if channels & bit else empty
            assert (found[part] == expected[part]).all()


def test_no_pact_has_one_world() -> None:
    assert len({digest(mixed("none", channels)) for channels in range(WORLDS)}) == 1


def test_a_pact_that_owes_nothing_binds_nobody() -> None:
    for channels in range(WORLDS):
        unbound = mixed("material alone", channels & ~OBLIGATION)
        assert digest(mixed("material alone", channels)) == digest(unbound)
    assert digest(mixed("material alone", FULL)) != digest(mixed("material alone", FULL & ~CAPABILITY))
    assert pact("a promise alone").owes
    assert not pact("material alone").owes


def test_a_promise_with_nothing_material_has_no_capability_to_the_last_bit() -> None:
    for channels in range(WORLDS):
        without = mixed("a promise alone", channels & ~CAPABILITY)
        assert digest(mixed("a promise alone", channels)) == digest(without)


def test_delays_that_both_sides_have_change_nothing_to_the_last_bit() -> None:
    delayed: dict[str, Any] = {"rounds": 4, "types": 3, "support": 2, "first_fight": 3}
    promise = prepared([crisis_game(**delayed)])
    without = prepared([crisis_game(**delayed, owed=0.0, trigger=8)])
    for channels in range(WORLDS):
        pair = [
            world(promise, without, world_, in_scope=1.0) for world_ in (channels, channels & ~CAPABILITY)
        ]
        assert digest(pair[0]) == digest(pair[1])


@in_every_pact
def test_the_defender_moves_only_as_the_material_terms_allow(name: str) -> None:
    held = 0
    for channels in range(WORLDS):
        terms = (pact(name) if channels & CAPABILITY else nothing()).games[0]
        allowed = allowed_moves(terms)[:, 2]
        back, sharp, _ = np.moveaxis(mixed(name, channels).cut[:, :, 2].astype(np.int64), -1, 0)
        for t in range(terms.rounds):
            assert not back[:, t, ~allowed[t, :, ladder.BACK_DOWN]].any()
            assert (sharp[:, t, ~allowed[t, :, ladder.ESCALATE]] == WORDS - 1).all()
            held += np.count_nonzero(~allowed[t, :, ladder.ESCALATE])
    assert held


def test_a_held_defender_keeps_the_proportions_of_its_wish() -> None:
    """Under the delays of the other side, one move may be left, or two."""
    choices, table = pact("support in place").choices[1], mixed("support in place", OBLIGATION)
    state = ladder.pack(4, 2, 0)
    assert table.cut[1, 0, 2, state].tolist() == [[0, WORDS - 1, WORDS - 1]] * 2
    later = mixed("support in place", OBLIGATION).cut[1, 2, 2, state, :, 0] * UNIT
    np.testing.assert_allclose(later, choices.policy[2, 2, state, :, ladder.BACK_DOWN], atol=2 * UNIT)

    # nobody fights before round 2 under the pact; the no-pact defender would from round 1
    table = mixed("a vote and a delay", CAPABILITY)
    wish = nothing().choices[0].wish[1, state]
    back, hold = wish[:, ladder.BACK_DOWN], wish[:, ladder.HOLD]
    assert (wish[:, ladder.ESCALATE] > 0.0).all()
    np.testing.assert_allclose(table.cut[1, 1, 2, state, :, 0] * UNIT, back / (back + hold), atol=2 * UNIT)
    assert (table.cut[1, 1, 2, state, :, 1] == WORDS - 1).all()


def test_partners_without_an_estimate_do_not_heed_it() -> None:
    for channels in range(WORLDS):
        found = parts(mixed("an estimate", channels))
        for bit, part in ((EMBOLDENMENT, "protege"), (OBLIGATION, "defender")):
            seen, unseen = np.split(found[part], 2, axis=3)
            assert (seen == unseen).all() == (not channels & bit)


def test_a_lone_scope_serves_both() -> None:
    for channels in range(WORLDS):
        found = parts(mixed("material alone", channels))
        for part in ("challenger", "protege", "defender", "rules"):
            assert (found[part][0] == found[part][1]).all()


def test_the_channels_are_the_bits_of_a_world() -> None:
    assert sorted([DETERRENCE, EMBOLDENMENT, OBLIGATION, CAPABILITY]) == [1, 2, 4, 8]
    assert worlds.FULL == sum([DETERRENCE, EMBOLDENMENT, OBLIGATION, CAPABILITY]) == WORLDS - 1
