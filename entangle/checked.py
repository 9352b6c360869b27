"""Whether a result can be what it says: its labels, shapes and counts against the study that it holds.

A checksum tells a file that changed; it does not tell one that was made wrong, or made to mislead, and sealed
afterwards. What must hold of every result is checked here: shapes before anything is read, then counts.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from entangle.errors import StudyError
from entangle.refusal import refused

if TYPE_CHECKING:
    from entangle.study import Study

#: How a file says of which kind it is (attribute `method`), and what this package calls it.
KINDS: Final = {"exact": "disputes", "simulated": "disputes", "histories": "histories", "draws": "draws"}

#: Variables without which a file of a kind is none.
_NEEDED: Final = {
    "disputes": (
        "probability", "lower", "upper", "count", "trials", "exact", "given", "cells", "cells_exact",
        "origin", "scope", "end", "state", "marks", "table_hash",
        *(f"rung_{name}" for name in ("probability", "lower", "upper", "count", "trials", "exact")),
    ),
    "histories": (
        "yearly_count", "yearly_probability", "ever_count", "ever_probability", "ever_lower", "ever_upper",
        "rung_ever_count", "ever_joint", "status_count", "status_probability",
    ),
    "draws": ("probability", "standard_error", "mean", "counted", "solved", "draw"),
}  # fmt: skip
#: The most entries along dimensions whose length the study does not say.
_MOST: Final = {"outcome": 64, "rung": 64, "stretch": 4096, "cell": 36_864, "target": 64, "quantile": 64}
_HEX: Final = frozenset("0123456789abcdef")


def study_of(attrs: Mapping[str, Any], path: Path) -> Study:
    """Return the study that a result holds.

    Raises
    ------
    ResultError
        If there is none that can be read.
    """
    from entangle import toml
    from entangle.study import Study

    text = str(attrs.get("study"))
    if len(text) > toml.LARGEST:
        raise refused(path, "study", f"must be at most {toml.LARGEST:,} characters", f"{len(text):,}")
    try:
        told = json.loads(text)
        if not isinstance(told, dict) or toml.deeper_than(told, toml.DEEPEST):
            raise ValueError("no table, or tables nested too deeply")
        return Study.from_dict(told)
    except StudyError as error:
        first = str(error).partition("\n")[0]
        raise refused(path, "study", "must be a study that this version reads", first, "") from None
    except (ValueError, TypeError, RecursionError) as error:
        raise refused(path, "study", "must be a study as JSON", str(error) or type(error).__name__) from None


def shapes(attrs: Mapping[str, Any], sizes: Mapping[str, int], path: Path) -> None:
    """Refuse a file whose dimensions do not go with its study; reads no array.

    Parameters
    ----------
    attrs
        The attributes of the file.
    sizes
        The length of every dimension.

    Raises
    ------
    ResultError
        If an attribute is none of a result of this kind, or a dimension has another length.
    """
    kind = KINDS.get(str(attrs.get("method")))
    if kind is None:
        return
    study = study_of(attrs, path)
    _attributes(kind, attrs, study, path)
    expected = {"pact": len(study.pacts), "versus": len(study.pacts)}
    if kind == "histories":
        expected["year"] = study.peacetime.years
    if kind == "draws":
        expected["draw"] = whole(attrs, "draws", path)
    for name, length in sizes.items():
        if name in expected and length != expected[name]:
            raise refused(
                path, name, f"must have {expected[name]:,} entries, as the study says", f"{length:,}"
            )
        most = _MOST.get(name)
        if most is not None and length > most:
            raise refused(path, name, f"must have at most {most:,} entries", f"{length:,}")


def whole(attrs: Mapping[str, Any], name: str, path: Path, *, least: int = 0) -> int:
    """Return an attribute that is a whole number.

    Raises
    ------
    ResultError
        If it is missing, no whole number, or below `least`.
    """
    value = np.asarray(attrs.get(name, ""))
    if value.dtype.kind not in "iu" or value.size != 1 or int(value.item()) < least:
        came = attrs.get(name, "nothing")
        raise refused(path, name, f"must be a whole number of at least {least}", f"{came}")
    return int(value.item())


def content(data: xr.Dataset, path: Path) -> None:
    """Refuse a result whose numbers cannot be those of its study.

    Raises
    ------
    ResultError
        If a variable is missing, or breaks a rule that holds for every result of its kind.
    """
    kind = KINDS.get(str(data.attrs.get("method")))
    if kind is None:
        return
    checks = _Checks(data, path)
    missing = [name for name in _NEEDED[kind] if name not in data.variables]
    if missing:
        raise refused(path, missing[0], f"is missing; a result of {kind} has it")
    checks.labels(study_of(data.attrs, path))
    _BY_KIND[kind](checks)


def _attributes(kind: str, attrs: Mapping[str, Any], study: Study, path: Path) -> None:
    settings = study.simulation
    seed = str(attrs.get("seed"))
    if not (seed.isascii() and seed.isdigit() and len(seed) <= 20 and int(seed) == settings.seed):
        raise refused(path, "seed", f"must be that of the study, {settings.seed}", seed)
    try:
        confidence = float(np.asarray(attrs["confidence"]).item())
    except (KeyError, TypeError, ValueError):
        confidence = math.nan
    if confidence != settings.confidence:
        came = "another" if math.isnan(confidence) else f"{confidence:g}"
        raise refused(path, "confidence", f"must be that of the study, {settings.confidence:g}", came)
    whole(attrs, "random_scheme", path, least=1)
    if kind == "histories":
        whole(attrs, "histories", path, least=1)
        return
    number = whole(attrs, "trajectories", path, least=int(attrs["method"] == "simulated"))
    most = settings.trajectories
    if number > most or (settings.until is None and kind == "disputes" and number not in (0, most)):
        raise refused(path, "trajectories", f"must be those of the study, {most:,}", f"{number:,}")


class _Checks:
    """The rules, each told with the place where it is broken."""

    def __init__(self, data: xr.Dataset, path: Path) -> None:
        self.data = data
        self.path = path

    def labels(self, study: Study) -> None:
        """Check that labels are those of the study, each once."""
        pacts = [str(name) for name in self.data.pact.values]
        if pacts != list(study.pacts):
            came = ", ".join(pacts)
            raise refused(self.path, "pact", f"must be {', '.join(study.pacts)}, as the study says", came)
        for name in self.data.dims:
            words = self.data[name].values.tolist() if name in self.data.coords else []
            if len(set(words)) != len(words):
                twice = next(word for i, word in enumerate(words) if word in words[:i])
                raise refused(self.path, str(name), "must name each entry once", f"{twice} twice")

    def must(self, name: str, good: NDArray[np.bool_], rule: str, values: Any) -> None:
        """Refuse the file where `good` is not true, and say where that is."""
        good = np.asarray(good)
        if good.all():
            return
        place = tuple(int(i) for i in np.argwhere(~good)[0])
        variable = self.data[name]
        labels = [
            f"{dim} {self.data[dim].values[i] if dim in self.data.coords else i}"
            for dim, i in zip(variable.dims, place, strict=False)
        ]
        came = np.broadcast_to(values, good.shape)[place].item()
        at = f" ({', '.join(labels)})" if labels else ""
        raise refused(self.path, name, rule, f"{came}{at}")

    def values(self, name: str, kinds: str) -> NDArray[Any]:
        """Return the values of a variable of one of some kinds of number."""
        found = self.data[name].values
        if found.dtype.kind not in kinds:
            wanted = "whole numbers" if "f" not in kinds else "numbers"
            raise refused(self.path, name, f"must hold {wanted}", str(found.dtype))
        return found

    def counts(self, name: str, most: Any, of: str) -> NDArray[np.int64]:
        """Return counts, from 0 to `most`."""
        found = self.values(name, "iu")
        self.must(name, found >= 0, "must not be negative", found)
        self.must(name, found <= most, f"must be at most {of}", found)
        return found

    def shares(self, name: str, *, missing: bool = True) -> NDArray[np.float64]:
        """Return probabilities; not a number is one of them if they may be missing."""
        found = self.values(name, "f")
        inside = (found >= 0) & (found <= 1 + 1e-12)
        self.must(name, inside | (np.isnan(found) & missing), "must lie between 0 and 1", found)
        return found

    def finite(self, name: str) -> None:
        """Check that numbers are finite."""
        found = self.values(name, "iuf")
        self.must(name, np.isfinite(found), "must be a finite number", found)

    def around(self, prefix: str, centre: str = "probability") -> None:
        """Check an estimate's interval."""
        middle = self.shares(f"{prefix}{centre}")
        lower, upper = (self.shares(f"{prefix}{end}") for end in ("lower", "upper"))
        nothing = np.isnan(middle)
        below = nothing | (lower <= middle * (1 + 1e-9) + 1e-15)
        above = nothing | (middle <= upper * (1 + 1e-9) + 1e-15)
        self.must(f"{prefix}lower", below, f"must not exceed {prefix}{centre}", lower)
        self.must(f"{prefix}upper", above, f"must not be below {prefix}{centre}", upper)

    def quotient(self, name: str, count: NDArray[Any], trials: Any) -> None:
        """Check that a share is a count over its trials, to the last bit."""
        found = self.values(name, "f")
        trials = np.broadcast_to(trials, count.shape)
        share = np.full(count.shape, np.nan)
        np.divide(count, trials, out=share, where=trials > 0)
        same = (found == share) | (np.isnan(found) & np.isnan(share))
        self.must(name, same, "must be the count over its trials", found)

    def hashes(self, name: str) -> None:
        """Check that texts are hashes."""
        for word in map(str, self.data[name].values.ravel()):
            if len(word) != 64 or not set(word) <= _HEX:
                raise refused(self.path, name, "must be a SHA-256 in hexadecimal", word)


def _disputes(found: _Checks) -> None:
    from entangle.outcomes import OUTCOMES, REACHED
    from entangle_kernels.exact import CELLS

    data, number = found.data, int(found.data.attrs["trajectories"])
    simulated = str(data.attrs["method"]) == "simulated"
    every = f"the {number:,} trajectories"
    for prefix in ("", "rung_"):
        trials = found.counts(f"{prefix}trials", number, every)
        count = found.counts(f"{prefix}count", trials, "its trials")
        found.shares(f"{prefix}exact")
        found.around(prefix)
        if simulated:
            found.quotient(f"{prefix}probability", count, trials)
    found.hashes("table_hash")
    cells = found.counts("cells", number, every)
    exact = found.shares("cells_exact", missing=False)
    places = np.array([found.values(name, "iu") for name in ("origin", "scope", "end", "state", "marks")])
    for name, place, length in zip(("origin", "scope", "end", "state", "marks"), places, CELLS, strict=True):
        found.must(name, (place >= 0) & (place < length), f"must be 0 to {length - 1}", place)
    index = np.ravel_multi_index(tuple(places.astype(np.int64)), CELLS)
    if np.unique(index).size != index.size:
        raise refused(found.path, "cells", "must tell each ending once")
    sums = cells.sum(axis=1)
    found.must("pact", sums == number, f"must have cells that add up to {every}", sums)
    found.must("pact", np.abs(exact.sum(axis=1) - 1) < 1e-9, "must have cells_exact that add up to 1",
               exact.sum(axis=1))  # fmt: skip
    for dimension, prefix, known in (("outcome", "", OUTCOMES), ("rung", "rung_", REACHED)):
        labels = [str(name) for name in data[dimension].values]
        masks = {own.name: own for own in known}
        for i, label in enumerate(labels):
            if label not in masks:
                continue  # of another version
            for part, mask in (("count", masks[label].event), ("trials", masks[label].condition)):
                summed = cells[:, mask.ravel()[index]].sum(axis=1)
                told = data[f"{prefix}{part}"].values[:, i]
                found.must(
                    f"{prefix}{part}", told == summed, f"must be what the cells add up to for {label}", told
                )
    if "counterfactual" in data.dims and simulated:
        _compared(found, number)
    if "stretch" in data.dims:
        _stretches(found, number)
        from entangle.digests import digest

        dense = np.zeros((len(cells), math.prod(CELLS)), np.int64)
        dense[:, index] = cells
        whole_run = np.array([digest(own) for own in dense], np.uint64)
        summed = found.values("cells_digest", "u").sum(axis=0, dtype=np.uint64)
        found.must("pact", summed == whole_run, "must have digests that add up to that of its cells",
                   summed)  # fmt: skip


def _compared(found: _Checks, number: int) -> None:
    """Check what was counted in two worlds at once."""
    count = found.data["count"].values
    least = np.minimum(count[:, np.newaxis], count[np.newaxis])
    both = found.counts("joint", least, "how often it happened under either pact")
    found.must("joint", both == both.swapaxes(0, 1), "must be the same either way round", both)
    found.must("joint", np.einsum("iio->io", both) == count, "must be count for a pact and itself", both)
    for side in ("caused", "averted"):
        times = found.counts(f"{side}_count", number, "the trajectories")
        found.quotient(f"{side}_probability", times, number)
        found.around(f"{side}_")
    caused = found.data.caused_count.values
    happened = np.broadcast_to(count[:, np.newaxis], caused.shape)
    found.must("caused_count", caused <= happened, "must not exceed how often it happened", caused)


def _stretches(found: _Checks, number: int) -> None:
    first = found.values("first", "iu")
    size = whole(found.data.first.attrs, "size", found.path, least=1)
    right = first == np.arange(len(first)) * size
    found.must("first", right, f"must count stretches of {size:,}", first)
    if len(first) != -(-number // size):
        came = f"{len(first)} of {size:,}"
        raise refused(found.path, "stretch", f"must have a stretch for each part of {number:,}", came)


def _histories(found: _Checks) -> None:
    data, number = found.data, int(found.data.attrs["histories"])
    for name in map(str, data.data_vars):
        if not name.endswith("_count") or name.startswith(("pooled", "given")):
            continue
        prefix = name.removesuffix("count")
        count = found.counts(name, number, f"the {number:,} histories")
        found.quotient(f"{prefix}probability", count, number)
        found.around(prefix)
    for prefix in ("", "rung_"):
        ever, yearly = (data[f"{prefix}{name}_count"].values for name in ("ever", "yearly"))
        grown = np.diff(ever, axis=1, prepend=0)
        found.must(f"{prefix}ever_count", grown >= 0, "must not shrink from year to year", ever)
        found.must(
            f"{prefix}ever_count", grown <= yearly, "must not grow by more than happens in a year", ever
        )
    status = data.status_count.values.sum(axis=2)
    found.must("status_count", status == number, f"must add up to the {number:,} histories", status)
    held = found.counts("given_trials", number, f"the {number:,} histories")
    found.quotient("given_probability", found.counts("given_count", held, "its trials"), held)
    last = data.ever_count.values[:, -1]
    both = found.counts("ever_joint", np.minimum(last[:, np.newaxis], last[np.newaxis]),
                        "how often it happened under either pact")  # fmt: skip
    found.must(
        "ever_joint", np.einsum("iio->io", both) == last, "must be ever_count for a pact and itself", both
    )
    for name in ("ever_expected", "yearly_expected"):
        if name in data:
            found.shares(name, missing=False)
    if "stretch" in data.dims:
        found.values("histories_digest", "u")
        _stretches(found, number)


def _draws(found: _Checks) -> None:
    data, number = found.data, int(found.data.attrs["trajectories"])
    asked = whole(data.attrs, "draws_asked", found.path, least=1)
    missing = data.sizes.get("left_out", 0)
    if data.sizes["draw"] + missing != asked:
        came = f"{data.sizes['draw']} and {missing} left out"
        raise refused(found.path, "draw", f"must be the {asked} that were asked for", came)
    found.counts("draw", np.iinfo(np.int64).max, "2^63")
    probability = found.shares("probability")
    error = found.values("standard_error", "f")
    known = np.isnan(probability) | (np.isfinite(error) & (error >= 0))
    found.must("standard_error", known, "must be finite and not negative", error)
    for name in ("mean", "median", "monte_carlo_lower", "monte_carlo_upper"):
        found.shares(name)
    found.hashes("solved")
    parameters = str(data.attrs.get("parameters", "")).split()
    drawn = [str(name) for name in data.data_vars if str(name).startswith("drawn_")]
    if sorted(drawn) != sorted(f"drawn_{name}" for name in parameters):
        raise refused(
            found.path, "parameters", "must name the drawn_ variables", ", ".join(parameters) or "none"
        )
    for name in drawn:
        found.finite(name)
    if number == 0:
        return
    trials = found.counts("trials", number, f"the {number:,} trajectories of a draw")
    count = found.counts("count", trials, "its trials")
    counted = data.counted.values
    shares = np.where(counted, count / number, probability)
    same = (shares == probability) | ~counted
    found.must(
        "probability", same, "must be the count over the trajectories where it is counted", probability
    )


_BY_KIND: Final[dict[str, Callable[[_Checks], None]]] = {
    "disputes": _disputes,
    "histories": _histories,
    "draws": _draws,
}
