"""The page `docs/performance.md` and its pictures, from what was measured and nothing else."""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from benchmarks.common import ROOT
from benchmarks.million import Run, mean_shares
from benchmarks.performance.growth import LIVES, SIZE
from benchmarks.performance.store import Sections
from benchmarks.threads import ratios

PAGE: Final = ROOT / "docs" / "performance.md"
IMAGES: Final = ROOT / "docs" / "images"
TEMPLATE: Final = Path(__file__).with_name("page.md.j2")

Points = list[dict[str, Any]]


def write(sections: Sections) -> list[Path]:
    """Write the page and its pictures; return the files."""
    from entangle.files import write_whole

    pictures = []
    if "growth" in sections:
        from benchmarks.performance import plots

        pictures = plots.write(sections, IMAGES)
    whole = text(sections)
    write_whole(PAGE, lambda partial: partial.write_text(whole, encoding="utf-8"))
    return [PAGE, *pictures]


def text(sections: Sections) -> str:
    """Return the page."""
    import jinja2

    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False
    )
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    helpers = {"slope": _told_slope, "number": number, "spread": spread, "ratios": ratios}
    made = template.render(**_numbers(sections), **helpers, median=statistics.median)
    # the rows of a table follow each other, and between paragraphs there is one empty line
    made = re.sub(r"\|\n\n(?=\|)", "|\n", made)
    made = re.sub(r"(?m)^(\|.*\|)\n(?=[^|\n])", r"\1\n\n", made)
    made = re.sub(r"(?m)^(?=#{2,3} )", "\n", made)
    return re.sub(r"\n{3,}", "\n\n", made).strip() + "\n"


def _numbers(sections: Sections) -> dict[str, Any]:
    """Return what the page tells, section by section; what was not measured is left out."""
    found = {name: section["measured"] for name, section in sections.items()}
    told: dict[str, Any] = {
        "threads": [own for name, own in found.items() if name.startswith("threads")],
        "lives": LIVES,
        "size": SIZE,
    }
    machines = [section["machine"] for section in sections.values()]
    told["kinds"] = dict.fromkeys(f"{own['processor']} with {own['cores']} cores" for own in machines)
    loads = [own["load"] for own in machines if own["load"] is not None]
    told["loads"] = f"{min(loads):.1f} to {max(loads):.1f}" if loads else "not told"
    if "growth" in found:
        told |= _growth(found["growth"])
    if "million" in found:
        own = found["million"]
        runs = {name: [Run(**run) for run in each] for name, each in own["runs"].items()}
        told["million"] = own
        told["million_rows"] = [
            {
                "label": label,
                "runs": len(runs[name]),
                "times": [run.total for run in runs[name]],
                "rate": own["histories"] / statistics.median(run.total for run in runs[name]),
                "shares": mean_shares(runs[name]),
            }
            for name, label in (("none", "nothing solved"), ("all", "all solved"))
        ]
    if "memory" in found:
        told["memory_runs"] = found["memory"]
        told["memory_moved"] = moved(found["memory"])
    if "forecasts" in found:
        told["forecasts"] = found["forecasts"]
    return told


def _growth(found: dict[str, Any]) -> dict[str, Any]:
    series, facts = found["series"], found["facts"]
    told = {
        "growth": found,
        "series": series,
        "facts": facts,
        "crisis": slope(series["trajectories"]),
        "history": slope(series["histories"]),
        # written once and read once, under two pacts
        "memory": 2 * 2 * facts["record_bytes"] / facts["bandwidth"],
        "words": sum(facts["words"]),
        "rounds": sum(facts["rounds"]),
    }
    if facts["limits"]:
        four = facts["limits"]["four random words"]
        gather = max(value for name, value in facts["limits"].items() if "gather" in name)
        told["drawing"] = told["words"] / 4.0 * four * 1e-9
        told["gathering"] = 3.0 * told["rounds"] * gather * 1e-9
    return told


def slope(points: Iterable[dict[str, Any]]) -> float:
    """Return what one more takes [s]: between the least and the most that there was of it."""
    ordered = sorted(points, key=lambda point: point["amount"])
    first, last = ordered[0], ordered[-1]
    found: float = (last["median"] - first["median"]) / (last["amount"] - first["amount"])
    return found


def _told_slope(points: Points, unit: float) -> str:
    return f"{slope(points) * unit:.3g}"


def moved(runs: Points) -> float:
    """Return by how much the peak with most crises differs from that with fewest, at most [bytes]."""
    found: list[float] = []
    for workers in dict.fromkeys(run["workers"] for run in runs):
        own = sorted((run for run in runs if run["workers"] == workers), key=lambda run: run["crises"])
        found.append(own[-1]["peak"] - own[0]["peak"])
    return max(found, key=abs)


def spread(values: list[float], digits: int = 2) -> str:
    """Return the median, with the least and the most."""
    middle, least, most = statistics.median(values), min(values), max(values)
    return f"{middle:.{digits}f} ({least:.{digits}f} – {most:.{digits}f})"


def number(value: float) -> str:
    """Return a number, as a power of ten where it is one."""
    digits = str(int(value))
    zeros = len(digits) - 1
    if zeros >= 4 and digits[1:] == "0" * zeros:
        return f"10^{zeros}" if digits[0] == "1" else f"{digits[0]}·10^{zeros}"
    return f"{int(value):,}"
