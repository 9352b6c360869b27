"""Compiled code on disk: never stale, never another processor's, never trusted if damaged or a stranger's."""

from __future__ import annotations

import os
import platform
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest

import entangle_kernels
from entangle_kernels import compiled, jit

SOURCES = Path(entangle_kernels.__file__).parent
POSIX = pytest.mark.skipif(not hasattr(os, "geteuid"), reason="owners and modes are those of POSIX")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return compiled.folder(tmp_path / "root", "entangle-0")


def thrice(x: Any) -> Any:
    return 3 * x


def process(place: Path) -> tuple[Callable[[Any], Any], compiled.Store]:
    """Return what a new process would see: the function, nothing of it in memory."""
    store = compiled.Store(place, '{"version": {}}\n')
    made: Any = numba.njit(**jit.OPTIONS)(thrice)
    made._cache = compiled.Kept(thrice, store)
    return made, store


def files(place: Path) -> list[Path]:
    return sorted(place.glob(f"*{compiled.SUFFIX}"))


# -- what the folder's name depends on ------------------------------------------------------------


@pytest.mark.parametrize(
    ("where", "attribute", "value"),
    [
        (jit._CONFIG, "CPU_NAME", "generic"),
        (jit._CONFIG, "CPU_FEATURES", "-avx2"),
        (jit._CONFIG, "OPT", 1),
        (jit._CONFIG, "BOUNDSCHECK", 1),
        (jit._CONFIG, "SLP_VECTORIZE", 7),
        (jit._CONFIG, "ENABLE_AVX", 7),
        (jit.numba, "__version__", "0.0"),
        (jit.llvmlite, "__version__", "0.0"),
        (jit.np, "__version__", "0.0"),
        (platform, "python_version", lambda: "3.99"),
        (jit.llvm, "get_host_cpu_name", lambda: "i486"),
        (jit.llvm, "get_process_triple", lambda: "riscv64-unknown-linux-gnu"),
        (jit, "OPTIONS", {"nogil": True}),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_another_version_or_processor_has_another_folder(
    monkeypatch: pytest.MonkeyPatch, where: Any, attribute: str, value: Any
) -> None:
    before = jit.folder_name()
    assert jit.folder_name() == before
    monkeypatch.setattr(where, attribute, value)
    assert jit.folder_name() != before


def test_what_code_does_not_depend_on_leaves_the_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    before = jit.folder_name()
    monkeypatch.setattr(jit._CONFIG, "NUMBA_NUM_THREADS", 1)
    monkeypatch.setenv("ENTANGLE_CACHE", "off")
    assert jit.folder_name() == before


def run(*lines: str, kernels: Path = SOURCES.parent, cache: Path, **environment: str) -> list[str]:
    """Run lines in a new process and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-W", "always", "-c", "\n".join(lines)],
        env=os.environ | {"PYTHONPATH": str(kernels), "NUMBA_CACHE_DIR": str(cache)} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines() + [line for line in done.stderr.splitlines() if "Warning" in line]


CALL = "from entangle_kernels.caller import called; print(called(1)); from entangle_kernels import jit"
TOLD = "print(jit.STORE.compiled); print(jit.STORE.folder.name)"


def test_an_edit_of_a_callee_in_another_file_is_seen(tmp_path: Path) -> None:
    package = tmp_path / "entangle_kernels"
    package.mkdir()
    for name in ("__init__", "jit", "compiled"):
        shutil.copy(SOURCES / f"{name}.py", package)
    head = "from entangle_kernels.jit import jit\n"
    (package / "callee.py").write_text(f"{head}@jit\ndef inner(x):\n    return x + 1\n")
    (package / "caller.py").write_text(
        f"{head}from entangle_kernels.callee import inner\n@jit\ndef called(x):\n    return 10 * inner(x)\n"
    )
    one = {"kernels": tmp_path, "cache": tmp_path / "cache"}
    first = run(CALL, TOLD, **one)
    assert first[:2] == ["20", "['callee.inner', 'caller.called']"]
    assert run(CALL, TOLD, **one) == ["20", "[]", first[2]]  # the caller holds what it calls
    (package / "callee.py").write_text(f"{head}@jit\ndef inner(x):\n    return x + 2\n")
    edited = run(CALL, TOLD, **one)
    assert edited[:2] == ["30", "['callee.inner', 'caller.called']"]
    assert edited[2] != first[2]
    other = run(CALL, TOLD, **one, NUMBA_CPU_NAME="generic")
    assert other[:2] == edited[:2]
    assert other[2] not in {first[2], edited[2]}


# -- damage ---------------------------------------------------------------------------------------


def cut(whole: bytes) -> bytes:
    return whole[: len(whole) // 2]


def flipped(whole: bytes) -> bytes:
    middle = len(whole) // 2
    return whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]


@pytest.mark.parametrize(
    "damage",
    [lambda _: b"", lambda whole: whole[:32], cut, flipped, lambda _: os.urandom(9000), lambda w: w + b"\0"],
    ids=["empty", "seal alone", "cut short", "one bit", "garbage", "one byte more"],
)
def test_a_damaged_file_is_compiled_anew(place: Path, damage: Callable[[bytes], bytes]) -> None:
    thrice_, store = process(place)
    assert thrice_(2) == 6
    (file,) = files(place)
    whole = file.read_bytes()
    file.write_bytes(damage(whole))
    thrice_, store = process(place)
    assert thrice_(2) == 6
    assert store.compiled == ["test_compiled_code.thrice"]
    thrice_, store = process(place)
    assert thrice_(2) == 6
    assert store.compiled == []  # and the file is whole again


def test_a_whole_file_is_read(place: Path) -> None:
    # twin of the test above
    process(place)[0](2)
    thrice_, store = process(place)
    assert thrice_(2) == 6
    assert store.compiled == []
    assert store.used == {file.name for file in files(place)}


@pytest.mark.parametrize("body", [b"", b"no pickle", b"\x80\x04N.", b"\x80\x04]."])
def test_what_is_whole_but_no_code_is_compiled_anew(place: Path, body: bytes) -> None:
    process(place)[0](2)
    (file,) = files(place)
    assert compiled.write(file, body)
    thrice_, store = process(place)
    assert thrice_(2) == 6
    assert store.compiled


def test_code_under_the_name_of_another_is_not_used(place: Path) -> None:
    thrice_, _ = process(place)
    thrice_(2)
    (whole,) = files(place)
    thrice_(0.5)
    (real,) = set(files(place)) - {whole}
    real.write_bytes(whole.read_bytes())  # misplaced: the seal is of another name
    thrice_, store = process(place)
    assert thrice_(0.5) == 1.5
    assert store.compiled
    body = compiled.read(whole)
    assert body is not None
    compiled.write(real, body)  # sealed anew, but its key is another one
    thrice_, store = process(place)
    assert thrice_(0.5) == 1.5
    assert store.compiled


def test_a_folder_that_goes_away_is_made_anew(place: Path) -> None:
    shutil.rmtree(place)
    process(place)[0](2)
    assert len(files(place)) == 1
    assert stat.S_IMODE(place.stat().st_mode) & 0o077 == 0 or os.name == "nt"


def test_a_full_disk_costs_no_result(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    thrice_, store = process(place)
    assert thrice_(2) == 6
    assert not store.used
    assert list(place.iterdir()) == []  # nothing half-written stays


# -- many at once ---------------------------------------------------------------------------------


def test_processes_that_compile_at_the_same_time_are_all_right(tmp_path: Path) -> None:
    """Six processes, three signatures, one function: right answers, and code for each afterwards."""
    program = (
        "import numpy as np; from entangle_kernels import jit; from entangle_kernels.linear import dot;"
        "import sys; kind = np.dtype(sys.argv[1]); a = np.arange(9).astype(kind);"
        "print(dot(a, a), jit.STORE.compiled)"
    )
    environment = os.environ | {"PYTHONPATH": str(SOURCES.parent), "NUMBA_CACHE_DIR": str(tmp_path)}
    kinds = ["f8", "f4", "i8"]

    def started(kind: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", program, kind], env=environment, stdout=subprocess.PIPE, text=True
        )

    for expected in (["['linear.dot']"], ["[]"]):
        running = [started(kind) for kind in 2 * kinds]
        for one in running:
            told, _ = one.communicate()
            assert one.returncode == 0
            value, said = told.split(maxsplit=1)
            assert float(value) == 204.0
            assert said.strip() in (*expected, "[]")
    (place,) = tmp_path.iterdir()
    assert len(files(place)) == len(kinds)
    assert not list(place.glob(".*"))


# -- whose it is ----------------------------------------------------------------------------------


@pytest.fixture
def stranger(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Give a path to another user."""

    def give(path: Path) -> None:
        real, own = path.lstat(), os.geteuid()
        if own == 0:
            os.chown(path, 54321, -1, follow_symlinks=False)
            return
        looked, opened = Path.lstat, os.fstat  # only the administrator can give away: let it look so

        def owned(found: os.stat_result) -> os.stat_result:
            if (found.st_ino, found.st_dev) != (real.st_ino, real.st_dev):
                return found
            values = list(found)
            values[4] = 54321
            return os.stat_result(values)

        monkeypatch.setattr(Path, "lstat", lambda asked: owned(looked(asked)))
        monkeypatch.setattr(os, "fstat", lambda asked: owned(opened(asked)))

    return give


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A temporary folder of the test's own."""
    other = tmp_path / "tmp"
    other.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(other))
    return other


def assert_private(found: Path, elsewhere: Path) -> None:
    base = found.parent
    assert base.parent == elsewhere
    assert base != compiled.temporary()
    assert stat.S_IMODE(base.stat().st_mode) == 0o700
    assert base.stat().st_uid == os.geteuid()


@POSIX
def test_a_new_folder_is_closed_to_others(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        found = compiled.folder(tmp_path / "root", "entangle-0")
        process(found)[0](2)
    finally:
        os.umask(before)
    assert found == tmp_path / "root" / "entangle-0"
    for path, mode in ((found, 0o700), (found.parent, 0o700), (files(found)[0], 0o600)):
        assert stat.S_IMODE(path.stat().st_mode) == mode


@POSIX
@pytest.mark.parametrize("mode", [0o777, 0o770, 0o1777, 0o702])
def test_a_folder_that_others_may_write_to_is_refused(tmp_path: Path, elsewhere: Path, mode: int) -> None:
    place = tmp_path / "root" / "entangle-0"
    place.mkdir(parents=True)
    place.chmod(mode)
    with pytest.warns(
        compiled.CacheWarning, match=rf"entangle-0: .* others may write to it \(mode {mode:o}\)"
    ):
        found = compiled.folder(tmp_path / "root", "entangle-0")
    assert_private(found, elsewhere)


@POSIX
def test_a_folder_of_another_user_is_refused(
    place: Path, elsewhere: Path, stranger: Callable[[Path], None]
) -> None:
    stranger(place)
    with pytest.warns(compiled.CacheWarning, match=r"belongs to another user \(number 54321\)"):
        found = compiled.folder(place.parent, "entangle-0")
    assert_private(found, elsewhere)


@POSIX
def test_a_link_is_refused(place: Path, elsewhere: Path) -> None:
    (place.parent / "entangle-1").symlink_to(place)
    with pytest.warns(compiled.CacheWarning, match="it is a link"):
        found = compiled.folder(place.parent, "entangle-1")
    assert_private(found, elsewhere)


def test_a_file_in_its_place_is_refused(place: Path, elsewhere: Path) -> None:
    (place.parent / "entangle-1").touch()
    with pytest.warns(compiled.CacheWarning, match="something else of that name"):
        found = compiled.folder(place.parent, "entangle-1")
    assert found.parent.parent == elsewhere


@POSIX
def test_without_a_home_it_is_the_users_own_temporary_folder(tmp_path: Path, elsewhere: Path) -> None:
    (tmp_path / "file").touch()
    found = compiled.folder(tmp_path / "file" / "cache", "entangle-0")  # cannot be made
    assert found == compiled.temporary() / "entangle-0"
    assert stat.S_IMODE(found.parent.stat().st_mode) == 0o700
    assert compiled.folder(tmp_path / "file" / "cache", "entangle-0") == found


@POSIX
@pytest.mark.parametrize("owner", ["another user", "others may write"])
def test_a_temporary_folder_that_somebody_made_before_is_refused(
    tmp_path: Path, elsewhere: Path, stranger: Callable[[Path], None], owner: str
) -> None:
    (tmp_path / "file").touch()
    made = compiled.temporary()
    (made / "entangle-0").mkdir(parents=True)
    if owner == "another user":
        stranger(made)
    else:
        made.chmod(0o777)
    with pytest.warns(compiled.CacheWarning, match=owner):
        found = compiled.folder(tmp_path / "file" / "cache", "entangle-0")
    assert_private(found, elsewhere)


@POSIX
@pytest.mark.parametrize("how", ["owner", "mode", "link"])
def test_a_file_that_somebody_else_could_have_written_is_not_read(
    place: Path, stranger: Callable[[Path], None], how: str
) -> None:
    process(place)[0](2)
    (file,) = files(place)
    assert compiled.read(file)
    if how == "owner":
        stranger(file)
    elif how == "mode":
        file.chmod(0o622)
    else:
        file.rename(place / "other")
        file.symlink_to(place / "other")
    assert compiled.read(file) is None
    thrice_, store = process(place)
    assert thrice_(2) == 6
    assert store.compiled


@POSIX
def test_code_of_the_administrator_is_used(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # as in an image that was built by root and is run by another user
    process(place)[0](2)
    real = os.fstat

    def by_root(asked: int) -> os.stat_result:
        values = list(real(asked))
        values[4] = 0
        return os.stat_result(values)

    monkeypatch.setattr(os, "fstat", by_root)
    monkeypatch.setattr(os, "geteuid", lambda: 54321)
    thrice_, store = process(place)
    assert thrice_(2) == 6
    assert not store.compiled


@POSIX
def test_a_refused_folder_leaves_a_run_that_works_and_nothing_behind(tmp_path: Path) -> None:
    bare = run("from entangle_kernels import jit", "print(jit.STORE.folder)", cache=tmp_path / "cache")
    place = Path(bare[0])
    place.chmod(0o777)
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    told = run(
        "import numpy as np; from entangle_kernels import jit; from entangle_kernels.linear import dot",
        "print(dot(np.ones(4), np.ones(4))); print(jit.STORE.folder)",
        "print(len(list(jit.STORE.folder.iterdir())))",
        cache=tmp_path / "cache",
        TMPDIR=str(temporary),
    )
    assert float(told[0]) == 4.0
    assert Path(told[1]).parents[1] == temporary
    assert told[2] == "2"  # the code, and what it is made from
    assert "CacheWarning" in told[3]
    assert list(place.iterdir()) == []
    assert list(temporary.iterdir()) == []


def test_arrays_that_differ_in_layout_have_code_of_their_own(place: Path) -> None:
    thrice_, store = process(place)
    whole = np.arange(12.0).reshape(3, 4)
    for given in (whole, whole[:, ::2], whole.T):
        np.testing.assert_array_equal(thrice_(given), 3 * given)
    assert len(files(place)) == 3
    thrice_, store = process(place)
    np.testing.assert_array_equal(thrice_(whole.T), 3 * whole.T)
    assert store.compiled == []
