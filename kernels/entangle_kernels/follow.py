"""From the equilibrium of one game to that of another like it, step by step.

Where a game's principal branch turns back on its way up from precision 0, no search from there can find an
equilibrium. Often there is one nevertheless: that which the equilibrium of a similar game becomes as the
games are blended into each other.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from entangle_kernels.equilibrium import TOLERANCE, ConvergenceError, Solution, Sweeps
from entangle_kernels.fixed_point import accelerate, newton, size
from entangle_kernels.game import Floats, Game

_FIRST, _LAST = 0.25, 0.001


def follow(game: Game, *, start: Game, solution: Solution, tolerance: float = TOLERANCE) -> Solution:
    """Return the equilibrium of `game` that one of a similar game leads to.

    Each step is predicted from the last two and corrected by sweeps and Newton steps; a step that does not
    settle is quartered.

    Parameters
    ----------
    start, solution
        A game of the same rules and sizes, and its equilibrium.

    Raises
    ------
    ConvergenceError
        If the steps become too small: on the way from game to game the equilibrium turns back.
    """
    sweeps = Sweeps(game)
    point, at, step = sweeps.pack(solution.policy, solution.enter), 0.0, _FIRST
    before: tuple[float, Floats] | None = None
    while at < 1.0:
        target = min(at + step, 1.0)
        sweeps.game = _blend(start, game, target)
        guess = point
        if before is not None:
            guess = sweeps.feasible(point + (point - before[1]) * (target - at) / (at - before[0]))
        guess, _ = accelerate(sweeps.damped(0.5), guess, tolerance=tolerance, most=12)
        found, error = newton(sweeps, guess, tolerance=tolerance)
        if size(error) <= tolerance:
            before, point, at, step = (at, point), found, target, step * 1.5
        elif step > _LAST:
            step /= 4.0
        else:
            raise ConvergenceError(size(error), sweeps.count, game.precision)
    return sweeps.solution(point)


def _blend(start: Game, game: Game, share: float) -> Game:
    """Return a game between two of the same rules, with `share` of the second's numbers."""
    if share == 1.0:
        return game
    mixed: dict[str, Any] = {}
    for name in game._fields:
        ours, theirs = getattr(start, name), getattr(game, name)
        if isinstance(theirs, np.ndarray) and theirs.dtype == np.float64:
            mixed[name] = (1.0 - share) * ours + share * theirs
    return game._replace(**mixed)
