"""The tables of optimizers and learning-rate schedules: update equations, one row each.

A row is read, never programmed: from its equations come the page, the numbers and the tests. In them stand
w for a parameter, g for its gradient, eta for the learning rate, t for the number of the step (from 1), and the
names of states and options. An equation uses what the equations above it have computed in the same step.

>>> for target, rhs in OPTIMIZERS["momentum"].trees: print(target, "=", ex.text(rhs))
v@t = beta*v@t-1 + g@t
w@t = w@t-1 - eta*v@t
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache, cached_property

from . import expr as ex
from .expr import Expr
from .language.parse import names_in, parse

BEFORE, AFTER = "@t-1", "@t"  # what the names of a step end in: v@t-1 before it, v@t after it


@dataclass(frozen=True)
class Option:
    """A number that a person may set: its default (None: the number of steps) and its range."""

    default: Fraction | None
    below: Fraction | None = None  # the value must stay below this; None: no bound
    least: Fraction = Fraction(0)
    whole: bool = False


def _share(default: str) -> Option:
    """How much of the old average is kept: from 0 to 1, without 1."""
    return Option(Fraction(default), below=Fraction(1))


def _small(default: str) -> Option:
    return Option(Fraction(default))


@dataclass(frozen=True)
class Optimizer:
    """One way to take a step.

    title: the name as a page writes it; equations: target and right-hand side, in order; states: what is remembered between steps, with its first value;
    first: the first step in one formula, held to the equations by a proof; at: where the gradient is taken;
    rate: the learning rate of the source, for a hint; also: other words for it.
    """

    name: str
    title: str
    equations: Mapping[str, str]
    first: str
    because: str
    source: str
    convention: str
    states: Mapping[str, Fraction] = field(default_factory=dict)
    options: Mapping[str, Option] = field(default_factory=dict)
    at: str = "w"
    rate: str = "0.01"
    also: tuple[str, ...] = ()

    @cached_property
    def trees(self) -> tuple[tuple[str, Expr], ...]:
        """The equations of a step: 'v@t' = beta*v@t-1 + g@t."""
        done = frozenset[str]()
        out = []
        for target, source in self.equations.items():
            out.append((target + AFTER, self.tree(source, done)))
            done |= {target}
        return tuple(out)

    @cached_property
    def point(self) -> Expr:
        """Where the gradient of the step is taken, in the values before it."""
        return self.tree(self.at)

    def tree(self, source: str, done: frozenset[str] = frozenset()) -> Expr:
        """A right-hand side in which every name says whether it is meant before or after the step; done: the names that this step has computed already."""
        return _read(frozenset(self.states), source, done)


ZERO = Fraction(0)
_ADAM = {"m": "beta1*m + (1 - beta1)*g", "v": "beta2*v + (1 - beta2)*g**2", "m_hat": "m/(1 - beta1**t)", "v_hat": "v/(1 - beta2**t)"}
_ADAM_OPTIONS = {"beta1": _share("0.9"), "beta2": _share("0.999"), "epsilon": _small("1e-8")}
_BETA = {"beta": _share("0.9")}

OPTIMIZERS: dict[str, Optimizer] = {row.name: row for row in (
    Optimizer("gradient_descent", "Gradient descent", {"w": "w - eta*g"}, "w - eta*g",
              "Go against the gradient, by the learning rate times its size.", "Cauchy 1847",
              "Without memory: every step depends on the present gradient alone.", rate="0.1", also=("sgd", "gd", "stochastic gradient descent", "steepest descent", "vanilla")),
    Optimizer("momentum", "Momentum", {"v": "beta*v + g", "w": "w - eta*v"}, "w - eta*g",
              "The velocity v adds up old gradients, so that steps grow where they agree and cancel where they do not.",
              "Polyak 1964 (heavy ball); this form: PyTorch, SGD",
              "The learning rate multiplies the velocity when the step is taken, and the new gradient has the factor 1.",
              {"v": ZERO}, _BETA, also=("heavy ball",)),
    Optimizer("momentum_velocity", "Momentum, velocity form", {"v": "beta*v - eta*g", "w": "w + v"}, "w - eta*g",
              "The velocity v is the last step, shortened by beta, plus a step of gradient descent.",
              "Polyak 1964 (heavy ball); this form: Sutskever et al. 2013 and Keras, SGD",
              "The learning rate is inside the velocity; with a constant rate the path is that of momentum.",
              {"v": ZERO}, _BETA),
    Optimizer("momentum_average", "Momentum, averaged form", {"v": "beta*v + (1 - beta)*g", "w": "w - eta*v"}, "w - eta*(1 - beta)*g",
              "The velocity v is a running average of the gradients.",
              "the first moment of Adam (Kingma and Ba 2015), without the correction of its bias",
              "The new gradient has the factor 1 - beta: the path is that of momentum with the rate (1 - beta) eta.",
              {"v": ZERO}, _BETA),
    Optimizer("nesterov", "Nesterov", {"v": "beta*v + g", "w": "w - eta*(g + beta*v)"}, "w - eta*(1 + beta)*g",
              "The step uses the velocity that the next step would have: it looks ahead.",
              "Nesterov 1983; this form: PyTorch, SGD with nesterov=True",
              "Here w stands for the point that lies ahead, so that the gradient is taken at w itself.",
              {"v": ZERO}, _BETA, also=("nag", "nesterov accelerated gradient")),
    Optimizer("nesterov_lookahead", "Nesterov, look-ahead form", {"v": "beta*v - eta*g", "w": "w + v"}, "w - eta*g",
              "First go where the velocity leads, then look at the gradient there.",
              "Nesterov 1983; this form: Sutskever et al. 2013",
              "The gradient is taken ahead, at w + beta v; the learning rate is inside the velocity.",
              {"v": ZERO}, _BETA, at="w + beta*v"),
    Optimizer("adagrad", "Adagrad", {"s": "s + g**2", "w": "w - eta*g/(sqrt(s) + epsilon)"}, "w - eta*g/(abs(g) + epsilon)",
              "Every parameter has a rate of its own, which falls as its squared gradients add up.",
              "Duchi, Hazan and Singer 2011; epsilon as in PyTorch",
              "The sum s starts at 0; epsilon stands outside the root.",
              {"s": ZERO}, {"epsilon": _small("1e-10")}),
    Optimizer("rmsprop", "RMSprop", {"s": "rho*s + (1 - rho)*g**2", "w": "w - eta*g/(sqrt(s) + epsilon)"},
              "w - eta*g/(sqrt(1 - rho)*abs(g) + epsilon)",
              "The gradient is divided by the root of a running average of its squares.",
              "Tieleman and Hinton 2012 (lecture 6e: rho = 0.9, no epsilon); epsilon as in PyTorch",
              "Epsilon stands outside the root. PyTorch calls rho alpha, with the default 0.99.",
              {"s": ZERO}, {"rho": _share("0.9"), "epsilon": _small("1e-8")}, rate="0.001"),
    Optimizer("rmsprop_inside", "RMSprop, epsilon inside the root", {"s": "rho*s + (1 - rho)*g**2", "w": "w - eta*g/sqrt(s + epsilon)"},
              "w - eta*g/sqrt((1 - rho)*g**2 + epsilon)",
              "The gradient is divided by the root of a running average of its squares.",
              "Tieleman and Hinton 2012; this form: Keras, RMSprop",
              "Epsilon stands inside the root.",
              {"s": ZERO}, {"rho": _share("0.9"), "epsilon": _small("1e-7")}, rate="0.001"),
    Optimizer("adam", "Adam", {**_ADAM, "w": "w - eta*m_hat/(sqrt(v_hat) + epsilon)"}, "w - eta*g/(abs(g) + epsilon)",
              "The running average of the gradient is divided by the root of the running average of its squares; both start at 0, and a division corrects that.",
              "Kingma and Ba 2015, algorithm 1",
              "Epsilon stands outside the root, beside the corrected average. The first step has the size eta.",
              {"m": ZERO, "v": ZERO}, _ADAM_OPTIONS, rate="0.001"),
    Optimizer("adamw", "AdamW", {**_ADAM, "w": "w - eta*(m_hat/(sqrt(v_hat) + epsilon) + lam*w)"}, "w - eta*(g/(abs(g) + epsilon) + lam*w)",
              "Adam, and every weight shrinks by the share eta lambda in each step, whatever its gradient.",
              "Loshchilov and Hutter 2019, algorithm 2; this form: PyTorch, AdamW",
              "The decay is beside the averages, not in the gradient, and eta multiplies it.",
              {"m": ZERO, "v": ZERO}, {**_ADAM_OPTIONS, "lam": _small("0.01")}, rate="0.001"),
)}  # fmt: skip


@dataclass(frozen=True)
class Schedule:
    """How the learning rate of step t comes from the first one, eta.

    whole: names that are the whole part of a formula, such as the number of finished periods.
    """

    name: str
    rate: str
    because: str
    source: str
    options: Mapping[str, Option] = field(default_factory=dict)
    whole: Mapping[str, str] = field(default_factory=dict)


SCHEDULES: dict[str, Schedule] = {row.name: row for row in (
    Schedule("constant", "eta", "The learning rate stays as it is.", ""),
    Schedule("step", "eta*factor**k", "After every period the learning rate is multiplied by the factor.", "PyTorch, StepLR",
             {"every": Option(Fraction(10), least=Fraction(1), whole=True), "factor": Option(Fraction(1, 10))}, {"k": "(t - 1)/every"}),
    Schedule("exponential", "eta*factor**(t - 1)", "Every step multiplies the learning rate by the factor.", "PyTorch, ExponentialLR",
             {"factor": Option(Fraction(9, 10))}),
    Schedule("cosine", "least + (eta - least)/2*(1 + cos(pi*(t - 1)/period))",
             "Half a wave of the cosine leads from the first learning rate to the least one; after the period it rises again.",
             "Loshchilov and Hutter 2017; PyTorch, CosineAnnealingLR",
             {"least": Option(ZERO), "period": Option(None, least=Fraction(1), whole=True)}),
)}  # fmt: skip

@cache
def _read(states: frozenset[str], source: str, done: frozenset[str]) -> Expr:
    def timed(name: str) -> str:
        if name == "g" or name in done:
            return name + AFTER
        return name + BEFORE if name == "w" or name in states else name

    return parse(source, {n: ex.sym(timed(n)) for n in names_in(source)})


@cache
def formula(source: str) -> Expr:
    """The formula of a schedule as a tree of scalars."""
    return parse(source, {n: ex.sym(n) for n in names_in(source)})
