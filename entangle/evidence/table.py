"""Figures as tables for people, at most 80 columns wide."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from entangle.evidence.moments import DIGITS, Moments, Target

if TYPE_CHECKING:
    import xarray as xr

    from entangle.evidence.estimands import Estimand

WIDTH: Final = 80
#: Columns of names, of a number, and of an interval.
_NAME: Final = 30
_VALUE: Final = 9
_ENDS: Final = 22


def as_text(moments: Moments) -> str:
    """Return every figure by family, with its interval, its cases and the engine's side of it."""
    return "\n".join(_figures(moments)) + "\n"


def recomputed_as_text(data: xr.Dataset) -> str:
    """Return stored against computed figures; see :func:`entangle.evidence.recompute`."""
    return "\n".join(_recomputed(data)) + "\n"


def _figures(moments: Moments) -> Iterator[str]:
    targets = moments.targets()
    made = [target for target in targets if target.name in moments.combined]
    yield from textwrap.wrap(
        f"{len(moments.moments)} figures of the record with their 95 % intervals. {len(targets)} are "
        f"fitted, {len(made)} of them made of two figures. After =, the engine's side with the same "
        "denominator; after ≈, with one that is near.",
        WIDTH,
    )
    for family, own in moments.families().items():
        yield ""
        yield _row(family, "value", "interval") + f"{'n':>10}"
        said: str | None = None
        for name, m in own.items():
            yield _row(f"  {name}", _number(m.value), _ends(m.lower, m.upper)) + f"{m.n:>10,}"
            if m.estimand is not None:
                yield from _below(_engine(m.estimand))
            else:
                yield from _below(f"not fitted: {'as above' if m.left_out == said else m.left_out}")
            said = m.left_out
    if made:
        yield ""
        yield _row("made of two figures", "value", "interval")
        for target in made:
            yield _row(f"  {target.name}", _number(target.value), _ends(target.lower, target.upper))
            yield from _below(f"{_parts(moments, target)}; {_engine(target.estimand)}")


def _parts(moments: Moments, target: Target) -> str:
    made = moments.combined[target.name]
    return f"{made.of[0]} {'over' if made.made_by == 'ratio' else 'or'} {made.of[1]}"


def _engine(estimand: Estimand) -> str:
    return f"{'=' if estimand.match == 'same' else '≈'} {estimand}"


def _recomputed(data: xr.Dataset) -> Iterator[str]:
    done = data.reason.values == ""
    if done.any():
        yield _row("figure", "stored", "computed", "interval")
        for i in done.nonzero()[0]:
            own = data.isel(moment=int(i))
            verdict = "equal" if own.equal else "inside" if own.inside else "OUTSIDE"
            ends = _ends(float(own.computed_lower), float(own.computed_upper))
            yield (
                _row(str(own.moment.item()), _number(float(own.stored)), _number(float(own.computed)), ends)
                + f"  {verdict}"
            )
            if not own.equal:
                stored, computed = (_cases(own, side) for side in ("stored", "computed"))
                yield from _below(f"{stored} cases stored, {computed} computed")
        yield ""
        yield from textwrap.wrap(
            f"{int(data.equal.sum())} of {int(done.sum())} computed figures equal the stored ones, with the "
            "same cases.",
            WIDTH,
        )
    reasons: dict[str, list[str]] = {}
    for name, reason in zip(data.moment.values[~done], data.reason.values[~done], strict=True):
        reasons.setdefault(str(reason), []).append(str(name))
    for reason, names in reasons.items():
        yield from textwrap.wrap(f"Not computed: {', '.join(names)}: {reason}.", WIDTH)


def _row(name: str, *cells: str) -> str:
    """Return a line: the name, then numbers of a few digits, then an interval."""
    *numbers, ends = cells
    return f"{name:<{_NAME}}" + "".join(f"{cell:>{_VALUE}}" for cell in numbers) + f"{ends:>{_ENDS}}"


def _below(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent="      ", subsequent_indent="      ")


def _number(value: float) -> str:
    return f"{value:.{DIGITS}f}".replace("-", "−")


def _ends(lower: float, upper: float) -> str:
    return f"[{_number(lower)}, {_number(upper)}]"


def _cases(own: xr.Dataset, side: str) -> str:
    events, n = float(own[f"{side}_events"]), float(own[f"{side}_n"])
    return f"{n:,.0f}" if events != events else f"{events:,.0f} of {n:,.0f}"
