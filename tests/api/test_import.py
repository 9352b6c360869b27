"""What is imported when: the package, its version and its help must not load the heavy libraries."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import entangle

ROOT = Path(__file__).resolve().parents[2]
HEAVY = {
    "dask",
    "distributed",
    "h5netcdf",
    "h5py",
    "llvmlite",
    "matplotlib",
    "numba",
    "numpy",
    "pandas",
    "pydantic",
    "scipy",
    "xarray",
}


def imported(*arguments: str) -> set[str]:
    """Return the top-level packages that a fresh interpreter imports."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "kernels")])
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *arguments],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in lines}


@pytest.mark.parametrize(
    "arguments",
    [
        ["-c", "import entangle"],
        ["-c", "import entangle; entangle.__version__; dir(entangle)"],
        ["-m", "entangle", "--help"],
        ["-m", "entangle", "--version"],
        *(
            ["-m", "entangle", name, "--help"]
            for name in (
                "run",
                "decades",
                "exact",
                "channels",
                "clauses",
                "compare",
                "diff",
                "verify",
                "explain",
                "sample",
                "validate",
                "schema",
            )
        ),
        ["-m", "entangle", "atop", "list", "--help"],
        ["-m", "entangle", "evidence", "moments", "--help"],
    ],
    ids=lambda arguments: " ".join(arguments[1:]),
)
def test_nothing_heavy_is_imported(arguments):
    assert imported(*arguments) & HEAVY == set()


def test_the_check_sees_a_heavy_import():
    assert imported("-c", "import entangle; entangle.Result") >= {"numpy", "xarray"}
    assert "pydantic" in imported("-c", "import entangle; entangle.Study")


@pytest.mark.parametrize("name", entangle.__all__)
def test_every_public_name_is_there(name):
    assert getattr(entangle, name) is not None
    assert name in dir(entangle)


def test_public_names_are_the_objects_of_their_rooms():
    from entangle.result import Result
    from entangle.study import Study, load

    assert entangle.Result is Result
    assert entangle.Study is Study
    assert entangle.load is load


def test_the_treaties_are_reached_as_an_attribute():
    assert entangle.atop.Treaties.__module__.startswith("entangle.atop")


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'Studdy'"):
        entangle.Studdy  # noqa: B018
