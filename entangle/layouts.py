"""What tasks give, told in plain arrays: the counts of disputes, the sums of histories, a draw of a study.

Beside types and shapes each layout checks what must hold of any such counts, so that a file that is sealed
but was not written by this package does not pass for one that was.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from entangle import blocks, decades, drawn
from entangle.outcomes import OUTCOMES
from entangle.work import Arrays, Field
from entangle_kernels import census, tally
from entangle_kernels.decades import LEVELS
from entangle_kernels.exact import CELLS

_WHOLE: Final = "<i8"


class Disputes:
    """The layout of :class:`entangle.blocks.Part`, for a plan."""

    def __init__(self, plan: blocks.Plan) -> None:
        self.worlds = len(plan.worlds)
        self.watched = len(plan.watched)

    def fields(self, size: int) -> tuple[Field, ...]:
        """Return the arrays of a task of `size` trajectories."""
        worlds = self.worlds
        most = worlds * math.prod(CELLS)
        return (
            Field("cells", _WHOLE, (0,), most),
            Field("numbers", _WHOLE, (0,), most),
            Field("shared", _WHOLE, (worlds, worlds, tally.BITS)),
            Field("changed", _WHOLE, (worlds, 2, 2, tally.BITS)),
            Field("watched", _WHOLE, (-(-size // blocks.BLOCK), self.watched, 2)),
            # where the task begins within a stretch is not known here: one more than fit into its size
            Field("digests", "<u8", (0, worlds + 1), -(-size // blocks.STRETCH) + 1),
        )

    def pack(self, part: blocks.Part) -> Arrays:
        """Return the counts as arrays."""
        return part._asdict()

    def unpack(self, arrays: Arrays, size: int) -> blocks.Part:
        """Return the counts of `size` trajectories.

        Raises
        ------
        ValueError
            If they are not those of so many trajectories in every world.
        """
        part = blocks.Part(**arrays)
        whole = math.prod(CELLS)
        if part.cells.shape != part.numbers.shape or np.any(np.diff(part.cells) <= 0):
            raise ValueError("cells that are not in order")
        if part.cells.size and not 0 <= part.cells[0] <= part.cells[-1] < self.worlds * whole:
            raise ValueError("cells that there are not")
        _within(arrays, size, ("numbers", "shared", "changed", "watched"))
        sums = np.zeros(self.worlds, np.int64)
        np.add.at(sums, part.cells // whole, part.numbers)
        if np.any(sums != size):
            raise ValueError(f"counts of {int(sums[np.argmax(sums != size)]):,} trajectories")
        return part


class Histories:
    """The layout of :class:`entangle.decades.Part`, for a plan."""

    def __init__(self, plan: decades.Plan) -> None:
        self.pacts = len(plan.pacts)
        self.years = plan.years
        nothing = [decades.nothing(own, size=0, years=plan.years) for own in plan.pacts]
        self._names = [name for name in census.Census._fields if name != "ever"]
        self._fields = [
            Field(f"{i}.{name}", _kind(getattr(own, name)), getattr(own, name).shape)
            for i, own in enumerate(nothing)
            for name in self._names
        ]

    def fields(self, size: int) -> tuple[Field, ...]:
        """Return the arrays of a task, the same for any number of histories."""
        return (
            *self._fields,
            Field("shared", _WHOLE, (self.pacts, self.pacts, tally.BITS)),
            Field("products", _WHOLE, (self.pacts, LEVELS, self.years)),
        )

    def pack(self, part: decades.Part) -> Arrays:
        """Return the sums as arrays."""
        counts = {
            f"{i}.{name}": getattr(own, name) for i, own in enumerate(part.counts) for name in self._names
        }
        return {**counts, "shared": part.shared, "products": part.products}

    def unpack(self, arrays: Arrays, size: int) -> decades.Part:
        """Return the sums over `size` histories.

        Raises
        ------
        ValueError
            If they are not those of so many histories under every pact, or not finite.
        """
        for i in range(self.pacts):
            _within(arrays, size, [f"{i}.{name}" for name in ("firsts", "status", "causes", "bins")])
            if np.any(arrays[f"{i}.status"].sum(axis=1) != size) or np.any(
                arrays[f"{i}.bins"].sum(axis=2) != size
            ):
                raise ValueError(f"counts of other than {size:,} histories")
            if not all(np.isfinite(arrays[f"{i}.{name}"]).all() for name in decades.FLOATING):
                raise ValueError("sums that are no numbers")
        _within(arrays, size, ["shared"])
        none = np.empty(0, np.uint64)
        counts = tuple(
            census.Census(**{name: arrays[f"{i}.{name}"] for name in self._names}, ever=none)
            for i in range(self.pacts)
        )
        return decades.Part.of(counts, arrays["shared"], arrays["products"])


class Draws:
    """The layout of :class:`entangle.drawn.Found`, or of a draw that could not be solved.

    Parameters
    ----------
    pacts
        Pacts of the study.
    trajectories
        Of each draw; 0 if nothing is simulated.
    """

    def __init__(self, pacts: int, trajectories: int) -> None:
        self.trajectories = trajectories
        alone = len(drawn.COUNTED) if trajectories else 0
        columns = len(OUTCOMES) + alone if trajectories else 0
        self._fields = (
            Field("found", "|u1", (1,)),
            Field("exact", "<f8", (pacts, len(OUTCOMES))),
            Field("times", _WHOLE, (pacts, columns)),
            Field("trials", _WHOLE, (pacts, columns)),
            Field("noise", "<f8", (pacts, pacts, alone)),
            Field("solved", "|u1", (32,)),
        )

    def fields(self, size: int) -> tuple[Field, ...]:
        """Return the arrays of a draw."""
        return self._fields

    def pack(self, part: drawn.Found | None) -> Arrays:
        """Return a draw as arrays."""
        arrays: Arrays = {field.name: np.zeros(field.shape, field.dtype) for field in self._fields}
        if part is None:
            return arrays
        solved = np.frombuffer(bytes.fromhex(part.solved), np.uint8)
        return arrays | part._asdict() | {"found": np.ones(1, np.uint8), "solved": solved}

    def unpack(self, arrays: Arrays, size: int) -> drawn.Found | None:
        """Return a draw; None if it could not be solved.

        Raises
        ------
        ValueError
            If its counts are not those of its trajectories, or its probabilities are none.
        """
        if size != 1 or arrays["found"][0] > 1:
            raise ValueError("more than one draw")
        if not arrays["found"][0]:
            return None
        _within(arrays, self.trajectories, ("times", "trials"))
        exact = arrays["exact"]
        if np.any((exact < 0) | (exact > 1 + 1e-9)):  # what is not a number is neither
            raise ValueError("probabilities beyond 0 to 1")
        parts: dict[str, Any] = {name: arrays[name] for name in ("exact", "times", "trials", "noise")}
        return drawn.Found(**parts, solved=arrays["solved"].tobytes().hex())


def _within(arrays: Arrays, most: int, names: Any) -> None:
    for name in names:
        values = arrays[name]
        if values.size and (values.min() < 0 or values.max() > most):
            raise ValueError(f"{name} beyond 0 to {most:,}")


def _kind(array: Any) -> str:
    return str(array.dtype.newbyteorder("<").str)
