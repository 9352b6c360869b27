"""What a pact changes, divided over its channels: against brute force, in every shipped study, in print."""

from __future__ import annotations

import json
import math
from functools import cache
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from click.testing import CliRunner
from numpy.typing import NDArray

from entangle import Study, StudyError
from entangle.channels import CHANNELS, shapley
from entangle.cli import cli
from entangle.errors import ResultError
from entangle.outcomes import OUTCOMES
from entangle.plot import waterfall
from entangle.tables.channels import as_text
from entangle.tables.text import points
from entangle_kernels import exact
from small_studies import small

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = sorted((ROOT / "configs").glob("*.toml"))
NAMES = [outcome.name for outcome in OUTCOMES]
#: Outcomes that ask whether help was owed: without a pact it never is.
OWED = {"abandonment", "blocked", "reliability"}

Floats = NDArray[np.float64]


def by_hand(values: Floats) -> list[Floats]:
    """Return what each channel adds, by switching them on in each of the 24 orders."""
    bits = [bit for bit, _ in CHANNELS.values()]
    found = [np.zeros(values.shape[1:]) for _ in bits]
    orders = list(permutations(range(4)))
    for order in orders:
        world = 0
        for channel in order:
            found[channel] = found[channel] + values[world | bits[channel]] - values[world]
            world |= bits[channel]
    return [total / len(orders) for total in found]


# -- the division ----------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(20))
def test_division_is_that_of_the_orders(seed: int) -> None:
    values = np.random.default_rng(seed).normal(size=(16, 5))
    found = shapley(values)
    np.testing.assert_allclose(found, by_hand(values), atol=1e-14)
    np.testing.assert_allclose(found.sum(axis=0), values[15] - values[0], atol=1e-14)


def test_division_keeps_its_axioms() -> None:
    values, more = np.random.default_rng(1).normal(size=(2, 16))
    np.testing.assert_allclose(shapley(values + more), shapley(values) + shapley(more), atol=1e-14)
    world = np.arange(16)
    idle = values[world & ~4]  # the third channel changes nothing
    assert shapley(idle)[2] == 0.0
    number = np.array([int(w).bit_count() for w in world])
    np.testing.assert_allclose(shapley(values[number]), (values[4] - values[0]) / 4, atol=1e-14)
    first, second = world & 1, world >> 1 & 1
    swapped = (world & ~3) | first << 1 | second
    alike = values + values[swapped]  # the first two change the same
    np.testing.assert_allclose(*shapley(alike)[:2], atol=1e-14)


def test_one_channel_alone_gets_all() -> None:
    for channel, (bit, _) in enumerate(CHANNELS.values()):
        found = shapley((np.arange(16) & bit > 0).astype(float))
        np.testing.assert_allclose(found, np.arange(4) == channel, atol=1e-15)


# -- shipped studies -------------------------------------------------------------------------------


def assert_divided(study: Study, data: xr.Dataset) -> None:
    """Check the division of a study against its own exact results and against brute force."""
    total = data.contribution.sum("channel")
    np.testing.assert_allclose(total, data.difference, rtol=0, atol=1e-12)
    values = data.probability.transpose("world", "pact", "outcome").values
    divided = data.contribution.transpose("channel", "pact", "outcome").values
    np.testing.assert_allclose(divided, by_hand(values), rtol=0, atol=1e-14)
    assert (data.with_pact.values == values[15]).all()
    assert (data.without_pact.values == values[0]).all()
    assert ((values >= 0.0) & (values <= 1.0 + 1e-12)).all()
    assert_as_reported(study, data)


def assert_as_reported(study: Study, data: xr.Dataset) -> None:
    """Check the full world against the pact's own results, the empty one against those of no pact."""
    exact_ = study.exact().data
    own = exact_.exact.sel(pact=data.pact.values).values
    kept = (data.given == exact_.given).values
    assert {name for name, same in zip(NAMES, kept, strict=True) if not same} == OWED
    assert (data.with_pact.values[:, kept] == own[:, kept]).all()
    unbound = exact_.exact.sel(pact="no_pact").values
    off = data.without_pact.values[:, kept] - unbound[kept]
    assert np.abs(off).max() <= 1e-14
    for name in OWED:
        assert (data.given.sel(outcome=name) == "a dispute").all()
        assert (data.without_pact.sel(outcome=name) == 0.0).all()
        active = exact_.exact.sel(pact=data.pact.values, outcome="obligation_active").values
        share = exact_.exact.sel(pact=data.pact.values, outcome=name).values
        found = data.with_pact.sel(outcome=name).values
        np.testing.assert_allclose(found, np.where(active > 0, active * share, 0.0), atol=1e-14)


def coarse(path: Path) -> Study:
    """Return a shipped study with fewer types, and half as many rounds."""
    study = Study.load(path)
    return study.replace(parameters=study.parameters.replace(types=3, rounds=6))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_pact_of_every_study_is_divided(path: Path) -> None:
    study = coarse(path)
    assert_divided(study, study.channels())


@pytest.mark.nightly
@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_study_is_divided_as_it_is_shipped(path: Path) -> None:
    study = Study.load(path)
    assert_divided(study, study.channels())


@pytest.mark.parametrize("name", ["baseline", "us_rok"])
def test_a_treaty_is_divided_as_it_is_shipped(name: str) -> None:
    study = Study.load(ROOT / "configs" / f"{name}.toml")
    study = study.replace(pacts={pact: study.pacts[pact] for pact in ("treaty", "no_pact")})
    assert_divided(study, study.channels())


def test_directions_at_the_baseline() -> None:
    """What each channel is named for: challenger, protégé and defender move their own outcomes."""
    data = coarse(ROOT / "configs" / "baseline.toml").channels(pacts=["automatic"])
    added = data.contribution.sel(pact="automatic")
    assert added.sel(outcome="challenge", channel="deterrence") < -0.01
    assert added.sel(outcome="provocation", channel="emboldenment") > 0.005
    assert added.sel(outcome="defender_fights", channel="obligation") > 0.01
    assert added.sel(outcome="obligation_active", channel="obligation") > 0.01
    # an opening is the opener's alone
    for outcome, channel in (("challenge", "deterrence"), ("provocation", "emboldenment")):
        others = added.sel(outcome=outcome).drop_sel(channel=channel)
        assert np.abs(others).max() < 1e-14


# -- pacts of one kind -----------------------------------------------------------------------------

PACTS: dict[str, dict[str, Any]] = {
    "no_pact": {},
    "covers_nothing": {"commitment": "automatic", "coverage": 0.0},
    "owes_nothing": {"commitment": "defence", "strength": 0.0},
    "only_words": {"review_years": 5.0, "notice_months": 12.0},
    "promise": {"commitment": "defence", "strength": 0.7},
    "ambiguous": {"commitment": "defence", "coverage": 0.6, "ambiguous": True},
    "aid": {"assistance": 0.5, "integration": 0.5},
    "bases": {"access": "permanent", "forces": 0.5, "consultation": 1.0, "intelligence": 0.5},
    "guarded": {"commitment": "defence", "legislature": True, "approval": 0.5, "delay": 1},
}
NOTHING = ("no_pact", "covers_nothing", "owes_nothing", "only_words")


@cache
def kinds() -> xr.Dataset:
    return small(pacts=PACTS).channels()


@pytest.mark.parametrize("name", NOTHING)
def test_a_pact_that_is_none_changes_nothing(name: str) -> None:
    own = kinds().sel(pact=name)
    assert (own.probability == own.without_pact).all()
    assert (own.contribution == 0.0).all()


@pytest.mark.parametrize("name", ["aid", "bases"])
def test_material_terms_bind_nobody(name: str) -> None:
    own = kinds().sel(pact=name)
    assert (own.contribution.sel(channel="obligation") == 0.0).all()
    assert np.abs(own.contribution.sel(outcome="war", channel="capability")) > 1e-5
    assert (own.with_pact.sel(outcome="obligation_active") == 0.0).all()


@pytest.mark.parametrize("name", ["promise", "ambiguous"])
def test_a_promise_alone_brings_no_capability(name: str) -> None:
    own = kinds().sel(pact=name)
    assert (own.contribution.sel(channel="capability") == 0.0).all()
    assert own.contribution.sel(outcome="defender_fights", channel="obligation") > 1e-4


def test_a_promise_alone_brings_no_capability_in_a_study_of_full_size() -> None:
    study = Study.load(ROOT / "configs" / "us_philippines.toml")
    bare = study.pacts["treaty"].replace(legislature=None, approval=None, delay=None)
    terms = {"commitment", "strength", "coverage", "provoked_discount"}
    promise = {name: value for name, value in bare.to_dict().items() if name in terms}
    data = study.replace(pacts={"promise": promise}).channels()
    assert (data.contribution.sel(channel="capability") == 0.0).all()
    assert (data.difference != 0.0).any()


def test_a_conditional_outcome_keeps_its_condition_where_it_can() -> None:
    data = kinds()
    for outcome in OUTCOMES:
        expected = "a dispute" if outcome.name in OWED else outcome.given
        assert data.given.sel(outcome=outcome.name) == expected


def test_no_disputes_of_the_protege_are_no_provocation() -> None:
    scenario = {"challenger": "east", "protege": "west", "defender": "far", "protege_rate": 0.0}
    data = small(scenario=scenario).channels()
    provocation = data.sel(outcome="provocation")
    assert provocation.given == "a dispute"
    assert (provocation.probability == 0.0).all()
    assert np.isfinite(data.probability).all()


# -- what is returned ------------------------------------------------------------------------------


def test_layout() -> None:
    data = small().channels()
    assert data.probability.dims == ("pact", "world", "outcome")
    assert data.contribution.dims == ("pact", "outcome", "channel")
    for name in ("with_pact", "without_pact", "difference"):
        assert data[name].dims == ("pact", "outcome")
    assert list(data.pact.values) == ["no_pact", "treaty", "with_vote"]
    assert list(data.outcome.values) == NAMES
    assert list(data.channel.values) == ["deterrence", "emboldenment", "obligation", "capability"]
    assert list(data.world.values) == list(range(16))
    for index, name in enumerate(data.channel.values):
        assert data[name].dims == ("world",)
        assert list(data[name].values) == [bool(world >> index & 1) for world in range(16)]
    full = data.probability.where(data.obligation & data.deterrence & data.emboldenment & data.capability)
    assert (full.sum("world") == data.with_pact).all()
    assert data.attrs["fingerprint"] == small().fingerprint
    assert Study.from_dict(json.loads(data.attrs["study"])) == small()


def test_pacts_are_those_that_are_asked_for() -> None:
    whole = small().channels()
    part = small().channels(pacts=["with_vote", "treaty", "with_vote"])
    assert list(part.pact.values) == ["with_vote", "treaty"]
    for name in ("probability", "contribution"):
        assert (part[name] == whole[name].sel(pact=part.pact)).all()
    with pytest.raises(StudyError, match=r"got 'tready'\. Did you mean 'treaty'\?"):
        small().channels(pacts=["tready"])
    with pytest.raises(StudyError, match="must name at least one pact"):
        small().channels(pacts=[])


def test_workers_change_no_bit() -> None:
    one, three = (small().channels(workers=workers) for workers in (1, 3))
    xr.testing.assert_equal(one, three)
    with pytest.raises(ValueError, match="workers must be at least 1"):
        small().channels(workers=0)


def test_equal_worlds_are_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    computed = []
    probabilities = exact.probabilities

    def counting(tables: Any) -> Any:
        computed.append(tables)
        return probabilities(tables)

    monkeypatch.setattr(exact, "probabilities", counting)
    small(pacts={"no_pact": {}, "only_words": {"notice_months": 6.0}}).channels()
    assert len(computed) == 1
    small(pacts={"promise": {"commitment": "defence"}}).channels()
    assert len(computed) == 1 + 8


# -- in print --------------------------------------------------------------------------------------


def test_table_is_narrow_and_adds_up() -> None:
    data = kinds()
    for text in (as_text(data), as_text(data, outcomes=NAMES)):
        assert max(map(len, text.splitlines())) <= 80
        assert "As without any pact: nothing to divide." in text
    lines = as_text(data.sel(pact=["guarded"]), outcomes=["war", "challenge"]).splitlines()
    row = next(line for line in lines if line.startswith("war ")).split()[1:]
    without, *added, with_pact = (float(number.replace("−", "-")) for number in row)
    assert without + sum(added) == pytest.approx(with_pact, abs=0.01)
    # rounding is not shown as an effect
    opened = next(line for line in lines if line.startswith("challenge [1]")).split()[2:]
    assert opened[2:5] == ["0", "0", "0"]
    assert "[1] given a dispute that arose for the challenger" in lines
    with pytest.raises(ResultError, match="Did you mean 'war'"):
        as_text(data, outcomes=["wer"])


def test_points_have_a_sign() -> None:
    assert [points(x) for x in (0.0123, -0.5, 0.0, -1e-7)] == ["+1.230", "−50.00", "0", "−1.00e-5"]


def drawn(data: xr.Dataset, **asked: str) -> Any:
    ax = waterfall(data, **asked)
    ax.get_figure(root=True).draw_without_rendering()
    return ax


@pytest.mark.parametrize("outcome", NAMES)
def test_bars_lead_from_no_pact_to_the_pact(outcome: str) -> None:
    ax = drawn(kinds(), pact="bases", outcome=outcome)
    cell = kinds().sel(pact="bases", outcome=outcome)
    first, last, *steps = ax.patches
    assert len(steps) == 4
    before = 100 * cell.without_pact.item()
    assert first.get_y() + first.get_height() == pytest.approx(before, abs=1e-12)
    for bar, change in zip(steps, cell.contribution.values, strict=True):
        assert bar.get_y() == pytest.approx(before, abs=1e-10)
        assert bar.get_height() == pytest.approx(100 * change, abs=1e-10)
        before += 100 * change
    end = 100 * cell.with_pact.item()
    assert last.get_y() + last.get_height() == pytest.approx(end, abs=1e-12)
    assert before == pytest.approx(end, abs=1e-9)
    bottom, top = ax.get_ylim()
    levels = [bar.get_y() + part for bar in ax.patches for part in (0, bar.get_height())]
    assert bottom <= min(levels) <= max(levels) < top
    assert ("does not start at 0" in shown(ax)) == (first.get_y() > 0)
    assert "Shapley" in shown(ax)
    assert "24 orders" in shown(ax)


def shown(ax: Any) -> str:
    return " ".join(text.get_text() for text in ax.texts)


@pytest.mark.parametrize("outcome", ["war", "challenge", "defender_fights", "abandonment"])
@pytest.mark.parametrize("pact", ["guarded", "bases", "no_pact"])
def test_no_value_lies_on_another(pact: str, outcome: str) -> None:
    ax = drawn(kinds(), pact=pact, outcome=outcome)
    whole = ax.get_figure(root=True).bbox
    boxes = [text.get_window_extent() for text in ax.texts]
    assert len(boxes) == 7  # two totals, four steps, the caption
    for index, box in enumerate(boxes):
        assert whole.x0 <= box.x0 <= box.x1 <= whole.x1
        assert whole.y0 <= box.y0 <= box.y1 <= whole.y1
        assert not any(box.overlaps(other) for other in boxes[:index])


def test_words_on_the_picture() -> None:
    ax = drawn(kinds(), outcome="war")
    assert ax.get_title(loc="left").startswith("promise, war: the crisis reaches local war")
    labels = [label.get_text().replace("\n", " ") for label in ax.get_xticklabels()]
    assert labels == [
        "no pact",
        "challenger deterred",
        "protégé emboldened",
        "defender bound",
        "joint capability",
        "promise",
    ]
    assert ax.get_ylabel() == "probability [%]\ngiven a dispute"
    other = ax.get_figure(root=True).add_subplot()
    assert waterfall(kinds(), pact="aid", ax=other) is other
    with pytest.raises(ResultError, match="There is no pact 'aids'"):
        waterfall(kinds(), pact="aids")
    with pytest.raises(ResultError, match="There is no outcome 'wars'"):
        waterfall(kinds(), outcome="wars")


# -- the command -----------------------------------------------------------------------------------


@pytest.fixture
def study(tmp_path: Path) -> Path:
    path = tmp_path / "study.toml"
    small().save(path)
    return path


def call(*arguments: object) -> Any:
    return CliRunner().invoke(cli, ["channels", *map(str, arguments)])


def test_command_prints_the_table_and_writes_what_was_asked_for(study: Path, tmp_path: Path) -> None:
    out, plot = tmp_path / "channels.nc", tmp_path / "waterfall.svg"
    done = call(study, "--pact", "treaty", "--outcome", "defender_fights", "--out", out, "--plot", plot)
    assert done.exit_code == 0, done.output
    data = small().channels(pacts=["treaty"])
    assert done.stdout == as_text(data, outcomes=["defender_fights"])
    kept = xr.load_dataset(out, engine="h5netcdf")
    for name in ("probability", "contribution", "with_pact", "obligation"):
        assert (kept[name].values == data[name].values).all()
    assert kept.obligation.dtype == bool
    assert "<svg" in plot.read_text(encoding="utf-8")


def test_command_prints_every_outcome(study: Path) -> None:
    assert call(study).stdout == as_text(small().channels())
    assert call(study, "--outcome", "all").stdout == as_text(small().channels(), outcomes=NAMES)


def test_json_is_the_numbers(study: Path) -> None:
    shown = call(study, "--json", "--pact", "with_vote")
    data = json.loads(shown.stdout, parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))
    assert data["worlds"][5] == ["deterrence", "obligation"]
    assert list(data["channels"]) == list(CHANNELS)
    own = data["pacts"]["with_vote"]
    assert list(own) == NAMES
    for numbers in own.values():
        assert math.fsum(numbers["contributions"].values()) == pytest.approx(numbers["difference"], abs=1e-12)
        assert len(numbers["worlds"]) == 16
        assert (numbers["worlds"][0], numbers["worlds"][15]) == (
            numbers["without_pact"],
            numbers["with_pact"],
        )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--pact", "tready"], "Did you mean 'treaty'?"),
        (["--outcome", "wor"], "Did you mean 'war'?"),
        (["--plot", "waterfall.txt"], "must end in one of .pdf, .png, .svg"),
        (["--out", "nowhere/channels.nc"], "there is no folder 'nowhere'"),
    ],
)
def test_bad_options_are_2(
    study: Path, arguments: list[str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(study.parent)
    shown = call(study, *arguments)
    assert (shown.exit_code, shown.stdout) == (2, "")
    assert message in " ".join(shown.stderr.split())


def test_a_full_disk_is_1_and_leaves_nothing(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: Any, path: Any, **_: Any) -> None:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr("xarray.Dataset.to_netcdf", fail)
    shown = call(study, "--out", tmp_path / "channels.nc")
    assert (shown.exit_code, shown.stdout) == (1, "")
    assert "cannot be written (no space left on device)" in shown.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["study.toml"]
