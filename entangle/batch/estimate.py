"""Time and memory of a task, from a dry run on the machine at which the job files are written."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

from entangle import solve_cache
from entangle.batch.request import Request
from entangle.batch.settings import Tasks

if TYPE_CHECKING:
    from entangle.dry_run import DryRun

#: What is asked for, over the upper end of what is expected: nodes differ, and a task that is ended for
#: its time has to wait for its turn again.
MARGIN: Final = 1.5
#: For compiling the core on a node on which nobody did [s].
COMPILING: Final = 300.0
_STEP: Final = 300
_LEAST_MEMORY: Final = 1024
_MEMORY_STEP: Final = 256
_MIB: Final = 2**20


class Needs(NamedTuple):
    """What is asked of a batch system for each task.

    Parameters
    ----------
    seconds, merging
        Time of a shard, and of the merge [s].
    memory
        Of either [MiB].
    estimated
        What the dry run expects of the largest shard; None if none was needed.
    """

    seconds: int
    merging: int
    memory: int
    estimated: DryRun | None


def needs(request: Request, tasks: Tasks) -> Needs:
    """Return what each task needs: what was asked for, else what a dry run of the largest shard expects.

    Raises
    ------
    ConvergenceError
        If a pact's equilibrium could not be found.
    RunError
        If none of the draws that were tried has a solution.
    """
    seconds, memory = tasks.seconds, tasks.mebibytes
    if seconds is not None and memory is not None:
        return Needs(seconds, seconds, memory, None)
    found = forecast(request, tasks.cores)
    played = {"simulating"} if request.draws is None else {"simulating", "solving"}
    merging = math.fsum(step.most for step in found.steps if step.name not in played)
    return Needs(
        seconds or limit(found.most),
        seconds or limit(merging),
        memory or held(found.memory.total),
        found,
    )


def forecast(request: Request, cores: int) -> DryRun:
    """Return a dry run of the largest shard, as on a machine on which nothing was solved before."""
    with solve_cache.off():  # the nodes do not have what is solved on this disk
        if request.decades:
            return request.study.dry_run_decades(histories=request.largest, workers=cores)
        if request.draws is not None:
            return request.study.dry_run(
                trajectories=request.trajectories,
                attribution=request.attribution,
                draws=request.largest,
                posterior=request.posterior,
                workers=cores,
            )
        return request.study.dry_run(
            trajectories=request.largest, attribution=request.attribution, workers=cores
        )


def limit(seconds: float) -> int:
    """Return the time to ask for where a task is expected to take some seconds at most [s].

    Examples
    --------
    >>> limit(1.0), limit(3600.0)
    (600, 5700)
    """
    return _STEP * math.ceil((MARGIN * seconds + COMPILING) / _STEP)


def held(size: float) -> int:
    """Return the memory to ask for where a task is expected to hold some bytes at most [MiB].

    Examples
    --------
    >>> held(300e6), held(2e9)
    (1024, 3072)
    """
    return max(_LEAST_MEMORY, _MEMORY_STEP * math.ceil(MARGIN * size / _MIB / _MEMORY_STEP))
