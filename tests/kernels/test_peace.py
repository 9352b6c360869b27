"""The years between crises: the tables, the hand-made contexts, and whether the twin keeps its own rules."""

from __future__ import annotations

import math
from itertools import combinations, pairwise, product
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import reference
from entangle_kernels.ladder import MARKS, RUNGS, pack
from entangle_kernels.peace import (
    ABROGATED_BY_DEFENDER,
    ABROGATED_BY_PROTEGE,
    BREACH,
    ENDED,
    IN_FORCE,
    LAPSE,
    NOTICE_BY_DEFENDER,
    NOTICE_BY_PROTEGE,
    REVIEW,
    SUSPENDED,
    normal_table,
    soft_table,
)
from reference import decades
from reference.decades import History, Pact, Wishes, Year, coordinate, history, life, normal, soft
from reference.decades_games import (
    BLOCKS_VOTES,
    contexts_of,
    equal_classes,
    peace_of,
    tables_of,
)

SEED = 2**63 + 12345  # both halves of the key are in use
FIRST, SIZE, YEARS = 2**32 - 100, 200, 12  # the index of a trajectory needs more than 32 bits on the way
ALWAYS, WORDS = np.uint64(2**32), 2**32
NO_FORMALITIES: dict[str, Any] = {"term": 0, "review": 0, "notice": -1, "suspension": 0}

#: Contexts and what moves between crises.
WORLDS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "every clause": ({}, {}),
    "no clause": ({"types": 3, "estimates": 1}, NO_FORMALITIES),
    "leaves at once": ({"points": (1, 1, 1), "trigger": 1}, NO_FORMALITIES | {"notice": 0}),
    "long notice": ({"points": (3, 1, 2)}, NO_FORMALITIES | {"notice": 4}),
    "votes": (BLOCKS_VOTES, {"suspension": 3, "notice": -1}),
    "no pact": ({"points": (1, 2, 1)}, {"pact": False, "ln_floor": -math.inf}),
}
named = pytest.mark.parametrize("name", WORLDS)


@pytest.fixture(scope="module")
def every() -> dict[str, tuple[Any, Any, list[History]]]:
    found = {}
    for name, (grid, changes) in WORLDS.items():
        contexts, peace = contexts_of(**grid), peace_of(**changes)
        found[name] = contexts, peace, some_of(contexts, peace)
    return found


def some_of(contexts: Any, peace: Any, size: int = SIZE, years: int = YEARS) -> list[History]:
    return [history(contexts, peace, FIRST + i, seed=SEED, years=years) for i in range(size)]


def status_before(peace: Any, found: History) -> list[int]:
    """Return the status in which each year began."""
    return [IN_FORCE if peace.pact else ENDED] + [year.status for year in found.years[:-1]]


def crisis_in(year: Year) -> bool:
    return year.cell is not None and year.cell[2] != decades.NO_CRISIS


def marks_in(year: Year) -> int:
    return year.cell[4] if year.cell is not None else 0


def broken_in(year: Year) -> bool:
    return (marks_in(year) & (decades.OWED | decades.GIVEN | decades.VOTE_BLOCKED)) == decades.OWED


# -- tables


def test_soft_is_within_a_hundred_thousandth_of_what_it_stands_for() -> None:
    for x in np.linspace(-40.0, 40.0, 400_001).tolist():
        assert abs(soft(x) - (max(x, 0.0) + math.log1p(math.exp(-abs(x))))) < 8e-6


def test_soft_never_falls() -> None:
    values = [soft(x) for x in np.linspace(-17.0, 17.0, 50_001).tolist()]
    assert all(before <= after for before, after in pairwise(values))


@pytest.mark.parametrize("x", [-16.0, 16.0, math.nextafter(16.0, 0.0), math.nextafter(-16.0, 0.0), -math.inf])
def test_soft_reads_no_further_than_its_table(x: float) -> None:
    # the last number below 16 is at 2048 steps, once 16 is added to it
    assert abs(soft(x) - max(x, 0.0)) < 2e-7


def test_soft_is_exact_at_the_points_of_its_table() -> None:
    table = soft_table()
    assert table.shape == (2049,)
    for i, x in enumerate(np.arange(-1023, 1024) / 64):
        assert soft(float(x)) == table[i + 1]


def test_normal_has_mean_0_and_variance_1() -> None:
    table = normal_table()
    low, high = table[:-1], table[1:]
    assert table.shape == (4097,)
    # of a variable that is uniform between neighbours, each pair as likely as the next
    assert abs(np.mean(low + high) / 2) < 1e-12
    assert abs(np.mean(low**2 + low * high + high**2) / 3 - 1) < 0.01


def test_normal_is_symmetric_and_rises() -> None:
    table = normal_table()
    assert np.abs(table + table[::-1]).max() < 1e-12
    assert (np.diff(table) > 0).all()
    for word in range(1, WORDS, 10_000_019):
        assert abs(normal(word) + normal(WORDS - word)) < 1e-12


def test_normal_is_the_quantile_of_its_word() -> None:
    inverse = NormalDist().inv_cdf
    for word in range(WORDS // 200, WORDS - WORDS // 200, 10_000_019):
        assert abs(normal(word) - inverse(word / WORDS)) < 2e-4
    assert normal(0) == inverse(0.5 / 4096)
    assert normal(WORDS - 1) <= inverse(1 - 0.5 / 4096)


# -- the hand-made contexts


@named
def test_contexts_have_the_shapes_that_they_promise(name: str, every: Any) -> None:
    contexts, peace, _ = every[name]
    n = 2 * math.prod(contexts.points.tolist())
    types, sets = contexts.types, contexts.types * contexts.estimates
    shapes = {
        "hit": (2, types),
        "faith": (2, types),
        "enter": (n, 2, sets),
        "start": (n, 2),
        "cut": (n, contexts.rounds, 3, 72, sets, 3),
        "nature": (n, 72, 4),
        "step": (2, 4, 72, 5),
        "stay": (n, 4),
        "news": (n, 2),
    }
    assert {field: getattr(contexts, field).shape for field in shapes} == shapes
    kinds = {"hit": np.uint64, "faith": np.uint64, "stay": np.uint64, "start": np.int64, "news": np.float64}
    assert all(getattr(contexts, field).dtype == kind for field, kind in kinds.items())
    assert (contexts.faith[:, 0] == 0).all()
    assert (np.diff(contexts.faith.astype(np.int64)) > 0).all()
    assert peace.loss.shape == (3, RUNGS)
    assert peace.prize.shape == peace.grievance.shape == (2, 8)
    assert ((contexts.inverse == 0) == (contexts.points == 1)).all()


@named
def test_no_two_contexts_are_alike(name: str, every: Any) -> None:
    contexts = every[name][0]
    for i, j in combinations(range(len(contexts.enter)), 2):
        assert (contexts.cut[i] != contexts.cut[j]).any()
        assert (contexts.enter[i] != contexts.enter[j]).any()
    for i in range(len(contexts.enter)):
        for other in {int(np.ravel_multi_index(at, (2, *contexts.points))) for at in turned(contexts, i)}:
            assert (contexts.stay[i] != contexts.stay[other]).any()


def turned(contexts: Any, i: int) -> list[Any]:
    """Return the points that differ from context `i` along one axis of the grid."""
    at = np.array(np.unravel_index(i, (2, *contexts.points)))
    found = []
    for axis in range(3):
        for step in range(1, int(contexts.points[axis])):
            other = at.copy()
            other[axis + 1] = (at[axis + 1] + step) % contexts.points[axis]
            found.append(tuple(other))
    return found


# -- the twin


@pytest.mark.parametrize(
    "grid",
    [
        {"types": 3, "rounds": 6},
        {"types": 1, "estimates": 1},
        {"types": 2, "estimates": 1, "in_scope": 1.0, "trigger": 1},
        BLOCKS_VOTES | {"rounds": 5},
    ],
    ids=["three types", "one type", "always in scope", "votes"],
)
@pytest.mark.parametrize("pact", [True, False])
def test_year_0_in_a_steady_world_is_the_single_crisis(grid: dict[str, Any], pact: bool) -> None:
    faith = [equal_classes(grid.get("types", 2))] * 2
    contexts = contexts_of(points=(1, 1, 1), faith=faith, **grid)
    peace = peace_of(
        shock=0.0, growth=np.zeros(3), react=np.zeros(3), arises=np.full((5, 5), ALWAYS), pact=pact
    )
    tables = [tables_of(contexts, peace, row=row) for row in range(2)]
    ends = set()
    for i in range(400):
        year = history(contexts, peace, FIRST + i, seed=SEED, years=1).years[0]
        assert year.cell is not None
        _, bound, *_ = reference.play(tables[0], FIRST + i, SEED)
        assert year.cell == reference.play(tables[bound], FIRST + i, SEED)
        assert (year.origin, year.bound) == year.cell[:2]
        ends.add((bound, year.cell[2]))
    assert len(ends) >= 5


@pytest.mark.parametrize("pact", [True, False])
def test_where_a_crisis_changes_nothing_every_year_is_the_single_crisis_of_that_year(pact: bool) -> None:
    contexts = contexts_of(points=(1, 1, 1), faith=[equal_classes(2)] * 2, trigger=1)
    contexts = contexts._replace(stay=np.full((2, 4), ALWAYS))
    peace = peace_of(arises=np.full((5, 5), ALWAYS), grievance=np.zeros((2, 8), np.int64), pact=pact)
    peace = peace._replace(suspension=0)
    tables = [tables_of(contexts, peace, row=row) for row in range(2)]
    for i, found in enumerate(some_of(contexts, peace, years=4)):
        for t, year in enumerate(found.years):
            _, bound, *_ = reference.play(tables[0], FIRST + i, SEED, t)
            assert year.cell == reference.play(tables[bound], FIRST + i, SEED, t)


@named
def test_the_first_years_of_a_history_do_not_depend_on_its_length(name: str, every: Any) -> None:
    contexts, peace, found = every[name]
    for i in range(20):
        short = history(contexts, peace, FIRST + i, seed=SEED, years=5)
        assert short.years == found[i].years[:5]


@named
def test_grievances_stay_in_range_and_fade_without_a_crisis(name: str, every: Any) -> None:
    _, peace, histories = every[name]
    seen = set()
    for found in histories:
        before = (0, 0)
        for year in found.years:
            assert all(abs(g) <= 2 for g in year.grievance)
            if crisis_in(year):
                rise = peace.grievance[:, year.cell[2]]
                assert year.grievance == tuple(np.clip(np.array(before) + rise, -2, 2))
            else:
                assert year.grievance == tuple(g - (g > 0) + (g < 0) for g in before)
            before = year.grievance
            seen.add(before)
    assert {g[0] for g in seen} == {g[1] for g in seen} == set(range(-2, 3))


@named
def test_a_pact_that_ended_leaves_its_cause_and_never_comes_back(name: str, every: Any) -> None:
    _, peace, histories = every[name]
    for found in histories:
        for before, after in pairwise(found.years):
            if before.status == ENDED:
                assert (after.status, after.cause) == (ENDED, before.cause)
        for year in found.years:
            assert (year.cause > 0) == (peace.pact and year.status == ENDED)


@named
def test_a_pact_changes_as_its_clauses_let_it(name: str, every: Any) -> None:
    _, peace, histories = every[name]
    for found in histories:
        for i, (before, year) in enumerate(zip(status_before(peace, found), found.years, strict=True)):
            age = i + 1
            change = before, year.status
            if change == (IN_FORCE, SUSPENDED):
                assert peace.suspension > 0
                assert broken_in(year)
            if change == (SUSPENDED, IN_FORCE):
                begun = [y.status for y in found.years[: i + 1]]
                assert begun[-peace.suspension - 1 :] == [SUSPENDED] * peace.suspension + [IN_FORCE]
                assert i == peace.suspension or begun[-peace.suspension - 2] == IN_FORCE
            if before != ENDED and year.status == ENDED:
                assert year.cause != LAPSE or age % peace.term == 0
                assert year.cause != REVIEW or age % peace.review == 0
                assert year.cause != BREACH or (broken_in(year) and peace.suspension == 0)
                if year.cause in {NOTICE_BY_PROTEGE, NOTICE_BY_DEFENDER}:
                    assert 0 <= peace.notice < age
            if broken_in(year) and peace.suspension > 0:
                assert year.status != IN_FORCE


def test_together_the_histories_show_every_cause_and_every_change(every: Any) -> None:
    causes, changes, marks = set(), set(), set()
    for _, peace, histories in every.values():
        for found in histories:
            befores = status_before(peace, found)
            causes |= {year.cause for year in found.years}
            changes |= {(was, year.status) for was, year in zip(befores, found.years, strict=True)}
            marks |= {marks_in(year) for year in found.years}
    assert causes == set(range(8))
    assert changes == set(product(range(3), repeat=2)) - {(ENDED, IN_FORCE), (ENDED, SUSPENDED)}
    assert {decades.OWED, decades.OWED | decades.GIVEN} <= marks
    assert any(mark & decades.OWED and mark & decades.VOTE_BLOCKED for mark in marks)
    assert marks <= set(range(MARKS))


@named
def test_only_a_dispute_under_a_pact_in_force_is_bound(name: str, every: Any) -> None:
    contexts, peace, histories = every[name]
    bound, in_force = 0, 0
    for found in histories:
        for before, year in zip(status_before(peace, found), found.years, strict=True):
            assert not year.bound or (year.arose and before == IN_FORCE)
            assert (year.cell is not None) == year.arose == (year.origin in {0, 1})
            if year.cell is not None:
                assert year.cell[:2] == (year.origin, year.bound)
                assert year.bound or not marks_in(year) & decades.OWED
                in_force += before == IN_FORCE
                bound += year.bound
    assert bound == in_force == 0 or 0 < bound < in_force
    assert contexts.scope < ALWAYS


@named
def test_the_floor_holds_while_the_pact_is_in_force(name: str, every: Any) -> None:
    _, peace, histories = every[name]
    below = 0
    for found in histories:
        for before, year in zip(status_before(peace, found), found.years, strict=True):
            assert before != IN_FORCE or year.u[1] >= peace.ln_floor
            below += year.u[1] < peace.ln_floor
    assert below > 0 or not peace.pact or name == "no clause"


@named
def test_belief_moves_with_what_was_owed_alone(name: str, every: Any) -> None:
    contexts, peace, histories = every[name]
    for found in histories:
        odds = peace.odds
        for year in found.years:
            assert year.odds == odds
            odds = year.odds_after
            if broken_in(year):
                assert odds < year.odds
            elif marks_in(year) & decades.OWED and marks_in(year) & decades.GIVEN:
                assert odds > year.odds
            else:
                assert odds == year.odds
            steps = [odds - year.odds - news for news in contexts.news.ravel()]
            assert odds == year.odds or min(map(abs, steps)) < 1e-12


@named
def test_places_are_on_the_grid_and_all_of_them_are_met(name: str, every: Any) -> None:
    contexts, _, histories = every[name]
    seen = {year.place for found in histories for year in found.years}
    assert seen == set(product(*(range(count) for count in contexts.points.tolist())))


@named
def test_capability_is_last_years_plus_what_was_built(name: str, every: Any) -> None:
    _, peace, histories = every[name]
    for found in histories:
        before, prizes = (0.0, 0.0, 0.0), [0.0, 0.0, 0.0]
        for age, year in enumerate(found.years):
            for i in range(3):
                off_trend = before[i] - (age * peace.growth[i] + prizes[i])
                built = before[i] + peace.growth[i] + peace.build * (year.u[i] - off_trend)
                assert year.k[i] == pytest.approx(built, abs=1e-13)
            if crisis_in(year):
                for i in range(2):
                    prizes[i] += float(peace.prize[i, year.cell[2]])
            else:
                assert year.k_after == year.k
            before = year.k_after


def test_capability_settles_where_trend_and_effort_hold_it() -> None:
    """After many years of one effort, a log point of effort is a log point of capability above the trend."""
    peace = peace_of(growth=np.array([0.02, 0.0, -0.01]))
    k = trend = (0.0, 0.0, 0.0)
    for _ in range(400):
        k = decades.capabilities(peace, k, (0.3, -0.2, 0.0), trend)
        trend = decades.grown(peace, trend)
    assert k == pytest.approx((8.0 + 0.3, -0.2, -4.0), abs=1e-9)


def test_efforts_follow_the_formulas_with_real_logarithms() -> None:
    peace = peace_of(shock=0.0, ln_floor=-math.inf)
    k, u, odds = (0.3, -0.2, 0.15), (0.1, -0.1, 0.05), -0.7
    belief = 1 / (1 + math.exp(-odds))
    # what both can bring together over what the protégé has itself, shares and the start in round figures
    together = 1 + 0.6 * belief * 2.5 * math.exp(k[2] - k[1])
    for status, lean in [(IN_FORCE, math.log(together)), (SUSPENDED, 0.0), (ENDED, 0.0)]:
        found = decades.efforts(peace, k, u, odds, Pact(status), (0, 0, 0, 0))
        expected = (
            0.7 * u[0] + 0.3 * (0.4 * (k[1] + lean)),
            0.7 * u[1] + 0.3 * (0.5 * k[0] - 0.2 * lean),
            0.7 * u[2] + 0.3 * (0.15 * k[0]),
        )
        assert found == pytest.approx(expected, abs=1e-5)


def test_a_world_without_shocks_growth_or_disputes_stands_still() -> None:
    still = np.zeros(3)
    peace = peace_of(
        shock=0.0, growth=still, react=still, free_riding=0.0, ln_floor=-math.inf,
        arises=np.zeros((5, 5), np.uint64),
    )  # fmt: skip
    for found in some_of(contexts_of(points=(1, 1, 1)), peace, size=20):
        for year in found.years:
            assert not year.arose
            assert year.k == year.u == year.k_after == (0.0, 0.0, 0.0)
            assert year.grievance == (0, 0)
            assert year.odds == year.odds_after == peace.odds


@pytest.mark.parametrize("steadfast", [0, 1])
def test_the_disposition_is_certain_where_its_threshold_says_so(steadfast: int) -> None:
    contexts = contexts_of(points=(1, 1, 1))
    peace = peace_of(steadfast=np.uint64(steadfast * WORDS))
    assert all(found.steadfast == steadfast for found in some_of(contexts, peace, years=1))


@pytest.mark.parametrize("steadfast", [0, 1])
def test_the_defenders_class_begins_at_its_threshold(steadfast: int) -> None:
    contexts = contexts_of(points=(1, 1, 1), types=3, estimates=1)
    for c, first in enumerate(contexts.faith[steadfast].tolist()):
        assert decades.private_types(contexts, True, steadfast, (0, 0, first, 0))[2] == c
        if first:
            assert decades.private_types(contexts, True, steadfast, (0, 0, first - 1, 0))[2] == c - 1


class Grid:
    """An axis of four points from -1 to 2, one of a single point, one of two from 0 to 0.1."""

    points = np.array([4, 1, 2])
    lowest = np.array([-1.0, 0.25, 0.0])
    inverse = np.array([1.0, 0.0, 10.0])


class HalfWay:
    """Two points an axis, 0 half way between them."""

    points = np.full(3, 2)
    lowest = np.full(3, -1.0)
    inverse = np.full(3, 0.5)


def test_the_axes_are_both_others_over_the_challenger_and_the_odds() -> None:
    k, odds = (0.4, 1.5, -0.3), 0.7

    class Axes:
        points = np.full(3, 1001)
        lowest = np.full(3, -5.0)
        inverse = np.full(3, 100.0)

    found = decades.place(Axes, k, odds, (WORDS // 2,) * 4)
    assert np.array(found) / 100 - 5 == pytest.approx([1.1, -0.7, 0.7], abs=0.01)
    for axis in range(3):
        words = [0] * 4  # at half way, 0 picks the upper neighbour and the last word the lower
        words[axis] = WORDS - 1
        mixed = decades.place(HalfWay, (0.0, 0.0, 0.0), 0.0, (words[0], words[1], words[2], words[3]))
        assert mixed == tuple(int(other != axis) for other in range(3))


def test_whether_for_whom_and_where_a_dispute_arises_are_words_of_their_own() -> None:
    contexts, pact = contexts_of(points=(1, 1, 1)), Pact(IN_FORCE)
    peace = peace_of(
        arises=np.arange(1000, 3500, 100, dtype=np.uint64).reshape(5, 5),
        origin=np.arange(5000, 7500, 100, dtype=np.uint64).reshape(5, 5),
    )
    scope = int(contexts.scope)

    def dispute(*words: int, pact: Pact = pact) -> Any:
        grievance = (-1, 2)  # row 1, column 4
        return decades.dispute_of(
            contexts, peace, grievance, pact, (0, 0, 0), (words[0], words[1], 0, words[2])
        )

    assert dispute(0, 0, 1900) is None
    assert dispute(5899, scope - 1, 1899) == (0, True, 1)
    assert dispute(5900, scope - 1, 1899) == (1, True, 1)
    assert dispute(5899, scope, 1899) == (0, False, 0)
    assert dispute(5899, scope - 1, 1899, pact=Pact(SUSPENDED)) == (0, False, 0)


@pytest.mark.parametrize("support", range(4))
def test_a_crisis_wears_the_defender_only_if_it_fights(support: int) -> None:
    loss, prize = np.arange(27.0).reshape(3, 9), 100.0 * np.arange(16.0).reshape(2, 8)
    crisis = decades.Crisis(end=4, state=pack(5, support, 1), marks=0)
    peace = peace_of(loss=loss, prize=prize)
    found = decades.worn(peace, (1000.0, 2000.0, 3000.0), crisis)
    assert found == (1000.0 - 5, 2000.0 - 14, 3000.0 - (23 if support == 3 else 0))
    assert decades.taken(peace, found, crisis) == (found[0] + 400, found[1] + 1200, found[2])


@given(st.floats(-5.0, 5.0), st.sampled_from([0, 1, 2]))
def test_a_neighbour_is_picked_with_linear_weights(x: float, axis: int) -> None:
    picks = [coordinate(Grid, axis, x, word) for word in range(0, WORDS, WORDS // 256)]
    exact = (x - Grid.lowest[axis]) * Grid.inverse[axis]
    assert max(picks) - min(picks) <= 1
    assert abs(sum(picks) / 256 - np.clip(exact, 0, Grid.points[axis] - 1)) <= 1 / 256


def test_a_point_of_the_grid_is_itself() -> None:
    for word in (0, 1, WORDS - 1):
        assert [coordinate(Grid, 0, x, word) for x in (-1.0, 0.0, 1.0, 2.0)] == [0, 1, 2, 3]
        assert coordinate(Grid, 1, 7.0, word) == 0


# -- the life of a pact

STAY, BOTH_LEAVE = Wishes(True, True, False), Wishes(False, False, False)
PROTEGE_LEAVES, DEFENDER_LEAVES = Wishes(False, True, False), Wishes(True, False, False)


def lived(peace: Any, *years: tuple[Wishes, bool]) -> list[tuple[int, int]]:
    """Return status and cause after each year, given wishes and whether a promise was broken."""
    pact, found = Pact(IN_FORCE), []
    for wishes, breached in years:
        pact = life(peace, pact, wishes, breached=breached)
        found.append((pact.status, pact.cause))
    return found


@pytest.mark.parametrize("notice", [0, 1, 3])
@pytest.mark.parametrize(
    ("wishes", "cause"),
    [
        (PROTEGE_LEAVES, NOTICE_BY_PROTEGE),
        (DEFENDER_LEAVES, NOTICE_BY_DEFENDER),
        (BOTH_LEAVE, NOTICE_BY_DEFENDER),
    ],
)
def test_notice_counts_down_whatever_is_wished_later(notice: int, wishes: Wishes, cause: int) -> None:
    peace = peace_of(**NO_FORMALITIES | {"notice": notice})
    others = [(STAY, False), (BOTH_LEAVE, False), (PROTEGE_LEAVES, False), (STAY, False)]
    found = lived(peace, (STAY, False), (wishes, False), *others)
    assert found == [(IN_FORCE, 0)] * (1 + notice) + [(ENDED, cause)] * (5 - notice)


@pytest.mark.parametrize("notice", [-1, 0, 2])
def test_notice_in_whole_histories_ends_the_pact_in_the_year_that_it_must(notice: int) -> None:
    contexts = contexts_of(points=(1, 1, 1))
    contexts = contexts._replace(stay=np.array([[0] * 4, [WORDS, 0, WORDS, WORDS]], np.uint64))
    peace = peace_of(**NO_FORMALITIES | {"notice": notice})
    for found in some_of(contexts, peace, size=20, years=5):
        lasts = notice if notice >= 0 else 5
        states = [(IN_FORCE, 0)] * lasts + [(ENDED, NOTICE_BY_DEFENDER)] * (5 - lasts)
        assert [(year.status, year.cause) for year in found.years] == states


def test_a_suspension_lasts_its_years_and_breaks_nothing_else() -> None:
    peace = peace_of(**NO_FORMALITIES | {"suspension": 2})
    found = lived(peace, (BOTH_LEAVE, True), *[(BOTH_LEAVE, False)] * 2, (STAY, True), (STAY, False))
    assert [status for status, _ in found] == [SUSPENDED, SUSPENDED, IN_FORCE, SUSPENDED, SUSPENDED]


def test_a_breach_without_suspension_is_for_the_protege_to_answer() -> None:
    peace = peace_of(**NO_FORMALITIES)
    assert lived(peace, (DEFENDER_LEAVES, True)) == [(IN_FORCE, 0)]
    assert lived(peace, (PROTEGE_LEAVES, True)) == [(ENDED, BREACH)]
    assert lived(peace, (PROTEGE_LEAVES, False)) == [(IN_FORCE, 0)]


def test_a_term_asks_both_and_comes_before_a_review() -> None:
    peace = peace_of(**NO_FORMALITIES | {"term": 2, "review": 2, "renegotiation": ALWAYS})
    willing = Wishes(False, True, True)
    assert lived(peace, (willing, False), (STAY, False)) == [(IN_FORCE, 0)] * 2
    assert lived(peace, (STAY, False), (willing, False)) == [(IN_FORCE, 0)] * 2  # on other words
    unwilling = Wishes(False, True, False)
    assert lived(peace, (STAY, False), (unwilling, False)) == [(IN_FORCE, 0), (ENDED, LAPSE)]


def test_a_review_is_survived_by_renegotiation_which_keeps_notice_away() -> None:
    peace = peace_of(**NO_FORMALITIES | {"review": 1, "notice": 0})
    assert lived(peace, (Wishes(False, True, True), False)) == [(IN_FORCE, 0)]
    assert lived(peace, (DEFENDER_LEAVES, False)) == [(ENDED, REVIEW)]
    assert lived(peace, (STAY, False)) == [(IN_FORCE, 0)]


def test_a_broken_promise_ends_a_pact_before_its_term_does_and_notice_before_both() -> None:
    peace = peace_of(**NO_FORMALITIES | {"term": 2, "notice": 1})
    assert lived(peace, (STAY, False), (BOTH_LEAVE, True))[-1] == (ENDED, BREACH)
    assert lived(peace, (STAY, False), (DEFENDER_LEAVES, True))[-1] == (ENDED, LAPSE)
    assert lived(peace, (PROTEGE_LEAVES, False), (BOTH_LEAVE, True))[-1] == (ENDED, NOTICE_BY_PROTEGE)


@pytest.mark.parametrize(
    ("keeps", "cause"),
    [
        ((False, True), ABROGATED_BY_PROTEGE),
        ((True, False), ABROGATED_BY_DEFENDER),
        ((False, False), ABROGATED_BY_DEFENDER),
    ],
)
def test_a_pact_without_a_way_out_can_be_abrogated_and_others_cannot(
    keeps: tuple[bool, bool], cause: int
) -> None:
    breaks = Wishes(False, False, False, *keeps)
    assert lived(peace_of(**NO_FORMALITIES), (BOTH_LEAVE, False), (breaks, False)) == [
        (IN_FORCE, 0),
        (ENDED, cause),
    ]
    assert lived(peace_of(**NO_FORMALITIES | {"notice": 2}), (breaks, False)) == [(IN_FORCE, 0)]
    # whoever is asked at a term or a review has a way out
    assert lived(peace_of(**NO_FORMALITIES | {"term": 1}), (breaks, False)) == [(ENDED, LAPSE)]
    assert lived(peace_of(**NO_FORMALITIES | {"review": 1}), (breaks._replace(success=True), False)) == [
        (IN_FORCE, 0)
    ]


wishes_drawn = st.builds(
    lambda protege, defender, success, keeps: Wishes(
        protege, defender, success, protege or keeps[0], defender or keeps[1]
    ),
    st.booleans(), st.booleans(), st.booleans(), st.tuples(st.booleans(), st.booleans()),
)  # fmt: skip


@given(
    st.integers(0, 4), st.integers(0, 4), st.integers(-1, 3), st.integers(0, 3),
    st.lists(st.tuples(wishes_drawn, st.booleans()), max_size=15),
)  # fmt: skip
def test_whatever_befalls_it_a_pact_keeps_its_counts(
    term: int, review: int, notice: int, suspension: int, years: list[tuple[Wishes, bool]]
) -> None:
    peace = peace_of(term=term, review=review, notice=notice, suspension=suspension)
    pact = Pact(IN_FORCE)
    for wishes, owed in years:
        before = pact
        breached = owed and before.status == IN_FORCE
        pact = life(peace, pact, wishes, breached=breached)
        if before.status == ENDED:
            assert pact == before
            continue
        assert pact.age == before.age + 1
        assert (pact.status == ENDED) == (pact.cause > 0)
        assert (pact.status == SUSPENDED) <= (0 < pact.pause <= suspension)
        if before.notice > 0:
            assert pact.notice == before.notice - 1
            assert pact.notice > 0 or pact.status == ENDED
        elif pact.notice != -1:
            assert pact.notice == notice > 0
            assert not (wishes.protege and wishes.defender)
        if before.status == SUSPENDED and pact.status != ENDED:
            assert pact.pause == before.pause - 1
            assert (pact.status == IN_FORCE) == (pact.pause == 0)
        if wishes.protege and wishes.defender:
            assert pact.cause in {0, NOTICE_BY_PROTEGE, NOTICE_BY_DEFENDER}
