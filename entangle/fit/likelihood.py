"""How well a point in the space of the priors agrees with the record.

Each figure is compared on a scale on which its error is about normal: shares by their log odds, rates and
ratios by their logarithms, with the standard error that its 95 % interval has there. To it is added what a
model that leaves out so much must be allowed to be off by, the *discrepancy* (Kennedy & O'Hagan 2001, J. R.
Stat. Soc. B 63: 425-464). Its size on those scales is one for all figures, unknown, and fitted with the rest;
its law is Student's, so that one figure that the engine cannot give does not excuse all others. Both are
assumptions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

import numpy as np

from entangle.evidence.moments import Moments, Target
from entangle.fit.predict import PREDICTED, predicted
from entangle.fit.priors import PRIORS, Prior
from entangle_kernels.game import Floats

#: Normal quantile of a 95 % interval's end.
_REACH: Final = 1.959963984540054

#: Degrees of freedom of the discrepancy's law.
_TAILS: Final = 4.0


@lru_cache(maxsize=1)
def mixture() -> tuple[Floats, Floats]:
    """Return variances and weights of normal laws that make up Student's law of scale 1.

    Its precision is gamma distributed; nodes lie evenly in its logarithm, where the rule of trapezes is good
    to 1e-4 of the density as far out as a figure can be off.
    """
    precision = np.exp(np.linspace(-12.0, 2.5, 41))
    weight = precision ** (0.5 * _TAILS) * np.exp(-0.5 * _TAILS * precision)
    return 1.0 / precision, weight / weight.sum()


#: The discrepancy, beside the parameters of the engine.
DISCREPANCY: Final = Prior("discrepancy", "log", 0.2, 0.6, "a fifth either way on the log scale, or two")
#: Everything that is fitted.
FITTED: Final = (*PRIORS, DISCREPANCY)


class Likelihood:
    """The log likelihood of the record's figures, for many points at once.

    Parameters
    ----------
    figures
        By code; those that the engine does not predict are refused.
    members
        Size of the population.

    Raises
    ------
    ValueError
        If a figure is not predicted, or its interval does not contain it.
    """

    def __init__(self, figures: Mapping[str, Target], *, members: int = 32) -> None:
        unknown = sorted(set(figures) - set(PREDICTED))
        if unknown:
            raise ValueError(f"the engine does not predict {', '.join(unknown)}")
        self.codes = [code for code in PREDICTED if code in figures]
        self.members = members
        self.places = [list(PREDICTED).index(code) for code in self.codes]
        self._share = np.array([figures[code].is_share for code in self.codes])
        self.observed = np.array([self.scaled(figures[code].value, code, figures) for code in self.codes])
        self.errors = np.array([self._error(code, figures[code]) for code in self.codes])

    @classmethod
    def of(cls, moments: Moments, *, members: int = 32) -> Likelihood:
        """Return the likelihood of those figures of a table that the engine predicts from crises."""
        targets = {target.code: target for target in moments.targets()}
        return cls({code: target for code, target in targets.items() if code in PREDICTED}, members=members)

    def scaled(self, value: float, code: str, figures: Mapping[str, Target]) -> float:
        """Return a value on its figure's scale."""
        return _logit(value) if figures[code].is_share else math.log(value)

    def _error(self, code: str, figure: Target) -> float:
        if not figure.lower <= figure.value <= figure.upper:
            raise ValueError(f"{code}: {figure.value} is outside its interval")
        scale = _logit if figure.is_share else math.log
        # an interval that reaches an end of the scale is as long as its other half says
        least = 1e-9
        low, high = max(figure.lower, least), min(figure.upper, 1.0 - least if figure.is_share else math.inf)
        halves = scale(figure.value) - scale(low), scale(high) - scale(figure.value)
        half = max(halves) if figure.lower > least else halves[1]
        return half / _REACH

    def on_scale(self, predictions: Floats) -> Floats:
        """Return predictions of :func:`~entangle.fit.predict.predicted` on the figures' scales."""
        own = np.clip(predictions[..., self.places], 1e-12, None)
        with np.errstate(divide="ignore", invalid="ignore"):
            odds = np.log(own) - np.log1p(-np.minimum(own, 1.0 - 1e-12))
        return np.where(self._share, odds, np.log(own))

    def of_predictions(self, predictions: Floats, discrepancy: Floats | float) -> Floats:
        """Return the log likelihood of predictions, shape (..., figures), given the discrepancy (...)."""
        total: Floats = self.by_figure(predictions, discrepancy).sum(axis=-1)
        return total

    def by_figure(self, predictions: Floats, discrepancy: Floats | float) -> Floats:
        """Return each figure's part of the log likelihood, shape (..., figures).

        Minus infinity for all where any prediction is not a number.
        """
        spread, weight = mixture()
        size = np.asarray(discrepancy)[..., np.newaxis, np.newaxis]
        variance = self.errors[:, np.newaxis] ** 2 + size**2 * spread
        off = (self.on_scale(predictions) - self.observed)[..., np.newaxis]
        density = np.exp(-0.5 * off**2 / variance) / np.sqrt(2.0 * math.pi * variance)
        with np.errstate(divide="ignore"):
            terms = np.log((density * weight).sum(axis=-1))
        lost = np.isnan(off).any(axis=(-2, -1))
        found: Floats = np.where(np.expand_dims(lost, -1), -np.inf, terms)
        return found

    def __call__(self, points: Floats) -> Floats:
        """Return the log likelihood at points, shape (n, d): those of the priors, and the discrepancy."""
        found = np.array([predicted(point[:-1], members=self.members, workers=1) for point in points])
        return self.of_predictions(found, DISCREPANCY.value(points[:, -1]))


def _logit(share: float) -> float:
    return math.log(share) - math.log1p(-share)
