"""The grid of contexts: a lattice that is halved where it is too coarse, and how well it interpolates.

Offsets from the start are whole multiples of a power of two times an axis's unit, whatever the range. So
the start is always a point of the grid, a finer grid has every point of the coarser one, and two pacts share
points. Each point but the start has one *neighbour inwards*, which depends on the point alone: its finest
axis goes one step towards the start. A search for a point's equilibrium starts there, so that what it finds
cannot depend on the grid around it, nor on who was first.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from entangle_kernels.game import Floats

#: Offsets of a context from the start: log capability of the protégé and of the defender, each over the
#: challenger's, and log odds that the defender is steadfast.
Point = tuple[float, float, float]

ORIGIN: Final[Point] = (0.0, 0.0, 0.0)
AXES: Final = ("local", "backing", "odds")
#: One step of the lattice at level 0, by axis.
UNITS: Final[Point] = (1.0, 1.0, 3.0)
#: How far an axis may reach beyond the ends of its range [units].
FARTHEST: Final = 0.5


@dataclass(frozen=True)
class Axis:
    """One axis of the grid.

    Parameters
    ----------
    low, high
        The range to cover, 0 in it; both 0 for an axis of one point.
    spacing
        Distance between neighbouring points.
    """

    low: float
    high: float
    spacing: float

    @classmethod
    def covering(cls, low: float, high: float, *, unit: float) -> Axis:
        """Return the coarsest axis on the lattice that does not reach far beyond its range.

        What lies beyond is hardly ever visited, and hard to solve. An axis without a range has one point.
        """
        widest = max(-low, high) / unit
        if widest == 0.0:
            return cls(0.0, 0.0, unit)
        spacing = 2.0 ** math.ceil(math.log2(widest))
        ends = (-low / unit, high / unit)
        while any(math.ceil(end / spacing) * spacing > end + FARTHEST for end in ends):
            spacing /= 2.0
        return cls(low, high, unit * spacing)

    @property
    def points(self) -> list[float]:
        """Offsets from the start, ascending."""
        first, last = math.floor(self.low / self.spacing), math.ceil(self.high / self.spacing)
        return [i * self.spacing for i in range(first, last + 1)]

    def halved(self) -> Axis:
        """Return the axis with half the spacing."""
        return Axis(self.low, self.high, self.spacing / 2.0)


@dataclass(frozen=True)
class Grid:
    """A grid of contexts.

    Parameters
    ----------
    axes
        The axes "local", "backing" and "odds".
    """

    axes: tuple[Axis, Axis, Axis]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of points on each axis."""
        n0, n1, n2 = (len(axis.points) for axis in self.axes)
        return n0, n1, n2

    @property
    def points(self) -> list[Point]:
        """All points, the last axis running fastest."""
        first, second, third = (axis.points for axis in self.axes)
        return list(itertools.product(first, second, third))

    def halved(self, axis: int) -> Grid:
        """Return the grid with one axis halved."""
        first, second, third = (a.halved() if i == axis else a for i, a in enumerate(self.axes))
        return Grid((first, second, third))

    def interpolated(self, values: Floats, point: Point) -> Floats:
        """Return the mean of the values at the neighbours of a point, with linear weights.

        Parameters
        ----------
        values
            Of shape (quantities, n0, n1, n2).
        """
        for axis, x in zip(self.axes, point, strict=True):
            points = axis.points
            place = min(max((x - points[0]) / axis.spacing, 0.0), len(points) - 1.0)
            i = min(int(place), max(len(points) - 2, 0))
            share = place - i
            after = values[:, min(i + 1, len(points) - 1)]
            values = (1.0 - share) * values[:, i] + share * after
        return values

    def predicted_errors(self, values: Floats) -> list[float]:
        """Return by how much values midway between neighbours on each axis are missed, at most.

        An eighth of the largest second difference: how badly a point is predicted by its two neighbours tells
        how badly their midpoints are, a quarter of that where the values curve evenly.
        """
        return [float(bend.max(initial=0.0)) for bend in self._bends(values)]

    def worst_centres(self, values: Floats, number: int) -> list[Point]:
        """Return the centres of the cells in which values bend most."""
        bend = sum((worst.max(axis=0) for worst in self._bends(values)), np.zeros(self.shape))
        for axis in range(3):
            if self.shape[axis] > 1:
                low, high = (np.take(bend, range(*ends), axis=axis) for ends in self._ends(axis))
                bend = low + high
        order = np.argsort(-bend, axis=None, kind="stable")[:number]
        return [self._centre(tuple(map(int, np.unravel_index(cell, bend.shape)))) for cell in order]

    def _bends(self, values: Floats) -> Iterator[Floats]:
        """Yield an eighth of the second differences on each axis, of the shape of `values`."""
        for axis in range(3):
            bend = np.zeros_like(values)
            if self.shape[axis] > 2:
                inner = np.abs(np.diff(values, n=2, axis=axis + 1)) / 8.0
                ends = [(0, 0)] * values.ndim
                ends[axis + 1] = (1, 1)
                bend = np.pad(inner, ends, mode="edge")
            yield bend

    def _ends(self, axis: int) -> tuple[tuple[int, int], tuple[int, int]]:
        return (0, self.shape[axis] - 1), (1, self.shape[axis])

    def _centre(self, cell: tuple[int, ...]) -> Point:
        x, y, z = (
            axis.points[i] + (axis.spacing / 2.0 if len(axis.points) > 1 else 0.0)
            for i, axis in zip(cell, self.axes, strict=True)
        )
        return x, y, z


def inwards(point: Point) -> Point | None:
    """Return a point's neighbour inwards, or None if it is the start."""
    return _moved(point, -1.0)


def outwards(point: Point) -> Point | None:
    """Return a point's neighbour to the other side, as far from it and on a coarser lattice as well."""
    return _moved(point, 1.0)


def _moved(point: Point, direction: float) -> Point | None:
    steps = [_step(x / unit) for x, unit in zip(point, UNITS, strict=True)]
    finest = min((step for step in steps if step > 0.0), default=0.0)
    if finest == 0.0:
        return None
    axis = steps.index(finest)
    moved = list(point)
    moved[axis] += direction * math.copysign(finest * UNITS[axis], point[axis])
    x, y, z = moved
    return x, y, z


def way_out(point: Point) -> list[Point]:
    """Return the points from the start to a point, each the neighbour inwards of the next."""
    way = [point]
    while (before := inwards(way[-1])) is not None:
        way.append(before)
    return way[::-1]


def _step(multiple: float) -> float:
    """Return the largest power of two that a number is a whole multiple of; 0 for 0."""
    numerator, denominator = multiple.as_integer_ratio()
    return (numerator & -numerator) / denominator
