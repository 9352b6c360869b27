"""Studies as TOML: reading with line numbers, writing whole or not at all."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from entangle.errors import Problem, StudyError, nearest
from entangle.files import write_whole

#: Most bytes of a study: far more than any has.
LARGEST: Final = 16 * 2**20

#: Most tables within each other, and most characters at the head of a line in which a key is looked for.
DEEPEST: Final = 64
_HEAD: Final = 400

_PART = r"""(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+"""
_LONG_KEY = re.compile(rf"(?<![\w-])(?:{_PART}\.[ \t]*+){{{DEEPEST}}}")
_HEADER = re.compile(r"^\s*\[(?!\[)\s*(?P<path>[^\[\]]+?)\s*\]\s*(?:#.*)?$")
_KEY = re.compile(r"""^\s*(?P<path>[A-Za-z0-9_."'\- ]+?)\s*=""")


def read(path: str | Path) -> tuple[dict[str, Any], str]:
    """Return the data of a TOML file and its text.

    Raises
    ------
    StudyError
        If the file cannot be read, is not UTF-8, or is not TOML; names the line and column.
    """
    name = str(path)
    try:
        with Path(path).open("rb") as stream:  # what is read is bounded, also of a file without an end
            whole = stream.read(LARGEST + 1)
        if len(whole) > LARGEST:
            rule = f"the file must be at most {LARGEST // 2**20} MiB"
            raise StudyError.single(rule=rule, got="more", source=name)
        text = whole.decode("utf-8")
    except FileNotFoundError:
        raise StudyError.single(
            rule="the file does not exist", do=_siblings(Path(path)), source=name
        ) from None
    except (IsADirectoryError, PermissionError) as error:
        rule = f"the file cannot be read ({(error.strerror or 'refused').lower()})"
        raise StudyError.single(rule=rule, source=name) from None
    except UnicodeDecodeError as error:
        raise StudyError.single(
            rule="the file must be UTF-8 text",
            got=f"byte 0x{error.object[error.start]:02x} at position {error.start}",
            do="Save it as UTF-8",
            source=name,
        ) from None
    try:
        # the reader of TOML holds every beginning of a dotted key: the square of its length
        if _LONG_KEY.search(text):
            raise RecursionError
        data = tomllib.loads(text)
        if deeper_than(data, DEEPEST):
            raise RecursionError
        return data, text
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"\(at line (\d+), column (\d+)\)", str(error))
        line = int(found.group(1)) if found else None
        rule = str(error).split(" (at ")[0]
        rule = rule[0].lower() + rule[1:]
        column = f" in column {found.group(2)}" if found else ""
        problem = Problem((), f"this is not TOML: {rule}{column}", line=line)
        raise StudyError([problem], name) from None
    except (RecursionError, ValueError) as error:  # brackets without end; a number of a million digits
        deep = isinstance(error, RecursionError)
        rule = "tables and lists must not be nested so deeply" if deep else "numbers must be shorter"
        raise StudyError.single(rule=rule, source=name) from None


def deeper_than(data: object, most: int) -> bool:
    """Whether tables or lists are nested more than so many times; asks without recursion."""
    level = [data]
    for _ in range(most):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return False
    return any(isinstance(outer, dict | list) for outer in level)


def write(path: str | Path, data: Mapping[str, Any], *, comment: str = "") -> None:
    """Write `data` as TOML, under a temporary name first, then renamed."""
    import tomli_w

    head = "".join(f"# {line}\n" if line else "#\n" for line in comment.splitlines())
    text = head + ("\n" if head else "") + tomli_w.dumps(data, multiline_strings=True)
    write_whole(path, lambda partial: partial.write_text(text, encoding="utf-8"))


def with_lines(problems: Iterable[Problem], text: str) -> list[Problem]:
    """Return the problems with the line of `text` that each is about, in the order of the lines."""
    lines = _lines(text)
    placed = [Problem(p.location, p.rule, p.got, p.do, _line_of(p.location, lines)) for p in problems]
    return sorted(placed, key=lambda problem: problem.line or 0)


def _line_of(location: tuple[str | int, ...], lines: Mapping[tuple[str, ...], int]) -> int | None:
    path = tuple(str(part) for part in location)
    while path and path not in lines:
        path = path[:-1]  # the nearest table above: a missing key has no line of its own
    return lines.get(path)


def _lines(text: str) -> dict[tuple[str, ...], int]:
    """Map every table and key of a TOML text to the line where it first stands."""
    lines: dict[tuple[str, ...], int] = {}
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), start=1):
        line = line[:_HEAD]
        header = _HEADER.match(line)
        if header:
            table = _split(header["path"])
            for depth in range(1, len(table) + 1):
                lines.setdefault(table[:depth], number)
            continue
        key = _KEY.match(line)
        if key:
            path = table + _split(key["path"])
            for depth in range(len(table) + 1, len(path) + 1):
                lines.setdefault(path[:depth], number)
    return lines


def _split(path: str) -> tuple[str, ...]:
    return tuple(part.strip().strip("\"'") for part in path.split("."))


def _siblings(path: Path) -> str:
    folder = path.parent
    if not folder.is_dir():
        return f"There is no folder '{folder}'"
    names = sorted(item.name for item in folder.glob("*.toml"))
    hint = nearest(path.name, names) if names else ""
    return hint if hint.startswith("Did you mean") else ""
