"""`entangle atop`: real treaties, listed, explained, and made into studies."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

import click

if TYPE_CHECKING:
    from entangle.atop import Treaties, Treaty
    from entangle.pact import Pact

_Command = TypeVar("_Command", bound=Callable[..., Any])

#: Names under which each file is looked for, and the folder of the usual layout.
_NAMES: Final = {
    "alliances": ("atop", ("atop-alliance-level.csv", "atop4_01a.csv")),
    "members": ("atop", ("atop-member-level.csv", "atop4_01m.csv")),
    "capabilities": ("nmc", ("nmc*.csv", "NMC*.csv")),
    "regimes": ("regime", ("democracy.csv",)),
}
_DUTIES: Final = {
    "defense": ("D", "defence"),
    "offense": ("O", "offence"),
    "neutral": ("N", "neutrality"),
    "nonagg": ("A", "non-aggression"),
    "consul": ("C", "consultation"),
}


class Files(NamedTuple):
    """Where the data files are; None where they are not."""

    alliances: Path | None
    members: Path | None
    capabilities: Path | None
    regimes: Path | None


def _file(text: str) -> dict[str, Any]:
    return {"type": click.Path(path_type=Path, dir_okay=False), "default": None, "help": text}


def _data_options(command: _Command) -> _Command:
    """Add the options that say where the data are."""
    options = (
        click.option(
            "--data",
            type=click.Path(path_type=Path, file_okay=False),
            envvar="ENTANGLE_DATA",
            show_envvar=True,
            help="Folder of the data files: atop/, nmc/ and regime/, or all in one.",
        ),
        click.option("--alliances", **_file("ATOP's alliance-level file.")),
        click.option("--members", **_file("ATOP's member-level file.")),
        click.option("--capabilities", **_file("National Material Capabilities file.")),
        click.option("--regimes", **_file("Regime file (V-Dem polyarchy, Polity).")),
    )
    for option in reversed(options):
        command = option(command)
    return command


def _year_option(text: str) -> Callable[[_Command], _Command]:
    return click.option("--year", type=click.IntRange(1815, 2100), help=text)


def _state_option(name: str, text: str) -> Callable[[_Command], _Command]:
    help_text = f"{text} Correlates of War code."
    return click.option(name, type=click.IntRange(min=1), metavar="CCODE", help=help_text)


_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for machines.")


@click.group("atop")
def group() -> None:
    """Real treaties, from the ATOP data that you have downloaded."""


@group.command("list")
@_data_options
@_year_option("Only treaties in force in that year.")
@_state_option("--state", "Only treaties that bind this state.")
@click.option("--bilateral", is_flag=True, help="Only treaties between two states.")
@click.option("--defence", is_flag=True, help="Only treaties with a duty of defence.")
@_json_option
def list_treaties(
    data: Path | None,
    alliances: Path | None,
    members: Path | None,
    capabilities: Path | None,
    regimes: Path | None,
    year: int | None,
    state: int | None,
    bilateral: bool,
    defence: bool,
    as_json: bool,
) -> None:
    """List treaties."""
    files = _locate(data, Files(alliances, members, capabilities, regimes))
    treaties = _read(files)
    found = list(treaties) if year is None else list(treaties.in_force(year, state))
    if state is not None:
        found = [treaty for treaty in found if state in treaty.members]
    if bilateral:
        found = [treaty for treaty in found if treaty.bilateral]
    if defence:
        found = [treaty for treaty in found if treaty.defence]
    if as_json:
        _print_json([_summary(treaty) for treaty in found])
        return
    _print_list(found)


@group.command("show")
@click.argument("atopid", type=int)
@_data_options
@_state_option("--protege", "Member under threat.")
@_state_option("--defender", "Member asked to help.")
@_state_option("--challenger", "State that the terms are to hold against.")
@_year_option("Whose terms; else the first year, or the last of the data if still in effect.")
@_json_option
def show_treaty(
    atopid: int,
    data: Path | None,
    alliances: Path | None,
    members: Path | None,
    capabilities: Path | None,
    regimes: Path | None,
    protege: int | None,
    defender: int | None,
    challenger: int | None,
    year: int | None,
    as_json: bool,
) -> None:
    """Show a treaty's terms, what each column became, and what that assumes."""
    files = _locate(data, Files(alliances, members, capabilities, regimes))
    treaty = _read(files).find(atopid)
    pact = treaty.to_pact(protege, defender, year=year, challenger=challenger)
    coding = treaty.coding(protege, defender, year=year, challenger=challenger)
    if as_json:
        terms = pact.to_dict()
        terms.pop("assumptions", None)
        _print_json(
            {
                "treaty": _summary(treaty),
                "pact": terms,
                "coding": [{"column": c.column, "code": c.code, "became": _plain(c.became)} for c in coding],
                "assumptions": list(pact.assumptions),
            }
        )
        return
    rows = [
        (c.column, "blank" if c.code is None else str(c.code), _words(c.became))
        for c in coding
        if c.code != 0 or c.became
    ]
    _print_treaty(treaty, pact, rows)


@group.command("study")
@click.argument("atopid", type=int)
@_data_options
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="TOML file to write, whole or not at all.",
)
@_state_option("--protege", "Member under threat; else the weaker one.")
@_state_option("--defender", "Member asked to help; else the strongest other one.")
@_state_option("--challenger", "State that may challenge; else the threat named by the treaty.")
@_year_option("Whose terms and figures.")
def make_study(
    atopid: int,
    data: Path | None,
    alliances: Path | None,
    members: Path | None,
    capabilities: Path | None,
    regimes: Path | None,
    out: Path,
    protege: int | None,
    defender: int | None,
    challenger: int | None,
    year: int | None,
) -> None:
    """Write a study of a treaty: as it stands, without it, and with a stronger promise."""
    from entangle.errors import DataError

    files = _locate(data, Files(alliances, members, capabilities, regimes))
    if files.capabilities is None:
        raise DataError(_not_found("capabilities", "National Material Capabilities file"))
    made = (
        _read(files)
        .find(atopid)
        .to_study(
            protege=protege,
            challenger=challenger,
            defender=defender,
            year=year,
            capabilities=files.capabilities,
            regimes=files.regimes,
        )
    )
    assumed = [*made.assumptions, *made.pacts["treaty"].assumptions]
    comment = "\n".join(
        [
            f"{made.title}.",
            f"Made from ATOP alliance {atopid} with `entangle atop study`.",
            "Every figure below may be changed; what the data left open is among the assumptions.",
        ]
    )
    try:
        made.save(out, comment=comment)
    except OSError as error:
        reason = (error.strerror or "refused").lower()
        raise DataError(f"{out}: the study cannot be written ({reason}).") from None
    click.echo(f"{out}: {made.title}")
    click.echo("Assumed:")
    _echo_sentences(assumed)


# -- finding and reading the data ------------------------------------------------------------------


def _locate(data: Path | None, given: Files) -> Files:
    """Return where the files are: as given, else in the data folder."""
    from entangle.errors import DataError

    if data is not None and not data.is_dir():
        raise DataError(f"{data}: there is no such folder of data files.")
    return Files(
        *(
            path if path is not None or data is None else _look(data, kind)
            for kind, path in zip(Files._fields, given, strict=True)
        )
    )


def _look(data: Path, kind: str) -> Path | None:
    from entangle.errors import DataError

    folder, patterns = _NAMES[kind]
    for place in (data / folder, data):
        # a set, since one file may fit two patterns where names ignore case
        found = sorted({path for pattern in patterns for path in place.glob(pattern)})
        if len(found) > 1:
            names = ", ".join(path.name for path in found)
            raise DataError(f"{place}: several files may be the right one ({names}); use --{kind}.")
        if found:
            return found[0]
    return None


def _not_found(kind: str, what: str) -> str:
    names = " or ".join(_NAMES[kind][1])
    return (
        f"The {what} ({names}) was not found. Name it with --{kind}, or the folder of the data "
        "with --data or the environment variable ENTANGLE_DATA."
    )


def _read(files: Files) -> Treaties:
    from entangle.atop import Treaties
    from entangle.errors import DataError

    if files.alliances is None:
        raise DataError(_not_found("alliances", "ATOP alliance-level file"))
    return Treaties.read(files.alliances, files.members)


# -- printing --------------------------------------------------------------------------------------


def _duties(treaty: Treaty) -> list[str]:
    return [column for column in _DUTIES if treaty.codes.get(column) == 1]


def _summary(treaty: Treaty) -> dict[str, Any]:
    return {
        "atopid": treaty.atopid,
        "title": treaty.title,
        "begin": str(treaty.begin),
        "end": None if treaty.end is None else str(treaty.end),
        "bilateral": treaty.bilateral,
        "phases": treaty.phases,
        "duties": [_DUTIES[column][1] for column in _duties(treaty)],
        "members": [
            {"ccode": ccode, "name": name} for ccode, name in zip(treaty.members, treaty.names, strict=True)
        ],
    }


def _plain(became: Any) -> dict[str, Any]:
    from pydantic import BaseModel

    return {
        name: value.model_dump(mode="json") if isinstance(value, BaseModel) else value
        for name, value in became.items()
    }


def _words(became: Any) -> str:
    parts = []
    for name, value in became.items():
        if name == "coalition":
            value = f"{len(value.members)} members"
        elif isinstance(value, float):
            value = f"{value:g}"
        elif isinstance(value, bool):
            value = str(value).lower()
        parts.append(f"{name} = {value}")
    return ", ".join(parts) or "–"


def _print_json(value: Any) -> None:
    import json

    click.echo(json.dumps(value, ensure_ascii=False, indent=2))


def _print_list(found: list[Treaty]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, expand=True)
    table.add_column("ATOP", justify="right", no_wrap=True)
    table.add_column("years", no_wrap=True)
    table.add_column("duties", no_wrap=True)
    # the only column that may be cut: the others keep their width
    table.add_column("members", no_wrap=True, overflow="ellipsis", ratio=1)
    for treaty in found:
        end = "" if treaty.end is None else str(treaty.end.year)
        letters = "".join(_DUTIES[column][0] for column in _duties(treaty))
        names = ", ".join(treaty.names)
        table.add_row(str(treaty.atopid), f"{treaty.begin.year}–{end}", letters, names)
    console = Console()
    console.print(table)
    count = f"{len(found)} treat{'y' if len(found) == 1 else 'ies'}."
    key = ", ".join(f"{letter} {word}" for letter, word in _DUTIES.values())
    console.print(f"{count} Duties: {key}.", highlight=False)


def _print_treaty(treaty: Treaty, pact: Pact, rows: list[tuple[str, str, str]]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    end = f"to {treaty.end}" if treaty.end else "on, still in effect at the end of the data"
    console.print(pact.title or treaty.title, style="bold", highlight=False)
    console.print(f"{pact.source}. From {treaty.begin} {end}.\n", highlight=False)
    table = Table(box=None, pad_edge=False)
    table.add_column("column", no_wrap=True)
    table.add_column("code", justify="right")
    table.add_column("became")
    for row in rows:
        table.add_row(*row)
    console.print(table)
    console.print("All other mapped columns are 0: absent.\n", highlight=False)
    console.print("Assumed:", highlight=False)
    _echo_sentences(pact.assumptions)


def _echo_sentences(sentences: Any) -> None:
    for sentence in sentences:
        click.echo(click.wrap_text(sentence, width=80, initial_indent="- ", subsequent_indent="  "))
