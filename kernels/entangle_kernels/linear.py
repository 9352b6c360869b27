"""The little linear algebra that the fixed-point search needs, summed in one fixed order.

A BLAS adds in an order that depends on the processor and on its number of threads, and a last bit of a policy
can become another threshold. These loops add in an order that is written down.
"""

from __future__ import annotations

import numpy as np

from entangle_kernels.jit import jit


@jit
def dot(left, right):  # type: ignore[no-untyped-def]
    """Return the inner product of two vectors: eight sums of every eighth term, then those in pairs.

    One sum would wait for each addition to end before the next: this takes a quarter of the time.
    """
    s0, s1, s2, s3, s4, s5, s6, s7 = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    whole = left.size // 8 * 8
    for first in range(0, whole, 8):
        i = np.uint64(first)
        s0 += left[i] * right[i]
        s1 += left[i + np.uint64(1)] * right[i + np.uint64(1)]
        s2 += left[i + np.uint64(2)] * right[i + np.uint64(2)]
        s3 += left[i + np.uint64(3)] * right[i + np.uint64(3)]
        s4 += left[i + np.uint64(4)] * right[i + np.uint64(4)]
        s5 += left[i + np.uint64(5)] * right[i + np.uint64(5)]
        s6 += left[i + np.uint64(6)] * right[i + np.uint64(6)]
        s7 += left[i + np.uint64(7)] * right[i + np.uint64(7)]
    rest = 0.0
    for first in range(whole, left.size):
        i = np.uint64(first)
        rest += left[i] * right[i]
    return ((s0 + s1) + (s2 + s3)) + ((s4 + s5) + (s6 + s7)) + rest


@jit
def norm(vector):  # type: ignore[no-untyped-def]
    """Return the Euclidean length of a vector."""
    return np.sqrt(dot(vector, vector))


@jit
def overlaps(rows, vector):  # type: ignore[no-untyped-def]
    """Return the inner product of each row with a vector."""
    products = np.empty(rows.shape[0])
    for i in range(rows.shape[0]):
        products[i] = dot(rows[i], vector)
    return products


@jit
def combine(weights, rows):  # type: ignore[no-untyped-def]
    """Return the sum of the rows, each times its weight."""
    total = np.zeros(rows.shape[1])
    for i in range(weights.size):
        for j in range(total.size):
            total[j] += weights[i] * rows[i, j]
    return total


@jit
def solve_positive(matrix, right):  # type: ignore[no-untyped-def]
    """Return x with ``matrix @ x = right`` for a symmetric positive definite matrix, by Cholesky."""
    n = right.size
    root = np.zeros((n, n))
    for i in range(n):
        for j in range(i + 1):
            rest = matrix[i, j]
            for k in range(j):
                rest -= root[i, k] * root[j, k]
            root[i, j] = np.sqrt(max(rest, 1e-300)) if i == j else rest / root[j, j]
    x = right.copy()
    for i in range(n):
        for k in range(i):
            x[i] -= root[i, k] * x[k]
        x[i] /= root[i, i]
    for i in range(n - 1, -1, -1):
        for k in range(i + 1, n):
            x[i] -= root[k, i] * x[k]
        x[i] /= root[i, i]
    return x


@jit
def least_squares(hessenberg, size):  # type: ignore[no-untyped-def]
    """Solve the small problem of GMRES by Givens rotations.

    Parameters
    ----------
    hessenberg
        Upper Hessenberg matrix, shape (n + 1, n).
    size
        First entry of the right-hand side; the others are 0.

    Returns
    -------
    tuple of array of shape (n,) and float
        The minimiser, and the length of what is left.
    """
    n = hessenberg.shape[1]
    upper = hessenberg.copy()
    right = np.zeros(n + 1)
    right[0] = size
    for k in range(n):
        length = np.hypot(upper[k, k], upper[k + 1, k])
        if length == 0.0:
            continue
        c, s = upper[k, k] / length, upper[k + 1, k] / length
        for j in range(k, n):
            above, below = upper[k, j], upper[k + 1, j]
            upper[k, j] = c * above + s * below
            upper[k + 1, j] = c * below - s * above
        above, below = right[k], right[k + 1]
        right[k] = c * above + s * below
        right[k + 1] = c * below - s * above
    x = np.zeros(n)
    for i in range(n - 1, -1, -1):
        rest = right[i]
        for k in range(i + 1, n):
            rest -= upper[i, k] * x[k]
        x[i] = rest / upper[i, i] if upper[i, i] != 0.0 else 0.0
    return x, abs(right[n])
