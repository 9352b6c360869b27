"""What a history reads: the crises of all contexts as thresholds, what they tell, and what they lead to.

From the answers of :mod:`entangle.contexts`, stacked point by point of the grid.
"""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from entangle.context_grid import Point
from entangle.contexts import SolvedContexts
from entangle.executors import worker_count
from entangle.expectations import EVENTS, by_disposition, expectations, news
from entangle.lowering.arrays import faith
from entangle_kernels import worlds
from entangle_kernels.game import Floats
from entangle_kernels.peace import Contexts
from entangle_kernels.quantise import WORDS, Tables

Words = NDArray[np.uint32]


@dataclass(frozen=True)
class Outlook:
    """A pact's contexts, ready to be played and to be counted.

    Parameters
    ----------
    contexts
        What a history reads.
    rivals
        The bound contexts with the protégé's, and with the defender's own no-pact policy; see
        :func:`entangle_kernels.decades.again`. Empty if they were not asked for.
    expected
        Expectation of every quantity in a dispute, by whether the pact is in force, whether the defender is
        steadfast, point of the grid and origin, shape (2, 2, points, 2, quantities).
    strength
        Probability that help is given if it comes to be owed, by whether the defender is steadfast and point
        of the grid, shape (2, points); 0 where nothing ever is.
    """

    contexts: Contexts
    rivals: tuple[Contexts, ...]
    expected: Floats
    strength: Floats


def outlook(solved: SolvedContexts, *, rivals: bool = True, workers: int | None = None) -> Outlook:
    """Return what histories under a pact read.

    Parameters
    ----------
    rivals
        Whether disputes will be played again with the partners' own no-pact policies. Without them the
        defender's choices are not compared either: their distance is 0.
    workers
        Threads; the processors available if not given.
    """
    points = solved.grid.points
    plain = [solved.bound[point].tables for point in points]
    contexts = assembled(solved, plain, [_news(solved, solved.bound[point].expected) for point in points])
    if not rivals:
        plainly = [solved.bound[point].expected for point in points]
        return Outlook(contexts, (), _expected(solved, plainly), _strength(solved))
    with ThreadPoolExecutor(worker_count(None, workers)) as pool:
        beside = list(pool.map(lambda point: _beside(solved, point), points))
    unmoved, unbound, expected = zip(*beside, strict=True)
    half = len(points)
    own = Contexts(
        **contexts._asdict() | {name: getattr(contexts, name)[half:] for name in ("enter", "start", "nature")}
    )
    sets = contexts.enter.shape[2]
    others = (
        own._replace(cut=_cuts(unmoved, sets), enter=_enters(unmoved, sets)),
        own._replace(cut=_cuts(unbound, sets)),
    )
    return Outlook(contexts, others, _expected(solved, list(expected)), _strength(solved))


def sixteen(solved: SolvedContexts, *, workers: int | None = None) -> list[Contexts]:
    """Return what a history reads in each of the sixteen worlds; see :mod:`entangle_kernels.worlds`.

    The grid stays in all of them, and so does what the partners think that the pact is worth.
    """
    with ThreadPoolExecutor(worker_count(None, workers)) as pool:
        sides = list(pool.map(lambda point: _sides(solved, point), solved.grid.points))
        return list(pool.map(lambda channels: _world(solved, sides, channels), range(worlds.WORLDS)))


def _world(
    solved: SolvedContexts, sides: list[tuple[worlds.Solved, worlds.Solved]], channels: int
) -> Contexts:
    points = solved.grid.points
    tables = [worlds.world(*pair, channels, in_scope=1.0) for pair in sides]
    told = [(0.0, 0.0)] * len(points)
    if channels & worlds.OBLIGATION:  # without it nothing is ever owed
        each = zip(points, tables, strict=True)
        told = [_news(solved, expectations(solved.bound[point].game, own)) for point, own in each]
    return assembled(solved, tables, told)


def assembled(solved: SolvedContexts, tables: list[Tables], told: list[tuple[float, float]]) -> Contexts:
    """Return the stacked tables of all contexts, without the pact and then with it.

    Parameters
    ----------
    tables
        The thresholds of a bound dispute at each point.
    told
        What help and its absence tell there; see :func:`entangle.expectations.news`.
    """
    grid, bound = solved.grid, solved.bound
    points = grid.points
    alone = [solved.free[point].tables for point in points]
    all_tables = [*alone, *tables]
    first = tables[0]
    sets = max(alone[0].estimates, first.estimates) * first.types
    silent = np.zeros((len(points), 2))
    never = np.zeros((len(points), 4), np.uint64)
    spacing = [
        0.0 if size == 1 else 1.0 / axis.spacing for axis, size in zip(grid.axes, grid.shape, strict=True)
    ]
    lowest = np.array([axis.points[0] for axis in grid.axes])
    lowest[2] += bound.prior
    types = first.types
    return Contexts(
        types=types,
        estimates=sets // types,
        rounds=first.rounds,
        lowest=lowest,
        inverse=np.array(spacing),
        points=np.array(grid.shape, np.int64),
        hit=np.stack([alone[0].hit, first.hit]),
        scope=np.uint64(round(bound.levers.coverage * WORDS)),
        faith=faith(types, bound.setting.peacetime.tilt),
        enter=_enters(all_tables, sets),
        start=np.stack([table.start for table in all_tables]),
        cut=_cuts(all_tables, sets),
        nature=np.stack([table.nature for table in all_tables]),
        step=np.stack([alone[0].step[1], first.step[1]]),
        stay=np.concatenate([never, np.array([wishes(solved, point) for point in points], np.uint64)]),
        news=np.concatenate([silent, np.array(told)]),
    )


def wishes(solved: SolvedContexts, point: Point) -> list[int]:
    """Return below which word the protégé and the defender wish to keep the pact, and then keep to it.

    The latter where leaving is not provided for: `abrogation` is added to the log odds.
    """
    setting = solved.bound.setting
    peacetime, scenario = setting.peacetime, setting.scenario
    disputes = (scenario.challenger_rate + scenario.protege_rate) * solved.bound.levers.coverage
    gained = disputes * (solved.bound[point].solution.value - solved.free[point].solution.value)
    burden = burdens(solved)
    logits = [
        peacetime.attachment + peacetime.review_precision * (float(gained[actor]) - burden[actor])
        for actor in (1, 2)
    ]
    logits += [x + peacetime.abrogation for x in logits]
    return [round(WORDS / (1.0 + math.exp(-min(max(x, -700.0), 700.0)))) for x in logits]


def burdens(solved: SolvedContexts) -> tuple[float, float, float]:
    """Return what a year of the pact in force costs challenger, protégé and defender [stake units]."""
    terms, peacetime = solved.terms, solved.bound.setting.peacetime
    if terms.is_empty:
        return 0.0, 0.0, 0.0
    promise, stationed = peacetime.upkeep
    stationing = stationed * terms.forces
    return (
        0.0,
        peacetime.autonomy + stationing * terms.host_support,
        promise + stationing * (1.0 - terms.host_support),
    )


def _news(solved: SolvedContexts, expected: Floats) -> tuple[float, float]:
    field = solved.bound
    return news(expected, field.dispositions, for_challenger=field.setting.for_challenger)


def _beside(solved: SolvedContexts, point: Point) -> tuple[Tables, Tables, Floats]:
    """Return a bound crisis with either partner's own no-pact policy, and what to expect of the crisis."""
    answer, pair = solved.bound[point], _sides(solved, point)
    unmoved, unbound = (
        worlds.world(*pair, worlds.FULL & ~channel, in_scope=1.0)
        for channel in (worlds.EMBOLDENMENT, worlds.OBLIGATION)
    )
    return unmoved, unbound, expectations(answer.game, answer.tables, unbound)


def _sides(solved: SolvedContexts, point: Point) -> tuple[worlds.Solved, worlds.Solved]:
    """Return the solved crisis with the pact and without, ready to be mixed."""
    pact, empty = (
        worlds.Solved([side.game], [side.solution], [worlds.everywhere(side.game, side.solution)])
        for side in (solved.bound[point], solved.free[point])
    )
    return pact, empty


def _expected(solved: SolvedContexts, bound: list[Floats]) -> Floats:
    """Return what :attr:`Outlook.expected` is, given the expectations in bound crises."""
    free = np.array([solved.free[point].expected for point in solved.grid.points])
    scope = round(solved.bound.levers.coverage * WORDS) / WORDS
    in_force = scope * np.array(bound) + (1.0 - scope) * free
    by_status = np.stack([free, in_force])  # (status, point, class, origin, quantity)
    return np.ascontiguousarray(np.einsum("dk,spkoq->sdpoq", solved.bound.dispositions, by_status))


def _strength(solved: SolvedContexts) -> Floats:
    """Return what :attr:`Outlook.strength` is."""
    field = solved.bound
    share, weights = field.setting.for_challenger, field.dispositions
    chances = np.array(
        [by_disposition(field[point].expected, weights, for_challenger=share) for point in solved.grid.points]
    )
    given, owed = (chances[:, :, EVENTS.index(name)].T for name in ("reliability", "obligation_active"))
    strength = np.zeros_like(given)
    np.divide(given, owed, out=strength, where=owed > 0)
    return strength


def _enters(tables: list[Tables] | tuple[Tables, ...], sets: int) -> Words:
    return np.stack([_for_sets(table.enter[:, 1], sets, axis=1) for table in tables])


def _cuts(tables: list[Tables] | tuple[Tables, ...], sets: int) -> Words:
    return np.stack([_for_sets(table.cut[1], sets, axis=3) for table in tables])


def _for_sets(array: Words, sets: int, *, axis: int) -> Words:
    """Return thresholds for `sets` information sets: without an estimate, all estimates are heeded alike."""
    times = [1] * array.ndim
    times[axis] = sets // array.shape[axis]
    return np.tile(array, times)
