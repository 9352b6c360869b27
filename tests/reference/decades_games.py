"""Small hand-made contexts and what moves between crises, for tests of the years between them.

The games are those of :mod:`reference.games`, changed from point to point of the grid. What follows from a
crisis (news, wishes) is made up, so that no two contexts agree by accident.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log
from typing import Any

import numpy as np

from entangle_kernels import ladder
from entangle_kernels.equilibrium import solve
from entangle_kernels.game import Game
from entangle_kernels.peace import Contexts, Peace
from entangle_kernels.quantise import Tables, tables
from reference.games import crisis_game

WORDS = 2**32
SPANS = ((-0.6, 0.6), (-0.8, 0.8), (-2.0, 2.0))  # of the three axes
BLOCKS_VOTES = {"support": 2, "passes": 0.5, "trigger": 2}


def word(probability: float) -> np.uint64:
    """Return the threshold of an event: it happens if the word is below."""
    return np.uint64(round(probability * WORDS))


def equal_classes(types: int) -> list[int]:
    """Return the first word of each class of ``(word * types) >> 32``."""
    return [-(-i * WORDS // types) for i in range(types)]


def leaning_classes(types: int, lean: float) -> list[int]:
    """Return the first word of each class; below 1 the high classes are wide, above 1 narrow."""
    return [round(WORDS * (1.0 - (1.0 - i / types) ** lean)) for i in range(types)]


def contexts_of(
    points: tuple[int, int, int] = (2, 2, 2),
    types: int = 2,
    estimates: int = 2,
    rounds: int = 3,
    *,
    in_scope: float = 0.75,
    faith: Sequence[Sequence[int]] | None = None,
    **settings: Any,
) -> Contexts:
    """Return solved games on a grid that spans the same range whatever its points; one lies in the middle.

    Parameters
    ----------
    faith
        First words of the classes of a wavering and of a steadfast defender.
    settings
        For :func:`reference.games.crisis_game`; without a pact nothing is owed, no vote is held and no
        support is there at the start.
    """
    settings = {"types": types, "estimates": estimates, "rounds": rounds, "trigger": 2} | settings
    bare = settings | {"owed": 0.0, "passes": 1.0, "support": 0}
    if faith is None:
        faith = [leaning_classes(types, 1.6), leaning_classes(types, 0.5)]
    classes = np.array(faith, np.uint64)
    axes = [_axis(span, count) for span, count in zip(SPANS, points, strict=True)]
    found, stay, news = [], [], []
    for bound in range(2):
        for i, protege in enumerate(axes[0]):
            for j, defender in enumerate(axes[1]):
                for m, odds in enumerate(axes[2]):
                    base = crisis_game(**(settings if bound else bare))
                    game = _shifted(base, protege, defender, odds, classes, resolute=0.1 * bound)
                    if bound and j % 2 == 1 and not settings.get("support"):
                        game = game._replace(start=game.start + 2)  # one more support at the start
                    found.append((game, tables([game], [solve(game)], in_scope=in_scope)))
                    wishes = [0.8 + 0.07 * i + 0.05 * m, 0.95 - 0.1 * j - 0.05 * i - 0.02 * m]
                    stay.append([*wishes, *(0.5 + 0.5 * wish for wish in wishes)])
                    news.append([bound * (0.31 + 0.07 * i + 0.05 * j), -bound * (0.83 + 0.11 * m)])
    every = [table for _, table in found]
    unbound, bound_one = every[0], every[-1]
    return Contexts(
        types=types,
        estimates=estimates,
        rounds=rounds,
        lowest=np.array([axis[0] for axis in axes]),
        inverse=np.array(
            [
                (count - 1) / (high - low) if count > 1 else 0.0
                for (low, high), count in zip(SPANS, points, strict=True)
            ]
        ),
        points=np.array(points, np.int64),
        hit=np.stack([unbound.hit, bound_one.hit]),
        scope=unbound.scope,
        faith=classes,
        enter=np.stack([table.enter[:, 0] for table in every]),
        start=np.stack([table.start for table in every]),
        cut=np.stack([table.cut[0] for table in every]),
        nature=np.stack([table.nature for table in every]),
        step=np.stack([unbound.step[0], bound_one.step[0]]),
        stay=np.array([[word(value) for value in row] for row in stay], np.uint64),
        news=np.array(news),
    )


def tables_of(contexts: Contexts, peace: Peace, *, row: int) -> Tables:
    """Return the tables of a single crisis in the only context, bound (`row` 1) or not (`row` 0).

    Nature, the opening and the estimate are those of the row, whatever the scope.
    """
    assert contexts.points.tolist() == [1, 1, 1]
    return Tables(
        types=contexts.types,
        estimates=contexts.estimates,
        rounds=contexts.rounds,
        hit=contexts.hit[row],
        origin=peace.origin[2, 2],
        scope=contexts.scope if peace.pact else np.uint64(0),
        enter=contexts.enter.swapaxes(0, 1).copy(),
        start=contexts.start[row],
        cut=contexts.cut,
        nature=contexts.nature[row],
        step=contexts.step,
    )


def peace_of(**changes: Any) -> Peace:
    """Return lively decades: a dispute in two years of three, and every clause that there is."""
    rates = [[(0.9 * exp(0.25 * a), 0.4 * exp(0.25 * b)) for b in range(-2, 3)] for a in range(-2, 3)]
    loss = np.outer([1.0, 1.3, 0.7], [0.0, 0.0, 0.01, 0.02, 0.05, 0.08, 0.12, 0.2, 0.5])
    prize = np.zeros((2, ladder.ENDS))
    prize[0, ladder.CONCESSION], prize[1, ladder.CONCESSION] = 0.03, -0.05
    prize[0, ladder.DEFEAT], prize[1, ladder.DEFEAT] = 0.06, -0.11
    prize[0, ladder.VICTORY], prize[1, ladder.VICTORY] = -0.07, 0.04
    grievance = np.zeros((2, ladder.ENDS), np.int64)
    for end, (a, b) in {
        ladder.WITHDRAWAL: (1, -1),
        ladder.CONCESSION: (-1, 1),
        ladder.COMPROMISE: (-1, -1),
        ladder.DEFEAT: (-1, 2),
        ladder.VICTORY: (2, -1),
        ladder.STALEMATE: (1, 1),
        ladder.GENERAL_WAR: (2, 2),
    }.items():
        grievance[:, end] = a, b
    peace = Peace(
        odds=0.4,
        steadfast=word(0.6),
        arises=np.array([[word(1.0 - exp(-(a + b))) for a, b in row] for row in rates], np.uint64),
        origin=np.array([[word(a / (a + b)) for a, b in row] for row in rates], np.uint64),
        ln_share=log(0.6),
        ln_ratio=log(2.5),
        ln_floor=log(1.05),
        react=np.array([0.4, 0.5, 0.15]),
        free_riding=0.2,
        inertia=0.7,
        shock=0.08,
        build=0.3,
        growth=np.array([0.03, 0.01, 0.005]),
        loss=loss,
        prize=prize,
        grievance=grievance,
        pact=True,
        term=5,
        review=2,
        notice=1,
        suspension=2,
        renegotiation=word(0.7),
    )
    return peace._replace(**changes)


def _axis(span: tuple[float, float], points: int) -> list[float]:
    low, high = span
    if points == 1:
        return [0.5 * (low + high)]
    return [low + (high - low) * i / (points - 1) for i in range(points)]


def _shifted(
    game: Game, protege: float, defender: float, odds: float, faith: Any, *, resolute: float
) -> Game:
    """Return the game at a point of the grid: other chances of war, prizes, and beliefs."""
    _, backing, _ = np.array([ladder.unpack(state) for state in range(ladder.STATES)]).T
    nature = game.nature.copy()
    decided = nature[:, ladder.WON] + nature[:, ladder.LOST]
    together = protege + 0.3 * backing * (1.0 + defender)
    victory = 1.0 / (1.0 + np.exp(0.8 - together))
    nature[:, ladder.WON] = decided * victory
    nature[:, ladder.LOST] = decided * (1.0 - victory)

    steadfast = 1.0 / (1.0 + exp(-odds))
    wide = np.diff(np.append(faith.astype(np.float64), [[WORDS], [WORDS]], axis=1), axis=1) / WORDS
    prior = game.prior.copy()
    prior[2] = (1.0 - steadfast) * wide[0] + steadfast * wide[1]

    estimate = game.estimate
    if estimate.shape[0] == 2:
        share = np.round((estimate[1] + resolute) * WORDS) / WORDS
        estimate = np.stack([1.0 - share, share])
    return game._replace(
        nature=nature,
        prior=prior,
        estimate=estimate,
        gain=game.gain * (1.0 - 0.2 * protege),
        running=game.running * (1.0 + 0.2 * defender),
    )
