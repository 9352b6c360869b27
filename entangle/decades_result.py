"""What decades of years and crises made of each pact: risks by year and horizon, and single histories."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from entangle.errors import ResultError
from entangle.estimators import Joint, paired
from entangle.labels import pick
from entangle.saved import Saved

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from entangle.decades import Timing
    from entangle.history import History


@dataclass(frozen=True)
class Risk:
    """How likely an outcome is to have happened by the end of a year.

    Parameters
    ----------
    probability, lower, upper
        Share of the histories, and its interval.
    count, histories
        Histories in which it happened, and all of them.
    expected, expected_lower, expected_upper
        The conditional estimate of the same probability, and its interval: it has less variance, above all
        where the outcome is rare.
    year
        The year, counted from 1.
    """

    probability: float
    lower: float
    upper: float
    count: int
    histories: int
    expected: float
    expected_lower: float
    expected_upper: float
    year: int

    def __repr__(self) -> str:
        """Return the risk in a line."""
        return (
            f"Risk({self.probability:.6g} [{self.lower:.6g}, {self.upper:.6g}] by the end of year "
            f"{self.year}, "
            f"{self.count:,} of {self.histories:,} histories; conditional {self.expected:.6g} "
            f"[{self.expected_lower:.6g}, {self.expected_upper:.6g}])"
        )


class Decades(Saved):
    """Risks by year and horizon under each pact of a study.

    :attr:`data` holds, by pact, year and outcome (for the rungs of the ladder with the prefix ``rung_``):

    - ``yearly_`` and ``ever_`` (by the end of the year): ``count``, ``probability``, ``lower``, ``upper``,
      the conditional estimate ``expected`` with ``expected_error``, ``expected_lower``,
      ``expected_upper``, and ``variance_saved`` by it;
    - ``given_probability`` with its count, trials and interval: dispute by dispute, where the outcome's
      condition held; ``pooled_probability`` is the same over the whole horizon;
    - ``yearly_caused_``, ``yearly_averted_``, ``ever_caused_``, ``ever_averted_`` (by `counterfactual`):
      what a partner's own no-pact policy would have changed in the same dispute. Entanglement is what is
      caused at "obligation" and "defender_fights", entrapment at "emboldenment";
    - ``horizon_caused_``, ``horizon_averted_``, ``horizon_net``: whole histories against those without any
      pact, on the same luck.

    By pact and year: ``disputes``, ``status_`` and ``ended_by_`` (life of the pact), ``level_mean``,
    ``level_sd``, ``level_quantile`` and ``level_gain`` (against no pact), ``effort_quantile`` [share of GDP],
    ``cost`` of crises and ``burden`` of the pact by actor [stake units], ``decisions`` and ``autonomy_lost``.

    Parameters
    ----------
    data
        The labelled table, as the engine or :meth:`load` made it.
    timing
        Where the time went, if it was made now.
    kept
        Histories that were kept whole, if any; see :meth:`histories`.
    """

    kind = "histories"

    def __init__(
        self, data: xr.Dataset, *, timing: Timing | None = None, kept: xr.Dataset | None = None
    ) -> None:
        super().__init__(data)
        self.timing = timing
        self.kept = kept

    # -- asking ----------------------------------------------------------------------------------

    def risk(self, pact: str, outcome: str, *, year: int | None = None) -> Risk:
        """Return how likely `outcome` is to have happened under `pact` by the end of a year.

        Parameters
        ----------
        outcome
            An outcome, a rung that is reached at least, or "entanglement" or "entrapment", for which there
            is no conditional estimate.
        year
            Counted from 1; the last one if not given.

        Raises
        ------
        ResultError
            If there is no such pact, outcome or year; names the nearest one.
        """
        from entangle.attribution import NAMED

        labels: dict[str, str | int] = {"pact": pick(self.data, "pact", pact), "year": self._year(year)}
        name = "ever_"
        if outcome in NAMED:
            labels["counterfactual"], labels["outcome"] = NAMED[outcome]
            name = "ever_caused_"
        elif outcome in self.data.rung.values:
            labels["rung"], name = outcome, "rung_ever_"
        else:
            labels["outcome"] = pick(self.data, "outcome", outcome)
        cell = self.data.sel(labels)

        def number(what: str) -> float:
            return float(cell[name + what]) if name + what in cell else float("nan")

        return Risk(
            **{
                what: number(what)
                for what in ("probability", "lower", "upper", "expected", "expected_lower", "expected_upper")
            },
            count=int(cell[f"{name}count"]),
            histories=self.number,
            year=int(labels["year"]),
        )

    def compare(self, first: str, second: str) -> xr.Dataset:
        """Compare two pacts over the whole horizon, history by history on the same luck.

        Returns
        -------
        xarray.Dataset
            For every outcome ``first``, ``second`` (shares of histories in which it ever happens),
            ``difference``, ``lower``, ``upper`` (its paired interval) and ``variance_saved`` by the pairing.

        Raises
        ------
        ResultError
            If there is no such pact; names the nearest one.
        """
        one, other = pick(self.data, "pact", first), pick(self.data, "pact", second)
        counts = [self.data.ever_count.isel(year=-1).sel(pact=name).values for name in (one, other)]
        trials = np.full(counts[0].shape, self.number)
        made = paired(
            Joint(
                first=counts[0],
                second=counts[1],
                first_trials=trials,
                second_trials=trials,
                both=self.data.ever_joint.sel(pact=one, versus=other).values,
                first_in_second=counts[0],
                second_in_first=counts[1],
                both_trials=trials,
            ),
            confidence=float(self.data.attrs["confidence"]),
        )
        columns = {
            "first": (counts[0] / trials, f"share of histories in which it ever happens under {one}"),
            "second": (counts[1] / trials, f"share of histories in which it ever happens under {other}"),
            "difference": (made.difference, f"{one} less {other}"),
            "lower": (made.difference_interval.lower, "lower end of the paired interval of the difference"),
            "upper": (made.difference_interval.upper, "upper end of the paired interval of the difference"),
            "variance_saved": (made.saved, "share of the difference's variance saved by common random words"),
        }
        found = {
            name: ("outcome", values, {"long_name": text, "units": "1"})
            for name, (values, text) in columns.items()
        }
        return xr.Dataset(
            found,
            {name: self.data[name] for name in ("outcome", "meaning")},
            {"title": self._title(), "first": one, "second": other, "histories": self.number},
        )

    # -- single histories --------------------------------------------------------------------------

    def histories(self, trajectories: Sequence[int], *, pact: str | None = None) -> xr.Dataset:
        """Return histories whole, year by year; see :meth:`entangle.Study.histories`."""
        return self.study.histories(
            [self._index(trajectory) for trajectory in trajectories], pact=pact, seed=self.seed
        )

    def find(self, outcome: str, *, n: int = 1, pact: str | None = None) -> list[int]:
        """Return the first `n` histories that had `outcome`, or all there are; for :meth:`replay`.

        Parameters
        ----------
        outcome
            An outcome, a rung that was reached, "pact_ended", or a cause for which the pact ended.
        pact
            Name of the pact; the first that is not empty if not given.
        """
        from entangle.history import first_histories

        study = self.study
        name = study.first_pact if pact is None else pick(self.data, "pact", pact)
        return first_histories(study, outcome, n=n, pact=name, seed=self.seed, histories=self.number)

    def replay(self, trajectory: int, *, pact: str | None = None) -> History:
        """Play one history again: its years, its crises move by move, and why the pact ended.

        Parameters
        ----------
        trajectory
            Index of the history, from 0.
        pact
            Name of the pact; the first that is not empty if not given.
        """
        from entangle.history import replay_history

        study = self.study
        name = study.first_pact if pact is None else pick(self.data, "pact", pact)
        return replay_history(study, name, self._index(trajectory), seed=self.seed)

    # -- what made it --------------------------------------------------------------------------------

    @property
    def number(self) -> int:
        """Histories that were played under each pact."""
        return int(self.data.attrs["histories"])

    @property
    def seed(self) -> int:
        """Key of the random numbers."""
        return int(self.data.attrs["seed"])

    # -- showing -------------------------------------------------------------------------------------

    def summary(self) -> str:
        """Return tables of risks, of the pacts' lives and of what they cost, at most 80 columns wide."""
        from entangle.tables.decades import as_text

        return as_text(self)

    def plot(self, kind: str = "risk", *, outcome: str = "war", ax: Axes | None = None) -> Axes:
        """Draw risks that add up over the years, or how long pacts live.

        Parameters
        ----------
        kind
            "risk" (see :func:`entangle.plot.risk`) or "survival" (:func:`entangle.plot.survival`).
        outcome
            Which risk.

        Raises
        ------
        ResultError
            If there is no such picture or outcome, or no pact whose life could be drawn.
        """
        from entangle.plot import risk, survival

        if kind == "survival":
            return survival(self, ax=ax)
        if kind != "risk":
            raise ResultError(f"There is no picture '{kind}'. Use 'risk' or 'survival'.")
        return risk(self, outcome, ax=ax)

    def __repr__(self) -> str:
        """Return what this is, in a line."""
        return f"<entangle.Decades: {self._title()}; {self._extent()}>"

    def _repr_html_(self) -> str:
        return f"<pre>{escape(self.summary())}</pre>"

    # -- within --------------------------------------------------------------------------------------

    def _year(self, year: int | None) -> int:
        last = int(self.data.year.values[-1])
        if year is None:
            return last
        if isinstance(year, bool) or year not in range(1, last + 1):
            raise ResultError(f"The year must be a whole number from 1 to {last}, got {year!r}.")
        return int(year)

    def _index(self, trajectory: int) -> int:
        last = self.number - 1
        if isinstance(trajectory, bool) or trajectory not in range(last + 1):
            raise ResultError(
                f"The history must be a whole number from 0 to {last:,}, got {trajectory!r}. "
                "Decades.find() gives the histories in which an outcome happened."
            )
        return int(trajectory)

    def _title(self) -> str:
        return str(self.data.attrs["title"])

    def _extent(self) -> str:
        pacts, years = self.data.sizes["pact"], self.data.sizes["year"]
        return (
            f"{pacts} pact{'s' if pacts != 1 else ''}, {self.number:,} histories of {years} "
            f"year{'s' if years != 1 else ''} for each, seed {self.seed}"
        )
