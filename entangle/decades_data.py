"""From counted histories to a labelled table: probabilities by year and horizon, with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import xarray as xr

from entangle import metadata, provenance
from entangle.decades import BLOCK, RULES, Histories
from entangle.estimators import Joint, clustered, normal, paired, wilson
from entangle.expectations import EVENTS, QUANTITIES
from entangle.outcomes import OUTCOMES
from entangle.outlook import burdens
from entangle.questions import GIVEN, Counts
from entangle.vocabulary import CAUSES, RUNGS, SEATS, STATUS
from entangle_kernels.census import BINS, REACH, UNIT, Census
from entangle_kernels.game import Floats

if TYPE_CHECKING:
    from entangle.study import Study

LEVELS: Final = (*(f"capability_{seat}" for seat in SEATS), *(f"effort_{seat}" for seat in SEATS), "belief")
QUANTILES: Final = (0.05, 0.25, 0.5, 0.75, 0.95)

#: The two kinds of events: which bits of a word they are, and what their variables are called.
_KINDS: Final = (
    ("outcome", "", slice(0, len(OUTCOMES))),
    ("rung", "rung_", slice(len(OUTCOMES), len(EVENTS))),
)
_MEANINGS: Final = (
    "with the protégé's own no-pact policy in the same dispute",
    "with the defender's own no-pact policy in the same dispute",
)


def tabulated(study: Study, counted: Histories, *, seed: int) -> xr.Dataset:
    """Return everything that was counted as a labelled table; see :class:`entangle.Decades`."""
    table = _Table(study, counted)
    table.events()
    table.given()
    table.changed()
    table.horizon()
    table.life()
    table.levels()
    table.prices()
    table.contexts()
    return table.labelled(seed)


class _Table:
    """The variables of the table, one group after the other."""

    def __init__(self, study: Study, counted: Histories) -> None:
        self.study = study
        self.counted = counted
        self.n = counted.number
        self.confidence = study.simulation.confidence
        self.counts = counted.part.counts[: len(study.pacts)]
        self.found: dict[str, tuple[Sequence[str], Any, dict[str, str]]] = {}

    def put(self, name: str, dims: Sequence[str], values: Any, text: str, units: str = "1") -> None:
        self.found[name] = dims, values, {"long_name": text, "units": units}

    def share(
        self, name: str, dims: Sequence[str], count: Counts, trials: Any, text: str, *, of: str = "histories"
    ) -> None:
        """Put a count, its share of the trials, and the share's interval."""
        trials = np.broadcast_to(trials, count.shape)
        lower, upper = wilson(count, trials, confidence=self.confidence)
        shares = np.full(count.shape, np.nan)
        np.divide(count, trials, out=shares, where=trials > 0)
        self.put(f"{name}_count", dims, count, f"{of} in which {text}")
        self.put(f"{name}_probability", dims, shares, f"share of {of} in which {text}")
        self.put(f"{name}_lower", dims, lower, f"lower end of the interval of {name}_probability")
        self.put(f"{name}_upper", dims, upper, f"upper end of the interval of {name}_probability")

    def _stack(self, field: str) -> Any:
        return np.array([getattr(own, field) for own in self.counts])

    # -- how likely what is --------------------------------------------------------------------------

    def events(self) -> None:
        """Put how often every outcome and rung came about, and what was to be expected."""
        yearly, firsts = self._stack("happened"), self._stack("firsts")
        for dim, prefix, bits in _KINDS:
            dims = ("pact", "year", dim)
            what = "the dispute reaches at least the rung" if prefix else "the outcome happens"
            for name, count, expected, text in (
                ("yearly", yearly[..., bits], self._stack("yearly")[..., bits], f"{what} in the year"),
                (
                    "ever",
                    firsts[..., bits].cumsum(axis=1),
                    self._stack("passage")[..., bits].cumsum(axis=2),
                    f"{what} by the end of the year",
                ),
            ):
                self.share(prefix + name, dims, count, self.n, text)
                self._expected(prefix + name, dims, expected, text)

    def _expected(self, name: str, dims: Sequence[str], sums: Floats, text: str) -> None:
        """Put the conditional estimate of a probability, shape (pacts, 2 moments, ...), and what it saves."""
        mean, error, variance = self._moments(sums)
        lower, upper = normal(mean, error, confidence=self.confidence, least=0.0, most=1.0)
        self.put(f"{name}_expected", dims, mean, f"conditional estimate of the probability that {text}")
        self.put(f"{name}_expected_error", dims, error, f"standard error of {name}_expected")
        self.put(f"{name}_expected_lower", dims, lower, f"lower end of the interval of {name}_expected")
        self.put(f"{name}_expected_upper", dims, upper, f"upper end of the interval of {name}_expected")
        counting = mean * (1.0 - mean)
        saved = np.full(mean.shape, np.nan)
        np.divide(counting - variance, counting, out=saved, where=counting > 0)
        self.put(
            f"{name}_variance_saved",
            dims,
            saved,
            f"share of the variance of counting that {name}_expected does without",
        )

    def _moments(self, sums: Floats) -> tuple[Floats, Floats, Floats]:
        """Return mean, standard error and variance from sums and sums of squares on the second axis."""
        mean = sums[:, 0] / self.n
        variance = np.maximum(sums[:, 1] / self.n - mean**2, 0.0)
        return mean, np.sqrt(variance / self.n), variance

    def given(self) -> None:
        """Put how often every outcome came about where its condition held."""
        bits = _KINDS[0][2]
        happened, held = self._stack("happened")[..., bits], self._stack("held")[..., bits]
        dims = ("pact", "year", "outcome")
        self.put("given_trials", dims, held, "disputes of the year in which the outcome's condition held")
        self.share(
            "given", dims, happened, held, "the outcome happens", of="disputes where its condition held"
        )
        pooled = np.moveaxis(self._stack("pooled"), -1, 0)
        share, (lower, upper) = clustered(*pooled, confidence=self.confidence)

        def everywhere(values: Any) -> Floats:
            """Return what is known of outcomes that have a condition, not a number for the others."""
            whole = np.full((len(self.counts), len(OUTCOMES)), np.nan)
            whole[:, GIVEN] = values
            return whole

        text = "where its condition held, over the whole horizon; only for outcomes that have a condition"
        for name, values, what in (
            ("pooled_count", pooled[0], f"disputes with the outcome {text}"),
            ("pooled_trials", pooled[1], f"disputes {text}"),
            ("pooled_probability", share, f"share of disputes with the outcome {text}"),
            ("pooled_lower", lower, "lower end of the interval of pooled_probability"),
            ("pooled_upper", upper, "upper end of the interval of pooled_probability"),
        ):
            self.put(name, ("pact", "outcome"), everywhere(values), what)

        strength = self._stack("strength")
        promised = np.full(strength[:, 0].shape, np.nan)
        owes = np.array([self.counted.solved[name].owes for name in self.study.pacts])
        in_force = owes[:, np.newaxis] & (strength[:, 1] > 0)
        np.divide(strength[:, 0], strength[:, 1], out=promised, where=in_force)
        self.put(
            "promise_strength",
            ("pact", "year"),
            promised,
            "probability that help would be given if it came to be owed, over all pacts in force",
        )

    def changed(self) -> None:
        """Put how often the partners' changed policies caused and averted what happened, crisis by crisis."""
        bits = _KINDS[0][2]
        dims = ("pact", "counterfactual", "year", "outcome")
        for name, counts, text in (
            ("yearly", self._stack("changed"), "in the year"),
            ("ever", self._stack("changed_firsts").cumsum(axis=1), "by the end of the year"),
        ):
            # (pact, year, rule, side, bit) to (side, pact, rule, year, outcome)
            sides = counts[..., bits].transpose(3, 0, 2, 1, 4)
            for side, count, what in zip(
                ("caused", "averted"),
                sides,
                ("happens, and would not", "does not happen, and would"),
                strict=True,
            ):
                self.share(f"{name}_{side}", dims, count, self.n, f"it {what} otherwise, {text}")

    def horizon(self) -> None:
        """Put histories side by side: of two pacts, and of a pact and none, with the same luck throughout."""
        pacts, none = len(self.counts), self.counted.none
        both = self.counted.part.shared[:, :, _KINDS[0][2]]
        diagonal = np.einsum("iio->io", both).copy()
        both = both + both.swapaxes(0, 1)
        both[np.arange(len(both)), np.arange(len(both))] = diagonal
        self.put(
            "ever_joint",
            ("pact", "versus", "outcome"),
            both[:pacts, :pacts],
            "histories in which the outcome happens within the horizon under both pacts, with the same luck",
        )
        mine, theirs, shared = (
            diagonal[:pacts],
            np.broadcast_to(diagonal[none], (pacts, len(OUTCOMES))),
            both[:pacts, none],
        )
        dims = ("pact", "outcome")
        self.share(
            "horizon_caused",
            dims,
            mine - shared,
            self.n,
            "it happens within the horizon, and would not without any pact",
        )
        self.share(
            "horizon_averted",
            dims,
            theirs - shared,
            self.n,
            "it does not happen within the horizon, and would without any pact",
        )
        trials = np.full(mine.shape, self.n)
        difference = paired(
            Joint(
                first=mine,
                second=theirs,
                first_trials=trials,
                second_trials=trials,
                both=shared,
                first_in_second=mine,
                second_in_first=theirs,
                both_trials=trials,
            ),
            confidence=self.confidence,
        )
        text = "difference that the pact makes to the probability of the outcome within the horizon"
        self.put("horizon_net", dims, difference.difference, text)
        self.put(
            "horizon_net_lower",
            dims,
            difference.difference_interval.lower,
            f"lower end of the paired interval of the {text}",
        )
        self.put(
            "horizon_net_upper",
            dims,
            difference.difference_interval.upper,
            f"upper end of the paired interval of the {text}",
        )

    # -- the pact, strengths and prices --------------------------------------------------------------

    def life(self) -> None:
        """Put where the pact stands, and why it has ended."""
        dims = ("pact", "year")
        disputes = self._stack("held")[..., EVENTS.index("crisis")]
        self.put("disputes", dims, disputes / self.n, "disputes in the year, on average")
        self.share(
            "status",
            (*dims, "status"),
            self._stack("status"),
            self.n,
            "the pact stands so at the end of the year",
        )
        self.share(
            "ended_by",
            (*dims, "cause"),
            self._stack("causes"),
            self.n,
            "the pact has ended for this cause by the end of the year",
        )

    def levels(self) -> None:
        """Put how strengths, efforts and belief spread, and what the pact does to their means."""
        dims = ("pact", "year", "level")
        sums = self._stack("sums").transpose(0, 2, 1, 3) / UNIT / self.n  # (pact, year, level, moment)
        mean, square = sums[..., 0], sums[..., 1]
        variance = np.maximum(square - mean**2, 0.0)
        quantiles = np.array([_quantiles(own, self.n) for own in self.counts])
        text = "log of capability or effort relative to the start, or log odds of belief"
        self.put("level_mean", dims, mean, f"mean of the {text}")
        self.put("level_sd", dims, np.sqrt(variance), f"standard deviation over histories of the {text}")
        self.put("level_quantile", (*dims, "quantile"), quantiles, f"quantile of the {text}")
        none = self.counted.part.counts[self.counted.none].sums.transpose(1, 0, 2) / UNIT / self.n
        product = self.counted.part.products[: len(self.counts)].swapaxes(1, 2) / UNIT / self.n
        difference = mean - none[..., 0]
        spread = square + none[..., 1] - 2.0 * product - difference**2
        error = np.sqrt(np.maximum(spread, 0.0) / self.n)
        lower, upper = normal(difference, error, confidence=self.confidence)
        self.put("level_gain", dims, difference, f"mean less that without any pact, of the {text}")
        self.put("level_gain_lower", dims, lower, "lower end of the paired interval of level_gain")
        self.put("level_gain_upper", dims, upper, "upper end of the paired interval of level_gain")
        seats = self.study.scenario.challenger, self.study.scenario.protege, self.study.scenario.defender
        effort = np.array([self.study.actors[name].effort for name in seats])
        first = LEVELS.index("effort_challenger")
        shares = effort[:, np.newaxis] * np.exp(quantiles[:, :, first : first + 3])
        self.put(
            "effort_quantile",
            ("pact", "year", "actor", "quantile"),
            shares,
            "quantile of defence effort, as a share of GDP",
        )

    def prices(self) -> None:
        """Put what crises and the pact cost, and what autonomy it takes from the defender."""
        dims = ("pact", "year", "actor")
        yearly = self._stack("yearly")
        first = QUANTITIES.index("cost_challenger")
        mean, error, _ = self._moments(yearly[..., first : first + 3])
        lower, upper = normal(mean, error, confidence=self.confidence, least=0.0)
        self.put("cost", dims, mean, "expected cost of the year's crises to the actor, in units of the stake")
        self.put("cost_lower", dims, lower, "lower end of the interval of cost")
        self.put("cost_upper", dims, upper, "upper end of the interval of cost")
        in_force = self._stack("status")[..., STATUS.index("in_force")] / self.n
        # in force during a year is what was in force at the end of the year before
        start = np.array([[float(not pact.is_empty)] for pact in self.study.pacts.values()])
        during = np.concatenate([start, in_force[:, :-1]], axis=1)
        burden = np.array([burdens(self.counted.solved[name]) for name in self.study.pacts])
        self.put(
            "burden",
            dims,
            during[..., np.newaxis] * burden[:, np.newaxis],
            "cost of keeping the pact in the year, in units of the stake",
        )
        decided, distance = (yearly[:, 0, :, QUANTITIES.index(name)] for name in ("decisions", "distance"))
        lost = np.full(decided.shape, np.nan)
        np.divide(distance, decided, out=lost, where=decided > 0)
        self.put(
            "decisions",
            dims[:2],
            decided / self.n,
            "decisions that the defender is expected to face in the year's crises",
        )
        self.put(
            "autonomy_lost",
            dims[:2],
            lost,
            "mean total-variation distance of the defender's decisions from its own no-pact policy",
        )

    def contexts(self) -> None:
        """Put how finely crises were solved."""
        solved = [self.counted.solved[name] for name in self.study.pacts]
        self.put(
            "context_error",
            ("pact",),
            np.array([own.error for own in solved]),
            "largest error of an outcome's probability between the contexts that were solved",
        )
        self.put(
            "contexts",
            ("pact",),
            np.array([2 * len(own.grid.points) for own in solved]),
            "contexts solved: with the pact and without",
        )
        self.put(
            "contexts_borrowed",
            ("pact",),
            np.array([own.borrowed for own in solved]),
            "contexts in which no equilibrium was found, and play is that of the next context inwards",
        )

    # -- labels --------------------------------------------------------------------------------------

    def labelled(self, seed: int) -> xr.Dataset:
        """Return the table."""
        study = self.study
        coords = {
            "pact": ("pact", _words(study.pacts)),
            "versus": ("versus", _words(study.pacts)),
            "year": (
                "year",
                np.arange(1, study.peacetime.years + 1),
                {"units": "year", "long_name": "year of the history"},
            ),
            "outcome": ("outcome", _words(outcome.name for outcome in OUTCOMES)),
            "meaning": ("outcome", _words(outcome.meaning for outcome in OUTCOMES)),
            "given": ("outcome", _words(outcome.given for outcome in OUTCOMES)),
            "rung": ("rung", _words(RUNGS)),
            "counterfactual": ("counterfactual", _words(RULES)),
            "instead": ("counterfactual", _words(_MEANINGS)),
            "status": ("status", _words(STATUS)),
            "cause": ("cause", _words(CAUSES)),
            "actor": ("actor", _words(SEATS)),
            "level": ("level", _words(LEVELS)),
            "quantile": ("quantile", np.array(QUANTILES)),
        }
        told, together = self.counted.digests.told()
        self.found["histories_digest"] = (
            ("stretch",),
            told[:, 0],
            {"long_name": "digest of what the histories of the stretch add up to"},
        )
        data = xr.Dataset(self.found, coords)
        data = data.assign_coords(first=metadata.first_of(data, "histories", BLOCK * together))
        data = metadata.described(data)
        data.attrs = provenance.attributes(
            study.replace(simulation=study.simulation.replace(seed=seed)), data, histories=self.n
        )
        return data


def _quantiles(count: Census, histories: int) -> Floats:
    """Return the quantiles of the levels, shape (years, levels, quantiles), linear within a bin."""
    width = 2.0 * REACH / BINS
    below = np.cumsum(count.bins, axis=2)
    found = np.empty((*below.shape[:2], len(QUANTILES)))
    for at in np.ndindex(*below.shape[:2]):
        for i, share in enumerate(QUANTILES):
            place = int(np.searchsorted(below[at], share * histories))
            before = below[at][place - 1] if place else 0
            inside = (share * histories - before) / max(int(count.bins[at][place]), 1)
            found[(*at, i)] = -REACH + width * (place + inside)
    return found.swapaxes(0, 1)


def _words(names: Any) -> Any:
    return np.array(list(names), dtype=object)
