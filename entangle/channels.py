"""What a pact changes, divided over the four channels through which it does.

Each channel (how the challenger chooses, how the protégé does, what the defender owes and how it chooses, the
material terms) is at its value under the pact or without it: sixteen worlds, each solved exactly. The
difference between all and none is divided by averaging what a channel adds over the 24 orders in which
the four can be switched on (Shapley 1953, Contributions to the Theory of Games II: 307-317). It is the only
division that adds up over channels and over outcomes, treats like channels alike, and gives nothing
to one that changes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from entangle import provenance
from entangle.executors import worker_count
from entangle.outcomes import OUTCOMES
from entangle.solving import EMPTY, Prepared, prepare
from entangle_kernels import exact, quantise, worlds
from entangle_kernels.quantise import Tables

if TYPE_CHECKING:
    from entangle.study import Study

Floats = NDArray[np.float64]

#: The channels, by their bits in a world's number, and what is as under the pact where one is on.
CHANNELS: Final[dict[str, tuple[int, str]]] = {
    "deterrence": (worlds.DETERRENCE, "how the challenger chooses"),
    "emboldenment": (worlds.EMBOLDENMENT, "how the protégé chooses"),
    "obligation": (worlds.OBLIGATION, "what is owed, and how the defender chooses"),
    "capability": (worlds.CAPABILITY, "the material terms: forces, votes, delays, accidents"),
}
_PER_DISPUTE: Final = "a dispute"


def channels(study: Study, *, pacts: Iterable[str] | None = None, workers: int | None = None) -> xr.Dataset:
    """Return the exact probability of every outcome in all worlds of a pact, and what each channel adds.

    An outcome that is conditional keeps its condition (coordinate ``given``) if that can hold in every
    world of every pact asked for. Otherwise (without a pact nothing is owed, so that nobody can be
    abandoned) what is divided is its probability per dispute.

    Parameters
    ----------
    pacts
        Names of the pacts; all of the study's if not given.
    workers
        Threads; the processors available if not given. Never changes a number.

    Returns
    -------
    xarray.Dataset
        ``probability`` (pacts, worlds, outcomes); ``without_pact``, ``with_pact`` and ``difference`` (pacts,
        outcomes); ``contribution`` (pacts, outcomes, channels), which sums to the difference. Which
        channels are on in a world is told by the coordinates ``deterrence``, ``emboldenment``,
        ``obligation`` and ``capability``.

    Raises
    ------
    StudyError
        If the study has no pact of such a name.
    ConvergenceError
        If an equilibrium could not be found.
    """
    names = study.named(pacts)
    threads = worker_count(None, workers)
    asked = study.replace(pacts={name: study.pacts[name] for name in names})
    happened, otherwise = _worlds(prepare(asked, empty=True, workers=threads), names, threads)
    total = happened + otherwise
    kept: NDArray[np.bool_] = np.all(total > 0, axis=(0, 1))
    probability = np.divide(happened, total, out=happened.copy(), where=kept)
    return _dataset(study, names, probability, kept)


def shapley(values: Floats) -> Floats:
    """Return what each channel adds, averaged over the orders in which they can be switched on.

    Parameters
    ----------
    values
        A number for each world, shape (worlds, ...).

    Returns
    -------
    array of shape (channels, ...)
        Sums to the difference of the last world and the first.
    """
    bits = [bit for bit, _ in CHANNELS.values()]
    found = np.zeros((len(bits), *values.shape[1:]))
    for channel, bit in enumerate(bits):
        for world in range(worlds.WORLDS):
            if not world & bit:
                # of the 24 orders, those in which just the channels of `world` come before this one
                orders = {0: 6, 1: 2, 2: 2, 3: 6}[world.bit_count()]
                found[channel] += orders / 24 * (values[world | bit] - values[world])
    return found


def _worlds(solved: Mapping[str, Prepared], names: Sequence[str], threads: int) -> tuple[Floats, Floats]:
    """Return for every pact, world and outcome how probable it is, and its condition without it."""
    with ThreadPoolExecutor(threads) as pool:
        started = {}
        keys = []
        for name in names:
            for world in range(worlds.WORLDS):
                tables = solved[name].world(solved[EMPTY], world)
                key = quantise.digest(tables)
                if key not in started:  # a channel that moves nothing has nothing to compute
                    started[key] = pool.submit(_shares, tables)
                keys.append(key)
        shares = np.array([started[key].result() for key in keys])
    by_world = shares.reshape(len(names), worlds.WORLDS, 2, len(OUTCOMES))
    return by_world[:, :, 0], by_world[:, :, 1]


def _shares(tables: Tables) -> Floats:
    """Return the probability of every outcome, and of its condition without it, shape (2, outcomes)."""
    cells = exact.probabilities(tables)
    return np.array(
        [
            [cells[outcome.event].sum() for outcome in OUTCOMES],
            [cells[outcome.condition & ~outcome.event].sum() for outcome in OUTCOMES],
        ]
    )


def _dataset(study: Study, names: list[str], probability: Floats, kept: NDArray[np.bool_]) -> xr.Dataset:
    without, full = probability[:, worlds.EMPTY], probability[:, worlds.FULL]
    contribution = np.moveaxis(shapley(np.moveaxis(probability, 1, 0)), 0, -1)
    each = ("pact", "outcome")
    numbers: dict[str, tuple[tuple[str, ...], Floats, str]] = {
        "probability": (("pact", "world", "outcome"), probability, "exact probability of the outcome"),
        "without_pact": (each, without, "exact probability with every channel as without a pact"),
        "with_pact": (each, full, "exact probability under the pact"),
        "difference": (each, full - without, "what the pact changes"),
        "contribution": ((*each, "channel"), contribution, "what the channel adds (Shapley value)"),
    }
    given = [outcome.given if own else _PER_DISPUTE for outcome, own in zip(OUTCOMES, kept, strict=True)]
    return labelled(
        study, names, numbers, given, method="exact; Shapley value of each channel over 16 worlds"
    )


def labelled(
    study: Study,
    names: Sequence[str],
    numbers: Mapping[str, tuple[tuple[str, ...], Floats | NDArray[np.int64], str]],
    given: Sequence[str],
    *,
    method: str,
) -> xr.Dataset:
    """Return numbers by pact, world, outcome and channel as a labelled table.

    Parameters
    ----------
    numbers
        Dimensions, values and text of each variable.
    given
        What each outcome is conditional on.
    """
    world = np.arange(worlds.WORLDS)
    data = xr.Dataset(
        {
            name: (dims, values, {"long_name": text, "units": "1"})
            for name, (dims, values, text) in numbers.items()
        },
        coords={
            "pact": ("pact", _words(names), {"long_name": "pact"}),
            "outcome": ("outcome", _words(o.name for o in OUTCOMES), {"long_name": "outcome"}),
            "meaning": ("outcome", _words(o.meaning for o in OUTCOMES), {"long_name": "what happened"}),
            "given": ("outcome", _words(given), {"long_name": "what the probability is conditional on"}),
            "channel": ("channel", _words(CHANNELS), {"long_name": "through what the pact acts"}),
            "what": (
                "channel",
                _words(text for _, text in CHANNELS.values()),
                {"long_name": "what is as under the pact where the channel is on"},
            ),
            "world": (
                "world",
                world,
                {"long_name": "which channels are on", "comment": "sum of 1, 2, 4, 8 in their order"},
            ),
            **{
                name: ("world", world & bit > 0, {"long_name": f"under the pact: {text}"})
                for name, (bit, text) in CHANNELS.items()
            },
        },
    )
    data.attrs = {
        "Conventions": "CF-1.11",
        "title": study.title or "Crisis risks of security pacts",
        "summary": "What each pact changes, divided over the channels through which it acts.",
        "source": f"entangle {provenance.package_version()}, a Monte Carlo risk engine for security pacts",
        "date_created": provenance.now(),
        "method": method,
        "study": json.dumps(study.to_dict(), ensure_ascii=False, indent=1),
        "fingerprint": study.fingerprint,
    }
    return data


def _words(words: Iterable[str]) -> NDArray[np.object_]:
    return np.array(list(words), dtype=object)
