"""The keys of a spec that ask for more than the gradient: modes, second derivatives, a constraint."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, WithJsonSchema

from ..check.adapter import Adapter
from .choices import expression
from .numbers import Values, parse_values, whole

EVERY = ["*"]  # `hessian: true`


def _names(raw: object) -> object:
    """`hessian: x` for `hessian: [x]`, and true for every name."""
    if isinstance(raw, bool) or str(raw).lower() in ("true", "false"):
        return EVERY if str(raw).lower() == "true" else []
    return [raw] if isinstance(raw, str) else list(dict.fromkeys(raw)) if isinstance(raw, list) and all(isinstance(x, str) for x in raw) else raw


def _read(read: Callable[[Any], Any], schema: dict[str, Any]) -> Any:
    return Annotated[Any, PlainValidator(read), WithJsonSchema(schema)]


if TYPE_CHECKING:
    Names: TypeAlias = tuple[str, ...]
    Numbers: TypeAlias = Values
    Steps: TypeAlias = int
    Constraint: TypeAlias = str
else:
    Names = Annotated[tuple[str, ...], BeforeValidator(_names), WithJsonSchema(
        {"anyOf": [{"type": "boolean"}, {"type": "string"}, {"type": "array", "items": {"type": "string"}}]})]
    Numbers = _read(parse_values, {"anyOf": [{"type": "number"}, {"type": "string"}, {"type": "array", "minItems": 1}]})
    Steps = _read(whole, {"type": "integer", "minimum": 1})
    Constraint = _read(expression, {"type": "string"})


class Newton(BaseModel):
    """Newton's method from the given point."""

    model_config = ConfigDict(extra="forbid")

    steps: Steps = Field(default=3, description="How many steps.", examples=[3])


class Lagrange(BaseModel):
    """The last equation's largest and smallest values under a constraint."""

    model_config = ConfigDict(extra="forbid")

    constraint: Constraint = Field(description="An expression that must be 0, or an equation.", examples=["x + y - 1", "x + y = 1"])


class Beyond(BaseModel):
    """What may be asked for beyond the gradient."""

    granularity: Literal["equation", "primitive"] = Field(
        default="equation", description="primitive: one operation (+ - * /, one function) a line, with names v1, v2, ...")
    modes: Names = Field(default=(), description="Sweeps shown node by node: forward, reverse; true: both.", examples=[["forward", "reverse"]])
    hessian: Names = Field(default=(), description="Names whose second derivatives are shown; true: all.", examples=[["x", "y"], True])
    direction: dict[str, Numbers] = Field(
        default_factory=dict, description="Slope and curvature along this direction, scaled to length 1.", examples=[{"x": 1, "y": 2}])
    hvp: dict[str, Numbers] = Field(default_factory=dict, description="The Hessian times this vector.", examples=[{"x": 1, "y": 0}])
    newton: Newton | None = Field(default=None, description="Newton's method.", examples=[{"steps": 3}])
    check: Adapter | None = Field(
        default=None, description="How students' files are called by 'chainrule check', where that is not found from the file itself.",
        examples=[{"returns": ["dW1", "db1"]}, {"rename": {"kernel_a": "W1"}}])
    lagrange: Lagrange | None = Field(default=None, description="A Lagrange multiplier.", examples=[{"constraint": "x + y - 1"}])


LEVELS: dict[str, type[BaseModel]] = {"newton": Newton, "lagrange": Lagrange, "check": Adapter}  # keys that hold keys
WITH_NUMBERS = ("direction", "hvp")
