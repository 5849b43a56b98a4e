r"""The table of functions: one row each, and everything follows from the row (``rows`` says what a row is).

A new activation is one line:

>>> row("cube_demo", z**3, activation=True).slope_text()
'3*z**2'
>>> FUNCTIONS["sigmoid"].slope_text()
'a*(1 - a)'
>>> del FUNCTIONS["cube_demo"]
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

from . import expr as ex
from .expr import Expr
from .language.rows import FUNCTIONS, VECTOR_FUNCTIONS, Row, VectorRow, a, as_tree, definition, expand_rows, from_sympy, row, slope_form, u, v, vector_row, z

__all__ = ["FUNCTIONS", "VECTOR_FUNCTIONS", "Row", "VectorRow", "a", "as_tree", "definition", "expand_rows", "from_sympy", "row", "slope_form",
           "u", "v", "vector_row", "z"]

alpha = ex.sym("alpha")


def _function(name: str) -> Callable[[Any], Expr]:
    return lambda x: ex.node("call", (ex.as_expr(x),), name)


exp, log, sqrt, sin, cos, sinh, cosh, tanh = map(_function, ("exp", "log", "sqrt", "sin", "cos", "sinh", "cosh", "tanh"))


def _exact(form: Callable[..., Any]) -> Callable[[], Any]:
    """A form that holds pi or a root, which only SymPy has exactly: ``form(sp, z, a)``, worked out when it is asked for."""
    def made() -> Any:
        import sympy as sp

        return form(sp, *sp.symbols("z a", real=True))

    return made


def cases(*pieces: Any) -> Expr:
    """The value of the first (left, sign, right, value) whose comparison holds; last, the value otherwise."""
    *some, otherwise = pieces
    parts = [x for left, _, right, value in some for x in (left, right, value)]
    return ex.node("cases", map(ex.as_expr, (*parts, otherwise)), tuple(sign for _, sign, *_ in some))


def _between(low: int, low_value: Any, value: Any, high: int, high_value: Any) -> Expr:
    """One value up to low, one from high, and one between them."""
    return cases((z, "<=", low, low_value), (z, "<", high, value), high_value)


REALS, POSITIVE, FROM_0 = r"(-\infty, \infty)", r"(0, \infty)", r"[0, \infty)"

# ---------------------------------------------------------------- the functions of a first course in calculus

row("exp", None, slope=a, tex=r"\exp", because="The exponential is its own slope.",
    range=POSITIVE, used="inside sigmoid and softmax")
row("log", None, slope=1/z, tex=r"\ln", because="The slope of the natural logarithm is one over its input.",
    range=REALS, used="in likelihoods and cross-entropy", inverse="exp", defined="positive numbers", also=("ln",))
row("log1p", log(1 + z), slope=1/(1 + z), numpy="numpy.log1p({z})", because="The slope of the natural logarithm is one over its input, here one plus z.",
    range=REALS, used="inside a stable logarithm", defined="numbers above -1")
row("sqrt", None, slope=1/(2*a), tex=r"\sqrt", because="The slope of the root is one over twice the root.",
    range=FROM_0, used="in norms and standard deviations",
    defined="numbers from 0 on; at 0 itself the slope is infinite")
row("sin", None, slope=cos(z), tex=r"\sin", because="The slope of the sine is the cosine.",
    range="[-1, 1]", used="in rotations and position codes", also=("sen",))
row("cos", None, slope=-sin(z), tex=r"\cos", because="The slope of the cosine is minus the sine.",
    range="[-1, 1]", used="in rotations and position codes")
row("tan", None, slope=1 + a**2, tex=r"\tan", because="The slope of the tangent is one plus its square.",
    range=REALS, used="in geometry", via=sin(z)/cos(z),
    defined="all numbers but the odd multiples of pi/2", also=("tg",))
row("asin", None, slope=1/sqrt(1 - z**2), tex=r"\arcsin", because="The sine of the output is the input again.",
    range=r"\left[-\tfrac{\pi}{2}, \tfrac{\pi}{2}\right]", used="in geometry",
    inverse="sin", through=(1/sqrt(1 - sin(a)**2),), defined="numbers from -1 to 1; at -1 and 1 the slope is infinite", also=("arcsin",))
row("acos", None, slope=-1/sqrt(1 - z**2), tex=r"\arccos", because="The cosine of the output is the input again.",
    range=r"[0, \pi]", used="for the angle between two vectors",
    inverse="cos", through=(-1/sqrt(1 - cos(a)**2),), defined="numbers from -1 to 1; at -1 and 1 the slope is infinite", also=("arccos",))
row("atan", None, slope=1/(1 + z**2), tex=r"\arctan", because="The tangent of the output is the input again, so the slope is one over one plus its square.",
    range=r"\left(-\tfrac{\pi}{2}, \tfrac{\pi}{2}\right)", used="in geometry",
    inverse="tan", also=("arctan",))
row("sinh", None, slope=cosh(z), tex=r"\sinh", because="The slope of the hyperbolic sine is the hyperbolic cosine.",
    range=REALS, used="inside tanh", via=exp(z)/2 - exp(-z)/2)
row("cosh", None, slope=sinh(z), tex=r"\cosh", because="The slope of the hyperbolic cosine is the hyperbolic sine.",
    range=r"[1, \infty)", used="inside tanh", via=exp(z)/2 + exp(-z)/2)
row("erf", None, slope=_exact(lambda sp, z, a: 2*sp.exp(-z**2)/sp.sqrt(sp.pi)), tex=r"\operatorname{erf}", numpy="erf({z})",
    because="The error function is an area under a bell curve, so its slope is the height of the curve.",
    range="(-1, 1)", used="inside the normal distribution and GELU",
    convention="The error function comes from Python's own math module; NumPy has none.")
row("abs", cases((z, ">", 0, z), (z, "<", 0, -z), 0), slope=cases((z, ">", 0, 1), (z, "<", 0, -1), 0),
    kinks=(0,), at_kink="at 0, where there is no slope, 0 is used", numpy="numpy.abs({z})",
    because="The slope of the absolute value is the sign of its input.", range=FROM_0, used="in the mean absolute error and L1 penalties")
row("max", cases((u, ">", v, u), v), args=(u, v), slope=(cases((u, ">", v, 1), 0), cases((u, ">", v, 0), 1)), tex=r"\max", numpy="numpy.maximum({u}, {v})",
    at_kink="where both are equal the second counts", because="The larger one passes the gradient on, the other gets nothing.",
    range=REALS, used="in ReLU, hinge losses and pooling")
row("min", cases((u, ">", v, v), u), args=(u, v), slope=(cases((u, ">", v, 0), 1), cases((u, ">", v, 1), 0)), tex=r"\min", numpy="numpy.minimum({u}, {v})",
    at_kink="where both are equal the first counts", because="The smaller one passes the gradient on, the other gets nothing.",
    range=REALS, used="in clipping")
row("huber", cases((u, ">", v, v*(u - v/2)), (u, "<", -v, v*(-u - v/2)), u**2/2), args=(u, v), tex=r"\operatorname{huber}",
    slope=(cases((u, ">", v, v), (u, "<", -v, -v), u), cases((u, ">", v, u - v), (u, "<", -v, -u - v), 0)),
    because="A small error is passed on as it is; a large one counts as the limit, with its sign.", range=REALS, used="in the Huber loss")
_safe = cases((z, ">", 0, z), 1)  # its logarithm is 0 wherever z has none
row("xlogx", z*log(_safe), slope=cases((z, ">", 0, 1), 0) + log(_safe), kinks=(0,),
    at_kink="at 0, where there is no slope, 0 is used, and 0 ln 0 counts as 0",
    because="Product rule: the logarithm, plus one.", range=r"\left[-\tfrac{1}{e}, \infty\right)", used="in the entropy of the targets")
row("normal_cdf", _exact(lambda sp, z, a: (1 + sp.erf(z/sp.sqrt(2)))/2), slope=_exact(lambda sp, z, a: sp.exp(-z**2/2)/sp.sqrt(2*sp.pi)),
    tex=r"\Phi", numpy="(0.5*erfc(-({z})/numpy.sqrt(2)))",
    because="The slope of the normal distribution function is the height of the bell curve.",
    range="(0, 1)", used="inside GELU", convention="The error function in it comes from Python's own math module; NumPy has none.")

# ---------------------------------------------------------------- activations

row("identity", z, slope=ex.ONE, activation=True, numpy="{z}", numpy_slope="numpy.ones_like({z}, dtype=float)", because="The identity has slope one.", range=REALS,
    used="in the last layer of a regression", also=("linear", "none"))
row("step", cases((z, ">", 0, 1), 0), slope=ex.ZERO, tex=r"\operatorname{step}", activation=True, numpy="numpy.where(({z}) > 0, 1.0, 0.0)",
    numpy_slope="numpy.zeros_like({z}, dtype=float)", kinks=(0,), at_kink="at 0, where there is no slope, 0 is used",
    because="The step is flat, so its slope is zero wherever it has one.", range=r"\{0, 1\}", used="in the perceptron and its gates",
    convention="The step is 0 at 0 itself; others let it be 1 there.",
    warning="Every gradient below a step is zero: gradient descent cannot train what stands below it.", also=("heaviside", "threshold"))
sigmoid = row("sigmoid", 1/(1 + exp(-z)), slope=a*(1 - a), tex=r"\sigma", activation=True,
              numpy="numpy.exp(-numpy.logaddexp(0, -({z})))", numpy_slope="numpy.exp(-numpy.logaddexp(0, {z}) - numpy.logaddexp(0, -({z})))",
              because="The slope of the sigmoid is its output times one minus its output.", range="(0, 1)",
              used="for probabilities of two classes and the gates of an LSTM",
              through=(1/(1 + exp(-z)) - 1/(1 + exp(-z))**2, a - a**2), also=("logistic", "expit", "sigma", "σ"))
row("tanh", None, slope=1 - a**2, tex=r"\tanh", activation=True,
    numpy_slope="(4*numpy.exp(-numpy.logaddexp(0, 2*({z})) - numpy.logaddexp(0, -2*({z}))))",
    because="The slope of tanh is one minus its output squared.", range="(-1, 1)", used="in recurrent networks",
    via=(exp(z) - exp(-z))/(exp(z) + exp(-z)),
    through=(1 - (exp(z) - exp(-z))**2/(exp(z) + exp(-z))**2,), also=("hyperbolic tangent", "tansig"))
row("relu", cases((z, ">", 0, z), 0), slope=cases((z, ">", 0, 1), 0), tex=r"\operatorname{ReLU}", activation=True, numpy="numpy.maximum(0, {z})",
    kinks=(0,), at_kink="at 0, where there is no slope, 0 is used",
    because="ReLU passes the gradient where its input is positive and stops it elsewhere.", range=FROM_0,
    used="in the hidden layers of most networks", also=("rectifier", "rectified linear"))
row("leaky_relu", cases((z, ">", 0, z), z/100), slope=cases((z, ">", 0, 1), Fraction(1, 100)), tex=r"\operatorname{LReLU}",
    activation=True, kinks=(0,), at_kink="at 0, where there is no slope, 1/100 is used",
    because="Leaky ReLU has slope one where its input is positive and 1/100 elsewhere.", range=REALS,
    used="where ReLU units die", general="leaky_relu_alpha",
    convention="The slope of the negative piece is 1/100, as in PyTorch; others take 1/5 or 3/10; a layer may say alpha.", also=("leakyrelu", "lrelu"))
row("leaky_relu_alpha", cases((z, ">", 0, z), alpha*z), args=(z, alpha), slope=(cases((z, ">", 0, 1), alpha), cases((z, ">", 0, 0), z)), tex=r"\operatorname{LReLU}",
    kinks=(0,), at_kink="at 0, where there is no slope, alpha is used",
    because="Leaky ReLU has slope one where its input is positive and alpha elsewhere.", range=REALS, used="where ReLU units die",
    convention="The second argument is alpha, the slope of the negative piece, a number that is chosen and not learned.")
row("prelu", cases((z, ">", 0, z), alpha*z), args=(z, alpha), slope=(cases((z, ">", 0, 1), alpha), cases((z, ">", 0, 0), z)), tex=r"\operatorname{PReLU}",
    activation=True, kinks=(0,), at_kink="at 0, where there is no slope, alpha is used", start=Fraction(1, 4),
    because="PReLU has slope one where its input is positive and alpha elsewhere; there alpha itself has the slope z.", range=REALS,
    used="in image classifiers", convention="The slope alpha is learned, one for each layer, and starts at 1/4 (He and others, 2015).")
row("elu", cases((z, ">", 0, z), exp(z) - 1), slope=cases((z, ">", 0, 1), 1 + a), tex=r"\operatorname{ELU}", activation=True,
    numpy="numpy.where(({z}) > 0, {z}, numpy.expm1(numpy.minimum({z}, 0)))", numpy_slope="numpy.exp(numpy.minimum({z}, 0))",
    because="ELU has slope one where its input is positive and its output plus one elsewhere.", range=r"(-1, \infty)",
    used="for smooth units with a mean near zero", general="elu_alpha",
    convention="The negative piece is not scaled (alpha = 1), so that both pieces have slope 1 at 0; a layer may say alpha.")
row("elu_alpha", cases((z, ">", 0, z), alpha*(exp(z) - 1)), args=(z, alpha), slope=(cases((z, ">", 0, 1), a + alpha), cases((z, ">", 0, 0), exp(z) - 1)),
    tex=r"\operatorname{ELU}", numpy="numpy.where(({z}) > 0, {z}, ({alpha})*numpy.expm1(numpy.minimum({z}, 0)))",
    numpy_slope=("numpy.where(({z}) > 0, 1, ({alpha})*numpy.exp(numpy.minimum({z}, 0)))", "numpy.expm1(numpy.minimum({z}, 0))"),
    kinks=(0,), at_kink="at 0, where there is no slope unless alpha is 1, alpha is used",
    because="ELU has slope one where its input is positive and its output plus alpha elsewhere.", range=REALS,
    used="for smooth units with a mean near zero", convention="The second argument is alpha, the size of the negative piece, a number that is chosen and not learned.")


def _selu(form: Callable[[Any, Any], Any]) -> Any:
    """A form of SELU in its two constants."""
    from .language.constants import SeluAlpha, SeluScale

    return form(SeluScale(), SeluAlpha())


row("selu", _exact(lambda sp, z, a: _selu(lambda scale, alpha: sp.Piecewise((scale*z, z > 0), (scale*alpha*(sp.exp(z) - 1), True)))),
    slope=_exact(lambda sp, z, a: _selu(lambda scale, alpha: sp.Piecewise((scale, z > 0), (a + scale*alpha, True)))), tex=r"\operatorname{SELU}", activation=True,
    numpy="(1.0507009873554805*numpy.where(({z}) > 0, {z}, 1.6732632423543774*numpy.expm1(numpy.minimum({z}, 0))))",
    numpy_slope="(1.0507009873554805*numpy.where(({z}) > 0, 1, 1.6732632423543774*numpy.exp(numpy.minimum({z}, 0))))",
    kinks=(0,), at_kink="at 0, where there is no slope, 1.7581 is used, the slope from the left",
    because="SELU is ELU stretched: its slope is the scale on the right, and the output plus a constant on the left.", range=r"(-\lambda\alpha, \infty)",
    used="in deep networks that normalize themselves",
    convention="The constants are lambda = 1.0507 and alpha = 1.6733 of Klambauer and others (2017), which keep mean 0 and variance 1.")
row("softplus", log(1 + exp(z)), slope=sigmoid(z), tex=r"\operatorname{softplus}", activation=True,
    numpy="numpy.logaddexp(0, {z})", because="The slope of softplus is the sigmoid.", range=POSITIVE, used="for outputs that must be positive",
    through=(1/(1 + exp(-z)),))
row("softsign", z/(1 + FUNCTIONS["abs"](z)), slope=1/(1 + FUNCTIONS["abs"](z))**2, tex=r"\operatorname{softsign}", activation=True,
    because="The slope of softsign is one over the square of its denominator.", range="(-1, 1)", used="in place of tanh, with longer tails")
row("silu", z*sigmoid(z), tex=r"\operatorname{SiLU}", activation=True, numpy_slope=sigmoid(z)*(1 + z*sigmoid(-z)),
    because="Product rule: the sigmoid, plus the input times the slope of the sigmoid.", range=r"[-0.2785, \infty)",
    used="in image classifiers and, inside gates, in language models", convention="This is swish with beta = 1.", also=("swish",))
row("gelu", z*FUNCTIONS["normal_cdf"](z), slope=_exact(lambda sp, z, a: FUNCTIONS["normal_cdf"](z) + z*sp.exp(-z**2/2)/sp.sqrt(2*sp.pi)), tex=r"\operatorname{GELU}", activation=True,
    numpy_slope="(0.5*erfc(-({z})/numpy.sqrt(2)) + ({z})*numpy.exp(-0.5*({z})**2)/numpy.sqrt(2*numpy.pi))",
    because="Product rule: the normal distribution function, plus the input times the height of the bell curve.", range=r"[-0.1700, \infty)",
    used="in transformers", convention="The exact form, with the normal distribution function; the error function in it comes from Python's own math module.")


def _bend(sp: Any, z: Any) -> Any:
    return sp.sqrt(2/sp.pi)*(z + sp.Rational(44715, 10**6)*z**3)


def _gelu_tanh_slope(sp: Any, z: Any, a: Any) -> Any:
    bent, slope = sp.tanh(_bend(sp, z)), sp.sqrt(2/sp.pi)*(1 + 3*sp.Rational(44715, 10**6)*z**2)
    return sp.Mul(sp.Rational(1, 2), 1 + bent, evaluate=False) + z/2*(1 - bent**2)*slope


_HALF_BENT = "numpy.exp(-numpy.logaddexp(0, %snumpy.sqrt(8/numpy.pi)*(({z}) + 0.044715*({z})**3)))"  # the sigmoid of twice the bend, or of its negative
row("gelu_tanh", _exact(lambda sp, z, a: z/2*(1 + sp.tanh(_bend(sp, z)))), slope=_exact(_gelu_tanh_slope),
    tex=r"\operatorname{GELU}_{\tanh}", activation=True, numpy="({z})*" + _HALF_BENT % "-",
    numpy_slope=_HALF_BENT % "-" + "*(1 + numpy.sqrt(8/numpy.pi)*({z})*(1 + 0.134145*({z})**2)*" + _HALF_BENT % "" + ")",
    because="Product rule: half of one plus tanh, plus the input times the slope of that.", range=r"[-0.1700, \infty)",
    used="in transformers before erf was fast", convention="The tanh form of Hendrycks and Gimpel (2016), which is close to GELU but not equal to it.")
row("mish", z*tanh(FUNCTIONS["softplus"](z)),
    slope=tanh(FUNCTIONS["softplus"](z)) + z*sigmoid(z)*(1 - tanh(FUNCTIONS["softplus"](z))**2), tex=r"\operatorname{mish}", activation=True,
    because="Product rule, and the chain rule through tanh and softplus.", range=r"[-0.3088, \infty)", used="in object detectors")
row("hard_sigmoid", _between(-3, 0, z/6 + Fraction(1, 2), 3, 1), slope=_between(-3, 0, Fraction(1, 6), 3, 0), tex=r"\operatorname{hardsigmoid}",
    activation=True, numpy="numpy.clip((({z}) + 3)/6, 0, 1)", kinks=(-3, 3), at_kink="at -3 and 3, where there is no slope, 0 is used",
    because="The hard sigmoid has slope 1/6 between its corners and zero outside.", range="[0, 1]", used="on small devices",
    convention="The line has slope 1/6, as in PyTorch and Keras 3; Keras 2 took 1/5.", also=("hardsigmoid",))
row("hard_tanh", _between(-1, -1, z, 1, 1), slope=_between(-1, 0, 1, 1, 0), tex=r"\operatorname{hardtanh}",
    activation=True, numpy="numpy.clip({z}, -1, 1)", kinks=(-1, 1), at_kink="at -1 and 1, where there is no slope, 0 is used",
    because="The hard tanh has slope one between its corners and zero outside.", range="[-1, 1]", used="on small devices", also=("hardtanh",))
row("relu6", _between(0, 0, z, 6, 6), slope=_between(0, 0, 1, 6, 0), tex=r"\operatorname{ReLU6}",
    activation=True, numpy="numpy.clip({z}, 0, 6)", kinks=(0, 6), at_kink="at 0 and 6, where there is no slope, 0 is used",
    because="ReLU6 has slope one between 0 and 6 and zero outside.", range="[0, 6]", used="in networks for telephones, with few bits a number")

# ---------------------------------------------------------------- functions of a whole vector


def _log_sum(z: Expr, axis: int | None) -> Expr:
    return ex.node("call", (ex.total(ex.node("call", (z,), "exp"), axis),), "log")


def _back(e: Expr, axis: int | None, like: Expr) -> Expr:
    """One number a vector, repeated over the vector."""
    return ex.spread(e, axis, like.shape) if e.shape else e


def _softmax(z: Expr, axis: int | None) -> Expr:
    e = ex.node("call", (z,), "exp")
    return ex.node("div", (e, _back(ex.total(e, axis), axis, z)))


def _softmax_of(z: Expr, axis: int | None) -> Expr:
    return ex.node("over", (z,), ("softmax", axis))


def _diagonal(p: Expr) -> Expr:
    """The matrix with a column on its diagonal and zeros elsewhere."""
    return Expr("diag", (p,), None, (p.shape[0], p.shape[0]))


def _same(i: str, j: str) -> Expr:
    return Expr("same", (), (i, j))


_SUM = "numpy.exp({z} - {z}.max(axis={axis}, keepdims=True))"
_LSE = "({z}.max(axis={axis}, keepdims=True) + numpy.log(%s.sum(axis={axis}, keepdims=True)))" % _SUM
_SOFTMAX = f"{_SUM}/{_SUM}.sum(axis={{axis}}, keepdims=True)"

vector_row(
    "softmax", define=_softmax, tex=r"\operatorname{softmax}",
    pull=lambda g, z, p, axis: p*(g - _back(ex.total(g*p, axis), axis, p)),
    jacobian=lambda z, p, axis, i, j, at: at(p, i)*(_same(i, j) - at(p, j)),
    whole=lambda z, p: _diagonal(p) - p @ p.T,
    because="Every output of softmax depends on every input: each gets its own share minus the average.",
    numpy_code=_SOFTMAX, numpy_pull_code="{a}*({g} - ({g}*{a}).sum(axis={axis}, keepdims=True))",
    range=r"(0, 1)^K", used="for probabilities of several classes and in attention", also=("softargmax",))
vector_row(
    "log_softmax", define=lambda z, axis: ex.node("add", (z, ex.neg(_back(_log_sum(z, axis), axis, z)))), tex=r"\operatorname{logsoftmax}",
    pull=lambda g, z, a, axis: g - _softmax_of(z, axis)*_back(ex.total(g, axis), axis, a),
    jacobian=lambda z, a, axis, i, j, at: _same(i, j) - at(_softmax_of(z, axis), j),
    whole=lambda z, a: ex.eye((z.shape[0], z.shape[0])) - ex.ones((z.shape[0], 1)) @ _softmax_of(z, 0).T,
    because="Every output loses the same logarithm of a sum, whose slope is softmax.",
    numpy_code="{z} - " + _LSE, numpy_pull_code="{g} - numpy.exp({a})*{g}.sum(axis={axis}, keepdims=True)",
    range=r"(-\infty, 0)^K", used="inside a stable cross-entropy", also=("logsoftmax",))
vector_row(
    "logsumexp", define=_log_sum, tex=r"\operatorname{logsumexp}", activation=False, reduces=True,
    pull=lambda g, z, a, axis: _back(g, axis, z)*_softmax_of(z, axis),
    jacobian=lambda z, a, axis, i, j, at: at(_softmax_of(z, axis), j),
    whole=lambda z, a: _softmax_of(z, 0).T,
    because="The slope of the logarithm of the sum of exponentials is softmax.",
    numpy_code=_LSE, numpy_pull_code="{g}*numpy.exp({z} - {a})",
    range=REALS, used="as a smooth maximum and inside cross-entropy", also=("lse",))
