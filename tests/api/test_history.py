"""Histories kept whole, replayed and told: the same disputes as in the record, and stories that are true."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import xarray as xr

from entangle import history as replaying
from entangle import kept as keeping
from entangle.between import between
from entangle.contexts import SolvedContexts, solve_contexts
from entangle.errors import ResultError, StudyError
from entangle.history import History, first_histories, replay_history
from entangle.kept import contexts_of, kept_histories
from entangle.outcomes import OUTCOMES, REACHED
from entangle.outlook import outlook
from entangle.replay import NO_PACT, WITHOUT_EMBOLDENMENT, WITHOUT_PROMISE, fights, war
from entangle.story import WIDTH
from entangle.study import Study
from entangle.vocabulary import CAUSES, ENDS, RUNGS, STATUS, SUPPORTS
from entangle_kernels import decades as kernel
from entangle_kernels.decades import Record
from entangle_kernels.exact import CELLS
from small_studies import small

SEED = 2**40 + 7  # both halves of the key are in use
YEARS = 12
HISTORIES = 60

#: Pacts that end in every way, and bind in some disputes and not in others.
PACTS: dict[str, dict[str, Any]] = {
    "no_pact": {},
    "treaty": {
        "commitment": "defence",
        "provoked_discount": 0.5,
        "coverage": 0.75,
        "intelligence": 0.6,
        "notice_months": 12,
    },
    "charter": {
        "title": "The Charter",
        "commitment": "defence",
        "legislature": True,
        "approval": 0.6,
        "term_years": 7,
        "review_years": 3,
        "renegotiation": True,
        "notice_months": 24,
        "suspension": True,
    },
    "league": {
        "commitment": "consult",
        "access": "permanent",
        "forces": 0.5,
        "term_years": 5,
        "review_years": 2,
    },
    "loose": {"commitment": "conditional", "ambiguous": True, "coverage": 0.5, "notice_months": 0},
}
named = pytest.mark.parametrize("pact", PACTS)


@pytest.fixture(scope="module", autouse=True)
def no_cache() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ENTANGLE_CACHE", "off")
        yield


@pytest.fixture(scope="module")
def study() -> Study:
    return small(
        scenario={
            "challenger": "east", "protege": "west", "defender": "far", "challenger_rate": 0.25,
            "protege_rate": 0.1, "alignment": 0.9,
        },
        actors={
            "east": {"title": "United Provinces", "capability": 1.0, "regime": 0.2, "effort": 0.0},
            "west": {"capability": 0.5, "regime": 0.7, "growth": 0.02},
            # it matters what kind of defender it is
            "far": {
                "capability": 3.0, "regime": 0.8, "nuclear": True, "resolve": {"median": 2.0, "log_sd": 1.5},
            },
        },
        parameters={"precision": 2.0, "types": 3, "rounds": 4},
        peacetime={"years": YEARS, "context_error": 0.2, "attachment": 2.0, "abrogation": 2.0},
        pacts=PACTS,
    )  # fmt: skip


@pytest.fixture(scope="module")
def solved(study: Study) -> dict[str, SolvedContexts]:
    return {pact: solve_contexts(study, pact) for pact in PACTS}


@pytest.fixture(scope="module")
def told(study: Study, solved: dict[str, SolvedContexts]) -> dict[str, list[History]]:
    return {
        pact: [replay_history(study, pact, i, seed=SEED, solved=solved[pact]) for i in range(HISTORIES)]
        for pact in PACTS
    }


def recorded(study: Study, solved: SolvedContexts, pact: str, *, first: int = 0, size: int) -> Record:
    where = {"seed": SEED, "first": first, "size": size, "years": YEARS}
    return kernel.record(contexts_of(solved), between(study, pact), **where)


def kept(study: Study, solved: dict[str, SolvedContexts], pact: str, trajectories: Any) -> xr.Dataset:
    return kept_histories(
        study, pact, trajectories, seed=SEED, solved=solved[pact], peace=between(study, pact)
    )


# -- disputes ------------------------------------------------------------------------------------


@named
def test_every_dispute_is_that_of_the_record(study, solved, told, pact):
    """To the cell: for whom, whether bound, how it ended, in which state and with which marks."""
    record = recorded(study, solved[pact], pact, size=HISTORIES)
    disputes = 0
    for i, history in enumerate(told[pact]):
        cells = record.events[i, :, 2]
        assert list(history.disputes) == (np.flatnonzero(cells >= 0) + 1).tolist()
        for year, replay in history.disputes.items():
            found = replay.dispute
            cell = found.origin, found.scope, found.end, found.state, found.marks
            assert np.ravel_multi_index(cell, CELLS) == cells[year - 1]
            assert (found.trajectory, found.seed, found.year) == (i, SEED, year - 1)
            disputes += 1
    assert disputes > 3 * HISTORIES


def test_disputes_are_of_every_kind(told):
    """The comparison with the record would show little if they were all alike."""
    seen = [(h, r) for histories in told.values() for h in histories for r in h.disputes.values()]
    assert {r.unbound for _, r in seen} == {None, "no pact", "outside", "suspended", "ended"}
    assert len({r.dispute.end for _, r in seen}) >= 6
    assert {r.dispute.estimate for _, r in seen} == {0, 1}
    assert {r.dispute.origin for _, r in seen} == {0, 1}
    assert {bool(h.data.steadfast) for h, _ in seen} == {False, True}
    assert {True, False} == {fights(r.dispute) for _, r in seen}


@named
def test_what_binds_is_what_is_in_force(told, pact):
    for history in told[pact]:
        status = ["in_force" if pact != "no_pact" else "ended", *history.data.pact_status.values]
        for year, replay in history.disputes.items():
            stands = status[year - 1]
            assert (replay.unbound is None) == bool(history.data.bound.sel(year=year))
            if replay.unbound is None:
                assert stands == "in_force"
            elif replay.unbound == "outside":
                assert stands == "in_force"
                assert history.study.pacts[pact].coverage < 1.0
            elif pact != "no_pact":
                assert replay.unbound == stands


@pytest.mark.parametrize("pact", ["treaty", "charter"])
def test_other_worlds_are_those_of_the_compiled_core(study, solved, told, pact):
    """Disputes played again by partners' own no-pact policies, one by one and by the block."""
    record = recorded(study, solved[pact], pact, size=HISTORIES)
    worlds = zip((WITHOUT_EMBOLDENMENT, WITHOUT_PROMISE), outlook(solved[pact]).rivals, strict=True)
    for world, rules in worlds:
        cells = kernel.again(rules, record, seed=SEED, first=0)
        changed = 0
        for i, history in enumerate(told[pact]):
            for year, replay in history.disputes.items():
                other = replay.counterfactuals[world]
                if replay.unbound is not None:
                    assert cells[i, year - 1] == kernel.QUIET
                    assert other == replay.dispute
                    continue
                *cell, marks = np.unravel_index(int(cells[i, year - 1]), CELLS)
                assert [other.origin, other.scope, other.end, other.state] == cell
                # what would be owed is marked in the core even where the defender does not heed it
                assert other.marks == marks or world == WITHOUT_PROMISE
                changed += other != replay.dispute
        assert changed > 0


def test_without_the_pact_a_bound_dispute_is_played_as_an_unbound_one(told):
    """The same word opens it or not, by the threshold of the game without a pact in that context."""
    for history in told["treaty"]:
        for replay in history.disputes.values():
            other = replay.counterfactuals[NO_PACT]
            assert (other.origin, other.types) == (replay.dispute.origin, replay.dispute.types)
            if replay.unbound is None:
                assert not other.marks & 0b0100  # nothing is owed


def test_a_history_does_not_depend_on_who_solves_it(study, solved, told, monkeypatch):
    calls = []
    keeping._solved_alone.cache_clear()
    monkeypatch.setattr(keeping, "solve_contexts", lambda *a: calls.append(a) or solved["treaty"])
    for i in (3, 4):
        alone = replay_history(study, "treaty", i, seed=SEED)
        assert alone.story() == told["treaty"][i].story()
        assert alone.data.identical(told["treaty"][i].data)
    assert len(calls) == 1  # the last answer is kept
    keeping._solved_alone.cache_clear()


# -- the dataset ---------------------------------------------------------------------------------


@named
def test_what_is_kept_is_what_was_recorded(study, solved, pact):
    record = recorded(study, solved[pact], pact, size=2000)
    data = kept(study, solved, pact, range(2000))
    np.testing.assert_allclose(np.log(data.capability), record.levels[:, :, :3], atol=1e-12)
    share = np.array([1.0, 0.02, 0.02])  # the first has no effort to be a share of
    np.testing.assert_allclose(data.effort / share, np.exp(record.levels[:, :, 3:6]), rtol=1e-12)
    odds = data.belief / (1.0 - data.belief)
    np.testing.assert_allclose(np.log(odds), record.levels[:, :, 6], atol=1e-9)
    assert (data.steadfast == record.steadfast).all()
    events = record.events
    arose = events[:, :, 2] >= 0
    origin, bound, end, state, _ = np.unravel_index(np.maximum(events[:, :, 2], 0), CELLS)
    assert ((data.dispute != "none") == arose).all()
    assert ((data.dispute == "protege") == (arose & (origin == 1))).all()
    assert (data.bound == (events[:, :, 1] == 1)).all()
    assert (data.bound == (arose & (bound == 1))).all()
    for name, labels, numbers in (
        ("ending", ENDS, end),
        ("rung", RUNGS, state >> 3),
        ("support", SUPPORTS, (state >> 1) & 3),
    ):
        assert (data[name] == np.where(arose, np.array(labels, object)[numbers], "")).all(), name
    assert (data.grievance == events[:, :, 3:5]).all()
    assert (data.pact_status == np.array(STATUS, object)[events[:, :, 5]]).all()
    assert (data.pact_ended_by == np.array(CAUSES, object)[events[:, :, 6]]).all()
    lives = (data.pact_status != "ended").values
    assert (data.notice_years.values[lives] == events[:, :, 7][lives]).all()
    assert (data.pause_years.values[lives] == events[:, :, 8][lives]).all()
    assert (data.notice_years.values[~lives] == -1).all()


def test_every_ending_of_a_crisis_is_kept_as_the_outcome_that_it_is(study, solved):
    """Also those that hardly ever come about, such as help that comes after a vote has failed."""
    cells = np.flatnonzero(np.indices(CELLS)[2].ravel() != ENDS.index("no_crisis"))
    size = cells.size // YEARS
    record = recorded(study, solved["charter"], "charter", size=size)
    record.events[:, :, 2] = cells[: size * YEARS].reshape(size, YEARS)
    data = keeping.labelled(
        study,
        "charter",
        range(size),
        record,
        seed=SEED,
        solved=solved["charter"],
        peace=between(study, "charter"),
    )
    events = {outcome.name: outcome.event.ravel() for outcome in OUTCOMES}
    for name, outcome in (
        ("war", "war"),
        ("defender_fights", "defender_fights"),
        ("owed", "obligation_active"),
        ("help_given", "reliability"),
        ("blocked", "blocked"),
    ):
        assert (data[name] == events[outcome][record.events[:, :, 2]]).all(), name


def test_what_is_kept_is_labelled(study, solved):
    data = kept(study, solved, "treaty", [3, 2**64 - 1])
    assert dict(data.sizes) == {"trajectory": 2, "year": YEARS, "actor": 3, "rival": 2, "partner": 2}
    assert data.trajectory.values.tolist() == [3, 2**64 - 1]
    assert data.trajectory.dtype == np.uint64
    assert data.year.values.tolist() == list(range(1, YEARS + 1))
    assert list(data.actor.values) == ["challenger", "protege", "defender"]
    for name, variable in data.data_vars.items():
        assert variable.attrs["long_name"], name
        assert ("units" in variable.attrs) == (variable.dtype.kind in "fi"), name
    assert data.notice_years.attrs["units"] == "year"
    assert data.attrs == {
        "title": "Three pacts",
        "pact": "treaty",
        "seed": str(SEED),
        "random_scheme": keeping.provenance.RANDOM_SCHEME,
    }


@named
def test_a_history_is_the_same_alone_and_among_others(study, solved, told, pact):
    trajectories = [7, 8, 9, 2, 40_000, 41, 3]  # in runs and singly, in any order
    data = kept(study, solved, pact, trajectories)
    for i, trajectory in enumerate(trajectories):
        alone = kept(study, solved, pact, [trajectory])
        xr.testing.assert_identical(data.isel(trajectory=[i]), alone)
        if trajectory < HISTORIES:
            xr.testing.assert_identical(told[pact][trajectory].data, alone.isel(trajectory=0))


def test_no_histories_are_an_empty_table(study, solved):
    data = kept(study, solved, "treaty", [])
    assert data.sizes["trajectory"] == 0
    assert data.capability.shape == (0, YEARS, 3)


def test_who_wants_out_explains_what_becomes_of_a_pact(study, solved):
    """Every end has its reason in the year in which it was decided, and no partner wants out for long."""
    seen = set()
    for pact in PACTS:
        data = kept(study, solved, pact, range(1500))
        out, cause, status = data.wants_out.values, data.pact_ended_by.values, data.pact_status.values
        share = data.wants_out_probability.values
        before = np.concatenate(
            [np.full((1500, 1), "" if pact == "no_pact" else "in_force"), status[:, :-1]], 1
        )
        over = (before == "ended") if pact != "no_pact" else np.ones_like(before, bool)
        assert not out[over].any()
        assert (np.isnan(share) == over[:, :, np.newaxis]).all()
        if pact == "no_pact":
            continue
        # a partner wants out as often as its chance says: 6 standard errors
        sure, hits = share[~over], out[~over]
        error = np.sqrt((sure * (1.0 - sure)).sum(axis=0))
        assert (np.abs(hits.sum(axis=0) - sure.sum(axis=0)) < 6.0 * error).all()
        for i, t in zip(*np.nonzero((cause != "none") & ~over), strict=True):
            seen.add(cause[i, t])
            if cause[i, t] == "breach":
                assert out[i, t, 0]
            elif cause[i, t] in ("lapse", "review"):
                assert out[i, t].any()
            elif cause[i, t].startswith("abrogated"):
                assert out[i, t, ("protege", "defender").index(cause[i, t].removeprefix("abrogated_by_"))]
                assert study.pacts[pact].notice_months is None
            else:
                giver = cause[i, t].removeprefix("notice_by_")
                given = int(np.flatnonzero(data.notice_by.values[i] != "")[0])
                assert set(data.notice_by.values[i, given : t + 1]) == {giver}
                assert out[i, given, ("protege", "defender").index(giver)]
                notice = study.pacts[pact].notice_months / 12
                assert t - given == notice
                if giver == "protege":
                    assert not out[i, given, 1]
        again = data.renegotiated.values
        assert not again[over | (status == "ended")].any()
        assert out[again].any(axis=-1).all()
        assert again.any() == (pact == "charter")
    assert seen == set(CAUSES[1:])


# -- finding -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pact", "outcome"),
    [
        ("treaty", "defender_fights"),
        ("treaty", "abandonment"),
        ("no_pact", "war"),
        ("charter", "major_war"),
        ("charter", "pact_ended"),
        ("charter", "lapse"),
        ("league", "review"),
        ("loose", "notice_by_protege"),
    ],
)
def test_the_first_histories_are_found_block_by_block(study, solved, monkeypatch, pact, outcome):
    monkeypatch.setattr(replaying, "BLOCK", 333)
    record = recorded(study, solved[pact], pact, size=2000)
    cells, causes = record.events[:, :, 2], record.events[:, :, 6]
    if outcome in CAUSES:
        happened = causes == CAUSES.index(outcome)
    elif outcome == "pact_ended":
        happened = causes > 0
    else:
        event = next(o.event for o in (*OUTCOMES, *REACHED) if o.name == outcome).ravel()
        happened = np.where(cells >= 0, event[np.maximum(cells, 0)], False)
    expected = np.flatnonzero(happened.any(axis=1)).tolist()
    assert expected
    for n in (1, 5, 3000):
        found = first_histories(
            study, outcome, n=n, pact=pact, seed=SEED, histories=2000, solved=solved[pact]
        )
        assert found == expected[:n]
    few = first_histories(study, outcome, n=3000, pact=pact, seed=SEED, histories=700, solved=solved[pact])
    assert few == [i for i in expected if i < 700]


def test_what_never_happens_is_not_found(study, solved):
    search = {"pact": "no_pact", "seed": SEED, "histories": 500, "solved": solved["no_pact"]}
    assert first_histories(study, "pact_ended", **search) == []
    assert first_histories(study, "obligation_active", **search) == []


# -- stories -------------------------------------------------------------------------------------

JARGON = re.compile(r"information set|polic|lambda|trajector|equilibrium|_|\bnan\b|None|\{|\}|True|False")


def paragraphs(story: str) -> dict[str, str]:
    """Return the paragraphs of a story by the label in the margin; the last of equal labels counts."""
    found: dict[str, str] = {}
    label = ""
    for line in story.splitlines():
        head = re.match(r"(The states|The pact|Years? [\d–]+|At the end|Why it ended|In short) ", line)
        if head:
            label = head[1]
            found[label] = ""
            line = line[len(label) :]
        if label:
            found[label] = f"{found[label]} {line.strip()}".strip()
    return found


def years_of(label: str) -> range:
    first, *last = map(int, label.split()[1].split("–"))
    return range(first, (last or [first])[0] + 1)


@named
def test_stories_read_like_stories(told, pact):
    for history in told[pact]:
        story = history.story()
        lines = story.splitlines()
        assert max(map(len, lines)) <= WIDTH
        assert story.endswith("\n")
        assert lines[0].startswith(f"History {history.trajectory}, ")
        assert str(SEED) in lines[1]
        flat = " ".join(story.split())
        assert not JARGON.search(flat), story
        assert not re.search(r"[a-z] \.|\.\.|\( |,,|; ;|\. [a-z]|(?<!\.)  \S", flat), story
        assert not re.search(r"\b(\w+) \1\b", flat), story
        parts = paragraphs(story)
        told_of = [year for label in parts if label.startswith("Year") for year in years_of(label)]
        assert told_of == list(range(1, YEARS + 1))
        assert ("The pact" in parts) == (pact != "no_pact")


@named
def test_stories_tell_of_every_dispute_and_of_none_that_was_not(told, pact):
    told_of = set()
    for history in told[pact]:
        parts = paragraphs(history.story())
        for label, text in parts.items():
            if not label.startswith("Year"):
                continue
            year = years_of(label)[0]
            replay = history.disputes.get(year)
            assert ("A dispute arises" in text) == (replay is not None)
            assert ("No dispute arises" in text) == (replay is None)
            if replay is None:
                assert not re.search(r"opens a crisis|war\b|fight|owed", text)
                continue
            own = replay.dispute
            opener = ("the United Provinces", "West")[own.origin]
            assert f"A dispute arises for {opener}" in text
            assert ("opens a crisis" in text) == own.opened
            assert ("lets the occasion pass" in text) == (not own.opened)
            reached = RUNGS[own.state >> 3].replace("_", " ")
            assert (f"at {reached}" in text or f"at a {reached}" in text) == own.opened
            # how it stands with the pact
            said = {
                "covers it": replay.unbound is None and history.study.pacts[pact].coverage < 1.0,
                "is in force. ": replay.unbound is None and history.study.pacts[pact].coverage == 1.0,
                "does not cover it": replay.unbound == "outside",
                "is suspended. ": replay.unbound == "suspended",
                "is over": replay.unbound == "ended",
            }
            for words, holds in said.items():
                assert (f"; the pact {words}" in text) == holds, (words, text)
            # whether the defender fought, and whether it would have
            assert ("Far fighting beside West" in text or "Far winning the war" in text) == fights(own)
            assert ("Far is entangled" in text) == replay.entangled
            bound = replay.unbound is None
            assert ("Far is not entangled" in text) == (bound and fights(own) and not replay.entangled)
            assert ("Help is owed" in text) == bool(history.data.owed.sel(year=year))
            assert ("is abandoned" in text) <= bound
            told_of |= {"fights"} if fights(own) else set()
            told_of |= {"war"} if war(own) else set()
            told_of |= {"entangled"} if replay.entangled else set()
    assert "war" in told_of


@named
def test_stories_tell_why_a_pact_ended(told, pact):
    words = {
        "breach": "West left after help that it was owed had not come",
        "lapse": r"its term was over, and (West|Far|neither partner) (did not wish|wished) to renew it",
        "review": r"at the review (West|Far|neither partner) (did not wish|wished) to go on",
        "notice_by_protege": "West gave notice",
        "notice_by_defender": "Far gave notice",
        "abrogated_by_protege": "West abrogated it against its terms",
        "abrogated_by_defender": "Far abrogated it against its terms",
    }
    for history in told[pact]:
        story = history.story()
        parts = paragraphs(story)
        assert ("Why it ended" in parts) == (history.ended is not None)
        ends = re.findall("the pact ends|it lapses|with that it ends", " ".join(story.split()))
        assert len(ends) == (history.ended is not None)
        if history.ended is None:
            assert pact == "no_pact" or "After 12 years the pact is" in parts["The pact"]
            continue
        year, cause = history.ended
        why = parts["Why it ended"]
        assert why.startswith(f"The pact ended in year {year}: ")
        for other, phrase in words.items():
            assert bool(re.search(phrase, why)) == (other == cause), (cause, why)
        ending = next(t for label, t in parts.items() if label.startswith("Year") and year in years_of(label))
        assert re.search("the pact ends|it lapses|with that it ends", ending)
        # what led there: what happened until the end was decided
        given = np.flatnonzero(history.data.notice_by.values != "")
        decided = int(given[0]) + 1 if cause.startswith("notice") else year
        until = history.data.sel(year=slice(1, decided))
        assert ("help was never owed" in why) == (not until.owed.any())
        assert ("Until the notice help" in why) == (decided != year)
        assert ("and never given" in why) == bool(until.owed.any() and not until.help_given.any())


@pytest.fixture(scope="module")
def eventful(study: Study, solved: dict[str, SolvedContexts]) -> list[History]:
    """Return histories in which a pact is suspended, renegotiated, renewed, and left in every way."""
    found: list[int] = []
    data = kept(study, solved, "charter", range(3000))
    for happened in (
        data.pact_status == "suspended",
        (data.pact_status == "suspended").isel(year=[-1]),
        data.renegotiated,
        data.defender_fights & data.bound,
        data.defender_fights & ~data.bound,
        data.blocked,
        (data.pact_status != "ended").isel(year=[-1]),
        (data.notice_years > 0).isel(year=[-1]),
        *(data.pact_ended_by == cause for cause in CAUSES[1:]),
    ):
        found += np.flatnonzero(happened.any("year"))[:5].tolist()
    chosen = [replay_history(study, "charter", i, seed=SEED, solved=solved["charter"]) for i in set(found)]
    lent = first_histories(
        study, "breach", n=5, pact="treaty", seed=SEED, histories=3000, solved=solved["treaty"]
    )
    return chosen + [replay_history(study, "treaty", i, seed=SEED, solved=solved["treaty"]) for i in lent]


def test_stories_tell_what_becomes_of_a_pact_year_by_year(eventful):
    told_of: set[str] = set()
    for history in eventful:
        parts = paragraphs(history.story())
        terms, data = history.study.pacts[history.pact], history.data
        status = ["in_force", *data.pact_status.values]
        notice = [-1, *data.notice_years.values.tolist()]
        for year in range(1, YEARS + 1):
            text = next(t for label, t in parts.items() if label[:4] == "Year" and year in years_of(label))
            was, now = status[year - 1], status[year]
            giver = {"protege": "West", "defender": "Far", "": None}[str(data.notice_by.values[year - 1])]
            given = notice[year] > 0 > notice[year - 1]
            left = was != "ended" and "notice" in str(data.pact_ended_by.values[year - 1])
            renewed = terms.term_years == 7 and year % 7 == 0 and now != "ended" and notice[year] < 0
            said = {
                "For this breach the pact is suspended for two": [was, now] == ["in_force", "suspended"],
                "The suspension is over": [was, now] == ["suspended", "in_force"],
                "terms are renegotiated": bool(data.renegotiated.values[year - 1]),
                f"{giver} no longer wishes to keep the pact": given,
                f"the pact is to end with year {year + notice[year]}.": given,
                f"{giver}'s notice of year ": left,
                "The pact is renewed.": renewed and f"Year {year}" in parts,
            }
            for words, holds in said.items():
                assert (words in text) == holds, (words, year, history.story())
                told_of |= {words.split(" ", 1)[1][:12]} if holds else set()
        fate = parts["The pact"] if history.ended is None else parts["Why it ended"]
        if history.ended is None:
            assert ("still in force" in fate) == (status[-1] == "in_force")
            assert ("is suspended for another" in fate) == (status[-1] == "suspended")
            assert ("under notice by" in fate) == (notice[-1] > 0)
        blocked = int(data.blocked.sum())
        assert ("a vote stood in its way" in fate) <= (blocked > 0)
    assert len(told_of) == 7


def test_stories_tell_what_a_crisis_leaves(eventful, told):
    """Costs by hand from the tables of losses, grudges from the grievances that were recorded."""
    said = set()
    for history in [*eventful, *told["no_pact"], *told["league"]]:
        parts, peacetime = paragraphs(history.story()), history.study.peacetime
        grievance = history.data.grievance.values
        for year, replay in history.disputes.items():
            own, text = replay.dispute, parts[f"Year {year}"]
            end, rung = ENDS[own.end], own.state >> 3
            won = peacetime.prize if end in ("concession", "defeat") else 0.0
            lost = [
                (0.0, *peacetime.challenger_losses)[rung] - won,
                (0.0, *peacetime.protege_losses)[rung] + won,
                (0.0, *peacetime.defender_losses)[rung] * fights(own),
            ]
            costs = {
                name: f"{-100 * np.expm1(-by):.0f} %"
                for name, by in zip(("United Provinces", "West", "Far"), lost, strict=True)
                if -np.expm1(-by) >= 0.01
            }
            sentence = (re.findall(r"It costs [^.]*\.", text) or [""])[0]
            for name in ("United Provinces", "West", "Far"):
                paid = sentence.split(", and the United Provinces gains")[0]
                assert (name in paid) >= (name in costs), (sentence, costs)
                assert costs.get(name, "") in paid
            if not fights(own):
                assert "Far" not in sentence
            assert ("the United Provinces gains 2 %" in text) == (won > 0 and rung < 4)
            for i, (name, ends) in enumerate(
                {"The United Provinces": ["withdrawal"], "West": ["concession", "defeat"]}.items()
            ):
                bears = end in ends and grievance[year - 1, i] > 0
                assert (f"{name} bears a grudge." in text) == bears
                said |= {name} if bears else set()
            said |= {"costs"} if costs else set()
            belief = [f"{100 * chance:.0f} %" for chance in history.data.belief.values[year - 1 : year + 1]]
            moved = belief[0] != belief[-1]
            assert ("The others now give" in text) == moved
            if moved:
                assert f"now give {belief[1]} to Far being steadfast ({belief[0]} before)." in text
                said.add("news")
    assert said == {"The United Provinces", "West", "costs", "news"}


def test_stories_tell_whether_the_defender_fights_because_of_its_promise(eventful):
    kinds = set()
    for history in eventful:
        short = paragraphs(history.story())["In short"]
        replays = list(history.disputes.values())
        fought = sum(fights(replay.dispute) for replay in replays)
        entangled = sum(replay.entangled for replay in replays)
        assert ("because of its promise" in short) == (fought > 0)
        assert ("and not because of its promise" in short) == (fought > 0 and entangled == 0)
        kinds.add((fought > 0, entangled > 0))
    assert kinds == {(False, False), (True, False), (True, True)}


def test_stories_count_up(told):
    numbers = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
    for history in told["charter"] + told["no_pact"]:
        short = paragraphs(history.story())["In short"]
        replays = [replay.dispute for replay in history.disputes.values()]
        if not replays:
            assert short == "12 years without a dispute."
            continue
        for count, one, many in (
            (len(replays), "dispute", "disputes"),
            (sum(own.opened for own in replays), "crisis", "crises"),
            (sum(map(war, replays)), "war", "wars"),
        ):
            assert f"{numbers[count]} {one if count < 2 else many}" in short
        assert ("Far fights" in short) == any(map(fights, replays))


def test_what_is_told_of_strengths_is_what_was_kept(told):
    for history in told["treaty"]:
        end = paragraphs(history.story())["At the end"]
        own = history.data.sel(year=YEARS).capability.values * np.array([1.0, 0.5, 3.0])
        assert f"West's strength is {100 * own[1] / own[0]:.0f} % of the United Provinces' (50 %" in end
        assert f"Far's {100 * own[2] / own[0]:.0f} % (300 %)" in end
        assert ("which it is." in end) == bool(history.data.steadfast)
        west = 100 * float(history.data.effort.sel(year=YEARS, actor="protege"))
        assert f"West spends {west:.1f} % of its GDP on defence (2.0 % at the start)" in end


def test_news_of_the_defender_is_told_where_it_comes(told):
    history, year = next(
        (h, y) for h in told["charter"] for y, r in h.disputes.items() if r.dispute.opened and y < YEARS
    )
    data = history.data.copy(deep=True)
    data["belief"] = data.belief.where(data.year <= year, 0.8)
    heard = replace(history, data=data)
    before = 100 * float(history.data.belief.sel(year=year))
    parts = paragraphs(heard.story())
    said = f"The others now give 80 % to Far being steadfast ({before:.0f} % before)."
    assert [label for label, text in parts.items() if said in text] == [f"Year {year}"]
    assert "give 80 % to Far being steadfast, which it is" in parts["At the end"]
    # where it makes no difference what it is, there is no news of it
    alike = replace(heard, study=history.study.replace(peacetime={"years": YEARS, "tilt": 0.0}))
    assert "steadfast" not in alike.story()


def terms(history: History, **changes: Any) -> str:
    """Return how a story tells of the pact's terms if they are others."""
    other = history.study.replace(pacts={history.pact: changes})
    story = replace(history, study=other).story()
    return " ".join(story.split("The pact", 1)[1].split("Year", 1)[0].split())


def test_terms_are_told(told):
    history = next(h for h in told["treaty"] if h.ended is None)
    defence = {"commitment": "defence"}
    assert terms(history, **defence) == (
        "The pact obliges Far to fight for West once a crisis reaches limited force. It says nothing of its "
        "end."
    )
    assert "in any crisis, in 25 % of all disputes. " in terms(
        history, **defence, trigger="threat", coverage=0.25
    )
    text = terms(history, **defence, term_years=5, review_years=1, notice_months=6, suspension=True)
    assert text.endswith(
        "It is made for five years at a time, is reviewed every year, can be left at a year's notice and is "
        "suspended for two years after a breach."
    )
    assert "can be left at once." in terms(history, **defence, notice_months=0)
    assert terms(history, integration=0.5).startswith("The pact obliges Far to nothing.")
    lent = terms(history, **defence, reciprocal=False, guarantor="west")
    assert lent.startswith("The pact obliges Far to nothing.")


def test_a_year_is_told_move_by_move(told):
    seen = set()
    reasons = {
        "outside": "The pact does not cover it: no help is owed.",
        "suspended": "The pact is suspended: no help is owed.",
        "ended": "The pact has ended: no help is owed.",
    }
    for pact, histories in told.items():
        for history in histories[:25]:
            for year, replay in history.disputes.items():
                story = history.story(year=year)
                assert story == replay.story()
                assert story.startswith(f"Year {year} of history {history.trajectory}, ")
                assert max(map(len, story.splitlines())) <= WIDTH
                flat = " ".join(story.split())
                for reason, words in reasons.items():
                    assert (words in flat) == (replay.unbound == reason)
                # in a history everybody knows whether the pact binds
                assert "only the partners know" not in flat
                assert ("The pact does not bind here" in flat) == (replay.unbound in reasons)
                assert ("There is no pact here" in flat) == (pact == "no_pact")
                assert ("intelligence" in flat) == (pact == "treaty" and replay.unbound is None)
                bound = replay.unbound is None
                assert ("The years before stay as they were." in flat) == (bound and year > 1)
                assert replay.data.attrs["year"] == year
                assert repr(replay).startswith(f"<entangle.Replay: year {year} of history ")
                seen.add(replay.unbound)
    assert seen == {None, "no pact", *reasons}


def test_html_is_the_story_with_nothing_in_it_that_a_browser_would_obey(told):
    history = told["treaty"][0]
    marked = replace(history, study=history.study.replace(title="<script>"))
    assert "&lt;script&gt;" in marked._repr_html_()
    assert "<script>" not in marked._repr_html_()


def test_a_history_says_what_it_is(told):
    history = next(h for h in told["charter"] if h.ended is not None and len(h.disputes) > 1)
    year, cause = history.ended
    wars = sum(war(replay.dispute) for replay in history.disputes.values())
    assert repr(history) == (
        f"<entangle.History: history {history.trajectory} under 'charter', 12 years, {len(history.disputes)} "
        f"disputes, {wars} war{'' if wars == 1 else 's'}, the pact ended in year {year} by "
        f"{cause.split('_')[0]}; .story() tells it>"
    )


# -- errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "trajectory", [-1, 2**64, 1.5, "first", True, None], ids=["-1", "2^64", "1.5", "text", "bool", "none"]
)
def test_what_is_no_trajectory_is_refused(study, solved, trajectory):
    message = re.escape(f"The trajectory must be a whole number from 0 to 2^64 - 1, got {trajectory!r}.")
    with pytest.raises(ResultError, match=message):
        replay_history(study, "treaty", trajectory, seed=SEED, solved=solved["treaty"])
    with pytest.raises(ResultError, match=message):
        kept(study, solved, "treaty", [0, trajectory])


def test_bad_questions_are_refused(study, solved, told):
    with pytest.raises(ResultError, match=r"Each trajectory must be given once, got 5 twice\."):
        kept(study, solved, "treaty", [5, 1, 5])
    with pytest.raises(StudyError, match=r"Did you mean 'treaty'\?"):
        replay_history(study, "treatty", 0, seed=SEED)
    search = {"pact": "treaty", "seed": SEED, "histories": 10, "solved": solved["treaty"]}
    with pytest.raises(ResultError, match=r"There is no outcome 'lapsed'\. Did you mean 'lapse'\?"):
        first_histories(study, "lapsed", **search)
    with pytest.raises(ResultError, match="must be at least 1, got 0"):
        first_histories(study, "war", n=0, **search)
    history = next(h for h in told["treaty"] if 0 < len(h.disputes) < YEARS)
    free = next(year for year in range(1, YEARS + 1) if year not in history.disputes)
    known = ", ".join(map(str, history.disputes))
    message = f"There is no dispute in year {free} of this history. Years with a dispute: {known}."
    with pytest.raises(ResultError, match=re.escape(message)):
        history.story(year=free)
    quiet = replace(history, disputes={})
    with pytest.raises(ResultError, match=r"None arises in its 12 years\."):
        quiet.story(year=free)
