"""Treaties: read as they are coded, mapped as documented, never filled in silently."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest

from api.atop_files import (
    ALLIANCES,
    CAPABILITIES,
    HAVE_DATA,
    MEMBERS,
    NO_DATA,
    REGIMES,
    alliance,
    read,
    spell,
    two_states,
    write,
    write_cinc,
    write_regimes,
)
from entangle import cow
from entangle.atop import MAPPING, UNMAPPED, Day, Treaties, Treaty, as_markdown
from entangle.errors import DataError
from entangle.pact import CLAUSES, Pact
from entangle.study import Study

FIELDS = tuple(field for fields in CLAUSES.values() for field in fields)
needs_data = pytest.mark.skipif(not HAVE_DATA, reason=NO_DATA)


def terms(pact: Pact) -> dict[str, object]:
    """The clause fields that a pact was given."""
    return {field: getattr(pact, field) for field in FIELDS if field in pact.model_fields_set}


def said(pact: Pact, *parts: str) -> str:
    """The one assumption that has all the parts."""
    found = [line for line in pact.assumptions if all(part in line for part in parts)]
    assert len(found) == 1, f"{parts} in {len(found)} of {pact.assumptions}"
    return found[0]


# -- one column at a time --------------------------------------------------------------------------

#: Codes that are changed in a treaty of two, and the terms that change with them.
CHANGES: list[tuple[dict[str, int], dict[str, object]]] = [
    ({"offense": 1}, {"provoked_discount": 1.0}),
    ({"defconpr": 1}, {"provoked_discount": 0.0}),
    ({"defconpr": 1, "offense": 1}, {"provoked_discount": 0.0}),
    ({"defcoadv": 1}, {"coverage": 0.5}),
    ({"defcoadv": 1, "statthr1": 731}, {"coverage": 1.0}),
    ({"defcoadv": 1, "statthr2": 731}, {"coverage": 1.0}),
    ({"defcoloc": 1}, {"coverage": 0.8}),
    ({"defcocon": 1}, {"coverage": 0.5}),
    ({"defconum": 1}, {"coverage": 0.08}),
    ({"defcodem": 1}, {"coverage": 0.5}),
    ({"defcoloc": 1, "defcocon": 1}, {"coverage": 0.4}),
    ({"defcon": 1}, {}),
    ({"statthr1": 731, "specthrt": 1}, {}),
    ({"asymm": 1}, {}),
    ({"consul": 1}, {"consultation": 0.5}),
    ({"intcom": 1}, {"integration": 0.5}),
    ({"milcon": 1}, {"integration": 0.05}),
    ({"milcon": 2}, {"integration": 0.15}),
    ({"milcon": 3}, {"integration": 0.3}),
    ({"organ1": 1, "orgpurp1": 1}, {"integration": 0.15}),
    ({"organ1": 3, "orgpurp1": 4}, {"integration": 0.15}),
    ({"organ1": 3, "orgpurp1": 3}, {}),
    ({"organ2": 2, "orgpurp2": 1}, {"integration": 0.15}),
    ({"organ1": 2, "orgpurp1": 1, "organ2": 2, "orgpurp2": 1}, {"integration": 0.15}),
    ({"orgpurp1": 1, "orgpurp2": 1}, {}),
    ({"subord": 1}, {"integration": 0.1}),
    ({"subord": 2}, {"integration": 0.1}),
    ({"contrib": 1}, {"integration": 0.1}),
    ({"contrib": 1, "milcon": 2}, {"integration": 0.25}),
    (
        {"intcom": 1, "milcon": 3, "organ1": 1, "orgpurp1": 1, "subord": 1, "contrib": 1},
        {"integration": 1.0},
    ),
    ({"base": 1}, {}),
    ({"base": 2}, {"access": "permanent"}),
    ({"base": 3}, {"access": "permanent"}),
    ({"terrres": 1}, {"access": "contingency"}),
    ({"terrres": 1, "base": 3}, {"access": "permanent"}),
    ({"terrres": 1, "base": 1}, {"access": "contingency"}),
    ({"milaid": 1}, {"assistance": 0.05}),
    ({"milaid": 2}, {"assistance": 0.1}),
    ({"milaid": 3}, {"assistance": 0.05}),
    ({"milaid": 4}, {"assistance": 0.15}),
    ({"ecaid": 1}, {"assistance": 0.02}),
    ({"ecaid": 2}, {"assistance": 0.02}),
    ({"ecaid": 3}, {}),
    ({"milaid": 2, "ecaid": 1}, {"assistance": 0.12}),
    ({"speclgth": 1, "length": 60}, {"term_years": 5.0}),
    ({"speclgth": 1, "length": 76}, {"term_years": 76 / 12}),
    ({"speclgth": 1}, {}),
    ({"speclgth": 2}, {}),
    ({"speclgth": 2, "length": 60}, {}),
    ({"speclgth": 3}, {}),
    ({"length": 60}, {}),
    ({"proren": 2, "renewlgt": 120}, {"review_years": 10.0}),
    ({"proren": 1, "renewlgt": 60}, {"review_years": 5.0, "renegotiation": True}),
    ({"proren": 2}, {}),
    ({"speclgth": 1, "length": 60, "proren": 2}, {"term_years": 5.0, "review_years": 5.0}),
    ({"renewlgt": 60}, {}),
    ({"renounce": 1}, {"notice_months": 12.0}),
    ({"renounce": 2}, {}),
    ({"renounce": 3}, {"notice_months": 12.0}),
    # not terms of the engine's pact, so nothing but words may change
    ({"estmode": 1}, {}),
    ({"pubsecr": 1}, {}),
    ({"pubsecr": 2}, {}),
    ({"neutral": 1}, {}),
    ({"nonagg": 1}, {}),
    ({"armred": 2}, {}),
    ({"olimob": 1}, {}),
    ({"obvary": 1}, {}),
]


@pytest.mark.parametrize(
    ("codes", "change"),
    CHANGES,
    ids=[" ".join(f"{c}={v}" for c, v in x[0].items()) for x in CHANGES],
)
def test_a_code_changes_its_own_terms_and_no_other(codes, change, tmp_path):
    pact = two_states(tmp_path, **codes).to_pact()
    assert terms(pact) == {"commitment": "defence", "provoked_discount": 0.25, **change}


def test_every_mapped_column_is_tried():
    tried = {column for codes, _ in CHANGES for column in codes} | {"defense"}
    assert {row.column for row in MAPPING} <= tried


@pytest.mark.parametrize(("codes", "change"), CHANGES)
def test_a_judgement_is_named_among_the_assumptions(codes, change, tmp_path):
    pact = two_states(tmp_path, **codes).to_pact()
    for field in change:
        if field not in ("term_years", "renegotiation"):  # the treaty's own
            assert any(line.startswith(f"`{field}`") for line in pact.assumptions)


@pytest.mark.parametrize(("codes", "change"), CHANGES)
def test_every_field_says_from_which_codes_it_came(codes, change, tmp_path):
    treaty = two_states(tmp_path, **codes)
    pact = treaty.to_pact()
    assert set(pact.articles) == set(terms(pact))
    moved = {column for column, code in codes.items() if code} - set(UNMAPPED)
    for field in change:
        columns = dict(re.findall(r"(\w+) = (\w+)", pact.articles[field]))
        assert moved.intersection(columns)
        assert all(treaty.codes.get(c, codes.get(c)) == int(code) for c, code in columns.items())


def test_what_is_left_aside_is_said(tmp_path):
    plain = two_states(tmp_path).to_pact()
    assert said(plain, "`intelligence`", "`hotline`", "`host_support`", "`protege_floor`")
    assert "ratification" not in said(plain, "`legislature` is absent", "vote")
    assert said(two_states(tmp_path, estmode=1).to_pact(), "`legislature`", "ratification")
    assert said(two_states(tmp_path, pubsecr=2).to_pact(), "secret", "overstated")
    assert said(two_states(tmp_path, pubsecr=1).to_pact(), "Some articles were secret")
    assert said(two_states(tmp_path, neutral=1, nonagg=1).to_pact(), "neutral, nonagg")
    assert said(two_states(tmp_path, armred=2).to_pact(), "armred = 2")
    assert said(two_states(tmp_path, olimob=1).to_pact(), "olimob = 1")
    assert said(two_states(tmp_path, obvary=1).to_pact(), "obvary = 1")
    assert said(two_states(tmp_path, base=1).to_pact(), "`access` is absent", "base = 1")
    assert said(two_states(tmp_path, renounce=2).to_pact(), "`notice_months` is absent")
    assert said(two_states(tmp_path, speclgth=2).to_pact(), "`term_years` is absent", "event")
    assert said(two_states(tmp_path, speclgth=1).to_pact(), "`term_years` is absent", "not coded")
    assert said(two_states(tmp_path, length=60).to_pact(), "60 months", "speclgth = 0")
    assert said(two_states(tmp_path, proren=2).to_pact(), "`review_years` is absent")
    assert not any("secret" in line or "nonagg" in line for line in plain.assumptions)


@pytest.mark.parametrize(
    ("column", "code"),
    [("milaid", 9), ("renounce", 4), ("base", 7), ("milcon", -9), ("proren", 5), ("subord", 3),
     ("speclgth", 4), ("consul", 2), ("offense", 9), ("defcoloc", 9), ("intcom", 8)],
)  # fmt: skip
def test_a_code_of_no_clear_meaning_leaves_its_clause_absent_and_is_named(column, code, tmp_path):
    pact = two_states(tmp_path, **{column: code}).to_pact()
    assert terms(pact) == {"commitment": "defence", "provoked_discount": 0.25}
    assert said(pact, f"{column} = {code}", "not clear")


def test_a_negative_code_is_no_amount(tmp_path):
    pact = two_states(tmp_path, speclgth=1, length=-9, proren=2, renewlgt=-9).to_pact()
    assert terms(pact) == {"commitment": "defence", "provoked_discount": 0.25}
    assert said(pact, "length = -9, renewlgt = -9", "not clear")
    adversary = two_states(tmp_path, defcoadv=1, statthr1=-9).to_pact()
    assert adversary.coverage == 0.5
    assert said(adversary, "statthr1 = -9", "not clear")


def test_a_duty_of_defence_of_no_clear_meaning_is_no_duty(tmp_path):
    pact = two_states(tmp_path, defense=9).to_pact()
    assert terms(pact) == {}
    assert said(pact, "defense = 9", "not clear")


@pytest.mark.parametrize("blank", ["", ".", "NA", " "])
def test_blanks_are_absent_and_named(blank, tmp_path):
    treaty = two_states(tmp_path, milaid=blank, base=blank, renounce=1)
    assert treaty.codes["milaid"] is None
    pact = treaty.to_pact()
    assert pact.access == "none"
    assert pact.assistance == 0
    assert pact.notice_months == 12
    assert said(pact, "Blank in ATOP") == "Blank in ATOP, so left absent: base, milaid."


def test_no_duty_of_defence(tmp_path):
    consult = two_states(tmp_path, defense=0, consul=1, defcoloc=1, offense=1).to_pact()
    assert terms(consult) == {"commitment": "consult", "consultation": 0.5}
    nothing = two_states(tmp_path, defense=0, nonagg=1).to_pact()
    assert nothing.is_empty
    assert said(nothing, "no commitment")


# -- who owes what ---------------------------------------------------------------------------------


def test_one_who_owes_alone_is_the_guarantor(tmp_path):
    spells = [spell(2, asymm=1, defcoloc=1), spell(732, asymm=1, defense=0)]
    treaty = read(tmp_path, [alliance(asymm=1)], spells).find(1)
    for pact in (treaty.to_pact(), treaty.to_pact(732), treaty.to_pact(defender=2)):
        assert (pact.reciprocal, pact.guarantor) == (False, "united_states")
        assert pact.coverage == 0.8
    turned = treaty.to_pact(protege=2)
    assert turned.guarantor == "united_states"
    assert said(turned, "`guarantor`", "South Korea")


def test_the_conditions_are_those_of_the_one_who_owes(tmp_path):
    spells = [spell(2, defcoloc=1), spell(732, defconpr=1)]
    treaty = read(tmp_path, [alliance(defcon=1)], spells).find(1)
    by_us, by_korea, by_either = treaty.to_pact(732), treaty.to_pact(2), treaty.to_pact()
    assert (by_us.coverage, by_us.provoked_discount) == (0.8, 0.25)
    assert (by_korea.coverage, by_korea.provoked_discount) == (1.0, 0.0)
    assert (by_either.coverage, by_either.provoked_discount) == (0.8, 0.0)
    assert said(by_either, "conditions differ")
    assert not any("conditions differ" in line for line in by_us.assumptions)


def test_a_duty_against_a_named_adversary_is_not_against_another(tmp_path):
    treaty = two_states(tmp_path, defcoadv=1, specthrt=1, statthr1=731, statthr2=710)
    assert treaty.to_pact().coverage == 1.0
    assert treaty.to_pact(challenger=710).coverage == 1.0
    other = treaty.to_pact(challenger=365)
    assert other.coverage == 0.25
    assert said(other, "`coverage`", "North Korea and China", "not against Russia")


def test_without_the_member_file_nobody_is_exempted_and_it_is_said(tmp_path):
    treaty = read(tmp_path, [alliance(asymm=1, defcon=1, maxphase=2)]).find(1)
    pact = treaty.to_pact()
    assert terms(pact) == {"commitment": "defence", "provoked_discount": 0.25}
    assert said(pact, "member-level file was not read")
    assert said(pact, "2 versions of its terms")
    assert said(pact, "asymm = 1")
    assert said(pact, "defcon = 1", "left whole")


def test_one_sided_bases_lie_with_the_host(tmp_path):
    treaty = two_states(tmp_path, base=3)
    assert treaty.to_pact(732, host=732).access == "permanent"
    assert treaty.to_pact(732).access == "permanent"
    away = treaty.to_pact(2, host=732)
    assert away.access == "none"
    assert said(away, "`access`", "South Korea", "host")
    assert two_states(tmp_path, base=2).to_pact(2, host=732).access == "permanent"


def test_territory_is_made_available_by_the_protege(tmp_path):
    treaty = read(tmp_path, [alliance(terrres=1)], [spell(2), spell(732, terrres=1)]).find(1)
    assert treaty.to_pact(732).access == "contingency"
    assert treaty.to_pact(2).access == "none"


@pytest.mark.parametrize(
    ("seats", "message"),
    [
        ({"protege": 740}, r"protégé, Japan \(740\), is not a member .* South Korea \(732\)"),
        ({"defender": 740}, r"defender, Japan \(740\), is not a member"),
        ({"protege": 2, "defender": 2}, "cannot take both seats"),
        ({"protege": 2, "challenger": 732}, r"South Korea \(732\) cannot challenge"),
        ({"host": 740}, "host, Japan"),
        ({"year": 1949}, r"not in force in 1949: it lasted from 1950-03-04 to beyond 2016"),
    ],
)
def test_seats_that_do_not_fit_are_refused(seats, message, tmp_path):
    with pytest.raises(DataError, match=message):
        two_states(tmp_path).to_pact(**seats)


def three_states(folder: Path) -> Treaty:
    spells = [spell(2), spell(20, defcoloc=1), spell(732, defense=0)]
    return read(folder, [alliance(members=(2, 20, 732), asymm=1)], spells).find(1)


def test_several_defenders_are_a_coalition_of_those_who_owe(tmp_path):
    pact = three_states(tmp_path).to_pact(732, 2)
    assert pact.coalition is not None
    assert pact.coalition.members == ("united_states", "canada", "south_korea")
    assert (pact.reciprocal, pact.guarantor) == (False, "united_states")
    assert pact.coverage == 1.0
    assert said(pact, "`coalition`", "defaults")
    assert said(pact, "conditions differ", "United States")
    unseated = three_states(tmp_path).to_pact()
    assert unseated.coalition is not None
    assert unseated.coalition.members == ("united_states", "canada")
    assert said(unseated, "`reciprocal`", "South Korea")


def test_one_defender_left_is_no_coalition(tmp_path):
    assert three_states(tmp_path).to_pact(20, 2).coalition is None
    against_member = three_states(tmp_path).to_pact(732, 2, challenger=20)
    assert against_member.coalition is None


def test_a_defender_who_owes_nothing_leads_nobody(tmp_path):
    pact = three_states(tmp_path).to_pact(2, 732)
    assert pact.coalition is None
    assert pact.guarantor == "united_states"


# -- years and phases ------------------------------------------------------------------------------


def changing(folder: Path, end: int = 1970) -> Treaty:
    """A treaty that consults until 1955, then defends, with a third member from 1960 to 1965."""
    first = {"begin": 1950, "end": 1955, "phase": 1, "defense": 0, "consul": 1}
    second = {"begin": 1955, "end": end, "phase": 2, "milcon": 2}
    spells = [
        spell(2, **first), spell(732, **first), spell(2, **second), spell(732, **second),
        spell(20, **{**second, "begin": 1960, "end": 1965}),
    ]  # fmt: skip
    row = alliance(members=(2, 732, 20), end=end, maxphase=2, consul=1, milcon=2)
    return read(folder, [row], spells).find(1)


def test_the_terms_are_those_of_the_year(tmp_path):
    treaty = changing(tmp_path)
    early, late = treaty.to_pact(year=1951), treaty.to_pact(year=1966)
    assert terms(early) == {"commitment": "consult", "consultation": 0.5}
    assert terms(late) == {"commitment": "defence", "provoked_discount": 0.25, "integration": 0.15}
    assert treaty.to_pact(year=1960).coalition is not None
    assert late.coalition is None
    assert "phase 1 of 2" in (early.source or "")
    assert treaty.terms(1955).phase == 2, "in a year of change the newer terms count"


def test_the_year_meant_is_the_first_of_defence_or_the_last_of_the_data(tmp_path):
    assert changing(tmp_path).default_year == 1955
    assert changing(tmp_path, end=0).default_year == 2016
    assert read(tmp_path, [alliance(end=1960)]).find(1).default_year == 1950
    assert read(tmp_path, [alliance()]).find(1).default_year == 2016


def test_a_treaty_in_effect_is_taken_to_stand_and_it_is_said(tmp_path):
    pact = two_states(tmp_path, renounce=1).to_pact(year=2022)
    assert pact.notice_months == 12
    assert said(pact, "data end in 2016", "2022")
    with pytest.raises(DataError, match="not in force in 2022"):
        changing(tmp_path).to_pact(year=2022)


def test_in_force(tmp_path):
    treaties = Treaties({1: changing(tmp_path), 2: read(tmp_path, [alliance(2)]).find(2)})

    def found(year: int, ccode: int | None = None) -> list[int]:
        return [treaty.atopid for treaty in treaties.in_force(year, ccode)]

    assert found(1949) == []
    assert found(1950) == found(1970) == [1, 2]
    assert found(1971) == found(2016) == [2]
    assert found(1960, 20) == found(1965, 20) == [1]
    assert found(1959, 20) == found(1966, 20) == found(1960, 740) == []
    assert found(1960, 732) == [1, 2]
    for year in (1814, 2017):
        with pytest.raises(DataError, match=f"covers 1815 to 2016, not {year}"):
            treaties.in_force(year)


# -- reading ---------------------------------------------------------------------------------------


def test_codes_are_whole_numbers_however_they_are_written(tmp_path):
    row = alliance(milcon="2.0", base="", begday="", endyr="1960.0", endmo="", mem3="20.0")
    treaty = read(tmp_path, [row | {"atopid": "3240.0"}]).find(3240)
    assert treaty.codes["milcon"] == 2
    assert isinstance(treaty.codes["milcon"], int)
    assert treaty.codes["base"] is None
    assert treaty.members == (2, 732, 20)
    assert treaty.begin == Day(1950, 3)
    assert (str(treaty.begin), str(treaty.end)) == ("1950-03", "1960")
    assert treaty.names == ("United States", "South Korea", "Canada")
    assert treaty.title == "United States – South Korea – Canada 1950"
    assert not treaty.bilateral
    with pytest.raises(AttributeError):
        treaty.atopid = 1


def test_looking_up(tmp_path):
    treaties = read(tmp_path, [alliance(1), alliance(5), alliance(9, defense=0), alliance(30)])
    assert len(treaties) == 4
    assert [treaty.atopid for treaty in treaties] == [1, 5, 9, 30]
    assert [treaty.atopid for treaty in treaties.defence_pacts()] == [1, 5, 30]
    assert treaties.find(5).atopid == 5
    with pytest.raises(DataError, match="no ATOP treaty 6; the nearest are 1, 5, 9"):
        treaties.find(6)


@pytest.mark.parametrize(
    ("column", "cell", "rule"),
    [
        ("milcon", "two", "must be a number"),
        ("milcon", "1.5", "must be a whole number"),
        ("milcon", "inf", "must be a finite number"),
        ("atopid", "", "must be a whole number and not blank"),
        ("begyr", "", "must be a whole number and not blank"),
        ("endyr", "1949", "must not lie before the first year, 1950"),
        ("mem2", "", "must name a second member"),
    ],
)
def test_a_damaged_cell_is_named_with_its_place(column, cell, rule, tmp_path):
    path = tmp_path / "alliances.csv"
    with pytest.raises(DataError) as caught:
        read(tmp_path, [alliance(7), alliance(8) | {column: cell}])
    assert str(caught.value) == f"{path}:3: column '{column}' {rule}, got {cell!r}."


def test_a_treaty_stands_once(tmp_path):
    with pytest.raises(DataError, match=r"alliances\.csv:3: column 'atopid' must stand once"):
        read(tmp_path, [alliance(7), alliance(7)])


def test_the_two_files_belong_together(tmp_path):
    with pytest.raises(DataError, match=r"treaty 2 is not in .*different versions"):
        read(tmp_path, [alliance(1)], [spell(2), spell(732), spell(2, atopid=2)])
    with pytest.raises(DataError, match=r"treaty 2 of .* has no row here.*different versions"):
        read(tmp_path, [alliance(1), alliance(2)], [spell(2), spell(732)])


def test_another_file_is_recognised(tmp_path):
    other = write(tmp_path / "other.csv", [{"atopid": 1, "begyr": 1950}])
    with pytest.raises(DataError) as caught:
        Treaties.read(other)
    text = str(caught.value)
    assert text.startswith(f"{other}: this is not an ATOP alliance-level file: the columns begmo, ")
    assert "milcon" in text
    alliances = write(tmp_path / "alliances.csv", [alliance()])
    with pytest.raises(DataError, match=r"not an ATOP member-level file: .* defcoadv"):
        Treaties.read(alliances, alliances)


def test_a_file_that_cannot_be_read_is_an_error_with_a_hint(tmp_path):
    write(tmp_path / "atop-alliance-level.csv", [alliance()])
    with pytest.raises(DataError, match=r"no such file.*Did you mean 'atop-alliance-level\.csv'"):
        Treaties.read(tmp_path / "atop-aliance-level.csv")
    with pytest.raises(DataError, match="cannot be read"):
        Treaties.read(tmp_path)
    (tmp_path / "empty.csv").touch()
    with pytest.raises(DataError, match="not an ATOP alliance-level file"):
        Treaties.read(tmp_path / "empty.csv")
    (tmp_path / "binary.csv").write_bytes(b"atopid,\xff\xfe\x00")
    with pytest.raises(DataError, match="must be UTF-8 text"):
        Treaties.read(tmp_path / "binary.csv")
    short = tmp_path / "short.csv"
    write(short, [alliance(1), alliance(2)])
    short.write_text(short.read_text().rsplit(",", 3)[0] + "\n")
    with pytest.raises(DataError, match=r"short\.csv:3: the row must have \d+ columns .* got \d+"):
        Treaties.read(short)


# -- studies ---------------------------------------------------------------------------------------


@pytest.fixture
def figures(tmp_path) -> dict[str, Path]:
    years = range(1950, 2017)
    strong = {2: 0.2, 732: 0.05, 20: 0.01, 731: 0.02}
    cinc = {(state, year): value for state, value in strong.items() for year in years}
    regimes = {(state, year): (0.8, 10) for state in (2, 732, 20) for year in years}
    return {
        "capabilities": write_cinc(tmp_path / "nmc.csv", cinc),
        "regimes": write_regimes(tmp_path / "regimes.csv", regimes),
    }


def test_a_study_seats_the_weaker_before_a_hypothetical_challenger(tmp_path, figures):
    study = two_states(tmp_path, base=3, consul=1).to_study(**figures)
    scenario = study.scenario
    assert (scenario.challenger, scenario.protege, scenario.defender) == (
        "challenger", "south_korea", "united_states",
    )  # fmt: skip
    challenger = study.actors["challenger"]
    assert challenger.capability == pytest.approx(math.sqrt(0.2 * 0.05), rel=1e-12)
    assert (challenger.nuclear, challenger.regime) == (False, 0.5)
    assert challenger.source is not None
    assert challenger.source.startswith("assumed: geometric mean")
    assert study.actors["united_states"].nuclear
    assert study.actors["south_korea"].regime == 0.8
    assert study.pacts["no_pact"] == Pact()
    treaty, automatic = study.pacts["treaty"], study.pacts["automatic"]
    assert terms(automatic) == terms(treaty) | {"commitment": "automatic"}
    assert treaty.access == "permanent"
    said = " ".join([study.description or "", *study.assumptions])
    for part in (
        "of 2016",
        "South Korea is taken for the protégé",
        "hypothetical",
        "hosts the bases",
    ):
        assert part in said


def test_a_study_survives_its_file(tmp_path, figures):
    study = two_states(tmp_path, consul=1).to_study(**figures)
    study.save(tmp_path / "study.toml", comment="made here")
    assert Study.load(tmp_path / "study.toml") == study


def test_a_study_seats_the_adversary_that_the_treaty_names(tmp_path, figures):
    treaty = two_states(tmp_path, specthrt=1, statthr1=710, statthr2=731, defcoadv=1)
    study = treaty.to_study(**figures)
    assert study.scenario.challenger == "north_korea", "China has no figures here, North Korea has"
    assert study.pacts["treaty"].coverage == 1.0
    assert "North Korea is the challenger" in " ".join(study.assumptions)
    assert "No regime figure for North Korea" in " ".join(study.assumptions)
    assert study.actors["north_korea"].regime == 0.5
    chosen = treaty.to_study(challenger=20, **figures)
    assert chosen.scenario.challenger == "canada"
    assert chosen.pacts["treaty"].coverage == 0.25


def test_a_named_adversary_without_figures_is_stood_in_for(tmp_path, figures):
    study = two_states(tmp_path, specthrt=1, statthr1=710).to_study(**figures)
    assert study.scenario.challenger == "challenger"
    assert "China, named as the threat, cannot be seated" in " ".join(study.assumptions)


def test_the_one_who_owes_nothing_is_the_protege_though_it_is_stronger(tmp_path, figures):
    spells = [spell(2, asymm=1, defense=0, base=3), spell(732, asymm=1, base=3)]
    treaty = read(tmp_path, [alliance(asymm=1, base=3)], spells).find(1)
    study = treaty.to_study(**figures)
    assert study.scenario.protege == "united_states"
    assert study.pacts["treaty"].guarantor == "south_korea"
    assert study.pacts["treaty"].access == "none", "the weaker one hosts the bases"


def test_the_year_of_a_study_has_every_figure(tmp_path):
    ended = read(tmp_path, [alliance(end=1960)]).find(1)
    standing = read(tmp_path, [alliance()]).find(1)
    cinc = write_cinc(
        tmp_path / "nmc.csv",
        {(2, y): 0.2 for y in range(1950, 2017)} | {(732, y): 0.1 for y in (1952, 1953, 1955, 1999)},
    )
    for treaty, year in ((ended, 1952), (standing, 1999)):
        study = treaty.to_study(capabilities=cinc)
        assert study.actors["south_korea"].title == "South Korea"
        assert f"in {year}" in (study.actors["south_korea"].source or "")
        assert f"those of {year}" in " ".join(study.assumptions)
    assert "in 1955" in (ended.to_study(year=1955, capabilities=cinc).title or "")
    with pytest.raises(DataError, match=r"South Korea \(732\) in 1954; .*1952–1953, 1955, 1999"):
        ended.to_study(year=1954, capabilities=cinc)
    regimes = write_regimes(
        tmp_path / "regimes.csv",
        {(2, y): (0.8, "") for y in range(1950, 2017)} | {(732, 1955): (0.3, "")},
    )  # fmt: skip
    study = ended.to_study(capabilities=cinc, regimes=regimes)
    assert study.actors["south_korea"].regime == 0.3, "a year with a regime figure goes first"


def test_a_study_without_figures_names_the_state_and_its_years(tmp_path):
    treaty = read(tmp_path, [alliance(end=1960)]).find(1)
    cinc = write_cinc(tmp_path / "nmc.csv", {(2, 1950): 0.2, (732, 1970): 0.1, (732, 1972): 0.1})
    with pytest.raises(DataError) as caught:
        treaty.to_study(capabilities=cinc)
    assert str(caught.value) == (
        f"{cinc}: no year of ATOP treaty 1 (1950–1960) has CINC for every state concerned: for "
        "South Korea (732) the file has 1970, 1972."
    )
    cinc = write_cinc(tmp_path / "nmc.csv", {(2, 1950): 0.2, (732, 1950): 0.1})
    with pytest.raises(DataError, match=r"for Japan \(740\) the file has no year of that state"):
        treaty.to_study(challenger=740, capabilities=cinc)


def test_a_study_of_several_is_led_by_the_strongest_who_owes(tmp_path, figures):
    study = three_states(tmp_path).to_study(**figures)
    assert study.scenario.protege == "south_korea", "it owes nothing itself"
    assert study.scenario.defender == "united_states"
    assert set(study.actors) == {"challenger", "south_korea", "united_states", "canada"}
    assert "United States, the strongest other member" in " ".join(study.assumptions)
    led = three_states(tmp_path).to_study(defender=20, **figures)
    assert led.scenario.defender == "canada"
    assert led.pacts["treaty"].coverage == 0.8


def test_a_study_asked_for_a_late_member_takes_a_year_in_which_it_was_one(tmp_path, figures):
    treaty = changing(tmp_path)
    study = treaty.to_study(protege=20, **figures)
    assert study.scenario.protege == "canada"
    assert "those of 1960" in " ".join(study.assumptions)
    with pytest.raises(DataError, match=r"Japan \(740\), is not a member"):
        treaty.to_study(protege=740, **figures)


def test_partners_cannot_challenge_their_own_pact(tmp_path, figures):
    with pytest.raises(DataError, match="no defender left"):
        two_states(tmp_path).to_study(challenger=2, **figures)
    with pytest.raises(DataError, match="cannot challenge"):
        two_states(tmp_path).to_study(protege=732, defender=2, challenger=2, **figures)


def test_a_duty_to_consult_is_compared_with_one_of_defence(tmp_path, figures):
    study = two_states(tmp_path, defense=0, consul=1).to_study(**figures)
    assert study.pacts["treaty"].commitment == "consult"
    assert study.pacts["defence"].commitment == "defence"


# -- the documentation -----------------------------------------------------------------------------


def test_the_mapping_table_has_every_column_once():
    columns = [row.column for row in MAPPING] + list(UNMAPPED)
    assert len(columns) == len(set(columns))
    table = as_markdown()
    for column in columns:
        assert len(re.findall(rf"^\| `{column}` \|", table, re.MULTILINE)) == 1
    for row in MAPPING:
        assert set(row.fields) <= set(FIELDS)
        assert row.meaning
        assert row.choice
    rows = [line for line in table.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in rows} == {6, 3}


def test_the_mapping_table_names_every_field_that_a_column_sets(tmp_path):
    fields = {row.column: set(row.fields) for row in MAPPING}
    for codes, _ in CHANGES:
        for coded in two_states(tmp_path, **codes).coding():
            assert set(coded.became) <= fields[coded.column], coded


# -- the real files --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def treaties() -> Treaties:
    if not HAVE_DATA:
        pytest.skip(NO_DATA)
    return Treaties.read(ALLIANCES, MEMBERS)


def test_the_data_are_all_there(treaties):
    pacts = treaties.defence_pacts()
    assert len(treaties) == 745
    assert len(pacts) == 275
    assert sum(treaty.bilateral for treaty in pacts) == 208
    assert sum(treaty.end is None for treaty in pacts) == 46
    assert sum(len(treaty.spells) for treaty in treaties) == 2398
    assert len(treaties.in_force(2016)) == 334
    assert len([t for t in treaties.in_force(1914) if t.defence]) == 13


def test_the_alliance_row_is_the_highest_of_its_members(treaties):
    """What is read off the members, phase by phase, is what ATOP itself reads off them."""
    for treaty in treaties:
        for row in MAPPING:
            if row.member:
                continue
            known = [s.codes[row.column] for s in treaty.spells if s.codes[row.column] is not None]
            assert treaty.codes[row.column] == max(known, default=None), (treaty.atopid, row.column)


def test_the_codes_mean_what_they_are_taken_to_mean(treaties):
    """ATOP's own summary columns follow from the columns by the meanings that the mapping uses."""
    for treaty in treaties:
        codes = {column: code or 0 for column, code in treaty.codes.items()}
        organised = any(
            codes[organ] and codes[purpose] in (1, 4)
            for organ, purpose in (("organ1", "orgpurp1"), ("organ2", "orgpurp2"))
        )
        high = codes["intcom"] == 1 or codes["milcon"] == 3 or codes["base"] > 0
        middling = (
            codes["milcon"] == 2 or codes["subord"] > 0 or codes["contrib"] == 1
            or codes["milaid"] in (3, 4) or organised
        )  # fmt: skip
        if treaty.codes["milorg"] is not None:
            assert codes["milorg"] == organised, treaty.atopid
        if treaty.codes["hinst"] is not None:
            assert codes["hinst"] == high, treaty.atopid
        if treaty.codes["minst"] is not None and not high:
            assert codes["minst"] == middling, treaty.atopid


def test_every_defence_pact_maps(treaties):
    mapped = {row.column: row.fields for row in MAPPING}
    counts: dict[str, int] = {}
    for treaty in treaties.defence_pacts():
        pact = treaty.to_pact()
        assert pact.commitment == "defence", treaty.atopid
        assert not pact.legislature
        assert pact.intelligence == pact.host_support == pact.forces == 0
        assert set(pact.articles) == set(terms(pact)), treaty.atopid
        for coded in treaty.coding():
            assert set(coded.became) <= set(mapped[coded.column]), treaty.atopid
        for field in terms(pact):
            if field in ("term_years", "renegotiation", "reciprocal", "guarantor"):
                continue  # the treaty's own
            assert any(f"`{field}`" in line for line in pact.assumptions), (treaty.atopid, field)
        assert Pact(**pact.to_dict()) == pact
        for clause in pact.clauses:
            counts[clause] = counts.get(clause, 0) + 1
    assert counts == {
        "obligation": 275, "exit": 164, "consultation": 136, "integration": 134,
        "assistance": 70, "basing": 68, "coalition": 60,
    }  # fmt: skip


def test_every_other_treaty_maps_without_a_duty_of_defence(treaties):
    others = [treaty for treaty in treaties if not treaty.defence]
    assert len(others) == 470
    assert {treaty.to_pact().commitment for treaty in others} == {"consult", "none"}


def test_every_defence_pact_maps_without_the_member_file():
    if not HAVE_DATA:
        pytest.skip(NO_DATA)
    pacts = [treaty.to_pact() for treaty in Treaties.read(ALLIANCES).defence_pacts()]
    assert len(pacts) == 275
    assert {pact.commitment for pact in pacts} == {"defence"}
    assert all(pact.coverage == 1 and pact.reciprocal for pact in pacts)


#: Treaties for no year of which the capability file has every member, and who is missing.
NO_FIGURES = {
    1005: "France", 1010: "Hesse-Darmstadt", 1015: "Two Sicilies", 1053: "Ecuador", 1118: "China",
    1150: "Uruguay", 1155: "Uruguay", 1205: "Uruguay", 1320: "Annam", 1480: "Montenegro",
}  # fmt: skip


def test_every_defence_pact_is_a_study_or_a_clear_error(treaties, tmp_path):
    missing: dict[int, str] = {}
    for treaty in treaties.defence_pacts():
        try:
            study = treaty.to_study(capabilities=CAPABILITIES, regimes=REGIMES)
        except DataError as error:
            missing[treaty.atopid] = str(error)
            continue
        assert set(study.pacts) == {"treaty", "no_pact", "automatic"}
        assert Study.from_dict(study.to_dict()) == study
        owed = study.pacts["treaty"]
        assert owed.reciprocal or owed.guarantor == study.scenario.defender, treaty.atopid
    assert set(missing) == set(NO_FIGURES)
    for atopid, name in NO_FIGURES.items():
        assert f"for {name} (" in missing[atopid]
        assert re.search(r"the file has (no year of that state|\d{4})", missing[atopid])


#: What the texts of well-known treaties say, as far as ATOP codes it.
KNOWN: dict[int, dict[str, object]] = {
    # United States and South Korea, 1953: Pacific area, consultation, bases, a year's notice
    3240: {"commitment": "defence", "coverage": 0.8, "provoked_discount": 0.25,
           "consultation": 0.5, "access": "permanent", "notice_months": 12.0},
    # United States and the Philippines, 1951: the same without bases
    3210: {"commitment": "defence", "coverage": 0.8, "provoked_discount": 0.25,
           "consultation": 0.5, "notice_months": 12.0},
    # United States and Japan, 1960: only the United States is bound, a joint committee, bases
    3375: {"commitment": "defence", "provoked_discount": 0.25, "reciprocal": False,
           "guarantor": "united_states", "consultation": 0.5, "integration": 0.15,
           "access": "permanent", "notice_months": 12.0},
    # China and North Korea, 1961: no conditions, no term, economic help
    3445: {"commitment": "defence", "provoked_discount": 0.25, "assistance": 0.02},
    # Germany and Austria-Hungary, 1879: against Russia, five years, then three by three
    1335: {"commitment": "defence", "coverage": 1.0, "provoked_discount": 0.25,
           "term_years": 5.0, "review_years": 3.0},
    # China and the Soviet Union, 1950: against Japan, thirty years, then five by five
    3200: {"commitment": "defence", "coverage": 1.0, "provoked_discount": 0.25,
           "assistance": 0.02, "term_years": 30.0, "review_years": 5.0},
    # United States and Taiwan, 1954: West Pacific area, bases, a year's notice, no duty to consult
    3270: {"commitment": "defence", "coverage": 0.8, "provoked_discount": 0.25,
           "access": "permanent", "notice_months": 12.0},
}  # fmt: skip


@pytest.mark.parametrize("atopid", KNOWN)
def test_known_treaties(atopid, treaties):
    assert terms(treaties.find(atopid).to_pact()) == KNOWN[atopid]


def test_known_facts(treaties):
    dual = treaties.find(1335)
    assert (str(dual.begin), str(dual.end)) == ("1879-10-07", "1918-11-03")
    assert dual.names == ("Germany", "Austria-Hungary")
    assert said(dual.to_pact(), "secret (pubsecr = 2)")
    assert dual.to_pact(challenger=220).coverage == 0.25, "France is not Russia"
    assert treaties.find(3200).names == ("Soviet Union", "China")
    assert str(treaties.find(3240).begin) == "1953-10-01"
    assert treaties.find(3240).end is None
    # the Triple Alliance promised help against attack without provocation, renewed in four versions
    triple = treaties.find(1350)
    assert triple.phases == 4
    assert triple.to_pact(year=1882).provoked_discount == 0.0
    assert triple.to_pact(year=1882).term_years == 5
    assert triple.to_pact(year=1891).term_years == 6
    # SEATO was left to the United States and Thailand after 1977
    assert treaties.find(3260).to_pact(year=1955).coalition is not None
    assert treaties.find(3260).terms(2016).members == (2, 800)
    # the charter of the Organization of American States leaves out no member that owes help
    americas = treaties.find(3150).to_pact()
    assert americas.coalition is not None
    assert len(americas.coalition.members) == 33


def test_known_studies(treaties):
    def study(atopid: int, **seats: int) -> Study:
        return treaties.find(atopid).to_study(capabilities=CAPABILITIES, regimes=REGIMES, **seats)

    dual = study(1335)
    assert dual.scenario.challenger == "russia"
    assert dual.scenario.protege == "austria_hungary"
    assert dual.scenario.defender == "germany"
    assert "1879" in (dual.title or "")
    korea = study(3240, challenger=731)
    assert korea.actors["north_korea"].nuclear
    assert korea.actors["south_korea"].capability < korea.actors["united_states"].capability
    assert not study(3240, challenger=731, year=1994).actors["north_korea"].nuclear
    moscow = study(3200)
    assert moscow.scenario.challenger == "challenger", "Japan was not a state in 1950"
    assert "Japan, named as the threat" in " ".join(moscow.assumptions)
    estonia = study(3180, protege=366, challenger=365)
    members = estonia.pacts["treaty"].coalition
    assert members is not None
    assert estonia.scenario.defender == "united_states"
    assert {"estonia", "germany", "turkey"} <= set(members.members)
    assert "west_germany" not in members.members
    turned = study(3240, protege=2)
    assert turned.pacts["treaty"].access == "none", "South Korea has no bases in the United States"


def test_every_state_in_the_treaties_has_a_name(treaties):
    states = {member for treaty in treaties for member in treaty.members}
    states |= {treaty.codes[c] or 2 for treaty in treaties for c in ("statthr1", "statthr2")}
    assert not {state for state in states if cow.title(state).startswith("State ")}
