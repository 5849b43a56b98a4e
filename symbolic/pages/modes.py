"""Forward mode beside reverse mode on the same graph: every node with value, tangent and adjoint, and what each mode costs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mpmath import mp

from .. import expr as ex
from ..decimals import Numbers
from ..derive import Derivation, Step, derive
from ..expr import Expr
from ..language.arithmetic import MP, Matrix, entries
from ..latex import Printer
from ..lectures.forward_mode import operations, sweep
from ..network import Network, scalarize
from ..proof.probe import kinks, random_point
from ..values import DIGITS, difference, forward, gradients
from ..verify import POINTS, agreement
from .sheet import Section, Sheet, TexLine

MOST_SWEEPS = 2  # sweeps whose arithmetic is written out
MOST_COLUMNS = 6  # tangents beside each other in the table
KINDS = {"multiplications": r"$\times$ and $\div$", "additions": "$+$ and $-$", "function values": "functions"}


@dataclass(frozen=True)
class Graph:
    """A scalar network with its derivation, the inputs that are asked about, and one forward sweep for each of them.

    values: of nodes, gradients (output, v) and tangents (v, input), None without numbers.
    """

    network: Network
    derivation: Derivation
    sweeps: Mapping[str, Mapping[str, Expr]]
    values: Mapping[Any, Matrix] | None

    @property
    def output(self) -> str:
        return self.network.output

    def adjoints(self) -> list[Step]:
        """The steps of the reverse sweep on the way to the inputs."""
        return [s for s in self.derivation.shown() if s.wrt not in self.network.names("size")]


def modes(sheet: Sheet) -> list[Section]:
    """The sections that ``modes: [forward, reverse]`` asks for; none without it."""
    asked = sheet.problem.wanted.modes
    if not asked:
        return []
    with mp.workdps(DIGITS):
        return list(_Sections(sheet, sheet.problem.once("modes", lambda: _graph(sheet))).of(asked))


def _graph(sheet: Sheet) -> Graph:
    """The graph with its sweeps, checked. Raises CheckError."""
    network = scalarize(sheet.network)
    asked = sheet.problem.wrt or tuple(sheet.network.names("parameter"))
    free = [s for s in network.symbols.values() if s.kind in ("input", "parameter")]
    inputs = [s.name for s in free if s.parent in asked or s.name in asked] or [s.name for s in free]
    derivation = derive(network, tuple(inputs))
    inputs = [n for n in inputs if n in derivation.steps]  # what the output does not depend on has no sweep
    sweeps = {a: sweep(network, a) for a in inputs}
    known = sheet.values if network is sheet.network else sheet.scalar_values
    complete = all(n in known for n in network.symbols)
    graph = Graph(network, derivation, sweeps, with_tangents(sweeps, known) if complete else None)
    check(graph)
    return graph


def with_tangents(sweeps: Mapping[str, Mapping[str, Expr]], values: Mapping[Any, Matrix]) -> dict[Any, Matrix]:
    """The values with every tangent added under the key (node, input)."""
    out = dict(values)
    for a, tangents in sweeps.items():
        for name, tree in tangents.items():
            out[name, a] = entries(tree, out, MP)
    return out


def check(graph: Graph) -> None:
    """Every tangent against differences of the forward pass, and tangents of the output against adjoints of the inputs.

    At random points, and at the given numbers where every slope exists. Raises CheckError.
    """
    network = graph.network
    points = [random_point(network, k) for k in range(POINTS)]
    given = graph.values
    if given is not None and not any(isinstance(k, Expr) for k in given) and not kinks(network, given):
        points.append({k: v for k, v in given.items() if not isinstance(k, tuple)})
    for point in points:
        adjoints = gradients(graph.derivation, point)
        for a, tangents in graph.sweeps.items():
            values = with_tangents({a: tangents}, point)
            leaves = {n: v for n, v in point.items() if n not in {eq.name for eq in network.equations}}

            def nodes(m: Matrix, a: str = a, leaves: Mapping[Any, Matrix] = leaves) -> Matrix:
                moved = forward(network, {**leaves, a: m})
                return [[moved[eq.name][0][0] for eq in network.equations]]

            (slopes,) = difference(nodes, point[a], [[mp.mpf(1)]])
            for eq, slope in zip(network.equations, slopes, strict=True):
                got = values[eq.name, a][0][0] if eq.name in tangents else mp.mpf(0)
                agreement(got, slope, eq.name, a, tangents.get(eq.name))
            agreement(adjoints[graph.output, a][0][0], values[graph.output, a][0][0], graph.output, a, graph.derivation.steps[a].result)


class _Sections:
    def __init__(self, sheet: Sheet, graph: Graph) -> None:
        self.sheet, self.graph, self.network = sheet, graph, graph.network
        self.printer = Printer(graph.network, colour=False)
        exact = sheet.exact if graph.network is sheet.network else None
        self.numbers = None if graph.values is None else Numbers(self.printer, graph.values, sheet.digits, exact, sheet.widest)
        self.checked = "30 digits"

    def of(self, asked: tuple[str, ...]) -> Iterator[Section]:
        """The sections in the order of the page."""
        yield self.local_gradients()
        if "forward" in asked:
            yield from (self.forward_sweep(a) for a in list(self.graph.sweeps)[:MOST_SWEEPS])
        if "reverse" in asked:
            yield self.reverse_sweep()
        yield self.table(asked)
        yield self.costs(asked)

    # ------------------------------------------------------------ lines

    def line(self, left: str, tree: Expr, key: Any) -> list[TexLine]:
        """A formula and, below it, the formula in numbers."""
        out = [TexLine(left, self.printer(tree))]
        if self.numbers is not None and tree.op != "num":
            filled, result = self.numbers.line(tree, self.numbers.values[key])
            out.append(TexLine("", result if filled == result else f"{filled} = {result}", kind="numbers"))
        return out

    def name(self, name: str) -> str:
        return self.printer.name(name)

    def forward_sweep(self, a: str) -> Section:
        lines = [TexLine(self.printer.fraction(self.name(a), self.name(a)), "1")]
        for name, tree in self.graph.sweeps[a].items():
            lines += self.line(self.printer.fraction(self.name(name), self.name(a)), tree, (name, a))
        place, count = list(self.graph.sweeps).index(a), len(self.graph.sweeps)
        blanks = tuple((self.printer.fraction(self.name(n), self.name(a)), ()) for n in self.graph.sweeps[a])
        more = f" {count - MOST_SWEEPS} more sweeps like this one are needed." if place + 1 == MOST_SWEEPS < count else ""
        return Section("Forward mode: one sweep" if count == 1 else f"Forward mode: sweep {place + 1} of {count}",
                       "A unit change of one input is pushed forward, line by line, with the values. "
                       "Each tangent is the sum of local gradients times tangents that are already known." + more, tuple(lines), checked=self.checked, blanks=blanks)

    def reverse_sweep(self) -> Section:
        lines: list[TexLine] = []
        for step in self.graph.adjoints():
            lines += self.line(self.printer.fraction(self.name(step.of), self.name(step.wrt)), step.result, (step.of, step.wrt))
        return Section("Reverse mode: one sweep for all inputs", "Start with 1 at the output and go back. "
                       "Each adjoint is the sum of adjoints that are already known times local gradients.", tuple(lines), checked=self.checked)

    # ------------------------------------------------------------ tables

    def value(self, tree: Expr) -> str:
        """'= 5' for a formula that is not a number already."""
        if self.numbers is None or tree.op == "num":
            return ""
        return " = " + self.numbers.cell(entries(tree, self.numbers.values, MP)[0][0])

    def ratio(self, u: str, v: str) -> str:
        """A derivative that fits the row of a table."""
        return rf"\partial {self.name(u)} / \partial {self.name(v)}"

    def local_gradients(self) -> Section:
        cells = []
        for eq in self.network.equations:
            found = {s.wrt: t for s in self.graph.derivation.steps.values() for t in s.terms if t.through == eq.name and t.local_final is not None}
            order = {n.data: k for k, n in reversed(list(enumerate(ex.walk(eq.rhs)))) if n.op == "sym"}
            slopes = [f"${self.ratio(eq.name, v)} = {self.printer(t.local_final)}{self.value(t.local_final)}$"
                      for v, t in ((v, found[v]) for v in sorted(found, key=order.__getitem__)) if t.local_final is not None]
            cells += [(f"${self.name(eq.name)} = {self.printer(eq.rhs)}$" if k == 0 else "", s) for k, s in enumerate(slopes)]
        return Section("Local gradients", "Every operation knows only its own inputs. Both modes multiply these local gradients; they differ in the order.",
                       heads=("operation", "local gradient"), cells=tuple(cells), checked=self.checked)

    def table(self, asked: tuple[str, ...]) -> Section:
        columns = list(self.graph.sweeps)[:MOST_COLUMNS] if "forward" in asked else []
        adjoint = ["adjoint"] if "reverse" in asked else []
        cells = []
        for name in self._order():
            row = [self.cell(name)]
            row += [self.cell((name, a)) if name != a else "$1$" for a in columns]
            row += [self.cell((self.graph.output, name))] * bool(adjoint)
            cells.append((f"${self.name(name)}$", *row))
        same = "The last tangent in a column and the adjoint of its input are the same number: the slope of the output. " if len(asked) == 2 else ""
        more = f"The table has the first {MOST_COLUMNS} of {len(self.graph.sweeps)} inputs. " if columns and len(self.graph.sweeps) > MOST_COLUMNS else ""
        heads = ("node", "value", *(f"tangent for ${self.name(a)}$" for a in columns), *adjoint)
        return Section("Node by node" if len(asked) == 1 else "Forward mode beside reverse mode", (same + more).strip(), heads=heads,
                       cells=tuple(cells) if self.numbers is not None else (), checked=self.checked, data=self.data())

    def _order(self) -> list[str]:
        inputs = list(self.graph.sweeps)
        return [*inputs, *(eq.name for eq in self.network.equations)]

    def cell(self, key: Any) -> str:
        """A value as a cell of the table; what does not move, or moves nothing, has 0."""
        if self.numbers is None:
            return ""
        return f"${self.numbers.value(key)}$" if key in self.numbers.values else "$0$"

    def costs(self, asked: tuple[str, ...]) -> Section:
        count = len(self.graph.sweeps)
        rows = [("values", "1", operations(eq.rhs for eq in self.network.equations))]
        if "forward" in asked:
            rows.append(("forward mode", str(count), self.cost_forward()))
        if "reverse" in asked:
            rows.append(("reverse mode", "1", self.cost_reverse()))
        inputs = "1 input: forward mode makes 1 sweep" if count == 1 else f"{count} inputs: forward mode makes {count} sweeps, one for each"
        said = f"There {'is' if count == 1 else 'are'} {inputs}. Reverse mode makes one sweep for each output, and there is one output. "
        return Section("What the modes cost", said + "Counted in the formulas above: a division or a power counts as one multiplication, a sign or a factor 1 as nothing.",
                       heads=("", "sweeps", *KINDS.values()), cells=tuple((mode, f"${n}$", *(f"${c[k]}$" for k in KINDS)) for mode, n, c in rows))

    def cost_forward(self) -> Counter[str]:
        return operations(t for tangents in self.graph.sweeps.values() for t in tangents.values())

    def cost_reverse(self) -> Counter[str]:
        return operations(s.result for s in self.graph.adjoints())

    def data(self) -> dict[str, Any]:
        """The numbers of the table for the JSON."""
        values = self.graph.values

        def numbers(keys: Iterable[tuple[str, Any]]) -> dict[str, float]:
            return {n: float(values[k][0][0]) for n, k in keys if values is not None and k in values}

        return {"tangents": {a: numbers((n, (n, a)) for n in tangents) for a, tangents in self.graph.sweeps.items()},
                "adjoints": numbers((s.wrt, (s.of, s.wrt)) for s in self.graph.adjoints()),
                "operations": {"forward": dict(self.cost_forward()), "reverse": dict(self.cost_reverse())}}
