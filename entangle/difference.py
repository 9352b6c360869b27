"""Whether two results agree, and if not, what may be behind it.

Every count of the one is compared with that of the other. The chance that any of them is called different
although both results are of the same model is at most the error probability that is stated: the comparisons
share it (Holm 1979, Scand. J. Stat. 6: 65-70). How they are compared depends on what the two share:

- other seeds: trials of their own (:func:`entangle.homogeneity.independent`);
- the same seed and the same model: the same trajectories. Then bits must be equal, and the shorter run
  must be the beginning of the longer; what the longer has more are trials of their own;
- the same seed and another model: the same random words in other games, which may depend on each other in
  any way (:func:`entangle.homogeneity.dependent`);
- nothing simulated in one of them: counts against exact probabilities
  (:func:`entangle.homogeneity.known`).

What is known exactly is compared as it is, but for what a solver leaves open.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from entangle import homogeneity
from entangle.errors import ResultError
from entangle.saved import Saved, load_result

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import RenderableType

#: Chance that two results of the same model are told to differ, unless another is asked for.
ERROR: Final = 1e-3
#: Exact probabilities nearer to each other than this count as the same.
SAME: Final = 1e-8

#: For each kind, what is counted: variable, and its trials (a variable or an attribute of the file).
_COUNTS: Final = {
    "disputes": (
        ("count", "trials"), ("trials", "trajectories"), ("rung_count", "rung_trials"),
        ("caused_count", "trajectories"), ("averted_count", "trajectories"),
    ),
    "histories": (
        ("ever_count", "histories"), ("rung_ever_count", "histories"), ("yearly_count", "histories"),
        ("status_count", "histories"), ("ended_by_count", "histories"),
        ("ever_caused_count", "histories"), ("ever_averted_count", "histories"),
        ("horizon_caused_count", "histories"), ("horizon_averted_count", "histories"),
    ),
    "draws": (("count", "trials"),),
}  # fmt: skip
#: What is exact.
_EXACT: Final = {
    "disputes": ("exact", "rung_exact", "net_exact"),
    "histories": (),
    "draws": ("probability",),
}


class Change(NamedTuple):
    """Something in which the plans of two results differ; None where one has nothing."""

    path: str
    first: Any
    second: Any


@dataclass(frozen=True)
class Apart:
    """A number in which two results differ by more than chance.

    Parameters
    ----------
    variable, where
        Which number of the results.
    first, second
        Its values: shares, or exact probabilities.
    p_value
        Chance of a difference as large by chance alone, for all comparisons together; None for what is
        exact.
    """

    variable: str
    where: str
    first: float
    second: float
    p_value: float | None


@dataclass(frozen=True)
class Difference:
    """Two results, compared.

    Parameters
    ----------
    verdict
        "same bits", "agree" or "differ".
    reason
        Why, in a sentence.
    way
        How counts were compared: "the same trajectories", "trials of their own", "the same random words",
        "trials of a known probability", or "exactly", without any.
    comparisons
        Number of comparisons that share the error probability.
    error_probability
        Chance that two results of the same model are told to differ.
    smallest
        Smallest p-value, for all comparisons together; 1 if there was none.
    apart
        What differs, the clearest first.
    plan
        In what the plans differ.
    notes
        What else is to be known.
    """

    verdict: str
    reason: str
    way: str
    comparisons: int
    error_probability: float
    smallest: float
    apart: tuple[Apart, ...]
    plan: tuple[Change, ...]
    notes: tuple[str, ...]

    @property
    def agree(self) -> bool:
        """Whether the two agree within their errors."""
        return self.verdict != "differ"

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data for JSON."""
        return {
            **asdict(self),
            "apart": [asdict(one) for one in self.apart],
            "plan": [change._asdict() for change in self.plan],
            "notes": list(self.notes),
        }

    def summary(self) -> str:
        """Return it in plain text of at most 80 columns."""
        from entangle.tables.difference import as_text

        return as_text(self)

    def render(self) -> Iterable[RenderableType]:
        """Return what a terminal shows."""
        from entangle.tables.difference import render

        return render(self)

    def __repr__(self) -> str:
        """Return the verdict."""
        return f"<entangle.Difference: {self.verdict}. {self.reason}>"


class _Counted(NamedTuple):
    """Comparisons of one variable: where each stands, and counts and trials of both."""

    variable: str
    places: list[str]
    first: NDArray[np.int64]
    first_trials: NDArray[np.int64]
    second: NDArray[Any]
    second_trials: NDArray[Any]


def diff(
    first: Saved | str | Path, second: Saved | str | Path, *, error_probability: float = ERROR
) -> Difference:
    """Compare two results of the same kind.

    Parameters
    ----------
    first, second
        Results or their files.
    error_probability
        Chance to call two results of the same model different, above 0 and below 1.

    Raises
    ------
    ResultError
        If a file cannot be read, or the two cannot be compared: they are of different kinds, have no pact in
        common, or no draw.
    ValueError
        If the error probability is not between 0 and 1.
    """
    if not 0.0 < error_probability < 1.0:
        raise ValueError(f"error_probability must lie between 0 and 1, got {error_probability}")
    one, other = (each if isinstance(each, Saved) else load_result(each) for each in (first, second))
    if one.kind != other.kind:
        raise ResultError(
            f"A result of {one.kind} cannot be compared with one of {other.kind}: they answer other "
            "questions."
        )
    plan = tuple(_plan(one.data.attrs, other.data.attrs))
    if same_bits(one.data, other.data):
        text = "Every number of the two is the same to the last bit."
        return Difference("same bits", text, "exactly", 0, error_probability, 1.0, (), plan, ())
    return _compared(one, other, plan, error_probability)


def same_bits(one: xr.Dataset, other: xr.Dataset) -> bool:
    """Return whether two tables hold the same variables, labels and numbers, to the last bit."""
    from entangle.provenance import bits

    if set(one.variables) != set(other.variables):
        return False
    return all(
        own.dims == other.variables[name].dims
        and own.shape == other.variables[name].shape
        and bits(own.values) == bits(other.variables[name].values)
        for name, own in one.variables.items()
    )


def _compared(one: Saved, other: Saved, plan: tuple[Change, ...], error_probability: float) -> Difference:
    a, b, notes = _aligned(one.data, other.data, one.kind)
    attrs = one.data.attrs, other.data.attrs
    lengths = [int(own.get("histories", own.get("trajectories", 0))) for own in attrs]
    apart = list(_exactly(a, b, one.kind))
    reasons = ["exact probabilities are not the same"] if apart else []
    way = _way(one, other, lengths)
    if way == "trials of a known probability":
        counted = list(_known(a, b) if lengths[1] == 0 else _known(b, a))
    else:
        counted = list(_counted(a, b, one.kind))
    same = f"All {sum(len(each.places) for each in counted):,} counts are the same."
    if way == "the same trajectories":
        broken = _nested(one, other, counted)
        if broken:
            reasons.append(broken)
        counted = [_rest(each) for each in counted]
    beyond, number, smallest = _tested(counted, way, error_probability)
    if beyond:
        reasons.append(f"{len(beyond)} of {number:,} counts are further apart than chance allows")
    apart += beyond
    if any("until" in json.loads(str(own["study"])).get("simulation", {}) for own in attrs):
        notes.append(
            "A run that stops when enough is known has no fixed number of trials, which the comparison takes "
            "it to have: its error probability is then not exact."
        )
    if reasons:
        verdict, reason = "differ", _sentence("; ".join(reasons))
    elif way == "exactly":
        verdict, reason = "agree", "Exact probabilities are the same, and there are no counts to compare."
    elif way == "the same trajectories" and lengths[0] == lengths[1]:
        verdict, reason = "agree", f"{same} Other numbers or labels are not, to the last bit."
    else:
        verdict = "agree"
        reason = f"None of {number:,} counts is further apart than chance allows."
    return Difference(
        verdict, reason, way, number, error_probability, smallest, tuple(apart), plan, tuple(notes)
    )


def _way(one: Saved, other: Saved, lengths: list[int]) -> str:
    """Return how the counts of two results are to be compared."""
    attrs = one.data.attrs, other.data.attrs
    if 0 in lengths:
        both = lengths[0] == lengths[1] or one.kind != "disputes"
        return "exactly" if both else "trials of a known probability"
    if attrs[0]["seed"] != attrs[1]["seed"]:
        return "trials of their own"
    # the trajectories of a draw begin where those of the draws before it end
    elsewhere = one.kind == "draws" and lengths[0] != lengths[1]
    if _model(attrs[0]) == _model(attrs[1]) and not elsewhere:
        return "the same trajectories"
    return "the same random words"


# -- what is compared --------------------------------------------------------------------------------


def _aligned(one: xr.Dataset, other: xr.Dataset, kind: str) -> tuple[xr.Dataset, xr.Dataset, list[str]]:
    """Return what both have in common of labels, in the same order, and what was left out."""
    notes = []
    shared: dict[str, list[Any]] = {}
    for name in ("pact", "outcome", "rung", "year", "counterfactual", "status", "cause", "draw"):
        if name not in one.coords or name not in other.coords:
            continue
        mine, theirs = one[name].values.tolist(), other[name].values.tolist()
        shared[name] = [label for label in mine if label in set(theirs)]
        left_out = [label for label in (*mine, *theirs) if label not in set(shared[name])]
        if left_out:
            notes.append(f"Not compared, since one of them lacks it: {name} {', '.join(map(str, left_out))}.")
        if not shared[name]:
            raise ResultError(f"The two have no {name} in common: there is nothing to compare.")
    one, other = (data.sel(shared) for data in (one, other))
    if kind == "draws":
        names = [str(name) for name in one.data_vars if str(name).startswith("drawn_")]
        same = [all(name in other and bool(one[name][i] == other[name][i]) for name in names)
                for i in range(one.sizes["draw"])]  # fmt: skip
        if not names or not any(same):
            raise ResultError(
                "The two have no draw in common: their posteriors differ, and so do the models drawn. Use "
                "draws of the same posterior."
            )
        if not all(same):
            notes.append(f"{same.count(False)} draws are of other values in the two and were not compared.")
        one, other = (data.isel(draw=np.flatnonzero(same)) for data in (one, other))
    return one, other, notes


def _counted(one: xr.Dataset, other: xr.Dataset, kind: str) -> Iterator[_Counted]:
    for name, trials in _COUNTS[kind]:
        if name not in one or name not in other:
            continue
        counts = [data[name].values.astype(np.int64).ravel() for data in (one, other)]
        totals = [_trials(data, trials, name) for data in (one, other)]
        tried = (totals[0] > 0) & (totals[1] > 0)
        # what always happens, or never does in either, tells nothing
        told = tried & ((counts[0] + counts[1]) > 0) & ((counts[0] < totals[0]) | (counts[1] < totals[1]))
        places = _places(one[name])
        yield _Counted(
            name,
            [place for place, kept in zip(places, told, strict=True) if kept],
            counts[0][told], totals[0][told], counts[1][told], totals[1][told],
        )  # fmt: skip


def _known(counted: xr.Dataset, exact: xr.Dataset) -> Iterator[_Counted]:
    """Yield the counts of one result against the exact probabilities of the other, as pairs of both."""
    for prefix in ("", "rung_"):
        count, trials = (counted[prefix + name].values.ravel() for name in ("count", "trials"))
        law = exact[f"{prefix}exact"].values.ravel()
        told = (trials > 0) & ~np.isnan(law)
        places = [place for place, kept in zip(_places(counted[f"{prefix}count"]), told, strict=True) if kept]
        yield _Counted(f"{prefix}count", places, count[told], trials[told], law[told], np.ones(told.sum()))


def _trials(data: xr.Dataset, trials: str, name: str) -> NDArray[np.int64]:
    if trials in data:
        return data[trials].values.astype(np.int64).ravel()
    return np.full(data[name].size, int(data.attrs[trials]), np.int64)


def _places(variable: xr.DataArray) -> list[str]:
    labels = [
        [str(label) for label in variable[dim].values] if dim in variable.coords else None
        for dim in variable.dims
    ]
    return [
        ", ".join(own[i] if own else str(i) for own, i in zip(labels, place, strict=True))
        for place in np.ndindex(variable.shape)
    ]


def _exactly(one: xr.Dataset, other: xr.Dataset, kind: str) -> Iterator[Apart]:
    """Yield exact probabilities that are not the same, the furthest apart first."""
    found = []
    for name in _EXACT[kind]:
        if name not in one or name not in other:
            continue
        mine, theirs = one[name], other[name]
        if kind == "draws":
            exact = ~one.counted.values
            mine, theirs = mine.isel(outcome=exact), theirs.isel(outcome=exact)
        x, y = mine.values.ravel(), theirs.values.ravel()
        same = (np.abs(x - y) <= SAME) | (np.isnan(x) & np.isnan(y))
        places = _places(mine)
        found += [
            Apart(name, places[i], float(x[i]), float(y[i]), None) for i in np.flatnonzero(~same).tolist()
        ]
    yield from sorted(found, key=lambda one: -abs(np.nan_to_num(one.first) - np.nan_to_num(one.second)))


# -- how it is compared ------------------------------------------------------------------------------


def _nested(one: Saved, other: Saved, counted: list[_Counted]) -> str:
    """Return why the shorter of two runs on the same trajectories is not the beginning of the longer."""
    name = "histories" if one.kind == "histories" else "trajectories"
    numbers = [int(each.data.attrs[name]) for each in (one, other)]
    wrong = [
        f"{each.variable} ({place})"
        for each in counted
        for place, x, n, y, m in zip(each.places, *each[2:], strict=True)
        if _impossible(int(x), int(n), int(y), int(m), same=numbers[0] == numbers[1])
    ]
    if wrong:
        what = "the same" if numbers[0] == numbers[1] else "within those of the longer"
        return (
            f"seed and model are the same, so that counts must be {what}; first of {len(wrong):,} that "
            f"cannot be: {wrong[0]}"
        )
    if numbers[0] == numbers[1]:
        return ""  # counts are the same; the last bits of what is reckoned from them may not be
    stretches = [each.data.get("cells_digest", each.data.get("histories_digest")) for each in (one, other)]
    if any(stretch is None for stretch in stretches):
        return ""
    mine, theirs = stretches
    assert mine is not None
    assert theirs is not None
    size = int(mine["first"].attrs["size"])
    if size != int(theirs["first"].attrs["size"]):
        return ""
    whole = min(numbers) // size
    if whole == 0:
        return ""
    differ = (mine.values[:whole] != theirs.values[:whole]).reshape(whole, -1).any(axis=1)
    if differ.any():
        return (
            f"seed and model are the same, and {int(differ.sum())} of the {whole} stretches of {size:,} that "
            f"both played have other digests; the first is number {int(np.argmax(differ))}"
        )
    return ""


def _impossible(x: int, n: int, y: int, m: int, *, same: bool) -> bool:
    if same:
        return (x, n) != (y, m)
    more, happened = (m - n, y - x) if m >= n else (n - m, x - y)
    return not 0 <= happened <= more


def _rest(each: _Counted) -> _Counted:
    """Return the shorter run against what the longer has more, which are trials of their own."""
    x, n, y, m = each[2:]
    longer = m >= n
    small, trials = np.where(longer, x, y), np.where(longer, n, m)
    rest, others = np.abs(y - x), np.abs(m - n)
    kept = (others > 0) & (rest <= others)
    places = [place for place, own in zip(each.places, kept, strict=True) if own]
    return _Counted(each.variable, places, small[kept], trials[kept], rest[kept], others[kept])


def _tested(counted: list[_Counted], way: str, error_probability: float) -> tuple[list[Apart], int, float]:
    """Return what is further apart than chance allows, the number of comparisons, and the least p-value."""
    asked: dict[str, Callable[..., NDArray[np.float64]]] = {
        "the same random words": homogeneity.dependent,
        "trials of a known probability": lambda x, n, p, _: homogeneity.known(x, n, p),
    }
    ask = asked.get(way, homogeneity.independent)
    every = [(float(p), each, i) for each in counted for i, p in enumerate(ask(*each[2:]).tolist())]
    every.sort(key=lambda one: one[0])
    number, so_far = len(every), 0.0
    found = []
    for rank, (p, each, i) in enumerate(every):
        so_far = max(so_far, min(1.0, (number - rank) * p))
        if so_far > error_probability:
            break
        shares = each.first[i] / each.first_trials[i], each.second[i] / each.second_trials[i]
        found.append(Apart(each.variable, each.places[i], float(shares[0]), float(shares[1]), so_far))
    return found, number, min(1.0, number * every[0][0]) if every else 1.0


# -- plans -------------------------------------------------------------------------------------------


def _model(attrs: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return all that decides what a trajectory is, but for its seed."""
    study = json.loads(str(attrs["study"]))
    study.pop("simulation", None)
    return json.dumps(_numbers_alone(study), sort_keys=True), int(attrs["random_scheme"]), attrs["method"]


def _numbers_alone(value: Any) -> Any:
    from entangle.study import _without_words

    return _without_words(value)


def _plan(one: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[Change]:
    """Yield in what two plans differ: the study by path, and what else made the numbers."""
    studies = [json.loads(str(attrs["study"])) for attrs in (one, other)]
    yield from _changes(studies[0], studies[1], "")
    made = [json.loads(str(attrs["versions"])) for attrs in (one, other)]
    yield from _changes(made[0], made[1], "versions.")
    for name in (
        "seed", "trajectories", "histories", "draws", "random_scheme", "format_version", "method",
        "confidence", "posterior_fingerprint", "posterior_sha256",
    ):  # fmt: skip
        mine, theirs = (_plain(attrs.get(name)) for attrs in (one, other))
        if mine != theirs:
            yield Change(name, mine, theirs)


def _changes(one: Any, other: Any, path: str) -> Iterator[Change]:
    if isinstance(one, dict) and isinstance(other, dict):
        for key in dict.fromkeys([*one, *other]):
            mine, theirs = one.get(key), other.get(key)
            if isinstance(mine, dict) and isinstance(theirs, dict):
                yield from _changes(mine, theirs, f"{path}{key}.")
            elif mine != theirs:
                yield Change(f"{path}{key}", mine, theirs)


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return value.item() if value.size == 1 else value.tolist()
    return value


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."
