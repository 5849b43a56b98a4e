"""Every slip of the table planted into correct code of three interfaces or more: the whole check names it. Correct code of each is right.

The code is what chainrule compiles from the derivation with the slip in it, written as a function, with dictionaries, as a class and as a
script. It runs through the steps of the child in this process: the sandbox has tests of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symbolic import expr as ex
from symbolic.check import judge, sandbox
from symbolic.check.points import Blueprint
from symbolic.check.report import Report
from symbolic.check.sandbox import Outcome
from symbolic.check.session import Options, Session
from symbolic.check.shortnet import network
from symbolic.check.steps import Machine
from symbolic.check.subject import Subject
from symbolic.check.suspects import BACKWARD, Suspect, field_of
from symbolic.derive import derive
from symbolic.network import LayerPlan, Network
from symbolic.numeric import compile
from symbolic.numpycode import typed
from symbolic.numpytree import tree_code
from symbolic.slips import SLIPS
from symbolic.wrong.gathered import swapped
from tests.test_check_why import NETWORKS as OTHERS
from tests.test_check_why import dense

STATES = {n for n, s in SLIPS.items() if s.kind == "state"}
# The compiled code holds sizes of layers as numbers where a loss divides by them, so these do not.
NETWORKS = {**OTHERS, "two": dense([LayerPlan(3, "relu"), LayerPlan(2, "sigmoid")], "half_squared_error"),
            "penalized": dense([LayerPlan(3, "tanh"), LayerPlan(2, "sigmoid")], "squared_error", "l2"),
            "square": replace(dense([LayerPlan(3, "tanh"), LayerPlan(3, "sigmoid")], "squared_error", features=3), resize=False)}
WHERE = {"other-loss": ("labels",)}
ENGINES = {"resent", "assigned", "backward-twice"}


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """The steps of the child without the child."""
    def run(source: bytes, plan: Mapping[str, Any], inputs: Mapping[str, Any], *args: Any, name: str = "student.py", **more: Any) -> Outcome:
        machine = Machine(source, name, dict(inputs), {}, 1 << 24, lambda k: None)
        with numpy.errstate(all="ignore"):
            machine.run(plan["steps"])
        return Outcome("ok", machine.results, tuple(machine.report), complete=True)

    monkeypatch.setattr(sandbox, "run", run)


# ---------------------------------------------------------------- code as people lay it out

def body(source: str) -> tuple[str, list[str], list[str], str]:
    """What stands above a compiled function, what it takes, its lines, and what it returns."""
    above, _, rest = source.partition("def loss_and_gradients")
    head, *lines = rest.strip().splitlines()
    return above, head[head.index("(") + 1:head.rindex(")")].split(", "), [s.strip() for s in lines[:-1]], lines[-1].split("return ")[1]


def indented(lines: list[str], by: int = 4) -> str:
    return "\n".join(" " * by + s for s in lines)


def function(takes: list[str], lines: list[str], gives: str, moved: list[str]) -> str:
    return f"def gradients({', '.join(takes)}):\n{indented(lines)}\n    return {gives}\n"


def dictionaries(takes: list[str], lines: list[str], gives: str, moved: list[str]) -> str:
    data = [t for t in takes if t not in moved]
    out = ", ".join(f"'d{n}': d{n}" for n in moved)
    return f"def backward({', '.join(['parameters', *data])}):\n{indented([f'{n} = parameters[{n!r}]' for n in moved] + lines)}\n    return {{{out}}}\n"


def instance(takes: list[str], lines: list[str], gives: str, moved: list[str]) -> str:
    data = [t for t in takes if t not in moved]
    out = ", ".join(f"'d{n}': d{n}" for n in moved)
    return (f"class Net:\n    def __init__(self):\n{indented([f'self.{n} = None' for n in moved], 8)}\n\n    def backward({', '.join(['self', *data])}):\n"
            f"{indented([f'{n} = self.{n}' for n in moved] + lines, 8)}\n        return {{{out}}}\n")


def script(takes: list[str], lines: list[str], gives: str, moved: list[str]) -> str:
    start = [f"{t} = {'0.1' if t.startswith('lam') else 'np.zeros(1)'}" for t in takes]
    return "\n".join(start) + f"\nfor step in range(1000):\n{indented(lines + [f'{n} = {n} - 0.1 * d{n}' for n in moved])}\n"


INTERFACES = {"function": function, "dictionaries": dictionaries, "class": instance, "script": script}


def written(interface: str, net: Network, suspect: Suspect | None = None, other: Network | None = None) -> str:
    """A file of an interface, with a slip on the way back, or for another forward pass."""
    source = compile(other or net, suspect.derivation if suspect else None, backend="numpy").source
    above, takes, lines, gives = body(source)
    moved = [n for n in net.names("parameter") or net.names("input") if f"d{n}" in gives.split(", ")]
    for name, tree in (suspect.changed.handed if suspect else {}).items():
        for grad in {n for n in ex.walk(tree) if n.op == "grad"}:
            tree = swapped(tree, grad, ex.sym(f"d{str(grad.data[1]).upper() if str(grad.data[1])[0] in 'za' and net.layers else grad.data[1]}", grad.shape))
        code = typed(tree_code(tree))
        lines = [*lines, f"d{name} = " + (f"0 * d{name}" if code == "0" else code)]
    if suspect and suspect.changed.handed and any("n" in s.split(" = ")[-1] for s in lines) and not any(s.startswith("n = ") for s in lines):
        lines = ["n = X.shape[0]", *lines]
    return "import numpy as np\n" + above + INTERFACES[interface](takes, lines, gives, moved)


@cache
def session(name: str) -> Session:
    return Session(Subject(name, NETWORKS[name]), Options(seed=3, mend=False, pairs=False))


def checked(name: str, text: str, folder: Path) -> Report:
    path = folder / "student.py"
    path.write_text(text)
    return session(name).check(path)


def compiled(net: Network, suspect: Suspect) -> str | None:
    """A planted file as a function; None where the slip cannot be written as NumPy."""
    try:
        return written("function", net, suspect)
    except Exception:  # noqa: BLE001 - a tree with a node that has no NumPy, or wrong shapes
        return None


def planted(slip: str) -> Iterator[tuple[str, Suspect]]:
    """Where a slip can be made, in the networks of the tests."""
    for name, blueprint in NETWORKS.items():
        found = [s for s in field_of(blueprint.network).suspects if s.slip.name == slip and name in WHERE.get(slip, NETWORKS)]
        for suspect in sorted(found, key=lambda s: s.changed.places.get("v") not in blueprint.network.names("parameter")):
            if compiled(blueprint.network, suspect) is not None:
                yield name, suspect


@pytest.mark.parametrize("slip", sorted(n for n, s in SLIPS.items() if s.kind in BACKWARD and n not in STATES | ENGINES))
def test_every_slip_is_named_in_every_interface(slip: str, tmp_path: Path) -> None:
    for name, suspect in planted(slip):
        report = checked(name, written("function", NETWORKS[name].network, suspect), tmp_path)
        if report.status != "wrong" and not any(r.verdict.verdict == "SCALE" for r in report.rows):
            continue  # it changes nothing that is asked for there, or does not run
        found = {i: checked(name, written(i, NETWORKS[name].network, suspect), tmp_path) for i in INTERFACES}
        for interface, report in found.items():
            named = {r.slip for both in report.causes for r in both}
            assert slip in named or len(report.causes) == 8, (interface, written(interface, NETWORKS[name].network, suspect), report.text())
            assert all(len(both) == 1 for both in report.causes)
        return
    raise AssertionError(f"{slip} shows nowhere")


@pytest.mark.parametrize("interface", INTERFACES)
@pytest.mark.parametrize("name", NETWORKS)
def test_correct_code_is_right_in_every_interface(name: str, interface: str, tmp_path: Path) -> None:
    report = checked(name, written(interface, NETWORKS[name].network), tmp_path)
    assert (report.status, report.causes) == ("right", ()), written(interface, NETWORKS[name].network) + report.text()
