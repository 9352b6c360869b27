"""Results: labelled, honest where nothing is known, kept in files that say what made them."""

from __future__ import annotations

import json
import math
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import entangle
from entangle import engine, solving, tabulate
from entangle.errors import ResultError
from entangle.outcomes import OUTCOMES, REACHED
from entangle.result import ReproducibilityWarning, Result
from entangle.vocabulary import RUNGS
from small_studies import small

SEED = 7
TRAJECTORIES = 1_000_000


@pytest.fixture(scope="module")
def study():
    return small()


@pytest.fixture(scope="module")
def result(study):
    return study.run(trajectories=TRAJECTORIES, seed=SEED)


@pytest.fixture(scope="module")
def exact(study):
    return study.exact()


@pytest.fixture
def saved(result, tmp_path) -> Path:
    path = tmp_path / "saved.nc"
    result.save(path)
    return path


# -- the table -----------------------------------------------------------------------------------


def test_names_that_scripts_rely_on(result):
    data = result.data
    assert list(data.pact.values) == ["no_pact", "treaty", "with_vote"]
    assert list(data.rung.values) == list(RUNGS)
    assert {
        "challenge", "provocation", "force", "war", "defender_fights", "obligation_active",
        "abandonment", "blocked", "concession", "withdrawal", "defeat", "victory", "stalemate",
        "nuclear_use",
    } <= set(data.outcome.values)  # fmt: skip
    for name in ("probability", "lower", "upper", "count", "trials", "exact"):
        assert data[name].dims == ("pact", "outcome")
        assert data[f"rung_{name}"].dims == ("pact", "rung")
        kind = "i" if name in ("count", "trials") else "f"
        assert data[name].dtype.kind == kind
        assert data[name].attrs["units"] == "1"
        assert data[name].attrs["long_name"]


def test_shares_are_counts_over_trials_of_the_cells(result, study):
    prepared = solving.prepare(study)
    tally = engine.simulate(engine.plan_of(prepared), seed=SEED, trajectories=TRAJECTORIES)
    for pact, table in zip(prepared, tally.counts, strict=True):
        for outcome, answer in [(o, result.probability) for o in OUTCOMES] + [
            (o, result.rung) for o in REACHED
        ]:
            estimate = answer(pact, outcome.name)
            assert estimate.count == table[outcome.event].sum()
            assert estimate.trials == table[outcome.condition].sum()
            if estimate.trials:
                assert estimate.probability == estimate.count / estimate.trials
            law = prepared[pact].exact
            if law[outcome.condition].sum() > 0:
                share = law[outcome.event].sum() / law[outcome.condition].sum()
                assert estimate.exact == pytest.approx(share, rel=1e-12, abs=1e-300)


def test_cells_hold_every_dispute_once(result):
    assert (result.data.cells.sum("cell") == TRAJECTORIES).all()
    assert result.data.cells_exact.sum("cell").values == pytest.approx(np.ones(3), abs=1e-12)
    fought = ((result.data.state // 2) % 4 == 3).values
    counted = result.data.cells.sel(pact="treaty").values[fought].sum()
    assert counted == result.probability("treaty", "defender_fights").count


def test_estimates_lie_in_their_intervals(result):
    for prefix in ("", "rung_"):
        known = result.data[f"{prefix}trials"] > 0
        lower, share, upper = (result.data[prefix + name] for name in ("lower", "probability", "upper"))
        assert ((lower <= share) & (share <= upper)).where(known, True).all()
        assert ((lower >= 0) & (upper <= 1)).all()


def test_rungs_are_cumulative(result):
    for name in ("rung_count", "rung_exact"):
        assert (result.data[name].diff("rung") <= 0).all()
    assert (result.data.rung_exact.sel(rung="dispute") == 1).all()


def test_a_condition_that_never_holds_gives_no_number(result, exact):
    estimate = result.probability("no_pact", "abandonment")
    assert math.isnan(estimate.probability)
    assert math.isnan(estimate.exact)
    assert (estimate.lower, estimate.upper, estimate.trials) == (0.0, 1.0, 0)
    assert math.isnan(exact.probability("no_pact", "abandonment").probability)


def test_each_outcome_says_what_it_is_conditional_on(result):
    attribute = result.data.probability.attrs["conditional_on"]
    for outcome in OUTCOMES:
        assert result.probability("treaty", outcome.name).given == outcome.given
        assert f"{outcome.name} given {outcome.given}" in attribute
    assert result.rung("treaty", "local_war").given == "a dispute"


def test_exact_alone_is_its_own_estimate(exact, result):
    for prefix in ("", "rung_"):
        law = exact.data[f"{prefix}exact"]
        assert law.identical(result.data[f"{prefix}exact"])
        for name in ("probability", "lower", "upper"):
            assert law.equals(exact.data[prefix + name])
        for name in ("count", "trials"):
            assert (exact.data[prefix + name] == 0).all()
    assert not exact.simulated
    assert exact.trajectories == 0


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda r: r.probability("treety", "war"), "no pact 'treety'. Did you mean 'treaty'?"),
        (lambda r: r.probability("treaty", "wars"), "no outcome 'wars'. Did you mean 'war'?"),
        (lambda r: r.rung("treaty", "lokal_war"), "no rung 'lokal_war'. Did you mean 'local_war'?"),
        (lambda r: r.rung("treaty", "peace"), "Known here: dispute, threat"),
    ],
)
def test_a_misspelt_label_is_named_with_the_nearest_one(result, ask, message):
    with pytest.raises(ResultError) as caught:
        ask(result)
    assert message in str(caught.value)


def test_an_estimate_prints_its_numbers(result, exact):
    text = repr(result.probability("treaty", "war"))
    assert text.startswith("Estimate(0.")
    assert "of 1,000,000, exact 0." in text
    assert text.endswith("given a dispute)")
    assert repr(exact.probability("treaty", "war")).startswith("Estimate(exact 0.")


# -- agreement -----------------------------------------------------------------------------------

#: Three pacts, each with all outcomes and rungs. Given its trials every count is binomial with the exact
#: probability, and Clopper-Pearson covers at least its level: the whole check fails by chance with 1e-9.
LEVEL = 1 - 1e-9 / (3 * (len(OUTCOMES) + len(REACHED)))


def all_agree(result: Result, level: float) -> bool:
    agreement = result.agreement(level)
    return bool(agreement.probability.all() and agreement.rung_probability.all())


def test_simulation_agrees_with_the_exact_law(result):
    assert all_agree(result, LEVEL)


def test_a_simulator_with_one_probability_off_does_not_agree(study):
    """Mutation twin: the challenger opens crises with two more chances in a hundred."""
    prepared, plan, known = engine.prepared(study)
    index = list(prepared).index("treaty")
    enter = plan.worlds[index].enter.copy()
    enter[0] -= np.uint32(2**32 // 50)
    mutant = plan.worlds[index]._replace(enter=enter)
    plan = plan._replace(worlds=(*plan.worlds[:index], mutant, *plan.worlds[index + 1 :]))
    settings = study.simulation.replace(trajectories=TRAJECTORIES, seed=SEED)
    tally = engine.simulate(plan, seed=SEED, trajectories=TRAJECTORIES)
    wrong = tabulate.tabulate(study.replace(simulation=settings), prepared, known, tally=tally)
    inside = wrong.agreement(LEVEL).probability
    assert not inside.sel(pact="treaty", outcome="challenge")
    assert inside.sel(pact="no_pact").all()


def test_counts_of_what_cannot_happen_do_not_agree(result):
    data = result.data.copy(deep=True)
    where = {"pact": "no_pact", "outcome": "abandonment"}
    data["trials"].loc[where] = 3
    assert not Result(data).agreement().probability.sel(where)


def test_without_simulation_there_is_nothing_to_agree(exact):
    with pytest.raises(ResultError, match="Nothing was simulated"):
        exact.agreement()


# -- showing -------------------------------------------------------------------------------------


def many_pacts():
    names = ["no_pact", "a_pact_with_a_name_of_forty_characters_x", "p" * 40, *"bcdefg"]
    return small(pacts={name: {} for name in names}, title="[bold]Brackets[/bold] – 条約")


@pytest.mark.parametrize("make", [small, many_pacts])
@pytest.mark.parametrize("simulate", [True, False])
def test_the_summary_fits_a_terminal_and_names_everything(make, simulate):
    study = make()
    result = study.run(trajectories=1000) if simulate else study.exact()
    text = result.summary()
    assert max(map(len, text.splitlines())) <= 80
    assert study.title in text
    assert "…" not in text  # nothing is cut
    for outcome in OUTCOMES:
        assert f" {outcome.name}" in text
        assert outcome.given in " ".join(text.split())
    for pact in study.pacts:
        assert all(part[:10] in text for part in pact.split("_"))
    assert ("interval" in text) is simulate


def test_the_summary_shows_small_numbers(result):
    from entangle.tables.text import number

    numbers = [0.16193, 1e-7, 0.0, 1.0, 1 - 3e-6, 0.000012, 2e-13, math.nan]
    shown = ["16.19", "1.00e-5", "0", "100.0", "99.9997", "0.001200", "2.00e-11", "–"]
    assert [number(value) for value in numbers] == shown
    war = result.probability("treaty", "war")
    assert f"{number(war.probability)} ({number(war.exact)})" in result.summary()
    assert f"{number(war.lower)} – {number(war.upper)}" in result.summary()


def test_short_views(result, exact):
    assert repr(result) == (
        "<entangle.Result: Three pacts; 3 pacts, 1,000,000 simulated disputes for each, seed 7>"
    )
    assert repr(exact) == "<entangle.Result: Three pacts; 3 pacts, exact probabilities>"
    html = result._repr_html_()
    assert html.count("<tr>") == 1 + 3
    assert "<script" not in small(title="<script>").exact()._repr_html_()


@pytest.mark.parametrize("kind", ["simulated", "exact"])
def test_the_plot_draws_every_pact_at_its_exact_heights(request, kind, tmp_path):
    result = request.getfixturevalue("result" if kind == "simulated" else "exact")
    ax = result.plot()
    legend = ax.get_legend()
    assert [text.get_text() for text in legend.get_texts()] == list(result.data.pact.values)
    labels = [tick.get_text().replace("\n", "_") for tick in ax.get_xticklabels()]
    assert labels == list(RUNGS[1:]), "every dispute is one: the first rung tells nothing"
    assert ax.get_yscale() == "log"
    assert "[%]" in ax.get_ylabel()
    assert ax.get_title(loc="left") == "Three pacts"
    drawn = [np.asarray(line.get_ydata(), float) for line in ax.get_lines()]
    for heights in result.data.rung_exact.values[:, 1:]:
        wanted = np.where(heights > 0, heights, np.nan)
        assert any(np.array_equal(wanted, line, equal_nan=True) for line in drawn)
    assert ax._repr_png_().startswith(b"\x89PNG")


def test_the_plot_leaves_no_global_state():
    import sys

    pyplot = sys.modules.get("matplotlib.pyplot")
    before = pyplot.get_fignums() if pyplot else None
    small().exact().plot()
    after = sys.modules.get("matplotlib.pyplot")
    assert (after.get_fignums() if after else None) == before


def test_the_plot_goes_onto_given_axes(exact):
    from matplotlib.figure import Figure

    ax = Figure().add_subplot()
    assert exact.plot(ax=ax) is ax


# -- files ---------------------------------------------------------------------------------------


def test_a_file_gives_back_the_result(result, exact, saved, tmp_path):
    xr.testing.assert_identical(Result.load(saved).data, result.data)
    exact.save(tmp_path / "exact.nc")
    xr.testing.assert_identical(Result.load(tmp_path / "exact.nc").data, exact.data)


def test_a_file_says_what_made_it(saved, study):
    attrs = xr.load_dataset(saved, engine="h5netcdf").attrs
    assert attrs["Conventions"] == "CF-1.11, ACDD-1.3"
    assert (attrs["random_scheme"], attrs["format_version"]) == (1, 2)
    assert (attrs["seed"], int(attrs["trajectories"])) == ("7", TRAJECTORIES)
    assert set(json.loads(attrs["versions"])) == {"entangle", "numpy", "numba", "python"}
    assert attrs["fingerprint"] == study.fingerprint
    loaded = Result.load(saved)
    settings = study.simulation.replace(trajectories=TRAJECTORIES, seed=SEED)
    assert loaded.study == study.replace(simulation=settings)
    assert {len(text) for text in loaded.data.table_hash.values} == {64}
    assert (loaded.data.solver_sweeps > 0).all()


def test_a_seed_of_64_bits_survives(tmp_path):
    small().run(trajectories=10, seed=2**64 - 1).save(tmp_path / "seed.nc")
    assert Result.load(tmp_path / "seed.nc").study.simulation.seed == 2**64 - 1


def test_a_rerun_from_the_file_alone_has_the_same_bits(saved, result):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = Result.load(saved).rerun(workers=1)
    xr.testing.assert_identical(again.data.drop_attrs(), result.data.drop_attrs())
    assert again.data.attrs["sha256"] == result.data.attrs["sha256"]


def test_a_rerun_of_an_exact_result_is_exact(exact):
    xr.testing.assert_identical(exact.rerun().data.drop_attrs(), exact.data.drop_attrs())


def test_a_rerun_by_another_computation_says_so(exact):
    data = exact.data.copy(deep=True)
    data["table_hash"][1] = "0" * 64
    with pytest.warns(ReproducibilityWarning, match="the solved pacts treaty differ"):
        Result(data).rerun()


def test_files_of_any_number_of_workers_are_the_same_bytes(study, tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    paths = [tmp_path / "one.nc", tmp_path / "two.nc"]
    for workers, path in enumerate(paths, start=1):
        study.run(trajectories=200_000, seed=SEED, workers=workers).save(path)
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_only_the_time_stamp_differs(study, tmp_path, monkeypatch):
    texts = []
    for epoch in ("1700000000", "1800000001"):
        monkeypatch.setenv("SOURCE_DATE_EPOCH", epoch)
        made = study.run(trajectories=1000, seed=SEED)
        made.save(tmp_path / "stamped.nc")
        stamp = made.data.attrs["date_created"].encode()
        text = (tmp_path / "stamped.nc").read_bytes()
        assert text.count(stamp) == 1
        texts.append(text.replace(stamp, b"-" * len(stamp)))
    assert texts[0] == texts[1]


def test_a_save_that_is_interrupted_leaves_the_old_file_alone(result, saved, monkeypatch):
    before = saved.read_bytes()

    def fail(self, path, **_):
        Path(path).write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(xr.Dataset, "to_netcdf", fail)
    with pytest.raises(KeyboardInterrupt):
        result.save(saved)
    assert saved.read_bytes() == before
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]


# -- damaged and foreign files -------------------------------------------------------------------


def refused(path: Path) -> str:
    with pytest.raises(ResultError) as caught:
        Result.load(path)
    assert str(caught.value).startswith(f"{path}: ")
    return str(caught.value)


def changed(saved: Path, **attrs: object) -> Path:
    data = xr.load_dataset(saved, engine="h5netcdf")
    data.attrs.update(attrs)
    path = saved.with_name("changed.nc")
    data.to_netcdf(path, engine="h5netcdf")
    return path


def test_a_missing_file(tmp_path):
    assert "no such file" in refused(tmp_path / "nowhere.nc")


def test_a_folder(tmp_path):
    assert "no such file" in refused(tmp_path)


@pytest.mark.parametrize("content", [b"", b"title = 'a study'\n", b"CDF\x01" + bytes(40)])
def test_what_is_not_netcdf(tmp_path, content):
    path = tmp_path / "study.nc"
    path.write_bytes(content)
    assert "not netCDF" in refused(path)


@pytest.mark.parametrize("share", [0.001, 0.3, 0.9, 0.9999])
def test_a_file_cut_short(saved, share):
    whole = saved.read_bytes()
    saved.write_bytes(whole[: int(share * len(whole))])
    assert "cut short" in refused(saved)


def test_a_foreign_file(tmp_path):
    path = tmp_path / "foreign.nc"
    xr.Dataset({"temperature": ("time", [1.0, 2.0])}).to_netcdf(path, engine="h5netcdf")
    assert "not a result of entangle" in refused(path)


def test_a_newer_format(saved):
    assert "Update entangle" in refused(changed(saved, format_version=3))


def test_a_changed_attribute(saved):
    assert "checksum" in refused(changed(saved, title="Another"))
    assert "seed: must be that of the study, 7, got 8." in refused(changed(saved, seed="8"))


def test_a_bit_that_turned_over(saved, result):
    """In a count, where HDF5 itself would not notice."""
    whole = saved.read_bytes()
    count = result.data["count"].values.astype("<i8").tobytes()
    place = whole.index(count)
    shutil.copy(saved, saved.with_name("kept.nc"))
    saved.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
    assert "checksum" in refused(saved)
    assert Result.load(saved.with_name("kept.nc")).data["count"].equals(result.data["count"])


def test_the_public_way_in():
    assert entangle.Result is Result
