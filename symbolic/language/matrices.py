"""The table of functions of a whole matrix: trace, determinant, inverse, norm; one row each.

A row states how the entries are computed, in whatever arithmetic is asked for, and the pullback as a
teacher writes it. A proof compares the two at every shape in which the row is used.

>>> A, g = ex.sym("A", (2, 2)), ex.sym("g")
>>> print(MATRIX_FUNCTIONS["logdet"].pull(apply("logdet", A), g))
<g*inv(A).T>
>>> apply("det", ex.sym("B", (2, 3)))
Traceback (most recent call last):
symbolic.errors.SpecError: det needs a square matrix, and B is 2 x 3
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import permutations
from typing import Any

from .. import expr as ex
from ..errors import SpecError
from ..expr import Expr
from .scalars import Matrix

MOST_WRITTEN_OUT = 3  # rows and columns: a determinant written out has 3! = 6 products there, and 24 beyond


@dataclass(frozen=True, eq=False)
class MatrixRow:
    """A function of a whole matrix.

    entries(rows, arithmetic) computes it; pull(e, g) sends the gradient g of the node e back to its
    argument; scalar: what it is of a 1 x 1 matrix; square: whether only square matrices have it;
    whole: whether the result is a matrix of the same shape (else a number); numpy_code: NumPy source with ``{A}``; used: where it is met;
    singular: the way round a pullback with the inverse, where the matrix has none.
    """

    name: str
    entries: Callable[[Matrix, Any], Matrix]
    pull: Callable[[Expr, Expr], Expr]
    scalar: Callable[[Expr], Expr]
    because: str
    numpy_code: str
    used: str = ""
    square: bool = True
    whole: bool = False
    singular: str = ""


def apply(name: str, arg: Expr) -> Expr:
    """The function applied to a matrix; a 1 x 1 product is a number, and so is its trace or determinant.

    Raises SpecError where the function needs a square matrix, or any matrix at all.
    """
    row = MATRIX_FUNCTIONS[name]
    if not arg.shape:
        if not any(n.shape for n in ex.walk(arg)):
            raise SpecError(f"{name} needs a matrix, and {ex.text(arg)} is a scalar",
                            hint=f"give at least two rows under 'at', as in A: [[2, 1], [1, 3]]; of a single number it is {ex.text(row.scalar(arg))}")
        return row.scalar(arg)
    if row.square and arg.shape[0] != arg.shape[1]:
        raise SpecError(f"{name} needs a square matrix, and {ex.text(arg)} is {ex.show_shape(arg.shape)}")
    return Expr("matrix", (arg,), name, arg.shape if row.whole else ())


# ---------------------------------------------------------------- entries, in any arithmetic

def determinant(rows: Matrix, arithmetic: Any) -> Any:
    """The sum over all permutations (Leibniz); of a 2 x 2 matrix a d - b c."""
    n = len(rows)
    terms = []
    for order in permutations(range(n)):
        odd = sum(order[i] > order[j] for i in range(n) for j in range(i + 1, n)) % 2
        product = arithmetic.mul([rows[i][k] for i, k in enumerate(order)])
        terms.append(arithmetic.neg(product) if odd else product)
    return arithmetic.add(terms)


def inverse(rows: Matrix, arithmetic: Any) -> Matrix:
    """The adjugate over the determinant."""
    n, whole = len(rows), arithmetic.determinant(rows)

    def cofactor(i: int, j: int) -> Any:
        minor = [[v for k, v in enumerate(row) if k != j] for m, row in enumerate(rows) if m != i]
        value = arithmetic.determinant(minor) if minor else arithmetic.number(Fraction(1))
        return arithmetic.neg(value) if (i + j) % 2 else value

    return [[arithmetic.div(cofactor(j, i), whole) for j in range(n)] for i in range(n)]


def _squares(rows: Matrix, arithmetic: Any) -> Any:
    two = arithmetic.number(Fraction(2))
    return arithmetic.add([arithmetic.pow(v, two) for row in rows for v in row])


def _cell(value: Any) -> Matrix:
    return [[value]]


def _diagonal(rows: Sequence[Sequence[Any]]) -> list[Any]:
    return [row[i] for i, row in enumerate(rows)]


# ---------------------------------------------------------------- the rows

def _inv(e: Expr) -> Expr:
    return ex.transpose(apply("inv", e.args[0]))


MATRIX_FUNCTIONS: dict[str, MatrixRow] = {row.name: row for row in (
    MatrixRow("trace", lambda m, a: _cell(a.add(_diagonal(m))), lambda e, g: g * ex.eye(e.args[0].shape), lambda x: x,
              "Only the diagonal counts, each entry with slope one: the identity matrix.",
              "numpy.trace({A})", used="in Frobenius norms and quadratic forms of matrices"),
    MatrixRow("det", lambda m, a: _cell(a.determinant(m)), lambda e, g: g * e * _inv(e), lambda x: x,
              "The slope of a determinant with respect to an entry is its cofactor: the determinant times the transposed inverse, where there is one.",
              "numpy.linalg.det({A})", used="changes of volume; normalizing flows",
              singular="at a singular matrix write the determinant out, as in A[0, 0]*A[1, 1] - A[0, 1]*A[1, 0]; its slopes exist there, in another form"),
    MatrixRow("logdet", lambda m, a: _cell(a.call("log", [a.determinant(m)])), lambda e, g: g * _inv(e), lambda x: ex.node("call", (x,), "log"),
              "The slope of the logarithm is one over the determinant, which leaves the transposed inverse.",
              "numpy.log(numpy.linalg.slogdet({A})[0]) + numpy.linalg.slogdet({A})[1]", used="the likelihood of a normal distribution"),
    MatrixRow("inv", lambda m, a: a.inverse(m), lambda e, g: -(e.T @ g @ e.T), lambda x: ex.node("div", (ex.ONE, x)),
              "Inverse times matrix stays the identity, so the change of the inverse is minus inverse, change, inverse; sent back, each is transposed.",
              "numpy.linalg.inv({A})", used="the normal equations; Newton's method",
              whole=True),
    MatrixRow("norm", lambda m, a: _cell(a.call("sqrt", [_squares(m, a)])), lambda e, g: g * (e.args[0] / e), lambda x: ex.node("call", (x,), "abs"),
              "The slope of the Frobenius norm, the root of the sum of all squares, is the matrix over its norm.",
              "numpy.linalg.norm({A})", used="lengths of vectors, sizes of gradients", square=False),
    MatrixRow("squared_norm", lambda m, a: _cell(_squares(m, a)), lambda e, g: g * 2 * e.args[0], lambda x: ex.node("pow", (x, ex.num(2))),
              "The squared Frobenius norm is the sum of all squares, so each entry has the slope two times itself.",
              "numpy.sum(({A})**2)", used="least squares and ridge penalties", square=False),
)}
WRITTEN = [name for name in MATRIX_FUNCTIONS if name != "squared_norm"]  # norm(A)**2 is read as the last one
