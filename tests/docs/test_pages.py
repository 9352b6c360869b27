"""The pages agree with the code: tables, tests they name, links they make."""

from __future__ import annotations

import re
import runpy
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from entangle.outcomes import OUTCOMES
from entangle.pact import Coalition, Pact
from entangle.parameters import Parameters
from entangle.vocabulary import RUNGS

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = [*sorted(DOCS.glob("*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
TABLES: dict[str, Any] = runpy.run_path(str(DOCS / "make_tables.py"))


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def rows(page: str, name: str) -> list[list[str]]:
    """Return the cells of a generated table, without its head."""
    found = re.search(rf"<!-- table: {name} -->\n(.*?)<!-- end -->", page, re.DOTALL)
    assert found, f"there is no table '{name}'"
    return [line.strip("| ").split(" | ") for line in found[1].strip().splitlines()[2:]]


@pytest.mark.parametrize("name", TABLES["PAGES"])
def test_tables_are_up_to_date(name: str) -> None:
    page = text_of(DOCS / name)
    assert TABLES["fill"](page) == page, "run `python docs/make_tables.py`"


def test_a_stale_table_is_noticed() -> None:
    page = text_of(DOCS / "model.md")
    stale = page.replace("| `precision` | 3.03 |", "| `precision` | 4 |")
    assert stale != page
    assert TABLES["fill"](stale) == page


def test_every_table_stands_on_a_page() -> None:
    placed = {
        name for page in TABLES["PAGES"] for name in re.findall(r"<!-- table: (\w+)", text_of(DOCS / page))
    }
    assert placed == set(TABLES["TABLES"])


def test_the_model_names_every_field_and_outcome_with_its_denominator() -> None:
    page = text_of(DOCS / "model.md")
    clauses = {row[0].strip("`") for name in ("clauses", "words") for row in rows(page, name)}
    assert clauses == set(Pact.model_fields)
    assert {row[0].strip("`") for row in rows(page, "coalition")} == set(Coalition.model_fields)
    assert {(row[0].strip("`"), row[2]) for row in rows(page, "outcomes")} == {
        (o.name, o.given) for o in OUTCOMES
    }
    assert [row[1].strip("`") for row in rows(page, "rungs")] == list(RUNGS)


def test_the_model_prints_the_defaults_of_the_code() -> None:
    printed = {row[0].strip("`"): row[1] for row in rows(text_of(DOCS / "model.md"), "parameters")}
    assert set(printed) == set(Parameters.model_fields)
    for name, value in Parameters():
        numbers = tuple(float(number) for number in printed[name].split(", "))
        assert numbers == (value if isinstance(value, tuple) else (value,)), name


def test_every_parameter_has_a_reason() -> None:
    assert set(TABLES["REASONS"]) == set(Parameters.model_fields)
    assert set(TABLES["ACTS_ON"]) == {name for family in TABLES["CLAUSES"].values() for name in family}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_tests_and_files_that_are_named_exist(page: Path) -> None:
    named = re.findall(r"`((?:tests|docs|configs|entangle|kernels)/[\w./-]+\.\w+)`", text_of(page))
    assert [name for name in named if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_relative_links_lead_somewhere(page: Path) -> None:
    assert list(broken_links(page, text_of(page))) == []


def test_broken_links_are_noticed() -> None:
    page = DOCS / "README.md"
    links = "[a](nowhere.md) [b](model.md#no-such-heading) [c](model.md#references) [d](../README.md)"
    assert list(broken_links(page, links)) == ["nowhere.md", "model.md#no-such-heading"]


def broken_links(page: Path, text: str) -> Iterator[str]:
    """Yield the relative links of `text` that lead to no file, or to no heading of it."""
    for link in re.findall(r"\]\(([^)\s]+)\)", without_code(text)):
        if re.match(r"\w+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        found = target.exists() and target.is_relative_to(ROOT) and is_kept(target)
        if not found or (anchor and anchor not in set(anchors(text_of(target)))):
            yield link


def is_kept(target: Path) -> bool:
    """Return whether git does not ignore the file, so that a clone has it."""
    done = subprocess.run(["git", "check-ignore", "-q", str(target)], cwd=ROOT, check=False)
    return done.returncode != 0


def anchors(text: str) -> Iterator[str]:
    """Yield the anchors of the headings, as code hosts make them."""
    for heading in re.findall(r"^#+ (.+)$", without_code(text), re.MULTILINE):
        kept = re.sub(r"[^\w\- ]", "", heading.strip().lower())
        yield kept.replace(" ", "-")


def without_code(text: str) -> str:
    return re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
