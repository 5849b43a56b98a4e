r"""The table of rules: how a gradient passes through one node of an expression.

A rule is a pullback: given g = dL/de for a node e, the gradient of its k-th argument. The same
row serves scalars and matrices, because a scalar is its own transpose.

>>> from .expr import sym, text
>>> W, a, g = sym("W", (3, 2)), sym("a", (2, 1)), sym("g", (3, 1))
>>> product = RULES["matmul"]
>>> text(product.pull(W @ a, g, 0)), text(product.pull(W @ a, g, 1))
('g @ a.T', 'W.T @ g')
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from . import expr as ex
from .errors import ChainruleError, CheckError, SpecError
from .expr import Expr
from .functions import FUNCTIONS, VECTOR_FUNCTIONS, slope_form
from .language.arithmetic import TIDY, entries
from .language.matrices import MATRIX_FUNCTIONS
from .language.takes import block, put, slide_back, take


@dataclass(frozen=True)
class Rule:
    """One rule: its stable ids, the pullback (e, g, k) -> gradient of argument k, the reasons.

    ids, because: one entry for all arguments, or one for each.
    """

    ids: tuple[str, ...]
    pull: Callable[[Expr, Expr, int], Expr]
    because: tuple[str, ...]

    def used(self, e: Expr, k: int) -> tuple[str, str]:
        """The id of the rule as it applies to argument k of e, and the reason."""
        others = [x for i, x in enumerate(e.args) if i != k]
        if e.op == "call":
            return self.ids[0], FUNCTIONS[e.data].because
        if e.op in ("over", "pick"):
            return self.ids[0], VECTOR_FUNCTIONS[e.data[0]].because
        if e.op == "matrix":
            return self.ids[0], MATRIX_FUNCTIONS[e.data].because
        if e.op == "mul" and all(x.op == "num" for x in others):
            return "constant-multiple", "A constant factor stays in front."
        if e.op in ("matmul", "mul") and len(others) == 1 and others[0].op == "ones":
            what = "for every example, so its gradient is the sum over the examples" if any(map(ex.is_samples, others[0].shape)) \
                else "at every place, so its gradient is the sum over all places"
            return "broadcast-to-sum", f"It was repeated {what}."
        return self.ids[min(k, len(self.ids) - 1)], self.because[min(k, len(self.because) - 1)]


def _others(e: Expr, k: int) -> list[Expr]:
    return [f for i, f in enumerate(e.args) if i != k]


def _power(e: Expr, g: Expr, k: int) -> Expr:
    base, n = e.args
    if k == 0:
        return g * n * base ** (n - 1)
    return g * e * ex.node("call", (base,), "log")


def _quotient(e: Expr, g: Expr, k: int) -> Expr:
    above, below = e.args
    return g * (1 / below) if k == 0 else -(g * ex.div(above, ex.power(below, ex.num(2))))


def _call(e: Expr, g: Expr, k: int) -> Expr:
    if FUNCTIONS[e.data].prime:
        return g * ex.Expr("slope", e.args, (e.data, k), e.shape, "slope")
    return g * local_slope(e, k)


def local_slope(e: Expr, k: int = 0, output: Expr | None = None) -> Expr:
    """The slope of a function applied: the row's form with arguments and output put in."""
    return put_in(slope_form(e.data, k), e, output).with_role("slope")


def put_in(form: Expr, e: Expr, output: Expr | None = None) -> Expr:
    """A form in the arguments and the output ``a`` of a row, with those of a function applied put in."""
    table = {ex.sym(n): x for n, x in zip(FUNCTIONS[e.data].names, e.args, strict=True)}
    table[ex.sym("a")] = output if output is not None else e
    return _shaped(form, table)


def _shaped(form: Expr, table: dict[Expr, Expr]) -> Expr:
    """Put matrices into a scalar form; the operations of a form are all entrywise."""
    if form in table:
        return table[form]
    if not form.args:
        return form
    return ex.node(form.op, (_shaped(x, table) for x in form.args), form.data)


def _unnamed(e: Expr, g: Expr, k: int) -> Expr:
    return g * Expr("slope", e.args, (e.data, k), e.shape)


def _over(e: Expr, g: Expr, k: int) -> Expr:
    name, axis = e.data
    return VECTOR_FUNCTIONS[name].pull(g, e.args[0], e, axis)


def _pick(e: Expr, g: Expr, k: int) -> Expr:
    """One scalar output of a vector function: its row's pullback of a gradient at that output alone."""
    name, at = e.data
    z = ex.sym("_z", (len(e.args), 1))
    shape = ex.node("over", (z,), (name, 0)).shape
    outputs = [[ex.node("pick", e.args, (name, i))] for i in range(int(shape[0]) if shape else 1)]
    seed = [[g if i == at else ex.ZERO] for i in range(len(outputs))]
    pulled = VECTOR_FUNCTIONS[name].pull(ex.sym("_g", shape), z, ex.sym("_p", shape), 0)
    return entries(pulled, {"_g": seed, "_z": [[x] for x in e.args], "_p": outputs}, TIDY)[k][0]


def _cases(e: Expr, g: Expr, k: int) -> Expr:
    if k % 3 != 2 and k != len(e.args) - 1:
        return ex.ZERO  # a condition is constant wherever there is a slope at all
    mask = [ex.ONE if i == k else ex.ZERO if i % 3 == 2 or i == len(e.args) - 1 else x for i, x in enumerate(e.args)]
    return g * ex.node("cases", mask, e.data)


def _extreme(e: Expr, g: Expr, k: int) -> Expr:
    (x,) = e.args
    return ex.spread(g, e.data, x.shape) * Expr("onehot", (x,), (e.op, e.data), x.shape)


RULES: Mapping[str, Rule] = {
    "add": Rule(("sum",), lambda e, g, k: g,
                ("A sum passes the gradient on unchanged to every term.",)),
    "neg": Rule(("constant-multiple",), lambda e, g, k: -g,
                ("A minus sign is a constant factor and stays.",)),
    "mul": Rule(("product",), lambda e, g, k: ex.mul(g, *_others(e, k)),
                ("The slope of a product with respect to one factor is the product of the others.",)),
    "div": Rule(("quotient",), _quotient,
                ("With respect to its numerator a quotient has the slope one over the denominator.",
                  "With respect to its denominator a quotient has the slope minus numerator over denominator squared.")),
    "pow": Rule(("power", "exp"), _power,
                ("Power rule: the exponent comes down and drops by one.", "The slope of a power with respect to its exponent is the power times the logarithm of its base.")),
    "call": Rule(("local-slope",), _call, ("",)),
    "apply": Rule(("chain",), _unnamed,
                  ("Chain rule: the slope of the outer function at the inner one.",)),
    "over": Rule(("vector-function",), _over, ("",)),
    "pick": Rule(("vector-function",), _pick, ("",)),
    "cases": Rule(("subgradient",), _cases, ("On each piece the slope is that of the piece.",)),
    "matmul": Rule(("linear-in-W", "linear-in-x"), lambda e, g, k: g @ e.args[1].T if k == 0 else e.args[0].T @ g,
                   ("The product is linear in its left factor: the error signal times the transposed right factor.",
                    "The product is linear in its right factor: the transposed left factor sends the error signal back.")),
    "T": Rule(("transpose",), lambda e, g, k: g.T,
              ("A transpose only moves entries, so the gradient moves back.",)),
    "take": Rule(("take",), lambda e, g, k: put(g, e.data),
                 ("What was taken is a copy: its gradient goes back to where it came from, and what was taken twice adds up.",)),
    "put": Rule(("take",), lambda e, g, k: take(g, e.data),
                ("Every entry went to one place, so its gradient is read there.",)),
    "concat": Rule(("concat",), block,
                   ("Blocks beside each other: each gets its own part of the gradient.",)),
    "slide": Rule(("convolution",), slide_back,
                  ("The kernel slides: every entry of the image is weighted wherever the kernel meets it, and all meetings add up.",
                   "The same kernel is used at every place, so its gradient is the sum over all places.")),
    "matrix": Rule(("matrix-function",), lambda e, g, k: MATRIX_FUNCTIONS[e.data].pull(e, g), ("",)),
    "sum": Rule(("sum",), lambda e, g, k: ex.spread(g, e.data, e.args[0].shape),
                ("Every entry of a sum counts with slope one.",)),
    "most": Rule(("subgradient",), _extreme, ("Only the largest entry passes the gradient on (the first one where several tie).",)),
    "least": Rule(("subgradient",), _extreme, ("Only the smallest entry passes the gradient on (the first one where several tie).",)),
    "onehot": Rule(("constant",), lambda e, g, k: ex.ZERO, ("Which entry is the largest does not change with a small step.",)),
}


def pull(e: Expr, g: Expr, k: int, rules: Mapping[str, Rule] = RULES) -> Expr:
    """The gradient of the k-th argument of e, given g = dL/de, in the shape of the argument.

    A scalar that was broadcast over a matrix collects the sum of all entries.
    Raises ChainruleError when the operation has no rule.
    """
    rule = rules.get(e.op)
    if rule is None:
        raise ChainruleError(f"no rule for {e.op} in {ex.text(e)}; add a row to symbolic.rules.RULES")
    arg = e.args[k]
    if e.shape and not g.shape and (e.op not in ex.ENTRYWISE or not arg.shape):
        g = g * ex.ones(e.shape)
    try:
        out = rule.pull(e, g, k)
    except SpecError as error:  # the equations fit, so it is the rule that does not
        raise CheckError(f"the rule for {e.op} in {ex.text(e)} does not fit: {error}; nothing was written") from None
    if out.shape and arg.shape and out.shape != arg.shape:
        raise CheckError(f"the rule for {e.op} in {ex.text(e)} gives {ex.show_shape(out.shape)} for {ex.text(arg)}, "
                         f"which is {ex.show_shape(arg.shape)}; nothing was written")
    if not arg.shape and out.shape:
        return ex.total(out)
    return out
