"""The benchmarks: they load before the engine is installed, and the peers give the engine's own answers."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.peers import compare, numpy_crisis
from entangle_kernels.crisis import simulate
from entangle_kernels.exact import CELLS
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


@pytest.mark.parametrize("slot", ["origin", "scope", "enter", "cut", "nature"])
def test_the_comparison_sees_a_moved_threshold(slot: str) -> None:
    # twin of the test above: one threshold moved by a few per cent must show
    table = crisis_tables(**SETTINGS["plain"])
    value = np.asarray(getattr(table, slot))
    moved = (value - value // 20).astype(value.dtype)
    other = table._replace(**{slot: moved if moved.ndim else moved[()]})
    draw = {"seed": 7, "first": 0, "size": 3000}
    assert (numpy_crisis.simulate(other, **draw) != simulate(table, **draw)).any()


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


def test_there_are_benchmarks() -> None:
    stems = {path.stem for path in FILES}
    assert {"solve", "simulate", "end_to_end", "start", "memory", "numpy_crisis", "compare"} <= stems


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
