"""Journals that are merged: all of a run, from wherever its shares were played."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, TypeVar

from entangle.errors import JournalError
from entangle.journal import kept, planfile
from entangle.journal.kept import Span
from entangle.shards import Shard
from entangle.work import Outline, Work, fingerprint

R = TypeVar("R")

_SHARD: Final = re.compile(r"shard-\d+-of-\d+", re.ASCII)


def journals_in(path: str | Path) -> list[Path]:
    """Return the journal that a folder is, or those of the shards in it.

    Raises
    ------
    JournalError
        If it is neither.
    """
    path = Path(path)
    if path.is_dir() and not (path / planfile.NAME).exists():
        found = sorted(entry for entry in path.iterdir() if _SHARD.fullmatch(entry.name))
        if found:
            return found
    planfile.read(path)  # tells what is wrong
    return [path]


class Shares:
    """What is kept in some journals, all of the same plan; to be read.

    Parameters
    ----------
    paths
        Folders of journals, or of shards.

    Raises
    ------
    JournalError
        If one is damaged or of another plan, two count the same, or something is missing.
    """

    def __init__(self, paths: Iterable[str | Path]) -> None:
        self.shard = Shard()
        folders = [own for path in paths for own in journals_in(path)]
        if not folders:
            raise ValueError("there must be at least one journal to merge")
        self.plans = [planfile.read(own) for own in folders]
        self.plan = self.plans[0]
        self._alike()
        self._spans = sorted(span for plan in self.plans for span in kept.spans(plan))
        for one, other in pairwise(self._spans):
            if other.first < one.stop:
                raise kept.overlapping(one, other)
        if not self.plan.open_ended:
            self._whole(0, self.plan.plan["number"])

    def _alike(self) -> None:
        places: dict[str, Path] = {}
        for plan in self.plans:
            own = plan.path.parent
            place = os.path.realpath(own)
            if place in places:
                raise JournalError.at(
                    own, rule="must be named once", got=f"it also as {places[place]}", do="Name it once"
                )
            places[place] = own
            planfile.must_agree(
                own,
                plan.plan,
                self.plan.plan,
                rule=f"must be of the same plan as {self.plan.path.parent} ('here')",
                do="Merge what belongs together",
            )

    def _whole(self, first: int, stop: int) -> None:
        missing = list(kept.gaps(self._spans, first, stop))
        if not missing:
            return
        units = sum(end - begin for begin, end in missing)
        begin, end = missing[0]
        kind = self.plan.plan["kind"]
        got = f"{units:,} of {stop - first:,} {kind} missing, the first of them {begin:,} to {end - 1:,}"
        raise JournalError.at(
            self.plan.path.parent, rule="must be whole to be merged", got=got, do=self._what_to_do(missing)
        )

    def _what_to_do(self, missing: Sequence[tuple[int, int]]) -> str:
        """Return which shards are to be finished, or to be added."""
        lacking = [
            plan.path.parent
            for plan in self.plans
            if any(begin < plan.share[1] and end > plan.share[0] for begin, end in missing)
        ]
        if lacking:
            return f"Finish it first: `entangle resume {lacking[0]}`"
        parts = {plan.shard.of for plan in self.plans}
        if len(parts) == 1:
            of = parts.pop()
            absent = sorted(set(range(of)) - {plan.shard.which for plan in self.plans})
            shown = ", ".join(map(str, absent[:8])) + (" ..." if len(absent) > 8 else "")
            return f"Play shard{'s' if len(absent) > 1 else ''} {shown} of {of}, or name where it is kept"
        return "Play what is missing, or name where it is kept"

    def open(self, outline: Outline) -> None:
        """Compare the plan with what this version of the package makes of it."""
        planfile.must_agree(
            self.plan.path.parent,
            self.plan.plan,
            outline.plan,
            do="Merge it with the versions that played it",
        )

    def begin(self, work: Work[Any, Any]) -> None:
        """Compare the solved games with those that were played."""
        planfile.must_agree(
            self.plan.path.parent,
            self.plan.plan,
            work.plan,
            do="With the same versions, the games came out otherwise on this machine: merge on one like "
            "those that played",
        )

    def spans(self, first: int, stop: int) -> list[Span]:
        """Return what is kept of the units from `first` to before `stop`: all of them.

        Raises
        ------
        JournalError
            If something is missing.
        """
        self._whole(first, stop)
        return kept.within(self._spans, first, stop)

    def read(self, span: Span, work: Work[Any, R]) -> R:
        """Return what a task gave."""
        return kept.unpacked(span, work, fingerprint(self.plan.plan))

    def keep(self, first: int, size: int, part: R, work: Work[Any, R]) -> None:
        """Never keep anything: what is merged is all there."""
        raise AssertionError("a merge computes no block")

    def close(self) -> None:
        """Do nothing: nothing is held."""

    @property
    def told(self) -> str:
        """What to do when a merge has ended before its time."""
        return "Nothing was written."
