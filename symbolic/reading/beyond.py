"""The keys of a spec that ask for more than the gradient: modes, second derivatives, a constraint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, Field, WithJsonSchema

from ..check.adapter import Adapter
from .choices import expression
from .keys import Keys, leaf_of
from .numbers import Values, parse_values, whole

EVERY = ["*"]  # `hessian: true`


def _names(raw: object) -> object:
    """`hessian: x` for `hessian: [x]`, and true for every name."""
    if isinstance(raw, bool) or str(raw).lower() in ("true", "false"):
        return EVERY if str(raw).lower() == "true" else []
    return [raw] if isinstance(raw, str) else list(dict.fromkeys(raw)) if isinstance(raw, list) and all(isinstance(x, str) for x in raw) else raw


if TYPE_CHECKING:
    Names: TypeAlias = tuple[str, ...]
    Numbers: TypeAlias = Values
    Steps: TypeAlias = int
    Constraint: TypeAlias = str
else:
    Names = Annotated[tuple[str, ...], BeforeValidator(_names), WithJsonSchema(
        {"anyOf": [{"type": "boolean"}, {"type": "string"}, {"type": "array", "items": {"type": "string"}}]})]
    Numbers = leaf_of(parse_values, {"anyOf": [{"type": "number"}, {"type": "string"}, {"type": "array", "minItems": 1}]})
    Steps = leaf_of(whole, {"type": "integer", "minimum": 1})
    Constraint = leaf_of(expression, {"type": "string"})


class Newton(Keys):
    """Newton's method from the given point."""

    steps: Steps = Field(default=3, description="How many steps.", examples=[3])


class Lagrange(Keys):
    """The last equation's largest and smallest values under a constraint."""

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
