"""A network is a list of named equations, as on the board.

>>> net = from_equations({"z": "w*x + b", "y": "sigmoid(z)"}, {})
>>> for eq in net.equations: print(eq)
z = w*x + b
y = sigmoid(z)
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from . import expr as ex
from .errors import SpecError
from .expr import Dim, Expr, Shape
from .language.arithmetic import TIDY, TREES, entries
from .language.parse import names_in, parse

FIXED = frozenset({"target", "size", "constant"})  # kinds of values that no gradient is taken with respect to


@dataclass(frozen=True)
class Symbol:
    """A named value: what it is and how the board writes it (the printers make LaTeX of it).

    base: the letter ('w', 'x', 'y_hat'); layer: superscript; index: position of an entry;
    letters: preferred running indices for rows and columns.
    """

    name: str
    shape: Shape = ()
    kind: str = "value"  # input, target, parameter, constant, value, size
    base: str = ""
    layer: int | None = None
    index: tuple[int, ...] = ()
    letters: tuple[str, str] = ("i", "j")
    parent: str = ""
    as_written: bool = True  # keep the author's letter; otherwise a matrix takes the capital

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", ex.sym(self.name, self.shape).shape)  # 1 x 1 is a scalar

    @property
    def expr(self) -> Expr:
        return ex.sym(self.name, self.shape)


@dataclass(frozen=True)
class Equation:
    """One line of the forward pass: name = right-hand side."""

    name: str
    rhs: Expr

    def __str__(self) -> str:
        return f"{self.name} = {ex.text(self.rhs)}"


@dataclass(frozen=True)
class LayerPlan:
    """One layer before it is built: sizes, activation, whether it has a bias, and the options of its type.

    residual: how many layers back the value comes from that is added to the output; 0 for none.
    """

    units: Dim
    activation: str = "identity"
    bias: bool = True
    type: str = "dense"
    residual: int = 0
    options: tuple[tuple[str, Any], ...] = ()

    def option(self, key: str) -> Any:
        return dict(self.options).get(key)


@dataclass(frozen=True)
class Shortcut:
    """A theorem that holds of one value: the gradient d(of)/d(wrt) in a short form, where of is the output."""

    of: str
    wrt: str
    result: Expr
    rule: str
    because: str


def printed_names(names: Collection[str]) -> dict[str, str]:
    """The names of a single layer as a page prints them, without the number of the layer.

    >>> printed_names(["x", "W1", "b1", "z1", "a1", "y"])
    {'W': 'W1', 'b': 'b1', 'z': 'z1'}
    """
    taken = set(names)
    return {n[:-1]: n for n in names if n[:-1].isalpha() and n.endswith("1") and n != "a1" and n[:-1] not in taken}


@dataclass(frozen=True)
class Network:
    """Named equations in order; the last one is the output (the loss).

    constants: exact numbers of values that nothing changes; aliases: other names of a value (y_hat for the last activation); layers: the plan it was
    stacked from, empty for plain equations. shortcuts: theorems that hold of it; ones: sums of
    targets that are 1, which those theorems need.
    """

    equations: tuple[Equation, ...]
    symbols: Mapping[str, Symbol]
    aliases: Mapping[str, str] = field(default_factory=dict)
    layers: tuple[LayerPlan, ...] = ()
    rows: bool = False
    constants: Mapping[str, Any] = field(default_factory=dict)
    shortcuts: tuple[Shortcut, ...] = ()
    ones: tuple[Expr, ...] = ()

    @property
    def plain_stack(self) -> bool:
        """Whether it is a stack of dense layers, each reading only the one before."""
        return bool(self.layers) and all(p.type == "dense" and not p.residual for p in self.layers)

    @property
    def output(self) -> str:
        return self.equations[-1].name

    def names(self, *kinds: str) -> list[str]:
        """The names of the given kinds, in order."""
        return [s.name for s in self.symbols.values() if s.kind in kinds]

    def equation(self, name: str) -> Equation:
        return next(e for e in self.equations if e.name == name)

    def resolve(self, name: str) -> str:
        """The name behind an alias."""
        return self.other_names.get(name, name)

    @cached_property
    def other_names(self) -> dict[str, str]:
        """The aliases, and for a single layer the names as they are printed: z, W and b for z1, W1 and b1."""
        return {**(printed_names(self.symbols) if len(self.layers) == 1 else {}), **self.aliases}

    @cached_property
    def memo(self) -> dict[Any, Any]:
        """What later stages find out about it, kept as long as it lives."""
        return {}

    @cached_property
    def is_scalar(self) -> bool:
        """Whether every value is a single number."""
        return all(not s.shape for s in self.symbols.values()) and \
            not any(e.shape for eq in self.equations for e in ex.walk(eq.rhs))

    @property
    def sizes(self) -> list[str]:
        """The names of symbolic sizes, such as the n of a batch."""
        return sorted({d for s in self.symbols.values() for d in s.shape if isinstance(d, str)})


def from_equations(equations: Mapping[str, str], shapes: Mapping[str, Shape],
                   unnamed: frozenset[str] = frozenset()) -> Network:
    """Plain equations in order; names that no equation defines are inputs, scalars unless shapes says so."""
    symbols: dict[str, Symbol] = {}
    for name, source in equations.items():
        for used in names_in(source):
            if used not in equations and used not in symbols:
                symbols[used] = Symbol(used, ex.sym(used, shapes.get(used, ())).shape, "input", used)
    values = {k: s.expr for k, s in symbols.items()}
    done: list[Equation] = []
    for name, source in equations.items():
        try:
            rhs = parse(source, values, unnamed)
        except SpecError as e:
            later = [k for k in list(equations)[len(done):] if k in names_in(source)]
            hint = f"{later[0]!r} is defined further down; write equations in the order of computing" if later else e.hint
            raise SpecError(f"equations {name}: {e.sentence}", hint=hint) from None
        symbols[name] = Symbol(name, rhs.shape, "value", name)
        values[name] = symbols[name].expr
        done.append(Equation(name, rhs))
    return Network(tuple(done), symbols)


# ---------------------------------------------------------------- every weight its own symbol

def entry_name(symbol: Symbol, i: int, j: int) -> str:
    """The name of one entry, indexed from 0 as in the file: W1[0,1], x[1]."""
    if not symbol.shape:
        return symbol.name
    kept = [k for k, d in zip((i, j), symbol.shape, strict=True) if d != 1]
    return f"{symbol.name}[{','.join(map(str, kept))}]"


def entry_symbols(symbol: Symbol) -> list[list[Symbol]]:
    """One scalar symbol for every entry of a value."""
    if not symbol.shape:
        return [[symbol]]
    rows, columns = (int(d) for d in symbol.shape)
    return [[replace(symbol, name=entry_name(symbol, i, j), shape=(), parent=symbol.name,
                     index=tuple(k for k, d in zip((i, j), symbol.shape, strict=True) if d != 1))
             for j in range(columns)] for i in range(rows)]


def split_values(network: Network, values: Mapping[Any, Any]) -> dict[Any, Any]:
    """Every entry under the name it has at the scalar level."""
    out: dict[Any, Any] = {}
    for key, rows in values.items():
        if isinstance(key, Expr):
            out[key] = rows
            continue
        name = key[1] if isinstance(key, tuple) else key
        for symbols, row in zip(entry_symbols(network.symbols[name]), rows, strict=True):
            for s, v in zip(symbols, row, strict=True):
                out[(key[0], s.name) if isinstance(key, tuple) else s.name] = [[v]]
    return out


def scalarize(network: Network) -> Network:
    """The same network with every entry of every value as a symbol of its own."""
    if network.is_scalar:
        return network
    split = {name: entry_symbols(s) for name, s in network.symbols.items() if s.kind != "size"}
    env = {name: [[s.expr for s in row] for row in rows] for name, rows in split.items()}
    symbols = {s.name: s for rows in split.values() for row in rows for s in row}
    equations = []
    for eq in network.equations:
        rhs = entries(eq.rhs, env, TREES)
        for row, symbol_row in zip(rhs, split[eq.name], strict=True):
            equations += [Equation(s.name, e) for e, s in zip(row, symbol_row, strict=True)]
    constants = {s.name: [[v]] for name, rows in network.constants.items()
                 for symbol_row, row in zip(split[name], rows, strict=True) for s, v in zip(symbol_row, row, strict=True)}
    return replace(network, equations=tuple(equations), symbols=symbols, constants=constants,
                   shortcuts=tuple(each for s in network.shortcuts if not any(n.op == "grad" for n in ex.walk(s.result)) for each in _apart(s, split[s.wrt], env)),
                   ones=tuple(e for tree in network.ones for row in entries(tree, env, TIDY) for e in row))


def _apart(shortcut: Shortcut, symbols: list[list[Symbol]], env: Mapping[Any, Any]) -> list[Shortcut]:
    """A theorem about a matrix as one about each of its entries."""
    cells = entries(shortcut.result, env, TIDY)
    return [replace(shortcut, wrt=s.name, result=e) for ss, es in zip(symbols, cells, strict=True) for s, e in zip(ss, es, strict=True)]


def sums_of_one(network: Network) -> list[list[tuple[str, int, int]]]:
    """The places (name, row, column) of the targets that sum to 1, one list a sum."""
    out = []
    for tree in network.ones:
        if tree.op != "sum":  # every entry its own symbol
            out.append([(t.data, 0, 0) for t in tree.args])
            continue
        name, (rows, columns) = tree.args[0].data, (int(d) for d in tree.args[0].shape)
        lines = [[(name, i, j) for i in range(rows)] for j in range(columns)] if tree.data == 0 else \
            [[(name, i, j) for j in range(columns)] for i in range(rows)]
        out += lines
    return out
