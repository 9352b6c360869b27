"""Costs that do not depend on the clock are what is stored, and one that moves is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import costs
from benchmarks.common import python


@pytest.fixture(scope="module")
def found() -> costs.Costs:
    return costs.measured()[0]


def test_no_cost_has_grown(found: costs.Costs) -> None:
    moved, reasons = costs.compare(found, costs.read(), costs.machine())
    print(costs.message(moved), *reasons, sep="\n")
    assert not any(one.worse for one in moved), costs.message(moved)


def test_code_is_compared_where_it_was_stored(found: costs.Costs) -> None:
    _, reasons = costs.compare({"code_bytes": found["code_bytes"]}, costs.read(), costs.machine())
    if reasons:
        pytest.skip("; ".join(reasons))


def test_a_doubled_sweep_count_is_caught(found: costs.Costs) -> None:
    twice = found | {"sweeps": {name: 2 * number for name, number in found["sweeps"].items()}}
    moved, _ = costs.compare(twice, costs.read(), costs.machine())
    assert {one.name for one in moved} == set(found["sweeps"])


def test_a_solver_that_is_damped_to_the_end_is_caught() -> None:
    program = (
        "import json; from benchmarks import costs; from entangle_kernels import equilibrium as e\n"
        "e.Sweeps.eased = lambda self, *dampings: self.damped(0.5)\n"
        "print(json.dumps(costs.sweeps()))"
    )
    slow = json.loads(python("-W", "ignore", "-c", program).splitlines()[-1])
    stored = costs.read()
    moved, _ = costs.compare({"sweeps": slow | {"contexts": stored["sweeps"]["contexts"]}}, stored, "none")
    # a game that needs the homotopy anyway may take about as many
    assert len([one for one in moved if one.worse]) >= len(slow) - 2


def test_what_may_grow_by_how_much() -> None:
    stored = {"sweeps": {"a": 100}, "table_bytes": {"b": 10}, "rounds": {"c": 3.0}}
    assert costs.compare({"sweeps": {"a": 102}, "table_bytes": {"b": 10}}, stored, "here") == ([], [])
    moved, _ = costs.compare(
        {"sweeps": {"a": 103}, "table_bytes": {"b": 11}, "rounds": {"c": 3.0, "more": 1.0}}, stored, "here"
    )
    assert all(one.worse for one in moved)
    assert [str(one) for one in moved] == [
        "sweeps.a: from 100 to 103 (+3.0%); allowed +0.02",
        "table_bytes.b: from 10 to 11 (+10.0%); allowed +0",
        "rounds.more: from nothing to 1; allowed +1e-06",
    ]
    told = costs.message(moved)
    assert told.startswith("Grew by more than allowed, or new or gone (3):")
    assert "If that is meant: `python -m benchmarks.costs --write`" in told


def test_what_falls_is_told_and_no_failure() -> None:
    moved, _ = costs.compare({"sweeps": {"a": 50}}, {"sweeps": {"a": 100}}, "here")
    assert [one.worse for one in moved] == [False]
    assert costs.message(moved).splitlines() == [
        "Fell (1):",
        "  sweeps.a: from 100 to 50 (-50.0%); allowed +0.02",
        "To hold it there: `python -m benchmarks.costs --write`, and commit benchmarks/costs.toml.",
    ]
    assert costs.message([]) == "No cost moved."


def test_what_is_no_longer_measured_is_told() -> None:
    (gone,) = costs.compare({"sweeps": {}}, {"sweeps": {"a": 100}}, "here")[0]
    assert gone.worse
    assert str(gone) == "sweeps.a: from 100 to nothing; allowed +0.02"


def test_every_cost_that_is_stored_says_by_how_much_it_may_grow() -> None:
    stored = costs.read()
    groups = set(stored) - {"machines"} | {group for own in stored["machines"].values() for group in own}
    assert groups <= set(costs.TOLERANCES)
    assert groups >= set(costs.TOLERANCES) - {"instructions"}


def test_machine_code_is_compared_on_the_same_machine_alone() -> None:
    stored = {"machines": {"this": {"code_bytes": {"f": 100}}}}
    found: costs.Costs = {"code_bytes": {"f": 200}}
    assert len(costs.compare(found, stored, "this")[0]) == 1
    assert costs.compare(found, stored, "other") == (
        [],
        ["code_bytes were not compared: none are stored for other."],
    )


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "costs.toml"
    found: costs.Costs = {"sweeps": {"a": 1}, "code_bytes": {"f": 2}}
    costs.write(found, path)
    assert costs.compare(found, costs.read(path), costs.machine()) == ([], [])


def test_instructions_are_counted_or_there_is_a_reason() -> None:
    try:
        found = costs.instructions()
    except RuntimeError as reason:
        pytest.skip(str(reason))
    assert all(1 < number < 1e5 for number in found.values())


def test_without_perf_the_reason_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(costs.shutil, "which", lambda name: None)
    with pytest.raises(RuntimeError, match="there is no perf"):
        costs.instructions()
