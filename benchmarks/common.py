"""What several suites need. The engine is imported inside functions: asv loads this before installing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
CONFIG = ROOT / "configs" / "us_rok.toml"

#: Pacts that cost differently: with a common estimate of the challenger, and without.
PACTS = ("treaty", "no_pact")


def study(*pacts: str) -> Any:
    """Return the study of the United States and South Korea, cut down to `pacts` if any are named."""
    import entangle

    whole = entangle.load(CONFIG)
    return whole.replace(pacts={name: whole.pacts[name] for name in pacts}) if pacts else whole


def lowered(pact: str, **parameters: Any) -> tuple[list[Any], float]:
    """Return the games of a pact and its share of disputes in scope, some parameters being other ones."""
    from entangle.lowering import Setting, games, lower

    asked = study(pact)
    setting = Setting.of(asked.replace(parameters=asked.parameters.replace(**parameters)))
    return games(lower(asked.pacts[pact], setting), setting)


def tables(pact: str) -> Any:
    """Return the thresholds of a pact."""
    from entangle_kernels import equilibrium, quantise

    asked, in_scope = lowered(pact)
    return quantise.tables(asked, [equilibrium.solve(game) for game in asked], in_scope=in_scope)


def python(*arguments: str, **environment: str) -> str:
    """Run this interpreter afresh and return what it printed."""
    done = subprocess.run(
        [sys.executable, *arguments],
        env=os.environ | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(arguments)} failed:\n{done.stderr}")
    return done.stdout
