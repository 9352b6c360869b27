"""How every picture looks: colours, marks, and axes that a notebook shows by themselves."""

from __future__ import annotations

from typing import Any, Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure

#: Colours of Okabe and Ito (2008), told apart by every kind of colour vision; ordered so that neighbours
#: differ in lightness too. Marks and dashes tell the pacts apart without any colour.
COLOURS: Final = ("#000000", "#D55E00", "#0072B2", "#CC79A7", "#009E73", "#E69F00", "#56B4E9")
MARKS: Final = ("o", "s", "^", "D", "v", "P", "X")
DASHES: Final[tuple[Any, ...]] = (
    "-",
    (0, (5, 2)),
    (0, (1, 1.5)),
    (0, (6, 2, 1, 2)),
    (0, (3, 1, 1, 1, 1, 1)),
)
GREY: Final = "#555555"


class _Shown(Axes):
    """Axes that a notebook shows as a picture, without pyplot and its list of open figures."""

    name = "entangle_shown"

    def _repr_png_(self) -> bytes:
        from io import BytesIO

        stream = BytesIO()
        figure = self.get_figure(root=True)
        assert figure is not None
        figure.savefig(stream, format="png", dpi=120)
        return stream.getvalue()


def new_axes(width: float, height: float) -> Axes:
    """Return axes on a figure of their own, `width` by `height` [inches]."""
    figure = Figure(figsize=(width, height), layout="constrained", dpi=120)
    return figure.add_subplot(axes_class=_Shown)
