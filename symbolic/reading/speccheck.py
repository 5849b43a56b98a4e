"""What has to fit together in a spec: names, sizes, words of the tables; one sentence for each mistake."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable, Mapping
from typing import Any

from ..claims.claimtext import check_formula, subject
from ..errors import SpecError, nearest
from ..functions import FUNCTIONS
from ..language.parse import CONSTANTS, known_functions, likely, names_in, synonyms
from ..layers import LAYERS, activations
from ..losses import LOSSES
from ..models.initial import INITS
from ..network import printed_names
from ..spec import Layer, Size, Spec
from . import specmodels
from .choices import short
from .givens import GIVEN
from .losscheck import check_loss
from .numbers import ValueProblem, shape
from .paths import Step
from .plans import planned, rivals
from .stackcheck import check_sizes

LONGEST_TITLE = 500
_NETWORK_ONLY = ("inputs", "targets", "loss", "loss_options", "regularization", "reduction", "convention", "init", "data")
_EQUATIONS_ONLY = ("at", "given")
_GENERATED = {"W": "weights", "b": "bias", "z": "pre-activation", "a": "activation"}


def _tables() -> dict[str, Mapping[str, Any]]:
    """The rows of activations, layer types, losses and ways to draw, by name."""
    return {"activation": activations(), "layer type": LAYERS, "loss": LOSSES, "scheme": INITS}


def check(spec: Spec) -> None:
    """Raise ValueProblem for the first thing that does not fit; fill in the sizes that follow from others."""
    if len(spec.title) > LONGEST_TITLE:
        raise ValueProblem(f"{len(spec.title):,} characters; at most {LONGEST_TITLE} fit a page", "title")
    specmodels.fill(spec)
    _check_form(spec)
    (_check_layers if spec.is_network else _check_equations)(spec)
    specmodels.check(spec)
    _check_descent(spec)
    _check_claims(spec)


def _check_descent(spec: Spec) -> None:
    """The keys optimizer, schedule and compare."""
    first = next(iter(spec.inputs.values()), None)
    examples = len(first) if isinstance(first, tuple) and len(shape(first)) == 2 else None
    compared = spec.compare is not None and spec.compare.get("learning_rate") is not None
    if spec.optimizer is not None and not (compared and spec.learning_rate is None):
        planned(spec.optimizer, spec.schedule, spec.learning_rate, examples)
    if spec.compare is not None:
        rivals(spec.compare, spec.optimizer, spec.schedule, spec.learning_rate, examples)
    elif spec.schedule is not None and spec.optimizer is None:
        raise ValueProblem("needs an optimizer", "schedule", hint="as in optimizer: {name: gradient_descent, steps: 5}")


def _check_form(spec: Spec) -> None:
    written = spec.model_fields_set
    if "layers" not in written and "equations" not in written:
        raise ValueProblem("neither layers nor equations; expected one of the two", hint="'chainrule new network net.yaml' writes a file to start from")
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
        raise ValueProblem(f"unknown {what} {short(name)}", *path, hint=nearest(name, names))


def _check_name(name: str, *path: Step) -> None:
    """A name that the board, Python and the functions leave free."""
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
        hint = likely(name) or ("write the name alone, as in f: x**2" if "(" in name else "a name begins with a letter, then a-z, 0-9 or _")
        raise ValueProblem(f"{short(name)} is not a name", *path, hint=hint)
    if keyword.iskeyword(name):
        raise ValueProblem(f"{name!r} is a word of Python", *path, hint=f"call it {_spare(name)}")
    if name in (*known_functions(), *CONSTANTS, "ones"):
        raise ValueProblem(f"{name!r} is the name of a function or constant", *path, hint=f"call it {name}_1")


def _spare(word: str) -> str:
    return "lam" if word == "lambda" else f"{word.lower()}_1"


def _check_listed(names: Iterable[str], valid: list[str], key: str, hint: str = "") -> None:
    for index, name in enumerate(names):
        if name not in valid:
            raise ValueProblem(f"{short(name)} is not known here", key, index, hint=hint or nearest(name, valid))


# ------------------------------------------------------------------ networks


def _check_layers(spec: Spec) -> None:
    if not spec.layers:
        raise ValueProblem("expected at least one layer", "layers", hint="for example [{units: 1, activation: sigmoid}]")
    for index, layer in enumerate(spec.layers):
        _check_words(layer, index)
    images = LAYERS[spec.layers[0].type].reads == "images"
    x_name, x = next(iter(spec.inputs.items())) if images and spec.inputs else _the_only(spec.inputs, "inputs", "input", "{x: [0.05, 0.10]}")
    y_name, y = _the_only(spec.targets, "targets", "target", "{y: [0.01]}")
    if spec.loss is None:
        raise ValueProblem("missing loss", "loss", hint=nearest("", _tables()["loss"]))
    _check_known("loss", spec.loss, "loss")
    check_loss(spec)
    if spec.init is not None:
        _check_known("scheme", spec.init.scheme, "init", "scheme")
    for key, name in (*(("inputs", n) for n in spec.inputs), ("targets", y_name)):
        _check_own_name(name, key, name)
        if spec.regularization and name in ("D", "lam", "lam_1", "lam_2"):
            raise ValueProblem(f"{name!r} is a name that regularization needs", key, name, hint="choose another, such as x or y")
    if y_name in spec.inputs:
        raise ValueProblem(f"{x_name!r} is already the name of the input", "targets", y_name, hint="call it y")
    for key, name, value in (("inputs", x_name, x), ("targets", y_name, y)):
        if isinstance(value, Size) and isinstance(value.batch, str):
            _check_own_name(value.batch, key, name, "batch")
            if value.batch in (x_name, y_name):
                raise ValueProblem(f"{value.batch!r} is already the name of a value", key, name, "batch", hint="call it n")
    check_sizes(spec)
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


def _check_words(layer: Layer, index: int) -> None:
    _check_known("layer type", layer.type, "layers", index, "type")
    row = LAYERS[layer.type]
    written = set(layer.model_fields_set)  # before a default is filled in
    if "activation" not in written:
        layer.activation = row.activation
        layer.model_fields_set.discard("activation")
    layer.activation = synonyms().get(layer.activation, layer.activation)
    _check_known("activation", layer.activation, "layers", index, "activation")
    if layer.alpha is not None and layer.activation not in (known := [n for n, row in FUNCTIONS.items() if row.general]):
        raise ValueProblem(f"{layer.activation} has no alpha to choose", "layers", index, "alpha", hint=f"{' and '.join(known)} have one")
    alpha = () if "activation" in row.without else ("alpha",)
    own = {"type", "activation", *alpha, "residual", "weights", *(("units", "W", "b", "bias") if row.sized else ()), *row.options} - {"ids", *row.without}
    for key in sorted(written - own):
        raise ValueProblem(f"a layer of type {layer.type} has no {key!r}", "layers", index, key, hint=f"it has {', '.join(sorted(own))}")
    if layer.type == "dense" and layer.weights:
        raise ValueProblem("a dense layer has W and b", "layers", index, "weights", hint="write W: and b: in its place")


def _check_ask(spec: Spec) -> None:
    valid = spec.ask_names()
    needs_rate = any(name.endswith("_new") and name[:-4] in spec.parameters() for name in spec.ask)
    without = spec.learning_rate is None and needs_rate
    _check_listed(spec.ask, valid, "ask", "an updated parameter needs 'learning_rate'" if without else "")


def _check_claims(spec: Spec) -> None:
    """Every claim is about something that the spec has, and every formula can be read."""
    if not spec.claims:
        return
    batches = [v.batch for v in (*spec.inputs.values(), *spec.targets.values()) if isinstance(v, Size) and isinstance(v.batch, str)]
    names = list(dict.fromkeys([*spec.names(), *(printed_names(spec.names()) if len(spec.layers) == 1 else ()), *batches]))
    output = "L" if spec.is_network else list(spec.equations)[-1]
    unnamed = frozenset(match[1] for key in spec.given if (match := GIVEN.fullmatch(key)))
    for claim in spec.claims:
        if claim.group in ("notes", "rounding"):
            continue
        try:
            subject(claim.name, names, output, claim.group)
            if claim.formula:
                check_formula(claim.formula, names, unnamed)
        except ValueProblem as problem:
            raise ValueProblem(problem.sentence, "claims", *claim.path, hint=problem.hint) from None


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
            used = names_in(text)
        except SpecError as error:
            raise ValueProblem(error.sentence, "equations", name, hint=error.hint) from None
        if name in used:
            raise ValueProblem(f"{name!r} stands in its own equation", "equations", name, hint=f"a new value has a name of its own, as in {name}_1: {text}")
    free = spec.free_names()
    for name in free:
        _check_name(name, "equations", next(n for n, text in equations.items() if name in names_in(text)))
    for name in spec.at:
        _check_name(name, "at", name)
        if name in equations:
            raise ValueProblem(f"{name!r} is computed by its equation", "at", name, hint="delete one of the two")
        if name not in free:
            raise ValueProblem(f"{name!r} is not used by any equation", "at", name, hint=nearest(name, free) if free else "they use no name")
    for key in spec.given:
        _check_given(key)
    _check_listed(spec.wrt, spec.wrt_names(), "wrt")
    _check_ask(spec)


def _check_given(key: str) -> None:
    match = GIVEN.fullmatch(key)
    if match is None or match[3].count("(") != match[3].count(")"):
        hint = "use the straight ' of the keyboard" if re.search("[\u2019\u2032\u00b4`]", key) else ""
        raise ValueProblem(f"{short(key)} is not understood", "given", key, hint=hint or "write \"f'(x)\" or \"g'(f(x))\"")
    if len(match[2]) > 1:
        raise ValueProblem("only first derivatives can be given", "given", key, hint=f"write {match[1]}'({match[3]})")
    if match[1] in known_functions():
        raise ValueProblem(f"{match[1]!r} has a formula of its own", "given", key, hint="use a name such as f, g or h")
