"""Every choice of one-round games against Gambit's logit solver, an independent program."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from entangle_kernels.equilibrium import solve
from oracles.gambit_game import CASES, SHARED, Choices, Tree, case, engine_choices, gambit_choices

STORED = json.loads((Path(__file__).parent / "gambit_values.json").read_text(encoding="utf-8"))


def stored_choices(name: str) -> Choices:
    return {
        tuple(label): {int(move): float(chance) for move, chance in choices}
        for *label, choices in STORED["cases"][name]["choices"]
    }


def worst_difference(name: str, expected: Choices) -> float:
    game = case(name)
    solution = solve(game, tolerance=1e-12)
    return max(
        abs(engine_choices(game, solution, label)[move] - chance)
        for label, choices in expected.items()
        for move, chance in choices.items()
    )


def as_stored(settings: dict[str, Any]) -> Any:
    return json.loads(json.dumps(settings))


@pytest.mark.parametrize("name", CASES)
def test_stored_values_are_reproduced_at_every_information_set(name: str) -> None:
    assert STORED["shared"] == as_stored(SHARED), "the stored values are of other games: remake them"
    assert STORED["cases"][name]["settings"] == as_stored(CASES[name])
    assert worst_difference(name, stored_choices(name)) < 1e-9


@pytest.mark.parametrize("name", CASES)
def test_gambit_agrees_at_every_information_set(name: str) -> None:
    pytest.importorskip("pygambit", reason="pygambit is not installed: only its stored values count")
    assert worst_difference(name, gambit_choices(case(name))) < 1e-9


def test_the_comparison_notices_a_thousandth() -> None:
    game = case("two types")
    other = game._replace(precision=game.precision * 1.001)
    solution = solve(other, tolerance=1e-12)
    off = max(
        abs(engine_choices(game, solution, label)[move] - chance)
        for label, choices in stored_choices("two types").items()
        for move, chance in choices.items()
    )
    assert off > 1e-5


@pytest.mark.parametrize(
    ("name", "sets"),
    [("two types", (4, 4, 6)), ("three types", (6, 6, 9)), ("three types, an estimate", (6, 12, 18))],
)
def test_tree_has_the_information_sets_of_the_model(name: str, sets: tuple[int, ...]) -> None:
    tree = Tree(case(name))
    tree.write()
    # every actor knows its type, a partner also the estimate; nobody sees how a state was reached
    assert tuple(len(found) for found in tree.sets) == sets
