"""Every row of the tables against SymPy's derivative of its formula, mpmath and NumPy."""

from __future__ import annotations

import itertools
import re

import autograd
import autograd.numpy as anp
import mpmath
import numpy as np
import pytest
import sympy as sp
from mpmath import mp
from oracle import autograd_function
from trees import cells, symbols, well_formed

from symbolic import expr as ex
from symbolic.functions import FUNCTIONS, VECTOR_FUNCTIONS, Row, VectorRow, definition, slope_form
from symbolic.index import at_index
from symbolic.language.arithmetic import MP, entries
from symbolic.language.constants import SeluAlpha, SeluScale
from symbolic.language.rows import as_sympy, compiled, numpy_names
from symbolic.latex import Printer
from symbolic.network import from_equations

ROWS = [pytest.param(row, id=name) for name, row in FUNCTIONS.items()]
VECTORS = [pytest.param(row, id=name) for name, row in VECTOR_FUNCTIONS.items()]
GRID = [sp.Rational(k, 1009) for k in range(-2900, 2901, 553)] + [sp.Rational(k, 1000) for k in (-1, 1)]


def is_real(value: sp.Expr) -> bool:
    return bool(value.is_number and value.is_finite and value.is_real is not False and not value.has(sp.I, sp.nan))


def points(row: Row) -> list[tuple[sp.Rational, ...]]:
    """Inputs inside the domain: mid-piece, and a thousandth on both sides of every kink."""
    near = [sp.Rational(k) + s for k in row.kinks for s in (sp.Rational(1, 1000), sp.Rational(-1, 1000))]
    if len(row.args) == 1:
        tried = [(p,) for p in [*GRID, *near]]
    else:  # around the diagonal too
        tried = [*itertools.product(GRID[::3], repeat=2), *((p, p + s) for p in GRID[::5] for s in (sp.Rational(1, 1000), -sp.Rational(1, 1000)))]
        tried = [p for p in tried if p[0] != p[1]]
    found = [p for p in tried if is_real(row.expand(*p)) and is_real(row.expand(*p).evalf(20))]
    assert len(found) >= 5, f"{row.name} has hardly a point in its domain"
    return found


def high(e: sp.Expr) -> mp.mpf:
    return mp.mpf(sp.N(e, 40))


def close(got: object, expected: object, digits: int = 30) -> bool:
    return bool(abs(mp.mpf(got) - mp.mpf(expected)) <= mp.mpf(10) ** -digits * max(1, abs(mp.mpf(expected))))


@pytest.mark.parametrize("row", ROWS)
def test_the_slope_is_the_derivative_of_the_formula(row: Row) -> None:
    with mp.workdps(40):
        for k, x in enumerate(row.args):
            derivative = sp.diff(row.expand(*row.args), x)
            tree = slope_form(row.name, k)
            for p in points(row):
                at = dict(zip(row.args, p, strict=True))
                truth, output = high(derivative.subs(at)), row.expand(*p)
                stated = row.sympy_slopes[k].subs({**at, sp.Symbol("a", real=True): output}, simultaneous=True)
                assert close(high(stated.subs({}).doit()), truth), f"{row.name} at {p}"
                env = {s.name: [[high(v)]] for s, v in zip(row.args, p, strict=True)} | {"a": [[high(output)]]}
                assert close(entries(tree, env, MP)[0][0], truth), f"the tree of the slope of {row.name} at {p}"


@pytest.mark.parametrize("row", ROWS)
def test_the_tree_of_a_formula_says_what_the_formula_says(row: Row) -> None:
    form = definition(row.name)
    assert (form is None) == (row.formula is None)
    with mp.workdps(40):
        for p in points(row):
            names = list(row.names)
            call = ex.node("call", [ex.sym(n) for n in names], row.name)
            env = {n: [[high(v)]] for n, v in zip(names, p, strict=True)}
            assert close(entries(call, env, MP)[0][0], high(row.expand(*p))), f"{row.name} at {p}"
            if form is not None:
                assert close(entries(form, env, MP)[0][0], high(row.expand(*p)))


@pytest.mark.parametrize("row", ROWS)
def test_numpy_computes_the_formula(row: Row) -> None:
    inputs = [tuple(map(float, p)) for p in points(row)]
    got = row.numpy(*(np.array(column) for column in zip(*inputs, strict=True)))
    assert np.shape(got) == (len(inputs),)
    for value, p in zip(got, inputs, strict=True):
        truth = row.expand(*(sp.Rational(v) for v in p))
        assert close(float(value), float(sp.N(truth, 30)), 12), f"{row.name} at {p}"


@pytest.mark.parametrize("row", ROWS)
def test_numpy_is_right_far_out_wherever_the_value_is_a_float(row: Row) -> None:
    reached = 0
    for p in itertools.product((1000, -1000), repeat=len(row.args)):
        with mp.workdps(30):
            x = [mp.mpf(v) for v in p]
            truth = sp.lambdify(row.args, row.expand(*row.args), "mpmath")(*x)
        if isinstance(truth, mpmath.mpc) or not abs(truth) < 1e300:
            continue
        got = row.numpy(*(np.array([float(v)]) for v in p))
        assert np.all(np.isfinite(got)) and close(float(got[0]), truth, 12), f"{row.name}{p}: {got}, expected {truth}"
        reached += 1
    assert reached or row.name in ("sinh", "cosh", "asin", "acos"), "a value far out exists and was not tested"
    assert reached == 2**len(row.args) or not row.activation, "an activation must be finite at 1000 and at -1000"


@pytest.mark.parametrize("row", ROWS)
def test_sympy_knows_the_function(row: Row) -> None:
    inner = [2 * s + sp.Rational(1, 1000) if s.name == "z" else s for s in row.args]
    f = row(*inner)
    assert f.free_symbols == set(row.args)
    on_arrays = sp.lambdify(row.args, f, [numpy_names(), "numpy"])
    for p in points(row)[::3]:
        at = dict(zip(row.args, (v / 2 - sp.Rational(1, 2000) if s.name == "z" else v for s, v in zip(row.args, p, strict=True)), strict=True))
        assert close(high(f.subs(at).evalf(40)), high(row.expand(*p)), 25), f"{row.name}.evalf at {p}"
        assert close(float(on_arrays(*map(float, at.values()))), high(row.expand(*p)), 12)
        for k, x in enumerate(row.args):
            slope = sp.diff(f, x).subs(at).doit().evalf(40)
            truth = sp.diff(row.expand(*row.args), x).subs(dict(zip(row.args, p, strict=True))) * inner[k].coeff(x)
            assert close(high(slope), high(truth), 25), f"SymPy's diff of {row.name} at {p}"
    well_formed(sp.latex(f))


@pytest.mark.parametrize("row", ROWS)
def test_a_row_prints(row: Row) -> None:
    names = list(row.names)
    call = ex.node("call", [ex.sym(n) for n in names], row.name)
    show = Printer(from_equations({"y": ex.text(call)}, {}))
    assert well_formed(show(call)) and well_formed(row.tex + "{z}")
    net = from_equations({"a": "+".join(["1", *names, "q"])}, {})
    for k in range(len(names)):
        assert well_formed(Printer(net)(slope_form(row.name, k)))
        assert well_formed(Printer(net)(ex.Expr("slope", call.args, (row.name, k))))


@pytest.mark.parametrize("row", [*ROWS, *VECTORS])
def test_because_is_a_sentence(row: Row) -> None:
    assert re.fullmatch(r"[A-Z][^.]*[a-z0-9/][^.]*\.", row.because) and len(row.because.split()) >= 5, row.because


@pytest.mark.parametrize("row", ROWS)
def test_a_row_says_what_happens_at_every_kink_and_nowhere_else(row: Row) -> None:
    conditions = [c for p in as_sympy(row.formula).atoms(sp.Piecewise) for _, c in p.args if c != sp.true] if row.formula is not None else []
    if len(row.args) == 1 or row.kinks:
        at, one = {sp.Symbol("alpha", real=True): sp.Rational(1, 7)}, sp.Rational(1, 10**9)
        slope = sp.diff(row.expand(*row.args), row.args[0]).subs(at)
        value = row.expand(*row.args).subs(at)
        ends = {sp.Integer(c.rhs) for c in conditions if c.lhs == row.args[0]}
        bent = {k for k in ends if abs(high(slope.subs(row.args[0], k - one) - slope.subs(row.args[0], k + one))) > 1e-6
                or abs(high(value.subs(row.args[0], k - one) - value.subs(row.args[0], k + one))) > 1e-6}
        assert bent == set(row.kinks), f"{row.name} has its kinks at {bent}"
    assert bool(row.at_kink) == (bool(row.kinks) or row.name in ("max", "min"))
    for kink in row.kinks:
        with mp.workdps(30):
            used = entries(slope_form(row.name), {"z": [[mp.mpf(kink)]], "alpha": [[mp.mpf(1) / 7]], "a": [[high(row.expand(kink, *row.args[1:]))]]}, MP)[0][0]
            said = re.search(r"(-?[\d./]+|alpha) is used", row.at_kink)
            assert said and str(kink) in row.at_kink
            digits = len(said[1].split(".")[1]) if "." in said[1] else 25
            assert abs(used - (mp.mpf(1) / 7 if said[1] == "alpha" else high(sp.Rational(said[1])))) <= mp.mpf(10) ** -digits / 2, f"{row.name}: {row.at_kink}"


def test_a_tie_of_max_and_min_sends_the_gradient_to_one_of_them() -> None:
    for name, second in (("max", 1), ("min", 0)):
        env = {n: [[mp.mpf(2)]] for n in "uv"}
        assert [entries(slope_form(name, k), env, MP)[0][0] for k in (0, 1)] == [1 - second, second]
        assert ("second" if second else "first") in FUNCTIONS[name].at_kink


ACTIVATIONS = [pytest.param(row, id=name) for name, row in FUNCTIONS.items() if row.activation]
WIDE = np.concatenate([np.linspace(-1000, 1000, 2001), np.linspace(-8, 8, 3201), [-1e-9, 1e-9]])
NAMED = {r"\infty": "inf", r"\lambda\alpha": "1.7580993408473766", r"\pi": str(np.pi)}


@pytest.mark.parametrize("row", ACTIVATIONS)
def test_the_range_is_what_the_outputs_fill(row: Row) -> None:
    out = row.numpy(WIDE, *[np.full_like(WIDE, 0.25) for _ in row.args[1:]])
    if row.range.startswith(r"\{"):
        assert set(out) == {float(x) for x in row.range.strip(r"\{}").split(",")}
        return
    text = row.range
    for name, number in NAMED.items():
        text = text.replace(name, number)
    low, high_end = (float(x) for x in text.strip("()[]").split(","))
    for stated, reached, opens in ((low, out.min(), row.range[0] == "("), (high_end, out.max(), row.range[-1] == ")")):
        assert abs(reached) >= 7 if np.isinf(stated) else abs(stated - reached) < 2e-3, f"{row.name}: {row.range}, and {reached} is reached"
        assert opens or stated in out or abs(stated - reached) < 1e-4, f"{row.name} does not reach {stated}"


@pytest.mark.parametrize("row", [*ROWS, *VECTORS])
def test_a_row_says_where_it_is_used_and_whose_version_it_is(row: Row) -> None:
    assert row.range and 2 <= len(row.used.split()) <= 12 and not row.used.endswith(".")
    well_formed(row.range)
    for note in row.notes:
        assert re.fullmatch(r"[A-Z].*\.", note) and len(note) < 130, note
    versions = ("leaky_relu", "leaky_relu_alpha", "prelu", "elu", "elu_alpha", "selu", "silu", "gelu", "gelu_tanh", "hard_sigmoid", "step", "erf", "normal_cdf")
    assert bool(row.convention) == (row.name in versions)
    assert bool(getattr(row, "warning", "")) == (row.name == "step")


def test_selu_keeps_mean_zero_and_variance_one() -> None:
    with mp.workdps(30):
        scale, alpha = mp.mpf(SeluScale().evalf(30)), mp.mpf(SeluAlpha().evalf(30))
        assert mp.nstr(scale, 20) == "1.0507009873554804934" and mp.nstr(alpha, 20) == "1.6732632423543772848"
        for power, expected in ((1, 0), (2, 1)):
            mean = mp.quad(lambda z: (scale * z)**power * mp.npdf(z), [0, 5, 20]) + mp.quad(lambda z: (scale * alpha * mp.expm1(z))**power * mp.npdf(z), [-20, -5, 0])
            assert abs(mean - expected) < mp.mpf(10) ** -20


@pytest.mark.parametrize("row", ROWS)
def test_autograd_agrees_with_the_slope(row: Row) -> None:
    formula = autograd_function(row.expand(*row.args), row.args)
    inputs = [tuple(map(float, p)) for p in points(row)]
    for k in range(len(row.args)):
        code = compiled(row.numpy_slope_codes[k], row.names)
        got = np.broadcast_to(code(*(np.array(c) for c in zip(*inputs, strict=True))), len(inputs))
        for value, p in zip(got, inputs, strict=True):
            truth = autograd.grad(lambda *x, k=k: formula(*x) + 0 * x[k], k)(*p)
            assert abs(value - truth) <= 1e-10 * max(1, abs(truth)), f"{row.name}, argument {k}, at {p}"


# ---------------------------------------------------------------- functions of a whole vector

@pytest.mark.parametrize("row", VECTORS)
@pytest.mark.parametrize(("shape", "axis"), [((3, 1), 0), ((1, 3), 1), ((2, 3), 0), ((2, 3), 1), ((2, 1), 0)])
def test_a_vector_function_and_its_pullback(row: object, shape: tuple[int, int], axis: int) -> None:
    z, g = ex.sym("z", shape), ex.sym("g", shape)
    node = ex.node("over", (z,), (row.name, axis))
    g = ex.sym("g", node.shape)
    formula = cells(node, {})
    defined = cells(row.define(z, axis), {})
    pulled = cells(row.pull(g, z, node, axis), {})
    numbers = {s: sp.Rational(7 * i - 11, 13) for name, e in (("z", z), ("g", g)) for i, s in enumerate(symbols(name, e.shape).flat)}
    target = sum(a * b for a, b in zip(symbols("g", g.shape).flat, formula.flat, strict=True))
    assert pulled.shape == shape and formula.shape == defined.shape == (node.shape or (1, 1))
    assert node.shape == (() if row.reduces and 1 in shape else shape if not row.reduces else (1, shape[1]) if axis == 0 else (shape[0], 1))
    array = np.array([[float(s.subs(numbers)) for s in line] for line in symbols("z", shape)])
    upstream = np.array([[float(s.subs(numbers)) for s in line] for line in symbols("g", g.shape)])
    value = row.numpy(array, axis)
    sent = row.numpy_pull(upstream, array, value, axis)
    with mp.workdps(40):
        for s, mine, theirs in zip(symbols("z", shape).flat, pulled.flat, sent.flat, strict=True):
            truth = high(sp.diff(target, s).subs(numbers))
            assert close(high(mine.subs(numbers)), truth) and close(float(theirs), truth, 12)
        for own, other, compiled_value in zip(defined.flat, formula.flat, value.flat, strict=True):
            assert close(high(own.subs(numbers)), high(other.subs(numbers))) and close(float(compiled_value), high(other.subs(numbers)), 12)
    well_formed(row.tex)


@pytest.mark.parametrize("row", VECTORS)
def test_the_jacobian_of_a_vector_function_entry_by_entry(row: VectorRow) -> None:
    z = ex.sym("z", (3, 1))
    whole = ex.node("over", (z,), (row.name, 0))
    a = ex.sym("a", whole.shape)
    entry = row.jacobian(z, a, 0, "i", "j", lambda e, letter: ex.Expr("entry", (e,), (letter,)))
    formula = cells(whole, {})
    with mp.workdps(40):
        at = {s: mp.mpf(3 * k - 2) / 7 for k, s in enumerate(symbols("z", (3, 1)).flat)}
        env = {"z": [[v] for v in at.values()], "a": entries(whole, {"z": [[v] for v in at.values()]}, MP)}
        for i, output in enumerate(formula.flat):
            for j, s in enumerate(symbols("z", (3, 1)).flat):
                assert close(at_index(entry, env, {"i": i, "j": j}, MP), high(sp.diff(output, s).subs(at)), 25), (row.name, i, j)


@pytest.mark.parametrize("row", VECTORS)
def test_autograd_agrees_with_the_pullback(row: VectorRow) -> None:
    z = np.array([[0.3, -1.2, 0.7], [2.0, 0.1, -0.4]])
    for axis in (0, 1):
        g = np.cos(np.arange(row.numpy(z, axis).size)).reshape(row.numpy(z, axis).shape)
        truth = autograd.grad(lambda x, g=g, axis=axis: (g * TEXTBOOK[row.name](x, axis)).sum())(z)
        assert np.abs(row.numpy_pull(g, z, row.numpy(z, axis), axis) - truth).max() < 1e-12


TEXTBOOK = {
    "softmax": lambda x, axis: anp.exp(x) / anp.exp(x).sum(axis=axis, keepdims=True),
    "log_softmax": lambda x, axis: x - anp.log(anp.exp(x).sum(axis=axis, keepdims=True)),
    "logsumexp": lambda x, axis: anp.log(anp.exp(x).sum(axis=axis, keepdims=True)),
}
