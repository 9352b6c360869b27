"""The crisis simulator in JAX on the CPU: the same disputes and the same random words.

A round is one compiled function over all lanes of a batch. Compiled code knows no arrays whose length depends
on their contents: between two rounds NumPy moves the disputes that go on together, into the next power of
two. With JAX's own `nonzero` for that the whole took a third longer.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.peers.native import SHAPE, Unavailable

STATES, OUTCOMES, STALEMATE = 72, 5, 6
TYPES, ENTRY = 0x80000000, 0x80000001
STATE, END_SHIFT, MARK_SHIFT, PLACE_SHIFT = 0x7F, 7, 10, 15
ENDED = 0b111 << END_SHIFT
#: A dispute without a crisis: marked as ended as well, so that it is dropped.
QUIET = 1 << 14

#: Trajectories at a time. Measured from 2^14 to 2^18: 2^18 is as fast, 2^15 takes half as long again.
BATCH = 2**17
#: The fewest lanes for which a round is compiled.
FEWEST = 2**10


def simulate(tables: Any, *, seed: int, first: int, size: int, batch: int = BATCH) -> NDArray[np.int64]:
    """Return how many of the disputes `first` ... `first + size - 1` ended in each way, of shape `SHAPE`."""
    code = _code()
    numbers = code.put(tables)
    counts = np.zeros(int(np.prod(SHAPE)), np.int64)
    keys = np.array([seed & 0xFFFFFFFF, seed >> 32], np.uint32)
    for start in range(0, size, batch):
        left = min(batch, size - start)
        # padded, as far as there are indices: what the last lanes do does not count
        lanes = code.enter(numbers, keys, np.uint64(first + start), _length(left))
        for t in range(tables.rounds + 1):
            packed = np.asarray(lanes[-1])[:left]
            if t == tables.rounds:
                packed = np.where(packed & ENDED, packed, packed | STALEMATE << END_SHIFT)
            over = (packed & ENDED) != 0
            counts += np.bincount(_cells(packed[over]), minlength=counts.size)
            which = np.flatnonzero(~over)
            left = which.size
            if left == 0:
                break
            which = np.resize(which, _length(left))
            lanes = code.round(numbers, keys, np.uint32(t), tuple(np.asarray(lane)[which] for lane in lanes))
    return counts.reshape(SHAPE)


def _length(lanes: int) -> int:
    """Return the length of arrays for so many lanes."""
    return max(FEWEST, 1 << (lanes - 1).bit_length())


def _cells(packed: NDArray[np.uint32]) -> NDArray[np.int64]:
    """Return the cells of disputes that ended."""
    end, marks = packed >> END_SHIFT & 7, packed >> MARK_SHIFT & 15
    inside = (end * STATES + (packed & STATE)) * 16 + marks
    inside[(packed & QUIET) != 0] = 0
    return ((packed >> PLACE_SHIFT) * (8 * STATES * 16) + inside).astype(np.int64)


@cache
def _code() -> Any:
    """Compile nothing yet, but look for JAX."""
    try:
        import jax
    except ImportError:
        raise Unavailable("JAX is not installed (pip install 'entangle-pacts[peers]')") from None
    jax.config.update("jax_platforms", "cpu")
    jax.config.update("jax_enable_x64", True)  # products of two words
    return _Code(jax)


class _Code:
    """The compiled functions. A lane is an index, the three sets, and a packed step with its place above."""

    def __init__(self, jax: Any) -> None:
        self.jax, self.np = jax, jax.numpy
        self.enter = jax.jit(self._enter, static_argnums=3)
        self.round = jax.jit(self._round)

    def put(self, tables: Any) -> dict[str, Any]:
        """Hand the tables over, flattened, each threshold on its own."""
        sets = tables.cut.shape[4]
        cut = [np.ascontiguousarray(tables.cut[..., i]).ravel() for i in range(3)]
        numbers = {
            "types": np.uint64(tables.types),
            "sets": np.uint32(sets),
            "rounds": np.uint32(tables.rounds),
            "hit": tables.hit if tables.estimates == 2 else np.zeros_like(tables.hit),
            "origin": tables.origin,
            "scope": tables.scope,
            "enter": tables.enter.ravel(),
            "start": np.asarray(tables.start, np.uint32),
            "cut": cut,
            "nature": [np.ascontiguousarray(tables.nature[:, i]) for i in range(4)],
            "step": tables.step.ravel().astype(np.uint32),
        }
        placed: dict[str, Any] = self.jax.tree.map(self.np.asarray, numbers)
        return placed

    def words(self, index: Any, purpose: Any, keys: Any) -> list[Any]:
        """Return four random words for each lane: Philox4x32-10 of (index, 0, purpose)."""
        wide, narrow = self.np.uint64, self.np.uint32
        a, b = index.astype(narrow), (index >> wide(32)).astype(narrow)
        c, d = self.np.zeros_like(a), self.np.full_like(a, purpose)
        k0, k1 = keys[0], keys[1]
        for _ in range(10):
            low = a.astype(wide) * wide(0xD2511F53)
            high = c.astype(wide) * wide(0xCD9E8D57)
            a, b = (high >> wide(32)).astype(narrow) ^ b ^ k0, high.astype(narrow)
            c, d = (low >> wide(32)).astype(narrow) ^ d ^ k1, low.astype(narrow)
            k0, k1 = k0 + narrow(0x9E3779B9), k1 + narrow(0xBB67AE85)
        return [a, b, c, d]

    def _enter(self, of: Any, keys: Any, first: Any, length: int) -> tuple[Any, ...]:
        xp = self.np
        index = first + xp.arange(length, dtype=xp.uint64)
        words = self.words(index, TYPES, keys)
        sets = [
            (word.astype(xp.uint64) * of["types"] >> xp.uint64(32)).astype(xp.uint32) for word in words[:3]
        ]
        looks_resolute = words[3].astype(xp.uint64) < of["hit"][sets[0]]
        shift = xp.where(looks_resolute, of["types"], xp.uint64(0)).astype(xp.uint32)
        sets = [sets[0], sets[1] + shift, sets[2] + shift]
        words = self.words(index, ENTRY, keys)
        origin = (words[0].astype(xp.uint64) >= of["origin"]).astype(xp.uint32)
        scope = (words[1].astype(xp.uint64) < of["scope"]).astype(xp.uint32)
        place = origin * xp.uint32(2) + scope
        opener = xp.where(origin == 0, sets[0], sets[1])
        opens = words[2] > of["enter"][place * of["sets"] + opener]
        state = of["start"][origin]
        marks = of["step"][(scope * xp.uint32(4 * STATES) + state) * xp.uint32(OUTCOMES) + xp.uint32(1)]
        packed = xp.where(opens, state | marks & xp.uint32(0xFFFF ^ 0x3FF), xp.uint32(QUIET | ENDED))
        return (index, *sets, packed | place << xp.uint32(PLACE_SHIFT))

    def _round(self, of: Any, keys: Any, t: Any, lanes: Any) -> tuple[Any, ...]:
        xp = self.np
        index, *sets, packed = lanes
        words = self.words(index, t, keys)
        scope = packed >> xp.uint32(PLACE_SHIFT) & xp.uint32(1)
        for stage in range(4):
            state, word = packed & xp.uint32(STATE), words[stage]
            if stage == 3:
                cuts = [cut[state] for cut in of["nature"]]
                over = [word >= cuts[0], word >= cuts[1], word > cuts[2], word > cuts[3]]
            else:
                rows = (scope * of["rounds"] + t) * xp.uint32(3) + xp.uint32(stage)
                at = (rows * xp.uint32(STATES) + state) * of["sets"] + sets[stage]
                cuts = [cut[at] for cut in of["cut"][: 3 if stage == 2 else 2]]
                over = [word >= cuts[0], *(word > cut for cut in cuts[1:])]
            outcome = sum(chosen.astype(xp.uint32) for chosen in over)
            row = (scope * xp.uint32(4) + xp.uint32(stage)) * xp.uint32(STATES) + state
            step = of["step"][row * xp.uint32(OUTCOMES) + outcome]
            moved = packed & xp.uint32(~(STATE | ENDED) & 0xFFFFFFFF) | step
            packed = xp.where((packed & xp.uint32(ENDED)) != 0, packed, moved)
        return (index, *sets, packed)
