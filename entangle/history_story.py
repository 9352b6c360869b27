"""A history as a story: quiet years in a line, disputes in a paragraph each, and what became of the pact.

Plain English for readers who have never seen the model, in the words of :mod:`entangle.story`. What is told
of a dispute beyond how it ended comes from its replay, which tells it move by move.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import numpy as np

from entangle.between import between
from entangle.history import History
from entangle.horizon import losses, prizes
from entangle.kept import PARTNERS, RIVALS
from entangle.replay import Replay, fights, war
from entangle.story import (
    NO_DIFFERENCE,
    RARE,
    duty,
    ending,
    heading,
    laid_out,
    percent,
    promises,
    rung_name,
    seated,
    sentence,
    spelt,
    verdict,
)
from entangle.vocabulary import CAUSES, RUNGS, SEATS
from entangle_kernels import ladder

#: A relative change that is told of, of strengths and of efforts.
TOLD: Final = 0.05
#: Renewals that are counted up; more are only said to go on.
_LISTED: Final = 3
#: A cost that is not worth telling, and a share of which a digit more is told.
_SLIGHT: Final = 0.005
_SMALL: Final = 0.1
_THREAT: Final = RUNGS.index("threat")

#: How the pact stands where it does not bind.
_STANDS: Final = {
    "outside": "; the pact does not cover it",
    "suspended": "; the pact is suspended",
    "ended": "; the pact is over",
    "no pact": "",
}
_TIMES: Final = ("never", "once", "twice")


def tell(history: History) -> str:
    """Return the story of a history, in plain text of at most 80 columns."""
    which = f"history {history.trajectory:,}"
    title = heading(history.study, history.pact, which, history.seed)
    return laid_out(title, list(_Story(history).parts()))


class _Story:
    """The parts of a history's story, each a label for the margin and a paragraph."""

    def __init__(self, history: History) -> None:
        self.history = history
        self.study = history.study
        self.steadfast = bool(history.data.steadfast)
        self.values = {
            str(name): variable.values
            for name, variable in history.data.data_vars.items()
            if "year" in variable.dims
        }
        self.terms = history.study.pacts[history.pact]
        self.peace = between(history.study, history.pact)
        self.names = seated(history.study)
        self.challenger, self.protege, self.defender = self.names
        scenario = history.study.scenario
        seats = scenario.challenger, scenario.protege, scenario.defender
        self.actors = [history.study.actors[key] for key in seats]
        # what was last told of strengths and efforts, to tell what has changed since
        self.strengths = list(self._strengths(np.ones(3)))
        self.effort = np.array([actor.effort or 1.0 for actor in self.actors])

    def parts(self) -> Iterator[tuple[str, str]]:
        yield "The states", self._states()
        if not self.terms.is_empty:
            yield "The pact", self._pact()
        yield from self._years()
        yield "At the end", self._end()
        if not self.terms.is_empty:
            yield "The pact" if self.history.ended is None else "Why it ended", self._fate()
        yield "In short", self._short()

    # -- before the first year -------------------------------------------------------------------

    def _states(self) -> str:
        partner = "may help" if self.terms.is_empty else f"is {self.protege.own} partner in the pact"
        text = f"{self.challenger.start} may challenge {self.protege}; {self.defender} {partner}. "
        protege, defender = self.strengths
        text += (
            f"At the start {self.protege.own} strength is {_part(protege)} of {self.challenger.own}, and "
            f"{self.defender.own} {_part(defender)}. "
        )
        if self._kinds():
            kind, likely = ("steadfast", "more") if self.steadfast else ("wavering", "less")
            belief = percent(self.study.peacetime.belief)
            text += (
                f"{self.defender.start} is {kind}, and so {likely} likely to be resolute. Nobody can see "
                f"which it is; at the start the others give {belief} to its being steadfast. "
            )
        return text + "In brackets: how likely a choice is."

    def _kinds(self) -> bool:
        """Return whether it makes a difference what kind of defender it is."""
        return self.study.peacetime.tilt > 0.0 and self.study.parameters.types > 1

    def _pact(self) -> str:
        terms = self.terms
        if promises(self.study, terms) and terms.coverage > 0.0:
            trigger = RUNGS.index(terms.trigger_rung)
            when = "in any crisis" if trigger <= _THREAT else f"once a crisis reaches {rung_name(trigger)}"
            covered = "" if terms.coverage == 1.0 else f", in {percent(terms.coverage)} of all disputes"
            text = f"The pact obliges {self.defender} {duty(self.study, terms)} {when}{covered}. "
        else:
            text = f"The pact obliges {self.defender} to nothing. "
        exits = list(self._exits())
        return text + (f"It {_listed(exits)}." if exits else "It says nothing of its end.")

    def _exits(self) -> Iterator[str]:
        """Yield how the pact can end or be suspended."""
        peace = self.peace
        if peace.term:
            yield f"is made for {_years(peace.term)} at a time"
        if peace.review:
            yield f"is reviewed every {_years(peace.review) if peace.review > 1 else 'year'}"
        if peace.notice >= 0:
            notice = "a year's notice", f"{_years(peace.notice)}' notice"
            yield f"can be left at {notice[peace.notice > 1] if peace.notice else 'once'}"
        if peace.suspension:
            yield f"is suspended for {_years(peace.suspension)} after a breach"

    # -- the years -------------------------------------------------------------------------------

    def _years(self) -> Iterator[tuple[str, str]]:
        quiet: list[int] = []
        for year in range(1, self.history.years + 1):
            happened = [*self._dispute(year), *self._life(year)]
            if not happened:
                quiet.append(year)
                continue
            if quiet:
                yield self._quiet(quiet)
                quiet = []
            calm = "" if year in self.history.disputes else "No dispute arises. "
            yield f"Year {year}", calm + " ".join([*happened, *self._renewed([year])])
        if quiet:
            yield self._quiet(quiet)

    def _quiet(self, years: list[int]) -> tuple[str, str]:
        """Return what changes in years without a dispute and without news of the pact."""
        changes = [*self._balance(years[-1]), *self._efforts(years[-1]), *self._renewed(years)]
        label = f"Year {years[0]}" if len(years) == 1 else f"Years {years[0]}–{years[-1]}"
        return label, " ".join(["No dispute arises.", *changes] if changes else [_UNMOVED])

    def _balance(self, year: int) -> Iterator[str]:
        """Yield how strengths have changed since they were last told, if they have."""
        moved: list[str] = []
        last = ""
        for i, is_ in enumerate(self._strengths(self._of("capability", year))):
            was = self.strengths[i]
            if _differ(was, is_, _part):
                what = f"{self.names[i + 1].own}{'' if moved else ' strength'}"
                way = "rises" if is_ > was else "falls"
                verb = "" if way == last else f" {way}"
                of = "" if moved else f" of {self.challenger.own}"
                moved.append(f"{what}{verb} from {_part(was)} to {_part(is_)}{of}")
                last = way
                self.strengths[i] = is_
        if moved:
            yield sentence(", and ".join(moved)) + "."

    def _efforts(self, year: int) -> Iterator[str]:
        """Yield how efforts have changed since they were last told, if they have."""
        now = self._of("effort", year)
        spent: list[str] = []
        moved: list[str] = []
        for i, actor in enumerate(self.actors):
            was, is_ = float(self.effort[i]), float(now[i])
            if not _differ(was, is_, _spent):
                continue
            self.effort[i] = is_
            if actor.effort > 0.0:
                of, on = ("", "") if spent else (" of GDP", " on defence")
                before = f"({_spent(was)}{'' if spent else ' before'})"
                verb = "" if spent else " spends"
                spent.append(f"{self.names[i]}{verb} {_spent(is_)}{of}{on} {before}")
            else:
                verb = "raises" if is_ > was else "cuts"
                moved.append(f"{self.names[i]} {verb} its defence effort by {percent(abs(is_ / was - 1.0))}")
        for part in (spent, moved):
            if part:
                yield sentence(_listed(part)) + "."

    def _renewed(self, years: Sequence[int]) -> Iterator[str]:
        """Yield in which of these years the term was over and both partners renewed the pact."""
        term = self.peace.term
        renewed = [
            year
            for year in years
            if term
            and year % term == 0
            and self._of("pact_status", year) != "ended"
            # the term of a pact that is under notice is over, too, but nobody would call that renewal
            and self._of("notice_years", year) < 0
        ]
        if not renewed:
            return
        if len(renewed) > _LISTED:
            yield "The pact is renewed each time its term is over."
        else:
            which = f"year {renewed[0]}" if len(renewed) == 1 else f"years {_listed(renewed)}"
            yield f"The pact is renewed in {which}." if len(years) > 1 else "The pact is renewed."

    # -- a dispute -------------------------------------------------------------------------------

    def _dispute(self, year: int) -> Iterator[str]:
        replay = self.history.disputes.get(year)
        if replay is None:
            return
        dispute = replay.dispute
        opener = self.names[dispute.origin]
        binds = "; the pact covers it" if self.terms.coverage < 1.0 else "; the pact is in force"
        stands = binds if replay.unbound is None else _STANDS[replay.unbound]
        chance = dispute.opening if dispute.opened else 1.0 - dispute.opening
        does = "opens a crisis" if dispute.opened else "lets the occasion pass"
        yield f"A dispute arises for {opener}{stands}. {opener.start} {does} {_bracket(chance)}."
        if dispute.opened:
            yield ending(replay)
        said = verdict(replay)
        if said and said != NO_DIFFERENCE:
            yield said
        if dispute.opened:
            yield from self._left(year, replay)
            yield from self._heard(year)

    def _left(self, year: int, replay: Replay) -> Iterator[str]:
        """Yield what a crisis costs, and whom it leaves aggrieved."""
        rung, _, _ = ladder.unpack(replay.dispute.state)
        lost = losses(self.study.peacetime)[:, rung]
        lost[2] *= fights(replay.dispute)
        lost[:2] -= prizes(self.study.peacetime)[:, replay.dispute.end]
        change = np.expm1(-lost)
        costs = [(name, -by) for name, by in zip(self.names, change, strict=True) if by <= -_SLIGHT]
        gains = [
            f"{name} gains {percent(by)}"
            for name, by in zip(self.names, change, strict=True)
            if by >= _SLIGHT
        ]
        parts = []
        if costs:
            whose = "its" if len(costs) == 1 else "their"
            if len(costs) > 1 and len({percent(by) for _, by in costs}) == 1:
                listed, each = f"{_listed(name for name, _ in costs)} {percent(costs[0][1])}", " each"
            else:
                listed, each = _listed(f"{name} {percent(by)}" for name, by in costs), ""
            parts.append(f"it costs {listed} of {whose} strength{each}")
        if gains:
            parts += gains if costs else [f"{gains[0]} in strength"]
        if parts:
            yield sentence(", and ".join(parts)) + "."
        if self.study.peacetime.grievance_step > 0.0:
            moved, now = self.peace.grievance[:, replay.dispute.end], self._of("grievance", year)
            for i in range(len(RIVALS)):
                if moved[i] > 0 and now[i] > 0:
                    yield f"{self.names[i].start} bears a grudge."

    def _heard(self, year: int) -> Iterator[str]:
        """Yield how the belief about the defender moves by what it does."""
        if year == self.history.years or not self._kinds():
            return
        was, is_ = self._of("belief", year), self._of("belief", year + 1)
        if percent(was) != percent(is_):
            now = f"The others now give {percent(is_)} to {self.defender} being steadfast"
            yield f"{now} ({percent(was)} before)."

    # -- the life of the pact --------------------------------------------------------------------

    def _life(self, year: int) -> Iterator[str]:
        """Yield what becomes of the pact in a year, but for renewals."""
        was, status = self._status_before(year), self._of("pact_status", year)
        if was == "ended":
            return
        if was == "suspended" and status == "in_force":
            yield "The suspension is over, and the pact is in force again."
        if was == "in_force" and status == "suspended":
            yield f"For this breach the pact is suspended for {_years(self._of('pause_years', year))}."
        if self._of("renegotiated", year):
            unwilling = self._unwilling(year, "to go on")
            over = self.terms.term_years is not None and year % math.ceil(self.terms.term_years) == 0
            when = "As the term ends" if over else "At the review"
            yield f"{when}, {unwilling}; terms are renegotiated, and the pact goes on."
        left = self._of("notice_years", year)
        if left > 0 and self._notice_year() == year:
            yield f"{self._gives_notice(year)}: the pact is to end with year {year + left}."
        cause = self._of("pact_ended_by", year)
        if cause != CAUSES[0]:
            yield self._ends(year, cause)

    def _ends(self, year: int, cause: str) -> str:
        """Return how the pact ends in a year."""
        if cause == "breach":
            chance = self._chance(year, "protege")
            return f"Left alone, {self.protege} leaves the pact {_bracket(chance)}, and with that it ends."
        if cause == "lapse":
            talks = ", no new terms are found" if self.terms.renegotiation else ""
            return f"The term is over: {self._unwilling(year, 'to renew the pact')}{talks}, and it lapses."
        if cause == "review":
            talks = ", and no new terms are found" if self.terms.renegotiation else ""
            return f"At the review, {self._unwilling(year, 'to go on')}{talks}: the pact ends."
        if cause.startswith("abrogated"):
            partner = cause.removeprefix("abrogated_by_")
            wish = f"no longer wishes to keep the pact {_bracket(self._chance(year, partner))}"
            return f"{self._partner(partner).start} {wish} and abrogates it against its terms: the pact ends."
        given = self._notice_year()
        if given == year:
            return f"{self._gives_notice(year)}: the pact ends at once."
        own = sentence(self._partner(self._of("notice_by", year)).own)
        return f"{own} notice of year {given} runs out, and the pact ends."

    def _gives_notice(self, year: int) -> str:
        partner = self._of("notice_by", year)
        chance = _bracket(self._chance(year, partner))
        return f"{self._partner(partner).start} no longer wishes to keep the pact {chance} and gives notice"

    def _unwilling(self, year: int, what: str) -> str:
        """Return which partners do not wish to go on, with the chance of that."""
        out = self._out(year)
        chances = [self._chance(year, name) for name in out]
        if len(out) == 2:
            return f"neither partner wishes {what} ({' and '.join(map(percent, chances))})"
        return f"{self._partner(out[0])} does not wish {what} {_bracket(chances[0])}"

    def _chance(self, year: int, partner: str) -> float:
        return float(self._of("wants_out_probability", year)[PARTNERS.index(partner)])

    def _out(self, year: int) -> list[str]:
        """Return which partners do not wish to keep the pact."""
        return [role for role, out in zip(PARTNERS, self._of("wants_out", year), strict=True) if out]

    def _notice_year(self) -> int:
        """Return the year in which notice was given, if it ever was: it is given once."""
        given = np.flatnonzero(self.values["notice_by"] != "")
        return int(given[0]) + 1 if given.size else 0

    def _partner(self, role: str) -> Any:
        return self.names[SEATS.index(role)]

    def _status_before(self, year: int) -> str:
        if year == 1:
            return "ended" if self.terms.is_empty else "in_force"
        return str(self._of("pact_status", year - 1))

    # -- the end ---------------------------------------------------------------------------------

    def _end(self) -> str:
        last = self.history.years
        first, now = self._strengths(np.ones(3)), self._strengths(self._of("capability", last))
        text = (
            f"In year {last} {self.protege.own} strength is {_part(now[0])} of {self.challenger.own} "
            f"({_part(first[0])} at the start), and {self.defender.own} {_part(now[1])} ({_part(first[1])}). "
        )
        spent: list[str] = []
        for name, actor, effort in zip(self.names, self.actors, self._of("effort", last), strict=True):
            if actor.effort > 0.0:
                share, was = _spent(float(effort)), _spent(actor.effort)
                spent.append(
                    f"{name} {share} ({was})"
                    if spent
                    else f"{name} spends {share} of its GDP on defence ({was} at the start)"
                )
        if spent:
            text += f"{sentence(_listed(spent))}. "
        if self._kinds():
            right = "is" if self.steadfast else "is not"
            belief = percent(self._of("belief", last))
            text += f"The others give {belief} to {self.defender} being steadfast, which it {right}."
        return text.rstrip()

    def _fate(self) -> str:
        """Return whether, when and why the pact ended, and what led there."""
        last = self.history.years
        if self.history.ended is None:
            left, pause = self._of("notice_years", last), self._of("pause_years", last)
            stands = "still in force"
            if pause:
                stands = f"suspended for another {_years(pause) if pause > 1 else 'year'}"
            text = f"After {_years(last)} the pact is {stands}"
            if left > 0:
                giver = self._partner(self._of("notice_by", last))
                text += f", and under notice by {giver}: {_years(left)} {'are' if left > 1 else 'is'} left"
            return f"{text}. {self._called(self.history.years, 'In all that time')}".strip()
        year, cause = self.history.ended
        given = self._notice_year() if cause.startswith("notice") else year
        out = ["protege"] if cause == "breach" else self._out(given)
        unwilling = "neither partner wished" if len(out) == 2 else f"{self._partner(out[0])} did not wish"
        why = {
            "breach": f"{self.protege} left after help that it was owed had not come",
            "lapse": f"its term was over, and {unwilling} to renew it",
            "review": f"at the review {unwilling} to go on",
        }.get(cause)
        if why is None:
            how, out = cause.split("_by_")[0], [cause.split("_by_")[1]]
            did = "gave notice" if how == "notice" else "abrogated it against its terms"
            why = f"{self._partner(out[0])} {did}" + (f" in year {given}" if given != year else "")
        until = "Until then" if given == year else "Until the notice"
        parts = [f"The pact ended in year {year}: {why}.", *self._likelier(out, given)]
        return " ".join(filter(None, [*parts, self._called(given, until)]))

    def _likelier(self, roles: list[str], year: int) -> Iterator[str]:
        """Yield whether partners were likelier to want out in a year than in the first."""
        for role in roles if year > 1 else []:
            name, was, is_ = self._partner(role).start, self._chance(1, role), self._chance(year, role)
            if percent(was) == percent(is_):
                yield f"{name} was as likely to want out then as in year 1 ({percent(is_)})."
            else:
                how = "likelier" if is_ > was else "less likely"
                yield f"{name} was {how} to want out then ({percent(is_)}) than in year 1 ({percent(was)})."

    def _called(self, until: int, when: str) -> str:
        """Return how often help was owed up to a year, and whether it came."""
        if not promises(self.study, self.terms):
            return ""
        owed, given, blocked = (
            int(self.values[name][:until].sum()) for name in ("owed", "help_given", "blocked")
        )
        if not owed:
            return f"{when} help was never owed."
        came = f"given {_times(given)}" if given else "never given"
        text = f"{when} help was owed {_times(owed)} and {came}"
        return text + (f"; {_times(blocked)} a vote stood in its way." if blocked else ".")

    def _short(self) -> str:
        replays = self.history.disputes.values()
        crises = sum(found.dispute.opened for found in replays)
        wars = sum(war(found.dispute) for found in replays)
        fought = sum(fights(found.dispute) for found in replays)
        entangled = sum(found.entangled for found in replays)
        if not replays:
            return f"{sentence(_years(self.history.years))} without a dispute."
        counts = [_many(len(replays), "dispute"), _many(crises, "crisis"), _many(wars, "war")]
        text = f"{sentence(_years(self.history.years))}, {_listed(counts)}."
        if not fought:
            return f"{text} {self.defender.start} never fights." if wars else text
        text += f" {self.defender.start} fights {_times(fought)}"
        if not promises(self.study, self.terms):
            return f"{text}."
        if not entangled:
            return f"{text}, and not because of its promise."
        return f"{text}, {'' if fought == 1 else f'{_times(entangled)} '}because of its promise."

    # -- figures ---------------------------------------------------------------------------------

    def _of(self, name: str, year: int) -> Any:
        """Return a variable of the history in a year."""
        return self.values[name][year - 1]

    def _strengths(self, capability: Any) -> tuple[float, float]:
        """Return the protégé's and the defender's capability as a share of the challenger's."""
        own = [actor.capability * float(now) for actor, now in zip(self.actors, capability, strict=True)]
        return own[1] / own[0], own[2] / own[0]


_UNMOVED: Final = "No dispute arises, and little changes."


def _part(strength: float) -> str:
    """Return a strength as a share of another's; of a small one a digit more."""
    return percent(strength, 1 if strength < _SMALL else 0)


def _spent(effort: float) -> str:
    return percent(effort, 1)


def _differ(was: float, is_: float, shown: Callable[[float], str]) -> bool:
    """Return whether a figure has changed enough to be told of, and would be told otherwise."""
    return abs(math.log(is_ / was)) >= TOLD and shown(was) != shown(is_)


def _bracket(chance: float) -> str:
    return f"({percent(chance)}{', a rare choice' if chance < RARE else ''})"


def _listed(parts: Any) -> str:
    """Return parts joined by commas and a last "and"."""
    *most, last = map(str, parts)
    return f"{', '.join(most)} and {last}" if most else last


def _years(number: int) -> str:
    return _many(number, "year")


def _many(number: int, what: str) -> str:
    plural = "crises" if what == "crisis" else f"{what}s"
    return f"{spelt(number)} {what if number < 2 else plural}"


def _times(number: int) -> str:
    return _TIMES[number] if number < len(_TIMES) else f"{spelt(number)} times"
