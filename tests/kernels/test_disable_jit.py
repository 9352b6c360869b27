"""Interpreted, the core gives the same bits as compiled: the machine code adds speed and nothing else."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numba
import pytest

ROOT = Path(__file__).resolve().parents[2]


def fingerprint() -> str:
    """Return everything that a tiny study comes to, as one line of text."""
    import numpy as np

    from entangle_kernels import tally
    from entangle_kernels.conditional import sample
    from entangle_kernels.crisis import Rivals, endings, replayed, simulate
    from entangle_kernels.equilibrium import solve
    from entangle_kernels.exact import committor, probabilities
    from entangle_kernels.quantise import digest, tables
    from reference.games import crisis_game

    game = crisis_game(rounds=2, types=1, support=2, passes=0.5, precision=1.0)
    solution = solve(game)
    table = tables([game], [solution], in_scope=0.5)
    cells = probabilities(table)
    ahead = committor(table, cells[0, 1] > 0, scope=1, estimate=0, types=(0, 0, 0))
    counts = simulate(table, seed=5, first=2**32 - 200, size=400)
    moved = table._replace(cut=np.roll(table.cut, 1, axis=1), enter=table.enter + np.uint32(2**29))
    where = {"seed": 5, "first": 2**32 - 200}
    ended = endings(table, **where, size=400, rivals=Rivals(moved, moved))
    chosen = np.flatnonzero(ended.parted).astype(np.uint32)
    others = replayed(moved, ended.cells, chosen, **where)
    words = np.arange(cells.size, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    paired = tally.coincidences(np.stack([ended.cells, others]), words, ~words)
    changed = tally.changes(ended.cells, others, chosen, words)
    drawn = sample(table, cells > cells.mean(), n=30, seed=5)
    arrays = [cells, ahead, counts, *ended, others, paired, changed, drawn.outcome, drawn.state, drawn.cell]
    parts = [digest(table)]
    parts += [hashlib.sha256(array.tobytes()).hexdigest() for array in arrays]
    assert chosen.size > 20
    # the thresholds are rounded; what was rounded may differ in the last bit of an exponential
    parts += [f"{value:.12f}" for value in (*solution.value, *drawn.log_probability)]
    return " ".join(parts)


@pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="everything is interpreted already")
def test_interpreted_core_gives_the_same_bits() -> None:
    paths = [ROOT, ROOT / "kernels", ROOT / "tests", Path(__file__).parent]
    environment = os.environ | {
        "NUMBA_DISABLE_JIT": "1",
        "PYTHONPATH": os.pathsep.join(map(str, paths)),
    }
    program = "import numba; assert numba.config.DISABLE_JIT; import test_disable_jit as t; "
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program + "print(t.fingerprint())"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == fingerprint()
