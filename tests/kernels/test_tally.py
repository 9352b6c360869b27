"""Counts over pairs of worlds against their twin, one trajectory and one bit at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from entangle_kernels.exact import CELLS
from entangle_kernels.tally import BITS, changes, coincidences
from reference import pairs as twin

Words = NDArray[np.uint64]

#: Around one, two and four times the 255 words that are counted before a count of eight bits is full;
#: around the 120 that are added together, 17 times before it is full.
SIZES = [0, 1, 7, 119, 120, 121, 254, 255, 256, 509, 510, 511, 1020, 1021, 2040, 2041]
ALL = 2**64 - 1
KINDS = 50


def drawn(seed: int, worlds: int, size: int) -> tuple[NDArray[np.uint16], Words, Words]:
    """Return endings and words of all kinds: among them one with no bit, and one with every bit."""
    rng = np.random.default_rng([20_260_101, seed, worlds, size])
    words = rng.integers(0, ALL, (2, KINDS), np.uint64, endpoint=True)
    words[:, 3], words[:, 4] = 0, ALL
    return rng.integers(0, KINDS, (worlds, size)).astype(np.uint16), words[0], words[1]


def assert_coincidences(cells: Any, left: Words, right: Words) -> None:
    found = coincidences(cells, left, right)
    assert found.shape == (len(cells), len(cells), BITS)
    assert found.dtype == np.int64
    slow = twin.coincidences(cells.tolist(), left.tolist(), right.tolist())
    for place in np.ndindex(found.shape):
        assert found[place] == slow.get(place, 0), place


def assert_changes(cells: Any, others: Any, chosen: Any, words: Words) -> None:
    found = changes(cells, others, chosen, words)
    assert found.shape == (2, BITS)
    assert found.dtype == np.int64
    slow = twin.changes(cells.tolist(), others.tolist(), chosen.tolist(), words.tolist())
    assert found.tolist() == list(slow)


@pytest.mark.parametrize("size", SIZES)
def test_twin_counts_the_same_coincidences(size: int) -> None:
    for worlds in (1, 2, 3):
        assert_coincidences(*drawn(1, worlds, size))


@pytest.mark.parametrize("size", SIZES)
def test_twin_counts_the_same_changes(size: int) -> None:
    (cells, others), words, _ = drawn(2, 2, size)
    rng = np.random.default_rng(size)
    for share in (0.0, 0.3, 1.0):
        chosen = np.flatnonzero(rng.random(size) < share).astype(np.uint32)
        assert_changes(cells, others, chosen, words)


@pytest.mark.parametrize("size", [31, 32, 33, 3000, 8160, 8161, 20_000])
@pytest.mark.parametrize("alike", [True, False])
def test_quiet_disputes_are_counted_as_any(size: int, alike: bool) -> None:
    """Most end in the same quiet cell in all worlds, some in different ones, a few in a crisis."""
    rng = np.random.default_rng([6, size, alike])
    left, right = rng.integers(0, ALL, (2, int(np.prod(CELLS))), np.uint64, endpoint=True)
    corner = left.size // 4
    if alike:  # as in the engine: what is asked does not depend on where
        for words in (left, right):
            words[corner * np.array([1, 3])] = words[corner * np.array([0, 2])]
    cells = np.tile(corner * rng.integers(0, 4, size), (3, 1))
    moved = rng.random((3, size)) < 0.1
    cells[moved] = corner * rng.integers(0, 4, moved.sum())
    crises = rng.random((3, size)) < 0.2
    cells[crises] = rng.integers(0, left.size, crises.sum())
    ended = cells.astype(np.uint16)
    found = coincidences(ended, left, right)
    bits = np.arange(BITS, dtype=np.uint64)
    for a, b in ((0, 1), (0, 2), (1, 2)):
        both = left[ended[a]] & right[ended[b]]
        assert found[a, b].tolist() == [int(((both >> bit) & np.uint64(1)).sum()) for bit in bits]


@given(
    cells=st.lists(st.tuples(*[st.integers(0, 3)] * 3), max_size=300),
    words=st.lists(st.integers(0, ALL), min_size=8, max_size=8),
)
def test_any_few_endings_are_counted_as_the_twin_counts_them(
    cells: list[tuple[int, ...]], words: list[int]
) -> None:
    ended = np.array(cells, np.uint16).reshape(-1, 3).T.copy()
    left, right = np.array(words, np.uint64).reshape(2, 4)
    assert_coincidences(ended, left, right)
    chosen = np.flatnonzero(ended[2] > 1).astype(np.uint32)
    assert_changes(ended[0], ended[1], chosen, left)


@pytest.mark.parametrize("size", [*SIZES, 100_000])
def test_no_count_of_a_byte_runs_over(size: int) -> None:
    """Every bit in every word, which is where a count of eight bits would be full first."""
    full, none = np.full(1, ALL, np.uint64), np.zeros(1, np.uint64)
    cells = np.zeros((2, size), np.uint16)
    assert (coincidences(cells, full, full)[0, 1] == size).all()
    assert (coincidences(cells, full, none) == 0).all()
    others, every = np.ones(size, np.uint16), np.arange(size, dtype=np.uint32)
    assert (changes(cells[0], others, every, np.append(full, none))[0] == size).all()
    assert (changes(cells[0], others, every, np.append(none, full))[1] == size).all()


def test_the_first_world_of_a_pair_has_the_left_word() -> None:
    cells, left, right = drawn(3, 2, 700)
    there, back = coincidences(cells, left, right), coincidences(cells[::-1].copy(), right, left)
    assert np.array_equal(there, back)
    assert not np.array_equal(there, coincidences(cells, right, left))
    assert (there[0, 0] == 0).all()
    assert (there[1] == 0).all(), "only pairs a < b are counted"


def test_changes_are_what_the_worlds_do_not_share() -> None:
    cells, words, _ = drawn(4, 2, 3000)
    both = coincidences(cells, words, words)[0, 1]
    own = [
        [sum(twin.has(word, bit) for word in words[ended].tolist()) for bit in range(64)] for ended in cells
    ]
    found = changes(*cells, np.arange(3000, dtype=np.uint32), words)
    assert np.array_equal(found, np.array(own) - both)


def test_what_is_not_chosen_is_not_looked_at() -> None:
    cells, words, _ = drawn(5, 2, 600)
    chosen = np.arange(0, 600, 2, dtype=np.uint32)
    before = changes(*cells, chosen, words)
    cells[1, 1::2] = 60_000  # a cell that no word belongs to
    assert np.array_equal(changes(*cells, chosen, words), before)
    assert (changes(*cells, chosen[:0], words) == 0).all()
