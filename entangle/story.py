"""A replayed dispute as a story: who decided what, with which chances, how it ended, and what if.

Plain English for readers who have never seen the model: actors by name, rounds by days, chances in per cent.
Behind a choice stands its chance, and behind that what else the mover could have done.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Final

from entangle.replay import NO_PACT, WITHOUT_EMBOLDENMENT, WITHOUT_PROMISE, Replay, fights, war
from entangle.vocabulary import ENDS, RUNGS, SUPPORTS
from entangle_kernels import ladder
from entangle_kernels.replay import Dispute, Step

if TYPE_CHECKING:
    from entangle.pact import Pact
    from entangle.study import Study

#: Columns of a terminal that is not asked for its width.
WIDTH: Final = 80
#: A chance below which a choice is pointed out as a rare one.
RARE: Final = 0.05

_CHALLENGER, _PROTEGE, _DEFENDER, _NATURE = range(4)
_WAR, _FORCE = RUNGS.index("local_war"), RUNGS.index("limited_force")
_MILITARY, _FIGHTING = SUPPORTS.index("military"), SUPPORTS.index("fighting")
#: A chance below which a choice that was not made is left out.
_NIL: Final = 0.0005

#: Names that take an article in the middle of a sentence.
_ARTICLE: Final = re.compile(
    r"(United|Soviet|Ottoman|Russian|German|British|Dominican|Democratic|Central African) "
    r"|(Netherlands|Philippines|Bahamas|Maldives|USA?|USSR|UK)$"
    r"|.* (Republic|Kingdom|Empire|Union|States|Emirates)\b"
)
_ROLES: Final = ("challenger", "protégé", "defender")
_NUMBERS: Final = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_RESOLVE: Final = (
    "very irresolute", "rather irresolute", "of middling resolve", "rather resolute", "very resolute",
)  # fmt: skip

#: What the defender does at each support, and how it would raise it from there; {} is the protégé.
_STANDS: Final = ("stands aloof", "backs {} in words", "gives {} military support", "fights beside {}")
_STANDING: Final = (
    "standing aloof",
    "backing {} in words",
    "giving {} military support",
    "fighting beside {}",
)
_RAISE: Final = ("back it in words", "support it militarily", "fight")
_OWED: Final = ("", "to back {} in words", "to support {} militarily", "to fight for {}")

#: The verdict where every other world is like what happened.
NO_DIFFERENCE: Final = "The pact makes no difference."
#: Why the pact does not bind in a dispute of a history.
_UNBOUND: Final = {
    "no pact": "",
    "outside": "The pact does not cover it: no help is owed. ",
    "suspended": "The pact is suspended: no help is owed. ",
    "ended": "The pact has ended: no help is owed. ",
}


def tell(replay: Replay) -> str:
    """Return the story of a replay, in plain text of at most 80 columns."""
    return _Story(replay).text()


def ending(replay: Replay) -> str:
    """Return how a crisis ended, and whether help was owed and given, in two sentences at most."""
    story = _Story(replay)
    return story._ending(replay.dispute) + story._help()


def verdict(replay: Replay) -> str:
    """Return what difference the pact makes, in up to three sentences; empty if there is none to compare."""
    if replay.terms.is_empty or not replay.counterfactuals:
        return ""
    return " ".join(_Story(replay)._verdict())


def promises(study: Study, terms: Pact) -> bool:
    """Return whether the seated defender owes help under some terms."""
    owes = terms.reciprocal or terms.guarantor == study.scenario.defender
    return owes and terms.commitment != "none" and terms.strength > 0.0


def duty(study: Study, terms: Pact) -> str:
    """Return what a promise asks the defender to do, such as "to fight for West"."""
    return _OWED[SUPPORTS.index(terms.required_support)].format(seated(study)[_PROTEGE])


def laid_out(title: Sequence[str], parts: Sequence[tuple[str, str]]) -> str:
    """Return a story of at most 80 columns, ending in a new line.

    Parameters
    ----------
    title
        Lines at its head.
    parts
        For each paragraph a label for the margin and the text. Days that follow upon each other, and a
        paragraph without a label, stand close to the one before.
    """
    margin = max(len(label) for label, _ in parts) + 2
    lines = [line for head in title for line in textwrap.wrap(head, WIDTH)]
    for number, (label, words) in enumerate(parts):
        if label[:4] != "Days" or parts[number - 1][0] == "Opening":
            lines += [""] if label else []
        filled = textwrap.fill(
            words,
            WIDTH,
            initial_indent=label.ljust(margin),
            subsequent_indent=" " * (margin + 2 * words.startswith("–")),
            break_on_hyphens=False,
        )
        lines.append(filled.replace("\N{NO-BREAK SPACE}", " "))
    return "\n".join(lines) + "\n"


def heading(study: Study, pact: str, which: str, seed: int) -> list[str]:
    """Return the lines at the head of a story: which dispute or history it is, of which study.

    Parameters
    ----------
    seed
        Key of the random numbers; below 0 if there were none.
    """
    terms = study.pacts[pact]
    title = terms.title or pact.replace("_", " ")
    heads = [f"{sentence(which)}, " + ("without a pact" if terms.is_empty else f"under the pact “{title}”")]
    if study.title:
        heads.append(f"Study: {study.title}")
    if seed >= 0:
        heads[-1] += f" (seed {seed})"
    return heads


def sentence(words: str) -> str:
    """Return words as they begin a sentence."""
    return words[:1].upper() + words[1:]


def spelt(number: int) -> str:
    """Return a whole number as it stands in a sentence, in words up to ten.

    Examples
    --------
    >>> spelt(0), spelt(7), spelt(12)
    ('no', 'seven', '12')
    """
    return _NUMBERS[number] if number < len(_NUMBERS) else f"{number:,}"


def percent(chance: float, digits: int = 0) -> str:
    """Return a chance as people say it; a number and its sign stay together.

    Examples
    --------
    >>> print(percent(0.347), percent(0.0123), percent(0.0123, 1), percent(0.0041), percent(0.0004))
    35 % 1 % 1.2 % 0.4 % 1 in 2,500
    >>> print(percent(0.9999), percent(1.0), percent(0.0))
    over 99 % 100 % 0 %
    """
    value = 100.0 * chance
    if 99.0 < value < 100.0:
        text = "over 99 %"
    elif value >= 1.0 or value == 0.0:
        text = f"{value:.{digits}f} %"
    elif value >= 0.1:
        text = f"{value:.1f} %"
    else:
        text = f"1 in {float(f'{1.0 / chance:.2g}'):,.0f}"
    return text.replace(" ", "\N{NO-BREAK SPACE}")


@dataclass(frozen=True)
class _Name:
    """An actor's name as it stands in the middle of a sentence."""

    middle: str

    @classmethod
    def of(cls, study: Study, key: str) -> _Name:
        title = study.actors[key].title or key.replace("_", " ").title()
        if title.casefold() in _ROLES:
            return cls(f"the {title.casefold()}")
        return cls(f"the {title}" if _ARTICLE.match(title) else title)

    def __str__(self) -> str:
        return self.middle

    @property
    def start(self) -> str:
        """The name at the start of a sentence."""
        return sentence(self.middle)

    @property
    def own(self) -> str:
        """Of the actor."""
        return self.middle + ("'" if self.middle.endswith("s") else "'s")


def seated(study: Study) -> tuple[_Name, _Name, _Name]:
    """Return the names of challenger, protégé and defender."""
    scenario = study.scenario
    a, b, c = (_Name.of(study, key) for key in (scenario.challenger, scenario.protege, scenario.defender))
    return a, b, c


class _Story:
    """The parts of a story, each a label for the margin and a paragraph."""

    def __init__(self, replay: Replay) -> None:
        self.replay = replay
        self.dispute = replay.dispute
        self.study = replay.study
        self.pact = replay.terms
        self.names = seated(replay.study)
        self.challenger, self.protege, self.defender = self.names
        self.waited = False  # whether it was said that the defender cannot act yet
        self.said: dict[int, str] = {}  # what each actor was last said to believe

    def text(self) -> str:
        title = heading(self.study, self.replay.pact, self.replay.name, self.dispute.seed)
        return laid_out(title, [*self._before(), *self._rounds(), *self._after()])

    # -- before the first move -------------------------------------------------------------------

    def _before(self) -> Iterator[tuple[str, str]]:
        gone = self.study.pacts[self.replay.pact].is_empty or self.replay.unbound == "ended"
        partner = "may help" if gone else f"is {self.protege.own} partner in the pact"
        words = f"{self.challenger.start} may challenge {self.protege}; {self.defender} {partner}. "
        words += f"{self._resolve()} In brackets: how likely a choice is"
        yield "The states", words + (", and what else was open." if self.dispute.opened else ".")
        dispute = self.dispute
        opener = self.names[dispute.origin]
        words = f"A dispute arises in which {opener} could open a crisis. {self._area()}{self._estimate()}"
        chance = dispute.opening if dispute.opened else 1.0 - dispute.opening
        bracket = f"({percent(chance)}{', a rare choice' if chance < RARE else ''})"
        if not dispute.opened:
            yield "Opening", f"{words}{opener.start} lets the occasion pass {bracket}. There is no crisis."
            return
        state = dispute.steps[0].state
        _, support, _ = ladder.unpack(state)
        since = "from the start" if support else "as yet"
        words += f"{opener.start} opens one {bracket}, with a threat. "
        words += f"{self.defender.start} {self._with(_STANDS, support)} {since}."
        yield "Opening", words + (self._calls(state) if self._active(state) else "")

    def _resolve(self) -> str:
        types = self.study.parameters.types
        if types == 1:
            return "How resolute each of them is, all know."
        knows = "Each alone knows how resolute it is, that is, how much the prize is worth to it"
        levels = [_RESOLVE[(2 * own + 1) * len(_RESOLVE) // (2 * types)] for own in self.dispute.types]
        each = [f"{name} is {level}" for name, level in zip(self.names, levels, strict=True)]
        return f"{knows}: this time {each[0]}, {each[1]}, and {each[2]}."

    def _area(self) -> str:
        if self.replay.unbound is not None:
            return _UNBOUND[self.replay.unbound]
        if not self._promises() or self.pact.coverage == 1.0:
            return ""
        hidden = ", which only the partners know" if self.pact.ambiguous else ""
        if self._in_scope():
            return f"The pact covers it{hidden}. "
        return f"The pact does not cover it{hidden}: no help is owed. "

    def _estimate(self) -> str:
        if self.pact.intelligence == 0.0:
            return ""
        rank = 2 * self.dispute.types[0] - (self.study.parameters.types - 1)
        taken = "resolute" if self.dispute.estimate else "irresolute"
        right = "" if rank == 0 else ", rightly" if (rank > 0) == (taken == "resolute") else ", wrongly"
        return f"The partners' shared intelligence takes {self.challenger} for {taken}{right}. "

    def _with(self, phrases: tuple[str, ...], support: int) -> str:
        return phrases[support].format(self.protege)

    # -- the obligation --------------------------------------------------------------------------

    def _promises(self) -> bool:
        return promises(self.study, self.pact)

    def _in_scope(self) -> bool:
        # a pact that covers nothing is solved as one without a promise, in which every dispute is alike
        return self.dispute.scope == 1 and self.pact.coverage > 0.0

    def _active(self, state: int) -> bool:
        """Return whether help is owed in a state."""
        rung, _, provoked = ladder.unpack(state)
        held = not provoked or self.pact.provoked_discount > 0.0
        return self._promises() and self._in_scope() and held and rung >= RUNGS.index(self.pact.trigger_rung)

    def _calls(self, state: int) -> str:
        """Return what the pact asks for from this state on."""
        _, support, provoked = ladder.unpack(state)
        required = SUPPORTS.index(self.pact.required_support)
        text = f" From here on the pact obliges {self.defender} {duty(self.study, self.pact)}"
        text += ", as it already does" if support >= required else ""
        if provoked and self.pact.provoked_discount < 1.0:
            began = "began the crisis" if self.dispute.origin == 1 else "was the first to use force"
            held = percent(self.pact.provoked_discount)
            text += f", though only {held} of that promise holds for a partner who {began}"
        return text + "."

    # -- the rounds ------------------------------------------------------------------------------

    def _rounds(self) -> Iterator[tuple[str, str]]:
        steps = self.dispute.steps
        rounds = [steps[start : start + 4] for start in range(0, len(steps), 4)]
        start = 0
        while start < len(rounds):
            stop = start
            while stop < len(rounds) and _quiet(rounds[stop]):
                stop += 1
            if stop > start:
                yield self._days(start, stop), self._pause(rounds[start:stop])
            else:
                stop = start + 1
                yield self._days(start, stop), " ".join(filter(None, map(self._decision, rounds[start])))
            start = stop

    def _pause(self, rounds: list[tuple[Step, ...]]) -> str:
        chance = 1.0
        for step in chain.from_iterable(rounds):
            chance *= step.chances[step.outcome]
        rung = ladder.unpack(rounds[0][0].state)[0]
        what = "Nobody goes further or gives way, and the war goes on" if rung >= _WAR else "Nobody moves"
        return (
            what + (f" for {spelt(len(rounds))} rounds" if len(rounds) > 1 else "") + f" ({percent(chance)})."
        )

    def _decision(self, step: Step) -> str:
        """Return a decision with its chances, what followed from it, and what the mover believed."""
        act = self._act(step)
        if not act:
            waits = step.stage == _DEFENDER and not self.waited
            self.waited = self.waited or waits
            return f"{self.defender.start} cannot act yet." if waits else ""
        chance = _wish(step, step.outcome)
        text = f"{act}."
        if step.stage != _DEFENDER or _can_move(step):
            kind = "event" if step.stage == _NATURE else "choice"
            rare = f", a rare {kind}" if chance < RARE else ""
            text = f"{act} ({percent(chance)}{rare}{self._others(step)})."
        if step.stage < _NATURE and step.outcome != ladder.HOLD:
            text += self._beliefs(step)
        if _voted(step):
            text += f" {self._vote(step)}."
        if not step.end and self._active(step.after) and not self._active(step.state):
            text += self._calls(step.after)
        elif not step.end and self._active(step.state) and not self._active(step.after):
            text += f" With {self.protege} the first to use force, no help is owed any more."
        return text

    def _act(self, step: Step) -> str:
        """Return what happens in a step, as a sentence without its end; empty if it is not worth telling."""
        rung, support, _ = ladder.unpack(step.state)
        if step.stage == _NATURE:
            return self._event(step)
        who = self.names[step.stage].start
        if step.stage == _DEFENDER:
            if not _can_move(step):
                return f"{who} fights on" if support == _FIGHTING else ""
            return f"{who} {self._stand(step)}"
        if step.outcome == ladder.HOLD:
            return f"{who} holds"
        if step.outcome == ladder.BACK_DOWN:
            return f"{who} {'backs down' if step.stage == _CHALLENGER else 'gives in'}"
        first = ", and so is the first to use force" if rung + 1 == _FORCE else ""
        return f"{who} escalates to {rung_name(rung + 1)}{first}"

    def _stand(self, step: Step) -> str:
        _, support, _ = ladder.unpack(step.state)
        if step.outcome == ladder.HOLD:
            return "holds"
        if step.outcome == ladder.BACK_DOWN:
            return "falls back to words" if support == _MILITARY else "withdraws its backing"
        return f"decides to {_RAISE[support]}" if _voted(step) else self._raised(step)

    def _raised(self, step: Step) -> str:
        """Return what it means that the defender's support has risen."""
        (rung, support, _), (higher, _, _) = ladder.unpack(step.state), ladder.unpack(step.after)
        if support < _MILITARY:
            return self._with(_STANDS, support + 1)
        lifted = f", which makes it a {rung_name(higher)}" if higher > rung else ""
        return f"enters the fight beside {self.protege}{lifted}"

    def _vote(self, step: Step) -> str:
        """Return how the vote went on what the defender decided."""
        chance = percent(step.chances[step.outcome] / _wish(step, step.outcome))
        passed = step.outcome == ladder.PASSED
        at_home = self.pact.legislature and ladder.unpack(step.state)[1] == _MILITARY
        if at_home and self.pact.coalition is not None:
            vote = f"The votes at home and in the coalition {'both pass' if passed else 'do not both pass'}"
        else:
            where = "at home" if at_home else "in the coalition"
            vote = f"The vote {where} {'passes' if passed else 'fails'}"
        return f"{vote} ({chance})" + (f", and {self.defender} {self._raised(step)}" if passed else "")

    def _event(self, step: Step) -> str:
        rung, support, _ = ladder.unpack(step.state)
        both = f" and {self.defender} win" if support == _FIGHTING else " wins"
        return {
            ladder.COOL: "The crisis cools down without a winner",
            ladder.WON: f"{self.protege.start}{both} the war",
            ladder.NOTHING: "The war goes on" if rung >= _WAR else "",
            ladder.ACCIDENT: f"By accident it comes to {rung_name(rung + 1)}",
            ladder.LOST: f"{self.challenger.start} wins the war",
        }[step.outcome]

    def _others(self, step: Step) -> str:
        """Return what else the mover could have done, with its chances."""
        if step.stage == _NATURE:
            return ""
        back = ("back down", "give in", "step back")[step.stage]
        _, support, _ = ladder.unpack(step.state)
        further = "escalate" if step.stage != _DEFENDER else _RAISE[min(support, _MILITARY)]
        listed = [
            f"{name} {percent(_wish(step, move))}"
            for move, name in enumerate((back, "hold", further))
            if move != min(step.outcome, ladder.ESCALATE) and _wish(step, move) >= _NIL
        ]
        return "; " + ", ".join(listed) if listed else ""

    def _beliefs(self, step: Step) -> str:
        """Return what the mover thinks of the others' resolve, unless it was said already."""
        if self.study.parameters.types == 1:
            return ""
        expected = self.replay.expected[self.dispute.steps.index(step)]
        (one, first), (two, second) = (
            (self.names[other], _lean(float(expected[other] / self.replay.usual[other])))
            for other in range(3)
            if other != step.stage
        )
        if first == second:
            said = f"both others {first} resolute than usual" if first else "the others as resolute as usual"
        elif first and second:
            said = f"{one} {first} resolute than usual, and {two} {second} so"
        else:
            said = f"{one if first else two} {first or second} resolute than usual"
        if self.said.get(step.stage) == said:
            return ""
        self.said[step.stage] = said
        return f" It thinks {said}."

    # -- the end, and what if --------------------------------------------------------------------

    def _after(self) -> Iterator[tuple[str, str]]:
        if self.dispute.opened:
            yield "Ending", self._ending(self.dispute) + self._help()
        if not self.replay.counterfactuals:
            return
        if self.replay.unbound not in (None, "no pact"):
            yield "What if", "The pact does not bind here, and so there is nothing to compare with."
            return
        if self.pact.is_empty:
            yield "What if", "There is no pact here, and so nothing to compare with."
            return
        words = (
            "Every decision is drawn as if by dice. Let the very same dice fall again while somebody decides "
        )
        words += "by other rules: the story changes only where the rules make a difference."
        before = " The years before stay as they were." if (self.replay.year or 0) > 1 else ""
        yield "What if", words + before
        ways: dict[str, list[str]] = {}
        for world, other in self.replay.counterfactuals.items():
            ways.setdefault(self._other_way(other), []).append(world)
        for way, labels in ways.items():
            yield "", f"– {self._if(labels)}: {way}"
        yield "In short", " ".join(self._verdict())

    def _if(self, labels: list[str]) -> str:
        conditions = {
            WITHOUT_PROMISE: f"{self.defender} decided as it would without the pact",
            WITHOUT_EMBOLDENMENT: f"{self.protege} decided as it would without the pact",
            NO_PACT: "there were no pact at all",
        }
        if labels[:2] == [WITHOUT_PROMISE, WITHOUT_EMBOLDENMENT]:
            conditions[WITHOUT_EMBOLDENMENT] = f"{self.protege} did"
        return "If " + ", or if ".join(conditions[label] for label in labels)

    def _ending(self, dispute: Dispute) -> str:
        rung, support, _ = ladder.unpack(dispute.state)
        days = f"{(dispute.steps[-1].round + 1) * self.study.parameters.round_days:g} days"
        end = ENDS[dispute.end]
        stance = f"{self.defender} {self._with(_STANDING, support)}"
        both = (
            f" and {self.defender} winning the war"
            if support == _FIGHTING
            else f" winning the war and {stance}"
        )
        how = {
            "withdrawal": f"with {self.challenger} backing down and {stance}",
            "concession": f"with {self.protege} giving in and {stance}",
            "compromise": f"without a winner, {stance}",
            "defeat": f"with {self.challenger} winning the war and {stance}",
            "victory": f"with {self.protege}{both}",
            "stalemate": f"with neither side giving way, {stance}",
            "general_war": f"in general nuclear war, {stance}",
        }[end]
        if end == "general_war":
            return f"It ends within {days} {how}."
        when = "is stuck after" if end == "stalemate" else "ends within"
        return f"It {when} {days} at {rung_name(rung)}, {how}."

    def _help(self) -> str:
        marks = self.dispute.marks
        if not marks & ladder.OBLIGATION_ACTIVE:
            return " Help is never owed." if self._promises() and self._in_scope() else ""
        if marks & ladder.SUPPORT_REACHED:
            return " Help is owed, and given."
        if marks & ladder.VOTE_BLOCKED:
            return " Help is owed, but a vote stands in its way."
        return f" Help is owed, and does not come: {self.protege} is abandoned."

    def _other_way(self, other: Dispute) -> str:
        """Return where another world parts from what happened, and how it ends there."""
        own = self.dispute
        opener = self.names[own.origin]
        if not other.opened:
            if not own.opened:
                return "nothing changes."
            chances = _instead(1.0 - other.opening, 1.0 - own.opening)
            return f"{opener} does not open a crisis ({chances})."
        start = ladder.unpack(other.steps[0].state)[1]
        if not own.opened:
            return f"{opener} opens a crisis ({_instead(other.opening, own.opening)}). {self._ending(other)}"
        begins = ""
        if start != ladder.unpack(own.steps[0].state)[1]:
            begins = f"{self.defender} {self._with(_STANDS, start)} at first; "
        for step, then in zip(own.steps, other.steps, strict=False):
            if (step.outcome, _effect(step)) != (then.outcome, _effect(then)):
                return f"{begins}{self._parting(step, then)} {self._ending(other)}"
        return f"{begins}all else goes the same way." if begins else "nothing changes."

    def _parting(self, step: Step, then: Step) -> str:
        """Return what another world has in the place of a step."""
        act = self._act(then)
        if not act:
            act = "Nothing happens" if then.stage == _NATURE else f"{self.defender.start} cannot act yet"
        act = re.sub("^(The|By|Nothing) ", lambda first: first[0].lower(), act)
        now, before = _wish(then, then.outcome), _wish(step, then.outcome)
        if then.stage == _DEFENDER and not _can_move(then):
            chances = ""
        elif step.state == then.state:
            chances = f" ({_instead(now, before)})"
        else:
            chances = f" ({percent(now)})"
        if _voted(then):
            chances += ". " + self._vote(then)
        when = self._days(then.round, then.round + 1).replace("D", "d", 1)
        until = "all goes the same way until " if then.round or then.stage else ""
        joint = f"{until}{when}, when {act}" if until else f"on {when}, {act}"
        return f"{joint}{chances}."

    def _verdict(self) -> Iterator[str]:
        replay, own, empty = self.replay, self.dispute, self.replay.counterfactuals[NO_PACT]
        defender, protege = self.defender, self.protege
        if fights(own):
            rules = "deciding as it would without the pact, it would"
            if replay.entangled:
                yield f"{defender.start} is entangled: {rules} not fight."
            else:
                yield f"{defender.start} is not entangled: {rules} fight too."
            theirs = f"had {protege} decided as without the pact, {defender} would"
            if replay.entrapped:
                yield f"It is {'also ' if replay.entangled else ''}entrapped: {theirs} not fight."
            else:
                yield f"It is not entrapped: {theirs} fight too."
        elif fights(empty):
            yield f"The pact keeps {defender} out of the fight."
        elif war(own):
            yield f"{defender.start} does not fight."
        if war(own):
            yield (
                "The war would come without the pact, too."
                if war(empty)
                else "Without the pact this war would not come."
            )
        elif war(empty):
            yield "The pact averts a war."
        elif own.opened != empty.opened:
            yield "Without the pact there would be no crisis." if own.opened else "The pact averts a crisis."
        elif all(_course(other) == _course(own) for other in replay.counterfactuals.values()):
            yield NO_DIFFERENCE
        else:
            yield "Without the pact there would be a crisis, too, and no war either."

    def _days(self, first: int, beyond: int) -> str:
        """Return the days of the rounds from `first` to before `beyond`."""
        length = self.study.parameters.round_days
        start, end = first * length, beyond * length
        if length != int(length):
            return f"Days {start:g}–{end:g}"
        return f"Days {start + 1:g}–{end:g}" if end - start > 1 else f"Day {end:g}"


def _instead(now: float, before: float) -> str:
    """Return a chance beside the one that it replaces, with a digit more where they would look alike."""
    texts = percent(now), percent(before)
    if texts[0] == texts[1]:
        texts = percent(now, 1), percent(before, 1)
    return " instead of ".join(texts)


def rung_name(rung: int) -> str:
    """Return a rung as it stands in a sentence, with its article."""
    name = RUNGS[rung].replace("_", " ")
    return f"a {name}" if RUNGS[rung] in ("dispute", "threat", "show_of_force") else name


def _lean(ratio: float) -> str:
    """Return how an expected stake compares with the usual one; empty if it hardly differs."""
    size = max(ratio, 1.0 / ratio)
    if size < 1.05:
        return ""
    degree = "a little " if size < 1.15 else "far " if size > 1.5 else ""
    return degree + ("more" if ratio > 1.0 else "less")


def _can_move(step: Step) -> bool:
    return step.chances[ladder.HOLD] < 1.0


def _wish(step: Step, outcome: int) -> float:
    """Return the chance of an outcome; what the defender wishes counts, whatever becomes of it in a vote."""
    if step.stage == _DEFENDER and outcome >= ladder.BLOCKED_VOTE:
        return step.chances[ladder.BLOCKED_VOTE] + step.chances[ladder.PASSED]
    return step.chances[outcome]


def _voted(step: Step) -> bool:
    """Return whether what the defender decided went through a vote, at home or in a coalition."""
    raised = step.stage == _DEFENDER and step.outcome >= ladder.BLOCKED_VOTE
    return raised and step.chances[ladder.BLOCKED_VOTE] > 0.0


def _effect(step: Step) -> tuple[int, int, int]:
    """Return by how much a step raises the rung and the support, and how it ends the crisis."""
    before, after = ladder.unpack(step.state), ladder.unpack(step.after)
    return after[0] - before[0], after[1] - before[1], step.end


def _course(dispute: Dispute) -> tuple[int, list[int]]:
    """Return how a dispute begins, and every outcome in it."""
    return (dispute.steps[0].state if dispute.opened else -1), [step.outcome for step in dispute.steps]


def _quiet(steps: tuple[Step, ...]) -> bool:
    """Return whether nothing worth telling happens in a round."""
    if len(steps) < 4 or steps[3].outcome != ladder.NOTHING:
        return False
    return all(step.outcome == ladder.HOLD and step.chances[ladder.HOLD] >= RARE for step in steps[:3])
