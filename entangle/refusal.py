"""How a file is refused: where, the rule, what came instead, what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from entangle.errors import ResultError, show

#: What to do about a file that no longer is what was written.
AGAIN: Final = "Take another copy of it, or run the study again"


def refused(path: str | Path, where: str, rule: str, got: object = None, do: str = AGAIN) -> ResultError:
    """Return the error by which a file is refused.

    Parameters
    ----------
    where
        The attribute, variable or part that is wrong; empty for the whole file.
    rule
        What must hold.
    got
        What came; left out if None.
    do
        What to do.
    """
    text = f"{path}: {where}: {rule}" if where else f"{path}: {rule}"
    if got is not None:
        text += f", got {got if isinstance(got, str) else show(got)}"
    return ResultError(f"{text}. {do}." if do else f"{text}.")
