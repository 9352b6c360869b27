"""The benchmarks: they load before the engine is installed, and the peers give the engine's own answers."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import million
from benchmarks.common import lowered
from benchmarks.peers import (
    compare,
    compare_decades,
    compare_solver,
    crises,
    extras,
    jax_crisis,
    limits,
    native,
    numpy_census,
    numpy_crisis,
    numpy_decades,
)
from entangle.decades import Played
from entangle.expectations import EVENTS
from entangle_kernels import decades, equilibrium
from entangle_kernels.crisis import simulate
from entangle_kernels.exact import CELLS
from entangle_kernels.peace import Contexts, Peace
from reference.decades_games import BLOCKS_VOTES, contexts_of, peace_of, word
from reference.games import crisis_tables

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "benchmarks").rglob("*.py"))
SETTINGS: dict[str, dict[str, Any]] = {
    "plain": {"rounds": 6, "types": 2},
    "estimate and vote": {"rounds": 4, "types": 3, "estimates": 2, "support": 2, "passes": 0.5},
    "private scope": {"rounds": 3, "types": 2, "scopes": 2, "estimates": 2, "in_scope": 0.3},
    "one type, one round": {"rounds": 1, "types": 1, "origin": (0.0, 1.0)},
}


@dataclass(frozen=True)
class Block:
    """A share of the trajectories under one seed."""

    seed: int
    first: int
    size: int


#: Across a batch, across 2^32, high up with a long key, nothing at all.
BLOCKS = [
    Block(7, 0, 3000),
    Block(1, 2**32 - 700, 1500),
    Block(2**64 - 3, 2**63 + 11, 1000),
    Block(5, 9, 0),
]


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_numpy_counts_the_same_crises(name: str, block: Block) -> None:
    table = crisis_tables(**SETTINGS[name])
    draw = {"seed": block.seed, "first": block.first, "size": block.size}
    expected = simulate(table, **draw)
    assert expected.sum() == block.size
    assert numpy_crisis.SHAPE == CELLS
    np.testing.assert_array_equal(numpy_crisis.simulate(table, **draw, batch=1024), expected)


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("peer", [native.scalar, native.avx512])
def test_c_counts_the_same_crises(peer: Any, name: str) -> None:
    table = crisis_tables(**SETTINGS[name])
    assert native.SHAPE == CELLS
    # long enough for words that meet the upper half of a threshold, and for several batches
    for block in [*BLOCKS, Block(11, 2**32 - 2**16 - 5, 2**17)]:
        draw = {"seed": block.seed, "first": block.first, "size": block.size, "year": block.seed % 3}
        expected = simulate(table, **draw)
        np.testing.assert_array_equal(available(peer, table, **draw), expected)


def test_jax_counts_the_same_crises() -> None:
    table = crisis_tables(**SETTINGS["estimate and vote"])
    for block in BLOCKS:
        draw = {"seed": block.seed, "first": block.first, "size": block.size}
        found = available(jax_crisis.simulate, table, **draw, batch=2048)
        np.testing.assert_array_equal(found, simulate(table, **draw))


def available(peer: Any, *given: Any, **draw: Any) -> Any:
    """Return what a peer answers, or skip where it cannot run."""
    try:
        return peer(*given, **draw)
    except native.Unavailable as reason:
        pytest.skip(str(reason))


def test_vectors_refuse_tables_that_they_would_misread() -> None:
    table = crisis_tables(**SETTINGS["plain"])
    step = table.step.copy()
    step[:, 0, 20, 1] += 1  # to hold leads elsewhere
    cut = table.cut.copy()
    cut[0, 2, 1, 9, 0] = 5, 3, 3  # the second threshold below the first
    for wrong in (table._replace(step=step), table._replace(cut=cut), crisis_tables(types=9, rounds=1)):
        assert available(native.scalar, wrong, seed=1, first=0, size=9).sum() == 9
        with pytest.raises(ValueError, match=r"avx512\.c"):
            available(native.avx512, wrong, seed=1, first=0, size=9)


def test_peers_that_cannot_run_say_why(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(crises, "tables", lambda pact: crisis_tables(**SETTINGS["plain"]))
    table = crisis_tables(**SETTINGS["plain"])

    def tried() -> dict[str, str]:
        monkeypatch.setattr(native, "library", native.library.__wrapped__)
        return crises.measured("treaty", 100, 1).skipped

    compiled = native.library
    monkeypatch.setattr(native.shutil, "which", lambda name: None)
    skipped = tried()
    assert skipped["C, plain"] == skipped["C, AVX-512 by hand"] == "there is no gcc"
    limits.show(table, 1)
    assert "The limits were not measured: there is no gcc." in capsys.readouterr().err
    monkeypatch.undo()
    assert native.library is compiled
    monkeypatch.setattr(crises, "tables", lambda pact: table)
    monkeypatch.setattr(native, "NEEDED", (*native.NEEDED, "AVX4096"))
    skipped = crises.measured("treaty", 100, 1).skipped
    if skipped.get("C, plain") is None:
        assert "AVX4096" in skipped["C, AVX-512 by hand"]


def test_crises_are_compared_in_turns(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    table = crisis_tables(**SETTINGS["plain"])
    monkeypatch.setattr(crises, "tables", lambda pact: table)
    ways = {"right": numpy_crisis.simulate, "wrong": lambda table, **draw: simulate(table, **draw) + 1}
    monkeypatch.setattr(crises, "peers", lambda: ways)
    found = crises.measured("treaty", 500, 3)
    assert found.same == {"right": True, "wrong": False}
    assert [len(line.ratios) for line in found.lines()] == [3, 3]
    assert [line.same for line in found.lines()] == ["counts", "NO"]
    known = found._replace(rounds=250, seconds={"engine": [1e-6, 3e-6, 2e-6]})
    crises.show([known])
    printed = capsys.readouterr().out
    assert max(map(len, printed.splitlines())) <= 80
    assert ["treaty", "engine", "4", "2", "-", "6", "8"] in [line.split() for line in printed.splitlines()]


def test_what_more_costs_is_measured_on_the_same_histories(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    small = extras.small_study

    def tiny(*pacts: str) -> Any:
        asked = small(*pacts)
        return asked.replace(parameters=asked.parameters.replace(types=2, rounds=2))

    monkeypatch.setattr(extras, "small_study", tiny)
    monkeypatch.setattr(compare, "attribution", lambda size, repeats: [])
    assert extras.main(["--repeats", "2", "--histories", "300"]) == 0
    printed = capsys.readouterr().out
    for name in ("conditional estimates", "attribution", "16 worlds"):
        assert name in printed
    assert max(map(len, printed.splitlines())) <= 80
    with pytest.raises(SystemExit):
        extras.main(["--histories", "0"])


def test_limits_are_measured_piece_by_piece(capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    monkeypatch.setattr(limits, "NUMBER", 2**12)
    table = crisis_tables(**SETTINGS["plain"])
    found = available(limits.measure, table, 2)
    assert [len(limit.nanoseconds) for limit in found] == [2, 2, 2, 2]
    assert limits.Limit("", [4.0, 2.0, 5.0]).a_second == pytest.approx(2.5e8)
    limits.show(table, 2)
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80


@pytest.mark.parametrize("slot", ["origin", "scope", "enter", "cut", "nature"])
def test_the_comparison_sees_a_moved_threshold(slot: str) -> None:
    # twin of the test above: one threshold moved by a few per cent must show
    table = crisis_tables(**SETTINGS["plain"])
    value = np.asarray(getattr(table, slot))
    moved = (value - value // 20).astype(value.dtype)
    other = table._replace(**{slot: moved if moved.ndim else moved[()]})
    draw = {"seed": 7, "first": 0, "size": 3000}
    assert (numpy_crisis.simulate(other, **draw) != simulate(table, **draw)).any()


#: Contexts, and what moves between crises: every clause, every axis of the grid with one point and with more.
WORLDS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "all clauses": ({"points": (2, 1, 2)}, {}),
    "votes, breach ends": (
        {"points": (3, 1, 1), "estimates": 1, **BLOCKS_VOTES},
        {"suspension": 0, "term": 0},
    ),
    "three types, notice": ({"points": (1, 2, 1), "types": 3}, {"term": 0, "review": 0, "notice": 2}),
    "at once": ({"points": (1, 2, 1)}, {"notice": 0, "term": 0, "review": 0, "suspension": 0}),
    "beyond doubt": ({"points": (1, 1, 2)}, {"odds": 18.0, "ln_ratio": 17.0, "notice": -1}),
    "no pact, peace for some": ({"points": (1, 1, 2)}, {"pact": False, "arises": np.eye(5) * word(0.9)}),
}


@pytest.fixture(scope="module", params=WORLDS)
def world(request: pytest.FixtureRequest) -> tuple[Contexts, Peace]:
    grid, changes = WORLDS[request.param]
    between = peace_of(**changes)
    return contexts_of(**grid), between._replace(arises=between.arises.astype(np.uint64))


def same(one: Any, other: Any) -> bool:
    """Return whether two records agree in every bit, that of the sign of zero included."""
    return all(
        a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == np.ascontiguousarray(b).tobytes()
        for a, b in zip(one, other, strict=True)
    )


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_numpy_lives_the_same_histories(world: tuple[Contexts, Peace], block: Block) -> None:
    which = {"seed": block.seed, "first": block.first, "size": block.size // 2, "years": 9}
    expected = decades.record(*world, **which)
    assert same(expected, numpy_decades.record(*world, **which, batch=512))
    if block.size:
        assert (expected.events[:, :, 2] >= 0).any()


@pytest.mark.parametrize(
    ("part", "slot"),
    [(0, slot) for slot in ("scope", "faith", "enter", "cut", "nature", "stay", "news", "lowest")]
    + [(1, slot) for slot in ("steadfast", "arises", "origin", "renegotiation", "growth", "prize", "shock")],
)
def test_the_comparison_sees_another_number_between_crises(part: int, slot: str) -> None:
    # twin of the test above: one threshold, or one size, moved by a quarter must show
    given: list[Any] = [contexts_of((2, 1, 2)), peace_of()]
    value = np.asarray(getattr(given[part], slot))
    moved = (value - value // 4 if value.dtype.kind == "u" else value * 0.75).astype(value.dtype)
    other = list(given)
    other[part] = given[part]._replace(**{slot: moved if moved.ndim else moved[()]})
    which = {"seed": 7, "first": 0, "size": 1500, "years": 9}
    assert not same(decades.record(*given, **which), numpy_decades.record(*other, **which))


@pytest.fixture(scope="module")
def own() -> Played:
    """Histories with what is asked of them, the expectations made up."""
    contexts, draw = contexts_of((2, 1, 2)), np.random.default_rng(1)
    points = len(contexts.enter) // 2
    expected = draw.random((2, 2, points, 2, len(EVENTS) + 3))
    return Played(contexts, peace_of(), (), expected, draw.random((2, points)))


def test_numpy_counts_the_same_histories(own: Played, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numpy_decades, "BATCH", 300)
    monkeypatch.setattr(numpy_census, "BLOCK", 128)
    ours, theirs = (
        count(own, 1000, years=9) for count in (compare_decades.counted, compare_decades.counted_by_numpy)
    )
    assert set(ours) - set(theirs) == {"changed", "changed_firsts"}  # no other rules are asked
    assert compare_decades.same_counts(ours, theirs)
    for name in theirs:  # the comparison sees a single count, and the tenth digit of a sum's first
        changed = theirs[name].copy()
        changed.flat[np.flatnonzero(changed)[0]] *= 1 + 1e-8 if changed.dtype == np.float64 else 2
        assert not compare_decades.same_counts(ours, theirs | {name: changed})


def test_histories_are_compared_in_turns(own: Played, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare_decades, "played", lambda study, pact: own)
    lines = compare_decades.against_numpy("treaty", 200, 2)
    assert [line.same for line in lines] == ["every bit", "counts"]
    assert [len(line.ratios) for line in lines] == [2, 2]
    monkeypatch.setattr(numpy_decades, "LIFE", 5)  # a peer that reads other words is found out
    assert [line.same for line in compare_decades.against_numpy("treaty", 200, 1)] == ["NO", "NO"]


def test_a_million_is_told_in_80_columns(capsys: pytest.CaptureFixture[str]) -> None:
    times = {"total": 120.0, "solving": 100.0, "simulating": 15.0, "merging": 3.0}
    run = million.Run(**times, playing=15.0, tallying=5.0, file=1.0)
    assert run.shares == pytest.approx(
        {
            "solving": 100 / 120,
            "playing": 9 / 120,
            "tallying": 3 / 120,
            "merging": 3 / 120,
            "file": 1 / 120,
            "rest": 4 / 120,
        }
    )
    million.show({"none": [run, run], "all": [run, run._replace(total=140.0)]}, 10**6, 2)
    printed = capsys.readouterr().out.splitlines()
    assert max(map(len, printed)) <= 80
    assert printed[2].split()[:6] == ["none", "120.0", "(120.0", "-", "120.0)", "8,333"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_benchmark_loads_before_the_engine_is_installed(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    inside = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for node in ast.walk(function)
    }
    names = [
        name
        for node in ast.walk(tree)
        if id(node) not in inside and isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([a.name for a in node.names] if isinstance(node, ast.Import) else [node.module or "."])
    ]
    assert not [name for name in names if name.partition(".")[0] in {"entangle", "entangle_kernels", "."}]


def test_growth_of_the_solver_tells_the_solvers_own_sweeps(capsys: pytest.CaptureFixture[str]) -> None:
    compare_solver.growth("types", (1, 2), repeats=2)
    head, *lines = capsys.readouterr().out.strip().splitlines()
    assert head.split() == ["types", "combinations", "sweeps", "ms", "ms/sweep"]
    for types, line in zip((1, 2), lines, strict=True):
        game = lowered("treaty", types=types)[0][-1]
        size, combinations, sweeps, ms, each = line.split()
        assert (int(size), int(combinations)) == (types, types**3 * 2)
        assert int(sweeps) == equilibrium.solve(game).sweeps
        assert float(ms) > 0.0
        assert float(ms) / int(sweeps) == pytest.approx(float(each), rel=0.2, abs=0.02)


def test_there_are_benchmarks() -> None:
    stems = {path.stem for path in FILES}
    assert {"solve", "simulate", "end_to_end", "start", "memory", "decades", "million"} <= stems
    assert {"numpy_crisis", "numpy_decades", "numpy_census", "compare", "compare_decades"} <= stems
    assert {"compare_solver", "crises", "jax_crisis", "limits", "native"} <= stems


def test_comparison_fits_80_columns_and_finds_equal_answers(capsys: pytest.CaptureFixture[str]) -> None:
    line = compare.Line("simulate, 2 threads", "1 thread, wall clock", [100.123, 99.2, 123.4], "counts")
    compare.show([line], repeats=3)
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80


def test_turns_take_turns() -> None:
    calls: list[str] = []
    ticks = iter([0.0, 1.0, 4.0, 10.0, 12.0, 20.0])
    ratios = compare.turns(lambda: calls.append("a"), lambda: calls.append("b"), 2, lambda: next(ticks))
    assert calls == ["a", "b", "a", "b"]
    assert ratios == [3.0, 4.0]
