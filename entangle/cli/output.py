"""What the commands share: where output goes, checked before any work, and how it looks."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from entangle.result import Estimate, Result

_PICTURES: Final = (".pdf", ".png", ".svg")

study_argument = click.argument("study", type=click.Path(path_type=Path))
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for machines.")


def writable(_: click.Context, __: click.Parameter, path: Path | None) -> Path | None:
    """Refuse a path that could not be written, before hours are spent on what should go there."""
    if path is None:
        return None
    folder = path.parent
    if path.is_dir():
        raise click.BadParameter(f"'{path}' is a folder; name a file in it.")
    if not folder.is_dir():
        raise click.BadParameter(f"there is no folder '{folder}'.")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise click.BadParameter(f"the folder '{folder}' cannot be written to.")
    return path


def _picture(context: click.Context, option: click.Parameter, path: Path | None) -> Path | None:
    if path is not None and path.suffix.lower() not in _PICTURES:
        kinds = ", ".join(_PICTURES)
        raise click.BadParameter(f"'{path.name}' must end in one of {kinds}.")
    return writable(context, option, path)


def out_option(text: str) -> Callable[[Any], Any]:
    """Return the option `--out`, for a file that can be written."""
    return click.option(
        "--out", type=click.Path(path_type=Path), callback=writable, metavar="FILE", help=text
    )


def plot_option(what: str) -> Callable[[Any], Any]:
    """Return the option `--plot`, for a picture of something."""
    return click.option(
        "--plot",
        type=click.Path(path_type=Path),
        callback=_picture,
        metavar="FILE",
        help=f"Draw {what}: .png, .svg or .pdf.",
    )


@contextmanager
def written(path: Path) -> Iterator[None]:
    """Turn the failure to write a file into one clear error."""
    try:
        yield
    except OSError as error:
        from entangle.errors import RunError

        reason = (error.strerror or str(error)).lower()
        raise RunError(f"{error.filename or path}: cannot be written ({reason}).") from None


def draw(axes: Axes, path: Path) -> None:
    """Write a picture, whole or not at all, in the format that the file's name asks for."""
    from entangle.files import write_whole

    figure = axes.get_figure(root=True)
    assert figure is not None
    kind = path.suffix.lower().lstrip(".")
    with written(path):
        write_whole(path, lambda partial: figure.savefig(partial, format=kind))


def deliver(
    result: Result, *, out: Path | None, plot: Path | None, as_json: bool, quiet: bool = False
) -> None:
    """Write the files that were asked for, then print the result."""
    if out is not None:
        with written(out):
            result.save(out)
    if plot is not None:
        draw(result.plot(), plot)
    if as_json:
        import json

        click.echo(json.dumps(as_data(result), ensure_ascii=False, indent=2))
    elif not quiet:
        _print(result)


def as_data(result: Result) -> dict[str, Any]:
    """Return a result as plain data for JSON; what is not a number becomes null."""
    data = result.data
    outcomes, rungs = list(data.outcome.values), list(data.rung.values)
    return {
        "title": data.attrs["title"],
        "method": data.attrs["method"],
        "trajectories": result.trajectories,
        # as text, like in the file: JSON readers keep 53 bits of a number
        "seed": data.attrs["seed"],
        "confidence": float(data.attrs["confidence"]),
        "pacts": {
            pact: {
                "table_hash": str(data.table_hash.sel(pact=pact).item()),
                "outcomes": {name: _numbers(result.probability(pact, name)) for name in outcomes},
                "rungs": {name: _numbers(result.rung(pact, name)) for name in rungs},
            }
            for pact in data.pact.values
        },
    }


def _numbers(estimate: Estimate) -> dict[str, Any]:
    return {
        name: None if isinstance(value, float) and math.isnan(value) else value
        for name, value in vars(estimate).items()
    }


def _print(result: Result) -> None:
    from rich.console import Console

    from entangle.tables.summary import as_text, render
    from entangle.tables.text import WIDTH

    console = Console(highlight=False)
    if not console.is_terminal:
        click.echo(as_text(result), nl=False)
        return
    # a wider terminal is room for more pacts side by side
    console.width = max(WIDTH, console.width)
    for part in render(result, width=console.width):
        console.print(part)
