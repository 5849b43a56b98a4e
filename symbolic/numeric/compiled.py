"""compile(network): loss and gradients as a function of arrays, from the steps that the pages print.

>>> from ..layers import stack
>>> from ..network import LayerPlan
>>> compiled = compile(stack(("x", 2), "y", [LayerPlan(1, "sigmoid")], "half_squared_error"), backend="numpy")
>>> print(compiled.source)
def loss_and_gradients(x, y, W1, b1):
    z1 = (W1 @ x)[0, 0] + b1
    a1 = 1 / (1 + np.exp(-z1))
    t1 = a1 - y
    L = 0.5 * t1**2
    da1 = t1
    dz1 = da1 * a1 * (1 - a1)
    dW1 = dz1 * x.T
    db1 = dz1
    return L, dW1, db1
<BLANKLINE>
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import numpy

from ..derive import Derivation
from ..errors import ShapeError, SpecError, nearest
from ..expr import show_shape
from ..network import Network
from .backends import BACKENDS, runner_for
from .buffers import MOST_SHAPES
from .program import Program, program
from .scalar import Entries
from .sources import forward_function

DTYPES = ("float64", "float32")


class Compiled:
    """Loss and gradients as a function of numbers.

    program: the statements; backend: the way it runs; source: the code that runs, as a person would type it.
    """

    def __init__(self, made: Program, dtype: str, backend: str, batch: int | None) -> None:
        self.program, self.dtype = made, dtype
        self._type = numpy.dtype(dtype)
        self.backend, self._runner = runner_for(made, dtype, backend, batch)
        self._call = getattr(self._runner, "call", None)
        self._shapes = [(n, made.network.symbols[n].shape) for n in made.leaves]
        self._forward: dict[frozenset[str], Callable[..., dict[str, Any]]] = {}

    @property
    def source(self) -> str:
        """The code that runs."""
        return self._runner.source

    @cached_property
    def _constants(self) -> dict[str, Any]:
        return {n: self._array(n, v) for n, v in self.program.network.constants.items()}

    def __call__(self, values: Mapping[str, Any]) -> tuple[float, dict[str, Any]]:
        """The loss, and new arrays of the gradients by the network's names.

        values: numbers or arrays by the network's names, in its shapes. Raises SpecError for a missing name, ShapeError
        for a shape that does not fit.
        """
        if self._call is not None and (found := self._call(values)) is not None:
            return found  # type: ignore[no-any-return]
        loss, gradients = self._runner.run(self.arrays(values))
        return loss, dict(zip(self.program.gradients, gradients, strict=True))

    def floats(self, *numbers: float) -> tuple[float, ...]:
        """Plain numbers in and out, in the order of ``arguments`` and ``results``; only of the backend 'floats', where it is the quickest way."""
        return self._floats(*numbers)

    @cached_property
    def _floats(self) -> Any:
        runner = self._runner if hasattr(self._runner, "floats") else BACKENDS["floats"](self.program, self.dtype)
        self.__dict__["floats"] = runner.floats  # type: ignore[attr-defined]  # the next call goes straight there
        return self.floats

    @cached_property
    def arguments(self) -> tuple[str, ...]:
        """The names of the numbers that ``floats`` takes."""
        return tuple(Entries(self.program).arguments)

    @cached_property
    def results(self) -> tuple[str, ...]:
        """The names of the numbers that ``floats`` gives: the loss, then every entry of every gradient."""
        return tuple(Entries(self.program).results)

    def bind(self, values: Mapping[str, Any], into: Mapping[str, Any] | None = None) -> Bound:
        """The program tied to these very arrays: for training, where parameters change in place.

        into: arrays for the gradients (default: new ones). Raises SpecError where a parameter is no array of the program's type and the network's shape (a copy would not change with it).
        """
        arrays = self.arrays(values)
        for name, array in zip(self.program.leaves, arrays, strict=True):
            if name in self.program.parameters and array is not values[name]:
                raise SpecError(f"{name} must be a NumPy array of {self.dtype}, {show_shape(self.program.network.symbols[name].shape)}, to be changed in place")
        return Bound(self, arrays, into)

    def forward(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Every value of the forward pass that the given ones determine (without a target: all but the loss)."""
        known = {n: self._array(n, values[n]) for n in self.program.leaves if n in values}
        known = {**{n: v for n, v in self._constants.items() if n in self.program.leaves}, **known}
        key = frozenset(known)
        if key not in self._forward:
            self._forward[key] = forward_function(self.program, self.dtype, key)
        with numpy.errstate(all="ignore"):
            return {**known, **self._forward[key](known)}

    def arrays(self, values: Mapping[str, Any]) -> list[Any]:
        """The given values in the order of ``program.leaves``, in the type and shapes of the network."""
        out = []
        for name, shape in self._shapes:
            value = values.get(name)
            if value is None:
                value = self._constants.get(name)
                if value is None:
                    raise SpecError(f"{name} has no value", hint=self._missing(values))
            if not (type(value) is numpy.ndarray and value.dtype == self._type and value.shape == shape):
                value = self._array(name, value)
            out.append(value)
        self._same_sizes(out)
        return out

    def _missing(self, values: Mapping[str, Any]) -> str:
        unknown = [n for n in values if n not in self.program.network.symbols]
        return f"{unknown[0]!r} is not known: {nearest(unknown[0], self.program.leaves)}" if unknown else "give an array for each of " + ", ".join(self.program.leaves)

    def _array(self, name: str, value: Any) -> Any:
        shape = self.program.network.symbols[name].shape
        try:
            array = numpy.asarray(value, dtype=self._type)
        except (TypeError, ValueError):
            raise SpecError(f"{name} must be an array of numbers, {show_shape(shape)}") from None
        if array.shape != shape:
            if array.ndim != 2 and array.size != 1 or not shape and array.size != 1 or shape and not _fits(array.shape, shape):
                found = " x ".join(map(str, array.shape)) or "a single number"
                raise ShapeError(f"{name} is {found}, expected {show_shape(shape)}")
            array = array.reshape(array.shape if shape and array.ndim == 2 else [1 if isinstance(d, str) else d for d in shape])
        return array

    def _same_sizes(self, arrays: list[Any]) -> None:
        found: dict[str, tuple[str, int]] = {}
        for (name, shape), array in zip(self._shapes, arrays, strict=True):
            for axis, d in enumerate(shape):
                if isinstance(d, str):
                    first, size = found.setdefault(d, (name, array.shape[axis]))
                    if size != array.shape[axis]:
                        raise ShapeError(f"{first} says {d} = {size}, and {name} says {d} = {array.shape[axis]}")


class Bound:
    """Loss and gradients of parameters that stay in their arrays; the warnings of NumPy are the caller's matter.

    gradients: by the network's names, arrays that every call fills anew: read them before the next call.
    """

    def __init__(self, compiled: Compiled, arrays: list[Any], into: Mapping[str, Any] | None) -> None:
        self._compiled, self._type, count = compiled, compiled._type, len(compiled.program.data)
        self._data, self._parameters = arrays[:count], arrays[count:]
        symbols = compiled.program.network.symbols
        sizes = {d: length for n, a in zip(compiled.program.leaves, arrays, strict=True) for d, length in zip(symbols[n].shape, a.shape, strict=True)}
        shapes = {n: tuple(sizes[d] for d in symbols[n].shape) for n in compiled.program.gradients}
        self.gradients: Mapping[str, Any] = {n: numpy.empty(shape, self._type) for n, shape in shapes.items()} if into is None else into
        for name, shape in shapes.items():
            own = self.gradients[name]
            if not (own.shape == shape and own.dtype == self._type and own.flags.c_contiguous):
                raise SpecError(f"the gradient of {name} needs an array of {compiled.dtype}, {show_shape(shape)}, in one piece")
        self._runs: dict[Any, Callable[..., float]] = {}
        self._look()

    def _look(self) -> None:
        """Make or find the way to run for the shapes of the data."""
        self._shapes = [d.shape for d in self._data]
        key = tuple(self._shapes)
        if key not in self._runs:
            names = self._compiled.program.leaves
            arrays = self._compiled.arrays(dict(zip(names, [*self._data, *self._parameters], strict=True)))
            while len(self._runs) >= MOST_SHAPES:
                self._runs.pop(next(iter(self._runs)))
            self._runs[key] = self._compiled._runner.bound(arrays, len(self._data), [self.gradients[n] for n in self._compiled.program.gradients])
        self._run = self._runs[key]

    def __call__(self, *data: Any) -> float:
        """The loss; data: arrays in the order of ``program.data`` in place of those given before (any batch size where it is a letter)."""
        if data:
            if len(data) != len(self._data):
                raise SpecError(f"{len(data)} arrays of data, expected {len(self._data)}: {', '.join(self._compiled.program.data)}")
            self._data = [d if type(d) is numpy.ndarray and d.dtype is self._type else numpy.asarray(d, dtype=self._type) for d in data]
            if [d.shape for d in self._data] != self._shapes:
                self._look()
        return self._run(*self._data)


def _fits(found: tuple[int, ...], shape: tuple[Any, ...]) -> bool:
    return len(found) == len(shape) and all(isinstance(d, str) or f == d for f, d in zip(found, shape, strict=True))


def compile(network: Network, derivation: Derivation | None = None, dtype: str = "float64", batch: int | None = None,
            backend: str = "auto", wrt: tuple[str, ...] | None = None) -> Compiled:
    """The derivation of a network as a program.

    derivation: the steps to compile (derived where left out); batch: the usual number of examples, by which 'auto' chooses;
    backend: 'auto' or one of ``BACKENDS``; wrt: the values whose gradients are wanted (default: all parameters).
    Raises SpecError for an unknown backend or type, and for what cannot be computed.
    """
    if dtype not in DTYPES:
        raise SpecError(f"unknown type {dtype!r}", hint=nearest(dtype, DTYPES))
    if backend != "auto" and backend not in BACKENDS:
        raise SpecError(f"unknown backend {backend!r}", hint=nearest(backend, ["auto", *BACKENDS]))
    return Compiled(program(network, derivation, wrt), dtype, backend, batch)
