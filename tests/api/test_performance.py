"""The page on performance tells what was measured, and what measures it works."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks import forecast, memory, million, threads
from benchmarks.performance import __main__ as command
from benchmarks.performance import growth, page, plots, store


def point(amount: float, median: float) -> dict[str, float]:
    return {"amount": amount, "median": median, "least": 0.9 * median, "most": 1.2 * median}


@pytest.fixture
def sections() -> dict[str, Any]:
    names = [
        *("trajectories", "histories", "years", "pacts", "pacts, each alone", "contexts", "draws"),
        *(f"{what} by {size}" for what in ("solving", "playing") for size in ("types", "rounds")),
    ]
    facts = {
        "rounds": [0.5, 0.7],
        "words": [10.0, 12.0],
        "years": 20,
        "record_bytes": 2000.0,
        "limits": {"four random words": 0.5, "32-bit gather from 52 kB (a round)": 0.25},
        "no_limits": "",
        "bandwidth": 4e10,
    }
    run = million.Run(12.0, 6.0, 5.0, 0.5, 6.0, 3.0, 0.5)._asdict()
    said = forecast.Said("entangle run x", 2.0, 10.0, 5.0, 20.0, 12.5, 300_000_000, 310_000_000)
    held = {"workers": 1, "before": 250_000_000}
    measured = {
        "growth": {
            "repeats": 5,
            "series": {name: [point(2, 0.5), point(4, 1.5)] for name in names},
            "facts": facts,
        },
        "million": {"histories": 10**6, "workers": 2, "runs": {"none": [run, run], "all": [run]}},
        "threads, crises": {
            "what": "crises",
            "number": 3 * 10**7,
            "one": [4.0, 4.4],
            "two": [2.0, 2.0],
            "free": [1.9, 2.0],
        },
        "memory": [
            {**held, "crises": 10**5, "peak": 257_000_000},
            {**held, "crises": 10**9, "peak": 257_500_000},
        ],
        "forecasts": [said._asdict()],
    }
    machine = {"processor": "znver5", "cores": 2, "load": 0.1}
    return {name: {"machine": machine, "measured": own} for name, own in measured.items()}


def test_the_page_is_that_of_what_was_measured() -> None:
    assert page.PAGE.read_text(encoding="utf-8") == page.text(store.read()), (
        "docs/performance.md is not made from what is kept: `python -m benchmarks.performance --page`."
    )


def test_every_section_is_told_in_numbers_that_follow_from_it(sections: dict[str, Any]) -> None:
    made = page.text(sections)
    # half a second for each more: 1 s between 2 and 4
    assert f"| crisis, with the treaty and without, compared | {0.5e9:.3g} ns |" in made
    # words: 22 / 4 * 0.5 ns; gathers: 3 * 1.2 * 0.25 ns; memory: 4 * 2000 bytes / 40 GB/s
    for text in ("2.8 ns", "0.9 ns more", "takes 0.20 µs"):
        assert text in made
    # solving 6 of 12; playing 6 / 9 of 4.5 of 12; tallying the other third
    assert "| nothing solved | 12.0 (12.0 – 12.0) | 83,333 | 50 % | 25 % | 13 % | 4 % | 4 % | 4 % |" in made
    assert "| 3·10^7 crises | 4.20 (4.00 – 4.40) | 2.00 (2.00 – 2.00) | 2.10 (2.00 – 2.20) | 1.95 |" in made
    assert "the peak is +0.5 MB" in made
    assert "| 10^9 | 1 | 250 | 258 | 7.5 |" in made
    assert "| `entangle run x` | 10.0 (5.0 – 20.0) | 12.5 | 300 | 310 | 2.0 |" in made
    assert "\n\n\n" not in made


def test_a_section_that_was_not_measured_is_left_out(sections: dict[str, Any]) -> None:
    for name in sections:
        made = page.text({key: own for key, own in sections.items() if key != name})
        assert made.count("\n## ") == page.text(sections).count("\n## ") - 1
    without = sections["growth"]["measured"]["facts"]
    without["limits"], without["no_limits"] = {}, "there is no gcc"
    assert "were not measured: there is no gcc." in page.text(sections)


def test_the_picture_has_a_panel_for_each_thing_that_grows(sections: dict[str, Any], tmp_path: Any) -> None:
    (path,) = plots.write(sections, tmp_path)
    assert path.read_bytes().startswith(b"\x89PNG")
    assert path.stat().st_size > 20_000


def test_what_is_kept_is_read_and_other_sections_stay(tmp_path: Any) -> None:
    path = tmp_path / "measured.json"
    store.keep("one", [1, 2], path)
    store.keep("two", {"a": 0.5}, path)
    store.keep("one", [3], path)
    found = store.read(path)
    assert {name: own["measured"] for name, own in found.items()} == {"one": [3], "two": {"a": 0.5}}
    assert found["one"]["machine"]["cores"] >= 1
    assert store.read(tmp_path / "none.json") == {}


def test_numbers_as_they_are_read() -> None:
    assert [page.number(n) for n in (7, 8192, 10_000, 3e7, 12_345)] == [
        *("7", "8,192", "10^4", "3·10^7", "12,345"),
    ]
    runs = [
        {"workers": w, "crises": n, "peak": p} for w, n, p in [(1, 1, 5), (1, 9, 4), (2, 1, 5), (2, 9, 7)]
    ]
    assert page.moved(runs) == 2


def test_an_unknown_section_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    for main in (command.main, forecast.main):
        with pytest.raises(SystemExit):
            main(["grwoth"])
        assert "there is no" in capsys.readouterr().err


def test_threads_are_timed_in_turns(capsys: pytest.CaptureFixture[str]) -> None:
    found = threads.measured("crises", 70_000, 2)
    assert (len(found["one"]), len(found["two"]), len(found["free"])) == (2, 2, 2)
    assert min(*found["one"], *found["two"]) > 0
    threads.show(found)
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80


@pytest.mark.nightly
def test_memory_does_not_grow_with_crises(capsys: pytest.CaptureFixture[str]) -> None:
    few, *_, many = memory.measured(7, [1])
    assert few["crises"] * 100 == many["crises"]
    assert many["peak"] < 1.02 * few["peak"]
    memory.show([few, many])
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80


@pytest.mark.nightly
def test_everything_that_grows_is_measured() -> None:
    found = growth.measured(1, quick=True)
    for points in found["series"].values():
        assert len(points) >= 2
        assert all(0 < own["least"] <= own["median"] <= own["most"] for own in points)
    sections = {"growth": {"machine": store.machine(), "measured": found}}
    assert "## How time grows" in page.text(sections)
