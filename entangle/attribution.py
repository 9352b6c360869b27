"""What the promise caused and what it prevented, trajectory by trajectory.

Every simulated dispute is played again on the same random words in a world that differs in one thing: the
protégé's own no-pact policy (what then does not happen, emboldenment caused), the defender's own
no-pact policy (the promise caused), or no pact at all. An event is *caused* where it happened under the pact
and not in the other world, *averted* where it is the other way round. Caused less averted is the difference
of two probabilities and depends on nothing else; how it splits depends on which luck the two worlds share.
Bounds that hold for any coupling of the two stand beside it (Fréchet 1951, Ann. Univ. Lyon A 14: 53-77).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import xarray as xr

from entangle.estimators import Joint, paired, wilson
from entangle.outcomes import OUTCOMES
from entangle.questions import Counts, joint, outcomes_alone
from entangle_kernels import exact, worlds
from entangle_kernels.crisis import Rivals
from entangle_kernels.game import Floats
from entangle_kernels.quantise import digest

if TYPE_CHECKING:
    from entangle.engine import Tally
    from entangle.solving import Prepared

#: The other worlds, by what is taken away: the protégé's policy under the pact, the defender's, everything.
COUNTERFACTUALS: Final = ("emboldenment", "obligation", "pact")
#: What has a name of its own: what is taken away, and the event that it caused.
NAMED: Final = {
    "entanglement": ("obligation", "defender_fights"),
    "entrapment": ("emboldenment", "defender_fights"),
}
_MEANINGS: Final = (
    "the protégé's own no-pact policy",
    "the defender's own no-pact policy",
    "no pact at all",
)


@dataclass(frozen=True)
class Side:
    """How often an outcome came about in one world and not in the other.

    Parameters
    ----------
    probability, lower, upper
        Share of the simulated disputes, and its interval; not a number if nothing was simulated.
    count
        Disputes in which it was so.
    least, most
        Exact bounds of its probability that hold for any coupling of the two worlds.
    """

    probability: float
    lower: float
    upper: float
    count: int
    least: float
    most: float


@dataclass(frozen=True)
class Attribution:
    """What one thing about a pact did to an outcome, dispute by dispute on the same luck.

    Parameters
    ----------
    caused, averted
        It happened with it and not without; without it and not with it.
    net, net_lower, net_upper
        Caused less averted, with its paired interval; the exact value if nothing was simulated.
    net_exact
        The same, exactly: it does not depend on the coupling.
    outcome, without, instead
        What happened or not; what the other world is without, and what it has instead.
    """

    caused: Side
    averted: Side
    net: float
    net_lower: float
    net_upper: float
    net_exact: float
    outcome: str
    without: str
    instead: str

    def __repr__(self) -> str:
        """Return the attribution in a line."""
        sides = ", ".join(
            f"{name} {side.count:,} = {side.probability:.4g} [{side.lower:.4g}, {side.upper:.4g}] "
            f"(any coupling: {side.least:.4g} to {side.most:.4g})"
            for name, side in (("caused", self.caused), ("averted", self.averted))
        )
        return (
            f"Attribution({self.outcome}, against {self.instead}: {sides}, net exactly {self.net_exact:.4g})"
        )


class Marginals(NamedTuple):
    """Exact probability per dispute that each outcome happens.

    Parameters
    ----------
    fact
        Under each pact, shape (pacts, outcomes).
    other
        In each of the other worlds, shape (pacts, counterfactuals, outcomes).
    none
        Which world of the plan is no pact at all; the pacts are its first.
    """

    fact: Floats
    other: Floats
    none: int


def rivals(pact: Prepared, empty: Prepared) -> Rivals | None:
    """Return the pact with the protégé's, and with the defender's no-pact policy; None if it is no pact."""
    if digest(pact.tables) == digest(empty.tables):
        return None
    unmoved = pact.world(empty, worlds.FULL & ~worlds.EMBOLDENMENT)
    unbound = pact.world(empty, worlds.FULL & ~worlds.OBLIGATION)
    return Rivals(
        pact.tables._replace(cut=unmoved.cut, enter=unmoved.enter), pact.tables._replace(cut=unbound.cut)
    )


def marginals(
    pacts: Mapping[str, Prepared], empty: Prepared, others: Mapping[str, Rivals | None], *, none: int
) -> Marginals:
    """Return the exact probabilities that bound what was caused and averted."""
    nothing = _events(empty.exact)
    fact = np.array([_events(pact.exact) for pact in pacts.values()])
    other = []
    for own, name in zip(fact, pacts, strict=True):
        pair = others[name] or ()
        found = [_events(exact.probabilities(rival)) for rival in pair]
        other.append([*(found or [own, own]), nothing])
    return Marginals(fact, np.array(other), none)


def variables(known: Marginals, confidence: float, tally: Tally | None) -> dict[str, xr.Variable]:
    """Return the variables of a result that say what was caused and averted.

    Parameters
    ----------
    tally
        Counts of the plan's worlds; None if nothing was simulated.
    """
    found: dict[str, xr.Variable] = {}
    dims = ("pact", "counterfactual", "outcome")

    def put(name: str, values: Floats | Counts, text: str) -> None:
        found[name] = xr.Variable(dims, values, {"long_name": text, "units": "1"})

    fact, other = np.broadcast_arrays(known.fact[:, np.newaxis], known.other)
    put("counterfactual_exact", known.other, "exact probability of the outcome in the other world")
    put("net_exact", fact - other, "exact difference that the channel makes to the outcome's probability")
    sides = {"caused": (fact, other), "averted": (other, fact)}
    for name, (here, there) in sides.items():
        text = f"exact bound, for any coupling, of the probability that the outcome was {name}"
        put(f"{name}_least", np.maximum(here - there, 0.0), f"lower {text}")
        put(f"{name}_most", np.minimum(here, 1.0 - there), f"upper {text}")
    if tally is None:
        return found
    pacts = len(known.fact)
    happened = np.array([_events(table) for table in tally.counts])
    counts = _changed(tally, happened, pacts, known.none)
    number = np.full(counts[0].shape, tally.trajectories)
    for name, count in zip(sides, counts, strict=True):
        lower, upper = wilson(count, number, confidence=confidence)
        put(f"{name}_count", count, f"simulated disputes in which the outcome was {name}")
        put(f"{name}_probability", count / number, f"share of disputes in which the outcome was {name}")
        put(f"{name}_lower", lower, f"lower end of the interval of {name}_probability")
        put(f"{name}_upper", upper, f"upper end of the interval of {name}_probability")
    caused, averted = counts
    happened = np.broadcast_to(happened[:pacts, np.newaxis], caused.shape)
    difference = paired(
        Joint(
            first=happened,
            second=happened - caused + averted,
            first_trials=number,
            second_trials=number,
            both=happened - caused,
            first_in_second=happened,
            second_in_first=happened - caused + averted,
            both_trials=number,
        ),
        confidence=confidence,
    )
    put("net_probability", (caused - averted) / number, "caused_probability less averted_probability")
    put(
        "net_lower",
        difference.difference_interval.lower,
        "lower end of the paired interval of net_probability",
    )
    put(
        "net_upper",
        difference.difference_interval.upper,
        "upper end of the paired interval of net_probability",
    )
    return found


def coordinates() -> dict[str, xr.Variable]:
    """Return the coordinates of the other worlds."""
    names, texts = (np.array(words, dtype=object) for words in (COUNTERFACTUALS, _MEANINGS))
    return {
        "counterfactual": xr.Variable(
            "counterfactual", names, {"long_name": "what the other world is without"}
        ),
        "instead": xr.Variable("counterfactual", texts, {"long_name": "what the other world has instead"}),
    }


def read(cell: xr.Dataset, *, simulated: bool) -> Attribution:
    """Return one pact's, outcome's and other world's attribution from a result's data."""
    nan = float("nan")

    def number(name: str, otherwise: float = nan) -> Any:
        return cell[name].item() if simulated or name.endswith(("least", "most")) else otherwise

    def side(name: str) -> Side:
        parts = ("probability", "lower", "upper", "least", "most")
        return Side(**{part: number(f"{name}_{part}") for part in parts}, count=number(f"{name}_count", 0))

    exactly = cell.net_exact.item()
    return Attribution(
        caused=side("caused"),
        averted=side("averted"),
        net=number("net_probability", exactly),
        net_lower=number("net_lower", exactly),
        net_upper=number("net_upper", exactly),
        net_exact=exactly,
        outcome=str(cell.outcome.item()),
        without=str(cell.counterfactual.item()),
        instead=str(cell.instead.item()),
    )


def other_worlds(data: xr.Dataset) -> tuple[xr.DataArray, xr.DataArray, xr.DataArray]:
    """Return the counts that the other worlds must have had, their trials, and their exact probabilities."""
    counted = data["count"] - data.caused_count + data.averted_count
    counted = counted.transpose(*data.caused_count.dims)
    return counted, xr.full_like(counted, int(data.attrs["trajectories"])), data.counterfactual_exact


def _changed(tally: Tally, happened: Counts, pacts: int, none: int) -> tuple[Counts, Counts]:
    """Return what was caused and what was averted, each of shape (pacts, counterfactuals, outcomes)."""
    own = outcomes_alone(tally.changed[:pacts])  # (pacts, rivals, caused or averted, outcomes)
    shared = joint(tally.shared, tally.counts).both[:pacts, none]
    whole = np.stack([happened[:pacts] - shared, happened[none] - shared], axis=1)
    caused, averted = np.moveaxis(np.concatenate([own, whole[:, np.newaxis]], axis=1), 2, 0)
    return caused, averted


def _events(cells: Floats | Counts) -> list[float] | list[int]:
    return [cells[outcome.event].sum().item() for outcome in OUTCOMES]
