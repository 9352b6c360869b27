"""The simulator in vector instructions against the one without, and against the twin."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import reference
from entangle_kernels import crisis, tally, vectors, wide
from entangle_kernels.crisis import Endings, Rivals
from entangle_kernels.exact import CELLS
from entangle_kernels.ladder import HOLD
from entangle_kernels.quantise import Tables
from reference.games import crisis_tables

SEED = 2**63 + 12345  # both halves of the key are in use

here = pytest.mark.skipif(not vectors.AVAILABLE, reason="the processor lacks AVX-512, or it is off")

SETTINGS: dict[str, dict[str, Any]] = {
    "plain": {"rounds": 12, "types": 3, "precision": 0.7},
    "an estimate": {"rounds": 4, "types": 2, "estimates": 2},
    "private scope and a vote": {"rounds": 4, "scopes": 2, "support": 2, "passes": 0.5},
    "delays": {"rounds": 6, "support": 1, "first_support": 1, "first_fight": 2, "passes": 0.7},
    "all nuclear, one type": {"rounds": 8, "types": 1, "nuclear": (True, True, True), "precision": 0.3},
    "one round": {"rounds": 1},
}
named = pytest.mark.parametrize("name", SETTINGS)

#: First trajectory, number, year: over several batches; across the boundary of 32 bits; the last ones; few.
SPANS = [(0, 150_000, 0), (2**32 - 5000, 10_000, 3), (2**64 - 9000, 9000, 2**32 - 1), (2**40 + 17, 4097, 7)]


@cache
def table(name: str) -> Tables:
    return crisis_tables(**SETTINGS[name])


def answer() -> str:
    """Return a digest of everything that vectors have a hand in."""
    own = table("private scope and a vote")
    rivals, where = Rivals(moved(own, 1), moved(own, -1)), {"seed": SEED, "first": 2**32 - 5000}
    found = crisis.endings(own, **where, size=10_000, rivals=rivals)
    chosen = crisis.parted_by(found.parted, 0)
    others = crisis.replayed(rivals[0], found.cells, chosen, **where)
    words = np.arange(np.prod(CELLS), dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    pairs = tally.coincidences(np.stack([found.cells, others]), words, ~words)
    changed = tally.changes(found.cells, others, chosen, words)
    counts = crisis.simulate(own, **where, size=10_000)
    arrays = [*found, chosen, others, pairs, changed, counts]
    return hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest()


def elsewhere(program: str, **environment: str) -> str:
    """Return what a fresh interpreter prints that has imported this module as `t`."""
    root = Path(__file__).resolve().parents[2]
    paths = [root, root / "kernels", root / "tests", Path(__file__).parent]
    done = subprocess.run(
        [sys.executable, "-c", f"import test_wide as t; print({program})"],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(map(str, paths))} | environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=True,
    )
    return done.stdout.strip()


def moved(tables: Tables, by: int) -> Tables:
    """Return a world in which other rounds' policies are played, and crises open elsewhere."""
    raised = (tables.enter.astype(np.int64) + by * 2**27).clip(0, 2**32 - 1)
    return tables._replace(cut=np.roll(tables.cut, by, axis=1), enter=raised.astype(np.uint32))


def both(monkeypatch: pytest.MonkeyPatch, play: Any) -> tuple[Any, Any]:
    """Return what is played in vector instructions, and without."""
    monkeypatch.setattr(crisis, "MANY", 1)
    monkeypatch.setattr(crisis, "_FEW", 1)
    fast = play()
    monkeypatch.setattr(wide, "laid_out", lambda _: None)
    return fast, play()


OTHERS = [{"NUMBA_CPU_NAME": "generic"}, {"NUMBA_CPU_NAME": "x86-64-v3"}, {"NUMBA_CPU_FEATURES": "-avx512f"}]


@pytest.mark.parametrize("other", OTHERS, ids=str)
def test_no_vectors_where_another_processor_is_asked_for(other: dict[str, str]) -> None:
    assert elsewhere("t.vectors.AVAILABLE", **other) == "False"


def test_no_vectors_where_the_processor_is_of_another_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown() -> dict[str, bool]:
        raise RuntimeError("no such list")

    for features in (unknown, lambda: {"neon": True}, lambda: dict.fromkeys(vectors._NEEDED[:-1], True)):
        monkeypatch.setattr(vectors.llvm, "get_host_cpu_features", features)
        assert not vectors._available()


@pytest.mark.nightly
@pytest.mark.skipif(platform.machine() not in {"x86_64", "AMD64"}, reason="processors of another kind")
@pytest.mark.parametrize("other", OTHERS, ids=str)
def test_other_processors_give_the_same_bits(other: dict[str, str]) -> None:
    assert elsewhere("t.answer()", **other) == answer()


@here
@named
def test_every_table_of_a_game_has_a_layout(name: str) -> None:
    assert wide.laid_out(table(name)) is not None


@here
@named
@pytest.mark.parametrize("span", SPANS)
def test_counts_are_the_same(name: str, span: tuple[int, int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    first, size, year = span
    fast, slow = both(
        monkeypatch, lambda: crisis.simulate(table(name), seed=SEED, first=first, size=size, year=year)
    )
    assert np.array_equal(fast, slow)
    assert fast.sum() == size


@named
def test_twin_ends_every_trajectory_in_the_same_cell(name: str) -> None:
    first = 2**32 - 5000
    found = crisis.endings(table(name), seed=SEED, first=first, size=10_000).cells
    for trajectory in [*range(150), *range(4900, 5100), *range(9900, 10_000)]:
        expected = reference.play(table(name), first + trajectory, SEED)
        assert found[trajectory] == np.ravel_multi_index(expected, CELLS), trajectory


@here
@named
@pytest.mark.parametrize("span", SPANS)
def test_endings_rivals_and_replays_are_the_same(
    name: str, span: tuple[int, int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, size, year = span
    own, rivals = table(name), Rivals(moved(table(name), 1), moved(table(name), -1))
    where = {"seed": SEED, "first": first, "year": year}
    scattered = np.random.default_rng(1).permutation(size)[: size // 3].astype(np.uint32)

    def play() -> list[NDArray[Any]]:
        alone: Endings = crisis.endings(own, size=size, **where)
        watched = crisis.endings(own, size=size, rivals=rivals, **where)
        found: list[NDArray[Any]] = [*alone, *watched]
        for which, rival in enumerate(rivals):
            chosen = crisis.parted_by(watched.parted, which)
            found += [chosen, crisis.replayed(rival, watched.cells, chosen, **where)]
        return [*found, crisis.replayed(rivals[0], watched.cells, scattered, **where)]

    fast, slow = both(monkeypatch, play)
    for one, other in zip(fast, slow, strict=True):
        assert np.array_equal(one, other)
    assert set(fast[5].tolist()) >= {0, 1}


@here
def test_words_whose_upper_half_meets_a_threshold_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hundreds of lanes in these are played again with whole words; half of them would end elsewhere."""
    own, size = table("plain"), 2**21

    fast, slow = both(monkeypatch, lambda: crisis.simulate(own, seed=SEED, first=0, size=size))
    assert np.array_equal(fast, slow)
    # a table all of whose thresholds share the upper half of a word that occurs
    words = reference.words(0, 0, SEED)
    near = own._replace(cut=np.full_like(own.cut, int(words[0]) | 0xFFFF))
    monkeypatch.undo()
    fast, slow = both(monkeypatch, lambda: crisis.endings(near, seed=SEED, first=0, size=5000).cells)
    assert np.array_equal(fast, slow)


@here
@pytest.mark.parametrize("origin", [0, 1, 2**31, 2**32 - 1, 2**32])
@pytest.mark.parametrize("scope", [0, 1, 2**32])
def test_thresholds_at_the_ends_of_their_range(
    origin: int, scope: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = table("an estimate")
    extreme = own._replace(
        origin=np.uint64(origin),
        scope=np.uint64(scope),
        hit=np.array([0, 2**32], np.uint64),
        enter=np.where(np.arange(own.enter.size).reshape(own.enter.shape) % 3, own.enter, np.uint32(0)),
        nature=np.where(np.arange(4) < 2, np.uint32(0), np.uint32(2**32 - 1)) | np.zeros_like(own.nature),
    )
    assert wide.laid_out(extreme) is not None
    rivals = Rivals(extreme._replace(enter=np.full_like(own.enter, 2**32 - 1)), extreme)
    fast, slow = both(
        monkeypatch, lambda: crisis.endings(extreme, seed=1, first=0, size=20_000, rivals=rivals)
    )
    for one, other in zip(fast, slow, strict=True):
        assert np.array_equal(one, other)


def odd_tables() -> dict[str, Tables]:
    """Return tables that vectors cannot play."""
    own = table("plain")
    backwards, elsewhere = own.nature[:, ::-1].copy(), own.step.copy()
    elsewhere[:, 0, :, HOLD] = elsewhere[:, 0, ::-1, HOLD]
    disordered = own.cut.copy()
    disordered[0, 3, 2, 40, 1] = 9, 5, 7
    nine = np.repeat(own.cut, 3, axis=4)
    return {
        "nature": own._replace(nature=backwards),
        "steps": own._replace(step=elsewhere),
        "moves": own._replace(cut=disordered),
        "types": own._replace(
            types=9, cut=nine, enter=np.repeat(own.enter, 3, axis=2), hit=np.zeros(9, np.uint64)
        ),
    }


@pytest.mark.parametrize("name", ["nature", "steps", "moves", "types"])
def test_odd_tables_are_played_without_vectors(name: str) -> None:
    odd = odd_tables()[name]
    assert wide.laid_out(odd) is None
    size = 5000
    found = crisis.simulate(odd, seed=SEED, first=0, size=size)
    assert np.array_equal(found, crisis.simulate_plainly(odd, seed=SEED, first=0, size=size))
    assert found.sum() == size
    # nor where one of the rivals is odd
    own = table("plain")
    if name != "types":
        watched = crisis.endings(own, seed=SEED, first=0, size=size, rivals=Rivals(own, odd))
        assert np.array_equal(watched.counts, crisis.simulate(own, seed=SEED, first=0, size=size))


@here
def test_layouts_are_kept_by_the_tables_they_are_of() -> None:
    own = table("plain")
    assert wide.laid_out(own) is wide.laid_out(own)
    other = own._replace(enter=own.enter // np.uint32(2))
    layouts = wide.laid_out(own), wide.laid_out(other)
    assert layouts[0] is not None
    assert layouts[1] is not None
    assert not np.array_equal(layouts[0].bounds, layouts[1].bounds)
    for _ in range(2 * wide._MOST_KNOWN):
        wide.laid_out(own._replace(nature=own.nature.copy()))
    assert len(wide._KNOWN) <= wide._MOST_KNOWN
