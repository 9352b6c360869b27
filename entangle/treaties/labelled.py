"""The labelled table of a ranking: numbers by pact, direction and draw, and what is known of each place."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from entangle import cow
from entangle.treaties import crisis
from entangle.treaties.challengers import Challenger
from entangle.treaties.selection import DIRECTIONS, Duty, Pair

if TYPE_CHECKING:
    import xarray as xr

#: States of the table along `pact`.
STATUS: Final = ("with", "without")


def labelled(
    kept: list[Pair],
    seats: list[tuple[Duty, Challenger]],
    cases: list[crisis.Case],
    results: list[crisis.Found | None],
    number: int,
) -> xr.Dataset:
    """Return the numbers of a ranking, without attributes; see :func:`entangle.treaties.rank`.

    Parameters
    ----------
    kept
        The pacts.
    seats
        Who owes whom under them, and who challenges.
    cases, results
        What was solved for each of these seats, and what was found, draw by draw.
    number
        How many draws.
    """
    import xarray as xr

    shape = len(kept), len(DIRECTIONS), number
    probability = np.full((*shape, len(STATUS), len(crisis.REPORTED)), np.nan)
    columns = {name: np.full(shape, np.nan) for name in ("deterrence", "wars_averted", "entanglement")}
    is_solved, owed = np.zeros(shape, bool), np.zeros(shape[:2], bool)
    challenge, war = (crisis.REPORTED.index(name) for name in ("challenge", "war"))
    for i, (duty, _) in enumerate(seats):
        place = duty.pair, duty.direction
        owed[place] = True
        for draw, found in enumerate(results[i * number : (i + 1) * number]):
            if found is None:
                continue
            own = (*place, draw)
            is_solved[own] = True
            probability[own] = np.divide(
                found.happened, found.held, out=np.full_like(found.held, np.nan), where=found.held > 0.0
            )
            fewer = found.happened[1] - found.happened[0]
            columns["deterrence"][own] = fewer[challenge]
            columns["wars_averted"][own] = fewer[war]
            columns["entanglement"][own] = found.entanglement
    texts = {
        "deterrence": "challenges per occasion that do not come because of the pact",
        "wars_averted": "wars per occasion that do not come because of the pact",
        "entanglement": "probability per occasion that the defender fights and would not without the promise",
    }
    dims = ("treaty", "direction", "draw")
    data = xr.Dataset(
        {
            "probability": (
                (*dims, "pact", "outcome"),
                probability,
                {"long_name": "exact probability of the outcome, given its condition", "units": "1"},
            ),
            **{
                name: (dims, values, {"long_name": f"exact: {texts[name]}", "units": "1"})
                for name, values in columns.items()
            },
            "solved": (dims, is_solved, {"long_name": "whether all equilibria were found"}),
            "owed": (dims[:2], owed, {"long_name": "whether help is owed to this partner, and was run"}),
        },
        {
            "treaty": _words("treaty", [pair.label for pair in kept]),
            "direction": (
                "direction",
                np.array(DIRECTIONS, dtype=object),
                {"long_name": "which partner is the protégé, by CINC of the year"},
            ),
            "draw": ("draw", np.arange(number), {"long_name": "draw of the posterior"}),
            "pact": ("pact", np.array(STATUS, dtype=object), {"long_name": "with the pact or without"}),
            "outcome": _words("outcome", crisis.REPORTED),
            "meaning": _words("outcome", [own.meaning for own in crisis.OUTCOME.values()]),
            "given": _words("outcome", [own.given for own in crisis.OUTCOME.values()]),
            "atopid": ("treaty", np.array([pair.treaty.atopid for pair in kept], np.int64)),
            "members_ever": (
                "treaty",
                np.array([len(pair.treaty.members) for pair in kept], np.int64),
                {"long_name": "states that were ever bound by it"},
            ),
        },
    )
    return data.assign_coords(_places(kept, seats, cases))


def _places(
    kept: list[Pair], seats: list[tuple[Duty, Challenger]], cases: list[crisis.Case]
) -> dict[str, tuple[tuple[str, ...], Any, dict[str, str]]]:
    """Return what is known of each place: who sits where, with which figures, under which terms."""
    shape = len(kept), len(DIRECTIONS)
    nodes = max(len(case.challengers) for case in cases)
    text = {name: np.full(shape, "", dtype=object) for name in ("protege", "defender", "challenger", "terms")}
    codes = {name: np.zeros(shape, np.int64) for name in ("protege_ccode", "defender_ccode")}
    cinc = {name: np.full(shape, np.nan) for name in ("protege_cinc", "defender_cinc")}
    strengths = np.full((*shape, nodes), np.nan)
    weights = np.full((*shape, nodes), np.nan)
    for (duty, challenger), case in zip(seats, cases, strict=True):
        place = duty.pair, duty.direction
        year = kept[duty.pair].terms.year
        text["protege"][place] = cow.title(duty.protege, year)
        text["defender"][place] = cow.title(duty.defender, year)
        text["challenger"][place] = challenger.name
        text["terms"][place] = json.dumps(case.pact.to_dict(), ensure_ascii=False)
        codes["protege_ccode"][place], codes["defender_ccode"][place] = duty.protege, duty.defender
        cinc["protege_cinc"][place] = case.protege.capability
        cinc["defender_cinc"][place] = case.defender.capability
        strengths[place] = challenger.capability
        weights[place] = challenger.weight
    words = {
        "protege": "who is owed help",
        "defender": "who owes it",
        "challenger": "who may challenge",
        "terms": "the pact as JSON, with where each clause comes from and what was assumed",
        "protege_ccode": "Correlates of War code, 0 where no help is owed",
        "defender_ccode": "Correlates of War code, 0 where no help is owed",
        "protege_cinc": "share of the world's material capability",
        "defender_cinc": "share of the world's material capability",
    }
    place_dims = ("treaty", "direction")
    found: dict[str, tuple[tuple[str, ...], Any, dict[str, str]]] = {
        name: (place_dims, values, {"long_name": words[name]})
        for name, values in {**text, **codes, **cinc}.items()
    }
    found["challenger_cinc"] = (
        (*place_dims, "node"), strengths, {"long_name": "share of the world's material capability"}
    )  # fmt: skip
    found["node_weight"] = ((*place_dims, "node"), weights, {"long_name": "weight of that strength"})
    return found


def _words(dimension: str, words: Sequence[str]) -> tuple[str, Any]:
    return dimension, np.array(list(words), dtype=object)
