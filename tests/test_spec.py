"""The front door: what a person writes becomes a Spec, or one sentence that says what is wrong."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from fractions import Fraction as F
from pathlib import Path
from typing import Any

import course
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from symbolic.errors import SpecError
from symbolic.lesson import plan
from symbolic.problem import build as problem_of
from symbolic.produce import Request, produce
from symbolic.reading.specfile import build, load
from symbolic.reading.yamltext import parse
from symbolic.spec import Init, Layer, Size, Spec
from symbolic.verify import certify

TWO_LAYERS = "title: Two layers, one training example\n" + course.TWO_LAYERS

GRAPH = """\
title: A computational graph
equations: {b: 4*a, c: b + 3, d: a + 2, e: c*d}
at: {a: 3}
wrt: [a]
"""

CHAIN = """\
equations: {h: g(f(x))}
at: {x: 1}
given: {"f'(x)": 2, "g'(f(x))": 3}
"""


def read(text: str) -> Spec:
    located = parse(text, "net.yaml")
    return build(located.data, located)


def changed(text: str, *pairs: str) -> str:
    """The text with each old part replaced by the new one after it."""
    for old, new in zip(pairs[::2], pairs[1::2], strict=True):
        assert old in text, old
        text = text.replace(old, new)
    return text


def net(*pairs: str) -> str:
    return changed(TWO_LAYERS, *pairs)


def graph(*pairs: str) -> str:
    return changed(GRAPH, *pairs)


W1, W2 = "W: [[0.15, 0.20], [0.25, 0.30]]", "W: [[0.40, 0.45]]"

MISTAKES = [  # text, line, fragments that the sentence holds
    # keys
    (net("title", "titel"), 1, ["unknown key 'titel'", "did you mean 'title'?"]),
    (net("inputs:", "input:"), 2, ["unknown key 'input'", "'inputs'"]),
    (net("targets:", "target:"), 3, ["unknown key 'target'", "'targets'"]),
    (net("learning_rate", "lr"), 8, ["unknown key 'lr'", "'learning_rate'"]),
    (net("units: 1, activation", "units: 1, activaton"), 6, ["layer 2", "unknown key 'activaton'", "'activation'"]),
    (net("units: 2", "neurons: 2"), 5, ["layer 1", "unknown key 'neurons'", "'units'"]),
    (net("loss:", "activation: relu\nloss:"), 7, ["'activation' belongs to a layer"]),
    (net("{x: [0.05, 0.10]}", "{x: {siz: 2}}"), 2, ["inputs x", "unknown key 'siz'", "'size'"]),
    (TWO_LAYERS + "init: {sceme: zeros}\n", 9, ["init", "unknown key 'sceme'", "'scheme'"]),
    (TWO_LAYERS + "init: {seed: 1}\n", 9, ["scheme", "missing"]),
    # the two forms
    ("title: nothing\n", 1, ["neither layers nor equations"]),
    ("layers:\n", 1, ["neither layers nor equations"]),
    (TWO_LAYERS + "equations: {y: x}\n", 9, ["layers or equations, not both"]),
    (TWO_LAYERS + "at: {x: 1}\n", 9, ["at", "belongs to files with equations"]),
    (TWO_LAYERS + "given: {\"f'(x)\": 1}\n", 9, ["given", "belongs to files with equations"]),
    (GRAPH + "loss: mse\n", 5, ["loss", "belongs to files with layers"]),
    (GRAPH + "init: {scheme: zeros}\n", 5, ["init", "belongs to files with layers"]),
    (GRAPH + "inputs: {x: 1}\n", 5, ["inputs", "belongs to files with layers"]),
    # names from the tables
    (net("units: 1, activation: sigmoid", "units: 1, activation: sigmod"), 6, ["layer 2", "unknown activation 'sigmod'", "'sigmoid'"]),
    (net("units: 2,", "units: 2, type: dens,"), 5, ["unknown layer type 'dens'", "'dense'"]),
    (net("half_squared_error", "half_square_error"), 7, ["unknown loss", "'half_squared_error'"]),
    (TWO_LAYERS + "init: {scheme: glorot_unifrm}\n", 9, ["unknown scheme", "'glorot_uniform'"]),
    (TWO_LAYERS + "reduction: men\n", 9, ["reduction", "did you mean 'mean'?"]),
    (TWO_LAYERS + "convention: row\n", 9, ["convention", "did you mean 'rows'?"]),
    # what is missing or too much
    (net("targets: {y: [0.01]}\n", ""), 1, ["missing target"]),
    (net("inputs:  {x: [0.05, 0.10]}\n", ""), 1, ["missing input"]),
    (net("loss: half_squared_error\n", ""), 1, ["missing loss"]),
    (net("{x: [0.05, 0.10]}", "{}"), 2, ["missing input"]),
    (net("{x: [0.05, 0.10]}", "{x: [0.05, 0.10], u: 2}"), 2, ["expected one input, not 2"]),
    (net("{y: [0.01]}", "{y: [0.01], v: 2}"), 3, ["expected one target, not 2"]),
    (net(f"units: 1, activation: sigmoid, {W2}, b: [0.60]", "activation: sigmoid"), 6, ["layer 2", "missing units"]),
    ("inputs: {x: 1}\ntargets: {y: 1}\nloss: mse\nlayers: []\n", 4, ["at least one layer"]),
    ("equations: {}\n", 1, ["at least one equation"]),
    # shapes
    (net(W1, "W: [[0.15, 0.20]]"), 5, ["layer 1, W: 1 x 2, expected 2 x 2", "one row a unit"]),
    (net(W2, "W: [[0.40], [0.45]]"), 6, ["layer 2, W: 2 x 1, expected 1 x 2", "transposed", "convention: rows"]),
    (net("units: 1, ", "", W2, "W: [[0.40], [0.45]]"), 6, ["transposed", "convention: rows"]),
    (TWO_LAYERS + "convention: rows\n", 6, ["W: 1 x 2, expected 2 x 1", "one column a unit", "leave out 'convention: rows'"]),
    (net(W2, "W: [0.40, 0.45]"), 6, ["expected a list of rows", "[[0.40, 0.45]]"]),
    (net(W1, "W: [[0.15, 0.20], [0.25]]"), 5, ["layer 1, W, entry 2", "1 number, but the first row has 2"]),
    (net(W1, "W: [[0.15, 0.20], 0.25]"), 5, ["layer 1, W, entry 2", "a list like the other rows"]),
    (net(W1, "W: [[0.15, 0.20], [0.25, ~]]"), 5, ["row 2, entry 2", "a number is missing"]),
    (net(W1, "W: [[0.15, 0.20], [0.25, w]]"), 5, ["row 2, entry 2", "'w' is not a number", "stays symbolic"]),
    (net(W1, "W: []"), 5, ["layer 1, W", "an empty list"]),
    (net("b: [0.35, 0.35]", "b: [0.35]"), 5, ["layer 1, b: 1 number, expected 2"]),
    (net("b: [0.35, 0.35]", "b: [[0.35], [0.35]]"), 5, ["layer 1, b", "flat list"]),
    (net("b: [0.60]", "b: [0.60], bias: false"), 6, ["bias", "b is given"]),
    (net("b: [0.60]", "bias: true"), 6, ["bias", "without b"]),
    (net("b: [0.60]", "b: [0.60], bias: maybe"), 6, ["expected true or false, not 'maybe'"]),
    (net("[0.01]", "[0.01, 0.02]"), 3, ["targets y: 2 numbers an example, expected 1"]),
    (net("[0.01]", "[[0.01], [0.02]]"), 3, ["targets y: examples: 2, but the last layer gives a single example"]),
    (net("[0.05, 0.10]", "[[0.05, 0.10], [1, 2]]"), 3, ["expected 2 rows, one an example", "[[1], [0]]"]),
    (net("[0.05, 0.10]", "[[0, 1], [1, 2]]", "[0.01]", "[[1], [2], [3]]"), 3, ["examples: 3", "2 examples"]),
    (net("[0.05, 0.10]", "[[0, 1], [2]]"), 2, ["inputs x, entry 2", "1 number, but the first row has 2"]),
    (net("[0.05, 0.10]", "[0.05, 0.10, 1]"), 5, ["W: 2 x 2, expected 2 x 3"]),
    (net("[0.05, 0.10]", "{}", W1 + ", ", ""), 2, ["features cannot be found out"]),
    (net("units: 1, activation: sigmoid", "units: 1, activation: softmax"), 6, ["at least 2 units"]),
    # whole numbers
    (net("units: 2", "units: 0"), 5, ["layer 1, units", "whole number", "'0'"]),
    (net("units: 2", "units: 2.0"), 5, ["whole number", "'2.0'"]),
    (net("units: 2", "units: two"), 5, ["whole number", "'two'"]),
    (net("units: 2", "units: [2]"), 5, ["whole number", "a list"]),
    (net("[0.05, 0.10]", "{size: 2, batch: -1}"), 2, ["whole number", "'-1'"]),
    (TWO_LAYERS + "init: {scheme: zeros, seed: x}\n", 9, ["init seed", "whole number"]),
    # numbers
    (net("0.20]", "1e-3]"), 5, ["row 1, entry 2", "1e-3 is read as text by YAML; write 1.0e-3 or 0.001"]),
    (net("0.20]", ".nan]"), 5, ["row 1, entry 2", "not a finite number"]),
    (net("[0.01]", "[.inf]"), 3, ["targets y, entry 1", "not a finite number"]),
    (net("[0.01]", "[1/0]"), 3, ["divides by zero"]),
    (net("[0.01]", "[log(0)]"), 3, ["logarithm of zero"]),
    (net("[0.01]", "[yes]"), 3, ["'yes' is a truth value"]),
    (net("rate: 0.5", "rate: 0"), 8, ["learning_rate", "positive"]),
    (net("rate: 0.5", "rate: -1/2"), 8, ["positive"]),
    (net("rate: 0.5", "rate: .inf"), 8, ["not a finite number"]),
    (net("rate: 0.5", "rate: 0,5"), 8, ["write 0.5"]),
    (net("rate: 0.5", "rate: [0.5]"), 8, ["learning_rate", "expected a number"]),
    # names
    (net("{x:", "{lambda:"), 2, ["'lambda' is a word of Python", "call it lam"]),
    (net("{x:", "{exp:"), 2, ["'exp' is the name of a function"]),
    (net("{x:", "{W1:"), 2, ["'W1' is the name of the weights of layer 1"]),
    (net("{y:", "{L:"), 3, ["'L' is the name of the loss"]),
    (net("{y:", "{y_hat:"), 3, ["'y_hat' is the name of the prediction"]),
    (net("{y:", "{x:"), 3, ["already the name of the input"]),
    (net("{x:", "{2x:"), 2, ["'2x' is not a name"]),
    (net("{x:", "{\u03b1:"), 2, ["is not a name", "alpha"]),
    (net("[0.05, 0.10]", "{size: 2, batch: y}", "[0.01]", "{}"), 2, ["batch", "'y' is already the name"]),
    (graph("b: 4*a", "sum: 4*a"), 2, ["'sum' is the name of a function"]),
    (graph("b: 4*a", "lambda: 4*a"), 2, ["'lambda' is a word of Python"]),
    (graph("d: a + 2", "d: lambda + 2"), 2, ["equations d", "'lambda' is a word of Python", "lam"]),
    (graph("wrt: [a]", "wrt: [aa]"), 4, ["wrt, entry 1", "'aa' is not known here"]),
    (TWO_LAYERS + "wrt: [W3]\n", 9, ["'W3' is not known here", "W1, b1, W2"]),
    (TWO_LAYERS + "wrt:\n  - W1\n  - y\n", 11, ["'y' is not known here"]),
    (TWO_LAYERS + "ask: [y_hat, dL/dW3]\n", 9, ["ask, entry 2", "'dL/dW3'", "did you mean 'dL/dW"]),
    (net("learning_rate: 0.5", "ask: [W1_new]"), 8, ["'W1_new'", "learning_rate"]),
    (GRAPH + "ask: [de/dx]\n", 5, ["'de/dx' is not known here"]),
    # equations
    ("equations:\n  y: max(0, x)\n  z:\n", 3, ["equations z", "expression is missing", "quotes"]),
    ("equations: {a: max(0, x)}\n", 1, ['quote it: {a: "max(0, x)"}']),
    (graph("c*d", "[c, d]"), 2, ["equations e", "not a list"]),
    (graph("c*d", "{c: d}"), 2, ["equations e", "braces"]),
    (graph("c*d", "c^d+"), 2, ["is not an expression", "a power is written **"]),
    (graph("{a: 3}", "{e: 3}"), 3, ["at e", "computed by its equation"]),
    (graph("{a: 3}", "{u: 3}"), 3, ["at u", "not used by any equation", "a"]),
    (graph("{a: 3}", "{a: }"), 3, ["at a", "a number is missing"]),
    (graph("{a: 3}", "{a: 1e3}"), 3, ["read as text", "1.0e+3 or 1000"]),
    (graph("{a: 3}", "[3]"), 3, ["at", "expected keys with values"]),
    (changed(CHAIN, "f'(x)", "f'x"), 3, ["is not understood", "f'(x)"]),
    (changed(CHAIN, "f'(x)", "f\u2019(x)"), 3, ["straight '"]),
    (changed(CHAIN, "f'(x)", "f''(x)"), 3, ["first derivatives"]),
    (changed(CHAIN, "f'(x)", "exp'(x)"), 3, ["'exp' has a formula"]),
    (changed(CHAIN, "3}", "nan}"), 3, ["given g'(f(x))", "finite"]),
    # never pydantic's own words
    (net("{x: [0.05, 0.10]}", "[0.05, 0.10]"), 2, ["inputs: expected keys with values", "not a list"]),
    ("inputs: {x: 1}\nlayers: 3\n", 2, ["layers: expected a list"]),
    ("inputs: {x: 1}\nlayers:\n  - dense\n", 3, ["layer 1: expected keys with values"]),
    ("inputs: {x: 1}\nlayers:\n  - \n", 3, ["layer 1: expected keys with values", "nothing"]),
    (net("activation: sigmoid, W: [[0.40", "activation: [relu], W: [[0.40"), 6, ["layer 2, activation: expected one word"]),
    (net("title: Two layers, one training example", "title: {a: b}"), 1, ["title: expected one word or text"]),
    (graph("wrt: [a]", "wrt: {a: 1}"), 4, ["wrt: expected a list of names"]),
    (graph("wrt: [a]", "wrt: [[a]]"), 4, ["wrt, entry 1"]),
    ("transform: [1]\n", 1, ["transform: expected keys with values, as in {by: [{scale: 0.5}, {rotate: 30}]}"]),
    (GRAPH + "compare: [1]\n", 5, ["compare: expected keys with values, as in {learning_rate: [0.1, 0.5], steps: 10}"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "line", "fragments"), MISTAKES, ids=range(len(MISTAKES)))
def test_one_sentence_with_file_line_and_key(text: str, line: int, fragments: list[str]) -> None:
    with pytest.raises(SpecError) as caught:
        read(text)
    sentence = str(caught.value)
    assert sentence.startswith(f"net.yaml:{line}: "), sentence
    for fragment in fragments:
        assert fragment in sentence
    assert "\n" not in sentence and "Input should" not in sentence and caught.value.exit_status == 2


NET = TWO_LAYERS.replace("activation: sigmoid", "activation: identity")
LATE = [  # what is found out only when the numbers are worked with: text, line, fragments
    ("equations:\n  a: x - 2\n  f: log(a)\nat: {x: 1}\n", 3, ["equations f: the given numbers cannot be computed with: log(-1.0)"]),
    ("equations:\n  a: sqrt(x)\n  f: 2*a\nat:\n  x: 0\n", 5, ["at x: df/dx: the given numbers cannot be computed with: division by zero"]),
    ("equations:\n  a: x**3\n  f: 2*a\nat: {x: 1.0e+150}\n", 2, ["equations a: a comes to 1.0e+450, which is too large a number"]),
    (changed(NET, "half_squared_error", "binary_cross_entropy", "[0.60]", "[2]"), 7, ["loss: the given numbers cannot be computed with: log(-"]),
    (changed(NET, "rate: 0.5", "rate: 1.0e+200"), 8, ["learning_rate: after one step with the learning rate 1.0e+200 there is no loss", "take a smaller one"]),
    ("equations: {d: det(A)}\nat:\n  A: [[1, 2], [2, 4]]\n", 3, ["at A: dd/dA: ", "has no inverse", "write the determinant out, as in A[0, 0]*A[1, 1]"]),
    ("equations: {d: det(A)}\nat: {A: [[3]]}\n", 1, ["equations d: det needs a matrix, and A is a scalar", "of a single number it is A"]),
    ("equations:\n  b: 2 + 3\n", 2, ["there is nothing to derive"]),
    ("equations:\n  a: -x**2 - 1\n  b: log(a)\n", 3, ["equations b: no point was found at which b is defined"]),
    ("equations: {b: 'max(x, y)'}\nat: {x: 0, y: 0}\nhvp:\n  x: 1\n", 3, ["hvp: at the given numbers a function has a kink"]),
    (NET.replace("units: 1, activation: identity", "units: 1, activation: step").replace("half_squared_error", "binary_cross_entropy"), 7, ["loss: no point was found"]),
]


@pytest.mark.parametrize(("text", "line", "fragments"), LATE, ids=range(len(LATE)))
def test_what_the_numbers_show_has_its_line_too(text: str, line: int, fragments: list[str], tmp_path: Path) -> None:
    file = tmp_path / "net.yaml"
    file.write_text(text)
    with pytest.raises(SpecError) as caught:
        produce(file, tmp_path / "out", Request(("json",)), lambda said: None)
    sentence = str(caught.value)
    assert sentence.startswith(f"{file}:{line}: ") and "\n" not in sentence and not (tmp_path / "out").exists(), sentence
    for fragment in fragments:
        assert fragment in sentence


# What somebody who knows calculus but no Python writes, and what the answer has to hold.
WORDS = [
    ("loss: half_squared_error", "loss: mean squared error", "did you mean 'mse'?"), ("loss: half_squared_error", "loss: log loss", "did you mean 'binary_cross_entropy'?"),
    ("loss: half_squared_error", "loss: hinge loss", "did you mean 'hinge'?"), ("learning_rate: 0.5", "learning_rate: 0.5\noptimizer: sgd", "did you mean 'gradient_descent'?"),
    ("activation: sigmoid", "activation: hyperbolic tangent", "did you mean 'tanh'?"), ("learning_rate: 0.5", "epochs: 5", "write train: {epochs: 50}"),
    ("title", "name", "did you mean 'title'?"), ("targets", "labels", "did you mean 'targets'?"), ("[0.35, 0.35]", "[0,35, 0,35]", "0,35 may be one number or two; a decimal has a point: 0.35"),
    ("b: [0.60]", "b: [0,60]", "if 0,60 is one number, write 0.60"), ("[0.05, 0.10]", "[0.05; 0.10]", "numbers are separated by commas"),
    ("[0.05, 0.10]", "(0.05, 0.10)", "a list has square brackets: [0.05, 0.10]"),
]
EXPRESSIONS = [
    ("2x", "a product is written with *"), ("x^2", "a power is written **"), ("e^x", "write exp(x) for e^x"), ('"|x|"', "write abs( ) for |"), ("x·x", "write * (of matrices @) for ·"),
    ("α*x", "write alpha for α"), ("λ*x", "write lam for λ"), ("x(x + 1)", "a product is written with *, as in x*(...)"), ("log10(x)", "write ln(x)/ln(10)"), ("np.exp(x)", "write exp(...)"),
    ("W^T @ x", "write .T for ^T"), ("W' @ x", "a transpose is written .T"), ("transpose(x)", "write W.T"), ("y + 1", "'y' stands in its own equation"), ("x/0", "division by zero"),
    ("f(x)", "needs its slope: given"), ("x % 2", "known are + - * / ** @"),
]


@pytest.mark.parametrize(("old", "new", "told"), WORDS)
def test_a_teachers_own_words_are_answered(old: str, new: str, told: str) -> None:
    text = TWO_LAYERS.replace(old, new, 1)
    with pytest.raises(SpecError) as caught:
        located = parse(text, "net.yaml")
        build(located.data, located)
    line = text[:text.index(new)].count("\n") + 1 + new.count("\n")
    assert told in str(caught.value) and str(caught.value).startswith(f"net.yaml:{line}: ")


@pytest.mark.parametrize(("written", "told"), EXPRESSIONS)
def test_mathematics_of_the_board_is_answered(written: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "f.yaml").write_text(f"equations:\n  y: {written}\n", encoding="utf-8")
    with pytest.raises(SpecError) as caught:
        produce(tmp_path / "f.yaml", tmp_path, Request(("json",)), lambda line: None)
    assert told in str(caught.value) and "f.yaml:2: equations y: " in str(caught.value)


def test_a_list_without_blanks_and_other_words_are_read() -> None:
    located = parse(TWO_LAYERS.replace("[0.05, 0.10]", "[1,2]").replace("activation: sigmoid", "activation: logistic", 1), "net.yaml")
    spec = build(located.data, located)
    assert spec.layers[0].activation == "sigmoid" and spec.inputs["x"] == (1, 2)


def test_the_way_round_a_singular_determinant_goes() -> None:
    written = {"equations": {"d": "A[0, 0]*A[1, 1] - A[0, 1]*A[1, 0]"}, "at": {"A": [[1, 2], [2, 4]]}}
    problem = problem_of(build(written))
    slopes = certify(plan(problem.network, ("matrix",)), problem.numbers()).values["d", "A"]
    assert slopes == [[4, -2], [-2, 1]]  # the cofactors


def test_the_two_layer_example() -> None:
    spec = read(TWO_LAYERS)
    assert (spec.title, spec.loss, spec.learning_rate) == ("Two layers, one training example", "half_squared_error", F(1, 2))
    assert spec.inputs == {"x": (F(1, 20), F(1, 10))} and spec.targets == {"y": (F(1, 100),)}
    first, second = spec.layers
    assert ((F("0.15"), F("0.20")), (F("0.25"), F("0.30"))) == first.W and first.b == (F("0.35"), F("0.35"))
    assert (second.units, second.activation, second.type, second.bias, second.W) == (1, "sigmoid", "dense", True, ((F("0.4"), F("0.45")),))
    assert (spec.reduction, spec.convention, spec.exact, spec.equations) == ("mean", "columns", False, {})
    assert spec.where("layers", 1, "W") == "net.yaml:6" and spec.where("loss") == "net.yaml:7"
    assert spec.names() == ["x", "y", "W1", "b1", "W2", "b2", "z1", "a1", "z2", "a2", "y_hat", "L"]
    assert {"dL/dW1", "dL/dy_hat", "W1_new", "z2"} <= set(spec.ask_names()) and "dL/dy" not in spec.ask_names()


def test_the_graph_example() -> None:
    spec = read(GRAPH)
    assert list(spec.equations.items()) == [("b", "4*a"), ("c", "b + 3"), ("d", "a + 2"), ("e", "c*d")]
    assert spec.at == {"a": F(3)} and spec.wrt == ("a",) and spec.exact and not spec.layers
    assert spec.names() == ["b", "c", "d", "e", "a"] and "de/da" in spec.ask_names()


def test_load_reads_a_file(tmp_path: Path) -> None:
    file = tmp_path / "graph.yaml"
    file.write_text(GRAPH, encoding="utf-8")
    assert load(file).where("at", "a") == f"{file}:3"
    with pytest.raises(SpecError, match="no such file; did you mean 'graph.yaml'?"):
        load(tmp_path / "grahp.yaml")
    with pytest.raises(SpecError, match="no such file; did you mean 'graph.yaml'?"):
        load(tmp_path / "graph")
    with pytest.raises(SpecError, match="no such file; check the name and the folder"):
        load(tmp_path / "other.yaml")


def layers_of(text: str) -> list[Layer]:
    return read(text).layers


def test_what_may_be_left_out_is_found() -> None:
    found = read("inputs: {x: {}}\ntargets: {y}\nloss: mse\nlayers:\n  - W: [[1, 2, 3]]\n  - {W: 4, b: -1/2}\n")
    assert found.inputs == {"x": Size(size=3)} and found.targets == {"y": Size(size=1)}
    assert [(layer.units, layer.bias) for layer in found.layers] == [(1, False), (1, True)]
    assert found.exact and found.names() == ["x", "y", "W1", "W2", "b2", "z1", "a1", "z2", "a2", "y_hat", "L"]
    assert [layer.units for layer in layers_of(net("units: 2, ", "", "units: 1, ", ""))] == [2, 1]
    assert layers_of(net("units: 2, ", "", W1 + ", ", ""))[0].units == 2  # from b
    turned = "inputs: {x: [1, 2]}\ntargets: {y: [1, 2, 3]}\nloss: mse\nconvention: rows\nlayers: [{W: [[1, 2, 3], [4, 5, 6]]}]\n"
    assert layers_of(turned)[0].units == 3


def test_symbolic_sizes_and_drawn_weights() -> None:
    found = read("inputs: {x: {size: 2, batch: n}}\ntargets: {y: {}}\nloss: mse\nlayers: [{units: 3}]\ninit: {scheme: he_normal, seed: 7}\n")
    assert found.targets == {"y": Size(size=3, batch="n")} and found.init == Init(scheme="he_normal", seed=7)
    assert found.layers == [Layer(units=3, bias=True)]
    batch = read(net("[0.05, 0.10]", "[[1, 2], [3, 4], [5, 6]]", "[0.01]", "{}"))
    assert batch.targets == {"y": Size(size=1, batch=3)}


def test_numbers_stay_exact() -> None:
    found = read(graph("{a: 3}", "{a: ln(3)}", "wrt: [a]", "wrt: a", "b: 4*a", "b: 4"))
    assert str(found.at["a"]) == "log(3)" and found.exact and found.wrt == ("a",)
    assert not read(graph("4*a", "0.5*a")).exact and not read(graph("{a: 3}", "{a: 3.0}")).exact
    assert read(graph("{a: 3}", "{a: [[1, 2], [3, 4]]}")).at == {"a": ((F(1), F(2)), (F(3), F(4)))}
    assert read(CHAIN).given == {"f'(x)": F(2), "g'(f(x))": F(3)}


def test_keys_that_yaml_takes_for_booleans_are_names() -> None:
    assert read("equations: {no: y*2, on: no + y}\nat: {y: 1}\n").names() == ["no", "on", "y"]


def test_from_python() -> None:
    data: dict[str, Any] = {"inputs": {"x": 2.0}, "targets": {"y": 1}, "loss": "mse", "layers": [{"W": F(3, 5), "b": "-0.3"}]}
    found = build(data)
    assert found.where("loss") == "" and not found.exact and found.layers == [Layer(units=1, W="0.6", b=F(-3, 10))]
    with pytest.raises(SpecError, match=r"^loss: unknown loss 'mes'; did you mean 'mse'\?$"):
        build({**data, "loss": "mes"})


def test_the_schema_documents_every_key() -> None:
    schema = Spec.model_json_schema()
    assert json.loads(json.dumps(schema)) == schema
    for model in (Spec, Layer, Init, Size):
        part = schema if model is Spec else schema["$defs"][model.__name__]
        assert set(part["properties"]) == set(model.model_fields)
        assert all(value.get("description") for value in part["properties"].values())
    for example in schema["examples"]:
        build(example)


def test_the_schema_needs_no_sympy() -> None:
    code = "import sys; from symbolic.spec import Spec; Spec.model_json_schema(); sys.exit('sympy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def answered(text: str) -> None:
    """A Spec or one SpecError, within a second."""
    start = time.perf_counter()
    try:
        assert isinstance(read(text), Spec)
    except SpecError as error:
        assert error.where.startswith("net.yaml:") and str(error).isprintable()
    assert time.perf_counter() - start < 1


@pytest.fixture(scope="module", autouse=True)
def _warm() -> None:
    """SymPy and the tables are imported once, outside the second that is measured."""
    read(net("0.20]", "sqrt(2)]"))


JUNK = st.sampled_from(["", "{}", "[]", "[[1], 2]", "~", "'", "\n", "\t", ": ", "- ", "x", "1e-3", "sqrt(2)", "lambda", "W1", "[", "}", ",",
                        "max(0, x)", "-1", "9**9**9", "\u00e9", "*a", "&a ", "!t ", "n", "{size: 2}", "1/0", "yes", "''", '"\\e"'])  # fmt: skip


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.sampled_from([TWO_LAYERS, GRAPH, CHAIN]), st.lists(st.tuples(st.floats(0, 1), st.integers(0, 12), JUNK), min_size=1, max_size=3))
def test_any_change_of_a_file_is_answered(text: str, changes: list[tuple[float, int, str]]) -> None:
    for place, length, junk in changes:
        start = int(place * len(text))
        text = text[:start] + junk + text[start + length :]
    answered(text)


@settings(deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_answered(text: str) -> None:
    answered(text)


KEYS = st.sampled_from([*Spec.model_fields, *Layer.model_fields, "x", "y", "size", "batch", "scheme"])
TREES = st.recursive(st.one_of(st.none(), st.sampled_from(["x", "1", "0.5", "dense", "relu", "mse", "rows", "x*y", "zeros"]), st.integers(-1, 3)),
                     lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=4)), max_leaves=12)  # fmt: skip


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.dictionaries(KEYS, TREES, max_size=5), st.sampled_from([TWO_LAYERS, GRAPH]))
def test_any_data_is_answered(data: dict[str, Any], base: str) -> None:
    for raw in (data, {**parse(base, "net.yaml").data, **data}):
        try:
            assert isinstance(build(raw), Spec)
        except SpecError as error:
            assert str(error).isprintable()
