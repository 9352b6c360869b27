"""Pictures of results. Nothing is shown on a screen: a notebook displays what is returned."""

from entangle.plot.dots import dots
from entangle.plot.ladder import ladder
from entangle.plot.risk import risk
from entangle.plot.survival import survival
from entangle.plot.waterfall import waterfall

__all__ = ["dots", "ladder", "risk", "survival", "waterfall"]
