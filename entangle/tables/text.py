"""Numbers and tables as text, the same in every table: at most 80 columns wide."""

from __future__ import annotations

import math
from collections.abc import Iterable
from io import StringIO
from typing import Final

from rich.box import SIMPLE_HEAD
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

#: Columns of a terminal that is not asked for its width.
WIDTH: Final = 80
#: Columns of the labels of a table's rows.
LABEL: Final = 20


def as_plain(parts: Iterable[RenderableType], *, width: int = WIDTH) -> str:
    """Return what a console would print, as plain text."""
    stream = StringIO()
    console = Console(file=stream, width=width, color_system=None, force_terminal=False, highlight=False)
    for part in parts:
        console.print(part)
    lines = stream.getvalue().splitlines()
    return "\n".join(line.rstrip() for line in lines) + "\n"


def number(probability: float, *, digits: int = 4) -> str:
    """Return a probability in per cent: some digits, or three and a power of ten if it is small.

    Examples
    --------
    >>> number(0.16193), number(1e-7), number(0.0), number(float("nan"))
    ('16.19', '1.00e-5', '0', '–')
    """
    value = 100.0 * probability
    if value != value:
        return "–"
    if value == 0.0:
        return "0"
    if value >= 1e-3:
        # a share just below all of them must not be printed as all of them
        text = f"{value:#.{digits}g}".rstrip(".")
        return f"{value:.7g}" if text in ("100", "100.0") and value < 100.0 else text
    mantissa, _, exponent = f"{value:.2e}".partition("e")
    return f"{mantissa}e{int(exponent)}"


def points(difference: float, *, digits: int = 4) -> str:
    """Return a difference of probabilities in percentage points, with its sign.

    Examples
    --------
    >>> points(0.01234), points(0.01234, digits=3), points(-1e-7), points(0.0)
    ('+1.234', '+1.23', '−1.00e-5', '0')
    """
    sign = "+" if difference > 0 else "−" if difference < 0 else ""
    return sign + number(abs(difference), digits=digits)


def multiple(ratio: float) -> str:
    """Return a ratio of probabilities.

    Examples
    --------
    >>> multiple(0.5), multiple(1234567.0), multiple(float("inf")), multiple(float("nan"))
    ('0.5', '1.23e+06', '∞', '–')
    """
    if math.isnan(ratio):
        return "–"
    return "∞" if math.isinf(ratio) else f"{ratio:.3g}"


def new_table(first: str, columns: list[str], each: int) -> Table:
    """Return a table with a column of labels and others of `each` characters."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column(first, width=LABEL, no_wrap=True)
    for name in columns:
        # a long name goes on in the next line, at an underscore where there is one
        table.add_column(Text(_folded(name, each)), width=each, justify="right")
    return table


def _folded(name: str, width: int) -> str:
    lines = [""]
    for part in name.replace("_", "_ ").split():
        for start in range(0, len(part), width):
            piece = part[start : start + width]
            if lines[-1] and len(lines[-1]) + len(piece) > width:
                lines.append("")
            lines[-1] += piece
    return "\n".join(lines)
