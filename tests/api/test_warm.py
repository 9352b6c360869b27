"""`entangle warm`: afterwards a run compiles nothing, and what is told of the folder is so."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from entangle import warm
from entangle.cli import cli
from entangle_kernels import compiled, jit

ROOT = Path(__file__).resolve().parents[2]

#: Every way into the engine, other questions than those of :mod:`entangle.warm`: shipped studies with their
#: own sizes and a small one with another number of types and rounds, other clauses and other outcomes.
QUESTIONS = """
import json, sys, warnings
import numpy as np
import entangle
from entangle.learning.tornado import tornado
from entangle.fit import predict, priors
from entangle_kernels import jit
from small_studies import small

warnings.simplefilter("ignore")
rok = entangle.load("configs/us_rok.toml")
rok = rok.replace(pacts={name: rok.pacts[name] for name in ("treaty", "no_pact")})
result = rok.run(trajectories=40_000, workers=2)
result.replay(int(result.find("war", pact="treaty")[0]), pact="treaty").story()
result.compare("treaty", "no_pact")
def sized(types, rounds, years):
    parameters = {"precision": 2.0, "types": types, "rounds": rounds}
    return small(parameters=parameters, peacetime={"years": years, "context_error": 0.5})

tiny = sized(3, 3, 4)
tiny.exact()
tiny.run(trajectories=3000, until={"war": 0.3}, seed=3)
tiny.run(trajectories=3000, attribution=True)
tiny.sample_given("major_war", n=3, pact="with_vote").replay(1).story()
tiny.channels()
tiny.clauses(pacts=["with_vote"])
tiny.attribution()
tiny.run(draws=2, trajectories=1000)
alone = tiny.replace(pacts={"treaty": tiny.pacts["treaty"]})
alone.run(trajectories=3000)
decades = alone.decades(histories=400, keep=1)
decades.replay(0, pact="treaty").story()
alone.decade_channels(histories=200)
coarse = sized(1, 1, 2)
coarse.run(trajectories=3000)
coarse.channels()
coarse.decades(histories=100)
still = dict.fromkeys(("free_riding", "shock", "tilt", "prize", "grievance_step"), 0.0) | {"react": [0.0] * 3}
still |= {f"{actor}_losses": [0.0] * 8 for actor in ("challenger", "protege", "defender")}
for years in (1, 2):
    flat = coarse.replace(peacetime=coarse.peacetime.replace(years=years, **still))
    flat.decades(histories=1)
    flat.decade_channels(histories=1)
single = coarse.replace(pacts={"no_pact": coarse.pacts["no_pact"]})
single.run(trajectories=1)
single.channels()
single.replace(peacetime=coarse.peacetime.replace(years=1)).decades(histories=1)
point = np.zeros(len(priors.NAMES))
predict.predicted(point, members=4, workers=1)
print(json.dumps({"compiled": jit.STORE.compiled, "used": sorted(jit.STORE.used)}))
"""


def python(*arguments: str, **environment: str) -> str:
    path = os.pathsep.join(str(ROOT / part) for part in (".", "kernels", "tests"))
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": path, "ENTANGLE_CACHE": "off"} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def assert_nothing_is_left_to_compile(**environment: str) -> None:
    found = json.loads(python("-c", QUESTIONS, **environment).splitlines()[-1])
    assert found["compiled"] == []
    told = "from entangle_kernels import jit; print(jit.STORE.read('needed.list').decode())"
    needed = set(python("-c", told, **environment).split())
    assert len(found["used"]) >= 20
    # code that some other test left there would not be in an image
    assert set(found["used"]) - needed == set()


def test_after_warm_a_run_compiles_nothing() -> None:
    """In the folder that the tests share, so that it costs seconds where they have run before."""
    python("-c", "from entangle import warm; warm.warm()")
    assert_nothing_is_left_to_compile()


@pytest.mark.nightly
def test_from_nothing_every_kernel_is_compiled(tmp_path: Path) -> None:
    there = {"NUMBA_CACHE_DIR": str(tmp_path)}
    python("-m", "entangle", "warm", **there)
    told = "from entangle import warm; from entangle_kernels import jit; warm._import_all()"
    kernels = set(
        json.loads(python("-c", f"{told}; import json; print(json.dumps(list(jit.KERNELS)))", **there))
    )
    (place,) = tmp_path.iterdir()
    assert {file.name.rpartition("-")[0] for file in place.glob("*.code")} == kernels
    assert_nothing_is_left_to_compile(**there)
    python("-m", "entangle", "warm", "--check", **there)


# -- what the command tells -----------------------------------------------------------------------


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> compiled.Store:
    place = compiled.folder(tmp_path, jit.folder_name())
    about = json.dumps({"version": jit.version(), "processor": jit.processor()})
    made = compiled.Store(place, about)
    monkeypatch.setattr(jit, "STORE", made)
    return made


def filled(store: compiled.Store, *names: str) -> None:
    for name in names:
        assert store.write(name, b"1234")
    assert store.write("needed.list", "\n".join(names).encode())


def said(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["warm", *arguments])


def test_check_refuses_an_empty_folder(store: compiled.Store) -> None:
    told = said("--check")
    assert told.exit_code == 1
    assert told.output == (
        f"{store.folder}: not everything is compiled (it was never made whole). Run: entangle warm\n"
    )
    assert not any(store.folder.iterdir())  # nothing was compiled


def test_check_accepts_a_whole_folder(store: compiled.Store) -> None:
    filled(store, "a.f-1.code", "a.f-2.code", "b.g-1.code")
    told = said("--check")
    assert told.exit_code == 0
    assert told.output == (
        f"Compiled code: {store.folder}\nAll of it is there: 2 functions, 3 files, 0.0 MB.\n"
    )
    assert said().output == told.output  # and there is nothing to do
    assert said("--check", "--quiet").output == ""


@pytest.mark.parametrize("damage", ["file gone", "file damaged", "list damaged"])
def test_check_sees_what_is_damaged(store: compiled.Store, damage: str) -> None:
    filled(store, "a.f-1.code", "b.g-1.code")
    path = store.folder / ("needed.list" if damage == "list damaged" else "b.g-1.code")
    if damage == "file gone":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-1])
    told = said("--check")
    assert told.exit_code == 1
    assert ("never made whole" if damage == "list damaged" else "1 of its files are missing") in told.output


def other(store: compiled.Store, name: str, about: Any, seconds: float = 0.0) -> Path:
    place = store.folder.parent / name
    place.mkdir()
    (place / "a.f-1.code").write_bytes(bytes(3_000_000))
    if about is not None:
        (place / "about.json").write_text(about if isinstance(about, str) else json.dumps(about))
    os.utime(place, (time.time() - seconds,) * 2)
    return place


def test_clean_removes_other_versions_and_nothing_else(store: compiled.Store) -> None:
    filled(store, "a.f-1.code")
    version = jit.version()
    processor = other(store, "entangle-p", {"version": version, "processor": {"processor": "i486"}})
    newer = other(store, "entangle-n", {"version": version | {"numba": "0.0"}}, seconds=50)
    before = other(store, "entangle-b", None, seconds=500)
    strange = other(store, "entangle-s", "[", seconds=5)
    solutions = other(store, "solutions", None)
    assert warm.others() == [before, newer, strange]
    assert said().output.splitlines()[2] == (
        "Beside it: the code of 3 other versions, 9.0 MB. To remove: entangle warm --clean"
    )
    assert before.is_dir()
    assert said("--clean").output.splitlines()[2] == "Removed the code of 3 other versions, 9.0 MB."
    assert sorted(store.folder.parent.iterdir()) == sorted([store.folder, processor, solutions])
    assert said("--clean").output.splitlines()[2] == "Removed the code of 0 other versions, 0.0 MB."
    assert said("--check").exit_code == 0


def test_clean_does_not_follow_links(store: compiled.Store, tmp_path: Path) -> None:
    filled(store, "a.f-1.code")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "a.f-1.code").touch()
    (store.folder.parent / "entangle-link").symlink_to(tmp_path / "mine")
    assert said("--clean").exit_code == 0
    assert (tmp_path / "mine" / "a.f-1.code").exists()


def test_check_and_clean_do_not_go_together(store: compiled.Store) -> None:
    told = said("--check", "--clean")
    assert told.exit_code == 2
    assert "--check changes nothing" in told.output


def test_a_folder_that_cannot_be_written_is_told(
    store: compiled.Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warm, "_STEPS", (lambda: store.compiled.append("a.f"),))
    told = said()
    assert told.exit_code == 1
    assert told.output.startswith(f"{store.folder}: compiled code could not be written there.")
    assert "NUMBA_CACHE_DIR" in told.output


def test_progress_counts_functions_and_the_cache_of_solutions_is_left_out(
    store: compiled.Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, int]] = []

    def step() -> None:
        assert os.environ["ENTANGLE_CACHE"] == "off"
        for name in ("a.f-1.code", "a.f-2.code", "b.g-1.code"):
            store.write(name, b"")
            store.done(name)

    monkeypatch.setattr(warm, "_STEPS", (step,))
    monkeypatch.setenv("ENTANGLE_CACHE", "/somewhere")
    assert warm.warm(lambda done, total: seen.append((done, total))) >= 0.0
    assert seen == [(1, len(jit.KERNELS)), (1, len(jit.KERNELS)), (2, len(jit.KERNELS))]
    assert os.environ["ENTANGLE_CACHE"] == "/somewhere"
    assert warm.missing() == []
    assert store.watch is None


def test_nothing_to_compile_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jit._CONFIG, "DISABLE_JIT", 1)
    told = said()
    assert told.exit_code == 1
    assert told.output == "NUMBA_DISABLE_JIT is set: nothing is compiled. Unset it.\n"
