"""The validation report: the engine's side of any figure, the two intervals, verdicts, and the page."""

from __future__ import annotations

import csv
import math
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from click.testing import CliRunner
from markupsafe import escape

from entangle.cli import cli
from entangle.errors import ResultError, StudyError
from entangle.evidence import Moments, estimand_of, report
from entangle.evidence import patterns as known
from entangle.evidence.moments import shipped
from entangle.evidence.patterns import PATTERNS, Claim, Pattern, found
from entangle.evidence.predictions import NO_LIFE, Figure, estimand_for, figures, predicted, side, verdict
from entangle.evidence.report import OWN, compare
from entangle.evidence.report_page import Axis
from entangle.evidence.worlds import Worlds
from entangle.fit.likelihood import Likelihood
from entangle.fit.population import rivalry
from entangle.fit.posterior import save
from entangle.fit.predict import PREDICTED, SHAPE, Population, tables
from entangle.fit.priors import NAMES, values
from entangle_kernels import ladder
from entangle_kernels.game import Floats

MEMBERS = 4
DRAWS = 3
COLUMNS: tuple[str, ...] = (
    "id",
    "family",
    "what",
    "value",
    "lo",
    "hi",
    "n",
    "k",
    "clusters",
    "method",
    "period",
    "source",
    "note",
)


def made_up(seed: int = 1, members: int = 5) -> Population:
    """Return a population whose disputes end anyhow."""
    rng = np.random.default_rng(seed)
    ends = rng.random((members, 2, *SHAPE)) ** 4
    ends[:, :, :, 1:, 0] = 0.0  # a crisis opens with a threat
    ends /= ends.sum(axis=(3, 4, 5), keepdims=True)
    rate = 0.2 * rng.random(len(rivalry().normal))
    return Population(ends, rate, 0.4 * rate, rng.random((members, len(rate))), 0.6, 0.3)


def posterior(draws: int = DRAWS, *, observed: dict[str, float] | None = None) -> xr.DataTree:
    """Return a made-up posterior, near the middle of the prior."""
    rng = np.random.default_rng(7)
    names = [*NAMES, "discrepancy"]
    normal = 0.3 * rng.standard_normal((1, draws, len(names)))
    targets = {target.code: target.value for target in shipped().targets() if target.code in PREDICTED}
    seen = targets if observed is None else observed
    groups = {
        "/": xr.Dataset(
            attrs={
                "kind": "posterior", "format_version": 1, "title": "made up", "fingerprint": "f" * 64,
                "members": MEMBERS, "seed": "1",
            }
        ),
        "posterior": xr.Dataset({"discrepancy": (("chain", "draw"), np.full((1, draws), 0.2))}),
        "sample_stats": xr.Dataset(
            {"normal": (("chain", "draw", "parameter"), normal)}, {"parameter": np.array(names, object)}
        ),
        "observed_data": xr.Dataset(
            {"prediction": ("figure", np.array(list(seen.values())))},
            {"figure": np.array(list(seen), object)},
        ),
    }  # fmt: skip
    return xr.DataTree.from_dict(groups)


def write(path: Path, *rows: dict[str, Any]) -> Path:
    """Write figures in the format in which they are handed over."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, COLUMNS)
        writer.writeheader()
        for row in rows:
            base = {"family": "f", "what": "P(something)", "n": 1000, "method": "Wilson", "period": "all"}
            writer.writerow(base | {"source": "somewhere"} | row)
    return path


@pytest.fixture(scope="module")
def whole() -> report.Report:
    """Return the report on the project's own figures and all patterns."""
    return compare(posterior=posterior(), draws=DRAWS, workers=1)


# -- the engine's side -------------------------------------------------------------------------------


def test_by_its_estimand_a_fitted_figure_is_what_the_fit_has() -> None:
    """Would catch a rule by which the report computes something else than was fitted."""
    p = made_up()
    seen = set()
    for figure in figures(shipped(), OWN):
        if figure.code in PREDICTED:
            assert figure.estimand is not None
            own = side(figure.estimand)
            assert own is not None
            assert own(p) == pytest.approx(PREDICTED[figure.code](p), rel=1e-12), figure.code
            seen.add(figure.code)
    assert seen == set(PREDICTED)


def test_other_figures_are_the_sums_that_they_say() -> None:
    """Against plain loops over members, statuses and origins."""
    p = made_up()

    def crises(status: int, origin: int, rung: int, ends: tuple[int, ...] = tuple(range(1, 8))) -> Floats:
        total = np.zeros(len(p.ends))
        for end in ends:
            for own in range(rung, ladder.RUNGS):
                total += p.ends[:, status, origin, end, own].sum(axis=1) * (p.recorded if own < 3 else 1.0)
        return total

    nodes = rivalry().weight
    years = p.share * nodes
    war = -np.expm1(-p.rate * crises(1, 0, 4)[:, np.newaxis])
    assert value("B.init5.odef1.all", p) == pytest.approx((years * war).sum() / years.sum())

    weight = (years * p.rate).sum(axis=1)
    fights = p.ends[:, 1, 0, 1:, 4:, 3].sum(axis=(1, 2))
    assert value("D.supp.ally.h5.post45", p) == pytest.approx(weight @ fights / (weight @ crises(1, 0, 4)))

    top = bottom = 0.0
    for status, have in enumerate((1.0 - p.share, p.share)):
        for origin, rate in enumerate((p.rate, p.protege_rate)):
            own = (have * nodes * rate).sum(axis=1)
            top += own @ crises(status, origin, 1, (ladder.COMPROMISE, ladder.STALEMATE))
            bottom += own @ crises(status, origin, 1)
    assert value("F.undecided.all", p) == pytest.approx(top / bottom)


def value(code: str, p: Population) -> float:
    estimand = estimand_for(code)
    assert estimand is not None
    own = side(estimand)
    assert own is not None
    return own(p)


@pytest.mark.parametrize(
    ("code", "like"),
    [
        ("C.esc5.cov0.post45", "C.esc5.cov0.all"),
        ("C.esc4.cov1.pre45", "C.esc4.cov1.post45"),
        ("F.undecided.all", "F.undecided.post45"),
        ("F.act.w4.p1/p0.post90", "F.act.w4.p1/p0"),
        ("D.jB.p1/p0.h4.all", "D.jB.p1/p0.h4.post45"),
    ],
)
def test_another_period_has_the_same_engine_side(code: str, like: str) -> None:
    assert estimand_for(code) == estimand_for(like) is not None


def test_rules_reach_as_far_as_they_are_sound_and_no_farther() -> None:
    estimand, shown, ratio = map(estimand_for, ("H.age.5-10", "D.supp.ally.h3.all", "C.esc5.RR.all"))
    assert estimand is not None
    assert shown is not None
    assert ratio is not None
    assert estimand.ages == (5, 10)
    assert side(estimand) is None  # crises do not say how long a pact lives
    assert shown.reached == "show_of_force"
    p = made_up()
    own = side(ratio)
    assert own is not None
    assert own(p) == pytest.approx(value("C.esc5.cov1.all", p) / value("C.esc5.cov0.all", p))
    for code in (
        "A.tgt.pact0.all",
        "D.betray.h4.post45",
        "F.viol2.all",
        "H.age.9-3",
        "Q.x",
        "C.esc3.cov0.all",
    ):
        assert estimand_for(code) is None


def test_two_figures_of_another_period_make_one(tmp_path: Path) -> None:
    """Would catch that a sum or ratio is known in the project's own period alone."""
    path = write(
        tmp_path / "other.csv",
        {"id": "F.outcom2.all", "value": 0.2, "lo": 0.17, "hi": 0.23, "k": 200},
        {"id": "F.outcom3.all", "value": 0.25, "lo": 0.22, "hi": 0.28, "k": 250},
        {"id": "D.jB.p1.h5.all", "value": 0.06, "lo": 0.04, "hi": 0.08, "k": 60},
        {"id": "D.jB.p0.h5.all", "value": 0.02, "lo": 0.01, "hi": 0.03, "k": 20},
    )
    own = {figure.code: figure for figure in figures(Moments.from_csv(path), "other")}
    assert own["F.undecided.all"].value == pytest.approx(0.45)
    assert own["D.jB.p1/p0.h5.all"].value == pytest.approx(3.0)
    fights = own["D.jB.p1/p0.h5.all"].estimand
    assert fights is not None
    assert (fights.event, fights.reached) == ("fight", "local_war")
    assert own["F.outcom2.all"].estimand is None


def test_the_project_s_own_reasons_stand() -> None:
    """A figure that the project leaves out on purpose is not let in by a rule."""
    for figure in figures(shipped(), OWN):
        moment = next((m for m in shipped().moments.values() if m.code == figure.code), None)
        if moment is not None and moment.estimand is None:
            assert (figure.estimand, figure.reason) == (None, moment.left_out)


# -- the two intervals -------------------------------------------------------------------------------


def test_errors_are_those_of_the_likelihood() -> None:
    likelihood = Likelihood.of(shipped())
    own = {figure.code: figure for figure in figures(shipped(), OWN)}
    for code, observed, error in zip(likelihood.codes, likelihood.observed, likelihood.errors, strict=True):
        assert own[code].observed() == pytest.approx((observed, error), abs=1e-12), code


def figure_of(value: float, lower: float, upper: float) -> Figure:
    engine = estimand_of("C.esc5.cov0.all")
    return Figure("X", "x", "f", "all", "", value, lower, upper, "share", engine, "", "t")


def test_the_full_interval_is_that_of_simulated_observations() -> None:
    """Quantiles of the mixture against plain draws of parameters, discrepancy and error."""
    rng = np.random.default_rng(3)
    figure = figure_of(0.2, 0.15, 0.26)
    own, size = 1.0 / (1.0 + np.exp(1.0 + 0.3 * rng.standard_normal(12))), np.full(12, 0.25)
    found = predicted(figure, own, size)
    _, error = figure.observed()
    pick = rng.integers(12, size=400_000)
    off = 0.25 * rng.standard_t(4, pick.size) + error * rng.standard_normal(pick.size)
    simulated = figure.scaled(own[pick]) + off
    low, high = (figure.plain(float(x)) for x in np.quantile(simulated, (0.025, 0.975)))
    assert (found.full_lower, found.full_upper) == pytest.approx((low, high), rel=0.02)
    assert found.position == pytest.approx((simulated < figure.observed()[0]).mean(), abs=0.004)
    assert (found.lower, found.upper) == pytest.approx(tuple(np.quantile(own, (0.025, 0.975))))
    assert found.full_lower < found.lower < found.median < found.upper < found.full_upper


def test_each_sense_of_in_is_its_own() -> None:
    size = np.full(8, 0.1)
    own = np.linspace(0.19, 0.21, 8)
    for numbers, expected in (
        ((0.2, 0.18, 0.22), (True, True, True)),
        ((0.23, 0.20, 0.26), (True, True, True)),
        ((0.23, 0.207, 0.26), (True, True, False)),
        ((0.24, 0.22, 0.26), (True, False, False)),
        ((0.6, 0.58, 0.62), (False, False, False)),
    ):
        figure = figure_of(*numbers)
        assert verdict(figure, predicted(figure, own, size)) == expected, numbers


@pytest.mark.parametrize(("value", "lower", "upper"), [(0.0, 0.0, 0.02), (1.0, 0.97, 1.0)])
def test_a_share_of_none_or_all_has_a_place(value: float, lower: float, upper: float) -> None:
    figure = figure_of(value, lower, upper)
    near = predicted(figure, np.full(4, 0.5 * (lower + upper)), np.full(4, 0.2))
    far = predicted(figure, np.full(4, 0.5), np.full(4, 0.2))
    assert verdict(figure, near).inside
    assert not verdict(figure, far).inside


def test_draws_without_a_number_are_left_out() -> None:
    figure = figure_of(0.2, 0.15, 0.26)
    own = np.array([0.1, math.nan, 0.3])
    found = predicted(figure, own, np.array([0.1, 9.0, 0.1]))
    assert found == predicted(figure, own[[0, 2]], np.array([0.1, 0.1]))
    assert found.draws == 2
    assert predicted(figure, np.full(2, math.nan), np.full(2, 0.1)).draws == 0


# -- worlds ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def worlds() -> Worlds:
    return Worlds(np.zeros(len(NAMES)), members=MEMBERS)


def test_worlds_see_the_population_of_the_fit(worlds: Worlds) -> None:
    assert (worlds.population().ends == tables(np.zeros(len(NAMES)), members=MEMBERS, workers=1)).all()


def test_what_crises_pass_through_adds_up_to_how_they_end(worlds: Worlds) -> None:
    ends, passing = worlds.population().ends, worlds.passing
    assert passing.crisis[..., 0] == pytest.approx(1.0 - ends[:, :, :, ladder.NO_CRISIS].sum(axis=(3, 4)))
    assert (np.diff(passing.crisis, axis=-1) <= 1e-15).all()
    fights = ends[..., 3].sum(axis=(3, 4))
    assert passing.joins.sum(axis=-1) == pytest.approx(fights, abs=1e-12)
    war = ends[:, :, :, :, 4:].sum(axis=(3, 4, 5))
    # every class has its share of the whole, so that classes add up
    by_others, joined = passing.wars.sum(axis=-1), passing.joined.sum(axis=-1)
    assert by_others == pytest.approx(war - (fights - joined), abs=1e-12)
    assert (passing.joined <= passing.wars + 1e-12).all()


def test_what_the_promise_does_is_within_its_bounds(worlds: Worlds) -> None:
    both = worlds.entangled
    assert both.sum(axis=(1, 2)) == pytest.approx(1.0)
    share = 1.0 / (1.0 + values(np.zeros(len(NAMES)))["protege_rate"])
    p = worlds.population()
    fights = p.ends[:, 1, :, :, :, 3].sum(axis=(2, 3)) @ np.array([share, 1.0 - share])
    assert both[:, 1].sum(axis=1) == pytest.approx(fights, abs=1e-9)


# -- patterns ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("claim", "own", "expected"),
    [
        (Claim("a", "", "below"), [0.5, 0.6, 0.7], known.AS_KNOWN),
        (Claim("a", "", "below"), [0.5, 0.6, 1.2], known.SIGN_ONLY),
        (Claim("a", "", "below"), [0.5, 1.1, 1.2], known.MISSED),
        (Claim("a", "", "above", 0.9), [0.95, 0.96, 1.2], known.AS_KNOWN),
        (Claim("a", "", "below", record=(0.3, 0.2, 0.4)), [0.5, 0.6, 0.7], known.SIGN_ONLY),
        (Claim("a", "", "below", record=(0.3, 0.2, 0.6)), [0.5, 0.6, 0.7], known.AS_KNOWN),
        (Claim("a", "", "near", record=(1.0, 0.9, 1.1)), [0.5, 0.6, 0.7], known.MISSED),
        (Claim("a", "", "size", record=(1.0, 0.9, 1.1)), [0.5, 0.6, 0.7], known.SIGN_ONLY),
        (Claim("a", "", "near", record=(1.0, 0.9, 1.1)), [0.5, 1.0, math.nan], known.AS_KNOWN),
        (Claim("a", "", "below"), [math.nan] * 3, known.NOT_COMPUTED),
        (Claim("a", "", "shown"), [1.0] * 3, ""),
    ],
)
def test_a_claim_s_verdict(claim: Claim, own: list[float], expected: str) -> None:
    assert found(claim, np.array(own)).verdict == expected


def test_a_pattern_is_as_good_as_its_worst_claim() -> None:
    good, bad = Claim("a", "", "below"), Claim("b", "", "above")
    pattern = Pattern("p", "", "", "", "", (good, bad))
    claims = [found(claim, np.array([0.5, 0.6])) for claim in (good, bad)]
    assert [one.verdict for one in claims] == [known.AS_KNOWN, known.MISSED]
    assert known.verdict(pattern, claims) == known.MISSED
    assert known.verdict(pattern, claims[:1]) == known.AS_KNOWN
    assert known.verdict(pattern._replace(reason="not asked"), claims) == known.NOT_COMPUTED


def test_every_pattern_has_a_source_and_is_computed_or_says_why_not(whole: report.Report) -> None:
    assert len(whole.patterns) == len({shown.pattern.name for shown in whole.patterns}) == len(PATTERNS)
    for shown in whole.patterns:
        assert re.search(r"\d{4}|computed from", shown.pattern.source), shown.pattern.name
        assert bool(shown.pattern.reason) == (shown.verdict == known.NOT_COMPUTED), shown.pattern.name
        if not shown.pattern.reason:
            assert all(one.draws == DRAWS for one in shown.claims), shown.pattern.name


def test_claims_keep_their_definitions(whole: report.Report) -> None:
    """Would catch a claim that is labelled as something that it is not."""
    own = {(shown.pattern.name, one.claim.name): one for shown in whole.patterns for one in shown.claims}
    rows = {row.figure.code: row for row in whole.rows}
    odds = rows["B.init.OR.post45"].predicted
    assert odds is not None
    assert own["onset", "odds"][1:4] == pytest.approx(odds[:3])
    least, caused, most = (own["entanglement", name].median for name in ("least", "caused", "most"))
    assert least <= caused + 1e-12 <= most + 2e-12
    for name in ("balance", "stake"):
        assert -1.0 <= own["immediate", name].lower <= own["immediate", name].upper <= 1.0
    assert 0.0 < own["length", "days"].median <= 6 * 30.0  # all rounds
    assert 0.0 < own["selected", "tested"].median < 1.0


def test_lives_are_judged_once_they_are_given() -> None:
    given = {
        "H.age.0-5": np.full(DRAWS, 0.07), "H.age.10-20": np.full(DRAWS, 0.04),
        "H.km.defbil": np.full(DRAWS, 300.0),
    }  # fmt: skip
    lives = [pattern for pattern in PATTERNS if pattern.name == "lives"]
    made = compare(posterior=posterior(), draws=DRAWS, patterns=lives, given=given, workers=1)
    assert made.patterns[0].verdict == known.MISSED  # a median life of 300 years
    assert [one.verdict for one in made.patterns[0].claims] == [known.AS_KNOWN, known.MISSED]
    rows = {row.figure.code: row for row in made.rows}
    assert rows["H.age.0-5"].verdict is not None
    assert rows["H.age.0-5"].verdict.inside
    assert rows["H.km.defbil"].verdict is not None
    assert not rows["H.km.defbil"].verdict.inside
    assert rows["H.share.abr.defbil"].reason == NO_LIFE
    with pytest.raises(StudyError, match="given"):
        compare(posterior=posterior(), draws=2, patterns=(), given=given, workers=1)


# -- the report --------------------------------------------------------------------------------------


def test_all_figures_are_in_it(whole: report.Report) -> None:
    codes = {row.figure.code for row in whole.rows}
    assert {moment.code for moment in shipped().moments.values()} <= codes
    assert {row.figure.code for row in whole.rows if row.fitted} == set(PREDICTED)
    for row in whole.rows:
        assert (row.predicted is None) == bool(row.reason), row.figure.code
    (count,) = whole.counts
    assert (count.fitted, count.number) == (True, len(PREDICTED))
    assert count.inside == sum(row.verdict is not None and row.verdict.inside for row in whole.rows)


HOSTILE = '<img src=x onerror="alert(1)"> & </td></table>\x1b[31m'


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> report.Report:
    """Return a report on figures that were handed over: a miss, hits, a stranger and hostile text."""
    tree = posterior()
    own = compare(posterior=tree, draws=DRAWS, patterns=(), workers=1)
    middle = next(row.predicted for row in own.rows if row.figure.code == "C.esc4.cov1.post45")
    assert middle is not None
    hit = round(middle.median, 3)
    path = write(
        tmp_path_factory.mktemp("figures") / "<b>other.csv",
        {"id": "C.esc5.cov0.post45", "value": 0.97, "lo": 0.96, "hi": 0.98, "k": 970},
        {"id": "C.esc4.cov1.all", "value": hit, "lo": hit - 0.02, "hi": hit + 0.02, "k": round(1000 * hit)},
        {"id": "C.esc4.cov0.post45", "value": 0.5, "lo": 0.47, "hi": 0.53, "k": 500},
        {"id": "Z.<script>alert(2)</script>", "what": HOSTILE, "value": 0.5, "lo": 0.4, "hi": 0.6, "k": 500},
    )
    return compare([(path.name, Moments.from_csv(path))], posterior=tree, draws=DRAWS, patterns=(), workers=1)


def test_a_planted_miss_is_reported_as_a_miss(foreign: report.Report) -> None:
    rows = {row.figure.code: row for row in foreign.rows}
    assert rows["C.esc5.cov0.post45"].verdict == (False, False, False)
    assert rows["C.esc4.cov1.all"].verdict == (True, True, True)
    # the same code with another number is not what was fitted
    assert not any(row.fitted for row in foreign.rows)
    (count,) = foreign.counts
    assert (count.fitted, count.number) == (False, 3)
    assert count.inside < 3
    assert re.search(r"C\.esc5\.cov0\.post45 .* OUT", foreign.as_text())
    page = foreign.as_html()
    assert page.count("</b> out</span>") == 3 - count.inside >= 1


def test_a_stranger_is_listed_with_the_reason(foreign: report.Report) -> None:
    (stranger,) = (row for row in foreign.rows if row.figure.code.startswith("Z."))
    assert stranger.predicted is None
    assert stranger.reason == "no estimand has been written for this code"
    assert stranger.reason in foreign.as_html()
    assert stranger.reason in " ".join(foreign.as_text().split())


class Page(HTMLParser):
    """A page's tags, and whether every one that opens is closed."""

    EMPTY = ("meta", "br", "line", "circle", "img")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.links: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [str(text) for name, text in attrs if name in ("src", "href", "onerror")]
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [str(text) for name, text in attrs if name in ("src", "href", "onerror")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open, tag
        assert self.open.pop() == tag


def test_hostile_text_is_text(foreign: report.Report) -> None:
    text = foreign.as_html(command="entangle '<i>'", sources={"<u>": "0"})
    page = Page(text)
    assert not page.open
    assert page.tags.isdisjoint({"script", "img", "i", "u", "link"})
    assert not page.links
    assert "&lt;img src=x" in text
    assert "\x1b" not in text + foreign.as_text()


def test_the_page_is_whole_and_needs_nothing_else(whole: report.Report) -> None:
    text = whole.as_html(command="entangle evidence report")
    page = Page(text)
    assert not page.open
    assert not page.links
    assert "svg" in page.tags
    assert not re.search(r"url\(|@import|nan\b", text)
    for row in whole.rows:
        assert row.figure.code in text
    for shown in whole.patterns:
        assert str(escape(shown.pattern.title)) in text
        assert str(escape(shown.pattern.known)) in text
    for name, count in whole.verdicts.items():
        heads = re.findall(rf"</h3><span>\s*<span class=\"verdict {name.replace(' ', '-')}\">", text)
        assert len(heads) == count, name
    assert "f" * 64 in text
    assert "entangle evidence report" in text
    assert max(map(len, whole.as_text().splitlines())) <= 80


def test_an_axis_keeps_order_and_bounds() -> None:
    axis = Axis.over("share", [0.01, 0.5, 0.9])
    places = [axis.at(x) for x in (0.0, 0.01, 0.05, 0.5, 0.9, 1.0)]
    assert places == sorted(places)
    assert len(set(places)) == len(places)
    ticks = axis.ticks()
    assert ticks == sorted(ticks)
    assert all(axis.at(float(text)) == where for where, text in ticks)
    assert Axis.over("ratio", [math.nan]).ticks()


def test_draws_that_cannot_be_solved_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    real = report.at_draw
    calls = []

    def fails_first(*run: Any) -> Any:
        calls.append(run)
        return None if len(calls) == 1 else real(*run)

    monkeypatch.setattr(report, "at_draw", fails_first)
    made = compare(posterior=posterior(), draws=2, patterns=(), workers=1)
    assert (made.asked, made.draws) == (2, 1)
    assert "1\nof 2 draws" in made.as_html()
    monkeypatch.setattr(report, "at_draw", lambda *run: None)
    with pytest.raises(ResultError, match="none of the 2 draws"):
        compare(posterior=posterior(), draws=2, patterns=(), workers=1)


def test_a_posterior_must_fit() -> None:
    with pytest.raises(StudyError, match="from 1 to 3"):
        compare(posterior=posterior(), draws=4, patterns=(), workers=1)
    tree = posterior()
    tree["sample_stats"] = tree["sample_stats"].to_dataset().isel(parameter=slice(1, None))
    with pytest.raises(ResultError, match=f"has no {NAMES[0]}"):
        compare(posterior=tree, draws=2, patterns=(), workers=1)


def test_the_dataset_has_every_row_and_claim(whole: report.Report, tmp_path: Path) -> None:
    data = whole.to_dataset()
    assert list(data.figure.values) == [row.figure.code for row in whole.rows]
    assert data.sizes["draw"] == DRAWS
    assert data.sizes["claim"] == sum(len(shown.claims) for shown in whole.patterns)
    assert int(data.inside.sum()) == sum(count.inside for count in whole.counts)
    whole.save(tmp_path / "r.nc")
    again = xr.load_dataset(tmp_path / "r.nc", engine="h5netcdf")
    assert (again.inside.values == data.inside.values).all()
    whole.save(tmp_path / "r.csv")
    with (tmp_path / "r.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == data.sizes["figure"] + data.sizes["claim"]
    assert float(rows[0]["observed"]) == whole.rows[0].figure.value
    assert {row["verdict"] for row in rows} - {""} <= set(known.VERDICTS)


# -- the command line --------------------------------------------------------------------------------


def call(*arguments: object) -> Any:
    return CliRunner().invoke(cli, ["evidence", "report", *map(str, arguments)])


def test_the_command_writes_page_and_data(tmp_path: Path) -> None:
    save(posterior(), tmp_path / "fit.nc")
    other = write(tmp_path / "other.csv", {"id": "C.esc5.cov0.post45", "value": 0.97, "lo": 0.96, "hi": 0.98})
    out, data = tmp_path / "report.html", tmp_path / "report.csv"
    done = call(
        "--posterior", tmp_path / "fit.nc", "--draws", 2, "--no-patterns", "--workers", 1, "--moments", other,
        "--out", out, "--data", data,
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "C.esc5.cov0.post45" in done.output
    assert "OUT" in done.output
    text = out.read_text(encoding="utf-8")
    assert "--no-patterns" in text
    assert report.digest(other) in text
    assert "C.esc5.cov0.post45" in data.read_text(encoding="utf-8")


def test_the_command_refuses_what_it_cannot_use(tmp_path: Path) -> None:
    missing = call("--posterior", tmp_path / "none.nc")
    assert (missing.exit_code, "there is no such file" in missing.output) == (2, True)
    save(posterior(), tmp_path / "fit.nc")
    many = call("--posterior", tmp_path / "fit.nc", "--draws", 9, "--workers", 1)
    assert (many.exit_code, "from 1 to 3" in many.output) == (2, True)
    bad = tmp_path / "bad.csv"
    bad.write_text("id\nx\n", encoding="utf-8")
    assert call("--moments", bad).exit_code == 2
    assert call("--out", tmp_path / "no" / "report.html").exit_code == 2
