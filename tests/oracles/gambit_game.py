"""Small crises as extensive forms that Gambit can read, and Gambit's answers for them.

The tree is written out from the arrays of a `Game`: who moves, what it knows, where the moves lead.
Gambit needs perfect recall, and the crisis forgets how a state was reached. So most cases last one
round; the one of two rounds is cut so that the state still tells everything that happened.
"""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from entangle_kernels import ladder
from reference.games import crisis_game

A, B, C, NATURE = range(4)
NAMES = ("back down", "hold", "escalate")
DEFEAT, STALEMATE = 4, 6

Private = tuple[int, ...]  # scope, estimate, the three types
Label = tuple[int | str, ...]  # actor, round, public state (or "entry"), what it knows
Choices = dict[Label, dict[int, float]]
Payoffs = tuple[Fraction, Fraction, Fraction]


class Tree:
    """The extensive form of a crisis game in which every dispute is the challenger's."""

    def __init__(self, game: Any) -> None:
        if float(game.origin[0]) != 1.0:
            raise ValueError("only for disputes that arise for the challenger")
        self.game = game
        self.lines: list[str] = []
        # by player: its information sets, in the order in which the tree first shows them
        self.sets: tuple[dict[Label, list[int]], ...] = ({}, {}, {})
        self._numbers = itertools.count(1)

    def write(self) -> str:
        """Return the game in Gambit's file format."""
        self.lines = ['EFG 2 R "a crisis" { "A" "B" "C" }']
        types = list(self._types())
        self._chance([(weight, str(private)) for private, weight in types])
        for private, _ in types:
            self._decision(A, 0, "entry", private, [0, 1])
            self._leaf((Fraction(0), Fraction(0), Fraction(0)))
            opening = -Fraction(float(self.game.opening[0])), Fraction(0), Fraction(0)
            self._move(A, 0, int(self.game.start[0]), private, opening)
        return "\n".join(self.lines)

    def _types(self) -> Iterator[tuple[Private, Fraction]]:
        game = self.game
        sizes = game.scope.size, game.estimate.shape[0], *[game.theta.shape[1]] * 3
        for z, e, a, b, c in itertools.product(*map(range, sizes)):
            weight = Fraction(1)
            for chance in (
                game.scope[z],
                game.estimate[e, a],
                game.prior[0, a],
                game.prior[1, b],
                game.prior[2, c],
            ):
                weight *= Fraction(float(chance))
            if weight > 0:
                yield (z, e, a, b, c), weight

    def _move(self, actor: int, t: int, state: int, private: Private, got: Payoffs) -> None:
        """Write everything from `actor`'s move in round `t` on, `got` having been paid before."""
        game = self.game
        moves = [move for move in range(3) if game.legal[actor, state, move]]
        if actor == C and t < game.first_support:
            moves = [1]
        if actor == C and t < game.first_fight and (state >> 1) & 3 == 2:
            moves = [move for move in moves if move != 2]
        if len(moves) > 1:
            self._decision(actor, t, state, private, moves)
        for move in moves:
            if actor < C or move == 1:
                self._follow(actor, t, state, private, got, move)
            elif move == 0:
                a, b, c = got
                paid = a, b, c - Fraction(float(game.restrain[state]))
                self._follow(actor, t, state, private, paid, move)
            else:
                passes = Fraction(float(game.passes[state]))
                if passes < 1:
                    self._chance([(1 - passes, "blocked"), (passes, "passed")])
                    self._follow(actor, t, state, private, got, 2)
                self._follow(actor, t, state, private, got, 3)

    def _follow(self, actor: int, t: int, state: int, private: Private, got: Payoffs, outcome: int) -> None:
        step = int(self.game.step[0, actor, state, outcome])
        target, end = step % 128, step // 128 % 8
        if end:
            self._leaf(self._at_the_end(private, end, target, got))
        elif actor < C:
            self._move(actor + 1, t, target, private, got)
        else:
            self._nature(t, target, private, got)

    def _nature(self, t: int, state: int, private: Private, got: Payoffs) -> None:
        running = self.game.running[private[0], :, state]
        a, b, c = (before - Fraction(float(cost)) for before, cost in zip(got, running, strict=True))
        c -= self._failed(private, 0, state)
        chances = [Fraction(float(chance)) for chance in self.game.nature[state]]
        acts = [
            (chance / sum(chances), int(self.game.step[0, NATURE, state, outcome]))
            for outcome, chance in enumerate(chances)
            if chance > 0
        ]
        if t + 1 < self.game.rounds:
            self._chance([(chance, f"step {step}") for chance, step in acts])
            for _, step in acts:
                if step // 128 % 8:
                    self._leaf(self._at_the_end(private, step // 128 % 8, step % 128, (a, b, c)))
                else:
                    self._move(A, t + 1, step % 128, private, (a, b, c))
            return
        # nobody moves after the last act of nature: its expectation will do
        ends = [
            (chance, self._at_the_end(private, step // 128 % 8 or STALEMATE, step % 128, (a, b, c)))
            for chance, step in acts
        ]
        x, y, z = (sum((chance * paid[i] for chance, paid in ends), Fraction(0)) for i in range(3))
        self._leaf((x, y, z))

    def _at_the_end(self, private: Private, end: int, state: int, got: Payoffs) -> Payoffs:
        game = self.game
        a, b, c = (
            got[i]
            + Fraction(float(game.gain[i, end, state])) * Fraction(float(game.theta[i, private[2 + i]]))
            - Fraction(float(game.cost[private[0], i, end, state]))
            for i in range(3)
        )
        return a, b, c - (self._failed(private, 1, state) if end == DEFEAT else 0)

    def _failed(self, private: Private, when: int, state: int) -> Fraction:
        """Return what a round in breach (0), or a defeat in breach (1), costs the defender."""
        share = Fraction(float(self.game.breach[private[0], when, state]))
        return share * Fraction(float(self.game.theta[C, private[2 + C]]))

    def _decision(self, actor: int, t: int, place: int | str, private: Private, moves: list[int]) -> None:
        scope, estimate, *types = private
        known = (types[0],) if actor == A else (scope, estimate, types[actor])
        label: Label = actor, t, place, *known
        self.sets[actor].setdefault(label, moves)
        number = list(self.sets[actor]).index(label) + 1
        actions = " ".join(f'"{NAMES[move]}"' for move in moves)
        self.lines.append(f'p "" {actor + 1} {number} "{label}" {{ {actions} }} 0')

    def _chance(self, outcomes: list[tuple[Fraction, str]]) -> None:
        shown = " ".join(f'"{name}" {_ratio(chance)}' for chance, name in outcomes)
        number = next(self._numbers)
        self.lines.append(f'c "" {number} "event {number}" {{ {shown} }} 0')

    def _leaf(self, payoffs: Payoffs) -> None:
        number = next(self._numbers)
        shown = ", ".join(map(_ratio, payoffs))
        self.lines.append(f't "" {number} "outcome {number}" {{ {shown} }}')


def _ratio(number: Fraction) -> str:
    return f"{number.numerator}/{number.denominator}"


def gambit_choices(game: Any) -> Choices:
    """Return Gambit's logit equilibrium of `game`: chances of the moves at every information set."""
    import pygambit

    tree = Tree(game)
    form = pygambit.read_efg(io.StringIO(tree.write()))
    # the chances come in the order players, information sets, actions
    solved = iter(list(pygambit.qre.logit_solve_lambda(form, [game.precision])[0]))
    return {
        label: {move: float(next(solved)) for move in moves}
        for sets in tree.sets
        for label, moves in sets.items()
    }


def engine_choices(game: Any, solution: Any, label: Label) -> list[float]:
    """Return the engine's chances of the three moves at an information set of the tree."""
    actor, t, place, *known = label
    estimates, types = game.estimate.shape
    if actor == A:
        own = known[0]
    else:
        scope, estimate, type_ = known
        own = (scope * estimates + estimate) * types + type_
    if place == "entry":
        opens = float(solution.enter[0, own])
        return [1.0 - opens, opens, 0.0]
    return [float(chance) for chance in solution.policy[actor, t, place, own]]


def signals(game: Any) -> Any:
    """Return a game of two rounds in which the state tells all that happened.

    The protégé cannot escalate, so that the rung is the challenger's move; between the rounds nature
    takes the crisis to rungs of its own, on which nobody escalates. What the challenger did tells the
    partners about its type, and its type decides whether it backs down in the second round.
    """
    legal, step = game.legal.copy(), game.step.copy()
    legal[1, :, 2] = False
    nature = game.nature.copy()
    nature[:, ladder.NOTHING] += nature[:, ladder.ACCIDENT]
    nature[:, ladder.ACCIDENT] = 0.0
    for rung, support, provoked in itertools.product((1, 2), range(4), (0, 1)):
        later = ladder.pack(rung + 3, support, provoked)
        step[:, 3, ladder.pack(rung, support, provoked), ladder.NOTHING] = later
        legal[0, later, 2] = False
    return game._replace(rounds=2, legal=legal, step=step, nature=nature)


#: What all cases have in common.
SHARED: dict[str, Any] = {"origin": (1.0, 0.0), "precision": 2.0, "trigger": 2}
CASES: dict[str, dict[str, Any]] = {
    "two types": {"types": 2},
    "three types": {"types": 3},
    "two types, an estimate": {"types": 2, "estimates": 2},
    "three types, an estimate": {"types": 3, "estimates": 2},
    "two types, private scope": {"types": 2, "scopes": 2, "trigger": 1, "required": 1},
    "forces in place and a vote": {"types": 2, "support": 2, "passes": 0.6, "precision": 3.0},
    "the defender must wait": {"types": 2, "support": 1, "first_support": 1, "precision": 4.0},
    "signals": {"types": 2, "rounds": 2},
    "signals, an estimate and private scope": {
        "types": 2,
        "rounds": 2,
        "estimates": 2,
        "scopes": 2,
        "required": 1,
        "precision": 3.0,
    },
}


def case(name: str) -> Any:
    """Return the game of a case."""
    game = crisis_game(**SHARED | CASES[name])
    return signals(game) if name.startswith("signals") else game
