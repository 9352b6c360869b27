"""From a study to a result: solve every pact's games, then count crises block by block."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from entangle import attribution, until
from entangle.blocks import BLOCK, STRETCH, Counts, Part, Plan, play
from entangle.digests import Digests
from entangle.executors import processors, worker_count
from entangle.playing import fill, opened, played
from entangle.solving import EMPTY, Prepared, prepare
from entangle.work import Outline, Work
from entangle_kernels import tally as core
from entangle_kernels.exact import CELLS

if TYPE_CHECKING:
    from distributed import Client

    from entangle.journal.folder import Keeper
    from entangle.layouts import Disputes
    from entangle.result import Result
    from entangle.study import Study

#: Most blocks in one task, over all worlds: a fifth of a second or more.
_MOST_BLOCKS: Final = 1024


@dataclass
class Tally:
    """The merged counts of a run.

    Parameters
    ----------
    counts
        For each world of the plan, how often each cell occurred, shape (worlds, *CELLS).
    shared, changed
        As in :class:`~entangle.blocks.Part`.
    digests
        Of the stretches that were played; see :mod:`entangle.digests`.
    watched
        By first trajectory of a task, what was watched in its blocks.
    """

    counts: Counts
    shared: Counts
    changed: Counts
    digests: Digests
    watched: dict[int, Counts] = field(default_factory=dict)

    @classmethod
    def empty(cls, number: int) -> Tally:
        """Return the counts of nothing, for a number of worlds."""
        return cls(
            np.zeros((number, *CELLS), np.int64),
            np.zeros((number, number, core.BITS), np.int64),
            np.zeros((number, 2, 2, core.BITS), np.int64),
            Digests(number + 1),
        )

    @property
    def trajectories(self) -> int:
        """Trajectories counted."""
        return int(self.counts[0].sum())

    def add(self, first: int, part: Part) -> None:
        """Add the counts of a task that began with trajectory `first`."""
        self.counts.reshape(-1)[part.cells] += part.numbers
        self.shared += part.shared
        self.changed += part.changed
        self.digests.add(first // STRETCH, part.digests)
        if part.watched.size:
            self.watched[first] = part.watched

    def merged(self, other: Tally) -> Tally:
        """Return the counts of both."""
        return Tally(
            self.counts + other.counts,
            self.shared + other.shared,
            self.changed + other.changed,
            self.digests.merged(other.digests),
            self.watched | other.watched,
        )

    def watch(self) -> Counts:
        """Return what was watched, block by block in order, shape (blocks, watched, 2)."""
        return np.concatenate([self.watched[first] for first in sorted(self.watched)])


def exact(study: Study) -> Result:
    """Return the exact probabilities of every outcome under every pact of `study`.

    Raises
    ------
    ConvergenceError
        If a pact's equilibrium could not be found.
    """
    from entangle.tabulate import tabulate

    pacts, _, known = prepared(study)
    return tabulate(study, pacts, known, tally=None)


def run(
    study: Study,
    *,
    executor: Executor | Client | None = None,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    keeper: Keeper | None = None,
) -> Result:
    """Return the counts of a simulation as the study asks for it, beside the exact probabilities.

    Parameters
    ----------
    executor
        Where blocks are computed; threads of this process if not given.
    workers
        Number of threads when no executor is given; the processors available if not given.
    progress
        Called with (blocks done, blocks in all) in this thread. A block is played under every pact.
    keeper
        Where blocks are kept, and those that were are found.

    Raises
    ------
    ConvergenceError
        If a pact's equilibrium could not be found.
    JournalError
        If what is kept is damaged, or of another plan.
    RunError
        If the executor's processes or the cluster failed, or blocks cannot be kept.

    Warns
    -----
    DisagreementWarning
        If counts contradict the exact probabilities.
    """
    from entangle.tabulate import tabulate

    worker_count(executor, workers)  # a wrong argument is told before any work
    with opened(keeper, outline(study)):
        pacts, plan, known = prepared(study, workers=workers)
        settings = study.simulation
        if keeper is not None:
            keeper.begin(work_of(study, until.watching(study, plan, list(pacts.values()))))

        def play_on(plan: Plan, first: int, size: int) -> Tally:
            return _counted(
                work_of(study, plan),
                first,
                size,
                keeper=keeper,
                executor=executor,
                workers=workers,
                progress=progress,
            )

        stops: list[until.Stop] = []
        if settings.until is None:
            counted = play_on(plan, 0, settings.trajectories)
        else:
            counted, stops = until.run(study, plan, list(pacts.values()), play_on)
    result = tabulate(study, pacts, known, tally=counted, stops=stops)
    result.warn_of_disagreement()
    return result


def play_share(
    study: Study,
    keeper: Keeper,
    *,
    executor: Executor | Client | None = None,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Play the keeper's share of a simulation and keep it; arguments and errors as of :func:`run`."""
    worker_count(executor, workers)
    with opened(keeper, outline(study)):
        _, plan, _ = prepared(study, workers=workers)
        work = work_of(study, plan)
        keeper.begin(work)
        fill(work, keeper, executor=executor, workers=workers, progress=progress)


def outline(study: Study) -> Outline:
    """Return what is known of a simulation before any game is solved."""
    settings = study.simulation
    return Outline("disputes", study, settings.seed, settings.trajectories, BLOCK, {})


def work_of(study: Study, plan: Plan) -> Work[Plan, Part]:
    """Return the run of a study whose games are solved."""
    from entangle.layouts import Disputes

    return _playing(plan, study.simulation.seed, outline(study), Disputes(plan))


def _playing(
    plan: Plan, seed: int, outline: Outline | None = None, layout: Disputes | None = None
) -> Work[Plan, Part]:
    return Work(play, plan, seed, BLOCK, most_blocks(len(plan.worlds)), outline, layout)


def simulate(
    plan: Plan,
    *,
    seed: int,
    trajectories: int,
    first: int = 0,
    executor: Executor | Client | None = None,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Tally:
    """Count how trajectories `first` ... `first + trajectories - 1` end in each world of `plan`."""
    return _counted(
        _playing(plan, seed), first, trajectories, executor=executor, workers=workers, progress=progress
    )


def _counted(
    work: Work[Plan, Part],
    first: int,
    size: int,
    *,
    keeper: Keeper | None = None,
    executor: Executor | Client | None,
    workers: int | None,
    progress: Callable[[int, int], None] | None,
) -> Tally:
    counted = Tally.empty(len(work.shared.worlds))
    stream = played(
        work, first, first + size, keeper=keeper, executor=executor, workers=workers, progress=progress
    )
    with closing(stream):
        for task, part in stream:
            counted.add(task.first, part)
    return counted


def most_blocks(worlds: int) -> int:
    """Return how many blocks a task has at most, for a number of worlds."""
    return max(_MOST_BLOCKS // worlds, 1)


def plan_of(pacts: Mapping[str, Prepared]) -> Plan:
    """Return the plan that plays every pact by itself."""
    return Plan(tuple(pact.tables for pact in pacts.values()), (None,) * len(pacts), paired=False)


def prepared(
    study: Study, *, workers: int | None = None
) -> tuple[dict[str, Prepared], Plan, attribution.Marginals | None]:
    """Solve what a study asks for.

    Returns
    -------
    dict of Prepared
        The pacts.
    Plan
        A world for each of them and, if trajectories are attributed, one for no pact, unless a pact is none.
    Marginals or None
        What bounds the attribution, if there is any.
    """
    wanted = study.simulation.attribution
    solved = prepare(study, empty=wanted, workers=workers)
    pacts = {name: pact for name, pact in solved.items() if name != EMPTY}
    with ThreadPoolExecutor(workers or processors()) as pool:
        list(pool.map(lambda pact: pact.exact, solved.values()))
    plan = plan_of(pacts)
    if not wanted:
        return pacts, plan, None
    empty = solved[EMPTY]
    others = {name: attribution.rivals(pact, empty) for name, pact in pacts.items()}
    rivals = tuple(others.values())
    if None in rivals:
        none = rivals.index(None)
        plan = Plan(plan.worlds, rivals, paired=True)
    else:
        none = len(pacts)
        plan = Plan((*plan.worlds, empty.tables), (*rivals, None), paired=True)
    return pacts, plan, attribution.marginals(pacts, empty, others, none=none)
