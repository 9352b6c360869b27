"""Pictures of results. Nothing is shown on a screen: a notebook displays what is returned."""

from entangle.plot.dots import dots
from entangle.plot.drawn import drawn
from entangle.plot.ladder import ladder
from entangle.plot.learned import learned
from entangle.plot.risk import risk
from entangle.plot.survival import survival
from entangle.plot.tornado import tornado
from entangle.plot.treaties import treaties
from entangle.plot.waterfall import waterfall

__all__ = ["dots", "drawn", "ladder", "learned", "risk", "survival", "tornado", "treaties", "waterfall"]
