"""How a run is cut into tasks: everything once, in whole blocks, and the last tasks short."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from entangle.playing import spans_of_tasks

BLOCK = 16


@st.composite
def missing(draw: st.DrawFn) -> list[tuple[int, int]]:
    """Return stretches of whole blocks, one after another; the last may end within a block."""
    sizes = draw(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 400)), min_size=1, max_size=8))
    found, place = [], 0
    for gap, blocks in sizes:
        begin = place + gap * BLOCK
        place = begin + blocks * BLOCK
        found.append((begin, place))
    begin, end = found[-1]
    return [*found[:-1], (begin, end - draw(st.integers(0, BLOCK - 1)))]


@given(missing(), st.integers(1, 200), st.integers(1, 64))
def test_every_unit_is_in_one_task(missing: list[tuple[int, int]], most: int, workers: int) -> None:
    tasks = list(spans_of_tasks(missing, BLOCK, most, workers))
    units = [unit for start, stop in tasks for unit in range(start, stop)]
    assert units == [unit for begin, end in missing for unit in range(begin, end)]
    ends = {end for _, end in missing}
    assert all(start % BLOCK == 0 and (stop % BLOCK == 0 or stop in ends) for start, stop in tasks)
    assert all(0 < stop - start <= most * BLOCK for start, stop in tasks)


@given(st.integers(1, 5000), st.integers(1, 200), st.integers(1, 64))
def test_nobody_waits_long_for_the_last(blocks: int, most: int, workers: int) -> None:
    sizes = [
        (stop - start) // BLOCK for start, stop in spans_of_tasks([(0, blocks * BLOCK)], BLOCK, most, workers)
    ]
    assert sizes == sorted(sizes, reverse=True)
    left = blocks
    for size in sizes:
        # whoever takes it, the others have as much to do meanwhile, but for what is not worth sending alone
        assert (4 * size - 3) * workers <= left or size <= max(blocks // (16 * workers), 1)
        left -= size
    assert len(sizes) <= 40 * workers + blocks / most
