"""Pictures of how time grows."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

#: Panels: title, name of the axis, series with their labels, and whether both axes are logarithmic.
_PANELS: Final = (
    ("Trajectories", "crises, treaty and none", {"trajectories": ""}, True),
    ("Histories", "histories of 20 years, treaty and none", {"histories": ""}, True),
    ("Years", "years of 8 192 histories", {"years": ""}, False),
    (
        "Types (K), 12 rounds",
        "types",
        {"solving by types": "solving", "playing by types": "playing 2^19"},
        False,
    ),
    (
        "Rounds (T), 5 types",
        "rounds",
        {"solving by rounds": "solving", "playing by rounds": "playing 2^19"},
        False,
    ),
    ("Contexts", "contexts of a smaller game", {"contexts": ""}, False),
    ("Pacts", "pacts, 2^19 crises", {"pacts": "compared", "pacts, each alone": "each alone"}, False),
    ("Draws", "draws of 10 000 crises", {"draws": ""}, False),
)


def write(sections: dict[str, Any], folder: Path) -> list[Path]:
    """Write all pictures; return the files."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from entangle.files import write_whole
    from entangle.plot.style import COLOURS, GREY, MARKS

    found = sections["growth"]["measured"]
    series = found["series"]
    figure = Figure(figsize=(11.0, 9.0), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(3, 3).ravel()
    for at, (title, name, wanted, logarithmic) in zip(axes, _PANELS, strict=False):
        for i, (key, label) in enumerate(wanted.items()):
            points = sorted(series[key], key=lambda point: point["amount"])
            amounts = [point["amount"] for point in points]
            middle = [point["median"] for point in points]
            spread = [
                [point["median"] - point["least"] for point in points],
                [point["most"] - point["median"] for point in points],
            ]
            at.errorbar(
                amounts,
                middle,
                yerr=spread,
                color=COLOURS[i],
                marker=MARKS[i],
                markersize=5,
                capsize=2,
                label=label or "measured",
            )
        for label, values in _limits(found, title, amounts):
            at.plot(amounts, values, color=GREY, linestyle="--", linewidth=1.0, label=label)
        if logarithmic:
            at.set_xscale("log")
            at.set_yscale("log")
        else:
            at.set_ylim(bottom=0.0)
            at.set_xlim(left=0.0)
            if max(amounts) <= 8:
                at.set_xticks(range(int(max(amounts)) + 1))
        at.set_title(title, fontsize=11)
        at.set_xlabel(name)
        at.set_ylabel("seconds")
        at.legend(frameon=False, fontsize=8)
    _workers(axes[-1], sections, COLOURS, MARKS, GREY)
    for at in axes:
        at.spines[["top", "right"]].set_visible(False)
    target = folder / "performance.png"
    write_whole(
        target,
        lambda partial: figure.savefig(partial, dpi=110, format="png", metadata={"Software": None}),
    )
    return [target]


def _limits(found: dict[str, Any], title: str, amounts: list[float]) -> list[tuple[str, list[float]]]:
    """Return lines to hold a panel against: what random words alone take, or memory alone."""
    facts = found["facts"]
    four = facts["limits"].get("four random words")
    if title == "Trajectories" and four is not None:
        return [("random words alone", [n * sum(facts["words"]) / 4.0 * four * 1e-9 for n in amounts])]
    if title == "Histories":
        moved = 4.0 * facts["record_bytes"] / facts["bandwidth"]
        return [("memory alone", [n * moved for n in amounts])]
    return []


def _workers(at: Any, sections: dict[str, Any], colours: Any, marks: Any, grey: str) -> None:
    """Draw how many times as fast two threads are."""
    from benchmarks.threads import ratios

    at.plot([1, 2], [1, 2], color=grey, linestyle="--", linewidth=1.0, label="in proportion")
    threads = [section for name, section in sections.items() if name.startswith("threads")]
    for i, section in enumerate(threads):
        measured = section["measured"]
        each = sorted(ratios(measured))
        middle = each[len(each) // 2]
        at.errorbar(
            [1, 2],
            [1.0, middle],
            yerr=[[0.0, middle - each[0]], [0.0, each[-1] - middle]],
            color=colours[i],
            marker=marks[i],
            capsize=2,
            label=f"{measured['number']:,} {measured['what']}",
        )
    at.set_title("Workers", fontsize=11)
    at.set_xlabel("threads")
    at.set_ylabel("times as fast")
    at.set_xticks([1, 2])
    at.set_xlim(0.8, 2.2)
    at.set_ylim(bottom=0.0)
    at.legend(frameon=False, fontsize=8)
