"""What is to be expected of one thing given another, from a few hundred pairs of both.

Penalised B-splines on the normal scores of the given (Eilers & Marx 1996, Stat. Sci. 11: 89-121), whose
penalty leaves a straight line alone. How smooth, down to a straight line and to no dependence at all, is
chosen by leaving out each pair; pairs that may be copies of each other are left out together.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import BSpline
from scipy.special import ndtri
from scipy.stats import rankdata

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]

#: Pieces of the spline, and penalties that are tried; after them a straight line and a constant.
_PIECES: Final = 10
_PENALTIES: Final = tuple(10.0 ** np.arange(-3.0, 4.1, 0.5))
_DEGREE: Final = 3
#: Pairs below which nothing is fitted.
LEAST: Final = 20


class Fit(NamedTuple):
    """A smoothed dependence of several things on one.

    Parameters
    ----------
    fitted
        Expected values given, shape (n, m).
    left_out
        The same at each pair, from the pairs that are not of its group, shape (n, m).
    constant
        The mean of the pairs that are not of its group, shape (n, m).
    choice
        For each of the m, index into the smoother's choices of what was chosen, shape (m,).
    """

    fitted: Floats
    left_out: Floats
    constant: Floats
    choice: Labels


class Smoother:
    """Smooths anything against one given thing.

    Parameters
    ----------
    given
        Shape (n,).
    groups
        Pairs with the same label are left out together, shape (n,); those with the same `given` always are.
    """

    def __init__(self, given: Floats, groups: Labels | None = None) -> None:
        self.size = len(given)
        self.groups = _merged(given, groups)
        score = ndtri((rankdata(given) - 0.5) / self.size)
        self._spline, self._penalty = _basis(score)
        line = np.stack([np.ones_like(score), score], axis=1)
        self.bases = [self._spline] * len(_PENALTIES) + [line, line[:, :1]]
        self.penalties = [
            *(strength * self._penalty for strength in _PENALTIES),
            np.zeros((2, 2)),
            np.zeros((1, 1)),
        ]

    def __call__(self, values: Floats) -> Fit:
        """Return the smoothed dependence of values, shape (n, m)."""
        fitted, left_out = [], []
        for basis, penalty in zip(self.bases, self.penalties, strict=True):
            inner = basis.T @ basis + penalty
            own = basis @ np.linalg.solve(inner, basis.T @ values)
            fitted.append(own)
            left_out.append(values - self._errors(basis, inner, values - own))
        errors = ((np.array(left_out) - values) ** 2).sum(axis=1)
        choice = errors.argmin(axis=0)
        places = np.arange(values.shape[1])
        return Fit(
            np.array(fitted)[choice, :, places].T,
            np.array(left_out)[choice, :, places].T,
            left_out[-1],
            choice,
        )

    def _errors(self, basis: Floats, inner: Floats, residual: Floats) -> Floats:
        """Return the errors at each pair of a fit without its group: exact for a linear smoother."""
        half = np.linalg.solve(inner, basis.T)
        found: Floats = residual / (1.0 - (basis.T * half).sum(axis=0))[:, np.newaxis]
        labels, counts = np.unique(self.groups, return_counts=True)
        for label in labels[counts > 1]:
            own = np.flatnonzero(self.groups == label)
            found[own] = np.linalg.solve(np.eye(len(own)) - basis[own] @ half[:, own], residual[own])
        return found

    def weighted(self, values: Floats, choice: int, weights: Floats) -> Floats:
        """Return fitted values, shape (n,), of one thing under weights of the pairs, at a given choice."""
        basis, penalty = self.bases[choice], self.penalties[choice]
        inner = basis.T @ (weights[:, np.newaxis] * basis) + penalty
        if basis is self._spline:
            # a resample may leave a piece of the spline without pairs
            inner += 1e-9 * np.trace(inner) / len(inner) * np.eye(len(inner))
        found: Floats = basis @ np.linalg.solve(inner, basis.T @ (weights * values))
        return found


def _basis(score: Floats) -> tuple[Floats, Floats]:
    """Return a basis of cubic splines, shape (n, bases), and the penalty of second differences."""
    low, high = float(score.min()), float(score.max())
    reach = (high - low) or 1.0
    step = reach / _PIECES
    knots = low + step * np.arange(-_DEGREE, _PIECES + _DEGREE + 1)
    number = len(knots) - _DEGREE - 1
    inside = np.clip(score, knots[_DEGREE], knots[-_DEGREE - 1] - 1e-9 * reach)
    basis = BSpline.design_matrix(inside, knots, _DEGREE).toarray()
    differences = np.diff(np.eye(number), n=2, axis=0)
    # where no pair lies in a piece, a trace of a ridge keeps the equations solvable
    return basis, differences.T @ differences + 1e-8 * np.eye(number)


def _merged(given: Floats, groups: Labels | None) -> Labels:
    """Return labels under which pairs that share a label or the given value are together."""
    own = np.unique(given, return_inverse=True)[1].astype(np.int64)
    if groups is None:
        return own
    other = np.unique(groups, return_inverse=True)[1]
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    first = own.max() + 1
    size = first + other.max() + 1
    graph = coo_matrix((np.ones(len(own)), (own, first + other)), shape=(size, size))
    return connected_components(graph, directed=False)[1][own].astype(np.int64)


def explained(values: Floats, fit: Fit) -> tuple[Floats, Floats]:
    """Return the share of each variance that the fit foretells of what was left out, and its standard error.

    Variance of the expected value given, over the variance: the first-order index, if what is given is a
    parameter (Sobol 1993). Foretelling what took part in the fit would exaggerate it. Never below 0, because
    a constant is among the choices; so of many things that say nothing, some will come out a little above.
    """
    n = len(values)
    off = values - fit.constant
    missed = (values - fit.left_out) ** 2
    scale = (off**2).mean(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = 1.0 - missed.mean(axis=0) / scale
        error = (missed - (1.0 - share) * off**2).std(axis=0, ddof=1) / np.sqrt(n) / scale
    return np.maximum(share, 0.0), error
