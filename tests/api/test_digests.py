"""Digests of stretches: what they are, that they add up, and that nothing of how a run is cut moves them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from entangle import blocks, digests, engine
from entangle.digests import MOST, Digests, digest, hashed
from reference import digests as slow
from small_studies import small

COUNTS = st.lists(st.integers(0, 2**62), max_size=30)


def test_the_first_weights_are_those_that_splitmix64_is_published_with():
    """Its first outputs from state 0 (S. Vigna, splitmix64.c), made odd."""
    published = [16294208416658607535, 7960286522194355700, 487617019471545679]
    assert digests.weights(3, 0).tolist() == [word | 1 for word in published]


@given(COUNTS, st.integers(0, 3))
def test_a_digest_is_what_plain_arithmetic_gives(counts, salt):
    assert digest(np.array(counts, np.int64), salt=salt) == slow.digest(counts, salt)


@given(st.lists(st.tuples(st.integers(0, 2**60), st.integers(0, 2**60)), max_size=20))
def test_the_digest_of_a_sum_is_the_sum_of_the_digests(pairs):
    one, other = (np.array([pair[i] for pair in pairs], np.int64) for i in (0, 1))
    assert digest(one + other) == (digest(one) + digest(other)) % 2**64


@given(COUNTS.filter(len), st.data())
def test_any_one_count_that_changes_changes_the_digest(counts, data):
    i = data.draw(st.integers(0, len(counts) - 1))
    other = list(counts)
    other[i] += data.draw(st.integers(1, 2**62))
    assert digest(np.array(counts, np.int64)) != digest(np.array(other, np.uint64).view(np.int64))


def test_a_hash_sees_bits_shapes_and_types():
    values = np.array([0.0, 1.0])
    assert hashed(values) == hashed(values.copy())
    others = [
        -values,
        values.reshape(2, 1),
        values.astype(np.float32),
        np.array([0.0, np.nextafter(1.0, 2.0)]),
    ]
    assert len({hashed(values), *map(hashed, others)}) == 5


@given(st.lists(st.tuples(st.integers(0, 40_000), st.integers(1, 3)), min_size=1, max_size=30), st.randoms())
def test_digests_come_in_any_order_and_are_told_as_few(pieces, order):
    """Against sums over a plain list, whatever was halved on the way."""
    words = [(first, np.full((size, 2), first + 1, np.uint64)) for first, size in pieces]
    one, parts = Digests(2), [Digests(2) for _ in range(3)]
    for first, word in words:
        one.add(first, word)
    order.shuffle(words)
    for i, (first, word) in enumerate(words):
        parts[i % 3].add(first, word)
    merged = parts[0].merged(parts[1]).merged(parts[2])
    told, together = one.told()
    again, as_many = merged.told()
    assert (told.tolist(), together) == (again.tolist(), as_many)
    assert len(told) <= MOST
    last = max(first + size for first, size in pieces)
    assert together == next(2**i for i in range(20) if -(-last // 2**i) <= MOST)
    plain = [0] * -(-last // together)
    for first, size in pieces:
        for i in range(size):
            plain[(first + i) // together] += first + 1
    assert told[:, 0].tolist() == plain
    assert one.total().tolist() == [sum(plain)] * 2


# -- of a run ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def plan():
    return engine.prepared(small())[1]


@pytest.mark.parametrize("paired", [True, False])
def test_a_stretch_has_the_digests_of_what_was_played_in_it(plan, paired, monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK", 500)
    monkeypatch.setattr(blocks, "STRETCH", 2000)
    plan = plan if paired else plan._replace(rivals=(None,) * len(plan.worlds), paired=False)
    part = blocks.play(plan, 7, 1000, 4700)  # half a stretch, two whole ones, and a bit
    assert part.digests.shape == (3, len(plan.worlds) + 1)
    for row, (first, size) in zip(part.digests, [(1000, 1000), (2000, 2000), (4000, 1700)], strict=True):
        alone = blocks.play(plan, 7, first, size)
        dense = np.zeros(len(plan.worlds) * 36_864, np.int64)
        dense[alone.cells] = alone.numbers
        cells = [digest(own) for own in dense.reshape(len(plan.worlds), -1)]
        rest = slow.digest(alone.shared.ravel().tolist(), 1) + slow.digest(alone.changed.ravel().tolist(), 2)
        assert row.tolist() == [*cells, rest % 2**64]


def test_digests_do_not_depend_on_how_a_run_is_cut(plan, monkeypatch):
    monkeypatch.setattr(blocks, "STRETCH", 4 * blocks.BLOCK)
    monkeypatch.setattr(engine, "STRETCH", 4 * blocks.BLOCK)
    number = 11 * blocks.BLOCK + 5
    told = []
    for most in (1, 3, 128):
        monkeypatch.setattr(engine, "_MOST_BLOCKS", most * len(plan.worlds))
        told.append(engine.simulate(plan, seed=3, trajectories=number, workers=2).digests.told()[0].tolist())
    assert told[0] == told[1] == told[2]
    assert len(told[0]) == 3


def test_a_result_keeps_them_and_says_where_each_begins():
    result = small().run(trajectories=blocks.STRETCH + 10, seed=7)
    data = result.data
    assert data["first"].values.tolist() == [0, blocks.STRETCH]
    assert data["first"].attrs["size"] == blocks.STRETCH
    assert data.cells_digest.dims == ("stretch", "pact")
    assert data.cells_digest.dtype == np.uint64
    short = small().run(trajectories=blocks.STRETCH, seed=7).data
    assert (short.cells_digest.values == data.cells_digest.values[:1]).all()
    assert (short.pairs_digest.values == data.pairs_digest.values[:1]).all()
    assert "pairs_digest" not in small().run(trajectories=10, attribution=False).data
    assert "stretch" not in small().exact().data.dims
