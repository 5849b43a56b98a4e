"""The model of the YAML that a person writes: its keys, and the names that follow from them. `reading.specfile` reads and checks it."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from pydantic import ConfigDict, Field, PrivateAttr, WithJsonSchema, WrapValidator, model_validator

from .claims.claimtext import Claim, read_claims, schema as claims_schema
from .language.parse import names_in
from .reading import beyond, choices, training
from .reading.choices import NAMED, braces, named
from .reading.keys import LISTED, Keys, leaf_of
from .reading.numbers import Number, Values, leaf, parse_values, whole
from .reading.paths import Step
from .reading.yamltext import Located

# ------------------------------------------------------------------ values as they are read


def _batch(raw: object) -> int | str:
    return raw if isinstance(raw, str) and not raw[:1].isdigit() and raw[:1] != "-" else whole(raw)


def _value(raw: object, sizes: Callable[[object], Size]) -> Values | Size:
    """Numbers, or braces with sizes; nothing at all means that every size is to be found."""
    return sizes({} if raw is None else raw) if raw is None or isinstance(raw, (dict, Size)) else parse_values(raw)


_NUMBER: dict[str, Any] = {
    "anyOf": [{"type": "number"}, {"type": "string"}],
    "description": "0.5, -2, 1.0e-3, or exact: 1/3, sqrt(2), ln(3), exp(-1), 2*pi",
}
_LIST = {"type": "array", "items": _NUMBER, "minItems": 1}
_ARRAY: dict[str, Any] = {"anyOf": [_NUMBER, _LIST, {"type": "array", "items": _LIST, "minItems": 1}]}
_TEXT, _WHOLE = {"type": "string"}, {"type": "integer", "minimum": 1}


class _OrNumbers:
    """Says in the JSON Schema that numbers, or nothing, may stand in place of sizes."""

    def __get_pydantic_json_schema__(self, core: Any, handler: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
        return {"anyOf": [*_ARRAY["anyOf"], handler(core), {"type": "null"}]}


if TYPE_CHECKING:
    Array: TypeAlias = Values
    Scalar: TypeAlias = Number
    Rate: TypeAlias = Number
    Weight: TypeAlias = Number | None
    Value: TypeAlias = "Values | Size"
    Whole: TypeAlias = int
    Seed: TypeAlias = int
    Batch: TypeAlias = int | str
    Truth: TypeAlias = bool
    Residual: TypeAlias = int
    Share: TypeAlias = Number
    Extent: TypeAlias = "int | tuple[int, int]"
    Count: TypeAlias = int
    Expression: TypeAlias = str
    Activation: TypeAlias = str
    Named: TypeAlias = dict[str, Any]
    Rivals = Named
    Moves = Named
    Words: TypeAlias = tuple[str, ...]
    Claims: TypeAlias = tuple[Claim, ...]
else:  # as pydantic sees them
    Array, Scalar, Rate = leaf_of(parse_values, _ARRAY), leaf_of(leaf, _NUMBER), leaf_of(choices.positive, _NUMBER)
    Weight = leaf_of(choices.weight, {"anyOf": [_NUMBER, {"type": "object", "maxProperties": 0}, {"type": "null"}]})
    Whole, Batch = leaf_of(whole, _WHOLE), leaf_of(_batch, {"anyOf": [_WHOLE, _TEXT]})
    Seed = leaf_of(lambda raw: whole(raw, 0, 2**32 - 1), {"type": "integer", "minimum": 0})
    Truth, Expression = leaf_of(choices.truth, {"type": "boolean"}), leaf_of(choices.expression, {"anyOf": [_TEXT, {"type": "number"}]})
    Residual, Share = leaf_of(choices.residual, {"anyOf": [{"type": "boolean"}, _WHOLE]}), leaf_of(choices.share, _NUMBER)
    Extent = leaf_of(choices.extent, {"anyOf": [_WHOLE, {"type": "array", "items": _WHOLE, "minItems": 2, "maxItems": 2}]})
    Count = leaf_of(lambda raw: whole(raw, 0), {"type": "integer", "minimum": 0})
    Named = leaf_of(named, NAMED)
    Activation = Annotated[str, WithJsonSchema({"anyOf": [_TEXT, {"type": "object", "additionalProperties": _NUMBER, "maxProperties": 1}]})]
    Rivals, Moves = (leaf_of(braces(x), {"type": "object"}) for x in ("{learning_rate: [0.1, 0.5], steps: 10}", "{by: [{scale: 0.5}, {rotate: 30}]}"))
    Value = Annotated["Size", WrapValidator(_value), _OrNumbers()]
    Words = Annotated[tuple[str, ...], LISTED]
    Claims = leaf_of(read_claims, claims_schema(_NUMBER, _ARRAY))

# ------------------------------------------------------------------ the model


class Size(Keys):
    """Sizes in place of numbers; what is left out is found from the other shapes."""

    size: Whole | None = Field(default=None, description="Number of features of one example.", examples=[2])
    batch: Batch | None = Field(
        default=None, description="Number of examples, or a name for it; without it, one example.", examples=[4, "n"])


class Init(Keys):
    """Draw the weights that are not given."""

    scheme: str = Field(description="How weights are drawn.", examples=["glorot_uniform", "he_normal", "zeros"])
    seed: Seed = Field(default=0, description="The same seed draws the same weights.", examples=[0])

    @model_validator(mode="before")
    @classmethod
    def _alone(cls, data: Any) -> Any:
        return choices.scheme(data)


class Layer(Keys):
    """One layer: z = W a + b for the type dense, then the activation."""

    type: str = Field(default="dense", description="Kind of layer.", examples=["dense", "layer_norm", "conv2d", "rnn", "attention"])
    units: Whole | None = Field(default=None, description="Number of units; may be left out beside W or b.", examples=[2])
    activation: Activation = Field(default="identity", description="Activation function.", examples=["sigmoid", "softmax", {"leaky_relu": 0.1}])
    alpha: Rate | None = Field(default=None, description="leaky_relu: slope of the negative piece (1/100); elu: its size (1).", examples=[0.1])
    W: Array | None = Field(
        default=None, description="Weights, one row a unit (with convention: rows, one column a unit); left out: symbolic, or "
        "drawn by 'init'.", examples=[[[0.15, 0.20], [0.25, 0.30]]])
    b: Array | None = Field(
        default=None, description="Biases, one a unit; a layer with W and no b has no bias.", examples=[[0.35, 0.35]])
    bias: Truth = Field(default=True, description="Whether the layer has a bias.")
    weights: dict[str, Array] = Field(
        default_factory=dict, description="Parameters of other types of layers by name, such as gamma, U, W_q.", examples=[{"gamma": [1, 1]}])
    residual: Residual = Field(
        default=0, description="true, or how many layers back: adds that layer's input to the output.", examples=[True, 2])
    mask: Array | None = Field(default=None, description="dropout: 1 keeps a unit, 0 drops it.", examples=[[1, 0, 1]])
    rate: Share = Field(default=Fraction(1, 2), description="dropout: the share of units that are dropped; the others grow by 1/(1 - rate).")
    epsilon: Rate = Field(default=Fraction(1, 100_000), description="batch_norm, layer_norm: added to the variance under the root.")
    kernel: Extent | None = Field(default=None, description="conv1d, conv2d: size of the kernel, one number or [rows, columns].", examples=[[2, 2]])
    size: Extent | None = Field(default=None, description="max_pool, average_pool: size of the window.", examples=[2])
    stride: Whole | None = Field(default=None, description="Step of a kernel (1) or of a window (its size).")
    padding: Count = Field(default=0, description="conv1d, conv2d: zeros around the image.")
    vocabulary: Whole | None = Field(default=None, description="embedding: how many words there are.")
    causal: Truth = Field(default=False, description="attention: a position sees itself and those before it.")
    project: Truth = Field(default=False, description="attention: multiply the result by weights of its own, back to the size of the input.")

    @model_validator(mode="before")
    @classmethod
    def _with_alpha(cls, data: Any) -> Any:
        return choices.with_alpha(data)


_SAMPLES: list[Any] = [
    {"title": "Two layers, one training example", "inputs": {"x": [0.05, 0.10]}, "targets": {"y": [0.01]},
     "layers": [{"units": 2, "activation": "sigmoid", "W": [[0.15, 0.20], [0.25, 0.30]], "b": [0.35, 0.35]},
                {"units": 1, "activation": "sigmoid", "W": [[0.40, 0.45]], "b": [0.60]}],
     "loss": "half_squared_error", "learning_rate": 0.5},
    {"title": "A computational graph", "equations": {"b": "4*a", "c": "b + 3", "d": "a + 2", "e": "c*d"},
     "at": {"a": 3}, "wrt": ["a"]},
]  # fmt: skip


class Spec(Keys, beyond.Beyond, training.Trained):
    """One problem: a network (inputs, layers, loss, targets) or plain equations."""

    model_config = ConfigDict(extra="forbid", title="chainrule", json_schema_extra={"examples": _SAMPLES})

    title: str = Field(default="", description="Printed at the top of every page.")
    remarks: Words = Field(
        default=(), description="Sentences for the reader, printed at the top of the pages.", examples=[["The numbers are our own."]])
    inputs: dict[str, Value] = Field(
        default_factory=dict, description="Name and value of the input: numbers (a list is one example, a list of lists has one row an "
        "example) or sizes.", examples=[{"x": [0.05, 0.10]}, {"x": {"size": 2, "batch": "n"}}])
    targets: dict[str, Value] = Field(
        default_factory=dict, description="Name and value of the target, like inputs; {} leaves it symbolic. For losses over classes a "
        "whole number beside one example, or a flat list of them beside a batch, is the number of the class, counted from 0; anything "
        "else is taken as written.", examples=[{"y": [0.01]}, {"y": [2, 0, 1]}])
    layers: list[Layer] = Field(default_factory=list, description="The layers, first to last.")
    loss: str | None = Field(default=None, description="Loss function.", examples=["half_squared_error", "mse"])
    loss_options: dict[str, Scalar] = Field(
        default_factory=dict, description="Numbers of the loss: delta of huber (1), gamma of focal (2).", examples=[{"delta": 0.5}])
    regularization: dict[str, Weight] = Field(
        default_factory=dict, description="What keeps weights small, with its lambda: l2 (lambda/2 times the squares of all weights), ridge "
        "(lambda times them), l1 (lambda times their sizes); {} after the name leaves lambda symbolic.",
        examples=[{"l2": 0.01}, {"l1": 0.001}])
    learning_rate: Rate | None = Field(default=None, description="Step of the update; without it no update.", examples=[0.5])
    optimizer: Named | None = Field(
        default=None, description="How to go downhill: a name, or a name with steps, batch, order, seed and the options of its row; "
        "default: one step of gradient descent.", examples=["adam", {"name": "momentum", "beta": 0.9, "steps": 5}])
    schedule: Named | None = Field(
        default=None, description="How the learning rate changes with the step.", examples=[{"name": "step", "every": 2, "factor": "1/2"}])
    compare: Rivals | None = Field(
        default=None, description="Learning rates, or optimizers, side by side on the same loss.",
        examples=[{"learning_rate": [0.1, 0.5, 1.1], "steps": 10}])
    reduction: Literal["mean", "sum"] = Field(default="mean", description="Over the examples of a batch.")
    convention: Literal["columns", "rows"] = Field(
        default="columns", description="columns: z = W x, W is units x inputs; rows: Z = X W, W is inputs x units.")
    init: Init | None = Field(
        default=None, description="Draws the weights left out.", examples=[{"scheme": "glorot_uniform", "seed": 0}])
    equations: dict[str, Expression] = Field(
        default_factory=dict, description="Name and expression, in the order of computing; the last one is differentiated. Known are "
        "+ - * / ** @ .T and functions.", examples=[{"b": "4*a", "c": "b + 3"}])
    at: dict[str, Array] = Field(
        default_factory=dict, description="Numbers for names of the equations; a flat list is a column.", examples=[{"a": 3}])
    wrt: Words = Field(default=(), description="Names whose gradients are shown; default: all.", examples=[["W1"]])
    given: dict[str, Scalar] = Field(
        default_factory=dict, description="Values of unnamed functions and their slopes.", examples=[{"f'(x)": 2, "g'(f(x))": 3}])
    ask: Words = Field(
        default=(), description="Blanks of the worksheet; default: every value, gradient and updated parameter.",
        examples=[["y_hat", "dL/dW1"]])
    claims: Claims = Field(
        default=(), description="Published values and formulas for 'chainrule verify'; dV in a formula is the gradient of the output with "
        "respect to V. Every other command leaves them alone.", examples=[{"y_hat": 0.7514, "gradients": {"z2": 0.1385}, "dL/dW2": "dz2 @ a1.T"}])
    truth_table: Array | None = Field(
        default=None, description="Outputs of a gate for the inputs 00, 01, 10, 11 (or 000 to 111), in place of inputs and targets.",
        examples=[[0, 0, 0, 1]])
    transform: Moves | None = Field(
        default=None, description="Points of the plane (two rows; default: the unit square) moved by scale, rotate (degrees, counter-clockwise), "
        "shear, translate, matrix; in place of equations.", examples=[{"points": [[0, 1, 1], [0, 0, 1]], "by": [{"scale": 0.5}, {"rotate": -10}]}])
    normal_equations: Truth = Field(default=False, description="Solve a linear regression exactly, and say why gradient descent gets there.")
    collapse: Truth = Field(default=False, description="Show that layers without activation are one layer.")
    _located: Located | None = PrivateAttr(None)
    _stacked: tuple[list[str], list[str]] | None = PrivateAttr(None)  # all names and the parameters, where layers are not all dense
    _exact: bool = PrivateAttr(True)
    _open: bool = PrivateAttr(False)  # the size of the input is that of the data

    @property
    def is_network(self) -> bool:
        """Whether it has layers; otherwise it has equations."""
        return "layers" in self.model_fields_set

    @property
    def exact(self) -> bool:
        """Whether no number was written with a decimal point."""
        return self._exact

    def where(self, *path: Step) -> str:
        """File and line of a key, as in `spec.where("layers", 0, "W")`."""
        return self._located.where(*path) if self._located else ""

    def names(self) -> list[str]:
        """Every named value, in the order of computing."""
        if not self.is_network:
            return list(dict.fromkeys([*self.equations, *self.free_names()]))
        data = ["D"] * bool(self.regularization)
        if self._stacked:
            return [*self._stacked[0][:-1], *data, "L"]
        return [*self.inputs, *self.targets, *self.parameters(), *_values_of(self.layers), "y_hat", *data, "L"]

    def parameters(self) -> list[str]:
        """W1, b1, W2, ... of a network; the names that equations leave open."""
        if not self.is_network:
            return self.free_names()
        if self._stacked:
            return self._stacked[1]
        pairs = ((f"W{i}", f"b{i}" if layer.bias else "") for i, layer in enumerate(self.layers, 1))
        return [name for pair in pairs for name in pair if name]

    def free_names(self) -> list[str]:
        """The names used in equations that no equation defines."""
        equations = self.equations
        used = (name for text in equations.values() for name in names_in(text))
        return [name for name in dict.fromkeys(used) if name not in equations]

    def wrt_names(self) -> list[str]:
        """What a gradient may be taken with respect to."""
        without = {"L", *self.targets} if self.is_network else set()
        return [name for name in self.names() if name not in without]

    def ask_names(self) -> list[str]:
        """What a worksheet may ask for: values, gradients, updated parameters."""
        last = "L" if self.is_network else list(self.equations)[-1]
        moved = [name for name in self.parameters() if self.is_network or not self.wrt or name in self.wrt]
        updated: list[str] = [f"{name}_new" for name in moved] if self.learning_rate is not None else []
        return [*self.names(), *(f"d{last}/d{name}" for name in self.wrt_names()), *updated]


def _values_of(layers: list[Layer]) -> list[str]:
    return [f"{letter}{i}" for i in range(1, len(layers) + 1) for letter in "za"]
