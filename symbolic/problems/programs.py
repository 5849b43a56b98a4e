"""Questions that ask for a function in NumPy: what is given, the function, and numbers that it is tried on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..derive import Derivation
from ..errors import SpecError, nearest
from ..network import Network
from . import kinds
from .format import Ask
from .kinds import Asking, Made, Row
from .question import Answer
from .worked import Key

if TYPE_CHECKING:
    from ..numeric.listing import Listing


def _code(a: Asking) -> Made:
    """A function of the listing that ``chainrule code`` prints, with the numbers of the variant that it is tried on; what comes before it is given."""
    from ..numeric.codetext import code_text

    found, name = _listing(a.work.problem, a.work.machine.lesson.derivation), a.ask.target
    function = next((f for f in found.functions if f.name == name), None)
    if function is None:
        raise SpecError(f"{name!r} is no function of this network", where=a.file.where_is("ask", a.place, "code"), hint=nearest(name, [f.name for f in found.functions]))
    keys: dict[str, Key] = {code: n for n, code in found.program.names.items()} | {code: (a.work.network.output, n) for n, code in found.program.slopes.items()}
    hidden = {"given": {n: kinds.rows(a.work.value(keys[n])) for n in function.takes}, "returns": {n: kinds.rows(a.work.value(keys[n])) for n in function.gives},
              "tolerance": {n: kinds.rows(a.tolerances[keys[n]]) for n in function.gives}}
    whole = code_text(found, "numpy")
    opened, body = whole.split(f"def {name}(")[0], f"def {name}(" + whole.split(f"def {name}(")[1].split("\n\n\n")[0].rstrip()
    signature, returned = body.partition('"""')[0], body[body.rindex("    return "):]
    stub = f'{opened}{signature}"""{function.said}"""\n    ...\n{returned}\n'
    return Made(Answer("code", text=f"{opened}{body}\n", stub=stub, hidden=tuple(hidden.items())))


def _listing(problem: Any, derivation: Derivation) -> Listing:
    """The functions of a network; of plain equations with the gradients that the spec asks for."""
    from ..numeric.listing import listing  # late: NumPy is for this kind alone

    return listing(problem.network, derivation, None if problem.network.layers else list(problem.wrt) or None, update=False)


def _code_keys(ask: Ask, network: Network, problem: Any) -> list[Key]:
    """The gradients of the parameters, or of the names that the spec asks for."""
    return [(network.output, n) for n in (network.names("parameter") or problem.wrt or network.names("input")) if n in problem.leaves]


CODE = Row("Write the function {target} in NumPy, without a loop. It is tried on the numbers above.", _code_keys, _code)
