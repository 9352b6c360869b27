"""The agent quantal response equilibrium of a crisis game.

At every information set the mover plays a logit of its expected payoffs, given that the set was reached, with
beliefs from the equilibrium itself (McKelvey & Palfrey 1998, Experimental Economics 1: 9-41). One sweep runs
forward (how likely is each state, with each combination of types) and backward (what is each
move worth, given those beliefs); within the backward pass each policy is replaced as soon as it is known, so
that only the beliefs lag, and a handful of sweeps settles.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from entangle_kernels.arclength import along
from entangle_kernels.fixed_point import accelerate, newton, size
from entangle_kernels.game import (
    Floats,
    Game,
    allowed_moves,
    combinations,
    information_sets,
    layout_of,
    live_states,
    normalise,
    packed,
    unpacked,
)
from entangle_kernels.ladder import STATES
from entangle_kernels.memory import borrowed
from entangle_kernels.sweep import NOUGHT, ROWS, backward, by_set, forward

TOLERANCE = 1e-10
#: Sweeps after which a search from uniform play, or from a neighbour's solution, gives up. Searches that
#: wander find other branches: in 69 contexts of configs/us_rok.toml in which the homotopy arrives, the 30
#: searches that settled within 39 sweeps were where it was, and of the 15 that took longer two were not.
MOST, MOST_NEARBY = 35, 25
#: Sweeps of a first search that no homotopy follows, and of each last one, where the branch turns back
#: before the game's own precision. Of 38 such games those that were found at all took 36 to 54 accelerated
#: sweeps for the most part, or 43 to 242 damped ones.
MOST_ALONE, MOST_AT_LAST = 80, 250
#: Sweeps along a branch that turns back, where nothing else settles: seconds.
MOST_ALONG = 16_000
#: Smallest step of the precision, as a share of the game's own.
LEAST_STEP = 0.02
#: Change of a choice probability up to which a point on the way of the homotopy counts as on the branch, and
#: from which a step is given up before any Newton steps: 653 sweeps a game fell to 426 with the same ends.
ON_THE_WAY, ASTRAY = 1e-5, 0.05
#: Change of a choice probability in the first sweep from which a start is as bad as none.
FAR = 0.3


class ConvergenceError(RuntimeError):
    """No fixed point was found to tolerance; carries the residual reached."""

    def __init__(self, residual: float, sweeps: int, precision: float) -> None:
        self.residual = residual
        self.sweeps = sweeps
        super().__init__(
            f"the equilibrium did not settle: after {sweeps} sweeps a choice probability still moves by "
            f"{residual:.2e} (allowed: {TOLERANCE:.0e}) at precision {precision:g}. "
            "Lower parameters.precision, or use more types"
        )


class Solution(NamedTuple):
    """An equilibrium.

    Parameters
    ----------
    policy
        Probability of backing down, holding, escalating, shape (3, rounds, states, H, 3).
    enter
        Probability of opening a crisis: the challenger's challenge by its type, the protégé's provocation
        by its information set, shape (2, H).
    reached
        Probability of each information set, shape (3, rounds, states, H); 0 where a set is out of reach.
    value
        Expected payoff of a dispute to each actor [stake units], shape (3,).
    residual
        Largest change of a choice probability in the last sweep.
    sweeps
        Sweeps taken.
    """

    policy: Floats
    enter: Floats
    reached: Floats
    value: Floats
    residual: float
    sweeps: int


def solve(
    game: Game,
    *,
    start: Solution | None = None,
    tolerance: float = TOLERANCE,
    homotopy: bool = True,
    turns: bool = True,
) -> Solution:
    """Return the equilibrium of `game`, on the principal branch where it reaches.

    Accelerated sweeps settle the game from the solution of a similar one if it is near, or else from uniform
    play. Where they cycle, the precision is raised from zero in steps, which takes five to ten times as
    many sweeps and keeps to the branch by construction. Where the branch turns back before the game's own
    precision, longer searches from uniform play find an equilibrium on another; and where they do not, the
    branch is followed through its turns.

    Parameters
    ----------
    start
        Solution of a similar game of the same sizes to start from. It is left aside where it is far off.
    tolerance
        Largest change of a choice probability at which the search stops.
    homotopy
        Whether to follow the branch at all where the first sweeps cycle. Longer searches are a few times
        faster, and end elsewhere in perhaps one such game of ten.
    turns
        Whether to follow it through its turns where nothing else settles, which takes seconds.

    Raises
    ------
    ConvergenceError
        If no attempt settles.
    """
    sweeps = Sweeps(game)
    attempts = [(sweeps.uniform(), MOST if homotopy else MOST_ALONE, np.inf, 0.3)]
    if start is not None:
        attempts.insert(0, (sweeps.pack(start.policy, start.enter), MOST_NEARBY, FAR, 0.2))
    for point, most, far, first in attempts:
        # of the last 8 differences instead of the last 4, games take more sweeps, not fewer
        point, error = accelerate(
            sweeps.eased(first), point, tolerance=tolerance / 2, most=most, memory=4, far=far
        )
        if size(error) <= tolerance / 2:
            solution = sweeps.solution(sweeps.feasible(point), error)
            if solution.residual <= tolerance:
                return solution
    path: list[tuple[float, Floats]] = []
    if homotopy:
        path, _ = _raised(sweeps, tolerance)
        if path[-1][0] == 1.0:
            return sweeps.solution(path[-1][1])
    sweeps.at(1.0)
    settled, error = _settled(sweeps, tolerance)
    if settled is None and turns and len(path) > 1:
        point, off = along(sweeps, *path[-2:], tolerance=tolerance, most=MOST_ALONG)
        if size(off) <= tolerance:
            settled = sweeps.solution(point)
        error = min(error, off, key=size)
    if settled is None:
        raise ConvergenceError(size(error), sweeps.count, game.precision)
    return settled


def _settled(sweeps: Sweeps, tolerance: float) -> tuple[Solution | None, Floats]:
    """Return where long searches from uniform play end: damped throughout, or else accelerated."""
    off = np.full(1, np.inf)
    for sweep, memory in ((sweeps.damped(0.5), 0), (sweeps.eased(0.4, 0.4, 0.3), 5)):
        point, off = accelerate(
            sweep, sweeps.uniform(), tolerance=tolerance / 4, most=MOST_AT_LAST, memory=memory
        )
        if size(off) <= tolerance / 4:
            solution = sweeps.solution(sweeps.feasible(point))
            if solution.residual <= tolerance:
                return solution, off
    return None, off


def trace(game: Game, *, tolerance: float = TOLERANCE) -> Solution:
    """Return the equilibrium on the principal branch, by raising the precision from 0 in steps.

    Raises
    ------
    ConvergenceError
        If the steps become too small: the branch turns back before the game's own precision.
    """
    sweeps = Sweeps(game)
    path, error = _raised(sweeps, tolerance)
    if path[-1][0] < 1.0:
        raise ConvergenceError(size(error), sweeps.count, game.precision)
    return sweeps.solution(path[-1][1])


def _raised(sweeps: Sweeps, tolerance: float) -> tuple[list[tuple[float, Floats]], Floats]:
    """Return the principal branch as far as raising the precision leads, and the last error.

    Each step is predicted from the last two and corrected by sweeps and Newton steps; a step that does not
    settle is quartered.

    Returns
    -------
    list
        Shares of the game's precision, from 0, and where the branch is there.
    array
        Error of the last point that was tried.
    """
    path = [(0.0, sweeps.uniform())]
    step = 0.125
    error = np.full(1, np.inf)
    while path[-1][0] < 1.0:
        at, point = path[-1]
        target = min(at + step, 1.0)
        sweeps.at(target)
        guess = point
        if len(path) > 1:
            before, earlier = path[-2]
            guess = sweeps.feasible(point + (point - earlier) * (target - at) / (at - before))
        # on the way a point near the branch is enough to go on from; only the last is solved in full
        enough = tolerance if target == 1.0 else max(ON_THE_WAY, tolerance)
        found, error = accelerate(sweeps.damped(0.5), guess, tolerance=enough, most=12)
        if size(error) <= ASTRAY:
            found, error = newton(sweeps, found, tolerance=enough)
        if size(error) <= enough:
            path.append((target, found))
            step *= 1.5
        elif step > LEAST_STEP:
            step /= 4.0
        else:
            break
    return path, error


class Sweeps:
    """The map whose fixed point is the equilibrium, on the vector of all choice probabilities in use.

    Calling it runs one sweep and returns the answer to a point. `count` counts the sweeps.
    """

    def __init__(self, game: Game) -> None:
        self.game = self.whole = game
        self.count, self.damping = 0, 0.0
        self.allowed = allowed_moves(game)
        self.live = live_states(game, self.allowed)
        self.combos = combinations(game)
        self.layout = layout_of(game, self.allowed, self.live)
        lanes = self.combos.weight.size
        # a sweep reads nothing that it has not written, but for the row of what has no chance
        self.reach, self.worth = borrowed(self, (game.rounds + 1, 3, STATES, lanes), (ROWS, 3, lanes))
        self.worth[NOUGHT] = 0.0
        self.values = np.zeros((3, 2))

    def __call__(self, point: Floats, damping: float = 0.0) -> Floats:
        """Return the logit of what every move is worth if everyone believes `point`."""
        self.count += 1
        self.damping = damping
        answer = np.zeros(point.size)
        parts = self.game, self.combos, self.live, self.layout
        forward(*parts, point, self.reach)
        backward(*parts, self.reach, point, damping, answer, self.values, self.worth)
        return answer

    def at(self, share: float) -> None:
        """Take a share of the game's own precision from now on."""
        self.game = self.whole._replace(precision=self.whole.precision * share)

    def damped(self, damping: float) -> Callable[[Floats], Floats]:
        """Return the map that moves only a share ``1 - damping`` of the way to the answer."""
        return lambda point: point + (1.0 - damping) * (self(point, damping) - point)

    def eased(self, first: float = 0.3, most: float = 0.3, least: float = 0.2) -> Callable[[Floats], Floats]:
        """Return the map that is damped within a sweep as long as the last error was large.

        Moves all the way to the answer: earlier moves reckon with some of the old later policies, that is
        all. Going only half of the way besides took 30 sweeps instead of 15, and did not settle where
        bluffs feed on beliefs: in configs/us_rok.toml. Damped to the end, those take half as many again.
        """
        damping = first

        def answer(point: Floats) -> Floats:
            nonlocal damping
            image = self(point, damping)
            off = size(image - point)
            damping = most if off > 0.2 else least if off > 0.02 else 0.0
            return image

        return answer

    def uniform(self) -> Floats:
        """Return the point at which every move is equally likely: the solution at precision 0."""
        exists = np.zeros((3, information_sets(self.game)))
        for actor in range(3):
            exists[actor, self.combos.info[actor][self.combos.weight > 0]] = 1.0
        moves = np.repeat(exists[:, np.newaxis, np.newaxis], STATES, axis=2)
        moves = np.repeat(moves, self.game.rounds, axis=1)
        enter = 0.5 * exists[:2] * (self.game.origin > 0)[:, np.newaxis]
        return self.feasible(self.pack(np.repeat(moves[..., np.newaxis], 3, axis=-1), enter))

    def pack(self, policy: Floats, enter: Floats) -> Floats:
        """Return the vector of the choice probabilities in use."""
        return packed(self.layout, policy, enter)

    def unpack(self, point: Floats) -> tuple[Floats, Floats]:
        """Return a point as (policy, enter), zero where nothing can be chosen."""
        return unpacked(self.game, self.combos, self.live, self.layout, point)

    def feasible(self, point: Floats) -> Floats:
        """Return the point with every choice a probability distribution."""
        near = np.clip(point, 0.0, 1.0)
        normalise(self.layout, near)
        return near

    def played(self, solution: Solution) -> Solution:
        """Return what comes of playing this game as another of the same rules is played.

        No equilibrium: the residual says how far from it.
        """
        uniform, _ = self.unpack(self.uniform())
        known = solution.policy.sum(axis=-1, keepdims=True) > 0.0
        policy = np.where(known, solution.policy, uniform)
        return self.solution(self.feasible(self.pack(policy, solution.enter)))

    def solution(self, point: Floats, error: Floats | None = None) -> Solution:
        """Return the solution at `point`, with the beliefs of the last sweep.

        Parameters
        ----------
        error
            Image minus point in that sweep, if it was a sweep of this point. One more sweep is
            taken if it is not given, or was damped, so that its error says less than the residual.
        """
        residual = np.inf if error is None or self.damping > 0.0 else size(error)
        if residual == np.inf:
            residual = size(self(point) - point)
        policy, enter = self.unpack(point)
        reached = np.zeros(policy.shape[:-1])
        by_set(self.reach, self.live, self.combos, reached)
        return Solution(policy, enter, reached, self.values @ self.game.origin, residual, self.count)
