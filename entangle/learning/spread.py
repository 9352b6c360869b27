"""Parameters drawn apart from each other: each by itself, from its posterior or its prior."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import ndtri

from entangle.fit.likelihood import FITTED
from entangle.learning.sweep import Floats, Point, column, medians


class Spread(NamedTuple):
    """Marginal laws of some parameters; all others stay where they are.

    Parameters
    ----------
    names
        Those that vary.
    draws
        Draws of each, shape (parameters, draws); None for the laws of the prior.
    rest
        Values of everything that was fitted.
    """

    names: tuple[str, ...]
    draws: Floats | None
    rest: dict[str, float]

    def values(self, uniform: Floats) -> Floats:
        """Return the parameters at uniform numbers, shape (..., parameters), by their quantiles."""
        found = np.empty_like(uniform)
        for i, name in enumerate(self.names):
            if self.draws is None:
                prior = next(prior for prior in FITTED if prior.name == name)
                found[..., i] = prior.value(ndtri(uniform[..., i]))
            else:
                # half a draw lies below the smallest
                found[..., i] = np.quantile(self.draws[i], uniform[..., i], method="hazen")
        return found

    def points(self, uniform: Floats) -> list[Point]:
        """Return whole points at uniform numbers, shape (n, parameters)."""
        rows = self.values(uniform).tolist()
        return [self.rest | dict(zip(self.names, row, strict=True)) for row in rows]


def posterior(draws: Sequence[Point], names: Sequence[str]) -> Spread:
    """Return the marginals of draws; how parameters hang together is lost."""
    return Spread(tuple(names), np.array([column(draws, name) for name in names]), medians(draws))


def prior(names: Sequence[str]) -> Spread:
    """Return the priors, which are independent of each other; others stay at their medians."""
    return Spread(tuple(names), None, {prior.name: prior.median for prior in FITTED})
