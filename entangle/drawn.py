"""A study at many draws of its parameters: exact probabilities at each, and counts of what is only counted.

Draw d of a study is the study with the structural parameters of draw d of a posterior; what its file sets by
hand stays. At every draw all pacts are solved, so that an outcome's probability is exact there and differs
between draws by the parameters alone. What one world has to be compared with another for (entanglement, a war
averted) is counted: draw d plays trajectories d N ... (d + 1) N - 1 of the seed, the same ones under every
pact. Draws thus share no luck, and pacts of a draw share all of it.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import closing
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from entangle import attribution
from entangle.blocks import Part, Plan, play
from entangle.errors import DisagreementWarning, RunError, StudyError
from entangle.executors import worker_count
from entangle.fit.draws import drawn, shipped
from entangle.fit.draws import draws as drawn_points
from entangle.lowering import Setting, games, lower
from entangle.outcomes import OUTCOMES
from entangle.pact import Pact
from entangle.playing import fill, opened, played
from entangle.questions import outcomes_alone
from entangle.solving import EMPTY, Prepared
from entangle.two_levels import Counts, Floats, difference_variance
from entangle.work import Outline, Work
from entangle_kernels import equilibrium
from entangle_kernels.game import Game
from entangle_kernels.quantise import digest

if TYPE_CHECKING:
    import xarray as xr
    from distributed import Client

    from entangle.ensemble import Ensemble
    from entangle.journal.folder import Keeper
    from entangle.study import Study

#: Most trajectories of a draw unless more are asked for: enough that a share of 1 in 1000 is known to a tenth
#: at every draw, and to a hundredth over a hundred of them.
TRAJECTORIES: Final = 100_000
#: Batches in which a draw's trajectories are played, by whose scatter differences between pacts are judged.
BATCHES: Final = 10
#: A word takes 64 bits for the number of its trajectory.
_MOST: Final = 2**64


class Counted(NamedTuple):
    """Something that is known by counting alone, since it takes two worlds at once.

    Parameters
    ----------
    name, meaning
        Its label, and what happened.
    without
        What the other world is without, one of :data:`entangle.attribution.COUNTERFACTUALS`.
    event
        The outcome that is compared.
    averted
        Whether it happens in the other world and not under the pact, or the other way round.
    """

    name: str
    meaning: str
    without: str
    event: str
    averted: bool = False


#: What is counted at each draw.
COUNTED: Final = (
    Counted(
        "entanglement", "the defender fights, and by its own no-pact policy would not",
        "obligation", "defender_fights",
    ),
    Counted(
        "entrapment", "the defender fights, and by the protégé's no-pact policy would not",
        "emboldenment", "defender_fights",
    ),
    Counted("crisis_averted", "there is no crisis, and without the pact there would be",
            "pact", "crisis", averted=True),
    Counted("war_caused", "the crisis reaches local war or more, and without the pact would not",
            "pact", "war"),
    Counted("war_averted", "there is no local war or more, and without the pact there would be",
            "pact", "war", averted=True),
)  # fmt: skip
_INDEX: Final = {outcome.name: i for i, outcome in enumerate(OUTCOMES)}
#: The cells of each outcome's event and condition, shape (outcomes, cells).
_EVENTS: Final = np.array([outcome.event.ravel() for outcome in OUTCOMES])
_CONDITIONS: Final = np.array([outcome.condition.ravel() for outcome in OUTCOMES])


class Points(NamedTuple):
    """Draws of what was fitted.

    Parameters
    ----------
    numbers
        Which ones of the posterior, from 0: they say which trajectories are played.
    names
        What was fitted.
    values
        At every draw, shape (draws, names).
    """

    numbers: tuple[int, ...]
    names: tuple[str, ...]
    values: Floats

    def at(self, i: int) -> dict[str, float]:
        """Return the values of the i-th of these draws."""
        return dict(zip(self.names, self.values[i].tolist(), strict=True))


class Found(NamedTuple):
    """What one draw of a study gave.

    Parameters
    ----------
    exact
        Probability of every outcome, not a number where its condition cannot hold, shape (pacts, outcomes).
    times, trials
        Simulated disputes with the outcome, and those in which its condition held, outcomes and then what is
        counted alone, shape (pacts, outcomes + counted); nothing if nothing was simulated.
    noise
        Variance by counting of differences between pacts of what is counted alone, shape (pacts, pacts,
        counted).
    solved
        Hash of the solved pacts.
    """

    exact: Floats
    times: Counts
    trials: Counts
    noise: Floats
    solved: str


class Shared(NamedTuple):
    """What all draws share: the study as JSON, which goes to other processes; draws; trajectories of each."""

    study: str
    points: Points
    trajectories: int


def run(
    study: Study,
    *,
    draws: int,
    posterior: xr.DataTree | str | Path | None = None,
    executor: Executor | Client | None = None,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    keeper: Keeper | None = None,
) -> Ensemble:
    """Return a study at the first `draws` draws of a posterior; see :meth:`entangle.Study.run`.

    Parameters
    ----------
    study
        With its simulation settings as wanted: `trajectories` are those of each draw, none if there is no
        attribution.
    posterior
        A fit or its file; the shipped one if not given.
    executor, workers
        Where draws are computed; threads of this process if not given.
    progress
        Called with (draws done, draws in all) in this thread.
    keeper
        Where draws are kept, and those that were are found.

    Raises
    ------
    StudyError
        If there are not as many draws, or a setting does not go with draws.
    RunError
        If more than half of the draws cannot be solved, or the executor failed.

    Warns
    -----
    DisagreementWarning
        If counts contradict the exact probabilities of a draw.
    """
    worker_count(executor, workers)  # a wrong argument is told before any work
    points, made = points_of(draws, posterior)
    return at_points(
        study, points, made, executor=executor, workers=workers, progress=progress, keeper=keeper
    )


def points_of(draws: int, posterior: xr.DataTree | str | Path | None) -> tuple[Points, dict[str, str]]:
    """Return the first draws of a posterior, and what names it: the fit that made it, the file that holds it.

    Raises
    ------
    StudyError
        If there are not as many draws.
    """
    tree = fit_of(posterior)
    found = drawn_points(draws, posterior=tree)
    names = tuple(found[0])
    points = Points(
        tuple(range(draws)), names, np.array([[point[name] for name in names] for point in found], np.float64)
    )
    return points, {name: str(tree.attrs.get(name, "unknown")) for name in ("fingerprint", "sha256")}


def at_points(
    study: Study,
    points: Points,
    posterior: Mapping[str, str],
    *,
    executor: Executor | Client | None = None,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    keeper: Keeper | None = None,
) -> Ensemble:
    """Return a study at given draws; as :func:`run`.

    Parameters
    ----------
    posterior
        Fingerprint and checksum of the fit that the draws are from.
    """
    from entangle.ensemble import Ensemble, tabulate

    work = work_of(study, points, posterior)
    assert work.outline is not None
    found: dict[int, Found] = {}
    total, failed = len(points.numbers), 0
    with opened(keeper, work.outline):
        if keeper is not None:
            keeper.begin(work)
        stream = played(work, 0, total, keeper=keeper, executor=executor, workers=workers, progress=progress)
        with closing(stream):
            for task, one in stream:
                if one is None:
                    failed += 1
                else:
                    found[task.first] = one
                if 2 * failed > total:
                    raise RunError(
                        f"More than half of {total} draws could not be solved. Lower `precision` in the "
                        "table [parameters], or use another posterior."
                    )
    made = Ensemble(tabulate(study, points, found, posterior, trajectories=work.shared.trajectories))
    wrong = made.disagreements()
    if wrong:
        warnings.warn(
            "Counted and exact probabilities contradict each other (chance of that below 1e-9 each): "
            f"{'; '.join(wrong)}. Do not use these numbers, and report the study.",
            DisagreementWarning,
            stacklevel=4,
        )
    return made


def play_share(
    study: Study,
    points: Points,
    posterior: Mapping[str, str],
    keeper: Keeper,
    *,
    executor: Executor | Client | None = None,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Solve and play the keeper's share of the draws and keep it; as :func:`at_points`."""
    worker_count(executor, workers)
    work = work_of(study, points, posterior)
    assert work.outline is not None
    with opened(keeper, work.outline):
        keeper.begin(work)
        fill(work, keeper, executor=executor, workers=workers, progress=progress)


def outline(study: Study, points: Points, posterior: Mapping[str, str]) -> Outline:
    """Return what is known of a study at given draws before any of them is solved.

    Raises
    ------
    StudyError
        If a setting does not go with draws, or there are more trajectories than words can be told apart for.
    """
    settings = study.simulation
    if settings.until is not None:
        raise StudyError.single(
            "simulation",
            "until",
            rule="cannot be used with draws, each of which has the same number of trajectories",
            got=", ".join(settings.until),
            do="Remove it, or run without draws",
        )
    _check(_counted_at_each(study), points)
    # the draws themselves: whoever goes on needs no posterior
    more = {
        "posterior": dict(posterior),
        "parameters": points.names,
        "draws": points.numbers,
        "values": points.values.tolist(),
    }
    return Outline("draws", study, settings.seed, len(points.numbers), 1, more)


def work_of(study: Study, points: Points, posterior: Mapping[str, str]) -> Work[Shared, Found | None]:
    """Return the run of a study at given draws; errors as of :func:`outline`."""
    from entangle.layouts import Draws

    told, trajectories = outline(study, points, posterior), _counted_at_each(study)
    shared = Shared(json.dumps(study.to_dict()), points, trajectories)
    layout = Draws(len(study.pacts), trajectories)
    return Work(play_draw, shared, told.seed, 1, outline=told, layout=layout)


def _counted_at_each(study: Study) -> int:
    """Return the trajectories of each draw: none if nothing is counted."""
    return study.simulation.trajectories if study.simulation.attribution else 0


def study_at(study: Study, point: Mapping[str, float]) -> Study:
    """Return the study at values of what was fitted; what it sets by hand stays."""
    return study.replace(parameters=drawn(study.parameters, point))


def play_draw(shared: Shared, seed: int, first: int, size: int) -> Found | None:
    """Return what the draw at place `first` gives; None if a pact cannot be solved there.

    Draws come one at a time: `size` is 1, and there for :func:`entangle.executors.completed`.
    """
    assert size == 1
    points = shared.points
    study = study_at(_study(shared.study), points.at(first))
    counting = shared.trajectories > 0
    try:
        solved = solved_at(study, empty=counting)
    except equilibrium.ConvergenceError:
        return None
    pacts = {name: solved[name] for name in study.pacts}
    exact = np.array([_shares(pact.exact) for pact in pacts.values()])
    made = "".join(digest(pact.tables) for pact in pacts.values())
    whole = hashlib.sha256(made.encode()).hexdigest()
    if not counting:
        nothing = np.zeros((len(pacts), 0), np.int64)
        return Found(exact, nothing, nothing, np.zeros((len(pacts), len(pacts), 0)), whole)
    plan, none = plan_of(pacts, solved[EMPTY])
    start = points.numbers[first] * shared.trajectories
    ends = np.linspace(0, shared.trajectories, min(BATCHES, shared.trajectories) + 1).astype(np.int64)
    sizes = np.diff(ends)
    batches = []
    own = trials = np.zeros((len(pacts), len(OUTCOMES)), np.int64)
    for begin, number in zip(ends[:-1].tolist(), sizes.tolist(), strict=True):
        part = play(plan, seed, start + begin, number)
        happened, held = _sums(part, len(plan.worlds))
        own, trials = own + happened[: len(pacts)], trials + held[: len(pacts)]
        batches.append(_counted(part, happened, len(pacts), none))
    counts = np.array(batches)
    alone = counts.sum(axis=0)
    return Found(
        exact,
        np.concatenate([own, alone], axis=1),
        np.concatenate([trials, np.full(alone.shape, shared.trajectories)], axis=1),
        difference_variance(counts, sizes),
        whole,
    )


@lru_cache(maxsize=2)
def _study(text: str) -> Study:
    """Return the study that all draws share; read once in each process."""
    from entangle.study import Study

    return Study.from_dict(json.loads(text))


def fit_of(posterior: xr.DataTree | str | Path | None) -> xr.DataTree:
    """Return a fit, that of a file, or the shipped one."""
    if posterior is None:
        return shipped()
    if isinstance(posterior, str | Path):
        from entangle.fit.posterior import load

        return load(posterior)
    return posterior


def _check(trajectories: int, points: Points) -> None:
    if trajectories == 1:
        raise StudyError.single(
            "simulation",
            "trajectories",
            rule="must be at least 2 for each draw, since one says nothing of its own error",
            got="1",
        )
    if trajectories * (max(points.numbers) + 1) > _MOST:
        raise StudyError.single(
            "simulation",
            "trajectories",
            rule="must not exceed 2^64 over all draws together",
            got=f"{trajectories} for each of {max(points.numbers) + 1} draws",
        )


def solved_at(study: Study, *, empty: bool) -> dict[str, Prepared]:
    """Return every pact of a study, solved as the fit solves its population, and no pact if it is asked for.

    That is without following the branch of equilibria up from a precision of zero, which takes ten times as
    long where it has to be done. Where a game has several equilibria it can thus be another one than that of
    :func:`entangle.solving.prepare`; elsewhere both agree to the solver's tolerance.

    Raises
    ------
    equilibrium.ConvergenceError
        If no equilibrium of some game was found.
    """
    setting = Setting.of(study)
    asked = {**study.pacts, **({EMPTY: Pact()} if empty else {})}
    known: dict[bytes, equilibrium.Solution] = {}
    found = {}
    for name, pact in asked.items():
        lowered, in_scope = games(lower(pact, setting), setting)
        keys = [_key(game) for game in lowered]
        for key, game in zip(keys, lowered, strict=True):
            if key not in known:
                known[key] = equilibrium.solve(game, homotopy=False)
        found[name] = Prepared(lowered, [known[key] for key in keys], in_scope)
    return found


def _key(game: Game) -> bytes:
    """Return the game as bytes: equal bytes, equal game."""
    arrays = [np.asarray(value) for value in game]
    return b"".join(f"{a.dtype.str}{a.shape}".encode() + a.tobytes() for a in arrays)


def plan_of(pacts: Mapping[str, Prepared], empty: Prepared) -> tuple[Plan, int]:
    """Return a world for every pact, and which one is no pact: one of them, or another after them."""
    rivals = tuple(attribution.rivals(pact, empty) for pact in pacts.values())
    worlds = tuple(pact.tables for pact in pacts.values())
    if None in rivals:
        return Plan(worlds, rivals, paired=True), rivals.index(None)
    return Plan((*worlds, empty.tables), (*rivals, None), paired=True), len(pacts)


def _shares(cells: Floats) -> list[float]:
    """Return the exact probability of every outcome; as :mod:`entangle.tabulate` does, to the bit."""
    found = []
    for outcome in OUTCOMES:
        happened = float(cells[outcome.event].sum())
        otherwise = float(cells[outcome.condition & ~outcome.event].sum())
        found.append(happened / (happened + otherwise) if happened + otherwise > 0.0 else np.nan)
    return found


def _sums(part: Part, worlds: int) -> tuple[Counts, Counts]:
    """Return how often each outcome and its condition occurred, each of shape (worlds, outcomes)."""
    world, cell = np.divmod(part.cells, _EVENTS.shape[1])
    found = np.zeros((2, worlds, len(OUTCOMES)), np.int64)
    for i in range(worlds):
        own = world == i
        for sums, masks in zip(found, (_EVENTS, _CONDITIONS), strict=True):
            sums[i] = masks[:, cell[own]] @ part.numbers[own]
    return found[0], found[1]


def _counted(part: Part, happened: Counts, pacts: int, none: int) -> Counts:
    """Return how often each of :data:`COUNTED` occurred, shape (pacts, counted)."""
    changed = outcomes_alone(part.changed[:pacts])  # (pacts, rivals, caused or averted, outcomes)
    # joint counts stand above the diagonal, the outcomes before all else (see entangle.questions)
    both = outcomes_alone(part.shared + part.shared.swapaxes(0, 1))[:, none]
    both[none] = happened[none]
    columns = []
    for asked in COUNTED:
        event = _INDEX[asked.event]
        if asked.without != "pact":
            rival = attribution.COUNTERFACTUALS.index(asked.without)
            columns.append(changed[:, rival, int(asked.averted), event])
        else:
            alone = happened[none, event] if asked.averted else happened[:pacts, event]
            columns.append(alone - both[:pacts, event])
    return np.stack(columns, axis=1)


def names() -> Sequence[tuple[str, str, str]]:
    """Return the name, the meaning and the condition of every outcome, then of what is counted."""
    return [
        *((outcome.name, outcome.meaning, outcome.given) for outcome in OUTCOMES),
        *((asked.name, asked.meaning, "a dispute") for asked in COUNTED),
    ]
