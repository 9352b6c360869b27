"""Ways to damage a result, or to make one that does harm: each is found, and named in one sentence.

Some of the files are as a disk or a copy would leave them; others are sealed again after they were changed, as
somebody would who wants them to pass.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import xarray as xr

from entangle import archive, checked, load_result, open_result, provenance, strict, toml
from entangle.errors import ResultError
from entangle.files import write_dataset
from small_studies import small

Change = Callable[[Path], object]

#: What a refusal may take in memory, whatever the file declares.
MEMORY = 80 * 2**20
PLENTY = 2**40


@pytest.fixture(scope="session")
def originals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One result of each kind, and a folder of histories."""
    folder = tmp_path_factory.mktemp("originals")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ENTANGLE_CACHE", "off")
        study = small(pacts={"no_pact": {}, "treaty": {"commitment": "defence"}})
        study.run(trajectories=5000, seed=7).save(folder / "disputes.nc")
        study.run(trajectories=500, draws=2).save(folder / "draws.nc")
        years = study.replace(
            parameters=study.parameters.replace(rounds=3), peacetime={"years": 3, "context_error": 0.3}
        )
        years.decades(histories=300, seed=5).save(folder / "histories.nc")
        archive.keep(years, folder / "kept.zarr", 10, seed=5, chunk=4)
    return folder


def hdf5(change: Callable[[h5py.File], object]) -> Change:
    """Change a file in place, as HDF5."""

    def do(path: Path) -> None:
        with h5py.File(path, "r+") as file:
            change(file)

    return do


def attribute(name: str, value: Any) -> Change:
    return hdf5(lambda file: file.attrs.__setitem__(name, value))


def sealed(change: Callable[[xr.Dataset], xr.Dataset | None]) -> Change:
    """Change a result and seal it again, so that its checksum is right."""

    def do(path: Path) -> None:
        data = xr.load_dataset(path, engine="h5netcdf").drop_encoding()
        made = change(data)
        data = data if made is None else made
        words = {
            k: (v.dims, v.values.astype(object), v.attrs)
            for k, v in data.variables.items()
            if v.dtype.kind in "UT"
        }
        data = data.assign_coords({k: v for k, v in words.items() if k in data.coords})
        data = data.assign({k: v for k, v in words.items() if k not in data.coords})
        data.attrs["sha256"] = provenance.checksum(data, data.attrs)
        write_dataset(data, path)

    return do


def put(name: str, value: Any, *place: int) -> Change:
    """Set one number of a variable, or all of them, and seal the file again."""

    def change(data: xr.Dataset) -> None:
        values = data[name].values.copy()
        values[place] = value
        data[name] = data[name].dims, values, data[name].attrs

    return sealed(change)


def cut(share: float) -> Change:
    return lambda path: path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])


def turned(name: str) -> Change:
    """Turn one bit of a variable over, where HDF5 does not notice."""

    def do(path: Path) -> None:
        with h5py.File(path) as file:
            place = file[name].id.get_offset()
        whole = bytearray(path.read_bytes())
        whole[place] ^= 1
        path.write_bytes(whole)

    return do


def replaced(name: str, **made: Any) -> Change:
    """Make a variable anew, as another kind of array."""

    def change(file: h5py.File) -> None:
        del file[name]
        file.create_dataset(name, **made)

    return hdf5(change)


def outside(file: h5py.File) -> None:
    shape, dtype = file["exact"].shape, file["exact"].dtype
    del file["exact"]
    file.create_dataset("exact", shape, dtype, external=[("/etc/hostname", 0, h5py.h5f.UNLIMITED)])


def virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((PLENTY,), "f8")
    layout[:10] = h5py.VirtualSource("elsewhere.nc", "x", (10,))
    file.create_virtual_dataset("more", layout)


def a_million_texts(file: h5py.File) -> None:
    del file["meaning"]
    told = file.create_dataset("meaning", (1_000_000,), h5py.string_dtype())
    told[0] = "x" * 2**20


def many_texts(file: h5py.File) -> None:
    del file["meaning"]
    told = file.create_dataset("meaning", (200,), h5py.string_dtype())
    told[:] = ["x" * 2**19] * 200


def one_long_padding(file: h5py.File) -> None:
    """A text of two bytes, and of 100 MB by its type: on disk a hole."""
    del file["meaning"]
    made = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    made.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    made.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    kind = h5py.h5t.C_S1.copy()
    kind.set_size(10**8)
    h5py.h5d.create(file.id, b"meaning", kind, h5py.h5s.create_simple((1,)), made)


def many_attributes_of_one(file: h5py.File) -> None:
    """Names of one array: what it carries is read once for each."""
    file["exact"].attrs.create("note", np.zeros(7000, "i8"))
    for i in range(2000):
        file[f"x{i}"] = file["exact"]


def as_large_as(size: int) -> Change:
    """Add a hole at the end, which takes no room on disk."""

    def do(path: Path) -> None:
        os.truncate(path, size)

    return do


def never_written(file: h5py.File) -> None:
    del file["exact"]
    made = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    made.set_alloc_time(h5py.h5d.ALLOC_TIME_LATE)
    space = h5py.h5s.create_simple((2**37,))
    h5py.h5d.create(file.id, b"exact", h5py.h5t.IEEE_F64LE, space, made)


def study_of(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    with h5py.File(path, "r+") as file:
        told = json.loads(file.attrs["study"])
        change(told)
        file.attrs["study"] = json.dumps(told)


def rename(data: xr.Dataset) -> None:
    data["pact"] = ("pact", np.array(["no_pact", "treety"], object), data.pact.attrs)


def twice(data: xr.Dataset) -> None:
    data["outcome"] = ("outcome", np.array(["war"] * data.sizes["outcome"], object), data.outcome.attrs)


def same_cell(data: xr.Dataset) -> None:
    for name in ("origin", "scope", "end", "state", "marks"):
        values = data[name].values.copy()
        values[1] = values[0]
        data[name] = data[name].dims, values, data[name].attrs


def many_outcomes(data: xr.Dataset) -> xr.Dataset:
    return data.isel(outcome=np.arange(100) % data.sizes["outcome"])


def floating(data: xr.Dataset) -> None:
    data["cells"] = data["cells"].astype(float).where(data.cells > 0)


DISPUTES: dict[str, tuple[Change, str]] = {
    # what happens to files
    "gone": (Path.unlink, "there is no such file"),
    "a folder": (lambda path: (path.unlink(), path.mkdir()), "there is no such file"),
    "empty": (cut(0.0), "not netCDF"),
    "its first tenth": (cut(0.1), "cut short"),
    "all but its end": (cut(0.999), "cut short"),
    "text": (lambda path: path.write_text("title = 'a study'\n"), "not netCDF"),
    "a bit of a count": (turned("count"), "checksum"),
    "a bit of a float": (turned("exact"), "checksum"),
    "a link to nowhere": (lambda path: (path.unlink(), path.symlink_to("nowhere.nc")), "no such file"),
    # what it says of itself
    "another title": (attribute("title", "Other"), "checksum"),
    "no version": (hdf5(lambda file: file.attrs.__delitem__("format_version")), "not a result of entangle"),
    "a newer version": (attribute("format_version", 99), "has format 99, and this version reads up to"),
    "a version in words": (attribute("format_version", "two"), "format_version: must be a whole number"),
    "version 0": (attribute("format_version", 0), "format_version: must be a whole number of at least 1, got 0"),
    "no study": (hdf5(lambda file: file.attrs.__delitem__("study")), "not a result of entangle"),
    "a study that is not JSON": (attribute("study", "{"), "study: must be a study as JSON"),
    "a study in a million brackets": (attribute("study", "[" * 10**6), "study: must be a study as JSON"),
    "a study in nine hundred tables": (
        attribute("study", '{"a":' * 900 + "1" + "}" * 900), "study: must be a study as JSON, got no table",
    ),
    "a study that is a list": (attribute("study", "[1]"), "study: must be a study as JSON"),
    "a study with a number of a million digits": (attribute("study", "1" * 10**6), "study: must be"),
    "a study of other keys": (attribute("study", '{"run": "rm"}'), "study: must be a study that this version"),
    "another seed": (attribute("seed", "8"), "seed: must be that of the study, 7, got 8"),
    "a seed below 0": (attribute("seed", "-7"), "seed: must be that of the study"),
    "another confidence": (attribute("confidence", 0.5), "confidence: must be that of the study, 0.95, got 0.5"),
    "confidence nan": (attribute("confidence", np.nan), "confidence: must be that of the study"),
    "fewer trajectories": (attribute("trajectories", 4999), "trajectories: must be those of the study, 5,000"),
    "trajectories below 0": (attribute("trajectories", -1), "trajectories: must be a whole number of at least"),
    "half a trajectory": (attribute("trajectories", 0.5), "trajectories: must be a whole number"),
    "a scheme in words": (attribute("random_scheme", "new"), "random_scheme: must be a whole number"),
    "a pact more in the study": (
        lambda path: study_of(path, lambda study: study["pacts"].update(third={})),
        "pact: must have 3 entries, as the study says, got 2",
    ),
    # what HDF5 can do and no result does
    "an array in chunks": (replaced("exact", data=np.ones((2, 18)), chunks=(1, 18)), "exact: must be stored plainly"),
    "a bomb": (
        replaced("exact", shape=(PLENTY,), dtype="f8", chunks=(2**20,), compression="gzip"),
        "exact: must be stored plainly, got an array in chunks or compressed",
    ),
    "a length without data": (hdf5(never_written), "exact: must have all of its data, got 0 bytes"),
    "a group": (hdf5(lambda file: file.create_group("more")), "more: must be an array, got a group"),
    "a link within": (
        hdf5(lambda file: file.__setitem__("more", h5py.SoftLink("/exact"))),
        "more: must be kept in this file, got a link",
    ),
    "a link to another file": (
        hdf5(lambda file: file.__setitem__("more", h5py.ExternalLink("/etc/passwd", "/"))),
        "more: must be kept in this file, got a link",
    ),
    "numbers of another file": (hdf5(outside), "exact: must be kept in this file, got numbers in another file"),
    "an array put together": (hdf5(virtual), "more: must be stored plainly"),
    "bytes of any kind": (replaced("exact", data=np.void(b"\x80\x04cos\nsystem\n.")), "exact: must be numbers or text"),
    "a record": (
        replaced("exact", data=np.zeros(3, [("a", "f8"), ("b", "i4")])), "exact: must be numbers or text"
    ),
    "references": (replaced("exact", shape=(3,), dtype=h5py.ref_dtype), "exact: must be numbers or text"),
    "nothing": (replaced("exact", data=h5py.Empty("f8")), "exact: must be numbers or text, got nothing"),
    "a million texts": (hdf5(a_million_texts), "meaning: must hold at most 65,536 texts, got 1,000,000"),
    "a hundred megabytes of text": (hdf5(many_texts), "meaning: must hold at most 67,108,864 bytes of text"),
    "five thousand variables": (
        hdf5(lambda file: [file.create_dataset(f"x{i}", data=0.0) for i in range(5000)]),
        "must hold at most 4096 variables",
    ),
    "a text that is a hole": (hdf5(one_long_padding), "meaning: must hold at most 67,108,864 bytes of text"),
    "an attribute of many texts": (
        hdf5(lambda file: file.attrs.__setitem__("title", ["a"] * 1000)), "title: must be one text, got 1,000",
    ),
    "an attribute under two thousand names": (
        hdf5(many_attributes_of_one), "note: must hold at most 67,108,864 bytes of text",
    ),
    "small numbers for large ones": (
        hdf5(lambda file: file["count"].attrs.__setitem__("scale_factor", 2.0)),
        "count: scale_factor: must not stand with numbers",
    ),
    "whole numbers for broken ones": (
        hdf5(lambda file: file["count"].attrs.__setitem__("_FillValue", np.int64(0))),
        "count: _FillValue: must not stand with numbers",
    ),
    "a hole of a terabyte": (as_large_as(PLENTY), "must have at most 4,362,076,160 bytes, got 1,099,511,627,776"),
    "a title that clears the screen": (
        attribute("title", "Pacts\x1b[2J"), r"title: must be text without control characters, got '\\x1b'"
    ),
    "a description in bytes that are no text": (
        attribute("summary", np.bytes_(b"\xff\xfe")), "summary: must be text without control characters",
    ),
    "a study whose title rings": (
        lambda path: study_of(path, lambda study: study.update(title="a\x07")),
        r"study: must be a study .* title: must be text without control characters.* got 'a\\x07'",
    ),
    # sealed again: numbers that cannot be
    "a pact of another name": (sealed(rename), "pact: must be no_pact, treaty, as the study says, got no_pact, treety"),
    "outcomes of one name": (sealed(twice), "outcome: must name each entry once, got war twice"),
    "a hundred outcomes": (sealed(many_outcomes), "outcome: must have at most 64 entries, got 100"),
    "a variable less": (sealed(lambda data: data.drop_vars("trials")), "trials: is missing"),
    "a count below 0": (put("count", -1, 1, 0), r"count: must not be negative, got -1 \(pact treaty"),
    "a count above its trials": (put("count", 5001, 0, 0), "count: must be at most its trials, got 5001"),
    "trials above the trajectories": (put("trials", 5001, 0, 0), "trials: must be at most the 5,000 trajectories"),
    "a count of another number": (
        sealed(lambda data: data.assign(count=data["count"] - (data["count"] > 5), probability=(
            ("pact", "outcome"), ((data["count"] - (data["count"] > 5)) / data.trials).values),
            lower=data.lower * 0, upper=data.upper * 0 + 1)),
        "count: must be what the cells add up to",
    ),
    "cells that are not all": (put("cells", 0, 0, 0), "pact: must have cells that add up to the 5,000 trajectories"),
    "a cell below 0": (put("cells", -5, 0, 0), "cells: must not be negative, got -5"),
    "cells of no number": (sealed(floating), "cells: must hold whole numbers, got float64"),
    "a cell twice": (sealed(same_cell), "cells: must tell each ending once"),
    "a cell that there is not": (put("state", 72, 0), "state: must be 0 to 71, got 72"),
    "a share of another count": (put("probability", 0.5, 0, 0), "probability: must (be the count|lie)|lower|upper"),
    "a probability above 1": (put("exact", 1.5, 0, 0), "exact: must lie between 0 and 1, got 1.5"),
    "a probability without end": (put("exact", np.inf, 0, 0), "exact: must lie between 0 and 1, got inf"),
    "an interval elsewhere": (put("lower", 1.0, 0, 0), "lower: must not exceed probability, got 1.0"),
    "exact cells of no number": (put("cells_exact", np.nan, 0, 0), "cells_exact: must lie between 0 and 1, got nan"),
    "exact cells that are not all": (put("cells_exact", 0.9, 0, 0), "cells_exact that add up to 1"),
    "a hash of another length": (put("table_hash", "0", 0), "table_hash: must be a SHA-256 in hexadecimal"),
    "joint counts on one side": (put("joint", 0, 0, 1, 0), "joint: must be the same either way round"),
    "joint counts above either": (put("joint", 5000, 0, 0, 0), "joint: must be at most how often it happened"),
    "more caused than happened": (put("caused_count", 5000, 1, 1, 0), "caused_"),
    "a digest of something else": (put("cells_digest", 1, 0, 0), "pact: must have digests that add up to that of its cells"),
    "stretches from elsewhere": (put("first", 5, 0), "first: must count stretches of 1,048,576, got 5"),
    "too few stretches": (
        sealed(lambda data: data["first"].attrs.__setitem__("size", 1000)),
        "stretch: must have a stretch for each part of 5,000, got 1 of 1,000",
    ),
}  # fmt: skip

HISTORIES: dict[str, tuple[Change, str]] = {
    "its middle": (cut(0.5), "cut short"),
    "a bit": (turned("ever_count"), "checksum"),
    "more years in the study": (
        lambda path: study_of(path, lambda study: study["peacetime"].update(years=4)),
        "year: must have 4 entries, as the study says, got 3",
    ),
    "no histories": (attribute("histories", 0), "histories: must be a whole number of at least 1, got 0"),
    "a count above the histories": (put("ever_count", 301, 0, 2, 0), "ever_count: must be at most the 300"),
    "a count below 0": (put("yearly_count", -1, 0, 0, 0), "yearly_count: must not be negative"),
    "a share of another count": (put("ever_probability", 0.99, 0, 0, 0), "ever_probability: must be the count"),
    "what happened is undone": (
        sealed(lambda data: data.assign(
            ever_count=data.ever_count.isel(year=slice(None, None, -1)).assign_coords(year=data.year),
            ever_probability=data.ever_probability.isel(year=slice(None, None, -1)).assign_coords(year=data.year),
            ever_lower=data.ever_lower * 0, ever_upper=data.ever_upper * 0 + 1)),
        "ever_count: must not (shrink|grow)",
    ),
    "pacts that stand nowhere": (
        sealed(lambda data: data.assign(
            status_count=data.status_count * 0, status_probability=data.status_probability * 0,
            status_lower=data.status_lower * 0, status_upper=data.status_upper * 0 + 1)),
        "status_count: must add up to the 300 histories",
    ),
    "a variable less": (sealed(lambda data: data.drop_vars("ever_joint")), "ever_joint: is missing"),
    "expectations of no number": (put("ever_expected", np.nan, 0, 0, 0), "ever_expected: must lie between 0"),
}  # fmt: skip

DRAWS: dict[str, tuple[Change, str]] = {
    "its middle": (cut(0.5), "cut short"),
    "a draw less": (sealed(lambda data: data.isel(draw=[0])), "draw: must have 2 entries, as the study says"),
    "a draw that nobody asked for": (attribute("draws_asked", 3), "checksum"),
    "a draw that was left out and is not named": (
        sealed(lambda data: data.attrs.__setitem__("draws_asked", 3)),
        "draw: must be the 3 that were asked for, got 2 and 0 left out",
    ),
    "a draw twice": (put("draw", 0, 1), "draw: must name each entry once, got 0 twice"),
    "an error below 0": (put("standard_error", -1.0, 0, 0, 0), "standard_error: must be finite and not neg"),
    "an error without end": (put("standard_error", np.inf, 0, 0, 0), "standard_error: must be finite"),
    "a count above its trials": (put("count", 501, 0, 0, 0), "count: must be at most its trials"),
    "a share of another count": (put("probability", 0.123, 0, 1, -1), "probability: must be the count over"),
    "a parameter of no number": (
        sealed(lambda data: data.update({"drawn_breach": data.drawn_breach * np.nan}) and None),
        "drawn_breach: must be a finite number, got nan",
    ),
    "parameters of other names": (sealed(lambda data: data.attrs.__setitem__("parameters", "x")), "must name the"),
    "a hash of another length": (put("solved", "0", 0), "solved: must be a SHA-256"),
}  # fmt: skip

CASES = [
    pytest.param(kind, *case, id=f"{kind}: {name}")
    for kind, cases in (("disputes", DISPUTES), ("histories", HISTORIES), ("draws", DRAWS))
    for name, case in cases.items()
]


def one_clear_error(action: Callable[[], object], path: Path, rule: str) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ResultError, match=rule) as caught:
        action()
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < MEMORY / 1024
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    assert "\n" not in text
    assert text.endswith(".")


@pytest.mark.parametrize(("kind", "change", "rule"), CASES)
def test_a_damaged_result(kind: str, change: Change, rule: str, originals: Path, tmp_path: Path) -> None:
    path = tmp_path / f"{kind}.nc"
    shutil.copy(originals / path.name, path)
    before = set(tmp_path.iterdir())
    change(path)
    one_clear_error(lambda: load_result(path), path, rule)
    assert set(tmp_path.iterdir()) <= before


def test_a_study_that_is_too_long_is_not_read() -> None:
    with pytest.raises(ResultError, match="study: must be at most 16,777,216 characters, got 16,777,217"):
        checked.study_of({"study": "[" * (toml.LARGEST + 1)}, Path("result.nc"))


@pytest.mark.parametrize("kind", ["disputes", "histories", "draws"])
def test_none_of_the_checks_refuses_what_was_written(kind: str, originals: Path, tmp_path: Path) -> None:
    path = originals / f"{kind}.nc"
    whole = load_result(path)
    shutil.copy(path, tmp_path / path.name)
    sealed(lambda data: None)(tmp_path / path.name)
    assert load_result(tmp_path / path.name).data.attrs["sha256"] == whole.data.attrs["sha256"]
    with open_result(path) as lazy:
        xr.testing.assert_identical(lazy.data.load(), whole.data)


#: What is seen without reading numbers.
@pytest.mark.parametrize(
    "name", ["a bomb", "a length without data", "numbers of another file", "a newer version"]
)
def test_opening_lazily_refuses_what_is_declared(name: str, originals: Path, tmp_path: Path) -> None:
    path = tmp_path / "disputes.nc"
    shutil.copy(originals / path.name, path)
    change, rule = DISPUTES[name]
    change(path)
    one_clear_error(lambda: open_result(path), path, rule)


def test_what_is_too_large_to_read_whole_is_refused(originals: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strict, "LARGEST", 1000)
    path = originals / "disputes.nc"
    one_clear_error(lambda: load_result(path), path, "all arrays together must take at most 1,000 bytes")


# -- kept histories ----------------------------------------------------------------------------------


def resealed(change: Callable[[dict[str, Any]], object], *, rehash: bool = True) -> Change:
    """Change the manifest and seal it again; with the checksums of the files as they are now."""

    def do(path: Path) -> None:
        file = path / archive.MANIFEST
        manifest = json.loads(file.read_text())
        change(manifest)
        if rehash:
            import hashlib

            for name in manifest["files"]:
                if (path / name).is_file():
                    text = (path / name).read_bytes()
                    manifest["files"][name] = [len(text), hashlib.sha256(text).hexdigest()]
        manifest["sha256"] = archive._sealed(manifest)
        file.write_text(json.dumps(manifest))

    return do


def header(name: str, **changes: Any) -> Change:
    """Change what an array says of itself, and seal the folder again."""

    def do(path: Path) -> None:
        file = path / name / "zarr.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | changes))
        resealed(lambda manifest: None)(path)

    return do


def flipped(path: Path) -> None:
    chunk = path / "belief/c/0/1/0"
    whole = bytearray(chunk.read_bytes())
    whole[3] ^= 1
    chunk.write_bytes(whole)


def relinked(path: Path) -> None:
    chunk = path / "belief/c/0/1/0"
    shutil.move(chunk, path.parent / "elsewhere")
    chunk.symlink_to(path.parent / "elsewhere")


def folder_link(path: Path) -> None:
    shutil.move(path / "belief", path.parent / "belief")
    (path / "belief").symlink_to(path.parent / "belief", target_is_directory=True)


def whole_link(path: Path) -> None:
    path.rename(path.with_name("other.zarr"))
    path.symlink_to(path.with_name("other.zarr"), target_is_directory=True)


def fifo(path: Path) -> None:
    (path / "belief/c/0/1/0").unlink()
    os.mkfifo(path / "belief/c/0/1/0")


KEPT: dict[str, tuple[Change, str]] = {
    "gone": (shutil.rmtree, "there is no such folder"),
    "a link": (whole_link, "there is no such folder"),
    "no manifest": (lambda path: (path / "manifest.json").unlink(), "manifest.json: is missing"),
    "half a manifest": (
        lambda path: (path / "manifest.json").write_text((path / "manifest.json").read_text()[:500]),
        "manifest.json: must be JSON",
    ),
    "a manifest in a million brackets": (
        lambda path: (path / "manifest.json").write_text("[" * 10**6), "manifest.json: must be JSON",
    ),
    "a manifest of bytes": (lambda path: (path / "manifest.json").write_bytes(b"\xff\xfe"), "must be JSON"),
    "a manifest that was changed": (
        lambda path: (path / "manifest.json").write_text(
            (path / "manifest.json").read_text().replace('"histories": 10', '"histories": 11')
        ),
        "manifest.json: is damaged or was changed",
    ),
    "a newer format": (resealed(lambda m: m.update(kept_format=9)), "has format 9, and this version reads up to 1"),
    "a chunk less": (lambda path: (path / "belief/c/0/1/0").unlink(), "belief/c/0/1/0: is missing"),
    "a chunk less, sealed": (
        lambda path: (
            (path / "belief/c/0/1/0").unlink(),
            resealed(lambda m: m["files"].pop("belief/c/0/1/0"))(path),
        ),
        "belief/c/0/1/0: is missing",
    ),
    "half a chunk": (lambda path: cut(0.5)(path / "belief/c/0/1/0"), "belief/c/0/1/0: must have 96 bytes, got 48"),
    "half a chunk, sealed": (
        lambda path: (cut(0.5)(path / "belief/c/0/1/0"), resealed(lambda m: None)(path)),
        "belief/c/0/1/0: must have 96 bytes, got 48",
    ),
    "a bit of a chunk": (flipped, "belief/c/0/1/0: is damaged"),
    "a chunk more": (
        lambda path: shutil.copy(path / "belief/c/0/1/0", path / "belief/c/0/9"),
        "belief/c/0/9: is not in the manifest",
    ),
    "a chunk more, sealed": (
        lambda path: (
            shutil.copy(path / "belief/c/0/1/0", path / "belief/c/0/9"),
            resealed(lambda m: m["files"].update({"belief/c/0/9": None}))(path),
        ),
        "belief/c/0/9: is no chunk of an array",
    ),
    "a chunk elsewhere": (relinked, "belief/c/0/1/0: must be kept in this folder, got a link"),
    "an array elsewhere": (folder_link, "belief: must be kept in this folder, got a link"),
    "a pipe": (fifo, "belief/c/0/1/0: must be a plain file"),
    "a file outside": (
        resealed(lambda m: m["files"].update({"../../etc/passwd": [1, ""]}), rehash=False),
        "manifest.json: must name files within the folder, got ../../etc/passwd",
    ),
    "an absolute file": (
        resealed(lambda m: m["files"].update({"/etc/passwd": [1, ""]}), rehash=False),
        "must name files within the folder",
    ),
    "a header of something else": (
        lambda path: (path / "belief/zarr.json").write_text("{}" + " " * ((path / "belief/zarr.json").stat().st_size - 2)),
        "belief/zarr.json: is damaged",
    ),
    "more histories": (header("belief", shape=[2, PLENTY, 3]), "belief/zarr.json: must have the shape"),
    "more histories everywhere": (
        resealed(lambda m: m.update(histories=PLENTY)), "zarr.json: must have the shape that the manifest",
    ),
    "compressed": (
        header("belief", codecs=[{"name": "bytes", "configuration": {"endian": "little"}}, {"name": "zstd"}]),
        "belief/zarr.json: must be plain numbers, not compressed",
    ),
    "objects": (header("belief", data_type="object"), "belief/zarr.json: must be plain numbers"),
    "pickled": (
        header("belief", codecs=[{"name": "numcodecs.pickle"}]), "belief/zarr.json: must be plain numbers",
    ),
    "a description that is a hole": (
        lambda path: (
            resealed(lambda m: m["files"].update({"zarr.json": [PLENTY, ""]}), rehash=False)(path),
            os.truncate(path / "zarr.json", PLENTY),
        ),
        "zarr.json: must be there, and small",
    ),
    "a chunk of a gigabyte": (
        header("belief", chunk_grid={"name": "regular", "configuration": {"chunk_shape": [1, 2**30, 3]}}),
        "belief/zarr.json: must have chunks of at most 1,073,741,824 bytes",
    ),
    "dimensions that are tables": (header("belief", dimension_names=[{}, [], None]), "must have the shape"),
    "a coordinate along another": (
        header("trajectory", dimension_names=["year"], shape=[3]), "trajectory/zarr.json: must stand along",
    ),
    "a type that is a table": (header("belief", data_type={"name": "x"}), "belief/zarr.json: must be plain numbers"),
    "pacts without names": (header("pact", attributes={}), "pact: flag_meanings: must be words"),
    "attributes that are none": (header("belief", attributes={"coordinates": 5}), "must be arrays as this package writes them"),
    "a fill value of 0": (header("belief", fill_value=0.0), "belief/zarr.json: must have the fill value"),
    "chunks of no length": (
        header("belief", chunk_grid={"name": "regular", "configuration": {"chunk_shape": [1, 0, 3]}}),
        "belief/zarr.json: must have the shape",
    ),
    "an array less, sealed": (
        lambda path: (
            shutil.rmtree(path / "trajectory"),
            resealed(lambda m: [m["files"].pop(n) for n in list(m["files"]) if n.startswith("trajectory")])(path),
        ),
        "trajectory: is missing",
    ),
    "words that there are not, sealed": (
        lambda path: (
            (path / "ending/c/0/1/0").write_bytes(bytes([250] * 12)), resealed(lambda m: None)(path)
        ),
        "ending: must be one of its flags, got 250",
    ),
    "a pact that the study has not": (resealed(lambda m: m.update(pacts=["no_pact", "x"])), "pacts: must be pacts"),
}  # fmt: skip


@pytest.mark.parametrize("name", KEPT)
def test_damaged_kept_histories(name: str, originals: Path, tmp_path: Path) -> None:
    change, rule = KEPT[name]
    path = tmp_path / "kept.zarr"
    shutil.copytree(originals / path.name, path)
    change(path)
    one_clear_error(lambda: archive.load_kept(path), path, rule)


def test_a_chunk_that_goes_missing_after_opening_is_an_error_and_not_a_zero(
    originals: Path, tmp_path: Path
) -> None:
    path = tmp_path / "kept.zarr"
    shutil.copytree(originals / path.name, path)
    opened = archive.open_kept(path)
    (path / "belief/c/0/1/0").unlink()
    flip = path / "capability/c/0/1/0/0"
    flip.write_bytes(bytes([flip.read_bytes()[0] ^ 1]) + flip.read_bytes()[1:])
    assert opened.belief.isel(trajectory=slice(0, 4)).values.shape == (2, 4, 3)
    one_clear_error(lambda: opened.belief.isel(trajectory=5).values, path, "belief/c/0/1/0: is missing")
    one_clear_error(lambda: opened.capability.values, path, "capability/c/0/1/0/0: is damaged")
    one_clear_error(lambda: archive.load_kept(path), path, "is missing")


def test_there_are_enough_ways() -> None:
    assert len(CASES) + len(KEPT) >= 40
