"""Disputes on condition of their ending: the twin, rejection, exact laws of whole paths, closed forms.

Counts are compared with exact laws, all at a false alarm of 1e-9 for a test, divided among its comparisons.
The mutation twins are the sampler itself with a mistake in it, and must fail the same check.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binom, hypergeom

from entangle_kernels import conditional, ladder
from entangle_kernels.conditional import GIVEN, RAREST, Sample, sample
from entangle_kernels.crisis import simulate
from entangle_kernels.exact import CELLS, probabilities
from entangle_kernels.philox import philox
from entangle_kernels.quantise import Tables
from reference import conditional as slow
from reference.crisis import words
from reference.games import crisis_tables

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
Cells = NDArray[np.bool_]
Case = tuple[Tables, Cells]
WORDS = 2**32
FALSE_ALARM = 1e-9
RUNG = np.arange(ladder.STATES) >> 3

SETTINGS: dict[str, dict[str, Any]] = {
    "plain": {"rounds": 3},
    "an estimate": {"rounds": 2, "estimates": 2, "types": 3},
    "private scope and a vote": {"rounds": 3, "scopes": 2, "support": 2, "passes": 0.6},
    "all in scope, nuclear": {"rounds": 6, "types": 1, "nuclear": (True, True, True), "in_scope": 1.0},
}
EVENTS: dict[str, slow.Event] = {
    "war": lambda origin, scope, end, state, marks: state >> 3 >= 4,
    "anything": lambda origin, scope, end, state, marks: True,
    "nothing": lambda origin, scope, end, state, marks: end == ladder.NO_CRISIS,
    "by origin and scope": lambda origin, scope, end, state, marks: (
        end == (ladder.NO_CRISIS, ladder.STALEMATE, ladder.CONCESSION, ladder.WITHDRAWAL)[2 * origin + scope]
    ),
    "abandonment": lambda origin, scope, end, state, marks: marks & 12 == ladder.OBLIGATION_ACTIVE,
}


@cache
def tables_of(name: str) -> Tables:
    return crisis_tables(**SETTINGS[name])


@cache
def as_cells(event: slow.Event) -> Cells:
    cells = np.zeros(CELLS, np.bool_)
    for cell in np.ndindex(*CELLS):
        cells[cell] = event(*cell)
    return cells


def combination(drawn: Sample, i: int) -> slow.Combination:
    a, b, c = drawn.types[i].tolist()
    place = drawn.scope[i], drawn.estimate[i], a, b, c, drawn.origin[i], drawn.opened[i]
    return slow.Combination(*map(int, place))


def path(drawn: Sample, i: int) -> tuple[int, ...]:
    reached = drawn.outcome[i].ravel()
    length = int(np.argmax(reached < 0)) if (reached < 0).any() else reached.size
    assert (reached[length:] == -1).all()
    return tuple(reached[:length].tolist())


def assert_is(drawn: Sample, i: int, dispute: slow.Dispute) -> None:
    assert combination(drawn, i) == dispute.combination
    assert path(drawn, i) == dispute.outcomes
    before = drawn.state[i].ravel()
    assert tuple(before[: len(dispute.states)].tolist()) == dispute.states
    assert (before[len(dispute.states) :] == -1).all()
    assert np.unravel_index(drawn.cell[i], CELLS) == dispute.cell
    logarithm = math.log(dispute.probability.numerator) - math.log(dispute.probability.denominator)
    assert drawn.log_probability[i] == pytest.approx(logarithm, rel=1e-13)


def agrees(counts: Counts, n: int, chances: Floats, *, views: int = 1) -> bool:
    """Return whether every count goes with the binomial of its chance, in one of so many views."""
    assert counts.shape == chances.shape
    chances = np.minimum(chances, 1.0)  # a sum may round to a little more
    tail = np.minimum(binom.cdf(counts, n, chances), binom.sf(counts - 1, n, chances))
    return bool((tail >= FALSE_ALARM / 2 / counts.size / views).all())


def cell_counts(drawn: Sample) -> Counts:
    return np.bincount(drawn.cell, minlength=math.prod(CELLS)).reshape(CELLS)


# -- the twin --------------------------------------------------------------------------------------


@pytest.mark.parametrize("of", EVENTS)
@pytest.mark.parametrize("name", SETTINGS)
def test_twin_draws_the_same_disputes(name: str, of: str) -> None:
    table, event = tables_of(name), EVENTS[of]
    drawn = sample(table, as_cells(event), n=40, seed=2**63 + 5)
    for i, dispute in enumerate(slow.draw(table, event, n=40, seed=2**63 + 5)):
        assert event(*dispute.cell)
        assert_is(drawn, i, dispute)


@pytest.mark.parametrize("of", EVENTS)
@pytest.mark.parametrize("name", SETTINGS)
def test_probability_is_that_of_the_exact_pass(name: str, of: str) -> None:
    table, event = tables_of(name), as_cells(EVENTS[of])
    found = sample(table, event, n=1, seed=0).probability
    assert found == pytest.approx(float(probabilities(table)[event].sum()), rel=1e-12)
    assert found == pytest.approx(sum(slow.given(table, EVENTS[of]).values()), rel=1e-12)


def test_uniforms_are_53_bits_of_two_words() -> None:
    top = np.uint32(WORDS - 1)
    assert conditional._uniform(np.uint32(0), np.uint32(0)) == 0.0
    assert conditional._uniform(top, top) == 1.0 - 2.0**-53
    assert conditional._uniform(np.uint32(1 << 31), np.uint32(1 << 6)) == 0.5 + 2.0**-53
    for total in (1.0, 1.0 + 2.0**-52, 1.5, 2.0 - 2.0**-52, 1e-290, 3e-20):
        assert conditional._uniform(top, top) * total < total


# -- the law of whole disputes: every path of a small game -------------------------------------------

Mutant = Callable[[Tables, Cells, pytest.MonkeyPatch], Case]


def right(table: Tables, event: Cells, patch: pytest.MonkeyPatch) -> Case:
    return table, event


def without_committor(*, at_start: bool) -> Mutant:
    """Return a mutant that tells only whether the event is possible, at the start or from there on."""

    def mutate(table: Tables, event: Cells, patch: pytest.MonkeyPatch) -> Case:
        true = conditional.committor

        def flat(*args: Any, **private: Any) -> Floats:
            values = true(*args, **private)
            wrong = np.where(values > 0.0, 1.0, 0.0)
            found = values if at_start else wrong
            found[0, 0] = wrong[0, 0] if at_start else values[0, 0]
            return found

        patch.setattr(conditional, "committor", flat)
        return table, event

    return mutate


def shared_word(table: Tables, event: Cells, patch: pytest.MonkeyPatch) -> Case:
    def shifted(index: Any, year: Any, purpose: Any, seed: Any, into: Any) -> None:
        challengers = np.uint64(GIVEN + 1)  # its first move
        philox(index, year, challengers if purpose == GIVEN else purpose, seed, into)

    sample(table, event, n=2, seed=0)  # or a walk compiled later would look for the wrong function
    patch.setattr(conditional, "philox", shifted)
    return table, event


def other_scope(table: Tables, event: Cells, patch: pytest.MonkeyPatch) -> Case:
    true = conditional.committor

    def swapped(table: Tables, ends: Cells, *, scope: int, **private: Any) -> Floats:
        return true(table, ends, scope=1 - scope, **private)

    patch.setattr(conditional, "committor", swapped)
    return table, event


def likelier(*, actor: int) -> Mutant:
    """Return a mutant in whose tables an actor escalates more often by a few per cent."""

    def mutate(table: Tables, event: Cells, patch: pytest.MonkeyPatch) -> Case:
        cut = table.cut.copy()
        part = cut[:, :, actor]
        part[..., 1:] -= np.where(part[..., 1] < WORDS - 1, np.uint32(0.05 * WORDS), 0)[..., np.newaxis]
        return table._replace(cut=cut), event

    return mutate


MUTANTS: dict[str, Mutant] = {
    "no committor on the way": without_committor(at_start=False),
    "no committor at the start": without_committor(at_start=True),
    "combination and first move share words": shared_word,
    "committor of the other scope": other_scope,
    "challenger escalates more": likelier(actor=0),
    "protégé escalates more": likelier(actor=1),
    "defender commits more": likelier(actor=2),
}
PATHS: dict[str, tuple[dict[str, Any], str]] = {
    "one type": ({"rounds": 2, "types": 1, "support": 1, "owed": 2.0}, "war"),
    "all types and a vote": (
        {"rounds": 1, "types": 2, "estimates": 2, "support": 2, "passes": 0.6},
        "by origin and scope",
    ),
}


#: What of a dispute is compared: the first has the whole law, the others the power.
VIEWS: tuple[Callable[[slow.Combination, tuple[int, ...]], Any], ...] = (
    lambda at, way: (at, way),
    lambda at, way: at,
    lambda at, way: way[:4],
    lambda at, way: way[4:],
    lambda at, way: (at, way[:1]),
)


def paths_agree(name: str, mutate: Mutant, patch: pytest.MonkeyPatch, *, n: int) -> bool:
    settings, of = PATHS[name]
    table, event = crisis_tables(**settings), EVENTS[of]
    disputes = [(at, way, mass) for at, way, cell, mass in slow.disputes(table) if event(*cell)]
    total = sum(mass for _, _, mass in disputes)
    mutated, cells = mutate(table, as_cells(event), patch)
    drawn = sample(mutated, cells, n=n, seed=7)
    taken = [(combination(drawn, i), path(drawn, i)) for i in range(n)]
    for view in VIEWS:
        chance: dict[Any, float] = defaultdict(float)
        for at, way, mass in disputes:
            chance[view(at, way)] += mass / total
        found = Counter(view(at, way) for at, way in taken)
        counts = np.array([found[group] for group in chance])
        chances = np.array(list(chance.values()))
        if not set(found) <= set(chance) or not agrees(counts, n, chances, views=len(VIEWS)):
            return False
    return True


@pytest.mark.parametrize("name", PATHS)
def test_every_path_has_its_exact_chance(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert paths_agree(name, right, monkeypatch, n=60_000)


@pytest.mark.parametrize("mutant", MUTANTS)
def test_mutation_twin_takes_wrong_paths(mutant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not all(paths_agree(name, MUTANTS[mutant], monkeypatch, n=60_000) for name in PATHS)


# -- rejection ---------------------------------------------------------------------------------------


def goes_with_rejection(drawn: Sample, counts: Counts, event: Cells) -> bool:
    """Return whether two samples of endings have one law.

    Given how many of both together ended in a cell, how many of them were simulated is hypergeometric.
    """
    simulated, given = counts[event], cell_counts(drawn)[event]
    both = simulated + given
    met = both > 0
    law = hypergeom(both.sum(), both[met], simulated.sum())
    tail = np.minimum(law.cdf(simulated[met]), law.sf(simulated[met] - 1))
    return bool((tail >= FALSE_ALARM / 2 / met.sum()).all())


REJECTED = {
    "war": ("no committor on the way", "combination and first move share words"),
    "by origin and scope": ("no committor on the way", "no committor at the start"),
    "abandonment": ("no committor on the way", "defender commits more"),
}


@pytest.mark.parametrize("of", REJECTED)
def test_rejection_gives_the_same_endings(of: str, monkeypatch: pytest.MonkeyPatch) -> None:
    table = crisis_tables(rounds=6, types=3, estimates=2, support=1, passes=0.6, precision=1.0)
    event = as_cells(EVENTS[of])
    counts = simulate(table, seed=11, first=0, size=2_000_000)
    drawn = sample(table, event, n=200_000, seed=12)
    assert counts[event].sum() > 150_000
    assert event.flat[drawn.cell].all()
    assert goes_with_rejection(drawn, counts, event)
    # cell by cell, without the noise of the simulation
    exact = probabilities(table)[event]
    assert agrees(cell_counts(drawn)[event], drawn.cell.size, exact / exact.sum())
    for mutant in REJECTED[of]:
        with monkeypatch.context() as patch:
            wrong = sample(*MUTANTS[mutant](table, event, patch), n=200_000, seed=12)
        assert not goes_with_rejection(wrong, counts, event)


# -- events that no simulation would meet ------------------------------------------------------------


@cache
def inadvertent() -> Case:
    """Return tables on which war is general by four accidents only, of 2^-20 each."""
    table = crisis_tables(rounds=7, types=2, estimates=2, support=1, passes=0.6, nuclear=(True, True, True))
    cut, nature = table.cut.copy(), table.nature.copy()
    cut[:, :, :2, RUNG >= 4, :, 1:] = WORDS - 1
    nature[:, 3] = WORDS - 1
    nature[:, 2] = WORDS - 1 - np.where(nature[:, 2] < WORDS - 1, WORDS >> 20, 0)
    return table._replace(cut=cut, nature=nature), as_cells(
        lambda origin, scope, end, state, marks: end == ladder.GENERAL_WAR
    )


@cache
def scattered() -> Case:
    """Return tables and the rarest of the endings."""
    informed = {"types": 2, "estimates": 2, "precision": 5.0}
    table = crisis_tables(rounds=7, support=1, passes=0.6, nuclear=(True, True, True), **informed)
    exact = probabilities(table)
    return table, (exact > 0.0) & (exact < 1.4e-10)


RARE = {"inadvertent war": inadvertent, "the rarest endings": scattered}
rare = pytest.mark.parametrize("name", RARE)


@cache
def weights_of_combinations(name: str) -> dict[slow.Combination, float]:
    table, event = RARE[name]()
    return slow.given(table, lambda *cell: bool(event[cell]))


def combinations_agree(drawn: Sample, name: str) -> bool:
    weights = weights_of_combinations(name)
    chances = np.array(list(weights.values()))
    found = Counter(combination(drawn, i) for i in range(drawn.cell.size))
    if not set(found) <= set(weights):
        return False
    return agrees(np.array([found[at] for at in weights]), drawn.cell.size, chances / chances.sum())


@rare
def test_rare_probability_is_that_of_the_exact_pass(name: str) -> None:
    table, event = RARE[name]()
    found = sample(table, event, n=1, seed=1).probability
    assert 0.0 < found < 1e-9
    assert found == pytest.approx(float(probabilities(table)[event].sum()), rel=1e-12)


@rare
def test_rare_disputes_are_what_they_say(name: str) -> None:
    table, event = RARE[name]()
    drawn = sample(table, event, n=1500, seed=2)
    for i in range(1500):
        dispute = slow.replay(table, combination(drawn, i), path(drawn, i))
        assert event[dispute.cell]
        assert_is(drawn, i, dispute)


@rare
def test_rare_combinations_and_endings_have_their_exact_chances(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    table, event = RARE[name]()
    n = 50_000
    exact = probabilities(table)[event]
    drawn = sample(table, event, n=n, seed=3)
    assert agrees(cell_counts(drawn)[event], n, exact / exact.sum())
    assert combinations_agree(drawn, name)
    with monkeypatch.context() as patch:
        mutated = sample(*MUTANTS["no committor at the start"](table, event, patch), n=n, seed=3)
    assert not combinations_agree(mutated, name)
    with monkeypatch.context() as patch:
        mutated = sample(*MUTANTS["no committor on the way"](table, event, patch), n=n, seed=3)
    assert combinations_agree(mutated, name)  # what it gets wrong comes later
    assert not agrees(cell_counts(mutated)[event], n, exact / exact.sum())


@rare
def test_rare_paths_come_as_often_as_their_probability_says(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    table, event = RARE[name]()
    n = 50_000

    def whole(drawn: Sample) -> list[tuple[slow.Combination, tuple[int, ...]]]:
        return [(combination(drawn, i), path(drawn, i)) for i in range(n)]

    # which paths to look for is settled by another sample, or the choice would favour what came often
    pilot = sample(table, event, n=n, seed=4)
    logarithm = dict(zip(whole(pilot), pilot.log_probability - math.log(pilot.probability), strict=True))
    likely = sorted(logarithm, key=logarithm.__getitem__, reverse=True)[:10_000]
    sizes = [10, 100, 1000, 10_000]  # the likeliest so many, taken together: alone they come once or twice
    chances = np.cumsum(np.exp([logarithm[way] for way in likely]))[np.array(sizes) - 1]
    assert chances[-1] > 0.03

    def agree(drawn: Sample) -> bool:
        found = Counter(whole(drawn))
        counts = np.cumsum([found[way] for way in likely])[np.array(sizes) - 1]
        return agrees(counts, n, chances)

    assert agree(sample(table, event, n=n, seed=5))
    for mutant in ("no committor on the way", "no committor at the start"):
        with monkeypatch.context() as patch:
            assert not agree(sample(*MUTANTS[mutant](table, event, patch), n=n, seed=5))


# -- closed forms, however rare ----------------------------------------------------------------------


def steps_up(top: int, *, rounds: int, words: int) -> Case:
    """Return tables on which only nature moves: up, with `words` of 2^32 words, to general war at `top`."""
    step = np.tile(np.arange(ladder.STATES)[:, np.newaxis], (2, 4, 1, ladder.OUTCOMES)).astype(np.uint16)
    nature = np.tile(np.array([0, 0, WORDS - 1, WORDS - 1], np.uint32), (ladder.STATES, 1))
    nature[1:top, 2] -= np.uint32(words)
    for state in range(1, top):
        end = ladder.GENERAL_WAR if state + 1 == top else 0
        step[:, 3, state, ladder.ACCIDENT] = state + 1 | end << ladder.END_SHIFT
    hold = np.array([0, WORDS - 1, WORDS - 1], np.uint32)
    table = Tables(
        types=1,
        estimates=1,
        rounds=rounds,
        hit=np.zeros(1, np.uint64),
        origin=np.uint64(WORDS),
        scope=np.uint64(WORDS),
        enter=np.full((2, 2, 1), WORDS // 2 - 1, np.uint32),  # half of the disputes open
        start=np.array([1, 1]),
        cut=np.tile(hold, (2, rounds, 3, ladder.STATES, 1, 1)),
        nature=nature,
        step=step,
    )
    return table, as_cells(lambda origin, scope, end, state, marks: end == ladder.GENERAL_WAR)


def times(drawn: Sample) -> list[tuple[int, ...]]:
    """Return in which rounds each dispute took its steps up."""
    return [tuple(np.flatnonzero(row).tolist()) for row in drawn.outcome[:, :, 3] == ladder.ACCIDENT]


@pytest.mark.parametrize("words", [WORDS // 4, 2**16, 1], ids=["1 in 4", "1 in 65536", "1 in 2^32"])
def test_seven_steps_in_twelve_rounds_come_when_they_should(words: int) -> None:
    table, event = steps_up(8, rounds=12, words=words)
    p, n = words / WORDS, 200_000
    drawn = sample(table, event, n=n, seed=6)
    assert drawn.probability == pytest.approx(0.5 * binom.sf(6, 12, p), rel=1e-11)
    assert (drawn.probability < 1e-30) == (words <= 2**16)
    sets = list(itertools.combinations(range(12), 7))
    misses = np.array([when[-1] - 6 for when in sets])
    law = 0.5 * p**7 * (1.0 - p) ** misses / drawn.probability
    assert law.sum() == pytest.approx(1.0, abs=1e-11)
    taken = times(drawn)
    found = Counter(taken)
    counts = np.array([found[when] for when in sets])
    assert counts.sum() == n
    assert agrees(counts, n, law, views=2)
    ended, last = np.bincount(misses, counts), np.bincount(misses, law)
    assert agrees(ended, n, last, views=2)
    # the check is not blind: a law in which every round more is rarer by 5 %
    tilted = last * 0.95 ** np.arange(last.size)
    assert not agrees(ended, n, tilted / tilted.sum(), views=2)
    expected = math.log(0.5) + 7 * math.log(p) + math.log1p(-p) * np.array([when[-1] - 6 for when in taken])
    np.testing.assert_allclose(drawn.log_probability, expected, rtol=1e-13)


def test_digits_last_to_the_rarest_event() -> None:
    table, event = steps_up(31, rounds=31, words=1)
    drawn = sample(table, event, n=31_000, seed=6)
    assert drawn.probability == pytest.approx(0.5 * 31 * 2.0**-960, rel=1e-8)
    assert RAREST < drawn.probability < 1e-287
    held = [min(set(range(31)) - set(when)) for when in times(drawn)]  # in which round nature did nothing
    law = np.full(31, 1 / 31)
    counts = np.bincount(held, minlength=31)
    assert agrees(counts, 31_000, law)
    assert not agrees(counts, 31_000, law * np.linspace(0.6, 1.4, 31))


# -- addresses ---------------------------------------------------------------------------------------


def same(left: Sample, right: Sample, *, n: int) -> bool:
    return left.probability == right.probability and all(
        np.array_equal(a[:n], b[:n]) for a, b in zip(left[1:], right[1:], strict=True)
    )


@rare
def test_first_disputes_do_not_depend_on_how_many_follow(name: str) -> None:
    table, event = RARE[name]()
    long = sample(table, event, n=2000, seed=8)
    assert same(long, sample(table, event, n=2000, seed=8), n=2000)
    for n in (1, 2, 1000):
        short = sample(table, event, n=n, seed=8)
        assert short.cell.shape == (n,)
        assert same(short, long, n=n)
    assert not same(long, sample(table, event, n=2000, seed=9), n=2000)
    assert not same(long, sample(table, event, n=2000, seed=8 + 2**32), n=2000)


def test_no_word_is_read_twice_or_shared_with_the_simulator() -> None:
    read: list[tuple[int, int]] = []

    def noted(trajectory: int, purpose: int, seed: int) -> Sequence[int]:
        read.append((trajectory, purpose))
        return words(trajectory, purpose, seed)

    table = tables_of("plain")
    slow.draw(table, EVENTS["anything"], n=50, seed=0, word=noted)
    rounds = [purpose - GIVEN for _, purpose in read]
    assert set(rounds) == set(range(1 + 2 * table.rounds))
    # two stages to a block of four words: every other address would be read twice for one of them
    assert max(Counter(read).values()) == 2
    assert GIVEN > 0x80000001


# -- what cannot be drawn ----------------------------------------------------------------------------


def test_disputes_that_never_open_have_no_path() -> None:
    table = tables_of("plain")
    drawn = sample(table, as_cells(EVENTS["nothing"]), n=100, seed=1)
    assert not drawn.opened.any()
    assert (drawn.outcome == -1).all()
    assert (drawn.state == -1).all()


def test_impossible_event_is_refused() -> None:
    table = tables_of("plain")
    impossible = (probabilities(table) == 0.0) & as_cells(EVENTS["anything"])
    for event in (np.zeros(CELLS, np.bool_), impossible):
        with pytest.raises(ValueError, match=r"^event: its probability must be at least 1e-290, not 0;"):
            sample(table, event, n=10, seed=1)


def test_event_too_rare_for_its_digits_is_refused() -> None:
    table, event = steps_up(32, rounds=31, words=1)
    with pytest.raises(ValueError, match=r"^event: its probability must be at least 1e-290, not 1\.19e-299;"):
        sample(table, event, n=10, seed=1)


@pytest.mark.parametrize("n", [0, -3])
def test_sample_of_nothing_is_refused(n: int) -> None:
    table = tables_of("plain")
    with pytest.raises(ValueError, match=f"^n: must be at least 1, not {n};"):
        sample(table, as_cells(EVENTS["anything"]), n=n, seed=1)


def test_event_of_another_shape_is_refused() -> None:
    table = tables_of("plain")
    with pytest.raises(ValueError, match=r"^event: must have shape"):
        sample(table, np.ones(CELLS[2:], np.bool_), n=1, seed=1)
