"""Real treaties, ranked: what every bilateral defence pact of a year deters, and into what it entangles.

Each pact that bound two states in a year is put between them, with their capabilities, regimes and weapons of
that year, once for each of them that is owed help, against a typical or a named challenger. What it changes
is exact at every draw of the posterior; how the draws differ is the uncertainty.

>>> from entangle.treaties import rank, summary
>>> ranked = rank("data", 2018)  # doctest: +SKIP
>>> summary(ranked).deterrence.sel(treaty="ROK-USA 1953", direction="weaker")  # doctest: +SKIP
"""

from __future__ import annotations

from entangle.treaties.ranking import rank
from entangle.treaties.summary import summary

__all__ = ["rank", "summary"]
