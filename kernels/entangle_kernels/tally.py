"""Counts over pairs of worlds that were played on the same random words.

Each ending of a dispute carries a word of up to 64 bits, one for each question that is asked of it. What two
worlds share is then the bits that both words have, and how often is a count for each bit.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from llvmlite import ir
from numba.core import types
from numpy.typing import NDArray

from entangle_kernels import vectors
from entangle_kernels.exact import CELLS
from entangle_kernels.jit import jit
from entangle_kernels.vectors import Vector, data, intrinsic, load, load_every, store

BITS = 64
#: Words whose bits are counted before a count of eight bits could overflow.
_CHUNK = 255
#: Words of a group, 15 in each of 8 lanes, and of as many groups as a count of eight bits can take.
_ROWS: Final = 15
_GROUP: Final = 8 * _ROWS
_LONG: Final = 17 * _GROUP
#: Trajectories whose endings are closed up together.
_PIECE: Final = 4 * _LONG
#: Cells of disputes that do not become a crisis, by origin: outside the treaty area; inside, so much later.
_BY_SCOPE: Final = np.uint16(np.prod(CELLS[2:]))
_BY_ORIGIN: Final = np.array([0, 2], np.uint16) * _BY_SCOPE
_EACH_BYTE: Final = 0x0101010101010101
_COMPILED: Final = not vectors.INTERPRETED
_BYTES = np.uint64(0x0101010101010101)
_BYTE = np.uint64(0xFF)


def coincidences(
    cells: NDArray[np.uint16], left: NDArray[np.uint64], right: NDArray[np.uint64]
) -> NDArray[np.int64]:
    """Return how often each bit is set for one world's ending and, on the same words, for another's.

    Parameters
    ----------
    cells
        Endings of the same trajectories in each world, shape (worlds, trajectories).
    left, right
        The word of each cell as the first and as the second world of a pair, shape (cells,).

    Returns
    -------
    array of shape (worlds, worlds, 64)
        For each pair a < b, how many trajectories have the bit in ``left[a's cell] & right[b's cell]``; 0
        elsewhere.
    """
    found = np.zeros((len(cells), len(cells), BITS), np.int64)
    if vectors.AVAILABLE and _BY_ORIGIN[-1] < min(left.size, right.size):
        _coincidences_of_crises(cells, left, right, _quiet_cells(left, right), found)
    else:
        first, second = (np.empty((len(cells), _LONG), np.uint64) for _ in range(2))
        _coincidences(cells, cells.shape[1], left, right, first, second, found)
    return found


def _quiet_cells(left: NDArray[np.uint64], right: NDArray[np.uint64]) -> NDArray[np.uint16]:
    """Return two pairs of cells; those of a pair have the same words, and are quiet or even the same."""
    outside, inside = _BY_ORIGIN, _BY_ORIGIN + _BY_SCOPE
    alike = (left[outside] == left[inside]) & (right[outside] == right[inside])
    return np.stack([outside, np.where(alike, inside, outside)], axis=1)


def changes(
    cells: NDArray[np.uint16],
    others: NDArray[np.uint16],
    chosen: NDArray[np.uint32],
    words: NDArray[np.uint64],
) -> NDArray[np.int64]:
    """Return how often each bit is set in one world alone.

    Parameters
    ----------
    cells, others
        Endings of the same trajectories in both worlds, shape (trajectories,).
    chosen
        The trajectories in which they may differ.
    words
        The word of each cell, shape (cells,).

    Returns
    -------
    array of shape (2, 64)
        Trajectories in which the bit is set in the first world only, and in the second world only.
    """
    found = np.zeros((2, BITS), np.int64)
    add_changes(cells, others, chosen, words, found)
    return found


def common_bits(words: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Return how often each bit is set in two worlds' words at once.

    Parameters
    ----------
    words
        A word for each trajectory in each world, shape (worlds, trajectories).

    Returns
    -------
    array of shape (worlds, worlds, 64)
        For each pair a <= b, how many trajectories have the bit in both; 0 elsewhere.
    """
    found = np.zeros((len(words), len(words), BITS), np.int64)
    _common_bits(words, found)
    return found


@jit
def _common_bits(words, found):  # type: ignore[no-untyped-def]
    worlds, n = words.shape
    counts = np.zeros((8, 8), np.uint64)
    for start in range(0, n, _LONG):
        stop = min(start + _LONG, n)
        for a in range(worlds):
            for b in range(a, worlds):
                one, other = words[a, start:stop], words[b, start:stop]
                _add_common_bits(one, other, stop - start, counts, found[a, b])


@jit
def _coincidences(cells, n, left, right, first, second, found):  # type: ignore[no-untyped-def]
    """Count in the first `n` trajectories; `first` and `second` are room for words."""
    worlds = len(cells)
    counts = np.zeros((8, 8), np.uint64)
    for start in range(0, n, _LONG):
        size = min(_LONG, n - start)
        # the last world is never the first of a pair, nor the first the second
        for world in range(worlds - 1):
            for i in range(size):
                first[world, i] = left[cells[world, start + i]]
        for world in range(1, worlds):
            for i in range(size):
                second[world, i] = right[cells[world, start + i]]
        for a in range(worlds):
            for b in range(a + 1, worlds):
                _add_common_bits(first[a], second[b], size, counts, found[a, b])


@jit
def _coincidences_of_crises(cells, left, right, quiet, found):  # type: ignore[no-untyped-def]
    """Do as :func:`_coincidences` does, a word at a time only where a dispute becomes a crisis in some world.

    Most disputes stay quiet in all worlds, in cells of one pair of `quiet`: they are counted as such.
    """
    worlds, n = cells.shape
    half, low = np.uint64(32), np.uint64(0xFFFFFFFF)
    some = np.empty((worlds, _PIECE + vectors.BEYOND), np.uint16)
    first = np.empty((worlds, _LONG), np.uint64)
    second = np.empty((worlds, _LONG), np.uint64)
    times = np.zeros(2, np.int64)
    for start in range(0, n, _PIECE):
        stop = min(start + _PIECE, n)
        whole = start + (stop - start) // 32 * 32
        kept = np.int64(0)
        for i in range(start, whole, 32):
            flags = np.uint64(0xFFFFFFFFFFFFFFFF)
            for world in range(worlds):
                flags &= np.uint64(_quiet(cells[world], i, quiet))
            times[0] += _ones(flags & low)
            times[1] += _ones(flags >> half)
            others = ~(flags | (flags >> half)) & low
            number = kept
            for world in range(worlds):
                number = _pack(cells[world], i, others, some[world], kept)
            kept = number
        for i in range(whole, stop):
            some[:, kept] = cells[:, i]
            kept += 1
        _coincidences(some, kept, left, right, first, second, found)
    for which in range(2):
        both = left[quiet[which, 0]] & right[quiet[which, 0]]
        for bit in range(BITS):
            if (both >> np.uint64(bit)) & np.uint64(1):
                for a in range(worlds):
                    found[a, a + 1 :, bit] += times[which]


@intrinsic
def _quiet(typingctx, cells, i, quiet):  # type: ignore[no-untyped-def]
    """Return which of 32 endings are in the first pair of cells, and from bit 32 on in the second."""

    def emit(context, b, signature, values):  # type: ignore[no-untyped-def]
        cells, quiet = (data(context, b, signature.args[j], values[j]) for j in (0, 2))
        here = load(b, cells, values[1], 16, 32)
        first, second, third, fourth = (~here.differs(load_every(b, quiet, k, 16, 32)) for k in range(4))
        return (first | second).joined(third | fourth).word()

    return types.int64(cells, i, quiet), emit


@intrinsic
def _pack(typingctx, cells, i, flags, some, kept):  # type: ignore[no-untyped-def]
    """Append the flagged ones of 32 endings to others; return how many there are."""

    def emit(context, b, signature, values):  # type: ignore[no-untyped-def]
        cells, some = (data(context, b, signature.args[j], values[j]) for j in (0, 3))
        _, i, flags, _, kept = values
        lanes = b.bitcast(b.trunc(flags, ir.IntType(32)), ir.VectorType(ir.IntType(1), 32))
        chosen = Vector(b, lanes)
        store(b, some, kept, load(b, cells, i, 16, 32).packed(chosen))
        return b.add(kept, chosen.number())

    return types.int64(cells, i, flags, some, kept), emit


@intrinsic
def _ones(typingctx, word):  # type: ignore[no-untyped-def]
    """Return how many bits of a word are set."""

    def emit(context, b, signature, values):  # type: ignore[no-untyped-def]
        return b.ctpop(values[0])

    return types.int64(types.uint64), emit


@jit
def _add_common_bits(one, other, n, counts, count):  # type: ignore[no-untyped-def]
    """Count, at each position, in how many of `n` places, at most `_LONG`, both words have the bit.

    `counts` is room, all 0.
    """
    whole = n // _GROUP if _COMPILED else 0
    for g in range(whole):
        _add_group(one, other, g * _GROUP, counts)
    if whole > 0:
        for shift in range(8):
            for byte in range(8):
                total = np.uint64(0)
                for lane in range(8):
                    total += (counts[shift, lane] >> np.uint64(8 * byte)) & _BYTE
                count[8 * byte + shift] += np.int64(total)
        counts[:] = 0
    both = np.empty(_CHUNK, np.uint64)
    for start in range(whole * _GROUP, n, _CHUNK):
        size = min(_CHUNK, n - start)
        for i in range(size):
            both[i] = one[start + i] & other[start + i]
        add_bits(both[:size], count)


@intrinsic
def _add_group(typingctx, one, other, at, counts):  # type: ignore[no-untyped-def]
    """Add the bits that two groups of words have in common to counts of eight bits each.

    Eight lanes take 15 words each. Carry-save adders make four words of them whose bits are the digits of the
    count at each position (Muła, Kurz & Lemire 2018, The Computer Journal 61: 111-120).
    """

    def emit(context, b, signature, values):  # type: ignore[no-untyped-def]
        pairs = zip(signature.args, values, strict=True)
        one, other, at, counts = (
            data(context, b, kind, value) if isinstance(kind, types.Array) else value for kind, value in pairs
        )

        def adder(x: Vector, y: Vector, z: Vector) -> tuple[Vector, Vector]:
            either = x ^ y
            return either ^ z, (x & y) | (either & z)

        def seven(w: list[Vector]) -> tuple[Vector, Vector, Vector]:
            (x, p), (y, q) = adder(*w[:3]), adder(*w[3:6])
            ones, r = adder(x, y, w[6])
            return ones, *adder(p, q, r)

        places = [b.add(at, b.mul(at.type(8), at.type(row))) for row in range(_ROWS)]
        words = [load(b, one, place, 64, 8) & load(b, other, place, 64, 8) for place in places]
        (a1, a2, a4), (b1, b2, b4) = seven(words[:7]), seven(words[7:14])
        ones, two = adder(a1, b1, words[14])
        twos, four = adder(a2, b2, two)
        fours, eights = adder(a4, b4, four)
        for shift in range(8):
            digits = [(digit >> shift) & _EACH_BYTE for digit in (ones, twos, fours, eights)]
            so_far = load(b, counts, 8 * shift, 64, 8)
            for place, digit in enumerate(digits):
                so_far = so_far + (digit << place)
            store(b, counts, 8 * shift, so_far)
        return context.get_dummy_value()

    return types.void(one, other, at, counts), emit


@jit
def add_bits(words, count):  # type: ignore[no-untyped-def]
    """Count, at each position, the words that have the bit set: eight positions side by side in bytes."""
    for shift in range(8):
        by = np.uint64(shift)
        total = np.uint64(0)
        for i in range(words.size):
            total += (words[i] >> by) & _BYTES
        for byte in range(8):
            count[8 * byte + shift] += np.int64((total >> np.uint64(8 * byte)) & _BYTE)


@jit
def add_changes(cells, others, chosen, words, found):  # type: ignore[no-untyped-def]
    """Do as :func:`changes` does, and add to `found`."""
    one = np.empty(_LONG, np.uint64)
    other = np.empty(_LONG, np.uint64)
    counts = np.zeros((8, 8), np.uint64)
    for start in range(0, chosen.size, _LONG):
        size = min(_LONG, chosen.size - start)
        for i in range(size):
            here = chosen[start + i]
            one[i], other[i] = words[cells[here]], ~words[others[here]]
        _add_common_bits(one, other, size, counts, found[0])
        for i in range(size):
            one[i], other[i] = ~one[i], ~other[i]
        _add_common_bits(one, other, size, counts, found[1])
