"""A derivation as the functions of a lecture: forward, loss, backward, update_parameters, in no language yet.

A line is Python's own syntax tree of NumPy, as everywhere here; ``targets`` says it in a language. Read in whole arrays
(``W1 @ X``) or apart, every entry a number in nested lists (``W1[0][1] * x[1]``).

>>> from ..layers import stack
>>> from ..network import LayerPlan
>>> net = stack(("x", 2), "y", [LayerPlan(1, "sigmoid")], "half_squared_error")
>>> found = listing(net, derive(net))
>>> for line in found.backward.lines: print(line.name, "=", written(line.code), "#", line.said)
da1 = a1 - y # constant multiple, power rule
dz1 = da1 * a1 * (1 - a1) # chain rule, slope of sigmoid
dW1 = dz1 * x.T # product: factor on the right, transposed
db1 = dz1 # sum
>>> print(written(listing(net, derive(net), apart=True).forward.lines[0].code))
W1[0] * x[0] + W1[1] * x[1] + b1
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .. import expr as ex
from ..derive import Derivation, Step, derive
from ..errors import SpecError
from ..expr import Expr, Shape
from ..functions import FUNCTIONS
from ..language.arithmetic import TREES, entries, spread_out
from ..language.rows import definition
from ..network import Network
from ..numpytree import Index, Names, tree_code
from ..optimizers import AFTER, BEFORE, OPTIMIZERS, Optimizer
from .passes import Line, changed, parsed, placed, shared, written
from .program import Program, Statement, program
from .scalar import grid, grids, places

__all__ = ["Function", "Listing", "derive", "listing", "written"]

# What a rule is called behind a line; {f} is the function whose slope it is. Any other rule by its own name.
SAID = {
    "local-slope": "chain rule, slope of {f}", "vector-function": "chain rule, slopes of {f}", "power": "power rule", "product": "product rule", "quotient": "quotient rule",
    "linear-in-W": "product: factor on the right, transposed", "linear-in-x": "product: factor on the left, transposed",
    "broadcast-to-sum": "sum over the examples"}


@dataclass(frozen=True)
class Function:
    """A function of the listing: what it takes, its lines, what it gives, and what it does in a sentence."""

    name: str
    takes: tuple[str, ...]
    lines: tuple[Line, ...]
    gives: tuple[str, ...]
    said: str = ""


@dataclass(frozen=True)
class Listing:
    """All functions. loss: None where the forward pass gives the output itself; look: where an optimizer looks ahead.

    helpers: functions of the table that the lines call; tables: index tables that they read; shapes: of every value, gradient and
    state by the name it has in the code; names: for parameters, the names of value and gradient; states: their names, with first values;
    sizes: symbolic sizes, as (value, axis).
    """

    program: Program
    apart: bool
    helpers: tuple[Function, ...]
    tables: Mapping[str, Index]
    forward: Function
    loss: Function | None
    backward: Function
    update: Function | None
    look: Function | None
    shapes: Mapping[str, Shape]
    states: Mapping[str, float] = field(default_factory=dict)
    optimizer: Optimizer | None = None
    sizes: Mapping[str, tuple[str, int]] = field(default_factory=dict)

    @property
    def functions(self) -> tuple[Function, ...]:
        """The functions of the lecture, in order."""
        return tuple(f for f in (self.forward, self.loss, self.backward, self.look, self.update) if f)

    @property
    def output(self) -> str:
        """What the loss is called."""
        return self.program.names[self.program.loss]

    @property
    def parameters(self) -> tuple[str, ...]:
        """What the parameters are called; of plain equations, what the gradients are taken with respect to."""
        return tuple(self.program.names[n] for n in self.program.gradients)

    @property
    def gradients(self) -> tuple[str, ...]:
        """What their gradients are called."""
        return tuple(self.program.gradients.values())


def listing(network: Network, derivation: Derivation, wrt: Iterable[str] | None = None, *, apart: bool = False, update: bool = True,
            optimizer: Optimizer | None = None, options: Mapping[str, Any] | None = None) -> Listing:
    """The functions for a network and its derivation.

    wrt: the values whose gradients are wanted (default: all parameters); apart: entry by entry; update: whether there is a function that takes a
    step, by the equations of the optimizer (default: gradient descent). Raises SpecError for what cannot be computed, or not entry by entry.
    """
    made = program(network, derivation, wrt)
    row = optimizer or OPTIMIZERS["gradient_descent"]
    helpers: dict[str, tuple[tuple[str, ...], str]] = {}
    tables: dict[str, Index] = {}
    shapes: dict[str, Shape] = {made.names[n]: s.shape for n, s in network.symbols.items()}
    shapes |= {made.slopes[n]: s.shape for n, s in network.symbols.items()}
    names = Names(made.names.__getitem__, lambda of, name: made.slopes[name], tables, helpers)
    reading = _Apart(made, helpers) if apart else _Whole(names)
    targets = {n for n, s in network.symbols.items() if s.kind == "target"}
    after = _after(made.forward, targets, network.layers != ())
    sizes = {d: (made.names[n], axis) for d, (n, axis) in made.sizes().items()}

    def function(name: str, statements: Sequence[Statement], gives: Sequence[str], said: str) -> Function:
        lines = reading.lines([(s.name, s.expr, s.of, _rule(derivation, s)) for s in statements])
        return _function(name, lines, gives, said, made, sizes)

    before = [s for s in made.forward if s not in after]
    read = {n.id for s in (*after, *made.backward) for n in ast.walk(parsed(s.code)) if isinstance(n, ast.Name)} | {made.names[made.loss]}
    kept = [s.name for s in before if s.name in read or s.of == network.resolve("y_hat")]
    forward = function("forward", before, kept, "The value of every layer." if network.layers else "The value of every equation.")
    loss = function("loss", after, [made.names[made.loss]], "How far the prediction is from the target.") if after and before else None
    if loss is None:
        forward = function("forward", made.forward, [s.name for s in made.forward if s.name in read], forward.said)
    whole = "every parameter" if network.layers else ", ".join(made.names[n] for n in made.gradients)
    backward = function("backward", made.backward, tuple(made.gradients.values()), f"The gradient of {made.names[made.loss]} with respect to {whole}.")
    step, look, states = _moved(made, row, options or {}, reading, shapes) if update else (None, None, {})
    helping = tuple(_helper(n, args, body) for n, (args, body) in helpers.items())
    return Listing(made, apart, helping, tables, forward, loss, backward, step, look, shapes, states, row if update else None, sizes)


def _after(forward: Sequence[Statement], targets: set[str], layered: bool) -> list[Statement]:
    """The statements of the loss: what reads a target, directly or not, and the output; none where there are no layers."""
    if not layered:
        return []
    found = set(targets)
    for s in forward:
        if s.expr.names & found:
            found.add(s.of)
    need = {forward[-1].of}
    for s in reversed(forward):  # what only the loss reads, such as a penalty, belongs to it
        if s.of in need and (s.of in found or s is forward[-1]):
            need |= s.expr.names
    return [s for s in forward if s.of in found or s is forward[-1]]


def _function(name: str, lines: Sequence[Line], gives: Sequence[str], said: str, made: Program, sizes: Mapping[str, tuple[str, int]]) -> Function:
    """A function takes what its lines read and do not set, in the order of the network; a size is read from an array."""
    inside = {line.name for line in lines}
    read = [n.id for line in lines for n in ast.walk(line.code) if isinstance(n, ast.Name) and n.id not in inside]
    read += [g for g in gives if g not in inside]
    wanted = {sizes[n][0] if n in sizes else n for n in read}
    order = [*(made.names[n] for n in made.data), *(s.name for s in made.forward), *(made.names[n] for n in made.parameters)]
    opened = [Line(d, parsed(f"{value}.shape[{axis}]")) for d, (value, axis) in sizes.items() if d in read]
    takes = sorted((n for n in dict.fromkeys(order) if n in wanted and n not in inside), key=order.index)
    return Function(name, tuple(takes), (*opened, *lines), tuple(gives), said)


def _helper(name: str, arguments: tuple[str, ...], body: str) -> Function:
    row = FUNCTIONS.get(name)
    said = f"{ex.text(row_formula)}, without overflow." if row and (row_formula := _formula(name)) is not None else f"{name.replace('_', ' ').capitalize()}, without overflow."
    return Function(name, arguments, tuple(shared([Line("result", parsed(body))])), ("result",), said)


def _formula(name: str) -> Expr | None:
    found = definition(name)
    return found if found is not None and found.op != "cases" and len(ex.text(found)) < 60 else None


# ---------------------------------------------------------------- whole arrays

class _Whole:
    """Lines as they are."""

    def __init__(self, names: Names) -> None:
        self.names = names

    def lines(self, statements: Sequence[tuple[str, Expr, str, str]]) -> list[Line]:
        return [Line(name, parsed(tree_code(e, self.names)), said) for name, e, _, said in statements]

    def update(self, steps: Sequence[tuple[str, Expr]]) -> list[Line]:
        """Lines of an optimizer, whose trees name arrays as the code does."""
        names = Names(tables=self.names.tables, helpers=self.names.helpers)
        return [Line(name, parsed(tree_code(e, names))) for name, e in steps]


# ---------------------------------------------------------------- entry by entry

_AT = re.compile(r"(.*)__at_(\d+)_(\d+)$")


class _Apart:
    """Every entry a number: W1[0][1]; a column or a row is a flat list."""

    def __init__(self, made: Program, helpers: dict[str, tuple[tuple[str, ...], str]]) -> None:
        if made.network.sizes:
            raise SpecError(f"{made.network.sizes[0]} is a letter, and entry by entry needs a number of them")
        self.shapes: dict[Any, Shape] = {s.name: s.shape for s in made.network.symbols.values()}
        self.dims: dict[str, Shape] = {}
        self.env = grids(made, self.entry)
        self.names = Names(gradient=lambda of, wrt: wrt, helpers=helpers)

    def entry(self, name: str, shape: Shape, i: int, j: int) -> str:
        """The name of an entry, under which ``subscripts`` finds it again."""
        self.dims[name] = shape
        return f"{name}__at_{i}_{j}" if shape else name

    def lines(self, statements: Sequence[tuple[str, Expr, str, str]]) -> list[Line]:
        cells, said = [], {}
        for name, e, of, words in statements:
            try:
                found = spread_out(entries(e, self.env, TREES), self.shapes[of])
            except (ValueError, NotImplementedError):
                raise SpecError(f"{name} cannot be written entry by entry") from None
            cells += [(name, found)]
            said[name] = words
        return self.gathered(cells, said)

    def update(self, steps: Sequence[tuple[str, Expr]]) -> list[Line]:
        cells = []
        for name, e in steps:
            env = {n: grid(n, s.shape, self.entry) for s in ex.walk(e) if s.op == "sym" for n in [s.data]}
            cells.append((name, spread_out(entries(e, env, TREES), e.shape)))
            self.dims[name] = e.shape
        return self.gathered(cells, {})

    def gathered(self, cells: Sequence[tuple[str, Any]], said: Mapping[str, str]) -> list[Line]:
        """One line a value; a call that occurs twice gets a name in front."""
        flat = [Line(f"{name}__at_{i}_{j}", parsed(tree_code(row[j], self.names))) for name, rows in cells for i, row in enumerate(rows) for j in range(len(row))]
        lines = _without_cheap(shared(flat))
        own, out, found = [], [], {}
        same: dict[str, ast.expr] = {}
        for line in lines:
            at = _AT.match(line.name)
            code = placed(line.code, same)
            if at is None:
                own.append(Line(line.name, self.subscripts(code)))
                continue
            name, i, j = at[1], int(at[2]), int(at[3])
            found[i, j] = self.subscripts(code)
            same[line.name] = code  # an entry cannot be read before its list is there
            if len(found) == len(places(self.dims[name])):
                out += [*own, Line(name, _nested(found, self.dims[name]), said.get(name, ""))]
                own, found, same = [], {}, {}
        return out

    def subscripts(self, code: ast.expr) -> ast.expr:
        def change(node: ast.expr) -> ast.expr | None:
            at = _AT.match(node.id) if isinstance(node, ast.Name) else None
            if at is None:
                return None
            kept = [at[k + 2] for k, d in enumerate(self.dims[at[1]]) if d != 1]
            return parsed(at[1] + "".join(f"[{k}]" for k in kept))

        return changed(code, change)


def _nested(cells: Mapping[tuple[int, int], ast.expr], shape: Shape) -> ast.expr:
    """A number, a flat list for a column or a row, a list of rows for a matrix."""
    if not shape:
        return cells[0, 0]
    if 1 in shape:
        return ast.List(list(cells.values()), ast.Load())
    return ast.List([ast.List([cells[i, j] for j in range(int(shape[1]))], ast.Load()) for i in range(int(shape[0]))], ast.Load())


def _without_cheap(lines: Sequence[Line]) -> list[Line]:
    """Names given to shared parts are taken back where the part calls nothing."""
    cheap: dict[str, ast.expr] = {}
    out = []
    for line in lines:
        code = placed(line.code, cheap)
        if re.fullmatch(r"t\d+", line.name) and not any(isinstance(n, ast.Call) for n in ast.walk(code)):
            cheap[line.name] = code
        else:
            out.append(Line(line.name, code))
    return out


# ---------------------------------------------------------------- the update

def _moved(made: Program, row: Optimizer, options: Mapping[str, Any], reading: _Whole | _Apart, shapes: dict[str, Shape]) -> tuple[Function, Function | None, dict[str, float]]:
    """update_parameters from the equations of an optimizer, where it looks for its gradient, and its states."""
    pairs = [(made.names[n], made.slopes[n], made.network.symbols[n].shape) for n in made.gradients]
    steps: list[tuple[str, Expr]] = []
    ahead: list[tuple[str, Expr]] = []
    states: dict[str, float] = {}
    read: dict[str, None] = {}
    for name, slope, shape in pairs:
        called = {"w": name, "g": slope, **{n: f"{n}_{name}" for n in (*row.states, *row.equations) if n != "w"}}
        states |= {called[s]: float(v) for s, v in row.states.items()}
        shapes |= {called[n]: shape for n in (*row.states, *row.equations) if n != "w"}
        put = _putting(called, shape)
        for target, rhs in row.trees:
            steps.append((called[target.removesuffix(AFTER)], put(rhs)))
        if row.point.op != "sym":
            ahead.append((name, put(row.point)))
        read |= dict.fromkeys(n.data for _, e in steps for n in ex.walk(e) if n.op == "sym")
    fixed = [Line(n, ast.Constant(float(options[n] if n in options else (row.options[n].default or 0)))) for n in row.options if n in read]
    parameters, slopes = tuple(p for p, _, _ in pairs), tuple(g for _, g, _ in pairs)
    takes = (*parameters, *slopes, *states, "learning_rate", *(("t",) if "t" in read else ()))
    update = Function("update_parameters", takes, (*fixed, *reading.update(steps)), (*parameters, *states), f"One step ({row.title}).")
    look = None
    if ahead:
        used = {n.data for _, e in ahead for n in ex.walk(e) if n.op == "sym"}
        look = Function("look_ahead", tuple(n for n in (*parameters, *states) if n in used), (*(f for f in fixed if f.name in used), *reading.update(ahead)), parameters,
                        "Where the gradient of the next step is taken.")
    return update, look, states


def _putting(called: Mapping[str, str], shape: Shape) -> Callable[[Expr], Expr]:
    """A tree of an optimizer's row for one parameter: its names, in its shape."""
    def put(e: Expr) -> Expr:
        if e.op == "sym":
            bare = e.data.removesuffix(BEFORE).removesuffix(AFTER)
            return ex.sym(called[bare], shape) if bare in called else ex.sym({"eta": "learning_rate"}.get(bare, bare))
        return ex.node(e.op, [put(a) for a in e.args], e.data) if e.args else e

    return put


# ---------------------------------------------------------------- what is said

def _rule(derivation: Derivation, s: Statement) -> str:
    """The rule of a gradient in a few words; nothing for the forward pass."""
    step = derivation.steps.get(s.of) if s.kind == "gradient" else None
    if step is None:
        return ""
    if step.shortcut:
        return step.shortcut.rule.replace(" fusion", " together").replace("-cross", " and cross")
    if len(step.terms) > 1:
        return f"sum over {len(step.terms)} paths: " + "; ".join(dict.fromkeys(_words(derivation, step, k) for k in range(len(step.terms))))
    return _words(derivation, step, 0) if step.terms else ""


def _words(derivation: Derivation, step: Step, k: int) -> str:
    term = step.terms[k]
    rules = list(dict.fromkeys(rule for rule, _ in term.used))
    told = [r for r in rules if r != "sum"] or rules
    rhs = derivation.network.equation(term.through).rhs
    f = next((n.data if n.op == "call" else n.data[0] for n in ex.walk(rhs) if n.op in ("call", "over")), "")
    return ", ".join(SAID.get(r, r.replace("-", " ")).format(f=f.replace("_", " ")) for r in told)
