"""The record: figures that the engine is fitted to and tested on, and their computation from public data.

>>> from entangle import evidence
>>> evidence.load().by_code("C.esc5.cov1.all").events
33
>>> print(evidence.load().by_code("C.esc5.cov1.all").estimand)
P(local war or more | crisis opened by the challenger), with a pact
>>> evidence.recompute("data").equal.sum()  # doctest: +SKIP

Figures stand in :class:`Moments`, each with its interval, its denominator and the engine's side of it
(:class:`Estimand`). The data stay in the user's own copies; ``docs/evidence.md`` says what is fitted and why.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from entangle.evidence.estimands import Estimand, estimand_of
from entangle.evidence.files import Files
from entangle.evidence.moments import Combined, Moment, Moments, Source, Target

if TYPE_CHECKING:
    import xarray as xr

__all__ = [
    "Combined",
    "Estimand",
    "Files",
    "Moment",
    "Moments",
    "Source",
    "Target",
    "estimand_of",
    "load",
    "recompute",
]


def load(path: str | Path | None = None) -> Moments:
    """Read figures from a TOML file, or, without a path, the project's own; see :meth:`Moments.load`."""
    return Moments.load(path)


def recompute(folder: str | Path | Files, *, moments: Moments | None = None) -> xr.Dataset:
    """Compare stored figures with what a user's own copies of the data give.

    See :func:`entangle.evidence.recomputation.recompute`.
    """
    from entangle.evidence.recomputation import recompute

    return recompute(folder, moments=moments)
