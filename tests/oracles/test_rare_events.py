"""Chains with closed-form chances of rare events, played by nature alone on the crisis tables."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pytest

from entangle_kernels import ladder
from entangle_kernels.crisis import simulate
from entangle_kernels.exact import committor, probabilities
from entangle_kernels.quantise import Tables
from statistical.counts import is_compatible

WORDS = 2**32


def chain(up: Sequence[float], down: Sequence[float], *, rounds: int) -> Tables:
    """Return tables on which nature walks: from rung 1 (state 1) up and down, ending at 0 and the top.

    The bottom is a compromise, the top general war. Nobody moves, everybody holds.
    """
    top = len(up) + 1
    state = np.arange(ladder.STATES)
    step = np.tile(state[:, np.newaxis], (2, 4, 1, ladder.OUTCOMES)).astype(np.uint16)
    nature = np.zeros((ladder.STATES, 4), np.uint32)
    nature[:, 2:] = WORDS - 1
    for s in range(1, top):
        rises = min(round(up[s - 1] * WORDS), WORDS - 1)
        falls = round(down[s - 1] * WORDS)
        nature[s] = 0, falls, WORDS - 1 - rises, WORDS - 1
        at_top = ladder.GENERAL_WAR if s + 1 == top else 0
        at_bottom = ladder.COMPROMISE if s == 1 else 0
        step[:, 3, s, ladder.ACCIDENT] = s + 1 | at_top << ladder.END_SHIFT
        step[:, 3, s, ladder.WON] = s - 1 | at_bottom << ladder.END_SHIFT
    hold = np.array([0, WORDS - 1, WORDS - 1], np.uint32)
    return Tables(
        types=1,
        estimates=1,
        rounds=rounds,
        hit=np.zeros(1, np.uint64),
        origin=np.uint64(WORDS),
        scope=np.uint64(WORDS),
        enter=np.zeros((2, 2, 1), np.uint32),
        start=np.array([1, 1]),
        cut=np.tile(hold, (2, rounds, 3, ladder.STATES, 1, 1)),
        nature=nature,
        step=step,
    )


def reaches_top(tables: Tables) -> tuple[float, float]:
    """Return the chance of the top, forward and backward."""
    cells = probabilities(tables)
    opened = 1.0 - cells[:, :, ladder.NO_CRISIS].sum()
    forward = float(cells[:, :, ladder.GENERAL_WAR].sum() / opened)
    event = np.zeros((ladder.ENDS, ladder.STATES, ladder.MARKS), np.bool_)
    event[ladder.GENERAL_WAR] = True
    backward = committor(tables, event, scope=1, estimate=0, types=(0, 0, 0))
    return forward, float(backward[0, 0, 0, 1])


def ruin(p: float, top: int, rounds: int) -> Tables:
    return chain([p] * (top - 1), [1 - p] * (top - 1), rounds=rounds)


@pytest.mark.parametrize(
    ("p", "top", "rounds", "printed"),
    [
        (0.3, 10, 400, 2.787800416548341e-4),
        (0.3, 20, 400, 5.8264369303851e-8),
        (0.4, 10, 30, 0.006094069493031689),
    ],
)
def test_gamblers_ruin(p: float, top: int, rounds: int, printed: float) -> None:
    # the chance of a step is a multiple of 2^-32, which moves the answer by a few parts in 10^9
    forward, backward = reaches_top(ruin(p, top, rounds))
    assert forward == pytest.approx(printed, rel=1e-8)
    assert backward == pytest.approx(forward, rel=1e-13)


UP = (0.30, 0.25, 0.20, 0.15, 0.15, 0.12, 0.10, 0.08)
DOWN = (0.35, 0.40, 0.40, 0.45, 0.45, 0.50, 0.50, 0.55)


def test_birth_and_death() -> None:
    forward, backward = reaches_top(chain(UP, DOWN, rounds=600))
    assert forward == pytest.approx(float(Fraction(15, 85576)), rel=1e-7)
    assert backward == pytest.approx(forward, rel=1e-13)


def test_birth_and_death_takes_the_printed_time() -> None:
    # expected steps: the sum over n of the chance that the walk is still going after n of them
    longest = chain(UP, DOWN, rounds=400)
    event = np.zeros((ladder.ENDS, ladder.STATES, ladder.MARKS), np.bool_)
    event[ladder.STALEMATE] = True
    # seen backward from the end, `rounds - t` steps remain: one pass gives every n at once
    still_going = committor(longest, event, scope=1, estimate=0, types=(0, 0, 0))[:, 0, 0, 1]
    assert still_going[0] < 1e-9
    assert still_going.sum() == pytest.approx(7.204174992599169, rel=1e-7)


def test_simulator_finds_the_ruin() -> None:
    tables = ruin(0.3, 10, 120)
    size = 400_000
    counts = simulate(tables, seed=3, first=0, size=size)
    found = int(counts[:, :, ladder.GENERAL_WAR].sum())
    opened = size - int(counts[:, :, ladder.NO_CRISIS].sum())
    assert is_compatible(found, opened, 2.787800416548341e-4)
    # 111 are expected; the check must notice a rate that is three times as high
    assert not is_compatible(found, opened, 3 * 2.787800416548341e-4)
