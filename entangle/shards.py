"""Shares of a run: shard i of N plays its part of the blocks, whoever and wherever it is.

Shards are counted from 0, like the tasks of an Indexed Job of Kubernetes and of a SLURM array
``--array=0-7``. The shares are contiguous, differ by a block at most, and depend on nothing but the number
of blocks and N.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final, NamedTuple

from entangle.errors import StudyError

#: Where a batch system says which task of an array this is.
_INDICES: Final = ("JOB_COMPLETION_INDEX", "SLURM_ARRAY_TASK_ID")
#: Where whoever writes the job can say how many shards there are.
_NUMBER: Final = "ENTANGLE_SHARDS"


class Shard(NamedTuple):
    """A share of the blocks of a run.

    Parameters
    ----------
    which, of
        Which one, from 0, of how many.
    """

    which: int = 0
    of: int = 1

    @property
    def name(self) -> str:
        """Name of the folder in which it keeps its journal: ``shard-03-of-12``."""
        width = len(str(self.of))
        return f"shard-{self.which:0{width}}-of-{self.of}"

    def share(self, number: int, block: int) -> tuple[int, int]:
        """Return the first unit of the share of `number` units, in blocks, and the one after its last."""
        blocks = -(-number // block)
        start, stop = (blocks * i // self.of for i in (self.which, self.which + 1))
        return start * block, min(stop * block, number)

    @classmethod
    def read(cls, text: str, environment: Mapping[str, str] | None = None) -> Shard:
        """Return the shard that is asked for.

        Parameters
        ----------
        text
            ``3/8`` for shard 3 of 8, which are counted from 0; ``auto/8`` to learn from a SLURM array or an
            Indexed Job of Kubernetes which one this is; ``auto`` to learn from it or from the variable
            ENTANGLE_SHARDS also how many there are.
        environment
            Variables of the environment; those of this process if not given.

        Raises
        ------
        StudyError
            If the text or the environment does not say it.
        """
        variables = os.environ if environment is None else environment
        first, slash, second = text.strip().partition("/")
        if first == "auto":
            index = _index(variables)
            of = _whole(second, text) if slash else _of(variables)
        else:
            index, of = _whole(first, text), _whole(second, text)
        if of < 1 or not 0 <= index < of:
            raise StudyError.single(
                "shard",
                rule="must be counted from 0 and be below the number of shards",
                got=f"{index} of {of}",
                do=f"Use 0 to {of - 1}" if of > 0 else "Use one shard or more",
            )
        return cls(index, of)


def fits(shard: Shard, number: int, block: int) -> None:
    """Refuse a shard that would have no block.

    Raises
    ------
    StudyError
        If there are more shards than blocks.
    """
    blocks = -(-number // block)
    if shard.of > blocks:
        raise StudyError.single(
            "shard",
            rule=f"must be one of at most as many as there are blocks, here {blocks:,} of {block:,}",
            got=f"{shard.of:,} shards",
            do="Use fewer",
        )


def _whole(text: str, given: str) -> int:
    if text.isascii() and text.isdigit() and len(text) <= 9:
        return int(text)
    raise StudyError.single(
        "shard",
        rule="must be I/N, such as 3/8 for shard 3 of 8, auto/N or auto",
        got=repr(given),
        do="Shards are counted from 0",
    )


def _index(variables: Mapping[str, str]) -> int:
    for name in _INDICES:
        told = variables.get(name)
        if told is not None:
            return _number(name, told)
    raise StudyError.single(
        "shard",
        rule="can be `auto` only in a task of an array",
        got=f"neither {' nor '.join(_INDICES)} in the environment",
        do="Say which one, such as 3/8",
    )


def _of(variables: Mapping[str, str]) -> int:
    told = variables.get(_NUMBER)
    if told is not None:
        return _number(_NUMBER, told)
    count, least, most = (variables.get(f"SLURM_ARRAY_TASK_{name}") for name in ("COUNT", "MIN", "MAX"))
    if count is not None and least == "0" and most is not None:
        found = _number("SLURM_ARRAY_TASK_COUNT", count)
        # not of an array that was begun again in part, such as --array=0,3
        if found > 1 and found == _number("SLURM_ARRAY_TASK_MAX", most) + 1:
            return found
    raise StudyError.single(
        "shard",
        rule="can be `auto` only if the environment says how many shards there are",
        got=f"no {_NUMBER}, and no whole SLURM array 0-N",
        do="Say how many, such as auto/8",
    )


def _number(name: str, text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) <= 9:
        return int(text)
    raise StudyError.single(
        "shard", rule=f"needs a whole number in {name}", got=repr(text), do="Say which one, such as 3/8"
    )
