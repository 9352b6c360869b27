"""What a pact does to the risks of decades, divided over the four channels through which it does.

As for a single crisis (:mod:`entangle.channels`), but whole histories are played in each of the sixteen
worlds, on the same random words. In a world without the channel "capability" a pact moves nobody's arms
either: there is no reliance and no floor. With every channel off a history is that without any pact, to the
last bit.

The share of a channel is linear in what happens in the sixteen worlds, history by history, so that its
variance follows from how often each two worlds have an outcome in the same history.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import xarray as xr

from entangle.between import between
from entangle.channels import CHANNELS, labelled, shapley
from entangle.contexts import solve_contexts
from entangle.decades import BLOCK, blocks
from entangle.estimators import normal, wilson
from entangle.executors import completed, worker_count, writable
from entangle.outcomes import OUTCOMES
from entangle.outlook import sixteen
from entangle.questions import HAPPENED, Counts
from entangle_kernels import decades, tally, worlds
from entangle_kernels.peace import Contexts, Peace

if TYPE_CHECKING:
    from distributed import Client

    from entangle.study import Study


class Plan(NamedTuple):
    """What histories are played with in each world: its contexts, and what moves between crises."""

    worlds: tuple[tuple[Contexts, Peace], ...]
    years: int


def decade_channels(
    study: Study,
    *,
    pacts: Iterable[str] | None,
    histories: int,
    seed: int,
    executor: Executor | Client | None = None,
    workers: int | None = None,
    solving: Callable[[int, int], None] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> xr.Dataset:
    """Play histories in all worlds of each pact; see :meth:`entangle.Study.decade_channels`."""
    worker_count(executor, workers)
    names = study.named(pacts)
    shared = np.zeros((len(names), worlds.WORLDS, worlds.WORLDS, tally.BITS), np.int64)
    number = -(-histories // BLOCK)
    for i, name in enumerate(names):
        plan = _plan(study, name, workers, solving)
        done = i * number
        with closing(
            completed(play, plan, blocks(seed, histories), executor=executor, workers=workers)
        ) as stream:
            for _, part in stream:
                shared[i] += part
                done += 1
                if progress is not None:
                    progress(done, number * len(names))
    return _dataset(study, names, shared[..., : len(OUTCOMES)], histories, seed)


def play(plan: Plan, seed: int, first: int, size: int) -> Counts:
    """Return how many histories have each event in two worlds at once, for pairs a <= b, (16, 16, 64)."""
    plan = writable(plan)
    happened = [
        decades.ever(contexts, peace, HAPPENED, seed=seed, first=first, size=size, years=plan.years)
        for contexts, peace in plan.worlds
    ]
    return tally.common_bits(np.stack(happened))


def _plan(study: Study, name: str, workers: int | None, solving: Callable[[int, int], None] | None) -> Plan:
    solved = solve_contexts(study, name, workers=workers, progress=solving)
    own = between(study, name)
    unarmed = own._replace(ln_share=-math.inf, ln_floor=-math.inf)
    return Plan(
        tuple(
            (contexts, own if world & worlds.CAPABILITY else unarmed)
            for world, contexts in enumerate(sixteen(solved, workers=workers))
        ),
        study.peacetime.years,
    )


def _dataset(study: Study, names: list[str], shared: Counts, histories: int, seed: int) -> xr.Dataset:
    confidence = study.simulation.confidence
    happened = np.einsum("pwwo->pwo", shared)
    both = shared + shared.swapaxes(1, 2)
    at = np.arange(worlds.WORLDS)
    both[:, at, at] = happened
    share = happened / histories
    covariance = both / histories - share[:, :, np.newaxis] * share[:, np.newaxis]
    # one row for each channel, and one for the difference of all and none
    weights = np.vstack([shapley(np.eye(worlds.WORLDS)), np.zeros(worlds.WORLDS)])
    weights[-1, worlds.FULL], weights[-1, worlds.EMPTY] = 1.0, -1.0
    by_world = np.moveaxis(share, 1, 0)
    parts = [*shapley(by_world), by_world[worlds.FULL] - by_world[worlds.EMPTY]]
    value = np.stack(parts, axis=-1)
    variance = np.einsum("cv,pvwo,cw->poc", weights, covariance, weights)
    # as if two more histories had gone one way and the other wholly (after Agresti & Min 2005, Stat. Med. 24:
    # 729-740): where no history differs between worlds, that is not to know that none ever will
    variance = np.maximum(variance, 0.0) + 2.0 / histories
    lower, upper = normal(value, np.sqrt(variance / histories), confidence=confidence)
    each, by_channel = ("pact", "outcome"), ("pact", "outcome", "channel")
    low, high = wilson(happened, histories, confidence=confidence)
    text = "share of histories in which the outcome happens within the horizon"
    numbers = {
        "count": (("pact", "world", "outcome"), happened, "histories in which the outcome happens"),
        "probability": (("pact", "world", "outcome"), share, text),
        "lower": (("pact", "world", "outcome"), low, "lower end of the interval of probability"),
        "upper": (("pact", "world", "outcome"), high, "upper end of the interval of probability"),
        "without_pact": (each, share[:, worlds.EMPTY], f"{text}, with every channel as without a pact"),
        "with_pact": (each, share[:, worlds.FULL], f"{text} under the pact"),
        "difference": (each, value[..., -1], "what the pact changes"),
        "difference_lower": (each, lower[..., -1], "lower end of the paired interval of difference"),
        "difference_upper": (each, upper[..., -1], "upper end of the paired interval of difference"),
        "contribution": (by_channel, value[..., :-1], "what the channel adds (Shapley value)"),
        "contribution_lower": (by_channel, lower[..., :-1], "lower end of the interval of contribution"),
        "contribution_upper": (by_channel, upper[..., :-1], "upper end of the interval of contribution"),
    }
    others = [worlds.FULL & ~bit for bit, _ in CHANNELS.values()]
    joint = np.moveaxis(both[:, worlds.FULL, others], 1, -1)  # (pact, outcome, channel)
    fact = happened[:, worlds.FULL, :, np.newaxis]
    other = np.moveaxis(happened[:, others], 1, -1)
    for side, count, what in (
        ("caused", fact - joint, "it happens, and would not"),
        ("averted", other - joint, "it does not happen, and would"),
    ):
        low, high = wilson(count, histories, confidence=confidence)
        about = f"{what}, were the channel as without a pact in all years, with the same luck"
        numbers |= {
            f"{side}_count": (by_channel, count, f"histories in which {about}"),
            f"{side}_probability": (by_channel, count / histories, f"share of histories in which {about}"),
            f"{side}_lower": (by_channel, low, f"lower end of the interval of {side}_probability"),
            f"{side}_upper": (by_channel, high, f"upper end of the interval of {side}_probability"),
        }
    years = study.peacetime.years
    data = labelled(
        study,
        names,
        numbers,
        [f"a history of {years} year{'s' if years != 1 else ''}"] * len(OUTCOMES),
        method=f"simulated; Shapley value of each channel over 16 worlds of {histories} histories each",
    )
    return data.assign_attrs(histories=histories, seed=str(seed), confidence=confidence)
