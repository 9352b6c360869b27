"""Fixed points of large maps: accelerated sweeps, and Newton steps by Krylov subspaces.

Both work on a vector and a callable; neither knows what the vector means.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from entangle_kernels.linear import combine, dot, least_squares, norm, overlaps, solve_positive
from entangle_kernels.memory import borrowed

Floats = NDArray[np.float64]


class Map(Protocol):
    """A map of a vector onto one of the same size."""

    def __call__(self, point: Floats, /) -> Floats:
        """Return the image of `point`."""
        ...


class ConstrainedMap(Map, Protocol):
    """A map on a set that is not all of space."""

    def feasible(self, point: Floats, /) -> Floats:
        """Return the nearest point at which the map makes sense."""
        ...


def size(error: Floats) -> float:
    """Return the largest absolute entry; infinity where one is not a number, so that it never passes."""
    largest = float(np.max(np.abs(error), initial=0.0))
    return np.inf if np.isnan(largest) else largest


def accelerate(
    sweep: Map, point: Floats, *, tolerance: float, most: int, memory: int = 10, far: float = np.inf
) -> tuple[Floats, Floats]:
    """Return the last point of Anderson-accelerated sweeps and its error (image minus point).

    Mixes the last `memory` differences so that their combined error is least (Walker & Ni 2011, SIAM J.
    Numer. Anal. 49: 1715-1735). Stops at `tolerance`, after `most` sweeps, or at once
    if the first error exceeds `far`. With no memory the sweeps are plain.
    """
    history = _History(point.size, memory)
    error = np.full_like(point, np.inf)
    for done in range(most):
        image = sweep(point)
        error = image - point
        if size(error) <= tolerance or (done == 0 and size(error) > far):
            break
        if memory == 0:
            point = image
            continue
        history.add(image, error)
        point = image if history.count < 2 else np.clip(history.mixed(image), 0.0, 1.0)
    return point, error


class _History:
    """The last differences of images and errors, and the inner products of the latter."""

    def __init__(self, length: int, memory: int) -> None:
        self.images, self.errors = borrowed(self, (memory, length), (memory, length))
        self.gram = np.zeros((memory, memory))
        self.products = np.zeros(memory)  # of the differences of errors with the last error
        self.count = 0  # of differences so far
        self.last: tuple[Floats, Floats] | None = None

    def add(self, image: Floats, error: Floats) -> None:
        """Take in a sweep."""
        if self.last is not None:
            row = self.count % len(self.images)
            self.count += 1
            np.subtract(image, self.last[0], out=self.images[row])
            np.subtract(error, self.last[1], out=self.errors[row])
            held = self.held
            before = self.products[:held].copy()
            self.products[:held] = overlaps(self.errors[:held], error)
            self.gram[row, :held] = self.gram[:held, row] = self.products[:held] - before
            self.gram[row, row] = dot(self.errors[row], self.errors[row])
        self.last = image, error

    @property
    def held(self) -> int:
        """How many differences there are to mix."""
        return min(self.count, len(self.images))

    def mixed(self, image: Floats) -> Floats:
        """Return the last image less what the differences say of its error."""
        held = self.held
        normal = self.gram[:held, :held]
        # a trace of regularisation: near the end the differences are rounding noise
        normal = normal + 1e-10 * np.trace(normal) * np.eye(held)
        weights = solve_positive(normal, self.products[:held])
        mixed: Floats = image - combine(weights, self.images[:held])
        return mixed


def newton(
    sweep: ConstrainedMap, point: Floats, *, tolerance: float, most: int = 12, subspace: int = 40
) -> tuple[Floats, Floats]:
    """Return the last point of damped Newton steps and its error (image minus point).

    The Jacobian is never formed: GMRES (Saad & Schultz 1986, SIAM J. Sci. Stat. Comput. 7: 856-869) asks
    for its product with a vector, which is the difference of two sweeps (Knoll & Keyes 2004, J. Comput.
    Phys. 193). A step that does not reduce the error is halved; after four halvings the search gives up.
    """
    point = sweep.feasible(point)
    error = sweep(point) - point
    for _ in range(most):
        if size(error) <= tolerance:
            break

        def product(vector: Floats, point: Floats = point, image: Floats = point + error) -> Floats:
            # beliefs at sets that are hardly ever reached hang on chances as small as 1e-8
            nudge = 1e-9 / max(size(vector), 1e-300)
            return vector - (sweep(point + nudge * vector) - image) / nudge

        step = gmres(product, error, subspace)
        length = 1.0
        while True:
            trial = sweep.feasible(point + length * step)
            trial_error = sweep(trial) - trial
            if norm(trial_error) < (1.0 - 0.1 * length) * norm(error):
                point, error = trial, trial_error
                break
            length /= 2.0
            if length < 0.05:
                return point, error
    return point, error


def gmres(product: Callable[[Floats], Floats], right: Floats, subspace: int) -> Floats:
    """Return the vector whose `product` with a matrix is `right`, to one part in 100.

    Parameters
    ----------
    product
        The matrix times a vector.
    subspace
        Most products to take.
    """
    length = norm(right)
    basis = np.zeros((subspace + 1, right.size))
    basis[0] = right / length
    hessenberg = np.zeros((subspace + 1, subspace))
    weights = np.zeros(0)
    for k in range(subspace):
        vector = product(basis[k])
        for _ in range(2):  # twice is enough to stay orthogonal
            for i in range(k + 1):
                overlap = dot(vector, basis[i])
                hessenberg[i, k] += overlap
                vector = vector - overlap * basis[i]
        left = norm(vector)
        hessenberg[k + 1, k] = left
        weights, rest = least_squares(hessenberg[: k + 2, : k + 1].copy(), length)
        if rest < 0.01 * length or left < 1e-14:
            break
        basis[k + 1] = vector / left
    step: Floats = combine(weights, basis)
    return step
