"""Figures of the record: their table, the engine's side of them, and their computation from data."""

from __future__ import annotations

import csv
import json
import math
import shutil
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from click.testing import CliRunner

from api.atop_files import ALLIANCES, DATA, MEMBERS, alliance, spell, write
from entangle import evidence
from entangle.atop import Treaties
from entangle.cli import cli
from entangle.errors import DataError, StudyError
from entangle.evidence import Estimand, Moments, atop_records, computed, estimand_of, icb, mid
from entangle.evidence.estimands import EARLY, hazard, median_life
from entangle.evidence.moments import SHIPPED, ratio_of, shipped, sum_of
from entangle.outcomes import OUTCOMES
from entangle.vocabulary import CAUSES, ENDS
from entangle_kernels.exact import CELLS
from small_studies import small

HANDED_OVER = DATA.parent / "evidence" / "moments.csv"
HAVE_FIGURES = HANDED_OVER.is_file()
HAVE_DATA = all(
    path.is_file()
    for path in (ALLIANCES, MEMBERS, DATA / "mid" / "MIDA 5.0.csv", DATA / "icb" / "icb2v15.csv")
)
needs_data = pytest.mark.skipif(
    not HAVE_DATA, reason="the public conflict data do not lie beside the repository"
)
needs_figures = pytest.mark.skipif(
    not HAVE_FIGURES, reason="the figures that were handed over do not lie beside the repository"
)


# -- the project's own table -------------------------------------------------------------------------


def test_every_figure_is_fitted_or_says_why_not():
    moments = shipped()
    assert len(moments.moments) == 52
    assert len({m.code for m in moments.moments.values()}) == 52
    fitted = [name for name, m in moments.moments.items() if m.estimand is not None]
    targets = moments.targets()
    assert [t.name for t in targets] == [*fitted, *moments.combined]
    assert (len(fitted), len(moments.combined)) == (17, 4)
    for target in targets:
        assert target.lower <= target.value <= target.upper
        assert target.is_share == (target.kind == "share")
    for m in moments.moments.values():
        assert bool(m.left_out) != (m.estimand is not None)


@needs_figures
def test_the_numbers_are_those_that_were_handed_over():
    """Would catch a figure that was mistyped, or lost."""
    with HANDED_OVER.open(encoding="utf-8", newline="") as stream:
        rows = {row["id"]: row for row in csv.DictReader(stream)}
    own = {m.code: m for m in shipped().moments.values()}
    assert set(own) == set(rows)
    for code, row in rows.items():
        m = own[code]
        assert (m.value, m.lower, m.upper) == tuple(float(row[c]) for c in ("value", "lo", "hi")), code
        assert m.n == float(row["n"]), code
        for number, column in ((m.events, "k"), (m.clusters, "clusters")):
            assert number == (float(row[column]) if row[column] else None), code
        assert m.period[:4] == row["period"][:4], code


def test_a_family_with_regular_codes_has_one_rule():
    """Would catch an estimand in the table that is not that of its code."""
    ruled = {m.code: m.estimand for m in shipped().moments.values() if estimand_of(m.code) is not None}
    assert len(ruled) == 13
    for code, estimand in ruled.items():
        assert estimand_of(code) == estimand, code


def test_the_table_can_be_written_in_other_words_and_read_back(tmp_path):
    path = tmp_path / "copy.toml"
    shutil.copy(SHIPPED, path)
    assert evidence.load(path) == evidence.load() == shipped()


def test_a_figure_is_found_by_its_code_or_the_nearest_is_named():
    assert shipped().by_code("C.esc5.cov1.all") is shipped().moments["war_pact"]
    with pytest.raises(
        DataError, match=r"no figure 'C\.esc5\.cov2\.all'\. Did you mean 'C\.esc5\.cov1\.all'\?"
    ):
        shipped().by_code("C.esc5.cov2.all")


# -- mistakes ----------------------------------------------------------------------------------------

GOOD = """\
[sources.mid]
title = "Disputes"
citation = "Somebody 2000"

[moments.war]
code = "X.war"
family = "escalation"
what = "a war"
kind = "share"
value = 0.25
lower = 0.2
upper = 0.3
interval = "Wilson"
n = 100
events = 25
unit = "dispute"
denominator = "disputes"
period = "1946-2014"
sources = ["mid"]

[moments.war.estimand]
figure = "share"
event = "war"
opened_by = "challenger"
reached = "threat"
pact = "with"

[moments.other]
code = "X.other"
family = "escalation"
what = "another"
kind = "ratio"
value = 2.0
lower = 1.0
upper = 4.0
interval = "bootstrap"
n = 100
unit = "dispute"
denominator = "disputes"
period = "1946-2014"
sources = ["mid"]
left_out = "for a reason"
"""
WAR, OTHER, SIDE = "[moments.war]", "[moments.other]", "[moments.war.estimand]"
AT_RISK = "Meaning: units at risk."
EVERY = "'threat' is every crisis, since a crisis opens with one."
EITHER = "Give an estimand, or say why there is none."
LET_BE = "A dispute that was let be leaves no record."
OF_LIFE = "A pact's life has the events 'end' and 'early_end', and they belong to it alone."
#: What is written, what in its place, and the message after the file's name.
MISTAKES = [
    ("value = 0.25", "value = 0.35", f"10: {WAR} value: must lie in its interval, 0.2 to 0.3, got 0.35."),
    ("lower = 0.2", "lower = -0.2", f"11: {WAR} lower: must be at least 0, being a share, got -0.2."),
    ("upper = 0.3", "upper = 1.3", f"12: {WAR} upper: must be at most 1, being a share, got 1.3."),
    ("s = 25", "s = 26", f"10: {WAR} value: must be events / n = 0.26000, being a share, got 0.25."),
    ("s = 25", "s = 125", f"15: {WAR} events: must be at most n, 100, got 125."),
    ("n = 100\ne", "n = 0\ne", f"14: {WAR} n: must be at least 1, got 0. {AT_RISK}"),
    ("n = 100\ne", "n = 9.5\ne", f"14: {WAR} n: must be a whole number, got 9.5. {AT_RISK}"),
    ("value = 0.25", 'value = "a"', f"10: {WAR} value: must be a number, got 'a'. Meaning: the figure."),
    (
        "value = 0.25",
        "value = nan",
        f"10: {WAR} value: must be a finite number, got nan. Meaning: the figure.",
    ),
    ("events", "event", f"15: {WAR} event: is not a key of this table, got 25. Did you mean 'events'?"),
    (
        'sources = ["mid"]',
        'sources = ["mud"]',
        f"19: {WAR} sources: must name a table of [sources], got 'mud'. Did you mean 'mid'?",
    ),
    ("X.other", "X.war", f"29: {OTHER} code: must stand once, and 'war' has it, got 'X.war'."),
    (
        'left_out = "for a reason"',
        "",
        f"28: {OTHER} left_out: is required where there is no estimand. {EITHER}",
    ),
    (
        'sources = ["mid"]',
        'sources = ["mid"]\nleft_out = "x"',
        f"20: {WAR} left_out: contradicts the estimand. {EITHER}",
    ),
    ("threat", "dispute", f"25: {SIDE} reached: must be a rung of a crisis, got 'dispute'. {LET_BE}"),
    ('reached = "threat"\n', "", f"21: {SIDE} reached: is required but was not given. {EVERY}"),
    (
        'figure = "share"',
        'figure = "yearly"',
        f"25: {SIDE} reached: belongs to shares of crises only, got 'threat'. {EVERY}",
    ),
    (
        'event = "war"',
        'event = "end"',
        f"23: {SIDE} event: does not go with the figure 'share', got 'end'. {OF_LIFE}",
    ),
    ('opened_by = "challenger"\n', "", f"21: {SIDE} opened_by: is required but was not given."),
    ('figure = "share"', 'figure = "ratio"', f"26: {SIDE} pact: must be 'with_over_without', got 'with'."),
    ('"with"', '"with"\nages = [0, 5]', f"27: {SIDE} ages: belongs to a hazard only, got [0, 5]."),
    (
        '"with"',
        '"with"\nmatch = "near"',
        f"21: {SIDE} caveat: is required where the match is only near.",
    ),
]


@pytest.mark.parametrize(("old", "new", "message"), MISTAKES, ids=[m[2][:60] for m in MISTAKES])
def test_a_mistake_gives_one_clear_error(old, new, message, tmp_path):
    path = tmp_path / "own.toml"
    assert GOOD.count(old) >= 1
    path.write_text(GOOD.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(StudyError) as caught:
        Moments.load(path)
    assert str(caught.value) == f"{path}:{message}"


def test_an_event_that_is_none_names_those_that_are(tmp_path):
    path = tmp_path / "own.toml"
    path.write_text(GOOD.replace('event = "war"', 'event = "ware"'), encoding="utf-8")
    with pytest.raises(
        StudyError, match=r"event: must be one of 'crisis', .*got 'ware'\. Did you mean 'war'\?"
    ):
        Moments.load(path)


def test_a_good_table_is_read(tmp_path):
    """The mistakes above are mistakes: without them nothing is wrong."""
    path = tmp_path / "own.toml"
    path.write_text(GOOD, encoding="utf-8")
    assert [t.code for t in Moments.load(path).targets()] == ["X.war"]


COMBINED = """
[combined.both]
code = "X.both"
what = "both"
made_by = "ratio"
of = ["other", "third"]
reason = "for a reason"

[combined.both.estimand]
figure = "ratio"
event = "war"
opened_by = "challenger"
reached = "threat"
pact = "with_over_without"
"""


@pytest.mark.parametrize(
    ("of", "message"),
    [
        ("third", r"\[combined\.both\] of: must name two moments, got 'third'"),
        (
            "war",
            r"\[combined\.both\] of: must name moments above 0 that are not fitted themselves, got 'war'",
        ),
    ],
)
def test_a_figure_of_two_needs_two_that_are_not_fitted(of, message, tmp_path):
    path = tmp_path / "own.toml"
    path.write_text(GOOD + COMBINED.replace("third", of), encoding="utf-8")
    with pytest.raises(StudyError, match=message):
        Moments.load(path)


# -- made of two figures -----------------------------------------------------------------------------


def figure(value: float, lower: float, upper: float, kind: str = "share") -> Any:
    own = shipped().moments["war_pact"]
    return own.replace(value=value, lower=lower, upper=upper, kind=kind, n=100, events=None)


def test_a_ratio_over_a_known_figure_has_the_interval_of_the_first():
    assert ratio_of(figure(0.2, 0.1, 0.3), figure(0.4, 0.4, 0.4)) == pytest.approx((0.5, 0.25, 0.75))
    value, lower, upper = ratio_of(figure(0.2, 0.2, 0.2), figure(0.4, 0.3, 0.5))
    assert (value, lower, upper) == pytest.approx((0.5, 0.4, 2 / 3))


def test_a_ratio_of_two_is_less_well_known_than_either():
    _, lower, upper = ratio_of(figure(0.2, 0.1, 0.4), figure(0.2, 0.1, 0.4))
    reach = math.sqrt(2) * math.log(2)
    assert (lower, upper) == pytest.approx((math.exp(-reach), math.exp(reach)))
    assert ratio_of(figure(0.2, 0.0, 0.4), figure(0.2, 0.1, 0.4))[1] == 0.0


def test_a_sum_of_exclusive_shares_has_about_its_own_interval():
    """Wilson's interval of 424 of 835 is the truth if the two were counted on independent cases."""
    first, second = (computed.share([True] * k + [False] * (835 - k)) for k in (200, 224))
    parts = [figure(part.value, part.lower, part.upper) for part in (first, second)]
    direct = computed.share([True] * 424 + [False] * 411)
    assert sum_of(*parts) == pytest.approx(direct[:3], abs=0.002)
    apart = math.hypot(first.value - first.lower, second.value - second.lower)
    assert direct.value - direct.lower < apart - 0.005, "as independent shares it would be too long"


def test_what_is_made_of_two_uses_the_two():
    targets = {t.name: t for t in shipped().targets()}
    first, second = (shipped().moments[name] for name in ("crisis_war_pact", "crisis_war_no_pact"))
    assert targets["crisis_war"].value == first.value / second.value
    assert targets["crisis_war"].kind == "ratio"
    assert targets["undecided"].value == pytest.approx(424 / 835, abs=1e-5)
    assert targets["undecided"].is_share


# -- csv ---------------------------------------------------------------------------------------------


def row(code: str, **cells: object) -> dict[str, object]:
    return {
        "id": code, "family": "escalation", "what": '"P(war | MID)"', "value": 0.25, "lo": 0.2, "hi": 0.3,
        "n": 100, "k": 25, "clusters": "", "method": "Wilson", "period": "1946-2014", "source": "MID",
        "note": "",
    } | cells  # fmt: skip


def from_csv(tmp_path: Path, *rows: Mapping[str, object]) -> Moments:
    return Moments.from_csv(write(tmp_path / "figures.csv", rows))


def test_a_figure_of_a_csv_file_gets_the_engines_side_of_its_code(tmp_path):
    read = from_csv(
        tmp_path,
        row("C.esc5.cov1.all", what="as here"),
        row("C.esc5.cov1.post45"),
        row("F.gpmil", what="share of crises"),
        row("H.age.0-5", what="a hazard", k=9),
        row("Z.new", what="a share"),
    ).moments
    own = shipped()
    assert read["c_esc5_cov1_all"].estimand == own.moments["war_pact"].estimand
    assert read["c_esc5_cov1_post45"].estimand == own.moments["war_pact"].estimand, "by rule"
    assert read["f_gpmil"].left_out == own.moments["superpower_activity"].left_out
    assert read["h_age_0_5"].estimand == own.moments["early_hazard"].estimand
    assert read["h_age_0_5"].kind == "hazard"
    assert read["z_new"].estimand is None
    assert read["z_new"].left_out == "no estimand has been written for this code"
    assert read["c_esc5_cov1_post45"].sources == ("MID",)
    assert (read["z_new"].n, read["z_new"].events, read["z_new"].clusters) == (100, 25, None)


def test_a_figure_of_another_period_is_the_same_figure(tmp_path):
    read = from_csv(tmp_path, row("H.share.abr.defbil"), row("F.outcom2.all"), row("D.jB.p0.h4.all")).moments
    assert read["f_outcom2_all"].left_out == shipped().moments["crisis_compromise"].left_out
    assert read["d_jb_p0_h4_all"].left_out == shipped().moments["third_state_joins_no_pact"].left_out
    assert read["h_share_abr_defbil"].estimand == shipped().moments["ends_early"].estimand


CHALLENGE, PROVOCATION = "crisis opened by the challenger", "crisis opened by the protégé"
REACHING = f"P(a {CHALLENGE} that reaches"
HELP = "new military support or fighting by the defender"


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("B.init.odef0.all", f"P(a {CHALLENGE}, in a year), without a pact"),
        ("B.init4.odef1.post45", f"{REACHING} limited force or more, in a year), with a pact"),
        (
            "B.init5.OR.post45",
            f"odds ratio of {REACHING} local war or more, in a year), with a pact over without",
        ),
        ("C.esc4.cov0.all", f"P(limited force or more | {CHALLENGE}), without a pact"),
        (
            "D.entang.ally.h5.post45",
            f"P(fighting by the defender | {PROVOCATION} that reaches local war), with a pact",
        ),
        ("D.supp.ally.h4.all", f"P({HELP} | {CHALLENGE} that reaches limited force), with a pact"),
        ("B.init3.OR.all", "None"),
        ("A.tgt.pact0.all", "None"),
    ],
)
def test_codes_of_regular_families_are_understood(code, words):
    assert str(estimand_of(code)) == words


def test_a_figure_of_two_is_there_if_both_are(tmp_path):
    one, other = row("F.act.w4.p1", what="P()"), row("F.act.w4.p0", what="P()")
    assert [t.code for t in from_csv(tmp_path, one, other).targets()] == ["F.act.w4.p1/p0"]
    assert from_csv(tmp_path, one).targets() == ()


@pytest.mark.parametrize(
    ("what", "kind"),
    [("odds ratio of init", "odds_ratio"), ("ratio of P(joins)", "ratio"), ("share of crises", "share"),
     ("annual termination hazard", "hazard"), ("median duration in years, pacts", "years"),
     ("elasticity of spending growth", "elasticity"), ("something else", "other")],
)  # fmt: skip
def test_the_kind_of_a_new_figure_is_told_from_its_words(what, kind, tmp_path):
    events = 25 if kind == "share" else ""
    assert from_csv(tmp_path, row("Z.new", what=what, k=events)).moments["z_new"].kind == kind


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ({"value": 0.4}, r"figures\.csv:2: Z\.x: value: must lie in its interval, 0\.2 to 0\.3, got 0\.4\."),
        (
            {"k": 24},
            r"figures\.csv:2: Z\.x: value: must be events / n = 0\.24000, being a share, got 0\.25\.",
        ),
        ({"lo": ""}, r"figures\.csv:2: column 'lo' must be a number and not blank, got ''\."),
        ({"hi": "high"}, r"figures\.csv:2: column 'hi' must be a number, got 'high'\."),
        ({"n": "1.5"}, r"figures\.csv:2: column 'n' must be a whole number, got '1\.5'\."),
    ],
)
def test_a_damaged_row_is_named_with_its_place(cells, message, tmp_path):
    with pytest.raises(DataError, match=message):
        from_csv(tmp_path, row("Z.x", **cells))


def test_a_damaged_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"figures\.csv:3: column 'id' must stand once"):
        from_csv(tmp_path, row("Z.x"), row("Z.x"))
    with pytest.raises(DataError, match="this is not a file of figures: the columns family, what"):
        Moments.from_csv(write(tmp_path / "other.csv", [{"id": 1, "value": 2}]))
    empty = write(tmp_path / "empty.csv", [row("Z.x")])
    empty.write_text(empty.read_text(encoding="utf-8").splitlines()[0], encoding="utf-8")
    with pytest.raises(DataError, match=r"empty\.csv: there is no figure in it"):
        Moments.from_csv(empty)


@needs_figures
def test_the_figures_that_were_handed_over_are_read():
    read = Moments.from_csv(HANDED_OVER)
    own = {m.code: m for m in shipped().moments.values()}
    assert {m.code for m in read.moments.values()} == set(own)
    assert all(m.estimand == own[m.code].estimand for m in read.moments.values())
    assert [(t.code, t.value) for t in read.targets()[-4:]] == [
        (t.code, t.value) for t in shipped().targets()[-4:]
    ]


# -- the engine's side -------------------------------------------------------------------------------


def estimand(**fields: Any) -> Estimand:
    plain = {
        "figure": "share",
        "event": "war",
        "opened_by": "challenger",
        "reached": "threat",
        "pact": "with",
    }
    return Estimand(**{name: value for name, value in (plain | fields).items() if value is not None})


def cells_of(*endings: tuple[int, str, int, int, float]) -> Any:
    """Return a table of endings: origin, how it ended, rung, support, how often."""
    table = np.zeros(CELLS)
    for origin, end, rung, support, weight in endings:
        table[origin, 1, ENDS.index(end), (rung * 4 + support) * 2 + origin, 0] += weight
    return table


#: Endings by hand: 10 occasions let be, 20 crises by the challenger, 8 by the protégé.
ENDINGS = (
    (0, "no_crisis", 0, 0, 10.0),
    (0, "withdrawal", 1, 0, 6.0),
    (0, "compromise", 2, 2, 5.0),
    (0, "stalemate", 3, 2, 4.0),
    (0, "concession", 3, 0, 2.0),
    (0, "victory", 4, 3, 2.0),
    (0, "defeat", 5, 1, 1.0),
    (1, "compromise", 3, 1, 5.0),
    (1, "victory", 4, 3, 3.0),
)


@pytest.mark.parametrize(
    ("fields", "share"),
    [
        ({}, 3 / 20),
        ({"event": "limited_force"}, 9 / 20),
        ({"event": "help"}, 11 / 20),
        ({"event": "help", "reached": "limited_force"}, 6 / 9),
        ({"event": "fight", "reached": "local_war"}, 2 / 3),
        ({"event": "fight", "opened_by": "protege", "reached": "limited_force"}, 3 / 8),
        ({"event": "fight", "opened_by": "protege", "reached": "local_war"}, 1.0),
        ({"event": "no_winner", "opened_by": "either"}, 14 / 28),
        ({"event": "crisis"}, 1.0),
        ({"figure": "yearly", "event": "crisis", "reached": None}, 20 / 38),
        ({"figure": "yearly", "event": "war", "reached": None}, 3 / 38),
    ],
)
def test_shares_are_counted_as_by_hand(fields, share):
    """An occasion that was let be counts among years only, and the other side's crises nowhere."""
    assert estimand(**fields).share(cells_of(*ENDINGS)) == pytest.approx(share, abs=1e-12)


def test_support_that_stood_there_before_is_no_help():
    helped = estimand(event="help")
    table = cells_of(*ENDINGS)
    assert helped.share(table, initial_support=1) == pytest.approx(11 / 20)
    assert helped.share(table, initial_support=2) == pytest.approx(2 / 20), "only fighting is new"
    assert estimand(event="fight").share(table, initial_support=2) == pytest.approx(2 / 20)


def test_pairs_of_states_are_pooled_by_parts():
    """The figure of two pairs is one share of both, not the mean of two shares."""
    first, second = cells_of((0, "withdrawal", 1, 0, 9.0), (0, "victory", 4, 0, 1.0)), cells_of(*ENDINGS)
    own = estimand()
    parts = np.array([own.parts(first), own.parts(second)]).sum(axis=0)
    assert parts[0] / parts[1] == pytest.approx(4 / 30)
    assert own.share(first + second) == pytest.approx(4 / 30)


def test_a_year_has_the_event_if_it_has_a_dispute_that_has_it():
    own = estimand(figure="yearly", event="war", reached=None)
    assert own.yearly(cells_of(*ENDINGS), rate=0.2) == pytest.approx((1 - math.exp(-0.2)) * 3 / 38)
    assert own.yearly(cells_of(*ENDINGS), rate=0.0) == 0.0


def test_what_never_happens_has_no_share():
    assert math.isnan(estimand(reached="nuclear_use").share(cells_of(*ENDINGS)))


def test_the_engines_own_outcomes_agree():
    """Where an estimand is one of the engine's outcomes among crises, both must say the same."""
    result = small().exact().data
    origin = np.array([0.15 / 0.2, 0.05 / 0.2])
    for pact in result.pact.values:
        table = np.zeros(CELLS)
        places = tuple(result[axis].values for axis in ("origin", "scope", "end", "state", "marks"))
        table[places] = result.cells_exact.sel(pact=pact).values
        by_name = {o.name: float(table[o.event].sum()) for o in OUTCOMES}
        assert table.sum() == pytest.approx(1.0)
        opened = estimand(event="crisis", opened_by="either")
        assert opened.parts(table)[1] == pytest.approx(by_name["crisis"], rel=1e-12)
        for event, name in (("war", "war"), ("fight", "defender_fights")):
            happened, among = estimand(event=event, opened_by="either").parts(table)
            assert happened == pytest.approx(by_name[name], rel=1e-12)
            assert among == pytest.approx(by_name["crisis"], rel=1e-12)
        assert estimand(event="no_winner", opened_by="either").parts(table)[0] == pytest.approx(
            by_name["compromise"] + by_name["stalemate"], rel=1e-12
        )
        yearly = estimand(figure="yearly", event="crisis", reached=None)
        given = float(result.exact.sel(pact=pact, outcome="challenge"))
        assert yearly.share(table) == pytest.approx(origin[0] * given, rel=1e-9)


def test_every_fitted_figure_of_a_dispute_has_its_masks():
    for target in shipped().targets():
        if target.estimand.opened_by is None:
            with pytest.raises(ValueError, match="pact's life, not of a dispute"):
                target.estimand.masks()
            continue
        event, among = target.estimand.masks()
        assert event.any()
        assert not (event & ~among).any()
        assert among[:, :, ENDS.index("no_crisis")].any() == (target.estimand.reached is None)


# -- lives of pacts ----------------------------------------------------------------------------------


def test_a_hazard_divides_ends_by_years_lived():
    assert hazard([1.0, 0.8, 0.6], 0, 2) == pytest.approx(0.4 / (0.9 + 0.7))
    assert hazard([1.0, 0.8, 0.6], 1, 2) == pytest.approx(0.2 / 0.7)
    constant = np.exp(-0.05 * np.arange(21))
    assert hazard(constant, 10, 20) == pytest.approx(2 * math.tanh(0.025), rel=1e-12)
    with pytest.raises(ValueError, match="followed to age 2, not to 5"):
        hazard([1.0, 0.8, 0.6], 0, 5)


def test_a_median_lies_where_half_are_gone():
    assert median_life([1.0, 0.8, 0.4]) == pytest.approx(1.75)
    assert median_life([1.0, 0.5]) == 1.0
    assert median_life([1.0, 0.9, 0.9]) == math.inf


def test_figures_of_a_life_are_read_from_decades():
    ended = {"notice_by_protege": [0.0, 0.05], "notice_by_defender": [0.0, 0.02], "breach": [0.1, 0.1],
             "lapse": [0.1, 0.2], "review": [0.0, 0.15], "abrogated_by_protege": [0.0, 0.07],
             "abrogated_by_defender": [0.0, 0.01]}  # fmt: skip
    by_cause = np.array(list(ended.values()))
    by_cause = np.concatenate([1.0 - by_cause.sum(axis=0, keepdims=True), by_cause])
    data = xr.Dataset(
        {"ended_by_probability": (("pact", "year", "cause"), by_cause.T[np.newaxis])},
        {"pact": ["treaty"], "year": [1, 2], "cause": ["none", *ended]},
    )
    assert set(data.cause.values) == set(CAUSES)
    assert set(EARLY) < set(CAUSES)
    life = {"opened_by": None, "reached": None}
    early = estimand(figure="share_of_ends", event="early_end", **life)
    assert early.of_life(data, "treaty") == pytest.approx(0.25 / 0.6)
    assert estimand(figure="hazard", event="end", ages=(0, 2), **life).of_life(
        data, "treaty"
    ) == pytest.approx(0.6 / (0.9 + 0.6))
    assert estimand(figure="median_life", event="end", **life).of_life(data, "treaty") == pytest.approx(1.75)
    with pytest.raises(ValueError, match="no figure of a pact's life"):
        estimand().of_life(data, "treaty")


# -- computing ---------------------------------------------------------------------------------------


def test_days_that_no_calendar_has_are_unknown():
    assert computed.day(1950, 3, 4) == date(1950, 3, 4)
    assert computed.day(1950, 3, 31) == date(1950, 3, 28), "every month has 28 days"
    for number in (-9, 0, 66, 77, 88, None):
        assert computed.day(1950, 3, number) == date(1950, 3, 15)
    assert computed.day(1950, -9, None, unknown=28) == date(1950, 6, 28)


def test_a_clustered_share_resamples_clusters():
    """With one case a cluster the interval is near Wilson's; with all in two clusters it is far longer."""
    alone = computed.clustered_share((i, i < 30) for i in range(100))
    assert (alone.value, alone.n, alone.events, alone.clusters) == (0.3, 100, 30, 100)
    wilson = computed.share(i < 30 for i in range(100))
    assert (alone.lower, alone.upper) == pytest.approx((wilson.lower, wilson.upper), abs=0.02)
    together = computed.clustered_share((i < 30, i < 30) for i in range(100))
    assert together[:3] == (0.3, 0.0, 1.0)
    assert together.clusters == 2


def test_bootstraps_are_the_same_every_time():
    cases = [(i % 7, i % 3 == 0) for i in range(50)]
    assert computed.clustered_share(cases) == computed.clustered_share(cases)


def test_a_ratio_of_two_groups():
    cases = [(i, i < 40, i % 4 == 0 or 40 <= i < 45) for i in range(80)]
    found = computed.clustered_ratio(cases)
    assert found.value == pytest.approx((10 / 40) / (13 / 40))
    assert (found.n, found.events, found.clusters) == (80, 23, 80)
    assert found.lower < found.value < found.upper


def test_the_median_life_is_kaplan_and_meiers():
    """Freireich's leukaemia patients on 6-mercaptopurine: median 23 weeks (Cox & Oakes 1984, table 1.1)."""
    weeks = [6, 6, 6, 7, 10, 13, 16, 22, 23]
    censored = [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35]
    lives = [(float(w), True) for w in weeks] + [(float(w), False) for w in censored]
    found = computed.median_life(lives)
    assert (found.value, found.n, found.events) == (23.0, 21, 9)
    assert found.lower <= 23.0 <= found.upper
    assert computed.median_life([(1.0, False), (2.0, False)]).value == math.inf


def test_a_rate_divides_by_what_was_lived():
    found = computed.rate([(2.0, True), (3.0, False), (5.0, True)])
    assert (found.value, found.n, found.events) == (0.2, 3, 2)


# -- small files of every kind -----------------------------------------------------------------------

#: United States 2 and South Korea 732 from 4 March 1950 on; 2 owes Japan 740 defence, 740 owes none; a treaty
#: of Britain 200 and Portugal 235 that ended in 1960 because it was violated.
ALLIANCE_ROWS = [
    alliance(1, (2, 732), 1950, bilat=1, term=0),
    alliance(2, (2, 740), 1950, bilat=1, term=0, renounce=1),
    alliance(3, (200, 235), 1950, 1960, bilat=1, term=2, speclgth=1, length=180),
]
MEMBER_ROWS = [
    spell(2, 1, 1950, defcon=1),
    spell(732, 1, 1950),
    spell(2, 2, 1950),
    spell(740, 2, 1950, defense=0),
    spell(200, 3, 1950, 1960),
    spell(235, 3, 1950, 1960),
]


def dispute(number: int, begin: tuple[int, int, int], hostility: int) -> dict[str, object]:
    year, month, number_of_day = begin
    return {
        "dispnum": number, "stday": number_of_day, "stmon": month, "styear": year, "hostlev": hostility,
        "version": 5,
    }  # fmt: skip


def party(number: int, ccode: int, side_a: int, orig: int = 1) -> dict[str, object]:
    return {"dispnum": number, "ccode": ccode, "sidea": side_a, "orig": orig, "hostlev": 4}


DISPUTE_ROWS = [
    dispute(1, (1951, 5, 6), 4),  # on South Korea; the United States joins it
    dispute(2, (1952, 5, -9), 3),  # on South Korea; nobody joins
    dispute(3, (1950, 3, 4), 4),  # on South Korea on the treaty's own first day: not covered
    dispute(4, (1953, 1, 2), 5),  # by South Korea; the United States joins it
    dispute(5, (1954, 1, 2), 4),  # on the United States, to whom Japan owes nothing but South Korea does
    dispute(6, (1955, 1, 2), 5),  # on Portugal; Britain joins the other side
    dispute(7, (1961, 1, 2), 4),  # on Portugal when the treaty has ended
]
PARTY_ROWS = [
    party(1, 731, 1), party(1, 732, 0), party(1, 2, 0, 0),
    party(2, 731, 1), party(2, 732, 0),
    party(3, 731, 1), party(3, 732, 0),
    party(4, 732, 1), party(4, 731, 0), party(4, 2, 1, 0),
    party(5, 365, 1), party(5, 2, 0),
    party(6, 230, 1), party(6, 235, 0), party(6, 200, 1, 0),
    party(7, 230, 1), party(7, 235, 0),
]  # fmt: skip


def actor(
    crisis: int, state: int, begin: tuple[int, int, object], violence: int, outcome: int, **cells: int
) -> dict[str, object]:
    year, month, number_of_day = begin
    return {
        "crisno": crisis, "cracid": state, "yrtrig": year, "motrig": month, "datrig": number_of_day,
        "viol": violence, "outcom": outcome, "usinv": 1, "usfavr": 5, "suinv": 1, "sufavr": 5,
    } | cells  # fmt: skip


CRISIS_ROWS = [
    {"crisno": 1, "yrtrig": 1951, "viol": 4, "usinv": 4, "suinv": 1},
    {"crisno": 2, "yrtrig": 1952, "viol": 1, "usinv": 2, "suinv": 3},
    {"crisno": 3, "yrtrig": 1953, "viol": 2, "usinv": 1, "suinv": ""},
    {"crisno": 4, "yrtrig": 1945, "viol": 4, "usinv": 4, "suinv": 4},  # before the period
]
ACTOR_ROWS = [
    actor(1, 732, (1951, 5, 6), 4, 3, usinv=8, usfavr=1),  # a pact with the United States, which helps
    actor(1, 732, (1951, 9, 66), 1, 2),  # again: a second pair of each, no second case of violence
    actor(1, 731, (1951, 5, 6), 4, 3, suinv=8, sufavr=2),  # unfavourable activity is no help
    actor(2, 2, (1952, 1, 1), 3, 1),  # a superpower is nobody's protégé
    actor(2, 235, (1952, 1, 1), 3, 4, suinv=8, sufavr=1),  # the adversary of both superpowers
    actor(3, 100, (1953, 1, 1), 1, 9, suinv=8, sufavr=1),  # no pact, help; its outcome is none of the four
    actor(4, 732, (1945, 1, 1), 4, 1),  # before the period
]
DYAD_ROWS = [
    {"crisno": 1, "year": 1951, "statea": 732, "stateb": 731},
    {"crisno": 2, "year": 1952, "statea": 2, "stateb": 235},
    {"crisno": 2, "year": 1952, "statea": 235, "stateb": 365},
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with made-up files of every kind, in the usual layout."""
    place = tmp_path_factory.mktemp("data")
    files: dict[str, Iterable[Mapping[str, object]]] = {
        "atop/atop-alliance-level.csv": ALLIANCE_ROWS,
        "atop/atop-member-level.csv": MEMBER_ROWS,
        "mid/MIDA 5.0.csv": DISPUTE_ROWS,
        "mid/MIDB 5.0.csv": PARTY_ROWS,
        "icb/icb1v15.csv": CRISIS_ROWS,
        "icb/icb2v15.csv": ACTOR_ROWS,
        "icb/icbdy_v15.csv": DYAD_ROWS,
        "nmc/nmc7.csv": [{"ccode": c, "year": y} for c in (2, 732, 740, 235) for y in (1950, 1951, 1955)],
    }
    for name, rows in files.items():
        write(place / name, rows)
    return place


@pytest.fixture
def treaties(folder):
    return Treaties.read(
        folder / "atop" / "atop-alliance-level.csv", folder / "atop" / "atop-member-level.csv"
    )


@pytest.fixture
def owed(treaties):
    return atop_records.promises(treaties)


@pytest.fixture
def disputes(folder):
    return mid.read_disputes(folder / "mid" / "MIDA 5.0.csv", folder / "mid" / "MIDB 5.0.csv")


def counts(figures: Mapping[str, computed.Computed], *codes: str) -> list[tuple[int | None, int]]:
    return [(figures[code].events, figures[code].n) for code in codes]


def test_a_promise_is_owed_by_who_has_the_duty(owed):
    assert {p.partner for p in owed[732]} == {2}
    assert {p.partner for p in owed[740]} == {2}
    assert {p.partner for p in owed[2]} == {732}, "Japan owes the United States nothing"
    assert [p.unconditional for p in owed[732]] == [False]
    assert [p.unconditional for p in owed[2]] == [True]


def test_a_promise_holds_from_the_day_after_it_began_to_its_last(owed):
    (promise,) = owed[235]
    assert not promise.in_force(date(1950, 3, 4))
    assert promise.in_force(date(1950, 3, 5))
    assert promise.in_force(date(1960, 5, 6))
    assert not promise.in_force(date(1960, 5, 7))
    assert atop_records.partners(owed, (235, 740), date(1955, 1, 1)) == {200, 2}


def test_promises_need_the_member_level_file(folder):
    alone = Treaties.read(folder / "atop" / "atop-alliance-level.csv")
    with pytest.raises(DataError, match="treaty 1 was read without its members' spells"):
        atop_records.promises(alone)


def test_sides_and_originators(disputes):
    first = disputes[0]
    assert (first.initiators, first.targets) == ({731}, {732})
    assert (first.joined_initiators, first.joined_targets) == (set(), {2})
    assert first.begin == date(1951, 5, 6)
    assert disputes[1].begin == date(1952, 5, 15)


def test_escalation_by_hand(disputes, owed):
    found = mid.escalation(disputes, owed)
    # covered: 1, 2, 5, 6; not: 3, 4 (a target without a pact), 7
    assert counts(found, "C.esc4.cov1.post45", "C.esc4.cov0.post45") == [(3, 4), (3, 3)]
    assert counts(found, "C.esc5.cov1.all", "C.esc5.cov0.all") == [(1, 4), (1, 3)]


def test_joining_by_hand(disputes, owed):
    found = mid.joining(disputes, owed)
    assert counts(found, "D.supp.ally.h4.post45", "D.supp.ally.h5.all") == [(1, 3), (0, 1)]
    assert counts(found, "D.entang.ally.h4.post45", "D.entang.ally.h5.all") == [(1, 1), (1, 1)]
    assert counts(found, "D.betray.h4.all") == [(1, 3)]


def test_targets_by_hand(disputes, owed, folder):
    found = mid.targets(disputes, owed, mid.read_states(folder / "nmc" / "nmc7.csv"))
    # owed defence on 1 January: nobody in 1950; all four in 1951 and 1955. Targets in a listed year: 732 in
    # 1950 (without a pact then) and in 1951, 235 in 1955
    assert counts(found, "A.tgt.pact0.post45", "A.tgt.pact1.post45") == [(1, 4), (2, 8)]
    assert counts(found, "A.tgt4.pact0.post45", "A.tgt4.pact1.post45") == [(1, 4), (2, 8)]
    assert counts(found, "A.tgt5.pact0.all", "A.tgt5.pact1.all") == [(0, 4), (1, 8)]
    # without the United States: 740 and 235 have an unconditional promise, 732 a conditional one
    ratio = found["A.tgt4.uncond.RR"]
    assert (ratio.value, ratio.n, ratio.events, ratio.clusters) == ((1 / 4) / (1 / 2), 6, 2, 3)


def test_crises_by_hand(folder):
    found = icb.crisis_figures(icb.read_crises(folder / "icb" / "icb1v15.csv"))
    assert counts(found, *(f"F.viol{level}.post45" for level in range(1, 5))) == [
        (1, 3),
        (1, 3),
        (0, 3),
        (1, 3),
    ]
    assert counts(found, "F.gpmil") == [(2, 3)]


def test_states_in_crises_by_hand(folder, owed):
    actors = icb.read_actors(folder / "icb" / "icb2v15.csv")
    outcomes = icb.outcome_figures(actors)
    assert counts(outcomes, *(f"F.outcom{code}.post45" for code in range(1, 5))) == [
        (1, 5),
        (1, 5),
        (2, 5),
        (1, 5),
    ]
    assert outcomes["F.outcom1.post45"].clusters == 2
    found = icb.patron_figures(actors, icb.read_adversaries(folder / "icb" / "icbdy_v15.csv"), owed)
    # pairs with a pact: 732 and 2, twice; without: 732 and 365 twice, 731 and both, 100 and both
    assert counts(found, "F.pat.gp.mild.p1", "F.pat.gp.mild.p0") == [(1, 2), (1, 6)]
    # states: 732 (its first violence, war), 731 (war) and 100 (none); 235 has no patron left
    assert counts(found, "F.act.w4.p1", "F.act.w4.p0") == [(1, 1), (1, 2)]


def test_germany_has_one_code_again_from_1991(tmp_path):
    rows = [actor(1, 260, (year, 1, 1), 1, 1) for year in (1989, 1999)]
    actors = icb.read_actors(write(tmp_path / "icb2.csv", rows))
    assert [a.state for a in actors] == [260, 255]


def test_lives_by_hand(treaties):
    found = atop_records.lifetimes(treaties)
    third = (date(1960, 5, 6) - date(1950, 3, 4)).days / 365.25
    assert counts(found, "H.age.0-5", "H.age.10-20") == [(0, 3), (1, 3)]
    assert found["H.age.10-20"].value == pytest.approx(1 / (20 + third - 10))
    assert counts(found, "H.share.abr.defbil", "H.len.10to20y.abr") == [(1, 1), (1, 1)]
    assert found["H.len.10to20y.abr"].value == pytest.approx(1 / third)
    assert counts(found, "H.ren0.end", "H.ren1.end") == [(1, 2), (0, 1)]
    assert counts(found, "H.len.unspecified.abr") == [(0, 2)]


@pytest.mark.parametrize(
    ("codes", "life"),
    [
        ({"end": 1960, "term": 1}, (True, False)),
        ({"end": 1960, "term": 2}, (True, True)),
        ({"end": 1960, "term": 0}, (False, False)),
        ({"end": 0, "term": 0}, (False, False)),
    ],
)
def test_an_end_without_a_code_is_the_end_of_a_member(codes, life, tmp_path):
    treaty = Treaties.read(write(tmp_path / "a.csv", [alliance(1, **codes)])).find(1)
    own = atop_records.life(treaty)
    assert (own.ended, own.early) == life
    last = date(1960, 5, 6) if codes["end"] else date(2016, 12, 28)
    assert own.years == pytest.approx((last - date(1950, 3, 4)).days / 365.25)


def test_files_that_do_not_belong_together_are_refused(tmp_path):
    a, b = write(tmp_path / "a.csv", DISPUTE_ROWS[:1]), write(tmp_path / "b.csv", PARTY_ROWS[:5])
    with pytest.raises(DataError, match=r"b\.csv: dispute 2 is not in .*a\.csv: the two files belong to"):
        mid.read_disputes(a, b)
    a, b = write(tmp_path / "a.csv", DISPUTE_ROWS[:2]), write(tmp_path / "b.csv", PARTY_ROWS[:3])
    with pytest.raises(DataError, match=r"b\.csv: dispute 2 of .*a\.csv has no participant"):
        mid.read_disputes(a, b)
    write(tmp_path / "b.csv", [party(1, 731, 2)])
    with pytest.raises(DataError, match=r"b\.csv:2: column 'sidea' must be 0 or 1, got '2'"):
        mid.read_disputes(a, b)
    with pytest.raises(DataError, match="this is not an ICB file of crises"):
        icb.read_crises(a)
    bare = [{k: v for k, v in alliance(1).items() if k != "bilat"}]
    with pytest.raises(DataError, match="no column 'bilat'"):
        atop_records.lifetimes(Treaties.read(write(tmp_path / "c.csv", bare)))


# -- against the stored figures ----------------------------------------------------------------------


def test_made_up_data_differ_and_the_table_says_so(folder):
    data = evidence.recompute(folder)
    assert not data.equal.any()
    assert int((data.reason == "").sum()) == 40
    war = data.sel(moment="war_pact")
    assert (float(war.computed), float(war.computed_n), float(war.stored_n)) == (0.25, 4, 1373)
    assert not war.inside
    assert str(data.sel(moment="initiation_odds").reason.item()).startswith("needs direct contiguity")
    assert math.isnan(data.sel(moment="initiation_odds").computed)


def test_a_file_that_is_not_there_costs_its_figures_only(folder, tmp_path):
    shutil.copytree(folder / "icb", tmp_path, dirs_exist_ok=True)  # all in one folder
    data = evidence.recompute(tmp_path)
    done = set(data.family.values[data.reason.values == ""])
    assert done == {"crises"}
    assert data.sel(moment="crisis_victory").reason == ""
    assert str(data.sel(moment="war_pact").reason.item()) == (
        "not found: disputes (MIDA*.csv), participants (MIDB*.csv), alliances (atop-alliance-level.csv or "
        "atop4_01a.csv), members (atop-member-level.csv or atop4_01m.csv)"
    )
    assert "alliances" in str(data.sel(moment="patron_force_pact").reason.item())


def test_a_folder_must_be_there_and_clear(tmp_path):
    with pytest.raises(DataError, match="there is no such folder"):
        evidence.recompute(tmp_path / "nowhere")
    for name in ("MIDA 4.3.csv", "MIDA 5.0.csv"):
        (tmp_path / name).touch()
    with pytest.raises(DataError, match=r"several files may be .* \(MIDA 4\.3\.csv, MIDA 5\.0\.csv\)"):
        evidence.recompute(tmp_path)


@needs_data
def test_real_data_give_the_stored_figures():
    """Value, cases and events; Wilson intervals to the digit, bootstraps to a part of their length."""
    data = evidence.recompute(DATA)
    done = data.where(data.reason == "", drop=True)
    assert len(done.moment) == 40
    assert set(data.code.values[data.reason.values != ""]) == {
        m.code for m in shipped().moments.values() if m.code.startswith(("B.", "D.jB.", "G."))
    }
    assert done.equal.all(), done.moment.values[~done.equal.values.astype(bool)]
    for end in ("lower", "upper"):
        stored, own = done[f"stored_{end}"].values, done[f"computed_{end}"].values
        length = (done.stored_upper - done.stored_lower).values
        off = np.abs(own - stored)
        by_wilson = np.array([shipped().moments[name].interval == "Wilson" for name in done.moment.values])
        assert by_wilson.sum() == 15
        assert np.all(off[by_wilson] <= 0.5000001e-5)
        assert np.all(off[~by_wilson] <= 0.08 * length[~by_wilson])


@needs_data
def test_real_clusters_are_the_stored_ones():
    from entangle.evidence.recomputation import compute

    found, missing = compute(evidence.Files.find(DATA))
    assert missing == {}
    stored = {m.code: m for m in shipped().moments.values()}
    clustered = [code for code in found if stored[code].clusters is not None]
    assert len(clustered) == 24
    assert {code: found[code].clusters for code in clustered} == {
        code: stored[code].clusters for code in clustered
    }


# -- on the command line -----------------------------------------------------------------------------


def run(*arguments: object, code: int = 0) -> str:
    done = CliRunner().invoke(cli, ["evidence", *map(str, arguments)])
    assert done.exit_code == code, done.output or done.exception
    return done.output


def test_figures_are_printed_in_eighty_columns():
    text = run("moments")
    assert max(map(len, text.splitlines())) <= 80
    for name, m in shipped().moments.items():
        (line,) = [line for line in text.splitlines() if line.split()[:1] == [name] and "[" in line]
        assert f"{m.n:,}" in line
        assert f"{m.value:.5f}".replace("-", "−") in line
    for family in shipped().families():
        assert f"\n{family} " in text
    assert text.count("not fitted: ") == 35
    assert "21 are fitted, 4 of them" in text


def test_figures_are_printed_for_machines():
    data = json.loads(run("moments", "--json"))
    assert list(data["moments"]) == list(shipped().moments)
    assert data["moments"]["war_pact"]["estimand"]["event"] == "war"
    assert data["combined"]["undecided"]["value"] == pytest.approx(0.50778)


def test_other_figures_are_printed(tmp_path):
    path = write(tmp_path / "figures.csv", [row("C.esc5.cov1.post45")])
    assert "c_esc5_cov1_post45" in run("moments", "--moments", path)
    own = tmp_path / "own.toml"
    own.write_text(GOOD, encoding="utf-8")
    assert "P(local war or more" in run("moments", "--moments", own)
    own.write_text(GOOD.replace("upper = 0.3", "upper = 0.1"), encoding="utf-8")
    assert "own.toml:10: [moments.war] value: must lie" in run("moments", "--moments", own, code=2)


def test_stored_and_computed_are_printed(folder):
    text = run("recompute", folder)
    assert max(map(len, text.splitlines())) <= 80
    assert "0 of 40 computed figures equal the stored ones" in text
    assert "33 of 1,373 cases stored, 1 of 4 computed" in text
    (line,) = [line for line in text.splitlines() if line.startswith("war_pact ")]
    assert line.split()[1:3] == ["0.02403", "0.25000"]
    assert line.endswith("OUTSIDE")
    assert "initiation_odds" in text


def test_stored_and_computed_are_printed_for_machines(folder):
    rows = {item["moment"]: item for item in json.loads(run("recompute", folder, "--json"))}
    assert rows["war_pact"]["computed"] == 0.25
    assert rows["war_pact"]["equal"] is False
    assert rows["initiation_odds"]["computed"] is None


def test_a_folder_without_data_is_told(tmp_path):
    assert "Not computed: " in run("recompute", tmp_path)
    assert "there is no such folder" in run("recompute", tmp_path / "nowhere", code=2)
