"""All pacts of a year at all draws, as a labelled table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Final

from entangle import cow, provenance
from entangle.atop import Treaties
from entangle.errors import DataError, RunError, StudyError
from entangle.evidence.files import Files
from entangle.evidence.mid import read_disputes
from entangle.executors import worker_count
from entangle.fit.draws import draws as fitted
from entangle.treaties import challengers, crisis
from entangle.treaties.challengers import NODES, RIVAL, TYPICAL, Challenger
from entangle.treaties.figures import Figures, regime_file
from entangle.treaties.labelled import labelled
from entangle.treaties.said import assumed, attributes
from entangle.treaties.selection import Duty, Pair, duties, pairs

if TYPE_CHECKING:
    import xarray as xr

#: Values of everything that was fitted, by name.
Point = Mapping[str, float]
#: Called with (solutions done, solutions in all).
Progress = Callable[[int, int], object]

#: Draws of the posterior unless more are asked for.
DRAWS: Final = 50
#: Types and rounds of the crisis game: those with which the fit was made, and those of a study.
COARSE: Final = (3, 6)
FULL: Final = (5, 12)


def rank(
    folder: str | Path,
    year: int,
    *,
    challenger: str | int = TYPICAL,
    draws: int | Sequence[Point] = DRAWS,
    posterior: xr.DataTree | str | Path | None = None,
    nodes: int = NODES,
    full: bool = False,
    workers: int | None = None,
    progress: Progress | None = None,
) -> xr.Dataset:
    """Run every bilateral defence pact in force in a year between its members; exact at every draw.

    Parameters
    ----------
    folder
        Your copies of ATOP 4.01 (both files) and National Material Capabilities, in it or in `atop` and `nmc`
        below it; a regime file there or in `regime` is used, and MID 5.0 there or in `mid` for
        rivals.
    year
        Whose pacts and figures.
    challenger
        "typical", a state (its name or Correlates of War code), or "rival": whom each protégé met most often
        on the other side of a dispute.
    draws
        How many draws of the posterior, or values of everything that was fitted.
    posterior
        A fit or its file; the shipped one if not given.
    nodes
        Strengths of a typical challenger that are averaged over; one is the median.
    full
        Whether to solve games of the size of a study in place of the coarse ones of the fit.
    workers
        Threads; the processors available if not given. Never moves a bit.
    progress
        Called after each pact, direction and draw.

    Returns
    -------
    xarray.Dataset over treaty, direction (which partner is the protégé: "weaker" or "stronger") and draw
        probability (treaty, direction, draw, pact, outcome)
            Each outcome given its own condition (coordinate `given`), "with" the pact and "without".
        deterrence
            Challenges per occasion that do not come because of the pact: without less with it.
        wars_averted
            Wars per occasion, likewise; below zero where there are more with the pact.
        entanglement
            Probability per occasion that the defender fights and, on the same luck, would not with the policy
            that it would have without any pact.
        solved
            Whether all equilibria were found; a place that was not is no number throughout.

        Places where no help is owed are no numbers. An occasion arises for the challenger or, in the drawn
        proportion, for the protégé.

    Raises
    ------
    DataError
        If a file is missing or not what it should be, there is no such state, or no pact is left.
    StudyError
        If the posterior does not have as many draws, or there is no draw or node.
    RunError
        If nothing could be solved.
    """
    files = Files.find(folder)
    regimes = regime_file(Path(folder))
    figures = Figures.read(year, files.require("capabilities"), regimes)
    treaties = Treaties.read(files.require("alliances"), files.require("members"))
    points: list[Point] = [*(fitted(draws, posterior=posterior) if isinstance(draws, int) else draws)]
    if not points:
        raise StudyError.single("draws", rule="must have at least one draw", got="none")
    if nodes < 1:
        raise StudyError.single("nodes", rule="must be at least 1", got=str(nodes))
    found, left_out = pairs(treaties, figures)
    who = _Challengers(challenger, figures, files, nodes)
    seated = []
    for duty in duties(found):
        own = who.against(duty, found[duty.pair], left_out)
        if own is not None:
            seated.append((duty, own))
    if not seated:
        reasons = "; ".join(left_out) or "none was in force"
        raise DataError(f"No bilateral defence pact of {year} can be run: {reasons}.")
    run = sorted({duty.pair for duty, _ in seated})
    kept = [found[place] for place in run]
    seats = [(duty._replace(pair=run.index(duty.pair)), own) for duty, own in seated]
    cases = [_case(duty, kept[duty.pair], own, figures) for duty, own in seats]
    types, rounds = FULL if full else COARSE
    results = _solved(cases, points, types, rounds, workers=workers, progress=progress)
    used = [files.require(kind) for kind in ("alliances", "members", "capabilities", *who.reads)]
    data = labelled(kept, seats, cases, results, len(points))
    data.attrs = attributes(
        figures,
        who.words,
        points,
        types=types,
        rounds=rounds,
        files=used if regimes is None else [*used, regimes],
        left_out=left_out,
        assumptions=assumed(figures, who.kind, seats, nodes),
    )
    data.attrs["sha256"] = provenance.checksum(data, data.attrs)
    return data


def _solved(
    cases: list[crisis.Case],
    points: list[Point],
    types: int,
    rounds: int,
    *,
    workers: int | None,
    progress: Progress | None,
) -> list[crisis.Found | None]:
    """Return what was found for every case at every draw, draw by draw; None where nothing was."""
    tasks = [(case, point) for case in cases for point in points]
    results: list[crisis.Found | None] = []
    with ThreadPoolExecutor(worker_count(None, workers)) as pool:
        try:
            for found in pool.map(lambda task: crisis.at_draw(*task, types=types, rounds=rounds), tasks):
                results.append(found)
                if progress is not None:
                    progress(len(results), len(tasks))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    if all(found is None for found in results):
        raise RunError(f"None of {len(tasks)} equilibria could be found: their precision is too high.")
    return results


class _Challengers:
    """Who challenges whom."""

    def __init__(self, asked: str | int, figures: Figures, files: Files, nodes: int) -> None:
        self.figures = figures
        self.nodes = nodes
        self.kind = asked if asked in (TYPICAL, RIVAL) else "state"
        self.state: Challenger | None = None
        self.disputes = (
            read_disputes(files.require("disputes"), files.require("participants"))
            if self.kind == RIVAL
            else ()
        )
        if self.kind == "state":
            self.state = challengers.state(challengers.code_of(str(asked), figures.year), figures)
        self.words = self.state.name if self.state is not None else str(asked)
        #: What is read beside the treaties and the capabilities.
        self.reads = ("disputes", "participants") if self.kind == RIVAL else ()

    def against(self, duty: Duty, pair: Pair, left_out: list[str]) -> Challenger | None:
        """Return who challenges a protégé; None, with the reason among those left out, if nobody can."""
        figures = self.figures
        names = f"{pair.label}, {cow.title(duty.protege, figures.year)} as the protégé"
        if self.state is not None:
            if self.state.ccode in pair.partners:
                left_out.append(f"{names}: {self.state.name} is a partner itself")
                return None
            return self.state
        if self.kind == TYPICAL:
            return challengers.typical(
                figures.strength(duty.protege),
                figures.strength(duty.defender),
                figures.strongest(pair.partners),
                nodes=self.nodes,
            )
        found, _ = challengers.rival(duty.protege, duty.defender, self.disputes, figures)
        if found is None:
            left_out.append(f"{names}: it met no other state in a dispute of the last years")
            return None
        return challengers.state(found, figures)


def _case(duty: Duty, pair: Pair, challenger: Challenger, figures: Figures) -> crisis.Case:
    pact = pair.treaty.to_pact(
        duty.protege,
        duty.defender,
        year=figures.year,
        challenger=challenger.ccode,
        host=pair.partners[0],  # of one-sided bases the weaker
    )
    return crisis.Case(
        pact,
        (cow.key(duty.protege), cow.key(duty.defender)),
        _seat(duty.protege, "protege", figures),
        _seat(duty.defender, "defender", figures),
        tuple(crisis.Seat(own, challenger.regime, challenger.nuclear) for own in challenger.capability),
        challenger.weight,
    )


def _seat(ccode: int, seat: str, figures: Figures) -> crisis.Seat:
    return crisis.Seat(
        figures.strength(ccode), figures.regime(ccode, seat)[0], cow.is_nuclear(ccode, figures.year)
    )
