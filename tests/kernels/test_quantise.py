"""Probabilities as thresholds: what is lost, what must not be lost, and what the digest sees."""

from __future__ import annotations

import numpy as np
import pytest

import reference
from entangle_kernels import ladder
from entangle_kernels.equilibrium import solve
from entangle_kernels.quantise import Tables, digest, quantise, tables, type_weights
from reference.games import crisis_game, crisis_tables

WORDS = 2**32
UNIT = 1.0 / WORDS


def test_quantise_goes_to_the_nearest_multiple() -> None:
    values = np.array([0.0, 1.0, 0.25, 1e-11, 1.2e-10, 1.0 - 1e-12, 1 / 3])
    found = quantise(values)
    assert (found * WORDS == np.rint(found * WORDS)).all()
    assert np.abs(found - values).max() <= UNIT / 2
    assert found[:3].tolist() == [0.0, 1.0, 0.25]
    assert found[3] == 0.0
    assert found[4] == UNIT
    assert (quantise(found) == found).all()


@pytest.mark.parametrize("types", range(1, 10))
def test_weights_of_types_count_the_words_of_each(types: int) -> None:
    weights = type_weights(types)
    assert weights.tolist() == reference.type_weights(types)
    assert weights.sum() == 1.0
    assert np.abs(weights - 1.0 / types).max() < UNIT
    # at the words where the class changes, the simulator's rule agrees
    first = 0
    for k, weight in enumerate(weights):
        last = first + int(weight * WORDS) - 1
        assert (first * types >> 32, last * types >> 32) == (k, k)
        first = last + 1
    assert first == WORDS


def chances_of(table: Tables, scope: int, t: int, actor: int, state: int, own: int) -> list[float]:
    """Return back down, hold, escalate (vote lost or won together), from the thresholds."""
    back, sharp, _ = (int(cut) for cut in table.cut[scope, t, actor, state, own])
    return [back * UNIT, (sharp + 1 - back) * UNIT, (WORDS - 1 - sharp) * UNIT]


def test_thresholds_are_the_policy_to_within_rounding() -> None:
    game = crisis_game(rounds=2, estimates=2, support=2, passes=0.6)
    solution = solve(game)
    table = tables([game], [solution], in_scope=1.0)
    compared = 0
    for actor in range(3):
        for t, state, own in zip(*np.nonzero(solution.policy[actor].sum(axis=-1)), strict=True):
            found = chances_of(table, 1, t, actor, state, own)
            assert found == pytest.approx(solution.policy[actor, t, state, own], abs=2 * UNIT)
            compared += 1
    assert compared > 100
    # the challenger cannot see the partners' estimate: both halves of its columns are the same
    assert (table.cut[:, :, 0, :, :2] == table.cut[:, :, 0, :, 2:]).all()


def test_vote_splits_the_commitment() -> None:
    game = crisis_game(rounds=2, support=2, passes=0.6)
    solution = solve(game)
    table = tables([game], [solution], in_scope=1.0)
    state = ladder.pack(3, 2, 0)
    commit = solution.policy[2, 1, state, 0, ladder.ESCALATE]
    passed = (WORDS - 1 - int(table.cut[1, 1, 2, state, 0, 2])) * UNIT
    assert commit > 0.1
    assert passed == pytest.approx(0.6 * commit, abs=2 * UNIT)


def test_impossible_moves_have_no_word() -> None:
    game = crisis_game(rounds=3, first_support=1, first_fight=2, nuclear=(False, False, False))
    table = tables([game], [solve(game)], in_scope=1.0)
    for state in range(ladder.STATES):
        for actor in range(3):
            for t in range(3):
                back, hold, sharp = chances_of(table, 1, t, actor, state, 0)
                assert back == 0.0 or game.legal[actor, state, 0]
                assert sharp == 0.0 or game.legal[actor, state, 2]
                assert hold >= 0.0
        assert chances_of(table, 1, 0, 2, state, 0) == [0.0, 1.0, 0.0]
        # nature takes no rung that nobody could climb
        if not game.legal[3, state, 2]:
            assert int(table.nature[state, 3]) == int(table.nature[state, 2])


def test_certain_moves_keep_all_words_but_one() -> None:
    # thresholds of 32 bits cannot say "always"; the exact pass reads the same word
    game = crisis_game(rounds=1, types=1)
    solution = solve(game)
    policy = np.zeros_like(solution.policy)
    policy[0, ..., ladder.ESCALATE] = policy[1, ..., ladder.BACK_DOWN] = 1.0
    policy[2, ..., ladder.HOLD] = 1.0
    table = tables([game], [solution._replace(policy=policy)], in_scope=1.0)
    state = ladder.pack(1, 0, 0)
    assert chances_of(table, 1, 0, 0, state, 0) == [0.0, UNIT, 1.0 - UNIT]
    assert chances_of(table, 1, 0, 1, state, 0) == [1.0 - UNIT, UNIT, 0.0]
    assert chances_of(table, 1, 0, 2, state, 0) == [0.0, 1.0, 0.0]


def test_nature_keeps_every_chance() -> None:
    game = crisis_game(rounds=1)
    table = tables([game], [solve(game)], in_scope=1.0)
    for state in range(ladder.STATES):
        cool, won, accident, lost = (int(cut) for cut in table.nature[state])
        found = [
            cool * UNIT,
            (won - cool) * UNIT,
            (accident + 1 - won) * UNIT,
            (lost - accident) * UNIT,
            (WORDS - 1 - lost) * UNIT,
        ]
        assert found == pytest.approx(game.nature[state], abs=2 * UNIT)


def test_nature_that_never_rests_keeps_its_order() -> None:
    game = crisis_game(rounds=1, types=1)
    nature = np.zeros_like(game.nature)
    nature[:] = [1 / 3, 1 / 6, 0.0, 1 / 6, 1 / 3]
    solution = solve(game)
    table = tables([game._replace(nature=nature)], [solution], in_scope=1.0)
    cool, won, accident, lost = (int(cut) for cut in table.nature[0])
    assert 0 < cool < won <= accident + 1 <= lost + 1 < WORDS
    assert accident + 1 - won <= 2


def test_private_scope_reads_its_own_policies() -> None:
    game = crisis_game(rounds=2, scopes=2, estimates=2, trigger=1, required=1)
    solution = solve(game)
    table = tables([game], [solution], in_scope=0.5)
    state = ladder.pack(1, 0, 0)
    for scope in (0, 1):
        for own in range(4):
            found = chances_of(table, scope, 0, 2, state, own)
            expected = solution.policy[2, 0, state, scope * 4 + own]
            assert found == pytest.approx(expected, abs=2 * UNIT)
    assert (table.cut[0, 0, 2, state] != table.cut[1, 0, 2, state]).any()
    assert (table.cut[0, :, 0] == table.cut[1, :, 0]).all()  # the challenger does not know the scope
    owed = ladder.OBLIGATION_ACTIVE << ladder.MARK_SHIFT
    assert not (table.step[0] & owed).any()
    assert (table.step[1] & owed).any()


def test_digest_sees_every_number() -> None:
    table = crisis_tables(rounds=1, estimates=2)
    plain = digest(table)
    assert plain == digest(Tables(*table))
    seen = {plain}
    for name, value in zip(table._fields, table, strict=True):
        array = np.array(value)  # a copy
        array.reshape(-1)[-1] ^= array.dtype.type(1)
        changed = array if array.ndim else array[()]
        seen.add(digest(table._replace(**{name: changed})))
    assert len(seen) == 1 + len(table._fields)
