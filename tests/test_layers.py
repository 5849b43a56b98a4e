"""Every row of the table of layers: derived, checked, and beside HIPS autograd on a transcription of its own."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import autograd.numpy as np
import pytest
from autograd import grad
from indexreader import read_index
from mpmath import mp

from symbolic import expr as ex
from symbolic.errors import CheckError, SpecError
from symbolic.expr import Expr, num, walk
from symbolic.language.arithmetic import MP
from symbolic.layers import LAYERS, stack
from symbolic.lesson import plan
from symbolic.models.theorems import applied
from symbolic.network import LayerPlan, Network, scalarize
from symbolic.pages.sheet import Sheet
from symbolic.problem import build as problem_of
from symbolic.reading.specfile import build, load
from symbolic.rules import RULES, Rule
from symbolic.spec import Layer
from symbolic.values import DIGITS
from symbolic.verify import certify

Numbers = dict[str, Any]


def sigmoid(z: Any) -> Any:
    return 1 / (1 + np.exp(-z))


def softmax(z: Any) -> Any:
    return np.exp(z) / np.exp(z).sum(axis=0)


def standard(a: Any, axis: int) -> Any:
    c = a - a.mean(axis=axis, keepdims=True)
    return c / np.sqrt((c * c).mean(axis=axis, keepdims=True) + 1e-5)


def correlate(x: Any, w: Any, stride: int, padding: int) -> Any:
    x = np.pad(x, [(padding if d > 1 else 0,) * 2 for d in x.shape], mode="constant")
    rows, columns = ((d - k) // stride + 1 for d, k in zip(x.shape, w.shape, strict=True))
    return np.array([[np.sum(x[stride * i:stride * i + w.shape[0], stride * j:stride * j + w.shape[1]] * w) for j in range(columns)] for i in range(rows)])


def pooled(x: Any, size: int, stride: int, fold: Callable[[Any], Any]) -> Any:
    rows, columns = ((d - size) // stride + 1 for d in x.shape)
    return np.array([[fold(x[stride * i:stride * i + size, stride * j:stride * j + size]) for j in range(columns)] for i in range(rows)])


def recurrent(p: Numbers, x: Any) -> Any:
    h = np.zeros((2, 1))
    for t in range(x.shape[1]):
        h = np.tanh(p["W1"] @ x[:, t:t + 1] + p["U1"] @ h + p["b1"])
    return h


def long_short(p: Numbers, x: Any) -> Any:
    h = c = np.zeros((2, 1))
    for t in range(x.shape[1]):
        f, i, g, o = (act(p[f"W1_{k}"] @ x[:, t:t + 1] + p[f"U1_{k}"] @ h + p[f"b1_{k}"])
                      for k, act in zip("figo", (sigmoid, sigmoid, np.tanh, sigmoid), strict=True))
        c = f * c + i * g
        h = o * np.tanh(c)
    return h


def attend(p: Numbers, x: Any, mask: Any = 1) -> Any:
    q, k, v = (p[f"W1_{n}"] @ x for n in "qkv")
    e = np.exp(k.T @ q / np.sqrt(2)) * mask
    return v @ (e / e.sum(axis=0))


def transformer(p: Numbers, x: Any) -> Any:
    a = standard(p["W1_o"] @ attend(p, x) + x, 0) * p["gamma2"] + p["beta2"]
    h = np.maximum(0, p["W3"] @ a + p["b3"])
    return standard(p["W4"] @ h + p["b4"] + a, 0) * p["gamma5"] + p["beta5"]


def P(units: int = 1, activation: str | None = None, type: str = "dense", residual: int = 0, bias: bool = True, **options: Any) -> LayerPlan:
    return LayerPlan(units, activation or LAYERS[type].activation, bias, type, residual, tuple(options.items()))


def dense(p: Numbers, n: int, a: Any) -> Any:
    return p[f"W{n}"] @ a + p[f"b{n}"]


ids = [2, 0, 2]
CASES: dict[str, tuple[dict[str, Any], Callable[[Numbers, Any], Any]]] = {  # name: the stack, and its output in columns
    "dense": (dict(layers=[P(2, "tanh"), P(1)], samples=3), lambda p, x: dense(p, 2, np.tanh(dense(p, 1, x)))),
    "chosen alpha": (dict(layers=[P(2, "leaky_relu", alpha=Fraction(1, 10)), P(2, "elu", alpha=Fraction(1, 2)), P(1)], samples=3),
                     lambda p, x: (lambda z: dense(p, 3, np.where(z > 0, z, 0.5 * np.expm1(z))))(dense(p, 2, (lambda z: np.where(z > 0, z, 0.1 * z))(dense(p, 1, x))))),
    "average": (dict(layers=[P(3, "sigmoid", bias=False), P(type="average")], samples=4), lambda p, x: sigmoid(p["W1"] @ x).mean(axis=0, keepdims=True)),
    "dropout": (dict(layers=[P(3, "tanh"), P(type="dropout", mask=[1, 0, 1], rate=Fraction(1, 4)), P(1)], samples=2),
                lambda p, x: dense(p, 3, np.array([[1.0], [0], [1]]) * np.tanh(dense(p, 1, x)) / 0.75)),
    "batch_norm": (dict(layers=[P(3), P(type="batch_norm"), P(1)], samples=4), lambda p, x: dense(p, 3, standard(dense(p, 1, x), 1) * p["gamma2"] + p["beta2"])),
    "layer_norm": (dict(layers=[P(type="layer_norm"), P(1, "sigmoid")], samples=3), lambda p, x: sigmoid(dense(p, 2, standard(x, 0) * p["gamma1"] + p["beta1"]))),
    "residual": (dict(layers=[P(2, "tanh", residual=1), P(3, "tanh"), P(2, residual=2)], samples=2),
                 lambda p, x: (lambda a: dense(p, 3, np.tanh(dense(p, 2, a))) + a)(np.tanh(dense(p, 1, x)) + x)),
    "conv1d": (dict(layers=[P(2, "tanh", "conv1d", kernel=3, padding=1), P(type="average_pool", size=2), P(type="flatten"), P(1)], features=4, inputs={"x": 0}),
               lambda p, x: dense(p, 4, np.concatenate([pooled_row(np.tanh(correlate(x, p[f"W1_{k}"], 1, 1) + p[f"b1_{k}"])) for k in (1, 2)], axis=1).T)),
    "conv2d": (dict(layers=[P(1, "sigmoid", "conv2d", kernel=(2, 3), stride=2, padding=1)], features=5, samples=4, inputs={"r": 0, "g": 0}),
               lambda p, x: sigmoid(correlate(x["r"], p["W1_1"], 2, 1) + correlate(x["g"], p["W1_2"], 2, 1) + p["b1"])),
    "max_pool": (dict(layers=[P(1, None, "conv2d", kernel=2), P(type="max_pool", size=2, stride=1), P(type="flatten"), P(1)], features=4, samples=4, inputs={"x": 0}),
                 lambda p, x: dense(p, 4, pooled(correlate(x, p["W1"], 1, 0) + p["b1"], 2, 1, np.max).reshape(-1, 1))),
    "average_pool": (dict(layers=[P(type="average_pool", size=2), P(type="flatten"), P(1)], features=4, samples=4, inputs={"x": 0}),
                     lambda p, x: dense(p, 3, pooled(x, 2, 2, np.mean).reshape(-1, 1))),
    "flatten": (dict(layers=[P(2, None, "conv2d", kernel=2), P(type="flatten"), P(1)], features=3, samples=3, inputs={"x": 0}),
                lambda p, x: dense(p, 3, np.concatenate([(correlate(x, p[f"W1_{k}"], 1, 0) + p[f"b1_{k}"]).reshape(-1, 1) for k in (1, 2)]))),
    "embedding": (dict(layers=[P(2, None, "embedding", vocabulary=4, ids=ids), P(1)], features=3), lambda p, x: dense(p, 2, p["E1"][:, ids])),
    "rnn": (dict(layers=[P(2, None, "rnn"), P(1)], samples=3), lambda p, x: dense(p, 2, recurrent(p, x))),
    "lstm": (dict(layers=[P(2, None, "lstm"), P(1)], samples=2), lambda p, x: dense(p, 2, long_short(p, x))),
    "attention": (dict(layers=[P(2, None, "attention")], samples=3), attend),
    "causal attention": (dict(layers=[P(2, None, "attention", causal=True)], samples=3), lambda p, x: attend(p, x, np.triu(np.ones((3, 3))))),
    "transformer": (dict(layers=[P(2, None, "attention", 1, project=True), P(type="layer_norm"), P(3, "relu"), P(2, None, "dense", 2), P(type="layer_norm")],
                         samples=3), transformer),
}


def pooled_row(a: Any) -> Any:
    return a.reshape(1, -1, 2).mean(axis=2)


def network(case: dict[str, Any], rows: bool = False) -> Network:
    return stack((case.get("inputs", "x"), case.get("features", 2)), "y", case["layers"], "mse", samples=case.get("samples"), rows=rows)


def point(net: Network) -> Numbers:
    out = {}
    for k, n in enumerate(net.names("input", "target", "parameter")):
        random = np.random.RandomState(100 + k)
        shape = net.symbols[n].shape or (1, 1)
        out[n] = random.randint(-150, 150, [int(d) for d in shape]) / 100 + random.randint(1, 9, [int(d) for d in shape]) / 1000
    return out


def test_every_layer_has_a_case() -> None:
    used = {p.type for case, _ in CASES.values() for p in case["layers"]}
    assert used == set(LAYERS)


@pytest.mark.parametrize("name", CASES)
def test_values_and_gradients_are_those_of_autograd(name: str) -> None:
    case, forward = CASES[name]
    net = network(case)
    values = point(net)
    leaves = {n: [[mp.mpf(repr(float(v))) for v in row] for row in cells] for n, cells in values.items()}
    with mp.workdps(DIGITS):
        leaves.update({n: [[MP.number(v) for v in row] for row in cells] for n, cells in net.constants.items()})
    found = certify(plan(net, ("matrix",)), leaves).values
    assert found is not None
    x_names = net.names("input")

    def loss(moved: Any, which: str) -> Any:
        p = {**values, which: moved}
        return np.mean((forward(p, {n: p[n] for n in x_names} if len(x_names) > 1 else p[x_names[0]] if x_names else None) - p["y"]) ** 2)

    assert abs(float(found["L"][0][0]) - loss(values["y"], "y")) < 1e-12
    for n in (*x_names, *net.names("parameter")):
        ours = np.array([[float(v) for v in row] for row in found["L", n]])
        assert np.max(np.abs(ours - grad(loss)(values[n], n))) < 1e-11 * max(1, np.max(np.abs(ours))), n


READ = ("attention", "causal attention", "layer_norm", "batch_norm", "conv1d", "conv2d", "max_pool", "embedding", "rnn", "lstm", "transformer")


@pytest.mark.parametrize("rows", [False, True], ids=["columns", "rows"])
@pytest.mark.parametrize("name", CASES)
def test_every_layer_is_derived_at_index_and_matrix_level(name: str, rows: bool) -> None:
    """Checked, short, and each line of indices read by a second hand, at numbers: the chain-rule sums of attention, norms and convolutions."""
    net = network(CASES[name][0], rows)
    with mp.workdps(DIGITS):
        leaves = {n: [[mp.mpf(repr(float(v))) for v in row] for row in cells] for n, cells in point(net).items()}
        leaves.update({n: [[MP.number(v) for v in row] for row in cells] for n, cells in net.constants.items()})
        certified = certify(plan(net, ("index", "matrix")), leaves)
        assert certified.values is not None and {s.level for s in certified.lesson.steps} == {"index", "matrix"}
        assert all(s.checked and len(s.lines) <= 12 for s in certified.lesson.steps)
        steps, read_lines = certified.lesson.of_level("index"), 0
        for step in steps:
            for line in (x for x in step.lines if x.kind == "index" and not any(n.op in ("local", "slope") for n in walk(x.rhs))):
                read_lines += read(line, certified.values, certified.values[step.of, step.wrt])
    assert name not in READ or read_lines >= 0.7 * len(steps), "most lines hold nothing but letters and sums"


def read(line: Any, values: Any, expected: list[list[Any]]) -> bool:
    """Whether a line could be read; then each of its entries is right."""
    for p, row in enumerate(expected):
        for q, v in enumerate(row):
            where = {letter: k for letter, k in zip(line.free, (p, q), strict=True) if letter}
            try:
                found = read_index(line.rhs, values, where)
            except LookupError:
                return False
            assert abs(found - v) < mp.mpf(10) ** -40, line.rhs
    return True


@pytest.mark.parametrize("name", ["batch_norm", "attention", "conv1d", "rnn"])
def test_columns_and_rows_say_the_same(name: str) -> None:
    """The same numbers, transposed, give the same loss."""
    case = CASES[name][0]
    columns, rows = network(case), network(case, True)
    values = point(columns)
    found = []
    for net in (columns, rows):
        with mp.workdps(DIGITS):
            leaves = {n: [[mp.mpf(repr(float(v))) for v in row] for row in (cells.T if net.rows and net.symbols[n].shape != columns.symbols[n].shape else cells)]
                      for n, cells in values.items()}
            for n in net.names("parameter"):  # a square weight matrix turns too
                if net.rows and n[0] in "WU" and columns.symbols[n].letters != ("p", "q"):
                    leaves[n] = [[mp.mpf(repr(float(v))) for v in row] for row in values[n].T]
                if net.rows and n == "x" and columns.symbols["x"].shape == net.symbols["x"].shape and "conv" not in name:
                    leaves[n] = [[mp.mpf(repr(float(v))) for v in row] for row in values[n].T]
            leaves.update({n: [[MP.number(v) for v in row] for row in cells] for n, cells in net.constants.items()})
        values_found = certify(plan(net, ("matrix",)), leaves).values
        assert values_found is not None
        found.append(values_found["L"][0][0])
    assert abs(found[0] - found[1]) < mp.mpf(10) ** -40


def test_the_scalar_level_of_a_recurrent_cell() -> None:
    net = network(CASES["rnn"][0])
    assert scalarize(net).is_scalar
    certified = certify(plan(net, ("scalar",)))
    assert any(s.wrt.startswith("U1[") for s in certified.lesson.steps)


def test_a_wrong_adjoint_is_caught() -> None:
    def swapped(e: Expr, g: Expr, k: int) -> Expr:
        return RULES["slide"].pull(e, g * 2 if k == 1 else g, k)

    rules = {**RULES, "slide": Rule(("convolution",), swapped, ("Wrong.",))}
    with pytest.raises(CheckError, match="failed its check"):
        certify(plan(network(CASES["max_pool"][0]), ("matrix",), rules=rules))


def test_attention_transposes_the_accumulated_gradient() -> None:
    """dK = dS' Q, as on the board."""
    from symbolic.derive import derive
    from symbolic.expr import text

    steps = derive(network(CASES["attention"][0], rows=True)).steps
    assert text(steps["K1"].result) == "(dL/dS1).T @ Q1/sqrt(2)"


# ---------------------------------------------------------------- from the file

def spec(layers: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {"inputs": {"x": [[1, 2], [0, 1], [3, "-1"]]}, "targets": {"y": [[1], [0], [1]]}, "loss": "mse", "layers": layers, **more}


def solved(data: dict[str, Any]) -> Sheet:
    problem = problem_of(build(data))
    certified = certify(plan(problem.network, ("matrix", "numbers"), wrt=problem.wrt), problem.numbers())
    return Sheet(problem, certified)


def test_numbers_from_the_file_and_back() -> None:
    from symbolic.pages.report import as_json

    data = spec([{"type": "batch_norm", "weights": {"gamma": [1, 2], "beta": [0, "1/2"]}}, {"units": 1, "W": [[1, "-1"]], "b": [0]}], learning_rate="0.1")
    report = json.loads(as_json(solved(data)))
    assert list(report["forward"]) == ["mu1", "c1", "v1", "s1", "x_hat1", "a1", "z2", "a2", "y_hat"]
    assert np.allclose(np.mean(report["forward"]["x_hat1"], axis=0), 0) and np.allclose(np.std(report["forward"]["x_hat1"], axis=0), 1, atol=1e-4)
    assert np.shape(report["forward"]["a1"]) == (3, 2) and np.shape(report["gradients"]["gamma1"]) == (2,) and np.shape(report["gradients"]["x"]) == (3, 2)
    assert set(report["updated"]) == {"gamma1", "beta1", "W2", "b2"}
    assert np.allclose(np.sum(report["gradients"]["x"], axis=0), 0), "the mean does not move the output of batch norm"


def test_first_weights_are_drawn_with_scales_of_one() -> None:
    problem = problem_of(build(spec([{"type": "layer_norm"}, {"units": 1}], init={"scheme": "glorot_uniform", "seed": 3})))
    assert problem.leaves["gamma1"] == [[1], [1]] and problem.leaves["beta1"] == [[0], [0]]
    assert set(problem.drawn) == {"gamma1", "beta1", "W2", "b2"}


IMAGE = {"inputs": {"x": [[1, 2, 0], [0, 1, 1], [2, 0, 1]]}, "targets": {"y": [1]}, "loss": "mse"}
REFUSED: list[tuple[dict[str, Any], str]] = [
    (spec([{"type": "batchnorm"}]), "did you mean 'batch_norm'?"),
    (spec([{"type": "batch_norm", "units": 2}]), "a layer of type batch_norm has no 'units'"),
    (spec([{"type": "layer_norm", "kernel": 2}]), "a layer of type layer_norm has no 'kernel'"),
    (spec([{"units": 1, "weights": {"W": [[1, 2]]}}]), "a dense layer has W and b"),
    (spec([{"type": "dropout"}]), "missing mask"),
    (spec([{"type": "dropout", "mask": [1, 2]}]), "a mask holds 0 (dropped) and 1 (kept)"),
    (spec([{"type": "dropout", "mask": [1, 0, 1]}]), "layer 1: the mask is 1 x 3, expected 1 x 2 (one row an example, one column a unit)"),
    (spec([{"type": "dropout", "mask": [[1, 0, 1]] * 3}]), "the mask is 3 x 3, expected"),
    (spec([{"type": "rnn", "units": 3, "weights": {"W": [[1, 2, 3], [1, 2, 3]]}}], targets={"y": [1, 2, 3]}), "layer 1, weights, W: 2 x 3, expected 3 x 2"),
    (spec([{"type": "rnn", "units": 2, "weights": {"U": [1, 2]}}], targets={"y": [1, 2]}), "layer 1, weights, U: 2 numbers, expected 2 x 2; write every row in brackets"),
    (spec([{"type": "batch_norm", "weights": {"beta": [[1, 1]]}}, {"units": 1}]), "layer 1, weights, beta: 1 x 2, expected 2 in a flat list"),
    (spec([{"type": "dropout", "mask": [1, 0], "rate": 1}]), "expected a number from 0 to 1, and below 1"),
    (spec([{"type": "conv2d", "kernel": 2}], targets={"y": [[1]]}), "expected 2 rows of 1"),
    (spec([{"type": "rnn"}]), "missing units"),
    (spec([{"type": "rnn", "units": 2}]), "examples: 3, but the last layer gives a single example"),
    (spec([{"units": 3, "residual": True}]), "a residual connection adds 2 x 3 to 3 x 3"),
    (spec([{"units": 2, "residual": 2}]), "reaches back before the input"),
    (spec([{"type": "embedding", "units": 2, "vocabulary": 4}]), "the input of an embedding is a list of whole numbers"),
    ({**spec([{"type": "embedding", "units": 2}]), "inputs": {"x": [0, 1]}}, "missing vocabulary"),
    ({**spec([{"type": "embedding", "units": 2, "vocabulary": 1}]), "inputs": {"x": [0, 1]}}, "column 1 of E1, which has columns 0 to 0"),
    (spec([{"type": "batch_norm", "weights": {"gama": [1, 1]}}, {"units": 1}]), "did you mean 'gamma'?"),
    (spec([{"type": "batch_norm", "weights": {"gamma": [1, 1, 1]}}, {"units": 1}]), "layer 1, weights, gamma: 3 numbers, expected 2 in a flat list"),
    ({**IMAGE, "layers": [{"type": "conv2d"}]}, "missing kernel"),
    ({**IMAGE, "layers": [{"type": "conv2d", "kernel": [4, 2]}]}, "a window of 4 x 2 does not fit into x, which is 3 x 3"),
    ({**IMAGE, "layers": [{"type": "conv2d", "kernel": 2}, {"units": 1}]}, "put {type: flatten} between them"),
    ({**IMAGE, "layers": [{"type": "conv2d", "kernel": [2, 2, 2]}]}, "expected one size or two"),
    ({**IMAGE, "layers": [{"units": 1}, {"type": "max_pool", "size": 2}]}, "reads an image, and the layer before gives a vector"),
    (spec([{"type": "lstm", "units": 2, "activation": "relu"}]), "a layer of type lstm has no 'activation'"),
    (spec([{"type": "rnn", "units": 2, "residual": True}]), "a layer of type rnn has no 'residual'"),
    ({**IMAGE, "layers": [{"type": "conv2d", "kernel": 1, "residual": True}]}, "a layer of type conv2d has no 'residual'"),
    ({**IMAGE, "layers": [{"type": "max_pool", "size": [3, 2]}]}, "windows of 3 x 2 need a stride"),
    ({**IMAGE, "layers": [{"type": "average_pool", "size": [1, 2]}]}, "windows of 1 x 2 need a stride"),
    (spec([{"type": "dropout", "mask": 1}]), "a mask is a list"),
    ({**spec([{"type": "embedding", "units": 2, "vocabulary": 1000000}]), "inputs": {"x": [0, 1]}}, "vocabulary 1,000,000; at most 2,000"),
    ({**IMAGE, "layers": [{"type": "conv2d", "kernel": 2, "padding": 100000}]}, "padding 100,000; at most 50"),
    (spec([{"units": 2, "activation": "relu", "alpha": "0.1"}]), "relu has no alpha to choose; leaky_relu and elu have one"),
    (spec([{"type": "lstm", "units": 2, "alpha": "0.1"}]), "identity has no alpha to choose"),
    (spec([{"units": 2, "activation": {"relu": "0.1"}}]), "relu has no alpha to choose; leaky_relu and elu have one"),
    (spec([{"units": 2, "activation": {"elu": "1", "relu": "1"}}]), "expected one word or text, not braces"),
    (spec([{"type": "average"}], regularization={"l2": "0.1"}), "regularization needs weights"),
    ({**IMAGE, "inputs": {"x": {"size": 3}}, "layers": [{"type": "lstm", "units": 1}]}, "lstm reads a sequence"),
    ({**IMAGE, "inputs": {"x": [1, 2]}, "layers": [{"type": "batch_norm"}, {"units": 1}]}, "batch_norm needs a batch, and there is one example"),
]


def test_alpha_in_braces_is_the_key_alpha() -> None:
    short, long = (build(spec([{"units": 1, **keys}])).layers for keys in ({"activation": {"leaky_relu": "0.1"}}, {"activation": "leaky_relu", "alpha": "0.1"}))
    assert short == long and short[0].alpha == Fraction(1, 10)


@pytest.mark.parametrize(("data", "sentence"), REFUSED, ids=[s for _, s in REFUSED])
def test_what_does_not_fit_gets_one_sentence(data: dict[str, Any], sentence: str) -> None:
    with pytest.raises(SpecError) as e:
        problem_of(build(data))
    assert sentence in str(e.value) and "\n" not in str(e.value), str(e.value)


def test_attention_that_projects_back_keeps_its_units() -> None:
    layers = [{"type": "attention", "units": 2, "project": True, "residual": True}]
    net = problem_of(build({"inputs": {"x": [[1, 2, 3], [0, 1, 1]]}, "targets": {"y": [[1, 0, 0], [0, 1, 0]]}, "loss": "mse", "layers": layers})).network
    assert net.symbols["W1_q"].shape == (2, 3) and net.symbols["W1_o"].shape == (3, 2) and net.symbols["a1"].shape == (3, 2)


@pytest.mark.parametrize("loss", ["binary_cross_entropy", "cross_entropy", "mse"])
def test_one_operation_a_line_goes_with_every_loss(loss: str) -> None:
    data = {"inputs": {"x": [1, 2]}, "targets": {"y": [1, 0]}, "loss": loss, "granularity": "primitive", "regularization": {"l2": "0.1"},
            "layers": [{"units": 2, "activation": "softmax" if loss == "cross_entropy" else "sigmoid", "W": [[1, 0], ["0.5", 1]]}]}
    assert all(s.checked for s in solved(data).lesson.steps)


def test_a_single_entry_is_taken_at_the_index_level() -> None:
    net = network({"layers": [P(type="max_pool", size=2), P(type="flatten"), P(1)], "features": 2, "samples": 2, "inputs": {"x": 0}})
    assert certify(plan(net, ("index",)))


def test_the_file_and_the_line_are_named(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text("inputs: {x: [[1, 2], [0, 1]]}\ntargets: {y: [[1], [0]]}\nloss: mse\nlayers:\n  - {units: 2}\n  - {type: dropout, mask: [1, 3]}\n  - {units: 1}\n")
    with pytest.raises(SpecError, match="net.yaml:6"):
        problem_of(load(path))


def test_every_option_of_a_layer_is_a_key_of_the_spec() -> None:
    for row in LAYERS.values():
        assert set(row.options) - {"ids"} <= set(Layer.model_fields), row.name
        assert row.because.endswith(".") and row.name.islower()


def test_no_gradient_is_taken_of_a_constant() -> None:
    net = network(CASES["dropout"][0])
    lesson = plan(net, ("matrix",))
    assert "m2" in net.constants and "m2" not in lesson.derivation.steps
    assert any(n.op == "sym" and n.data == "m2" for n in walk(lesson.derivation.steps["a1"].result))


@pytest.mark.parametrize("rows", [False, True], ids=["columns", "rows"])
@pytest.mark.parametrize("name", ["batch_norm", "layer_norm"])
def test_the_whole_way_back_through_a_norm(name: str, rows: bool) -> None:
    """The short form gives what the steps through mean and variance give, and is checked; a wrong one stops."""
    net = network(CASES[name][0], rows)
    (short,) = net.shortcuts
    values = {n: [[mp.mpf(repr(float(v))) for v in row] for row in cells] for n, cells in point(net).items()}
    with mp.workdps(DIGITS):
        values.update({n: [[MP.number(v) for v in row] for row in cells] for n, cells in net.constants.items()})
    long, brief = (certify(plan(n, ("matrix",)), values).values for n in (replace(net, shortcuts=()), net))
    assert long is not None and brief is not None
    assert all(abs(a - b) < mp.mpf(10) ** -50 for xs, ys in zip(long["L", short.wrt], brief["L", short.wrt], strict=True) for a, b in zip(xs, ys, strict=True))
    with pytest.raises(CheckError, match="failed its check"):
        certify(plan(replace(net, shortcuts=(replace(short, result=num(Fraction(1001, 1000)) * short.result),)), ("matrix",)))


def test_a_residual_connection_takes_the_short_form_away() -> None:
    net = stack(("x", 2), "y", [P(2, "tanh"), P(type="layer_norm", residual=1)], "mse", samples=3)
    assert net.shortcuts == () and certify(plan(net, ("matrix",)))


@pytest.mark.parametrize("rows", [False, True])
def test_the_words_of_an_embedding_are_examples(rows: bool) -> None:
    """So the theorems hold behind it, as behind any batch."""
    network = stack(("x", 3), "y", [P(2, None, "embedding", vocabulary=4, ids=ids), P(3, "softmax")], "cross_entropy", rows=rows)
    assert [ex.text(s.result) for s in applied(network, "cross_entropy").shortcuts] == ["1/3*(a2 - y)"]
