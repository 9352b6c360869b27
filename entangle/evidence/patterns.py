"""What the field knows, and whether the engine shows it: patterns, each with its source and its verdict.

A pattern makes *claims*: numbers that the engine gives at every draw, with the side on which each should lie
and, where it was published, the size. Where no size was published the claim says what it takes for much or
little; those bounds are assumptions, and are printed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Final, Literal, NamedTuple

import numpy as np

from entangle.evidence.estimands import Estimand
from entangle.evidence.moments import ratio_of, shipped
from entangle.evidence.predictions import LEVEL, NO_LIFE, estimand_for, side
from entangle.evidence.worlds import Worlds, traits
from entangle.fit.predict import Population
from entangle.vocabulary import RUNGS
from entangle_kernels import ladder
from entangle_kernels.equilibrium import ConvergenceError
from entangle_kernels.game import Floats

#: "above" and "below": on that side of a bound; "near": the record's interval is met, or the pattern is
#: missed; "size": the same, but not decisive; "shown": a number to look at, without a verdict.
Sort = Literal["above", "below", "near", "size", "shown"]
Interval = tuple[float, float, float]
#: Share of draws that must be on the right side.
SURE: Final = 0.95

_FORCE, _WAR, _NUCLEAR = RUNGS.index("limited_force"), RUNGS.index("local_war"), RUNGS.index("nuclear_use")

AS_KNOWN: Final = "as known"
SIGN_ONLY: Final = "sign right only"
MISSED: Final = "missed"
NOT_COMPUTED: Final = "not computed"
VERDICTS: Final = (AS_KNOWN, SIGN_ONLY, MISSED, NOT_COMPUTED)


class Claim(NamedTuple):
    """One number of a pattern.

    Parameters
    ----------
    name
        Under which :attr:`Pattern.values` returns it.
    label
        What it is, in words.
    sort, bound
        On which side of what it should lie.
    record
        What was published: value, lower and upper end; the same thrice where no interval was. None if no
        size was published.
    """

    name: str
    label: str
    sort: Sort
    bound: float = 1.0
    record: Interval | None = None

    @property
    def expected(self) -> str:
        """What is expected of it, in words."""
        size = self.record is not None
        return {
            "above": f"above {self.bound:g}" + (", and of the size observed" if size else ""),
            "below": f"below {self.bound:g}" + (", and of the size observed" if size else ""),
            "near": "of the size observed",
            "size": "of the size observed",
            "shown": "for comparison only",
        }[self.sort]


class Pattern(NamedTuple):
    """Something that is known.

    Parameters
    ----------
    name, title
        A key, and a few words.
    known
        What is known.
    source
        Where from.
    engine
        What the engine computes for it.
    claims
        Its numbers.
    values
        Returns the numbers at a draw; None for a pattern that is given from outside, or not computed.
    reason
        Why it is not computed, or its numbers decide nothing; empty if they do.
    """

    name: str
    title: str
    known: str
    source: str
    engine: str
    claims: tuple[Claim, ...] = ()
    values: Callable[[Worlds], Mapping[str, float]] | None = None
    reason: str = ""


class Found(NamedTuple):
    """What draws say of a claim.

    Parameters
    ----------
    claim
        Which.
    median, lower, upper
        Of the draws: their middle and central 95 %.
    right
        Share of draws on the right side; not a number if it has no side.
    overlap
        Whether the interval meets the record's; None if there is no record.
    draws
        Draws with a number.
    verdict
        One of :data:`VERDICTS`; empty for a claim that is only shown.
    """

    claim: Claim
    median: float
    lower: float
    upper: float
    right: float
    overlap: bool | None
    draws: int
    verdict: str


def found(claim: Claim, values: Floats) -> Found:
    """Return what values at draws, shape (draws,), say of a claim."""
    known = values[np.isfinite(values)]
    if not len(known):
        return Found(claim, np.nan, np.nan, np.nan, np.nan, None, 0, NOT_COMPUTED)
    tail = 0.5 * (1.0 - LEVEL)
    low, middle, high = (float(x) for x in np.quantile(known, (tail, 0.5, 1.0 - tail)))
    overlap = None if claim.record is None else bool(low <= claim.record[2] and claim.record[1] <= high)
    right = float("nan")
    sized = overlap in (None, True)
    if claim.sort in ("above", "below"):
        sign = 1.0 if claim.sort == "above" else -1.0
        right = float((sign * (known - claim.bound) > 0.0).mean())
        if sign * (middle - claim.bound) <= 0.0:
            verdict = MISSED
        else:
            verdict = AS_KNOWN if right >= SURE and sized else SIGN_ONLY
    elif claim.sort == "shown":
        verdict = ""
    else:
        verdict = AS_KNOWN if sized else MISSED if claim.sort == "near" else SIGN_ONLY
    return Found(claim, middle, low, high, right, overlap, len(known), verdict)


def verdict(pattern: Pattern, claims: Iterable[Found]) -> str:
    """Return a pattern's verdict: that of its worst claim."""
    own = [one.verdict for one in claims if one.verdict]
    if pattern.reason or not own:
        return NOT_COMPUTED
    return max(own, key=VERDICTS.index)


def at_draw(worlds: Worlds, patterns: Iterable[Pattern]) -> dict[tuple[str, str], float]:
    """Return every claim of patterns at a draw; not a number where a crisis has no solution."""
    values: dict[tuple[str, str], float] = {}
    for pattern in patterns:
        if pattern.values is None:
            continue
        try:
            own: Mapping[str, float] = pattern.values(worlds)
        except ConvergenceError:
            own = {}
        for claim in pattern.claims:
            values[pattern.name, claim.name] = float(own.get(claim.name, np.nan))
    return values


# -- the engine's numbers --------------------------------------------------------------------------


def _of(p: Population, code: str) -> float:
    """Return the engine's side of a figure by its code."""
    estimand = estimand_for(code)
    own = None if estimand is None else side(estimand)
    if own is None:
        raise ValueError(f"crises have no figure '{code}'")
    return own(p)


_OWN_INITIATION: Final = Estimand(
    figure="odds_ratio", event="crisis", opened_by="protege", pact="with_over_without"
)


def _own_initiation(p: Population) -> float:
    own = side(_OWN_INITIATION)
    assert own is not None
    return own(p)


def _over(one: float, other: float) -> float:
    return one / other if other > 0.0 else np.nan


def _onset(w: Worlds) -> dict[str, float]:
    p = w.population()
    odds = _of(p, "B.init.OR.post45")
    raw = _over(_of(p, "B.init.odef1.post45"), _of(p, "B.init.odef0.post45"))
    return {"odds": odds, "raw": raw, "selection": _over(raw, odds)}


def _escalation(w: Worlds) -> dict[str, float]:
    p = w.population()
    share = _over(_of(p, "C.esc5.cov1.all"), _of(p, "C.esc5.cov0.all"))
    return {"share": share, "odds": _of(p, "B.init5.OR.all")}


def _joining(w: Worlds) -> dict[str, float]:
    p = w.population()
    below, war = _of(p, "D.supp.ally.h4.post45"), _of(p, "D.supp.ally.h5.all")
    return {"force": below, "war": war, "ratio": _over(war, below)}


def _patrons(w: Worlds) -> dict[str, float]:
    return {"ratio": _of(w.population(), "F.pat.gp.mild.p1/p0")}


def _less_reliable(w: Worlds) -> dict[str, float]:
    strong, weak = w.population(), w.population("weak")
    same_pairs = w.population("weak", without="pact")
    war = "C.esc5.cov1.all"
    return {
        "challenges": _of(same_pairs, "B.init.OR.post45"),
        "escalation": _over(_of(weak, war), _of(strong, war)),
    }


def _selected(w: Worlds) -> dict[str, float]:
    wars, joined = w.passing.wars[:, 1, 0], w.passing.joined[:, 1, 0]
    weight = w.population().weight(1, 0)
    kept = np.divide(joined, wars, out=np.full_like(wars, np.nan), where=wars > 0.0)
    tested = _over(float((weight @ joined).sum()), float((weight @ wars).sum()))
    true = float(weight @ kept.mean(axis=1) / weight.sum())
    return {"tested": tested, "true": true, "ratio": _over(tested, true)}


def _conditions(w: Worlds) -> dict[str, float]:
    conditional, unconditional = w.population("conditional"), w.population("unconditional")
    return {
        "deterred": _of(conditional, "B.init.OR.post45"),
        "emboldened": _own_initiation(unconditional),
        "contrast": _over(_own_initiation(unconditional), _own_initiation(conditional)),
    }


def _extraction(w: Worlds) -> dict[str, float]:
    p = w.population()

    def per_crisis(status: int, ends: Floats) -> float:
        """Return how many crises on record there are, by what is counted, over like pairs."""
        total = 0.0
        for origin in range(2):
            known = np.where(np.arange(ladder.RUNGS) < _FORCE, p.recorded, 1.0)
            cells = p.ends[:, status, origin].sum(axis=-1) * known * ends
            total += float(p.weight(1, origin) @ cells.sum(axis=(1, 2)))
        return total

    shape = (ladder.ENDS, ladder.RUNGS)
    crisis, gave_way, war = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    crisis[1:], gave_way[ladder.WITHDRAWAL], war[1:, _WAR:] = 1.0, 1.0, 1.0
    share = {
        name: [_over(per_crisis(status, ends), per_crisis(status, crisis)) for status in range(2)]
        for name, ends in (("gains", gave_way), ("war", war))
    }
    gains, wars = (_over(share[name][1], share[name][0]) for name in ("gains", "war"))
    return {"gains": gains, "war": wars, "contrast": _over(gains, wars)}


def _entanglement(w: Worlds) -> dict[str, float]:
    p = w.population()
    both = w.entangled
    weight = p.weight(1, 0) + p.weight(1, 1)
    disputes = float(sum((p.weight(1, origin) * p.events(1, origin, 1)).sum() for origin in range(2)))
    fights, otherwise = both[:, 1].sum(axis=1), both[:, :, 1].sum(axis=1)
    caused = float(weight @ both[:, 1, 0])
    least = float(weight @ np.maximum(fights - otherwise, 0.0))
    most = float(weight @ np.minimum(fights, 1.0 - otherwise))
    return {
        "caused": _over(caused, disputes),
        "least": _over(least, disputes),
        "most": _over(most, disputes),
        "of_fights": _over(caused, float(weight @ fights)),
    }


def _tripwire(w: Worlds) -> dict[str, float]:
    return {"challenges": _of(w.population("tripwire", without="pact"), "B.init.OR.post45")}


def _immediate(w: Worlds) -> dict[str, float]:
    p = w.population()
    opened, force, war, fights = (
        p.ends[:, :, 0, 1:, rung:, support:].sum(axis=(2, 3, 4))
        for rung, support in ((1, 0), (_FORCE, 0), (_WAR, 0), (_WAR, 3))
    )
    success = 1.0 - force / opened
    weight = p.weight(1, 0)
    held, fought = (
        [_over(float(weight @ some[:, status]), float(weight @ all_[:, status])) for status in range(2)]
        for some, all_ in ((opened - force, opened), (fights, war))
    )
    on_holding, on_fighting = _over(held[1], held[0]), _over(fought[1], fought[0])
    return {
        "balance": _rank_correlation(success[:, 1], traits(w.members, "local")),
        "stake": _rank_correlation(success[:, 1], traits(w.members, "stake")),
        "fights": on_fighting,
        "holds": on_holding,
        "contrast": _over(on_fighting, on_holding),
    }


def _rank_correlation(one: Floats, other: Floats) -> float:
    from scipy.stats import rankdata

    off = [rankdata(values) - 0.5 * (len(values) + 1) for values in (one, other)]
    size = math.sqrt(float(off[0] @ off[0]) * float(off[1] @ off[1]))
    return float(off[0] @ off[1]) / size if size > 0.0 else np.nan


def _weights(w: Worlds) -> Floats:
    """Return disputes a year of each member, by status and origin, shape (members, 2, 2)."""
    p = w.population()
    return np.stack([[p.weight(status, origin) for origin in range(2)] for status in range(2)]).transpose(
        2, 0, 1
    )


def _length(w: Worlds) -> dict[str, float]:
    lasting = np.tensordot(_weights(w), w.passing.crisis, axes=3)
    return {"days": w.round_days * _crossing(1.0 - lasting / lasting[0])}


def _entry(w: Worlds) -> dict[str, float]:
    begun = np.tensordot(_weights(w), np.maximum(w.passing.joins, 0.0), axes=3)
    total = float(begun.sum())
    if total <= 0.0:
        return {"days": np.nan}
    return {"days": w.round_days * _crossing(np.concatenate([[0.0], np.cumsum(begun) / total]))}


def _crossing(gone: Floats) -> float:
    """Return when a share that rises from 0 to 1, evenly between whole numbers, passes one half."""
    at = int(np.flatnonzero(gone >= 0.5)[0])
    return at - float((gone[at] - 0.5) / (gone[at] - gone[at - 1]))


def _nuclear(w: Worlds) -> dict[str, float]:
    p = w.population()
    happened = held = 0.0
    for status in range(2):
        for origin in range(2):
            weight = p.weight(status, origin)
            happened += float(weight @ p.events(status, origin, _NUCLEAR))
            held += float(weight @ p.events(status, origin, 1))
    return {"dispute": _over(happened, held)}


def _lives(figures: Mapping[str, Floats]) -> dict[str, Floats]:
    """Return the claims about lives from figures at draws."""
    needed = "H.age.0-5", "H.age.10-20", "H.km.defbil"
    if not set(needed) <= set(figures):
        return {}
    early, late, median = (figures[code] for code in needed)
    with np.errstate(divide="ignore", invalid="ignore"):
        return {"age": late / early, "median": median}


# -- the patterns ----------------------------------------------------------------------------------


def _record(code: str) -> Interval:
    target = next(target for target in shipped().targets() if target.code == code)
    return target.value, target.lower, target.upper


def _ratio(one: str, other: str) -> Interval:
    return ratio_of(shipped().by_code(one), shipped().by_code(other))


def _about(value: float, lower: float | None = None, upper: float | None = None) -> Interval:
    return value, value if lower is None else lower, value if upper is None else upper


_MID: Final = "computed from MID 5.0 and ATOP 4.01"
_ICB: Final = "computed from ICB 15 and ATOP 4.01"

#: What is known, in the order of the README of the evidence; the tuple can be lengthened.
PATTERNS: Final[tuple[Pattern, ...]] = (
    Pattern(
        "onset",
        "Pacts and the onset of disputes",
        "At equal balance, distance and regime a pact changes the odds of being challenged by next to "
        "nothing. States with a pact are challenged less all the same, because others have one.",
        f"{_MID}: figures B.init",
        "Crises that the challenger opens in a year, by pair with its pact over without, and over pairs that "
        "have one over pairs that have none.",
        (
            Claim("odds", "odds of a challenge, same pairs, with a pact over without", "near",
                  record=_record("B.init.OR.post45")),
            Claim("raw", "yearly challenges, pairs with a pact over pairs without", "below",
                  record=_ratio("B.init.odef1.post45", "B.init.odef0.post45")),
            Claim("selection", "the second over the first: who gets a pact", "below"),
        ),
        _onset,
    ),
    Pattern(
        "escalation",
        "Pacts and escalation",
        "What a pact does shows once there is a dispute: with a pact of the target fewer become wars.",
        f"{_MID}: figures C.esc5, B.init5",
        "Crises that the challenger opened and that reach local war.",
        (
            Claim("share", "P(war | dispute), with a pact over without", "below",
                  record=_ratio("C.esc5.cov1.all", "C.esc5.cov0.all")),
            Claim("odds", "odds of a war in a year, same pairs, with a pact over without", "below",
                  record=_record("B.init5.OR.all")),
        ),
        _escalation,
    ),
    Pattern(
        "joining",
        "Rare help in disputes, frequent help in wars",
        "Partners seldom enter a dispute in which force is used, and often enter a war.",
        f"{_MID}: figures D.supp",
        "The defender shows forces of its own where force is used, and fights where there is war; crises "
        "that the challenger opened, with a pact.",
        (
            Claim("ratio", "P(fights | war) over P(joins | use of force)", "above",
                  record=_ratio("D.supp.ally.h5.all", "D.supp.ally.h4.post45")),
            Claim("force", "P(joins | use of force)", "size", record=_record("D.supp.ally.h4.post45")),
            Claim("war", "P(fights | war)", "size", record=_record("D.supp.ally.h5.all")),
        ),
        _joining,
    ),
    Pattern(
        "patrons",
        "Military help by patrons in crises",
        "A superpower sends forces of its own far more often where it owes defence.",
        f"{_ICB}: figures F.pat",
        "Forces of the defender's own in a crisis, whoever opened it.",
        (
            Claim("ratio", "P(forces of its own | crisis), with a pact over without", "above",
                  record=_record("F.pat.gp.mild.p1/p0")),
        ),
        _patrons,
    ),
    Pattern(
        "less_reliable",
        "Less reliable pacts",
        "Pacts that are less reliable are challenged more, but their disputes escalate less.",
        "Johnson & Wolford 2022, Journal of Conflict Resolution 67(4)",
        "The population's pact with half its promise at stake, over the whole of it, for the same pairs.",
        (
            Claim("challenges", "odds of a challenge, half the promise over all of it", "above"),
            Claim("escalation", "P(war | dispute), half the promise over all of it", "below"),
        ),
        _less_reliable,
    ),
    Pattern(
        "selected",
        "Reliability as it is seen in war",
        "Promises look less reliable in wars than they are: strong ones are not put to the test.",
        "Leeds, Long & Mitchell 2000, Journal of Conflict Resolution 44(5), 74.5 % honoured; Lee 2023, "
        "International Interactions 49(1)",
        "How often the defender enters a war that others have begun, over the wars that come, against the "
        "same chance when every pair and every class of the defender's resolve counts by its disputes, as if "
        "each had become a war. Crises that the challenger opened, with a pact.",
        (
            Claim("ratio", "reliability in the wars that come, over reliability if all had come", "below"),
            Claim("tested", "reliability in the wars that come", "shown"),
            Claim("true", "reliability if every dispute had become a war", "shown"),
        ),
        _selected,
    ),
    Pattern(
        "conditions",
        "Conditional and unconditional promises",
        "A promise that holds only for an unprovoked attack lowers challenges of the member (by 18 %); one "
        "without conditions has the member itself begin more (by 249 %).",
        "Benson 2011, Journal of Politics 73(4)",
        "Same pairs with a promise that is void if the protégé used force first, and with an automatic one "
        "that is not, each over no pact.",
        (
            Claim("deterred", "odds of a challenge, conditional promise over no pact", "below",
                  record=_about(0.82)),
            Claim("emboldened", "odds that the protégé begins, unconditional promise over no pact", "above",
                  record=_about(3.49)),
            Claim("contrast", "odds that the protégé begins, unconditional over conditional", "above"),
        ),
        _conditions,
    ),
    Pattern(
        "extraction",
        "Moral hazard in demands",
        "The protégé's moral hazard shows in what it obtains from others, more than in war.",
        "Narang & Mehta 2019, Journal of Conflict Resolution 63(1)",
        "Share of crises in which the challenger gives way, and that become wars, same pairs, with a pact "
        "over without.",
        (
            Claim("gains", "P(challenger gives way | dispute), with a pact over without", "above"),
            Claim("contrast", "that ratio over the one of war", "above"),
            Claim("war", "P(war | dispute), with a pact over without", "shown"),
        ),
        _extraction,
    ),
    Pattern(
        "entanglement",
        "Entanglement proper",
        "A state that fights for nothing but its promise is rare: five doubtful cases of the United States "
        "since 1945.",
        "Beckley 2015, International Security 39(4)",
        "The defender fights, and on the same luck would not have without the promise, all else as with the "
        "pact; for each dispute on record, over all pairs with a pact. That rare is fewer than one in twenty "
        "is an assumption.",
        (
            Claim("caused", "disputes that entangle the defender", "below", 0.05),
            Claim("least", "least that any sharing of luck allows", "shown"),
            Claim("most", "most that any sharing of luck allows", "shown"),
            Claim("of_fights", "entangled, of all disputes in which it fights", "shown"),
        ),
        _entanglement,
    ),
    Pattern(
        "tripwire",
        "Small tripwire forces",
        "A small force stationed with a partner does not deter by itself.",
        "Reiter & Poast 2021, Texas National Security Review 4(3); Musgrave & Ward 2023, Foreign Policy "
        "Analysis 19(4)",
        "The population's pact with a tenth of the forces that would hold the line, over the pact without "
        "them, same pairs. That less than a tenth fewer challenges is next to none is an assumption.",
        (Claim("challenges", "odds of a challenge, with small forces over without", "above", 0.9),),
        _tripwire,
    ),
    Pattern(
        "immediate",
        "Immediate deterrence, and who then fights",
        "Once threatened, whether force is averted turns on the local balance and on what is at stake for "
        "the defender; the treaty matters most for whether it then fights.",
        "Huth & Russett 1984, World Politics 36(4); Huth 1988, American Political Science Review 82(2)",
        "Rank correlations over the members of the population, with a pact, of the share of the challenger's "
        "crises that stay short of force; and what the pact does to that share and to fighting in war.",
        (
            Claim("balance", "correlation of success with the protégé's strength", "above", 0.0),
            Claim("stake", "correlation of success with the defender's stake", "above", 0.0),
            Claim("fights", "P(fights | war), same pairs, with a pact over without", "above"),
            Claim("contrast", "that ratio over the one of success", "above"),
            Claim("holds", "P(no force | crisis), same pairs, with a pact over without", "shown"),
        ),
        _immediate,
    ),
    Pattern(
        "lives",
        "Lives of pacts",
        "Half of all bilateral defence pacts end within 14 years, fewer a year the older they are. Pacts "
        "with a clause on renunciation live longer, which is selection.",
        "computed from ATOP 4.01: figures H",
        "Lives over decades of the population's pacts, without renegotiation. The contrast of clauses has no "
        "side in the engine: who meant to stay wrote other treaties.",
        (
            Claim("age", "hazard of an end at 10 to 20 years over that at 0 to 5", "below",
                  record=_ratio("H.age.10-20", "H.age.0-5")),
            Claim("median", "median life in years", "near", record=_record("H.km.defbil")),
        ),
        reason=NO_LIFE,
    ),
    Pattern(
        "length",
        "Length of crises",
        "Half of all crises last no longer than 73 to 76 days. The first major response comes after 5 days, "
        "and incidents are 7 days apart (medians).",
        "computed from ICB 15 and from the incidents of MID",
        "Rounds that crises last, at thirty days each and evenly within a round; all that are opened, with a "
        "pact or without. Responses after days are finer than a round, and cannot be told.",
        (Claim("days", "median length of a crisis in days", "near", record=_about(74.5, 73.0, 76.0)),),
        _length,
    ),
    Pattern(
        "entry",
        "When joiners enter",
        "Half of all joiners enter within 74 days.",
        "computed from the participants of MID 5.0",
        "The round in which the defender begins to fight, at thirty days each and evenly within a round.",
        (Claim("days", "median day on which the defender enters", "near", record=_about(74.0)),),
        _entry,
    ),
    Pattern(
        "public",
        "Public support for defending an ally",
        "A victim's membership of NATO raises public support for defending it from 45 to 74 %.",
        "Tomz & Weeks 2021, American Political Science Review 115(3)",
        "Nothing: the engine has no public.",
        reason="the engine has no public; what a legislature may deny is a term of the pact, put in "
        "by its user, and what a breach costs stands for all audiences together",
    ),
    Pattern(
        "nuclear",
        "Nuclear catastrophe",
        "Until 2045 experts give it 5 %, the best forecasters 1 %.",
        "Forecasting Research Institute 2024",
        "Nuclear use for each dispute on record in the population, which is no forecast.",
        (Claim("dispute", "P(nuclear use | dispute)", "shown"),),
        _nuclear,
        reason="the forecasts are of the whole world over two decades, of all causes; the engine knows "
        "disputes of single pairs, and nothing in the record bounds how they turn nuclear",
    ),
)  # fmt: skip


def from_figures(pattern: Pattern, figures: Mapping[str, Floats]) -> Mapping[str, Floats]:
    """Return a pattern's claims at draws, where they follow from figures that were given from outside."""
    return _lives(figures) if pattern.name == "lives" else {}
