"""Which trajectories of a result had an outcome."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from entangle import attribution
from entangle.blocks import BLOCK
from entangle.errors import ResultError, nearest
from entangle.outcomes import OUTCOMES, REACHED
from entangle.recall import chosen_pact, recalled
from entangle.solving import EMPTY
from entangle_kernels import crisis

if TYPE_CHECKING:
    from entangle.result import Result
    from entangle.solving import Prepared

_EVENTS: Final = {outcome.name: outcome.event.ravel() for outcome in (*OUTCOMES, *REACHED)}

Found = NDArray[np.uint64]
#: From (first trajectory, size) to the offsets at which something happened.
_Search = Callable[[int, int], NDArray[np.int64]]


def find(result: Result, outcome: str, *, n: int = 1, pact: str | None = None) -> Found:
    """Return the first `n` trajectories that had `outcome` under `pact`; see :meth:`Result.find`."""
    name = chosen_pact(result, pact)
    valid = [*_EVENTS, *attribution.NAMED]
    if outcome not in valid:
        raise ResultError(f"There is no outcome '{outcome}'. {nearest(str(outcome), valid)}")
    if n < 1:
        raise ResultError(f"The number of trajectories to find must be at least 1, got {n}.")
    solved = recalled(result, name)
    seed = int(result.data.attrs["seed"])
    search = _search(solved[name], solved[EMPTY], outcome, seed)
    found: list[Found] = []
    for some in _blocks(result.trajectories, search):
        found.append(some)
        if sum(len(part) for part in found) >= n:
            break
    return np.concatenate([*found, np.empty(0, np.uint64)])[:n]


def _blocks(trajectories: int, search: _Search) -> Iterator[Found]:
    for first in range(0, trajectories, BLOCK):
        offsets = search(first, min(BLOCK, trajectories - first))
        yield np.uint64(first) + offsets.astype(np.uint64)


def _search(pact: Prepared, empty: Prepared, outcome: str, seed: int) -> _Search:
    if outcome in _EVENTS:
        event = _EVENTS[outcome]

        def plainly(first: int, size: int) -> NDArray[np.int64]:
            ended = crisis.endings(pact.tables, seed=seed, first=first, size=size)
            return np.flatnonzero(event[ended.cells])

        return plainly
    without, event_name = attribution.NAMED[outcome]
    event, rivals = _EVENTS[event_name], attribution.rivals(pact, empty)
    which = attribution.COUNTERFACTUALS.index(without)

    def in_pairs(first: int, size: int) -> NDArray[np.int64]:
        if rivals is None:  # the pact is no pact: nothing was caused by it
            return np.empty(0, np.int64)
        where: dict[str, Any] = {"seed": seed, "first": first}
        ended = crisis.endings(pact.tables, **where, size=size, rivals=rivals)
        chosen = crisis.parted_by(ended.parted, which)
        others = crisis.replayed(rivals[which], ended.cells, chosen, **where)
        return np.flatnonzero(event[ended.cells] & ~event[others])

    return in_pairs
