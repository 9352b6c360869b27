"""The unit of work: some trajectories, played in every world of a plan on the same random words.

A block is a pure function of (plan, seed, first trajectory, size). What it returns are whole numbers, so that
merging is exact in any order, and trajectories are never held longer than their block: memory does not
grow with their number.
"""

from __future__ import annotations

from itertools import groupby
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from entangle.digests import Words, digest
from entangle.executors import writable
from entangle.outcomes import OUTCOMES
from entangle.questions import HAPPENED, LEFT, RIGHT
from entangle_kernels import crisis, tally, together
from entangle_kernels.crisis import Rivals
from entangle_kernels.exact import CELLS
from entangle_kernels.quantise import Tables
from entangle_kernels.vectors import BEYOND

#: Trajectories in a block; the last one of a run may be shorter.
BLOCK: Final = 65_536
#: Trajectories of a stretch, which has digests of its own; begun at its multiples.
STRETCH: Final = 16 * BLOCK

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
    digests
        For each stretch, as far as it was played, a digest of what it added to each world's cells, and one of
        what it added to `shared` and `changed`, shape (stretches, worlds + 1).
    """

    cells: Counts
    numbers: Counts
    shared: Counts
    changed: Counts
    watched: Counts
    digests: Words


def play(plan: Plan, seed: int, first: int, size: int) -> Part:
    """Play trajectories `first` ... `first + size - 1` in every world of `plan`."""
    worlds = len(plan.worlds)
    counts = np.zeros((worlds, *CELLS), np.int64)
    shared = np.zeros((worlds, worlds, tally.BITS), np.int64)
    changed = np.zeros((worlds, 2, 2, tally.BITS), np.int64)
    watched = np.zeros((-(-size // BLOCK), len(plan.watched), 2), np.int64)
    digests = []
    own = writable(plan)
    room = Room.of(worlds, min(size, BLOCK))
    seen = np.zeros(worlds + 1, np.uint64)
    told = np.zeros(watched.shape[1:], np.int64)
    for _, starts in groupby(range(0, size, BLOCK), lambda start: (first + start) // STRETCH):
        if plan.paired or plan.watched:
            for start in starts:
                where = {"seed": seed, "first": first + start, "size": min(BLOCK, size - start)}
                cells = _block(own, room, counts, changed, **where)
                if plan.watched:
                    so_far = _occurred(plan.watched, counts)
                    watched[start // BLOCK] = so_far - told
                    told = so_far
                if plan.paired:
                    shared += tally.coincidences(cells, LEFT, RIGHT)
        else:
            inside = list(starts)
            where = {"seed": seed, "first": first + inside[0]}
            where["size"] = min(inside[-1] + BLOCK, size) - inside[0]
            for world, table in enumerate(own.worlds):
                counts[world] += crisis.simulate(table, **where)
        # the digest of a sum is the sum of digests: what the stretch added is what the digests moved by
        now = _digests(counts, shared, changed)
        digests.append(now - seen)
        seen = now
    occurred = np.flatnonzero(counts.ravel() != 0).astype(np.int64)  # of flags it is six times as fast
    stretches = np.array(digests, np.uint64).reshape(-1, worlds + 1)
    return Part(occurred, counts.ravel()[occurred], shared, changed, watched, stretches)


class Room(NamedTuple):
    """Memory for a block, used for one after another: fresh memory comes page by page.

    That is slow where it is given back each time, as in processes that Dask starts: they took 1.7 times as
    long.

    Parameters
    ----------
    cells
        How trajectories ended, world by world, shape (worlds * size,).
    parted, chosen, others
        Of one world: who parted, in which trajectories a rival did, how they ended with it.
    """

    cells: NDArray[np.uint16]
    parted: NDArray[np.uint8]
    chosen: NDArray[np.uint32]
    others: NDArray[np.uint16]

    @classmethod
    def of(cls, worlds: int, size: int) -> Room:
        """Return memory for blocks of a size, or less."""
        return cls(
            np.empty(worlds * size, np.uint16),
            np.empty(size, np.uint8),
            np.empty(size + BEYOND, np.uint32),
            np.empty(size, np.uint16),
        )


def _occurred(watched: tuple[tuple[int, int], ...], counts: Counts) -> Counts:
    """Return how often each watched outcome and its condition occurred so far, shape (watched, 2)."""
    asked = [(counts[world], OUTCOMES[outcome]) for world, outcome in watched]
    return np.array([(own[one.event].sum(), own[one.condition].sum()) for own, one in asked], np.int64)


def _digests(counts: Counts, shared: Counts, changed: Counts) -> Words:
    """Return a digest of each world's cells, and one of what was compared between worlds."""
    compared = digest(shared, salt=1) + digest(changed, salt=2)
    return np.array([*(digest(own) for own in counts), compared % 2**64], np.uint64)


def _block(plan: Plan, room: Room, counts: Counts, changed: Counts, **where: int) -> NDArray[np.uint16]:
    """Play a block in every world, add to `counts` and `changed`, return how all ended in each world."""
    size, draw = where["size"], {"seed": where["seed"], "first": where["first"]}
    cells = room.cells[: len(plan.worlds) * size].reshape(-1, size)
    ready = together.ready(plan.worlds, plan.rivals) if size >= crisis.MANY else None
    if ready is not None:
        played = together.endings(
            ready, **draw, size=size, words=HAPPENED, counts=counts, changed=changed, cells=cells
        )
        for _ in played:
            pass
        return cells
    for world, (table, rivals) in enumerate(zip(plan.worlds, plan.rivals, strict=True)):
        into = crisis.Endings(cells[world], counts[world], room.parted[:size])
        crisis.endings(table, **where, rivals=rivals, into=into)
        for i, rival in enumerate(rivals or ()):
            chosen = crisis.parted_by(into.parted, i, into=room.chosen)
            others = crisis.replayed(rival, into.cells, chosen, **draw, into=room.others[:size])
            changed[world, i] += tally.changes(into.cells, others, chosen, HAPPENED)
    return cells
