"""Lives of pacts in the yearly step, without crises: how many stand at each age, and how the others ended.

This is the life of a pact of `docs/decades.md`, section 5, followed forward exactly instead of being played.
Two simplifications keep it apart from crises. No dispute arises, so that nothing is broken and nothing
suspended: what wars do to pacts is left in the parameters. And what a pact is worth to its partners stands in
the log odds with which they wish to keep it, drawn once for each pact: *attachment*. Pacts differ, so that
those that are left are the firmer ones, and the hazard falls with age (Vaupel, Manton & Stallard 1979,
Demography 16: 439-454).

Which terms pacts have, and how long they were followed, is counted from the 210 bilateral defence pacts of
ATOP 4.01 (Leeds, Ritter, Mitchell & Long 2002), with their codes read as :mod:`entangle.atop` reads them.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from entangle_kernels.game import Floats

#: Ages at which pacts are followed to an end [years]. None was followed longer.
AGES: Final = 70
#: Years after the start, and the share of pacts that would still be in view then had none of them ended: the
#: data stop in 2016, and members cease to exist (Kaplan & Meier's curve of what was cut off).
_IN_VIEW: Final = (
    (0, 5, 10, 15, 20, 30, 40, 50, 60, 65, 70),
    (1.0, 0.964, 0.956, 0.882, 0.765, 0.591, 0.518, 0.475, 0.158, 0.053, 0.0),
)
#: Nodes of the quadrature over attachment.
_NODES: Final = 15


class Terms(NamedTuple):
    """Terms on which a pact can end.

    Parameters
    ----------
    term, review
        Years of the term, and between reviews; 0 for none.
    notice
        Years of notice; -1 if leaving is not provided for.
    """

    term: int
    review: int
    notice: int


#: How many of the 210 have which terms. Chances of renegotiation are left out: what is renegotiated is
#: another treaty in these data.
TERMS: Final[dict[Terms, int]] = {
    Terms(*terms): count
    for *terms, count in (
        (0, 0, -1, 76), (0, 0, 1, 22), (2, 2, -1, 2), (3, 1, -1, 1), (3, 3, -1, 1), (4, 0, -1, 1),
        (5, 0, 1, 1), (5, 1, -1, 1), (5, 3, -1, 1), (5, 5, -1, 13), (7, 1, -1, 2), (8, 8, -1, 1),
        (9, 9, -1, 1), (10, 0, -1, 2), (10, 5, -1, 4), (10, 10, -1, 12), (10, 10, 1, 1), (15, 5, -1, 1),
        (15, 10, -1, 1), (15, 15, -1, 1), (20, 0, -1, 1), (20, 1, -1, 1), (20, 5, -1, 39), (20, 10, -1, 6),
        (20, 20, -1, 5), (23, 0, -1, 1), (25, 5, -1, 1), (25, 10, -1, 6), (25, 25, -1, 2), (30, 5, -1, 1),
        (30, 30, -1, 1), (50, 50, -1, 1),
    )
}  # fmt: skip


class Keeping(NamedTuple):
    """What decides how long pacts live, each of shape (points,).

    Parameters
    ----------
    attachment
        Log odds with which a partner of the median pact wishes, in a year, to keep it.
    spread
        Standard deviation of attachment between pacts.
    clause
        Added to the attachment of pacts that provide for leaving: selection, since who wrote what is not
        random.
    abrogation
        Added to the log odds where leaving is not provided for: what stands in the way of breaking one's
        word. Infinite if nobody ever does.
    replaced
        Chance that the partners of a median pact replace it in a year, or declare it fulfilled, for which the
        yearly step has no counterpart. Whoever cares less for a pact does so sooner: the hazard falls by a
        factor of e with every log odds of attachment.
    """

    attachment: Floats
    spread: Floats
    clause: Floats
    abrogation: Floats
    replaced: Floats


class Lives(NamedTuple):
    """What becomes of pacts.

    Parameters
    ----------
    alive
        Share that stands at age 0, 1, 2, ..., shape (points, terms, ages + 1).
    early, late
        Share that ends in each year of age early, by notice or against its terms, and otherwise, shape
        (points, terms, ages).
    """

    alive: Floats
    early: Floats
    late: Floats


@lru_cache(maxsize=1)
def _quadrature() -> tuple[Floats, Floats]:
    """Return the nodes and weights of Gauss and Hermite over a standard normal."""
    normal, weight = np.polynomial.hermite_e.hermegauss(_NODES)
    return normal, weight / weight.sum()


def lives(keeping: Keeping, terms: tuple[Terms, ...] = tuple(TERMS), *, ages: int = AGES) -> Lives:
    """Return the lives of pacts with each of some terms, exactly.

    Parameters
    ----------
    keeping
        At every point.
    terms
        Of the pacts.
    ages
        How long to follow them [years].
    """
    normal, weight = _quadrature()
    term, review, notice = np.array(terms, np.int64).T
    provided = notice >= 0
    own = (np.asarray(part, np.float64)[:, np.newaxis, np.newaxis] for part in keeping)
    attachment, spread, clause, abrogation, replaced = own
    logit = attachment + spread * normal + clause * provided[:, np.newaxis]
    # either of two partners is enough to end it
    leave = 1.0 - _logistic(logit) ** 2
    broken = 1.0 - _logistic(logit + abrogation) ** 2
    replaced = 1.0 - (1.0 - replaced) ** np.exp(attachment - logit)
    free = np.ones(leave.shape)
    # pacts that notice leaves 1, 2, ... years
    waiting = np.zeros((max(int(notice.max()), 1), *leave.shape))
    stands, gone, past = (np.zeros((ages + 1, *leave.shape[:2])) for _ in range(3))
    stands[0] = 1.0
    wish = np.where(provided[:, np.newaxis], leave, broken)
    kinds = [
        (years, (np.maximum(notice, 0) == years)[:, np.newaxis]) for years in sorted({*notice.tolist(), 0})
    ]
    for age in range(1, ages + 1):
        early = waiting[0]
        waiting = np.concatenate([waiting[1:], np.zeros((1, *leave.shape))])
        dated = (_falls(age, term) | _falls(age, review))[:, np.newaxis]
        # at a term or a review whoever does not wish to stay lets it lapse, notice or not
        lapse = np.where(dated, leave, 0.0)
        late = (free + waiting.sum(axis=0)) * lapse
        free, waiting = free * (1.0 - lapse), waiting * (1.0 - lapse)
        # in other years notice is given where the pact provides for it, and it is broken where it does not
        given = np.where(dated, 0.0, free * wish)
        free = free - given
        for years, which in kinds:
            if years > 0:
                waiting[years - 1] += given * which
            else:
                early = early + given * which
        late = late + (free + waiting.sum(axis=0)) * replaced
        free, waiting = free * (1.0 - replaced), waiting * (1.0 - replaced)
        for place, what in ((stands, free + waiting.sum(axis=0)), (gone, early), (past, late)):
            place[age] = (what * weight).sum(axis=-1)
    alive, early, late = (np.ascontiguousarray(np.moveaxis(a, 0, -1)) for a in (stands, gone, past))
    return Lives(alive, early[..., 1:], late[..., 1:])


def _falls(age: int, period: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return whether a period, 0 for none, comes to an end at an age."""
    found: NDArray[np.bool_] = (period > 0) & (age % np.maximum(period, 1) == 0)
    return found


def _logistic(x: Floats) -> Floats:
    found: Floats = 1.0 / (1.0 + np.exp(-np.clip(x, -700.0, 700.0)))
    return found


# -- figures ---------------------------------------------------------------------------------------


def in_view(ages: int = AGES) -> Floats:
    """Return the share of pacts that the record still follows in the middle of each year of age."""
    found: Floats = np.interp(np.arange(ages) + 0.5, *_IN_VIEW)
    return found


def hazard(own: Lives, share: Floats, *, first: int = 0, last: int = AGES, early: bool = False) -> Floats:
    """Return ends in a year lived between two ages, shape (points,).

    Parameters
    ----------
    own
        Pacts by terms.
    share
        Of each terms, shape (terms,).
    first, last
        Ages [years].
    early
        Whether only early ends count; all years lived do.

    Raises
    ------
    ValueError
        If the ages are out of order, or beyond those that pacts were followed to.
    """
    ages = own.early.shape[-1]
    if not 0 <= first < last <= ages:
        raise ValueError(f"ages must be two of 0 to {ages}, the lower first, not {first} and {last}")
    part = slice(first, last)
    seen = in_view(ages)[part] * share[:, np.newaxis]
    ended = own.early if early else own.early + own.late
    lived = 0.5 * (own.alive[..., :-1] + own.alive[..., 1:])
    found: Floats = (ended[..., part] * seen).sum(axis=(-2, -1)) / (lived[..., part] * seen).sum(
        axis=(-2, -1)
    )
    return found


def share_early(own: Lives, share: Floats) -> Floats:
    """Return the share of observed ends that were early, shape (points,); not a number if none ended."""
    seen = in_view(own.early.shape[-1]) * share[:, np.newaxis]
    early, late = ((part * seen).sum(axis=(-2, -1)) for part in (own.early, own.late))
    with np.errstate(invalid="ignore"):
        found: Floats = early / (early + late)
    return found


def median(own: Lives, share: Floats) -> Floats:
    """Return the age at which half of the pacts have ended [years], shape (points,).

    Within a year pacts end evenly. What Kaplan & Meier estimate does not depend on how long pacts were
    followed, as long as half of them end in that time; if not, the hazard of the last ten years is taken to
    go on, so that the figure has a value everywhere.
    """
    alive = (own.alive * share[:, np.newaxis]).sum(axis=-2) / share.sum()
    gone = alive <= 0.5
    at = np.argmax(gone, axis=-1)
    before, after = (np.take_along_axis(alive, at[..., np.newaxis] - i, axis=-1)[..., 0] for i in (1, 0))
    with np.errstate(divide="ignore", invalid="ignore"):
        within = at - (0.5 - after) / (before - after)
        last = alive[..., -1]
        pace = np.log(alive[..., -11] / last) / 10.0
        beyond = alive.shape[-1] - 1 + np.log(last / 0.5) / pace
    found: Floats = np.where(gone.any(axis=-1), within, beyond)
    return found
