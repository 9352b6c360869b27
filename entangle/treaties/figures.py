"""What the data say of states in one year: capabilities, regimes, weapons."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from entangle import cow
from entangle.errors import DataError
from entangle.fit.population import REGIMES

#: Seats in the order of the population's traits.
SEATS: Final = ("challenger", "protege", "defender")
#: Name of the regime file, in `regime` below the folder or in the folder itself.
REGIME_FILE: Final = "democracy.csv"


@dataclass(frozen=True)
class Figures:
    """The figures of a year.

    Parameters
    ----------
    year
        Calendar year.
    cinc
        Shares of the world's material capability.
    regimes
        Electoral democracy, 0-1; None without such a file.
    """

    year: int
    cinc: cow.Series
    regimes: cow.Series | None

    @classmethod
    def read(cls, year: int, capabilities: Path, regimes: Path | None) -> Self:
        """Read the two files.

        Raises
        ------
        DataError
            If a file is not what it should be, or no state has a CINC in that year.
        """
        cinc = cow.read_capabilities(capabilities)
        if not any(year in years for years in cinc.values.values()):
            known = {own for years in cinc.values.values() for own in years}
            span = f"it covers {min(known)} to {max(known)}" if known else "it has none at all"
            raise DataError(f"{capabilities}: no state has a CINC in {year}; {span}.")
        return cls(year, cinc, None if regimes is None else cow.read_regimes(regimes))

    def strength(self, ccode: int) -> float:
        """Return a state's CINC."""
        return self.cinc.require(ccode, self.year)

    def strongest(self, outside: Collection[int]) -> float:
        """Return the largest CINC of a state outside some others; infinite if there is none."""
        known = (
            years.get(self.year, 0.0) for state, years in self.cinc.values.items() if state not in outside
        )
        return max(known, default=0.0) or float("inf")

    def regime(self, ccode: int, seat: str) -> tuple[float, bool]:
        """Return a state's regime and whether it is known; else the mean of those that had that seat."""
        known = None if self.regimes is None else self.regimes.get(ccode, self.year)
        return (REGIMES[SEATS.index(seat)][0], False) if known is None else (known, True)


def regime_file(folder: Path) -> Path | None:
    """Return where the regime file is, or None."""
    found = (place / REGIME_FILE for place in (folder / "regime", folder))
    return next((path for path in found if path.is_file()), None)
