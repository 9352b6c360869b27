"""States by their Correlates of War codes."""

from __future__ import annotations

import csv
import os
import re
from pathlib import Path

import pytest

from api.atop_files import (
    CAPABILITIES,
    HAVE_DATA,
    NO_DATA,
    REGIMES,
    write,
    write_cinc,
    write_regimes,
)
from entangle import cow
from entangle.actor import Actor
from entangle.errors import DataError, StudyError

needs_data = pytest.mark.skipif(not HAVE_DATA, reason=NO_DATA)


# -- names and weapons -----------------------------------------------------------------------------


def test_names_and_keys_are_distinct_and_keys_are_valid():
    keys = [cow.key(ccode) for ccode in cow.NAMES]
    assert len(set(keys)) == len(keys)
    assert len(set(cow.NAMES.values())) == len(keys)
    assert all(re.fullmatch(r"[a-z][a-z0-9_]{0,39}", key) for key in keys)
    assert all(name == name.strip() != "" for name in cow.NAMES.values())


@pytest.mark.parametrize(
    ("ccode", "key", "name"),
    [
        (2, "united_states", "United States"),
        (200, "united_kingdom", "United Kingdom"),
        (271, "wurttemberg", "Württemberg"),
        (403, "sao_tome_and_principe", "São Tomé and Príncipe"),
        (710, "china", "China"),
        (732, "south_korea", "South Korea"),
        (123, "state_123", "State 123"),
    ],
)
def test_names(ccode, key, name):
    assert cow.key(ccode) == key
    assert cow.title(ccode) == name


@pytest.mark.parametrize(
    ("ccode", "year", "name"),
    [
        (255, 1870, "Prussia"),
        (255, 1871, "Germany"),
        (300, 1866, "Austria"),
        (300, 1867, "Austria-Hungary"),
        (365, 1921, "Russia"),
        (365, 1922, "Soviet Union"),
        (365, 1991, "Soviet Union"),
        (365, 1992, "Russia"),
        (345, 1914, "Serbia"),
        (345, 1950, "Yugoslavia"),
        (640, 1914, "Ottoman Empire"),
        (2, 1815, "United States"),
    ],
)
def test_a_state_is_called_what_it_was_called(ccode, year, name):
    assert cow.title(ccode, year) == name


@pytest.mark.parametrize(
    ("ccode", "first", "last"),
    [(2, 1945, None), (365, 1949, None), (200, 1952, None), (220, 1960, None), (710, 1964, None),
     (666, 1967, None), (750, 1998, None), (770, 1998, None), (731, 2006, None), (560, 1979, 1990)],
)  # fmt: skip
def test_nuclear_weapons(ccode, first, last):
    assert not cow.is_nuclear(ccode, first - 1)
    assert cow.is_nuclear(ccode, first)
    assert cow.is_nuclear(ccode, last or 2022)
    if last:
        assert not cow.is_nuclear(ccode, last + 1)


def test_nobody_else_has_any():
    assert len(cow.NUCLEAR) == 10
    assert not cow.is_nuclear(732, 2022)
    assert not cow.is_nuclear(369, 1993), "Ukraine housed weapons without control of them"


# -- reading ---------------------------------------------------------------------------------------


def test_cinc_is_of_that_state_and_year_and_no_other(tmp_path):
    path = write_cinc(tmp_path / "nmc.csv", {(2, 1950): 0.25, (2, 1951): "", (2, 1952): -9, (20, 1950): 0.5})
    series = cow.read_capabilities(path)
    assert series.get(2, 1950) == 0.25
    assert series.get(20, 1950) == 0.5
    assert series.get(2, 1951) is None
    assert series.get(2, 1952) is None, "-9 is the file's mark for missing"
    assert series.get(20, 1951) is None


def test_what_is_missing_is_said_with_what_there_is(tmp_path):
    years = [1950, 1951, 1952, 1954, 1960, 1961]
    path = write_cinc(tmp_path / "nmc.csv", {(732, year): 0.1 for year in years})
    series = cow.read_capabilities(path)
    with pytest.raises(DataError) as caught:
        series.require(732, 1953)
    assert str(caught.value) == (
        f"{path}: no CINC for South Korea (732) in 1953; the file has 1950–1952, 1954, 1960–1961."
    )
    with pytest.raises(DataError, match=r"Japan \(740\) in 1953; the file has no year of that state"):
        series.require(740, 1953)


@pytest.mark.parametrize(
    ("polyarchy", "polity", "regime"),
    [
        (0.4, 10, 0.4),
        ("", 10, 1.0),
        ("", -10, 0.0),
        ("", 3, 0.65),
        ("", -66, None),
        ("", -77, None),
        ("", -88, None),
        ("", "", None),
        (0.0, 10, 0.0),
    ],
)
def test_regimes_are_polyarchy_or_else_polity(polyarchy, polity, regime, tmp_path):
    path = write_regimes(tmp_path / "regimes.csv", {(2, 1950): (polyarchy, polity)})
    found = cow.read_regimes(path).get(2, 1950)
    assert found is None if regime is None else found == pytest.approx(regime, abs=1e-15)


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="there is no file without an end here")
def test_a_file_without_an_end() -> None:
    with pytest.raises(DataError, match="a line must have at most 1,048,576 characters, got more"):
        cow.read_capabilities("/dev/zero")


def test_a_file_that_is_too_large(tmp_path, monkeypatch) -> None:
    path = write_cinc(tmp_path / "nmc.csv", {(2, 1950): 0.25})
    monkeypatch.setattr(cow, "_LARGEST", path.stat().st_size - 1)
    with pytest.raises(DataError, match="the file must have at most"):
        cow.read_capabilities(path)


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ({"cinc": "much"}, r"nmc\.csv:2: column 'cinc' must be a number, got 'much'\."),
        ({"cinc": "1.5"}, r"nmc\.csv:2: column 'cinc' must be a share, at most 1, got '1\.5'\."),
        ({"cinc": "nan"}, r"nmc\.csv:2: column 'cinc' must be a finite number"),
        ({"ccode": ""}, r"nmc\.csv:2: column 'ccode' must be a whole number and not blank"),
        ({"year": "1950.5"}, r"nmc\.csv:2: column 'year' must be a whole number, got '1950\.5'\."),
    ],
)
def test_a_damaged_capability_is_named_with_its_place(cells, message, tmp_path):
    path = write(tmp_path / "nmc.csv", [{"ccode": 2, "year": 1950, "cinc": 0.2} | cells])
    with pytest.raises(DataError, match=message):
        cow.read_capabilities(path)


def test_a_damaged_regime_is_named_with_its_place(tmp_path):
    path = write_regimes(tmp_path / "r.csv", {(2, 1950): (0.5, ""), (2, 1951): (1.2, "")})
    with pytest.raises(DataError, match=r"r\.csv:3: column 'v2x_polyarchy' must be between 0 and 1"):
        cow.read_regimes(path)
    path = write_regimes(tmp_path / "q.csv", {(2, 1950): ("", -11)})
    with pytest.raises(DataError, match=r"q\.csv:2: column 'polity2' must be between -10 and 10"):
        cow.read_regimes(path)


def test_rows_that_contradict_each_other_are_an_error(tmp_path):
    row = {"ccode": 2, "year": 1950, "cinc": 0.2}
    assert cow.read_capabilities(write(tmp_path / "same.csv", [row, row])).get(2, 1950) == 0.2
    path = write(tmp_path / "nmc.csv", [row, row | {"cinc": 0.3}])
    with pytest.raises(DataError, match=r"nmc\.csv:3: column 'cinc' differs .* state 2 in 1950"):
        cow.read_capabilities(path)


def test_another_file_is_recognised(tmp_path):
    path = write(tmp_path / "other.csv", [{"ccode": 2, "jahr": 1950}])
    with pytest.raises(DataError) as caught:
        cow.read_capabilities(path)
    assert str(caught.value) == (
        f"{path}: this is not a National Material Capabilities file: the columns year, cinc are missing."
    )
    with pytest.raises(DataError, match="no such file"):
        cow.read_regimes(tmp_path / "regimes.csv")


def test_a_file_that_changed_is_read_again(tmp_path):
    path = write_cinc(tmp_path / "nmc.csv", {(2, 1950): 0.25})
    assert cow.read_capabilities(path).get(2, 1950) == 0.25
    write_cinc(path, {(2, 1950): 0.35})
    os.utime(path, ns=(1, 1))
    assert cow.read_capabilities(path).get(2, 1950) == 0.35


# -- actors ----------------------------------------------------------------------------------------


@pytest.fixture
def files(tmp_path):
    return {
        "capabilities": write_cinc(
            tmp_path / "nmc.csv", {(365, 1950): 0.18, (365, 1948): 0.15, (53, 1950): 0}
        ),
        "regimes": write_regimes(tmp_path / "regimes.csv", {(365, 1950): (0.1, -9)}),
    }


def test_an_actor_as_it_was(files):
    actor = cow.actor_from_cow(365, 1950, **files)
    assert actor.title == "Soviet Union"
    assert (actor.capability, actor.regime, actor.nuclear) == (0.18, 0.1, True)
    assert (actor.war_cost, actor.growth, actor.effort) == (1.0, 0.0, 0.02)
    assert actor.source is not None
    for part in ("365 in 1950", "nmc.csv", "regimes.csv", "Gartzke & Kroenig"):
        assert part in actor.source


def test_the_model_asks_the_same_way(files):
    assert Actor.from_cow(365, 1950, **files) == cow.actor_from_cow(365, 1950, **files)


def test_fields_that_are_given_are_not_looked_up(files):
    actor = cow.actor_from_cow(365, 1949, **files, capability=0.3, regime=0.2, nuclear=False, war_cost=2.0)
    assert (actor.capability, actor.regime, actor.nuclear, actor.war_cost) == (0.3, 0.2, False, 2.0)
    assert "nmc.csv" not in (actor.source or "")
    named = cow.actor_from_cow(365, 1950, **files, title="USSR", source="mine")
    assert (named.title, named.source) == ("USSR", "mine")
    with pytest.raises(StudyError, match="capabilty"):
        cow.actor_from_cow(365, 1950, **files, capabilty=0.3)


def test_without_regimes_the_regime_stays_at_its_default(files):
    actor = cow.actor_from_cow(365, 1948, capabilities=files["capabilities"])
    assert actor.regime == 0.5
    assert "regime" not in actor.model_fields_set
    assert not actor.nuclear


def test_an_actor_without_figures_is_an_error(files):
    with pytest.raises(DataError, match=r"no CINC for Soviet Union \(365\) in 1949; .* 1948, 1950"):
        cow.actor_from_cow(365, 1949, **files)
    with pytest.raises(DataError, match=r"no regime figure for Soviet Union \(365\) in 1948"):
        cow.actor_from_cow(365, 1948, **files)
    with pytest.raises(DataError, match=r"CINC of Barbados \(53\) in 1950 is 0"):
        cow.actor_from_cow(53, 1950, capabilities=files["capabilities"])


# -- the real files --------------------------------------------------------------------------------


@needs_data
def test_real_figures():
    korea = cow.actor_from_cow(732, 1953, capabilities=CAPABILITIES, regimes=REGIMES)
    assert korea.capability == pytest.approx(0.00758580, abs=1e-8)
    assert korea.regime == pytest.approx(0.253, abs=1e-9)
    america = cow.actor_from_cow(2, 2016, capabilities=CAPABILITIES, regimes=REGIMES)
    assert america.capability == pytest.approx(0.13325359, abs=1e-8)
    assert america.nuclear
    with pytest.raises(DataError, match=r"Germany .*1816–1945, 1990–2022"):
        cow.actor_from_cow(255, 1960, capabilities=CAPABILITIES)


@needs_data
def test_real_shares_add_up_to_the_world():
    """A year's shares sum to one, or a little more where some state lacks a component."""
    cinc = cow.read_capabilities(CAPABILITIES)
    for year in range(1816, 2023):
        total = sum(cinc.get(state, year) or 0.0 for state in cinc.values)
        assert 1 - 1e-6 < total < (1.08 if year < 1930 else 1.02), year


@needs_data
def test_every_state_in_the_files_has_a_name():
    states = set(cow.read_capabilities(CAPABILITIES).values)
    assert len(states) == 217
    assert states <= set(cow.NAMES)


@needs_data
def test_nothing_is_lost_in_reading():
    with CAPABILITIES.open(encoding="utf-8", newline="") as stream:
        rows = sum(float(row["cinc"] or -9) >= 0 for row in csv.DictReader(stream))
    series = cow.read_capabilities(CAPABILITIES)
    assert sum(len(years) for years in series.values.values()) == rows
