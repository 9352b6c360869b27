"""A dry run as a table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from entangle.tables.text import as_plain

if TYPE_CHECKING:
    from entangle.dry_run.report import DryRun

_TITLES = {
    "crises": "{trajectories:,} trajectories in {worlds}",
    "draws": "{draws:,} draws of {trajectories:,} trajectories under {pacts}",
    "histories": "{histories:,} histories of {years} under {pacts}",
}


def as_text(found: DryRun) -> str:
    """Return a dry run as plain text, at most 80 columns wide."""
    return as_plain(render(found))


def render(found: DryRun) -> Iterator[RenderableType]:
    """Yield the parts of a dry run to print: what, how long, how much memory."""
    counts = found.counts
    threads = found.memory.threads
    words = {name: _many(counts[name], name[:-1]) for name in ("pacts", "worlds", "years") if name in counts}
    yield Text(
        f"Nothing was simulated. {_TITLES[found.what].format(**counts | words)}, {_many(threads, 'thread')}."
    )
    if "kept" in counts:
        yield Text(f"The journal holds {counts['kept']:,} of them; what is left:")
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_footer=True)
    table.add_column("step", footer="in all", min_width=12)
    table.add_column("how much", max_width=36)
    table.add_column("time", footer=duration(found.seconds), justify="right")
    table.add_column("range", footer=_range(found.least, found.most), justify="right")
    for step in found.steps:
        table.add_row(step.name, step.work, duration(step.seconds), _range(step.least, step.most))
    yield table
    memory = found.memory
    yield Text(
        f"Memory: {bytes_text(memory.total)} at most; of that a process of one worker "
        f"{bytes_text(memory.process)}, each further thread {bytes_text(memory.worker)}."
    )
    sizes = {"tables": "table_bytes", "the file": "file_bytes", "the journal": "journal_bytes"}
    told = ", ".join(f"{name} {bytes_text(counts[key])}" for name, key in sizes.items() if key in counts)
    yield Text(f"{told[0].upper()}{told[1:]}.")
    if "expected_random_words" in counts:
        yield Text(f"About {counts['expected_random_words']:.3g} random words.")
    if found.compiled:
        yield Text("Code was compiled first, and is kept on disk: the run will only load it.")
    yield Text(f"Measured in {duration(found.measuring)} on this machine, as busy as it is now.")


def duration(seconds: float) -> str:
    """Return a time in the unit that suits it.

    Examples
    --------
    >>> duration(0.0004), duration(0.25), duration(42.0), duration(600.0), duration(90_000.0)
    ('0.0 s', '0.2 s', '42 s', '10 min', '25 h')
    """
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 180.0:
        return f"{seconds:.0f} s"
    if seconds < 3.0 * 3600.0:
        return f"{seconds / 60.0:.0f} min"
    return f"{seconds / 3600.0:,.0f} h"


def bytes_text(number: int) -> str:
    """Return a number of bytes in the unit that suits it.

    Examples
    --------
    >>> bytes_text(900), bytes_text(104_448), bytes_text(2_500_000), bytes_text(12_000_000_000)
    ('0.9 kB', '104 kB', '2.5 MB', '12 GB')
    """
    value = number / 1e3
    for unit in ("kB", "MB", "GB"):
        if value < 999.5 or unit == "GB":
            return f"{value:.2g} {unit}" if value < 9.95 else f"{value:,.0f} {unit}"
        value /= 1e3
    raise AssertionError


def _many(number: int, name: str) -> str:
    return f"{number:,} {name}{'' if number == 1 else 's'}"


def _range(least: float, most: float) -> str:
    return f"{duration(least)} – {duration(most)}"
