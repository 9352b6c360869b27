"""Small studies that solve in a moment, shared by tests."""

from __future__ import annotations

from typing import Any

from entangle.study import Study

#: Values at which much happens, whatever the fit to the record says: a test of counting needs counts.
EVENTFUL: dict[str, Any] = {
    "decisiveness": 1.0,
    "joint_share": 0.35,
    "support_share": 0.25,
    "war_costs": (0.01, 0.02, 0.08, 0.20, 0.40, 1.50, 8.0),
    "support_costs": (0.005, 0.03),
    "cooling": (0.24, 0.22, 0.18, 0.10, 0.08, 0.06, 0.05),
    "decision": (0.0, 0.0, 0.0, 0.12, 0.15, 0.20, 0.25),
    "accident": (0.002, 0.004, 0.010, 0.010, 0.008, 0.005, 0.020),
    "compromise": 0.25,
    "revision": 0.35,
    "opening": 0.3,
    "begun_rounds": 0.0,
    "audience": 0.2,
    "breach": 2.5,
    "breach_per_round": 0.4,
}


def small(**changes: Any) -> Study:
    """Return a study of three pacts in which much happens; `changes` replace its tables."""
    return eventful(small_fitted(**changes))


def small_fitted(**changes: Any) -> Study:
    """Return the same at the defaults of parameters, which draws of a posterior move."""
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


def eventful(study: Study) -> Study:
    """Return a study with values at which much happens where it sets none."""
    own = study.parameters.model_fields_set
    values = {name: value for name, value in (EVENTFUL | {"precision": 3.0}).items() if name not in own}
    return study.replace(parameters=study.parameters.replace(**values))
