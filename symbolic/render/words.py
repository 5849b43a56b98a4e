"""The words around the formulas: titles of steps, captions, sentences about checks."""

from __future__ import annotations

from math import floor, log10

from .. import expr as ex
from ..functions import FUNCTIONS, VECTOR_FUNCTIONS
from ..latex import Printer
from ..lesson import Lesson, Shown
from ..models.layertypes import LAYERS
from ..network import LayerPlan, Network, Symbol
from ..problem import Problem
from ..values import DIGITS, downstream
from ..verify import Certified

RULE_WORDS = {
    "sum": "sum rule", "constant-multiple": "constant factor", "product": "product rule", "quotient": "quotient rule",
    "power": "power rule", "exp": "exponential rule", "chain": "chain rule", "local-slope": "chain rule, slope of the function",
    "linear-in-W": "linear in the left factor", "linear-in-x": "linear in the right factor", "transpose": "transpose",
    "broadcast-to-sum": "broadcast forward, sum backward", "fork-sum": "sum over the paths", "vector-function": "function of the whole vector",
    "take": "a copy of entries", "concat": "blocks beside each other", "convolution": "a sliding kernel",
    "matrix-function": "function of the whole matrix",
    "normalization": "all paths through mean and variance", "subgradient": "slope on each piece", "identity": "passed on unchanged",
    "softmax-cross-entropy fusion": "softmax and cross-entropy cancel", "sigmoid-cross-entropy fusion": "sigmoid and cross-entropy cancel",
}


def step_title(s: Shown, symbol: Symbol, network: Network, printer: Printer) -> tuple[str, str]:
    """Title (words) and subtitle (words and mathematics) of a step, as LaTeX."""
    rule = RULE_WORDS.get(s.rule, s.rule)
    name = printer.name(s.wrt)
    if s.level == "scalar" and network.layers and symbol.kind == "parameter":
        paths = "Follow every path" if s.rule == "fork-sum" else "Follow the only path"
        if not any(line.kind == "path" for line in s.lines):
            return rf"How does ${name}$ move the loss?", "Through the error signal of its unit"
        return rf"How does ${name}$ move the loss?", rf"{paths} from ${name}$ to ${printer.name(s.of)}$; one local derivative an edge"
    if not network.layers:
        return f"{'Derivative' if printer.straight else 'Gradient'} with respect to ${name}$", rule
    layer = f" of layer {symbol.layer}" if symbol.layer is not None else ""
    title = {"y_hat": "Start at the loss", "z": f"Error signal{layer}", "w": f"Weights{layer}", "b": f"Bias{layer}",
             "a": f"Back to the activations{layer}"}.get(symbol.base if symbol.base == "y_hat" else symbol.base.split("_")[0], "Back to the input")
    if "D" in network.symbols and symbol.base in ("D", "y_hat"):  # penalties are added to the loss of the data
        title = "Start at the loss" if symbol.base == "D" else "Back to the prediction"
    level = {"index": "entry by entry: ", "scalar": "one entry: " if s.parent else ""}.get(s.level, "")
    several = {"w_": "Weights", "b_": "Bias", "z_": "Error signal of"}.get(symbol.base[:2])  # one a gate, a step or a channel
    if several:
        title = f"{several} ${name}$"
    if symbol.base.split("_")[0] not in ("y", "z", "w", "b", "a", "D") and symbol.kind != "input":
        title = f"Parameter ${name}${layer}" if symbol.kind == "parameter" else f"Back to ${name}$"
    return title, level + rule


def notes(lesson: Lesson) -> dict[int, list[str]]:
    """The conventions of the functions that each step passes (by id): which version, what happens at a kink.

    Each is said once a level, at the first step that meets it.
    """
    rows = {eq.name: [(FUNCTIONS[e.data] if e.op == "call" else VECTOR_FUNCTIONS[e.data[0]], e.names) for e in ex.walk(eq.rhs) if e.op in ("call", "over")]
            for eq in lesson.network.equations}
    found: dict[int, list[str]] = {}
    said: set[tuple[str, str]] = set()
    for s in lesson.steps:
        through = {t.through.split("[")[0]: None for t in s.source.terms}
        passed = {s.parent or s.wrt}
        if any(line.kind == "path" for line in s.lines):
            below = downstream(lesson.network, s.parent or s.wrt)
            through |= dict.fromkeys(below)
            passed |= set(below)
        new = dict.fromkeys(note for name in through for row, names in rows.get(name, ()) if passed & names for note in row.notes if (s.level, note) not in said)
        said |= {(s.level, note) for note in new}
        found[id(s)] = list(new)
    return found


def summary(problem: Problem) -> str:
    """One line that says what the network is."""
    n = problem.network
    if not n.layers:
        return f"{len(n.equations)} equation{'s' * (len(n.equations) > 1)}, differentiated step by step"
    if not n.plain_stack:
        return ", ".join(_layer(p) for p in n.layers)
    x = n.symbols[n.names("input")[0]]
    features = (x.shape[1 if n.rows else 0] if x.shape else 1)
    parts = [f"{features} input{'s' * (features != 1)}", *(f"{p.units} {p.activation.replace('_', ' ')}" for p in n.layers)]
    return ", ".join(parts)


def _layer(p: LayerPlan) -> str:
    """One layer in words."""
    words = [p.type.replace("_", " "), str(p.units) * LAYERS[p.type].sized, p.activation.replace("_", " ") * (p.activation != "identity"),
             "residual" * bool(p.residual)]
    return " ".join(w for w in words if w)


def statement(problem: Problem, printer: Printer) -> str:
    """The sentence that opens a worksheet, as LaTeX."""
    n = problem.network
    if not n.layers:
        return "Consider the equations" if len(n.equations) > 1 else "Consider the equation"
    count = len(n.layers)
    convention = "rows" if n.rows else "columns"
    samples = n.symbols[n.names("input")[0]].shape if n.plain_stack else ()
    batch = f"The examples of the batch are the {convention} of ${printer.name(n.names('input')[0])}$. " \
        if samples and all(d != 1 for d in samples) else ""
    return f"{batch}A network of {count} layers and its loss:" if count > 1 else f"{batch}A single layer and its loss:"


def checked(certified: Certified) -> str:
    """How the lines on the page were checked, as plain text."""
    proved, agreed = certified.tally()
    count = proved + agreed
    how = "proved against symbolic differentiation on explicit entries"
    steps = f"{'All ' if count > 1 else ''}{count} step{'s' * (count != 1)}"
    if not agreed:
        told = f"{steps} {how}"
    elif not proved:
        told = f"{steps} checked at random points"
    else:
        told = f"{proved} of {count} steps {how}, the others checked at random points"
    worst = "0"
    if certified.worst > 0:
        worst = f"1e{floor(log10(certified.worst))}"
    return (f"{told}; every line and every gradient also agreed with differences of the forward pass in {DIGITS}-digit arithmetic "
            f"(largest difference {worst}).")
