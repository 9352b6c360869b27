"""Decades: many histories of years and crises under every pact, added up in constant memory.

Each pact's crises are solved on a grid of contexts; then histories are played block by block, every pact on
the same random words. Beside what happened stands what was to be expected (Rao & Blackwell): in every year,
the exact chance of an outcome given where the years before have led to and what kind of defender it is. Both
have the same mean; the second has less variance, and knows a rare outcome as well as a common one.

Counts are whole numbers. Sums of expectations are floating within a block of fixed size and added up exactly
between blocks, so that neither the order nor the number of workers moves a bit.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from entangle.attribution import COUNTERFACTUALS
from entangle.between import between
from entangle.contexts import SolvedContexts, solve_contexts
from entangle.digests import Digests, Words, hashed
from entangle.exact_sums import ExactSums
from entangle.executors import Task, worker_count, writable
from entangle.expectations import EVENTS
from entangle.outlook import outlook
from entangle.playing import fill, opened, played
from entangle.questions import GIVEN, HAPPENED, HELD, Counts
from entangle.solving import EMPTY
from entangle.work import Outline, Work
from entangle_kernels import census as kernel
from entangle_kernels import decades as histories
from entangle_kernels import tally
from entangle_kernels.census import Census, Questions
from entangle_kernels.game import Floats
from entangle_kernels.peace import Contexts, Peace

if TYPE_CHECKING:
    from distributed import Client

    from entangle.journal.folder import Keeper
    from entangle.study import Study

#: Histories in a task: the unit within which floating sums run.
BLOCK: Final = 16_384
#: The other rules by which bound disputes are played again: the partners' own no-pact policies.
RULES: Final = COUNTERFACTUALS[:2]

#: What is floating in a census.
FLOATING: Final = ("yearly", "passage", "strength")
_WHOLE: Final = tuple(name for name in Census._fields if name not in (*FLOATING, "ever"))


class Played(NamedTuple):
    """What histories under one pact are played with.

    Parameters
    ----------
    contexts, peace
        What a history reads, and what moves between crises.
    rivals
        Other rules by which bound disputes are played again; may be empty.
    expected, strength
        Expectation of every quantity in a dispute, and the strength of the promise; see
        :class:`entangle_kernels.census.Questions`.
    """

    contexts: Contexts
    peace: Peace
    rivals: tuple[Contexts, ...]
    expected: Floats
    strength: Floats


class Plan(NamedTuple):
    """What every history is played with: under each pact, and last of all without any.

    Parameters
    ----------
    pacts
        The study's pacts, and at the end, unless one of them is empty, no pact.
    none
        Which of them is no pact.
    years
        Length of a history.
    """

    pacts: tuple[Played, ...]
    none: int
    years: int


class Part(NamedTuple):
    """What a block of histories adds up to, or several.

    Parameters
    ----------
    counts
        The census of each pact, without its `ever`.
    shared
        How often two pacts had an event in the same history, for pairs a <= b, shape (pacts, pacts, 64).
    products
        Sum of the products of each level under a pact and without any, shape (pacts, levels, years).
    digests
        Of the block, shape (1, 1); of several, the sum.
    """

    counts: tuple[Census, ...]
    shared: Counts
    products: Counts
    digests: Words

    @classmethod
    def of(cls, counts: tuple[Census, ...], shared: Counts, products: Counts) -> Part:
        """Return a block with its digest."""
        arrays = [getattr(own, name) for own in counts for name in (*_WHOLE, *FLOATING)]
        return cls(counts, shared, products, np.array([[hashed(*arrays, shared, products)]], np.uint64))


class Timing(NamedTuple):
    """Where the time went [s]: solving, simulating (all but waiting for solved contexts), merging in it."""

    solving: float
    simulating: float
    merging: float


@dataclass(frozen=True)
class Histories:
    """Everything that was counted.

    Parameters
    ----------
    part
        Sums over all histories; the floating ones rounded once.
    solved
        The contexts of each pact of the plan.
    none
        Which of them is no pact.
    number
        Histories under each pact.
    digests
        Of the blocks.
    """

    part: Part
    solved: Mapping[str, SolvedContexts]
    none: int
    number: int
    digests: Digests
    timing: Timing


def count_histories(
    study: Study,
    *,
    number: int,
    seed: int,
    executor: Executor | Client | None = None,
    workers: int | None = None,
    solving: Callable[[int, int], None] | None = None,
    progress: Callable[[int, int], None] | None = None,
    keeper: Keeper | None = None,
) -> Histories:
    """Solve every pact's contexts, play histories, and add them up; see :meth:`entangle.Study.decades`.

    Parameters
    ----------
    keeper
        Where blocks are kept, and those that were are found.
    """
    worker_count(executor, workers)
    began = time.perf_counter()
    told = outline(study, number=number, seed=seed)
    with opened(keeper, told):
        solved, empty, plan = prepared(study, workers, solving)
        work = work_of(told, plan)
        if keeper is not None:
            keeper.begin(work)
        solved_at = time.perf_counter()
        total, merging, digests = Total(), 0.0, Digests(1)
        stream = played(work, 0, number, keeper=keeper, executor=executor, workers=workers, progress=progress)
        with closing(stream):
            for task, part in stream:
                arrived = time.perf_counter()
                total.add(part)
                digests.add(task.first // BLOCK, part.digests)
                merging += time.perf_counter() - arrived
    timing = Timing(solved_at - began, time.perf_counter() - solved_at, merging)
    return Histories(total.part(), solved, empty, number, digests, timing)


def play_share(
    study: Study,
    keeper: Keeper,
    *,
    number: int,
    seed: int,
    executor: Executor | Client | None = None,
    workers: int | None = None,
    solving: Callable[[int, int], None] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Play the keeper's share of some histories and keep it; as :func:`count_histories`."""
    worker_count(executor, workers)
    told = outline(study, number=number, seed=seed)
    with opened(keeper, told):
        work = work_of(told, prepared(study, workers, solving)[2])
        keeper.begin(work)
        fill(work, keeper, executor=executor, workers=workers, progress=progress)


def outline(study: Study, *, number: int, seed: int) -> Outline:
    """Return what is known of some histories before any context is solved."""
    return Outline("histories", study, seed, number, BLOCK, {})


def work_of(told: Outline, plan: Plan) -> Work[Plan, Part]:
    """Return the run of some histories whose contexts are solved."""
    from entangle.layouts import Histories as Layout

    return Work(play, plan, told.seed, BLOCK, outline=told, layout=Layout(plan))


def prepared(
    study: Study, workers: int | None, solving: Callable[[int, int], None] | None
) -> tuple[dict[str, SolvedContexts], int, Plan]:
    """Solve every pact's contexts; return them, which pact is none, and what histories are played with."""
    names, empty = worlds_of(study)
    solved = {name: solve_contexts(study, name, workers=workers, progress=solving) for name in names}
    plan = Plan(
        tuple(ready(study, name, own, workers) for name, own in solved.items()),
        empty,
        study.peacetime.years,
    )
    return solved, empty, plan


def nothing(own: Played, *, size: int, years: int) -> Census:
    """Return the census of no histories yet under a pact, with room for `size` of them."""
    questions = Questions(HAPPENED, HELD, GIVEN, own.expected, own.strength)
    return kernel.nothing(questions, events=len(EVENTS), size=size, years=years, others=len(RULES))


def worlds_of(study: Study) -> tuple[list[str], int]:
    """Return the pacts that histories are played under, and which of them is no pact."""
    names = list(study.pacts)
    if not any(pact.is_empty for pact in study.pacts.values()):
        names.append(EMPTY)
    return names, next(i for i, name in enumerate(names) if name == EMPTY or study.pacts[name].is_empty)


def play(plan: Plan, seed: int, first: int, size: int) -> Part:
    """Return what histories `first` ... `first + size - 1` add up to under every pact."""
    plan = writable(plan)
    asked = [Questions(HAPPENED, HELD, GIVEN, own.expected, own.strength) for own in plan.pacts]
    counts = [nothing(own, size=size, years=plan.years) for own in plan.pacts]
    products = np.zeros((len(plan.pacts), histories.LEVELS, plan.years), np.int64)
    room = [histories.empty(min(size, histories.BATCH), plan.years) for _ in plan.pacts]
    for start in range(0, size, histories.BATCH):
        which = {"seed": seed, "first": first + start}
        number = min(histories.BATCH, size - start)
        into = room if number == room[0].steadfast.size else [None for _ in plan.pacts]
        kept = [
            histories.record(own.contexts, own.peace, **which, size=number, years=plan.years, into=mine)
            for own, mine in zip(plan.pacts, into, strict=True)
        ]
        for i, (own, questions, found) in enumerate(zip(plan.pacts, asked, counts, strict=True)):
            others = [histories.again(rival, kept[i], **which) for rival in own.rivals]
            kernel.count(found, questions, own.peace, kept[i], others, start=start)
            products[i] += kernel.products(kept[i], kept[plan.none])
    shared = tally.common_bits(np.stack([found.ever for found in counts]))
    none = np.empty(0, np.uint64)
    return Part.of(tuple(found._replace(ever=none) for found in counts), shared, products)


def ready(study: Study, name: str, solved: SolvedContexts, workers: int | None) -> Played:
    """Return what histories under a pact are played with, from its solved contexts."""
    bound = not solved.terms.is_empty
    found = outlook(solved, rivals=bound, workers=workers)
    return Played(found.contexts, between(study, name), found.rivals, found.expected, found.strength)


def blocks(seed: int, number: int) -> Iterator[Task]:
    """Yield the tasks of a number of histories."""
    for first in range(0, number, BLOCK):
        yield Task(seed, first, min(BLOCK, number - first))


# -- merging ---------------------------------------------------------------------------------------


class Total:
    """The sum of parts, exact whatever the order in which they come."""

    def __init__(self) -> None:
        self._whole: Part | None = None
        self._floating: list[dict[str, ExactSums]] = []

    def add(self, part: Part) -> None:
        """Add the sums of a block."""
        if self._whole is None:
            self._whole = part
            self._floating = [
                {name: ExactSums(getattr(own, name).shape) for name in FLOATING} for own in part.counts
            ]
        else:
            counts = [
                mine._replace(**{name: getattr(mine, name) + getattr(theirs, name) for name in _WHOLE})
                for mine, theirs in zip(self._whole.counts, part.counts, strict=True)
            ]
            self._whole = Part(
                tuple(counts),
                self._whole.shared + part.shared,
                self._whole.products + part.products,
                self._whole.digests + part.digests,
            )
        for total, own in zip(self._floating, part.counts, strict=True):
            for name in FLOATING:
                total[name].add(getattr(own, name))

    def part(self) -> Part:
        """Return the sum; the floating sums are rounded here, once."""
        assert self._whole is not None
        sums: list[dict[str, Any]] = [
            {name: total[name].rounded() for name in FLOATING} for total in self._floating
        ]
        counts = [own._replace(**found) for own, found in zip(self._whole.counts, sums, strict=True)]
        return self._whole._replace(counts=tuple(counts))
