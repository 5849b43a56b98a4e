"""Every row of the tables against SymPy's derivative of its formula, mpmath and NumPy."""

from __future__ import annotations

import itertools
import re

import mpmath
import numpy as np
import pytest
import sympy as sp
from mpmath import mp
from trees import cells, symbols, well_formed

from symbolic import expr as ex
from symbolic.arithmetic import MP, entries
from symbolic.functions import FUNCTIONS, VECTOR_FUNCTIONS, Row, definition, slope_form
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
                stated = row.slopes[k].subs({**at, sp.Symbol("a", real=True): output}, simultaneous=True)
                assert close(high(stated.subs({}).doit()), truth), f"{row.name} at {p}"
                env = {s.name: [[high(v)]] for s, v in zip(row.args, p, strict=True)} | {"a": [[high(output)]]}
                assert close(entries(tree, env, MP)[0][0], truth), f"the tree of the slope of {row.name} at {p}"


@pytest.mark.parametrize("row", ROWS)
def test_the_tree_of_a_formula_says_what_the_formula_says(row: Row) -> None:
    form = definition(row.name)
    assert (form is None) == (row.formula is None)
    with mp.workdps(40):
        for p in points(row):
            names = [s.name for s in row.args]
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
    assert reached == 2 or not row.activation, "an activation must be finite at 1000 and at -1000"


@pytest.mark.parametrize("row", ROWS)
def test_sympy_knows_the_function(row: Row) -> None:
    inner = [2 * s + sp.Rational(1, 1000) if s.name == "z" else s for s in row.args]
    f = row(*inner)
    assert f.free_symbols == set(row.args)
    compiled = sp.lambdify(row.args, f, "numpy")
    for p in points(row)[::3]:
        at = dict(zip(row.args, (v / 2 - sp.Rational(1, 2000) if s.name == "z" else v for s, v in zip(row.args, p, strict=True)), strict=True))
        assert close(high(f.subs(at).evalf(40)), high(row.expand(*p)), 25), f"{row.name}.evalf at {p}"
        assert close(float(compiled(*map(float, at.values()))), high(row.expand(*p)), 12)
        for k, x in enumerate(row.args):
            slope = sp.diff(f, x).subs(at).doit().evalf(40)
            truth = sp.diff(row.expand(*row.args), x).subs(dict(zip(row.args, p, strict=True))) * inner[k].coeff(x)
            assert close(high(slope), high(truth), 25), f"SymPy's diff of {row.name} at {p}"
    well_formed(sp.latex(f))


@pytest.mark.parametrize("row", ROWS)
def test_a_row_prints(row: Row) -> None:
    names = [s.name for s in row.args]
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
def test_a_row_with_pieces_says_what_happens_where_they_meet(row: Row) -> None:
    pieces = row.formula is not None and row.formula.has(sp.Piecewise)
    assert bool(row.at_kink) == pieces
    for kink in row.kinks:
        slope = sp.diff(row.expand(row.args[0]), row.args[0])
        left, right = (slope.subs(row.args[0], kink + s * sp.Rational(1, 10**9)) for s in (-1, 1))
        assert left != right, f"{row.name} has no kink at {kink}"
        with mp.workdps(30):
            used = entries(slope_form(row.name), {"z": [[mp.mpf(kink)]]}, MP)[0][0]
            said = re.search(r"(-?[\d/]+) is used", row.at_kink)
            assert said and close(used, high(sp.Rational(said[1])), 25), f"{row.name}: {row.at_kink}"


def test_a_tie_of_max_and_min_sends_the_gradient_to_one_of_them() -> None:
    for name, second in (("max", 1), ("min", 0)):
        env = {n: [[mp.mpf(2)]] for n in "uv"}
        assert [entries(slope_form(name, k), env, MP)[0][0] for k in (0, 1)] == [1 - second, second]
        assert ("second" if second else "first") in FUNCTIONS[name].at_kink


# ---------------------------------------------------------------- functions of a whole vector

@pytest.mark.parametrize("row", VECTORS)
@pytest.mark.parametrize(("shape", "axis"), [((3, 1), 0), ((1, 3), 1), ((2, 3), 0), ((2, 3), 1), ((2, 1), 0)])
def test_a_vector_function_and_its_pullback(row: object, shape: tuple[int, int], axis: int) -> None:
    z, g = ex.sym("z", shape), ex.sym("g", shape)
    node = ex.node("over", (z,), (row.name, axis))
    formula = cells(node, {})
    defined = cells(row.define(z, axis), {})
    pulled = cells(row.pull(g, node, axis), {})
    numbers = {s: sp.Rational(7 * i - 11, 13) for name in "zg" for i, s in enumerate(symbols(name, shape).flat)}
    target = sum(a * b for a, b in zip(symbols("g", shape).flat, formula.flat, strict=True))
    assert pulled.shape == formula.shape == defined.shape == shape
    with mp.workdps(40):
        for s, mine, own, other in zip(symbols("z", shape).flat, pulled.flat, defined.flat, formula.flat, strict=True):
            assert close(high(mine.subs(numbers)), high(sp.diff(target, s).subs(numbers)))
            assert close(high(own.subs(numbers)), high(other.subs(numbers)))
    well_formed(row.tex)
