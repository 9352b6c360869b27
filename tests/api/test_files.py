"""Files of results: of every kind by one function, whole or lazily; conventions; older formats."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
import xarray as xr

import entangle
from entangle import Decades, Ensemble, Result, archive, diff, load_result, open_result, provenance, verify
from entangle.errors import ResultError, RunError
from entangle.files import write_dataset
from small_studies import small

#: Where the files that this process holds open are listed, if they are.
DESCRIPTORS = Path("/proc/self/fd")

KINDS = {"disputes": Result, "histories": Decades, "draws": Ensemble}


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ENTANGLE_CACHE", "off")
        study = small(pacts={"no_pact": {}, "treaty": {"commitment": "defence"}})
        study.run(trajectories=5000, seed=7).save(folder / "disputes.nc")
        study.run(trajectories=500, draws=2).save(folder / "draws.nc")
        years = study.replace(
            parameters=study.parameters.replace(rounds=3), peacetime={"years": 3, "context_error": 0.3}
        )
        years.decades(histories=300, seed=5).save(folder / "histories.nc")
    return folder


def opened_files() -> set[Path]:
    found = set()
    for descriptor in DESCRIPTORS.iterdir() if DESCRIPTORS.exists() else ():
        with contextlib.suppress(OSError):
            found.add(descriptor.readlink())
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_one_function_reads_every_kind(files, kind):
    path = files / f"{kind}.nc"
    assert type(load_result(path)) is type(open_result(path)) is KINDS[kind]
    for name, other in KINDS.items():
        for way in ("load", "open"):
            if name == kind:
                assert type(getattr(other, way)(path)) is other
            else:
                with pytest.raises(ResultError, match=rf"Use entangle\.{KINDS[kind].__name__}\.load\(\), or"):
                    getattr(other, way)(path)


@pytest.mark.parametrize("kind", KINDS)
def test_a_result_is_read_when_it_is_asked_for(files, kind, tmp_path):
    path = tmp_path / "result.nc"
    path.write_bytes((files / f"{kind}.nc").read_bytes())
    with open_result(path) as lazy:
        name = {"disputes": "cells", "histories": "ever_count", "draws": "probability"}[kind]
        assert not lazy.data[name].variable._in_memory
        assert repr(lazy) == repr(load_result(path))
        assert not lazy.data[name].variable._in_memory
        assert lazy.data[name].identical(load_result(path).data[name])
        assert not DESCRIPTORS.exists() or path in opened_files()
    assert path not in opened_files()
    open_result(path).close()
    assert path not in opened_files()


def test_what_is_no_result_of_a_run_says_so(files, tmp_path):
    data = xr.load_dataset(files / "disputes.nc", engine="h5netcdf")
    data.attrs["method"] = "exact at every draw"
    data = data.assign_attrs(sha256=provenance.checksum(data, data.attrs))
    write_dataset(data, tmp_path / "other.nc")
    for way in (load_result, open_result, Result.load):
        with pytest.raises(ResultError, match="holds no result of a run"):
            way(tmp_path / "other.nc")


@pytest.mark.parametrize("kind", KINDS)
def test_equal_runs_write_equal_bytes_without_a_clock_being_stopped(files, kind, tmp_path, monkeypatch):
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    monkeypatch.setenv("ENTANGLE_CACHE", "off")
    result = load_result(files / f"{kind}.nc")
    assert "date_created" not in result.data.attrs
    again = result.study.decades(histories=300) if kind == "histories" else result.rerun()
    again.save(tmp_path / "again.nc")
    assert (tmp_path / "again.nc").read_bytes() == (files / f"{kind}.nc").read_bytes()


# -- conventions -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_what_cf_and_acdd_ask_for_is_there(files, kind):
    data = load_result(files / f"{kind}.nc").data
    assert data.attrs["Conventions"] == "CF-1.11, ACDD-1.3"
    asked = ("title", "summary", "keywords", "id", "naming_authority", "source", "history", "creator_name",
             "license", "institution", "project", "processing_level", "comment", "references",
             "product_version")  # fmt: skip
    assert all(data.attrs[name] for name in asked)
    for name, variable in data.variables.items():
        assert variable.attrs["long_name"], name
        if variable.dtype.kind in "iuf":
            assert variable.attrs.get("units") or variable.attrs.get("flag_meanings"), name


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.filterwarnings("ignore")  # of the checker and what it imports
def test_the_compliance_checker_finds_nothing_amiss(files, kind):
    runner = pytest.importorskip(
        "compliance_checker.runner", reason="compliance-checker is not installed; it is too large to ask for"
    )
    runner.CheckSuite.load_all_available_checkers()
    suite = runner.CheckSuite()
    scores = suite.run_all(suite.load_dataset(str(files / f"{kind}.nc")), ["cf:1.11", "acdd:1.3"])
    groups, errors = scores["cf:1.11"]
    # it takes the distance of neighbouring words to see whether they ascend
    assert set(errors) <= {"check_coordinate_variables_strict_monotonicity"}
    assert groups
    assert not [group.msgs for group in groups if group.value[0] != group.value[1]]
    groups, errors = scores["acdd:1.3"]
    assert not errors
    wanting = [group for group in groups if group.weight == 3 and group.value[0] != group.value[1]]
    missing = {message for group in wanting for message in group.msgs}
    # highly recommended, and there but for names of a table that has none for pacts
    assert not {message for message in missing if "standard_name" not in message}


# -- versions ----------------------------------------------------------------------------------------


def as_version_1(path: Path, out: Path) -> None:
    """Write a result as format 1 was: no digests, no ACDD, a time stamp always."""
    data = load_result(path).data
    dropped = {"cells_digest", "pairs_digest", "histories_digest", "first"} & set(data.variables)
    data = data.drop_vars(dropped)
    for variable in data.variables.values():
        variable.attrs.pop("coverage_content_type", None)
    kept = ("title", "summary", "source", "history", "method", "trajectories", "histories", "seed",
            "confidence", "study", "fingerprint", "versions", "random_scheme", "draws", "draws_asked",
            "draws_left_out",
            "no_pact", "parameters", "posterior_fingerprint", "posterior_sha256")  # fmt: skip
    attrs = {name: data.attrs[name] for name in kept if name in data.attrs}
    data.attrs = attrs | {
        "Conventions": "CF-1.11",
        "date_created": "2026-11-01T00:00:00Z",
        "format_version": 1,
    }
    data.attrs["sha256"] = provenance.checksum(data, data.attrs)
    write_dataset(data, out)


@pytest.mark.parametrize("kind", KINDS)
def test_files_of_format_1_still_open(files, kind, tmp_path, monkeypatch):
    monkeypatch.setenv("ENTANGLE_CACHE", "off")
    old = tmp_path / "old.nc"
    as_version_1(files / f"{kind}.nc", old)
    result = load_result(old)
    assert result.data.attrs["format_version"] == 1
    new = load_result(files / f"{kind}.nc")
    assert result.study == new.study
    found = diff(result, new)
    assert found.agree
    assert ("format_version", 1, 2) in found.plan
    assert verify(old).right


def test_a_long_run_of_format_1_has_nothing_to_sample(tmp_path, files):
    old = tmp_path / "old.nc"
    as_version_1(files / "disputes.nc", old)
    result = load_result(old)
    result.data.attrs["trajectories"] = 10**9
    with pytest.raises(ResultError, match="of an older format, without digests of its stretches"):
        verify(result)


# -- kept histories ----------------------------------------------------------------------------------


def test_kept_histories_are_those_of_the_study(files, tmp_path, monkeypatch):
    pytest.importorskip("zarr", reason="Zarr is an extra of this package")
    monkeypatch.setenv("ENTANGLE_CACHE", "off")
    study = load_result(files / "histories.nc").study
    told = []
    archive.keep(study, tmp_path / "kept.zarr", 11, seed=5, chunk=4, progress=lambda *done: told.append(done))
    assert told == [(1, 3), (2, 3), (3, 3)]
    assert [path.name for path in tmp_path.iterdir()] == ["kept.zarr"]
    kept = archive.load_kept(tmp_path / "kept.zarr")
    for pact in study.pacts:
        alone = study.histories(range(11), pact=pact, seed=5)
        own = kept.sel(pact=pact)
        for name, variable in alone.data_vars.items():
            xr.testing.assert_equal(own[name].drop_vars("pact"), variable)
            assert own[name].dtype == variable.dtype
            assert own[name].attrs == variable.attrs
    some = archive.load_kept(tmp_path / "kept.zarr", [9, 2], pacts=["treaty"])
    xr.testing.assert_equal(some, kept.sel(pact=["treaty"], trajectory=[9, 2]))
    with pytest.raises(RunError, match="there is something already"):
        archive.keep(study, tmp_path / "kept.zarr", 2)
    with pytest.raises(ResultError, match="no trajectory 11 among those that were kept"):
        archive.load_kept(tmp_path / "kept.zarr", [11])
    for wrong in ([], [3, 2], 0):
        with pytest.raises(ResultError, match="ascending order"):
            archive.keep(study, tmp_path / "other.zarr", wrong)


def test_a_folder_that_is_interrupted_leaves_nothing(files, tmp_path, monkeypatch):
    pytest.importorskip("zarr", reason="Zarr is an extra of this package")
    monkeypatch.setenv("ENTANGLE_CACHE", "off")
    study = load_result(files / "histories.nc").study

    def stop(*_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        archive.keep(study, tmp_path / "kept.zarr", 4, chunk=2, progress=stop)
    assert not list(tmp_path.iterdir())


def test_the_public_names():
    assert entangle.load_result is load_result
    assert entangle.verify is verify
