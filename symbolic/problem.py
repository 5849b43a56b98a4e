"""From the spec that a person wrote to a network, its numbers, and back to the shapes of the file."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any, TypeVar

from mpmath import mp

from . import expr as ex
from .claims.claimtext import Claim, formula, slope_name, subject
from .errors import ShapeError, SpecError
from .expr import Expr, Shape
from .language.arithmetic import MP, Matrix
from .latex import Printer
from .layers import LAYERS
from .losses import DOMAINS, LOSSES, lambdas, regularized
from .models.primitives import primitive
from .models.stacked import count, forms, measure, network_of, parameters
from .models.theorems import applied, turned
from .network import Network, from_equations
from .reading.givens import calls, check_functions, values_of
from .reading.losscheck import class_indices
from .reading.numbers import ValueProblem
from .reading.paths import spoken
from .reading.plans import Plan, planned, rivals
from .reading.wanted import Wanted, wanted
from .spec import Spec
from .values import DIGITS

T = TypeVar("T")
MOST_NUMBERS = 5000
MOST_EQUATIONS = 500
MOST_UPDATES = 20_000  # numbers that are learned, times steps
Cells = list[list[Any]]  # exact numbers, in rows, as the network holds them


@dataclass(frozen=True)
class LossPlan:
    """The loss that a spec chose: row, options, reduction, penalties; classes: targets given as numbers of classes."""

    name: str
    options: Mapping[str, Fraction]
    reduction: str
    penalties: tuple[str, ...] = ()
    classes: tuple[int, ...] = ()


@dataclass(frozen=True)
class Problem:
    """What a spec says, ready for the mathematics.

    leaves: exact numbers of inputs, targets and parameters that were given or drawn; known: exact
    values of unnamed functions, by their node; forms: how the file writes a value ('number', 'list',
    'rows', 'matrix'); drawn: parameters that were drawn at random; exact: no decimal point anywhere;
    notes: remarks of the file, printed as they are.
    descent: how to go downhill, None without a learning rate; rivals: what is compared; portions: the same
    problem with some of its examples, for the steps that use only those; wanted: what is asked for beyond the
    gradient; memo: what is worked out once for all pages; spec: the file itself, for the sections that it asks for.
    """

    title: str
    network: Network
    leaves: Mapping[str, Cells]
    known: Mapping[Expr, Any] = field(default_factory=dict)
    learning_rate: Any = None
    wrt: tuple[str, ...] = ()
    ask: tuple[str, ...] = ()
    forms: Mapping[str, str] = field(default_factory=dict)
    drawn: tuple[str, ...] = ()
    exact: bool = False
    notes: tuple[str, ...] = ()
    descent: Plan | None = None
    rivals: tuple[Plan, ...] = ()
    portions: Mapping[tuple[int, ...], Problem] = field(default_factory=dict)
    claims: tuple[Claim, ...] = ()
    wanted: Wanted = field(default_factory=Wanted)
    spec: Spec | None = None
    loss: LossPlan | None = None
    memo: dict[Any, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def moved(self) -> list[str]:
        """The names that a step downhill changes: parameters; of plain equations the given names (those of ``wrt`` if there are any)."""
        if self.network.layers:
            return self.network.names("parameter")
        return [n for n in self.network.names("input") if n in self.leaves and (not self.wrt or n in self.wrt)]

    def numbers(self) -> dict[Any, Matrix] | None:
        """The given numbers at working precision, None when there are none."""
        if not self.leaves and not self.known:
            return None
        with mp.workdps(DIGITS):
            env: dict[Any, Matrix] = {name: [[MP.number(v) for v in row] for row in cells] for name, cells in self.leaves.items()}
            env.update({node: [[MP.number(v)]] for node, v in self.known.items()})
            return env

    def once(self, key: Any, make: Callable[[], T]) -> T:
        """What is worked out and checked once, for all pages."""
        if key not in self.memo:
            self.memo[key] = make()
        found: T = self.memo[key]
        return found

    def refused(self, key: str, sentence: str, hint: str = "", *path: str | int) -> SpecError:
        """What is wrong with a key of the file, found out after it was read; path: the way below the key."""
        return SpecError(f"{spoken((key, *path))}: {sentence}", where=self.spec.where(key, *path) if self.spec else "", hint=hint)

    def refused_at(self, name: str, sentence: str, hint: str = "") -> SpecError:
        """The same for a name of the network: at its equation, its layer, or its number in the file."""
        spec, symbol = self.spec, self.network.symbols.get(name)
        if spec is None or symbol is None:
            return SpecError(sentence, where=spec.where() if spec else "", hint=hint)
        if spec.is_network and name not in (*spec.inputs, *spec.targets):
            layer = symbol.layer or (1 if name not in ("L", "D") else None)  # the layer of a network with one has no number
            return self.refused("loss", sentence, hint) if layer is None else self.refused("layers", sentence, hint, layer - 1)
        key = next((k for k in ("equations", "at", "inputs", "targets") if name in getattr(spec, k)), "equations")
        return self.refused(key, sentence, hint, name)

    def as_written(self, name: str, value: Matrix) -> Any:
        """A value in the shape of the file: one row an example, a list for one example, a number for a scalar."""
        form = self.forms.get(name, "matrix")
        turn = not self.network.rows and form in ("rows",)
        cells = [list(c) for c in zip(*value, strict=True)] if turn else value
        if form == "number":
            return cells[0][0]
        if form == "list":
            return [v for row in cells for v in row]
        return cells


def build(spec: Spec) -> Problem:
    """The problem that a spec states.

    Raises SpecError, located in the file, for names and shapes that do not fit.
    """
    problem = _from_equations(spec) if spec.equations else _from_layers(spec)
    if spec.granularity == "primitive":
        if spec.given:
            raise SpecError("granularity: primitive needs a formula for every function", where=spec.where("granularity"), hint="leave 'given' out")
        network = replace(primitive(problem.network), shortcuts=(), ones=())  # the walk is too fine for a theorem
        problem = replace(problem, network=network, forms={n: _form(s.shape, None) for n, s in network.symbols.items()} | dict(problem.forms))
    _check_letters(spec, problem.network)
    _check_formulas(spec, problem.network)
    problem = replace(_with_plans(spec, problem), claims=spec.claims)
    return replace(problem, wanted=wanted(spec, problem.network, problem.leaves))


def _with_plans(spec: Spec, problem: Problem) -> Problem:
    """The problem with what the file says about going downhill."""
    first = problem.network.symbols[next(iter(spec.inputs))] if spec.is_network else None
    examples = next((int(d) for d in first.shape if isinstance(d, ex.Samples)), None) if first and first.name in problem.leaves else None
    if spec.data is not None:  # the steps are those of the training
        return replace(problem, spec=spec)
    if spec.is_network and not any(map(ex.is_samples, problem.network.symbols[next(iter(spec.targets))].shape)):
        examples = None  # the rows of a sequence are no examples
    try:
        descent = None if spec.learning_rate is None else planned(spec.optimizer, spec.schedule, spec.learning_rate, examples)
        compared = () if spec.compare is None else tuple(rivals(spec.compare, spec.optimizer, spec.schedule, spec.learning_rate, examples))
    except ValueProblem as e:
        raise SpecError(f"{' '.join(map(str, e.path))}: {e.sentence}", where=spec.where(*e.path), hint=e.hint) from None
    for key, plans in (("optimizer", (descent,) if spec.optimizer and descent else ()), ("compare", compared)):
        if plans:
            _check_moving(spec, problem, key, sum(p.steps for p in plans))
    used = {b for plan in (*filter(None, (descent,)), *compared) for b in plan.batches}
    return replace(problem, spec=spec, descent=descent, rivals=compared, portions={b: _from_layers(_portion(spec, b)) for b in sorted(used)})


def _check_moving(spec: Spec, problem: Problem, key: str, steps: int) -> None:
    """An optimizer needs a loss that is a number, numbers to start from, and not too many of them."""
    network = problem.network
    if network.symbols[network.output].shape:
        raise SpecError(f"{key}: {network.output} is not a single number, so there is nothing to make small", where=spec.where(key))
    missing = [n for n in network.names("input", "target", "parameter", "constant") if n not in problem.leaves]
    if missing or problem.known or not problem.moved:
        what = f"{missing[0]} has no number" if missing else "no name can be changed" if not problem.moved else "a function has no formula"
        raise SpecError(f"{key}: {what}, so no step can be taken", where=spec.where(key),
                        hint="give every number" + ("" if network.layers else " under 'at'"))
    work = steps * sum(len(problem.leaves[n]) * len(problem.leaves[n][0]) for n in problem.moved)
    if work > MOST_UPDATES:
        raise SpecError(f"{key}: {work:,} new numbers; at most {MOST_UPDATES:,} are worked through with {DIGITS} digits", where=spec.where(key),
                        hint="take fewer steps")


def _portion(spec: Spec, examples: tuple[int, ...]) -> Spec:
    """The same network with some of the examples."""
    def chosen(given: Mapping[str, Any]) -> dict[str, Any]:
        return {name: tuple(rows[k] for k in examples) for name, rows in given.items()}

    (rows,) = list(spec.inputs.values())[:1]
    every = len(rows) if isinstance(rows, tuple) else 1
    layers = [layer.model_copy(update=chosen({"mask": layer.mask})) if isinstance(layer.mask, tuple) and isinstance(layer.mask[0], tuple) and len(layer.mask) == every
              else layer for layer in spec.layers]  # a mask of one row an example
    return spec.model_copy(update={"inputs": chosen(spec.inputs), "targets": chosen(spec.targets), "layers": layers})


def _check_letters(spec: Spec, network: Network) -> None:
    """Two names that look the same on the page would make every line ambiguous."""
    printer, seen = Printer(network), {}
    if network.layers:
        seen = {r"\delta": "the error signal", r"\eta": "the learning rate", r"\delta^{(1)}": "the error signal"}
    for name, symbol in network.symbols.items():
        looks = printer.symbol(symbol)
        if looks.lower() in seen and name != seen[looks.lower()] and (looks in seen or network.layers):
            raise SpecError(f"{name!r} and {seen[looks.lower()]!r} look the same on the page", where=spec.where(),
                            hint="give one of them another letter")
        seen[looks.lower() if network.layers else looks] = name


def _check_formulas(spec: Spec, network: Network) -> None:
    """Every published formula can be read; whether its shapes fit is for the verdict to say."""
    for claim in spec.claims:
        for text in (claim.formula, claim.name) if claim.group not in ("notes", "rounding") else ():
            try:
                read = text if text == claim.formula else subject(text, [*network.symbols, *network.other_names], network.output, claim.group).text
                if read:
                    formula(read, network, lambda u, v: slope_name(network, u, v), ex.ONE)
            except ShapeError:
                continue
            except SpecError as e:
                raise SpecError(f"{spoken(('claims', *claim.path))}: {e.sentence}", where=spec.where("claims", *claim.path), hint=e.hint) from None


def _check_size(spec: Spec, count: int) -> None:
    if count > MOST_NUMBERS:
        raise SpecError(f"{count:,} numbers; at most {MOST_NUMBERS:,} are worked through with {DIGITS} digits",
                        where=spec.where(), hint="leave the weights out, and everything is derived in symbols")


# ---------------------------------------------------------------- layers

def _from_layers(spec: Spec) -> Problem:
    (y_name, y), = spec.targets.items()
    rows = spec.convention == "rows"
    try:
        network = network_of(spec)
    except SpecError as e:
        raise SpecError(e.sentence, where=e.where or spec.where("layers"), hint=e.hint) from None
    images = LAYERS[spec.layers[0].type].reads == "images"
    leaves: dict[str, Cells] = {}
    given_forms = {}
    for name, given in spec.inputs.items():
        given_forms[name] = measure(given)[2].replace("rows", "matrix") if images else measure(given)[2]
        if (cells := _cells(given)) is not None:
            leaves[name] = cells if images or network.symbols[name].kind == "constant" else turned(cells, rows)
    classes, y = _classes(spec, network, y)
    if (cells := _cells(y)) is not None:
        leaves[y_name] = cells if _is_image(network, y_name) else turned(cells, rows)
    _check_targets(spec, y_name, y)
    leaves.update(network.constants)
    y_form = measure(y)[2]
    if y_form != "unknown":
        given_forms[y_name] = "matrix" if _is_image(network, y_name) else y_form
    if spec.init is not None or any(layer.W is not None or layer.weights for layer in spec.layers):
        _check_size(spec, count(network))
    drawn = parameters(spec, network, leaves)
    network = completed(spec, network, leaves)
    loss = LossPlan(str(spec.loss), options_of(spec), spec.reduction, tuple(spec.regularization), classes)
    return Problem(spec.title, network, leaves, notes=spec.remarks, learning_rate=spec.learning_rate, wrt=tuple(spec.wrt), ask=tuple(spec.ask),
                   forms=forms(network, given_forms), drawn=drawn, exact=spec.exact and not drawn, loss=loss)


def completed(spec: Spec, network: Network, leaves: dict[str, Cells]) -> Network:
    """The network with the theorem of its last layer and with its penalties, whose lambdas are put into leaves."""
    (y_name,) = spec.targets
    network = applied(network, str(spec.loss), targets=leaves.get(y_name), reduction=spec.reduction)
    penalties = tuple(spec.regularization)
    if penalties:
        network = regularized(network, penalties)
        leaves.update({lam: [[spec.regularization[p]]] for p, lam in lambdas(penalties).items() if spec.regularization[p] is not None})
    return network


def _is_image(network: Network, target: str) -> bool:
    """Whether the network ends in an image, which the target then is, as written."""
    images = [LAYERS[p.type].reads == "images" and p.type != "flatten" for p in network.layers]
    return images[-1] and bool(network.symbols[target].shape)


def _classes(spec: Spec, network: Network, y: Any) -> tuple[tuple[int, ...], Any]:
    """The classes that the target counts, and the target with a 1 at the place of each."""
    (name,) = network.names("target")
    shape = network.symbols[name].shape or (1, 1)
    outputs, across = shape[network.rows], shape[not network.rows]
    classes = class_indices(spec.loss, y, int(outputs), across if ex.is_samples(across) else None, name) if isinstance(outputs, int) else ()
    if not classes:
        return (), y
    written = tuple(tuple(Fraction(int(k == c)) for k in range(int(outputs))) for c in classes)
    return classes, written if ex.is_samples(across) else written[0]


def options_of(spec: Spec) -> dict[str, Fraction]:
    """Every option of the loss with the value it has."""
    return {o.name: Fraction(spec.loss_options.get(o.name, o.default)) for o in LOSSES[str(spec.loss)].options}


def _check_targets(spec: Spec, name: str, y: Any) -> None:
    """Every example's targets are such as the loss is made for."""
    domain = DOMAINS[LOSSES[str(spec.loss)].domain]
    cells = _cells(y) or []
    for k, example in enumerate(cells):
        if not domain.holds(example):
            listed = isinstance(y, (tuple, list)) and isinstance(y[0], (tuple, list))
            raise SpecError(f"targets, {name}{f', row {k + 1}' if listed else ''}: {spec.loss} needs {domain.expected}",
                            where=spec.where("targets", name, *[k] * listed))


def _cells(value: Any) -> Cells | None:
    """Exact numbers in rows, one row an example; None where there are none."""
    if value is None or hasattr(value, "size") and not isinstance(value, Fraction):
        return None
    if not isinstance(value, (tuple, list)):
        return [[value]]
    if isinstance(value[0], (tuple, list)):
        return [list(row) for row in value]
    return [list(value)]


# ---------------------------------------------------------------- equations

def _from_equations(spec: Spec) -> Problem:
    at = dict(spec.at or {})
    _check_euler(spec, at)
    if len(spec.equations) > MOST_EQUATIONS:
        raise SpecError(f"{len(spec.equations):,} equations; at most {MOST_EQUATIONS} make a page", where=spec.where("equations"))
    cells = {name: _column(value) for name, value in at.items()}
    shapes: dict[str, Shape] = {name: (len(c), len(c[0])) for name, c in cells.items()}
    _check_size(spec, sum(len(c) * len(c[0]) for c in cells.values()))
    given = calls(spec)
    unnamed = frozenset(name for name, _, _ in given)
    check_functions(spec, unnamed)
    try:
        network = from_equations(spec.equations, shapes, unnamed)
    except SpecError as e:
        name = next(n for n in spec.equations if e.sentence.startswith(f"equations {n}: "))
        raise SpecError(e.sentence, where=spec.where("equations", name), hint=e.hint) from None
    known = values_of(spec, network, given, unnamed)
    forms = {n: _form(s.shape, at.get(n)) for n, s in network.symbols.items()}
    return Problem(spec.title, network, cells, known, spec.learning_rate, tuple(spec.wrt), tuple(spec.ask), forms, exact=spec.exact, notes=spec.remarks)


def _check_euler(spec: Spec, at: Mapping[str, Any]) -> None:
    """``e**x`` looks like the exponential, but e would be one more variable."""
    for name, source in spec.equations.items():
        if "e" not in spec.equations and "e" not in at and re.search(r"(?<![\w.])e\s*\*\*", source):
            raise SpecError(f"equations {name}: e is not known as Euler's number here", where=spec.where("equations", name), hint="write exp(x)")


def _column(value: Any) -> Cells:
    """A number, a flat list (a column) or a matrix as written."""
    if not isinstance(value, (tuple, list)):
        return [[value]]
    if isinstance(value[0], (tuple, list)):
        return [list(row) for row in value]
    return [[v] for v in value]


def _form(shape: Shape, given: Any) -> str:
    if not shape:
        return "number" if not isinstance(given, (tuple, list)) else "list" if not isinstance(given[0], (tuple, list)) else "matrix"
    return "list" if shape[1] == 1 and not (isinstance(given, (tuple, list)) and isinstance(given[0], (tuple, list))) else "matrix"
