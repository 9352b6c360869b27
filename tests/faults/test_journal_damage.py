"""What can happen to a journal on disk: each is found and named, and nothing is written over."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import resource
import shutil
import socket
import stat
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from entangle import resuming
from entangle.blocks import BLOCK
from entangle.errors import EntangleError, JournalError, RunError
from entangle.journal import blockfile, planfile
from entangle.journal.status import status
from entangle.study import Study
from small_studies import small

SEED = 7
TRAJECTORIES = 5 * BLOCK + 1234
ROOT = Path(__file__).resolve().parents[2]
FIRST = f"{0:015d}-{BLOCK:015d}.block"
SECOND = f"{BLOCK:015d}-{2 * BLOCK:015d}.block"
HEAD = 20  # bytes before the head


def study(seed: int = SEED) -> Study:
    return small(pacts={"no_pact": {}, "treaty": {"commitment": "defence"}}).asked(
        trajectories=TRAJECTORIES, seed=seed
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return a whole journal and one of another seed."""
    folder = tmp_path_factory.mktemp("journals")
    study().run(journal=folder / "whole")
    study(seed=8).run(journal=folder / "other")
    return {name: folder / name for name in ("whole", "other")}


@pytest.fixture
def journal(made: dict[str, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(made["whole"], tmp_path / "journal"))


# -- ways to damage one ------------------------------------------------------------------------------


def block(change):
    """Return a damage that changes the bytes of the second file."""

    def damage(journal, made):
        path = journal / "blocks" / SECOND
        path.write_bytes(change(path.read_bytes()))

    return damage


def forged(change):
    """Return a damage that changes head and body of the second file and seals it again."""

    def changed(whole):
        length = int.from_bytes(whole[16:HEAD], "little")
        head, body = json.loads(whole[HEAD : HEAD + length]), whole[HEAD + length : -32]
        head, body = change(head, body)
        return sealed(head if isinstance(head, bytes) else json.dumps(head).encode(), body)

    return block(changed)


def sealed(head, body, number=1):
    whole = b"entangle block" + number.to_bytes(2, "little") + len(head).to_bytes(4, "little") + head + body
    return whole + hashlib.sha256(whole).digest()


def counts(change):
    """Return a damage that changes the arrays of the second file and seals it again."""

    def changed(head, body):
        raw, arrays, start = zlib.decompress(body), {}, 0
        for name, kind, shape in head["arrays"]:
            array = np.frombuffer(raw, kind, int(np.prod(shape)), start).reshape(shape).copy()
            start += array.nbytes
            arrays[name] = array
        change(arrays)
        head["arrays"] = [[name, array.dtype.str, list(array.shape)] for name, array in arrays.items()]
        return head, zlib.compress(b"".join(array.tobytes() for array in arrays.values()))

    return forged(changed)


def plan(change, *, seal=False):
    """Return a damage that changes the plan, with its checksum and fingerprint made right again or not."""

    def damage(journal, made):
        path = journal / planfile.NAME
        told = json.loads(path.read_text(encoding="utf-8"))
        told = change(told) or told
        if seal:
            told.pop("sha256", None)
            if seal == "all":
                told["fingerprint"] = planfile.fingerprint(told["plan"])
            told["sha256"] = planfile._seal(told)
        path.write_text(json.dumps(told, ensure_ascii=False), encoding="utf-8")

    return damage


def text(change):
    """Return a damage that changes the bytes of the plan."""

    def damage(journal, made):
        path = journal / planfile.NAME
        path.write_bytes(change(path.read_bytes()))

    return damage


def instead(make, name=f"blocks/{SECOND}"):
    """Return a damage that puts something else in the place of a file."""

    def damage(journal, made):
        path = journal / name
        path.unlink() if not path.is_dir() else shutil.rmtree(path)
        make(path, made)

    return damage


def added(make, name):
    def damage(journal, made):
        make(journal / "blocks" / name, made)

    return damage


def moved(name):
    def damage(journal, made):
        (journal / "blocks" / SECOND).rename(journal / "blocks" / name)

    return damage


def flipped(at):
    def change(whole):
        place = at % len(whole)
        return whole[:place] + bytes([whole[place] ^ 0x10]) + whole[place + 1 :]

    return change


def sparse(path, _):
    with path.open("wb") as file:
        file.truncate(2**40)


def span(first, stop):
    return f"{first:015d}-{stop:015d}.block"


def set_to(*keys, value):
    def change(told):
        for key in keys[:-1]:
            told = told[key]
        told[keys[-1]] = value

    return change


def head_with(**changes):
    return forged(lambda head, body: (head | changes, body))


def shape_of(name, shape):
    def change(head, body):
        head["arrays"] = [[n, k, shape if n == name else s] for n, k, s in head["arrays"]]
        return head, body

    return forged(change)


def change_counts(name, change):
    def damage(arrays):
        arrays[name] = change(arrays[name])

    return counts(damage)


NAMED = rf"blocks/{SECOND}: must "
DAMAGES = {
    # the plan
    "the plan is missing": (instead(lambda *_: None, "plan.json"), r"with a file plan\.json"),
    "the plan is empty": (text(lambda whole: b""), r"plan\.json: must be JSON, whole"),
    "the plan is cut short": (text(lambda whole: whole[:-40]), r"plan\.json: must be JSON, whole"),
    "the plan is of zeros": (text(lambda whole: bytes(len(whole))), r"plan\.json: must be JSON, whole"),
    "the plan is not of this world": (text(lambda whole: b"\xff\xfe" + whole), r"plan\.json: must be JSON"),
    "the plan is nested without end": (text(lambda whole: b"[" * 10**6), r"plan\.json: must be JSON"),
    "the plan has a number without end": (text(lambda whole: b"9" * 10**5), r"plan\.json: must be JSON"),
    "the plan is a list": (text(lambda whole: b"[]"), r"plan\.json: must be the plan of a journal"),
    "the plan is another file's": (text(lambda whole: b'{"name": 1}'), r"plan\.json: must be the plan of"),
    "the plan is of a newer format": (plan(set_to("format", value=2)), r"plan\.json: must have format 1"),
    "the plan's seed was edited": (
        plan(set_to("plan", "seed", value="9")),
        r"plan\.json: must match its checksum",
    ),
    "the plan's study was edited": (
        plan(set_to("plan", "study", "title", value="Mine")),
        r"plan\.json: must match its checksum",
    ),
    "the plan's shard was edited": (
        plan(set_to("shard", "of", value=2)),
        r"plan\.json: must match its checksum",
    ),
    "the plan has something more": (
        plan(set_to("note", value="x"), seal=True),
        r"plan\.json: must match its checksum",
    ),
    "the plan's fingerprint is another": (
        plan(set_to("fingerprint", value="0" * 64), seal=True),
        r"plan\.json: must hold a plan that entangle wrote",
    ),
    "the plan was forged": (
        plan(set_to("plan", "study", "title", value="Mine"), seal="all"),
        r"\.block: must belong to the plan",
    ),
    "the plan's shard was forged": (
        plan(set_to("shard", value={"which": 2, "of": 2}), seal="all"),
        r"plan\.json: must say which shard",
    ),
    "the plan's number was forged": (
        plan(set_to("plan", "number", value=-1), seal="all"),
        r"plan\.json: must hold a plan that entangle wrote",
    ),
    "the plan's kind was forged": (
        plan(set_to("plan", "kind", value="wars"), seal="all"),
        r"plan\.json: must hold a plan that entangle wrote",
    ),
    "the plan is that of another journal": (
        instead(lambda path, made: shutil.copy(made["other"] / "plan.json", path), "plan.json"),
        r"\.block: must belong to the plan",
    ),
    "the plan is a folder": (instead(lambda path, _: path.mkdir(), "plan.json"), r"must be a plain file"),
    "the plan is a link": (
        instead(lambda path, made: path.symlink_to(made["whole"] / "plan.json"), "plan.json"),
        r"plan\.json: must be a plain file, got a link",
    ),
    "the plan is a pipe": (
        instead(lambda path, _: os.mkfifo(path), "plan.json"),
        r"plan\.json: must be a plain file, got a pipe",
    ),
    "the plan is larger than any": (instead(sparse, "plan.json"), r"plan\.json: must have at most"),
    # the folder of blocks
    "the blocks are missing": (instead(lambda *_: None, "blocks"), r"blocks: must be the folder of"),
    "the blocks are a file": (instead(lambda path, _: path.touch(), "blocks"), r"blocks: must be the folder"),
    "the blocks are elsewhere": (
        instead(lambda path, made: path.symlink_to(made["whole"] / "blocks"), "blocks"),
        r"blocks: must be the folder of a journal's blocks, got a link",
    ),
    # a file, as disks and people damage it
    "a byte is missing": (block(lambda whole: whole[:-1]), NAMED + "match its checksum"),
    "half is missing": (block(lambda whole: whole[: len(whole) // 2]), NAMED + "match its checksum"),
    "all but the beginning is missing": (block(lambda whole: whole[:30]), NAMED + "be whole"),
    "all is missing": (block(lambda whole: b""), NAMED + "be a block of a run, got an empty file"),
    "a byte too many": (block(lambda whole: whole + b"\0"), NAMED + "match its checksum"),
    "twice the same": (block(lambda whole: whole + whole), NAMED + "match its checksum"),
    "zeros": (block(lambda whole: bytes(len(whole))), NAMED + "be a block of a run"),
    "zeros at the end": (block(lambda whole: whole[:-600] + bytes(600)), NAMED + "match its checksum"),
    "a bit of the first bytes": (block(flipped(3)), NAMED + "be a block of a run"),
    "a bit of the format": (block(flipped(14)), NAMED + "match its checksum"),
    "a bit of the head's length": (block(flipped(19)), NAMED + "match its checksum"),
    "a bit of the head": (block(flipped(40)), NAMED + "match its checksum"),
    "a bit of the body": (block(flipped(-100)), NAMED + "match its checksum"),
    "a bit of the seal": (block(flipped(-1)), NAMED + "match its checksum"),
    "text": (block(lambda whole: b"counts: 1, 2, 3\n"), NAMED + "be a block of a run"),
    "lines ended otherwise": (
        block(lambda whole: whole.replace(b"\n", b"\r\n") + b"\n"),
        NAMED + "match its checksum",
    ),
    "a file of another run": (
        instead(lambda path, made: shutil.copy(made["other"] / "blocks" / SECOND, path)),
        NAMED + "belong to the plan",
    ),
    "a file of other units": (
        instead(lambda path, made: shutil.copy(made["whole"] / "blocks" / FIRST, path)),
        NAMED + "be named after its units, got units 0 to 65,535",
    ),
    # names
    "a foreign file": (added(lambda path, _: path.touch(), "notes.txt"), r"notes\.txt: must be a block"),
    "a hidden file": (added(lambda path, _: path.touch(), ".DS_Store"), r"\.DS_Store: must be a block"),
    "a folder": (added(lambda path, _: path.mkdir(), "old"), r"old: must be a block"),
    "a backup": (
        added(lambda path, made: shutil.copy(made["whole"] / "blocks" / FIRST, path), FIRST + "~"),
        r"block~: must be a block",
    ),
    "a folder of that name": (instead(lambda path, _: path.mkdir()), NAMED + "be a plain file, got a folder"),
    "a link": (
        instead(lambda path, made: path.symlink_to(made["whole"] / "blocks" / SECOND)),
        NAMED + "be a plain file, got a link",
    ),
    "a pipe": (instead(lambda path, _: os.mkfifo(path)), NAMED + "be a plain file, got a pipe"),
    "a socket": (
        instead(lambda path, _: bound(path)),
        NAMED + "be a plain file, got a device or socket",
    ),
    "larger than any": (instead(sparse), NAMED + "have at most 268,435,456 bytes"),
    "beyond the end": (
        moved(span(6 * BLOCK, 7 * BLOCK)),
        r"must be of whole blocks of 65,536 within",
    ),
    "not of whole blocks": (moved(span(BLOCK, 2 * BLOCK - 1)), r"must be of whole blocks"),
    "of no units": (moved(span(BLOCK, BLOCK)), r"must be of whole blocks"),
    "renamed to more units": (
        moved(span(BLOCK, 3 * BLOCK)),
        r"must not count what another file counts, got units 131,072 to 196,607",
    ),
    # sealed, but not by this package
    "a newer format": (
        block(lambda whole: sealed(whole[HEAD:40], whole[40:-32], number=2)),
        NAMED + "have format 1 at most, got format 2",
    ),
    "format 0": (
        block(lambda whole: sealed(whole[HEAD:40], b"", number=0)),
        NAMED + "hold what its plan asks for, got format 0",
    ),
    "a head that is none": (forged(lambda head, body: (b"[]", body)), NAMED + "hold what its plan asks for"),
    "a head that is no JSON": (forged(lambda head, body: (b"{", body)), NAMED + "hold what its plan"),
    "a head nested without end": (
        forged(lambda head, body: (b"[" * 60_000, body)),
        NAMED + "hold what its plan asks for, got a head that cannot be read",
    ),
    "a head that is all of it": (
        forged(lambda head, body: (b" " * 100_000, b"")),
        NAMED + "hold what its plan asks for, got format 1 with a head of 100000 bytes",
    ),
    "units that are no numbers": (head_with(first="0"), NAMED + "hold what .* values of other types"),
    "units below 0": (head_with(first=-1), NAMED + "hold what .* values of other types"),
    "units that are true": (head_with(size=True), NAMED + "hold what .* values of other types"),
    "a fingerprint that is none": (head_with(fingerprint=None), NAMED + "hold what .* values of other types"),
    "units of another file": (head_with(first=0), NAMED + "be named after its units"),
    "no arrays": (head_with(arrays=[]), NAMED + "hold what its plan asks for, got the arrays"),
    "objects": (
        head_with(arrays=[["cells", "|O", [10]]]),
        NAMED + r"hold what its plan asks for, got the arrays cells \|O",
    ),
    "an array without end": (
        shape_of("numbers", [2**60]),
        NAMED + r"hold what its plan asks for, got numbers of shape \(1152921504606846976,\)",
    ),
    "an array of another shape": (
        shape_of("shared", [2, 2, 65]),
        NAMED + r"hold what its plan asks for, got shared of shape \(2, 2, 65\)",
    ),
    "a body that swells": (
        forged(lambda head, body: (head, zlib.compress(bytes(10**8), 9))),
        NAMED + "hold what its plan asks for, got a body of other than",
    ),
    "a body cut short": (
        forged(lambda head, body: (head, body[:-20])),
        NAMED + "hold what its plan asks for, got a body of other than",
    ),
    "a body and more": (
        forged(lambda head, body: (head, body + b"more")),
        NAMED + "hold what its plan asks for, got a body of other than",
    ),
    "a body that is none": (
        forged(lambda head, body: (head, b"not deflated")),
        NAMED + "hold what its plan asks for, got a body that cannot be unpacked",
    ),
    "counts of more": (
        change_counts("numbers", lambda numbers: numbers + (np.arange(len(numbers)) == 0)),
        NAMED + "hold what its units can have given, got counts of 65,537 trajectories",
    ),
    "counts below 0": (
        change_counts("numbers", lambda numbers: -numbers),
        NAMED + "hold what its units can have given, got numbers beyond 0",
    ),
    "counts of cells that there are not": (
        change_counts("cells", lambda cells: cells + 10**6),
        NAMED + "hold what its units can have given, got cells that there are not",
    ),
    "cells counted twice": (
        change_counts("cells", lambda cells: np.concatenate([cells[:1], cells[:-1]])),
        NAMED + "hold what its units can have given, got cells that are not in order",
    ),
    "changes of more": (
        change_counts("changed", lambda changed: changed + BLOCK + 1),
        NAMED + "hold what its units can have given, got changed beyond 0",
    ),
    # the lock
    "the lock is a link": (
        instead(lambda path, made: path.symlink_to(made["other"] / "lock"), "lock"),
        r"lock: must be a plain file",
    ),
}


def bound(path):
    # a socket's name must be short
    before = Path.cwd()
    os.chdir(path.parent)
    try:
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(path.name)
    finally:
        os.chdir(before)


def snapshot(folder):
    """Return all that there is: kinds, sizes and contents."""
    found = {}
    for path in sorted(folder.rglob("*")):
        known = path.lstat()
        plain = stat.S_ISREG(known.st_mode) and known.st_size < 10**8
        # the lock says who had it last
        found[path] = known.st_mode, path.read_bytes() if plain and path.name != "lock" else None
    return found


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_found_and_named(name, journal, made, monkeypatch):
    damage, message = DAMAGES[name]
    damage(journal, made)
    before = snapshot(journal)
    limit = resource.getrlimit(resource.RLIMIT_AS)
    with pytest.raises(JournalError, match=message) as caught:
        resuming.resume(journal)
    assert str(journal) in str(caught.value)
    assert snapshot(journal) == before, "something was written"
    assert resource.getrlimit(resource.RLIMIT_AS) == limit
    if not name.startswith("the lock"):  # whoever only reads needs none
        with pytest.raises(JournalError, match=message):
            resuming.merge([journal])


def test_there_are_enough_ways():
    assert len(DAMAGES) >= 40


def test_the_forgeries_are_found_for_what_is_forged(journal, made):
    """A file that is taken apart and sealed again without a change is as good as before."""
    before = resuming.resume(journal).data
    forged(lambda head, body: (head, body))(journal, made)
    counts(lambda arrays: None)(journal, made)
    plan(lambda told: None, seal="all")(journal, made)
    assert resuming.resume(journal).data.identical(before)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_no_changed_byte_passes(journal, data):
    """Any change of any file is refused as a whole, or leaves what it says as it was."""
    names = sorted(path for path in journal.rglob("*") if path.is_file() and path.name != "lock")
    path = data.draw(st.sampled_from(names))
    whole = path.read_bytes()
    at = data.draw(st.integers(0, len(whole) - 1))
    kind = data.draw(st.sampled_from(["flip", "cut", "insert", "drop"]))
    changed = {
        "flip": whole[:at] + bytes([whole[at] ^ data.draw(st.integers(1, 255))]) + whole[at + 1 :],
        "cut": whole[:at],
        "insert": whole[:at] + data.draw(st.binary(min_size=1, max_size=9)) + whole[at:],
        "drop": whole[:at] + whole[at + 1 :],
    }[kind]
    before = [own.to_dict() for own in status(journal)]
    path.write_bytes(changed)
    try:
        # white space between the tokens of JSON says nothing
        assert [own.to_dict() for own in status(journal)] == before
        assert path.name == planfile.NAME
        assert json.loads(changed) == json.loads(whole)
    except JournalError:
        pass
    finally:
        path.write_bytes(whole)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (set_to("plan", "values", value=[[1.0]]), "must say which draws it is of"),
        (set_to("plan", "values", value="all"), "must say which draws it is of"),
        (set_to("plan", "draws", value=[0, -1]), "must say which draws it is of"),
        (set_to("plan", "posterior", value=None), "must say which draws it is of"),
        (set_to("plan", "parameters", value=[1, 2]), "must say which draws it is of"),
        (set_to("plan", "block", value=2), "must be of whole blocks|must be a journal of the same plan"),
    ],
)
def test_a_forged_plan_of_draws(change, message, tmp_path, made):
    study().run(draws=2, trajectories=20, journal=tmp_path / "journal")
    plan(change, seal="all")(tmp_path / "journal", made)
    with pytest.raises(JournalError, match=message):
        resuming.resume(tmp_path / "journal")


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("times", lambda times: times + 21, "times beyond 0 to 20"),
        ("exact", lambda exact: exact + 1.5, "probabilities beyond 0 to 1"),
        ("found", lambda found: found + 1, "more than one draw"),
        ("noise", lambda noise: noise[:1], r"noise of shape"),
    ],
)
def test_a_forged_draw(name, change, message, tmp_path, made):
    study().run(draws=2, trajectories=20, journal=tmp_path / "journal")
    (tmp_path / "journal" / "blocks" / span(1, 2)).rename(tmp_path / "journal" / "blocks" / SECOND)
    change_counts(name, change)(tmp_path / "journal", made)
    (tmp_path / "journal" / "blocks" / SECOND).rename(tmp_path / "journal" / "blocks" / span(1, 2))
    with pytest.raises(JournalError, match=message):
        resuming.resume(tmp_path / "journal")


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("0.bins", lambda bins: bins * 2, "0.bins beyond 0|counts of other than"),
        ("0.status", lambda status: status[:, ::-1] + 1, "status beyond 0|counts of other than"),
        ("1.yearly", lambda sums: sums * np.nan, "sums that are no numbers"),
        ("1.firsts", lambda firsts: firsts - 1, "firsts beyond 0"),
        ("shared", lambda shared: shared + 10**6, "shared beyond 0"),
    ],
)
def test_forged_histories(name, change, message, tmp_path, made):
    own = study().replace(peacetime={"years": 2, "context_error": 0.1})
    own.decades(histories=300, journal=tmp_path / "journal")
    (path,) = (tmp_path / "journal" / "blocks").iterdir()
    kept = path.rename(path.parent / SECOND)
    change_counts(name, change)(tmp_path / "journal", made)
    kept.rename(path)
    with pytest.raises(JournalError, match=message):
        resuming.resume(tmp_path / "journal")


# -- the disk ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (errno.ENOSPC, r"no space left on device.*What was done before is kept: make room"),
        (errno.EDQUOT, r"disk quota exceeded.*make room"),
        (errno.EROFS, r"read-only file system.*needs a folder that can be written to"),
        (errno.EACCES, r"permission denied.*needs a folder that can be written to"),
        (errno.EIO, r"input/output error.*what was done before is kept"),
    ],
)
def test_a_disk_that_takes_no_more(code, message, tmp_path, monkeypatch):
    expected = study().run().data.attrs["sha256"]
    journal = tmp_path / "journal"
    fsync, files = os.fsync, []

    def full(number):
        files.append(number)
        if len(files) > 8:
            raise OSError(code, os.strerror(code))
        fsync(number)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RunError, match=r"cannot be written \((?i:" + message + ")"):
        study().run(journal=journal, workers=1)
    monkeypatch.setattr(os, "fsync", fsync)
    found = status(journal)[0]
    assert 1 <= len(found.kept) < 6
    assert not list(journal.rglob("*.partial"))
    assert resuming.resume(journal).data.attrs["sha256"] == expected


def test_a_file_that_may_not_grow(tmp_path):
    """The system itself refuses, in the middle of a file."""
    program = (
        "import resource, signal, sys; from tests_program import study; "
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "from entangle.errors import RunError\n"
        "study().run(journal=sys.argv[1] + '-before')\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))\n"
        "try:\n study().run(journal=sys.argv[1])\n"
        "except RunError as error: print(error)"
    ).replace("tests_program", "test_journal_damage")
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "journal")],
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert "cannot be written (file too large)" in done.stdout
    assert not list(tmp_path.rglob("*.partial"))


def environment():
    folders = [ROOT, ROOT / "kernels", ROOT / "tests", ROOT / "tests" / "faults"]
    return os.environ | {"PYTHONPATH": os.pathsep.join(map(str, folders))}


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder(tmp_path):
    (tmp_path / "journal").mkdir(mode=0o500)
    with pytest.raises(RunError, match="cannot be written"):
        study().run(journal=tmp_path / "journal")


def test_a_full_tiny_disk(tmp_path):
    """A file system of its own with room for a few files, where the system lets one be mounted."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=20k", "none", str(disk)], capture_output=True, check=False
    ) if shutil.which("mount") else None  # fmt: skip
    if mounted is None or mounted.returncode != 0:
        pytest.skip("no file system can be mounted here")
    try:
        with pytest.raises(RunError, match=r"cannot be written \(no space left on device\)"):
            study().run(journal=disk / "journal", workers=1)
        kept = len(status(disk / "journal")[0].kept)
        assert not list(disk.rglob("*.partial"))
        subprocess.run(["mount", "-o", "remount,size=10m", str(disk)], check=True)
        again = resuming.resume(disk / "journal").data.attrs["sha256"]
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        with pytest.raises(RunError, match=r"cannot be written \(read-only file system\)"):
            resuming.resume(disk / "journal")
        # who only reads may
        assert resuming.merge([disk / "journal"]).data.attrs["sha256"] == again
        with pytest.raises(RunError, match=r"cannot be written \(read-only file system\)"):
            study().run(journal=disk / "new")
    finally:
        subprocess.run(["umount", str(disk)], check=True)
    assert kept < 6
    assert again == study().run().data.attrs["sha256"]


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (lambda at: at.write_text("mine"), "must be a folder, got a file"),
        (lambda at: (at.mkdir(), (at / "mine.txt").write_text("x")), r"got a folder with mine\.txt"),
        (lambda at: (at.mkdir(), (at / "shard-0-of-2").mkdir()), "must be the journal of a whole run"),
        (
            lambda at: ((at / "blocks").mkdir(parents=True), (at / "blocks" / FIRST).write_bytes(b"x")),
            r"must have a plan\.json beside its blocks, got blocks alone",
        ),
        (lambda at: at.symlink_to("nowhere"), "must be a folder, got a file"),
    ],
)
def test_a_folder_of_something_else_stays_as_it_is(prepare, message, tmp_path):
    prepare(tmp_path / "journal")
    before = {path for path in tmp_path.rglob("*") if path.name != "lock"}
    with pytest.raises(EntangleError, match=message):
        study().run(journal=tmp_path / "journal")
    assert {path for path in tmp_path.rglob("*") if path.name != "lock"} == before


def test_what_a_killed_process_was_writing_is_swept_away(journal, made):
    left = journal / "blocks" / f".{SECOND}.abcd1234.partial"
    (journal / "blocks" / SECOND).rename(left)
    (journal / ".plan.json.abcd1234.partial").write_text("{")
    assert not status(journal)[0].whole  # looking leaves it
    assert left.exists()
    assert resuming.resume(journal).data.attrs["sha256"] == study().run().data.attrs["sha256"]
    assert not list(journal.rglob("*.partial"))


def test_something_else_that_writes_is_noticed(journal, monkeypatch):
    """Where locks do not hold, what stands there is still not written over."""
    path = journal / "blocks" / SECOND
    whole = path.read_bytes()
    path.unlink()
    encode = blockfile.encode

    def slowly(*arguments):
        made = encode(*arguments)
        path.write_bytes(whole)
        return made

    monkeypatch.setattr(blockfile, "encode", slowly)
    with pytest.raises(JournalError, match="must not be there before it is written"):
        resuming.resume(journal)
    assert path.read_bytes() == whole
