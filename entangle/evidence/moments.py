"""Figures of the record, each with its interval, its denominator, and the engine's side of it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NamedTuple, Self

from pydantic import Field, ValidationError, model_validator

from entangle import cow, toml
from entangle.base import Frozen, Name, Table, broken_rule
from entangle.errors import DataError, StudyError, nearest, problems_from_pydantic
from entangle.evidence.estimands import PERIOD, Estimand, estimand_of

#: The project's own table.
SHIPPED: Final = Path(__file__).with_name("moments.toml")

Kind = Literal["share", "hazard", "ratio", "odds_ratio", "elasticity", "years", "other"]
#: Kinds that cannot be negative, and those that cannot exceed 1.
_POSITIVE: Final = ("share", "hazard", "ratio", "odds_ratio", "years")
_AT_MOST_ONE: Final = ("share", "hazard")
#: Half a unit of the last digit that figures are stored with.
DIGITS: Final = 5
_NOT_WRITTEN: Final = "no estimand has been written for this code"

Number = Annotated[float, Field(allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0)]
Text = Annotated[str, Field(min_length=1)]


class Source(Table):
    """A set of data."""

    title: Text = Field(description="its name and version")
    citation: Text = Field(description="how to cite it")


class Moment(Table):
    """One figure of the record."""

    code: Text = Field(description="the code under which the figure is known where it was computed")
    family: Text = Field(description="the group of figures that it belongs to")
    what: Text = Field(description="what it is, in a sentence")
    kind: Kind = Field(
        description="share (events over cases), hazard (events a year), ratio, odds_ratio, elasticity, "
        "years or other"
    )
    value: Number = Field(description="the figure")
    lower: Number = Field(description="lower end of its interval")
    upper: Number = Field(description="upper end of its interval")
    interval: Text = Field(description="how the interval was made; 95 % where not said otherwise")
    n: Annotated[int, Field(ge=1)] = Field(description="units at risk")
    events: Count | None = Field(default=None, description="units in which it happened")
    clusters: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="clusters of units that are not independent"
    )
    unit: Text = Field(description="what is counted, in a word or two")
    denominator: Text = Field(description="what it is divided by, in words")
    period: Text = Field(description="the years that it covers, e.g. 1946-2014")
    sources: Annotated[tuple[Text, ...], Field(strict=False, min_length=1)] = Field(
        description="the data that it was computed from, by name"
    )
    note: str | None = Field(default=None, description="what else should be known")
    estimand: Estimand | None = Field(
        default=None, description="the engine's side of it; none for a figure that is not fitted"
    )
    left_out: str | None = Field(default=None, description="why the engine has no such figure")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not self.lower <= self.value <= self.upper:
            raise broken_rule(
                "value", rule=f"must lie in its interval, {self.lower:g} to {self.upper:g}", got=self.value
            )
        for field in ("value", "lower", "upper"):
            number = getattr(self, field)
            if self.kind in _POSITIVE and number < 0:
                raise broken_rule(field, rule=f"must be at least 0, being a {self.kind}", got=number)
            if self.kind in _AT_MOST_ONE and number > 1:
                raise broken_rule(field, rule=f"must be at most 1, being a {self.kind}", got=number)
        for field in ("events", "clusters"):
            number = getattr(self, field)
            if number is not None and number > self.n:
                raise broken_rule(field, rule=f"must be at most n, {self.n}", got=number)
        if self.kind == "share" and self.events is not None:
            share = self.events / self.n
            # figures are stored with five digits after the point
            if abs(share - self.value) > 10.0**-DIGITS:
                raise broken_rule(
                    "value", rule=f"must be events / n = {share:.{DIGITS}f}, being a share", got=self.value
                )
        if (self.estimand is None) == (self.left_out is None):
            both = self.estimand is not None
            raise broken_rule(
                "left_out",
                rule="contradicts the estimand" if both else "is required where there is no estimand",
                do="Give an estimand, or say why there is none",
            )
        return self


class Combined(Table):
    """A figure made of two others, where each alone has no counterpart in the engine."""

    code: Text = Field(description="the code under which the figure is known")
    what: Text = Field(description="what it is, in a sentence")
    made_by: Literal["ratio", "sum"] = Field(
        description="ratio (the first over the second) or sum (of two shares of the same units)"
    )
    of: Annotated[tuple[Name, Name], Field(strict=False)] = Field(description="the two moments, by name")
    reason: Text = Field(description="why the two are taken together")
    estimand: Estimand = Field(description="the engine's side of it")


class Target(NamedTuple):
    """A figure to fit: what the engine should come to, and how exactly that is known.

    Parameters
    ----------
    name, code
        Its name here, and the code under which it is known.
    value, lower, upper
        The figure and its 95 % interval.
    kind
        As for :class:`Moment`; shares are compared by log odds, hazards and ratios by logarithms.
    estimand
        The engine's side of it.
    """

    name: str
    code: str
    value: float
    lower: float
    upper: float
    kind: Kind
    estimand: Estimand

    @property
    def is_share(self) -> bool:
        """Whether the figure is a share of cases."""
        return self.kind == "share"


class Moments(Table):
    """A table of figures.

    Examples
    --------
    >>> moments = Moments.load()
    >>> moments.by_code("C.esc5.cov1.all").value
    0.02403
    """

    title: str | None = Field(default=None, description="the table's name in print")
    sources: Frozen[Source] = Field(default={}, description="the data, by name")
    moments: Frozen[Moment] = Field(description="the figures, by name")
    combined: Frozen[Combined] = Field(default={}, description="figures made of two others, by name")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        codes: dict[str, str] = {}
        tables: list[tuple[str, Mapping[str, Moment | Combined]]] = [
            ("moments", self.moments),
            ("combined", self.combined),
        ]
        for table, own in tables:
            for name, figure in own.items():
                if figure.code in codes:
                    raise broken_rule(
                        (table, name, "code"), rule=f"must stand once, and '{codes[figure.code]}' has it",
                        got=figure.code,
                    )  # fmt: skip
                codes[figure.code] = name
        for name, moment in self.moments.items():
            for source in moment.sources:
                # without a table of sources the moments name theirs in full
                if self.sources and source not in self.sources:
                    raise broken_rule(
                        ("moments", name, "sources"), rule="must name a table of [sources]", got=source,
                        do=nearest(source, self.sources),
                    )  # fmt: skip
        for name, made in self.combined.items():
            for part in made.of:
                if part not in self.moments:
                    raise broken_rule(
                        ("combined", name, "of"), rule="must name two moments", got=part,
                        do=nearest(part, self.moments),
                    )  # fmt: skip
                if self.moments[part].value <= 0 or self.moments[part].estimand is not None:
                    raise broken_rule(
                        ("combined", name, "of"),
                        rule="must name moments above 0 that are not fitted themselves", got=part,
                    )  # fmt: skip
        return self

    # -- reading ---------------------------------------------------------------------------------

    @classmethod
    def load(cls, path: str | Path | None = None) -> Self:
        """Read figures from a TOML file, or, without a path, the project's own.

        Raises
        ------
        StudyError
            If anything in the file breaks a rule; lists every problem with its line.
        """
        path = SHIPPED if path is None else path
        data, text = toml.read(path)
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            problems = toml.with_lines(problems_from_pydantic(error, cls), text)
            raise StudyError(problems, str(path)) from None

    @classmethod
    def from_csv(cls, path: str | Path) -> Self:
        """Read figures from a csv file, one row a figure, in the format in which they are handed over.

        Columns: id, family, what, value, lo, hi, n, k, clusters, method, period, source, note. The
        engine's side of a figure is taken from its code: as the project's own table has it, else by the
        rules of the families whose codes are regular, else from the same figure of another period.
        Figures made of two others are there if both are.

        Raises
        ------
        DataError
            If the file is not of that format, or a row breaks a rule; names file and line.
        """
        found: dict[str, Moment] = {}
        for row in cow.rows(path, _COLUMNS, what="a file of figures"):
            code = row.cells["id"].strip()
            name = _key(code)
            if name in found:
                raise row.error("id", "must stand once, and another row has it")
            found[name] = _from_row(row, code)
        if not found:
            raise DataError(f"{path}: there is no figure in it.")
        names = {moment.code: name for name, moment in found.items()}
        own = shipped()
        made: dict[str, Combined] = {}
        for name, combined in own.combined.items():
            parts = [names.get(own.moments[part].code) for part in combined.of]
            if None not in parts and combined.code not in names:
                made[name] = combined.replace(of=tuple(parts))
        return cls(moments=found, combined=made)

    # -- asking ----------------------------------------------------------------------------------

    def by_code(self, code: str) -> Moment:
        """Return the figure with a code.

        Raises
        ------
        DataError
            If there is none; names the nearest.
        """
        known = {moment.code: moment for moment in self.moments.values()}
        if code not in known:
            raise DataError(f"There is no figure '{code}'. {nearest(code, known)}")
        return known[code]

    def families(self) -> dict[str, dict[str, Moment]]:
        """Return the figures by family, in the order of the table."""
        found: dict[str, dict[str, Moment]] = {}
        for name, moment in self.moments.items():
            found.setdefault(moment.family, {})[name] = moment
        return found

    def targets(self) -> tuple[Target, ...]:
        """Return what is fitted: figures with an estimand, and those made of two others."""
        return (*self._single(), *self._made())

    def _single(self) -> Iterator[Target]:
        for name, m in self.moments.items():
            if m.estimand is not None:
                yield Target(name, m.code, m.value, m.lower, m.upper, m.kind, m.estimand)

    def _made(self) -> Iterator[Target]:
        for name, made in self.combined.items():
            first, second = (self.moments[part] for part in made.of)
            value, lower, upper = (ratio_of if made.made_by == "ratio" else sum_of)(first, second)
            kind: Kind = "ratio" if made.made_by == "ratio" else "share"
            yield Target(name, made.code, value, lower, upper, kind, made.estimand)


@lru_cache(maxsize=1)
def shipped() -> Moments:
    """Return the project's own table."""
    return Moments.load()


# -- of two figures --------------------------------------------------------------------------------


def ratio_of(first: Moment, second: Moment) -> tuple[float, float, float]:
    """Return a ratio of two figures that were counted on different units, and its interval.

    The interval is made of those of the two, on the logarithmic scale, as if they were independent
    (Zou & Donner 2008, Stat. Med. 27: 1693–1702).
    """
    ratio = first.value / second.value
    below = math.hypot(_log(first.value, first.lower), _log(second.upper, second.value))
    above = math.hypot(_log(first.upper, first.value), _log(second.value, second.lower))
    return ratio, ratio * math.exp(-below), ratio * math.exp(above)


def sum_of(first: Moment, second: Moment) -> tuple[float, float, float]:
    """Return the sum of two shares of the same units, and its interval.

    What is one cannot be the other: their errors have the correlation of a multinomial (Zou & Donner
    2008, as above).
    """
    p, q = first.value, second.value
    correlation = -math.sqrt(p * q / ((1.0 - p) * (1.0 - q)))
    down, up = (
        math.sqrt(a * a + b * b + 2.0 * correlation * a * b)
        for a, b in ((p - first.lower, q - second.lower), (first.upper - p, second.upper - q))
    )
    return p + q, max(p + q - down, 0.0), min(p + q + up, 1.0)


def _log(over: float, under: float) -> float:
    return math.log(over / under) if under > 0 else math.inf


# -- csv -------------------------------------------------------------------------------------------

_COLUMNS: Final = (
    "id", "family", "what", "value", "lo", "hi", "n", "k", "clusters", "method", "period", "source", "note",
)  # fmt: skip
#: How the kind of a figure is told from the words that say what it is; the first that fits.
_KINDS: Final[tuple[tuple[str, Kind], ...]] = (
    (r"odds ratio", "odds_ratio"),
    (r"\bratio\b", "ratio"),
    (r"elasticity", "elasticity"),
    (r"hazard", "hazard"),
    (r"\byears\b.*duration|duration.*\byears\b", "years"),
    (r"\bP\(|\bshare\b", "share"),
)


def _from_row(row: cow.Row, code: str) -> Moment:
    known = _known(code)
    estimand, reason = _engine_side(code, known)
    fields: dict[str, Any] = {field: row.cells[column].strip() for field, column in _TEXTS.items()}
    for field, column in _NUMBERS.items():
        fields[field] = row.number(column)
        if fields[field] is None:
            raise row.error(column, "must be a number and not blank")
    fields |= {
        "code": code,
        "kind": _kind(fields["what"]) if known is None else known.kind,
        "n": row.required("n"),
        "events": row.whole("k"),
        "clusters": row.whole("clusters"),
        "unit": fields["family"] if known is None else known.unit,
        "denominator": fields["what"] if known is None else known.denominator,
        "sources": (row.cells["source"].strip(),),
        "note": row.cells["note"].strip() or None,
        "estimand": estimand,
        "left_out": reason,
    }
    try:
        return Moment(**fields)
    except StudyError as error:
        raise DataError(f"{row.path}:{row.line}: {code}: {error}") from None


_NUMBERS: Final = {"value": "value", "lower": "lo", "upper": "hi"}
_TEXTS: Final = {"family": "family", "what": "what", "interval": "method", "period": "period"}


def _kind(what: str) -> Kind:
    for pattern, kind in _KINDS:
        if re.search(pattern, what):
            return kind
    return "other"


def _engine_side(code: str, known: Moment | None) -> tuple[Estimand | None, str | None]:
    """Return the estimand of a code, or why there is none."""
    if known is not None and (known.code == code or known.estimand is None):
        return known.estimand, known.left_out
    found = estimand_of(code) or (known.estimand if known is not None else None)
    return found, None if found is not None else _NOT_WRITTEN


def _known(code: str) -> Moment | None:
    """Return the project's own figure of that code, or of that code in another period."""
    own = {moment.code: moment for moment in shipped().moments.values()}
    stems = {PERIOD.sub("", known): moment for known, moment in own.items()}
    return own.get(code) or (stems.get(PERIOD.sub("", code)) if PERIOD.search(code) else None)


def _key(code: str) -> str:
    """Return a code as a key, e.g. ``c_esc5_cov1_all``."""
    plain = re.sub(r"[^a-z0-9]+", "_", code.lower()).strip("_")
    return plain if re.match(r"[a-z]", plain) else f"m_{plain}"
