"""Value and slope of every activation and vector function in float64, from -1000 to 1000, against mpmath.

The error is at most 1e-12 of the true value, plus 1e-300; where a value or slope crosses zero and its
terms cancel, of its largest term.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import sympy as sp
from mpmath import mp

from symbolic.functions import FUNCTIONS, VECTOR_FUNCTIONS, Row, VectorRow, expand_rows
from symbolic.language.rows import compiled, numpy_names

A = sp.Symbol("a", real=True)  # the output
RELATIVE, ABSOLUTE = 1e-12, 1e-300
DIGITS = 400  # 1e-300 beside 1 needs more than 300 of them
TURNING = ("silu", "gelu", "gelu_tanh", "mish")  # their slopes cross zero between two terms
ROWS = [pytest.param(row, id=name) for name, row in FUNCTIONS.items() if row.activation or name in ("erf", "normal_cdf", "leaky_relu_alpha", "elu_alpha")]
VECTORS = [pytest.param(row, id=name) for name, row in VECTOR_FUNCTIONS.items()]


def inputs() -> list[float]:
    """Both signs of: tiny, small, around every corner and limit of the floats, large, and some at random."""
    draw = random.Random("chainrule/stable")
    sizes = [5e-324, 1e-300, 1e-30, 1e-16, 1e-8, 1e-3, 0.1, 0.5, 0.999999, 1.000001, 1.2784645, 2.0, 2.9999999, 3.0000001, 5.9999999, 6.0000001, 10.0,
             18.3, 20.0, 36.7, 37.5, 38.4, 40.0, 100.0, 300.3, 354.9, 372.6, 700.25, 708.4, 709.9, 745.13, 746.0, 999.99, 1000.0]
    sizes += [draw.uniform(0, 8) for _ in range(12)] + [draw.uniform(8, 1000) for _ in range(6)]
    return [s * x for x in sizes for s in (1, -1)]


INPUTS = inputs()


def check(got: float, true: Any, largest: Any, what: str) -> None:
    error = abs(mp.mpf(float(got)) - true)
    assert error <= RELATIVE * max(abs(true), largest) + mp.mpf(ABSOLUTE), f"{what}: {got!r}, expected {mp.nstr(true, 17)}"


def exact(e: sp.Expr, args: tuple[sp.Symbol, ...]) -> Callable[..., Any]:
    return sp.lambdify(args, e, "mpmath")


@pytest.mark.parametrize("row", ROWS)
def test_value_and_slope_lose_no_digits(row: Row) -> None:
    more = [np.float64(0.25)] * (len(row.args) - 1)
    values = row.numpy(np.array(INPUTS), *(np.full(len(INPUTS), m) for m in more))
    formula = row.expand(*row.args)
    true = exact(formula, row.args)
    with mp.workdps(DIGITS):
        for x, got in zip(INPUTS, values, strict=True):
            check(got, true(mp.mpf(x), *map(mp.mpf, more)), 0, f"{row.name}({x})")
        for k, argument in enumerate(row.args):
            slopes = compiled(row.numpy_slope_codes[k], [s.name for s in row.args])(np.array(INPUTS), *(np.full(len(INPUTS), m) for m in more))
            true_slope = exact(sp.diff(formula, argument).doit(), row.args)
            stated = row.sympy_slopes[k].subs(A, row(*row.args))
            terms = [exact(expand_rows(t), row.args) for t in sp.Add.make_args(stated)] if row.name in TURNING else []
            for x, got in zip(INPUTS, slopes, strict=True):
                at = [mp.mpf(x), *map(mp.mpf, more)]
                check(got, true_slope(*at), max((abs(t(*at)) for t in terms), default=0), f"the slope of {row.name} at {x}")


@pytest.mark.parametrize("row", ROWS)
def test_the_slope_at_a_kink_is_the_one_that_the_row_states(row: Row) -> None:
    for kink in row.kinks:
        at = [np.array([float(kink)]), *(np.array([0.25]) for _ in row.args[1:])]
        stated = row.sympy_slopes[0].subs(A, row(*row.args)).subs(dict(zip(row.args, (sp.Integer(kink), sp.Rational(1, 4)), strict=False)))
        assert abs(float(row.numpy_slope(*at)[0]) - float(expand_rows(stated))) < 1e-15


VECTOR_INPUTS = [[1000.0, -1000.0, 0.0], [1000.0, 999.5, -3.0], [-1000.0, -1000.25, -999.0], [0.0, 1e-300, -1e-300], [2.0, 2.0, 2.0], [700.3, 0.1, -0.7],
                 [1e-9, 3.0, -36.7], [-745.0, -1.5, 30.25, 30.0], [0.3], [-1000.0, 1000.0]]


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("row", VECTORS)
def test_a_vector_function_and_its_pullback_lose_no_digits(row: VectorRow, axis: int) -> None:
    draw = random.Random(f"chainrule/stable/{row.name}")
    for x in VECTOR_INPUTS:
        z = np.array([x]) if axis else np.array([x]).T
        value = row.numpy(z, axis)
        g = np.array([draw.uniform(-2, 2) for _ in value.flat]).reshape(value.shape)
        sent = row.numpy_pull(g, z, value, axis)
        assert sent.shape == z.shape
        with mp.workdps(2 * DIGITS):
            high, upstream = [mp.mpf(v) for v in x], [mp.mpf(float(v)) for v in g.flat]
            below = mp.fsum(map(mp.exp, high))
            p, log = [mp.exp(v) / below for v in high], mp.log(below)
            if row.name == "softmax":
                true, largest = p, [0] * len(p)
                mean = mp.fsum(u * q for u, q in zip(upstream, p, strict=True))
                pulled, terms = [q * (u - mean) for u, q in zip(upstream, p, strict=True)], [q * max(map(abs, upstream)) for q in p]
            elif row.name == "log_softmax":
                true, largest = [v - log for v in high], [max(abs(v), abs(log)) for v in high]
                pulled = [u - q * mp.fsum(upstream) for u, q in zip(upstream, p, strict=True)]
                terms = [max(abs(u), q * mp.fsum(map(abs, upstream))) for u, q in zip(upstream, p, strict=True)]
            else:
                true, largest = [log], [max(map(abs, high))]
                pulled, terms = [upstream[0] * q for q in p], [0] * len(p)
            for got, t, most in zip([*value.flat, *sent.flat], [*true, *pulled], [*largest, *terms], strict=True):
                check(got, t, most, f"{row.name} of {x}")


@pytest.mark.parametrize("name", ["sigmoid", "tanh", "silu", "elu", "gelu", "gelu_tanh"])
def test_the_plain_formula_would_not_do(name: str) -> None:
    """The check sees what the stable forms are there for."""
    row = FUNCTIONS[name]
    plain = sp.lambdify(row.args, expand_rows(row.sympy_slopes[0].subs(A, row(*row.args))), [numpy_names(), "numpy"])
    true = exact(sp.diff(row.expand(*row.args), row.args[0]).doit(), row.args)
    with mp.workdps(DIGITS), np.errstate(all="ignore"), pytest.raises(AssertionError, match="expected"):
        for x in INPUTS:
            check(plain(np.float64(x)), true(mp.mpf(x)), 0, name)
