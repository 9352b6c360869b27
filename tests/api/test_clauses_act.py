"""Every field of a pact acts: on the crisis, on the years around it, or on who wishes to keep it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from clause_fields import PRESENT
from entangle.between import between
from entangle.context_grid import ORIGIN, Axis, Grid
from entangle.contexts import Field, SolvedContexts
from entangle.lowering import Setting, lower, no_pact
from entangle.outlook import wishes
from entangle.pact import CLAUSES, Pact
from entangle.solve_cache import SolveCache
from entangle.study import Study
from small_studies import small

#: What a field needs beside it to mean anything, and is not itself.
BASE: dict[str, dict[str, Any]] = {
    **{
        name: {"commitment": "defence"}
        for name in ("strength", "trigger", "required", "coverage", "provoked_discount", "ambiguous")
    },
    "guarantor": {"commitment": "defence", "reciprocal": False, "guarantor": "far"},
    "reciprocal": {"commitment": "defence"},
    "forces": {"access": "permanent"},
    "host_support": {"access": "permanent", "forces": 0.5},
    "approval": {"legislature": True},
    "delay": {"legislature": True},
    "renegotiation": {"review_years": 5.0},
    "suspension": {"commitment": "defence"},
    "coalition": {"commitment": "defence"},
}
ADDED: dict[str, dict[str, Any]] = {name: {name: value[name]} for name, value in PRESENT.items()} | {
    "required": {"required": "military"},
    "trigger": {"trigger": "threat"},
    "reciprocal": {"reciprocal": False, "guarantor": "west"},  # then the defender owes nothing
    "guarantor": {"guarantor": "west"},
    "ambiguous": {"coverage": 0.5, "ambiguous": True},
    "coalition": {"coalition": {"members": ["far", "friend"]}},
    "legislature": {"legislature": True, "approval": 0.8},
}
#: Where each field acts: on levers, which make the crisis game; on what moves between crises; on whether
#: partners wish to stay.
LEVERS, YEARS, WISHES = "levers", "years", "wishes"
WHERE: dict[str, set[str]] = {
    **{name: {LEVERS} for name in PRESENT},
    "protege_floor": {YEARS},
    "host_support": {WISHES},
    "forces": {LEVERS, WISHES},
    "integration": {LEVERS, YEARS},  # what the protégé relies on
    "assistance": {LEVERS, YEARS},
    "coalition": {LEVERS, YEARS},
    "term_years": {YEARS},
    "review_years": {YEARS},
    "notice_months": {YEARS},
    "suspension": {YEARS},
    "renegotiation": {YEARS},
}


def study(terms: dict[str, Any]) -> Study:
    return small(
        actors={
            "east": {"capability": 1.0, "regime": 0.2},
            "west": {"capability": 0.5, "regime": 0.7},
            "far": {"capability": 3.0, "regime": 0.8, "nuclear": True},
            "friend": {"capability": 0.5},
        },
        # something of every pact is there, so that a field alone does not make a pact of none
        pacts={"pact": {"consultation": 0.25} | terms},
        parameters={"types": 2, "rounds": 2},
    )


def burdened(own: Study) -> Any:
    """Return the wishes that follow from the burden alone: the crisis is that without a pact for both."""
    setting = Setting.of(own)
    free = Field("free", no_pact(setting), setting, SolveCache(None))
    with ThreadPoolExecutor(1) as pool:
        free.ask(ORIGIN, pool).result()
    grid = Grid((Axis(0, 0, 1), Axis(0, 0, 1), Axis(0, 0, 1)))
    solved = SolvedContexts(grid, (0.0,) * 3, 0.0, 0, 0.0, own.pacts["pact"], free, free)
    return wishes(solved, ORIGIN)


def moved(one: Study, other: Study) -> set[str]:
    """Return what differs between two pacts."""
    found = set()
    a, b = (lower(each.pacts["pact"], Setting.of(each)) for each in (one, other))
    if a != b:
        found.add(LEVERS)
    peace = [between(each, "pact") for each in (one, other)]
    if not all(np.array_equal(x, y) for x, y in zip(*peace, strict=True)):
        found.add(YEARS)
    if burdened(one) != burdened(other):
        found.add(WISHES)
    return found


def test_no_field_is_forgotten() -> None:
    fields = {name for names in CLAUSES.values() for name in names}
    assert set(WHERE) == set(ADDED) == fields
    # labels aside, these are all that a pact has
    words = {"title", "source", "articles", "assumptions"}
    assert set(Pact.model_fields) - words == fields


@pytest.mark.parametrize("name", PRESENT)
def test_a_field_acts_where_it_is_said_to(name: str) -> None:
    base = BASE.get(name, {})
    assert moved(study(base), study(base | ADDED[name])) == WHERE[name]


@pytest.mark.parametrize("name", PRESENT)
def test_without_it_nothing_is_moved(name: str) -> None:
    base = BASE.get(name, {})
    assert moved(study(base), study(base)) == set()
