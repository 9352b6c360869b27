"""Philox4x32-10: random words by address.

A word is a pure function of (seed, trajectory, year, purpose): no state, no order, no stream. Salmon, Moraes,
Dror & Shaw (2011), "Parallel random numbers: as easy as 1, 2, 3", SC'11; checked against Random123's vectors.
"""

from __future__ import annotations

import numpy as np

from entangle_kernels.jit import jit

_MASK = np.uint64(0xFFFFFFFF)
_SHIFT = np.uint64(32)
_M0 = np.uint64(0xD2511F53)
_M1 = np.uint64(0xCD9E8D57)
_W0 = np.uint64(0x9E3779B9)
_W1 = np.uint64(0xBB67AE85)

#: The fourth word of the counter: a round's number, or one of these purposes.
TYPES = np.uint64(0x80000000)
ENTRY = np.uint64(0x80000001)


@jit
def philox(c0, c1, c2, c3, k0, k1):  # type: ignore[no-untyped-def]
    """Return four random words.

    Parameters
    ----------
    c0, c1, c2, c3
        Counter, each a uint64 below 2^32.
    k0, k1
        Key, each a uint64 below 2^32.

    Returns
    -------
    tuple of four uint64
        Each below 2^32. (64-bit registers: the 32 x 32 bit products then never overflow.)
    """
    for _ in range(10):
        low = _M0 * c0
        high = _M1 * c2
        c0, c1, c2, c3 = (
            (high >> _SHIFT) ^ c1 ^ k0,
            high & _MASK,
            (low >> _SHIFT) ^ c3 ^ k1,
            low & _MASK,
        )
        k0 = (k0 + _W0) & _MASK
        k1 = (k1 + _W1) & _MASK
    return c0, c1, c2, c3
