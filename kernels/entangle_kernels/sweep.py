"""One sweep of the equilibrium: beliefs forward, worth of moves backward.

`reach` holds, for every stage and state, the joint probability of being there with each combination of
private information; `worth` what a move brings each actor from there. Arrays over combinations are
innermost, so that the inner loops run along memory.

Small functions get whole arrays and indices. A view of an array costs an atomic count of references when it
is made and when it is dropped, and a sweep would make tens of thousands: with views it took twice as long.
An index that does not run from 0 is made unsigned, because the test for a negative one keeps a loop from
being vectorised.
"""

from __future__ import annotations

import numpy as np

from entangle_kernels.jit import inlined, jit
from entangle_kernels.ladder import (
    ACCIDENT,
    BACK_DOWN,
    BLOCKED_VOTE,
    CONCESSION,
    DEFEAT,
    END_SHIFT,
    ENDS,
    ESCALATE,
    HOLD,
    NO_CRISIS,
    NOTHING,
    OUTCOMES,
    PASSED,
    STALEMATE,
    STATE_MASK,
    STATES,
    WITHDRAWAL,
)

#: A probability below which a set counts as never reached: products of such numbers lose their digits.
UNREACHED = 1e-200

#: Rows of the worth: each state before and after a stage, each ending (1-7) in each state, each vote, and
#: one of zeros for what has no chance.
VOTES = 9 * STATES
NOUGHT = VOTES + STATES
ROWS = NOUGHT + 1
#: Order in which a stage goes through the states, so that the rows of the next state are still in the nearest
#: memory. The defender moves between levels of support, all others from rung to rung.
_CODES = np.arange(STATES).reshape(-1, 4, 2)
_BY_RUNG = np.ascontiguousarray(_CODES.transpose(1, 2, 0)).ravel()
_BY_SUPPORT = np.ascontiguousarray(_CODES.transpose(0, 2, 1)).ravel()
ORDER = np.stack([_BY_RUNG, _BY_RUNG, _BY_SUPPORT, _BY_RUNG])
#: Below e to this there are no normal numbers.
LEAST = -708.0
#: 1 / ln 2, and ln 2 as a number whose last 20 bits are zero and the rest.
INVERSE_LN2, LN2_HIGH, LN2_LOW = 1.4426950408889634, 0.6931471803691238, 1.9082149292705877e-10
#: 1.5 x 2^52: numbers of its size have no places after the point.
ROUNDER = 6755399441055744.0


@jit
def forward(game, combos, live, layout, point, reach):  # type: ignore[no-untyped-def]
    """Fill `reach`, shape (rounds + 1, 3, states, Q): probability of each live state with each combination.

    Rows of states that are not live are left as they are. What comes before nature's moves nobody asks for
    afterwards: all rounds share the memory at the end, ``reach[rounds, 0]``, which so stays in the nearest.
    """
    info, nature, passes, steps = combos.info, game.nature, game.passes, game.step
    lanes, kinds = combos.lanes, game.theta.shape[1]
    # the first to arrive sets a row, the others add: no pass over memory to clear it before
    seen = np.zeros((game.rounds + 1, 4, STATES), np.bool_)
    chances = np.ones(max(lanes, kinds))
    for origin in range(2):
        if game.origin[origin] > 0.0:
            state, at = game.start[origin], layout.opens[origin]
            more = seen[0, 0, state]
            _open(game.origin[origin], combos.weight, point, at, info, origin, reach[0, 0], state, more)
            seen[0, 0, state] = True
    still = reach[game.rounds, 0]
    for t in range(game.rounds):
        for stage in range(3):
            here, later = reach[t, stage], reach[t, stage + 1] if stage < 2 else still
            for state in ORDER[stage]:
                if not live[t, stage, state]:
                    continue
                if not seen[t, stage, state]:
                    here[state] = 0.0
                if layout.single[t, stage, state]:  # everybody holds
                    _pass(here, state, 1.0, later, state, seen[t, stage + 1, state])
                    seen[t, stage + 1, state] = True
                    continue
                for move in range(3):
                    at = layout.moves[t, stage, state, move]
                    if at < 0:
                        continue
                    vote = stage == 2 and move == ESCALATE
                    share = passes[state] if vote else 1.0
                    step = steps[0, stage, state, PASSED if vote else move]
                    if share < 1.0:
                        target = steps[0, 2, state, BLOCKED_VOTE] & STATE_MASK
                        more = seen[t, 3, target]
                        _spread(point, at, 1.0 - share, info, stage, lanes, kinds, chances)
                        _flow(here, state, stage, chances, later, target, more, lanes, kinds)
                        seen[t, 3, target] = True
                    if (step >> END_SHIFT) & 7 == 0 and share > 0.0:
                        target = step & STATE_MASK
                        more = seen[t, stage + 1, target]
                        _spread(point, at, share, info, stage, lanes, kinds, chances)
                        _flow(here, state, stage, chances, later, target, more, lanes, kinds)
                        seen[t, stage + 1, target] = True
        for state in ORDER[3]:
            if t + 1 == game.rounds or not live[t, 3, state] or not seen[t, 3, state]:
                continue
            for outcome in (NOTHING, ACCIDENT):
                step = steps[0, 3, state, outcome]
                target = step & STATE_MASK
                if nature[state, outcome] > 0.0 and (step >> END_SHIFT) & 7 == 0:
                    more = seen[t + 1, 0, target]
                    _pass(still, state, nature[state, outcome], reach[t + 1, 0], target, more)
                    seen[t + 1, 0, target] = True


@inlined
def _open(share, weight, point, at, info, origin, into, state, more):  # type: ignore[no-untyped-def]
    for q in range(weight.size):
        before = into[state, q] if more else 0.0
        into[state, q] = before + share * weight[q] * point[np.uint64(at + info[origin, q])]


@inlined
def _spread(point, at, share, info, stage, lanes, kinds, chances):  # type: ignore[no-untyped-def]
    """Fill `chances` with a share of what the mover does: the challenger by its type, a partner by lane."""
    if stage == 0:
        for a in range(kinds):
            chances[a] = share * point[np.uint64(at + a)]
    else:
        for i in range(lanes):
            chances[i] = share * point[np.uint64(at + info[stage, i])]


@inlined
def _flow(here, state, stage, chances, later, target, more, lanes, kinds):  # type: ignore[no-untyped-def]
    """Let those at a state who make a move arrive at the next stage."""
    for a in range(kinds):
        if stage == 0 and more:
            for i in range(lanes):
                q = np.uint64(a * lanes + i)
                later[target, q] += here[state, q] * chances[a]
        elif stage == 0:
            for i in range(lanes):
                q = np.uint64(a * lanes + i)
                later[target, q] = here[state, q] * chances[a]
        elif more:
            for i in range(lanes):
                q = np.uint64(a * lanes + i)
                later[target, q] += here[state, q] * chances[i]
        else:
            for i in range(lanes):
                q = np.uint64(a * lanes + i)
                later[target, q] = here[state, q] * chances[i]


@inlined
def _pass(here, state, chance, later, target, more):  # type: ignore[no-untyped-def]
    """Let a share of those at a state, the same of all, arrive at another stage."""
    if more:
        for q in range(here.shape[1]):
            later[target, q] += here[state, q] * chance
    else:
        for q in range(here.shape[1]):
            later[target, q] = here[state, q] * chance


@jit
def by_set(reach, live, combos, reached):  # type: ignore[no-untyped-def]
    """Add to `reached`, shape (3, rounds, states, H), the probability of each set of live states."""
    info, lanes = combos.info, combos.lanes
    sums = np.zeros(lanes)
    for t in range(live.shape[0]):
        for stage in range(3):
            for state in range(STATES):
                if not live[t, stage, state]:
                    continue
                sums[:] = 0.0
                for first in range(0, reach.shape[3], lanes):
                    if stage == 0:
                        for i in range(lanes):
                            reached[0, t, state, info[0, first]] += reach[t, 0, state, first + i]
                    else:
                        for i in range(lanes):
                            sums[i] += reach[t, stage, state, np.uint64(first + i)]
                for i in range(lanes if stage > 0 else 0):
                    reached[stage, t, state, np.uint64(info[stage, i])] += sums[i]


@jit
def backward(game, combos, live, layout, reach, point, damping, answer, values, worth):  # type: ignore[no-untyped-def]
    """Fill `answer` with the logit of what each move is worth, given the beliefs in `reach`.

    Earlier moves reckon with `damping` of the old choices, `point`, in later ones: reckoning with the new
    ones alone makes the sweeps cycle. `values`, shape (3, 2): each actor's payoff by origin. `worth`, shape
    (ROWS, 3, Q), is memory: what every state is worth after a stage and before it, what every ending pays,
    and what a vote is worth.
    """
    # arrays by name: handing the whole game to a small function costs more than the function
    step, nature, passes, restrain = game.step, game.nature, game.passes, game.restrain
    theta, info, weight, moves = combos.theta, combos.info, combos.weight, layout.moves
    lanes, used, kinds = combos.lanes, combos.used, game.theta.shape[1]
    scopes, privates = game.scope.size, game.scope.size * game.estimate.shape[0]
    shares = np.zeros((scopes, 3, ENDS, STATES))
    prices = np.zeros((scopes, 3, ENDS, STATES))
    _payoffs(game, shares, prices)
    now, after = 0, STATES
    ends = np.zeros((ENDS, STATES), np.bool_)  # endings whose row is filled
    rows = np.zeros((STATES, 3), np.int64)  # of each move
    chances = np.zeros((2, lanes))  # of backing down and of escalating, by lane
    pays = np.zeros((2 * STATES, 3, lanes))  # what giving in pays the challenger, and the protege
    for state in range(STATES):
        _giving_in(shares, prices, theta, lanes, used, WITHDRAWAL, state, pays, state)
        _giving_in(shares, prices, theta, lanes, used, CONCESSION, state, pays, STATES + state)
    sums = np.zeros((4, lanes))
    total = np.zeros((4, STATES * privates * kinds))
    bits = np.zeros(total.shape[1], np.int64)
    power = bits.view(np.float64)
    for state in range(STATES):
        _ending(shares, prices, theta, lanes, used, STALEMATE, state, worth, after + state)
    for t in range(game.rounds - 1, -1, -1):
        for state in ORDER[3]:
            if live[t, 3, state]:
                _nature(nature, step, shares, prices, theta, lanes, used, state, worth, after, now)
        now, after = after, now
        for stage in range(2, -1, -1):
            sets = kinds if stage == 0 else privates * kinds
            gives_in = WITHDRAWAL if stage == 0 else CONCESSION
            count = 0
            for state in ORDER[stage]:
                if not live[t, stage, state]:
                    continue
                for move in range(3):
                    holds = move == HOLD and layout.single[t, stage, state]
                    rows[state, move] = after + state if holds else NOUGHT
                    if moves[t, stage, state, move] < 0 or (move == BACK_DOWN and stage < 2):
                        continue
                    packed = step[0, stage, state, PASSED if stage == 2 and move == ESCALATE else move]
                    end, target = (packed >> END_SHIFT) & 7, packed & STATE_MASK
                    rows[state, move] = after + target
                    if end != 0:
                        row = rows[state, move] = (1 + end) * STATES + target
                        if not ends[end, target]:
                            ends[end, target] = True
                            _ending(shares, prices, theta, lanes, used, end, target, worth, row)
                    if stage == 2 and move == ESCALATE and passes[state] < 1.0:
                        row, fails = VOTES + state, 1.0 - passes[state]
                        _between(worth, rows[state, move], after + state, fails, row)
                        rows[state, move] = row
                if layout.single[t, stage, state]:
                    continue
                share, paid = shares[0, 0, gives_in, state], min(stage, 1) * STATES + state
                if stage == 0:
                    _sum_by_kind(
                        reach, t, state, worth, rows, pays, paid, share, theta, lanes, kinds, total, count
                    )
                else:
                    _sum_by_lane(reach, t, stage, state, worth, rows, lanes, kinds, sums)
                    _sum_up(sums, pays, paid, stage, privates, kinds, total, count)
                for h in range(count, count + sets):
                    if total[3, h] <= UNREACHED:
                        own = h - count
                        _by_prior(
                            info,
                            weight,
                            worth,
                            rows,
                            pays,
                            paid,
                            share,
                            theta,
                            lanes,
                            stage,
                            state,
                            own,
                            total,
                            h,
                        )
                if stage == 2:
                    for h in range(count, count + sets):
                        total[BACK_DOWN, h] -= restrain[state] * total[3, h]
                count += sets
            _logit(game.precision, layout, live, t, stage, sets, count, total, bits, power)
            _keep(layout, live, t, stage, sets, total, point, damping, answer)
            count = 0
            for state in ORDER[stage]:
                if not live[t, stage, state]:
                    continue
                if layout.single[t, stage, state]:
                    _copy(worth, rows[state, HOLD], now + state)
                    continue
                if stage > 0:
                    for i in range(lanes):
                        own_set = np.uint64(count + info[stage, i])
                        chances[0, i], chances[1, i] = total[BACK_DOWN, own_set], total[ESCALATE, own_set]
                share, paid = shares[0, 0, gives_in, state], min(stage, 1) * STATES + state
                if stage == 0:
                    _expect_by_kind(
                        total, count, worth, rows, state, pays, paid, share, theta, lanes, kinds, now + state
                    )
                elif stage == 1:
                    _expect_protege(
                        chances, worth, rows, state, pays, paid, share, theta, lanes, kinds, now + state
                    )
                else:
                    price = restrain[state]
                    _expect_defender(chances, worth, rows, state, price, lanes, kinds, now + state)
                count += sets
            now, after = after, now
    _opening(game, combos, layout.opens, worth, after, answer, values)


@jit
def _opening(game, combos, opens, worth, after, answer, values):  # type: ignore[no-untyped-def]
    """Answer the dispute itself: let be (worth nothing to anyone) or open a crisis."""
    info, weight = combos.info, combos.weight
    values[:] = 0.0
    for origin in range(2):
        if game.origin[origin] == 0.0:
            continue
        row, at = after + game.start[origin], opens[origin]
        gain = np.zeros(opens[origin + 1] - at)
        mass = np.zeros(gain.size)
        for q in range(weight.size):
            gain[info[origin, q]] += weight[q] * worth[row, origin, q]
            mass[info[origin, q]] += weight[q]
        for h in range(mass.size):
            answer[at + h] = 0.0
            if mass[h] > 0.0:
                worthwhile = gain[h] / mass[h] - game.opening[origin]
                answer[at + h] = 1.0 / (1.0 + np.exp(-game.precision * worthwhile))
        for actor in range(3):
            paid = game.opening[origin] if actor == origin else 0.0
            for q in range(weight.size):
                chance = weight[q] * answer[at + info[origin, q]]
                values[actor, origin] += chance * (worth[row, actor, q] - paid)


@jit
def _payoffs(game, shares, prices):  # type: ignore[no-untyped-def]
    """Fill what endings pay, ``share * theta - price``, both of shape (Z, 3, ends, states).

    In the place of the ending that is none: what a round costs, and what its endings by chance pay.
    """
    for scope in range(shares.shape[0]):
        for actor in range(3):
            for state in range(STATES):
                for end in range(1, ENDS):
                    shares[scope, actor, end, state] = game.gain[actor, end, state]
                    prices[scope, actor, end, state] = game.cost[scope, actor, end, state]
                if actor == 2:
                    shares[scope, 2, DEFEAT, state] -= game.breach[scope, 1, state]
                prices[scope, actor, NO_CRISIS, state] = game.running[scope, actor, state]
                if actor == 2:
                    shares[scope, 2, NO_CRISIS, state] = -game.breach[scope, 0, state]
    for scope in range(shares.shape[0]):
        for actor in range(3):
            for state in range(STATES):
                for outcome in range(OUTCOMES):
                    packed, chance = game.step[0, 3, state, outcome], game.nature[state, outcome]
                    end, last = (packed >> END_SHIFT) & 7, packed & STATE_MASK
                    if end != 0 and chance > 0.0:
                        shares[scope, actor, 0, state] += chance * shares[scope, actor, end, last]
                        prices[scope, actor, 0, state] += chance * prices[scope, actor, end, last]


@jit
def _ending(shares, prices, theta, lanes, used, end, state, worth, row):  # type: ignore[no-untyped-def]
    """Fill a row of `worth` with what an ending pays."""
    scopes = shares.shape[0]
    for actor in range(3):
        for scope in range(scopes):
            share, price = shares[scope, actor, end, state], prices[scope, actor, end, state]
            # with one scope the whole row at once, otherwise each scope's part of each run
            run, each = (lanes, used // scopes) if scopes > 1 else (theta.shape[1], theta.shape[1])
            size = each if scope + 1 < scopes else run - scope * each  # idle lanes are the last one's
            for first in range(scope * each, theta.shape[1], run):
                for i in range(size):
                    q = np.uint64(first + i)
                    worth[row, actor, q] = share * theta[actor, q] - price


@jit
def _giving_in(shares, prices, theta, lanes, used, end, state, pays, row):  # type: ignore[no-untyped-def]
    """Fill a row of `pays` with what an ending pays: to the challenger less its share of theta."""
    scopes = shares.shape[0]
    each = used // scopes if scopes > 1 else lanes
    for actor in range(3):
        for scope in range(scopes):
            share, price = shares[scope, actor, end, state], prices[scope, actor, end, state]
            if actor == 0:
                share = 0.0
            for i in range(scope * each, (scope + 1) * each):
                pays[row, actor, np.uint64(i)] = share * theta[actor, np.uint64(i)] - price


@inlined
def _copy(worth, row, into):  # type: ignore[no-untyped-def]
    for actor in range(3):
        for q in range(worth.shape[2]):
            worth[into, actor, q] = worth[row, actor, q]


@inlined
def _between(worth, row, other, share, into):  # type: ignore[no-untyped-def]
    """Fill a row with what lies `share` of the way from one row to another."""
    for actor in range(3):
        for q in range(worth.shape[2]):
            here = worth[row, actor, q]
            worth[into, actor, q] = here + share * (worth[other, actor, q] - here)


@inlined
def _nature(nature, step, shares, prices, theta, lanes, used, state, worth, after, now):  # type: ignore[no-untyped-def]
    """Fill the row of a state before nature moves."""
    scopes = shares.shape[0]
    quiet, slip = step[0, 3, state, NOTHING], step[0, 3, state, ACCIDENT]
    stays = nature[state, NOTHING] if (quiet >> END_SHIFT) & 7 == 0 else 0.0
    rises = nature[state, ACCIDENT] if (slip >> END_SHIFT) & 7 == 0 else 0.0
    same = after + (quiet & STATE_MASK) if stays > 0.0 else NOUGHT
    above = after + (slip & STATE_MASK) if rises > 0.0 else NOUGHT
    for actor in range(3):
        for scope in range(scopes):
            share, price = shares[scope, actor, 0, state], prices[scope, actor, 0, state]
            run, each = (lanes, used // scopes) if scopes > 1 else (theta.shape[1], theta.shape[1])
            size = each if scope + 1 < scopes else run - scope * each
            for first in range(scope * each, theta.shape[1], run):
                for i in range(size):
                    q = np.uint64(first + i)
                    goes_on = stays * worth[same, actor, q] + rises * worth[above, actor, q]
                    worth[now + state, actor, q] = share * theta[actor, q] - price + goes_on


@inlined
def _sum_by_kind(reach, t, state, worth, rows, pays, paid, share, theta, lanes, kinds, total, into):  # type: ignore[no-untyped-def]
    """Fill `total` with the challenger's worth of each move times reach, and reach, summed over lanes.

    Two sums of every second lane for each: a sum waits for each addition to end before the next.
    """
    hold, sharp = rows[state, 1], rows[state, 2]
    for a in range(kinds):
        s0, s1, s2, s3 = 0.0, 0.0, 0.0, 0.0
        z0, z1, z2, z3 = 0.0, 0.0, 0.0, 0.0
        for i in range(0, lanes, 2):
            q, p = np.uint64(a * lanes + i), np.uint64(a * lanes + i + 1)
            here, there = reach[t, 0, state, q], reach[t, 0, state, p]
            s0 += here * pays[paid, 0, np.uint64(i)]
            s1 += here * worth[hold, 0, q]
            s2 += here * worth[sharp, 0, q]
            s3 += here
            z0 += there * pays[paid, 0, np.uint64(i + 1)]
            z1 += there * worth[hold, 0, p]
            z2 += there * worth[sharp, 0, p]
            z3 += there
        h = np.uint64(into + a)
        mass = s3 + z3
        total[0, h], total[1, h], total[2, h] = s0 + z0 + share * theta[0, a * lanes] * mass, s1 + z1, s2 + z2
        total[3, h] = mass


@inlined
def _sum_by_lane(reach, t, stage, state, worth, rows, lanes, kinds, sums):  # type: ignore[no-untyped-def]
    """Fill `sums` with a partner's worth of each move times reach, and reach, summed over challengers.

    Not of the protege's backing down, which pays alike in all lanes of a set.
    """
    back, hold, sharp = rows[state, 0], rows[state, 1], rows[state, 2]
    for i in range(lanes):
        sums[0, i], sums[1, i], sums[2, i], sums[3, i] = 0.0, 0.0, 0.0, 0.0
    for a in range(kinds):
        if stage == 1:
            for i in range(lanes):
                q = np.uint64(a * lanes + i)
                here = reach[t, 1, state, q]
                sums[1, i] += here * worth[hold, 1, q]
                sums[2, i] += here * worth[sharp, 1, q]
                sums[3, i] += here
        else:
            for i in range(lanes):
                q = np.uint64(a * lanes + i)
                here = reach[t, 2, state, q]
                sums[0, i] += here * worth[back, 2, q]
                sums[1, i] += here * worth[hold, 2, q]
                sums[2, i] += here * worth[sharp, 2, q]
                sums[3, i] += here


@inlined
def _sum_up(sums, pays, paid, stage, privates, kinds, total, into):  # type: ignore[no-untyped-def]
    """Fill `total` from `into` with the sums of lanes by set: the protege's over C, the defender's over B."""
    # a lane is ((private, B), C)
    other, own = (1, kinds) if stage == 1 else (kinds, 1)
    for i in range(2 - stage, 4):
        for private in range(privates):
            for kind in range(kinds):
                at, added = private * kinds * kinds + kind * own, 0.0
                for _ in range(kinds):
                    added += sums[i, np.uint64(at)]
                    at += other
                total[i, np.uint64(into + private * kinds + kind)] = added
    if stage == 1:
        for h in range(privates * kinds):
            total[0, np.uint64(into + h)] = (
                total[3, np.uint64(into + h)] * pays[paid, 1, np.uint64(h * kinds)]
            )


@jit
def _by_prior(  # type: ignore[no-untyped-def]
    info, prior, worth, rows, pays, paid, share, theta, lanes, stage, state, own, total, into
):
    """Judge a set that is as good as never reached by the prior."""
    for i in range(4):
        total[i, into] = 0.0
    for q in range(prior.size):
        if info[stage, q] == own:
            for move in range(3):
                worthwhile = worth[rows[state, move], stage, q]
                if move == BACK_DOWN and stage < 2:
                    worthwhile = pays[paid, stage, q % lanes] + (share * theta[0, q] if stage == 0 else 0.0)
                total[move, into] += prior[q] * worthwhile
            total[3, into] += prior[q]


@jit
def _logit(precision, layout, live, t, stage, sets, size, total, bits, power):  # type: ignore[no-untyped-def]
    """Replace the sums in `total` by the chance of each move: the logit of the mean.

    All states of a stage together, so that vectors are full.
    """
    for move in range(3):
        for h in range(size):
            total[move, h] = precision * (total[move, h] / total[3, h])
    first = 0
    for state in ORDER[stage]:
        if live[t, stage, state] and not layout.single[t, stage, state]:
            for move in range(3):
                if layout.moves[t, stage, state, move] < 0:
                    for h in range(first, first + sets):
                        total[move, h] = -np.inf
            first += sets
    for h in range(size):
        best = np.maximum(np.maximum(total[0, h], total[1, h]), total[2, h])
        total[0, h] -= best
        total[1, h] -= best
        total[2, h] -= best
    for move in range(3):
        _exponential(total, move, size, bits, power)
    for h in range(size):
        norm = 1.0 / (total[0, h] + total[1, h] + total[2, h])
        total[0, h] *= norm
        total[1, h] *= norm
        total[2, h] *= norm


@jit
def _exponential(x, row, size, bits, power):  # type: ignore[no-untyped-def]
    """Replace a row of numbers up to 0 by their exponentials; below the least normal number by 0.

    Plain arithmetic on several numbers at once: 4 times as fast as calls of the C library, and the same bits
    everywhere. exp(x) is 2^k exp(r) with r up to half the logarithm of 2, whose series is right to one
    unit in the last place. `bits` and `power` are the same memory, as whole numbers and as floats.
    """
    for i in range(size):
        # added to so large a number, what comes after the point is rounded away
        power[i] = np.maximum(x[row, i], LEAST) * INVERSE_LN2 + ROUNDER
    for i in range(size):
        k = power[i] - ROUNDER
        r = (np.maximum(x[row, i], LEAST) - k * LN2_HIGH) - k * LN2_LOW
        series = 1.0 / 6227020800.0
        series = series * r + 1.0 / 479001600.0
        series = series * r + 1.0 / 39916800.0
        series = series * r + 1.0 / 3628800.0
        series = series * r + 1.0 / 362880.0
        series = series * r + 1.0 / 40320.0
        series = series * r + 1.0 / 5040.0
        series = series * r + 1.0 / 720.0
        series = series * r + 1.0 / 120.0
        series = series * r + 1.0 / 24.0
        series = series * r + 1.0 / 6.0
        series = series * r + 0.5
        series = series * r + 1.0
        series = series * r + 1.0
        x[row, i] = 0.0 if x[row, i] < LEAST else series
    for i in range(size):
        bits[i] = (bits[i] + 1023) << 52  # 2^k: k in the place of the exponent
    for i in range(size):
        x[row, i] *= power[i]


@jit
def _keep(layout, live, t, stage, sets, total, point, damping, answer):  # type: ignore[no-untyped-def]
    """Keep the choices in `answer`, and leave in `total` what earlier moves reckon with."""
    first = 0
    for state in ORDER[stage]:
        if not live[t, stage, state] or layout.single[t, stage, state]:
            continue
        for h in range(first, first + sets):
            if total[3, h] == 0.0:  # an index that this actor never has
                total[0, h], total[1, h], total[2, h] = 0.0, 0.0, 0.0
        for move in range(3):
            at = layout.moves[t, stage, state, move]
            if at >= 0:
                for i in range(sets):
                    k, j = np.uint64(first + i), np.uint64(at + i)
                    chosen = total[move, k]
                    answer[j] = chosen
                    total[move, k] = (1.0 - damping) * chosen + damping * point[j]
        first += sets


@inlined
def _expect_by_kind(total, first, worth, rows, state, pays, paid, share, theta, lanes, kinds, into):  # type: ignore[no-untyped-def]
    """Fill a row with the expectation over the challenger's three moves."""
    hold, sharp = rows[state, 1], rows[state, 2]
    for actor in range(3):
        for a in range(kinds):
            mild, firm = total[BACK_DOWN, first + a], total[ESCALATE, first + a]
            more = share * theta[0, a * lanes] if actor == 0 else 0.0
            for i in range(lanes):
                q = np.uint64(a * lanes + i)
                middle = worth[hold, actor, q]
                low, high = pays[paid, actor, i] + more - middle, worth[sharp, actor, q] - middle
                worth[into, actor, q] = middle + (mild * low + firm * high)


@inlined
def _expect_protege(chances, worth, rows, state, pays, paid, share, theta, lanes, kinds, into):  # type: ignore[no-untyped-def]
    """Fill a row with the expectation over the protege's three moves."""
    hold, sharp = rows[state, 1], rows[state, 2]
    for actor in range(3):
        for a in range(kinds):
            more = share * theta[0, a * lanes] if actor == 0 else 0.0
            for i in range(lanes):
                q = np.uint64(a * lanes + i)
                middle = worth[hold, actor, q]
                low, high = pays[paid, actor, i] + more - middle, worth[sharp, actor, q] - middle
                worth[into, actor, q] = middle + (chances[0, i] * low + chances[1, i] * high)


@inlined
def _expect_defender(chances, worth, rows, state, price, lanes, kinds, into):  # type: ignore[no-untyped-def]
    """Fill a row with the expectation over the defender's moves; it pays for backing down."""
    back, hold, sharp = rows[state, 0], rows[state, 1], rows[state, 2]
    for actor in range(3):
        paid = price if actor == 2 else 0.0
        for a in range(kinds):
            for i in range(lanes):
                q = np.uint64(a * lanes + i)
                middle = worth[hold, actor, q]
                low, high = worth[back, actor, q] - middle - paid, worth[sharp, actor, q] - middle
                worth[into, actor, q] = middle + (chances[0, i] * low + chances[1, i] * high)
