"""Studies that were made to do harm: each ends in one clear error, soon and without much memory."""

from __future__ import annotations

import os
import resource
import threading
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from entangle import toml
from entangle.cli import cli
from entangle.errors import StudyError
from entangle.study import Study

GOOD = Path(__file__).resolve().parents[2] / "configs" / "us_rok.toml"


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("x = " + "[" * 200_000 + "]" * 200_000, "nested so deeply"),
        ("x = " + "{a=" * 100_000 + "1" + "}" * 100_000, "nested so deeply"),
        (".".join(["a"] * 100_000) + " = 1", "nested so deeply"),
        ("[" + ".".join(["a"] * 100_000) + "]", "nested so deeply"),
        (" . ".join(['"a b"', "'c'"] * 50_000) + " = 1", "nested so deeply"),
        ('title = "' + "a" * 2**23 + '"\nx = 1', "is not a key"),
        ("title = " + '"""\n' + " " * 2**20 + '\n"""\nx = 1', "is not a key"),
        ("x = " + "1" * 1_000_000, "numbers must be shorter"),
        ('title = "' + "x" * 17 * 2**20 + '"', "at most 16 MiB, got more"),
        ("\n".join(f"a{i} = 1" for i in range(50_000)), "is not a key"),
        ('title = "\\u001b]0;a\\u0007"', "title: must be text without control characters"),
        ('[pacts.x]\nassumptions = ["\\u009b2J"]', "without control characters"),
        ("[pacts.x]\n__class__ = 'os.system'", "is not a key"),
    ],
)
def test_a_giant_or_a_deep_study(text: str, rule: str, tmp_path: Path) -> None:
    path = tmp_path / "study.toml"
    path.write_text(text, encoding="utf-8")
    before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    with pytest.raises(StudyError, match=rule):
        Study.load(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500 * 1024
    assert time.process_time() - began < 20


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="there is no file without an end here")
def test_a_file_without_an_end() -> None:
    with pytest.raises(StudyError, match="at most 16 MiB"):
        toml.read("/dev/zero")


def test_a_pipe_is_read_as_ever(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=lambda: path.write_bytes(GOOD.read_bytes()))
    writer.start()
    assert Study.load(path) == Study.load(GOOD)
    writer.join()


def test_an_error_does_not_act_on_the_terminal(tmp_path: Path) -> None:
    path = tmp_path / "study.toml"
    path.write_text('"\\u001b[2J" = 1\n', encoding="utf-8")
    shown = CliRunner().invoke(cli, ["validate", str(path)])
    assert shown.exit_code == 2
    assert r"\x1b[2J: is not a key" in shown.stderr
    assert "\x1b" not in shown.output
