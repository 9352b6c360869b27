"""Monte Carlo risk engine for bilateral security pacts: deterrence, escalation, abandonment and entanglement.

>>> import entangle
>>> study = entangle.load("configs/us_rok.toml")  # doctest: +SKIP
>>> result = study.run()  # doctest: +SKIP
>>> result.plot()  # doctest: +SKIP

Nothing heavy is imported before it is used, so that the command line answers at once.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from entangle.actor import Actor, Resolve, Scenario
    from entangle.decades_result import Decades, Risk
    from entangle.difference import Difference, diff
    from entangle.ensemble import Ensemble, Spread
    from entangle.errors import (
        ClusterError,
        ConvergenceError,
        DataError,
        DisagreementWarning,
        EntangleError,
        JournalError,
        ReproducibilityWarning,
        ResultError,
        RunError,
        StudyError,
    )
    from entangle.pact import Coalition, Pact
    from entangle.parameters import Parameters
    from entangle.result import Estimate, Result
    from entangle.saved import load_result, open_result
    from entangle.study import Simulation, Study, load, schema
    from entangle.verification import Verification, verify

    __version__: str

__all__ = [
    "Actor",
    "ClusterError",
    "Coalition",
    "ConvergenceError",
    "DataError",
    "Decades",
    "Difference",
    "DisagreementWarning",
    "Ensemble",
    "EntangleError",
    "Estimate",
    "JournalError",
    "Pact",
    "Parameters",
    "ReproducibilityWarning",
    "Resolve",
    "Result",
    "ResultError",
    "Risk",
    "RunError",
    "Scenario",
    "Simulation",
    "Spread",
    "Study",
    "StudyError",
    "Verification",
    "__version__",
    "diff",
    "load",
    "load_result",
    "open_result",
    "schema",
    "verify",
]

_HOMES = {
    "entangle.actor": ("Actor", "Resolve", "Scenario"),
    "entangle.decades_result": ("Decades", "Risk"),
    "entangle.ensemble": ("Ensemble", "Spread"),
    "entangle.errors": (
        "ClusterError",
        "ConvergenceError",
        "DataError",
        "DisagreementWarning",
        "EntangleError",
        "JournalError",
        "ReproducibilityWarning",
        "ResultError",
        "RunError",
        "StudyError",
    ),
    "entangle.pact": ("Coalition", "Pact"),
    "entangle.parameters": ("Parameters",),
    "entangle.result": ("Estimate", "Result"),
    "entangle.saved": ("load_result", "open_result"),
    "entangle.difference": ("Difference", "diff"),
    "entangle.verification": ("Verification", "verify"),
    "entangle.study": ("Simulation", "Study", "load", "schema"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        value: Any = _version()
    elif name in _HOME_OF:
        value = getattr(import_module(_HOME_OF[name]), name)
    elif name == "atop":
        return import_module("entangle.atop")
    else:
        raise AttributeError(f"module 'entangle' has no attribute {name!r}")
    globals()[name] = value  # found once, found for good
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("entangle-pacts")
    except PackageNotFoundError:
        return "0+unknown"  # a checkout that was never installed
