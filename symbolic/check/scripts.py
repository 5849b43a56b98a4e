"""Flat scripts, and functions that train with gradients only in local variables.

Where the file assigns its data and its first weights, ours are put in; the loop of training runs once; nothing else changes. What
the module (or the function, at its return) then holds is sent back.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from ..errors import SpecError
from .calls import Script, Supply
from .frameworks import used
from .layouts import role_of
from .names import Names
from .rewriting import GIVEN, one_pass
from .routines import TRAIN, UPDATE, Routine, moves, own, per_example, pick, routines, stores
from .setting import Interface, Needs, Setting, fixed_rate
from .ways import Calls

OURS = re.compile(r"[Wb](\d+|\*)|x|y|parameters|lr|epochs|reg|n_in|n_out|n_hidden|sizes|batch|m")
PLAIN = {"lr", "epochs", "reg", "n_in", "n_out", "n_hidden", "sizes", "batch"}  # settings: only a plain number or list is replaced


def injected(scope: ast.AST, names: Names, *, data: bool) -> tuple[list[tuple[ast.AST, str]], dict[str, str]]:
    """Edits that put our values where a scope first assigns its own, and the keys they read: role of each.

    data: also inputs and targets (a function is given those).
    """
    edits: list[tuple[ast.AST, str]] = []
    used: dict[str, str] = {}

    def put(role: str) -> str:
        key = role.replace("*", "_all")
        used[key] = role
        return f"{GIVEN}['{key}']"

    changed = {id(m) for m in moves(scope, names)}
    for n in outside_loops(scope):
        if not isinstance(n, ast.Assign) or id(n) in changed or len(n.targets) != 1:
            continue
        target = n.targets[0]
        if isinstance(target, (ast.Tuple, ast.List)):
            roles = [_ours(t, names, None) for t in target.elts]
            if any(roles) and all(r is None or data or r not in ("x", "y") for r in roles) and not (isinstance(n.value, ast.Name) and names.role(n.value.id) == "parameters"):
                alone = [v if r is None else None for r, v in zip(roles, n.value.elts, strict=False)] if isinstance(n.value, ast.Tuple) else [None] * len(roles)
                items = [put(r) if r else ast.unparse(v) if v is not None else "None" for r, v in zip(roles, alone, strict=True)]
                edits.append((n.value, f"({', '.join(items)},)"))
        else:
            role = _ours(target, names, n.value)
            if role and (data or role not in ("x", "y")):
                collects = ".requires_grad_()" if re.search(r"requires_grad\s*=\s*True|Parameter\(", ast.unparse(n.value)) else ""  # of torch
                edits.append((n.value, put(role) + collects))
    return edits, used


def _ours(target: ast.expr, names: Names, value: ast.expr | None) -> str | None:
    """The role of what is assigned, if it is one that we give: a weight, the data, a setting that stands there as a number."""
    role = role_of(target, names)
    if role is None or not OURS.fullmatch(role) and role not in names.known:
        return None
    if role == "m" or role in PLAIN and (value is None or not isinstance(value, (ast.Constant, ast.List, ast.Tuple))):
        return None
    if role.endswith("*") and isinstance(value, (ast.List, ast.Dict)) and not getattr(value, "elts", getattr(value, "keys", None)):
        return role
    if isinstance(target, ast.Attribute):
        return None
    return role


def outside_loops(scope: ast.AST) -> Iterator[ast.AST]:
    """Statements of a scope that no loop or function holds."""
    for child in ast.iter_child_nodes(scope):
        if not isinstance(child, (ast.For, ast.While, ast.FunctionDef, ast.ClassDef, ast.Lambda)):
            yield child
            yield from outside_loops(child)


@dataclass
class Rewritten(Calls):
    """A script, or a function called once, with our values in place of its own."""

    scope: ast.AST | None = None
    routine: Routine | None = None
    keys: dict[str, str] = field(default_factory=dict)
    interesting: tuple[str, ...] = ()
    collected: tuple[str, ...] = ()  # tensors that hold their gradients themselves

    def scopes(self) -> list[ast.AST]:
        """The script or the function."""
        assert self.scope is not None
        return [self.scope]

    def load(self, script: Script) -> None:
        """Nothing once: the file is loaded at each point."""

    def point(self, script: Script, supply: Supply) -> None:
        """Load with our values, call the function if it is one, send back what it holds."""
        self._keep(supply)
        given = {}
        for key, role in self.keys.items():
            given[key] = True if role == "pass" else self._value(role, supply, key)
        roots = [self.routine.name] if self.routine else list(self.interesting)
        script.add("load", **self.loading(roots, edits=self.edits, without=[GIVEN]), names={GIVEN: {"dict": given}})
        if self.routine is None:
            for name in self.interesting:
                script.add("gather", value={"saved": f"file.{name}"}, optional=True, **{"as": f"{supply.key}/file.{name}"})
            for name in self.collected:
                script.add("get", value={"saved": f"file.{name}.grad"}, optional=True, **{"as": f"{supply.key}/file.d{name}"})
            return
        self._call(script, supply, "file", self.routine, "backward", watch=self.interesting)


def _interesting(scope: ast.AST, names: Names, extra: Sequence[str] = ()) -> tuple[str, ...]:
    """The names of a scope that say something: gradients, parameters, values, the loss."""
    found = dict.fromkeys(str(path[0]) for path, _ in stores(scope))
    found.update(dict.fromkeys(extra))
    counted = {n.id for loop in ast.walk(scope) if isinstance(loop, ast.For) for n in ast.walk(loop.target) if isinstance(n, ast.Name)}
    over, out = _written_over(scope), []
    for name in found:
        role = names.role(name) if name not in counted else None
        if role and name in over and (role == "y_hat" or role[0] in "za"):
            continue
        if role and (re.fullmatch(r"(d:)?[Wbza](\d+|\*)", role) or role in ("y_hat", "loss", "grads", "parameters") or role.removeprefix("d:") in names.known):
            out.append(name)
    return tuple(out)


def _written_over(scope: ast.AST) -> set[str]:
    """Values whose entries become a gradient in place: dscores = probs; dscores[range(m), y] -= 1."""
    changed = {n.target.value.id for n in ast.walk(scope) if isinstance(n, ast.AugAssign) and isinstance(n.op, ast.Sub) and isinstance(n.target, ast.Subscript)
               and isinstance(n.target.value, ast.Name)}
    same = {n.value.id: t.id for n in ast.walk(scope) if isinstance(n, ast.Assign) and isinstance(n.value, ast.Name) for t in n.targets if isinstance(t, ast.Name)}
    return {source for source, name in same.items() if name in changed} | changed


def _passing(scope: ast.AST, names: Names) -> set[str]:
    """Roles of all layers that a name takes for one layer after another: dW = ..., in a loop that goes on to use it."""
    kept = (ast.List, ast.ListComp, ast.Dict, ast.DictComp)
    return {role for n in own(scope) if isinstance(n, ast.Assign) and not any(isinstance(e, kept) for e in ast.walk(n.value))
            for t in n.targets if isinstance(t, ast.Name) and (role := names.role(t.id)) and re.fullmatch(r"d:[Wb]\*", role)}


def _finished(way: Rewritten, names: Names, rewritten: ast.AST) -> Interface | None:
    """The way with the source of its gradients: locals that bear their names, else what the update changed."""
    here = way.here
    wanted = set(here.network.names("parameter")) if here.network.plain_stack else set()
    roles = {names.role(n) for n in way.interesting} | {names.of([p for p in path if p != -1]) for path, _ in stores(rewritten)}
    named = {r[2:] for r in roles if r and r.startswith("d:")} - {r[2:] for r in _passing(rewritten, names)}
    have = {w for w in wanted if w in named or f"{w[0]}*" in named} | {k for k in names.known if k in named}
    moving = moves(rewritten, names)
    rising = [n for n in moving if _adds(n)]
    complete = have >= wanted if wanted else bool(have) or "grads" in roles
    way.needs = Needs(own_sizes=True)
    if here.adapter.recover_from_update or moving and (rising or not complete):
        if not moving:
            return None
        way.update, way.order = True, ()
        way.rate = fixed_rate([Routine("", rewritten)], here)  # type: ignore[arg-type]
    elif not have and "grads" not in roles:
        return None
    else:
        way.order = ("seen", "file", "backward")
    if per_example(rewritten, moving, names):
        way.needs = replace(way.needs, one_example=True)
    return way


def _adds(n: ast.AST) -> bool:
    """Whether an update adds: W += ..., W = W + ...; W += -rate * dW takes off."""
    if isinstance(n, ast.AugAssign):
        return isinstance(n.op, ast.Add) and not ast.unparse(n.value).startswith("-")
    return isinstance(n, ast.Assign) and isinstance(n.value, ast.BinOp) and isinstance(n.value.op, ast.Add) and not ast.unparse(n.value.right).startswith("-")


def trainers(here: Setting) -> Interface | None:
    """a function that trains, with gradients in local variables"""
    found = {r.name: r for r in routines(here.code.tree)}
    names = here.names
    if here.adapter.script:
        return None
    routine = pick(found, TRAIN, names, "train") or pick(found, UPDATE, names, "update")
    candidates = [r for r in ([routine] if routine else []) + list(found.values()) if r.name == here.adapter.locals or not here.adapter.locals]
    for r in candidates:
        targets = moves(r.node, names)
        roles = {names.of([p for p in path if p != -1]) for path, _ in stores(r.node)}
        if not any(role and re.match(r"d:[Wb]", role) for role in roles) and not targets:
            continue
        if {"grads"} & {names.role(p) for p in r.parameters} or any((role := names.role(p)) and role.startswith("d:") for p in r.parameters):
            continue  # only applies gradients that it is given
        way = Rewritten(here, here.layouts(), scope=r.node, routine=r)
        edits, way.keys = injected(r.node, names, data=not any(names.role(p) == "x" for p in r.parameters))
        gradients_at = [n for path, n in stores(r.node) if (role := names.of([p for p in path if p != -1])) and role.startswith("d:")]
        way.edits = [*edits, *one_pass(r.node, targets or gradients_at)]
        _give_a_pass(way)
        way.interesting = _interesting(r.node, names, r.parameters)
        way.spoken = f"function {r.name}(), its local variables"
        if (done := _finished(way, names, r.node)) is not None:
            return done
    return None


def _torch(way: Rewritten, tree: ast.Module) -> list[ast.AST]:
    """The calls of backward() in a script whose tensors collect their gradients; what empties those is left out of the one pass."""
    names = way.here.names
    sent = [n for n in ast.walk(tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute) and n.func.attr == "backward"]
    if used(tree) != "torch" or not sent:
        return []
    for n in ast.walk(tree):
        match n:
            case ast.Expr(ast.Call(ast.Attribute(attr="zero_grad" | "zero_"))):
                way.edits.append((n.value, "None"))
            case ast.Assign([ast.Attribute(attr="grad") as target], ast.Constant(None)):
                way.edits.append((n.value, ast.unparse(target)))
    way.collected = tuple(str(path[0]) for path, _ in stores(tree) if len(path) == 1 and (role := names.role(str(path[0]))) and re.fullmatch(r"[Wb]\d+", role))
    return list(sent)


def _give_a_pass(way: Rewritten) -> None:
    if any(".pop('pass'" in new for _, new in way.edits):
        way.keys["pass"] = "pass"


def scripts(here: Setting) -> Interface | None:
    """a flat script"""
    names, tree = here.names, here.code.tree
    if here.adapter.locals:
        return None
    way = Rewritten(here, here.layouts(), scope=tree)
    edits, way.keys = injected(tree, names, data=True)
    if not edits:
        return None
    targets = moves(tree, names)
    gradients_at = [n for path, n in stores(tree) if (role := names.of([p for p in path if p != -1])) and role.startswith("d:")]
    way.edits = list(edits)
    sent = _torch(way, tree)
    way.edits += one_pass(tree, sent or targets or gradients_at)
    _give_a_pass(way)
    way.interesting = _interesting(tree, names)
    way.spoken = "a flat script; our data and weights stand in place of its own"
    if sent and not any(isinstance(m, ast.Assign) for m in targets):  # W1 = W1 - ... leaves the tensor that holds the gradient
        way.order, way.needs = ("file",), Needs(own_sizes=True)
        done: Interface | None = way
    else:
        done = _finished(way, names, tree)
    if done is None:
        return None
    missing = [n for n in here.network.names("parameter") if n not in set(way.keys.values()) and f"{n[0]}*" not in way.keys.values() and "parameters" not in way.keys.values()] \
        if here.network.plain_stack else []
    missing = [m for m in missing if not (m[0] == "b" and way.layouts[0].bias in ("first", "last"))]
    if missing:
        raise SpecError(f"the script assigns no {missing[0]} outside its loop", where=here.code.where(1),
                        hint=f"say what it calls it in the spec, as in check: {{rename: {{its_name: {missing[0]}}}}}")
    return done

