"""Digests of counts by plain whole numbers, step by step as SplitMix64 is published."""

from __future__ import annotations

from collections.abc import Sequence

WORD = 2**64


def weight(index: int, salt: int) -> int:
    """Return the weight of a count: the output of SplitMix64 after so many steps from a state, made odd."""
    z = ((index + 1) * 0x9E3779B97F4A7C15 + (salt << 48)) % WORD
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) % WORD
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) % WORD
    return (z ^ (z >> 31)) | 1


def digest(counts: Sequence[int], salt: int = 0) -> int:
    """Return the sum of counts times weights, modulo 2^64."""
    return sum(count * weight(i, salt) for i, count in enumerate(counts)) % WORD
