"""Whether a result is what its study gives: a part of it made again, bit for bit.

A result holds its whole study, so that anyone can make it again. Of a large one a sample is enough to find
faults that are not rare: the games are solved again, and some stretches of trajectories, some blocks of
histories, or some draws are played again and compared with the digests, or with the draws, of the file. A
fault in a share f of the stretches is missed by n of them with a chance of at most (1 - f)^n. A result of no
more stretches than are asked for is made again whole, and every number of it compared.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import xarray as xr

from entangle import provenance
from entangle.errors import ReproducibilityWarning, ResultError
from entangle.saved import Saved, load_result

if TYPE_CHECKING:
    from distributed import Client

    from entangle.decades_result import Decades
    from entangle.ensemble import Ensemble
    from entangle.result import Result

#: Stretches that are played again unless more are asked for.
BLOCKS: Final = 16
#: Which stretches, unless others are asked for.
SAMPLE: Final = 1

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Check:
    """One thing that was made again.

    Parameters
    ----------
    what
        What it was.
    right
        Whether it has the same bits.
    detail
        How much, or where it is not the same.
    """

    what: str
    right: bool
    detail: str


@dataclass(frozen=True)
class Verification:
    """What making a part of a result again has shown.

    Parameters
    ----------
    checks
        What was made again, in order.
    whole
        Whether everything was.
    made_by, verified_by
        Versions of what made the result, and of what verified it.
    notes
        What else is to be known.
    """

    checks: tuple[Check, ...]
    whole: bool
    made_by: dict[str, str]
    verified_by: dict[str, str]
    notes: tuple[str, ...] = field(default=())

    @property
    def right(self) -> bool:
        """Whether all that was made again has the same bits."""
        return all(check.right for check in self.checks)

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data for JSON."""
        return {"right": self.right, **asdict(self)}

    def summary(self) -> str:
        """Return it in plain text."""
        extent = "all of it made again" if self.whole else "a part of it made again"
        lines = [f"{'verified' if self.right else 'NOT WHAT THE STUDY GIVES'} ({extent})"]
        lines += [
            f"  {'same bits' if check.right else 'OTHER BITS'}  {check.what}: {check.detail}"
            for check in self.checks
        ]
        for said, versions in (("made by", self.made_by), ("verified by", self.verified_by)):
            lines.append(f"  {said} " + ", ".join(f"{name} {text}" for name, text in versions.items()))
        return "\n".join([*lines, *(f"  {note}" for note in self.notes)]) + "\n"

    def __repr__(self) -> str:
        """Return what it has shown."""
        return f"<entangle.Verification: {self.summary().splitlines()[0]}>"


def verify(
    result: Saved | str | Path,
    *,
    blocks: int | None = BLOCKS,
    sample: int = SAMPLE,
    executor: Executor | Client | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Verification:
    """Make a part of a result again from the study that it holds, and compare bits.

    Parameters
    ----------
    result
        A result or its file.
    blocks
        Stretches of trajectories, blocks of histories or draws to play again, at least 1; all if None. If the
        result has no more, all of it is made again.
    sample
        Which ones: the same number, the same ones; the first and the last are always among them.
    executor, workers
        Where to compute; as for :meth:`entangle.Study.run`.
    progress
        Called with (stretches done, stretches in all).

    Raises
    ------
    ResultError
        If the file cannot be read, or cannot be verified by this version: another use of random words, or no
        digests to compare a part with.
    ConvergenceError
        If an equilibrium could not be found.
    """
    if blocks is not None and blocks < 1:
        raise ValueError(f"blocks must be at least 1, got {blocks}")
    found = result if isinstance(result, Saved) else load_result(result)
    scheme = int(found.data.attrs["random_scheme"])
    if scheme != provenance.RANDOM_SCHEME:
        raise ResultError(
            f"This result was made with random scheme {scheme}, and this version uses "
            f"{provenance.RANDOM_SCHEME}: it can be verified only by a version that uses the same. It was "
            f"made by {found.data.attrs['versions']}."
        )
    total = _stretches(found)
    if blocks is None or total <= blocks:
        checks, whole = [_again(found, executor, workers, progress)], True
    else:
        if total == _UNKNOWN:
            raise ResultError(
                "This file is of an older format, without digests of its stretches: only all of it can be "
                "made again. Ask for all of it."
            )
        chosen = _chosen(total, blocks, sample)
        checks, whole = list(_BY_KIND[found.kind](found, chosen, executor, workers, progress)), False
    made_by: dict[str, str] = json.loads(found.data.attrs["versions"])
    now = provenance.versions()
    notes = []
    if not all(check.right for check in checks) and made_by != now:
        notes.append("Other versions made it: those may be why. Numbers are promised for equal versions.")
    return Verification(tuple(checks), whole, made_by, now, tuple(notes))


#: More stretches than any sample has.
_UNKNOWN: Final = 2**62


def _stretches(found: Saved) -> int:
    """Return how many parts a result has that can be played again by themselves."""
    if found.kind == "draws":
        return int(found.data.sizes["draw"])
    if str(found.data.attrs["method"]) == "exact":
        return 1
    if "stretch" in found.data.dims:
        return int(found.data.sizes["stretch"])
    from entangle.blocks import STRETCH
    from entangle.decades import BLOCK

    histories = found.kind == "histories"
    number = int(found.data.attrs["histories" if histories else "trajectories"])
    return 1 if number <= (BLOCK if histories else STRETCH) else _UNKNOWN


def _chosen(total: int, number: int, sample: int) -> list[int]:
    """Return which of a number of stretches to play again, in order."""
    ends = {0, total - 1} if number > 1 else {0}
    draw = np.random.Generator(np.random.Philox(key=sample % 2**64))
    others = [i for i in draw.permutation(total).tolist() if i not in ends]
    return sorted([*ends, *others][:number])


# -- all of it ---------------------------------------------------------------------------------------


def _again(
    found: Saved, executor: Executor | Client | None, workers: int | None, progress: Progress | None
) -> Check:
    from entangle.decades_result import Decades
    from entangle.ensemble import Ensemble
    from entangle.result import Result

    again: Saved
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ReproducibilityWarning)  # told by the verdict
        if isinstance(found, Decades):
            again = found.study.decades(
                histories=found.number,
                seed=found.seed,
                executor=executor,
                workers=workers,
                progress=progress,
            )
        elif isinstance(found, Ensemble | Result):
            again = found.rerun(executor=executor, workers=workers)
        else:
            raise ResultError(f"A result of {found.kind} cannot be made again.")
    other = list(_other(found.data, again.data))
    if other:
        more = f" and {len(other) - 5} more" if len(other) > 5 else ""
        return Check("every number", False, f"not the same: {', '.join(other[:5])}{more}")
    return Check("every number", True, f"{len(found.data.variables)} variables")


def _other(one: xr.Dataset, again: xr.Dataset) -> Iterator[str]:
    """Yield the variables of a file that are not what was made again; of an older format, of what it has."""
    for name, variable in one.variables.items():
        made = again.variables.get(name)
        if (
            made is None
            or made.dims != variable.dims
            or made.shape != variable.shape
            or provenance.bits(made.values) != provenance.bits(variable.values)
        ):
            yield str(name)


# -- a part of it ------------------------------------------------------------------------------------


def _disputes(
    found: Result,
    chosen: Sequence[int],
    executor: Executor | Client | None,
    workers: int | None,
    progress: Progress | None,
) -> Iterator[Check]:
    from entangle import engine, tabulate

    study, data = found.study, found.data
    pacts, plan, known = engine.prepared(study, workers=workers)
    solved = tabulate.tabulate(study, pacts, known, tally=None).data
    exact = ("table_hash", "exact", "rung_exact", "net_exact", "counterfactual_exact", "solver_residual")
    there = [name for name in exact if name in data]
    yield _same("solved games", data[there], solved[there], f"{len(pacts)} pacts")
    yield _derived(found)
    size, number = int(data["first"].attrs["size"]), found.trajectories
    wrong = []
    for done, i in enumerate(chosen, start=1):
        first = i * size
        tally = engine.simulate(
            plan,
            seed=study.simulation.seed,
            first=first,
            trajectories=min(size, number - first),
            executor=executor,
            workers=workers,
        )
        words = tally.digests.total()
        told = [data.cells_digest.values[i]]
        made = [words[: len(pacts)]]
        if "pairs_digest" in data:
            told.append(data.pairs_digest.values[i : i + 1])
            made.append(words[len(pacts) :].sum(keepdims=True))
        if any(np.any(one != other) for one, other in zip(told, made, strict=True)):
            wrong.append(f"{first:,}")
        if progress is not None:
            progress(done, len(chosen))
    yield _played(wrong, chosen, data.sizes["stretch"], f"stretches of {size:,} disputes")


def _derived(found: Result) -> Check:
    """Check what a result reckons from its counts: shares and their intervals."""
    from entangle.estimators import wilson

    data, confidence = found.data, float(found.data.attrs["confidence"])
    wrong = []
    for prefix in ("", "rung_"):
        ends = wilson(data[f"{prefix}count"], data[f"{prefix}trials"], confidence=confidence)
        for name, made in zip(("lower", "upper"), ends, strict=True):
            if provenance.bits(np.asarray(made)) != provenance.bits(data[prefix + name].values):
                wrong.append(prefix + name)
    return Check(
        "intervals", not wrong, f"not the same: {', '.join(wrong)}" if wrong else "of the counts in the file"
    )


def _histories(
    found: Decades,
    chosen: Sequence[int],
    executor: Executor | Client | None,
    workers: int | None,
    progress: Progress | None,
) -> Iterator[Check]:
    from entangle import decades
    from entangle.digests import Digests
    from entangle.executors import Task, completed

    data = found.data
    _, _, plan = decades.prepared(found.study, workers, None)
    size, number = int(data["first"].attrs["size"]), found.number
    tasks = [
        Task(found.seed, start, min(decades.BLOCK, number - start))
        for i in chosen
        for start in range(i * size, min((i + 1) * size, number), decades.BLOCK)
    ]
    sums = {i: Digests(1) for i in chosen}
    stream = completed(decades.play, plan, iter(tasks), executor=executor, workers=workers)
    with closing(stream):
        for done, (task, part) in enumerate(stream, start=1):
            sums[task.first // size].add(0, part.digests)
            if progress is not None:
                progress(done, len(tasks))
    wrong = [f"{i * size:,}" for i in chosen if sums[i].total()[0] != data.histories_digest.values[i]]
    # a stretch is played in solved games: other games give other histories
    yield _played(wrong, chosen, data.sizes["stretch"], f"stretches of {size:,} histories")


def _draws(
    found: Ensemble,
    chosen: Sequence[int],
    executor: Executor | Client | None,
    workers: int | None,
    progress: Progress | None,
) -> Iterator[Check]:
    again = found.some(chosen, executor=executor, workers=workers, progress=progress)
    names = ("probability", "standard_error", "count", "trials", "solved")
    kept = [name for name in names if name in found.data]
    mine = found.data[kept].isel(draw=list(chosen))
    theirs = again.data[kept] if again.draws == len(chosen) else again.data[[]]
    of = f"{len(chosen)} of {found.draws}"
    yield _same("draws", mine, theirs, of)


def _same(what: str, one: xr.Dataset, other: xr.Dataset, extent: str) -> Check:
    wrong = [name for name in _other(one, other) if name in one.data_vars]
    return Check(what, not wrong, f"not the same: {', '.join(wrong)}" if wrong else extent)


def _played(wrong: Sequence[str], chosen: Sequence[int], total: int, what: str) -> Check:
    if wrong:
        more = f" and {len(wrong) - 5} more" if len(wrong) > 5 else ""
        return Check(what, False, f"{len(wrong)} of {len(chosen)}, from {', '.join(wrong[:5])}{more}")
    return Check(what, True, f"{len(chosen)} of {total}")


_BY_KIND: Final[dict[str, Callable[..., Iterator[Check]]]] = {
    "disputes": _disputes,
    "histories": _histories,
    "draws": _draws,
}
