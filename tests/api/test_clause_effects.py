"""What drives a pact: every clause switched off alone, and added alone to no pact."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from click.testing import CliRunner
from matplotlib.figure import Figure

from entangle import clause_effects
from entangle.cli import cli
from entangle.errors import ConvergenceError, ResultError, StudyError
from entangle.files import write_dataset
from entangle.lowering import Setting, games, lower
from entangle.outcomes import OUTCOMES
from entangle.pact import CLAUSES, Pact
from entangle.plot import dots
from entangle.tables.clauses import clauses_as_text
from entangle_kernels import equilibrium, exact, quantise
from small_studies import small

ROOT = Path(__file__).resolve().parents[2]
NAMES = [outcome.name for outcome in OUTCOMES]
#: Everything about a clause that a pact without it does not have.
OF_CLAUSE = ("without", "alone", "adds_to_rest", "adds_alone")
PACTS = {
    "no_pact": {},
    "promise": {"commitment": "defence", "coverage": 0.5},
    "treaty": {
        "commitment": "defence",
        "coverage": 0.5,
        "intelligence": 0.5,
        "access": "permanent",
        "forces": 0.3,
        "host_support": 0.2,
        "legislature": True,
        "approval": 0.6,
        "notice_months": 12.0,
    },
    "club": {
        "commitment": "conditional",
        "coalition": {"members": ["far", "near"], "quorum": 1.0, "agreement": 0.5},
    },
}
ACTORS = {
    "east": {"capability": 1.0, "regime": 0.2},
    "west": {"capability": 0.5, "regime": 0.7},
    "far": {"capability": 3.0, "regime": 0.8, "nuclear": True},
    "near": {"capability": 0.4},
}


@pytest.fixture(scope="module")
def study():
    return small(pacts=PACTS, actors=ACTORS, title="Four [bold]pacts[/bold]")


@pytest.fixture(scope="module")
def effects(study):
    return study.clauses()


@pytest.fixture
def unsolvable(monkeypatch):
    """A solver that must not be asked."""
    monkeypatch.setattr(equilibrium, "solve", lambda game: pytest.fail("work was done"))


def by_hand(pact: Pact, study, without: tuple[str, ...]) -> np.ndarray:
    """Slow twin: the probability of every outcome, from the terms on, one step after the other."""
    setting = Setting.of(study)
    levers = lower(pact, setting, without=without)
    lowered, in_scope = games(levers, setting)
    solutions = [equilibrium.solve(game) for game in lowered]
    cells = exact.probabilities(quantise.tables(lowered, solutions, in_scope=in_scope))
    found = []
    for outcome in OUTCOMES:
        happened = held = 0.0
        for index in zip(*np.nonzero(cells), strict=True):
            held += cells[index] if outcome.condition[index] else 0.0
            happened += cells[index] if outcome.event[index] else 0.0
        found.append(happened / held if held else np.nan)
    return np.array(found)


# -- the table -----------------------------------------------------------------------------------


def test_names_that_scripts_rely_on(effects, study):
    assert list(effects.pact.values) == list(PACTS)
    assert list(effects.outcome.values) == NAMES
    assert list(effects.clause.values) == [
        "obligation", "intelligence", "basing", "assistance", "authorisation", "exit", "coalition",
    ]  # fmt: skip
    assert effects.whole.dims == ("pact", "outcome")
    assert effects.none.dims == ("outcome",)
    for name in OF_CLAUSE:
        assert effects[name].dims == ("pact", "clause", "outcome")
    for name in (*OF_CLAUSE, "whole", "none"):
        assert effects[name].dtype == np.float64
        assert effects[name].attrs["units"] == "1"
    for variable in effects.variables.values():
        assert variable.attrs["long_name"]
    for name in ("present", "acts"):
        assert effects[name].dims == ("pact", "clause")
        assert effects[name].dtype == bool
    assert list(effects.given.values) == [outcome.given for outcome in OUTCOMES]
    assert effects.attrs["fingerprint"] == study.fingerprint
    assert json.loads(effects.attrs["study"])["title"] == effects.attrs["title"] == study.title


def test_the_whole_pact_and_no_pact_are_those_of_the_exact_result(effects, study):
    law = study.exact().data.exact
    assert effects.whole.values.tobytes() == law.values.tobytes()
    assert effects.none.values.tobytes() == law.sel(pact="no_pact").values.tobytes()


@pytest.mark.parametrize(
    ("pact", "clause"), [("treaty", "basing"), ("treaty", "obligation"), ("club", "coalition")]
)
def test_probabilities_are_those_worked_out_by_hand(effects, study, pact, clause):
    cell = effects.sel(pact=pact, clause=clause)
    terms = study.pacts[pact]
    rest = tuple(other for other in CLAUSES if other != clause)
    for name, without in (("without", (clause,)), ("alone", rest)):
        np.testing.assert_allclose(cell[name].values, by_hand(terms, study, without), rtol=1e-11, atol=1e-300)
    empty = by_hand(Pact(), study, ())
    np.testing.assert_allclose(cell.adds_alone, cell.alone.values - empty, rtol=1e-9, atol=1e-13)
    np.testing.assert_allclose(
        cell.adds_to_rest, by_hand(terms, study, ()) - cell.without.values, rtol=1e-9, atol=1e-13
    )


def test_switching_a_clause_off_is_a_study_without_its_terms(effects, study):
    pacts = {f"no_{clause}": study.pacts["treaty"].without(clause) for clause in ("basing", "authorisation")}
    law = study.replace(pacts=pacts).exact().data.exact
    for clause in ("basing", "authorisation"):
        without = effects.without.sel(pact="treaty", clause=clause)
        assert without.values.tobytes() == law.sel(pact=f"no_{clause}").values.tobytes()


def test_effects_are_differences_and_not_zero(effects):
    treaty = effects.sel(pact="treaty", outcome="war")
    assert (treaty.adds_to_rest == treaty.whole - treaty.without).sel(clause="basing")
    assert (treaty.adds_alone == treaty.alone - treaty.none).sel(clause="basing")
    for clause in ("obligation", "intelligence", "basing", "authorisation"):
        assert abs(treaty.adds_to_rest.sel(clause=clause)) > 1e-6
        assert abs(treaty.adds_alone.sel(clause=clause)) > 1e-6


def test_a_clause_that_a_pact_lacks_has_no_number(effects, study):
    for pact, terms in study.pacts.items():
        for clause in effects.clause.values:
            cell = effects.sel(pact=pact, clause=clause)
            assert cell.present.item() == (clause in terms.clauses)
            if clause not in terms.clauses:
                assert not cell.acts.item()
                for name in OF_CLAUSE:
                    assert cell[name].isnull().all()


def test_exit_and_what_else_acts_over_years_has_exactly_no_effect(effects):
    treaty = effects.sel(pact="treaty")
    for clause in ("exit", "assistance"):
        cell = treaty.sel(clause=clause)
        assert cell.present
        assert not cell.acts
        assert cell.without.values.tobytes() == treaty.whole.values.tobytes()
        assert cell.alone.values.tobytes() == effects.none.values.tobytes()
        for name in ("adds_to_rest", "adds_alone"):
            assert set(cell[name].dropna("outcome").values) == {0.0}
    assert treaty.acts.sel(clause=["obligation", "intelligence", "basing", "authorisation"]).all()


def test_a_pact_of_one_clause_is_that_clause_to_the_bit(effects):
    promise = effects.sel(pact="promise", clause="obligation")
    assert promise.alone.values.tobytes() == promise.whole.values.tobytes()
    assert promise.without.values.tobytes() == effects.none.values.tobytes()
    assert promise.adds_to_rest.values.tobytes() == promise.adds_alone.values.tobytes()


def test_a_condition_that_cannot_hold_has_no_number(effects):
    """Without an obligation nobody can be abandoned; with it, also without bases."""
    abandoned = effects.sel(outcome="abandonment")
    treaty = abandoned.sel(pact="treaty")
    assert np.isnan(abandoned.none)
    assert np.isnan(treaty.without.sel(clause="obligation"))
    assert np.isnan(treaty.alone.sel(clause="basing"))
    assert np.isnan(treaty.adds_alone.sel(clause="obligation"))
    assert np.isfinite(treaty.alone.sel(clause="obligation"))
    assert np.isfinite(treaty.adds_to_rest.sel(clause="basing"))
    assert "cannot hold" in effects.adds_alone.attrs["comment"]


def test_some_pacts_are_the_same_to_the_bit_and_any_number_of_workers(effects, study):
    some = study.clauses(pacts=["club", "promise", "club"], workers=1)
    assert list(some.pact.values) == ["club", "promise"]
    assert list(some.clause.values) == ["obligation", "coalition"]
    again = effects.sel(pact=some.pact, clause=some.clause)
    xr.testing.assert_identical(some.drop_attrs(), again.drop_attrs())


def test_a_study_of_no_pact_has_no_clause():
    effects = small(pacts={"no_pact": {}}).clauses()
    assert effects.sizes["clause"] == 0
    assert effects.whole.values.tobytes() == effects.none.values.tobytes()
    assert "No clause: nothing to switch." in clauses_as_text(effects)
    with pytest.raises(ResultError, match="No pact of this study has any"):
        dots(effects)


def test_equal_games_are_solved_once(study, monkeypatch):
    solve, asked = equilibrium.solve, []

    def counting(game):
        asked.append(game)
        return solve(game)

    monkeypatch.setattr(equilibrium, "solve", counting)
    study.clauses(pacts=["promise"], workers=1)
    # the situation without a pact, which is also the promise's outside its area; and the promise's within
    assert len(asked) == 2


# -- what goes wrong -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pacts", "message"),
    [
        (["treety"], "pacts[0]: must name a pact of this study, got 'treety'. Did you mean 'treaty'?"),
        (
            ["treaty", "peace", "klub"],
            """\
pacts[1]: must name a pact of this study, got 'peace'. Known here: no_pact, promise, treaty, club.
pacts[2]: must name a pact of this study, got 'klub'. Did you mean 'club'?""",
        ),
        ("treaty", "pacts: must be a list of names, got 'treaty'. Write ['treaty']."),
        ([], "pacts: must name at least one pact, got an empty list. Leave it out to have all."),
    ],
)
def test_pacts_that_are_not_there_are_told_before_any_work(study, unsolvable, pacts, message):
    with pytest.raises(StudyError) as caught:
        study.clauses(pacts=pacts)
    assert str(caught.value) == message


def test_a_wrong_number_of_workers_is_told_before_any_work(study, unsolvable):
    with pytest.raises(ValueError, match="workers must be at least 1"):
        study.clauses(workers=0)


@pytest.mark.parametrize(
    ("pact", "terms", "switched", "message"),
    [
        ("treaty", (), None, "without any pact: "),
        ("treaty", ("treaty",), None, "[pacts.treaty]: "),
        ("treaty", ("without", "basing"), "basing", "[pacts.treaty] without basing: "),
        ("treaty", ("alone", "basing"), "basing", "[pacts.treaty] with basing alone: "),
    ],
)
def test_no_convergence_names_the_pact_and_the_clause(study, monkeypatch, pact, terms, switched, message):
    setting = Setting.of(study)
    rest = [clause for clause in CLAUSES if clause != switched]
    levers = {
        (): lower(Pact(), setting),
        ("treaty",): lower(study.pacts[pact], setting),
        ("without", "basing"): lower(study.pacts[pact], setting, without=("basing",)),
        ("alone", "basing"): lower(study.pacts[pact], setting, without=rest),
    }[terms]
    wanted = games(levers, setting)[0][0]
    solve = equilibrium.solve

    def fail(game):
        if all(np.array_equal(a, b) for a, b in zip(game, wanted, strict=True)):
            raise equilibrium.ConvergenceError(0.25, 99, 3.0)
        return solve(game)

    monkeypatch.setattr(equilibrium, "solve", fail)
    with pytest.raises(ConvergenceError) as caught:
        study.clauses(pacts=[pact])
    assert str(caught.value).startswith(message + "the equilibrium did not settle")
    assert caught.value.pact == (pact if terms else "(no pact)")
    assert (caught.value.residual, caught.value.sweeps) == (0.25, 99)


@pytest.mark.parametrize("show", [dots, clauses_as_text])
def test_a_misspelt_label_is_named_with_the_nearest_one(effects, show):
    with pytest.raises(ResultError, match=r"no pact 'treety'\. Did you mean 'treaty'\?"):
        show(effects, pact="treety")
    with pytest.raises(ResultError, match=r"no outcome 'wars'\. Did you mean 'war'\?"):
        show(effects, pact="treaty", outcome="wars")


# -- showing -------------------------------------------------------------------------------------


@pytest.mark.parametrize("outcome", [None, "war", "abandonment"])
def test_the_text_fits_a_terminal_and_names_everything(effects, study, outcome):
    text = clauses_as_text(effects, outcome=outcome)
    assert max(map(len, text.splitlines())) <= 80
    assert study.title in text
    assert "…" not in text  # nothing is cut
    lines = text.splitlines()
    for pact, terms in study.pacts.items():
        start = lines.index(pact)
        for clause in terms.clauses:
            assert any(line.startswith(clause) for line in lines[start:])
    assert "Nothing within a crisis depends on: assistance, exit." in text


def test_the_text_shows_the_numbers(effects):
    cell = effects.sel(pact="treaty", clause="authorisation", outcome="war")
    last, alone = (100 * cell[name].item() for name in ("adds_to_rest", "adds_alone"))
    lines = clauses_as_text(effects, pact="treaty").splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("authorisation"))
    for line, effect in ((lines[at], last), (lines[at + 1], alone)):
        shown = line.removeprefix("  alone").removeprefix("authorisation").split()[2]
        assert shown[0] in "+−"
        assert float(shown.replace("−", "-")) == pytest.approx(effect, rel=1e-3)
    whole = next(line for line in lines if line.startswith("whole pact"))
    assert float(whole.split()[5]) == pytest.approx(100 * cell.whole.item(), rel=1e-3)


def test_what_cannot_be_known_is_said_only_where_it_is(effects):
    said = "the condition cannot hold"
    assert said in clauses_as_text(effects, outcome="abandonment")
    assert said not in clauses_as_text(effects)


def test_clauses_come_in_the_order_of_their_effects(effects):
    ordered = clause_effects.clauses_of(effects, "treaty", by="war")
    sizes = abs(effects.adds_to_rest.sel(pact="treaty", outcome="war", clause=ordered).values)
    assert (np.diff(sizes) <= 0).all()
    assert set(ordered[-2:]) == {"assistance", "exit"}
    # what has no number comes last
    assert clause_effects.clauses_of(effects, "treaty", by="abandonment")[-1] == "obligation"
    assert clause_effects.clauses_of(effects, "treaty") == [
        "obligation", "intelligence", "basing", "assistance", "authorisation", "exit",
    ]  # fmt: skip


@pytest.mark.parametrize("outcome", ["war", "abandonment"])
@pytest.mark.parametrize("pact", ["promise", "treaty", "club"])
def test_the_plot_has_a_labelled_row_for_every_clause(effects, pact, outcome):
    ax = dots(effects, pact=pact, outcome=outcome)
    rows = clause_effects.clauses_of(effects, pact, by=outcome)
    assert [label.get_text() for label in ax.get_yticklabels()] == rows
    assert ax.get_ylim()[0] > ax.get_ylim()[1]  # the first on top
    cells = effects.sel(pact=pact, outcome=outcome, clause=rows)
    drawn = [np.asarray(line.get_xdata(), float) for line in ax.get_lines()]
    for name in ("adds_to_rest", "adds_alone"):
        wanted = 100.0 * cells[name].values
        assert any(np.array_equal(wanted, line, equal_nan=True) for line in drawn)
    assert [0.0, 0.0] in [line.tolist() for line in drawn]
    assert len(ax.get_legend().get_texts()) == 2
    assert "percentage points" in ax.get_xlabel()
    title = ax.get_title(loc="left")
    assert effects.attrs["title"] in title
    assert pact in title
    caption = " ".join(text.get_text() for text in ax.texts)
    assert ("no dot" in caption) is (outcome == "abandonment")


@pytest.mark.parametrize("pact", ["promise", "treaty"])
def test_nothing_of_the_plot_is_cut(effects, pact):
    ax = dots(effects, pact=pact)
    figure = ax.get_figure()
    figure.draw_without_rendering()
    texts = [*ax.texts, *ax.get_yticklabels(), *ax.get_legend().get_texts(), ax.xaxis.label]
    for text in texts:
        box = text.get_window_extent()
        assert figure.bbox.x0 <= box.x0 < box.x1 <= figure.bbox.x1, text
        assert figure.bbox.y0 <= box.y0 < box.y1 <= figure.bbox.y1, text


def test_the_plot_takes_the_first_pact_with_clauses_and_given_axes(effects):
    ax = Figure().add_subplot()
    assert dots(effects, ax=ax) is ax
    assert "\npromise: what each clause does to war" in ax.get_title(loc="left")
    with pytest.raises(ResultError, match=r"'no_pact' has no clause.* clauses: promise, treaty, club\."):
        dots(effects, pact="no_pact")


# -- keeping and the command line ----------------------------------------------------------------


def test_a_file_gives_back_the_effects(effects, tmp_path):
    write_dataset(effects, tmp_path / "clauses.nc")
    again = xr.load_dataset(tmp_path / "clauses.nc", engine="h5netcdf")
    xr.testing.assert_equal(again, effects)
    assert again.attrs == effects.attrs
    assert again.present.dtype == bool
    assert clauses_as_text(again) == clauses_as_text(effects)


@pytest.fixture
def path(study, tmp_path) -> Path:
    study.save(tmp_path / "study.toml")
    return tmp_path / "study.toml"


def call(*arguments: object):
    return CliRunner().invoke(cli, ["clauses", *map(str, arguments)])


def done(*arguments: object):
    result = call(*arguments)
    assert result.exit_code == 0, result.output
    return result


def test_the_command_prints_and_writes_what_was_asked_for(path, effects, tmp_path):
    out, plot = tmp_path / "clauses.nc", tmp_path / "clauses.svg"
    shown = done(path, "--out", out, "--plot", plot)
    assert (shown.stdout, shown.stderr) == (clauses_as_text(effects), "")
    xr.testing.assert_equal(xr.load_dataset(out, engine="h5netcdf"), effects)
    assert "<svg" in plot.read_text(encoding="utf-8")
    assert sorted(found.name for found in tmp_path.iterdir()) == ["clauses.nc", "clauses.svg", "study.toml"]


def test_the_command_shows_one_pact_and_one_outcome(path, effects):
    shown = done(path, "--pact", "club", "--outcome", "war")
    assert shown.stdout == clauses_as_text(effects, pact="club", outcome="war")


def test_json_is_the_effects_and_nothing_else(path, effects):
    shown = done(path, "--json")
    data = json.loads(shown.stdout, parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))
    assert shown.stderr == ""
    assert list(data["pacts"]) == list(PACTS)
    assert data["pacts"]["no_pact"]["clauses"] == {}
    assert list(data["none"]) == list(data["given"]) == NAMES
    assert data["none"]["abandonment"] is None
    treaty = data["pacts"]["treaty"]
    assert treaty["whole"]["war"] == effects.whole.sel(pact="treaty", outcome="war").item()
    assert [clause for clause, cell in treaty["clauses"].items() if not cell["acts"]] == [
        "assistance",
        "exit",
    ]
    for clause, cell in treaty["clauses"].items():
        for name in OF_CLAUSE:
            value = effects[name].sel(pact="treaty", clause=clause, outcome="war").item()
            assert cell[name]["war"] == value
    only = json.loads(done(path, "--json", "--pact", "club", "--outcome", "war").stdout)
    assert list(only["pacts"]) == ["club"]
    assert list(only["none"]) == ["war"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--pact", "treety"], "got 'treety'. Did you mean 'treaty'?"),
        (["--outcome", "wars"], "there is no outcome 'wars'. Did you mean 'war'?"),
        (["--plot", "dots.txt"], "must end in one of .pdf, .png, .svg"),
        (["--pact", "no_pact", "--plot", "dots.png"], "--plot has nothing to draw"),
        (["--out", "nowhere/clauses.nc"], "there is no folder 'nowhere'"),
    ],
)
def test_bad_options_are_2_before_any_work(path, arguments, message, monkeypatch, unsolvable):
    monkeypatch.chdir(path.parent)
    shown = call(path, *arguments)
    assert (shown.exit_code, shown.stdout) == (2, "")
    assert message in " ".join(shown.stderr.split())


def test_a_full_disk_is_1_and_leaves_nothing(path, tmp_path, monkeypatch):
    def fail(self, target, **_):
        raise OSError(28, "No space left on device", str(target))

    monkeypatch.setattr("xarray.Dataset.to_netcdf", fail)
    shown = call(path, "--pact", "promise", "--out", tmp_path / "clauses.nc")
    assert (shown.exit_code, shown.stdout) == (1, "")
    assert "cannot be written (no space left on device)" in shown.stderr
    assert [found.name for found in tmp_path.iterdir()] == ["study.toml"]


def test_help_loads_nothing_heavy():
    folders = os.pathsep.join([str(ROOT), str(ROOT / "kernels")])
    program = (
        "import sys; from entangle.cli.clauses import command; "
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    shown = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONPATH": folders},
        capture_output=True,
        text=True,
        check=True,
    )
    assert set(shown.stdout.split()) & {"numpy", "xarray", "numba", "pydantic", "matplotlib"} == set()
