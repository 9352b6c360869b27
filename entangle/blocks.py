"""The unit of work: some trajectories, played in every world of a plan on the same random words.

A block is a pure function of (plan, seed, first trajectory, size). What it returns are whole numbers, so that
merging is exact in any order, and trajectories are never held longer than their block: memory does not
grow with their number.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from entangle.executors import writable
from entangle.outcomes import OUTCOMES
from entangle.questions import HAPPENED, LEFT, RIGHT
from entangle_kernels import crisis, tally
from entangle_kernels.crisis import Rivals
from entangle_kernels.exact import CELLS
from entangle_kernels.quantise import Tables

#: Trajectories in a block; the last one of a run may be shorter.
BLOCK: Final = 65_536

Counts = NDArray[np.int64]


class Plan(NamedTuple):
    """What is played with every trajectory.

    Parameters
    ----------
    worlds
        The thresholds of each world.
    rivals
        For each world the same with the protégé's and with the defender's policy of no pact, or None.
    paired
        Whether worlds are compared trajectory by trajectory.
    watched
        World and outcome of what is counted block by block.
    """

    worlds: tuple[Tables, ...]
    rivals: tuple[Rivals | None, ...]
    paired: bool
    watched: tuple[tuple[int, int], ...] = ()


class Part(NamedTuple):
    """The counts of a block, or of several.

    Parameters
    ----------
    cells, numbers
        Which of the worlds' cells occurred (flattened, world by world, ascending), and how often. A few
        hundred numbers, where the whole table has 36 864 for each world.
    shared
        Joint counts of pairs of worlds, shape (worlds, worlds, 64); see :mod:`entangle.questions`.
    changed
        How often each event came with the world and not with its rival, and the other way round, shape
        (worlds, 2 rivals: protégé and defender, 2, 64).
    watched
        For each block, how often each watched outcome and its condition occurred, shape (blocks, watched, 2).
    """

    cells: Counts
    numbers: Counts
    shared: Counts
    changed: Counts
    watched: Counts


def play(plan: Plan, seed: int, first: int, size: int) -> Part:
    """Play trajectories `first` ... `first + size - 1` in every world of `plan`."""
    worlds = len(plan.worlds)
    counts = np.zeros((worlds, *CELLS), np.int64)
    shared = np.zeros((worlds, worlds, tally.BITS), np.int64)
    changed = np.zeros((worlds, 2, 2, tally.BITS), np.int64)
    watched = np.zeros((-(-size // BLOCK), len(plan.watched), 2), np.int64)
    own = writable(plan)
    if plan.paired or plan.watched:
        for block, start in enumerate(range(0, size, BLOCK)):
            where = {"seed": seed, "first": first + start, "size": min(BLOCK, size - start)}
            ended = _block(own, counts, changed, **where)
            for i, (world, outcome) in enumerate(plan.watched):
                asked = OUTCOMES[outcome]
                found = ended[world].counts
                watched[block, i] = found[asked.event].sum(), found[asked.condition].sum()
            if plan.paired:
                shared += tally.coincidences(np.stack([one.cells for one in ended]), LEFT, RIGHT)
    else:
        for world, table in enumerate(own.worlds):
            counts[world] = crisis.simulate(table, seed=seed, first=first, size=size)
    cells = np.flatnonzero(counts).astype(np.int64)
    return Part(cells, counts.ravel()[cells], shared, changed, watched)


def _block(plan: Plan, counts: Counts, changed: Counts, **where: int) -> list[crisis.Endings]:
    """Play a block in every world; add to `counts` and `changed`."""
    ended = []
    for world, (table, rivals) in enumerate(zip(plan.worlds, plan.rivals, strict=True)):
        found = crisis.endings(table, **where, rivals=rivals)
        counts[world] += found.counts
        for i, rival in enumerate(rivals or ()):
            chosen = crisis.parted_by(found.parted, i)
            others = crisis.replayed(rival, found.cells, chosen, seed=where["seed"], first=where["first"])
            changed[world, i] += tally.changes(found.cells, others, chosen, HAPPENED)
        ended.append(found)
    return ended
