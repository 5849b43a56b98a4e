"""Choices from a table as the file writes them: a name, or braces with a name and options.

>>> named("adam"), named({"name": "adamw", "lambda": "0.1"})
({'name': 'adam'}, {'name': 'adamw', 'lam': '0.1'})
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .numbers import ValueProblem

ALSO = {"lambda": "lam", "weight_decay": "lam"}  # lambda itself is a word of Python
NAMED: dict[str, Any] = {"anyOf": [{"type": "string"}, {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}]}


def named(raw: object) -> dict[str, Any]:
    """A name alone, or a name with options in braces: always as a mapping with the key 'name'."""
    if isinstance(raw, str):
        return {"name": raw}
    if not isinstance(raw, Mapping):
        raise ValueProblem("expected a name, or braces as in {name: adam, steps: 5}")
    if not isinstance(raw.get("name"), str):
        raise ValueProblem("the name is missing", hint="as in {name: adam, steps: 5}")
    return {ALSO.get(str(key), str(key)): value for key, value in raw.items()}


def braces(raw: object) -> dict[str, Any]:
    """Keys with values, checked by what reads them."""
    if not isinstance(raw, dict):
        raise ValueProblem("expected keys with values, as in {learning_rate: [0.1, 0.5], steps: 10}")
    return raw
