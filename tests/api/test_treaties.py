"""Treaties of a year, ranked: which count, who challenges, what is computed, and how it is shown."""

from __future__ import annotations

import csv
import itertools
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from click.testing import CliRunner

from api.atop_files import (
    ALLIANCES,
    CAPABILITIES,
    DATA,
    HAVE_DATA,
    MEMBERS,
    NO_DATA,
    alliance,
    spell,
    write,
    write_cinc,
    write_regimes,
)
from entangle import cow
from entangle.actor import Actor, Resolve, Scenario
from entangle.atop import Treaties
from entangle.cli import cli
from entangle.coupling import exact_attribution
from entangle.errors import ConvergenceError, DataError, ResultError, RunError, StudyError
from entangle.files import read_dataset, write_dataset
from entangle.fit.draws import structural
from entangle.fit.likelihood import FITTED
from entangle.fit.population import BACKING, CORRELATION, LOCAL, REGIMES
from entangle.pact import Pact
from entangle.parameters import Parameters
from entangle.plot import treaties as picture
from entangle.study import Study
from entangle.tables.treaties import treaties_as_text
from entangle.treaties import challengers, crisis, rank, ranking, summary
from entangle.treaties.figures import Figures
from entangle.treaties.selection import duties, pairs
from entangle.treaties.summary import LEVELS, ranks, rows

MEDIANS = {prior.name: prior.median for prior in FITTED}
POINTS = [MEDIANS, MEDIANS | {"alignment": 0.4, "breach": 4.0}]

#: Numbers are the CINC of 2018. Nobody has a figure for 910, and 950 has nothing.
CINC = {2: 0.14, 732: 0.02, 740: 0.03, 900: 0.007, 920: 0.001, 710: 0.22, 731: 0.01, 850: 0.015, 950: 0.0}


def rows_of(*members: int, atopid: int, **codes: Any) -> list[dict[str, object]]:
    return [spell(member, atopid=atopid, **codes) for member in members]


ALLIANCE_ROWS = [
    alliance(1, (2, 732), begin=1953),
    alliance(2, (2, 740), begin=1960, asymm=1),
    alliance(3, (2, 900, 920), begin=1951),
    alliance(4, (2, 713), begin=1954, end=1980),
    alliance(5, (2, 850), begin=1955, defense=0, consul=1),
    alliance(6, (2, 910), begin=1975),
    alliance(7, (2, 732, 740), begin=1970),
    alliance(8, (900, 850), begin=1995, statthr1=731),
    alliance(9, (732, 2), begin=1953),
    alliance(10, (950, 900), begin=1999),
]
MEMBER_ROWS = [
    *rows_of(2, 732, atopid=1, begin=1953),
    spell(2, atopid=2, begin=1960),
    spell(740, atopid=2, begin=1960, defense=0),
    *rows_of(2, 900, atopid=3, begin=1951),
    spell(920, atopid=3, begin=1951, end=1986),
    *rows_of(2, 713, atopid=4, begin=1954, end=1980),
    *rows_of(2, 850, atopid=5, begin=1955, defense=0, consul=1),
    *rows_of(2, 910, atopid=6, begin=1975),
    *rows_of(2, 732, 740, atopid=7, begin=1970),
    *rows_of(900, 850, atopid=8, begin=1995, defcon=1, defcoadv=1, statthr1=731),
    *rows_of(732, 2, atopid=9, begin=1953),
    *rows_of(950, 900, atopid=10, begin=1999),
]


def dispute(number: int, year: int, sides: dict[int, int], joined: tuple[int, ...] = ()) -> None:
    DISPUTES.append({"dispnum": number, "stday": 1, "stmon": 2, "styear": year, "hostlev": 4})
    PARTIES.extend(
        {"dispnum": number, "ccode": state, "sidea": side, "orig": int(state not in joined)}
        for state, side in sides.items()
    )


DISPUTES: list[dict[str, object]] = []
PARTIES: list[dict[str, object]] = []
# 732: met 731 twice and 710 twice, 710 last; 740 three times, but long ago; 2 is its partner
dispute(1, 2000, {731: 1, 732: 0})
dispute(2, 2001, {732: 1, 731: 0})
dispute(3, 2002, {710: 1, 732: 0})
dispute(4, 2010, {710: 1, 732: 0, 850: 0, 900: 1}, joined=(850, 900))
for n in range(3):
    dispute(10 + n, 1970, {740: 1, 732: 0})
for n in range(4):
    dispute(20 + n, 2005, {2: 1, 732: 0})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("treaties")
    write(place / "atop" / "atop-alliance-level.csv", ALLIANCE_ROWS)
    write(place / "atop" / "atop-member-level.csv", MEMBER_ROWS)
    write_cinc(place / "nmc" / "nmc7.csv", {(c, y): v for c, v in CINC.items() for y in (1975, 2018)})
    write_regimes(place / "regime" / "democracy.csv", {(c, 2018): (0.6, "") for c in CINC if c != 740})
    write(place / "mid" / "MIDA 5.0.csv", DISPUTES)
    write(place / "mid" / "MIDB 5.0.csv", PARTIES)
    return place


@pytest.fixture(scope="module")
def ranked(folder):
    return rank(folder, 2018, draws=POINTS, nodes=2)


def figures_of(folder: Path, year: int = 2018) -> Figures:
    return Figures.read(year, folder / "nmc" / "nmc7.csv", folder / "regime" / "democracy.csv")


def read(folder: Path) -> Treaties:
    return Treaties.read(
        folder / "atop" / "atop-alliance-level.csv", folder / "atop" / "atop-member-level.csv"
    )


# -- which count -------------------------------------------------------------------------------------


def test_pacts_that_bind_two_in_the_year_count(folder):
    """Would catch a treaty that ended, one of three, one without a duty of defence, or a lost remnant."""
    found, left_out = pairs(read(folder), figures_of(folder))
    assert [(pair.treaty.atopid, pair.label) for pair in found] == [
        (1, "ROK-USA 1953 (1)"),
        (2, "JPN-USA 1960"),
        (3, "AUL-USA 1951"),
        (8, "AUL-INS 1995"),
        (9, "ROK-USA 1953 (9)"),
    ]
    assert left_out == [
        "PNG-USA 1975: no CINC above 0 for Papua New Guinea in 2018",
        "AUL-FIJ 1999: no CINC above 0 for Fiji in 2018",
    ]
    assert [pair.partners for pair in found[:3]] == [(732, 2), (740, 2), (900, 2)]
    past, _ = pairs(read(folder), figures_of(folder, 1975))
    assert [pair.treaty.atopid for pair in past] == [1, 2, 9], "of three members in 1975, or yet to come"


def test_help_is_run_in_each_direction_in_which_it_is_owed(folder):
    found, _ = pairs(read(folder), figures_of(folder))
    owed = [(own.protege, own.defender, own.direction) for own in duties(found) if own.pair in (0, 1)]
    assert owed == [(732, 2, 0), (2, 732, 1), (740, 2, 0)]


def test_who_owes_what_needs_the_member_file(folder):
    alone = Treaties.read(folder / "atop" / "atop-alliance-level.csv")
    with pytest.raises(DataError, match="treaty 1 was read without its members' spells"):
        pairs(alone, figures_of(folder))


@pytest.mark.skipif(not HAVE_DATA, reason=NO_DATA)
@pytest.mark.parametrize("year", [1880, 1914, 1938, 1960, 1990, 2016, 2018])
def test_real_pacts_are_as_many_as_a_count_by_hand_gives(year):
    """Counted straight from the rows of the two files, without any reader of this package."""
    with ALLIANCES.open(encoding="utf-8-sig", newline="") as stream:
        ends = {int(float(r["atopid"])): int(float(r["endyr"])) for r in csv.DictReader(stream)}
    coded = min(year, 2016)
    phases: dict[int, dict[int, dict[int, bool]]] = {}
    with MEMBERS.open(encoding="utf-8-sig", newline="") as stream:
        for row in csv.DictReader(stream):
            number, last = int(float(row["atopid"])), int(float(row["yrexit"]))
            if year > 2016 and ends[number]:
                continue
            if int(float(row["yrent"])) <= coded and (last == 0 or coded <= last):
                owes = row["defense"] not in ("", ".", "NA") and float(row["defense"]) == 1
                phase = int(float(row["phase"] or 0))
                phases.setdefault(number, {}).setdefault(phase, {})[int(float(row["member"]))] = owes
    newest = [own[max(own)] for own in phases.values()]
    two = [own for own in newest if len(own) == 2 and any(own.values())]
    figures = Figures.read(year, CAPABILITIES, None)
    found, left_out = pairs(Treaties.read(ALLIANCES, MEMBERS), figures)
    assert len(found) + len(left_out) == len(two) > 2
    if not left_out:
        assert len(duties(found)) == sum(sum(own.values()) for own in two)


# -- who challenges ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("protege", "defender"), [(0.02, 0.14), (0.14, 0.02), (0.001, 0.001)])
def test_a_typical_challenger_has_the_law_of_the_population(protege, defender):
    """Against a sample of the population in which the partners' strengths stand as here."""
    rng = np.random.default_rng(5)
    first, second = rng.standard_normal((2, 2_000_000))
    local = LOCAL[0] + LOCAL[1] * first
    second = CORRELATION * first + math.sqrt(1 - CORRELATION**2) * second
    apart = BACKING[0] + BACKING[1] * second - local
    near = np.abs(apart - math.log(defender / protege)) < 0.05
    sample = math.log(protege) - local[near]
    found = challengers.typical(protege, defender, math.inf, nodes=400)
    strengths = np.log(found.capability)
    assert np.mean(strengths) == pytest.approx(sample.mean(), abs=0.06)
    assert np.std(strengths) == pytest.approx(sample.std(), rel=0.03)
    assert sum(found.weight) == pytest.approx(1.0)


def test_no_typical_challenger_is_stronger_than_all_outside(folder):
    figures = figures_of(folder)
    assert figures.strongest((2, 732)) == 0.22
    assert figures.strongest((710, 732)) == 0.14
    data = rank(folder, 2018, draws=[MEDIANS], nodes=5)
    own = data.challenger_cinc.sel(treaty="ROK-USA 1953 (1)", direction="stronger").values
    assert own.max() == 0.22 > own.min()
    assert max(challengers.typical(0.14, 0.02, math.inf, nodes=5).capability) > 0.22, "by the law alone"


def test_a_rival_is_who_was_met_most_often_and_last(folder):
    """Would catch joiners, partners or disputes of long ago among the meetings."""
    figures = figures_of(folder)
    disputes = ranking.read_disputes(folder / "mid" / "MIDA 5.0.csv", folder / "mid" / "MIDB 5.0.csv")
    assert challengers.rival(732, 2, disputes, figures) == (710, 2)
    assert challengers.rival(732, 710, disputes, figures) == (2, 4)
    assert challengers.rival(900, 2, disputes, figures) == (None, 0)
    data = rank(folder, 2018, challenger="rival", draws=[MEDIANS])
    assert set(data.challenger.values[data.owed.values]) == {"China", "South Korea"}
    reasons = json.loads(data.attrs["left_out"])
    assert (
        "JPN-USA 1960, Japan as the protégé: it met no other state in a dispute of the last years" in reasons
    )


def test_a_named_state_challenges_all_but_its_own_pacts(folder):
    data = rank(folder, 2018, challenger="north_korea", draws=[MEDIANS])
    assert set(data.challenger.values[data.owed.values]) == {"North Korea"}
    assert data.challenger_cinc.sel(treaty="JPN-USA 1960", direction="weaker").values.tolist() == [0.01]
    assert data.attrs["sha256"] == rank(folder, 2018, challenger=731, draws=[MEDIANS]).attrs["sha256"]
    own = rank(folder, 2018, challenger="South Korea", draws=[MEDIANS])
    assert not any(label.startswith("ROK") for label in own.treaty.values)
    assert (
        "ROK-USA 1953 (1), United States as the protégé: South Korea is a partner itself"
        in (own.attrs["left_out"])
    )


def test_a_duty_against_named_adversaries_counts_against_them(folder):
    covered = {}
    for name in ("North Korea", "China"):
        data = rank(folder, 2018, challenger=name, draws=[MEDIANS])
        terms = json.loads(data.terms.sel(treaty="AUL-INS 1995", direction="weaker").item())
        covered[name] = terms.get("coverage", 1.0)
    assert covered["North Korea"] == 1.0 > covered["China"]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"challenger": "North Koreo"}, r"no state 'North Koreo'\. Did you mean 'North Korea'"),
        ({"challenger": "Fiji"}, "the CINC of Fiji .* in 2018 is 0"),
        ({"challenger": "Canada"}, "no CINC for Canada"),
        ({"year": 1990}, r"no state has a CINC in 1990; it covers 1975 to 2018"),
    ],
)
def test_what_cannot_be_run_is_told(folder, asked, message):
    with pytest.raises(DataError, match=message):
        rank(folder, **({"year": 2018, "draws": [MEDIANS]} | asked))


def test_settings_out_of_range_are_told(folder, tmp_path):
    with pytest.raises(StudyError, match="draws: must have at least one draw"):
        rank(folder, 2018, draws=[])
    with pytest.raises(StudyError, match="nodes: must be at least 1, got 0"):
        rank(folder, 2018, draws=[MEDIANS], nodes=0)
    with pytest.raises(DataError, match=r"not found: capabilities"):
        rank(tmp_path, 2018, draws=[MEDIANS])


# -- what is computed --------------------------------------------------------------------------------


def test_numbers_are_those_of_a_study_of_the_same_pact(folder):
    """By another road: a study, its exact result and its exact attribution."""
    data = rank(folder, 2018, challenger="China", draws=[MEDIANS])
    place = {"treaty": "JPN-USA 1960", "direction": "weaker", "draw": 0}
    pact = Pact.model_validate_json(data.terms.sel(treaty="JPN-USA 1960", direction="weaker").item())
    resolve = Resolve(log_sd=MEDIANS["log_sd"])
    # there is no regime figure for Japan
    regimes = {"china": 0.6, "japan": REGIMES[1][0], "united_states": 0.6}
    codes = {"china": 710, "japan": 740, "united_states": 2}
    study = Study(
        scenario=Scenario(
            challenger="china",
            protege="japan",
            defender="united_states",
            alignment=MEDIANS["alignment"],
            projection=0.4,
            challenger_rate=1.0,
            protege_rate=MEDIANS["protege_rate"],
        ),
        actors={
            name: Actor(
                capability=CINC[codes[name]], regime=regime, resolve=resolve,
                nuclear=cow.is_nuclear(codes[name], 2018),
            )
            for name, regime in regimes.items()
        },
        pacts={"treaty": pact, "none": Pact()},
        parameters=Parameters(types=3, rounds=6, **structural(MEDIANS)),
    )  # fmt: skip
    exact = study.exact()
    for status, pact in (("with", "treaty"), ("without", "none")):
        for name in ("challenge", "war", "defender_fights", "provocation", "nuclear_use"):
            own = data.probability.sel(**place, pact=status, outcome=name).item()
            assert own == pytest.approx(exact.probability(pact, name).exact, abs=1e-12), name
    found = exact_attribution(study, pacts=["treaty"]).sel(pact="treaty", outcome="defender_fights")
    entangled = found.caused.sel(counterfactual="obligation").item()
    assert data.entanglement.sel(place).item() == pytest.approx(entangled, abs=1e-12)
    assert entangled > 0.0, "a duty of one partner alone must bind it"
    share = 1.0 / (1.0 + MEDIANS["protege_rate"])
    challenge = data.probability.sel(**place, outcome="challenge")
    fewer = share * (challenge.sel(pact="without") - challenge.sel(pact="with")).item()
    assert data.deterrence.sel(place).item() == pytest.approx(fewer, abs=1e-9)
    war = data.probability.sel(**place, outcome="war")
    averted = (war.sel(pact="without") - war.sel(pact="with")).item()
    assert data.wars_averted.sel(place).item() == pytest.approx(averted, abs=1e-15)


def test_challengers_of_several_strengths_are_averaged():
    seats = [crisis.Seat(capability, 0.5, nuclear=False) for capability in (0.01, 0.05)]
    partners = crisis.Seat(0.02, 0.5, nuclear=False), crisis.Seat(0.1, 0.8, nuclear=True)
    pact = Pact(commitment="defence")

    def at(*who: crisis.Seat, weight: tuple[float, ...]) -> crisis.Found:
        case = crisis.Case(pact, ("a", "b"), *partners, who, weight)
        found = crisis.at_draw(case, MEDIANS, types=3, rounds=6)
        assert found is not None
        return found

    one, two = (at(seat, weight=(1.0,)) for seat in seats)
    both = at(*seats, weight=(0.25, 0.75))
    np.testing.assert_allclose(both.happened, 0.25 * one.happened + 0.75 * two.happened, rtol=1e-12)
    assert both.entanglement == pytest.approx(0.25 * one.entanglement + 0.75 * two.entanglement)
    assert one.entanglement != two.entanglement


def test_nothing_is_said_where_no_help_is_owed(ranked):
    place = {"treaty": "JPN-USA 1960", "direction": "stronger"}
    assert not ranked.owed.sel(place)
    for name in ("probability", "deterrence", "wars_averted", "entanglement"):
        assert ranked[name].sel(place).isnull().all()
        assert ranked[name].sel(treaty="JPN-USA 1960", direction="weaker").notnull().any()
    assert len(rows(ranked)) == int(ranked.owed.sum()) == 9


def test_workers_never_move_a_bit(folder, ranked):
    again = rank(folder, 2018, draws=POINTS, nodes=2, workers=3)
    assert again.attrs["sha256"] == ranked.attrs["sha256"]
    assert again.identical(ranked.assign_attrs(date_created=again.attrs["date_created"]))


def test_a_ranking_is_written_whole_and_read_back(ranked, tmp_path):
    write_dataset(ranked, tmp_path / "ranked.nc")
    back = read_dataset(tmp_path / "ranked.nc")
    xr.testing.assert_equal(back, ranked)
    assert back.attrs["fingerprint"] == ranked.attrs["fingerprint"]
    with_less = ranked.assign(entanglement=ranked.entanglement * 0.5)
    write_dataset(with_less, tmp_path / "changed.nc")
    with pytest.raises(ResultError, match="do not match their checksum"):
        read_dataset(tmp_path / "changed.nc")


def test_unknown_regimes_are_assumed_and_named(folder, ranked, tmp_path):
    said = json.loads(ranked.attrs["assumptions"])
    assert any(sentence.startswith("No regime figure for Japan:") for sentence in said)
    assert any("cut at the strongest state outside" in sentence for sentence in said)
    for part in ("atop", "nmc"):
        (tmp_path / part).symlink_to(folder / part)
    alone = rank(tmp_path, 2018, draws=[MEDIANS], nodes=1)
    assert any(s.startswith("No regime figure for anybody:") for s in json.loads(alone.attrs["assumptions"]))
    assert set(json.loads(ranked.attrs["files"])) - set(json.loads(alone.attrs["files"])) == {"democracy.csv"}


# -- what could not be solved ------------------------------------------------------------------------


@pytest.fixture
def failing(folder, monkeypatch):
    """A ranking in which the second draw of pacts with Japan has no solution."""
    solve = crisis.solve

    def sometimes(levers, setting, **settings):
        if setting.parameters.breach == 4.0 and "japan" in setting.actors:
            raise ConvergenceError("no", pact="pact", residual=1.0, sweeps=1)
        return solve(levers, setting, **settings)

    monkeypatch.setattr(crisis, "solve", sometimes)
    return rank(folder, 2018, draws=POINTS, nodes=1)


def test_draws_without_a_solution_are_counted_and_named(failing):
    place = {"treaty": "JPN-USA 1960", "direction": "weaker"}
    assert failing.solved.sel(place).values.tolist() == [True, False]
    assert np.isnan(failing.entanglement.sel(place).values).tolist() == [False, True]
    whole = summary(failing)
    assert int(whole.unsolved.sum()) == int(whole.unsolved.sel(place)) == 1
    assert whole.deterrence.sel(place).notnull().all()
    text = " ".join(treaties_as_text(failing).split())
    assert "1 of 18 could not be solved and are left out: USA→JPN 1960 1." in text
    assert "USA→JPN 1960 *" in text


def test_a_ranking_without_any_solution_fails(folder, monkeypatch):
    def never(*_, **__):
        raise ConvergenceError("no", pact="pact", residual=1.0, sweeps=1)

    monkeypatch.setattr(crisis, "solve", never)
    with pytest.raises(RunError, match="None of 18 equilibria could be found"):
        rank(folder, 2018, draws=POINTS, nodes=1)


# -- what the draws say together ---------------------------------------------------------------------


def test_ranks_are_by_draw_and_leave_gaps_out():
    values = np.array([[3.0, 1.0, np.nan], [2.0, 5.0, 1.0], [2.0, np.nan, 4.0]])
    found = ranks(values)
    np.testing.assert_array_equal(found, [[1.0, 2.0, np.nan], [2.5, 1.0, 2.0], [2.5, np.nan, 1.0]])


def test_quantiles_and_shares_are_over_the_draws(ranked):
    data = ranked.isel(draw=[0] * 20 + [1] * 20).copy(deep=True)
    rng = np.random.default_rng(1)
    for name in ("deterrence", "wars_averted", "entanglement"):
        data[name].values[:] = rng.normal(size=data[name].shape)
    whole = summary(data)
    cell = {"treaty": "AUL-USA 1951", "direction": "stronger"}
    for level in LEVELS:
        assert whole.wars_averted.sel(**cell, level=level).item() == pytest.approx(
            np.quantile(data.wars_averted.sel(cell).values, level)
        )
    for name in ("deterrence", "wars_averted"):
        more = (data[name].sel(cell).values > data.entanglement.sel(cell).values).mean()
        assert whole.outweighs.sel(**cell, measure=name).item() == more
    # rank 1 is the largest: its median rank falls with what is deterred
    data.deterrence.loc[cell] = 100.0
    assert summary(data).rank_deterrence.sel(cell).values.tolist() == [1.0, 1.0, 1.0]


# -- how it is shown ---------------------------------------------------------------------------------


def test_the_table_has_every_promise_in_eighty_columns(ranked):
    text = treaties_as_text(ranked)
    lines = text.splitlines()
    assert max(map(len, lines)) <= 80
    shown = [line for line in lines if "→" in line and "is owed" not in line]
    assert len(shown) == 9
    assert "…" not in text
    middles = [float(line[19:].split()[1].replace("−", "-")) for line in shown]
    assert middles == sorted(middles, reverse=True)
    assert "Left out: PNG-USA 1975: no CINC above 0 for Papua New Guinea in 2018." in text


def test_the_picture_names_the_ends_and_no_name_hides_another(ranked):
    many = ranked.isel(treaty=[0, 1, 2, 3, 4] * 8).copy(deep=True)
    rng = np.random.default_rng(2)
    many["treaty"] = [f"{label.split()[0]} {1900 + i}" for i, label in enumerate(many.treaty.values)]
    for name, scale in (("deterrence", 0.02), ("entanglement", 0.004), ("wars_averted", 0.003)):
        middle = rng.normal(size=many[name].shape[:2])[..., None] * scale
        many[name].values[:] = np.where(many.owed.values[..., None], middle + 1e-4 * scale, np.nan)
    many["entanglement"] = abs(many.entanglement)
    for measure in ("deterrence", "wars_averted"):
        ax = picture(many, deterrence=measure)
        figure = ax.get_figure(root=True)
        assert figure is not None
        figure.draw_without_rendering()
        names = [text for text in ax.texts if "→" in text.get_text() and "promises" not in text.get_text()]
        assert len(names) > 8
        # the text's own box, without its line to the dot
        boxes = [type(text).__mro__[1].get_window_extent(text) for text in names]
        for one, other in itertools.combinations(boxes, 2):
            assert not one.overlaps(other)
        whole = summary(many)
        best = max(
            rows(whole), key=lambda r: float(whole[measure].sel(treaty=r.treaty, direction=r.direction)[1])
        )
        assert best.label in [text.get_text() for text in names]


def test_a_picture_of_nothing_is_refused(ranked):
    with pytest.raises(ResultError, match="There is no measure 'wars'"):
        picture(ranked, deterrence="wars")
    none = ranked.copy(deep=True)
    none.entanglement.values[:] = np.nan
    with pytest.raises(ResultError, match="nothing to draw"):
        picture(none)


# -- on the command line -----------------------------------------------------------------------------


def run(folder: Path, *arguments: object, code: int = 0) -> str:
    done = CliRunner().invoke(cli, ["treaties", str(folder), *map(str, arguments)])
    assert done.exit_code == code, done.output or done.exception
    return done.output


@pytest.fixture
def fitted(monkeypatch):
    """Stands for a posterior: the first draws of a fit."""
    monkeypatch.setattr(ranking, "fitted", lambda number, *, posterior: POINTS[:number])


def test_the_command_prints_draws_and_writes(folder, fitted, tmp_path, ranked):
    out, plot = tmp_path / "t.nc", tmp_path / "t.png"
    text = run(folder, "--year", 2018, "--draws", 2, "--nodes", 2, "--out", out, "--plot", plot)
    assert text == treaties_as_text(ranked)
    assert read_dataset(out).attrs["sha256"] == ranked.attrs["sha256"]
    assert plot.read_bytes().startswith(b"\x89PNG")


def test_the_command_prints_for_machines(folder, fitted):
    arguments = ("--year", 2018, "--draws", 1, "--challenger", "China", "--json")
    found = json.loads(run(folder, *arguments))
    assert (found["challenger"], found["draws"], len(found["promises"])) == ("China", 1, 9)
    row = next(own for own in found["promises"] if own["label"] == "USA→JPN 1960")
    assert (row["protege"], row["defender"], row["atopid"]) == ("Japan", "United States", 2)
    assert row["deterrence"]["lower"] == row["deterrence"]["median"] == row["deterrence"]["upper"]
    assert set(row["outweighs"]) == {"deterrence", "wars_averted"}


def test_a_wrong_name_ends_in_a_hint(folder, fitted):
    text = run(folder, "--year", 2018, "--draws", 1, "--challenger", "Chino", code=2)
    assert "Did you mean 'China'" in text


@pytest.mark.skipif(not HAVE_DATA, reason=NO_DATA)
def test_real_pacts_can_be_run():
    """The smallest run over all pacts of a year of the real data."""
    data = rank(DATA, 1890, draws=[MEDIANS], nodes=1)
    assert data.owed.sum() == len(rows(data)) > 1
    assert data.solved.values[data.owed.values].mean() > 0.8
    assert (data.entanglement.values[data.solved.values] >= 0.0).all()
