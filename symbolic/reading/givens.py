"""Functions without a formula: what the key ``given`` says of their values and slopes.

>>> GIVEN.fullmatch("g'(f(x))").groups()
('g', "'", 'f(x)')
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from .. import expr as ex
from ..errors import SpecError
from ..expr import Expr
from ..language.parse import functions_in, instead, known_functions, names_in, parse
from ..network import Network
from ..spec import Spec

GIVEN = re.compile(r"\s*([A-Za-z]\w*)\s*('*)\s*\((.+)\)\s*")  # f(x), f'(x), g'(f(x))


def calls(spec: Spec) -> list[tuple[str, bool, str]]:
    """The checked keys of ``given`` as (function, is a derivative, argument)."""
    return [(found[1], bool(found[2]), found[3]) for key in spec.given if (found := GIVEN.fullmatch(key))]


def check_functions(spec: Spec, unnamed: frozenset[str]) -> None:
    """Every function of the equations has a formula or stands under ``given``. Raises SpecError, located in the file."""
    for name, source in spec.equations.items():
        for f in functions_in(source):
            if f not in unnamed and f not in (*known_functions(), "ones"):
                product = f"a product is written with *, as in {f}*(...)" if f in spec.names() else ""
                slope = f"a function without a formula needs its slope: given: {{\"{f}'(x)\": 2}}" if len(f) == 1 and not product else ""
                raise SpecError(f"equations {name}: unknown function {f!r}", where=spec.where("equations", name),
                                hint=product or slope or instead(f, {**dict.fromkeys(unnamed), **known_functions()}))


def values_of(spec: Spec, network: Network, given: Sequence[tuple[str, bool, str]], unnamed: frozenset[str]) -> dict[Expr, Any]:
    """The given values, by the node they stand for; the argument may be written as a name or at its point.

    Raises SpecError, located in the file, for a call that the equations do not hold.
    """
    values = {n: s.expr for n, s in network.symbols.items()}
    nodes = {e for eq in network.equations for e in ex.walk(eq.rhs) if e.op == "apply"}
    points = {n: str(v) for n, v in spec.at.items() if not isinstance(v, tuple)}
    out: dict[Expr, Any] = {}
    for (name, slope, argument), (key, value) in zip(given, spec.given.items(), strict=True):
        for n, text in points.items():  # f'(1) at x = 1 is f'(x)
            if n not in names_in(argument):
                argument = re.sub(rf"^\s*{re.escape(text)}\s*$|(?<=\()\s*{re.escape(text)}\s*(?=\))", n, argument)
        try:
            node = Expr("apply", (parse(argument, values, unnamed),), name)
        except SpecError as e:
            raise SpecError(f"given {key}: {e.sentence}", where=spec.where("given", key), hint=e.hint) from None
        if node not in nodes:
            raise SpecError(f"given {key}: this does not occur in the equations", where=spec.where("given", key),
                            hint="they hold " + ", ".join(sorted(ex.text(c) for c in nodes)))
        out[Expr("slope", node.args, (name, 0)) if slope else node] = value
    return out
