"""Every rule against SymPy's diff on explicit entries, for scalars, matrices and scalars that are broadcast."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
import sympy as sp
from mpmath import mp
from trees import cells, symbols

from symbolic import expr as ex
from symbolic.derive import derive
from symbolic.errors import ChainruleError
from symbolic.expr import Expr, node, num, sym
from symbolic.functions import FUNCTIONS, VECTOR_FUNCTIONS
from symbolic.language.matrices import MATRIX_FUNCTIONS, apply
from symbolic.language.parse import parse
from symbolic.language.takes import concat, convolve, part, put, reshape, slide, windows
from symbolic.layers import activations, stack
from symbolic.losses import LOSSES
from symbolic.network import LayerPlan, from_equations, scalarize
from symbolic.rules import RULES, pull

s, t = sym("s"), sym("t")
A, B = sym("A", (2, 3)), sym("B", (2, 3))
S, R = sym("S", (2, 2)), sym("R", (2, 2))  # square: a lost transpose keeps the shape
C, D = sym("C", (3, 2)), sym("D", (3, 4))
col, row = sym("col", (3, 1)), sym("row", (1, 3))
c = sp.Rational


def entrywise(op: str, *variants: tuple[Expr, ...]) -> list[Expr]:
    return [node(op, v) for v in variants]


PRODUCTS = [node("matmul", p) for p in ((A, D), (S, R), (A, col), (row, D), (col, row), (row, col), (C, A), (S, ex.ones((2, 3))), (ex.ones((2, 3)), C))]
IMAGE, KERNEL = sym("X", (3, 4)), sym("K", (2, 2))
SLIDES = [convolve(IMAGE, KERNEL, 1, 0), convolve(IMAGE, KERNEL, 2, 1), convolve(row, sym("K", (1, 2)), 1, 1), convolve(row, sym("K", (1, 3)), 1, 0),
          convolve(IMAGE, sym("K", (1, 2)), 1, 0), convolve(IMAGE, sym("K", (3, 1)), 1, 0), convolve(IMAGE, s, 1, 0)]
CASES = {
    "add": entrywise("add", (s, t), (A, B), (s, A), (A, s), (A, B, A), (s, num(2), t), (A, num(1))),
    "neg": entrywise("neg", (s,), (A,)),
    "mul": entrywise("mul", (s, t), (A, B), (s, A), (A, s), (A, B, s), (s, s), (A, A), (num(3), A), (s, t, num(2))),
    "div": entrywise("div", (s, t), (A, B), (A, s), (s, A), (num(1), s), (s, num(3)), (s, s)),
    "pow": [node("pow", (x, n)) for x in (s, S) for n in (num(2), num(3), num(-1), num(1), num("1/2"), t)] + [node("pow", (num(2), s)), node("pow", (s, s))],
    "call": [node("call", args, name) for name, f in FUNCTIONS.items()
             for args in (((s,), (S,)) if len(f.args) == 1 else ((s, t), (S, R), (s, S), (S, s)))],
    "apply": [node("apply", (x,), "f") for x in (s, A)],
    "over": [node("over", (x,), (name, k)) for name in VECTOR_FUNCTIONS for x, k in ((A, 0), (A, 1), (col, 0), (row, 1))],
    "pick": [node("pick", (s, t, sym("r")), (name, k)) for name, f in VECTOR_FUNCTIONS.items() for k in range(1 if f.reduces else 3)],
    "cases": [node("cases", (x, num(c(1, 2)), x * x, y), (sign,)) for x, y in ((s, t), (A, B), (A, s)) for sign in (">", "<=")]
    + [node("cases", (s, num(-1), num(0), s, num(1), s * t, t), ("<", "<"))],
    "matmul": [p for p in PRODUCTS if p.op == "matmul"],
    "T": [node("T", (x,)) for x in (A, S, col, row)],
    "matrix": [apply(name, x) for name, f in MATRIX_FUNCTIONS.items() for x in ((S,) if f.square else (S, A, col, row))]
    + [apply("logdet", node("add", (node("matmul", (A, A.T)), ex.eye((2, 2)))))],
    "onehot": [Expr("onehot", (x,), ("most", k), x.shape) for x in (S, col) for k in (None, 0, 1)],
    "sum": [node("sum", (x,), k) for x in (A, S, col, row) for k in (None, 0, 1)],
    "most": [node("most", (x,), k) for x in (S, col, row) for k in (None, 0, 1)] + [node("most", (A,), 1)],
    "take": [part(A, None, [1]), part(A, [1], None), part(A, [1, 0, 1], None), part(col, [2], None), part(row, None, [0]), reshape(A, (3, 2)),
             reshape(A, (6, 1), "vec"), windows(IMAGE, (2, 2), 1), windows(IMAGE, (2, 2), 2, 1), windows(row, (1, 2), 1)],
    "put": [put(sym("V", (2, 1)), part(A, None, [1]).data), put(sym("V", (4, 6)), windows(IMAGE, (2, 2), 1).data), put(s, part(col, [2], None).data)],
    "concat": [concat((A, B), 0), concat((A, B), 1), concat((col, sym("r"), col), 0), concat((s, row), 1), concat((A, A), 1)],
    "slide": [slide(args, replace(e.data, gives=gives)) for e in SLIDES
              for gives, args in (("z", e.args), ("w", (e.args[0], sym("Z", e.shape))), ("x", (e.args[1], sym("Z", e.shape))))],
    "least": [node("least", (x,), k) for x in (S, col, row) for k in (None, 0, 1)] + [node("least", (A,), 0)],
}
EVERY = [pytest.param(e, id=f"{op}: {ex.text(e)}{e.shape}") for op, some in CASES.items() for e in some]


def value(symbol: sp.Symbol) -> sp.Rational:
    """A number in (0, 1), where every function is defined, without ties, all of them different."""
    return sp.Rational(sum(ord(x) * 31**i for i, x in enumerate(symbol.name)) % 9973, 9974)


def number(e: sp.Expr) -> mp.mpf:
    f = sp.Function("f")
    e = sp.sympify(e).replace(lambda x: isinstance(x, f), lambda x: x.args[0] ** 3 - x.args[0]).doit()
    return mp.mpf(sp.N(e.subs({v: value(v) for v in e.free_symbols}, simultaneous=True).doit(), 40))


def differentiated(e: Expr, name: str) -> Iterator[mp.mpf]:
    """The gradient of sum(g*e) with respect to every entry of a name, by SymPy."""
    entries = cells(e, {})
    target = sum(a * b for a, b in zip(symbols("g", e.shape).flat, entries.flat, strict=True))
    leaf = next(n for n in ex.walk(e) if n.op == "sym" and n.data == name)
    for v in symbols(name, leaf.shape).flat:
        yield number(sp.diff(target, v))


@pytest.mark.parametrize("e", EVERY)
def test_a_rule_is_the_derivative_on_explicit_entries(e: Expr) -> None:
    g = sym("g", e.shape)
    with mp.workdps(40):
        for name in sorted(e.names):
            leaf = next(n for n in ex.walk(e) if n.op == "sym" and n.data == name)
            got = [mp.mpf(0)] * symbols(name, leaf.shape).size
            for sent in sent_to(e, g, name):
                assert sent.shape in (leaf.shape, ()), f"{name} has shape {leaf.shape}, its gradient {sent.shape}"
                found = cells(sent, {})
                got = [x + number(found.flat[i if found.size > 1 else 0]) for i, x in enumerate(got)]
            for x, y in zip(got, differentiated(e, name), strict=True):
                assert abs(x - y) < mp.mpf(10) ** -30 * max(1, abs(y)), f"d/d{name} of {ex.text(e)}: {x}, SymPy says {y}"


def sent_to(e: Expr, g: Expr, name: str) -> Iterator[Expr]:
    """What reaches a name, one rule a node."""
    if e.op == "sym":
        yield from [g] if e.data == name else []
        return
    for k, x in enumerate(e.args):
        if name in x.names:
            yield from sent_to(x, pull(e, g, k), name)


def test_every_rule_has_cases() -> None:
    assert set(CASES) == set(RULES)
    assert all(e.op == op for op, some in CASES.items() for e in some)
    assert {e.data for e in CASES["call"]} == set(FUNCTIONS)


def test_a_rule_says_its_id_and_a_sentence() -> None:
    for e in (x for some in CASES.values() for x in some):
        for k, x in enumerate(e.args):
            rule_id, because = RULES[e.op].used(e, k)
            assert rule_id.replace("-", "").replace("W", "w").islower() and because.endswith("."), (ex.text(e), k)
            assert x.names or rule_id


SYNTAX = ["s + t", "s - t", "-s", "+s", "s*t", "s/t", "s**2", "s**t", "2**s", "A @ D", "A.T", "A*B", "s*A", "sum(A)", "sum(A, axis=0)", "mean(A)",
          "mean(A, axis=1)", "max(A)", "min(A)", "max(A, axis=1)", "min(A, axis=0)", "max(s, t)", "min(0, s)", "ones(2, 3) + A", "pi*s", "1/3", "0.5",
          "ln(s)", "f(s)", "A[0]", "A[:, 1]", "flatten(A)", "conv(A, s)", "concat(A, A)", "max_pool(A, size=2)", "average_pool(A, size=1)", "windows(A, size=2)", *(f"{name}({'s' if len(f.args) == 1 else 's, t'})" for name, f in FUNCTIONS.items()),
          *(f"{name}(A, axis=1)" for name in VECTOR_FUNCTIONS), "inv(S)", "norm(A)**2", "trace(S)", "eye(3) @ D"]


def test_whatever_can_be_written_has_a_rule() -> None:
    names = {x.data: x for x in (s, t, A, B, D, S)}
    seen = {n.op for source in SYNTAX for n in ex.walk(parse(source, names, frozenset({"f"})))}
    known = set(RULES) | ex.LEAVES
    assert seen <= known and set(RULES) - seen == {"cases", "pick", "put", "onehot"}, "these arise from the others"
    pairs = {(a, "mse") for a in activations()} | {(a, loss) for a in ("identity", "sigmoid", "softmax") for loss in LOSSES}  # the three of theorems
    for activation, loss in sorted(pairs):
        for samples in (None, 3):
            net = stack(("x", 2), "y", [LayerPlan(2, activation), LayerPlan(2, activation)], loss, samples=samples)
            for n in (net, scalarize(net)):
                trees = [eq.rhs for eq in n.equations] + [step.result for step in derive(n).steps.values()]
                assert {x.op for tree in trees for x in ex.walk(tree)} <= known, (activation, loss)


def test_a_gradient_is_in_the_language_and_can_be_differentiated_again() -> None:
    first = derive(from_equations({"y": "sigmoid(x)**3 * max(x, 1/5)"}, {})).steps["x"].result
    assert first.names == {"x"}
    x = symbols("x", ()).flat[0]
    assert value(x) > sp.Rational(1, 5)
    with mp.workdps(40):
        second = sum(number(cells(g, {}).flat[0]) for g in sent_to(first, num(1), "x"))
        assert abs(second - number(sp.diff(x / (1 + sp.exp(-x)) ** 3, x, 2))) < mp.mpf(10) ** -30


def test_without_a_rule_the_error_says_where_to_add_one() -> None:
    with pytest.raises(ChainruleError, match=r"no rule for matmul in A @ D; add a row to symbolic.rules.RULES"):
        derive(from_equations({"Z": "A @ D"}, {"A": (2, 3), "D": (3, 4)}), (), {k: r for k, r in RULES.items() if k != "matmul"})
