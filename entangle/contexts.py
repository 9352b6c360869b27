"""Crises solved in advance, on a grid of what years can lead to: strengths and beliefs.

A history (``docs/decades.md``) plays each crisis with the policies of the nearest contexts that were solved,
picked at random with linear weights. What it plays is then the exact mixture of solved crises, and the error
is that of linear interpolation between them: the grid is halved on the axis that bends most, until
probabilities of outcomes are right to the study's ``context_error``, or the grid is as large as it may be.
Where an equilibrium jumps from one context to the next, no grid is fine enough; what is left is reported.
"""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final, NamedTuple, Self
from weakref import WeakValueDictionary

import numpy as np

from entangle import horizon
from entangle.context_grid import AXES, ORIGIN, UNITS, Axis, Grid, Point, inwards, outwards, way_out
from entangle.errors import ConvergenceError
from entangle.executors import worker_count
from entangle.expectations import EVENTS, by_disposition, expectations, news
from entangle.lowering import Levers, Setting, game, lower, no_pact
from entangle.lowering.arrays import dispositions
from entangle.lowering.levers import Context
from entangle.pact import Pact
from entangle.solve_cache import SolveCache, key_of
from entangle.solving import EMPTY
from entangle_kernels import equilibrium, exact, ladder, quantise
from entangle_kernels.equilibrium import Solution
from entangle_kernels.follow import follow
from entangle_kernels.game import Floats, Game
from entangle_kernels.quantise import Tables

if TYPE_CHECKING:
    from entangle.study import Study

#: Points that an axis may have at most, and a grid.
MOST_POINTS: Final = 9
MOST_CONTEXTS: Final = 200
#: How far the log odds are covered to either side of the prior's, at most.
ODDS_REACH: Final = 3.0
#: An axis along which probabilities differ by less than this share of the error wanted has one point.
NEGLIGIBLE: Final = 0.1
#: Outcomes whose probabilities the grid has to get right.
WATCHED: Final = ("challenge", "provocation", "war", "defender_fights", "nuclear_use")
#: Cells of the grid in whose centre the error is measured.
PROBED: Final = 6
#: Change of a choice probability in a sweep above which an answer is no equilibrium.
_SETTLED: Final = 1e-6

Progress = Callable[[int, int], None]


class Answer(NamedTuple):
    """A crisis solved in a context, with every dispute in scope.

    Parameters
    ----------
    game, solution
        The game and its equilibrium.
    expected
        Expectation of each of :data:`~entangle.expectations.QUANTITIES`, by the class of the defender's
        resolve and the origin of the dispute, shape (K, 2, quantities).
    """

    game: Game
    solution: Solution
    expected: Floats

    @property
    def tables(self) -> Tables:
        """The thresholds of the crisis; both scopes are inside."""
        return quantise.tables([self.game], [self.solution], in_scope=1.0)


class Field:
    """Answers of one pact, or of none, wherever they are asked for.

    Parameters
    ----------
    name
        The pact's name, or :data:`~entangle.solving.EMPTY`.
    levers
        What the pact sets.
    """

    def __init__(self, name: str, levers: Levers, setting: Setting, cache: SolveCache) -> None:
        self.name = name
        self.levers = levers
        self.setting = setting
        self.cache = cache
        self.prior = _logit(setting.peacetime.belief)
        self.lock = threading.Lock()
        self._answers: dict[Point, Future[Answer]] = {}
        self._keys: dict[tuple[Point, bool], str] = {}
        self._games: dict[Point, Game] = {}  # small beside the answers

    def __getitem__(self, point: Point) -> Answer:
        return self._answers[point].result()

    def ask(self, point: Point, pool: ThreadPoolExecutor) -> Future[Answer]:
        """Have a point solved, and those on the way to it from the start; call with the lock held."""
        future = None
        for place in way_out(
            point
        ):  # those inwards first: nobody waits for what stands behind it in the queue
            future = self._answers.get(place)
            if future is None:
                before = inwards(place)
                start = None if before is None else self._answers[before]
                future = self._answers[place] = pool.submit(self._solve, place, start)
        assert future is not None
        return future

    def forget_unsolved(self) -> None:
        """Drop what was given up or failed, so that it can be asked for again."""
        for point, future in list(self._answers.items()):
            if not future.done() or future.cancelled() or future.exception() is not None:
                del self._answers[point]

    def kept(self, point: Point) -> bool:
        """Whether the answer to a point is on disk."""
        return self.cache.has(self._key(point, False))

    def cells(self, point: Point, weights: Floats) -> Floats:
        """Return the exact probability of every ending, given the defender's classes, shape CELLS."""
        return exact.probabilities(self[point].tables, defender=weights)

    @cached_property
    def dispositions(self) -> Floats:
        """Probability of each class of a wavering, and of a steadfast, defender's resolve, shape (2, K)."""
        return dispositions(self.setting.parameters.types, self.setting.peacetime.tilt)

    def _solve(self, point: Point, inner: Future[Answer] | None) -> Answer:
        return self._answer(point, None if inner is None else inner.result())

    def _answer(self, point: Point, start: Answer | None, *, alone: bool = False) -> Answer:
        """Return the answer to a point, whose neighbour inwards has the answer `start`.

        Parameters
        ----------
        alone
            Whether no help may come from the neighbour outwards, which would need help in turn.
        """
        made = self._game(point)
        key = self._key(point, alone)
        try:
            found = self.cache.solution(key, lambda: self._found(point, made, start, alone))
        except equilibrium.ConvergenceError as error:
            where = "without any pact" if self.name == EMPTY else f"[pacts.{self.name}]"
            raise ConvergenceError(
                f"{where} in the context {_described(self._context(point))}: {error}.",
                pact=self.name,
                residual=error.residual,
                sweeps=error.sweeps,
            ) from None
        tables = quantise.tables([made], [found], in_scope=1.0)
        return Answer(made, found, expectations(made, tables))

    def _found(self, point: Point, made: Game, start: Answer | None, alone: bool) -> Solution:
        """Search from the neighbour inwards; failing that, follow it to here, or the neighbour outwards.

        Where all that fails the crisis is played here as it is next door inwards.
        """
        if start is None:
            return equilibrium.solve(made)
        try:
            return equilibrium.solve(made, start=start.solution, turns=False)
        except equilibrium.ConvergenceError as error:
            failed = error
        try:
            return follow(made, start=start.game, solution=start.solution)
        except equilibrium.ConvergenceError:
            other = outwards(point)
        if alone:
            raise failed
        if other is not None:
            try:
                known = self._alone(other)
                return follow(made, start=known.game, solution=known.solution)
            except (equilibrium.ConvergenceError, ConvergenceError):
                pass
        return equilibrium.Sweeps(made).played(start.solution)

    def _alone(self, point: Point) -> Answer:
        """Return the answer to a point by its own way from the start, without waiting for the queue."""
        answer = None
        for place in way_out(point):
            answer = self._answer(place, answer, alone=True)
        assert answer is not None
        return answer

    def _key(self, point: Point, alone: bool) -> str:
        """Return the key of all games that the answer to a point can depend on."""
        known = self._keys.get((point, alone))
        if known is None:
            inner, outer = inwards(point), None if alone else outwards(point)
            from_ = [] if inner is None else [self._key(inner, alone)]
            from_ += [] if outer is None else [self._key(outer, True)]
            known = self._keys[point, alone] = key_of(self._game(point), start=" ".join(from_))
        return known

    def _context(self, point: Point) -> Context:
        local, backing, offset = point
        return Context(local, backing, self.prior + offset)

    def _game(self, point: Point) -> Game:
        known = self._games.get(point)
        if known is None:
            context = self._context(point)
            known = self._games[point] = game(self.levers, self.setting, scopes=(1.0,), context=context)
        return known


@dataclass(frozen=True)
class SolvedContexts:
    """A pact's crises, and those without it, solved on a grid of contexts.

    Parameters
    ----------
    grid
        Where the crises are solved.
    predicted
        Error of a watched outcome's probability that each axis is thought to add at most, midway between
        points.
    measured
        Largest error that was found by solving in the centres, and on faces and edges, of the cells in which
        probabilities bend most.
    most_sweeps, residual
        Most sweeps that a context took, and the largest change of a choice probability in the last sweep of
        any.
    terms, bound, free
        The pact's terms, and the answers with it and without.
    """

    grid: Grid
    predicted: tuple[float, ...]
    measured: float
    most_sweeps: int
    residual: float
    terms: Pact
    bound: Field
    free: Field

    @property
    def owes(self) -> bool:
        """Whether the defender can ever owe help."""
        return bool((self.bound[ORIGIN].game.step & (ladder.OBLIGATION_ACTIVE << ladder.MARK_SHIFT)).any())

    @property
    def borrowed(self) -> int:
        """Contexts, with the pact and without, without equilibrium, where a neighbour's is played."""
        points = self.grid.points
        return sum(f[point].solution.residual > _SETTLED for f in (self.bound, self.free) for point in points)

    @property
    def error(self) -> float:
        """Largest error of a watched outcome's probability between grid points: predicted or measured."""
        return max(math.fsum(self.predicted), self.measured)


def solve_contexts(
    study: Study,
    pact: str,
    *,
    workers: int | None = None,
    progress: Progress | None = None,
    cache: SolveCache | None = None,
) -> SolvedContexts:
    """Solve a pact's crises, and those without any, wherever a history may lead.

    A pact that is `ambiguous` about its scope is taken to be public here: in a dispute that is bound,
    everybody knows it. The bits depend on the study's setting and the pact alone: not on its other pacts, on
    the number of workers, or on what the cache holds. The crises without a pact are shared with other pacts
    of the same setting as long as somebody holds one of them.

    Parameters
    ----------
    pact
        Name of the pact, or :data:`~entangle.solving.EMPTY`.
    workers
        Games solved at a time; the processors available if not given.
    progress
        Called with (contexts solved, contexts that are known to be needed); what is needed grows when a grid
        is halved.
    cache
        Where solutions are kept; :meth:`SolveCache.default` if not given.

    Raises
    ------
    StudyError
        If the study has no such pact.
    ConvergenceError
        If an equilibrium could not be found for strengths and belief as they are at the start; names the
        pact and the context. Elsewhere a neighbour's play is borrowed: see :attr:`SolvedContexts.borrowed`.
    """
    terms = Pact() if pact == EMPTY else study.pacts[study.named([pact])[0]]
    setting = Setting.of(study)
    cache = SolveCache.default() if cache is None else cache
    free = _without_pact(setting, cache)
    bound = free if terms.is_empty else Field(pact, lower(terms, setting), setting, cache)
    with free.lock, _Solver((bound, free), workers, progress) as solver:
        coarse, flat = _coarsest(bound, free, terms, solver)
        grid, predicted, measured = _refined(coarse, flat, setting.peacetime.context_error, solver)
    return _solved(grid, predicted, measured, terms, bound, free)


def _refined(grid: Grid, flat: float, wanted: float, solver: _Solver) -> tuple[Grid, list[float], float]:
    """Halve a grid until it is as good as wanted, or cannot get better; return it, and its errors."""
    solver.solve(grid.points)
    before: tuple[Grid, list[float]] | None = None
    stuck: set[int] = set()
    while True:
        values = solver.chances(grid.points).reshape(-1, *grid.shape)
        predicted = grid.predicted_errors(values)
        predicted[2] += flat
        if before is not None:
            stuck |= _jumps(before, (grid, predicted), wanted)
        before = grid, predicted
        finer = _finer(grid, predicted, wanted, stuck)
        if finer is None or math.fsum(predicted) <= wanted:
            measured = _measured(grid, values, solver)
            if finer is None or measured <= wanted:
                return grid, predicted, measured
        grid = finer
        solver.solve(grid.points)


def _solved(
    grid: Grid, predicted: Sequence[float], measured: float, terms: Pact, bound: Field, free: Field
) -> SolvedContexts:
    answers = [field[point] for field in (bound, free) for point in grid.points]
    return SolvedContexts(
        grid=grid,
        predicted=tuple(predicted),
        measured=measured,
        most_sweeps=max(answer.solution.sweeps for answer in answers),
        residual=max(answer.solution.residual for answer in answers),
        terms=terms,
        bound=bound,
        free=free,
    )


class _Missing(Exception):
    """A point is not on disk."""


class Look(NamedTuple):
    """A first look at a pact's contexts, before they are solved.

    Parameters
    ----------
    coarsest, flat
        The grid that is solved first, and the error of having one point on the axis of beliefs.
    grids
        That grid, each one expected after it, and the finest that there can be. Where nothing tells which
        axis will be halved, the first and the finest alone.
    likely
        Which of them is expected to do.
    whole
        Whether all that will be asked for is on disk: then `grids` has the one grid that it comes to.
    solved
        The solved contexts: of all that will be asked for if it is on disk; else of the coarsest grid, or of
        the start alone if that would have taken too long.
    """

    coarsest: Grid
    grids: tuple[Grid, ...]
    likely: int
    whole: bool
    solved: SolvedContexts


def first_look(
    study: Study, pact: str, *, cache: SolveCache, seconds: float, workers: int | None = None
) -> Look:
    """Return on which grids a pact's contexts will be solved, as far as a short measurement can tell.

    Solves the start, and the coarsest grid unless that takes longer than it may; reads what is on disk.

    Parameters
    ----------
    seconds
        Time that the coarsest grid may take.
    pact, cache, workers
        As for :func:`solve_contexts`.
    """
    terms = Pact() if pact == EMPTY else study.pacts[study.named([pact])[0]]
    setting = Setting.of(study)
    free = _without_pact(setting, cache)
    bound = free if terms.is_empty else Field(pact, lower(terms, setting), setting, cache)
    wanted = setting.peacetime.context_error
    with free.lock, _Solver((bound, free), workers, None) as solver:
        began = time.perf_counter()
        coarse, flat = _coarsest(bound, free, terms, solver)
        spent = time.perf_counter() - began
        missing = 2 * len(coarse.points) - len(solver.solved)
        known = missing / max(len(solver.solved), 1) * spent <= seconds
        if known:
            solver.solve(coarse.points)
            try:
                solver.known_only = True
                grid, predicted, measured = _refined(coarse, flat, wanted, solver)
            except _Missing:
                pass
            else:
                solved = _solved(grid, predicted, measured, terms, bound, free)
                return Look(coarse, (grid,), 0, True, solved)
            values = solver.chances(coarse.points).reshape(-1, *coarse.shape)
            predicted = coarse.predicted_errors(values)
            predicted[2] += flat
        else:
            # one of its axes is as good as another
            predicted = [float(size > 1) for size in coarse.shape]
        grids, likely = _grids_ahead(coarse, predicted, wanted)
        grid = coarse if known else _alone()
    return Look(
        coarsest=coarse,
        grids=grids,
        likely=likely if known else len(grids) // 2,
        whole=False,
        solved=_solved(grid, predicted, 0.0, terms, bound, free),
    )


def _alone() -> Grid:
    """Return the grid that has the start and nothing else."""
    local, backing, odds = (Axis.covering(0.0, 0.0, unit=unit) for unit in UNITS)
    return Grid((local, backing, odds))


def _grids_ahead(grid: Grid, predicted: list[float], wanted: float) -> tuple[tuple[Grid, ...], int]:
    """Return the grids to come if half the spacing leaves a quarter of the error, and which of them will do.

    What is measured in the worst cells is about twice what is predicted for all. The finest grid is what is
    solved where an equilibrium jumps.
    """
    grids, errors = [grid], list(predicted)
    likely = None if math.fsum(errors) > wanted / 2.0 else 0
    while (finer := _finer(grids[-1], errors, wanted, set())) is not None:
        axis = next(i for i in range(3) if finer.shape[i] > grids[-1].shape[i])
        errors[axis] /= 4.0
        grids.append(finer)
        if likely is None and math.fsum(errors) <= wanted / 2.0:
            likely = len(grids) - 1
    return tuple(grids), len(grids) - 1 if likely is None else likely


#: Answers without any pact, by the setting and the cache, as long as somebody holds them.
_FREE: Final[WeakValueDictionary[str, Field]] = WeakValueDictionary()
_FREE_LOCK: Final = threading.Lock()


def _without_pact(setting: Setting, cache: SolveCache) -> Field:
    tables = setting.scenario, *setting.actors.values(), setting.parameters, setting.peacetime
    key = json.dumps([list(setting.actors), str(cache.folder), *(table.model_dump() for table in tables)])
    with _FREE_LOCK:
        found = _FREE.get(key)
        if found is None:
            found = _FREE[key] = Field(EMPTY, no_pact(setting), setting, cache)
        return found


class _Solver:
    """Solves points in all fields at once, in threads."""

    def __init__(self, fields: tuple[Field, ...], workers: int | None, progress: Progress | None) -> None:
        self.fields = fields
        self.pool = ThreadPoolExecutor(worker_count(None, workers))
        self.progress = progress
        self.solved: set[tuple[int, Point]] = set()
        #: Refuse to solve what is not on disk.
        self.known_only = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self.pool.shutdown(wait=True, cancel_futures=kind is not None)
        for field in self.fields:
            field.forget_unsolved()

    def solve(self, points: Iterable[Point]) -> None:
        """Solve points, those that are fewest steps away from the start first."""
        ways = sorted((way_out(point) for point in points), key=len)
        wanted = list(dict.fromkeys((i, p) for way in ways for p in way for i in range(len(self.fields))))
        if self.known_only and not all(at in self.solved or self.fields[at[0]].kept(at[1]) for at in wanted):
            raise _Missing
        asked = [(at, self.fields[at[0]].ask(at[1], self.pool)) for at in wanted if at not in self.solved]
        total = len(self.solved) + len(asked)
        for at, future in asked:
            future.result()
            self.solved.add(at)
            if self.progress is not None:
                self.progress(len(self.solved), total)

    def chances(self, points: Iterable[Point]) -> Floats:
        """Return the probabilities of the watched outcomes, shape (quantities, points)."""
        found = [[_watched(field, point) for field in self.fields] for point in points]
        return np.array(found).reshape(len(found), -1).T


def _coarsest(bound: Field, free: Field, terms: Pact, solver: _Solver) -> tuple[Grid, float]:
    """Return the grid to begin with, over the range that a history can be expected to cover.

    And the error of having one point on the axis of beliefs, where these change too little to matter.
    """
    setting = bound.setting
    solver.solve([ORIGIN])
    prior = bound[ORIGIN].game.prior[2]
    alone = free.cells(ORIGIN, prior)
    share = bound.levers.coverage
    ranges = horizon.strength_range(
        bound.levers,
        terms,
        setting,
        bound=share * bound.cells(ORIGIN, prior) + (1.0 - share) * alone,
        free=alone,
    )
    reach = _odds_reach(bound)
    local, backing, odds = (
        Axis.covering(low, high, unit=unit)
        for (low, high), unit in zip([*ranges, (-reach, reach)], UNITS, strict=True)
    )
    beliefs: list[Point] = [(0.0, 0.0, x) for x in odds.points]
    solver.solve(beliefs)
    values = solver.chances(beliefs)
    spread = float(np.ptp(values, axis=1).max())
    if spread < setting.peacetime.context_error * NEGLIGIBLE:
        return Grid((local, backing, Axis.covering(0.0, 0.0, unit=UNITS[2]))), spread
    return Grid((local, backing, odds)), 0.0


def _odds_reach(bound: Field) -> float:
    """Return how far the log odds are covered to either side of the prior's.

    Beliefs follow what a defender does who owes something: twice as far as news can be expected to carry them
    that is as loud as at the start.
    """
    setting = bound.setting
    peacetime, scenario = setting.peacetime, setting.scenario
    expected = bound[ORIGIN].expected
    told = np.array(news(expected, bound.dispositions, for_challenger=setting.for_challenger))
    if peacetime.years == 1 or not told.any():
        return 0.0
    disputes = (scenario.challenger_rate + scenario.protege_rate) * bound.levers.coverage * peacetime.years
    chances = by_disposition(expected, bound.dispositions, for_challenger=setting.for_challenger)
    kept, failed = EVENTS.index("reliability"), EVENTS.index("abandonment")
    reach = max(
        disputes * abs(float(row[kept] * told[0] + row[failed] * told[1]))
        + horizon.REACH * math.sqrt(disputes * float(row[kept] * told[0] ** 2 + row[failed] * told[1] ** 2))
        for row in chances
    )
    return min(2.0 * reach, ODDS_REACH)


def _jumps(before: tuple[Grid, list[float]], after: tuple[Grid, list[float]], wanted: float) -> set[int]:
    """Return the axes that were halved and are no better for it: between two points an equilibrium jumps.

    Where probabilities are smooth, half the spacing leaves a quarter of the error.
    """
    (coarse, was), (fine, is_) = before, after
    return {
        axis
        for axis in range(3)
        if fine.shape[axis] > coarse.shape[axis] and is_[axis] > wanted and is_[axis] > 0.75 * was[axis]
    }


def _finer(grid: Grid, predicted: list[float], wanted: float, stuck: set[int]) -> Grid | None:
    """Return the grid halved on the axis that is worst predicted, or None if no axis that matters may be."""
    order = sorted(range(3), key=lambda axis: -predicted[axis])
    for axis in order:
        # where one axis is too coarse and may not be halved, halving those that matter little would not help
        if predicted[axis] == 0.0 or (axis != order[0] and predicted[axis] < wanted / 3.0):
            break
        finer = grid.halved(axis)
        if finer.shape == grid.shape:  # it has one point, and no half of that
            continue
        if axis not in stuck and max(finer.shape) <= MOST_POINTS and math.prod(finer.shape) <= MOST_CONTEXTS:
            return finer
    return None


def _measured(grid: Grid, values: Floats, solver: _Solver) -> float:
    """Return the largest error of interpolation that is found where it should be worst."""
    known = set(grid.points)
    centres = grid.worst_centres(values, PROBED)
    # on the way to a centre lie the middles of a face and of an edge
    probes = list(dict.fromkeys(p for centre in centres for p in way_out(centre) if p not in known))
    solver.solve(probes)
    if not probes:  # nothing moves: there is one point, and nothing between
        return 0.0
    found = solver.chances(probes)
    errors = [
        float(np.abs(grid.interpolated(values, point) - found[:, i]).max()) for i, point in enumerate(probes)
    ]
    return max(errors)


def _watched(field: Field, point: Point) -> Floats:
    """Return the probabilities of the watched outcomes, for a wavering and for a steadfast defender."""
    expected = field[point].expected
    share = field.setting.for_challenger
    chances = by_disposition(expected, field.dispositions, for_challenger=share)
    # these two can happen in disputes of one origin alone
    for name, only in (("challenge", 1.0), ("provocation", 0.0)):
        event = EVENTS.index(name)
        own = by_disposition(expected, field.dispositions, for_challenger=only)
        chances[:, event] = own[:, event]
    found: Floats = chances[:, [EVENTS.index(name) for name in WATCHED]].ravel()
    return found


def _logit(probability: float) -> float:
    return math.log(probability) - math.log1p(-probability)


def _described(context: Context) -> str:
    return ", ".join(f"{axis} {getattr(context, axis):+.4g}" for axis in AXES)
