"""What Hypothesis draws: valid pacts, actors and small studies."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from entangle.study import Study

SHARES = st.one_of(st.sampled_from([0.0, 0.25, 0.5, 1.0]), st.floats(0.0, 1.0))
RUNGS = st.sampled_from(["threat", "show_of_force", "limited_force", "local_war", "general_nuclear_war"])

OBLIGATIONS = st.fixed_dictionaries(
    {"commitment": st.sampled_from(["consult", "conditional", "defence", "automatic"])},
    optional={
        "strength": SHARES,
        "trigger": RUNGS,
        "required": st.sampled_from(["diplomatic", "military", "fighting"]),
        "coverage": SHARES,
        "provoked_discount": SHARES,
        "ambiguous": st.booleans(),
    },
)
BASING = st.fixed_dictionaries(
    {"access": st.sampled_from(["contingency", "permanent"])},
    optional={"forces": SHARES, "host_support": SHARES},
)
VOTE = st.fixed_dictionaries(
    {"legislature": st.just(True)}, optional={"approval": SHARES, "delay": st.integers(0, 2)}
)
MATERIAL = st.fixed_dictionaries(
    {},
    optional={
        "consultation": SHARES,
        "hotline": st.booleans(),
        "integration": SHARES,
        "intelligence": SHARES,
        "assistance": st.floats(0.0, 0.5),
        "protege_floor": st.floats(0.0, 0.05),
    },
)
EXIT = st.fixed_dictionaries(
    {},
    optional={
        "term_years": st.floats(1.0, 50.0),
        "review_years": st.floats(1.0, 10.0),
        "notice_months": st.floats(0.0, 24.0),
        "suspension": st.booleans(),
    },
)
NOTHING = st.just({})
COALITIONS = st.fixed_dictionaries(
    {
        "members": st.just(["guard", "friend"]),
        "quorum": st.floats(0.1, 1.0),
        "consensus_rounds": st.integers(0, 2),
        "agreement": SHARES,
    }
)


def _joined(parts: tuple[dict[str, Any], ...]) -> dict[str, Any]:
    return {name: value for part in parts for name, value in part.items()}


#: The terms of a pact without any obligation, and of any pact.
MATERIAL_TERMS = st.tuples(MATERIAL, NOTHING | BASING, NOTHING | VOTE, EXIT).map(_joined)
TERMS = st.tuples(
    MATERIAL_TERMS,
    NOTHING | OBLIGATIONS,
    NOTHING | COALITIONS.map(lambda terms: {"coalition": terms}),
).map(_joined)

ACTORS = st.fixed_dictionaries(
    {
        "capability": st.floats(0.05, 20.0),
        "regime": SHARES,
        "nuclear": st.booleans(),
        "resolve": st.fixed_dictionaries({"median": st.floats(0.3, 2.0), "log_sd": st.floats(0.0, 0.8)}),
        "war_cost": st.floats(0.3, 2.0),
    }
)


@st.composite
def situations(draw: st.DrawFn) -> dict[str, Any]:
    """Draw everything of a small study but its pacts, as plain data."""
    return {
        "scenario": {
            "challenger": "rival",
            "protege": "ward",
            "defender": "guard",
            "alignment": draw(SHARES),
            "challenger_rate": draw(st.floats(0.05, 0.5)),
            "protege_rate": draw(st.sampled_from([0.0, 0.05, 0.2])),
            "projection": draw(SHARES),
            "initial_support": draw(st.sampled_from(["aloof", "diplomatic", "military"])),
        },
        "actors": {name: draw(ACTORS) for name in ("rival", "ward", "guard", "friend")},
        "parameters": {
            "precision": draw(st.floats(0.0, 3.0)),
            "types": draw(st.integers(2, 3)),
            "rounds": draw(st.integers(3, 6)),
            "first_support": draw(st.integers(0, 1)),
            # explicit, so that other defaults move nothing here
            "breach": 2.0,
            "catastrophe": 10.0,
            "opening": 0.2,
        },
    }


def study(situation: dict[str, Any], **pacts: dict[str, Any]) -> Study:
    """Return the study of a situation with pacts given as their terms."""
    return Study.from_dict(situation | {"pacts": pacts})
