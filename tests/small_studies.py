"""Small studies that solve in a moment, shared by tests."""

from __future__ import annotations

from typing import Any

from entangle.study import Study


def small(**changes: Any) -> Study:
    """Return a study of three pacts; `changes` replace its tables."""
    data: dict[str, Any] = {
        "title": "Three pacts",
        "scenario": {"challenger": "east", "protege": "west", "defender": "far"},
        "actors": {
            "east": {"capability": 1.0, "regime": 0.2},
            "west": {"capability": 0.5, "regime": 0.7},
            "far": {"capability": 3.0, "regime": 0.8, "nuclear": True},
        },
        "pacts": {
            "no_pact": {},
            "treaty": {"commitment": "defence"},
            "with_vote": {
                "commitment": "defence",
                "legislature": True,
                "approval": 0.6,
                "coverage": 0.5,
            },
        },
        "parameters": {"precision": 3.0, "types": 2, "rounds": 4},
    }
    return Study.from_dict(data | changes)
