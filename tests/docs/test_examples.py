"""Examples in the pages run as they stand."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import jupytext
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from entangle.cli import cli

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"


@pytest.fixture
def workplace(tmp_path: Path) -> Path:
    """Return a folder that looks like the root of a clone, to write into."""
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    return tmp_path


def environment() -> dict[str, str]:
    path = os.pathsep.join([str(ROOT), str(ROOT / "kernels")])
    # a kernel's debugger warns about frozen modules
    return os.environ | {"PYTHONPATH": path, "MPLBACKEND": "Agg", "PYDEVD_DISABLE_FILE_VALIDATION": "1"}


def blocks(page: Path, language: str) -> list[str]:
    """Return the code blocks of a page, less those that say why they are not run."""
    text = re.sub(
        r"<!-- not run by the tests: .*? -->\n```.*?^```",
        "",
        page.read_text(encoding="utf-8"),
        flags=re.MULTILINE | re.DOTALL,
    )
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def run_python(code: str, folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def run_notebook(notebook: Any, folder: Path) -> Any:
    client = NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    )
    return client.execute(env=environment())


def test_the_tutorial_runs_without_an_error(workplace: Path) -> None:
    notebook = run_notebook(jupytext.read(DOCS / "tutorial.md"), workplace)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert any("image/png" in output.get("data", {}) for output in outputs), "the plot is shown"
    assert any(
        "[pacts" in output.get("text", "") or "strength" in output.get("text", "") for output in outputs
    )
    assert (workplace / "us_rok.nc").exists()


def test_a_cell_that_fails_fails_the_test(tmp_path: Path) -> None:
    notebook = jupytext.reads("```python\nassert 1 + 1 == 3\n```\n", fmt="md")
    with pytest.raises(CellExecutionError, match="AssertionError"):
        run_notebook(notebook, tmp_path)


def test_the_tutorial_is_a_notebook() -> None:
    notebook = jupytext.read(DOCS / "tutorial.md")
    assert notebook.metadata["jupytext"]["formats"] == "md"
    assert notebook.metadata["kernelspec"]["name"] == "python3"
    assert sum(cell.cell_type == "code" for cell in notebook.cells) >= 10


def test_the_first_lines_of_the_readme_run(workplace: Path) -> None:
    run_python("\n".join(blocks(ROOT / "README.md", "python")), workplace)


@pytest.mark.parametrize("page", ["howto.md", "entanglement.md"])
def test_the_python_of_a_page_runs(page: str, workplace: Path) -> None:
    run_python("\n".join(blocks(DOCS / page, "python")), workplace)


def test_the_commands_for_long_runs_give_what_the_page_says(workplace: Path) -> None:
    lines = [line for block in blocks(DOCS / "clusters.md", "sh") for line in block.splitlines()]
    assert [line.split()[:2] for line in lines] == [
        ["entangle", name]
        for name in ("run", "resume", "journal", "run", "run", "journal", "merge", "batch", "batch")
    ]
    for line in lines:
        done = subprocess.run(
            [sys.executable, "-m", *shlex.split(line)],
            cwd=workplace,
            env=environment() | {"SOURCE_DATE_EPOCH": "0"},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    written = [workplace / name for name in ("us_rok.nc", "us_rok.journal/result.nc", "us_rok_merged.nc")]
    assert len({path.read_bytes() for path in written}) == 1


def test_the_toml_of_the_readme_is_two_pacts() -> None:
    import tomllib

    from entangle import Pact

    for example in blocks(ROOT / "README.md", "toml") + blocks(DOCS / "howto.md", "toml"):
        pacts = {name: Pact.model_validate(terms) for name, terms in tomllib.loads(example)["pacts"].items()}
        assert not pacts["treaty"].is_empty


def commands(page: Path) -> list[str]:
    """Return every `entangle ...` command of a page, in blocks and in running text."""
    text = page.read_text(encoding="utf-8")
    lines = [
        line
        for block in re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
        for line in block.splitlines()
    ]
    found = [re.sub(r"^\S*/(?=entangle )", "", line.partition("#")[0].strip()) for line in lines]
    inline = re.findall(r"`(entangle [^`]+)`", text)
    return [line for line in [*found, *inline] if line.startswith("entangle ")]


ALL = [
    (page.name, line) for page in (ROOT / "README.md", *sorted(DOCS.glob("*.md"))) for line in commands(page)
]


def test_commands_are_found() -> None:
    assert len(ALL) >= 15
    assert ("README.md", "entangle run configs/us_rok.toml") in ALL, "from .venv/bin, too"


@pytest.mark.parametrize(("page", "line"), ALL, ids=[f"{page}: {line}" for page, line in ALL])
def test_commands_that_are_shown_exist(page: str, line: str) -> None:
    parse(line)


@pytest.mark.parametrize("line", ["entangle fly", "entangle run --fast", "entangle atop show 3240 --moon 1"])
def test_commands_that_do_not_exist_are_noticed(line: str) -> None:
    with pytest.raises(AssertionError):
        parse(line)


def parse(line: str) -> None:
    """Check that the command and its options exist; values and files are not looked at."""
    words = shlex.split(line)[1:]
    command: click.Command = cli
    context = click.Context(cli)
    while words and isinstance(command, click.Group) and not words[0].startswith("-"):
        found = command.get_command(context, words[0])
        assert found is not None, f"no command {words[0]!r}"
        command, words = found, words[1:]
    known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    for word in words:
        if word.startswith("-"):
            assert word.partition("=")[0] in known | {"--help", "--version"}, f"no option {word!r}"
