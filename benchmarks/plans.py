"""Pacts ready to be played for years; as in `benchmarks.common`, the engine is imported inside functions."""

from __future__ import annotations

from typing import Any


def played(study: Any, pact: str) -> Any:
    """Return what histories under a pact are played with; its contexts are solved, or read from the cache."""
    from entangle.between import between
    from entangle.contexts import solve_contexts
    from entangle.decades import Played
    from entangle.outlook import outlook

    solved = solve_contexts(study, pact)
    found = outlook(solved, rivals=not solved.terms.is_empty)
    return Played(found.contexts, between(study, pact), found.rivals, found.expected, found.strength)


def questions(own: Any) -> Any:
    """Return what the census asks of histories under a pact."""
    from entangle.questions import GIVEN, HAPPENED, HELD
    from entangle_kernels.census import Questions

    return Questions(HAPPENED, HELD, GIVEN, own.expected, own.strength)
