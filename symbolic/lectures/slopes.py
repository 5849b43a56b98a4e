"""How the slope of a row is found from its formula, line by line, and checked like everything else.

>>> lines = slope_lesson("softplus").lesson.steps[0].lines
>>> for line in lines: print(ex.text(line.rhs))
d/dz[1 + exp(z)]/(1 + exp(z))
d/dz[exp(z)]/(1 + exp(z))
exp(z)/(1 + exp(z))
1/(1 + exp(-z))
sigmoid(z)
"""

from __future__ import annotations

from dataclasses import replace

from mpmath import mp

from .. import expr as ex
from ..calculus import differentiate, tidied
from ..derive import Derivation, Step, Term, derive
from ..errors import ChainruleError, CheckError, nearest
from ..expr import Expr
from ..functions import FUNCTIONS, VECTOR_FUNCTIONS, Row, VectorRow, as_tree, slope_form
from ..index import at_index
from ..language.arithmetic import MP, TIDY, entries
from ..lesson import Lesson, Line, Shown, plan
from ..network import Equation, Network, Symbol, entry_symbols, scalarize
from ..proof.lookup import AGREE, Lookup
from ..proof.probe import row_points
from ..rules import local_slope
from ..values import DIGITS, forward
from ..verify import Certified, certify


def slope_lesson(name: str) -> Certified:
    """The derivation of a row's slope from its formula, certified, ending in the row's own form.

    The output is called a, the input z. Raises ChainruleError for an unknown name, CheckError for
    a line that does not survive. For a function of a whole vector: its Jacobian entry by entry
    for three inputs, then with running indices, then what it sends back to a whole vector, for any
    loss L (here the sum of c_i a_i, so that every dL/da is possible).
    """
    if name in FUNCTIONS:
        return _elementwise(FUNCTIONS[name])
    if name in VECTOR_FUNCTIONS:
        return _of_a_vector(VECTOR_FUNCTIONS[name])
    raise ChainruleError(f"no function {name!r}", hint=nearest(name, [*FUNCTIONS, *VECTOR_FUNCTIONS]))


# ---------------------------------------------------------------- elementwise

def _elementwise(row: Row) -> Certified:
    names = list(row.names)
    call = Expr("call", tuple(map(ex.sym, names)), row.name)
    formula = row.formula if row.via is None else row.via
    rhs = call if formula is None else as_tree(formula)
    symbols = {n: Symbol(n, kind="input", base=n) for n in names} | {"a": Symbol("a", base="a")}
    network = Network((Equation("a", rhs),), symbols)
    derivation = derive(network)
    steps = tuple(_worked(row, k, rhs, derivation.steps.get(n) or _flat(n)) for k, n in enumerate(names))
    lesson = Lesson(network, derivation, derivation, ("scalar",), steps, row.notes)
    for step in steps:
        _on_every_piece(row, network, step, call)
    certify(plan(replace(network, equations=(Equation("a", call),))))  # the row itself, as any network would use it
    return certify(lesson)


def _worked(row: Row, k: int, rhs: Expr, step: Step) -> Shown:
    """The lines from the formula to the row's own form of the slope."""
    left = ex.partial("a", step.wrt)
    lines = [Line(p.rhs, " ".join(dict.fromkeys(b for _, b in p.used)), "local", left) for p in differentiate(rhs, step.wrt)]
    if row.inverse:
        lines = _of_an_inverse(row, left)
    ends = [(as_tree(e), "The same, written otherwise.") for e in row.through if not k]
    ends.append((slope_form(row.name, k), row.because if all(row.because not in line.because for line in lines) else "In terms of the output."))
    for e, because in ends:
        while lines and _alike(lines[-1].rhs) == _alike(e):  # the order of terms and factors is no line of its own
            because = lines.pop().because
        lines.append(Line(e, because, "local", left))
    return Shown("a", step.wrt, "scalar", step.rule, step.because, tuple(lines), step)


def _of_an_inverse(row: Row, left: Expr) -> list[Line]:
    """The inverse function rule: one over the slope, at the output, of the function that is undone."""
    a = ex.sym("a")
    undone = Expr("diff", (ex.node("call", (a,), row.inverse),), "a")
    slope = local_slope(undone.args[0])
    return [Line(Expr("div", (ex.ONE, undone)), f"Inverse function rule: one over the slope of the function that is undone, since {row.inverse}(a) = z.", "local", left),
            Line(ex.div(ex.ONE, slope), FUNCTIONS[row.inverse].because, "local", left)]


def _alike(e: Expr) -> tuple[object, ...]:
    """A tree up to the order of terms and factors, and to the signs and numbers that the tidy constructors fold."""
    e = tidied(e)
    args = [_alike(x) for x in e.args]
    return (e.op, e.data, *(sorted(args, key=repr) if e.op in ("add", "mul") else args))


def _flat(name: str) -> Step:
    """The step of a function that is constant on every piece."""
    return Step("a", name, (), (Term("a", ex.ONE, ex.ZERO, ex.ZERO, ex.ZERO, ex.ZERO, (("constant", "A constant has slope zero."),)),))


def _on_every_piece(row: Row, network: Network, shown: Shown, call: Expr) -> None:
    """Every line on every piece of the function, and the formula against the function itself; raises CheckError."""
    tried = 0
    with mp.workdps(DIGITS):
        for point in row_points(row.name):
            try:
                env = Lookup(network, forward(network, point))
                pairs = [(entries(call, point, MP), env["a"])]
                pairs += [(entries(line.rhs, env, MP), env[line.lhs.data]) for line in shown.lines if line.lhs is not None]
            except ArithmeticError:
                continue  # outside the domain
            tried += 1
            for ((got,),), ((expected,),) in pairs:
                if not abs(got - expected) <= mp.mpf(10) ** -AGREE * max(abs(expected), 1):
                    raise CheckError(f"the derivation of the slope of {row.name} failed its check: {mp.nstr(got, 8)} where "
                                     f"{mp.nstr(expected, 8)} was expected; nothing was written")
    if not tried:
        raise CheckError(f"no point was found at which {row.name} is defined, so its slope cannot be checked")


# ---------------------------------------------------------------- functions of a whole vector

INPUTS = 3


def _of_a_vector(row: VectorRow) -> Certified:
    z = Symbol("z", (INPUTS, 1), "input", "z", letters=("j", "m"))
    whole = Expr("over", (z.expr,), (row.name, 0), () if row.reduces else z.shape)
    a, c = (Symbol(n, whole.shape, kind, n, letters=("i", "m")) for n, kind in (("a", "value"), ("c", "target")))
    loss = Equation("L", ex.total(ex.node("mul", (c.expr, a.expr))))
    symbols = {s.name: s for s in (z, c, a, Symbol("L", base="L"))}
    network = Network((Equation("a", whole), loss), symbols)
    written_out = scalarize(replace(network, equations=(Equation("a", row.define(z.expr, 0)), loss)))
    scalar = derive(written_out)
    lesson = plan(network, ("index", "matrix"), wrt=("z",))
    jacobian = Expr("local", (), (("a", () if row.reduces else ("i",)), ("z", ("j",))))
    i, j = (None if row.reduces else "i"), "j"
    entry = row.jacobian(z.expr, a.expr, 0, i or j, j, lambda e, letter: Expr("entry", (e,), (letter,)))
    first = _entries(row, scalar, entry, network)
    index, *rest = (s for s in lesson.steps if s.wrt == "z")
    grid = _written_out(network, entry, i)
    rest = [replace(s, lines=(grid, *s.lines)) for s in rest] if grid is not None else rest
    index = replace(index, lines=(Line(entry, row.because, "local", jacobian), *(line for line in index.lines if line.kind != "forward")))
    return certify(replace(lesson, scalar=scalar, levels=("scalar", *lesson.levels), steps=(first, index, *rest), notes=row.notes))


def _written_out(network: Network, entry: Expr, i: str | None) -> Line | None:
    """The whole Jacobian with every entry written out, where the entries are short."""
    def places(s: Symbol) -> list[list[Expr]]:
        return [[Expr("entry", (s.expr,), (str(k + 1),))] for k in range(int(s.shape[0]))]

    leaves = {n: places(s) for n, s in network.symbols.items() if s.shape}
    rows = range(1 if i is None else INPUTS)
    cells = [at_index(entry, leaves, {**({i: k} if i else {}), "j": j}, TIDY) for k in rows for j in range(INPUTS)]
    if any(x.op == "pick" for c in cells for x in ex.walk(c)):
        return None
    return Line(Expr("grid", tuple(cells), None, (len(rows), INPUTS)), "the slopes of all outputs, a row for every output", "jacobian",
                Expr("local", (), (("a", ()), ("z", ()))))


def _entries(row: VectorRow, scalar: Derivation, entry: Expr, network: Network) -> Shown:
    """The slope of one output after its own input and after another, by the rules; then the gradient of that input."""
    leaves = {s.name: [[x.expr for x in line] for line in entry_symbols(s)] for s in network.symbols.values()}
    step, lines = scalar.steps["z[0]"], []
    for k, name in enumerate(t.through for t in step.terms[:2]):
        left = ex.partial(name, "z[0]")
        lines += [Line(p.rhs, " ".join(dict.fromkeys(b for _, b in p.used)), "local", left) for p in differentiate(scalar.network.equation(name).rhs, "z[0]")]
        own = at_index(entry, leaves, {"i": k, "j": 0}, TIDY)
        lines.append(Line(own, "its own input" if not k else "the input of another output", "local", left))
    chain = [ex.node("mul", (ex.grad("L", t.through), ex.partial(t.through, "z[0]"))) for t in step.terms]
    put_in = [ex.grad("L", t.through) * at_index(entry, leaves, {"i": k, "j": 0}, TIDY) for k, t in enumerate(step.terms)]
    lines += [Line(terms[0] if len(terms) == 1 else ex.node("add", terms), because, "gradient")
              for terms, because in ((chain, "chain rule: one term for every output"), (put_in, "the slopes put in"))]
    return Shown("L", "z[0]", "scalar", step.rule, step.because, tuple(lines), step, "z")
