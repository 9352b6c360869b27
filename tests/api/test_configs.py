"""The shipped studies: they load, compare what they say they compare, and give their sources."""

from __future__ import annotations

import csv
import math
import re
import tomllib
from functools import cache
from itertools import pairwise
from pathlib import Path
from statistics import linear_regression

import pytest
import xarray as xr

from entangle.actor import Actor
from entangle.pact import CLAUSES, Pact
from entangle.study import Study

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared" / "data"
CONFIGS = sorted((ROOT / "configs").glob("*.toml"))
STYLISED = [path for path in CONFIGS if path.stem in ("baseline", "coalition")]
REAL = [path for path in CONFIGS if path not in STYLISED]
FIELDS = tuple(field for fields in CLAUSES.values() for field in fields)

#: First year with nuclear weapons, by Correlates of War code.
NUCLEAR_SINCE = {2: 1945, 365: 1949, 200: 1952, 220: 1960, 710: 1964, 731: 2006}

CINC_SOURCE = re.compile(r"CINC: NMC 7\.0, ccode (\d+), (\d{4})")
GROWTH_SOURCE = re.compile(r"growth: CINC trend, NMC 7\.0, (\d{4})-(\d{4})")
REGIME_SOURCE = re.compile(r"regime: V-Dem polyarchy, (\d{4})")
RATES_SOURCE = re.compile(r"MID 5\.0, ccodes (\d+) and (\d+), (\d{4})-(\d{4})")

each = pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
each_stylised = pytest.mark.parametrize("path", STYLISED, ids=lambda path: path.stem)
each_real = pytest.mark.parametrize("path", REAL, ids=lambda path: path.stem)
needs_data = pytest.mark.skipif(
    not DATA.is_dir(), reason="the public conflict data do not lie beside the repository"
)


def test_the_studies_are_there():
    assert {path.stem for path in CONFIGS} >= {
        "baseline",
        "coalition",
        "us_rok",
        "us_japan",
        "us_philippines",
        "germany_austria_1879",
        "china_dprk_1961",
    }


# -- every study ---------------------------------------------------------------------------------


@each
def test_it_compares_the_treaty_with_none_and_with_a_variant(path):
    study = Study.load(path)
    assert not study.pacts["treaty"].is_empty
    assert study.pacts["no_pact"] == Pact()
    variants = variants_of(study)
    assert variants
    for name, variant in variants.items():
        assert changed_fields(study.pacts["treaty"], variant), f"{name} changes no clause"


@each
def test_no_two_pacts_have_the_same_terms(path):
    pacts = Study.load(path).pacts
    terms = {name: tuple(getattr(pact, field) for field in FIELDS) for name, pact in pacts.items()}
    assert len(set(terms.values())) == len(terms)


@each
def test_everything_has_a_title(path):
    study = Study.load(path)
    assert_words(study.title)
    assert_words(study.description)
    for actor in study.actors.values():
        assert_words(actor.title)
    for name, pact in study.pacts.items():
        if name != "no_pact":
            assert_words(pact.title)
    titles = [pact.title for pact in study.pacts.values()]
    assert len(set(titles)) == len(titles)


@each
def test_every_actor_has_a_part(path):
    study = Study.load(path)
    scenario = study.scenario
    seated = {scenario.challenger, scenario.protege, scenario.defender}
    members = {member for pact in study.pacts.values() if pact.coalition for member in pact.coalition.members}
    assert set(study.actors) == seated | members


@each
def test_it_survives_plain_data_and_toml(path, tmp_path):
    study = Study.load(path)
    assert Study.from_dict(study.to_dict()) == study
    study.save(tmp_path / "again.toml")
    again = Study.load(tmp_path / "again.toml")
    assert again == study
    assert again.fingerprint == study.fingerprint


@each
def test_its_file_stands_alone(path):
    text = path.read_text(encoding="utf-8")
    assert text.startswith("#:schema ./entangle.schema.json\n")
    assert text.splitlines()[2].startswith("# "), "says at its head what it is"
    assert "What it asks:" in text
    assert not re.search(r"/work|shared/|/home|/tmp|https?:", text)
    for named in re.findall(r"\b\w+\.toml\b", text):
        assert (path.parent / named).is_file(), f"{named} is named but not there"


@each
def test_a_change_is_marked_where_it_stands(path):
    study = Study.load(path)
    text = path.read_text(encoding="utf-8")
    for name in variants_of(study):
        table = text.split(f"\n[pacts.{name}]\n")[1]
        table = re.split(rf"\n\[(?!pacts\.{name}[.\]])", table)[0]
        assert "# changed" in table, name


@each
def test_its_years_and_trends_are_stated(path):
    """Over decades both matter too much to be left to a default that nobody saw."""
    study = Study.load(path)
    assert "years" in study.peacetime.model_fields_set
    assert study.peacetime.years >= 10
    assert not [name for name, actor in study.actors.items() if "growth" not in actor.model_fields_set]


# -- studies of real treaties ----------------------------------------------------------------------


@each_real
def test_every_term_of_the_treaty_says_where_it_comes_from(path):
    treaty = Study.load(path).pacts["treaty"]
    assert_words(treaty.source)
    assert re.search(r"\b(1[89]|20)\d\d\b", treaty.source), "the source gives a date"
    unexplained = [
        field
        for field in coded_fields(treaty)
        if field not in treaty.articles and not is_named(field, treaty.assumptions)
    ]
    assert not unexplained
    for field, words in treaty.articles.items():
        assert re.match(r"(Arts?\. [IVX]+|Preamble|Outside the treaty)\b", words), field


@each_real
def test_every_judgement_is_an_assumption(path):
    """A degree that is neither 0 nor 1 is nobody's text, unless it was computed from figures."""
    treaty = Study.load(path).pacts["treaty"]
    degrees = [
        field
        for field in ("strength", "coverage", "provoked_discount", "consultation", "integration",
                      "intelligence", "forces", "assistance", "host_support", "approval")
        if field in treaty.model_fields_set and 0 < getattr(treaty, field) < 1
    ]  # fmt: skip
    computed = [
        field for field in degrees if f"= {getattr(treaty, field):.2f}." in treaty.articles.get(field, "")
    ]
    unnamed = set(degrees) - set(computed)
    assert not [field for field in unnamed if not is_named(field, treaty.assumptions)]


@each
def test_a_variant_says_what_it_changes_and_why(path):
    study = Study.load(path)
    for name, variant in variants_of(study).items():
        changed = changed_fields(study.pacts["treaty"], variant)
        unnamed = [field for field in changed if not is_named(field, variant.assumptions)]
        assert not unnamed, name
        coded = coded_fields(study.pacts["treaty"])
        assert len(changed) < len(coded) / 2, f"{name} is another treaty, not a variant"


@each_real
def test_every_actor_gives_its_sources(path):
    for actor in Study.load(path).actors.values():
        ccode, year = capability_source(actor)
        assert regime_year(actor) == year
        assert actor.nuclear == (ccode in NUCLEAR_SINCE and NUCLEAR_SINCE[ccode] <= year)
        if "effort" in actor.model_fields_set:
            assert re.search(r"effort: (SIPRI|SIPRI estimate|WMEAT \d{4}), \d{4}\b", actor.source or "")


@each_real
def test_a_trend_looks_back_as_far_as_a_history_looks_ahead(path):
    study = Study.load(path)
    for actor in study.actors.values():
        first, last = growth_years(actor)
        assert last == capability_source(actor)[1]
        assert last - first + 1 == study.peacetime.years


@each_real
def test_every_figure_of_peacetime_says_that_it_is_assumed(path):
    text = path.read_text(encoding="utf-8")
    table = text.split("\n[peacetime]\n")[1].split("\n\n")[0]
    figures = [line for line in table.splitlines() if not line.startswith("#")]
    assert {line.split(" = ")[0] for line in figures} == tomllib.loads(text)["peacetime"].keys()
    assert not [line for line in figures if not re.search(r"# assumption: \w", line)]


@each_real
def test_how_the_treaty_ends_is_coded_or_said_to_be_absent(path):
    treaty = Study.load(path).pacts["treaty"]
    silent = [
        field
        for field in ("term_years", "review_years", "notice_months", "suspension")
        if field not in treaty.model_fields_set and field not in treaty.articles
    ]
    assert not silent


@each_stylised
def test_a_stylised_study_claims_no_source(path):
    study = Study.load(path)
    assert "# EVERY figure in this file is an assumption." in path.read_text(encoding="utf-8")
    assert {actor.source for actor in study.actors.values()} == {"assumption"}
    for name, pact in study.pacts.items():
        assert pact.source is None
        assert not pact.articles
        assert pact.assumptions or name == "no_pact"


def test_a_state_has_the_same_figures_in_every_study_of_a_year():
    figures: dict[tuple[int, int], set[tuple[object, ...]]] = {}
    for path in REAL:
        for actor in Study.load(path).actors.values():
            told = (actor.title, actor.capability, actor.growth, actor.regime, actor.nuclear, actor.effort)
            figures.setdefault(capability_source(actor), set()).add(told)
    assert not {key: told for key, told in figures.items() if len(told) > 1}


# -- one threat, three answers ---------------------------------------------------------------------


def test_one_guarantor_five_partners_and_nobody_differ_in_the_decision_rule_alone():
    study = coalition_study()
    treaty, consensus = study.pacts["treaty"], study.pacts["consensus"]
    assert treaty.coalition is None
    assert study.pacts["no_pact"].is_empty
    assert consensus.coalition is not None
    assert len(consensus.coalition.members) == 5
    assert consensus.coalition.quorum == 1.0
    assert consensus.coalition.consensus_rounds >= 1
    alone = study.actors[study.scenario.defender].capability
    pooled = math.fsum(study.actors[name].capability for name in consensus.coalition.members)
    assert alone <= pooled <= 1.1 * alone
    assert not treaty.legislature, "a vote at home would be counted as blocked, too"
    for name, variant in variants_of(study).items():
        assert changed_fields(treaty, variant) == ["coalition"], name
        assert variant.coalition.members == consensus.coalition.members


@pytest.mark.parametrize(
    ("outcome", "order"),
    [
        # the later they agree, the less does the promise deter; the more who must, the less does it involve
        ("challenge", ["treaty", "slow", "no_pact"]),
        ("defender_fights", ["no_pact", "slow", "consensus", "majority", "treaty"]),
        ("reliability", ["slow", "consensus", "majority", "treaty"]),
        ("war", ["no_pact", "slow", "consensus", "majority", "treaty"]),
        # what blocks is the vote, not the wait for it
        ("blocked", ["treaty", "majority", "consensus"]),
        # any promise emboldens; that of one guarantor most
        ("provocation", ["no_pact", "consensus", "treaty"]),
    ],
)
def test_a_coalition_involves_less_than_one_guarantor(outcome, order):
    exact = exact_coalition().exact.sel(outcome=outcome)
    assert all(float(exact.sel(pact=low)) < float(exact.sel(pact=high)) for low, high in pairwise(order))


# -- against the data ------------------------------------------------------------------------------


@needs_data
@each_real
def test_capabilities_are_those_of_the_data(path):
    cinc = column(DATA / "nmc" / "nmc7.csv", "cinc")
    for name, actor in Study.load(path).actors.items():
        assert actor.capability == round(cinc[capability_source(actor)], 6), name


@needs_data
@each_real
def test_trends_are_those_of_the_data(path):
    cinc = column(DATA / "nmc" / "nmc7.csv", "cinc")
    for name, actor in Study.load(path).actors.items():
        ccode, _ = capability_source(actor)
        first, last = growth_years(actor)
        years = range(first, last + 1)
        slope = linear_regression(years, [math.log(cinc[ccode, year]) for year in years]).slope
        assert actor.growth == round(math.expm1(slope), 3), name


@needs_data
@each_real
def test_regimes_are_those_of_the_data(path):
    polyarchy = column(DATA / "regime" / "democracy.csv", "v2x_polyarchy")
    for name, actor in Study.load(path).actors.items():
        ccode, _ = capability_source(actor)
        assert actor.regime == round(polyarchy[ccode, regime_year(actor)], 3), name


@needs_data
@each_real
def test_dispute_rates_are_those_of_the_data(path):
    text = path.read_text(encoding="utf-8")
    scenario = Study.load(path).scenario
    found = RATES_SOURCE.search(text.replace("\n# ", " "))
    if found is None:
        comment = text.split("\nchallenger_rate")[0].rsplit("\n# Assumption:", 1)[-1]
        assert "\n" in comment, "a rate without a count is an assumption"
        assert all(line.startswith("# ") for line in comment.splitlines()[1:])
        return
    challenger, protege, first, last = (int(number) for number in found.groups())
    if capability_source(Study.load(path).actors[scenario.challenger])[0] != challenger:
        challenger, protege = protege, challenger
    by_challenger, by_protege = disputes(challenger, protege, first, last)
    years = last - first + 1
    assert scenario.challenger_rate == round(by_challenger / years, 2)
    assert scenario.protege_rate == round(by_protege / years, 2)
    assert f"challenger_rate = {scenario.challenger_rate}  # {by_challenger} / {years}" in text
    assert re.search(rf"protege_rate = {scenario.protege_rate} +# {by_protege} / {years}", text)


# -- helpers ---------------------------------------------------------------------------------------


@cache
def coalition_study() -> Study:
    return Study.load(ROOT / "configs" / "coalition.toml")


@cache
def exact_coalition() -> xr.Dataset:
    return coalition_study().exact().data


def variants_of(study: Study) -> dict[str, Pact]:
    return {name: pact for name, pact in study.pacts.items() if name not in ("treaty", "no_pact")}


def coded_fields(pact: Pact) -> list[str]:
    return [field for field in FIELDS if field in pact.model_fields_set]


def changed_fields(treaty: Pact, variant: Pact) -> list[str]:
    """Clause fields that a variant sets otherwise, adds or leaves out."""
    either = treaty.model_fields_set | variant.model_fields_set
    return [
        field
        for field in FIELDS
        if field in either
        and (
            getattr(treaty, field) != getattr(variant, field)
            or (field in treaty.model_fields_set) != (field in variant.model_fields_set)
        )
    ]


def is_named(field: str, sentences: tuple[str, ...]) -> bool:
    return any(f"`{field}`" in sentence for sentence in sentences)


def assert_words(text: str | None) -> None:
    assert text is not None
    assert text == text.strip() != ""


def capability_source(actor: Actor) -> tuple[int, int]:
    found = CINC_SOURCE.search(actor.source or "")
    assert found, f"no source of the capability in {actor.source!r}"
    return int(found.group(1)), int(found.group(2))


def growth_years(actor: Actor) -> tuple[int, int]:
    found = GROWTH_SOURCE.search(actor.source or "")
    assert found, f"no source of the growth in {actor.source!r}"
    return int(found.group(1)), int(found.group(2))


def regime_year(actor: Actor) -> int:
    found = REGIME_SOURCE.search(actor.source or "")
    assert found, f"no source of the regime in {actor.source!r}"
    return int(found.group(1))


def column(path: Path, name: str) -> dict[tuple[int, int], float]:
    with path.open(encoding="utf-8-sig", newline="") as lines:
        return {
            (int(float(row["ccode"])), int(float(row["year"]))): float(row[name])
            for row in csv.DictReader(lines)
            if row["ccode"] and row[name]
        }


def disputes(challenger: int, protege: int, first: int, last: int) -> tuple[int, int]:
    """Disputes with the two on opposite sides, by whose side acted first."""
    sides: dict[str, dict[int, str]] = {}
    with (DATA / "mid" / "MIDB 5.0.csv").open(encoding="utf-8-sig", newline="") as lines:
        for row in csv.DictReader(lines):
            # a state that left and came back has several rows; its first is the one that counts
            sides.setdefault(row["dispnum"], {}).setdefault(int(row["ccode"]), row["sidea"])
    with (DATA / "mid" / "MIDA 5.0.csv").open(encoding="utf-8-sig", newline="") as lines:
        began = {row["dispnum"]: int(row["styear"]) for row in csv.DictReader(lines)}
    opened = [
        side[challenger] == "1"
        for dispute, side in sides.items()
        if first <= began[dispute] <= last
        and {challenger, protege} <= side.keys()
        and side[challenger] != side[protege]
    ]
    return sum(opened), len(opened) - sum(opened)
