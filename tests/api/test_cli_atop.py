"""The command line on treaties: listed, explained, made into studies."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from api.atop_files import (
    DATA,
    HAVE_DATA,
    NO_DATA,
    alliance,
    spell,
    write,
    write_cinc,
    write_regimes,
)
from entangle.cli import atop
from entangle.errors import DataError
from entangle.study import Study

needs_data = pytest.mark.skipif(not HAVE_DATA, reason=NO_DATA)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder in the usual layout, with three treaties."""
    folder = tmp_path / "data"
    write(
        folder / "atop" / "atop-alliance-level.csv",
        [
            alliance(10, (2, 732), 1953, base=3, consul=1, speclgth=3),
            alliance(20, (2, 20, 200, 210, 211, 220, 235), 1949, 1960),
            alliance(30, (365, 710), 1950, 1980, defense=0, nonagg=1),
        ],
    )
    write(
        folder / "atop" / "atop-member-level.csv",
        [spell(member, 10, 1953, base=3, consul=1, speclgth=3, defcoloc=1) for member in (2, 732)]
        + [spell(member, 20, 1949, 1960) for member in (2, 20, 200, 210, 211, 220, 235)]
        + [spell(member, 30, 1950, 1980, defense=0, nonagg=1) for member in (365, 710)],
    )
    years = range(1949, 2017)
    cinc = {(state, year): 0.1 for state in (2, 20, 200, 210, 211, 220, 235, 731) for year in years}
    write_cinc(folder / "nmc" / "nmc7.csv", cinc | {(732, year): 0.01 for year in years})
    write_regimes(folder / "regime" / "democracy.csv", dict.fromkeys(cinc, (0.9, 10)))
    return folder


def run(*arguments: object, env: dict[str, str | None] | None = None, ok: bool = True) -> Result:
    done = CliRunner().invoke(
        atop.group, [str(item) for item in arguments], env={"ENTANGLE_DATA": None, **(env or {})}
    )
    if ok:
        assert done.exit_code == 0, done.output or done.exception
    return done


def refused(*arguments: object, env: dict[str, str | None] | None = None) -> str:
    done = run(*arguments, env=env, ok=False)
    assert isinstance(done.exception, DataError), done.output
    return str(done.exception)


def identifiers(*arguments: object) -> list[int]:
    return [item["atopid"] for item in json.loads(run("list", "--json", *arguments).stdout)]


# -- list ------------------------------------------------------------------------------------------


def test_list_fits_the_terminal(data):
    lines = run("list", "--data", data).stdout.splitlines()
    assert max(map(len, lines)) <= 80
    korea, west, moscow = lines[1:4]
    assert korea.split() == ["10", "1953–", "DC", "United", "States,", "South", "Korea"]
    assert west.split()[:3] == ["20", "1949–1960", "D"]
    assert west.rstrip().endswith("…"), "only the members are cut"
    assert moscow.split()[:3] == ["30", "1950–1980", "A"]
    assert lines[4].startswith("3 treaties. Duties: D defence")


def test_list_filters(data):
    assert identifiers("--data", data) == [10, 20, 30]
    assert identifiers("--data", data, "--year", 1951) == [20, 30]
    assert identifiers("--data", data, "--state", 2) == [10, 20]
    assert identifiers("--data", data, "--state", 2, "--year", 1970) == [10]
    assert identifiers("--data", data, "--bilateral") == [10, 30]
    assert identifiers("--data", data, "--bilateral", "--defence") == [10]
    assert identifiers("--data", data, "--state", 740) == []
    assert "covers 1815 to 2016" in refused("list", "--data", data, "--year", 2020)


def test_list_as_json(data):
    treaty = json.loads(run("list", "--data", data, "--json").stdout)[0]
    assert treaty == {
        "atopid": 10,
        "title": "United States – South Korea 1953",
        "begin": "1953-03-04",
        "end": None,
        "bilateral": True,
        "phases": 1,
        "duties": ["defence", "consultation"],
        "members": [
            {"ccode": 2, "name": "United States"},
            {"ccode": 732, "name": "South Korea"},
        ],
    }


# -- show ------------------------------------------------------------------------------------------


def test_show_explains_every_code_that_is_not_zero(data):
    text = run("show", 10, "--data", data).stdout
    assert max(map(len, text.splitlines())) <= 80
    rows = {line.split()[0]: line.split()[1:] for line in text.splitlines() if line.strip()}
    assert rows["defense"] == ["1", "commitment", "=", "defence"]
    assert rows["defcoloc"] == ["1", "coverage", "=", "0.8"]
    assert rows["base"] == ["3", "access", "=", "permanent"]
    assert rows["speclgth"] == ["3", "–"]
    assert "milaid" not in rows
    assert "Assumed:" in text
    assert "- `legislature` is absent" in text


def test_show_as_json(data):
    shown = json.loads(run("show", 10, "--data", data, "--json").stdout)
    assert shown["treaty"]["atopid"] == 10
    assert shown["pact"]["coverage"] == 0.8
    assert "assumptions" not in shown["pact"]
    assert {"column": "base", "code": 3, "became": {"access": "permanent"}} in shown["coding"]
    assert {"column": "milaid", "code": 0, "became": {}} in shown["coding"]
    assert any("`coverage`" in line for line in shown["assumptions"])
    several = json.loads(run("show", 20, "--data", data, "--json").stdout)
    became = next(c["became"] for c in several["coding"] if c["column"] == "defense")
    assert len(became["coalition"]["members"]) == 7


def test_show_without_the_member_file_says_so(data):
    alliances = data / "atop" / "atop-alliance-level.csv"
    text = run("show", 10, "--alliances", alliances).stdout
    assert "member-level file was not read" in " ".join(text.split())
    assert "coverage" not in text.split("Assumed:")[0]


def test_show_takes_seats(data):
    assert "no ATOP treaty 11" in refused("show", 11, "--data", data)
    assert "Japan (740), is not a member" in refused("show", 10, "--data", data, "--protege", 740)
    shown = run("show", 20, "--data", data, "--protege", 20, "--defender", 2, "--json").stdout
    assert json.loads(shown)["pact"]["coalition"]["members"][0] == "united_states"


# -- study -----------------------------------------------------------------------------------------


def test_study_writes_a_study_and_says_what_it_assumed(data, tmp_path):
    out = tmp_path / "korea.toml"
    text = " ".join(run("study", 10, "--data", data, "--out", out, "--challenger", 731).stdout.split())
    study = Study.load(out)
    assert study.scenario.challenger == "north_korea"
    assert study.scenario.protege == "south_korea"
    assert list(study.pacts) == ["treaty", "no_pact", "automatic"]
    assert str(out) in text
    for sentence in study.pacts["treaty"].assumptions:
        assert sentence in text
    assert "South Korea is taken for the protégé" in text
    assert "South Korea is taken for the protégé" in " ".join(study.assumptions)
    assert out.read_text(encoding="utf-8").startswith("# United States – South Korea 1953, in 2016.\n")


def test_study_takes_seats_and_a_year(data, tmp_path):
    out = tmp_path / "west.toml"
    run(
        "study",
        20,
        "--data",
        data,
        "--out",
        out,
        "--protege",
        235,
        "--defender",
        200,
        "--year",
        1955,
    )
    study = Study.load(out)
    assert (study.scenario.protege, study.scenario.defender) == ("portugal", "united_kingdom")
    assert "in 1955" in (study.title or "")


def test_study_leaves_nothing_behind_when_it_fails(data, tmp_path):
    out = tmp_path / "out" / "moscow.toml"
    assert "cannot be written" in refused("study", 10, "--data", data, "--out", out)
    out.parent.mkdir()
    assert "no year of ATOP treaty 30" in refused("study", 30, "--data", data, "--out", out)
    assert list(out.parent.iterdir()) == []
    assert run("study", 10, "--data", data, ok=False).exit_code == 2, "--out is required"


# -- where the data are ----------------------------------------------------------------------------


def test_the_data_folder_may_be_in_the_environment(data):
    found = json.loads(run("list", "--json", env={"ENTANGLE_DATA": str(data)}).stdout)
    assert len(found) == 3


def test_the_data_may_lie_in_one_folder(data, tmp_path):
    flat = tmp_path / "flat"
    flat.mkdir()
    for path in data.rglob("*.csv"):
        path.rename(flat / path.name)
    out = tmp_path / "study.toml"
    run("study", 10, "--data", flat, "--out", out)
    assert Study.load(out).pacts["treaty"].coverage == 0.8
    assert Study.load(out).actors["united_states"].regime == 0.9


def test_a_file_may_be_named_alone(data, tmp_path):
    other = write_cinc(tmp_path / "mine.csv", {(2, 2016): 0.4, (732, 2016): 0.1})
    out = tmp_path / "study.toml"
    run("study", 10, "--data", data, "--out", out, "--capabilities", other)
    assert Study.load(out).actors["united_states"].capability == 0.4


def test_data_that_are_not_there_are_an_error_that_says_what_to_do(data, tmp_path):
    assert "--alliances, or the folder of the data with --data" in refused("list")
    assert "no such folder" in refused("list", "--data", tmp_path / "nowhere")
    assert "ATOP alliance-level file" in refused("list", "--data", tmp_path)
    (data / "nmc" / "nmc7.csv").rename(data / "nmc" / "figures.csv")
    text = refused("study", 10, "--data", data, "--out", tmp_path / "x.toml")
    assert text.startswith("The National Material Capabilities file (nmc*.csv")
    assert "--capabilities" in text


def test_two_files_that_may_be_the_right_one_are_not_chosen_between(data, tmp_path):
    write_cinc(data / "nmc" / "nmc6.csv", {(2, 2016): 0.4})
    text = refused("study", 10, "--data", data, "--out", tmp_path / "x.toml")
    assert "nmc6.csv, nmc7.csv" in text
    assert "--capabilities" in text


# -- the module ------------------------------------------------------------------------------------


def test_nothing_heavy_is_imported_before_a_command_runs():
    tree = ast.parse(Path(atop.__file__).read_text(encoding="utf-8"))
    imported = {
        name.split(".")[0]
        for node in tree.body
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in (
            [node.module or ""] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names]
        )
    }
    assert imported == {"__future__", "collections", "pathlib", "typing", "click"}


# -- the real files --------------------------------------------------------------------------------


@needs_data
def test_real_treaties_are_listed():
    lines = run("list", "--data", DATA, "--defence").stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[-2].startswith("275 treaties") or lines[-1].startswith("275 treaties")
    found = json.loads(
        run(
            "list",
            "--data",
            DATA,
            "--state",
            2,
            "--year",
            2016,
            "--bilateral",
            "--defence",
            "--json",
        ).stdout
    )
    assert [treaty["atopid"] for treaty in found] == [3210, 3240, 3355, 3360, 3375]


@needs_data
@pytest.mark.parametrize("atopid", [3240, 3210, 3375, 3445, 1335, 3150])
def test_real_treaties_become_studies(atopid, tmp_path):
    out = tmp_path / "study.toml"
    run("study", atopid, "--data", DATA, "--out", out)
    study = Study.load(out)
    assert study.pacts["treaty"].commitment == "defence"
    assert f"alliance {atopid}" in (study.pacts["treaty"].source or "")


@needs_data
def test_every_real_defence_pact_can_be_shown():
    found = json.loads(run("list", "--data", DATA, "--defence", "--json").stdout)
    for treaty in found[::25]:
        text = run("show", treaty["atopid"], "--data", DATA).stdout
        assert max(map(len, text.splitlines())) <= 80
