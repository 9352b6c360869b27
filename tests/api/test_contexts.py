"""Solved contexts: what a history reads, how far it is off, and the same bits however they come about."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from dataclasses import fields
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from entangle import contexts as engine
from entangle.context_grid import ORIGIN, UNITS, Axis, Grid, inwards, outwards, way_out
from entangle.contexts import Field, SolvedContexts, solve_contexts
from entangle.errors import ConvergenceError, StudyError
from entangle.expectations import LOUDEST, loudness
from entangle.lowering import Setting, game, lower
from entangle.lowering.levers import Context
from entangle.outcomes import OUTCOMES
from entangle.outlook import outlook, sixteen
from entangle.solve_cache import SolveCache, key_of
from entangle.study import Study
from entangle_kernels import equilibrium, exact, quantise, worlds
from entangle_kernels.follow import follow
from entangle_kernels.game import allowed_moves, live_states
from entangle_kernels.peace import Contexts
from small_studies import small

ROOT = Path(__file__).resolve().parents[2]


def study(**changes: Any) -> Study:
    pacts = {
        "none": {},
        "treaty": {"commitment": "defence", "coverage": 0.75, "intelligence": 0.5},
        "ambiguous": {"commitment": "defence", "coverage": 0.75, "intelligence": 0.5, "ambiguous": True},
    }
    return small(pacts=pacts, **changes)


@pytest.fixture(autouse=True)
def no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENTANGLE_CACHE", "off")


@pytest.fixture(scope="module")
def solved() -> SolvedContexts:
    return solve_contexts(study(), "treaty", cache=SolveCache(None), workers=1)


def contexts_of(solved: SolvedContexts) -> Contexts:
    """Return what a history reads."""
    return outlook(solved, rivals=False).contexts


def assert_same(one: Contexts, other: Contexts) -> None:
    for name, ours, theirs in zip(one._fields, one, other, strict=True):
        assert np.array_equal(ours, theirs), name


# -- the grid ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("unit", UNITS)
def test_axes_cover_their_range_with_the_start_among_their_points(unit: float) -> None:
    draw = random.Random(1)
    for _ in range(200):
        low, high = -draw.uniform(0, 2) * draw.randint(0, 1), draw.uniform(1e-3, 2)
        axis = Axis.covering(low, high, unit=unit)
        for _ in range(3):
            points = axis.points
            assert 0.0 in points
            assert points[0] <= low
            assert high <= points[-1]
            assert len(points) >= 2
            assert np.allclose(np.diff(points), axis.spacing, rtol=0, atol=0)
            finer = axis.halved()
            assert {p for p in points if low <= p <= high} <= set(finer.points)
            axis = finer


def test_an_axis_that_cannot_move_has_one_point() -> None:
    assert Axis.covering(0.0, 0.0, unit=3.0).points == [0.0]


def test_the_way_out_stays_on_coarser_points() -> None:
    grid = Grid((Axis(-0.6, 0.2, 0.125), Axis(-0.1, 0.4, 0.25), Axis(-3, 3, 0.75)))
    points = set(grid.points)
    for point in points:
        way = way_out(point)
        assert way[0] == ORIGIN
        assert set(way) <= points
        assert all(inwards(b) == a for a, b in pairwise(way))
        beyond = outwards(point)
        assert (beyond is None) == (point == ORIGIN)
        if beyond is not None:
            assert len(way_out(beyond)) <= len(way)


def test_interpolation_is_that_of_the_simulator() -> None:
    """Linear on each axis: exact for products of linear functions, and constant outside."""
    grid = Grid((Axis(-0.5, 0.25, 0.25), Axis(0.0, 0.0, 1.0), Axis(-3, 3, 1.5)))
    values = np.array([(1 + x) * (2 - z) for x, _, z in grid.points]).reshape(1, *grid.shape)
    draw = random.Random(2)
    for _ in range(50):
        x, z = draw.uniform(-0.5, 0.25), draw.uniform(-3, 3)
        assert grid.interpolated(values, (x, 9.0, z))[0] == pytest.approx((1 + x) * (2 - z))
    assert grid.interpolated(values, (7.0, 0.0, -9.0))[0] == pytest.approx(1.25 * 5)
    assert max(grid.predicted_errors(values)) < 1e-12


def test_predicted_errors_of_a_square_are_exact() -> None:
    grid = Grid((Axis(-1, 1, 0.25), Axis(-1, 1, 0.5), Axis(0.0, 0.0, 3.0)))
    values = np.array([x * x + 3 * y * y for x, y, _ in grid.points]).reshape(1, *grid.shape)
    predicted = grid.predicted_errors(values)
    assert predicted == pytest.approx([0.125**2, 3 * 0.25**2, 0.0])
    centre = grid.worst_centres(values, 1)[0]
    missed = grid.interpolated(values, centre)[0] - (centre[0] ** 2 + 3 * centre[1] ** 2)
    assert missed == pytest.approx(sum(predicted))


# -- what a history reads ---------------------------------------------------------------------------


def test_shapes_and_types_are_those_that_the_simulator_reads(solved: SolvedContexts) -> None:
    made = contexts_of(solved)
    n0, n1, n2 = solved.grid.shape
    n, k, e, t, states = 2 * n0 * n1 * n2, 2, 2, 4, 72
    expected = {
        "lowest": ((3,), np.float64),
        "inverse": ((3,), np.float64),
        "points": ((3,), np.int64),
        "hit": ((2, k), np.uint64),
        "scope": ((), np.uint64),
        "faith": ((2, k), np.uint64),
        "enter": ((n, 2, e * k), np.uint32),
        "start": ((n, 2), np.int64),
        "cut": ((n, t, 3, states, e * k, 3), np.uint32),
        "nature": ((n, states, 4), np.uint32),
        "step": ((2, 4, states, 5), np.uint16),
        "stay": ((n, 4), np.uint64),
        "news": ((n, 2), np.float64),
    }
    assert (made.types, made.estimates, made.rounds) == (k, e, t)
    for name, (shape, dtype) in expected.items():
        array = getattr(made, name)
        assert array.shape == shape, name
        assert array.dtype == dtype, name
        assert not isinstance(array, np.ndarray) or array.flags.c_contiguous, name
    assert made.points.tolist() == [n0, n1, n2]
    assert made.scope == 3 * 2**30
    assert made.lowest.tolist() == [axis.points[0] for axis in solved.grid.axes]
    assert made.inverse.tolist() == [1 / axis.spacing for axis in solved.grid.axes]


def test_a_context_holds_the_thresholds_of_its_own_game(solved: SolvedContexts) -> None:
    whole = study()
    setting = Setting.of(whole)
    made = contexts_of(solved)
    half = len(made.start) // 2
    for place in (0, half // 2, half - 1):
        local, backing, odds = solved.grid.points[place]
        for bound, pact in enumerate(("none", "treaty")):
            levers = lower(whole.pacts[pact], setting)
            one = game(levers, setting, scopes=(1.0,), context=Context(local, backing, odds))
            cold = quantise.tables([one], [equilibrium.solve(one)], in_scope=1.0)
            at = bound * half + place
            times = 2 // cold.estimates
            for ours, theirs in (
                (made.cut[at], np.tile(cold.cut[1], (1, 1, 1, times, 1))),
                (made.enter[at], np.tile(cold.enter[:, 1], (1, times))),
            ):
                # warm and cold searches agree to 1e-9, which is about 4 words
                assert np.abs(ours.astype(np.int64) - theirs.astype(np.int64)).max() <= 5
            assert np.array_equal(made.nature[at], cold.nature)
            assert np.array_equal(made.start[at], cold.start)
            assert np.array_equal(made.step[bound], cold.step[1])
            assert np.array_equal(made.hit[bound], cold.hit)


def test_help_speaks_for_a_steadfast_defender(solved: SolvedContexts) -> None:
    free, bound = np.split(contexts_of(solved).news, 2)
    assert (free == 0).all()
    assert (bound[:, 0] > 0).all()
    assert (bound[:, 1] < 0).all()
    assert np.abs(bound).max() <= LOUDEST


@pytest.mark.parametrize(
    ("steadfast", "wavering", "news"),
    [(0.0, 0.0, 0.0), (0.1, 0.0, 3.0), (0.0, 0.1, -3.0), (0.9, 1e-6, 3.0), (0.2, 0.1, np.log(2))],
)
def test_news_is_bounded(steadfast: float, wavering: float, news: float) -> None:
    assert loudness(steadfast, wavering) == pytest.approx(news)


def test_news_is_bayes_rule(solved: SolvedContexts) -> None:
    """The probability of help under a belief is the mixture of those under the dispositions."""
    answer = solved.bound[ORIGIN]
    help_ = next(outcome.event for outcome in OUTCOMES if outcome.name == "reliability")
    each = [
        exact.probabilities(answer.tables, defender=row)[help_].sum() for row in solved.bound.dispositions
    ]
    both = exact.probabilities(answer.tables, defender=answer.game.prior[2])
    assert both[help_].sum() == pytest.approx(sum(each) / 2, abs=1e-9)
    at = solved.grid.points.index(ORIGIN) + len(solved.grid.points)
    assert contexts_of(solved).news[at, 0] == pytest.approx(np.log(each[1] / each[0]))


def test_without_a_promise_there_is_no_belief_to_move() -> None:
    found = solve_contexts(study(), "none")
    assert found.grid.shape[2] == 1
    assert (contexts_of(found).news == 0).all()
    free, bound = np.split(contexts_of(found).cut, 2)
    assert np.array_equal(free, bound)
    # a pact that brings nothing and costs something is kept out of attachment alone
    attached = 2**32 / (1.0 + np.exp(-study().peacetime.attachment))
    assert (contexts_of(found).stay[len(free) :, :2] < attached).all()


def test_upkeep_falls_on_who_pays_it() -> None:
    terms = {"commitment": "defence", "access": "permanent", "forces": 0.5}
    found = []
    for share in (0.0, 1.0):
        whole = small(pacts={"treaty": terms | {"host_support": share}})
        found.append(contexts_of(solve_contexts(whole, "treaty")).stay)
    half = len(found[0]) // 2
    protege, defender = 0, 1
    assert (found[0][half:, protege] > found[1][half:, protege]).all()
    assert (found[0][half:, defender] < found[1][half:, defender]).all()


def test_an_ambiguous_pact_is_taken_to_be_public(solved: SolvedContexts) -> None:
    assert_same(contexts_of(solve_contexts(study(), "ambiguous")), contexts_of(solved))


def test_worlds_take_each_channel_from_its_side(solved: SolvedContexts) -> None:
    half = len(solved.grid.points)
    sixteen_worlds = sixteen(solved)
    full, empty = sixteen_worlds[worlds.FULL], sixteen_worlds[worlds.EMPTY]
    assert_same(full._replace(cut=contexts_of(solved).cut), contexts_of(solved))
    for field, made, theirs in (
        (solved.bound, full, contexts_of(solved).cut[half:]),
        (solved.free, empty, contexts_of(solved).cut[:half]),
    ):
        one = field[ORIGIN].game
        live = live_states(one, allowed_moves(one))[:, :3]  # elsewhere a world says what would be done
        assert live.sum() > 100
        assert np.array_equal(made.cut[half:, live], theirs[:, live])
        assert np.array_equal(made.cut[:half], contexts_of(solved).cut[:half])
    assert (empty.news == 0).all()
    assert np.array_equal(empty.stay, contexts_of(solved).stay)
    given = sixteen_worlds[worlds.DETERRENCE]
    assert np.array_equal(given.cut[half:, :, 0], full.cut[half:, :, 0])
    assert np.array_equal(given.cut[half:, :, 1:], empty.cut[half:, :, 1:])


# -- the error --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def finer() -> list[SolvedContexts]:
    errors = 0.01, 0.003, 0.001
    return [solve_contexts(study(peacetime={"context_error": e}), "treaty") for e in errors]


def test_the_error_falls_as_points_are_added(finer: list[SolvedContexts]) -> None:
    sizes = [len(found.grid.points) for found in finer]
    assert sizes == sorted(set(sizes))
    assert finer[-1].error < finer[0].error
    assert all(found.error <= wanted for found, wanted in zip(finer[:2], (0.01, 0.003), strict=True))


def watched(tables: quantise.Tables, weights: Any) -> list[float]:
    """Return the probabilities of the watched outcomes, each given its condition."""
    cells = exact.probabilities(tables, defender=weights)
    asked = [outcome for outcome in OUTCOMES if outcome.name in engine.WATCHED]
    return [float(cells[outcome.event].sum() / cells[outcome.condition].sum()) for outcome in asked]


#: How much larger than the reported error one may be at a random point.
HONESTY = 1.5


def test_the_reported_error_holds_at_random_points(finer: list[SolvedContexts]) -> None:
    draw = random.Random(3)
    for found in finer:
        grid = found.grid
        points = grid.points
        for field in (found.bound, found.free):
            values = np.stack([engine._watched(field, p) for p in points], axis=-1)
            values = values.reshape(-1, *grid.shape)
            for _ in range(15):
                x, y, z = (draw.uniform(axis.points[0], axis.points[-1]) for axis in grid.axes)
                one = field._game((x, y, z))
                tables = quantise.tables([one], [equilibrium.solve(one)], in_scope=1.0)
                chances = [watched(tables, row) for row in field.dispositions]
                missed = np.abs(grid.interpolated(values, (x, y, z)) - np.ravel(chances)).max()
                assert missed <= HONESTY * found.error


# -- the same bits ----------------------------------------------------------------------------------


def test_warm_and_cold_searches_agree(solved: SolvedContexts) -> None:
    for field in (solved.bound, solved.free):
        for point in solved.grid.points[::7]:
            answer = field[point]
            cold = equilibrium.solve(answer.game)
            assert np.abs(answer.solution.policy - cold.policy).max() <= 1e-9
            assert np.abs(answer.solution.enter - cold.enter).max() <= 1e-9


def test_following_leads_to_the_same_equilibrium(solved: SolvedContexts) -> None:
    first, last = solved.bound[solved.grid.points[0]], solved.bound[solved.grid.points[-1]]
    followed = follow(last.game, start=first.game, solution=first.solution)
    assert np.abs(followed.policy - last.solution.policy).max() <= 1e-9
    assert followed.residual <= equilibrium.TOLERANCE


@pytest.mark.parametrize("workers", [2, 3])
def test_the_number_of_workers_moves_no_bit(solved: SolvedContexts, workers: int) -> None:
    again = solve_contexts(study(), "treaty", workers=workers)
    assert_same(contexts_of(again), contexts_of(solved))
    assert (again.predicted, again.measured) == (solved.predicted, solved.measured)


def test_other_pacts_move_no_bit(solved: SolvedContexts) -> None:
    whole = study()
    alone = whole.replace(pacts={"treaty": whole.pacts["treaty"]})
    assert_same(contexts_of(solve_contexts(alone, "treaty")), contexts_of(solved))


def test_pacts_of_a_setting_share_the_crises_without_one(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = counted(monkeypatch)
    setting = {"years": 19}
    first = solve_contexts(study(peacetime=setting), "treaty")
    before = len(calls)
    second = solve_contexts(study(peacetime=setting), "ambiguous")
    assert first.free is second.free
    assert len(calls) - before == before // 2


def test_progress_ends_with_all_done() -> None:
    told: list[tuple[int, int]] = []
    solve_contexts(study(), "treaty", workers=1, progress=lambda *p: told.append(p))
    assert [done for done, _ in told] == list(range(1, len(told) + 1))
    assert told[-1][0] == told[-1][1]


# -- failures ---------------------------------------------------------------------------------------


def lost(*_: Any, **__: Any) -> Any:
    raise equilibrium.ConvergenceError(0.25, 99, 3.0)


def test_no_convergence_at_the_start_names_the_pact_and_the_context(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(equilibrium, "solve", lost)
    with pytest.raises(ConvergenceError, match=r"context local [-+]\S+, backing \S+, odds \S+: .*2\.50e-01"):
        solve_contexts(study(peacetime={"years": 18}), "treaty", cache=SolveCache(None))


def test_where_nothing_is_found_the_neighbours_play_is_borrowed_and_counted(
    monkeypatch: pytest.MonkeyPatch, solved: SolvedContexts
) -> None:
    solve = equilibrium.solve

    def fail(one: Any, *, start: Any = None, turns: bool = True) -> Any:
        if start is not None:
            raise equilibrium.ConvergenceError(0.25, 99, 3.0)
        return solve(one)

    assert solved.borrowed == 0
    monkeypatch.setattr(equilibrium, "solve", fail)
    monkeypatch.setattr(engine, "follow", lost)
    own = study(peacetime={"years": 18})
    found = solve_contexts(own, "treaty", cache=SolveCache(None))
    assert found.borrowed == 2 * len(found.grid.points) - 2  # all but the start, with the pact and without
    start = found.bound[ORIGIN].solution
    for point in found.grid.points:
        answer = found.bound[point]
        np.testing.assert_allclose(answer.solution.policy, start.policy, rtol=1e-12)
        # what it comes to is of this context's own game
        assert point == ORIGIN or not np.array_equal(answer.solution.value, start.value)
        alike = equilibrium.Sweeps(answer.game).played(start)
        np.testing.assert_allclose(answer.solution.reached, alike.reached, rtol=1e-9)


def test_where_no_search_settles_the_neighbour_is_followed(
    monkeypatch: pytest.MonkeyPatch, solved: SolvedContexts
) -> None:
    solve = equilibrium.solve

    def fail(one: Any, *, start: Any = None, turns: bool = True) -> Any:
        if start is not None:
            raise equilibrium.ConvergenceError(0.25, 99, 3.0)
        return solve(one)

    setting = solved.bound.setting
    monkeypatch.setattr(equilibrium, "solve", fail)
    field = Field("treaty", solved.bound.levers, setting, SolveCache(None))
    answer = field._alone(solved.grid.points[0])
    other = solved.bound[solved.grid.points[0]]
    assert np.abs(answer.solution.policy - other.solution.policy).max() <= 1e-9


def test_an_unknown_pact_is_refused() -> None:
    with pytest.raises(StudyError, match="must name a pact"):
        solve_contexts(study(), "traety")


# -- the cache --------------------------------------------------------------------------------------


def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    calls: list[int] = []
    solve = equilibrium.solve

    def count(one: Any, **how: Any) -> Any:
        calls.append(1)
        return solve(one, **how)

    monkeypatch.setattr(equilibrium, "solve", count)
    return calls


def test_what_is_kept_is_not_solved_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, solved: SolvedContexts
) -> None:
    calls = counted(monkeypatch)
    monkeypatch.setenv("ENTANGLE_CACHE", str(tmp_path))
    first = contexts_of(solve_contexts(study(), "treaty"))  # nobody holds its answers
    assert calls
    calls.clear()
    again = solve_contexts(study(), "treaty")
    assert not calls
    assert_same(first, contexts_of(again))
    assert_same(first, contexts_of(solved))
    assert not list(tmp_path.rglob("*.partial"))


def test_a_solution_comes_back_whole(tmp_path: Path, solved: SolvedContexts) -> None:
    cache = SolveCache(tmp_path)
    solution = solved.bound[ORIGIN].solution
    cache.solution("ab12", lambda: solution)
    kept = cache.solution("ab12", lambda: pytest.fail("it was kept"))
    for name, ours, theirs in zip(solution._fields, kept, solution, strict=True):
        assert type(ours) is type(theirs), name
        assert np.array_equal(ours, theirs), name


def test_a_key_depends_on_all_that_a_solution_does(
    monkeypatch: pytest.MonkeyPatch, solved: SolvedContexts
) -> None:
    one = solved.bound[ORIGIN].game
    keys = {key_of(one), key_of(one, start="other")}
    for name in one._fields:
        value = getattr(one, name)
        changed = (
            value + 1 if not isinstance(value, np.ndarray) else np.where(value, 0, 1).astype(value.dtype)
        )
        keys.add(key_of(one._replace(**{name: changed})))
    monkeypatch.setattr("entangle.solve_cache._COMPILED", Path("entangle-another"))
    keys.add(key_of(one))
    assert len(keys) == len(one._fields) + 3


@pytest.mark.parametrize("harm", ["cut", "flip", "empty", "foreign", "folder"])
def test_what_is_damaged_or_foreign_is_written_anew(
    tmp_path: Path, solved: SolvedContexts, harm: str
) -> None:
    cache = SolveCache(tmp_path)
    one, other = (solved.bound[p].solution for p in solved.grid.points[:2])
    cache.solution("aa", lambda: one)
    cache.solution("bb", lambda: other)
    path = cache.path("aa")
    whole = path.read_bytes()
    if harm == "cut":
        path.write_bytes(whole[:-100])
    elif harm == "flip":
        path.write_bytes(whole[:500] + bytes([whole[500] ^ 1]) + whole[501:])
    elif harm == "empty":
        path.write_bytes(b"")
    elif harm == "foreign":
        path.write_bytes(cache.path("bb").read_bytes())
    else:
        path.unlink()
        path.mkdir()
    searched = []
    found = cache.solution("aa", lambda: searched.append(1) or one)
    assert searched == [1]
    assert np.array_equal(found.policy, one.policy)
    if harm != "folder":
        assert path.read_bytes() == whole
        cache.solution("aa", lambda: pytest.fail("it was written anew"))


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path: Path, solved: SolvedContexts) -> None:
    (tmp_path / "file").write_text("not a folder")
    cache = SolveCache(tmp_path / "file" / "below")
    solution = solved.bound[ORIGIN].solution
    assert cache.solution("aa", lambda: solution) is solution


def test_the_environment_moves_or_switches_off_the_cache(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ENTANGLE_CACHE", "off")
    assert SolveCache.default().folder is None
    monkeypatch.setenv("ENTANGLE_CACHE", str(tmp_path))
    assert SolveCache.default().folder == tmp_path
    monkeypatch.delenv("ENTANGLE_CACHE")
    folder = SolveCache.default().folder
    assert folder is not None
    assert folder.name == "solutions"


def test_two_processes_at_once_share_a_folder(tmp_path: Path, solved: SolvedContexts) -> None:
    program = (
        "import sys, hashlib; sys.path.insert(0, sys.argv[1]);"
        "from test_contexts import contexts_of, study, solve_contexts;"
        "c = contexts_of(solve_contexts(study(), 'treaty', workers=1));"
        "print(hashlib.sha256(c.cut.tobytes() + c.news.tobytes()).hexdigest())"
    )
    folders = [ROOT, ROOT / "kernels", ROOT / "tests"]
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(map(str, folders)),
        "ENTANGLE_CACHE": str(tmp_path),
    }
    command = [sys.executable, "-c", program, str(Path(__file__).parent)]
    running = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    said = [process.communicate()[0].strip() for process in running]
    assert [process.returncode for process in running] == [0, 0]
    assert said[0] == said[1]
    assert_same(
        contexts_of(solve_contexts(study(), "treaty", cache=SolveCache(tmp_path))), contexts_of(solved)
    )


def test_the_record_says_how_it_went(solved: SolvedContexts) -> None:
    assert {field.name for field in fields(solved)} >= {"grid", "predicted", "measured"}
    assert 0 < solved.error <= study().peacetime.context_error
    assert solved.residual <= equilibrium.TOLERANCE
    assert solved.most_sweeps > 0
