"""The clauses of a treaty, each read from its columns.

Every function takes the reading under way and says which columns it used, what they became, and
what had to be assumed. The numbers stand in :mod:`entangle.atop.mapping`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from entangle import cow
from entangle.atop import mapping
from entangle.atop.mapping import MAPPING
from entangle.atop.terms import Reading
from entangle.pact import Coalition


def _provenance(reading: Reading) -> None:
    treaty, terms = reading.treaty, reading.terms
    if not terms.own:
        reading.say(
            "The member-level file was not read: every member is taken to owe the same, and "
            "conditions on the duty of defence are not known."
        )
        if treaty.phases > 1:
            reading.say(
                f"The treaty had {treaty.phases} versions of its terms; without the member-level "
                "file they are the most that it ever provided."
            )
    if treaty.end is None and terms.year > treaty.years[-1]:
        reading.say(
            f"The data end in {treaty.years[-1]}; the treaty is taken to stand unchanged in {terms.year}."
        )


def _obligation(reading: Reading) -> None:
    reading.code("defense")  # notes a code of no clear meaning
    reading.code("asymm")
    owing = reading.owing
    if owing:
        reading.set(
            "commitment", "defence", "defense",
            say="`commitment`: ATOP codes that help is owed, not how much choice of action the "
            "text leaves (such as 'in accordance with constitutional processes') nor how strongly "
            "it binds: a duty of defence is 'defence' at full strength.",
        )  # fmt: skip
    elif reading.code("consul"):
        reading.set(
            "commitment", "consult", "consul",
            say="`commitment`: no duty of defence is coded for these seats, only one to consult.",
        )  # fmt: skip
    else:
        reading.say("Neither defence nor consultation is coded for these seats: no commitment.")
    free = [member for member in reading.pair or reading.terms.members if member not in owing]
    if reading.pair and len(owing) == 1:
        reading.set("reciprocal", False, "defense", "asymm")
        reading.set("guarantor", cow.key(owing[0]), "defense", "asymm")
        if reading.defender in free:
            reading.say(
                f"`guarantor`: {reading.name(free[0])}, in the defender's seat, owes no defence: "
                "the pact puts no duty on it."
            )
    elif owing and free:
        reading.say(
            f"`reciprocal`: no defence is owed by {', '.join(map(reading.name, free))}; as the "
            "seats are not settled the pact is written as owed by both partners."
        )
    elif reading.raw("asymm") == 1 and not reading.terms.own:
        reading.say(
            "`reciprocal`: the obligations differ (asymm = 1), but who owes what is only in the "
            "member-level file: both partners are taken to owe defence."
        )


def _conditions(reading: Reading) -> None:
    """Read the limits on when the duty holds, and what is owed to one who used force first."""
    if reading.fields.get("commitment") != "defence":
        return
    conditional = reading.code("defcon")
    if not reading.terms.own:
        if conditional:
            reading.say(
                "`coverage`: the duty of defence is conditional (defcon = 1), but the condition is "
                "only in the member-level file: it is left whole."
            )
        _provocation(reading, excluded=False)
        return
    if reading.defender is None and _differ(reading):
        reading.say(
            "The members' conditions differ and no defender was named: every condition that any of "
            "them has is applied."
        )
    coverage = 1.0
    used: list[str] = []
    if reading.code("defcoadv"):
        factor, named = _adversary(reading)
        coverage *= factor
        used += ["defcoadv", *named]
    simple = (
        ("defcoloc", mapping.LOCATION, "to certain places"),
        ("defcocon", mapping.ONGOING_CONFLICT, "to a conflict already under way"),
        ("defconum", mapping.SEVERAL_ADVERSARIES, "to attack by a certain number of adversaries"),
        ("defcodem", mapping.REFUSED_DEMAND, "to adversaries who refused a demand"),
    )
    for column, factor, words in simple:
        if reading.code(column):
            coverage *= factor
            used.append(column)
            reading.say(
                f"`coverage`: the duty is limited {words} ({column} = 1): {factor:g} of the "
                "disputes are taken to meet that."
            )
    if used:
        reading.set("coverage", round(coverage, 6), *used)
    _provocation(reading, excluded=bool(reading.code("defconpr")))


def _adversary(reading: Reading) -> tuple[float, list[str]]:
    """Return the factor on coverage of a duty against certain adversaries, and the columns used."""
    columns = ["statthr1", "statthr2"]
    named = [code for code in map(reading.code, columns) if code]
    names = " and ".join(reading.name(code) for code in named)
    if not named:
        reading.say(
            "`coverage`: the duty holds against certain adversaries (defcoadv = 1), none of them "
            f"coded: {mapping.UNKNOWN_ADVERSARY:g} of the disputes are taken to be with one."
        )
        return mapping.UNKNOWN_ADVERSARY, []
    if reading.challenger is not None and reading.challenger not in named:
        reading.say(
            f"`coverage`: the duty holds against {names}, not against "
            f"{reading.name(reading.challenger)}: {mapping.OTHER_ADVERSARY:g} of the disputes are "
            "taken to fall under it."
        )
        return mapping.OTHER_ADVERSARY, columns[: len(named)]
    reading.say(f"`coverage`: the duty holds against {names}; it is that of disputes with it.")
    return 1.0, columns[: len(named)]


def _provocation(reading: Reading, *, excluded: bool) -> None:
    if excluded:
        reading.set(
            "provoked_discount", mapping.PROVOKED_EXCLUDED, "defconpr",
            say="`provoked_discount`: help is not owed to a partner who provoked (defconpr = 1), "
            "so nothing to one who used force first.",
        )  # fmt: skip
    elif reading.code("offense"):
        reading.set(
            "provoked_discount", mapping.PROVOKED_OFFENCE, "offense",
            say="`provoked_discount`: help is promised in attack too (offense = 1), so all of it "
            "to a partner who used force first.",
        )  # fmt: skip
    else:
        reading.set(
            "provoked_discount", mapping.PROVOKED_DEFENCE, "offense",
            say="`provoked_discount`: a promise of defence alone owes nothing to an attacker, but "
            "who attacked first can be argued: "
            f"{mapping.PROVOKED_DEFENCE:g} is taken to be owed to a partner who used force first.",
        )  # fmt: skip


def _differ(reading: Reading) -> bool:
    columns = [row.column for row in MAPPING if row.member]
    own = reading.terms.own
    return len({tuple(own[m].get(column) for column in columns) for m in reading.terms.owing}) > 1


def _consultation(reading: Reading) -> None:
    if reading.code("consul"):
        reading.set(
            "consultation", mapping.CONSULTATION, "consul",
            say="`consultation`: a duty to consult is coded, not its procedure: depth "
            f"{mapping.CONSULTATION:g}.",
        )  # fmt: skip


def _integration(reading: Reading) -> None:
    military = False
    organised: list[str] = []
    for organisation, purpose in (("organ1", "orgpurp1"), ("organ2", "orgpurp2")):
        exists, aim = reading.code(organisation), reading.code(purpose)
        if exists and aim in (1, 4):
            military = True
            organised += [organisation, purpose]
    contact = reading.code("milcon")
    parts = (
        (("intcom",), mapping.INTEGRATED_COMMAND if reading.code("intcom") else 0.0),
        (("milcon",), mapping.MILITARY_CONTACT.get(contact, 0.0)),
        (tuple(organised), mapping.MILITARY_ORGANISATION if military else 0.0),
        (("subord",), mapping.SUBORDINATION if reading.code("subord") else 0.0),
        (("contrib",), mapping.CONTRIBUTIONS if reading.code("contrib") else 0.0),
    )
    used = [column for columns, gain in parts if gain for column in columns]
    if used:
        total = round(min(1.0, sum(gain for _, gain in parts)), 6)
        reading.set(
            "integration", total, *used,
            say="`integration`: ATOP codes which joint institutions a treaty sets up, not how well "
            f"they work: {total:g} adds up {', '.join(used)}.",
        )  # fmt: skip


def _basing(reading: Reading) -> None:
    base, territory = reading.code("base"), reading.code("terrres")
    host = reading.protege if reading.host is None else reading.host
    size = "How many troops is not coded: `forces` is absent."
    if base == 2:
        reading.set("access", "permanent", "base", say=f"`access`: each partner hosts. {size}")
        return
    if base == 3 and host == reading.protege:
        reading.set(
            "access", "permanent", "base",
            say="`access`: bases are one-sided and the host is not coded: the protégé is taken for "
            f"it. {size}",
        )  # fmt: skip
        return
    if base == 3 and host is not None:
        reading.say(
            f"`access`: bases are one-sided and {reading.name(host)} is taken for their host: they "
            "give the defender none to the protégé's soil."
        )
    if base == 1:
        reading.say("`access` is absent: troops are placed outside the members' own territory (base = 1).")
    if territory:
        reading.set(
            "access", "contingency", "terrres",
            say="`access`: territory or resources are promised for war (terrres = 1); which of "
            "them is not coded: it is taken as 'contingency'.",
        )  # fmt: skip


def _assistance(reading: Reading) -> None:
    aid, economic = reading.code("milaid"), reading.code("ecaid")
    military = mapping.MILITARY_AID.get(aid, 0.0)
    freed = mapping.ECONOMIC_AID.get(economic, 0.0)
    used = [column for column, part in (("milaid", military), ("ecaid", freed)) if part]
    if used:
        total = round(military + freed, 6)
        reading.set(
            "assistance", total, *used,
            say="`assistance`: aid is coded by kind, not by size or giver: the defender is taken "
            f"to give {total:g} of the protégé's own capability ({', '.join(used)}).",
        )  # fmt: skip


def _exit(reading: Reading) -> None:
    stated, months = reading.code("speclgth"), reading.code("length")
    renewal, again = reading.code("proren"), reading.code("renewlgt")
    leaving = reading.code("renounce")
    term = months / 12 if stated == 1 and months > 0 else None
    if term is not None:
        reading.set("term_years", term, "speclgth", "length")
    elif stated == 1:
        reading.say("`term_years` is absent: a length is stated but not coded.")
    elif stated == 2:
        reading.say("`term_years` is absent: the treaty lasts until some event (speclgth = 2).")
    elif months > 0:
        reading.say(
            f"`term_years` is absent: a length of {months} months is coded although none is stated "
            f"(speclgth = {stated})."
        )
    period = again / 12 if again > 0 else term
    if renewal and period is None:
        reading.say(f"`review_years` is absent: renewal (proren = {renewal}) is for no coded time.")
    elif renewal:
        columns = ("proren", "renewlgt") if again > 0 else ("proren", "length")
        reading.set(
            "review_years", period, *columns,
            say=f"`review_years`: renewal {'by agreement' if renewal == 1 else 'unless denounced'} "
            f"(proren = {renewal}) is taken for a review.",
        )  # fmt: skip
        if renewal == 1:
            reading.set("renegotiation", True, "proren")
    if leaving in (1, 3):
        under = " under conditions that are not coded" if leaving == 3 else ""
        reading.set(
            "notice_months", mapping.NOTICE_MONTHS, "renounce",
            say=f"`notice_months`: renunciation is allowed{under} (renounce = {leaving}), the "
            f"notice is not coded: {mapping.NOTICE_MONTHS:g}.",
        )  # fmt: skip
    elif leaving == 2:
        reading.say("`notice_months` is absent: renunciation is forbidden (renounce = 2).")


def _form(reading: Reading) -> None:
    """Several defenders make a coalition; only those that owe help take part, and the protégé."""
    commitment = reading.fields.get("commitment")
    if len(reading.terms.members) == 2 or commitment is None:
        return
    owing = reading.terms.owing if commitment == "defence" else reading.terms.members
    seated_elsewhere = (reading.protege, reading.challenger)
    defenders = [member for member in owing if member not in seated_elsewhere]
    leader = reading.defender
    if len(defenders) < 2 or (leader is not None and leader not in defenders):
        return  # one who owes nothing leads nobody
    members = tuple(m for m in reading.terms.members if m in defenders or m == reading.protege)
    reading.set("coalition", Coalition(members=tuple(map(cow.key, members))), "defense")
    reading.say(
        "`coalition`: how the members decide together is not coded: quorum, rounds and agreement "
        "are the defaults."
    )
    if leader is not None and _differ(reading):
        reading.say(
            f"The members' conditions differ: those of {reading.name(leader)}, who leads, are applied to all."
        )


def _left_aside(reading: Reading) -> None:
    """Say what the data do not hold, or hold and the pact does not."""
    reading.say(
        "Absent, as ATOP has no column for it: `intelligence`, `hotline`, `protege_floor`, "
        "`host_support`, `ambiguous`, `suspension`."
    )
    ratified = reading.raw("estmode") == 1
    reading.say(
        "`legislature` is absent: ATOP codes no vote at the time of use"
        + ("; ratification (estmode = 1) only made the treaty." if ratified else ".")
    )
    secret = reading.raw("pubsecr")
    if secret == 2:
        reading.say(
            "The whole treaty was secret (pubsecr = 2), yet the model's challenger knows the "
            "pact: its deterrence is overstated as long as the secret held."
        )
    elif secret == 1:
        reading.say(
            "Some articles were secret (pubsecr = 1), yet the model's challenger knows the whole pact."
        )
    peaceful = [column for column in ("neutral", "nonagg") if reading.raw(column) == 1]
    if peaceful:
        reading.say(
            f"Promises of neutrality or non-aggression ({', '.join(peaceful)}) have no clause: left out."
        )
    arms = reading.raw("armred")
    if arms:
        reading.say(f"Arms are to change (armred = {arms}), by how much is not coded: left out.")
    for column, words in (
        ("olimob", "The obligation has other limits"),
        ("obvary", "The obligation differs from partner to partner"),
    ):
        if any(reading.terms.own[m].get(column) == 1 for m in reading.terms.own):
            reading.say(f"{words} ({column} = 1), of a kind that is not coded: left out.")
    if reading.odd:
        reading.say(
            f"The meaning of {', '.join(reading.odd)} is not clear: what it stands for is left absent."
        )
    if reading.blank:
        reading.say(f"Blank in ATOP, so left absent: {', '.join(reading.blank)}.")


#: The readers in the order of a pact's clauses; what is left aside comes last.
CLAUSE_READERS: Final[tuple[Callable[[Reading], None], ...]] = (
    _provenance,
    _obligation,
    _conditions,
    _consultation,
    _integration,
    _basing,
    _assistance,
    _exit,
    _form,
    _left_aside,
)
