"""What a pact caused and averted: every count against worlds that are simulated wholly on their own.

On every shipped study, and on small ones against the exact law of both worlds together. The other worlds
share every random word with the pact, so that most claims here hold to the last count and have no tolerance;
where chance has a part, the test says how often a true engine would fail.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from numpy.typing import NDArray

from entangle import attribution, engine, tabulate
from entangle.attribution import COUNTERFACTUALS, Attribution, Marginals
from entangle.blocks import BLOCK, Plan, play
from entangle.engine import Tally
from entangle.errors import DisagreementWarning, ResultError
from entangle.estimators import Joint, clopper_pearson, paired
from entangle.outcomes import OUTCOMES
from entangle.pact import Pact
from entangle.result import Result
from entangle.solving import Prepared
from entangle.study import Study
from entangle_kernels import crisis, exact, ladder, worlds
from entangle_kernels.coupled import joint
from entangle_kernels.crisis import Rivals
from entangle_kernels.quantise import Tables
from entangle_kernels.replay import replay
from small_studies import eventful, small
from statistical.counts import is_compatible

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = sorted((ROOT / "configs").glob("*.toml"))
#: Studies in which a pact is empty, and one in which none is: there, no pact is a world of its own.
WITH_EMPTY = ["small", *(path.stem for path in CONFIGS)]
NAMES = ["none empty", *WITH_EMPTY]

SEED = 20_260_101
#: Not a multiple of a block: the last one is shorter.
TRAJECTORIES = 3 * BLOCK + 3392
OUTCOME_NAMES = [outcome.name for outcome in OUTCOMES]

in_every_study = pytest.mark.parametrize("name", NAMES)
in_every_study_with_an_empty_pact = pytest.mark.parametrize("name", WITH_EMPTY)


@dataclass
class Simulated:
    """A study that was run, and what it was run from."""

    study: Study
    pacts: dict[str, Prepared]
    plan: Plan
    known: Marginals
    tally: Tally
    result: Result

    def rivals(self, pact: str) -> Rivals | None:
        return self.plan.rivals[list(self.pacts).index(pact)]

    @property
    def empty(self) -> Tables:
        """The thresholds of no pact at all."""
        return self.plan.worlds[self.known.none]

    @property
    def bound(self) -> list[str]:
        """The pacts that are not empty."""
        return [name for name in self.pacts if self.rivals(name) is not None]

    def others(self, pact: str) -> tuple[Tables, ...]:
        """Return the other worlds of a pact, in the order of the counterfactuals."""
        rivals = self.rivals(pact)
        assert rivals is not None
        return (*rivals, self.empty)


def study_of(name: str) -> Study:
    """Return a small or a shipped study; all but the baseline with three types, for speed."""
    if name in ("small", "none empty"):
        pacts = small().pacts
        return small(
            pacts={pact: terms for pact, terms in pacts.items() if name == "small" or pact != "no_pact"}
        )
    study = eventful(Study.load(ROOT / "configs" / f"{name}.toml"))
    return study if name == "baseline" else study.replace(parameters=study.parameters.replace(types=3))


@cache
def simulated(name: str) -> Simulated:
    study = study_of(name)
    pacts, plan, known = engine.prepared(study)
    assert known is not None
    tally = engine.simulate(plan, seed=SEED, trajectories=TRAJECTORIES)
    settings = study.simulation.replace(trajectories=TRAJECTORIES, seed=SEED)
    result = tabulate.tabulate(study.replace(simulation=settings), pacts, known, tally=tally)
    return Simulated(study, pacts, plan, known, tally, result)


@cache
def cells_of(name: str, pact: str, world: str) -> NDArray[np.uint16]:
    """Return how every trajectory ended under a pact, or in one of its other worlds."""
    whole = simulated(name)
    table = whole.pacts[pact].tables
    if world != "fact":
        table = whole.others(pact)[COUNTERFACTUALS.index(world)]
    return crisis.endings(table, seed=SEED, first=0, size=TRAJECTORIES).cells


def sums(cells: NDArray[np.int64]) -> list[int]:
    """Return how often each outcome happened."""
    return [int(cells[outcome.event].sum()) for outcome in OUTCOMES]


# -- what the other worlds are -------------------------------------------------------------------


@pytest.mark.parametrize("pact", ["treaty", "with_vote"])
@pytest.mark.parametrize("rival", [0, 1], ids=["emboldenment", "obligation"])
def test_one_partner_decides_as_without_the_pact_and_all_else_is_as_with_it(pact, rival):
    """On every decision of a hundred crises, by the twin; a vote is still held."""
    whole = simulated("small")
    rivals = whole.rivals(pact)
    assert rivals is not None
    world, own, none = rivals[rival], whole.pacts[pact].tables, whole.empty
    mover = rival + 1
    for name in Tables._fields:
        if name not in ("cut", "enter"):
            np.testing.assert_array_equal(getattr(world, name), getattr(own, name))
    np.testing.assert_array_equal(world.enter[0], own.enter[0])
    np.testing.assert_array_equal(world.enter[1], none.enter[1] if rival == 0 else own.enter[1])
    seen = other = 0
    for trajectory in range(300):
        dispute = replay(world, trajectory, seed=SEED)
        for step in dispute.steps:
            if step.stage == 3:
                continue
            place = dispute.scope, step.round, step.stage, step.state, dispute.types[step.stage]
            found, with_it, without = (tables.cut[place].tolist() for tables in (world, own, none))
            if step.stage == mover:
                assert found[:2] == without[:2]
                seen += 1
                other += found[:2] != with_it[:2]
            else:
                assert found == with_it
    assert seen > 100
    assert other > 20, "there is something to tell them apart by"


# -- to the last count ---------------------------------------------------------------------------


@in_every_study
def test_every_event_is_caused_or_averted_as_trajectory_by_trajectory(name):
    whole = simulated(name)
    assert whole.bound
    for pact in whole.bound:
        fact = cells_of(name, pact, "fact")
        for without in COUNTERFACTUALS:
            other = cells_of(name, pact, without)
            found = whole.result.data.sel(pact=pact, counterfactual=without)
            for outcome in OUTCOMES:
                here, there = (outcome.event.ravel()[cells] for cells in (fact, other))
                cell = found.sel(outcome=outcome.name)
                assert cell.caused_count == np.count_nonzero(here & ~there), (pact, without, outcome.name)
                assert cell.averted_count == np.count_nonzero(there & ~here), (pact, without, outcome.name)


@in_every_study
def test_caused_less_averted_is_what_the_other_world_lacks(name):
    """The other worlds, each simulated wholly on its own and not where it parts alone."""
    whole = simulated(name)
    data = whole.result.data
    net = data.caused_count - data.averted_count
    for pact in whole.bound:
        fact = data["count"].sel(pact=pact).values
        for without, table in zip(COUNTERFACTUALS, whole.others(pact), strict=True):
            other = sums(crisis.simulate(table, seed=SEED, first=0, size=TRAJECTORIES))
            assert net.sel(pact=pact, counterfactual=without).values.tolist() == (fact - other).tolist()


@in_every_study_with_an_empty_pact
def test_no_pact_at_all_is_the_empty_pact_of_the_study(name):
    data = simulated(name).result.data
    assert simulated(name).study.pacts["no_pact"].is_empty
    assert len(simulated(name).plan.worlds) == data.sizes["pact"], "it is played once"
    net = (data.caused_count - data.averted_count).sel(counterfactual="pact")
    assert (net == data["count"] - data["count"].sel(pact="no_pact")).all()
    other = data.counterfactual_exact.sel(counterfactual="pact")
    assert (other == other.sel(pact="no_pact")).all()
    for outcome in OUTCOMES:
        if outcome.condition.all():
            law = data.exact.sel(pact="no_pact", outcome=outcome.name).item()
            assert other.sel(pact="no_pact", outcome=outcome.name).item() == pytest.approx(law, rel=1e-12)


@in_every_study
def test_entanglement_is_never_more_than_involvement(name):
    whole = simulated(name)
    data = whole.result.data
    assert (data.caused_count <= data["count"]).all()
    assert (data.averted_count <= TRAJECTORIES - data["count"]).all()
    for pact in whole.bound:
        fights = whole.result.probability(pact, "defender_fights")
        for found in (whole.result.entanglement(pact), whole.result.entrapment(pact)):
            assert found.outcome == "defender_fights"
            assert 0 < found.caused.count <= fights.count
            assert found.caused.most <= fights.exact * (1 + 1e-12)


@in_every_study_with_an_empty_pact
def test_the_empty_pact_causes_and_averts_nothing(name):
    whole = simulated(name)
    assert whole.rivals("no_pact") is None
    data = whole.result.data.sel(pact="no_pact")
    for side in ("caused", "averted"):
        assert (data[f"{side}_count"] == 0).all()
        assert (data[f"{side}_least"] == 0).all()
    assert (data.net_exact == 0).all()
    assert (data.net_probability == 0).all()


# -- a promise that nobody can invoke ------------------------------------------------------------


def nobody_can_invoke(name: str) -> dict[str, Pact]:
    """Return a study's pacts, with bases and all, of which no dispute lies inside the treaty area."""
    pacts = study_of(name).pacts
    found = {pact: terms.replace(coverage=0.0) for pact, terms in pacts.items() if terms.commitment != "none"}
    assert found
    return found


@in_every_study
def test_a_promise_that_nobody_can_invoke_does_nothing(name):
    study = study_of(name)
    pacts = nobody_can_invoke(name) | {
        "promise": Pact(commitment="automatic", coverage=0.0),
        "uncertain": Pact(commitment="defence", coverage=0.0, ambiguous=True, access="permanent", forces=0.5),
    }
    study = study.replace(pacts=pacts, parameters=study.parameters.replace(types=2))
    size = 60_000
    solved, plan, known = engine.prepared(study)
    tally = engine.simulate(plan, seed=SEED, trajectories=size)
    data = tabulate.tabulate(study, solved, known, tally=tally).data.sel(counterfactual="obligation")
    assert (data.caused_count == 0).all()
    assert (data.averted_count == 0).all()
    np.testing.assert_array_equal(data.net_exact, np.zeros(data.net_exact.shape))
    watched = 0
    for (pact, prepared), rivals in zip(solved.items(), plan.rivals, strict=False):
        if rivals is None:
            continue
        watched += 1
        found = crisis.endings(prepared.tables, seed=SEED, first=0, size=size, rivals=rivals)
        assert not (found.parted & 2).any(), pact
    assert watched >= 1
    # alone it is no pact
    assert plan.rivals[list(solved).index("promise")] is None
    assert known is not None
    assert (data.sel(pact="promise")["count"] == sums(tally.counts[known.none])).all()


def test_the_same_promises_do_something_where_they_can_be_invoked():
    """Twin of the claim above: in scope, every promise entangles."""
    parts = {
        (name, pact): int(simulated(name).result.entanglement(pact).caused.count)
        for name in NAMES
        for pact in nobody_can_invoke(name)
    }
    assert len(parts) > 20
    assert min(parts.values()) > 0


# -- bounds that hold for any coupling -----------------------------------------------------------


@in_every_study
def test_bounds_are_those_of_frechet(name):
    """Fréchet (1951): from the two probabilities alone, whatever luck the worlds share."""
    whole = simulated(name)
    data = whole.result.data
    for pact in whole.pacts:
        laws = [whole.pacts[pact].exact]
        if whole.rivals(pact) is not None:
            laws += [exact.probabilities(table) for table in whole.others(pact)]
        else:
            laws *= 4
        for without, other in zip(COUNTERFACTUALS, laws[1:], strict=True):
            for outcome in OUTCOMES:
                here, there = (float(law[outcome.event].sum()) for law in (laws[0], other))
                cell = data.sel(pact=pact, counterfactual=without, outcome=outcome.name)
                found = [
                    cell[column].item()
                    for column in (
                        "counterfactual_exact", "net_exact", "caused_least", "caused_most", "averted_least",
                        "averted_most",
                    )
                ]  # fmt: skip
                expected = [
                    there, here - there, max(0.0, here - there), min(here, 1 - there),
                    max(0.0, there - here), min(there, 1 - here),
                ]  # fmt: skip
                assert found == pytest.approx(expected, rel=1e-12, abs=1e-18)
    for side in ("caused", "averted"):
        assert (data[f"{side}_least"] >= 0).all()
        assert (data[f"{side}_least"] <= data[f"{side}_most"]).all()
        assert (data[f"{side}_most"] <= 1).all()
    for end in ("least", "most"):
        difference = data[f"caused_{end}"] - data[f"averted_{end}"]
        np.testing.assert_allclose(difference, data.net_exact, rtol=1e-9, atol=1e-15)


def outside(data: xr.Dataset, caused: str = "caused", averted: str = "averted") -> int:
    """Return how many 99.99 % intervals of the shares do not meet their bounds.

    A share's law is binomial with a probability within the bounds, which a Clopper-Pearson interval misses
    with a chance of 1e-4 at most; with this seed the answer is always the same.
    """
    wrong = 0
    for counted, bounded in ((caused, "caused"), (averted, "averted")):
        count = data[f"{counted}_count"].values
        lower, upper = clopper_pearson(count, np.full_like(count, TRAJECTORIES), confidence=0.9999)
        least, most = data[f"{bounded}_least"].values, data[f"{bounded}_most"].values
        wrong += int(((upper < least) | (lower > most)).sum())
    return wrong


@in_every_study
def test_shares_lie_within_the_bounds(name):
    data = simulated(name).result.data
    assert outside(data) == 0
    # mutation twin: caused taken for averted
    assert outside(data, "averted", "caused") > 20


# -- against the exact law -----------------------------------------------------------------------


@in_every_study
def test_other_worlds_have_their_exact_probabilities(name):
    """False by chance with 1e-4 at most for each comparison; with this seed always the same answer."""
    agreement = simulated(name).result.agreement(0.9999)
    wrong = agreement.other_world.where(~agreement.other_world, drop=True)
    assert wrong.size == 0, wrong
    assert agreement.other_world.dims == ("pact", "counterfactual", "outcome")
    assert agreement.probability.all()
    assert not simulated(name).result.disagreements()


@pytest.mark.parametrize(
    ("name", "rival", "state", "share"),
    [
        # at a show of force, the protégé of one type escalates more often
        ("small", 0, ladder.pack(2, 0, 0), 0.2),
        # at limited force and with its forces engaged, the defender of one type fights more often
        ("us_japan", 1, ladder.pack(3, 2, 1), 0.5),
    ],
    ids=["emboldenment", "obligation"],
)
def test_a_rival_with_one_threshold_off_does_not(name, rival, state, share):
    """Mutation twin: in the first round, inside the treaty area, a single threshold of a single type."""
    whole = simulated(name)
    index = list(whole.pacts).index("treaty")
    rivals = whole.rivals("treaty")
    assert rivals is not None
    cut = rivals[rival].cut.copy()
    place = cut[1, 0, rival + 1, state, 0]
    assert place[1] > share * 2**32
    place[1:] -= np.minimum(place[1:], np.uint32(share * 2**32))
    mutants = list(rivals)
    mutants[rival] = rivals[rival]._replace(cut=cut)
    wrong = list(whole.plan.rivals)
    wrong[index] = Rivals(*mutants)
    tally = engine.simulate(whole.plan._replace(rivals=tuple(wrong)), seed=SEED, trajectories=TRAJECTORIES)
    made = tabulate.tabulate(whole.study, whole.pacts, whole.known, tally=tally)
    found, here = made.agreement(0.9999).other_world, {"pact": "treaty", "counterfactual": rival_name(rival)}
    assert not found.sel(here).all()
    found.loc[here] = True
    assert found.all(), "nothing else is off"
    # far enough off for the alarm that goes off by chance with 1e-9 only
    assert made.disagreements()
    assert all(text.startswith(f"treaty: {rival_name(rival)}: ") for text in made.disagreements())
    with pytest.warns(DisagreementWarning, match=f"treaty: {rival_name(rival)}: "):
        made.warn_of_disagreement()


def rival_name(rival: int) -> str:
    """Return what the other world of a rival is without."""
    return COUNTERFACTUALS[rival]


STATES = np.arange(ladder.STATES)
#: Outcomes that are for good: both worlds can be followed to them exactly.
FOR_GOOD = {"defender_fights": (STATES >> 1) & 3 == 3, "war": STATES >> 3 >= 4}


@cache
def both_worlds(name: str, pact: str, without: str, outcome: str) -> NDArray[np.float64]:
    """Return the exact probabilities of an outcome in both worlds, in one, in neither, shape (2, 2)."""
    whole = simulated(name)
    prepared = whole.pacts[pact]
    other = whole.others(pact)[COUNTERFACTUALS.index(without)]
    if without == "pact":
        # the same world, told with the pact's estimate and coverage, to which nobody listens
        told = prepared.world(whole.pacts["no_pact"], worlds.EMPTY)
        endings = [crisis.endings(t, seed=SEED, first=0, size=20_000).cells for t in (told, other)]
        parts = [np.delete(np.unravel_index(cells, crisis.CELLS), 1, axis=0) for cells in endings]
        assert np.array_equal(*parts), "it ends alike, inside or outside of the treaty area"
        other = told
    return joint(prepared.tables, other, FOR_GOOD[outcome])


def agrees(found: Attribution, law: NDArray[np.float64], size: int = TRAJECTORIES) -> bool:
    """Whether counts go with the exact law: each is binomial, and a true engine fails it with 1e-9."""
    return is_compatible(found.caused.count, size, float(law[1, 0])) and is_compatible(
        found.averted.count, size, float(law[0, 1])
    )


@pytest.mark.parametrize("without", COUNTERFACTUALS)
@pytest.mark.parametrize("name", ["small", "baseline"])
def test_caused_and_averted_have_their_exact_probabilities(name, without):
    whole = simulated(name)
    for pact in whole.bound:
        for outcome in FOR_GOOD:
            found = whole.result.attribution(pact, outcome, without=without)
            law = both_worlds(name, pact, without, outcome)
            assert law[1, 0] - law[0, 1] == pytest.approx(found.net_exact, rel=1e-6, abs=1e-14)
            for side, chance in ((found.caused, law[1, 0]), (found.averted, law[0, 1])):
                assert side.least - 1e-12 <= chance <= side.most + 1e-12
            assert agrees(found, law), (pact, outcome)


@pytest.mark.parametrize("without", COUNTERFACTUALS)
@pytest.mark.parametrize(("name", "pact"), [("small", "treaty"), ("baseline", "treaty")])
def test_worlds_with_luck_of_their_own_are_noticed(name, pact, without):
    """Mutation twins: the other world on other trajectories' words; the law of another counterfactual."""
    whole = simulated(name)
    other = whole.others(pact)[COUNTERFACTUALS.index(without)]
    moved = crisis.endings(other, seed=SEED, first=TRAJECTORIES, size=TRAJECTORIES).cells
    for outcome in FOR_GOOD:
        law = both_worlds(name, pact, without, outcome)
        found = whole.result.attribution(pact, outcome, without=without)
        event = OUTCOMES[OUTCOME_NAMES.index(outcome)].event.ravel()
        here, there = event[cells_of(name, pact, "fact")], event[moved]
        counts = np.count_nonzero(here & ~there), np.count_nonzero(there & ~here)
        # its own probability is right, but not what the two share
        assert is_compatible(int(there.sum()), TRAJECTORIES, float(law[:, 1].sum()))
        assert not all(
            is_compatible(count, TRAJECTORIES, float(chance))
            for count, chance in zip(counts, (law[1, 0], law[0, 1]), strict=True)
        )
        for another in COUNTERFACTUALS:
            if another != without:
                assert not agrees(found, both_worlds(name, pact, another, outcome)), (outcome, another)


# -- intervals and accessors ---------------------------------------------------------------------


@pytest.mark.parametrize("without", COUNTERFACTUALS)
def test_shares_and_intervals_are_those_of_the_counts(without):
    whole = simulated("small")
    fact, other = (cells_of("small", "treaty", world) for world in ("fact", without))
    for outcome in OUTCOMES:
        here, there = (outcome.event.ravel()[cells] for cells in (fact, other))
        found = whole.result.attribution("treaty", outcome.name, without=without)
        for side, count in ((found.caused, here & ~there), (found.averted, there & ~here)):
            assert side.probability == np.count_nonzero(count) / TRAJECTORIES
            assert 0 <= side.lower <= side.probability <= side.upper <= 1
            assert (side.lower == 0) == (side.count == 0)
        n = np.int64(TRAJECTORIES)
        number = [np.count_nonzero(part) for part in (here, there, here & there)]
        compared = paired(Joint(number[0], number[1], n, n, number[2], number[0], number[1], n))
        assert found.net == pytest.approx(float(compared.difference), rel=1e-9, abs=1e-15)
        ends = found.net_lower, found.net_upper
        assert ends == pytest.approx(tuple(map(float, compared.difference_interval)), rel=1e-9, abs=1e-15)
        assert found.net_lower <= found.net <= found.net_upper


def test_named_events_are_attributions():
    whole = simulated("small")
    for ask, name, without in (
        (whole.result.entanglement, "entanglement", "obligation"),
        (whole.result.entrapment, "entrapment", "emboldenment"),
    ):
        found = ask("treaty")
        assert found == whole.result.attribution("treaty", "defender_fights", without=without)
        assert (found.without, found.outcome) == (without, "defender_fights")
        estimate = whole.result.probability("treaty", name)
        assert (estimate.count, estimate.trials) == (found.caused.count, TRAJECTORIES)
        assert estimate.probability == found.caused.probability
        assert (estimate.lower, estimate.upper) == (found.caused.lower, found.caused.upper)
        assert math.isnan(estimate.exact)
    text = repr(whole.result.entanglement("treaty"))
    assert text.startswith("Attribution(defender_fights, against the defender's own no-pact policy: caused ")
    assert f"net exactly {whole.result.entanglement('treaty').net_exact:.4g})" in text
    assert "any coupling" in text


def test_an_exact_result_has_bounds_and_no_counts():
    found = small().exact().attribution("treaty", "war", without="pact")
    counted = simulated("small").result.attribution("treaty", "war", without="pact")
    for side, other in ((found.caused, counted.caused), (found.averted, counted.averted)):
        assert (side.least, side.most) == (other.least, other.most)
        assert side.count == 0
        assert np.isnan([side.probability, side.lower, side.upper]).all()
    assert found.net == found.net_lower == found.net_upper == found.net_exact == counted.net_exact
    estimate = small().exact().probability("treaty", "entanglement")
    assert (estimate.count, estimate.trials) == (0, 0)
    assert math.isnan(estimate.probability)


def test_a_file_keeps_the_attribution(tmp_path):
    whole = simulated("small")
    whole.result.save(tmp_path / "saved.nc")
    loaded = Result.load(tmp_path / "saved.nc")
    for without in COUNTERFACTUALS:
        for outcome in OUTCOME_NAMES:
            asked = {"outcome": outcome, "without": without}
            assert loaded.attribution("treaty", **asked) == whole.result.attribution("treaty", **asked)
    assert loaded.summary() == whole.result.summary()
    assert max(map(len, loaded.summary().splitlines())) <= 80


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda r: r.entanglement("treety"), "no pact 'treety'. Did you mean 'treaty'?"),
        (lambda r: r.attribution("treaty", "wars"), "no outcome 'wars'. Did you mean 'war'?"),
        (
            lambda r: r.attribution("treaty", "war", without="promise"),
            "no counterfactual 'promise'. Known here: emboldenment, obligation, pact",
        ),
        (lambda r: r.probability("treety", "entrapment"), "no pact 'treety'"),
        (lambda r: r.probability("treaty", "entraped"), "no outcome 'entraped'"),
    ],
)
def test_a_misspelt_label_is_named_with_the_nearest_one(ask, message):
    with pytest.raises(ResultError) as caught:
        ask(simulated("small").result)
    assert message in str(caught.value)


# -- without attribution -------------------------------------------------------------------------


@pytest.mark.parametrize("make", [lambda: small().run(trajectories=TRAJECTORIES, seed=SEED), small().exact])
def test_without_attribution_all_else_has_the_same_bits(make, monkeypatch):
    full = make()
    study = small()
    study = study.replace(simulation=study.simulation.replace(attribution=False))
    # and less is done: no trajectory's ending is written down, nobody is watched, nothing else is solved
    monkeypatch.setattr(crisis, "endings", lambda *_, **__: pytest.fail("endings were written down"))
    monkeypatch.setattr(crisis, "replayed", lambda *_, **__: pytest.fail("rivals were played"))
    monkeypatch.setattr(attribution, "rivals", lambda *_: pytest.fail("rivals were made"))
    plain = study.run(trajectories=TRAJECTORIES, seed=SEED) if full.simulated else study.exact()
    assert full.attributed
    assert not plain.attributed
    gone = set(map(str, full.data.variables)) - set(map(str, plain.data.variables))
    sides = {
        f"{side}_{part}"
        for side in ("caused", "averted")
        for part in ("count", "probability", "lower", "upper", "least", "most")
    }
    counted = sides | {
        "net_probability", "net_lower", "net_upper", "joint", "joint_event_trials", "joint_trials",
        "rung_joint", "pairs_digest",
    }  # fmt: skip
    always = {name for name in sides if name.endswith(("least", "most"))}
    always |= {"counterfactual", "instead", "counterfactual_exact", "net_exact"}
    assert gone == (counted | always if full.simulated else always)
    kept = full.data.drop_vars(gone).drop_attrs()
    assert kept.identical(plain.data.drop_attrs())
    for name in ("trajectories", "fingerprint", "method", "seed"):
        assert full.data.attrs[name] == plain.data.attrs[name]
    for ask in (
        lambda: plain.entanglement("treaty"),
        lambda: plain.entrapment("treaty"),
        lambda: plain.attribution("treaty", "war"),
        lambda: plain.probability("treaty", "entanglement"),
    ):
        with pytest.raises(ResultError, match=r"not compared when this result was made.*left at true"):
            ask()
    assert "caused" not in plain.summary()
    if plain.simulated:
        assert list(plain.agreement().data_vars) == ["probability", "rung_probability"]


# -- same bits -----------------------------------------------------------------------------------


def assert_same(one: Tally, other: Tally) -> None:
    for name in ("counts", "shared", "changed"):
        assert np.array_equal(getattr(one, name), getattr(other, name)), name


@pytest.mark.parametrize("workers", [1, 2])
def test_any_number_of_workers_counts_the_same(workers):
    whole = simulated("small")
    assert_same(
        engine.simulate(whole.plan, seed=SEED, trajectories=TRAJECTORIES, workers=workers), whole.tally
    )


@pytest.mark.parametrize("split", [1, 777, BLOCK, BLOCK + 1, TRAJECTORIES - 1])
def test_any_split_counts_the_same(split):
    """As it merges, so it is played: two stretches of a run are the run."""
    whole = simulated("small")
    first = engine.simulate(whole.plan, seed=SEED, trajectories=split)
    rest = engine.simulate(whole.plan, seed=SEED, first=split, trajectories=TRAJECTORIES - split)
    assert_same(first.merged(rest), whole.tally)
    assert_same(rest.merged(first), whole.tally)
    assert (first.trajectories, rest.trajectories) == (split, TRAJECTORIES - split)


def test_a_task_of_several_blocks_counts_the_same():
    """As tasks of long runs are: 3 whole blocks and a short one, and what was watched in each."""
    whole = simulated("small")
    plan = whole.plan._replace(watched=((1, OUTCOME_NAMES.index("abandonment")),))
    long = Tally.empty(len(plan.worlds))
    long.add(0, play(plan, SEED, 0, TRAJECTORIES))
    assert_same(long, whole.tally)
    assert long.watch().shape == (4, 1, 2)
    alone = engine.simulate(plan, seed=SEED, trajectories=TRAJECTORIES, workers=2)
    assert_same(alone, whole.tally)
    assert np.array_equal(alone.watch(), long.watch())
    assert sorted(alone.watched) == [0, BLOCK, 2 * BLOCK, 3 * BLOCK]


def test_the_order_of_the_pacts_moves_nothing():
    study = small()
    turned = study.replace(pacts=dict(reversed(study.pacts.items())))
    one, other = (each.run(trajectories=70_000, seed=SEED).data for each in (study, turned))
    names = [name for name in one.data_vars if "pact" in one[name].dims and "cell" not in one[name].dims]
    assert {"caused_count", "averted_count", "joint", "joint_event_trials", "net_lower"} <= set(names)
    order = {"pact": one.pact.values}
    for name in names:
        found = other[name].sel(
            order | ({"versus": one.versus.values} if "versus" in other[name].dims else {})
        )
        np.testing.assert_array_equal(found.values, one[name].values, err_msg=str(name))
