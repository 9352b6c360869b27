"""Which ATOP column becomes which field of a pact, by which choice and why.

ATOP codes whether a treaty has a provision, rarely how much of it. Every number here that is not
the treaty's own is therefore a judgement; each is repeated, with the codes that called for it,
among the assumptions of every pact that it touches, and one line of TOML changes it.

What the codes mean was held against the data themselves: ATOP's summary columns (`hinst`, `minst`,
`milorg`) follow, without an exception in 745 alliances, from `intcom`, `milcon`, `base`, `subord`,
`contrib`, `milaid` and the organisations by the meanings used here. `speclgth`, `renounce`,
`proren`, `ecaid` and `base` 1 rest on treaties whose texts are well known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

# -- the choices -----------------------------------------------------------------------------------

#: Share of disputes in scope when the duty holds against certain adversaries, and these are not
#: coded; and when they are, and the challenger is another one (a treaty against Japan "or any other
#: State which should unite with Japan" is not quite void against others).
UNKNOWN_ADVERSARY: Final = 0.5
OTHER_ADVERSARY: Final = 0.25
#: Share of disputes in scope when the duty holds in certain places: these are mostly the members'
#: own, where most of their disputes are.
LOCATION: Final = 0.8
#: Share when the duty belongs to one conflict, already under way when the treaty was made.
ONGOING_CONFLICT: Final = 0.5
#: Share when the duty holds only against several attackers at once: 184 of the 2 436 disputes
#: (7.6 %) in Militarized Interstate Disputes 5.0 (Palmer et al. 2022, CMPS 39) had two or more
#: states on the side listed first.
SEVERAL_ADVERSARIES: Final = 0.08
#: Share when the adversary must first have refused a demand.
REFUSED_DEMAND: Final = 0.5

#: What is still owed to a partner who used force first: by a treaty that promises help in attack
#: too; by one that promises defence, where it can be argued; by one that excludes provocation.
PROVOKED_OFFENCE: Final = 1.0
PROVOKED_DEFENCE: Final = 0.25
PROVOKED_EXCLUDED: Final = 0.0

#: Depth of consultation that a bare duty to consult in a crisis gives.
CONSULTATION: Final = 0.5

#: Contributions to integration, added up and cut at 1. Their order is that of Leeds & Anac 2005
#: (International Interactions 31), who call an integrated command or a common defence policy high,
#: and peacetime contact, a military organisation, subordination or fixed contributions moderate.
INTEGRATED_COMMAND: Final = 0.5
MILITARY_CONTACT: Final[Mapping[int, float]] = {1: 0.05, 2: 0.15, 3: 0.3}
MILITARY_ORGANISATION: Final = 0.15
SUBORDINATION: Final = 0.1
CONTRIBUTIONS: Final = 0.1

#: Contributions to assistance, as a share of the protégé's own capability.
MILITARY_AID: Final[Mapping[int, float]] = {1: 0.05, 2: 0.1, 3: 0.05, 4: 0.15}
ECONOMIC_AID: Final[Mapping[int, float]] = {1: 0.02, 2: 0.02, 3: 0.0}

#: Months of notice where leaving is provided for: the period most treaties name.
NOTICE_MONTHS: Final = 12.0


# -- the table -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Mapped:
    """One row of the mapping.

    Parameters
    ----------
    column
        ATOP's column.
    meaning
        What it records.
    fields
        The pact fields it acts on; empty if it only helps to seat the actors.
    choice
        Which code becomes what.
    why
        Why so.
    codes
        The codes whose meaning is clear; empty if any whole number from 0 up is.
    member
        Whether only the member-level file has it.
    """

    column: str
    meaning: str
    fields: tuple[str, ...]
    choice: str
    why: str
    codes: frozenset[int] = frozenset({0, 1})
    member: bool = False


def _upto(last: int) -> frozenset[int]:
    return frozenset(range(last + 1))


_ANY: Final[frozenset[int]] = frozenset()
_DEGREE = "the order follows Leeds & Anac 2005; the size is a judgement"

#: Every column that becomes something, in the order of the pact's clauses.
MAPPING: Final[tuple[Mapped, ...]] = (
    Mapped(
        "defense", "a member promises active help if a partner is attacked",
        ("commitment", "reciprocal", "guarantor", "coalition"),
        "1: commitment 'defence'; owed by one partner only: reciprocal false, that one guarantor; "
        "owed by several besides the protégé: a coalition",
        "conditions limit when the duty holds, so they act on coverage; how much choice of action "
        "the text leaves is not coded, so no treaty becomes 'conditional' or 'automatic'",
    ),
    Mapped(
        "asymm", "the members' obligations differ", ("reciprocal", "guarantor"),
        "1: who owes defence is read from the member file; without that file nobody is exempted",
        "obligations can differ in bases or aid while both owe defence",
    ),
    Mapped(
        "defcon", "the duty of defence holds only under conditions", ("coverage",),
        "1: the condition is read from the member file; without that file coverage is left out",
        "the column does not say what the condition is",
    ),
    Mapped(
        "defcoadv", "only against certain adversaries", ("coverage",),
        f"1: whole coverage against an adversary the treaty names, times {OTHER_ADVERSARY} against "
        f"another, times {UNKNOWN_ADVERSARY} if none is coded",
        "the share of disputes that are with the right adversary", member=True,
    ),
    Mapped(
        "defcoloc", "only in certain places", ("coverage",), f"1: coverage times {LOCATION}",
        "the places are mostly the members' own territory, where most of their disputes are",
        member=True,
    ),
    Mapped(
        "defcocon", "only in a conflict already under way", ("coverage",),
        f"1: coverage times {ONGOING_CONFLICT}", "that conflict is one of those that may arise",
        member=True,
    ),
    Mapped(
        "defconum", "only against a certain number of adversaries", ("coverage",),
        f"1: coverage times {SEVERAL_ADVERSARIES}",
        "two or more states stood on the side listed first in 7.6 % of the disputes of MID 5.0",
        member=True,
    ),
    Mapped(
        "defcodem", "only after the adversary refused a demand", ("coverage",),
        f"1: coverage times {REFUSED_DEMAND}", "a judgement", member=True,
    ),
    Mapped(
        "defconpr", "only if the partner did not provoke", ("provoked_discount",),
        f"1: {PROVOKED_EXCLUDED}", "the treaty itself owes nothing to a provoker", member=True,
    ),
    Mapped(
        "offense", "a member promises active help in an attack, too", ("provoked_discount",),
        f"1: {PROVOKED_OFFENCE}; 0: {PROVOKED_DEFENCE}",
        "a promise of defence alone owes nothing to an attacker, but who attacked first can be "
        "argued (Benson 2011, JOP 73)",
    ),
    Mapped(
        "specthrt", "the treaty is aimed at a specific threat", (),
        "not 0: statthr1, then statthr2, is the challenger of a study that names none",
        "codes above 1 are kinds of threat that this reader does not tell apart", _upto(6),
    ),
    Mapped(
        "statthr1", "the state named as the threat", ("coverage",), "see defcoadv and specthrt",
        "", _ANY,
    ),
    Mapped(
        "statthr2", "the second state named", ("coverage",), "see defcoadv and specthrt", "",
        _ANY,
    ),
    Mapped(
        "consul", "a member promises to consult in a crisis", ("consultation", "commitment"),
        f"1: consultation {CONSULTATION}; without a duty of defence also commitment 'consult'",
        "the depth of the procedure is not coded",
    ),
    Mapped(
        "intcom", "one integrated command in peace and war", ("integration",),
        f"1: +{INTEGRATED_COMMAND}", _DEGREE,
    ),
    Mapped(
        "milcon", "military contact", ("integration",),
        f"1 (in war): +{MILITARY_CONTACT[1]}; 2 (in peace): +{MILITARY_CONTACT[2]}; "
        f"3 (common defence policy): +{MILITARY_CONTACT[3]}",
        _DEGREE, _upto(3),
    ),
    Mapped(
        "organ1", "an organisation is set up", ("integration",),
        f"1–3 with orgpurp1 1 or 4: +{MILITARY_ORGANISATION}, once for organ1 and organ2", _DEGREE,
        _upto(3),
    ),
    Mapped(
        "orgpurp1", "its purpose", ("integration",),
        "1 (military) and 4 (military among others) count", "the others are not military",
        _upto(5),
    ),
    Mapped("organ2", "a second organisation", ("integration",), "as organ1", _DEGREE, _upto(3)),
    Mapped("orgpurp2", "its purpose", ("integration",), "as orgpurp1", "", _upto(5)),
    Mapped(
        "subord", "one member's forces come under another's command in war", ("integration",),
        f"1 or 2: +{SUBORDINATION}", _DEGREE, _upto(2),
    ),
    Mapped(
        "contrib", "troops, supplies or funds are fixed", ("integration",),
        f"1: +{CONTRIBUTIONS}", _DEGREE,
    ),
    Mapped(
        "base", "troops are placed abroad", ("access",),
        "2 (each with the other) or 3 (one-sided; the protégé is host): 'permanent'; 1: nothing",
        "the two defence pacts coded 1 (1815, 1920) put troops outside every member's territory; "
        "who hosts and how many is not coded, so forces stay absent", _upto(3),
    ),
    Mapped(
        "terrres", "territory or resources are made available in war", ("access",),
        "1 for the protégé, and no bases: 'contingency'",
        "territory and resources are one code, so this may be too much", frozenset({0, 1}),
    ),
    Mapped(
        "milaid", "military aid", ("assistance",),
        f"1 (unspecified): +{MILITARY_AID[1]}; 2 (grants, loans): +{MILITARY_AID[2]}; "
        f"3 (training, technology): +{MILITARY_AID[3]}; 4 (both): +{MILITARY_AID[4]}",
        "how much and from whom is not coded; the defender is taken to give it", _upto(4),
    ),
    Mapped(
        "ecaid", "economic aid", ("assistance",),
        f"1 (unspecified): +{ECONOMIC_AID[1]}; 2 (grants, loans): +{ECONOMIC_AID[2]}; "
        "3 (trade): nothing",
        "it frees some of the protégé's own means", _upto(3),
    ),
    Mapped(
        "speclgth", "whether a length is stated", ("term_years",),
        "1: term_years; 0 (not stated), 2 (until some event), 3 (without limit): absent",
        "an event has no date", _upto(3),
    ),
    Mapped(
        "length", "the length stated, in months", ("term_years", "review_years"),
        "divided by 12; the time between reviews where no length of renewal is coded", "", _ANY,
    ),
    Mapped(
        "proren", "renewal", ("review_years", "renegotiation"),
        "1 (by agreement): review at the end of the term, with renegotiation; "
        "2 (automatic): review at each renewal, without",
        "a renewal is the date at which a partner can leave without breaking its word", _upto(2),
    ),
    Mapped(
        "renewlgt", "the length of each renewal, in months", ("review_years",),
        "divided by 12; the term itself if 0", "", _ANY,
    ),
    Mapped(
        "renounce", "renunciation", ("notice_months",),
        f"1 (allowed) or 3 (under conditions): {NOTICE_MONTHS:g}; 2 (forbidden): absent",
        "the period of notice is not coded; twelve months is the usual one", _upto(3),
    ),
)  # fmt: skip

#: Columns that are left aside although they bear on a clause, and why.
UNMAPPED: Final[Mapping[str, str]] = {
    "estmode": "ratification made the treaty; it is no vote at the time of use",
    "pubsecr": "a secret treaty is unknown to the challenger, whose counterpart in the model knows "
    "the pact; `ambiguous` is about scope and would say something else",
    "secrart": "which articles are secret, see pubsecr",
    "neutral": "a promise of neutrality has no clause",
    "nonagg": "a promise of non-aggression between the partners has no clause",
    "conditio": "any obligation is conditional; defcon says it of defence",
    "offcon": "conditions on help in attack: the duty that is modelled is defence",
    "olimob": "other limits on the obligation, of a kind that is not coded",
    "obvary": "the obligation differs from partner to partner in a way that is not coded",
    "armred": "arms to be reduced or raised, by how much is not coded, so no spending floor",
    "wartime": "the treaty was made in a war",
    "bilat": "the members are counted instead",
    "term": "how the treaty ended is a result, not a term",
}

#: Columns that are not mapped, but named among the assumptions where they are coded.
_NAMED: Final = ("estmode", "pubsecr", "neutral", "nonagg", "armred")
#: Columns that the alliance-level file must have.
TREATY_COLUMNS: Final = (*(row.column for row in MAPPING if not row.member), *_NAMED)
#: Columns that the member-level file must have.
MEMBER_COLUMNS: Final = (*(row.column for row in MAPPING), *_NAMED, "olimob", "obvary")


def as_markdown() -> str:
    """Return the mapping as two Markdown tables: what is mapped, and what is left aside."""
    lines = [
        "| ATOP column | records | pact field | choice | why |",
        "| --- | --- | --- | --- | --- |",
    ]
    for row in MAPPING:
        fields = ", ".join(f"`{name}`" for name in row.fields) or "–"
        lines.append(f"| `{row.column}` | {row.meaning} | {fields} | {row.choice} | {row.why} |")
    lines += ["", "| left aside | why |", "| --- | --- |"]
    lines += [f"| `{column}` | {why} |" for column, why in UNMAPPED.items()]
    return "\n".join(lines) + "\n"
