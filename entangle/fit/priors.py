"""What is believed about every parameter before the record is looked at, and why.

Each is a monotone transform of a standard normal: of its logarithm where it is positive, of its log odds
where it is a share. Spreads are wide on purpose: a factor of two either way is one standard deviation for
most sizes. Nothing here is fitted; every median and spread is an **assumption**, and `why` says what it
rests on.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

import numpy as np

from entangle_kernels.game import Floats


class Prior(NamedTuple):
    """A parameter's prior.

    Parameters
    ----------
    name
        The parameter.
    scale
        "log": its logarithm is normal; "logit": its log odds are; "plain": it is itself.
    median, spread
        Its median, and the standard deviation on that scale.
    why
        What median and spread rest on.
    """

    name: str
    scale: Literal["log", "logit", "plain"]
    median: float
    spread: float
    why: str

    def value(self, normal: Floats) -> Floats:
        """Return the parameter at standard normal numbers."""
        moved: Floats = self.spread * np.asarray(normal, np.float64)
        if self.scale == "log":
            moved = self.median * np.exp(moved)
        elif self.scale == "logit":
            middle = np.log(self.median) - np.log1p(-self.median)
            moved = 1.0 / (1.0 + np.exp(-(middle + moved)))
        else:
            moved = self.median + moved
        return moved


#: The fitted parameters: first those of the crisis game, then those of the population.
PRIORS: Final = (
    Prior("precision", "log", 4.0, 0.4, "above about 5 these payoffs have several equilibria"),
    Prior("decisiveness", "log", 1.0, 0.3, "contest functions in the literature have exponents around 1"),
    Prior("joint_share", "logit", 0.35, 0.7, "forces that never trained together fight well below strength"),
    Prior("support_share", "logit", 0.25, 0.7, "arms and supplies bring a part of what troops would"),
    Prior("standing_costs", "log", 1.0, 0.7, "factor on the cost of a round of threats and shows of force"),
    Prior("force_costs", "log", 1.0, 0.7,
          "factor on that of limited force: most uses of force cost few lives"),
    Prior("war_costs", "log", 2.0, 1.0,
          "factor on that of war and worse: hardly known, and most wars cost more than was at stake"),
    Prior(
        "begun_rounds", "logit", 0.5, 1.5,
        "how much of a step up is paid for if the other side yields at once is not known",
    ),
    Prior("support_costs", "log", 1.0, 0.7, "factor on the defender's costs of support short of fighting"),
    Prior("cooling", "log", 1.0, 0.4, "factor on the hazard; half of all crises last no more than 76 days"),
    Prior("decision", "log", 1.0, 0.4, "factor on the hazard; wars between states end in months to years"),
    Prior("accident", "log", 1.0, 0.7, "factor on the hazard; accidental steps are rare and hardly counted"),
    Prior("compromise", "logit", 0.25, 0.7, "a crisis that cools leaves the challenger part of its claim"),
    Prior("revision", "logit", 0.35, 0.7, "a provoker has less to gain than a challenger"),
    Prior("opening", "log", 0.3, 0.7,
          "most occasions pass without a threat, so that opening costs something"),
    Prior("audience", "log", 0.2, 0.7, "experiments find audience costs, not their size in stakes"),
    Prior("breach", "log", 2.5, 0.6,
          "kept promises in war suggest that breaking one costs more than the stake"),
    Prior("breach_per_round", "logit", 0.4, 0.7,
          "how much is paid while the partner is left waiting is not known"),
    Prior("alignment", "logit", 0.2, 0.7, "a third state's stake in another's war is a fraction of its own"),
    Prior("log_sd", "log", 0.5, 0.35, "resolve must differ enough for bluffs to be worth calling"),
    Prior(
        "recorded", "logit", 0.5, 1.0,
        "share of crises short of force that the record of disputes knows: threats leave fewer traces",
    ),
    Prior(
        "shown", "logit", 0.35, 1.0,
        "most military support is arms, supplies and advice; how much is forces shown is not counted",
    ),
    Prior("rate", "log", 0.03, 0.6,
          "occasions a year of a directed dyad that matters; MIDs begin in 1 to 2 %"),
    Prior("protege_rate", "logit", 0.4, 0.6, "protégés are challenged more often than they challenge"),
    Prior("rate_spread", "log", 1.0, 0.35, "a few rivalries make most disputes"),
    Prior("selection_by_rate", "plain", 0.0, 1.0, "who gets a pact is not random; the sign is not assumed"),
    Prior("selection_by_stake", "plain", 0.5, 1.0, "states promise to fight for what they care for"),
)  # fmt: skip
NAMES: Final = tuple(prior.name for prior in PRIORS)


def values(normals: Floats) -> dict[str, float]:
    """Return every parameter's value at a point of standard normals, shape (d,)."""
    return {prior.name: float(prior.value(normals[i])) for i, prior in enumerate(PRIORS)}
