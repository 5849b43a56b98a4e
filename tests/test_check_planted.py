"""Every slip of the table planted into correct code of three interfaces or more: the whole check names it. Correct code of each is right.

The code is what chainrule compiles from the derivation with the slip in it, written as a function, with dictionaries, as a class and as a
script. It runs through the steps of the child in this process: the sandbox has tests of its own.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import MagicMock

import numpy
import pytest
from hypothesis import given, settings, strategies as st

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
from symbolic.network import LayerPlan, Network
from symbolic.numeric import compile
from symbolic.numpycode import typed
from symbolic.numpytree import tree_code
from symbolic.slips import SLIPS
from symbolic.wrong.gathered import swapped
from tests.test_check_why import NETWORKS as OTHERS, dense

STATES = {n for n, s in SLIPS.items() if s.kind == "state"}
# The compiled code holds sizes of layers as numbers where a loss divides by them, so these do not.
NETWORKS = {**OTHERS, "two": dense([LayerPlan(3, "relu"), LayerPlan(2, "sigmoid")], "half_squared_error"),
            "penalized": dense([LayerPlan(3, "tanh"), LayerPlan(2, "sigmoid")], "squared_error", "l2"),
            "square": replace(dense([LayerPlan(3, "tanh"), LayerPlan(3, "sigmoid")], "squared_error", features=3), resize=False)}
NO_UPDATE = {"transposed", "untransposed"}  # of another shape, which a script that updates cannot subtract
WHERE = {"other-loss": ("labels",), "upstream-ignored": ("labels",)}
ENGINES = ("resent", "assigned", "backward-twice")


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """The steps of the child without the child."""
    def run(source: bytes, plan: Mapping[str, Any], inputs: Mapping[str, Any], *args: Any, name: str = "student.py", **more: Any) -> Outcome:
        machine = Machine(source, name, dict(inputs), {}, 1 << 24, lambda k: None)
        with numpy.errstate(all="ignore"):
            machine.run(plan["steps"])
        return Outcome("ok", machine.results, tuple(machine.report), complete=True)

    monkeypatch.setattr(sandbox, "run", run)
    for name in ("matplotlib", "matplotlib.pyplot"):  # the child stands in for what only draws
        monkeypatch.setitem(sys.modules, name, MagicMock())


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
    out = ", ".join([f"'loss': {gives.split(', ')[0]}", *(f"'d{n}': d{n}" for n in moved)])
    return f"def backward({', '.join(['parameters', *data])}):\n{indented([f'{n} = parameters[{n!r}]' for n in moved] + lines)}\n    return {{{out}}}\n"


def instance(takes: list[str], lines: list[str], gives: str, moved: list[str]) -> str:
    data = [t for t in takes if t not in moved]
    out = ", ".join(f"'d{n}': d{n}" for n in moved)
    lines = [*lines, f"self.loss = {gives.split(', ')[0]}"]
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


def three(slip: str) -> list[str]:
    """Three interfaces, others for the next slip of the table."""
    names, at = list(INTERFACES), list(SLIPS).index(slip)
    return [names[(at + k) % len(names)] for k in range(3)]


def assert_named(slip: str, name: str, texts: Mapping[str, str], folder: Path) -> None:
    """The slip is among the causes in every interface, alone."""
    for interface, text in texts.items():
        report = checked(name, text, folder)
        named = {r.slip for both in report.causes for r in both}
        assert slip in named or len(report.causes) == 8, (interface, text, report.text())
        assert all(len(both) == 1 for both in report.causes)
        assert report.status == "wrong" or all(r.verdict.verdict == "SCALE" for r in report.rows)


@pytest.mark.parametrize("slip", BACKWARDS := sorted(n for n, s in SLIPS.items() if s.kind in BACKWARD and n not in STATES | {"one-example"}))
def test_every_slip_is_named_in_three_interfaces(slip: str, tmp_path: Path) -> None:
    interfaces = ["function", "dictionaries", "class"] if slip in NO_UPDATE else three(slip)
    for name, suspect in planted(slip):
        net = NETWORKS[name].network
        report = checked(name, written(interfaces[0], net, suspect), tmp_path)
        if report.status == "wrong" or any(r.verdict.verdict == "SCALE" for r in report.rows):  # else it changes nothing that is asked for there, or does not run
            assert_named(slip, name, {i: written(i, net, suspect) for i in interfaces}, tmp_path)
            return
    raise AssertionError(f"{slip} shows nowhere")


LOST = {"one-example": ("dA2 = ", "dA2 = dA2 * (np.arange(n) == n - 1)[:, None]"),
        "batch-cached": ("n = ", "KEPT.setdefault('n', n)", "n = KEPT['n']"),
        "updated-first": ("db2 = ", "W2 = W2 - dW2"),
        "not-reset": ("db1 = ", "dW2, db2, dW1, db1 = (KEPT.setdefault((k, v.shape), []).append(v) or sum(KEPT[k, v.shape]) for k, v in enumerate((dW2, db2, dW1, db1)))")}


@pytest.mark.parametrize("slip", LOST)
def test_what_is_left_from_before_is_named(slip: str, tmp_path: Path) -> None:
    """Slips of several calls, and the last example alone: as lines of the code, in the interfaces that keep anything."""
    start, *more = LOST[slip]
    texts = {}
    for interface in ("function", "dictionaries", "class"):
        lines = written(interface, NETWORKS["two"].network).splitlines()
        (at,) = (k for k, s in enumerate(lines) if s.strip().startswith(start))
        indent = " " * (len(lines[at]) - len(lines[at].lstrip()))
        texts[interface] = "KEPT = {}\n" + "\n".join([*lines[:at + 1], *(indent + s for s in more), *lines[at + 1:]]) + "\n"
    if slip == "not-reset":
        for text in texts.values():
            report = checked("two", text, tmp_path)
            assert any("were added" in w for w in report.warnings) or slip in {r.slip for both in report.causes for r in both}, report.text()
        return
    assert_named(slip, "two", texts, tmp_path)


def test_every_slip_that_shows_in_code_is_planted() -> None:
    """Updates and optimizers are judged by their steps (test_check_update.py); engines and forward passes stand below."""
    assert set(SLIPS) == set(BACKWARDS) | set(LOST) | set(FORWARD) | {n for n, s in SLIPS.items() if s.kind in ("update", "optimizer")}


TOLD = {  # mistakes that leave no wrong numbers to be explained: what is changed, and what the report says instead of a cause
    "gradients an example": (r"dW2 = A1\.T @ dZ2", "dW2 = A1[:, :, None] * dZ2[:, None, :]", "SHAPE one gradient an example"),
    "two names for one array": (r"^( *)(db1 = .*)$", r"\1\2\n\1X[X < 0] = 0", "changes its inputs in place: X"),
    "a misspelt name": (r"^( *)dW1 = (.*)$", r"\1dW1 = 0 * W1\n\1dw_1 = \2", "ZERO never computed, or stored under another name")}


@pytest.mark.parametrize("mistake", TOLD)
def test_mistakes_that_are_no_wrong_formula_are_told(mistake: str, tmp_path: Path) -> None:
    """In three interfaces, by a verdict or a note."""
    pattern, by, says = TOLD[mistake]
    for interface in ("function", "dictionaries", "class"):
        text = re.sub(pattern, by, written(interface, NETWORKS["two"].network), flags=re.MULTILINE)
        report = checked("two", text, tmp_path)
        told = " ".join([report.text(), *report.notes]).replace("\n", " ")
        verdict, _, sentence = says.partition(" ") if says.split(" ")[0].isupper() else ("", "", says)
        assert sentence in told and (not verdict or verdict in {r.verdict.verdict for r in report.rows}), text + report.text()


def test_a_bias_without_a_gradient_is_missing(tmp_path: Path) -> None:
    for interface in ("function", "dictionaries", "class"):
        text = written(interface, NETWORKS["two"].network).replace("return L, dW1, db1,", "return L, dW1,").replace("'db1': db1, ", "")
        report = checked("two", text, tmp_path)
        assert [r.verdict.name for r in report.rows if r.verdict.verdict == "MISSING"] == ["b1"], text + report.text()


# What is written of mistakes in course notes, threads and textbooks, and what names each: rows of the catalogue, all planted in three interfaces or more.
PUBLISHED: dict[str, str] = {
    "no 1/m": "mean-forgotten", "1/m twice": "mean-twice", "factor 2 or 1/2": "factor-doubled factor-halved", "mean over m and K": "mean-forgotten mean-twice",
    "loss without its 1/n": "mean-forgotten", "mean for a bias": "bias-mean mean-on-some", "bias not summed": "bias-unsummed bias-axis", "bias missing": "not-stored",
    "first batch's size": "batch-cached", "clipped inside": "clipped", "a - y with a sigmoid and MSE": "output-slope other-loss", "slope with cross-entropy": "other-loss",
    "output slope twice": "slope-twice", "diagonal of a softmax": "diagonal", "softmax over the batch": "softmax-flattened", "loss of another output": "other-loss",
    "true class only": "other-loss", "log forgotten": "log-forgotten", "epsilon in the log": "log-epsilon", "sign": "sign uphill step-backwards", "n by n": "all-pairs",
    "error clipped": "error-clipped", "raw error": "raw-error", "dA for dZ": "raw-error hidden-slope", "no hidden slope": "hidden-slope",
    "slope of another function": "slope-of-another", "slope at the wrong place": "slope-elsewhere", "slope of another layer": "slope-of-layer",
    "function for its slope": "function-for-slope", "wrong mask": "mask-of-gradient slope-of-layer", "inner derivative": "chain-broken own-factor exponent-left exponent-kept",
    "upside down": "slope-inverted", "* for @": "elementwise", "transposes and order": "untransposed transposed factors-swapped", "inverse": "inverse",
    "wrong index": "wrong-input wrong-error operand", "not carried through time": "not-carried", "statistics as constants": "statistics-constant", "dropout": "mask-forgotten",
    "kernels and pools": "kernel-turned kernel-flipped pool-spread", "updated first": "updated-first", "sent again": "resent", "= for +=": "assigned overwritten path-forgotten",
    "not set back": "not-reset backward-twice", "upstream ignored": "upstream-ignored", "L2": "penalty-forgotten penalty-scaled penalty-sign penalty-on-bias",
    "optimizers": " ".join(n for n, s in SLIPS.items() if s.kind == "optimizer")}


def test_every_published_mistake_is_a_row_that_is_planted() -> None:
    named = {n for slips in PUBLISHED.values() for n in slips.split()}
    assert named <= set(SLIPS)
    extra = set(SLIPS) - named
    assert extra == {"slope-incomplete", "other-leak", "quotient-sign", "one-example", "term-left-out", "not-applied", "no-rate", "bias-fixed", "one-by-one"}, extra


# ---------------------------------------------------------------- the forward pass

FORWARD = sorted(n for n, s in SLIPS.items() if s.kind == "forward")


@pytest.mark.parametrize("slip", FORWARD)
def test_a_slip_on_the_way_forward_is_said_before_any_gradient(slip: str, tmp_path: Path) -> None:
    for name in ("square", "labels", "image"):
        net = NETWORKS[name].network
        for changed in SLIPS[slip].change(net):
            other = changed.on(net)
            reports = [checked(name, written(i, net, other=other), tmp_path) for i in INTERFACES]
            assert all(r.status == "wrong" and r.forward and "agree" not in r.forward[0] for r in reports), (slip, changed.places)
            if all(any(SLIPS[slip].said(changed)[1:] in said for said in r.equals) for r in reports):
                return
    raise AssertionError(f"{slip} is not named")


# ---------------------------------------------------------------- scalar engines

ENGINE = """
class {name}:
    made = []
    def __init__(self, {value}, children=()):
        self.{value}, self.{grad}, self.children = {value}, 0.0, list(children)
        {name}.made.append(self)
    def __add__(self, other):
        other = other if isinstance(other, {name}) else {name}(other)
        return {name}(self.{value} + other.{value}, [(self, 1.0), (other, 1.0)])
    def __mul__(self, other):
        other = other if isinstance(other, {name}) else {name}(other)
        return {name}(self.{value} * other.{value}, [(self, other.{value}), (other, self.{value})])
    def backward(self):
{backward}
"""
ORDERED = """        order, seen = [], set()
        def visit(v):
            if id(v) not in seen:
                seen.add(id(v))
                for u, _ in v.children: visit(u)
                order.append(v)
        visit(self)
        self.{grad} = 1.0
        for v in reversed(order):
            for u, slope in v.children: u.{grad} += slope * v.{grad}"""
RECURSIVE = """        self.{grad} = 1.0
        def send(v, g):
            for u, slope in v.children:
                u.{grad} += slope * g
                send(u, slope * g)
        send(self, 1.0)"""
WAVES = """        self.{grad}, wave = 1.0, [(self, 1.0)]
        while wave:
            v, g = wave.pop(0)
            for u, slope in v.children:
                u.{grad} += slope * g
                wave.append((u, slope * g))"""
TAPE = """        self.{grad} = 1.0
        for v in reversed(type(self).made):
            for u, slope in v.children: u.{grad} += slope * v.{grad}"""
STYLES = {"tape": ("Node", "v", "g", TAPE), "ordered": ("Value", "data", "grad", ORDERED), "recursive": ("Scalar", "num", "gradient", RECURSIVE), "in waves": ("Var", "value", "adjoint", WAVES)}


def engine(style: str, slip: str = "") -> str:
    name, value, grad, backward = STYLES[style]
    if slip == "resent":
        backward = {ORDERED: RECURSIVE, TAPE: WAVES}.get(backward, backward).replace("send(u, slope * g)", "send(u, u.{grad})").replace("wave.append((u, slope * g))", "wave.append((u, u.{grad}))")
    if slip == "assigned":
        backward = backward.replace(" += slope", " = slope")
    if slip == "backward-twice":
        backward += "\n" + backward
    return ENGINE.format(name=name, value=value, grad=grad, backward=backward.format(grad=grad))


@pytest.mark.parametrize(("style", "slip"), [(style, slip) for style in STYLES for slip in ("", *ENGINES) if (style, slip) != ("recursive", "assigned")])
def test_slips_of_an_engine_are_named_in_every_style(style: str, slip: str, tmp_path: Path) -> None:
    path = tmp_path / "engine.py"
    path.write_text(engine(style, slip))
    report = Session(None, Options(seed=1)).check(path)
    named = {r.slip for both in report.causes for r in both}
    assert (slip in named if slip else not named and report.right), engine(style, slip) + report.text()


# ---------------------------------------------------------------- never accused, and a judge that is wrong

@pytest.mark.parametrize("interface", INTERFACES)
@pytest.mark.parametrize("name", NETWORKS)
def test_correct_code_is_right_in_every_interface(name: str, interface: str, tmp_path: Path) -> None:
    report = checked(name, written(interface, NETWORKS[name].network), tmp_path)
    assert (report.status, report.causes) == ("right", ()), written(interface, NETWORKS[name].network) + report.text()


LAST = [("identity", "mse"), ("identity", "squared_error"), ("sigmoid", "binary_cross_entropy"), ("tanh", "half_squared_error"), ("softmax", "cross_entropy"), ("identity", "huber"), ("identity", "mae")]


@settings(max_examples=16, deadline=None)
@given(st.lists(st.sampled_from(["relu", "tanh", "sigmoid", "leaky_relu", "softplus", "elu", "identity"]), max_size=3), st.booleans(), st.integers(1, 3), st.integers(2, 6),
       st.sampled_from(LAST), st.sampled_from(list(INTERFACES)))
def test_correct_code_of_any_shape_is_never_accused(hidden: list[str], rows: bool, outputs: int, features: int, last: tuple[str, str], interface: str) -> None:
    """Any depth, sizes, activations and loss, examples as rows or columns, in every interface."""
    outputs = 3 if last[0] == "softmax" else outputs
    made = network(" ".join(["-".join(map(str, [features, *[5, 7, 4][:len(hidden)], outputs])), *hidden, last[0]]), last[1], rows=rows)
    text = written(interface, made)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "own.py"
        path.write_text(text)
        report = Session(Subject("", Blueprint.of(made, last[1])), Options(seed=2, mend=False)).check(path)
    assert report.right and {r.verdict.verdict for r in report.rows} <= {"OK", "KINK", "UNTESTED"}, text + report.text()


@pytest.mark.parametrize(("spoiled", "by"), [("error_of", lambda *a: 0.0), ("error_of", lambda *a: 1.0), ("fitted", lambda claimed, shape: None)])
def test_a_mistake_in_the_judge_is_found(spoiled: str, by: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name, suspect = next(planted("hidden-slope"))
    monkeypatch.setattr(judge, spoiled, by)
    with pytest.raises(AssertionError):
        assert_named("hidden-slope", name, {"function": written("function", NETWORKS[name].network, suspect)}, tmp_path)
        test_correct_code_is_right_in_every_interface("two", "function", tmp_path)
