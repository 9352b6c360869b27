"""One simulated dispute, word by word: the twin lives in the package, where it retells single disputes."""

from __future__ import annotations

from typing import Any

from entangle_kernels.replay import replay, words

__all__ = ["play", "words"]


def play(tables: Any, trajectory: int, seed: int, year: int = 0) -> tuple[int, int, int, int, int]:
    """Play one dispute; return (origin, scope, end, state, marks)."""
    found = replay(tables, trajectory, seed=seed, year=year)
    return found.origin, found.scope, found.end, found.state, found.marks
