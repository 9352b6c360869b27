"""Errors that say where, what the rule is, what came, and what to do.

Everything a user can get wrong in a study ends in one :class:`StudyError` that lists every problem at
once, before any work starts.
"""

from __future__ import annotations

import difflib
import re
import types
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Union, get_args, get_origin

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic import BaseModel, ValidationError
    from pydantic.fields import FieldInfo
    from pydantic_core import ErrorDetails


#: What a terminal would obey, and halves of characters. Lines may end.
CONTROL: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


class EntangleError(Exception):
    """Base of every error that this package raises on purpose."""


class DataError(EntangleError):
    """A data file (treaties, capabilities, regimes) is not what its reader expects."""


class ResultError(EntangleError):
    """A result file, or a question put to a result, that cannot be answered."""


class ConvergenceError(EntangleError):
    """A pact's equilibrium could not be found; carries the pact's name, the residual and the sweeps."""

    def __init__(self, message: str, *, pact: str, residual: float, sweeps: int) -> None:
        super().__init__(message)
        self.pact = pact
        self.residual = residual
        self.sweeps = sweeps


class RunError(EntangleError):
    """A run failed around its arithmetic: a process died, a cluster went away, a file cannot be written."""


class JournalError(EntangleError):
    """A journal that is damaged, foreign, or of another plan than the one it is to be used for."""

    @classmethod
    def at(cls, path: Path, *, rule: str, got: str = "", do: str = "") -> JournalError:
        """Return the error for a file or folder: the rule, what came, and what to do."""
        return cls(f"{path}: {rule}{f', got {got}' if got else ''}.{f' {do}.' if do else ''}")


class ClusterError(EntangleError):
    """A cluster that must not be connected to as was asked: the way to it is open, or a file is unfit."""


class ReproducibilityWarning(UserWarning):
    """A result was made again by something else than what made it first; the numbers may differ."""


class DisagreementWarning(UserWarning):
    """Counted and exact probabilities contradict each other: the numbers must not be used."""


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with an input.

    Parameters
    ----------
    location
        Path of keys from the top of the study, e.g. ``("pacts", "treaty", "strength")``.
    rule
        What must hold.
    got
        What came, as the user wrote it; empty when nothing came.
    do
        What to do about it.
    line
        Line in the file, 1-based, when the study came from a file.
    """

    location: tuple[str | int, ...]
    rule: str
    got: str = ""
    do: str = ""
    line: int | None = None

    def describe(self, source: str | None = None) -> str:
        """Return the problem as one sentence, with `source` (a file name) in front."""
        place = ""
        if source is not None:
            place = f"{source}:{self.line}: " if self.line is not None else f"{source}: "
        where = _where(self.location)
        text = f"{place}{where}: {self.rule}"
        if self.got:
            text += f", got {self.got}"
        text += "."
        if self.do:
            text += f" {self.do}"
            if text[-1] not in ".?!":
                text += "."
        return text


class StudyError(EntangleError, ValueError):
    """A study, pact, actor or scenario that breaks a rule; carries every problem found.

    Parameters
    ----------
    problems
        What is wrong, in the order of the file.
    source
        File that the study came from, if any.
    """

    def __init__(self, problems: Iterable[Problem], source: str | None = None) -> None:
        self.problems = tuple(problems)
        self.source = source
        super().__init__("\n".join(problem.describe(source) for problem in self.problems))

    @classmethod
    def single(
        cls, *location: str | int, rule: str, got: str = "", do: str = "", source: str | None = None
    ) -> StudyError:
        """Return an error with one problem at `location`."""
        return cls([Problem(location, rule, got, do)], source)


def _where(location: tuple[str | int, ...]) -> str:
    """Return `location` in TOML's terms: ``[table.name] key[2]``."""
    if not location:
        return "the study"
    last = len(location) - 1
    while last > 0 and isinstance(location[last], int):
        last -= 1
    key = str(location[last]) + "".join(f"[{index}]" for index in location[last + 1 :])
    table = ".".join(str(part) for part in location[:last])
    return f"[{table}] {key}" if table else key


def printable(text: str) -> str:
    """Return text that shows, instead of doing it, what it would make a terminal do."""
    return CONTROL.sub(lambda found: repr(found.group())[1:-1], text)


def show(value: object) -> str:
    """Return `value` as the user would have written it, cut to a readable length."""
    if isinstance(value, bool):
        text = str(value).lower()
    elif isinstance(value, Mapping):
        text = f"a table with {', '.join(map(str, value)) or 'no keys'}"
    else:
        text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def nearest(name: str, valid: Iterable[str]) -> str:
    """Return a hint with the valid name closest to `name`, or the list of valid names."""
    valid = list(valid)
    close = difflib.get_close_matches(name, valid, n=1, cutoff=0.6)
    if close:
        return f"Did you mean '{close[0]}'?"
    return "Known here: " + ", ".join(valid) if valid else ""


def problems_from_pydantic(
    error: ValidationError, model: type[BaseModel], prefix: tuple[str | int, ...] = ()
) -> list[Problem]:
    """Translate a pydantic error on `model` into problems in this package's words."""
    found = error.errors(include_url=False)
    places = [details["loc"] for details in found]
    return [
        _translate(details, model, prefix)
        for details in found
        # a list whose entries are wrong is not also too short
        if details["type"] != "too_short"
        or not any(place[: len(details["loc"])] == details["loc"] != place for place in places)
    ]


_BOUNDS = {
    "greater_than_equal": ("must be at least {}", "ge"),
    "greater_than": ("must be greater than {}", "gt"),
    "less_than_equal": ("must be at most {}", "le"),
    "less_than": ("must be less than {}", "lt"),
}
_KINDS = {
    "float_type": "must be a number",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "bool_type": "must be true or false",
    "string_type": "must be text in quotes",
    "finite_number": "must be a finite number",
    "dict_type": "must be a table",
    "model_type": "must be a table",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
}


def _translate(details: ErrorDetails, model: type[BaseModel], prefix: tuple[str | int, ...]) -> Problem:
    location = tuple(part for part in details["loc"] if part != "[key]")
    kind = details["type"]
    context: dict[str, Any] = details.get("ctx", {})
    got = show(details["input"])
    parent, field = _resolve(model, location)
    do = _purpose(field)
    if kind == "cross_field":
        name = context["field"]
        location = (*location, *(name if isinstance(name, tuple) else (name,)))
        return Problem((*prefix, *location), context["rule"], context["got"], context["do"])
    if kind == "extra_forbidden":
        hint = nearest(str(location[-1]), parent.model_fields) if parent else ""
        return Problem((*prefix, *location), "is not a key of this table", got, hint)
    if kind == "missing":
        return Problem((*prefix, *location), "is required but was not given", "", do)
    if kind in _BOUNDS:
        text, key = _BOUNDS[kind]
        bound = context[key]
        rule = text.format(bound if isinstance(bound, int) else f"{bound:g}")
    elif kind == "literal_error":
        rule = f"must be one of {context['expected'].replace(' or ', ', ')}"
        if isinstance(details["input"], str):
            choices = [part.strip(" '") for part in context["expected"].replace(" or ", ",").split(",")]
            close = difflib.get_close_matches(details["input"], choices, n=1, cutoff=0.6)
            do = f"Did you mean '{close[0]}'? {do}" if close else do
    elif kind in _KINDS:
        rule = _KINDS[kind]
    elif kind == "too_short":
        rule = f"must have at least {context['min_length']} entries"
        got = f"{context['actual_length']}"
    elif kind == "too_long":
        rule = f"must have at most {context['max_length']} entries"
        got = f"{context['actual_length']}"
    elif kind == "string_pattern_mismatch":
        rule = "must be a name of lower-case letters, digits and underscores, starting with a letter"
    elif kind == "string_too_long":
        rule = f"must be at most {context['max_length']} characters long"
    else:
        rule = details["msg"][0].lower() + details["msg"][1:]
    return Problem((*prefix, *location), rule, got, do)


def _resolve(
    model: type[BaseModel], location: tuple[str | int, ...]
) -> tuple[type[BaseModel] | None, FieldInfo | None]:
    """Walk `location` down from `model`; return the last table's model and the last field."""
    parent: type[BaseModel] | None = model
    field: FieldInfo | None = None
    annotation: Any = model
    for part in location:
        current = _model_in(annotation)
        if current is None or get_origin(annotation) is dict:
            # a key of a dict of tables, or an index of a list: step into the element
            arguments = get_args(annotation)
            annotation = arguments[-1] if arguments else None
            if annotation is Ellipsis:
                annotation = arguments[0]
            continue
        parent, field = current, current.model_fields.get(str(part))
        annotation = field.annotation if field is not None else None
    return parent, field


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """Return the table model that an annotation holds directly or as an optional."""
    from pydantic import BaseModel

    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in (Union, types.UnionType):
        for argument in get_args(annotation):
            found = _model_in(argument)
            if found is not None:
                return found
    return None


def _purpose(field: FieldInfo | None) -> str:
    if field is None or not field.description:
        return ""
    return f"Meaning: {field.description}"
