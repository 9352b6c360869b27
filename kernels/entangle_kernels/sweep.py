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

from entangle_kernels.jit import jit
from entangle_kernels.ladder import (
    ACCIDENT,
    BACK_DOWN,
    BLOCKED_VOTE,
    DEFEAT,
    END_SHIFT,
    ESCALATE,
    HOLD,
    NOTHING,
    OUTCOMES,
    PASSED,
    STALEMATE,
    STATE_MASK,
    STATES,
)

#: A probability below which a set counts as never reached: products of such numbers lose their digits.
UNREACHED = 1e-200

#: Arrays over combinations run best in whole multiples of this: four vectors of the widest kind.
LANES = 32
#: Rows of the worth: each state before and after a stage, each ending (1-7) in each state, each vote.
VOTES = 9 * STATES
ROWS = VOTES + STATES
#: Below e to this there are no normal numbers.
LEAST = -708.0
#: 1 / ln 2, and ln 2 as a number whose last 20 bits are zero and the rest.
INVERSE_LN2, LN2_HIGH, LN2_LOW = 1.4426950408889634, 0.6931471803691238, 1.9082149292705877e-10
#: 1.5 x 2^52: numbers of its size have no places after the point.
ROUNDER = 6755399441055744.0


@jit
def forward(game, combos, allowed, live, policy, enter, reach):  # type: ignore[no-untyped-def]
    """Fill `reach`, shape (rounds, 4, states, Q): probability of each live state with each combination.

    Rows of states that are not live are left as they are.
    """
    info, weight, nature, passes, steps = combos.info, combos.weight, game.nature, game.passes, game.step
    # the first to arrive sets a row, the others add: no pass over memory to clear it before
    seen = np.zeros((game.rounds + 1, 4, STATES), np.bool_)
    chances = np.zeros((3, weight.size))
    by_set = np.zeros((3, policy.shape[3]))
    for origin in range(2):
        if game.origin[origin] > 0.0:
            state = game.start[origin]
            _open(game.origin[origin], weight, enter, info, origin, reach, state, seen[0, 0, state])
            seen[0, 0, state] = True
    for t in range(game.rounds):
        for stage in range(3):
            for state in range(STATES):
                if not live[t, stage, state]:
                    continue
                if not seen[t, stage, state]:
                    reach[t, stage, state] = 0.0
                for h in range(policy.shape[3]):
                    for move in range(3):
                        by_set[move, h] = policy[stage, t, state, h, move]
                for move in range(3):
                    if not allowed[t, stage, state, move]:
                        continue
                    _spread(by_set, move, info, stage, chances)
                    if stage == 2 and move == ESCALATE and passes[state] < 1.0:
                        target = steps[0, 2, state, BLOCKED_VOTE] & STATE_MASK
                        share, more = 1.0 - passes[state], seen[t, 3, target]
                        _flow(reach, t, stage, state, chances, move, share, target, more)
                        seen[t, 3, target] = True
                    share = passes[state] if stage == 2 and move == ESCALATE else 1.0
                    step = steps[0, stage, state, PASSED if stage == 2 and move == ESCALATE else move]
                    target = step & STATE_MASK
                    if (step >> END_SHIFT) & 7 == 0 and share > 0.0:
                        more = seen[t, stage + 1, target]
                        _flow(reach, t, stage, state, chances, move, share, target, more)
                        seen[t, stage + 1, target] = True
        for state in range(STATES):
            if not live[t, 3, state]:
                continue
            if not seen[t, 3, state]:
                reach[t, 3, state] = 0.0
            for outcome in (NOTHING, ACCIDENT):
                step = steps[0, 3, state, outcome]
                target = step & STATE_MASK
                if t + 1 < game.rounds and nature[state, outcome] > 0.0 and (step >> END_SHIFT) & 7 == 0:
                    _pass(reach, t, state, nature[state, outcome], target, seen[t + 1, 0, target])
                    seen[t + 1, 0, target] = True


@jit
def _open(share, weight, enter, info, origin, reach, state, more):  # type: ignore[no-untyped-def]
    for q in range(weight.size):
        before = reach[0, 0, state, q] if more else 0.0
        reach[0, 0, state, q] = before + share * weight[q] * enter[origin, info[origin, q]]


@jit
def _flow(reach, t, stage, state, chances, move, share, target, more):  # type: ignore[no-untyped-def]
    """Let those at a state who make a move, and of them a share, arrive at the next stage."""
    if more:
        for q in range(reach.shape[3]):
            reach[t, stage + 1, target, q] += reach[t, stage, state, q] * chances[move, q] * share
    else:
        for q in range(reach.shape[3]):
            reach[t, stage + 1, target, q] = reach[t, stage, state, q] * chances[move, q] * share


@jit
def _pass(reach, t, state, chance, target, more):  # type: ignore[no-untyped-def]
    """Let a share of those before nature arrive at the next round."""
    if more:
        for q in range(reach.shape[3]):
            reach[t + 1, 0, target, q] += reach[t, 3, state, q] * chance
    else:
        for q in range(reach.shape[3]):
            reach[t + 1, 0, target, q] = reach[t, 3, state, q] * chance


@jit
def by_set(reach, live, info, reached):  # type: ignore[no-untyped-def]
    """Add to `reached`, shape (3, rounds, states, H), the probability of each set of live states."""
    for t in range(reach.shape[0]):
        for stage in range(3):
            for state in range(STATES):
                if live[t, stage, state]:
                    for q in range(reach.shape[3]):
                        reached[stage, t, state, np.uint64(info[stage, q])] += reach[t, stage, state, q]


@jit
def backward(game, combos, allowed, live, reach, old, damping, policy, enter, values):  # type: ignore[no-untyped-def]
    """Fill `policy` and `enter` with the logit of what each move is worth, given the beliefs in `reach`.

    Earlier moves reckon with `damping` of the policy `old` in later ones: reckoning with the new one
    alone makes the sweeps cycle. `values`, shape (3, 2): each actor's payoff by origin.
    """
    worth = np.zeros((ROWS, 3, combos.weight.size))
    backward_with(game, combos, allowed, live, reach, old, damping, policy, enter, values, worth)


@jit
def backward_with(  # type: ignore[no-untyped-def]
    game, combos, allowed, live, reach, old, damping, policy, enter, values, worth
):
    """Do as :func:`backward` does, in memory that the caller keeps.

    `worth`, shape (ROWS, 3, Q): what every state is worth after a stage and before it, what every
    ending pays, and what a vote is worth.
    """
    # arrays by name: handing the whole game to a small function costs more than the function
    gain, cost, step, nature, running = game.gain, game.cost, game.step, game.nature, game.running
    breach = game.breach
    passes, restrain, precision = game.passes, game.restrain, game.precision
    theta, info, weight = combos.theta, combos.info, combos.weight
    sets = enter.shape[1]
    kinds = game.theta.shape[1]
    number = sets * kinds * kinds  # of combinations; there may be idle ones at the end
    now, after = 0, STATES
    ends = np.zeros((8, STATES), np.bool_)  # endings whose row is filled
    rows = np.zeros((STATES, 3), np.int64)  # of each move
    chances = np.zeros((3, worth.shape[2]))  # of each move, by combination
    by_set = np.zeros((3, sets))
    products = np.zeros(4 * number)
    total = np.zeros((4, STATES * sets))
    bits = np.zeros(STATES * sets, np.int64)
    power = bits.view(np.float64)
    for state in range(STATES):
        _ending(gain, cost, breach, theta, number, STALEMATE, state, worth, after + state)
    for t in range(game.rounds - 1, -1, -1):
        for state in range(STATES):
            if live[t, 3, state]:
                _nature(nature, running, breach, step, gain, cost, theta, number, state, worth, after, now)
        now, after = after, now
        for stage in range(2, -1, -1):
            count = 0
            for state in range(STATES):
                if not live[t, stage, state]:
                    continue
                for move in range(3):
                    if not allowed[t, stage, state, move]:
                        continue
                    packed = step[0, stage, state, PASSED if stage == 2 and move == ESCALATE else move]
                    end, target = (packed >> END_SHIFT) & 7, packed & STATE_MASK
                    rows[state, move] = after + target
                    if end != 0:
                        row = rows[state, move] = (1 + end) * STATES + target
                        if not ends[end, target]:
                            ends[end, target] = True
                            _ending(gain, cost, breach, theta, number, end, target, worth, row)
                    if stage == 2 and move == ESCALATE and passes[state] < 1.0:
                        row, fails = VOTES + state, 1.0 - passes[state]
                        _between(worth, rows[state, move], after + state, fails, row)
                        rows[state, move] = row
                for move in range(3):
                    if not allowed[t, stage, state, move]:
                        rows[state, move] = rows[state, HOLD]  # any row: its chance is 0
                _weigh(reach, t, stage, state, worth, rows, kinds, number, products)
                _sum_up(products, stage, kinds, sets, total, count)
                for h in range(count, count + sets):
                    if total[3, h] <= UNREACHED:
                        _by_prior(info, weight, worth, rows, stage, state, h - count, total, h)
                    if stage == 2:
                        total[BACK_DOWN, h] -= restrain[state] * total[3, h]
                count += sets
            _logit(precision, allowed, live, t, stage, sets, count, total, bits, power)
            _keep(live, t, stage, total, old, damping, policy)
            count = 0
            for state in range(STATES):
                if live[t, stage, state]:
                    for h in range(sets):
                        by_set[BACK_DOWN, h] = total[BACK_DOWN, count + h]
                        by_set[ESCALATE, h] = total[ESCALATE, count + h]
                    _spread(by_set, BACK_DOWN, info, stage, chances)
                    _spread(by_set, ESCALATE, info, stage, chances)
                    price = restrain[state] if stage == 2 else 0.0
                    _expect(chances, worth, rows, state, price, now + state)
                    count += sets
            now, after = after, now
    _opening(game, combos, worth, after, enter, values)


@jit
def _opening(game, combos, worth, after, enter, values):  # type: ignore[no-untyped-def]
    """Answer the dispute itself: let be (worth nothing to anyone) or open a crisis."""
    info = combos.info
    values[:] = 0.0
    for origin in range(2):
        if game.origin[origin] == 0.0:
            continue
        row = after + game.start[origin]
        gain = np.zeros(enter.shape[1])
        mass = np.zeros(enter.shape[1])
        for q in range(combos.weight.size):
            gain[info[origin, q]] += combos.weight[q] * worth[row, origin, q]
            mass[info[origin, q]] += combos.weight[q]
        for h in range(mass.size):
            if mass[h] > 0.0:
                worthwhile = gain[h] / mass[h] - game.opening[origin]
                enter[origin, h] = 1.0 / (1.0 + np.exp(-game.precision * worthwhile))
        for actor in range(3):
            for q in range(combos.weight.size):
                chance = combos.weight[q] * enter[origin, info[origin, q]]
                paid = game.opening[origin] if actor == origin else 0.0
                values[actor, origin] += chance * (worth[row, actor, q] - paid)


@jit
def _ending(gain, cost, breach, theta, number, end, state, worth, row):  # type: ignore[no-untyped-def]
    """Fill a row of `worth` with what an ending pays."""
    each = number // cost.shape[0]
    for scope in range(cost.shape[0]):
        first = scope * each
        for actor in range(3):
            share, price = gain[actor, end, state], cost[scope, actor, end, state]
            if actor == 2 and end == DEFEAT:
                share -= breach[scope, 1, state]
            for i in range(each):
                q = np.uint64(first + i)
                worth[row, actor, q] = share * theta[actor, q] - price


@jit
def _between(worth, row, other, share, into):  # type: ignore[no-untyped-def]
    """Fill a row with what lies `share` of the way from one row to another."""
    for actor in range(3):
        for q in range(worth.shape[2]):
            here = worth[row, actor, q]
            worth[into, actor, q] = here + share * (worth[other, actor, q] - here)


@jit
def _nature(  # type: ignore[no-untyped-def]
    nature, running, breach, step, gain, cost, theta, number, state, worth, after, now
):
    """Fill the row of a state before nature moves."""
    each = number // cost.shape[0]
    for actor in range(3):
        for scope in range(cost.shape[0]):
            # all endings together come to one share of the stake and one price
            share, price = 0.0, running[scope, actor, state]
            if actor == 2:
                share -= breach[scope, 0, state]
            for outcome in range(OUTCOMES):
                packed = step[0, 3, state, outcome]
                end, last = (packed >> END_SHIFT) & 7, packed & STATE_MASK
                if end != 0:
                    share += nature[state, outcome] * gain[actor, end, last]
                    if actor == 2 and end == DEFEAT:
                        share -= nature[state, outcome] * breach[scope, 1, last]
                    price += nature[state, outcome] * cost[scope, actor, end, last]
            first = scope * each
            for i in range(each):
                at = np.uint64(first + i)
                worth[now + state, actor, at] = share * theta[actor, at] - price
    for outcome in range(OUTCOMES):
        chance, packed = nature[state, outcome], step[0, 3, state, outcome]
        if chance > 0.0 and (packed >> END_SHIFT) & 7 == 0:
            target = packed & STATE_MASK
            for actor in range(3):
                for q in range(worth.shape[2]):
                    worth[now + state, actor, q] += chance * worth[after + target, actor, q]


@jit
def _weigh(reach, t, stage, state, worth, rows, kinds, number, products):  # type: ignore[no-untyped-def]
    """Fill `products` with the worth of each move times reach, and with reach alone.

    A combination is (((private, A), B), C). The four quantities come before what the mover's sets are summed
    over: in the order (private, quantity, A, B, C) for the challenger, (private, A, quantity, B, C) for
    the others, so that the sums over A run over all four at once.
    """
    run = kinds * kinds * (kinds if stage == 0 else 1)
    for first in range(0, number, run):
        for move in range(3):
            row, at = rows[state, move], 4 * first + move * run
            for i in range(run):
                here = reach[t, stage, state, np.uint64(first + i)]
                products[np.uint64(at + i)] = here * worth[row, stage, np.uint64(first + i)]
        at = 4 * first + 3 * run
        for i in range(run):
            products[np.uint64(at + i)] = reach[t, stage, state, np.uint64(first + i)]


@jit
def _sum_up(products, stage, kinds, sets, total, into):  # type: ignore[no-untyped-def]
    """Fill `total` from `into` with the sums of `products` by set of the mover, destroying `products`."""
    for i in range(4):
        for h in range(into, into + sets):
            total[i, h] = 0.0
    block = 4 * kinds * kinds
    for z in range(sets // kinds):
        first = z * kinds * block
        if stage == 0:
            _sum_runs(products, first, kinds, kinds * kinds, total, into)
            continue
        for a in range(1, kinds):
            for i in range(block):
                products[np.uint64(first + i)] += products[np.uint64(first + a * block + i)]
        if stage == 1:
            _sum_runs(products, first, kinds, kinds, total, into + z * kinds)
        else:
            _sum_columns(products, first, kinds, total, into + z * kinds)


@jit
def _sum_runs(products, first, kinds, length, total, h):  # type: ignore[no-untyped-def]
    """Add the sum of each run to its entry, four runs at a time because each sum waits for its last step."""
    step = kinds * length
    for kind in range(kinds):
        s0, s1, s2, s3 = 0.0, 0.0, 0.0, 0.0
        at = first + kind * length
        for i in range(length):
            s0 += products[np.uint64(at + i)]
            s1 += products[np.uint64(at + step + i)]
            s2 += products[np.uint64(at + 2 * step + i)]
            s3 += products[np.uint64(at + 3 * step + i)]
        into = np.uint64(h + kind)
        total[0, into] += s0
        total[1, into] += s1
        total[2, into] += s2
        total[3, into] += s3


@jit
def _sum_columns(products, first, kinds, total, h):  # type: ignore[no-untyped-def]
    """Add each column of each block of kinds x kinds to its entry."""
    step = kinds * kinds
    for c in range(kinds):
        s0, s1, s2, s3 = 0.0, 0.0, 0.0, 0.0
        for b in range(kinds):
            at = first + b * kinds + c
            s0 += products[np.uint64(at)]
            s1 += products[np.uint64(at + step)]
            s2 += products[np.uint64(at + 2 * step)]
            s3 += products[np.uint64(at + 3 * step)]
        into = np.uint64(h + c)
        total[0, into] += s0
        total[1, into] += s1
        total[2, into] += s2
        total[3, into] += s3


@jit
def _by_prior(info, prior, worth, rows, stage, state, own, total, into):  # type: ignore[no-untyped-def]
    """Judge a set that is as good as never reached by the prior."""
    for i in range(4):
        total[i, into] = 0.0
    for q in range(prior.size):
        if info[stage, q] == own:
            for move in range(3):
                total[move, into] += prior[q] * worth[rows[state, move], stage, q]
            total[3, into] += prior[q]


@jit
def _logit(precision, allowed, live, t, stage, sets, size, total, bits, power):  # type: ignore[no-untyped-def]
    """Replace the sums in `total` by the chance of each move: the logit of the mean.

    All states of a stage together, so that vectors are full.
    """
    for move in range(3):
        for h in range(size):
            total[move, h] = precision * (total[move, h] / total[3, h])
    first = 0
    for state in range(STATES):
        if live[t, stage, state]:
            for move in range(3):
                if not allowed[t, stage, state, move]:
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
def _keep(live, t, stage, total, old, damping, policy):  # type: ignore[no-untyped-def]
    """Keep the answers in `policy`, and leave in `total` what earlier moves reckon with."""
    i = 0
    for state in range(STATES):
        if live[t, stage, state]:
            for h in range(policy.shape[3]):
                for move in range(3):
                    if total[3, i] != 0.0:  # else an index that this actor never has
                        policy[stage, t, state, h, move] = total[move, i]
                    answer, before = policy[stage, t, state, h, move], old[stage, t, state, h, move]
                    total[move, i] = (1.0 - damping) * answer + damping * before
                i += 1


@jit
def _spread(by_set, move, info, stage, out):  # type: ignore[no-untyped-def]
    """Fill a row of `out`, by combination, with what is given by information set."""
    for q in range(out.shape[1]):
        out[move, q] = by_set[move, np.uint64(info[stage, q])]


@jit
def _expect(chances, worth, rows, state, price, into):  # type: ignore[no-untyped-def]
    """Fill a row with the expectation over the three moves; the defender pays for backing down."""
    back, hold, sharp = rows[state, 0], rows[state, 1], rows[state, 2]
    for actor in range(3):
        paid = price if actor == 2 else 0.0
        for q in range(chances.shape[1]):
            middle = worth[hold, actor, q]
            low, high = worth[back, actor, q] - middle - paid, worth[sharp, actor, q] - middle
            worth[into, actor, q] = middle + (chances[0, q] * low + chances[2, q] * high)
