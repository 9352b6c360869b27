"""What everybody does in every state, whether the game can reach it or not.

Where the game can be, that is what it does there; elsewhere one backward induction, with the prior for
beliefs. Built on the parts of :mod:`reference.equilibrium`, with the start of the game moved about.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any, NamedTuple

from reference.equilibrium import (
    DEFENDER,
    NATURE,
    Equilibrium,
    Node,
    Private,
    _combinations,
    _knows,
    _logit,
    _play_forward,
    _public_tree,
    _worth_of_move,
)

STATES = 72
Choices = dict[tuple[Node, Private], dict[int, float]]


class Everywhere(NamedTuple):
    """Choices by (node, what the mover knows), then by move.

    Parameters
    ----------
    policy
        What is done at every node at which a round can be played.
    wish
        What the defender would do there, if no delay kept it from any move just then.
    """

    policy: Choices
    wish: Choices


def everywhere(game: Any, found: Equilibrium) -> Everywhere:
    """Return what everybody does everywhere, given the equilibrium of the game."""
    combinations = _combinations(game)
    solved = dict(_public_tree(game))
    reach = {
        combination: _play_forward(game, solved, combination, weight, found)
        for combination, weight in combinations.items()
    }
    free = _whole_tree(game._replace(first_support=0, first_fight=0))
    tree = _whole_tree(game)
    policy: Choices = dict(found.policy)
    wish: Choices = {}
    worth: dict[Any, dict[Node, tuple[float, ...]]] = {combination: {} for combination in combinations}
    for node in sorted(tree, reverse=True):
        if node[1] != NATURE and node not in solved:
            policy |= _answers(game, tree, node, combinations, worth, combinations)
        if node[1] == DEFENDER:
            arrived = {combination: reach[combination].get(node, 0.0) for combination in combinations}
            wish |= _answers(game, free, node, combinations, worth, arrived)
        for combination in combinations:
            choice = {1: 1.0} if node[1] == NATURE else policy[node, _knows(node[1], combination)]
            of_move = {
                move: _worth_of_move(game, tree, combination, node, move, worth[combination])
                for move in tree[node]
            }
            worth[combination][node] = tuple(
                sum(choice[move] * of_move[move][actor] for move in of_move) for actor in range(3)
            )
    return Everywhere(policy, wish)


def _answers(game: Any, tree: Any, node: Node, combinations: Any, worth: Any, beliefs: Any) -> Choices:
    """Return the logit of what each move is worth at every information set of a node."""
    actor = node[1]
    together: dict[Private, list[Any]] = defaultdict(list)
    for combination in combinations:
        together[_knows(actor, combination)].append(combination)
    found: Choices = {}
    for knows, possible in together.items():
        weight = {combination: beliefs[combination] for combination in possible}
        if sum(weight.values()) == 0:  # never reached: judged by the prior
            weight = {combination: combinations[combination] for combination in possible}
        expected = {
            move: sum(
                weight[combination]
                * _worth_of_move(game, tree, combination, node, move, worth[combination])[actor]
                for combination in possible
            )
            / sum(weight.values())
            for move in tree[node]
        }
        found[node, knows] = _logit(game.precision, expected)
    return found


def _whole_tree(game: Any) -> dict[Node, Any]:
    """Return every node at which a round can be played, as if crises could open in any state."""
    tree: dict[Node, Any] = {}
    for state in range(STATES):
        if game.legal[0, state, 0]:
            elsewhere = game._replace(start=[state, state], origin=[1.0, 0.0])
            tree |= _public_tree(elsewhere)
    return tree
