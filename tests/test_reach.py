"""Students' files of every interface and layout, run in the sandbox: their gradients arrive in the network's shapes, and equal ours."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pytest
from studentfiles import FILES, FRAMEWORKS

from symbolic.check import engines
from symbolic.check.adapter import Adapter
from symbolic.check.interfaces import find, reach
from symbolic.check.presets import PRESETS, recognised
from symbolic.check.readback import Read
from symbolic.check.reading import notebook, parse, read
from symbolic.check.sandbox import run
from symbolic.check.shortnet import network
from symbolic.derive import derive
from symbolic.errors import SpecError
from symbolic.language.floats import FLOATS
from symbolic.losses import LOSSES
from symbolic.network import Network
from symbolic.reading.specfile import build
from symbolic.values import forward, gradients


@dataclass
class Point:
    network: Network
    leaves: Mapping[str, Any]


def points(net: str, loss: str, *, samples: tuple[int, ...] = (6, 7, 1), rows: bool = True, reduction: str = "mean") -> list[Point]:
    out = []
    for n in samples:
        made = network(net, loss, samples=n, rows=rows, reduction=reduction)
        draw = np.random.default_rng(n)
        values = {s.name: draw.normal(size=tuple(int(d) for d in s.shape)) for s in made.symbols.values() if s.kind in ("input", "parameter")}
        (y,) = made.names("target")
        shape = tuple(int(d) for d in made.symbols[y].shape)
        values[y] = draw.uniform(0.1, 0.9, size=shape)
        if LOSSES[loss].classes:
            one_hot = np.eye(shape[rows])[draw.integers(0, shape[rows], size=n)]
            values[y] = one_hot if rows else one_hot.T
        out.append(Point(made, values))
    return out


def truth(point: Point) -> dict[str, Any]:
    leaves = {n: np.atleast_2d(v).tolist() for n, v in point.leaves.items()}
    values = forward(point.network, leaves, FLOATS)
    found = gradients(derive(point.network), values, arithmetic=FLOATS)
    output = point.network.output
    return {**{n: np.array(v, dtype=float) for n, v in values.items() if isinstance(n, str)},
            **{f"d{n}": np.array(found[output, n], dtype=float) for n in point.leaves if (output, n) in found}}


@cache
def checked(name: str) -> tuple[Read, tuple[Point, ...], Any]:
    file = FILES[name]
    made = points(file.net, file.loss, samples=file.samples, rows=file.rows, reduction=file.reduction)
    return (*ran(file.text, made, Adapter.model_validate(file.adapter)),)


def ran(text: str, made: list[Point], adapter: Adapter | None = None) -> tuple[Read, tuple[Point, ...], Any]:
    reached = reach(parse(text, "a.py"), made[0].network, made, adapter)
    outcome = run(text.encode(), reached.plan, reached.inputs, preload=reached.preload)
    return reached.read(outcome), tuple(made), reached.way


def error(found: Any, right: Any) -> float:
    return float(np.abs(np.asarray(found).reshape(right.shape) - right).max() / max(np.abs(right).max(), 1e-200))


@pytest.mark.parametrize("name", FILES)
def test_correct_files_arrive_in_the_networks_shapes(name: str) -> None:
    file, (read_, made, way) = FILES[name], checked(name)
    assert file.way in way.spoken
    assert read_.layout is not None and file.layout in read_.layout.spoken
    assert set(file.notes) <= set(read_.notes)
    for point, got in zip(made, read_.points, strict=True):
        right = truth(point)
        if got is None:
            assert way.needs.one_example or read_.layout.vectors
            continue
        assert got.failure is None
        assert set(got.gradients) == set(point.network.names("parameter"))
        for parameter, tensor in got.gradients.items():
            assert tensor.array.shape == np.shape(point.leaves[parameter])
            assert error(tensor.array, right[f"d{parameter}"]) < 1e-9
        for value, array in got.values.items():
            assert error(array, right[point.network.output if value == "loss" else point.network.resolve(value)]) < 1e-9


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_files_of_torch_and_jax_where_those_are_installed(name: str) -> None:
    file, library = FRAMEWORKS[name], name.split()[0]
    made = points(file.net, file.loss, samples=file.samples)
    if importlib.util.find_spec(library) is None:
        with pytest.raises(SpecError, match=f"a.py: the file imports {library}, which is not installed here; pip install {library}"):
            reach(parse(file.text, "a.py"), made[0].network, made)
        return
    read_, _, way = ran(file.text, made)
    assert file.way in way.spoken and read_.layout is not None and file.layout in read_.layout.spoken
    for point, got in zip(made, read_.points, strict=True):
        right = truth(point)
        assert got is not None and got.failure is None and set(got.gradients) == set(point.network.names("parameter"))
        assert max(error(t.array, right[f"d{n}"]) for n, t in got.gradients.items()) < 1e-9


def test_forward_values_and_the_loss_are_found() -> None:
    assert set(checked("functions and tuples, helpers missing")[0].points[0].values) == {"y_hat", "z1", "a1", "z2"}  # type: ignore[union-attr]
    assert {"y_hat", "loss", "z1", "a1"} <= set(checked("dictionaries, columns")[0].points[0].values)  # type: ignore[union-attr]
    assert {"y_hat", "loss"} <= set(checked("local variables of a training function")[0].points[0].values)  # type: ignore[union-attr]


@pytest.mark.parametrize(("name", "parameter", "written"), [
    ("functions and tuples, helpers missing", "W1", "dW1 = np.dot(X.T, dz1) / m"),
    ("dictionaries, columns", "b1", 'grads["db1"] = below.sum(axis=1, keepdims=True) / m'),
    ("class that only applies gradients, added", "W2", "self.weights2 += self.layer1.T @ e2"),
    ("flat script", "W1", "dW1 = dZ1.T @ X"),
    ("layer objects", "b2", "self.db = dout.sum(axis=0, keepdims=True)"),
])
def test_the_line_of_a_gradient_is_named(name: str, parameter: str, written: str) -> None:
    got = checked(name)[0].points[0]
    assert got is not None
    assert FILES[name].text.splitlines()[got.gradients[parameter].line - 1].strip() == written


def test_a_wrong_gradient_arrives_wrong() -> None:
    text = FILES["functions and tuples, helpers missing"].text.replace("np.sum(dz1, axis=0) / m", "np.mean(dz1, axis=0) / m")
    read_, made, _ = ran(text, points("4-3-2 sigmoid sigmoid", "half_squared_error"))
    got, right = read_.points[0], truth(made[0])
    assert got is not None and error(got.gradients["b1"].array, right["db1"] / 6) < 1e-9 and error(got.gradients["W1"].array, right["dW1"]) < 1e-9


def test_a_wrong_shape_is_not_bent_to_fit() -> None:
    text = FILES["returned without names"].text.replace("return X.T @ k, k.sum(0)", "return (X.T @ k).T, k.sum(0)")
    read_, _, _ = ran(text, points("4-3-2 tanh identity", "mse"))
    got = read_.points[0]
    assert got is not None and got.gradients["W1"].array is None and "(3, 4)" in got.gradients["W1"].note


def test_a_bias_gradient_that_is_not_summed_is_no_layout() -> None:
    text = FILES["returned without names"].text.replace("H.T @ e, e.sum(0)", "H.T @ e, e")
    read_, _, _ = ran(text, points("4-3-2 tanh identity", "mse"))
    got = read_.points[0]
    assert got is not None and got.gradients["b2"].array is None and "(6, 2)" in got.gradients["b2"].note and got.gradients["W2"].array is not None


def test_a_failure_names_the_line() -> None:
    text = FILES["returned without names"].text.replace("k.sum(0), H.T", "k.summ(0), H.T")
    read_, _, _ = ran(text, points("4-3-2 tanh identity", "mse"))
    got = read_.points[0]
    assert got is not None and got.failure is not None and got.failure["type"] == "AttributeError" and "summ" in text.splitlines()[got.failure["line"] - 1]


def test_inputs_changed_in_place_are_told() -> None:
    text = FILES["returned without names"].text.replace("    e = 2", "    X *= 1.0\n    Y += 0.5\n    e = 2")
    read_, _, _ = ran(text, points("4-3-2 tanh identity", "mse"))
    assert any("changes its inputs in place: y" in n for n in read_.notes)


# ---------------------------------------------------------------- layouts, generated

TEMPLATE = '''
import numpy as np
def forward(X, {args}):
{forward}
    return a{L}, ({cache})
def backward(X, Y, a{L}, cache, {args}):
    ({cache}) = cache
    a0 = X
    dz{L} = {start}
{backward}
    return {returns}
'''


def written(depth: int, *, rows: bool, in_out: bool, bias: str, keep: bool) -> str:
    """A correct file for tanh layers and an identity at the end, with the mean over all entries, in one layout."""
    args = ", ".join(f"W{k}, b{k}" for k in range(1, depth + 1))
    axis = 0 if rows else 1
    b = {"flat": "b{k}" if rows else "b{k}[:, None]", "line": "b{k}"}[bias]
    W, up = ("W{k}" if in_out == rows else "W{k}.T"), ("W{k}.T" if in_out == rows else "W{k}")
    head, body = ["    a0 = X"], []
    for k in range(1, depth + 1):
        product = f"a{k - 1} @ {W}" if rows else f"{W} @ a{k - 1}"
        head.append(f"    z{k} = {product.format(k=k)} + {b.format(k=k)}")
        head.append(f"    a{k} = np.tanh(z{k})" if k < depth else f"    a{k} = z{k}")
    for k in range(depth, 0, -1):
        outer = f"a{k - 1}.T @ dz{k}" if rows else f"dz{k} @ a{k - 1}.T"
        body.append(f"    dW{k} = {outer if in_out == rows else f'({outer}).T'}")
        body.append(f"    db{k} = dz{k}.sum(axis={axis}{', keepdims=True' if bias == 'line' else ''})")
        if k > 1:
            sent = f"dz{k} @ {up}" if rows else f"{up} @ dz{k}"
            body.append(f"    dz{k - 1} = ({sent.format(k=k)}) * (1 - a{k - 1}**2)")
    return TEMPLATE.format(args=args, forward="\n".join(head), backward="\n".join(body), L=depth, start=f"2 * (a{depth} - Y) / Y.size",
                           cache=", ".join(f"a{k}" for k in range(1, depth)) + ("," if depth == 2 else ""),
                           returns=", ".join(f"dW{k}, db{k}" for k in range(1, depth + 1)) if keep else
                           "{" + ", ".join(f"'dW{k}': dW{k}, 'db{k}': db{k}" for k in range(1, depth + 1)) + "}")


@pytest.mark.parametrize(("rows", "in_out"), [(True, True), (True, False), (False, True), (False, False)])
@pytest.mark.parametrize("bias", ["line", "flat"])
@pytest.mark.parametrize("spec_by_rows", [True, False])
def test_every_layout(rows: bool, in_out: bool, bias: str, spec_by_rows: bool) -> None:
    depth, net = (2, "4-3-2 tanh identity") if bias == "flat" else (3, "5-4-3-2 tanh tanh identity")
    text = written(depth, rows=rows, in_out=in_out, bias=bias, keep=rows)
    read_, made, _ = ran(text, points(net, "mse", rows=spec_by_rows))
    layout = read_.layout
    assert layout is not None and (layout.rows, layout.in_out, layout.bias) == (rows, in_out, bias)
    for point, got in zip(made, read_.points, strict=True):
        right = truth(point)
        assert got is not None and all(error(t.array, right[f"d{n}"]) < 1e-9 for n, t in got.gradients.items()) and len(got.gradients) == 2 * depth


def test_square_points_are_read_in_the_layout_of_the_others() -> None:
    made = [*points("4-3-2 tanh identity", "mse", samples=(6,)), *points("3-3-3 tanh identity", "mse", samples=(3,))]
    read_, _, _ = ran(written(2, rows=False, in_out=False, bias="line", keep=True), made)
    got = read_.points[1]
    assert got is not None and error(got.gradients["W1"].array, truth(made[1])["dW1"]) < 1e-9


# ---------------------------------------------------------------- scalar engines

ENGINE = '''
class Scalar:
    def __init__(self, data, below=(), local=()):
        self.data, self.grad, self.below, self.local = data, 0.0, below, local
    def __add__(self, o):
        o = o if isinstance(o, Scalar) else Scalar(o)
        return Scalar(self.data + o.data, (self, o), (1.0, 1.0))
    def __mul__(self, o):
        o = o if isinstance(o, Scalar) else Scalar(o)
        return Scalar(self.data * o.data, (self, o), (o.data, self.data))
    def __neg__(self): return self * -1
    def __sub__(self, o): return self + (-o)
    def __pow__(self, k): return Scalar(self.data**k, (self,), (k * self.data**(k - 1),))
    def relu(self): return Scalar(max(self.data, 0.0), (self,), (float(self.data > 0),))
    __radd__ = __add__
    def backward(self):
        order, seen = [], set()
        def visit(v):
            if id(v) not in seen:
                seen.add(id(v))
                for u in v.below: visit(u)
                order.append(v)
        visit(self)
        self.grad = 1.0
        for v in reversed(order):
            for u, slope in zip(v.below, v.local): u.grad += slope * v.grad
'''


def engine_errors(text: str) -> dict[str, float]:
    engine = engines.find(parse(text, "e.py"))
    assert engine is not None
    reached = engines.reach(engine)
    got = reached.read(run(text.encode(), reached.plan, reached.inputs))
    out = {}
    for point, one in zip(reached.points, got.points, strict=True):
        right = truth(Point(point.network, point.leaves))
        assert one is not None and one.failure is None, point.name
        times = 2 if point.twice else 1
        out[point.name] = max(float(np.abs(one.gradients[n].array - times * right[f"d{n}"]).max()) for n in point.leaves)
    return out


def test_an_engine_is_right_on_every_graph() -> None:
    errors = engine_errors(ENGINE)
    assert max(errors.values()) < 1e-12
    assert {"a*a", "a - a", "shared node", "diamond", "backward called twice", "power", "relu on both sides"} <= set(errors) and "tanh" not in errors


def test_an_engine_that_assigns_or_resends_is_found_out() -> None:
    assigning = engine_errors(ENGINE.replace("u.grad += slope", "u.grad = slope"))
    assert assigning["each used once"] < 1e-12 and assigning["a*a"] > 0.1 and assigning["a - a"] > 0.1
    resending = engine_errors(ENGINE.split("    def backward")[0] + '''
    def backward(self, sent=1.0):
        self.grad += sent
        for u, slope in zip(self.below, self.local): u.backward(slope * self.grad)
''')
    assert resending["each used once"] < 1e-12 and resending["a*a"] < 1e-12 and resending["shared node"] > 0.1


# ---------------------------------------------------------------- presets, adapters, what cannot be read

RECOGNISED = {"class with params and loss, classes as numbers": "cs231n", "dictionaries, columns": "deeplearning.ai", "class with lists, one example at a time": "nielsen",
              "flat script that adds, layers counted from 0": "iamtrask", "class that only applies gradients, added": "weights1",
              "bias in the first column of Theta": "ng-octave", "layer objects that return nothing": "nnfs", "layer objects that update at once": "layers-with-rate"}
ONLY_HERE = {"affine": '''
import numpy as np
class Affine:
    def __init__(self, W, b):
        self.W, self.b = W, b
    def forward(self, x):
        self.x = x
        return np.dot(x, self.W) + self.b
    def backward(self, dout):
        self.dW = np.dot(self.x.T, dout)
        self.db = np.sum(dout, axis=0)
        return np.dot(dout, self.W.T)
class Tanh:
    def forward(self, x):
        self.a = np.tanh(x)
        return self.a
    def backward(self, dout):
        return dout * (1 - self.a**2)
''', "keras-like": '''
import numpy as np
class Dense:
    def __init__(self, units, input_dim):
        self.kernel, self.bias = np.zeros((input_dim, units)), np.zeros(units)
    def forward(self, x):
        self.x = x
        return x @ self.kernel + self.bias
    def backward(self, grad):
        self.grad_kernel, self.grad_bias = self.x.T @ grad, grad.sum(axis=0)
        return grad @ self.kernel.T
class Tanh:
    def forward(self, x):
        self.a = np.tanh(x)
        return self.a
    def backward(self, grad):
        return grad * (1 - self.a**2)
''', "micrograd": "class Value:\n    def __init__(self, data, _children=()): self.data, self.grad, self._prev = data, 0, _children\n    def __mul__(self, o): pass\n    def backward(self): pass\n"}


@pytest.mark.parametrize(("name", "preset"), RECOGNISED.items())
def test_a_convention_is_recognised_and_decides_when_named(name: str, preset: str) -> None:
    file = FILES[name]
    found = recognised(parse(file.text, "a.py"))
    assert found is not None and found.name == preset
    layouts = find(parse(file.text, "a.py"), network(file.net, file.loss), Adapter(preset=preset)).layouts
    assert any(file.layout in layout.spoken for layout in layouts)


@pytest.mark.parametrize("preset", ["affine", "keras-like"])
def test_presets_of_layers(preset: str) -> None:
    found = recognised(parse(ONLY_HERE[preset], "a.py"))
    assert found is not None and found.name == preset
    read_, made, _ = ran(ONLY_HERE[preset], points("4-3-2 tanh identity", "mse"))
    got, right = read_.points[0], truth(made[0])
    assert got is not None and got.failure is None and all(error(got.gradients[n].array, right[f"d{n}"]) < 1e-9 for n in made[0].network.names("parameter"))


def test_every_preset_is_shown_by_a_file() -> None:
    found = recognised(parse(ONLY_HERE["micrograd"], "a.py"))
    assert found is not None and found.name == "micrograd"
    assert set(PRESETS) == {*RECOGNISED.values(), *ONLY_HERE}


def test_the_adapter_stands_in_the_spec() -> None:
    spec = build({"inputs": {"x": {"size": "2"}}, "targets": {"y": None}, "layers": [{"units": "1"}], "loss": "mse",
                  "check": {"returns": "dW1, db1", "recover_from_update": "true", "locals": "train"}})
    assert spec.check is not None and spec.check.returns == ["dW1", "db1"] and spec.check.recover_from_update is True and spec.check.renames["train"] == "train"
    with pytest.raises(SpecError, match="unknown key 'return'; did you mean 'returns'"):
        build({"equations": {"y": "x**2"}, "check": {"return": ["dW1"]}})


@pytest.mark.parametrize(("text", "says"), [
    ("def backward(X, y, thing):\n    dW1 = X\n    return dW1", r"a.py:1: backward\(\) takes 'thing'.*rename: \{thing: W1\}"),
    ("def hello():\n    return 1", r"no gradients are found in this file: it defines hello; .*backward.*locals: train"),
    ("W1 = [[1]]\nfor i in range(9):\n    dW1 = X.T @ (X @ W1 - y)\n    W1 -= dW1", r"the script assigns no b1 outside its loop; .*rename: \{its_name: b1\}"),
])
def test_what_is_not_understood_says_which_line_helps(text: str, says: str) -> None:
    made = points("4-3-2 identity identity", "mse")
    with pytest.raises(SpecError, match=says):
        reach(parse(text, "a.py"), made[0].network, made)


def test_two_layouts_that_fit_are_asked_about() -> None:
    text = "import numpy as np\ndef backward(X, y, W, b):\n    e = np.einsum('ij,kl->', X, W)\n    dW = W * e\n    db = b * e\n    return dW, db if X.shape[0] > 5 else 2 * db"
    made = points("4-2 identity", "mse", samples=(6,))
    reached = reach(parse(text, "a.py"), made[0].network, made)
    with pytest.raises(SpecError, match=r"two layouts fit this file: examples as rows, .*; or examples as columns, .*check: \{layout: \[rows, in_out\]\}"):
        reached.read(run(text.encode(), reached.plan, reached.inputs))


def test_notebooks_and_files() -> None:
    cells = [{"cell_type": "markdown", "source": ["# hi"]}, {"cell_type": "code", "source": ["%matplotlib inline\n", "import numpy as np"]},
             {"cell_type": "code", "source": "!pip install x\ndef backward(X, y, W1, b1):\n    dW1 = oops"}]
    code = notebook(json.dumps({"cells": cells}), "n.ipynb")
    assert code.where(5) == "n.ipynb, cell 2, line 3" and code.text.splitlines()[4].strip() == "dW1 = oops"
    with pytest.raises(SpecError, match=r"n.ipynb, cell 1, line 2: this is not Python"):
        notebook(json.dumps({"cells": [{"cell_type": "code", "source": "x = 1\nif x"}]}), "n.ipynb")
    with pytest.raises(SpecError, match="this is not a notebook"):
        notebook("[1", "n.ipynb")
    with pytest.raises(SpecError, match="cannot be read"):
        read("no/such/file.py")


@pytest.mark.parametrize(("text", "loss", "says"), [
    ("4-3-2 relu sigmod", "mse", "unknown activation 'sigmod'; did you mean 'sigmoid'"), ("4-3-2 relu sigmoid", "msee", "unknown loss 'msee'; did you mean 'mse'"),
    ("4x3", "mse", "expected sizes"), ("4-3-2 relu relu relu", "mse", "3 activations for 2 layers"), ("4-0", "mse", "units a layer"),
])
def test_a_short_network_says_what_is_wrong(text: str, loss: str, says: str) -> None:
    with pytest.raises(SpecError, match=says):
        network(text, loss)


def test_short_networks() -> None:
    assert [p.activation for p in network("4-3-2 relu").layers] == ["relu", "relu"]
    assert [p.activation for p in network("4-3-3-2 relu tanh", "bce").layers] == ["relu", "tanh", "identity"]
    assert network("4-3 nobias").names("parameter") == ["W1"]


