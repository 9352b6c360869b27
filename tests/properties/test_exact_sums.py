"""Exact sums: the float nearest to the sum of the very numbers, in any order."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from entangle import exact_sums
from entangle.exact_sums import ExactSums

numbers = st.floats(-1e300, 1e300, allow_nan=False)
some = st.lists(arrays(np.float64, (2, 3), elements=numbers), min_size=1, max_size=12)


def sums(given: list[np.ndarray]) -> np.ndarray:
    held = ExactSums((2, 3))
    for values in given:
        held.add(values)
    return held.rounded()


def slowly(given: list[np.ndarray]) -> list[float]:
    """Return the same by fractions, which know no rounding."""
    columns = np.array(given).reshape(len(given), -1).T
    return [float(sum((Fraction(float(x)) for x in column), Fraction(0))) for column in columns]


@given(some)
def test_a_sum_is_rounded_once(given: list[np.ndarray]) -> None:
    found = sums(given)
    assert found.shape == (2, 3)
    assert found.ravel().tolist() == slowly(given)
    assert found.ravel().tolist() == [math.fsum(column) for column in np.array(given).reshape(-1, 6).T]


@given(some, st.randoms())
def test_the_order_does_not_matter(given: list[np.ndarray], random) -> None:
    other = list(given)
    random.shuffle(other)
    assert sums(given).tobytes() == sums(other).tobytes()


@pytest.mark.parametrize(
    "values",
    [[5e-324] * 3, [1e308, 5e-324, -1e308], [2.0**53, 1.0, 1.0], [-(2.0**-1060), 2.0**-1074], [0.1] * 10],
)
def test_nothing_is_lost_at_the_ends(values: list[float]) -> None:
    held = ExactSums(())
    for value in values:
        held.add(np.array(value))
    assert held.rounded() == math.fsum(values)


def test_digits_are_carried_before_they_overflow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exact_sums, "_MOST", 3)
    given = [np.full((2, 3), (-1.0) ** i * (2.0 - 2.0**-52) * 2.0 ** (40 * i - 200)) for i in range(11)]
    assert sums(given).ravel().tolist() == slowly(given)


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_what_has_no_sum_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="only finite numbers"):
        ExactSums((1,)).add(np.array([value]))
