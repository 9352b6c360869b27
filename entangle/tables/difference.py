"""What a comparison of two results shows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from rich.box import SIMPLE_HEAD
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from entangle.tables.text import as_plain

if TYPE_CHECKING:
    from entangle.difference import Difference

#: Rows of a table; all stand in JSON.
_MOST: Final = 20
_STYLES: Final = {"same bits": "bold green", "agree": "bold green", "differ": "bold red"}


def as_text(found: Difference) -> str:
    """Return a comparison as plain text of at most 80 columns."""
    return as_plain(render(found))


def render(found: Difference) -> Iterator[RenderableType]:
    """Yield the parts of a comparison."""
    yield Text(f"{found.verdict}", style=_STYLES[found.verdict])
    yield Text(found.reason)
    if found.comparisons:
        yield Text(
            f"Compared as {found.way}; chance to call results of the same model different: at most "
            f"{found.error_probability:g} over all. Smallest p-value of all together: {found.smallest:.3g}."
        )
    if found.apart:
        table = _table("what differs", "where", "first", "second", "p")
        for one in found.apart[:_MOST]:
            p = "exact" if one.p_value is None else f"{one.p_value:.2g}"
            table.add_row(one.variable, one.where, f"{one.first:.6g}", f"{one.second:.6g}", p)
        yield table
        if len(found.apart) > _MOST:
            yield Text(f"and {len(found.apart) - _MOST:,} more.")
    if found.plan:
        table = _table("plan", "first", "second")
        for change in found.plan[:_MOST]:
            table.add_row(change.path, _value(change.first), _value(change.second))
        yield table
        if len(found.plan) > _MOST:
            yield Text(f"and {len(found.plan) - _MOST:,} more.")
    else:
        yield Text("Their plans are the same.")
    for note in found.notes:
        yield Text(note)


def _table(*columns: str) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in columns:
        table.add_column(name, overflow="fold")
    return table


def _value(value: Any) -> str:
    text = "–" if value is None else str(value)
    return text if len(text) <= 60 else text[:57] + "..."
