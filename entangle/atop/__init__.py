"""Real treaties: what the Alliance Treaty Obligations and Provisions data say a pact contained.

The data (ATOP 4.01: Leeds, Ritter, Mitchell & Long 2002, International Interactions 28:237–260)
stay in the user's own copies of two public csv files, one row an alliance and one row a membership
spell.

>>> treaties = Treaties.read("atop-alliance-level.csv", "atop-member-level.csv")  # doctest: +SKIP
>>> korea = treaties.find(3240)  # doctest: +SKIP
>>> korea.to_pact().commitment  # doctest: +SKIP
'defence'

Which column becomes which field, with the choice made and why, is :data:`MAPPING`; which columns
are left aside and why is :data:`UNMAPPED`. Nothing is filled in silently: whatever a treaty's codes
leave open is a sentence in :attr:`entangle.pact.Pact.assumptions`.
"""

from __future__ import annotations

from entangle.atop.mapping import MAPPING, UNMAPPED, Mapped, as_markdown
from entangle.atop.reading import Treaties
from entangle.atop.terms import Coded
from entangle.atop.treaty import Day, Spell, Terms, Treaty

__all__ = [
    "MAPPING",
    "UNMAPPED",
    "Coded",
    "Day",
    "Mapped",
    "Spell",
    "Terms",
    "Treaties",
    "Treaty",
    "as_markdown",
]
