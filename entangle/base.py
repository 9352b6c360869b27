"""The ground that every table of a study stands on: strict, immutable, with readable errors."""

from __future__ import annotations

from typing import Annotated, Any, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    ValidationError,
)
from pydantic_core import PydanticCustomError

from entangle.errors import CONTROL, StudyError, problems_from_pydantic, show

V = TypeVar("V")

#: A share or degree, 0 to 1.
Share = Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False)]
#: A finite quantity that cannot be negative.
NonNegative = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
#: A finite quantity above zero.
Positive = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]


def _plain(text: str) -> str:
    """Return text that stands for nothing but itself wherever it is printed."""
    if CONTROL.search(text):
        raise PydanticCustomError(
            "control_character",
            "must be text without control characters, which a terminal would obey",
        )
    return text


#: Free text, of one line or several.
Text = Annotated[str, AfterValidator(_plain)]
#: The name of an actor or a pact, used as a key and as a coordinate label.
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=40)]


class FrozenDict(dict[str, V]):
    """A dict that refuses changes, so that a study cannot be altered after it was validated."""

    def _refuse(self, *_: Any, **__: Any) -> Any:
        raise TypeError("studies are immutable: make a changed copy with .replace(...)")

    __setitem__ = _refuse
    __delitem__ = _refuse
    __ior__ = _refuse
    clear = _refuse
    pop = _refuse
    popitem = _refuse
    setdefault: Any = _refuse
    update: Any = _refuse

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (dict(self),))


Frozen = Annotated[
    dict[Name, V],
    AfterValidator(FrozenDict),
    PlainSerializer(dict[str, Any], return_type=dict[str, Any]),
]


class Table(BaseModel):
    """A table of a study: unknown keys are errors, values keep their types, nothing changes later."""

    model_config = ConfigDict(
        strict=True, frozen=True, extra="forbid", validate_default=False, use_attribute_docstrings=False
    )

    def __init__(self, /, **data: Any) -> None:
        __tracebackhide__ = True
        try:
            super().__init__(**data)
        except ValidationError as error:
            raise StudyError(problems_from_pydantic(error, type(self))) from None

    # Tell pydantic that this is still the plain initialiser, so that nested tables are validated by
    # its core (which collects every error) and not one by one through this method.
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]

    def __setattr__(self, name: str, value: object) -> None:
        raise TypeError(f"studies are immutable: make a changed copy with .replace({name}=...)")

    def replace(self, **changes: Any) -> Self:
        """Return a copy with `changes` applied and validated; a value of ``None`` removes a key.

        Raises
        ------
        StudyError
            If the changed table breaks a rule.
        """
        kept = {name: getattr(self, name) for name in self.model_fields_set if name not in changes}
        given = {name: value for name, value in changes.items() if value is not None}
        return type(self)(**kept, **given)

    def to_dict(self) -> dict[str, Any]:
        """Return the table as plain data: only what was set, ready for TOML or JSON."""
        return self.model_dump(mode="json", exclude_unset=True)


def broken_rule(
    field: str | tuple[str | int, ...], *, rule: str, got: object = "", do: str = ""
) -> PydanticCustomError:
    """Return an error about `field` for use in validators that look at several fields."""
    shown = show(got) if got != "" else ""
    return PydanticCustomError(
        "cross_field", "{rule}", {"field": field, "rule": rule, "got": shown, "do": do}
    )
