"""What results of every kind share: they are written whole, read whole or lazily, and name their study."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

from entangle.checked import KINDS
from entangle.errors import ResultError
from entangle.files import open_dataset, read_dataset, write_dataset

if TYPE_CHECKING:
    import xarray as xr

    from entangle.decades_result import Decades
    from entangle.ensemble import Ensemble
    from entangle.result import Result
    from entangle.study import Study

#: What a file of each kind holds, and the class that reads it.
_HOLDS = {
    "disputes": ("single disputes", "entangle.Result"),
    "histories": ("histories of years", "entangle.Decades"),
    "draws": ("a study at many draws of its parameters", "entangle.Ensemble"),
}


class Saved:
    """A labelled table with its provenance, in memory or in a file.

    Parameters
    ----------
    data
        The labelled table.
    """

    #: Which files it reads, one of the values of :data:`entangle.checked.KINDS`.
    kind: ClassVar[str]

    data: xr.Dataset

    def __init__(self, data: xr.Dataset) -> None:
        self.data = data

    @property
    def study(self) -> Study:
        """The study that was run, whole, with its seed and how much was simulated."""
        from entangle.study import Study

        return Study.from_dict(json.loads(self.data.attrs["study"]))

    def save(self, path: str | Path) -> None:
        """Write the result as netCDF, whole or not at all.

        Two runs of the same study write the same bytes. There is a time stamp only if the environment
        variable SOURCE_DATE_EPOCH says which.

        Raises
        ------
        OSError
            If the file cannot be written; nothing is left behind.
        """
        write_dataset(self.data, path)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a result that :meth:`save` wrote, whole, and check all of it; ``docs/results.md`` says how.

        Raises
        ------
        ResultError
            If the file is missing, damaged, foreign, of a newer format or another kind, or cannot be what it
            says.
        """
        return cls._of(read_dataset(path), path)

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Open a result that :meth:`save` wrote, reading numbers when they are asked for.

        Structure and shapes are checked, not the checksum, which would need all to be read. Close it, or use
        it as a context: ``with Result.open(path) as result: ...``.

        Raises
        ------
        ResultError
            If the file is missing, cut short, foreign, or of a newer format or another kind.
        """
        data = open_dataset(path)
        try:
            return cls._of(data, path)
        except ResultError:
            data.close()
            raise

    def close(self) -> None:
        """Close the file of a result that was opened; nothing for others."""
        self.data.close()

    def __enter__(self) -> Self:
        """Return the result, to be closed at the end of the context."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self.close()

    @classmethod
    def _of(cls, data: xr.Dataset, path: str | Path) -> Self:
        kind = KINDS.get(str(data.attrs["method"]))
        if kind != cls.kind:
            own, other = _HOLDS[cls.kind], _HOLDS.get(kind or "")
            holds = other[0] if other else "no result of a run"
            use = f" Use {other[1]}.load(), or entangle.load_result() for any kind." if other else ""
            raise ResultError(f"{path}: this file holds {holds}, not {own[0]}.{use}")
        return cls(data)


def load_result(path: str | Path) -> Result | Decades | Ensemble:
    """Read a result of any kind whole; as the method ``load`` of its class.

    Raises
    ------
    ResultError
        If the file is missing, damaged, foreign, of a newer format, or cannot be what it says.
    """
    data = read_dataset(path)
    return _class_of(data, path)._of(data, path)


def open_result(path: str | Path) -> Result | Decades | Ensemble:
    """Open a result of any kind lazily; as the method ``open`` of its class.

    Raises
    ------
    ResultError
        If the file is missing, cut short, foreign, or of a newer format.
    """
    data = open_dataset(path)
    try:
        return _class_of(data, path)._of(data, path)
    except ResultError:
        data.close()
        raise


def _class_of(data: xr.Dataset, path: str | Path) -> type[Result | Decades | Ensemble]:
    from entangle.decades_result import Decades
    from entangle.ensemble import Ensemble
    from entangle.result import Result

    kind = KINDS.get(str(data.attrs["method"]))
    classes: tuple[type[Result | Decades | Ensemble], ...] = (Result, Decades, Ensemble)
    for each in classes:
        if each.kind == kind:
            return each
    raise ResultError(f"{path}: this file holds no result of a run (its method is '{data.attrs['method']}').")
