"""Population, predictions and likelihood of the fit: against hand counts, plain loops and closed forms."""

from __future__ import annotations

import math
from statistics import correlation, mean, stdev
from typing import Any

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm, t

from entangle.evidence.estimands import Estimand
from entangle.evidence.moments import Target, shipped
from entangle.fit import likelihood as engine
from entangle.fit import population as people
from entangle.fit.likelihood import DISCREPANCY, FITTED, Likelihood
from entangle.fit.predict import PREDICTED, SHAPE, Population, predicted, solved, tables
from entangle.fit.priors import NAMES, PRIORS, values
from entangle_kernels import ladder

ORIGIN = np.zeros(len(PRIORS))
SMALL = 8
NODES = len(people.rivalry().weight)


# -- priors ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prior", FITTED, ids=lambda prior: prior.name)
def test_a_prior_is_a_transform_of_a_standard_normal(prior: Any) -> None:
    assert float(prior.value(0.0)) == pytest.approx(prior.median)
    low, high = float(prior.value(-1.0)), float(prior.value(1.0))
    assert low < prior.median < high
    if prior.scale == "log":
        assert math.log(high / prior.median) == pytest.approx(prior.spread)
    elif prior.scale == "logit":
        odds = [x / (1 - x) for x in (prior.median, high)]
        assert math.log(odds[1] / odds[0]) == pytest.approx(prior.spread)
        assert 0 < float(prior.value(-9.0)) < float(prior.value(9.0)) < 1
    else:
        assert high - prior.median == pytest.approx(prior.spread)
    assert len(prior.why) > 20


def test_every_parameter_moves_something_that_is_solved_or_weighed() -> None:
    """A parameter that moved nothing could not be fitted."""
    base = values(ORIGIN)
    member = people.population(SMALL)[3]
    for i, name in enumerate(NAMES):
        moved = ORIGIN.copy()
        moved[i] = 1.0
        other = values(moved)
        assert {key for key in base if base[key] != other[key]} == {name}
        crisis = people.setting(member, base) != people.setting(member, other)
        members = people.population(SMALL)
        weights = (people.rates(base) != people.rates(other)).any() or (
            people.covered(members, base) != people.covered(members, other)
        ).any()
        assert crisis or weights or name in ("protege_rate", "recorded", "shown")


# -- the population ----------------------------------------------------------------------------------


def test_the_population_is_spread_as_the_record_is() -> None:
    members = people.population(1024)
    local, backing = ([getattr(m, name) for m in members] for name in ("local", "backing"))
    assert (mean(local), stdev(local)) == pytest.approx(people.LOCAL, abs=0.02)
    assert (mean(backing), stdev(backing)) == pytest.approx(people.BACKING, abs=0.02)
    assert correlation(local, backing) == pytest.approx(people.CORRELATION, abs=0.02)
    for seat in range(3):
        regimes = [m.regimes[seat] for m in members]
        assert (mean(regimes), stdev(regimes)) == pytest.approx(people.REGIMES[seat], abs=0.01)
        assert mean(m.nuclear[seat] for m in members) == pytest.approx(people.NUCLEAR[seat], abs=0.01)


def test_a_smaller_population_is_the_beginning_of_a_larger() -> None:
    assert people.population(16) == people.population(32)[:16]


@pytest.mark.parametrize("slopes", [(0.0, 0.0), (2.0, 0.0), (-1.0, 1.5)])
def test_as_many_have_a_pact_as_on_the_record(slopes: tuple[float, float]) -> None:
    members = people.population(64)
    given = {"selection_by_rate": slopes[0], "selection_by_stake": slopes[1]}
    share, nodes = people.covered(members, given), people.rivalry()
    assert (share @ nodes.weight).mean() == pytest.approx(people.COVERED, abs=1e-9)
    if slopes[0]:
        for own in share.tolist():
            assert math.copysign(1.0, correlation(nodes.normal.tolist(), own)) == math.copysign(
                1.0, slopes[0]
            )


def test_rivalry_has_the_moments_of_its_law() -> None:
    """Rates are lognormal: their mean is known."""
    nodes = people.rivalry()
    assert nodes.weight.sum() == pytest.approx(1.0)
    for spread in (0.5, 1.0, 1.5):
        rates = people.rates({"rate": 0.03, "rate_spread": spread})
        assert rates @ nodes.weight == pytest.approx(0.03 * math.exp(spread**2 / 2.0), rel=1e-3)


def test_hazards_never_exceed_one() -> None:
    wild = values(ORIGIN) | {"cooling": 30.0, "decision": 30.0, "accident": 30.0}
    made = people.parameters(wild)
    total = np.sum([made.cooling, made.decision, made.accident], axis=0)
    assert (total <= 0.95 + 1e-12).all()


# -- predictions -------------------------------------------------------------------------------------


def made_up(seed: int = 1, members: int = 3) -> Population:
    """Return a population that nothing was solved for."""
    draw = np.random.default_rng(seed)
    ends = draw.random((members, 2, *SHAPE)) ** 4
    ends[:, :, :, 0] = 0.0
    ends[:, :, :, 0, 0, 0] = 100.0  # most occasions are let be
    ends[:, :, :, 1:, 0] = 0.0  # a crisis is at least a threat
    ends /= ends.sum(axis=(3, 4, 5), keepdims=True)
    rate = draw.random(NODES)
    return Population(ends, rate, 0.4 * rate, draw.random((members, NODES)), 0.3, 0.4)


def counted(p: Population, holds: Any, happens: Any, *, status: int | None = None) -> float:
    """Return the share of events among disputes in which a condition holds, cell by cell."""
    held = happened = 0.0
    for n, i, s, origin, end, rung, support in np.ndindex(NODES, *p.ends.shape):
        if status is not None and s != status:
            continue
        has = float(p.share[i, n]) if s else 1.0 - float(p.share[i, n])
        rate = float(p.rate[n] if origin == 0 else p.protege_rate[n])
        weight = has * rate * float(p.ends[i, s, origin, end, rung, support])
        weight *= float(people.rivalry().weight[n])
        weight *= p.recorded if rung < 3 else 1.0
        if end != 0 and holds(origin, rung):
            held += weight
            happened += weight * float(happens(end, rung, support))
    return happened / held


@pytest.mark.parametrize("seed", [1, 2])
def test_shares_have_the_denominators_of_the_record(seed: int) -> None:
    p = made_up(seed)
    draw_ends = ladder.COMPROMISE, ladder.STALEMATE

    def joins(end: int, rung: int, support: int) -> float:
        return (0.0, 0.0, p.shown, 1.0)[support]

    expected = {
        "C.esc4.cov0.post45": counted(p, lambda o, r: o == 0, lambda e, r, c: r >= 3, status=0),
        "C.esc5.cov1.all": counted(p, lambda o, r: o == 0, lambda e, r, c: r >= 4, status=1),
        "D.supp.ally.h4.post45": counted(p, lambda o, r: o == 0 and r >= 3, joins, status=1),
        "D.entang.ally.h5.all": counted(p, lambda o, r: o == 1 and r >= 4, lambda e, r, c: c == 3, status=1),
        "D.jB.p1/p0.h4.post45": counted(p, lambda o, r: o == 0 and r >= 3, joins, status=1)
        / counted(p, lambda o, r: o == 0 and r >= 3, joins, status=0),
        "F.undecided.post45": counted(p, lambda o, r: True, lambda e, r, c: e in draw_ends),
        "F.pat.gp.mild.p1/p0": counted(p, lambda o, r: True, joins, status=1)
        / counted(p, lambda o, r: True, joins, status=0),
    }
    for code, value in expected.items():
        assert PREDICTED[code](p) == pytest.approx(value, rel=1e-12), code


def test_rates_are_years_with_a_crisis() -> None:
    p = made_up()
    mild = p.ends[:, 1, 0, 1:, :3].sum(axis=(1, 2, 3))
    opens = 1.0 - p.ends[:, 1, 0, 0, 0, 0] - (1.0 - p.recorded) * mild
    years = 1.0 - np.exp(-p.rate * opens[:, np.newaxis])
    weights = p.share * people.rivalry().weight
    assert PREDICTED["B.init.odef1.post45"](p) == pytest.approx(float(np.average(years, weights=weights)))


def test_an_odds_ratio_is_that_of_like_members() -> None:
    """If a pact does the same to every member's odds, that is the ratio, however members differ."""
    p = made_up(members=3)._replace(rate=np.full(NODES, 0.7))
    chance = np.array([0.01, 0.2, 0.5])
    for status, odds in ((0, chance / (1 - chance)), (1, 1.7 * chance / (1 - chance))):
        year = odds / (1.0 + odds)
        opens = -np.log1p(-year) / 0.7
        p.ends[:, status, 0] = 0.0
        p.ends[:, status, 0, 0, 0, 0] = 1.0 - opens
        p.ends[:, status, 0, 1, 5, 0] = opens
    for code in ("B.init.OR.post45", "B.init4.OR.post45", "B.init5.OR.all"):
        assert PREDICTED[code](p) == pytest.approx(1.7, rel=1e-9)


def test_a_share_of_nothing_is_not_a_number() -> None:
    p = made_up()
    p.ends[:, 0, :, :, :, 2:] = 0.0  # without a pact nobody ever helps
    assert math.isnan(PREDICTED["F.pat.gp.mild.p1/p0"](p))
    p.ends[:, 1, :, 1:] = 0.0
    assert math.isnan(PREDICTED["C.esc4.cov1.post45"](p))


def test_workers_move_no_bit() -> None:
    one, two = (tables(ORIGIN, members=SMALL, workers=workers) for workers in (1, 2))
    assert np.array_equal(one, two)
    assert np.allclose(one.sum(axis=(3, 4, 5)), 1.0)


def test_predictions_at_the_prior_medians_are_possible() -> None:
    found = dict(zip(PREDICTED, predicted(ORIGIN, members=SMALL), strict=True))
    assert all(value > 0 for value in found.values())
    shares = [code for code in PREDICTED if code.startswith(("C.", "D.")) and "/" not in code]
    assert all(found[code] < 1 for code in shares)
    # whoever goes to war has used force
    assert found["C.esc5.cov0.all"] < found["C.esc4.cov0.post45"]


def test_what_cannot_be_solved_is_not_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    from entangle_kernels import equilibrium

    def lost(*_: Any, **__: Any) -> Any:
        raise equilibrium.ConvergenceError(0.5, 9, 3.0)

    monkeypatch.setattr(equilibrium, "solve", lost)
    assert np.isnan(predicted(ORIGIN, members=SMALL)).all()


def test_more_promise_brings_more_help() -> None:
    point = ORIGIN.copy()
    point[NAMES.index("breach")] = 2.0
    more, base = solved(point, members=SMALL), solved(ORIGIN, members=SMALL)
    code = "D.supp.ally.h5.all"
    assert PREDICTED[code](more) > PREDICTED[code](base)


# -- the likelihood ----------------------------------------------------------------------------------


def target(value: float, lower: float, upper: float, *, kind: Any) -> Target:
    return Target(
        "made up",
        "X",
        value,
        lower,
        upper,
        kind,
        Estimand(figure="share", event="war", opened_by="challenger", reached="threat", pact="with"),
    )


FIGURES = {
    "C.esc4.cov0.post45": target(0.7, 0.65, 0.75, kind="share"),
    "B.init.OR.post45": target(1.1, 0.9, 1.3, kind="odds_ratio"),
    "D.supp.ally.h5.all": target(0.004, 0.0, 0.006, kind="share"),
}


def test_the_likelihood_is_that_of_a_normal_error_and_a_discrepancy_by_students_law() -> None:
    found, size = Likelihood(FIGURES), 0.3
    predictions = np.linspace(0.2, 0.5, len(PREDICTED))
    total = 0.0
    for code, figure in FIGURES.items():
        value = predictions[list(PREDICTED).index(code)]
        scale = (lambda x: math.log(x / (1 - x))) if figure.is_share else math.log
        low = figure.value - figure.lower if figure.lower > 0 else 0.0
        halves = [scale(figure.upper) - scale(figure.value)]
        if low and figure.lower > 0:
            halves.append(scale(figure.value) - scale(figure.lower))
        variance = (max(halves) / 1.959963984540054) ** 2
        off = scale(value) - scale(figure.value)
        error, half = math.sqrt(variance), 60.0 * size
        both, _ = quad(
            lambda u, x=off, e=error: float(t.pdf(u / size, 4) / size * norm.pdf(x - u, scale=e)),
            -half, half, points=(off,), limit=500,
        )  # fmt: skip
        total += math.log(both)
    assert float(found.of_predictions(predictions, size)) == pytest.approx(total, rel=1e-5)


def test_of_the_shipped_figures_those_of_crises_are_fitted() -> None:
    found = Likelihood.of(shipped())
    assert set(found.codes) == set(PREDICTED)
    assert (found.errors > 0).all()


def test_what_was_not_solved_has_no_likelihood() -> None:
    found = Likelihood(FIGURES)
    assert float(found.of_predictions(np.full(len(PREDICTED), np.nan), 0.3)) == -math.inf


def test_points_are_taken_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        engine, "predicted", lambda point, **_: np.full(len(PREDICTED), 0.1 + 0.01 * point[0])
    )
    found = Likelihood(FIGURES)
    points = np.zeros((3, len(FITTED)))
    points[:, 0] = 1.0, 2.0, 3.0
    points[:, -1] = 0.0, 1.0, -1.0
    each = [
        float(found.of_predictions(np.full(len(PREDICTED), 0.1 + 0.01 * p[0]), DISCREPANCY.value(p[-1])))
        for p in points
    ]
    assert found(points).tolist() == each


@pytest.mark.parametrize(
    ("figures", "message"),
    [
        ({"X.unknown": FIGURES["B.init.OR.post45"]}, "does not predict X.unknown"),
        ({"B.init.OR.post45": target(2.0, 0.9, 1.3, kind="odds_ratio")}, "outside its interval"),
    ],
)
def test_figures_that_make_no_sense_are_refused(figures: dict[str, Target], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Likelihood(figures)
