"""The equilibrium by plain damped iteration, one combination of types at a time.

Every policy answers the *previous* policies of everybody, itself included; nothing is reused within
an iteration. Beliefs come from playing the game forward for every combination of private
information and sorting what arrives by what the mover can see.
"""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Any, NamedTuple

CHALLENGER, PROTEGE, DEFENDER, NATURE = range(4)
BACK_DOWN, HOLD, ESCALATE = range(3)
BLOCKED, PASSED = 2, 3
DEFEAT, STALEMATE = 4, 6
MILITARY = 2

Node = tuple[int, int, int]  # round, stage, public state
Private = tuple[int, ...]  # the challenger: its type; a partner: scope, estimate, its type
Combination = tuple[int, int, int, int, int]  # scope, estimate, the three types
Place = Node | tuple[str, int, int]  # a node, or ("end", how, public state)


class Equilibrium(NamedTuple):
    """Choice probabilities at every information set.

    Parameters
    ----------
    policy
        By (node, what the mover knows), then by move.
    enter
        Probability of opening a crisis, by (origin, what the opener knows).
    reach
        Probability of each information set, by (node, what the mover knows).
    value
        Expected payoff of a dispute to each actor.
    residual
        Largest change of a choice probability in the last iteration.
    iterations
        Iterations taken.
    """

    policy: dict[tuple[Node, Private], dict[int, float]]
    enter: dict[tuple[int, Private], float]
    reach: dict[tuple[Node, Private], float]
    value: tuple[float, float, float]
    residual: float
    iterations: int


def solve(game: Any, *, tolerance: float = 1e-12, most: int = 2000, damping: float = 0.3) -> Equilibrium:
    """Return the equilibrium that damped iteration from uniform choices arrives at."""
    found = uniform(game)
    for iteration in range(1, most + 1):
        new = answer(game, found)
        if new.residual <= tolerance:
            return new._replace(iterations=iteration)
        policy = {
            key: {
                move: damping * found.policy[key][move] + (1 - damping) * chance
                for move, chance in chosen.items()
            }
            for key, chosen in new.policy.items()
        }
        enter = {
            key: damping * found.enter[key] + (1 - damping) * chance for key, chance in new.enter.items()
        }
        found = new._replace(policy=policy, enter=enter)
    raise AssertionError(f"still moving by {new.residual:.1e} after {most} iterations")


def answer(game: Any, point: Equilibrium) -> Equilibrium:
    """Return everybody's logit choices if everybody else, and later self, plays `point`."""
    tree = _public_tree(game)
    # what each move is worth at each information set, once for each combination that could be there
    seen: dict[tuple[Node, Private], list[tuple[float, float, dict[int, float]]]]
    seen = defaultdict(list)
    opening: dict[tuple[int, Private], list[tuple[float, float]]] = defaultdict(list)
    value = [0.0, 0.0, 0.0]
    for combination, weight in _combinations(game).items():
        reach = _play_forward(game, tree, combination, weight, point)
        worth = _play_backward(game, tree, combination, point)
        for node in tree:
            actor = node[1]
            if actor == NATURE:
                continue
            moves = {
                move: _worth_of_move(game, tree, combination, node, move, worth)[actor] for move in tree[node]
            }
            key = node, _knows(actor, combination)
            seen[key].append((reach[node], weight, moves))
        for origin in (CHALLENGER, PROTEGE):
            if game.origin[origin] == 0:
                continue
            key_ = origin, _knows(origin, combination)
            start = worth[0, CHALLENGER, int(game.start[origin])]
            opening[key_].append((weight, start[origin] - game.opening[origin]))
            chance = game.origin[origin] * weight * point.enter[key_]
            for actor in range(3):
                paid = game.opening[origin] if actor == origin else 0.0
                value[actor] += chance * (start[actor] - paid)

    policy, total, residual = {}, {}, 0.0
    for key, arrivals in seen.items():
        total[key] = math.fsum(reached for reached, _, _ in arrivals)
        # an information set that is never reached is judged by the prior
        belief = [reached if total[key] > 0 else prior for reached, prior, _ in arrivals]
        expected = {
            move: math.fsum(b * moves[move] for b, (_, _, moves) in zip(belief, arrivals, strict=True))
            / math.fsum(belief)
            for move in arrivals[0][2]
        }
        policy[key] = _logit(game.precision, expected)
        for move, chance in policy[key].items():
            residual = max(residual, abs(chance - point.policy[key][move]))
    enter = {}
    for key_, worths in opening.items():
        gain = math.fsum(w * g for w, g in worths) / math.fsum(w for w, _ in worths)
        enter[key_] = _logit(game.precision, {0: 0.0, 1: gain})[1]
        residual = max(residual, abs(enter[key_] - point.enter[key_]))
    a, b, c = value
    return Equilibrium(policy, enter, total, (a, b, c), residual, point.iterations + 1)


def _logit(precision: float, expected: dict[int, float]) -> dict[int, float]:
    best = max(expected.values())
    odds = {move: math.exp(precision * (worth - best)) for move, worth in expected.items()}
    return {move: odd / math.fsum(odds.values()) for move, odd in odds.items()}


def _combinations(game: Any) -> dict[Combination, float]:
    """Return the probability of every combination of private information that can occur."""
    types = range(game.theta.shape[1])
    found = {
        (z, e, a, b, c): float(
            game.scope[z] * game.estimate[e, a] * game.prior[0, a] * game.prior[1, b] * game.prior[2, c]
        )
        for z in range(game.scope.size)
        for e in range(game.estimate.shape[0])
        for a in types
        for b in types
        for c in types
    }
    return {combination: weight for combination, weight in found.items() if weight > 0}


def _knows(actor: int, combination: Combination) -> Private:
    """Return what `actor` knows: its type, and for a partner the scope and the common estimate."""
    scope, estimate, *types = combination
    return (types[0],) if actor == CHALLENGER else (scope, estimate, types[actor])


def _moves(game: Any, node: Node) -> list[int]:
    t, stage, state = node
    legal = [move for move in (BACK_DOWN, HOLD, ESCALATE) if game.legal[stage, state, move]]
    if stage != DEFENDER:
        return legal
    if t < game.first_support:
        return [HOLD]
    fights_next = (state >> 1) % 4 == MILITARY
    if fights_next and t < game.first_fight:
        return [move for move in legal if move != ESCALATE]
    return legal


def _after(node: Node, step: int, rounds: int) -> Place:
    """Return where a packed step leads from `node`."""
    t, stage, _ = node
    state, end = step % 128, step // 128 % 8
    if end:
        return "end", end, state
    if stage < NATURE:
        return t, stage + 1, state
    return (t + 1, CHALLENGER, state) if t + 1 < rounds else ("end", STALEMATE, state)


_TREES: dict[int, tuple[Any, dict[Node, dict[int, list[tuple[float, Place]]]]]] = {}


def _public_tree(game: Any) -> dict[Node, dict[int, list[tuple[float, Place]]]]:
    """Return, for every node that can be reached, each move's chances and where they lead.

    Nature has a single move. Nodes come in the order of play.
    """
    known = _TREES.get(id(game))
    if known is not None and known[0] is game:
        return known[1]
    tree: dict[Node, dict[int, list[tuple[float, Place]]]] = {}
    front = {(0, CHALLENGER, int(game.start[o])) for o in (0, 1) if game.origin[o] > 0}
    while front:
        ahead = set()
        for node in sorted(front):
            _, stage, state = node
            steps = [int(step) for step in game.step[0, stage, state]]
            lotteries: dict[int, list[tuple[float, int]]]
            if stage == NATURE:
                nature = [float(chance) for chance in game.nature[state]]
                lotteries = {HOLD: list(zip(nature, steps, strict=True))}
            else:
                lotteries = {move: [(1.0, steps[move])] for move in _moves(game, node)}
                if stage == DEFENDER and ESCALATE in lotteries:
                    passes = float(game.passes[state])
                    lotteries[ESCALATE] = [(passes, steps[PASSED]), (1 - passes, steps[BLOCKED])]
            tree[node] = {
                move: [(p, _after(node, step, game.rounds)) for p, step in lottery if p > 0]
                for move, lottery in lotteries.items()
            }
            ahead |= {place for lottery in tree[node].values() for _, place in lottery if place[0] != "end"}
        front = ahead
    _TREES.clear()  # the twin works on one game at a time
    _TREES[id(game)] = game, tree
    return tree


def uniform(game: Any) -> Equilibrium:
    tree, combinations = _public_tree(game), _combinations(game)
    policy = {
        (node, _knows(node[1], combination)): {move: 1 / len(moves) for move in moves}
        for node, moves in tree.items()
        if node[1] != NATURE
        for combination in combinations
    }
    enter = {
        (origin, _knows(origin, combination)): 0.5
        for origin in (0, 1)
        if game.origin[origin] > 0
        for combination in combinations
    }
    return Equilibrium(policy, enter, {}, (0.0, 0.0, 0.0), math.inf, 0)


def _choice(point: Equilibrium, node: Node, combination: Combination) -> dict[int, float]:
    if node[1] == NATURE:
        return {HOLD: 1.0}
    return point.policy[node, _knows(node[1], combination)]


def _play_forward(
    game: Any, tree: Any, combination: Combination, weight: float, point: Equilibrium
) -> dict[Node, float]:
    """Return the probability of this combination together with each node."""
    reach: dict[Any, float] = dict.fromkeys(tree, 0.0)
    for origin in (0, 1):
        if game.origin[origin] > 0:
            opens = point.enter[origin, _knows(origin, combination)]
            start = 0, CHALLENGER, int(game.start[origin])
            reach[start] += float(game.origin[origin]) * weight * opens
    for node, moves in tree.items():
        choice = _choice(point, node, combination)
        for move, lottery in moves.items():
            for chance, place in lottery:
                if place[0] != "end":
                    reach[place] += reach[node] * choice[move] * chance
    return reach


def _play_backward(
    game: Any, tree: Any, combination: Combination, point: Equilibrium
) -> dict[Node, tuple[float, ...]]:
    """Return what each node is worth to the three actors, for this combination."""
    worth: dict[Node, tuple[float, ...]] = {}
    for node in reversed(tree):
        choice = _choice(point, node, combination)
        total = [0.0, 0.0, 0.0]
        for move in tree[node]:
            of_move = _worth_of_move(game, tree, combination, node, move, worth)
            for actor in range(3):
                total[actor] += choice[move] * of_move[actor]
        worth[node] = tuple(total)
    return worth


def _worth_of_move(
    game: Any, tree: Any, combination: Combination, node: Node, move: int, worth: Any
) -> list[float]:
    _, stage, state = node
    scope = combination[0]
    total = [0.0, 0.0, 0.0]
    for chance, place in tree[node][move]:
        if place[0] == "end":
            _, end, last = place
            paid = [
                game.gain[i, end, last] * game.theta[i, combination[2 + i]] - game.cost[scope, i, end, last]
                for i in range(3)
            ]
            if end == DEFEAT:
                paid[DEFENDER] -= game.breach[scope, 1, last] * game.theta[DEFENDER, combination[4]]
        else:
            paid = worth[place]
        for actor in range(3):
            total[actor] += chance * paid[actor]
    if stage == NATURE:  # the round's cost falls due before nature moves
        for actor in range(3):
            total[actor] -= game.running[scope, actor, state]
        total[DEFENDER] -= game.breach[scope, 0, state] * game.theta[DEFENDER, combination[4]]
    if stage == DEFENDER and move == BACK_DOWN:
        total[DEFENDER] -= game.restrain[state]
    return total
