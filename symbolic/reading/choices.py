"""Single values of the file as they are read: yes or no, expressions, and choices from a table with their options.

>>> named("adam"), named({"name": "adamw", "lambda": "0.1"})
({'name': 'adam'}, {'name': 'adamw', 'lam': '0.1'})
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .numbers import Number, ValueProblem, leaf, whole

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


def with_alpha(layer: Any) -> Any:
    """A layer in which `activation: {leaky_relu: 0.1}` has become the two keys activation and alpha.

    >>> with_alpha({"activation": {"leaky_relu": "0.1"}})
    {'activation': 'leaky_relu', 'alpha': '0.1'}
    """
    given = layer.get("activation") if isinstance(layer, Mapping) else None
    if not isinstance(given, Mapping) or "alpha" in layer or len(given) != 1:
        return layer
    ((name, alpha),) = given.items()
    return {**layer, "activation": name, "alpha": alpha}


def scheme(raw: object) -> object:
    """`init: he_normal` for `init: {scheme: he_normal}`."""
    return {"scheme": raw} if isinstance(raw, str) else raw


def braces(example: str) -> Callable[[object], dict[str, Any]]:
    """A reader of keys with values, which are checked by what uses them; example: how they may look."""
    def read(raw: object) -> dict[str, Any]:
        if not isinstance(raw, dict):
            raise ValueProblem(f"expected keys with values, as in {example}")
        return raw

    return read


def truth(raw: object) -> bool:
    """true or false, as YAML writes them."""
    words = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
    if str(raw).lower() not in words:
        raise ValueProblem(f"expected true or false, not {short(raw)}")
    return words[str(raw).lower()]


def expression(raw: object) -> str:
    """The text of an equation."""
    if raw is None:
        raise ValueProblem("the expression is missing", hint='as in y: 2*x; one with a comma needs quotes: "max(0, x)"')
    if isinstance(raw, (list, tuple, dict)):
        raise ValueProblem("expected an expression, not a list or braces", hint="numbers of a name go under 'at'")
    return str(raw).strip()


def positive(raw: object) -> Number:
    """A number above zero."""
    number = leaf(raw)
    if not float(number) > 0:
        raise ValueProblem(f"expected a positive number, not {short(raw)}")
    return number


def weight(raw: object) -> Number | None:
    """The lambda of a penalty; nothing, or {}, leaves it symbolic."""
    if raw is None or raw == {}:
        return None
    number = leaf(raw)
    if float(number) < 0:
        raise ValueProblem(f"expected a number that is not negative, not {short(raw)}")
    return number


def residual(raw: object) -> int:
    """How many layers back a residual connection reaches; true is 1."""
    if str(raw).lower() in ("true", "false", "yes", "no", "on", "off"):
        return int(truth(raw))
    return whole(raw)


def share(raw: object) -> Number:
    """A number from 0 to 1, below 1."""
    number = leaf(raw)
    if not 0 <= float(number) < 1:
        raise ValueProblem(f"expected a number from 0 to 1, and below 1, not {short(raw)}")
    return number


def extent(raw: object) -> int | tuple[int, int]:
    """One size, or two (rows, columns)."""
    if not isinstance(raw, (list, tuple)):
        return whole(raw)
    if len(raw) != 2:
        raise ValueProblem(f"expected one size or two (rows, columns), not {len(raw)}", hint="as in 2 or [2, 3]")
    return whole(raw[0]), whole(raw[1])


def short(raw: object) -> str:
    """What a person wrote, short enough for a sentence."""
    text = "a list" if isinstance(raw, (list, tuple)) else "braces" if isinstance(raw, dict) else repr(str(raw))
    text = "nothing" if raw is None else text
    return text if len(text) <= 60 else text[:57] + "..."
