"""Random words: known answers, the twin, and that every bit of the address matters."""

from __future__ import annotations

import random

import numpy as np
import pytest
from numpy.typing import NDArray

import reference
from entangle_kernels.philox import philox

Words = NDArray[np.uint64]

#: counter, key, output, from the `kat_vectors` file of Random123.
KNOWN = [
    (
        (0x00000000,) * 4,
        (0x00000000,) * 2,
        (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8),
    ),
    (
        (0xFFFFFFFF,) * 4,
        (0xFFFFFFFF,) * 2,
        (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD),
    ),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


def compiled(counter: tuple[int, ...], key: tuple[int, ...]) -> tuple[int, ...]:
    words = np.empty((4, 1), np.uint32)
    index = np.array([counter[0] | counter[1] << 32], np.uint64)
    philox(index, np.uint64(counter[2]), np.uint64(counter[3]), np.uint64(key[0] | key[1] << 32), words)
    return tuple(int(word) for word in words[:, 0])


@pytest.mark.parametrize(("counter", "key", "expected"), KNOWN)
def test_known_answers(
    counter: tuple[int, int, int, int], key: tuple[int, int], expected: tuple[int, ...]
) -> None:
    assert compiled(counter, key) == expected
    assert reference.philox(counter, key) == expected


def test_twin_agrees_on_random_addresses() -> None:
    rng = random.Random(1)
    for _ in range(2000):
        c0, c1, c2, c3, k0, k1 = (rng.getrandbits(32) for _ in range(6))
        assert compiled((c0, c1, c2, c3), (k0, k1)) == reference.philox((c0, c1, c2, c3), (k0, k1))


# -- avalanche: turning one bit of the counter turns every bit of the output half of the time ------


def many(counters: Words, rounds: int) -> Words:
    """Return Philox of many counters, shape (4, n), under the zero key."""
    mask, half = np.uint64(0xFFFFFFFF), np.uint64(32)
    c0, c1, c2, c3 = counters
    k0 = k1 = 0
    for _ in range(rounds):
        low, high = np.uint64(0xD2511F53) * c0, np.uint64(0xCD9E8D57) * c2
        c0, c1, c2, c3 = (
            (high >> half) ^ c1 ^ np.uint64(k0),
            high & mask,
            (low >> half) ^ c3 ^ np.uint64(k1),
            low & mask,
        )
        k0, k1 = (k0 + 0x9E3779B9) % 2**32, (k1 + 0xBB67AE85) % 2**32
    return np.stack([c0, c1, c2, c3])


def chi_square_per_freedom(rounds: int, samples: int = 10_000) -> float:
    """Return chi-square over its degrees of freedom, for 128 x 128 pairs of input and output bits.

    The counters are as structured as those of a run: round 0 of year 0 of the first trajectories. Only
    those with an even number of bits set: with one bit turned they are others, so no pair counts twice.
    """
    counters = np.zeros((4, samples), np.uint64)
    counters[0] = [2 * i + i.bit_count() % 2 for i in range(samples)]
    plain = many(counters, rounds)
    total = 0.0
    for bit in range(128):
        flipped = counters.copy()
        flipped[bit // 32] ^= np.uint64(1 << bit % 32)
        turned = (many(flipped, rounds) ^ plain).astype(np.uint32)
        bits = np.unpackbits(np.ascontiguousarray(turned.T).view(np.uint8), axis=1)
        counts = bits.sum(axis=0, dtype=np.int64)
        total += float((((counts - samples / 2) ** 2) / (samples / 4)).sum())
    return total / 128**2


def test_many_at_once_is_the_same_generator() -> None:
    counters = np.random.default_rng(2).integers(0, 2**32, (4, 100), dtype=np.uint64)
    for counter, found in zip(counters.T, many(counters, 10).T, strict=True):
        assert compiled(tuple(counter), (0, 0)) == tuple(found)


def test_every_bit_of_the_address_turns_every_bit_of_the_words() -> None:
    # 16384 degrees of freedom: a fair generator has 1 with a standard deviation of 0.011
    assert chi_square_per_freedom(10) == pytest.approx(1.0, abs=0.07)


def test_avalanche_test_notices_too_few_rounds() -> None:
    assert chi_square_per_freedom(5, samples=2000) > 1.5
