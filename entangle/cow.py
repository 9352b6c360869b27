"""States by their Correlates of War codes: names, capabilities, regimes, nuclear weapons.

The figures stay in the users' own copies of the public files; this module reads two of them.

National Material Capabilities (Singer, Bremer & Stuckey 1972)
    ``ccode, year, ..., cinc``; CINC is a state's share of the world's material capability, 0 to 1.
Regimes
    ``ccode, year, v2x_polyarchy, polity2``: electoral democracy by V-Dem (Coppedge et al.), 0 to 1,
    and the Polity score (Marshall), -10 to 10, which stands in, as ``(polity2 + 10) / 20``, where
    V-Dem is silent.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, TextIO

from entangle.actor import Actor
from entangle.errors import DataError, nearest

#: Longest line and largest file that are read [characters]; a whole V-Dem takes some 400 million.
_LONGEST: Final = 2**20
_LARGEST: Final = 2**30

# -- names -----------------------------------------------------------------------------------------

_STATES: Final = """
2 United States; 20 Canada; 31 Bahamas; 40 Cuba; 41 Haiti; 42 Dominican Republic; 51 Jamaica;
52 Trinidad and Tobago; 53 Barbados; 54 Dominica; 55 Grenada; 56 Saint Lucia;
57 Saint Vincent and the Grenadines; 58 Antigua and Barbuda; 60 Saint Kitts and Nevis; 70 Mexico;
80 Belize; 90 Guatemala; 91 Honduras; 92 El Salvador; 93 Nicaragua; 94 Costa Rica; 95 Panama;
100 Colombia; 101 Venezuela; 110 Guyana; 115 Suriname; 130 Ecuador; 135 Peru; 140 Brazil;
145 Bolivia; 150 Paraguay; 155 Chile; 160 Argentina; 165 Uruguay; 200 United Kingdom; 205 Ireland;
210 Netherlands; 211 Belgium; 212 Luxembourg; 220 France; 221 Monaco; 223 Liechtenstein;
225 Switzerland; 230 Spain; 232 Andorra; 235 Portugal; 240 Hanover; 245 Bavaria; 255 Germany;
260 West Germany; 265 East Germany; 267 Baden; 269 Saxony; 271 Württemberg; 273 Hesse-Kassel;
275 Hesse-Darmstadt; 280 Mecklenburg-Schwerin; 290 Poland; 300 Austria-Hungary; 305 Austria;
310 Hungary; 315 Czechoslovakia; 316 Czech Republic; 317 Slovakia; 325 Italy; 327 Papal States;
329 Two Sicilies; 331 San Marino; 332 Modena; 335 Parma; 337 Tuscany; 338 Malta; 339 Albania;
341 Montenegro; 343 North Macedonia; 344 Croatia; 345 Serbia; 346 Bosnia and Herzegovina;
347 Kosovo; 349 Slovenia; 350 Greece; 352 Cyprus; 355 Bulgaria; 359 Moldova; 360 Romania;
365 Russia; 366 Estonia; 367 Latvia; 368 Lithuania; 369 Ukraine; 370 Belarus; 371 Armenia;
372 Georgia; 373 Azerbaijan; 375 Finland; 380 Sweden; 385 Norway; 390 Denmark; 395 Iceland;
402 Cape Verde; 403 São Tomé and Príncipe; 404 Guinea-Bissau; 411 Equatorial Guinea; 420 Gambia;
432 Mali; 433 Senegal; 434 Benin; 435 Mauritania; 436 Niger; 437 Ivory Coast; 438 Guinea;
439 Burkina Faso; 450 Liberia; 451 Sierra Leone; 452 Ghana; 461 Togo; 471 Cameroon; 475 Nigeria;
481 Gabon; 482 Central African Republic; 483 Chad; 484 Congo-Brazzaville; 490 Congo-Kinshasa;
500 Uganda; 501 Kenya; 510 Tanzania; 511 Zanzibar; 516 Burundi; 517 Rwanda; 520 Somalia;
522 Djibouti; 530 Ethiopia; 531 Eritrea; 540 Angola; 541 Mozambique; 551 Zambia; 552 Zimbabwe;
553 Malawi; 560 South Africa; 565 Namibia; 570 Lesotho; 571 Botswana; 572 Eswatini;
580 Madagascar; 581 Comoros; 590 Mauritius; 591 Seychelles; 600 Morocco; 615 Algeria; 616 Tunisia;
620 Libya; 625 Sudan; 626 South Sudan; 630 Iran; 640 Turkey; 645 Iraq; 651 Egypt; 652 Syria;
660 Lebanon; 663 Jordan; 666 Israel; 670 Saudi Arabia; 678 North Yemen; 679 Yemen;
680 South Yemen; 690 Kuwait; 692 Bahrain; 694 Qatar; 696 United Arab Emirates; 698 Oman;
700 Afghanistan; 701 Turkmenistan; 702 Tajikistan; 703 Kyrgyzstan; 704 Uzbekistan;
705 Kazakhstan; 710 China; 711 Tibet; 712 Mongolia; 713 Taiwan; 730 Korea; 731 North Korea;
732 South Korea; 740 Japan; 750 India; 760 Bhutan; 770 Pakistan; 771 Bangladesh; 775 Myanmar;
780 Sri Lanka; 781 Maldives; 790 Nepal; 800 Thailand; 811 Cambodia; 812 Laos; 816 Vietnam;
817 South Vietnam; 820 Malaysia; 830 Singapore; 835 Brunei; 840 Philippines; 850 Indonesia;
860 East Timor; 900 Australia; 910 Papua New Guinea; 920 New Zealand; 935 Vanuatu;
940 Solomon Islands; 946 Kiribati; 947 Tuvalu; 950 Fiji; 955 Tonga; 970 Nauru;
983 Marshall Islands; 986 Palau; 987 Micronesia; 990 Samoa; 8152 Annam
"""

#: Display names by code. 8152 is ATOP's own code for a state outside the Correlates of War system.
NAMES: Final[Mapping[int, str]] = {
    int(code): name
    for code, name in (item.split(maxsplit=1) for item in _STATES.replace("\n", " ").split(";"))
    for name in [name.strip()]
}

#: Codes whose state went by another name for a time: (first year, last year, name).
_ERAS: Final[Mapping[int, tuple[tuple[int, int, str], ...]]] = {
    255: ((1815, 1870, "Prussia"),),
    300: ((1815, 1866, "Austria"),),
    325: ((1815, 1860, "Sardinia"),),
    345: ((1918, 2005, "Yugoslavia"),),
    365: ((1922, 1991, "Soviet Union"),),
    630: ((1815, 1934, "Persia"),),
    640: ((1815, 1922, "Ottoman Empire"),),
    651: ((1958, 1961, "United Arab Republic"),),
    663: ((1921, 1948, "Transjordan"),),
    800: ((1815, 1938, "Siam"),),
}


def title(ccode: int, year: int | None = None) -> str:
    """Return a state's name in print, as it was in `year`; ``State 123`` for an unknown code."""
    if year is not None:
        for first, last, name in _ERAS.get(ccode, ()):
            if first <= year <= last:
                return name
    return NAMES.get(ccode, f"State {ccode}")


def key(ccode: int) -> str:
    """Return a state's name as a key of a study, the same in every year, e.g. ``united_states``."""
    name = NAMES.get(ccode)
    if name is None:
        return f"state_{ccode}"
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "_", plain).strip("_")


# -- nuclear weapons -------------------------------------------------------------------------------

#: First and last year in which a state held a nuclear weapon of its own, by code: its first test
#: or first assembled weapon, after Gartzke & Kroenig 2009 (JCR 53) and Way 2012 ("Nuclear
#: Proliferation Dates"). They differ by some years on South Africa (1979 or 1982), India (a device
#: tested in 1974, weapons put at 1988, declared in 1998) and Pakistan (1987 or 1990, declared in
#: 1998); for the last two the open declarations are used. Belarus, Kazakhstan and Ukraine, which
#: housed Soviet weapons until 1996 without control of them, are left out.
NUCLEAR: Final[Mapping[int, tuple[int, int | None]]] = {
    2: (1945, None),
    365: (1949, None),
    200: (1952, None),
    220: (1960, None),
    710: (1964, None),
    666: (1967, None),
    560: (1979, 1990),
    750: (1998, None),
    770: (1998, None),
    731: (2006, None),
}


def is_nuclear(ccode: int, year: int) -> bool:
    """Return whether a state held a nuclear weapon of its own in `year`, by :data:`NUCLEAR`."""
    if ccode not in NUCLEAR:
        return False
    first, last = NUCLEAR[ccode]
    return first <= year and (last is None or year <= last)


# -- reading ---------------------------------------------------------------------------------------

#: What stands for "not known" in these files: nothing, Stata's dot, R's NA.
BLANK: Final = frozenset({"", ".", "NA"})


@dataclass(frozen=True)
class Row:
    """One row of a csv file, which knows its place for error messages."""

    path: Path
    line: int
    cells: Mapping[str, str]

    def number(self, column: str) -> float | None:
        """Return a cell as a number, or None if it is blank.

        Raises
        ------
        DataError
            If the cell is neither; names file, line and column.
        """
        text = self.cells[column].strip()
        if text in BLANK:
            return None
        try:
            value = float(text)
        except ValueError:
            raise self.error(column, "must be a number") from None
        if value != value or value in (float("inf"), float("-inf")):
            raise self.error(column, "must be a finite number")
        return value

    def whole(self, column: str) -> int | None:
        """Return a cell as a whole number (``3240`` or ``3240.0``), or None if it is blank."""
        value = self.number(column)
        if value is None:
            return None
        if value != int(value):
            raise self.error(column, "must be a whole number")
        return int(value)

    def required(self, column: str) -> int:
        """Return a cell that must hold a whole number."""
        value = self.whole(column)
        if value is None:
            raise self.error(column, "must be a whole number and not blank")
        return value

    def error(self, column: str, rule: str) -> DataError:
        """Return the error that says what is wrong with a cell."""
        got = self.cells[column]
        return DataError(f"{self.path}:{self.line}: column '{column}' {rule}, got {got!r}.")


def rows(path: str | Path, columns: Collection[str], *, what: str) -> Iterator[Row]:
    """Yield the rows of a csv file that must have `columns`.

    Parameters
    ----------
    what
        What the file should be, for error messages, e.g. ``"an ATOP alliance file"``.

    Raises
    ------
    DataError
        If the file is missing, is no text, lacks columns, or has a row of another length.
    """
    path = Path(path)
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(_bounded(stream, path))
            header = [name.strip().lower() for name in next(reader, [])]
            missing = [name for name in columns if name not in header]
            if missing:
                raise DataError(f"{path}: this is not {what}: the columns {', '.join(missing)} are missing.")
            for cells in reader:
                if not any(cells):
                    continue
                if len(cells) != len(header):
                    raise DataError(
                        f"{path}:{reader.line_num}: the row must have {len(header)} columns "
                        f"like the header, got {len(cells)}."
                    )
                yield Row(path, reader.line_num, dict(zip(header, cells, strict=True)))
    except FileNotFoundError:
        names = [item.name for item in path.parent.glob("*.csv")] if path.parent.is_dir() else []
        hint = f" {nearest(path.name, names)}." if names else ""
        raise DataError(f"{path}: there is no such file; {what} was expected.{hint}") from None
    except OSError as error:
        reason = (error.strerror or "refused").lower()
        raise DataError(f"{path}: the file cannot be read ({reason}).") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: {what} must be UTF-8 text ({error.reason}).") from None
    except csv.Error as error:
        raise DataError(f"{path}: this is not a csv file ({error}).") from None


def _bounded(stream: TextIO, path: Path) -> Iterator[str]:
    """Yield the lines of a file that is no larger than any of these is, also if it has no end."""
    total = 0
    while line := stream.readline(_LONGEST + 1):
        total += len(line)
        if len(line) > _LONGEST:
            raise DataError(f"{path}: a line must have at most {_LONGEST:,} characters, got more.")
        if total > _LARGEST:
            raise DataError(f"{path}: the file must have at most {_LARGEST:,} characters, got more.")
        yield line


@dataclass(frozen=True)
class Series:
    """A figure by state and year, as one file has it."""

    path: Path
    figure: str
    values: Mapping[int, Mapping[int, float]] = field(repr=False)

    def get(self, ccode: int, year: int) -> float | None:
        """Return the figure of a state in a year, or None if the file has none."""
        return self.values.get(ccode, {}).get(year)

    def require(self, ccode: int, year: int) -> float:
        """Return the figure of a state in a year.

        Raises
        ------
        DataError
            If the file has none; names the years it has.
        """
        value = self.get(ccode, year)
        if value is None:
            raise DataError(
                f"{self.path}: no {self.figure} for {title(ccode, year)} ({ccode}) in {year}; "
                f"{self.available(ccode)}."
            )
        return value

    def available(self, ccode: int) -> str:
        """Return the years that the file has for a state, in words."""
        years = sorted(self.values.get(ccode, {}))
        if not years:
            return "the file has no year of that state"
        spans: list[list[int]] = []
        for year in years:
            if spans and year == spans[-1][1] + 1:
                spans[-1][1] = year
            else:
                spans.append([year, year])
        text = ", ".join(str(a) if a == b else f"{a}–{b}" for a, b in spans)
        return f"the file has {text}"


def read_capabilities(path: str | Path) -> Series:
    """Read CINC by state and year from a National Material Capabilities file.

    Negative values (the file's -9) count as missing.
    """
    return _cached("CINC", _cinc, ("cinc",), "a National Material Capabilities file", Path(path))


def read_regimes(path: str | Path) -> Series:
    """Read regimes by state and year, 0 (autocracy) to 1 (democracy).

    Polity's codes for interruption, interregnum and transition (-66, -77, -88) count as missing.
    """
    columns = ("v2x_polyarchy", "polity2")
    return _cached("regime figure", _regime, columns, "a regime file", Path(path))


def _cinc(row: Row) -> float | None:
    value = row.number("cinc")
    if value is None or value < 0:
        return None
    if value > 1:
        raise row.error("cinc", "must be a share, at most 1")
    return value


def _regime(row: Row) -> float | None:
    polyarchy = row.number("v2x_polyarchy")
    if polyarchy is not None:
        if not 0 <= polyarchy <= 1:
            raise row.error("v2x_polyarchy", "must be between 0 and 1")
        return polyarchy
    polity = row.number("polity2")
    if polity is None or polity in (-66, -77, -88):
        return None
    if not -10 <= polity <= 10:
        raise row.error("polity2", "must be between -10 and 10")
    return (polity + 10) / 20


def _cached(
    figure: str,
    read: Callable[[Row], float | None],
    columns: tuple[str, ...],
    what: str,
    path: Path,
) -> Series:
    try:
        state = path.stat()
    except OSError:
        stamp = (0, 0)  # reading it says what is wrong
    else:
        stamp = (state.st_mtime_ns, state.st_size)
    return _read(figure, read, columns, what, path, stamp)


@lru_cache(maxsize=8)
def _read(
    figure: str,
    read: Callable[[Row], float | None],
    columns: tuple[str, ...],
    what: str,
    path: Path,
    stamp: tuple[int, int],
) -> Series:
    del stamp  # only part of the key: a file that changed is read again
    values: dict[int, dict[int, float]] = {}
    for row in rows(path, ("ccode", "year", *columns), what=what):
        ccode, year = row.required("ccode"), row.required("year")
        value = read(row)
        if value is None:
            continue
        known = values.setdefault(ccode, {})
        if known.get(year, value) != value:
            raise row.error(columns[0], f"differs from an earlier row for state {ccode} in {year}")
        known[year] = value
    return Series(path, figure, values)


# -- actors ----------------------------------------------------------------------------------------


def actor_from_cow(
    ccode: int,
    year: int,
    *,
    capabilities: str | Path,
    regimes: str | Path | None = None,
    nuclear: bool | None = None,
    **fields: object,
) -> Actor:
    """Return the actor with a Correlates of War code as it was in `year`.

    Parameters
    ----------
    ccode
        Correlates of War country code, e.g. 732 for South Korea.
    year
        Calendar year. Every figure is of that year and no other.
    capabilities
        The National Material Capabilities file; the capability is CINC.
    regimes
        The regime file; without one the regime stays at its default.
    nuclear
        Overrides :data:`NUCLEAR`.
    **fields
        Any other field of an actor; a field given here is not looked up.

    Raises
    ------
    DataError
        If a file has no figure for that state and year; the message names the years it has.
    StudyError
        If a field breaks a rule of :class:`~entangle.actor.Actor`.
    """
    found: dict[str, Any] = {"title": title(ccode, year)}
    source = []
    if "capability" not in fields:
        series = read_capabilities(capabilities)
        cinc = series.require(ccode, year)
        if cinc == 0:
            raise DataError(
                f"{series.path}: the CINC of {title(ccode, year)} ({ccode}) in {year} is 0, and an "
                "actor needs some capability. Give it with capability=..."
            )
        found["capability"] = cinc
        source.append(f"CINC: National Material Capabilities ({series.path.name})")
    if regimes is not None and "regime" not in fields:
        series = read_regimes(regimes)
        found["regime"] = series.require(ccode, year)
        source.append(f"regime: V-Dem polyarchy, else Polity ({series.path.name})")
    if nuclear is None:
        source.append("nuclear: first test or weapon, after Gartzke & Kroenig and Way")
    found["nuclear"] = is_nuclear(ccode, year) if nuclear is None else nuclear
    found["source"] = f"Correlates of War state {ccode} in {year}. {'; '.join(source)}".rstrip(". ")
    return Actor(**{**found, **fields})
