"""The words of the model: rungs, support levels, commitments, outcomes.

Every label that an analyst reads or writes is defined here once, in the order of the numbers that the
compiled core uses for it.
"""

from __future__ import annotations

from typing import Final, Literal

Rung = Literal[
    "dispute",
    "threat",
    "show_of_force",
    "limited_force",
    "local_war",
    "major_war",
    "strategic_strikes",
    "nuclear_use",
    "general_nuclear_war",
]
Support = Literal["aloof", "diplomatic", "military", "fighting"]
Commitment = Literal["none", "consult", "conditional", "defence", "automatic"]
Access = Literal["none", "contingency", "permanent"]

RUNGS: Final[tuple[Rung, ...]] = (
    "dispute",
    "threat",
    "show_of_force",
    "limited_force",
    "local_war",
    "major_war",
    "strategic_strikes",
    "nuclear_use",
    "general_nuclear_war",
)
#: Who is who, in the order of the actors.
SEATS: Final = ("challenger", "protege", "defender")
SUPPORTS: Final[tuple[Support, ...]] = ("aloof", "diplomatic", "military", "fighting")
#: How a crisis ends, or that there was none.
ENDS: Final[tuple[str, ...]] = (
    "no_crisis",
    "withdrawal",
    "concession",
    "compromise",
    "defeat",
    "victory",
    "stalemate",
    "general_war",
)
#: Where a pact stands at the end of a year, and why it has ended.
STATUS: Final = ("ended", "in_force", "suspended")
CAUSES: Final = (
    "none", "notice_by_protege", "notice_by_defender", "breach", "lapse", "review", "abrogated_by_protege",
    "abrogated_by_defender",
)  # fmt: skip
COMMITMENTS: Final[tuple[Commitment, ...]] = (
    "none",
    "consult",
    "conditional",
    "defence",
    "automatic",
)

#: Hostility level of the Militarized Interstate Disputes data (1 no action ... 5 war) of each rung.
MID_HOSTILITY: Final[tuple[int, ...]] = (1, 2, 3, 4, 5, 5, 5, 5, 5)
