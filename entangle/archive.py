"""Many histories kept whole in a folder: Zarr, with a manifest, so that what is missing is told.

Zarr keeps an array in chunks, each a file, and gives its fill value, 0 unless told otherwise, for a chunk
that is not there: a year without a crisis like any other. So here

- the fill value of every array is one that no history has;
- chunks are whole histories, written whole, each by one hand, also if they hold nothing but fill values;
- a manifest, written last, names every file with its size and SHA-256, and seals itself;
- the folder is written under another name and renamed when it is whole;
- every file is checked when it is read, also if that is long after the folder was opened.

Numbers are stored as they are, without compression: what a file takes in memory is what it takes on disk.
Words are stored as numbers, with ``flag_meanings`` as CF has it.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import xarray as xr

from entangle import provenance
from entangle.errors import ResultError, RunError
from entangle.kept import PARTNERS, RIVALS
from entangle.refusal import AGAIN, refused
from entangle.vocabulary import CAUSES, ENDS, RUNGS, SEATS, STATUS, SUPPORTS

if TYPE_CHECKING:
    from entangle.study import Study

#: Layout of the folder. A reader refuses a newer one.
FORMAT_VERSION: Final = 1
MANIFEST: Final = "manifest.json"
#: Histories in a chunk.
CHUNK: Final = 1024

#: Largest manifest, and most bytes of arrays that are read at once.
_LARGEST_MANIFEST: Final = 2**26
LARGEST: Final = 4 * 2**30
#: Largest description of an array, and largest chunk: what is read of it at once.
_LARGEST_HEAD: Final = 2**20
_LARGEST_CHUNK: Final = 2**30

_NOTHING: Final = "nothing"
#: Words by variable, in the order of their numbers; the empty word is told as "nothing".
_WORDS: Final[dict[str, tuple[str, ...]]] = {
    "dispute": ("none", *RIVALS),
    "ending": ("", *ENDS),
    "rung": ("", *RUNGS),
    "support": ("", *SUPPORTS),
    "pact_status": STATUS,
    "pact_ended_by": CAUSES,
    "notice_by": ("", *PARTNERS),
    "actor": SEATS,
    "rival": RIVALS,
    "partner": PARTNERS,
}
#: How values are stored, by kind: type, and the fill value that none of them is.
_STORED: Final[dict[str, tuple[str, int | float]]] = {
    "b": ("uint8", 255),
    "O": ("uint8", 255),
    "U": ("uint8", 255),
    "T": ("uint8", 255),
    "i": ("int16", -32_768),
    "f": ("float64", 9.969209968386869e36),
}
_TYPES: Final = {"uint8": 1, "int16": 2, "int64": 8, "uint64": 8, "float64": 8}


def keep(
    study: Study,
    path: str | Path,
    histories: int | Sequence[int],
    *,
    seed: int | None = None,
    pacts: Sequence[str] | None = None,
    chunk: int = CHUNK,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Keep histories whole in a folder, a chunk at a time, whole or not at all.

    Parameters
    ----------
    path
        The folder; must not exist.
    histories
        Histories by number, ascending, or how many of the first.
    seed
        Key of the random numbers; the study's own if not given.
    pacts
        Names of the pacts; all if not given.
    chunk
        Histories in a chunk, which is what is held in memory, at least 1.
    progress
        Called with (chunks written, chunks in all).

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    RunError
        If the folder is there already or cannot be written; nothing is left behind.
    ResultError
        If the histories are none, or not ascending.
    StudyError
        If there is no such pact.
    """
    path = Path(path)
    require_zarr()
    numbers: Sequence[int] = range(histories) if isinstance(histories, int) else histories
    if len(numbers) == 0 or any(b <= a for a, b in pairwise(numbers)):
        raise ResultError("Histories to keep must be named in ascending order, and be at least one.")
    if chunk < 1:
        raise ValueError(f"chunk must be at least 1, got {chunk}")
    if path.exists() or path.is_symlink():
        raise RunError(f"{path}: there is something already. Name another folder, or remove it.")
    names = study.named(pacts)
    seed = study.simulation.seed if seed is None else seed
    partial: Path | None = None
    try:
        partial = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".partial", dir=path.parent))
        _write(study, partial, numbers, names, seed, chunk, progress)
        umask = os.umask(0)
        os.umask(umask)
        partial.chmod(0o777 & ~umask)
        partial.replace(path)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise RunError(f"{path}: cannot be written ({reason}).") from None
    finally:
        if partial is not None:
            shutil.rmtree(partial, ignore_errors=True)
    return path


def require_zarr() -> None:
    """Refuse to go on without Zarr, which is not installed with this package unless it is asked for.

    Raises
    ------
    RunError
        If it is not there; says how to have it.
    """
    if find_spec("zarr") is None:
        raise RunError('Kept folders need Zarr, which is not installed: pip install "entangle-pacts[zarr]".')


def _write(
    study: Study,
    folder: Path,
    numbers: Sequence[int],
    names: Sequence[str],
    seed: int,
    chunk: int,
    progress: Callable[[int, int], None] | None,
) -> None:
    import zarr

    group: Any = zarr.open_group(str(folder), mode="w-", zarr_format=3)
    chunks = -(-len(numbers) // chunk)
    for done, start in enumerate(range(0, len(numbers), chunk), start=1):
        part = list(numbers[start : start + chunk])
        for place, name in enumerate(names):
            data = study.histories(part, pact=name, seed=seed)
            if start == 0 and place == 0:
                _arrays(group, data, numbers, names, chunk)
            for each, variable in data.data_vars.items():
                # a region of whole chunks: nobody else writes to them
                group[str(each)][place, start : start + len(part)] = _told(str(each), variable.values)
        if progress is not None:
            progress(done, chunks)
    own = study.replace(simulation=study.simulation.replace(seed=seed))
    group.attrs.update(
        {
            "Conventions": "CF-1.11",
            "title": study.title or "Crisis risks of security pacts",
            "source": f"entangle {provenance.package_version()}, a Monte Carlo risk engine for pacts",
            "seed": str(seed),
        }
    )
    _seal(folder, own, names, len(numbers))


def _arrays(group: Any, data: xr.Dataset, numbers: Sequence[int], names: Sequence[str], chunk: int) -> None:
    """Make the arrays, and write the coordinates."""
    length = len(numbers)
    for each, variable in data.data_vars.items():
        dtype, fill = _STORED[variable.dtype.kind]
        shape = (len(names), length, *variable.shape[1:])
        _array(
            group,
            str(each),
            dtype,
            shape,
            (1, min(chunk, length), *shape[2:]),
            ("pact", *map(str, variable.dims)),
            fill,
            {**variable.attrs, **_flags(str(each), variable.dtype.kind)},
        )
    index = np.fromiter(numbers, np.uint64, length)
    years = data.year.values.astype(np.int64)
    coordinates: dict[str, tuple[Any, dict[str, Any], int]] = {
        "trajectory": (index, {"long_name": "index of the history"}, 2**64 - 1),
        "year": (years, {"long_name": "year of the history", "units": "year"}, -1),
        "pact": (
            np.arange(len(names), dtype=np.uint8),
            {"long_name": "pact", "flag_values": list(range(len(names))), "flag_meanings": " ".join(names)},
            255,
        ),
    }
    for name in ("actor", "rival", "partner"):
        words = np.arange(len(_WORDS[name]), dtype=np.uint8)
        coordinates[name] = words, {"long_name": name, **_flags(name, "O")}, 255
    for name, (values, attrs, fill) in coordinates.items():
        made = _array(group, name, str(values.dtype), values.shape, values.shape, (name,), fill, attrs)
        made[:] = values


def _array(
    group: Any,
    name: str,
    dtype: str,
    shape: tuple[int, ...],
    chunks: tuple[int, ...],
    dims: tuple[str, ...],
    fill: int | float,
    attrs: dict[str, Any],
) -> Any:
    return group.create_array(
        name,
        shape=shape,
        dtype=dtype,
        chunks=chunks,
        dimension_names=dims,
        fill_value=fill,
        compressors=None,
        filters=None,
        attributes=attrs,
        config={"write_empty_chunks": True},
    )


def _flags(name: str, kind: str) -> dict[str, Any]:
    words = ("no", "yes") if kind == "b" else _WORDS.get(name, ()) if kind in "OUT" else ()
    if not words:
        return {}
    told = " ".join(word or _NOTHING for word in words)
    return {"flag_values": list(range(len(words))), "flag_meanings": told}


def _told(name: str, values: Any) -> Any:
    """Return values as they are stored."""
    dtype, fill = _STORED[values.dtype.kind]
    if values.dtype.kind in "OUT":
        place = {word: i for i, word in enumerate(_WORDS[name])}
        return np.array([place[str(word)] for word in values.ravel()], dtype).reshape(values.shape)
    if dtype == "int16" and values.size and not (-32_768 < values.min() <= values.max() < 32_768):
        raise ResultError(f"{name}: must lie between -32767 and 32767 to be kept.")
    assert not np.any(values == fill)
    return values.astype(dtype)


def _seal(folder: Path, study: Study, names: Sequence[str], histories: int) -> None:
    """Write the manifest, last of all."""
    from entangle.files import write_whole

    files = {}
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            with file.open("rb") as stream:
                sha = hashlib.file_digest(stream, "sha256").hexdigest()
                os.fsync(stream.fileno())
            files[file.relative_to(folder).as_posix()] = [file.stat().st_size, sha]
    made = {
        "kept_format": FORMAT_VERSION,
        "histories": histories,
        "pacts": list(names),
        "random_scheme": provenance.RANDOM_SCHEME,
        "versions": provenance.versions(),
        "fingerprint": study.fingerprint,
        "study": study.to_dict(),
        "files": files,
    }
    made["sha256"] = _sealed(made)
    text = json.dumps(made, ensure_ascii=False, indent=0)
    write_whole(folder / MANIFEST, lambda partial: partial.write_text(text, encoding="utf-8"))


def _sealed(manifest: dict[str, Any]) -> str:
    plain = {name: value for name, value in manifest.items() if name != "sha256"}
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


# -- reading -----------------------------------------------------------------------------------------


def open_kept(path: str | Path) -> xr.Dataset:
    """Open histories that :func:`keep` kept; what is read of them is checked as it is read.

    Returns
    -------
    xarray.Dataset
        As :func:`entangle.kept.kept_histories` returns it, along `pact` too, but with words as numbers, whose
        meanings stand in the attribute ``flag_meanings``; :func:`load_kept` gives words.

    Raises
    ------
    ResultError
        If the folder or its manifest is missing, damaged or foreign, or a file is missing, of another size,
        or not in the manifest. Also later, when a chunk is read that is damaged.
    """
    require_zarr()
    path = Path(path)
    manifest = _manifest(path)
    _listed(path, manifest)
    _declared(path, manifest)
    return _opened(path, manifest)


def load_kept(
    path: str | Path, trajectories: Sequence[int] | None = None, *, pacts: Sequence[str] | None = None
) -> xr.Dataset:
    """Return histories that :func:`keep` kept, with words as words.

    Parameters
    ----------
    trajectories
        Which ones, by number; all if not given.
    pacts
        Under which pacts; all if not given.

    Raises
    ------
    ResultError
        As :func:`open_kept`; and if there is no such history or pact, or they are too many to be read at
        once.
    """
    path = Path(path)
    with open_kept(path) as opened:
        names: list[Any] = str(opened.pact.attrs["flag_meanings"]).split()
        chosen: dict[str, list[int]] = {"pact": [], "trajectory": []}
        there: list[Any] = opened.trajectory.values.tolist()
        asking: tuple[tuple[str, Sequence[Any] | None, list[Any]], ...] = (
            ("pact", pacts, names),
            ("trajectory", trajectories, there),
        )
        for what, asked, all_of in asking:
            for each in all_of if asked is None else asked:
                if each not in all_of:
                    raise ResultError(f"{path}: there is no {what} {each!r} among those that were kept.")
                chosen[what].append(all_of.index(each))
        some = opened if trajectories is None and pacts is None else opened.isel(chosen)
        if some.nbytes > LARGEST:
            do = "Name fewer, or use open_kept()"
            raise refused(path, "", f"at most {LARGEST:,} bytes are read at once", f"{some.nbytes:,}", do)
        found = some.load()
    words = {}
    for name, variable in found.variables.items():
        if "flag_meanings" in variable.attrs:
            labels = np.array(
                ["" if word == _NOTHING else word for word in variable.attrs["flag_meanings"].split()], object
            )
            if np.any(variable.values >= len(labels)):
                raise refused(path, str(name), "must be one of its flags", f"{variable.values.max()}", AGAIN)
            attrs = {k: v for k, v in variable.attrs.items() if not k.startswith("flag_")}
            values = labels[variable.values]
            if labels.tolist() == ["no", "yes"]:
                values = variable.values == 1
            words[name] = (variable.dims, values, attrs)
        elif variable.dtype == np.int16:
            words[name] = (variable.dims, variable.values.astype(np.int64), variable.attrs)
    return found.assign(words)


def _opened(path: Path, manifest: dict[str, Any]) -> xr.Dataset:
    from entangle.checked_store import Checked

    store = Checked(path, {name: (size, sha) for name, (size, sha) in manifest["files"].items()})
    opened: Any = xr.open_zarr
    try:
        data: xr.Dataset = opened(
            store, consolidated=False, zarr_format=3, chunks=None, mask_and_scale=False, decode_times=False
        )
    except ResultError:
        raise
    except Exception as error:  # the readers below raise errors of many kinds
        reason = str(error).strip().partition("\n")[0].rstrip(".") or type(error).__name__
        raise refused(path, "", f"must be arrays as this package writes them ({reason})") from None
    for name, variable in data.variables.items():
        if not isinstance(variable.attrs.get("flag_meanings", "" if name != "pact" else None), str):
            raise refused(path, f"{name}: flag_meanings", "must be words")
    data.attrs |= {
        "study": json.dumps(manifest["study"], ensure_ascii=False),
        "fingerprint": manifest["fingerprint"],
        "versions": json.dumps(manifest["versions"]),
        "random_scheme": manifest["random_scheme"],
        "kept_format": manifest["kept_format"],
    }
    return data


def _manifest(path: Path) -> dict[str, Any]:
    """Return the manifest of a folder, once its seal is seen to be right."""
    if path.is_symlink() or not path.is_dir():
        raise ResultError(f"{path}: there is no such folder of kept histories.")
    file = path / MANIFEST
    if file.is_symlink() or not file.is_file():
        raise refused(
            path, MANIFEST, "is missing: this is no folder of kept histories, or it was not finished"
        )
    if file.stat().st_size > _LARGEST_MANIFEST:
        raise refused(
            path, MANIFEST, f"must be at most {_LARGEST_MANIFEST:,} bytes", f"{file.stat().st_size:,}"
        )
    try:
        made = json.loads(file.read_bytes().decode("utf-8"), parse_constant=_no_constant)
        if not isinstance(made, dict):
            raise ValueError("no table")
    except (ValueError, RecursionError) as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise refused(path, MANIFEST, f"must be JSON ({reason})") from None
    version = made.get("kept_format")
    if type(version) is not int or version < 1:
        raise refused(path, f"{MANIFEST}: kept_format", "must be a whole number of at least 1", f"{version}")
    if version > FORMAT_VERSION:
        raise ResultError(
            f"{path}: the folder has format {version}, and this version reads up to {FORMAT_VERSION}. Update "
            "entangle."
        )
    if made.get("sha256") != _sealed(made):
        raise refused(path, MANIFEST, "is damaged or was changed: it does not match its seal")
    return made


def _no_constant(text: str) -> float:
    raise ValueError(f"{text} is no number")


def _listed(path: Path, manifest: dict[str, Any]) -> None:
    """Refuse a folder that does not hold the files of its manifest, and nothing else."""
    files = manifest.get("files")
    if not isinstance(files, dict):
        raise refused(path, f"{MANIFEST}: files", "must be a table")
    for name, entry in files.items():
        plain = PurePosixPath(name)
        if plain.is_absolute() or ".." in plain.parts or "\\" in name or "\0" in name or ":" in name:
            raise refused(path, MANIFEST, "must name files within the folder", name, "Do not trust it")
        right = isinstance(entry, list) and len(entry) == 2 and type(entry[0]) is int and entry[0] >= 0
        if not right or not isinstance(entry[1], str):
            raise refused(path, f"{MANIFEST}: {name}", "must have a size and a SHA-256")
    seen = dict(_walked(path))
    for name, size in seen.items():
        if name not in files:
            raise refused(
                path, name, "is not in the manifest", None, "Remove it, if it does not belong there"
            )
        if size != files[name][0]:
            raise refused(path, name, f"must have {files[name][0]:,} bytes", f"{size:,}")
    for name in files:
        if name not in seen:
            raise refused(path, name, "is missing")


def _walked(path: Path) -> Iterator[tuple[str, int]]:
    """Yield the files of a folder and their sizes; follows no link."""
    for root, folders, files in os.walk(path, followlinks=False):
        for name in [*folders, *files]:
            whole = Path(root) / name
            told = whole.relative_to(path).as_posix()
            if whole.is_symlink():
                raise refused(
                    path, told, "must be kept in this folder", "a link elsewhere", "Do not trust it"
                )
            if name in files and told != MANIFEST:
                if not whole.is_file():
                    raise refused(path, told, "must be a plain file", None, "Do not trust it")
                yield told, whole.stat().st_size


def _declared(path: Path, manifest: dict[str, Any]) -> None:
    """Refuse arrays whose declared shapes and chunks are not those of the files, before any is read."""
    from entangle.checked import study_of

    study = study_of({"study": json.dumps(manifest.get("study"))}, path)
    pacts, histories = manifest.get("pacts"), manifest.get("histories")
    if not isinstance(pacts, list) or not set(map(str, pacts)) <= set(study.pacts) or not pacts:
        raise refused(path, f"{MANIFEST}: pacts", "must be pacts of the study", f"{pacts}")
    if type(histories) is not int or histories < 1:
        raise refused(path, f"{MANIFEST}: histories", "must be a whole number of at least 1", f"{histories}")
    lengths = {
        "pact": len(pacts), "trajectory": histories, "year": study.peacetime.years,
        "actor": len(SEATS), "rival": len(RIVALS), "partner": len(PARTNERS),
    }  # fmt: skip
    files = manifest["files"]
    expected = {"zarr.json"}
    if not 0 < files.get("zarr.json", (0, ""))[0] < _LARGEST_HEAD:
        raise refused(path, "zarr.json", "must be there, and small")
    names = sorted({name.partition("/")[0] for name in files if "/" in name})
    for name in names:
        expected |= _array_files(path, name, files, lengths)
    missing = [name for name in lengths if name not in names]
    if missing:
        raise refused(path, missing[0], "is missing")
    other = sorted(set(files) - expected)
    if other:
        raise refused(path, other[0], "is no chunk of an array", None, "Do not trust it")


def _array_files(path: Path, name: str, files: dict[str, Any], lengths: dict[str, int]) -> set[str]:
    """Return the files that an array must have, once they are there and of the right sizes."""
    head = f"{name}/zarr.json"
    size, sha = files.get(head, (0, ""))
    if not 0 < size < _LARGEST_HEAD:
        raise refused(path, head, "must be there, and small", f"{size:,} bytes")
    text = (path / head).read_bytes()
    if hashlib.sha256(text).hexdigest() != sha:
        raise refused(path, head, "is damaged: it does not match its checksum")
    try:
        told = json.loads(text)
        shape, dims = told["shape"], told["dimension_names"]
        chunk = told["chunk_grid"]["configuration"]["chunk_shape"]
        dtype, codecs, fill = told["data_type"], told["codecs"], told["fill_value"]
        plain = (
            told["node_type"] == "array"
            and told["chunk_grid"]["name"] == "regular"
            and [codec["name"] for codec in codecs] == ["bytes"]
            and codecs[0].get("configuration", {}).get("endian", "little") == "little"
            and not told.get("storage_transformers")
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise refused(path, head, "must describe an array as this package writes it") from None
    if not plain or not isinstance(dtype, str) or dtype not in _TYPES:
        raise refused(path, head, "must be plain numbers, not compressed", f"{dtype}", "Do not trust it")
    wanted = {str(kind): value for kind, value in _STORED.values()}
    if dtype in wanted and fill != wanted[dtype] and name not in lengths:
        raise refused(path, head, f"must have the fill value {wanted[dtype]}", f"{fill}")
    right = isinstance(dims, list) and all(isinstance(dim, str) and dim in lengths for dim in dims)
    right = right and [lengths[dim] for dim in dims] == shape
    right = right and isinstance(chunk, list) and len(chunk) == len(shape)
    if not right or not all(type(n) is int and n > 0 for n in chunk):
        came = f"{shape} along {dims}"
        raise refused(path, head, "must have the shape that the manifest and its study say", came)
    if name in lengths and dims != [name]:
        raise refused(path, head, f"must stand along {name}", f"{dims}")
    bytes_each = math.prod(chunk) * _TYPES[dtype]
    if bytes_each > _LARGEST_CHUNK:
        rule = f"must have chunks of at most {_LARGEST_CHUNK:,} bytes"
        raise refused(path, head, rule, f"{bytes_each:,}", "Do not trust it")
    numbers = [range(-(-length // n)) for length, n in zip(shape, chunk, strict=True)]
    if math.prod(map(len, numbers)) > len(files):
        raise refused(
            path, name, f"must have {math.prod(map(len, numbers)):,} chunks", f"{len(files):,} files"
        )
    found = {head}
    for place in np.ndindex(*map(len, numbers)):
        each = f"{name}/c/" + "/".join(map(str, place))
        if each not in files:
            raise refused(path, each, "is missing")
        if files[each][0] != bytes_each:
            raise refused(path, each, f"must have {bytes_each:,} bytes", f"{files[each][0]:,}")
        found.add(each)
    return found
