"""One derivation, read at the levels a teacher asks for: the steps that reach a page.

>>> from .layers import stack
>>> from .network import LayerPlan
>>> net = stack(("x", 2), "y", [LayerPlan(2, "sigmoid"), LayerPlan(1)], "half_squared_error")
>>> for s in plan(net, ("scalar", "matrix")).steps[:3]: print(s.level, s.wrt, "=", ex.text(s.lines[-1].rhs))
scalar W2[1] = (a2 - y)*a1[1]
scalar b2 = a2 - y
scalar W1[0,1] = (a2 - y)*W2[0]*a1[0]*(1 - a1[0])*x[1]
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from . import expr as ex, index
from .calculus import differentiate
from .derive import Derivation, Step, count_paths, derive, path_partials, path_product, paths
from .errors import ChainruleError, nearest
from .expr import Expr
from .functions import VECTOR_FUNCTIONS
from .language.matrices import MATRIX_FUNCTIONS, MOST_WRITTEN_OUT
from .network import Network, Shortcut, Symbol, scalarize
from .rules import RULES, Rule

LEVELS = ("scalar", "index", "matrix", "numbers")
DEFAULT_LEVELS = ("scalar", "matrix", "numbers")
MOST_PATHS = 4       # more whole paths than this are never written out
MOST_PARTS = 150     # nor paths whose product has more parts than this
MOST_SCALARS = 1500  # beyond this the scalar level is left out


@dataclass(frozen=True)
class Line:
    """One line: what stands right of the equals sign, why, and what kind of claim it is.

    kind: 'gradient' (equals the step's gradient, in the named gradients of what uses the value),
    'path' (the same, down whole paths), 'forward' (an equation of the forward pass,
    with its left side), 'local' (a local derivative u, v as left side), 'jacobian' (all local derivatives of a
    vector by a vector, one row an output) or 'index' (a typical entry of the gradient; free: its running indices; over: those of a left side with computed indices, with their sizes).
    """

    rhs: Expr
    because: str = ""
    kind: str = "gradient"
    lhs: Expr | None = None
    free: tuple[str | None, str | None] = (None, None)
    over: tuple[tuple[str, ex.Dim], ...] = ()


@dataclass(frozen=True)
class Shown:
    """A step at one level, as it will stand on the page.

    wrt: the value, or one entry of it (parent: the whole); source: the derived step behind it;
    checked: '' until verified, then 'proved' or '30 digits'.
    """

    of: str
    wrt: str
    level: str
    rule: str
    because: str
    lines: tuple[Line, ...]
    source: Step
    parent: str = ""
    checked: str = ""

    @property
    def shape(self) -> ex.Shape:
        return self.source.shape


@dataclass(frozen=True)
class Lesson:
    """All that a document needs from the mathematics, before any number is put in."""

    network: Network
    derivation: Derivation
    scalar: Derivation | None
    levels: tuple[str, ...]
    steps: tuple[Shown, ...]
    notes: tuple[str, ...] = ()
    rules: Mapping[str, Rule] = field(default_factory=lambda: RULES)

    def of_level(self, level: str) -> list[Shown]:
        return [s for s in self.steps if s.level == level]


def check_levels(names: Collection[str]) -> tuple[str, ...]:
    """The levels asked for, in the order of the page. Raises ChainruleError for an unknown one."""
    for name in names:
        if name not in LEVELS:
            raise ChainruleError(f"--level {name}: no such level", hint=nearest(name, LEVELS))
    return tuple(level for level in LEVELS if level in names)


def plan(network: Network, levels: Collection[str] = DEFAULT_LEVELS, *, wrt: tuple[str, ...] = (), all_entries: bool = False,
         assume: Collection[str] = (), rules: Mapping[str, Rule] = RULES) -> Lesson:
    """Derive a network and lay out its steps.

    all_entries: every weight at the scalar level, not one of each matrix. assume: rules applied
    without a line (plain equations only).
    """
    asked = check_levels(levels)
    inputs = () if network.plain_stack or not network.layers else network.names("input")
    wrt = wrt or (*network.names("parameter"), *inputs)  # plain equations have none: then every step is shown
    derivation = derive(network, wrt, rules)
    notes: list[str] = []
    if network.symbols[network.output].shape:
        notes.append(f"{network.output} is not a single number. A bar marks what a direction in {network.output} pulls back: "
                     "the transposed Jacobian times that direction.")
    scalar, asked = _scalar_derivation(network, derivation, asked, rules, notes)
    steps: list[Shown] = []
    if scalar is not None and "scalar" in asked:
        steps += _scalar_steps(network, scalar, derivation.wrt, all_entries, assume, rules)
    said = {s.wrt: s.source.result for s in steps if s.lines[-1].kind == "gradient"} if scalar is not derivation else {}
    for step in derivation.shown():
        if not step.terms or (not step.shape and said.get(step.wrt) == step.result):  # a number by itself: the scalar level has said it
            continue
        if "index" in asked:
            steps += _index_step(network, step)
        if "matrix" in asked:
            steps.append(_matrix_step(network, step))
    if "numbers" in asked and not {"scalar", "index", "matrix"} & set(asked):
        steps += [replace(_matrix_step(network, s), level="numbers") for s in derivation.shown() if s.terms]
    return Lesson(network, derivation, scalar, asked, tuple(steps), tuple(notes), rules)


def _scalar_derivation(network: Network, derivation: Derivation, asked: tuple[str, ...], rules: Mapping[str, Rule],
                       notes: list[str]) -> tuple[Derivation | None, tuple[str, ...]]:
    """The walk with every entry its own symbol, where that can be read; levels that coincide are merged."""
    if network.is_scalar:
        symbolic = tuple(level for level in asked if level != "numbers")
        return derivation, (("scalar",) if symbolic else ()) + (("numbers",) if "numbers" in asked else ())
    if "scalar" not in asked:
        return None, asked
    why = ""
    if network.sizes:
        why = f"the size {network.sizes[0]} is a letter"
    elif network.symbols[network.output].shape:
        why = f"{network.output} is not a single number"
    elif (count := sum(_entries(s) for s in network.symbols.values())) > MOST_SCALARS:
        why = f"it would need {count:,} symbols"
    elif large := next((e for eq in network.equations for e in ex.walk(eq.rhs) if e.op == "matrix" and _too_large(e)), None):
        why = f"{ex.text(large)} has too many products when it is written out"
    if why:
        notes.append(f"The scalar level is left out because {why}; the index and matrix levels say the same.")
        rest = tuple(level for level in asked if level != "scalar")
        return None, rest if set(rest) - {"numbers"} else ("matrix", *rest)
    return derive(scalarize(network), (), rules), asked


def _too_large(e: Expr) -> bool:
    """Whether a function of a square matrix is of a larger one than a person writes out."""
    return MATRIX_FUNCTIONS[e.data].square and e.data != "trace" and int(e.args[0].shape[0]) > MOST_WRITTEN_OUT


def _entries(s: Symbol) -> int:
    out = 1
    for d in s.shape:
        out *= d if isinstance(d, int) else 1
    return out


# ---------------------------------------------------------------- scalar level

def _scalar_steps(network: Network, scalar: Derivation, wrt: tuple[str, ...], every: bool, assume: Collection[str],
                  rules: Mapping[str, Rule]) -> list[Shown]:
    plain = network.is_scalar
    chosen = {s.wrt for s in scalar.shown()} if plain else _representatives(scalar.network, wrt, every)
    out = []
    for step in scalar.steps.values():
        if not step.terms:
            continue
        name = step.wrt
        symbol = scalar.network.symbols[name]
        few = _writable(scalar, name)
        if not plain and (name not in chosen or (symbol.kind != "parameter" and name not in _asked(wrt, symbol)
                                                  and _short_everywhere(scalar, chosen))):
            continue
        if plain and name not in chosen:
            continue
        leaf = symbol.kind != "value"
        whole = leaf and few and _longer(step, scalar)
        lines = _path_lines(scalar, step) if whole else _local_lines(step)
        if plain and not network.layers:
            worked = _worked_locals(scalar, step, assume, rules)
            done = bool(worked) and len(step.terms) == 1 and not _longer(step, scalar) and worked[-1].rhs == step.result
            lines = worked if done else [*worked, *lines]
        fork = count_paths(scalar, name) > 1
        rule, because = (("fork-sum" if fork else "chain"), _ALONG[fork]) if whole else (step.rule, step.because)
        if whole and (said := [s.because for s in _theorems(scalar, name)]):
            because = f"{because} {said[0]}"
        out.append(Shown(step.of, name, "scalar", rule, because, tuple(lines), step, symbol.parent))
    return out


_ALONG = ("The chain rule multiplies local derivatives along the path.",
          "The chain rule multiplies local derivatives along each path, and the paths add up.")


def _asked(wrt: tuple[str, ...], symbol: Symbol) -> tuple[str, ...]:
    return (symbol.name,) if symbol.parent in wrt or symbol.name in wrt else ()


def _short_everywhere(scalar: Derivation, chosen: set[str]) -> bool:
    """Whether every chosen weight has few enough paths, so that no intermediate step is needed."""
    kinds = scalar.network.symbols
    return all(_writable(scalar, n) for n in chosen if kinds[n].kind == "parameter")


def _writable(scalar: Derivation, name: str) -> bool:
    """Whether the whole paths to a value can be written out."""
    return name not in scalar.steps or count_paths(scalar, name) <= MOST_PATHS and \
        sum(1 for p in paths(scalar, name) for _ in ex.walk(path_product(p, final=True))) <= MOST_PARTS


def _representatives(network: Network, wrt: tuple[str, ...], every: bool) -> set[str]:
    """One entry of each matrix: off the diagonal where there is one, so that a transpose shows."""
    groups: dict[str, list[Symbol]] = {}
    for s in network.symbols.values():
        if s.kind in ("parameter", "value") or s.parent in wrt or s.name in wrt:
            groups.setdefault(s.parent or s.name, []).append(s)
    if every:
        return {s.name for group in groups.values() for s in group}
    return {_typical(group).name for group in groups.values()}


def _typical(group: list[Symbol]) -> Symbol:
    """The second weight of the first unit; the first entry of anything else."""
    if group[0].base == "w":
        return next((s for s in group if s.index in ((0, 1), (1,))), group[0])
    return group[0]


def _longer(step: Step, derivation: Derivation) -> bool:
    return any(t.through != derivation.network.output for t in step.terms)


def _local_lines(step: Step) -> list[Line]:
    """dL/dv = sum of dL/du * du/dv, then with the local derivatives put in."""
    output = step.of
    chain = [ex.partial(t.through, step.wrt) if t.upstream == ex.ONE else
             Expr("mul", (ex.grad(output, t.through), ex.partial(t.through, step.wrt))) for t in step.terms]
    direct = len(chain) == 1 and chain[0].op == "partial"
    lines = [] if direct else [Line(chain[0] if len(chain) == 1 else Expr("add", tuple(chain)), "chain rule")]
    lines.append(Line(_join([t.expr for t in step.terms]), "local derivatives"))
    if step.general not in (lines[-1].rhs,):
        lines.append(Line(step.general, "the slope in its own form"))
    return lines + _theorem_lines(step)


def _theorem_lines(step: Step) -> list[Line]:
    """How a theorem shortens a gradient: what comes from above put in, then what is left of it."""
    shown = [step.general]
    if step.shortcut:
        shown += [e for e in (step.inserted, step.result) if e is not None and e != step.general]
    whys = ["what comes from above, put in"] * (len(shown) - 2) + [f"theorem: {step.rule}"]
    return [Line(e, why) for e, why in zip(shown[1:], whys, strict=False) if e != shown[0]]


def _path_lines(derivation: Derivation, step: Step) -> list[Line]:
    """The whole product from the output down to a weight, every factor named, then put in, then as a theorem has it."""
    found = paths(derivation, step.wrt)
    named = [path_partials(p, derivation.network) for p in found]
    put_in = [path_product(p, final=True) for p in found]
    why = "chain rule, one factor an edge" if len(found) == 1 else "one product a path; the paths add up"
    lines = [Line(_join(named), why, "path"), Line(_join(put_in), "local derivatives", "path")]
    if not _theorems(derivation, step.wrt):
        return lines
    short = paths(derivation, step.wrt, short=True)
    heads = [derivation.steps[p[0][0]] for p in short]
    cut = [path_product(p, final=True, after=s.result if s.shortcut else None) for p, s in zip(short, heads, strict=True)]
    if all(s.inserted == s.general for s in heads):  # the theorem begins at the loss itself, so nothing is seen to cancel
        lines.pop()
    return [*lines, Line(_join(cut), "theorem: what stands before the activation cancels", "path")]


def _theorems(derivation: Derivation, name: str) -> list[Shortcut]:
    """The theorems that shorten the paths to a value."""
    return [s for p in paths(derivation, name, short=True) if p and (s := derivation.steps[p[0][0]].shortcut)]


def _join(terms: list[Expr]) -> Expr:
    terms = [t for t in terms if t != ex.ZERO] or [ex.ZERO]
    return terms[0] if len(terms) == 1 else Expr("add", tuple(terms))


def _worked_locals(scalar: Derivation, step: Step, assume: Collection[str], rules: Mapping[str, Rule]) -> list[Line]:
    """For plain equations: how each local derivative is found, rule by rule, where it takes more than one."""
    lines = []
    for term in step.terms:
        rhs = scalar.network.equation(term.through).rhs
        passes = differentiate(rhs, step.wrt, assume, rules)
        if len(passes) < 2:
            continue
        left: Expr | None = ex.partial(term.through, step.wrt)
        for p in passes:
            lines.append(Line(p.rhs, "; ".join(dict.fromkeys(b for _, b in p.used)), "local", left))
    return lines


# ---------------------------------------------------------------- matrix and index level

def jacobian(network: Network, of: str, wrt: str) -> Line | None:
    """All slopes of one function of a whole vector as one matrix; None where u is no such function of v, or v is no single vector."""
    rhs, u, v = network.equation(of).rhs, network.symbols[of], network.symbols[wrt]
    if rhs.op != "over" or rhs.args[0] != v.expr or 1 not in v.shape or any(map(ex.is_samples, v.shape)) or v.shape[rhs.data[1]] == 1:
        return None
    z, a = (x if not x.shape or x.shape[1] == 1 else ex.transpose(x) for x in (v.expr, u.expr))
    return Line(VECTOR_FUNCTIONS[rhs.data[0]].whole(z, a), "all slopes collected in one matrix, a row for every output", "jacobian", Expr("local", (), ((of, ()), (wrt, ()))))


def _matrix_step(network: Network, step: Step) -> Shown:
    lines = [line for t in step.terms if (line := jacobian(network, t.through, step.wrt))]
    lines.append(Line(step.chain, "rule of the equation"))
    if step.general != step.chain:
        lines.append(Line(step.general, "the slope in its own form"))
    lines += _theorem_lines(step)
    return Shown(step.of, step.wrt, "matrix", step.rule, step.because, tuple(lines), step)


def _index_step(network: Network, step: Step) -> list[Shown]:
    """The typical entry: forward equation, chain rule with its sum, result, and back to the matrix."""
    symbol = network.symbols[step.wrt]
    i, j = (letter if d != 1 else None for letter, d in zip(symbol.letters, symbol.shape, strict=True)) if symbol.shape else (None, None)
    free = tuple(x for x in (i, j) if x)
    lines: list[Line] = []
    pieces, chains, jacobian = [], [], []
    for term in step.terms:
        lines += _forward_line(network, term.through, symbol)
        piece = index.entry(term.final, i, j)
        reached = piece if piece != ex.ZERO else index.entry(term.expr, i, j)  # a step: the chain rule holds, and comes to zero
        chain = index.chain(step.of, reached, term.through, step.wrt, free) if term.upstream is not ex.ONE else None
        whole = network.equation(term.through).rhs
        if term.upstream is not ex.ONE and whole.op == "over" and whole.args[0] == symbol.expr:
            chain, put_in = index.vector_chain(step.of, network.symbols[term.through].expr, whole, symbol.expr, (i, j))
            jacobian += [put_in]
        pieces.append(piece)
        chains.append(chain)
    if all(c is not None for c in chains):
        lines.append(Line(_join([c for c in chains if c is not None]), "chain rule: add over every entry that is reached", "index", free=(i, j)))
    if len(jacobian) == len(step.terms) and _join(jacobian) != _join(pieces):
        lines.append(Line(_join(jacobian), "every output depends on every input", "index", free=(i, j)))
    lines.append(Line(_join(pieces), step.because, "index", free=(i, j)))
    lines += [Line(index.entry(x.rhs, i, j), x.because, "index", free=(i, j)) for x in _theorem_lines(step)]
    if step.shape and any(n.op == "T" for n in ex.walk(step.result)):
        whole = Expr("entry", (step.result,), free)
        lines.append(Line(whole, "row by column: the entry of a matrix product with a transpose", "index", free=(i, j)))
    because = f"{step.because} {_OUTSIDE}" if any(_beyond(network.equation(t.through).rhs) or _beyond(t.final) for t in step.terms) else step.because
    return [Shown(step.of, step.wrt, "index", step.rule, because, tuple(lines), step)]


_OUTSIDE = "Entries outside a matrix count as 0."


def _beyond(e: Expr) -> bool:
    """Whether computed indices may point outside: around a padded image, or beyond a kernel."""
    return any(x.op == "slide" and (x.data.padding or x.data.gives == "x") or x.op in ("take", "put") and x.data.window[2] for x in ex.walk(e))


def _forward_line(network: Network, name: str, wrt: Symbol) -> list[Line]:
    """The equation that uses the value, for a typical entry; an entrywise one keeps the value's indices."""
    eq, symbol = network.equation(name), network.symbols[name]
    letters = wrt.letters if wrt.shape == symbol.shape and wrt.kind != "parameter" else symbol.letters
    i, j = (letter if d != 1 else None for letter, d in zip(letters, symbol.shape, strict=True)) if symbol.shape else (None, None)
    if (moved := index.spelled(symbol.expr, eq.rhs, wrt.letters)) is not None:
        left, right, how = moved
        return [Line(right, "the forward equation, entry by entry", "forward", left, over=how.over)]
    left = index.entry(symbol.expr, i, j)
    return [Line(index.entry(eq.rhs, i, j), "the forward equation, entry by entry", "forward", left, (i, j))]
