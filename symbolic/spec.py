"""The YAML that a person writes, as one checked model.

`load` reads a file; `build` takes the same data from a Python program. Whatever is wrong is
answered by one SpecError: where, which key, what was expected, the nearest valid name.

>>> spec = build({"inputs": {"x": [2]}, "targets": {"y": [1]}, "loss": "mse",
...               "layers": [{"activation": "sigmoid", "W": [["0.6"]], "b": ["-0.3"]}]})
>>> spec.layers[0].W, spec.layers[0].units, spec.exact
(((Fraction(3, 5),),), 1, False)
>>> spec.names()
['x', 'y', 'W1', 'b1', 'z1', 'a1', 'y_hat', 'L']
>>> build({"equations": {"y": "x**2"}, "wrt": ["u"]})
Traceback (most recent call last):
symbolic.errors.SpecError: wrt, entry 1: 'u' is not known here; valid names: y, x
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, PrivateAttr, ValidationError
from pydantic import WithJsonSchema, WrapValidator, model_validator

from .errors import SpecError, nearest
from .numbers import Number, ValueProblem, Values, is_decimal, leaf, parse_values, shape, whole
from .yamltext import Located, Step, one_line, read, spoken

# ------------------------------------------------------------------ values as they are read


def _batch(raw: object) -> int | str:
    return raw if isinstance(raw, str) and not raw[:1].isdigit() and raw[:1] != "-" else whole(raw)


def _truth(raw: object) -> bool:
    words = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
    if str(raw).lower() not in words:
        raise ValueProblem(f"expected true or false, not {_short(raw)}")
    return words[str(raw).lower()]


def _expression(raw: object) -> str:
    if raw is None:
        raise ValueProblem("the expression is missing", hint='an expression with a comma needs quotes: "max(0, x)"')
    if isinstance(raw, (list, tuple, dict)):
        raise ValueProblem("expected an expression, not a list or braces", hint="numbers of a name go under 'at'")
    return str(raw).strip()


def _positive(raw: object) -> Number:
    number = leaf(raw)
    if not float(number) > 0:
        raise ValueProblem(f"expected a positive number, not {_short(raw)}")
    return number


def _value(raw: object, sizes: Callable[[object], Size]) -> Values | Size:
    """Numbers, or braces with sizes; nothing at all means that every size is to be found."""
    return sizes({} if raw is None else raw) if raw is None or isinstance(raw, (dict, Size)) else parse_values(raw)


def _words(raw: object) -> object:
    return [raw] if isinstance(raw, str) else raw  # `wrt: a` for `wrt: [a]`


def _short(raw: object) -> str:
    text = "a list" if isinstance(raw, (list, tuple)) else "braces" if isinstance(raw, dict) else repr(str(raw))
    text = "nothing" if raw is None else text
    return text if len(text) <= 60 else text[:57] + "..."


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
    Value: TypeAlias = "Values | Size"
    Whole: TypeAlias = int
    Seed: TypeAlias = int
    Batch: TypeAlias = int | str
    Truth: TypeAlias = bool
    Expression: TypeAlias = str
    Words: TypeAlias = tuple[str, ...]
else:  # as pydantic sees them; Any with one function each keeps its start-up short

    def _leaf(function, schema):
        return Annotated[Any, PlainValidator(function), WithJsonSchema(schema)]

    Array, Scalar, Rate = _leaf(parse_values, _ARRAY), _leaf(leaf, _NUMBER), _leaf(_positive, _NUMBER)
    Whole, Batch = _leaf(whole, _WHOLE), _leaf(_batch, {"anyOf": [_WHOLE, _TEXT]})
    Seed = _leaf(lambda raw: whole(raw, 0, 2**32 - 1), {"type": "integer", "minimum": 0})
    Truth, Expression = _leaf(_truth, {"type": "boolean"}), _leaf(_expression, {"anyOf": [_TEXT, {"type": "number"}]})
    Value = Annotated["Size", WrapValidator(_value), _OrNumbers()]
    Words = Annotated[tuple[str, ...], BeforeValidator(_words)]

# ------------------------------------------------------------------ the model


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, data: Any) -> Any:
        """`W:` with nothing after it says the same as no W."""
        if not isinstance(data, Mapping):
            return data
        return {key: value for key, value in data.items() if value is not None or key not in cls.model_fields}


class Size(_Part):
    """Sizes in place of numbers; what is left out is found from the other shapes."""

    size: Whole | None = Field(default=None, description="Number of features of one example.", examples=[2])
    batch: Batch | None = Field(
        default=None, description="Number of examples, or a name for it; without it, one example.", examples=[4, "n"])


class Init(_Part):
    """Draw the weights that are not given."""

    scheme: str = Field(description="How weights are drawn.", examples=["glorot_uniform", "he_normal", "zeros"])
    seed: Seed = Field(default=0, description="The same seed draws the same weights.", examples=[0])


class Layer(_Part):
    """One layer: z = W a + b, then the activation."""

    type: str = Field(default="dense", description="Kind of layer.", examples=["dense"])
    units: Whole | None = Field(default=None, description="Number of units; may be left out beside W or b.", examples=[2])
    activation: str = Field(default="identity", description="Activation function.", examples=["sigmoid", "relu", "softmax"])
    W: Array | None = Field(
        default=None, description="Weights, one row a unit (with convention: rows, one column a unit); left out: symbolic, or "
        "drawn by 'init'.", examples=[[[0.15, 0.20], [0.25, 0.30]]])
    b: Array | None = Field(
        default=None, description="Biases, one a unit; a layer with W and no b has no bias.", examples=[[0.35, 0.35]])
    bias: Truth = Field(default=True, description="Whether the layer has a bias.")


_SAMPLES: list[Any] = [
    {"title": "Two layers, one training example", "inputs": {"x": [0.05, 0.10]}, "targets": {"y": [0.01]},
     "layers": [{"units": 2, "activation": "sigmoid", "W": [[0.15, 0.20], [0.25, 0.30]], "b": [0.35, 0.35]},
                {"units": 1, "activation": "sigmoid", "W": [[0.40, 0.45]], "b": [0.60]}],
     "loss": "half_squared_error", "learning_rate": 0.5},
    {"title": "A computational graph", "equations": {"b": "4*a", "c": "b + 3", "d": "a + 2", "e": "c*d"},
     "at": {"a": 3}, "wrt": ["a"]},
]  # fmt: skip


class Spec(_Part):
    """One problem: a network (inputs, layers, loss, targets) or plain equations."""

    model_config = ConfigDict(extra="forbid", title="chainrule", json_schema_extra={"examples": _SAMPLES})

    title: str = Field(default="", description="Printed at the top of every page.")
    inputs: dict[str, Value] = Field(
        default_factory=dict, description="Name and value of the input: numbers (a list is one example, a list of lists has one row an "
        "example) or sizes.", examples=[{"x": [0.05, 0.10]}, {"x": {"size": 2, "batch": "n"}}])
    targets: dict[str, Value] = Field(
        default_factory=dict, description="Name and value of the target, like inputs; {} leaves it symbolic.", examples=[{"y": [0.01]}])
    layers: list[Layer] = Field(default_factory=list, description="The layers, first to last.")
    loss: str | None = Field(default=None, description="Loss function.", examples=["half_squared_error", "mse"])
    learning_rate: Rate | None = Field(default=None, description="Step of the update; without it no update.", examples=[0.5])
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
    _located: Located | None = PrivateAttr(None)
    _exact: bool = PrivateAttr(True)

    @model_validator(mode="wrap")
    @classmethod
    def _checked(cls, data: Any, handler: Callable[[Any], Spec]) -> Spec:
        spec = handler(data)
        if isinstance(data, Mapping):
            spec._exact = not any(_has_decimal(data.get(key)) for key in _WITH_NUMBERS)
        _check_form(spec)
        (_check_layers if spec.is_network else _check_equations)(spec)
        return spec

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
        return [*self.inputs, *self.targets, *self.parameters(), *_values_of(self.layers), "y_hat", "L"]

    def parameters(self) -> list[str]:
        """W1, b1, W2, ... of a network; the names that equations leave open."""
        if not self.is_network:
            return self.free_names()
        pairs = ((f"W{i}", f"b{i}" if layer.bias else "") for i, layer in enumerate(self.layers, 1))
        return [name for pair in pairs for name in pair if name]

    def free_names(self) -> list[str]:
        """The names used in equations that no equation defines."""
        equations = self.equations
        used = (name for text in equations.values() for name in _parser().names_in(text))
        return [name for name in dict.fromkeys(used) if name not in equations]

    def wrt_names(self) -> list[str]:
        """What a gradient may be taken with respect to."""
        without = {"L", *self.targets} if self.is_network else set()
        return [name for name in self.names() if name not in without]

    def ask_names(self) -> list[str]:
        """What a worksheet may ask for: values, gradients, updated parameters."""
        last = "L" if self.is_network else list(self.equations)[-1]
        updated: list[str] = [f"{name}_new" for name in self.parameters()] if self.learning_rate is not None else []
        return [*self.names(), *(f"d{last}/d{name}" for name in self.wrt_names()), *updated]


def _values_of(layers: list[Layer]) -> list[str]:
    return [f"{letter}{i}" for i in range(1, len(layers) + 1) for letter in "za"]


_WITH_NUMBERS = ("inputs", "targets", "layers", "learning_rate", "equations", "at", "given")


def _has_decimal(raw: object) -> bool:
    if isinstance(raw, Mapping):
        return any(map(_has_decimal, raw.values()))
    if isinstance(raw, (list, tuple)):
        return any(map(_has_decimal, raw))
    return isinstance(raw, float) or (isinstance(raw, str) and is_decimal(raw))


# ------------------------------------------------------------------ from a file, from Python


def load(path: Path | str) -> Spec:
    """The model of a file; SpecError with file and line for whatever is wrong with it."""
    located = read(path)
    return build(located.data, located)


def build(data: Mapping[str, Any], located: Located | None = None) -> Spec:
    """The model of data as YAML would give it: text, numbers, lists, dicts."""
    try:
        spec = Spec.model_validate(data)
    except ValidationError as error:
        where = located.where if located else lambda *path: ""
        raise _first(error, where) from None
    spec._located = located
    return spec


def _first(error: ValidationError, where: Callable[..., str]) -> SpecError:
    """The mistake to report: a misspelt key first (others follow from it), then the uppermost."""
    found = [_problem(e) for e in error.errors(include_url=False)]
    misspelt = [e for e in found if e.sentence.startswith("unknown key")]
    chosen = min(misspelt or found, key=lambda e: int((where(*e.path).rsplit(":", 1) or "0")[-1] or 0))
    key = spoken(chosen.path[:-1] if misspelt else chosen.path)
    sentence = f"{key}: {chosen.sentence}" if key else chosen.sentence
    return SpecError(one_line(sentence), where=where(*chosen.path), hint=one_line(chosen.hint))


_BELONGS = {"lr": "learning_rate", "eta": "learning_rate", "alpha": "learning_rate", "weights": "W", "biases": "b",
            "neurons": "units", "cost": "loss", "function": "activation"}  # fmt: skip
_EXPECTED = (
    ("dict", "expected keys with values, as in {x: 2}"),
    ("model", "expected keys with values, as in {units: 2}"),
    ("tuple", "expected a list of names, as in [a, b]"),
    ("list", "expected a list, as in [a, b]"),
    ("string", "expected one word or text"),
    ("missing", "this key is missing"),
)


def _problem(error: Any) -> ValueProblem:
    """Pydantic's finding in our words; `path` is the whole way from the top of the file."""
    path, kind = tuple(error["loc"]), error["type"]
    own = error.get("ctx", {}).get("error")
    if isinstance(own, ValueProblem):
        return ValueProblem(own.sentence, *path, *own.path, hint=own.hint)
    if kind == "extra_forbidden":
        return ValueProblem(f"unknown key {_short(path[-1])}", *path, hint=_nearest_key(path))
    if kind == "literal_error":
        choices = re.findall(r"'(\w+)'", error["ctx"]["expected"])
        return ValueProblem(f"unknown value {_short(error['input'])}", *path, hint=nearest(str(error["input"]), choices))
    sentence = next((s for prefix, s in _EXPECTED if kind.startswith(prefix)), "this value is not understood")
    return ValueProblem(sentence + ("" if kind == "missing" else f", not {_short(error['input'])}"), *path)


def _nearest_key(path: tuple[Step, ...]) -> str:
    levels: dict[str, type[BaseModel]] = {"layers": Layer, "init": Init, "inputs": Size, "targets": Size}
    model = levels.get(str(path[0]), Spec) if len(path) > 1 else Spec
    key = str(path[-1])
    key = _BELONGS.get(key, key)
    if key not in model.model_fields and key in Layer.model_fields:
        return f"{key!r} belongs to a layer"
    return nearest(key, model.model_fields)


# ------------------------------------------------------------------ what has to fit together

_NETWORK_ONLY = ("inputs", "targets", "loss", "reduction", "convention", "init")
_EQUATIONS_ONLY = ("at", "given")
_GENERATED = {"W": "weights", "b": "bias", "z": "pre-activation", "a": "activation"}
_GIVEN = re.compile(r"\s*([A-Za-z]\w*)\s*('*)\s*\((.+)\)\s*")


def _parser() -> Any:
    from . import parse  # late: it imports SymPy, and the JSON Schema needs none

    return parse


def _tables() -> dict[str, list[str]]:
    """The valid names of activations, layer types, losses and ways to draw."""
    from . import network

    return {"activation": network.activations(), "layer type": list(network.LAYERS), "loss": list(network.LOSSES),
            "scheme": list(network.INITS)}  # fmt: skip


def _check_form(spec: Spec) -> None:
    written = spec.model_fields_set
    if "layers" not in written and "equations" not in written:
        raise ValueProblem("neither layers nor equations; expected one of the two", hint="see 'chainrule schema'")
    if "layers" in written and "equations" in written:
        raise ValueProblem("expected layers or equations, not both", "equations", hint="delete one of the two")
    form, other, keys = ("layers", "equations", _EQUATIONS_ONLY) if spec.is_network else (
        "equations", "layers", _NETWORK_ONLY)  # fmt: skip
    for key in keys:
        if key in written:
            raise ValueProblem(f"belongs to files with {other}, and this one has {form}", key, hint="delete it")


def _check_known(what: str, name: str, *path: Step) -> None:
    names = _tables()[what]
    if name not in names:
        raise ValueProblem(f"unknown {what} {_short(name)}", *path, hint=nearest(name, names))


def _check_name(name: str, *path: Step) -> None:
    """A name that the board, Python and the functions leave free."""
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
        hint = "a name begins with a letter, then a-z, 0-9 or _; Greek letters are spelt: alpha"
        raise ValueProblem(f"{_short(name)} is not a name", *path, hint=hint)
    if keyword.iskeyword(name):
        raise ValueProblem(f"{name!r} is a word of Python", *path, hint=f"call it {_spare(name)}")
    if name in (*_parser().known_functions(), *_parser().CONSTANTS, "ones"):
        raise ValueProblem(f"{name!r} is the name of a function or constant", *path, hint=f"call it {name}_1")


def _spare(word: str) -> str:
    return "lam" if word == "lambda" else f"{word.lower()}_1"


def _check_listed(names: Iterable[str], valid: list[str], key: str, hint: str = "") -> None:
    for index, name in enumerate(names):
        if name not in valid:
            raise ValueProblem(f"{_short(name)} is not known here", key, index, hint=hint or nearest(name, valid))


# ------------------------------------------------------------------ networks


def _check_layers(spec: Spec) -> None:
    x_name, x = _the_only(spec.inputs, "inputs", "input", "{x: [0.05, 0.10]}")
    y_name, y = _the_only(spec.targets, "targets", "target", "{y: [0.01]}")
    if not spec.layers:
        raise ValueProblem("expected at least one layer", "layers", hint="for example [{units: 1, activation: sigmoid}]")
    if spec.loss is None:
        raise ValueProblem("missing loss", "loss", hint=nearest("", _tables()["loss"]))
    _check_known("loss", spec.loss, "loss")
    if spec.init is not None:
        _check_known("scheme", spec.init.scheme, "init", "scheme")
    for key, name in (("inputs", x_name), ("targets", y_name)):
        _check_own_name(name, key, name)
    if x_name == y_name:
        raise ValueProblem(f"{x_name!r} is already the name of the input", "targets", y_name, hint="call it y")
    for key, name, value in (("inputs", x_name, x), ("targets", y_name, y)):
        if isinstance(value, Size) and isinstance(value.batch, str):
            _check_own_name(value.batch, key, name, "batch")
            if value.batch in (x_name, y_name):
                raise ValueProblem(f"{value.batch!r} is already the name of a value", key, name, "batch", hint="call it n")
    features, examples = _size_of(x)
    for index, layer in enumerate(spec.layers):
        _check_words(layer, index)
        width = _Width(layer, index, rows=spec.convention == "rows")
        features = width.check(features, x if index == 0 else None, ("inputs", x_name))
    _check_target(y, ("targets", y_name), features or 1, examples)
    _check_listed(spec.wrt, spec.wrt_names(), "wrt")
    _check_ask(spec)


def _the_only(found: dict[str, Any] | None, key: str, what: str, example: str) -> tuple[str, Any]:
    if not found:
        raise ValueProblem(f"missing {what}", key, hint=f"write {key}: {example}")
    if len(found) > 1:
        raise ValueProblem(f"expected one {what}, not {len(found)}", key, list(found)[1], hint=f"write {key}: {example}")
    return next(iter(found.items()))


def _check_own_name(name: str, *path: Step) -> None:
    """Beside `_check_name`: not one of the names that a network gets by itself."""
    _check_name(name, *path)
    meaning = {"L": "the loss", "y_hat": "the prediction", "eta": "the learning rate"}.get(name)
    if numbered := re.fullmatch(r"([WbzaZA])(\d+)", name):
        meaning = f"the {_GENERATED.get(numbered[1], _GENERATED.get(numbered[1].lower()))} of layer {numbered[2]}"
    if meaning:
        raise ValueProblem(f"{name!r} is the name of {meaning}", *path, hint="choose another, such as x, y or n")


def _size_of(value: Values | Size) -> tuple[int | None, int | str | None]:
    """Features of one example, and how many examples (None: a single one)."""
    if isinstance(value, Size):
        return value.size, value.batch
    size = shape(value)
    return (size[1], size[0]) if len(size) == 2 else (size[0] if size else 1, None)


def _check_words(layer: Layer, index: int) -> None:
    _check_known("layer type", layer.type, "layers", index, "type")
    _check_known("activation", layer.activation, "layers", index, "activation")


class _Width:
    """The sizes of one dense layer: given, or found from W or b."""

    def __init__(self, layer: Layer, index: int, *, rows: bool) -> None:
        self.layer, self.index, self.rows = layer, index, rows
        self.w = None if layer.W is None else shape(layer.W) or (1, 1)
        self.b = None if layer.b is None else shape(layer.b) or (1,)
        self.order = "one row an input, one column a unit" if rows else "one row a unit, one column an input"

    def problem(self, key: str, sentence: str, hint: str = "") -> ValueProblem:
        return ValueProblem(sentence, "layers", self.index, *([key] if key else []), hint=hint)

    def check(self, fan_in: int | None, x: Any, x_path: tuple[Step, ...]) -> int:
        """The number of units; fills in what was left out, also the size of the input."""
        self.check_bias()
        if self.w and len(self.w) == 1:
            hint = "write two pairs of brackets, as in [[0.40, 0.45]]"
            raise self.problem("W", f"expected a list of rows ({self.order})", hint)
        units = self.units(fan_in)
        if fan_in is None:
            if self.w is None:
                raise ValueProblem("the number of features cannot be found out", *x_path, hint="write {size: 2}")
            fan_in = self.w[0 if self.rows else 1]
            if isinstance(x, Size):
                x.size = fan_in
        self.check_weights(units, fan_in)
        if self.b and self.b != (units,):
            raise self.problem("b", f"{_times(self.b)}, expected {units} (one a unit)",
                               "a bias is a flat list" if len(self.b) == 2 else "")  # fmt: skip
        if units == 1 and self.layer.activation in _vector_functions():
            raise self.problem("activation", f"{self.layer.activation} of a single unit is always the same",
                               "it needs at least 2 units")  # fmt: skip
        self.layer.units = units
        return units

    def check_bias(self) -> None:
        layer = self.layer
        if layer.b is not None and not layer.bias:
            raise self.problem("bias", "false, but b is given", "delete one of the two")
        if layer.W is not None and layer.b is None:
            if layer.bias and "bias" in layer.model_fields_set:
                raise self.problem("bias", "true, and W is given without b", "give b, or leave bias out")
            layer.bias = False  # a layer with W and no b has no bias

    def units(self, fan_in: int | None) -> int:
        if self.layer.units is not None:
            return self.layer.units
        if self.w is not None:
            turned = fan_in is not None and self.w[0 if self.rows else 1] != fan_in == self.w[1 if self.rows else 0]
            return self.w[1 if self.rows != turned else 0]
        if self.b is not None:
            return self.b[0]
        raise self.problem("", "missing units", "write the number of units, as in units: 2")

    def check_weights(self, units: int, fan_in: int) -> None:
        expected = (fan_in, units) if self.rows else (units, fan_in)
        if self.w is None or self.w == expected:
            return
        hint = ""
        if self.w == expected[::-1]:
            hint = "it is transposed: " + ("leave out" if self.rows else "turn it, or write") + " 'convention: rows'"
        raise self.problem("W", f"{_times(self.w)}, expected {_times(expected)} ({self.order})", hint)


def _vector_functions() -> Iterable[str]:
    from .functions import VECTOR_FUNCTIONS

    return VECTOR_FUNCTIONS


def _times(size: tuple[int, ...]) -> str:
    return " x ".join(map(str, size)) if len(size) == 2 else f"{size[0]} number{'s' * (size[0] != 1)}"


def _check_target(y: Values | Size, path: tuple[Step, ...], units: int, examples: int | str | None) -> None:
    if isinstance(y, Size):  # what is left out is as the network has it
        y.size = units if y.size is None else y.size
        y.batch = examples if y.batch is None else y.batch
    size, batch = _size_of(y)
    if batch is None and examples is not None:
        hint = "write one row an example: [[1], [0]]" if not isinstance(y, Size) else ""
        raise ValueProblem(f"expected {examples} rows, one an example, as in the input", *path, hint=hint)
    if batch != examples:
        expected = "a single example" if examples is None else f"{examples} examples"
        raise ValueProblem(f"examples: {batch}, but the input has {expected}", *path)
    if size != units:
        raise ValueProblem(f"{_times((size or 0,))} an example, expected {units} (one a unit of the last layer)", *path)


def _check_ask(spec: Spec) -> None:
    valid = spec.ask_names()
    needs_rate = any(name.endswith("_new") and name[:-4] in spec.parameters() for name in spec.ask)
    without = spec.learning_rate is None and needs_rate
    _check_listed(spec.ask, valid, "ask", "an updated parameter needs 'learning_rate'" if without else "")


# ------------------------------------------------------------------ equations


def _check_equations(spec: Spec) -> None:
    equations = spec.equations
    if not equations:
        raise ValueProblem("expected at least one equation", "equations", hint="as in {y: x**2}")
    for name, text in equations.items():
        _check_name(name, "equations", name)
        for word in re.findall(r"(?<![\w.])[A-Za-z]+", text):
            if keyword.iskeyword(word):
                raise ValueProblem(f"{word!r} is a word of Python", "equations", name, hint=f"call it {_spare(word)}")
        try:
            _parser().names_in(text)
        except SpecError as error:
            raise ValueProblem(error.sentence, "equations", name, hint=error.hint) from None
    free = spec.free_names()
    for name in spec.at:
        _check_name(name, "at", name)
        if name in equations:
            raise ValueProblem(f"{name!r} is computed by its equation", "at", name, hint="delete one of the two")
        if name not in free:
            raise ValueProblem(f"{name!r} is not used by any equation", "at", name, hint=nearest(name, free))
    for key in spec.given:
        _check_given(key)
    _check_listed(spec.wrt, spec.wrt_names(), "wrt")
    _check_ask(spec)


def _check_given(key: str) -> None:
    match = _GIVEN.fullmatch(key)
    if match is None or match[3].count("(") != match[3].count(")"):
        hint = "use the straight ' of the keyboard" if re.search("[\u2019\u2032\u00b4`]", key) else ""
        raise ValueProblem(f"{_short(key)} is not understood", "given", key, hint=hint or "write \"f'(x)\" or \"g'(f(x))\"")
    if len(match[2]) > 1:
        raise ValueProblem("only first derivatives can be given", "given", key, hint=f"write {match[1]}'({match[3]})")
    if match[1] in _parser().known_functions():
        raise ValueProblem(f"{match[1]!r} has a formula of its own", "given", key, hint="use a name such as f, g or h")
