"""What every way of calling a file shares: the file with its vocabulary, what it needs, how its numbers are labelled."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..network import Network
from . import helpers
from .adapter import Adapter
from .calls import Script, Supply
from .layouts import Layout, candidates, products, role_of
from .names import Names
from .reading import Code
from .rewriting import bound, edited, kept
from .routines import Path, Routine, moves, own, stores


@dataclass(frozen=True)
class Setting:
    """A student's file, the network of the spec, and what names mean."""

    code: Code
    network: Network
    names: Names
    adapter: Adapter

    def layouts(self, *, settled: bool = True) -> list[Layout]:
        """The layouts to try."""
        network = self.network
        if not network.plain_stack:
            return [Layout(as_is=True), Layout(as_is=True, vectors=True)]
        outputs = int(network.layers[-1].units)
        has_bias = any(n.startswith("b") for n in network.names("parameter"))
        out = candidates(self.code.tree, self.names, has_bias=has_bias, outputs=outputs, given=self.adapter.layout)
        alone = all(not network.symbols[n].shape for n in network.names("parameter"))
        if len(network.layers) == 1 == outputs:  # w as (features,), b a number
            out.append(Layout(numbers=True))
        if alone:  # one weight, one bias: perhaps plain numbers
            out = sorted([*out, Layout(numbers=True)], key=lambda o: not o.numbers or _multiplies(self.code.tree))
        return out

    def where(self, node: ast.AST) -> str:
        """File and line of a node."""
        return self.code.where(getattr(node, "lineno", 1))


def _multiplies(tree: ast.AST) -> bool:
    return next(products(tree), None) is not None


@dataclass(frozen=True)
class Needs:
    """What the points must be like: one example, targets that are classes, the sizes of the spec (which may stand in the file as numbers)."""

    one_example: bool = False
    classes: bool = False
    own_sizes: bool = False


@dataclass
class Interface:
    """A way to get gradients out of a file. Subclasses write the steps of one point.

    order: the tags whose numbers are looked at for gradients, the surest first. rate: the learning rate by which old minus new is divided.
    each: the file takes one example at a time. update: gradients are old minus new parameters.
    """

    here: Setting
    layouts: list[Layout] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    needs: Needs = Needs()
    preload: tuple[str, ...] = ()
    order: tuple[str, ...] = ("backward", "net", "seen", "file")
    labels: dict[str, dict[Path, str]] = field(default_factory=dict)
    rate: float = 1.0
    each: bool = False
    update: bool = False
    spoken: str = ""
    tensors: str = ""
    asks_above = False  # whether our gradient enters at the top

    def load(self, script: Script) -> None:
        """The steps that come once."""

    def point(self, script: Script, supply: Supply) -> None:
        """The steps of one point in one layout; numbers go under ``supply.key/tag``."""
        raise NotImplementedError

    def scopes(self) -> list[ast.AST]:
        """Where gradients are assigned, for their lines."""
        return [self.here.code.tree, *(n for n in ast.walk(self.here.code.tree) if isinstance(n, ast.FunctionDef))]

    def lines(self) -> dict[str, int]:
        """The line in which each gradient gets its last value."""
        out: dict[str, int] = {}
        names = self.here.names
        for scope in self.scopes():
            if self.update:
                for n in moves(scope, names):
                    role = role_of(n.target if isinstance(n, ast.AugAssign) else n.targets[0], names)  # type: ignore[attr-defined]
                    out[str(role)] = n.lineno  # type: ignore[attr-defined]
            else:
                for path, node in stores(scope):
                    role = names.of([p for p in path if p != -1])
                    if role and role.startswith("d:"):
                        out[role[2:]] = node.lineno  # type: ignore[attr-defined]
                for n in own(scope):
                    if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute) and n.func.attr in ("append", "insert"):
                        role = role_of(n.func.value, names) or ""
                        out.update({letter: n.lineno for letter in ("W*", "b*") if role in ("grads", f"d:{letter}")})
                    for key in n.keys if isinstance(n, ast.Dict) else []:
                        role = names.role(key.value) if isinstance(key, ast.Constant) and isinstance(key.value, str) else None
                        if role and role.startswith("d:"):
                            out.setdefault(role[2:], key.lineno)  # type: ignore[union-attr]
        return out

    # ------------------------------------------------------------ the file as it is loaded

    def loading(self, roots: Iterable[str], *, edits: Sequence[tuple[ast.AST, str]] = (), without: Iterable[str] = (), whole: bool = False) -> Mapping[str, Any]:
        """The fields of a load step: what is needed of the file, and helpers that it lacks."""
        code = self.here.code
        text = edited(code.text, edits) if edits else code.text
        tree = ast.parse(text) if edits else code.tree
        first = kept(text, tree, roots, without=without)
        elsewhere = {n for s in tree.body if isinstance(s, (ast.Import, ast.ImportFrom)) for n in bound(s) if helpers.known(n) and n not in helpers.IMPORTS}
        part = kept(text, tree, roots, without=without, supplied=elsewhere)
        axis = -1 if self.layouts and self.layouts[0].rows else 0
        supplied = helpers.source({*part.missing, *first.missing}, axis)
        for note in supplied.notes:
            if note not in self.notes:
                self.notes.append(note)
        return {"source": part.text, "before": supplied.text} if supplied.text else {"source": part.text}


def fixed_rate(moving: list[Routine], here: Setting) -> float:
    """The learning rate that stands in the update as a number, 1 where it has a name or there is none."""
    given = here.adapter.recover_from_update
    if not isinstance(given, bool):
        return float(given)
    for r in moving:
        for n in moves(r.node, here.names):
            value = n.value  # type: ignore[attr-defined]
            rates = [c.value for c in ast.walk(value) if isinstance(c, ast.Constant) and isinstance(c.value, float)]
            if len(rates) == 1 and not any(here.names.role(x.id if isinstance(x, ast.Name) else x.attr) == "lr" for x in ast.walk(value) if isinstance(x, (ast.Name, ast.Attribute))):
                return float(rates[0])
    return 1.0
