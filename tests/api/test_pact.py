"""Pacts, actors and studies as validated, immutable values; TOML and JSON Schema."""

from __future__ import annotations

import pickle
import tomllib
from pathlib import Path

import jsonschema
import pytest

from clause_fields import PRESENT
from entangle.actor import Actor
from entangle.errors import StudyError
from entangle.pact import CLAUSES, Pact
from entangle.study import Study, schema

CONFIGS = Path(__file__).parents[2] / "configs"


def test_the_empty_pact_has_no_clause() -> None:
    assert Pact().is_empty
    assert Pact(title="words are no clause", assumptions=("nor are these",)).is_empty


def test_every_clause_field_has_a_case() -> None:
    assert set(PRESENT) == {field for fields in CLAUSES.values() for field in fields}


@pytest.mark.parametrize("field", PRESENT)
def test_a_clause_shows_and_can_be_taken_out(field: str) -> None:
    pact = Pact(**PRESENT[field])
    clause = next(name for name, fields in CLAUSES.items() if field in fields)
    assert clause in pact.clauses
    assert not pact.is_empty
    assert clause not in pact.without(clause).clauses


@pytest.mark.parametrize("field", PRESENT)
def test_every_clause_field_says_what_it_is(field: str) -> None:
    assert len(Pact.model_fields[field].description or "") > 20


def test_commitments_set_what_the_treaty_leaves_open() -> None:
    assert Pact(commitment="consult").required_support == "diplomatic"
    assert Pact(commitment="consult").trigger_rung == "threat"
    assert Pact(commitment="defence").required_support == "fighting"
    assert Pact(commitment="defence", required="military").required_support == "military"


def test_without_bases_there_is_no_host_support() -> None:
    pact = Pact(access="permanent", forces=0.5, host_support=0.4, assistance=0.1)
    assert pact.without("basing") == Pact(assistance=0.1)


def test_nothing_can_be_changed_afterwards() -> None:
    study = Study.load(CONFIGS / "baseline.toml")
    pact = study.pacts["treaty"]
    with pytest.raises(TypeError, match=r"immutable.*replace\(strength=\.\.\.\)"):
        pact.strength = 0.1
    with pytest.raises(TypeError, match="immutable"):
        study.pacts["other"] = pact
    with pytest.raises(TypeError, match="immutable"):
        study.actors.pop("defender")


def test_a_changed_copy_is_validated_and_leaves_the_original_alone() -> None:
    pact = Pact(commitment="defence", strength=0.8)
    assert pact.replace(strength=0.5).strength == 0.5
    assert pact.replace(strength=None) == Pact(commitment="defence")
    assert pact.strength == 0.8
    with pytest.raises(StudyError, match="strength: must be at most 1, got 5"):
        pact.replace(strength=5.0)


def test_python_gives_the_same_message_as_a_file() -> None:
    with pytest.raises(
        StudyError, match=r"strenth: is not a key of this table, got 1\.0\. Did you mean 'strength'"
    ):
        Pact(strenth=1.0)
    with pytest.raises(StudyError, match=r"\[resolve\] meadian: is not a key"):
        Actor(capability=1.0, resolve={"meadian": 1.0})


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.toml")), ids=lambda path: path.stem)
def test_round_trips(path: Path, tmp_path: Path) -> None:
    study = Study.load(path)
    study.save(tmp_path / "again.toml", comment="One line.\n\nAnother.")
    again = Study.load(tmp_path / "again.toml")
    assert again == study
    assert again.fingerprint == study.fingerprint
    assert pickle.loads(pickle.dumps(study)) == study


def test_the_fingerprint_follows_terms_and_not_words() -> None:
    study = Study.load(CONFIGS / "baseline.toml")
    treaty = study.pacts["treaty"]
    renamed = study.replace(
        title="Another title", pacts={**study.pacts, "treaty": treaty.replace(source="x")}
    )
    changed = study.replace(pacts={**study.pacts, "treaty": treaty.replace(integration=0.123)})
    assert renamed.fingerprint == study.fingerprint
    assert changed.fingerprint != study.fingerprint


def test_saving_leaves_nothing_behind_when_it_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = Study.load(CONFIGS / "baseline.toml")
    target = tmp_path / "study.toml"
    target.write_text("what was there")

    def broken(*_: object, **__: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(Path, "replace", broken)
    with pytest.raises(OSError, match="disk full"):
        study.save(target)
    assert [item.name for item in tmp_path.iterdir()] == ["study.toml"]
    assert target.read_text() == "what was there"


# -- JSON Schema ---------------------------------------------------------------------------------


def test_the_committed_schema_is_the_code_s() -> None:
    import json

    committed = json.loads((CONFIGS / "entangle.schema.json").read_text(encoding="utf-8"))
    assert committed == schema(), "run: entangle schema --out configs/entangle.schema.json"


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.toml")), ids=lambda path: path.stem)
def test_the_schema_accepts_every_shipped_study(path: Path) -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    jsonschema.validate(tomllib.loads(path.read_text(encoding="utf-8")), schema())


@pytest.mark.parametrize(
    ("table", "key", "value"),
    [("scenario", "alignment", 2.0), ("scenario", "alignement", 0.5), ("parameters", "types", 0)],
)
def test_the_schema_refuses_what_the_code_refuses(table: str, key: str, value: float) -> None:
    data = tomllib.loads((CONFIGS / "baseline.toml").read_text(encoding="utf-8"))
    data.setdefault(table, {})[key] = value
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(data, schema())
    with pytest.raises(StudyError):
        Study.from_dict(data)
