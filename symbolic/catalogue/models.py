"""Whole models, methods and primitive operations as rows: each is a spec such as a person writes, and everything follows from it.

>>> problem(MODELS["perceptron"]).network.equations[0].rhs
<W1 @ x + b1>
>>> sorted(OPERATIONS)
['add', 'divide', 'matrix_multiply', 'multiply', 'subtract']
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from .. import problem as problems
from ..lesson import plan
from ..reading import specfile
from ..verify import Certified, certify

Data = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Model:
    """A row that is a spec. because: the idea in a sentence; used: where it is met; convention, warning: what a page must add;
    sections: whether the parts beside the derivation are shown too; numpy: what the method does with the gradient g and the Hessian H.
    """

    name: str
    data: Data
    because: str
    used: str
    convention: str = ""
    warning: str = ""
    sections: bool = False
    numpy: tuple[str, ...] = ()


def _net(x: Any, layers: list[Data], loss: str, **more: Any) -> Data:
    return {"inputs": {"x": x}, "targets": {"y": more.pop("y", {})}, "layers": layers, "loss": loss, **more}


def _rows(*rows: Model) -> dict[str, Model]:
    return {r.name: r for r in rows}


ONE, BATCH, ROWS = {"size": 2}, {"size": 2, "batch": "n"}, "one row an example"

MODELS: dict[str, Model] = _rows(
    Model("linear_regression", _net({"size": 1, "batch": "n"}, [{"units": 1}], "mse", convention="rows"),
          "A straight line through n points: one slope W and one intercept b, found by making the mean squared error small.",
          "predicting a number", convention=ROWS),
    Model("multiple_regression", _net({"size": 3, "batch": "n"}, [{"units": 1}], "mse", convention="rows"),
          "Several features, each with a weight of its own, and one intercept.", "predicting a number from several", convention=ROWS),
    Model("matrix_regression", _net({"size": 3, "batch": "n"}, [{"units": 2}], "mse", convention="rows"),
          "Y = XW + b: several outputs at once, one column of W for each.", "predicting several numbers", convention=ROWS),
    Model("ridge_regression", _net({"size": 3, "batch": "n"}, [{"units": 1}], "mse", convention="rows", regularization={"ridge": {}}),
          "Linear regression that also pays for large weights.", "regression with few examples or features that are alike", convention=ROWS),
    Model("perceptron", _net(ONE, [{"units": 1, "activation": "step"}], "half_squared_error"),
          "One unit that fires where the weighted sum of its inputs exceeds a threshold.", "gates such as AND, OR and NAND",
          warning="the step has slope zero, so that no gradient reaches the weights: gates are set by hand or by the perceptron rule"),
    Model("logistic_regression", _net(BATCH, [{"units": 1, "activation": "sigmoid"}], "binary_cross_entropy"),
          "One sigmoid unit: the probability of one of two classes.", "yes-or-no questions; the smallest neural network"),
    Model("softmax_regression", _net(BATCH, [{"units": 3, "activation": "softmax"}], "cross_entropy"),
          "Logistic regression with more than two classes: a softmax of one score for each.", "one class of several"),
    Model("two_layer_network", _net(BATCH, [{"units": 3, "activation": "sigmoid"}, {"units": 1, "activation": "sigmoid"}], "binary_cross_entropy"),
          "A hidden layer between input and output: the smallest network that backpropagation is needed for.", "patterns that no straight line parts"),
    Model("xor_network", _net(ONE, [{"units": 2, "activation": "relu"}, {"units": 1, "activation": "sigmoid"}], "binary_cross_entropy"),
          "Two hidden units are enough for XOR, which no single perceptron can do.", "the example that made hidden layers necessary"),
    Model("average_network", _net(BATCH, [{"units": 3, "activation": "sigmoid", "bias": False}, {"type": "average"}], "mse", convention="rows"),
          "Hidden units whose mean is the output, without weights of its own.", "examples by hand", convention=ROWS),
    Model("deep_linear_network", _net(ONE, [{"units": 3}, {"units": 1}], "half_squared_error", collapse=True),
          "Layers without activation: however many there are, together they are one layer.", "showing why activations are needed", sections=True),
    Model("residual_network", _net(ONE, [{"units": 2, "activation": "tanh", "residual": True}, {"units": 1}], "half_squared_error"),
          "The input of a layer is added to its output, so that the gradient has a second way back.", "very deep networks (He and others, 2015)"),
    Model("convolutional_network", _net({"size": 4, "batch": 4}, [{"type": "conv2d", "kernel": 2, "activation": "relu"}, {"type": "max_pool", "size": 2, "stride": 1},
                                                                  {"type": "flatten"}, {"units": 1, "activation": "sigmoid"}], "binary_cross_entropy"),
          "A kernel slides over the picture, pooling keeps the strongest answers, a dense layer decides.", "pictures", convention="the picture is 4 by 4"),
    Model("recurrent_network", _net({"size": 1, "batch": 3}, [{"type": "rnn", "units": 2}, {"units": 1}], "half_squared_error"),
          "The same cell at each of three time steps; gradients of the shared weights add up over time.", "sequences of numbers"),
    Model("lstm_network", _net({"size": 1, "batch": 2}, [{"type": "lstm", "units": 2}, {"units": 1}], "half_squared_error"),
          "A recurrent network with gates, here over two time steps, and a dense layer.", "longer sequences"),
    Model("word_classifier", _net([2, 0, 1], [{"type": "embedding", "units": 2, "vocabulary": 4}, {"units": 3, "activation": "softmax"}], "cross_entropy",
                                  y=[0, 2, 1]),
          "A vector for every word, and a softmax over the classes.", "texts", convention="a text of three words out of four, and three classes"),
    Model("transformer_block", _net({"size": 3, "batch": 3}, [{"type": "attention", "units": 2, "project": True, "residual": True}, {"type": "layer_norm"},
                                                              {"units": 4, "activation": "relu"}, {"units": 3, "residual": 2}, {"type": "layer_norm"}],
                                    "mse", convention="rows"),
          "Attention, then two dense layers, each with a residual connection and layer norm.", "language models (Vaswani and others, 2017)",
          convention="one row a position, three positions; layer norm behind each sum"),
)

METHODS: dict[str, Model] = _rows(
    Model("newton", {"equations": {"f": "x**4 + x*y + (1 + y)**2"}, "at": {"x": 0.75, "y": -1.25}, "newton": {"steps": 3}},
          "Newton's method goes to the point at which the parabola that fits the function here has the slope zero.",
          "small problems, where the Hessian can be afforded", sections=True, numpy=("x, y = np.array([x, y]) - np.linalg.solve(H, g)",)),
    Model("hessian", {"equations": {"f": "x**2 - y**2 + x*y"}, "at": {"x": 0, "y": 0}, "hessian": True},
          "The Hessian holds all second derivatives; its eigenvalues say in which directions a function curves up or down.",
          "minima, maxima and saddles", sections=True, numpy=("eigenvalues, directions = np.linalg.eigh(H)",)),
    Model("directional_derivative", {"equations": {"f": "x**2 + 3*y**2"}, "at": {"x": 1, "y": 1}, "direction": {"x": 3, "y": 4}},
          "The slope along a direction is the inner product of the gradient with it; it is largest along the gradient itself.",
          "steepest ascent and descent", sections=True,
          numpy=("v = np.array([3, 4])", "u = v / np.linalg.norm(v)", "slope = g @ u", "curvature = u @ H @ u", "ascent = g / np.linalg.norm(g)")),
    Model("lagrange", {"equations": {"A": "4*x*y"}, "lagrange": {"constraint": "x**2 + y**2 = 1"}},
          "Where a function is largest under a constraint, its gradient is a multiple of the gradient of the constraint.",
          "optimization with a side condition", sections=True),
    Model("normal_equations", _net([[1], [2], [3], [4]], [{"units": 1, "W": [[0]], "b": [0]}], "mse", y=[[2], [3], [5], [6]], convention="rows", normal_equations=True),
          "A linear regression solved exactly: where the gradient is zero, the weights solve a linear system.", "regression without gradient descent",
          sections=True, convention=ROWS, numpy=("D = np.hstack([x, np.ones((len(x), 1))])", "theta = np.linalg.solve(D.T @ D, D.T @ y)")),
)

OPERATIONS: dict[str, Model] = _rows(
    Model("add", {"equations": {"c": "a + b"}}, "A sum passes the gradient on unchanged to both terms.", "every graph"),
    Model("subtract", {"equations": {"c": "a - b"}}, "A difference passes the gradient on to the first term, and turns its sign for the second.", "every error"),
    Model("multiply", {"equations": {"c": "a*b"}}, "A product sends to each factor the gradient times the other factor.", "every weight"),
    Model("divide", {"equations": {"c": "a/b"}}, "A quotient has the slope one over the denominator, and minus numerator over denominator squared.", "means and softmax"),
    Model("matrix_multiply", {"equations": {"C": "A @ B"}, "at": {"A": [[1, 2], [3, 4]], "B": [[1, 0], [2, 1]]}},
          "The error signal is multiplied by the transpose of the other factor, from the side on which it stood.", "every layer"),
)


@cache
def problem(row: Model) -> problems.Problem:
    """The problem that a row states."""
    return problems.build(specfile.build(dict(row.data)))


@cache
def derived(row: Model) -> Certified:
    """All gradients of the parameters of a row (of plain equations: of every name), certified; with numbers where its sections need them."""
    found = problem(row)
    lesson = plan(found.network, ("index", "matrix") if not found.network.layers else ("matrix",), wrt=tuple(found.network.names("parameter")))
    return certify(lesson, found.numbers() if row.sections else None)
