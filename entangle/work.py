"""A run as a plan: what is played, on which blocks, and what it is worth, to the last bit.

Whatever is to be simulated, disputes, histories or draws, is some number of *units*. They are played in
blocks of neighbouring units, and what a block gives is a pure function of the plan and the block: it does not
matter who plays it, when, or with which others. The plan is told in data alone, and its *fingerprint* is the
SHA-256 over all that can move a bit of the result: the study, the seed, the number of units, the size of a
block, how random words are used, the solved games as the blocks read them, and what reckons with them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Generic, NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from entangle.provenance import RANDOM_SCHEME, package_version

if TYPE_CHECKING:
    from entangle.study import Study

S = TypeVar("S")
R = TypeVar("R")

Arrays = dict[str, NDArray[Any]]


class Field(NamedTuple):
    """An array of what a task gives.

    Parameters
    ----------
    name
        Its name.
    dtype
        Its type, little-endian, such as ``<i8``.
    shape
        Its shape; if `most` is given, the first length is free.
    most
        The most that a free first length can be.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    most: int | None = None


class Layout(Protocol[R]):
    """How what a task gives is told in plain arrays."""

    def fields(self, size: int) -> tuple[Field, ...]:
        """Return the arrays of a task of `size` units."""
        ...

    def pack(self, part: R) -> Arrays:
        """Return what a task gave as arrays."""
        ...

    def unpack(self, arrays: Arrays, size: int) -> R:
        """Return what a task of `size` units gave from its arrays.

        Raises
        ------
        ValueError
            If it cannot have given that.
        """
        ...


@dataclass(frozen=True)
class Outline:
    """What is known of a run before any game is solved.

    Parameters
    ----------
    kind
        "disputes", "histories" or "draws".
    study
        What is run, with the settings that it is run with.
    seed, number
        Key of the random numbers, and how many units there are, or may be at most if the run stops when
        enough is known.
    block
        Units in a block.
    more
        What else says what is run, as plain data.
    """

    kind: str
    study: Study
    seed: int
    number: int
    block: int
    more: Mapping[str, Any]

    @property
    def open_ended(self) -> bool:
        """Whether the run stops when enough is known, with fewer units perhaps."""
        return self.kind == "disputes" and bool(self.study.simulation.until)

    @cached_property
    def plan(self) -> dict[str, Any]:
        """The plan as far as it is known, as plain data."""
        # through text and back: what a file gives is then the same
        made: dict[str, Any] = json.loads(
            json.dumps(
                {
                    "kind": self.kind,
                    "seed": str(self.seed),
                    "number": self.number,
                    "block": self.block,
                    "random_scheme": RANDOM_SCHEME,
                    "versions": versions(),
                    **self.more,
                    "study": self.study.to_dict(),
                }
            )
        )
        return made


@dataclass(frozen=True)
class Work(Generic[S, R]):
    """A run that is ready to be played.

    Parameters
    ----------
    function, shared
        A task of `size` units from `first` on gives ``function(shared, seed, first, size)``.
    seed, block
        Key of the random numbers; units in a block.
    most
        Most blocks in a task.
    outline, layout
        What is run, and how what a task gives is told in arrays: for whoever keeps it.
    """

    function: Callable[[S, int, int, int], R]
    shared: S
    seed: int
    block: int
    most: int = 1
    outline: Outline | None = None
    layout: Layout[R] | None = None

    @cached_property
    def plan(self) -> dict[str, Any]:
        """The whole plan, as plain data."""
        assert self.outline is not None
        return {**self.outline.plan, "tables": digest(self.shared)}

    @property
    def number(self) -> int:
        """How many units there are, or may be at most."""
        assert self.outline is not None
        return self.outline.number

    @property
    def told(self) -> Layout[R]:
        """How what a task gives is told in arrays."""
        assert self.layout is not None
        return self.layout


def fingerprint(plan: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a plan as hexadecimal text."""
    return hashlib.sha256(json.dumps(plan, ensure_ascii=False).encode()).hexdigest()


def differences(one: Any, other: Any, place: tuple[str, ...] = ()) -> Iterator[tuple[str, Any, Any]]:
    """Yield where two plans differ: the place, and what stands there in each; None where nothing does."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in dict.fromkeys([*one, *other]):
            yield from differences(one.get(key), other.get(key), (*place, str(key)))
        if not place and one == other and list(one) != list(other):
            yield "order", list(one), list(other)
    elif one != other:
        yield ".".join(place), one, other


@lru_cache(maxsize=1)
def versions() -> dict[str, str]:
    """Return the versions of all that reckons with a plan."""
    import entangle_kernels

    sources = hashlib.sha256()
    for source in sorted(Path(entangle_kernels.__file__).parent.glob("*.py")):
        sources.update(source.read_bytes())
    return {
        "entangle": package_version(),
        "kernels": sources.hexdigest()[:16],
        "numpy": version("numpy"),
        "numba": version("numba"),
    }


def digest(shared: Any) -> str:
    """Return the SHA-256 of nested tuples of arrays, numbers and text, down to the last bit."""
    sha = hashlib.sha256()
    _feed(sha, shared)
    return sha.hexdigest()


#: What stands for itself: its type and its representation, which gives floats to the last bit.
_PLAIN: Final = (type(None), bool, int, float, str)


def _feed(sha: Any, value: Any) -> None:
    if isinstance(value, np.ndarray | np.generic):
        array = np.ascontiguousarray(value).astype(value.dtype.newbyteorder("<"), copy=False)
        sha.update(f"array {array.dtype.str} {np.shape(value)}\n".encode())
        sha.update(array.tobytes())
    elif isinstance(value, tuple):
        sha.update(f"tuple {len(value)}\n".encode())
        for part in value:
            _feed(sha, part)
    elif isinstance(value, _PLAIN):
        text = repr(value).encode()
        sha.update(f"{type(value).__name__} {len(text)}\n".encode() + text)
    else:
        raise TypeError(f"{type(value).__name__} cannot stand in a plan")
