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
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, NamedTuple, Self
from weakref import WeakValueDictionary

import numpy as np
from numpy.typing import NDArray

from entangle import horizon
from entangle.context_grid import AXES, ORIGIN, UNITS, Axis, Grid, Point, inwards, outwards, way_out
from entangle.errors import ConvergenceError
from entangle.executors import worker_count
from entangle.lowering import Levers, Setting, game, lower, no_pact
from entangle.lowering.arrays import dispositions, faith
from entangle.lowering.levers import Context
from entangle.outcomes import OUTCOMES
from entangle.pact import Pact
from entangle.solve_cache import SolveCache, key_of
from entangle.solving import EMPTY
from entangle_kernels import equilibrium, exact, ladder, quantise, worlds
from entangle_kernels.equilibrium import Solution
from entangle_kernels.follow import follow
from entangle_kernels.game import Floats, Game
from entangle_kernels.peace import Contexts
from entangle_kernels.quantise import WORDS, Tables

if TYPE_CHECKING:
    from entangle.study import Study

#: Points that an axis may have at most, and a grid.
MOST_POINTS: Final = 9
MOST_CONTEXTS: Final = 200
#: How far the log odds are covered to either side of the prior's.
ODDS_REACH: Final = 3.0
#: News is kept within this.
LOUDEST: Final = 3.0
#: Outcomes whose probabilities the grid has to get right.
WATCHED: Final = ("challenge", "provocation", "war", "defender_fights", "nuclear_use")
#: Cells of the grid in whose centre the error is measured.
PROBED: Final = 6

Progress = Callable[[int, int], None]
Words = NDArray[np.uint32]

_WATCHED: Final = [outcome for outcome in OUTCOMES if outcome.name in WATCHED]
_MARKS: Final = np.indices(exact.CELLS)[4]
_ACTIVE: Final = _MARKS & ladder.OBLIGATION_ACTIVE > 0
_GIVEN: Final = _ACTIVE & (_MARKS & ladder.SUPPORT_REACHED > 0)
_FAILED: Final = _ACTIVE & ~_GIVEN & (_MARKS & ladder.VOTE_BLOCKED == 0)


class Answer(NamedTuple):
    """A crisis solved in a context, with every dispute in scope.

    Parameters
    ----------
    game, solution
        The game and its equilibrium.
    chances
        Exact probabilities of the watched outcomes if the defender is wavering and if it is steadfast, shape
        (2, outcomes).
    """

    game: Game
    solution: Solution
    chances: Floats

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

    def cells(self, point: Point, weights: Floats) -> Floats:
        """Return the exact probability of every ending, given the defender's classes, shape CELLS."""
        return exact.probabilities(self[point].tables, defender=weights)

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
        return Answer(made, found, np.array([_chances(tables, row) for row in _dispositions(self)]))

    def _found(self, point: Point, made: Game, start: Answer | None, alone: bool) -> Solution:
        """Search from the neighbour inwards; failing that, follow it to here, or the neighbour outwards."""
        if start is None:
            return equilibrium.solve(made)
        try:
            return equilibrium.solve(made, start=start.solution)
        except equilibrium.ConvergenceError as error:
            failed = error
        try:
            return follow(made, start=start.game, solution=start.solution)
        except equilibrium.ConvergenceError:
            other = outwards(point)
        if alone or other is None:
            raise failed
        try:
            known = self._alone(other)
            return follow(made, start=known.game, solution=known.solution)
        except (equilibrium.ConvergenceError, ConvergenceError):
            raise failed from None

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
        return game(self.levers, self.setting, scopes=(1.0,), context=self._context(point))


@dataclass(frozen=True)
class SolvedContexts:
    """A pact's crises, and those without it, solved on a grid of contexts.

    Parameters
    ----------
    contexts
        What a history reads.
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

    contexts: Contexts
    grid: Grid
    predicted: tuple[float, ...]
    measured: float
    most_sweeps: int
    residual: float
    terms: Pact
    bound: Field
    free: Field

    @property
    def error(self) -> float:
        """Largest error of a watched outcome's probability between grid points: predicted or measured."""
        return max(math.fsum(self.predicted), self.measured)

    def world(self, channels: int) -> Contexts:
        """Return what a history reads in the world where only some channels are as under the pact.

        The grid stays, and so does what the partners think that the pact is worth.

        Parameters
        ----------
        channels
            Sum of the channels' bits, 0-15; see :mod:`entangle_kernels.worlds`.
        """
        bound = [_mixed(self.bound[point], self.free[point], channels) for point in self.grid.points]
        return _assembled(self.grid, self.terms, self.bound, self.free, bound)


def solve_contexts(
    study: Study,
    pact: str,
    *,
    channels: int | None = None,
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
        Name of the pact.
    channels
        Which channels are as under the pact in a dispute that is bound, 0-15; all if not given. See
        :meth:`SolvedContexts.world`.
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
        If an equilibrium could not be found; names the pact and the context.
    """
    (name,) = study.named([pact])
    setting = Setting.of(study)
    cache = SolveCache.default() if cache is None else cache
    terms = study.pacts[name]
    bound = Field(name, lower(terms, setting), setting, cache)
    free = _without_pact(setting, cache)
    with free.lock, _Solver((bound, free), workers, progress) as solver:
        solver.solve([ORIGIN])
        grid = _coarsest(bound, free, terms)
        solver.solve(grid.points)
        while True:
            values = solver.chances(grid.points).reshape(-1, *grid.shape)
            predicted = grid.predicted_errors(values)
            wanted = setting.peacetime.context_error
            finer = _finer(grid, predicted, wanted)
            measured = 0.0
            if finer is None or math.fsum(predicted) <= wanted:
                measured = _measured(grid, values, solver)
                if finer is None or measured <= wanted:
                    break
            grid = finer
            solver.solve(grid.points)
    answers = [field[point] for field in (bound, free) for point in grid.points]
    plain = [answer.tables for answer in answers[: len(grid.points)]]
    solved = SolvedContexts(
        contexts=_assembled(grid, terms, bound, free, plain),
        grid=grid,
        predicted=tuple(predicted),
        measured=measured,
        most_sweeps=max(answer.solution.sweeps for answer in answers),
        residual=max(answer.solution.residual for answer in answers),
        terms=terms,
        bound=bound,
        free=free,
    )
    return solved if channels is None else replace(solved, contexts=solved.world(channels))


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
        asked = [(at, self.fields[at[0]].ask(at[1], self.pool)) for at in wanted if at not in self.solved]
        total = len(self.solved) + len(asked)
        for at, future in asked:
            future.result()
            self.solved.add(at)
            if self.progress is not None:
                self.progress(len(self.solved), total)

    def chances(self, points: Iterable[Point]) -> Floats:
        """Return the probabilities of the watched outcomes, shape (quantities, points)."""
        found = [[field[point].chances.ravel() for field in self.fields] for point in points]
        return np.array(found).reshape(len(found), -1).T


def _coarsest(bound: Field, free: Field, terms: Pact) -> Grid:
    """Return the grid to begin with, over the range that a history can be expected to cover."""
    setting = bound.setting
    peacetime = setting.peacetime
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
    # beliefs follow what a defender does who owes something, if it matters to that what kind it is
    owes = bool((bound[ORIGIN].game.step & (ladder.OBLIGATION_ACTIVE << ladder.MARK_SHIFT)).any())
    moves = owes and peacetime.tilt > 0 and setting.parameters.types > 1 and peacetime.years > 1
    reach = ODDS_REACH if moves else 0.0
    local, backing, odds = (
        Axis.covering(low, high, unit=unit)
        for (low, high), unit in zip([*ranges, (-reach, reach)], UNITS, strict=True)
    )
    return Grid((local, backing, odds))


def _finer(grid: Grid, predicted: list[float], wanted: float) -> Grid | None:
    """Return the grid halved on the axis that is worst predicted, or None if no axis that matters may be."""
    order = sorted(range(3), key=lambda axis: -predicted[axis])
    for axis in order:
        # where one axis is too coarse and may not be halved, halving those that matter little would not help
        if predicted[axis] == 0.0 or (axis != order[0] and predicted[axis] < wanted / 3.0):
            break
        finer = grid.halved(axis)
        if max(finer.shape) <= MOST_POINTS and math.prod(finer.shape) <= MOST_CONTEXTS:
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


# -- what a history reads --------------------------------------------------------------------------


def _assembled(grid: Grid, terms: Pact, bound: Field, free: Field, tables: list[Tables]) -> Contexts:
    """Return the stacked tables of all contexts, without the pact and then with it.

    Parameters
    ----------
    tables
        The thresholds of a bound dispute at each point.
    """
    points = grid.points
    alone = [free[point].tables for point in points]
    all_tables = [*alone, *tables]
    first = tables[0]
    sets = max(alone[0].estimates, first.estimates) * first.types
    weights = _dispositions(bound)
    kept = [_wishes(bound, free, terms, point) for point in points]
    told = [_news(table, weights) for table in tables]
    silent = np.zeros((len(points), 2))
    spacing = [
        0.0 if size == 1 else 1.0 / axis.spacing for axis, size in zip(grid.axes, grid.shape, strict=True)
    ]
    lowest = np.array([axis.points[0] for axis in grid.axes])
    lowest[2] += bound.prior
    peacetime, types = bound.setting.peacetime, first.types
    return Contexts(
        types=types,
        estimates=sets // types,
        rounds=first.rounds,
        lowest=lowest,
        inverse=np.array(spacing),
        points=np.array(grid.shape, np.int64),
        hit=np.stack([alone[0].hit, first.hit]),
        scope=np.uint64(round(bound.levers.coverage * WORDS)),
        faith=faith(types, peacetime.tilt),
        enter=np.stack([_for_sets(table.enter[:, 1], sets, axis=1) for table in all_tables]),
        start=np.stack([table.start for table in all_tables]),
        cut=np.stack([_for_sets(table.cut[1], sets, axis=3) for table in all_tables]),
        nature=np.stack([table.nature for table in all_tables]),
        step=np.stack([alone[0].step[1], first.step[1]]),
        stay=np.concatenate([silent.astype(np.uint64), np.array(kept, np.uint64)]),
        news=np.concatenate([silent, np.array(told)]),
    )


def _mixed(bound: Answer, free: Answer, channels: int) -> Tables:
    pact, empty = (
        worlds.Solved([side.game], [side.solution], [worlds.everywhere(side.game, side.solution)])
        for side in (bound, free)
    )
    return worlds.world(pact, empty, channels, in_scope=1.0)


def _for_sets(array: Words, sets: int, *, axis: int) -> Words:
    """Return thresholds for `sets` information sets: without an estimate, all estimates are heeded alike."""
    times = [1] * array.ndim
    times[axis] = sets // array.shape[axis]
    return np.tile(array, times)


def _wishes(bound: Field, free: Field, terms: Pact, point: Point) -> list[int]:
    """Return below which word the protégé and the defender wish to keep the pact, as whole numbers."""
    setting = bound.setting
    peacetime, scenario = setting.peacetime, setting.scenario
    disputes = (scenario.challenger_rate + scenario.protege_rate) * bound.levers.coverage
    gained = disputes * (bound[point].solution.value - free[point].solution.value)
    promise, stationed = peacetime.upkeep
    stationing = stationed * terms.forces
    burdens = {
        1: peacetime.autonomy + stationing * terms.host_support,
        2: promise + stationing * (1.0 - terms.host_support),
    }
    logits = [
        peacetime.attachment + peacetime.review_precision * (float(gained[actor]) - cost)
        for actor, cost in burdens.items()
    ]
    return [round(WORDS / (1.0 + math.exp(-min(max(x, -700.0), 700.0)))) for x in logits]


def _news(tables: Tables, weights: Floats) -> list[float]:
    """Return what help, and its absence, tell about the defender: logs of ratios of probabilities."""
    wavering, steadfast = (exact.probabilities(tables, defender=row) for row in weights)
    return [_loudness(steadfast[event].sum(), wavering[event].sum()) for event in (_GIVEN, _FAILED)]


def _loudness(steadfast: float, wavering: float) -> float:
    if steadfast <= 0.0 and wavering <= 0.0:
        return 0.0
    if steadfast <= 0.0 or wavering <= 0.0:
        return math.copysign(LOUDEST, steadfast - wavering)
    return min(max(math.log(steadfast / wavering), -LOUDEST), LOUDEST)


def _chances(tables: Tables, weights: Floats) -> list[float]:
    """Return the probabilities of the watched outcomes, 0 where their condition cannot hold."""
    cells = exact.probabilities(tables, defender=weights)
    chances = []
    for outcome in _WATCHED:
        given = float(cells[outcome.condition].sum())
        chances.append(float(cells[outcome.event].sum()) / given if given > 0.0 else 0.0)
    return chances


def _dispositions(field: Field) -> Floats:
    return dispositions(field.setting.parameters.types, field.setting.peacetime.tilt)


def _logit(probability: float) -> float:
    return math.log(probability) - math.log1p(-probability)


def _described(context: Context) -> str:
    return ", ".join(f"{axis} {getattr(context, axis):+.4g}" for axis in AXES)
