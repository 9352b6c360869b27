"""What every batch system is told about its tasks, checked before a file is written."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Any, Final, Self

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from entangle.base import Table
from entangle.errors import StudyError, show

_TIME: Final = re.compile(r"(?:(\d{1,3})-)?(\d{1,2}):(\d{2}):(\d{2})", re.ASCII)
_MEMORY: Final = re.compile(r"(\d{1,7})([MG])", re.ASCII)
_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?", re.ASCII)


def ruled(holds: Callable[[str], bool], *, rule: str, do: str = "") -> AfterValidator:
    """Return a validator of text that tells its rule in this package's words."""

    def check(text: str) -> str:
        if not holds(text):
            raise PydanticCustomError(
                "cross_field", "{rule}", {"field": (), "rule": rule, "got": show(text), "do": do}
            )
        return text

    return AfterValidator(check)


def matched(pattern: str, *, rule: str, do: str = "") -> AfterValidator:
    """Return a validator of text that must match a pattern from its first character to its last."""
    whole = re.compile(pattern, re.ASCII)
    return ruled(lambda text: whole.fullmatch(text) is not None, rule=rule, do=do)


def one_line(text: str) -> bool:
    """Whether text is one line, and holds nothing that is not seen but acts."""
    return bool(text.strip()) and all(letter == "\t" or letter.isprintable() for letter in text)


Time = Annotated[
    str,
    ruled(
        lambda text: (found := _TIME.fullmatch(text)) is not None and _seconds(found) > 0,
        rule="must be hours:minutes:seconds or days-hours:minutes:seconds",
        do="Such as 02:30:00, or 1-00:00:00 for a day",
    ),
]
Memory = Annotated[
    str,
    ruled(
        lambda text: (found := _MEMORY.fullmatch(text)) is not None and int(found[1]) > 0,
        rule="must be a whole number with the unit M or G",
        do="Such as 1500M, or 4G",
    ),
]
JobName = Annotated[
    str,
    ruled(
        lambda text: _NAME.fullmatch(text) is not None,
        rule="must be at most 40 lower-case letters and digits, with hyphens between them",
        do="Such as us-rok",
    ),
]


class Tasks(Table):
    """What one task of a batch gets; the same for every shard.

    Parameters
    ----------
    name
        Of the job.
    cores
        Of each task.
    time
        Most that a task may take, as (days-)hours:minutes:seconds; estimated by a dry run if not given.
    memory
        Of each task, such as ``4G``; estimated by a dry run if not given.
    """

    name: JobName
    cores: Annotated[int, Field(ge=1, le=1024)] = 1
    time: Time | None = None
    memory: Memory | None = None

    @classmethod
    def of(cls, **options: Any) -> Self:
        """Return the settings for options of the command line, which an error names as such.

        Raises
        ------
        StudyError
            If an option breaks a rule; lists all that do.
        """
        try:
            return cls(**options)
        except StudyError as error:
            raise StudyError(
                replace(problem, location=(f"--{str(problem.location[0]).replace('_', '-')}",))
                for problem in error.problems
            ) from None

    @property
    def seconds(self) -> int | None:
        """The time that was asked for [s]."""
        found = _TIME.fullmatch(self.time or "")
        return None if found is None else _seconds(found)

    @property
    def mebibytes(self) -> int | None:
        """The memory that was asked for [MiB]."""
        found = _MEMORY.fullmatch(self.memory or "")
        return None if found is None else int(found[1]) * (1024 if found[2] == "G" else 1)


def name_from(stem: str) -> str:
    """Return a name for a job from that of a file.

    Examples
    --------
    >>> name_from("us_rok"), name_from("Zwei Länder; rm -rf"), name_from("...")
    ('us-rok', 'zwei-l-nder-rm-rf', 'entangle')
    """
    words = re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-")
    return words[:40].strip("-") or "entangle"


def clock(seconds: float) -> str:
    """Return a time as days-hours:minutes:seconds.

    Examples
    --------
    >>> clock(90_061)
    '1-01:01:01'
    """
    whole = math.ceil(seconds)
    days, rest = divmod(whole, 86_400)
    hours, rest = divmod(rest, 3600)
    return f"{days}-{hours:02}:{rest // 60:02}:{rest % 60:02}"


def _seconds(found: re.Match[str]) -> int:
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return 86_400 * days + 3600 * hours + 60 * minutes + seconds
