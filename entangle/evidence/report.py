"""The validation report: patterns and figures of the record, observed against predicted, misses included.

Every draw of the posterior is a set of parameters; the population is solved at each, and every figure that
has a side in the engine is read from it. Two intervals are kept apart: what the parameters leave open, and
what one should expect to observe, with the model's discrepancy and the figure's own error. A figure is

in
    if it lies in the second, the central 95 % of what is to be observed;
met by the parameters alone
    if the first and the record's own interval share a point;
met by the median
    if the median prediction lies in the record's interval.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from entangle import provenance
from entangle.errors import ResultError, StudyError
from entangle.evidence import patterns as known
from entangle.evidence.estimands import Estimand
from entangle.evidence.moments import Moments
from entangle.evidence.patterns import Pattern
from entangle.evidence.predictions import (
    NO_LIFE,
    Figure,
    Predicted,
    Verdict,
    figures,
    predicted,
    side,
    verdict,
)
from entangle.evidence.worlds import Worlds
from entangle.fit.predict import solved
from entangle.fit.priors import NAMES
from entangle_kernels.equilibrium import ConvergenceError
from entangle_kernels.game import Floats

if TYPE_CHECKING:
    import xarray as xr

#: How the project's own table is called in a report.
OWN: Final = "the project's figures"
#: Draws that patterns are computed at, which take several populations each.
PATTERN_DRAWS: Final = 24

Progress = Callable[[int, int], object]


class Row(NamedTuple):
    """A figure, what is predicted of it, and whether it is in.

    Parameters
    ----------
    figure
        The figure.
    fitted
        Whether the posterior was fitted to it.
    predicted, verdict
        None for a figure without a side in the engine, or without a number at any draw.
    values
        The engine's side at each draw, shape (draws,).
    reason
        Why there is no prediction; empty if there is one.
    """

    figure: Figure
    fitted: bool
    predicted: Predicted | None
    verdict: Verdict | None
    values: Floats
    reason: str


class Shown(NamedTuple):
    """A pattern and what the draws say of it."""

    pattern: Pattern
    claims: tuple[known.Found, ...]
    verdict: str


class Count(NamedTuple):
    """How many figures of a table are in, in each of the three senses."""

    table: str
    fitted: bool
    number: int
    inside: int
    overlap: int
    within: int


@dataclass(frozen=True)
class Report:
    """Observed against predicted.

    Parameters
    ----------
    rows
        Every figure, in the order of the tables.
    patterns
        Every pattern.
    asked, draws, pattern_draws
        Draws that were asked for, those at which the population could be solved, and those of the patterns.
    made
        What made it: the posterior, versions, files.
    """

    rows: tuple[Row, ...]
    patterns: tuple[Shown, ...]
    asked: int
    draws: int
    pattern_draws: int
    made: Mapping[str, str]

    @property
    def counts(self) -> tuple[Count, ...]:
        """How many figures are in, by table and whether they were fitted; those with a prediction alone."""
        keys = dict.fromkeys((row.figure.table, fitted) for row in self.rows for fitted in (True, False))
        found = []
        for table, fitted in keys:
            own = [
                row.verdict
                for row in self.rows
                if row.verdict is not None and (row.figure.table, row.fitted) == (table, fitted)
            ]
            if own:
                sums = (sum(getattr(one, name) for one in own) for name in Verdict._fields)
                found.append(Count(table, fitted, len(own), *sums))
        return tuple(found)

    def as_text(self) -> str:
        """Return the report as text, at most 80 columns wide."""
        from entangle.evidence.report_page import as_text

        return as_text(self)

    def as_html(self, *, command: str = "", sources: Mapping[str, str] | None = None) -> str:
        """Return the report as one page of HTML that needs nothing else.

        Parameters
        ----------
        command
            How it was asked for, to be printed among what made it.
        sources
            Hashes of the files that figures came from, by name.
        """
        from entangle.evidence.report_page import as_html

        hashes = {f"SHA-256 of {name}": text for name, text in (sources or {}).items()}
        return as_html(self, {**({"command": command} if command else {}), **hashes})

    @property
    def verdicts(self) -> dict[str, int]:
        """How many patterns have each verdict."""
        own = [shown.verdict for shown in self.patterns]
        return {name: own.count(name) for name in known.VERDICTS}

    def to_dataset(self) -> xr.Dataset:
        """Return the comparison with dimensions ``figure``, ``draw`` and ``claim``."""
        import xarray as xr

        texts = {
            "table": [row.figure.table for row in self.rows],
            "what": [row.figure.what for row in self.rows],
            "engine": [str(row.figure.estimand or "") for row in self.rows],
            "reason": [row.reason for row in self.rows],
        }
        numbers = {
            "observed": [row.figure.value for row in self.rows],
            "observed_lower": [row.figure.lower for row in self.rows],
            "observed_upper": [row.figure.upper for row in self.rows],
            **{
                name: [np.nan if row.predicted is None else getattr(row.predicted, name) for row in self.rows]
                for name in Predicted._fields
                if name != "draws"
            },
        }
        flags = {
            "fitted": [row.fitted for row in self.rows],
            **{
                name: [row.verdict is not None and getattr(row.verdict, name) for row in self.rows]
                for name in Verdict._fields
            },
        }
        claims = [(shown.pattern, one) for shown in self.patterns for one in shown.claims]
        record = [one.claim.record or (np.nan,) * 3 for _, one in claims]
        data = xr.Dataset(
            {
                **{name: ("figure", np.array(column, object)) for name, column in texts.items()},
                **{name: ("figure", np.array(column, np.float64)) for name, column in numbers.items()},
                **{name: ("figure", np.array(column, np.bool_)) for name, column in flags.items()},
                "prediction": (("figure", "draw"), np.array([row.values for row in self.rows])),
                "claim_label": ("claim", np.array([one.claim.label for _, one in claims], object)),
                "claim_verdict": ("claim", np.array([one.verdict for _, one in claims], object)),
                **{
                    f"claim_{name}": (
                        "claim",
                        np.array([getattr(one, name) for _, one in claims], np.float64),
                    )
                    for name in ("median", "lower", "upper", "right")
                },
                **{
                    f"claim_{name}": ("claim", np.array([own[i] for own in record], np.float64))
                    for i, name in enumerate(("observed", "observed_lower", "observed_upper"))
                },
            },
            {
                "figure": np.array([row.figure.code for row in self.rows], object),
                "claim": np.array([f"{pattern.name}.{one.claim.name}" for pattern, one in claims], object),
                "draw": np.arange(self.draws),
            },
            {"title": "Observed against predicted", "date_created": provenance.now(), **self.made},
        )
        for name, text in _LONG_NAMES.items():
            data[name].attrs["long_name"] = text
        return data

    def save(self, path: str | Path) -> None:
        """Write the comparison as netCDF, or, if the name ends so, as csv without the single draws.

        Raises
        ------
        OSError
            If the file cannot be written; nothing is left behind.
        """
        from entangle.files import write_dataset, write_whole

        if Path(path).suffix.lower() == ".csv":
            write_whole(path, self._write_csv)
        else:
            write_dataset(self.to_dataset(), path)

    def _write_csv(self, path: Path) -> None:
        import csv

        ends = ("observed", "observed_lower", "observed_upper")
        data = self.to_dataset()
        columns = ["table", *ends, *(name for name in Predicted._fields if name != "draws"), "fitted",
                   *Verdict._fields, "engine", "reason"]  # fmt: skip
        with path.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(["id", *columns, "verdict"])
            for i, row in enumerate(self.rows):
                writer.writerow([row.figure.code, *(_cell(data[name].values[i]) for name in columns), ""])
            for shown in self.patterns:
                for one in shown.claims:
                    cells: dict[str, Any] = dict.fromkeys(columns, "")
                    cells |= dict(zip(ends, one.claim.record or ("",) * 3, strict=True))
                    cells |= {name: _cell(getattr(one, name)) for name in ("median", "lower", "upper")}
                    cells |= {"table": "patterns", "engine": one.claim.label}
                    name = f"{shown.pattern.name}.{one.claim.name}"
                    writer.writerow([name, *cells.values(), one.verdict])


_LONG_NAMES: Final = {
    "observed": "the figure",
    "observed_lower": "lower end of its 95 % interval",
    "observed_upper": "upper end of its 95 % interval",
    "median": "median prediction",
    "lower": "quantile of 0.025 over draws of the parameters",
    "upper": "quantile of 0.975 over draws of the parameters",
    "full_lower": "quantile of 0.025 of what is to be observed, with discrepancy and the figure's error",
    "full_upper": "quantile of 0.975 of what is to be observed, with discrepancy and the figure's error",
    "position": "probability that less is observed than was",
    "inside": "the figure lies between full_lower and full_upper",
    "overlap": "lower to upper shares a point with the record's interval",
    "within": "the median prediction lies in the record's interval",
    "fitted": "the posterior was fitted to it",
    "prediction": "the engine's side at each draw",
}


def _cell(value: Any) -> Any:
    """Return a value for a cell: nothing where there is no number."""
    if isinstance(value, np.generic):
        value = value.item()
    return "" if isinstance(value, float) and value != value else value


# -- computing it ----------------------------------------------------------------------------------


def compare(
    tables: Sequence[tuple[str, Moments]] | None = None,
    *,
    posterior: xr.DataTree | str | Path | None = None,
    draws: int = 64,
    pattern_draws: int = PATTERN_DRAWS,
    patterns: Sequence[Pattern] = known.PATTERNS,
    members: int | None = None,
    given: Mapping[str, Floats] | None = None,
    given_by: xr.DataTree | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Report:
    """Hold the engine at draws of a posterior against the record.

    Parameters
    ----------
    tables
        Figures, each table with its name; the project's own if not given.
    posterior
        A fit or its file; the shipped one if not given.
    draws, pattern_draws
        How many draws to take, the first of the posterior, for figures and of those for patterns.
    patterns
        What is known; none for figures alone.
    members
        Size of the population, a power of two; that of the fit if not given.
    given
        The engine's side of figures that crises alone do not answer, by code, at the draws asked for, shape
        (draws,): those of a pact's life.
    given_by
        The fit that they come from, if there is one.
    workers
        Processes; the processors available if not given. Never moves a bit.
    progress
        Called with draws done and in all.

    Returns
    -------
    Report
        With what was left out, and why.

    Raises
    ------
    StudyError
        If the posterior does not have as many draws.
    ResultError
        If it is a fit of other parameters, or the population can be solved at none of its draws.
    """
    from entangle.evidence.moments import shipped as own_table

    tables = [(OWN, own_table())] if tables is None else tables
    tree, name = _posterior(posterior)
    points, discrepancy = _points(tree, draws)
    size = int(tree.attrs.get("members", 32)) if members is None else members
    all_figures = [figure for table, moments in tables for figure in figures(moments, table)]
    asked = {
        _key(figure.estimand): figure.estimand
        for figure in all_figures
        if figure.estimand is not None and side(figure.estimand) is not None
    }
    runs = [
        (point, asked, size, tuple(patterns) if i < pattern_draws else ()) for i, point in enumerate(points)
    ]
    results = _run(runs, workers, progress)
    kept = [i for i, result in enumerate(results) if result is not None]
    if not kept:
        raise ResultError(
            f"{name}: the population can be solved at none of the {draws} draws. Take more draws, or another "
            "posterior."
        )
    computed = {key: np.array([_get(results[i])[0][key] for i in kept]) for key in asked}
    values = {
        figure.code: computed[_key(figure.estimand)]
        for figure in all_figures
        if figure.estimand is not None and _key(figure.estimand) in computed
    }
    outside = {code: _aligned(code, column, draws)[kept] for code, column in (given or {}).items()}
    fitted = _fitted(tree) | ({} if given_by is None else _fitted(given_by))
    rows = [_row(figure, fitted, computed, outside, discrepancy[kept]) for figure in all_figures]
    with_patterns = [i for i in kept if i < pattern_draws]
    shown = []
    for pattern in patterns:
        from_figures = known.from_figures(pattern, values | outside)
        claims = []
        for claim in pattern.claims:
            at = np.array(
                [_get(results[i])[1].get((pattern.name, claim.name), np.nan) for i in with_patterns]
            )
            claims.append(known.found(claim, from_figures.get(claim.name, at)))
        if from_figures:
            pattern = pattern._replace(reason="")
        shown.append(Shown(pattern, tuple(claims), known.verdict(pattern, claims)))
    made = _made(tree, name, size, [table for table, _ in tables])
    return Report(tuple(rows), tuple(shown), draws, len(kept), len(with_patterns), made)


def _key(estimand: Estimand) -> str:
    """Return what an estimand asks for, as text: caveats ask for nothing."""
    return estimand.model_dump_json(exclude={"match", "caveat"})


_Result = tuple[dict[str, float], dict[tuple[str, str], float]]
_Run = tuple[Floats, dict[str, Estimand], int, tuple[Pattern, ...]]


def _get(result: _Result | None) -> _Result:
    assert result is not None
    return result


def _run(runs: Sequence[_Run], workers: int | None, progress: Progress | None) -> list[_Result | None]:
    from entangle.executors import worker_count

    found: list[_Result | None] = []
    many = min(worker_count(None, workers), len(runs))
    if many == 1:
        for run in runs:
            found.append(at_draw(*run))
            if progress is not None:
                progress(len(found), len(runs))
        return found
    # a game is solved in many small steps, so that threads would mostly wait for each other
    with ProcessPoolExecutor(many, mp_context=get_context("spawn")) as pool:
        for result in pool.map(_unpacked, runs):
            found.append(result)
            if progress is not None:
                progress(len(found), len(runs))
    return found


def _unpacked(run: _Run) -> _Result | None:
    return at_draw(*run)


def at_draw(
    point: Floats, asked: Mapping[str, Estimand], members: int, patterns: Sequence[Pattern]
) -> _Result | None:
    """Return the engine's side of figures, and the claims of patterns, at a point.

    Parameters
    ----------
    point
        In the space of the priors, shape (d,).
    asked
        What to compute, by a key of its own.

    Returns
    -------
    tuple or None
        The figures by key, and the claims by pattern and name; None if the population has no solution.
    """
    claims: dict[tuple[str, str], float] = {}
    if patterns:
        worlds = Worlds(point, members=members)
        try:
            population = worlds.population()
        except ConvergenceError:
            return None
        claims = known.at_draw(worlds, patterns)
    else:
        population = solved(point, members=members, workers=1)
        if np.isnan(population.ends).any():
            return None
    values = {}
    for code, estimand in asked.items():
        own = side(estimand)
        assert own is not None
        values[code] = own(population)
    return values, claims


def _row(
    figure: Figure,
    fitted: Mapping[str, float],
    computed: Mapping[str, Floats],
    given: Mapping[str, Floats],
    discrepancy: Floats,
) -> Row:
    was = figure.code in fitted and bool(np.isclose(fitted[figure.code], figure.value, rtol=1e-9))
    own = None
    if figure.estimand is not None:
        own = given.get(figure.code, computed.get(_key(figure.estimand)))
    if own is None:
        nothing = np.full(len(discrepancy), np.nan)
        return Row(figure, was, None, None, nothing, figure.reason or NO_LIFE)
    found = predicted(figure, own, discrepancy)
    if not found.draws:
        return Row(figure, was, None, None, own, "it is a share of something that happens at no draw")
    return Row(figure, was, found, verdict(figure, found), own, "")


def _aligned(code: str, column: Floats, draws: int) -> Floats:
    own = np.asarray(column, np.float64)
    if own.shape != (draws,):
        raise StudyError.single(
            "given", code, rule=f"must have a number for each of the {draws} draws", got=f"shape {own.shape}"
        )
    return own


def _posterior(posterior: xr.DataTree | str | Path | None) -> tuple[xr.DataTree, str]:
    if posterior is None:
        from entangle.fit.draws import shipped

        return shipped(), "the posterior that comes with the package"
    if isinstance(posterior, str | Path):
        from entangle.fit.posterior import load

        return load(posterior), str(posterior)
    return posterior, "a posterior in memory"


def _points(tree: xr.DataTree, draws: int) -> tuple[Floats, Floats]:
    """Return points in the space of the priors, and the discrepancy at each."""
    normal = tree["sample_stats"].to_dataset()["normal"].isel(chain=0)
    names = [str(name) for name in normal["parameter"].values]
    missing = sorted({*NAMES, "discrepancy"}.difference(names))
    if missing:
        raise ResultError(
            f"The posterior is of other parameters: it has no {', '.join(missing)}. Fit with this version."
        )
    most = normal.sizes["draw"]
    if not 1 <= draws <= most:
        raise StudyError.single(
            "draws",
            rule=f"must be from 1 to {most}, the draws that the posterior has",
            got=str(draws),
            do="Take as many, or fit with more particles",
        )
    points = normal.values[:draws][:, [names.index(name) for name in NAMES]]
    discrepancy = tree["posterior"].to_dataset()["discrepancy"].isel(chain=0).values[:draws]
    return np.asarray(points, np.float64), np.asarray(discrepancy, np.float64)


def _fitted(tree: xr.DataTree) -> dict[str, float]:
    """Return the figures that a posterior was fitted to, and their values."""
    if "observed_data" not in tree.children:
        return {}
    observed = tree["observed_data"].to_dataset()
    if "fitted" in observed:  # others are kept beside them
        observed = observed.isel(figure=observed["fitted"].values)
    codes, values = observed["figure"].values.tolist(), observed["prediction"].values.tolist()
    return {str(code): float(value) for code, value in zip(codes, values, strict=True)}


def _made(tree: xr.DataTree, name: str, members: int, tables: Iterable[str]) -> dict[str, str]:
    """Return what a report rests on, as text."""
    from entangle.fit.population import ROUNDS, TYPES

    attrs = tree.attrs
    versions = {"entangle": provenance.package_version(), "numpy": version("numpy")}
    found = {
        "posterior": name,
        "posterior title": str(attrs.get("title", "")),
        "posterior fingerprint": str(attrs.get("fingerprint", "none")),
        "posterior SHA-256": str(attrs.get("sha256", "none: never written to a file")),
        "posterior made": str(attrs.get("date_created", "")),
        "fitted by": ", ".join(f"{k} {v}" for k, v in json.loads(attrs.get("versions", "{}")).items()),
        "population": f"{members} members, {TYPES} types of each actor, {ROUNDS} rounds",
        "tables": ", ".join(tables),
        "versions": ", ".join(f"{k} {v}" for k, v in versions.items()),
        "date": provenance.now(),
    }
    return {key: text for key, text in found.items() if text}


def digest(path: str | Path) -> str:
    """Return the SHA-256 of a file, for the record of what a report was made from."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()
