"""Where measurements are kept, so that every number of the page comes from one file."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Final

from benchmarks.common import ROOT

#: Measurements, by section.
STORED: Final = ROOT / "benchmarks" / "performance" / "measured.json"

Sections = dict[str, Any]


def read(path: Path = STORED) -> Sections:
    """Return all sections that were measured."""
    found: Sections = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return found


def keep(name: str, measured: Any, path: Path = STORED) -> None:
    """Put a section in the place of what was kept of it, with the machine that measured it."""
    from entangle.files import write_whole

    sections = read(path) | {name: {"machine": machine(), "measured": measured}}
    text = json.dumps(dict(sorted(sections.items())), ensure_ascii=False, indent=1) + "\n"
    write_whole(path, lambda partial: partial.write_text(text, encoding="utf-8"))


def machine() -> dict[str, Any]:
    """Return what the times depend on: the processor, how many of them, and how busy they are."""
    import llvmlite.binding as llvm

    from entangle.executors import processors

    busy = round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None
    return {"processor": llvm.get_host_cpu_name(), "cores": processors(), "load": busy}
