"""The exact pass against its twin, and backward against forward."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import reference
from entangle_kernels import ladder
from entangle_kernels.exact import CELLS, committor, probabilities
from entangle_kernels.quantise import Tables
from reference.games import crisis_tables

WORDS = 2**32
SETTINGS: dict[str, dict[str, Any]] = {
    "plain": {"rounds": 3},
    "an estimate": {"rounds": 2, "estimates": 2, "types": 3},
    "private scope and a vote": {"rounds": 2, "scopes": 2, "support": 2, "passes": 0.6},
    "all in scope": {"rounds": 2, "in_scope": 1.0},
    "none in scope": {"rounds": 2, "in_scope": 0.0},
    "nuclear": {"rounds": 6, "types": 1, "nuclear": (True, True, True), "precision": 0.5},
}
named = pytest.mark.parametrize("name", SETTINGS)


@named
def test_twin_agrees_in_every_cell(name: str) -> None:
    table = crisis_tables(**SETTINGS[name])
    found, twin = probabilities(table), reference.exact(table)
    assert set(zip(*np.nonzero(found), strict=True)) == set(twin)
    for cell, chance in twin.items():
        assert found[cell] == pytest.approx(chance, rel=1e-11)


@named
def test_probabilities_sum_to_one(name: str) -> None:
    table = crisis_tables(**SETTINGS[name])
    found = probabilities(table)
    assert found.shape == CELLS
    assert (found >= 0.0).all()
    assert found.sum() == pytest.approx(1.0, abs=1e-13)
    assert found[0].sum() == pytest.approx(int(table.origin) / WORDS, abs=1e-13)
    assert found[:, 1].sum() == pytest.approx(int(table.scope) / WORDS, abs=1e-13)


EVENTS = {
    "war": lambda end, state, marks: state >> 3 >= 4,
    "stalemate": lambda end, state, marks: end == ladder.STALEMATE,
    "abandonment": lambda end, state, marks: marks & 12 == ladder.OBLIGATION_ACTIVE,
    "anything": lambda end, state, marks: end != ladder.NO_CRISIS,
}


def as_cells(event: Any) -> np.ndarray[Any, np.dtype[np.bool_]]:
    cells = np.zeros(CELLS[2:], np.bool_)
    for cell in np.ndindex(*cells.shape):
        cells[cell] = event(*cell)
    return cells


@pytest.mark.parametrize("of", EVENTS)
def test_committor_is_its_twin_from_every_state_ahead(of: str) -> None:
    table = crisis_tables(**SETTINGS["an estimate"])
    informed = {"scope": 1, "estimate": 1, "types": (0, 2, 1)}
    found = committor(table, as_cells(EVENTS[of]), **informed)
    twin = reference.committor(table, EVENTS[of], **informed)
    for t in range(table.rounds):
        for stage in range(4):
            for state in range(ladder.STATES):
                for marks in (0, 5, 15):
                    expected = twin(t, stage, marks, state)
                    assert found[t, stage, marks, state] == pytest.approx(expected, rel=1e-12)
    for state in range(ladder.STATES):
        assert found[table.rounds, 0, 3, state] == twin(table.rounds, 0, 3, state)


def averaged_from_the_start(table: Tables, of: str) -> float:
    """Return the committor at the opening state, averaged over everybody's private information."""
    event = as_cells(EVENTS[of])
    weights = reference.type_weights(table.types)
    arises = [int(table.origin) / WORDS, 1 - int(table.origin) / WORDS]
    share = [1 - int(table.scope) / WORDS, int(table.scope) / WORDS]
    total = 0.0
    for scope, e in np.ndindex(2, table.estimates):
        for a, b, c in np.ndindex(*[table.types] * 3):
            resolute = int(table.hit[a]) / WORDS
            weight = share[scope] * weights[a] * weights[b] * weights[c]
            weight *= resolute if e else 1 - resolute
            ahead = committor(table, event, scope=scope, estimate=e, types=(a, b, c))
            for origin in (0, 1):
                own = a if origin == 0 else e * table.types + b
                opens = (WORDS - 1 - int(table.enter[origin, scope, own])) / WORDS
                start = int(table.start[origin])
                marks = int(table.step[scope, 0, start, ladder.HOLD]) >> ladder.MARK_SHIFT
                total += weight * arises[origin] * opens * float(ahead[0, 0, marks, start])
    return total


@pytest.mark.parametrize("of", EVENTS)
@named
def test_committor_at_the_start_averages_to_the_forward_probability(name: str, of: str) -> None:
    table = crisis_tables(**SETTINGS[name])
    forward = float(probabilities(table)[:, :, as_cells(EVENTS[of])].sum())
    assert averaged_from_the_start(table, of) == pytest.approx(forward, rel=1e-11, abs=1e-300)


def test_twin_notices_a_shifted_threshold() -> None:
    table = crisis_tables(**SETTINGS["plain"])
    cut = table.cut.copy()
    cut[1, 1, 2, ladder.pack(2, 0, 0), 0, 1:] -= np.uint32(WORDS // 10_000)
    found, twin = probabilities(table), reference.exact(table._replace(cut=cut))
    assert max(abs(found[cell] - chance) for cell, chance in twin.items()) > 1e-9
