"""A result as a table for people: every outcome and rung, a column for each pact, at most 80 columns wide."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from io import StringIO
from typing import TYPE_CHECKING, Final

from rich.box import SIMPLE_HEAD
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from entangle.result import Estimate, Result

#: Columns of a terminal that is not asked for its width.
WIDTH: Final = 80
LABEL: Final = 20
_PLAIN: Final = "a dispute"


def as_text(result: Result, *, width: int = WIDTH) -> str:
    """Return the summary as plain text."""
    return as_plain(render(result, width=width), width=width)


def as_plain(parts: Iterable[RenderableType], *, width: int = WIDTH) -> str:
    """Return what a console would print, as plain text."""
    stream = StringIO()
    console = Console(file=stream, width=width, color_system=None, force_terminal=False, highlight=False)
    for part in parts:
        console.print(part)
    lines = stream.getvalue().splitlines()
    return "\n".join(line.rstrip() for line in lines) + "\n"


def render(result: Result, *, width: int = WIDTH) -> Iterator[RenderableType]:
    """Yield the parts of the summary, for a console of `width` columns."""
    data = result.data
    yield Text(str(data.attrs["title"]), style="bold")
    yield Text(_extent(result))
    pacts = [str(name) for name in data.pact.values]
    outcomes = [str(name) for name in data.outcome.values]
    rungs = [str(name) for name in data.rung.values]
    reached = [rung for rung in rungs if any(_occurs(result.rung(pact, rung)) for pact in pacts)]
    notes = list(dict.fromkeys(str(given) for given in data.given.values if given != _PLAIN))
    each = 17 if result.simulated else 12
    fit = max(1, (width - LABEL) // (each + 2))
    for start in range(0, len(pacts), fit):
        shown = pacts[start : start + fit]
        table = new_table("outcome", shown, each)
        for outcome in outcomes:
            estimates = [result.probability(pact, outcome) for pact in shown]
            given = estimates[0].given
            mark = f" [{notes.index(given) + 1}]" if given in notes else ""
            table.add_row(Text(outcome + mark), *(_cell(result, item) for item in estimates))
        table.add_section()
        table.add_row(Text("at least", style="italic"))
        for rung in reached:
            row = [_cell(result, result.rung(pact, rung)) for pact in shown]
            table.add_row(Text(f" {rung}"), *row)
        yield table
    yield from _notes(result, notes, [rung for rung in rungs if rung not in reached])
    if "target" in data.dims:
        from entangle.until import sentences

        yield Text("Where the run was to stop", style="bold")
        yield from (Text(sentence) for sentence in sentences(data))
    if result.simulated and result.attributed:
        from entangle.paired_summary import render_pairs

        yield from render_pairs(result, width=width)


def number(probability: float) -> str:
    """Return a probability in per cent: four digits, or three and a power of ten if it is small.

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
        text = f"{value:#.4g}"
        return f"{value:.7g}" if text == "100.0" and value < 100.0 else text
    mantissa, _, exponent = f"{value:.2e}".partition("e")
    return f"{mantissa}e{int(exponent)}"


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


def _cell(result: Result, estimate: Estimate) -> Text:
    if not result.simulated:
        return Text(number(estimate.exact))
    text = Text(number(estimate.probability))
    text.append(f" ({number(estimate.exact)})", style="dim")
    text.append(f"\n{number(estimate.lower)} – {number(estimate.upper)}", style="dim")
    return text


def _occurs(estimate: Estimate) -> bool:
    return estimate.exact > 0 or estimate.count > 0


def _extent(result: Result) -> str:
    if not result.simulated:
        return "Exact probabilities in per cent, each given a dispute unless marked."
    confidence = 100 * float(result.data.attrs["confidence"])
    return (
        f"{result.trajectories:,} simulated disputes for each pact, seed {result.data.attrs['seed']}. "
        f"In per cent: simulated (exact), and below it the {confidence:.6g} % interval of the "
        "simulation; each given a dispute unless marked."
    )


def _notes(result: Result, given: list[str], out_of_reach: list[str]) -> Iterator[Text]:
    for index, words in enumerate(given, start=1):
        yield Text(f"[{index}] given {words}")
    if out_of_reach:
        yield Text(f"Out of reach under every pact: {', '.join(out_of_reach)}.")
    if result.simulated and bool((result.data.trials == 0).any()):
        yield Text("–: the condition never held, so that nothing is known.")
