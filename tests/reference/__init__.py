"""Slow, obvious twins of the compiled core: plain Python, one idea per function, no arrays.

They share no code with the core. They read the arrays of a `Game` or of `Tables`, because those are
what the core is given; how they read them follows the documentation of those arrays.
"""

from reference.chances import committor, exact, type_weights
from reference.crisis import play, words
from reference.equilibrium import Equilibrium, answer, solve
from reference.philox import philox
from reference.rules import Outcome, outcomes

__all__ = [
    "Equilibrium",
    "Outcome",
    "answer",
    "committor",
    "exact",
    "outcomes",
    "philox",
    "play",
    "solve",
    "type_weights",
    "words",
]
