"""Single disputes: the same as in the result, labelled, told as stories, and compared with other worlds."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from entangle import replay as replaying
from entangle import solving
from entangle.cli import cli
from entangle.errors import ReproducibilityWarning, ResultError
from entangle.pact import Pact
from entangle.replay import NO_PACT, WITHOUT_EMBOLDENMENT, WITHOUT_PROMISE, WORLDS, Replay, fights, war
from entangle.result import Result
from entangle.solving import EMPTY, Prepared, prepare
from entangle.story import WIDTH, _Name, percent
from entangle.study import Study
from entangle.tables.text import number
from entangle.vocabulary import ENDS, RUNGS, SUPPORTS
from entangle_kernels import ladder, worlds
from entangle_kernels import replay as kernel
from small_studies import small

SEED = 7
TRAJECTORIES = 400

#: Pacts that say everything a story can tell of.
PACTS: dict[str, dict[str, Any]] = {
    "no_pact": {},
    "treaty": {"commitment": "defence", "provoked_discount": 0.5},
    "with_vote": {
        "title": "With a vote",
        "commitment": "defence",
        "legislature": True,
        "approval": 0.5,
        "coverage": 0.5,
        "ambiguous": True,
        "intelligence": 0.6,
        "access": "permanent",
        "forces": 0.5,
    },
    "consult": {"commitment": "consult", "provoked_discount": 0.0, "consultation": 0.6},
    "lent": {"commitment": "conditional", "reciprocal": False, "guarantor": "west"},
    "league": {
        "commitment": "automatic",
        "legislature": True,
        "approval": 0.7,
        "coalition": {"members": ["far", "near"], "consensus_rounds": 0, "agreement": 0.6, "quorum": 1.0},
    },
}


def told(**changes: Any) -> Study:
    actors = {
        "east": {"title": "United Provinces", "capability": 1.0, "regime": 0.2, "nuclear": True},
        "west": {"capability": 0.7, "regime": 0.7},
        "far": {"title": "Farland", "capability": 3.0, "regime": 0.8, "nuclear": True},
        "near": {"capability": 1.0},
    }
    parameters = {"precision": 1.5, "types": 3, "rounds": 6}
    return small(actors=actors, pacts=PACTS, parameters=parameters | changes)


@pytest.fixture(scope="module")
def study() -> Study:
    return told()


@pytest.fixture(scope="module")
def prepared(study: Study) -> dict[str, Prepared]:
    return prepare(study, empty=True)


@pytest.fixture(scope="module")
def result() -> Result:
    return small().run(trajectories=TRAJECTORIES, seed=SEED)


@pytest.fixture(scope="module")
def replays(result: Result) -> list[Replay]:
    return [replaying.from_result(result, i, "treaty") for i in range(120)]


@pytest.fixture
def no_solving(monkeypatch: pytest.MonkeyPatch) -> None:
    solving._alone.cache_clear()
    monkeypatch.setattr(solving, "prepare", lambda *_, **__: pytest.fail("a game was solved"))


# -- the disputes of a result --------------------------------------------------------------------


def test_replays_of_a_result_are_its_disputes(study, prepared):
    pacts = ("treaty", "with_vote")
    alone = study.replace(pacts={pact: study.pacts[pact] for pact in pacts})
    whole = alone.run(trajectories=120, seed=SEED)
    for pact in pacts:
        found = [kernel.replay(prepared[pact].tables, i, seed=SEED) for i in range(120)]
        by_hand = [
            replaying.replay(study, pact, i, seed=SEED, prepared=prepared).dispute for i in range(0, 120, 17)
        ]
        assert by_hand == found[::17]
        assert [replaying.from_result(whole, i, pact).dispute for i in range(0, 120, 17)] == by_hand
        for outcome, holds in (("defender_fights", fights), ("war", war), ("crisis", lambda d: d.opened)):
            assert whole.probability(pact, outcome).count == sum(map(holds, found)), outcome


def test_the_first_pact_that_is_one_is_meant(result):
    assert replaying.from_result(result, 3).pact == "treaty"
    assert replaying.from_result(result, np.uint64(3)).dispute.trajectory == 3
    last = replaying.from_result(result, TRAJECTORIES - 1, "no_pact")
    assert (last.pact, last.dispute.trajectory) == ("no_pact", TRAJECTORIES - 1)


def test_a_pact_is_solved_once_for_many_questions(result, monkeypatch):
    solving._alone.cache_clear()
    solved = []
    monkeypatch.setattr(solving, "prepare", lambda *a, **k: solved.append(a) or prepare(*a, **k))
    for i in range(3):
        replaying.from_result(result, i, "treaty")
    assert len(solved) == 1
    solving._alone.cache_clear()


@pytest.mark.usefixtures("no_solving")
@pytest.mark.parametrize(
    ("trajectory", "pact", "message"),
    [
        (0, "treatty", "There is no pact 'treatty'. Did you mean 'treaty'?"),
        (TRAJECTORIES, None, "must be a whole number from 0 to 399, got 400. Result.find()"),
        (-1, None, "must be a whole number from 0 to 399, got -1."),
        (1.5, None, "must be a whole number from 0 to 399, got 1.5."),
        (True, None, "must be a whole number from 0 to 399, got True."),
        ("first", None, "must be a whole number from 0 to 399, got 'first'."),
    ],
)
def test_bad_questions_are_refused_before_any_work(result, trajectory, pact, message):
    with pytest.raises(ResultError, match=re.escape(message)):
        replaying.from_result(result, trajectory, pact)


@pytest.mark.usefixtures("no_solving")
def test_exact_results_have_no_disputes(monkeypatch):
    exact = small(pacts={"treaty": {"commitment": "defence"}}).exact()
    with pytest.raises(ResultError, match=r"Nothing was simulated.*use Study\.run\(\)"):
        replaying.from_result(exact, 0)


def test_another_computation_is_told(result):
    changed = Result(result.data.copy(deep=True))
    changed.data.table_hash.loc[{"pact": "treaty"}] = "0" * 64
    with pytest.warns(ReproducibilityWarning, match="the solved pact treaty differs"):
        replaying.from_result(changed, 0, "treaty")
    replaying.from_result(changed, 0, "with_vote")  # of which nothing differs
    other = Result(result.data.assign_attrs(random_scheme=99))
    with pytest.warns(ReproducibilityWarning, match="the use of random numbers differs"):
        replaying.from_result(other, 0, "treaty")


# -- other worlds --------------------------------------------------------------------------------


def test_counterfactuals_are_the_worlds_on_the_same_words(study, prepared):
    pact, empty = prepared["with_vote"], prepared[EMPTY]
    for i in range(0, 200, 23):
        found = replaying.replay(study, "with_vote", i, seed=SEED, prepared=prepared)
        assert list(found.counterfactuals) == [WITHOUT_PROMISE, WITHOUT_EMBOLDENMENT, NO_PACT]
        for label, other in found.counterfactuals.items():
            assert other == kernel.replay(pact.world(empty, WORLDS[label]), i, seed=SEED)
            assert other.types == found.dispute.types
            for step, then in zip(found.dispute.steps, other.steps, strict=False):
                assert step.word == then.word
        assert found.dispute == kernel.replay(pact.world(empty, worlds.FULL), i, seed=SEED)


def test_verdicts_follow_from_the_worlds(replays):
    seen = set()
    for found in replays:
        own, others = found.dispute, found.counterfactuals
        assert found.entangled == (fights(own) and not fights(others[WITHOUT_PROMISE]))
        assert found.entrapped == (fights(own) and not fights(others[WITHOUT_EMBOLDENMENT]))
        assert found.averted == (not war(own) and war(others[NO_PACT]))
        seen.add((found.entangled, found.averted))
        story = found.story()
        flat = " ".join(story.split())
        assert ("Far is entangled: " in flat) == found.entangled
        assert ("Far is not entangled: " in flat) == (fights(own) and not found.entangled)
        assert ("The pact averts a war." in flat) == found.averted
        assert ("Without the pact this war would not come." in flat) == (
            war(own) and not war(others[NO_PACT])
        )
    assert seen >= {(True, False), (False, True), (False, False)}


@pytest.mark.parametrize(
    "terms",
    [
        {"commitment": "defence", "coverage": 0.0},
        {"commitment": "defence", "coverage": 0.0, "access": "permanent", "forces": 0.5, "integration": 0.9},
    ],
)
def test_a_pact_that_covers_nothing_never_entangles(terms):
    solved = prepare(small(pacts={"hollow": terms}), empty=True)
    pact, empty = solved["hollow"], solved[EMPTY]
    without = pact.world(empty, WORLDS[WITHOUT_PROMISE])
    fought = 0
    for i in range(1000):
        own = kernel.replay(pact.tables, i, seed=SEED)
        fought += fights(own)
        assert fights(own) == fights(kernel.replay(without, i, seed=SEED))
    assert fought > 0


# -- the table -----------------------------------------------------------------------------------


def test_steps_are_labelled(study, prepared):
    longest = max(
        range(200), key=lambda i: len(kernel.replay(prepared["with_vote"].tables, i, seed=SEED).steps)
    )
    found = replaying.replay(study, "with_vote", longest, seed=SEED, prepared=prepared)
    data, steps = found.data, found.dispute.steps
    assert data.sizes["step"] == len(steps) > 4
    assert list(data.mover.values[:5]) == ["challenger", "protege", "defender", "nature", "challenger"]
    for i, step in enumerate(steps):
        row = data.isel(step=i)
        rung, support, provoked = ladder.unpack(step.state)
        assert (row["round"], row.word) == (step.round, step.word)
        assert (row.rung, row.support, row.provoked) == (RUNGS[rung], SUPPORTS[support], bool(provoked))
        assert row.probability.sum() == 1.0
        assert row.probability.sel(move=str(row.chosen.item())) == step.chances[step.outcome]
        assert row.probability.notnull().sum() == {0: 3, 1: 3, 2: 4, 3: 5}[step.stage]
        assert bool(row.expected_stake.isnull().all()) == (step.stage == 3)
        if step.stage < 3:  # it knows its own stake for certain
            theta = prepared["with_vote"].games[0].theta
            own = theta[step.stage, found.dispute.types[step.stage]]
            assert row.expected_stake.values[step.stage] == pytest.approx(own)
    assert (data.rung.values[1:] == data.rung_after.values[:-1]).all()
    assert data.attrs["end"] in ENDS
    assert data.attrs["trajectory"] == str(longest)
    assert all(variable.attrs["long_name"] for variable in data.data_vars.values())


def test_steps_of_other_worlds_are_labelled_too(replays):
    found = next(r for r in replays if r.counterfactuals[NO_PACT].opened)
    data = found.steps(NO_PACT)
    assert data.sizes["step"] == len(found.counterfactuals[NO_PACT].steps)
    assert data.attrs["world"] == NO_PACT
    with pytest.raises(ResultError, match=r"There is no world 'no pact'\. Did you mean 'no pact at all'"):
        found.steps("no pact")


def test_a_dispute_without_a_crisis_is_an_empty_table(replays):
    found = next(r for r in replays if not r.dispute.opened)
    assert found.data.sizes["step"] == 0
    assert found.data.attrs["end"] == "no_crisis"
    which = f"dispute {found.dispute.trajectory} under 'treaty', no crisis"
    assert repr(found) == f"<entangle.Replay: {which}; .story() tells it>"


# -- the story -----------------------------------------------------------------------------------

JARGON = re.compile(
    r"information set|QRE|polic|lambda|trajector|equilibrium|_|\bnan\b|None|\{|\}|  +\S.*  \S"
)


@pytest.mark.parametrize("pact", PACTS)
def test_stories_read_like_stories(study, prepared, pact):
    paragraphs, ends = set(), set()
    for i in range(60):
        found = replaying.replay(study, pact, i, seed=SEED, prepared=prepared)
        story = found.story()
        ends.add(found.dispute.end)
        lines = story.splitlines()
        assert max(map(len, lines)) <= WIDTH
        assert lines[0].startswith(f"Dispute {i}, ")
        assert story.endswith("\n")
        flat = " ".join(story.split())
        assert "The United Provinces may challenge West; Farland " in flat
        assert not JARGON.search(flat), story
        assert not re.search(r"[a-z] \.|\.\.|\( |,,|; ;", flat), story
        paragraphs |= set(re.findall(r"^(\w[\w ]*?)(?=  )", story, re.MULTILINE))
        if found.dispute.opened:
            assert re.search(r"^Days 1–\d+  ", story, re.MULTILINE)
            assert "Ending" in story
    assert len(ends) >= 4
    assert {"The states", "Opening", "Ending"} <= paragraphs
    assert ("In short" in paragraphs) == (pact != "no_pact")


def test_stories_are_the_same_every_time(result, replays, tmp_path):
    result.save(tmp_path / "result.nc")
    solving._alone.cache_clear()
    loaded = Result.load(tmp_path / "result.nc")
    for i in (0, 5, 17):
        assert replaying.from_result(loaded, i, "treaty").story() == replays[i].story()


def test_what_a_promise_asks_is_told_where_it_begins(study, prepared):
    said = 0
    for i in range(150):
        found = replaying.replay(study, "treaty", i, seed=SEED, prepared=prepared)
        flat = " ".join(found.story().split())
        owed = bool(found.dispute.marks & ladder.OBLIGATION_ACTIVE)
        # a crisis that ends with the step that calls for help needs no telling
        assert ("the pact obliges Farland to fight for West" in flat) <= owed
        assert ("Help is owed" in flat) == owed
        provoked = ladder.unpack(found.dispute.state)[2]
        assert ("only 50 % of that promise holds" in flat) <= bool(provoked)
        said += owed
    assert said > 5


@pytest.mark.parametrize("days", [0.5, 1.0, 7.0])
def test_rounds_are_dated_by_days(days):
    study = told(round_days=days, types=1)
    solved = prepare(study.replace(pacts={"treaty": PACTS["treaty"]}), empty=True)
    stories = [replaying.replay(study, "treaty", i, seed=SEED, prepared=solved).story() for i in range(60)]
    label = {0.5: "Days 0–0.5", 1.0: "Day 1", 7.0: "Days 1–7"}[days]
    assert any(f"\n{label} " in story for story in stories)
    assert all("How resolute each of them is, all know." in " ".join(story.split()) for story in stories)


def test_a_dispute_told_again_from_its_outcomes_has_no_other_worlds(study, prepared):
    tables = prepared["league"].tables
    drawn = next(d for d in (kernel.replay(tables, i, seed=SEED) for i in range(100)) if len(d.steps) > 8)
    outcomes = np.full((tables.rounds, 4), -1)
    for step in drawn.steps:
        outcomes[step.round, step.stage] = step.outcome
    again = kernel.retell(
        tables,
        origin=drawn.origin,
        scope=drawn.scope,
        estimate=drawn.estimate,
        types=drawn.types,
        opened=drawn.opened,
        outcomes=outcomes,
    )
    found = replaying.retold(study, "league", again, prepared=prepared)
    assert (found.entangled, found.entrapped, found.averted) == (False, False, False)
    story = found.story()
    assert story.startswith("A dispute, under the pact “league”\nStudy: Three pacts\n")
    assert "What if" not in story
    whole = replaying.replay(study, "league", drawn.trajectory, seed=SEED, prepared=prepared).story()
    # but for who it is and what could have been, it is the same story
    assert story.split("\n\n")[1:] == [*whole.split("\n\n")[1:-3], whole.split("\n\n")[-3] + "\n"]
    assert (found.data.word == -1).all()
    assert repr(found).startswith("<entangle.Replay: a dispute under 'league', ")


def test_html_is_the_story_with_nothing_in_it_that_a_browser_would_obey():
    study = small(title="<b>&", pacts={"treaty": {"commitment": "defence", "title": "<script>"}})
    shown = replaying.replay(study, "treaty", 0, seed=SEED)._repr_html_()
    assert "&lt;script&gt;" in shown
    assert "<script>" not in shown
    assert "&lt;b&gt;&amp;" in shown


@pytest.mark.parametrize(
    ("title", "middle", "own"),
    [
        ("United States", "the United States", "the United States'"),
        ("Philippines", "the Philippines", "the Philippines'"),
        ("South Korea", "South Korea", "South Korea's"),
        ("German Empire", "the German Empire", "the German Empire's"),
        ("Protégé", "the protégé", "the protégé's"),
        (None, "North Sea", "North Sea's"),
    ],
)
def test_names_take_their_articles(title, middle, own):
    actor = {"capability": 1.0} | ({"title": title} if title else {})
    study = small(actors={"north_sea": actor, "west": {"capability": 1.0}, "far": {"capability": 1.0}},
                  scenario={"challenger": "north_sea", "protege": "west", "defender": "far"})  # fmt: skip
    name = _Name.of(study, "north_sea")
    assert (name.middle, name.own) == (middle, own)
    assert name.start[1:] == middle[1:]


def test_chances_are_said_as_people_say_them():
    said = {
        0.347: "35 %", 0.0123: "1 %", 0.0041: "0.4 %", 0.0004: "1 in 2,500", 1e-6: "1 in 1,000,000",
        0.9999: "over 99 %", 1.0: "100 %", 0.0: "0 %",
    }  # fmt: skip
    for chance, text in said.items():
        assert percent(chance).replace("\N{NO-BREAK SPACE}", " ") == text
    assert percent(0.347, 1) == "34.7\N{NO-BREAK SPACE}%"


# -- on the command line -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def file(result, tmp_path_factory):
    path = tmp_path_factory.mktemp("explain") / "result.nc"
    result.save(path)
    return path


def call(*arguments: object):
    return CliRunner().invoke(cli, ["explain", *map(str, arguments)])


def test_explain_tells_one_dispute(file, replays):
    shown = call(file, "--trajectory", 17)
    assert (shown.exit_code, shown.stdout, shown.stderr) == (0, replays[17].story(), "")
    other = call(file, "--trajectory", 17, "--pact", "no_pact")
    assert other.stdout.startswith("Dispute 17, without a pact")


def test_explain_finds_disputes_by_what_happened(file, replays):
    first, second = [found for found in replays if war(found.dispute)][:2]
    shown = call(file, "--outcome", "war", "--number", 2)
    assert shown.exit_code == 0, shown.output
    assert shown.stdout == f"{first.story()}\n{'-' * 80}\n\n{second.story()}"
    assert call(file, "--outcome", "local_war").stdout == first.story()
    first = next(found for found in replays if found.entangled)
    assert call(file, "--outcome", "entanglement", "--pact", "treaty").stdout == first.story()
    misspelt = call(file, "--outcome", "defender_fight")
    assert (misspelt.exit_code, misspelt.stdout) == (2, "")
    assert "Did you mean 'defender_fights'?" in misspelt.stderr


def test_entanglement_is_found_where_it_is_told(result, replays):
    found = [index for index in result.find("entanglement", n=TRAJECTORIES) if index < len(replays)]
    assert found == [replay.dispute.trajectory for replay in replays if replay.entangled]
    assert found
    many = small().run(trajectories=20_000, seed=SEED)
    for name, holds in (("entanglement", "entangled"), ("entrapment", "entrapped")):
        found = many.find(name, n=3, pact="treaty")
        assert len(found) == 3
        assert all(getattr(many.replay(index, pact="treaty"), holds) for index in found)


def test_explain_says_so_if_nothing_is_found(file):
    loaded = Result.load(file)
    assert loaded.probability("treaty", "nuclear_use").count == 0
    start = "None of the 400 simulated disputes under 'treaty' had"
    for name, exact in (
        ("nuclear_use", loaded.probability("treaty", "nuclear_use").exact),
        ("general_nuclear_war", loaded.rung("treaty", "general_nuclear_war").exact),
    ):
        shown = call(file, "--outcome", name)
        assert shown.exit_code == 0
        assert (
            shown.stdout == f"{start} {name}: its exact probability, given a dispute, is {number(exact)} %.\n"
        )
    start = start.replace("treaty", "no_pact")
    shown = call(file, "--outcome", "abandonment", "--pact", "no_pact")
    assert shown.stdout == f"{start} abandonment: there is never an obligation that became active there.\n"
    assert call(file, "--outcome", "entanglement", "--pact", "no_pact").stdout == f"{start} entanglement.\n"


@pytest.mark.usefixtures("no_solving")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Give either --trajectory or --outcome."),
        (["--trajectory", 1, "--outcome", "war"], "Give either --trajectory or --outcome."),
        (["--trajectory", 1, "--number", 2], "--number goes with --outcome."),
        (["--trajectory", -1], "-1 is not in the range"),
        (["--trajectory", 400], "The trajectory must be a whole number from 0 to 399, got 400."),
        (["--trajectory", 1, "--pact", "treat"], "Did you mean 'treaty'?"),
    ],
)
def test_explain_refuses_before_any_work(file, arguments, message):
    shown = call(file, *arguments)
    assert (shown.exit_code, shown.stdout) == (2, "")
    assert message in " ".join(shown.stderr.split())


def test_explain_needs_a_result(tmp_path):
    shown = call(tmp_path / "missing.nc", "--trajectory", 0)
    assert shown.exit_code == 2
    assert "there is no such file" in shown.stderr


def test_an_empty_pact_has_nothing_to_compare_with(replays):
    assert Pact().is_empty
    found = replaying.replay(replays[0].study, "no_pact", 5, seed=SEED)
    assert (found.entangled, found.entrapped, found.averted) == (False, False, False)
    assert "There is no pact here, and so nothing to compare with." in found.story()
