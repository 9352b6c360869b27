"""What a ranking says about its making: what was assumed, and from what it was made."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from entangle import cow, provenance
from entangle.treaties import crisis
from entangle.treaties.challengers import TYPICAL, Challenger
from entangle.treaties.figures import Figures
from entangle.treaties.selection import Duty

#: What holds for every ranking.
_ALWAYS: Final = (
    (
        "What the defender has at stake in the protégé's cause is the median of the fitted population for "
        "every pact (alignment, by draw), and so is the spread of everybody's resolve (log_sd)."
    ),
    f"Distance makes fighting dearer for every defender by {crisis.PROJECTION:g}, the population's middle.",
    "An occasion arises for the challenger, or for the protégé in the fitted proportion (protege_rate).",
    "Capability is CINC of the year; joint effort, aid and bases are read from the treaty's codes.",
    "One pact at a time: other pacts of the partners, and all other states, are left out.",
)


def assumed(figures: Figures, kind: str, seats: list[tuple[Duty, Challenger]], nodes: int) -> list[str]:
    """Return what no file says, in sentences."""
    said = list(_ALWAYS)
    if kind == TYPICAL:
        said.append(
            "The challenger is as strong as initiators of disputes are, given the two partners' strengths: a "
            f"normal law of its logarithm at {nodes} equally probable strengths, cut at the strongest state "
            "outside; "
            "it has no nuclear weapons and the mean regime of initiators. A duty limited to adversaries that "
            "the treaty names is taken to hold against it."
        )
    lacking = {
        (ccode, seat)
        for duty, challenger in seats
        for ccode, seat in (
            (duty.protege, "protege"), (duty.defender, "defender"), (challenger.ccode, "challenger")
        )
        if ccode is not None and not figures.regime(ccode, seat)[1]
    }  # fmt: skip
    if lacking:
        names = sorted({cow.title(ccode, figures.year) for ccode, _ in lacking})
        everyone = "anybody" if figures.regimes is None else ", ".join(names)
        said.append(
            f"No regime figure for {everyone}: the mean of those who had that seat in disputes after 1945."
        )
    return said


def attributes(
    figures: Figures,
    challenger: str,
    points: Sequence[Mapping[str, float]],
    *,
    types: int,
    rounds: int,
    files: list[Path],
    left_out: list[str],
    assumptions: list[str],
) -> dict[str, Any]:
    """Return the attributes of a ranking, all but its checksum.

    Parameters
    ----------
    challenger
        Who challenges, in words.
    points
        The draws.
    files
        Data files that were read; their checksums are kept.
    left_out, assumptions
        In sentences.
    """
    asked: dict[str, str | int] = {"year": figures.year, "challenger": challenger, "draws": len(points)}
    asked |= {"types": types, "rounds": rounds}
    drawn = hashlib.sha256(json.dumps([dict(point) for point in points], sort_keys=True).encode())
    what = json.dumps(asked, ensure_ascii=False)
    source = f"entangle {provenance.package_version()}"
    return {
        "Conventions": "CF-1.11",
        "title": f"Bilateral defence pacts of {figures.year}",
        "summary": "What each pact deters and into what it entangles the partner who owes help.",
        "source": f"{source}, a Monte Carlo risk engine for security pacts",
        "history": f"{source}: ranked the bilateral defence pacts of {figures.year}",
        "date_created": provenance.now(),
        "method": "exact at every draw",
        "year": figures.year,
        "challenger": challenger,
        "types": types,
        "rounds": rounds,
        "study": what,
        "draws": drawn.hexdigest(),
        "fingerprint": hashlib.sha256((what + drawn.hexdigest()).encode()).hexdigest(),
        "files": json.dumps({path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}),
        "assumptions": json.dumps(assumptions, ensure_ascii=False),
        "left_out": json.dumps(left_out, ensure_ascii=False),
        "format_version": provenance.FORMAT_VERSION,
    }
