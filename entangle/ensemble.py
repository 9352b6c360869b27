"""What draws of the parameters made of a study: how far its numbers depend on what nobody knows exactly."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from entangle import metadata, provenance
from entangle.drawn import COUNTED, Found, Points, at_points, names, study_at
from entangle.errors import ReproducibilityWarning, ResultError
from entangle.estimators import clopper_pearson, wilson
from entangle.labels import pick
from entangle.saved import Saved
from entangle.two_levels import RANGE, Floats, Split, split, variance

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from distributed import Client
    from matplotlib.axes import Axes

    from entangle.study import Study

#: What the variables of a drawn parameter begin with.
DRAWN: Final = "drawn_"
#: Probabilities nearer to each other than this count as the same: games are solved to about so much.
SAME: Final = 1e-9
#: How a file says that it is one of these.
METHOD: Final = "draws"

#: An exact probability outside the interval at this confidence is a fault, not bad luck.
_ALARM: Final = 1 - 1e-9
_COVERING: Final = f"{100 * (RANGE[1] - RANGE[0]):.3g} %"
_TEXTS: Final = {
    "mean": "mean over draws",
    "median": "median of the draws without the scatter of counting",
    "lower": f"lower end of the central {_COVERING} of draws, by the parameters alone",
    "upper": f"upper end of the central {_COVERING} of draws, by the parameters alone",
    "between_sd": "standard deviation between draws as they are",
    "parameter_sd": "standard deviation by the parameters: the variance between draws less the mean variance "
    "of counting, 0 if that is below 0",
    "clipped": "whether draws differ by no more than counting explains, so that parameter_sd is called 0",
    "monte_carlo_error": "standard error of the mean by counting; 0 for what is exact",
    "monte_carlo_share": "share of the variance between draws that counting explains",
    "draws_error": "standard error of the mean by the number of draws, if they are independent",
    "defined": "draws in which the condition can hold",
}


@dataclass(frozen=True)
class Spread:
    """The probability of one outcome under one pact, over draws of the parameters.

    Parameters
    ----------
    mean, median
        Over draws.
    lower, upper
        Central 90 % of draws: what the parameters leave open, and nothing else.
    parameter_sd
        Standard deviation by the parameters alone.
    monte_carlo_error, monte_carlo_lower, monte_carlo_upper
        What counting leaves open about the mean: standard error, and interval at the study's confidence. The
        error is 0 and the interval a point if the outcome is exact at every draw.
    monte_carlo_share
        Share of the variance between draws that counting explains.
    draws_error
        Standard error of the mean by the number of draws, if they are independent.
    draws
        In which the condition can hold.
    given
        What it is conditional on.
    """

    mean: float
    median: float
    lower: float
    upper: float
    parameter_sd: float
    monte_carlo_error: float
    monte_carlo_lower: float
    monte_carlo_upper: float
    monte_carlo_share: float
    draws_error: float
    draws: int
    given: str

    def __repr__(self) -> str:
        """Return the spread in a line."""
        return (
            f"Spread({self.mean:.6g}, parameters [{self.lower:.6g}, {self.upper:.6g}], Monte Carlo "
            f"[{self.monte_carlo_lower:.6g}, {self.monte_carlo_upper:.6g}], {self.draws} draws, "
            f"given {self.given})"
        )


class Ensemble(Saved):
    """Crisis risks under each pact of a study at many draws of its parameters.

    :attr:`data` holds, by draw, pact and outcome, ``probability`` (exact, or for outcomes whose coordinate
    ``counted`` is true a share of trajectories) with the ``standard_error`` that counting leaves in it, which
    is 0 and never missing where the probability is exact; ``difference`` from no pact, if the study has an
    empty pact; and for each parameter that was fitted its values in ``drawn_`` and its name.

    Over draws, by pact and outcome: ``mean``, ``median``, ``lower``, ``upper``, ``between_sd``,
    ``parameter_sd``, ``clipped``, ``monte_carlo_error``, ``monte_carlo_share``, ``draws_error`` and
    ``defined`` (:class:`entangle.two_levels.Split` says what they are), ``monte_carlo_lower`` and
    ``monte_carlo_upper``. The same of differences between any two pacts, draw by draw, with the prefix
    ``versus_``, by pact, versus and outcome; ``versus_above`` is the share of draws in which the outcome is
    more probable under the pact than under the other, ``versus_equal`` that in which both are the same.
    ``difference_positive`` is the share of draws in which the pact makes the outcome more probable.

    Draws whose games could not be solved are left out; ``left_out`` names them.

    Parameters
    ----------
    data
        The labelled table, as :meth:`entangle.Study.run` or :meth:`load` made it.
    """

    kind = "draws"

    # -- asking ----------------------------------------------------------------------------------

    def probability(self, pact: str, outcome: str) -> Spread:
        """Return the probability of `outcome` under `pact` over the draws.

        Raises
        ------
        ResultError
            If there is no such pact or outcome; names the nearest one.
        """
        labels = {"pact": pick(self.data, "pact", pact), "outcome": pick(self.data, "outcome", outcome)}
        cell = self.data.sel(labels)
        kept = ("mean", "median", "lower", "upper", "parameter_sd", "monte_carlo_error",
                "monte_carlo_lower", "monte_carlo_upper", "monte_carlo_share", "draws_error")  # fmt: skip
        return Spread(
            **{name: float(cell[name]) for name in kept},
            draws=int(cell.defined),
            given=str(cell["given"].item()),
        )

    def compare(self, first: str, second: str) -> xr.Dataset:
        """Compare two pacts draw by draw: the first less the second.

        Returns
        -------
        xarray.Dataset
            By outcome everything that is known over draws of the difference (``mean``, ``lower`` ...),
            ``above`` and ``equal``; by draw and outcome the ``difference`` itself.

        Raises
        ------
        ResultError
            If there is no such pact; names the nearest one.
        """
        for pact in (first, second):
            pick(self.data, "pact", pact)
        cells = self.data.sel(pact=first, versus=second)
        found = {
            str(name).removeprefix("versus_"): variable
            for name, variable in cells.data_vars.items()
            if str(name).startswith("versus_")
        }
        apart = self.data.probability.sel(pact=first) - self.data.probability.sel(pact=second)
        found["difference"] = apart.assign_attrs(long_name=f"{first} less {second}", units="1")
        return xr.Dataset(found, attrs={"title": self._title(), "first": first, "second": second})

    def at(self, draw: int) -> Study:
        """Return the study with the parameters of one draw, to solve or to run by itself.

        Parameters
        ----------
        draw
            Its number, as in the coordinate ``draw``.

        Raises
        ------
        ResultError
            If there is no such draw.
        """
        numbers = self.data.draw.values.tolist()
        if draw not in numbers:
            out = " It could not be solved." if draw in self.left_out else ""
            raise ResultError(f"There is no draw {draw} among {len(numbers)}.{out}")
        return study_at(self.study, self._points().at(numbers.index(draw)))

    @property
    def draws(self) -> int:
        """Draws that were solved."""
        return int(self.data.sizes["draw"])

    @property
    def left_out(self) -> list[int]:
        """Numbers of the draws that could not be solved."""
        return [int(number) for number in self.data.left_out.values] if "left_out" in self.data.dims else []

    @property
    def trajectories(self) -> int:
        """Disputes simulated for each pact at each draw; 0 if nothing was simulated."""
        return int(self.data.attrs["trajectories"])

    @property
    def counted(self) -> list[str]:
        """Outcomes that are known by counting alone."""
        return [str(name) for name in self.data.outcome.values[self.data.counted.values]]

    @property
    def empty_pact(self) -> str | None:
        """The pact that is none, if the study has one: what differences are taken from."""
        return str(self.data.attrs["no_pact"]) or None

    def disagreements(self) -> list[str]:
        """Return where counts contradict a draw's exact probabilities (chance below 1e-9 each otherwise).

        As :meth:`entangle.Result.disagreements`, for every draw; nothing if nothing was simulated.
        """
        if self.trajectories == 0:
            return []
        data = self.data.isel(outcome=~self.data.counted.values)
        count, trials, exact = data["count"].values, data.trials.values, data.probability.values
        lower, upper = clopper_pearson(count, trials, confidence=_ALARM)
        wrong = ~((exact >= lower) & (exact <= upper) | (trials == 0))
        return [
            f"draw {data.draw.values[draw]}: {data.pact.values[pact]}: {data.outcome.values[outcome]}"
            for draw, pact, outcome in zip(*np.nonzero(wrong), strict=True)
        ]

    # -- showing ---------------------------------------------------------------------------------

    def summary(self) -> str:
        """Return a table of every outcome and what each pact changes, in plain text of at most 80 columns."""
        from entangle.tables.drawn import as_text

        return as_text(self)

    def plot(self, *, outcomes: Sequence[str] | None = None) -> Axes:
        """Draw what the parameters leave open, and within it what counting does.

        See :func:`entangle.plot.drawn`.
        """
        from entangle.plot import drawn

        return drawn(self, outcomes=outcomes)

    def to_dict(self) -> dict[str, Any]:
        """Return what is known over draws as plain data for JSON; what is not a number becomes null."""
        data = self.data
        return {
            "title": data.attrs["title"],
            "method": METHOD,
            "draws": self.draws,
            "left_out": self.left_out,
            "trajectories": self.trajectories,
            # as text, like in the file: JSON readers keep 53 bits of a number
            "seed": data.attrs["seed"],
            "confidence": float(data.attrs["confidence"]),
            "range": list(RANGE),
            "pacts": {pact: self._pact(pact) for pact in map(str, data.pact.values)},
        }

    def _pact(self, pact: str) -> dict[str, Any]:
        outcomes = [str(name) for name in self.data.outcome.values]
        others = [str(name) for name in self.data.pact.values if name != pact]
        kept = ("mean", "lower", "upper", "monte_carlo_error", "above", "equal")
        return {
            "outcomes": {name: _plain(asdict(self.probability(pact, name))) for name in outcomes},
            "versus": {
                other: {
                    name: _plain({part: cells[part].sel(outcome=name).item() for part in kept})
                    for name in outcomes
                }
                for other in others
                for cells in (self.compare(pact, other),)
            },
        }

    def __repr__(self) -> str:
        """Return what this is, in a line."""
        pacts = self.data.sizes["pact"]
        extent = f"{pacts} pact{'s' if pacts != 1 else ''}, {self.draws} draws of the parameters"
        if self.left_out:
            extent += f" ({len(self.left_out)} left out)"
        if self.trajectories:
            extent += f", {self.trajectories:,} simulated disputes at each, seed {self.data.attrs['seed']}"
        return f"<entangle.Ensemble: {self._title()}; {extent}>"

    # -- keeping ---------------------------------------------------------------------------------

    def rerun(self, *, executor: Executor | Client | None = None, workers: int | None = None) -> Ensemble:
        """Make it again from what it says of itself: it holds its draws, and needs no posterior.

        With the versions that made it, the numbers are the same to the last bit.

        Parameters
        ----------
        executor, workers
            Where to compute; as for :meth:`entangle.Study.run`.

        Warns
        -----
        ReproducibilityWarning
            If the solved pacts or the use of random numbers differ from those that made this.
        """
        posterior = {name: str(self.data.attrs[f"posterior_{name}"]) for name in ("fingerprint", "sha256")}
        again = at_points(self.study, self._points(whole=True), posterior, executor=executor, workers=workers)
        before, after = (
            (one.data.draw.values.tolist(), one.data.solved.values.tolist(), one.data.attrs["random_scheme"])
            for one in (self, again)
        )
        if before != after:
            warnings.warn(
                "This is not the same computation: solved pacts or the use of random numbers differ from "
                f"those that made the result. It was made with {self.data.attrs['versions']}, and now with "
                f"{again.data.attrs['versions']}.",
                ReproducibilityWarning,
                stacklevel=2,
            )
        return again

    def some(
        self,
        places: Sequence[int],
        *,
        executor: Executor | Client | None = None,
        workers: int | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> Ensemble:
        """Make some of the draws again, by their places along ``draw``; as :meth:`rerun`."""
        points = self._points()
        chosen = Points(tuple(points.numbers[i] for i in places), points.names, points.values[list(places)])
        posterior = {name: str(self.data.attrs[f"posterior_{name}"]) for name in ("fingerprint", "sha256")}
        return at_points(self.study, chosen, posterior, executor=executor, workers=workers, progress=progress)

    # -- within ----------------------------------------------------------------------------------

    def _points(self, *, whole: bool = False) -> Points:
        """Return the draws, with those that were left out if they are all wanted, in order."""
        kept = [str(name) for name in self.data.data_vars if str(name).startswith(DRAWN)]
        parameters = [str(name) for name in self.data.attrs["parameters"].split()]
        assert len(kept) == len(parameters)
        numbers = [int(number) for number in self.data.draw.values]
        values = np.column_stack([self.data[DRAWN + name].values for name in parameters])
        if whole and self.left_out:
            numbers = [*numbers, *self.left_out]
            values = np.concatenate([values, self.data.left_out_value.values])
        order = np.argsort(numbers)
        return Points(tuple(numbers[i] for i in order), tuple(parameters), values[order])

    def _title(self) -> str:
        return str(self.data.attrs["title"])


def tabulate(
    study: Study,
    points: Points,
    found: Mapping[int, Found],
    posterior: Mapping[str, str],
    *,
    trajectories: int,
) -> xr.Dataset:
    """Return the labelled table of a study at draws.

    Parameters
    ----------
    points
        All draws that were asked for.
    found
        What each gave, by place in `points`; those that are missing could not be solved.
    posterior
        Fingerprint and checksum of the fit.
    trajectories
        Of each draw; 0 if nothing was simulated.
    """
    order = sorted(found)
    each = [found[i] for i in order]
    probability = np.array([one.exact for one in each])
    pacts, outcomes = probability.shape[1:]
    error = np.zeros(probability.shape)
    noise = np.zeros((pacts, pacts, outcomes))
    rows = list(names())[:outcomes]
    counts: dict[str, Any] = {}
    if trajectories:
        rows = list(names())
        count, trials = (np.array([getattr(one, name) for one in each]) for name in ("times", "trials"))
        share = count[:, :, outcomes:] / trajectories
        probability = np.concatenate([probability, share], axis=2)
        error = np.concatenate([error, np.sqrt(variance(share, trajectories))], axis=2)
        apart = np.mean([one.noise for one in each], axis=0)
        noise = np.concatenate([noise, apart], axis=2)
        dims = ("draw", "pact", "outcome")
        counts = {
            "count": _variable(dims, count, "simulated disputes in which the outcome happened"),
            "trials": _variable(dims, trials, "simulated disputes in which the condition held"),
        }
    data = xr.Dataset(
        {
            **_levels(probability, error),
            **counts,
            **_summaries(probability, error, study.simulation.confidence, trajectories),
            **_pairs(probability, noise, study),
            **_parameters(points, order),
            "solved": xr.Variable(
                "draw",
                _words([one.solved for one in each]),
                {"long_name": "SHA-256 of the solved pacts' thresholds"},
            ),
        },
        {
            "draw": ("draw", np.array([points.numbers[i] for i in order]), {"long_name": "draw's number"}),
            "pact": ("pact", _words(study.pacts), {"long_name": "pact"}),
            "versus": ("versus", _words(study.pacts), {"long_name": "pact that it is compared with"}),
            "outcome": ("outcome", _words([row[0] for row in rows]), {"long_name": "outcome of a dispute"}),
            "meaning": ("outcome", _words([row[1] for row in rows]), {"long_name": "what happened"}),
            "given": (
                "outcome",
                _words([row[2] for row in rows]),
                {"long_name": "what the outcome is conditional on"},
            ),
            "counted": (
                "outcome",
                np.arange(len(rows)) >= outcomes,
                {"long_name": "whether it is known by counting alone; else it is exact at each draw"},
            ),
        },
    )
    data = metadata.described(data)
    data.attrs = _attributes(study, data, points, posterior, trajectories=trajectories)
    return data


def _levels(probability: Floats, error: Floats) -> dict[str, xr.Variable]:
    dims = ("draw", "pact", "outcome")
    return {
        "probability": _variable(
            dims,
            probability,
            "probability of the outcome",
            comment="exact, or where `counted` the share of the draw's trajectories; not a number where the "
            "condition cannot hold",
            ancillary_variables="standard_error",
        ),
        "standard_error": _variable(
            dims,
            error,
            "standard error of the probability by counting",
            comment="0 where the probability is exact, and where nothing was seen",
        ),
    }


def _summaries(
    probability: Floats, error: Floats, confidence: float, trajectories: int
) -> dict[str, xr.Variable]:
    made, _ = split(probability, (error**2).mean(axis=0))
    found = _split_variables(("pact", "outcome"), made, "")
    lower, upper = made.mean.copy(), made.mean.copy()
    if trajectories:
        # shares of unlike draws scatter less together than shares of like ones (Hoeffding 1956), so that this
        # interval of their mean is wide enough; and it is honest where nothing was seen
        counted = slice(-len(COUNTED), None)
        seen = np.rint(probability[:, :, counted] * trajectories).sum(axis=0)
        number = np.full(seen.shape, trajectories * len(probability))
        lower[:, counted], upper[:, counted] = wilson(seen, number, confidence=confidence)
    percent = f"{100 * confidence:.6g} %"
    for name, values in (("lower", lower), ("upper", upper)):
        found[f"monte_carlo_{name}"] = _variable(
            ("pact", "outcome"), values, f"{name} end of the {percent} interval of the mean by counting"
        )
    return found


def _pairs(probability: Floats, noise: Floats, study: Study) -> dict[str, xr.Variable]:
    """Return what is known of differences between pacts, draw by draw."""
    apart = probability[:, :, np.newaxis] - probability[:, np.newaxis]
    made, pulled = split(apart, noise)
    dims = ("pact", "versus", "outcome")
    found = _split_variables(dims, made, "versus_")
    known = np.maximum(made.defined, 1)
    with np.errstate(invalid="ignore"):  # what is not a number is neither above nor the same
        above = np.where(made.defined == 0, np.nan, (pulled > SAME).sum(axis=0) / known)
        equal = np.where(made.defined == 0, np.nan, (np.abs(pulled) <= SAME).sum(axis=0) / known)
    text = "share of draws in which the outcome is more probable under the pact than under the other"
    comment = "what is counted: of the draws without the scatter of counting"
    found["versus_above"] = _variable(dims, above, text, comment=comment)
    found["versus_equal"] = _variable(
        dims, equal, "share of draws in which the outcome is as probable under both", comment=comment
    )
    none = _empty_pact(study)
    if none:
        i = list(study.pacts).index(none)
        found["difference"] = _variable(
            ("draw", "pact", "outcome"), apart[:, :, i], f"probability less that under {none}"
        )
        found["difference_positive"] = _variable(
            ("pact", "outcome"), above[:, i], f"share of draws in which it is more probable than under {none}"
        )
    return found


def _split_variables(dims: tuple[str, ...], made: Split, prefix: str) -> dict[str, xr.Variable]:
    what = "difference, pact less versus: " if prefix else ""
    return {prefix + name: _variable(dims, getattr(made, name), what + text) for name, text in _TEXTS.items()}


def _parameters(points: Points, order: list[int]) -> dict[str, xr.Variable]:
    """Return the drawn values, and those of the draws that were left out."""
    found = {
        DRAWN + name: _variable(("draw",), points.values[order, i], f"{name}, as drawn")
        for i, name in enumerate(points.names)
    }
    missing = [i for i in range(len(points.numbers)) if i not in set(order)]
    if missing:
        found["left_out"] = _variable(
            ("left_out",),
            np.array([points.numbers[i] for i in missing]),
            "draw that could not be solved",
        )
        found["left_out_value"] = _variable(
            ("left_out", "parameter"), points.values[missing], "value drawn there"
        )
        found["parameter"] = xr.Variable("parameter", _words(points.names), {"long_name": "what was fitted"})
    return found


def _attributes(
    study: Study, data: xr.Dataset, points: Points, posterior: Mapping[str, str], *, trajectories: int
) -> dict[str, Any]:
    found = provenance.attributes(study, data, trajectories=trajectories)
    asked, solved = len(points.numbers), data.sizes["draw"]
    made = f"solved {solved} of {asked} draws of the parameters"
    if trajectories:
        made += f", with {trajectories} disputes for each pact and draw and seed {study.simulation.seed}"
    found |= {
        "history": f"entangle {provenance.package_version()}: {made}",
        "method": METHOD,
        "draws": solved,
        "draws_asked": asked,
        "draws_left_out": asked - solved,
        "no_pact": _empty_pact(study),
        "parameters": " ".join(points.names),
        **{f"posterior_{name}": text for name, text in posterior.items()},
    }
    found["sha256"] = provenance.checksum(data, found)
    return found


def _empty_pact(study: Study) -> str:
    return next((name for name, pact in study.pacts.items() if pact.is_empty), "")


def _variable(dims: tuple[str, ...], values: NDArray[Any], text: str, **attributes: str) -> xr.Variable:
    return xr.Variable(dims, values, {"long_name": text, "units": "1", **attributes})


def _words(words: Any) -> NDArray[np.object_]:
    """Return text as objects, which is how a file gives it back."""
    return np.array(list(words), dtype=object)


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in values.items()
    }
