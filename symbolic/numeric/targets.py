"""The table of languages in which a listing is said: one row each.

A row says which NumPy call becomes what; {0}, {1} stand for the arguments in order, {axis} and the like for those by keyword.

>>> said(parsed("np.maximum(1, np.sum(A, axis=1, keepdims=True))"), TARGETS["pytorch"])
'torch.clamp(torch.sum(A, dim=1, keepdim=True), min=1)'
>>> said(parsed("np.where(z > 0, z, np.exp(-np.logaddexp(0, z)))"), TARGETS["c"])
'z > 0.0 ? z : exp(-softplus(z))'
"""

from __future__ import annotations

import ast
import builtins
import keyword
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ..errors import SpecError, nearest
from .passes import called, changed, number, parsed, written
from .spelling import BRACES

Calls = Mapping[str, "str | Callable[[ast.Call], str]"]


@dataclass(frozen=True)
class Target:
    """A language.

    apart: whether every entry is written out; calls: NumPy's functions in it; module: what ``np`` is called, '' where it has none; opening: first
    lines of every listing; support: functions that have to be written out where they are called, as NumPy; made: an array from {0}, its rows;
    shown: the value {0} as lists; autodiff: its own gradient, as a cross-check; reserved: names that mean something else in it.
    """

    name: str
    title: str
    suffix: str
    spelling: Callable[[ast.expr], str]
    calls: Calls
    apart: bool = False
    module: str = ""
    opening: tuple[str, ...] = ()
    made: str = "{0}"
    shown: str = "{0}"
    autodiff: str = ""
    reserved: frozenset[str] = frozenset()
    support: Mapping[str, str] = field(default_factory=dict)


def target(name: str) -> Target:
    """A row by name. Raises SpecError, with the nearest name."""
    if name not in TARGETS:
        raise SpecError(f"--to {name}: no such language", hint=nearest(name, TARGETS))
    return TARGETS[name]


def translated(code: ast.expr, to: Target) -> ast.expr:
    """The same expression in the functions of a language.

    Raises SpecError for a function that the language does not have.
    """
    def change(node: ast.expr) -> ast.expr | None:
        if to.name != "numpy" and isinstance(node, (ast.Call, ast.Attribute)) and (value := number(node)) is not None:
            return ast.Constant(value)
        if not isinstance(node, ast.Call):
            return None
        name = called(node)
        if isinstance(node.func, ast.Attribute) and node.func.attr in ("max", "min", "sum") and not name.startswith("np."):
            node = ast.Call(parsed(f"np.{node.func.attr}"), [node.func.value, *node.args], node.keywords)
            name = called(node)
        if name in to.calls:
            form = to.calls[name]
            parts = {k.arg or "": written(k.value) for k in node.keywords}
            return parsed(form(node) if callable(form) else form.format(*(f"({written(a)})" for a in node.args), **parts))
        if name.startswith("np.") and to.module:
            return ast.Call(parsed(to.module + name[2:]), node.args, node.keywords)
        if name.startswith("np.") or name in ("erf", "erfc"):
            raise SpecError(f"--to {to.name} has no {name.removeprefix('np.')}", hint="--to numpy has it" + (", and --to python" if name in ("erf", "erfc") else ""))
        return node

    return code if to.name == "numpy" else changed(code, change)


def said(code: ast.expr, to: Target) -> str:
    """An expression as the language writes it."""
    return to.spelling(translated(code, to))


# ---------------------------------------------------------------- PyTorch

def _plain(node: ast.expr) -> bool:
    return number(node) is not None


def _larger(word: str) -> Callable[[ast.Call], str]:
    """np.maximum of numbers and tensors, in any order: PyTorch's own takes tensors only, and relu has slope 0 at 0 as ours has."""
    def write(node: ast.Call) -> str:
        one, other = node.args
        if _plain(one):
            one, other = other, one
        if word == "maximum" and number(other) == 0:
            return f"torch.relu({written(one)})"
        bound = "min" if word == "maximum" else "max"
        return f"torch.clamp({written(one)}, {bound}={written(other)})" if _plain(other) else f"torch.{word}({written(one)}, {written(other)})"

    return write


def _folded(name: str) -> Callable[[ast.Call], str]:
    """A sum or maximum along an axis."""
    def write(node: ast.Call) -> str:
        words = {"axis": "dim", "keepdims": "keepdim"}
        rest = [f"{words[k.arg or '']}={written(k.value)}" for k in node.keywords]
        return f"torch.{name}({', '.join([*map(written, node.args), *rest])})"

    return write


def _padded(node: ast.Call) -> str:
    (above, below), (left, right) = ast.literal_eval(node.args[1])
    return f"torch.nn.functional.pad({written(node.args[0])}, ({left}, {right}, {above}, {below}))"


def _jax_larger(node: ast.Call) -> str:
    """relu has slope 0 at 0 as ours has; that of jnp.maximum is 1/2 there."""
    one, other = node.args
    return f"jax.nn.relu({written(other)})" if number(one) == 0 else f"jnp.maximum({written(one)}, {written(other)})"


_TORCH: Calls = {
    "np.maximum": _larger("maximum"), "np.minimum": _larger("minimum"), "np.sum": _folded("sum"), "np.max": _folded("amax"), "np.min": _folded("amin"),
    "np.argmax": _folded("argmax"), "np.argmin": _folded("argmin"), "np.pad": _padded, "np.logaddexp": "torch.logaddexp(torch.zeros_like({1}), {1})",
    "np.concatenate": "torch.cat({0}, dim={axis})", "np.full": "{1} * torch.ones({0})", "np.array": "torch.tensor({0})",
    "np.repeat": "torch.repeat_interleave({0}, {1}, dim={axis})", "np.ones_like": "torch.ones_like({0})", "np.zeros_like": "torch.zeros_like({0})",
    "erf": "torch.erf({0})", "erfc": "torch.erfc({0})"}

# ---------------------------------------------------------------- one number at a time

_SAME = ("exp", "log", "log1p", "expm1", "sqrt", "tanh", "sin", "cos", "tan", "sinh", "cosh")
_ARCS = {"arcsin": "asin", "arccos": "acos", "arctan": "atan"}


def _single(math: str, largest: str, least: str, size: str, **more: str) -> Calls:
    """NumPy's functions of a single number. math: what stands before a function's name."""
    calls: dict[str, str] = {f"np.{n}": f"{math}{to}({{0}})" for n, to in {**{n: n for n in _SAME}, **_ARCS}.items()}
    return calls | {"np.maximum": f"{largest}({{0}}, {{1}})", "np.minimum": f"{least}({{0}}, {{1}})", "np.clip": f"{least}({largest}({{0}}, {{1}}), {{2}})",
                    "np.abs": f"{size}({{0}})", "np.where": "({1} if {0} else {2})", "np.logaddexp": "softplus({1})", "np.ones_like": "1.0", "np.zeros_like": "0.0", **more}


SUPPORT = {"softplus": "np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))"}  # log(1 + exp(z)), without overflow

# ---------------------------------------------------------------- the rows

OURS = frozenset({"forward", "loss", "backward", "look_ahead", "update_parameters", "learning_rate", "cost", "show", "theirs", "difference", "here", "epoch", "main", "result"})
_PYTHON = OURS | frozenset(dir(builtins)) | frozenset(keyword.kwlist) | {"math", "np"}
_C = frozenset("""auto break case char const continue default do double else enum extern float for goto if inline int long register restrict return short signed sizeof static
struct switch typedef union unsigned void volatile while y0 y1 yn j0 j1 jn gamma lgamma tgamma exp log pow sqrt sin cos tan fmin fmax fabs printf NULL""".split())
_JS = frozenset("""arguments await break case catch class const continue debugger default delete do else enum eval export extends false finally for function if implements import in
instanceof interface let new null package private protected public return static super switch this throw true try typeof var void while with yield Math console JSON""".split())

TARGETS: dict[str, Target] = {row.name: row for row in (
    Target("numpy", "NumPy", "py", written, {}, module="np", opening=("import numpy as np",), made="np.array({0})", shown="np.asarray({0}).tolist()", reserved=_PYTHON,
           support={name: f"{name} = np.vectorize(math.{name})" for name in ("erf", "erfc")}),
    Target("python", "Python", "py", written, _single("math.", "max", "min", "abs", erf="math.erf({0})", erfc="math.erfc({0})"), apart=True, opening=("import math",),
           reserved=_PYTHON, support=SUPPORT),
    Target("pytorch", "PyTorch", "py", written, _TORCH, module="torch", opening=("import torch", "", "torch.set_default_dtype(torch.float64)"), made="torch.tensor({0})",
           shown="torch.as_tensor({0}).tolist()", autodiff="torch.func.grad", reserved=_PYTHON | {"torch"}),
    Target("jax", "JAX", "py", written, {"np.maximum": _jax_larger, "erf": "jax.scipy.special.erf({0})", "erfc": "jax.scipy.special.erfc({0})", "np.ones_like": "jnp.ones_like({0})",
                                        "np.zeros_like": "jnp.zeros_like({0})"}, module="jnp",
           opening=("import jax", "import jax.numpy as jnp", "", 'jax.config.update("jax_enable_x64", True)'), made="jnp.array({0})", shown="jnp.asarray({0}).tolist()",
           autodiff="jax.grad", reserved=_PYTHON | {"jax", "jnp"}),
    Target("javascript", "JavaScript", "js", BRACES["javascript"], _single("Math.", "Math.max", "Math.min", "Math.abs", erf="erf({0})", erfc="erfc({0})"), apart=True,
           reserved=OURS | _JS, support=SUPPORT),
    Target("c", "C", "c", BRACES["c"], _single("", "fmax", "fmin", "fabs", erf="erf({0})", erfc="erfc({0})"), apart=True, opening=("#include <math.h>", "#include <stdio.h>"),
           reserved=OURS | _C, support=SUPPORT),
)}
