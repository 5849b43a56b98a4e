"""What all files of keys and values share: the base of their models, readers of single values, and the one mistake that is reported.

>>> class Page(Keys):
...     lines: Annotated[int, within(1, 60)] = 40
>>> Page.model_validate({"lines": None}).lines, Page.model_validate({"lines": "12"}).lines
(40, 12)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainValidator, ValidationError, WithJsonSchema, model_validator

from ..errors import SpecError, nearest, one_line
from .choices import short, truth
from .numbers import ValueProblem, whole
from .paths import Path, spoken


class Keys(BaseModel):
    """Keys with values; no others, and an empty value is one that was left out."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, data: Any) -> Any:
        """`W:` with nothing after it says the same as no W."""
        if not isinstance(data, Mapping):
            return data
        return {key: value for key, value in data.items() if value is not None or key not in cls.model_fields}


def listed(raw: object) -> object:
    """`wrt: a` for `wrt: [a]`."""
    return [raw] if isinstance(raw, str) else raw


TRUTH, LISTED = BeforeValidator(truth), BeforeValidator(listed)


def within(least: int, most: int) -> BeforeValidator:
    """Reads a whole number between two others."""
    return BeforeValidator(lambda raw: whole(raw, least, most))


def leaf_of(read: Callable[[Any], Any], schema: dict[str, Any]) -> Any:
    """The type of a value that one function reads; Any with one function each keeps pydantic's start-up short."""
    return Annotated[Any, PlainValidator(read), WithJsonSchema(schema)]


_EXPECTED = (
    ("dict", "expected keys with values, as in {x: 2}"),
    ("model", "expected keys with values in braces"),
    ("tuple", "expected a list of names, as in [a, b]"),
    ("list", "expected a list, as in [a, b]"),
    ("string", "expected one word or text"),
    ("missing", "this key is missing"),
)


def mistakes(error: ValidationError, nearest_key: Callable[[Path], str]) -> list[ValueProblem]:
    """Pydantic's findings in our words; their `path` is the whole way from the top of the file. nearest_key: the hint for a misspelt one."""
    return [_mistake(e, nearest_key) for e in error.errors(include_url=False)]


def _mistake(error: Any, nearest_key: Callable[[Path], str]) -> ValueProblem:
    path, kind = tuple(error["loc"]), error["type"]
    own = error.get("ctx", {}).get("error")
    if isinstance(own, ValueProblem):
        return ValueProblem(own.sentence, *path, *own.path, hint=own.hint)
    if kind == "extra_forbidden":
        return ValueProblem(f"unknown key {short(path[-1])}", *path, hint=nearest_key(path))
    if kind == "literal_error":
        choices = re.findall(r"'(\w+)'", error["ctx"]["expected"])
        return ValueProblem(f"unknown value {short(error['input'])}", *path, hint=nearest(str(error["input"]), choices))
    sentence = next((s for prefix, s in _EXPECTED if kind.startswith(prefix)), "this value is not understood")
    return ValueProblem(sentence + ("" if kind == "missing" else f", not {short(error['input'])}"), *path)


def first(found: list[ValueProblem], where: Callable[..., str], say: Callable[[Path], str] = spoken, halves: Mapping[Path, str] | None = None) -> SpecError:
    """The mistake to report: a misspelt key first (others follow from it), then the uppermost.

    say: a path in words; halves: places where a decimal comma may have made two numbers of one.
    """
    misspelt = [e for e in found if e.sentence.startswith("unknown key")]
    chosen = min(misspelt or found, key=lambda e: int((where(*e.path).rsplit(":", 1) or "0")[-1] or 0))
    key = say(chosen.path[:-1] if misspelt else chosen.path)
    sentence = f"{key}: {chosen.sentence}" if key else chosen.sentence
    comma = next((f"if {text} is one number, write {text.replace(',', '.')}" for path, text in (halves or {}).items() if path[:len(chosen.path)] == chosen.path), "")
    return SpecError(one_line(sentence), where=where(*chosen.path), hint=one_line(chosen.hint or comma))
