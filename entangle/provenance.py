"""What a result says about its making, and how a file is recognised, checked and refused."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from entangle import checked, metadata
from entangle.errors import ResultError

if TYPE_CHECKING:
    import xarray as xr

    from entangle.study import Study

#: Layout of result files. A reader refuses a newer one. 1: no digests of stretches, no attributes of ACDD, a
#: time stamp always. 2: the present one.
FORMAT_VERSION: Final = 2
#: How random words are addressed and used. Another number, other draws from the same seed.
RANDOM_SCHEME: Final = 1

#: Attributes that say when, not what: the only ones that may differ between two runs of the same study.
_VOLATILE: Final = ("date_created", "sha256")


def attributes(
    study: Study, data: xr.Dataset, *, trajectories: int = 0, histories: int = 0
) -> dict[str, Any]:
    """Return the attributes of a result: what it is, what made it, and a hash over all of it.

    Parameters
    ----------
    trajectories
        Disputes that were simulated under each pact; 0 if none was.
    histories
        Histories of years that were played under each pact; 0 if none was.
    """
    own = versions()
    settings = study.simulation
    pacts = ", ".join(study.pacts)
    method, made = "exact", "solved"
    what = f"Probabilities of the outcomes of a dispute, for each of the pacts {pacts}."
    if trajectories:
        method = "simulated"
        made = f"simulated {trajectories} disputes for each pact with seed {settings.seed}"
    elif histories:
        method, years = "histories", study.peacetime.years
        made = f"played {histories} histories of {years} years for each pact with seed {settings.seed}"
        what = f"Risks by year over {years} years, for each of the pacts {pacts}."
    found: dict[str, Any] = {
        "Conventions": metadata.CONVENTIONS,
        "title": study.title or "Crisis risks of security pacts",
        "summary": study.description or what,
        "source": f"entangle {own['entangle']}, a Monte Carlo risk engine for security pacts",
        "history": f"entangle {own['entangle']}: {made}",
        **metadata.discovery(
            package=own["entangle"],
            identity=f"{study.fingerprint[:16]}-{method}-{settings.seed}-{histories or trajectories}",
        ),
        **stamp(),
        "method": method,
        "histories" if histories else "trajectories": histories or trajectories,
        # as text: a seed may need all 64 bits
        "seed": str(settings.seed),
        "confidence": settings.confidence,
        "study": json.dumps(study.to_dict(), ensure_ascii=False, indent=1),
        "fingerprint": study.fingerprint,
        "versions": json.dumps(own),
        "random_scheme": RANDOM_SCHEME,
        "format_version": FORMAT_VERSION,
    }
    found["sha256"] = checksum(data, found)
    return found


def versions() -> dict[str, str]:
    """Return the versions of all that makes a number."""
    return {
        "entangle": package_version(),
        "numpy": version("numpy"),
        "numba": version("numba"),
        "python": platform.python_version(),
    }


def package_version() -> str:
    """Return the version of this package, also from a checkout that was never installed."""
    from entangle import __version__

    return __version__


def now() -> str:
    """Return the time in ISO 8601, UTC, always of the same width; SOURCE_DATE_EPOCH stops the clock."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    moment = datetime.fromtimestamp(int(epoch), UTC) if epoch else datetime.now(UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def stamp() -> dict[str, str]:
    """Return when a result was made, if SOURCE_DATE_EPOCH says so: equal runs are to give equal bytes."""
    return {"date_created": now()} if os.environ.get("SOURCE_DATE_EPOCH") else {}


def checksum(data: xr.Dataset, attrs: dict[str, Any]) -> str:
    """Return the SHA-256 over every value and attribute but those that only say when."""
    sha = hashlib.sha256()
    for name in sorted(map(str, data.variables)):
        variable = data.variables[name]
        sha.update(f"{name}{variable.dims}{variable.shape}".encode())
        sha.update(bits(variable.values))
        sha.update(_text(variable.attrs))
    kept = {name: value for name, value in attrs.items() if name not in _VOLATILE}
    sha.update(_text(kept))
    return sha.hexdigest()


def recognise(attrs: Mapping[str, Any], path: Path) -> None:
    """Refuse a file that is no result of this package, or of a format that it does not read.

    Raises
    ------
    ResultError
        If it is foreign or too new.
    """
    if "format_version" not in attrs or "sha256" not in attrs or "study" not in attrs:
        raise ResultError(f"{path}: this file is not a result of entangle (it has no format_version).")
    found = checked.whole(attrs, "format_version", path, least=1)
    if found > FORMAT_VERSION:
        raise ResultError(
            f"{path}: the file has format {found}, and this version reads up to {FORMAT_VERSION}. "
            "Update entangle."
        )


def check(data: xr.Dataset, path: Path) -> None:
    """Refuse a file that is not a whole and unchanged result of this package.

    Raises
    ------
    ResultError
        If it is foreign, too new, or changed since it was written.
    """
    recognise(data.attrs, path)
    if checksum(data, dict(data.attrs)) != data.attrs["sha256"]:
        raise ResultError(
            f"{path}: the file is damaged or was changed: its contents do not match their checksum. "
            "Run the study again."
        )


def bits(values: np.ndarray[Any, Any]) -> bytes:
    """Return the values of an array as bytes, the same on every machine."""
    if values.dtype.kind in "OUST":
        return "\0".join(map(str, values.ravel())).encode()
    return np.ascontiguousarray(values).astype(values.dtype.newbyteorder("<")).tobytes()


def _text(attrs: dict[str, Any]) -> bytes:
    """Return attributes as text that does not depend on whether they went through a file."""
    plain = {
        str(name): value.tolist() if isinstance(value, np.ndarray | np.generic) else value
        for name, value in attrs.items()
        if name != "_FillValue"
    }
    return json.dumps(plain, sort_keys=True).encode()
