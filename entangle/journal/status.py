"""What a journal holds, without playing anything."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from entangle.journal import kept, planfile
from entangle.journal.kept import Span
from entangle.journal.planfile import PlanFile
from entangle.journal.shares import journals_in
from entangle.shards import Shard


@dataclass(frozen=True)
class Status:
    """What a journal holds, every file of which was found whole.

    Parameters
    ----------
    plan
        What it is of.
    kept
        What it holds, in order.
    missing
        First unit of each stretch that it lacks, and the one after its last.
    """

    plan: PlanFile
    kept: tuple[Span, ...]
    missing: tuple[tuple[int, int], ...]

    @property
    def path(self) -> Path:
        """Its folder."""
        return self.plan.path.parent

    @property
    def shard(self) -> Shard:
        """Which share of the blocks it is for."""
        return self.plan.shard

    @property
    def done(self) -> int:
        """Units that it holds."""
        return sum(span.size for span in self.kept)

    @property
    def number(self) -> int:
        """Units of its share; the most it can be if the run stops when enough is known."""
        first, stop = self.plan.share
        return stop - first

    @property
    def whole(self) -> bool:
        """Whether it lacks nothing."""
        return not self.missing

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data for JSON."""
        return {
            "journal": str(self.path),
            "kind": self.plan.plan["kind"],
            "title": self.plan.plan["study"].get("title"),
            "fingerprint": self.plan.fingerprint,
            "shard": self.shard.which,
            "of": self.shard.of,
            "seed": self.plan.plan["seed"],
            "done": self.done,
            "number": self.number,
            "at_most": self.plan.open_ended,
            "files": len(self.kept),
            "missing": [list(gap) for gap in self.missing],
            "whole": self.whole,
        }

    def __str__(self) -> str:
        """Return it in a few lines."""
        told = self.to_dict()
        part = f"shard {self.shard.which} of {self.shard.of} of " if self.shard.of > 1 else ""
        most = "at most " if self.plan.open_ended else ""
        lines = [
            f"{self.path}: {part}{told['kind']} of {told['title'] or 'a study without a title'}",
            f"  plan {told['fingerprint'][:12]}, seed {told['seed']}",
            f"  {self.done:,} of {most}{self.number:,} {told['kind']} in {len(self.kept):,} files",
        ]
        if self.whole:
            lines.append("  nothing is missing")
        else:
            shown = [f"{first:,} to {stop - 1:,}" for first, stop in self.missing[:5]]
            more = len(self.missing) - len(shown)
            lines.append(f"  missing: {'; '.join(shown)}{f' and {more:,} more stretches' if more else ''}")
        return "\n".join(lines)


def status(path: str | Path) -> list[Status]:
    """Return what a journal, or each of the shards in a folder, holds; every file is read.

    Raises
    ------
    JournalError
        If it is no journal, or a file in it is damaged, foreign or of another plan.
    """
    return [_of(planfile.read(own)) for own in journals_in(path)]


def _of(plan: PlanFile) -> Status:
    found = kept.spans(plan)
    return Status(plan, tuple(found), tuple(kept.gaps(found, *plan.share)))
