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
    n = combos.weight.size
    sets = enter.shape[1]
    now = np.zeros((3, STATES, n))
    after = np.zeros((3, STATES, n))
    worth = np.zeros((3, 3, n))  # move, actor, combination
    for state in range(STATES):
        for actor in range(3):
            _ending(game, combos, actor, STALEMATE, state, after[actor, state])
    for t in range(game.rounds - 1, -1, -1):
        for state in range(STATES):
            if live[t, 3, state]:
                _nature(game, combos, state, after, now)
        now, after = after, now
        for stage in range(2, -1, -1):
            for state in range(STATES):
                if not live[t, stage, state]:
                    continue
                for move in range(3):
                    if allowed[t, stage, state, move]:
                        _worth(game, combos, stage, state, move, after, worth[move])
                _answer(
                    game.precision,
                    allowed[t, stage, state],
                    combos.info[stage],
                    reach[t, stage, state],
                    combos.weight,
                    worth[:, stage],
                    policy[stage, t, state],
                )
                for actor in range(3):
                    out = now[actor, state]
                    out[:] = 0.0
                    for move in range(3):
                        if allowed[t, stage, state, move]:
                            choice = policy[stage, t, state, :, move]
                            before = old[stage, t, state, :, move]
                            info = combos.info[stage]
                            for q in range(n):
                                h = info[q]
                                chance = (1.0 - damping) * choice[h] + damping * before[h]
                                out[q] += worth[move, actor, q] * chance
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
def _ending(game, combos, actor, end, state, out):  # type: ignore[no-untyped-def]
    gain = game.gain[actor, end, state]
    for q in range(out.size):
        cost = game.cost[combos.scope[q], actor, end, state]
        out[q] = gain * combos.theta[actor, q] - cost


@jit
def _nature(game, combos, state, after, now):  # type: ignore[no-untyped-def]
    n = combos.weight.size
    ending = np.empty(n)
    for actor in range(3):
        out = now[actor, state]
        for q in range(n):
            out[q] = -game.running[combos.scope[q], actor, state]
        for outcome in range(OUTCOMES):
            chance = game.nature[state, outcome]
            if chance == 0.0:
                continue
            step = game.step[0, 3, state, outcome]
            end = (step >> END_SHIFT) & 7
            if end != 0:
                _ending(game, combos, actor, end, step & STATE_MASK, ending)
                for q in range(n):
                    out[q] += chance * ending[q]
            else:
                there = after[actor, step & STATE_MASK]
                for q in range(n):
                    out[q] += chance * there[q]


@jit
def _worth(game, combos, stage, state, move, after, out):  # type: ignore[no-untyped-def]
    """What `move` is worth to each actor with each combination, shape (3, Q)."""
    n = combos.weight.size
    outcome = move if stage < 2 or move < ESCALATE else PASSED
    step = game.step[0, stage, state, outcome]
    end = (step >> END_SHIFT) & 7
    target = step & STATE_MASK
    for actor in range(3):
        if end != 0:
            _ending(game, combos, actor, end, target, out[actor])
        else:
            there = after[actor, target]
            for q in range(n):
                out[actor, q] = there[q]
    if stage == 2 and move == ESCALATE:
        passes = game.passes[state]
        for actor in range(3):
            stay = after[actor, state]
            for q in range(n):
                out[actor, q] = passes * out[actor, q] + (1.0 - passes) * stay[q]
    elif stage == 2 and move == BACK_DOWN:
        for q in range(n):
            out[2, q] -= game.restrain[state]


@jit
def _answer(precision, allowed, info, reach, prior, worth, policy):  # type: ignore[no-untyped-def]
    """Replace the policy of one state by the logit of what each move is worth to the mover."""
    sets = policy.shape[0]
    reached = np.zeros(sets)
    unconditional = np.zeros(sets)
    total = np.zeros((3, sets))
    for q in range(info.size):
        reached[info[q]] += reach[q]
        unconditional[info[q]] += prior[q]
    for q in range(info.size):
        # a set that is never reached is judged by the prior
        chance = reach[q] if reached[info[q]] > 0.0 else prior[q]
        for move in range(3):
            if allowed[move]:
                total[move, info[q]] += chance * worth[move, q]
    for h in range(sets):
        mass = reached[h] if reached[h] > 0.0 else unconditional[h]
        if mass == 0.0:
            continue  # an index that this actor never has
        best = -np.inf
        for move in range(3):
            if allowed[move]:
                total[move, h] *= precision / mass
                best = max(best, total[move, h])
        norm = 0.0
        for move in range(3):
            if allowed[move]:
                total[move, h] = np.exp(total[move, h] - best)
                norm += total[move, h]
        for move in range(3):
            if allowed[move]:
                policy[h, move] = total[move, h] / norm
