"""What the functions and classes of a file take, return, keep and change, read from its syntax tree.

>>> code = ast.parse("def f(X, W1, lr=1):\\n    cache = (Z1, A1)\\n    return A1, cache")
>>> f = routines(code)[0]
>>> f.parameters, f.optional, f.returns
(('X', 'W1', 'lr'), ('lr',), {(0,): 'A1', (1,): 'cache', (1, 0): 'Z1', (1, 1): 'A1'})
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from .layouts import parts_of, role_of
from .names import Names, Part, plain
from .rewriting import bound, loaded

Path = tuple[Part, ...]
RESHAPES = {"copy", "item", "reshape", "transpose", "ravel", "flatten", "squeeze", "astype", "array", "asarray", "atleast_2d"}
FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef

# the common names of the functions of a file, without underscores
FORWARD = ("forward", "forwardpropagation", "forwardprop", "forwardpass", "feedforward", "lmodelforward", "modelforward", "networkforward", "propagateforward",
           "fwd", "forwardpropagate", "predict", "nn", "network", "runforward", "forwardprob")
BACKWARD = ("backward", "backpropagation", "backprop", "backwardpropagation", "backwardpass", "backpropagate", "backwardprop", "lmodelbackward", "modelbackward",
            "computegradients", "computegradient", "gradients", "gradient", "getgradients", "grad", "grads", "bwd", "propagate", "lossandgrad", "lossandgradients", "lossandgrads",
            "lossgrad", "costfunction", "nncostfunction", "lossfun", "calculategradients", "calcgradients", "computegrads", "backwards", "propagatebackward")
LOSS = ("loss", "computeloss", "computecost", "cost", "lossfunction", "costfunction", "lossfn", "mse", "mseloss", "bce", "bceloss", "crossentropy", "crossentropyloss",
        "binarycrossentropy", "calculateloss", "calcloss", "j", "error", "meansquarederror", "getcost", "lossmse")
UPDATE = ("update", "updateparameters", "updateparams", "updateweights", "step", "applygradients", "gradientdescent", "gradientdescentstep", "optimize", "updateparametersgd")
TRAIN = ("train", "fit", "trainstep", "trainbatch", "trainonbatch", "learn", "sgd", "updateminibatch", "gradientdescent", "think", "trainnetwork", "trainingstep", "optimize", "model",
         "nnmodel", "main", "run", "trainmodel", "onestep", "trainonce", "partialfit", "backproptrain")


@dataclass(frozen=True)
class Routine:
    """A function or method: the names it takes, which of them may be left out, and what it returns, by path."""

    name: str
    node: ast.FunctionDef
    owner: str = ""
    decorators: tuple[str, ...] = ()
    at: Path = ()  # where it stands in what another routine returns

    @cached_property
    def closures(self) -> list[Routine]:
        """The functions of its own that it returns, as in `return out, backward`."""
        inner = {n.name: n for n in own(self.node) if isinstance(n, ast.FunctionDef)}
        return [Routine(name, inner[name], at=path) for path, name in self.returns.items() if name in inner and path and isinstance(path[0], int)]

    @property
    def static(self) -> bool:
        """Whether a method takes no self."""
        return "staticmethod" in self.decorators

    @cached_property
    def all_parameters(self) -> tuple[str, ...]:
        """Every parameter, self too."""
        a = self.node.args
        return tuple(p.arg for p in [*a.posonlyargs, *a.args, *a.kwonlyargs])

    @cached_property
    def parameters(self) -> tuple[str, ...]:
        """What a caller gives."""
        return self.all_parameters[1:] if self.owner and not self.static else self.all_parameters

    @cached_property
    def keyword_only(self) -> tuple[str, ...]:
        """Parameters that must be given by name."""
        return tuple(a.arg for a in self.node.args.kwonlyargs)

    @cached_property
    def optional(self) -> tuple[str, ...]:
        """Parameters with a default."""
        a = self.node.args
        places = [p.arg for p in [*a.posonlyargs, *a.args]]
        named = [p.arg for p, d in zip(a.kwonlyargs, a.kw_defaults, strict=True) if d is not None]
        return (*places[len(places) - len(a.defaults):], *named)

    @cached_property
    def returned(self) -> ast.expr | None:
        """The expression of the last return."""
        found = [n for n in own(self.node) if isinstance(n, ast.Return) and n.value is not None]
        return max(found, key=lambda n: n.lineno).value if found else None

    @cached_property
    def assigned(self) -> Mapping[str, list[ast.expr]]:
        """What each local name is assigned, in order."""
        out: dict[str, list[ast.expr]] = {}
        for n in own(self.node):
            if isinstance(n, ast.Assign):
                for t in n.targets:
                    if isinstance(t, ast.Name):
                        out.setdefault(t.id, []).append(n.value)
        return out

    @cached_property
    def returns(self) -> dict[Path, str]:
        """The names of what is returned, by their path in it."""
        return dict(self._labels(self.returned, (), 0)) if self.returned is not None else {}

    def _labels(self, e: ast.expr, path: Path, depth: int) -> Iterator[tuple[Path, str]]:
        if depth > 4:
            return
        e = reshaped(e)
        if isinstance(e, ast.Name) or isinstance(e, ast.Attribute) and parts_of(e):
            name = e.id if isinstance(e, ast.Name) else e.attr
            yield path, name.lstrip(".")
            made = self.assigned.get(name, []) if isinstance(e, ast.Name) else []
            if len(made) == 1 and isinstance(made[0], (ast.Tuple, ast.List, ast.Dict)):
                yield from self._labels(made[0], path, depth + 1)
        elif isinstance(e, (ast.Tuple, ast.List)):
            for k, each in enumerate(e.elts):
                yield from self._labels(each, (*path, k), depth + 1)
        elif isinstance(e, ast.Dict):
            for key in e.keys:
                if isinstance(key, ast.Constant) and isinstance(key.value, (str, int)):
                    yield (*path, key.value), str(key.value)
        elif isinstance(e, ast.Call):
            for kw in e.keywords if isinstance(e.func, ast.Name) and e.func.id == "dict" else []:
                if kw.arg:
                    yield (*path, kw.arg), kw.arg

    @cached_property
    def stored(self) -> dict[str, ast.AST]:
        """Every local name that is bound, with the node of its last binding."""
        return {n.id: n for n in own(self.node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}


def reshaped(e: ast.expr) -> ast.expr:
    """What an expression is another form of: dW of dW.T, dW.copy(), db[:, None], np.squeeze(dW), float(db), dW / m."""
    match e:
        case ast.Attribute(inner, "T") | ast.Subscript(inner, ast.Tuple()) | ast.BinOp(inner, ast.Div()):
            return reshaped(inner)
        case ast.Call(ast.Attribute(inner, name)) if name in RESHAPES:
            return reshaped(inner)
        case ast.Call(ast.Attribute(ast.Name("np" | "numpy"), name) | ast.Name(name), [inner, *_]) if name in RESHAPES | {"float", "list", "tuple"}:
            return reshaped(inner)
    return e


def own(node: ast.AST) -> Iterator[ast.AST]:
    """Everything within a function, but not within functions inside it."""
    for child in ast.iter_child_nodes(node):
        yield child
        if not isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)):
            yield from own(child)


def routines(tree: ast.AST, owner: str = "") -> list[Routine]:
    """The functions of a module, or the methods of a class."""
    found = {n.name: n for n in tree.body if isinstance(n, ast.FunctionDef)}  # type: ignore[attr-defined]
    return [Routine(name, n, owner, tuple(ast.unparse(d).split("(")[0].split(".")[-1] for d in n.decorator_list)) for name, n in found.items()]


@dataclass(frozen=True)
class Class:
    """A class of the file with its methods, those of base classes in the file too."""

    name: str
    node: ast.ClassDef
    methods: Mapping[str, Routine]
    bases: tuple[str, ...] = field(default=())
    others: Mapping[str, Class] = field(default_factory=dict)

    @cached_property
    def init(self) -> Routine | None:
        """What constructs it; of a dataclass, what its fields say."""
        data = any("dataclass" in ast.unparse(d) for d in self.node.decorator_list)
        fields = {n.target.id: n.value for n in self.node.body if isinstance(n, ast.AnnAssign) and isinstance(n.target, ast.Name) and not isinstance(n.value, ast.Call)}
        return self.methods.get("__init__") or (self.made(fields) if data else None)

    def made(self, fields: Mapping[str, ast.expr | None]) -> Routine:
        """A constructor that takes these, with their defaults."""
        given = ", ".join(f"{p}={ast.unparse(v)}" if v is not None else p for p, v in fields.items())
        return Routine("__init__", ast.parse(f"def __init__(self, *, {given}): pass" if given else "def __init__(self): pass").body[0], self.name)  # type: ignore[arg-type]

    @cached_property
    def attributes(self) -> dict[Path, ast.AST]:
        """Attributes of self that are assigned anywhere, with keys and places: ('params', 'W1'), with the node of the last assignment."""
        out: dict[Path, ast.AST] = {}
        for m in sorted(self.methods.values(), key=lambda m: (m.name != "__init__", m.node.lineno)):  # methods of a base class stand above
            me = m.all_parameters[0] if m.all_parameters and not m.static else ""
            for scope in (n for n in ast.walk(m.node) if isinstance(n, ast.FunctionDef)):
                out.update({path[1:]: node for path, node in stores(scope) if path[0] == me and len(path) > 1})
            for n in own(m.node):
                match n:
                    case ast.Assign(targets, value):
                        held = [(t, value) for t in targets]
                    case ast.Call(ast.Attribute(to, "append"), [value]):
                        held = [(to, ast.List([value], ast.Load()))]
                    case _:
                        continue
                for t, value in held:
                    where = parts_of(t)
                    if where and where[0] == me and len(where) > 1:
                        out.update({(*where[1:], *path): key for path, key in self._keyed(value)})
        return out


    def _keyed(self, e: ast.expr, listed: bool = False) -> Iterator[tuple[Path, ast.AST]]:
        """The keys of a dictionary that is written out, also one of a list, as in [{'W': ...} for ...]; the attributes of objects that hold one layer and do nothing."""
        if isinstance(e, ast.Dict):
            yield from (((k.value,), k) for k in e.keys if isinstance(k, ast.Constant) and isinstance(k.value, str))
        elif isinstance(e, ast.Call) and listed and (held := self.others.get(ast.unparse(e.func))) is not None and not {plain(m) for m in held.methods} & {*BACKWARD, *FORWARD}:
            yield from ((path, node) for path, node in held.attributes.items() if -1 not in path)
        for each in [e.elt] if isinstance(e, ast.ListComp) else e.elts if isinstance(e, ast.List) else ():
            yield from (((-1, *path), key) for path, key in self._keyed(each, True))


def stores(scope: ast.AST) -> Iterator[tuple[Path, ast.AST]]:
    """Every name, attribute and entry that a scope assigns, as a path, in the order of lines."""
    found = []
    for n in own(scope):
        targets = n.targets if isinstance(n, ast.Assign) else [n.target] if isinstance(n, (ast.AugAssign, ast.AnnAssign)) else []
        for t in targets:
            for each in ast.walk(t):
                if isinstance(each, (ast.Name, ast.Attribute, ast.Subscript)) and isinstance(each.ctx, ast.Store):
                    parts = parts_of(each)
                    if parts:
                        found.append((tuple(parts), n))
    yield from sorted(found, key=lambda f: int(getattr(f[1], "lineno", 0)))


def classes(tree: ast.Module) -> dict[str, Class]:
    """The classes of a file."""
    nodes = {n.name: n for n in tree.body if isinstance(n, ast.ClassDef)}
    out: dict[str, Class] = {}
    for name, node in nodes.items():
        bases = [ast.unparse(b) for b in node.bases]
        methods: dict[str, Routine] = {}
        for base in reversed(bases):
            methods.update(out[base].methods if base in out else {})
        methods.update({r.name: r for r in routines(node, name)})
        out[name] = Class(name, node, methods, tuple(bases), out)
    return out


def calls(node: ast.AST) -> set[str]:
    """The last names of what is called within: backward for self.backward(...)."""
    return {n.func.attr if isinstance(n.func, ast.Attribute) else n.func.id for n in ast.walk(node)
            if isinstance(n, ast.Call) and isinstance(n.func, (ast.Attribute, ast.Name))}


def counts(scope: ast.AST, name: str) -> bool:
    """Whether a name stands for a number of examples: something is divided by it (1 / m, 1 / (2 * m)), or a loop counts up to it."""
    for n in ast.walk(scope):
        below = n.right if isinstance(n, ast.BinOp) and isinstance(n.op, ast.Div) else n.value if isinstance(n, ast.AugAssign) and isinstance(n.op, ast.Div) else None
        if below is not None and not any(isinstance(x, ast.Call) for x in ast.walk(below)) and name in {x.id for x in ast.walk(below) if isinstance(x, ast.Name)}:
            return True
        if isinstance(n, ast.Call) and ast.unparse(n.func) == "range" and any(isinstance(a, ast.Name) and a.id == name for a in n.args):
            return True
    return False


def moves(scope: ast.AST, names: Names) -> list[ast.AST]:
    """The statements that change a parameter: W1 -= ..., W1 = W1 - ..., self.W1 += ..., self.W1 = self.W1 - ..."""
    out: list[ast.AST] = []
    for n in own(scope):
        if isinstance(n, ast.AugAssign) and isinstance(n.op, (ast.Sub, ast.Add)):
            target: ast.expr = n.target
        elif isinstance(n, ast.Assign) and len(n.targets) == 1:
            target = n.targets[0]
            again = ast.unparse(target) in {ast.unparse(x) for x in ast.walk(n.value) if isinstance(x, (ast.Name, ast.Attribute, ast.Subscript))}
            if not again and not isinstance(n.value, (ast.ListComp,)):
                continue
            if isinstance(n.value, ast.ListComp) and not re.search(rf"\b{re.escape(ast.unparse(target))}\b", ast.unparse(n.value)):
                continue
        else:
            continue
        role = role_of(target, names)
        if role and re.fullmatch(r"[Wb](\d+|\*)", role) or role in names.known:
            out.append(n)
    return out


def pairs(tree: ast.AST, names: Names) -> tuple[list[list[str]], set[str]]:
    """The parameters where they are a list of pairs, one a layer, and what holds them: for W, b in params, W, b = net.params[k], (W1, b1), (W2, b2) = params."""
    found: list[list[str]] = []
    holders = set()
    for n in ast.walk(tree):
        once = isinstance(n, ast.Assign)
        target = n.targets[0] if isinstance(n, ast.Assign) else n.target if isinstance(n, (ast.For, ast.comprehension)) else None
        source: ast.expr | None = n.value if isinstance(n, ast.Assign) else n.iter if isinstance(n, (ast.For, ast.comprehension)) else None
        while isinstance(source, ast.Subscript) or isinstance(source, ast.Call) and ast.unparse(source.func) in ("enumerate", "reversed", "list") and source.args:
            once = once and (not isinstance(source, ast.Subscript) or isinstance(source.slice, ast.Constant) and isinstance(source.slice.value, str))
            if isinstance(source, ast.Call) and ast.unparse(source.func) == "enumerate" and isinstance(target, ast.Tuple):
                target = target.elts[-1]
            source = source.value if isinstance(source, ast.Subscript) else source.args[0]
        at = parts_of(source) if isinstance(source, (ast.Name, ast.Attribute)) else None
        if at is None or not isinstance(target, ast.Tuple):
            continue
        if once and all(isinstance(t, ast.Tuple) for t in target.elts) and names.role(str(at[-1]).strip(".")) == "parameters":
            found = [[str(names.role(ast.unparse(e))) for e in t.elts] for t in target.elts if isinstance(t, ast.Tuple)]
        elif once or sorted(letters := [(names.role(ast.unparse(t)) or "")[:1] for t in target.elts]) != ["W", "b"]:
            continue
        else:
            found = found or [[f"{letter}{k}" for letter in letters] for k in range(1, names.depth + 1)]
        holders.add(str(at[-1]))
    return found, holders


def pick(found: Mapping[str, Routine], wanted: tuple[str, ...], names: Names, word: str) -> Routine | None:
    """The routine whose name is the first of the wanted ones; a person's `rename` comes first."""
    for r in found.values():
        if names.rename.get(r.name) == word:
            return r
    by_plain = {plain(r.name): r for r in found.values() if r.name not in names.rename}
    exact = next((by_plain[w] for w in wanted if w in by_plain), None)
    return exact or next((r for p, r in by_plain.items() if any(p.startswith(w) and len(w) > 4 and p[len(w):] in MORE for w in wanted)), None)


MORE = {"batch", "network", "model", "nn", "mlp", "2layer", "twolayer", "step", "pass", "net", "all", "vectorized", "numpy", "np", "s", "1", "2"}


def gradient_at(names: Names, path: Path) -> str:
    """What a path holds, if that is gradients: d:W1, d:W*, grads."""
    role = names.of([p for p in path if p != -1]) or ""
    return role if role == "grads" or role.startswith(("d:W", "d:b")) or role[2:] in names.known else ""


def gradient_labels(routine: Routine, names: Names) -> set[str]:
    """The gradients that a routine returns by name; 'd:*' where it returns a container of them."""
    out = set()
    for path, label in routine.returns.items():
        role = names.of([*[p for p in path[:-1] if isinstance(p, str)], label])
        if role and (role.startswith(("d:W", "d:b")) or role[2:] in names.known):
            out.add(role)
        elif role == "grads" or plain(routine.name) in BACKWARD and any("zeros" in ast.unparse(made) for made in routine.assigned.get(label, ())):
            out.add("d:*")  # also what begins at zero and is handed back by grads()
    return out


def gives_gradients(found: Mapping[str, Routine], names: Names) -> Routine | None:
    """The routine that returns gradients: by its name first, then by the names of what it returns."""
    named = pick(found, BACKWARD, names, "backward")
    if named is not None and (gradient_labels(named, names) or names.rename.get(named.name) == "backward"):
        return named
    returning = [r for r in found.values() if gradient_labels(r, names) and r.name != "__init__" and plain(r.name) not in UPDATE]
    returning.sort(key=lambda r: (-len(gradient_labels(r, names)), r.node.lineno))
    whole = [r for r in returning if "upstream" not in {names.role(p) for p in r.parameters[:1]}]
    return next(iter(whole or returning), named)


def called_for_each(tree: ast.AST, name: str, names: Names) -> bool:
    """Whether the file itself calls a routine once for each example: for x, y in batch: backprop(x, y)."""
    for loop in (n for n in ast.walk(tree) if isinstance(n, ast.For)):
        own_names = bound(loop.target)
        for n in ast.walk(loop):
            if isinstance(n, ast.Call) and (n.func.attr if isinstance(n.func, ast.Attribute) else getattr(n.func, "id", "")) == name:
                given = [a for a in n.args if names.role(ast.unparse(a)) in ("x", "y")]
                if given and all(isinstance(a, ast.Name) and a.id in own_names for a in given):
                    return True
    return False


def is_layer(c: Class, names: Names) -> bool:
    """Whether a class is one layer: its backward takes the gradient from above, and it keeps no list of weights."""
    backward = pick(c.methods, ("backward", "backwardpass", "backprop", "backwardpropagation"), names, "backward")
    forward = pick(c.methods, FORWARD, names, "forward")
    listed = any(-1 in path or isinstance(getattr(n, "value", None), (ast.List, ast.ListComp)) for path, n in c.attributes.items()
                 if (names.of([p for p in path if p != -1]) or "")[:1] == "W")
    if backward is None or forward is None or not backward.parameters or listed or pairs(c.node, names)[0]:
        return False
    return not ({"x", "y"} & {names.role(p) for p in backward.parameters if p != "y" or len(backward.parameters) > 1}) and "y_hat" not in {names.role(p) for p in backward.parameters[1:]}


def per_example(scope: ast.AST, targets: list[ast.AST], names: Names) -> bool:
    """Whether the parameters move once for each example: for x, y in zip(X, Y): ... W -= ..."""
    for loop in (n for n in own(scope) if isinstance(n, ast.For)):
        if any(n is t for n in ast.walk(loop) for t in targets):
            roles = {names.role(n) for n in loaded(loop.iter)}
            if {"x", "y"} & roles and "batch" not in {names.role(n) for n in bound(loop.target)} and "range(0," not in ast.unparse(loop.iter):
                return True
    return False
