"""From terms to solved games: every pact's equilibrium, thresholds and exact probabilities."""

from __future__ import annotations

import json
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np

from entangle.errors import ConvergenceError
from entangle.executors import processors
from entangle.lowering import Levers, Setting, games, lower
from entangle.pact import Pact
from entangle_kernels import equilibrium, exact, quantise, worlds
from entangle_kernels.game import Floats, Game
from entangle_kernels.quantise import Tables

if TYPE_CHECKING:
    from entangle.study import Study

#: Under this name the situation without any pact is solved beside the pacts: no pact can be called so.
EMPTY: Final = "(no pact)"


@dataclass(frozen=True)
class Prepared:
    """A solved pact.

    Parameters
    ----------
    games, solutions
        Its crisis games, as :func:`entangle.lowering.games` returns them, and their equilibria.
    in_scope
        Share of disputes in scope.
    """

    games: list[Game]
    solutions: list[equilibrium.Solution]
    in_scope: float

    @cached_property
    def tables(self) -> Tables:
        """The thresholds that simulation and exact pass read."""
        return quantise.tables(self.games, self.solutions, in_scope=self.in_scope)

    @cached_property
    def exact(self) -> Floats:
        """Probability of every ending of a dispute, shape :data:`~entangle_kernels.exact.CELLS`."""
        return exact.probabilities(self.tables)

    @property
    def sweeps(self) -> int:
        """Sweeps that its games took together."""
        return sum(solution.sweeps for solution in self.solutions)

    @property
    def residual(self) -> float:
        """Largest change of a choice probability in the last sweep of any of its games."""
        return max(solution.residual for solution in self.solutions)

    @cached_property
    def _sides(self) -> worlds.Solved:
        choices = [worlds.everywhere(*pair) for pair in zip(self.games, self.solutions, strict=True)]
        return worlds.Solved(self.games, self.solutions, choices)

    def world(self, empty: Prepared, channels: int) -> Tables:
        """Return the thresholds of the world in which `channels` are as under this pact, the rest as `empty`.

        Parameters
        ----------
        empty
            The same situation without a pact.
        channels
            Sum of the channels' bits; see :mod:`entangle_kernels.worlds`.
        """
        return worlds.world(self._sides, empty._sides, channels, in_scope=self.in_scope)


def prepare(study: Study, *, empty: bool = False, workers: int | None = None) -> dict[str, Prepared]:
    """Lower and solve every pact of `study`.

    Parameters
    ----------
    empty
        Whether to solve the situation without any pact too, under the key :data:`EMPTY`.
    workers
        Games solved at a time; the processors available if not given.

    Raises
    ------
    ConvergenceError
        If a pact's equilibrium could not be found.
    """
    setting = Setting.of(study)
    asked = {name: lower(pact, setting) for name, pact in study.pacts.items()}
    if empty:
        asked[EMPTY] = lower(Pact(), setting)
    return solve(asked, setting, workers=workers)


def alone(study: Study, pact: str) -> dict[str, Prepared]:
    """Solve one pact of a study and, under :data:`EMPTY`, no pact; the last few answers are kept.

    Raises
    ------
    ConvergenceError
        If an equilibrium could not be found.
    """
    return dict(_alone(json.dumps(study.to_dict(), sort_keys=True), pact))


@lru_cache(maxsize=4)
def _alone(study: str, pact: str) -> dict[str, Prepared]:
    from entangle.study import Study

    whole = Study.from_dict(json.loads(study))
    return prepare(whole.replace(pacts={pact: whole.pacts[pact]}), empty=True)


def solve(
    levers: Mapping[str, Levers], setting: Setting, *, workers: int | None = None
) -> dict[str, Prepared]:
    """Solve the games of many levers, several at a time; equal games are solved once.

    Raises
    ------
    ConvergenceError
        If an equilibrium could not be found; names the levers' key.
    """
    solving: dict[bytes, Future[equilibrium.Solution]] = {}
    asked: dict[str, tuple[list[Game], list[Future[equilibrium.Solution]], float]] = {}
    with ThreadPoolExecutor(workers or processors()) as pool:
        try:
            for name, given in levers.items():
                lowered, in_scope = games(given, setting)
                keys = [_bytes(game) for game in lowered]
                for key, game in zip(keys, lowered, strict=True):
                    if key not in solving:
                        solving[key] = pool.submit(equilibrium.solve, game)
                asked[name] = lowered, [solving[key] for key in keys], in_scope
            return {name: _finish(name, *parts) for name, parts in asked.items()}
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _finish(
    name: str, lowered: list[Game], solving: list[Future[equilibrium.Solution]], in_scope: float
) -> Prepared:
    try:
        return Prepared(lowered, [future.result() for future in solving], in_scope)
    except equilibrium.ConvergenceError as error:
        where = "without any pact" if name == EMPTY else f"[pacts.{name}]"
        raise ConvergenceError(
            f"{where}: {error}.", pact=name, residual=error.residual, sweeps=error.sweeps
        ) from None


def _bytes(game: Game) -> bytes:
    """Return the game as bytes: equal bytes, equal game."""
    arrays = [np.asarray(value) for value in game]
    return b"".join(f"{a.dtype.str}{a.shape}".encode() + a.tobytes() for a in arrays)
