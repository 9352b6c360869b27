"""Lives of pacts: exact against played, figures against their known answers, and the fit."""

from __future__ import annotations

import math
from collections import Counter
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import xarray as xr
from scipy.integrate import quad
from scipy.stats import norm

from api.atop_files import ALLIANCES, HAVE_DATA, NO_DATA
from entangle.atop import Treaties
from entangle.errors import StudyError
from entangle.evidence import computed
from entangle.evidence.atop_records import life
from entangle.evidence.estimands import EARLY
from entangle.evidence.moments import shipped
from entangle.fit.lives import (
    PREDICTED_LIVES,
    PRIORS,
    WITH_ABROGATION,
    WITHOUT_ABROGATION,
    LivesLikelihood,
    fit_lives,
    given,
    keeping,
    predicted_lives,
    side,
    values,
)
from entangle.fit.pact_lives import AGES, TERMS, Lives, Terms, hazard, in_view, lives, median, share_early
from entangle.fit.smc import Settings
from small_studies import small

QUICK = Settings(particles=64, keep=0.5, correlation=0.7, most_rounds=8, chunk=64)
ONE = np.ones(1)


# -- the slow twin ---------------------------------------------------------------------------------


def slow(
    terms: Terms, stay: float, firm: float, replaced: float, ages: int
) -> list[tuple[float, float, float]]:
    """Return (alive, early, late) of each year for one pact, from `docs/decades.md`, section 5, by state.

    A state is the years of notice left, -1 if none was given. `stay` and `firm` are a partner's chances to
    wish to keep the pact where leaving is provided for, and where it is not.
    """
    both, neither = stay * stay, firm * firm
    states: dict[int, float] = {-1: 1.0}
    years = []
    for age in range(1, ages + 1):
        after: dict[int, float] = {}
        early = late = 0.0
        for left, chance in states.items():
            notice = left - 1 if left > 0 else left
            if notice == 0:
                early += chance
                continue
            dated = any(period > 0 and age % period == 0 for period in (terms.term, terms.review))
            ways: dict[Any, float]
            if dated:
                ways = {notice: both, "late": 1.0 - both}
            elif notice > 0:
                ways = {notice: 1.0}
            elif terms.notice > 0:
                ways = {-1: both, terms.notice: 1.0 - both}
            elif terms.notice == 0:
                ways = {-1: both, "early": 1.0 - both}
            else:
                ways = {-1: neither, "early": 1.0 - neither}
            for way, share in ways.items():
                if way == "early":
                    early += chance * share
                elif way == "late":
                    late += chance * share
                else:
                    late += chance * share * replaced
                    after[way] = after.get(way, 0.0) + chance * share * (1.0 - replaced)
        states = after
        years.append((sum(states.values()), early, late))
    return years


CASES = [
    Terms(0, 0, -1), Terms(0, 0, 0), Terms(0, 0, 1), Terms(0, 0, 3), Terms(5, 0, -1), Terms(7, 3, 2),
    Terms(4, 4, 1), Terms(0, 2, 3), Terms(20, 5, -1),
]  # fmt: skip


@pytest.mark.parametrize("abrogation", [math.inf, 0.8])
def test_forward_is_state_by_state(abrogation: float) -> None:
    """Would catch a year of notice too many, a lapse that notice escapes, a review in the year of a term."""
    attached, clause, replaced = 1.1, 0.4, 0.03
    own = lives(
        keeping({"attachment": attached, "abrogation": abrogation, "replaced": replaced, "clause": clause,
                 "attachment_spread": 0.0}),
        tuple(CASES),
        ages=25,
    )  # fmt: skip
    for i, terms in enumerate(CASES):
        firmer = clause if terms.notice >= 0 else 0.0
        chances = [1.0 / (1.0 + math.exp(-(attached + firmer + more))) for more in (0.0, abrogation)]
        yearly = 1.0 - (1.0 - replaced) ** math.exp(-firmer)
        expected = np.array(slow(terms, chances[0], chances[1], yearly, 25))
        found = np.stack([own.alive[0, i, 1:], own.early[0, i], own.late[0, i]], axis=-1)
        np.testing.assert_allclose(found, expected, atol=1e-12, err_msg=str(terms))


def test_the_step_as_it_stands_is_the_engines() -> None:
    """Played histories of the compiled core agree; a year of notice more, or less to break, would not."""
    attached, breaking, years, histories = 1.5, 0.7, 12, 20_000
    own = {
        "dated": ({"term_years": 7, "review_years": 3, "notice_months": 24}, Terms(7, 3, 2)),
        "leaving": ({"notice_months": 12}, Terms(0, 0, 1)),
        "dated_only": ({"term_years": 5, "review_years": 2}, Terms(5, 2, -1)),
        "bare": ({}, Terms(0, 0, -1)),
    }
    study = small(
        scenario={"challenger": "east", "protege": "west", "defender": "far",
                  "challenger_rate": 1e-6, "protege_rate": 1e-6},
        parameters={"precision": 3.0, "types": 2, "rounds": 3},
        peacetime={"years": years, "context_error": 0.9, "attachment": attached, "abrogation": breaking,
                   "review_precision": 0.0},
        pacts={name: {"commitment": "defence", **terms} for name, (terms, _) in own.items()},
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ENTANGLE_CACHE", "off")
        data = study.decades(histories=histories, seed=3).data
    at = keeping({"attachment": attached, "attachment_spread": 0.0, "abrogation": breaking})
    found = lives(at, tuple(terms for _, terms in own.values()), ages=years)
    less = keeping({"attachment": attached, "attachment_spread": 0.0, "abrogation": breaking - 0.2})
    other = [
        lives(at, (Terms(7, 3, 3), Terms(0, 0, 2)), ages=years).early[0, :, :],
        lives(less, tuple(terms for _, terms in own.values())[2:], ages=years).early[0, :, :],
    ]
    for i, name in enumerate(own):
        causes = data.ended_by_probability.sel(pact=name)
        for part, names in (
            (found.early, list(EARLY)),
            (found.late, ["lapse", "review"]),
        ):
            played = causes.sel(cause=names).sum("cause").values
            exact = part[0, i].cumsum()
            error = np.sqrt(exact * (1.0 - exact) / histories)
            assert (np.abs(played - exact) <= 5.0 * error + 1e-9).all(), name
            if part is found.early:
                wrong = np.concatenate(other)[i].cumsum()
                assert (np.abs(played - wrong) > 5.0 * error).any()


def test_pacts_end_or_stand() -> None:
    """Would catch a way out that is counted twice or not at all."""
    own = lives(keeping(values(np.random.default_rng(1).standard_normal((5, len(PRIORS))))))
    np.testing.assert_allclose(own.alive[..., :-1] - own.alive[..., 1:], own.early + own.late, atol=1e-12)
    assert (own.early >= 0.0).all()
    assert (own.late >= 0.0).all()


# -- attachment ------------------------------------------------------------------------------------


def test_attachment_is_integrated_over() -> None:
    """Against quadrature of another kind; would catch a spread that is a variance."""
    attached, spread = 2.0, 1.2
    own = lives(keeping({"attachment": attached, "attachment_spread": spread}), (Terms(0, 0, 0),), ages=30)

    def stands(normal: float, age: int) -> float:
        return float(norm.pdf(normal)) * (1.0 + math.exp(-(attached + spread * normal))) ** (-2 * age)

    for age in (1, 5, 20):
        exact = quad(stands, -9.0, 9.0, (age,))[0]
        assert own.alive[0, 0, age] == pytest.approx(exact, abs=3e-4)
        assert abs(own.alive[0, 0, age] - exact) < 0.02 * abs(
            exact - (1.0 + math.exp(-attached)) ** (-2 * age)
        )


def test_hazards_fall_with_age_only_where_pacts_differ() -> None:
    for spread in (0.0, 1.0):
        own = lives(keeping({"attachment": 3.0, "attachment_spread": spread}), (Terms(0, 0, 0),))
        rates = [
            float(hazard(own, ONE, first=a, last=b)[0]) for a, b in ((0, 5), (5, 10), (10, 20), (20, 40))
        ]
        if spread:
            assert all(later < earlier for earlier, later in pairwise(rates))
        else:
            assert rates == pytest.approx([rates[0]] * 4)


def test_nobody_leaves_what_cannot_be_left() -> None:
    """As the step stands, a pact without term, review and notice never ends: most of those in ATOP did."""
    own = lives(keeping({"attachment": 1.0}), (Terms(0, 0, -1),))
    assert (own.alive == 1.0).all()
    assert np.isinf(median(own, ONE)).all()
    assert np.isnan(share_early(own, ONE)).all()


# -- figures ---------------------------------------------------------------------------------------


def constant(yearly: float) -> Lives:
    """Return lives that end with the same chance in every year, a quarter of them early."""
    alive = np.power(1.0 - yearly, np.arange(AGES + 1, dtype=np.float64))[np.newaxis, np.newaxis]
    ended = alive[..., :-1] - alive[..., 1:]
    return Lives(alive, 0.25 * ended, 0.75 * ended)


def test_a_constant_hazard_gives_its_known_figures() -> None:
    own = constant(0.06)
    rate = 0.06 / (1.0 - 0.03)
    assert hazard(own, ONE)[0] == pytest.approx(rate)
    assert hazard(own, ONE, first=10, last=20)[0] == pytest.approx(rate)
    assert hazard(own, ONE, early=True)[0] == pytest.approx(0.25 * rate)
    assert share_early(own, ONE)[0] == pytest.approx(0.25)
    # half of the pacts have ended after log 2 over the hazard of a moment
    assert median(own, ONE)[0] == pytest.approx(math.log(2.0) / -math.log(0.94), abs=0.02)
    assert hazard(own, ONE)[0] != pytest.approx(0.06, rel=0.02)  # ends over pacts at the year's start


def test_a_median_beyond_the_last_age_goes_on_at_the_last_pace() -> None:
    assert median(constant(0.004), ONE)[0] == pytest.approx(math.log(2.0) / -math.log(0.996))


def test_figures_of_a_mixture_are_sums_over_sums() -> None:
    """Would catch an average of the hazards of kinds of pacts."""
    first, second = constant(0.02), constant(0.2)
    both = Lives(*(np.concatenate(pair, axis=1) for pair in zip(first, second, strict=True)))
    share = np.array([1.0, 3.0])
    found = float(hazard(both, share, first=0, last=20)[0])
    ended = (np.array([p.early + p.late for p in (first, second)])[:, 0, 0, :20] * in_view()[:20]).sum(axis=1)
    lived = ended / np.array([0.02 / 0.99, 0.2 / 0.9])
    assert found == pytest.approx((share * ended).sum() / (share * lived).sum())
    assert found < (share * ended / lived).sum() / share.sum() - 0.02


def test_figures_are_those_of_the_record() -> None:
    """Pacts that are played and cut off as the record's are, and counted as it counts them, agree.

    Would catch a figure that forgets that old pacts are out of view: the share of early ends and the hazard
    over all ages hang on it.
    """
    rng = np.random.default_rng(20_261_123)
    at = keeping({"attachment": 3.6, "attachment_spread": 1.0, "abrogation": 0.7, "replaced": 0.03})
    own, count = lives(at), np.array(list(TERMS.values()), float)
    number = 60_000
    kind = rng.choice(len(TERMS), number, p=count / count.sum())
    steps = np.concatenate([own.early[0], own.late[0], own.alive[0, :, -1:]], axis=1).cumsum(axis=1)
    place = (rng.random(number)[:, np.newaxis] > steps[kind]).sum(axis=1)
    early = place < AGES
    ends = np.where(place < 2 * AGES, place % AGES + rng.random(number), np.inf)
    # a pact is cut off in a year with the chance that its middle is out of view, and was not before
    view = np.append(in_view(), 0.0)
    cut = (rng.random(number)[:, np.newaxis] < view).sum(axis=1).astype(float)
    seen = ends < cut
    years = np.minimum(ends, cut)
    shown = computed.share(early[seen].tolist())
    assert float(share_early(own, count)[0]) == pytest.approx(
        shown.value, abs=4.0 * (shown.upper - shown.value) / 1.96
    )
    assert float(hazard(own, count)[0]) == pytest.approx(seen.sum() / years.sum(), rel=0.02)
    assert float(median(own, count)[0]) == pytest.approx(
        computed._median(np.array([years, seen]).T),
        rel=0.02,
    )
    stood = 0.5 * (own.alive[0, :, :-1] + own.alive[0, :, 1:])
    ended, lived = (
        float((part * count[:, np.newaxis]).sum()) for part in (own.early[0] + own.late[0], stood)
    )
    assert abs(ended / lived / (seen.sum() / years.sum()) - 1.0) > 0.03


def test_bad_ages_are_refused() -> None:
    with pytest.raises(ValueError, match="the lower first, not 5 and 5"):
        hazard(constant(0.1), ONE, first=5, last=5)
    with pytest.raises(ValueError, match=f"two of 0 to {AGES}"):
        hazard(constant(0.1), ONE, first=5, last=AGES + 1)


# -- the record ------------------------------------------------------------------------------------


def test_every_target_of_pacts_lives_is_predicted_and_has_the_same_denominator() -> None:
    """By the estimand's own ages: a figure of other ages under a code would be caught."""
    own = [target.code for target in shipped().targets() if target.code.startswith("H.")]
    assert own
    assert set(own) <= set(PREDICTED_LIVES)
    assert {code for code in (m.code for m in shipped().moments.values()) if code.startswith("H.")} == set(
        PREDICTED_LIVES
    )
    found = lives(keeping(values(np.zeros((1, len(PRIORS))))))
    count = np.array(list(TERMS.values()), float)
    for code in own:
        estimand = shipped().by_code(code).estimand
        assert estimand is not None
        figure = side(code)
        assert figure is not None
        if estimand.ages is not None:
            first, last = estimand.ages
            assert figure(found)[0] == hazard(found, count, first=first, last=last)[0]


def test_a_hazard_at_any_ages_follows_from_its_code() -> None:
    found = lives(keeping(values(np.zeros((1, len(PRIORS))))))
    other = side("H.age.5-10")
    assert other is not None
    assert other(found)[0] == hazard(found, np.array(list(TERMS.values()), float), first=5, last=10)[0]
    assert side("H.age.10-5") is None
    assert side(f"H.age.10-{AGES + 1}") is None
    assert side("C.esc5.cov1.all") is None


def test_long_terms_alone_answer_for_them() -> None:
    """Early ends need a way out: without abrogation, none among terms of 10 to 20 years but by notice."""
    found = predicted_lives(np.zeros((1, len(WITHOUT_ABROGATION))), WITHOUT_ABROGATION)[0]
    by_code = dict(zip(PREDICTED_LIVES, found, strict=True))
    assert by_code["H.len.10to20y.abr"] == 0.0
    assert by_code["H.len.unlimited.abr"] > 2.0 * by_code["H.len.unspecified.abr"] > 0.0


@pytest.mark.skipif(not HAVE_DATA, reason=NO_DATA)
def test_terms_and_years_in_view_are_those_of_the_treaties() -> None:
    pacts = [t for t in Treaties.read(ALLIANCES).defence_pacts() if t.codes["bilat"] == 1]
    own: Counter[Terms] = Counter()
    for treaty in pacts:
        pact = treaty.to_pact()
        years = [math.ceil(period or 0.0) for period in (pact.term_years, pact.review_years)]
        own[
            Terms(
                years[0], years[1], -1 if pact.notice_months is None else math.ceil(pact.notice_months / 12)
            )
        ] += 1
    assert own == TERMS
    followed = [life(treaty) for treaty in pacts]
    for age in (5, 20, 40, 60):
        left = 1.0
        for one in sorted(followed, key=lambda one: one.years):
            if one.years <= age and not one.ended:
                left *= 1.0 - 1.0 / sum(other.years >= one.years for other in followed)
        # ties make some thousandths; in the middle of a year the curve has moved on
        assert np.interp(age, np.arange(AGES) + 0.5, in_view()) == pytest.approx(left, abs=0.02)


# -- the fit ---------------------------------------------------------------------------------------


def drawn(fit: xr.DataTree, group: str, name: str) -> xr.DataArray:
    return fit[group].to_dataset()[name]


def test_what_is_not_a_parameter_is_refused() -> None:
    with pytest.raises(ValueError, match="no parameters of pacts' lives: inertia"):
        keeping({"inertia": 0.5})
    with pytest.raises(ValueError, match=r"does not predict C\.esc5"):
        LivesLikelihood({t.code: t for t in shipped().targets() if t.code == "C.esc5.cov1.all"})


def test_left_out_parameters_leave_out_what_they_do() -> None:
    """The larger model holds the smaller one: a far abrogation is none."""
    point = np.array([[0.3, -0.2, 0.5, 0.1]])
    less = predicted_lives(point, WITHOUT_ABROGATION)
    far = lives(keeping(values(point, WITHOUT_ABROGATION) | {"abrogation": 60.0}))
    np.testing.assert_allclose(np.array([f(far)[0] for f in PREDICTED_LIVES.values()]), less[0], atol=1e-12)


def test_the_likelihood_is_highest_where_predictions_are_the_figures() -> None:
    likelihood = LivesLikelihood({t.code: t for t in shipped().targets() if t.code in PREDICTED_LIVES})
    exact = np.full(len(PREDICTED_LIVES), 0.5)
    figures = {t.code: t for t in shipped().targets()}
    for place, code in zip(likelihood.places, likelihood.codes, strict=True):
        exact[place] = figures[code].value
    best = likelihood.of_predictions(exact, 0.1)
    for place in likelihood.places:
        moved = exact.copy()
        moved[place] *= 1.2
        assert likelihood.of_predictions(moved, 0.1) < best
    lost = exact.copy()
    lost[likelihood.places[0]] = np.nan
    assert likelihood.of_predictions(lost, 0.1) == -np.inf


def test_a_fit_says_what_was_fitted_and_comes_again_from_its_seed() -> None:
    one, other = (fit_lives(settings=QUICK, seed=7) for _ in range(2))
    assert {"posterior", "prior", "posterior_predictive", "prior_predictive", "observed_data"} <= set(
        one.children
    )
    for name in (*WITH_ABROGATION, "discrepancy"):
        np.testing.assert_array_equal(drawn(one, "posterior", name), drawn(other, "posterior", name))
    observed = one["observed_data"].to_dataset()
    fitted = {str(code) for code in observed.figure.values[observed.fitted.values]}
    assert fitted == {t.code for t in shipped().targets() if t.code.startswith("H.")}
    # the record moves what it was fitted to towards itself
    for code in fitted:
        value = float(observed.prediction.sel(figure=code))
        off = [
            np.median(np.abs(np.log(drawn(one, group, "prediction").sel(figure=code).values / value)))
            for group in ("prior_predictive", "posterior_predictive")
        ]
        assert off[1] < off[0], code
    # what a report is given are the predictions that the fit keeps
    codes = ["H.age.0-5", "H.age.5-10", "C.esc5.cov1.all"]
    columns = given(one, codes, 5)
    assert sorted(columns) == ["H.age.0-5", "H.age.5-10"]
    kept = drawn(one, "posterior_predictive", "prediction").sel(figure="H.age.0-5").values[0, :5]
    np.testing.assert_allclose(columns["H.age.0-5"], kept, rtol=1e-12)
    with pytest.raises(StudyError, match="from 1 to 64"):
        given(one, codes, 65)


def test_a_fit_finds_what_made_its_figures() -> None:
    """Figures made at a point, with narrow intervals, lead back to predictions like them."""
    truth = np.array([[-1.2, 0.5, 0.0, 0.8, -0.5]])
    made = dict(zip(PREDICTED_LIVES, predicted_lives(truth)[0], strict=True))
    moments = shipped()
    own = {
        name: moment.replace(
            value=float(made[moment.code]), lower=float(made[moment.code] * 0.95),
            upper=float(made[moment.code] * 1.05), events=None,
        )
        for name, moment in moments.moments.items()
        if moment.code in PREDICTED_LIVES and moment.estimand is not None
    }  # fmt: skip
    fit = fit_lives(moments.replace(moments=own, combined={}), settings=QUICK, seed=5)
    known = {moment.code: moment.value for moment in own.values()}
    off = {}
    for group in ("prior_predictive", "posterior_predictive"):
        middle = drawn(fit, group, "prediction").median(("chain", "draw"))
        off[group] = max(abs(math.log(float(middle.sel(figure=code)) / v)) for code, v in known.items())
    assert off["posterior_predictive"] < 0.2
    assert off["prior_predictive"] > 0.4


def test_a_report_counts_the_figures_of_lives_as_fitted() -> None:
    """Those that were, and no others."""
    from entangle.evidence.report import compare

    fit = fit_lives(settings=QUICK, seed=7)
    codes = [moment.code for moment in shipped().moments.values()]
    report = compare(draws=2, members=4, patterns=(), given=given(fit, codes, 2), given_by=fit)
    of_lives = {row.figure.code: row.fitted for row in report.rows if row.figure.code.startswith("H.")}
    observed = fit["observed_data"].to_dataset()
    for code, fitted in of_lives.items():
        assert fitted == bool(observed.fitted.sel(figure=code))
