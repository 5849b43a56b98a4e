"""The readable NumPy of a program, and running it as it is.

A runner takes the arrays of ``program.leaves`` in order and returns the loss and the gradients in order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy

from ..language.rows import numpy_names
from ..language.run import load
from .passes import Line, parsed, quick, shared, typed_for
from .program import Program

Arrays = Sequence[Any]


class Runner(Protocol):
    """One way to run a program."""

    source: str

    def run(self, leaves: Arrays) -> tuple[float, list[Any]]:
        """The loss and new arrays of gradients."""

    def bound(self, leaves: Arrays, data: int, into: Arrays) -> Callable[..., float]:
        """A function of the first so many leaves, for their shapes: the loss, with the gradients written into arrays; the other leaves are read where they stand."""


def copying(runner: Runner, leaves: Arrays, data: int, into: Arrays) -> Callable[..., float]:
    """What a runner is bound to by copying its gradients."""
    parameters = leaves[data:]

    def run(*given: Any) -> float:
        loss, found = runner.run([*given, *parameters])
        for own, gradient in zip(into, found, strict=True):
            own[...] = gradient
        return loss

    return run


def lines_of(program: Program, dtype: str = "float64") -> list[Line]:
    """The statements of a program as lines: quick forms, typed numbers, nothing computed twice."""
    lines = [Line(s.name, typed_for(quick(parsed(s.code)), dtype)) for s in program.statements]
    return shared(lines, frozenset(program.sizes()))


def preamble(program: Program) -> list[str]:
    """The index tables that the lines read."""
    return [f"{name} = np.array({cells})" for name, cells in program.tables.items()]


def size_lines(program: Program) -> list[str]:
    """The symbolic sizes that the lines read, from the shapes of what is given."""
    return [f"{size} = {program.names[name]}.shape[{axis}]" for size, (name, axis) in program.sizes().items()]


def function(name: str, arguments: Sequence[str], body: Sequence[str]) -> str:
    """The source of a function."""
    return "\n".join([f"def {name}({', '.join(arguments)}):", *(f"    {line}" for line in body)]) + "\n"


def space(dtype: str) -> dict[str, Any]:
    """What the generated lines may use."""
    return {"np": numpy, **numpy_names()}


class NumpyRunner:
    """The readable program, allocating what it needs."""

    def __init__(self, program: Program, dtype: str) -> None:
        lines = lines_of(program, dtype)
        results = [program.names[program.loss], *program.gradients.values()]
        arguments = [program.names[n] for n in program.leaves]
        self.source = "\n".join([*preamble(program), *([""] * bool(program.tables)), function(
            "loss_and_gradients", arguments, [*size_lines(program), *map(str, lines), f"return {', '.join(results)}"])])
        self._run = load(self.source, space(dtype))["loss_and_gradients"]

    def run(self, leaves: Arrays) -> tuple[float, list[Any]]:
        with numpy.errstate(all="ignore"):
            loss, *gradients = self._run(*leaves)
        return float(loss), gradients

    def bound(self, leaves: Arrays, data: int, into: Arrays) -> Callable[..., float]:
        return copying(self, leaves, data, into)


def forward_function(program: Program, dtype: str, known: frozenset[str]) -> Callable[..., dict[str, Any]]:
    """A function from the known values to all values of the forward pass that they determine, by the network's names."""
    have, kept = set(known), []
    for s in program.forward:
        if s.expr.names - set(program.network.sizes) <= have:
            have.add(s.of)
            kept.append(s)
    part = replace(program, statements=tuple(kept))
    body = [f"{d} = {program.names[n]}.shape[{axis}]" for d, (n, axis) in part.sizes(known).items()]
    body += [*map(str, lines_of(part, dtype)), f"return {', '.join(s.name for s in kept)}" + ("," if kept else "()")]
    names = [n for n in program.leaves if n in known]
    source = "\n".join([*preamble(part), function("forward", [program.names[n] for n in names], body)])
    run = load(source, space(dtype))["forward"]
    return lambda values: dict(zip([s.of for s in kept], run(*(values[n] for n in names)), strict=True))
