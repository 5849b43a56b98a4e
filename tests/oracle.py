"""A second opinion, written from the spec alone: no rule, no derivation, no arithmetic of ours.

``Forward`` computes a network or equations in NumPy object arrays (mpmath or SymPy entries) or in
HIPS autograd; Python itself reads the equations. Slopes come from central differences.

>>> f = Forward({"equations": {"b": "4*a", "e": "b*a"}, "at": {"a": 3}})
>>> float(f.differences("a")[0, 0])
24.0
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

import autograd.extend
import mpmath
import numpy as np
import sympy as sp
from mpmath import mp

from symbolic.functions import FUNCTIONS

DIGITS = 60
STEP = 20  # h = 10**-STEP


class Kink(Exception):
    """A comparison came out equal: there is no derivative here to compare with."""


class Library:
    """Elementary functions, entry by entry; a subclass names the arithmetic."""

    names = "exp log sqrt sin cos tan asin acos atan sinh cosh tanh erf".split()

    def call(self, name: str, x: Any) -> Any:
        raise NotImplementedError

    def where(self, left: Any, right: Any, yes: Any, no: Any) -> Any:
        """yes where left > right, else no."""
        raise NotImplementedError

    def number(self, value: Any) -> Any:
        raise NotImplementedError

    def each(self, f: Callable[..., Any], *xs: Any) -> Any:
        return np.frompyfunc(f, len(xs), 1)(*xs)

    def namespace(self) -> dict[str, Any]:
        """Every function that an equation may call, by its textbook definition."""
        f: dict[str, Any] = {n: (lambda x, n=n: self.each(lambda v: self.call(n, v), x)) for n in self.names}
        exp, log, zero, hundredth = f["exp"], f["log"], self.number(0), self.number(Fraction(1, 100))
        f |= {
            "ln": log, "arcsin": f["asin"], "arccos": f["acos"], "arctan": f["atan"], "identity": lambda x: x,
            "sigmoid": lambda x: 1 / (1 + exp(-x)), "softplus": lambda x: log(1 + exp(x)), "silu": lambda x: x / (1 + exp(-x)),
            "relu": lambda x: self.where(x, zero, x, zero), "abs": lambda x: self.where(x, zero, x, -x),
            "leaky_relu": lambda x: self.where(x, zero, x, hundredth * x),
            "softmax": lambda x, axis=None: self._softmax(exp, x, axis),
            "log_softmax": lambda x, axis=None: log(self._softmax(exp, x, axis)),
            "logsumexp": lambda x, axis=None: self._log_sum(exp, log, x, axis),
            "max": lambda *xs, axis=None: self._best(xs, axis, lambda a, b: self.where(a, b, a, b)),
            "min": lambda *xs, axis=None: self._best(xs, axis, lambda a, b: self.where(a, b, b, a)),
            "sum": lambda x, axis=None: x.sum(axis=axis, keepdims=True),
            "mean": lambda x, axis=None: x.sum(axis=axis, keepdims=True) / (x.size if axis is None else x.shape[axis]),
            "ones": lambda r, c: self.each(self.number, np.ones((r, c), dtype=object)), "pi": self.number(sp.pi),
        }
        f |= self._activations(f)
        f |= {"norm": lambda x: f["sqrt"]((x * x).sum(axis=None, keepdims=True)), "huber": lambda e, d: huber(f, e, d)}
        for name, row in FUNCTIONS.items():  # a row added later: its formula, compiled by SymPy
            if name not in f and len(row.args) == 1:
                f[name] = lambda x, row=row: self.each(lambda v: self.formula(row.expand(sp.Symbol("t", real=True)), v), x)
        return f

    def _activations(self, f: dict[str, Any]) -> dict[str, Any]:
        """The activations as papers and libraries define them."""
        exp, log, tanh, number = f["exp"], f["log"], f["tanh"], lambda text: self.number(Fraction(text))
        zero, one, half, six = (number(x) for x in ("0", "1", "1/2", "6"))
        scale, alpha = number("1.0507009873554804934193349852946"), number("1.6732632423543772848170429916717")

        def cut(x: Any, low: Any, high: Any) -> Any:
            return self.where(x, low, self.where(x, high, high, x), low)

        def normal(x: Any) -> Any:
            return half * (1 + f["erf"](x / f["sqrt"](number("2"))))

        return {
            "swish": f["silu"], "step": lambda x: self.where(x, zero, one + zero * x, zero * x), "softsign": lambda x: x / (1 + f["abs"](x)),
            "elu": lambda x: self.where(x, zero, x, exp(x) - 1), "selu": lambda x: scale * self.where(x, zero, x, alpha * (exp(x) - 1)),
            "leaky_relu_alpha": lambda x, slope: self.where(x, zero, x, slope * x), "elu_alpha": lambda x, size: self.where(x, zero, x, size * (exp(x) - 1)),
            "prelu": lambda x, slope: self.where(x, zero, x, slope * x), "normal_cdf": normal, "gelu": lambda x: x * normal(x),
            "gelu_tanh": lambda x: half * x * (1 + tanh(f["sqrt"](number("2") / f["pi"]) * (x + number("0.044715") * x**3))),
            "mish": lambda x: x * tanh(log(1 + exp(x))), "hard_sigmoid": lambda x: cut(x / six + half, zero, one),
            "hard_tanh": lambda x: cut(x, -one, one), "relu6": lambda x: cut(x, zero, six),
        }

    def formula(self, e: sp.Expr, value: Any) -> Any:
        return sp.lambdify(sp.Symbol("t", real=True), e, "mpmath")(value)

    def _softmax(self, exp: Callable[[Any], Any], x: Any, axis: int | None) -> Any:
        axis = (1 if x.shape[0] == 1 else 0) if axis is None else axis
        return exp(x) / exp(x).sum(axis=axis, keepdims=True)

    def _log_sum(self, exp: Callable[[Any], Any], log: Callable[[Any], Any], x: Any, axis: int | None) -> Any:
        axis = (1 if x.shape[0] == 1 else 0) if axis is None else axis
        return log(exp(x).sum(axis=axis, keepdims=True))

    def _best(self, xs: tuple[Any, ...], axis: int | None, better: Callable[[Any, Any], Any]) -> Any:
        if len(xs) == 2:
            return better(*xs)
        (x,) = xs
        lines = [x.reshape(-1, 1)] if axis is None else [x if axis == 0 else x.T]
        best = lines[0][:1]
        for row in lines[0][1:]:
            best = better(best, row.reshape(1, -1))
        return best.T if axis == 1 else best


class High(Library):
    """mpmath, 60 digits; comparisons that are equal raise Kink."""

    def call(self, name: str, x: Any) -> Any:
        value = getattr(mpmath, name)(x)
        if not isinstance(value, mp.mpf) or not mp.isfinite(value):
            raise ArithmeticError(f"{name}({x})")
        return value

    def where(self, left: Any, right: Any, yes: Any, no: Any) -> Any:
        def choose(a: Any, b: Any, y: Any, n: Any) -> Any:
            if abs(a - b) < mp.mpf(10) ** (2 - STEP):
                raise Kink
            return y if a > b else n
        return self.each(choose, left, right, yes, no)

    def number(self, value: Any) -> Any:
        return mp.mpf(value.numerator) / value.denominator if isinstance(value, (Fraction, int)) else mp.mpf(sp.N(value, DIGITS + 5))


class Symbols(Library):
    """SymPy expressions."""

    def call(self, name: str, x: Any) -> Any:
        return getattr(sp, name)(x)

    def where(self, left: Any, right: Any, yes: Any, no: Any) -> Any:
        return self.each(lambda a, b, y, n: sp.Piecewise((y, a > b), (n, True)), left, right, yes, no)

    def number(self, value: Any) -> Any:
        return sp.Rational(value.numerator, value.denominator) if isinstance(value, (Fraction, int)) else sp.sympify(value)

    def formula(self, e: sp.Expr, value: Any) -> Any:
        return e.subs(sp.Symbol("t", real=True), value)


class Floats(Library):
    """HIPS autograd on float64 arrays."""

    def __init__(self) -> None:
        import autograd.numpy as anp

        self.np = anp
        self.named = {"asin": "arcsin", "acos": "arccos", "atan": "arctan"}

    def each(self, f: Callable[..., Any], *xs: Any) -> Any:
        return f(*xs)

    def call(self, name: str, x: Any) -> Any:
        return autograd_erf(x) if name == "erf" else getattr(self.np, self.named.get(name, name))(x)

    def where(self, left: Any, right: Any, yes: Any, no: Any) -> Any:
        return self.np.where(left > right, yes, no)

    def number(self, value: Any) -> Any:
        return value.astype(float) if isinstance(value, np.ndarray) else float(value)

    def formula(self, e: sp.Expr, value: Any) -> Any:
        return autograd_function(e, (sp.Symbol("t", real=True),))(value)


autograd_erf = autograd.extend.primitive(np.vectorize(math.erf, otypes=[float]))
autograd.extend.defvjp(autograd_erf, lambda ans, x: lambda g: g * 2 / np.sqrt(np.pi) * np.exp(-x * x))


def autograd_function(e: sp.Expr, args: tuple[sp.Symbol, ...]) -> Callable[..., Any]:
    """A SymPy formula in autograd's NumPy: pieces by where, the error function with its slope from the calculus book."""
    import autograd.numpy as anp

    def select(conditions: Any, values: Any, default: float) -> Any:
        out = default
        for condition, value in zip(reversed(conditions), reversed(values), strict=True):
            out = anp.where(condition, value, out)
        return out

    known = {n: getattr(anp, n) for n in dir(anp) if not n.startswith("_")} | {"erf": autograd_erf, "select": select, "numpy": anp}
    return sp.lambdify(args, e, modules=[known, "numpy"])


def exact(value: Any) -> Fraction:
    return value if isinstance(value, Fraction) else Fraction(str(value))


def rows(value: Any) -> list[list[Fraction]]:
    """Numbers of the file as rows; a flat list is one row."""
    if not isinstance(value, list):
        return [[exact(value)]]
    return [[exact(v) for v in r] for r in value] if isinstance(value[0], list) else [[exact(v) for v in value]]


def zero_free(y: Any) -> Any:
    """y with 1 for 0, so that y ln y is 0 there."""
    return y + 1 * (y == 0)


def huber(f: Mapping[str, Any], e: Any, d: Any) -> Any:
    """Half the square up to d, a straight line beyond."""
    near = f["min"](f["abs"](e), d + 0 * e)
    return near * near / 2 + d * (f["abs"](e) - near)


ENTRY_LOSSES = {  # name: (entry, factor, mean over outputs); an entry may look along axis 1, the outputs
    "half_squared_error": (lambda f, p, y: (p - y) * (p - y), Fraction(1, 2), False),
    "squared_error": (lambda f, p, y: (p - y) * (p - y), Fraction(1), False),
    "mse": (lambda f, p, y: (p - y) * (p - y), Fraction(1), True),
    "mae": (lambda f, p, y: f["abs"](p - y), Fraction(1), True),
    "huber": (lambda f, p, y, delta=1: huber(f, p - y, delta), Fraction(1), True),
    "cross_entropy": (lambda f, p, y: y * f["log"](p), Fraction(-1), False),
    "cross_entropy_with_logits": (lambda f, p, y: y * (p - f["log"](f["exp"](p).sum(axis=1, keepdims=True))), Fraction(-1), False),
    "binary_cross_entropy": (lambda f, p, y: y * f["log"](p) + (1 - y) * f["log"](1 - p), Fraction(-1), True),
    "binary_cross_entropy_with_logits": (lambda f, p, y: y * f["log"](1 + f["exp"](-p)) + (1 - y) * f["log"](1 + f["exp"](p)), Fraction(1), True),
    "kl_divergence": (lambda f, p, y: y * (f["log"](zero_free(y)) - f["log"](p)), Fraction(1), False),
    "hinge": (lambda f, p, y: f["max"](1 - y * p, 0 * p), Fraction(1), True),
    "multiclass_hinge": (lambda f, p, y: (1 - y) * f["max"](1 + p - (y * p).sum(axis=1, keepdims=True), 0 * p), Fraction(1), False),
    "focal": (lambda f, p, y, gamma=2: y * (1 - p) ** gamma * f["log"](p) + (1 - y) * p ** gamma * f["log"](1 - p), Fraction(-1), True),
}
PENALTIES = {"l2": lambda f, W: W * W / 2, "ridge": lambda f, W: W * W, "l1": lambda f, W: f["abs"](W)}


def slid(x: Any, w: Any) -> Any:
    """A kernel along a row, place by place, without padding."""
    width = w.shape[1]
    return np.array([[sum(x[0, j + k] * w[0, k] for k in range(width)) for j in range(x.shape[1] - width + 1)]], dtype=object)


class Forward:
    """The forward pass of a spec (a dict as YAML gives it), always in the layout of the file."""

    def __init__(self, spec: Mapping[str, Any], library: Library | None = None) -> None:
        self.spec, self.lib = spec, library or High()
        with mp.workdps(DIGITS):  # its constants are as exact as what it is compared with
            self.functions = self.lib.namespace()
        self.leaves: dict[str, Any] = {}
        if "layers" in spec:
            given = {**spec["inputs"], **spec["targets"]}
            for i, layer in enumerate(spec["layers"], 1):
                given |= {f"{k}{i}": layer[k] for k in ("W", "b") if k in layer}
                given |= {f"alpha{i}": layer.get("weights", {}).get("alpha", "0.25")} if layer.get("activation") == "prelu" else {}
            self.leaves = {n: self.array(rows(v)) for n, v in given.items()}
        else:  # a flat list is a column
            self.leaves = {n: self.array([[v] for v in rows(x)[0]] if isinstance(x, list) and not isinstance(x[0], list) else rows(x))
                           for n, x in spec.get("at", {}).items()}

    def array(self, cells: list[list[Any]]) -> Any:
        with mp.workdps(DIGITS):
            return np.array([[self.lib.number(v) for v in r] for r in cells], dtype=float if isinstance(self.lib, Floats) else object)

    def run(self, values: Mapping[str, Any], held: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Every value; held: values that replace what an equation would give."""
        env, held = dict(values), held or {}
        if "layers" in self.spec:
            return self._network(env, held)
        for name, source in self.spec["equations"].items():
            env[name] = held[name] if name in held else self._equation(source, env)
        return env

    def _equation(self, source: str, env: Mapping[str, Any]) -> Any:
        source = source if not isinstance(source, (int, float)) else str(source)
        scalars = {n: v[0, 0] if v.shape == (1, 1) and not isinstance(self.lib, Floats) else v for n, v in env.items()}
        value = eval(source.replace("@", "@"), {**self.functions, **scalars, "__builtins__": {}})  # the test's own text
        return value if getattr(value, "shape", ()) else np.array([[value]], dtype=object)

    def _network(self, env: dict[str, Any], held: Mapping[str, Any]) -> dict[str, Any]:
        (x,), (y,) = self.spec["inputs"], self.spec["targets"]
        by_rows = self.spec.get("convention") == "rows"
        a = env[x]
        for i, layer in enumerate(self.spec["layers"], 1):
            W = env[f"W{i}"]
            z = slid(a, W) if layer.get("type") == "conv1d" else a @ (W if by_rows else W.T)
            z = z + env[f"b{i}"] if f"b{i}" in env else z
            env[f"z{i}"] = z = held.get(f"z{i}", z)
            name = layer.get("activation", "identity")
            more = {"axis": 1} if name in ("softmax", "log_softmax") else {"slope": env[f"alpha{i}"]} if name == "prelu" else {}
            a = self.functions[name](z, **more)
            env[f"a{i}"] = a = held.get(f"a{i}", a)
        entry, factor, mean = ENTRY_LOSSES[self.spec["loss"]]
        options = {k: self.lib.number(exact(v)) for k, v in self.spec.get("loss_options", {}).items()}
        losses = entry(self.functions, a, env[y], **options).sum(axis=1, keepdims=True) * self.lib.number(factor)
        losses = losses / a.shape[1] if mean else losses
        env["L"] = losses.sum(keepdims=True) / (len(losses) if self.spec.get("reduction", "mean") == "mean" else 1)
        if added := self.spec.get("regularization"):
            env["D"] = env["L"] = held.get("D", env["L"])
            for name, weight in added.items():
                penalty = sum(PENALTIES[name](self.functions, env[f"W{i}"]).sum() for i in range(1, len(self.spec["layers"]) + 1))
                env["L"] = env["L"] + self.lib.number(exact(weight)) * penalty
        return env

    @property
    def output(self) -> str:
        return "L" if "layers" in self.spec else list(self.spec["equations"])[-1]

    def names(self) -> list[str]:
        """Everything that has a gradient: no target, no loss of a network."""
        everything = list(self.run(self.leaves)) if isinstance(self.lib, High) else list(self.leaves)
        return [n for n in everything if n not in self.spec.get("targets", {}) and not ("layers" in self.spec and n == "L")]

    def differences(self, name: str, values: Mapping[str, Any] | None = None) -> Any:
        """d(output)/d(name), entry by entry, by central differences with 60 digits (a scalar output)."""
        with mp.workdps(DIGITS):
            values = values or self.run(self.leaves)
            at, h = values[name], mp.mpf(10) ** -STEP
            out = np.empty(at.shape, dtype=object)
            for place in np.ndindex(at.shape):
                above, below = at.copy(), at.copy()
                above[place], below[place] = at[place] + h, at[place] - h
                up, down = (self.run({**self.leaves, name: m} if name in self.leaves else self.leaves, {name: m}) for m in (above, below))
                out[place] = ((up[self.output] - down[self.output]) / (2 * h))[0, 0]
            return out


def flat(value: Any) -> list[Any]:
    """All numbers of a nested list, in order."""
    if isinstance(value, np.ndarray):
        return list(value.flat)
    return [v for x in value for v in flat(x)] if isinstance(value, list) else [value]
