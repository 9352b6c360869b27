"""Stopping at a relative error, from sums of Poisson and binomial chances."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal, localcontext


def gamma_tails(shape: int, value: float) -> tuple[float, float]:
    """Return the chances that a gamma variable of whole shape is below and above `value`.

    Event number `shape` of a Poisson process comes before `value` if there are that many events by then.
    """
    at = _poisson(shape, value)
    below, term, count = 0.0, at, shape
    while count <= value or term > 1e-20 * below:
        below += term
        count += 1
        term *= value / count
    above, term, count = 0.0, at * shape / value, shape - 1
    while count >= 0 and (count >= value or term > 1e-20 * above):
        above += term
        term *= count / value
        count -= 1
    return below, above


def _poisson(count: int, mean: float) -> float:
    """Return the chance of `count` events, to all digits however large the count."""
    with localcontext(prec=60):
        n, m = Decimal(count), Decimal(mean)
        if count < 1000:
            return float(m**count / Decimal(math.factorial(count)) * (-m).exp())
        # Stirling: the first term left out is below n^-9 / 1188
        series = 1 / (12 * n) - 1 / (360 * n**3) + 1 / (1260 * n**5) - 1 / (1680 * n**7)
        shape = (n * (m / n).ln() + n - m - series).exp()
        return float(shape) / math.sqrt(2.0 * math.pi * count)


def miss(successes: int, relative_error: float) -> float:
    """Return the chance that (k - 1) / G, with G of the gamma law of shape k, is too far from 1."""
    below, _ = gamma_tails(successes, (successes - 1) / (1.0 + relative_error))
    _, above = gamma_tails(successes, (successes - 1) / (1.0 - relative_error))
    return below + above


def successes_needed(relative_error: float, confidence: float) -> int:
    """Return the first k, counted up, that misses seldom enough."""
    successes = 2
    while miss(successes, relative_error) > 1.0 - confidence:
        successes += 1
    return successes


def peeking(
    probability: float, block: int, relative_error: float, stops: Callable[[int, int], bool]
) -> tuple[float, float]:
    """Return how often a run that looks after every block ends near the truth, and its mean trials.

    Parameters
    ----------
    probability
        Chance of a success.
    block
        Trials between two looks.
    relative_error
        How near the share of successes has to be.
    stops
        Whether to stop, given the successes and the trials so far.
    """
    step: list[float] = []
    while len(step) <= block and (not step or len(step) < block * probability or step[-1] > 1e-17):
        more = len(step)
        step.append(
            math.comb(block, more) * probability**more * math.exp((block - more) * math.log1p(-probability))
        )
    going, near, mean, trials = {0: 1.0}, 0.0, 0.0, 0
    while sum(going.values()) > 1e-12:
        trials += block
        reached: dict[int, float] = {}
        for count, chance in going.items():
            for more, part in enumerate(step):
                reached[count + more] = reached.get(count + more, 0.0) + chance * part
        going = {}
        for count, chance in reached.items():
            if not stops(count, trials):
                going[count] = chance
                continue
            mean += trials * chance
            if abs(count / (trials * probability) - 1.0) <= relative_error:
                near += chance
    return near, mean
