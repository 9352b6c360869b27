"""The rules of the house, held by the tools that know them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
WALL = next(
    contract for contract in PYPROJECT["tool"]["importlinter"]["contracts"] if contract["id"] == "wall"
)
FORBIDDEN = WALL["forbidden_modules"]

pytestmark = pytest.mark.lint


def script(name: str) -> str:
    """Return the command `name` of this environment, or the one on the path."""
    beside = shutil.which(name, path=str(Path(sys.executable).parent))
    found = beside or shutil.which(name)
    assert found, f"{name} is not installed here; `make setup` installs every tool"
    return found


def run(*command: str, cwd: Path = ROOT, path: tuple[Path, ...] = ()) -> subprocess.CompletedProcess[str]:
    """Run `command` in `cwd`; Python looks for imports in the folders `path` first."""
    folders = [str(folder) for folder in path]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(folders), "NO_COLOR": "1"}
    return subprocess.run(
        command,
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def assert_clean(*command: str) -> None:
    done = run(*command, path=(ROOT, ROOT / "kernels"))
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}"


def test_ruff_finds_nothing() -> None:
    assert_clean(script("ruff"), "check")


def test_every_file_is_laid_out_by_ruff() -> None:
    assert_clean(script("ruff"), "format", "--check")


def test_mypy_finds_nothing() -> None:
    assert_clean(sys.executable, "-m", "mypy")


def test_pyright_finds_nothing() -> None:
    pyright = script("pyright")
    start = run(pyright, "--version")
    if start.returncode != 0:
        said = start.stdout.strip().rpartition("\n")[2]
        pytest.skip(f"pyright needs Node.js, which is not here and could not be had ({said})")
    assert_clean(pyright, "--pythonpath", sys.executable)


def test_import_rules_hold() -> None:
    assert_clean(script("lint-imports"), "--no-cache")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Return a copy of both packages and their import rules."""
    for package in (ROOT / "kernels" / "entangle_kernels", ROOT / "entangle"):
        shutil.copytree(package, tmp_path / package.name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_import_rules_bite(copy: Path) -> None:
    lint = (script("lint-imports"), "--no-cache")
    clean = run(*lint, cwd=copy, path=(copy,))
    assert clean.returncode == 0, clean.stdout

    for name in FORBIDDEN:
        leak = copy / "entangle_kernels" / f"leak_{name}.py"
        leak.write_text(f"import {name}\n", encoding="utf-8")
    broken = run(*lint, cwd=copy, path=(copy,))
    assert broken.returncode == 1, broken.stdout
    missed = [name for name in FORBIDDEN if f"entangle_kernels.leak_{name} -> {name}" not in broken.stdout]
    assert not missed, f"imports that got through the wall: {missed}\n{broken.stdout}"


def test_core_loads_nothing_from_beyond_the_wall() -> None:
    program = "import sys, entangle_kernels; print(*{name.partition('.')[0] for name in sys.modules})"
    done = run(sys.executable, "-c", program, path=(ROOT / "kernels",))
    assert done.returncode == 0, done.stdout
    loaded = set(done.stdout.split())
    assert "entangle_kernels" in loaded
    assert loaded.isdisjoint(FORBIDDEN), f"loaded: {sorted(loaded.intersection(FORBIDDEN))}"


def test_no_file_names_a_package_registry() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout, so there is no list of the project's own files")
    listing = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    assert listing.returncode == 0, listing.stdout
    files = [ROOT / name for name in listing.stdout.split("\0") if name]
    assert ROOT / "pyproject.toml" in files

    # Put together here, so that this file does not match itself.
    hosts = ["pypi" + ".org", "python" + "hosted", "npm" + "js.", "--index" + "-url"]
    needle = re.compile(rf"{'|'.join(map(re.escape, hosts))}|\w://\S*/{'sim' + 'ple'}\b", re.IGNORECASE)
    found = [
        f"{file.relative_to(ROOT)}: {match.group()}"
        for file in files
        if file.is_file()
        for match in needle.finditer(file.read_bytes().decode("utf-8", errors="replace"))
    ]
    assert not found, "\n".join(found)


def test_constraints_are_exact_versions_without_addresses() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    assert not [line for line in lines if "http" in line or "file:" in line]
    pins = [Requirement(line) for line in lines]
    loose = [str(pin) for pin in pins if [part.operator for part in pin.specifier] != ["=="]]
    assert not loose, f"only `name==version` may stand in constraints.txt: {loose}"


def test_constraints_meet_every_dependency() -> None:
    project = PYPROJECT["project"]
    asked = [*project["dependencies"], *project["optional-dependencies"]["test"]]
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [pin for pin in map(Requirement, lines) if pin.marker is None or pin.marker.evaluate()]
    version = {canonicalize_name(pin.name): next(iter(pin.specifier)).version for pin in pins}
    unmet = [
        text
        for text in asked
        for need in [Requirement(text)]
        if not need.specifier.contains(version.get(canonicalize_name(need.name), "0"))
    ]
    assert not unmet, f"constraints.txt is behind pyproject.toml; run `make constraints`: {unmet}"
