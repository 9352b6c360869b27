"""What the channels of a pact add, as a table for people of at most 80 columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from entangle.labels import pick
from entangle.tables.text import as_plain, number, points

if TYPE_CHECKING:
    import xarray as xr
    from rich.console import RenderableType

#: What is shown unless more is asked for.
_HEADLINES: Final = ("challenge", "provocation", "war", "defender_fights", "abandonment", "nuclear_use")
_PER_DISPUTE: Final = "a dispute"


def as_text(data: xr.Dataset, *, outcomes: Sequence[str] | None = None) -> str:
    """Return the contributions as a table in plain text of at most 80 columns.

    Parameters
    ----------
    outcomes
        Which to show; the headlines if not given.
    """
    return as_plain(render(data, outcomes=outcomes))


def render(data: xr.Dataset, *, outcomes: Sequence[str] | None = None) -> Iterator[RenderableType]:
    """Yield the parts of the table, for a console of at least 80 columns."""
    names = list(_HEADLINES) if outcomes is None else [pick(data, "outcome", name) for name in outcomes]
    shown = data.sel(outcome=names)
    simulated = "histories" in data.attrs
    plain = str(data.given.values[0]) if simulated else _PER_DISPUTE
    notes = list(dict.fromkeys(str(given) for given in shown.given.values if given != plain))
    yield Text(str(data.attrs["title"]), style="bold")
    if simulated:
        confidence = 100 * float(data.attrs["confidence"])
        yield Text(
            f"{int(data.attrs['histories']):,} histories in each of 16 worlds, seed {data.attrs['seed']}. "
            f"Probabilities in per cent of {plain} without and with the pact, and between them what each "
            f"channel adds in percentage points, with {confidence:.6g} % intervals of the simulation."
        )
    else:
        yield Text(
            "Exact probabilities without and with the pact in per cent, and between them what each channel "
            "adds in percentage points; each given a dispute unless marked."
        )
    for pact in map(str, data.pact.values):
        own = shown.sel(pact=pact)
        yield Text("")
        yield Text(pact, style="bold")
        if (data.probability.sel(pact=pact) == data.without_pact.sel(pact=pact)).all():
            yield Text("As without any pact: nothing to divide.")
        else:
            yield _table(own, notes)
            if simulated:
                yield from _alone(own)
    yield Text("")
    for index, words in enumerate(notes, start=1):
        yield Text(f"[{index}] given {words}")
    for name, text in zip(data.channel.values, data.what.values, strict=True):
        yield Text(f"{name}: {text}")
    yield Text("Each channel's share is averaged over the 24 orders of switching them on (Shapley).")


def _alone(own: xr.Dataset) -> Iterator[Text]:
    """Tell in how many histories the defender fights, and with one channel missing never would."""
    fights = own.sel(outcome="defender_fights")
    for channel, name, who in (
        ("obligation", "Entanglement", "it"),
        ("emboldenment", "Entrapment", "the protégé"),
    ):
        cell = fights.sel(channel=channel)
        ends = f"{number(cell.caused_lower.item())} – {number(cell.caused_upper.item())}"
        yield Text(
            f"{name}: in {number(cell.caused_probability.item())} % of histories ({ends}) the defender "
            f"fights, and never would, had {who} decided as without a pact in all years."
        )


def _table(own: xr.Dataset, notes: list[str]) -> Table:
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=0)
    table.add_column("outcome", width=17, no_wrap=True)
    table.add_column("without", width=8, justify="right")
    for name in map(str, own.channel.values):
        # the longest of the names does not fit beside the others
        table.add_column(
            Text("embolden-\nment" if name == "emboldenment" else name), width=10, justify="right"
        )
    table.add_column("with", width=8, justify="right")
    for name in map(str, own.outcome.values):
        cell = own.sel(outcome=name)
        bounds: list[str] = []
        if "contribution_lower" in cell:
            ends = (cell.contribution_lower.values.tolist(), cell.contribution_upper.values.tolist())
            bounds = [f"\n± {number((high - low) / 2, digits=2)}" for low, high in zip(*ends, strict=True)]
        given = str(cell.given.item())
        mark = f" [{notes.index(given) + 1}]" if given in notes else ""
        table.add_row(
            Text(name + mark),
            Text(number(cell.without_pact.item())),
            *(Text(text) for text in _bounded([points(value) for value in steps(cell)], bounds)),
            Text(number(cell.with_pact.item())),
        )
    return table


def _bounded(texts: list[str], bounds: list[str]) -> list[str]:
    """Return texts with their bounds below them, if there are any."""
    return [text + bound for text, bound in zip(texts, bounds, strict=True)] if bounds else texts


def steps(cell: xr.Dataset) -> list[float]:
    """Return what each channel adds to one outcome under one pact, in the order of the channels.

    What is 1e-12 of the probability or less is the rounding of sums, and no effect: 0.
    """
    least = 1e-12 * float(cell.probability.max())
    return [value if abs(value) > least else 0.0 for value in cell.contribution.values.tolist()]
