"""Draw the pictures of the README: ``python docs/make_images.py`` from the root of a clone.

The numbers are the same to the last bit wherever it runs (see the README); the pixels depend on the fonts.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import entangle

ROOT: Final = Path(__file__).resolve().parents[1]
SEED: Final = 7
TRAJECTORIES: Final = 1_000_000


def main() -> None:
    """Write docs/images/us_rok.png."""
    study = entangle.load(ROOT / "configs" / "us_rok.toml")
    result = study.run(trajectories=TRAJECTORIES, seed=SEED)
    target = ROOT / "docs" / "images" / "us_rok.png"
    target.parent.mkdir(exist_ok=True)
    figure = result.plot().get_figure(root=True)
    assert figure is not None
    figure.savefig(target, dpi=150, metadata={"Software": None})
    print(f"{target.relative_to(ROOT)}: {result!r}")


if __name__ == "__main__":
    main()
