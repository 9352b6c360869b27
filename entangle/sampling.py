"""Rare futures: disputes drawn on the condition that they end in a certain way."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import xarray as xr

from entangle import provenance
from entangle.errors import StudyError, nearest
from entangle.files import write_dataset
from entangle.outcomes import OUTCOMES, REACHED
from entangle.solving import alone
from entangle.vocabulary import ENDS, RUNGS, SUPPORTS
from entangle_kernels import conditional
from entangle_kernels.exact import CELLS
from entangle_kernels.replay import retell

if TYPE_CHECKING:
    from entangle.replay import Replay
    from entangle.solving import Prepared
    from entangle.study import Study

_EVENTS: Final = {outcome.name: outcome for outcome in (*OUTCOMES, *REACHED)}
_MOVERS: Final = ("challenger", "protege", "defender", "nature")
_ORIGINS: Final = ("challenger", "protege")


@dataclass(frozen=True)
class GivenOutcome:
    """Disputes under a pact that were drawn on the condition of an outcome.

    Parameters
    ----------
    study, pact, outcome
        What was drawn from, and on which condition.
    sample
        The draws, as the core made them.
    prepared
        The solved pact.
    """

    study: Study
    pact: str
    outcome: str
    sample: conditional.Sample
    prepared: Prepared

    @property
    def probability(self) -> float:
        """Exact probability of the outcome, per dispute."""
        return self.sample.probability

    def __len__(self) -> int:
        """Return the number of disputes drawn."""
        return len(self.sample.cell)

    @cached_property
    def data(self) -> xr.Dataset:
        """The disputes, as a dataset with the dimension ``draw``.

        ``choice`` holds what was chosen or happened at each stage of each round (-1 after the end): 0 back
        down, 1 hold, 2 escalate; for the defender 2 is a blocked commitment and 3 one that passed; for nature
        0 cooling, 1 victory, 2 nothing, 3 an accident, 4 defeat. ``log_probability`` is that of the whole
        dispute, unconditionally: less the log of ``probability`` it is that of having been drawn.
        """
        return _labelled(self)

    def save(self, path: str | Path) -> None:
        """Write :attr:`data` as netCDF, whole or not at all.

        Raises
        ------
        OSError
            If the file cannot be written; nothing is left behind.
        """
        write_dataset(self.data, path)

    def replay(self, draw: int) -> Replay:
        """Return a drawn dispute move by move; its ``story()`` is to be read.

        Raises
        ------
        IndexError
            If there is no such draw.
        """
        from entangle.replay import retold

        if not 0 <= draw < len(self):
            raise IndexError(f"draw must be 0 to {len(self) - 1}, got {draw}")
        found = self.sample
        dispute = retell(
            self.prepared.tables,
            origin=int(found.origin[draw]),
            scope=int(found.scope[draw]),
            estimate=int(found.estimate[draw]),
            types=tuple(found.types[draw].tolist()),
            opened=bool(found.opened[draw]),
            outcomes=found.outcome[draw],
        )
        return retold(self.study, self.pact, dispute, prepared={self.pact: self.prepared})

    def __repr__(self) -> str:
        """Return what this is, in a line."""
        return (
            f"<entangle.GivenOutcome: {len(self):,} disputes under {self.pact} given {self.outcome}, "
            f"which has probability {self.probability:.3g} per dispute>"
        )


def sample_given(study: Study, outcome: str, *, n: int, pact: str | None, seed: int | None) -> GivenOutcome:
    """Draw disputes conditioned on an outcome; see :meth:`entangle.Study.sample_given`."""
    pact = study.first_pact if pact is None else pact
    for kind, asked, valid in (("pact", pact, list(study.pacts)), ("outcome", outcome, list(_EVENTS))):
        if asked not in valid:
            rule = f"must name {'a pact of this study' if kind == 'pact' else 'an outcome or a rung'}"
            raise StudyError.single(kind, rule=rule, got=repr(asked), do=nearest(str(asked), valid))
    if n < 1:
        raise StudyError.single("n", rule="must be at least 1", got=str(n), do="Draw one dispute or more")
    settings = study.simulation if seed is None else study.simulation.replace(seed=seed)
    prepared = alone(study, pact)[pact]
    event = _EVENTS[outcome].event
    chance = float(prepared.exact[event].sum())
    if chance < conditional.RAREST:
        raise StudyError.single(
            "outcome",
            rule=f"must be possible under the pact '{pact}'",
            got=f"'{outcome}', whose exact probability is {chance:.3g}",
            do="Choose another outcome or pact",
        )
    found = conditional.sample(prepared.tables, event, n=n, seed=settings.seed)
    return GivenOutcome(study.replace(simulation=settings), pact, outcome, found, prepared)


def _labelled(given: GivenOutcome) -> xr.Dataset:
    found = given.sample
    _, _, end, state, _ = np.unravel_index(found.cell, CELLS)
    rung, support = state >> 3, (state >> 1) & 3
    before = found.state.astype(np.int64)
    rungs, supports = (
        np.where(before < 0, -1, part).astype(np.int8) for part in (before >> 3, (before >> 1) & 3)
    )

    def along(values: Any, text: str, *dims: str) -> tuple[tuple[str, ...], Any, dict[str, str]]:
        return (("draw", *dims), values, {"long_name": text})

    steps = ("round", "stage")
    data = xr.Dataset(
        {
            "origin": along(_words(_ORIGINS, found.origin), "for whom the dispute arose"),
            "in_scope": along(found.scope == 1, "whether the dispute was in the treaty's scope"),
            "estimate": along(found.estimate, "the partners' estimate: 0 irresolute or none, 1 resolute"),
            "resolve_class": along(found.types, "class of each actor's resolve, from 0", "actor"),
            "opened": along(found.opened, "whether a crisis was opened"),
            "choice": along(found.outcome, "what was chosen, or what nature did; -1 after the end", *steps),
            "rung_before": along(rungs, "rung before it; -1 after the end", *steps),
            "support_before": along(supports, "the defender's support before it; -1 after the end", *steps),
            "end": along(_words(ENDS, end), "how it ended"),
            "rung": along(_words(RUNGS, rung), "highest rung reached"),
            "support": along(_words(SUPPORTS, support), "the defender's support at the end"),
            "log_probability": along(found.log_probability, "log of the dispute's probability"),
        },
        coords={
            "actor": ("actor", _words(_MOVERS, np.arange(3))),
            "stage": ("stage", _words(_MOVERS, np.arange(4)), {"long_name": "who moves"}),
        },
    )
    data.attrs = {
        "title": given.study.title or "Disputes given an outcome",
        "pact": given.pact,
        "outcome": given.outcome,
        "meaning": _EVENTS[given.outcome].meaning,
        "probability": given.probability,
        "seed": str(given.study.simulation.seed),
        "fingerprint": given.study.fingerprint,
        "source": f"entangle {provenance.package_version()}, conditioned by the committor",
    }
    return data


def _words(names: tuple[str, ...], index: Any) -> np.ndarray[Any, Any]:
    found: np.ndarray[Any, Any] = np.array(names, dtype=object)[index]
    return found
