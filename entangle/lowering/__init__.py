"""Lowering: terms become arrays, clause by clause.

:func:`lower` starts from the situation without any pact and lets one function per clause change the *levers*
that the clause acts on; :func:`games` then turns levers into the arrays of the compiled core. A clause can be
left out alone (``without=("basing",)``), so that its effect can be measured.
"""

from entangle.lowering.arrays import game, games
from entangle.lowering.clauses import CLAUSE_FUNCTIONS, lower
from entangle.lowering.levers import Levers, Setting, no_pact

__all__ = ["CLAUSE_FUNCTIONS", "Levers", "Setting", "game", "games", "lower", "no_pact"]
