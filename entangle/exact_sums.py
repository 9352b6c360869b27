"""Sums of floating numbers without rounding: the same whatever the order in which they come.

A double is a whole multiple of 2^-1074. Each sum is held as the digits of such a multiple, in base 2^32 and
in a word of 64 bits each, so that what is carried can wait (Neal 2015, "Fast exact summation using small and
large superaccumulators", arXiv:1505.05571).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: A double is a whole multiple of 2 to the power of minus this.
_FINEST: Final = 1074
_BITS: Final = 32
_DIGIT: Final = (1 << _BITS) - 1
#: Digits of the greatest double, and two more that its mantissa may reach into.
_DIGITS: Final = (_FINEST + 1024) // _BITS + 3
#: Numbers after which digits are carried: before any could overflow.
_MOST: Final = 1 << 30


class ExactSums:
    """Sums of arrays of one shape, number by number.

    Parameters
    ----------
    shape
        Of the arrays.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape
        size = int(np.prod(shape))
        self._digits = np.zeros((size, _DIGITS), np.int64)
        self._rows = np.arange(size)
        self._added = 0

    def add(self, values: Floats) -> None:
        """Add finite numbers, an array of the shape.

        Raises
        ------
        ValueError
            If one is infinite or no number.
        """
        if not np.isfinite(values).all():
            raise ValueError("only finite numbers have a sum")
        mantissas, exponents = np.frexp(values.ravel())
        whole = np.ldexp(mantissas, 53).astype(np.int64)
        shifts = exponents + (_FINEST - 53)
        # the least floats have fewer bits: nothing of a mantissa is lost by the shift to the right
        size = np.abs(whole) >> np.maximum(-shifts, 0)
        place, shift = np.divmod(np.maximum(shifts, 0), _BITS)
        sign = np.sign(whole)
        above = size >> (_BITS - shift)
        self._digits[self._rows, place] += sign * ((size << shift) & _DIGIT)
        self._digits[self._rows, place + 1] += sign * (above & _DIGIT)
        self._digits[self._rows, place + 2] += sign * (above >> _BITS)
        self._added += 1
        if self._added % _MOST == 0:
            self._carry()

    def rounded(self) -> Floats:
        """Return the floats nearest to the sums."""
        unit = 1 << _FINEST
        totals = [
            sum(int(digit) << (_BITS * int(i)) for i, digit in enumerate(row) if digit)
            for row in self._digits
        ]
        return np.array([total / unit for total in totals]).reshape(self.shape)

    def _carry(self) -> None:
        for i in range(_DIGITS - 1):
            over = self._digits[:, i] >> _BITS
            self._digits[:, i] -= over << _BITS
            self._digits[:, i + 1] += over
