"""The folder of a batch: each file written whole, nothing written over unless that was asked for."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

from entangle.errors import RunError, StudyError
from entangle.files import write_whole

#: What JSON leaves as it is and YAML does not allow, or takes for the end of a line.
_NOT_IN_YAML: Final = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


def quoted(value: object) -> str:
    r"""Return plain data as JSON on one line, which is YAML as well.

    Examples
    --------
    >>> print(quoted('a "b"\n: c'))
    "a \"b\"\n: c"
    """
    text = json.dumps(value, ensure_ascii=False)
    return _NOT_IN_YAML.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def rendered(template: str, **values: Any) -> bytes:
    """Return a template of this package, filled in."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("entangle.batch"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["quoted"] = quoted
    # a path of this machine may hold bytes that are no text: they come out as they came in
    return environment.get_template(template).render(**values).encode("utf-8", "surrogateescape")


def refuse(folder: Path, *, overwrite: bool) -> None:
    """Refuse a folder in which there is something, or that could not be made, before any work.

    Raises
    ------
    StudyError
        If it is not new or empty and `overwrite` is not set, or no folder can be there.
    """
    if not folder.parent.is_dir():
        raise StudyError.single("--out", rule="must stand in a folder that is there", got=repr(str(folder)))
    if folder.exists() and not folder.is_dir():
        raise StudyError.single("--out", rule="must be a folder", got=f"the file {str(folder)!r}")
    if overwrite or not folder.is_dir():
        return
    try:
        there = sorted(entry.name for entry in folder.iterdir())
    except OSError as error:
        raise _unwritable(folder, error) from None
    if there:
        shown = ", ".join(map(repr, there[:4])) + (" ..." if len(there) > 4 else "")
        raise StudyError.single(
            "--out",
            rule=f"must be a new or empty folder, and in {str(folder)!r} there is something",
            got=shown,
            do="Name another one, or replace the job files in it with --overwrite",
        )


def write(
    folder: Path,
    contents: Mapping[str, bytes],
    *,
    folders: tuple[str, ...] = (),
    programs: tuple[str, ...] = (),
    overwrite: bool = False,
) -> None:
    """Write the files of a batch.

    Parameters
    ----------
    folder
        Made if it is not there; the folder that it stands in has to be.
    contents
        What to write, by name, in that order.
    folders
        Folders to make in it.
    programs
        Files that can be run.
    overwrite
        Whether files of these names may be replaced. Others are left alone in any case.

    Raises
    ------
    StudyError
        If the folder holds something already and `overwrite` is not set.
    RunError
        If something cannot be written.
    """
    refuse(folder, overwrite=overwrite)
    try:
        folder.mkdir(exist_ok=True)
        for name in folders:
            (folder / name).mkdir(exist_ok=True)
        for name, content in contents.items():
            path = folder / name
            write_whole(path, partial(_put, content))
            if name in programs:
                mode = path.stat().st_mode
                path.chmod(mode | ((mode & 0o444) >> 2))  # whoever may read it may run it
    except OSError as error:
        raise _unwritable(folder, error) from None


def _put(content: bytes, path: Path) -> None:
    path.write_bytes(content)


def _unwritable(folder: Path, error: OSError) -> RunError:
    reason = (error.strerror or str(error)).lower()
    return RunError(f"{error.filename or folder}: cannot be written ({reason}).")
