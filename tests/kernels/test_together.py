"""Worlds that are played together against each played alone, with its rivals played again, and the twin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import reference
from entangle.questions import HAPPENED
from entangle_kernels import crisis, tally, together, vectors, wide
from entangle_kernels.crisis import Rivals
from entangle_kernels.exact import CELLS
from entangle_kernels.quantise import Tables
from reference.games import crisis_tables

pytestmark = pytest.mark.skipif(not vectors.AVAILABLE, reason="the processor lacks AVX-512, or it is off")

SEED = 2**63 + 12345  # both halves of the key are in use

SETTINGS: dict[str, dict[str, Any]] = {
    "an estimate": {"rounds": 4, "types": 2, "estimates": 2},
    "a vote": {"rounds": 4, "types": 2, "scopes": 2, "support": 2, "passes": 0.5},
    "one round": {"rounds": 1},
    "delays": {"rounds": 6, "support": 1, "first_support": 1, "first_fight": 2, "passes": 0.7},
}
#: Within a batch; over the end of one, with a rest; across the boundary of 32 bits; the last ones.
SPANS = [(0, 4100), (2**40 + 17, 65_536), (2**40, 40_001), (2**32 - 5000, 38_000), (2**64 - 9000, 9000)]


def rivals_of(own: Tables) -> Rivals:
    """Return rivals who play other rounds' policies; the protégé's opens crises elsewhere, too."""
    cuts = []
    for actor, by in ((1, 1), (2, -1)):
        cut = own.cut.copy()
        lower = np.where(cut[:, :, actor] < 2**31, cut[:, :, actor] // 2, cut[:, :, actor])
        cut[:, :, actor] = np.roll(lower, by, axis=1)
        cuts.append(cut)
    enter = own.enter.copy()
    by_turns = 2**28 - 2**29 * (np.arange(enter.shape[2]) % 2)
    enter[1] = (enter[1].astype(np.int64) + by_turns).clip(0, 2**32 - 1)
    return Rivals(own._replace(cut=cuts[0], enter=enter), own._replace(cut=cuts[1]))


def worlds_of(name: str) -> tuple[tuple[Tables, ...], tuple[Rivals | None, ...]]:
    """Return four worlds: with rivals; of another scope; of another origin; one that opens every crisis."""
    own = crisis_tables(**SETTINGS[name])
    wider = own._replace(scope=np.uint64(2**31), enter=own.enter // np.uint32(2))
    theirs = own._replace(origin=np.uint64(2**30), cut=np.roll(own.cut, 1, axis=1))
    ready = own._replace(enter=np.zeros_like(own.enter), scope=np.uint64(0))
    return (own, wider, theirs, ready), (rivals_of(own), None, rivals_of(theirs), None)


class Played:
    """What worlds that are played together come to."""

    def __init__(
        self, worlds: Sequence[Tables], rivals: Sequence[Rivals | None], *, first: int, size: int
    ) -> None:
        ready = together.ready(worlds, rivals)
        assert ready is not None
        self.counts = np.zeros((len(worlds), *CELLS), np.int64)
        self.changed = np.zeros((len(worlds), 2, 2, tally.BITS), np.int64)
        self.cells = np.full((len(worlds), size), 65535, np.uint16)
        self.parts: list[list[NDArray[Any]]] = []
        into = {"counts": self.counts, "changed": self.changed, "cells": self.cells}
        where = {"seed": SEED, "first": first, "size": size}
        for replays in together.endings(ready, **where, words=HAPPENED, **into):
            chosen = [np.sort(own[:n]) for own, n in zip(replays.chosen, replays.number, strict=True)]
            ended = [own[which] for own, which in zip(replays.cells, chosen, strict=True)]
            self.parts.append([*chosen, *ended])


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("span", SPANS)
def test_each_ends_as_it_does_alone(
    name: str, span: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    (worlds, rivals), (first, size) = worlds_of(name), span
    found = Played(worlds, rivals, first=first, size=size)
    monkeypatch.setattr(wide, "laid_out", lambda _: None)  # in plain Numba, rivals from the start
    differing = 0
    for world, (own, others) in enumerate(zip(worlds, rivals, strict=True)):
        alone = crisis.endings(own, seed=SEED, first=first, size=size, rivals=others)
        assert np.array_equal(found.cells[world], alone.cells)
        assert np.array_equal(found.counts[world], alone.counts)
        if others is None:
            assert not found.changed[world].any()
            assert not any(part.size for part in found.parts[world])
        for i, rival in enumerate(others or ()):
            chosen = crisis.parted_by(alone.parted, i)
            ended = crisis.replayed(rival, alone.cells, chosen, seed=SEED, first=first)
            assert np.array_equal(found.parts[world][i], chosen)
            assert np.array_equal(found.parts[world][2 + i], ended[chosen])
            changes = tally.changes(alone.cells, ended, chosen, HAPPENED)
            assert np.array_equal(found.changed[world, i], changes)
            differing += int((ended != alone.cells).sum())
    assert differing > 50


def test_twin_ends_crises_and_their_rivals_in_the_same_cells() -> None:
    worlds, rivals = worlds_of("a vote")
    first = 2**32 - 5000
    found = Played(worlds, rivals, first=first, size=10_000)
    for world, own in enumerate(worlds):
        for trajectory in [*range(60), *range(4970, 5030), *range(9980, 10_000)]:
            expected = reference.play(own, first + trajectory, SEED)
            assert found.cells[world, trajectory] == np.ravel_multi_index(expected, CELLS), trajectory
        for i, rival in enumerate(rivals[world] or ()):
            chosen, ended = found.parts[world][i], found.parts[world][2 + i]
            for trajectory, cell in zip(chosen[::40].tolist(), ended[::40].tolist(), strict=True):
                expected = reference.play(rival, first + trajectory, SEED)
                assert cell == np.ravel_multi_index(expected, CELLS), trajectory


def test_more_worlds_than_arise_at_a_time() -> None:
    own = crisis_tables(**SETTINGS["an estimate"])
    worlds = [own._replace(scope=np.uint64(k << 27)) for k in range(together.MOST + 3)]
    rivals = [rivals_of(own) if k % 9 == 8 else None for k in range(len(worlds))]
    many = Played(worlds, rivals, first=5, size=5000)
    for world in (0, 8, together.MOST - 1, together.MOST, together.MOST + 2):
        alone = Played(worlds[world : world + 1], rivals[world : world + 1], first=5, size=5000)
        assert np.array_equal(many.cells[world], alone.cells[0])
        assert np.array_equal(many.counts[world], alone.counts[0])
        assert np.array_equal(many.changed[world], alone.changed[0])
    assert len({world.tobytes() for world in many.cells}) == len(worlds)


def test_rivals_whose_upper_halves_meet_a_word_part_where_whole_words_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Thresholds of a crisis and of its rival differ in the lower half alone; the upper is that of a word."""
    own = crisis_tables(**SETTINGS["one round"])
    word = int(reference.words(4, 0, SEED)[1])
    near = own._replace(cut=own.cut.copy(), enter=np.zeros_like(own.enter))
    near.cut[:, :, 0] = 0, 2**32 - 1, 2**32 - 1  # the challenger holds
    near.cut[:, :, 1] = word, 2**32 - 1, 2**32 - 1
    rival = near._replace(cut=near.cut.copy())
    rival.cut[:, :, 1, ..., 0] = word + 1 if word & 0xFFFF != 0xFFFF else word - 1
    rivals = Rivals(rival, near)
    found = Played((near,), (rivals,), first=0, size=5000)
    monkeypatch.setattr(wide, "laid_out", lambda _: None)
    alone = crisis.endings(near, seed=SEED, first=0, size=5000, rivals=rivals)
    chosen = crisis.parted_by(alone.parted, 0)
    assert chosen.tolist() == found.parts[0][0].tolist()
    assert 4 in chosen
    assert np.array_equal(found.cells[0], alone.cells)


def test_worlds_that_cannot_be_played_together() -> None:
    own, other = (crisis_tables(**SETTINGS[name]) for name in ("an estimate", "delays"))
    assert together.ready((own, other), (None, None)) is None
    odd = own._replace(nature=own.nature[:, ::-1].copy())
    assert together.ready((own, odd), (None, None)) is None
    assert together.ready((own,), (Rivals(own, odd),)) is None
    worlds, rivals = (own, own), (None, None)
    assert together.ready(worlds, rivals) is together.ready(worlds, rivals)
