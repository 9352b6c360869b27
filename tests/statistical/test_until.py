"""Running until an outcome is known well enough: where it stops, what it says, and how often that is true.

Which trial brought the last needed success is found by brute force too, from the ending of every trajectory,
and compared to the last trial. The promise itself is held against its exact law over many seeds: the share
of runs within the relative error is binomial, and a true engine fails a comparison with a chance of 1e-9. The
mutation twins must fail it.
"""

from __future__ import annotations

import json
import warnings
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest
import xarray as xr
from click.testing import CliRunner
from numpy.typing import NDArray
from scipy.stats import gamma, kstest

from entangle import engine, solving, until
from entangle.blocks import BLOCK, Plan, play
from entangle.cli import cli
from entangle.engine import Tally
from entangle.errors import StudyError
from entangle.outcomes import OUTCOMES
from entangle.result import Result
from entangle.stopping import Stopped, estimate, expected_trials, successes_needed
from entangle.study import Study
from entangle.until import Target
from entangle_kernels import crisis, equilibrium
from entangle_kernels.philox import ENTRY, TYPES
from entangle_kernels.replay import words
from small_studies import small
from statistical.counts import FALSE_ALARM, is_compatible

SEED = 7
NAMES = [outcome.name for outcome in OUTCOMES]
PACTS = ("no_pact", "treaty", "with_vote")


@cache
def solved(study: Study | None = None) -> dict[str, solving.Prepared]:
    return solving.prepare(study or small())


def target(world: int, outcome: str, successes: int) -> Target:
    """Return a target that waits for any number of successes."""
    return Target(world, NAMES.index(outcome), 0.5, successes, float(successes))


# -- which trial brought the last success --------------------------------------------------------

BLOCKS = 3


@cache
def ended(world: int) -> NDArray[np.uint16]:
    table = engine.plan_of(solved()).worlds[world]
    return crisis.endings(table, seed=SEED, first=0, size=BLOCKS * BLOCK).cells


def watched(world: int, outcome: str) -> NDArray[np.int64]:
    """Return what a run counts of an outcome and its condition, block by block."""
    plan = engine.plan_of(solved())._replace(watched=((world, NAMES.index(outcome)),))
    return engine.simulate(plan, seed=SEED, trajectories=BLOCKS * BLOCK, workers=2).watch()[:, 0]


def by_hand(world: int, outcome: str) -> list[int]:
    """Return the trials, counted from 1 in the order of the trajectories, that were successes."""
    asked = OUTCOMES[NAMES.index(outcome)]
    event, condition = asked.event.ravel().tolist(), asked.condition.ravel().tolist()
    trials, found = 0, []
    for cell in ended(world).tolist():
        trials += condition[cell]
        if event[cell]:
            found.append(trials)
    return found


@pytest.mark.parametrize(
    ("world", "outcome"),
    [
        (1, "defender_fights"),
        (0, "war"),
        (1, "abandonment"),
        (2, "blocked"),
        (2, "force"),
        (1, "provocation"),
    ],
)
def test_last_trial_is_that_of_the_trajectories_one_by_one(world, outcome):
    counts, successes = watched(world, outcome), by_hand(world, outcome)
    assert counts.shape == (BLOCKS, 2)
    assert counts[:, 0].sum() == len(successes)
    first, second = (int(number) for number in np.cumsum(counts[:, 0])[:2])
    conditional = not OUTCOMES[NAMES.index(outcome)].condition.all()
    assert bool((counts[:, 1] < BLOCK).all()) == conditional
    # within a block, and the last and the first success of neighbouring blocks
    asked = [1, 2, 17, first - 1, first, first + 1, second, second + 1, len(successes)]
    plan = engine.plan_of(solved())
    for k in asked:
        found = until.last_trial(plan, target(world, outcome, k), counts, seed=SEED)
        assert found == successes[k - 1], k
        assert type(found) is int
    for beyond in (len(successes) + 1, 10**9):
        assert until.last_trial(plan, target(world, outcome, beyond), counts, seed=SEED) is None


def test_a_block_without_a_success_is_passed_over():
    """Blocks before the first success, between two of them and behind the last."""
    plan = engine.plan_of(solved())
    empty = np.array([0, BLOCK])
    counts = watched(1, "defender_fights")
    one = int(counts[0, 0])
    late = np.concatenate([[empty], counts])  # as if the first block were the second: its words are others'
    found = until.last_trial(plan, target(1, "defender_fights", 1), late, seed=SEED)
    event = OUTCOMES[NAMES.index("defender_fights")].event.ravel()
    assert found == BLOCK + 1 + int(np.flatnonzero(event[ended(1)[BLOCK : 2 * BLOCK]])[0])
    gap = np.stack([counts[0], empty, empty])
    assert until.last_trial(plan, target(1, "defender_fights", one), gap, seed=SEED) <= BLOCK
    assert until.last_trial(plan, target(1, "defender_fights", one + 1), gap, seed=SEED) is None


def test_targets_are_the_outcomes_under_the_pacts_that_allow_them():
    pacts = list(solved().values())
    found = until.targets({"abandonment": 0.1, "war": 0.5}, pacts, confidence=0.9)
    assert [(one.world, NAMES[one.outcome], one.relative_error) for one in found] == [
        (1, "abandonment", 0.1), (2, "abandonment", 0.1), (0, "war", 0.5), (1, "war", 0.5), (2, "war", 0.5),
    ]  # fmt: skip
    for one in found:
        assert one.successes == successes_needed(one.relative_error, confidence=0.9)
        chance = float(pacts[one.world].exact[OUTCOMES[one.outcome].event].sum())
        assert one.disputes == pytest.approx(expected_trials(chance, one.successes), rel=1e-15)


# -- a whole run ---------------------------------------------------------------------------------

ASKED = {"defender_fights": 0.05, "blocked": 0.1, "war": 0.3}


@cache
def run_until(workers: int | None = None, **changes: Any) -> Result:
    given = {"until": ASKED, "trajectories": 2**40, "seed": SEED} | changes
    return small().run(workers=workers, **given)


def test_a_run_stops_after_a_whole_block():
    result = run_until()
    assert result.trajectories % BLOCK == 0
    assert result.trajectories > 5 * BLOCK
    assert (result.data.cells.sum("cell") == result.trajectories).all()
    # each has its successes
    needed = result.data.stopped_successes
    counts = result.data["count"].sel(outcome=result.data.target.rename(target="outcome"))
    enough = counts.rename(outcome="target").drop_vars(["meaning", "given"]) >= needed
    assert enough.all()
    assert (result.data.stopped_trials <= result.trajectories).all()
    plain = small().run(trajectories=result.trajectories, seed=SEED)
    added = [name for name in result.data.variables if str(name).startswith("stopped_")]
    kept = result.data.drop_vars([*added, "target"]).drop_attrs()
    xr.testing.assert_identical(kept, plain.data.drop_attrs())


def test_what_stopped_is_the_estimate_at_the_last_needed_success():
    result = run_until()
    plan = engine.plan_of(solved())
    tested = 0
    for world, pact in enumerate(PACTS):
        for name, error in ASKED.items():
            cell = result.data.sel(pact=pact, target=name)
            if name == "blocked" and pact != "with_vote":
                continue
            tested += 1
            needed = successes_needed(error)
            asked = OUTCOMES[NAMES.index(name)]
            cells = crisis.endings(plan.worlds[world], seed=SEED, first=0, size=result.trajectories).cells
            last = np.flatnonzero(asked.event.ravel()[cells])[needed - 1]
            trials = int(np.count_nonzero(asked.condition.ravel()[cells[: last + 1]]))
            stopped = estimate(trials, relative_error=error, uniform=until._uniform(SEED, NAMES.index(name)))
            assert cell.stopped_successes == needed
            assert cell.stopped_trials == trials
            for part in ("probability", "lower", "upper"):
                assert cell[f"stopped_{part}"].item() == getattr(stopped, part)
            chance = float(solved()[pact].exact[asked.event].sum())
            assert cell.stopped_disputes.item() == pytest.approx(expected_trials(chance, needed), rel=1e-15)
    assert tested == 7
    assert result.data.stopped_relative_error.to_dict()["data"] == list(ASKED.values())


def test_outcomes_that_cannot_happen_are_left_out():
    result = run_until()
    for pact in ("no_pact", "treaty"):  # nobody votes there
        cell = result.data.sel(pact=pact, target="blocked")
        assert cell.stopped_successes == cell.stopped_trials == 0
        for part in ("probability", "lower", "upper", "disputes"):
            assert np.isnan(cell[f"stopped_{part}"])
    impossible = small().run(until={"general_war": 0.1}, trajectories=10 * BLOCK, seed=SEED)
    assert (impossible.data.stopped_successes == 0).all()
    assert impossible.trajectories == BLOCK, "there is nothing to wait for"


def test_an_empty_wish_is_none():
    found = small().run(until={}, trajectories=BLOCK + 10, seed=SEED)
    assert found.trajectories == BLOCK + 10
    plain = small().run(trajectories=BLOCK + 10, seed=SEED)
    xr.testing.assert_identical(found.data.drop_attrs(), plain.data.drop_attrs())


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_move_nothing(workers):
    one, other = run_until(), run_until(workers)
    xr.testing.assert_identical(one.data.drop_attrs(), other.data.drop_attrs())
    assert one.data.attrs["sha256"] == other.data.attrs["sha256"]


def test_the_way_there_moves_nothing(monkeypatch):
    """Shorter stretches and longer ones, and blocks alone: the trial of the last success is the same."""
    stopped = [name for name in run_until().data.data_vars if str(name).startswith("stopped_")]
    for stretch in (BLOCK, 7 * BLOCK):
        monkeypatch.setattr(
            until, "_stretch", lambda asked, had, by=stretch: by if _lacking(asked, had) else 0
        )
        found = small().run(until=ASKED, trajectories=2**40, seed=SEED, attribution=False)
        assert found.trajectories % stretch == 0
        for name in stopped:
            xr.testing.assert_identical(found.data[name].variable, run_until().data[name].variable)


def _lacking(asked, had):
    return any(count < one.successes for one, count in zip(asked, had, strict=True))


@pytest.mark.parametrize("cap", [1, 100, BLOCK, BLOCK + 1, 2 * BLOCK + 345])
def test_the_most_that_a_run_takes_is_not_exceeded(cap):
    result = small().run(until={"defender_fights": 0.02, "war": 0.5}, trajectories=cap, seed=SEED)
    assert result.trajectories == cap
    assert (result.data.cells.sum("cell") == cap).all()
    assert (result.data.trials.sel(outcome="war") == cap).all()
    cell = result.data.sel(target="defender_fights")
    assert (cell.stopped_trials == 0).all()
    assert (cell.stopped_successes == successes_needed(0.02)).all()
    for part in ("probability", "lower", "upper"):
        assert np.isnan(cell[f"stopped_{part}"]).all()
    # what had its successes before stands
    reached = result.data["count"].sel(outcome="war") >= 17
    war = result.data.sel(target="war")
    assert (war.stopped_trials.drop_vars("target") > 0).equals(
        reached.drop_vars(["outcome", "meaning", "given"])
    )
    assert np.isnan(war.stopped_probability).equals(war.stopped_trials == 0)
    assert bool(reached.all()) == (cap >= BLOCK)


def test_the_study_may_say_when_to_stop(tmp_path):
    study = small(simulation={"until": {"war": 0.2}, "trajectories": 10**9, "seed": SEED})
    result = study.run()
    assert result.trajectories == BLOCK
    assert result.study == study
    study.save(tmp_path / "study.toml")
    assert Study.load(tmp_path / "study.toml") == study
    assert "stopped_probability" not in study.exact().data


def test_a_rerun_from_the_file_has_the_same_bits(tmp_path):
    result = run_until()
    result.save(tmp_path / "until.nc")
    loaded = Result.load(tmp_path / "until.nc")
    xr.testing.assert_identical(loaded.data, result.data)
    assert loaded.study.simulation.until == ASKED
    assert loaded.study.simulation.trajectories == 2**40
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = loaded.rerun(workers=1)
    xr.testing.assert_identical(again.data.drop_attrs(), result.data.drop_attrs())
    assert again.data.attrs["sha256"] == result.data.attrs["sha256"]


def test_the_summary_says_what_was_reached_and_what_was_not():
    text = " ".join(run_until().summary().split())
    assert max(map(len, run_until().summary().splitlines())) <= 80
    cell = run_until().data.sel(pact="treaty", target="defender_fights")
    value = f"{100 * cell.stopped_probability.item():.4g}"
    assert f"defender_fights under treaty: {value} %, within 5 % of itself at 95 % confidence" in text
    assert "blocked under treaty: cannot happen." in text
    short = small().run(until={"defender_fights": 0.05}, trajectories=1000, seed=SEED)
    assert "defender_fights under treaty: NOT known within 5 %" in " ".join(short.summary().split())


# -- the random number behind an estimate --------------------------------------------------------


def test_each_outcome_has_a_random_number_of_its_own():
    found = [until._uniform(SEED, i) for i in range(len(OUTCOMES))]
    assert len(set(found)) == len(OUTCOMES)
    assert all(0 < uniform < 1 for uniform in found)
    for i, uniform in enumerate(found):
        # by the twin: 53 bits of the word at trajectory 0 and a purpose that nothing else has
        high, low, _, _ = words(0, 0xA0000000 + i, SEED)
        assert uniform == ((high << 21) + (low >> 11) + 0.5) / 2**53
        assert 0xA0000000 + i not in (int(TYPES), int(ENTRY))
    assert until._uniform(SEED + 1, 0) != found[0]
    assert until._uniform(2**64 - 1, 0) != until._uniform(2**32 - 1, 0)


def test_random_numbers_are_uniform_over_seeds():
    # Kolmogorov-Smirnov: over 20 000 seeds 1e-9 is a distance of 0.0232
    found = np.array([until._uniform(seed, 4) for seed in range(20_000)])
    assert kstest(found, "uniform").pvalue >= FALSE_ALARM
    assert kstest(found**1.1, "uniform").pvalue < FALSE_ALARM  # twin


# -- the promise, over many seeds ----------------------------------------------------------------

RUNS = 1000
ERROR, SUCCESSES = 0.5, 17
LAW = gamma(SUCCESSES)


class Case(NamedTuple):
    """A pact and an outcome that is waited for, over and over."""

    study: Study
    pact: str
    outcome: str


CASES = {
    "one in sixty": Case(small(), "treaty", "defender_fights"),
    "one in thirty of those in which help is owed": Case(small(), "with_vote", "blocked"),
    "one in fourteen thousand": Case(
        small(
            actors={
                "east": {"capability": 1.0, "regime": 0.2, "nuclear": True},
                "west": {"capability": 0.5, "regime": 0.7},
                "far": {"capability": 3.0, "regime": 0.8, "nuclear": True},
            },
            parameters={"precision": 3.0, "types": 1, "rounds": 4},
        ),
        "no_pact",
        "nuclear_use",
    ),
}
in_every_case = pytest.mark.parametrize("name", CASES)


class Runs(NamedTuple):
    """What every run came to."""

    truth: float
    stopped: list[Stopped]
    blocks: list[int]
    disputes: list[int]  # number of the dispute that brought the last success


@cache
def runs(name: str) -> Runs:
    study, pact, outcome = CASES[name]
    prepared = solving.prepare(study.replace(pacts={pact: study.pacts[pact]}))
    plan = engine.plan_of(prepared)
    asked = OUTCOMES[NAMES.index(outcome)]
    found = Runs(truth(prepared[pact], outcome), [], [], [])
    for seed in range(RUNS):

        def simulate(plan: Plan, first: int, size: int, seed: int = seed) -> Tally:
            counted = Tally.empty(1)
            counted.add(first, play(plan, seed, first, size))
            return counted

        settings = study.simulation.replace(until={outcome: ERROR}, trajectories=2**40, seed=seed)
        asking: Any = SimpleNamespace(simulation=settings)  # all that is asked of the study
        counted, ((_, stopped),) = until.run(asking, plan, list(prepared.values()), simulate)
        assert stopped is not None
        last = -(-counted.trajectories // BLOCK) - 1
        found.stopped.append(stopped)
        found.blocks.append(last + 1)
        if asked.condition.all():
            found.disputes.append(stopped.trials)
        else:
            cells = crisis.endings(plan.worlds[0], seed=seed, first=0, size=BLOCK).cells
            found.disputes.append(int(np.flatnonzero(asked.event.ravel()[cells])[SUCCESSES - 1]) + 1)
    return found


def truth(prepared: solving.Prepared, outcome: str) -> float:
    asked = OUTCOMES[NAMES.index(outcome)]
    return float(prepared.exact[asked.event].sum() / prepared.exact[asked.condition].sum())


def near(estimates: list[float], probability: float) -> int:
    """Return how many estimates are within the relative error."""
    return int((np.abs(np.array(estimates) / probability - 1) <= ERROR).sum())


def kept() -> float:
    """Return the exact chance that an estimate is within the relative error."""
    return float(LAW.cdf((SUCCESSES - 1) / (1 - ERROR)) - LAW.cdf((SUCCESSES - 1) / (1 + ERROR)))


@in_every_case
def test_the_relative_error_is_kept_as_often_as_computed(name):
    found = runs(name)
    estimates = [stopped.probability for stopped in found.stopped]
    assert is_compatible(near(estimates, found.truth), RUNS, kept())
    inside = sum(stopped.lower <= found.truth <= stopped.upper for stopped in found.stopped)
    assert is_compatible(inside, RUNS, 0.95)
    # and the whole law of the error (Kolmogorov-Smirnov: over 1000 runs 1e-9 is a distance of 0.103)
    waited = (SUCCESSES - 1) * found.truth / np.array(estimates)
    assert kstest(waited, LAW.cdf).pvalue >= FALSE_ALARM


def test_the_cases_are_what_they_are_called():
    first, second, third = (runs(name).truth for name in CASES)
    assert 0.01 < first < 0.03
    assert 0.02 < second < 0.05
    assert third < 1.1e-4
    assert set(runs("one in sixty").blocks) == {1}
    # several blocks, and not always equally many
    assert len(set(runs("one in fourteen thousand").blocks)) >= 3


def test_the_check_notices_disputes_counted_in_place_of_trials():
    """Mutation twin: all disputes up to the last success, and not those that meet the condition."""
    found = runs("one in thirty of those in which help is owed")
    wrong = [
        estimate(
            disputes, relative_error=ERROR, uniform=until._uniform(seed, NAMES.index("blocked"))
        ).probability
        for seed, disputes in enumerate(found.disputes)
    ]
    assert near(wrong, found.truth) == 0
    assert not is_compatible(near(wrong, found.truth), RUNS, kept())


def test_the_check_notices_trials_to_the_end_of_the_last_block():
    """Mutation twin: the run's own trials, where those beyond the last needed success do not count."""
    found = runs("one in fourteen thousand")
    index = NAMES.index("nuclear_use")
    wrong = [
        estimate(blocks * BLOCK, relative_error=ERROR, uniform=until._uniform(seed, index)).probability
        for seed, blocks in enumerate(found.blocks)
    ]
    assert not is_compatible(near(wrong, found.truth), RUNS, kept())


def test_the_check_notices_one_random_number_for_all_runs():
    """Mutation twin: without a fresh number a run of few trials is too regular."""
    # where successes are the rule, what is left of chance is mostly in that number
    study, pact, outcome = small(), "treaty", "abandonment"
    chance = truth(solved()[pact], outcome)
    trials = np.random.default_rng(20_260_101).negative_binomial(SUCCESSES, chance, RUNS) + SUCCESSES
    index = NAMES.index(outcome)
    assert study.pacts[pact].commitment == "defence"
    for fresh in (True, False):
        estimates = [
            estimate(n, relative_error=ERROR, uniform=until._uniform(seed if fresh else 0, index)).probability
            for seed, n in enumerate(trials.tolist())
        ]
        waited = (SUCCESSES - 1) * chance / np.array(estimates)
        assert (kstest(waited, LAW.cdf).pvalue >= FALSE_ALARM) == fresh


# -- what is refused -----------------------------------------------------------------------------


@pytest.fixture
def no_work(monkeypatch):
    monkeypatch.setattr(equilibrium, "solve", lambda game: pytest.fail("work was done"))


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"wars": 0.1}, "wars: must name an outcome, got 'wars'. Did you mean 'war'?"),
        ({"peace": 0.1}, "Known here: challenge, provocation"),
        ({"entanglement": 0.1}, "must name an outcome, got 'entanglement'"),
        ({"war": -0.1}, "war: must be greater than 0, got -0.1"),
        ({"war": 0.0}, "war: must be greater than 0, got 0.0"),
        ({"war": 1.0}, "war: must be less than 1, got 1.0"),
        ({"war": float("nan")}, "war: must be a finite number, got nan"),
        ({"war": "little"}, "war: must be a number, got 'little'"),
    ],
)
@pytest.mark.usefixtures("no_work")
def test_what_cannot_be_waited_for_is_refused_before_any_work(asked, message):
    with pytest.raises(StudyError) as caught:
        small().run(until=asked)
    assert message in str(caught.value)
    assert "until" in str(caught.value)
    with pytest.raises(StudyError) as caught:
        small(simulation={"until": asked})
    assert message in str(caught.value)


# -- on the command line -------------------------------------------------------------------------


@pytest.fixture
def path(tmp_path) -> Path:
    small(simulation={"trajectories": 10**9, "seed": SEED}).save(tmp_path / "study.toml")
    return tmp_path / "study.toml"


def call(*arguments: object):
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


def test_the_command_line_stops_as_python_does(path, tmp_path):
    out = tmp_path / "result.nc"
    asked = ["--until", "defender_fights=0.2", "--until", "war=0.3", "--trajectories", 500_000]
    shown = call("run", path, *asked, "--out", out, "--json")
    assert shown.exit_code == 0, shown.output
    assert json.loads(shown.stdout)["trajectories"] % BLOCK == 0
    wanted = {"defender_fights": 0.2, "war": 0.3}
    result = small().run(until=wanted, trajectories=500_000, seed=SEED)
    xr.testing.assert_identical(Result.load(out).data.drop_attrs(), result.data.drop_attrs())
    text = call("run", path, *asked, "--no-attribution").stdout
    assert "within 20 % of itself" in " ".join(text.split())


def test_the_command_line_stops_at_the_most_it_may_take(path):
    shown = call("run", path, "--until", "nuclear_use=0.2", "--trajectories", 1234)
    assert shown.exit_code == 0, shown.output
    assert "1,234 simulated disputes" in shown.stdout
    assert "nuclear_use under treaty: NOT known within 20 %" in " ".join(shown.stdout.split())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("war", "'war' must be OUTCOME=ERROR, such as defender_fights=0.05"),
        ("war=", "'war=' must be OUTCOME=ERROR"),
        ("war=little", "'war=little' must be OUTCOME=ERROR"),
        ("war:0.1", "'war:0.1' must be OUTCOME=ERROR"),
        ("wars=0.1", "must name an outcome, got 'wars'. Did you mean 'war'?"),
        ("=0.1", "must be a name of lower-case letters, digits and underscores"),
        ("war=-0.1", "must be greater than 0, got -0.1"),
        ("war=5", "must be less than 1, got 5.0"),
    ],
)
@pytest.mark.usefixtures("no_work")
def test_a_malformed_wish_is_2_and_says_what_is_expected(path, text, message):
    shown = call("run", path, "--until", text)
    assert (shown.exit_code, shown.stdout) == (2, "")
    assert message in " ".join(shown.stderr.split())
    assert "Traceback" not in shown.stderr
