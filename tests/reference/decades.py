"""One history, year by year and word by word, as ``docs/decades.md`` tells it.

Every formula is in the order and with the parentheses of that page, so that another program can agree with
it to the last bit.
"""

from __future__ import annotations

from math import floor
from typing import Any, NamedTuple

from entangle_kernels.peace import normal_table, soft_table
from reference.philox import WORD, philox

TYPES, ENTRY, ARMS, PLACE, LIFE = (0x80000000 + i for i in range(5))

CHALLENGER, PROTEGE, DEFENDER, NATURE = 0, 1, 2, 3
HOLD, FIGHTING = 1, 3
NO_CRISIS, STALEMATE = 0, 6
VOTE_BLOCKED, OWED, GIVEN = 2, 4, 8  # marks
ENDED, IN_FORCE, SUSPENDED = 0, 1, 2
LASTS, NOTICE_BY_PROTEGE, NOTICE_BY_DEFENDER, BREACH, LAPSE, REVIEW = range(6)  # causes
ABROGATED_BY_PROTEGE, ABROGATED_BY_DEFENDER = 6, 7
NEVER = -1

SOFT: list[float] = soft_table().tolist()
NORMAL: list[float] = normal_table().tolist()

Three = tuple[float, float, float]
Words = tuple[int, int, int, int]
Cell = tuple[int, int, int, int, int]  # origin, bound, end, state, marks


class Year(NamedTuple):
    """What happened in one year.

    `k`, `u` and `odds` are those at the picking of the context, `k_after`, `odds_after` and the rest below
    `cell` those at the end of the year. `origin` is -1 and `cell` None in a year without a dispute, and
    `bound` is then False.
    """

    k: Three
    u: Three
    odds: float
    place: tuple[int, int, int]
    bound: bool
    arose: bool
    origin: int
    cell: Cell | None
    grievance: tuple[int, int]
    status: int
    cause: int
    k_after: Three
    odds_after: float


class History(NamedTuple):
    steadfast: int
    years: tuple[Year, ...]


class Pact(NamedTuple):
    """Where the pact stands. `giver` is the cause that stands for whoever gave notice."""

    status: int
    age: int = 0
    pause: int = 0
    notice: int = NEVER
    giver: int = LASTS
    cause: int = LASTS


class Wishes(NamedTuple):
    """Whether each partner wishes to stay this year, and whether a renegotiation would succeed.

    And whether each would keep to terms that provide for no leaving.
    """

    protege: bool
    defender: bool
    success: bool
    protege_keeps: bool = True
    defender_keeps: bool = True


class Dispute(NamedTuple):
    origin: int
    bound: bool
    context: int


class Crisis(NamedTuple):
    end: int
    state: int
    marks: int


def history(contexts: Any, peace: Any, trajectory: int, *, seed: int, years: int) -> History:
    """Return the whole history of a trajectory."""
    steadfast = 1 if draw(trajectory, ARMS, seed, 0)[3] < int(peace.steadfast) else 0
    k, u, odds = (0.0, 0.0, 0.0), (0.0, 0.0, 0.0), float(peace.odds)
    trend = (0.0, 0.0, 0.0)
    grievance = (0, 0)
    pact = Pact(IN_FORCE if peace.pact else ENDED)
    lived = []
    for year in range(years):
        words = {purpose: draw(trajectory, purpose, seed, year) for purpose in (TYPES, ENTRY, PLACE, LIFE)}
        u = efforts(peace, k, u, odds, pact, draw(trajectory, ARMS, seed, year))
        k = capabilities(peace, k, u, trend)
        trend = grown(peace, trend)
        k_before, odds_before = k, odds
        where = place(contexts, k, odds, words[PLACE])

        dispute = dispute_of(contexts, peace, grievance, pact, where, words[ENTRY])
        cell, crisis = None, None
        if dispute is not None:
            own = private_types(contexts, dispute.bound, steadfast, words[TYPES])
            if opens(contexts, dispute, own, words[ENTRY][2]):
                crisis = play(contexts, dispute, own, trajectory, seed, year)
            ending = crisis if crisis is not None else Crisis(NO_CRISIS, 0, 0)
            cell = dispute.origin, int(dispute.bound), ending.end, ending.state, ending.marks

        if dispute is not None and crisis is not None:
            k = taken(peace, worn(peace, k, crisis), crisis)
            trend = taken(peace, trend, crisis)
            grievance = aggrieved(peace, grievance, crisis)
            odds = informed(contexts, odds, dispute, crisis)
        else:
            grievance = faded(grievance[0]), faded(grievance[1])

        wishes = wishes_of(contexts, peace, where, words[LIFE])
        pact = life(peace, pact, wishes, breached=crisis is not None and failed(crisis))
        lived.append(
            Year(
                k=k_before,
                u=u,
                odds=odds_before,
                place=where,
                bound=dispute is not None and dispute.bound,
                arose=dispute is not None,
                origin=dispute.origin if dispute is not None else -1,
                cell=cell,
                grievance=grievance,
                status=pact.status,
                cause=pact.cause,
                k_after=k,
                odds_after=odds,
            )
        )
    return History(steadfast, tuple(lived))


# -- words and tables


def draw(trajectory: int, purpose: int, seed: int, year: int) -> Words:
    """Return the four words of a decision."""
    counter = trajectory % WORD, trajectory // WORD, year, purpose
    return philox(counter, (seed % WORD, seed // WORD))


def soft(x: float) -> float:
    """Return ln(1 + e^x) from its table."""
    if x <= -16:
        return 0.0
    if x >= 16:
        return x
    p = (x + 16) * 64
    i = min(floor(p), 2047)  # x + 16 is rounded to 32 if x is the last number below 16
    f = p - i
    return SOFT[i] + f * (SOFT[i + 1] - SOFT[i])


def normal(word: int) -> float:
    """Return the standard normal quantile that belongs to a word, from its table."""
    p = word * (4096 / 2**32)
    i = floor(p)
    f = p - i
    return NORMAL[i] + f * (NORMAL[i + 1] - NORMAL[i])


# -- 2 arms


def reliance(peace: Any, k: Three, odds: float, pact: Pact) -> float:
    """Return what the protégé can rely on, over what it has itself."""
    if pact.status != IN_FORCE:
        return 0.0
    belief = -soft(-odds)
    return soft(float(peace.ln_share) + belief + (k[2] - k[1]) + float(peace.ln_ratio))


def targets(peace: Any, k: Three, odds: float, pact: Pact) -> Three:
    """Return the effort that each actor is drawn to."""
    react_a, react_b, react_c = (float(value) for value in peace.react)
    lean = reliance(peace, k, odds, pact)
    return (
        react_a * (k[1] + lean),
        react_b * k[0] - float(peace.free_riding) * lean,
        react_c * k[0],
    )


def efforts(peace: Any, k: Three, u: Three, odds: float, pact: Pact, words: Words) -> Three:
    """Return this year's efforts."""
    inertia, shock = float(peace.inertia), float(peace.shock)
    t = targets(peace, k, odds, pact)
    u_a, u_b, u_c = (
        inertia * u[i] + (1 - inertia) * t[i] + shock * normal(words[i])
        for i in (CHALLENGER, PROTEGE, DEFENDER)
    )
    if pact.status == IN_FORCE:
        u_b = max(u_b, float(peace.ln_floor))
    return u_a, u_b, u_c


def capabilities(peace: Any, k: Three, u: Three, trend: Three) -> Three:
    """Return the capabilities that this year's efforts make of last year's, given last year's trends."""
    build = float(peace.build)
    k_a, k_b, k_c = (
        (k[i] + float(peace.growth[i])) + build * (u[i] - (k[i] - trend[i]))
        for i in (CHALLENGER, PROTEGE, DEFENDER)
    )
    return k_a, k_b, k_c


def grown(peace: Any, trend: Three) -> Three:
    """Return the trends a year later."""
    a, b, c = (trend[i] + float(peace.growth[i]) for i in (CHALLENGER, PROTEGE, DEFENDER))
    return a, b, c


# -- 3 a dispute, and where it stands


def place(contexts: Any, k: Three, odds: float, words: Words) -> tuple[int, int, int]:
    """Return the point of the grid that is picked this year."""
    values = k[1] - k[0], k[2] - k[0], odds
    i, j, m = (coordinate(contexts, axis, values[axis], words[axis]) for axis in range(3))
    return i, j, m


def coordinate(contexts: Any, axis: int, x: float, word: int) -> int:
    """Return one coordinate of the point that is picked."""
    points = int(contexts.points[axis])
    p = (x - float(contexts.lowest[axis])) * float(contexts.inverse[axis])
    p = min(max(p, 0.0), points - 1.0)
    i = floor(p)
    if i + 1 < points and word < floor((p - i) * 2**32):
        return i + 1
    return i


def context_at(contexts: Any, where: tuple[int, int, int], bound: bool) -> int:
    """Return the index of a context."""
    n0, n1, n2 = (int(points) for points in contexts.points)
    i0, i1, i2 = where
    return ((int(bound) * n0 + i0) * n1 + i1) * n2 + i2


def dispute_of(
    contexts: Any,
    peace: Any,
    grievance: tuple[int, int],
    pact: Pact,
    where: tuple[int, int, int],
    words: Words,
) -> Dispute | None:
    """Return the dispute of this year, if one arises."""
    for_origin, for_scope, _, for_arising = words
    row, column = grievance[0] + 2, grievance[1] + 2
    if for_arising >= int(peace.arises[row, column]):
        return None
    origin = CHALLENGER if for_origin < int(peace.origin[row, column]) else PROTEGE
    bound = for_scope < int(contexts.scope) and pact.status == IN_FORCE
    return Dispute(origin, bound, context_at(contexts, where, bound))


def private_types(contexts: Any, bound: bool, steadfast: int, words: Words) -> tuple[int, int, int]:
    """Return the information sets of challenger, protégé and defender."""
    types = int(contexts.types)
    a, b = words[0] * types // WORD, words[1] * types // WORD
    c = sum(words[2] >= int(first) for first in contexts.faith[steadfast]) - 1
    resolute = int(contexts.estimates) == 2 and words[3] < int(contexts.hit[int(bound)][a])
    shift = types if resolute else 0
    return a, shift + b, shift + c


def opens(contexts: Any, dispute: Dispute, own: tuple[int, int, int], word: int) -> bool:
    """Return whether whoever the dispute arose for opens a crisis."""
    return word > int(contexts.enter[dispute.context, dispute.origin, own[dispute.origin]])


def play(
    contexts: Any, dispute: Dispute, own: tuple[int, int, int], trajectory: int, seed: int, year: int
) -> Crisis:
    """Return how a crisis ends, in which state and with which marks."""
    context, bound = dispute.context, int(dispute.bound)
    state = int(contexts.start[context, dispute.origin])
    marks = int(contexts.step[bound, CHALLENGER, state, HOLD]) // 1024  # holding leaves those of the state
    for t in range(int(contexts.rounds)):
        words = draw(trajectory, t, seed, year)
        for stage in (CHALLENGER, PROTEGE, DEFENDER, NATURE):
            if stage == NATURE:
                outcome = act_of_nature(contexts.nature[context, state], words[stage])
            else:
                outcome = move(contexts.cut[context, t, stage, state, own[stage]], stage, words[stage])
            packed = int(contexts.step[bound, stage, state, outcome])
            state, end, left = packed % 128, packed // 128 % 8, packed // 1024
            marks |= left
            if end:
                return Crisis(end, state, marks)
    return Crisis(STALEMATE, state, marks)


def move(cuts: Any, stage: int, word: int) -> int:
    """Return an actor's move: back down, hold, escalate; the defender's 2 is a blocked vote, its 3 passes."""
    back, sharp, passed = (int(cut) for cut in cuts)
    if word < back:
        return 0
    if word <= sharp:
        return 1
    return 3 if stage == DEFENDER and word > passed else 2


def act_of_nature(cuts: Any, word: int) -> int:
    """Return what nature does: cool, won, nothing, accident, lost."""
    cool, won, accident, lost = (int(cut) for cut in cuts)
    if word < cool:
        return 0
    if word < won:
        return 1
    if word <= accident:
        return 2
    return 3 if word <= lost else 4


# -- 4 what follows


def rung_of(state: int) -> int:
    return state // 8


def support_of(state: int) -> int:
    return state // 2 % 4


def worn(peace: Any, k: Three, crisis: Crisis) -> Three:
    """Return the capabilities after what a crisis wore out."""
    rung = rung_of(crisis.state)
    k_a, k_b, k_c = k
    k_a = k_a - float(peace.loss[0, rung])
    k_b = k_b - float(peace.loss[1, rung])
    if support_of(crisis.state) == FIGHTING:
        k_c = k_c - float(peace.loss[2, rung])
    return k_a, k_b, k_c


def taken(peace: Any, k: Three, crisis: Crisis) -> Three:
    """Return capabilities, or their trends, after what a crisis moved from one to the other."""
    k_a, k_b, k_c = k
    return k_a + float(peace.prize[0, crisis.end]), k_b + float(peace.prize[1, crisis.end]), k_c


def aggrieved(peace: Any, grievance: tuple[int, int], crisis: Crisis) -> tuple[int, int]:
    """Return the grievances after a crisis."""
    a, b = (grievance[i] + int(peace.grievance[i, crisis.end]) for i in (CHALLENGER, PROTEGE))
    return min(max(a, -2), 2), min(max(b, -2), 2)


def faded(grievance: int) -> int:
    """Return a grievance after a year without a crisis."""
    if grievance > 0:
        return grievance - 1
    if grievance < 0:
        return grievance + 1
    return 0


def honoured(crisis: Crisis) -> bool:
    """Return whether help was owed and given."""
    return bool(crisis.marks & OWED and crisis.marks & GIVEN)


def failed(crisis: Crisis) -> bool:
    """Return whether help was owed and not given, with no vote in the way."""
    return bool(crisis.marks & OWED and not crisis.marks & GIVEN and not crisis.marks & VOTE_BLOCKED)


def informed(contexts: Any, odds: float, dispute: Dispute, crisis: Crisis) -> float:
    """Return the log odds that the defender is steadfast after a crisis."""
    if honoured(crisis):
        return odds + float(contexts.news[dispute.context, 0])
    if failed(crisis):
        return odds + float(contexts.news[dispute.context, 1])
    return odds


# -- 5 the life of the pact


def wishes_of(contexts: Any, peace: Any, where: tuple[int, int, int], words: Words) -> Wishes:
    """Return what the partners wish this year."""
    with_pact = context_at(contexts, where, True)
    return Wishes(
        protege=words[0] < int(contexts.stay[with_pact, 0]),
        defender=words[1] < int(contexts.stay[with_pact, 1]),
        success=words[2] < int(peace.renegotiation),
        protege_keeps=words[0] < int(contexts.stay[with_pact, 2]),
        defender_keeps=words[1] < int(contexts.stay[with_pact, 3]),
    )


def ended(pact: Pact, cause: int) -> Pact:
    return pact._replace(status=ENDED, cause=cause)


def recurs(age: int, period: int) -> bool:
    """Return whether a period is over; one of 0 years never is."""
    return period > 0 and age % period == 0


def life(peace: Any, pact: Pact, wishes: Wishes, *, breached: bool) -> Pact:
    """Return where the pact stands at the end of a year."""
    if pact.status == ENDED:
        return pact
    pact = older(pact)
    pact = noticed(pact)
    if pact.status != ENDED and breached:
        pact = broken(peace, pact, wishes)
    if pact.status == ENDED:
        return pact
    both = wishes.protege and wishes.defender
    for period, cause in ((int(peace.term), LAPSE), (int(peace.review), REVIEW)):
        if recurs(pact.age, period):
            return pact if both or wishes.success else ended(pact, cause)
    if int(peace.notice) < 0:
        return abrogated(pact, wishes)
    if pact.notice == NEVER and not both:
        return giving_notice(peace, pact, wishes)
    return pact


def abrogated(pact: Pact, wishes: Wishes) -> Pact:
    """Return the pact after a year in which it could only be left against its terms."""
    if not wishes.defender_keeps:
        return ended(pact, ABROGATED_BY_DEFENDER)
    return pact if wishes.protege_keeps else ended(pact, ABROGATED_BY_PROTEGE)


def older(pact: Pact) -> Pact:
    """Return the pact a year later, in force again if its suspension is over."""
    pact = pact._replace(age=pact.age + 1)
    if pact.status != SUSPENDED:
        return pact
    pause = pact.pause - 1
    return pact._replace(pause=pause, status=IN_FORCE if pause == 0 else SUSPENDED)


def noticed(pact: Pact) -> Pact:
    """Return the pact after another year of notice."""
    if pact.notice == NEVER:
        return pact
    pact = pact._replace(notice=pact.notice - 1)
    return ended(pact, pact.giver) if pact.notice == 0 else pact


def broken(peace: Any, pact: Pact, wishes: Wishes) -> Pact:
    """Return the pact after help was owed and not given."""
    if int(peace.suspension) > 0:
        return pact._replace(status=SUSPENDED, pause=int(peace.suspension))
    return pact if wishes.protege else ended(pact, BREACH)


def giving_notice(peace: Any, pact: Pact, wishes: Wishes) -> Pact:
    """Return the pact after notice: by the defender if it does not wish to stay, else by the protégé."""
    giver = NOTICE_BY_PROTEGE if wishes.defender else NOTICE_BY_DEFENDER
    if int(peace.notice) == 0:
        return ended(pact, giver)
    return pact._replace(notice=int(peace.notice), giver=giver)


def ever(endings: Any, happened: Any) -> list[int]:
    """Return the bits of whatever happened in each history, from the cell of each year or -1."""
    found = []
    for cells in endings.tolist():
        bits = 0
        for cell in cells:
            if cell >= 0:
                bits |= int(happened[cell])
        found.append(bits)
    return found
