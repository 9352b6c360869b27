"""The validation report for people: a page of HTML that needs nothing else, and text for a terminal."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from entangle.evidence import patterns as known

if TYPE_CHECKING:
    from entangle.evidence.report import Report, Row, Shown

WIDTH: Final = 80
#: Width of a picture of intervals, its margins at both ends, and its height, in units of the page.
PICTURE: Final = (290.0, 12.0, 30.0)
#: Least distance of two ticks.
_ROOM: Final = 38.0
_TEMPLATE: Final = "report.html.j2"

Scale = Literal["share", "ratio", "plain"]
#: Numbers that ticks may stand at, the roundest first: the next are taken where those before leave room.
_ROUND: Final = ((1.0,), (2.0, 5.0), (1.5, 3.0, 7.0), (1.2, 4.0, 6.0, 8.0, 9.0), (1.1, 1.3, 2.5, 8.5, 9.5))
_SHARES: Final = ((0.5, 0.01, 0.99, 1e-4), (0.1, 0.9, 1e-3, 0.999), (0.03, 0.2, 0.8, 0.05), (0.02, 0.3, 0.7))


class Axis(NamedTuple):
    """Where numbers stand in a picture.

    Parameters
    ----------
    scale
        Log odds for shares, logarithms for ratios, or the numbers themselves.
    low, high
        Ends, on that scale.
    """

    scale: Scale
    low: float
    high: float

    @classmethod
    def over(cls, scale: Scale, numbers: Iterable[float]) -> Axis:
        """Return an axis on which all numbers have room; those that are none are left aside."""
        own = [_scaled(scale, x) for x in numbers if math.isfinite(x)]
        own = [x for x in own if math.isfinite(x)] or [0.0]
        low, high = min(own), max(own)
        room = 0.08 * (high - low) or 1.0
        return cls(scale, low - room, high + room)

    def at(self, number: float) -> float:
        """Return where a number stands, cut to the picture."""
        width, margin, _ = PICTURE
        where = _scaled(self.scale, number)
        share = 0.0 if where == -math.inf else min(max((where - self.low) / (self.high - self.low), 0.0), 1.0)
        return round(margin + share * (width - 2.0 * margin), 1)

    def ticks(self) -> list[tuple[float, str]]:
        """Return where ticks stand, and what they say: as many as have room."""
        found: dict[float, float] = {}
        for candidates in _candidates(self.scale):
            for number in candidates:
                if not self.low <= _scaled(self.scale, number) <= self.high:
                    continue
                where = self.at(number)
                if all(abs(where - other) >= _ROOM for other in found):
                    found[where] = number
        return [(where, f"{found[where]:g}".replace("-", "−")) for where in sorted(found)]


def _candidates(scale: Scale) -> Iterator[list[float]]:
    """Yield numbers that ticks may stand at, the roundest first."""
    if scale == "share":
        yield from map(list, _SHARES)
        return
    if scale == "plain":
        yield [0.0]
    for digits in _ROUND:
        own = [digit * 10.0**power for power in range(-9, 7) for digit in digits]
        yield own if scale == "ratio" else [sign * x for x in own[::-1] for sign in (1.0, -1.0)]


def _scaled(scale: Scale, number: float) -> float:
    if scale == "plain":
        return number
    if number <= 0.0:
        return -math.inf
    if scale == "ratio":
        return math.log(number)
    return math.log(number) - math.log1p(-number) if number < 1.0 else math.inf


# -- html ------------------------------------------------------------------------------------------


def as_html(report: Report, more: Mapping[str, str]) -> str:
    """Return a report as one page of HTML that needs nothing else: no script, no other file.

    Parameters
    ----------
    more
        What else made it, by name.
    """
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["number"] = number
    template = files("entangle.evidence").joinpath(_TEMPLATE).read_text(encoding="utf-8")
    return environment.from_string(template).render(
        report=report,
        picture=PICTURE,
        counts=[count._replace(table=_printable(count.table)) for count in report.counts],
        verdicts=report.verdicts,
        patterns=[_pattern(shown) for shown in report.patterns],
        sections=list(_sections(report.rows)),
        left_out=_left_out(report.rows),
        made={_printable(name): _printable(text) for name, text in {**report.made, **more}.items()},
    )


def _pattern(shown: Shown) -> dict[str, Any]:
    return {
        "pattern": shown.pattern,
        "verdict": shown.verdict,
        "met": _met(shown),
        "claims": [_claim(one) for one in shown.claims if one.draws],
    }


def _met(shown: Shown) -> str:
    """Return how many of several claims are as known, in words; nothing where the verdict says it."""
    own = [one.verdict for one in shown.claims if one.verdict]
    met = own.count(known.AS_KNOWN)
    if shown.verdict not in (known.MISSED, known.SIGN_ONLY) or len(own) < 2:
        return ""
    return f"{met} of {len(own)} claims as known"


def _claim(one: known.Found) -> dict[str, Any]:
    claim = one.claim
    own = [one.median, one.lower, one.upper, *(claim.record or ())]
    own += [claim.bound] if claim.sort in ("above", "below") else []
    scale: Scale = "ratio" if min(own) > 0.0 else "plain"
    return {
        "found": one,
        "axis": Axis.over(scale, own),
        "bound": claim.bound if claim.sort in ("above", "below") else None,
        "exact": claim.record is not None and claim.record[1] == claim.record[2],
    }


def _sections(rows: Sequence[Row]) -> Iterator[dict[str, Any]]:
    """Yield the tables of figures with a prediction: by where they stand, whether fitted, and scale."""
    axes = {
        scale: Axis.over(
            scale,
            (
                x
                for row in rows
                if row.predicted is not None and _scale(row) == scale
                for x in (row.figure.lower, row.figure.value, row.figure.upper, *row.predicted[:3])
                if x > 0.0
            ),
        )
        for scale in ("share", "ratio")
    }
    for table in dict.fromkeys(row.figure.table for row in rows):
        for fitted in (True, False):
            for scale, axis in axes.items():
                own = [
                    _escaped(row)
                    for row in rows
                    if row.predicted is not None
                    and (row.figure.table, row.fitted, _scale(row)) == (table, fitted, scale)
                ]
                if own:
                    yield {
                        "table": _printable(table), "fitted": fitted, "scale": scale, "axis": axis,
                        "rows": own,
                    }  # fmt: skip


def _scale(row: Row) -> Scale:
    return "share" if row.figure.kind in ("share", "hazard") else "ratio"


def _escaped(row: Row) -> Row:
    """Return a row whose text has no character that no page may hold."""
    own = row.figure
    return row._replace(
        figure=own._replace(
            code=_printable(own.code),
            what=_printable(own.what),
            period=_printable(own.period),
            table=_printable(own.table),
        )
    )


def _left_out(rows: Sequence[Row]) -> list[tuple[str, list[Row]]]:
    """Return the figures without a prediction, by the reason."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        if row.predicted is None:
            found.setdefault(_printable(row.reason), []).append(_escaped(row))
    return list(found.items())


def _printable(text: str) -> str:
    """Return text in which what could act on a terminal, or may stand in no page, is a question mark."""
    return "".join(c if c.isprintable() else " " if c.isspace() else "?" for c in text)


def number(value: float, digits: int = 3) -> str:
    """Return a number with as many digits that matter."""
    if not math.isfinite(value):
        return "–"
    size = abs(value)
    text = f"{value:.0f}" if size >= 1000 else f"{value:.{digits}g}"
    return text.replace("-", "−")


# -- text ------------------------------------------------------------------------------------------


def as_text(report: Report) -> str:
    """Return a report as text, at most 80 columns wide."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: Report) -> Iterator[str]:
    yield from textwrap.wrap(
        f"{report.draws} of {report.asked} draws of {_printable(report.made['posterior'])}, population of "
        f"{report.made['population']}. Predicted: the median, and 95 % of what is to be observed, with the "
        "model's discrepancy and the figure's error. in: the figure lies there. ~: 95 % of the parameters "
        "alone meet its interval. =: the median lies in its interval.",
        WIDTH,
    )
    for count in report.counts:
        which = "fitted" if count.fitted else "never fitted"
        yield ""
        yield from textwrap.wrap(
            f"{_printable(count.table)}, {which}: {count.inside} of {count.number} in, {count.overlap} met "
            f"by the parameters alone, {count.within} by the median.",
            WIDTH,
        )
        yield f"{'':<23}{'record':>24} {'predicted':>25}"
        for row in report.rows:
            if row.predicted is not None and (row.figure.table, row.fitted) == (count.table, count.fitted):
                yield _line(row)
    if report.patterns:
        yield ""
        said = ", ".join(f"{n} {name}" for name, n in report.verdicts.items() if n)
        yield f"Patterns: {said} ({report.pattern_draws} draws)."
        for shown in report.patterns:
            met = f" ({_met(shown).removesuffix(' as known')})" if _met(shown) else ""
            yield f"  {textwrap.shorten(shown.pattern.title, 40):<41}{shown.verdict}{met}"
    for reason, rows in _left_out(report.rows):
        yield ""
        codes = ", ".join(textwrap.shorten(row.figure.code, 40) for row in rows)
        yield from textwrap.wrap(f"No prediction of {codes}: {reason.rstrip('.')}.", WIDTH)


def _line(row: Row) -> str:
    own, found, verdict = row.figure, row.predicted, row.verdict
    assert found is not None
    assert verdict is not None
    record = _interval(own.value, own.lower, own.upper)
    predicted = _interval(found.median, found.full_lower, found.full_upper)
    signs = ("~" if verdict.overlap else " ") + ("=" if verdict.within else " ")
    said = "in " if verdict.inside else "OUT"
    code = _printable(own.code)
    code = code if len(code) <= 23 else code[:22] + "…"
    return f"{code:<23}{record:>24} {predicted:>25} {said} {signs}".rstrip()


def _interval(value: float, low: float, high: float) -> str:
    middle = number(value, 3 if abs(value) >= 1e-3 else 2)
    return f"{middle} [{number(low, 2)}, {number(high, 2)}]"
