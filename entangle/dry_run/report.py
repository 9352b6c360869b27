"""What a dry run found: steps with their times, counts, and memory."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Step:
    """A step of a run.

    Parameters
    ----------
    name
        What is done.
    work
        How much of it, in words.
    seconds, least, most
        How long it is expected to take by the clock on the wall, and a range that it should be within [s].
    """

    name: str
    work: str
    seconds: float
    least: float
    most: float

    @classmethod
    def about(cls, name: str, work: str, seconds: float, *, within: float = 1.5) -> Step:
        """Return a step that takes `seconds`, up to a factor either way."""
        return cls(name, work, seconds, seconds / within, seconds * within)


@dataclass(frozen=True)
class Memory:
    """Most memory that a run holds [bytes].

    Parameters
    ----------
    process
        The process of one worker: the interpreter, its libraries, the study, and what one block needs. All
        threads share it.
    worker
        What each further thread adds.
    threads
        Threads that the run has.
    """

    process: int
    worker: int
    threads: int

    @property
    def total(self) -> int:
        """All threads of one process together [bytes]."""
        return self.process + (self.threads - 1) * self.worker


@dataclass(frozen=True)
class DryRun:
    """What a study is expected to take; see :meth:`entangle.Study.dry_run`.

    Parameters
    ----------
    what
        "crises", "draws" or "histories".
    counts
        How much there is to do. They follow from the study; what is ``expected_...`` from exact
        probabilities.
    steps
        What is done, in order.
    memory
        How much is held.
    measuring
        How long this took itself [s]: what it solved on disk will not be solved again.
    compiled
        Files of machine code that had to be written first; they are kept on disk.
    """

    what: str
    counts: dict[str, int]
    steps: tuple[Step, ...]
    memory: Memory
    measuring: float
    compiled: int

    @property
    def seconds(self) -> float:
        """Expected time in all [s]."""
        return math.fsum(step.seconds for step in self.steps)

    @property
    def least(self) -> float:
        """Lower end of the range of the time in all [s]."""
        return math.fsum(step.least for step in self.steps)

    @property
    def most(self) -> float:
        """Upper end of the range of the time in all [s]."""
        return math.fsum(step.most for step in self.steps)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data, for JSON."""
        return {
            "what": self.what,
            "seconds": self.seconds,
            "seconds_least": self.least,
            "seconds_most": self.most,
            "steps": {
                step.name: {k: v for k, v in asdict(step).items() if k != "name"} for step in self.steps
            },
            "memory_bytes": {**asdict(self.memory), "total": self.memory.total},
            "counts": dict(self.counts),
            "measuring_seconds": self.measuring,
            "compiled_files": self.compiled,
        }

    def summary(self) -> str:
        """Return the report as text, at most 80 columns wide."""
        from entangle.tables.dry_run import as_text

        return as_text(self)
