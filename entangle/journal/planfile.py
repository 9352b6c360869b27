"""The file that says what a journal is of: ``plan.json``.

It holds the plan as data (see :mod:`entangle.work`), the plan's fingerprint, and which share of the blocks
the journal is for, under a checksum. From it alone the run can be made again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from entangle.errors import JournalError
from entangle.files import write_whole
from entangle.journal.blockfile import regular
from entangle.shards import Shard
from entangle.work import differences, fingerprint

NAME: Final = "plan.json"
FORMAT: Final = 1
_KINDS: Final = ("disputes", "histories", "draws")
_MOST: Final = 2**26
_KEYS: Final = ("format", "fingerprint", "shard", "plan", "sha256")


class PlanFile(NamedTuple):
    """What the file says.

    Parameters
    ----------
    path
        Where it stands.
    plan
        The plan, as plain data.
    shard
        Which share of the blocks the journal is for.
    """

    path: Path
    plan: dict[str, Any]
    shard: Shard

    @property
    def fingerprint(self) -> str:
        """The plan's fingerprint."""
        return fingerprint(self.plan)

    @property
    def open_ended(self) -> bool:
        """Whether the run stops when enough is known."""
        return self.plan["kind"] == "disputes" and bool(self.plan["study"].get("simulation", {}).get("until"))

    @property
    def share(self) -> tuple[int, int]:
        """First unit of the share, and the unit after its last."""
        return self.shard.share(self.plan["number"], self.plan["block"])


def write(folder: Path, plan: Mapping[str, Any], shard: Shard) -> None:
    """Write the file, whole or not at all."""
    made: dict[str, Any] = {
        "format": FORMAT,
        "fingerprint": fingerprint(plan),
        "shard": {"which": shard.which, "of": shard.of},
        "plan": plan,
    }
    made["sha256"] = _seal(made)
    text = json.dumps(made, ensure_ascii=False, indent=1) + "\n"
    write_whole(folder / NAME, lambda partial: partial.write_text(text, encoding="utf-8"))


def read(folder: Path) -> PlanFile:
    """Read the file.

    Raises
    ------
    JournalError
        If it is missing, foreign, of a newer format, damaged or changed.
    """
    path = folder / NAME
    if not folder.is_dir():
        raise JournalError.at(
            folder,
            rule="must be the folder of a journal",
            got="a file" if folder.exists() else "nothing there",
        )
    try:
        regular(path, _MOST)
    except FileNotFoundError:
        raise JournalError.at(
            folder,
            rule=f"must be the folder of a journal, with a file {NAME}",
            got="a folder without one",
            do="If a run was ended before it had written it, give the same command again",
        ) from None
    try:
        told: Any = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        reason = str(error).partition("\n")[0]
        raise JournalError.at(
            path, rule="must be JSON, whole", got=f"what cannot be read ({reason})", do=_DO
        ) from None
    if not isinstance(told, dict) or "format" not in told or "plan" not in told:
        raise JournalError.at(
            path, rule="must be the plan of a journal of entangle", got="another JSON file", do=_DO
        )
    if type(told["format"]) is int and told["format"] > FORMAT:
        raise JournalError.at(
            path,
            rule=f"must have format {FORMAT} at most",
            got=f"format {told['format']}",
            do="Update entangle",
        )
    sealed = {key: value for key, value in told.items() if key != "sha256"}
    if tuple(told) != _KEYS or told["format"] != FORMAT or _seal(sealed) != told["sha256"]:
        raise JournalError.at(
            path, rule="must match its checksum", got="a file that is damaged or was changed", do=_DO
        )
    made = PlanFile(path, told["plan"], _shard(path, told["shard"]))
    _check(made, told["fingerprint"])
    return made


_DO: Final = "Bring back the file as it was, or begin a new journal"


def _seal(made: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(made, ensure_ascii=False).encode(errors="surrogatepass")).hexdigest()


def _shard(path: Path, told: Any) -> Shard:
    if isinstance(told, dict) and list(told) == ["which", "of"]:
        which, of = told.values()
        if type(which) is int and type(of) is int and 0 <= which < of:
            return Shard(which, of)
    raise JournalError.at(path, rule="must say which shard it is of how many", got=repr(told)[:60], do=_DO)


def _check(made: PlanFile, told: Any) -> None:
    """Refuse a plan that is sealed, and yet none that entangle would have written."""
    plan = made.plan
    whole = (
        isinstance(plan, dict)
        and plan.get("kind") in _KINDS
        and all(type(plan.get(name)) is int and plan[name] > 0 for name in ("number", "block"))
        and isinstance(plan.get("study"), dict)
        and isinstance(plan["study"].get("simulation", {}), dict)
        and type(plan.get("seed")) is str
        and plan["seed"].isascii()
        and plan["seed"].isdigit()
        and len(plan["seed"]) <= 20
    )
    if not whole or told != made.fingerprint:
        raise JournalError.at(
            made.path,
            rule="must hold a plan that entangle wrote",
            got="one of other keys or values",
            do=_DO,
        )


_SAME: Final = "must be a journal of the same plan"


def must_agree(
    folder: Path,
    there: Mapping[str, Any],
    here: Mapping[str, Any],
    *,
    do: str,
    rule: str = _SAME,
) -> None:
    """Refuse a journal whose plan is another one, and say in what.

    Parameters
    ----------
    there, here
        The journal's plan, and the one that it should have; only what stands in this one is compared.
    rule, do
        What must hold, and what to do.

    Raises
    ------
    JournalError
        If they differ.
    """
    told = {key: there.get(key) for key in here}
    found = list(differences(told, dict(here)))
    if not found and fingerprint(told) != fingerprint(here):
        found = [("order of the tables", "another one", "this one")]
    if not found:
        return
    shown = [f"{place} is {_short(one)} there and {_short(other)} here" for place, one, other in found[:3]]
    if len(found) > 3:
        shown.append(f"and {len(found) - 3} more")
    raise JournalError.at(folder, rule=rule, got="; ".join(shown), do=do)


def _short(value: Any) -> str:
    if value is None:
        return "not set"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 40 else text[:37] + "..."
