"""Every way to get a study wrong that we could think of, with the one message that each must give.

A case changes one thing in a good study. The message is compared whole: it names file, line, table, field, the
rule, what came, and what to do, and nothing else may be reported beside it.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from entangle.errors import StudyError
from entangle.study import Study

GOOD = """\
title = "A study"

[scenario]
challenger = "red"
protege = "blue"
defender = "green"
alignment = 0.4

[actors.red]
capability = 1.0
resolve = { median = 1.0, log_sd = 0.5 }

[actors.blue]
capability = 0.5

[actors.green]
capability = 3
nuclear = true

[actors.grey]
capability = 0.2

[pacts.treaty]
commitment = "defence"
strength = 0.8
legislature = true
approval = 0.7

[pacts.no_pact]

[parameters]
precision = 3.0

[simulation]
trajectories = 1000
"""

#: name -> (text in the good study, text in its place, message after the file's name)
CASES: dict[str, tuple[str, str, str]] = {}


def case(name: str, old: str, new: str, message: str) -> None:
    assert name not in CASES
    CASES[name] = (old, new, message)


case(
    "misspelt key",
    "strength = 0.8",
    "strenth = 0.8",
    "25: [pacts.treaty] strenth: is not a key of this table, got 0.8. Did you mean 'strength'?",
)
case(
    "misspelt table",
    "[parameters]",
    "[paramters]",
    "31: paramters: is not a key of this table, got a table with precision. Did you mean 'parameters'?",
)
case(
    "misspelt top-level key",
    'title = "A study"',
    'titel = "A study"',
    "1: titel: is not a key of this table, got 'A study'. Did you mean 'title'?",
)
case(
    "misspelt key of an actor",
    "nuclear = true",
    "nuklear = true",
    "18: [actors.green] nuklear: is not a key of this table, got true. Did you mean 'nuclear'?",
)
case(
    "misspelt key of an inline table",
    "log_sd = 0.5",
    "logsd = 0.5",
    "11: [actors.red.resolve] logsd: is not a key of this table, got 0.5. Did you mean 'log_sd'?",
)
case(
    "key of another table",
    "approval = 0.7",
    "alignment = 0.7",
    "27: [pacts.treaty] alignment: is not a key of this table, got 0.7. Known here: title, source, articles, assumptions, commitment, strength, trigger, required, coverage, provoked_discount, reciprocal, guarantor, ambiguous, consultation, hotline, integration, intelligence, access, forces, assistance, protege_floor, host_support, legislature, approval, delay, term_years, review_years, notice_months, suspension, renegotiation, coalition.",
)
case(
    "misspelt choice",
    '"defence"',
    '"defense"',
    "24: [pacts.treaty] commitment: must be one of 'none', 'consult', 'conditional', 'defence', 'automatic', got 'defense'. Did you mean 'defence'? Meaning: what is promised: none, consult, conditional (some action), defence, or automatic (defence without a further decision).",
)
case(
    "unknown choice",
    '"defence"',
    '"total"',
    "24: [pacts.treaty] commitment: must be one of 'none', 'consult', 'conditional', 'defence', 'automatic', got 'total'. Meaning: what is promised: none, consult, conditional (some action), defence, or automatic (defence without a further decision).",
)
case(
    "above a share",
    "strength = 0.8",
    "strength = 1.8",
    "25: [pacts.treaty] strength: must be at most 1, got 1.8. Meaning: how much of the full cost of a breach the promise puts at stake, 0 to 1.",
)
case(
    "below a share",
    "strength = 0.8",
    "strength = -0.1",
    "25: [pacts.treaty] strength: must be at least 0, got -0.1. Meaning: how much of the full cost of a breach the promise puts at stake, 0 to 1.",
)
case(
    "not finite",
    "strength = 0.8",
    "strength = nan",
    "25: [pacts.treaty] strength: must be a finite number, got nan. Meaning: how much of the full cost of a breach the promise puts at stake, 0 to 1.",
)
case(
    "infinite",
    "capability = 1.0",
    "capability = inf",
    "10: [actors.red] capability: must be a finite number, got inf. Meaning: material capability in any unit common to the study, e.g. a CINC share.",
)
case(
    "zero capability",
    "capability = 0.5",
    "capability = 0",
    "14: [actors.blue] capability: must be greater than 0, got 0. Meaning: material capability in any unit common to the study, e.g. a CINC share.",
)
case(
    "negative capability",
    "capability = 0.5",
    "capability = -0.5",
    "14: [actors.blue] capability: must be greater than 0, got -0.5. Meaning: material capability in any unit common to the study, e.g. a CINC share.",
)
case(
    "text for a number",
    "capability = 0.5",
    'capability = "0.5"',
    "14: [actors.blue] capability: must be a number, got '0.5'. Meaning: material capability in any unit common to the study, e.g. a CINC share.",
)
case(
    "truth for a number",
    "capability = 0.5",
    "capability = true",
    "14: [actors.blue] capability: must be a number, got true. Meaning: material capability in any unit common to the study, e.g. a CINC share.",
)
case(
    "number for truth",
    "nuclear = true",
    "nuclear = 1",
    "18: [actors.green] nuclear: must be true or false, got 1. Meaning: whether it has nuclear weapons.",
)
case(
    "text for truth",
    "nuclear = true",
    'nuclear = "yes"',
    "18: [actors.green] nuclear: must be true or false, got 'yes'. Meaning: whether it has nuclear weapons.",
)
case(
    "number for text",
    'title = "A study"',
    "title = 7",
    "1: title: must be text in quotes, got 7. Meaning: the study's name in print.",
)
case(
    "number for a table",
    "resolve = { median = 1.0, log_sd = 0.5 }",
    "resolve = 1.0",
    "11: [actors.red] resolve: must be a table, got 1.0. Meaning: distribution of its resolve.",
)
case(
    "list for a table",
    "resolve = { median = 1.0, log_sd = 0.5 }",
    "resolve = [1.0, 0.5]",
    "11: [actors.red] resolve: must be a table, got [1.0, 0.5]. Meaning: distribution of its resolve.",
)
case(
    "missing capability",
    "capability = 0.5\n",
    'title = "Blue"\n',
    "13: [actors.blue] capability: is required but was not given. Meaning: material capability in any unit common to the study, e.g. a CINC share.",
)
case(
    "missing seat",
    'protege = "blue"\n',
    "",
    "3: [scenario] protege: is required but was not given. Meaning: the pact partner under threat.",
)
case(
    "missing scenario table",
    '[scenario]\nchallenger = "red"\nprotege = "blue"\ndefender = "green"\nalignment = 0.4\n',
    "",
    " scenario: is required but was not given. Meaning: who sits where and what surrounds them.",
)
case(
    "unknown actor",
    'protege = "blue"',
    'protege = "blu"',
    "5: [scenario] protege: must name an actor of this study, got 'blu'. Did you mean 'blue'?",
)
case(
    "one actor in two seats",
    'protege = "blue"',
    'protege = "red"',
    "4: [scenario] challenger: must be another actor than the protege, got 'red'. Put three different actors in the three seats.",
)
case(
    "capital in a name",
    "[actors.grey]",
    "[actors.Grey]",
    "20: [actors] Grey: must be a name of lower-case letters, digits and underscores, starting with a letter, got 'Grey'. Meaning: the states, by name.",
)
case(
    "space in a name",
    "[pacts.no_pact]",
    '[pacts."no pact"]',
    "29: [pacts] no pact: must be a name of lower-case letters, digits and underscores, starting with a letter, got 'no pact'. Meaning: the pacts to compare, by name; an empty one is no pact.",
)
case(
    "no pacts",
    '[pacts.treaty]\ncommitment = "defence"\nstrength = 0.8\nlegislature = true\napproval = 0.7\n\n[pacts.no_pact]\n',
    "[pacts]\n",
    "23: pacts: must have at least one pact. Add a table such as [pacts.treaty]; an empty one means no pact.",
)
case(
    "strength without a commitment",
    'commitment = "defence"\n',
    "",
    "24: [pacts.treaty] strength: has no meaning without a commitment, got 0.8. Set commitment (consult, conditional, defence or automatic) or remove it.",
)
case(
    "approval without a vote",
    "legislature = true\n",
    "",
    "26: [pacts.treaty] approval: has no meaning without a vote, got 0.7. Set legislature = true or remove it.",
)
case(
    "delay without a vote",
    "legislature = true\napproval = 0.7\n",
    "delay = 2\n",
    "26: [pacts.treaty] delay: has no meaning without a vote, got 2. Set legislature = true or remove it.",
)
case(
    "forces without bases",
    "strength = 0.8",
    "forces = 0.5",
    "25: [pacts.treaty] forces: needs bases to be stationed at, got 0.5. Set access to contingency or permanent, or remove it.",
)
case(
    "host support without bases",
    "strength = 0.8",
    "host_support = 0.5",
    "25: [pacts.treaty] host_support: needs stationed forces to pay for, got 0.5. Set access to contingency or permanent, or remove it.",
)
case(
    "support that cannot be withheld",
    "strength = 0.8",
    'required = "aloof"',
    "25: [pacts.treaty] required: must be support that can be given or withheld, got 'aloof'. Use diplomatic, military or fighting, or commitment = 'none'.",
)
case(
    "no guarantor",
    "strength = 0.8",
    "reciprocal = false",
    "23: [pacts.treaty] guarantor: is required when reciprocal is false. Name the actor who owes help.",
)
case(
    "guarantor of a mutual pact",
    "strength = 0.8",
    'guarantor = "green"',
    "25: [pacts.treaty] guarantor: has no meaning while both partners owe help, got 'green'. Set reciprocal = false or remove it.",
)
case(
    "guarantor who is no partner",
    "strength = 0.8",
    'reciprocal = false\nguarantor = "red"',
    "26: [pacts.treaty] guarantor: must be one of the two partners, got 'red'. Use blue or green.",
)
case(
    "renegotiation without reviews",
    "strength = 0.8",
    "renegotiation = true",
    "25: [pacts.treaty] renegotiation: needs reviews to happen at, got true. Set review_years or remove it.",
)
case(
    "article of no clause",
    "strength = 0.8",
    'articles = { strenth = "Art. III" }',
    "25: [pacts.treaty.articles] strenth: does not name a clause field of a pact, got 'Art. III'. Known here: commitment, strength, trigger, required, coverage, provoked_discount, reciprocal, guarantor, ambiguous, consultation, hotline, integration, intelligence, access, forces, assistance, protege_floor, host_support, legislature, approval, delay, term_years, review_years, notice_months, suspension, renegotiation, coalition.",
)
case(
    "coalition of one",
    "strength = 0.8",
    'coalition = { members = ["green"] }',
    "25: [pacts.treaty.coalition] members: must have at least 2 entries, got 1. Meaning: names of the member actors; the seated protégé and challenger are not counted as defenders.",
)
case(
    "coalition member twice",
    "strength = 0.8",
    'coalition = { members = ["green", "green"] }',
    "25: [pacts.treaty.coalition] members: must name each member once, got 'green'. Remove it.",
)
case(
    "coalition of strangers",
    "strength = 0.8",
    'coalition = { members = ["green", "gray"] }',
    "25: [pacts.treaty.coalition] members[1]: must name an actor of this study, got 'gray'. Did you mean 'grey'?",
)
case(
    "coalition without the defender",
    "strength = 0.8",
    'coalition = { members = ["grey", "blue"] }',
    "25: [pacts.treaty.coalition] members: must include the defender, who leads the coalition, got ['grey', 'blue']. Add 'green'.",
)
case(
    "coalition with the challenger",
    "strength = 0.8",
    'coalition = { members = ["green", "red"] }',
    "25: [pacts.treaty.coalition] members: must not include the challenger, got 'red'. Remove it, or seat another challenger.",
)
case(
    "quorum of nobody",
    "strength = 0.8",
    'coalition = { members = ["green", "grey"], quorum = 0 }',
    "25: [pacts.treaty.coalition] quorum: must be greater than 0, got 0. Meaning: share of the defenders that must agree, above 0 to 1 (consensus).",
)
case(
    "part of a round",
    "approval = 0.7",
    "delay = 1.5",
    "27: [pacts.treaty] delay: must be a whole number, got 1.5. Meaning: rounds that the vote takes before fighting is possible.",
)
case(
    "too many rounds",
    "precision = 3.0",
    "rounds = 99",
    "32: [parameters] rounds: must be at most 24, got 99. Meaning: rounds after which a crisis ends as a stalemate, 1 to 24.",
)
case(
    "no types",
    "precision = 3.0",
    "types = 0",
    "32: [parameters] types: must be at least 1, got 0. Meaning: grid points of each actor's resolve, 1 to 9.",
)
case(
    "negative precision",
    "precision = 3.0",
    "precision = -1.0",
    "32: [parameters] precision: must be at least 0, got -1.0. Meaning: precision of choice, the logit's lambda; 0 is a coin toss.",
)
case(
    "too few rungs",
    "precision = 3.0",
    "cooling = [0.1, 0.2]",
    "32: [parameters] cooling: must have at least 7 entries, got 2. Meaning: probability per round that the crisis cools down without a winner, by rung.",
)
case(
    "hazard above one",
    "precision = 3.0",
    "cooling = [1.2, 0.2, 0.2, 0.1, 0.1, 0.1, 0.1]",
    "32: [parameters] cooling[0]: must be at most 1, got 1.2. Meaning: probability per round that the crisis cools down without a winner, by rung.",
)
case(
    "hazards that sum to more than one",
    "precision = 3.0",
    "cooling = [0.2, 0.2, 0.2, 0.9, 0.1, 0.1, 0.1]\ndecision = [0.0, 0.0, 0.0, 0.12, 0.1, 0.1, 0.1]\n"
    "accident = [0.01, 0.01, 0.01, 0.01, 0.01, 0.01, 0.01]",
    "32: [parameters] cooling: must not sum to more than 1 with decision and accident, as it does at local war, got 1.03. Lower one of the three hazards of that rung.",
)
case(
    "battle without war",
    "precision = 3.0",
    "decision = [0.1, 0.0, 0.0, 0.1, 0.1, 0.1, 0.1]",
    "32: [parameters] decision: must be zero below local war (no battle, no military decision), got [0.1, 0.0, 0.0]. Set its first three entries to 0.",
)
case(
    "no disputes at all",
    "alignment = 0.4",
    "challenger_rate = 0.0\nprotege_rate = 0.0",
    "7: [scenario] challenger_rate: must not be zero when protege_rate is zero too, got 0.0. Give at least one of them a rate of disputes per year.",
)
case(
    "a defender at war from the start",
    "alignment = 0.4",
    'initial_support = "fighting"',
    "7: [scenario] initial_support: must leave the defender's decision to fight open, got 'fighting'. Use aloof, diplomatic or military.",
)
case(
    "no trajectories",
    "trajectories = 1000",
    "trajectories = 0",
    "35: [simulation] trajectories: must be at least 1, got 0. Meaning: disputes to simulate for each pact, 1 to 2^48.",
)
case(
    "too many trajectories",
    "trajectories = 1000",
    "trajectories = 1_000_000_000_000_000_000",
    "35: [simulation] trajectories: must be at most 281474976710656, got 1000000000000000000. Meaning: disputes to simulate for each pact, 1 to 2^48.",
)
case(
    "half a trajectory",
    "trajectories = 1000",
    "trajectories = 1e3",
    "35: [simulation] trajectories: must be a whole number, got 1000.0. Meaning: disputes to simulate for each pact, 1 to 2^48.",
)
case(
    "negative seed",
    "trajectories = 1000",
    "seed = -1",
    "35: [simulation] seed: must be at least 0, got -1. Meaning: key of the random numbers, 0 to 2^64 - 1.",
)
case(
    "certain intervals",
    "trajectories = 1000",
    "confidence = 1.0",
    "35: [simulation] confidence: must be less than 1, got 1.0. Meaning: confidence of the intervals, between 0.5 and 1.",
)
case(
    "not TOML: no value",
    "strength = 0.8",
    "strength =",
    "25: the study: this is not TOML: invalid value in column 11.",
)
case(
    "not TOML: a key twice",
    "strength = 0.8",
    "strength = 0.8\nstrength = 0.9",
    "26: the study: this is not TOML: cannot overwrite a value in column 15.",
)
case(
    "not TOML: open text",
    'title = "A study"',
    'title = "A study',
    "1: the study: this is not TOML: illegal character '\\n' in column 17.",
)


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "study.toml"
    path.write_text(GOOD, encoding="utf-8")
    return path


def test_the_good_study_is_good(good: Path) -> None:
    assert list(Study.load(good).pacts) == ["treaty", "no_pact"]


@pytest.mark.parametrize("name", CASES)
def test_message(name: str, good: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new, message = CASES[name]
    assert GOOD.count(old) == 1, "a case must change one place"
    good.write_text(GOOD.replace(old, new), encoding="utf-8")
    monkeypatch.chdir(good.parent)
    with pytest.raises(StudyError) as caught:
        Study.load("study.toml")
    assert str(caught.value) == f"study.toml:{message}"


def test_there_are_at_least_forty() -> None:
    assert len(CASES) >= 40


def test_all_problems_are_reported_at_once_in_the_order_of_the_file(good: Path) -> None:
    text = GOOD.replace("alignment = 0.4", "alignment = 4").replace('"defence"', '"defense"')
    good.write_text(text.replace("precision = 3.0", "precison = 3.0"), encoding="utf-8")
    with pytest.raises(StudyError) as caught:
        Study.load(good)
    assert [problem.location[-1] for problem in caught.value.problems] == [
        "alignment",
        "commitment",
        "precison",
    ]
    lines = [problem.line for problem in caught.value.problems]
    assert lines == sorted(lines)  # type: ignore[type-var]


def test_a_missing_file_names_the_nearest(good: Path) -> None:
    with pytest.raises(
        StudyError, match=r"stduy\.toml: the study: the file does not exist\. Did you mean 'study\.toml'\?"
    ):
        Study.load(good.with_name("stduy.toml"))


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="There is no folder"):
        Study.load(tmp_path / "nowhere" / "study.toml")


def test_a_folder_is_not_a_study(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="the file cannot be read \\(is a directory\\)"):
        Study.load(tmp_path)


def test_bytes_that_are_not_text(good: Path) -> None:
    good.write_bytes(b"title = '\xff'")
    with pytest.raises(StudyError, match="must be UTF-8 text, got byte 0xff at position 9"):
        Study.load(good)
