"""Draw the pictures of the README: ``python docs/make_images.py`` from the root of a clone.

The numbers are the same to the last bit wherever it runs (see the README); the pixels depend on the fonts.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from matplotlib.axes import Axes

import entangle

ROOT: Final = Path(__file__).resolve().parents[1]
SEED: Final = 7
TRAJECTORIES: Final = 1_000_000
HISTORIES: Final = 100_000


def main() -> None:
    """Write the pictures into docs/images."""
    result = entangle.load(ROOT / "configs" / "us_rok.toml").run(trajectories=TRAJECTORIES, seed=SEED)
    write(result.plot(), "us_rok.png", of=result)
    decades = entangle.load(ROOT / "configs" / "baseline.toml").decades(histories=HISTORIES, seed=SEED)
    write(decades.plot(outcome="entanglement"), "decades.png", of=decades)


def write(axes: Axes, name: str, *, of: object) -> None:
    """Write one picture, and say of what."""
    target = ROOT / "docs" / "images" / name
    target.parent.mkdir(exist_ok=True)
    figure = axes.get_figure(root=True)
    assert figure is not None
    figure.savefig(target, dpi=150, metadata={"Software": None})
    print(f"{target.relative_to(ROOT)}: {of!r}")


if __name__ == "__main__":
    main()
