"""The model of a problem file: what stands in it, and one located sentence for whatever is wrong with it.

>>> made = read_text('''
... title: The slope of a square
... topics: [chain rule]
... parameters: {a: [2, 3, 5]}
... spec: {equations: {y: "x**2"}, at: {x: "{a}"}}
... text: "Let {{ equations }} and `x = {{ a }}`."
... ask: [{find: dy/dx, points: 2}]
... ''', "square.yaml")
>>> made.title, made.ask[0].kind, made.parameters["a"]["values"]
('The slope of a square', 'find', ['2', '3', '5'])
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, Field, PrivateAttr, ValidationError, field_validator, model_validator

from ..errors import SpecError, nearest
from ..reading.choices import short
from ..reading.keys import LISTED, TRUTH, Keys, first, listed, mistakes, within
from ..reading.numbers import ValueProblem, whole
from ..reading.paths import Step
from ..reading.yamltext import Kind, Located, parse, read
from ..slips import SLIPS
from .spaces import names_in, space

MOST_ASKED = 8
MOST_OPTIONS = 8
# What can be asked, in the words of the file; problems.kinds and problems.verdicts say how each is answered.
KINDS = ("find", "choose", "formula", "choose_formula", "select", "order", "error_in", "code", "count", "shape", "gate", "separable", "fate", "rate", "judge")


class Statement(Keys):
    """A sentence that is true or false of a variant: the condition decides."""

    say: str = Field(description="The sentence.", examples=["The first hidden unit is active."])
    when: str = Field(description="When it is true: a comparison that holds for every entry.", examples=["z1[0] > 0"])
    because: str = Field(default="", description="The reason, for the key.")


class Ask(Keys):
    """One thing that is asked: exactly one of the keys of ``KINDS``."""

    find: str | None = Field(default=None, description="Numbers: a value, a gradient, a Jacobian, an updated parameter.", examples=["y_hat", "dL/dW1", "W1_new"])
    choose: str | None = Field(default=None, description="The same as single choice; the wrong options are real mistakes.", examples=["dL/dw"])
    formula: str | None = Field(default=None, description="A gradient in symbols, by the names of the forward pass and of the gradients before it.", examples=["dL/dz1"])
    choose_formula: str | None = Field(default=None, description="The same as single choice.", examples=["dL/dW1"])
    select: list[Statement] | None = Field(default=None, description="Multiple choice: which sentences are true.")
    order: str | None = Field(default=None, description="The steps back to a gradient, to be put in order.", examples=["dL/dW1"])
    error_in: str | None = Field(default=None, description="A derivation of this gradient with one mistake: which line is wrong?", examples=["dL/dW1"])
    code: str | None = Field(default=None, description="Write the backward pass in NumPy; the value names the function.", examples=["backward"])
    count: str | None = Field(default=None, description="A count: parameters, equations, steps, or operations.", examples=["parameters"])
    shape: str | None = Field(default=None, description="Rows and columns of a value or a gradient.", examples=["dL/dW1"])
    gate: str | None = Field(default=None, description="Single choice: the name of the gate whose truth table this value is.", examples=["y"])
    separable: str | None = Field(default=None, description="Whether any perceptron computes this truth table, with weights or a proof.", examples=["y"])
    fate: str | None = Field(default=None, description="Single choice: what gradient descent does on this quadratic loss with the learning rate of the spec.", examples=["L"])
    rate: str | None = Field(default=None, description="The learning rate of the last step by the schedule.", examples=["last"])
    judge: str | None = Field(default=None, description="Lines on the way to this gradient, some of them wrong: which are right?", examples=["dL/dW1"])
    say: str = Field(default="", description="The question in words; without it a plain sentence.")
    points: Annotated[int | None, within(0, 100)] = Field(default=None, description="Points of this part.")
    marks: dict[str, int] = Field(default_factory=dict, description="Points for each step of the solution, in place of points.", examples=[{"z": 1, "dL/dz": 2, "dL/dw": 1}])
    mistakes: list[str] = Field(default_factory=list, description="Mistakes to list, by name; without it those that matter here.", examples=[["output-slope", "sign"]])
    options: Annotated[int, within(2, MOST_OPTIONS)] = Field(default=4, description="How many options a single choice has.")

    @model_validator(mode="before")
    @classmethod
    def _one_kind(cls, data: Any) -> Any:
        if isinstance(data, Mapping) and not set(data) - set(cls.model_fields):
            kinds = [k for k in KINDS if data.get(k) is not None]
            if len(kinds) != 1:
                raise ValueProblem(f"expected one of {', '.join(KINDS)}" + (f", not {' and '.join(kinds)}" if kinds else ""))
        return data

    @field_validator("marks", mode="before")
    @classmethod
    def _marks(cls, raw: object) -> dict[str, int]:
        if not isinstance(raw, Mapping) or not raw:
            raise ValueProblem("expected steps with points", hint="as in {z: 1, dL/dz: 2}")
        return {str(k): _under(k, whole, v, 0, 100) for k, v in raw.items()}

    @field_validator("mistakes", mode="before")
    @classmethod
    def _mistakes(cls, raw: object) -> object:
        names = listed(raw)
        for k, name in enumerate(names if isinstance(names, list) else []):
            if name not in SLIPS:
                raise ValueProblem(f"{short(name)} is no mistake known here", k, hint=nearest(str(name), SLIPS))
        return names

    @property
    def kind(self) -> str:
        """Which of ``KINDS`` it is."""
        return next(k for k in KINDS if getattr(self, k) is not None)

    @property
    def target(self) -> str:
        """What is asked for, as written."""
        return str(getattr(self, self.kind))

    @property
    def worth(self) -> int:
        """Its points: those of its steps where they are given."""
        return sum(self.marks.values()) if self.marks else 1 if self.points is None else self.points


def _under(key: Any, reader: Callable[..., Any], raw: Any, *more: Any) -> Any:
    try:
        return reader(raw, *more)
    except ValueProblem as e:
        raise ValueProblem(e.sentence, key, *e.path, hint=e.hint) from None


class ProblemFile(Keys):
    """One problem of the bank, with its parameters still open."""

    title: str = Field(description="A short name for lists and keys.")
    topics: Annotated[list[str], LISTED] = Field(description="What it is about.", examples=[["one neuron", "chain rule"]])
    parameters: dict[str, Any] = Field(default_factory=dict, description="Name and space of every parameter, or {is: an expression of those above}.")
    where: Annotated[list[str], LISTED] = Field(default_factory=list, description="Comparisons that every draw must satisfy.", examples=[["{a} != {b}", "z1 <= 4"]])
    active: dict[str, list[int]] = Field(default_factory=dict, description="Which entries of a value are positive (1), which negative (0).", examples=[{"z1": [1, 0]}])
    spec: dict[str, Any] = Field(description="The network or the equations, as for 'chainrule derive', with {parameters} for numbers and names.")
    text: str = Field(default="{{ equations }}\n\n{{ numbers }}", description="The question: {{ parameter }}, {{ equations }}, {{ numbers }}, and `formulas` between backticks.")
    ask: list[Ask] = Field(description="What is asked.")
    digits: Annotated[int, within(3, 12)] = Field(default=4, description="Significant digits of answers.")
    zeros: Annotated[bool, TRUTH] = Field(default=False, description="Whether an answer may be zero.")
    level: str = Field(default="", description="Where it belongs in a course: first, second, advanced.")
    _located: Located | None = PrivateAttr(None)
    _name: str = PrivateAttr("")

    @field_validator("parameters", mode="before")
    @classmethod
    def _parameters(cls, raw: object) -> dict[str, Any]:
        """Every space as braces; every name in an expression stands above it."""
        if not isinstance(raw, Mapping):
            raise ValueProblem("expected names with spaces", hint="as in {a: [1, 2, 3]}")
        out: dict[str, Any] = {}
        for name, value in raw.items():
            if not str(name).isidentifier() or name in RESERVED:
                raise ValueProblem(f"{short(name)} cannot be the name of a parameter", str(name), hint="a letter, then letters, digits or _")
            if isinstance(value, Mapping) and "is" in value:
                if set(value) != {"is"}:
                    raise ValueProblem("expected 'is' alone", str(name), hint='as in {is: "{a} + {b}"}')
                for used in sorted(names_in(value["is"])):
                    if used not in out:
                        raise ValueProblem(f"{{{used}}} is no parameter above this one", str(name), "is", hint=nearest(used, out) if out else "")
                bare = next((w for w in re.findall(r"\w+", re.sub(r"\{[^}]*\}", "", str(value["is"]))) if w in out), "")
                if bare:
                    raise ValueProblem(f"the parameter {bare} stands there without braces", str(name), "is", hint=f"write {{{bare}}}")
                out[str(name)] = dict(value)
            else:
                _under(str(name), space, value)
                out[str(name)] = {"values": value} if isinstance(value, (list, tuple)) else dict(value)
        return out

    @field_validator("active", mode="before")
    @classmethod
    def _active(cls, raw: object) -> object:
        if not isinstance(raw, Mapping):
            raise ValueProblem("expected names with 0 and 1", hint="as in {z1: [1, 0]}")
        return {k: [_under(k, whole, v, 0, 1) for v in (row if isinstance(row, (list, tuple)) else [row])] for k, row in raw.items()}

    @model_validator(mode="after")
    def _complete(self) -> ProblemFile:
        for k, text in enumerate(self.where):
            try:
                condition(text)
            except ValueProblem as e:
                raise ValueProblem(e.sentence, "where", k, hint=e.hint) from None
        if not self.ask or len(self.ask) > MOST_ASKED:
            raise ValueProblem(f"expected 1 to {MOST_ASKED} parts", "ask")
        for key in ("spec", "where", "text"):
            unknown = sorted(names_in(getattr(self, key)) - set(self.parameters)) if key != "text" else []
            if unknown:
                raise ValueProblem(f"{{{unknown[0]}}} is no parameter", key, hint=nearest(unknown[0], self.parameters) if self.parameters else "")
        return self

    @property
    def name(self) -> str:
        """The name of its file, without the ending."""
        return self._name

    def where_is(self, *path: Step) -> str:
        """File and line of a key."""
        return self._located.where(*path) if self._located else ""

    @property
    def points(self) -> int:
        """The points of all parts."""
        return sum(a.worth for a in self.ask)


KIND = Kind("it needs 'title:', 'topics:', 'spec:' and 'ask:', as 'chainrule new problem' writes them")
RESERVED = ("equations", "numbers", "update")  # what the wording calls the blocks of the problem


def load(path: Path) -> ProblemFile:
    """The problem of a file; SpecError with file and line for whatever is wrong with it."""
    return _made(read(path, KIND), path.stem)


def read_text(text: str, file: str) -> ProblemFile:
    """The same for a text at hand."""
    return _made(parse(text, file, KIND), Path(file).stem)


def _made(located: Located, name: str) -> ProblemFile:
    try:
        made = ProblemFile.model_validate(located.data)
    except ValidationError as error:
        raise first_mistake(error, located, _model_at) from None
    made._located, made._name = located, name
    return made


def _model_at(path: tuple[Step, ...]) -> type[BaseModel]:
    return Ask if path[0] == "ask" and len(path) == 3 else Statement if path[0] == "ask" else ProblemFile


def first_mistake(error: ValidationError, located: Located, model_at: Callable[[tuple[Step, ...]], type[BaseModel]]) -> SpecError:
    """The mistake to report. model_at: whose keys are valid at a path."""
    return first(mistakes(error, lambda path: nearest(str(path[-1]), model_at(path).model_fields)), located.where, _spoken)


def _spoken(path: tuple[Step, ...]) -> str:
    """A path in words: ask, entry 1, mistakes, entry 2."""
    return "".join(f", entry {s + 1}" if isinstance(s, int) else f"{' ' if k and isinstance(path[k - 1], str) else ', ' if k else ''}{s}"
                   for k, s in enumerate(path))


def condition(text: str) -> tuple[str, str, str]:
    """The two sides of a comparison and its sign. Raises ValueProblem.

    >>> condition("z1 <= 4")
    ('z1', '<=', '4')
    """
    parts = re.split(r"\s*(<=|>=|!=|==|<|>)\s*", text.strip())
    if len(parts) != 3 or not parts[0] or not parts[2]:
        raise ValueProblem(f"{short(text)} is no comparison", hint="as in z1 <= 4 or {a} != {b}")
    return parts[0], parts[1], parts[2]

