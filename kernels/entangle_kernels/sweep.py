"""One sweep of the equilibrium: beliefs forward, worth of moves backward.

`reach` holds, for every stage and state, the joint probability of being there with each combination of
private information; `worth` what a move brings each actor from there. Arrays over combinations are
innermost, so that the inner loops run along memory.
"""

from __future__ import annotations

import numpy as np

from entangle_kernels.jit import jit
from entangle_kernels.ladder import (
    ACCIDENT,
    BACK_DOWN,
    BLOCKED_VOTE,
    END_SHIFT,
    ESCALATE,
    NOTHING,
    OUTCOMES,
    PASSED,
    STALEMATE,
    STATE_MASK,
    STATES,
)

#: A probability below which a set counts as never reached: products of such numbers lose their digits.
UNREACHED = 1e-200


@jit
def forward(game, combos, allowed, live, policy, enter, reach):  # type: ignore[no-untyped-def]
    """Fill `reach`, shape (rounds, 4, states, Q): probability of each state with each combination."""
    n = combos.weight.size
    reach[:] = 0.0
    for origin in range(2):
        state = game.start[origin]
        for q in range(n):
            chance = enter[origin, combos.info[origin, q]]
            reach[0, 0, state, q] += game.origin[origin] * combos.weight[q] * chance
    for t in range(game.rounds):
        for stage in range(3):
            for state in range(STATES):
                if not live[t, stage, state]:
                    continue
                here = reach[t, stage, state]
                for move in range(3):
                    if not allowed[t, stage, state, move]:
                        continue
                    choice = policy[stage, t, state, :, move]
                    if stage == 2 and move == ESCALATE:
                        passes = game.passes[state]
                        step = game.step[0, 2, state, BLOCKED_VOTE]
                        _flow(step, here, choice, combos.info[2], 1.0 - passes, reach[t, 3])
                        step = game.step[0, 2, state, PASSED]
                        _flow(step, here, choice, combos.info[2], passes, reach[t, 3])
                    else:
                        step = game.step[0, stage, state, move]
                        _flow(step, here, choice, combos.info[stage], 1.0, reach[t, stage + 1])
        if t + 1 == game.rounds:
            break
        for state in range(STATES):
            if not live[t, 3, state]:
                continue
            for outcome in (NOTHING, ACCIDENT):
                chance = game.nature[state, outcome]
                step = game.step[0, 3, state, outcome]
                if chance > 0.0 and (step >> END_SHIFT) & 7 == 0:
                    here = reach[t, 3, state]
                    there = reach[t + 1, 0, step & STATE_MASK]
                    for q in range(n):
                        there[q] += here[q] * chance


@jit
def _flow(step, here, choice, info, chance, after):  # type: ignore[no-untyped-def]
    if chance == 0.0 or (step >> END_SHIFT) & 7 != 0:
        return
    there = after[step & STATE_MASK]
    for q in range(here.size):
        there[q] += here[q] * chance * choice[info[q]]


@jit
def backward(game, combos, allowed, live, reach, old, damping, policy, enter, values):  # type: ignore[no-untyped-def]
    """Fill `policy` and `enter` with the logit of what each move is worth, given the beliefs in `reach`.

    Earlier moves reckon with `damping` of the policy `old` in later ones: reckoning with the new one
    alone makes the sweeps cycle. `values`, shape (3, 2): each actor's payoff by origin.
    """
    # arrays by name: handing the whole game to a small function costs more than the function
    n = combos.weight.size
    sets = enter.shape[1]
    step, restrain, passes = game.step, game.restrain, game.passes
    now = np.zeros((3, STATES, n))
    after = np.zeros((3, STATES, n))
    worth = np.zeros((3, 3, n))  # move, actor, combination
    chances = np.zeros((3, n))  # of each move, by combination
    mixed = np.zeros(sets)
    for state in range(STATES):
        _ending(game.gain, game.cost, combos.theta, combos.scope, STALEMATE, state, after[:, state])
    for t in range(game.rounds - 1, -1, -1):
        for state in range(STATES):
            if live[t, 3, state]:
                _nature(game, combos, state, after, now)
        now, after = after, now
        for stage in range(2, -1, -1):
            info = combos.info[stage]
            for state in range(STATES):
                if not live[t, stage, state]:
                    continue
                for move in range(3):
                    if not allowed[t, stage, state, move]:
                        continue
                    packed = step[0, stage, state, PASSED if stage == 2 and move == ESCALATE else move]
                    end = (packed >> END_SHIFT) & 7
                    target = packed & STATE_MASK
                    if end != 0:
                        _ending(game.gain, game.cost, combos.theta, combos.scope, end, target, worth[move])
                    else:
                        for actor in range(3):
                            _copy(after[actor, target], worth[move, actor])
                    if stage == 2 and move == ESCALATE and passes[state] < 1.0:
                        for actor in range(3):
                            _shift(after[actor, state], 1.0 - passes[state], worth[move, actor])
                    elif stage == 2 and move == BACK_DOWN:
                        worth[move, 2] -= restrain[state]
                answer, before = policy[stage, t, state], old[stage, t, state]
                _answer(
                    game.precision,
                    allowed[t, stage, state],
                    info,
                    reach[t, stage, state],
                    combos.weight,
                    worth[:, stage],
                    answer,
                )
                for move in range(3):
                    for h in range(sets):
                        mixed[h] = (1.0 - damping) * answer[h, move] + damping * before[h, move]
                    _spread(mixed, info, chances[move])
                for actor in range(3):
                    _expect(chances, worth[0, actor], worth[1, actor], worth[2, actor], now[actor, state])
            now, after = after, now
    # the dispute itself: let be (worth nothing to anyone) or open a crisis
    values[:] = 0.0
    for origin in range(2):
        if game.origin[origin] == 0.0:
            continue
        state = game.start[origin]
        info = combos.info[origin]
        gain = np.zeros(sets)
        mass = np.zeros(sets)
        for q in range(n):
            gain[info[q]] += combos.weight[q] * after[origin, state, q]
            mass[info[q]] += combos.weight[q]
        for h in range(sets):
            if mass[h] > 0.0:
                worthwhile = gain[h] / mass[h] - game.opening[origin]
                enter[origin, h] = 1.0 / (1.0 + np.exp(-game.precision * worthwhile))
        for actor in range(3):
            for q in range(n):
                chance = combos.weight[q] * enter[origin, info[q]]
                paid = game.opening[origin] if actor == origin else 0.0
                values[actor, origin] += chance * (after[actor, state, q] - paid)


@jit
def _copy(there, out):  # type: ignore[no-untyped-def]
    for q in range(out.size):
        out[q] = there[q]


@jit
def _shift(there, share, out):  # type: ignore[no-untyped-def]
    """Move `out` by `share` of the way to `there`."""
    for q in range(out.size):
        out[q] += share * (there[q] - out[q])


@jit
def _spread(by_set, info, out):  # type: ignore[no-untyped-def]
    """Fill `out`, by combination, with what is given by information set."""
    for q in range(out.size):
        out[q] = by_set[np.uint64(info[q])]


@jit
def _expect(chances, back, hold, sharp, out):  # type: ignore[no-untyped-def]
    """Fill `out` with the expectation over the three moves."""
    c0, c1, c2 = chances[0], chances[1], chances[2]
    for q in range(out.size):
        out[q] = c0[q] * back[q] + c1[q] * hold[q] + c2[q] * sharp[q]


@jit
def _ending(gain, cost, theta, scope, end, state, out):  # type: ignore[no-untyped-def]
    """Fill `out`, shape (3, Q), with what an ending pays."""
    for actor in range(3):
        share = gain[actor, end, state]
        for q in range(scope.size):
            out[actor, q] = share * theta[actor, q] - cost[scope[q], actor, end, state]


@jit
def _nature(game, combos, state, after, now):  # type: ignore[no-untyped-def]
    n = combos.weight.size
    ending = np.empty((3, n))
    for actor in range(3):
        for q in range(n):
            now[actor, state, q] = -game.running[combos.scope[q], actor, state]
    for outcome in range(OUTCOMES):
        chance = game.nature[state, outcome]
        if chance == 0.0:
            continue
        packed = game.step[0, 3, state, outcome]
        end = (packed >> END_SHIFT) & 7
        target = packed & STATE_MASK
        if end != 0:
            _ending(game.gain, game.cost, combos.theta, combos.scope, end, target, ending)
        for actor in range(3):
            there = ending[actor] if end != 0 else after[actor, target]
            for q in range(n):
                now[actor, state, q] += chance * there[q]


@jit
def _answer(precision, allowed, info, reach, prior, worth, policy):  # type: ignore[no-untyped-def]
    """Replace the policy of one state by the logit of what each move is worth to the mover."""
    sets = policy.shape[0]
    reached = np.zeros(sets)
    mass = np.zeros(sets)
    total = np.zeros((3, sets))
    w0, w1, w2 = worth[0], worth[1], worth[2]
    t0, t1, t2 = total[0], total[1], total[2]
    for q in range(info.size):
        reached[np.uint64(info[q])] += reach[q]
    for q in range(info.size):
        own = np.uint64(info[q])
        # a set that is as good as never reached is judged by the prior
        chance = reach[q] if reached[own] > UNREACHED else prior[q]
        mass[own] += chance
        t0[own] += chance * w0[q]
        t1[own] += chance * w1[q]
        t2[own] += chance * w2[q]
    for h in range(sets):
        if mass[h] == 0.0:
            continue  # an index that this actor never has
        best = -np.inf
        for move in range(3):
            if allowed[move]:
                total[move, h] = precision * (total[move, h] / mass[h])
                best = max(best, total[move, h])
        norm = 0.0
        for move in range(3):
            if allowed[move]:
                total[move, h] = np.exp(total[move, h] - best)
                norm += total[move, h]
        for move in range(3):
            policy[h, move] = total[move, h] / norm if allowed[move] else 0.0
