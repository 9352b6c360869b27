"""A study: pacts to compare, the actors they bind, the scenario, and the structural parameters."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import Field, ValidationError, model_validator

from entangle import toml
from entangle.actor import Actor, Scenario
from entangle.base import Frozen, Table, broken_rule
from entangle.errors import StudyError, nearest, problems_from_pydantic
from entangle.pact import Pact
from entangle.parameters import Parameters

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from distributed import Client

    from entangle.result import Result


class Simulation(Table):
    """How much to simulate when the caller does not say."""

    trajectories: Annotated[int, Field(ge=1, le=2**48)] = Field(
        default=1_000_000, description="disputes to simulate for each pact, 1 to 2^48"
    )
    seed: Annotated[int, Field(ge=0, lt=2**64)] = Field(
        default=1, description="key of the random numbers, 0 to 2^64 - 1"
    )
    confidence: Annotated[float, Field(gt=0.5, lt=1.0, allow_inf_nan=False)] = Field(
        default=0.95, description="confidence of the intervals, between 0.5 and 1"
    )


class Study(Table):
    """A scenario, the pacts to compare in it, and what is assumed about how crises work.

    Examples
    --------
    >>> study = Study.load("configs/baseline.toml")  # doctest: +SKIP
    >>> study.exact().data.probability.sel(pact="treaty", outcome="war")  # doctest: +SKIP
    """

    title: str | None = Field(default=None, description="the study's name in print")
    description: str | None = Field(default=None, description="what the study asks, in a sentence")
    assumptions: Annotated[tuple[str, ...], Field(strict=False)] = Field(
        default=(), description="what the study as a whole assumes, one sentence each"
    )
    scenario: Scenario = Field(description="who sits where and what surrounds them")
    actors: Frozen[Actor] = Field(description="the states, by name")
    pacts: Frozen[Pact] = Field(description="the pacts to compare, by name; an empty one is no pact")
    parameters: Parameters = Field(
        default=Parameters(), description="structural parameters of the crisis game"
    )
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

    def run(
        self,
        *,
        trajectories: int | None = None,
        seed: int | None = None,
        executor: Executor | Client | None = None,
        workers: int | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> Result:
        """Simulate crises under every pact and return counts with intervals beside the exact values.

        Parameters
        ----------
        trajectories
            Disputes to simulate for each pact; the study's own number if not given.
        seed
            Key of the random numbers; the study's own if not given.
        executor
            A :class:`concurrent.futures.Executor` or a :class:`distributed.Client` to run blocks on;
            threads of this process if not given. The result has the same bits whichever it is.
        workers
            Number of threads when no executor is given; the processors available if not given.
        progress
            Called with (blocks done, blocks in all) after each block.

        Raises
        ------
        StudyError
            If an argument breaks a rule.
        ConvergenceError
            If a pact's equilibrium could not be found; says the residual.
        """
        from entangle.engine import run

        given = {"trajectories": trajectories, "seed": seed}
        settings = self.simulation.replace(**{k: v for k, v in given.items() if v is not None})
        return run(self.replace(simulation=settings), executor=executor, workers=workers, progress=progress)

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
