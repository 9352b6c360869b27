"""Decades as people see them: what is drawn and printed is what was counted, and what the commands refuse."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from matplotlib.axes import Axes
from matplotlib.collections import FillBetweenPolyCollection
from matplotlib.figure import Figure
from matplotlib.text import Text

import entangle
from entangle import archive
from entangle.cli import cli
from entangle.decades_result import Decades
from entangle.errors import ResultError
from entangle.outcomes import OUTCOMES
from entangle.plot import risk, survival
from entangle.plot.ends import apart
from entangle.result import Result
from entangle.study import Study
from entangle.tables.decades import as_text
from entangle.tables.risks import ENOUGH, NAMES, shown
from entangle.tables.text import number, points
from entangle.vocabulary import CAUSES
from entangle_kernels import equilibrium
from small_studies import small

SEED = 7
QUICK: dict[str, Any] = {
    "parameters": {"precision": 3.0, "types": 2, "rounds": 3},
    "peacetime": {"years": 6, "context_error": 0.1, "attachment": 2.0},
}
PACTS: dict[str, Any] = {
    "no_pact": {},
    "treaty": {"commitment": "defence", "term_years": 2.0, "notice_months": 6.0, "suspension": True},
    "talks_for_ever_and_a_day": {"commitment": "consult"},
}


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Solve each crisis once, in a folder of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ENTANGLE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def study(cache: None) -> Study:
    return small(**QUICK, pacts=PACTS)


@pytest.fixture(scope="module")
def result(study: Study) -> Decades:
    return study.decades(histories=3000, seed=SEED)


@pytest.fixture(scope="module")
def few(study: Study) -> Decades:
    return study.decades(histories=ENOUGH - 60, seed=SEED)


def lines(ax: Axes) -> dict[str, Any]:
    return {str(line.get_label()): line for line in ax.get_lines()}


def bands(ax: Axes) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the lower and upper edge of every band of axes, by the first and last height at each place."""
    found = []
    for band in ax.collections:
        assert isinstance(band, FillBetweenPolyCollection)
        x, y = band.get_paths()[0].vertices.T  # type: ignore[union-attr]
        places = np.unique(x)
        edges = [y[x == place] for place in places]
        found.append((np.array([e.min() for e in edges]), np.array([e.max() for e in edges])))
    return found


def words(ax: Axes) -> list[str]:
    return [text.get_text() for text in ax.texts]


def figure_of(ax: Axes) -> Figure:
    figure = ax.get_figure(root=True)
    assert figure is not None
    return figure


# -- which estimate --------------------------------------------------------------------------------


@pytest.mark.parametrize("outcome", ["war", "challenge", "major_war"])
def test_the_estimate_with_the_narrower_interval_is_shown(result: Decades, outcome: str) -> None:
    for pact in PACTS:
        told, asked = shown(result, pact, outcome), result.risk(pact, outcome)
        narrower = asked.expected_upper - asked.expected_lower < asked.upper - asked.lower
        assert told.conditional == narrower
        assert told.probability[-1] == (asked.expected if narrower else asked.probability)
        assert (told.lower[-1], told.upper[-1]) == (
            (asked.expected_lower, asked.expected_upper) if narrower else (asked.lower, asked.upper)
        )
    assert any(shown(result, pact, "war").conditional for pact in PACTS)


def test_an_estimate_that_varies_more_than_a_count_is_not_shown(result: Decades) -> None:
    """So near to certain that the conditional sum is the worse of the two."""
    data = result.data.copy(deep=True)
    data["ever_expected_upper"] = data.ever_expected + 0.3
    assert not shown(Decades(data), "treaty", "war").conditional


def test_few_histories_are_counted_whatever_the_conditional_interval_says(few: Decades) -> None:
    """A mean of few has no interval to trust; that of one would have none at all."""
    assert not any(shown(few, pact, "war").conditional for pact in PACTS)


def test_what_cannot_happen_is_told_from_what_was_not_seen(result: Decades, few: Decades) -> None:
    assert not shown(result, "no_pact", "abandonment").possible, "nothing is owed without a pact"
    assert not shown(result, "no_pact", "entanglement").possible
    assert not shown(result, "treaty", "entanglement").possible, "here the defender never fights"
    assert few.risk("treaty", "victory").count == 0
    unseen = shown(few, "treaty", "victory")
    assert unseen.possible
    assert not unseen.seen
    assert unseen.upper[-1] > 0.0


def test_a_rung_that_is_an_outcome_is_named_once() -> None:
    assert len(set(NAMES)) == len(NAMES)
    assert {"nuclear_use", "major_war", "war", "entrapment"} <= set(NAMES)


# -- risks drawn -----------------------------------------------------------------------------------


@pytest.mark.parametrize("outcome", ["war", "challenge", "limited_force"])
def test_lines_and_bands_are_the_numbers(result: Decades, outcome: str) -> None:
    ax = risk(result, outcome)
    assert list(lines(ax)) == list(PACTS)
    for (pact, line), (lower, upper) in zip(lines(ax).items(), bands(ax), strict=True):
        told = shown(result, pact, outcome)
        assert line.get_xdata().tolist() == [0, 1, 2, 3, 4, 5, 6]
        np.testing.assert_array_equal(line.get_ydata(), [0.0, *told.probability])
        np.testing.assert_allclose(lower, [0.0, *told.lower])
        np.testing.assert_allclose(upper, [0.0, *told.upper])
    assert ax.get_ylim()[0] == 0.0
    assert ax.get_ylim()[1] > max(upper.max() for _, upper in bands(ax))
    assert ax.get_xlim() == (0.0, 6.0)


def test_ends_of_lines_are_named_with_their_values(result: Decades) -> None:
    ax = risk(result, "challenge")
    ends = words(ax)[: len(PACTS)]
    for pact, text in zip(PACTS, ends, strict=True):
        share = number(shown(result, pact, "challenge").probability[-1], digits=3)
        assert text == f"{pact}  {share} %"
    figure_of(ax).draw_without_rendering()
    # of the words alone, without the lines that lead to them
    boxes = [Text.get_window_extent(text) for text in ax.texts[: len(PACTS)]]
    boxes.sort(key=lambda box: box.y0)
    assert all(upper.y0 >= lower.y1 - 1.0 for lower, upper in pairwise(boxes))
    assert all(box.x0 >= ax.get_window_extent().x1 for box in boxes)


def test_nothing_seen_is_an_upper_bound_and_no_line_at_zero(few: Decades) -> None:
    ax = risk(few, "victory")
    bound = few.risk("treaty", "victory").upper
    drawn = lines(ax)["treaty"].get_ydata()
    np.testing.assert_array_equal(drawn, np.full(6, bound))
    assert f"treaty  < {number(bound, digits=3)} %" in words(ax)
    assert "upper bound where nothing was seen" in " ".join(words(ax)[-1].split())


def test_a_count_of_none_in_early_years_has_a_band_and_no_line(few: Decades) -> None:
    counts = few.data.ever_count.sel(pact="treaty", outcome="war").values
    assert counts[0] == 0, "what the test is about"
    assert counts[-1] > 0
    drawn = lines(risk(few, "war"))["treaty"].get_ydata()
    assert np.isnan(drawn[1:]).tolist() == (counts == 0).tolist()
    assert drawn[0] == 0.0


def test_what_cannot_happen_has_words_and_no_line(result: Decades) -> None:
    ax = risk(result, "abandonment")
    assert list(lines(ax)) == ["treaty", "talks_for_ever_and_a_day"]
    assert "no_pact: cannot happen" in words(ax)
    assert not lines(risk(result, "entrapment"))


def test_it_draws_where_it_is_told(result: Decades) -> None:
    ax = Figure().add_subplot()
    assert result.plot(outcome="challenge", ax=ax) is ax
    assert "challenge: the challenger opens a crisis" in ax.get_title(loc="left")


def test_an_outcome_that_is_not_there_is_refused(result: Decades) -> None:
    with pytest.raises(ResultError, match=r"no outcome 'major_wars'\. Did you mean 'major_war'"):
        risk(result, "major_wars")
    with pytest.raises(ResultError, match="no picture 'ladder'"):
        result.plot("ladder")


def test_words_stand_apart_and_as_near_as_they_can() -> None:
    np.testing.assert_allclose(apart(np.array([0.1, 0.5, 0.9]), 0.1), [0.1, 0.5, 0.9])
    np.testing.assert_allclose(apart(np.array([0.5, 0.5]), 0.1), [0.55, 0.45])
    np.testing.assert_allclose(apart(np.array([0.2, 0.9, 0.21, 0.19]), 0.1), [0.2, 0.9, 0.3, 0.1])
    many = np.random.default_rng(0).uniform(size=30)
    places = apart(many, 0.02)
    assert np.diff(np.sort(places)).min() >= 0.02 - 1e-12
    assert (np.argsort(places) == np.argsort(many)).all()


# -- lives drawn -----------------------------------------------------------------------------------


def test_lives_are_lines_with_bands_and_small_pictures_below(result: Decades) -> None:
    ax = survival(result)
    real = list(PACTS)[1:]
    assert list(lines(ax)) == real, "without a pact nothing begins or ends"
    for (pact, line), (lower, upper) in zip(lines(ax).items(), bands(ax), strict=True):
        ended = result.data.sel(pact=pact, status="ended")
        assert line.get_drawstyle() == "steps-post"
        np.testing.assert_allclose(line.get_ydata()[:-1], [1.0, *(1.0 - ended.status_probability.values)])
        assert lower.min() == pytest.approx(1.0 - ended.status_upper.values[-1])
        assert upper.max() == 1.0
    pictures = [axes for axes in figure_of(ax).axes if axes is not ax and axes.get_title(loc="left")]
    assert [axes.get_title(loc="left") for axes in pictures] == real
    assert all(axes.get_ylim() == ax.get_ylim() for axes in pictures)


def test_areas_are_the_causes(result: Decades) -> None:
    ax = survival(result, pact="treaty")
    own = result.data.sel(pact="treaty").isel(year=-1)
    *areas, band = bands(ax)
    heights = [upper[-1] - lower[-1] for lower, upper in areas]
    shares = [own.status_probability.sel(status=name).item() for name in ("in_force", "suspended")]
    causes = [own.ended_by_probability.sel(cause=name).item() for name in CAUSES[1:]]
    assert min(shares) > 0, "what the test is about"
    assert sorted(heights) == pytest.approx(sorted(share for share in [*shares, *causes] if share > 0))
    assert areas[-1][1][-1] == pytest.approx(1.0), "up to all of them"
    assert band[0][-1] < heights[0] + heights[1] < band[1][-1], "the line parts those alive from those ended"
    text = " ".join(" ".join(words(ax)).split())
    for share in [*shares, *causes]:
        assert share == 0 or f"  {number(share, digits=3)} %" in " ".join(words(ax))
    unseen = "ended by a breach, abrogated by the defender, abrogated by the protégé, ended at a review"
    assert f"Never seen (below 0.0998 %): {unseen}." in text


def test_a_pact_that_never_ends_is_bounded(result: Decades) -> None:
    data = result.data.copy(deep=True)
    own = {"pact": "treaty"}
    for name, value in (("count", 0), ("probability", 0.0), ("lower", 0.0), ("upper", 0.001)):
        data[f"status_{name}"].loc[{**own, "status": "ended"}] = value
        data[f"ended_by_{name}"].loc[{**own, "cause": list(CAUSES[1:])}] = value
    for name, value in (("in_force", 1.0), ("suspended", 0.0)):
        data["status_probability"].loc[{**own, "status": name}] = value
    assert "treaty  > 99.9 %" in words(survival(Decades(data)))
    alone = survival(Decades(data), pact="treaty")
    assert "in force  > 99.9 %" in words(alone)
    assert alone.get_ylim()[0] > 0.9
    assert "does not start at 0" in " ".join(words(alone)[-1].split())


def test_lives_on_axes_of_ones_own_are_lines_alone(result: Decades) -> None:
    figure = Figure()
    ax = figure.add_subplot()
    assert result.plot("survival", ax=ax) is ax
    assert figure.axes == [ax]
    assert len(lines(ax)) == 2


def test_a_life_that_is_none_is_refused(result: Decades) -> None:
    with pytest.raises(ResultError, match="'no_pact' is empty, so that there is no life to draw"):
        survival(result, pact="no_pact")
    with pytest.raises(ResultError, match=r"no pact 'treety'\. Did you mean 'treaty'"):
        survival(result, pact="treety")
    data = result.data.sel(pact=["no_pact"], versus=["no_pact"])
    with pytest.raises(ResultError, match="Every pact of this result is empty"):
        survival(Decades(data))


def test_pictures_can_be_written(result: Decades, tmp_path: Path) -> None:
    for i, ax in enumerate((risk(result), survival(result), survival(result, pact="treaty"))):
        figure_of(ax).savefig(tmp_path / f"{i}.png", dpi=40)
        assert (tmp_path / f"{i}.png").read_bytes().startswith(b"\x89PNG")


# -- tables ----------------------------------------------------------------------------------------


def row(text: str, block: str, label: str, lines: int = 1) -> list[list[str]]:
    """Return the cells of a row of a block, the `lines` lines of it, split at wide gaps."""
    _, _, after = text.partition(f"\n{block}\n")
    assert after, f"there is no block '{block}'"
    found = after.splitlines()
    at = next(i for i, line in enumerate(found) if line.startswith(f"{label} "))
    return [[cell.strip() for cell in found[at + i][22:].split("  ") if cell.strip()] for i in range(lines)]


def test_tables_are_at_most_80_columns_wide(result: Decades, few: Decades) -> None:
    for told in (result, few):
        text = told.summary()
        assert max(map(len, text.splitlines())) <= 80
        assert text == as_text(told)
        assert "…" not in text, "a label was cut off"
    assert len(result.summary().splitlines()) < 130
    assert "<pre>" in result._repr_html_()


def test_pacts_that_do_not_fit_side_by_side_go_below(study: Study, cache: None) -> None:
    four = study.replace(pacts={**study.pacts, "second": study.pacts["treaty"]})
    text = four.decades(histories=200, seed=SEED).summary()
    assert max(map(len, text.splitlines())) <= 80
    assert text.count("provocation") == 2


def test_risks_are_printed_with_both_estimates(result: Decades) -> None:
    text = result.summary()
    values, intervals = row(text, "At least once within 6 years", "war", lines=2)
    for pact, value, interval in zip(PACTS, values, intervals, strict=True):
        found = result.risk(pact, "war")
        assert value == f"{number(found.probability)} ({number(found.expected)})"
        assert interval == f"{number(found.lower)} – {number(found.upper)}"
    assert row(text, "At least once within 6 years", "abandonment")[0][0] == "–", "nothing is owed"


def test_zero_counts_are_printed_as_bounds(few: Decades) -> None:
    assert few.risk("no_pact", "provocation").count > 0
    data = few.data.copy(deep=True)
    for name, value in (("count", 0), ("probability", 0.0), ("lower", 0.0), ("upper", 0.08)):
        data[f"ever_{name}"].loc[{"outcome": "provocation"}] = value
        data[f"horizon_caused_{name}"].loc[{"outcome": "challenge"}] = value
    text = Decades(data).summary()
    values, expected = row(text, "At least once within 6 years", "provocation", lines=2)
    assert values == ["< 8.000"] * 3
    assert expected == [f"({number(few.risk(pact, 'provocation').expected)})" for pact in PACTS]
    assert all(cell.startswith("<8.00 | ") for cell in row(text, "What the pact changes", "challenge", 3)[2])


def test_yearly_rates_and_denominators_are_printed(result: Decades) -> None:
    text = result.summary()
    for pact, cell in zip(PACTS, row(text, "In a year", "war")[0], strict=True):
        told = shown(result, pact, "war", yearly=True).probability
        assert cell == " → ".join(number(told[at], digits=3) for at in (0, -1))
    values, intervals = row(text, "Dispute by dispute", "challenge", lines=2)
    for pact, value, interval in zip(PACTS, values, intervals, strict=True):
        own = result.data.sel(pact=pact, outcome="challenge")
        share, trials = own.pooled_probability.item(), int(own.pooled_trials)
        assert value == f"{number(share, digits=3)} of {trials:,}"
        assert interval == f"{number(own.pooled_lower.item())} – {number(own.pooled_upper.item())}"


def test_what_the_pact_changes_and_its_life_are_printed(result: Decades) -> None:
    text = result.summary()
    real = list(PACTS)[1:]
    nets, intervals, sides = row(text, "What the pact changes", "challenge", lines=3)
    life = row(text, "The pact's life", "in force, year 6")[0]
    for i, pact in enumerate(real):
        own = result.data.sel(pact=pact, outcome="challenge")
        assert nets[i] == points(own.horizon_net.item())
        ends = (own.horizon_net_lower.item(), own.horizon_net_upper.item())
        assert intervals[i] == " – ".join(points(end, digits=3) for end in ends)
        sizes = []
        for side in ("caused", "averted"):
            end = "probability" if own[f"horizon_{side}_count"] > 0 else "upper"
            sizes.append("<" * (end == "upper") + number(own[f"horizon_{side}_{end}"].item(), digits=3))
        assert sides[i] == " | ".join(sizes)
        alive = result.data.sel(pact=pact, status="in_force").status_probability.values[-1]
        assert life[i].startswith(f"{number(alive, digits=3)} ± ")
    halves = []
    for pact in real:
        ended = result.data.sel(pact=pact, status="ended").status_probability.values
        halves.append(next((f"year {i + 1}" for i in np.flatnonzero(ended >= 0.5)), "> 6"))
    assert row(text, "The pact's life", "half have ended")[0] == halves
    assert "Never seen: review." in text


def test_strengths_and_prices_are_printed(result: Decades) -> None:
    data = result.data.copy(deep=True)
    data["decisions"].loc[{"year": 6}] *= 20.0  # so that what is weighted differs from what is not
    data["autonomy_lost"].loc[{"year": 6}] *= 2.0
    result = Decades(data)
    text = result.summary()
    gains = row(text, "Strengths", "effort, protégé")[0]
    costs, efforts, lost = (
        row(text, "Prices", label)[0] for label in ("cost, defender", "effort, protégé", "autonomy lost")
    )
    for i, pact in enumerate(PACTS):
        own = result.data.sel(pact=pact)
        assert costs[i] == f"{float(own.cost.sel(actor='defender').sum()):#.3g}".rstrip(".")
        medians = own.effort_quantile.sel(actor="protege", quantile=0.5).values
        assert efforts[i] == " → ".join(number(share, digits=3) for share in medians[[0, -1]])
        if i:
            gain = own.level_gain.sel(level="effort_protege").values[-1]
            assert gains[i - 1].startswith(points(np.expm1(gain), digits=3))
            weighted = np.average(own.autonomy_lost.values, weights=own.decisions.values)
            assert lost[i] == number(float(weighted), digits=3)
    errors = (f"{number(own.item(), digits=2)} ({own.pact.item()})" for own in result.data.context_error)
    assert ", ".join(errors) in " ".join(text.split())


def test_only_no_pact_has_tables_without_a_life(cache: None) -> None:
    alone = small(**QUICK, pacts={"no_pact": {}}).decades(histories=200, seed=SEED)
    text = alone.summary()
    assert "Prices" in text
    assert "The pact's life" not in text
    assert "What the pact changes" not in text


def test_nearly_all_is_not_printed_as_all() -> None:
    assert number(0.99996, digits=3) == "99.996"
    assert number(1.0, digits=3) == "100"
    assert number(0.99996) == "99.996"  # as with the digits that it usually has
    assert number(1.0) == "100.0"


# -- the command -----------------------------------------------------------------------------------


@pytest.fixture
def path(study: Study, tmp_path: Path) -> Path:
    path = tmp_path / "study.toml"
    study.replace(simulation=study.simulation.replace(histories=300, seed=SEED)).save(path)
    return path


def call(*arguments: object) -> Any:
    return CliRunner().invoke(cli, [str(item) for item in arguments])


def done(*arguments: object) -> Any:
    found = call(*arguments)
    assert found.exit_code == 0, found.output
    return found


def test_the_command_prints_the_tables_and_writes_what_was_asked_for(path: Path, tmp_path: Path) -> None:
    names = ("result.nc", "risk.svg", "kept.nc")
    out, plot, kept = (tmp_path / name for name in names)
    told = done(
        "decades", path, "--out", out, "--plot", plot, "--outcome", "limited_force",
        "--keep", 2, "--keep-out", kept,
    )  # fmt: skip
    loaded = entangle.Decades.load(out)
    assert told.stdout == loaded.summary()
    assert told.stderr == ""
    assert (loaded.number, loaded.seed) == (300, SEED)
    assert "<svg" in plot.read_text(encoding="utf-8")
    assert kept.stat().st_size > 0
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted([*names, "study.toml"])


def test_the_command_keeps_histories_in_a_folder(path: Path, tmp_path: Path) -> None:
    pytest.importorskip("zarr")
    kept = tmp_path / "kept.zarr"
    told = done("decades", path, "--keep", 5, "--keep-out", kept, "--quiet")
    assert (told.stdout, told.stderr) == ("", "")
    found = archive.load_kept(kept)
    expected = Study.load(path).decades(histories=300, keep=5).kept
    for name in ("war", "dispute", "belief"):
        assert np.array_equal(found[name].values, expected[name].values), name
    assert found.sizes["trajectory"] == 5
    before = {file: file.stat().st_mtime_ns for file in kept.rglob("*")}
    again = call("decades", path, "--keep", 5, "--keep-out", kept)
    assert again.exit_code == 2
    assert "there is already something at" in again.stderr
    assert {file: file.stat().st_mtime_ns for file in kept.rglob("*")} == before


def test_options_override_the_study_and_json_is_the_result(path: Path) -> None:
    told = done("decades", path, "--histories", 123, "--seed", 9, "--json")
    data = json.loads(told.stdout, parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))
    assert (data["histories"], data["seed"], data["years"]) == (123, "9", 6)
    assert list(data["pacts"]) == list(PACTS)
    again = Study.load(path).decades(histories=123, seed=9)
    for pact, found in data["pacts"].items():
        assert set(found["risks"]) == set(NAMES)
        assert found["risks"]["war"] == vars(again.risk(pact, "war"))
        assert found["risks"]["entanglement"]["expected"] is None
        assert "war" not in found["given"], "it has no condition"
        assert found["given"]["challenge"]["trials"] > 0
        assert sum(found["life"][status][-1] for status in ("ended", "in_force", "suspended")) == 1.0


def test_lives_are_drawn_and_quiet_is_quiet(path: Path, tmp_path: Path) -> None:
    plot = tmp_path / "lives.png"
    assert done("decades", path, "--kind", "survival", "--plot", plot, "--quiet").output == ""
    assert plot.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--histories", 0], "0 is not in the range"),
        (["--seed", -1], "-1 is not in the range"),
        (["--workers", 0], "0 is not in the range"),
        (["--plot", "risk.txt"], "must end in one of .pdf, .png, .svg"),
        (["--plot", "risk.png", "--outcome", "wars"], "there is no outcome 'wars'. Did you mean 'war'?"),
        (["--plot", "risk.png", "--kind", "ladder"], "'ladder' is not one of"),
        (["--outcome", "war"], "name its file with --plot"),
        (["--kind", "survival"], "name its file with --plot"),
        (["--plot", "a.png", "--kind", "survival", "--outcome", "war"], "--outcome goes with --kind risk"),
        (["--keep", 3], "--keep and --keep-out go together"),
        (["--keep-out", "kept.nc"], "--keep and --keep-out go together"),
        (["--keep", 301, "--keep-out", "kept.nc"], "must name histories from 0 to 299"),
        (["--out", "nowhere/result.nc"], "there is no folder 'nowhere'"),
        (["--scheduler", "tcp://127.0.0.1:1", "--workers", 2], "--workers is for threads"),
    ],
)
def test_bad_options_are_2_before_any_work(
    path: Path, arguments: list[object], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(path.parent)
    monkeypatch.setenv("ENTANGLE_CACHE", "off")
    monkeypatch.setattr(equilibrium, "solve", lambda *_, **__: pytest.fail("work was done"))
    told = call("decades", path, *arguments)
    assert (told.exit_code, told.stdout) == (2, "")
    assert message in " ".join(told.stderr.split())
    assert [file.name for file in path.parent.iterdir()] == ["study.toml"]


def test_no_life_to_draw_is_told_before_any_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "study.toml"
    small(**QUICK, pacts={"no_pact": {}}).save(path)
    monkeypatch.setattr(Study, "decades", lambda *_, **__: pytest.fail("work was done"))
    told = call("decades", path, "--kind", "survival", "--plot", tmp_path / "lives.png")
    assert told.exit_code == 2
    assert "every pact of this study is empty" in told.stderr


# -- explain ---------------------------------------------------------------------------------------


@pytest.fixture
def saved(result: Decades, tmp_path: Path) -> Path:
    path = tmp_path / "decades.nc"
    result.save(path)
    return path


def test_histories_are_told_by_number_and_by_what_happened(result: Decades, saved: Path) -> None:
    told = done("explain", saved, "--pact", "treaty", "--trajectory", 3).stdout
    assert told.rstrip() == result.replay(3, pact="treaty").story().rstrip()
    first, second = result.find("war", n=2, pact="treaty")
    told = done("explain", saved, "--outcome", "war", "--number", 2).stdout
    stories = [result.replay(index, pact="treaty").story().rstrip() for index in (first, second)]
    assert told.rstrip() == f"{stories[0]}\n\n{'-' * 80}\n\n{stories[1]}"
    lapsed = result.find("lapse", pact="treaty")
    assert done("explain", saved, "--outcome", "lapse").stdout.startswith(f"History {lapsed[0]}")


def test_a_dispute_of_a_history_is_told_move_by_move(result: Decades, saved: Path) -> None:
    (index,) = result.find("war", pact="treaty")
    history = result.replay(index, pact="treaty")
    year = next(iter(history.disputes))
    told = done("explain", saved, "--trajectory", index, "--year", year).stdout
    assert told.rstrip() == history.story(year).rstrip()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--outcome", "wars"], "There is no outcome 'wars'. Did you mean 'war'?"),
        (["--trajectory", 3000], "must be a whole number from 0 to 2,999"),
        (["--outcome", "war", "--pact", "treety"], "Did you mean 'treaty'?"),
        (["--outcome", "war", "--year", 2], "--year goes with --trajectory"),
        (["--trajectory", 3, "--year", 9], "There is no dispute in year 9 of this history"),
    ],
)
def test_questions_that_histories_do_not_answer_are_2(
    saved: Path, arguments: list[object], message: str
) -> None:
    told = call("explain", saved, *arguments)
    assert (told.exit_code, told.stdout) == (2, "")
    assert message in " ".join(told.stderr.split())


def test_nothing_found_is_said(saved: Path) -> None:
    told = done("explain", saved, "--outcome", "general_nuclear_war")
    assert told.stdout == "None of the 3,000 histories under 'treaty' had general_nuclear_war.\n"


def test_files_of_the_other_kind_are_told_apart(saved: Path, tmp_path: Path, cache: None) -> None:
    told = call("compare", saved, "treaty", "no_pact")
    assert told.exit_code == 2
    assert "holds histories of years, not single disputes" in told.stderr
    disputes = tmp_path / "disputes.nc"
    small().run(trajectories=200).save(disputes)
    told = call("explain", disputes, "--trajectory", 1, "--year", 2)
    assert told.exit_code == 2
    assert "--year is for histories" in told.stderr
    one = Result.load(disputes).replay(1).story()
    assert done("explain", disputes, "--trajectory", 1).stdout.rstrip() == one.rstrip()


def test_outcomes_of_the_tables_are_outcomes() -> None:
    from entangle.tables import decades as tables

    asked = {*tables._EVER, *tables._YEARLY, *tables._GIVEN, *tables._CHANGED}
    assert asked <= set(NAMES)
    conditional = {outcome.name for outcome in OUTCOMES if not outcome.condition.all()}
    assert set(tables._GIVEN) <= conditional
