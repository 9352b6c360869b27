"""Runs made again from a journal: what is missing is played and nothing else, or shares are merged.

Examples
--------
>>> from entangle import resuming
>>> result = resuming.resume("runs/treaty")  # doctest: +SKIP
>>> result = resuming.merge(["runs/shards"])  # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np

from entangle import decades, drawn, engine
from entangle.decades_data import tabulated
from entangle.decades_result import Decades
from entangle.errors import JournalError, StudyError
from entangle.executors import worker_count
from entangle.journal import planfile
from entangle.journal.folder import Journal, Keeper
from entangle.journal.planfile import PlanFile
from entangle.journal.shares import Shares, journals_in
from entangle.journal.status import Status, status
from entangle.shards import Shard
from entangle.study import Study

if TYPE_CHECKING:
    import xarray as xr
    from distributed import Client

    from entangle.ensemble import Ensemble
    from entangle.result import Result

Progress = Callable[[int, int], None]


class Where(TypedDict, total=False):
    """Where blocks are computed, and who is told how far that is; as for :meth:`entangle.Study.run`."""

    executor: Executor | Client | None
    workers: int | None
    progress: Progress | None


def resume(
    path: str | Path,
    *,
    executor: Executor | Client | None = None,
    workers: int | None = None,
    solving: Progress | None = None,
    progress: Progress | None = None,
) -> Result | Decades | Ensemble | None:
    """Play what a journal lacks, and nothing else.

    Parameters
    ----------
    path
        Folder of the journal.
    executor, workers, solving, progress
        As for :meth:`entangle.Study.decades`; none of them has to be as it was.

    Returns
    -------
    Result, Decades, Ensemble or None
        What the run would have given if nothing had ended it, with the same bits; None if the journal is
        that of a shard.

    Raises
    ------
    JournalError
        If it is no journal, damaged, or of other versions.
    RunError
        If it cannot be written to, or the run fails again.
    """
    worker_count(executor, workers)
    folders = journals_in(path)
    if folders != [Path(path)]:
        raise JournalError.at(
            Path(path),
            rule="must be one journal to be resumed",
            got=f"a folder of {len(folders)} shards",
            do=f"Resume each of them, such as {folders[0]}; then `entangle merge {path}`",
        )
    plan = planfile.read(Path(path))
    journal = Journal(path, shard=plan.shard, within=True)
    where: Where = {"executor": executor, "workers": workers, "progress": progress}
    if plan.shard != Shard():
        _share(plan, journal, where, solving)
        return None
    return _again(plan, journal, where, solving)


def merge(
    paths: Iterable[str | Path], *, workers: int | None = None, solving: Progress | None = None
) -> Result | Decades | Ensemble:
    """Return what a single run would have given, with the same bits, from journals of all its shards.

    Its games are solved again, since they stand in the result; no block is played.

    Parameters
    ----------
    paths
        Folders of journals, or of shards.
    workers, solving
        As for :meth:`entangle.Study.decades`.

    Raises
    ------
    JournalError
        If one is damaged or of another plan, two count the same, or something is missing.
    """
    worker_count(None, workers)
    shares = Shares(paths)
    return _again(shares.plan, shares, {"workers": workers}, solving)


def run_shard(
    study: Study,
    shard: Shard,
    *,
    journal: str | Path,
    draws: int | None = None,
    posterior: xr.DataTree | str | Path | None = None,
    executor: Executor | Client | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Status:
    """Play one share of what :meth:`entangle.Study.run` would play, and keep it.

    Parameters
    ----------
    study
        With its simulation settings as wanted.
    journal
        Folder of all shards; each keeps a journal in it, called ``shard-3-of-8`` or the like.
    draws, posterior, executor, workers, progress
        As for :meth:`entangle.Study.run`.

    Returns
    -------
    Status
        What the shard's journal holds.

    Raises
    ------
    StudyError
        If the run cannot be divided: where it stops depends on all counts, or there are more shards than
        blocks.
    """
    worker_count(executor, workers)
    kept = Journal(journal, shard=shard)
    where: Where = {"executor": executor, "workers": workers, "progress": progress}
    if draws is not None:
        points, made = drawn.points_of(draws, posterior)
        drawn.play_share(study, points, made, kept, **where)
    else:
        if study.simulation.until:
            raise StudyError.single(
                "simulation",
                "until",
                rule="cannot be used with shards, since where a run stops depends on all of them",
                got=", ".join(study.simulation.until),
                do="Say how many trajectories instead",
            )
        engine.play_share(study, kept, **where)
    return status(kept.folder)[0]


def decades_shard(
    study: Study,
    shard: Shard,
    *,
    journal: str | Path,
    histories: int,
    seed: int,
    executor: Executor | Client | None = None,
    workers: int | None = None,
    solving: Progress | None = None,
    progress: Progress | None = None,
) -> Status:
    """Play one share of what :meth:`entangle.Study.decades` would play, and keep it; as :func:`run_shard`."""
    worker_count(executor, workers)
    kept = Journal(journal, shard=shard)
    decades.play_share(
        study,
        kept,
        number=histories,
        seed=seed,
        executor=executor,
        workers=workers,
        solving=solving,
        progress=progress,
    )
    return status(kept.folder)[0]


# -- from a plan -------------------------------------------------------------------------------------


def _again(
    plan: PlanFile, keeper: Keeper, where: Where, solving: Progress | None
) -> Result | Decades | Ensemble:
    study, told = _study(plan), plan.plan
    if told["kind"] == "draws":
        return drawn.at_points(study, *_points(plan), **where, keeper=keeper)
    if told["kind"] == "histories":
        seed = int(told["seed"])
        counted = decades.count_histories(
            study, number=told["number"], seed=seed, **where, solving=solving, keeper=keeper
        )
        return Decades(tabulated(study, counted, seed=seed), timing=counted.timing)
    return engine.run(study, **where, keeper=keeper)


def _share(plan: PlanFile, journal: Journal, where: Where, solving: Progress | None) -> None:
    study, told = _study(plan), plan.plan
    if told["kind"] == "draws":
        drawn.play_share(study, *_points(plan), journal, **where)
    elif told["kind"] == "histories":
        seed = int(told["seed"])
        decades.play_share(study, journal, number=told["number"], seed=seed, **where, solving=solving)
    else:
        engine.play_share(study, journal, **where)


def _study(plan: PlanFile) -> Study:
    try:
        return Study.from_dict(plan.plan["study"])
    except StudyError as error:
        raise StudyError(error.problems, str(plan.path)) from None


def _points(plan: PlanFile) -> tuple[drawn.Points, Mapping[str, str]]:
    """Return the draws that a plan is of, and what names their posterior."""
    told: dict[str, Any] = plan.plan
    broken = JournalError.at(
        plan.path, rule="must say which draws it is of", got="no list of them", do="Begin a new journal"
    )
    try:
        values = np.array(told["values"], np.float64)
        numbers, names = tuple(told["draws"]), tuple(told["parameters"])
        posterior = {str(name): str(text) for name, text in told["posterior"].items()}
    except (KeyError, TypeError, ValueError, AttributeError):
        raise broken from None
    whole = (
        values.shape == (len(numbers), len(names))
        and len(numbers) == told["number"]
        and all(type(number) is int and number >= 0 for number in numbers)
        and all(type(name) is str for name in names)
    )
    if not whole:
        raise broken
    return drawn.Points(numbers, names, values), posterior
