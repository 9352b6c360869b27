"""One present value for every clause field, for tests that go through them all."""

from __future__ import annotations

from typing import Any

#: For each clause field a value that differs from "absent", with what it needs beside it.
PRESENT: dict[str, dict[str, Any]] = {
    "commitment": {"commitment": "defence"},
    "strength": {"commitment": "defence", "strength": 0.5},
    "trigger": {"commitment": "defence", "trigger": "threat"},
    "required": {"commitment": "defence", "required": "military"},
    "coverage": {"commitment": "defence", "coverage": 0.5},
    "provoked_discount": {"commitment": "defence", "provoked_discount": 0.5},
    "reciprocal": {"commitment": "defence", "reciprocal": False, "guarantor": "green"},
    "guarantor": {"commitment": "defence", "reciprocal": False, "guarantor": "green"},
    "ambiguous": {"commitment": "defence", "ambiguous": True},
    "consultation": {"consultation": 0.5},
    "hotline": {"hotline": True},
    "integration": {"integration": 0.5},
    "intelligence": {"intelligence": 0.5},
    "access": {"access": "contingency"},
    "forces": {"access": "permanent", "forces": 0.5},
    "assistance": {"assistance": 0.1},
    "protege_floor": {"protege_floor": 0.02},
    "host_support": {"access": "permanent", "host_support": 0.5},
    "legislature": {"legislature": True},
    "approval": {"legislature": True, "approval": 0.5},
    "delay": {"legislature": True, "delay": 1},
    "term_years": {"term_years": 10.0},
    "review_years": {"review_years": 5.0},
    "notice_months": {"notice_months": 12.0},
    "suspension": {"suspension": True},
    "renegotiation": {"review_years": 5.0, "renegotiation": True},
    "coalition": {"coalition": {"members": ["green", "grey"]}},
}
