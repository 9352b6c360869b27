"""Results: labelled tables of crisis risks that say what made them."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Final

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from entangle import attribution
from entangle.attribution import Attribution
from entangle.comparison import Comparison, compare
from entangle.errors import DisagreementWarning, ReproducibilityWarning, ResultError
from entangle.estimators import clopper_pearson
from entangle.labels import pick
from entangle.saved import Saved

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from distributed import Client
    from matplotlib.axes import Axes

    from entangle.replay import Replay

#: What the short views show.
_HEADLINES: Final = ("challenge", "war", "defender_fights", "abandonment", "nuclear_use")


#: An exact probability outside the interval at this confidence is a fault, not bad luck.
_ALARM: Final = 1 - 1e-9


@dataclass(frozen=True)
class Estimate:
    """The probability of one outcome under one pact.

    Parameters
    ----------
    probability
        Share of the trials in which it happened; without trials the exact probability if nothing was
        simulated, otherwise not a number.
    lower, upper
        Ends of the interval at the study's confidence; equal if nothing was simulated.
    count, trials
        Simulated disputes in which it happened, and in which the condition held.
    exact
        Exact probability; not a number if the condition cannot hold.
    given
        What it is conditional on.
    """

    probability: float
    lower: float
    upper: float
    count: int
    trials: int
    exact: float
    given: str

    def __repr__(self) -> str:
        """Return the estimate in a line."""
        if self.trials == 0 and self.lower == self.upper:
            return f"Estimate(exact {self.exact:.6g}, given {self.given})"
        return (
            f"Estimate({self.probability:.6g} [{self.lower:.6g}, {self.upper:.6g}], "
            f"{self.count:,} of {self.trials:,}, exact {self.exact:.6g}, given {self.given})"
        )


class Result(Saved):
    """Crisis risks under each pact of a study.

    :attr:`data` holds, for every pact and outcome, ``probability`` (count / trials) with ``lower`` and
    ``upper``, ``count``, ``trials`` and ``exact``; what each outcome is conditional on stands in the
    coordinate ``given``. An outcome whose condition never occurred has no probability (not a number) and the
    interval [0, 1]. If nothing was simulated, ``probability``, ``lower`` and ``upper`` are the exact value.

    For the rungs of the ladder, counted as "at least that rung", the same numbers are called
    ``rung_probability``, ``rung_lower``, ``rung_upper``, ``rung_count``, ``rung_trials`` and ``rung_exact``,
    since a dataset cannot hold a variable ``rung`` of another shape than its coordinate ``rung``; the
    method :meth:`rung` answers for one of them. ``cells`` and ``cells_exact`` keep every way in which a
    dispute can end, so that other questions can be asked of a file later.

    Parameters
    ----------
    data
        The labelled table, as the engine or :meth:`load` made it.
    """

    kind = "disputes"

    # -- asking ----------------------------------------------------------------------------------

    def probability(self, pact: str, outcome: str) -> Estimate:
        """Return the probability of `outcome` under `pact`.

        "entanglement" and "entrapment" are known by counting alone: their exact value is not a number.

        Raises
        ------
        ResultError
            If there is no such pact or outcome; names the nearest one.
        """
        if outcome in attribution.NAMED:
            without, event = attribution.NAMED[outcome]
            caused = self.attribution(pact, event, without=without).caused
            counted = caused.probability, caused.lower, caused.upper, caused.count
            return Estimate(*counted, trials=self.trajectories, exact=math.nan, given="a dispute")
        return self._estimate(pact, "outcome", outcome, "")

    def attribution(
        self, pact: str, outcome: str = "defender_fights", *, without: str = "obligation"
    ) -> Attribution:
        """Return how often the pact caused and averted `outcome`, dispute by dispute on the same luck.

        Parameters
        ----------
        pact, outcome
            Labels of the result.
        without
            What the other world is without: "obligation" (the defender's own no-pact policy), "emboldenment"
            (the protégé's), or "pact" (no pact at all).

        Raises
        ------
        ResultError
            If there is no such label, or the result was made without attribution.
        """
        self._must_be_attributed()
        labels = {"pact": pact, "outcome": outcome, "counterfactual": without}
        for coordinate, asked in labels.items():
            pick(self.data, coordinate, asked)
        return attribution.read(self.data.sel(labels), simulated=self.simulated)

    def entanglement(self, pact: str) -> Attribution:
        """Return the defender's wars that its own no-pact policy would not have fought, and the reverse."""
        return self.attribution(pact, without="obligation")

    def entrapment(self, pact: str) -> Attribution:
        """Return the defender's wars that the protégé's own no-pact policy would not have brought about."""
        return self.attribution(pact, without="emboldenment")

    def compare(self, first: str, second: str) -> Comparison:
        """Compare two pacts trajectory by trajectory, on common random words.

        Raises
        ------
        ResultError
            If there is no such pact, or nothing was simulated, or without attribution.
        """
        for pact in (first, second):
            pick(self.data, "pact", pact)
        if not self.simulated:
            raise ResultError("Nothing was simulated, so there are no pairs to compare: use Study.run().")
        self._must_be_attributed()
        return Comparison(compare(self.data, first, second))

    def find(self, outcome: str, *, n: int = 1, pact: str | None = None) -> NDArray[np.uint64]:
        """Return the first `n` trajectories that had `outcome`, or all there are; for :meth:`replay`.

        Parameters
        ----------
        outcome
            An outcome, a rung that was reached, or "entanglement" or "entrapment".
        pact
            Name of the pact; the first that is not empty if not given.

        Raises
        ------
        ResultError
            If there is no such outcome or pact, or nothing was simulated.
        """
        from entangle.find import find

        return find(self, outcome, n=n, pact=pact)

    def replay(self, trajectory: int, *, pact: str | None = None) -> Replay:
        """Play one trajectory again, move by move, under the pact and without it.

        Parameters
        ----------
        trajectory
            Index of the trajectory, from 0.
        pact
            Name of the pact; the first that is not empty if not given.

        Returns
        -------
        Replay
            With ``story()`` to read, and every step as labelled ``data``.

        Raises
        ------
        ResultError
            If there is no such trajectory or pact, or nothing was simulated.

        Warns
        -----
        ReproducibilityWarning
            If the solved pact or the use of random numbers differs from that which made the result.
        """
        from entangle.replay import from_result

        return from_result(self, trajectory, pact)

    @property
    def attributed(self) -> bool:
        """Whether trajectories were compared between pacts, and with what would have been without."""
        return "counterfactual" in self.data.dims

    def rung(self, pact: str, rung: str) -> Estimate:
        """Return the probability that a dispute reaches at least `rung` under `pact`.

        Raises
        ------
        ResultError
            If there is no such pact or rung; names the nearest one.
        """
        return self._estimate(pact, "rung", rung, "rung_")

    @property
    def simulated(self) -> bool:
        """Whether anything was simulated; otherwise the result is exact alone."""
        return bool(self.data.attrs["method"] == "simulated")

    @property
    def trajectories(self) -> int:
        """Disputes simulated for each pact."""
        return int(self.data.attrs["trajectories"])

    def agreement(self, level: float = 0.9999) -> xr.Dataset:
        """Return whether each exact probability lies in the interval of its count.

        The interval is that of Clopper and Pearson, so that a right simulator fails each comparison with
        a chance of at most ``1 - level``, however rare the outcome. Where nothing was tried there
        is nothing to disagree on.

        Parameters
        ----------
        level
            Confidence of each interval.

        Returns
        -------
        xarray.Dataset
            Truth values `probability`, shape (pacts, outcomes), `rung_probability`, shape (pacts, rungs),
            and, where trajectories were attributed, `other_world`, shape (pacts, counterfactuals, outcomes):
            whether the counts that the other worlds must have had agree with their exact probabilities.

        Raises
        ------
        ResultError
            If nothing was simulated.
        """
        if not self.simulated:
            raise ResultError("Nothing was simulated, so there is nothing to compare: use Study.run().")
        compared = {
            f"{prefix}probability": tuple(self.data[prefix + name] for name in ("count", "trials", "exact"))
            for prefix in ("", "rung_")
        }
        if self.attributed:
            compared["other_world"] = attribution.other_worlds(self.data)
        found = {}
        for name, (count, trials, exact) in compared.items():
            lower, upper = clopper_pearson(count.values, trials.values, confidence=level)
            # not a number lies in no interval: trials where the exact pass saw none do disagree
            inside = (exact.values >= lower) & (exact.values <= upper) | (trials.values == 0)
            found[name] = (count.dims, inside)
        kept = [name for name in ("pact", "outcome", "rung", "counterfactual") if name in self.data.coords]
        return xr.Dataset(found, coords={name: self.data[name] for name in kept})

    def disagreements(self) -> list[str]:
        """Return where counts contradict exact probabilities (chance below 1e-9 each if all is well)."""
        inside = self.agreement(_ALARM)
        return [
            ": ".join(str(inside[name][i].item()) for name, i in zip(variable.dims, place, strict=True))
            for variable in inside.values()
            for place in zip(*np.nonzero(~variable.values), strict=True)
        ]

    def warn_of_disagreement(self) -> None:
        """Warn if counts contradict exact probabilities."""
        wrong = self.disagreements()
        if wrong:
            warnings.warn(
                "Counted and exact probabilities contradict each other (chance of that below 1e-9 each): "
                f"{'; '.join(wrong)}. Do not use these numbers, and report the study.",
                DisagreementWarning,
                stacklevel=3,
            )

    # -- showing ---------------------------------------------------------------------------------

    def summary(self) -> str:
        """Return a table of every outcome and rung, in plain text of at most 80 columns."""
        from entangle.tables.summary import as_text

        return as_text(self)

    def plot(self, *, ax: Axes | None = None) -> Axes:
        """Draw how high disputes climb under each pact; see :func:`entangle.plot.ladder`."""
        from entangle.plot import ladder

        return ladder(self, ax=ax)

    def __repr__(self) -> str:
        """Return what this is, in a line."""
        return f"<entangle.Result: {self._title()}; {self._extent()}>"

    def _repr_html_(self) -> str:
        heads = "".join(f"<th>{escape(name.replace('_', ' '))}</th>" for name in _HEADLINES)
        rows = "".join(
            f"<tr><th>{escape(pact)}</th>"
            + "".join(f"<td>{_short(self.probability(pact, name))}</td>" for name in _HEADLINES)
            + "</tr>"
            for pact in map(str, self.data.pact.values)
        )
        return (
            f"<p><b>{escape(self._title())}</b><br>{escape(self._extent())}</p>"
            f"<table><thead><tr><th>pact</th>{heads}</tr></thead><tbody>{rows}</tbody></table>"
            "<p>Everything: <code>.summary()</code>, <code>.data</code>, <code>.plot()</code></p>"
        )

    # -- keeping ---------------------------------------------------------------------------------

    def rerun(self, *, executor: Executor | Client | None = None, workers: int | None = None) -> Result:
        """Make the result again from what it says of itself.

        With the versions that made it, the numbers are the same to the last bit.

        Parameters
        ----------
        executor, workers
            Where to compute; as for :meth:`entangle.Study.run`.

        Warns
        -----
        ReproducibilityWarning
            If the solved pacts or the use of random numbers differ from those that made this result.
        """
        study = self.study
        again = study.run(executor=executor, workers=workers) if self.simulated else study.exact()
        before, after = self.data.table_hash, again.data.table_hash
        changed = [str(name) for name in self.data.pact.values[before.values != after.values]]
        schemes = self.data.attrs["random_scheme"], again.data.attrs["random_scheme"]
        if changed or schemes[0] != schemes[1]:
            what = f"the solved pacts {', '.join(changed)}" if changed else "the use of random numbers"
            warnings.warn(
                f"This is not the same computation: {what} differ from those that made the "
                f"result. It was made with {self.data.attrs['versions']}, and now with "
                f"{again.data.attrs['versions']}.",
                ReproducibilityWarning,
                stacklevel=2,
            )
        return again

    # -- within ----------------------------------------------------------------------------------

    def _estimate(self, pact: str, dimension: str, label: str, prefix: str) -> Estimate:
        pick(self.data, "pact", pact)
        pick(self.data, dimension, label)
        cell = self.data.sel({"pact": pact, dimension: label})
        values = {
            name: cell[prefix + name].item()
            for name in ("probability", "lower", "upper", "count", "trials", "exact")
        }
        return Estimate(**values, given="a dispute" if prefix else str(cell["given"].item()))

    def _must_be_attributed(self) -> None:
        if not self.attributed:
            raise ResultError(
                "Trajectories were not compared when this result was made. Run the study again, with "
                "`attribution` in its table [simulation] left at true."
            )

    def _title(self) -> str:
        return str(self.data.attrs["title"])

    def _extent(self) -> str:
        pacts = self.data.sizes["pact"]
        number = f"{pacts} pact{'s' if pacts != 1 else ''}"
        if not self.simulated:
            return f"{number}, exact probabilities"
        return f"{number}, {self.trajectories:,} simulated disputes for each, seed {self.data.attrs['seed']}"


def _short(estimate: Estimate) -> str:
    value = estimate.probability
    return "–" if math.isnan(value) else f"{100 * np.float64(value):.3g} %"
