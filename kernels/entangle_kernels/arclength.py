"""Along a branch of fixed points that turns back: by its length instead of by its parameter.

Pseudo-arclength continuation (Keller 1977, in Rabinowitz, ed., Applications of Bifurcation Theory: 359-384):
point and parameter are found together, on a plane across the direction in which the branch goes, so that a
turn is a place like any other. Turocy (2005, Games Econ. Behav. 51: 243-263) follows logit equilibria so.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np

from entangle_kernels.fixed_point import Floats, gmres, newton, size
from entangle_kernels.linear import dot, norm

#: Length that the parameter's way from 0 to 1 counts for, beside those of the coordinates.
_WEIGHT = 3.0
#: Error of a point on the way; only the last one has to be right.
_LOOSE = 1e-5
#: Shortest step, and the cosine of the sharpest bend within one.
_SHORTEST, _BEND = 1e-4, 0.7
#: Products with the Jacobian in a step, up to which the next is longer and from which it is shorter.
_EASY, _HARD = 20, 40
_NEWTON_STEPS, _SUBSPACE = 8, 60


class Family(Protocol):
    """Maps of a vector with positive entries onto one like it, one map for each value of a parameter.

    `count` counts the calls.
    """

    count: int

    def at(self, share: float) -> None:
        """Set the parameter."""
        ...

    def __call__(self, point: Floats, /) -> Floats:
        """Return the image of `point`."""
        ...

    def feasible(self, point: Floats, /) -> Floats:
        """Return the nearest point at which the maps make sense."""
        ...


class _Found(NamedTuple):
    """A point of the branch, the parameter times its weight last, and the products that finding it took."""

    place: Floats
    products: int


def along(
    family: Family, before: tuple[float, Floats], now: tuple[float, Floats], *, tolerance: float, most: int
) -> tuple[Floats, Floats]:
    """Return the point at which a branch first comes to the parameter 1, and its error (image minus point).

    Parameters
    ----------
    before, now
        Two fixed points on the branch, near each other, each after the value of the parameter: the way on is
        from the first to the second.
    tolerance
        Largest error of an entry of the point that is returned.
    most
        Calls after which to give up.

    Returns
    -------
    tuple of arrays
        Where the steps become too short, or too many, the error is above `tolerance`.
    """
    last = family.count + most
    older: Floats | None = None
    old, new = (np.append(point, _WEIGHT * share) for share, point in (before, now))
    step = norm(new - old)
    error = np.full(now[1].size, np.inf)
    while family.count < last and step > _SHORTEST:
        guess = _ahead(older, old, new, step)
        found = _across(family, guess, new)
        way = guess - new if found is None else found.place - new
        if found is None or dot(way, new - old) < _BEND * norm(way) * norm(new - old):
            step /= 3.0
            continue
        if found.place[-1] >= _WEIGHT:
            share = (_WEIGHT - new[-1]) / (found.place[-1] - new[-1])
            family.at(1.0)
            between = new[:-1] + share * (found.place[:-1] - new[:-1])
            point, error = newton(family, between, tolerance=tolerance, subspace=_SUBSPACE)
            if size(error) <= tolerance:
                return point, error
            step /= 3.0
            continue
        older, old, new = old, new, found.place
        if found.products <= _EASY:
            step *= 1.5
        elif found.products > _HARD:
            step /= 1.5
    return new[:-1], np.full_like(error, np.inf)


def _ahead(older: Floats | None, old: Floats, new: Floats, step: float) -> Floats:
    """Return where the branch would be after another step, as a parabola through its last points has it."""
    length = norm(new - old)
    slope: Floats = (new - old) / length
    ahead = new + step * slope
    if older is None:
        return ahead
    earlier = norm(old - older)
    bend = (slope - (old - older) / earlier) / (earlier + length)
    found: Floats = ahead + step * (step + length) * bend
    return found


def _across(family: Family, guess: Floats, start: Floats) -> _Found | None:
    """Return the point of the branch on the plane through `guess` across the way to it, if Newton finds it.

    An entry never falls below a tenth of what it was in one step: what is believed of a set that is hardly
    ever reached hangs on the ratio of small chances, and a chance that is cut off at 0 is no direction.
    """
    direction = (guess - start) / norm(guess - start)
    here = _within(family, guess, 0.1 * start)
    error = _off(family, here)
    products = 0
    for _ in range(_NEWTON_STEPS):
        right = np.append(error, -dot(direction, here - guess))
        if size(right) <= _LOOSE:
            return _Found(here, products)

        def product(vector: Floats, here: Floats = here, error: Floats = error) -> Floats:
            nonlocal products
            products += 1
            nudge = 1e-9 / max(size(vector), 1e-300)
            beside = here + nudge * vector
            beside[:-1] = np.maximum(beside[:-1], 0.5 * here[:-1])
            change = (_off(family, beside) + beside[:-1] - (error + here[:-1])) / nudge
            return np.append(vector[:-1] - change, dot(direction, vector))

        step = gmres(product, right, _SUBSPACE)
        length = 1.0
        while True:
            trial = _within(family, here + length * step, 0.1 * here)
            off = _off(family, trial)
            rest = norm(np.append(off, -dot(direction, trial - guess)))
            if rest < (1.0 - 0.1 * length) * norm(right):
                here, error = trial, off
                break
            length /= 2.0
            if length < 0.2:
                return None
    return None


def _off(family: Family, place: Floats) -> Floats:
    """Return image minus point."""
    family.at(max(place[-1] / _WEIGHT, 0.0))
    off: Floats = family(place[:-1]) - place[:-1]
    return off


def _within(family: Family, place: Floats, least: Floats) -> Floats:
    return np.append(family.feasible(np.maximum(place[:-1], least[:-1])), place[-1])
