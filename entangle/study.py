"""A study: pacts to compare, the actors they bind, the scenario, and the structural parameters."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self, overload

from pydantic import Field, ValidationError, model_validator

from entangle import toml
from entangle.actor import Actor, Scenario
from entangle.base import Frozen, Table, Text, broken_rule
from entangle.errors import Problem, StudyError, nearest, problems_from_pydantic
from entangle.pact import Pact
from entangle.parameters import Parameters
from entangle.peacetime import Peacetime

if TYPE_CHECKING:
    from concurrent.futures import Executor

    import xarray as xr
    from distributed import Client

    from entangle.decades_result import Decades
    from entangle.dry_run import DryRun
    from entangle.ensemble import Ensemble
    from entangle.journal.folder import Journal
    from entangle.result import Result
    from entangle.sampling import GivenOutcome
    from entangle.shards import Shard


#: A relative error to stop at.
RelativeError = Annotated[float, Field(gt=0.0, lt=1.0, allow_inf_nan=False)]


class Simulation(Table):
    """How much to simulate when the caller does not say."""

    trajectories: Annotated[int, Field(ge=1, le=2**48)] = Field(
        default=1_000_000, description="disputes to simulate for each pact, 1 to 2^48"
    )
    histories: Annotated[int, Field(ge=1, le=2**48)] = Field(
        default=100_000, description="histories of years to play for each pact, 1 to 2^48"
    )
    seed: Annotated[int, Field(ge=0, lt=2**64)] = Field(
        default=1, description="key of the random numbers, 0 to 2^64 - 1"
    )
    confidence: Annotated[float, Field(gt=0.5, lt=1.0, allow_inf_nan=False)] = Field(
        default=0.95, description="confidence of the intervals, between 0.5 and 1"
    )
    until: Frozen[RelativeError] | None = Field(
        default=None,
        description="relative error at which an outcome is known well enough: the run ends when each is, "
        "under every pact that allows it, and `trajectories` is the most that it takes",
    )
    attribution: bool = Field(
        default=True,
        description="whether to compare trajectories between pacts, and with what would have been without",
    )

    @model_validator(mode="after")
    def _outcomes(self) -> Self:
        if self.until is None:
            return self
        from entangle.outcomes import OUTCOMES  # heavy, and seldom needed here

        names = [outcome.name for outcome in OUTCOMES]
        for name in self.until:
            if name not in names:
                raise broken_rule(
                    ("until", name),
                    rule="must name an outcome",
                    got=name,
                    do=nearest(name, names) or f"Use one of {', '.join(names)}",
                )
        return self


class Study(Table):
    """A scenario, the pacts to compare in it, and what is assumed about how crises work.

    Examples
    --------
    >>> study = Study.load("configs/baseline.toml")  # doctest: +SKIP
    >>> study.exact().data.probability.sel(pact="treaty", outcome="war")  # doctest: +SKIP
    """

    title: Text | None = Field(default=None, description="the study's name in print")
    description: Text | None = Field(default=None, description="what the study asks, in a sentence")
    assumptions: Annotated[tuple[Text, ...], Field(strict=False)] = Field(
        default=(), description="what the study as a whole assumes, one sentence each"
    )
    scenario: Scenario = Field(description="who sits where and what surrounds them")
    actors: Frozen[Actor] = Field(description="the states, by name")
    pacts: Frozen[Pact] = Field(description="the pacts to compare, by name; an empty one is no pact")
    parameters: Parameters = Field(
        default=Parameters(), description="structural parameters of the crisis game"
    )
    peacetime: Peacetime = Field(default=Peacetime(), description="what moves in the years between crises")
    simulation: Simulation = Field(default=Simulation(), description="how much to simulate")

    # -- reading and writing ---------------------------------------------------------------------

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a study from a TOML file.

        Raises
        ------
        StudyError
            If anything in the file breaks a rule; lists every problem with its line.
        """
        data, text = toml.read(path)
        try:
            return cls.from_dict(data)
        except StudyError as error:
            raise StudyError(toml.with_lines(error.problems, text), str(path)) from None

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return the study that plain data (from TOML or JSON) describes, validated as a whole."""
        try:
            return cls.model_validate(dict(data))
        except ValidationError as error:
            raise StudyError(problems_from_pydantic(error, cls)) from None

    def save(self, path: str | Path, *, comment: str = "") -> None:
        """Write the study as TOML, whole or not at all, with `comment` at its head."""
        toml.write(path, self.to_dict(), comment=comment)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of everything that can move a number, as hexadecimal text."""
        whole = self.model_dump(mode="json", exclude={"simulation"})
        text = json.dumps(_without_words(whole), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    # -- asking ----------------------------------------------------------------------------------

    def exact(self) -> Result:
        """Solve every pact's game and return the exact probabilities of its outcomes.

        Raises
        ------
        ConvergenceError
            If a pact's equilibrium could not be found; says the residual.
        """
        from entangle.engine import exact

        return exact(self)

    def channels(self, *, pacts: Iterable[str] | None = None, workers: int | None = None) -> xr.Dataset:
        """Return what each pact changes, divided over the channels through which it does.

        These are how the challenger chooses (deterrence), how the protégé does (emboldenment), what the
        defender owes and how it chooses (obligation), and the material terms (capability). Exact, and nothing
        is simulated; :func:`entangle.plot.waterfall` draws it.

        Parameters
        ----------
        pacts
            Names of the pacts; all if not given.
        workers
            Threads; the processors available if not given.

        Returns
        -------
        xarray.Dataset
            See :func:`entangle.channels.channels`.

        Raises
        ------
        StudyError
            If there is no pact of such a name.
        ConvergenceError
            If an equilibrium could not be found; says the residual.
        """
        from entangle.channels import channels

        return channels(self, pacts=pacts, workers=workers)

    @overload
    def run(
        self,
        *,
        trajectories: int | None = None,
        seed: int | None = None,
        until: Mapping[str, float] | None = None,
        attribution: bool | None = None,
        draws: None = None,
        posterior: None = None,
        executor: Executor | Client | None = None,
        workers: int | None = None,
        progress: Callable[[int, int], None] | None = None,
        journal: str | Path | None = None,
    ) -> Result: ...

    @overload
    def run(
        self,
        *,
        trajectories: int | None = None,
        seed: int | None = None,
        until: None = None,
        attribution: bool | None = None,
        draws: int,
        posterior: xr.DataTree | str | Path | None = None,
        executor: Executor | Client | None = None,
        workers: int | None = None,
        progress: Callable[[int, int], None] | None = None,
        journal: str | Path | None = None,
    ) -> Ensemble: ...

    def run(
        self,
        *,
        trajectories: int | None = None,
        seed: int | None = None,
        until: Mapping[str, float] | None = None,
        attribution: bool | None = None,
        draws: int | None = None,
        posterior: xr.DataTree | str | Path | None = None,
        executor: Executor | Client | None = None,
        workers: int | None = None,
        progress: Callable[[int, int], None] | None = None,
        journal: str | Path | None = None,
    ) -> Result | Ensemble:
        """Simulate crises under every pact and return counts with intervals beside the exact values.

        Parameters
        ----------
        trajectories
            Disputes to simulate for each pact; the study's own number if not given. With `draws`, those of
            each draw, and if not given at most 100,000 (:data:`entangle.drawn.TRAJECTORIES`).
        seed
            Key of the random numbers; the study's own if not given.
        until
            Relative error at which each of these outcomes is known well enough, such as
            ``{"defender_fights": 0.05}``: the run ends, after a whole block, when all of them are so at the
            study's confidence under every pact that allows them. `trajectories` is then the most it takes.
            The confidence is true although the run looks at what it stops on; see :mod:`entangle.stopping`.
            Not with `draws`.
        attribution
            Whether to compare trajectories between pacts and with what would have been without; the
            study's own choice if not given. It costs about as much as half the simulation itself. With
            `draws` and without attribution nothing is simulated: all else is exact.
        draws
            Draws of the structural parameters, the first ones of `posterior`. The result then has a
            dimension ``draw``, and tells what the parameters leave open from what counting does. What the
            study's table [parameters] sets stays as it is in every draw.
        posterior
            A fit or its file; the one that comes with the package if not given.
        executor
            A :class:`concurrent.futures.Executor` or a :class:`distributed.Client` to run blocks on;
            threads of this process if not given. The result has the same bits whichever it is.
        workers
            Number of threads when no executor is given; the processors available if not given.
        progress
            Called with (blocks done, blocks in all) after each block; with `draws`, with (draws done, draws
            in all) after each draw.
        journal
            Folder in which blocks (with `draws`, draws) are kept as they are done, so that a run that ended
            before its time goes on where it was: with the same call, or :func:`entangle.resuming.resume`. It
            is made if it is not there. See ``docs/clusters.md``.

        Returns
        -------
        Result or Ensemble
            An :class:`~entangle.ensemble.Ensemble` if `draws` is given.

        Raises
        ------
        StudyError
            If an argument breaks a rule.
        ConvergenceError
            If a pact's equilibrium could not be found; says the residual. With `draws`, a draw without a
            solution is left out instead, and told.
        RunError
            If more than half of the draws have no solution, the executor failed, or the journal cannot be
            written.
        JournalError
            If the journal is damaged, foreign or of another plan.
        """
        keeper = _keeper(journal)
        asked = self.asked(
            trajectories=trajectories, seed=seed, until=until, attribution=attribution, draws=draws
        )
        if draws is not None:
            from entangle import drawn

            return drawn.run(
                asked,
                draws=draws,
                posterior=posterior,
                executor=executor,
                workers=workers,
                progress=progress,
                keeper=keeper,
            )
        if posterior is not None:
            raise StudyError.single(
                "posterior",
                rule="is nothing without draws from it",
                do="Say how many: draws=200",
            )
        from entangle.engine import run

        return run(asked, executor=executor, workers=workers, progress=progress, keeper=keeper)

    def asked(
        self,
        *,
        trajectories: int | None = None,
        seed: int | None = None,
        until: Mapping[str, float] | None = None,
        attribution: bool | None = None,
        draws: int | None = None,
    ) -> Self:
        """Return the study with the settings that :meth:`run` with these arguments runs it with.

        Raises
        ------
        StudyError
            If an argument breaks a rule.
        """
        given: dict[str, Any] = {
            "trajectories": trajectories,
            "seed": seed,
            "until": None if until is None else dict(until),
            "attribution": attribution,
        }
        if draws is not None and trajectories is None:
            from entangle.drawn import TRAJECTORIES

            given["trajectories"] = min(self.simulation.trajectories, TRAJECTORIES)
        settings = self.simulation.replace(**{k: v for k, v in given.items() if v is not None})
        return self.replace(simulation=settings)

    def dry_run(
        self,
        *,
        trajectories: int | None = None,
        until: Mapping[str, float] | None = None,
        attribution: bool | None = None,
        seed: int | None = None,
        draws: int | None = None,
        posterior: xr.DataTree | str | Path | None = None,
        workers: int | None = None,
        journal: str | Path | None = None,
        shard: Shard | None = None,
    ) -> DryRun:
        """Return how long :meth:`run` would take with these arguments, and how much memory; nothing is run.

        Takes some seconds: it solves the games, or smaller ones where that would take long, and measures one
        block, merging, tabulating and writing on this machine.

        Parameters
        ----------
        trajectories, until, attribution, seed, draws, posterior, workers
            As for :meth:`run`.
        journal
            As for :meth:`run`: what it holds will not be played again. It is read and not touched.
        shard
            The share that :func:`entangle.resuming.run_shard` is to play; the whole if not given.

        Raises
        ------
        StudyError
            If an argument breaks a rule.
        JournalError
            If the journal is damaged, foreign or of another plan.
        ConvergenceError
            If a pact's equilibrium could not be found; says the residual.
        RunError
            If none of the draws that were tried has a solution.
        """
        from entangle.dry_run import dry_run

        asked = self.asked(
            trajectories=trajectories, seed=seed, until=until, attribution=attribution, draws=draws
        )
        return dry_run(asked, draws=draws, posterior=posterior, workers=workers, journal=journal, shard=shard)

    def dry_run_decades(
        self,
        *,
        histories: int | None = None,
        seed: int | None = None,
        workers: int | None = None,
        journal: str | Path | None = None,
        shard: Shard | None = None,
    ) -> DryRun:
        """Return how long :meth:`decades` would take with these arguments, and how much memory.

        Nothing is simulated. The coarsest grid of contexts is solved, if that takes no more than some
        seconds; it is kept on disk, and :meth:`decades` will not solve it again.

        Parameters
        ----------
        histories, seed, workers
            As for :meth:`decades`.
        journal, shard
            As for :meth:`dry_run`.

        Raises
        ------
        StudyError
            If an argument breaks a rule.
        JournalError
            If the journal is damaged, foreign or of another plan.
        ConvergenceError
            If a context's equilibrium could not be found; names the pact and the context.
        """
        from entangle.dry_run import dry_run_decades

        given = {"histories": histories, "seed": seed}
        settings = self.simulation.replace(**{k: v for k, v in given.items() if v is not None})
        return dry_run_decades(
            self,
            number=settings.histories,
            seed=settings.seed,
            workers=workers,
            journal=journal,
            shard=shard,
        )

    def clauses(self, *, pacts: Sequence[str] | None = None, workers: int | None = None) -> xr.Dataset:
        """Return what every clause of a pact does to every outcome, exactly.

        Each clause is switched off alone, and added alone to no pact at all. Effects do not add up to that of
        the pact: clauses work together. :func:`entangle.plot.dots` draws them.

        Parameters
        ----------
        pacts
            Names of the pacts to look at; all if not given.
        workers
            Games solved at a time; the processors available if not given.

        Returns
        -------
        xarray.Dataset
            Probabilities ``whole`` (pact, outcome), ``without`` and ``alone`` (pact, clause, outcome) and
            ``none`` (outcome), the effects ``adds_to_rest`` (whole - without) and ``adds_alone``
            (alone - none), and whether a clause is ``present`` in a pact and ``acts`` on anything within a
            crisis. Not a number where the pact lacks the clause or where the outcome's condition cannot
            hold.

        Raises
        ------
        StudyError
            If a pact is not one of this study.
        ConvergenceError
            If an equilibrium could not be found; names the pact and which clause was switched.
        """
        from entangle.clause_effects import clause_effects

        return clause_effects(self, pacts=pacts, workers=workers)

    def attribution(self, *, pacts: Iterable[str] | None = None, workers: int | None = None) -> xr.Dataset:
        """Return how often each pact causes and averts the defender's fighting, war and nuclear use, exactly.

        A pass over both worlds at once, driven by the same random words: what :meth:`Result.attribution`
        counts. It takes about half a second for each pact, other world and outcome.

        Parameters
        ----------
        pacts
            Names of the pacts to look at; all if not given.
        workers
            Threads; the processors available if not given.

        Returns
        -------
        xarray.Dataset
            Probabilities per dispute, shape (pacts, counterfactuals, outcomes): ``with_pact``, ``without``,
            ``caused``, ``averted``, ``net``, and bounds for any coupling. Entanglement is ``caused`` at the
            counterfactual "obligation" and the outcome "defender_fights", entrapment at "emboldenment".

        Raises
        ------
        StudyError
            If a pact is not one of this study.
        ConvergenceError
            If an equilibrium could not be found.
        """
        from entangle.coupling import exact_attribution

        return exact_attribution(self, pacts=pacts, workers=workers)

    @property
    def first_pact(self) -> str:
        """The name of the first pact that is not empty, or of the first if all are."""
        return next((name for name, pact in self.pacts.items() if not pact.is_empty), next(iter(self.pacts)))

    def decades(
        self,
        *,
        histories: int | None = None,
        seed: int | None = None,
        keep: Sequence[int] | int = (),
        executor: Executor | Client | None = None,
        workers: int | None = None,
        solving: Callable[[int, int], None] | None = None,
        progress: Callable[[int, int], None] | None = None,
        journal: str | Path | None = None,
    ) -> Decades:
        """Play histories of years and crises under every pact, as the table [peacetime] says.

        Each pact's crises are first solved on a grid of contexts, which is kept on disk. ``docs/decades.md``
        defines the yearly step; all its sizes are assumptions.

        Parameters
        ----------
        histories
            Histories for each pact; the study's own number if not given.
        seed
            Key of the random numbers; the study's own if not given.
        keep
            Histories to keep whole, by number, or how many of the first; see :attr:`Decades.kept`.
        executor, workers
            As for :meth:`run`.
        solving, progress
            Called with (contexts solved, contexts known to be needed) while crises are solved, and with
            (blocks done, blocks in all) while histories are played.
        journal
            As for :meth:`run`. Histories that are kept whole are not in it.

        Returns
        -------
        Decades
            With its labelled :attr:`~entangle.Decades.data`; the same bits for any executor or number of
            workers.

        Raises
        ------
        StudyError
            If an argument breaks a rule.
        ConvergenceError
            If a context's equilibrium could not be found; names the pact and the context.
        JournalError
            If the journal is damaged, foreign or of another plan.
        RunError
            If the executor failed, or the journal cannot be written.
        """
        from entangle.decades import count_histories
        from entangle.decades_data import tabulated
        from entangle.decades_result import Decades

        given = {"histories": histories, "seed": seed}
        settings = self.simulation.replace(**{k: v for k, v in given.items() if v is not None})
        number = settings.histories
        kept = range(keep) if isinstance(keep, int) else keep
        outside = [index for index in kept if not 0 <= index < number]
        if outside:
            raise StudyError.single(
                "keep",
                rule=f"must name histories from 0 to {number - 1:,}",
                got=str(outside[0]),
                do="Leave it out, or play more histories",
            )
        counted = count_histories(
            self,
            number=number,
            seed=settings.seed,
            executor=executor,
            workers=workers,
            solving=solving,
            progress=progress,
            keeper=_keeper(journal),
        )
        whole = None
        if len(kept) > 0:
            import xarray as xr

            each = [self.histories(kept, pact=name, seed=settings.seed) for name in self.pacts]
            names = xr.Variable("pact", list(self.pacts))
            whole = xr.concat(each, names, combine_attrs="drop_conflicts")
        data = tabulated(self, counted, seed=settings.seed)
        return Decades(data, timing=counted.timing, kept=whole)

    def decade_channels(
        self,
        *,
        pacts: Iterable[str] | None = None,
        histories: int | None = None,
        seed: int | None = None,
        executor: Executor | Client | None = None,
        workers: int | None = None,
        solving: Callable[[int, int], None] | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> xr.Dataset:
        """Return what each pact does to the risks of decades, divided over its channels.

        Whole histories are played in sixteen worlds on the same random words: sixteen times the work of
        :meth:`decades`.

        Parameters
        ----------
        pacts
            Names of the pacts; all if not given.
        histories, seed, executor, workers, solving, progress
            As for :meth:`decades`.

        Returns
        -------
        xarray.Dataset
            Of an outcome within the horizon: ``probability`` with its interval (pact, world, outcome),
            ``difference`` (pact, outcome) and ``contribution`` (pact, outcome, channel), each with
            ``_lower`` and ``_upper``; contributions add up to the difference. ``caused_`` and ``averted_``:
            whole histories against those in which one channel is as without a pact; what is caused at
            "obligation" and "defender_fights" is entanglement over decades, at "emboldenment" entrapment.
            :func:`entangle.plot.waterfall` draws it.

        Raises
        ------
        StudyError
            If an argument breaks a rule.
        ConvergenceError
            If a context's equilibrium could not be found.
        """
        from entangle.decade_channels import decade_channels

        given = {"histories": histories, "seed": seed}
        settings = self.simulation.replace(**{k: v for k, v in given.items() if v is not None})
        return decade_channels(
            self,
            pacts=pacts,
            histories=settings.histories,
            seed=settings.seed,
            executor=executor,
            workers=workers,
            solving=solving,
            progress=progress,
        )

    def histories(
        self, trajectories: Sequence[int], *, pact: str | None = None, seed: int | None = None
    ) -> xr.Dataset:
        """Return single histories whole, year by year.

        Parameters
        ----------
        trajectories
            Which ones, by number from 0.
        pact
            Name of the pact; the first that is not empty if not given.
        seed
            Key of the random numbers; the study's own if not given.

        Returns
        -------
        xarray.Dataset
            By trajectory and year: strengths, efforts, belief, the dispute and how it ended, grievances, and
            where the pact stands.

        Raises
        ------
        StudyError
            If there is no such pact.
        ConvergenceError
            If a context's equilibrium could not be found.
        """
        from entangle.between import between
        from entangle.contexts import solve_contexts
        from entangle.kept import kept_histories

        name = self.first_pact if pact is None else self.named([pact])[0]
        return kept_histories(
            self,
            name,
            list(trajectories),
            seed=self.simulation.seed if seed is None else seed,
            solved=solve_contexts(self, name),
            peace=between(self, name),
        )

    def named(self, pacts: Iterable[str] | None) -> list[str]:
        """Return the names of the pacts that are asked for, each once; all of them if None.

        Raises
        ------
        StudyError
            If one is not a pact of this study, or none is named.
        """
        if pacts is None:
            return list(self.pacts)
        if isinstance(pacts, str):
            raise StudyError.single(
                "pacts", rule="must be a list of names", got=repr(pacts), do=f"Write [{pacts!r}]"
            )
        names = list(dict.fromkeys(pacts))
        if not names:
            raise StudyError.single(
                "pacts",
                rule="must name at least one pact",
                got="an empty list",
                do="Leave it out to have all",
            )
        unknown = [
            Problem(
                ("pacts", i), "must name a pact of this study", repr(name), nearest(str(name), self.pacts)
            )
            for i, name in enumerate(names)
            if name not in self.pacts
        ]
        if unknown:
            raise StudyError(unknown)
        return names

    def sample_given(
        self, outcome: str, *, n: int = 1000, pact: str | None = None, seed: int | None = None
    ) -> GivenOutcome:
        """Draw disputes on the condition that they end in `outcome`, however rare that is.

        No dispute is drawn in vain: each choice is drawn in proportion to its probability times that of the
        outcome after it (the committor; Doob's h-transform), so that the draws have exactly the law that
        simulated disputes with the outcome have. Draw i depends on the seed and i alone.

        Parameters
        ----------
        outcome
            An outcome, such as ``"nuclear_use"``, or a rung that is reached, such as ``"major_war"``.
        n
            Disputes to draw.
        pact
            Name of the pact; the first that is not empty if not given.
        seed
            Key of the random numbers; the study's own if not given.

        Raises
        ------
        StudyError
            If there is no such outcome or pact, or the outcome cannot happen.
        ConvergenceError
            If the pact's equilibrium could not be found; says the residual.
        """
        from entangle.sampling import sample_given

        return sample_given(self, outcome, n=n, pact=pact, seed=seed)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        for seat in ("challenger", "protege", "defender"):
            _must_be_actor(getattr(self.scenario, seat), ("scenario", seat), self.actors)
        if not self.pacts:
            raise broken_rule(
                "pacts",
                rule="must have at least one pact",
                do="Add a table such as [pacts.treaty]; an empty one means no pact",
            )
        partners = (self.scenario.protege, self.scenario.defender)
        for name, pact in self.pacts.items():
            if pact.guarantor is not None and pact.guarantor not in partners:
                raise broken_rule(
                    ("pacts", name, "guarantor"),
                    rule="must be one of the two partners",
                    got=pact.guarantor,
                    do=f"Use {' or '.join(partners)}",
                )
            if pact.coalition is None:
                continue
            for index, member in enumerate(pact.coalition.members):
                _must_be_actor(member, ("pacts", name, "coalition", "members", index), self.actors)
            if self.scenario.defender not in pact.coalition.members:
                raise broken_rule(
                    ("pacts", name, "coalition", "members"),
                    rule="must include the defender, who leads the coalition",
                    got=list(pact.coalition.members),
                    do=f"Add '{self.scenario.defender}'",
                )
            if self.scenario.challenger in pact.coalition.members:
                raise broken_rule(
                    ("pacts", name, "coalition", "members"),
                    rule="must not include the challenger",
                    got=self.scenario.challenger,
                    do="Remove it, or seat another challenger",
                )
        return self


def _keeper(journal: str | Path | None) -> Journal | None:
    if journal is None:
        return None
    from entangle.journal.folder import Journal

    return Journal(journal)


def _without_words(value: Any) -> Any:
    """Return nested data without the fields that only describe."""
    if not isinstance(value, dict):
        return value
    words = {"title", "description", "source", "articles", "assumptions"}
    return {key: _without_words(item) for key, item in value.items() if key not in words}


def _must_be_actor(name: str, field: tuple[str | int, ...], actors: Mapping[str, Actor]) -> None:
    if name not in actors:
        hint = nearest(name, actors) or "Add its table under [actors]"
        raise broken_rule(field, rule="must name an actor of this study", got=name, do=hint)


def load(path: str | Path) -> Study:
    """Read a study from a TOML file; see :meth:`Study.load`."""
    return Study.load(path)


def schema() -> dict[str, Any]:
    """Return the JSON Schema of a study, for editors and linters."""
    made = Study.model_json_schema()
    made["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    made["title"] = "entangle study"
    return made
